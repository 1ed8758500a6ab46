// SPDX-License-Identifier: MIT
/*
 * The platform description: tables in, units and regions out; all or nothing a table.
 */
#include "firmware/platform_table.h"

void platform_init(struct platform *platform)
{
    *platform = (struct platform){0};
    list_init(&platform->units);
    list_init(&platform->reserved);
    list_init(&platform->ats);
    list_init(&platform->ecam);
    list_init(&platform->senders);
    list_init(&platform->doorbells);
    list_init(&platform->tables);
    list_init(&platform->names);
}

void platform_free_scopes(struct sluice *sluice, struct list_node *scopes)
{
    list_for_each_safe(node, scopes)
    {
        list_remove(node);
        host_free(sluice, container_of(node, struct platform_scope, node),
                  sizeof(struct platform_scope));
    }
}

static void free_copies(struct sluice *sluice, struct list_node *copies)
{
    list_for_each_safe(node, copies)
    {
        struct platform_table *copy = container_of(node, struct platform_table, node);

        host_free(sluice, copy, sizeof(*copy) + copy->bytes);
    }
}

void platform_clear(struct sluice *sluice, struct platform *platform)
{
    list_for_each_safe(node, &platform->units)
    {
        struct platform_unit *unit = container_of(node, struct platform_unit, node);

        platform_free_scopes(sluice, &unit->scopes);
        host_free(sluice, unit, sizeof(*unit));
    }
    list_for_each_safe(node, &platform->reserved)
    {
        struct platform_reserved *reserved = container_of(node, struct platform_reserved, node);

        platform_free_scopes(sluice, &reserved->scopes);
        host_free(sluice, reserved, sizeof(*reserved));
    }
    list_for_each_safe(node, &platform->ats)
    {
        struct platform_ats *ats = container_of(node, struct platform_ats, node);

        platform_free_scopes(sluice, &ats->scopes);
        host_free(sluice, ats, sizeof(*ats));
    }
    list_for_each_safe(node, &platform->ecam)
    {
        host_free(sluice, container_of(node, struct platform_ecam, node),
                  sizeof(struct platform_ecam));
    }
    list_for_each_safe(node, &platform->senders)
    {
        host_free(sluice, container_of(node, struct platform_senders, node),
                  sizeof(struct platform_senders));
    }
    list_for_each_safe(node, &platform->doorbells)
    {
        host_free(sluice, container_of(node, struct platform_doorbell, node),
                  sizeof(struct platform_doorbell));
    }
    free_copies(sluice, &platform->tables);
    free_copies(sluice, &platform->names);
    platform_init(platform);
}

#define MADT "APIC"

static const struct {
    const char *signature;
    enum sluice_status (*read)(const struct platform_reader *reader);
} readers[] = {
    {MADT, platform_read_madt},   {"DMAR", platform_read_dmar}, {"IORT", platform_read_iort},
    {"IVRS", platform_read_ivrs}, {"MCFG", platform_read_mcfg}, {"RIMT", platform_read_rimt},
    {"VIOT", platform_read_viot},
};

static bool same_signature(const char *one, const char *other)
{
    for (unsigned i = 0; i < 4; i++) {
        if (one[i] != other[i])
            return false;
    }
    return true;
}

static unsigned reader_for(const char *signature)
{
    unsigned i = 0;

    while (i < sizeof(readers) / sizeof(readers[0]) &&
           !same_signature(signature, readers[i].signature))
        i++;
    return i;
}

bool platform_knows_table(const char *signature)
{
    return reader_for(signature) < sizeof(readers) / sizeof(readers[0]);
}

static bool is_there(const struct platform *platform, const char *signature)
{
    list_for_each(node, &platform->tables)
    {
        const struct platform_table *table = container_of(node, struct platform_table, node);

        if (same_signature((const char *)table->data, signature))
            return true;
    }
    return false;
}

enum sluice_status platform_malformed(const struct platform_reader *reader,
                                      const struct sluice_acpi_error *error)
{
    log_error(reader->sluice, "%s: offset %#x: %s", reader->table->signature,
              (unsigned)error->offset, error->what);
    return SLUICE_ERR_FIRMWARE;
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
    join(&platform->senders, &added->senders);
    join(&platform->doorbells, &added->doorbells);
    join(&platform->tables, &added->tables);
    join(&platform->names, &added->names);
    if (added->host_address_bits != 0)
        platform->host_address_bits = added->host_address_bits;
    platform->interrupt_remapping = platform->interrupt_remapping || added->interrupt_remapping;
    platform->x2apic_opt_out = platform->x2apic_opt_out || added->x2apic_opt_out;
    platform->dma_opt_in = platform->dma_opt_in || added->dma_opt_in;
}

/** Opens a table and says what is odd about its header. */
static enum sluice_status open_table(struct sluice *sluice, const void *data, size_t bytes,
                                     struct sluice_acpi_table *out)
{
    struct sluice_acpi_error error;
    enum sluice_status status = sluice_acpi_open(data, bytes, out, &error);

    if (status != SLUICE_OK)
        log_error(sluice, "ACPI table of %zu bytes: offset %#x: %s", bytes, (unsigned)error.offset,
                  error.what);
    return status;
}

/** Copies a table, so that its owner may take it away. */
static struct platform_table *keep(struct sluice *sluice, const struct sluice_acpi_table *from)
{
    struct platform_table *table = host_alloc(sluice, sizeof(*table) + from->bytes);

    if (table == NULL)
        return NULL;
    table->bytes = from->bytes;
    for (uint32_t i = 0; i < from->bytes; i++)
        table->data[i] = from->data[i];
    return table;
}

enum sluice_status platform_add_table(struct sluice *sluice, struct platform *platform,
                                      const void *data, size_t bytes)
{
    struct platform added;
    struct sluice_acpi_table table;
    const struct platform_reader reader = {sluice, &added, &table};
    enum sluice_status status = open_table(sluice, data, bytes, &table);
    struct platform_table *copy;

    if (status != SLUICE_OK || !platform_knows_table(table.signature))
        return status;
    /* There are machines with a second MADT. Units are not in it: the first will do. */
    if (is_there(platform, table.signature))
        return same_signature(table.signature, MADT) ? SLUICE_OK : SLUICE_ERR_EXISTS;
    copy = keep(sluice, &table);
    if (copy == NULL)
        return SLUICE_ERR_NO_MEMORY;
    platform_init(&added);
    list_append(&added.tables, &copy->node);
    /* From here on only the copy is read: its owner cannot change it any more. */
    status = open_table(sluice, copy->data, copy->bytes, &table);
    if (status == SLUICE_OK && table.checksum_sum != 0)
        log_warning(sluice, "%s: offset 9: checksum is wrong by %#x: used all the same",
                    table.signature, (unsigned)table.checksum_sum);
    if (status == SLUICE_OK)
        status = readers[reader_for(table.signature)].read(&reader);
    if (status == SLUICE_OK)
        merge(platform, &added);
    else
        platform_clear(sluice, &added);
    return status;
}
