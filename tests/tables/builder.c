// SPDX-License-Identifier: MIT
#define _POSIX_C_SOURCE 200809L

#include "tables/builder.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES  256u
#define NAME_BYTES      64u
#define FIELDS_MAX      512u
#define DEPTH_MAX       8u
#define HEADER_BYTES    36u
#define CHECKSUM_OFFSET 9u

struct field {
    char name[NAME_BYTES];
    size_t at;
    unsigned bytes;
};

struct open_structure {
    char name[NAME_BYTES];
    size_t start;
    size_t length_at;
    unsigned length_bytes;
};

struct builder {
    struct built_table *out;
    struct field fields[FIELDS_MAX];
    unsigned field_count;
    struct open_structure open[DEPTH_MAX];
    unsigned depth;
    bool header;
    bool checksum_set;
    const char *line; /**< for messages */
};

static void fail(const struct builder *builder, const char *why)
{
    (void)fprintf(stderr, "table text: %s: \"%s\"\n", why, builder->line);
    abort();
}

static void store(struct builder *builder, size_t at, uint64_t value, unsigned bytes)
{
    if (at + bytes > TABLE_BUILD_MAX)
        fail(builder, "too long");
    for (unsigned i = 0; i < bytes; i++)
        builder->out->data[at + i] = (uint8_t)(value >> (8 * i));
}

static void append(struct builder *builder, uint64_t value, unsigned bytes)
{
    store(builder, builder->out->bytes, value, bytes);
    builder->out->bytes += bytes;
}

/* "drhd.length", or "drhd#1.length" when there was one before. */
static void name_field(struct builder *builder, const char *name, unsigned bytes)
{
    struct field *field = &builder->fields[builder->field_count];
    const char *within = builder->depth != 0 ? builder->open[builder->depth - 1].name : NULL;

    if (builder->field_count == FIELDS_MAX)
        fail(builder, "too many fields");
    field->at = builder->out->bytes;
    field->bytes = bytes;
    (void)snprintf(field->name, sizeof(field->name), "%.30s%s%.30s", within != NULL ? within : "",
                   within != NULL ? "." : "", name);
    builder->field_count++;
}

static unsigned times_opened(const struct builder *builder, const char *name)
{
    size_t length = strlen(name);
    unsigned count = 0;

    for (unsigned i = 0; i < builder->field_count; i++) {
        const char *field = builder->fields[i].name;

        /* A structure's own start is a field of no bytes. */
        if (builder->fields[i].bytes == 0 && strncmp(field, name, length) == 0 &&
            (field[length] == '\0' || field[length] == '#'))
            count++;
    }
    return count;
}

static void begin(struct builder *builder, const char *name)
{
    unsigned before = times_opened(builder, name);
    struct open_structure *open = &builder->open[builder->depth];
    struct field *field = &builder->fields[builder->field_count++];

    if (builder->depth == DEPTH_MAX || builder->field_count == FIELDS_MAX)
        fail(builder, "too deep or too many");
    *open = (struct open_structure){.start = builder->out->bytes};
    if (before == 0)
        (void)snprintf(open->name, sizeof(open->name), "%.30s", name);
    else
        (void)snprintf(open->name, sizeof(open->name), "%.30s#%u", name, before);
    *field = (struct field){.at = builder->out->bytes};
    memcpy(field->name, open->name, sizeof(field->name));
    builder->depth++;
}

static void end(struct builder *builder)
{
    const struct open_structure *open;

    if (builder->depth == 0)
        fail(builder, "nothing to end");
    open = &builder->open[--builder->depth];
    if (open->length_bytes != 0)
        store(builder, open->length_at, builder->out->bytes - open->start, open->length_bytes);
}

static void length_here(struct builder *builder, unsigned bytes, const char *name)
{
    struct open_structure *open;

    if (builder->depth == 0)
        fail(builder, "a length outside a structure");
    open = &builder->open[builder->depth - 1];
    open->length_at = builder->out->bytes;
    open->length_bytes = bytes;
    name_field(builder, name != NULL ? name : "length", bytes);
    append(builder, 0, bytes);
}

static void header(struct builder *builder, const char *signature, const char *revision)
{
    if (strlen(signature) != 4 || builder->out->bytes != 0)
        fail(builder, "not a signature, or not the first line");
    builder->header = true;
    for (unsigned i = 0; i < 4; i++)
        append(builder, (uint8_t)signature[i], 1);
    name_field(builder, "table.length", 4);
    append(builder, 0, 4);
    append(builder, revision != NULL ? strtoull(revision, NULL, 0) : 1, 1);
    name_field(builder, "table.checksum", 1);
    append(builder, 0, 1);
    for (const char *text = "SLUICEBUILDER "; *text != '\0'; text++)
        append(builder, (uint8_t)*text, 1);
    append(builder, 1, 4);
    for (const char *text = "SLUI"; *text != '\0'; text++)
        append(builder, (uint8_t)*text, 1);
    append(builder, 1, 4);
}

static const struct field *find(const struct builder *builder, const char *name)
{
    for (unsigned i = 0; i < builder->field_count; i++) {
        if (strcmp(builder->fields[i].name, name) == 0)
            return &builder->fields[i];
    }
    fail(builder, "no such field");
    return NULL;
}

static void quoted(struct builder *builder, const char *line)
{
    const char *at = strchr(line, '"');

    if (at == NULL)
        fail(builder, "text without quotes");
    for (at++; *at != '"'; at++) {
        if (*at == '\0')
            fail(builder, "text without an end");
        if (at[0] == '\\' && at[1] == '0') {
            append(builder, 0, 1);
            at++;
        } else {
            append(builder, (uint8_t)*at, 1);
        }
    }
}

static void checksum(struct builder *builder)
{
    uint8_t sum = 0;

    if (!builder->header || builder->checksum_set || builder->out->bytes < HEADER_BYTES)
        return;
    builder->out->data[CHECKSUM_OFFSET] = 0;
    for (size_t i = 0; i < builder->out->bytes; i++)
        sum = (uint8_t)(sum + builder->out->data[i]);
    builder->out->data[CHECKSUM_OFFSET] = (uint8_t)(0u - sum);
}

static void set(struct builder *builder, const char *name, const char *value)
{
    const struct field *field = find(builder, name);

    if (value == NULL)
        fail(builder, "set without a value");
    store(builder, field->at, strtoull(value, NULL, 0), field->bytes);
    if (strcmp(name, "table.checksum") == 0)
        builder->checksum_set = true;
}

static void number(struct builder *builder, unsigned bytes, char *first, char *second)
{
    if (second != NULL)
        name_field(builder, first, bytes);
    append(builder, strtoull(second != NULL ? second : first, NULL, 0), bytes);
}

static void finish_length(struct builder *builder)
{
    if (builder->header)
        store(builder, 4, builder->out->bytes, 4);
}

/* One line; `phase` 0 builds, 1 runs what comes afterwards. */
static void line_do(struct builder *builder, char *line, unsigned phase)
{
    char whole[LINE_MAX_BYTES];
    char *save = NULL;
    char *word;
    char *first;
    char *second;
    bool late;

    (void)snprintf(whole, sizeof(whole), "%s", line);
    word = strtok_r(line, " \t", &save);
    first = word != NULL ? strtok_r(NULL, " \t", &save) : NULL;
    second = first != NULL ? strtok_r(NULL, " \t", &save) : NULL;
    if (second != NULL && second[0] == '#')
        second = NULL;
    if (word == NULL || word[0] == '#')
        return;
    late = strcmp(word, "set") == 0 || strcmp(word, "cut") == 0;
    if (late != (phase == 1))
        return;
    if (strcmp(word, "end") == 0)
        end(builder);
    else if (first == NULL)
        fail(builder, "a word is missing");
    else if (strcmp(word, "table") == 0)
        header(builder, first, second);
    else if (strcmp(word, "begin") == 0)
        begin(builder, first);
    else if (strcmp(word, "pad") == 0)
        for (unsigned long i = strtoul(first, NULL, 0); i != 0; i--)
            append(builder, 0, 1);
    else if (strcmp(word, "text") == 0)
        quoted(builder, whole);
    else if (strcmp(word, "set") == 0)
        set(builder, first, second);
    else if (strcmp(word, "cut") == 0)
        builder->out->bytes = strtoul(first, NULL, 0);
    else if (strncmp(word, "len", 3) == 0)
        length_here(builder, (unsigned)strtoul(word + 3, NULL, 10) / 8, first);
    else if (word[0] == 'u')
        number(builder, (unsigned)strtoul(word + 1, NULL, 10) / 8, first, second);
    else
        fail(builder, "unknown word");
}

static void pass(struct builder *builder, const char *text, unsigned phase)
{
    while (*text != '\0') {
        char line[LINE_MAX_BYTES];
        size_t length = strcspn(text, "\n");

        if (length >= sizeof(line))
            abort();
        memcpy(line, text, length);
        line[length] = '\0';
        builder->line = text;
        line_do(builder, line, phase);
        text += length + (text[length] == '\n' ? 1 : 0);
    }
}

static void build(struct builder *builder, struct built_table *out, const char *text)
{
    memset(builder, 0, sizeof(*builder));
    memset(out, 0, sizeof(*out));
    builder->out = out;
    pass(builder, text, 0);
    if (builder->depth != 0)
        fail(builder, "a structure without an end");
    finish_length(builder);
    pass(builder, text, 1);
    checksum(builder);
}

void table_build(struct built_table *out, const char *text)
{
    struct builder *builder = calloc(1, sizeof(*builder));

    if (builder == NULL)
        abort();
    build(builder, out, text);
    free(builder);
}

char *table_text(const char *name)
{
    const char *root = getenv("SLUICE_SOURCE_ROOT");
    char *text = calloc(1, 65536);
    char path[512];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/tests/tables/texts/%s.txt", root != NULL ? root : ".",
                   name);
    file = fopen(path, "r");
    if (file == NULL || text == NULL || fread(text, 1, 65535, file) == 0) {
        (void)fprintf(stderr, "no table text at %s\n", path);
        abort();
    }
    (void)fclose(file);
    return text;
}

size_t table_offset(const char *text, const char *field)
{
    struct builder *builder = calloc(1, sizeof(*builder));
    struct built_table *out = calloc(1, sizeof(*out));
    size_t at;

    if (builder == NULL || out == NULL)
        abort();
    build(builder, out, text);
    at = find(builder, field)->at;
    free(builder);
    free(out);
    return at;
}
