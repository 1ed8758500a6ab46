// SPDX-License-Identifier: MIT
/*
 * Writes a reserved region into a copy of the firmware's DMAR table [VT-d 8.4 RMRR, 8.3.1 scopes].
 */
#include "arch.h"
#include "string.h"

#define TABLE_LENGTH   4u
#define TABLE_CHECKSUM 9u
#define RMRR_TYPE      1u
#define RMRR_BYTES     32u
#define SCOPE_BYTES    8u
#define SCOPE_ENDPOINT 1u

static void put_le(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void set_checksum(uint8_t *table, size_t length)
{
    uint8_t sum = 0;
    table[TABLE_CHECKSUM] = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + table[i]);
    table[TABLE_CHECKSUM] = (uint8_t)(0 - sum);
}

size_t arch_table_reserve(uint8_t *table, size_t length, size_t capacity, uint16_t segment,
                          uint16_t rid, uint64_t first, uint64_t last)
{
    if (memcmp(table, "DMAR", 4) != 0 || capacity - length < RMRR_BYTES)
        return 0;
    uint8_t *rmrr = table + length;
    memset(rmrr, 0, RMRR_BYTES);
    put_le(rmrr, RMRR_TYPE, 2);
    put_le(rmrr + 2, RMRR_BYTES, 2);
    put_le(rmrr + 6, segment, 2);
    put_le(rmrr + 8, first, 8);
    put_le(rmrr + 16, last, 8);
    uint8_t *scope = rmrr + RMRR_BYTES - SCOPE_BYTES;
    scope[0] = SCOPE_ENDPOINT;
    scope[1] = SCOPE_BYTES;
    scope[5] = (uint8_t)(rid >> 8);
    scope[6] = (rid >> 3) & 0x1f;
    scope[7] = rid & 7;
    length += RMRR_BYTES;
    put_le(table + TABLE_LENGTH, length, 4);
    set_checksum(table, length);
    return length;
}
