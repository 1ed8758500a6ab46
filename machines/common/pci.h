// SPDX-License-Identifier: MIT
/*
 * PCI as the machine sees it: configuration space through ECAM, a list of the functions found,
 * bars, message-signalled interrupts.
 */
#ifndef MACHINE_PCI_H
#define MACHINE_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_DEVICES_LIMIT 64u
#define PCI_BARS          6u

#define PCI_CAP_MSI    0x05u
#define PCI_CAP_VENDOR 0x09u
#define PCI_CAP_PCIE   0x10u
#define PCI_CAP_MSIX   0x11u

struct pci_bar {
    uint64_t phys, bytes; /* bytes is 0 for none */
    bool is_io, is_64;
};

struct pci_device {
    uint16_t segment;
    uint8_t bus, devfn;
    uint16_t vendor, device;
    uint32_t class_code; /* base, sub, interface */
    bool is_bridge;
    uint8_t secondary_bus;
    const struct pci_device *behind; /* the bridge above, NULL on a root bus */
    struct pci_bar bars[PCI_BARS];
    volatile void *msix_table;
};

/** Where the configuration space of one segment's buses lies. */
struct pci_ecam {
    uint64_t phys; /* of bus 0, also when first_bus is not 0 [PCI Firmware 3.3, 4.1.2] */
    uint16_t segment;
    uint8_t first_bus, last_bus;
};

/** Walks all buses, numbers bridges and places bars that firmware has not. */
void pci_init(const struct pci_ecam *ecam);

unsigned pci_count(void);
struct pci_device *pci_get(unsigned index);
/** The `index`th function with these IDs, or NULL. */
struct pci_device *pci_find(uint16_t vendor, uint16_t device, unsigned index);
struct pci_device *pci_find_class(uint32_t class_code, unsigned index);

/** Requester ID on the bus the function sits on. */
uint16_t pci_rid(const struct pci_device *device);

/**
 * Requester ID that the rest of the machine sees: behind a conventional bridge the bridge takes
 * ownership [PCIe-to-PCI bridge 1.0 2.3], with its own ID or, for a PCIe bridge, that of device 0
 * on its secondary bus.
 */
uint16_t pci_source_rid(const struct pci_device *device);

/* Raw access; a function that does not exist reads as all ones and ignores writes. */
uint32_t pci_config_read(uint16_t segment, uint16_t rid, unsigned offset, unsigned bytes);
void pci_config_write(uint16_t segment, uint16_t rid, unsigned offset, unsigned bytes,
                      uint32_t value);

uint32_t pci_read(const struct pci_device *device, unsigned offset, unsigned bytes);
void pci_write(const struct pci_device *device, unsigned offset, unsigned bytes, uint32_t value);

/** Offset of the first capability with this ID after `after` (0: from the start), 0 for none. */
unsigned pci_device_capability(const struct pci_device *device, uint8_t id, unsigned after);

/** Memory decoding and bus mastering on. */
void pci_enable(const struct pci_device *device);
/** Bus mastering alone; a device that is off can send neither DMA nor messages. */
void pci_set_bus_master(const struct pci_device *device, bool on);
bool pci_is_bus_master(const struct pci_device *device);

volatile void *pci_map_bar(const struct pci_device *device, unsigned bar);

/** Programs the first MSI or MSI-X vector; false when the function has neither. */
bool pci_set_message(struct pci_device *device, uint64_t address, uint32_t data);
/** Programs one entry of the MSI-X table and leaves the function's MSI-X on; false without one. */
bool pci_set_msix_entry(struct pci_device *device, unsigned entry, uint64_t address, uint32_t data);
void pci_clear_message(struct pci_device *device);

#endif
