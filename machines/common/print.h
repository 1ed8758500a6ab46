// SPDX-License-Identifier: MIT
/*
 * Text for people and for tools/machine. Lines that start with "@sluice " are for the latter, one
 * JSON object each; everything else is the story.
 */
#ifndef MACHINE_PRINT_H
#define MACHINE_PRINT_H

#include <stdarg.h>
#include <stddef.h>

/**
 * A subset of printf: %d %i %u %x %X %c %s %p %% with l, ll and z, a width (also *), left
 * adjustment, zero padding and a precision for %s.
 */
void machine_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void machine_vprint(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/** As snprintf: always terminates when size > 0, returns the length it would have liked. */
size_t machine_format(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
size_t machine_vformat(char *out, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/** Prints why and ends the run as crashed. */
_Noreturn void machine_die(const char *why);

#endif
