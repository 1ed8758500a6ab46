// SPDX-License-Identifier: MIT
/*
 * The simulated host's RAM and its page allocator.
 *
 * Freed pages are filled with poison and checked for it when they are handed out again and when
 * the host goes, so a write by a device or by software after the free is found. The lowest free
 * block is handed out, so what was freed is reused soon: stale translations then hit live data.
 */
#include "models/host_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct model_extent default_extents[] = {
    {0x100000, (uint64_t)16 << 20},
    {(uint64_t)4 << 30, (uint64_t)16 << 20},
};

static void *reserve_span(size_t bytes, int protection)
{
    void *at = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        abort();
    return at;
}

/* All extents at one distance from their physical addresses. */
static void place_linear(struct model_host *host)
{
    const struct extent *last = &host->extents[host->extent_count - 1];
    uint64_t first = host->extents[0].base;

    host->reservation_bytes = (size_t)(last->base + last->bytes - first);
    host->reservation = reserve_span(host->reservation_bytes, PROT_NONE);
    host->linear_base = (uintptr_t)host->reservation - (uintptr_t)first;
    for (unsigned i = 0; i < host->extent_count; i++) {
        struct extent *extent = &host->extents[i];

        extent->virt = (uint8_t *)host->reservation + (extent->base - first);
    }
}

/** Fresh memory that can be mapped a second time, at `at` or anywhere. */
static uint8_t *map_file(uint8_t *at, size_t bytes, int *out_file)
{
    void *virt;

    *out_file = memfd_create("ram", MFD_CLOEXEC);
    if (*out_file < 0 || ftruncate(*out_file, (off_t)bytes) != 0)
        abort();
    virt = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | (at != NULL ? MAP_FIXED : 0),
                *out_file, 0);
    if (virt == MAP_FAILED)
        abort();
    return virt;
}

static void init_extent(struct model_host *host, struct extent *extent)
{
    size_t pages = (size_t)(extent->bytes / MODEL_PAGE_BYTES);

    extent->virt = map_file(extent->virt, (size_t)extent->bytes, &extent->file);
    extent->shadow_file = -1;
    if (host->config.non_coherent)
        extent->shadow = map_file(NULL, (size_t)extent->bytes, &extent->shadow_file);
    extent->state = model_zalloc(pages);
    extent->order = model_zalloc(pages);
    memset(extent->virt, MODEL_POISON_BYTE, (size_t)extent->bytes);
    if (extent->shadow != NULL)
        memset(extent->shadow, MODEL_POISON_BYTE, (size_t)extent->bytes);
}

void host_memory_init(struct model_host *host)
{
    struct model_host_config *config = &host->config;

    if (config->extents[0].bytes == 0)
        memcpy(config->extents, default_extents, sizeof(default_extents));
    for (unsigned i = 0; i < MODEL_EXTENTS_MAX && config->extents[i].bytes != 0; i++) {
        const struct model_extent *from = &config->extents[i];

        if ((from->base | from->bytes) % MODEL_PAGE_BYTES != 0)
            abort();
        host->extents[i].base = from->base;
        host->extents[i].bytes = from->bytes;
        host->extent_count++;
    }
    if (!config->not_linear)
        place_linear(host);
    for (unsigned i = 0; i < host->extent_count; i++)
        init_extent(host, &host->extents[i]);
}

void host_memory_release(struct model_host *host)
{
    for (unsigned i = 0; i < host->extent_count; i++) {
        struct extent *extent = &host->extents[i];

        if (host->reservation == NULL)
            munmap(extent->virt, (size_t)extent->bytes);
        if (extent->shadow != NULL)
            munmap(extent->shadow, (size_t)extent->bytes);
        (void)close(extent->file);
        if (extent->shadow_file >= 0)
            (void)close(extent->shadow_file);
        free(extent->state);
        free(extent->order);
    }
    if (host->reservation != NULL)
        munmap(host->reservation, host->reservation_bytes);
}

struct extent *host_extent_of(struct model_host *host, sluice_phys_t phys)
{
    for (unsigned i = 0; i < host->extent_count; i++) {
        struct extent *extent = &host->extents[i];

        if (phys >= extent->base && phys - extent->base < extent->bytes)
            return extent;
    }
    return NULL;
}

static uint8_t page_state(const struct extent *extent, uint64_t page)
{
    return __atomic_load_n(&extent->state[page], __ATOMIC_RELAXED);
}

static void set_state(struct extent *extent, uint64_t page, enum page_state state)
{
    __atomic_store_n(&extent->state[page], (uint8_t)state, __ATOMIC_RELAXED);
}

/* The lowest free block in an extent; false when there is none. */
static bool find_block(const struct extent *extent, unsigned order, uint64_t last_end,
                       uint64_t *out_page)
{
    uint64_t count = (uint64_t)1 << order;
    uint64_t base = extent->base / MODEL_PAGE_BYTES;
    uint64_t pages = extent->bytes / MODEL_PAGE_BYTES;
    uint64_t page = extent->first_maybe;

    while (page < pages) {
        uint64_t start = ((base + page + count - 1) & ~(count - 1)) - base;
        uint64_t run = 0;

        if (start + count > pages || base + start + count > last_end)
            return false;
        while (run < count && page_state(extent, start + run) == PAGE_FREE)
            run++;
        if (run == count) {
            *out_page = start;
            return true;
        }
        page = start + run + 1;
    }
    return false;
}

static bool is_poison(const uint8_t *at, size_t bytes)
{
    return at[0] == MODEL_POISON_BYTE && memcmp(at, at + 1, bytes - 1) == 0;
}

static void take_block(struct extent *extent, uint64_t page, unsigned order, enum page_state state)
{
    uint64_t count = (uint64_t)1 << order;

    set_state(extent, page, state);
    extent->order[page] = (uint8_t)order;
    for (uint64_t i = 1; i < count; i++)
        set_state(extent, page + i, PAGE_TAIL);
    if (page == extent->first_maybe)
        extent->first_maybe = page + count;
}

static bool alloc_block(struct model_host *host, unsigned order, uint64_t last_end,
                        enum page_state state, struct sluice_pages *out)
{
    size_t bytes = (size_t)MODEL_PAGE_BYTES << order;
    bool clean;

    for (unsigned i = 0; i < host->extent_count; i++) {
        struct extent *extent = &host->extents[i];
        uint64_t page;

        if (!find_block(extent, order, last_end, &page))
            continue;
        take_block(extent, page, order, state);
        out->phys = extent->base + page * MODEL_PAGE_BYTES;
        out->virt = extent->virt + page * MODEL_PAGE_BYTES;
        pthread_mutex_unlock(&host->lock);
        clean = is_poison(out->virt, bytes);
        if (!clean)
            model_host_violate(host, "memory: block %#llx was written while it was free",
                               (unsigned long long)out->phys);
        memset(out->virt, 0, bytes);
        pthread_mutex_lock(&host->lock);
        return true;
    }
    return false;
}

static bool free_block(struct model_host *host, struct sluice_pages pages, unsigned order,
                       enum page_state state)
{
    struct extent *extent = host_extent_of(host, pages.phys);
    uint64_t page;

    if (extent == NULL || pages.phys % MODEL_PAGE_BYTES != 0)
        return false;
    page = (pages.phys - extent->base) / MODEL_PAGE_BYTES;
    if (page_state(extent, page) != state || extent->order[page] != order ||
        pages.virt != extent->virt + page * MODEL_PAGE_BYTES)
        return false;
    /* Poison first: nobody else can get the block before its state says free. */
    memset(pages.virt, MODEL_POISON_BYTE, (size_t)MODEL_PAGE_BYTES << order);
    for (uint64_t i = 0; i < (uint64_t)1 << order; i++)
        set_state(extent, page + i, PAGE_FREE);
    if (page < extent->first_maybe)
        extent->first_maybe = page;
    return true;
}

/** The page after the last one that may be used. */
static uint64_t page_limit(bool below_4g, sluice_phys_t last)
{
    uint64_t end = below_4g ? ((uint64_t)1 << 32) / MODEL_PAGE_BYTES : UINT64_MAX;

    return last != 0 && (last + 1) / MODEL_PAGE_BYTES < end ? (last + 1) / MODEL_PAGE_BYTES : end;
}

bool host_pages_alloc(void *ctx, const struct sluice_page_request *request,
                      struct sluice_pages *out)
{
    struct model_host *host = ctx;
    bool given;

    pthread_mutex_lock(&host->lock);
    given =
        !host_allocation_fails_locked(host) &&
        alloc_block(host, request->order,
                    page_limit(request->below_4g, host->config.ignores_last ? 0 : request->last),
                    PAGE_LIBRARY, out);
    if (given)
        host->pages_in_use += (uint64_t)1 << request->order;
    pthread_mutex_unlock(&host->lock);
    return given;
}

void host_pages_free(void *ctx, struct sluice_pages pages, unsigned order)
{
    struct model_host *host = ctx;
    bool taken;

    pthread_mutex_lock(&host->lock);
    taken = free_block(host, pages, order, PAGE_LIBRARY);
    if (taken)
        host->pages_in_use -= (uint64_t)1 << order;
    pthread_mutex_unlock(&host->lock);
    if (!taken)
        model_host_violate(host, "pages_free: %#llx (virtual %p) order %u is not what was given",
                           (unsigned long long)pages.phys, pages.virt, order);
}

uint64_t model_host_pages_in_use(struct model_host *host)
{
    uint64_t count;

    pthread_mutex_lock(&host->lock);
    count = host->pages_in_use;
    pthread_mutex_unlock(&host->lock);
    return count;
}

struct sluice_pages model_host_buffer(struct model_host *host, unsigned order, bool below_4g)
{
    struct sluice_pages pages = {0};

    pthread_mutex_lock(&host->lock);
    if (!alloc_block(host, order, page_limit(below_4g, 0), PAGE_TEST, &pages))
        abort();
    pthread_mutex_unlock(&host->lock);
    return pages;
}

void model_host_buffer_free(struct model_host *host, struct sluice_pages pages, unsigned order)
{
    bool taken;

    pthread_mutex_lock(&host->lock);
    taken = free_block(host, pages, order, PAGE_TEST);
    pthread_mutex_unlock(&host->lock);
    if (!taken)
        abort();
}

void model_host_reserve(struct model_host *host, sluice_phys_t phys, uint64_t bytes)
{
    pthread_mutex_lock(&host->lock);
    for (uint64_t at = phys; at < phys + bytes; at += MODEL_PAGE_BYTES) {
        struct extent *extent = host_extent_of(host, at);
        uint64_t page;

        if (extent == NULL)
            continue;
        page = (at - extent->base) / MODEL_PAGE_BYTES;
        if (page_state(extent, page) != PAGE_FREE)
            abort();
        set_state(extent, page, PAGE_RESERVED);
        memset(extent->virt + page * MODEL_PAGE_BYTES, 0, MODEL_PAGE_BYTES);
    }
    pthread_mutex_unlock(&host->lock);
}

/* What was freed and not reused must still be poison. */
void host_memory_check_free(struct model_host *host)
{
    for (unsigned i = 0; i < host->extent_count; i++) {
        const struct extent *extent = &host->extents[i];

        for (uint64_t page = 0; page < extent->bytes / MODEL_PAGE_BYTES; page++) {
            sluice_phys_t at = extent->base + page * MODEL_PAGE_BYTES;

            if (page_state(extent, page) == PAGE_FREE &&
                !is_poison(extent->virt + page * MODEL_PAGE_BYTES, MODEL_PAGE_BYTES))
                model_host_violate(host, "memory: page %#llx was written while it was free",
                                   (unsigned long long)at);
        }
    }
}

bool host_memory_extent(void *ctx, unsigned index, sluice_phys_t *out_first,
                        sluice_phys_t *out_last)
{
    const struct model_host *host = ctx;

    if (index >= host->extent_count)
        return false;
    *out_first = host->extents[index].base;
    *out_last = host->extents[index].base + host->extents[index].bytes - 1;
    return true;
}

void *model_host_virt(struct model_host *host, sluice_phys_t phys)
{
    const struct extent *extent = host_extent_of(host, phys);

    return extent != NULL ? extent->virt + (phys - extent->base) : NULL;
}

void *host_phys_to_virt(void *ctx, sluice_phys_t phys)
{
    struct model_host *host = ctx;
    void *virt = model_host_virt(host, phys);

    if (virt == NULL)
        model_host_violate(host, "phys_to_virt: %#llx is not RAM", (unsigned long long)phys);
    return virt;
}
