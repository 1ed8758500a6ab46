// SPDX-License-Identifier: MIT
/*
 * Devices: who does DMA. A device is told to Sluice once and then attached to domains.
 *
 * Context of everything here: as in the head of sluice/instance.h, unless a function says more.
 */
#ifndef SLUICE_DEVICE_H
#define SLUICE_DEVICE_H

#include <sluice/status.h>
#include <sluice/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sluice;
struct sluice_device;
struct sluice_domain;

/** How a device is named to the units. */
enum sluice_bus {
    SLUICE_BUS_PCI = 0,  /**< by segment and requester ID */
    SLUICE_BUS_PLATFORM, /**< outside PCI: as firmware names it, or by its registers */
};

struct sluice_device_config {
    enum sluice_bus bus;
    uint16_t segment; /**< PCI segment */
    uint16_t rid;     /**< PCI requester ID (SLUICE_RID) */
    /** For an SR-IOV virtual function: firmware tables name only its physical function. */
    bool is_virtual_function;
    uint16_t physical_function_rid;
    /** SLUICE_BUS_PLATFORM: ACPI or devicetree path, exactly as firmware writes it; or NULL */
    const char *path;
    sluice_phys_t registers; /**< SLUICE_BUS_PLATFORM: physical address of its registers; or 0 */
    /**
     * It could be anybody's: plugged in from outside, or firmware says so. Its unmaps are never
     * lazy, its buffers never share a page with other data (see sluice/dma.h), and its translation
     * cache (ATS) is turned off. Devices below a port that leads outside are untrusted anyway (see
     * sluice/protection.h).
     */
    bool untrusted;
    /** Faults in a window that are too many; 0: as the instance (sluice/quarantine.h). */
    uint32_t max_faults;
    uint64_t fault_window_ns; /**< 0: as the instance */
    const char *name;         /**< for the log; copied, up to 31 characters; may be NULL */
};

/**
 * Makes a device known: finds its unit, the IDs under which the unit sees it (behind conventional
 * bridges that is the bridge's; stream, device and endpoint IDs are what firmware's tables make of
 * requester IDs and paths) and its reserved regions. The device stays blocked, but for reserved
 * regions that firmware demands.
 * @param out      owned by the instance; give it back with sluice_device_remove
 * Returns: OK; STATE (not started); EXISTS (added before); NOT_FOUND (no unit covers it, or one of
 * its requester IDs: its DMA is not protected, and the log says so); UNSUPPORTED (it is behind more
 * than one unit); INVALID; NO_MEMORY; NO_SPACE (more than SLUICE_DEVICE_IDS_MAX IDs,
 * or a function with more than 8 requester IDs);
 * HARDWARE (untrusted, and its translation cache does not turn off).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_device_add(struct sluice *sluice, const struct sluice_device_config *config,
                  struct sluice_device **out);

/**
 * Forgets a device; it is detached first if need be and stays blocked.
 * Returns: OK; INVALID (a pointer is NULL); STATE (not started, or suspended); BUSY (its DMA API is
 * open, it has interrupt entries, or it is being reset); TIMEOUT or HARDWARE (the unit did not
 * confirm; the device is in no domain, and is kept and can be removed again).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_device_remove(struct sluice_device *device);

/** The domain a device is attached to, or NULL. */
SLUICE_API struct sluice_domain *sluice_device_domain(struct sluice_device *device);

/** What a region of a device's address space is reserved for. */
enum sluice_reserved_kind {
    SLUICE_RESERVED_FIRMWARE = 0, /**< firmware uses it (RMRR, IVMD, RMR): mapped for it */
    SLUICE_RESERVED_INTERRUPT,    /**< writes there are interrupts, never memory */
    SLUICE_RESERVED_SPECIAL,      /**< means something else, or is to be kept free: never mapped */
};

struct sluice_reserved_region {
    enum sluice_reserved_kind kind;
    sluice_iova_t first;
    sluice_iova_t last; /**< inclusive */
};

/**
 * The index-th region that a device reserves in every domain it is attached to.
 * Returns: OK; INVALID (a pointer is NULL); NOT_FOUND (past the last).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_device_reserved(struct sluice_device *device, unsigned index,
                       struct sluice_reserved_region *out);

#ifdef __cplusplus
}
#endif

#endif
