// SPDX-License-Identifier: MIT
// See knowledge.h; docs/EXPLAIN.md describes the file's format.
#include "knowledge.h"

#include "match.h"

#include <stdlib.h>
#include <string.h>

enum {
    MOST_ENTRIES = 1024,
    DURING_RANK = 3,
    MOST_RANK = KNOWLEDGE_MOST_CONDITIONS * DURING_RANK,
};

struct parser {
    struct knowledge *knowledge;
    struct explanation *entry; // the one being read
    const char **last;         // where a continued line goes on
    unsigned int line;
    const char *why;
};

static bool fail(struct parser *parser, const char *why)
{
    parser->why = why;
    return false;
}

static char *trim(char *text)
{
    size_t length = strlen(text);

    while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL)
        text[--length] = '\0';
    return text + strspn(text, " \t");
}

static bool known_condition(const char *key)
{
    static const char *const keys[] = {"reason", "access", "pattern", "during", "flag",
                                       "type",   "fsr",    "text",    "name"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

// [kind key=value ...]
static bool read_header(struct parser *parser, char *text)
{
    struct knowledge *knowledge = parser->knowledge;
    size_t length = strlen(text);
    char *save = NULL;
    char *word;

    if (text[length - 1] != ']')
        return fail(parser, "a section's head ends with ]");
    text[length - 1] = '\0';
    if (knowledge->count == MOST_ENTRIES)
        return fail(parser, "too many sections");
    parser->entry = &knowledge->entries[knowledge->count++];
    parser->last = NULL;
    parser->entry->kind = strtok_r(text + 1, " ", &save);
    if (parser->entry->kind == NULL)
        return fail(parser, "a section needs a kind");
    while ((word = strtok_r(NULL, " ", &save)) != NULL) {
        unsigned int index = parser->entry->condition_count;
        char *equals = strchr(word, '=');

        if (equals == NULL || index == KNOWLEDGE_MOST_CONDITIONS)
            return fail(parser, "conditions are KEY=VALUE, at most four");
        *equals = '\0';
        if (!known_condition(word))
            return fail(parser, "no such condition");
        parser->entry->conditions[index].key = word;
        parser->entry->conditions[index].value = equals + 1;
        parser->entry->condition_count++;
    }
    return true;
}

static bool add_item(struct parser *parser, struct items *items, const char *value)
{
    if (items->count == KNOWLEDGE_MOST_ITEMS)
        return fail(parser, "too many items of one sort");
    items->list[items->count] = value;
    parser->last = &items->list[items->count++];
    return true;
}

static bool known_verdict(const char *verdict)
{
    static const char *const verdicts[] = {"driver-bug", "firmware", "hardware", "attack",
                                           "noise",      "setup",    "info",     "unclear"};

    for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
        if (strcmp(verdicts[i], verdict) == 0)
            return true;
    return false;
}

static bool read_value(struct parser *parser, char *text)
{
    struct explanation *entry = parser->entry;
    char *colon = strchr(text, ':');
    const char *value;

    if (entry == NULL || colon == NULL)
        return fail(parser,
                    entry == NULL ? "text before the first section" : "KEY: VALUE expected");
    *colon = '\0';
    value = trim(colon + 1);
    if (strcmp(text, "cause") == 0)
        return add_item(parser, &entry->causes, value);
    if (strcmp(text, "tell") == 0)
        return add_item(parser, &entry->tells, value);
    if (strcmp(text, "do") == 0)
        return add_item(parser, &entry->actions, value);
    if (strcmp(text, "title") == 0)
        parser->last = &entry->title;
    else if (strcmp(text, "says") == 0)
        parser->last = &entry->says;
    else if (strcmp(text, "verdict") == 0 && known_verdict(value))
        parser->last = &entry->verdict;
    else
        return fail(parser, "no such key, or no such verdict");
    *parser->last = value;
    return true;
}

// A continued line is moved to the end of the value it continues, in place: the value lies
// before it in the same text.
static bool read_continuation(struct parser *parser, const char *text)
{
    char *end;

    if (parser->last == NULL)
        return fail(parser, "an indented line continues nothing");
    end = parser->knowledge->text + (*parser->last - parser->knowledge->text);
    end += strlen(end);
    *end++ = ' ';
    memmove(end, text, strlen(text) + 1);
    return true;
}

static bool read_line(struct parser *parser, char *line)
{
    bool indented = line[0] == ' ' || line[0] == '\t';
    char *text = trim(line);

    if (text[0] == '\0' || text[0] == '#')
        return true;
    if (indented)
        return read_continuation(parser, text);
    return text[0] == '[' ? read_header(parser, text) : read_value(parser, text);
}

bool knowledge_read(struct knowledge *out_knowledge, const char *text, size_t length_bytes,
                    unsigned int *out_line, const char **out_why)
{
    struct parser parser = {.knowledge = out_knowledge, .why = "out of memory"};
    char *at;

    *out_knowledge = (struct knowledge){.text = malloc(length_bytes + 2)};
    out_knowledge->entries = calloc(MOST_ENTRIES, sizeof(struct explanation));
    *out_line = 0;
    *out_why = parser.why;
    if (out_knowledge->text == NULL || out_knowledge->entries == NULL) {
        knowledge_free(out_knowledge);
        return false;
    }
    memcpy(out_knowledge->text, text, length_bytes);
    out_knowledge->text[length_bytes] = '\n';
    out_knowledge->text[length_bytes + 1] = '\0';
    at = out_knowledge->text;
    while (*at != '\0') {
        char *end = strchr(at, '\n');

        parser.line++;
        if (end == NULL) { // a NUL byte in the file
            (void)fail(&parser, "not a text file");
            break;
        }
        *end = '\0';
        if (!read_line(&parser, at))
            break;
        parser.why = NULL;
        at = end + 1;
    }
    if (parser.why != NULL) {
        *out_line = parser.line;
        *out_why = parser.why;
        knowledge_free(out_knowledge);
        return false;
    }
    return true;
}

void knowledge_free(struct knowledge *knowledge)
{
    free(knowledge->text);
    free(knowledge->entries);
    *knowledge = (struct knowledge){0};
}

static bool number_is(const struct problem *problem, enum field field, const char *value)
{
    uint64_t wanted;

    return field_has(&problem->fields, field) && read_reason(value, strlen(value), &wanted) != 0 &&
           problem->fields.number[field] == wanted;
}

static bool access_is(const struct problem *problem, const char *value)
{
    static const char *const names[] = {"unknown", "read", "write", "execute"};

    return strcmp(names[problem->access], value) == 0;
}

// A circumstance counts where it holds for at least half of the messages.
static bool during(const struct problem *problem, const char *value)
{
    const struct circumstances *circumstances = &problem->during;
    uint64_t count = strcmp(value, "boot") == 0     ? circumstances->boot
                     : strcmp(value, "reset") == 0  ? circumstances->reset
                     : strcmp(value, "resume") == 0 ? circumstances->resume
                     : strcmp(value, "kdump") == 0  ? circumstances->kdump
                     : strcmp(value, "unbind") == 0 ? circumstances->unbind
                                                    : 0;

    return count > 0 && count * 2 >= problem->count;
}

static bool has_pattern(const struct reading *readings, unsigned int count, const char *value)
{
    for (unsigned int i = 0; i < count; i++)
        if (strcmp(readings[i].name, value) == 0)
            return true;
    return false;
}

static bool has_bits(uint64_t bits, const char *value)
{
    uint64_t wanted;

    return read_reason(value, strlen(value), &wanted) != 0 && (bits & wanted) == wanted;
}

static bool holds(const char *key, const char *value, const struct problem *problem,
                  const struct reading *readings, unsigned int reading_count)
{
    if (strcmp(key, "reason") == 0)
        return number_is(problem, FIELD_REASON, value);
    if (strcmp(key, "type") == 0)
        return number_is(problem, FIELD_TYPE, value);
    if (strcmp(key, "access") == 0)
        return access_is(problem, value);
    if (strcmp(key, "pattern") == 0)
        return has_pattern(readings, reading_count, value);
    if (strcmp(key, "during") == 0)
        return during(problem, value);
    if (strcmp(key, "flag") == 0)
        return field_has(&problem->fields, FIELD_FLAGS) && has_bits(problem->flags_all, value);
    if (strcmp(key, "fsr") == 0)
        return field_has(&problem->fields, FIELD_FSR) &&
               has_bits(problem->fields.number[FIELD_FSR], value);
    if (strcmp(key, "text") == 0)
        return strstr(problem->text, value) != NULL;
    return strcmp(problem->name, value) == 0;
}

static bool fits(const struct explanation *entry, const struct problem *problem,
                 const struct reading *readings, unsigned int reading_count)
{
    if (strcmp(entry->kind, "*") != 0 && strcmp(entry->kind, problem->kind) != 0)
        return false;
    for (unsigned int i = 0; i < entry->condition_count; i++)
        if (!holds(entry->conditions[i].key, entry->conditions[i].value, problem, readings,
                   reading_count))
            return false;
    return true;
}

// How specific a section is. Circumstances outweigh values: the same fault is harmless during a
// reset of the device.
static unsigned int rank_of(const struct explanation *entry)
{
    unsigned int rank = 0;

    for (unsigned int i = 0; i < entry->condition_count; i++)
        rank += strcmp(entry->conditions[i].key, "during") == 0 ? DURING_RANK : 1;
    return rank;
}

static void append(const struct items *items, const char **out_list, unsigned int *count)
{
    for (unsigned int i = 0; i < items->count && *count < ADVICE_MOST_ITEMS; i++)
        out_list[(*count)++] = items->list[i];
}

static void take(const struct explanation *entry, struct advice *out_advice)
{
    if (out_advice->title == NULL)
        out_advice->title = entry->title;
    if (out_advice->verdict == NULL)
        out_advice->verdict = entry->verdict;
    if (out_advice->says == NULL)
        out_advice->says = entry->says;
    append(&entry->causes, out_advice->causes, &out_advice->cause_count);
    append(&entry->tells, out_advice->tells, &out_advice->tell_count);
    append(&entry->actions, out_advice->actions, &out_advice->action_count);
}

void knowledge_advise(const struct knowledge *knowledge, const struct problem *problem,
                      const struct reading *readings, unsigned int reading_count,
                      struct advice *out_advice)
{
    memset(out_advice, 0, sizeof(*out_advice));
    for (unsigned int rank = MOST_RANK + 1; rank > 0; rank--) {
        for (unsigned int i = 0; i < knowledge->count; i++) {
            const struct explanation *entry = &knowledge->entries[i];

            if (rank_of(entry) == rank - 1 && fits(entry, problem, readings, reading_count))
                take(entry, out_advice);
        }
    }
    if (out_advice->title == NULL)
        out_advice->title = problem->kind;
    if (out_advice->verdict == NULL)
        out_advice->verdict = "unclear";
}

const char *knowledge_title(const struct knowledge *knowledge, const char *kind)
{
    for (unsigned int i = 0; i < knowledge->count; i++)
        if (strcmp(knowledge->entries[i].kind, kind) == 0)
            return knowledge->entries[i].title;
    return NULL;
}
