// SPDX-License-Identifier: MIT
/*
 * How much of a CPU's time faults may take: what is spent on them is taken from a credit that grows
 * with time. Where it is used up, units' event interrupts are left unanswered, which keeps hardware
 * from raising more of them, until a poll that the host was asked for finds credit again. Meanwhile
 * units record faults in their logs, and say when those overflow.
 *
 * Called by the drivers' event handlers, by src/fault for what it does itself, and by polls.
 */
#include "unit/unit.h"

#define CREDIT_MOST_NS ((uint64_t)1000000) /* of a quiet time, for a burst */
#define PERCENT        100u

static bool is_limited(const struct sluice *sluice)
{
    /* Nobody would let the interrupts go on again. */
    return sluice->ops->fault_poll_at != NULL && sluice->config.fault_share < PERCENT;
}

/** What came since the last look; less than nothing is a debt. */
static void earn_locked(struct sluice *sluice, uint64_t now_ns)
{
    struct fault_budget *budget = &sluice->fault_budget;
    uint64_t passed = now_ns > budget->seen_ns ? now_ns - budget->seen_ns : 0;
    uint64_t share = sluice->config.fault_share;

    budget->seen_ns = now_ns > budget->seen_ns ? now_ns : budget->seen_ns;
    /* Long enough for any debt that one call can make, and no product overflows. */
    passed = passed < UINT64_MAX / PERCENT / 2 ? passed : UINT64_MAX / PERCENT / 2;
    budget->credit_ns += (int64_t)(passed / PERCENT * share + passed % PERCENT * share / PERCENT);
    if (budget->credit_ns > (int64_t)CREDIT_MOST_NS)
        budget->credit_ns = (int64_t)CREDIT_MOST_NS;
}

/** When there is credit again; 0: there is. */
static uint64_t when_allowed_locked(struct sluice *sluice, uint64_t now_ns)
{
    const struct fault_budget *budget = &sluice->fault_budget;

    if (budget->credit_ns >= 0)
        return 0;
    /* Half a burst more than nothing: else each poll would find time for one look alone. */
    return now_ns + ((uint64_t)-budget->credit_ns + CREDIT_MOST_NS / 2) * PERCENT /
                        sluice->config.fault_share;
}

uint64_t fault_time_spend(struct sluice *sluice, uint64_t since_ns)
{
    struct fault_budget *budget = &sluice->fault_budget;
    uint64_t now, when;
    sluice_irqstate_t irq;

    if (!is_limited(sluice))
        return 0;
    now = host_now_ns(sluice);
    irq = sluice_spin_lock(&budget->lock);
    earn_locked(sluice, now);
    budget->credit_ns -= (int64_t)(now > since_ns ? now - since_ns : 0);
    when = when_allowed_locked(sluice, now);
    sluice_spin_unlock(&budget->lock, irq);
    return when;
}

/*
 * The host keeps the earliest time alone: who asked for a later one asks again in the poll that the
 * earlier one brings.
 */
void fault_poll_ask(struct sluice *sluice, uint64_t when_ns)
{
    atomic_uint_fast64_t *asked_ns = &sluice->fault_budget.asked_ns;
    uint64_t asked = atomic_load_explicit(asked_ns, memory_order_relaxed);

    if (sluice->ops->fault_poll_at == NULL || (asked <= when_ns && asked > host_now_ns(sluice)))
        return;
    atomic_store_explicit(asked_ns, when_ns, memory_order_relaxed);
    sluice->ops->fault_poll_at(sluice->config.ctx, when_ns);
}

bool unit_events_held(struct unit *unit)
{
    return atomic_load_explicit(&unit->events_held, memory_order_acquire) != 0;
}

unsigned unit_event_drain(struct unit *unit)
{
    struct sluice *sluice = unit->sluice;
    uint64_t begin = is_limited(sluice) ? host_now_ns(sluice) : 0;
    unsigned drained = unit->ops->faults_drain(unit, unit_fault_deliver, unit);
    uint64_t when = fault_time_spend(sluice, begin);

    if (when == 0)
        return drained;
    if (atomic_exchange_explicit(&unit->events_held, 1, memory_order_release) == 0)
        atomic_fetch_add_explicit(&sluice->fault_budget.holds, 1, memory_order_relaxed);
    fault_poll_ask(sluice, when);
    return 0;
}

void unit_events_resume(struct unit *unit, uint64_t when_ns)
{
    if (!unit_events_held(unit))
        return;
    if (when_ns != 0) {
        fault_poll_ask(unit->sluice, when_ns);
        return;
    }
    atomic_store_explicit(&unit->events_held, 0, memory_order_release);
    /* As if the interrupt came now: what was left unanswered is answered. */
    unit->ops->event(unit);
}
