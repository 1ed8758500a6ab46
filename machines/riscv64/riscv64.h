// SPDX-License-Identifier: MIT
/*
 * What the files of machines/riscv64 share. Nothing outside this folder includes it.
 */
#ifndef MACHINE_RISCV64_H
#define MACHINE_RISCV64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devicetree.h"

#define RISCV64_DIRECT_BASE 0xffff800000000000ull /* RAM, see boot.S */
#define RISCV64_MMIO_BASE   0xffffc00000000000ull /* device registers, see boot.S */

#define riscv64_read_csr(name)                                                                     \
    __extension__({                                                                                \
        uint64_t value_;                                                                           \
        __asm__ volatile("csrr %0, " name : "=r"(value_) : : "memory");                            \
        value_;                                                                                    \
    })
#define riscv64_write_csr(name, value)                                                             \
    __asm__ volatile("csrw " name ", %0" : : "r"((uint64_t)(value)) : "memory")

/* What trap_entry of boot.S leaves on the stack, lowest address first; x[0] is not written. */
struct riscv64_frame {
    uint64_t x[32], sepc, sstatus, scause, stval;
};
_Static_assert(sizeof(struct riscv64_frame) == 288, "boot.S counts on it");

void riscv64_start(uint64_t hart, uint64_t devicetree); /* boot.S calls it */
void riscv64_trap(struct riscv64_frame *frame);         /* boot.S calls it */
void riscv64_console_init(const struct devicetree *tree);
void riscv64_time_init(const struct devicetree *tree);
void riscv64_cache_init(const struct devicetree *tree);

#define RISCV64_IRQS 256u /* identities of the interrupt file in use; 0 is none */

/** This hart's own interrupt file for S mode: everything in it enabled. */
void riscv64_imsic_init(const struct devicetree *tree);
/** The next identity that is pending, no longer so; 0: none. */
unsigned riscv64_imsic_take(void);
/** How many identities there are, and the page that messages go to; 0 when there is none. */
unsigned riscv64_imsic_count(void);
uint64_t riscv64_imsic_page(void);

#endif
