// SPDX-License-Identifier: MIT
/*
 * Interrupt remapping: a device's message names an entry, and the entry says which vector of which
 * CPU it becomes. Who may use an entry is checked by the unit, so a device can raise no interrupt
 * that was not given to it.
 *
 *     sluice_config.interrupts = SLUICE_INTERRUPTS_REMAPPED      before sluice_create
 *     alloc -> message or ioapic_entry, programmed into the device -> route ... mask -> free
 *
 * It is off unless sluice_config asks for it, since from sluice_start on it stops every message
 * that no entry was made for: also those that firmware or the host programmed in the older
 * (compatibility) format. A start that is asked for it and cannot have it fails, and the log names
 * the reason: there is no half of it.
 *
 * On a RISC-V IOMMU an entry is one of the device's own MSI page table [RISC-V AIA 9.5], and leads
 * to an interrupt file: a destination is the number of its page, counted over the ranges of the
 * host's doorbell_extent, and the vector an identity there, 1 to 2047. Doorbells are then no longer
 * mapped in domains. A device in no domain is blocked there with its messages. Units that keep
 * interrupt files in memory (CAP.MSI_MRIF) hold a device to the identity of the route, as others
 * do; without, it chooses the identity in the file that it was given, and its message holds the
 * vector of its route: ask for it after the route, and again when the vector changes.
 *
 * Allocation knows nothing of vectors and routing nothing of devices, so a host can allocate when
 * a driver loads, route when it knows the CPU, and move an interrupt later without touching the
 * device: the message stays the same for the whole life of the block, but for the vector field of
 * an IOAPIC pin (see sluice_interrupt_ioapic_entry).
 *
 * Context of everything here, unless a function says otherwise: any thread; it takes the instance's
 * lock, waits for the hardware (bounded), does not sleep, and must not be called from an interrupt
 * handler.
 */
#ifndef SLUICE_INTERRUPT_H
#define SLUICE_INTERRUPT_H

#include <sluice/host.h>
#include <sluice/status.h>
#include <sluice/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sluice;
struct sluice_device;
/** A block of entries that one device or pin may use. */
struct sluice_interrupt;

/** sluice_config.interrupts. */
enum sluice_interrupt_mode {
    /**
     * Remapping stays as firmware left it. On AMD-Vi it ends where translation was on: it stands in
     * the device table, which is replaced. The log warns.
     */
    SLUICE_INTERRUPTS_LEFT_ALONE = 0,
    SLUICE_INTERRUPTS_REMAPPED, /**< every unit remaps, or the start fails */
};

/** sluice_config.x2apic: how destinations are numbered. Every unit the same, or the start fails. */
enum sluice_x2apic_mode {
    SLUICE_X2APIC_OFF = 0,    /**< xAPIC: 8 bits. For CPUs that are in xAPIC mode */
    SLUICE_X2APIC_IF_ALLOWED, /**< 32 bits when all units can and firmware does not object */
    SLUICE_X2APIC_REQUIRED,   /**< 32 bits: the CPUs are in x2APIC mode already */
};

enum sluice_interrupt_kind {
    SLUICE_INTERRUPT_MSI = 0, /**< one message with `count` data values: a contiguous block */
    SLUICE_INTERRUPT_MSIX,    /**< a message for each entry */
    SLUICE_INTERRUPT_IOAPIC,  /**< a pin */
    SLUICE_INTERRUPT_HPET,    /**< a timer's own message */
};

/** Most messages of one function [PCI 6.8.1.3, 6.8.2.3]. */
#define SLUICE_INTERRUPT_MSI_MAX  32u
#define SLUICE_INTERRUPT_MSIX_MAX 2048u

struct sluice_interrupt_config {
    enum sluice_interrupt_kind kind;
    struct sluice_device *device; /**< MSI and MSIX: who sends */
    unsigned count;               /**< MSI: a power of two up to 32; MSIX: 1 to 2048; others: 1 */
    uint8_t unit_id;  /**< IOAPIC: its APIC ID; HPET: its number, as firmware's tables say */
    const char *name; /**< for the log and reports; copied, up to 31 characters; may be NULL */
};

enum sluice_interrupt_delivery {
    SLUICE_INTERRUPT_FIXED = 0,
    SLUICE_INTERRUPT_LOWEST_PRIORITY, /**< to the least busy CPU of a logical destination */
};

/** Where an interrupt goes. */
struct sluice_interrupt_route {
    /** APIC ID, or logical ID, of 8 bits unless the instance runs x2APIC; RISC-V: the page. */
    uint32_t destination;
    uint16_t vector; /**< 16 to 255; RISC-V: 1 to 2047 */
    bool logical;    /**< destination is a logical ID */
    enum sluice_interrupt_delivery delivery;
    bool level;      /**< IOAPIC: level-triggered; messages are edges and refuse it */
    bool active_low; /**< IOAPIC: polarity of the pin */
};

/**
 * Allocates entries for a device or pin, all of them refusing. The unit is told who may use them:
 * the device's requester ID; for one behind a conventional bridge the ID that the bridge sends
 * under, or the buses behind it where it may send under several. An AMD-Vi unit has entries of each
 * requester's own, up to 512 (or 2048), a RISC-V IOMMU up to 256; devices that arrive under a
 * common ID share theirs.
 * @param out  owned by the caller; give it back with sluice_interrupt_free
 * Returns: OK; INVALID (a count or kind that is not there, a device missing); STATE (not started,
 * or interrupts are left alone); NOT_FOUND (no unit covers that IOAPIC or HPET); UNSUPPORTED (the
 * device is not on PCI; RISC-V: MSI with more than one message, which an address cannot tell
 * apart); NO_SPACE (no such run of entries is free, or AMD-Vi and RISC-V: two IDs of the device
 * have entries of their own already); NO_MEMORY; TIMEOUT or HARDWARE (nothing is allocated).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_interrupt_alloc(struct sluice *sluice, const struct sluice_interrupt_config *config,
                       struct sluice_interrupt **out);

/**
 * Points an entry at a vector, the first time or anew. A move is one change of the entry: each
 * message goes to the old place or to the new one, none is lost and none goes to both. When it
 * returns OK every message that goes to the old place has arrived there; it may still be pending in
 * that CPU, so keep the old vector's handler until the CPU had its interrupts on once.
 * @param index   below the block's count; the MSI's data value or the MSI-X entry
 * Returns: OK; INVALID (destination too wide or no doorbell, a vector that is not there, level for
 * a message, lowest priority to a physical destination); RANGE (index); STATE; TIMEOUT or HARDWARE
 * (the entry is changed, but the unit did not confirm: messages may still go to the old place. The
 * unit is degraded).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_interrupt_route(struct sluice_interrupt *interrupt, unsigned index,
                       const struct sluice_interrupt_route *route);

/**
 * Makes an entry refuse, without a fault record. What the device sends meanwhile is lost; to hold
 * it back instead, mask at the device or the pin. sluice_interrupt_route makes it deliver again.
 * Returns: OK (no message comes any more); INVALID (a pointer is NULL); RANGE; STATE; TIMEOUT or
 * HARDWARE (it may still come).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_interrupt_mask(struct sluice_interrupt *interrupt, unsigned index);

/**
 * The address and data to program into the device. For MSI the message of the whole block (index
 * must be 0; the device adds to the data), for MSI-X and HPET one an entry. Does not depend on the
 * route and can be asked before there is one, but on a RISC-V IOMMU without CAP.MSI_MRIF.
 * Returns: OK; INVALID (an IOAPIC pin has no message); RANGE; STATE (also: it depends on the route,
 * and there is none yet).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_interrupt_message(struct sluice_interrupt *interrupt, unsigned index,
                         struct sluice_msi *out);

/**
 * The redirection entry to write to the IOAPIC's pin, unmasked. It holds polarity, trigger mode and
 * the vector, which a level-triggered pin's end of interrupt is matched with: mask the pin, route
 * and write it anew when one of those changes [VT-d 5.1.5.1]. On AMD-Vi the entry's number stands
 * in the vector's place [AMD 2.2.5], so the CPU's end of interrupt does not match a level-triggered
 * pin: after it, write the low 8 bits of this entry to the IOAPIC's EOI register. On VT-d that does
 * no harm.
 * Returns: OK; INVALID (it is no pin); STATE (also: not routed yet).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_interrupt_ioapic_entry(struct sluice_interrupt *interrupt, uint64_t *out_entry);

/**
 * Takes entries away: they refuse, the unit has confirmed it, and only then can they be given to
 * somebody else. The device should be told to stop first, or its messages become faults.
 * NULL is OK. After OK, TIMEOUT and HARDWARE the pointer is invalid.
 * Returns: OK; STATE (not started or suspended; nothing was freed); TIMEOUT or HARDWARE (the unit
 * did not confirm: the entries are withheld and never given out again; the unit is degraded).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_interrupt_free(struct sluice_interrupt *interrupt);

/** How remapping stands over all units. */
struct sluice_interrupt_info {
    bool remapped;     /**< on; compatibility messages are refused */
    bool isolated;     /**< not remapped: the interrupt controller knows messages by their sender */
    bool x2apic;       /**< destinations have 32 bits */
    uint32_t entries;  /**< there are */
    uint32_t used;     /**< allocated now */
    uint32_t withheld; /**< never given out again: a unit did not confirm that it let go */
};

/** All zero before start. */
SLUICE_API void sluice_interrupt_info(struct sluice *sluice, struct sluice_interrupt_info *out);

#ifdef __cplusplus
}
#endif

#endif
