// SPDX-License-Identifier: MIT
/*
 * The DMA device: accesses through the unit, a loop on steps or a thread, and a device TLB. Its
 * state is guarded by its unit's lock, so that an access is one with the look into the TLB.
 */
#include "models/dma_device.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TLB_ENTRIES 64u
#define LOOP_BYTES  64u

struct tlb_entry {
    bool used;
    uint64_t page;
    sluice_phys_t phys;
    bool read, write;
};

struct dma_device {
    struct model_host *host;
    const struct model_unit_ops *ops;
    void *unit;
    uint16_t rid;
    bool ats;
    struct tlb_entry tlb[TLB_ENTRIES];
    unsigned tlb_next;
    bool withhold, disobey;
    unsigned withheld;
    struct dma_device_loop loop;
    struct dma_device_counts counts;
    pthread_t thread;
    atomic_bool running;
};

static bool invalidate(void *arg, uint64_t first, uint64_t last)
{
    struct dma_device *device = arg;

    for (unsigned i = 0; i < TLB_ENTRIES && !device->disobey; i++) {
        struct tlb_entry *entry = &device->tlb[i];

        if (entry->page <= last && entry->page + 0xfff >= first)
            entry->used = false;
    }
    if (device->withhold)
        device->withheld++;
    return !device->withhold;
}

struct dma_device *dma_device_create(struct model_host *host, struct vtd_model *unit, uint16_t rid,
                                     bool ats)
{
    return dma_device_create_on(host, &vtd_model_ops, unit, rid, ats);
}

struct dma_device *dma_device_create_on(struct model_host *host, const struct model_unit_ops *ops,
                                        void *unit, uint16_t rid, bool ats)
{
    struct dma_device *device = calloc(1, sizeof(*device));

    if (device == NULL)
        abort();
    device->host = host;
    device->ops = ops;
    device->unit = unit;
    device->rid = rid;
    device->ats = ats;
    if (ats)
        ops->connect(unit, rid, &(struct model_endpoint){invalidate, device});
    return device;
}

void dma_device_destroy(struct dma_device *device)
{
    free(device);
}

uint16_t dma_device_rid(const struct dma_device *device)
{
    return device->rid;
}

/* The device TLB's entry for a page, asked from the unit when there is none. */
static const struct tlb_entry *lookup(struct dma_device *device, uint64_t page)
{
    struct model_translation answer;
    struct tlb_entry *entry;

    for (unsigned i = 0; i < TLB_ENTRIES; i++) {
        if (device->tlb[i].used && device->tlb[i].page == page)
            return &device->tlb[i];
    }
    device->ops->ats_request(device->unit, device->rid, page, &answer);
    if (!answer.valid)
        return NULL;
    entry = &device->tlb[device->tlb_next++ % TLB_ENTRIES];
    *entry = (struct tlb_entry){true, page, answer.phys, answer.read, answer.write};
    return entry;
}

static bool access_chunk(struct dma_device *device, uint64_t address, void *data, size_t bytes,
                         bool write, struct model_dma_result *result)
{
    struct model_dma_request request = {.rid = device->rid, .address = address, .write = write};
    bool window = address >= MODEL_WINDOW_FIRST && address <= MODEL_WINDOW_LAST;

    if (device->ats && !window) {
        const struct tlb_entry *entry = lookup(device, address & ~(uint64_t)0xfff);

        if (entry != NULL && (write ? entry->write : entry->read)) {
            request.address = entry->phys | (address & 0xfff);
            request.translated = true;
        }
    }
    return device->ops->dma(device->unit, &request, data, bytes, result);
}

static bool access_memory(struct dma_device *device, uint64_t address, uint8_t *data, size_t bytes,
                          bool write, struct model_dma_result *out)
{
    struct model_dma_result total = {.done = true};

    device->ops->lock(device->unit);
    while (total.moved < bytes && total.done) {
        uint64_t at = address + total.moved;
        size_t room = (size_t)(MODEL_PAGE_BYTES - at % MODEL_PAGE_BYTES);
        size_t chunk = bytes - total.moved < room ? bytes - total.moved : room;
        struct model_dma_result part;

        total.done = access_chunk(device, at, data + total.moved, chunk, write, &part);
        total.reason = part.reason;
        total.address = at & ~(uint64_t)0xfff;
        total.moved += part.moved;
    }
    device->ops->unlock(device->unit);
    if (out != NULL)
        *out = total;
    return total.done;
}

bool dma_device_read(struct dma_device *device, uint64_t address, void *data, size_t bytes,
                     struct model_dma_result *result)
{
    bool done = access_memory(device, address, data, bytes, false, result);

    (void)model_host_run_events(device->host);
    return done;
}

bool dma_device_write(struct dma_device *device, uint64_t address, const void *data, size_t bytes,
                      struct model_dma_result *result)
{
    uint8_t *copy = malloc(bytes + 1);
    bool done;

    if (copy == NULL)
        abort();
    memcpy(copy, data, bytes);
    done = access_memory(device, address, copy, bytes, true, result);
    free(copy);
    (void)model_host_run_events(device->host);
    return done;
}

bool dma_device_forge(struct dma_device *device, uint64_t phys, void *data, size_t bytes,
                      bool write, struct model_dma_result *result)
{
    struct model_dma_request request = {
        .rid = device->rid, .address = phys, .write = write, .translated = true};
    bool done = device->ops->dma(device->unit, &request, data, bytes, result);

    (void)model_host_run_events(device->host);
    return done;
}

bool dma_device_msi(struct dma_device *device, uint64_t address, uint32_t data)
{
    return dma_device_write(device, address, &data, sizeof(data), NULL);
}

void dma_device_loop(struct dma_device *device, const struct dma_device_loop *loop)
{
    if (loop->bytes > LOOP_BYTES)
        abort();
    device->ops->lock(device->unit);
    device->loop = *loop;
    memset(&device->counts, 0, sizeof(device->counts));
    device->ops->unlock(device->unit);
}

bool dma_device_step(struct dma_device *device)
{
    uint8_t data[LOOP_BYTES];
    struct dma_device_loop loop;
    bool done;

    device->ops->lock(device->unit);
    loop = device->loop;
    memset(data, loop.fill, sizeof(data));
    done = access_memory(device, loop.address, data, loop.bytes, loop.write, NULL);
    if (done)
        device->counts.moved++;
    else
        device->counts.refused++;
    if (done && !loop.write)
        memcpy(device->counts.last, data, loop.bytes);
    device->ops->unlock(device->unit);
    (void)model_host_run_events(device->host);
    return done;
}

void dma_device_counts(struct dma_device *device, struct dma_device_counts *out)
{
    device->ops->lock(device->unit);
    *out = device->counts;
    device->ops->unlock(device->unit);
}

static void *run(void *arg)
{
    struct dma_device *device = arg;
    const struct timespec pause = {.tv_nsec = device->loop.pause_ns};

    while (atomic_load(&device->running)) {
        (void)dma_device_step(device);
        if (pause.tv_nsec != 0)
            (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

void dma_device_start(struct dma_device *device)
{
    atomic_store(&device->running, true);
    if (pthread_create(&device->thread, NULL, run, device) != 0)
        abort();
}

void dma_device_stop(struct dma_device *device)
{
    atomic_store(&device->running, false);
    (void)pthread_join(device->thread, NULL);
}

void dma_device_withhold(struct dma_device *device, bool withhold)
{
    device->ops->lock(device->unit);
    device->withhold = withhold;
    device->ops->unlock(device->unit);
}

void dma_device_disobey(struct dma_device *device, bool disobey)
{
    device->ops->lock(device->unit);
    device->disobey = disobey;
    device->ops->unlock(device->unit);
}

void dma_device_complete(struct dma_device *device)
{
    unsigned count;

    device->ops->lock(device->unit);
    count = device->withheld;
    device->withheld = 0;
    while (count-- != 0)
        device->ops->endpoint_completed(device->unit, device->rid);
    device->ops->unlock(device->unit);
}

unsigned dma_device_tlb_entries(struct dma_device *device)
{
    unsigned count = 0;

    device->ops->lock(device->unit);
    for (unsigned i = 0; i < TLB_ENTRIES; i++)
        count += device->tlb[i].used;
    device->ops->unlock(device->unit);
    return count;
}
