// SPDX-License-Identifier: MIT
/*
 * The command queue [SMMU 3.5, 4], and how it goes on after an error [SMMU 7.1]. The unit stops at
 * the command that failed and goes on, from that very command, once the error is acknowledged in
 * GERRORN. By then the command has been replaced by a CMD_SYNC, which does nothing.
 *
 *   CERROR_ILL      its batch has failed, the others are as they were
 *   CERROR_ABT      the queue's memory could not be read: everything pending has failed
 *   CERROR_ATC_INV  a device did not answer, and the CMD_SYNC behind says so: its batch is put into
 *                   the queue again, once; a second time it has failed
 *
 * A batch is complete when its CMD_SYNC was consumed; where the unit has messages it also writes
 * memory then, which is cheaper to look at.
 */
#include "unit/smmu3/smmu3.h"

#define INDEX_MASK (UNIT_RING_ENTRIES - 1)
#define SYNC_EVERY 32u /**< commands, where an erratum wants it */

enum {
    CERROR_NONE = 0,
    CERROR_ILL = 1,
    CERROR_ABT = 2,
    CERROR_ATC_INV = 3,
};

void smmu3_add(struct unit_ring_batch *batch, struct unit_ring_entry entry)
{
    struct smmu3 *smmu3 = smmu3_of_ring(batch->ring);

    if ((smmu3->errata & SMMU3_ERRATUM_SYNC_OFTEN) != 0 &&
        batch->count % SYNC_EVERY == SYNC_EVERY - 1)
        unit_ring_add(batch, smmu3_sync());
    unit_ring_add(batch, entry);
}

static struct unit_ring_entry completion_message(sluice_phys_t phys, uint64_t data)
{
    return smmu3_sync_message(phys, (uint32_t)data);
}

static struct unit_ring_entry completion_polled(sluice_phys_t phys, uint64_t data)
{
    (void)phys;
    (void)data;
    return smmu3_sync();
}

static void doorbell(struct unit_ring *ring, uint32_t bytes)
{
    (void)bytes; /* the register wants the wrap bit too */
    smmu3_write32(smmu3_of_ring(ring), SMMU3_REG_CMDQ_PROD,
                  (uint32_t)(ring->tail & (2 * UNIT_RING_ENTRIES - 1)));
}

/* The ring never is full, so the index alone tells. What was not rung for cannot be consumed. */
static uint64_t position_of(struct unit_ring *ring, uint32_t cons)
{
    uint64_t position = unit_ring_position_locked(ring, (uint64_t)(cons & INDEX_MASK) *
                                                            sizeof(struct unit_ring_entry));

    return position <= ring->rung ? position : ring->reclaimed;
}

static uint64_t consumed_locked(struct unit_ring *ring)
{
    uint32_t cons = smmu3_read32(smmu3_of_ring(ring), SMMU3_REG_CMDQ_CONS);

    if (cons == UINT32_MAX)
        return ring->reclaimed;
    /* The fence: what the unit did before it moved on, before what we do next. */
    sluice_device_fence();
    return position_of(ring, cons);
}

static void replace(struct smmu3 *smmu3, struct unit_ring_entry *bad)
{
    *bad = smmu3_sync();
    smmu3_clean(smmu3, bad, sizeof(*bad));
}

static void refuse(struct smmu3 *smmu3, uint64_t position)
{
    struct unit_ring_entry *bad = unit_ring_at(&smmu3->ring, position);
    struct unit_ring_record *record = unit_ring_record_at_locked(&smmu3->ring, position);

    log_error(smmu3->unit.sluice, "%s: illegal command %#llx %#llx at entry %u", smmu3->unit.name,
              (unsigned long long)bad->low, (unsigned long long)bad->high,
              (unsigned)(position % UNIT_RING_ENTRIES));
    replace(smmu3, bad);
    if (record != NULL && record->state == UNIT_RING_PENDING)
        unit_ring_fail_locked(&smmu3->ring, record);
}

static void unanswered(struct smmu3 *smmu3, uint64_t position)
{
    struct unit_ring_record *record = unit_ring_record_at_locked(&smmu3->ring, position);

    log_error(smmu3->unit.sluice, "%s: a device did not answer an invalidation in time",
              smmu3->unit.name);
    replace(smmu3, unit_ring_at(&smmu3->ring, position));
    if (record != NULL && record->state == UNIT_RING_PENDING)
        unit_ring_repeat_locked(&smmu3->ring, record);
}

static void fail_pending(struct smmu3 *smmu3, const char *why)
{
    struct unit_ring *ring = &smmu3->ring;

    log_error(smmu3->unit.sluice, "%s: %s: all that is pending has failed", smmu3->unit.name, why);
    for (uint64_t at = ring->oldest; at != ring->next; at++) {
        struct unit_ring_record *record = &ring->records[at % UNIT_RING_RECORDS];

        if (record->state == UNIT_RING_PENDING)
            unit_ring_fail_locked(ring, record);
    }
}

static void queue_error_locked(struct smmu3 *smmu3)
{
    struct unit_ring *ring = &smmu3->ring;
    uint32_t cons = smmu3_read32(smmu3, SMMU3_REG_CMDQ_CONS);
    uint64_t position;

    ring->errors++;
    unit_ring_reclaim_locked(ring); /* what completed before the error did */
    position = position_of(ring, cons);
    if (position >= ring->rung) {
        fail_pending(smmu3, "the command queue stopped where no command is");
        ring->dead = true;
        return;
    }
    switch (SMMU3_GET(CMDQ_CONS_ERR, cons)) {
    case CERROR_ILL:
        refuse(smmu3, position);
        break;
    case CERROR_ATC_INV:
        unanswered(smmu3, position);
        break;
    default:
        fail_pending(smmu3, "the command queue could not be read, or stopped without a reason");
        break;
    }
}

static const char *error_text(uint32_t active)
{
    for (size_t i = 0; i < smmu3_field_count; i++) {
        const struct unit_field *field = &smmu3_fields[i];

        if (field->where[0] == 'G' && field->where[1] == 'E' && (active >> field->low & 1u) != 0 &&
            field->low != SMMU3_LOW_GERROR_CMDQ)
            return field->text;
    }
    return "unknown";
}

void smmu3_errors_note_locked(struct smmu3 *smmu3, uint32_t active)
{
    active &= ~(uint32_t)SMMU3_MASK(GERROR_CMDQ);
    if (active == 0)
        return;
    log_error(smmu3->unit.sluice, "%s: GERROR %#x: %s", smmu3->unit.name, (unsigned)active,
              error_text(active));
    if ((active & SMMU3_MASK(GERROR_SFM)) != 0) {
        unit_degrade(&smmu3->unit, "it is in service failure mode and translates nothing any more");
        smmu3->ring.dead = true;
    }
    /* Nothing is reached that should not be: what is missing is said with the next record. QEMU
     * reports a full queue so, too. */
    if ((active & SMMU3_MASK(GERROR_EVENTQ_ABT)) != 0)
        atomic_store_explicit(&smmu3->events_aborted, 1, memory_order_relaxed);
}

/* False: the registers are gone. */
static bool errors_locked(struct smmu3 *smmu3)
{
    uint32_t gerror = smmu3_read32(smmu3, SMMU3_REG_GERROR);
    uint32_t active = gerror ^ smmu3->gerrorn;

    if (gerror == UINT32_MAX)
        return false;
    if (active == 0)
        return true;
    if ((active & SMMU3_MASK(GERROR_CMDQ)) != 0)
        queue_error_locked(smmu3);
    smmu3_errors_note_locked(smmu3, active);
    /* The fence: a replaced command before the unit looks at it again. */
    sluice_device_fence();
    smmu3->gerrorn = gerror;
    smmu3_write32(smmu3, SMMU3_REG_GERRORN, gerror);
    if (smmu3->ring.enabled && !smmu3->ring.dead)
        unit_ring_ring_locked(&smmu3->ring); /* what is repeated */
    return true;
}

static bool check_locked(struct unit_ring *ring)
{
    return errors_locked(smmu3_of_ring(ring));
}

void smmu3_errors_look(struct smmu3 *smmu3)
{
    sluice_irqstate_t irq = sluice_spin_lock(&smmu3->ring.lock);

    (void)errors_locked(smmu3);
    sluice_spin_unlock(&smmu3->ring.lock, irq);
}

const struct unit_ring_ops smmu3_ring_ops_messages = {
    .completion = completion_message,
    .doorbell = doorbell,
    .check_locked = check_locked,
    .consumed_locked = consumed_locked,
};

const struct unit_ring_ops smmu3_ring_ops_polled = {
    .completion = completion_polled,
    .doorbell = doorbell,
    .check_locked = check_locked,
    .consumed_locked = consumed_locked,
    .silent = true,
};

void smmu3_queue_program(struct smmu3 *smmu3)
{
    sluice_irqstate_t irq = sluice_spin_lock(&smmu3->ring.lock);

    unit_ring_reset(&smmu3->ring);
    smmu3_write64(smmu3, SMMU3_REG_CMDQ_BASE,
                  smmu3->ring.pages.phys | SMMU3_PREP(QUEUE_BASE_LOG2SIZE, SMMU3_RING_LG2) |
                      SMMU3_MASK(QUEUE_BASE_ALLOCATE));
    smmu3_write32(smmu3, SMMU3_REG_CMDQ_PROD, 0);
    smmu3_write32(smmu3, SMMU3_REG_CMDQ_CONS, 0);
    /* Errors of before are nobody's any more. */
    smmu3->gerrorn = smmu3_read32(smmu3, SMMU3_REG_GERROR);
    smmu3_write32(smmu3, SMMU3_REG_GERRORN, smmu3->gerrorn);
    sluice_spin_unlock(&smmu3->ring.lock, irq);
}

void smmu3_queue_enable(struct smmu3 *smmu3, bool enable)
{
    sluice_irqstate_t irq = sluice_spin_lock(&smmu3->ring.lock);

    smmu3->ring.enabled = enable;
    sluice_spin_unlock(&smmu3->ring.lock, irq);
}
