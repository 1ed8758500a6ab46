// SPDX-License-Identifier: MIT
/*
 * The library's hot primitives for a process whose threads are its CPUs: every thread that calls
 * the library has a number of its own (thread_cpu), nobody interrupts it, and so per-CPU data
 * needs no lock. It replaces the default half of <sluice/cpu.h>, as a kernel's header does.
 */
#ifndef THREAD_CPU_H
#define THREAD_CPU_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** The number of this thread; whoever starts threads numbers them. */
extern _Thread_local unsigned thread_cpu;

typedef unsigned long sluice_irqstate_t;

struct sluice_spinlock {
    atomic_uint held;
};

static inline void sluice_cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

static inline void sluice_device_fence(void)
{
#if defined(__x86_64__)
    __asm__ volatile("mfence" ::: "memory"); /* the thread sanitizer knows no C11 fences */
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

static inline sluice_irqstate_t sluice_spin_lock(struct sluice_spinlock *lock)
{
    /* Acquire: pairs with the release in sluice_spin_unlock. */
    while (atomic_exchange_explicit(&lock->held, 1, memory_order_acquire) != 0) {
        while (atomic_load_explicit(&lock->held, memory_order_relaxed) != 0)
            sluice_cpu_pause();
    }
    return 0;
}

static inline void sluice_spin_unlock(struct sluice_spinlock *lock, sluice_irqstate_t state)
{
    (void)state;
    /* Release: pairs with the acquire in sluice_spin_lock. */
    atomic_store_explicit(&lock->held, 0, memory_order_release);
}

static inline bool sluice_spin_is_locked(struct sluice_spinlock *lock)
{
    return atomic_load_explicit(&lock->held, memory_order_relaxed) != 0;
}

#define SLUICE_CPU_PINNED 1

static inline sluice_irqstate_t sluice_cpu_enter(unsigned *out_cpu)
{
    *out_cpu = thread_cpu;
    return 0;
}

static inline void sluice_cpu_leave(sluice_irqstate_t state)
{
    (void)state;
}

#define SLUICE_HAVE_STORE128 0

#endif
