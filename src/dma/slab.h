// SPDX-License-Identifier: MIT
/*
 * The index of slabs by address, a tree of 64-way nodes, and the bits of one slab.
 * Locking: the caller's. Called by src/dma/range.c.
 */
#ifndef SLUICE_DMA_SLAB_H
#define SLUICE_DMA_SLAB_H

#include "dma/range.h"

/** The slab that covers a page, or NULL. */
struct slab *slab_find(const struct ranges *ranges, uint64_t page);

/** Makes a slab of free blocks over 512 pages, taken by the caller. NULL: no memory. */
struct slab *slab_create(struct ranges *ranges, uint64_t first, enum range_zone zone,
                         unsigned class_lg2);

/** Forgets a slab; its pages are the caller's again. */
void slab_destroy(struct ranges *ranges, struct slab *slab);

/** Frees the whole index, slabs included. */
void slab_clear(struct ranges *ranges);

static inline unsigned slab_blocks(const struct slab *slab)
{
    return (unsigned)(RANGE_SLAB >> slab->class_lg2);
}

static inline unsigned slab_words(unsigned class_lg2)
{
    return class_lg2 >= 3 ? 1u : 8u >> class_lg2;
}

static inline bool slab_is_free(const struct slab *slab, unsigned block)
{
    return (slab->map[block / 64] >> (block % 64) & 1) != 0;
}

#endif
