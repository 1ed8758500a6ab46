// SPDX-License-Identifier: MIT
/*
 * What the invalidation queue reports in FSTS and how it goes on [VT-d 6.5.2.11, 11.4.7.1]:
 *
 *   IQE  the descriptor at the head was refused: it is logged and replaced by a fence that does
 *        nothing, its batch has failed, whatever its status says later
 *   ITE  a device did not answer in time: waits that were fetched already are aborted, so their
 *        batches are put into the ring again, once; a second time they have failed
 *   ICE  a completion that answers nothing: it is logged. Waits count valid completions only, so
 *        what it should have answered stays open and ends in ITE
 */
#include "unit/intel/vtd.h"

#define ERRORS (VTD_MASK32(FSTS_IQE) | VTD_MASK32(FSTS_ICE) | VTD_MASK32(FSTS_ITE))

static void record_fail(struct vtd *vtd, struct vtd_record *record)
{
    record->state = VTD_RECORD_FAILED;
    if (record->sequence > vtd->queue.failed_last)
        vtd->queue.failed_last = record->sequence;
}

/* The position that a byte offset of IQH stands for: at or after what was reclaimed. */
static uint64_t head_position(struct vtd *vtd, uint64_t head)
{
    uint64_t index = head / sizeof(struct vtd_descriptor) % VTD_QUEUE_ENTRIES;
    uint64_t base = vtd->queue.reclaimed;

    return base + (index - base % VTD_QUEUE_ENTRIES + VTD_QUEUE_ENTRIES) % VTD_QUEUE_ENTRIES;
}

static void recover_iqe(struct vtd *vtd, uint64_t position)
{
    struct vtd_queue *queue = &vtd->queue;
    struct vtd_descriptor *bad = vtd_queue_at(vtd, position);

    log_error(vtd->unit.sluice,
              "%s: invalidation queue error %u: %s refused (%#018llx %#018llx at entry %u)",
              vtd->unit.name, (unsigned)VTD_GET(IQERCD_IQEI, vtd_read64(vtd, VTD_REG_IQERCD)),
              vtd_desc_type_text(vtd_desc_type(bad)), (unsigned long long)bad->low,
              (unsigned long long)bad->high, (unsigned)(position % VTD_QUEUE_ENTRIES));
    *bad = vtd_desc_nothing();
    vtd_clean(vtd, bad, sizeof(*bad));
    for (uint64_t at = queue->oldest; at != queue->next; at++) {
        struct vtd_record *record = &queue->records[at % VTD_RECORDS];

        if (record->state == VTD_RECORD_PENDING && position >= record->first &&
            position < record->end)
            record_fail(vtd, record);
    }
}

/* Puts an aborted batch into the ring again, or gives it up. */
static void repeat_or_fail(struct vtd *vtd, struct vtd_record *record)
{
    struct vtd_queue *queue = &vtd->queue;
    unsigned count = (unsigned)(record->end - record->first);
    struct vtd_record *again = &queue->records[queue->next % VTD_RECORDS];

    if (record->retried || vtd_queue_room_locked(vtd, count) != SLUICE_OK) {
        record_fail(vtd, record);
        return;
    }
    *again = (struct vtd_record){
        .state = VTD_RECORD_PENDING,
        .retried = true,
        .sequence = queue->next,
        .first = queue->tail,
        .end = queue->tail + count,
    };
    for (uint64_t at = record->first; at + 1 < record->end; at++)
        vtd_queue_write_locked(vtd, *vtd_queue_at(vtd, at));
    vtd_queue_write_locked(
        vtd, vtd_desc_wait((uint32_t)again->sequence,
                           queue->status.phys + again->sequence % VTD_RECORDS * sizeof(uint32_t)));
    record->state = VTD_RECORD_MOVED;
    record->successor = queue->next++;
}

/* Every batch whose wait was fetched before `position` and is not confirmed. */
static void recover_aborted(struct vtd *vtd, uint64_t position)
{
    struct vtd_queue *queue = &vtd->queue;
    uint64_t end = queue->next; /* repeated ones are added behind */

    for (uint64_t at = queue->oldest; at != end; at++) {
        struct vtd_record *record = &queue->records[at % VTD_RECORDS];

        if (record->end > position || vtd_queue_status_is(vtd, record->sequence))
            continue;
        record->passed = true;
        if (record->state == VTD_RECORD_PENDING)
            repeat_or_fail(vtd, record);
    }
}

static void log_device(struct vtd *vtd, const char *what, uint64_t sid)
{
    log_error(vtd->unit.sluice, "%s: %s, device " LOG_RID, vtd->unit.name, what,
              LOG_RID_ARGS(vtd->unit.desc->segment, sid));
}

bool vtd_queue_check_locked(struct vtd *vtd)
{
    struct vtd_queue *queue = &vtd->queue;
    uint32_t status = vtd_read32(vtd, VTD_REG_FSTS);
    uint64_t head, detail;

    if (status == UINT32_MAX)
        return false;
    if ((status & ERRORS) == 0 || !queue->enabled)
        return true;
    queue->errors++;
    head = vtd_read64(vtd, VTD_REG_IQH);
    detail = vtd_read64(vtd, VTD_REG_IQERCD);
    if (head == UINT64_MAX)
        return false;
    vtd_queue_reclaim_locked(vtd);
    head = head_position(vtd, head);
    if ((status & VTD_MASK32(FSTS_IQE)) != 0)
        recover_iqe(vtd, head);
    if ((status & VTD_MASK32(FSTS_ITE)) != 0) {
        log_device(vtd, "no answer to a device-TLB invalidation in time",
                   VTD_GET(IQERCD_ITESID, detail));
        recover_aborted(vtd, head);
    }
    if ((status & VTD_MASK32(FSTS_ICE)) != 0)
        log_device(vtd, "a device-TLB completion that was not asked for",
                   VTD_GET(IQERCD_ICESID, detail));
    /* What was written above before the unit goes on: it does so when the bits are cleared. */
    sluice_device_fence();
    vtd_write32(vtd, VTD_REG_FSTS, status & ERRORS);
    vtd_queue_ring_locked(vtd);
    return true;
}

bool vtd_queue_check(struct vtd *vtd)
{
    uint32_t status = vtd_read32(vtd, VTD_REG_FSTS);
    sluice_irqstate_t irq;
    bool alive;

    if (status == UINT32_MAX)
        return false;
    if ((status & ERRORS) == 0)
        return true;
    irq = sluice_spin_lock(&vtd->queue.lock);
    alive = vtd_queue_check_locked(vtd);
    sluice_spin_unlock(&vtd->queue.lock, irq);
    return alive;
}
