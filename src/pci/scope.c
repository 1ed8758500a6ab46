// SPDX-License-Identifier: MIT
/*
 * Device scopes: from a path in a firmware table to functions on buses [VT-d 8.3.1].
 */
#include "pci/pci.h"

enum sluice_status pci_scope_resolve(struct sluice *sluice, const struct platform_scope *scope,
                                     uint16_t *out_rid)
{
    uint8_t bus = scope->start_bus;

    if ((scope->kind != PLATFORM_SCOPE_PCI_DEVICE && scope->kind != PLATFORM_SCOPE_PCI_BRIDGE &&
         scope->kind != PLATFORM_SCOPE_IOAPIC && scope->kind != PLATFORM_SCOPE_HPET) ||
        scope->path_length == 0)
        return SLUICE_ERR_INVALID;
    for (size_t i = 0; i < scope->path_length && i < PCI_MAX_DEPTH; i++) {
        uint16_t rid = SLUICE_RID(bus, scope->path[2 * i], scope->path[2 * i + 1]);
        uint8_t secondary;

        if (i + 1 == scope->path_length) {
            *out_rid = rid;
            return SLUICE_OK;
        }
        if (sluice->ops->pci_read == NULL)
            return SLUICE_ERR_UNSUPPORTED;
        if (!pci_is_bridge(sluice, scope->segment, rid))
            return SLUICE_ERR_NOT_FOUND;
        secondary = (uint8_t)pci_read(sluice, scope->segment, rid, PCI_SECONDARY_BUS, 1);
        /* A bridge that was not numbered yet, or one that leads back up. */
        if (secondary <= bus)
            return SLUICE_ERR_NOT_FOUND;
        bus = secondary;
    }
    return SLUICE_ERR_NOT_FOUND;
}

/** Whether `rid` is the bridge itself or on a bus behind it. */
static bool bridge_covers(struct sluice *sluice, uint16_t segment, uint16_t bridge, uint16_t rid)
{
    uint8_t secondary;
    uint8_t subordinate;

    if (rid == bridge)
        return true;
    if (!pci_is_bridge(sluice, segment, bridge))
        return false;
    secondary = (uint8_t)pci_read(sluice, segment, bridge, PCI_SECONDARY_BUS, 1);
    subordinate = (uint8_t)pci_read(sluice, segment, bridge, PCI_SUBORDINATE_BUS, 1);
    return secondary > SLUICE_RID_BUS(bridge) && SLUICE_RID_BUS(rid) >= secondary &&
           SLUICE_RID_BUS(rid) <= subordinate;
}

/** A requester ID as a range counts it. */
static uint16_t masked(const struct platform_scope *scope, uint16_t rid)
{
    return (uint16_t)(rid & ~(unsigned)scope->rid_ignored);
}

bool pci_scope_covers(struct sluice *sluice, const struct platform_scope *scope, uint16_t segment,
                      uint16_t rid)
{
    uint16_t resolved;

    if (scope->kind == PLATFORM_SCOPE_PCI_RANGE)
        return segment >= scope->segment && segment <= scope->last_segment &&
               masked(scope, rid) >= scope->first_rid && masked(scope, rid) <= scope->last_rid;
    if (scope->segment != segment)
        return false;
    if (scope->kind != PLATFORM_SCOPE_PCI_DEVICE && scope->kind != PLATFORM_SCOPE_PCI_BRIDGE)
        return false;
    if (pci_scope_resolve(sluice, scope, &resolved) != SLUICE_OK)
        return false;
    if (scope->kind == PLATFORM_SCOPE_PCI_BRIDGE)
        return bridge_covers(sluice, segment, resolved, rid);
    return resolved == rid;
}

const struct platform_scope *pci_find_source(struct sluice *sluice,
                                             const struct platform_unit *unit, uint16_t segment,
                                             uint16_t rid, uint32_t *out_id)
{
    list_for_each(node, &unit->scopes)
    {
        const struct platform_scope *scope = container_of(node, struct platform_scope, node);

        if (scope->kind != PLATFORM_SCOPE_PCI_RANGE ||
            !pci_scope_covers(sluice, scope, segment, rid))
            continue;
        /* Segments of one range follow one by one as well [ACPI 5.2.33.3]. */
        *out_id = scope->first_id + ((uint32_t)(segment - scope->segment) << 16) +
                  (uint32_t)(masked(scope, rid) - scope->first_rid);
        return scope;
    }
    return NULL;
}

const struct platform_unit *pci_find_unit(struct sluice *sluice, uint16_t segment, uint16_t rid)
{
    const struct platform_unit *rest = NULL;

    list_for_each(node, &sluice->platform.units)
    {
        const struct platform_unit *unit = container_of(node, struct platform_unit, node);

        if (unit->segment == segment && unit->covers_rest && rest == NULL)
            rest = unit;
        list_for_each(scope_node, &unit->scopes)
        {
            if (pci_scope_covers(sluice, container_of(scope_node, struct platform_scope, node),
                                 segment, rid))
                return unit;
        }
    }
    return rest;
}
