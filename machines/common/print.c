// SPDX-License-Identifier: MIT
#include "print.h"

#include <stdbool.h>
#include <stdint.h>

#include "arch.h"

/* Where characters go: a buffer, or the console when `buffer` is NULL. */
struct sink {
    char *buffer;
    size_t size, length;
};

/* One conversion of a format. */
struct spec {
    bool left, zero, is_long, is_size;
    size_t width, precision;
};

static void put(struct sink *sink, char c)
{
    if (sink->buffer == NULL)
        arch_console_write(&c, 1);
    else if (sink->length + 1 < sink->size)
        sink->buffer[sink->length] = c;
    sink->length++;
}

static void put_padded(struct sink *sink, const struct spec *spec, const char *text, size_t length)
{
    size_t pad = spec->width > length ? spec->width - length : 0;
    for (size_t i = 0; i < pad && !spec->left; i++)
        put(sink, spec->zero ? '0' : ' ');
    for (size_t i = 0; i < length; i++)
        put(sink, text[i]);
    for (size_t i = 0; i < pad && spec->left; i++)
        put(sink, ' ');
}

static void put_number(struct sink *sink, const struct spec *spec, uint64_t value, unsigned base,
                       bool negative)
{
    char digits[24];
    size_t at = sizeof(digits);
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    if (negative)
        digits[--at] = '-';
    put_padded(sink, spec, digits + at, sizeof(digits) - at);
}

static size_t bounded_length(const char *text, size_t limit)
{
    size_t length = 0;
    while (length < limit && text[length] != '\0')
        length++;
    return length;
}

static uint64_t take_unsigned(const struct spec *spec, va_list *args)
{
    if (spec->is_long || spec->is_size)
        return va_arg(*args, unsigned long);
    return va_arg(*args, unsigned);
}

static void convert(struct sink *sink, const struct spec *spec, char type, va_list *args)
{
    switch (type) {
    case 'd':
    case 'i': {
        long value = spec->is_long ? va_arg(*args, long) : va_arg(*args, int);
        uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
        put_number(sink, spec, size, 10, value < 0);
        break;
    }
    case 'u':
        put_number(sink, spec, take_unsigned(spec, args), 10, false);
        break;
    case 'x':
    case 'X':
        put_number(sink, spec, take_unsigned(spec, args), 16, false);
        break;
    case 'p':
        put_number(sink, spec, (uint64_t)(uintptr_t)va_arg(*args, void *), 16, false);
        break;
    case 'c': {
        char c = (char)va_arg(*args, int);
        put_padded(sink, spec, &c, 1);
        break;
    }
    case 's': {
        const char *text = va_arg(*args, const char *);
        if (text == NULL)
            text = "(null)";
        put_padded(sink, spec, text, bounded_length(text, spec->precision));
        break;
    }
    default:
        put(sink, type);
    }
}

static const char *take_size(const char *at, size_t *out, va_list *args)
{
    if (*at == '*') {
        int value = va_arg(*args, int);
        *out = value < 0 ? 0 : (size_t)value;
        return at + 1;
    }
    *out = 0;
    while (*at >= '0' && *at <= '9' && *out < 1000)
        *out = *out * 10 + (size_t)(*at++ - '0');
    return at;
}

static const char *take_spec(const char *at, struct spec *spec, va_list *args)
{
    *spec = (struct spec){.precision = SIZE_MAX};
    for (; *at == '-' || *at == '0' || *at == '#'; at++) {
        spec->left |= *at == '-';
        spec->zero |= *at == '0';
    }
    at = take_size(at, &spec->width, args);
    if (*at == '.')
        at = take_size(at + 1, &spec->precision, args);
    for (; *at == 'l' || *at == 'z' || *at == 'h'; at++) {
        spec->is_long |= *at == 'l';
        spec->is_size |= *at == 'z';
    }
    return at;
}

static void format_into(struct sink *sink, const char *format, va_list *args)
{
    for (const char *at = format; *at != '\0'; at++) {
        if (*at != '%') {
            put(sink, *at);
            continue;
        }
        struct spec spec;
        at = take_spec(at + 1, &spec, args);
        if (*at == '\0')
            return;
        convert(sink, &spec, *at, args);
    }
}

void machine_vprint(const char *format, va_list args)
{
    struct sink sink = {NULL, 0, 0};
    va_list copy;
    va_copy(copy, args);
    format_into(&sink, format, &copy);
    va_end(copy);
}

void machine_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    machine_vprint(format, args);
    va_end(args);
}

size_t machine_vformat(char *out, size_t size, const char *format, va_list args)
{
    char nothing[1];
    struct sink sink = {size == 0 ? nothing : out, size, 0};
    va_list copy;
    va_copy(copy, args);
    format_into(&sink, format, &copy);
    va_end(copy);
    if (size > 0)
        out[sink.length < size ? sink.length : size - 1] = '\0';
    return sink.length;
}

size_t machine_format(char *out, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t length = machine_vformat(out, size, format, args);
    va_end(args);
    return length;
}

_Noreturn void machine_die(const char *why)
{
    machine_print("\nThe machine cannot go on: %s\n", why);
    machine_print("@sluice {\"event\":\"died\",\"why\":\"%s\"}\n", why);
    arch_exit(MACHINE_EXIT_CRASH);
}
