// SPDX-License-Identifier: MIT
// The text of acpidump: for each table a line "DMAR @ 0x7B7A6000", then lines of an offset, up to
// 16 bytes in hexadecimal, and the same as characters.
#include "tables.h"

#include <stdlib.h>

enum {
    LINE_BYTES = 16
};

// The beginning of the line behind `at`, or `end`.
static const uint8_t *next_line(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));

    return newline == NULL ? end : newline + 1;
}

static bool is_heading(const uint8_t *at, const uint8_t *end)
{
    return end - at > 8 && memcmp(at + 4, " @ 0x", 5) == 0;
}

static int digit(uint8_t character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    character = (uint8_t)(character | 0x20u);
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

bool acpi_is_dump(const uint8_t *data, size_t size_bytes)
{
    const uint8_t *end = data + size_bytes;

    // Comments and empty lines may come first.
    for (unsigned int line = 0; line < 64 && data < end; line++) {
        if (is_heading(data, end))
            return true;
        data = next_line(data, end);
    }
    return false;
}

// The bytes of one line behind its "0010:"; returns how many, -1 when it is no such line.
static int read_line(const uint8_t *at, const uint8_t *end, size_t *out_offset,
                     uint8_t out[LINE_BYTES])
{
    size_t offset = 0;
    int count = 0;

    while (at < end && *at == ' ')
        at++;
    if (at == end || digit(*at) < 0)
        return -1;
    for (unsigned int i = 0; at < end && digit(*at) >= 0 && i < 8; at++, i++)
        offset = offset << 4 | (size_t)digit(*at);
    if (at == end || *at != ':')
        return -1;
    at++;
    // A byte is a space and two digits; two spaces end the list.
    while (count < LINE_BYTES && end - at >= 3 && at[0] == ' ' && digit(at[1]) >= 0 &&
           digit(at[2]) >= 0) {
        out[count++] = (uint8_t)(digit(at[1]) << 4 | digit(at[2]));
        at += 3;
    }
    *out_offset = offset;
    return count;
}

// The table behind a heading; returns the line that is no longer its own.
static const uint8_t *read_table(const uint8_t *at, const uint8_t *end, uint8_t *out,
                                 size_t *out_bytes)
{
    *out_bytes = 0;
    while (at < end) {
        const uint8_t *next = next_line(at, end);
        uint8_t bytes[LINE_BYTES];
        size_t offset = 0;
        int count = read_line(at, next, &offset, bytes);

        // A gap would move every later field.
        if (count < 0 || offset != *out_bytes)
            break;
        memcpy(out + *out_bytes, bytes, (size_t)count);
        *out_bytes += (size_t)count;
        at = next;
    }
    return at;
}

static void add(struct acpi_inputs *inputs, const char *name, const uint8_t *heading,
                const uint8_t *data, size_t size_bytes)
{
    uint8_t *copy = malloc(size_bytes + 1);
    char *full = NULL;

    if (asprintf(&full, "%s: %.4s", name, (const char *)heading) < 0)
        full = NULL;
    if (copy != NULL)
        memcpy(copy, data, size_bytes);
    if (copy == NULL || full == NULL || !acpi_inputs_add(inputs, full, copy, size_bytes)) {
        cli_error(name, "out of memory");
        inputs->failed = true;
        free(copy);
    }
    free(full);
}

void acpi_read_dump(struct acpi_inputs *inputs, const char *name, const uint8_t *data,
                    size_t size_bytes)
{
    const uint8_t *end = data + size_bytes;
    uint8_t *table = malloc(size_bytes + 1); // three characters or more a byte

    if (table == NULL) {
        cli_error(name, "out of memory");
        inputs->failed = true;
        return;
    }
    while (data < end) {
        const uint8_t *heading = data;
        size_t bytes = 0;

        data = next_line(data, end);
        if (!is_heading(heading, end))
            continue;
        data = read_table(data, end, table, &bytes);
        if (acpi_signature_known(heading))
            add(inputs, name, heading, table, bytes);
        else
            inputs->skipped++;
    }
    free(table);
}
