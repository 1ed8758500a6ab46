// SPDX-License-Identifier: MIT
/*
 * Text out by a PL011 [PL011 3.3], and the way out of the emulator by semihosting
 * [Semihosting 6.2 SYS_EXIT], else of the machine by PSCI [PSCI 5.9 SYSTEM_OFF].
 */
#include "aarch64.h"
#include "arch.h"
#include "mmio.h"

#define REG_DATA         0x00u
#define REG_FLAGS        0x18u
#define REG_LINE         0x2cu
#define REG_CONTROL      0x30u
#define FLAG_FULL        (1u << 5)
#define LINE_8_BITS_FIFO 0x70u
#define CONTROL_ON       0x301u /* the UART, its transmitter and receiver */
#define PSCI_SYSTEM_OFF  0x84000008u
#define SYS_EXIT         0x18u
#define APPLICATION_EXIT 0x20026u
#define REGISTER_BYTES   4096u

static volatile void *registers;

void aarch64_console_init(const struct devicetree *tree)
{
    struct devicetree_node node;
    uint64_t phys, bytes;
    if (!devicetree_find(tree, "arm,pl011", 0, &node) ||
        !devicetree_reg(tree, &node, 0, &phys, &bytes))
        return;
    registers = arch_map_mmio(phys, REGISTER_BYTES);
    mmio_write32(registers, REG_LINE, LINE_8_BITS_FIFO);
    mmio_write32(registers, REG_CONTROL, CONTROL_ON);
}

static void put(char c)
{
    /* A dead port must not hang the kernel: give up waiting and drop the byte. */
    for (unsigned tries = 0; tries < 1000000u; tries++) {
        if ((mmio_read32(registers, REG_FLAGS) & FLAG_FULL) == 0)
            break;
    }
    mmio_write32(registers, REG_DATA, (uint8_t)c);
}

void arch_console_write(const char *text, size_t length)
{
    if (registers == NULL)
        return;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            put('\r');
        put(text[i]);
    }
}

_Noreturn void arch_exit(enum machine_exit code)
{
    /* QEMU ends with the status that isa-debug-exit would give on a PC: 33, 35 or 37. */
    const uint64_t block[2] = {APPLICATION_EXIT, (uint64_t)code << 1 | 1u};
    register uint64_t operation __asm__("x0") = SYS_EXIT;
    register uint64_t parameter __asm__("x1") = (uint64_t)(uintptr_t)block;
    __asm__ volatile("hlt #0xf000" : "+r"(operation) : "r"(parameter) : "memory");
    register uint64_t function __asm__("x0") = PSCI_SYSTEM_OFF;
    __asm__ volatile("hvc #0" : "+r"(function) : : "memory");
    for (;;)
        __asm__ volatile("wfi");
}
