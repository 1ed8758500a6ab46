// SPDX-License-Identifier: MIT
/*
 * The evidence of self-tests in the overview and the report: each unit's, and which has none.
 */
#include "instance/overview.h"

#define LINE_BYTES 640u

struct out {
    sluice_emit *emit;
    void *arg;
};

static __attribute__((format(printf, 2, 3))) void put(const struct out *out, const char *format,
                                                      ...)
{
    char line[LINE_BYTES];
    va_list args;

    va_start(args, format);
    format_text_va(line, sizeof(line), format, args);
    va_end(args);
    out->emit(out->arg, line);
}

/** The word for all of it. */
static const char *verdict_text(const struct sluice_selftest_evidence *evidence)
{
    return evidence->made ? sluice_selftest_outcome_text(evidence->verdict) : "none";
}

static const char *step_text(unsigned step)
{
    return sluice_selftest_step_text((enum sluice_selftest_step)step);
}

static const char *outcome_of(const struct sluice_selftest_evidence *evidence, unsigned step)
{
    return sluice_selftest_outcome_text(evidence->steps[step].outcome);
}

void overview_gather_selftests_locked(struct sluice *sluice, struct sluice_overview *out)
{
    list_for_each(node, &sluice->units)
    {
        const struct sluice_selftest_evidence *evidence =
            &container_of(node, struct unit, node)->selftest;

        out->selftest_ok += evidence->made && evidence->verdict == SLUICE_SELFTEST_PASSED ? 1u : 0u;
        out->selftest_bad +=
            evidence->made && evidence->verdict != SLUICE_SELFTEST_PASSED ? 1u : 0u;
        out->selftest_none += evidence->made ? 0u : 1u;
    }
}

/* ---- JSON ---- */

static void json_steps(const struct out *out, const struct sluice_selftest_evidence *evidence)
{
    for (unsigned i = 0; evidence->made && i < SLUICE_SELFTEST_STEPS; i++)
        put(out,
            "      {\"step\": \"%s\", \"outcome\": \"%s\", \"faults\": %u, \"seen\": \"%s\"}%s",
            step_text(i), outcome_of(evidence, i), (unsigned)evidence->steps[i].faults,
            evidence->steps[i].seen, i + 1 == SLUICE_SELFTEST_STEPS ? "" : ",");
}

void overview_selftests_json_locked(struct sluice *sluice, sluice_emit *emit, void *arg)
{
    const struct out out = {emit, arg};
    char text[OVERVIEW_NAME_BYTES];
    bool listed = instance_is_listed(sluice);

    put(&out, "  \"selftests\": [");
    for (struct list_node *node = sluice->units.next; listed && node != &sluice->units;
         node = node->next) {
        const struct unit *unit = container_of(node, struct unit, node);
        const struct sluice_selftest_evidence *evidence = &unit->selftest;

        put(&out, "    {\"unit\": \"%s\", \"verdict\": \"%s\", \"device\": \"%s\",", unit->name,
            verdict_text(evidence), overview_escaped(evidence->device, true, text));
        put(&out, "     \"name\": \"%s\", \"time_ns\": %llu, \"took_ns\": %llu, \"steps\": [",
            overview_escaped(evidence->name, true, text), (unsigned long long)evidence->time_ns,
            (unsigned long long)evidence->took_ns);
        json_steps(&out, evidence);
        put(&out, "    ]}%s", node->next == &sluice->units ? "" : ",");
    }
    put(&out, "  ],");
}

/* ---- Prometheus ---- */

static void prometheus_steps(const struct out *out, const struct unit *unit)
{
    for (unsigned i = 0; i < SLUICE_SELFTEST_STEPS; i++)
        put(out, "sluice_selftest_step{unit=\"%s\",step=\"%s\"} %u", unit->name, step_text(i),
            (unsigned)unit->selftest.steps[i].outcome);
}

void overview_selftests_prometheus_locked(struct sluice *sluice, sluice_emit *emit, void *arg)
{
    const struct out out = {emit, arg};

    put(&out, "# HELP sluice_selftest_step 0 not tested, 1 passed, 2 inconclusive, 3 failed.");
    put(&out, "# TYPE sluice_selftest_step gauge");
    if (!instance_is_listed(sluice))
        return;
    list_for_each(node, &sluice->units)
    {
        prometheus_steps(&out, container_of(node, struct unit, node));
    }
}

/* ---- for people ---- */

static void report_steps(const struct out *out, const struct sluice_selftest_evidence *evidence)
{
    for (unsigned i = 0; i < SLUICE_SELFTEST_STEPS; i++) {
        if (evidence->steps[i].outcome != SLUICE_SELFTEST_PASSED)
            put(out, "  %s: %s: %s", step_text(i), outcome_of(evidence, i),
                evidence->steps[i].seen);
    }
}

void overview_selftest_report_locked(const struct unit *unit, sluice_emit *emit, void *arg)
{
    const struct sluice_selftest_evidence *evidence = &unit->selftest;
    const struct out out = {emit, arg};
    unsigned passed = 0;

    if (!evidence->made) {
        put(&out, "  no self-test was made");
        return;
    }
    for (unsigned i = 0; i < SLUICE_SELFTEST_STEPS; i++)
        passed += evidence->steps[i].outcome == SLUICE_SELFTEST_PASSED ? 1u : 0u;
    put(&out, "  self-test with %s '%s': %s, %u of %u steps passed", evidence->device,
        evidence->name, verdict_text(evidence), passed, (unsigned)SLUICE_SELFTEST_STEPS);
    report_steps(&out, evidence);
}
