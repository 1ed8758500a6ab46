// SPDX-License-Identifier: MIT
/*
 * The entries of AMD I/O page tables for host translation, known as v1 [AMD 2.2.3], as engine.h
 * wants them.
 *
 * Each entry that points at a table says in Next Level which level that has, so levels could be
 * skipped; here none is. A leaf has Next Level 0 and its level's size. Permissions of all levels
 * are ANDed, so tables allow everything and leaves decide. Six levels would reach 64 bits, with a
 * root of 128 entries; five, for 57 bits, are as many as anything asks for.
 */
#ifndef SLUICE_PAGETABLE_AMD_V1_H
#define SLUICE_PAGETABLE_AMD_V1_H

#include "pagetable/pagetable.h"

#define PTF_NAME            "AMD v1"
#define PTF_DESCRIPTOR      pt_format_amd_v1
#define PTF_GRANULE_LG2     12u
#define PTF_INDEX_BITS      9u
#define PTF_LEVELS_MIN      3u
#define PTF_LEVELS_MAX      5u
#define PTF_ROOT_EXTRA_BITS 0u
#define PTF_SIGN_BITS       0u
#define PTF_PHYS_BITS_MAX   52u
/** Leaf sizes of the levels. Of 512 GiB and of sizes in between (Next Level 7) no use is made. */
#define PTF_PAGE_SIZES ((1ull << 12) | (1ull << 21) | (1ull << 30))
/** A present entry may be replaced by another one that says the same, with invalidation after. */
#define PTF_CAN_SPLIT 1

#define AMD_V1_PR               (1ull << 0)
#define AMD_V1_NEXT_LEVEL       (7ull << 9) /**< 0: a leaf; 1 to 6: a table of that level */
#define AMD_V1_NEXT_LEVEL_SHIFT 9u
#define AMD_V1_ADDR             0x000ffffffffff000ull
#define AMD_V1_FC               (1ull << 60) /**< force coherent: the access snoops */
#define AMD_V1_IR               (1ull << 61)
#define AMD_V1_IW               (1ull << 62)

/** Ignored by hardware in entries that point at tables [AMD 2.2.3]; see engine.h. */
#define PTF_READY (1ull << 4)

static inline bool ptf_present(uint64_t entry)
{
    return (entry & AMD_V1_PR) != 0;
}

static inline bool ptf_is_table(uint64_t entry, unsigned level)
{
    return level > 0 && ptf_present(entry) && (entry & AMD_V1_NEXT_LEVEL) != 0;
}

/**
 * The entry that points at a table; `level` is the pointing entry's, from 0. The specification
 * counts from 1, so the table below has this number there.
 */
static inline uint64_t ptf_table(sluice_phys_t phys, unsigned level)
{
    return phys | (uint64_t)level << AMD_V1_NEXT_LEVEL_SHIFT | AMD_V1_IR | AMD_V1_IW | AMD_V1_PR;
}

static inline sluice_phys_t ptf_table_phys(uint64_t entry)
{
    return entry & AMD_V1_ADDR;
}

static inline bool ptf_prot_possible(uint32_t prot)
{
    return (prot & (SLUICE_PROT_READ | SLUICE_PROT_WRITE)) != 0;
}

static inline uint64_t ptf_leaf_attributes(const struct pt_config *config, uint32_t prot)
{
    uint64_t attributes = AMD_V1_PR;

    if ((prot & SLUICE_PROT_READ) != 0)
        attributes |= AMD_V1_IR;
    if ((prot & SLUICE_PROT_WRITE) != 0)
        attributes |= AMD_V1_IW;
    if ((prot & SLUICE_PROT_SNOOP) != 0 && config->snoop)
        attributes |= AMD_V1_FC;
    return attributes;
}

/** A leaf is the same at every level. */
static inline uint64_t ptf_leaf(sluice_phys_t phys, unsigned level, uint64_t attributes)
{
    (void)level;
    return phys | attributes;
}

static inline uint64_t ptf_leaf_step(uint64_t bytes)
{
    return bytes;
}

static inline sluice_phys_t ptf_leaf_phys(uint64_t entry, unsigned level)
{
    (void)level;
    return entry & AMD_V1_ADDR;
}

static inline uint32_t ptf_leaf_prot(uint64_t entry)
{
    uint32_t prot = 0;

    if ((entry & AMD_V1_IR) != 0)
        prot |= SLUICE_PROT_READ;
    if ((entry & AMD_V1_IW) != 0)
        prot |= SLUICE_PROT_WRITE;
    if ((entry & AMD_V1_FC) != 0)
        prot |= SLUICE_PROT_SNOOP;
    return prot;
}

static inline uint64_t ptf_split(uint64_t entry, unsigned level)
{
    (void)level;
    return entry;
}

#endif
