// SPDX-License-Identifier: MIT
// `sluice devicetree` inside: where trees come from, and the two ways to show them.
//
//   devicetree.c  the command line and its files
//   text.c        for people
//   json.c        for programs (docs/devicetree.schema.json)
#ifndef SLUICE_CLI_DEVICETREE_VIEW_H
#define SLUICE_CLI_DEVICETREE_VIEW_H

#include "../cli.h"
#include "../output.h"

#include <sluice/devicetree.h>

// What is shown, and what was found on the way.
struct dt_view {
    struct cli_out out;
    bool lint;
    unsigned int findings[SLUICE_LINT_ERROR + 1]; // by severity
    unsigned int malformed;                       // places that could not be read
};

// One tree that was opened, and the names of its IOMMUs for what refers to them.
struct dt_input {
    const char *name; // of the file
    const void *data;
    size_t size_bytes;
    struct sluice_devicetree *tree;
    char *units[SLUICE_DEVICETREE_UNITS_MAX]; // paths; NULL: none that could be read
};

void dt_text(struct dt_view *view, struct dt_input *input);
// The JSON object of one tree; NULL when out of memory.
json_t *dt_json(struct dt_view *view, struct dt_input *input);

// A string property of the root ("model"), or NULL; `*out_bytes` is without a final zero.
const char *dt_root_text(const struct dt_input *input, const char *property, size_t *out_bytes);

// The path of a unit that a reference leads to.
const char *dt_unit_path(const struct dt_input *input, unsigned int unit);

#endif
