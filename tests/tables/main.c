// SPDX-License-Identifier: MIT
/*
 * table-build: text on standard input, table bytes on standard output. See builder.h.
 */
#include "tables/builder.h"

#include <stdio.h>

int main(void)
{
    static char text[65536];
    static struct built_table built;
    size_t bytes = fread(text, 1, sizeof(text) - 1, stdin);

    text[bytes] = '\0';
    table_build(&built, text);
    return fwrite(built.data, 1, built.bytes, stdout) == built.bytes ? 0 : 1;
}
