// SPDX-License-Identifier: MIT
/*
 * Writing caches back to memory, for units whose table walks do not snoop [SDM 2, CLFLUSH].
 */
#include "arch.h"

#define CPUID_FEATURES 1u

static uintptr_t line_bytes(void)
{
    uint32_t eax = CPUID_FEATURES, ebx, ecx = 0, edx;

    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    /* EBX 15:8: line size in 8-byte words. Every x86-64 CPU has CLFLUSH. */
    return (uintptr_t)((ebx >> 8) & 0xffu) * 8;
}

void arch_cache_clean(const void *virt, size_t bytes)
{
    uintptr_t line = line_bytes();
    uintptr_t at = (uintptr_t)virt & ~(line - 1);

    /* Ordered before and after, as older CPUs order CLFLUSH with nothing but MFENCE. */
    __asm__ volatile("mfence" : : : "memory");
    for (; at < (uintptr_t)virt + bytes; at += line)
        __asm__ volatile("clflush %0" : "+m"(*(volatile char *)at));
    __asm__ volatile("mfence" : : : "memory");
}
