// SPDX-License-Identifier: MIT
/*
 * The command buffer [AMD 2.4, 3.4], and how it goes on after an error:
 *
 *   ILLEGAL_COMMAND_ERROR, COMMAND_HARDWARE_ERROR
 *        the unit stops taking commands. The event names the command: it is replaced by one that
 *        does nothing, its batch has failed. Then the buffer is turned off, its head set back to
 * the oldest command that is not confirmed, and turned on: doing an invalidation twice is harmless,
 * losing one is not. Where no event tells, all that is pending has failed IOTLB_INV_TIMEOUT a
 * device did not answer in time. The unit goes on, and the completion behind it comes: so a batch
 * that asked devices is done only after the log was looked at. It is put into the buffer again,
 * once; a second time it has failed
 */
#include "unit/amd/amdvi.h"

static struct unit_ring_entry entry_from(struct amdvi_command command)
{
    return (struct unit_ring_entry){.low = command.low, .high = command.high};
}

void amdvi_add(struct unit_ring_batch *batch, struct amdvi_command command)
{
    unit_ring_add(batch, entry_from(command));
}

void amdvi_add_remote(struct unit_ring_batch *batch, struct amdvi_command command)
{
    unit_ring_add_remote(batch, entry_from(command));
}

static struct unit_ring_entry completion(sluice_phys_t phys, uint64_t data)
{
    return entry_from(amdvi_command_wait(phys, data));
}

static void doorbell(struct unit_ring *ring, uint32_t bytes)
{
    amdvi_write(amdvi_of_ring(ring), AMDVI_REG_CMDBUF_TAIL, bytes);
}

/* The position of a command that an event gives the address of; false: none of ours. */
static bool position_of(struct amdvi *amdvi, uint64_t address, uint64_t *out_position)
{
    uint64_t offset = (address & AMDVI_MASK(RING_BASE)) | (address & 0xff0u);

    if (offset - amdvi->ring.pages.phys >= SLUICE_PAGE_BYTES)
        return false;
    *out_position = unit_ring_position_locked(&amdvi->ring, offset - amdvi->ring.pages.phys);
    return *out_position < amdvi->ring.rung;
}

static void refuse(struct amdvi *amdvi, uint64_t position, unsigned code)
{
    struct unit_ring_entry *bad = unit_ring_at(&amdvi->ring, position);
    struct unit_ring_record *record = unit_ring_record_at_locked(&amdvi->ring, position);

    log_error(amdvi->unit.sluice, "%s: %s: %s (%#018llx %#018llx at entry %u)", amdvi->unit.name,
              amdvi_event_text(code),
              amdvi_opcode_text((unsigned)AMDVI_GET(COMMAND_OPCODE, bad->low)),
              (unsigned long long)bad->low, (unsigned long long)bad->high,
              (unsigned)(position % UNIT_RING_ENTRIES));
    *bad = entry_from(amdvi_command_nothing());
    if (record != NULL && record->state == UNIT_RING_PENDING)
        unit_ring_fail_locked(&amdvi->ring, record);
}

static void unanswered(struct amdvi *amdvi, uint64_t position, bool known)
{
    struct unit_ring_record *record =
        known ? unit_ring_record_at_locked(&amdvi->ring, position) : NULL;

    if (record == NULL || record->state == UNIT_RING_DONE) {
        amdvi_queue_doubt_locked(amdvi);
        unit_degrade(&amdvi->unit, "a device TLB was not invalidated, and that was told too late");
        return;
    }
    /* Moved or failed: another command of it went unanswered before. */
    if (record->state == UNIT_RING_PENDING)
        unit_ring_repeat_locked(&amdvi->ring, record);
}

void amdvi_queue_event_locked(struct amdvi *amdvi, unsigned code, uint64_t low, uint64_t address)
{
    uint64_t position = 0;
    bool known = position_of(amdvi, address, &position);

    amdvi->ring.errors++;
    if (code == AMDVI_IOTLB_INV_TIMEOUT) {
        log_error(amdvi->unit.sluice, "%s: %s, device " LOG_RID, amdvi->unit.name,
                  amdvi_event_text(code),
                  LOG_RID_ARGS(amdvi->unit.desc->segment, AMDVI_GET(EVENT0_DEVICE, low)));
        unanswered(amdvi, position, known);
    } else if (known) {
        refuse(amdvi, position, code);
    } else {
        log_error(amdvi->unit.sluice, "%s: %s at %#llx, where none of ours is", amdvi->unit.name,
                  amdvi_event_text(code), (unsigned long long)address);
    }
}

void amdvi_queue_doubt_locked(struct amdvi *amdvi)
{
    struct unit_ring *ring = &amdvi->ring;

    uint64_t end = ring->next; /* repeated ones are added behind */

    for (uint64_t at = ring->oldest; at != end; at++) {
        struct unit_ring_record *record = &ring->records[at % UNIT_RING_RECORDS];

        /* Those that the unit has not come to yet will be told of by what it logs from now on. */
        if (record->state == UNIT_RING_PENDING && record->remote &&
            unit_ring_seen(ring, record->sequence))
            unit_ring_repeat_locked(ring, record);
    }
}

static bool anything_failed(const struct unit_ring *ring)
{
    for (uint64_t at = ring->oldest; at != ring->next; at++) {
        const struct unit_ring_record *record = &ring->records[at % UNIT_RING_RECORDS];

        if (record->state == UNIT_RING_FAILED && !record->passed)
            return true;
    }
    return false;
}

/* Off, back to `position`, on. The head may be written only while the buffer is off [AMD 3.4]. */
static enum sluice_status restart_locked(struct amdvi *amdvi, uint64_t position)
{
    enum sluice_status status;

    amdvi_control_locked(amdvi, AMDVI_MASK(CONTROL_CMDBUF), 0);
    status = amdvi_wait_status(amdvi, AMDVI_MASK(STATUS_CMDRUN), 0, "command buffer off");
    if (status != SLUICE_OK)
        return status;
    amdvi_write(amdvi, AMDVI_REG_CMDBUF_HEAD,
                position % UNIT_RING_ENTRIES * sizeof(struct unit_ring_entry));
    amdvi_control_locked(amdvi, 0, AMDVI_MASK(CONTROL_CMDBUF));
    return amdvi_wait_status(amdvi, AMDVI_MASK(STATUS_CMDRUN), AMDVI_MASK(STATUS_CMDRUN),
                             "command buffer on");
}

static bool check_locked(struct unit_ring *ring)
{
    struct amdvi *amdvi = amdvi_of_ring(ring);
    uint64_t status = amdvi_read(amdvi, AMDVI_REG_STATUS);

    if (status == UINT64_MAX)
        return false;
    if ((status & AMDVI_MASK(STATUS_CMDRUN)) != 0 || !ring->enabled || ring->dead)
        return true;
    ring->errors++;
    unit_ring_reclaim_locked(ring);
    if (!amdvi_log_note_locked(amdvi))
        return false;
    if (!anything_failed(ring)) {
        log_error(amdvi->unit.sluice,
                  "%s: the command buffer stopped and no event says why: all that is pending has "
                  "failed",
                  amdvi->unit.name);
        unit_ring_fail_all_locked(ring);
        unit_ring_reclaim_locked(ring);
    }
    if (restart_locked(amdvi, ring->reclaimed) != SLUICE_OK)
        ring->dead = true;
    return true;
}

static void look_locked(struct unit_ring *ring)
{
    struct amdvi *amdvi = amdvi_of_ring(ring);

    /*
     * A log that was full does not tell who did not answer: it is emptied, and devices are asked
     * again. Faults are lost by that, but a device that floods the log must not keep others from
     * being confirmed.
     */
    if (!amdvi_log_note_locked(amdvi)) {
        unit_ring_fail_all_locked(ring);
    } else if (amdvi->log.full) {
        amdvi_log_renew_locked(amdvi);
        amdvi_queue_doubt_locked(amdvi);
    }
    if (ring->enabled && !ring->dead)
        unit_ring_ring_locked(ring); /* what is repeated */
}

const struct unit_ring_ops amdvi_ring_ops = {
    .completion = completion,
    .doorbell = doorbell,
    .check_locked = check_locked,
    .look_locked = look_locked,
};

void amdvi_queue_program(struct amdvi *amdvi)
{
    sluice_irqstate_t irq = sluice_spin_lock(&amdvi->ring.lock);

    unit_ring_reset(&amdvi->ring);
    amdvi_write(amdvi, AMDVI_REG_CMDBUF,
                amdvi->ring.pages.phys | AMDVI_PREP(RING_LEN, AMDVI_RING_LENGTH));
    amdvi_write(amdvi, AMDVI_REG_CMDBUF_HEAD, 0);
    amdvi_write(amdvi, AMDVI_REG_CMDBUF_TAIL, 0);
    sluice_spin_unlock(&amdvi->ring.lock, irq);
}

enum sluice_status amdvi_queue_off(struct amdvi *amdvi)
{
    sluice_irqstate_t irq = sluice_spin_lock(&amdvi->ring.lock);

    amdvi->ring.enabled = false;
    amdvi_control_locked(amdvi, AMDVI_MASK(CONTROL_CMDBUF), 0);
    sluice_spin_unlock(&amdvi->ring.lock, irq);
    return amdvi_wait_status(amdvi, AMDVI_MASK(STATUS_CMDRUN), 0, "command buffer off");
}
