// SPDX-License-Identifier: MIT
/*
 * From the RSDP to the tables, with the caller's mapping of physical memory.
 */
#include "firmware/platform_table.h"

/** Root tables hold tens of entries, and no table about IOMMUs is longer than this. */
#define TABLE_MAX_BYTES ((uint32_t)16 << 20)

/** What is readable at an RSDP, by its revision [ACPI 5.2.5.3]. */
#define RSDP_V1_BYTES 20u
#define RSDP_V2_BYTES 36u

struct mapper {
    struct sluice *sluice;
    const void *(*map)(void *ctx, sluice_phys_t phys, size_t bytes);
    void (*unmap)(void *ctx, const void *virt, size_t bytes);
};

static const uint8_t *map(const struct mapper *mapper, sluice_phys_t phys, size_t bytes)
{
    return mapper->map(mapper->sluice->config.ctx, phys, bytes);
}

static void unmap(const struct mapper *mapper, const uint8_t *virt, size_t bytes)
{
    if (mapper->unmap != NULL)
        mapper->unmap(mapper->sluice->config.ctx, virt, bytes);
}

static enum sluice_status bad_table(const struct mapper *mapper, sluice_phys_t phys,
                                    const char *what)
{
    log_error(mapper->sluice, "ACPI table at %#llx: %s", (unsigned long long)phys, what);
    return SLUICE_ERR_FIRMWARE;
}

/** Maps a table whole: its header first, which says how long it is. */
static enum sluice_status map_table(const struct mapper *mapper, sluice_phys_t phys,
                                    const uint8_t **out_data, uint32_t *out_bytes)
{
    const uint8_t *header = map(mapper, phys, SLUICE_ACPI_HEADER_BYTES);
    uint32_t bytes;

    if (header == NULL)
        return bad_table(mapper, phys, "could not be mapped");
    bytes = header[4] | (uint32_t)header[5] << 8 | (uint32_t)header[6] << 16 |
            (uint32_t)header[7] << 24;
    unmap(mapper, header, SLUICE_ACPI_HEADER_BYTES);
    if (bytes < SLUICE_ACPI_HEADER_BYTES || bytes > TABLE_MAX_BYTES)
        return bad_table(mapper, phys, "offset 0x4: its length is absurd");
    *out_data = map(mapper, phys, bytes);
    *out_bytes = bytes;
    return *out_data != NULL ? SLUICE_OK : bad_table(mapper, phys, "could not be mapped whole");
}

static enum sluice_status add_table_at(const struct mapper *mapper, sluice_phys_t phys)
{
    const uint8_t *table = map(mapper, phys, SLUICE_ACPI_HEADER_BYTES);
    enum sluice_status status;
    uint32_t bytes;
    bool wanted;

    if (table == NULL) {
        log_warning(mapper->sluice, "ACPI table at %#llx could not be mapped: skipped",
                    (unsigned long long)phys);
        return SLUICE_OK;
    }
    wanted = platform_knows_table((const char *)table);
    unmap(mapper, table, SLUICE_ACPI_HEADER_BYTES);
    if (!wanted)
        return SLUICE_OK;
    status = map_table(mapper, phys, &table, &bytes);
    if (status != SLUICE_OK)
        return status;
    status = sluice_add_table(mapper->sluice, table, bytes);
    unmap(mapper, table, bytes);
    return status;
}

static enum sluice_status add_entries(const struct mapper *mapper, sluice_phys_t phys,
                                      const uint8_t *data, uint32_t bytes)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_table table;
    struct sluice_acpi_error error = {0, NULL};
    enum sluice_status status = sluice_acpi_open(data, bytes, &table, &error);
    sluice_phys_t entry;

    if (status == SLUICE_OK && table.checksum_sum != 0)
        return bad_table(mapper, phys, "checksum of the root table is wrong");
    while (status == SLUICE_OK &&
           (status = sluice_acpi_root_next(&table, &at, &entry, &error)) == SLUICE_OK)
        status = add_table_at(mapper, entry);
    if (status == SLUICE_ERR_FIRMWARE && error.what != NULL)
        return bad_table(mapper, phys, error.what);
    if (status == SLUICE_ERR_NOT_FOUND)
        return list_empty(&mapper->sluice->platform.units) ? status : SLUICE_OK;
    return status;
}

enum sluice_status sluice_add_acpi(struct sluice *sluice, const void *rsdp,
                                   const void *(*map_hook)(void *ctx, sluice_phys_t phys,
                                                           size_t bytes),
                                   void (*unmap_hook)(void *ctx, const void *virt, size_t bytes))
{
    const struct mapper mapper = {.sluice = sluice, .map = map_hook, .unmap = unmap_hook};
    struct sluice_acpi_error error;
    struct sluice_acpi_root root;
    enum sluice_status status;
    const uint8_t *data;
    uint32_t bytes;

    if (sluice == NULL || rsdp == NULL || map_hook == NULL)
        return SLUICE_ERR_INVALID;
    status = sluice_acpi_rsdp(
        rsdp, ((const uint8_t *)rsdp)[15] == 0 ? RSDP_V1_BYTES : RSDP_V2_BYTES, &root, &error);
    if (status != SLUICE_OK) {
        log_error(sluice, "offset %#x: %s", (unsigned)error.offset, error.what);
        return status;
    }
    status = map_table(&mapper, root.phys, &data, &bytes);
    if (status != SLUICE_OK)
        return status;
    status = add_entries(&mapper, root.phys, data, bytes);
    unmap(&mapper, data, bytes);
    return status;
}
