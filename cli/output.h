// SPDX-License-Identifier: MIT
// Output for people: colour only where it is wanted, text wrapped to the terminal, and nothing
// from untrusted input reaching the terminal as a control sequence. Called by the subcommands.
#ifndef SLUICE_CLI_OUTPUT_H
#define SLUICE_CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum cli_colour {
    CLI_COLOUR_AUTO,   // on a terminal, unless NO_COLOR is set and not empty, or TERM is dumb
    CLI_COLOUR_ALWAYS, // asked for on the command line, which outweighs NO_COLOR
    CLI_COLOUR_NEVER,
};

enum cli_style {
    CLI_PLAIN, // back to normal
    CLI_BOLD,
    CLI_DIM,
    CLI_RED,
    CLI_YELLOW,
    CLI_GREEN,
    CLI_CYAN,
};

struct cli_out {
    FILE *stream;
    bool colour;
    unsigned int width_columns;
};

// Set up `out` for `stream`; the width is the terminal's, or 80.
void cli_out_init(struct cli_out *out, FILE *stream, enum cli_colour colour);

// Read "auto", "always" or "never". Returns false for anything else.
bool cli_colour_parse(const char *text, enum cli_colour *out_colour);

// The escape sequence of a style, or "" where colour is off.
const char *cli_style(const struct cli_out *out, enum cli_style style);

// Print `text` wrapped to the width, the first line after `lead` and the others indented by as
// many columns as `lead` has; ends the line. `lead` holds ASCII only.
void cli_put_wrapped(const struct cli_out *out, const char *lead, const char *text);

// Print `length_bytes` bytes of untrusted text: control characters and bytes that are not
// valid UTF-8 appear as \xNN, so that a log cannot drive the terminal.
void cli_put_escaped(FILE *stream, const char *text, size_t length_bytes);

// Print a JSON value and a newline, keys in the order they were set. Takes over the reference.
// Returns false where the value is NULL (out of memory) or the stream failed.
bool cli_put_json(FILE *stream, json_t *value);

// A JSON string of untrusted bytes; what is not valid UTF-8 becomes U+FFFD. New reference.
json_t *cli_json_text(const char *text, size_t length_bytes);

#endif
