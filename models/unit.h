// SPDX-License-Identifier: MIT
/*
 * What the models of units have in common: how a device's access is asked for and how it ends, and
 * the functions by which a device reaches memory through a unit of any kind.
 */
#ifndef MODELS_UNIT_H
#define MODELS_UNIT_H

#include "models/host.h"

/** One device access. */
struct model_dma_request {
    uint16_t rid;
    uint64_t address;
    bool write;
    bool translated; /**< the address came from a device TLB */
    bool has_pasid;
    uint32_t pasid;
};

/** How an access ended. */
struct model_dma_result {
    bool done;        /**< every byte was moved, or the message was sent */
    size_t moved;     /**< bytes moved before the first that was refused */
    uint16_t reason;  /**< the unit's code for the refused one; 0 with !done: refused without a
                           fault (protected region, interrupt window, unit gone) */
    uint64_t address; /**< page of the refused one */
};

/** What a translation request of ATS or a look from outside gives. */
struct model_translation {
    bool valid;
    sluice_phys_t phys; /**< of the address asked for */
    bool read, write;
    uint16_t reason;
};

/** The receiver of device-TLB invalidations for one requester. */
struct model_endpoint {
    /** Drops [first, last]; returns whether it completes at once. Called with the unit locked. */
    bool (*invalidate)(void *arg, uint64_t first, uint64_t last);
    void *arg;
};

/** A unit as a device sees it. `unit` is the model's own structure. */
struct model_unit_ops {
    /** The unit's lock, recursive: makes a sequence of accesses one. */
    void (*lock)(void *unit);
    void (*unlock)(void *unit);
    /** Reads (into data) or writes (from data); true when all was done. */
    bool (*dma)(void *unit, const struct model_dma_request *request, void *data, size_t bytes,
                struct model_dma_result *result);
    /** An ATS translation request [PCIe 10.2.2]; faults are recorded as hardware does. */
    void (*ats_request)(void *unit, uint16_t rid, uint64_t address, struct model_translation *out);
    void (*connect)(void *unit, uint16_t rid, const struct model_endpoint *endpoint);
    /** A withheld completion arrives. */
    void (*endpoint_completed)(void *unit, uint16_t rid);
};

#endif
