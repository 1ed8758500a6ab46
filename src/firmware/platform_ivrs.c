// SPDX-License-Identifier: MIT
/*
 * What IVRS says, in the words of the platform description [AMD 5.2].
 *
 * A unit may be described several times, for old and new software: of the descriptions of one unit
 * the highest type that is known here counts, alone [AMD 5.2.2]. Devices are named by requester ID,
 * so nothing has to be looked up in configuration space.
 */
#include "firmware/platform_table.h"

/** More units than any machine has; a table that never ends is cut off. */
#define UNITS_MAX 256u

#define REGISTER_BYTES  0x4000u /**< of the registers that are used [AMD 3.4] */
#define EVERY_RID_FIRST 0x0000u
#define EVERY_RID_LAST  0xffffu

/** IVMD flags [AMD 5.2.2.3]. */
#define IVMD_UNITY     0x01u
#define IVMD_READ      0x02u
#define IVMD_WRITE     0x04u
#define IVMD_EXCLUSION 0x08u

/** IVinfo.VASize and PASize that can be meant [AMD 5.2.1]. */
#define BITS_LEAST 32u
#define BITS_MOST  64u

/** The walk over the device entries of one IVHD. */
struct entry_walk {
    const struct platform_reader *reader;
    struct platform_unit *unit;
    bool open;                      /**< a range began and has not ended */
    struct sluice_ivrs_entry first; /**< the entry that began it */
};

static enum sluice_status add_range(struct entry_walk *walk, const struct sluice_ivrs_entry *entry,
                                    uint16_t first, uint16_t last)
{
    struct platform_scope *scope;
    enum sluice_status status = platform_make_scope(
        walk->reader->sluice, &walk->unit->scopes, PLATFORM_SCOPE_PCI_RANGE, entry->offset, &scope);

    if (status != SLUICE_OK)
        return status;
    scope->segment = walk->unit->segment;
    scope->last_segment = walk->unit->segment;
    scope->first_rid = first;
    scope->last_rid = last;
    scope->first_id = first;
    scope->settings = entry->settings;
    scope->aliased =
        entry->type == SLUICE_IVRS_ALIAS_SELECT || entry->type == SLUICE_IVRS_ALIAS_RANGE;
    scope->source_rid = scope->aliased ? entry->source : 0;
    return SLUICE_OK;
}

/* Devices without a number of their own on PCI: an IOAPIC, an HPET, one that ACPI names. */
static enum sluice_status add_other(struct entry_walk *walk, const struct sluice_ivrs_entry *entry,
                                    enum platform_scope_kind kind)
{
    struct platform_scope *scope;
    enum sluice_status status =
        platform_make_scope(walk->reader->sluice, &walk->unit->scopes, kind, entry->offset, &scope);

    if (status != SLUICE_OK)
        return status;
    scope->segment = walk->unit->segment;
    scope->settings = entry->settings;
    scope->enum_id = entry->handle;
    scope->source_rid = kind == PLATFORM_SCOPE_ACPI_NAME ? entry->device : entry->source;
    return SLUICE_OK;
}

static enum sluice_status add_special(struct entry_walk *walk,
                                      const struct sluice_ivrs_entry *entry)
{
    if (entry->variety == SLUICE_IVRS_IOAPIC)
        return add_other(walk, entry, PLATFORM_SCOPE_IOAPIC);
    if (entry->variety == SLUICE_IVRS_HPET)
        return add_other(walk, entry, PLATFORM_SCOPE_HPET);
    log_warning(walk->reader->sluice, "IVRS: offset %#x: special device of variety %u: skipped",
                (unsigned)entry->offset, (unsigned)entry->variety);
    return SLUICE_OK;
}

static enum sluice_status end_range(struct entry_walk *walk, const struct sluice_ivrs_entry *entry)
{
    if (!walk->open)
        return platform_refused(walk->reader, entry->offset, "the end of a range that never began");
    if (entry->device < walk->first.device)
        return platform_refused(walk->reader, entry->offset, "range ends before it begins");
    walk->open = false;
    return add_range(walk, &walk->first, walk->first.device, entry->device);
}

/*
 * A device that ACPI names does DMA under a requester ID like any other, and is found by it. Its
 * name is of use to who looks for the device in the namespace, which nobody does yet.
 */
static enum sluice_status add_named(struct entry_walk *walk, const struct sluice_ivrs_entry *entry)
{
    enum sluice_status status = add_other(walk, entry, PLATFORM_SCOPE_ACPI_NAME);

    return status != SLUICE_OK ? status : add_range(walk, entry, entry->device, entry->device);
}

static enum sluice_status add_entry(struct entry_walk *walk, const struct sluice_ivrs_entry *entry)
{
    switch (entry->type) {
    case SLUICE_IVRS_PAD4:
    case SLUICE_IVRS_PAD8:
        return SLUICE_OK;
    case SLUICE_IVRS_ALL:
        /* A unit that names a device singly goes before one that has all of them. */
        walk->unit->covers_rest = true;
        return entry->settings != 0 ? add_range(walk, entry, EVERY_RID_FIRST, EVERY_RID_LAST)
                                    : SLUICE_OK;
    case SLUICE_IVRS_SELECT:
    case SLUICE_IVRS_ALIAS_SELECT:
    case SLUICE_IVRS_EXTENDED_SELECT:
        return add_range(walk, entry, entry->device, entry->device);
    case SLUICE_IVRS_RANGE:
    case SLUICE_IVRS_ALIAS_RANGE:
    case SLUICE_IVRS_EXTENDED_RANGE:
        walk->open = true;
        walk->first = *entry;
        return SLUICE_OK;
    case SLUICE_IVRS_SPECIAL:
        return add_special(walk, entry);
    case SLUICE_IVRS_ACPI_DEVICE:
        return add_named(walk, entry);
    default:
        log_warning(walk->reader->sluice,
                    "IVRS: offset %#x: device entry of unknown type %u: skipped",
                    (unsigned)entry->offset, (unsigned)entry->type);
        return SLUICE_OK;
    }
}

static enum sluice_status add_entries(const struct platform_reader *reader,
                                      struct platform_unit *unit,
                                      const struct sluice_ivrs_block *ivhd)
{
    struct entry_walk walk = {.reader = reader, .unit = unit};
    struct sluice_acpi_cursor at = {0};
    struct sluice_ivrs_entry entry;
    struct sluice_acpi_error error;
    enum sluice_status status;

    while ((status = sluice_ivrs_entry_next(reader->table, ivhd, &at, &entry, &error)) ==
           SLUICE_OK) {
        /* What stands between the two ends of a range belongs to neither [AMD 5.2.2.1]. */
        if (walk.open && entry.type != SLUICE_IVRS_RANGE_END)
            return platform_refused(reader, walk.first.offset, "range without an end");
        status = entry.type == SLUICE_IVRS_RANGE_END ? end_range(&walk, &entry)
                                                     : add_entry(&walk, &entry);
        if (status != SLUICE_OK)
            return status;
    }
    if (status != SLUICE_ERR_NOT_FOUND)
        return platform_malformed(reader, &error);
    return walk.open ? platform_refused(reader, walk.first.offset, "range without an end")
                     : SLUICE_OK;
}

/* ---- units ---- */

static struct platform_unit *find_unit(const struct platform_reader *reader,
                                       const struct sluice_ivrs_block *ivhd, unsigned *out_count)
{
    struct platform_unit *found = NULL;

    *out_count = 0;
    list_for_each(node, &reader->platform->units)
    {
        struct platform_unit *unit = container_of(node, struct platform_unit, node);

        (*out_count)++;
        if (unit->segment == ivhd->segment && unit->ivhd.rid == ivhd->device)
            found = unit;
    }
    return found;
}

static uint8_t believed_bits(uint8_t bits)
{
    return bits >= BITS_LEAST && bits <= BITS_MOST ? bits : 0;
}

static void fill_unit(struct platform_unit *unit, const struct sluice_ivrs_block *ivhd,
                      const struct sluice_ivrs_header *header)
{
    unit->kind = SLUICE_UNIT_AMD_VI;
    unit->segment = ivhd->segment;
    unit->base = ivhd->base;
    unit->register_bytes = REGISTER_BYTES;
    unit->covers_rest = false;
    unit->table_offset = ivhd->offset;
    unit->ivhd = (struct platform_ivhd){
        .type = ivhd->type,
        .flags = ivhd->flags,
        .rid = ivhd->device,
        .capability = ivhd->capability,
        .virt_bits = believed_bits(header->virt_bits),
        .has_efr = ivhd->type != SLUICE_IVRS_IVHD10,
        .efr = ivhd->efr,
        .efr2 = ivhd->efr2,
    };
}

static enum sluice_status add_unit(const struct platform_reader *reader,
                                   const struct sluice_ivrs_block *ivhd,
                                   const struct sluice_ivrs_header *header)
{
    unsigned count;
    struct platform_unit *unit = find_unit(reader, ivhd, &count);
    enum sluice_status status;

    if (unit != NULL && unit->ivhd.type == ivhd->type)
        return platform_refused(reader, ivhd->offset,
                                "second description of a unit, of the same type");
    if (unit != NULL && unit->base != ivhd->base)
        log_warning(reader->sluice,
                    "IVRS: offset %#x: unit %04x is at %#llx by type %02xh and at %#llx by type "
                    "%02xh: the higher type is believed",
                    (unsigned)ivhd->offset, (unsigned)ivhd->device, (unsigned long long)unit->base,
                    (unsigned)unit->ivhd.type, (unsigned long long)ivhd->base,
                    (unsigned)ivhd->type);
    if (unit != NULL && unit->ivhd.type > ivhd->type)
        return SLUICE_OK;
    if (unit != NULL) {
        platform_free_scopes(reader->sluice, &unit->scopes);
    } else {
        if (count == UNITS_MAX)
            return platform_refused(reader, ivhd->offset, "more than 256 units");
        status = platform_make_unit(reader, ivhd->offset, &unit);
        if (status != SLUICE_OK)
            return status;
    }
    fill_unit(unit, ivhd, header);
    return add_entries(reader, unit, ivhd);
}

/* ---- memory ---- */

/*
 * Exclusion ranges are for devices whose accesses shall not be translated. They get the region
 * mapped one to one instead: the same for them, and closed to all others [AMD 5.2.2.3].
 */
static uint32_t region_prot(uint8_t flags)
{
    uint32_t prot = 0;

    if ((flags & IVMD_EXCLUSION) != 0)
        return SLUICE_PROT_READ | SLUICE_PROT_WRITE;
    if ((flags & IVMD_UNITY) == 0)
        return 0;
    if ((flags & IVMD_READ) != 0)
        prot |= SLUICE_PROT_READ;
    if ((flags & IVMD_WRITE) != 0)
        prot |= SLUICE_PROT_WRITE;
    return prot;
}

static enum sluice_status region_devices(const struct platform_reader *reader,
                                         const struct sluice_ivrs_block *ivmd,
                                         struct platform_reserved *region)
{
    struct platform_scope *scope;
    enum sluice_status status;

    if (ivmd->type == SLUICE_IVRS_IVMD_RANGE && ivmd->aux < ivmd->device)
        return platform_refused(reader, ivmd->offset + 4, "range of devices ends before it begins");
    status = platform_make_scope(reader->sluice, &region->scopes, PLATFORM_SCOPE_PCI_RANGE,
                                 ivmd->offset, &scope);
    if (status != SLUICE_OK)
        return status;
    scope->segment = region->segment;
    scope->last_segment = region->segment;
    scope->first_rid = ivmd->type == SLUICE_IVRS_IVMD_ALL ? EVERY_RID_FIRST : ivmd->device;
    scope->last_rid = ivmd->type == SLUICE_IVRS_IVMD_ALL     ? EVERY_RID_LAST
                      : ivmd->type == SLUICE_IVRS_IVMD_RANGE ? ivmd->aux
                                                             : ivmd->device;
    scope->first_id = scope->first_rid;
    return SLUICE_OK;
}

static enum sluice_status add_region(const struct platform_reader *reader,
                                     const struct sluice_ivrs_block *ivmd)
{
    /* Firmware with several segments puts the segment into the lowest reserved bytes. */
    const struct platform_reserved what = {.segment = (uint16_t)ivmd->reserved,
                                           .first = ivmd->base,
                                           .last = ivmd->base + (ivmd->length - 1),
                                           .prot = region_prot(ivmd->flags),
                                           .table_offset = ivmd->offset};
    struct platform_reserved *region;
    enum sluice_status status;

    if (ivmd->length == 0 || what.prot == 0) {
        log_warning(reader->sluice,
                    "IVRS: offset %#x: memory at %#llx, %#llx bytes, flags %02x, demands nothing: "
                    "skipped",
                    (unsigned)ivmd->offset, (unsigned long long)ivmd->base,
                    (unsigned long long)ivmd->length, (unsigned)ivmd->flags);
        return SLUICE_OK;
    }
    if (ivmd->base > UINT64_MAX - (ivmd->length - 1))
        return platform_refused(reader, ivmd->offset + 24, "memory reaches beyond all addresses");
    status = platform_make_reserved(reader, &what, &region);
    if (status != SLUICE_OK)
        return status;
    return region_devices(reader, ivmd, region);
}

static enum sluice_status add_block(const struct platform_reader *reader,
                                    const struct sluice_ivrs_block *block,
                                    const struct sluice_ivrs_header *header)
{
    if (sluice_ivrs_is_ivhd(block->type))
        return add_unit(reader, block, header);
    if (sluice_ivrs_is_ivmd(block->type))
        return add_region(reader, block);
    log_warning(reader->sluice, "IVRS: offset %#x: block of unknown type %02xh: skipped",
                (unsigned)block->offset, (unsigned)block->type);
    return SLUICE_OK;
}

enum sluice_status platform_read_ivrs(const struct platform_reader *reader)
{
    struct platform *platform = reader->platform;
    struct sluice_ivrs_header header;
    struct sluice_ivrs_block block;
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    enum sluice_status status = sluice_ivrs_header(reader->table, &header, &error);

    if (status != SLUICE_OK)
        return platform_malformed(reader, &error);
    platform->host_address_bits = believed_bits(header.phys_bits);
    platform->dma_opt_in = header.dma_remapping;
    /* Every unit of this kind remaps interrupts [AMD 2.2.5]. */
    platform->interrupt_remapping = true;
    while ((status = sluice_ivrs_next(reader->table, &at, &block, &error)) == SLUICE_OK) {
        status = add_block(reader, &block, &header);
        if (status != SLUICE_OK)
            return status;
    }
    return status == SLUICE_ERR_NOT_FOUND ? SLUICE_OK : platform_malformed(reader, &error);
}
