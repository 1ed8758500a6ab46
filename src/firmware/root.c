// SPDX-License-Identifier: MIT
/*
 * From the RSDP to the tables: XSDT, or RSDT where there is none [ACPI 6.5, 5.2.5, 5.2.7, 5.2.8].
 */
#include "core/instance.h"
#include "firmware/table.h"

#include <sluice/instance.h>

#define RSDP_V1_BYTES 20u
#define RSDP_V2_BYTES 36u

/** Root tables hold tens of entries; a length beyond this is not one. */
#define ROOT_MAX_BYTES ((uint32_t)1 << 20)

/** Nor is a table that describes IOMMUs longer than this. */
#define TABLE_MAX_BYTES ((uint32_t)16 << 20)

struct mapper {
    struct sluice *sluice;
    const void *(*map)(void *ctx, sluice_phys_t phys, size_t bytes);
    void (*unmap)(void *ctx, const void *virt, size_t bytes);
};

struct root {
    sluice_phys_t phys;
    unsigned entry_bytes;
    const char *signature;
};

static uint8_t sum_of(const uint8_t *data, size_t bytes)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + data[i]);
    return sum;
}

static const uint8_t *map(const struct mapper *mapper, sluice_phys_t phys, size_t bytes)
{
    return mapper->map(mapper->sluice->config.ctx, phys, bytes);
}

static void unmap(const struct mapper *mapper, const uint8_t *virt, size_t bytes)
{
    if (mapper->unmap != NULL)
        mapper->unmap(mapper->sluice->config.ctx, virt, bytes);
}

static enum sluice_status find_root(struct sluice *sluice, const uint8_t *rsdp, struct root *out)
{
    if (memcmp(rsdp, "RSD PTR ", 8) != 0) {
        log_error(sluice, "RSDP: offset 0: not its signature");
        return SLUICE_ERR_FIRMWARE;
    }
    if (sum_of(rsdp, RSDP_V1_BYTES) != 0) {
        log_error(sluice, "RSDP: offset 8: checksum of the first 20 bytes is wrong");
        return SLUICE_ERR_FIRMWARE;
    }
    *out = (struct root){.phys = table_get32(rsdp + 16), .entry_bytes = 4, .signature = "RSDT"};
    if (rsdp[15] == 0)
        return SLUICE_OK;
    if (sum_of(rsdp, RSDP_V2_BYTES) != 0) {
        log_error(sluice, "RSDP: offset 32: checksum of the whole is wrong");
        return SLUICE_ERR_FIRMWARE;
    }
    if (table_get64(rsdp + 24) != 0)
        *out = (struct root){.phys = table_get64(rsdp + 24), .entry_bytes = 8, .signature = "XSDT"};
    return SLUICE_OK;
}

/** Maps a table whole; its length is its own word, and at most `limit`. */
static const uint8_t *map_table(const struct mapper *mapper, sluice_phys_t phys, uint32_t limit,
                                uint32_t *out_bytes)
{
    const uint8_t *header = map(mapper, phys, ACPI_HEADER_BYTES);
    uint32_t bytes;

    if (header == NULL) {
        log_error(mapper->sluice, "ACPI table at %#llx could not be mapped",
                  (unsigned long long)phys);
        return NULL;
    }
    bytes = table_get32(header + 4);
    unmap(mapper, header, ACPI_HEADER_BYTES);
    if (bytes < ACPI_HEADER_BYTES || bytes > limit) {
        log_error(mapper->sluice, "ACPI table at %#llx: offset 4: length %u is absurd",
                  (unsigned long long)phys, (unsigned)bytes);
        return NULL;
    }
    *out_bytes = bytes;
    return map(mapper, phys, bytes);
}

static enum sluice_status add_table_at(const struct mapper *mapper, sluice_phys_t phys)
{
    const uint8_t *table = map(mapper, phys, ACPI_HEADER_BYTES);
    enum sluice_status status;
    uint32_t bytes;
    bool wanted;

    if (table == NULL) {
        log_warning(mapper->sluice, "ACPI table at %#llx could not be mapped: skipped",
                    (unsigned long long)phys);
        return SLUICE_OK;
    }
    wanted = platform_knows_table(table);
    unmap(mapper, table, ACPI_HEADER_BYTES);
    if (!wanted)
        return SLUICE_OK;
    table = map_table(mapper, phys, TABLE_MAX_BYTES, &bytes);
    if (table == NULL)
        return SLUICE_ERR_FIRMWARE;
    status = sluice_add_table(mapper->sluice, table, bytes);
    unmap(mapper, table, bytes);
    return status;
}

static enum sluice_status add_entries(const struct mapper *mapper, const struct root *root,
                                      const uint8_t *table, uint32_t bytes)
{
    if (memcmp(table, root->signature, 4) != 0 || sum_of(table, bytes) != 0) {
        log_error(mapper->sluice, "%s at %#llx: signature or checksum is wrong", root->signature,
                  (unsigned long long)root->phys);
        return SLUICE_ERR_FIRMWARE;
    }
    for (uint32_t at = ACPI_HEADER_BYTES; bytes - at >= root->entry_bytes;
         at += root->entry_bytes) {
        sluice_phys_t phys =
            root->entry_bytes == 8 ? table_get64(table + at) : table_get32(table + at);
        enum sluice_status status = phys != 0 ? add_table_at(mapper, phys) : SLUICE_OK;

        if (status != SLUICE_OK)
            return status;
    }
    return SLUICE_OK;
}

enum sluice_status sluice_add_acpi(struct sluice *sluice, const void *rsdp,
                                   const void *(*map_hook)(void *ctx, sluice_phys_t phys,
                                                           size_t bytes),
                                   void (*unmap_hook)(void *ctx, const void *virt, size_t bytes))
{
    const struct mapper mapper = {.sluice = sluice, .map = map_hook, .unmap = unmap_hook};
    enum sluice_status status;
    const uint8_t *table;
    struct root root;
    uint32_t bytes;

    if (sluice == NULL || rsdp == NULL || map_hook == NULL)
        return SLUICE_ERR_INVALID;
    status = find_root(sluice, rsdp, &root);
    if (status != SLUICE_OK)
        return status;
    table = map_table(&mapper, root.phys, ROOT_MAX_BYTES, &bytes);
    if (table == NULL)
        return SLUICE_ERR_FIRMWARE;
    status = add_entries(&mapper, &root, table, bytes);
    unmap(&mapper, table, bytes);
    if (status == SLUICE_OK && list_empty(&sluice->platform.units))
        status = SLUICE_ERR_NOT_FOUND;
    return status;
}
