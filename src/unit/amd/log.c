// SPDX-License-Identifier: MIT
/*
 * The event log [AMD 2.5, 3.4]: a ring that the unit writes and software reads. Events about
 * devices become faults; those about commands are noted for the command buffer as soon as they are
 * seen, and stay in the log until it is drained.
 *
 * When the log is full the unit stops logging; it is started again once the log was drained.
 */
#include "unit/amd/amdvi.h"

#define TAKE_AT_ONCE 16u /* events between two deliveries: what fits on the stack */
#define EVENT_ROUNDS 8u  /* whole logs that one interrupt drains */
#define LATE_LOOKS   64u /* at an event whose tail came before it */

static struct amdvi_event *event_at(struct amdvi *amdvi, unsigned index)
{
    return (struct amdvi_event *)amdvi->log.pages.virt + index;
}

static uint64_t load(const uint64_t *word)
{
    /* Acquire: the event's other half is read after the half that tells that it is there. */
    return atomic_load_explicit((const _Atomic uint64_t *)word, memory_order_acquire);
}

static unsigned code_of(uint64_t low)
{
    return (unsigned)AMDVI_GET(EVENT0_CODE, low);
}

/*
 * Some units move the tail before the event is in memory, so an event that looks empty is looked
 * at again (so Linux, iommu_print_event). Consumed events are zeroed for that.
 */
struct amdvi_event amdvi_log_entry(struct amdvi *amdvi, const struct amdvi_event *from)
{
    struct amdvi_event event = {.low = load(&from->low)};

    for (unsigned i = 0; code_of(event.low) == 0 && i < LATE_LOOKS; i++) {
        host_relax(amdvi->unit.sluice);
        (void)amdvi_read(amdvi, AMDVI_REG_STATUS); /* a read pushes the unit's writes ahead of it */
        event.low = load(&from->low);
    }
    event.high = load(&from->high);
    return event;
}

static bool concerns_ring(unsigned code)
{
    return code == AMDVI_ILLEGAL_COMMAND_ERROR || code == AMDVI_COMMAND_HARDWARE_ERROR ||
           code == AMDVI_IOTLB_INV_TIMEOUT;
}

bool amdvi_log_note_locked(struct amdvi *amdvi)
{
    struct amdvi_log *log = &amdvi->log;
    uint64_t tail = amdvi_read(amdvi, AMDVI_REG_EVTLOG_TAIL);
    uint64_t status = amdvi_read(amdvi, AMDVI_REG_STATUS);

    if (tail == UINT64_MAX || status == UINT64_MAX)
        return false;
    tail = AMDVI_GET(POINTER_INDEX, tail) % AMDVI_LOG_ENTRIES;
    while (log->noted != tail && log->waiting < AMDVI_LOG_ENTRIES) {
        struct amdvi_event event = amdvi_log_entry(amdvi, event_at(amdvi, log->noted));

        if (concerns_ring(code_of(event.low)))
            amdvi_queue_event_locked(amdvi, code_of(event.low), event.low, event.high);
        log->noted = (log->noted + 1) % AMDVI_LOG_ENTRIES;
        log->waiting++;
    }
    if ((status & AMDVI_MASK(STATUS_EVTOVERFLOW)) != 0) {
        log->full = true;
        log->lost = true;
    }
    return true;
}

/* Logging stopped when the log was full: it begins again behind the tail [AMD 3.4]. */
static void restart_locked(struct amdvi *amdvi)
{
    uint64_t run = AMDVI_MASK(STATUS_EVTRUN);

    amdvi->log.full = false;
    amdvi_control_locked(amdvi, AMDVI_MASK(CONTROL_EVTLOG), 0);
    if (amdvi_wait_status(amdvi, run, 0, "event log off") != SLUICE_OK) {
        unit_degrade(&amdvi->unit, "its event log does not stop, and was full");
        return;
    }
    amdvi_write(amdvi, AMDVI_REG_STATUS, AMDVI_MASK(STATUS_EVTOVERFLOW));
    amdvi_control_locked(amdvi, 0, AMDVI_MASK(CONTROL_EVTLOG));
    if (amdvi_wait_status(amdvi, run, run, "event log on") != SLUICE_OK)
        unit_degrade(&amdvi->unit, "its event log does not start again");
}

/* Moves up to `limit` events that were noted out of the log; those of devices to `events`. */
static unsigned take_locked(struct amdvi *amdvi, struct amdvi_event *events, unsigned limit)
{
    struct amdvi_log *log = &amdvi->log;
    unsigned before = log->waiting;
    unsigned count = 0;

    while (log->waiting > 0 && count < limit) {
        struct amdvi_event *at = event_at(amdvi, log->head);

        events[count] = (struct amdvi_event){.low = load(&at->low), .high = load(&at->high)};
        if (!concerns_ring(code_of(events[count].low)))
            count++;
        *at = (struct amdvi_event){0};
        log->head = (log->head + 1) % AMDVI_LOG_ENTRIES;
        log->waiting--;
    }
    if (log->waiting != before) {
        sluice_device_fence(); /* the zeroes before the unit may write there again */
        amdvi_write(amdvi, AMDVI_REG_EVTLOG_HEAD, log->head * sizeof(struct amdvi_event));
    }
    log->seen += count;
    return count;
}

void amdvi_log_renew_locked(struct amdvi *amdvi)
{
    struct amdvi_event dropped[TAKE_AT_ONCE];

    while (amdvi->log.waiting > 0)
        (void)take_locked(amdvi, dropped, TAKE_AT_ONCE);
    restart_locked(amdvi);
}

/* One look: how many were taken, and whether others were lost. */
static unsigned log_take(struct amdvi *amdvi, struct amdvi_event *events, unsigned limit,
                         bool *out_lost)
{
    struct amdvi_log *log = &amdvi->log;
    sluice_irqstate_t irq = sluice_spin_lock(&amdvi->ring.lock);
    unsigned count = 0;

    if (amdvi_log_note_locked(amdvi))
        count = take_locked(amdvi, events, limit);
    if (amdvi->ring.enabled && !amdvi->ring.dead)
        unit_ring_ring_locked(&amdvi->ring); /* what a note put into the ring again */
    *out_lost = log->lost;
    if (log->full && log->waiting == 0)
        restart_locked(amdvi);
    if (count > 0 && log->waiting == 0)
        log->lost = false; /* told with these */
    sluice_spin_unlock(&amdvi->ring.lock, irq);
    return count;
}

/* A blocked requester faults as one that nothing is mapped for: the table tells them apart. */
static void deliver(struct amdvi *amdvi, const struct amdvi_event *event, bool lost,
                    unit_fault_sink *sink, void *arg)
{
    struct sluice_fault fault;

    if (!amdvi_event_decode(event, &fault)) {
        log_warning(amdvi->unit.sluice, "%s: event %#llx %#llx: %s", amdvi->unit.name,
                    (unsigned long long)event->low, (unsigned long long)event->high,
                    fault.hardware_text);
        return;
    }
    fault.unit = amdvi->unit.name;
    fault.segment = amdvi->unit.desc->segment;
    fault.records_lost = lost;
    fault.time_ns = host_now_ns(amdvi->unit.sluice);
    if (fault.hardware_code == AMDVI_IO_PAGE_FAULT && fault.reason != SLUICE_FAULT_INTERRUPT &&
        amdvi_entry_blocks(amdvi, (uint16_t)fault.source))
        fault.reason = SLUICE_FAULT_BLOCKED;
    sink(arg, &fault);
}

unsigned amdvi_faults_drain(struct unit *unit, unit_fault_sink *sink, void *arg)
{
    struct amdvi *amdvi = amdvi_of(unit);
    struct amdvi_event events[TAKE_AT_ONCE];
    unsigned done = 0;

    while (done < AMDVI_LOG_ENTRIES) {
        unsigned limit =
            AMDVI_LOG_ENTRIES - done < TAKE_AT_ONCE ? AMDVI_LOG_ENTRIES - done : TAKE_AT_ONCE;
        bool lost;
        unsigned count = log_take(amdvi, events, limit, &lost);

        /* Without the lock: what the host does with a fault may lead back here. */
        for (unsigned i = 0; i < count; i++)
            deliver(amdvi, &events[i], lost, sink, arg);
        done += count;
        if (count < limit)
            break;
    }
    amdvi_requests_refuse(amdvi);
    return done;
}

void amdvi_log_event(void *arg)
{
    struct amdvi *amdvi = arg;

    /*
     * Cleared before the log is looked at: what comes meanwhile raises another one. A device that
     * faults without end must not hold the CPU.
     */
    for (unsigned round = 0; round < EVENT_ROUNDS; round++) {
        amdvi_write(amdvi, AMDVI_REG_STATUS, AMDVI_MASK(STATUS_EVTINT) | AMDVI_MASK(STATUS_PPRINT));
        if (amdvi_faults_drain(&amdvi->unit, unit_fault_deliver, &amdvi->unit) == 0)
            return;
    }
}

void amdvi_log_program(struct amdvi *amdvi)
{
    struct amdvi_log *log = &amdvi->log;
    sluice_irqstate_t irq = sluice_spin_lock(&amdvi->ring.lock);

    for (unsigned i = 0; i < AMDVI_LOG_ENTRIES; i++)
        *event_at(amdvi, i) = (struct amdvi_event){0};
    log->head = 0;
    log->noted = 0;
    log->waiting = 0;
    log->lost = false;
    log->full = false;
    amdvi_write(amdvi, AMDVI_REG_EVTLOG, log->pages.phys | AMDVI_PREP(RING_LEN, AMDVI_RING_LENGTH));
    amdvi_write(amdvi, AMDVI_REG_EVTLOG_HEAD, 0);
    amdvi_write(amdvi, AMDVI_REG_EVTLOG_TAIL, 0);
    amdvi_write(amdvi, AMDVI_REG_STATUS,
                AMDVI_MASK(STATUS_EVTOVERFLOW) | AMDVI_MASK(STATUS_EVTINT) |
                    AMDVI_MASK(STATUS_COMWAITINT));
    sluice_spin_unlock(&amdvi->ring.lock, irq);
}

enum sluice_status amdvi_log_off(struct amdvi *amdvi)
{
    amdvi_control(amdvi, AMDVI_MASK(CONTROL_EVTLOG) | AMDVI_MASK(CONTROL_EVTINT), 0);
    return amdvi_wait_status(amdvi, AMDVI_MASK(STATUS_EVTRUN), 0, "event log off");
}
