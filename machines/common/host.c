// SPDX-License-Identifier: MIT
#include "host.h"

#include <sluice/dma.h>

#include "arch.h"
#include "mmio.h"
#include "pages.h"
#include "pci.h"
#include "print.h"
#include "reset.h"

#define EVENTS_LIMIT   8u
#define DEFERRED_LIMIT 16u
#define KEPT_LIMIT     1024u

struct event {
    struct sluice_event_handler handler;
    unsigned irq;
    bool has_irq; /* else it is connected to its wires */
    bool used;
};

struct deferred {
    void (*work)(void *arg);
    void *arg;
};

static struct event events[EVENTS_LIMIT];
static struct deferred deferred[DEFERRED_LIMIT];
static unsigned deferred_head, deferred_tail;
static uint64_t event_count, busy_ns, pages_held, objects_held;
static uint64_t kept_pages[KEPT_LIMIT]; /* the first pages of what the library holds, by address */
static unsigned kept_count;
static uint64_t poll_at_ns = UINT64_MAX;
static enum sluice_log_level shown_level = SLUICE_LOG_INFO;

static void host_log(void *ctx, enum sluice_log_level level, const char *line)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    (void)ctx;
    if (level <= shown_level)
        machine_print("      [sluice %s] %s\n", names[level & 3], line);
}

/* What an object takes in pages of its own; small ones are cut from pages that are kept. */
static uint64_t pages_of_object(size_t bytes)
{
    uint64_t pages = 1;
    if (bytes <= MACHINE_OBJECT_SMALL)
        return 0;
    while (pages * MACHINE_PAGE_BYTES < bytes)
        pages *= 2;
    return pages;
}

static void *host_alloc(void *ctx, size_t bytes)
{
    (void)ctx;
    void *object = machine_object_alloc(bytes);
    if (object != NULL) {
        objects_held++;
        pages_held += pages_of_object(bytes);
    }
    return object;
}

static void host_free(void *ctx, void *memory, size_t bytes)
{
    (void)ctx;
    machine_object_free(memory, bytes);
    objects_held--;
    pages_held -= pages_of_object(bytes);
}

static void keep_page(uint64_t phys)
{
    if (kept_count < KEPT_LIMIT)
        kept_pages[kept_count++] = phys;
}

static void forget_page(uint64_t phys)
{
    for (unsigned i = kept_count; i-- > 0;) {
        if (kept_pages[i] != phys)
            continue;
        kept_pages[i] = kept_pages[--kept_count];
        return;
    }
}

static bool host_pages_alloc(void *ctx, const struct sluice_page_request *request,
                             struct sluice_pages *out)
{
    (void)ctx;
    uint64_t phys;
    /* High where allowed, so that an address cut to 32 bits cannot work by luck. */
    if (!machine_pages_alloc(request->order,
                             request->below_4g ? MACHINE_PAGES_LOW : MACHINE_PAGES_HIGH, &phys))
        return false;
    /* Low pages are found lowest first, so there is no better one. */
    if (request->last != 0 &&
        phys + ((uint64_t)MACHINE_PAGE_BYTES << request->order) - 1 > request->last) {
        machine_pages_free(phys, request->order);
        return false;
    }
    pages_held += 1ull << request->order;
    keep_page(phys);
    *out = (struct sluice_pages){arch_phys_to_virt(phys), phys};
    return true;
}

static void host_pages_free(void *ctx, struct sluice_pages pages, unsigned order)
{
    (void)ctx;
    pages_held -= 1ull << order;
    forget_page(pages.phys);
    machine_pages_free(pages.phys, order);
}

static void *host_phys_to_virt(void *ctx, sluice_phys_t phys)
{
    (void)ctx;
    return arch_phys_to_virt(phys);
}

static void host_cache_clean(void *ctx, const void *virt, size_t bytes)
{
    (void)ctx;
    arch_cache_clean(virt, bytes);
}

static bool host_mmio_map(void *ctx, sluice_phys_t phys, uint64_t bytes, void **out_handle)
{
    (void)ctx;
    *out_handle = (void *)(uintptr_t)arch_map_mmio(phys, bytes);
    return true;
}

static void host_mmio_unmap(void *ctx, void *handle, uint64_t bytes)
{
    /* Register mappings are kept: mapping the same registers again finds them. */
    (void)ctx;
    (void)handle;
    (void)bytes;
}

static uint32_t host_mmio_read32(void *ctx, void *handle, uint64_t offset)
{
    (void)ctx;
    return mmio_read32(handle, offset);
}

static uint64_t host_mmio_read64(void *ctx, void *handle, uint64_t offset)
{
    (void)ctx;
    return mmio_read64(handle, offset);
}

static void host_mmio_write32(void *ctx, void *handle, uint64_t offset, uint32_t value)
{
    (void)ctx;
    mmio_write32(handle, offset, value);
}

static void host_mmio_write64(void *ctx, void *handle, uint64_t offset, uint64_t value)
{
    (void)ctx;
    mmio_write64(handle, offset, value);
}

static uint8_t host_mmio_read8(void *ctx, void *handle, uint64_t offset)
{
    (void)ctx;
    return mmio_read8(handle, offset);
}

static uint16_t host_mmio_read16(void *ctx, void *handle, uint64_t offset)
{
    (void)ctx;
    return mmio_read16(handle, offset);
}

static void host_mmio_write8(void *ctx, void *handle, uint64_t offset, uint8_t value)
{
    (void)ctx;
    mmio_write8(handle, offset, value);
}

static void host_mmio_write16(void *ctx, void *handle, uint64_t offset, uint16_t value)
{
    (void)ctx;
    mmio_write16(handle, offset, value);
}

static uint32_t host_pci_read(void *ctx, uint16_t segment, uint16_t rid, uint16_t offset,
                              unsigned width)
{
    (void)ctx;
    return pci_config_read(segment, rid, offset, width);
}

static void host_pci_write(void *ctx, uint16_t segment, uint16_t rid, uint16_t offset,
                           unsigned width, uint32_t value)
{
    (void)ctx;
    pci_config_write(segment, rid, offset, width, value);
}

static uint64_t host_now_ns(void *ctx)
{
    (void)ctx;
    return arch_now_ns();
}

static void host_stall_ns(void *ctx, uint64_t ns)
{
    (void)ctx;
    uint64_t end = arch_now_ns() + ns;
    while (arch_now_ns() < end)
        arch_pause();
}

static unsigned host_cpu_count(void *ctx)
{
    (void)ctx;
    return 1;
}

static bool host_memory_extent(void *ctx, unsigned index, sluice_phys_t *out_first,
                               sluice_phys_t *out_last)
{
    (void)ctx;
    return machine_ram_extent(index, out_first, out_last);
}

static bool host_doorbell_extent(void *ctx, unsigned index, sluice_phys_t *out_first,
                                 sluice_phys_t *out_last)
{
    (void)ctx;
    return arch_doorbell(index, out_first, out_last);
}

static void on_event(void *context)
{
    const struct event *event = context;
    uint64_t before = arch_now_ns();
    event_count++;
    event->handler.handler(event->handler.arg);
    busy_ns += arch_now_ns() - before;
}

/* By message where the machine has one for a unit, else by the unit's wires. */
static bool connect_event(struct event *event, struct sluice_msi *out_msi)
{
    bool any = false;
    *out_msi = (struct sluice_msi){0};
    event->has_irq = arch_irq_alloc(on_event, event, &event->irq);
    if (event->has_irq &&
        arch_irq_message(event->irq, ARCH_NO_SOURCE, &out_msi->address, &out_msi->data))
        return true;
    if (event->has_irq)
        arch_irq_free(event->irq);
    event->has_irq = false;
    for (unsigned i = 0; i < SLUICE_UNIT_WIRES_MAX; i++)
        any |= event->handler.wires[i] != 0 &&
               arch_wire_connect(event->handler.wires[i], on_event, event);
    return any;
}

static bool host_event_install(void *ctx, const char *unit,
                               const struct sluice_event_handler *handler,
                               struct sluice_msi *out_msi, void **out_handle)
{
    (void)ctx;
    (void)unit;
    for (unsigned i = 0; i < EVENTS_LIMIT; i++) {
        struct event *event = &events[i];
        if (event->used)
            continue;
        event->handler = *handler;
        event->used = connect_event(event, out_msi);
        *out_handle = event;
        return event->used;
    }
    return false;
}

static void host_event_remove(void *ctx, void *handle)
{
    (void)ctx;
    struct event *event = handle;
    /* One CPU and not in its handler, so it is not running. */
    if (event->has_irq)
        arch_irq_free(event->irq);
    for (unsigned i = 0; i < SLUICE_UNIT_WIRES_MAX && !event->has_irq; i++)
        arch_wire_disconnect(event->handler.wires[i]);
    event->used = false;
}

static void host_dma_poll_at(void *ctx, uint64_t time_ns)
{
    (void)ctx;
    if (time_ns < poll_at_ns)
        poll_at_ns = time_ns;
}

uint64_t machine_host_poll_at(void)
{
    return poll_at_ns;
}

uint64_t machine_host_run_timer(struct sluice *sluice)
{
    uint64_t now = arch_now_ns();
    if (now < poll_at_ns)
        return 0;
    poll_at_ns = UINT64_MAX;
    (void)sluice_dma_poll(sluice);
    return now;
}

static bool host_defer(void *ctx, void (*work)(void *arg), void *arg)
{
    (void)ctx;
    bool irqs = arch_irqs_disable();
    bool room = deferred_tail - deferred_head < DEFERRED_LIMIT;
    if (room)
        deferred[deferred_tail++ % DEFERRED_LIMIT] = (struct deferred){work, arg};
    arch_irqs_restore(irqs);
    return room;
}

void machine_host_run_deferred(void)
{
    for (unsigned i = 0; i < DEFERRED_LIMIT; i++) {
        bool irqs = arch_irqs_disable();
        bool any = deferred_head != deferred_tail;
        struct deferred job = deferred[deferred_head % DEFERRED_LIMIT];
        if (any)
            deferred_head++;
        arch_irqs_restore(irqs);
        if (!any)
            return;
        uint64_t before = arch_now_ns(), inside = busy_ns;
        job.work(job.arg);
        /* An event that came meanwhile has counted itself. */
        busy_ns += arch_now_ns() - before - (busy_ns - inside);
    }
}

uint64_t machine_host_events(void)
{
    return event_count;
}

uint64_t machine_host_busy_ns(void)
{
    return busy_ns;
}

bool machine_host_page(unsigned index, uint64_t *out_phys)
{
    if (index < kept_count)
        *out_phys = kept_pages[index];
    return index < kept_count;
}

uint64_t machine_host_pages_held(void)
{
    return pages_held;
}

uint64_t machine_host_objects_held(void)
{
    return objects_held;
}

void machine_host_set_log_level(enum sluice_log_level level)
{
    shown_level = level;
}

const struct sluice_host_ops machine_host_ops = {
    .log = host_log,
    .alloc = host_alloc,
    .free = host_free,
    .pages_alloc = host_pages_alloc,
    .pages_free = host_pages_free,
    .phys_to_virt = host_phys_to_virt,
    .cache_clean = host_cache_clean,
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
    .memory_extent = host_memory_extent,
    .doorbell_extent = host_doorbell_extent,
    .event_install = host_event_install,
    .event_remove = host_event_remove,
    .dma_poll_at = host_dma_poll_at,
    .device_reset = machine_device_reset,
    .defer = host_defer,
};
