// SPDX-License-Identifier: MIT
/*
 * The DMA API on a simulated machine with one VT-d unit: a domain, a device in it, and its DMA
 * opened; or a device without an IOMMU.
 */
#ifndef TESTS_UNIT_DMA_WORLD_H
#define TESTS_UNIT_DMA_WORLD_H

#include "scene.h"

#define DMA_RID     SLUICE_RID(0, 3, 0)
#define DMA_RID_2   SLUICE_RID(0, 4, 0)
#define DMA_PAGE    SLUICE_PAGE_BYTES
#define TO_DEVICE   ((uint32_t)SLUICE_DMA_TO_DEVICE)
#define FROM_DEVICE ((uint32_t)SLUICE_DMA_FROM_DEVICE)
#define BOTH        ((uint32_t)SLUICE_DMA_BOTH)

struct dma_world_config {
    struct scene_config scene;
    struct sluice_domain_config domain; /**< its device is filled in when `for_device` is set */
    bool for_device;
    struct sluice_dma_config dma; /**< its device is filled in, unless `bare` */
    bool untrusted;
    bool bare; /**< no IOMMU: nothing is started */
    bool check;
    uint64_t bounce_limit_bytes;
    uint32_t unmap_history;
    uint64_t hardware_timeout_ns; /**< 0: the scene's */
};

struct dma_world {
    struct scene scene;
    struct sluice_domain *domain;
    struct sluice_device *device;
    struct sluice_dma *dma;
    unsigned misuses;
    struct sluice_dma_misuse misuse; /**< the last */
};

/** A strict DMA domain, a trusted device that reaches 64 bits. */
struct dma_world_config dma_world_defaults(void);
void dma_world_start(struct dma_world *world, const struct dma_world_config *config);
/** Closes everything and asserts that nothing is left. */
void dma_world_finish(struct dma_world *world);
/** Likewise, where `withheld` pages may be left and closing may report leaks. */
void dma_world_finish_withheld(struct dma_world *world, uint64_t withheld);

/** A second device, added and attached to the domain. */
struct sluice_device *dma_world_add(struct dma_world *world, uint16_t rid, bool untrusted);

/** Memory of the test: 1 << order pages filled with a byte. */
struct sluice_pages dma_memory(struct dma_world *world, unsigned order, uint8_t fill);
void dma_memory_free(struct dma_world *world, struct sluice_pages pages, unsigned order);

/** Maps or dies. */
sluice_iova_t dma_map(struct dma_world *world, sluice_phys_t phys, uint64_t bytes, uint32_t flags);
void dma_unmap(struct dma_world *world, sluice_iova_t address, uint64_t bytes, uint32_t flags);

/** What the device reads there: a byte, or -1 when refused. */
int dma_reads(struct dma_world *world, sluice_iova_t address);
/** Whether the unit let the device write a byte there. */
bool dma_writes(struct dma_world *world, sluice_iova_t address, uint8_t byte);

#endif
