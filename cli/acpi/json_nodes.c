// SPDX-License-Identifier: MIT
// IORT, RIMT and VIOT as JSON.
#include "tables.h"

#include <sluice/iort.h>

static void set_int(json_t *object, const char *key, json_int_t value)
{
    (void)json_object_set_new(object, key, json_integer(value));
}

static void set_hex(json_t *object, const char *key, uint64_t value)
{
    (void)json_object_set_new(object, key, acpi_json_hex(value));
}

static json_t *node_json(unsigned int type, const char *name, uint32_t offset, uint32_t bytes)
{
    return json_pack("{s:i, s:s, s:I, s:I}", "type", (int)type, "name", name, "offset",
                     (json_int_t)offset, "length", (json_int_t)bytes);
}

// ---- IORT ----

static json_t *iort_mappings(struct acpi_view *view, const struct sluice_acpi_table *table,
                             const struct sluice_iort_node *node, json_t *errors)
{
    json_t *mappings = json_array();
    struct sluice_iort_mapping mapping;
    struct sluice_acpi_error error;
    enum sluice_status status;

    for (uint32_t i = 0;
         (status = sluice_iort_mapping(table, node, i, &mapping, &error)) == SLUICE_OK; i++)
        (void)json_array_append_new(
            mappings,
            json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "offset", (json_int_t)mapping.offset,
                      "input_base", (json_int_t)mapping.input_base, "count_minus_one",
                      (json_int_t)mapping.count, "output_base", (json_int_t)mapping.output_base,
                      "reference", (json_int_t)mapping.reference, "flags",
                      (json_int_t)mapping.flags));
    if (status == SLUICE_ERR_FIRMWARE)
        acpi_json_error(view, errors, &error);
    return mappings;
}

static void iort_items(struct acpi_view *view, const struct sluice_acpi_table *table,
                       const struct sluice_iort_node *node, json_t *object, json_t *errors)
{
    json_t *items = json_array();
    enum sluice_status status = SLUICE_OK;
    struct sluice_iort_region region;
    struct sluice_acpi_error error;
    uint32_t identifier;

    for (uint32_t i = 0; status == SLUICE_OK; i++) {
        if (node->type == SLUICE_IORT_ITS_GROUP) {
            status = sluice_iort_its(table, node, i, &identifier, &error);
            if (status == SLUICE_OK)
                (void)json_array_append_new(items, json_integer(identifier));
            continue;
        }
        status = sluice_iort_region(table, node, i, &region, &error);
        if (status == SLUICE_OK)
            (void)json_array_append_new(items, json_pack("{s:I, s:o, s:o}", "offset",
                                                         (json_int_t)region.offset, "base",
                                                         acpi_json_hex(region.base), "bytes",
                                                         acpi_json_hex(region.length)));
    }
    if (status == SLUICE_ERR_FIRMWARE)
        acpi_json_error(view, errors, &error);
    (void)json_object_set_new(
        object, node->type == SLUICE_IORT_ITS_GROUP ? "identifiers" : "regions", items);
}

static void iort_smmu_fields(json_t *object, const struct sluice_iort_node *node)
{
    set_hex(object, "base", node->base);
    set_hex(object, "flags", node->flags);
    set_int(object, "model", node->model);
    if (node->type == SLUICE_IORT_SMMU) {
        set_hex(object, "span", node->span);
        set_int(object, "context_interrupts", node->item_count);
        return;
    }
    set_hex(object, "vatos", node->second_base);
    set_int(object, "event_interrupt", node->interrupts[0]);
    set_int(object, "pri_interrupt", node->interrupts[1]);
    set_int(object, "error_interrupt", node->interrupts[2]);
    set_int(object, "sync_interrupt", node->interrupts[3]);
    set_int(object, "proximity", node->proximity);
    set_int(object, "device_id_mapping", node->device_id_mapping);
}

static void iort_device_fields(json_t *object, const struct sluice_iort_node *node)
{
    set_hex(object, "flags", node->flags);
    set_hex(object, "memory_access", node->memory_access);
    set_int(object, "address_bits", node->address_bits);
    if (node->type == SLUICE_IORT_NAMED_COMPONENT) {
        (void)json_object_set_new(object, "object", cli_json_text(node->name, node->name_bytes));
        return;
    }
    set_int(object, "segment", node->segment);
    set_int(object, "ats", node->ats);
    set_int(object, "pasid", node->pasid);
}

static json_t *iort_node(struct acpi_view *view, const struct sluice_acpi_table *table,
                         const struct sluice_iort_node *node, json_t *errors)
{
    json_t *object =
        node_json(node->type, sluice_iort_type_text(node->type), node->offset, node->bytes);

    set_int(object, "revision", node->revision);
    set_int(object, "identifier", node->identifier);
    switch (node->type) {
    case SLUICE_IORT_ITS_GROUP:
        iort_items(view, table, node, object, errors);
        break;
    case SLUICE_IORT_NAMED_COMPONENT:
    case SLUICE_IORT_ROOT_COMPLEX:
        iort_device_fields(object, node);
        break;
    case SLUICE_IORT_SMMU:
    case SLUICE_IORT_SMMU_V3:
        iort_smmu_fields(object, node);
        break;
    case SLUICE_IORT_PMCG:
        set_hex(object, "base", node->base);
        set_hex(object, "second_base", node->second_base);
        set_int(object, "overflow_interrupt", node->interrupts[0]);
        set_int(object, "reference", node->reference);
        break;
    case SLUICE_IORT_RMR:
        set_hex(object, "flags", node->flags);
        iort_items(view, table, node, object, errors);
        break;
    default:
        break;
    }
    (void)json_object_set_new(object, "mappings", iort_mappings(view, table, node, errors));
    return object;
}

json_t *acpi_json_iort(struct acpi_view *view, const struct sluice_acpi_table *table,
                       json_t *errors)
{
    json_t *nodes = json_array();
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_iort_node node;
    enum sluice_status status;

    while ((status = sluice_iort_next(table, &at, &node, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            (void)json_array_append_new(nodes, iort_node(view, table, &node, errors));
        else
            acpi_json_error(view, errors, &error);
    }
    return json_pack("{s:o}", "nodes", nodes);
}

// ---- RIMT ----

static json_t *rimt_mappings(struct acpi_view *view, const struct sluice_acpi_table *table,
                             const struct sluice_rimt_node *node, json_t *errors)
{
    json_t *mappings = json_array();
    struct sluice_rimt_mapping mapping;
    struct sluice_acpi_error error;
    enum sluice_status status;

    for (uint32_t i = 0;
         (status = sluice_rimt_mapping(table, node, i, &mapping, &error)) == SLUICE_OK; i++)
        (void)json_array_append_new(
            mappings, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "offset",
                                (json_int_t)mapping.offset, "source_base",
                                (json_int_t)mapping.source_base, "count", (json_int_t)mapping.count,
                                "target_base", (json_int_t)mapping.target_base, "reference",
                                (json_int_t)mapping.reference, "flags", (json_int_t)mapping.flags));
    if (status == SLUICE_ERR_FIRMWARE)
        acpi_json_error(view, errors, &error);
    return mappings;
}

static json_t *rimt_wires(struct acpi_view *view, const struct sluice_acpi_table *table,
                          const struct sluice_rimt_node *node, json_t *errors)
{
    json_t *wires = json_array();
    struct sluice_acpi_error error;
    struct sluice_rimt_wire wire;
    enum sluice_status status;

    for (uint32_t i = 0; (status = sluice_rimt_wire(table, node, i, &wire, &error)) == SLUICE_OK;
         i++)
        (void)json_array_append_new(wires,
                                    json_pack("{s:I, s:I}", "interrupt", (json_int_t)wire.interrupt,
                                              "flags", (json_int_t)wire.flags));
    if (status == SLUICE_ERR_FIRMWARE)
        acpi_json_error(view, errors, &error);
    return wires;
}

static json_t *rimt_node(struct acpi_view *view, const struct sluice_acpi_table *table,
                         const struct sluice_rimt_node *node, json_t *errors)
{
    json_t *object =
        node_json(node->type, sluice_rimt_type_text(node->type), node->offset, node->bytes);

    set_int(object, "revision", node->revision);
    set_int(object, "id", node->id);
    if (node->type == SLUICE_RIMT_IOMMU) {
        (void)json_object_set_new(object, "hardware_id", acpi_json_bytes(node->hardware_id, 8));
        set_hex(object, "base", node->base);
        set_hex(object, "flags", node->flags);
        set_int(object, "proximity", node->proximity);
        set_int(object, "segment", node->segment);
        (void)json_object_set_new(object, "device", acpi_json_rid(node->rid));
        (void)json_object_set_new(object, "wires", rimt_wires(view, table, node, errors));
        return object;
    }
    if (node->type == SLUICE_RIMT_ROOT_COMPLEX) {
        set_hex(object, "flags", node->flags);
        set_int(object, "segment", node->segment);
    } else if (node->type == SLUICE_RIMT_PLATFORM_DEVICE) {
        (void)json_object_set_new(object, "object", cli_json_text(node->name, node->name_bytes));
    } else {
        return object;
    }
    (void)json_object_set_new(object, "mappings", rimt_mappings(view, table, node, errors));
    return object;
}

json_t *acpi_json_rimt(struct acpi_view *view, const struct sluice_acpi_table *table,
                       json_t *errors)
{
    json_t *nodes = json_array();
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_rimt_node node;
    enum sluice_status status;

    while ((status = sluice_rimt_next(table, &at, &node, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            (void)json_array_append_new(nodes, rimt_node(view, table, &node, errors));
        else
            acpi_json_error(view, errors, &error);
    }
    return json_pack("{s:o}", "nodes", nodes);
}

// ---- VIOT ----

static json_t *viot_node(const struct sluice_viot_node *node)
{
    json_t *object =
        node_json(node->type, sluice_viot_type_text(node->type), node->offset, node->bytes);

    switch (node->type) {
    case SLUICE_VIOT_PCI_RANGE:
        set_int(object, "endpoint", node->endpoint);
        set_int(object, "first_segment", node->first_segment);
        set_int(object, "last_segment", node->last_segment);
        (void)json_object_set_new(object, "first_device", acpi_json_rid(node->first_rid));
        (void)json_object_set_new(object, "last_device", acpi_json_rid(node->last_rid));
        set_int(object, "reference", node->reference);
        break;
    case SLUICE_VIOT_MMIO_ENDPOINT:
        set_int(object, "endpoint", node->endpoint);
        set_hex(object, "base", node->base);
        set_int(object, "reference", node->reference);
        break;
    case SLUICE_VIOT_IOMMU_PCI:
        set_int(object, "segment", node->first_segment);
        (void)json_object_set_new(object, "device", acpi_json_rid(node->first_rid));
        break;
    case SLUICE_VIOT_IOMMU_MMIO:
        set_hex(object, "base", node->base);
        break;
    default:
        break;
    }
    return object;
}

json_t *acpi_json_viot(struct acpi_view *view, const struct sluice_acpi_table *table,
                       json_t *errors)
{
    json_t *nodes = json_array();
    struct sluice_acpi_cursor at = {0};
    struct sluice_acpi_error error;
    struct sluice_viot_node node;
    enum sluice_status status;

    while ((status = sluice_viot_next(table, &at, &node, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            (void)json_array_append_new(nodes, viot_node(&node));
        else
            acpi_json_error(view, errors, &error);
    }
    return json_pack("{s:o}", "nodes", nodes);
}
