// SPDX-License-Identifier: MIT
/*
 * A platform described by hand: the model of an SMMUv3, whose streams are other numbers than
 * requester IDs, and three streams that do DMA.
 */
#ifndef TESTS_UNIT_DESCRIBED_WORLD_H
#define TESTS_UNIT_DESCRIBED_WORLD_H

#include "models/dma_device.h"
#include "models/host.h"
#include "models/smmu3.h"

#include <sluice/sluice.h>

#define DESCRIBED_RID     SLUICE_RID(0, 3, 0)
#define DESCRIBED_SID     0x2018u /* what it gets */
#define DESCRIBED_IOVA    ((sluice_iova_t)0x40000000)
#define DESCRIBED_NAME    "/soc/dma-controller@fe000000"
#define DESCRIBED_STREAMS 3u

struct described {
    struct model_host *host;
    struct smmu3_model *model;
    struct sluice *sluice;
    unsigned unit;
    struct dma_device *streams[DESCRIBED_STREAMS]; /**< of IDs SID, 0x300 and 0x301 */
    struct sluice_pages page;                      /**< of bytes 0x5c */
    struct sluice_device *limited;
};

/** All but the instance. */
void described_build(struct described *world, bool non_coherent);
/** The instance, with the unit described. */
void described_create(struct described *world, const struct sluice_config *config);
/** Both. */
void described_begin_on(struct described *world, bool non_coherent);
void described_begin(struct described *world);
/** Stops and destroys; asserts that nothing is left and nothing was done wrong. */
void described_end(struct described *world);

/** Whether a stream reads the page's bytes there. */
bool described_reads(struct described *world, unsigned stream, sluice_iova_t iova);
/** A domain with the page at IOVA. */
struct sluice_domain *described_domain(struct described *world);

#endif
