// SPDX-License-Identifier: MIT
/*
 * The virtio-iommu model's queues [Virtio 2.7]: takes chains apart, does requests, writes reports.
 */
#include "models/virtio_internal.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_MAX    256u
#define DESC_NEXT    1u
#define DESC_WRITE   2u
#define NO_INTERRUPT 1u

struct descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags, next;
};

/* A word of a ring, which software reads and writes at the same time. */
static _Atomic(uint16_t) *ring_word(struct virtio_model *unit, uint64_t phys)
{
    _Atomic(uint16_t) *word = model_host_virt(unit->host, phys);

    if (word == NULL)
        virtio_violate(unit, "a ring at %#llx is not in memory", (unsigned long long)phys);
    return word;
}

static uint16_t ring_get(struct virtio_model *unit, uint64_t phys)
{
    const _Atomic(uint16_t) *word = ring_word(unit, phys);

    return word != NULL ? atomic_load_explicit(word, memory_order_acquire) : 0;
}

static void ring_set(struct virtio_model *unit, uint64_t phys, uint16_t value)
{
    _Atomic(uint16_t) *word = ring_word(unit, phys);

    if (word != NULL)
        atomic_store_explicit(word, value, memory_order_release);
}

/* One buffer for reading, one for writing: all that this device is given [Virtio 2.7.4]. */
static bool take_apart(struct virtio_model *unit, const struct virtio_queue *queue, uint16_t head,
                       struct virtio_chain *out)
{
    struct descriptor desc;
    uint16_t at = head;

    *out = (struct virtio_chain){.head = head};
    for (unsigned i = 0; i < 3; i++) {
        if (at >= queue->size ||
            !model_host_read(unit->host, queue->desc + 16u * (uint64_t)at, &desc, sizeof(desc)))
            break;
        if ((desc.flags & DESC_WRITE) != 0) {
            out->out = desc.address;
            out->out_bytes = desc.bytes;
        } else if (out->out_bytes == 0) {
            out->in = desc.address;
            out->in_bytes = desc.bytes;
        } else {
            break; /* what is read comes first [Virtio 2.7.4.2] */
        }
        if ((desc.flags & DESC_NEXT) == 0)
            return true;
        at = desc.next;
    }
    virtio_violate(unit, "chain %u is malformed", head);
    return false;
}

static bool pop(struct virtio_model *unit, struct virtio_queue *queue, struct virtio_chain *out)
{
    uint16_t available;

    if (!queue->enabled)
        return false;
    available = ring_get(unit, queue->driver + 2);
    if ((uint16_t)(available - queue->seen) > queue->size) {
        virtio_violate(unit, "more is available than a queue holds");
        return false;
    }
    if (available == queue->seen)
        return false;
    return take_apart(
        unit, queue,
        ring_get(unit, queue->driver + 4 + (uint64_t)(queue->seen++ % queue->size) * 2), out);
}

static void push(struct virtio_model *unit, struct virtio_queue *queue, uint32_t id, uint32_t bytes)
{
    const uint32_t entry[2] = {(uint32_t)virtio_seen(unit, VIRTIO_MODEL_USED_ID, id),
                               (uint32_t)virtio_seen(unit, VIRTIO_MODEL_USED_BYTES, bytes)};

    (void)model_host_write(unit->host,
                           queue->device + 4 + 8u * (uint64_t)(queue->used % queue->size), entry,
                           sizeof(entry));
    queue->used++;
    if (unit->twist != NULL)
        ring_set(unit, queue->device, (uint16_t)virtio_seen(unit, VIRTIO_MODEL_USED_FLAGS, 0));
    ring_set(unit, queue->device + 2,
             (uint16_t)virtio_seen(unit, VIRTIO_MODEL_USED_INDEX, queue->used));
}

static void interrupt(struct virtio_model *unit, const struct virtio_queue *queue)
{
    if ((ring_get(unit, queue->driver) & NO_INTERRUPT) != 0)
        return;
    /* The wire's level rises where nothing was pending, and stays up until that is acknowledged. */
    if (unit->config.mmio && unit->interrupt_status == 0)
        model_host_post_wire(unit->host, unit->config.wire);
    unit->interrupt_status |= 1;
    if (!unit->config.mmio && queue->vector == 0 && (unit->table[3] & 1) == 0)
        model_host_post_msi(unit->host, unit->table[0] | (uint64_t)unit->table[1] << 32,
                            unit->table[2]);
}

/* ---- requests ---- */

/* Properties of an endpoint, as far as they fit [Virtio 5.13.6.7]. */
static uint8_t probe(struct virtio_model *unit, const uint32_t *words,
                     const struct virtio_chain *chain)
{
    uint32_t at = 0;

    if (!virtio_has(unit, F_PROBE) || chain->out_bytes < unit->config.probe_size + 4) {
        virtio_violate(unit, "PROBE: not negotiated, or %u bytes for the answer", chain->out_bytes);
        return S_UNSUPP;
    }
    for (unsigned i = 0; i < 16; i++) {
        if (words[2 + i] != 0)
            virtio_violate(unit, "PROBE: reserved bytes are not zero");
    }
    if (!virtio_endpoint_exists(unit, words[1]))
        return S_NOENT;
    for (unsigned i = 0; i < unit->config.region_count; i++) {
        const struct virtio_model_region *region = &unit->config.regions[i];
        uint32_t words_out[6] = {1 | 20u << 16,           region->message,
                                 (uint32_t)region->first, (uint32_t)(region->first >> 32),
                                 (uint32_t)region->last,  (uint32_t)(region->last >> 32)};

        if (at + 24 > unit->config.probe_size)
            return S_INVAL;
        if (i == 0 && unit->inject.property_bytes != 0)
            words_out[0] = 1 | (uint32_t)unit->inject.property_bytes << 16;
        for (unsigned j = 0; j < 6; j++)
            words_out[j] = (uint32_t)virtio_seen(unit, VIRTIO_MODEL_PROPERTY, words_out[j]);
        (void)model_host_write(unit->host, chain->out + at, words_out, sizeof(words_out));
        at += 24;
    }
    return S_OK;
}

/* Whether a request is one of those that are refused on purpose. */
static bool refused(struct virtio_model *unit, uint32_t type)
{
    const struct virtio_model_injection *inject = &unit->inject;

    if (inject->refuse_type == 0 || type != inject->refuse_type)
        return false;
    unit->refusable++;
    return unit->refusable >= inject->refuse_at &&
           (inject->refuse_count == 0 ||
            unit->refusable < inject->refuse_at + inject->refuse_count);
}

static uint8_t do_request(struct virtio_model *unit, const uint32_t *words,
                          const struct virtio_chain *chain)
{
    static const uint32_t bytes_of[] = {0, 20, 20, 36, 28, 72};
    uint32_t type = words[0];

    if (type < T_ATTACH || type > T_PROBE || chain->in_bytes != bytes_of[type]) {
        virtio_violate(unit, "request of type %#x, %u bytes", type, chain->in_bytes);
        return S_INVAL;
    }
    unit->stats.requests[type]++;
    if (refused(unit, type))
        return unit->inject.refuse_status;
    switch (type) {
    case T_ATTACH:
        return virtio_attach(unit, words);
    case T_DETACH:
        return virtio_detach(unit, words);
    case T_MAP:
        return virtio_map(unit, words);
    case T_UNMAP:
        return virtio_unmap(unit, words);
    default:
        return probe(unit, words, chain);
    }
}

static void complete(struct virtio_model *unit, const struct virtio_chain *chain, uint32_t bytes)
{
    struct virtio_queue *queue = &unit->queues[0];
    const struct virtio_model_injection *inject = &unit->inject;

    push(unit, queue, inject->bad_id ? chain->head ^ 1u : chain->head,
         inject->bad_bytes != 0 ? inject->bad_bytes : bytes);
    if (inject->bad_id_twice)
        push(unit, queue, chain->head, bytes);
    if (inject->bad_index)
        ring_set(unit, queue->device + 2, (uint16_t)(queue->used + 1000));
}

/* False: it is not answered, and the device will answer nothing more. */
static bool serve(struct virtio_model *unit, const struct virtio_chain *chain)
{
    uint32_t words[18] = {0};
    uint32_t tail_at = chain->out_bytes - 4;
    uint8_t tail[4] = {0};

    if (unit->inject.needs_reset_at != 0 && ++unit->taken >= unit->inject.needs_reset_at) {
        unit->status |= STATUS_NEEDS_RESET;
        return false;
    }
    if (chain->in_bytes > sizeof(words) || chain->out_bytes < 4 ||
        !model_host_read(unit->host, chain->in, words, chain->in_bytes)) {
        virtio_violate(unit, "request of %u bytes, answer of %u", chain->in_bytes,
                       chain->out_bytes);
        return false;
    }
    tail[0] = do_request(unit, words, chain);
    unit->stats.refused += tail[0] != S_OK;
    if (tail[0] == S_OK) /* what was not done cannot be told from what was, by anybody */
        tail[0] = (uint8_t)virtio_seen(unit, VIRTIO_MODEL_STATUS, tail[0]);
    if (!unit->inject.silent)
        (void)model_host_write(unit->host, chain->out + tail_at, tail, sizeof(tail));
    complete(unit, chain, chain->out_bytes);
    return true;
}

void virtio_requests_run(struct virtio_model *unit, unsigned limit)
{
    struct virtio_chain chains[BATCH_MAX];
    unsigned count = 0;

    if (unit->gone || unit->inject.stuck ||
        (unit->status & (STATUS_DRIVER_OK | STATUS_NEEDS_RESET)) != STATUS_DRIVER_OK)
        return;
    while (count < limit && count < BATCH_MAX && pop(unit, &unit->queues[0], &chains[count]))
        count++;
    if (count > unit->stats.most_in_flight)
        unit->stats.most_in_flight = count;
    for (unsigned i = 0; i < count; i++) {
        if (!serve(unit, &chains[unit->config.reversed ? count - 1 - i : i]))
            return;
    }
    if (count != 0)
        interrupt(unit, &unit->queues[0]);
}

/* ---- reports ---- */

void virtio_put_report(struct virtio_model *unit, const void *report, uint32_t bytes)
{
    struct virtio_queue *queue = &unit->queues[1];
    struct virtio_chain chain;
    uint32_t words[6] = {0};

    if ((unit->status & STATUS_DRIVER_OK) == 0 || !pop(unit, queue, &chain)) {
        unit->stats.reports_lost++;
        return;
    }
    if (chain.out_bytes < 24 || chain.in_bytes != 0)
        virtio_violate(unit, "a buffer of %u bytes for reports", chain.out_bytes);
    memcpy(words, report, bytes < sizeof(words) ? bytes : sizeof(words));
    for (unsigned i = 0; i < 6; i++)
        words[i] = (uint32_t)virtio_seen(unit, VIRTIO_MODEL_REPORT, words[i]);
    (void)model_host_write(unit->host, chain.out, words,
                           bytes < sizeof(words) ? bytes : sizeof(words));
    unit->stats.reports++;
    push(unit, queue, unit->inject.bad_event_id ? 12345u : chain.head,
         unit->inject.short_event ? 8u : bytes);
    if (unit->inject.bad_event_index)
        ring_set(unit, queue->device + 2, (uint16_t)(queue->used + 1000));
    interrupt(unit, queue);
}
