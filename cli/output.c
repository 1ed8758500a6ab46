// SPDX-License-Identifier: MIT
// See output.h.
#include "output.h"

#include <ctype.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    DEFAULT_WIDTH = 80,
    LEAST_WIDTH = 40,
    MOST_WIDTH = 100
};

static unsigned int terminal_width(FILE *stream)
{
    struct winsize size;

    if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return DEFAULT_WIDTH;
    if (size.ws_col < LEAST_WIDTH)
        return LEAST_WIDTH;
    return size.ws_col > MOST_WIDTH ? MOST_WIDTH : size.ws_col;
}

static bool colour_wanted(FILE *stream)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    if (no_color != NULL && no_color[0] != '\0')
        return false;
    if (term == NULL || strcmp(term, "dumb") == 0)
        return false;
    return isatty(fileno(stream)) == 1;
}

void cli_out_init(struct cli_out *out, FILE *stream, enum cli_colour colour)
{
    out->stream = stream;
    out->width_columns = terminal_width(stream);
    out->colour =
        colour == CLI_COLOUR_ALWAYS || (colour == CLI_COLOUR_AUTO && colour_wanted(stream));
}

bool cli_colour_parse(const char *text, enum cli_colour *out_colour)
{
    static const char *const names[] = {"auto", "always", "never"};

    for (unsigned int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out_colour = (enum cli_colour)i;
            return true;
        }
    }
    return false;
}

const char *cli_style(const struct cli_out *out, enum cli_style style)
{
    static const char *const codes[] = {
        [CLI_PLAIN] = "\033[0m", [CLI_BOLD] = "\033[1m",    [CLI_DIM] = "\033[2m",
        [CLI_RED] = "\033[31m",  [CLI_YELLOW] = "\033[33m", [CLI_GREEN] = "\033[32m",
        [CLI_CYAN] = "\033[36m",
    };

    return out->colour ? codes[style] : "";
}

// Columns of the first `length_bytes` bytes: UTF-8 continuation bytes take none.
static size_t columns_of(const char *text, size_t length_bytes)
{
    size_t columns = 0;

    for (size_t i = 0; i < length_bytes; i++)
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    return columns;
}

void cli_put_wrapped(const struct cli_out *out, const char *lead, const char *text)
{
    size_t indent = strlen(lead);
    size_t column = indent;
    bool first_word = true;

    (void)fputs(lead, out->stream);
    while (*text != '\0') {
        size_t word = strcspn(text, " \n");
        size_t columns = columns_of(text, word);

        if (word > 0) {
            if (!first_word && column + 1 + columns > out->width_columns) {
                (void)fprintf(out->stream, "\n%*s", (int)indent, "");
                column = indent;
            } else if (!first_word) {
                (void)fputc(' ', out->stream);
                column++;
            }
            cli_put_escaped(out->stream, text, word);
            column += columns;
            first_word = false;
        }
        text += word + (text[word] != '\0');
    }
    (void)fputc('\n', out->stream);
}

// Length in bytes of the valid UTF-8 sequence at `text`, or 0 [Unicode 3.9, table 3-7].
static size_t utf8_length(const unsigned char *text, size_t length_bytes)
{
    unsigned char lead = text[0];
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t need;

    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        need = 2;
    else if (lead >= 0xe0 && lead <= 0xef)
        need = 3;
    else if (lead >= 0xf0 && lead <= 0xf4)
        need = 4;
    else
        return 0;
    if (need > length_bytes)
        return 0;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

// C0, DEL and the C1 controls, which terminals also obey in their two-byte UTF-8 form.
static bool is_control(const unsigned char *text, size_t length_bytes)
{
    return text[0] < 0x20 || text[0] == 0x7f ||
           (length_bytes == 2 && text[0] == 0xc2 && text[1] < 0xa0);
}

void cli_put_escaped(FILE *stream, const char *text, size_t length_bytes)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t i = 0;

    while (i < length_bytes) {
        size_t step = utf8_length(bytes + i, length_bytes - i);

        if (step == 0 || is_control(bytes + i, step)) {
            step = step == 0 ? 1 : step;
            for (size_t j = 0; j < step; j++)
                (void)fprintf(stream, "\\x%02x", bytes[i + j]);
        } else {
            (void)fwrite(bytes + i, 1, step, stream);
        }
        i += step;
    }
}

bool cli_put_json(FILE *stream, json_t *value)
{
    int failed;

    if (value == NULL)
        return false;
    failed = json_dumpf(value, stream, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(value);
    return failed == 0 && fputc('\n', stream) != EOF && fflush(stream) == 0;
}

json_t *cli_json_text(const char *text, size_t length_bytes)
{
    static const char replacement[] = "\xef\xbf\xbd";
    const unsigned char *bytes = (const unsigned char *)text;
    char *clean = malloc(length_bytes * 3 + 1); // a bad byte grows to three
    size_t used = 0;
    json_t *value;

    if (clean == NULL)
        return NULL;
    for (size_t i = 0; i < length_bytes;) {
        size_t step = utf8_length(bytes + i, length_bytes - i);

        if (step == 0 || bytes[i] == '\0') {
            memcpy(clean + used, replacement, 3);
            used += 3;
            i++;
        } else {
            memcpy(clean + used, bytes + i, step);
            used += step;
            i += step;
        }
    }
    value = json_stringn(clean, used);
    free(clean);
    return value;
}
