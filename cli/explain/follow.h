// SPDX-License-Identifier: MIT
// `sluice explain --follow`: shows what is new while a log goes on. Called by explain.c and, with
// a source of its own, by the test.
#ifndef SLUICE_CLI_EXPLAIN_FOLLOW_H
#define SLUICE_CLI_EXPLAIN_FOLLOW_H

#include "report.h"

#include <sys/types.h>

#define FOLLOW_KERNEL "/dev/kmsg"

enum {
    FOLLOW_BYTES = 16 * 1024, // a record or line that is longer is taken in pieces
};

struct follow_source {
    const char *name;
    // As read(2): records or any part of lines, 0 at the end, -1 with errno. EPIPE says that
    // records were overwritten before they were read, EINTR that it was told to stop.
    ssize_t (*read)(void *arg, char *buffer, size_t size_bytes);
    void *arg;
};

// New entries are shown as they come, those that are known when their count doubled, and a summary
// at the end. False when the source or the output failed.
bool follow_source(struct engine *engine, const struct report *report, const struct cli_out *out,
                   const struct follow_source *source);

// The same on the kernel's log, a pipe or standard input ("-"), until it ends or SIGINT or SIGTERM
// comes, which this handles from then on.
bool follow(struct engine *engine, const struct report *report, const struct cli_out *out,
            const char *file);

#endif
