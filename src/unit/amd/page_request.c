// SPDX-License-Identifier: MIT
/*
 * The page request log [AMD 2.6, 3.4]. Nobody above asks for page requests, so no device table
 * entry allows any (DTE.PPR), and the unit refuses them by itself. What is in the log all the same
 * is taken out and answered with "invalid": a device that waits for ever would not come to rest.
 *
 * Drained with the event log. When the log is full the unit drops requests, whose devices then
 * wait; it is started again once it was drained.
 */
#include "unit/amd/page_request.h"
#include "unit/amd/amdvi.h"

#define TAKE_AT_ONCE  16u /* requests between two answers: what fits on the stack */
#define TELL_EVERY_NS 1000000000ull

_Static_assert(sizeof(struct amdvi_page_request_entry) == sizeof(struct amdvi_event),
               "entries of both logs have one size");

bool amdvi_requests_there(const struct amdvi *amdvi)
{
    return AMDVI_GET(EFR_PPRSUP, amdvi->capability.efr) != 0;
}

uint64_t amdvi_requests_bits(const struct amdvi *amdvi)
{
    return amdvi_requests_there(amdvi) ? AMDVI_MASK(CONTROL_PPRLOG) | AMDVI_MASK(CONTROL_PPR) : 0;
}

void amdvi_requests_program(struct amdvi *amdvi)
{
    struct amdvi_requests *requests = &amdvi->requests;
    sluice_irqstate_t irq;

    if (!amdvi_requests_there(amdvi))
        return;
    irq = sluice_spin_lock(&amdvi->ring.lock);
    for (unsigned i = 0; i < AMDVI_LOG_ENTRIES; i++)
        ((struct amdvi_event *)requests->pages.virt)[i] = (struct amdvi_event){0};
    requests->head = 0;
    amdvi_write(amdvi, AMDVI_REG_PPRLOG,
                requests->pages.phys | AMDVI_PREP(RING_LEN, AMDVI_RING_LENGTH));
    amdvi_write(amdvi, AMDVI_REG_PPRLOG_HEAD, 0);
    amdvi_write(amdvi, AMDVI_REG_PPRLOG_TAIL, 0);
    amdvi_write(amdvi, AMDVI_REG_STATUS,
                AMDVI_MASK(STATUS_PPROVERFLOW) | AMDVI_MASK(STATUS_PPRINT));
    sluice_spin_unlock(&amdvi->ring.lock, irq);
}

static uint64_t all_bits(void)
{
    return AMDVI_MASK(CONTROL_PPRLOG) | AMDVI_MASK(CONTROL_PPRINT) | AMDVI_MASK(CONTROL_PPR);
}

/* Emulations have the feature bit and no log. */
void amdvi_requests_check(struct amdvi *amdvi)
{
    sluice_irqstate_t irq;

    if (!amdvi_requests_there(amdvi))
        return;
    irq = sluice_spin_lock(&amdvi->ring.lock);
    /* All the rest was turned on with it, and was seen to run. */
    amdvi->requests.on = (amdvi_read(amdvi, AMDVI_REG_STATUS) & AMDVI_MASK(STATUS_PPRRUN)) != 0;
    if (!amdvi->requests.on)
        amdvi_control_locked(amdvi, all_bits(), 0);
    sluice_spin_unlock(&amdvi->ring.lock, irq);
    if (!amdvi->requests.on)
        log_info(amdvi->unit.sluice,
                 "%s: its page request log does not run: it refuses page requests by itself",
                 amdvi->unit.name);
}

enum sluice_status amdvi_requests_off(struct amdvi *amdvi)
{
    sluice_irqstate_t irq = sluice_spin_lock(&amdvi->ring.lock);

    amdvi->requests.on = false;
    amdvi_control_locked(amdvi, all_bits(), 0);
    sluice_spin_unlock(&amdvi->ring.lock, irq);
    if (!amdvi_requests_there(amdvi))
        return SLUICE_OK;
    return amdvi_wait_status(amdvi, AMDVI_MASK(STATUS_PPRRUN), 0, "page request log off");
}

/* The log was full and is empty now: it begins again behind the tail [AMD 3.4]. */
static void restart_locked(struct amdvi *amdvi)
{
    uint64_t run = AMDVI_MASK(STATUS_PPRRUN);

    amdvi->requests.overflows++;
    amdvi_control_locked(amdvi, AMDVI_MASK(CONTROL_PPRLOG) | AMDVI_MASK(CONTROL_PPR), 0);
    if (amdvi_wait_status(amdvi, run, 0, "page request log off") == SLUICE_OK) {
        amdvi_write(amdvi, AMDVI_REG_STATUS, AMDVI_MASK(STATUS_PPROVERFLOW));
        amdvi_control_locked(amdvi, 0, AMDVI_MASK(CONTROL_PPRLOG) | AMDVI_MASK(CONTROL_PPR));
        if (amdvi_wait_status(amdvi, run, run, "page request log on") == SLUICE_OK)
            return;
    }
    amdvi->requests.on = false;
    amdvi_control_locked(amdvi, all_bits(), 0);
    unit_degrade(&amdvi->unit, "its page request log was full and does not start again");
}

/* Moves up to `limit` entries out. */
static unsigned take_locked(struct amdvi *amdvi, struct amdvi_page_request_entry *entries,
                            unsigned limit)
{
    struct amdvi_requests *requests = &amdvi->requests;
    uint64_t status = amdvi_read(amdvi, AMDVI_REG_STATUS);
    uint64_t tail = amdvi_read(amdvi, AMDVI_REG_PPRLOG_TAIL);
    unsigned count = 0;

    if (status == UINT64_MAX || tail == UINT64_MAX)
        return 0;
    tail = AMDVI_GET(POINTER_INDEX, tail) % AMDVI_LOG_ENTRIES;
    while (requests->head != tail && count < limit) {
        struct amdvi_event *at = (struct amdvi_event *)requests->pages.virt + requests->head;
        struct amdvi_event entry = amdvi_log_entry(amdvi, at);

        entries[count++] = (struct amdvi_page_request_entry){.low = entry.low, .high = entry.high};
        *at = (struct amdvi_event){0};
        requests->head = (requests->head + 1) % AMDVI_LOG_ENTRIES;
    }
    requests->seen += count;
    if (count > 0) {
        sluice_device_fence(); /* the zeroes before the unit may write there again */
        amdvi_write(amdvi, AMDVI_REG_PPRLOG_HEAD,
                    requests->head * sizeof(struct amdvi_page_request_entry));
    }
    if (requests->head == tail && (status & AMDVI_MASK(STATUS_PPROVERFLOW)) != 0)
        restart_locked(amdvi);
    return count;
}

/* One line a second at most: devices choose how often they ask. */
static void tell(struct amdvi *amdvi, const struct amdvi_page_request *request, bool answered)
{
    struct amdvi_requests *requests = &amdvi->requests;
    uint64_t now = host_now_ns(amdvi->unit.sluice);
    sluice_irqstate_t irq = sluice_spin_lock(&amdvi->ring.lock);
    uint64_t count = requests->seen - requests->told;
    bool due = requests->told == 0 || now - requests->told_last_ns >= TELL_EVERY_NS;

    if (due) {
        requests->told = requests->seen;
        requests->told_last_ns = now;
    }
    sluice_spin_unlock(&amdvi->ring.lock, irq);
    if (due)
        log_warning(amdvi->unit.sluice,
                    "%s: %llu page requests, which nobody asked for, %s; one is of " LOG_RID
                    ", address %#llx",
                    amdvi->unit.name, (unsigned long long)count,
                    answered ? "were refused" : "wait for answers that cannot be sent",
                    LOG_RID_ARGS(amdvi->unit.desc->segment, request->device),
                    (unsigned long long)request->address);
}

/* One batch of answers, which nobody waits for. */
static void answer(struct amdvi *amdvi, const struct amdvi_page_request_entry *entries,
                   unsigned count)
{
    struct amdvi_page_request request = {0};
    struct unit_ring_batch batch;
    struct unit_ticket ticket;

    unit_ring_begin(&amdvi->ring, &batch);
    for (unsigned i = 0; i < count; i++) {
        (void)amdvi_page_request_decode(&entries[i], &request);
        /* One that the unit found malformed is answered too; other kinds of entries are not. */
        if (AMDVI_GET(PPR0_CODE, entries[i].low) == AMDVI_PAGE_SERVICE_REQUEST &&
            amdvi_page_request_is_owed(&request))
            amdvi_add(&batch, amdvi_command_page_response(&request, AMDVI_RESPONSE_INVALID));
    }
    tell(amdvi, &request, unit_ring_end(&batch, &ticket) == SLUICE_OK);
}

void amdvi_requests_refuse(struct amdvi *amdvi)
{
    struct amdvi_page_request_entry entries[TAKE_AT_ONCE];
    unsigned done = 0;
    unsigned count;

    do {
        sluice_irqstate_t irq = sluice_spin_lock(&amdvi->ring.lock);

        count = amdvi->requests.on ? take_locked(amdvi, entries, TAKE_AT_ONCE) : 0;
        sluice_spin_unlock(&amdvi->ring.lock, irq);
        if (count > 0)
            answer(amdvi, entries, count);
        done += count;
    } while (count == TAKE_AT_ONCE && done < AMDVI_LOG_ENTRIES);
}
