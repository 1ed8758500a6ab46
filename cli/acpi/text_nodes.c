// SPDX-License-Identifier: MIT
// IORT, RIMT and VIOT for people.
#include "tables.h"

#include <sluice/iort.h>

static void put_rid(FILE *stream, uint16_t rid)
{
    (void)fprintf(stream, "%02x:%02x.%x", SLUICE_RID_BUS(rid), SLUICE_RID_DEVICE(rid),
                  SLUICE_RID_FUNCTION(rid));
}

static void put_offset(const struct acpi_view *view, uint32_t offset)
{
    (void)fprintf(view->out.stream, "  %s0x%03x%s      ", cli_style(&view->out, CLI_DIM), offset,
                  cli_style(&view->out, CLI_PLAIN));
}

static void put_kind(const struct acpi_view *view, uint32_t offset, const char *kind)
{
    (void)fprintf(view->out.stream, "  0x%03x  %s%s%s", offset, cli_style(&view->out, CLI_BOLD),
                  kind, cli_style(&view->out, CLI_PLAIN));
}

// Requester and stream IDs from `base` on, `more` of them behind it.
static void put_ids(FILE *stream, const char *what, uint32_t base, uint64_t more)
{
    uint64_t last = base + more;

    if (more == 0)
        (void)fprintf(stream, "%s 0x%x", what, base);
    else
        (void)fprintf(stream, "%ss 0x%x to 0x%llx", what, base, (unsigned long long)last);
}

// ---- IORT ----

static const char *target_kind(const struct sluice_acpi_table *table, uint32_t offset)
{
    struct sluice_iort_node node;

    if (sluice_iort_at(table, offset, &node, NULL) != SLUICE_OK)
        return "nothing";
    return sluice_iort_type_text(node.type);
}

static void put_iort_mappings(struct acpi_view *view, const struct sluice_acpi_table *table,
                              const struct sluice_iort_node *node)
{
    FILE *stream = view->out.stream;
    struct sluice_iort_mapping mapping;
    struct sluice_acpi_error error;
    enum sluice_status status;

    for (uint32_t i = 0;
         (status = sluice_iort_mapping(table, node, i, &mapping, &error)) == SLUICE_OK; i++) {
        put_offset(view, mapping.offset);
        if ((mapping.flags & 1u) != 0) {
            (void)fprintf(stream, "itself as 0x%x", mapping.output_base);
        } else {
            put_ids(stream, "ID", mapping.input_base, mapping.count);
            put_ids(stream, " as ID", mapping.output_base, mapping.count);
        }
        (void)fprintf(stream, " to the %s at 0x%03x\n", target_kind(table, mapping.reference),
                      mapping.reference);
    }
    if (status == SLUICE_ERR_FIRMWARE)
        acpi_text_malformed(view, &error);
}

static void put_regions(struct acpi_view *view, const struct sluice_acpi_table *table,
                        const struct sluice_iort_node *node)
{
    struct sluice_iort_region region;
    struct sluice_acpi_error error;
    enum sluice_status status;

    for (uint32_t i = 0;
         (status = sluice_iort_region(table, node, i, &region, &error)) == SLUICE_OK; i++) {
        put_offset(view, region.offset);
        (void)fprintf(view->out.stream, "memory 0x%llx, ", (unsigned long long)region.base);
        acpi_text_size(view->out.stream, region.length);
        (void)fputc('\n', view->out.stream);
    }
    if (status == SLUICE_ERR_FIRMWARE)
        acpi_text_malformed(view, &error);
}

static void put_iort_body(struct acpi_view *view, const struct sluice_iort_node *node)
{
    FILE *stream = view->out.stream;

    switch (node->type) {
    case SLUICE_IORT_ITS_GROUP:
        (void)fprintf(stream, " of %u interrupt translation services", node->item_count);
        break;
    case SLUICE_IORT_NAMED_COMPONENT:
        (void)fputs(" ", stream);
        cli_put_escaped(stream, node->name, node->name_bytes);
        (void)fprintf(stream, ", %u-bit addresses", node->address_bits);
        break;
    case SLUICE_IORT_ROOT_COMPLEX:
        (void)fprintf(stream, ", segment %04x, %u-bit addresses%s", node->segment,
                      node->address_bits, (node->ats & 1u) != 0 ? ", ATS" : "");
        break;
    case SLUICE_IORT_SMMU:
        (void)fprintf(stream, " with registers at 0x%llx (", (unsigned long long)node->base);
        acpi_text_size(stream, node->span);
        (void)fprintf(stream, "), model %u, %u context interrupts%s", node->model, node->item_count,
                      (node->flags & 2u) != 0 ? ", walks snoop" : "");
        break;
    case SLUICE_IORT_SMMU_V3:
        (void)fprintf(stream,
                      " with registers at 0x%llx, model %u, interrupts: event %u, PRI %u, "
                      "error %u, sync %u%s",
                      (unsigned long long)node->base, node->model, node->interrupts[0],
                      node->interrupts[1], node->interrupts[2], node->interrupts[3],
                      (node->flags & 1u) != 0 ? "; walks snoop" : "");
        break;
    case SLUICE_IORT_PMCG:
        (void)fprintf(stream, " with registers at 0x%llx, for the node at 0x%03x",
                      (unsigned long long)node->base, node->reference);
        break;
    case SLUICE_IORT_RMR:
        (void)fputs(": memory in use by:", stream);
        break;
    default:
        (void)fprintf(stream, " type %u, %u bytes", node->type, node->bytes);
        break;
    }
    (void)fputc('\n', stream);
}

void acpi_text_iort(struct acpi_view *view, const struct sluice_acpi_table *table)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_iort_node node;
    enum sluice_status status;

    while ((status = sluice_iort_next(table, &at, &node, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status != SLUICE_OK) {
            acpi_text_malformed(view, &error);
            continue;
        }
        put_kind(view, node.offset, sluice_iort_type_text(node.type));
        put_iort_body(view, &node);
        if (node.type == SLUICE_IORT_RMR)
            put_regions(view, table, &node);
        put_iort_mappings(view, table, &node);
    }
}

// ---- RIMT ----

static void put_rimt_body(struct acpi_view *view, const struct sluice_rimt_node *node)
{
    FILE *stream = view->out.stream;

    if (node->type == SLUICE_RIMT_IOMMU && (node->flags & SLUICE_RIMT_IOMMU_PCIE) != 0) {
        (void)fprintf(stream, " as PCI function %04x:", node->segment);
        put_rid(stream, node->rid);
    } else if (node->type == SLUICE_RIMT_IOMMU) {
        (void)fprintf(stream, " with registers at 0x%llx", (unsigned long long)node->base);
    } else if (node->type == SLUICE_RIMT_ROOT_COMPLEX) {
        (void)fprintf(stream, ", segment %04x%s%s", node->segment,
                      (node->flags & 1u) != 0 ? ", ATS" : "",
                      (node->flags & 2u) != 0 ? ", PRI" : "");
    } else if (node->type == SLUICE_RIMT_PLATFORM_DEVICE) {
        (void)fputs(" ", stream);
        cli_put_escaped(stream, node->name, node->name_bytes);
    } else {
        (void)fprintf(stream, " type %u, %u bytes", node->type, node->bytes);
    }
    if (node->wire_count != 0)
        (void)fprintf(stream, ", %u interrupt wires", node->wire_count);
    (void)fputc('\n', stream);
}

static void put_rimt_mappings(struct acpi_view *view, const struct sluice_acpi_table *table,
                              const struct sluice_rimt_node *node)
{
    struct sluice_rimt_mapping mapping;
    struct sluice_acpi_error error;
    enum sluice_status status;

    for (uint32_t i = 0;
         (status = sluice_rimt_mapping(table, node, i, &mapping, &error)) == SLUICE_OK; i++) {
        uint64_t more = mapping.count == 0 ? 0 : mapping.count - 1;

        put_offset(view, mapping.offset);
        put_ids(view->out.stream, "ID", mapping.source_base, more);
        put_ids(view->out.stream, " as ID", mapping.target_base, more);
        (void)fprintf(view->out.stream, " to the node at 0x%03x\n", mapping.reference);
    }
    if (status == SLUICE_ERR_FIRMWARE)
        acpi_text_malformed(view, &error);
}

void acpi_text_rimt(struct acpi_view *view, const struct sluice_acpi_table *table)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_rimt_node node;
    enum sluice_status status;

    while ((status = sluice_rimt_next(table, &at, &node, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status != SLUICE_OK) {
            acpi_text_malformed(view, &error);
            continue;
        }
        put_kind(view, node.offset, sluice_rimt_type_text(node.type));
        put_rimt_body(view, &node);
        put_rimt_mappings(view, table, &node);
    }
}

// ---- VIOT ----

static void put_viot_body(struct acpi_view *view, const struct sluice_viot_node *node)
{
    FILE *stream = view->out.stream;

    switch (node->type) {
    case SLUICE_VIOT_PCI_RANGE:
        (void)fprintf(stream, " %04x:", node->first_segment);
        put_rid(stream, node->first_rid);
        (void)fprintf(stream, " to %04x:", node->last_segment);
        put_rid(stream, node->last_rid);
        (void)fprintf(stream, ", endpoints from 0x%x on, at the node at 0x%03x", node->endpoint,
                      node->reference);
        break;
    case SLUICE_VIOT_MMIO_ENDPOINT:
        (void)fprintf(stream, " at 0x%llx, endpoint 0x%x, at the node at 0x%03x",
                      (unsigned long long)node->base, node->endpoint, node->reference);
        break;
    case SLUICE_VIOT_IOMMU_PCI:
        (void)fprintf(stream, ": function %04x:", node->first_segment);
        put_rid(stream, node->first_rid);
        break;
    case SLUICE_VIOT_IOMMU_MMIO:
        (void)fprintf(stream, ": registers at 0x%llx", (unsigned long long)node->base);
        break;
    default:
        (void)fprintf(stream, " type %u, %u bytes", node->type, node->bytes);
        break;
    }
    (void)fputc('\n', stream);
}

void acpi_text_viot(struct acpi_view *view, const struct sluice_acpi_table *table)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_viot_node node;
    enum sluice_status status;

    while ((status = sluice_viot_next(table, &at, &node, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status != SLUICE_OK) {
            acpi_text_malformed(view, &error);
            continue;
        }
        put_kind(view, node.offset, sluice_viot_type_text(node.type));
        put_viot_body(view, &node);
    }
}
