// SPDX-License-Identifier: MIT
// Trees for people.
#include "view.h"

static void put_size(FILE *stream, uint64_t size_bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    unsigned int unit = 0;

    while (unit < 5 && size_bytes >= 1024 && size_bytes % 1024 == 0) {
        size_bytes /= 1024;
        unit++;
    }
    (void)fprintf(stream, "%llu %s", (unsigned long long)size_bytes, units[unit]);
}

static void put_text(FILE *stream, const char *text)
{
    cli_put_escaped(stream, text, strlen(text));
}

// A place that could not be read.
static void put_malformed(struct dt_view *view, const struct sluice_devicetree_error *error)
{
    FILE *stream = view->out.stream;

    view->malformed++;
    (void)fprintf(stream, "      %smalformed: ", cli_style(&view->out, CLI_RED));
    if (error->property != NULL)
        (void)fprintf(stream, "\"%s\" ", error->property);
    (void)fprintf(stream, "%s%s\n", error->what, cli_style(&view->out, CLI_PLAIN));
}

static void put_coherence(FILE *stream, enum sluice_coherence coherence)
{
    if (coherence != SLUICE_COHERENCE_UNKNOWN)
        (void)fprintf(stream, ", %s",
                      coherence == SLUICE_COHERENCE_YES ? "coherent" : "not coherent");
}

static void put_address_bits(FILE *stream, uint8_t bits)
{
    if (bits != 0)
        (void)fprintf(stream, ", DMA addresses of %u bits", bits);
}

static void put_where(FILE *stream, const struct sluice_devicetree_node *node)
{
    if (node->on_pci) {
        (void)fprintf(stream, "PCI function %04x:%02x:%02x.%x", node->segment,
                      SLUICE_RID_BUS(node->rid), SLUICE_RID_DEVICE(node->rid),
                      SLUICE_RID_FUNCTION(node->rid));
    } else if (node->register_bytes != 0) {
        (void)fprintf(stream, "registers at 0x%llx (", (unsigned long long)node->registers);
        put_size(stream, node->register_bytes);
        (void)fputc(')', stream);
        if (node->register_ranges > 1)
            (void)fprintf(stream, " and %u more ranges", node->register_ranges - 1);
    } else {
        (void)fputs("no registers", stream);
    }
}

// Every interrupt with its name, and as its controller counts it.
static void put_interrupts(struct dt_view *view, struct dt_input *input,
                           const struct sluice_devicetree_cursor *cursor)
{
    struct sluice_devicetree_interrupt interrupt;
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_error error;
    FILE *stream = view->out.stream;
    enum sluice_status status;

    while ((status = sluice_devicetree_interrupt_next(input->tree, cursor, &at, &interrupt,
                                                      &error)) == SLUICE_OK) {
        (void)fputs(interrupt.index == 0 ? "      interrupts " : ", ", stream);
        if (interrupt.index == 8) {
            (void)fputs("...", stream);
            break;
        }
        if (interrupt.name != NULL) {
            put_text(stream, interrupt.name);
            (void)fputc(' ', stream);
        }
        if (interrupt.number != 0) {
            (void)fprintf(stream, "%u", interrupt.number);
            continue;
        }
        (void)fputc('<', stream);
        for (uint32_t i = 0; i < interrupt.cells && i < SLUICE_DEVICETREE_INTERRUPT_CELLS; i++)
            (void)fprintf(stream, "%s0x%x", i == 0 ? "" : " ", interrupt.cell[i]);
        (void)fputc('>', stream);
    }
    if (interrupt.index != 0)
        (void)fputc('\n', stream);
    if (status == SLUICE_ERR_FIRMWARE)
        put_malformed(view, &error);
}

static void put_unit(struct dt_view *view, struct dt_input *input,
                     const struct sluice_devicetree_cursor *cursor,
                     const struct sluice_devicetree_node *node)
{
    FILE *stream = view->out.stream;

    (void)fputs("      ", stream);
    put_where(stream, node);
    put_coherence(stream, node->coherence);
    (void)fputc('\n', stream);
    put_interrupts(view, input, cursor);
}

// IDs from `first` on, at a unit.
static void put_ids(const struct dt_view *view, const struct dt_input *input, uint32_t first,
                    uint32_t count, unsigned int unit)
{
    FILE *stream = view->out.stream;

    (void)fprintf(stream, "ID 0x%x", first);
    if (count > 1)
        (void)fprintf(stream, "-0x%llx", (unsigned long long)first + count - 1);
    (void)fputs(" at ", stream);
    put_text(stream, dt_unit_path(input, unit));
    if (!input->tree->units[unit].enabled)
        (void)fputs(" (disabled)", stream);
    (void)fputc('\n', stream);
}

static void put_rid(FILE *stream, uint64_t rid)
{
    if (rid > UINT16_MAX)
        (void)fprintf(stream, "0x%llx", (unsigned long long)rid);
    else
        (void)fprintf(stream, "%02x:%02x.%x", SLUICE_RID_BUS(rid), SLUICE_RID_DEVICE(rid),
                      SLUICE_RID_FUNCTION(rid));
}

static void put_map(struct dt_view *view, struct dt_input *input,
                    const struct sluice_devicetree_cursor *cursor,
                    const struct sluice_devicetree_node *node)
{
    const bool pci = (node->roles & SLUICE_DEVICETREE_PCI_HOST) != 0;
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_mapping entry;
    struct sluice_devicetree_error error;
    FILE *stream = view->out.stream;
    enum sluice_status status;

    if ((node->map_mask & UINT16_MAX) != UINT16_MAX)
        (void)fprintf(stream, "      requester IDs are looked at with mask 0x%x\n", node->map_mask);
    while ((status = sluice_devicetree_mapping_next(input->tree, cursor, &at, &entry, &error)) !=
           SLUICE_ERR_NOT_FOUND) {
        if (status != SLUICE_OK) {
            put_malformed(view, &error);
            continue;
        }
        (void)fputs("      ", stream);
        if (entry.count == 0) {
            (void)fputs("nothing has ", stream);
        } else if (pci) {
            put_rid(stream, entry.first);
            (void)fputs(" to ", stream);
            put_rid(stream, (uint64_t)entry.first + entry.count - 1);
            (void)fputs(entry.count == 1 ? " has " : " have ", stream);
        } else {
            (void)fprintf(stream, "0x%x to 0x%llx on this bus have ", entry.first,
                          (unsigned long long)entry.first + entry.count - 1);
        }
        put_ids(view, input, entry.id, entry.count, entry.unit);
    }
}

static void put_device(struct dt_view *view, struct dt_input *input,
                       const struct sluice_devicetree_cursor *cursor,
                       const struct sluice_devicetree_node *node)
{
    struct sluice_devicetree_specifier specifier;
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_error error;
    FILE *stream = view->out.stream;
    enum sluice_status status;

    if ((node->roles & SLUICE_DEVICETREE_UNIT) == 0) {
        (void)fputs("      ", stream);
        put_where(stream, node);
        put_coherence(stream, node->coherence);
        put_address_bits(stream, node->address_bits);
        (void)fputc('\n', stream);
    }
    while ((status = sluice_devicetree_specifier_next(input->tree, cursor, &at, &specifier,
                                                      &error)) == SLUICE_OK) {
        (void)fputs("      has ", stream);
        if (specifier.mask != 0)
            (void)fprintf(stream, "IDs under mask 0x%x, ", specifier.mask);
        put_ids(view, input, specifier.id, 1, specifier.unit);
    }
    if (status == SLUICE_ERR_FIRMWARE)
        put_malformed(view, &error);
}

static void put_host(struct dt_view *view, const struct sluice_devicetree_node *node)
{
    FILE *stream = view->out.stream;

    (void)fprintf(stream, "      segment %04x%s, buses %02x to %02x", node->segment,
                  node->segment_given ? "" : " (by its order)", node->first_bus, node->last_bus);
    put_coherence(stream, node->coherence);
    put_address_bits(stream, node->address_bits);
    if ((node->roles & SLUICE_DEVICETREE_MAP) == 0)
        (void)fputs("; behind no IOMMU", stream);
    (void)fputc('\n', stream);
}

static void put_region(struct dt_view *view, struct dt_input *input,
                       const struct sluice_devicetree_cursor *cursor,
                       const struct sluice_devicetree_node *node)
{
    struct sluice_devicetree_reservation reservation;
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_error error;
    FILE *stream = view->out.stream;
    enum sluice_status status;

    if (node->has_memory) {
        (void)fprintf(stream, "      memory 0x%llx-0x%llx (", (unsigned long long)node->first,
                      (unsigned long long)node->last);
        put_size(stream, node->last - node->first + 1);
        (void)fputs(")\n", stream);
    }
    while ((status = sluice_devicetree_reservation_next(input->tree, cursor, &at, &reservation,
                                                        &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status != SLUICE_OK) {
            put_malformed(view, &error);
            continue;
        }
        (void)fprintf(stream, "      at 0x%llx-0x%llx for ", (unsigned long long)reservation.first,
                      (unsigned long long)reservation.last);
        put_text(stream, reservation.path);
        (void)fputc('\n', stream);
    }
}

static const char *word_for(const struct sluice_devicetree_node *node)
{
    if ((node->roles & SLUICE_DEVICETREE_UNIT) != 0)
        return node->unit_known ? sluice_unit_kind_text(node->unit_kind) : "IOMMU of unknown kind";
    if ((node->roles & SLUICE_DEVICETREE_PCI_HOST) != 0)
        return "PCI host bridge";
    if ((node->roles & SLUICE_DEVICETREE_REGION) != 0)
        return "reserved memory";
    return (node->roles & SLUICE_DEVICETREE_DEVICE) != 0 ? "device" : "bus";
}

static void put_node(struct dt_view *view, struct dt_input *input,
                     const struct sluice_devicetree_cursor *cursor,
                     const struct sluice_devicetree_node *node)
{
    FILE *stream = view->out.stream;

    (void)fprintf(stream, "  %s", cli_style(&view->out, CLI_BOLD));
    put_text(stream, node->path);
    (void)fprintf(stream, "%s  %s", cli_style(&view->out, CLI_PLAIN), word_for(node));
    if (node->compatible != NULL) {
        (void)fputs(", \"", stream);
        put_text(stream, node->compatible);
        (void)fputc('"', stream);
    }
    (void)fputs(node->enabled ? "\n" : ", disabled\n", stream);
    if ((node->roles & SLUICE_DEVICETREE_UNIT) != 0)
        put_unit(view, input, cursor, node);
    if ((node->roles & SLUICE_DEVICETREE_PCI_HOST) != 0)
        put_host(view, node);
    if ((node->roles & SLUICE_DEVICETREE_MAP) != 0)
        put_map(view, input, cursor, node);
    if ((node->roles & SLUICE_DEVICETREE_DEVICE) != 0)
        put_device(view, input, cursor, node);
    if ((node->roles & SLUICE_DEVICETREE_REGION) != 0)
        put_region(view, input, cursor, node);
}

static void put_finding(void *arg, const struct sluice_devicetree_finding *finding)
{
    static const enum cli_style styles[] = {CLI_CYAN, CLI_YELLOW, CLI_RED};
    struct dt_view *view = arg;
    FILE *stream = view->out.stream;

    view->findings[finding->severity]++;
    (void)fputs("  ", stream);
    put_text(stream, finding->path);
    if (finding->property != NULL)
        (void)fprintf(stream, " \"%s\"", finding->property);
    (void)fprintf(stream, "  %s%s%s [%s]: ", cli_style(&view->out, styles[finding->severity]),
                  sluice_lint_severity_text(finding->severity), cli_style(&view->out, CLI_PLAIN),
                  finding->rule);
    put_text(stream, finding->message);
    (void)fputc('\n', stream);
    cli_put_wrapped(&view->out, "      ", finding->advice);
}

void dt_text(struct dt_view *view, struct dt_input *input)
{
    struct sluice_devicetree_cursor at = {0};
    struct sluice_devicetree_node node;
    struct sluice_devicetree_error error;
    FILE *stream = view->out.stream;
    enum sluice_status status;
    const char *model;
    size_t bytes = 0;

    put_text(stream, input->name);
    (void)fprintf(stream, ": %u bytes, version %u", input->tree->bytes, input->tree->version);
    model = dt_root_text(input, "model", &bytes);
    if (model != NULL) {
        (void)fputs(", ", stream);
        cli_put_escaped(stream, model, bytes);
    }
    (void)fputc('\n', stream);
    while ((status = sluice_devicetree_next(input->tree, &at, &node, &error)) !=
           SLUICE_ERR_NOT_FOUND) {
        if (status != SLUICE_OK) {
            (void)fputs("  ", stream);
            put_text(stream, error.path);
            (void)fputc('\n', stream);
            put_malformed(view, &error);
        } else {
            put_node(view, input, &at, &node);
        }
    }
    if (input->tree->unit_count == 0)
        (void)fputs("  describes no IOMMU\n", stream);
    if (view->lint)
        sluice_devicetree_lint(input->tree, put_finding, view);
    (void)fputc('\n', stream);
}
