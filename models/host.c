// SPDX-License-Identifier: MIT
/*
 * The simulated host's frame: creation, the table of hooks, objects, log, violations, time.
 */
#include "models/host_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Before each object: its size, and a word that tells a live object from anything else. */
struct object_head {
    struct object_head *next;
    struct object_head *prev;
    uint64_t bytes;
    uint64_t magic;
};

#define OBJECT_LIVE 0x6c6976656f626a31u
#define OBJECT_DEAD 0x646561646f626a31u

void *model_zalloc(size_t bytes)
{
    void *memory = calloc(1, bytes);

    if (memory == NULL)
        abort();
    return memory;
}

/* ---- violations ---- */

void model_host_violate(struct model_host *host, const char *format, ...)
{
    va_list args;

    pthread_mutex_lock(&host->lock);
    if (host->violations < VIOLATIONS_KEPT) {
        va_start(args, format);
        (void)vsnprintf(host->violation_text[host->violations], VIOLATION_TEXT_BYTES, format, args);
        va_end(args);
    }
    host->violations++;
    pthread_mutex_unlock(&host->lock);
}

unsigned model_host_violations(struct model_host *host)
{
    unsigned count;

    pthread_mutex_lock(&host->lock);
    count = host->violations;
    pthread_mutex_unlock(&host->lock);
    return count;
}

const char *model_host_violation(struct model_host *host, unsigned index)
{
    unsigned count = model_host_violations(host);

    return index < count && index < VIOLATIONS_KEPT ? host->violation_text[index] : NULL;
}

bool model_host_violated(struct model_host *host, const char *text)
{
    const char *line;

    for (unsigned i = 0; (line = model_host_violation(host, i)) != NULL; i++) {
        if (strstr(line, text) != NULL)
            return true;
    }
    return false;
}

void model_host_violations_clear(struct model_host *host)
{
    pthread_mutex_lock(&host->lock);
    host->violations = 0;
    pthread_mutex_unlock(&host->lock);
}

unsigned model_host_violations_print(struct model_host *host)
{
    const char *line;

    for (unsigned i = 0; (line = model_host_violation(host, i)) != NULL; i++)
        (void)fprintf(stderr, "# violation: %s\n", line);
    return model_host_violations(host);
}

/* ---- log ---- */

static void host_log(void *ctx, enum sluice_log_level level, const char *line)
{
    struct model_host *host = ctx;
    size_t bytes = strlen(line) + 1;

    if (host->config.echo_log)
        (void)fprintf(stderr, "# log %u: %s\n", (unsigned)level, line);
    pthread_mutex_lock(&host->lock);
    if ((unsigned)level < MODEL_LOG_LEVELS)
        host->log_counts[level]++;
    if (bytes < LOG_KEPT_BYTES) {
        if (host->log_used + bytes > LOG_KEPT_BYTES)
            host->log_used = 0;
        memcpy(host->log + host->log_used, line, bytes);
        host->log_used += bytes;
    }
    pthread_mutex_unlock(&host->lock);
}

unsigned model_host_log_count(struct model_host *host, enum sluice_log_level level)
{
    unsigned count;

    pthread_mutex_lock(&host->lock);
    count = (unsigned)level < MODEL_LOG_LEVELS ? host->log_counts[level] : 0;
    pthread_mutex_unlock(&host->lock);
    return count;
}

bool model_host_logged(struct model_host *host, const char *text)
{
    bool found = false;

    pthread_mutex_lock(&host->lock);
    for (size_t at = 0; at < host->log_used && !found; at += strlen(host->log + at) + 1)
        found = strstr(host->log + at, text) != NULL;
    pthread_mutex_unlock(&host->lock);
    return found;
}

void model_host_log_clear(struct model_host *host)
{
    pthread_mutex_lock(&host->lock);
    host->log_used = 0;
    memset(host->log_counts, 0, sizeof(host->log_counts));
    pthread_mutex_unlock(&host->lock);
}

/* ---- objects ---- */

bool host_allocation_fails_locked(struct model_host *host)
{
    uint64_t index = host->allocations++;

    return index == host->fail_at || (host->fail_all_after && index > host->fail_at);
}

static void *host_alloc(void *ctx, size_t bytes)
{
    struct model_host *host = ctx;
    struct object_head *head = NULL;

    pthread_mutex_lock(&host->lock);
    if (!host_allocation_fails_locked(host)) {
        head = model_zalloc(sizeof(*head) + bytes);
        head->bytes = bytes;
        head->magic = OBJECT_LIVE;
        head->next = host->objects;
        if (head->next != NULL)
            head->next->prev = head;
        host->objects = head;
        host->objects_in_use++;
    }
    pthread_mutex_unlock(&host->lock);
    return head != NULL ? head + 1 : NULL;
}

static void host_free(void *ctx, void *memory, size_t bytes)
{
    struct model_host *host = ctx;
    struct object_head *head;

    if (memory == NULL) {
        model_host_violate(host, "free: of NULL");
        return;
    }
    head = (struct object_head *)memory - 1;
    if (head->magic != OBJECT_LIVE) {
        model_host_violate(host, "free: %p is not a live object", memory);
        return;
    }
    if (head->bytes != bytes)
        model_host_violate(host, "free: of %zu bytes, but %llu were allocated", bytes,
                           (unsigned long long)head->bytes);
    head->magic = OBJECT_DEAD;
    pthread_mutex_lock(&host->lock);
    if (head->next != NULL)
        head->next->prev = head->prev;
    if (head->prev != NULL)
        head->prev->next = head->next;
    else
        host->objects = head->next;
    host->objects_in_use--;
    pthread_mutex_unlock(&host->lock);
    free(head);
}

uint64_t model_host_objects_in_use(struct model_host *host)
{
    uint64_t count;

    pthread_mutex_lock(&host->lock);
    count = host->objects_in_use;
    pthread_mutex_unlock(&host->lock);
    return count;
}

uint64_t model_host_allocations(struct model_host *host)
{
    uint64_t count;

    pthread_mutex_lock(&host->lock);
    count = host->allocations;
    pthread_mutex_unlock(&host->lock);
    return count;
}

void model_host_fail_allocation(struct model_host *host, uint64_t nth, bool all_after)
{
    pthread_mutex_lock(&host->lock);
    host->fail_at = host->allocations + nth;
    host->fail_all_after = all_after;
    pthread_mutex_unlock(&host->lock);
}

void model_host_fail_no_more(struct model_host *host)
{
    pthread_mutex_lock(&host->lock);
    host->fail_at = UINT64_MAX;
    host->fail_all_after = false;
    pthread_mutex_unlock(&host->lock);
}

/* ---- time ---- */

static uint64_t real_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void run_ticks(struct model_host *host)
{
    for (unsigned i = 0; i < host->tick_count; i++)
        host->ticks[i](host->tick_args[i]);
}

static uint64_t host_now_ns(void *ctx)
{
    struct model_host *host = ctx;

    run_ticks(host);
    if (host->config.real_clock)
        return real_ns();
    return atomic_fetch_add(&host->clock_ns, host->config.clock_step_ns) +
           host->config.clock_step_ns;
}

static void host_stall_ns(void *ctx, uint64_t ns)
{
    struct model_host *host = ctx;
    struct timespec pause = {.tv_nsec = (long)(ns % 1000000000u),
                             .tv_sec = (time_t)(ns / 1000000000u)};

    run_ticks(host);
    if (host->config.real_clock)
        (void)nanosleep(&pause, NULL);
    else
        atomic_fetch_add(&host->clock_ns, ns);
}

void model_host_clock_advance(struct model_host *host, uint64_t ns)
{
    atomic_fetch_add(&host->clock_ns, ns);
}

uint64_t model_host_clock(struct model_host *host)
{
    return host->config.real_clock ? real_ns() : atomic_load(&host->clock_ns);
}

void model_host_add_tick(struct model_host *host, void (*tick)(void *arg), void *arg)
{
    if (host->tick_count == TICKS_MAX)
        abort();
    host->ticks[host->tick_count] = tick;
    host->tick_args[host->tick_count++] = arg;
}

static void host_dma_poll_at(void *ctx, uint64_t time_ns)
{
    struct model_host *host = ctx;
    uint64_t seen = atomic_load(&host->poll_at_ns);

    while (time_ns < seen && !atomic_compare_exchange_weak(&host->poll_at_ns, &seen, time_ns))
        continue;
}

uint64_t model_host_poll_at(struct model_host *host)
{
    return atomic_exchange(&host->poll_at_ns, UINT64_MAX);
}

static unsigned host_cpu_count(void *ctx)
{
    return ((const struct model_host *)ctx)->config.cpus;
}

/* ---- life ---- */

static void fill_ops(struct model_host *host)
{
    const struct model_host_config *config = &host->config;

    host->ops = (struct sluice_host_ops){
        .log = host_log,
        .alloc = host_alloc,
        .free = host_free,
        .pages_alloc = host_pages_alloc,
        .pages_free = host_pages_free,
        .phys_to_virt = config->not_linear ? host_phys_to_virt : NULL,
        .cache_clean = config->non_coherent ? host_cache_clean : NULL,
        .cache_invalidate = config->non_coherent ? host_cache_invalidate : NULL,
        .vmap = config->no_vmap ? NULL : host_vmap,
        .vunmap = config->no_vmap ? NULL : host_vunmap,
        .dma_poll_at = host_dma_poll_at,
        .mmio_map = host_mmio_map,
        .mmio_unmap = host_mmio_unmap,
        .mmio_read32 = host_mmio_read32,
        .mmio_read64 = host_mmio_read64,
        .mmio_write32 = host_mmio_write32,
        .mmio_write64 = host_mmio_write64,
        .mmio_read8 = host_mmio_read8,
        .mmio_read16 = host_mmio_read16,
        .mmio_write8 = host_mmio_write8,
        .mmio_write16 = host_mmio_write16,
        .pci_read = host_pci_read,
        .pci_write = host_pci_write,
        .now_ns = host_now_ns,
        .stall_ns = host_stall_ns,
        .cpu_count = host_cpu_count,
        .memory_extent = config->no_extents ? NULL : host_memory_extent,
        .event_install = config->no_events ? NULL : host_event_install,
        .event_remove = config->no_events ? NULL : host_event_remove,
        .defer = host_defer,
    };
}

struct model_host *model_host_create(const struct model_host_config *config)
{
    struct model_host *host = model_zalloc(sizeof(*host));

    if (config != NULL)
        host->config = *config;
    if (host->config.cpus == 0)
        host->config.cpus = 1;
    if (host->config.clock_step_ns == 0)
        host->config.clock_step_ns = 1000;
    pthread_mutex_init(&host->lock, NULL);
    pthread_cond_init(&host->event_done, NULL);
    host->fail_at = UINT64_MAX;
    atomic_init(&host->poll_at_ns, UINT64_MAX);
    host->log = model_zalloc(LOG_KEPT_BYTES);
    host_memory_init(host);
    fill_ops(host);
    return host;
}

static void release_objects(struct model_host *host)
{
    struct object_head *head;

    while ((head = host->objects) != NULL) {
        host->objects = head->next;
        free(head);
    }
}

unsigned model_host_destroy(struct model_host *host)
{
    unsigned violations;

    host_memory_check_free(host);
    violations = model_host_violations(host);
    if (violations != 0)
        model_host_violations_print(host);
    /* What a test that breaks the library on purpose leaves behind was counted by it before. */
    release_objects(host);
    host_io_release(host);
    host_pci_release(host);
    host_memory_release(host);
    pthread_cond_destroy(&host->event_done);
    pthread_mutex_destroy(&host->lock);
    free(host->log);
    free(host);
    return violations;
}

const struct sluice_host_ops *model_host_ops(const struct model_host *host)
{
    return &host->ops;
}

void model_host_configure(struct model_host *host, struct sluice_config *config)
{
    config->ops = &host->ops;
    config->ctx = host;
    config->log_level = SLUICE_LOG_DEBUG;
    config->linear_map = !host->config.not_linear;
    config->linear_base = host->linear_base;
}
