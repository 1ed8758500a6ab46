// SPDX-License-Identifier: MIT
/*
 * What VIOT says, in the words of the platform description [ACPI 5.2.33].
 */
#include "firmware/platform_table.h"

#include <sluice/iort.h>

#define NODES_MAX      4096u
#define REGISTER_BYTES 0x1000u /**< of a virtio device on MMIO: its configuration is at 100h */
#define SEGMENT_SHIFT  16u     /**< endpoint IDs of a range count requester IDs, then segments */

static enum sluice_status add_unit(const struct platform_reader *reader,
                                   const struct sluice_viot_node *node)
{
    struct platform_unit *unit;
    enum sluice_status status = platform_make_unit(reader, node->offset, &unit);

    if (status != SLUICE_OK)
        return status;
    unit->kind = SLUICE_UNIT_VIRTIO;
    unit->maps_ids = true;
    unit->on_pci = node->type == SLUICE_VIOT_IOMMU_PCI;
    unit->segment = unit->on_pci ? node->first_segment : 0;
    unit->rid = unit->on_pci ? node->first_rid : 0;
    unit->base = unit->on_pci ? 0 : node->base;
    unit->register_bytes = unit->on_pci ? 0 : REGISTER_BYTES;
    return SLUICE_OK;
}

static enum sluice_status add_functions(const struct platform_reader *reader,
                                        const struct sluice_viot_node *node,
                                        struct platform_unit *unit)
{
    struct platform_scope *scope;
    enum sluice_status status;
    uint64_t last_id;

    if (node->last_segment < node->first_segment || node->last_rid < node->first_rid)
        return platform_refused(reader, node->offset + 8,
                                "range of functions ends before it begins");
    last_id = (uint64_t)node->endpoint +
              ((uint64_t)(node->last_segment - node->first_segment) << SEGMENT_SHIFT) +
              (uint64_t)(node->last_rid - node->first_rid);
    if (last_id > UINT32_MAX)
        return platform_refused(reader, node->offset + 4, "endpoint IDs exceed 32 bits");
    status = platform_make_scope(reader->sluice, &unit->scopes, PLATFORM_SCOPE_PCI_RANGE,
                                 node->offset, &scope);
    if (status != SLUICE_OK)
        return status;
    scope->segment = node->first_segment;
    scope->last_segment = node->last_segment;
    scope->first_rid = node->first_rid;
    scope->last_rid = node->last_rid;
    scope->first_id = node->endpoint;
    return SLUICE_OK;
}

static enum sluice_status add_device(const struct platform_reader *reader,
                                     const struct sluice_viot_node *node,
                                     struct platform_unit *unit)
{
    struct platform_scope *scope;
    enum sluice_status status;

    if (node->base == 0)
        return platform_refused(reader, node->offset + 8, "an endpoint without an address");
    status = platform_make_scope(reader->sluice, &unit->scopes, PLATFORM_SCOPE_NAMED, node->offset,
                                 &scope);
    if (status != SLUICE_OK)
        return status;
    scope->registers = node->base;
    scope->first_id = node->endpoint;
    scope->id_count = 1;
    return SLUICE_OK;
}

static enum sluice_status read_node(const struct platform_reader *reader,
                                    const struct sluice_viot_node *node, bool units)
{
    bool is_unit = node->type == SLUICE_VIOT_IOMMU_PCI || node->type == SLUICE_VIOT_IOMMU_MMIO;
    struct platform_unit *unit;

    if (is_unit)
        return units ? add_unit(reader, node) : SLUICE_OK;
    if (units)
        return SLUICE_OK;
    if (node->type != SLUICE_VIOT_PCI_RANGE && node->type != SLUICE_VIOT_MMIO_ENDPOINT) {
        log_warning(reader->sluice, "VIOT: offset %#x: node of unknown type %u: skipped",
                    (unsigned)node->offset, (unsigned)node->type);
        return SLUICE_OK;
    }
    unit = platform_unit_at(reader, node->reference);
    if (unit == NULL)
        return platform_refused(reader, node->offset + 16, "endpoints of no virtio-iommu");
    return node->type == SLUICE_VIOT_PCI_RANGE ? add_functions(reader, node, unit)
                                               : add_device(reader, node, unit);
}

static enum sluice_status read_nodes(const struct platform_reader *reader, bool units)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_viot_node node;
    enum sluice_status status;
    unsigned count = 0;

    while ((status = sluice_viot_next(reader->table, &at, &node, &error)) == SLUICE_OK) {
        if (++count > NODES_MAX)
            return platform_refused(reader, node.offset, "more than 4096 nodes");
        status = read_node(reader, &node, units);
        if (status != SLUICE_OK)
            return status;
    }
    return status == SLUICE_ERR_NOT_FOUND ? SLUICE_OK : platform_malformed(reader, &error);
}

enum sluice_status platform_read_viot(const struct platform_reader *reader)
{
    enum sluice_status status = read_nodes(reader, true);

    return status == SLUICE_OK ? read_nodes(reader, false) : status;
}
