// SPDX-License-Identifier: MIT
/*
 * What IORT says, in the words of the platform description [IORT 3.1].
 *
 * SMMUs become units. Root complexes and named components become scopes of the units that their
 * mappings lead to; a mapping that leads elsewhere, to an interrupt controller, says that no SMMU
 * is in the way (and where messages go: platform_iort_messages.c). Reserved memory is named by
 * stream ID, so its scopes are IDs of a unit.
 */
#include "firmware/platform_table.h"

#include <sluice/iort.h>

/** Nodes and mappings of one table; more is a table that means harm. */
#define NODES_MAX    4096u
#define MAPPINGS_MAX 65536u

#define SINGLE_MAPPING 0x1u /**< mapping flag [IORT 3.1.1.1] */

#define SMMU_V3_BYTES    0x20000u /**< pages 0 and 1 [SMMU 6.1] */
#define SMMU_V3_COHERENT 0x1u     /**< COHACC override [IORT 3.1.1.3] */
#define SMMU_COHERENT    0x2u     /**< coherent table walk [IORT 3.1.1.2] */
#define ATS_SUPPORTED    0x1u     /**< of a root complex [IORT 3.1.1.4] */
#define ACCESS_COHERENT  0x1u     /**< memory access properties: CCA [IORT table 14] */
/**
 * Stream IDs of all reserved regions of a table, an ID counted for each. Each gets page tables of
 * its own before start, and four bytes of a table can name 2^32 of them; real ones name a few.
 */
#define RMR_IDS_MAX    4096u
#define EVERY_RID_LAST 0xffffu

static bool is_smmu(uint8_t type)
{
    return type == SLUICE_IORT_SMMU || type == SLUICE_IORT_SMMU_V3;
}

static enum sluice_status add_smmu(const struct platform_reader *reader,
                                   const struct sluice_iort_node *node)
{
    bool v3 = node->type == SLUICE_IORT_SMMU_V3;
    struct platform_unit *unit;
    enum sluice_status status = platform_make_unit(reader, node->offset, &unit);

    if (status != SLUICE_OK)
        return status;
    unit->kind = v3 ? SLUICE_UNIT_SMMU_V3 : SLUICE_UNIT_SMMU_V2;
    unit->base = node->base;
    unit->register_bytes = v3 ? SMMU_V3_BYTES : node->span;
    unit->maps_ids = true;
    unit->model = node->model;
    if ((node->flags & (v3 ? SMMU_V3_COHERENT : SMMU_COHERENT)) != 0)
        unit->coherence = SLUICE_COHERENCE_YES;
    for (unsigned i = 0; v3 && i < SLUICE_UNIT_WIRES_MAX; i++)
        unit->wires[i] = node->interrupts[i];
    return SLUICE_OK;
}

static enum sluice_coherence coherence_of(const struct sluice_iort_node *node)
{
    return (node->memory_access & ACCESS_COHERENT) != 0 ? SLUICE_COHERENCE_YES
                                                        : SLUICE_COHERENCE_NO;
}

/** Requester IDs of a root complex: those of the mapping that are 16 bits wide. */
static enum sluice_status add_functions(const struct platform_reader *reader,
                                        const struct sluice_iort_node *node,
                                        const struct sluice_iort_mapping *mapping,
                                        struct platform_unit *unit)
{
    struct platform_scope *scope;
    enum sluice_status status;
    uint64_t last = (uint64_t)mapping->input_base + mapping->count;

    if (node->segment > 0xffffu)
        return platform_refused(reader, node->offset + 28, "PCI segment is wider than 16 bits");
    if ((mapping->flags & SINGLE_MAPPING) != 0)
        return platform_refused(reader, mapping->offset + 16,
                                "single mapping of a root complex: which function is not said");
    if (mapping->input_base > EVERY_RID_LAST)
        return SLUICE_OK; /* no function has these */
    if ((uint64_t)mapping->output_base + mapping->count > UINT32_MAX)
        return platform_refused(reader, mapping->offset + 8, "stream IDs exceed 32 bits");
    status = platform_make_scope(reader->sluice, &unit->scopes, PLATFORM_SCOPE_PCI_RANGE,
                                 mapping->offset, &scope);
    if (status != SLUICE_OK)
        return status;
    scope->segment = (uint16_t)node->segment;
    scope->last_segment = scope->segment;
    scope->first_rid = (uint16_t)mapping->input_base;
    scope->last_rid = (uint16_t)(last > EVERY_RID_LAST ? EVERY_RID_LAST : last);
    scope->first_id = mapping->output_base;
    scope->address_bits = node->address_bits;
    scope->ats = (node->ats & ATS_SUPPORTED) != 0;
    scope->coherence = coherence_of(node);
    return SLUICE_OK;
}

static enum sluice_status add_component(const struct platform_reader *reader,
                                        const struct sluice_iort_node *node,
                                        const struct sluice_iort_mapping *mapping,
                                        struct platform_unit *unit)
{
    bool single = (mapping->flags & SINGLE_MAPPING) != 0;
    struct platform_scope *scope;
    struct sluice_iort_node to;
    enum sluice_status status;

    if (!single && mapping->count >= SLUICE_DEVICE_IDS_MAX)
        return platform_refused(reader, mapping->offset + 4, "a device with more than 128 IDs");
    if (!single && mapping->output_base > UINT32_MAX - mapping->count)
        return platform_refused(reader, mapping->offset + 8, "stream IDs exceed 32 bits");
    status = platform_make_scope(reader->sluice, &unit->scopes, PLATFORM_SCOPE_NAMED,
                                 mapping->offset, &scope);
    if (status != SLUICE_OK)
        return status;
    scope->name = node->name;
    scope->name_bytes = node->name_bytes;
    scope->first_id = mapping->output_base;
    scope->id_count = single ? 1 : mapping->count + 1;
    scope->address_bits = node->address_bits;
    scope->coherence = coherence_of(node);
    return sluice_iort_at(reader->table, mapping->reference, &to, NULL) == SLUICE_OK
               ? platform_iort_device(reader, scope, &to)
               : SLUICE_OK;
}

static enum sluice_status add_region_ids(const struct platform_reader *reader,
                                         const struct sluice_iort_node *node,
                                         const struct sluice_iort_mapping *mapping,
                                         const struct platform_unit *unit,
                                         struct platform_reserved *reserved)
{
    bool single = (mapping->flags & SINGLE_MAPPING) != 0;
    uint32_t more = single ? 0 : mapping->count; /* beyond the first */
    struct platform_scope *scope;
    enum sluice_status status;

    if (more >= RMR_IDS_MAX - reader->platform->reserved_ids)
        return platform_refused(reader, node->offset,
                                "a node with reserved memory for too many stream IDs: more than "
                                "4096, with those of the nodes before");
    reader->platform->reserved_ids += more + 1;
    if (mapping->output_base > UINT32_MAX - more)
        return platform_refused(reader, mapping->offset + 8, "stream IDs exceed 32 bits");
    status = platform_make_scope(reader->sluice, &reserved->scopes, PLATFORM_SCOPE_IDS,
                                 mapping->offset, &scope);
    if (status != SLUICE_OK)
        return status;
    scope->unit = unit;
    scope->first_id = mapping->output_base;
    scope->id_count = more + 1;
    return SLUICE_OK;
}

/** What is done with each mapping of a node that leads to an SMMU. */
typedef enum sluice_status mapping_visitor(const struct platform_reader *reader,
                                           const struct sluice_iort_node *node,
                                           const struct sluice_iort_mapping *mapping,
                                           struct platform_unit *unit, void *arg);

static enum sluice_status visit_mappings(const struct platform_reader *reader,
                                         const struct sluice_iort_node *node,
                                         mapping_visitor *visit, void *arg)
{
    struct sluice_iort_mapping mapping;
    struct sluice_acpi_error error;
    enum sluice_status status = SLUICE_OK;

    if (node->mapping_count > MAPPINGS_MAX)
        return platform_refused(reader, node->offset + 8, "more than 65536 mappings");
    for (uint32_t i = 0; i < node->mapping_count && status == SLUICE_OK; i++) {
        struct sluice_iort_node to;

        status = sluice_iort_mapping(reader->table, node, i, &mapping, &error);
        if (status != SLUICE_OK)
            return platform_malformed(reader, &error);
        status = sluice_iort_at(reader->table, mapping.reference, &to, &error);
        if (status != SLUICE_OK)
            return platform_refused(reader, mapping.offset + 12, "a mapping leads to no node");
        if (node->type == SLUICE_IORT_ROOT_COMPLEX) {
            status = platform_iort_functions(reader, node, &mapping, &to);
            if (status != SLUICE_OK)
                return status;
        }
        if (!is_smmu(to.type))
            continue; /* to an interrupt controller: nothing translates on the way */
        struct platform_unit *unit = platform_unit_at(reader, to.offset);

        if (unit == NULL)
            return platform_refused(reader, mapping.offset + 12,
                                    "a mapping leads into the middle of a node");
        status = visit(reader, node, &mapping, unit, arg);
    }
    return status;
}

static enum sluice_status visit_device(const struct platform_reader *reader,
                                       const struct sluice_iort_node *node,
                                       const struct sluice_iort_mapping *mapping,
                                       struct platform_unit *unit, void *arg)
{
    (void)arg;
    return node->type == SLUICE_IORT_ROOT_COMPLEX ? add_functions(reader, node, mapping, unit)
                                                  : add_component(reader, node, mapping, unit);
}

static enum sluice_status visit_region(const struct platform_reader *reader,
                                       const struct sluice_iort_node *node,
                                       const struct sluice_iort_mapping *mapping,
                                       struct platform_unit *unit, void *arg)
{
    return add_region_ids(reader, node, mapping, unit, arg);
}

/** Each memory range of an RMR node, for all its stream IDs [IORT 3.1.1.7]. */
static enum sluice_status add_regions(const struct platform_reader *reader,
                                      const struct sluice_iort_node *node)
{
    struct sluice_iort_region region;
    struct sluice_acpi_error error;
    enum sluice_status status;

    for (uint32_t i = 0;
         (status = sluice_iort_region(reader->table, node, i, &region, &error)) == SLUICE_OK; i++) {
        const struct platform_reserved what = {.first = region.base,
                                               .last = region.base + (region.length - 1),
                                               .prot = SLUICE_PROT_READ | SLUICE_PROT_WRITE,
                                               .table_offset = region.offset};
        struct platform_reserved *reserved;

        if (region.length == 0 || region.base > UINT64_MAX - (region.length - 1))
            return platform_refused(reader, region.offset, "reserved memory is empty or inverted");
        status = platform_make_reserved(reader, &what, &reserved);
        if (status != SLUICE_OK)
            return status;
        status = visit_mappings(reader, node, visit_region, reserved);
        if (status != SLUICE_OK)
            return status;
    }
    return status == SLUICE_ERR_NOT_FOUND ? SLUICE_OK : platform_malformed(reader, &error);
}

static enum sluice_status read_node(const struct platform_reader *reader,
                                    const struct sluice_iort_node *node, bool units)
{
    if (units)
        return is_smmu(node->type) ? add_smmu(reader, node) : SLUICE_OK;
    switch (node->type) {
    case SLUICE_IORT_ROOT_COMPLEX:
    case SLUICE_IORT_NAMED_COMPONENT:
        return visit_mappings(reader, node, visit_device, NULL);
    case SLUICE_IORT_RMR:
        return add_regions(reader, node);
    default:
        if (node->type >= SLUICE_IORT_TYPE_COUNT)
            log_warning(reader->sluice, "IORT: offset %#x: node of unknown type %u: skipped",
                        (unsigned)node->offset, (unsigned)node->type);
        return SLUICE_OK;
    }
}

/** Units first: nodes refer to others before and after them. */
static enum sluice_status read_nodes(const struct platform_reader *reader, bool units)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_iort_node node;
    enum sluice_status status;
    unsigned count = 0;

    while ((status = sluice_iort_next(reader->table, &at, &node, &error)) == SLUICE_OK) {
        if (++count > NODES_MAX)
            return platform_refused(reader, node.offset, "more than 4096 nodes");
        status = read_node(reader, &node, units);
        if (status != SLUICE_OK)
            return status;
    }
    return status == SLUICE_ERR_NOT_FOUND ? SLUICE_OK : platform_malformed(reader, &error);
}

enum sluice_status platform_read_iort(const struct platform_reader *reader)
{
    enum sluice_status status = read_nodes(reader, true);

    return status == SLUICE_OK ? read_nodes(reader, false) : status;
}
