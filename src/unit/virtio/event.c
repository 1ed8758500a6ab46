// SPDX-License-Identifier: MIT
/*
 * The event queue [Virtio 5.13.6.8]: buffers that the device fills with fault reports. It drops
 * reports silently when it has no buffer; that all of them were full at once is the only sign.
 *
 * Each buffer has one descriptor of the same number, so nothing the device writes leads elsewhere:
 * numbers and lengths are checked, and an index that cannot be ends the reading.
 */
#include "unit/virtio/virtio.h"

#define TAKE_AT_ONCE 16u /* reports between two deliveries: what fits on the stack */
#define EVENT_ROUNDS 8u  /* whole queues that one interrupt drains */

bool viommu_events_allocate(struct viommu *viommu)
{
    struct viommu_events *events = &viommu->events;

    events->size = viommu->capability.queue_size[VIOMMU_EVENTS];
    events->count = events->size < VIOMMU_EVENTS_MAX ? events->size : VIOMMU_EVENTS_MAX;
    if (!host_pages_alloc(viommu->unit.sluice, VIOMMU_QUEUE_ORDER, -1, &events->pages)) {
        events->pages.virt = NULL;
        return false;
    }
    if (!host_pages_alloc(viommu->unit.sluice, 0, -1, &events->buffers)) {
        events->buffers.virt = NULL;
        return false;
    }
    return true;
}

/* Puts a buffer into the ring; the device is told by show(). */
static void give(struct viommu_events *events, unsigned buffer)
{
    atomic_store_explicit(&viommu_driver_area(&events->pages)[2 + events->given % events->size],
                          (uint16_t)buffer, memory_order_relaxed);
    events->given++;
}

static void show(struct viommu_events *events)
{
    sluice_device_fence(); /* ring before the index; and what was read before it is given again */
    atomic_store_explicit(&viommu_driver_area(&events->pages)[1], events->given,
                          memory_order_release);
}

void viommu_events_reset(struct viommu *viommu)
{
    struct viommu_events *events = &viommu->events;
    sluice_irqstate_t irq = sluice_spin_lock(&viommu->log_lock);
    struct virtq_descriptor *descriptors = events->pages.virt;

    __builtin_memset(events->pages.virt, 0, SLUICE_PAGE_BYTES << VIOMMU_QUEUE_ORDER);
    events->used = events->given = 0;
    events->broken = false;
    for (unsigned i = 0; i < events->count; i++) {
        descriptors[i] = (struct virtq_descriptor){.address = events->buffers.phys +
                                                              (sluice_phys_t)i * VIOMMU_EVENT_BYTES,
                                                   .bytes = sizeof(struct viommu_fault),
                                                   .flags = VIRTQ_F_WRITE};
        give(events, i);
    }
    show(events);
    sluice_spin_unlock(&viommu->log_lock, irq);
}

void viommu_events_place(const struct viommu *viommu, struct viommu_place *out)
{
    sluice_phys_t phys = viommu->events.pages.phys;

    *out = (struct viommu_place){viommu->events.size, phys, phys + VIOMMU_DRIVER_AREA,
                                 phys + VIOMMU_DEVICE_AREA};
}

void viommu_fault_decode(const struct viommu_fault *report, struct sluice_fault *out)
{
    static const struct {
        const char *text;
        enum sluice_fault_reason reason;
    } rows[] = {
        [VIOMMU_FAULT_UNKNOWN] = {"UNKNOWN: the device does not say why", SLUICE_FAULT_OTHER},
        [VIOMMU_FAULT_DOMAIN] = {"DOMAIN: the endpoint is in no domain", SLUICE_FAULT_BLOCKED},
        [VIOMMU_FAULT_MAPPING] = {"MAPPING: nothing is mapped that allows the access",
                                  SLUICE_FAULT_NOT_MAPPED},
    };
    bool known = report->reason < sizeof(rows) / sizeof(rows[0]);

    *out = (struct sluice_fault){
        .source = report->endpoint,
        .pasid = SLUICE_NO_PASID,
        .access = SLUICE_ACCESS_UNKNOWN,
        .reason = known ? rows[report->reason].reason : SLUICE_FAULT_OTHER,
        .hardware_code = report->reason,
        .hardware_text = known ? rows[report->reason].text : "unknown reason",
        .address = (report->flags & VIOMMU_FAULT_F_ADDRESS) != 0 ? report->address : 0,
        .address_valid = (report->flags & VIOMMU_FAULT_F_ADDRESS) != 0,
    };
    if ((report->flags & VIOMMU_FAULT_F_WRITE) != 0)
        out->access = SLUICE_ACCESS_WRITE;
    else if ((report->flags & VIOMMU_FAULT_F_READ) != 0)
        out->access = SLUICE_ACCESS_READ;
}

/* One entry of the used ring: copies its report, and gives the buffer back. False: no report. */
static bool take_entry(struct viommu_events *events, const struct virtq_used_entry *entry,
                       struct viommu_fault *out)
{
    bool good = entry->id < events->count && entry->bytes >= sizeof(*out);

    if (good)
        __builtin_memcpy(
            out, (const uint8_t *)events->buffers.virt + (size_t)entry->id * VIOMMU_EVENT_BYTES,
            sizeof(*out));
    else
        events->odd++;
    if (entry->id < events->count)
        give(events, entry->id);
    return good;
}

static unsigned waiting_locked(struct viommu *viommu)
{
    struct viommu_events *events = &viommu->events;
    uint16_t index, waiting;

    if (!events->enabled || events->broken)
        return 0;
    /* Acquire: reports were written before the index; pairs with the device's order. */
    index = atomic_load_explicit(&viommu_device_area(&events->pages)[1], memory_order_acquire);
    waiting = (uint16_t)(index - events->used);
    if (waiting <= events->count)
        return waiting;
    events->broken = true;
    log_error(viommu->unit.sluice,
              "%s: it says that %u of %u buffers hold fault reports: no more of them are read",
              viommu->unit.name, (unsigned)waiting, events->count);
    return 0;
}

/* Copies up to `limit` reports out; *out_taken is how many entries were used up for them. */
static unsigned take_locked(struct viommu *viommu, struct viommu_fault *reports, unsigned limit,
                            unsigned *out_taken)
{
    struct viommu_events *events = &viommu->events;
    unsigned waiting = waiting_locked(viommu);
    unsigned count = 0;

    if (waiting != 0 && waiting == events->count) {
        events->full++;
        events->lost = true;
    }
    for (*out_taken = 0; *out_taken < limit && *out_taken < waiting; ++*out_taken) {
        const struct virtq_used_entry entry =
            viommu_used_entry(&events->pages, events->used % events->size);

        events->used++;
        if (take_entry(events, &entry, &reports[count]))
            count++;
    }
    if (*out_taken != 0)
        show(events);
    events->seen += count;
    return count;
}

/*
 * What the device does not say, from what it was told: who is blocked, and that an access was
 * denied, not unmapped. By now that may be different, but it mostly is not.
 */
static void refine(struct viommu *viommu, struct sluice_fault *fault)
{
    sluice_irqstate_t irq = sluice_spin_lock(&viommu->lock);
    const struct viommu_endpoint *endpoint = viommu_endpoint_find(viommu, fault->source);
    const struct viommu_domain *domain = endpoint != NULL ? endpoint->domain : NULL;
    const struct told_run *run =
        domain != NULL && fault->address_valid ? told_from(&domain->told, fault->address) : NULL;

    if (domain == NULL) {
        fault->reason = SLUICE_FAULT_BLOCKED;
    } else if (run != NULL && run->mapping.first <= fault->address &&
               fault->reason == SLUICE_FAULT_NOT_MAPPED) {
        if ((run->mapping.flags & VIOMMU_MAP_F_WRITE) == 0 && fault->access != SLUICE_ACCESS_READ) {
            fault->reason = SLUICE_FAULT_WRITE_DENIED;
            fault->access = SLUICE_ACCESS_WRITE;
        } else if ((run->mapping.flags & VIOMMU_MAP_F_READ) == 0 &&
                   fault->access != SLUICE_ACCESS_WRITE) {
            fault->reason = SLUICE_FAULT_READ_DENIED;
            fault->access = SLUICE_ACCESS_READ;
        }
    }
    sluice_spin_unlock(&viommu->lock, irq);
}

static void deliver(struct viommu *viommu, const struct viommu_fault *report, bool lost,
                    unit_fault_sink *sink, void *arg)
{
    struct sluice_fault fault;

    viommu_fault_decode(report, &fault);
    refine(viommu, &fault);
    fault.unit = viommu->unit.name;
    fault.segment = viommu->unit.desc->segment;
    fault.records_lost = lost;
    fault.time_ns = host_now_ns(viommu->unit.sluice);
    sink(arg, &fault);
}

unsigned viommu_faults_drain(struct unit *unit, unit_fault_sink *sink, void *arg)
{
    struct viommu *viommu = viommu_of(unit);
    struct viommu_fault reports[TAKE_AT_ONCE];
    unsigned done = 0, taken = 0, used = 0;

    do {
        sluice_irqstate_t irq = sluice_spin_lock(&viommu->log_lock);
        unsigned count = take_locked(viommu, reports, TAKE_AT_ONCE, &taken);
        bool lost = viommu->events.lost;

        if (count > 0)
            viommu->events.lost = false; /* told with these */
        sluice_spin_unlock(&viommu->log_lock, irq);
        /* There may be room again for what the device waits to report. */
        if (taken > 0)
            viommu->transport->notify(viommu, VIOMMU_EVENTS);
        /* Without the lock: what the host does with a fault may lead back here. */
        for (unsigned i = 0; i < count; i++)
            deliver(viommu, &reports[i], lost, sink, arg);
        done += count;
        used += taken;
    } while (taken == TAKE_AT_ONCE && used < viommu->events.count);
    return done;
}

/* ---- the unit's own interrupt ---- */

void viommu_event(void *arg)
{
    struct viommu *viommu = arg;

    viommu->transport->event_acknowledge(viommu);
    /* A device that faults without end must not hold the CPU. */
    for (unsigned round = 0; round < EVENT_ROUNDS && !unit_events_held(&viommu->unit); round++) {
        if (unit_event_drain(&viommu->unit) == 0)
            break;
    }
}

void viommu_event_on(struct viommu *viommu)
{
    struct sluice *sluice = viommu->unit.sluice;
    struct sluice_event_handler handler = {
        .handler = viommu_event, .arg = viommu, .wires_only = viommu->transport->wired};

    for (unsigned i = 0; i < SLUICE_UNIT_WIRES_MAX; i++)
        handler.wires[i] = viommu->unit.desc->wires[i];
    if (!viommu->has_event)
        viommu->has_event = sluice->ops->event_install != NULL &&
                            sluice->ops->event_install(sluice->config.ctx, viommu->unit.name,
                                                       &handler, &viommu->msi, &viommu->event);
    if (!viommu->has_event || !viommu->transport->event_connect(viommu, &viommu->msi))
        log_info(sluice, "%s: no event interrupt: faults are seen by polling only",
                 viommu->unit.name);
}

void viommu_event_off(struct viommu *viommu, bool remove)
{
    struct sluice *sluice = viommu->unit.sluice;

    viommu->transport->event_disconnect(viommu);
    if (!remove || !viommu->has_event)
        return;
    if (sluice->ops->event_remove != NULL)
        sluice->ops->event_remove(sluice->config.ctx, viommu->event);
    viommu->has_event = false;
}
