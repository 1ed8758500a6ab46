// SPDX-License-Identifier: MIT
/*
 * The DMA API inside.
 *
 *   context.c   the instance's part: spaces, bounce pools, checking mode; poll and trim
 *   space.c     a domain's addresses: IOVA allocator, mapping and unmapping whole pages
 *   flush.c     the queues of a lazy domain
 *   handle.c    opening and closing for a device
 *   route.c     which way a buffer goes: the decision, in one function
 *   map.c       one buffer          sg.c        lists
 *   mmio.c      device memory       coherent.c  memory for both
 *   sync.c      copies and cache maintenance
 *   bounce*.c   bounce memory       check*.c    the checking mode
 *   count.c     counters            info.c      and what they say
 *
 * Locking: opening and closing run under sluice->lock. Everything else takes no lock but those of
 * the IOVA allocator, of a bounce area, and of the checking mode; see docs/LOCKING.md.
 */
#ifndef SLUICE_DMA_DMA_H
#define SLUICE_DMA_DMA_H

#include "dma/bounce.h"
#include "dma/flush.h"
#include "dma/iova.h"
#include "domain/domain.h"

#include <sluice/dma.h>

#define DMA_NAME_BYTES (DEVICE_LABEL_BYTES + DOMAIN_NAME_BYTES + 4u)
#define DMA_SAMPLE_MASK                                                                            \
    63u /**< high-water marks are looked at once in so many mappings of a CPU                      \
         */

struct dma_check;

/** An entry of one page: base + number of the page * scale; below phys_end, which may be 0. */
struct dma_entry_form {
    uint64_t base;
    sluice_phys_t phys_end;
};

/** A table of 4 KiB pages that may be used again; see pt_format.leaf_table. */
struct dma_leaf {
    uint64_t region; /**< IOVA >> 21; UINT64_MAX: none */
    uint64_t generation;
    _Atomic(uint64_t) *table;
};

/**
 * A handle's part on one CPU: counts, written by it alone where the host pins, what it remembers,
 * and what of the space is this CPU's (of handles that take the short way; map.c).
 */
struct dma_counts {
    _Alignas(IOVA_CACHE_LINE) atomic_uint_fast64_t maps;
    atomic_uint_fast64_t unmaps;
    atomic_uint_fast64_t mapped_bytes;
    atomic_uint_fast64_t unmapped_bytes;
    atomic_uint_fast64_t flushes;    /**< that an unmap waited for */
    struct iova_magazine **magazine; /**< the one of single pages in use */
    struct iova_cpu *iova;
    struct flush_ring *ring;
    /** The tables of the last pages mapped and unmapped the short way. */
    struct dma_leaf map_leaf, unmap_leaf;
};

/** Counts of all CPUs, and the most there were. */
struct dma_counters {
    unsigned cpus;
    struct dma_counts *of_cpu;
    void *memory; /**< what of_cpu was cut from, to be aligned */
    atomic_uint_fast64_t live_most, bytes_most;
};

/** The addresses of one DMA domain. */
struct dma_space {
    struct domain_manager manager; /**< what the domain layer knows of it */
    struct list_node node;         /**< in context->spaces */
    struct dma_context *context;
    struct sluice_domain *domain;
    struct iova *iova;
    unsigned granule_lg2;         /**< log2 of the smallest page of the domain */
    unsigned users;               /**< open handles; guarded by sluice->lock */
    unsigned order;               /**< position in the list, rising */
    atomic_uint holds;            /**< polls that look at it */
    atomic_bool strict;           /**< unmaps wait, now */
    atomic_bool write_needs_read; /**< the format cannot map for writing alone */
    struct flush_queues *queues;  /**< NULL: the domain never was lazy */
    atomic_uint_fast64_t withheld_bytes;
    struct sluice_dma_usage left; /**< by closed handles; guarded by context->lock */
    uint64_t left_flushes;        /**< likewise */
    atomic_uint_fast64_t live_most, bytes_most;
};

struct sluice_dma {
    struct list_node node; /**< in context->handles */
    uint64_t id;           /**< of no other handle, ever */
    struct dma_context *context;
    struct sluice *sluice;
    struct sluice_device *device; /**< NULL: without an IOMMU */
    struct dma_space *space;      /**< NULL: addresses are physical */
    struct bounce_pool *bounce;   /**< memory that the device reaches */
    struct dma_check *check;      /**< NULL: not checking */
    sluice_iova_t last;           /**< highest address the device can put out */
    sluice_iova_t coherent_last;
    uint64_t boundary_bytes; /**< 0: none */
    uint64_t segment_bytes;  /**< UINT64_MAX: any */
    bool untrusted;
    bool non_coherent;
    /** One page may take the short way (map.c): translated, trusted, snooping, not checked, and
     * reaching all of the domain's addresses. */
    bool quick;
    const atomic_uint_fast64_t *generation;           /**< of the page table, for the short way */
    struct dma_entry_form form[SLUICE_DMA_BOTH + 1u]; /**< of each direction */
    uint64_t entry_scale;                             /**< log2 is pt_leaf_form.step_lg2 */
    uint64_t entry_in_run;                            /**< pt_leaf_form.in_run */
    char name[DMA_NAME_BYTES];
    struct dma_counters counters;
    atomic_uint_fast64_t bounced, bounced_bytes, failures, misuses;
};

/** The instance's part. */
struct dma_context {
    struct sluice *sluice;
    struct sluice_spinlock lock; /**< guards the two lists, and nothing slow is done under it */
    struct list_node spaces;     /**< by rising order */
    struct list_node handles;
    unsigned next_order;
    uint64_t next_id;
    struct bounce bounce;
    _Atomic(struct dma_check *) check; /**< NULL: not checking */
};

static inline bool dma_has_direction(uint32_t flags)
{
    return (flags & SLUICE_DMA_BOTH) != 0;
}

/* ---- context.c ---- */

/** The instance's context, made at first. Under sluice->lock. Returns: OK; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status dma_context_get_locked(struct sluice *sluice,
                                                            struct dma_context **out);
/** Whether handles are open. */
bool dma_context_is_used(struct sluice *sluice);
/**
 * The index-th handle that was opened without a device, by its name; false past the last. No
 * IOMMU stands before what it is for. Under sluice->lock.
 */
bool dma_unprotected_at(struct sluice *sluice, unsigned index, const char **out_name);
/** Frees it, when nothing is open; called when the instance is destroyed. */
void dma_context_free(struct sluice *sluice);

/* ---- space.c ---- */

/** The space of a domain, made for its first user; adds a user. Under sluice->lock. */
SLUICE_MUST_CHECK enum sluice_status space_open_locked(struct dma_context *context,
                                                       struct sluice_domain *domain,
                                                       struct dma_space **out);
/** Takes a user away; the last one ends the space. Under sluice->lock. */
void space_close_locked(struct dma_space *space);

/** Rounds up to the smallest page. */
static inline uint64_t space_round(const struct dma_space *space, uint64_t bytes)
{
    uint64_t mask = ((uint64_t)1 << space->granule_lg2) - 1;

    return (bytes + mask) & ~mask;
}

static inline uint64_t space_offset(const struct dma_space *space, uint64_t address)
{
    return address & (((uint64_t)1 << space->granule_lg2) - 1);
}

/** Takes addresses for `bytes`, a multiple of the smallest page. Returns: as iova_alloc. */
SLUICE_MUST_CHECK enum sluice_status space_take(struct dma_space *space, uint64_t bytes,
                                                sluice_iova_t last, sluice_iova_t *out);
/** Gives them back: no device reaches anything there. */
void space_give(struct dma_space *space, sluice_iova_t iova, uint64_t bytes);
/** Never gives them back, and counts them. */
void space_withhold(struct dma_space *space, uint64_t bytes);

/** After a map that failed: gives the addresses back, unless a unit may still know them. */
void space_undo_take(struct dma_space *space, sluice_iova_t iova, uint64_t bytes,
                     enum sluice_status why);

/**
 * Maps pieces of whole pages, one after the other from `iova` on; all or nothing.
 * @param prot     set of enum sluice_prot
 */
SLUICE_MUST_CHECK enum sluice_status space_map(struct dma_space *space, sluice_iova_t iova,
                                               const struct pt_list *list, uint32_t prot);
/** What a direction needs of the page tables. */
uint32_t space_prot(const struct sluice_dma *dma, uint32_t flags);

/**
 * Unmaps [iova, iova + bytes), and gives the addresses back when they may be used again: now, or
 * with `may_wait` in a lazy domain later.
 * Returns: OK; TIMEOUT, HARDWARE (addresses withheld; so must be what they mapped).
 */
SLUICE_MUST_CHECK enum sluice_status space_unmap(struct sluice_dma *dma, sluice_iova_t iova,
                                                 uint64_t bytes, bool may_wait);

/**
 * The same in steps, for many ranges with one invalidation. First, for each range, its entries go:
 * Returns: OK; NOT_FOUND (not wholly mapped) or HARDWARE: what was mapped is withheld.
 */
SLUICE_MUST_CHECK enum sluice_status space_clear(struct dma_space *space, struct pt_gather *gather,
                                                 sluice_iova_t iova, uint64_t bytes);
/** Then the invalidation of `gone`; after it, space_give or space_withhold for each range. */
SLUICE_MUST_CHECK enum sluice_status space_flush(struct sluice_dma *dma, struct pt_gather *gather,
                                                 const struct sluice_dma_chunk *gone,
                                                 unsigned count);

/** Whether unmaps of this space wait in a queue now. */
static inline bool space_is_lazy(struct dma_space *space)
{
    return space->queues != NULL && !atomic_load_explicit(&space->strict, memory_order_relaxed) &&
           !atomic_load_explicit(&space->domain->tables_withheld, memory_order_relaxed);
}

/** Where a mapped address goes. Returns: OK; NOT_FOUND; RANGE. */
SLUICE_MUST_CHECK enum sluice_status space_lookup(struct dma_space *space, sluice_iova_t iova,
                                                  sluice_phys_t *out);

/* ---- route.c ---- */

/** Which way a buffer goes. */
enum dma_route {
    DMA_ROUTE_DIRECT = 0, /**< its physical address */
    DMA_ROUTE_COPY,       /**< a copy in bounce memory, at its physical address */
    DMA_ROUTE_MAPPED,     /**< an IOVA for its own pages */
    DMA_ROUTE_EDGES,      /**< an IOVA; pages it shares with other data are bounce pages */
};

enum dma_route dma_route(const struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes);

/* ---- map.c: without the checking mode ---- */

/** Whole pages around a buffer, at an IOVA; not counted. */
SLUICE_MUST_CHECK enum sluice_status dma_map_pages(struct sluice_dma *dma, sluice_phys_t phys,
                                                   uint64_t bytes, uint32_t prot,
                                                   sluice_iova_t *out);
/** Counts the mapping; a failure is its caller's to count, once for what the driver asked for. */
SLUICE_MUST_CHECK enum sluice_status dma_map_one(struct sluice_dma *dma, sluice_phys_t phys,
                                                 uint64_t bytes, uint32_t flags,
                                                 sluice_iova_t *out);
SLUICE_MUST_CHECK enum sluice_status dma_unmap_one(struct sluice_dma *dma, sluice_iova_t address,
                                                   uint64_t bytes, uint32_t flags);
/** Several at once; returns the worst. */
SLUICE_MUST_CHECK enum sluice_status dma_unmap_list(struct sluice_dma *dma,
                                                    const struct sluice_dma_chunk *chunks,
                                                    unsigned count, uint32_t flags);

/* ---- edges.c: a buffer whose first or last page is a bounce page ---- */

SLUICE_MUST_CHECK enum sluice_status edges_map(struct sluice_dma *dma, sluice_phys_t phys,
                                               uint64_t bytes, uint32_t flags, sluice_iova_t *out);
/** The bounce pages behind a mapping, for after it was unmapped. */
struct edges {
    struct bounce_run *run[2]; /**< NULL: that page is the buffer's own */
};
void edges_find(struct sluice_dma *dma, sluice_iova_t address, uint64_t bytes, struct edges *out);
/** After the invalidation: copies back what the device wrote, and gives the pages back. */
void edges_end(struct sluice_dma *dma, struct edges *edges, uint32_t flags,
               enum sluice_status flushed);

/* ---- sync.c ---- */

/** Before the device looks, after the CPU wrote; [phys, phys + bytes) are the buffer's own. */
void dma_clean(const struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes, uint32_t flags);
/** Before the CPU looks, after the device wrote. */
void dma_invalidate(const struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes,
                    uint32_t flags);
/** Both ways in or out of what is mapped at an address. */
void dma_sync_one(struct sluice_dma *dma, sluice_iova_t address, uint64_t bytes, uint32_t flags,
                  bool to_device);

/* ---- info.c ---- */

/** sluice_dma_domain_info with sluice->lock held. */
SLUICE_MUST_CHECK enum sluice_status dma_domain_info_locked(struct sluice_domain *domain,
                                                            struct sluice_dma_domain_info *out);

/* ---- count.c ---- */

SLUICE_MUST_CHECK enum sluice_status counters_init(struct sluice *sluice,
                                                   struct dma_counters *counters);
void counters_clear(struct sluice *sluice, struct dma_counters *counters);
void counters_usage(struct dma_counters *counters, struct sluice_dma_usage *out, uint64_t *out_maps,
                    uint64_t *out_unmaps);
/** Counts a mapping, or with `mapped` false its end. */
void dma_count(struct sluice_dma *dma, uint64_t bytes, bool mapped);
/** Looks whether there are more mappings than ever, of the device and of its domain. */
void dma_sample(struct sluice_dma *dma);
/** Counts an invalidation that an unmap waits for. */
void dma_count_flush(struct sluice_dma *dma);
/** Counts the end of a mapping, and an invalidation that it waits for. */
void dma_count_flushed(struct sluice_dma *dma, uint64_t bytes);
uint64_t counters_flushes(const struct dma_counters *counters);
/** Adds up what all handles of a space have. */
void space_usage(struct dma_space *space, struct sluice_dma_usage *out);
uint64_t space_flushes(struct dma_space *space);

/**
 * Begins work on this CPU's part of a handle that takes the short way; false: the host counted
 * fewer CPUs, and *out is NULL. Either way dma_cpu_leave ends it.
 */
static inline bool dma_cpu_enter(struct sluice_dma *dma, sluice_irqstate_t *out_state,
                                 struct dma_counts **out)
{
    unsigned index;

#if SLUICE_CPU_PINNED
    *out_state = sluice_cpu_enter(&index);
    *out = index < dma->counters.cpus ? &dma->counters.of_cpu[index] : NULL;
    return *out != NULL;
#else
    (void)sluice_cpu_enter(&index);
    *out = &dma->counters.of_cpu[index % dma->counters.cpus];
    *out_state = sluice_spin_lock(&(*out)->iova->lock);
    return true;
#endif
}

static inline void dma_cpu_leave(struct dma_counts *cpu, sluice_irqstate_t state)
{
#if SLUICE_CPU_PINNED
    (void)cpu;
    sluice_cpu_leave(state);
#else
    iova_cpu_leave(cpu->iova, state);
#endif
}

/** Adds where only this CPU adds; elsewhere the sum has to be atomic. */
static inline uint64_t dma_count_add(atomic_uint_fast64_t *count, uint64_t value)
{
#if SLUICE_CPU_PINNED
    uint64_t sum = atomic_load_explicit(count, memory_order_relaxed) + value;

    atomic_store_explicit(count, sum, memory_order_relaxed);
    return sum;
#else
    return atomic_fetch_add_explicit(count, value, memory_order_relaxed) + value;
#endif
}

/** dma_count on the CPU that is entered; returns how many there were of the kind. */
static inline uint64_t dma_count_here(struct dma_counts *counts, uint64_t bytes, bool mapped)
{
    (void)dma_count_add(mapped ? &counts->mapped_bytes : &counts->unmapped_bytes, bytes);
    return dma_count_add(mapped ? &counts->maps : &counts->unmaps, 1);
}
void dma_count_failure(struct sluice_dma *dma);
void dma_count_bounced(struct sluice_dma *dma);
/** bounce_copy, counted. */
void dma_bounce_copy(struct sluice_dma *dma, struct bounce_run *run, sluice_phys_t phys,
                     uint64_t bytes, bool to_device);

#endif
