// SPDX-License-Identifier: MIT
#include "iova_world.h"

#include <stdlib.h>
#include <string.h>

#ifdef THREAD_CPU_H
_Thread_local unsigned thread_cpu;
#endif

static void *world_alloc(void *ctx, size_t bytes)
{
    struct iova_world *world = ctx;
    uint64_t number = atomic_fetch_add(&world->allocs, 1) + 1;
    uint64_t fail_at = atomic_load(&world->fail_at);
    void *memory;

    if (fail_at != 0 &&
        (number == fail_at || (number > fail_at && atomic_load(&world->fail_after))))
        return NULL;
    memory = calloc(1, bytes);
    if (memory == NULL)
        abort();
    atomic_fetch_add(&world->bytes, bytes);
    atomic_fetch_add(&world->objects, 1);
    return memory;
}

static void world_free(void *ctx, void *memory, size_t bytes)
{
    struct iova_world *world = ctx;

    atomic_fetch_sub(&world->bytes, bytes);
    atomic_fetch_sub(&world->objects, 1);
    free(memory);
}

void world_init(struct iova_world *world, unsigned cpus)
{
    static const struct sluice_host_ops ops = {.alloc = world_alloc, .free = world_free};

    memset(world, 0, sizeof(*world));
    world->sluice.ops = &ops;
    world->sluice.config.ops = &ops;
    world->sluice.config.ctx = world;
    world->sluice.cpu_count = cpus;
}

void world_fail(struct iova_world *world, uint64_t nth, bool all_after)
{
    atomic_store(&world->fail_after, all_after);
    atomic_store(&world->fail_at, atomic_load(&world->allocs) + nth);
}

void world_fail_no_more(struct iova_world *world)
{
    atomic_store(&world->fail_at, 0);
}

uint64_t random_next(struct world_random *random)
{
    uint64_t x;

    random->state += 0x9e3779b97f4a7c15ull;
    x = random->state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

uint64_t random_below(struct world_random *random, uint64_t bound)
{
    return random_next(random) % bound;
}
