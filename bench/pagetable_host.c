// SPDX-License-Identifier: MIT
#include "pagetable_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Free pages, the last one freed on top; on cache lines of its own. */
struct pool {
    _Alignas(128) unsigned count;
    void *pages[POOL_PAGES];
};

static struct pool pools[BENCH_POOLS];
static uint8_t *arena;
_Thread_local unsigned bench_pool;

bool bench_pages_alloc(void *ctx, const struct sluice_page_request *request,
                       struct sluice_pages *out)
{
    struct pool *pool = &pools[bench_pool];

    (void)ctx;
    if (request->order != 0 || pool->count == 0)
        return false;
    out->virt = pool->pages[--pool->count];
    out->phys = (uintptr_t)out->virt - bench_host_base();
    memset(out->virt, 0, 4096);
    return true;
}

void bench_pages_free(void *ctx, struct sluice_pages pages, unsigned order)
{
    struct pool *pool = &pools[bench_pool];

    (void)ctx;
    (void)order;
    pool->pages[pool->count++] = pages.virt;
}

uintptr_t bench_host_base(void)
{
    return (uintptr_t)arena - (uintptr_t)BENCH_PHYS_BASE;
}

void bench_host_init(struct sluice *sluice)
{
    static const struct sluice_host_ops ops = {.pages_alloc = bench_pages_alloc,
                                               .pages_free = bench_pages_free};
    const size_t bytes = BENCH_POOLS * POOL_PAGES * 4096ull;

    /* Aligned so that the host's own page faults and huge pages are the same in every run. */
    if (arena == NULL)
        arena = aligned_alloc(1u << 21, bytes);
    if (arena == NULL) {
        fprintf(stderr, "bench: no memory\n");
        exit(1);
    }
    memset(arena, 0xff, bytes);
    for (unsigned i = 0; i < BENCH_POOLS * POOL_PAGES; i++) {
        struct pool *pool = &pools[i / POOL_PAGES];

        if (i % POOL_PAGES == 0)
            pool->count = 0;
        pool->pages[pool->count++] = arena + i * 4096ull;
    }
    memset(sluice, 0, sizeof(*sluice));
    sluice->ops = &ops;
    sluice->config.ops = &ops;
    sluice->config.linear_map = true;
    sluice->config.linear_base = bench_host_base();
}
