// SPDX-License-Identifier: MIT
/*
 * Exceptions and interrupt dispatch [Arm ARM D1.4]. An exception is a bug of this kernel or of the
 * library: it is printed with its registers and ends the run as failed.
 */
#include "aarch64.h"
#include "arch.h"
#include "print.h"

#define VECTOR_IRQ  5u /* from EL1 with its own stack pointer */
#define TAKE_LIMIT  64u
#define DAIF_IRQ    (1u << 7)
#define WIRES_LIMIT 8u

struct irq {
    machine_irq_handler *handler;
    void *context;
};

struct wire {
    struct irq irq;
    uint32_t intid;
};

static struct irq irqs[AARCH64_LPIS]; /* by number, which is also the message's data; 0 is none */
static struct wire wires[WIRES_LIMIT];
static unsigned next_irq = 1;
static uint64_t unexpected_irqs;

static _Noreturn void die(const struct aarch64_frame *f)
{
    static const char *const classes[64] = {
        [0x00] = "unknown instruction", [0x0e] = "illegal state", [0x15] = "system call",
        [0x18] = "system register",     [0x20] = "fetch, user",   [0x21] = "fetch",
        [0x22] = "program counter",     [0x24] = "access, user",  [0x25] = "access",
        [0x26] = "stack pointer",       [0x2f] = "system error",  [0x3c] = "breakpoint",
    };
    uint64_t esr = aarch64_read_register("esr_el1"), far = aarch64_read_register("far_el1");
    const char *name = classes[(esr >> 26) & 63];
    machine_print("\nEXCEPTION %lu (%s) syndrome 0x%lx pc 0x%lx address 0x%lx\n", f->vector,
                  name == NULL ? "other" : name, esr, f->elr, far);
    for (unsigned i = 0; i < 31; i++)
        machine_print("  x%-2u %016lx%s", i, f->x[i], i % 4 == 3 ? "\n" : "");
    machine_print("  sp  %016lx\n", f->sp);
    machine_print("@sluice {\"event\":\"exception\",\"vector\":%lu,\"rip\":%lu,\"address\":%lu}\n",
                  f->vector, f->elr, far);
    arch_exit(MACHINE_EXIT_CRASH);
}

static void call(const struct irq *irq)
{
    if (irq->handler != NULL)
        irq->handler(irq->context);
    else
        unexpected_irqs++;
}

void aarch64_irq_handle(uint32_t intid)
{
    static const struct irq nobody;
    if (intid >= AARCH64_FIRST_LPI) {
        uint32_t index = intid - AARCH64_FIRST_LPI;
        call(index < AARCH64_LPIS ? &irqs[index] : &nobody);
        return;
    }
    for (unsigned i = 0; i < WIRES_LIMIT; i++) {
        if (wires[i].irq.handler != NULL && wires[i].intid == intid) {
            call(&wires[i].irq);
            return;
        }
    }
    call(&nobody);
}

void aarch64_trap(struct aarch64_frame *frame)
{
    if (frame->vector != VECTOR_IRQ)
        die(frame);
    for (unsigned i = 0; i < TAKE_LIMIT; i++) {
        uint32_t intid = aarch64_gic_take();
        if (intid >= AARCH64_SPI_END && intid < AARCH64_FIRST_LPI)
            return;
        aarch64_irq_handle(intid);
        aarch64_gic_end(intid);
    }
}

bool arch_irq_alloc(machine_irq_handler *handler, void *context, unsigned *out_irq)
{
    for (unsigned tries = 1; tries < AARCH64_LPIS; tries++) {
        unsigned irq = next_irq;
        next_irq = next_irq == AARCH64_LPIS - 1 ? 1 : next_irq + 1;
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
    irqs[irq % AARCH64_LPIS] = (struct irq){NULL, NULL};
}

bool arch_irq_message(unsigned irq, uint32_t source, uint64_t *out_address, uint32_t *out_data)
{
    if (source == ARCH_NO_SOURCE)
        return false; /* the ITS knows events by who sends them */
    *out_data = irq;
    return aarch64_its_map(source, irq, out_address);
}

bool arch_wire_connect(uint32_t number, machine_irq_handler *handler, void *context)
{
    if (number < AARCH64_FIRST_SPI || number >= AARCH64_SPI_END)
        return false;
    for (unsigned i = 0; i < WIRES_LIMIT; i++) {
        if (wires[i].irq.handler != NULL)
            continue;
        wires[i] = (struct wire){{handler, context}, number};
        aarch64_gic_enable_spi(number);
        return true;
    }
    return false;
}

void arch_wire_disconnect(uint32_t number)
{
    for (unsigned i = 0; i < WIRES_LIMIT; i++) {
        if (wires[i].irq.handler == NULL || wires[i].intid != number)
            continue;
        aarch64_gic_disable_spi(number);
        wires[i] = (struct wire){{NULL, NULL}, 0};
    }
}

uint64_t arch_irq_unexpected(void)
{
    return unexpected_irqs;
}

bool arch_irqs_disable(void)
{
    uint64_t flags = aarch64_read_register("daif");
    __asm__ volatile("msr daifset, #2" : : : "memory");
    return (flags & DAIF_IRQ) == 0;
}

void arch_irqs_restore(bool enabled)
{
    if (enabled)
        __asm__ volatile("msr daifclr, #2" : : : "memory");
}

uint32_t arch_cpu_id(void)
{
    return 0; /* no message names a CPU here: the ITS does */
}
