// SPDX-License-Identifier: MIT
// IVRS for people.
#include "tables.h"

static void put_rid(FILE *stream, uint16_t rid)
{
    (void)fprintf(stream, "%02x:%02x.%x", SLUICE_RID_BUS(rid), SLUICE_RID_DEVICE(rid),
                  SLUICE_RID_FUNCTION(rid));
}

// How the interrupts that an IOMMU lets through by itself are set [AMD 5.2.2.1, table 96].
static void put_settings(FILE *stream, unsigned int settings)
{
    static const char *const texts[] = {"INIT passes",
                                        "external interrupts pass",
                                        "NMI passes",
                                        NULL,
                                        "system management pass 1",
                                        "system management pass 2",
                                        "LINT0 passes",
                                        "LINT1 passes"};
    const char *between = "; ";

    for (unsigned int i = 0; i < 8; i++) {
        if ((settings >> i & 1u) == 0 || texts[i] == NULL)
            continue;
        (void)fprintf(stream, "%s%s", between, texts[i]);
        between = ", ";
    }
}

static void put_special(FILE *stream, const struct sluice_ivrs_entry *entry)
{
    if (entry->variety == SLUICE_IVRS_IOAPIC)
        (void)fprintf(stream, "IOAPIC %u as ", entry->handle);
    else if (entry->variety == SLUICE_IVRS_HPET)
        (void)fprintf(stream, "HPET %u as ", entry->handle);
    else
        (void)fprintf(stream, "special device of unknown variety %u as ", entry->variety);
    put_rid(stream, entry->source);
}

static void put_acpi_device(FILE *stream, const struct sluice_ivrs_entry *entry)
{
    (void)fputs("ACPI device ", stream);
    cli_put_escaped(stream, entry->hid, strnlen(entry->hid, 8));
    if (entry->uid_format == 2) {
        (void)fputs(" ", stream);
        cli_put_escaped(stream, (const char *)entry->uid,
                        strnlen((const char *)entry->uid, entry->uid_bytes));
    }
    (void)fputs(" as ", stream);
    put_rid(stream, entry->device);
}

static void put_entry(struct acpi_view *view, const struct sluice_ivrs_entry *entry)
{
    FILE *stream = view->out.stream;

    (void)fprintf(stream, "  %s0x%03x%s      ", cli_style(&view->out, CLI_DIM), entry->offset,
                  cli_style(&view->out, CLI_PLAIN));
    switch (entry->type) {
    case SLUICE_IVRS_ALL:
        (void)fputs("every device", stream);
        break;
    case SLUICE_IVRS_SELECT:
    case SLUICE_IVRS_EXTENDED_SELECT:
        (void)fputs("device ", stream);
        put_rid(stream, entry->device);
        break;
    case SLUICE_IVRS_RANGE:
    case SLUICE_IVRS_EXTENDED_RANGE:
        (void)fputs("devices from ", stream);
        put_rid(stream, entry->device);
        break;
    case SLUICE_IVRS_RANGE_END:
        (void)fputs("        to ", stream);
        put_rid(stream, entry->device);
        break;
    case SLUICE_IVRS_ALIAS_SELECT:
    case SLUICE_IVRS_ALIAS_RANGE:
        (void)fputs(entry->type == SLUICE_IVRS_ALIAS_SELECT ? "device " : "devices from ", stream);
        put_rid(stream, entry->device);
        (void)fputs(", seen as ", stream);
        put_rid(stream, entry->source);
        break;
    case SLUICE_IVRS_SPECIAL:
        put_special(stream, entry);
        break;
    case SLUICE_IVRS_ACPI_DEVICE:
        put_acpi_device(stream, entry);
        break;
    default:
        (void)fprintf(stream, "entry of unknown type %u", entry->type);
        break;
    }
    put_settings(stream, entry->settings);
    (void)fputc('\n', stream);
}

static void put_entries(struct acpi_view *view, const struct sluice_acpi_table *table,
                        const struct sluice_ivrs_block *block)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_ivrs_entry entry;
    struct sluice_acpi_error error;
    enum sluice_status status;

    while ((status = sluice_ivrs_entry_next(table, block, &at, &entry, &error)) !=
           SLUICE_ERR_NOT_FOUND) {
        if (status != SLUICE_OK)
            acpi_text_malformed(view, &error);
        else if (entry.type != SLUICE_IVRS_PAD4 && entry.type != SLUICE_IVRS_PAD8)
            put_entry(view, &entry);
    }
}

static void put_unit(FILE *stream, const struct sluice_ivrs_block *block)
{
    (void)fputs("unit ", stream);
    put_rid(stream, block->device);
    (void)fprintf(stream, " with registers at 0x%llx, segment %04x",
                  (unsigned long long)block->base, block->segment);
    if (block->type != SLUICE_IVRS_IVHD10)
        (void)fprintf(stream, ", extended features 0x%llx", (unsigned long long)block->efr);
    (void)fputs("; it covers:\n", stream);
}

static void put_memory(FILE *stream, const struct sluice_ivrs_block *block)
{
    (void)fprintf(stream, "%s memory 0x%llx, ",
                  (block->flags & 8u) != 0   ? "excluded"
                  : (block->flags & 1u) != 0 ? "unity-mapped"
                                             : "reserved",
                  (unsigned long long)block->base);
    acpi_text_size(stream, block->length);
    if (block->type == SLUICE_IVRS_IVMD_ALL) {
        (void)fputs(", for every device\n", stream);
        return;
    }
    (void)fputs(", for ", stream);
    put_rid(stream, block->device);
    if (block->type == SLUICE_IVRS_IVMD_RANGE) {
        (void)fputs(" to ", stream);
        put_rid(stream, block->aux);
    }
    (void)fputc('\n', stream);
}

static void put_block(struct acpi_view *view, const struct sluice_acpi_table *table,
                      const struct sluice_ivrs_block *block)
{
    FILE *stream = view->out.stream;
    const char *name = sluice_ivrs_is_ivhd(block->type)   ? "IVHD"
                       : sluice_ivrs_is_ivmd(block->type) ? "IVMD"
                                                          : "?";

    (void)fprintf(stream, "  0x%03x  %s%-4s%s %02xh  ", block->offset,
                  cli_style(&view->out, CLI_BOLD), name, cli_style(&view->out, CLI_PLAIN),
                  block->type);
    if (sluice_ivrs_is_ivhd(block->type)) {
        put_unit(stream, block);
        put_entries(view, table, block);
    } else if (sluice_ivrs_is_ivmd(block->type)) {
        put_memory(stream, block);
    } else {
        (void)fprintf(stream, "block of unknown type, %u bytes\n", block->bytes);
    }
}

void acpi_text_ivrs(struct acpi_view *view, const struct sluice_acpi_table *table)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_ivrs_header header;
    struct sluice_ivrs_block block;
    struct sluice_acpi_error error;
    enum sluice_status status = sluice_ivrs_header(table, &header, &error);

    if (status != SLUICE_OK) {
        acpi_text_malformed(view, &error);
        return;
    }
    (void)fprintf(view->out.stream, "  physical addresses of %u bits, virtual ones of %u%s\n",
                  header.phys_bits, header.virt_bits,
                  header.dma_remapping ? "; asks for DMA protection" : "");
    while ((status = sluice_ivrs_next(table, &at, &block, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            put_block(view, table, &block);
        else
            acpi_text_malformed(view, &error);
    }
}
