// SPDX-License-Identifier: MIT
/*
 * What RIMT says, in the words of the platform description [RIMT 2].
 */
#include "firmware/platform_table.h"

#include <sluice/iort.h>

#define NODES_MAX      4096u
#define REGISTER_BYTES 0x1000u /**< [RISC-V IOMMU 6] */
#define ATS_REQUIRED   0x1u    /**< mapping flag */
#define EVERY_RID_LAST 0xffffu

static enum sluice_status add_unit(const struct platform_reader *reader,
                                   const struct sluice_rimt_node *node)
{
    struct platform_unit *unit;
    struct sluice_rimt_wire wire;
    struct sluice_acpi_error error;
    enum sluice_status status = platform_make_unit(reader, node->offset, &unit);

    if (status != SLUICE_OK)
        return status;
    unit->kind = SLUICE_UNIT_RISCV;
    reader->platform->interrupt_remapping = true; /* it is the unit that says whether it can */
    unit->maps_ids = true;
    unit->on_pci = (node->flags & SLUICE_RIMT_IOMMU_PCIE) != 0;
    unit->segment = unit->on_pci ? node->segment : 0;
    unit->rid = unit->on_pci ? node->rid : 0;
    unit->base = unit->on_pci ? 0 : node->base;
    unit->register_bytes = REGISTER_BYTES;
    for (unsigned i = 0; i < node->wire_count && i < SLUICE_UNIT_WIRES_MAX; i++) {
        if (sluice_rimt_wire(reader->table, node, i, &wire, &error) != SLUICE_OK)
            return platform_malformed(reader, &error);
        unit->wires[i] = wire.interrupt;
    }
    return SLUICE_OK;
}

static enum sluice_status add_functions(const struct platform_reader *reader,
                                        const struct sluice_rimt_node *node,
                                        const struct sluice_rimt_mapping *mapping,
                                        struct platform_unit *unit)
{
    uint64_t last = (uint64_t)mapping->source_base + mapping->count - 1;
    struct platform_scope *scope;
    enum sluice_status status;

    if (mapping->source_base > EVERY_RID_LAST)
        return SLUICE_OK;
    status = platform_make_scope(reader->sluice, &unit->scopes, PLATFORM_SCOPE_PCI_RANGE,
                                 mapping->offset, &scope);
    if (status != SLUICE_OK)
        return status;
    scope->segment = node->segment;
    scope->last_segment = node->segment;
    scope->first_rid = (uint16_t)mapping->source_base;
    scope->last_rid = (uint16_t)(last > EVERY_RID_LAST ? EVERY_RID_LAST : last);
    scope->first_id = mapping->target_base;
    scope->ats = (mapping->flags & ATS_REQUIRED) != 0;
    return SLUICE_OK;
}

static enum sluice_status add_device(const struct platform_reader *reader,
                                     const struct sluice_rimt_node *node,
                                     const struct sluice_rimt_mapping *mapping,
                                     struct platform_unit *unit)
{
    struct platform_scope *scope;
    enum sluice_status status;

    if (mapping->count > SLUICE_DEVICE_IDS_MAX)
        return platform_refused(reader, mapping->offset + 4, "a device with more than 128 IDs");
    status = platform_make_scope(reader->sluice, &unit->scopes, PLATFORM_SCOPE_NAMED,
                                 mapping->offset, &scope);
    if (status != SLUICE_OK)
        return status;
    scope->name = node->name;
    scope->name_bytes = node->name_bytes;
    scope->first_id = mapping->target_base;
    scope->id_count = mapping->count;
    return SLUICE_OK;
}

static enum sluice_status add_mappings(const struct platform_reader *reader,
                                       const struct sluice_rimt_node *node)
{
    struct sluice_rimt_mapping mapping;
    struct sluice_acpi_error error;
    enum sluice_status status = SLUICE_OK;

    for (uint32_t i = 0; i < node->mapping_count && status == SLUICE_OK; i++) {
        if (sluice_rimt_mapping(reader->table, node, i, &mapping, &error) != SLUICE_OK)
            return platform_malformed(reader, &error);
        struct platform_unit *unit = platform_unit_at(reader, mapping.reference);

        if (unit == NULL)
            return platform_refused(reader, mapping.offset + 12, "a mapping leads to no IOMMU");
        if (mapping.count == 0 || mapping.target_base > UINT32_MAX - (mapping.count - 1))
            return platform_refused(reader, mapping.offset + 4,
                                    "a mapping is empty, or its device IDs exceed 32 bits");
        status = node->type == SLUICE_RIMT_ROOT_COMPLEX
                     ? add_functions(reader, node, &mapping, unit)
                     : add_device(reader, node, &mapping, unit);
    }
    return status;
}

static enum sluice_status read_node(const struct platform_reader *reader,
                                    const struct sluice_rimt_node *node, bool units)
{
    if (node->type == SLUICE_RIMT_IOMMU)
        return units ? add_unit(reader, node) : SLUICE_OK;
    if (units)
        return SLUICE_OK;
    if (node->type < SLUICE_RIMT_TYPE_COUNT)
        return add_mappings(reader, node);
    log_warning(reader->sluice, "RIMT: offset %#x: structure of unknown type %u: skipped",
                (unsigned)node->offset, (unsigned)node->type);
    return SLUICE_OK;
}

static enum sluice_status read_nodes(const struct platform_reader *reader, bool units)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_rimt_node node;
    enum sluice_status status;
    unsigned count = 0;

    while ((status = sluice_rimt_next(reader->table, &at, &node, &error)) == SLUICE_OK) {
        if (++count > NODES_MAX)
            return platform_refused(reader, node.offset, "more than 4096 structures");
        status = read_node(reader, &node, units);
        if (status != SLUICE_OK)
            return status;
    }
    return status == SLUICE_ERR_NOT_FOUND ? SLUICE_OK : platform_malformed(reader, &error);
}

enum sluice_status platform_read_rimt(const struct platform_reader *reader)
{
    enum sluice_status status = read_nodes(reader, true);

    return status == SLUICE_OK ? read_nodes(reader, false) : status;
}
