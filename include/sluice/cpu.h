// SPDX-License-Identifier: MIT
/*
 * The hot primitives: locks, "stay on this CPU", pause, wide stores.
 *
 * They are inlined into the library, so a host that wants other ones replaces this header whole:
 * compile the library with -DSLUICE_CPU_HEADER='"my_cpu.h"' and define every name below. A kernel
 * must do so, because only it can disable interrupts; the default is for user space and for hosts
 * that never call Sluice from an interrupt handler.
 *
 * Memory ordering between CPUs, and between CPU and device, is C11 <stdatomic.h> throughout;
 * SLUICE_DEVICE_FENCE() orders stores to memory before a following doorbell write, for CPUs where
 * device memory and normal memory are ordered apart.
 */
#ifndef SLUICE_CPU_H
#define SLUICE_CPU_H

#ifdef SLUICE_CPU_HEADER
#include SLUICE_CPU_HEADER
#else

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** Tells the CPU that it spins. */
static inline void sluice_cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

/** Orders all earlier stores to memory before later device accesses (and the reverse for loads). */
static inline void sluice_device_fence(void)
{
#if defined(__aarch64__)
    __asm__ volatile("dsb sy" ::: "memory");
#elif defined(__riscv)
    __asm__ volatile("fence iorw, iorw" ::: "memory");
#elif defined(__x86_64__) || defined(__SSE2__)
    __asm__ volatile("mfence" ::: "memory");
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/** A spin lock: a ticket lock, so that waiting CPUs are served in order. All zeroes is unlocked. */
struct sluice_spinlock {
    atomic_uint next;
    atomic_uint serving;
};

/** The interrupt state that a lock saved; opaque to the library. */
typedef unsigned long sluice_irqstate_t;

/**
 * Takes a lock with interrupts disabled on this CPU, so that handlers may take it too.
 * The default cannot disable interrupts; see the head of this file.
 */
static inline sluice_irqstate_t sluice_spin_lock(struct sluice_spinlock *lock)
{
    unsigned ticket = atomic_fetch_add_explicit(&lock->next, 1, memory_order_relaxed);

    /* Acquire: pairs with the release in sluice_spin_unlock. */
    while (atomic_load_explicit(&lock->serving, memory_order_acquire) != ticket)
        sluice_cpu_pause();
    return 0;
}

static inline void sluice_spin_unlock(struct sluice_spinlock *lock, sluice_irqstate_t state)
{
    unsigned serving = atomic_load_explicit(&lock->serving, memory_order_relaxed);

    (void)state;
    /* Release: pairs with the acquire in sluice_spin_lock. */
    atomic_store_explicit(&lock->serving, serving + 1, memory_order_release);
}

/** True when somebody holds the lock; for assertions only. */
static inline bool sluice_spin_is_locked(struct sluice_spinlock *lock)
{
    return atomic_load_explicit(&lock->serving, memory_order_relaxed) !=
           atomic_load_explicit(&lock->next, memory_order_relaxed);
}

/*
 * SLUICE_CPU_PINNED is 1 when sluice_cpu_enter() really keeps the caller on one CPU with nothing
 * else of Sluice running there until sluice_cpu_leave(); per-CPU data then needs no lock. With 0
 * the index is only a hint that spreads load, and per-CPU data takes its own lock.
 */
#define SLUICE_CPU_PINNED 0

/** Begins a "stay on this CPU" section; *out_cpu is below the host's cpu_count (or any number). */
static inline sluice_irqstate_t sluice_cpu_enter(unsigned *out_cpu)
{
    uintptr_t here = (uintptr_t)&here;

    /* Stacks of different threads lie apart, so their addresses tell threads apart well enough. */
    *out_cpu = (unsigned)((here >> 16) ^ (here >> 23));
    return 0;
}

static inline void sluice_cpu_leave(sluice_irqstate_t state)
{
    (void)state;
}

/*
 * SLUICE_HAVE_STORE128 is 1 when sluice_store128() exists: an aligned 16-byte store that no
 * device or CPU ever sees half of. Where it is 0, 16-byte entries are changed by taking the entry
 * away first, so a device that is moved between domains may see a short block instead of none.
 */
#if defined(__x86_64__) && defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16)
#define SLUICE_HAVE_STORE128 1
static inline void sluice_store128(uint64_t *target, uint64_t low, uint64_t high)
{
    __extension__ typedef unsigned __int128 wide;
    wide *at = (wide *)(void *)target;
    wide desired = ((wide)high << 64) | low;
    wide seen = ((wide)target[1] << 64) | target[0];
    wide was;

    while ((was = __sync_val_compare_and_swap(at, seen, desired)) != seen)
        seen = was;
}
#else
#define SLUICE_HAVE_STORE128 0
#endif

#endif /* SLUICE_CPU_HEADER */
#endif
