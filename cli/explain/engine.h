// SPDX-License-Identifier: MIT
// From text to the table of problems: finds the anchors of all message formats in blocks of
// log, joins what mail programs wrapped, and hands each message to its hook and to the tables.
// Memory is constant. Called by explain.c, tests and the fuzz target.
#ifndef SLUICE_CLI_EXPLAIN_ENGINE_H
#define SLUICE_CLI_EXPLAIN_ENGINE_H

#include "context.h"
#include "event.h"
#include "match.h"
#include "problems.h"
#include "scan.h"

enum {
    ENGINE_MOST_FORMATS = 320,
    ENGINE_JOINED_BYTES = 2048,
    ENGINE_MOST_PIECES = 5,
    ENGINE_MOST_UNITS = 8,
    ENGINE_LINE_BYTES = 65536, // of a longer line, this much is looked at
};

// A message whose values come on lines of their own, one for each unit (see held.h). Owns the
// text it points to.
struct held {
    const char *waits_for; // the kind of problem it will be; NULL: free
    char unit[NAME_BYTES];
    char line[LINE_BYTES];
    char time_text[NAME_BYTES];
    struct message message;
    unsigned int words_seen;
    uint64_t words[4];
};

struct pending {
    char text[ENGINE_JOINED_BYTES];
    size_t length_bytes;
    unsigned int pieces;
    bool soft; // it ended with = alone: a soft line break of quoted-printable
    struct log_time time;
    char time_text[NAME_BYTES];
};

struct engine {
    struct scan scan;
    const struct format *formats[ENGINE_MOST_FORMATS];
    struct pattern patterns[ENGINE_MOST_FORMATS];
    uint64_t matches[ENGINE_MOST_FORMATS]; // messages a format
    unsigned int format_count;

    struct problems problems;
    struct context context;

    struct pending pending;
    struct held held[ENGINE_MOST_UNITS];
    unsigned int held_next;
    struct problem *last_problem;   // the entry made or fed last
    struct problem *awaits_reason;  // a fault whose reason comes on a line of its own
    char decoded_after[NAME_BYTES]; // unit whose raw event may come once more, decoded
    uint64_t line_repeat;

    uint64_t bytes;
    uint64_t messages;
    uint64_t notices;      // lines that name the IOMMU in a form that no format has
    uint64_t fault_status; // all bits that VT-d status messages ever showed
    uint64_t suppressed;
};

// Allocates and sets up; NULL: out of memory. Release with engine_destroy.
struct engine *engine_create(void);
void engine_destroy(struct engine *engine);

// Take in whole lines (the last may lack its newline only at the end of input).
void engine_feed(struct engine *engine, const char *text, size_t length_bytes);

// Nothing more comes: settle what was waiting.
void engine_finish(struct engine *engine);

// Enter a message into the table of problems; hooks that assemble messages call it too.
// Returns the entry, or NULL where there was no room.
struct problem *engine_enter(struct engine *engine, struct message *message);

// How many messages of a format came, all rows of that name together.
uint64_t engine_matches(const struct engine *engine, const char *id);

#endif
