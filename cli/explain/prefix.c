// SPDX-License-Identifier: MIT
// See prefix.h. Nothing here looks further into a line than MOST_PREFIX_BYTES.
#include "prefix.h"

#include "match.h"

#include <string.h>

enum {
    MOST_PREFIX_BYTES = 140,
    MOST_PARTS = 12,
    JUNK_BYTES = 6
};

struct reader {
    const char *text;
    size_t length_bytes;
    size_t at;
};

static char peek(const struct reader *reader, size_t ahead)
{
    return reader->at + ahead < reader->length_bytes ? reader->text[reader->at + ahead] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits(const struct reader *reader, size_t ahead, double *out_value)
{
    uint64_t value = 0;
    size_t count = 0;

    while (count < 12 && is_digit(peek(reader, ahead + count))) {
        value = value * 10 + (uint64_t)(peek(reader, ahead + count) - '0');
        count++;
    }
    *out_value = (double)value;
    return count;
}

// seconds.fraction or seconds,fraction
static size_t seconds(const struct reader *reader, size_t ahead, double *out_value)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
                                    1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
    double fraction;
    size_t whole = digits(reader, ahead, out_value);
    size_t part;

    if (whole == 0 || (peek(reader, ahead + whole) != '.' && peek(reader, ahead + whole) != ','))
        return 0;
    part = digits(reader, ahead + whole + 1, &fraction);
    *out_value += fraction / powers[part];
    return part == 0 ? 0 : whole + 1 + part;
}

// "[   12.345678]", "[12.3][  T0]", "[  +0,000014]"
static bool take_monotonic(struct reader *reader, struct prefix *out)
{
    size_t start;
    size_t at = 1;
    size_t used;
    bool delta;
    double value;

    if (peek(reader, 0) != '[')
        return false;
    while (peek(reader, at) == ' ')
        at++;
    start = at;
    delta = peek(reader, at) == '+';
    at += delta;
    used = seconds(reader, at, &value);
    if (used == 0 || peek(reader, at + used) != ']')
        return false;
    out->time.text = (struct span){reader->text + reader->at + start, at + used - start};
    out->time.monotonic_s = value;
    out->time.monotonic_valid = !delta;
    out->delta = delta;
    reader->at += at + used + 1;
    return true;
}

// "[    T0]" and "[   C12]": the caller's thread or processor, CONFIG_PRINTK_CALLER
static bool take_caller(struct reader *reader)
{
    size_t at = 1;
    double value;
    size_t used;

    if (peek(reader, 0) != '[')
        return false;
    while (peek(reader, at) == ' ')
        at++;
    if (peek(reader, at) != 'T' && peek(reader, at) != 'C')
        return false;
    used = digits(reader, ++at, &value);
    if (used == 0 || peek(reader, at + used) != ']')
        return false;
    reader->at += at + used + 1;
    return true;
}

// "6,1234,5678901,-;" as /dev/kmsg gives it: priority, sequence, microseconds
static bool take_kmsg(struct reader *reader, struct prefix *out)
{
    double priority;
    double sequence;
    double micros;
    size_t a = digits(reader, 0, &priority);
    size_t b;
    size_t c;
    size_t at;

    if (a == 0 || peek(reader, a) != ',')
        return false;
    b = digits(reader, a + 1, &sequence);
    if (b == 0 || peek(reader, a + 1 + b) != ',')
        return false;
    c = digits(reader, a + b + 2, &micros);
    at = a + b + c + 2;
    if (c == 0 || peek(reader, at) != ',')
        return false;
    while (at < 80 && peek(reader, at) != ';' && peek(reader, at) != '\0')
        at++;
    if (peek(reader, at) != ';')
        return false;
    out->time.text = (struct span){reader->text + reader->at + a + b + 2, c};
    out->time.monotonic_s = micros / 1e6;
    out->time.micros = true;
    out->time.monotonic_valid = true;
    reader->at += at + 1;
    return true;
}

// "<6>", "<30>"
static bool take_priority(struct reader *reader)
{
    double value;
    size_t used;

    if (peek(reader, 0) != '<')
        return false;
    used = digits(reader, 1, &value);
    if (used == 0 || used > 3 || peek(reader, 1 + used) != '>')
        return false;
    reader->at += used + 2;
    return true;
}

// Finds HH:MM[:SS[.fraction]] in a piece of prefix.
static bool clock_in(const char *text, size_t length_bytes, double *out_s)
{
    for (size_t i = 0; i + 5 <= length_bytes; i++) {
        struct reader reader = {text, length_bytes, i};
        double hour;
        double minute;
        double second = 0;

        if ((i > 0 && (is_digit(text[i - 1]) || text[i - 1] == ':')) ||
            digits(&reader, 0, &hour) != 2 || peek(&reader, 2) != ':' ||
            digits(&reader, 3, &minute) != 2)
            continue;
        if (peek(&reader, 5) == ':' && seconds(&reader, 6, &second) == 0)
            (void)digits(&reader, 6, &second);
        *out_s = hour * 3600 + minute * 60 + second;
        return hour < 24 && minute < 60 && second < 61;
    }
    return false;
}

// Days since some year's start, from "May24", "Oct 14" or "2026-05-22": enough to subtract.
static double day_in(const char *text, size_t length_bytes)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (size_t i = 0; i + 5 <= length_bytes; i++) {
        struct reader reader = {text, length_bytes, i};
        double year;
        double month;
        double day;

        if (digits(&reader, 0, &year) == 4 && peek(&reader, 4) == '-' &&
            digits(&reader, 5, &month) == 2 && peek(&reader, 7) == '-' &&
            digits(&reader, 8, &day) == 2)
            return year * 372 + month * 31 + day;
        for (size_t m = 0; m < 12; m++) {
            if (memcmp(text + i, months + 3 * m, 3) == 0) {
                size_t gap = 3;

                gap += text[i + 3] == ' ';
                gap += peek(&reader, 4) == ' ';

                (void)digits(&reader, gap, &day);
                return (double)(m + 1) * 31.0 + day;
            }
        }
    }
    return 0;
}

static void set_wall(struct prefix *out, const char *text, size_t length_bytes)
{
    double clock_s;

    if (!clock_in(text, length_bytes, &clock_s))
        return;
    while (length_bytes > 0 && text[length_bytes - 1] == ' ')
        length_bytes--;
    out->time.wall_valid = true;
    out->time.wall_s = day_in(text, length_bytes) * 86400 + clock_s;
    out->time.text = (struct span){text, length_bytes};
}

// "[Thu Oct 22 09:34:57 2026]", "[May24 14:33]"
static bool take_dated(struct reader *reader, struct prefix *out)
{
    const char *text = reader->text + reader->at + 1;
    const char *end;
    size_t left = reader->length_bytes - reader->at;
    double clock_s;

    if (peek(reader, 0) != '[' || left < 3)
        return false;
    end = memchr(text, ']', left - 1 < 44 ? left - 1 : 44);
    if (end == NULL || !clock_in(text, (size_t)(end - text), &clock_s))
        return false;
    set_wall(out, text, (size_t)(end - text));
    reader->at += (size_t)(end - text) + 2;
    return true;
}

static const char *find(const struct reader *reader, const char *word)
{
    size_t left = reader->length_bytes - reader->at;

    return memmem(reader->text + reader->at, left < MOST_PREFIX_BYTES ? left : MOST_PREFIX_BYTES,
                  word, strlen(word));
}

// "Oct 14 18:41:49 host kernel: " in any language, "kernel: ", "2026-...T...: host kernel[12]: "
static bool take_program(struct reader *reader, struct prefix *out)
{
    const char *start = reader->text + reader->at;
    const char *word = find(reader, "kernel:");
    const char *stamp_end;

    // "BUG: kernel: ..." and the like are text: before the word there is only a stamp and a host
    if (word == NULL || (word > start && word[-1] != ' ' && word[-1] != ':'))
        return false;
    stamp_end = word;
    if (stamp_end > start) { // the stamp is all but the host's name
        stamp_end--;
        while (stamp_end > start && stamp_end[-1] != ' ')
            stamp_end--;
        set_wall(out, start, (size_t)(stamp_end - start));
        if (!out->time.wall_valid)
            set_wall(out, start, (size_t)(word - start));
        if (!out->time.wall_valid && word - start > 40)
            return false;
    }
    reader->at += (size_t)(word - start) + 7;
    return true;
}

// "Oct 14 18:41:49 VM hypervisor: (XEN) "
static bool take_xen(struct reader *reader, struct prefix *out)
{
    const char *start = reader->text + reader->at;
    const char *word = find(reader, "(XEN)");

    if (word == NULL)
        return false;
    if (!out->time.wall_valid)
        set_wall(out, start, (size_t)(word - start));
    reader->at += (size_t)(word - start) + 5;
    return true;
}

static bool take_quote(struct reader *reader)
{
    char c = peek(reader, 0);

    if (c == ' ' || c == '\t' || c == '>' || c == '|' || c == '\r' || c == '"') {
        reader->at++;
        return true;
    }
    if (c == '=' && peek(reader, 1) == '>') {
        reader->at += 2;
        return true;
    }
    return false;
}

// A terminal's leftovers before the stamp ("ho [   78.6] ...", "C[  304.8] ...").
static bool take_junk(struct reader *reader, struct prefix *out)
{
    for (size_t skip = 1; skip <= JUNK_BYTES && peek(reader, skip) != '\0'; skip++) {
        struct reader ahead = *reader;

        ahead.at += skip;
        if (peek(&ahead, 0) == '[' && take_monotonic(&ahead, out)) {
            *reader = ahead;
            return true;
        }
    }
    return false;
}

static bool take_stamp(struct reader *reader, struct prefix *out)
{
    return take_monotonic(reader, out) || take_dated(reader, out) || take_caller(reader) ||
           take_priority(reader) || take_kmsg(reader, out);
}

void prefix_parse(const char *line, size_t length_bytes, struct prefix *out_prefix)
{
    struct reader reader = {line, length_bytes, 0};

    memset(out_prefix, 0, sizeof(*out_prefix));
    for (unsigned int i = 0; i < 64 && take_quote(&reader); i++)
        ;
    for (unsigned int part = 0; part < MOST_PARTS; part++) {
        bool stamp = take_stamp(&reader, out_prefix);

        if (!stamp && part == 0)
            stamp = take_program(&reader, out_prefix) || take_xen(&reader, out_prefix) ||
                    take_junk(&reader, out_prefix);
        if (!stamp)
            break;
        out_prefix->stamped = true;
        for (unsigned int i = 0; i < 64 && (peek(&reader, 0) == ' ' || peek(&reader, 0) == '\t');
             i++)
            reader.at++;
    }
    if (reader.at > length_bytes)
        reader.at = length_bytes;
    while (length_bytes > reader.at &&
           (line[length_bytes - 1] == '\r' || line[length_bytes - 1] == ' '))
        length_bytes--;
    out_prefix->rest = (struct span){line + reader.at, length_bytes - reader.at};
}

static size_t token(struct span message, size_t from)
{
    size_t end = from;

    while (end < message.length_bytes && end - from < 64 && message.text[end] != ' ')
        end++;
    return end;
}

static bool names_device(const char *text, size_t length_bytes)
{
    uint64_t bdf;

    if (length_bytes < 3 || text[length_bytes - 1] != ':')
        return false;
    return read_bdf(text, length_bytes - 1, &bdf) == length_bytes - 1 ||
           memchr(text, '.', length_bytes - 1) != NULL ||
           memmem(text, length_bytes, "ivhd", 4) != NULL || memmem(text, length_bytes, "mmu", 3);
}

void prefix_device(struct span message, struct span *out_driver, struct span *out_device)
{
    size_t first = token(message, 0);
    size_t second = first < message.length_bytes ? token(message, first + 1) : first;

    *out_driver = *out_device = (struct span){message.text, 0};
    if (names_device(message.text, first)) {
        *out_device = (struct span){message.text, first - 1};
    } else if (second > first + 1 && names_device(message.text + first + 1, second - first - 1)) {
        *out_driver = (struct span){message.text, first};
        *out_device = (struct span){message.text + first + 1, second - first - 2};
    }
}
