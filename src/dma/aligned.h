// SPDX-License-Identifier: MIT
/*
 * Memory at the beginning of a cache line, for what CPUs must not share.
 */
#ifndef SLUICE_DMA_ALIGNED_H
#define SLUICE_DMA_ALIGNED_H

#include "core/instance.h"

#define IOVA_CACHE_LINE 128u /**< what two CPUs must not share: two lines are fetched together */

/** Zeroed memory at a multiple of a cache line; what to free goes to *out_memory. */
static inline void *aligned_alloc_lines(struct sluice *sluice, size_t bytes, void **out_memory)
{
    uintptr_t at;

    *out_memory = host_alloc(sluice, bytes + IOVA_CACHE_LINE);
    at = (uintptr_t)*out_memory;
    return *out_memory != NULL
               ? (void *)((at + IOVA_CACHE_LINE - 1) & ~(uintptr_t)(IOVA_CACHE_LINE - 1))
               : NULL;
}

static inline void aligned_free_lines(struct sluice *sluice, void *memory, size_t bytes)
{
    host_free(sluice, memory, bytes + IOVA_CACHE_LINE);
}

#endif
