// SPDX-License-Identifier: MIT
/*
 * What was unmapped of a domain lately, and where it never had anything mapped: for faults, which
 * come after the page tables have forgotten.
 *
 * Unmaps that wait for their invalidation are noted while they submit it, under the lock that they
 * hold for that anyway (links_lock), and get their time when it is complete, from the clock that
 * the unit's driver read for its deadline. Those that wait in a lazy domain's queues are found
 * there: see src/dma/flush.h, which the domain's manager asks.
 *
 * "Never" does not come from what the records still hold, but from regions of 2 MiB that are marked
 * before anything is mapped in them, and stay so: it can be missed, but is not said falsely.
 *
 * Called by src/domain; the look-up by src/fault, under sluice->lock.
 */
#ifndef SLUICE_DOMAIN_HISTORY_H
#define SLUICE_DOMAIN_HISTORY_H

#include "core/instance.h"

#define HISTORY_REGION_LG2  21u
#define HISTORY_REGION_BITS 4096u /**< regions are told apart by so many bits; a power of two */
#define HISTORY_WIDE        64u   /**< regions; longer mappings are kept as one range */

struct sluice_domain;

/** One unmap. The range is guarded by the domain's links_lock. */
struct unmap_note {
    sluice_iova_t first;
    sluice_iova_t last;
    atomic_uint_fast64_t time_ns; /**< when the units had confirmed; 0: they have not */
};

struct domain_history {
    uint32_t count; /**< of notes; a power of two */
    uint64_t next;  /**< unmaps ever; guarded by links_lock */
    atomic_uint_fast64_t regions[HISTORY_REGION_BITS / 64]; /**< bit set: was mapped, maybe */
    /** A hull of all long mappings; empty: first above last. */
    atomic_uint_fast64_t wide_first, wide_last;
    struct unmap_note notes[];
};

/** What is known of an address that is not mapped now. */
struct address_past {
    bool never;        /**< nothing was ever mapped there in this domain */
    bool found;        /**< its unmap was found, the last one there was; what follows is about it */
    bool unconfirmed;  /**< a unit has not confirmed it: it goes on, or failed */
    uint64_t since_ns; /**< not before; 0: nobody knows */
    uint64_t until_ns; /**< not after */
    uint64_t known;    /**< !found: it was not among so many, the last ones of the domain */
};

/** How many unmaps are to be remembered at once; 0: none. A power of two. */
uint32_t history_records(const struct sluice *sluice);
/** Gives a domain its history, if it is to have one. Returns: OK; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status history_create(struct sluice_domain *domain);
void history_destroy(struct sluice_domain *domain);
/** Marks a range before it is mapped. Context: any. */
void history_mark(struct domain_history *history, sluice_iova_t iova, uint64_t bytes);

static inline struct unmap_note *history_note_at(struct domain_history *history, uint64_t number)
{
    return &history->notes[number & (history->count - 1)];
}

/** Notes unmaps that are being submitted; returns the number of the first. Under links_lock. */
static inline uint64_t history_note_locked(struct domain_history *history,
                                           const struct sluice_dma_chunk *gone, unsigned count)
{
    const uint64_t first = history->next;

    for (unsigned i = 0; i < count; i++) {
        struct unmap_note *note = history_note_at(history, first + i);

        note->first = gone[i].address;
        note->last = gone[i].address + (gone[i].bytes - 1);
        atomic_store_explicit(&note->time_ns, 0, memory_order_relaxed);
    }
    history->next = first + count;
    return first;
}

/**
 * The units confirmed notes `first` and after. Context: any; without the lock. Where as many unmaps
 * were noted meanwhile as there is room for, a note is somebody else's by now: then its time is
 * this one's, of an unmap that goes on at the same time.
 */
static inline void history_confirm(struct domain_history *history, uint64_t first, unsigned count,
                                   uint64_t now_ns)
{
    for (unsigned i = 0; i < count; i++)
        atomic_store_explicit(&history_note_at(history, first + i)->time_ns, now_ns,
                              memory_order_relaxed);
}

/** Takes an unmap into account that was found elsewhere. */
void history_found(struct address_past *past, uint64_t since_ns, uint64_t until_ns);
/** Whether a page of 4 KiB, the least that hardware tells, touches a range. */
static inline bool history_touches(sluice_iova_t address, sluice_iova_t first, sluice_iova_t last)
{
    return address >> SLUICE_PAGE_LG2 >= first >> SLUICE_PAGE_LG2 &&
           address >> SLUICE_PAGE_LG2 <= last >> SLUICE_PAGE_LG2;
}

/** Looks an address up. Returns false where the domain has no history. Under sluice->lock. */
bool history_look_locked(struct sluice_domain *domain, sluice_iova_t address,
                         struct address_past *out);

#endif
