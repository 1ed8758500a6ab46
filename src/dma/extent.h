// SPDX-License-Identifier: MIT
/*
 * Free extents of an address space, in pages: a balanced tree ordered by address, in which every
 * node knows the longest extent and the largest naturally aligned block below it, so that the
 * lowest place for a block is found by one walk down, whatever is free around it.
 *
 * Only free space is recorded: what is taken is whatever is not here. Nodes are bought ahead
 * (extents_reserve), because giving space back must never fail.
 *
 * Locking: the caller's. Called by src/dma/range.c.
 */
#ifndef SLUICE_DMA_EXTENT_H
#define SLUICE_DMA_EXTENT_H

#include "core/instance.h"

/** Deepest path from the root; a balanced tree of 2^40 nodes has at most 58 levels. */
#define EXTENT_DEPTH 64u

struct extent {
    struct extent *child[2]; /**< lower and higher addresses */
    uint64_t first;          /**< page number */
    uint64_t pages;
    uint64_t longest;  /**< of this node and all below it, in pages */
    uint8_t block_lg2; /**< log2 of the largest naturally aligned block in this extent */
    uint8_t largest;   /**< the largest block_lg2 of this node and all below it */
    uint8_t height;    /**< 1: a leaf */
};

struct extents {
    struct sluice *sluice;
    struct extent *root;
    struct extent *spare; /**< bought and not in use, chained by child[0] */
    uint64_t nodes;       /**< bought: in the tree and spare */
    uint64_t used;        /**< in the tree */
    uint64_t free_pages;
};

/** What is looked for. */
struct extent_want {
    uint64_t first;          /**< lowest page that may be used */
    uint64_t last;           /**< highest, inclusive */
    uint64_t pages;          /**< at least 1 */
    uint64_t boundary_pages; /**< power of two no multiple of which lies inside; 0: none */
    unsigned align_lg2;      /**< of the first page */
};

void extents_init(struct extents *extents, struct sluice *sluice);
/** Frees every node. */
void extents_clear(struct extents *extents);

/**
 * Makes sure that at least `nodes` nodes are bought. N taken ranges leave at most N + 1 free
 * extents, so whoever keeps nodes >= ranges + 1 can always give back.
 * Returns: OK; NO_MEMORY (nothing changed that matters).
 */
SLUICE_MUST_CHECK enum sluice_status extents_reserve(struct extents *extents, uint64_t nodes);

/** Frees spare nodes until only `nodes` are bought, or none is spare. */
void extents_trim(struct extents *extents, uint64_t nodes);

/** The lowest page where the wanted fits; false when nowhere. */
bool extents_find(const struct extents *extents, const struct extent_want *want,
                  uint64_t *out_first);

/** Whether all of [first, first + pages) is free. */
bool extents_covers(const struct extents *extents, uint64_t first, uint64_t pages);

/** Takes pages that are free, all of them in one extent; needs a spare node when it splits one. */
void extents_take(struct extents *extents, uint64_t first, uint64_t pages);

/**
 * Gives pages back. Returns false, and changes nothing, when a part of them is free already.
 * Needs a spare node unless they touch a free extent.
 */
SLUICE_MUST_CHECK bool extents_give(struct extents *extents, uint64_t first, uint64_t pages);

/** The first free extent that ends at or after `page`; false when there is none. */
bool extents_next(const struct extents *extents, uint64_t page, uint64_t *out_first,
                  uint64_t *out_pages);

#endif
