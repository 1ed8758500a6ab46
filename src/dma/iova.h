// SPDX-License-Identifier: MIT
/*
 * The IOVA allocator: who may use which range of a domain's address space.
 *
 *     magazines of each CPU   iova.h, iova.c, iova_magazine.c
 *                                 no lock where the host pins, else one of that CPU's
 *     depot of magazines      depot.c
 *                                 one lock, held for a pointer's exchange
 *     slabs and extents       iova_exact.c, range.c
 *                                 one lock, held for a magazine's worth of blocks
 *
 * Sizes up to 256 pages are rounded up to a power of two, aligned to that, and cached in magazines:
 * stacks of addresses, two of each size a CPU. Longer ranges are exact and always come from the
 * extents. The address space is filled in zones (below 16 MiB, below 4 GiB, above), the highest
 * that a device reaches first, so that devices with narrow masks find space left for them; or
 * below 4 GiB first, where a domain asks for that. A zone that was found full is not asked again
 * for a block of that size until something in it was given back.
 *
 * When everything fails, what the caches hold goes back, slabs are dissolved, and the search is
 * exact. Where the host pins, other CPUs' magazines are out of reach: they give up theirs when they
 * next exchange one. So up to 2 magazines a size and CPU may hide, which are sized to be
 * less than a quarter of a zone together.
 *
 * Called by src/dma/space.c and the DMA API.
 */
#ifndef SLUICE_DMA_IOVA_H
#define SLUICE_DMA_IOVA_H

#include "dma/aligned.h"
#include "dma/range.h"

#include <sluice/cpu.h>

#define IOVA_BINS            (RANGE_ZONES * RANGE_CLASSES)
#define IOVA_BLOCK_PAGES     ((uint64_t)1 << (RANGE_CLASSES - 1)) /**< longest that is cached */
#define IOVA_MAGAZINE        127u /**< addresses in a magazine, so that it is 1 KiB and a half line */
#define IOVA_DEPOT_MAGAZINES 256u

struct iova_magazine {
    uint32_t count;
    uint32_t capacity; /**< 0 only in the one that stands for "none" */
    struct iova_magazine *next;
    sluice_iova_t at[IOVA_MAGAZINE];
};

/** Counts of one CPU, written by it alone. */
struct iova_counts {
    atomic_uint_fast64_t allocs; /**< of cached sizes, served */
    atomic_uint_fast64_t frees;
    atomic_uint_fast64_t misses;    /**< of those, not from this CPU's magazines */
    atomic_uint_fast64_t exchanges; /**< magazines that went to the depot or came from it */
};

struct iova_cpu {
    _Alignas(IOVA_CACHE_LINE) struct sluice_spinlock lock; /**< unused where the host pins */
    unsigned trimmed; /**< the value of iova->trim this CPU has seen */
    struct iova_counts counts;
    struct iova_magazine *loaded[IOVA_BINS];   /**< never NULL; see iova_no_magazine */
    struct iova_magazine *previous[IOVA_BINS]; /**< never NULL */
};

struct iova_depot_bin {
    struct iova_magazine *full; /**< at least one address each */
    atomic_uint count;          /**< of `full`; changed under the lock, read without as a hint */
    unsigned most;              /**< kept; what is beyond goes back to the slabs */
    uint32_t capacity;          /**< addresses that a magazine of this size takes; 0: not cached */
};

struct iova_depot {
    struct sluice_spinlock lock;
    struct iova_depot_bin bins[IOVA_BINS];
    struct iova_magazine *empty;
    unsigned empty_count;
    uint64_t magazines; /**< allocated and not freed, wherever they are */
};

struct iova {
    struct sluice *sluice;
    void *memory;       /**< what this was cut from, to be aligned */
    unsigned wide_zone; /**< tried first for devices that reach beyond 4 GiB */
    unsigned cpu_count;
    struct iova_cpu *cpus;
    void *cpus_memory;         /**< what `cpus` was cut from, to be aligned */
    struct iova_counts shared; /**< of CPUs beyond cpu_count, which have no magazines */
    /** Blocks of this class and larger were not found in the zone; RANGE_CLASSES: not known. */
    atomic_uint full_class[RANGE_ZONES];
    atomic_uint trim; /**< counts calls to every CPU to give up its magazines */

    _Alignas(IOVA_CACHE_LINE) struct iova_depot depot;
    _Alignas(IOVA_CACHE_LINE) struct sluice_spinlock range_lock; /**< guards `ranges`, `*_large` */
    struct ranges ranges;
    uint64_t live_large, live_large_pages;
    atomic_uint_fast64_t failures;  /**< no space found */
    atomic_uint_fast64_t bad_frees; /**< of what was not taken; ignored */
};

struct iova_config {
    sluice_iova_t first; /**< lowest address; page-aligned. Address 0 is never given out */
    sluice_iova_t last;  /**< highest, inclusive, end of a page */
    bool prefer_32bit;   /**< fill 4 GiB before anything above, for devices that like it */
};

/** What is asked for beyond a number of pages. */
struct iova_request {
    uint64_t pages;
    sluice_iova_t last;      /**< highest address the device reaches, inclusive */
    uint64_t boundary_bytes; /**< no multiple of it may lie inside; power of two, or 0 */
    unsigned align_lg2;      /**< of the address, at least; below 12 is 12 */
};

struct iova_stats {
    uint64_t live;   /**< ranges out now */
    uint64_t cached; /**< addresses in the depot's magazines */
    uint64_t allocs, frees;
    uint64_t misses; /**< not served by the CPU's own magazines */
    uint64_t exchanges;
    uint64_t failures;
    uint64_t bad_frees;
    uint64_t free_pages; /**< in extents; slabs and magazines hold more */
    uint64_t slabs;
    uint64_t metadata_bytes; /**< everything allocated but the fixed part of each CPU */
};

/** Returns: OK; INVALID; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status
iova_create(struct sluice *sluice, const struct iova_config *config, struct iova **out);
void iova_destroy(struct iova *iova);

/**
 * Takes `pages` pages that end at or below `last`.
 * Context: any, as far as the host's allocator goes.
 * Returns: OK; NO_SPACE; NO_MEMORY; INVALID (no pages).
 */
SLUICE_MUST_CHECK enum sluice_status iova_alloc(struct iova *iova, uint64_t pages,
                                                sluice_iova_t last, sluice_iova_t *out);

/**
 * Gives back what iova_alloc gave for the same number of pages. Never needs memory. What cannot
 * have been taken is ignored and counted (bad_frees), as far as that can be seen: a magazine
 * does not look.
 */
void iova_free(struct iova *iova, sluice_iova_t at, uint64_t pages);

/** Most pages of a range that is told in one word. */
#define IOVA_WORD_PAGES ((uint64_t)1 << SLUICE_PAGE_LG2)

/** A range in one word: where it begins, and how many pages follow the first. */
static inline uint64_t iova_word(sluice_iova_t at, uint64_t pages)
{
    return at | (pages - 1);
}

static inline sluice_iova_t iova_word_at(uint64_t word)
{
    return word & ~(IOVA_WORD_PAGES - 1);
}

static inline uint64_t iova_word_pages(uint64_t word)
{
    return (word & (IOVA_WORD_PAGES - 1)) + 1;
}

/** As iova_free for each of a list of words, which is faster. */
void iova_free_list(struct iova *iova, const atomic_uint_fast64_t *words, unsigned count);

/**
 * As iova_alloc, with alignment and boundary. Blocks that need no more than their natural
 * alignment take the same way, all others are given out as the block that is as large as its
 * alignment; free with iova_free_special and the same request.
 * Returns also INVALID for a boundary that is no power of two or smaller than the range.
 */
SLUICE_MUST_CHECK enum sluice_status
iova_alloc_special(struct iova *iova, const struct iova_request *request, sluice_iova_t *out);
void iova_free_special(struct iova *iova, sluice_iova_t at, const struct iova_request *request);

/**
 * Keeps [first, last] out of use for good. Parts may be reserved already.
 * Returns: OK; EXISTS (in use, or in another CPU's magazine); NO_SPACE (too many); NO_MEMORY.
 */
SLUICE_MUST_CHECK enum sluice_status iova_reserve(struct iova *iova, sluice_iova_t first,
                                                  sluice_iova_t last);

/** Gives cached memory back to the host: for memory pressure. */
void iova_trim(struct iova *iova);

void iova_stats(struct iova *iova, struct iova_stats *out);

/* ---- inside the allocator ---- */

/** Stands for "no magazine": neither push nor pop ever succeeds on it, so nobody writes to it. */
extern const struct iova_magazine iova_no_magazine;

static inline struct iova_magazine *iova_none(void)
{
    return (struct iova_magazine *)(uintptr_t)&iova_no_magazine;
}

/* depot.c; all take the depot's lock themselves */

void depot_init(struct iova *iova);
void depot_clear(struct iova *iova);
/** A magazine with something in it, or NULL. */
struct iova_magazine *depot_take_full(struct iova *iova, unsigned bin);
/** An empty magazine for a bin, or NULL when there is no memory. */
struct iova_magazine *depot_take_empty(struct iova *iova, unsigned bin);
/** Takes a magazine with something in it; what is too much goes back to the slabs. */
void depot_give_full(struct iova *iova, unsigned bin, struct iova_magazine *magazine);
void depot_give_empty(struct iova *iova, struct iova_magazine *magazine);
/** Gives everything in the depot back to the slabs, and empty magazines to the host. */
void depot_drain(struct iova *iova);
/** Addresses in full magazines, and bytes of all magazines wherever they are. */
void depot_stats(struct iova *iova, uint64_t *out_cached, uint64_t *out_bytes);

/* iova_magazine.c; on the CPU that `cpu` is, between iova_cpu_enter and iova_cpu_leave */

/** The zones to try for a device that reaches addresses up to some last one, best first. */
struct iova_zone_order {
    unsigned count;
    uint8_t zone[RANGE_ZONES];
};

const struct iova_zone_order *iova_zone_order(const struct iova *iova, sluice_iova_t last);

/** A block that the magazine in use does not have: from the reserve, the depot or the ranges. */
bool iova_cpu_alloc(struct iova *iova, struct iova_cpu *cpu, unsigned class_lg2, sluice_iova_t last,
                    sluice_iova_t *out);
/** Takes a block for which the magazine in use has no room. */
void iova_cpu_free(struct iova *iova, struct iova_cpu *cpu, unsigned bin, sluice_iova_t at);
/** Calls in what CPUs and the depot hold; where the host pins, this CPU's now, others' soon.
 *  Not between iova_cpu_enter and iova_cpu_leave. */
void iova_spill_all(struct iova *iova);

/* iova_exact.c; all take the range lock */

/** Gives back one block that no magazine has room for. */
void iova_give_block(struct iova *iova, sluice_iova_t at, unsigned class_lg2);
/** Gives back everything in a magazine, and empties it. */
void iova_spill(struct iova *iova, unsigned bin, struct iova_magazine *magazine);
/** Takes up to `count` blocks of a zone; returns how many. Remembers when there is none. */
unsigned iova_take_blocks(struct iova *iova, unsigned zone, unsigned class_lg2, sluice_iova_t last,
                          unsigned count, sluice_iova_t *out);
/** One block, wherever it hides. */
SLUICE_MUST_CHECK enum sluice_status iova_alloc_last_resort(struct iova *iova, unsigned class_lg2,
                                                            sluice_iova_t last, sluice_iova_t *out);
/** A range that magazines do not hold: `align_lg2` and `boundary_pages` count in pages. */
SLUICE_MUST_CHECK enum sluice_status iova_alloc_large(struct iova *iova, uint64_t pages,
                                                      unsigned align_lg2, uint64_t boundary_pages,
                                                      sluice_iova_t last, sluice_iova_t *out);
void iova_free_large(struct iova *iova, sluice_iova_t at, uint64_t pages);

/** Adds one to a count that only this CPU writes; others may read it meanwhile. */
static inline void iova_count(atomic_uint_fast64_t *count)
{
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/** The same for several at once. */
static inline void iova_count_all(atomic_uint_fast64_t *count, unsigned more)
{
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

static inline unsigned iova_bin(unsigned zone, unsigned class_lg2)
{
    return zone * RANGE_CLASSES + class_lg2;
}

static inline unsigned iova_zone_of(sluice_iova_t at)
{
    return at >> 32 != 0 ? RANGE_ZONE_64 : at >> 24 != 0 ? RANGE_ZONE_32 : RANGE_ZONE_24;
}

/** Whether a block ends at or below `last`. */
static inline bool iova_within(sluice_iova_t at, unsigned class_lg2, sluice_iova_t last)
{
    return last >= (SLUICE_PAGE_BYTES << class_lg2) - 1 &&
           at <= last - ((SLUICE_PAGE_BYTES << class_lg2) - 1);
}

/** The bin that a device which reaches all of the space is served one page from first. */
static inline unsigned iova_first_bin(const struct iova *iova)
{
    return iova_bin(iova->wide_zone, 0);
}

/** Takes the address that lies on top of a magazine in use, on the CPU that is entered. */
static inline void iova_take_top(struct iova_cpu *cpu, struct iova_magazine *magazine)
{
    magazine->count--;
    iova_count(&cpu->counts.allocs);
}

/** Begins work on this CPU's magazines; *out_state ends it. NULL: this CPU has none. */
static inline struct iova_cpu *iova_cpu_enter(struct iova *iova, sluice_irqstate_t *out_state)
{
    unsigned index;

#if SLUICE_CPU_PINNED
    *out_state = sluice_cpu_enter(&index);
    return index < iova->cpu_count ? &iova->cpus[index] : NULL;
#else
    struct iova_cpu *cpu;

    (void)sluice_cpu_enter(&index);
    cpu = &iova->cpus[index % iova->cpu_count];
    *out_state = sluice_spin_lock(&cpu->lock);
    return cpu;
#endif
}

static inline unsigned iova_cpu_index(const struct iova *iova, const struct iova_cpu *cpu)
{
    return (unsigned)(cpu - iova->cpus);
}

static inline void iova_cpu_leave(struct iova_cpu *cpu, sluice_irqstate_t state)
{
#if SLUICE_CPU_PINNED
    (void)cpu;
    sluice_cpu_leave(state);
#else
    sluice_spin_unlock(&cpu->lock, state);
#endif
}

#endif
