// SPDX-License-Identifier: MIT
/*
 * MCFG: where PCI configuration space is in memory [PCI Firmware 4.1.2].
 */
#include "firmware/table.h"

#define MCFG_FIRST       44u
#define MCFG_ENTRY_BYTES 16u

enum sluice_status sluice_mcfg_next(const struct sluice_acpi_table *table,
                                    struct sluice_acpi_cursor *cursor,
                                    struct sluice_mcfg_entry *out, struct sluice_acpi_error *error)
{
    uint32_t at = cursor->at != 0 ? cursor->at : MCFG_FIRST;
    const uint8_t *entry = table->data + at;

    if (cursor->at == 0 && table->bytes < MCFG_FIRST) {
        cursor->at = MCFG_FIRST;
        return table_bad(error, 4, "shorter than the header of an MCFG");
    }
    if (at >= table->bytes)
        return SLUICE_ERR_NOT_FOUND;
    if (table->bytes - at < MCFG_ENTRY_BYTES) {
        cursor->at = table->bytes;
        return table_bad(error, at, "bytes after the last entry");
    }
    cursor->at = at + MCFG_ENTRY_BYTES;
    *out = (struct sluice_mcfg_entry){
        .offset = at,
        .base = table_get64(entry),
        .segment = table_get16(entry + 8),
        .first_bus = entry[10],
        .last_bus = entry[11],
        .reserved = table_get32(entry + 12),
    };
    return SLUICE_OK;
}
