// SPDX-License-Identifier: MIT
/*
 * Configuration access, capabilities and messages [PCI 3.0 6.1, 6.7, 6.8; PCIe 7.2.2]. The walk
 * over the buses is in pci_scan.c.
 */
#include "pci.h"

#include "arch.h"
#include "mmio.h"
#include "pci_scan.h"

#define COMMAND          0x04u
#define COMMAND_MEMORY   (1u << 1)
#define COMMAND_MASTER   (1u << 2)
#define COMMAND_INTX_OFF (1u << 10)
#define STATUS           0x06u
#define STATUS_CAPS      (1u << 4)
#define CAP_POINTER      0x34u
#define CAPS_LIMIT       48u /* as many as fit 192 bytes */

#define PCIE_TYPE_PCI_BRIDGE 7u /* [PCIe 7.5.3.2] */

#define MSI_CONTROL        2u
#define MSI_ENABLE         (1u << 0)
#define MSI_64             (1u << 7)
#define MSIX_CONTROL       2u
#define MSIX_ENABLE        (1u << 15)
#define MSIX_FUNCTION_MASK (1u << 14)
#define MSIX_TABLE         4u
#define MSIX_LAST_ENTRY    0x7ffu
#define MSIX_ENTRY_BYTES   16u

static volatile uint8_t *ecam_base;
static struct pci_ecam ecam;

void pci_set_ecam(const struct pci_ecam *where)
{
    ecam = *where;
    uint64_t buses = (uint64_t)(where->last_bus - where->first_bus) + 1;
    ecam_base = arch_map_mmio(where->phys + ((uint64_t)where->first_bus << 20), buses << 20);
}

static volatile uint8_t *config(uint16_t segment, uint16_t rid, unsigned offset, unsigned bytes)
{
    unsigned bus = rid >> 8;
    if (ecam_base == NULL || segment != ecam.segment || bus < ecam.first_bus ||
        bus > ecam.last_bus || offset > 4096 - bytes || (offset & (bytes - 1)) != 0)
        return NULL;
    return ecam_base + ((uint64_t)(bus - ecam.first_bus) << 20) + ((uint64_t)(rid & 0xff) << 12) +
           offset;
}

uint32_t pci_config_read(uint16_t segment, uint16_t rid, unsigned offset, unsigned bytes)
{
    volatile uint8_t *at = config(segment, rid, offset, bytes);
    if (at == NULL)
        return UINT32_MAX;
    switch (bytes) {
    case 1:
        return mmio_read8(at, 0);
    case 2:
        return mmio_read16(at, 0);
    default:
        return mmio_read32(at, 0);
    }
}

void pci_config_write(uint16_t segment, uint16_t rid, unsigned offset, unsigned bytes,
                      uint32_t value)
{
    volatile uint8_t *at = config(segment, rid, offset, bytes);
    if (at == NULL)
        return;
    switch (bytes) {
    case 1:
        mmio_write8(at, 0, (uint8_t)value);
        break;
    case 2:
        mmio_write16(at, 0, (uint16_t)value);
        break;
    default:
        mmio_write32(at, 0, value);
    }
}

uint16_t pci_rid(const struct pci_device *device)
{
    return (uint16_t)((device->bus << 8) | device->devfn);
}

uint16_t pci_source_rid(const struct pci_device *device)
{
    uint16_t source = pci_rid(device);
    const struct pci_device *bridge = device->behind;
    for (unsigned depth = 0; bridge != NULL && depth < 8; depth++, bridge = bridge->behind) {
        unsigned cap = pci_device_capability(bridge, PCI_CAP_PCIE, 0);
        if (cap == 0)
            source = pci_rid(bridge);
        else if (((pci_read(bridge, cap + 2, 2) >> 4) & 15) == PCIE_TYPE_PCI_BRIDGE)
            source = (uint16_t)(bridge->secondary_bus << 8);
    }
    return source;
}

uint32_t pci_read(const struct pci_device *device, unsigned offset, unsigned bytes)
{
    return pci_config_read(device->segment, pci_rid(device), offset, bytes);
}

void pci_write(const struct pci_device *device, unsigned offset, unsigned bytes, uint32_t value)
{
    pci_config_write(device->segment, pci_rid(device), offset, bytes, value);
}

unsigned pci_device_capability(const struct pci_device *device, uint8_t id, unsigned after)
{
    if ((pci_read(device, STATUS, 2) & STATUS_CAPS) == 0)
        return 0;
    unsigned at = pci_read(device, after == 0 ? CAP_POINTER : after + 1, 1) & 0xfc;
    for (unsigned i = 0; i < CAPS_LIMIT && at >= 0x40; i++) {
        if (pci_read(device, at, 1) == id)
            return at;
        at = pci_read(device, at + 1, 1) & 0xfc;
    }
    return 0;
}

void pci_enable(const struct pci_device *device)
{
    uint32_t command = pci_read(device, COMMAND, 2);
    pci_write(device, COMMAND, 2, command | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_INTX_OFF);
}

void pci_set_bus_master(const struct pci_device *device, bool on)
{
    uint32_t command = pci_read(device, COMMAND, 2) & ~COMMAND_MASTER;
    pci_write(device, COMMAND, 2, command | (on ? COMMAND_MASTER : 0));
}

bool pci_is_bus_master(const struct pci_device *device)
{
    return (pci_read(device, COMMAND, 2) & COMMAND_MASTER) != 0;
}

volatile void *pci_map_bar(const struct pci_device *device, unsigned bar)
{
    if (bar >= PCI_BARS || device->bars[bar].bytes == 0 || device->bars[bar].is_io)
        return NULL;
    return arch_map_mmio(device->bars[bar].phys, device->bars[bar].bytes);
}

bool pci_set_msix_entry(struct pci_device *device, unsigned entry, uint64_t address, uint32_t data)
{
    unsigned cap = pci_device_capability(device, PCI_CAP_MSIX, 0);
    if (cap == 0 || entry > (pci_read(device, cap + MSIX_CONTROL, 2) & MSIX_LAST_ENTRY))
        return false;
    uint32_t table = pci_read(device, cap + MSIX_TABLE, 4), at = entry * MSIX_ENTRY_BYTES;
    volatile uint8_t *base = pci_map_bar(device, table & 7);
    if (base == NULL)
        return false;
    device->msix_table = base + (table & ~7u);
    /* No firmware may have turned its bars on, and its driver comes later. */
    pci_write(device, COMMAND, 2, pci_read(device, COMMAND, 2) | COMMAND_MEMORY);
    pci_write(device, cap + MSIX_CONTROL, 2, MSIX_ENABLE | MSIX_FUNCTION_MASK);
    mmio_write32(device->msix_table, at, (uint32_t)address);
    mmio_write32(device->msix_table, at + 4, (uint32_t)(address >> 32));
    mmio_write32(device->msix_table, at + 8, data);
    mmio_write32(device->msix_table, at + 12, 0); /* not masked */
    pci_write(device, cap + MSIX_CONTROL, 2, MSIX_ENABLE);
    return true;
}

bool pci_set_message(struct pci_device *device, uint64_t address, uint32_t data)
{
    unsigned cap = pci_device_capability(device, PCI_CAP_MSIX, 0);
    if (cap != 0)
        return pci_set_msix_entry(device, 0, address, data);
    cap = pci_device_capability(device, PCI_CAP_MSI, 0);
    if (cap == 0)
        return false;
    uint32_t control = pci_read(device, cap + MSI_CONTROL, 2);
    pci_write(device, cap + 4, 4, (uint32_t)address);
    if ((control & MSI_64) != 0)
        pci_write(device, cap + 8, 4, (uint32_t)(address >> 32));
    pci_write(device, cap + ((control & MSI_64) != 0 ? 12 : 8), 2, data);
    pci_write(device, cap + MSI_CONTROL, 2, (control & ~0x70u) | MSI_ENABLE); /* one message */
    return true;
}

void pci_clear_message(struct pci_device *device)
{
    unsigned cap = pci_device_capability(device, PCI_CAP_MSIX, 0);
    if (cap != 0)
        pci_write(device, cap + MSIX_CONTROL, 2, 0);
    cap = pci_device_capability(device, PCI_CAP_MSI, 0);
    if (cap != 0) {
        uint32_t control = pci_read(device, cap + MSI_CONTROL, 2);
        pci_write(device, cap + MSI_CONTROL, 2, control & ~MSI_ENABLE);
    }
}
