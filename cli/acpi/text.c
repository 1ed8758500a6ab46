// SPDX-License-Identifier: MIT
// Tables for people: header, DMAR, MCFG, findings.
#include "tables.h"

void acpi_text_size(FILE *stream, uint64_t size_bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    unsigned int unit = 0;

    while (unit < 5 && size_bytes >= 1024 && size_bytes % 1024 == 0) {
        size_bytes /= 1024;
        unit++;
    }
    (void)fprintf(stream, "%llu %s", (unsigned long long)size_bytes, units[unit]);
}

void acpi_text_malformed(struct acpi_view *view, const struct sluice_acpi_error *error)
{
    view->malformed++;
    (void)fprintf(view->out.stream, "  %s0x%03x  malformed: %s%s\n", cli_style(&view->out, CLI_RED),
                  error->offset, error->what, cli_style(&view->out, CLI_PLAIN));
}

static void put_region(FILE *stream, uint64_t base, uint64_t last)
{
    (void)fprintf(stream, "0x%llx-0x%llx", (unsigned long long)base, (unsigned long long)last);
    if (base > last || last - base == UINT64_MAX)
        return;
    (void)fputs(" (", stream);
    acpi_text_size(stream, last - base + 1);
    (void)fputs(")", stream);
}

// "00:1c.1", and further steps through bridges as "/04.5".
static void put_path(FILE *stream, const struct sluice_dmar_scope *scope)
{
    for (unsigned int i = 0; i < scope->path_length; i++) {
        const uint8_t *step = scope->path + (size_t)2 * i;

        if (i == 0)
            (void)fprintf(stream, "%02x:%02x.%x", scope->start_bus, step[0], step[1]);
        else
            (void)fprintf(stream, "/%02x.%x", step[0], step[1]);
    }
    if (scope->path_length == 0)
        (void)fputs("(no path)", stream);
}

static void put_scope(struct acpi_view *view, const struct sluice_dmar_scope *scope)
{
    FILE *stream = view->out.stream;

    (void)fprintf(stream, "  %s0x%03x%s      ", cli_style(&view->out, CLI_DIM), scope->offset,
                  cli_style(&view->out, CLI_PLAIN));
    switch (scope->type) {
    case SLUICE_DMAR_SCOPE_ENDPOINT:
        (void)fputs("device ", stream);
        break;
    case SLUICE_DMAR_SCOPE_BRIDGE:
        (void)fputs("bridge and all below it ", stream);
        break;
    case SLUICE_DMAR_SCOPE_IOAPIC:
        (void)fprintf(stream, "IOAPIC %u as ", scope->enumeration_id);
        break;
    case SLUICE_DMAR_SCOPE_HPET:
        (void)fprintf(stream, "HPET %u as ", scope->enumeration_id);
        break;
    case SLUICE_DMAR_SCOPE_ACPI:
        (void)fprintf(stream, "ACPI device %u as ", scope->enumeration_id);
        break;
    default:
        (void)fprintf(stream, "scope of unknown type %u ", scope->type);
        break;
    }
    put_path(stream, scope);
    (void)fputc('\n', stream);
}

static void put_scopes(struct acpi_view *view, const struct sluice_acpi_table *table,
                       const struct sluice_dmar_structure *structure)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_dmar_scope scope;
    struct sluice_acpi_error error;
    enum sluice_status status;

    while ((status = sluice_dmar_scope_next(table, structure, &at, &scope, &error)) !=
           SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            put_scope(view, &scope);
        else
            acpi_text_malformed(view, &error);
    }
}

static void put_unit(struct acpi_view *view, const struct sluice_dmar_structure *unit)
{
    FILE *stream = view->out.stream;

    (void)fprintf(stream, "unit with registers at 0x%llx (", (unsigned long long)unit->base);
    acpi_text_size(stream, SLUICE_PAGE_BYTES << (unit->size & 0xfu));
    (void)fprintf(stream, "), segment %04x; it covers%s\n", unit->segment,
                  (unit->flags & 1u) != 0 ? " every device of the segment that no other unit names"
                  : unit->bytes == unit->scopes - unit->offset ? " nothing"
                                                               : ":");
}

static void put_body(struct acpi_view *view, const struct sluice_dmar_structure *item)
{
    FILE *stream = view->out.stream;

    switch (item->type) {
    case SLUICE_DMAR_DRHD:
        put_unit(view, item);
        return;
    case SLUICE_DMAR_RMRR:
        (void)fputs("reserved memory ", stream);
        put_region(stream, item->base, item->last);
        (void)fprintf(stream, ", segment %04x, used by:", item->segment);
        break;
    case SLUICE_DMAR_ATSR:
        (void)fprintf(stream, "device TLBs (ATS), segment %04x: %s", item->segment,
                      (item->flags & 1u) != 0 ? "below every root port" : "below root ports:");
        break;
    case SLUICE_DMAR_RHSA:
        (void)fprintf(stream, "unit at 0x%llx is in proximity domain %u",
                      (unsigned long long)item->base, item->proximity);
        break;
    case SLUICE_DMAR_ANDD:
        (void)fprintf(stream, "ACPI device %u is ", item->device_number);
        cli_put_escaped(stream, item->name, item->name_bytes);
        break;
    case SLUICE_DMAR_SATC:
        (void)fprintf(stream, "integrated devices with device TLBs, segment %04x%s:", item->segment,
                      (item->flags & 1u) != 0 ? ", which need them" : "");
        break;
    case SLUICE_DMAR_SIDP:
        (void)fprintf(stream, "properties of integrated devices, segment %04x:", item->segment);
        break;
    default:
        (void)fprintf(stream, "structure of unknown type %u, %u bytes", item->type, item->bytes);
        break;
    }
    (void)fputc('\n', stream);
}

static void put_dmar(struct acpi_view *view, const struct sluice_acpi_table *table)
{
    FILE *stream = view->out.stream;
    struct sluice_dmar_structure item;
    struct sluice_acpi_cursor at = {0};
    struct sluice_dmar_header header;
    struct sluice_acpi_error error;
    enum sluice_status status = sluice_dmar_header(table, &header, &error);

    if (status != SLUICE_OK) {
        acpi_text_malformed(view, &error);
        return;
    }
    (void)fprintf(
        stream, "  physical addresses of %u bits; interrupt remapping %s%s%s\n",
        header.host_address_width,
        (header.flags & SLUICE_DMAR_INTR_REMAP) != 0 ? "supported" : "not supported",
        (header.flags & SLUICE_DMAR_X2APIC_OPT_OUT) != 0 ? "; asks to leave x2APIC off" : "",
        (header.flags & SLUICE_DMAR_DMA_CTRL_OPT_IN) != 0 ? "; asks for DMA protection" : "");
    while ((status = sluice_dmar_next(table, &at, &item, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status != SLUICE_OK) {
            acpi_text_malformed(view, &error);
            continue;
        }
        (void)fprintf(stream, "  0x%03x  %s%-4s%s  ", item.offset, cli_style(&view->out, CLI_BOLD),
                      item.type < SLUICE_DMAR_TYPE_COUNT ? sluice_dmar_type_text(item.type) : "?",
                      cli_style(&view->out, CLI_PLAIN));
        put_body(view, &item);
        put_scopes(view, table, &item);
    }
}

static void put_mcfg(struct acpi_view *view, const struct sluice_acpi_table *table)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_mcfg_entry entry;
    struct sluice_acpi_error error;
    enum sluice_status status;

    while ((status = sluice_mcfg_next(table, &at, &entry, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            (void)fprintf(view->out.stream,
                          "  0x%03x  configuration space of segment %04x, buses %02x to %02x, at "
                          "0x%llx\n",
                          entry.offset, entry.segment, entry.first_bus, entry.last_bus,
                          (unsigned long long)entry.base);
        else
            acpi_text_malformed(view, &error);
    }
}

static void put_finding(void *arg, const struct sluice_lint_finding *finding)
{
    static const enum cli_style styles[] = {CLI_CYAN, CLI_YELLOW, CLI_RED};
    struct acpi_view *view = arg;
    FILE *stream = view->out.stream;

    view->findings[finding->severity]++;
    (void)fprintf(stream, "  0x%03x  %s%s%s [%s]: ", finding->offset,
                  cli_style(&view->out, styles[finding->severity]),
                  sluice_lint_severity_text(finding->severity), cli_style(&view->out, CLI_PLAIN),
                  finding->rule);
    cli_put_escaped(stream, finding->message, strlen(finding->message));
    (void)fputc('\n', stream);
    cli_put_wrapped(&view->out, "         ", finding->advice);
}

static void put_heading(struct acpi_view *view, const struct acpi_input *input,
                        const struct sluice_acpi_table *table)
{
    FILE *stream = view->out.stream;

    (void)fputs(cli_style(&view->out, CLI_BOLD), stream);
    cli_put_escaped(stream, table->signature, 4);
    (void)fputs(cli_style(&view->out, CLI_PLAIN), stream);
    (void)fputs("  ", stream);
    cli_put_escaped(stream, input->name, strlen(input->name));
    (void)fprintf(stream, ": %u bytes, revision %u, by ", table->bytes, table->revision);
    cli_put_escaped(stream, table->oem_id, strnlen(table->oem_id, 6));
    (void)fputs(" ", stream);
    cli_put_escaped(stream, table->oem_table_id, strnlen(table->oem_table_id, 8));
    (void)fprintf(stream, ", checksum %s\n", table->checksum_sum == 0 ? "right" : "wrong");
    if (input->size_bytes > table->bytes)
        (void)fprintf(stream, "  (%llu more bytes follow the table)\n",
                      (unsigned long long)(input->size_bytes - table->bytes));
}

static const struct {
    const char *signature;
    void (*put)(struct acpi_view *view, const struct sluice_acpi_table *table);
} bodies[] = {
    {"DMAR", put_dmar},       {"IVRS", acpi_text_ivrs}, {"MCFG", put_mcfg},
    {"IORT", acpi_text_iort}, {"RIMT", acpi_text_rimt}, {"VIOT", acpi_text_viot},
};

void acpi_text(struct acpi_view *view, const struct acpi_input *input,
               const struct sluice_acpi_table *table)
{
    size_t i = 0;

    put_heading(view, input, table);
    while (i < sizeof(bodies) / sizeof(bodies[0]) &&
           strcmp(table->signature, bodies[i].signature) != 0)
        i++;
    if (i < sizeof(bodies) / sizeof(bodies[0]))
        bodies[i].put(view, table);
    else
        (void)fputs("  says nothing about IOMMUs that this command knows\n", view->out.stream);
    if (view->lint)
        sluice_lint(table, put_finding, view);
    (void)fputc('\n', view->out.stream);
}
