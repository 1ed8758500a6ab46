// SPDX-License-Identifier: MIT
/*
 * The command queue [RISC-V IOMMU 3.1, 5.15], and how it goes on after an error. The unit stops at
 * the command that failed, and goes on from that very command once the error is cleared in CQCSR;
 * what it fetched since the last IOFENCE.C may not have been done. Each batch ends with one.
 *
 *   cmd_ill  the command becomes an IOFENCE.C, which does nothing here; its batch has failed, the
 *            others are as they were
 *   cqmf     the command could not be read, or the completion not written: the batch is put into
 *            the queue again, once; a second time it has failed
 *   cmd_to   a device did not answer, and the IOFENCE.C behind says so. It is replaced by one that
 *            writes nothing, and the batch is put into the queue again, once
 *
 * A second error at the same command is one that clearing does not help: the queue is given up,
 * rather than to have the unit raise it without end.
 *
 * A batch is complete when the head is past its IOFENCE.C; it also writes memory then, which is
 * cheaper to look at.
 */
#include "unit/riscv/riommu.h"

#define INDEX_MASK  (UNIT_RING_ENTRIES - 1)
#define NO_ERROR_AT UINT64_MAX
#define ERRORS                                                                                     \
    ((uint32_t)(RIOMMU_MASK(CQCSR_CQMF) | RIOMMU_MASK(CQCSR_CMD_TO) | RIOMMU_MASK(CQCSR_CMD_ILL)))
#define FENCE_DONE ((uint32_t)RIOMMU_MASK(CQCSR_FENCE_W_IP))

static struct unit_ring_entry completion_written(sluice_phys_t phys, uint64_t data)
{
    return riommu_fence_write(phys, (uint32_t)data);
}

static struct unit_ring_entry completion_polled(sluice_phys_t phys, uint64_t data)
{
    (void)phys;
    (void)data;
    return riommu_fence();
}

static void doorbell(struct unit_ring *ring, uint32_t bytes)
{
    riommu_write32(riommu_of_ring(ring), RIOMMU_REG_CQT,
                   bytes / (uint32_t)sizeof(struct unit_ring_entry));
}

/* The ring never is full, so the index alone tells. What was not rung for cannot be consumed. */
static uint64_t position_of(struct unit_ring *ring, uint32_t head)
{
    uint64_t position = unit_ring_position_locked(ring, (uint64_t)(head & INDEX_MASK) *
                                                            sizeof(struct unit_ring_entry));

    return position <= ring->rung ? position : ring->reclaimed;
}

static uint64_t consumed_locked(struct unit_ring *ring)
{
    uint32_t head = riommu_read32(riommu_of_ring(ring), RIOMMU_REG_CQH);

    if (head >= UNIT_RING_ENTRIES)
        return ring->reclaimed; /* gone, or nonsense */
    /* The fence: what the unit did before it moved on, before what we do next. */
    sluice_device_fence();
    return position_of(ring, head);
}

static void replace(struct riommu *riommu, struct unit_ring_entry *bad)
{
    *bad = riommu_fence();
    riommu_clean(riommu, bad, sizeof(*bad));
}

static void fail_pending(struct riommu *riommu, const char *why)
{
    struct unit_ring *ring = &riommu->ring;

    log_error(riommu->unit.sluice, "%s: %s: all that is pending has failed", riommu->unit.name,
              why);
    for (uint64_t at = ring->oldest; at != ring->next; at++) {
        struct unit_ring_record *record = &ring->records[at % UNIT_RING_RECORDS];

        if (record->state == UNIT_RING_PENDING)
            unit_ring_fail_locked(ring, record);
    }
}

static void refuse(struct riommu *riommu, uint64_t position, struct unit_ring_record *record)
{
    struct unit_ring_entry *bad = unit_ring_at(&riommu->ring, position);

    log_error(riommu->unit.sluice, "%s: illegal command %#llx %#llx at entry %u", riommu->unit.name,
              (unsigned long long)bad->low, (unsigned long long)bad->high,
              (unsigned)(position % UNIT_RING_ENTRIES));
    replace(riommu, bad);
    if (record != NULL && record->state == UNIT_RING_PENDING)
        unit_ring_fail_locked(&riommu->ring, record);
}

static void repeat(struct riommu *riommu, struct unit_ring_record *record, const char *why)
{
    log_error(riommu->unit.sluice, "%s: %s", riommu->unit.name, why);
    if (record != NULL && record->state == UNIT_RING_PENDING)
        unit_ring_repeat_locked(&riommu->ring, record);
}

/* False: nothing helps any more. */
static bool error_locked(struct riommu *riommu, uint32_t csr)
{
    struct unit_ring *ring = &riommu->ring;
    uint64_t position = position_of(ring, riommu_read32(riommu, RIOMMU_REG_CQH));
    struct unit_ring_record *record = unit_ring_record_at_locked(ring, position);

    ring->errors++;
    if (position >= ring->rung || position == riommu->error_at) {
        fail_pending(riommu, position == riommu->error_at
                                 ? "the command queue fails again at the same command"
                                 : "the command queue stopped where no command is");
        ring->dead = true;
        return false;
    }
    riommu->error_at = position;
    if ((csr & RIOMMU_MASK(CQCSR_CMD_ILL)) != 0) {
        refuse(riommu, position, record);
    } else if ((csr & RIOMMU_MASK(CQCSR_CQMF)) != 0) {
        repeat(riommu, record, "the command queue could not be read, or a completion not written");
    } else {
        replace(riommu, unit_ring_at(ring, position));
        repeat(riommu, record, "a device did not answer an invalidation in time");
    }
    return true;
}

/* False: the registers are gone. */
static bool errors_locked(struct riommu *riommu)
{
    struct unit_ring *ring = &riommu->ring;
    uint32_t csr = riommu_read32(riommu, RIOMMU_REG_CQCSR);

    if (csr == UINT32_MAX)
        return false;
    /* Nobody asks for FENCE_W_IP, but it would raise the wire for ever. */
    if ((csr & (ERRORS | FENCE_DONE)) == 0 || (csr & RIOMMU_MASK(CQCSR_BUSY)) != 0 ||
        !ring->enabled || ring->dead)
        return true;
    if ((csr & ERRORS) != 0) {
        unit_ring_reclaim_locked(ring); /* what completed before the error did */
        if (!error_locked(riommu, csr)) {
            /* It stays stopped, and is not to interrupt for that. */
            riommu_write32(riommu, RIOMMU_REG_CQCSR,
                           riommu->cqcsr & ~(uint32_t)RIOMMU_MASK(CQCSR_CIE));
            return true;
        }
    }
    /* The fence: a replaced command before the unit looks at it again. */
    sluice_device_fence();
    riommu_write32(riommu, RIOMMU_REG_CQCSR, riommu->cqcsr | (csr & (ERRORS | FENCE_DONE)));
    unit_ring_ring_locked(ring); /* what is repeated */
    return true;
}

static bool check_locked(struct unit_ring *ring)
{
    return errors_locked(riommu_of_ring(ring));
}

void riommu_ring_look(struct riommu *riommu)
{
    sluice_irqstate_t irq = sluice_spin_lock(&riommu->ring.lock);

    (void)errors_locked(riommu);
    sluice_spin_unlock(&riommu->ring.lock, irq);
}

const struct unit_ring_ops riommu_ring_ops_written = {
    .completion = completion_written,
    .doorbell = doorbell,
    .check_locked = check_locked,
    .consumed_locked = consumed_locked,
};

const struct unit_ring_ops riommu_ring_ops_polled = {
    .completion = completion_polled,
    .doorbell = doorbell,
    .check_locked = check_locked,
    .consumed_locked = consumed_locked,
    .silent = true,
};

static enum sluice_status ring_control(struct riommu *riommu, uint32_t csr)
{
    enum sluice_status status = riommu_queue_control(riommu, RIOMMU_REG_CQCSR, csr);
    sluice_irqstate_t irq = sluice_spin_lock(&riommu->ring.lock);

    riommu->cqcsr = csr;
    riommu->ring.enabled = status == SLUICE_OK && csr != 0;
    sluice_spin_unlock(&riommu->ring.lock, irq);
    return status;
}

enum sluice_status riommu_ring_start(struct riommu *riommu)
{
    uint64_t base = RIOMMU_PREP(QB_PPN, riommu->ring.pages.phys >> 12) |
                    RIOMMU_PREP(QB_LOG2SZ_1, RIOMMU_RING_LG2 - 1);
    sluice_irqstate_t irq = sluice_spin_lock(&riommu->ring.lock);

    unit_ring_reset(&riommu->ring);
    riommu->error_at = NO_ERROR_AT;
    riommu_write64(riommu, RIOMMU_REG_CQB, base);
    riommu_write32(riommu, RIOMMU_REG_CQT, 0);
    sluice_spin_unlock(&riommu->ring.lock, irq);
    if (riommu_read64(riommu, RIOMMU_REG_CQB) != base) {
        log_error(riommu->unit.sluice, "%s: CQB does not take %#llx", riommu->unit.name,
                  (unsigned long long)base);
        return SLUICE_ERR_HARDWARE;
    }
    return ring_control(
        riommu, (uint32_t)(RIOMMU_MASK(CQCSR_CQEN) | RIOMMU_PREP(CQCSR_CIE, riommu->has_event)));
}

enum sluice_status riommu_ring_stop(struct riommu *riommu)
{
    sluice_irqstate_t irq = sluice_spin_lock(&riommu->ring.lock);

    riommu->ring.enabled = false;
    sluice_spin_unlock(&riommu->ring.lock, irq);
    return ring_control(riommu, 0);
}

void riommu_ring_quiet(struct riommu *riommu)
{
    sluice_irqstate_t irq = sluice_spin_lock(&riommu->ring.lock);
    uint32_t csr = riommu->cqcsr & (uint32_t)RIOMMU_MASK(CQCSR_CQEN);

    /* Under the lock: nobody else may write CQCSR while it is busy. */
    if (riommu_queue_control(riommu, RIOMMU_REG_CQCSR, csr) == SLUICE_OK)
        riommu->cqcsr = csr;
    sluice_spin_unlock(&riommu->ring.lock, irq);
}
