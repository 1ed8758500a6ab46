// SPDX-License-Identifier: MIT
/*
 * A strict reader of the text format of Prometheus, version 0.0.4: names, labels and their escapes,
 * HELP and TYPE once before a family's samples and families in one piece, no series twice,
 * histograms whose buckets rise and end with what was counted.
 */
#ifndef TESTS_UNIT_PROMETHEUS_H
#define TESTS_UNIT_PROMETHEUS_H

#include <stdbool.h>
#include <stddef.h>

/** What is wrong with the first line that is, or NULL. `why` is where it is written. */
const char *prometheus_check(const char *text, char *why, size_t bytes);
/** The value of a series, written as it stands in the text; `*out_found` says whether it does. */
double prometheus_value(const char *text, const char *series, bool *out_found);

#endif
