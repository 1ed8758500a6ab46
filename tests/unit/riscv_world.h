// SPDX-License-Identifier: MIT
/*
 * The RISC-V IOMMU driver on its model: what unit_world.h has, on this kind of unit.
 */
#ifndef TESTS_UNIT_RISCV_WORLD_H
#define TESTS_UNIT_RISCV_WORLD_H

#include "models/riscv.h"
#include "unit/riscv/msi.h"
#include "unit/riscv/riommu.h"
#include "unit_world.h"

/** Sixteen of the smallest pages. */
#define WORLD_PAGE_ORDER 4u
#define WORLD_PAGE_BYTES (SLUICE_PAGE_BYTES << WORLD_PAGE_ORDER)

struct world_config {
    struct riscv_model_config model;
    struct model_host_config host;
    const struct pt_format *format; /**< of the domains' tables; NULL: as the unit likes */
    unsigned iova_bits;             /**< that domains ask for; 0: widest */
    bool ats;                       /**< devices have device TLBs, and the sources say so */
};

struct world_config world_defaults(void);
void world_inject(struct world *world, struct riscv_model_injection injection);
struct riscv_model_stats world_stats(struct world *world);

#endif
