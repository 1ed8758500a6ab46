// SPDX-License-Identifier: MIT
/*
 * Guest translation as formats: device table entries that lead to a table of guest page tables by
 * PASID, its entries, and commands that name a PASID [AMD 2.2.2.1, 2.2.6, 2.4.3]. Pure functions.
 *
 * The guest page tables themselves ("v2") are those of the CPU: pt_format_x86 with four or five
 * levels. The driver uses host tables only, so nothing calls these yet but tests.
 */
#ifndef SLUICE_UNIT_AMD_GUEST_H
#define SLUICE_UNIT_AMD_GUEST_H

#include "unit/amd/command.h"
#include "unit/amd/device_table.h"

/** DTE2.GPM: levels of guest page tables, minus 4. */
#define AMDVI_GUEST_LEVELS_LEAST 4u

/** What a device entry says of guest translation, beside its host translation. */
struct amdvi_guest_translation {
    sluice_phys_t gcr3_table; /**< a multiple of 4096 */
    unsigned gcr3_levels;     /**< 1 to 3, of 9 bits of PASID each */
    unsigned levels;          /**< 4 or 5, of the page tables */
    bool without_pasid;       /**< requests without a PASID are those of PASID 0 (GIoV) */
};

/**
 * Adds it to an entry. The table's address is cut into three pieces. Word 2 is only added to: it
 * holds the interrupt fields as well.
 */
static inline void amdvi_entry_add_guest(struct amdvi_device_entry *entry,
                                         const struct amdvi_guest_translation *guest)
{
    entry->word[0] |= AMDVI_MASK(DTE0_GV) | AMDVI_PREP(DTE0_GIOV, guest->without_pasid) |
                      AMDVI_PREP(DTE0_GLX, guest->gcr3_levels - 1) |
                      AMDVI_PREP(DTE0_GCR3, guest->gcr3_table >> 12);
    entry->word[1] |= AMDVI_PREP(DTE1_GCR3LOW, guest->gcr3_table >> 15) |
                      AMDVI_PREP(DTE1_GCR3HIGH, guest->gcr3_table >> 31);
    entry->word[2] |= AMDVI_PREP(DTE2_GPM, guest->levels - AMDVI_GUEST_LEVELS_LEAST);
}

/** An entry of the table by PASID: the next table, or the root of page tables [AMD 2.2.6.3]. */
static inline uint64_t amdvi_gcr3_entry(sluice_phys_t root)
{
    return (root & AMDVI_MASK(GCR3_ROOT)) | AMDVI_MASK(GCR3_V);
}

/** amdvi_command_pages for the addresses of one PASID: GN set [AMD 2.4.3]. */
static inline struct amdvi_command amdvi_command_guest_pages(uint16_t domain, uint32_t pasid,
                                                             uint64_t address, unsigned size_lg2)
{
    struct amdvi_command command = amdvi_command_pages(domain, address, size_lg2, true);

    command.low |= pasid & 0xfffffu;
    command.high |= 4u;
    return command;
}

#endif
