// SPDX-License-Identifier: MIT
/*
 * A device that does DMA through the model of a unit, with a requester ID and, if asked for, a
 * device TLB (ATS). It keeps no rules: it uses any address it is told, at any time.
 *
 *     struct dma_device *nic = dma_device_create(unit, SLUICE_RID(0, 3, 0), false);
 *
 *     assert_true(dma_device_write(nic, iova, "hello", 5, NULL));
 *     assert_false(dma_device_read(nic, iova + 4096, buffer, 5, &result));
 *     assert_int_equal(result.reason, VTD_REASON_READ);
 *
 * Pending interrupts are delivered after each access, unless it happens inside a register access.
 */
#ifndef MODELS_DMA_DEVICE_H
#define MODELS_DMA_DEVICE_H

#include "models/vtd.h"

struct dma_device;

/** @param ats   it has a device TLB: it asks for translations and caches them */
struct dma_device *dma_device_create(struct model_host *host, struct vtd_model *unit, uint16_t rid,
                                     bool ats);
/** The same behind a unit of any kind. */
struct dma_device *dma_device_create_on(struct model_host *host, const struct model_unit_ops *ops,
                                        void *unit, uint16_t rid, bool ats);
/** Its loop must not run any more. The unit must still exist. */
void dma_device_destroy(struct dma_device *device);

uint16_t dma_device_rid(const struct dma_device *device);

/** Device reads and writes memory; true when all bytes moved. `result` may be NULL. */
bool dma_device_read(struct dma_device *device, uint64_t address, void *data, size_t bytes,
                     struct model_dma_result *result);
bool dma_device_write(struct dma_device *device, uint64_t address, const void *data, size_t bytes,
                      struct model_dma_result *result);
/** Without looking into its device TLB first: a translated request to any address it likes. */
bool dma_device_forge(struct dma_device *device, uint64_t phys, void *data, size_t bytes,
                      bool write, struct model_dma_result *result);

/** Sends an MSI through the unit. */
bool dma_device_msi(struct dma_device *device, uint64_t address, uint32_t data);

/** What a loop does: one access of `bytes` (up to 64) at each step, write or read. */
struct dma_device_loop {
    uint64_t address;
    size_t bytes;
    bool write;
    uint8_t fill;      /**< what a write writes */
    uint32_t pause_ns; /**< of its thread after each step, which leaves a CPU to others */
};

struct dma_device_counts {
    uint64_t moved;   /**< steps that moved all */
    uint64_t refused; /**< steps that did not */
    uint8_t last[64]; /**< what the last successful read read */
};

void dma_device_loop(struct dma_device *device, const struct dma_device_loop *loop);
/** One step of the loop; returns whether it moved. */
bool dma_device_step(struct dma_device *device);
void dma_device_counts(struct dma_device *device, struct dma_device_counts *out);
/** Runs the loop on a thread of its own until dma_device_stop. */
void dma_device_start(struct dma_device *device);
void dma_device_stop(struct dma_device *device);

/** Device TLB: withhold completions of invalidations, or ignore the invalidations themselves. */
void dma_device_withhold(struct dma_device *device, bool withhold);
void dma_device_disobey(struct dma_device *device, bool disobey);
/** Sends withheld completions. */
void dma_device_complete(struct dma_device *device);
unsigned dma_device_tlb_entries(struct dma_device *device);

#endif
