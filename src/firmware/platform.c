// SPDX-License-Identifier: MIT
/*
 * The platform description: tables in, units and regions out; all or nothing a table.
 */
#include "firmware/table.h"

#include "core/instance.h"

void platform_init(struct platform *platform)
{
    *platform = (struct platform){0};
    list_init(&platform->units);
    list_init(&platform->reserved);
    list_init(&platform->ats);
    list_init(&platform->ecam);
    list_init(&platform->tables);
}

static void free_scopes(struct sluice *sluice, struct list_node *scopes)
{
    list_for_each_safe(node, scopes)
    {
        list_remove(node);
        host_free(sluice, container_of(node, struct platform_scope, node),
                  sizeof(struct platform_scope));
    }
}

void platform_clear(struct sluice *sluice, struct platform *platform)
{
    list_for_each_safe(node, &platform->units)
    {
        struct platform_unit *unit = container_of(node, struct platform_unit, node);

        free_scopes(sluice, &unit->scopes);
        host_free(sluice, unit, sizeof(*unit));
    }
    list_for_each_safe(node, &platform->reserved)
    {
        struct platform_reserved *reserved = container_of(node, struct platform_reserved, node);

        free_scopes(sluice, &reserved->scopes);
        host_free(sluice, reserved, sizeof(*reserved));
    }
    list_for_each_safe(node, &platform->ats)
    {
        struct platform_ats *ats = container_of(node, struct platform_ats, node);

        free_scopes(sluice, &ats->scopes);
        host_free(sluice, ats, sizeof(*ats));
    }
    list_for_each_safe(node, &platform->ecam)
    {
        host_free(sluice, container_of(node, struct platform_ecam, node),
                  sizeof(struct platform_ecam));
    }
    list_for_each_safe(node, &platform->tables)
    {
        struct platform_table *table = container_of(node, struct platform_table, node);

        host_free(sluice, table, sizeof(*table) + table->bytes);
    }
    platform_init(platform);
}

typedef enum sluice_status table_parser(struct sluice *sluice, struct platform *platform,
                                        const struct platform_table *table);

static const struct {
    char signature[5];
    table_parser *parse;
} parsers[] = {
    {"DMAR", dmar_parse},
    {"MCFG", mcfg_parse},
};

static table_parser *parser_for(const uint8_t *table)
{
    for (unsigned i = 0; i < sizeof(parsers) / sizeof(parsers[0]); i++) {
        if (memcmp(table, parsers[i].signature, 4) == 0)
            return parsers[i].parse;
    }
    return NULL;
}

bool platform_knows_table(const uint8_t *header)
{
    return parser_for(header) != NULL;
}

static bool is_there(const struct platform *platform, const uint8_t *table)
{
    list_for_each(node, &platform->tables)
    {
        if (memcmp(container_of(node, struct platform_table, node)->data, table, 4) == 0)
            return true;
    }
    return false;
}

/** Moves what one table described to the end of the platform's lists. */
static void join(struct list_node *to, struct list_node *from)
{
    list_for_each_safe(node, from)
    {
        list_remove(node);
        list_append(to, node);
    }
}

static void merge(struct platform *platform, struct platform *added)
{
    join(&platform->units, &added->units);
    join(&platform->reserved, &added->reserved);
    join(&platform->ats, &added->ats);
    join(&platform->ecam, &added->ecam);
    join(&platform->tables, &added->tables);
    if (added->host_address_bits != 0)
        platform->host_address_bits = added->host_address_bits;
    platform->interrupt_remapping = platform->interrupt_remapping || added->interrupt_remapping;
    platform->x2apic_opt_out = platform->x2apic_opt_out || added->x2apic_opt_out;
    platform->dma_opt_in = platform->dma_opt_in || added->dma_opt_in;
}

/** Checks the header [ACPI 6.5, 5.2.6]; *out_length is the table's own length. */
static enum sluice_status check_header(struct sluice *sluice, const uint8_t *table, size_t bytes,
                                       uint32_t *out_length)
{
    uint8_t sum = 0;

    if (bytes < ACPI_HEADER_BYTES) {
        log_error(sluice, "ACPI table of %zu bytes: shorter than its header", bytes);
        return SLUICE_ERR_FIRMWARE;
    }
    *out_length = table_get32(table + 4);
    if (*out_length < ACPI_HEADER_BYTES || *out_length > bytes) {
        log_error(sluice, "%c%c%c%c: offset 4: length %u, but %zu bytes are there", table[0],
                  table[1], table[2], table[3], (unsigned)*out_length, bytes);
        return SLUICE_ERR_FIRMWARE;
    }
    for (uint32_t i = 0; i < *out_length; i++)
        sum = (uint8_t)(sum + table[i]);
    if (sum != 0)
        log_warning(sluice, "%c%c%c%c: offset 9: checksum is wrong by %#x: used all the same",
                    table[0], table[1], table[2], table[3], (unsigned)sum);
    return SLUICE_OK;
}

enum sluice_status platform_add_table(struct sluice *sluice, struct platform *platform,
                                      const void *data, size_t bytes)
{
    const uint8_t *from = data;
    struct platform_table *table;
    struct platform added;
    enum sluice_status status;
    table_parser *parse;
    uint32_t length;

    status = check_header(sluice, from, bytes, &length);
    if (status != SLUICE_OK)
        return status;
    parse = parser_for(from);
    if (parse == NULL)
        return SLUICE_OK;
    if (is_there(platform, from))
        return SLUICE_ERR_EXISTS;
    table = host_alloc(sluice, sizeof(*table) + length);
    if (table == NULL)
        return SLUICE_ERR_NO_MEMORY;
    table->bytes = length;
    memcpy(table->data, from, length);
    platform_init(&added);
    list_append(&added.tables, &table->node);
    status = parse(sluice, &added, table);
    if (status == SLUICE_OK)
        merge(platform, &added);
    else
        platform_clear(sluice, &added);
    return status;
}
