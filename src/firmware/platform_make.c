// SPDX-License-Identifier: MIT
/*
 * The pieces of a platform description, as every kind of table makes them.
 */
#include "firmware/platform_table.h"

enum sluice_status platform_refused(const struct platform_reader *reader, uint32_t offset,
                                    const char *what)
{
    const struct sluice_acpi_error error = {offset, what};

    return platform_malformed(reader, &error);
}

enum sluice_status platform_make_unit(const struct platform_reader *reader, uint32_t offset,
                                      struct platform_unit **out)
{
    struct platform_unit *unit = host_alloc(reader->sluice, sizeof(*unit));

    if (unit == NULL)
        return SLUICE_ERR_NO_MEMORY;
    list_init(&unit->scopes);
    unit->table_offset = offset;
    list_append(&reader->platform->units, &unit->node);
    *out = unit;
    return SLUICE_OK;
}

enum sluice_status platform_make_scope(struct sluice *sluice, struct list_node *scopes,
                                       enum platform_scope_kind kind, uint32_t offset,
                                       struct platform_scope **out)
{
    struct platform_scope *scope = host_alloc(sluice, sizeof(*scope));

    if (scope == NULL)
        return SLUICE_ERR_NO_MEMORY;
    scope->kind = kind;
    scope->table_offset = offset;
    list_append(scopes, &scope->node);
    *out = scope;
    return SLUICE_OK;
}

enum sluice_status platform_make_reserved(const struct platform_reader *reader,
                                          const struct platform_reserved *what,
                                          struct platform_reserved **out)
{
    struct platform_reserved *reserved;

    if (what->prot != 0 && what->last - what->first >= SLUICE_RESERVED_BYTES_MAX) {
        log_error(reader->sluice,
                  "%s: offset %#x: reserved memory %#llx-%#llx is more than the %llu GiB that are "
                  "kept mapped for a device",
                  reader->table != NULL ? reader->table->signature : "described by the host",
                  (unsigned)what->table_offset, (unsigned long long)what->first,
                  (unsigned long long)what->last,
                  (unsigned long long)SLUICE_RESERVED_BYTES_MAX >> 30);
        return SLUICE_ERR_FIRMWARE;
    }
    reserved = host_alloc(reader->sluice, sizeof(*reserved));
    if (reserved == NULL)
        return SLUICE_ERR_NO_MEMORY;
    *reserved = *what;
    list_init(&reserved->scopes);
    list_append(&reader->platform->reserved, &reserved->node);
    *out = reserved;
    return SLUICE_OK;
}

struct platform_unit *platform_unit_at(const struct platform_reader *reader, uint32_t offset)
{
    list_for_each(node, &reader->platform->units)
    {
        struct platform_unit *unit = container_of(node, struct platform_unit, node);

        if (unit->table_offset == offset)
            return unit;
    }
    return NULL;
}

bool platform_same_unit(const struct platform_unit *one, const struct platform_unit *other)
{
    if (one->on_pci != other->on_pci)
        return false;
    return one->on_pci ? one->segment == other->segment && one->rid == other->rid
                       : one->base == other->base;
}
