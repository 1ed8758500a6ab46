// SPDX-License-Identifier: MIT
/*
 * The decoder over rows of fields.
 */
#include "unit/field.h"

#include "core/log.h"

static bool same_text(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

size_t unit_field_decode(const struct unit_field *fields, size_t count, const char *where,
                         uint64_t value, char *buffer, size_t bytes)
{
    size_t used = 0;

    if (bytes > 0)
        buffer[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const struct unit_field *field = &fields[i];
        uint64_t bits = (value & UNIT_BITS(field->high, field->low)) >> field->low;
        size_t room = used < bytes ? bytes - used : 0;

        if (bits == 0 || !same_text(field->where, where))
            continue;
        used += format_text(room > 0 ? buffer + used : NULL, room,
                            field->high == field->low ? "%s%s" : "%s%s=%#llx", used > 0 ? " " : "",
                            field->name, (unsigned long long)bits);
    }
    return used;
}
