// SPDX-License-Identifier: MIT
/*
 * What all ACPI tables share: header [ACPI 5.2.6], RSDP [ACPI 5.2.5.3], RSDT and XSDT
 * [ACPI 5.2.7, 5.2.8]. Hostile input; allocates nothing.
 */
#include "firmware/table.h"

#define RSDP_V1_BYTES 20u
#define RSDP_V2_BYTES 36u

/** Header of the tables of nodes: IORT, RIMT, VIOT. */
#define NODE_TABLE_HEADER_BYTES 48u

static void copy_text(char *to, const uint8_t *from, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (char)from[i];
    to[bytes] = '\0';
}

enum sluice_status sluice_acpi_open(const void *data, size_t bytes, struct sluice_acpi_table *out,
                                    struct sluice_acpi_error *error)
{
    const uint8_t *from = data;
    uint32_t length;

    if (data == NULL || bytes < SLUICE_ACPI_HEADER_BYTES)
        return table_bad(error, 0, "shorter than a table's header");
    length = table_get32(from + 4);
    if (length < SLUICE_ACPI_HEADER_BYTES)
        return table_bad(error, 4, "length is shorter than the header");
    if (length > bytes)
        return table_bad(error, 4, "length is more than there is: truncated");
    *out = (struct sluice_acpi_table){
        .data = from,
        .bytes = length,
        .revision = from[8],
        .checksum = from[9],
        .checksum_sum = table_sum(from, length),
        .oem_revision = table_get32(from + 24),
        .creator_revision = table_get32(from + 32),
    };
    copy_text(out->signature, from, 4);
    copy_text(out->oem_id, from + 10, 6);
    copy_text(out->oem_table_id, from + 16, 8);
    copy_text(out->creator_id, from + 28, 4);
    return SLUICE_OK;
}

enum sluice_status table_next(const struct sluice_acpi_table *table,
                              struct sluice_acpi_cursor *cursor, uint32_t first,
                              const struct table_shape *shape, uint32_t *out_bytes,
                              struct sluice_acpi_error *error)
{
    uint32_t at = cursor->at != 0 ? cursor->at : first;
    uint32_t bytes;

    if (at >= table->bytes)
        return SLUICE_ERR_NOT_FOUND;
    cursor->at = table->bytes;
    if (table->bytes - at < shape->header_bytes)
        return table_bad(error, at, "bytes after the last structure");
    bytes = table_get16(table->data + at + shape->length_at);
    if (bytes < shape->header_bytes)
        return table_bad(error, at + shape->length_at,
                         "structure's length is shorter than its header");
    if (bytes > table->bytes - at)
        return table_bad(error, at + shape->length_at, "structure reaches out of the table");
    cursor->at = at + bytes;
    *out_bytes = bytes;
    return SLUICE_OK;
}

enum sluice_status table_begin(const struct sluice_acpi_table *table,
                               struct sluice_acpi_cursor *cursor, uint32_t first, uint32_t first_at,
                               struct sluice_acpi_error *error)
{
    if (first >= NODE_TABLE_HEADER_BYTES && first <= table->bytes) {
        cursor->at = first;
        return SLUICE_OK;
    }
    cursor->at = table->bytes;
    return table_bad(error, first_at, "the first node lies outside the table");
}

static bool starts_with(const uint8_t *data, const char *text)
{
    for (; *text != '\0'; text++, data++) {
        if (*data != (uint8_t)*text)
            return false;
    }
    return true;
}

enum sluice_status sluice_acpi_rsdp(const void *rsdp, size_t bytes, struct sluice_acpi_root *out,
                                    struct sluice_acpi_error *error)
{
    const uint8_t *from = rsdp;

    if (rsdp == NULL || bytes < RSDP_V1_BYTES)
        return table_bad(error, 0, "RSDP: shorter than 20 bytes");
    if (!starts_with(from, "RSD PTR "))
        return table_bad(error, 0, "RSDP: signature is wrong");
    if (table_sum(from, RSDP_V1_BYTES) != 0)
        return table_bad(error, 8, "RSDP: checksum is wrong");
    *out = (struct sluice_acpi_root){.phys = table_get32(from + 16), .entry_bytes = 4};
    if (from[15] == 0)
        return SLUICE_OK;
    if (bytes < RSDP_V2_BYTES)
        return table_bad(error, 15, "RSDP: shorter than the 36 bytes of its revision");
    if (table_sum(from, RSDP_V2_BYTES) != 0)
        return table_bad(error, 32, "RSDP: extended checksum is wrong");
    if (table_get64(from + 24) != 0)
        *out = (struct sluice_acpi_root){.phys = table_get64(from + 24), .entry_bytes = 8};
    return SLUICE_OK;
}

enum sluice_status sluice_acpi_root_next(const struct sluice_acpi_table *table,
                                         struct sluice_acpi_cursor *cursor, sluice_phys_t *out_phys,
                                         struct sluice_acpi_error *error)
{
    bool wide = starts_with(table->data, "XSDT");
    uint32_t step = wide ? 8 : 4;
    uint32_t at = cursor->at != 0 ? cursor->at : SLUICE_ACPI_HEADER_BYTES;

    while (at < table->bytes) {
        if (table->bytes - at < step) {
            cursor->at = table->bytes;
            return table_bad(error, at, "bytes after the last entry");
        }
        *out_phys = wide ? table_get64(table->data + at) : table_get32(table->data + at);
        at += step;
        cursor->at = at;
        if (*out_phys != 0)
            return SLUICE_OK;
    }
    return SLUICE_ERR_NOT_FOUND;
}
