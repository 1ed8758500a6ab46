// SPDX-License-Identifier: MIT
// The two forms of the report. Called by explain.c.
#ifndef SLUICE_CLI_EXPLAIN_REPORT_H
#define SLUICE_CLI_EXPLAIN_REPORT_H

#include "../output.h"
#include "engine.h"
#include "knowledge.h"
#include "pci_names.h"

struct report {
    const struct engine *engine;
    const struct knowledge *knowledge;
    const struct pci_names *names;
    const char *source; // a file's name, or "standard input"
    bool brief;         // without causes and advice
};

// Entry `order[i]` of the report is problem number order[i] of the table: what matters most
// first. `out_order` holds PROBLEMS_MOST numbers.
void report_order(const struct report *report, uint16_t *out_order);

// A sentence that says how often: "4 times from 1.2 s to 3.4 s, about 2 a second".
void report_frequency(const struct problem *problem, char *out_text, size_t size_bytes);

// Events a second between the first and the last, 0 where that cannot be said.
double report_rate(const struct problem *problem);

bool report_text(const struct report *report, const struct cli_out *out);
bool report_json(const struct report *report, FILE *stream);

// What was read and found, and the machine it is about; begins the text and ends --follow.
void report_summary(const struct report *report, const struct cli_out *out);

// The entry of one problem alone, for --follow.
void report_entry(const struct report *report, const struct cli_out *out,
                  const struct problem *problem, unsigned int number);

#endif
