// SPDX-License-Identifier: MIT
/*
 * The library's hot primitives as this kernel has them (it replaces the default half of
 * <sluice/cpu.h>): a lock also turns interrupts off, since the fault interrupt takes locks too.
 */
#ifndef MACHINE_CPU_H
#define MACHINE_CPU_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef unsigned long sluice_irqstate_t;

static inline void sluice_cpu_pause(void)
{
    __builtin_ia32_pause();
}

static inline void sluice_device_fence(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

static inline sluice_irqstate_t machine_irq_save(void)
{
    sluice_irqstate_t flags;
    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
    return flags;
}

static inline void machine_irq_restore(sluice_irqstate_t flags)
{
    if ((flags & (1ul << 9)) != 0) /* RFLAGS.IF */
        __asm__ volatile("sti" : : : "memory");
}

#include "one_cpu.h"

/* Every x86-64 CPU with an IOMMU has CMPXCHG16B; the compiler is not told, so it is spelled out. */
#define SLUICE_HAVE_STORE128 1
static inline void sluice_store128(uint64_t *target, uint64_t low, uint64_t high)
{
    uint64_t seen_low = target[0], seen_high = target[1];
    for (;;) {
        bool stored;
        __asm__ volatile("lock cmpxchg16b %1; sete %0"
                         : "=q"(stored), "+m"(*(char(*)[16])(void *)target), "+a"(seen_low),
                           "+d"(seen_high)
                         : "b"(low), "c"(high)
                         : "cc", "memory");
        if (stored)
            return;
    }
}

#endif
