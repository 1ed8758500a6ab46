// SPDX-License-Identifier: MIT
/*
 * How much protection an instance gives, whom it trusts, and how a device is isolated when it is
 * given to somebody.
 *
 * A *level* is what the instance promises for all devices. It is asked for in sluice_config and
 * can be changed while the instance runs: upwards only when the hardware and everything in use
 * allow it, else the call fails and says what is in the way. Nothing is ever promised in part.
 *
 * An *isolation mode* is what one device gets. The calls of sluice/domain.h remain: they are held
 * to the level and to the groups too, and leave domains to the caller.
 *
 * Context of everything here: as in the head of sluice/instance.h, unless a function says more.
 */
#ifndef SLUICE_PROTECTION_H
#define SLUICE_PROTECTION_H

#include <sluice/device.h>
#include <sluice/domain.h>
#include <sluice/group.h>
#include <sluice/status.h>
#include <sluice/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What an instance promises. Each level keeps the promises of those before it. */
enum sluice_protection {
    /** STANDARD where sluice_config.interrupts asks for remapping, else BASIC. */
    SLUICE_PROTECTION_DEFAULT = 0,
    /** Nothing: units stay as firmware left them, and no device can be added. Said loudly. */
    SLUICE_PROTECTION_DISABLED,
    /** DMA is remapped: a device reaches what its domain maps. */
    SLUICE_PROTECTION_BASIC,
    /**
     * Interrupts are isolated too: remapped on every unit (sluice/interrupt.h), or, where no unit
     * does that and the host did not ask for it, known by their sender to the interrupt controller,
     * as an ITS of Arm's GIC does (sluice_describe_message_senders).
     */
    SLUICE_PROTECTION_STANDARD,
    /**
     * No device is trusted with more than its mappings: no identity, no lazy unmaps, no DMA API
     * without an IOMMU; every function that could do DMA has a unit above it; no unit is degraded,
     * failed its last self-test, or lacks one where sluice_config.require_selftest is set; ports
     * that lead outside keep what is below them apart; devices there cannot use ATS.
     */
    SLUICE_PROTECTION_STRICT,
};

/** What keeps a level from being given. */
enum sluice_obstacle_kind {
    SLUICE_OBSTACLE_NO_UNIT = 0, /**< no IOMMU is described */
    /** Firmware or `unit` does not remap interrupts, and the interrupt controller isolates none. */
    SLUICE_OBSTACLE_NO_REMAPPING,
    SLUICE_OBSTACLE_REMAPPING_OFF,     /**< it could, but the instance was started without */
    SLUICE_OBSTACLE_UNCOVERED,         /**< no unit is above this function */
    SLUICE_OBSTACLE_UNKNOWN_TOPOLOGY,  /**< no configuration space: nobody knows who is covered */
    SLUICE_OBSTACLE_DEGRADED,          /**< `unit` missed a deadline */
    SLUICE_OBSTACLE_SELFTEST,          /**< `unit`: no self-test, or step `name` did not pass */
    SLUICE_OBSTACLE_EXTERNAL_PORT,     /**< this port leads outside and lacks access control */
    SLUICE_OBSTACLE_IDENTITY_IN_USE,   /**< this device is in an identity domain */
    SLUICE_OBSTACLE_LAZY_IN_USE,       /**< domain `name` is lazy */
    SLUICE_OBSTACLE_UNPROTECTED_DMA,   /**< the DMA API is open without an IOMMU, as `name` */
    SLUICE_OBSTACLE_ATS_IN_USE,        /**< this untrusted device has its translation cache on */
    SLUICE_OBSTACLE_DEVICE_IN_USE,     /**< DISABLED: this device is attached */
    SLUICE_OBSTACLE_INTERRUPTS_IN_USE, /**< DISABLED: interrupt entries are allocated */
};

struct sluice_obstacle {
    enum sluice_obstacle_kind kind;
    enum sluice_protection level; /**< that was asked for */
    bool has_function;            /**< segment and rid mean something */
    uint16_t segment;
    uint16_t rid;
    uint16_t lacks;   /**< EXTERNAL_PORT: set of enum sluice_acs */
    const char *unit; /**< or NULL; valid during the call */
    const char *name; /**< of device, domain or step, or NULL; valid during the call */
    const char *text; /**< the whole as a sentence; valid during the call */
};

/** Gets each obstacle. Context: that of the call that met it; must not call the library. */
typedef void sluice_obstacle_handler(void *arg, const struct sluice_obstacle *obstacle);

/** The level that holds now. DEFAULT never; before start, what start will ask for. */
SLUICE_API enum sluice_protection sluice_protection(struct sluice *sluice);

/** The word for a level: "strict". Never NULL. */
SLUICE_API const char *sluice_protection_text(enum sluice_protection level);

/**
 * Changes the level. Before start, start will ask for it. While the instance runs it is checked
 * whole first; on an error the old level holds, and nothing has changed.
 *
 * To DISABLED: as sluice_stop, so every device, domain and group is gone after OK. From DISABLED:
 * as sluice_start. Interrupt remapping is only turned on by start: an instance that runs without
 * it must be stopped to become STANDARD.
 * Context: to and from DISABLED as sluice_stop and sluice_start; else as the other calls.
 * Returns: OK; INVALID; STATE (suspended, or being started or stopped); UNSUPPORTED (the hardware,
 * the firmware or how the instance was started do not allow it); BUSY (something in use is
 * forbidden there); others of start and stop. The log and sluice_config.on_obstacle name each
 * thing that is missing or in the way.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_protection_set(struct sluice *sluice,
                                                                      enum sluice_protection level);

/**
 * What would keep the running instance from this level, without changing anything.
 * Returns: OK (nothing would), UNSUPPORTED or BUSY as sluice_protection_set; STATE (not running);
 * INVALID.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_protection_check(struct sluice *sluice, enum sluice_protection level,
                        sluice_obstacle_handler *handler, void *arg);

/* ---- trust ---- */

/**
 * Says that a port (root port, or downstream port of a switch) leads outside: anybody can plug in
 * what they like. Firmware knows, and tells the host in its own ways ("ExternalFacingPort" in ACPI,
 * "external-facing" in a devicetree). Devices below are untrusted, whatever is said when they are
 * added; reserved regions of firmware are not given to them, since nobody knows what is there; and
 * the port stops requests that claim to be translated. May be called before start.
 * Returns: OK; INVALID (a pointer is NULL); BUSY (a device below is in a domain as a trusted one:
 * detach it first; the log names it); STATE (suspended, or being started or stopped); NO_MEMORY
 * (also: it leads outside now, and groups are as before); HARDWARE (it leads outside now, and a
 * device below did not turn its ATS off); UNSUPPORTED (it leads outside now, and the level does not
 * hold with it; on_obstacle and the log name what is missing).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_port_set_external(struct sluice *sluice, uint16_t segment, uint16_t rid, bool external);

/** Whether a device is taken for one that could be anybody's. */
SLUICE_API bool sluice_device_is_untrusted(struct sluice_device *device);

/* ---- isolation modes ---- */

enum sluice_isolation {
    /** A domain of its own. Refused when its group is not the device's alone. */
    SLUICE_ISOLATION_STRICT = 0,
    /**
     * A domain that several devices join by its name; one unmap and one invalidation serve all.
     * The way for a group of more than one device.
     */
    SLUICE_ISOLATION_SHARED,
    /** All of memory, one to one. Said in the log each time, refused to untrusted devices. */
    SLUICE_ISOLATION_UNMANAGED,
};

struct sluice_assignment {
    enum sluice_isolation mode;
    /**
     * For somebody outside the kernel: a virtual machine, a driver in user space. The domain's
     * mappings are made by the caller (SLUICE_DOMAIN_UNMANAGED); else by the DMA API.
     */
    bool user;
    /**
     * SHARED: the name that all of them give, and with it agree to share; up to 31 characters. Who
     * shares has the same `user`.
     */
    const char *share;
    /**
     * The device has memory reserved by firmware, and the caller knows that it does not use it any
     * more (as drivers of USB and graphics do): it may go to a user, and the memory is left out of
     * its domain.
     */
    bool relax_reserved;
    bool lazy;         /**< as in sluice_domain_config */
    bool prefer_32bit; /**< as in sluice_domain_config */
};

/**
 * Puts a device, which is in no domain, into one made for this use.
 * @param out      the domain, owned by the instance until sluice_device_release; for mappings and
 *                 sluice_dma_open
 * Returns: OK; BUSY (it is in a domain); DENIED (the log says why: its group is not its alone and
 * which bit is to blame; another device of its group is in another domain; it has memory reserved
 * by firmware, and which; it is untrusted, or the level forbids this mode); INVALID; STATE (not
 * started); those of sluice_domain_create and sluice_domain_attach.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_device_assign(struct sluice_device *device, const struct sluice_assignment *assignment,
                     struct sluice_domain **out);

/**
 * Ends what sluice_device_assign began: the device is blocked, and its domain destroyed when it was
 * the last one there.
 * Returns: OK; INVALID (a pointer is NULL); STATE (it was not assigned, or the instance does not
 * run); BUSY (its DMA API is open); TIMEOUT or HARDWARE (it is blocked and in no domain; may be
 * called again).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_device_release(struct sluice_device *device);

#ifdef __cplusplus
}
#endif

#endif
