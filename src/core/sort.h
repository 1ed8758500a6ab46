// SPDX-License-Identifier: MIT
/*
 * Sorting that a hostile order cannot make slow: n log n at worst, no recursion, no memory.
 * Context: any; whoever owns what is sorted serialises.
 */
#ifndef SLUICE_CORE_SORT_H
#define SLUICE_CORE_SORT_H

#include <stdbool.h>
#include <stdint.h>

/** Whether a comes before b; both are what stands in the array that is sorted. */
typedef bool sort_before(const void *arg, uint32_t a, uint32_t b);

/** Sorts numbers, mostly indexes of something; which of two equals is first is not said. */
void sort_indexes(uint32_t *indexes, uint32_t count, sort_before *before, const void *arg);

#endif
