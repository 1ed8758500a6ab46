// SPDX-License-Identifier: MIT
/*
 * What the files of machines/x86_64 share: instructions C has no words for, and each other's entry
 * points. Nothing outside this folder includes it.
 */
#ifndef MACHINE_X86_H
#define MACHINE_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define X86_DIRECT_BASE 0xffff800000000000ull /* RAM, see boot.S */
#define X86_MMIO_BASE   0xffffc00000000000ull /* device registers, see boot.S */
#define X86_LOW_4G      0x100000000ull

static inline void x86_out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t x86_in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint32_t x86_in32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint64_t x86_read_msr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return ((uint64_t)high << 32) | low;
}

static inline void x86_write_msr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline uint64_t x86_tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return ((uint64_t)high << 32) | low;
}

struct x86_cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct x86_cpuid x86_cpuid(uint32_t leaf)
{
    struct x86_cpuid out;
    __asm__ volatile("cpuid"
                     : "=a"(out.eax), "=b"(out.ebx), "=c"(out.ecx), "=d"(out.edx)
                     : "a"(leaf), "c"(0));
    return out;
}

/* What the stubs of boot.S leave on the stack, lowest address first. */
struct x86_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

void x86_start(uint32_t start_info);    /* boot.S calls it */
void x86_trap(struct x86_frame *frame); /* boot.S calls it */
void x86_traps_init(void);              /* IDT, task state for double faults */
void x86_apic_init(void);               /* local APIC on, PIC off */
void x86_apic_end_of_interrupt(void);   /* traps.c, after a handler */
void x86_console_init(void);            /* COM1 */
void x86_time_init(uint16_t pm_timer);  /* measures the TSC against the ACPI PM timer */
void x86_paging_map_ram(uint64_t phys, uint64_t bytes); /* extends the direct map above 4 GiB */

#endif
