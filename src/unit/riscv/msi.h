// SPDX-License-Identifier: MIT
/*
 * MSI page tables and interrupt files in memory, for devices of guests [RISC-V AIA 9.5; RISC-V
 * IOMMU 2.3.3]: pure functions.
 *
 * A write of a device to a guest page that is an interrupt file of a virtual IMSIC is looked up in
 * a flat table of 16 bytes an entry, by the number of the file. The entry leads to the page of a
 * real interrupt file, or to an interrupt file in memory (MRIF), into which the unit sets the bit
 * itself and then sends a notice to the hypervisor.
 */
#ifndef SLUICE_UNIT_RISCV_MSI_H
#define SLUICE_UNIT_RISCV_MSI_H

#include "unit/riscv/registers.h"

#include <stdbool.h>

#include <sluice/types.h>

#define RIOMMU_MSIPTE_MRIF  1u
#define RIOMMU_MSIPTE_BASIC 3u

#define RIOMMU_MRIF_IDENTITIES 2048u

struct riommu_msi_entry {
    uint64_t word[2];
};

_Static_assert(sizeof(struct riommu_msi_entry) == 16, "MSI PTEs are 16 bytes [RISC-V AIA 9.5]");

/** One of the 32 parts of an interrupt file in memory: 64 identities [RISC-V AIA 9.5.3]. */
struct riommu_mrif_part {
    uint64_t pending;
    uint64_t enabled;
};

struct riommu_mrif {
    struct riommu_mrif_part part[RIOMMU_MRIF_IDENTITIES / 64];
};

_Static_assert(sizeof(struct riommu_mrif) == 512, "MRIFs are 512 bytes [RISC-V AIA 9.5.3]");

/** Whether a guest address is an interrupt file's [RISC-V IOMMU 2.1.3.6]. */
static inline bool riommu_msi_matches(uint64_t address, uint64_t mask, uint64_t pattern)
{
    return ((address >> 12) & ~mask) == (pattern & ~mask);
}

/** The number of the file: the bits of the page number that the mask has, side by side. */
static inline uint64_t riommu_msi_file(uint64_t address, uint64_t mask)
{
    uint64_t page = address >> 12;
    uint64_t file = 0;
    unsigned at = 0;

    for (unsigned bit = 0; bit < 52; bit++) {
        if ((mask >> bit & 1u) != 0)
            file |= (page >> bit & 1u) << at++;
    }
    return file;
}

/** Writes go to the page of a real interrupt file. */
static inline struct riommu_msi_entry riommu_msi_basic(sluice_phys_t file)
{
    return (struct riommu_msi_entry){{
        RIOMMU_MASK(MSIPTE_V) | RIOMMU_PREP(MSIPTE_M, RIOMMU_MSIPTE_BASIC) |
            RIOMMU_PREP(MSIPTE_PPN, file >> 12),
        0,
    }};
}

/**
 * Writes set a bit of an interrupt file in memory.
 * @param mrif      aligned to 512
 * @param notice    page that the notice is written to
 * @param identity  what is written there, up to 2047
 */
static inline struct riommu_msi_entry riommu_msi_mrif(sluice_phys_t mrif, sluice_phys_t notice,
                                                      uint16_t identity)
{
    return (struct riommu_msi_entry){{
        RIOMMU_MASK(MSIPTE_V) | RIOMMU_PREP(MSIPTE_M, RIOMMU_MSIPTE_MRIF) |
            RIOMMU_PREP(MSIPTE_MRIF, mrif >> 9),
        RIOMMU_PREP(MSINOTE_NID, identity) | RIOMMU_PREP(MSINOTE_NPPN, notice >> 12) |
            RIOMMU_PREP(MSINOTE_NID10, identity >> 10),
    }};
}

#endif
