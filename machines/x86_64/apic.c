// SPDX-License-Identifier: MIT
/*
 * The local APIC [SDM 3 ch. 10], in the mode firmware left it in (xAPIC or x2APIC) or, asked
 * for by a word on the command line, in x2APIC mode, and the MSI
 * message that reaches this CPU through it [SDM 3 10.11].
 */
#include "arch.h"
#include "options.h"
#include "x86.h"

#define IA32_APIC_BASE  0x1bu
#define BASE_ENABLE     (1ull << 11)
#define BASE_X2APIC     (1ull << 10)
#define BASE_ADDRESS    0xffffff000ull
#define CPUID_X2APIC    (1u << 21)
#define X2APIC_MSR      0x800u
#define REG_ID          0x20u
#define REG_TPR         0x80u
#define REG_EOI         0xb0u
#define REG_SPURIOUS    0xf0u
#define REG_LVT_TIMER   0x320u
#define REG_LVT_LINT0   0x350u
#define REG_LVT_LINT1   0x360u
#define LVT_MASKED      (1u << 16)
#define SPURIOUS_ENABLE (1u << 8)
#define MSI_BASE        0xfee00000ull

static volatile uint8_t *registers; /* null in x2APIC mode */

static uint32_t apic_read(uint32_t reg)
{
    if (registers == NULL)
        return (uint32_t)x86_read_msr(X2APIC_MSR + (reg >> 4));
    return *(const volatile uint32_t *)(registers + reg);
}

static void apic_write(uint32_t reg, uint32_t value)
{
    if (registers == NULL)
        x86_write_msr(X2APIC_MSR + (reg >> 4), value);
    else
        *(volatile uint32_t *)(registers + reg) = value;
}

void x86_apic_init(void)
{
    uint64_t base = x86_read_msr(IA32_APIC_BASE) | BASE_ENABLE;
    if (option_given("x2apic") && (x86_cpuid(1).ecx & CPUID_X2APIC) != 0)
        base |= BASE_X2APIC;
    x86_write_msr(IA32_APIC_BASE, base);
    if ((base & BASE_X2APIC) == 0)
        registers = arch_map_mmio(base & BASE_ADDRESS, 4096);
    /* The two 8259s: everything masked; only message-signalled interrupts are used. */
    x86_out8(0x21, 0xff);
    x86_out8(0xa1, 0xff);
    apic_write(REG_LVT_TIMER, LVT_MASKED);
    apic_write(REG_LVT_LINT0, LVT_MASKED);
    apic_write(REG_LVT_LINT1, LVT_MASKED);
    apic_write(REG_TPR, 0);
    apic_write(REG_SPURIOUS, SPURIOUS_ENABLE | 0xffu);
    __asm__ volatile("sti");
}

void x86_apic_end_of_interrupt(void)
{
    apic_write(REG_EOI, 0);
}

uint32_t arch_cpu_id(void)
{
    uint32_t id = apic_read(REG_ID);
    return registers != NULL ? id >> 24 : id;
}

bool arch_irq_message(unsigned irq, uint32_t source, uint64_t *out_address, uint32_t *out_data)
{
    uint32_t id = arch_cpu_id();
    (void)source;                                            /* whoever sends it */
    *out_address = MSI_BASE | ((uint64_t)(id & 0xff) << 12); /* physical destination, no hint */
    *out_data = irq & 0xff;
    return true;
}

bool arch_wire_connect(uint32_t number, machine_irq_handler *handler, void *context)
{
    (void)number;
    (void)handler;
    (void)context;
    return false; /* units of this architecture have messages */
}

bool arch_messages_have_senders(void)
{
    return false; /* a write of anybody at the right address is one */
}

bool arch_doorbell(unsigned index, uint64_t *out_first, uint64_t *out_last)
{
    (void)index;
    (void)out_first;
    (void)out_last;
    return false; /* units know the window themselves */
}

void arch_wire_disconnect(uint32_t number)
{
    (void)number;
}
