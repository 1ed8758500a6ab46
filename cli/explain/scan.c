// SPDX-License-Identifier: MIT
// See scan.h. The window is the first SCAN_LEAST_BYTES bytes of each string; four bytes are
// hashed at a time, and the table says how far the window may move.
#include "scan.h"

#include <string.h>

enum {
    BLOCK_BYTES = 4,
    MOST_SHIFT = SCAN_LEAST_BYTES - BLOCK_BYTES + 1
};

static inline unsigned int hash_block(const char *text)
{
    uint32_t block;

    memcpy(&block, text, sizeof(block));
    return (block * 0x9e3779b1u) >> (32 - SCAN_HASH_LG2);
}

void scan_init(struct scan *scan)
{
    memset(scan->shift, MOST_SHIFT, sizeof(scan->shift));
    memset(scan->head, 0xff, sizeof(scan->head));
    memset(scan->next, 0xff, sizeof(scan->next));
    scan->count = 0;
}

static void append(struct scan *scan, unsigned int hash, uint16_t string)
{
    uint16_t *link = &scan->head[hash];

    while (*link != SCAN_NONE)
        link = &scan->next[*link];
    *link = string;
}

bool scan_add(struct scan *scan, const char *text, size_t length_bytes)
{
    uint16_t string = (uint16_t)scan->count;

    if (length_bytes < SCAN_LEAST_BYTES || length_bytes > UINT16_MAX ||
        scan->count == SCAN_MOST_STRINGS)
        return false;
    for (unsigned int i = 0; i < MOST_SHIFT; i++) {
        unsigned int hash = hash_block(text + i);
        uint8_t shift = (uint8_t)(MOST_SHIFT - 1 - i);

        if (scan->shift[hash] > shift)
            scan->shift[hash] = shift;
    }
    scan->text[string] = text;
    scan->length_bytes[string] = (uint16_t)length_bytes;
    scan->count++;
    append(scan, hash_block(text + MOST_SHIFT - 1), string);
    return true;
}

static unsigned int first_of(const struct scan *scan, unsigned int string, const char *text,
                             size_t length_bytes)
{
    while (string != SCAN_NONE) {
        size_t need = scan->length_bytes[string];

        if (need <= length_bytes && memcmp(text, scan->text[string], need) == 0)
            return string;
        string = scan->next[string];
    }
    return SCAN_NONE;
}

// Move on while nothing that is looked for can end here. Blocks a full shift apart are looked up
// side by side, as no look-up needs the result of the one before: a window holds one of them.
static size_t skip_fast(const struct scan *scan, const char *text, size_t length_bytes, size_t at)
{
    const size_t step = MOST_SHIFT;
    _Static_assert(MOST_SHIFT == 3, "the shifts below are joined as two bits each");

    while (at + 4 * step + BLOCK_BYTES <= length_bytes) {
        unsigned int joined = scan->shift[hash_block(text + at)];

        joined &= scan->shift[hash_block(text + at + step)];
        joined &= scan->shift[hash_block(text + at + 2 * step)];
        joined &= scan->shift[hash_block(text + at + 3 * step)];
        if (joined != MOST_SHIFT)
            break;
        at += 4 * step;
    }
    return at;
}

bool scan_find(const struct scan *scan, const char *text, size_t length_bytes, size_t *position,
               unsigned int *out_string)
{
    size_t at = *position + MOST_SHIFT - 1; // where the window's last block starts

    at = skip_fast(scan, text, length_bytes, at);
    while (at + BLOCK_BYTES <= length_bytes) {
        unsigned int hash = hash_block(text + at);
        unsigned int shift = scan->shift[hash];

        if (shift == 0) {
            size_t start = at - (MOST_SHIFT - 1);

            *out_string = first_of(scan, scan->head[hash], text + start, length_bytes - start);
            if (*out_string != SCAN_NONE) {
                *position = start;
                return true;
            }
            shift = 1;
        }
        at += shift;
        if (shift < MOST_SHIFT)
            at = skip_fast(scan, text, length_bytes, at);
    }
    return false;
}

unsigned int scan_also(const struct scan *scan, const char *text, size_t length_bytes,
                       unsigned int string)
{
    return first_of(scan, scan->next[string], text, length_bytes);
}
