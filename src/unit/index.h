// SPDX-License-Identifier: MIT
/*
 * Runs of numbers out of a fixed count: which are in use. For drivers that give out entries of a
 * table, or the tags that a unit tells domains apart by. The owner serialises; nothing here takes a
 * lock.
 */
#ifndef SLUICE_UNIT_INDEX_H
#define SLUICE_UNIT_INDEX_H

#include "unit/unit.h"

struct unit_index {
    uint32_t *words; /**< bit set: in use */
    uint32_t total;
    uint32_t used;
    uint32_t withheld; /**< of the used: never given back */
    uint32_t next;     /**< where the next search begins, so that what was freed rests a while */
};

/** False without memory; `total` is at least 1. */
bool unit_index_init(struct sluice *sluice, struct unit_index *index, uint32_t total);
/** As unit_index_init, and number 0 is given to nobody. */
bool unit_index_init_tags(struct sluice *sluice, struct unit_index *index, uint32_t total);
void unit_index_free(struct sluice *sluice, struct unit_index *index);

/**
 * Takes `count` numbers in a row, the first a multiple of `align` (a power of two).
 * Returns: OK; NO_SPACE.
 */
SLUICE_MUST_CHECK enum sluice_status unit_index_take(struct unit_index *index, uint32_t count,
                                                     uint32_t align, uint32_t *out_first);
void unit_index_give(struct unit_index *index, uint32_t first, uint32_t count);

/** One number. Returns: OK; NO_SPACE. */
SLUICE_MUST_CHECK enum sluice_status unit_index_take_tag(struct unit_index *index,
                                                         uint32_t *out_tag);
/**
 * Gives one back once the unit confirmed that nothing is cached with it; else it is withheld, and
 * said so. Returns `confirmed`.
 */
SLUICE_MUST_CHECK enum sluice_status unit_index_give_tag(struct unit_index *index,
                                                         const struct unit *unit, uint32_t tag,
                                                         enum sluice_status confirmed);

#endif
