// SPDX-License-Identifier: MIT
#include "options.h"

#include "arch.h"

/* Length of `word` when the text at `at` begins with it and it ends there, else 0. */
static size_t matches(const char *at, const char *word, const char *enders)
{
    size_t length = 0;
    while (word[length] != '\0') {
        if (at[length] != word[length])
            return 0;
        length++;
    }
    for (;; enders++) {
        if (at[length] == *enders)
            return length;
        if (*enders == '\0')
            return 0;
    }
}

static const char *find(const char *name, size_t *out_length)
{
    const char *at = arch_command_line();
    bool word_starts = true;
    for (; *at != '\0'; at++) {
        if (word_starts && (*out_length = matches(at, name, " =")) > 0)
            return at;
        word_starts = *at == ' ';
    }
    return NULL;
}

bool option_given(const char *name)
{
    size_t length;
    return find(name, &length) != NULL;
}

bool option_value(const char *name, char *out, size_t size)
{
    size_t length, used = 0;
    const char *at = find(name, &length);
    if (at == NULL)
        return false;
    at += length;
    if (*at == '=')
        at++;
    while (*at != '\0' && *at != ' ' && used + 1 < size)
        out[used++] = *at++;
    out[used] = '\0';
    return true;
}

unsigned option_number(const char *name, unsigned otherwise)
{
    char text[8];
    unsigned value = 0;
    if (!option_value(name, text, sizeof(text)) || text[0] == '\0')
        return otherwise;
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] < '0' || text[i] > '9')
            return otherwise;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    return value;
}

bool option_lists(const char *list, const char *word)
{
    bool word_starts = true;
    for (; *list != '\0'; list++) {
        if (word_starts && matches(list, word, ",") > 0)
            return true;
        word_starts = *list == ',';
    }
    return false;
}

bool text_equal(const char *left, const char *right)
{
    while (*left != '\0' && *left == *right) {
        left++;
        right++;
    }
    return *left == *right;
}
