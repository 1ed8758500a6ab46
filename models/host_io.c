// SPDX-License-Identifier: MIT
/*
 * The simulated host's registers and interrupts.
 *
 * A message is only marked pending when it arrives; handlers run from model_host_run_events,
 * outside register accesses, as a CPU with interrupts disabled would have it.
 */
#include "models/host_internal.h"

#include <stdlib.h>

/* Depth of register accesses on this thread: interrupts are off while it is not zero. */
static _Thread_local unsigned access_depth;

static struct mmio_region *region_of(struct model_host *host, sluice_phys_t phys, uint64_t bytes)
{
    struct mmio_region *region;

    for (region = host->regions; region != NULL; region = region->next) {
        if (phys >= region->base && phys - region->base < region->bytes &&
            bytes <= region->bytes - (phys - region->base))
            return region;
    }
    return NULL;
}

void model_host_add_mmio(struct model_host *host, sluice_phys_t base, uint64_t bytes,
                         const struct model_mmio_ops *ops, void *arg)
{
    struct mmio_region *region = model_zalloc(sizeof(*region));

    *region = (struct mmio_region){host->regions, base, bytes, ops, arg};
    host->regions = region;
}

bool host_mmio_map(void *ctx, sluice_phys_t phys, uint64_t bytes, void **out_handle)
{
    struct model_host *host = ctx;
    struct mmio_region *region = region_of(host, phys, bytes);
    struct mmio_map *map;

    if (region == NULL || host->fail_mmio_map)
        return false;
    map = model_zalloc(sizeof(*map));
    *map = (struct mmio_map){.region = region, .offset = phys - region->base, .bytes = bytes};
    pthread_mutex_lock(&host->lock);
    map->next = host->maps;
    if (map->next != NULL)
        map->next->prev = map;
    host->maps = map;
    host->mmio_maps++;
    pthread_mutex_unlock(&host->lock);
    *out_handle = map;
    return true;
}

void host_mmio_unmap(void *ctx, void *handle, uint64_t bytes)
{
    struct model_host *host = ctx;
    struct mmio_map *map = handle;

    if (map->bytes != bytes)
        model_host_violate(host, "mmio_unmap: of %llu bytes, but %llu were mapped",
                           (unsigned long long)bytes, (unsigned long long)map->bytes);
    pthread_mutex_lock(&host->lock);
    if (map->next != NULL)
        map->next->prev = map->prev;
    if (map->prev != NULL)
        map->prev->next = map->next;
    else
        host->maps = map->next;
    host->mmio_maps--;
    pthread_mutex_unlock(&host->lock);
    free(map);
}

static bool access_good(struct model_host *host, const struct mmio_map *map, uint64_t offset,
                        unsigned width)
{
    if (offset % width == 0 && offset <= map->bytes && width <= map->bytes - offset)
        return true;
    model_host_violate(host, "registers: %u bytes at offset %#llx of a mapping of %#llx", width,
                       (unsigned long long)offset, (unsigned long long)map->bytes);
    return false;
}

static uint64_t mmio_read(struct model_host *host, const struct mmio_map *map, uint64_t offset,
                          unsigned width)
{
    uint64_t value;

    if (!access_good(host, map, offset, width))
        return UINT64_MAX;
    access_depth++;
    value = map->region->ops->read(map->region->arg, map->offset + offset, width);
    access_depth--;
    return value;
}

static void mmio_write(struct model_host *host, const struct mmio_map *map, uint64_t offset,
                       unsigned width, uint64_t value)
{
    struct model_mmio_event event = {map->region->base + map->offset + offset, width, value, false};

    if (!access_good(host, map, offset, width))
        return;
    access_depth++;
    if (host->hook != NULL)
        host->hook(host->hook_arg, &event);
    map->region->ops->write(map->region->arg, map->offset + offset, width, value);
    event.after = true;
    if (host->hook != NULL)
        host->hook(host->hook_arg, &event);
    access_depth--;
}

uint32_t host_mmio_read32(void *ctx, void *handle, uint64_t offset)
{
    return (uint32_t)mmio_read(ctx, handle, offset, 4);
}

uint64_t host_mmio_read64(void *ctx, void *handle, uint64_t offset)
{
    return mmio_read(ctx, handle, offset, 8);
}

void host_mmio_write32(void *ctx, void *handle, uint64_t offset, uint32_t value)
{
    mmio_write(ctx, handle, offset, 4, value);
}

void host_mmio_write64(void *ctx, void *handle, uint64_t offset, uint64_t value)
{
    mmio_write(ctx, handle, offset, 8, value);
}

uint8_t host_mmio_read8(void *ctx, void *handle, uint64_t offset)
{
    return (uint8_t)mmio_read(ctx, handle, offset, 1);
}

uint16_t host_mmio_read16(void *ctx, void *handle, uint64_t offset)
{
    return (uint16_t)mmio_read(ctx, handle, offset, 2);
}

void host_mmio_write8(void *ctx, void *handle, uint64_t offset, uint8_t value)
{
    mmio_write(ctx, handle, offset, 1, value);
}

void host_mmio_write16(void *ctx, void *handle, uint64_t offset, uint16_t value)
{
    mmio_write(ctx, handle, offset, 2, value);
}

void model_host_set_mmio_hook(struct model_host *host, model_mmio_hook *hook, void *arg)
{
    host->hook_arg = arg;
    host->hook = hook;
}

uint64_t model_host_mmio_read(struct model_host *host, sluice_phys_t phys, unsigned width)
{
    const struct mmio_region *region = region_of(host, phys, width);

    if (region == NULL)
        return UINT64_MAX;
    return region->ops->read(region->arg, phys - region->base, width);
}

void model_host_mmio_write(struct model_host *host, sluice_phys_t phys, unsigned width,
                           uint64_t value)
{
    const struct mmio_region *region = region_of(host, phys, width);

    if (region != NULL)
        region->ops->write(region->arg, phys - region->base, width, value);
}

unsigned model_host_mmio_maps(struct model_host *host)
{
    unsigned count;

    pthread_mutex_lock(&host->lock);
    count = host->mmio_maps;
    pthread_mutex_unlock(&host->lock);
    return count;
}

void model_host_fail_mmio_map(struct model_host *host, bool fail)
{
    host->fail_mmio_map = fail;
}

void model_host_fail_event_install(struct model_host *host, bool fail)
{
    host->fail_event_install = fail;
}

/* ---- interrupts ---- */

bool host_event_install(void *ctx, const char *unit, const struct sluice_event_handler *handler,
                        struct sluice_msi *out_msi, void **out_handle)
{
    struct model_host *host = ctx;
    struct event *event;

    (void)unit;
    if (host->fail_event_install || (handler->wires_only && handler->wires[0] == 0))
        return false;
    event = model_zalloc(sizeof(*event));
    event->handler = *handler;
    pthread_mutex_lock(&host->lock);
    event->msi.address = MODEL_WINDOW_FIRST | (uint64_t)1 << 12;
    event->msi.data = 0x30 + host->events_made++;
    if (host->config.wired_events || handler->wires_only)
        event->msi = (struct sluice_msi){0};
    event->next = host->events;
    host->events = event;
    pthread_mutex_unlock(&host->lock);
    *out_msi = event->msi;
    *out_handle = event;
    return true;
}

void host_event_remove(void *ctx, void *handle)
{
    struct model_host *host = ctx;
    struct event *event = handle;
    struct event **at;

    pthread_mutex_lock(&host->lock);
    for (at = &host->events; *at != NULL && *at != event;)
        at = &(*at)->next;
    if (*at == NULL)
        abort();
    *at = event->next;
    while (event->running != 0)
        pthread_cond_wait(&host->event_done, &host->lock);
    pthread_mutex_unlock(&host->lock);
    free(event);
}

bool host_defer(void *ctx, void (*work)(void *arg), void *arg)
{
    struct model_host *host = ctx;
    struct deferred *item = model_zalloc(sizeof(*item));
    struct deferred **at;

    item->work = work;
    item->arg = arg;
    pthread_mutex_lock(&host->lock);
    for (at = &host->deferred; *at != NULL;)
        at = &(*at)->next;
    *at = item;
    pthread_mutex_unlock(&host->lock);
    return true;
}

void model_host_post_msi(struct model_host *host, uint64_t address, uint32_t data)
{
    struct event *event;

    pthread_mutex_lock(&host->lock);
    for (event = host->events; event != NULL; event = event->next) {
        if (event->msi.address == address && event->msi.data == data)
            break;
    }
    if (event != NULL)
        event->pending++;
    else
        host->stray_msis++;
    pthread_mutex_unlock(&host->lock);
}

void model_host_post_wire(struct model_host *host, uint32_t wire)
{
    struct event *event;

    pthread_mutex_lock(&host->lock);
    for (event = host->events; event != NULL; event = event->next) {
        for (unsigned i = 0; wire != 0 && i < SLUICE_UNIT_WIRES_MAX; i++)
            event->pending += event->handler.wires[i] == wire;
    }
    pthread_mutex_unlock(&host->lock);
}

static bool run_one_event(struct model_host *host)
{
    struct event *event;

    pthread_mutex_lock(&host->lock);
    for (event = host->events; event != NULL && event->pending == 0;)
        event = event->next;
    if (event == NULL) {
        pthread_mutex_unlock(&host->lock);
        return false;
    }
    event->pending--;
    event->running++;
    pthread_mutex_unlock(&host->lock);
    event->handler.handler(event->handler.arg);
    pthread_mutex_lock(&host->lock);
    event->running--;
    pthread_cond_broadcast(&host->event_done);
    pthread_mutex_unlock(&host->lock);
    return true;
}

static bool run_one_deferred(struct model_host *host)
{
    struct deferred *item;

    pthread_mutex_lock(&host->lock);
    item = host->deferred;
    if (item != NULL)
        host->deferred = item->next;
    pthread_mutex_unlock(&host->lock);
    if (item == NULL)
        return false;
    item->work(item->arg);
    free(item);
    return true;
}

unsigned model_host_run_events(struct model_host *host)
{
    unsigned ran = 0;

    if (access_depth != 0)
        return 0;
    while (run_one_event(host) || run_one_deferred(host))
        ran++;
    return ran;
}

unsigned model_host_stray_msis(struct model_host *host)
{
    unsigned count;

    pthread_mutex_lock(&host->lock);
    count = host->stray_msis;
    pthread_mutex_unlock(&host->lock);
    return count;
}

unsigned model_host_events_installed(struct model_host *host)
{
    unsigned count = 0;
    const struct event *event;

    pthread_mutex_lock(&host->lock);
    for (event = host->events; event != NULL; event = event->next)
        count++;
    pthread_mutex_unlock(&host->lock);
    return count;
}

void host_io_release(struct model_host *host)
{
    struct mmio_region *region;
    struct mmio_map *map;
    struct event *event;
    struct deferred *item;

    while ((map = host->maps) != NULL) {
        host->maps = map->next;
        free(map);
    }
    while ((region = host->regions) != NULL) {
        host->regions = region->next;
        free(region);
    }
    while ((event = host->events) != NULL) {
        host->events = event->next;
        free(event);
    }
    while ((item = host->deferred) != NULL) {
        host->deferred = item->next;
        free(item);
    }
}
