// SPDX-License-Identifier: MIT
/*
 * Aligned blocks of a power of two, which is how most units are told what to forget. Called by the
 * drivers' plan.c and invalidate.c. Context of both: any.
 */
#ifndef SLUICE_UNIT_BLOCK_H
#define SLUICE_UNIT_BLOCK_H

#include <sluice/types.h>

/** log2 of the smallest aligned block that holds [first, last]; 12 to 64. */
unsigned unit_cover_lg2(sluice_iova_t first, sluice_iova_t last);

/**
 * log2 of the largest aligned block that begins at `first` and ends by `last`: at least 12, at most
 * `most_lg2`, which is at most 63. Both are whole pages.
 */
unsigned unit_block_lg2(sluice_iova_t first, sluice_iova_t last, unsigned most_lg2);

#endif
