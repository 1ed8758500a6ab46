// SPDX-License-Identifier: MIT
/*
 * Memory as hardware sees it. A unit that does not snoop, or that sits behind write buffers, reads
 * a shadow copy, which cache_clean updates by lines and a write-buffer flush by pages; everything
 * else reads RAM itself. All accesses are atomic words, since units and CPUs run in parallel.
 */
#include "models/host_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CACHE_LINE_BYTES 64u

static void copy_words(uint8_t *to, const uint8_t *from, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
        uint64_t word =
            __atomic_load_n((const uint64_t *)(const void *)(from + at), __ATOMIC_ACQUIRE);

        __atomic_store_n((uint64_t *)(void *)(to + at), word, __ATOMIC_RELEASE);
    }
}

void host_cache_clean(void *ctx, const void *virt, size_t bytes)
{
    struct model_host *host = ctx;
    const uint8_t *first = virt;

    for (unsigned i = 0; i < host->extent_count; i++) {
        struct extent *extent = &host->extents[i];
        size_t from, end;

        if (first < extent->virt || first >= extent->virt + extent->bytes)
            continue;
        from = (size_t)(first - extent->virt) & ~(size_t)(CACHE_LINE_BYTES - 1);
        end = (size_t)(first - extent->virt) + bytes;
        end = (end + CACHE_LINE_BYTES - 1) & ~(size_t)(CACHE_LINE_BYTES - 1);
        if (end > extent->bytes) {
            model_host_violate(host, "cache_clean: %zu bytes at %p leave RAM", bytes, virt);
            end = (size_t)extent->bytes;
        }
        copy_words(extent->shadow + from, extent->virt + from, end - from);
        return;
    }
    model_host_violate(host, "cache_clean: %p is not RAM", virt);
}

void host_cache_invalidate(void *ctx, void *virt, size_t bytes)
{
    struct model_host *host = ctx;
    uint8_t *first = virt;

    for (unsigned i = 0; i < host->extent_count; i++) {
        struct extent *extent = &host->extents[i];
        size_t at = (size_t)(first - extent->virt);

        if (first < extent->virt || first >= extent->virt + extent->bytes)
            continue;
        if (bytes > extent->bytes - at)
            model_host_violate(host, "cache_invalidate: %zu bytes at %p leave RAM", bytes, virt);
        /* Only these bytes: what a line at an end holds of others is kept. */
        for (size_t j = 0; j < bytes && at + j < extent->bytes; j++)
            __atomic_store_n(&first[j], __atomic_load_n(&extent->shadow[at + j], __ATOMIC_RELAXED),
                             __ATOMIC_RELAXED);
        return;
    }
    model_host_violate(host, "cache_invalidate: %p is not RAM", virt);
}

void model_host_snoop_devices(struct model_host *host, bool snoop)
{
    if (!host->config.non_coherent)
        abort();
    atomic_store(&host->devices_behind, !snoop);
}

void *host_vmap(void *ctx, const struct sluice_vmap_request *request)
{
    struct model_host *host = ctx;
    bool uncached = request->mode != SLUICE_CACHE_NORMAL;
    uint8_t *virt = mmap(NULL, request->count * MODEL_PAGE_BYTES, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool fails;

    pthread_mutex_lock(&host->lock);
    fails = host_allocation_fails_locked(host);
    host->vmaps += !fails;
    pthread_mutex_unlock(&host->lock);
    if (virt == MAP_FAILED)
        abort();
    for (size_t i = 0; i < request->count && !fails; i++) {
        const struct extent *extent = host_extent_of(host, request->pages[i]);
        int file;

        if (extent == NULL || request->pages[i] % MODEL_PAGE_BYTES != 0) {
            model_host_violate(host, "vmap: %#llx is no page of RAM",
                               (unsigned long long)request->pages[i]);
            continue;
        }
        file = uncached && extent->shadow != NULL ? extent->shadow_file : extent->file;
        if (mmap(virt + i * MODEL_PAGE_BYTES, MODEL_PAGE_BYTES, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_FIXED, file,
                 (off_t)(request->pages[i] - extent->base)) == MAP_FAILED)
            abort();
    }
    if (fails)
        munmap(virt, request->count * MODEL_PAGE_BYTES);
    return fails ? NULL : virt;
}

void host_vunmap(void *ctx, void *virt, size_t count)
{
    struct model_host *host = ctx;

    if (munmap(virt, count * MODEL_PAGE_BYTES) != 0)
        abort();
    pthread_mutex_lock(&host->lock);
    host->vmaps--;
    pthread_mutex_unlock(&host->lock);
}

unsigned model_host_vmaps(struct model_host *host)
{
    unsigned count;

    pthread_mutex_lock(&host->lock);
    count = host->vmaps;
    pthread_mutex_unlock(&host->lock);
    return count;
}

void model_host_buffer_writes(struct model_host *host)
{
    if (host->config.non_coherent)
        abort();
    host->writes_buffered = true;
    for (unsigned i = 0; i < host->extent_count; i++) {
        struct extent *extent = &host->extents[i];

        extent->shadow = mmap(NULL, (size_t)extent->bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (extent->shadow == MAP_FAILED)
            abort();
        memset(extent->shadow, MODEL_POISON_BYTE, (size_t)extent->bytes);
    }
}

void model_host_flush_writes(struct model_host *host)
{
    if (!host->writes_buffered)
        return;
    for (unsigned i = 0; i < host->extent_count; i++) {
        struct extent *extent = &host->extents[i];

        for (uint64_t page = 0; page < extent->bytes / MODEL_PAGE_BYTES; page++) {
            uint64_t at = page * MODEL_PAGE_BYTES;

            if (__atomic_load_n(&extent->state[page], __ATOMIC_RELAXED) != PAGE_FREE)
                copy_words(extent->shadow + at, extent->virt + at, MODEL_PAGE_BYTES);
        }
    }
}

static const uint64_t *view(struct model_host *host, sluice_phys_t phys, enum model_path path,
                            const char *who)
{
    const struct extent *extent = host_extent_of(host, phys);
    uint64_t at;

    if (extent == NULL)
        return NULL;
    at = phys - extent->base;
    if (__atomic_load_n(&extent->state[at / MODEL_PAGE_BYTES], __ATOMIC_RELAXED) == PAGE_FREE)
        model_host_violate(host, "%s read %#llx, which is free memory", who,
                           (unsigned long long)phys);
    if (path == MODEL_BEHIND && extent->shadow != NULL)
        return (const uint64_t *)(const void *)(extent->shadow + at);
    return (const uint64_t *)(const void *)(extent->virt + at);
}

bool model_host_fetch64(struct model_host *host, sluice_phys_t phys, enum model_path path,
                        const char *who, uint64_t *out)
{
    const uint64_t *word = view(host, phys & ~(sluice_phys_t)7, path, who);

    if (word == NULL)
        return false;
    *out = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    return true;
}

bool model_host_fetch128(struct model_host *host, sluice_phys_t phys, enum model_path path,
                         const char *who, uint64_t out[2])
{
    const uint64_t *word = view(host, phys & ~(sluice_phys_t)15, path, who);
    uint64_t low;

    if (word == NULL)
        return false;
    /* Read until nothing changed between: an entry is swapped whole by software. */
    do {
        low = __atomic_load_n(&word[0], __ATOMIC_ACQUIRE);
        out[1] = __atomic_load_n(&word[1], __ATOMIC_ACQUIRE);
        out[0] = __atomic_load_n(&word[0], __ATOMIC_ACQUIRE);
    } while (out[0] != low);
    return true;
}

static bool all_ram(struct model_host *host, sluice_phys_t phys, size_t bytes)
{
    const struct extent *extent = host_extent_of(host, phys);

    return extent != NULL && bytes <= extent->bytes - (phys - extent->base);
}

bool model_host_read(struct model_host *host, sluice_phys_t phys, void *data, size_t bytes)
{
    const struct extent *extent;
    const uint8_t *from;
    uint8_t *to = data;

    if (!all_ram(host, phys, bytes))
        return false;
    extent = host_extent_of(host, phys);
    from = (atomic_load(&host->devices_behind) ? extent->shadow : extent->virt) +
           (phys - extent->base);
    for (size_t i = 0; i < bytes; i++)
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    return true;
}

bool model_host_write(struct model_host *host, sluice_phys_t phys, const void *data, size_t bytes)
{
    const struct extent *extent = host_extent_of(host, phys);
    const uint8_t *from = data;

    if (!all_ram(host, phys, bytes))
        return false;
    for (size_t i = 0; i < bytes; i++) {
        uint64_t at = phys - extent->base + i;

        if (!atomic_load(&host->devices_behind))
            __atomic_store_n(&extent->virt[at], from[i], __ATOMIC_RELAXED);
        if (extent->shadow != NULL)
            __atomic_store_n(&extent->shadow[at], from[i], __ATOMIC_RELAXED);
    }
    return true;
}

bool model_host_store32(struct model_host *host, sluice_phys_t phys, uint32_t value)
{
    const struct extent *extent = host_extent_of(host, phys);
    uint64_t at;

    if (extent == NULL || phys % sizeof(value) != 0)
        return false;
    at = phys - extent->base;
    if (extent->shadow != NULL)
        __atomic_store_n((uint32_t *)(void *)(extent->shadow + at), value, __ATOMIC_RELEASE);
    /* Release: a waiter that sees the status sees what hardware did before. */
    __atomic_store_n((uint32_t *)(void *)(extent->virt + at), value, __ATOMIC_RELEASE);
    return true;
}
