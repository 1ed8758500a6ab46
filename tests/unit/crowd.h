// SPDX-License-Identifier: MIT
/*
 * More devices with device TLBs than a queue of invalidations has room for, and ranges for them to
 * forget.
 */
#ifndef TESTS_UNIT_CROWD_H
#define TESTS_UNIT_CROWD_H

#include "unit_world.h"

#define CROWD_DEVICES 12u

struct crowd {
    struct dma_device *devices[CROWD_DEVICES];
    struct source sources[CROWD_DEVICES];
};

/** Attaches them, and has each remember WORLD_IOVA. */
void crowd_attach(struct world *world, struct crowd *crowd, struct domain_link *link);
void crowd_detach(struct world *world, struct crowd *crowd);
/** For units that do not answer: the devices alone. */
void crowd_destroy(struct crowd *crowd);
/** As many ranges apart as a gather holds. */
void scatter(struct pt_gather *gather);

#endif
