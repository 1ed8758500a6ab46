// SPDX-License-Identifier: MIT
/*
 * Who faults how often: one watch a source of a device, found from interrupts without a lock.
 *
 * A watch is made when its device is added and stays until the instance stops, so that a look-up
 * needs nothing but loads. Sources that are no device's, strangers, share a few watches that are
 * given to them by their first fault, and taken away when they have been quiet for long; when there
 * are more of them than watches, the rest is counted as one crowd.
 */
#ifndef SLUICE_FAULT_WATCH_H
#define SLUICE_FAULT_WATCH_H

#include "domain/domain.h"
#include "fault/log.h"

#include <sluice/quarantine.h>

#define WATCH_BUCKETS   64u
#define WATCH_STRANGERS 16u /**< sources of no device that are told apart */
#define WATCH_LINES     8u  /**< most faults of a source that are kept for the log's lines */

/** A fault that is to be a line of the log. */
struct watch_line {
    atomic_uint ready; /**< 1: the words are there */
    atomic_uint_fast64_t words[FAULT_WORDS];
};

/**
 * What of a source's faults goes into the log: the first few of each window one by one, the rest as
 * a number. Kept here and not in the fault log, where others would overwrite it.
 */
struct watch_lines {
    atomic_uint_fast64_t seen; /**< faults ever */
    atomic_uint taken;         /**< places given out in this window, or more */
    struct watch_line lines[WATCH_LINES];
    /* Of who works, under sluice->lock. */
    uint64_t told;      /**< faults that were a line, or counted in one */
    uint64_t window_ns; /**< when the window began; 0: none is open */
    unsigned printed;   /**< lines of this window */
};

enum watch_state {
    WATCH_FREE = 0, /**< a stranger's, and nobody's */
    WATCH_MADE,     /**< being given to somebody */
    WATCH_THERE
};

struct watch {
    struct watch *next; /**< in its bucket; never changes once it can be found */
    /** unit->name: the text itself is the unit. This and `id` change for strangers alone. */
    _Atomic(const char *) unit;
    atomic_uint id;
    atomic_uint state; /**< enum watch_state; of a device's always WATCH_THERE */
    bool silenced;     /**< stranger: a source was made to silence it; under sluice->lock */
    struct watch_lines lines;
    atomic_uint_fast64_t faults; /**< since the device was added, or recovered */
    atomic_uint tested;          /**< 1: a self-test provokes faults, which count for nothing */
    atomic_uint provoked;        /**< of them, so many came */
    atomic_uint most;            /**< faults in the window that are too many; 0: none ever are */
    atomic_uint_fast64_t window_ns;
    atomic_uint_fast64_t last_ns; /**< when the last one came */
    /** Faults in flood_window_ns that are a flood; 0: none are. Written as `most` is. */
    atomic_uint flood_most;
    atomic_uint_fast64_t flood_window_ns;
    atomic_uint_fast64_t flood_began_ns; /**< the window that is counted now */
    atomic_uint flood_count;             /**< faults in it */
    atomic_uint flooding;                /**< 1: they were too many, and nobody acted on it yet */
    bool cannot_silence; /**< its unit was asked, and has no way; under sluice->lock */
    atomic_uint tripped; /**< 1: they were too many, and nobody acted on it yet */
    atomic_uint turn;    /**< into times, modulo most */
    atomic_uint_fast64_t times[SLUICE_FAULTS_MOST]; /**< when the last `most` came; 0: none */
};

struct watches {
    _Atomic(struct watch *) buckets[WATCH_BUCKETS];
    struct watch strangers[WATCH_STRANGERS];
    struct watch crowd; /**< strangers that there was no watch for */
};

/** What is too many. */
struct watch_limits {
    unsigned most; /**< 0: any number is right */
    uint64_t window_ns;
    unsigned flood_most; /**< 0: nothing is a flood */
    uint64_t flood_window_ns;
};

/** Makes or revives the watch of a source. Under sluice->lock. Returns: OK; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status watch_get_locked(struct sluice *sluice,
                                                      struct watches *watches,
                                                      const struct unit *unit, uint32_t id,
                                                      const struct watch_limits *limits);
/** NULL: not watched. Context: any. */
struct watch *watch_find(struct watches *watches, const char *unit, uint32_t id);
/** The watch of a stranger, given to it if need be; else the crowd's. Context: any. */
struct watch *watch_stranger(struct watches *watches, const char *unit, uint32_t id,
                             const struct watch_limits *limits);
/** Takes a stranger's watch away: nothing of it is owed any more. Under sluice->lock. */
void watch_dismiss_locked(struct watch *watch);
/** Keeps a fault for the log if it is one of the first `most` of its window. Context: any. */
bool watch_keep_line(struct watch *watch, const struct sluice_fault *fault, unsigned most);
/** Counts a fault; true when it is the one that makes them too many. Context: any. */
bool watch_count(struct watch *watch, uint64_t now_ns);
/** Counts it for floods; true when it is the one that makes it one. Context: any. */
bool watch_flood(struct watch *watch, uint64_t now_ns);
/** Whether a flood was seen since this was last asked. */
bool watch_flood_take(struct watch *watch);
/** The first number of faults that is a flood. */
static inline unsigned watch_flood_most(struct watch *watch)
{
    return atomic_load_explicit(&watch->flood_most, memory_order_relaxed);
}
/** Faults that lie in the window at `now`; without a threshold 1 stands for any number. */
unsigned watch_recent(struct watch *watch, uint64_t now_ns);
/** Begins anew: nothing has come yet. */
void watch_reset(struct watch *watch);
/** No units are left that could report. */
void watches_clear(struct sluice *sluice, struct watches *watches);

#endif
