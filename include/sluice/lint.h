// SPDX-License-Identifier: MIT
/*
 * What is wrong with a firmware table: rules with stable names, each with a severity and advice.
 *
 * Findings are called one after the other while the table is walked; nothing is allocated. A table
 * may be handed in however broken it is, as long as sluice_acpi_open() took it.
 *
 * Context: any; no locks, no hooks, no instance needed.
 */
#ifndef SLUICE_LINT_H
#define SLUICE_LINT_H

#include <sluice/acpi.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sluice_lint_severity {
    SLUICE_LINT_INFO = 0, /**< odd, and harmless as far as anybody knows */
    SLUICE_LINT_WARNING,  /**< firmware is wrong; an operating system copes, or protects less */
    SLUICE_LINT_ERROR,    /**< the table, or a part of it, cannot be used as it stands */
};

struct sluice_lint_finding {
    const char *rule; /**< "rmrr-unaligned"; never changes its meaning */
    enum sluice_lint_severity severity;
    uint32_t offset;     /**< in the table */
    const char *message; /**< what is there, with its numbers; valid during the call */
    const char *advice;  /**< what to do about it; constant */
};

typedef void sluice_lint_sink(void *arg, const struct sluice_lint_finding *finding);

/**
 * Checks one table: DMAR, IVRS, IORT, RIMT and VIOT by their rules, others only by what all tables
 * share.
 * @param sink     called for each finding, mostly in order of offset
 */
SLUICE_API void sluice_lint(const struct sluice_acpi_table *table, sluice_lint_sink *sink,
                            void *arg);

/** The index-th rule there is, for documentation; false past the last. */
SLUICE_API bool sluice_lint_rule(unsigned index, const char **out_rule,
                                 enum sluice_lint_severity *out_severity, const char **out_advice);

/** "info", "warning", "error". Never NULL. */
SLUICE_API const char *sluice_lint_severity_text(enum sluice_lint_severity severity);

#ifdef __cplusplus
}
#endif

#endif
