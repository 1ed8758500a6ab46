// SPDX-License-Identifier: MIT
/*
 * IVRS, the table of the AMD IOMMU [AMD 5.2]: header, definition blocks, device entries. Hostile
 * input; allocates nothing.
 */
#include "firmware/table.h"

#define BLOCK_HEADER_BYTES 4u
#define IVHD10_BYTES       24u
#define IVHD11_BYTES       40u
#define IVMD_BYTES         32u
#define ACPI_DEVICE_BYTES  22u /**< before its UID */

enum sluice_status sluice_ivrs_header(const struct sluice_acpi_table *table,
                                      struct sluice_ivrs_header *out,
                                      struct sluice_acpi_error *error)
{
    uint32_t info;

    if (table->bytes < SLUICE_IVRS_FIRST)
        return table_bad(error, 4, "shorter than the header of an IVRS");
    info = table_get32(table->data + 36);
    *out = (struct sluice_ivrs_header){
        .info = info,
        .efr_supported = (info & 1u) != 0,
        .dma_remapping = (info >> 1 & 1u) != 0,
        .guest_bits = (uint8_t)(info >> 5 & 7u),
        .phys_bits = (uint8_t)(info >> 8 & 0x7fu),
        .virt_bits = (uint8_t)(info >> 15 & 0x7fu),
        .ht_ats_reserved = (info >> 22 & 1u) != 0,
        .reserved_clear = table_get64(table->data + 40) == 0,
    };
    return SLUICE_OK;
}

static void read_ivhd(const uint8_t *from, struct sluice_ivrs_block *out)
{
    bool old = out->type == SLUICE_IVRS_IVHD10;

    out->device = table_get16(from + 4);
    out->capability = table_get16(from + 6);
    out->base = table_get64(from + 8);
    out->segment = table_get16(from + 16);
    out->info = table_get16(from + 18);
    out->features = table_get32(from + 20);
    out->efr = old ? 0 : table_get64(from + 24);
    out->efr2 = old ? 0 : table_get64(from + 32);
    out->entries = out->offset + (old ? IVHD10_BYTES : IVHD11_BYTES);
}

static void read_ivmd(const uint8_t *from, struct sluice_ivrs_block *out)
{
    out->device = table_get16(from + 4);
    out->aux = table_get16(from + 6);
    out->reserved = table_get64(from + 8);
    out->base = table_get64(from + 16);
    out->length = table_get64(from + 24);
}

static uint32_t least_bytes(uint8_t type)
{
    if (type == SLUICE_IVRS_IVHD10)
        return IVHD10_BYTES;
    if (sluice_ivrs_is_ivhd(type))
        return IVHD11_BYTES;
    return sluice_ivrs_is_ivmd(type) ? IVMD_BYTES : BLOCK_HEADER_BYTES;
}

enum sluice_status sluice_ivrs_next(const struct sluice_acpi_table *table,
                                    struct sluice_acpi_cursor *cursor,
                                    struct sluice_ivrs_block *out, struct sluice_acpi_error *error)
{
    static const struct table_shape shape = {.header_bytes = BLOCK_HEADER_BYTES, .length_at = 2};
    uint32_t bytes;
    enum sluice_status status = table_next(table, cursor, SLUICE_IVRS_FIRST, &shape, &bytes, error);
    uint32_t at = cursor->at - (status == SLUICE_OK ? bytes : 0);
    const uint8_t *from = table->data + at;

    if (status != SLUICE_OK)
        return status;
    *out =
        (struct sluice_ivrs_block){.type = from[0], .flags = from[1], .offset = at, .bytes = bytes};
    if (bytes < least_bytes(out->type))
        return table_bad(error, at + 2, "structure is shorter than its type needs");
    if (sluice_ivrs_is_ivhd(out->type))
        read_ivhd(from, out);
    else if (sluice_ivrs_is_ivmd(out->type))
        read_ivmd(from, out);
    return SLUICE_OK;
}

/**
 * How long an entry is, by its type: 4 << (type >> 6) bytes below 240, where ACPI devices say it
 * themselves [AMD 5.2.2.1, table 95]; 0: nobody knows.
 */
static uint32_t entry_bytes(const uint8_t *from, uint32_t room)
{
    if (from[0] < SLUICE_IVRS_ACPI_DEVICE)
        return 4u << (from[0] >> 6);
    if (from[0] == SLUICE_IVRS_ACPI_DEVICE && room >= ACPI_DEVICE_BYTES)
        return ACPI_DEVICE_BYTES + from[21];
    return from[0] == SLUICE_IVRS_ACPI_DEVICE ? ACPI_DEVICE_BYTES : 0;
}

static void read_wide_entry(const uint8_t *from, struct sluice_ivrs_entry *out)
{
    switch (out->type) {
    case SLUICE_IVRS_ALIAS_SELECT:
    case SLUICE_IVRS_ALIAS_RANGE:
        out->source = table_get16(from + 5);
        out->reserved[0] = from[4];
        out->reserved[1] = from[7];
        break;
    case SLUICE_IVRS_EXTENDED_SELECT:
    case SLUICE_IVRS_EXTENDED_RANGE:
        out->extended = table_get32(from + 4);
        break;
    case SLUICE_IVRS_SPECIAL:
        out->handle = from[4];
        out->source = table_get16(from + 5);
        out->variety = from[7];
        break;
    case SLUICE_IVRS_ACPI_DEVICE:
        out->hid = (const char *)from + 4;
        out->cid = (const char *)from + 12;
        out->uid_format = from[20];
        out->uid = from + ACPI_DEVICE_BYTES;
        out->uid_bytes = from[21];
        break;
    default:
        break;
    }
}

enum sluice_status sluice_ivrs_entry_next(const struct sluice_acpi_table *table,
                                          const struct sluice_ivrs_block *block,
                                          struct sluice_acpi_cursor *cursor,
                                          struct sluice_ivrs_entry *out,
                                          struct sluice_acpi_error *error)
{
    uint32_t end = block->offset + block->bytes;
    uint32_t at = cursor->at != 0 ? cursor->at : block->entries;
    const uint8_t *from = table->data + at;
    uint32_t bytes;

    if (block->entries == 0 || at >= end)
        return SLUICE_ERR_NOT_FOUND;
    cursor->at = end;
    bytes = entry_bytes(from, end - at);
    if (bytes == 0)
        return table_bad(error, at, "device entry of a type whose length is not known");
    if (bytes > end - at)
        return table_bad(error, at, "device entry reaches out of its block");
    cursor->at = at + bytes;
    *out = (struct sluice_ivrs_entry){
        .type = from[0],
        .device = table_get16(from + 1),
        .settings = from[3],
        .offset = at,
        .bytes = bytes,
    };
    read_wide_entry(from, out);
    return SLUICE_OK;
}
