// SPDX-License-Identifier: MIT
/*
 * The four functions a freestanding compiler may call, which are also all the library asks for.
 * Compiled with -fno-builtin so that a loop here is not turned into a call of itself.
 */
#include "string.h"

#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if ((((uintptr_t)out | (uintptr_t)in) & 7) == 0) {
        for (; bytes >= 8; bytes -= 8, out += 8, in += 8)
            *(uint64_t *)(void *)out = *(const uint64_t *)(const void *)in;
    }
    while (bytes-- > 0)
        *out++ = *in++;
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if ((uintptr_t)out - (uintptr_t)in >= bytes)
        return memcpy(to, from, bytes);
    while (bytes-- > 0)
        out[bytes] = in[bytes];
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    uint8_t *out = to;
    if (((uintptr_t)out & 7) == 0) {
        uint64_t wide = 0x0101010101010101ull * (uint8_t)value;
        for (; bytes >= 8; bytes -= 8, out += 8)
            *(uint64_t *)(void *)out = wide;
    }
    while (bytes-- > 0)
        *out++ = (uint8_t)value;
    return to;
}

int memcmp(const void *left, const void *right, size_t bytes)
{
    const uint8_t *a = left, *b = right;
    for (size_t i = 0; i < bytes; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}
