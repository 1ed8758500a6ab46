// SPDX-License-Identifier: MIT
/*
 * The request queue [Virtio 2.7, 5.13.6]: many requests in flight, told to the device in batches.
 *
 * Each slot is a request, a tail and two descriptors that are chained once and for all. Requests
 * complete in any order; slots are given back in the order of the requests. What the device writes
 * into the used ring is checked against what is in flight: an index, length or count that cannot be
 * makes the queue dead, as does a request that is not answered in time. Nothing that a dead queue's
 * requests were to take away counts as taken away.
 */
#include "unit/virtio/virtio.h"

#define HEALTH_POLLS 256u /* looks at the ring between two at the status register */

static struct virtq_descriptor *descriptor_of(struct viommu *viommu, unsigned index)
{
    return (struct virtq_descriptor *)viommu->queue.pages.virt + index;
}

static uint8_t *slot_memory(struct viommu *viommu, unsigned slot)
{
    return (uint8_t *)viommu->queue.slots.virt + (size_t)slot * VIOMMU_SLOT_BYTES;
}

static unsigned slot_of(const struct viommu *viommu, uint64_t number)
{
    return (unsigned)number & (viommu->capability.slots - 1); /* a power of two */
}

/* Where the device writes the tail. */
static uint8_t *tail_memory(struct viommu *viommu, unsigned slot)
{
    if (viommu->queue.slot[slot].type == VIOMMU_PROBE)
        return (uint8_t *)viommu->queue.probe.virt + viommu->capability.probe_bytes;
    return slot_memory(viommu, slot) + VIOMMU_SLOT_TAIL;
}

bool viommu_queue_allocate(struct viommu *viommu)
{
    struct sluice *sluice = viommu->unit.sluice;
    struct viommu_queue *queue = &viommu->queue;

    queue->next = queue->oldest = 1;
    queue->size = viommu->capability.queue_size[VIOMMU_REQUESTS];
    if (!host_pages_alloc(sluice, VIOMMU_QUEUE_ORDER, -1, &queue->pages)) {
        queue->pages.virt = NULL;
        return false;
    }
    if (!host_pages_alloc(sluice, VIOMMU_SLOTS_ORDER, -1, &queue->slots)) {
        queue->slots.virt = NULL;
        return false;
    }
    if (viommu->capability.probe_bytes == 0)
        return true;
    while (SLUICE_PAGE_BYTES << queue->probe_order <
           viommu->capability.probe_bytes + sizeof(struct viommu_tail))
        queue->probe_order++;
    if (!host_pages_alloc(sluice, queue->probe_order, -1, &queue->probe)) {
        queue->probe.virt = NULL;
        return false;
    }
    return true;
}

/* Slots' own buffers. */
static void slot_describe(struct viommu *viommu, unsigned slot)
{
    sluice_phys_t phys = viommu->queue.slots.phys + (sluice_phys_t)slot * VIOMMU_SLOT_BYTES;

    *descriptor_of(viommu, 2 * slot) = (struct virtq_descriptor){
        .address = phys, .flags = VIRTQ_F_NEXT, .next = (uint16_t)(2 * slot + 1)};
    *descriptor_of(viommu, 2 * slot + 1) =
        (struct virtq_descriptor){.address = phys + VIOMMU_SLOT_TAIL,
                                  .bytes = sizeof(struct viommu_tail),
                                  .flags = VIRTQ_F_WRITE};
}

static void fail_all(struct viommu_queue *queue)
{
    for (uint64_t at = queue->oldest; at != queue->next; at++)
        queue->result[at % VIOMMU_RESULTS] = VIOMMU_S_NONE;
    if (queue->oldest != queue->next)
        queue->failed_last = queue->next - 1;
    queue->oldest = queue->next;
}

void viommu_queue_reset(struct viommu *viommu)
{
    struct viommu_queue *queue = &viommu->queue;
    sluice_irqstate_t irq = sluice_spin_lock(&viommu->lock);

    fail_all(queue);
    __builtin_memset(queue->slot, 0, sizeof(queue->slot));
    __builtin_memset(queue->pages.virt, 0, SLUICE_PAGE_BYTES << VIOMMU_QUEUE_ORDER);
    for (unsigned slot = 0; slot < viommu->capability.slots; slot++)
        slot_describe(viommu, slot);
    atomic_store_explicit(&viommu_driver_area(&viommu->queue.pages)[0], VIRTQ_AVAIL_NO_EVENT,
                          memory_order_relaxed);
    queue->given = queue->shown = queue->used = 0;
    queue->dead = false;
    sluice_spin_unlock(&viommu->lock, irq);
}

void viommu_queue_place(const struct viommu *viommu, struct viommu_place *out)
{
    sluice_phys_t phys = viommu->queue.pages.phys;

    *out = (struct viommu_place){viommu->queue.size, phys, phys + VIOMMU_DRIVER_AREA,
                                 phys + VIOMMU_DEVICE_AREA};
}

void viommu_die_locked(struct viommu *viommu, const char *format, ...)
{
    char why[120];
    va_list args;

    viommu->queue.dead = true;
    va_start(args, format);
    (void)format_text_va(why, sizeof(why), format, args);
    va_end(args);
    unit_degrade(&viommu->unit, "%s", why);
}

const char *viommu_status_text(enum viommu_status status)
{
    static const char *const texts[] = {"ok",           "I/O error",     "not supported",
                                        "device error", "invalid",       "out of range",
                                        "not found",    "address fault", "out of memory"};

    return (unsigned)status < sizeof(texts) / sizeof(texts[0]) ? texts[status] : "no such status";
}

static const char *type_text(unsigned type)
{
    static const char *const texts[] = {"?", "ATTACH", "DETACH", "MAP", "UNMAP", "PROBE"};

    return texts[type < sizeof(texts) / sizeof(texts[0]) ? type : 0];
}

/* ---- completions ---- */

/* The request that is in a slot: there is one of each remainder in flight. */
static uint64_t number_in(const struct viommu *viommu, unsigned slot)
{
    uint64_t oldest = viommu->queue.oldest;
    unsigned slots = viommu->capability.slots;

    return oldest + (slot + slots - slot_of(viommu, oldest)) % slots;
}

static void finish_slot(struct viommu *viommu, unsigned index)
{
    struct viommu_queue *queue = &viommu->queue;
    struct viommu_slot *slot = &queue->slot[index];
    const _Atomic(uint8_t) *tail =
        (const _Atomic(uint8_t) *)(const void *)tail_memory(viommu, index);
    uint8_t result = atomic_load_explicit(tail, memory_order_relaxed);
    uint64_t number = number_in(viommu, index);

    slot->state = VIOMMU_SLOT_DONE;
    queue->result[number % VIOMMU_RESULTS] = result;
    if (result == VIOMMU_S_OK)
        return;
    queue->failures++;
    if (number > queue->failed_last)
        queue->failed_last = number;
    if (slot->owed)
        viommu_die_locked(viommu, "it refused %s: %s (%u)", type_text(slot->type),
                          viommu_status_text(result), (unsigned)result);
}

/* One entry of the used ring; false: nonsense. */
static bool take_entry(struct viommu *viommu, const struct virtq_used_entry *entry)
{
    const struct viommu_queue *queue = &viommu->queue;
    unsigned slot = entry->id / 2;

    if ((entry->id & 1u) != 0 || slot >= viommu->capability.slots ||
        queue->slot[slot].state != VIOMMU_SLOT_SENT) {
        viommu_die_locked(viommu, "it completed request %#x, which was not in flight",
                          (unsigned)entry->id);
        return false;
    }
    if (entry->bytes < sizeof(struct viommu_tail) || entry->bytes > queue->slot[slot].writable) {
        viommu_die_locked(viommu, "it says that it wrote %u of %u bytes of an answer",
                          (unsigned)entry->bytes, (unsigned)queue->slot[slot].writable);
        return false;
    }
    finish_slot(viommu, slot);
    return true;
}

static void give_slots_back(struct viommu *viommu)
{
    struct viommu_queue *queue = &viommu->queue;

    while (queue->oldest != queue->next) {
        struct viommu_slot *slot = &queue->slot[slot_of(viommu, queue->oldest)];

        if (slot->state != VIOMMU_SLOT_DONE)
            return;
        slot->state = VIOMMU_SLOT_FREE;
        queue->oldest++;
    }
}

/* Takes what the device completed. */
static void harvest_locked(struct viommu *viommu)
{
    struct viommu_queue *queue = &viommu->queue;
    uint16_t index, waiting;

    if (queue->dead || !queue->enabled)
        return;
    /* Acquire: entries and tails were written before the index; pairs with the device's order. */
    index =
        atomic_load_explicit(&viommu_device_area(&viommu->queue.pages)[1], memory_order_acquire);
    waiting = (uint16_t)(index - queue->used);
    if (waiting > queue->next - queue->oldest) {
        viommu_die_locked(viommu, "it completed %u requests of %u", (unsigned)waiting,
                          (unsigned)(queue->next - queue->oldest));
        return;
    }
    for (; waiting > 0; waiting--, queue->used++) {
        const struct virtq_used_entry entry =
            viommu_used_entry(&queue->pages, queue->used % queue->size);

        if (!take_entry(viommu, &entry))
            return;
    }
    give_slots_back(viommu);
}

/* Whether the device is still there and well. */
static bool healthy(struct viommu *viommu)
{
    uint8_t status = viommu->transport->status(viommu);

    if (status == VIRTIO_STATUS_GONE) {
        viommu_die_locked(viommu, "registers read all ones while a request was waited for");
        return false;
    }
    if ((status & VIRTIO_STATUS_NEEDS_RESET) != 0 || (status & VIRTIO_STATUS_DRIVER_OK) == 0) {
        viommu_die_locked(viommu, "its status is %#x: it needs a reset", (unsigned)status);
        return false;
    }
    return true;
}

/* One look; OK: everything before `end` is complete. STATE: not yet. */
static enum sluice_status look_locked(struct viommu *viommu, uint64_t end, unsigned poll, bool late)
{
    harvest_locked(viommu);
    if (viommu->queue.dead)
        return SLUICE_ERR_HARDWARE;
    if (viommu->queue.oldest >= end)
        return SLUICE_OK;
    if ((late || poll % HEALTH_POLLS == HEALTH_POLLS - 1) && !healthy(viommu))
        return SLUICE_ERR_HARDWARE;
    if (!late)
        return SLUICE_ERR_STATE;
    viommu_die_locked(viommu, "no answer to %s in time",
                      type_text(viommu->queue.slot[slot_of(viommu, viommu->queue.oldest)].type));
    return SLUICE_ERR_TIMEOUT;
}

enum sluice_status viommu_settle_locked(struct viommu *viommu, uint64_t end)
{
    struct sluice *sluice = viommu->unit.sluice;
    uint64_t deadline = host_deadline_ns(sluice);

    viommu_kick_locked(viommu);
    for (unsigned poll = 0;; poll++) {
        bool late = host_now_ns(sluice) >= deadline; /* before the look: one look after it */
        enum sluice_status status = look_locked(viommu, end, poll, late);

        if (status != SLUICE_ERR_STATE)
            return status;
        host_relax(sluice);
    }
}

enum sluice_status viommu_settle(struct viommu *viommu, uint64_t end,
                                 const struct unit_ticket *ticket)
{
    struct unit_wait wait = unit_wait_begin(&viommu->unit, ticket);

    for (unsigned poll = 0;; poll++) {
        bool late = unit_wait_is_late(&wait);
        sluice_irqstate_t irq = sluice_spin_lock(&viommu->lock);
        enum sluice_status status = look_locked(viommu, end, poll, late);

        if (status == SLUICE_OK)
            unit_note_wait_locked(&wait);
        sluice_spin_unlock(&viommu->lock, irq);
        if (status != SLUICE_ERR_STATE)
            return status;
        host_relax(viommu->unit.sluice);
    }
}

/* ---- sending ---- */

static enum sluice_status room_locked(struct viommu *viommu)
{
    struct viommu_queue *queue = &viommu->queue;

    if (queue->dead || !queue->enabled)
        return SLUICE_ERR_HARDWARE;
    if (queue->next - queue->oldest < viommu->capability.slots)
        return SLUICE_OK;
    /* Half of them, so that the batch after this does not wait for each. */
    return viommu_settle_locked(viommu, queue->next - viommu->capability.slots / 2);
}

static enum sluice_status send(struct viommu *viommu, const struct viommu_request *request,
                               bool owed)
{
    struct viommu_queue *queue = &viommu->queue;
    enum sluice_status status = room_locked(viommu);
    struct virtq_descriptor *answer;
    unsigned slot;

    if (status != SLUICE_OK)
        return status;
    slot = slot_of(viommu, queue->next);
    queue->slot[slot] = (struct viommu_slot){
        .state = VIOMMU_SLOT_SENT,
        .type = (uint8_t)request->word[0],
        .owed = owed,
        .writable = sizeof(struct viommu_tail),
    };
    __builtin_memcpy(slot_memory(viommu, slot), request->word, request->bytes);
    slot_describe(viommu, slot);
    descriptor_of(viommu, 2 * slot)->bytes = request->bytes;
    if (request->word[0] == VIOMMU_PROBE) {
        answer = descriptor_of(viommu, 2 * slot + 1);
        queue->slot[slot].writable += viommu->capability.probe_bytes;
        answer->address = queue->probe.phys;
        answer->bytes = queue->slot[slot].writable;
    }
    *tail_memory(viommu, slot) = VIOMMU_S_NONE; /* so that nothing written is nothing granted */
    atomic_store_explicit(&viommu_driver_area(&viommu->queue.pages)[2 + queue->given % queue->size],
                          (uint16_t)(2 * slot), memory_order_relaxed);
    queue->given++;
    queue->next++;
    return SLUICE_OK;
}

enum sluice_status viommu_send_locked(struct viommu *viommu, const struct viommu_request *request)
{
    return send(viommu, request, false);
}

enum sluice_status viommu_send_owed_locked(struct viommu *viommu,
                                           const struct viommu_request *request)
{
    return send(viommu, request, true);
}

void viommu_kick_locked(struct viommu *viommu)
{
    struct viommu_queue *queue = &viommu->queue;

    if (queue->shown == queue->given || queue->dead)
        return;
    sluice_device_fence(); /* requests and ring before the index [Virtio 2.7.13.2] */
    atomic_store_explicit(&viommu_driver_area(&viommu->queue.pages)[1], queue->given,
                          memory_order_release);
    queue->shown = queue->given;
    sluice_device_fence(); /* the index before the look at the flag [Virtio 2.7.13.4.1] */
    if ((atomic_load_explicit(&viommu_device_area(&viommu->queue.pages)[0], memory_order_relaxed) &
         VIRTQ_USED_NO_NOTIFY) != 0)
        return;
    queue->notified++;
    viommu->transport->notify(viommu, VIOMMU_REQUESTS);
}

enum viommu_status viommu_worst_locked(const struct viommu *viommu, uint64_t first, uint64_t end)
{
    const struct viommu_queue *queue = &viommu->queue;

    for (uint64_t at = first; at < end; at++) {
        uint8_t result = queue->result[at % VIOMMU_RESULTS];

        /* Forgotten long ago: what failed since is not known singly, and doubt is failure. */
        if (queue->next - at > VIOMMU_RESULTS)
            result = at <= queue->failed_last ? VIOMMU_S_NONE : VIOMMU_S_OK;
        if (result != VIOMMU_S_OK)
            return result;
    }
    return VIOMMU_S_OK;
}

enum sluice_status viommu_ask_locked(struct viommu *viommu, const struct viommu_request *request,
                                     enum viommu_status *out_result)
{
    enum sluice_status status = viommu_send_locked(viommu, request);
    uint64_t number = viommu->queue.next - 1;

    if (status == SLUICE_OK)
        status = viommu_settle_locked(viommu, number + 1);
    *out_result =
        status == SLUICE_OK ? viommu_worst_locked(viommu, number, number + 1) : VIOMMU_S_NONE;
    return status;
}

enum sluice_status viommu_ask_probe_locked(struct viommu *viommu, uint32_t endpoint,
                                           enum viommu_status *out_result)
{
    const struct viommu_request request = viommu_probe_request(endpoint);

    __builtin_memset(viommu->queue.probe.virt, 0,
                     (size_t)SLUICE_PAGE_BYTES << viommu->queue.probe_order);
    return viommu_ask_locked(viommu, &request, out_result);
}
