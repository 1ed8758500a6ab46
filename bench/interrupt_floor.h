// SPDX-License-Identifier: MIT
/*
 * The least that a change of an interrupt entry takes: the entry, an invalidation and a wait in a
 * ring, a fence, the doorbell, and a look at the status.
 */
#ifndef BENCH_INTERRUPT_FLOOR_H
#define BENCH_INTERRUPT_FLOOR_H

#include <stdint.h>

struct floor_unit {
    uint64_t (*ring)[2]; /**< 256 entries */
    uint64_t *entry;     /**< 16 bytes */
    volatile uint64_t *status;
    uint64_t tail;
    /** As a host's hook: tells the unit where the ring ends now. */
    void (*doorbell)(void *arg, uint64_t tail);
    void *arg;
};

/** Changes the entry; false when the unit did not answer at once. */
int floor_change(struct floor_unit *unit, uint64_t low, uint64_t high);

#endif
