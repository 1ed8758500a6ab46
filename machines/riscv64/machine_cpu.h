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
    __asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" : : : "memory"); /* pause, else a fence */
}

/* Also between memory and device registers. */
static inline void sluice_device_fence(void)
{
    __asm__ volatile("fence iorw, iorw" : : : "memory");
}

static inline sluice_irqstate_t machine_irq_save(void)
{
    sluice_irqstate_t flags;
    __asm__ volatile("csrrci %0, sstatus, 2" : "=r"(flags) : : "memory");
    return flags;
}

static inline void machine_irq_restore(sluice_irqstate_t flags)
{
    __asm__ volatile("csrs sstatus, %0" : : "r"(flags & 2) : "memory"); /* SIE */
}

#include "one_cpu.h"

/* Only CPUs with Zacas have it; the drivers of this architecture need none. */
#define SLUICE_HAVE_STORE128 0

#endif
