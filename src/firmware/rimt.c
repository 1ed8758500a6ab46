// SPDX-License-Identifier: MIT
/*
 * RIMT, the table of RISC-V IOMMUs [RIMT 2]. Hostile input; allocates nothing.
 */
#include "firmware/table.h"

#include <sluice/iort.h>

#define RIMT_HEADER_BYTES 48u
#define NODE_HEADER_BYTES 8u
#define MAPPING_BYTES     20u
#define WIRE_BYTES        8u

static void read_iommu(const uint8_t *from, struct sluice_rimt_node *out)
{
    out->hardware_id = (const char *)from + 8;
    out->base = table_get64(from + 16);
    out->flags = table_get32(from + 24);
    out->proximity = table_get32(from + 28);
    out->segment = table_get16(from + 32);
    out->rid = table_get16(from + 34);
    out->wire_count = table_get16(from + 36);
    out->wires = out->offset + table_get16(from + 38);
}

static void mappings_at(struct sluice_rimt_node *out, uint16_t offset, uint16_t count)
{
    out->mapping_count = count;
    out->mappings = count != 0 ? out->offset + offset : 0;
}

static void read_root_complex(const uint8_t *from, struct sluice_rimt_node *out)
{
    out->flags = table_get32(from + 8);
    out->segment = table_get16(from + 14);
    mappings_at(out, table_get16(from + 16), table_get16(from + 18));
}

static void read_platform_device(const uint8_t *from, struct sluice_rimt_node *out)
{
    mappings_at(out, table_get16(from + 8), table_get16(from + 10));
    out->name = (const char *)from + 12;
    while (12 + out->name_bytes < out->bytes && from[12 + out->name_bytes] != 0)
        out->name_bytes++;
}

static const struct {
    const char *name;
    void (*read)(const uint8_t *from, struct sluice_rimt_node *out);
    uint16_t least;
} kinds[SLUICE_RIMT_TYPE_COUNT] = {
    [SLUICE_RIMT_IOMMU] = {"IOMMU", read_iommu, 40},
    [SLUICE_RIMT_ROOT_COMPLEX] = {"root complex", read_root_complex, 20},
    [SLUICE_RIMT_PLATFORM_DEVICE] = {"platform device", read_platform_device, 12},
};

const char *sluice_rimt_type_text(uint8_t type)
{
    return type < SLUICE_RIMT_TYPE_COUNT ? kinds[type].name : "unknown";
}

enum sluice_status sluice_rimt_next(const struct sluice_acpi_table *table,
                                    struct sluice_acpi_cursor *cursor, struct sluice_rimt_node *out,
                                    struct sluice_acpi_error *error)
{
    static const struct table_shape shape = {.header_bytes = NODE_HEADER_BYTES, .length_at = 2};
    enum sluice_status status = SLUICE_OK;
    const uint8_t *from;
    uint32_t bytes;
    uint32_t at;

    if (cursor->at == 0)
        status = table_begin(table, cursor,
                             table->bytes < RIMT_HEADER_BYTES ? 0 : table_get32(table->data + 40),
                             40, error);
    if (status == SLUICE_OK)
        status = table_next(table, cursor, 0, &shape, &bytes, error);
    if (status != SLUICE_OK)
        return status;
    at = cursor->at - bytes;
    from = table->data + at;
    *out = (struct sluice_rimt_node){
        .type = from[0],
        .revision = from[1],
        .id = table_get16(from + 6),
        .offset = at,
        .bytes = bytes,
    };
    if (out->type >= SLUICE_RIMT_TYPE_COUNT)
        return SLUICE_OK;
    if (bytes < kinds[out->type].least)
        return table_bad(error, at + 2, "structure is shorter than its type needs");
    kinds[out->type].read(from, out);
    return SLUICE_OK;
}

enum sluice_status sluice_rimt_mapping(const struct sluice_acpi_table *table,
                                       const struct sluice_rimt_node *node, uint32_t index,
                                       struct sluice_rimt_mapping *out,
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
    *out = (struct sluice_rimt_mapping){
        .offset = at,
        .source_base = table_get32(from),
        .count = table_get32(from + 4),
        .target_base = table_get32(from + 8),
        .reference = table_get32(from + 12),
        .flags = table_get32(from + 16),
    };
    return SLUICE_OK;
}

enum sluice_status sluice_rimt_wire(const struct sluice_acpi_table *table,
                                    const struct sluice_rimt_node *node, uint32_t index,
                                    struct sluice_rimt_wire *out, struct sluice_acpi_error *error)
{
    enum sluice_status status;
    uint32_t at;

    if (index >= node->wire_count)
        return SLUICE_ERR_NOT_FOUND;
    status = table_item(node->offset, node->bytes, node->wires, index, WIRE_BYTES, &at, error);
    if (status == SLUICE_OK)
        *out = (struct sluice_rimt_wire){table_get32(table->data + at),
                                         table_get32(table->data + at + 4)};
    return status;
}
