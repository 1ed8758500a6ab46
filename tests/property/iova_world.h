// SPDX-License-Identifier: MIT
/*
 * What the tests of the IOVA allocator stand on: a host that only has memory, fails when told to,
 * and counts what it gave out.
 */
#ifndef IOVA_WORLD_H
#define IOVA_WORLD_H

#include "dma/iova.h"
#include "rounds.h"

struct iova_world {
    struct sluice sluice;
    atomic_uint_fast64_t bytes;   /**< held by the library */
    atomic_uint_fast64_t objects; /**< held by the library */
    atomic_uint_fast64_t allocs;  /**< ever asked for */
    atomic_uint_fast64_t fail_at; /**< the allocation with this number fails; 0: none */
    atomic_bool fail_after;       /**< and every one after it */
};

void world_init(struct iova_world *world, unsigned cpus);

/** Lets the nth allocation from now on fail (1: the next), and all after it if asked. */
void world_fail(struct iova_world *world, uint64_t nth, bool all_after);
void world_fail_no_more(struct iova_world *world);

/** A plain random number generator: reproducible, good enough to choose operations. */
struct world_random {
    uint64_t state;
};

uint64_t random_next(struct world_random *random);
/** Below `bound`, which is not 0. */
uint64_t random_below(struct world_random *random, uint64_t bound);

#endif
