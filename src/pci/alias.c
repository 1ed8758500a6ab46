// SPDX-License-Identifier: MIT
/*
 * Requester-ID aliases: bridges to conventional PCI put their own ID on what passes through them,
 * so the unit cannot tell the devices behind one apart. Some devices use another function's ID, of
 * which only firmware knows.
 */
#include "pci/pci.h"

struct parent_search {
    struct sluice *sluice;
    uint8_t bus;
    bool found;
    uint16_t bridge;
};

static bool is_parent(void *arg, uint16_t segment, uint16_t rid)
{
    struct parent_search *search = arg;

    if (pci_is_bridge(search->sluice, segment, rid) &&
        (uint8_t)pci_read(search->sluice, segment, rid, PCI_SECONDARY_BUS, 1) == search->bus) {
        search->found = true;
        search->bridge = rid;
    }
    return !search->found;
}

/** The bridge whose secondary bus is `bus`; false for a root bus. */
static bool find_parent(struct sluice *sluice, uint16_t segment, uint8_t bus, uint16_t *out_bridge)
{
    struct parent_search search = {.sluice = sluice, .bus = bus};

    /* A bridge's secondary bus has a higher number than its primary [PCI-PCI Bridge 1.2, 3.2.5]. */
    if (bus == 0)
        return false;
    pci_visit_buses(sluice, segment, 0, (uint8_t)(bus - 1), is_parent, &search);
    *out_bridge = search.bridge;
    return search.found;
}

static void add_alias(uint16_t rids[PCI_MAX_ALIASES], unsigned *count, uint16_t rid)
{
    for (unsigned i = 0; i < *count; i++) {
        if (rids[i] == rid)
            return;
    }
    if (*count < PCI_MAX_ALIASES)
        rids[(*count)++] = rid;
}

/** IDs that firmware says the function's requests carry (alias entries of an IVHD). */
static void add_firmware_aliases(struct sluice *sluice, uint16_t segment, uint16_t rid,
                                 uint16_t rids[PCI_MAX_ALIASES], unsigned *count)
{
    list_for_each(node, &sluice->platform.units)
    {
        const struct platform_unit *unit = container_of(node, struct platform_unit, node);

        list_for_each(scope_node, &unit->scopes)
        {
            const struct platform_scope *scope =
                container_of(scope_node, struct platform_scope, node);

            if (scope->aliased && pci_scope_covers(sluice, scope, segment, rid))
                add_alias(rids, count, scope->source_rid);
        }
    }
}

unsigned pci_requester_ids(struct sluice *sluice, uint16_t segment, uint16_t rid,
                           uint16_t out_rids[PCI_MAX_ALIASES])
{
    uint8_t bus = SLUICE_RID_BUS(rid);
    unsigned count = 0;
    uint16_t bridge;

    add_alias(out_rids, &count, rid);
    add_firmware_aliases(sluice, segment, rid, out_rids, &count);
    for (unsigned depth = 0; depth < PCI_MAX_DEPTH && find_parent(sluice, segment, bus, &bridge);
         depth++) {
        switch (pci_express_type(sluice, segment, bridge)) {
        case PCI_EXPRESS_TO_PCI:
            /* Takes ownership as device 0 of its secondary bus [PCIe-PCI Bridge 1.0, 2.3]. */
            add_alias(out_rids, &count, SLUICE_RID(bus, 0, 0));
            break;
        case PCI_TO_EXPRESS:
        case PCI_EXPRESS_NONE:
            /* A conventional bridge forwards under its own ID on the bus above. */
            add_alias(out_rids, &count, bridge);
            break;
        default:
            /* Root ports and switch ports leave the requester ID alone. */
            break;
        }
        bus = SLUICE_RID_BUS(bridge);
    }
    return count;
}
