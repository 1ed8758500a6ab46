// SPDX-License-Identifier: MIT
#include "pt_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Looks like a present entry in every format, and points outside the world. */
#define POISON 0x0000a5a5a5a5afffull

#define WORDS (4096u / 8u)

uint64_t pt_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static void world_error(struct pt_world *world, const char *what, uint64_t address)
{
    fprintf(stderr, "page-table host: %s at 0x%" PRIx64 "\n", what, address);
    atomic_fetch_add(&world->errors, 1);
}

static uint64_t *world_words(uint8_t *memory, size_t page)
{
    return (uint64_t *)(void *)(memory + page * 4096u);
}

static void world_fill(uint64_t *words, uint64_t value)
{
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = value;
}

/** A free block of 1 << order pages, from a random place on; WORLD_PAGES when there is none. */
static unsigned world_find(struct pt_world *world, unsigned order)
{
    unsigned size = 1u << order;
    unsigned start = (unsigned)(pt_random(&world->random) % WORLD_PAGES) & ~(size - 1);

    for (unsigned tried = 0; tried < WORLD_PAGES; tried += size) {
        unsigned at = (start + tried) % WORLD_PAGES;
        unsigned i = 0;

        while (i < size && !world->used[at + i])
            i++;
        if (i == size)
            return at;
    }
    return WORLD_PAGES;
}

static void world_take(struct pt_world *world, unsigned page)
{
    uint64_t *words = world_words(world->cpu, page);

    for (unsigned i = 0; i < WORDS; i++) {
        if (words[i] != POISON) {
            world_error(world, "a page was written after it was freed", page * 4096ull + i * 8ull);
            break;
        }
    }
    world->used[page] = true;
    world->live++;
    world_fill(words, 0);
    world_fill(world_words(world->device, page), POISON);
}

static bool world_pages_alloc(void *ctx, const struct sluice_page_request *request,
                              struct sluice_pages *out)
{
    struct pt_world *world = ctx;
    unsigned page = WORLD_PAGES;

    pthread_mutex_lock(&world->lock);
    world->allocations++;
    if (world->fail_after != 0) {
        if (world->fail_after != WORLD_NEVER)
            world->fail_after--;
        page = world_find(world, request->order);
    }
    if (page != WORLD_PAGES) {
        for (unsigned i = 0; i < 1u << request->order; i++)
            world_take(world, page + i);
        out->virt = world->cpu + page * 4096ull;
        out->phys = WORLD_PHYS_BASE + page * 4096ull;
    }
    pthread_mutex_unlock(&world->lock);
    return page != WORLD_PAGES;
}

static void world_pages_free(void *ctx, struct sluice_pages pages, unsigned order)
{
    struct pt_world *world = ctx;
    uint64_t page = (pages.phys - WORLD_PHYS_BASE) / 4096u;

    pthread_mutex_lock(&world->lock);
    if (pages.phys < WORLD_PHYS_BASE || page + (1u << order) > WORLD_PAGES ||
        pages.virt != world->cpu + page * 4096u) {
        world_error(world, "free of a page that was never given", pages.phys);
        order = 0;
        page = WORLD_PAGES;
    }
    for (uint64_t i = page; i < page + (1u << order) && i < WORLD_PAGES; i++) {
        if (!world->used[i])
            world_error(world, "double free", WORLD_PHYS_BASE + i * 4096u);
        world->used[i] = false;
        world->live--;
        world_fill(world_words(world->cpu, i), POISON);
    }
    pthread_mutex_unlock(&world->lock);
}

static void *world_phys_to_virt(void *ctx, sluice_phys_t phys)
{
    struct pt_world *world = ctx;
    uint64_t offset = phys - WORLD_PHYS_BASE;

    if (offset >= WORLD_PAGES * 4096ull) {
        world_error(world, "physical address outside memory", phys);
        abort();
    }
    return world->cpu + offset;
}

static void world_cache_clean(void *ctx, const void *virt, size_t bytes)
{
    struct pt_world *world = ctx;
    uintptr_t first = ((uintptr_t)virt - (uintptr_t)world->cpu) & ~(uintptr_t)63;
    uintptr_t end = ((uintptr_t)virt - (uintptr_t)world->cpu + bytes + 63) & ~(uintptr_t)63;

    if (world->snooped || end > WORLD_PAGES * 4096ull) {
        world_error(world, "cache clean that is not needed or wrong", first);
        return;
    }
    if (world->dawdle && (bytes == 8 || bytes == 128) &&
        (atomic_fetch_add(&world->cleans, 1) & 3) == 0)
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    /* Other CPUs may be writing other entries of these lines, so word by word; and one clean at a
     * time, or a slow one would put back what a word was before a faster one. */
    pthread_mutex_lock(&world->cleaning);
    for (uintptr_t at = first; at < end; at += 8) {
        _Atomic(uint64_t) *from = (void *)(world->cpu + at);
        _Atomic(uint64_t) *to = (void *)(world->device + at);

        atomic_store(to, atomic_load(from));
    }
    pthread_mutex_unlock(&world->cleaning);
}

static void world_log(void *ctx, enum sluice_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    fprintf(stderr, "# %s\n", line);
}

uint64_t pt_world_read(struct pt_world *world, sluice_phys_t phys)
{
    uint64_t offset = phys - WORLD_PHYS_BASE;
    uint8_t *memory = world->snooped ? world->cpu : world->device;

    if (offset >= WORLD_PAGES * 4096ull || !world->used[offset / 4096u]) {
        world_error(world, "the unit walks memory that is no table", phys);
        return 0;
    }
    return atomic_load((_Atomic(uint64_t) *)(void *)(memory + offset));
}

/** Filling all of memory takes longer than most tests, so it is done once for a program. */
static void world_memory(struct pt_world *world)
{
    static uint8_t *cpu, *device;

    if (cpu == NULL) {
        cpu = aligned_alloc(1u << 21, WORLD_PAGES * 4096ull);
        device = aligned_alloc(1u << 21, WORLD_PAGES * 4096ull);
        for (unsigned i = 0; i < WORLD_PAGES; i++)
            world_fill(world_words(cpu, i), POISON);
    }
    world->cpu = cpu;
    world->device = device;
}

void pt_world_init(struct pt_world *world, bool snooped, bool linear, uint64_t seed)
{
    memset(world, 0, sizeof(*world));
    world->snooped = snooped;
    world->random = seed;
    world->fail_after = WORLD_NEVER;
    pthread_mutex_init(&world->lock, NULL);
    pthread_mutex_init(&world->cleaning, NULL);
    world_memory(world);
    world->ops = (struct sluice_host_ops){.log = world_log,
                                          .pages_alloc = world_pages_alloc,
                                          .pages_free = world_pages_free,
                                          .phys_to_virt = linear ? NULL : world_phys_to_virt,
                                          .cache_clean = world_cache_clean};
    world->sluice.ops = &world->ops;
    world->sluice.config.ops = &world->ops;
    world->sluice.config.ctx = world;
    world->sluice.config.linear_map = linear;
    world->sluice.config.linear_base = (uintptr_t)world->cpu - (uintptr_t)WORLD_PHYS_BASE;
}

void pt_world_fini(struct pt_world *world)
{
    pthread_mutex_destroy(&world->lock);
    pthread_mutex_destroy(&world->cleaning);
    for (unsigned i = 0; i < WORLD_PAGES; i++) {
        if (world->used[i])
            world_fill(world_words(world->cpu, i), POISON);
    }
}
