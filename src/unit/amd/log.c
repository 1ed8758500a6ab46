// SPDX-License-Identifier: MIT
/*
 * The event log [AMD 2.5, 3.4]: a ring that the unit writes and software reads. Events about
 * devices become faults; those about commands are noted for the command buffer as soon as they are
 * seen, and stay in the log until it is drained.
 *
 * When the log is full the unit stops logging; it is started again once the log was drained. A unit
 * that can have two logs [AMD 3.4, DualEventLogEn] goes on in the other, and stops only when that
 * is full too. It leaves a log for no other reason: so what the one that it left holds is older
 * than all of the other, and is drained first; then the log is given back.
 */
#include "unit/amd/amdvi.h"

#define TAKE_AT_ONCE   16u /* events between two deliveries: what fits on the stack */
#define EVENT_ROUNDS   8u  /* whole logs that one interrupt drains */
#define DUAL_BY_ITSELF 2u  /* EFR.DUALEVT and CONTROL.DUALEVT [AMD 3.4] */
#define LATE_LOOKS     64u /* at an event whose tail came before it */

static const struct {
    enum amdvi_register base, head, tail;
    uint64_t overflow;
} places[2] = {
    {AMDVI_REG_EVTLOG, AMDVI_REG_EVTLOG_HEAD, AMDVI_REG_EVTLOG_TAIL,
     AMDVI_MASK(STATUS_EVTOVERFLOW)},
    {AMDVI_REG_EVTLOG_B, AMDVI_REG_EVTLOG_B_HEAD, AMDVI_REG_EVTLOG_B_TAIL,
     AMDVI_MASK(STATUS_EVTOVERFLOWB)},
};

static struct amdvi_event *event_at(struct amdvi_log_part *part, unsigned index)
{
    return (struct amdvi_event *)part->pages.virt + index;
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

/* False: the registers are gone. */
static bool note_part_locked(struct amdvi *amdvi, unsigned which)
{
    struct amdvi_log_part *part = &amdvi->log.parts[which];
    uint64_t tail = amdvi_read(amdvi, places[which].tail);

    if (tail == UINT64_MAX)
        return false;
    tail = AMDVI_GET(POINTER_INDEX, tail) % AMDVI_LOG_ENTRIES;
    while (part->noted != tail && part->waiting < AMDVI_LOG_ENTRIES) {
        struct amdvi_event event = amdvi_log_entry(amdvi, event_at(part, part->noted));

        if (concerns_ring(code_of(event.low)))
            amdvi_queue_event_locked(amdvi, code_of(event.low), event.low, event.high);
        part->noted = (part->noted + 1) % AMDVI_LOG_ENTRIES;
        part->waiting++;
    }
    return true;
}

static bool is_full(const struct amdvi *amdvi, uint64_t status)
{
    if (!amdvi->log.dual)
        return (status & places[0].overflow) != 0;
    return (amdvi->control & AMDVI_MASK(CONTROL_EVTLOG)) != 0 &&
           ((status & AMDVI_MASK(STATUS_EVTRUN)) == 0 ||
            ((status & places[0].overflow) != 0 && (status & places[1].overflow) != 0));
}

bool amdvi_log_note_locked(struct amdvi *amdvi)
{
    struct amdvi_log *log = &amdvi->log;
    unsigned other = 1 - log->first;
    uint64_t status = amdvi_read(amdvi, AMDVI_REG_STATUS);

    /*
     * The other before the first: when there is anything in it the unit has left the first, whose
     * tail moves no more then.
     */
    if (status == UINT64_MAX || (log->dual && !note_part_locked(amdvi, other)) ||
        !note_part_locked(amdvi, log->first))
        return false;
    log->left = log->dual && ((status & places[log->first].overflow) != 0 ||
                              AMDVI_GET(STATUS_EVTACTIVE, status) != log->first ||
                              log->parts[other].waiting > 0);
    if (is_full(amdvi, status)) {
        log->full = true;
        log->lost = true;
    }
    return true;
}

/* Logging stopped when all was full: it begins again behind the tail [AMD 3.4]. */
static void restart_locked(struct amdvi *amdvi)
{
    uint64_t run = AMDVI_MASK(STATUS_EVTRUN);

    amdvi->log.full = false;
    amdvi_control_locked(amdvi, AMDVI_MASK(CONTROL_EVTLOG), 0);
    if (amdvi_wait_status(amdvi, run, 0, "event log off") != SLUICE_OK) {
        unit_degrade(&amdvi->unit, "its event log does not stop, and was full");
        return;
    }
    amdvi_write(amdvi, AMDVI_REG_STATUS,
                places[0].overflow | (amdvi->log.dual ? places[1].overflow : 0));
    amdvi_control_locked(amdvi, 0, AMDVI_MASK(CONTROL_EVTLOG));
    if (amdvi_wait_status(amdvi, run, run, "event log on") != SLUICE_OK)
        unit_degrade(&amdvi->unit, "its event log does not start again");
    if (amdvi->log.dual)
        amdvi->log.first =
            AMDVI_GET(STATUS_EVTACTIVE, amdvi_read(amdvi, AMDVI_REG_STATUS)) != 0 ? 1 : 0;
}

/* Moves up to `limit` events that were noted out of a part; those of devices to `events`. */
static unsigned take_part_locked(struct amdvi *amdvi, unsigned which, struct amdvi_event *events,
                                 unsigned limit)
{
    struct amdvi_log_part *part = &amdvi->log.parts[which];
    unsigned before = part->waiting;
    unsigned count = 0;

    while (part->waiting > 0 && count < limit) {
        struct amdvi_event *at = event_at(part, part->head);

        events[count] = (struct amdvi_event){.low = load(&at->low), .high = load(&at->high)};
        if (!concerns_ring(code_of(events[count].low)))
            count++;
        *at = (struct amdvi_event){0};
        part->head = (part->head + 1) % AMDVI_LOG_ENTRIES;
        part->waiting--;
    }
    if (part->waiting != before) {
        sluice_device_fence(); /* the zeroes before the unit may write there again */
        amdvi_write(amdvi, places[which].head, part->head * sizeof(struct amdvi_event));
    }
    return count;
}

/* The part that the unit has left is empty: it may have it again. A restart gives both back. */
static void change_over_locked(struct amdvi *amdvi)
{
    struct amdvi_log *log = &amdvi->log;

    log->left = false;
    if (!log->full)
        amdvi_write(amdvi, AMDVI_REG_STATUS, places[log->first].overflow);
    log->first = 1 - log->first;
}

static unsigned take_locked(struct amdvi *amdvi, struct amdvi_event *events, unsigned limit)
{
    struct amdvi_log *log = &amdvi->log;
    unsigned count = take_part_locked(amdvi, log->first, events, limit);

    if (log->left && log->parts[log->first].waiting == 0) {
        change_over_locked(amdvi);
        count += take_part_locked(amdvi, log->first, events + count, limit - count);
    }
    log->seen += count;
    return count;
}

static unsigned waiting(const struct amdvi_log *log)
{
    return log->parts[0].waiting + log->parts[1].waiting;
}

void amdvi_log_renew_locked(struct amdvi *amdvi)
{
    struct amdvi_event dropped[TAKE_AT_ONCE];

    while (waiting(&amdvi->log) > 0)
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
    if (log->full && waiting(log) == 0)
        restart_locked(amdvi);
    if (count > 0 && waiting(log) == 0)
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
    const unsigned most = amdvi->log.dual ? 2 * AMDVI_LOG_ENTRIES : AMDVI_LOG_ENTRIES;
    unsigned done = 0;

    while (done < most) {
        unsigned limit = most - done < TAKE_AT_ONCE ? most - done : TAKE_AT_ONCE;
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
    for (unsigned round = 0; round < EVENT_ROUNDS && !unit_events_held(&amdvi->unit); round++) {
        amdvi_write(amdvi, AMDVI_REG_STATUS, AMDVI_MASK(STATUS_EVTINT) | AMDVI_MASK(STATUS_PPRINT));
        if (unit_event_drain(&amdvi->unit) == 0)
            return;
    }
}

static void program_part_locked(struct amdvi *amdvi, unsigned which)
{
    struct amdvi_log_part *part = &amdvi->log.parts[which];

    for (unsigned i = 0; i < AMDVI_LOG_ENTRIES; i++)
        *event_at(part, i) = (struct amdvi_event){0};
    part->head = 0;
    part->noted = 0;
    part->waiting = 0;
    amdvi_write(amdvi, places[which].base,
                part->pages.phys | AMDVI_PREP(RING_LEN, AMDVI_RING_LENGTH));
    amdvi_write(amdvi, places[which].head, 0);
    amdvi_write(amdvi, places[which].tail, 0);
}

void amdvi_log_program(struct amdvi *amdvi)
{
    struct amdvi_log *log = &amdvi->log;
    sluice_irqstate_t irq = sluice_spin_lock(&amdvi->ring.lock);

    log->first = 0;
    log->left = false;
    log->lost = false;
    log->full = false;
    program_part_locked(amdvi, 0);
    if (log->dual)
        program_part_locked(amdvi, 1);
    amdvi_write(amdvi, AMDVI_REG_STATUS,
                places[0].overflow | (log->dual ? places[1].overflow : 0) |
                    AMDVI_MASK(STATUS_EVTINT) | AMDVI_MASK(STATUS_COMWAITINT));
    sluice_spin_unlock(&amdvi->ring.lock, irq);
}

bool amdvi_log_allocate(struct amdvi *amdvi)
{
    struct amdvi_log *log = &amdvi->log;

    log->dual = AMDVI_GET(EFR_DUALEVT, amdvi->capability.efr) == DUAL_BY_ITSELF;
    return host_pages_alloc(amdvi->unit.sluice, 0, -1, &log->parts[0].pages) &&
           (!log->dual || host_pages_alloc(amdvi->unit.sluice, 0, -1, &log->parts[1].pages));
}

uint64_t amdvi_log_bits(const struct amdvi *amdvi)
{
    return AMDVI_MASK(CONTROL_EVTLOG) |
           (amdvi->log.dual ? AMDVI_PREP(CONTROL_DUALEVT, DUAL_BY_ITSELF) : 0);
}

enum sluice_status amdvi_log_off(struct amdvi *amdvi)
{
    enum sluice_status status;

    amdvi_control(amdvi, AMDVI_MASK(CONTROL_EVTLOG) | AMDVI_MASK(CONTROL_EVTINT), 0);
    status = amdvi_wait_status(amdvi, AMDVI_MASK(STATUS_EVTRUN), 0, "event log off");
    /* Whoever turns one log on after us would be given two, and the second is not memory then. */
    if (status == SLUICE_OK && (amdvi->control & AMDVI_MASK(CONTROL_DUALEVT)) != 0)
        amdvi_control(amdvi, AMDVI_MASK(CONTROL_DUALEVT), 0);
    return status;
}
