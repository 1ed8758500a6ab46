// SPDX-License-Identifier: MIT
/*
 * Runs of numbered entries out of a fixed number: which are in use. For drivers that give out
 * entries of a table. The owner serialises; nothing here takes a lock.
 */
#ifndef SLUICE_UNIT_INDEX_H
#define SLUICE_UNIT_INDEX_H

#include "core/instance.h"

struct unit_index {
    uint32_t *words; /**< bit set: in use */
    uint32_t total;
    uint32_t used;
    uint32_t withheld; /**< of the used: never given back */
    uint32_t next;     /**< where the next search begins, so that what was freed rests a while */
};

/** False without memory; `total` is at least 1. */
bool unit_index_init(struct sluice *sluice, struct unit_index *index, uint32_t total);
void unit_index_free(struct sluice *sluice, struct unit_index *index);

/**
 * Takes `count` numbers in a row, the first a multiple of `align` (a power of two).
 * Returns: OK; NO_SPACE.
 */
SLUICE_MUST_CHECK enum sluice_status unit_index_take(struct unit_index *index, uint32_t count,
                                                     uint32_t align, uint32_t *out_first);
void unit_index_give(struct unit_index *index, uint32_t first, uint32_t count);

#endif
