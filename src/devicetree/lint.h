// SPDX-License-Identifier: MIT
/*
 * The linter's inside: the list of rules, and how a check reports.
 *
 *   lint.c            rules, reporting, every node
 *   lint_unit.c       IOMMUs
 *   lint_reference.c  host bridges, devices, reserved memory
 */
#ifndef SLUICE_DEVICETREE_LINT_H
#define SLUICE_DEVICETREE_LINT_H

#include "tree.h"

/** Name, severity, advice. The names are public and stay. */
#define DT_RULES(RULE)                                                                             \
    RULE(MALFORMED, "malformed", ERROR,                                                            \
         "What the node says cannot be used; correct the devicetree.")                             \
    RULE(NO_UNITS, "no-units", INFO, "The tree describes no IOMMU: devices reach all of memory.")  \
    RULE(TOO_MANY_UNITS, "too-many-units", WARNING,                                                \
         "No machine has so many IOMMUs; those beyond are left out.")                              \
    RULE(TOO_MANY_NODES, "too-many-nodes", INFO,                                                   \
         "The tree is so large that not every node was compared with every other.")                \
    RULE(PROPERTY_TWICE, "property-duplicate", ERROR,                                              \
         "Which one counts differs from system to system; leave one of them.")                     \
    RULE(PHANDLE_TWICE, "phandle-duplicate", ERROR,                                                \
         "References to this IOMMU may lead to the other node; make phandles unique.")             \
    RULE(STATUS_UNKNOWN, "status-unknown", WARNING,                                                \
         "Systems take it for disabled; write \"okay\" or \"disabled\".")                          \
    RULE(UNIT_UNKNOWN, "unit-kind-unknown", INFO,                                                  \
         "It is left out, and so are devices behind it; a newer version may know it.")             \
    RULE(UNIT_UNUSED, "unit-unused", INFO,                                                         \
         "Nothing that is enabled refers to it; devices behind it are not known to be there.")     \
    RULE(UNIT_CELLS_MISSING, "unit-without-cells", WARNING,                                        \
         "Nothing can refer to it; add #iommu-cells as its binding has it.")                       \
    RULE(UNIT_CELLS_WRONG, "unit-cells-wrong", ERROR,                                              \
         "Specifiers are read wrong, and devices get IDs of others; see its binding.")             \
    RULE(UNIT_BASE_ZERO, "unit-base-zero", ERROR,                                                  \
         "The unit was not given an address; it cannot be used.")                                  \
    RULE(UNIT_UNALIGNED, "unit-base-unaligned", ERROR,                                             \
         "Registers begin at whole pages; the address is wrong.")                                  \
    RULE(UNIT_SMALL, "unit-registers-small", WARNING,                                              \
         "The unit has more registers than the tree gives it; systems may refuse it.")             \
    RULE(UNIT_HUGE, "unit-registers-huge", WARNING,                                                \
         "No IOMMU has so many registers; size or cells are wrong.")                               \
    RULE(UNIT_SEVERAL, "unit-register-ranges", INFO,                                               \
         "Only the first range is used: for units that work in step, write all of them.")          \
    RULE(UNIT_OVERLAP, "unit-overlap", ERROR,                                                      \
         "Two IOMMUs have the same registers, or are the same function; one of them is wrong.")    \
    RULE(UNIT_NO_INTERRUPTS, "unit-without-interrupts", WARNING,                                   \
         "Faults are seen by polling only; name its interrupts, or its msi-parent.")               \
    RULE(INTERRUPTS_BROKEN, "interrupts-broken", WARNING,                                          \
         "The interrupts cannot be known, and faults are seen by polling only.")                   \
    RULE(INTERRUPTS_MANY, "interrupts-too-many", WARNING,                                          \
         "The unit has at most 4: specifiers have more cells here than their controller's.")       \
    RULE(INTERRUPT_NAMES, "interrupt-names-wrong", WARNING,                                        \
         "Which interrupt tells what cannot be known; see the binding for the names.")             \
    RULE(REFERENCE_BROKEN, "reference-broken", ERROR,                                              \
         "What follows is not read, and these devices are behind no known IOMMU.")                 \
    RULE(UNIT_DISABLED, "unit-disabled", WARNING,                                                  \
         "Devices behind a disabled IOMMU reach all of memory, or nothing at all.")                \
    RULE(ID_ABSURD, "id-absurd", ERROR, "IDs of this kind of IOMMU are smaller; the ID is wrong.") \
    RULE(ID_SHARED, "id-shared", INFO,                                                             \
         "The IOMMU cannot tell these devices apart: they share one address space.")               \
    RULE(SPECIFIER_TWICE, "specifier-duplicate", WARNING,                                          \
         "One of them was probably meant to be another ID.")                                       \
    RULE(SPECIFIER_ON_PCI, "specifier-on-pci", WARNING,                                            \
         "Systems ignore it: \"iommu-map\" of the host bridge is for PCI functions.")              \
    RULE(MASK_COVERS_ID, "mask-covers-id", INFO,                                                   \
         "Bits of the ID that the mask drops mean nothing; leave them 0.")                         \
    RULE(MASK_WIDE, "mask-too-wide", INFO,                                                         \
         "A device has at most 128 IDs here: this one is left out.")                               \
    RULE(DOMAIN_MISSING, "pci-domain-missing", INFO,                                               \
         "Segments then depend on the order of nodes; give each host bridge its own.")             \
    RULE(DOMAIN_TWICE, "pci-domain-duplicate", ERROR,                                              \
         "Requester IDs of two host bridges mean two devices each; give them other segments.")     \
    RULE(MAP_MISSING, "map-missing", INFO,                                                         \
         "Functions below this host bridge are behind no IOMMU.")                                  \
    RULE(MAP_OUTSIDE_PCI, "map-outside-pci", INFO,                                                 \
         "It is left out: what IDs this bus has is not known.")                                    \
    RULE(MAP_EMPTY, "map-empty", WARNING,                                                          \
         "The entry maps nothing; remove it, or correct its count.")                               \
    RULE(MAP_PAST_END, "map-past-end", WARNING,                                                    \
         "Requester IDs have 16 bits; what is beyond means nothing.")                              \
    RULE(MAP_WRAPS, "map-wraps", ERROR, "IDs pass the largest number; the entry is left out.")     \
    RULE(MAP_MASKED, "map-outside-mask", ERROR,                                                    \
         "With the mask applied no requester ID is so large; the entry maps nothing.")             \
    RULE(MAP_OVERLAP, "map-overlap", ERROR,                                                        \
         "A function has two ways; systems take the first, which may be the wrong one.")           \
    RULE(MAP_OUTSIDE_BUSES, "map-outside-buses", INFO,                                             \
         "The host bridge has none of these buses; the entry maps nothing.")                       \
    RULE(MAP_COVERS_UNIT, "map-covers-unit", WARNING,                                              \
         "An IOMMU that is a PCI function is not behind itself; leave it out of the map.")         \
    RULE(DMA_SHIFTED, "dma-shifted", INFO,                                                         \
         "Addresses change between the device and the IOMMU; check that this is meant.")           \
    RULE(REGION_UNALIGNED, "region-unaligned", WARNING,                                            \
         "Whole pages are given to the device: more than the tree says.")                          \
    RULE(REGION_HUGE, "region-huge", WARNING,                                                      \
         "The device reaches this much memory without protection; check that it is meant.")        \
    RULE(REGION_SHIFTED, "region-shifted", WARNING,                                                \
         "Linux keeps these addresses free and leaves the memory out; Sluice maps it there.")      \
    RULE(REGION_ADDRESSES, "region-without-memory", INFO,                                          \
         "Addresses are kept free; nothing is mapped there.")                                      \
    RULE(REGION_UNNAMED, "region-not-named", WARNING,                                              \
         "Linux looks only at regions that \"memory-region\" of the device names.")                \
    RULE(REGION_UNCOVERED, "region-device-uncovered", WARNING,                                     \
         "No IOMMU covers the device, so the region means nothing.")

enum dt_rule {
#define DT_RULE_ENUM(id, name, severity, advice) DT_RULE_##id,
    DT_RULES(DT_RULE_ENUM)
#undef DT_RULE_ENUM
    DT_RULE_COUNT
};

/** Steps from node to node that comparing may take: a real tree needs a few ten thousand. */
#define DT_LINT_STEPS_MAX 2000000u
/** Entries of one property that are compared with one another. */
#define DT_COMPARED_MAX 256u

struct dt_lint {
    struct sluice_devicetree *tree;
    sluice_devicetree_sink *sink;
    void *arg;
    uint64_t used;  /**< set of units that something refers to */
    unsigned steps; /**< taken */
    bool too_many;  /**< said */
};

/** Reports about the node at tree->walk; `property` NULL: the node itself. */
__attribute__((format(printf, 4, 5))) void dt_say(const struct dt_lint *lint, enum dt_rule rule,
                                                  const char *property, const char *format, ...);

/** To the next node that concerns IOMMUs and is enabled, in comparisons; false at the end. */
bool dt_lint_other(struct dt_lint *lint, struct sluice_devicetree_node *node);

void dt_lint_unit(struct dt_lint *lint, const struct sluice_devicetree_node *node);
void dt_lint_host(struct dt_lint *lint, const struct sluice_devicetree_node *node);
void dt_lint_map(struct dt_lint *lint, const struct sluice_devicetree_node *node);
void dt_lint_device(struct dt_lint *lint, const struct sluice_devicetree_node *node);
void dt_lint_region(struct dt_lint *lint, const struct sluice_devicetree_node *node);

#endif
