// SPDX-License-Identifier: MIT
/*
 * Draining every unit by polling.
 */
#include "fault/fault.h"

/** Keeps the units where they are while this poll looks at them; false when there are none. */
static bool poll_begin(struct sluice *sluice)
{
    sluice_irqstate_t irq = sluice_spin_lock(&sluice->lock);
    bool listed = instance_is_listed(sluice);

    if (listed)
        atomic_fetch_add_explicit(&sluice->pollers, 1, memory_order_seq_cst);
    sluice_spin_unlock(&sluice->lock, irq);
    return listed;
}

unsigned sluice_fault_poll(struct sluice *sluice)
{
    unsigned drained = 0;
    uint64_t begin, when;

    if (sluice == NULL || !poll_begin(sluice))
        return 0;
    begin = host_now_ns(sluice);
    list_for_each(node, &sluice->units)
    {
        struct unit *unit = container_of(node, struct unit, node);

        if (!unit_is_lost(unit))
            drained += unit->ops->faults_drain(unit, unit_fault_deliver, unit);
    }
    when = fault_time_spend(sluice, begin);
    list_for_each(node, &sluice->units)
    {
        struct unit *unit = container_of(node, struct unit, node);

        if (!unit_is_lost(unit))
            unit_events_resume(unit, when);
    }
    /*
     * Release: this poll is through with the units; pairs with instance_change_begin's acquire. And
     * in one order with the work's look at `due`: see ask_for_call.
     */
    atomic_fetch_sub_explicit(&sluice->pollers, 1, memory_order_seq_cst);
    begin = host_now_ns(sluice);
    /* Silences and the log's windows end here too when nothing faults. */
    if (fault_time_is_up(sluice))
        atomic_store_explicit(&sluice->faults->due, 1, memory_order_seq_cst);
    fault_work(sluice);
    fault_timer_set(sluice);
    (void)fault_time_spend(sluice, begin);
    return drained;
}
