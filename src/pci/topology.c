// SPDX-License-Identifier: MIT
/*
 * Which bridge is above a bus, and which ports lead outside.
 */
#include "pci/pci.h"

struct parent_search {
    struct sluice *sluice;
    uint8_t bus;
    bool found;
    uint16_t bridge;
    uint8_t secondary;
};

/**
 * The bridge whose secondary bus this is. Virtual functions may have bus numbers that are no
 * bridge's secondary bus [PCIe 9.2.1.2]: then the innermost bridge whose range has the number.
 */
static bool is_parent(void *arg, uint16_t segment, uint16_t rid)
{
    struct parent_search *search = arg;
    uint8_t secondary;
    uint8_t subordinate;

    if (!pci_is_bridge(search->sluice, segment, rid))
        return true;
    secondary = (uint8_t)pci_read(search->sluice, segment, rid, PCI_SECONDARY_BUS, 1);
    subordinate = (uint8_t)pci_read(search->sluice, segment, rid, PCI_SUBORDINATE_BUS, 1);
    if (secondary <= SLUICE_RID_BUS(rid) || secondary > search->bus ||
        (secondary < search->bus && subordinate < search->bus))
        return true;
    if (!search->found || secondary > search->secondary) {
        search->found = true;
        search->bridge = rid;
        search->secondary = secondary;
    }
    return secondary != search->bus;
}

bool pci_find_parent(struct sluice *sluice, uint16_t segment, uint8_t bus, uint16_t *out_bridge)
{
    struct parent_search search = {.sluice = sluice, .bus = bus};

    /* A bridge's secondary bus has a higher number than its primary [PCI-PCI Bridge 1.2, 3.2.5]. */
    if (bus == 0)
        return false;
    pci_visit_buses(sluice, segment, 0, (uint8_t)(bus - 1), is_parent, &search);
    *out_bridge = search.bridge;
    return search.found;
}

bool pci_is_external(struct sluice *sluice, uint16_t segment, uint16_t rid)
{
    list_for_each(node, &sluice->external_ports)
    {
        const struct external_port *port = container_of(node, struct external_port, node);

        if (port->segment == segment && port->rid == rid)
            return true;
    }
    return false;
}

/** Whether a bus is one of those that a port leads to; what answers there is not looked at. */
static bool leads_to(struct sluice *sluice, const struct external_port *port, unsigned bus)
{
    return bus >= pci_read(sluice, port->segment, port->rid, PCI_SECONDARY_BUS, 1) &&
           bus <= pci_read(sluice, port->segment, port->rid, PCI_SUBORDINATE_BUS, 1);
}

static bool leads_outside(struct sluice *sluice, uint32_t segment, unsigned bus)
{
    list_for_each(node, &sluice->external_ports)
    {
        const struct external_port *port = container_of(node, struct external_port, node);

        if (port->segment == segment && leads_to(sluice, port, bus))
            return true;
    }
    return false;
}

/** The same for a source ID that a range of requester IDs may come as. */
static bool id_of_range_is_outside(struct sluice *sluice, const struct platform_scope *scope,
                                   uint32_t id)
{
    uint32_t at = id - scope->first_id;
    uint32_t segment = scope->segment + (at >> 16);
    uint32_t rid = scope->first_rid + (at & 0xffffu);

    if (id < scope->first_id || segment > scope->last_segment || rid > scope->last_rid ||
        (rid & scope->rid_ignored) != 0)
        return false;
    /* Buses whose numbers differ only in what the range ignores come as the same ID. */
    for (unsigned bus = 0; bus <= UINT8_MAX; bus++) {
        if ((bus << 8 & ~(unsigned)scope->rid_ignored) == (rid & 0xff00u) &&
            leads_outside(sluice, segment, bus))
            return true;
    }
    return false;
}

bool pci_id_below_external(struct sluice *sluice, const struct platform_unit *unit, uint32_t id)
{
    if (list_empty(&sluice->external_ports))
        return false;
    list_for_each(node, &unit->scopes)
    {
        const struct platform_scope *scope = container_of(node, struct platform_scope, node);

        if (scope->kind == PLATFORM_SCOPE_PCI_RANGE && id_of_range_is_outside(sluice, scope, id))
            return true;
    }
    return false;
}

bool pci_below_external(struct sluice *sluice, uint16_t segment, uint16_t rid)
{
    uint8_t bus = SLUICE_RID_BUS(rid);
    uint16_t bridge;

    if (list_empty(&sluice->external_ports))
        return false;
    for (unsigned depth = 0;
         depth < PCI_MAX_DEPTH && pci_find_parent(sluice, segment, bus, &bridge); depth++) {
        if (pci_is_external(sluice, segment, bridge))
            return true;
        bus = SLUICE_RID_BUS(bridge);
    }
    return false;
}
