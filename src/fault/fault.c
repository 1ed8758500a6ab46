// SPDX-License-Identifier: MIT
/*
 * Faults of every unit in one form: the words for them, and draining by polling.
 */
#include "fault/fault.h"

const char *sluice_fault_reason_text(enum sluice_fault_reason reason)
{
    static const char *const words[SLUICE_FAULT_REASON_COUNT] = {
        [SLUICE_FAULT_OTHER] = "other",
        [SLUICE_FAULT_BLOCKED] = "blocked",
        [SLUICE_FAULT_NOT_MAPPED] = "not mapped",
        [SLUICE_FAULT_READ_DENIED] = "read denied",
        [SLUICE_FAULT_WRITE_DENIED] = "write denied",
        [SLUICE_FAULT_OUT_OF_RANGE] = "address out of range",
        [SLUICE_FAULT_BAD_ENTRY] = "malformed table entry",
        [SLUICE_FAULT_TABLE_ACCESS] = "table not readable",
        [SLUICE_FAULT_REQUEST_TYPE] = "kind of request not allowed",
        [SLUICE_FAULT_INTERRUPT] = "interrupt refused",
    };

    if ((unsigned)reason >= SLUICE_FAULT_REASON_COUNT)
        return "unknown";
    return words[reason];
}

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

    if (sluice == NULL || !poll_begin(sluice))
        return 0;
    list_for_each(node, &sluice->units)
    {
        struct unit *unit = container_of(node, struct unit, node);

        if (!unit_is_lost(unit))
            drained += unit->ops->faults_drain(unit, unit_fault_deliver, unit);
    }
    /*
     * Release: this poll is through with the units; pairs with instance_change_begin's acquire. And
     * in one order with the work's look at `due`: see ask_for_call.
     */
    atomic_fetch_sub_explicit(&sluice->pollers, 1, memory_order_seq_cst);
    /* Nobody else watches the clock: silences end here too when nothing faults. */
    if (flood_is_over(sluice))
        atomic_store_explicit(&sluice->faults->due, 1, memory_order_seq_cst);
    fault_work(sluice);
    return drained;
}
