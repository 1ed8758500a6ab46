// SPDX-License-Identifier: MIT
/*
 * Bounce memory: pages that stand in for a buffer's, where the device must not or cannot reach the
 * buffer itself.
 *
 *     pool     all memory below one limit (what a device's address lines reach)
 *     area     a CPU's part of a pool, with a lock of its own
 *     block    up to 64 physically contiguous pages with a bit each; longer runs get their own
 *     run      the pages of one mapping
 *
 * A mapping never shares a page with another, and its offset within a page is kept, because devices
 * like NVMe controllers count on that.
 *
 *   bounce.c        taking and giving runs     bounce_copy.c   copies in and out
 *   bounce_pool.c   pools, blocks, the index from physical address to block
 *
 * Called by src/dma.
 */
#ifndef SLUICE_DMA_BOUNCE_H
#define SLUICE_DMA_BOUNCE_H

#include "core/instance.h"

#define BOUNCE_BLOCK_LG2   6u /**< log2 of a block's pages */
#define BOUNCE_BLOCK_PAGES (1u << BOUNCE_BLOCK_LG2)
#define BOUNCE_INDEX_LG2   (BOUNCE_BLOCK_LG2 + SLUICE_PAGE_LG2) /**< what one index entry covers */
#define BOUNCE_BUCKETS     256u

struct bounce_block;

/** One mapping's pages. Its first page's place in the block's array is its place in the block. */
struct bounce_run {
    struct bounce_block *block;
    sluice_phys_t phys;     /**< of the run's first byte that stands for the buffer */
    sluice_phys_t original; /**< the buffer's */
    uint64_t bytes;         /**< of the buffer; 0: not in use */
    uint32_t first, pages;
};

struct bounce_index {
    struct bounce_index *next;
    uint64_t key; /**< physical address >> BOUNCE_INDEX_LG2 */
    struct bounce_block *block;
};

struct bounce_area {
    _Alignas(128) struct sluice_spinlock lock; /**< guards the blocks' maps, runs and the list */
    struct list_node blocks;
};

struct bounce_block {
    struct list_node node; /**< in its area */
    struct bounce_area *area;
    struct bounce_pool *pool;
    struct sluice_pages pages;
    unsigned order;
    uint32_t page_count;
    uint64_t free; /**< a bit for each free page; of a block for one long run always 0 */
    bool withheld; /**< a device may still reach a part: never freed */
    unsigned index_count;
    unsigned run_count;
    struct bounce_index *index; /**< index_count of them, behind the runs */
    struct bounce_run runs[];   /**< one a page; of a block for one long run just one */
};

struct bounce_pool {
    struct list_node node;
    struct bounce *bounce;
    sluice_phys_t last; /**< highest address in it, inclusive */
    unsigned area_count;
    struct bounce_area *areas;
    void *memory; /**< what `areas` was cut from, to be aligned */
};

struct bounce {
    struct sluice *sluice;
    uint64_t limit_bytes;
    struct list_node pools; /**< added under sluice->lock, and they stay */
    struct sluice_spinlock index_lock;
    struct bounce_index *buckets[BOUNCE_BUCKETS];
    /** What blocks ever lay between, so that most addresses need no look-up. */
    atomic_uint_fast64_t lowest, highest;
    atomic_uint_fast64_t bytes, used_bytes, used_most, exhausted, withheld_bytes;
    atomic_uint_fast64_t reported_ns; /**< when exhaustion was last reported */
};

/* ---- bounce_pool.c ---- */

void bounce_init(struct bounce *bounce, struct sluice *sluice);
/** Frees every block: no device reaches any; withheld ones stay. */
void bounce_clear(struct bounce *bounce);
/** The pool for a limit, made at first. Under sluice->lock. Returns: OK; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status
bounce_pool_get_locked(struct bounce *bounce, sluice_phys_t last, struct bounce_pool **out);
/** Frees blocks with nothing in them. */
void bounce_trim(struct bounce *bounce);
/**
 * A new block of at least `pages` pages in an area's list, all free; with more than
 * BOUNCE_BLOCK_PAGES it is one run's. Returns: OK; NO_SPACE (limit); NO_MEMORY; RANGE (the host
 * has no pages below the pool's limit).
 */
SLUICE_MUST_CHECK enum sluice_status block_create(struct bounce_pool *pool,
                                                  struct bounce_area *area, uint64_t pages,
                                                  struct bounce_block **out);
/** Frees a block that is in no list any more. */
void block_free(struct bounce_block *block);

/* ---- bounce.c ---- */

/**
 * Takes pages for [original, original + bytes), whose place in a page of 1 << granule_lg2 bytes
 * they keep. Nothing is copied.
 * Returns: OK; NO_SPACE (the limit; reported with sizes); NO_MEMORY; RANGE.
 */
SLUICE_MUST_CHECK enum sluice_status bounce_take(struct bounce_pool *pool, sluice_phys_t original,
                                                 uint64_t bytes, unsigned granule_lg2,
                                                 struct bounce_run **out);
void bounce_give(struct bounce_run *run);
/** Never gives it back: a device may still reach it. */
void bounce_withhold(struct bounce_run *run);
/** The run that a physical address lies in, or NULL. */
struct bounce_run *bounce_find(struct bounce *bounce, sluice_phys_t phys);

static inline sluice_phys_t bounce_page(const struct bounce_run *run)
{
    return run->block->pages.phys + ((sluice_phys_t)run->first << SLUICE_PAGE_LG2);
}

/* ---- bounce_copy.c ---- */

/** How much of [phys, phys + bytes) is one range for the CPU. */
size_t dma_stretch(const struct sluice *sluice, sluice_phys_t phys, uint64_t bytes);

/** Copies a part of the buffer, from `phys` (an address in the run) on, in or out. */
void bounce_copy(struct bounce_run *run, sluice_phys_t phys, uint64_t bytes, bool to_device);
/** Zeroes what of the run's pages stands for nothing. */
void bounce_wipe(struct bounce_run *run);

#endif
