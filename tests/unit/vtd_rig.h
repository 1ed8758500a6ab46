// SPDX-License-Identifier: MIT
/*
 * Raw programming of a VT-d model for tests of the model: registers by number, tables by hand, no
 * driver. Numbers are of the VT-d specification, revision 5.10.
 */
#ifndef TESTS_UNIT_VTD_RIG_H
#define TESTS_UNIT_VTD_RIG_H

#include "models/dma_device.h"
#include "models/vtd.h"

#define RIG_RID    SLUICE_RID(0, 3, 0)
#define RIG_RID_2  SLUICE_RID(0, 4, 0)
#define RIG_DID    5u
#define RIG_IOVA   ((uint64_t)0x40000000)
#define RIG_READ   1u
#define RIG_WRITE  2u
#define RIG_GLOBAL 1u
#define RIG_DOMAIN 2u
#define RIG_NARROW 3u

struct rig {
    struct model_host *host;
    struct vtd_model *unit;
    uint64_t base;
    struct dma_device *device, *device_2;
    struct sluice_pages root, context, top, queue, status;
    struct sluice_pages pages[2]; /**< targets of DMA; filled with 0x11 and 0x22 */
    unsigned tail;                /**< in descriptors */
};

/** Builds a unit with a root, context table and one 4-level table, and does not enable it. */
void rig_init(struct rig *rig, const struct model_host_config *host,
              const struct vtd_model_config *config);
/** Frees it; returns the number of violations. */
unsigned rig_finish(struct rig *rig);

uint32_t rig_get32(struct rig *rig, unsigned offset);
uint64_t rig_get64(struct rig *rig, unsigned offset);
void rig_set32(struct rig *rig, unsigned offset, uint32_t value);
void rig_set64(struct rig *rig, unsigned offset, uint64_t value);

/** Writes GCMD and reads GSTS up to 8 times until (status & bit) == want. */
bool rig_command(struct rig *rig, uint32_t command, uint32_t bit, uint32_t want);
/** SRTP, global invalidations by registers, TE. */
void rig_enable(struct rig *rig);
void rig_invalidate_context(struct rig *rig, unsigned granularity, uint16_t did, uint16_t rid);
/** Returns what IAIG says was done. */
unsigned rig_invalidate_iotlb(struct rig *rig, unsigned granularity, uint16_t did,
                              uint64_t address_word);

/** Points a requester's context entry: type in 3:2, width 2 is 48 bits. */
void rig_set_context(struct rig *rig, uint16_t rid, uint64_t low, uint64_t high);
/** The usual one: tables at `top`, 48 bits, domain. */
void rig_attach(struct rig *rig, uint16_t rid, uint16_t did);
/** Maps at `level` (1: 4 KiB, 2: 2 MiB, 3: 1 GiB) below `top`; entry 0 unmaps. */
void rig_set_entry(struct rig *rig, uint64_t iova, unsigned level, uint64_t entry);

/** Turns the queue on and appends descriptors. */
void rig_queue_enable(struct rig *rig);
void rig_queue_put(struct rig *rig, uint64_t low, uint64_t high);
void rig_queue_ring(struct rig *rig);
/** A wait descriptor that writes `value` to the status word, then the doorbell. */
void rig_queue_wait(struct rig *rig, uint32_t value);
uint32_t rig_status(struct rig *rig);

#endif
