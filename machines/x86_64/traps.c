// SPDX-License-Identifier: MIT
/*
 * Interrupt descriptor table, exceptions and interrupt dispatch [SDM 3 ch. 6]. An exception is a
 * bug of this kernel or of the library: it is printed with its registers and ends the run as
 * failed.
 */
#include "arch.h"
#include "print.h"
#include "x86.h"

#define VECTORS      256u
#define FIRST_IRQ    0x30u
#define LAST_IRQ     0xefu
#define SPURIOUS     0xffu
#define STUB_BYTES   16u
#define DOUBLE_FAULT 8u

struct idt_entry {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct idt_entry) == 16, "[SDM 3 figure 6-8]");

struct __attribute__((packed)) task_state {
    uint32_t reserved0;
    uint64_t rsp[3], reserved1, ist[7], reserved2;
    uint16_t reserved3, io_map;
};
_Static_assert(sizeof(struct task_state) == 104, "[SDM 3 figure 8-11]");

struct __attribute__((packed)) table_register {
    uint16_t limit;
    uint64_t base;
};

struct irq {
    machine_irq_handler *handler;
    void *context;
};

extern const char x86_trap_stubs[];
extern uint64_t x86_gdt_tss[2];

static struct idt_entry idt[VECTORS];
static struct task_state tss;
static uint8_t double_fault_stack[8192] __attribute__((aligned(16)));
static struct irq irqs[VECTORS];
static unsigned next_irq = FIRST_IRQ;
static uint64_t unexpected_irqs;

static void set_task_state(void)
{
    uint64_t base = (uint64_t)(uintptr_t)&tss;
    tss.ist[0] = (uint64_t)(uintptr_t)double_fault_stack + sizeof(double_fault_stack);
    tss.io_map = sizeof(tss);
    x86_gdt_tss[0] = (sizeof(tss) - 1) | ((base & 0xffffff) << 16) | (0x89ull << 40) |
                     (((base >> 24) & 0xff) << 56);
    x86_gdt_tss[1] = base >> 32;
    __asm__ volatile("ltr %w0" : : "r"(0x18));
}

void x86_traps_init(void)
{
    for (unsigned i = 0; i < VECTORS; i++) {
        uint64_t stub = (uint64_t)(uintptr_t)x86_trap_stubs + (uint64_t)i * STUB_BYTES;
        idt[i] = (struct idt_entry){
            .offset_low = (uint16_t)stub,
            .selector = 0x08,
            .ist = i == DOUBLE_FAULT ? 1 : 0,
            .type = 0x8e, /* present, interrupt gate */
            .offset_middle = (uint16_t)(stub >> 16),
            .offset_high = (uint32_t)(stub >> 32),
        };
    }
    set_task_state();
    struct table_register idtr = {.limit = sizeof(idt) - 1, .base = (uint64_t)(uintptr_t)idt};
    __asm__ volatile("lidt %0" : : "m"(idtr));
}

static _Noreturn void die(const struct x86_frame *f)
{
    static const char *const names[32] = {
        [0] = "divide error",     [3] = "breakpoint",          [6] = "invalid opcode",
        [8] = "double fault",     [13] = "general protection", [14] = "page fault",
        [17] = "alignment check", [18] = "machine check",
    };
    uint64_t cr2;
    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    const char *name = names[f->vector & 31];
    machine_print("\nEXCEPTION %lu (%s) error 0x%lx rip 0x%lx address 0x%lx\n", f->vector,
                  name == NULL ? "other" : name, f->error, f->rip, cr2);
    machine_print("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax, f->rbx, f->rcx,
                  f->rdx);
    machine_print("  rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", f->rsi, f->rdi, f->rbp,
                  f->rsp);
    machine_print("  r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", f->r8, f->r9, f->r10, f->r11);
    machine_print("  r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", f->r12, f->r13, f->r14,
                  f->r15);
    machine_print("@sluice {\"event\":\"exception\",\"vector\":%lu,\"rip\":%lu,\"address\":%lu}\n",
                  f->vector, f->rip, cr2);
    arch_exit(MACHINE_EXIT_CRASH);
}

void x86_trap(struct x86_frame *frame)
{
    if (frame->vector < 32)
        die(frame);
    if (frame->vector == SPURIOUS)
        return;
    struct irq *irq = &irqs[frame->vector & 0xff];
    if (irq->handler != NULL)
        irq->handler(irq->context);
    else
        unexpected_irqs++;
    x86_apic_end_of_interrupt();
}

bool arch_irq_alloc(machine_irq_handler *handler, void *context, unsigned *out_irq)
{
    for (unsigned tries = 0; tries <= LAST_IRQ - FIRST_IRQ; tries++) {
        unsigned irq = next_irq;
        next_irq = next_irq == LAST_IRQ ? FIRST_IRQ : next_irq + 1;
        if (irqs[irq].handler == NULL) {
            irqs[irq] = (struct irq){handler, context};
            *out_irq = irq;
            return true;
        }
    }
    return false;
}

void arch_irq_free(unsigned irq)
{
    irqs[irq & 0xff] = (struct irq){NULL, NULL};
}

uint64_t arch_irq_unexpected(void)
{
    return unexpected_irqs;
}

bool arch_irqs_disable(void)
{
    uint64_t flags;
    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
    return (flags & (1u << 9)) != 0;
}

void arch_irqs_restore(bool enabled)
{
    if (enabled)
        __asm__ volatile("sti" : : : "memory");
}
