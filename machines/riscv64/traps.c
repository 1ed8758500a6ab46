// SPDX-License-Identifier: MIT
/*
 * Traps and interrupt dispatch [RISC-V Privileged 12.1]. An exception is a bug of this kernel or of
 * the library: it is printed with its registers and ends the run as failed.
 */
#include "arch.h"
#include "pages.h"
#include "print.h"
#include "riscv64.h"

#define CAUSE_INTERRUPT (1ull << 63)
#define CAUSE_EXTERNAL  (CAUSE_INTERRUPT | 9)
#define TAKE_LIMIT      64u
#define SSTATUS_SIE     (1ull << 1)

struct irq {
    machine_irq_handler *handler;
    void *context;
};

static struct irq irqs[RISCV64_IRQS]; /* by identity; 0 is none */
static unsigned next_irq = 1;
static uint64_t unexpected_irqs;

static _Noreturn void die(const struct riscv64_frame *f)
{
    static const char *const names[16] = {
        [0] = "fetch, misaligned",  [1] = "fetch, access fault", [2] = "illegal instruction",
        [3] = "breakpoint",         [4] = "load, misaligned",    [5] = "load, access fault",
        [6] = "store, misaligned",  [7] = "store, access fault", [9] = "system call",
        [12] = "fetch, page fault", [13] = "load, page fault",   [15] = "store, page fault",
    };
    const char *name = f->scause < 16 ? names[f->scause] : NULL;
    machine_print("\nEXCEPTION 0x%lx (%s) pc 0x%lx address 0x%lx\n", f->scause,
                  name == NULL ? "other" : name, f->sepc, f->stval);
    for (unsigned i = 1; i < 32; i++)
        machine_print("  x%-2u %016lx%s", i, f->x[i], i % 4 == 0 ? "\n" : "");
    machine_print("\n@sluice {\"event\":\"exception\",\"vector\":%lu,\"rip\":%lu,"
                  "\"address\":%lu}\n",
                  f->scause & 0xff, f->sepc, f->stval);
    arch_exit(MACHINE_EXIT_CRASH);
}

void riscv64_trap(struct riscv64_frame *frame)
{
    if (frame->scause != CAUSE_EXTERNAL)
        die(frame);
    for (unsigned i = 0; i < TAKE_LIMIT; i++) {
        unsigned identity = riscv64_imsic_take();
        if (identity == 0)
            return;
        const struct irq *irq = &irqs[identity % RISCV64_IRQS];
        if (irq->handler != NULL)
            irq->handler(irq->context);
        else
            unexpected_irqs++;
    }
}

bool arch_irq_alloc(machine_irq_handler *handler, void *context, unsigned *out_irq)
{
    for (unsigned tries = 1; tries < riscv64_imsic_count(); tries++) {
        unsigned irq = next_irq;
        next_irq = next_irq + 1 >= riscv64_imsic_count() ? 1 : next_irq + 1;
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
    irqs[irq % RISCV64_IRQS] = (struct irq){NULL, NULL};
}

bool arch_irq_message(unsigned irq, uint32_t source, uint64_t *out_address, uint32_t *out_data)
{
    (void)source; /* whoever sends it */
    *out_address = riscv64_imsic_page();
    *out_data = irq;
    return riscv64_imsic_count() != 0;
}

bool arch_messages_have_senders(void)
{
    return false; /* a write of anybody at the right address is one */
}

bool arch_doorbell(unsigned index, uint64_t *out_first, uint64_t *out_last)
{
    *out_first = riscv64_imsic_page();
    *out_last = *out_first + MACHINE_PAGE_BYTES - 1;
    return riscv64_imsic_count() != 0 && index == 0;
}

bool arch_wire_connect(uint32_t number, machine_irq_handler *handler, void *context)
{
    (void)number;
    (void)handler;
    (void)context;
    return false; /* units of this machine have messages */
}

void arch_wire_disconnect(uint32_t number)
{
    (void)number;
}

uint64_t arch_irq_unexpected(void)
{
    return unexpected_irqs;
}

bool arch_irqs_disable(void)
{
    uint64_t flags;
    __asm__ volatile("csrrci %0, sstatus, 2" : "=r"(flags) : : "memory");
    return (flags & SSTATUS_SIE) != 0;
}

void arch_irqs_restore(bool enabled)
{
    if (enabled)
        __asm__ volatile("csrsi sstatus, 2" : : : "memory");
}

uint32_t arch_cpu_id(void)
{
    return 0; /* no message names a CPU here: its page does */
}
