// SPDX-License-Identifier: MIT
/*
 * RISC-V page-table entries, as engine.h wants them: Sv39, Sv48 and Sv57 for the IOMMU's first
 * stage, and their x4 forms, with a root of 16 KiB and two more address bits, for its second
 * [RISC-V Privileged Sv39, Sv48, Sv57, Sv39x4].
 *
 * The .c that includes this defines PTF_NAME, PTF_DESCRIPTOR, PTF_ROOT_EXTRA_BITS and
 * PTF_SIGN_BITS first.
 *
 * Accessed and dirty are set in advance, so that the unit need neither write them nor fault for
 * them. U is set in every leaf: the second stage demands it, and to the first stage a request
 * without a process ID is a user's. Writing without reading is a reserved encoding.
 */
#ifndef SLUICE_PAGETABLE_RISCV_H
#define SLUICE_PAGETABLE_RISCV_H

#include "pagetable/pagetable.h"

#define PTF_GRANULE_LG2   12u
#define PTF_INDEX_BITS    9u
#define PTF_LEVELS_MIN    3u
#define PTF_LEVELS_MAX    5u
#define PTF_PHYS_BITS_MAX 56u
#define PTF_PAGE_SIZES    ((1ull << 12) | (1ull << 21) | (1ull << 30) | (1ull << 39))
/** While old and new entries say the same, the unit may use either. */
#define PTF_CAN_SPLIT 1

#define RISCV_V         (1ull << 0)
#define RISCV_R         (1ull << 1)
#define RISCV_W         (1ull << 2)
#define RISCV_X         (1ull << 3)
#define RISCV_U         (1ull << 4)
#define RISCV_A         (1ull << 6)
#define RISCV_D         (1ull << 7)
#define RISCV_PPN       0x003ffffffffffc00ull /**< bits 53:10, the address from bit 12 on */
#define RISCV_PPN_SHIFT 2u

/** In RSW (9:8), which is the software's; see engine.h for what it says. */
#define PTF_READY (1ull << 8)

static inline bool ptf_present(uint64_t entry)
{
    return (entry & RISCV_V) != 0;
}

/** An entry without any permission points at a table. */
static inline bool ptf_is_table(uint64_t entry, unsigned level)
{
    return level > 0 && (entry & (RISCV_V | RISCV_R | RISCV_W | RISCV_X)) == RISCV_V;
}

static inline uint64_t ptf_table(sluice_phys_t phys, unsigned level)
{
    (void)level;
    return phys >> RISCV_PPN_SHIFT | RISCV_V;
}

static inline sluice_phys_t ptf_table_phys(uint64_t entry)
{
    return (entry & RISCV_PPN) << RISCV_PPN_SHIFT;
}

static inline bool ptf_prot_possible(uint32_t prot)
{
    return (prot & SLUICE_PROT_READ) != 0;
}

static inline uint64_t ptf_leaf_attributes(const struct pt_config *config, uint32_t prot)
{
    uint64_t attributes = RISCV_V | RISCV_R | RISCV_U | RISCV_A;

    (void)config;
    if ((prot & SLUICE_PROT_WRITE) != 0)
        attributes |= RISCV_W | RISCV_D;
    if ((prot & SLUICE_PROT_EXEC) != 0)
        attributes |= RISCV_X;
    return attributes;
}

/** A leaf is the same at every level. */
static inline uint64_t ptf_leaf(sluice_phys_t phys, unsigned level, uint64_t attributes)
{
    (void)level;
    return phys >> RISCV_PPN_SHIFT | attributes;
}

static inline uint64_t ptf_leaf_step(uint64_t bytes)
{
    return bytes >> RISCV_PPN_SHIFT;
}

static inline sluice_phys_t ptf_leaf_phys(uint64_t entry, unsigned level)
{
    (void)level;
    return (entry & RISCV_PPN) << RISCV_PPN_SHIFT;
}

static inline uint32_t ptf_leaf_prot(uint64_t entry)
{
    uint32_t prot = SLUICE_PROT_READ;

    if ((entry & RISCV_W) != 0)
        prot |= SLUICE_PROT_WRITE;
    if ((entry & RISCV_X) != 0)
        prot |= SLUICE_PROT_EXEC;
    return prot;
}

static inline uint64_t ptf_split(uint64_t entry, unsigned level)
{
    (void)level;
    return entry;
}

#endif
