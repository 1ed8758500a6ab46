// SPDX-License-Identifier: MIT
/*
 * A host for page-table tests whose memory is seen twice: as CPUs see it, and as a unit does that
 * does not snoop, which is whatever was last cleaned from the caches. A table entry that was
 * written but not cleaned is therefore stale to the walker in pt_walk.h, and a new table that was
 * not cleaned is full of entries that look present.
 *
 * It also hands out pages in random order, fails on request, and finds pages that are written
 * after they were freed.
 */
#ifndef TESTS_PROPERTY_PT_WORLD_H
#define TESTS_PROPERTY_PT_WORLD_H

#include <pthread.h>

#include "core/instance.h"
#include "rounds.h"

#define WORLD_PAGES     8192u
#define WORLD_PHYS_BASE 0x7fc0000000ull
#define WORLD_NEVER     UINT64_MAX

struct pt_world {
    struct sluice sluice;
    struct sluice_host_ops ops;
    bool snooped;    /**< units see what CPUs see */
    bool dawdle;     /**< cache cleans of an entry or a run take long: races between CPUs widen */
    uint8_t *cpu;    /**< memory as CPUs see it */
    uint8_t *device; /**< memory as a unit sees it that does not snoop */
    pthread_mutex_t lock;     /**< what follows */
    pthread_mutex_t cleaning; /**< `device` */
    bool used[WORLD_PAGES];
    unsigned live;        /**< pages handed out */
    uint64_t fail_after;  /**< that many more allocations succeed */
    uint64_t allocations; /**< since it was last set to 0 */
    uint64_t random;
    atomic_uint cleans; /**< of an entry or a run */
    atomic_uint errors; /**< wrong calls by the library; each was printed */
};

/** `linear` chooses between linear_map and the phys_to_virt hook. */
void pt_world_init(struct pt_world *world, bool snooped, bool linear, uint64_t seed);
void pt_world_fini(struct pt_world *world);

/** Eight bytes as the unit reads them. A page that is not allocated is an error. */
uint64_t pt_world_read(struct pt_world *world, sluice_phys_t phys);

uint64_t pt_random(uint64_t *state);

/** The seed of page-table tests where the environment has none. */
#define PT_SEED 0x51u

#endif
