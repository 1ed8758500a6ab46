// SPDX-License-Identifier: MIT
/*
 * Blocks of entries: allocated refusing, freed when the unit has let go.
 */
#include "group/group.h"
#include "interrupt/interrupt.h"

static bool config_is_possible(const struct sluice_interrupt_config *config)
{
    switch (config->kind) {
    case SLUICE_INTERRUPT_MSI:
        return config->device != NULL && config->count > 0 &&
               config->count <= SLUICE_INTERRUPT_MSI_MAX &&
               (config->count & (config->count - 1)) == 0;
    case SLUICE_INTERRUPT_MSIX:
        return config->device != NULL && config->count > 0 &&
               config->count <= SLUICE_INTERRUPT_MSIX_MAX;
    case SLUICE_INTERRUPT_IOAPIC:
    case SLUICE_INTERRUPT_HPET:
        return config->device == NULL && config->count == 1;
    default:
        return false;
    }
}

static enum sluice_status find_source(struct sluice *sluice,
                                      const struct sluice_interrupt_config *config,
                                      struct interrupt_block *block)
{
    enum platform_scope_kind kind =
        config->kind == SLUICE_INTERRUPT_IOAPIC ? PLATFORM_SCOPE_IOAPIC : PLATFORM_SCOPE_HPET;

    if (config->device == NULL)
        return interrupt_source_of_scope(sluice, kind, config->unit_id, block);
    if (config->device->bus != SLUICE_BUS_PCI)
        return SLUICE_ERR_UNSUPPORTED; /* it sends no messages that a unit could tell by source */
    interrupt_source_of_device(config->device, block);
    return SLUICE_OK;
}

static struct sluice_interrupt *make(struct sluice *sluice,
                                     const struct sluice_interrupt_config *config)
{
    struct sluice_interrupt *interrupt = host_alloc(sluice, sizeof(*interrupt));

    if (interrupt == NULL)
        return NULL;
    interrupt->sluice = sluice;
    interrupt->device = config->device;
    interrupt->block.kind = config->kind;
    interrupt->block.count = config->count;
    format_text(interrupt->name, sizeof(interrupt->name), "%s",
                config->name != NULL ? config->name : "");
    return interrupt;
}

/** Takes the entries of a block whose source is known, unless that failed; else frees it. */
static enum sluice_status take_entries(struct sluice_interrupt *interrupt,
                                       enum sluice_status status)
{
    struct interrupt_block *block = &interrupt->block;
    struct sluice *sluice = interrupt->sluice;

    if (status == SLUICE_OK)
        status = block->unit->ops->interrupt_alloc(block->unit, block);
    if (status != SLUICE_OK) {
        host_free(sluice, interrupt, sizeof(*interrupt));
        return status;
    }
    list_append(&sluice->interrupts, &block->node);
    if (interrupt->device != NULL)
        interrupt->device->interrupts++;
    return SLUICE_OK;
}

static enum sluice_status alloc_locked(struct sluice *sluice,
                                       const struct sluice_interrupt_config *config,
                                       struct sluice_interrupt **out)
{
    struct sluice_interrupt *interrupt = make(sluice, config);
    enum sluice_status status;

    if (interrupt == NULL)
        return SLUICE_ERR_NO_MEMORY;
    status = take_entries(interrupt, find_source(sluice, config, &interrupt->block));
    if (status == SLUICE_OK)
        *out = interrupt;
    return status;
}

enum sluice_status interrupt_alloc_stranger_locked(const struct sluice_device *device, uint16_t rid,
                                                   struct sluice_interrupt **out)
{
    const struct sluice_interrupt_config config = {
        .kind = SLUICE_INTERRUPT_MSI, .count = 1, .name = "nobody"};
    struct sluice_interrupt *interrupt = make(device->sluice, &config);
    enum sluice_status status;

    if (interrupt == NULL)
        return SLUICE_ERR_NO_MEMORY;
    interrupt->block.unit = device->unit;
    interrupt->block.segment = device->segment;
    interrupt->block.rid = interrupt->block.rids[0] = rid;
    interrupt->block.rid_count = 1;
    status = take_entries(interrupt, SLUICE_OK);
    if (status == SLUICE_OK)
        *out = interrupt;
    return status;
}

enum sluice_status sluice_interrupt_alloc(struct sluice *sluice,
                                          const struct sluice_interrupt_config *config,
                                          struct sluice_interrupt **out)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    sluice_irqstate_t irq;

    if (sluice == NULL || config == NULL || out == NULL || !config_is_possible(config) ||
        (config->device != NULL && config->device->sluice != sluice))
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_STARTED && sluice->remaps_interrupts)
        status = alloc_locked(sluice, config, out);
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

enum sluice_status sluice_interrupt_free(struct sluice_interrupt *interrupt)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    struct interrupt_block *block;
    struct sluice *sluice;
    sluice_irqstate_t irq;

    if (interrupt == NULL)
        return SLUICE_OK;
    sluice = interrupt->sluice;
    block = &interrupt->block;
    irq = sluice_spin_lock(&sluice->lock);
    if (instance_lets_go(sluice)) {
        status = block->unit->ops->interrupt_free(block->unit, block);
        if (status != SLUICE_OK)
            log_error(sluice, "%s: entries %u to %u of '%s' are withheld: %s", block->unit->name,
                      (unsigned)block->first, (unsigned)(block->first + block->count - 1),
                      interrupt->name, sluice_status_text(status));
        list_remove(&block->node);
        if (interrupt->device != NULL)
            interrupt->device->interrupts--;
        host_free(sluice, interrupt, sizeof(*interrupt));
    }
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

void sluice_interrupt_info(struct sluice *sluice, struct sluice_interrupt_info *out)
{
    sluice_irqstate_t irq;

    if (out == NULL)
        return;
    *out = (struct sluice_interrupt_info){0};
    if (sluice == NULL)
        return;
    irq = sluice_spin_lock(&sluice->lock);
    if (instance_is_listed(sluice))
        out->isolated = !sluice->remaps_interrupts && messages_isolated(sluice, NULL);
    if (sluice->remaps_interrupts && instance_is_listed(sluice)) {
        out->remapped = true;
        out->x2apic = sluice->x2apic;
        list_for_each(node, &sluice->units)
        {
            struct unit *unit = container_of(node, struct unit, node);

            unit->ops->interrupt_count(unit, out);
        }
    }
    sluice_spin_unlock(&sluice->lock, irq);
}
