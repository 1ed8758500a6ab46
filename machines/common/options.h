// SPDX-License-Identifier: MIT
/*
 * The kernel command line: words separated by spaces, "name" or "name=value".
 */
#ifndef MACHINE_OPTIONS_H
#define MACHINE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/** True when the word stands there, with or without a value. */
bool option_given(const char *name);

/** Copies the value (empty when there is none); false when the name does not stand there. */
bool option_value(const char *name, char *out, size_t size);

/** The number that is a word's value; `otherwise` when the word is not there or has no number. */
unsigned option_number(const char *name, unsigned otherwise);

/** Whether `word` is one of the comma-separated words of `list`. */
bool option_lists(const char *list, const char *word);

bool text_equal(const char *left, const char *right);

#endif
