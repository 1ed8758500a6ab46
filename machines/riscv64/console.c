// SPDX-License-Identifier: MIT
/*
 * Text out by an ns16550a, and the way out of the emulator by SiFive's test device
 * [QEMU docs/system/riscv/virt].
 */
#include "arch.h"
#include "mmio.h"
#include "riscv64.h"

#define REG_DATA       0u
#define REG_STATUS     5u
#define TRANSMIT_EMPTY 0x20u
#define REGISTER_BYTES 4096u
#define TEST_FAIL      0x3333u

static volatile void *registers, *test;

static volatile void *find(const struct devicetree *tree, const char *compatible)
{
    struct devicetree_node node;
    uint64_t phys, bytes;
    if (!devicetree_find(tree, compatible, 0, &node) ||
        !devicetree_reg(tree, &node, 0, &phys, &bytes))
        return NULL;
    return arch_map_mmio(phys, REGISTER_BYTES);
}

void riscv64_console_init(const struct devicetree *tree)
{
    registers = find(tree, "ns16550a"); /* OpenSBI has set it up */
    test = find(tree, "sifive,test0");
}

static void put(char c)
{
    /* A dead port must not hang the kernel: give up waiting and drop the byte. */
    for (unsigned tries = 0; tries < 1000000u; tries++) {
        if ((mmio_read8(registers, REG_STATUS) & TRANSMIT_EMPTY) != 0)
            break;
    }
    mmio_write8(registers, REG_DATA, (uint8_t)c);
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
    if (test != NULL)
        mmio_write32(test, 0, ((uint32_t)code << 1 | 1u) << 16 | TEST_FAIL);
    for (;;)
        __asm__ volatile("wfi");
}
