// SPDX-License-Identifier: MIT
// Finds the next of many fixed strings in a block of text without looking at every byte
// (Wu-Manber). The anchors of all message formats are searched at once. Called by engine.c.
#ifndef SLUICE_CLI_EXPLAIN_SCAN_H
#define SLUICE_CLI_EXPLAIN_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCAN_LEAST_BYTES = 6, // the shortest string that can be searched
    SCAN_HASH_LG2 = 15,
    SCAN_MOST_STRINGS = 512,
    SCAN_NONE = 0xffff,
};

struct scan {
    uint8_t shift[1u << SCAN_HASH_LG2];
    uint16_t head[1u << SCAN_HASH_LG2]; // first string whose window ends with that hash
    uint16_t next[SCAN_MOST_STRINGS];   // the following one, in the order they were added
    const char *text[SCAN_MOST_STRINGS];
    uint16_t length_bytes[SCAN_MOST_STRINGS];
    unsigned int count;
};

void scan_init(struct scan *scan);

// Add a string (not copied). Returns false where it is too short or the table is full.
bool scan_add(struct scan *scan, const char *text, size_t length_bytes);

// Find the first place at or after `*position` where some string stands; `*out_string` is the
// first such string in order of adding, scan_also gives the others.
bool scan_find(const struct scan *scan, const char *text, size_t length_bytes, size_t *position,
               unsigned int *out_string);

// The next string that also stands at `text`, or SCAN_NONE.
unsigned int scan_also(const struct scan *scan, const char *text, size_t length_bytes,
                       unsigned int string);

#endif
