// SPDX-License-Identifier: MIT
/*
 * Requester-ID aliases: bridges to conventional PCI put their own ID on what passes through them,
 * so the unit cannot tell the devices behind one apart. Some devices use another function's ID, of
 * which only firmware or quirk.c knows.
 */
#include "pci/pci.h"

/** Counts on past the last that there is room for, so that the caller sees that some are lost. */
static void add_alias(uint16_t rids[PCI_MAX_ALIASES], unsigned *count, uint16_t rid)
{
    for (unsigned i = 0; i < *count && i < PCI_MAX_ALIASES; i++) {
        if (rids[i] == rid)
            return;
    }
    if (*count < PCI_MAX_ALIASES)
        rids[*count] = rid;
    ++*count;
}

static unsigned that_fit(unsigned count)
{
    return count < PCI_MAX_ALIASES ? count : PCI_MAX_ALIASES;
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

/** IDs that a known device uses instead of its own. */
static void add_quirk_aliases(struct sluice *sluice, uint16_t segment, uint16_t rid,
                              uint16_t rids[PCI_MAX_ALIASES], unsigned *count)
{
    const struct pci_quirk *quirk;

    quirk = pci_quirk_find(sluice, segment, rid, PCI_QUIRK_REQUESTS_AS_FUNCTION);
    if (quirk != NULL)
        add_alias(rids, count, (uint16_t)((rid & ~7u) | quirk->value));
    quirk = pci_quirk_find(sluice, segment, rid, PCI_QUIRK_REQUESTS_AS_DEVICE);
    if (quirk != NULL)
        add_alias(rids, count, (uint16_t)((rid & 0xff00u) | quirk->value));
}

static unsigned own_ids(struct sluice *sluice, uint16_t segment, uint16_t rid,
                        uint16_t out_rids[PCI_MAX_ALIASES])
{
    unsigned count = 0;

    add_alias(out_rids, &count, rid);
    add_firmware_aliases(sluice, segment, rid, out_rids, &count);
    add_quirk_aliases(sluice, segment, rid, out_rids, &count);
    return count;
}

unsigned pci_own_ids(struct sluice *sluice, uint16_t segment, uint16_t rid,
                     uint16_t out_rids[PCI_MAX_ALIASES])
{
    return that_fit(own_ids(sluice, segment, rid, out_rids));
}

/** A root port or a switch port: what is below it sits on a link. */
static bool leads_to_link(struct sluice *sluice, uint16_t segment, uint16_t bridge)
{
    enum pci_express_type type = pci_express_type(sluice, segment, bridge);

    return type == PCI_EXPRESS_ROOT_PORT || type == PCI_EXPRESS_DOWNSTREAM;
}

enum pci_passage pci_bridge_passage(struct sluice *sluice, uint16_t segment, uint16_t bridge)
{
    uint16_t above;

    switch (pci_express_type(sluice, segment, bridge)) {
    case PCI_EXPRESS_TO_PCI:
        return PCI_PASSAGE_BELOW;
    case PCI_TO_EXPRESS:
        return PCI_PASSAGE_OWN;
    case PCI_EXPRESS_NONE:
        /* On a link there is no conventional bridge: this one hides its capability. */
        if (pci_quirk_find(sluice, segment, bridge, PCI_QUIRK_EXPRESS_BRIDGE) != NULL &&
            pci_find_parent(sluice, segment, SLUICE_RID_BUS(bridge), &above) &&
            leads_to_link(sluice, segment, above))
            return PCI_PASSAGE_BELOW;
        return PCI_PASSAGE_OWN;
    default:
        return PCI_PASSAGE_KEEPS;
    }
}

static unsigned all_ids(struct sluice *sluice, uint16_t segment, uint16_t rid,
                        uint16_t out_rids[PCI_MAX_ALIASES])
{
    uint8_t bus = SLUICE_RID_BUS(rid);
    unsigned count = own_ids(sluice, segment, rid, out_rids);
    uint16_t bridge;

    for (unsigned depth = 0;
         depth < PCI_MAX_DEPTH && pci_find_parent(sluice, segment, bus, &bridge); depth++) {
        switch (pci_bridge_passage(sluice, segment, bridge)) {
        case PCI_PASSAGE_BELOW:
            /* Takes ownership as device 0 of its secondary bus [PCIe-PCI Bridge 1.0, 2.3]. */
            add_alias(out_rids, &count, SLUICE_RID(bus, 0, 0));
            break;
        case PCI_PASSAGE_OWN:
            /* A conventional bridge forwards under its own ID on the bus above. */
            add_alias(out_rids, &count, bridge);
            break;
        default:
            break;
        }
        bus = SLUICE_RID_BUS(bridge);
    }
    return count;
}

unsigned pci_requester_ids(struct sluice *sluice, uint16_t segment, uint16_t rid,
                           uint16_t out_rids[PCI_MAX_ALIASES])
{
    return that_fit(all_ids(sluice, segment, rid, out_rids));
}

bool pci_requester_ids_fit(struct sluice *sluice, uint16_t segment, uint16_t rid)
{
    uint16_t rids[PCI_MAX_ALIASES];

    if (all_ids(sluice, segment, rid, rids) <= PCI_MAX_ALIASES)
        return true;
    log_error(sluice, LOG_RID ": firmware and bridges give it more than %u requester IDs: refused",
              LOG_RID_ARGS(segment, rid), PCI_MAX_ALIASES);
    return false;
}
