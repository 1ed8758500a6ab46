// SPDX-License-Identifier: MIT
/*
 * The RISC-V IOMMU driver on the RISC-V IOMMU model, without the layers above it: an instance made
 * by hand, two domains with page tables, two devices.
 */
#ifndef TESTS_UNIT_RISCV_WORLD_H
#define TESTS_UNIT_RISCV_WORLD_H

#include "models/dma_device.h"
#include "models/riscv.h"
#include "unit/riscv/msi.h"
#include "unit/riscv/riommu.h"

#define WORLD_IOVA    ((uint64_t)0x40000000)
#define WORLD_DEVICES 2u
/** Sixteen of the smallest pages. */
#define WORLD_PAGE_ORDER 4u
#define WORLD_PAGE_BYTES (SLUICE_PAGE_BYTES << WORLD_PAGE_ORDER)

struct world_domain {
    struct pagetable pt;
    struct domain_link link;
    struct sluice_pages page; /**< what tests map; filled with a byte of its own */
};

struct world {
    struct model_host *host;
    struct riscv_model *model;
    struct sluice sluice;
    struct platform_unit desc;
    struct unit *unit;
    struct world_domain domains[2];
    struct source sources[WORLD_DEVICES];
    struct dma_device *devices[WORLD_DEVICES];
    const struct pt_format *format;
    unsigned iova_bits;
    unsigned faults;
    struct sluice_fault fault; /**< the last */
};

struct world_config {
    struct riscv_model_config model;
    struct model_host_config host;
    const struct pt_format *format; /**< of the domains' tables; NULL: as the unit likes */
    unsigned iova_bits;             /**< that domains ask for; 0: widest */
    bool ats;                       /**< devices have device TLBs, and the sources say so */
};

struct world_config world_defaults(void);
/** Host, model and instance; the unit is not probed yet. */
void world_init(struct world *world, const struct world_config *config);
/** Probes, and opens both domains with WORLD_IOVA mapped to their pages. */
void world_probe(struct world *world);
/** world_init, world_probe, device 0 in domain 0, started. */
void world_begin(struct world *world, const struct world_config *config);
/** Closes, stops, releases; asserts that nothing is left and that there was no violation. */
void world_finish(struct world *world);
/** Only destroys host and model: for tests in which the unit was left broken. */
void world_abandon(struct world *world);

enum sluice_status world_attach(struct world *world, unsigned device, struct world_domain *domain);
/** Unmaps one page at WORLD_IOVA and invalidates as the domain layer would. */
enum sluice_status world_unmap(struct world *world, struct world_domain *domain);
enum sluice_status world_map(struct world *world, struct world_domain *domain);
/** Which domain's page the device reads at WORLD_IOVA: 0, 1, or -1 when it is refused. */
int world_reaches(struct world *world, unsigned device);
unsigned world_drain(struct world *world);
void world_inject(struct world *world, struct riscv_model_injection injection);
bool world_degraded(const struct world *world);
struct riscv_model_stats world_stats(struct world *world);

#endif
