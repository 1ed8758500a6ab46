// SPDX-License-Identifier: MIT
/*
 * RSDP, XSDT and RSDT [ACPI 5.2.5 to 5.2.8].
 */
#include "acpi.h"

#include <stdbool.h>

#include "arch.h"
#include "string.h"

#define HEADER_BYTES  36u
#define LENGTH_OFFSET 4u
#define TABLE_LIMIT   0x400000u /* longer is not believed */
#define ENTRY_LIMIT   256u

static uint64_t read_le(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static bool sum_is_zero(const uint8_t *at, uint64_t bytes)
{
    uint8_t sum = 0;
    for (uint64_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + at[i]);
    return sum == 0;
}

static const uint8_t *checked_table(uint64_t phys, uint64_t *out_length)
{
    if (phys == 0)
        return NULL;
    const uint8_t *table = arch_phys_to_virt(phys);
    uint64_t length = read_le(table + LENGTH_OFFSET, 4);
    if (length < HEADER_BYTES || length > TABLE_LIMIT || !sum_is_zero(table, length))
        return NULL;
    *out_length = length;
    return table;
}

/* The XSDT where there is one, else the RSDT; `out_entry_bytes` tells which. */
static const uint8_t *root_table(uint64_t *out_length, unsigned *out_entry_bytes)
{
    uint64_t phys = arch_rsdp();
    if (phys == 0)
        return NULL;
    const uint8_t *rsdp = arch_phys_to_virt(phys);
    if (memcmp(rsdp, "RSD PTR ", 8) != 0 || !sum_is_zero(rsdp, 20))
        return NULL;
    if (rsdp[15] >= 2 && sum_is_zero(rsdp, 36)) {
        const uint8_t *xsdt = checked_table(read_le(rsdp + 24, 8), out_length);
        *out_entry_bytes = 8;
        if (xsdt != NULL)
            return xsdt;
    }
    *out_entry_bytes = 4;
    return checked_table(read_le(rsdp + 16, 4), out_length);
}

bool machine_acpi_table(unsigned index, const uint8_t **out_table, uint64_t *out_length)
{
    uint64_t root_length;
    unsigned entry_bytes;
    const uint8_t *root = root_table(&root_length, &entry_bytes);
    if (root == NULL || index >= ENTRY_LIMIT || index >= (root_length - HEADER_BYTES) / entry_bytes)
        return false;
    uint64_t phys = read_le(root + HEADER_BYTES + (uint64_t)index * entry_bytes, entry_bytes);
    *out_table = checked_table(phys, out_length);
    return true;
}

const uint8_t *machine_acpi_find(const char *signature, unsigned index, uint64_t *out_length)
{
    const uint8_t *table;
    for (unsigned i = 0; machine_acpi_table(i, &table, out_length); i++) {
        if (table != NULL && memcmp(table, signature, 4) == 0 && index-- == 0)
            return table;
    }
    return NULL;
}
