// SPDX-License-Identifier: MIT
// Reads the addresses of an entry: what kind of mistake makes a device use such an address.
// Called by the reports.
#ifndef SLUICE_CLI_EXPLAIN_PATTERN_H
#define SLUICE_CLI_EXPLAIN_PATTERN_H

#include "context.h"

enum {
    READINGS_MOST = 6
};

struct reading {
    const char *name; // stable: explanations and programs refer to it
    char text[LINE_BYTES];
};

// Read the addresses of `problem`; returns how many readings there are, the strongest first.
unsigned int pattern_read(const struct context *context, const struct problem *problem,
                          struct reading *out_readings);

#endif
