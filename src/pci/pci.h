// SPDX-License-Identifier: MIT
/*
 * PCI as an IOMMU needs it: configuration space, capabilities, paths through bridges, and the
 * requester IDs under which a device's transactions arrive.
 *
 * Config space is read each time it is asked about: buses are renumbered and devices come and go.
 * Everything read from it is the device's word and bounded here.
 * Called by src/domain, src/group and src/instance, with sluice->lock held.
 */
#ifndef SLUICE_PCI_PCI_H
#define SLUICE_PCI_PCI_H

#include "core/instance.h"

#include <sluice/group.h>

/* Registers of a type 0/1 header [PCI 3.0, 6.1]. */
#define PCI_VENDOR_ID       0x00u
#define PCI_DEVICE_ID       0x02u
#define PCI_COMMAND         0x04u
#define PCI_STATUS          0x06u
#define PCI_CLASS           0x0au /* subclass, then base class */
#define PCI_HEADER_TYPE     0x0eu
#define PCI_BAR             0x10u /**< the first of six */
#define PCI_SECONDARY_BUS   0x19u
#define PCI_SUBORDINATE_BUS 0x1au
#define PCI_SUBSYSTEM       0x2cu /* vendor, then device; type 0 only */
#define PCI_CAPABILITIES    0x34u
#define PCI_EXTENDED        0x100u

#define PCI_COMMAND_MEMORY       0x02u
#define PCI_COMMAND_MASTER       0x04u
#define PCI_STATUS_CAPABILITIES  0x10u
#define PCI_HEADER_MASK          0x7fu
#define PCI_HEADER_BRIDGE        0x01u
#define PCI_HEADER_MULTIFUNCTION 0x80u

#define PCI_CAP_ID_VENDOR  0x09u
#define PCI_CAP_ID_EXPRESS 0x10u
#define PCI_CAP_ID_MSIX    0x11u
#define PCI_EXT_ID_ACS     0x000du
#define PCI_EXT_ID_ATS     0x000fu

#define PCI_CLASS_HOST_BRIDGE 0x0600u

/** Device/port type, PCI Express Capabilities register bits 7:4 [PCIe 7.5.3.2]. */
enum pci_express_type {
    PCI_EXPRESS_ENDPOINT = 0x0,
    PCI_EXPRESS_LEGACY = 0x1, /**< endpoint with I/O space */
    PCI_EXPRESS_ROOT_PORT = 0x4,
    PCI_EXPRESS_UPSTREAM = 0x5,
    PCI_EXPRESS_DOWNSTREAM = 0x6,
    PCI_EXPRESS_TO_PCI = 0x7,
    PCI_TO_EXPRESS = 0x8,
    PCI_EXPRESS_INTEGRATED = 0x9, /**< endpoint inside the root complex */
    PCI_EXPRESS_COLLECTOR = 0xa,  /**< event collector of the root complex */
    PCI_EXPRESS_NONE = 0xff,      /**< no such capability: a conventional device */
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

static inline void pci_write(struct sluice *sluice, uint16_t segment, uint16_t rid, uint16_t offset,
                             unsigned width, uint32_t value)
{
    if (sluice->ops->pci_write != NULL)
        sluice->ops->pci_write(sluice->config.ctx, segment, rid, offset, width, value);
}

/** Whether a function answers at all. */
bool pci_present(struct sluice *sluice, uint16_t segment, uint16_t rid);

/** Whether it answers and is a PCI-to-PCI bridge (any header of type 1). */
bool pci_is_bridge(struct sluice *sluice, uint16_t segment, uint16_t rid);

/** Offset of a capability in the first 256 bytes, or 0 [PCI 3.0, 6.7]. */
uint16_t pci_find_capability(struct sluice *sluice, uint16_t segment, uint16_t rid, uint8_t id);
/**
 * The next one of this kind behind the one at `after` (0: from the beginning), or 0. A list may be
 * a loop: the caller bounds how often it asks.
 */
uint16_t pci_next_capability(struct sluice *sluice, uint16_t segment, uint16_t rid, uint16_t after,
                             uint8_t id);

/** The same in the extended configuration space, or 0 [PCIe 7.6.3]. */
uint16_t pci_find_extended(struct sluice *sluice, uint16_t segment, uint16_t rid, uint16_t id);

enum pci_express_type pci_express_type(struct sluice *sluice, uint16_t segment, uint16_t rid);

/* ---- acs.c: access control services ---- */

/** Isolation of one function as its configuration space has it; bits of enum sluice_acs. */
struct pci_acs {
    bool present;
    bool wide; /**< registers of 32 bits where 16 are specified (a quirk) */
    uint16_t at;
    uint32_t capability;
    uint32_t control;
};

void pci_acs_read(struct sluice *sluice, uint16_t segment, uint16_t rid, struct pci_acs *out);

/**
 * Turns on what isolates and the function has, direct translated requests off; reads back.
 * @param outside  translated requests are blocked too: anything may be plugged in below
 * Returns whether the function did as it was told.
 */
bool pci_acs_enable(struct sluice *sluice, uint16_t segment, uint16_t rid, bool outside,
                    struct pci_acs *acs);

/**
 * What a port lacks to keep what is below it from what is beside it, or a function of a
 * multifunction device from its siblings; 0: nothing [PCIe 6.12.1]. Bits of enum sluice_acs.
 */
uint16_t pci_acs_lacks(enum pci_express_type type, const struct pci_acs *acs);

/** Turns a device's translation cache off. False when it stays on. */
bool pci_ats_disable(struct sluice *sluice, uint16_t segment, uint16_t rid);

/* ---- chipset.c: access control outside configuration space ---- */

/** Maps the chipset's registers, where it has such, and closes the ways from port to port. Context:
 * start; may sleep in mmio_map. */
void pci_chipset_start(struct sluice *sluice);
/** Closes them again after sleep. */
void pci_chipset_restore(struct sluice *sluice);
void pci_chipset_stop(struct sluice *sluice);
/** Whether a root port of the chipset isolates; its own part is turned on and read back. */
bool pci_chipset_isolates(struct sluice *sluice, uint16_t segment, uint16_t rid);

/* ---- quirk.c: devices that are not what their configuration space says ---- */

enum pci_quirk_kind {
    PCI_QUIRK_ISOLATED_FUNCTIONS = 0, /**< its functions do not reach each other, without ACS */
    PCI_QUIRK_ISOLATED_UNDER_AMD,     /**< the same, on a root bus behind an AMD-Vi unit */
    PCI_QUIRK_ISOLATED_PORT,          /**< a root or switch port that isolates without ACS */
    PCI_QUIRK_ISOLATED_INTEGRATED,    /**< the same, where it is inside of the root complex */
    PCI_QUIRK_CHIPSET_PORT,           /**< a root port that chipset.c knows to isolate */
    PCI_QUIRK_WIDE_ACS,               /**< a root port whose ACS registers have 32 bits */
    PCI_QUIRK_REQUESTS_AS_FUNCTION,   /**< requests carry function `value` of its device */
    PCI_QUIRK_REQUESTS_AS_DEVICE,     /**< requests carry device and function `value` */
    PCI_QUIRK_EXPRESS_BRIDGE,         /**< a PCIe-to-PCI bridge that does not say so */
};

struct pci_quirk {
    enum pci_quirk_kind kind;
    uint16_t vendor;
    uint16_t first; /**< device IDs, inclusive */
    uint16_t last;
    uint8_t value;
    uint32_t subsystem; /**< vendor and device as at PCI_SUBSYSTEM; 0: any */
    const char *source; /**< who says so */
};

/** The row of this kind for a function, or NULL. */
const struct pci_quirk *pci_quirk_find(struct sluice *sluice, uint16_t segment, uint16_t rid,
                                       enum pci_quirk_kind kind);

/* ---- topology.c: which bridge is above ---- */

/** The bridge that leads to `bus`; false for a root bus. */
bool pci_find_parent(struct sluice *sluice, uint16_t segment, uint8_t bus, uint16_t *out_bridge);

/** Whether a function is below a port that leads outside (sluice_port_set_external). */
bool pci_below_external(struct sluice *sluice, uint16_t segment, uint16_t rid);
/** Whether what the unit sees under a source ID may be such a function. For units with maps_ids. */
bool pci_id_below_external(struct sluice *sluice, const struct platform_unit *unit, uint32_t id);
bool pci_is_external(struct sluice *sluice, uint16_t segment, uint16_t rid);

/** What a bridge does to the requester ID of what passes through it. */
enum pci_passage {
    PCI_PASSAGE_KEEPS = 0, /**< root and switch ports leave it alone */
    PCI_PASSAGE_OWN,       /**< a conventional bridge: its own ID */
    PCI_PASSAGE_BELOW,     /**< PCIe-to-PCI: device 0 of its secondary bus */
};

enum pci_passage pci_bridge_passage(struct sluice *sluice, uint16_t segment, uint16_t bridge);

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
 * Returns how many were stored, 1 to PCI_MAX_ALIASES. Who lets a device in asks first whether that
 * is all of them: one that is forgotten would be another device's alone.
 */
unsigned pci_requester_ids(struct sluice *sluice, uint16_t segment, uint16_t rid,
                           uint16_t out_rids[PCI_MAX_ALIASES]);

/** Whether a function has no more requester IDs than there is room for; logs it otherwise. */
bool pci_requester_ids_fit(struct sluice *sluice, uint16_t segment, uint16_t rid);

/**
 * IDs that a function itself puts on its requests, its own first: without what bridges do, with
 * what firmware and the quirks say.
 */
unsigned pci_own_ids(struct sluice *sluice, uint16_t segment, uint16_t rid,
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
