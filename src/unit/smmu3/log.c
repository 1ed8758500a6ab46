// SPDX-License-Identifier: MIT
/*
 * The queues that the unit writes [SMMU 3.5, 7.2, 7.3, 8]: events become faults, and stalled
 * accesses among them are ended; page requests are refused, since nobody above answers them yet.
 *
 * A full queue loses what comes, and says so by OVFLG differing from OVACKFLG.
 */
#include "unit/smmu3/smmu3.h"

#define TAKE_AT_ONCE 16u /* events between two deliveries: what fits on the stack */
#define EVENT_ROUNDS 8u  /* whole queues that one interrupt drains */

/* Where a queue's registers are, and how large its entries. */
struct queue_place {
    uint32_t prod, cons;
    size_t bytes;
};

static const struct queue_place event_place = {SMMU3_REG_EVENTQ_PROD, SMMU3_REG_EVENTQ_CONS,
                                               sizeof(struct smmu3_event)};
static const struct queue_place pri_place = {SMMU3_REG_PRIQ_PROD, SMMU3_REG_PRIQ_CONS, 16};

/* Index and wrap bit. */
static uint32_t position_mask(const struct smmu3_queue *queue)
{
    return (2u << queue->lg2) - 1;
}

/* Copies up to `limit` entries out; false: the registers are gone or say nonsense. */
static bool take_locked(struct smmu3 *smmu3, struct smmu3_queue *queue,
                        const struct queue_place *place, void *entries, unsigned limit,
                        unsigned *out_count)
{
    uint32_t prod = smmu3_read32(smmu3, place->prod);
    uint32_t overflow = (uint32_t)SMMU3_MASK(QUEUE_OVERFLOW);
    uint32_t waiting = (prod - queue->cons) & position_mask(queue);
    uint32_t index = queue->cons & ((1u << queue->lg2) - 1);

    *out_count = 0;
    if (prod == UINT32_MAX || waiting > 1u << queue->lg2)
        return false;
    /* What caches hold of the queue is from before the unit wrote there. */
    if (!smmu3->unit.caps.coherent)
        smmu3->unit.sluice->ops->cache_invalidate(smmu3->unit.sluice->config.ctx, queue->pages.virt,
                                                  SLUICE_PAGE_BYTES);
    /* The fence: the index was read before the entries are. */
    sluice_device_fence();
    while (*out_count < limit && *out_count < waiting) {
        const uint8_t *from = (const uint8_t *)queue->pages.virt + index * place->bytes;

        __builtin_memcpy((uint8_t *)entries + *out_count * place->bytes, from, place->bytes);
        index = (index + 1) & ((1u << queue->lg2) - 1);
        ++*out_count;
    }
    if (((prod ^ queue->cons) & overflow) != 0)
        queue->lost = true;
    queue->cons =
        (((queue->cons & ~overflow) + *out_count) & position_mask(queue)) | (prod & overflow);
    sluice_device_fence(); /* entries were read before the unit may write there again */
    smmu3_write32(smmu3, place->cons, queue->cons);
    queue->seen += *out_count;
    return true;
}

static void queue_program(struct smmu3 *smmu3, struct smmu3_queue *queue, uint32_t base,
                          const struct queue_place *place)
{
    queue->cons = 0;
    queue->lost = false;
    smmu3_clean(smmu3, queue->pages.virt, SLUICE_PAGE_BYTES);
    smmu3_write64(smmu3, base,
                  queue->pages.phys | SMMU3_PREP(QUEUE_BASE_LOG2SIZE, queue->lg2) |
                      SMMU3_MASK(QUEUE_BASE_ALLOCATE));
    smmu3_write32(smmu3, place->prod, 0);
    smmu3_write32(smmu3, place->cons, 0);
}

void smmu3_logs_program(struct smmu3 *smmu3)
{
    sluice_irqstate_t irq = sluice_spin_lock(&smmu3->log_lock);

    queue_program(smmu3, &smmu3->events, SMMU3_REG_EVENTQ_BASE, &event_place);
    if (smmu3->requests.pages.virt != NULL)
        queue_program(smmu3, &smmu3->requests, SMMU3_REG_PRIQ_BASE, &pri_place);
    sluice_spin_unlock(&smmu3->log_lock, irq);
}

/* A command that nobody waits for. */
static void answer(struct smmu3 *smmu3, struct unit_ring_entry command)
{
    struct unit_ring_batch batch;
    struct unit_ticket ticket;

    unit_ring_begin(&smmu3->ring, &batch);
    smmu3_add(&batch, command);
    if (unit_ring_end(&batch, &ticket) != SLUICE_OK)
        log_warning(smmu3->unit.sluice, "%s: a device waits for an answer that cannot be sent",
                    smmu3->unit.name);
}

/* Each last request of a group is owed an answer: no. */
static void requests_refuse(struct smmu3 *smmu3)
{
    struct {
        uint64_t word[2];
    } entries[TAKE_AT_ONCE];
    unsigned done = 0;
    unsigned count;

    if (smmu3->requests.pages.virt == NULL || !smmu3->unit.started)
        return;
    do {
        sluice_irqstate_t irq = sluice_spin_lock(&smmu3->log_lock);
        bool alive =
            take_locked(smmu3, &smmu3->requests, &pri_place, entries, TAKE_AT_ONCE, &count);

        sluice_spin_unlock(&smmu3->log_lock, irq);
        if (!alive)
            return;
        for (unsigned i = 0; i < count; i++) {
            if (SMMU3_GET(PRI0_LAST, entries[i].word[0]) != 0)
                answer(smmu3, smmu3_pri_deny(entries[i].word[0], entries[i].word[1]));
        }
        done += count;
    } while (count == TAKE_AT_ONCE && done < 1u << SMMU3_PRI_LG2_MAX);
}

static void deliver(struct smmu3 *smmu3, const struct smmu3_event *event, bool lost,
                    unit_fault_sink *sink, void *arg)
{
    struct sluice_fault fault;

    smmu3_event_decode(event, &fault);
    fault.unit = smmu3->unit.name;
    fault.segment = smmu3->unit.desc->segment;
    fault.records_lost = lost;
    fault.time_ns = host_now_ns(smmu3->unit.sluice);
    if (smmu3_event_stalled(event))
        answer(smmu3,
               smmu3_resume_abort(fault.source, (uint16_t)SMMU3_GET(EVENT1_STAG, event->word[1])));
    sink(arg, &fault);
}

unsigned smmu3_faults_drain(struct unit *unit, unit_fault_sink *sink, void *arg)
{
    struct smmu3 *smmu3 = smmu3_of(unit);
    struct smmu3_event events[TAKE_AT_ONCE];
    const unsigned most = 1u << smmu3->events.lg2;
    unsigned done = 0;

    while (done < most) {
        unsigned limit = most - done < TAKE_AT_ONCE ? most - done : TAKE_AT_ONCE;
        sluice_irqstate_t irq = sluice_spin_lock(&smmu3->log_lock);
        unsigned count;
        bool alive = take_locked(smmu3, &smmu3->events, &event_place, events, limit, &count);
        bool lost;

        if (atomic_exchange_explicit(&smmu3->events_aborted, 0, memory_order_relaxed) != 0)
            smmu3->events.lost = true;
        lost = alive && smmu3->events.lost;
        if (alive && count > 0)
            smmu3->events.lost = false; /* told with these */
        sluice_spin_unlock(&smmu3->log_lock, irq);
        /* Without the lock: what the host does with a fault may lead back here. */
        for (unsigned i = 0; i < count; i++)
            deliver(smmu3, &events[i], lost, sink, arg);
        done += count;
        if (count < limit)
            break;
    }
    requests_refuse(smmu3);
    return done;
}

void smmu3_event(void *arg)
{
    struct smmu3 *smmu3 = arg;

    smmu3_errors_look(smmu3);
    /* A device that faults without end must not hold the CPU. */
    for (unsigned round = 0; round < EVENT_ROUNDS && !unit_events_held(&smmu3->unit); round++) {
        if (unit_event_drain(&smmu3->unit) == 0)
            break;
    }
}
