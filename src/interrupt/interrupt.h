// SPDX-License-Identifier: MIT
/*
 * Interrupt remapping above the units: who may use entries, and what the public API checks.
 *
 *   decide.c  whether and how the instance remaps      source.c  who sends a device's messages
 *   alloc.c   blocks of entries                        route.c   where they go, and what to program
 *
 * Everything runs under sluice->lock; interrupts_decide runs in the state "changing".
 */
#ifndef SLUICE_INTERRUPT_INTERRUPT_H
#define SLUICE_INTERRUPT_INTERRUPT_H

#include "domain/domain.h"

#include <sluice/interrupt.h>

_Static_assert((unsigned)INTERRUPT_SOURCES_MAX == PCI_MAX_ALIASES, "a block holds every alias");

struct sluice_interrupt {
    struct interrupt_block block; /**< first */
    struct sluice *sluice;
    struct sluice_device *device; /**< MSI and MSI-X */
    char name[DOMAIN_NAME_BYTES];
    bool routed; /**< pins: route is what entry 0 says */
    struct sluice_interrupt_route route;
};

/**
 * After the units were probed and before they start: whether interrupts are remapped, and with
 * which destinations; every unit the same.
 * Returns: OK; UNSUPPORTED (asked for and not to be had; the log says why).
 */
SLUICE_MUST_CHECK enum sluice_status interrupts_decide(struct sluice *sluice);

/**
 * One entry for a requester of a device's unit and segment that is not the device, to try whether
 * the device can use it; free it with sluice_interrupt_free. Under sluice->lock.
 * Returns: as sluice_interrupt_alloc.
 */
SLUICE_MUST_CHECK enum sluice_status
interrupt_alloc_stranger_locked(const struct sluice_device *device, uint16_t rid,
                                struct sluice_interrupt **out);

/** Fills in who sends a PCI function's messages. */
void interrupt_source_of_device(const struct sluice_device *device, struct interrupt_block *block);
/** The same for an IOAPIC or HPET, and its unit. Returns: OK; NOT_FOUND. */
SLUICE_MUST_CHECK enum sluice_status interrupt_source_of_scope(struct sluice *sluice,
                                                               enum platform_scope_kind kind,
                                                               uint8_t id,
                                                               struct interrupt_block *block);

#endif
