// SPDX-License-Identifier: MIT
#include "paging.h"

#include "arch.h"
#include "machine_pte.h"
#include "pages.h"
#include "print.h"

#define TOP_LEVEL     3u
#define LEVEL_BITS    9u
#define PAGE_LG2      12u
#define EARLY_TABLES  8u
#define LARGEST_LEVEL 2u /* 1 GiB */

/* For what is mapped before there is memory to hand out. */
static uint64_t early_tables[EARLY_TABLES][PAGING_ENTRIES] __attribute__((aligned(4096)));
static unsigned early_used;

static uint64_t new_table(void)
{
    uint64_t phys;
    if (machine_pages_alloc(0, MACHINE_PAGES_LOW | MACHINE_PAGES_KEPT, &phys))
        return phys;
    if (early_used == EARLY_TABLES)
        machine_die("no memory for the kernel's own page tables");
    return arch_virt_to_phys(early_tables[early_used++]);
}

static uint64_t bytes_at(unsigned level)
{
    return 1ull << (PAGE_LG2 + LEVEL_BITS * level);
}

/* Maps as much as one entry can, and returns how much that was. */
static uint64_t map_one(uint64_t root, uint64_t virt, uint64_t phys, uint64_t bytes,
                        enum paging_kind kind)
{
    uint64_t *table = arch_phys_to_virt(root);
    for (unsigned level = TOP_LEVEL;; level--) {
        uint64_t *entry = &table[(virt / bytes_at(level)) % PAGING_ENTRIES];
        uint64_t size = bytes_at(level);
        bool fits = level <= LARGEST_LEVEL && ((virt | phys) & (size - 1)) == 0 && bytes >= size;
        if (!pte_is_present(*entry) && (fits || level == 0))
            *entry = pte_leaf(phys, kind, level);
        else if (!pte_is_present(*entry))
            *entry = pte_table(new_table());
        if (pte_is_leaf(*entry, level))
            return size - (virt & (size - 1));
        table = arch_phys_to_virt(pte_phys(*entry));
    }
}

void paging_map(uint64_t root, uint64_t virt, uint64_t phys, uint64_t bytes, enum paging_kind kind)
{
    uint64_t start = virt & ~(bytes_at(0) - 1), end = virt + bytes;
    phys &= ~(bytes_at(0) - 1);
    while (start < end) {
        uint64_t step = map_one(root, start, phys, end - start, kind);
        start += step;
        phys += step;
    }
    pte_sync();
}
