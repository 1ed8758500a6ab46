// SPDX-License-Identifier: MIT
/*
 * What an operation on a page table leaves for its caller: ranges and unlinked tables.
 * Called by the engine and by src/domain.
 */
#include "pagetable/pagetable.h"

static bool gather_touch(const struct pt_range *a, const struct pt_range *b)
{
    if (a->first > b->last)
        return a->first - b->last == 1;
    if (b->first > a->last)
        return b->first - a->last == 1;
    return true;
}

/** Widens `into` to cover `range` too. */
static void gather_cover(struct pt_range *into, const struct pt_range *range)
{
    if (range->first < into->first)
        into->first = range->first;
    if (range->last > into->last)
        into->last = range->last;
    if (range->page_lg2 < into->page_lg2)
        into->page_lg2 = range->page_lg2;
    into->tables = into->tables || range->tables;
}

/** Bytes between two ranges that do not touch. */
static uint64_t gather_gap(const struct pt_range *a, const struct pt_range *b)
{
    return a->first > b->last ? a->first - b->last : b->first - a->last;
}

static void gather_remove(struct pt_gather *gather, unsigned index)
{
    gather->ranges[index] = gather->ranges[--gather->count];
}

/** Merges the two ranges with the smallest gap, so that as little as possible is added. */
static void gather_merge_closest(struct pt_gather *gather)
{
    unsigned best_a = 0, best_b = 1;
    uint64_t best = UINT64_MAX;

    for (unsigned a = 0; a < gather->count; a++) {
        for (unsigned b = a + 1; b < gather->count; b++) {
            uint64_t gap = gather_gap(&gather->ranges[a], &gather->ranges[b]);

            if (gap < best) {
                best = gap;
                best_a = a;
                best_b = b;
            }
        }
    }
    gather_cover(&gather->ranges[best_a], &gather->ranges[best_b]);
    gather_remove(gather, best_b);
}

/** Takes out every range that `range` touches and widens it to cover them. */
static void gather_absorb(struct pt_gather *gather, struct pt_range *range)
{
    /* A range that grew may touch others now. Each restart has taken one out, so this ends. */
    for (unsigned i = 0; i < gather->count;) {
        if (gather_touch(&gather->ranges[i], range)) {
            gather_cover(range, &gather->ranges[i]);
            gather_remove(gather, i);
            i = 0;
        } else {
            i++;
        }
    }
}

void pt_gather_add(struct pt_gather *gather, const struct pt_range *range)
{
    struct pt_range merged = *range;

    gather_absorb(gather, &merged);
    if (gather->count == PT_GATHER_RANGES) {
        gather_merge_closest(gather);
        gather_absorb(gather, &merged);
    }
    gather->ranges[gather->count++] = merged;
}
