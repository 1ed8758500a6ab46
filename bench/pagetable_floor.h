// SPDX-License-Identifier: MIT
/*
 * Floors: the least that any page-table code has to do, on the same memory. They check nothing,
 * serve one format and one level count, and could not be shipped. Each is a call of its own, as
 * the library's operations are.
 */
#ifndef BENCH_PAGETABLE_FLOOR_H
#define BENCH_PAGETABLE_FLOOR_H

#include <stdint.h>

/** Zeroes `tables` tables and stores 512 entries to each, the first with `entry`, 4 KiB apart. */
void floor_zero_and_store(void **tables, unsigned count, uint64_t entry);

/** Stores 0 to the 512 entries of each table. */
void floor_clear(void **tables, unsigned count);

/** Walks four levels from `root` and stores `entry`; tables lie at address + base. */
void floor_walk_store(uint64_t *root, uintptr_t base, uint64_t iova, uint64_t entry);

/** Walks four levels; the physical address, or 0 when nothing is mapped. */
uint64_t floor_walk_lookup(const uint64_t *root, uintptr_t base, uint64_t iova);

#endif
