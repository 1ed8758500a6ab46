// SPDX-License-Identifier: MIT
/*
 * A device that looks at what it reaches each time software writes a register: for what happens
 * while a driver takes a unit over from firmware.
 */
#ifndef TESTS_UNIT_WATCH_H
#define TESTS_UNIT_WATCH_H

#include "unit_world.h"

#define WATCH_WRITES_MAX 256u

/** Every register write of software, and what devices reached around it. */
struct watch {
    struct world *world;
    unsigned count;
    struct model_mmio_event writes[WATCH_WRITES_MAX];
    bool translating[WATCH_WRITES_MAX]; /**< before the write */
    bool outside;                       /**< a device reached what nobody allowed */
    uint64_t secret;                    /**< physical address that no tables map */
    bool both;                          /**< the second domain is allowed as well */
    bool armed;                         /**< translation or protection is on: look */
    unsigned old_seen, new_seen, blocked_seen;
};

/** The hook for model_host_set_mmio_hook; arg is the watch. */
void watch_on_write(void *arg, const struct model_mmio_event *event);
/** Position of the first write of `offset` with all of `bits`, or WATCH_WRITES_MAX. */
unsigned watch_first_write(const struct watch *watch, unsigned offset, uint64_t bits);

#endif
