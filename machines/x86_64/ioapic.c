// SPDX-License-Identifier: MIT
/*
 * The first IOAPIC of the MADT [ACPI 5.2.12.3; 82093AA 3.1], and the one thing that this kernel can
 * make a pin move with: the interval timer of the PC, wired to pin 2 [82C54, mode 0].
 */
#include "acpi.h"
#include "arch.h"
#include "mmio.h"
#include "x86.h"

#define MADT_FIRST   44u
#define TYPE_IOAPIC  1u
#define ENTRY_BYTES  12u
#define REG_SELECT   0x00u
#define REG_WINDOW   0x10u
#define REG_EOI      0x40u /* from version 20h on */
#define FIRST_ENTRY  0x10u
#define TIMER_PIN    2u
#define PIT_DATA     0x40u
#define PIT_COMMAND  0x43u
#define PIT_ONE_SHOT 0x30u /* channel 0, both bytes, mode 0 */
#define PIT_TICKS    1193u /* a millisecond */

static volatile uint8_t *registers;

static uint32_t read32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

bool arch_pin_find(uint8_t *out_id)
{
    uint64_t length;
    const uint8_t *madt = machine_acpi_find("APIC", 0, &length);
    for (uint64_t at = MADT_FIRST; madt != NULL && at + 2 <= length && madt[at + 1] >= 2;
         at += madt[at + 1]) {
        if (madt[at] != TYPE_IOAPIC || madt[at + 1] < ENTRY_BYTES || at + ENTRY_BYTES > length)
            continue;
        *out_id = madt[at + 2];
        registers = arch_map_mmio(read32(madt + at + 4), 4096);
        return true;
    }
    return false;
}

void arch_pin_write(uint64_t entry)
{
    uint32_t reg = FIRST_ENTRY + 2 * TIMER_PIN;
    mmio_write32(registers, REG_SELECT, reg); /* masked while it changes */
    mmio_write32(registers, REG_WINDOW, (uint32_t)entry | ARCH_PIN_MASKED);
    mmio_write32(registers, REG_SELECT, reg + 1);
    mmio_write32(registers, REG_WINDOW, (uint32_t)(entry >> 32));
    mmio_write32(registers, REG_SELECT, reg);
    mmio_write32(registers, REG_WINDOW, (uint32_t)entry);
}

void arch_pin_raise(void)
{
    x86_out8(PIT_COMMAND, PIT_ONE_SHOT);
    x86_out8(PIT_DATA, PIT_TICKS & 0xff);
    x86_out8(PIT_DATA, PIT_TICKS >> 8);
}

void arch_pin_lower(void)
{
    /* A new count takes the output low until it has run out: the longest, 55 ms. */
    x86_out8(PIT_COMMAND, PIT_ONE_SHOT);
    x86_out8(PIT_DATA, 0);
    x86_out8(PIT_DATA, 0);
}

void arch_pin_end(uint64_t entry)
{
    mmio_write32(registers, REG_EOI, (uint8_t)entry);
}
