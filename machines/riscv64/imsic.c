// SPDX-License-Identifier: MIT
/*
 * This hart's interrupt file [RISC-V AIA 3]: a message is an identity written to its page.
 */
#include "arch.h"
#include "riscv64.h"

#define SISELECT       "0x150"
#define SIREG          "0x151"
#define STOPEI         "0x15c"
#define EIDELIVERY     0x70u
#define EITHRESHOLD    0x72u
#define EIE            0xc0u
#define S_EXTERNAL     9u /* the interrupt of its CPU that an S-level file raises */
#define IDENTITY_SHIFT 16u
#define IDENTITY_MASK  0x7ffu

static uint64_t page;
static unsigned count;

static void write_register(unsigned number, uint64_t value)
{
    riscv64_write_csr(SISELECT, number);
    riscv64_write_csr(SIREG, value);
}

/* The node of the files that interrupt S mode; M mode has its own. */
static bool find(const struct devicetree *tree, struct devicetree_node *out)
{
    struct devicetree_value wires;
    for (unsigned i = 0; devicetree_find(tree, "riscv,imsics", i, out); i++) {
        if (devicetree_property(tree, out, "interrupts-extended", &wires) &&
            devicetree_number(&wires, 1, 1) == S_EXTERNAL)
            return true;
    }
    return false;
}

void riscv64_imsic_init(const struct devicetree *tree)
{
    struct devicetree_node node;
    struct devicetree_value value;
    uint64_t bytes;
    if (!find(tree, &node) || !devicetree_reg(tree, &node, 0, &page, &bytes) ||
        !devicetree_property(tree, &node, "riscv,num-ids", &value))
        return; /* devices have no interrupts then, and the scenarios say so */
    uint64_t last = devicetree_number(&value, 0, 1);
    count = last < RISCV64_IRQS ? (unsigned)last + 1 : RISCV64_IRQS;
    for (unsigned i = 0; i < RISCV64_IRQS / 64; i++)
        write_register(EIE + 2 * i, UINT64_MAX); /* those that are not there ignore it */
    write_register(EITHRESHOLD, 0);
    write_register(EIDELIVERY, 1);
    __asm__ volatile("csrs sie, %0" : : "r"(1ull << S_EXTERNAL) : "memory");
    arch_irqs_restore(true);
}

unsigned riscv64_imsic_take(void)
{
    uint64_t top;
    __asm__ volatile("csrrw %0, " STOPEI ", x0" : "=r"(top) : : "memory");
    __asm__ volatile("fence iorw, iorw" : : : "memory"); /* taken before its device is looked at */
    return (unsigned)(top >> IDENTITY_SHIFT) & IDENTITY_MASK;
}

unsigned riscv64_imsic_count(void)
{
    return count;
}

uint64_t riscv64_imsic_page(void)
{
    return page;
}
