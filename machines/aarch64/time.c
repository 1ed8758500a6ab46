// SPDX-License-Identifier: MIT
/*
 * Monotonic time from the generic timer's virtual counter [Arm ARM D12.2].
 */
#include "aarch64.h"
#include "arch.h"

static uint64_t start, ns_per_tick_q32; /* 32 fraction bits */

static uint64_t count(void)
{
    __asm__ volatile("isb" : : : "memory"); /* not read before what came earlier in the program */
    return aarch64_read_register("cntvct_el0");
}

void aarch64_time_init(void)
{
    uint64_t hz = aarch64_read_register("cntfrq_el0");
    ns_per_tick_q32 = hz == 0 ? 1ull << 32 : (1000000000ull << 32) / hz;
    start = count();
}

uint64_t arch_now_ns(void)
{
    return (uint64_t)(((unsigned __int128)(count() - start) * ns_per_tick_q32) >> 32);
}

void arch_pause(void)
{
    __asm__ volatile("yield" : : : "memory");
}
