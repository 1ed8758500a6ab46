// SPDX-License-Identifier: MIT
/*
 * A unit's driver on its model, without the layers above it: an instance made by hand, two domains
 * with page tables, two devices. Included by each kind's header, which adds its configuration.
 */
#ifndef TESTS_UNIT_UNIT_WORLD_H
#define TESTS_UNIT_UNIT_WORLD_H

#include "core/instance.h"
#include "models/dma_device.h"
#include "pagetable/pagetable.h"
#include "unit/unit.h"

#define WORLD_IOVA    ((uint64_t)0x40000000)
#define WORLD_DEVICES 2u

/** What a kind of unit brings along. */
struct world_kind {
    const struct unit_ops *unit_ops;
    const struct model_unit_ops *model_ops;
    void (*destroy)(void *model);
    /** Fails the test while the model waits for something; NULL: it never does. */
    void (*check_settled)(void *model);
    bool (*translating)(void *model);
    /** As hardware comes out of a sleep without power. */
    void (*power_off)(void *model);
    unsigned page_order; /**< of the domains' pages: a multiple of every smallest page */
};

struct world_domain {
    struct pagetable pt;
    struct domain_link link;
    struct sluice_pages page; /**< what tests map; filled with a byte of its own */
};

struct world {
    const struct world_kind *kind;
    struct model_host *host;
    void *model; /**< of the kind's type */
    struct sluice sluice;
    struct platform_unit desc;
    struct unit *unit;
    struct world_domain domains[2];
    size_t page_bytes; /**< of the domains' pages */
    struct source sources[WORLD_DEVICES];
    struct dma_device *devices[WORLD_DEVICES];
    const struct pt_format *format; /**< of the domains' tables; NULL: as the unit likes */
    unsigned iova_bits;             /**< that domains ask for; 0: widest */
    unsigned faults;
    struct sluice_fault fault; /**< the last */
};

struct world_config; /* of each kind */

/* For the kinds' world_init: host and instance; then the model, its description, and devices that
   have device TLBs or not. */

void world_create(struct world *world, const struct world_kind *kind,
                  const struct model_host_config *host);
void world_connect(struct world *world, void *model, const struct platform_unit *desc, bool ats);

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
/** Unmaps the page at WORLD_IOVA and invalidates as the domain layer would. */
enum sluice_status world_unmap(struct world *world, struct world_domain *domain);
enum sluice_status world_map(struct world *world, struct world_domain *domain);
/** Which domain's page the device reads at WORLD_IOVA: 0, 1, or -1 when it is refused. */
int world_reaches(struct world *world, unsigned device);
/** What every shape of unit must do, from world_begin to world_finish. */
void world_walk_through(struct world *world);
unsigned world_drain(struct world *world);
bool world_degraded(const struct world *world);

#endif
