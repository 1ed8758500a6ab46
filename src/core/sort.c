// SPDX-License-Identifier: MIT
/*
 * Heapsort.
 */
#include "core/sort.h"

/* Lets what stands at `at` sink to where nothing below it, in [0, end), comes after it. */
static void sink(uint32_t *indexes, uint32_t at, uint32_t end, sort_before *before, const void *arg)
{
    uint32_t moved = indexes[at];

    while (at < end / 2) { /* it has something below it */
        uint32_t below = 2 * at + 1;

        if (below + 1 < end && before(arg, indexes[below], indexes[below + 1]))
            below++;
        if (!before(arg, moved, indexes[below]))
            break;
        indexes[at] = indexes[below];
        at = below;
    }
    indexes[at] = moved;
}

void sort_indexes(uint32_t *indexes, uint32_t count, sort_before *before, const void *arg)
{
    for (uint32_t at = count / 2; at-- > 0;)
        sink(indexes, at, count, before, arg);
    for (uint32_t end = count; end-- > 1;) {
        uint32_t last = indexes[0];

        indexes[0] = indexes[end];
        indexes[end] = last;
        sink(indexes, 0, end, before, arg);
    }
}
