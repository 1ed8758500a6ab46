// SPDX-License-Identifier: MIT
/*
 * MCFG: where PCI configuration space is in memory [PCI Firmware 3.3, 4.1.2].
 */
#include "core/instance.h"
#include "firmware/table.h"

#define MCFG_FIRST_ENTRY 44u
#define MCFG_ENTRY_BYTES 16u

enum sluice_status mcfg_parse(struct sluice *sluice, struct platform *platform,
                              const struct platform_table *table)
{
    if (table->bytes < MCFG_FIRST_ENTRY || (table->bytes - MCFG_FIRST_ENTRY) % MCFG_ENTRY_BYTES) {
        log_error(sluice, "MCFG: length %zu is not that of whole entries", table->bytes);
        return SLUICE_ERR_FIRMWARE;
    }
    for (size_t at = MCFG_FIRST_ENTRY; at < table->bytes; at += MCFG_ENTRY_BYTES) {
        const uint8_t *entry = table->data + at;
        struct platform_ecam *ecam;

        if (entry[10] > entry[11]) {
            log_error(sluice, "MCFG: offset %#zx: buses %#x to %#x are the wrong way round", at,
                      (unsigned)entry[10], (unsigned)entry[11]);
            return SLUICE_ERR_FIRMWARE;
        }
        ecam = host_alloc(sluice, sizeof(*ecam));
        if (ecam == NULL)
            return SLUICE_ERR_NO_MEMORY;
        ecam->base = table_get64(entry);
        ecam->segment = table_get16(entry + 8);
        ecam->first_bus = entry[10];
        ecam->last_bus = entry[11];
        list_append(&platform->ecam, &ecam->node);
    }
    return SLUICE_OK;
}
