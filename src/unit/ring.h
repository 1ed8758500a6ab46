// SPDX-License-Identifier: MIT
/*
 * A ring of commands in memory, as several kinds of units have one: software appends entries of
 * 128 bits and rings a doorbell, the unit takes them in order, and a command of a special kind has
 * it write a number to memory once all before it are done.
 *
 * A batch is a run of commands and one such completion, contiguous in the ring; each batch has a
 * status word of its own. Ring space is given back when a batch's completion was seen, never
 * because the unit fetched it: what an error aborted can be put into the ring again.
 *
 * Called by unit drivers. Context: any, interrupt-safe; functions named ..._locked are called with
 * ring->lock held. Every wait is bounded by host_deadline_ns().
 */
#ifndef SLUICE_UNIT_RING_H
#define SLUICE_UNIT_RING_H

#include "unit/unit.h"

#include <sluice/cpu.h>

#define UNIT_RING_ENTRIES 256u /**< one page */
#define UNIT_RING_RECORDS 64u  /**< batches in flight; a power of two */
#define UNIT_RING_BATCH   64u  /**< commands in a batch, its completion not counted */

struct unit_ring_entry {
    uint64_t low;
    uint64_t high;
};

_Static_assert(sizeof(struct unit_ring_entry) == 16, "ring entries are 128 bits");
_Static_assert(UNIT_RING_ENTRIES * sizeof(struct unit_ring_entry) == SLUICE_PAGE_BYTES,
               "the ring is one page");

enum unit_ring_state {
    UNIT_RING_FREE = 0,
    UNIT_RING_PENDING, /**< its completion is in the ring */
    UNIT_RING_DONE,
    UNIT_RING_FAILED,
    UNIT_RING_MOVED, /**< aborted by an error and put into the ring again as `successor` */
};

struct unit_ring_record {
    enum unit_ring_state state;
    bool retried;
    bool passed; /**< its completion was seen, or the unit will never come to it */
    bool remote; /**< has commands that somebody else must answer, and may not */
    uint64_t sequence;
    uint64_t first; /**< position of the first command; positions only rise */
    uint64_t end;   /**< past the completion */
    uint64_t successor;
};

struct unit_ring;

struct unit_ring_ops {
    /** The command that has the unit write `data` to `phys` once all before it are done. */
    struct unit_ring_entry (*completion)(sluice_phys_t phys, uint64_t data);
    /** Tells the unit where the ring ends now, in bytes from its beginning. */
    void (*doorbell)(struct unit_ring *ring, uint32_t bytes);
    /** Looks for errors of the ring and recovers. False: the registers are gone. */
    bool (*check_locked)(struct unit_ring *ring);
    /**
     * A remote batch completed: learns whether it did so without the answer, and then fails or
     * repeats it. May be NULL.
     */
    void (*look_locked)(struct unit_ring *ring);
    /**
     * How far the unit has come, as a position between `reclaimed` and `rung`: a batch that lies
     * before it is complete, whether its completion wrote anything or not. May be NULL.
     */
    uint64_t (*consumed_locked)(struct unit_ring *ring);
    bool silent; /**< completions write nothing: only consumed_locked tells */
};

struct unit_ring {
    struct sluice_spinlock lock; /**< guards everything below, and what a driver says it does */
    struct unit *unit;
    const struct unit_ring_ops *ops;
    bool enabled;
    bool dead;                  /**< missed a deadline: nothing is submitted any more */
    struct sluice_pages pages;  /**< UNIT_RING_ENTRIES entries */
    struct sluice_pages status; /**< 8 bytes a record, written by hardware */
    uint64_t tail;              /**< position of the next entry */
    uint64_t rung;              /**< what the doorbell was last told */
    uint64_t reclaimed;         /**< everything before is free again */
    uint64_t oldest;            /**< sequence of the oldest record not given back */
    uint64_t next;              /**< sequence of the next record; starts at 1 */
    uint64_t failed_last;       /**< highest sequence that failed; 0: none */
    uint64_t consumed;          /**< as consumed_locked last said */
    uint64_t errors;            /**< how many were recovered from or not, for reports */
    struct unit_ring_record records[UNIT_RING_RECORDS];
};

struct unit_ring_batch {
    struct unit_ring *ring;
    sluice_irqstate_t irq;
    enum sluice_status status;
    bool remote;
    uint64_t first;    /**< sequence of the first record */
    uint64_t sequence; /**< of the open record */
    unsigned count;    /**< commands in the open record */
};

/** Allocates the ring's pages. Returns false without memory; unit_ring_free cleans up then. */
bool unit_ring_init(struct unit_ring *ring, struct unit *unit, const struct unit_ring_ops *ops);

/** Makes the ring empty, its next entry the first, before the unit is told of it. */
void unit_ring_reset(struct unit_ring *ring);

/** Takes the ring's lock; unit_ring_end gives it back whatever happened. */
void unit_ring_begin(struct unit_ring *ring, struct unit_ring_batch *batch);
void unit_ring_add(struct unit_ring_batch *batch, struct unit_ring_entry entry);
/** As unit_ring_add, for a command that somebody else must answer. */
void unit_ring_add_remote(struct unit_ring_batch *batch, struct unit_ring_entry entry);
/** Rings the doorbell. Returns OK; TIMEOUT; HARDWARE. */
enum sluice_status unit_ring_end(struct unit_ring_batch *batch, struct unit_ticket *out_ticket);
/** Ends a batch and waits for it. Returns as unit_ring_wait. */
enum sluice_status unit_ring_finish(struct unit_ring_batch *batch);
/** Returns OK; TIMEOUT (the ring is dead then); HARDWARE. */
enum sluice_status unit_ring_wait(struct unit_ring *ring, const struct unit_ticket *ticket);

struct unit_ring_entry *unit_ring_at(struct unit_ring *ring, uint64_t position);
/** The position in use that a byte offset into the ring stands for: at or after `reclaimed`. */
uint64_t unit_ring_position_locked(struct unit_ring *ring, uint64_t bytes);
/** The record that a position belongs to, if it was not given back yet; else NULL. */
struct unit_ring_record *unit_ring_record_at_locked(struct unit_ring *ring, uint64_t position);
/** Whether the completion of a batch was written. */
bool unit_ring_seen(struct unit_ring *ring, uint64_t sequence);
/** Gives back what is done. */
void unit_ring_reclaim_locked(struct unit_ring *ring);
void unit_ring_ring_locked(struct unit_ring *ring);
void unit_ring_fail_locked(struct unit_ring *ring, struct unit_ring_record *record);
/** Puts an aborted batch into the ring again, once; a second time, or without room, it failed. */
void unit_ring_repeat_locked(struct unit_ring *ring, struct unit_ring_record *record);
/** Fails everything pending; the unit will not come to it any more. */
void unit_ring_fail_all_locked(struct unit_ring *ring);

#endif
