// SPDX-License-Identifier: MIT
/*
 * Page walks as the hardware does them, written from the specifications and knowing nothing of the
 * engine, for each format; and what tests have to know of a format besides.
 */
#ifndef TESTS_PROPERTY_PT_WALK_H
#define TESTS_PROPERTY_PT_WALK_H

#include "pagetable/pagetable.h"
#include "pt_world.h"

#define WALK_LEVELS_MAX 6u

enum walk_kind {
    WALK_ABSENT = 0,
    WALK_MAPPED,
    WALK_BROKEN, /**< reserved bits, an impossible level: hardware would report bad tables */
};

struct walk {
    enum walk_kind kind;
    sluice_phys_t phys;  /**< of the address asked for */
    uint64_t page_bytes; /**< of the page, or of the hole that an absent entry makes */
    uint32_t prot;
    uint64_t run_bytes;                   /**< that its entry says are one; 0: none */
    unsigned depth;                       /**< tables that were read */
    sluice_phys_t table[WALK_LEVELS_MAX]; /**< the root first */
};

/** One format under test. */
struct pt_subject {
    const char *name; /**< for a command line */
    const struct pt_format *format;
    unsigned levels_min, levels_max;
    int extra_bits;    /**< address bits besides those of the levels: -1 with a sign, 2 for x4 */
    uint32_t prots[4]; /**< what the format can say, zero-terminated */
    uint32_t impossible_prot; /**< what it must refuse; 0: nothing */
    bool refuses_split;       /**< unless the configuration says live_change */
    unsigned granule_lg2;     /**< pt_granule_subjects */
    bool runs;                /**< entries are marked as runs where they can be */

    /**
     * Walks from the table at `table`, which is `level` levels above the pages (1 is the lowest),
     * to `iova`.
     */
    void (*walk)(struct pt_world *world, const struct pt_config *config, sluice_phys_t table,
                 unsigned level, sluice_iova_t iova, struct walk *out);
};

/** Address bits that a level count gives. */
unsigned pt_subject_bits(const struct pt_subject *subject, unsigned levels);

extern const struct pt_subject pt_subjects[];
extern const unsigned pt_subject_count;
/** Formats whose pages may be larger than 4 KiB. */
extern const struct pt_subject pt_granule_subjects[];
extern const unsigned pt_granule_subject_count;

#endif
