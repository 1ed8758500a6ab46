// SPDX-License-Identifier: MIT
/*
 * Faults inside: from a unit's log to whoever has to act.
 *
 *   fault.c       polling                       log.c    the last records, for many readers
 *   center.c      what the instance has of it   text.c   words
 *   watch.c       who faults how often          work.c   what is done about it, and who is told
 *   describe.c    what is known of an address   lines.c  lines of the instance's log
 *   flood.c       who is not listened to for a while
 *   timer.c       what is due at a time
 *   quarantine.c  cutting a device off          reset.c  and resetting it
 *
 * A fault is counted and logged where it is drained, mostly in an interrupt, without a lock. All
 * the rest (looking up devices, telling subscribers, cutting off) is work: it is done outside
 * interrupts, by the host's `defer` or at the end of a poll, one at a time.
 */
#ifndef SLUICE_FAULT_FAULT_H
#define SLUICE_FAULT_FAULT_H

#include "fault/log.h"
#include "fault/watch.h"

#include <sluice/quarantine.h>

/** The instance's part of it all; made by create, freed by destroy. */
struct fault_center {
    struct sluice *sluice;
    struct fault_log log;
    struct watches watches;
    struct watch_limits stranger_limits; /**< for who is no device; set once */
    unsigned lines_most;                 /**< lines of a source in a window; 0: none */
    atomic_uint lines_new;               /**< raised when there may be a line to print */
    atomic_uint_fast64_t lines_next_ns;  /**< when a window is over; UINT64_MAX: none is open */
    atomic_uint_fast64_t hardware_losses;
    atomic_uint asked;   /**< 1: the host was asked for a call that has not begun */
    atomic_uint owed;    /**< calls of the host that are not over */
    atomic_uint working; /**< 1: somebody does the work now */
    atomic_uint due;     /**< raised when there is something to do */
    /** Guards the list; not held while a subscriber is called. */
    struct sluice_spinlock lock;
    struct list_node subscribers; /**< struct sluice_fault_subscription.node, by rising order */
    uint64_t next_order;          /**< of the next one */
    atomic_uint_fast64_t quarantines, recoveries, silences;
    atomic_uint floods;                  /**< 1: a watch saw a flood */
    atomic_uint crowded;                 /**< 1: a stranger found no watch */
    atomic_uint_fast64_t silence_end_ns; /**< the first of those that go on; UINT64_MAX: none */
};

/** Returns: OK; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status fault_center_make(struct sluice *sluice);
/** Whether the host still owes a call, or somebody is subscribed. */
bool fault_center_is_used(struct sluice *sluice);
void fault_center_free(struct sluice *sluice);
/** The units are gone, and with them everybody to watch. */
void fault_center_forget(struct sluice *sluice);

/** Takes every fault that a unit delivers. An instance_fault_observer. */
void fault_observe(struct sluice *sluice, const struct sluice_fault *fault);
/** Does what is due, unless somebody else is at it. Context: no interrupt, no lock held. */
void fault_work(struct sluice *sluice);

/** What the domain layer tells of devices. */
extern const struct domain_policy fault_policy;

/** The watch of a device's index-th source; NULL: none. */
struct watch *fault_watch_of(const struct sluice_device *device, unsigned index);

/** Fills in device, domain and what is known of the address. Under sluice->lock, listed, or by who
 * has the instance to itself. */
void fault_describe_locked(struct sluice *sluice, struct sluice_fault_record *record);
/** The same, and takes the lock. */
void fault_describe(struct sluice *sluice, struct sluice_fault_record *record);

/** Keeps a fault for a line, or counts it for one. Context: any. */
void lines_keep(struct fault_center *center, struct watch *watch, const struct sluice_fault *fault);
/** Prints what is due. */
void lines_work(struct sluice *sluice);
/** Prints all that is left, before watches go. Nobody else works. */
void lines_finish(struct sluice *sluice);

/** Whether something is due that no fault brings. Context: any. */
bool fault_time_is_up(struct sluice *sluice);
/** Asks the host for a poll when something will be. */
void fault_timer_set(struct sluice *sluice);

/** Silences whoever floods, and lets those be heard again whose time is over. */
void flood_work(struct sluice *sluice);
/** Lets every source of a device be heard again. Under sluice->lock. Returns: of the unit. */
SLUICE_MUST_CHECK enum sluice_status flood_forgive_locked(struct sluice_device *device);
/** Whether a source of it is silenced, and since when (may be NULL). Under sluice->lock. */
bool flood_is_silenced(const struct sluice_device *device, uint64_t *out_since_ns);
/** While it is on, faults of a device are reported, but do not count against it. */
void fault_provoke_locked(struct sluice_device *device, bool on);
/** How many came so far while it was on. */
uint32_t fault_provoked(const struct sluice_device *device);

/** Cuts a device off that is not; `why` is for the log. Under sluice->lock. */
void quarantine_locked(struct sluice_device *device, const char *why);

/** Cuts every device off that its unit left blocked at resume, and tells their owners. Context: no
 * lock held. */
void quarantine_refused(struct sluice *sluice);

/**
 * Turns bus mastering off for each function whose unit is lost, as nothing else may stand between
 * it and memory; and on again, where this had turned it off, for those whose unit is back.
 */
void fault_hold_devices_locked(struct sluice *sluice);

/** sluice_device_health with sluice->lock held. */
void fault_health_locked(const struct sluice_device *device, struct sluice_device_health *out);

/**
 * Resets a function and waits until it answers again.
 * Context: may take a second; sluice->lock is not held.
 * Returns: OK; UNSUPPORTED (it has no way to be); TIMEOUT.
 */
SLUICE_MUST_CHECK enum sluice_status reset_function(struct sluice *sluice, uint16_t segment,
                                                    uint16_t rid);

#endif
