// SPDX-License-Identifier: MIT
/*
 * What the files of machines/aarch64 share. Nothing outside this folder includes it.
 */
#ifndef MACHINE_AARCH64_H
#define MACHINE_AARCH64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devicetree.h"

#define AARCH64_DIRECT_BASE 0xffff000000000000ull /* RAM, see boot.S */
#define AARCH64_MMIO_BASE   0xffff800000000000ull /* device registers, see boot.S */

#define aarch64_read_register(name)                                                                \
    __extension__({                                                                                \
        uint64_t value_;                                                                           \
        __asm__ volatile("mrs %0, " name : "=r"(value_) : : "memory");                             \
        value_;                                                                                    \
    })
#define aarch64_write_register(name, value)                                                        \
    __asm__ volatile("msr " name ", %0; isb" : : "r"((uint64_t)(value)) : "memory")

/* What the vectors of boot.S leave on the stack, lowest address first. */
struct aarch64_frame {
    uint64_t x[31], sp, elr, spsr, vector, reserved;
};
_Static_assert(sizeof(struct aarch64_frame) == 288, "boot.S counts on it");

void aarch64_start(uint64_t devicetree);        /* boot.S calls it */
void aarch64_trap(struct aarch64_frame *frame); /* boot.S calls it */
void aarch64_console_init(const struct devicetree *tree);
void aarch64_time_init(void);
void aarch64_map_ram(uint64_t phys, uint64_t bytes); /* into the direct map */

/* Interrupts: the GIC by its numbers (INTIDs). */
#define AARCH64_FIRST_SPI 32u
#define AARCH64_SPI_END   1020u
#define AARCH64_FIRST_LPI 8192u
#define AARCH64_LPIS      256u /* message-signalled ones this kernel has */

void aarch64_gic_init(const struct devicetree *tree);
/** The next one that is pending, acknowledged; AARCH64_SPI_END or above, below the first LPI:
 * none. */
uint32_t aarch64_gic_take(void);
void aarch64_gic_end(uint32_t intid);
/** An SPI, by its edges, to this CPU; or off. */
void aarch64_gic_enable_spi(uint32_t intid);
void aarch64_gic_disable_spi(uint32_t intid);

/** Starts the ITS, which turns messages into LPIs of the redistributor whose frame lies there. */
void aarch64_its_init(const struct devicetree *tree, uint64_t redistributor, uint64_t typer);
/** Makes event `index` of this device raise LPI AARCH64_FIRST_LPI + index. */
bool aarch64_its_map(uint32_t device, uint32_t index, uint64_t *out_address);
void aarch64_irq_handle(uint32_t intid); /* traps.c calls it for what the GIC gave */

#endif
