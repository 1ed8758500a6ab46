// SPDX-License-Identifier: MIT
#include "dma_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ARENA_PAGES 16384u
#define PHYS_BASE   ((sluice_phys_t)0x04000000) /* what a device of 27 bits reaches ... */
#define BUFFER_BASE (PHYS_BASE + (uint64_t)ARENA_PAGES * 4096) /* ... and what it does not */

_Thread_local unsigned thread_cpu;

/** One arena for pages, cut by order from the front; freed ones go to a stack an order. */
static uint8_t *arena;
static size_t arena_used;
static void *free_pages[11][ARENA_PAGES];
static unsigned free_count[11];

/** A unit's queue and doorbell, as memory. */
static _Alignas(128) volatile uint64_t queue[256][2];
static _Alignas(128) volatile uint64_t doorbell;
static _Alignas(128) volatile uint32_t status_word;
static unsigned tail;
static uint64_t invalidations;

static void die(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static void *host_zalloc(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void host_release(void *ctx, void *memory, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(memory);
}

static bool pages_alloc(void *ctx, const struct sluice_page_request *request,
                        struct sluice_pages *out)
{
    size_t bytes = (size_t)4096 << request->order;

    (void)ctx;
    if (request->order > 10)
        return false;
    if (free_count[request->order] != 0) {
        out->virt = free_pages[request->order][--free_count[request->order]];
    } else {
        arena_used = (arena_used + bytes - 1) & ~(bytes - 1);
        if (arena_used + bytes > ARENA_PAGES * (size_t)4096)
            return false;
        out->virt = arena + arena_used;
        arena_used += bytes;
    }
    memset(out->virt, 0, bytes);
    out->phys = PHYS_BASE + (sluice_phys_t)((uint8_t *)out->virt - arena);
    return true;
}

static void pages_free(void *ctx, struct sluice_pages pages, unsigned order)
{
    (void)ctx;
    free_pages[order][free_count[order]++] = pages.virt;
}

static uint64_t now_ns(void *ctx)
{
    struct timespec at;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000ull + (uint64_t)at.tv_nsec;
}

void *bench_virt(sluice_phys_t phys)
{
    return arena + (phys - PHYS_BASE);
}

sluice_phys_t bench_buffer(void)
{
    return BUFFER_BASE;
}

/* ---- the unit ---- */

static enum sluice_status geometry(struct unit *unit, struct pt_config *config)
{
    (void)unit;
    config->format = &pt_format_vtd_second_stage;
    config->levels = 4;
    config->iova_bits = 48;
    config->phys_bits = 46;
    config->page_sizes = (1ull << 12) | (1ull << 21) | (1ull << 30);
    config->coherent = true;
    config->node = -1;
    return SLUICE_OK;
}

static enum sluice_status link_open(struct unit *unit, struct domain_link *link)
{
    (void)unit;
    (void)link;
    return SLUICE_OK;
}

static void put(uint64_t low, uint64_t high)
{
    queue[tail][0] = low;
    queue[tail][1] = high;
    tail = (tail + 1) % 256;
}

static enum sluice_status submit(struct unit *unit, const struct unit_invalidation *invalidation,
                                 struct unit_ticket *out)
{
    const struct pt_gather *gather = invalidation->gather;

    (void)unit;
    invalidations++;
    for (unsigned i = 0; gather != NULL && i < gather->count; i++)
        put(0x32, gather->ranges[i].first);
    if (gather == NULL)
        put(0x22, 0);
    put(0x25, (uint64_t)(uintptr_t)&status_word);
    status_word = 0;
    sluice_device_fence();
    doorbell = tail;
    status_word = 1; /* the unit is done */
    out->value[0] = tail;
    return SLUICE_OK;
}

static enum sluice_status wait_done(struct unit *unit, const struct unit_ticket *ticket)
{
    (void)ticket;
    /* A driver has read the clock for its deadline by now, and leaves what it read. */
    atomic_store_explicit(&unit->latency.seen_ns, invalidations, memory_order_relaxed);
    return status_word == 1 ? SLUICE_OK : SLUICE_ERR_TIMEOUT;
}

static const struct unit_ops unit_ops = {
    .driver = "none",
    .geometry = geometry,
    .link_open = link_open,
    .invalidate_submit = submit,
    .invalidate_wait = wait_done,
};

void bench_invalidate(struct bench_world *world)
{
    struct pt_gather gather;
    const struct unit_invalidation what = {.gather = &gather};
    struct unit_ticket ticket;

    pt_gather_init(&gather);
    pt_gather_add(&gather, &(struct pt_range){.first = 0x1000, .last = 0x1fff, .page_lg2 = 12});
    if (world->unit.ops->invalidate_submit(&world->unit, &what, &ticket) != SLUICE_OK ||
        world->unit.ops->invalidate_wait(&world->unit, &ticket) != SLUICE_OK)
        die("invalidation");
}

uint64_t bench_invalidations(void)
{
    return invalidations;
}

/* ---- the instance ---- */

static void init_instance(struct bench_world *world)
{
    static const struct sluice_host_ops ops = {
        .alloc = host_zalloc,
        .free = host_release,
        .pages_alloc = pages_alloc,
        .pages_free = pages_free,
        .now_ns = now_ns,
    };
    struct sluice *sluice = &world->sluice;

    arena = aligned_alloc(1u << 22, ARENA_PAGES * (size_t)4096 + BENCH_BUFFER_BYTES);
    if (arena == NULL)
        die("no memory");
    memset(arena, 0x5a, ARENA_PAGES * (size_t)4096 + BENCH_BUFFER_BYTES);
    sluice->ops = &ops;
    sluice->config.ops = &ops;
    sluice->config.linear_map = true;
    sluice->config.linear_base = (uintptr_t)arena - (uintptr_t)PHYS_BASE;
    sluice->cpu_count = 2;
    sluice->state = INSTANCE_STARTED;
    list_init(&sluice->units);
    list_init(&sluice->devices);
    list_init(&sluice->domains);
    world->unit.sluice = sluice;
    world->unit.ops = &unit_ops;
    list_append(&sluice->units, &world->unit.node);
}

static void init_domain(struct bench_world *world, struct bench_domain *bench, bool lazy,
                        bool untrusted)
{
    const struct sluice_domain_config config = {.kind = SLUICE_DOMAIN_DMA, .lazy = lazy};
    struct sluice_dma_config dma = {.device = &bench->device, .address_bits = 64};
    struct domain_link *link;

    if (domain_create_locked(&world->sluice, &config, NULL, &bench->domain) != SLUICE_OK ||
        domain_link_get_locked(bench->domain, &world->unit, &link) != SLUICE_OK)
        die("no domain");
    bench->device = (struct sluice_device){.sluice = &world->sluice,
                                           .unit = &world->unit,
                                           .domain = bench->domain,
                                           .untrusted = untrusted};
    if (sluice_dma_open(&world->sluice, &dma, &bench->dma) != SLUICE_OK)
        die("no DMA");
}

void bench_world_init(struct bench_world *world)
{
    const struct sluice_dma_config bare = {.address_bits = 27, .name = "bare"};

    memset(world, 0, sizeof(*world));
    init_instance(world);
    init_domain(world, &world->strict, false, false);
    init_domain(world, &world->lazy, true, false);
    init_domain(world, &world->untrusted, false, true);
    if (sluice_dma_open(&world->sluice, &bare, &world->bare) != SLUICE_OK)
        die("no DMA");
}
