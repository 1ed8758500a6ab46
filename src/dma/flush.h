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
 * A ring has more room than it takes: what was flushed stays until it is overwritten, and is what a
 * fault's address is looked for in (src/domain/history.h). That costs an unmap nothing, and the
 * time of an entry is known as well as its batch's: from when the oldest of them went in to the
 * flush that ended it. A look-up takes no lock: it reads `tail` again after an entry, to see that
 * it was not overwritten meanwhile.
 *
 * Called by src/dma/space.c and context.c.
 */
#ifndef SLUICE_DMA_FLUSH_H
#define SLUICE_DMA_FLUSH_H

#include "dma/iova.h"
#include "domain/history.h"

#define FLUSH_RING   256u /**< ranges a CPU that wait; a power of two */
#define FLUSH_ROOM   512u /**< entries a CPU, flushed ones too; a power of two */
#define FLUSH_STAMPS 64u  /**< batches whose times are kept; a power of two */

struct dma_space;

/** A batch: every entry before `until`, and after the batch before. */
struct flush_stamp {
    atomic_uint until;
    atomic_uint_fast64_t since_ns, until_ns;
};

struct flush_ring {
    _Alignas(IOVA_CACHE_LINE) atomic_uint tail; /**< written by its CPU */
    atomic_uint limit;             /**< ranges it takes: FLUSH_RING, or 0 where nothing may wait */
    atomic_uint_fast64_t since_ns; /**< when the oldest range went in */
    _Alignas(IOVA_CACHE_LINE) atomic_uint head; /**< written by who flushes */
    unsigned until;                             /**< how far this flush goes; who flushes owns it */
    atomic_bool wrapped;                        /**< every entry was written; by who flushes */
    atomic_uint stamped;                        /**< stamps ever; by who flushes */
    struct flush_stamp stamps[FLUSH_STAMPS];
    atomic_uint_fast64_t entries[FLUSH_ROOM]; /**< iova_word */
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
/** Memory that is there for the sake of history alone. */
size_t flush_history_bytes(const struct flush_queues *queues);
/** From now on nothing waits; what does already is for flush_drain. */
void flush_close(struct flush_queues *queues);
/** A CPU's ring; one that takes nothing where there are no queues (NULL). */
struct flush_ring *flush_ring_of(struct flush_queues *queues, unsigned cpu);
/** Nothing must be queued. */
void flush_destroy(struct sluice *sluice, struct flush_queues *queues);

enum flush_result {
    FLUSH_PUT,
    FLUSH_PUT_FIRST,
    FLUSH_FULL
};

/**
 * Puts a cleared range into the ring of the CPU that is entered (iova_cpu_enter). After
 * FLUSH_PUT_FIRST the caller calls flush_note_first before it leaves the CPU, and flush_arm after.
 */
static inline enum flush_result flush_ring_put(struct flush_ring *ring, uint64_t word)
{
    unsigned tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    /* Acquire: the entry to overwrite was read; pairs with the release in empty_ring. */
    unsigned head = atomic_load_explicit(&ring->head, memory_order_acquire);

    if (__builtin_expect(tail - head >= atomic_load_explicit(&ring->limit, memory_order_relaxed),
                         0))
        return FLUSH_FULL;
    /* Release: whoever reads it has seen this tail, and so that the entry before it is gone; pairs
     * with the acquire in look_at_ring. */
    atomic_store_explicit(&ring->entries[tail % FLUSH_ROOM], word, memory_order_release);
    /*
     * Release: the entry, and the clearing of the page table before it, come first; pairs with the
     * acquire in flush_run, which an invalidation follows.
     */
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return tail == head ? FLUSH_PUT_FIRST : FLUSH_PUT;
}

/** Notes when the first range went into an empty ring. */
void flush_note_first(struct dma_space *space, struct flush_ring *ring);
/** Tells the host when a poll is due, unless it knows. */
void flush_arm(struct dma_space *space);

/** Queues a range that was cleared; false: no room, or too long: invalidate it yourself. */
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

/** What is in the rings of an address, waiting or flushed. Context: any. */
void flush_look_back(struct dma_space *space, sluice_iova_t address, struct address_past *past);

/** Ranges that wait now. */
uint64_t flush_queued(struct flush_queues *queues);

#endif
