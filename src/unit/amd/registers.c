// SPDX-License-Identifier: MIT
/*
 * The rows of registers.h, for reports and messages.
 */
#include "unit/amd/registers.h"

const struct unit_field amdvi_fields[] = {
#define F(where, name, high, low, text) {#where, #name, (high), (low), (text)},
    AMDVI_FIELDS(F)
#undef F
};
const size_t amdvi_field_count = sizeof(amdvi_fields) / sizeof(amdvi_fields[0]);

const struct unit_register amdvi_registers[] = {
#define R(name, offset, width, section, text) {#name, (offset), (width), (section), (text)},
    AMDVI_REGISTERS(R)
#undef R
};
const size_t amdvi_register_count = sizeof(amdvi_registers) / sizeof(amdvi_registers[0]);

size_t amdvi_decode(const char *where, uint64_t value, char *buffer, size_t bytes)
{
    return unit_field_decode(amdvi_fields, amdvi_field_count, where, value, buffer, bytes);
}
