// SPDX-License-Identifier: MIT
/*
 * Queued invalidation [VT-d 6.5.2]: the ring, batches, and waiting for them.
 *
 * A batch is a run of descriptors and one wait descriptor, which has the unit write the batch's
 * sequence number to a word of its own. A wait answers only for what lies between it and the wait
 * before, and waits may complete out of order [VT-d 6.5.2.12], so every batch has its own word.
 *
 * Ring space is given back when a batch's completion was seen, never because the head passed it:
 * what an error aborted can be put into the ring again.
 */
#include "unit/intel/vtd.h"

static struct vtd_record *record_of(struct vtd *vtd, uint64_t sequence)
{
    return &vtd->queue.records[sequence % VTD_RECORDS];
}

struct vtd_descriptor *vtd_queue_at(struct vtd *vtd, uint64_t position)
{
    return (struct vtd_descriptor *)vtd->queue.ring.virt + position % VTD_QUEUE_ENTRIES;
}

static atomic_uint *status_word(struct vtd *vtd, uint64_t sequence)
{
    return (atomic_uint *)vtd->queue.status.virt + sequence % VTD_RECORDS;
}

static sluice_phys_t status_phys(struct vtd *vtd, uint64_t sequence)
{
    return vtd->queue.status.phys + sequence % VTD_RECORDS * sizeof(atomic_uint);
}

bool vtd_queue_status_is(struct vtd *vtd, uint64_t sequence)
{
    /* Acquire: what the unit did before it wrote the status happened before what we do next. */
    return atomic_load_explicit(status_word(vtd, sequence), memory_order_acquire) ==
           (uint32_t)sequence;
}

void vtd_queue_reclaim_locked(struct vtd *vtd)
{
    struct vtd_queue *queue = &vtd->queue;

    while (queue->oldest != queue->next) {
        struct vtd_record *record = record_of(vtd, queue->oldest);

        if (vtd_queue_status_is(vtd, record->sequence)) {
            record->passed = true;
            if (record->state == VTD_RECORD_PENDING)
                record->state = VTD_RECORD_DONE;
        }
        if (record->state == VTD_RECORD_PENDING || !record->passed)
            break;
        queue->reclaimed = record->end;
        queue->oldest++;
    }
}

void vtd_queue_write_locked(struct vtd *vtd, struct vtd_descriptor descriptor)
{
    struct vtd_descriptor *slot = vtd_queue_at(vtd, vtd->queue.tail++);

    *slot = descriptor;
    vtd_clean(vtd, slot, sizeof(*slot));
}

void vtd_queue_ring_locked(struct vtd *vtd)
{
    struct vtd_queue *queue = &vtd->queue;

    if (queue->rung == queue->tail)
        return;
    queue->rung = queue->tail;
    /* Descriptors, and the tables they are about, before the doorbell. */
    sluice_device_fence();
    vtd_write64(vtd, VTD_REG_IQT, queue->tail % VTD_QUEUE_ENTRIES * sizeof(struct vtd_descriptor));
}

/* Room for this many descriptors and, if `record`, for one more batch. */
static bool has_room(struct vtd *vtd, unsigned descriptors, bool record)
{
    const struct vtd_queue *queue = &vtd->queue;

    if (record && queue->next - queue->oldest >= VTD_RECORDS)
        return false;
    /* One stays free: a full ring would look empty [VT-d 6.5.2]. */
    return queue->tail - queue->reclaimed + descriptors < VTD_QUEUE_ENTRIES;
}

static enum sluice_status make_room_locked(struct vtd *vtd, unsigned descriptors, bool record)
{
    struct sluice *sluice = vtd->unit.sluice;
    uint64_t deadline;

    if (has_room(vtd, descriptors, record))
        return SLUICE_OK;
    vtd_queue_ring_locked(vtd);
    deadline = host_deadline_ns(sluice);
    for (;;) {
        bool late = host_now_ns(sluice) >= deadline;

        if (!vtd_queue_check_locked(vtd))
            return SLUICE_ERR_HARDWARE;
        vtd_queue_reclaim_locked(vtd);
        if (has_room(vtd, descriptors, record))
            return SLUICE_OK;
        if (late)
            return SLUICE_ERR_TIMEOUT;
        host_relax(sluice);
    }
}

enum sluice_status vtd_queue_room_locked(struct vtd *vtd, unsigned descriptors)
{
    return has_room(vtd, descriptors, true) ? SLUICE_OK : SLUICE_ERR_NO_SPACE;
}

/* ---- batches ---- */

static void batch_fail(struct vtd_batch *batch, enum sluice_status status)
{
    batch->status = status;
    batch->vtd->queue.dead = true;
}

void vtd_batch_begin(struct vtd *vtd, struct vtd_batch *batch)
{
    batch->vtd = vtd;
    batch->status = SLUICE_OK;
    batch->count = 0;
    batch->irq = sluice_spin_lock(&vtd->queue.lock);
    if (vtd->queue.dead || !vtd->queue.enabled)
        batch->status = SLUICE_ERR_HARDWARE;
    batch->first = vtd->queue.next;
}

/* Makes a record for what is added next; its room is reserved with the first descriptor. */
static void batch_open(struct vtd_batch *batch)
{
    struct vtd_queue *queue = &batch->vtd->queue;
    enum sluice_status status;

    vtd_queue_reclaim_locked(batch->vtd);
    /* The whole record's worst case, so that a batch never waits with half of it written. */
    status = make_room_locked(batch->vtd, VTD_BATCH_MAX + 1, true);
    if (status != SLUICE_OK) {
        batch_fail(batch, status);
        return;
    }
    batch->sequence = queue->next++;
    *record_of(batch->vtd, batch->sequence) = (struct vtd_record){
        .state = VTD_RECORD_PENDING,
        .sequence = batch->sequence,
        .first = queue->tail,
    };
}

static void batch_close(struct vtd_batch *batch)
{
    struct vtd *vtd = batch->vtd;

    vtd_queue_write_locked(
        vtd, vtd_desc_wait((uint32_t)batch->sequence, status_phys(vtd, batch->sequence)));
    record_of(vtd, batch->sequence)->end = vtd->queue.tail;
    batch->count = 0;
}

void vtd_batch_add(struct vtd_batch *batch, struct vtd_descriptor descriptor)
{
    if (batch->status != SLUICE_OK)
        return;
    if (batch->count == VTD_BATCH_MAX)
        batch_close(batch);
    if (batch->count == 0)
        batch_open(batch);
    if (batch->status != SLUICE_OK)
        return;
    vtd_queue_write_locked(batch->vtd, descriptor);
    batch->count++;
}

enum sluice_status vtd_batch_end(struct vtd_batch *batch, struct unit_ticket *out_ticket)
{
    struct vtd *vtd = batch->vtd;

    if (batch->count > 0)
        batch_close(batch);
    if (vtd->queue.enabled)
        vtd_queue_ring_locked(vtd);
    out_ticket->value[0] = batch->first;
    out_ticket->value[1] = vtd->queue.next;
    out_ticket->since_ns = 0;
    sluice_spin_unlock(&vtd->queue.lock, batch->irq);
    if (batch->status != SLUICE_OK)
        unit_degrade(&vtd->unit, "the invalidation queue takes no more requests");
    return batch->status;
}

/* ---- waiting ---- */

enum vtd_outcome {
    OUTCOME_PENDING = 0,
    OUTCOME_DONE,
    OUTCOME_FAILED,
};

/* What became of a batch, following it when it was put into the ring again. */
static enum vtd_outcome outcome_locked(struct vtd *vtd, uint64_t *sequence)
{
    struct vtd_queue *queue = &vtd->queue;

    for (unsigned hops = 0; hops < VTD_RECORDS; hops++) {
        const struct vtd_record *record = record_of(vtd, *sequence);

        if (record->sequence != *sequence)
            /* Given back long ago. What failed by then is not known singly: doubt is failure. */
            return *sequence <= queue->failed_last ? OUTCOME_FAILED : OUTCOME_DONE;
        if (record->state == VTD_RECORD_MOVED) {
            *sequence = record->successor;
            continue;
        }
        if (record->state == VTD_RECORD_FAILED)
            return OUTCOME_FAILED;
        if (record->state == VTD_RECORD_DONE || vtd_queue_status_is(vtd, *sequence))
            return OUTCOME_DONE;
        return OUTCOME_PENDING;
    }
    return OUTCOME_FAILED;
}

/* `last`: all of a ticket is done when this is. */
static enum vtd_outcome outcome(struct vtd *vtd, uint64_t *sequence, bool last,
                                const struct unit_wait *wait)
{
    sluice_irqstate_t irq = sluice_spin_lock(&vtd->queue.lock);
    enum vtd_outcome result = outcome_locked(vtd, sequence);

    if (result == OUTCOME_DONE && last)
        unit_note_wait_locked(wait);
    vtd_queue_reclaim_locked(vtd);
    sluice_spin_unlock(&vtd->queue.lock, irq);
    return result;
}

static enum sluice_status wait_for(struct vtd *vtd, uint64_t sequence, bool last,
                                   struct unit_wait *wait)
{
    for (;;) {
        bool late = unit_wait_is_late(wait);
        enum vtd_outcome result = outcome(vtd, &sequence, last, wait);

        if (result == OUTCOME_DONE)
            return SLUICE_OK;
        if (result == OUTCOME_FAILED) {
            unit_degrade(&vtd->unit, "an invalidation failed and could not be repeated");
            return SLUICE_ERR_HARDWARE;
        }
        if (!vtd_queue_check(vtd)) {
            unit_degrade(&vtd->unit, "registers read all ones while an invalidation was waited "
                                     "for");
            return SLUICE_ERR_HARDWARE;
        }
        if (late) {
            sluice_irqstate_t irq = sluice_spin_lock(&vtd->queue.lock);

            vtd->queue.dead = true;
            sluice_spin_unlock(&vtd->queue.lock, irq);
            unit_degrade(&vtd->unit, "no completion of an invalidation in time");
            return SLUICE_ERR_TIMEOUT;
        }
        host_relax(vtd->unit.sluice);
    }
}

enum sluice_status vtd_queue_wait(struct vtd *vtd, const struct unit_ticket *ticket)
{
    struct unit_wait wait = unit_wait_begin(&vtd->unit, ticket);
    enum sluice_status status = SLUICE_OK;

    for (uint64_t at = ticket->value[0]; at != ticket->value[1] && status == SLUICE_OK; at++)
        status = wait_for(vtd, at, at + 1 == ticket->value[1], &wait);
    return status;
}

/* ---- on and off ---- */

/* What an earlier life of the queue left unconfirmed has failed. */
static void forget_pending(struct vtd_queue *queue)
{
    for (unsigned i = 0; i < VTD_RECORDS; i++) {
        struct vtd_record *record = &queue->records[i];

        if (record->state != VTD_RECORD_PENDING)
            continue;
        record->state = VTD_RECORD_FAILED;
        if (record->sequence > queue->failed_last)
            queue->failed_last = record->sequence;
    }
    queue->oldest = queue->next;
}

enum sluice_status vtd_queue_on(struct vtd *vtd)
{
    struct vtd_queue *queue = &vtd->queue;
    enum sluice_status status;

    vtd_clean(vtd, queue->status.virt, SLUICE_PAGE_BYTES);
    vtd_clean(vtd, queue->ring.virt, SLUICE_PAGE_BYTES);
    /* Positions start where the hardware's head will: at 0 of the ring [VT-d 6.5.2]. */
    queue->tail = 0;
    queue->rung = 0;
    queue->reclaimed = 0;
    forget_pending(queue);
    queue->dead = false;
    /* Errors of the time before would stop the new queue at once. */
    vtd_write32(vtd, VTD_REG_FSTS,
                VTD_MASK32(FSTS_IQE) | VTD_MASK32(FSTS_ICE) | VTD_MASK32(FSTS_ITE));
    vtd_write64(vtd, VTD_REG_IQT, 0);
    vtd_write64(vtd, VTD_REG_IQA, queue->ring.phys); /* QS = 0, DW = 0 */
    status = vtd_command_lasting(vtd, VTD_MASK32(GSTS_QIES), true, "invalidation queue on");
    queue->enabled = status == SLUICE_OK;
    return status;
}

/* Waits for the head to reach the tail: the unit must be idle before QIE is cleared. */
static enum sluice_status queue_drain(struct vtd *vtd)
{
    struct sluice *sluice = vtd->unit.sluice;
    uint64_t deadline = host_deadline_ns(sluice);

    for (;;) {
        bool late = host_now_ns(sluice) >= deadline;
        uint64_t head = vtd_read64(vtd, VTD_REG_IQH);
        uint64_t tail = vtd_read64(vtd, VTD_REG_IQT);

        if (head == UINT64_MAX)
            return SLUICE_ERR_HARDWARE;
        if (head == tail)
            return SLUICE_OK;
        if (late || (vtd_read32(vtd, VTD_REG_FSTS) & VTD_MASK32(FSTS_IQE)) != 0) {
            log_warning(sluice, "%s: the invalidation queue is stuck at %#llx before %#llx",
                        vtd->unit.name, (unsigned long long)head, (unsigned long long)tail);
            return SLUICE_ERR_TIMEOUT;
        }
        host_relax(sluice);
    }
}

enum sluice_status vtd_queue_off(struct vtd *vtd)
{
    uint32_t status_now = vtd_read32(vtd, VTD_REG_GSTS);
    sluice_irqstate_t irq = sluice_spin_lock(&vtd->queue.lock);

    vtd->queue.enabled = false;
    sluice_spin_unlock(&vtd->queue.lock, irq);
    if (status_now == UINT32_MAX)
        return SLUICE_ERR_HARDWARE;
    if ((status_now & VTD_MASK32(GSTS_QIES)) == 0)
        return SLUICE_OK;
    /* A stuck queue is turned off all the same: nothing waits for it any more. */
    if (queue_drain(vtd) == SLUICE_ERR_HARDWARE)
        return SLUICE_ERR_HARDWARE;
    return vtd_command_lasting(vtd, VTD_MASK32(GSTS_QIES), false, "invalidation queue off");
}
