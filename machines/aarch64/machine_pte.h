// SPDX-License-Identifier: MIT
/*
 * Entries of this kernel's page tables, for common/paging.c [Arm ARM D8.3]: stage 1, 4 KiB granule.
 */
#ifndef MACHINE_PTE_H
#define MACHINE_PTE_H

#include <stdbool.h>
#include <stdint.h>

#include "paging.h"

#define PTE_VALID      (1ull << 0)
#define PTE_NOT_BLOCK  (1ull << 1) /* a table, or at the last level a page */
#define PTE_DEVICE     (1ull << 2) /* attribute 1 of MAIR, see boot.S */
#define PTE_INNER      (3ull << 8) /* inner shareable */
#define PTE_ACCESSED   (1ull << 10)
#define PTE_NO_EXECUTE (3ull << 53) /* at EL1 and EL0 */
#define PTE_ADDRESS    0x0000fffffffff000ull

static inline bool pte_is_present(uint64_t entry)
{
    return (entry & PTE_VALID) != 0;
}

static inline bool pte_is_leaf(uint64_t entry, unsigned level)
{
    return level == 0 || (entry & PTE_NOT_BLOCK) == 0;
}

static inline uint64_t pte_phys(uint64_t entry)
{
    return entry & PTE_ADDRESS;
}

static inline uint64_t pte_table(uint64_t phys)
{
    return phys | PTE_VALID | PTE_NOT_BLOCK;
}

static inline uint64_t pte_leaf(uint64_t phys, enum paging_kind kind, unsigned level)
{
    return phys | PTE_VALID | PTE_ACCESSED | PTE_NO_EXECUTE |
           (kind == PAGING_DEVICE ? PTE_DEVICE : PTE_INNER) | (level == 0 ? PTE_NOT_BLOCK : 0);
}

/* New entries are seen by the walk of what follows [Arm ARM B2.7]. */
static inline void pte_sync(void)
{
    __asm__ volatile("dsb ishst; isb" : : : "memory");
}

#endif
