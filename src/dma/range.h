// SPDX-License-Identifier: MIT
/*
 * Ranges of IOVA below the caches: slabs of equal blocks over a tree of free extents. In pages.
 *
 * A block is 1, 2, 4 ... 256 pages, aligned to its size, so that it never crosses a boundary that
 * it fits between. Blocks are cut from slabs: 512 aligned pages of blocks of one size, with a bit
 * a block. A slab covers just what one leaf table of 4 KiB pages covers, and costs at most 96
 * bytes. Longer ranges, and blocks when no slab fits any more, come from the tree alone and cost no
 * memory but the free space between them. Nothing is recorded about a taken range, except by not
 * being free: whoever gives one back says how long it is, and is found out when a part of it is
 * free already.
 *
 * Locking: the caller's. Called by src/dma/iova_exact.c and iova_setup.c.
 */
#ifndef SLUICE_DMA_RANGE_H
#define SLUICE_DMA_RANGE_H

#include "core/list.h"
#include "dma/extent.h"

#define RANGE_CLASSES   9u /**< blocks of 1 << class pages */
#define RANGE_SLAB_LG2  9u
#define RANGE_SLAB      ((uint64_t)1 << RANGE_SLAB_LG2)
#define RANGE_RESERVED  256u
#define RANGE_INDEX_LG2 6u /**< log2 of the slots of one node of the index of slabs */

/** Parts of the address space that are filled one after the other. */
enum range_zone {
    RANGE_ZONE_24 = 0, /**< below 16 MiB, for devices with 24 address lines */
    RANGE_ZONE_32,     /**< the rest below 4 GiB */
    RANGE_ZONE_64,     /**< above */
    RANGE_ZONES
};

struct slab {
    struct list_node node; /**< in ranges->partial when a block is free */
    uint64_t first;        /**< page, multiple of RANGE_SLAB */
    uint16_t free;         /**< blocks */
    uint8_t class_lg2;     /**< log2 of a block's pages */
    uint8_t zone;
    uint64_t map[]; /**< a bit for each free block */
};

struct index_node {
    void *slot[1u << RANGE_INDEX_LG2]; /**< nodes, or at the bottom slabs */
};

struct page_range {
    uint64_t first;
    uint64_t last; /**< inclusive */
};

struct ranges {
    struct sluice *sluice;
    struct extents extents;
    struct page_range all;
    struct page_range zones[RANGE_ZONES]; /**< empty: first > last */
    struct list_node partial[RANGE_ZONES][RANGE_CLASSES];
    struct index_node *index; /**< slabs by page number >> RANGE_SLAB_LG2 */
    unsigned index_levels;
    uint64_t taken; /**< slabs, reserved pieces and ranges out of no slab: bounds the extents */
    uint64_t slabs;
    uint64_t metadata_bytes; /**< slabs and index; extents come on top */
    unsigned reserved_count;
    struct page_range reserved[RANGE_RESERVED]; /**< disjoint */
};

/** A block's pages; 0 is no block but a range of just that many pages. */
static inline unsigned range_class_of(uint64_t pages)
{
    return pages <= 1 ? 0 : 64u - (unsigned)__builtin_clzll(pages - 1);
}

/** Returns: OK; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status ranges_init(struct ranges *ranges, struct sluice *sluice,
                                                 uint64_t first, uint64_t last);
void ranges_clear(struct ranges *ranges);

/**
 * Takes up to `count` blocks of 1 << class_lg2 pages out of one zone, none above page `last`.
 * Returns how many; page numbers go to out_pages.
 */
unsigned ranges_take_blocks(struct ranges *ranges, enum range_zone zone, unsigned class_lg2,
                            uint64_t last, unsigned count, uint64_t *out_pages);

/** Takes a range out of no slab. Returns: OK; NO_SPACE; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status
ranges_take(struct ranges *ranges, const struct extent_want *want, uint64_t *out_first);

/**
 * Gives back what one of the two above took; never needs memory. Returns false, with nothing
 * changed, when that cannot have been taken: part of it is free, or was a block of another size.
 */
SLUICE_MUST_CHECK bool ranges_give(struct ranges *ranges, uint64_t first, uint64_t pages);

/**
 * Turns every slab into extents, so that nothing hides in slabs of other sizes: afterwards
 * ranges_take finds a place if there is one. Stops without harm when memory runs out.
 * Returns how many slabs went.
 */
uint64_t ranges_dissolve(struct ranges *ranges);

/**
 * Takes a range out of use for good; parts may be reserved already, or outside the aperture.
 * Returns: OK; EXISTS (a part is taken, or hides in a slab); NO_SPACE (too many); NO_MEMORY.
 */
SLUICE_MUST_CHECK enum sluice_status ranges_reserve(struct ranges *ranges, uint64_t first,
                                                    uint64_t last);

/** Bytes of memory held. */
uint64_t ranges_bytes(const struct ranges *ranges);

#endif
