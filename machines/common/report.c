// SPDX-License-Identifier: MIT
#include "report.h"

#include <stdarg.h>

#include "arch.h"
#include "print.h"

#define SCENARIOS_LIMIT 64u
#define TEXT_BYTES      160u

struct outcome {
    const char *name, *title;
    enum verdict verdict;
    unsigned checks, failed;
    uint64_t start_ns, took_ns;
    char reason[TEXT_BYTES]; /* the first failed check, or why it was skipped */
};

static struct outcome outcomes[SCENARIOS_LIMIT];
static unsigned outcome_count;
static struct outcome *running;
static bool use_colour;

static const char *const verdict_names[VERDICT_COUNT] = {"passed", "failed", "skipped"};
static const char *const verdict_colours[VERDICT_COUNT] = {"32", "31", "33"};

static void print_coloured(const char *colour, const char *text)
{
    if (use_colour)
        machine_print("\033[%sm%s\033[0m", colour, text);
    else
        machine_print("%s", text);
}

/* A string inside a JSON line: quotes and backslashes escaped, control characters dropped. */
static void print_json_text(const char *text)
{
    machine_print("\"");
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            machine_print("\\%c", *text);
        else if ((unsigned char)*text >= 0x20)
            machine_print("%c", *text);
    }
    machine_print("\"");
}

void report_init(bool colour)
{
    use_colour = colour;
}

void report_part(const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list args;
    va_start(args, format);
    machine_vformat(text, sizeof(text), format, args);
    va_end(args);
    machine_print("\n");
    print_coloured("1", text);
    machine_print("\n");
}

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    machine_print("    ");
    machine_vprint(format, args);
    machine_print("\n");
    va_end(args);
}

bool check(bool holds, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list args;
    va_start(args, format);
    machine_vformat(text, sizeof(text), format, args);
    va_end(args);
    machine_print("    ");
    print_coloured(holds ? "32" : "31", holds ? "ok   " : "WRONG");
    machine_print(" %s\n", text);
    if (running == NULL)
        return holds;
    running->checks++;
    if (!holds) {
        if (running->failed++ == 0)
            machine_format(running->reason, sizeof(running->reason), "%s", text);
        machine_print("@sluice {\"event\":\"check\",\"scenario\":\"%s\",\"holds\":false,\"text\":",
                      running->name);
        print_json_text(text);
        machine_print("}\n");
    }
    return holds;
}

void skip(const char *format, ...)
{
    va_list args;
    if (running == NULL || running->failed > 0)
        return;
    running->verdict = VERDICT_SKIPPED;
    va_start(args, format);
    machine_vformat(running->reason, sizeof(running->reason), format, args);
    va_end(args);
    say("skipped: %s", running->reason);
}

void report_begin(const char *name, const char *title)
{
    if (outcome_count == SCENARIOS_LIMIT)
        machine_die("more scenarios than the report has room for");
    running = &outcomes[outcome_count++];
    *running = (struct outcome){.name = name, .title = title, .start_ns = arch_now_ns()};
    machine_print("\n");
    print_coloured("1", title);
    machine_print("  [%s]\n", name);
}

enum verdict report_end(void)
{
    struct outcome *o = running;
    running = NULL;
    o->took_ns = arch_now_ns() - o->start_ns;
    if (o->failed > 0)
        o->verdict = VERDICT_FAILED;
    else if (o->verdict != VERDICT_SKIPPED && o->checks == 0) {
        /* Nothing looked at is not a pass. */
        o->verdict = VERDICT_FAILED;
        machine_format(o->reason, sizeof(o->reason), "it checked nothing");
    }
    machine_print("@sluice {\"event\":\"scenario\",\"name\":\"%s\",\"title\":", o->name);
    print_json_text(o->title);
    machine_print(",\"verdict\":\"%s\",\"checks\":%u,\"failed\":%u,\"ns\":%lu,\"reason\":",
                  verdict_names[o->verdict], o->checks, o->failed, o->took_ns);
    print_json_text(o->reason);
    machine_print("}\n");
    return o->verdict;
}

bool report_summary(void)
{
    unsigned counts[VERDICT_COUNT] = {0};
    report_part("Summary");
    for (unsigned i = 0; i < outcome_count; i++) {
        const struct outcome *o = &outcomes[i];
        counts[o->verdict]++;
        machine_print("  ");
        print_coloured(verdict_colours[o->verdict], verdict_names[o->verdict]);
        machine_print("%*s %-18s %s\n", o->verdict == VERDICT_SKIPPED ? 0 : 1, "", o->name,
                      o->title);
        if (o->verdict != VERDICT_PASSED)
            machine_print("          because: %s\n", o->reason);
    }
    machine_print("\n  %u passed, %u failed, %u skipped\n", counts[VERDICT_PASSED],
                  counts[VERDICT_FAILED], counts[VERDICT_SKIPPED]);
    machine_print("@sluice {\"event\":\"summary\",\"passed\":%u,\"failed\":%u,\"skipped\":%u}\n",
                  counts[VERDICT_PASSED], counts[VERDICT_FAILED], counts[VERDICT_SKIPPED]);
    return counts[VERDICT_FAILED] == 0 && counts[VERDICT_PASSED] > 0;
}
