// SPDX-License-Identifier: MIT
/*
 * The SMMUv3 driver on its model: what unit_world.h has, on this kind of unit.
 */
#ifndef TESTS_UNIT_SMMU3_WORLD_H
#define TESTS_UNIT_SMMU3_WORLD_H

#include "models/smmu3.h"
#include "unit/smmu3/smmu3.h"
#include "unit_world.h"

/** A multiple of every smallest page: 64 KiB. */
#define WORLD_PAGE_ORDER 4u
#define WORLD_PAGE_BYTES (SLUICE_PAGE_BYTES << WORLD_PAGE_ORDER)

struct world_config {
    struct smmu3_model_config model;
    struct model_host_config host;
    const struct pt_format *format; /**< of the domains' tables; NULL: as the unit likes */
    unsigned iova_bits;             /**< that domains ask for; 0: widest */
    bool ats;                       /**< devices have device TLBs, and the sources say so */
};

struct world_config world_defaults(void);
void world_inject(struct world *world, struct smmu3_model_injection injection);
struct smmu3_model_stats world_stats(struct world *world);

#endif
