// SPDX-License-Identifier: MIT
/*
 * The entries of VT-d second-stage tables [VT-d 3.7, 9.8], as engine.h wants them.
 *
 * Three, four or five levels of 512 entries for 39, 48 and 57 bits. An entry is present when it
 * allows reading or writing; permissions of all levels are ANDed, so tables allow everything and
 * leaves decide.
 */
#ifndef SLUICE_PAGETABLE_VTD_SECOND_STAGE_H
#define SLUICE_PAGETABLE_VTD_SECOND_STAGE_H

#include "pagetable/pagetable.h"

#define PTF_NAME        "VT-d second stage"
#define PTF_DESCRIPTOR  pt_format_vtd_second_stage
#define PTF_GRANULE_LG2 12u
#define PTF_INDEX_BITS  9u
#define PTF_LEVELS_MIN  3u
#define PTF_LEVELS_MAX  5u
/** The root is one table: neither concatenated nor wider than the others. */
#define PTF_ROOT_EXTRA_BITS 0u
/** Addresses are not sign-extended: the whole root is used. */
#define PTF_SIGN_BITS     0u
#define PTF_PHYS_BITS_MAX 52u
/** Leaf sizes: 4 KiB, 2 MiB (CAP.SLLPS bit 0), 1 GiB (bit 1) [VT-d 11.4.2]. */
#define PTF_PAGE_SIZES ((1ull << 12) | (1ull << 21) | (1ull << 30))
/** A present entry may be replaced by another present one, with invalidation after [VT-d 6.5]. */
#define PTF_CAN_SPLIT 1

#define VTD_SS_R    (1ull << 0)
#define VTD_SS_W    (1ull << 1)
#define VTD_SS_PS   (1ull << 7) /**< a leaf above level 0 */
#define VTD_SS_SNP  (1ull << 11)
#define VTD_SS_ADDR 0x000ffffffffff000ull

/** Ignored by hardware in every entry [VT-d 9.8]; see engine.h for what it says. */
#define PTF_READY (1ull << 10)

static inline bool ptf_present(uint64_t entry)
{
    return (entry & (VTD_SS_R | VTD_SS_W)) != 0;
}

static inline bool ptf_is_table(uint64_t entry, unsigned level)
{
    return level > 0 && ptf_present(entry) && (entry & VTD_SS_PS) == 0;
}

/** The entry that points at a table; `level` is the pointing entry's. */
static inline uint64_t ptf_table(sluice_phys_t phys, unsigned level)
{
    (void)level;
    return phys | VTD_SS_R | VTD_SS_W;
}

static inline sluice_phys_t ptf_table_phys(uint64_t entry)
{
    return entry & VTD_SS_ADDR;
}

static inline bool ptf_prot_possible(uint32_t prot)
{
    return (prot & (SLUICE_PROT_READ | SLUICE_PROT_WRITE)) != 0;
}

/** What a leaf says besides address and size. R and W are where enum sluice_prot has them. */
static inline uint64_t ptf_leaf_attributes(const struct pt_config *config, uint32_t prot)
{
    uint64_t attributes = prot & (VTD_SS_R | VTD_SS_W);

    _Static_assert((unsigned)SLUICE_PROT_READ == VTD_SS_R &&
                       (unsigned)SLUICE_PROT_WRITE == VTD_SS_W,
                   "R and W are copied as they are");
    /* SNP is reserved, and faults, where ECAP.SC is clear [VT-d 9.8]. */
    if ((prot & SLUICE_PROT_SNOOP) != 0 && config->snoop)
        attributes |= VTD_SS_SNP;
    return attributes;
}

static inline uint64_t ptf_leaf(sluice_phys_t phys, unsigned level, uint64_t attributes)
{
    return phys | attributes | (level > 0 ? VTD_SS_PS : 0);
}

/** What has to be added to a leaf to point `bytes` further. */
static inline uint64_t ptf_leaf_step(uint64_t bytes)
{
    return bytes;
}

static inline sluice_phys_t ptf_leaf_phys(uint64_t entry, unsigned level)
{
    (void)level;
    return entry & VTD_SS_ADDR;
}

static inline uint32_t ptf_leaf_prot(uint64_t entry)
{
    uint32_t prot = (uint32_t)(entry & (VTD_SS_R | VTD_SS_W));

    return (entry & VTD_SS_SNP) != 0 ? prot | SLUICE_PROT_SNOOP : prot;
}

/** The first of the smaller leaves, one level down, that say together what this one says. */
static inline uint64_t ptf_split(uint64_t entry, unsigned level)
{
    return level == 1 ? entry & ~VTD_SS_PS : entry;
}

#endif
