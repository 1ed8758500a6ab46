// SPDX-License-Identifier: MIT
/*
 * Device table entries of 256 bits [AMD 2.2.2]: pure functions.
 *
 * An entry of zeroes lets everything pass: V clear means that nothing is checked. So the whole
 * table has to be filled with blocked entries before a unit is given it.
 */
#ifndef SLUICE_UNIT_AMD_DEVICE_TABLE_H
#define SLUICE_UNIT_AMD_DEVICE_TABLE_H

#include "unit/amd/registers.h"

#include <stdbool.h>

#include <sluice/types.h>

struct amdvi_device_entry {
    uint64_t word[4];
};

_Static_assert(sizeof(struct amdvi_device_entry) == 32, "device table entries are 256 bits");

/** Refuses all memory accesses: no tables, neither reading nor writing allowed. */
static inline struct amdvi_device_entry amdvi_entry_blocked(void)
{
    return (struct amdvi_device_entry){.word = {AMDVI_MASK(DTE0_V) | AMDVI_MASK(DTE0_TV)}};
}

/** Lets memory accesses through as they are. */
static inline struct amdvi_device_entry amdvi_entry_pass(uint16_t domain)
{
    struct amdvi_device_entry entry = amdvi_entry_blocked();

    entry.word[0] |= AMDVI_MASK(DTE0_IR) | AMDVI_MASK(DTE0_IW);
    entry.word[1] = AMDVI_PREP(DTE1_DOMAIN, domain);
    return entry;
}

/** What a translated device's entry says. */
struct amdvi_translation {
    sluice_phys_t root; /**< a multiple of 4096 */
    unsigned levels;    /**< 1 to 6 */
    uint16_t domain;
    bool device_tlb; /**< it may ask for translations and use them */
};

static inline struct amdvi_device_entry
amdvi_entry_translated(const struct amdvi_translation *translation)
{
    struct amdvi_device_entry entry = amdvi_entry_pass(translation->domain);

    entry.word[0] |=
        AMDVI_PREP(DTE0_MODE, translation->levels) | (translation->root & AMDVI_MASK(DTE0_ROOT));
    if (translation->device_tlb)
        entry.word[1] |= AMDVI_MASK(DTE1_I);
    return entry;
}

#endif
