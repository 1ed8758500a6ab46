// SPDX-License-Identifier: MIT
/*
 * Writes a reserved region into a copy of the firmware's table: DMAR [VT-d 8.4 RMRR, 8.3.1 scopes]
 * or IVRS [AMD 5.2.2.3 IVMD].
 */
#include "arch.h"
#include "string.h"

#define TABLE_LENGTH   4u
#define TABLE_CHECKSUM 9u
#define RMRR_TYPE      1u
#define RMRR_BYTES     32u
#define SCOPE_BYTES    8u
#define SCOPE_ENDPOINT 1u
#define IVMD_TYPE_ONE  0x21u
#define IVMD_FLAGS     0x07u /* one to one, may be read and written */
#define IVMD_BYTES     32u

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

/* Each writes one structure and returns its length. */
static size_t put_rmrr(uint8_t *rmrr, uint16_t segment, uint16_t rid, uint64_t first, uint64_t last)
{
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
    return RMRR_BYTES;
}

static size_t put_ivmd(uint8_t *ivmd, uint16_t segment, uint16_t rid, uint64_t first, uint64_t last)
{
    ivmd[0] = IVMD_TYPE_ONE;
    ivmd[1] = IVMD_FLAGS;
    put_le(ivmd + 2, IVMD_BYTES, 2);
    put_le(ivmd + 4, rid, 2);
    put_le(ivmd + 8, segment, 2);
    put_le(ivmd + 16, first, 8);
    put_le(ivmd + 24, last - first + 1, 8);
    return IVMD_BYTES;
}

static const struct {
    const char *signature;
    size_t (*put)(uint8_t *at, uint16_t segment, uint16_t rid, uint64_t first, uint64_t last);
    size_t bytes;
} kinds[] = {{"DMAR", put_rmrr, RMRR_BYTES}, {"IVRS", put_ivmd, IVMD_BYTES}};

size_t arch_table_reserve(uint8_t *table, size_t length, size_t capacity, uint16_t segment,
                          uint16_t rid, uint64_t first, uint64_t last)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (memcmp(table, kinds[i].signature, 4) != 0 || capacity - length < kinds[i].bytes)
            continue;
        memset(table + length, 0, kinds[i].bytes);
        length += kinds[i].put(table + length, segment, rid, first, last);
        put_le(table + TABLE_LENGTH, length, 4);
        set_checksum(table, length);
        return length;
    }
    return 0;
}

/* Tables describe every unit of this machine. */
enum sluice_status arch_describe(struct sluice *sluice)
{
    (void)sluice;
    return SLUICE_OK;
}
