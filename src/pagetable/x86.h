// SPDX-License-Identifier: MIT
/*
 * The entries of 64-bit x86 paging, as engine.h wants them: VT-d first-stage tables [VT-d 3.6,
 * 9.7] and AMD's guest ("v2") tables, which are those of the CPU.
 *
 * Four or five levels of 512 entries. Addresses are sign-extended, and domains use the lower half:
 * 47 or 56 bits. There is no permission to write without reading.
 *
 * Accessed and dirty are set in advance, so that the unit need not write to tables. Execute-disable
 * stays clear: it is reserved where the unit was not told to look at it, and execute requests are
 * not enabled for any device.
 */
#ifndef SLUICE_PAGETABLE_X86_H
#define SLUICE_PAGETABLE_X86_H

#include "pagetable/pagetable.h"

#define PTF_NAME            "x86 first stage"
#define PTF_DESCRIPTOR      pt_format_x86
#define PTF_GRANULE_LG2     12u
#define PTF_INDEX_BITS      9u
#define PTF_LEVELS_MIN      4u
#define PTF_LEVELS_MAX      5u
#define PTF_ROOT_EXTRA_BITS 0u
#define PTF_SIGN_BITS       1u
#define PTF_PHYS_BITS_MAX   52u
/** 4 KiB, 2 MiB, 1 GiB (CAP.FL1GP [VT-d 11.4.2]). */
#define PTF_PAGE_SIZES ((1ull << 12) | (1ull << 21) | (1ull << 30))
/** As for second-stage tables: allowed, with invalidation after. */
#define PTF_CAN_SPLIT 1

#define X86_P    (1ull << 0)
#define X86_RW   (1ull << 1)
#define X86_US   (1ull << 2) /**< requests without a privilege are user requests */
#define X86_A    (1ull << 5)
#define X86_D    (1ull << 6)
#define X86_PS   (1ull << 7) /**< a leaf above level 0 */
#define X86_ADDR 0x000ffffffffff000ull

/** Ignored by hardware in every entry [VT-d 9.7]; see engine.h for what it says. */
#define PTF_READY (1ull << 11)

static inline bool ptf_present(uint64_t entry)
{
    return (entry & X86_P) != 0;
}

static inline bool ptf_is_table(uint64_t entry, unsigned level)
{
    return level > 0 && (entry & (X86_P | X86_PS)) == X86_P;
}

static inline uint64_t ptf_table(sluice_phys_t phys, unsigned level)
{
    (void)level;
    return phys | X86_P | X86_RW | X86_US | X86_A;
}

static inline sluice_phys_t ptf_table_phys(uint64_t entry)
{
    return entry & X86_ADDR;
}

static inline bool ptf_prot_possible(uint32_t prot)
{
    return (prot & SLUICE_PROT_READ) != 0;
}

static inline uint64_t ptf_leaf_attributes(const struct pt_config *config, uint32_t prot)
{
    (void)config;
    if ((prot & SLUICE_PROT_WRITE) != 0)
        return X86_P | X86_US | X86_A | X86_RW | X86_D;
    return X86_P | X86_US | X86_A;
}

static inline uint64_t ptf_leaf(sluice_phys_t phys, unsigned level, uint64_t attributes)
{
    return phys | attributes | (level > 0 ? X86_PS : 0);
}

static inline uint64_t ptf_leaf_step(uint64_t bytes)
{
    return bytes;
}

static inline sluice_phys_t ptf_leaf_phys(uint64_t entry, unsigned level)
{
    (void)level;
    return entry & X86_ADDR;
}

static inline uint32_t ptf_leaf_prot(uint64_t entry)
{
    return SLUICE_PROT_READ | ((entry & X86_RW) != 0 ? (uint32_t)SLUICE_PROT_WRITE : 0);
}

/** PS is bit 7, which at level 0 would select a memory type. */
static inline uint64_t ptf_split(uint64_t entry, unsigned level)
{
    return level == 1 ? entry & ~X86_PS : entry;
}

#endif
