// SPDX-License-Identifier: MIT
/*
 * The decoder over the lists of registers.h, for reports and messages.
 */
#include "unit/intel/registers.h"

const struct unit_field vtd_fields[] = {
#define F(where, name, high, low, text) {#where, #name, (high), (low), (text)},
    VTD_FIELDS(F)
#undef F
};
const size_t vtd_field_count = sizeof(vtd_fields) / sizeof(vtd_fields[0]);

const struct unit_register vtd_register_rows[] = {
#define R(name, offset, width, section, text) {#name, (offset), (width), (section), (text)},
    VTD_REGISTERS(R)
#undef R
};
const size_t vtd_register_count = sizeof(vtd_register_rows) / sizeof(vtd_register_rows[0]);

size_t vtd_decode(const char *where, uint64_t value, char *buffer, size_t bytes)
{
    return unit_field_decode(vtd_fields, vtd_field_count, where, value, buffer, bytes);
}
