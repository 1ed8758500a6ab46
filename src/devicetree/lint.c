// SPDX-License-Identifier: MIT
/*
 * Rules, reporting, and what every node is held against.
 */
#include "lint.h"

#include "core/log.h"

#define MESSAGE_BYTES 192u

static const struct {
    const char *name;
    const char *advice;
    enum sluice_lint_severity severity;
} rules[DT_RULE_COUNT] = {
#define DT_RULE_ROW(id, name, severity, advice)                                                    \
    [DT_RULE_##id] = {name, advice, SLUICE_LINT_##severity},
    DT_RULES(DT_RULE_ROW)
#undef DT_RULE_ROW
};

bool sluice_devicetree_rule(unsigned index, const char **out_rule,
                            enum sluice_lint_severity *out_severity, const char **out_advice)
{
    if (index >= DT_RULE_COUNT)
        return false;
    *out_rule = rules[index].name;
    *out_severity = rules[index].severity;
    *out_advice = rules[index].advice;
    return true;
}

void dt_say(const struct dt_lint *lint, enum dt_rule rule, const char *property, const char *format,
            ...)
{
    char message[MESSAGE_BYTES];
    const struct sluice_devicetree_finding finding = {
        .rule = rules[rule].name,
        .severity = rules[rule].severity,
        .path = lint->tree->walk.path,
        .property = property,
        .message = message,
        .advice = rules[rule].advice,
    };
    va_list args;

    va_start(args, format);
    (void)format_text_va(message, sizeof(message), format, args);
    va_end(args);
    lint->sink(lint->arg, &finding);
}

bool dt_lint_other(struct dt_lint *lint, struct sluice_devicetree_node *node)
{
    struct sluice_devicetree_cursor *other = &lint->tree->other;

    while (lint->steps < DT_LINT_STEPS_MAX && dt_walk(lint->tree, other) == SLUICE_OK) {
        struct dt_problem problem;

        lint->steps++;
        if (dt_level(other)->enabled && dt_node(lint->tree, other, node, &problem))
            return true;
    }
    if (lint->steps >= DT_LINT_STEPS_MAX && !lint->too_many) {
        lint->too_many = true;
        dt_say(lint, DT_RULE_TOO_MANY_NODES, NULL, "comparing stops here");
    }
    return false;
}

/** Which units are referred to by what is enabled. */
static void collect_used(struct dt_lint *lint)
{
    struct sluice_devicetree *tree = lint->tree;
    struct sluice_devicetree_cursor *at = &tree->walk;

    at->begun = false;
    while (dt_walk(tree, at) == SLUICE_OK) {
        struct sluice_devicetree_position place = {0};
        struct sluice_devicetree_specifier specifier;
        struct sluice_devicetree_mapping mapping;
        enum sluice_status status;

        if (!dt_level(at)->enabled)
            continue;
        while (sluice_devicetree_specifier_next(tree, at, &place, &specifier, NULL) == SLUICE_OK)
            lint->used |= (uint64_t)1 << specifier.unit;
        place = (struct sluice_devicetree_position){0};
        while ((status = sluice_devicetree_mapping_next(tree, at, &place, &mapping, NULL)) !=
               SLUICE_ERR_NOT_FOUND) {
            if (status == SLUICE_OK)
                lint->used |= (uint64_t)1 << mapping.unit;
        }
    }
}

static void check_phandle(const struct dt_lint *lint)
{
    const struct sluice_devicetree_cursor *at = &lint->tree->walk;
    const uint32_t phandle = dt_phandle(at);
    const unsigned unit = dt_unit_of(lint->tree, phandle);

    if (unit != UINT_MAX && lint->tree->units[unit].node != dt_level(at)->node)
        dt_say(lint, DT_RULE_PHANDLE_TWICE, dt_property_name(DT_PHANDLE),
               "phandle %#x is that of an IOMMU", (unsigned)phandle);
}

static void check_status(const struct dt_lint *lint)
{
    /* "fail" may go on with what failed [DT 2.3.4]. */
    static const char *const known[] = {"okay", "ok", "disabled", "reserved", "fail"};
    const struct sluice_devicetree_property *status = dt_get(&lint->tree->walk, DT_STATUS);

    if (status->data == NULL ||
        (status->bytes > 5 && status->data[0] == 'f' && status->data[4] == '-'))
        return;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (dt_is(status, known[i]))
            return;
    }
    dt_say(lint, DT_RULE_STATUS_UNKNOWN, dt_property_name(DT_STATUS), "status is \"%s\"",
           dt_string(status, 0) != NULL ? dt_string(status, 0) : "");
}

static void check_twice(const struct dt_lint *lint)
{
    for (unsigned i = 0; i < DT_PROPERTY_COUNT; i++) {
        if ((lint->tree->walk.twice >> i & 1) != 0)
            dt_say(lint, DT_RULE_PROPERTY_TWICE, dt_property_name((enum dt_property)i),
                   "the node has it more than once");
    }
}

static void check_node(struct dt_lint *lint, const struct sluice_devicetree_node *node,
                       const struct dt_problem *problem)
{
    check_status(lint);
    check_twice(lint);
    if (!node->enabled)
        return;
    if (problem->what != NULL)
        dt_say(lint, DT_RULE_MALFORMED, problem->property, "%s", problem->what);
    if ((node->roles & SLUICE_DEVICETREE_UNIT) != 0)
        dt_lint_unit(lint, node);
    if ((node->roles & SLUICE_DEVICETREE_PCI_HOST) != 0)
        dt_lint_host(lint, node);
    if ((node->roles & SLUICE_DEVICETREE_MAP) != 0)
        dt_lint_map(lint, node);
    if ((node->roles & SLUICE_DEVICETREE_DEVICE) != 0)
        dt_lint_device(lint, node);
    if ((node->roles & SLUICE_DEVICETREE_REGION) != 0)
        dt_lint_region(lint, node);
}

void sluice_devicetree_lint(struct sluice_devicetree *tree, sluice_devicetree_sink *sink, void *arg)
{
    struct dt_lint lint = {.tree = tree, .sink = sink, .arg = arg};
    struct sluice_devicetree_cursor *at = &tree->walk;
    struct sluice_devicetree_node node;
    struct dt_problem problem;

    collect_used(&lint);
    at->begun = false;
    at->hosts = 0;
    while (dt_walk(tree, at) == SLUICE_OK) {
        if (at->depth == 0 && tree->unit_count == 0)
            dt_say(&lint, DT_RULE_NO_UNITS, NULL, "there is no IOMMU");
        if (at->depth == 0 && tree->units_beyond != 0)
            dt_say(&lint, DT_RULE_TOO_MANY_UNITS, NULL, "%u IOMMUs",
                   tree->unit_count + tree->units_beyond);
        check_phandle(&lint);
        if (dt_node(tree, at, &node, &problem))
            check_node(&lint, &node, &problem);
    }
}
