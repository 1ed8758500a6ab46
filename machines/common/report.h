// SPDX-License-Identifier: MIT
/*
 * The story and the verdicts. Every scenario tells what it does in plain sentences, states what it
 * checks, and ends as passed, failed or skipped; tools/machine gets the same as JSON lines.
 */
#ifndef MACHINE_REPORT_H
#define MACHINE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

enum verdict {
    VERDICT_PASSED,
    VERDICT_FAILED,
    VERDICT_SKIPPED,
    VERDICT_COUNT
};

/** Takes "colour" and "quiet" from the command line. */
void report_init(bool colour);

/** A heading between parts of the story. */
void report_part(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** One sentence of the story. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * States something that must hold. Prints it with the outcome, counts it against the running
 * scenario and returns `holds`.
 */
bool check(bool holds, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Ends the running scenario as skipped, unless a check has failed; the reason is shown. */
void skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

void report_begin(const char *name, const char *title);
enum verdict report_end(void);

/** Prints the table of all scenarios; true when none failed and at least one passed. */
bool report_summary(void);

#endif
