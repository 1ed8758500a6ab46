// SPDX-License-Identifier: MIT
/*
 * IORT, the table of Arm's SMMUs [IORT 3]: nodes of all revisions, mappings, and following an ID
 * through them. Hostile input; allocates nothing.
 */
#include "firmware/table.h"

#include <sluice/iort.h>

#define IORT_HEADER_BYTES 48u
#define NODE_HEADER_BYTES 16u
#define MAPPING_BYTES     20u
#define REGION_BYTES      20u

/** Nodes that an ID can pass: device, SMMU, ITS; more is a circle. */
#define ROUTE_MAX 8u

/** Mappings looked at on the way; a table that is right has a handful. */
#define MAPPINGS_MAX 65536u

#define SINGLE_MAPPING 1u

struct kind {
    const char *name;
    void (*read)(const uint8_t *from, struct sluice_iort_node *out);
    uint16_t least;
};

/* A count and an offset of the node, as an offset in the table; a broken one is found when used. */
static void items_at(struct sluice_iort_node *out, uint32_t count, uint32_t offset)
{
    out->item_count = count;
    out->items = count != 0 ? out->offset + offset : 0;
}

static void read_its(const uint8_t *from, struct sluice_iort_node *out)
{
    items_at(out, table_get32(from + 16), 20);
}

static void read_component(const uint8_t *from, struct sluice_iort_node *out)
{
    out->flags = table_get32(from + 16);
    out->memory_access = table_get64(from + 20);
    out->address_bits = from[28];
    out->name = (const char *)from + 29;
    while (29 + out->name_bytes < out->bytes && from[29 + out->name_bytes] != 0)
        out->name_bytes++;
}

static void read_root_complex(const uint8_t *from, struct sluice_iort_node *out)
{
    out->memory_access = table_get64(from + 16);
    out->ats = table_get32(from + 24);
    out->segment = table_get32(from + 28);
    /* The address size came with revision 1, PASID and flags with 4. */
    if (out->bytes >= 36)
        out->address_bits = from[32];
    if (out->revision >= 4 && out->bytes >= 40) {
        out->pasid = table_get16(from + 33);
        out->flags = table_get32(from + 36);
    }
}

static void read_smmu(const uint8_t *from, struct sluice_iort_node *out)
{
    out->base = table_get64(from + 16);
    out->span = table_get64(from + 24);
    out->model = table_get32(from + 32);
    out->flags = table_get32(from + 36);
    items_at(out, table_get32(from + 44), table_get32(from + 48));
}

static void read_smmu_v3(const uint8_t *from, struct sluice_iort_node *out)
{
    out->base = table_get64(from + 16);
    out->flags = table_get32(from + 24);
    out->second_base = table_get64(from + 32);
    out->model = table_get32(from + 40);
    for (unsigned i = 0; i < 4; i++)
        out->interrupts[i] = table_get32(from + 44 + (size_t)4 * i);
    if (out->bytes >= 68 && out->revision >= 1) {
        out->proximity = table_get32(from + 60);
        out->device_id_mapping = table_get32(from + 64);
    }
}

static void read_pmcg(const uint8_t *from, struct sluice_iort_node *out)
{
    out->base = table_get64(from + 16);
    out->interrupts[0] = table_get32(from + 24);
    out->reference = table_get32(from + 28);
    /* Page 1 came with revision 1. */
    if (out->bytes >= 40)
        out->second_base = table_get64(from + 32);
}

static void read_rmr(const uint8_t *from, struct sluice_iort_node *out)
{
    out->flags = table_get32(from + 16);
    items_at(out, table_get32(from + 20), table_get32(from + 24));
}

static const struct kind kinds[SLUICE_IORT_TYPE_COUNT] = {
    [SLUICE_IORT_ITS_GROUP] = {"ITS group", read_its, 20},
    [SLUICE_IORT_NAMED_COMPONENT] = {"named component", read_component, 29},
    [SLUICE_IORT_ROOT_COMPLEX] = {"root complex", read_root_complex, 32},
    [SLUICE_IORT_SMMU] = {"SMMUv1/v2", read_smmu, 60},
    [SLUICE_IORT_SMMU_V3] = {"SMMUv3", read_smmu_v3, 60},
    [SLUICE_IORT_PMCG] = {"PMCG", read_pmcg, 32},
    [SLUICE_IORT_RMR] = {"RMR", read_rmr, 28},
};

const char *sluice_iort_type_text(uint8_t type)
{
    return type < SLUICE_IORT_TYPE_COUNT ? kinds[type].name : "unknown";
}

enum sluice_status sluice_iort_at(const struct sluice_acpi_table *table, uint32_t offset,
                                  struct sluice_iort_node *out, struct sluice_acpi_error *error)
{
    const uint8_t *from;
    uint32_t bytes;

    if (offset < IORT_HEADER_BYTES || offset > table->bytes ||
        table->bytes - offset < NODE_HEADER_BYTES)
        return table_bad(error, offset < table->bytes ? offset : 0, "no node fits there");
    from = table->data + offset;
    bytes = table_get16(from + 1);
    if (bytes < NODE_HEADER_BYTES)
        return table_bad(error, offset + 1, "node's length is shorter than its header");
    if (bytes > table->bytes - offset)
        return table_bad(error, offset + 1, "node reaches out of the table");
    *out = (struct sluice_iort_node){
        .type = from[0],
        .revision = from[3],
        .offset = offset,
        .bytes = bytes,
        .identifier = table_get32(from + 4),
        .mapping_count = table_get32(from + 8),
    };
    if (out->mapping_count != 0)
        out->mappings = offset + table_get32(from + 12);
    if (out->type >= SLUICE_IORT_TYPE_COUNT)
        return SLUICE_OK;
    if (bytes < kinds[out->type].least)
        return table_bad(error, offset + 1, "node is shorter than its type needs");
    kinds[out->type].read(from, out);
    return SLUICE_OK;
}

enum sluice_status sluice_iort_next(const struct sluice_acpi_table *table,
                                    struct sluice_acpi_cursor *cursor, struct sluice_iort_node *out,
                                    struct sluice_acpi_error *error)
{
    uint32_t at = cursor->at;
    uint32_t bytes;

    if (at == 0) {
        if (table->bytes < IORT_HEADER_BYTES) {
            cursor->at = table->bytes;
            return table_bad(error, 4, "shorter than the header of an IORT");
        }
        at = table_get32(table->data + 40);
        if (at < IORT_HEADER_BYTES || at > table->bytes) {
            cursor->at = table->bytes;
            return table_bad(error, 40, "the first node lies outside the table");
        }
    }
    if (at >= table->bytes)
        return SLUICE_ERR_NOT_FOUND;
    cursor->at = table->bytes; /* where a node has no end, nothing follows it */
    if (table->bytes - at < NODE_HEADER_BYTES)
        return table_bad(error, at, "bytes after the last node");
    bytes = table_get16(table->data + at + 1);
    if (bytes >= NODE_HEADER_BYTES && bytes <= table->bytes - at)
        cursor->at = at + bytes;
    return sluice_iort_at(table, at, out, error);
}

enum sluice_status sluice_iort_mapping(const struct sluice_acpi_table *table,
                                       const struct sluice_iort_node *node, uint32_t index,
                                       struct sluice_iort_mapping *out,
                                       struct sluice_acpi_error *error)
{
    enum sluice_status status;
    const uint8_t *from;
    uint32_t at;

    if (index >= node->mapping_count)
        return SLUICE_ERR_NOT_FOUND;
    status =
        table_item(node->offset, node->bytes, node->mappings, index, MAPPING_BYTES, &at, error);
    if (status != SLUICE_OK)
        return status;
    from = table->data + at;
    *out = (struct sluice_iort_mapping){
        .offset = at,
        .input_base = table_get32(from),
        .count = table_get32(from + 4),
        .output_base = table_get32(from + 8),
        .reference = table_get32(from + 12),
        .flags = table_get32(from + 16),
    };
    return SLUICE_OK;
}

enum sluice_status sluice_iort_its(const struct sluice_acpi_table *table,
                                   const struct sluice_iort_node *node, uint32_t index,
                                   uint32_t *out, struct sluice_acpi_error *error)
{
    enum sluice_status status;
    uint32_t at;

    if (node->type != SLUICE_IORT_ITS_GROUP || index >= node->item_count)
        return SLUICE_ERR_NOT_FOUND;
    status = table_item(node->offset, node->bytes, node->items, index, 4, &at, error);
    if (status == SLUICE_OK)
        *out = table_get32(table->data + at);
    return status;
}

enum sluice_status sluice_iort_region(const struct sluice_acpi_table *table,
                                      const struct sluice_iort_node *node, uint32_t index,
                                      struct sluice_iort_region *out,
                                      struct sluice_acpi_error *error)
{
    enum sluice_status status;
    uint32_t at;

    if (node->type != SLUICE_IORT_RMR || index >= node->item_count)
        return SLUICE_ERR_NOT_FOUND;
    status = table_item(node->offset, node->bytes, node->items, index, REGION_BYTES, &at, error);
    if (status == SLUICE_OK)
        *out = (struct sluice_iort_region){
            .offset = at,
            .base = table_get64(table->data + at),
            .length = table_get64(table->data + at + 8),
        };
    return status;
}

/* The mapping that an ID takes. Single mappings are for the node's own interrupts, not for IDs. */
static enum sluice_status mapping_for(const struct sluice_acpi_table *table,
                                      const struct sluice_iort_node *node, uint32_t id,
                                      struct sluice_iort_mapping *out,
                                      struct sluice_acpi_error *error)
{
    for (uint32_t i = 0; i < node->mapping_count && i < MAPPINGS_MAX; i++) {
        enum sluice_status status = sluice_iort_mapping(table, node, i, out, error);

        if (status != SLUICE_OK)
            return status;
        if ((out->flags & SINGLE_MAPPING) != 0
                ? node->type == SLUICE_IORT_NAMED_COMPONENT
                : id >= out->input_base && id - out->input_base <= out->count)
            return SLUICE_OK;
    }
    return SLUICE_ERR_NOT_FOUND;
}

enum sluice_status sluice_iort_route(const struct sluice_acpi_table *table,
                                     const struct sluice_iort_node *from, uint32_t *id,
                                     uint8_t target, struct sluice_iort_node *out,
                                     struct sluice_acpi_error *error)
{
    *out = *from;
    for (unsigned i = 0; i < ROUTE_MAX; i++) {
        struct sluice_iort_mapping mapping;
        enum sluice_status status;

        if (i != 0 && out->type == target)
            return SLUICE_OK;
        status = mapping_for(table, out, *id, &mapping, error);
        if (status != SLUICE_OK)
            return status;
        *id = (mapping.flags & SINGLE_MAPPING) != 0
                  ? mapping.output_base
                  : mapping.output_base + (*id - mapping.input_base);
        status = sluice_iort_at(table, mapping.reference, out, error);
        if (status != SLUICE_OK)
            return table_bad(error, mapping.offset + 12, "a mapping leads to no node");
    }
    return table_bad(error, from->offset, "mappings lead in a circle");
}
