// SPDX-License-Identifier: MIT
/*
 * Rules for DMAR [VT-d 8]: header, units, regions, and how they fit together. Device scopes are
 * in lint_dmar_scopes.c.
 */
#include "firmware/lint.h"

/** Least and most bits that a host's physical addresses have. */
#define HAW_LEAST 32u
#define HAW_MOST  57u

#define KNOWN_FLAGS                                                                                \
    (SLUICE_DMAR_INTR_REMAP | SLUICE_DMAR_X2APIC_OPT_OUT | SLUICE_DMAR_DMA_CTRL_OPT_IN)

static bool next(const struct lint *lint, struct sluice_acpi_cursor *at,
                 struct sluice_dmar_structure *out)
{
    enum sluice_status status;

    /* What is refused was said once, in the first walk. */
    do {
        status = sluice_dmar_next(lint->table, at, out, NULL);
    } while (status == SLUICE_ERR_FIRMWARE);
    return status == SLUICE_OK;
}

static bool covers_all(const struct sluice_dmar_structure *unit)
{
    return (unit->flags & 1u) != 0;
}

static uint64_t unit_bytes(const struct sluice_dmar_structure *unit)
{
    return SLUICE_PAGE_BYTES << (unit->size & 0xfu);
}

static void check_unit(const struct lint *lint, const struct sluice_dmar_structure *unit)
{
    uint64_t last = unit->base + (unit_bytes(unit) - 1);

    if (unit->base == 0)
        lint_say(lint, LINT_UNIT_BASE_ZERO, unit->offset + 8, "registers at 0");
    else if ((unit->base & (SLUICE_PAGE_BYTES - 1)) != 0 || last < unit->base ||
             unit->base >> 52 != 0)
        lint_say(lint, LINT_UNIT_BASE_ABSURD, unit->offset + 8, "registers at %#llx",
                 (unsigned long long)unit->base);
    if (unit->size != 0)
        lint_say(lint, LINT_UNIT_SIZE, unit->offset + 5, "size field is %#x: %llu KiB of registers",
                 (unsigned)unit->size, (unsigned long long)(unit_bytes(unit) >> 10));
    if ((unit->flags & ~1u) != 0)
        lint_say(lint, LINT_RESERVED, unit->offset + 4, "DRHD flags are %#x",
                 (unsigned)unit->flags);
    if (!covers_all(unit) && unit->bytes == unit->scopes - unit->offset)
        lint_say(lint, LINT_UNIT_EMPTY, unit->offset, "unit at %#llx names no device",
                 (unsigned long long)unit->base);
}

static void check_affinity(const struct lint *lint, const struct sluice_dmar_structure *rhsa)
{
    struct sluice_dmar_structure unit;
    struct sluice_acpi_cursor at = {0};

    for (unsigned i = 0; next(lint, &at, &unit); i++) {
        if (i == LINT_SEARCHED_MAX || (unit.type == SLUICE_DMAR_DRHD && unit.base == rhsa->base))
            return;
    }
    lint_say(lint, LINT_AFFINITY_UNKNOWN, rhsa->offset + 8, "RHSA names a unit at %#llx",
             (unsigned long long)rhsa->base);
}

static void check_structure(const struct lint *lint, const struct sluice_dmar_structure *item)
{
    if (item->type >= SLUICE_DMAR_TYPE_COUNT) {
        lint_say(lint, LINT_UNKNOWN_STRUCTURE, item->offset, "structure of type %u",
                 (unsigned)item->type);
        return;
    }
    if (item->reserved != 0)
        lint_say(lint, LINT_RESERVED, item->offset, "%s: reserved field is %#x",
                 sluice_dmar_type_text(item->type), (unsigned)item->reserved);
    if (item->type == SLUICE_DMAR_DRHD)
        check_unit(lint, item);
    if (item->type == SLUICE_DMAR_RHSA)
        check_affinity(lint, item);
    if (item->type == SLUICE_DMAR_RMRR) {
        lint_region(lint, item->offset + 8, item->base, item->last);
        if (item->bytes == item->scopes - item->offset)
            lint_say(lint, LINT_REGION_NO_DEVICE, item->offset,
                     "region %#llx-%#llx names no device", (unsigned long long)item->base,
                     (unsigned long long)item->last);
    }
}

static void compare_units(const struct lint *lint, const struct sluice_dmar_structure *one,
                          const struct sluice_dmar_structure *other)
{
    if (one->base == other->base && one->base != 0)
        lint_say(lint, LINT_UNIT_DUPLICATE, other->offset, "another unit at %#llx, see offset %#x",
                 (unsigned long long)other->base, (unsigned)one->offset);
    else if (one->base != other->base && one->base < other->base + unit_bytes(other) &&
             other->base < one->base + unit_bytes(one))
        lint_say(lint, LINT_UNIT_OVERLAP, other->offset, "units at %#llx and %#llx",
                 (unsigned long long)one->base, (unsigned long long)other->base);
    if (one->segment != other->segment || !covers_all(one))
        return;
    if (covers_all(other))
        lint_say(lint, LINT_INCLUDE_ALL_TWICE, other->offset, "segment %04x, see offset %#x",
                 (unsigned)one->segment, (unsigned)one->offset);
    else
        lint_say(lint, LINT_INCLUDE_ALL_ORDER, other->offset,
                 "a unit of segment %04x behind the one that covers the rest, at offset %#x",
                 (unsigned)one->segment, (unsigned)one->offset);
}

static void compare_regions(const struct lint *lint, const struct sluice_dmar_structure *one,
                            const struct sluice_dmar_structure *other)
{
    if (one->base <= other->last && other->base <= one->last)
        lint_say(lint, LINT_REGION_OVERLAP, other->offset, "regions %#llx-%#llx and %#llx-%#llx",
                 (unsigned long long)one->base, (unsigned long long)one->last,
                 (unsigned long long)other->base, (unsigned long long)other->last);
}

/** Compares each structure with those behind it. */
static void compare_all(const struct lint *lint)
{
    struct sluice_dmar_structure one;
    struct sluice_acpi_cursor at = {0};

    for (unsigned count = 0; next(lint, &at, &one); count++) {
        struct sluice_acpi_cursor behind = at;
        struct sluice_dmar_structure other;

        if (count == LINT_COMPARED_MAX) {
            lint_say(lint, LINT_TOO_MANY, one.offset, "more than %u structures", LINT_COMPARED_MAX);
            return;
        }
        for (unsigned i = 0; i < LINT_COMPARED_MAX && next(lint, &behind, &other); i++) {
            if (one.type != other.type)
                continue;
            if (one.type == SLUICE_DMAR_DRHD)
                compare_units(lint, &one, &other);
            if (one.type == SLUICE_DMAR_RMRR)
                compare_regions(lint, &one, &other);
        }
    }
}

/** Segments in which nobody takes what is left over. */
static void check_rest(const struct lint *lint)
{
    struct sluice_dmar_structure unit;
    struct sluice_acpi_cursor at = {0};
    unsigned units = 0;

    while (next(lint, &at, &unit) && units < LINT_COMPARED_MAX) {
        struct sluice_dmar_structure other;
        struct sluice_acpi_cursor all = {0};
        bool taken = false;
        bool first = true;

        if (unit.type != SLUICE_DMAR_DRHD)
            continue;
        units++;
        for (unsigned i = 0; i < LINT_SEARCHED_MAX && next(lint, &all, &other); i++) {
            if (other.type != SLUICE_DMAR_DRHD || other.segment != unit.segment)
                continue;
            taken = taken || covers_all(&other);
            first = first && other.offset >= unit.offset;
        }
        if (first && !taken)
            lint_say(lint, LINT_INCLUDE_ALL_MISSING, unit.offset,
                     "segment %04x: no unit covers the devices that none names",
                     (unsigned)unit.segment);
    }
    if (units == 0)
        lint_say(lint, LINT_NO_UNITS, SLUICE_DMAR_FIRST, "no DRHD");
}

static void check_header(const struct lint *lint, const struct sluice_dmar_header *header)
{
    if (header->host_address_width < HAW_LEAST || header->host_address_width > HAW_MOST)
        lint_say(lint, LINT_HAW, 36, "host address width is %u bits",
                 (unsigned)header->host_address_width);
    if ((header->flags & ~KNOWN_FLAGS) != 0)
        lint_say(lint, LINT_RESERVED, 37, "DMAR flags are %#x", (unsigned)header->flags);
    if (!header->reserved_clear)
        lint_say(lint, LINT_RESERVED, 38, "reserved bytes of the header are not zero");
    if ((header->flags & SLUICE_DMAR_X2APIC_OPT_OUT) != 0 &&
        (header->flags & SLUICE_DMAR_INTR_REMAP) == 0)
        lint_say(lint, LINT_X2APIC_OPT_OUT, 37, "DMAR flags are %#x", (unsigned)header->flags);
}

void lint_dmar(const struct lint *lint)
{
    struct sluice_dmar_structure item;
    struct sluice_acpi_cursor at = {0};
    struct sluice_dmar_header header;
    struct sluice_acpi_error error;
    enum sluice_status status = sluice_dmar_header(lint->table, &header, &error);

    if (status != SLUICE_OK) {
        lint_malformed(lint, &error);
        return;
    }
    check_header(lint, &header);
    while ((status = sluice_dmar_next(lint->table, &at, &item, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            check_structure(lint, &item);
        else
            lint_malformed(lint, &error);
    }
    compare_all(lint);
    check_rest(lint);
    lint_dmar_scopes(lint);
}
