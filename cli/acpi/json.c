// SPDX-License-Identifier: MIT
// Tables as JSON: header, DMAR, MCFG, findings. The form is documented by docs/acpi.schema.json.
#include "tables.h"

json_t *acpi_json_hex(uint64_t value)
{
    return json_sprintf("0x%llx", (unsigned long long)value);
}

json_t *acpi_json_bytes(const char *text, size_t most_bytes)
{
    char utf8[2 * 64 + 1];
    size_t at = 0;

    for (size_t i = 0; i < most_bytes && i < 64 && text[i] != '\0'; i++) {
        uint8_t byte = (uint8_t)text[i];

        if (byte >= 0x80)
            utf8[at++] = (char)(0xc0 | byte >> 6);
        utf8[at++] = (char)(byte >= 0x80 ? 0x80 | (byte & 0x3f) : byte);
    }
    return json_stringn(utf8, at);
}

json_t *acpi_json_rid(uint16_t rid)
{
    return json_sprintf("%02x:%02x.%x", SLUICE_RID_BUS(rid), SLUICE_RID_DEVICE(rid),
                        SLUICE_RID_FUNCTION(rid));
}

void acpi_json_error(struct acpi_view *view, json_t *errors, const struct sluice_acpi_error *error)
{
    view->malformed++;
    (void)json_array_append_new(errors, json_pack("{s:I, s:s}", "offset", (json_int_t)error->offset,
                                                  "message", error->what));
}

static const char *scope_kind(uint8_t type)
{
    static const char *const kinds[] = {
        [SLUICE_DMAR_SCOPE_ENDPOINT] = "endpoint", [SLUICE_DMAR_SCOPE_BRIDGE] = "bridge",
        [SLUICE_DMAR_SCOPE_IOAPIC] = "ioapic",     [SLUICE_DMAR_SCOPE_HPET] = "hpet",
        [SLUICE_DMAR_SCOPE_ACPI] = "acpi",
    };

    return type >= 1 && type < sizeof(kinds) / sizeof(kinds[0]) ? kinds[type] : "unknown";
}

static json_t *scope_json(const struct sluice_dmar_scope *scope)
{
    json_t *path = json_array();

    for (unsigned int i = 0; i < scope->path_length; i++)
        (void)json_array_append_new(path, json_sprintf("%02x.%x", scope->path[(size_t)2 * i],
                                                       scope->path[(size_t)2 * i + 1]));
    return json_pack("{s:i, s:s, s:I, s:I, s:i, s:i, s:i, s:i, s:o}", "type", scope->type, "kind",
                     scope_kind(scope->type), "offset", (json_int_t)scope->offset, "length",
                     (json_int_t)scope->bytes, "flags", scope->flags, "reserved", scope->reserved,
                     "enumeration_id", scope->enumeration_id, "start_bus", scope->start_bus, "path",
                     path);
}

static json_t *scopes_json(struct acpi_view *view, const struct sluice_acpi_table *table,
                           const struct sluice_dmar_structure *structure, json_t *errors)
{
    json_t *scopes = json_array();
    struct sluice_acpi_cursor at = {0};
    struct sluice_dmar_scope scope;
    struct sluice_acpi_error error;
    enum sluice_status status;

    while ((status = sluice_dmar_scope_next(table, structure, &at, &scope, &error)) !=
           SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            (void)json_array_append_new(scopes, scope_json(&scope));
        else
            acpi_json_error(view, errors, &error);
    }
    return scopes;
}

static void set_int(json_t *object, const char *key, json_int_t value)
{
    (void)json_object_set_new(object, key, json_integer(value));
}

// The fields that a type has, and no others.
static void structure_fields(json_t *object, const struct sluice_dmar_structure *item)
{
    switch (item->type) {
    case SLUICE_DMAR_DRHD:
        set_int(object, "flags", item->flags);
        set_int(object, "size", item->size);
        set_int(object, "segment", item->segment);
        (void)json_object_set_new(object, "base", acpi_json_hex(item->base));
        return;
    case SLUICE_DMAR_RMRR:
        set_int(object, "segment", item->segment);
        (void)json_object_set_new(object, "base", acpi_json_hex(item->base));
        (void)json_object_set_new(object, "last", acpi_json_hex(item->last));
        break;
    case SLUICE_DMAR_ATSR:
    case SLUICE_DMAR_SATC:
        set_int(object, "flags", item->flags);
        set_int(object, "segment", item->segment);
        break;
    case SLUICE_DMAR_RHSA:
        (void)json_object_set_new(object, "base", acpi_json_hex(item->base));
        set_int(object, "proximity", item->proximity);
        break;
    case SLUICE_DMAR_ANDD:
        set_int(object, "device", item->device_number);
        (void)json_object_set_new(object, "object", cli_json_text(item->name, item->name_bytes));
        break;
    case SLUICE_DMAR_SIDP:
        set_int(object, "segment", item->segment);
        break;
    default:
        return;
    }
    set_int(object, "reserved", item->reserved);
}

static json_t *structure_json(struct acpi_view *view, const struct sluice_acpi_table *table,
                              const struct sluice_dmar_structure *item, json_t *errors)
{
    json_t *object = json_pack("{s:i, s:s, s:I, s:I}", "type", item->type, "name",
                               sluice_dmar_type_text(item->type), "offset",
                               (json_int_t)item->offset, "length", (json_int_t)item->bytes);

    structure_fields(object, item);
    if (item->scopes != 0)
        (void)json_object_set_new(object, "scopes", scopes_json(view, table, item, errors));
    return object;
}

static json_t *dmar_json(struct acpi_view *view, const struct sluice_acpi_table *table,
                         json_t *errors)
{
    json_t *structures = json_array();
    struct sluice_dmar_structure item;
    struct sluice_acpi_cursor at = {0};
    struct sluice_dmar_header header;
    struct sluice_acpi_error error;
    enum sluice_status status = sluice_dmar_header(table, &header, &error);

    if (status != SLUICE_OK) {
        acpi_json_error(view, errors, &error);
        return structures;
    }
    while ((status = sluice_dmar_next(table, &at, &item, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            (void)json_array_append_new(structures, structure_json(view, table, &item, errors));
        else
            acpi_json_error(view, errors, &error);
    }
    return json_pack("{s:i, s:i, s:b, s:o}", "host_address_width", header.host_address_width,
                     "flags", header.flags, "reserved_zero", header.reserved_clear, "structures",
                     structures);
}

static json_t *mcfg_json(struct acpi_view *view, const struct sluice_acpi_table *table,
                         json_t *errors)
{
    json_t *entries = json_array();
    struct sluice_acpi_cursor at = {0};
    struct sluice_mcfg_entry entry;
    struct sluice_acpi_error error;
    enum sluice_status status;

    while ((status = sluice_mcfg_next(table, &at, &entry, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            (void)json_array_append_new(
                entries, json_pack("{s:I, s:o, s:i, s:i, s:i}", "offset", (json_int_t)entry.offset,
                                   "base", acpi_json_hex(entry.base), "segment", entry.segment,
                                   "first_bus", entry.first_bus, "last_bus", entry.last_bus));
        else
            acpi_json_error(view, errors, &error);
    }
    return json_pack("{s:o}", "entries", entries);
}

struct findings {
    struct acpi_view *view;
    json_t *array;
};

static void collect(void *arg, const struct sluice_lint_finding *finding)
{
    struct findings *findings = arg;

    findings->view->findings[finding->severity]++;
    (void)json_array_append_new(findings->array,
                                json_pack("{s:s, s:s, s:I, s:s, s:s}", "rule", finding->rule,
                                          "severity", sluice_lint_severity_text(finding->severity),
                                          "offset", (json_int_t)finding->offset, "message",
                                          finding->message, "advice", finding->advice));
}

static json_t *header_json(const struct acpi_input *input, const struct sluice_acpi_table *table)
{
    return json_pack("{s:o, s:o, s:I, s:I, s:i, s:i, s:b, s:o, s:o, s:I, s:o, s:o}", "file",
                     cli_json_text(input->name, strlen(input->name)), "signature",
                     acpi_json_bytes(table->signature, 4), "file_length",
                     (json_int_t)input->size_bytes, "length", (json_int_t)table->bytes, "revision",
                     table->revision, "checksum", table->checksum, "checksum_right",
                     table->checksum_sum == 0, "oem_id", acpi_json_bytes(table->oem_id, 6),
                     "oem_table_id", acpi_json_bytes(table->oem_table_id, 8), "oem_revision",
                     (json_int_t)table->oem_revision, "creator_id",
                     acpi_json_bytes(table->creator_id, 4), "creator_revision",
                     acpi_json_hex(table->creator_revision));
}

static const struct {
    const char *signature;
    json_t *(*json)(struct acpi_view *view, const struct sluice_acpi_table *table, json_t *errors);
} bodies[] = {
    {"DMAR", dmar_json},      {"IVRS", acpi_json_ivrs}, {"MCFG", mcfg_json},
    {"IORT", acpi_json_iort}, {"RIMT", acpi_json_rimt}, {"VIOT", acpi_json_viot},
};

json_t *acpi_json(struct acpi_view *view, const struct acpi_input *input,
                  const struct sluice_acpi_table *table)
{
    json_t *object = header_json(input, table);
    json_t *errors = json_array();
    json_t *body = NULL;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]) && body == NULL; i++) {
        if (strcmp(table->signature, bodies[i].signature) == 0)
            body = bodies[i].json(view, table, errors);
    }
    if (body != NULL && json_is_object(body))
        (void)json_object_update(object, body);
    json_decref(body);
    (void)json_object_set_new(object, "errors", errors);
    if (view->lint) {
        struct findings findings = {view, json_array()};

        sluice_lint(table, collect, &findings);
        (void)json_object_set_new(object, "findings", findings.array);
    }
    return object;
}
