// SPDX-License-Identifier: MIT
// Messages that the kernel prints in several lines: the first is held, one for each unit, until
// the lines with its values came. Lines of several units may be mixed. Called by the hooks.
#ifndef SLUICE_CLI_EXPLAIN_HELD_H
#define SLUICE_CLI_EXPLAIN_HELD_H

#include "engine.h"

// Hold a message that will be a problem of `kind`; what the same unit held before is entered as
// it is.
struct held *held_add(struct engine *engine, const struct message *message, const char *kind);

// What the unit of `message` holds for `kind`, or NULL.
struct held *held_find(struct engine *engine, const struct message *message, const char *kind);

// Enter a held message, complete or not, and free its place.
void held_enter(struct engine *engine, struct held *held);

// Enter all that is held.
void held_finish(struct engine *engine);

#endif
