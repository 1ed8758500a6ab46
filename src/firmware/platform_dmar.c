// SPDX-License-Identifier: MIT
/*
 * What DMAR and MCFG say, in the words of the platform description.
 */
#include "firmware/platform_table.h"

static bool scope_kind(uint8_t type, enum platform_scope_kind *out)
{
    static const enum platform_scope_kind kinds[] = {
        [SLUICE_DMAR_SCOPE_ENDPOINT] = PLATFORM_SCOPE_PCI_DEVICE,
        [SLUICE_DMAR_SCOPE_BRIDGE] = PLATFORM_SCOPE_PCI_BRIDGE,
        [SLUICE_DMAR_SCOPE_IOAPIC] = PLATFORM_SCOPE_IOAPIC,
        [SLUICE_DMAR_SCOPE_HPET] = PLATFORM_SCOPE_HPET,
        [SLUICE_DMAR_SCOPE_ACPI] = PLATFORM_SCOPE_ACPI_NAME,
    };

    if (type == 0 || type >= sizeof(kinds) / sizeof(kinds[0]))
        return false;
    *out = kinds[type];
    return true;
}

static enum sluice_status add_scope(const struct platform_reader *reader, struct list_node *scopes,
                                    uint16_t segment, const struct sluice_dmar_scope *from)
{
    enum platform_scope_kind kind;
    struct platform_scope *scope;
    enum sluice_status status;

    if (!scope_kind(from->type, &kind)) {
        log_warning(reader->sluice, "DMAR: offset %#x: device scope of unknown type %u: skipped",
                    (unsigned)from->offset, (unsigned)from->type);
        return SLUICE_OK;
    }
    if (from->path_length == 0) {
        const struct sluice_acpi_error error = {from->offset + 1, "device scope without a path"};

        return platform_malformed(reader, &error);
    }
    status = platform_make_scope(reader->sluice, scopes, kind, from->offset, &scope);
    if (status != SLUICE_OK)
        return status;
    scope->segment = segment;
    scope->last_segment = segment;
    scope->enum_id = from->enumeration_id;
    scope->start_bus = from->start_bus;
    scope->path = from->path;
    scope->path_length = from->path_length;
    return SLUICE_OK;
}

static enum sluice_status add_scopes(const struct platform_reader *reader, struct list_node *scopes,
                                     const struct sluice_dmar_structure *structure)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_dmar_scope scope;
    enum sluice_status status;

    while ((status = sluice_dmar_scope_next(reader->table, structure, &at, &scope, &error)) ==
           SLUICE_OK) {
        status = add_scope(reader, scopes, structure->segment, &scope);
        if (status != SLUICE_OK)
            return status;
    }
    return status == SLUICE_ERR_NOT_FOUND ? SLUICE_OK : platform_malformed(reader, &error);
}

static enum sluice_status add_unit(const struct platform_reader *reader,
                                   const struct sluice_dmar_structure *drhd)
{
    struct platform_unit *unit;
    enum sluice_status status = platform_make_unit(reader, drhd->offset, &unit);

    if (status != SLUICE_OK)
        return status;
    unit->kind = SLUICE_UNIT_INTEL_VTD;
    unit->segment = drhd->segment;
    unit->base = drhd->base;
    unit->register_bytes = SLUICE_PAGE_BYTES << (drhd->size & 0xfu);
    unit->covers_rest = (drhd->flags & 1u) != 0;
    return add_scopes(reader, &unit->scopes, drhd);
}

static enum sluice_status add_reserved(const struct platform_reader *reader,
                                       const struct sluice_dmar_structure *rmrr)
{
    const struct sluice_acpi_error inverted = {rmrr->offset + 16,
                                               "reserved region ends before it begins"};
    const struct platform_reserved what = {.segment = rmrr->segment,
                                           .first = rmrr->base,
                                           .last = rmrr->last,
                                           .prot = SLUICE_PROT_READ | SLUICE_PROT_WRITE,
                                           .table_offset = rmrr->offset};
    struct platform_reserved *reserved;
    enum sluice_status status;

    if (rmrr->base > rmrr->last)
        return platform_malformed(reader, &inverted);
    status = platform_make_reserved(reader, &what, &reserved);
    if (status != SLUICE_OK)
        return status;
    return add_scopes(reader, &reserved->scopes, rmrr);
}

static enum sluice_status add_ats(const struct platform_reader *reader,
                                  const struct sluice_dmar_structure *atsr)
{
    struct platform_ats *ats = host_alloc(reader->sluice, sizeof(*ats));

    if (ats == NULL)
        return SLUICE_ERR_NO_MEMORY;
    list_init(&ats->scopes);
    list_append(&reader->platform->ats, &ats->node);
    ats->segment = atsr->segment;
    ats->all_ports = (atsr->flags & 1u) != 0;
    ats->table_offset = atsr->offset;
    return add_scopes(reader, &ats->scopes, atsr);
}

static enum sluice_status add_structure(const struct platform_reader *reader,
                                        const struct sluice_dmar_structure *structure)
{
    switch (structure->type) {
    case SLUICE_DMAR_DRHD:
        return add_unit(reader, structure);
    case SLUICE_DMAR_RMRR:
        return add_reserved(reader, structure);
    case SLUICE_DMAR_ATSR:
        return add_ats(reader, structure);
    default:
        if (structure->type >= SLUICE_DMAR_TYPE_COUNT)
            log_warning(reader->sluice, "DMAR: offset %#x: structure of unknown type %u: skipped",
                        (unsigned)structure->offset, (unsigned)structure->type);
        return SLUICE_OK;
    }
}

enum sluice_status platform_read_dmar(const struct platform_reader *reader)
{
    struct platform *platform = reader->platform;
    struct sluice_dmar_structure structure;
    struct sluice_acpi_cursor at = {0};
    struct sluice_dmar_header header;
    struct sluice_acpi_error error;
    enum sluice_status status = sluice_dmar_header(reader->table, &header, &error);

    if (status != SLUICE_OK)
        return platform_malformed(reader, &error);
    platform->host_address_bits = header.host_address_width;
    platform->interrupt_remapping = (header.flags & SLUICE_DMAR_INTR_REMAP) != 0;
    platform->x2apic_opt_out = (header.flags & SLUICE_DMAR_X2APIC_OPT_OUT) != 0;
    platform->dma_opt_in = (header.flags & SLUICE_DMAR_DMA_CTRL_OPT_IN) != 0;
    while ((status = sluice_dmar_next(reader->table, &at, &structure, &error)) == SLUICE_OK) {
        status = add_structure(reader, &structure);
        if (status != SLUICE_OK)
            return status;
    }
    return status == SLUICE_ERR_NOT_FOUND ? SLUICE_OK : platform_malformed(reader, &error);
}

enum sluice_status platform_read_mcfg(const struct platform_reader *reader)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_mcfg_entry entry;
    struct sluice_acpi_error error;
    enum sluice_status status;

    while ((status = sluice_mcfg_next(reader->table, &at, &entry, &error)) == SLUICE_OK) {
        struct platform_ecam *ecam;

        if (entry.first_bus > entry.last_bus) {
            error = (struct sluice_acpi_error){entry.offset + 10, "last bus is before the first"};
            return platform_malformed(reader, &error);
        }
        ecam = host_alloc(reader->sluice, sizeof(*ecam));
        if (ecam == NULL)
            return SLUICE_ERR_NO_MEMORY;
        ecam->base = entry.base;
        ecam->segment = entry.segment;
        ecam->first_bus = entry.first_bus;
        ecam->last_bus = entry.last_bus;
        list_append(&reader->platform->ecam, &ecam->node);
    }
    return status == SLUICE_ERR_NOT_FOUND ? SLUICE_OK : platform_malformed(reader, &error);
}
