// SPDX-License-Identifier: MIT
/*
 * What is due at a time and not because of a fault: silences that end, windows of the log that are
 * over. The host is asked for a poll then, where it can be; else that happens at whatever poll or
 * fault comes next.
 *
 * Called by fault.c and work.c outside interrupts.
 */
#include "fault/fault.h"

static uint64_t load(atomic_uint_fast64_t *time)
{
    return atomic_load_explicit(time, memory_order_relaxed);
}

/** When something is due; UINT64_MAX: nothing will be. */
static uint64_t next_due(struct sluice *sluice)
{
    struct fault_center *center = sluice->faults;
    uint64_t silence = load(&center->silence_end_ns);
    uint64_t lines = load(&center->lines_next_ns);

    return silence < lines ? silence : lines;
}

bool fault_time_is_up(struct sluice *sluice)
{
    uint64_t due = next_due(sluice);

    return due != UINT64_MAX && host_now_ns(sluice) >= due;
}

void fault_timer_set(struct sluice *sluice)
{
    uint64_t due = next_due(sluice);

    if (due != UINT64_MAX)
        fault_poll_ask(sluice, due);
}
