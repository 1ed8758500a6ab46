// SPDX-License-Identifier: MIT
/*
 * The queues of a lazy domain: addresses that were unmapped and not yet invalidated.
 *
 * Each CPU has a ring that it alone fills, without a locked instruction; whoever flushes empties
 * all of them, one at a time over the domain (`flushing`). One invalidation of the whole domain
 * serves every range that was in a ring before it. A ring that is full, or a flush that somebody
 * else is doing, never makes an unmap wait: it invalidates its own range instead.
 *
 * The window: a range waits until its CPU's ring is full, or until sluice_dma_poll() comes after
 * lazy_window_ns.
 *
 * Called by src/dma/space.c and context.c.
 */
#ifndef SLUICE_DMA_FLUSH_H
#define SLUICE_DMA_FLUSH_H

#include "dma/iova.h"

#define FLUSH_RING 256u /**< ranges a CPU; a power of two */

struct dma_space;

struct flush_entry {
    sluice_iova_t iova;
    uint64_t bytes;
};

struct flush_ring {
    _Alignas(IOVA_CACHE_LINE) atomic_uint tail; /**< written by its CPU */
    atomic_uint_fast64_t since_ns;              /**< when the oldest range went in */
    struct sluice_spinlock lock;                /**< unused where the host pins */
    _Alignas(IOVA_CACHE_LINE) atomic_uint head; /**< written by who flushes */
    unsigned until;                             /**< how far this flush goes; who flushes owns it */
    struct flush_entry entries[FLUSH_RING];
};

struct flush_queues {
    unsigned cpus;
    uint64_t window_ns;
    atomic_uint flushing; /**< 1: somebody empties the rings */
    atomic_uint armed;    /**< 1: the host knows that a poll is due */
    atomic_uint_fast64_t flushes;
    void *memory; /**< what this was cut from, to be aligned */
    struct flush_ring rings[];
};

/** Returns: OK; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status flush_create(struct sluice *sluice, uint64_t window_ns,
                                                  struct flush_queues **out);
/** Nothing must be queued. */
void flush_destroy(struct sluice *sluice, struct flush_queues *queues);

/** Queues a range that was cleared; false: no room, invalidate it yourself. */
SLUICE_MUST_CHECK bool flush_put(struct dma_space *space, sluice_iova_t iova, uint64_t bytes);

/**
 * Invalidates and gives back what was queued before the call, unless somebody else is at it.
 * Returns false in that case.
 */
bool flush_run(struct dma_space *space);

/** Flushes if the oldest range is due at `now`; returns when the next one is, or UINT64_MAX. */
uint64_t flush_poll(struct dma_space *space, uint64_t now_ns);

/** Flushes until everything queued before the call is through. */
void flush_drain(struct dma_space *space);

/** Ranges that wait now. */
uint64_t flush_queued(struct flush_queues *queues);

#endif
