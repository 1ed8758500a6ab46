// SPDX-License-Identifier: MIT
/*
 * DMAR into the platform description: units, reserved regions, root ports with ATS [VT-d 8].
 */
#include "core/instance.h"
#include "firmware/table.h"

#define DMAR_FIRST_STRUCTURE 48u
#define DMAR_WIDTH           36u
#define DMAR_FLAGS           37u

#define DMAR_INTR_REMAP     0x1u
#define DMAR_X2APIC_OPT_OUT 0x2u
#define DMAR_DMA_OPT_IN     0x4u

#define SCOPE_HEADER_BYTES 6u

struct dmar_walk {
    struct sluice *sluice;
    struct platform *platform;
    const uint8_t *data;
    size_t at;      /**< of the structure in the table */
    uint32_t bytes; /**< of the structure */
};

static enum sluice_status malformed(const struct dmar_walk *walk, size_t at, const char *why)
{
    log_error(walk->sluice, "DMAR: offset %#zx: %s", at, why);
    return SLUICE_ERR_FIRMWARE;
}

/** Device scope types [VT-d 8.3.1, table 8-3]. */
static bool scope_kind(uint8_t type, enum platform_scope_kind *out)
{
    static const enum platform_scope_kind kinds[] = {
        [1] = PLATFORM_SCOPE_PCI_DEVICE, [2] = PLATFORM_SCOPE_PCI_BRIDGE,
        [3] = PLATFORM_SCOPE_IOAPIC,     [4] = PLATFORM_SCOPE_HPET,
        [5] = PLATFORM_SCOPE_ACPI_NAME,
    };

    if (type == 0 || type >= sizeof(kinds) / sizeof(kinds[0]))
        return false;
    *out = kinds[type];
    return true;
}

static enum sluice_status add_scope(const struct dmar_walk *walk, struct list_node *scopes,
                                    uint16_t segment, size_t at)
{
    const uint8_t *entry = walk->data + at;
    enum platform_scope_kind kind;
    struct platform_scope *scope;

    if (entry[1] < SCOPE_HEADER_BYTES + 2 || entry[1] % 2 != 0)
        return malformed(walk, at, "device scope without a whole path");
    if (!scope_kind(entry[0], &kind)) {
        log_warning(walk->sluice, "DMAR: offset %#zx: device scope of unknown type %u: skipped", at,
                    (unsigned)entry[0]);
        return SLUICE_OK;
    }
    scope = host_alloc(walk->sluice, sizeof(*scope));
    if (scope == NULL)
        return SLUICE_ERR_NO_MEMORY;
    scope->kind = kind;
    scope->segment = segment;
    scope->enum_id = entry[4];
    scope->start_bus = entry[5];
    scope->path = entry + SCOPE_HEADER_BYTES;
    scope->path_length = (entry[1] - SCOPE_HEADER_BYTES) / 2;
    scope->table_offset = (uint32_t)at;
    list_append(scopes, &scope->node);
    return SLUICE_OK;
}

static enum sluice_status add_scopes(const struct dmar_walk *walk, struct list_node *scopes,
                                     uint16_t segment, uint32_t first)
{
    size_t at = walk->at + first;
    size_t end = walk->at + walk->bytes;

    while (at < end) {
        enum sluice_status status;

        if (end - at < SCOPE_HEADER_BYTES || walk->data[at + 1] < SCOPE_HEADER_BYTES ||
            walk->data[at + 1] > end - at)
            return malformed(walk, at, "device scope reaches out of its structure");
        status = add_scope(walk, scopes, segment, at);
        if (status != SLUICE_OK)
            return status;
        at += walk->data[at + 1];
    }
    return SLUICE_OK;
}

/** DRHD [VT-d 8.3]. */
static enum sluice_status add_unit(const struct dmar_walk *walk)
{
    const uint8_t *drhd = walk->data + walk->at;
    struct platform_unit *unit = host_alloc(walk->sluice, sizeof(*unit));

    if (unit == NULL)
        return SLUICE_ERR_NO_MEMORY;
    list_init(&unit->scopes);
    list_append(&walk->platform->units, &unit->node);
    unit->kind = PLATFORM_UNIT_INTEL_VTD;
    unit->segment = table_get16(drhd + 6);
    unit->base = table_get64(drhd + 8);
    /* Size field: 2^N pages, N in bits 3:0. */
    unit->register_bytes = SLUICE_PAGE_BYTES << (drhd[5] & 0xfu);
    unit->covers_rest = (drhd[4] & 1u) != 0;
    unit->table_offset = (uint32_t)walk->at;
    return add_scopes(walk, &unit->scopes, unit->segment, 16);
}

/** RMRR [VT-d 8.4]. */
static enum sluice_status add_reserved(const struct dmar_walk *walk)
{
    const uint8_t *rmrr = walk->data + walk->at;
    struct platform_reserved *reserved;

    if (table_get64(rmrr + 8) > table_get64(rmrr + 16))
        return malformed(walk, walk->at + 8, "reserved region ends before it begins");
    reserved = host_alloc(walk->sluice, sizeof(*reserved));
    if (reserved == NULL)
        return SLUICE_ERR_NO_MEMORY;
    list_init(&reserved->scopes);
    list_append(&walk->platform->reserved, &reserved->node);
    reserved->segment = table_get16(rmrr + 6);
    reserved->first = table_get64(rmrr + 8);
    reserved->last = table_get64(rmrr + 16);
    reserved->prot = SLUICE_PROT_READ | SLUICE_PROT_WRITE;
    reserved->table_offset = (uint32_t)walk->at;
    return add_scopes(walk, &reserved->scopes, reserved->segment, 24);
}

/** ATSR [VT-d 8.5]. */
static enum sluice_status add_ats(const struct dmar_walk *walk)
{
    const uint8_t *atsr = walk->data + walk->at;
    struct platform_ats *ats = host_alloc(walk->sluice, sizeof(*ats));

    if (ats == NULL)
        return SLUICE_ERR_NO_MEMORY;
    list_init(&ats->scopes);
    list_append(&walk->platform->ats, &ats->node);
    ats->segment = table_get16(atsr + 6);
    ats->all_ports = (atsr[4] & 1u) != 0;
    ats->table_offset = (uint32_t)walk->at;
    return add_scopes(walk, &ats->scopes, ats->segment, 8);
}

static enum sluice_status parse_structure(const struct dmar_walk *walk)
{
    static const struct {
        uint32_t least; /**< bytes before its scopes */
        enum sluice_status (*add)(const struct dmar_walk *walk);
    } kinds[] = {
        {16, add_unit}, {24, add_reserved}, {8, add_ats}, {20, NULL},
        {8, NULL},      {8, NULL},          {8, NULL},
    };
    uint16_t type = table_get16(walk->data + walk->at);

    if (type >= sizeof(kinds) / sizeof(kinds[0])) {
        log_warning(walk->sluice, "DMAR: offset %#zx: structure of unknown type %u: skipped",
                    walk->at, (unsigned)type);
        return SLUICE_OK;
    }
    if (walk->bytes < kinds[type].least)
        return malformed(walk, walk->at, "structure is shorter than its type says");
    return kinds[type].add != NULL ? kinds[type].add(walk) : SLUICE_OK;
}

enum sluice_status dmar_parse(struct sluice *sluice, struct platform *platform,
                              const struct platform_table *table)
{
    struct dmar_walk walk = {.sluice = sluice, .platform = platform, .data = table->data};

    walk.at = DMAR_FIRST_STRUCTURE;
    if (table->bytes < DMAR_FIRST_STRUCTURE)
        return malformed(&walk, 4, "table is shorter than its header");
    platform->host_address_bits = table->data[DMAR_WIDTH] + 1u;
    platform->interrupt_remapping = (table->data[DMAR_FLAGS] & DMAR_INTR_REMAP) != 0;
    platform->x2apic_opt_out = (table->data[DMAR_FLAGS] & DMAR_X2APIC_OPT_OUT) != 0;
    platform->dma_opt_in = (table->data[DMAR_FLAGS] & DMAR_DMA_OPT_IN) != 0;
    while (walk.at < table->bytes) {
        enum sluice_status status;

        if (table->bytes - walk.at < 4)
            return malformed(&walk, walk.at, "bytes after the last structure");
        walk.bytes = table_get16(table->data + walk.at + 2);
        if (walk.bytes < 4 || walk.bytes > table->bytes - walk.at)
            return malformed(&walk, walk.at, "structure reaches out of the table, or is empty");
        status = parse_structure(&walk);
        if (status != SLUICE_OK)
            return status;
        walk.at += walk.bytes;
    }
    return SLUICE_OK;
}
