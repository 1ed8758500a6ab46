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
    for (unsigned i = 0; i < queues->cpus; i++)
        atomic_store_explicit(&queues->rings[i].limit, FLUSH_RING, memory_order_relaxed);
    *out = queues;
    return SLUICE_OK;
}

size_t flush_history_bytes(const struct flush_queues *queues)
{
    return queues->cpus * ((FLUSH_ROOM - FLUSH_RING) * sizeof(uint64_t) +
                           FLUSH_STAMPS * sizeof(struct flush_stamp));
}

/** Takes nothing, so nobody writes to it. */
static const struct flush_ring closed_ring;

struct flush_ring *flush_ring_of(struct flush_queues *queues, unsigned cpu)
{
    return queues != NULL ? &queues->rings[cpu] : (struct flush_ring *)(uintptr_t)&closed_ring;
}

void flush_close(struct flush_queues *queues)
{
    for (unsigned i = 0; i < queues->cpus; i++)
        atomic_store_explicit(&queues->rings[i].limit, 0, memory_order_seq_cst);
}

void flush_destroy(struct sluice *sluice, struct flush_queues *queues)
{
    if (queues != NULL)
        aligned_free_lines(sluice, queues->memory, queues_bytes(queues->cpus));
}

void flush_note_first(struct dma_space *space, struct flush_ring *ring)
{
    atomic_store_explicit(&ring->since_ns, host_now_ns(space->context->sluice),
                          memory_order_relaxed);
}

void flush_arm(struct dma_space *space)
{
    struct sluice *sluice = space->context->sluice;

    if (atomic_exchange_explicit(&space->queues->armed, 1, memory_order_relaxed) != 0)
        return;
    if (sluice->ops->dma_poll_at != NULL)
        sluice->ops->dma_poll_at(sluice->config.ctx,
                                 host_now_ns(sluice) + space->queues->window_ns);
}

/** Puts a range into the ring of the CPU that is entered. */
static enum flush_result ring_put(struct dma_space *space, unsigned cpu, uint64_t word)
{
    struct flush_ring *ring = &space->queues->rings[cpu];
    enum flush_result result = flush_ring_put(ring, word);

    if (result == FLUSH_PUT_FIRST)
        flush_note_first(space, ring);
    return result;
}

static enum flush_result enter_and_put(struct dma_space *space, uint64_t word)
{
    enum flush_result result = FLUSH_FULL;
    sluice_irqstate_t state;
    struct iova_cpu *cpu = iova_cpu_enter(space->iova, &state);

    if (cpu != NULL)
        result = ring_put(space, iova_cpu_index(space->iova, cpu), word);
    iova_cpu_leave(cpu, state);
    return result;
}

bool flush_put(struct dma_space *space, sluice_iova_t iova, uint64_t bytes)
{
    uint64_t pages = bytes >> SLUICE_PAGE_LG2, word;
    enum flush_result result;

    if (pages > IOVA_WORD_PAGES)
        return false;
    word = iova_word(iova, pages);
    result = enter_and_put(space, word);
    if (result == FLUSH_FULL && flush_run(space))
        result = enter_and_put(space, word);
    if (result == FLUSH_PUT_FIRST)
        flush_arm(space);
    return result != FLUSH_FULL;
}

/** Gives back, or withholds, entries that lie in a row in the ring. */
static void empty_row(struct dma_space *space, const atomic_uint_fast64_t *entries, unsigned count,
                      bool done)
{
    if (done) {
        iova_free_list(space->iova, entries, count);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        space_withhold(space,
                       iova_word_pages(atomic_load_explicit(&entries[i], memory_order_relaxed))
                           << SLUICE_PAGE_LG2);
}

/** Empties a ring of what it held when the flush began. */
static void empty_ring(struct dma_space *space, struct flush_ring *ring, unsigned until, bool done)
{
    unsigned head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    while (head != until) {
        unsigned to_end = FLUSH_ROOM - head % FLUSH_ROOM;
        unsigned count = until - head < to_end ? until - head : to_end;

        empty_row(space, &ring->entries[head % FLUSH_ROOM], count, done);
        head += count;
    }
    if (until >= FLUSH_ROOM)
        atomic_store_explicit(&ring->wrapped, true, memory_order_relaxed);
    /* Release: the entries were read; pairs with the acquire in ring_put. */
    atomic_store_explicit(&ring->head, until, memory_order_release);
}

/** Keeps when the ranges that this flush empties a ring of were unmapped. */
static void stamp(struct flush_ring *ring, uint64_t now_ns)
{
    unsigned number = atomic_load_explicit(&ring->stamped, memory_order_relaxed);
    struct flush_stamp *stamp = &ring->stamps[number % FLUSH_STAMPS];

    if (ring->until == atomic_load_explicit(&ring->head, memory_order_relaxed))
        return;
    /* Release, each: whoever reads one has seen this count, and so that the stamp before it is
     * gone; pairs with the acquires in look_at_stamps. */
    atomic_store_explicit(&stamp->until, ring->until, memory_order_release);
    atomic_store_explicit(&stamp->since_ns,
                          atomic_load_explicit(&ring->since_ns, memory_order_relaxed),
                          memory_order_release);
    atomic_store_explicit(&stamp->until_ns, now_ns, memory_order_release);
    atomic_store_explicit(&ring->stamped, number + 1, memory_order_release);
}

bool flush_run(struct dma_space *space)
{
    struct flush_queues *queues = space->queues;
    enum sluice_status status;
    struct pt_gather gather;
    uint64_t now_ns;

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
    now_ns = host_now_ns(space->context->sluice);
    for (unsigned i = 0; i < queues->cpus; i++)
        stamp(&queues->rings[i], now_ns);
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

        /* `since_ns` may still be that of what was here before: then it is due a bit too early. */
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

/* ---- looking back ---- */

/** When entry `at` was unmapped. What its batch says, or, waiting, that it is not long ago. */
static void look_at_stamps(struct flush_ring *ring, unsigned at, uint64_t now_ns,
                           struct address_past *past)
{
    /* Acquire: as many stamps are there; pairs with stamp(). */
    unsigned count = atomic_load_explicit(&ring->stamped, memory_order_acquire);
    unsigned kept = count < FLUSH_STAMPS - 1 ? count : FLUSH_STAMPS - 1;
    uint64_t since = atomic_load_explicit(&ring->since_ns, memory_order_relaxed);
    uint64_t until = now_ns;

    for (unsigned back = 1; back <= kept; back++) {
        struct flush_stamp *stamp = &ring->stamps[(count - back) % FLUSH_STAMPS];
        /* Acquire: the count that is read after them is not older. */
        unsigned end = atomic_load_explicit(&stamp->until, memory_order_acquire);
        uint64_t stamp_since = atomic_load_explicit(&stamp->since_ns, memory_order_acquire);
        uint64_t stamp_until = atomic_load_explicit(&stamp->until_ns, memory_order_acquire);
        bool overwritten =
            atomic_load_explicit(&ring->stamped, memory_order_relaxed) - (count - back) >=
            FLUSH_STAMPS;

        if (overwritten)
            break;
        if (at - end < (unsigned)INT32_MAX) { /* it came after this batch */
            history_found(past, since < until ? since : until, until);
            return;
        }
        since = stamp_since;
        until = stamp_until;
    }
    /* Of the oldest batch that is known, or of one before it. */
    history_found(past, count <= kept ? since : 0, until);
}

static void look_at_ring(struct flush_ring *ring, sluice_iova_t address, uint64_t now_ns,
                         struct address_past *past)
{
    /* Acquire: so many entries are there; pairs with the release in flush_ring_put. */
    unsigned tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    unsigned kept = atomic_load_explicit(&ring->wrapped, memory_order_relaxed) || tail >= FLUSH_ROOM
                        ? FLUSH_ROOM - 1
                        : tail;

    past->known += kept;
    for (unsigned back = 1; back <= kept; back++) {
        /* Acquire: the tail that is read after it is not older. */
        uint64_t word =
            atomic_load_explicit(&ring->entries[(tail - back) % FLUSH_ROOM], memory_order_acquire);
        sluice_iova_t first = iova_word_at(word);

        if (!history_touches(address, first,
                             first + ((iova_word_pages(word) << SLUICE_PAGE_LG2) - 1)))
            continue;
        if (atomic_load_explicit(&ring->tail, memory_order_relaxed) - (tail - back) < FLUSH_ROOM)
            look_at_stamps(ring, tail - back, now_ns, past);
        return;
    }
}

void flush_look_back(struct dma_space *space, sluice_iova_t address, struct address_past *past)
{
    uint64_t now_ns = host_now_ns(space->context->sluice);

    for (unsigned i = 0; i < space->queues->cpus; i++)
        look_at_ring(&space->queues->rings[i], address, now_ns, past);
}
