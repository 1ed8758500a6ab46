// SPDX-License-Identifier: MIT
/*
 * Command rings: batches, waiting for them, and giving their room back.
 */
#include "unit/ring.h"

#define STATUS_BYTES sizeof(uint64_t)

static struct sluice *sluice_of(struct unit_ring *ring)
{
    return ring->unit->sluice;
}

static void ring_clean(struct unit_ring *ring, const void *virt, size_t bytes)
{
    if (!ring->unit->caps.coherent)
        host_cache_clean(sluice_of(ring), virt, bytes);
}

bool unit_ring_init(struct unit_ring *ring, struct unit *unit, const struct unit_ring_ops *ops)
{
    ring->unit = unit;
    ring->ops = ops;
    ring->next = 1;
    ring->oldest = 1;
    return host_pages_alloc(unit->sluice, 0, -1, &ring->pages) &&
           host_pages_alloc(unit->sluice, 0, -1, &ring->status);
}

static struct unit_ring_record *record_of(struct unit_ring *ring, uint64_t sequence)
{
    return &ring->records[sequence % UNIT_RING_RECORDS];
}

struct unit_ring_entry *unit_ring_at(struct unit_ring *ring, uint64_t position)
{
    return (struct unit_ring_entry *)ring->pages.virt + position % UNIT_RING_ENTRIES;
}

uint64_t unit_ring_position_locked(struct unit_ring *ring, uint64_t bytes)
{
    uint64_t index = bytes / sizeof(struct unit_ring_entry) % UNIT_RING_ENTRIES;
    uint64_t base = ring->reclaimed;

    return base + (index - base % UNIT_RING_ENTRIES + UNIT_RING_ENTRIES) % UNIT_RING_ENTRIES;
}

struct unit_ring_record *unit_ring_record_at_locked(struct unit_ring *ring, uint64_t position)
{
    for (uint64_t at = ring->oldest; at != ring->next; at++) {
        struct unit_ring_record *record = record_of(ring, at);

        if (position >= record->first && position < record->end)
            return record;
    }
    return NULL;
}

static uint64_t status_offset(uint64_t sequence)
{
    return sequence % UNIT_RING_RECORDS * STATUS_BYTES;
}

bool unit_ring_seen(struct unit_ring *ring, uint64_t sequence)
{
    atomic_uint *word =
        (atomic_uint *)(void *)((uint8_t *)ring->status.virt + status_offset(sequence));

    /* Acquire: what the unit did before it wrote the status happened before what we do next. The
     * lower half tells batches in flight apart. */
    return atomic_load_explicit(word, memory_order_acquire) == (uint32_t)sequence;
}

/* Whether the unit is past a batch, by what it wrote or by how far it has come. */
static bool passed_locked(struct unit_ring *ring, const struct unit_ring_record *record)
{
    if (!ring->ops->silent && unit_ring_seen(ring, record->sequence))
        return true;
    if (ring->ops->consumed_locked == NULL)
        return false;
    if (ring->consumed < record->end && record->end <= ring->rung)
        ring->consumed = ring->ops->consumed_locked(ring);
    return record->end <= ring->consumed;
}

/* A pending batch whose completion was written is done, unless it came without an answer. */
static void settle_locked(struct unit_ring *ring, struct unit_ring_record *record)
{
    if (record->state != UNIT_RING_PENDING || !passed_locked(ring, record))
        return;
    record->passed = true;
    if (record->remote && ring->ops->look_locked != NULL)
        ring->ops->look_locked(ring);
    if (record->state == UNIT_RING_PENDING)
        record->state = UNIT_RING_DONE;
}

void unit_ring_reclaim_locked(struct unit_ring *ring)
{
    while (ring->oldest != ring->next) {
        struct unit_ring_record *record = record_of(ring, ring->oldest);

        settle_locked(ring, record);
        if (!record->passed && passed_locked(ring, record))
            record->passed = true;
        if (record->state == UNIT_RING_PENDING || !record->passed)
            break;
        ring->reclaimed = record->end;
        ring->oldest++;
    }
}

static void write_locked(struct unit_ring *ring, struct unit_ring_entry entry)
{
    struct unit_ring_entry *slot = unit_ring_at(ring, ring->tail++);

    *slot = entry;
    ring_clean(ring, slot, sizeof(*slot));
}

static void write_completion_locked(struct unit_ring *ring, uint64_t sequence)
{
    write_locked(ring,
                 ring->ops->completion(ring->status.phys + status_offset(sequence), sequence));
}

void unit_ring_ring_locked(struct unit_ring *ring)
{
    if (ring->rung == ring->tail)
        return;
    ring->rung = ring->tail;
    /* Commands, and the tables they are about, before the doorbell. */
    sluice_device_fence();
    ring->ops->doorbell(
        ring, (uint32_t)(ring->tail % UNIT_RING_ENTRIES * sizeof(struct unit_ring_entry)));
}

/* Room for this many entries and for one more batch. */
static bool has_room(const struct unit_ring *ring, unsigned entries)
{
    /* One entry stays free: a full ring would look empty. */
    return ring->next - ring->oldest < UNIT_RING_RECORDS &&
           ring->tail - ring->reclaimed + entries < UNIT_RING_ENTRIES;
}

static enum sluice_status make_room_locked(struct unit_ring *ring, unsigned entries)
{
    struct sluice *sluice = sluice_of(ring);
    uint64_t deadline;

    if (has_room(ring, entries))
        return SLUICE_OK;
    unit_ring_ring_locked(ring);
    deadline = host_deadline_ns(sluice);
    for (;;) {
        bool late = host_now_ns(sluice) >= deadline; /* before the look: one look after it */

        if (!ring->ops->check_locked(ring))
            return SLUICE_ERR_HARDWARE;
        unit_ring_reclaim_locked(ring);
        if (has_room(ring, entries))
            return SLUICE_OK;
        if (late)
            return SLUICE_ERR_TIMEOUT;
        host_relax(sluice);
    }
}

/* ---- batches ---- */

void unit_ring_begin(struct unit_ring *ring, struct unit_ring_batch *batch)
{
    *batch = (struct unit_ring_batch){.ring = ring};
    batch->irq = sluice_spin_lock(&ring->lock);
    if (ring->dead || !ring->enabled)
        batch->status = SLUICE_ERR_HARDWARE;
    batch->first = ring->next;
}

/* Makes a record for what is added next; its room is reserved with the first command. */
static void batch_open(struct unit_ring_batch *batch)
{
    struct unit_ring *ring = batch->ring;

    unit_ring_reclaim_locked(ring);
    /* The whole record's worst case, so that a batch never waits with half of it written. */
    batch->status = make_room_locked(ring, UNIT_RING_BATCH + 1);
    if (batch->status != SLUICE_OK) {
        ring->dead = true;
        return;
    }
    batch->sequence = ring->next++;
    *record_of(ring, batch->sequence) = (struct unit_ring_record){
        .state = UNIT_RING_PENDING,
        .sequence = batch->sequence,
        .first = ring->tail,
        .end = UINT64_MAX, /* all that follows, until it is closed */
    };
}

static void batch_close(struct unit_ring_batch *batch)
{
    struct unit_ring *ring = batch->ring;

    write_completion_locked(ring, batch->sequence);
    record_of(ring, batch->sequence)->end = ring->tail;
    record_of(ring, batch->sequence)->remote = batch->remote;
    batch->remote = false;
    batch->count = 0;
}

void unit_ring_add(struct unit_ring_batch *batch, struct unit_ring_entry entry)
{
    if (batch->status != SLUICE_OK)
        return;
    if (batch->count == UNIT_RING_BATCH)
        batch_close(batch);
    if (batch->count == 0)
        batch_open(batch);
    if (batch->status != SLUICE_OK)
        return;
    write_locked(batch->ring, entry);
    batch->count++;
}

void unit_ring_add_remote(struct unit_ring_batch *batch, struct unit_ring_entry entry)
{
    unit_ring_add(batch, entry);
    batch->remote = true;
}

enum sluice_status unit_ring_end(struct unit_ring_batch *batch, struct unit_ticket *out_ticket)
{
    struct unit_ring *ring = batch->ring;

    if (batch->count > 0)
        batch_close(batch);
    if (ring->enabled)
        unit_ring_ring_locked(ring);
    out_ticket->value[0] = batch->first;
    out_ticket->value[1] = ring->next;
    out_ticket->since_ns = 0;
    sluice_spin_unlock(&ring->lock, batch->irq);
    if (batch->status != SLUICE_OK)
        unit_degrade(ring->unit, "the command ring takes no more requests");
    return batch->status;
}

/* ---- waiting ---- */

enum outcome {
    OUTCOME_PENDING = 0,
    OUTCOME_DONE,
    OUTCOME_FAILED,
    OUTCOME_GONE, /**< registers read all ones */
};

/* What became of a batch, following it when it was put into the ring again. */
static enum outcome outcome_locked(struct unit_ring *ring, uint64_t *sequence)
{
    for (unsigned hops = 0; hops < UNIT_RING_RECORDS; hops++) {
        struct unit_ring_record *record = record_of(ring, *sequence);

        if (record->sequence != *sequence)
            /* Given back long ago. What failed by then is not known singly: doubt is failure. */
            return *sequence <= ring->failed_last ? OUTCOME_FAILED : OUTCOME_DONE;
        settle_locked(ring, record);
        if (record->state == UNIT_RING_MOVED) {
            *sequence = record->successor;
            continue;
        }
        if (record->state == UNIT_RING_FAILED)
            return OUTCOME_FAILED;
        return record->state == UNIT_RING_DONE ? OUTCOME_DONE : OUTCOME_PENDING;
    }
    return OUTCOME_FAILED;
}

/* `last`: all of a ticket is done when this is. */
static enum outcome look(struct unit_ring *ring, uint64_t *sequence, bool last,
                         const struct unit_wait *wait)
{
    sluice_irqstate_t irq = sluice_spin_lock(&ring->lock);
    enum outcome result = outcome_locked(ring, sequence);

    if (result == OUTCOME_DONE && last)
        unit_note_wait_locked(wait);
    unit_ring_reclaim_locked(ring);
    if (result == OUTCOME_PENDING && !ring->ops->check_locked(ring))
        result = OUTCOME_GONE;
    sluice_spin_unlock(&ring->lock, irq);
    return result;
}

static enum sluice_status give_up(struct unit_ring *ring)
{
    sluice_irqstate_t irq = sluice_spin_lock(&ring->lock);

    ring->dead = true;
    sluice_spin_unlock(&ring->lock, irq);
    unit_degrade(ring->unit, "no completion of an invalidation in time");
    return SLUICE_ERR_TIMEOUT;
}

static enum sluice_status wait_for(struct unit_ring *ring, uint64_t sequence, bool last,
                                   struct unit_wait *wait)
{
    for (;;) {
        bool late = unit_wait_is_late(wait);

        switch (look(ring, &sequence, last, wait)) {
        case OUTCOME_DONE:
            return SLUICE_OK;
        case OUTCOME_FAILED:
            unit_degrade(ring->unit, "an invalidation failed and could not be repeated");
            return SLUICE_ERR_HARDWARE;
        case OUTCOME_GONE:
            unit_degrade(ring->unit,
                         "registers read all ones while an invalidation was waited for");
            return SLUICE_ERR_HARDWARE;
        case OUTCOME_PENDING:
            break;
        }
        if (late)
            return give_up(ring);
        host_relax(sluice_of(ring));
    }
}

enum sluice_status unit_ring_wait(struct unit_ring *ring, const struct unit_ticket *ticket)
{
    struct unit_wait wait = unit_wait_begin(ring->unit, ticket);
    enum sluice_status status = SLUICE_OK;

    for (uint64_t at = ticket->value[0]; at != ticket->value[1] && status == SLUICE_OK; at++)
        status = wait_for(ring, at, at + 1 == ticket->value[1], &wait);
    return status;
}

/* ---- errors ---- */

void unit_ring_fail_locked(struct unit_ring *ring, struct unit_ring_record *record)
{
    record->state = UNIT_RING_FAILED;
    if (record->sequence > ring->failed_last)
        ring->failed_last = record->sequence;
}

void unit_ring_repeat_locked(struct unit_ring *ring, struct unit_ring_record *record)
{
    unsigned count = (unsigned)(record->end - record->first);
    struct unit_ring_record *again = record_of(ring, ring->next);

    if (record->retried || !has_room(ring, count)) {
        unit_ring_fail_locked(ring, record);
        return;
    }
    *again = (struct unit_ring_record){
        .state = UNIT_RING_PENDING,
        .retried = true,
        .remote = record->remote,
        .sequence = ring->next,
        .first = ring->tail,
        .end = ring->tail + count,
    };
    for (uint64_t at = record->first; at + 1 < record->end; at++)
        write_locked(ring, *unit_ring_at(ring, at));
    write_completion_locked(ring, again->sequence);
    record->state = UNIT_RING_MOVED;
    record->successor = ring->next++;
}

void unit_ring_fail_all_locked(struct unit_ring *ring)
{
    for (uint64_t at = ring->oldest; at != ring->next; at++) {
        struct unit_ring_record *record = record_of(ring, at);

        record->passed = true;
        if (record->state == UNIT_RING_PENDING)
            unit_ring_fail_locked(ring, record);
    }
}

void unit_ring_reset(struct unit_ring *ring)
{
    ring_clean(ring, ring->status.virt, SLUICE_PAGE_BYTES);
    ring_clean(ring, ring->pages.virt, SLUICE_PAGE_BYTES);
    unit_ring_fail_all_locked(ring); /* what an earlier life left unconfirmed */
    ring->oldest = ring->next;
    ring->tail = 0;
    ring->rung = 0;
    ring->reclaimed = 0;
    ring->consumed = 0;
    ring->dead = false;
}

enum sluice_status unit_ring_finish(struct unit_ring_batch *batch)
{
    struct unit_ring *ring = batch->ring;
    struct unit_ticket ticket;
    enum sluice_status status = unit_ring_end(batch, &ticket);

    return status != SLUICE_OK ? status : unit_ring_wait(ring, &ticket);
}
