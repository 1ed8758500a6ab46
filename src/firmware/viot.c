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

static enum sluice_status begin(const struct sluice_acpi_table *table,
                                struct sluice_acpi_cursor *cursor, struct sluice_acpi_error *error)
{
    if (table->bytes < VIOT_HEADER_BYTES) {
        cursor->at = table->bytes;
        return table_bad(error, 4, "shorter than the header of a VIOT");
    }
    cursor->at = table_get16(table->data + 38);
    if (cursor->at < VIOT_HEADER_BYTES || cursor->at > table->bytes) {
        cursor->at = table->bytes;
        return table_bad(error, 38, "the first node lies outside the table");
    }
    return SLUICE_OK;
}

enum sluice_status sluice_viot_next(const struct sluice_acpi_table *table,
                                    struct sluice_acpi_cursor *cursor, struct sluice_viot_node *out,
                                    struct sluice_acpi_error *error)
{
    enum sluice_status status = cursor->at == 0 ? begin(table, cursor, error) : SLUICE_OK;
    uint32_t at = cursor->at;
    const uint8_t *from = table->data + at;
    uint32_t bytes;

    if (status != SLUICE_OK)
        return status;
    if (at >= table->bytes)
        return SLUICE_ERR_NOT_FOUND;
    cursor->at = table->bytes; /* where a node has no end, nothing follows it */
    if (table->bytes - at < NODE_HEADER_BYTES)
        return table_bad(error, at, "bytes after the last node");
    bytes = table_get16(from + 2);
    if (bytes < NODE_HEADER_BYTES)
        return table_bad(error, at + 2, "node's length is shorter than its header");
    if (bytes > table->bytes - at)
        return table_bad(error, at + 2, "node reaches out of the table");
    cursor->at = at + bytes;
    *out = (struct sluice_viot_node){.type = from[0], .offset = at, .bytes = bytes};
    if (!known(out->type))
        return SLUICE_OK;
    if (bytes < kinds[out->type].least)
        return table_bad(error, at + 2, "node is shorter than its type needs");
    kinds[out->type].read(from, out);
    return SLUICE_OK;
}
