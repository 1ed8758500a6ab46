// SPDX-License-Identifier: MIT
/*
 * Configuration space: presence, header type, capabilities, enumeration of a range of buses.
 */
#include "pci/pci.h"

bool pci_present(struct sluice *sluice, uint16_t segment, uint16_t rid)
{
    uint32_t vendor = pci_read(sluice, segment, rid, PCI_VENDOR_ID, 2) & 0xffffu;

    return vendor != 0xffffu && vendor != 0;
}

static uint8_t header_type(struct sluice *sluice, uint16_t segment, uint16_t rid)
{
    return (uint8_t)pci_read(sluice, segment, rid, PCI_HEADER_TYPE, 1);
}

bool pci_is_bridge(struct sluice *sluice, uint16_t segment, uint16_t rid)
{
    return pci_present(sluice, segment, rid) &&
           (header_type(sluice, segment, rid) & PCI_HEADER_MASK) == PCI_HEADER_BRIDGE;
}

uint16_t pci_find_capability(struct sluice *sluice, uint16_t segment, uint16_t rid, uint8_t id)
{
    return pci_next_capability(sluice, segment, rid, 0, id);
}

uint16_t pci_next_capability(struct sluice *sluice, uint16_t segment, uint16_t rid, uint16_t after,
                             uint8_t id)
{
    uint32_t status = pci_read(sluice, segment, rid, PCI_STATUS, 2);
    uint16_t at;

    if (status == UINT32_MAX || (status & PCI_STATUS_CAPABILITIES) == 0)
        return 0;
    at = after == 0 ? PCI_CAPABILITIES : (uint16_t)(after + 1u);
    at = (uint16_t)(pci_read(sluice, segment, rid, at, 1) & 0xfcu);
    /* 48 capabilities of 4 bytes fill the space after the header: a longer list is a loop. */
    for (unsigned count = 0; count < 48 && at >= 0x40; count++) {
        uint32_t entry = pci_read(sluice, segment, rid, at, 2) & 0xffffu;

        if ((entry & 0xffu) == id)
            return at;
        at = (uint16_t)((entry >> 8) & 0xfcu);
    }
    return 0;
}

uint16_t pci_find_extended(struct sluice *sluice, uint16_t segment, uint16_t rid, uint16_t id)
{
    uint16_t at = PCI_EXTENDED;

    /* 960 headers of 4 bytes fill the space: a longer list is a loop. */
    for (unsigned count = 0; count < 960 && at >= PCI_EXTENDED; count++) {
        uint32_t header = pci_read(sluice, segment, rid, at, 4);

        if (header == 0 || header == UINT32_MAX)
            return 0;
        if ((header & 0xffffu) == id)
            return at;
        at = (uint16_t)((header >> 20) & 0xffcu);
    }
    return 0;
}

enum pci_express_type pci_express_type(struct sluice *sluice, uint16_t segment, uint16_t rid)
{
    uint16_t at = pci_find_capability(sluice, segment, rid, PCI_CAP_ID_EXPRESS);

    if (at == 0)
        return PCI_EXPRESS_NONE;
    return (enum pci_express_type)((pci_read(sluice, segment, rid, (uint16_t)(at + 2), 2) >> 4) &
                                   0xfu);
}

/** Visits the functions of one device; false when the visitor had enough. */
static bool visit_device(struct sluice *sluice, uint16_t segment, uint16_t rid, pci_visitor *visit,
                         void *arg)
{
    unsigned functions = 1;

    if (!pci_present(sluice, segment, rid))
        return true;
    if ((header_type(sluice, segment, rid) & PCI_HEADER_MULTIFUNCTION) != 0)
        functions = 8;
    for (unsigned function = 0; function < functions; function++) {
        uint16_t at = (uint16_t)(rid | function);

        if (function > 0 && !pci_present(sluice, segment, at))
            continue;
        if (!visit(arg, segment, at))
            return false;
    }
    return true;
}

void pci_visit_buses(struct sluice *sluice, uint16_t segment, uint8_t first_bus, uint8_t last_bus,
                     pci_visitor *visit, void *arg)
{
    for (unsigned bus = first_bus; bus <= last_bus; bus++) {
        for (unsigned device = 0; device < 32; device++) {
            if (!visit_device(sluice, segment, SLUICE_RID(bus, device, 0), visit, arg))
                return;
        }
    }
}
