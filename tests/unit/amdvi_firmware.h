// SPDX-License-Identifier: MIT
/*
 * Firmware that used an AMD-Vi unit before the driver comes, by raw register writes.
 */
#ifndef TESTS_UNIT_AMDVI_FIRMWARE_H
#define TESTS_UNIT_AMDVI_FIRMWARE_H

#include "amdvi_world.h"
#include "watch.h"

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
