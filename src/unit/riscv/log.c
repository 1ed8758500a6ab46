// SPDX-License-Identifier: MIT
/*
 * The queues that the unit writes [RISC-V IOMMU 3.2, 3.3, 5.16, 5.17]: records become faults; page
 * requests are refused, since nobody above answers them yet.
 *
 * A full queue, or one that cannot be written, drops what comes until that is cleared in its
 * control register.
 */
#include "unit/riscv/riommu.h"

#define TAKE_AT_ONCE 16u /* records between two deliveries: what fits on the stack */
#define EVENT_ROUNDS 8u  /* whole queues that one interrupt drains */

/* Where a queue's registers are, and how large its entries. */
struct queue_place {
    enum riommu_register base, head, tail, csr;
    unsigned lg2; /* of entries */
    size_t bytes;
};

static const struct queue_place fault_place = {RIOMMU_REG_FQB,   RIOMMU_REG_FQH,
                                               RIOMMU_REG_FQT,   RIOMMU_REG_FQCSR,
                                               RIOMMU_FAULT_LG2, sizeof(struct riommu_fault)};
static const struct queue_place request_place = {
    RIOMMU_REG_PQB, RIOMMU_REG_PQH, RIOMMU_REG_PQT, RIOMMU_REG_PQCSR, RIOMMU_REQUEST_LG2, 16};

/* Error bits are in the same place in both controls, and so are the enables. */
#define LOG_MEMORY_FAULT ((uint32_t)RIOMMU_MASK(FQCSR_FQMF))
#define LOG_OVERFLOW     ((uint32_t)RIOMMU_MASK(FQCSR_FQOF))
#define LOG_BUSY         ((uint32_t)RIOMMU_MASK(FQCSR_BUSY))
#define LOG_ENABLE       ((uint32_t)RIOMMU_MASK(FQCSR_FQEN))

/* Clears what stops the queue; a control that is busy is looked at next time. */
static void errors_locked(struct riommu *riommu, struct riommu_queue *queue,
                          const struct queue_place *place)
{
    uint32_t csr = riommu_read32(riommu, place->csr);
    uint32_t errors = csr & (LOG_MEMORY_FAULT | LOG_OVERFLOW);

    if (csr == UINT32_MAX || errors == 0 || (csr & LOG_BUSY) != 0)
        return;
    queue->lost = true;
    if ((errors & LOG_MEMORY_FAULT) != 0)
        log_warning(riommu->unit.sluice, "%s: a queue could not be written: records were lost",
                    riommu->unit.name);
    riommu_write32(riommu, place->csr, queue->csr | errors);
}

/* Copies up to `limit` entries out; false: the registers are gone or say nonsense. */
static bool take_locked(struct riommu *riommu, struct riommu_queue *queue,
                        const struct queue_place *place, void *entries, unsigned limit,
                        unsigned *out_count)
{
    uint32_t mask = (1u << place->lg2) - 1;
    uint32_t tail = riommu_read32(riommu, place->tail);
    uint32_t waiting = (tail - queue->head) & mask;

    *out_count = 0;
    if (tail > mask || (queue->csr & LOG_ENABLE) == 0)
        return false;
    if (waiting == 0) {
        errors_locked(riommu, queue, place);
        return true;
    }
    /* What caches hold of the queue is from before the unit wrote there. */
    if (!riommu->unit.caps.coherent)
        riommu->unit.sluice->ops->cache_invalidate(riommu->unit.sluice->config.ctx,
                                                   queue->pages.virt, SLUICE_PAGE_BYTES);
    /* The fence: the tail was read before the entries are. */
    sluice_device_fence();
    while (*out_count < limit && *out_count < waiting) {
        const uint8_t *from = (const uint8_t *)queue->pages.virt + queue->head * place->bytes;

        __builtin_memcpy((uint8_t *)entries + *out_count * place->bytes, from, place->bytes);
        queue->head = (queue->head + 1) & mask;
        ++*out_count;
    }
    sluice_device_fence(); /* entries were read before the unit may write there again */
    riommu_write32(riommu, place->head, queue->head);
    queue->seen += *out_count;
    /* What was lost came after what is in the queue: told with the last of it. */
    if (*out_count == waiting)
        errors_locked(riommu, queue, place);
    return true;
}

static enum sluice_status queue_start(struct riommu *riommu, struct riommu_queue *queue,
                                      const struct queue_place *place)
{
    uint64_t base =
        RIOMMU_PREP(QB_PPN, queue->pages.phys >> 12) | RIOMMU_PREP(QB_LOG2SZ_1, place->lg2 - 1);
    uint32_t csr = (uint32_t)(RIOMMU_MASK(FQCSR_FQEN) | RIOMMU_PREP(FQCSR_FIE, riommu->has_event));
    sluice_irqstate_t irq = sluice_spin_lock(&riommu->log_lock);
    enum sluice_status status;

    queue->head = 0;
    queue->lost = false;
    riommu_clean(riommu, queue->pages.virt, SLUICE_PAGE_BYTES);
    riommu_write64(riommu, place->base, base);
    riommu_write32(riommu, place->head, 0);
    status = riommu_read64(riommu, place->base) == base ? SLUICE_OK : SLUICE_ERR_HARDWARE;
    sluice_spin_unlock(&riommu->log_lock, irq);
    if (status != SLUICE_OK)
        log_error(riommu->unit.sluice, "%s: a queue's base does not take %#llx", riommu->unit.name,
                  (unsigned long long)base);
    if (status == SLUICE_OK)
        status = riommu_queue_control(riommu, place->csr, csr);
    irq = sluice_spin_lock(&riommu->log_lock);
    queue->csr = status == SLUICE_OK ? csr : 0;
    sluice_spin_unlock(&riommu->log_lock, irq);
    return status;
}

static enum sluice_status queue_stop(struct riommu *riommu, struct riommu_queue *queue,
                                     const struct queue_place *place)
{
    sluice_irqstate_t irq = sluice_spin_lock(&riommu->log_lock);

    queue->csr = 0; /* nobody clears errors any more */
    sluice_spin_unlock(&riommu->log_lock, irq);
    return riommu_queue_control(riommu, place->csr, 0);
}

enum sluice_status riommu_logs_start(struct riommu *riommu)
{
    enum sluice_status status = queue_start(riommu, &riommu->faults, &fault_place);

    if (status == SLUICE_OK && riommu->requests.pages.virt != NULL)
        status = queue_start(riommu, &riommu->requests, &request_place);
    return status;
}

enum sluice_status riommu_logs_stop(struct riommu *riommu)
{
    enum sluice_status status = queue_stop(riommu, &riommu->faults, &fault_place);

    if (status == SLUICE_OK && riommu->requests.pages.virt != NULL)
        status = queue_stop(riommu, &riommu->requests, &request_place);
    return status;
}

static void queue_quiet_locked(struct riommu *riommu, struct riommu_queue *queue,
                               const struct queue_place *place)
{
    uint32_t csr = queue->csr & LOG_ENABLE;

    if (csr != 0 && riommu_queue_control(riommu, place->csr, csr) == SLUICE_OK)
        queue->csr = csr;
}

void riommu_logs_quiet(struct riommu *riommu)
{
    /* Under the lock: nobody else may write the controls while they are busy. */
    sluice_irqstate_t irq = sluice_spin_lock(&riommu->log_lock);

    queue_quiet_locked(riommu, &riommu->faults, &fault_place);
    queue_quiet_locked(riommu, &riommu->requests, &request_place);
    sluice_spin_unlock(&riommu->log_lock, irq);
}

/* A command that nobody waits for. */
static void answer(struct riommu *riommu, struct unit_ring_entry command)
{
    struct unit_ring_batch batch;
    struct unit_ticket ticket;

    unit_ring_begin(&riommu->ring, &batch);
    unit_ring_add(&batch, command);
    if (unit_ring_end(&batch, &ticket) != SLUICE_OK)
        log_warning(riommu->unit.sluice, "%s: a device waits for an answer that cannot be sent",
                    riommu->unit.name);
}

/* The last request of a group is owed an answer, unless it only marks the end of a PASID's. */
static bool wants_answer(uint64_t page)
{
    return (page & RIOMMU_MASK(PAGE_L)) != 0 &&
           (page & (RIOMMU_MASK(PAGE_R) | RIOMMU_MASK(PAGE_W))) != 0;
}

static void requests_refuse(struct riommu *riommu)
{
    struct {
        uint64_t word[2];
    } entries[TAKE_AT_ONCE];
    unsigned done = 0;
    unsigned count;

    if (riommu->requests.pages.virt == NULL || !riommu->unit.started)
        return;
    do {
        sluice_irqstate_t irq = sluice_spin_lock(&riommu->log_lock);
        bool alive =
            take_locked(riommu, &riommu->requests, &request_place, entries, TAKE_AT_ONCE, &count);

        sluice_spin_unlock(&riommu->log_lock, irq);
        if (!alive)
            return;
        for (unsigned i = 0; i < count; i++) {
            if (wants_answer(entries[i].word[1]))
                answer(riommu, riommu_ats_refuse(entries[i].word[0], entries[i].word[1]));
        }
        done += count;
    } while (count == TAKE_AT_ONCE && done < 1u << RIOMMU_REQUEST_LG2);
}

static void deliver(struct riommu *riommu, const struct riommu_fault *record, bool lost,
                    unit_fault_sink *sink, void *arg)
{
    struct sluice_fault fault;

    riommu_fault_decode(record, &fault);
    fault.unit = riommu->unit.name;
    fault.segment = riommu->unit.desc->segment;
    fault.records_lost = lost;
    fault.time_ns = host_now_ns(riommu->unit.sluice);
    sink(arg, &fault);
}

unsigned riommu_faults_drain(struct unit *unit, unit_fault_sink *sink, void *arg)
{
    struct riommu *riommu = riommu_of(unit);
    struct riommu_fault records[TAKE_AT_ONCE];
    const unsigned most = 1u << RIOMMU_FAULT_LG2;
    unsigned done = 0;

    while (done < most) {
        unsigned limit = most - done < TAKE_AT_ONCE ? most - done : TAKE_AT_ONCE;
        sluice_irqstate_t irq = sluice_spin_lock(&riommu->log_lock);
        unsigned count;
        bool alive = take_locked(riommu, &riommu->faults, &fault_place, records, limit, &count);
        bool lost = alive && riommu->faults.lost;

        if (count > 0)
            riommu->faults.lost = false; /* told with these */
        sluice_spin_unlock(&riommu->log_lock, irq);
        /* Without the lock: what the host does with a fault may lead back here. */
        for (unsigned i = 0; i < count; i++)
            deliver(riommu, &records[i], lost, sink, arg);
        done += count;
        if (count < limit)
            break;
    }
    requests_refuse(riommu);
    return done;
}

/*
 * A wire stays up while a cause is pending, so that it cannot be left unanswered: the queue raises
 * nothing meanwhile [RISC-V IOMMU 5.16].
 */
static void event_mask(struct riommu *riommu, bool masked)
{
    const uint32_t on = (uint32_t)RIOMMU_MASK(FQCSR_FIE);
    struct riommu_queue *queue = &riommu->faults;
    sluice_irqstate_t irq = sluice_spin_lock(&riommu->log_lock);
    uint32_t want = masked ? queue->csr & ~on : queue->csr | on;

    /* Off, or just being turned on or off: that comes with the interrupt as it is to be. */
    if (queue->csr != 0 && want != queue->csr &&
        (riommu_read32(riommu, fault_place.csr) & LOG_BUSY) == 0) {
        queue->csr = want;
        riommu_write32(riommu, fault_place.csr, want);
    }
    sluice_spin_unlock(&riommu->log_lock, irq);
}

void riommu_event(void *arg)
{
    struct riommu *riommu = arg;
    uint32_t pending = riommu_read32(riommu, RIOMMU_REG_IPSR);

    if (pending == UINT32_MAX)
        return;
    /* First of all, so that what comes after the look below raises it again [RISC-V IOMMU 6.5]. */
    if (pending != 0)
        riommu_write32(riommu, RIOMMU_REG_IPSR, pending);
    riommu_ring_look(riommu);
    /* A device that faults without end must not hold the CPU. */
    /* Before the look: what comes after it raises the next one. */
    event_mask(riommu, unit_events_held(&riommu->unit));
    for (unsigned round = 0; round < EVENT_ROUNDS && !unit_events_held(&riommu->unit); round++) {
        if (unit_event_drain(&riommu->unit) == 0)
            break;
    }
    if (unit_events_held(&riommu->unit))
        event_mask(riommu, true);
    /* A cause that is still there has raised it again by now; a wire is lowered by the next one. */
}
