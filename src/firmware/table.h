// SPDX-License-Identifier: MIT
/*
 * Reading ACPI tables: little-endian fields at any alignment, and walks over structures that say
 * their own length. Used by the parsers of sluice/acpi.h.
 */
#ifndef SLUICE_FIRMWARE_TABLE_H
#define SLUICE_FIRMWARE_TABLE_H

#include <sluice/acpi.h>

static inline uint16_t table_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | (unsigned)at[1] << 8);
}

static inline uint32_t table_get32(const uint8_t *at)
{
    return table_get16(at) | (uint32_t)table_get16(at + 2) << 16;
}

static inline uint64_t table_get64(const uint8_t *at)
{
    return table_get32(at) | (uint64_t)table_get32(at + 4) << 32;
}

/** Sum of bytes modulo 256; 0 where a checksum is right. */
static inline uint8_t table_sum(const uint8_t *data, size_t bytes)
{
    unsigned sum = 0;

    for (size_t i = 0; i < bytes; i++)
        sum += data[i];
    return (uint8_t)sum;
}

/** Returns FIRMWARE, and says why where somebody wants to know. */
static inline enum sluice_status table_bad(struct sluice_acpi_error *error, uint32_t offset,
                                           const char *what)
{
    if (error != NULL)
        *error = (struct sluice_acpi_error){.offset = offset, .what = what};
    return SLUICE_ERR_FIRMWARE;
}

#endif
