// SPDX-License-Identifier: MIT
/*
 * Faults: what a unit stopped, in one form for every kind of unit.
 */
#ifndef SLUICE_FAULT_H
#define SLUICE_FAULT_H

#include <sluice/status.h>
#include <sluice/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sluice;

/** Why a transaction was stopped, over all kinds of hardware. */
enum sluice_fault_reason {
    SLUICE_FAULT_OTHER = 0,    /**< see the hardware's own code and text */
    SLUICE_FAULT_BLOCKED,      /**< the device belongs to no domain, or to a blocking one */
    SLUICE_FAULT_NOT_MAPPED,   /**< nothing is mapped at the address */
    SLUICE_FAULT_READ_DENIED,  /**< mapped, but not for reading */
    SLUICE_FAULT_WRITE_DENIED, /**< mapped, but not for writing */
    SLUICE_FAULT_OUT_OF_RANGE, /**< the address is wider than the domain */
    SLUICE_FAULT_BAD_ENTRY,    /**< the unit found its own tables malformed */
    SLUICE_FAULT_TABLE_ACCESS, /**< the unit could not read its tables */
    SLUICE_FAULT_REQUEST_TYPE, /**< a kind of request that the entry does not allow */
    SLUICE_FAULT_INTERRUPT,    /**< an interrupt message was refused */
    SLUICE_FAULT_REASON_COUNT
};

/** The word for a reason, for logs ("not mapped"). Context: any. Never NULL. */
SLUICE_API const char *sluice_fault_reason_text(enum sluice_fault_reason reason);

enum sluice_access {
    SLUICE_ACCESS_READ = 0,
    SLUICE_ACCESS_WRITE,
    SLUICE_ACCESS_EXECUTE,
    SLUICE_ACCESS_ATOMIC,
    SLUICE_ACCESS_UNKNOWN,
};

struct sluice_fault {
    const char *unit; /**< name of the unit; lives as long as the instance */
    uint16_t segment; /**< PCI segment of the requester */
    uint32_t source;  /**< requester ID, stream ID or endpoint, as the unit says */
    uint32_t pasid;   /**< or SLUICE_NO_PASID */
    enum sluice_access access;
    enum sluice_fault_reason reason;
    uint32_t hardware_code;    /**< the unit's own number for it */
    const char *hardware_text; /**< the specification's words for that number */
    sluice_iova_t address;     /**< page-granular where the hardware says no more */
    bool address_valid;
    bool privileged; /**< the request asked for privileged access */
    /** Of a refused interrupt message: which entry it named, where the hardware says so. */
    bool interrupt_index_valid;
    uint32_t interrupt_index;
    bool records_lost; /**< the unit dropped records around this one */
    uint64_t time_ns;  /**< host clock when it was drained */
};

/**
 * Called once a drained fault. Context: whatever drains: sluice_fault_poll's caller, or the event
 * interrupt's; must not sleep or call functions of Sluice that change anything.
 */
typedef void sluice_fault_handler(void *arg, const struct sluice_fault *fault);

/**
 * Drains the fault records of every unit, oldest first, into the instance's on_fault.
 * Bounded: at most as many records a unit as its log holds.
 * Context: any thread; may run beside the event interrupt.
 * Returns the number of records drained.
 */
SLUICE_API unsigned sluice_fault_poll(struct sluice *sluice);

#ifdef __cplusplus
}
#endif

#endif
