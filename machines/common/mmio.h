// SPDX-License-Identifier: MIT
/*
 * Register access of the machine's own device drivers.
 */
#ifndef MACHINE_MMIO_H
#define MACHINE_MMIO_H

#include <stdint.h>

static inline uint8_t mmio_read8(const volatile void *base, uint64_t offset)
{
    return *((const volatile uint8_t *)base + offset);
}

static inline uint16_t mmio_read16(const volatile void *base, uint64_t offset)
{
    return *(const volatile uint16_t *)((const volatile uint8_t *)base + offset);
}

static inline uint32_t mmio_read32(const volatile void *base, uint64_t offset)
{
    return *(const volatile uint32_t *)((const volatile uint8_t *)base + offset);
}

static inline uint64_t mmio_read64(const volatile void *base, uint64_t offset)
{
    return *(const volatile uint64_t *)((const volatile uint8_t *)base + offset);
}

static inline void mmio_write8(volatile void *base, uint64_t offset, uint8_t value)
{
    *((volatile uint8_t *)base + offset) = value;
}

static inline void mmio_write16(volatile void *base, uint64_t offset, uint16_t value)
{
    *(volatile uint16_t *)((volatile uint8_t *)base + offset) = value;
}

static inline void mmio_write32(volatile void *base, uint64_t offset, uint32_t value)
{
    *(volatile uint32_t *)((volatile uint8_t *)base + offset) = value;
}

static inline void mmio_write64(volatile void *base, uint64_t offset, uint64_t value)
{
    *(volatile uint64_t *)((volatile uint8_t *)base + offset) = value;
}

#endif
