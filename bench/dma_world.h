// SPDX-License-Identifier: MIT
/*
 * What the DMA API's benchmark runs on: VT-d second-stage tables, a device in a domain, and a unit
 * that is as fast as a unit can be. Its queue takes a descriptor and a wait descriptor a batch, the
 * doorbell is a store, and the status is there at once. So what is measured is software alone.
 */
#ifndef BENCH_DMA_WORLD_H
#define BENCH_DMA_WORLD_H

#include "dma/dma.h"

struct bench_domain {
    struct sluice_domain *domain;
    struct sluice_device device;
    struct sluice_dma *dma;
};

struct bench_world {
    struct sluice sluice;
    struct unit unit;
    struct bench_domain strict, lazy, untrusted;
    struct sluice_dma *bare; /**< reaches 27 bits; no IOMMU */
};

void bench_world_init(struct bench_world *world);

/** One invalidation as the strict unmap of a page needs it: the floor that hardware would add to.
 */
void bench_invalidate(struct bench_world *world);

/** Invalidations so far. */
uint64_t bench_invalidations(void);

/** Where a physical address of the bench's memory is. */
void *bench_virt(sluice_phys_t phys);
/** Memory of the bench itself, above 27 bits. */
sluice_phys_t bench_buffer(void);
#define BENCH_BUFFER_BYTES ((uint64_t)4 << 20)

#endif
