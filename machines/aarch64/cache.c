// SPDX-License-Identifier: MIT
/*
 * Writing caches back to memory, for units whose table walks do not snoop [Arm ARM D7.5.9].
 */
#include "aarch64.h"
#include "arch.h"

static uintptr_t line_bytes(void)
{
    /* CTR_EL0.DminLine: the smallest data cache line, in 4-byte words. */
    return (uintptr_t)4 << ((aarch64_read_register("ctr_el0") >> 16) & 15);
}

void arch_cache_clean(const void *virt, size_t bytes)
{
    uintptr_t line = line_bytes();
    uintptr_t at = (uintptr_t)virt & ~(line - 1);
    for (; at < (uintptr_t)virt + bytes; at += line)
        __asm__ volatile("dc cvac, %0" : : "r"(at) : "memory");
    __asm__ volatile("dsb sy" : : : "memory");
}
