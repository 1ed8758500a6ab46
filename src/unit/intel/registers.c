// SPDX-License-Identifier: MIT
/*
 * The decoder over the lists of registers.h, for reports and messages.
 */
#include "unit/intel/registers.h"

#include "core/log.h"

const struct vtd_field vtd_fields[] = {
#define F(where, name, high, low, text) {#where, #name, (high), (low), (text)},
    VTD_FIELDS(F)
#undef F
};
const size_t vtd_field_count = sizeof(vtd_fields) / sizeof(vtd_fields[0]);

const struct vtd_register_row vtd_register_rows[] = {
#define R(name, offset, width, section, text) {#name, (offset), (width), (section), (text)},
    VTD_REGISTERS(R)
#undef R
};
const size_t vtd_register_count = sizeof(vtd_register_rows) / sizeof(vtd_register_rows[0]);

static bool same_text(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

size_t vtd_decode(const char *where, uint64_t value, char *buffer, size_t bytes)
{
    size_t used = 0;

    if (bytes > 0)
        buffer[0] = '\0';
    for (size_t i = 0; i < vtd_field_count; i++) {
        const struct vtd_field *field = &vtd_fields[i];
        uint64_t bits = (value & VTD_BITS(field->high, field->low)) >> field->low;
        size_t room = used < bytes ? bytes - used : 0;

        if (bits == 0 || !same_text(field->where, where))
            continue;
        used += format_text(room > 0 ? buffer + used : NULL, room,
                            field->high == field->low ? "%s%s" : "%s%s=%#llx", used > 0 ? " " : "",
                            field->name, (unsigned long long)bits);
    }
    return used;
}
