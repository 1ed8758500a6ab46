// SPDX-License-Identifier: MIT
/*
 * The library's locks on one CPU, whatever its architecture: included by its machine_cpu.h, which
 * says how interrupts are kept off and how a CPU pauses.
 */
#ifndef ONE_CPU_H
#define ONE_CPU_H

#include <stdatomic.h>
#include <stdbool.h>

struct sluice_spinlock {
    atomic_uint held;
};

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

#endif
