// SPDX-License-Identifier: MIT
/*
 * The VT-d driver on its model: what unit_world.h has, on this kind of unit.
 */
#ifndef TESTS_UNIT_VTD_WORLD_H
#define TESTS_UNIT_VTD_WORLD_H

#include "models/vtd.h"
#include "unit/intel/vtd.h"
#include "unit_world.h"

struct world_config {
    struct vtd_model_config model;
    struct model_host_config host;
    bool avoid_queues;
    bool ats; /**< devices have device TLBs, and the sources say so */
};

struct world_config world_defaults(void);

#endif
