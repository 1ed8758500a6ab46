// SPDX-License-Identifier: MIT
// IVRS as JSON.
#include "tables.h"

static const char *block_name(uint8_t type)
{
    switch (type) {
    case SLUICE_IVRS_IVHD10:
        return "IVHD10";
    case SLUICE_IVRS_IVHD11:
        return "IVHD11";
    case SLUICE_IVRS_IVHD40:
        return "IVHD40";
    case SLUICE_IVRS_IVMD_ALL:
        return "IVMD20";
    case SLUICE_IVRS_IVMD_ONE:
        return "IVMD21";
    case SLUICE_IVRS_IVMD_RANGE:
        return "IVMD22";
    default:
        return "unknown";
    }
}

static const char *entry_name(uint8_t type)
{
    switch (type) {
    case SLUICE_IVRS_PAD4:
        return "pad4";
    case SLUICE_IVRS_ALL:
        return "all";
    case SLUICE_IVRS_SELECT:
        return "select";
    case SLUICE_IVRS_RANGE:
        return "range";
    case SLUICE_IVRS_RANGE_END:
        return "range-end";
    case SLUICE_IVRS_PAD8:
        return "pad8";
    case SLUICE_IVRS_ALIAS_SELECT:
        return "alias-select";
    case SLUICE_IVRS_ALIAS_RANGE:
        return "alias-range";
    case SLUICE_IVRS_EXTENDED_SELECT:
        return "extended-select";
    case SLUICE_IVRS_EXTENDED_RANGE:
        return "extended-range";
    case SLUICE_IVRS_SPECIAL:
        return "special";
    case SLUICE_IVRS_ACPI_DEVICE:
        return "acpi-device";
    default:
        return "unknown";
    }
}

static json_t *hex_bytes(const uint8_t *data, uint32_t size_bytes)
{
    char text[2 * 255 + 1];
    uint32_t at = 0;

    for (; at < size_bytes && at < 255; at++)
        (void)snprintf(text + (size_t)2 * at, 3, "%02x", data[at]);
    text[(size_t)2 * at] = '\0';
    return json_string(text);
}

// Identifiers are padded with zeroes or spaces.
static json_t *padded(const char *text)
{
    size_t length = strnlen(text, 8);

    while (length > 0 && text[length - 1] == ' ')
        length--;
    return acpi_json_bytes(text, length);
}

static void entry_fields(json_t *object, const struct sluice_ivrs_entry *entry)
{
    switch (entry->type) {
    case SLUICE_IVRS_ALIAS_SELECT:
    case SLUICE_IVRS_ALIAS_RANGE:
        (void)json_object_set_new(object, "source", acpi_json_rid(entry->source));
        (void)json_object_set_new(object, "reserved",
                                  json_pack("[i, i]", entry->reserved[0], entry->reserved[1]));
        break;
    case SLUICE_IVRS_EXTENDED_SELECT:
    case SLUICE_IVRS_EXTENDED_RANGE:
        (void)json_object_set_new(object, "extended", acpi_json_hex(entry->extended));
        break;
    case SLUICE_IVRS_SPECIAL:
        (void)json_object_set_new(object, "source", acpi_json_rid(entry->source));
        (void)json_object_set_new(object, "handle", json_integer(entry->handle));
        (void)json_object_set_new(object, "variety", json_integer(entry->variety));
        (void)json_object_set_new(object, "kind",
                                  json_string(entry->variety == SLUICE_IVRS_IOAPIC ? "ioapic"
                                              : entry->variety == SLUICE_IVRS_HPET ? "hpet"
                                                                                   : "unknown"));
        break;
    case SLUICE_IVRS_ACPI_DEVICE:
        (void)json_object_set_new(object, "hid", padded(entry->hid));
        (void)json_object_set_new(object, "cid", padded(entry->cid));
        (void)json_object_set_new(object, "uid_format", json_integer(entry->uid_format));
        (void)json_object_set_new(object, "uid", hex_bytes(entry->uid, entry->uid_bytes));
        break;
    default:
        break;
    }
}

static json_t *entries_json(struct acpi_view *view, const struct sluice_acpi_table *table,
                            const struct sluice_ivrs_block *block, json_t *errors)
{
    json_t *entries = json_array();
    struct sluice_acpi_cursor at = {0};
    struct sluice_ivrs_entry entry;
    struct sluice_acpi_error error;
    enum sluice_status status;

    while ((status = sluice_ivrs_entry_next(table, block, &at, &entry, &error)) !=
           SLUICE_ERR_NOT_FOUND) {
        json_t *object;

        if (status != SLUICE_OK) {
            acpi_json_error(view, errors, &error);
            continue;
        }
        object = json_pack("{s:i, s:s, s:I, s:I, s:o, s:i}", "type", entry.type, "name",
                           entry_name(entry.type), "offset", (json_int_t)entry.offset, "length",
                           (json_int_t)entry.bytes, "device", acpi_json_rid(entry.device),
                           "settings", entry.settings);
        entry_fields(object, &entry);
        (void)json_array_append_new(entries, object);
    }
    return entries;
}

static void ivhd_fields(json_t *object, const struct sluice_ivrs_block *block)
{
    bool old = block->type == SLUICE_IVRS_IVHD10;

    (void)json_object_set_new(object, "device", acpi_json_rid(block->device));
    (void)json_object_set_new(object, "capability_offset", json_integer(block->capability));
    (void)json_object_set_new(object, "base", acpi_json_hex(block->base));
    (void)json_object_set_new(object, "segment", json_integer(block->segment));
    (void)json_object_set_new(object, "info", json_integer(block->info));
    (void)json_object_set_new(object, old ? "features" : "attributes",
                              acpi_json_hex(block->features));
    if (old)
        return;
    (void)json_object_set_new(object, "efr", acpi_json_hex(block->efr));
    (void)json_object_set_new(object, "efr2", acpi_json_hex(block->efr2));
}

static void ivmd_fields(json_t *object, const struct sluice_ivrs_block *block)
{
    (void)json_object_set_new(object, "device", acpi_json_rid(block->device));
    (void)json_object_set_new(object, "aux", acpi_json_rid(block->aux));
    (void)json_object_set_new(object, "reserved", acpi_json_hex(block->reserved));
    (void)json_object_set_new(object, "base", acpi_json_hex(block->base));
    (void)json_object_set_new(object, "bytes", acpi_json_hex(block->length));
}

static json_t *block_json(struct acpi_view *view, const struct sluice_acpi_table *table,
                          const struct sluice_ivrs_block *block, json_t *errors)
{
    json_t *object = json_pack("{s:i, s:s, s:I, s:I, s:i}", "type", block->type, "name",
                               block_name(block->type), "offset", (json_int_t)block->offset,
                               "length", (json_int_t)block->bytes, "flags", block->flags);

    if (sluice_ivrs_is_ivhd(block->type)) {
        ivhd_fields(object, block);
        (void)json_object_set_new(object, "entries", entries_json(view, table, block, errors));
    } else if (sluice_ivrs_is_ivmd(block->type)) {
        ivmd_fields(object, block);
    }
    return object;
}

json_t *acpi_json_ivrs(struct acpi_view *view, const struct sluice_acpi_table *table,
                       json_t *errors)
{
    json_t *blocks = json_array();
    struct sluice_acpi_cursor at = {0};
    struct sluice_ivrs_header header;
    struct sluice_ivrs_block block;
    struct sluice_acpi_error error;
    enum sluice_status status = sluice_ivrs_header(table, &header, &error);

    if (status != SLUICE_OK) {
        acpi_json_error(view, errors, &error);
        return blocks;
    }
    while ((status = sluice_ivrs_next(table, &at, &block, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            (void)json_array_append_new(blocks, block_json(view, table, &block, errors));
        else
            acpi_json_error(view, errors, &error);
    }
    return json_pack(
        "{s:o, s:b, s:b, s:b, s:i, s:i, s:i, s:b, s:o}", "ivinfo", acpi_json_hex(header.info),
        "efr_supported", header.efr_supported, "dma_remapping", header.dma_remapping,
        "ht_ats_reserved", header.ht_ats_reserved, "guest_address_size", header.guest_bits,
        "physical_address_bits", header.phys_bits, "virtual_address_bits", header.virt_bits,
        "reserved_zero", header.reserved_clear, "structures", blocks);
}
