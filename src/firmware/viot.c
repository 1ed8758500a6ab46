// SPDX-License-Identifier: MIT
/*
 * VIOT, the table of virtio-iommu [ACPI 5.2.33]. Hostile input; allocates nothing.
 */
#include "firmware/table.h"

#include <sluice/iort.h>

#define VIOT_HEADER_BYTES 48u
#define NODE_HEADER_BYTES 4u

static void read_range(const uint8_t *from, struct sluice_viot_node *out)
{
    out->endpoint = table_get32(from + 4);
    out->first_segment = table_get16(from + 8);
    out->last_segment = table_get16(from + 10);
    out->first_rid = table_get16(from + 12);
    out->last_rid = table_get16(from + 14);
    out->reference = table_get16(from + 16);
}

static void read_endpoint(const uint8_t *from, struct sluice_viot_node *out)
{
    out->endpoint = table_get32(from + 4);
    out->base = table_get64(from + 8);
    out->reference = table_get16(from + 16);
}

static void read_pci(const uint8_t *from, struct sluice_viot_node *out)
{
    out->first_segment = table_get16(from + 4);
    out->last_segment = out->first_segment;
    out->first_rid = table_get16(from + 6);
    out->last_rid = out->first_rid;
}

static void read_mmio(const uint8_t *from, struct sluice_viot_node *out)
{
    out->base = table_get64(from + 8);
}

static const struct {
    const char *name;
    void (*read)(const uint8_t *from, struct sluice_viot_node *out);
    uint16_t least;
} kinds[] = {
    [SLUICE_VIOT_PCI_RANGE] = {"PCI range", read_range, 24},
    [SLUICE_VIOT_MMIO_ENDPOINT] = {"MMIO endpoint", read_endpoint, 24},
    [SLUICE_VIOT_IOMMU_PCI] = {"virtio-iommu on PCI", read_pci, 16},
    [SLUICE_VIOT_IOMMU_MMIO] = {"virtio-iommu on MMIO", read_mmio, 16},
};

static bool known(uint8_t type)
{
    return type < sizeof(kinds) / sizeof(kinds[0]) && kinds[type].read != NULL;
}

const char *sluice_viot_type_text(uint8_t type)
{
    return known(type) ? kinds[type].name : "unknown";
}

enum sluice_status sluice_viot_next(const struct sluice_acpi_table *table,
                                    struct sluice_acpi_cursor *cursor, struct sluice_viot_node *out,
                                    struct sluice_acpi_error *error)
{
    static const struct table_shape shape = {.header_bytes = NODE_HEADER_BYTES, .length_at = 2};
    enum sluice_status status = SLUICE_OK;
    const uint8_t *from;
    uint32_t bytes;
    uint32_t at;

    if (cursor->at == 0)
        status = table_begin(table, cursor,
                             table->bytes < VIOT_HEADER_BYTES ? 0 : table_get16(table->data + 38),
                             38, error);
    if (status == SLUICE_OK)
        status = table_next(table, cursor, 0, &shape, &bytes, error);
    if (status != SLUICE_OK)
        return status;
    at = cursor->at - bytes;
    from = table->data + at;
    *out = (struct sluice_viot_node){.type = from[0], .offset = at, .bytes = bytes};
    if (!known(out->type))
        return SLUICE_OK;
    if (bytes < kinds[out->type].least)
        return table_bad(error, at + 2, "structure is shorter than its type needs");
    kinds[out->type].read(from, out);
    return SLUICE_OK;
}
