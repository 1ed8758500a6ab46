// SPDX-License-Identifier: MIT
/*
 * Firmware tables from readable text, with every field nameable and so breakable.
 *
 *     table DMAR 1            header: signature and revision; length and checksum are filled in
 *     u8 width 45             a field of 1, 2, 4 or 8 bytes, with a name and a value
 *     u8 7                    ... or without a name
 *     pad 10                  zeroes
 *     text "UID1"             bytes; \0 is a zero
 *     begin drhd              a structure ...
 *       u16 0
 *       len16 length          ... whose length goes here (len8, len16, len32)
 *     end                     ... and ends here; structures nest
 *     set drhd.length 0       afterwards: a field gets another value; drhd#1.length is the second
 *     cut 40                  afterwards: only so many bytes are left
 *
 * Values are decimal or 0x hexadecimal. "#" at the start of a word begins a comment. The checksum
 * is right at the end unless it was set.
 */
#ifndef TESTS_TABLES_BUILDER_H
#define TESTS_TABLES_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#define TABLE_BUILD_MAX 4096u

struct built_table {
    uint8_t data[TABLE_BUILD_MAX];
    size_t bytes;
};

/** Builds a table; aborts with the line on text that is not understood. */
void table_build(struct built_table *out, const char *text);

/** The text of tests/tables/texts/NAME.txt; to be freed. Aborts when it is not there. */
char *table_text(const char *name);

/** Where a named field is ("drhd#1.length"); aborts when there is none. */
size_t table_offset(const char *text, const char *field);

#endif
