// SPDX-License-Identifier: MIT
/*
 * What add.c, add_region.c and add_message.c share.
 */
#ifndef SLUICE_DEVICETREE_ADD_H
#define SLUICE_DEVICETREE_ADD_H

#include "tree.h"

struct dt_adding {
    struct sluice *sluice;
    struct sluice_devicetree *tree;
    const struct sluice_devicetree_config *config;
    struct sluice_devicetree_summary *summary;
    struct sluice_devicetree_error *error;
};

/** Reports and counts what the tree's `error` says. */
void dt_report(const struct dt_adding *adding);
/** Reports and counts a part that is not used. */
void dt_left_out(const struct dt_adding *adding, const char *path, enum dt_property property,
                 const char *what);

/** Takes the answer of the instance: counts, reports, or hands on what ends the whole. */
enum sluice_status dt_described(const struct dt_adding *adding, const char *path,
                                enum dt_property property, enum sluice_status status,
                                unsigned *count);

/** The instance's number of a unit; false, and reported, when it was not added. */
bool dt_usable(const struct dt_adding *adding, const char *path, enum dt_property property,
               unsigned unit, unsigned *out);

/** The IDs that a specifier with a mask means, as runs of consecutive ones. */
struct dt_ids {
    uint32_t base;
    uint32_t holes; /**< bits of the mask above the lowest run */
    uint32_t first; /**< of the present run */
    uint32_t count; /**< of each run */
};

/** The first run; false: they are more than one device can have. */
bool dt_ids_first(const struct sluice_devicetree_specifier *specifier, struct dt_ids *out);
/** To the next run; false at the end. */
bool dt_ids_next(struct dt_ids *ids);

/** Where messages of a PCI host bridge's functions go, by "msi-map". */
enum sluice_status dt_add_messages(const struct dt_adding *adding,
                                   const struct sluice_devicetree_node *node);
/** The same of a device outside PCI, by "msi-parent": fills in what is known of it. */
void dt_device_messages(const struct dt_adding *adding,
                        const struct sluice_devicetree_specifier *specifier,
                        struct sluice_device_sources *sources);

/** Reserved memory with "iommu-addresses". */
enum sluice_status dt_add_region(const struct dt_adding *adding,
                                 const struct sluice_devicetree_node *node);

#endif
