// SPDX-License-Identifier: MIT
/*
 * The AMD-Vi driver on its model: what unit_world.h has, on this kind of unit.
 */
#ifndef TESTS_UNIT_AMDVI_WORLD_H
#define TESTS_UNIT_AMDVI_WORLD_H

#include "models/amdvi.h"
#include "unit/amd/amdvi.h"
#include "unit_world.h"

struct world_config {
    struct amdvi_model_config model;
    struct model_host_config host;
    uint8_t virt_bits; /**< as IVRS says; 48 */
    bool old_table;    /**< IVHD 10h: no image of the extended features */
    bool ats;          /**< devices have device TLBs, and the sources say so */
};

struct world_config world_defaults(void);
void world_inject(struct world *world, struct amdvi_model_injection injection);
struct amdvi_model_stats world_stats(struct world *world);

#endif
