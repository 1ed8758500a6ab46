// SPDX-License-Identifier: MIT
/*
 * Reading ACPI tables: little-endian fields at any alignment, and the parsers that fill in the
 * platform description from a table whose header was checked.
 */
#ifndef SLUICE_FIRMWARE_TABLE_H
#define SLUICE_FIRMWARE_TABLE_H

#include "firmware/platform.h"

#define ACPI_HEADER_BYTES 36u

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

/** Whether there is a parser for a table; `header` is ACPI_HEADER_BYTES long. */
bool platform_knows_table(const uint8_t *header);

enum sluice_status dmar_parse(struct sluice *sluice, struct platform *platform,
                              const struct platform_table *table);
enum sluice_status mcfg_parse(struct sluice *sluice, struct platform *platform,
                              const struct platform_table *table);

void *memcpy(void *to, const void *from, size_t bytes);
int memcmp(const void *one, const void *other, size_t bytes);

#endif
