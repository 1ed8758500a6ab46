// SPDX-License-Identifier: MIT
/*
 * What every unit driver shares: degradation and delivery of faults.
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
