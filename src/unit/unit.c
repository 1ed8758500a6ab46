// SPDX-License-Identifier: MIT
/*
 * What every unit driver shares: degradation, delivery of faults, how long waits took, how a stop
 * or a resume ends.
 */
#include "unit/unit.h"

void unit_fault_deliver(void *arg, const struct sluice_fault *fault)
{
    struct unit *unit = arg;
    const struct sluice_config *config = &unit->sluice->config;
    /* Acquire: what the observer looks at was there before it; pairs with the release that set it.
     */
    instance_fault_observer *observer =
        atomic_load_explicit(&unit->sluice->fault_observer, memory_order_acquire);

    if (observer != NULL)
        observer(unit->sluice, fault);
    if (unit->sluice->fault_sink != NULL)
        unit->sluice->fault_sink(unit->sluice, fault);
    if (config->on_fault != NULL)
        config->on_fault(config->on_fault_arg, fault);
}

void unit_degrade(struct unit *unit, const char *format, ...)
{
    char why[160];
    va_list args;

    /* Only the first one speaks: what follows are its consequences. */
    if (atomic_exchange_explicit(&unit->degraded, 1, memory_order_relaxed))
        return;
    va_start(args, format);
    format_text_va(why, sizeof(why), format, args);
    va_end(args);
    log_error(unit->sluice,
              "%s: degraded: %s; memory that it may still reach is withheld, restart the unit or "
              "the machine",
              unit->name, why);
}

/** The bucket of a time: the first whose bound is not below it. */
static unsigned bucket_of(uint64_t ns)
{
    unsigned lg2;

    if (ns <= (uint64_t)1 << SLUICE_LATENCY_FIRST_LG2)
        return 0;
    lg2 = 64u - (unsigned)__builtin_clzll(ns - 1); /* rounded up */
    return lg2 - SLUICE_LATENCY_FIRST_LG2 < SLUICE_LATENCY_BUCKETS ? lg2 - SLUICE_LATENCY_FIRST_LG2
                                                                   : SLUICE_LATENCY_BUCKETS - 1;
}

static void add_locked(atomic_uint_fast64_t *to, uint64_t value)
{
    atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + value,
                          memory_order_relaxed);
}

void unit_note_wait_locked(const struct unit_wait *wait)
{
    struct unit_latency *latency = &wait->unit->latency;
    uint64_t ns = wait->now_ns > wait->since_ns ? wait->now_ns - wait->since_ns : 0;

    add_locked(&latency->sum_ns, ns);
    atomic_store_explicit(&latency->seen_ns, wait->now_ns, memory_order_relaxed);
    add_locked(&latency->buckets[bucket_of(ns)], 1);
}

void unit_latency_add(const struct unit *unit, struct sluice_latency *out)
{
    for (unsigned i = 0; i < SLUICE_LATENCY_BUCKETS; i++) {
        uint64_t count = atomic_load_explicit(&unit->latency.buckets[i], memory_order_relaxed);

        out->buckets[i] += count;
        out->count += count;
    }
    out->sum_ns += atomic_load_explicit(&unit->latency.sum_ns, memory_order_relaxed);
}

enum sluice_status unit_stopped(struct unit *unit, enum sluice_status status)
{
    unit->exposed = status != SLUICE_OK;
    if (status == SLUICE_OK)
        unit->started = false;
    else
        unit_degrade(unit, "it did not turn off");
    return status;
}

enum sluice_status unit_resumed(struct unit *unit, enum sluice_status status)
{
    unit->started = status == SLUICE_OK;
    unit->exposed = !unit->started;
    if (unit->exposed)
        unit_degrade(unit, "it could not be programmed again after suspend");
    return status;
}
