// SPDX-License-Identifier: MIT
#include "pagetable_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/** Free pages, the last one freed on top; on cache lines of its own. */
struct pool {
    _Alignas(128) unsigned count;
    void *pages[POOL_PAGES];
};

static struct pool pools[BENCH_POOLS];
static uint8_t *arena;
static unsigned roots; /**< pages of those behind the pools that are given out */
_Thread_local unsigned bench_pool;

/** A block of several pages, aligned to its size. */
static void *root_alloc(unsigned order)
{
    unsigned pages = 1u << order, first = (roots + pages - 1) & ~(pages - 1);

    if (pages > ROOT_PAGES || first > ROOT_PAGES - pages)
        return NULL;
    roots = first + pages;
    return arena + (BENCH_POOLS * POOL_PAGES + first) * 4096ull;
}

bool bench_pages_alloc(void *ctx, const struct sluice_page_request *request,
                       struct sluice_pages *out)
{
    struct pool *pool = &pools[bench_pool];

    (void)ctx;
    if (request->order != 0)
        out->virt = root_alloc(request->order);
    else
        out->virt = pool->count != 0 ? pool->pages[--pool->count] : NULL;
    if (out->virt == NULL)
        return false;
    out->phys = (uintptr_t)out->virt - bench_host_base();
    memset(out->virt, 0, 4096ull << request->order);
    return true;
}

void bench_pages_free(void *ctx, struct sluice_pages pages, unsigned order)
{
    struct pool *pool = &pools[bench_pool];

    (void)ctx;
    if (order == 0)
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
    const size_t bytes = (BENCH_POOLS * POOL_PAGES + ROOT_PAGES) * 4096ull;

    /* Aligned so that the host's own page faults and huge pages are the same in every run. */
    if (arena == NULL)
        arena = aligned_alloc(1u << 21, bytes);
    if (arena == NULL) {
        fprintf(stderr, "bench: no memory\n");
        exit(1);
    }
    memset(arena, 0xff, bytes);
    roots = 0;
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

void bench_check(enum sluice_status status)
{
    if (status != SLUICE_OK) {
        fprintf(stderr, "bench: %s\n", sluice_status_text(status));
        exit(1);
    }
}

uint64_t bench_now_ns(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000ull + (uint64_t)at.tv_nsec;
}

void bench_map(struct pagetable *pt, sluice_iova_t iova, sluice_phys_t phys, uint64_t bytes)
{
    struct pt_gather gather;

    pt_gather_init(&gather);
    bench_check(
        pt->format->map(pt, iova, phys, bytes, SLUICE_PROT_READ | SLUICE_PROT_WRITE, &gather));
}

void bench_unmap(struct pagetable *pt, sluice_iova_t iova, uint64_t bytes, uint64_t *out_bytes)
{
    struct pt_gather gather;

    pt_gather_init(&gather);
    bench_check(pt->format->unmap(pt, iova, bytes, &gather, out_bytes));
    if (gather.freed != 0)
        pt->format->release(pt, &gather);
}
