// SPDX-License-Identifier: MIT
/*
 * Where an entry leads, and what to program so that a message names it.
 */
#include "interrupt/interrupt.h"

#include "core/doorbell.h"

#define VECTOR_MIN   16u /* lower ones are exceptions [SDM 3 10.5.2] */
#define VECTOR_MAX   0xffu
#define XAPIC_MAX    0xffu
#define IDENTITY_MAX 2047u /* of an interrupt file; 0 is none [RISC-V AIA 3.1] */

/* To an interrupt file, where only its identity is said. */
static bool file_is_possible(const struct sluice_interrupt *interrupt,
                             const struct sluice_interrupt_route *route)
{
    sluice_phys_t page;

    return route->vector >= 1 && route->vector <= IDENTITY_MAX && !route->logical &&
           !route->level && !route->active_low && route->delivery == SLUICE_INTERRUPT_FIXED &&
           host_doorbell_page(interrupt->sluice, route->destination, &page);
}

static bool route_is_possible(const struct sluice_interrupt *interrupt,
                              const struct sluice_interrupt_route *route)
{
    bool pin = interrupt->block.kind == SLUICE_INTERRUPT_IOAPIC;

    if (interrupt->block.unit->caps.interrupt_files)
        return file_is_possible(interrupt, route);
    if (route->vector < VECTOR_MIN || route->vector > VECTOR_MAX ||
        ((route->level || route->active_low) && !pin))
        return false;
    if (!interrupt->sluice->x2apic && route->destination > XAPIC_MAX)
        return false;
    if (route->delivery == SLUICE_INTERRUPT_LOWEST_PRIORITY)
        return route->logical;
    return route->delivery == SLUICE_INTERRUPT_FIXED;
}

/* One entry; `route` NULL: it refuses. */
static enum sluice_status write_entry(struct sluice_interrupt *interrupt, unsigned index,
                                      const struct sluice_interrupt_route *route)
{
    struct interrupt_block *block = &interrupt->block;
    struct sluice *sluice = interrupt->sluice;
    enum sluice_status status = SLUICE_ERR_STATE;
    sluice_irqstate_t irq = sluice_spin_lock(&sluice->lock);

    if (sluice->state == INSTANCE_STARTED) {
        if (route != NULL && !route_is_possible(interrupt, route)) {
            status = SLUICE_ERR_INVALID;
        } else if (route != NULL && interrupt->device != NULL && interrupt->device->quarantined) {
            status = SLUICE_ERR_STATE;
        } else {
            status = block->unit->ops->interrupt_write(block->unit, block, index, route);
            interrupt->routed = route != NULL;
            if (route != NULL)
                interrupt->route = *route;
        }
    }
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

enum sluice_status sluice_interrupt_route(struct sluice_interrupt *interrupt, unsigned index,
                                          const struct sluice_interrupt_route *route)
{
    if (interrupt == NULL || route == NULL)
        return SLUICE_ERR_INVALID;
    if (index >= interrupt->block.count)
        return SLUICE_ERR_RANGE;
    return write_entry(interrupt, index, route);
}

enum sluice_status sluice_interrupt_mask(struct sluice_interrupt *interrupt, unsigned index)
{
    if (interrupt == NULL)
        return SLUICE_ERR_INVALID;
    if (index >= interrupt->block.count)
        return SLUICE_ERR_RANGE;
    return write_entry(interrupt, index, NULL);
}

/* False when the instance is in no state to answer. */
static bool message_of(struct sluice_interrupt *interrupt, unsigned index,
                       struct interrupt_message *out)
{
    struct interrupt_block *block = &interrupt->block;
    struct sluice *sluice = interrupt->sluice;
    sluice_irqstate_t irq = sluice_spin_lock(&sluice->lock);
    bool started = instance_is_listed(sluice);

    if (started)
        block->unit->ops->interrupt_message(block->unit, block, index,
                                            interrupt->routed ? &interrupt->route : NULL, out);
    sluice_spin_unlock(&sluice->lock, irq);
    return started;
}

enum sluice_status sluice_interrupt_message(struct sluice_interrupt *interrupt, unsigned index,
                                            struct sluice_msi *out)
{
    struct interrupt_message message;

    if (interrupt == NULL || out == NULL || interrupt->block.kind == SLUICE_INTERRUPT_IOAPIC)
        return SLUICE_ERR_INVALID;
    if (index >= interrupt->block.count ||
        (interrupt->block.kind == SLUICE_INTERRUPT_MSI && index != 0))
        return SLUICE_ERR_RANGE;
    if (!message_of(interrupt, index, &message) || message.msi.address == 0)
        return SLUICE_ERR_STATE;
    *out = message.msi;
    return SLUICE_OK;
}

enum sluice_status sluice_interrupt_ioapic_entry(struct sluice_interrupt *interrupt,
                                                 uint64_t *out_entry)
{
    struct interrupt_message message;

    if (interrupt == NULL || out_entry == NULL || interrupt->block.kind != SLUICE_INTERRUPT_IOAPIC)
        return SLUICE_ERR_INVALID;
    if (!message_of(interrupt, 0, &message) || message.ioapic == 0)
        return SLUICE_ERR_STATE;
    *out_entry = message.ioapic;
    return SLUICE_OK;
}
