// SPDX-License-Identifier: MIT
/*
 * Rules for IORT [IORT 3]: nodes, mappings, where they lead, and whether they ever arrive.
 */
#include "firmware/lint.h"
#include "firmware/table.h"

#include <sluice/iort.h>

#define NODE_COUNT_OFFSET 36u
#define SINGLE_MAPPING    1u

static bool next(const struct lint *lint, struct sluice_acpi_cursor *at,
                 struct sluice_iort_node *out)
{
    enum sluice_status status;

    do {
        status = sluice_iort_next(lint->table, at, out, NULL);
    } while (status == SLUICE_ERR_FIRMWARE);
    return status == SLUICE_OK;
}

/** Whether a node really begins there: a reference into the middle of one is broken too. */
static bool is_node(const struct lint *lint, uint32_t offset, struct sluice_iort_node *out)
{
    struct sluice_acpi_cursor at = {0};

    for (unsigned i = 0; i < LINT_COMPARED_MAX && next(lint, &at, out); i++) {
        if (out->offset == offset)
            return true;
    }
    return false;
}

static bool is_smmu(uint8_t type)
{
    return type == SLUICE_IORT_SMMU || type == SLUICE_IORT_SMMU_V3;
}

/** Devices lead to an SMMU or an ITS; an SMMU, a PMCG and its like to an ITS [IORT 3.1.1.1]. */
static bool may_lead_to(const struct sluice_iort_node *from, const struct sluice_iort_node *to)
{
    if (to->type == SLUICE_IORT_ITS_GROUP)
        return from->type != SLUICE_IORT_RMR;
    return is_smmu(to->type) &&
           (from->type == SLUICE_IORT_NAMED_COMPONENT || from->type == SLUICE_IORT_ROOT_COMPLEX ||
            from->type == SLUICE_IORT_RMR);
}

static void check_mapping(const struct lint *lint, const struct sluice_iort_node *node,
                          const struct sluice_iort_mapping *mapping)
{
    struct sluice_iort_node target;

    if (!is_node(lint, mapping->reference, &target))
        lint_say(lint, LINT_REFERENCE_BROKEN, mapping->offset + 12, "a mapping leads to offset %#x",
                 (unsigned)mapping->reference);
    else if (target.offset == node->offset)
        lint_say(lint, LINT_MAPPING_LOOP, mapping->offset + 12, "a mapping leads to its own node");
    else if (!may_lead_to(node, &target))
        lint_say(lint, LINT_REFERENCE_KIND, mapping->offset + 12, "a mapping of a %s leads to a %s",
                 sluice_iort_type_text(node->type), sluice_iort_type_text(target.type));
    if ((mapping->flags & SINGLE_MAPPING) != 0)
        return;
    if (mapping->input_base + mapping->count < mapping->input_base ||
        mapping->output_base + mapping->count < mapping->output_base)
        lint_say(lint, LINT_MAPPING_WRAPS, mapping->offset, "IDs from %#x on, %#x more, to %#x",
                 (unsigned)mapping->input_base, (unsigned)mapping->count,
                 (unsigned)mapping->output_base);
}

static void compare_mapping(const struct lint *lint, const struct sluice_iort_node *node,
                            uint32_t index, const struct sluice_iort_mapping *mapping)
{
    struct sluice_iort_mapping other;

    if ((mapping->flags & SINGLE_MAPPING) != 0)
        return;
    for (uint32_t i = index + 1; i < node->mapping_count && i - index < LINT_COMPARED_MAX; i++) {
        if (sluice_iort_mapping(lint->table, node, i, &other, NULL) != SLUICE_OK)
            return;
        if ((other.flags & SINGLE_MAPPING) == 0 &&
            mapping->input_base <= (uint64_t)other.input_base + other.count &&
            other.input_base <= (uint64_t)mapping->input_base + mapping->count)
            lint_say(lint, LINT_MAPPING_OVERLAP, other.offset, "ID %#x is mapped at offset %#x too",
                     (unsigned)(other.input_base > mapping->input_base ? other.input_base
                                                                       : mapping->input_base),
                     (unsigned)mapping->offset);
    }
}

static void check_mappings(const struct lint *lint, const struct sluice_iort_node *node)
{
    struct sluice_acpi_error error;
    struct sluice_iort_mapping mapping;

    for (uint32_t i = 0; i < node->mapping_count; i++) {
        if (i == LINT_COMPARED_MAX) {
            lint_say(lint, LINT_TOO_MANY, node->offset + 8, "%u mappings",
                     (unsigned)node->mapping_count);
            return;
        }
        if (sluice_iort_mapping(lint->table, node, i, &mapping, &error) != SLUICE_OK) {
            lint_malformed(lint, &error);
            return;
        }
        check_mapping(lint, node, &mapping);
        compare_mapping(lint, node, i, &mapping);
    }
}

static void check_regions(const struct lint *lint, const struct sluice_iort_node *node)
{
    struct sluice_acpi_error error;
    struct sluice_iort_region region;

    for (uint32_t i = 0; i < node->item_count; i++) {
        if (sluice_iort_region(lint->table, node, i, &region, &error) != SLUICE_OK) {
            lint_malformed(lint, &error);
            return;
        }
        if (region.length == 0)
            lint_say(lint, LINT_REGION_EMPTY, region.offset + 8, "region at %#llx of 0 bytes",
                     (unsigned long long)region.base);
        else
            lint_region(lint, region.offset, region.base, region.base + (region.length - 1));
    }
    if (node->mapping_count == 0)
        lint_say(lint, LINT_REGION_NO_DEVICE, node->offset, "an RMR without a mapping");
}

static void check_smmu(const struct lint *lint, const struct sluice_iort_node *node)
{
    if (node->base == 0)
        lint_say(lint, LINT_UNIT_BASE_ZERO, node->offset + 16, "registers at 0");
    else if ((node->base & (SLUICE_PAGE_BYTES - 1)) != 0 || node->base >> 52 != 0)
        lint_say(lint, LINT_UNIT_BASE_ABSURD, node->offset + 16, "registers at %#llx",
                 (unsigned long long)node->base);
}

static void check_its(const struct lint *lint, const struct sluice_iort_node *node)
{
    struct sluice_acpi_error error;
    uint32_t identifier;

    if (node->item_count != 0 &&
        sluice_iort_its(lint->table, node, node->item_count - 1, &identifier, &error) != SLUICE_OK)
        lint_malformed(lint, &error);
}

static void check_node(const struct lint *lint, const struct sluice_iort_node *node)
{
    struct sluice_iort_node target;

    if (node->type >= SLUICE_IORT_TYPE_COUNT)
        lint_say(lint, LINT_UNKNOWN_STRUCTURE, node->offset, "node of type %u",
                 (unsigned)node->type);
    if (is_smmu(node->type))
        check_smmu(lint, node);
    if (node->type == SLUICE_IORT_ITS_GROUP)
        check_its(lint, node);
    if (node->type == SLUICE_IORT_RMR)
        check_regions(lint, node);
    if (node->type == SLUICE_IORT_PMCG && !is_node(lint, node->reference, &target))
        lint_say(lint, LINT_REFERENCE_BROKEN, node->offset + 28, "a PMCG counts for offset %#x",
                 (unsigned)node->reference);
    check_mappings(lint, node);
}

static void compare_smmus(const struct lint *lint)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_iort_node one;

    for (unsigned count = 0; count < LINT_COMPARED_MAX && next(lint, &at, &one); count++) {
        struct sluice_acpi_cursor behind = at;
        struct sluice_iort_node other;

        for (unsigned i = 0; i < LINT_COMPARED_MAX && next(lint, &behind, &other); i++) {
            if (is_smmu(one.type) && is_smmu(other.type) && one.base == other.base && one.base != 0)
                lint_say(lint, LINT_UNIT_DUPLICATE, other.offset,
                         "another SMMU at %#llx, see offset %#x", (unsigned long long)other.base,
                         (unsigned)one.offset);
        }
    }
}

void lint_iort(const struct lint *lint)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_iort_node node;
    enum sluice_status status;
    uint32_t nodes = 0;

    while ((status = sluice_iort_next(lint->table, &at, &node, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status != SLUICE_OK) {
            lint_malformed(lint, &error);
            continue;
        }
        if (nodes++ == LINT_COMPARED_MAX) {
            lint_say(lint, LINT_TOO_MANY, node.offset, "more than %u nodes", LINT_COMPARED_MAX);
            return;
        }
        check_node(lint, &node);
    }
    if (lint->table->bytes >= 48 && table_get32(lint->table->data + NODE_COUNT_OFFSET) != nodes)
        lint_say(lint, LINT_NODE_COUNT, NODE_COUNT_OFFSET, "count says %u, there are %u",
                 (unsigned)table_get32(lint->table->data + NODE_COUNT_OFFSET), (unsigned)nodes);
    compare_smmus(lint);
}
