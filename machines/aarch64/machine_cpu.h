// SPDX-License-Identifier: MIT
/*
 * The library's hot primitives as this kernel has them (it replaces the default half of
 * <sluice/cpu.h>): a lock also turns interrupts off, since the fault interrupt takes locks too.
 */
#ifndef MACHINE_CPU_H
#define MACHINE_CPU_H

#include <stdint.h>

typedef unsigned long sluice_irqstate_t;

static inline void sluice_cpu_pause(void)
{
    __asm__ volatile("yield" : : : "memory");
}

/* Also between memory and device registers, which a DMB of the inner domain would not order. */
static inline void sluice_device_fence(void)
{
    __asm__ volatile("dsb sy" : : : "memory");
}

static inline sluice_irqstate_t machine_irq_save(void)
{
    sluice_irqstate_t flags;
    __asm__ volatile("mrs %0, daif; msr daifset, #2" : "=r"(flags) : : "memory");
    return flags;
}

static inline void machine_irq_restore(sluice_irqstate_t flags)
{
    __asm__ volatile("msr daif, %0" : : "r"(flags) : "memory");
}

#include "one_cpu.h"

/* Only CPUs with LSE2 have it as one store; the drivers of this architecture need none. */
#define SLUICE_HAVE_STORE128 0

#endif
