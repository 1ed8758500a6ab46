// SPDX-License-Identifier: MIT
/*
 * How long a property test runs, and from which seed: SLUICE_TEST_SEED and SLUICE_TEST_SCALE of
 * the environment, for other and longer runs.
 */
#ifndef TESTS_PROPERTY_ROUNDS_H
#define TESTS_PROPERTY_ROUNDS_H

#include <stdint.h>
#include <stdlib.h>

static inline uint64_t rounds_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

/** SLUICE_TEST_SEED, or `otherwise`; printed by the caller. */
static inline uint64_t test_seed(uint64_t otherwise)
{
    return rounds_from("SLUICE_TEST_SEED", otherwise);
}

/** `count` times SLUICE_TEST_SCALE. */
static inline unsigned test_scaled(unsigned count)
{
    return count * (unsigned)rounds_from("SLUICE_TEST_SCALE", 1);
}

/**
 * The same where threads quarrel over locks all the time: a quarter under the thread sanitizer,
 * which makes each step ten times longer and sees a race in the accesses, not in what comes of it.
 */
static inline unsigned test_scaled_race(unsigned count)
{
#ifdef __SANITIZE_THREAD__
    return test_scaled(count / 4);
#else
    return test_scaled(count);
#endif
}

#endif
