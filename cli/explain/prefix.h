// SPDX-License-Identifier: MIT
// Takes the prefix off a log line: quote marks, priority, time stamps of every common style,
// host and program name. Called by engine.c.
#ifndef SLUICE_CLI_EXPLAIN_PREFIX_H
#define SLUICE_CLI_EXPLAIN_PREFIX_H

#include "event.h"

struct prefix {
    struct log_time time;
    bool stamped;     // it had a time stamp or a program name, so it starts a message
    bool delta;       // the stamp is the time since the line before (dmesg -d style)
    struct span rest; // the message
};

void prefix_parse(const char *line, size_t length_bytes, struct prefix *out_prefix);

// Split "driver device: text" off the head of a message; both spans are empty where it has none.
void prefix_device(struct span message, struct span *out_driver, struct span *out_device);

#endif
