// SPDX-License-Identifier: MIT
/*
 * Firmware that used an AMD-Vi unit before the driver comes, by raw register writes; and a device
 * that looks at what it reaches each time software writes a register.
 */
#ifndef TESTS_UNIT_AMDVI_FIRMWARE_H
#define TESTS_UNIT_AMDVI_FIRMWARE_H

#include "amdvi_world.h"

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
    bool armed;                         /**< translation is on: look */
    unsigned old_seen, new_seen, blocked_seen;
};

/** The hook for model_host_set_mmio_hook; arg is the watch. */
void watch_on_write(void *arg, const struct model_mmio_event *event);
/** Position of the first write of `offset` with all of `bits`, or WATCH_WRITES_MAX. */
unsigned watch_first_write(const struct watch *watch, unsigned offset, uint64_t bits);

/** Tables with which device 0 reaches one page, filled with 0x33, at WORLD_IOVA. */
struct firmware {
    struct sluice_pages table, levels[4], page, commands, events;
};

/**
 * Builds them and turns translation on, all other devices blocked; with a command buffer and an
 * event log if `rings`.
 */
void firmware_on(struct world *world, struct firmware *firmware, bool rings);
void firmware_free(struct world *world, struct firmware *firmware);

uint64_t firmware_get(struct world *world, unsigned offset);
void firmware_set(struct world *world, unsigned offset, uint64_t value);

#endif
