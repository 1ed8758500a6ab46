// SPDX-License-Identifier: MIT
// See match.h.
#include "match.h"

#include <string.h>

static const struct {
    const char *name;
    enum field field;
} field_names[] = {
    {"dev", FIELD_DEVICE},      {"addr", FIELD_ADDRESS},  {"reason", FIELD_REASON},
    {"index", FIELD_INDEX},     {"pasid", FIELD_PASID},   {"domain", FIELD_DOMAIN},
    {"flags", FIELD_FLAGS},     {"type", FIELD_TYPE},     {"sid", FIELD_SID},
    {"ssid", FIELD_SSID},       {"fsr", FIELD_FSR},       {"fsynr", FIELD_FSYNR},
    {"start", FIELD_START},     {"last", FIELD_LAST},     {"hex", FIELD_HEX},
    {"n", FIELD_COUNT_DECIMAL}, {"access", FIELD_ACCESS}, {"unit", FIELD_UNIT},
    {"name", FIELD_NAME},       {"text", FIELD_TEXT},
};

// Names in the name=value lists of AMD, SMMUv2 and MediaTek messages.
static const struct {
    const char *name;
    enum field field;
} pair_names[] = {
    {"device", FIELD_DEVICE},    {"address", FIELD_ADDRESS}, {"iova", FIELD_ADDRESS},
    {"gpa", FIELD_ADDRESS},      {"flags", FIELD_FLAGS},     {"domain", FIELD_DOMAIN},
    {"pasid", FIELD_PASID},      {"type", FIELD_TYPE},       {"fsr", FIELD_FSR},
    {"fsynr", FIELD_FSYNR},      {"cbfrsynra", FIELD_SID},   {"fsynr0", FIELD_FSYNR},
    {"cb", FIELD_COUNT_DECIMAL}, {"vmg_tag", FIELD_DOMAIN},  {"ttbr0", FIELD_HEX},
    {"dir", FIELD_ACCESS},       {"source", FIELD_NAME},     {"flags_rmp", FIELD_HEX},
    {"tag", FIELD_INDEX},        {"larb", FIELD_INDEX},      {"da", FIELD_ADDRESS},
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// The value of a digit plus one, 0 for what is none.
static const uint8_t digit_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

// A number that might not fit in 64 bits is none.
static size_t read_base(const char *text, size_t length_bytes, unsigned int base,
                        uint64_t *out_value)
{
    uint64_t value = 0;
    size_t i = 0;

    for (; i < length_bytes && i < 20; i++) {
        unsigned int digit = digit_values[(unsigned char)text[i]];

        if (digit == 0 || digit > base)
            break;
        if (value > UINT64_MAX >> 4)
            return 0;
        value = value * base + digit - 1;
    }
    *out_value = value;
    return i;
}

static size_t zero_x(const char *text, size_t length_bytes)
{
    return length_bytes > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 2 : 0;
}

size_t read_hex(const char *text, size_t length_bytes, uint64_t *out_value)
{
    size_t lead = zero_x(text, length_bytes);
    size_t used = read_base(text + lead, length_bytes - lead, 16, out_value);

    return used == 0 ? 0 : lead + used;
}

size_t read_decimal(const char *text, size_t length_bytes, uint64_t *out_value)
{
    return read_base(text, length_bytes, 10, out_value);
}

// The kernel printed reasons as %02d until 5.13 and as 0x%02x since.
size_t read_reason(const char *text, size_t length_bytes, uint64_t *out_value)
{
    return zero_x(text, length_bytes) != 0 ? read_hex(text, length_bytes, out_value)
                                           : read_decimal(text, length_bytes, out_value);
}

// [[segment:]bus:device.function], each part hexadecimal with or without 0x.
size_t read_bdf(const char *text, size_t length_bytes, uint64_t *out_value)
{
    uint64_t part[3] = {0, 0, 0};
    uint64_t function;
    unsigned int parts = 0;
    size_t at = 0;

    for (;;) {
        size_t used = read_hex(text + at, length_bytes - at, &part[parts]);

        at += used;
        if (used == 0 || at >= length_bytes)
            return 0;
        parts++;
        if (text[at] == '.')
            break;
        if (text[at] != ':' || parts == 3)
            return 0;
        at++;
    }
    at++;
    if (parts < 2 || at >= length_bytes || read_base(text + at, 1, 8, &function) == 0)
        return 0;
    if (parts == 2) {
        part[2] = part[1];
        part[1] = part[0];
        part[0] = 0;
    }
    if (part[0] > 0xffffff || part[1] > 0xff || part[2] > 0x1f)
        return 0;
    *out_value = part[0] << 16 | part[1] << 8 | part[2] << 3 | function;
    return at + 1;
}

static const bool ends_word[256] = {
    [' '] = true, ['\t'] = true, ['\n'] = true, ['\r'] = true, [','] = true,
    [']'] = true, [')'] = true,  [';'] = true,  ['"'] = true,
};

static inline bool word_ends(char c)
{
    return ends_word[(unsigned char)c];
}

static size_t read_word(const char *text, size_t length_bytes, char stop, struct span *out_word)
{
    size_t i = 0;

    while (i < length_bytes && !word_ends(text[i]) && (stop == '\0' || text[i] != stop))
        i++;
    *out_word = (struct span){text, i};
    return i;
}

static size_t read_field(enum field field, const char *text, size_t length_bytes, char stop,
                         struct fields *fields)
{
    size_t used;

    switch (field) {
    case FIELD_DEVICE:
        used = read_bdf(text, length_bytes, &fields->number[field]);
        break;
    case FIELD_REASON:
        used = read_reason(text, length_bytes, &fields->number[field]);
        break;
    case FIELD_COUNT_DECIMAL:
        used = read_decimal(text, length_bytes, &fields->number[field]);
        break;
    case FIELD_TEXT:
        fields->word[field - FIELD_NUMBERS] = (struct span){text, length_bytes};
        used = length_bytes;
        break;
    case FIELD_ACCESS:
    case FIELD_UNIT:
    case FIELD_NAME:
        used = read_word(text, length_bytes, stop, &fields->word[field - FIELD_NUMBERS]);
        break;
    default:
        used = read_hex(text, length_bytes, &fields->number[field]);
        break;
    }
    if (used > 0 || field == FIELD_TEXT)
        fields->present |= 1u << field;
    return used;
}

static size_t skip_space(const char *text, size_t length_bytes)
{
    size_t i = 0;

    while (i < length_bytes && is_space(text[i]))
        i++;
    return i;
}

static void read_pair(const char *name, size_t name_bytes, const char *value, size_t value_bytes,
                      struct fields *fields)
{
    for (size_t i = 0; i < sizeof(pair_names) / sizeof(pair_names[0]); i++) {
        if (pair_names[i].name[0] == name[0] && strlen(pair_names[i].name) == name_bytes &&
            memcmp(pair_names[i].name, name, name_bytes) == 0) {
            (void)read_field(pair_names[i].field, value, value_bytes, '\0', fields);
            return;
        }
    }
}

// name=value[, name=value...]; names that are not known are read over. `*out_cut` says that the
// text ended where another pair may follow.
static size_t read_pairs(const char *text, size_t length_bytes, struct fields *fields,
                         bool *out_cut)
{
    size_t end = 0;
    size_t at = 0;

    *out_cut = true;
    for (;;) {
        size_t name = at;
        size_t name_bytes;
        size_t value;
        struct span word;

        while (at < length_bytes && text[at] != '=' && !word_ends(text[at]))
            at++;
        if (at == length_bytes)
            return end;
        if (text[at] != '=' || at == name)
            break;
        name_bytes = at++ - name;
        if (length_bytes - at >= 2 && memcmp(text + at, "3D", 2) == 0)
            at += 2; // a mail in quoted-printable: =3D is =
        value = at;
        at += read_word(text + at, length_bytes - at, '\0', &word);
        read_pair(text + name, name_bytes, text + value, at - value, fields);
        end = at;
        at += skip_space(text + at, length_bytes - at);
        if (at == length_bytes) { // all known lists hold an address; = alone is a soft break
            *out_cut = !field_has(fields, FIELD_ADDRESS) || text[at - 1] == '=';
            return end;
        }
        if (text[at] == ',')
            end = ++at;
        at += skip_space(text + at, length_bytes - at);
        if (at == length_bytes)
            return end;
        *out_cut = true;
    }
    *out_cut = false;
    return end;
}

struct cursor {
    const char *text;
    size_t length_bytes;
    size_t at;
    bool cut;
};

static bool match_literal(const struct step *step, struct cursor *cursor)
{
    size_t left = cursor->length_bytes - cursor->at;
    size_t compare = left < step->length_bytes ? left : step->length_bytes;

    if (memcmp(cursor->text + cursor->at, step->text, compare) != 0)
        return false;
    cursor->at += compare;
    cursor->cut = compare < step->length_bytes;
    return !cursor->cut;
}

// A space may be missing after punctuation ("DMAR:[DMA", "[VT-D]DMAR:") but not between words.
static bool match_space(struct cursor *cursor)
{
    size_t used = skip_space(cursor->text + cursor->at, cursor->length_bytes - cursor->at);

    cursor->at += used;
    cursor->cut = cursor->at == cursor->length_bytes;
    if (cursor->cut)
        return false;
    return used > 0 || (cursor->at > 0 && strchr(":])(", cursor->text[cursor->at - 1]) != NULL);
}

static bool match_skip(const struct step *next, struct cursor *cursor)
{
    const char *from = cursor->text + cursor->at;
    const char *found =
        memmem(from, cursor->length_bytes - cursor->at, next->text, next->length_bytes);

    cursor->cut = found == NULL;
    cursor->at = found == NULL ? cursor->length_bytes : (size_t)(found - cursor->text);
    return found != NULL;
}

static bool match_step(const struct pattern *pattern, unsigned int index, struct cursor *cursor,
                       struct fields *fields)
{
    const struct step *step = &pattern->steps[index];
    const struct step *next = index + 1 < pattern->count ? step + 1 : NULL;
    const char *text = cursor->text + cursor->at;
    size_t left = cursor->length_bytes - cursor->at;
    size_t used;

    switch (step->kind) {
    case STEP_LITERAL:
        return match_literal(step, cursor);
    case STEP_SPACE:
        return match_space(cursor);
    case STEP_SKIP:
        return next != NULL && match_skip(next, cursor);
    case STEP_PAIRS:
        used = read_pairs(text, left, fields, &cursor->cut);
        cursor->at += used;
        return used > 0 && !cursor->cut;
    default:
        used =
            read_field((enum field)step->field, text, left,
                       next != NULL && next->kind == STEP_LITERAL ? next->text[0] : '\0', fields);
        cursor->at += used;
        cursor->cut = left == 0;
        return used > 0 || step->field == FIELD_TEXT;
    }
}

enum match_result pattern_match(const struct pattern *pattern, const char *text,
                                size_t length_bytes, struct fields *out_fields, size_t *out_used)
{
    struct cursor cursor = {.text = text, .length_bytes = length_bytes};
    size_t optional_at = 0;
    unsigned int optional_end = 0;
    bool enough = false;
    unsigned int i = 0;

    out_fields->present = 0;
    while (i < pattern->count) {
        const struct step *step = &pattern->steps[i];

        if (step->kind == STEP_OPTIONAL) {
            optional_at = cursor.at;
            optional_end = step->skip_to;
            i++;
        } else if (step->kind == STEP_ENOUGH) {
            enough = true;
            i++;
        } else if (match_step(pattern, i, &cursor, out_fields)) {
            i++;
        } else if (cursor.cut && (i >= optional_end || optional_end < pattern->count)) {
            *out_used = cursor.at;
            return enough ? MATCH_ENOUGH : MATCH_SHORT;
        } else if (i < optional_end) {
            cursor.at = optional_at;
            cursor.cut = false;
            i = optional_end;
        } else {
            *out_used = cursor.at;
            return MATCH_NO;
        }
    }
    *out_used = cursor.at;
    return MATCH_FULL;
}

static bool compile_brace(struct step *step, const char *name, size_t length_bytes)
{
    if (length_bytes == 2 && memcmp(name, "kv", 2) == 0) {
        step->kind = STEP_PAIRS;
        return true;
    }
    if (length_bytes == 4 && memcmp(name, "skip", 4) == 0) {
        step->kind = STEP_SKIP;
        return true;
    }
    for (size_t i = 0; i < sizeof(field_names) / sizeof(field_names[0]); i++) {
        if (strlen(field_names[i].name) == length_bytes &&
            memcmp(field_names[i].name, name, length_bytes) == 0) {
            step->kind = STEP_FIELD;
            step->field = (uint8_t)field_names[i].field;
            return true;
        }
    }
    return false;
}

// How much of the leading literal is searched for: up to a space past the least length, so that
// a message wrapped further on is still found. The anchor keeps its spaces as they are.
static uint16_t anchor_of(const char *text)
{
    uint16_t length = 0;

    while (text[length] != '\0' && strchr("{<~", text[length]) == NULL &&
           (length < 6 || text[length] != ' '))
        length++;
    return length;
}

bool pattern_compile(struct pattern *pattern, const char *text)
{
    unsigned int open = PATTERN_MOST_STEPS;

    memset(pattern, 0, sizeof(*pattern));
    pattern->anchor_bytes = anchor_of(text);
    while (*text != '\0') {
        struct step *step = &pattern->steps[pattern->count];
        size_t length = 1;

        if (pattern->count + 1 >= PATTERN_MOST_STEPS)
            return false;
        if (*text == '{') {
            length = strcspn(text, "}") + 1;
            if (text[length - 1] != '}' || !compile_brace(step, text + 1, length - 2))
                return false;
        } else if (*text == '<') {
            step->kind = STEP_OPTIONAL;
            open = pattern->count;
        } else if (*text == '>') {
            if (open == PATTERN_MOST_STEPS)
                return false;
            pattern->steps[open].skip_to = (uint8_t)pattern->count;
            open = PATTERN_MOST_STEPS;
            text++;
            continue;
        } else if (*text == '~') {
            step->kind = STEP_ENOUGH;
        } else if (*text == ' ') {
            step->kind = STEP_SPACE;
        } else {
            step->kind = STEP_LITERAL;
            step->text = text;
            length = strcspn(text, " {<>~");
            step->length_bytes = (uint16_t)length;
        }
        text += length;
        pattern->count++;
    }
    return open == PATTERN_MOST_STEPS && pattern->anchor_bytes >= 6;
}
