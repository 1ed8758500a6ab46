// SPDX-License-Identifier: MIT
/*
 * PCI as an IOMMU needs it: configuration space, capabilities, paths through bridges, and the
 * requester IDs under which a device's transactions arrive.
 *
 * Config space is read each time it is asked about: buses are renumbered and devices come and go.
 * Everything read from it is the device's word and bounded here.
 * Called by src/domain and src/instance, with sluice->lock held.
 */
#ifndef SLUICE_PCI_PCI_H
#define SLUICE_PCI_PCI_H

#include "core/instance.h"

/* Registers of a type 0/1 header [PCI 3.0, 6.1]. */
#define PCI_VENDOR_ID       0x00u
#define PCI_STATUS          0x06u
#define PCI_HEADER_TYPE     0x0eu
#define PCI_SECONDARY_BUS   0x19u
#define PCI_SUBORDINATE_BUS 0x1au
#define PCI_CAPABILITIES    0x34u

#define PCI_STATUS_CAPABILITIES  0x10u
#define PCI_HEADER_MASK          0x7fu
#define PCI_HEADER_BRIDGE        0x01u
#define PCI_HEADER_MULTIFUNCTION 0x80u

#define PCI_CAP_ID_EXPRESS 0x10u

/** Device/port type, PCI Express Capabilities register bits 7:4 [PCIe 7.5.3.2]. */
enum pci_express_type {
    PCI_EXPRESS_ENDPOINT = 0x0,
    PCI_EXPRESS_ROOT_PORT = 0x4,
    PCI_EXPRESS_UPSTREAM = 0x5,
    PCI_EXPRESS_DOWNSTREAM = 0x6,
    PCI_EXPRESS_TO_PCI = 0x7,
    PCI_TO_EXPRESS = 0x8,
    PCI_EXPRESS_NONE = 0xff, /**< no such capability: a conventional device */
};

/** Longest chain of bridges followed; no bus hierarchy can be deeper than its bus numbers. */
#define PCI_MAX_DEPTH 256u

/** Requester IDs a function can appear under: its own and one a bridge that takes ownership. */
#define PCI_MAX_ALIASES 8u

static inline uint32_t pci_read(struct sluice *sluice, uint16_t segment, uint16_t rid,
                                uint16_t offset, unsigned width)
{
    if (sluice->ops->pci_read == NULL)
        return UINT32_MAX;
    return sluice->ops->pci_read(sluice->config.ctx, segment, rid, offset, width);
}

/** Whether a function answers at all. */
bool pci_present(struct sluice *sluice, uint16_t segment, uint16_t rid);

/** Whether it answers and is a PCI-to-PCI bridge (any header of type 1). */
bool pci_is_bridge(struct sluice *sluice, uint16_t segment, uint16_t rid);

/** Offset of a capability in the first 256 bytes, or 0 [PCI 3.0, 6.7]. */
uint16_t pci_find_capability(struct sluice *sluice, uint16_t segment, uint16_t rid, uint8_t id);

enum pci_express_type pci_express_type(struct sluice *sluice, uint16_t segment, uint16_t rid);

/**
 * Follows a scope's path to the function it means.
 * Returns: OK; NOT_FOUND (a bridge on the way is absent or has no bus behind it); UNSUPPORTED
 * (the path needs config space and the host has none); INVALID (not a PCI scope, empty path).
 */
SLUICE_MUST_CHECK enum sluice_status
pci_scope_resolve(struct sluice *sluice, const struct platform_scope *scope, uint16_t *out_rid);

/** Whether a scope means this function: itself, a bridge above it, or a range it lies in. */
bool pci_scope_covers(struct sluice *sluice, const struct platform_scope *scope, uint16_t segment,
                      uint16_t rid);

/**
 * The requester IDs under which a function's transactions reach the unit, its own first.
 * Returns how many were stored, 1 to PCI_MAX_ALIASES.
 */
unsigned pci_requester_ids(struct sluice *sluice, uint16_t segment, uint16_t rid,
                           uint16_t out_rids[PCI_MAX_ALIASES]);

/** Calls visit for every function that answers on buses first to last, until it returns false. */
typedef bool pci_visitor(void *arg, uint16_t segment, uint16_t rid);
void pci_visit_buses(struct sluice *sluice, uint16_t segment, uint8_t first_bus, uint8_t last_bus,
                     pci_visitor *visit, void *arg);

/**
 * The unit of the description that covers a function: one that names it, else the one that
 * covers the rest of its segment [VT-d 8.3]; NULL when none does.
 */
const struct platform_unit *pci_find_unit(struct sluice *sluice, uint16_t segment, uint16_t rid);

/**
 * The scope of a unit that maps a requester ID, and the source ID that it maps it to; NULL: none,
 * the unit does not see this ID. For units with maps_ids.
 */
const struct platform_scope *pci_find_source(struct sluice *sluice,
                                             const struct platform_unit *unit, uint16_t segment,
                                             uint16_t rid, uint32_t *out_id);

#endif
