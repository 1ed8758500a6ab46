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

struct sluice_spinlock {
    atomic_uint held;
};

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

static inline sluice_irqstate_t sluice_spin_lock(struct sluice_spinlock *lock)
{
    sluice_irqstate_t flags = machine_irq_save();
    /* Acquire: pairs with the release in sluice_spin_unlock. */
    while (atomic_exchange_explicit(&lock->held, 1, memory_order_acquire) != 0)
        sluice_cpu_pause();
    return flags;
}

static inline void sluice_spin_unlock(struct sluice_spinlock *lock, sluice_irqstate_t flags)
{
    /* Release: pairs with the acquire in sluice_spin_lock. */
    atomic_store_explicit(&lock->held, 0, memory_order_release);
    machine_irq_restore(flags);
}

static inline bool sluice_spin_is_locked(struct sluice_spinlock *lock)
{
    return atomic_load_explicit(&lock->held, memory_order_relaxed) != 0;
}

/* One CPU, and with interrupts off nothing else of Sluice runs on it. */
#define SLUICE_CPU_PINNED 1

static inline sluice_irqstate_t sluice_cpu_enter(unsigned *out_cpu)
{
    *out_cpu = 0;
    return machine_irq_save();
}

static inline void sluice_cpu_leave(sluice_irqstate_t flags)
{
    machine_irq_restore(flags);
}

/* Only CPUs with Zacas have it; the drivers of this architecture need none. */
#define SLUICE_HAVE_STORE128 0

#endif
