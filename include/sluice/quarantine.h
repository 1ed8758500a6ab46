// SPDX-License-Identifier: MIT
/*
 * Devices that fault: how many faults are too many, what is done then, and the way back.
 *
 * A device that faults `max_faults` times within the window is cut off by itself: every ID under
 * which the unit sees it is blocked, its device TLB is emptied, its interrupts are refused, and its
 * bus mastering is turned off. It stays a member of its domain, whose mappings stay as they are, so
 * that sluice_device_recover() can bring it back after a reset. Other devices notice nothing, but
 * for those that share a requester ID with it: the unit cannot tell them apart, and they are cut
 * off too.
 *
 * A source that floods its unit's log, `flood_faults` within `flood_window_ns`, is silenced,
 * whether it is cut off or not: the unit is told not to record its faults, so that others' are not
 * lost behind them. It is heard again after `silence_ns`, at the poll that the host was asked for
 * (sluice_host_ops.fault_poll_at), at another sluice_fault_poll() or when somebody else faults; or
 * when it is recovered or removed. What it did meanwhile was stopped as ever, and is counted
 * nowhere. A source that is no known device's is silenced likewise, of 16 such at once, and heard
 * when a device is added that has its ID. VT-d, AMD-Vi and RISC-V units and SMMUv3s can be told so,
 * the latter not for a stream with PASIDs and not for what a guest's own stage 1 finds; a
 * virtio-iommu cannot.
 *
 * Context of everything here: as in the head of sluice/instance.h, unless a function says more.
 */
#ifndef SLUICE_QUARANTINE_H
#define SLUICE_QUARANTINE_H

#include <sluice/device.h>
#include <sluice/fault.h>

#ifdef __cplusplus
extern "C" {
#endif

/** sluice_config.max_faults and of a device: never cut off, whatever it does. */
#define SLUICE_FAULTS_UNLIMITED UINT32_MAX
/** Highest threshold; what is above it counts as it. */
#define SLUICE_FAULTS_MOST 64u

enum sluice_device_state {
    SLUICE_DEVICE_OPERATIONAL = 0,
    /** It faulted within the window, its faults are not reported now, or its unit is degraded. */
    SLUICE_DEVICE_DEGRADED,
    SLUICE_DEVICE_QUARANTINED, /**< cut off */
};

struct sluice_device_health {
    enum sluice_device_state state;
    uint64_t fault_count; /**< since it was added or recovered, as far as the hardware told */
    unsigned recent;      /**< of them, within the window */
    uint32_t max_faults;  /**< threshold; SLUICE_FAULTS_UNLIMITED: none */
    uint64_t window_ns;   /**< length of the window */
    bool confirmed;       /**< quarantined: the unit confirmed that it let go of it */
    bool bus_master_off;  /**< quarantined: and its bus mastering was turned off */
    unsigned interrupts;  /**< quarantined: entries of it that refuse */
    uint64_t since_ns;    /**< quarantined: host clock */
    /** Its unit was told not to report its faults for a while: fault_count stands still. */
    bool silenced;
    uint64_t silenced_since_ns; /**< silenced: host clock */
};

/** Called when a device was cut off, or came back. Context: as a fault subscriber. */
typedef void sluice_quarantine_handler(void *arg, struct sluice_device *device,
                                       enum sluice_device_state state);

/** Whether it may do DMA and is not known to be in trouble. Context: any thread. */
SLUICE_API bool sluice_device_is_operational(struct sluice_device *device);
/** Returns: OK; INVALID. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_device_health(struct sluice_device *device, struct sluice_device_health *out);

/**
 * Cuts a device off by hand.
 * Returns: OK (also when it is already); INVALID (a pointer is NULL); STATE (not started); TIMEOUT
 * or HARDWARE (its entries are blocked, but the unit did not confirm that it let go of the old
 * ones).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_device_quarantine(struct sluice_device *device);

/**
 * Resets a device and brings it back into its domain. The reset is the host's `device_reset`, or,
 * where the host has none for it, a function level reset [PCIe 6.6.2]; its configuration header and
 * its MSI and MSI-X registers are put back, its bus mastering stays off for its driver to turn on.
 * Its interrupt entries refuse until they are routed again. Context: may take a second; not from a
 * fault subscriber or a quarantine handler. Returns: OK; INVALID (a pointer is NULL); STATE (it is
 * not quarantined, somebody recovers it already or is being told of it, or the instance is not
 * started); UNSUPPORTED (there is no way to reset it: it stays cut off); TIMEOUT (it did not come
 * back from the reset, or the unit does not answer); HARDWARE; NO_MEMORY; NO_SPACE.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_device_recover(struct sluice_device *device);

#ifdef __cplusplus
}
#endif

#endif
