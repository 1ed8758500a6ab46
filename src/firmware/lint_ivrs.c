// SPDX-License-Identifier: MIT
/*
 * Rules for IVRS [AMD 5.2]: units, their device entries, regions, and whether the descriptions of
 * one unit agree.
 */
#include "firmware/lint.h"

/** Registers of an IOMMU are 16 KiB or 512 KiB, aligned to 16 KiB at least [AMD 3.2.2]. */
#define REGISTER_ALIGNMENT ((uint64_t)0x4000)

/** What the entries of one unit say. */
struct entries {
    bool ioapic;
    bool open; /**< a range began and has not ended */
    uint16_t first;
    uint32_t open_at;
};

static bool next(const struct lint *lint, struct sluice_acpi_cursor *at,
                 struct sluice_ivrs_block *out)
{
    enum sluice_status status;

    do {
        status = sluice_ivrs_next(lint->table, at, out, NULL);
    } while (status == SLUICE_ERR_FIRMWARE);
    return status == SLUICE_OK;
}

static bool begins_range(uint8_t type)
{
    return type == SLUICE_IVRS_RANGE || type == SLUICE_IVRS_ALIAS_RANGE ||
           type == SLUICE_IVRS_EXTENDED_RANGE;
}

static bool known_entry(uint8_t type)
{
    return type <= SLUICE_IVRS_RANGE_END || type == SLUICE_IVRS_PAD8 ||
           type == SLUICE_IVRS_ALIAS_SELECT || type == SLUICE_IVRS_ALIAS_RANGE ||
           (type >= SLUICE_IVRS_EXTENDED_SELECT && type <= SLUICE_IVRS_SPECIAL) ||
           type == SLUICE_IVRS_ACPI_DEVICE;
}

/** Whether a special entry of this variety and handle stands again behind `from`. */
static void find_special_again(const struct lint *lint, const struct sluice_ivrs_block *block,
                               struct sluice_acpi_cursor from,
                               const struct sluice_ivrs_entry *entry)
{
    struct sluice_ivrs_entry other;

    for (unsigned i = 0; i < LINT_SEARCHED_MAX; i++) {
        if (sluice_ivrs_entry_next(lint->table, block, &from, &other, NULL) != SLUICE_OK)
            return;
        if (other.type == SLUICE_IVRS_SPECIAL && other.variety == entry->variety &&
            other.handle == entry->handle)
            lint_say(lint, LINT_SPECIAL_DUPLICATE, other.offset, "%s %u again, see offset %#x",
                     entry->variety == SLUICE_IVRS_IOAPIC ? "IOAPIC" : "HPET",
                     (unsigned)entry->handle, (unsigned)entry->offset);
    }
}

static void check_entry(const struct lint *lint, const struct sluice_ivrs_entry *entry,
                        struct entries *seen)
{
    if (!known_entry(entry->type))
        lint_say(lint, LINT_ENTRY_UNKNOWN, entry->offset, "device entry of type %u",
                 (unsigned)entry->type);
    if (entry->type == SLUICE_IVRS_SPECIAL && entry->variety == SLUICE_IVRS_IOAPIC)
        seen->ioapic = true;
    if (entry->type == SLUICE_IVRS_RANGE_END) {
        if (!seen->open)
            lint_say(lint, LINT_RANGE_OPEN, entry->offset, "the end of a range that never began");
        else if (entry->device < seen->first)
            lint_say(lint, LINT_RANGE_INVERTED, entry->offset, "range %04x to %04x",
                     (unsigned)seen->first, (unsigned)entry->device);
        seen->open = false;
    } else if (begins_range(entry->type)) {
        if (seen->open)
            lint_say(lint, LINT_RANGE_OPEN, seen->open_at, "a range from %04x on",
                     (unsigned)seen->first);
        seen->open = true;
        seen->first = entry->device;
        seen->open_at = entry->offset;
    }
}

static bool check_entries(const struct lint *lint, const struct sluice_ivrs_block *block)
{
    struct entries seen = {false, false, 0, 0};
    struct sluice_acpi_cursor at = {0};
    struct sluice_ivrs_entry entry;
    struct sluice_acpi_error error;
    enum sluice_status status;
    unsigned compared = 0;

    while ((status = sluice_ivrs_entry_next(lint->table, block, &at, &entry, &error)) !=
           SLUICE_ERR_NOT_FOUND) {
        if (status != SLUICE_OK) {
            lint_malformed(lint, &error);
            continue;
        }
        check_entry(lint, &entry, &seen);
        if (entry.type == SLUICE_IVRS_SPECIAL && compared++ < LINT_COMPARED_MAX)
            find_special_again(lint, block, at, &entry);
    }
    if (seen.open)
        lint_say(lint, LINT_RANGE_OPEN, seen.open_at, "a range from %04x on", (unsigned)seen.first);
    return seen.ioapic;
}

static void check_ivhd(const struct lint *lint, const struct sluice_ivrs_block *block)
{
    if (block->base == 0)
        lint_say(lint, LINT_UNIT_BASE_ZERO, block->offset + 8, "registers at 0");
    else if ((block->base & (REGISTER_ALIGNMENT - 1)) != 0 || block->base >> 52 != 0)
        lint_say(lint, LINT_UNIT_BASE_ABSURD, block->offset + 8, "registers at %#llx",
                 (unsigned long long)block->base);
    if (block->bytes == block->entries - block->offset)
        lint_say(lint, LINT_UNIT_EMPTY, block->offset, "unit at %#llx has no device entries",
                 (unsigned long long)block->base);
}

/** Whether some IVHD has an entry that covers a requester ID. */
static bool unit_covers(const struct lint *lint, const struct sluice_ivrs_block *block,
                        uint16_t device)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_ivrs_entry entry;
    uint32_t first = UINT32_MAX;

    for (unsigned i = 0; i < LINT_SEARCHED_MAX; i++) {
        if (sluice_ivrs_entry_next(lint->table, block, &at, &entry, NULL) != SLUICE_OK)
            return false;
        if (entry.type == SLUICE_IVRS_ALL)
            return true;
        if (entry.type == SLUICE_IVRS_RANGE_END && device >= first && device <= entry.device)
            return true;
        first = begins_range(entry.type) ? entry.device : UINT32_MAX;
        if (entry.device == device && known_entry(entry.type) && entry.type != SLUICE_IVRS_PAD4 &&
            entry.type != SLUICE_IVRS_PAD8 && entry.type != SLUICE_IVRS_SPECIAL)
            return true;
    }
    return true; /* too many to say */
}

static void check_covered(const struct lint *lint, const struct sluice_ivrs_block *ivmd)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_ivrs_block block;

    for (unsigned i = 0; i < LINT_COMPARED_MAX && next(lint, &at, &block); i++) {
        /* Of a range, one end is enough: it may begin with a host bridge that needs no cover. */
        if (sluice_ivrs_is_ivhd(block.type) &&
            (unit_covers(lint, &block, ivmd->device) ||
             (ivmd->type == SLUICE_IVRS_IVMD_RANGE && unit_covers(lint, &block, ivmd->aux))))
            return;
    }
    lint_say(lint, LINT_REGION_UNCOVERED, ivmd->offset + 4, "memory of device %04x",
             (unsigned)ivmd->device);
}

static void check_ivmd(const struct lint *lint, const struct sluice_ivrs_block *block)
{
    if (block->length == 0)
        lint_say(lint, LINT_REGION_EMPTY, block->offset + 24, "region at %#llx of 0 bytes",
                 (unsigned long long)block->base);
    else
        lint_region(lint, block->offset + 16, block->base, block->base + (block->length - 1));
    if (block->type == SLUICE_IVRS_IVMD_RANGE && block->aux < block->device)
        lint_say(lint, LINT_RANGE_INVERTED, block->offset + 4, "memory of devices %04x to %04x",
                 (unsigned)block->device, (unsigned)block->aux);
    if (block->type != SLUICE_IVRS_IVMD_ALL)
        check_covered(lint, block);
}

/** Two descriptions of one unit: 10h for old systems, 11h and 40h for newer ones. */
static void compare_ivhds(const struct lint *lint, const struct sluice_ivrs_block *one,
                          const struct sluice_ivrs_block *other)
{
    bool same = one->device == other->device && one->segment == other->segment;

    if (one->type == other->type) {
        if (same || one->base == other->base)
            lint_say(lint, LINT_UNIT_DUPLICATE, other->offset, "another unit %04x at %#llx",
                     (unsigned)other->device, (unsigned long long)other->base);
        return;
    }
    if (!same)
        return;
    if (one->base != other->base)
        lint_say(lint, LINT_UNIT_MISMATCH, other->offset + 8,
                 "unit %04x is at %#llx by type %02xh and at %#llx by type %02xh",
                 (unsigned)one->device, (unsigned long long)one->base, (unsigned)one->type,
                 (unsigned long long)other->base, (unsigned)other->type);
    if (one->type != SLUICE_IVRS_IVHD10 && other->type != SLUICE_IVRS_IVHD10 &&
        one->efr != other->efr)
        lint_say(lint, LINT_EFR_MISMATCH, other->offset + 24,
                 "unit %04x: extended features %#llx and %#llx", (unsigned)one->device,
                 (unsigned long long)one->efr, (unsigned long long)other->efr);
}

static void compare_all(const struct lint *lint)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_ivrs_block one;

    for (unsigned count = 0; next(lint, &at, &one); count++) {
        struct sluice_acpi_cursor behind = at;
        struct sluice_ivrs_block other;

        if (count == LINT_COMPARED_MAX) {
            lint_say(lint, LINT_TOO_MANY, one.offset, "more than %u blocks", LINT_COMPARED_MAX);
            return;
        }
        for (unsigned i = 0; i < LINT_COMPARED_MAX && next(lint, &behind, &other); i++) {
            if (sluice_ivrs_is_ivhd(one.type) && sluice_ivrs_is_ivhd(other.type))
                compare_ivhds(lint, &one, &other);
        }
    }
}

static void check_header(const struct lint *lint, const struct sluice_ivrs_header *header)
{
    if (!header->reserved_clear)
        lint_say(lint, LINT_RESERVED, 40, "reserved bytes of the header are not zero");
    if (header->phys_bits != 0 && (header->phys_bits < 32 || header->phys_bits > 64))
        lint_say(lint, LINT_HAW, 36, "physical addresses of %u bits", (unsigned)header->phys_bits);
}

void lint_ivrs(const struct lint *lint)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_ivrs_header header;
    struct sluice_ivrs_block block;
    struct sluice_acpi_error error;
    enum sluice_status status = sluice_ivrs_header(lint->table, &header, &error);
    unsigned units = 0;
    bool ioapic = false;

    if (status != SLUICE_OK) {
        lint_malformed(lint, &error);
        return;
    }
    check_header(lint, &header);
    while ((status = sluice_ivrs_next(lint->table, &at, &block, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status != SLUICE_OK) {
            lint_malformed(lint, &error);
        } else if (sluice_ivrs_is_ivhd(block.type)) {
            units++;
            check_ivhd(lint, &block);
            ioapic = check_entries(lint, &block) || ioapic;
        } else if (sluice_ivrs_is_ivmd(block.type)) {
            check_ivmd(lint, &block);
        } else {
            lint_say(lint, LINT_UNKNOWN_STRUCTURE, block.offset, "block of type %02xh",
                     (unsigned)block.type);
        }
    }
    if (units == 0)
        lint_say(lint, LINT_NO_UNITS, SLUICE_IVRS_FIRST, "no IVHD");
    else if (!ioapic)
        lint_say(lint, LINT_IOAPIC_MISSING, SLUICE_IVRS_FIRST, "no special entry of an IOAPIC");
    compare_all(lint);
}
