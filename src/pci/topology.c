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
