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

/** How structures of a table say their length: 16 bits at `length_at` of each. */
struct table_shape {
    uint32_t header_bytes; /**< of a structure; it is at least so long */
    uint32_t length_at;
};

/**
 * The next structure of a walk, checked against the table; `first` is where the first one is.
 * Where a structure has no end, nothing follows it.
 * Returns: OK; NOT_FOUND; FIRMWARE.
 */
enum sluice_status table_next(const struct sluice_acpi_table *table,
                              struct sluice_acpi_cursor *cursor, uint32_t first,
                              const struct table_shape *shape, uint32_t *out_bytes,
                              struct sluice_acpi_error *error);

/** Begins a walk whose first structure is at an offset that the header says. */
enum sluice_status table_begin(const struct sluice_acpi_table *table,
                               struct sluice_acpi_cursor *cursor, uint32_t first, uint32_t first_at,
                               struct sluice_acpi_error *error);

/**
 * Where an item of an array is that lies in a structure, both as the structure says. The arithmetic
 * cannot wrap: all factors have 32 bits. Returns: OK; FIRMWARE.
 */
static inline enum sluice_status table_item(uint32_t offset, uint32_t bytes, uint32_t first,
                                            uint32_t index, uint32_t item_bytes, uint32_t *out_at,
                                            struct sluice_acpi_error *error)
{
    uint64_t inside = (uint64_t)first - offset;
    uint64_t end = ((uint64_t)index + 1) * item_bytes;

    if (first < offset || inside > bytes || end > bytes - inside)
        return table_bad(error, offset, "an array of the node reaches out of it");
    *out_at = first + index * item_bytes;
    return SLUICE_OK;
}

#endif
