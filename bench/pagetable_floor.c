// SPDX-License-Identifier: MIT
/*
 * In a file of its own, so that no compiler sees callers and callee together: what is stored must
 * be stored, in every call.
 */
#include "pagetable_floor.h"

#include <string.h>

#define ADDRESS 0x000ffffffffff000ull

void floor_zero_and_store(void **tables, unsigned count, uint64_t entry)
{
    for (unsigned t = 0; t < count; t++) {
        uint64_t *table = tables[t];

        memset(table, 0, 4096);
        /* Keeps the compiler from dropping the zeroes, which are all overwritten here. */
        __asm__ volatile("" : : "r"(table) : "memory");
        /* Four at a time: compilers differ in whether they see that by themselves. */
        for (unsigned i = 0; i < 512; i += 4) {
            table[i] = entry;
            table[i + 1] = entry + 4096;
            table[i + 2] = entry + 2 * 4096;
            table[i + 3] = entry + 3 * 4096;
            entry += 4 * 4096;
        }
    }
}

void floor_clear(void **tables, unsigned count)
{
    for (unsigned t = 0; t < count; t++) {
        /* One store an entry, as live entries have to be cleared; a memset may tear them. */
        volatile uint64_t *table = tables[t];

        for (unsigned i = 0; i < 512; i++)
            table[i] = 0;
    }
}

static inline uint64_t *next(uint64_t entry, uintptr_t base)
{
    return (uint64_t *)((uintptr_t)(entry & ADDRESS) + base);
}

void floor_walk_store(uint64_t *root, uintptr_t base, uint64_t iova, uint64_t entry)
{
    uint64_t *table = root;

    table = next(table[iova >> 39 & 511], base);
    table = next(table[iova >> 30 & 511], base);
    table = next(table[iova >> 21 & 511], base);
    table[iova >> 12 & 511] = entry;
}

uint64_t floor_walk_lookup(const uint64_t *root, uintptr_t base, uint64_t iova)
{
    const uint64_t *table = root;
    uint64_t entry;

    table = next(table[iova >> 39 & 511], base);
    table = next(table[iova >> 30 & 511], base);
    table = next(table[iova >> 21 & 511], base);
    entry = table[iova >> 12 & 511];
    return (entry & 3) != 0 ? (entry & ADDRESS) | (iova & 4095) : 0;
}
