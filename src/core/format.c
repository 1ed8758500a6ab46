// SPDX-License-Identifier: MIT
/*
 * Text without libc: the few printf conversions that log lines and reports need.
 */
#include "core/log.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/** Where text goes: counts what would not fit. */
struct text_out {
    char *buffer;
    size_t bytes;
    size_t length;
};

/** One conversion specification. */
struct text_spec {
    bool alternate;
    bool zero;
    bool left;
    unsigned width;
    char size; /**< 0, 'l', 'L' for ll, 'z' */
    char conversion;
};

static void put(struct text_out *out, char c)
{
    if (out->length + 1 < out->bytes)
        out->buffer[out->length] = c;
    out->length++;
}

static void put_repeated(struct text_out *out, char c, unsigned count)
{
    while (count-- > 0)
        put(out, c);
}

/** Text with padding; `prefix` (sign or 0x) stays in front of zeros. */
static void put_padded(struct text_out *out, const struct text_spec *spec, const char *prefix,
                       const char *text, unsigned length)
{
    unsigned prefix_length = 0;
    unsigned padding;

    while (prefix[prefix_length] != '\0')
        prefix_length++;
    padding = spec->width > length + prefix_length ? spec->width - length - prefix_length : 0;
    if (!spec->left && !spec->zero)
        put_repeated(out, ' ', padding);
    for (unsigned i = 0; i < prefix_length; i++)
        put(out, prefix[i]);
    if (!spec->left && spec->zero)
        put_repeated(out, '0', padding);
    for (unsigned i = 0; i < length; i++)
        put(out, text[i]);
    if (spec->left)
        put_repeated(out, ' ', padding);
}

static void put_number(struct text_out *out, const struct text_spec *spec, uint64_t value,
                       const char *prefix)
{
    unsigned base = spec->conversion == 'x' ? 16 : 10;
    char digits[24];
    unsigned at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    put_padded(out, spec, prefix, &digits[at], (unsigned)sizeof(digits) - at);
}

static void put_string(struct text_out *out, struct text_spec *spec, const char *text)
{
    unsigned length = 0;

    if (text == NULL)
        text = "(null)";
    while (text[length] != '\0' && length < UINT_MAX)
        length++;
    spec->zero = false;
    put_padded(out, spec, "", text, length);
}

static const char *parse_spec(const char *at, struct text_spec *spec)
{
    *spec = (struct text_spec){.width = 0};
    for (;; at++) {
        if (*at == '#')
            spec->alternate = true;
        else if (*at == '0')
            spec->zero = true;
        else if (*at == '-')
            spec->left = true;
        else
            break;
    }
    for (; *at >= '0' && *at <= '9' && spec->width < 1000; at++)
        spec->width = spec->width * 10 + (unsigned)(*at - '0');
    if (*at == 'z') {
        spec->size = *at++;
    } else if (*at == 'l') {
        spec->size = *at++;
        if (*at == 'l') {
            spec->size = 'L';
            at++;
        }
    }
    spec->conversion = *at;
    return at;
}

static uint64_t take_unsigned(va_list *args, char size)
{
    switch (size) {
    case 'L':
        return va_arg(*args, unsigned long long);
    case 'l':
        return va_arg(*args, unsigned long);
    case 'z':
        return va_arg(*args, size_t);
    default:
        return va_arg(*args, unsigned);
    }
}

static int64_t take_signed(va_list *args, char size)
{
    switch (size) {
    case 'L':
        return va_arg(*args, long long);
    case 'l':
        return va_arg(*args, long);
    case 'z':
        return (int64_t)va_arg(*args, size_t);
    default:
        return va_arg(*args, int);
    }
}

static void put_signed(struct text_out *out, const struct text_spec *spec, int64_t value)
{
    /* Negated as unsigned, so that the smallest value is right too. */
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    put_number(out, spec, magnitude, value < 0 ? "-" : "");
}

static void convert(struct text_out *out, struct text_spec *spec, va_list *args)
{
    switch (spec->conversion) {
    case 'u':
        put_number(out, spec, take_unsigned(args, spec->size), "");
        break;
    case 'x':
        put_number(out, spec, take_unsigned(args, spec->size), spec->alternate ? "0x" : "");
        break;
    case 'd':
        put_signed(out, spec, take_signed(args, spec->size));
        break;
    case 's':
        put_string(out, spec, va_arg(*args, const char *));
        break;
    case 'c':
        put(out, (char)va_arg(*args, int));
        break;
    case 'p':
        spec->conversion = 'x';
        put_number(out, spec, (uintptr_t)va_arg(*args, void *), "0x");
        break;
    case '%':
        put(out, '%');
        break;
    default: /* a mistake in the format: shown, so that it is noticed */
        put(out, '%');
        put(out, '?');
        break;
    }
}

size_t format_text_va(char *buffer, size_t bytes, const char *format, va_list args)
{
    struct text_out out = {.buffer = buffer, .bytes = bytes};
    va_list copy;

    va_copy(copy, args);
    for (const char *at = format; *at != '\0'; at++) {
        struct text_spec spec;

        if (*at != '%') {
            put(&out, *at);
            continue;
        }
        at = parse_spec(at + 1, &spec);
        if (spec.conversion == '\0')
            break;
        convert(&out, &spec, &copy);
    }
    va_end(copy);
    if (bytes > 0)
        buffer[out.length < bytes ? out.length : bytes - 1] = '\0';
    return out.length;
}

size_t format_text(char *buffer, size_t bytes, const char *format, ...)
{
    va_list args;
    size_t length;

    va_start(args, format);
    length = format_text_va(buffer, bytes, format, args);
    va_end(args);
    return length;
}
