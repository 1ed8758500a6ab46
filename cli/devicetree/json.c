// SPDX-License-Identifier: MIT
// Trees as JSON. The form is documented by docs/devicetree.schema.json.
#include "view.h"

static json_t *hex(uint64_t value)
{
    return json_sprintf("0x%llx", (unsigned long long)value);
}

static json_t *text(const char *bytes)
{
    return bytes == NULL ? json_null() : cli_json_text(bytes, strlen(bytes));
}

static json_t *unit_path(const struct dt_input *input, unsigned int unit)
{
    return text(dt_unit_path(input, unit));
}

static void add_error(struct dt_view *view, json_t *errors,
                      const struct sluice_devicetree_error *error)
{
    view->malformed++;
    (void)json_array_append_new(errors,
                                json_pack("{s:o, s:o, s:s}", "path", text(error->path), "property",
                                          text(error->property), "message", error->what));
}

static json_t *rid_json(const struct sluice_devicetree_node *node)
{
    if (!node->on_pci)
        return json_null();
    return json_sprintf("%04x:%02x:%02x.%x", node->segment, SLUICE_RID_BUS(node->rid),
                        SLUICE_RID_DEVICE(node->rid), SLUICE_RID_FUNCTION(node->rid));
}

static json_t *interrupts_json(struct dt_view *view, struct dt_input *input,
                               const struct sluice_devicetree_cursor *cursor, json_t *errors)
{
    struct sluice_devicetree_interrupt interrupt;
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_error error;
    json_t *array = json_array();
    enum sluice_status status;

    while ((status = sluice_devicetree_interrupt_next(input->tree, cursor, &at, &interrupt,
                                                      &error)) == SLUICE_OK) {
        json_t *cells = json_array();

        for (uint32_t i = 0; i < interrupt.cells && i < SLUICE_DEVICETREE_INTERRUPT_CELLS; i++)
            (void)json_array_append_new(cells, json_integer(interrupt.cell[i]));
        (void)json_array_append_new(
            array, json_pack("{s:I, s:o, s:o, s:o}", "controller", (json_int_t)interrupt.controller,
                             "cells", cells, "number",
                             interrupt.number != 0 ? json_integer(interrupt.number) : json_null(),
                             "name", text(interrupt.name)));
    }
    if (status == SLUICE_ERR_FIRMWARE)
        add_error(view, errors, &error);
    return array;
}

static json_t *unit_json(struct dt_view *view, struct dt_input *input,
                         const struct sluice_devicetree_cursor *cursor,
                         const struct sluice_devicetree_node *node, json_t *errors)
{
    return json_pack("{s:o, s:I, s:o}", "kind",
                     node->unit_known ? text(sluice_unit_kind_text(node->unit_kind)) : json_null(),
                     "cells", (json_int_t)node->unit_cells, "interrupts",
                     interrupts_json(view, input, cursor, errors));
}

static json_t *host_json(const struct sluice_devicetree_node *node)
{
    return json_pack("{s:i, s:b, s:i, s:i}", "segment", node->segment, "segment_given",
                     node->segment_given, "first_bus", node->first_bus, "last_bus", node->last_bus);
}

static json_t *map_json(struct dt_view *view, struct dt_input *input,
                        const struct sluice_devicetree_cursor *cursor,
                        const struct sluice_devicetree_node *node, json_t *errors)
{
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_mapping entry;
    struct sluice_devicetree_error error;
    json_t *entries = json_array();
    enum sluice_status status;

    while ((status = sluice_devicetree_mapping_next(input->tree, cursor, &at, &entry, &error)) !=
           SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            (void)json_array_append_new(
                entries, json_pack("{s:I, s:I, s:I, s:o}", "first", (json_int_t)entry.first,
                                   "count", (json_int_t)entry.count, "id", (json_int_t)entry.id,
                                   "unit", unit_path(input, entry.unit)));
        else
            add_error(view, errors, &error);
    }
    return json_pack("{s:I, s:o}", "mask", (json_int_t)node->map_mask, "entries", entries);
}

static json_t *iommus_json(struct dt_view *view, struct dt_input *input,
                           const struct sluice_devicetree_cursor *cursor, json_t *errors)
{
    struct sluice_devicetree_specifier specifier;
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_error error;
    json_t *array = json_array();
    enum sluice_status status;

    while ((status = sluice_devicetree_specifier_next(input->tree, cursor, &at, &specifier,
                                                      &error)) == SLUICE_OK)
        (void)json_array_append_new(
            array, json_pack("{s:o, s:I, s:I}", "unit", unit_path(input, specifier.unit), "id",
                             (json_int_t)specifier.id, "mask", (json_int_t)specifier.mask));
    if (status == SLUICE_ERR_FIRMWARE)
        add_error(view, errors, &error);
    return array;
}

static json_t *region_json(struct dt_view *view, struct dt_input *input,
                           const struct sluice_devicetree_cursor *cursor,
                           const struct sluice_devicetree_node *node, json_t *errors)
{
    struct sluice_devicetree_reservation reservation;
    struct sluice_devicetree_position at = {0};
    struct sluice_devicetree_error error;
    json_t *addresses = json_array();
    enum sluice_status status;

    while ((status = sluice_devicetree_reservation_next(input->tree, cursor, &at, &reservation,
                                                        &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            (void)json_array_append_new(
                addresses, json_pack("{s:o, s:o, s:o, s:b}", "device", text(reservation.path),
                                     "first", hex(reservation.first), "last", hex(reservation.last),
                                     "named", reservation.memory_region));
        else
            add_error(view, errors, &error);
    }
    return json_pack("{s:o, s:o, s:o}", "first", node->has_memory ? hex(node->first) : json_null(),
                     "last", node->has_memory ? hex(node->last) : json_null(), "addresses",
                     addresses);
}

static json_t *node_json(struct dt_view *view, struct dt_input *input,
                         const struct sluice_devicetree_cursor *cursor,
                         const struct sluice_devicetree_node *node, json_t *errors)
{
    static const char *const coherence[] = {"unknown", "yes", "no"};
    json_t *object = json_pack(
        "{s:o, s:b, s:o, s:I, s:s, s:o, s:o, s:i, s:o, s:i}", "path", text(node->path), "enabled",
        node->enabled, "compatible", text(node->compatible), "phandle", (json_int_t)node->phandle,
        "coherent", coherence[node->coherence], "registers",
        node->register_bytes != 0 ? hex(node->registers) : json_null(), "register_bytes",
        node->register_bytes != 0 ? hex(node->register_bytes) : json_null(), "register_ranges",
        (int)node->register_ranges, "function", rid_json(node), "address_bits", node->address_bits);

    if ((node->roles & SLUICE_DEVICETREE_UNIT) != 0)
        (void)json_object_set_new(object, "unit", unit_json(view, input, cursor, node, errors));
    if ((node->roles & SLUICE_DEVICETREE_PCI_HOST) != 0)
        (void)json_object_set_new(object, "host", host_json(node));
    if ((node->roles & SLUICE_DEVICETREE_MAP) != 0)
        (void)json_object_set_new(object, "map", map_json(view, input, cursor, node, errors));
    if ((node->roles & SLUICE_DEVICETREE_DEVICE) != 0)
        (void)json_object_set_new(object, "iommus", iommus_json(view, input, cursor, errors));
    if ((node->roles & SLUICE_DEVICETREE_REGION) != 0)
        (void)json_object_set_new(object, "reserved",
                                  region_json(view, input, cursor, node, errors));
    return object;
}

struct findings {
    struct dt_view *view;
    json_t *array;
};

static void collect(void *arg, const struct sluice_devicetree_finding *finding)
{
    struct findings *findings = arg;

    findings->view->findings[finding->severity]++;
    (void)json_array_append_new(
        findings->array, json_pack("{s:s, s:s, s:o, s:o, s:o, s:s}", "rule", finding->rule,
                                   "severity", sluice_lint_severity_text(finding->severity), "path",
                                   text(finding->path), "property", text(finding->property),
                                   "message", text(finding->message), "advice", finding->advice));
}

json_t *dt_json(struct dt_view *view, struct dt_input *input)
{
    struct sluice_devicetree_cursor at = {0};
    struct sluice_devicetree_node node;
    struct sluice_devicetree_error error;
    json_t *errors = json_array();
    json_t *nodes = json_array();
    enum sluice_status status;
    const char *model;
    size_t bytes = 0;
    json_t *object;

    while ((status = sluice_devicetree_next(input->tree, &at, &node, &error)) !=
           SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            (void)json_array_append_new(nodes, node_json(view, input, &at, &node, errors));
        else
            add_error(view, errors, &error);
    }
    model = dt_root_text(input, "model", &bytes);
    object = json_pack("{s:o, s:I, s:I, s:i, s:o, s:o, s:o}", "file", text(input->name),
                       "file_length", (json_int_t)input->size_bytes, "length",
                       (json_int_t)input->tree->bytes, "version", (int)input->tree->version,
                       "model", model != NULL ? cli_json_text(model, bytes) : json_null(), "nodes",
                       nodes, "errors", errors);
    if (view->lint && object != NULL) {
        struct findings findings = {view, json_array()};

        sluice_devicetree_lint(input->tree, collect, &findings);
        (void)json_object_set_new(object, "findings", findings.array);
    }
    return object;
}
