// SPDX-License-Identifier: MIT
/*
 * Entries of this kernel's page tables, for common/paging.c [RISC-V Privileged 12.4.1]. What is
 * memory and what is not the physical addresses say by themselves.
 */
#ifndef MACHINE_PTE_H
#define MACHINE_PTE_H

#include <stdbool.h>
#include <stdint.h>

#include "paging.h"

#define PTE_VALID      (1ull << 0)
#define PTE_LEAF       (7ull << 1) /* read, write, execute: any of them */
#define PTE_READ_WRITE (3ull << 1)
#define PTE_USED       (3ull << 6) /* accessed, dirty */
#define PTE_PAGE       ((1ull << 54) - (1ull << 10))

static inline bool pte_is_present(uint64_t entry)
{
    return (entry & PTE_VALID) != 0;
}

static inline bool pte_is_leaf(uint64_t entry, unsigned level)
{
    return level == 0 || (entry & PTE_LEAF) != 0;
}

static inline uint64_t pte_phys(uint64_t entry)
{
    return (entry & PTE_PAGE) << 2;
}

static inline uint64_t pte_table(uint64_t phys)
{
    return phys >> 2 | PTE_VALID;
}

static inline uint64_t pte_leaf(uint64_t phys, enum paging_kind kind, unsigned level)
{
    (void)kind;
    (void)level;
    return phys >> 2 | PTE_VALID | PTE_READ_WRITE | PTE_USED;
}

/* An absent entry may be cached [RISC-V Privileged 12.2.1]. */
static inline void pte_sync(void)
{
    __asm__ volatile("sfence.vma" : : : "memory");
}

#endif
