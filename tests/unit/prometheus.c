// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prometheus.h"

#define SERIES_MAX   512u
#define FAMILIES_MAX 128u
#define NAME_MAX     128u
#define LABELS_MAX   512u

struct family {
    char name[NAME_MAX];
    char type[16];
};

struct series {
    char text[NAME_MAX + LABELS_MAX];
};

/** Buckets of one histogram with one set of labels, le left out. */
struct histogram {
    char labels[LABELS_MAX];
    double last_le, last_count, total;
    bool has_sum, has_total;
};

struct reader {
    struct family families[FAMILIES_MAX];
    struct series series[SERIES_MAX];
    struct histogram histograms[32];
    unsigned family_count, series_count, histogram_count;
    char help[NAME_MAX]; /**< HELP came for this one, TYPE not yet */
};

struct sample {
    char name[NAME_MAX];
    char labels[LABELS_MAX]; /**< as they stand, without le */
    char le[32];
    double value;
};

static size_t name_length(const char *at, bool label)
{
    size_t length = 0;

    if (isdigit((unsigned char)at[0]))
        return 0;
    while (isalnum((unsigned char)at[length]) || at[length] == '_' || (!label && at[length] == ':'))
        length++;
    return length;
}

static const char *take_name(const char **at, bool label, char *out)
{
    size_t length = name_length(*at, label);

    if (length == 0 || length >= NAME_MAX)
        return "no name where one belongs";
    memcpy(out, *at, length);
    out[length] = 0;
    *at += length;
    return NULL;
}

/** From the quote on; stops behind the closing one. */
static const char *take_value(const char **at, char *out, size_t bytes)
{
    size_t length = 0;

    if (*(*at)++ != '"')
        return "a label's value is not quoted";
    while (**at != '"') {
        if (**at == '\\' && strchr("\\\"n", (*at)[1]) == NULL)
            return "an escape that there is not";
        if (**at == 0 || (unsigned char)**at < 0x20 || length + 3 >= bytes)
            return "a label's value does not end";
        if (**at == '\\')
            out[length++] = *(*at)++;
        out[length++] = *(*at)++;
    }
    out[length] = 0;
    (*at)++;
    return NULL;
}

static const char *take_labels(const char **at, struct sample *sample)
{
    if (**at != '{')
        return NULL;
    do {
        char name[NAME_MAX], value[LABELS_MAX];
        const char *wrong;
        size_t used = strlen(sample->labels);

        (*at)++;
        wrong = take_name(at, true, name);
        if (wrong == NULL && *(*at)++ != '=')
            wrong = "a label without a value";
        if (wrong == NULL)
            wrong = take_value(at, value, sizeof(value));
        if (wrong != NULL)
            return wrong;
        if (strcmp(name, "le") == 0)
            (void)snprintf(sample->le, sizeof(sample->le), "%.31s", value);
        else if (snprintf(sample->labels + used, LABELS_MAX - used, "%s=%s,", name, value) >=
                 (int)(LABELS_MAX - used))
            return "too many labels";
    } while (**at == ',');
    return *(*at)++ == '}' ? NULL : "labels do not end";
}

static const char *take_sample(const char *line, struct sample *sample)
{
    const char *wrong;
    char *end;

    *sample = (struct sample){.value = 0};
    wrong = take_name(&line, false, sample->name);
    if (wrong == NULL)
        wrong = take_labels(&line, sample);
    if (wrong == NULL && *line++ != ' ')
        wrong = "no space before the value";
    if (wrong != NULL)
        return wrong;
    sample->value = strtod(line, &end);
    if (end == line || *end != 0)
        return "the value is no number";
    return isfinite(sample->value) ? NULL : "the value is not finite";
}

static struct family *family_named(struct reader *reader, const char *name)
{
    for (unsigned i = 0; i < reader->family_count; i++) {
        if (strcmp(reader->families[i].name, name) == 0)
            return &reader->families[i];
    }
    return NULL;
}

static const char *comment(struct reader *reader, const char *line)
{
    bool help = strncmp(line, "# HELP ", 7) == 0;
    char name[NAME_MAX];
    const char *wrong;

    if (!help && strncmp(line, "# TYPE ", 7) != 0)
        return "a comment that is neither HELP nor TYPE";
    line += 7;
    wrong = take_name(&line, false, name);
    if (wrong == NULL && *line++ != ' ')
        wrong = "nothing after the name";
    if (wrong != NULL)
        return wrong;
    if (family_named(reader, name) != NULL)
        return "a family begins twice";
    if (help) {
        if (reader->help[0] != 0)
            return "HELP without TYPE";
        (void)strcpy(reader->help, name);
        return *line != 0 ? NULL : "HELP of nothing";
    }
    if (strcmp(reader->help, name) != 0)
        return "TYPE without HELP";
    if (strcmp(line, "counter") != 0 && strcmp(line, "gauge") != 0 &&
        strcmp(line, "histogram") != 0)
        return "a type that there is not";
    if (reader->family_count == FAMILIES_MAX)
        return "too many families";
    reader->help[0] = 0;
    (void)strcpy(reader->families[reader->family_count].name, name);
    (void)strcpy(reader->families[reader->family_count++].type, line);
    return NULL;
}

static struct histogram *histogram_of(struct reader *reader, const struct sample *sample)
{
    struct histogram *histogram;

    for (unsigned i = 0; i < reader->histogram_count; i++) {
        if (strcmp(reader->histograms[i].labels, sample->labels) == 0)
            return &reader->histograms[i];
    }
    if (reader->histogram_count == 32)
        abort();
    histogram = &reader->histograms[reader->histogram_count++];
    *histogram = (struct histogram){.last_le = -INFINITY};
    (void)strcpy(histogram->labels, sample->labels);
    return histogram;
}

static const char *bucket(struct histogram *histogram, const struct sample *sample)
{
    char *end;
    double le = strtod(sample->le, &end);

    if (sample->le[0] == 0 || *end != 0)
        return "a bucket without le";
    if (le <= histogram->last_le || sample->value < histogram->last_count)
        return "buckets do not rise";
    histogram->last_le = le;
    histogram->last_count = sample->value;
    return NULL;
}

static const char *histogram_sample(struct reader *reader, const struct family *family,
                                    const struct sample *sample)
{
    const char *suffix = sample->name + strlen(family->name);
    struct histogram *histogram = histogram_of(reader, sample);

    if (strcmp(suffix, "_bucket") == 0)
        return bucket(histogram, sample);
    if (sample->le[0] != 0)
        return "le outside of a bucket";
    if (strcmp(suffix, "_sum") == 0) {
        histogram->has_sum = true;
        return NULL;
    }
    if (strcmp(suffix, "_count") != 0)
        return "a histogram has no such sample";
    histogram->has_total = true;
    histogram->total = sample->value;
    return NULL;
}

static const char *once(struct reader *reader, const struct sample *sample)
{
    char text[sizeof(reader->series[0].text) + 40];

    (void)snprintf(text, sizeof(text), "%s{%s%s}", sample->name, sample->labels, sample->le);
    text[sizeof(reader->series[0].text) - 1] = 0;
    for (unsigned i = 0; i < reader->series_count; i++) {
        if (strcmp(reader->series[i].text, text) == 0)
            return "a series twice";
    }
    if (reader->series_count == SERIES_MAX)
        return "too many series";
    (void)strcpy(reader->series[reader->series_count++].text, text);
    return NULL;
}

static const char *take_line(struct reader *reader, const char *line)
{
    struct family *family;
    struct sample sample;
    const char *wrong;
    bool of_histogram;

    if (line[0] == '#')
        return comment(reader, line);
    wrong = take_sample(line, &sample);
    if (wrong != NULL)
        return wrong;
    if (reader->family_count == 0 || reader->help[0] != 0)
        return "a sample before its TYPE";
    family = &reader->families[reader->family_count - 1];
    of_histogram = strcmp(family->type, "histogram") == 0;
    if (of_histogram ? strncmp(sample.name, family->name, strlen(family->name)) != 0
                     : strcmp(sample.name, family->name) != 0)
        return "a sample of another family";
    if (strcmp(family->type, "counter") == 0 && strstr(sample.name, "_total") == NULL)
        return "a counter whose name does not end with _total";
    if (sample.value < 0)
        return "what is counted is negative";
    wrong = once(reader, &sample);
    return wrong == NULL && of_histogram ? histogram_sample(reader, family, &sample) : wrong;
}

const char *prometheus_check(const char *text, char *why, size_t bytes)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    const char *wrong = NULL;
    char line[1024] = "";

    if (reader == NULL)
        abort();
    while (*text != 0 && wrong == NULL) {
        size_t length = strcspn(text, "\n");

        if (length >= sizeof(line) || text[length] == 0) {
            wrong = "a line that does not end";
            break;
        }
        memcpy(line, text, length);
        line[length] = 0;
        wrong = take_line(reader, line);
        text += length + 1;
    }
    for (unsigned i = 0; i < reader->histogram_count && wrong == NULL; i++) {
        const struct histogram *histogram = &reader->histograms[i];

        if (!isinf(histogram->last_le) || !histogram->has_sum || !histogram->has_total ||
            histogram->total != histogram->last_count)
            wrong = "a histogram without its end";
    }
    free(reader);
    if (wrong != NULL)
        (void)snprintf(why, bytes, "%s: %s", wrong, line);
    return wrong != NULL ? why : NULL;
}

double prometheus_value(const char *text, const char *series, bool *out_found)
{
    size_t length = strlen(series);

    for (; *text != 0; text += strcspn(text, "\n") + 1) {
        if (strncmp(text, series, length) == 0 && text[length] == ' ') {
            *out_found = true;
            return strtod(text + length + 1, NULL);
        }
    }
    *out_found = false;
    return 0;
}
