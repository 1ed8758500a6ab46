// SPDX-License-Identifier: MIT
/*
 * DMAR, the table of Intel VT-d [VT-d 8]: header, remapping structures, device scopes. Hostile
 * input; allocates nothing. platform_dmar.c makes a platform description of it.
 */
#include "firmware/table.h"

#define SCOPE_HEADER_BYTES 6u

/** A type's name, its bytes before scopes or text, and how its fields are read. */
struct kind {
    const char *name;
    void (*read)(const uint8_t *from, struct sluice_dmar_structure *out);
    uint16_t least;
    bool scopes;
};

static void read_drhd(const uint8_t *from, struct sluice_dmar_structure *out)
{
    out->flags = from[4];
    out->size = from[5];
    out->segment = table_get16(from + 6);
    out->base = table_get64(from + 8);
}

static void read_rmrr(const uint8_t *from, struct sluice_dmar_structure *out)
{
    out->reserved = table_get16(from + 4);
    out->segment = table_get16(from + 6);
    out->base = table_get64(from + 8);
    out->last = table_get64(from + 16);
}

/* ATSR and SATC have the same layout. */
static void read_atsr(const uint8_t *from, struct sluice_dmar_structure *out)
{
    out->flags = from[4];
    out->reserved = from[5];
    out->segment = table_get16(from + 6);
}

static void read_rhsa(const uint8_t *from, struct sluice_dmar_structure *out)
{
    out->reserved = table_get32(from + 4);
    out->base = table_get64(from + 8);
    out->proximity = table_get32(from + 16);
}

static void read_andd(const uint8_t *from, struct sluice_dmar_structure *out)
{
    uint32_t room = out->bytes - 8;

    out->reserved = from[4] | (uint32_t)from[5] << 8 | (uint32_t)from[6] << 16;
    out->device_number = from[7];
    out->name = (const char *)from + 8;
    while (out->name_bytes < room && from[8 + out->name_bytes] != 0)
        out->name_bytes++;
}

static void read_sidp(const uint8_t *from, struct sluice_dmar_structure *out)
{
    out->reserved = table_get16(from + 4);
    out->segment = table_get16(from + 6);
}

static const struct kind kinds[SLUICE_DMAR_TYPE_COUNT] = {
    [SLUICE_DMAR_DRHD] = {"DRHD", read_drhd, 16, true},
    [SLUICE_DMAR_RMRR] = {"RMRR", read_rmrr, 24, true},
    [SLUICE_DMAR_ATSR] = {"ATSR", read_atsr, 8, true},
    [SLUICE_DMAR_RHSA] = {"RHSA", read_rhsa, 20, false},
    [SLUICE_DMAR_ANDD] = {"ANDD", read_andd, 8, false},
    [SLUICE_DMAR_SATC] = {"SATC", read_atsr, 8, true},
    [SLUICE_DMAR_SIDP] = {"SIDP", read_sidp, 8, true},
};

const char *sluice_dmar_type_text(uint16_t type)
{
    return type < SLUICE_DMAR_TYPE_COUNT ? kinds[type].name : "unknown";
}

enum sluice_status sluice_dmar_header(const struct sluice_acpi_table *table,
                                      struct sluice_dmar_header *out,
                                      struct sluice_acpi_error *error)
{
    const uint8_t *from = table->data;

    if (table->bytes < SLUICE_DMAR_FIRST)
        return table_bad(error, 4, "shorter than the header of a DMAR");
    *out = (struct sluice_dmar_header){
        .host_address_width = (uint8_t)(from[36] + 1),
        .flags = from[37],
        .reserved_clear = true,
    };
    for (unsigned i = 38; i < SLUICE_DMAR_FIRST; i++)
        out->reserved_clear = out->reserved_clear && from[i] == 0;
    return SLUICE_OK;
}

enum sluice_status sluice_dmar_next(const struct sluice_acpi_table *table,
                                    struct sluice_acpi_cursor *cursor,
                                    struct sluice_dmar_structure *out,
                                    struct sluice_acpi_error *error)
{
    static const struct table_shape shape = {.header_bytes = 4, .length_at = 2};
    uint32_t bytes;
    enum sluice_status status = table_next(table, cursor, SLUICE_DMAR_FIRST, &shape, &bytes, error);
    uint32_t at = cursor->at - (status == SLUICE_OK ? bytes : 0);
    const uint8_t *from = table->data + at;

    if (status != SLUICE_OK)
        return status;
    *out = (struct sluice_dmar_structure){.type = table_get16(from), .offset = at, .bytes = bytes};
    if (out->type >= SLUICE_DMAR_TYPE_COUNT)
        return SLUICE_OK;
    if (bytes < kinds[out->type].least)
        return table_bad(error, at + 2, "structure is shorter than its type needs");
    kinds[out->type].read(from, out);
    out->scopes = kinds[out->type].scopes ? at + kinds[out->type].least : 0;
    return SLUICE_OK;
}

enum sluice_status sluice_dmar_scope_next(const struct sluice_acpi_table *table,
                                          const struct sluice_dmar_structure *structure,
                                          struct sluice_acpi_cursor *cursor,
                                          struct sluice_dmar_scope *out,
                                          struct sluice_acpi_error *error)
{
    uint32_t end = structure->offset + structure->bytes;
    uint32_t at = cursor->at != 0 ? cursor->at : structure->scopes;
    const uint8_t *from = table->data + at;
    uint32_t bytes;

    if (structure->scopes == 0 || at >= end)
        return SLUICE_ERR_NOT_FOUND;
    cursor->at = end;
    if (end - at < SCOPE_HEADER_BYTES)
        return table_bad(error, at, "bytes after the last device scope");
    bytes = from[1];
    if (bytes < SCOPE_HEADER_BYTES)
        return table_bad(error, at + 1, "device scope's length is shorter than its header");
    if (bytes > end - at)
        return table_bad(error, at + 1, "device scope reaches out of its structure");
    cursor->at = at + bytes;
    *out = (struct sluice_dmar_scope){
        .type = from[0],
        .flags = from[2],
        .reserved = from[3],
        .enumeration_id = from[4],
        .start_bus = from[5],
        .offset = at,
        .bytes = bytes,
        .path = from + SCOPE_HEADER_BYTES,
        .path_length = (bytes - SCOPE_HEADER_BYTES) / 2,
    };
    return SLUICE_OK;
}
