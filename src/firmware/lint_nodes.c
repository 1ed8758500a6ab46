// SPDX-License-Identifier: MIT
/*
 * Rules for RIMT [RIMT 2] and VIOT [ACPI 5.2.33].
 */
#include "firmware/lint.h"
#include "firmware/table.h"

#include <sluice/iort.h>

static void count_nodes(const struct lint *lint, uint32_t offset, uint32_t said, uint32_t there)
{
    if (said != there)
        lint_say(lint, LINT_NODE_COUNT, offset, "count says %u, there are %u", (unsigned)said,
                 (unsigned)there);
}

/* ---- RIMT ---- */

static void compare_rimt_mapping(const struct lint *lint, const struct sluice_rimt_node *node,
                                 uint32_t index, const struct sluice_rimt_mapping *mapping)
{
    struct sluice_rimt_mapping other;

    for (uint32_t i = index + 1; i < node->mapping_count && i - index < LINT_COMPARED_MAX; i++) {
        if (sluice_rimt_mapping(lint->table, node, i, &other, NULL) != SLUICE_OK)
            return;
        if (mapping->source_base < (uint64_t)other.source_base + other.count &&
            other.source_base < (uint64_t)mapping->source_base + mapping->count)
            lint_say(lint, LINT_MAPPING_OVERLAP, other.offset,
                     "IDs from %#x on are mapped at "
                     "offset %#x too",
                     (unsigned)other.source_base, (unsigned)mapping->offset);
    }
}

static bool is_rimt_node(const struct lint *lint, uint32_t offset)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_rimt_node node;

    for (unsigned i = 0; i < LINT_COMPARED_MAX; i++) {
        enum sluice_status status = sluice_rimt_next(lint->table, &at, &node, NULL);

        if (status == SLUICE_ERR_NOT_FOUND)
            return false;
        if (status == SLUICE_OK && node.offset == offset)
            return true;
    }
    return false;
}

static void check_rimt_mappings(const struct lint *lint, const struct sluice_rimt_node *node)
{
    struct sluice_acpi_error error;
    struct sluice_rimt_mapping mapping;

    for (uint32_t i = 0; i < node->mapping_count && i < LINT_COMPARED_MAX; i++) {
        if (sluice_rimt_mapping(lint->table, node, i, &mapping, &error) != SLUICE_OK) {
            lint_malformed(lint, &error);
            return;
        }
        if (mapping.reference == node->offset)
            lint_say(lint, LINT_MAPPING_LOOP, mapping.offset + 12,
                     "a mapping leads to its own node");
        else if (!is_rimt_node(lint, mapping.reference))
            lint_say(lint, LINT_REFERENCE_BROKEN, mapping.offset + 12,
                     "a mapping leads to offset %#x", (unsigned)mapping.reference);
        if (mapping.count != 0 &&
            (mapping.source_base + (mapping.count - 1) < mapping.source_base ||
             mapping.target_base + (mapping.count - 1) < mapping.target_base))
            lint_say(lint, LINT_MAPPING_WRAPS, mapping.offset, "%#x IDs from %#x on to %#x",
                     (unsigned)mapping.count, (unsigned)mapping.source_base,
                     (unsigned)mapping.target_base);
        compare_rimt_mapping(lint, node, i, &mapping);
    }
}

static void check_rimt_node(const struct lint *lint, const struct sluice_rimt_node *node)
{
    struct sluice_acpi_error error;
    struct sluice_rimt_wire wire;

    if (node->type >= SLUICE_RIMT_TYPE_COUNT)
        lint_say(lint, LINT_UNKNOWN_STRUCTURE, node->offset, "node of type %u",
                 (unsigned)node->type);
    if (node->type == SLUICE_RIMT_IOMMU && (node->flags & SLUICE_RIMT_IOMMU_PCIE) == 0) {
        if (node->base == 0)
            lint_say(lint, LINT_UNIT_BASE_ZERO, node->offset + 16, "registers at 0");
        else if ((node->base & (SLUICE_PAGE_BYTES - 1)) != 0)
            lint_say(lint, LINT_UNIT_BASE_ABSURD, node->offset + 16, "registers at %#llx",
                     (unsigned long long)node->base);
    }
    if (node->wire_count != 0 &&
        sluice_rimt_wire(lint->table, node, node->wire_count - 1, &wire, &error) != SLUICE_OK)
        lint_malformed(lint, &error);
    check_rimt_mappings(lint, node);
}

void lint_rimt(const struct lint *lint)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_rimt_node node;
    enum sluice_status status;
    uint32_t nodes = 0;

    while ((status = sluice_rimt_next(lint->table, &at, &node, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status != SLUICE_OK) {
            lint_malformed(lint, &error);
            continue;
        }
        if (nodes++ == LINT_COMPARED_MAX) {
            lint_say(lint, LINT_TOO_MANY, node.offset, "more than %u nodes", LINT_COMPARED_MAX);
            return;
        }
        check_rimt_node(lint, &node);
    }
    if (lint->table->bytes >= 48)
        count_nodes(lint, 36, table_get32(lint->table->data + 36), nodes);
}

/* ---- VIOT ---- */

static bool is_viot_iommu(uint8_t type)
{
    return type == SLUICE_VIOT_IOMMU_PCI || type == SLUICE_VIOT_IOMMU_MMIO;
}

static bool leads_to_iommu(const struct lint *lint, uint32_t offset, bool *out_there)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_viot_node node;
    enum sluice_status status;

    *out_there = false;
    for (unsigned i = 0; i < LINT_COMPARED_MAX; i++) {
        status = sluice_viot_next(lint->table, &at, &node, NULL);
        if (status == SLUICE_ERR_NOT_FOUND)
            break;
        if (status != SLUICE_OK || node.offset != offset)
            continue;
        *out_there = true;
        return is_viot_iommu(node.type);
    }
    return false;
}

static void check_viot_node(const struct lint *lint, const struct sluice_viot_node *node)
{
    bool there;

    if (node->type < SLUICE_VIOT_PCI_RANGE || node->type > SLUICE_VIOT_IOMMU_MMIO) {
        lint_say(lint, LINT_UNKNOWN_STRUCTURE, node->offset, "node of type %u",
                 (unsigned)node->type);
        return;
    }
    if (node->type == SLUICE_VIOT_IOMMU_MMIO && node->base == 0)
        lint_say(lint, LINT_UNIT_BASE_ZERO, node->offset + 8, "registers at 0");
    if (is_viot_iommu(node->type))
        return;
    if (node->type == SLUICE_VIOT_PCI_RANGE &&
        (node->first_segment > node->last_segment || node->first_rid > node->last_rid))
        lint_say(lint, LINT_RANGE_INVERTED, node->offset + 8, "range %04x:%04x to %04x:%04x",
                 (unsigned)node->first_segment, (unsigned)node->first_rid,
                 (unsigned)node->last_segment, (unsigned)node->last_rid);
    if (leads_to_iommu(lint, node->reference, &there))
        return;
    if (there)
        lint_say(lint, LINT_REFERENCE_KIND, node->offset + 16, "it leads to offset %#x",
                 (unsigned)node->reference);
    else
        lint_say(lint, LINT_REFERENCE_BROKEN, node->offset + 16, "it leads to offset %#x",
                 (unsigned)node->reference);
}

void lint_viot(const struct lint *lint)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_viot_node node;
    enum sluice_status status;
    uint32_t nodes = 0;

    while ((status = sluice_viot_next(lint->table, &at, &node, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status != SLUICE_OK) {
            lint_malformed(lint, &error);
            continue;
        }
        if (nodes++ == LINT_COMPARED_MAX) {
            lint_say(lint, LINT_TOO_MANY, node.offset, "more than %u nodes", LINT_COMPARED_MAX);
            return;
        }
        check_viot_node(lint, &node);
    }
    if (lint->table->bytes >= 48)
        count_nodes(lint, 36, table_get16(lint->table->data + 36), nodes);
}
