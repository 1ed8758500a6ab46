// SPDX-License-Identifier: MIT
/*
 * Lazy invalidation. See flush.h.
 */
#include "dma/dma.h"

static size_t queues_bytes(unsigned cpus)
{
    return sizeof(struct flush_queues) + cpus * sizeof(struct flush_ring);
}

enum sluice_status flush_create(struct sluice *sluice, uint64_t window_ns,
                                struct flush_queues **out)
{
    void *memory;
    struct flush_queues *queues =
        aligned_alloc_lines(sluice, queues_bytes(sluice->cpu_count), &memory);

    if (queues == NULL)
        return SLUICE_ERR_NO_MEMORY;
    queues->memory = memory;
    queues->cpus = sluice->cpu_count;
    queues->window_ns = window_ns;
    *out = queues;
    return SLUICE_OK;
}

void flush_destroy(struct sluice *sluice, struct flush_queues *queues)
{
    if (queues != NULL)
        aligned_free_lines(sluice, queues->memory, queues_bytes(queues->cpus));
}

/** Begins work on this CPU's ring; *out_state ends it. NULL: this CPU has none. */
static struct flush_ring *ring_enter(struct flush_queues *queues, sluice_irqstate_t *out_state)
{
    struct flush_ring *ring;
    unsigned cpu;

#if SLUICE_CPU_PINNED
    *out_state = sluice_cpu_enter(&cpu);
    ring = cpu < queues->cpus ? &queues->rings[cpu] : NULL;
#else
    (void)sluice_cpu_enter(&cpu);
    ring = &queues->rings[cpu % queues->cpus];
    *out_state = sluice_spin_lock(&ring->lock);
#endif
    return ring;
}

static void ring_leave(struct flush_ring *ring, sluice_irqstate_t state)
{
#if SLUICE_CPU_PINNED
    (void)ring;
    sluice_cpu_leave(state);
#else
    sluice_spin_unlock(&ring->lock, state);
#endif
}

/** Tells the host when a poll is due, unless it knows. */
static __attribute__((noinline)) void arm(struct dma_space *space)
{
    struct sluice *sluice = space->context->sluice;

    if (atomic_exchange_explicit(&space->queues->armed, 1, memory_order_relaxed) != 0)
        return;
    if (sluice->ops->dma_poll_at != NULL)
        sluice->ops->dma_poll_at(sluice->config.ctx,
                                 host_now_ns(sluice) + space->queues->window_ns);
}

enum ring_result {
    RING_PUT,
    RING_PUT_FIRST,
    RING_FULL
};

static enum ring_result ring_put(struct dma_space *space, sluice_iova_t iova, uint64_t bytes)
{
    enum ring_result result = RING_FULL;
    sluice_irqstate_t state;
    struct flush_ring *ring = ring_enter(space->queues, &state);

    if (ring != NULL) {
        unsigned tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        /* Acquire: the entry to overwrite was read; pairs with the release in empty_ring. */
        unsigned head = atomic_load_explicit(&ring->head, memory_order_acquire);

        if (tail - head < FLUSH_RING) {
            ring->entries[tail % FLUSH_RING] = (struct flush_entry){iova, bytes};
            result = tail == head ? RING_PUT_FIRST : RING_PUT;
            if (result == RING_PUT_FIRST)
                atomic_store_explicit(&ring->since_ns, host_now_ns(space->context->sluice),
                                      memory_order_relaxed);
            /*
             * Release: the entry, and the clearing of the page table before it, come first; pairs
             * with the acquire in flush_run, which a flush follows.
             */
            atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
        }
    }
    ring_leave(ring, state);
    return result;
}

bool flush_put(struct dma_space *space, sluice_iova_t iova, uint64_t bytes)
{
    enum ring_result result = ring_put(space, iova, bytes);

    if (__builtin_expect(result == RING_PUT, 1))
        return true;
    if (result == RING_FULL && flush_run(space))
        result = ring_put(space, iova, bytes);
    if (result == RING_PUT_FIRST)
        arm(space);
    return result != RING_FULL;
}

/** Gives back what a ring held when the flush began. */
static void empty_ring(struct dma_space *space, struct flush_ring *ring, unsigned until, bool done)
{
    unsigned head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    for (; head != until; head++) {
        const struct flush_entry *entry = &ring->entries[head % FLUSH_RING];

        if (done)
            space_give(space, entry->iova, entry->bytes);
        else
            space_withhold(space, entry->bytes);
    }
    /* Release: the entries were read; pairs with the acquire in ring_put. */
    atomic_store_explicit(&ring->head, until, memory_order_release);
}

bool flush_run(struct dma_space *space)
{
    struct flush_queues *queues = space->queues;
    enum sluice_status status;
    struct pt_gather gather;

    /* Acquire and, below, release: one after the other empties the rings. */
    if (atomic_exchange_explicit(&queues->flushing, 1, memory_order_acquire) != 0)
        return false;
    for (unsigned i = 0; i < queues->cpus; i++) {
        struct flush_ring *ring = &queues->rings[i];

        /* Acquire: what was unmapped before is cleared for the units; pairs with ring_put. */
        ring->until = atomic_load_explicit(&ring->tail, memory_order_acquire);
    }
    pt_gather_init(&gather);
    status = domain_flush_all(space->domain, &gather);
    atomic_fetch_add_explicit(&queues->flushes, 1, memory_order_relaxed);
    for (unsigned i = 0; i < queues->cpus; i++)
        empty_ring(space, &queues->rings[i], queues->rings[i].until, status == SLUICE_OK);
    atomic_store_explicit(&queues->flushing, 0, memory_order_release);
    return true;
}

/** When the oldest range of all is due; UINT64_MAX when there is none. */
static uint64_t next_due(struct flush_queues *queues)
{
    uint64_t due = UINT64_MAX;

    for (unsigned i = 0; i < queues->cpus; i++) {
        struct flush_ring *ring = &queues->rings[i];
        unsigned head = atomic_load_explicit(&ring->head, memory_order_relaxed);

        /* Acquire: `since_ns` was written before; pairs with ring_put. */
        if (atomic_load_explicit(&ring->tail, memory_order_acquire) != head) {
            uint64_t since = atomic_load_explicit(&ring->since_ns, memory_order_relaxed);

            if (since + queues->window_ns < due)
                due = since + queues->window_ns;
        }
    }
    return due;
}

uint64_t flush_poll(struct dma_space *space, uint64_t now_ns)
{
    struct flush_queues *queues = space->queues;
    uint64_t due;

    /* Before looking: a range that comes after the look arms again. */
    atomic_store_explicit(&queues->armed, 0, memory_order_seq_cst);
    due = next_due(queues);
    if (due <= now_ns) {
        (void)flush_run(space);
        due = next_due(queues);
        /* What came meanwhile may still carry the time of what was there before. */
        if (due <= now_ns)
            due = now_ns + 1;
    }
    if (due != UINT64_MAX)
        atomic_store_explicit(&queues->armed, 1, memory_order_relaxed);
    return due;
}

void flush_drain(struct dma_space *space)
{
    /* Somebody else's flush may have begun before the last range came; each is bounded. */
    while (!flush_run(space))
        sluice_cpu_pause();
}

uint64_t flush_queued(struct flush_queues *queues)
{
    uint64_t queued = 0;

    for (unsigned i = 0; i < queues->cpus; i++)
        queued += atomic_load_explicit(&queues->rings[i].tail, memory_order_relaxed) -
                  atomic_load_explicit(&queues->rings[i].head, memory_order_relaxed);
    return queued;
}
