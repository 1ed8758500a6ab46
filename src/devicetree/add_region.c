// SPDX-License-Identifier: MIT
/*
 * Reserved memory that devices use already, a frame buffer for example: "iommu-addresses" says at
 * which addresses. Of a node without memory they are addresses that nothing may be mapped at
 * [DT-binding reserved-memory.yaml, iommu-addresses].
 */
#include "add.h"

/** A region and the device at the tree's `device`. */
struct use {
    const struct dt_adding *adding;
    const struct sluice_devicetree_node *region;
    const struct sluice_devicetree_reservation *addresses;
    unsigned ids; /**< runs of IDs that were described */
};

static enum sluice_status describe(struct use *use, unsigned unit, uint32_t first_id,
                                   uint32_t id_count)
{
    const struct sluice_reserved_memory memory = {
        .unit = unit,
        .first_id = first_id,
        .id_count = id_count,
        .first = use->addresses->first,
        .last = use->addresses->last,
        .prot = use->region->has_memory ? SLUICE_PROT_READ | SLUICE_PROT_WRITE : 0,
        .moved = use->region->has_memory && use->region->first != use->addresses->first,
        .phys = use->region->first,
    };

    return dt_described(use->adding, use->region->path, DT_IOMMU_ADDRESSES,
                        sluice_describe_reserved(use->adding->sluice, &memory), &use->ids);
}

static enum sluice_status for_specifiers(struct use *use)
{
    struct sluice_devicetree *tree = use->adding->tree;
    struct sluice_devicetree_specifier specifier;
    struct sluice_devicetree_position at = {0};
    struct dt_ids ids;
    unsigned unit;

    while (sluice_devicetree_specifier_next(tree, &tree->device, &at, &specifier, NULL) ==
           SLUICE_OK) {
        enum sluice_status status = SLUICE_OK;

        if (!dt_usable(use->adding, use->region->path, DT_IOMMU_ADDRESSES, specifier.unit, &unit) ||
            !dt_ids_first(&specifier, &ids))
            continue;
        do {
            status = describe(use, unit, ids.first, ids.count);
        } while (status == SLUICE_OK && dt_ids_next(&ids));
        if (status != SLUICE_OK)
            return status;
    }
    return SLUICE_OK;
}

static enum sluice_status for_mappings(struct use *use)
{
    struct sluice_devicetree *tree = use->adding->tree;
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_mapping entry;
    enum sluice_status status;
    unsigned unit;

    while ((status = sluice_devicetree_mapping_next(tree, &tree->device, &at, &entry, NULL)) !=
           SLUICE_ERR_NOT_FOUND) {
        if (status != SLUICE_OK ||
            !dt_usable(use->adding, use->region->path, DT_IOMMU_ADDRESSES, entry.unit, &unit))
            continue;
        status = describe(use, unit, entry.id, entry.count);
        if (status != SLUICE_OK)
            return status;
    }
    return SLUICE_OK;
}

static enum sluice_status for_device(struct use *use)
{
    struct sluice_devicetree *tree = use->adding->tree;
    enum sluice_status status = SLUICE_OK;

    if (dt_has(&tree->device, DT_IOMMUS))
        status = for_specifiers(use);
    if (status == SLUICE_OK && dt_is_host(&tree->device))
        status = for_mappings(use);
    return status;
}

/** Whether memory can be at these addresses. */
static bool fits(const struct sluice_devicetree_node *node,
                 const struct sluice_devicetree_reservation *reservation)
{
    return reservation->last - reservation->first == node->last - node->first &&
           (reservation->first ^ node->first) % SLUICE_PAGE_BYTES == 0;
}

static enum sluice_status add_reservation(const struct dt_adding *adding,
                                          const struct sluice_devicetree_node *node,
                                          const struct sluice_devicetree_reservation *reservation)
{
    struct use use = {adding, node, reservation, 0};
    enum sluice_status status;

    if (!dt_level(&adding->tree->device)->enabled)
        return SLUICE_OK; /* who is not there needs nothing */
    if (node->has_memory && !fits(node, reservation)) {
        dt_left_out(adding, node->path, DT_IOMMU_ADDRESSES,
                    "its addresses are not for as many bytes as its memory has, or lie otherwise "
                    "in a page");
        return SLUICE_OK;
    }
    status = for_device(&use);
    if (status != SLUICE_OK)
        return status;
    if (use.ids == 0)
        dt_left_out(adding, node->path, DT_IOMMU_ADDRESSES, "is for a device behind no IOMMU");
    else
        adding->summary->regions++;
    return SLUICE_OK;
}

enum sluice_status dt_add_region(const struct dt_adding *adding,
                                 const struct sluice_devicetree_node *node)
{
    struct sluice_devicetree_reservation reservation;
    struct sluice_devicetree_position at = {0};
    enum sluice_status status;

    if ((node->roles & SLUICE_DEVICETREE_REGION) == 0)
        return SLUICE_OK;
    while ((status = sluice_devicetree_reservation_next(adding->tree, &adding->tree->walk, &at,
                                                        &reservation, &adding->tree->error)) !=
           SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK) {
            status = add_reservation(adding, node, &reservation);
            if (status != SLUICE_OK)
                return status;
        } else {
            dt_report(adding);
        }
    }
    return SLUICE_OK;
}
