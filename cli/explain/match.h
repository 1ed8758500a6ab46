// SPDX-License-Identifier: MIT
// The pattern language of the message formats (see struct format in event.h). Patterns are
// compiled once; matching looks at each byte once and never goes back, so that no input can make
// it slow. Called by engine.c and formats.c.
#ifndef SLUICE_CLI_EXPLAIN_MATCH_H
#define SLUICE_CLI_EXPLAIN_MATCH_H

#include "event.h"

enum {
    PATTERN_MOST_STEPS = 48
};

enum step_kind {
    STEP_LITERAL,
    STEP_SPACE,
    STEP_FIELD,
    STEP_PAIRS,
    STEP_SKIP,
    STEP_OPTIONAL, // `skip_to` is the step after the part that may be missing
    STEP_ENOUGH,
};

struct step {
    uint8_t kind;
    uint8_t field;
    uint8_t skip_to;
    uint16_t length_bytes;
    const char *text;
};

struct pattern {
    struct step steps[PATTERN_MOST_STEPS];
    unsigned int count;
    uint16_t anchor_bytes; // how much of the first literal is searched for
};

enum match_result {
    MATCH_NO,
    MATCH_SHORT,  // the text ended before the pattern did
    MATCH_ENOUGH, // likewise, but past the mark
    MATCH_FULL,
};

// Compile `text`. Returns false where it is not a pattern (a mistake in a table).
bool pattern_compile(struct pattern *pattern, const char *text);

// Match at the start of `text`; `*out_used` is how many bytes the match took.
enum match_result pattern_match(const struct pattern *pattern, const char *text,
                                size_t length_bytes, struct fields *out_fields, size_t *out_used);

// Readers of single values, shared with the hooks. Each returns how many bytes it read, 0: none.
size_t read_hex(const char *text, size_t length_bytes, uint64_t *out_value);
size_t read_reason(const char *text, size_t length_bytes, uint64_t *out_value);
size_t read_decimal(const char *text, size_t length_bytes, uint64_t *out_value);
size_t read_bdf(const char *text, size_t length_bytes, uint64_t *out_value);

#endif
