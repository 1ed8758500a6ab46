// SPDX-License-Identifier: MIT
/*
 * Registers and entries described once, as rows: what drivers decode values with for reports and
 * messages. Each driver keeps its rows in its own folder. Context of all: any.
 */
#ifndef SLUICE_UNIT_FIELD_H
#define SLUICE_UNIT_FIELD_H

#include <stddef.h>
#include <stdint.h>

/** Bits high:low of the register or entry word `where`. */
struct unit_field {
    const char *where;
    const char *name;
    uint8_t high;
    uint8_t low;
    const char *text;
};

struct unit_register {
    const char *name;
    uint32_t offset;
    uint8_t bytes;
    const char *section;
    const char *text;
};

/** Mask of bits high:low. */
#define UNIT_BITS(high, low) ((UINT64_MAX >> (63 - ((high) - (low)))) << (low))

/**
 * Writes "NAME=value ..." of every field of `where` ("CAP") that is not zero. Always terminates.
 * Returns the length the whole text would have.
 */
size_t unit_field_decode(const struct unit_field *fields, size_t count, const char *where,
                         uint64_t value, char *buffer, size_t bytes);

#endif
