// SPDX-License-Identifier: MIT
// What the tests of `sluice explain` share: feed lines, ask what came of them.
#ifndef SLUICE_TESTS_CLI_EXPLAIN_HELPER_H
#define SLUICE_TESTS_CLI_EXPLAIN_HELPER_H

#include "decode.h"
#include "engine.h"
#include "knowledge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// Feed a whole log and finish.
static inline struct engine *explain_log(const char *log)
{
    struct engine *engine = engine_create();

    assert_non_null(engine);
    engine_feed(engine, log, strlen(log));
    engine_finish(engine);
    return engine;
}

// The entry of a kind; fails where there is none.
static inline const struct problem *explain_find(const struct engine *engine, const char *kind)
{
    for (unsigned int i = 0; i < engine->problems.count; i++)
        if (strcmp(engine->problems.entries[i].kind, kind) == 0)
            return &engine->problems.entries[i];
    fail_msg("no entry of kind %s", kind);
    return NULL;
}

static inline bool explain_has_reading(const struct engine *engine, const struct problem *problem,
                                       const char *name)
{
    struct reading readings[READINGS_MOST];
    unsigned int count = pattern_read(&engine->context, problem, readings);

    for (unsigned int i = 0; i < count; i++)
        if (strcmp(readings[i].name, name) == 0)
            return true;
    return false;
}

#endif
