// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any bytes as a firmware table. Every walk must end, stay inside, and say where it
 * stumbled; what the library accepts it must also give back. Seeds: made by tests/tables, and the
 * corpus where it is there.
 */
#include <stdlib.h>
#include <string.h>

#include "models/host.h"

#include <sluice/sluice.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(bool right)
{
    if (!right)
        abort();
}

/* Reads what an item points at, so that a sanitizer sees where it points. */
static unsigned touch(const void *data, size_t bytes)
{
    const uint8_t *at = data;
    unsigned sum = 0;

    for (size_t i = 0; i < bytes; i++)
        sum += at[i];
    return sum;
}

static void walk_scopes(const struct sluice_acpi_table *table,
                        const struct sluice_dmar_structure *structure)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_dmar_scope scope;
    enum sluice_status status;
    uint32_t turns = 0;

    while ((status = sluice_dmar_scope_next(table, structure, &at, &scope, &error)) !=
           SLUICE_ERR_NOT_FOUND) {
        check(++turns <= table->bytes);
        if (status == SLUICE_OK)
            (void)touch(scope.path, (size_t)scope.path_length * 2);
        else
            check(status == SLUICE_ERR_FIRMWARE && error.offset < table->bytes);
    }
}

static void walk_dmar(const struct sluice_acpi_table *table)
{
    struct sluice_dmar_structure structure;
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    enum sluice_status status;
    uint32_t turns = 0;

    while ((status = sluice_dmar_next(table, &at, &structure, &error)) != SLUICE_ERR_NOT_FOUND) {
        check(++turns <= table->bytes);
        if (status != SLUICE_OK) {
            check(status == SLUICE_ERR_FIRMWARE && error.offset < table->bytes);
            continue;
        }
        check(structure.offset + structure.bytes <= table->bytes);
        (void)touch(structure.name, structure.name_bytes);
        walk_scopes(table, &structure);
    }
}

static void walk_entries(const struct sluice_acpi_table *table,
                         const struct sluice_ivrs_block *block)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_ivrs_entry entry;
    struct sluice_acpi_error error;
    enum sluice_status status;
    uint32_t turns = 0;

    while ((status = sluice_ivrs_entry_next(table, block, &at, &entry, &error)) !=
           SLUICE_ERR_NOT_FOUND) {
        check(++turns <= table->bytes);
        if (status == SLUICE_OK) {
            (void)touch(entry.uid, entry.uid_bytes);
            (void)touch(entry.hid, entry.hid != NULL ? 16 : 0);
        } else {
            check(status == SLUICE_ERR_FIRMWARE && error.offset < table->bytes);
        }
    }
}

static void walk_ivrs(const struct sluice_acpi_table *table)
{
    struct sluice_ivrs_block block;
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    enum sluice_status status;
    uint32_t turns = 0;

    while ((status = sluice_ivrs_next(table, &at, &block, &error)) != SLUICE_ERR_NOT_FOUND) {
        check(++turns <= table->bytes);
        if (status != SLUICE_OK) {
            check(status == SLUICE_ERR_FIRMWARE && error.offset < table->bytes);
            continue;
        }
        check(block.offset + block.bytes <= table->bytes);
        walk_entries(table, &block);
    }
}

static void walk_iort(const struct sluice_acpi_table *table)
{
    struct sluice_iort_mapping mapping;
    struct sluice_iort_region region;
    struct sluice_iort_node reached;
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_iort_node node;
    enum sluice_status status;
    uint32_t turns = 0;
    uint32_t id = 0;

    while ((status = sluice_iort_next(table, &at, &node, &error)) != SLUICE_ERR_NOT_FOUND) {
        check(++turns <= table->bytes);
        if (status != SLUICE_OK)
            continue;
        check(node.offset + node.bytes <= table->bytes);
        (void)touch(node.name, node.name_bytes);
        for (uint32_t i = 0; sluice_iort_mapping(table, &node, i, &mapping, &error) == SLUICE_OK;
             i++)
            check(mapping.offset + 20 <= table->bytes);
        for (uint32_t i = 0; sluice_iort_its(table, &node, i, &id, &error) == SLUICE_OK; i++)
            check(i < table->bytes);
        for (uint32_t i = 0; sluice_iort_region(table, &node, i, &region, &error) == SLUICE_OK; i++)
            check(region.offset + 20 <= table->bytes);
        if (turns < 64)
            (void)sluice_iort_route(table, &node, &id, SLUICE_IORT_ITS_GROUP, &reached, &error);
    }
}

static void walk_rimt(const struct sluice_acpi_table *table)
{
    struct sluice_rimt_mapping mapping;
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_rimt_node node;
    struct sluice_rimt_wire wire;
    enum sluice_status status;
    uint32_t turns = 0;

    while ((status = sluice_rimt_next(table, &at, &node, &error)) != SLUICE_ERR_NOT_FOUND) {
        check(++turns <= table->bytes);
        if (status != SLUICE_OK)
            continue;
        (void)touch(node.name, node.name_bytes);
        (void)touch(node.hardware_id, node.hardware_id != NULL ? 8 : 0);
        for (uint32_t i = 0; sluice_rimt_mapping(table, &node, i, &mapping, &error) == SLUICE_OK;
             i++)
            check(mapping.offset + 20 <= table->bytes);
        for (uint32_t i = 0; sluice_rimt_wire(table, &node, i, &wire, &error) == SLUICE_OK; i++)
            check(i < table->bytes);
    }
}

static void walk_viot(const struct sluice_acpi_table *table)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_viot_node node;
    uint32_t turns = 0;

    while (sluice_viot_next(table, &at, &node, &error) != SLUICE_ERR_NOT_FOUND)
        check(++turns <= table->bytes);
}

static void on_finding(void *arg, const struct sluice_lint_finding *finding)
{
    const struct sluice_acpi_table *table = arg;

    check(finding->rule != NULL && finding->advice != NULL && finding->message[0] != '\0');
    check(finding->offset <= table->bytes || finding->offset < SLUICE_DMAR_FIRST + 1);
}

static void walk_mcfg(const struct sluice_acpi_table *table)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_mcfg_entry entry;
    uint32_t turns = 0;

    while (sluice_mcfg_next(table, &at, &entry, &error) != SLUICE_ERR_NOT_FOUND)
        check(++turns <= table->bytes);
}

static void walk_root(const struct sluice_acpi_table *table)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    uint32_t turns = 0;
    sluice_phys_t phys;

    while (sluice_acpi_root_next(table, &at, &phys, &error) != SLUICE_ERR_NOT_FOUND)
        check(++turns <= table->bytes);
}

static void add_to_library(const uint8_t *data, size_t bytes)
{
    const struct model_host_config host_config = {.extents = {{.base = 1 << 20, .bytes = 1 << 20}}};
    struct model_host *host = model_host_create(&host_config);
    struct sluice_config config = {0};
    struct sluice *sluice;

    model_host_configure(host, &config);
    check(sluice_create(&config, &sluice) == SLUICE_OK);
    if (sluice_add_table(sluice, data, bytes) != SLUICE_OK)
        check(sluice_start(sluice) == SLUICE_ERR_NOT_FOUND);
    check(sluice_destroy(sluice) == SLUICE_OK);
    check(model_host_objects_in_use(host) == 0);
    check(model_host_destroy(host) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sluice_dmar_header header;
    struct sluice_acpi_table table;
    struct sluice_acpi_error error;
    struct sluice_acpi_root root;

    (void)sluice_acpi_rsdp(data, bytes, &root, &error);
    if (sluice_acpi_open(data, bytes, &table, &error) != SLUICE_OK)
        return 0;
    (void)sluice_dmar_header(&table, &header, &error);
    walk_dmar(&table);
    walk_ivrs(&table);
    walk_iort(&table);
    walk_rimt(&table);
    walk_viot(&table);
    sluice_lint(&table, on_finding, &table);
    walk_mcfg(&table);
    walk_root(&table);
    add_to_library(data, bytes);
    return 0;
}
