// SPDX-License-Identifier: MIT
// The report for programs (see report.h); docs/explain.schema.json describes it.
#include "report.h"

#include "decode.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    SCHEMA_VERSION = 1
};

static json_t *text(const char *value)
{
    return cli_json_text(value, strlen(value));
}

static json_t *optional_text(const char *value)
{
    return value == NULL || value[0] == '\0' ? json_null() : text(value);
}

// Addresses exceed what a JSON number holds exactly, so they are strings.
static json_t *hex(uint64_t value)
{
    char buffer[24];

    (void)snprintf(buffer, sizeof(buffer), "0x%" PRIx64, value);
    return json_string(buffer);
}

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)(value > INT64_MAX ? INT64_MAX : value));
}

static json_t *list(const char *const *items, unsigned int count)
{
    json_t *array = json_array();

    for (unsigned int i = 0; i < count; i++)
        (void)json_array_append_new(array, text(items[i]));
    return array;
}

static json_t *moment(const struct moment *when)
{
    if (when->text[0] == '\0')
        return json_null();
    return json_pack("{s:o, s:o}", "text", text(when->text), "seconds_since_boot",
                     when->valid && when->monotonic ? json_real(when->seconds) : json_null());
}

static json_t *device(const struct report *report, const struct problem *problem)
{
    char name[160] = "";

    if (problem->has_bdf &&
        !pci_names_find(report->names, &report->engine->context, problem->bdf, name, sizeof(name)))
        name[0] = '\0';
    return json_pack("{s:o, s:o, s:o}", "id", optional_text(problem->device), "name",
                     optional_text(name), "reported_by", optional_text(problem->unit));
}

static json_t *addresses(const struct report *report, const struct problem *problem)
{
    const struct address_stats *stats = &problem->addresses;
    struct reading readings[READINGS_MOST];
    unsigned int count = pattern_read(&report->engine->context, problem, readings);
    json_t *samples = json_array();
    json_t *patterns = json_array();

    for (unsigned int i = 0; i < stats->sample_count; i++)
        (void)json_array_append_new(samples, hex(stats->samples[i]));
    for (unsigned int i = 0; i < count; i++)
        (void)json_array_append_new(patterns, json_pack("{s:s, s:o}", "name", readings[i].name,
                                                        "text", text(readings[i].text)));
    if (stats->count == 0) {
        json_decref(samples);
        json_decref(patterns);
        return json_null();
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "count", number(stats->count), "first",
                     hex(stats->first), "lowest", hex(stats->least), "highest", hex(stats->most),
                     "samples", samples, "patterns", patterns);
}

static const struct {
    const char *name;
    enum field field;
} shown[] = {
    {"reason", FIELD_REASON},     {"index", FIELD_INDEX}, {"pasid", FIELD_PASID},
    {"domain", FIELD_DOMAIN},     {"type", FIELD_TYPE},   {"stream_id", FIELD_SID},
    {"substream_id", FIELD_SSID}, {"fsr", FIELD_FSR},     {"fsynr", FIELD_FSYNR},
    {"start", FIELD_START},       {"last", FIELD_LAST},   {"number", FIELD_COUNT_DECIMAL},
};

static json_t *values(const struct problem *problem)
{
    static const char *const access[] = {NULL, "read", "write", "execute"};
    json_t *object = json_object();

    if (problem->access != ACCESS_UNKNOWN)
        (void)json_object_set_new(object, "access", json_string(access[problem->access]));
    if (problem->name[0] != '\0')
        (void)json_object_set_new(object, "name", text(problem->name));
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        if (field_has(&problem->fields, shown[i].field))
            (void)json_object_set_new(object, shown[i].name,
                                      hex(problem->fields.number[shown[i].field]));
    if (field_has(&problem->fields, FIELD_FLAGS)) {
        (void)json_object_set_new(object, "flags_any", hex(problem->flags_any));
        (void)json_object_set_new(object, "flags_all", hex(problem->flags_all));
    }
    return object;
}

static json_t *during(const struct problem *problem)
{
    const struct circumstances *c = &problem->during;

    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "boot", number(c->boot), "reset",
                     number(c->reset), "resume", number(c->resume), "crash_kernel",
                     number(c->kdump), "unbind", number(c->unbind));
}

static json_t *entry(const struct report *report, const struct problem *problem)
{
    struct reading readings[READINGS_MOST];
    struct advice advice;
    char said[1024];
    json_t *object = json_object();

    knowledge_advise(report->knowledge, problem, readings,
                     pattern_read(&report->engine->context, problem, readings), &advice);
    decode_problem(problem, said, sizeof(said));
    (void)json_object_set_new(object, "kind", json_string(problem->kind));
    (void)json_object_set_new(object, "title", text(advice.title));
    (void)json_object_set_new(object, "verdict", text(advice.verdict));
    (void)json_object_set_new(object, "device", device(report, problem));
    (void)json_object_set_new(object, "count", number(problem->count));
    (void)json_object_set_new(object, "left_out", number(problem->suppressed));
    (void)json_object_set_new(object, "first", moment(&problem->first));
    (void)json_object_set_new(object, "last", moment(&problem->last));
    (void)json_object_set_new(object, "rate_per_second",
                              report_rate(problem) > 0 ? json_real(report_rate(problem))
                                                       : json_null());
    (void)json_object_set_new(object, "values", values(problem));
    (void)json_object_set_new(object, "hardware_said", optional_text(said));
    (void)json_object_set_new(object, "addresses", addresses(report, problem));
    (void)json_object_set_new(object, "during", during(problem));
    (void)json_object_set_new(object, "evidence", optional_text(problem->evidence));
    (void)json_object_set_new(object, "example", text(problem->example));
    (void)json_object_set_new(object, "meaning", optional_text(advice.says));
    (void)json_object_set_new(object, "causes", list(advice.causes, advice.cause_count));
    (void)json_object_set_new(object, "how_to_tell", list(advice.tells, advice.tell_count));
    (void)json_object_set_new(object, "actions", list(advice.actions, advice.action_count));
    return object;
}

// Messages a format, under its name; formats that share a name are one.
static json_t *messages(const struct engine *engine)
{
    json_t *object = json_object();

    for (unsigned int i = 0; i < engine->format_count; i++) {
        const struct format *format = engine->formats[i];
        uint64_t count = engine_matches(engine, format->id);

        if (count > 0 && format->role != ROLE_CONTEXT &&
            json_object_get(object, format->id) == NULL)
            (void)json_object_set_new(object, format->id, number(count));
    }
    return object;
}

static json_t *boot(const struct report *report)
{
    const struct engine *engine = report->engine;
    json_t *object = json_object();

    for (unsigned int i = 0; i < engine->format_count; i++) {
        const struct format *format = engine->formats[i];
        const char *title;

        if (format->role != ROLE_BOOT || format->kind == NULL || engine->matches[i] == 0)
            continue;
        title = knowledge_title(report->knowledge, format->kind);
        (void)json_object_set_new(object, format->kind, title == NULL ? json_null() : text(title));
    }
    return object;
}

bool report_json(const struct report *report, FILE *stream)
{
    const struct engine *engine = report->engine;
    uint16_t *order = calloc(PROBLEMS_MOST, sizeof(*order));
    json_t *root = json_object();
    json_t *problems = json_array();

    if (order == NULL || root == NULL || problems == NULL) {
        free(order);
        json_decref(root);
        json_decref(problems);
        return false;
    }
    report_order(report, order);
    for (unsigned int i = 0; i < engine->problems.count; i++)
        (void)json_array_append_new(problems, entry(report, &engine->problems.entries[order[i]]));
    free(order);
    (void)json_object_set_new(root, "schema", json_integer(SCHEMA_VERSION));
    (void)json_object_set_new(root, "program", json_string("sluice " SLUICE_VERSION));
    (void)json_object_set_new(root, "source", text(report->source));
    (void)json_object_set_new(root, "kernel", optional_text(engine->context.kernel));
    (void)json_object_set_new(root, "bytes", number(engine->bytes));
    (void)json_object_set_new(root, "messages", messages(engine));
    (void)json_object_set_new(root, "boot", boot(report));
    (void)json_object_set_new(root, "problems", problems);
    (void)json_object_set_new(root, "problems_not_kept", number(engine->problems.overflow));
    (void)json_object_set_new(root, "fault_records_lost",
                              json_boolean((engine->fault_status & 1) != 0));
    return cli_put_json(stream, root);
}
