// SPDX-License-Identifier: MIT
/*
 * Rules, reporting, and what all tables share.
 */
#include "firmware/lint.h"

#define MESSAGE_BYTES 160u

/** A region larger than this is worth a look; graphics memory is at most half of it. */
#define REGION_HUGE_BYTES ((uint64_t)4 << 30)

static const struct {
    const char *name;
    const char *advice;
    enum sluice_lint_severity severity;
} rules[LINT_RULE_COUNT] = {
#define LINT_ROW(id, name, severity, advice) [LINT_##id] = {name, advice, SLUICE_LINT_##severity},
    LINT_RULES(LINT_ROW)
#undef LINT_ROW
};

bool sluice_lint_rule(unsigned index, const char **out_rule,
                      enum sluice_lint_severity *out_severity, const char **out_advice)
{
    if (index >= LINT_RULE_COUNT)
        return false;
    *out_rule = rules[index].name;
    *out_severity = rules[index].severity;
    *out_advice = rules[index].advice;
    return true;
}

const char *sluice_lint_severity_text(enum sluice_lint_severity severity)
{
    switch (severity) {
    case SLUICE_LINT_INFO:
        return "info";
    case SLUICE_LINT_WARNING:
        return "warning";
    default:
        return "error";
    }
}

void lint_say(const struct lint *lint, enum lint_rule rule, uint32_t offset, const char *format,
              ...)
{
    char message[MESSAGE_BYTES];
    const struct sluice_lint_finding finding = {
        .rule = rules[rule].name,
        .severity = rules[rule].severity,
        .offset = offset,
        .message = message,
        .advice = rules[rule].advice,
    };
    va_list args;

    va_start(args, format);
    (void)format_text_va(message, sizeof(message), format, args);
    va_end(args);
    lint->sink(lint->arg, &finding);
}

void lint_malformed(const struct lint *lint, const struct sluice_acpi_error *error)
{
    lint_say(lint, LINT_MALFORMED, error->offset, "%s", error->what);
}

void lint_region(const struct lint *lint, uint32_t offset, uint64_t base, uint64_t last)
{
    if (base > last) {
        lint_say(lint, LINT_REGION_INVERTED, offset, "region %#llx-%#llx", (unsigned long long)base,
                 (unsigned long long)last);
        return;
    }
    if (base == 0)
        lint_say(lint, LINT_REGION_BASE_ZERO, offset, "region %#llx-%#llx",
                 (unsigned long long)base, (unsigned long long)last);
    if ((base & 0xfffu) != 0 || (last & 0xfffu) != 0xfffu)
        lint_say(lint, LINT_REGION_UNALIGNED, offset, "region %#llx-%#llx is not whole pages",
                 (unsigned long long)base, (unsigned long long)last);
    if (last - base >= REGION_HUGE_BYTES)
        lint_say(lint, LINT_REGION_HUGE, offset, "region %#llx-%#llx is %llu MiB",
                 (unsigned long long)base, (unsigned long long)last,
                 (unsigned long long)((last - base) >> 20));
}

static bool is(const struct sluice_acpi_table *table, const char *signature)
{
    for (unsigned i = 0; i < 4; i++) {
        if (table->signature[i] != signature[i])
            return false;
    }
    return true;
}

void sluice_lint(const struct sluice_acpi_table *table, sluice_lint_sink *sink, void *arg)
{
    const struct lint lint = {.table = table, .sink = sink, .arg = arg};

    if (table->checksum_sum != 0)
        lint_say(&lint, LINT_CHECKSUM, 9, "checksum is %#x, and %#x would be right",
                 (unsigned)table->checksum,
                 (unsigned)(uint8_t)(table->checksum - table->checksum_sum));
    if (is(table, "DMAR"))
        lint_dmar(&lint);
    else if (is(table, "IVRS"))
        lint_ivrs(&lint);
    else if (is(table, "IORT"))
        lint_iort(&lint);
    else if (is(table, "RIMT"))
        lint_rimt(&lint);
    else if (is(table, "VIOT"))
        lint_viot(&lint);
}
