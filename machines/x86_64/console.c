// SPDX-License-Identifier: MIT
/*
 * Text out by COM1 (16550), and the way out of the emulator (QEMU's isa-debug-exit).
 */
#include "arch.h"
#include "x86.h"

#define COM1            0x3f8u
#define LINE_STATUS     5u
#define TRANSMIT_EMPTY  0x20u
#define DEBUG_EXIT_PORT 0xf4u

void x86_console_init(void)
{
    x86_out8(COM1 + 1, 0x00); /* no interrupts */
    x86_out8(COM1 + 3, 0x80); /* divisor latch */
    x86_out8(COM1 + 0, 0x01); /* 115200 baud */
    x86_out8(COM1 + 1, 0x00);
    x86_out8(COM1 + 3, 0x03); /* 8n1 */
    x86_out8(COM1 + 2, 0xc7); /* FIFO on, cleared */
    x86_out8(COM1 + 4, 0x03); /* DTR, RTS */
}

static void put(char c)
{
    /* A dead port must not hang the kernel: give up waiting and drop the byte. */
    for (unsigned tries = 0; tries < 1000000u; tries++) {
        if ((x86_in8(COM1 + LINE_STATUS) & TRANSMIT_EMPTY) != 0)
            break;
    }
    x86_out8(COM1, (uint8_t)c);
}

void arch_console_write(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            put('\r');
        put(text[i]);
    }
}

_Noreturn void arch_exit(enum machine_exit code)
{
    /* QEMU ends with status (value << 1) | 1: 33, 35 or 37. */
    __asm__ volatile("outl %0, %1" : : "a"((uint32_t)code), "Nd"((uint16_t)DEBUG_EXIT_PORT));
    for (;;)
        __asm__ volatile("cli; hlt");
}
