// SPDX-License-Identifier: MIT
/*
 * Firmware that used a VT-d unit before the driver comes, by raw register writes.
 */
#ifndef TESTS_UNIT_VTD_FIRMWARE_H
#define TESTS_UNIT_VTD_FIRMWARE_H

#include "vtd_world.h"
#include "watch.h"

/** Tables with which device 0 reaches one page, filled with 0x33, at WORLD_IOVA. */
struct firmware {
    struct sluice_pages root, context, levels[4], page, queue;
};

/** Builds them and turns translation on, in legacy mode; with an invalidation queue if `queue`. */
void firmware_on(struct world *world, struct firmware *firmware, bool queue);
/** Turns translation on in another table mode (1 scalable, 3 abort), where all is blocked. */
void firmware_on_in_mode(struct world *world, struct firmware *firmware, unsigned mode);
void firmware_free(struct world *world, struct firmware *firmware);

uint64_t firmware_get(struct world *world, unsigned offset, unsigned width);
void firmware_set(struct world *world, unsigned offset, unsigned width, uint64_t value);

#endif
