// SPDX-License-Identifier: MIT
/*
 * Who sends a message, as the unit sees it: a function's requester ID, or what a bridge makes of
 * it; an IOAPIC's or timer's, from firmware's tables.
 */
#include "interrupt/interrupt.h"

/*
 * A message is a write like any other, so it comes under the same IDs. Behind a conventional bridge
 * that is the bridge's own, always. Behind a bridge from PCI Express it is device 0 of the bus
 * below, or, for PCI-X, the sender's: there the buses are compared [VT-d 9.10, SVT; PCIe-PCI Bridge
 * 1.0, 2.3].
 */
void interrupt_source_of_device(const struct sluice_device *device, struct interrupt_block *block)
{
    struct sluice *sluice = device->sluice;
    uint16_t top;

    block->segment = device->segment;
    block->unit = device->unit;
    block->sources = device->sources;
    block->source_count = device->source_count;
    block->rid_count = pci_requester_ids(sluice, device->segment, device->rid, block->rids);
    top = block->rids[block->rid_count - 1]; /* the last that puts its ID on it */
    block->rid = top;
    block->first_bus = SLUICE_RID_BUS(top);
    block->last_bus = SLUICE_RID_BUS(device->rid);
    /* Not for an alias that only firmware knows of: that one is a function like any other. */
    block->by_bus = block->rid_count > 1 && (top & 0xffu) == 0 && SLUICE_RID_BUS(top) != 0 &&
                    block->first_bus <= block->last_bus &&
                    !pci_is_bridge(sluice, device->segment, top);
}

/* A scope's requester ID: by its path, or as the table says it. */
static bool scope_rid(struct sluice *sluice, const struct platform_scope *scope, uint16_t *out)
{
    if (scope->path_length > 0)
        return pci_scope_resolve(sluice, scope, out) == SLUICE_OK;
    *out = scope->source_rid;
    return true;
}

static bool take_scope(struct unit *unit, enum platform_scope_kind kind, uint8_t id,
                       struct interrupt_block *block)
{
    list_for_each(node, &unit->desc->scopes)
    {
        const struct platform_scope *scope = container_of(node, struct platform_scope, node);

        if (scope->kind != kind || scope->enum_id != id ||
            !scope_rid(unit->sluice, scope, &block->rid))
            continue;
        block->unit = unit;
        block->segment = scope->segment;
        block->rids[0] = block->rid;
        block->rid_count = 1;
        return true;
    }
    return false;
}

enum sluice_status interrupt_source_of_scope(struct sluice *sluice, enum platform_scope_kind kind,
                                             uint8_t id, struct interrupt_block *block)
{
    list_for_each(node, &sluice->units)
    {
        if (take_scope(container_of(node, struct unit, node), kind, id, block))
            return SLUICE_OK;
    }
    log_error(sluice, "no unit covers %s %u: its interrupts cannot be remapped",
              kind == PLATFORM_SCOPE_IOAPIC ? "IOAPIC" : "HPET", (unsigned)id);
    return SLUICE_ERR_NOT_FOUND;
}
