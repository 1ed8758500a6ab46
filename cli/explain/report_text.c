// SPDX-License-Identifier: MIT
// The report for people, and what both reports share (see report.h).
#include "report.h"

#include "decode.h"

#include <stdlib.h>

static const struct {
    const char *name;
    const char *label;
    enum cli_style style;
    unsigned int weight; // of an entry in the order of the report
} verdicts[] = {
    {"attack", "possible attack", CLI_RED, 0}, {"driver-bug", "driver bug", CLI_RED, 1},
    {"hardware", "hardware", CLI_RED, 2},      {"firmware", "firmware bug", CLI_YELLOW, 3},
    {"setup", "configuration", CLI_YELLOW, 4}, {"unclear", "cause unclear", CLI_YELLOW, 5},
    {"info", "for information", CLI_CYAN, 6},  {"noise", "expected, harmless", CLI_GREEN, 7},
};

static unsigned int verdict_index(const char *name)
{
    for (unsigned int i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
        if (strcmp(verdicts[i].name, name) == 0)
            return i;
    return 5;
}

double report_rate(const struct problem *problem)
{
    double span_s = problem->last.seconds - problem->first.seconds;

    if (!problem->first.valid || !problem->last.valid || problem->count < 2 ||
        problem->first.monotonic != problem->last.monotonic || span_s <= 0)
        return 0;
    return (double)(problem->count + problem->suppressed - 1) / span_s;
}

void report_frequency(const struct problem *problem, char *out_text, size_t size_bytes)
{
    double rate = report_rate(problem);
    int used;

    if (problem->count == 1)
        used = snprintf(out_text, size_bytes, "Once%s%s",
                        problem->first.text[0] != '\0' ? " at " : "", problem->first.text);
    else if (problem->first.text[0] == '\0')
        used = snprintf(out_text, size_bytes, "%llu times", (unsigned long long)problem->count);
    else
        used =
            snprintf(out_text, size_bytes, "%llu times, from %s to %s",
                     (unsigned long long)problem->count, problem->first.text, problem->last.text);
    if (rate > 0 && (size_t)used < size_bytes)
        used += snprintf(out_text + used, size_bytes - (size_t)used, ", %.3g a second", rate);
    if (problem->suppressed > 0 && (size_t)used < size_bytes)
        (void)snprintf(out_text + used, size_bytes - (size_t)used,
                       "; %llu more that the log leaves out",
                       (unsigned long long)problem->suppressed);
}

static void advise(const struct report *report, const struct problem *problem,
                   struct reading *readings, unsigned int *out_count, struct advice *out_advice)
{
    *out_count = pattern_read(&report->engine->context, problem, readings);
    knowledge_advise(report->knowledge, problem, readings, *out_count, out_advice);
}

struct sort_entry {
    unsigned int weight;
    uint64_t count;
    uint16_t index;
};

static int compare(const void *a, const void *b)
{
    const struct sort_entry *left = a;
    const struct sort_entry *right = b;

    if (left->weight != right->weight)
        return left->weight < right->weight ? -1 : 1;
    if (left->count != right->count)
        return left->count > right->count ? -1 : 1;
    return left->index < right->index ? -1 : 1;
}

void report_order(const struct report *report, uint16_t *out_order)
{
    const struct problems *problems = &report->engine->problems;
    struct sort_entry *entries = calloc(problems->count + 1, sizeof(*entries));

    for (unsigned int i = 0; i < problems->count; i++) {
        struct reading readings[READINGS_MOST];
        struct advice advice;
        unsigned int count;

        out_order[i] = (uint16_t)i;
        if (entries == NULL) // the table's own order does as well
            continue;
        advise(report, &problems->entries[i], readings, &count, &advice);
        entries[i].weight = verdicts[verdict_index(advice.verdict)].weight;
        entries[i].count = problems->entries[i].count;
        entries[i].index = (uint16_t)i;
    }
    if (entries == NULL)
        return;
    qsort(entries, problems->count, sizeof(*entries), compare);
    for (unsigned int i = 0; i < problems->count; i++)
        out_order[i] = entries[i].index;
    free(entries);
}

static void put_head(const struct report *report, const struct cli_out *out,
                     const struct problem *problem, const struct advice *advice,
                     unsigned int number)
{
    unsigned int verdict = verdict_index(advice->verdict);
    const char *device = problem->device[0] != '\0' ? problem->device : problem->unit;
    char name[160];

    (void)fprintf(out->stream, "\n%s%u. ", cli_style(out, CLI_BOLD), number);
    cli_put_escaped(out->stream, advice->title, strlen(advice->title));
    (void)fprintf(out->stream, "%s  %s[%s]%s\n", cli_style(out, CLI_PLAIN),
                  cli_style(out, verdicts[verdict].style), verdicts[verdict].label,
                  cli_style(out, CLI_PLAIN));
    if (device[0] == '\0')
        return;
    (void)fprintf(out->stream, "   Device:    ");
    cli_put_escaped(out->stream, device, strlen(device));
    if (problem->has_bdf &&
        pci_names_find(report->names, &report->engine->context, problem->bdf, name, sizeof(name)))
        (void)fprintf(out->stream, " %s", name);
    if (problem->unit[0] != '\0' && strcmp(problem->unit, device) != 0) {
        (void)fputs(" (reported by ", out->stream);
        cli_put_escaped(out->stream, problem->unit, strlen(problem->unit));
        (void)fputc(')', out->stream);
    }
    (void)fputc('\n', out->stream);
}

static void put_list(const struct cli_out *out, const char *heading, const char *const *list,
                     unsigned int count)
{
    if (count == 0)
        return;
    (void)fprintf(out->stream, "   %s%s%s\n", cli_style(out, CLI_BOLD), heading,
                  cli_style(out, CLI_PLAIN));
    for (unsigned int i = 0; i < count; i++)
        cli_put_wrapped(out, "     - ", list[i]);
}

void report_entry(const struct report *report, const struct cli_out *out,
                  const struct problem *problem, unsigned int number)
{
    struct reading readings[READINGS_MOST];
    struct advice advice;
    unsigned int count;
    char text[1024];

    advise(report, problem, readings, &count, &advice);
    put_head(report, out, problem, &advice, number);
    report_frequency(problem, text, sizeof(text));
    cli_put_wrapped(out, "   Seen:      ", text);
    decode_problem(problem, text, sizeof(text));
    if (text[0] != '\0')
        cli_put_wrapped(out, "   Hardware:  ", text);
    for (unsigned int i = 0; i < count; i++)
        cli_put_wrapped(out, i == 0 ? "   Addresses: " : "              ", readings[i].text);
    if (problem->evidence[0] != '\0')
        cli_put_wrapped(out, "   Evidence:  ", problem->evidence);
    cli_put_wrapped(out, "   Log line:  ", problem->example);
    if (report->brief)
        return;
    if (advice.says != NULL)
        cli_put_wrapped(out, "   Meaning:   ", advice.says);
    put_list(out, "Usual causes, the likeliest first", advice.causes, advice.cause_count);
    put_list(out, "How to tell which", advice.tells, advice.tell_count);
    put_list(out, "What to do", advice.actions, advice.action_count);
}

static void put_boot_facts(const struct report *report, const struct cli_out *out)
{
    const struct engine *engine = report->engine;
    const char *told[64] = {0};
    unsigned int count = 0;

    for (unsigned int i = 0; i < engine->format_count && count < 64; i++) {
        const struct format *format = engine->formats[i];
        const char *title;
        bool seen = false;

        if (format->role != ROLE_BOOT || format->kind == NULL || engine->matches[i] == 0)
            continue;
        title = knowledge_title(report->knowledge, format->kind);
        for (unsigned int j = 0; j < count; j++)
            seen = seen || told[j] == title;
        if (title == NULL || seen)
            continue;
        told[count++] = title;
        cli_put_wrapped(out, count == 1 ? "The log says: " : "              ", title);
    }
}

void report_summary(const struct report *report, const struct cli_out *out)
{
    const struct engine *engine = report->engine;

    (void)fprintf(out->stream, "%u distinct problem%s", engine->problems.count,
                  engine->problems.count == 1 ? "" : "s");
    if (engine->context.kernel[0] != '\0') {
        (void)fputs(", Linux ", out->stream);
        cli_put_escaped(out->stream, engine->context.kernel, strlen(engine->context.kernel));
    }
    (void)fputc('\n', out->stream);
    put_boot_facts(report, out);
}

bool report_text(const struct report *report, const struct cli_out *out)
{
    const struct engine *engine = report->engine;
    uint16_t *order = calloc(PROBLEMS_MOST, sizeof(*order));

    if (order == NULL)
        return false;
    report_summary(report, out);
    report_order(report, order);
    for (unsigned int i = 0; i < engine->problems.count; i++)
        report_entry(report, out, &engine->problems.entries[order[i]], i + 1);
    free(order);
    if (engine->problems.overflow > 0)
        (void)fprintf(out->stream, "\n%llu messages of further problems were counted only.\n",
                      (unsigned long long)engine->problems.overflow);
    if ((engine->fault_status & 1) != 0) { // [VT-d 11.4.7.1] PFO
        (void)fputc('\n', out->stream);
        cli_put_wrapped(out, "",
                        "The VT-d unit had no room for all fault records (overflow bit of "
                        "the fault status), so more faults happened than the log shows.");
    }
    if (engine->notices > 0)
        (void)fprintf(out->stream, "\n%llu other line%s mention%s the IOMMU.\n",
                      (unsigned long long)engine->notices, engine->notices == 1 ? "" : "s",
                      engine->notices == 1 ? "s" : "");
    return fflush(out->stream) == 0;
}
