// SPDX-License-Identifier: MIT
// The table of distinct problems: messages that say the same of the same device make one entry
// that counts them. Bounded: what does not fit is counted, not kept. Called by engine.c, the
// hooks and the reports.
#ifndef SLUICE_CLI_EXPLAIN_PROBLEMS_H
#define SLUICE_CLI_EXPLAIN_PROBLEMS_H

#include "event.h"

enum {
    PROBLEMS_MOST = 2048,
    PROBLEMS_SLOTS = 8192, // of the hash table, a power of two
    ADDRESS_SAMPLES = 12,
    NAME_BYTES = 48,
    LINE_BYTES = 240,
};

enum access {
    ACCESS_UNKNOWN,
    ACCESS_READ,
    ACCESS_WRITE,
    ACCESS_EXECUTE,
};

// What the addresses of an entry have in common, kept without keeping them all.
struct address_stats {
    uint64_t count;
    uint64_t first;
    uint64_t previous;
    uint64_t least;
    uint64_t most;
    uint64_t rises;
    uint64_t falls;
    uint64_t repeats;
    uint64_t least_step; // between one address and a higher next one
    uint64_t most_step;
    uint64_t low_bits; // all address bits that were ever set, of the lowest twelve
    uint64_t samples[ADDRESS_SAMPLES];
    unsigned int sample_count;
};

struct moment {
    bool valid;
    bool monotonic;
    double seconds;
    char text[NAME_BYTES];
};

// When a message came, seen from what else went on in the log.
struct circumstances {
    uint64_t boot;   // before the kernel handed over to init
    uint64_t reset;  // within seconds of a reset of the device
    uint64_t resume; // within seconds of a resume
    uint64_t kdump;  // in a kernel started by a crash
    uint64_t unbind; // just after the device left its group
};

struct problem {
    const char *kind;
    enum vendor vendor;
    uint64_t key;
    char device[NAME_BYTES];
    bool has_bdf;
    bool alias_segment; // the message gave the segment
    uint32_t bdf;
    char unit[NAME_BYTES];
    char name[NAME_BYTES];
    char text[LINE_BYTES];
    enum access access;
    struct fields fields; // of the first message; words are not kept
    uint64_t flags_all;
    uint64_t flags_any;
    uint64_t count;
    uint64_t suppressed;
    struct moment first;
    struct moment last;
    struct address_stats addresses;
    struct circumstances during;
    char evidence[LINE_BYTES]; // the line behind `during`
    char example[LINE_BYTES];
};

struct problems {
    struct problem entries[PROBLEMS_MOST];
    uint16_t slots[PROBLEMS_SLOTS]; // index + 1, 0: free
    unsigned int count;
    uint64_t overflow; // messages that found no room
};

// The entry for a message, made where there is none; NULL: no room (counted).
struct problem *problems_enter(struct problems *problems, const struct message *message);

// Count one more message of `problem` at `time`.
void problem_count(struct problem *problem, const struct message *message);

// Add an address to what is known of an entry's addresses.
void address_add(struct address_stats *stats, uint64_t address);

// Copy a span into a bounded string.
void span_copy(char *out_text, size_t size_bytes, struct span span);

#endif
