// SPDX-License-Identifier: MIT
/*
 * Monotonic time from the TSC, measured once against the ACPI power management timer
 * [ACPI 4.8.3.3], which runs at 3.579545 MHz everywhere.
 */
#include "arch.h"
#include "x86.h"

#define PM_TIMER_HZ   3579545ull
#define PM_TIMER_MASK 0xffffffull /* 24 bits are always there */
#define SAMPLE_TICKS  (PM_TIMER_HZ / 100)

static uint64_t tsc_start;
static uint64_t ns_per_tick_q32; /* 32 fraction bits */

void x86_time_init(uint16_t pm_timer)
{
    tsc_start = x86_tsc();
    ns_per_tick_q32 = 1ull << 32; /* 1 GHz, if there is nothing to measure against */
    if (pm_timer == 0)
        return;
    uint32_t first = x86_in32(pm_timer);
    uint64_t tsc_first = x86_tsc();
    uint64_t elapsed = 0;
    for (unsigned tries = 0; tries < 100000000u && elapsed < SAMPLE_TICKS; tries++)
        elapsed = (x86_in32(pm_timer) - first) & PM_TIMER_MASK;
    uint64_t ticks = x86_tsc() - tsc_first;
    if (elapsed < SAMPLE_TICKS || ticks == 0)
        return;
    uint64_t ns = elapsed * 1000000000ull / PM_TIMER_HZ;
    ns_per_tick_q32 = (ns << 32) / ticks;
}

uint64_t arch_now_ns(void)
{
    return (uint64_t)(((unsigned __int128)(x86_tsc() - tsc_start) * ns_per_tick_q32) >> 32);
}

void arch_pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}
