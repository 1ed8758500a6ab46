// SPDX-License-Identifier: MIT
// See engine.h.
//
// A line is looked at only where an anchor stands in it. Where a format's text ends before its
// pattern does, the line waits for the next; a next line that has no stamp of its own continues
// it, quote marks and indentation taken off.
#include "engine.h"

#include "formats.h"
#include "held.h"
#include "prefix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct format *const tables[] = {formats_intel, formats_amd,     formats_arm,
                                              formats_soc,   formats_generic, formats_context};

static bool add_table(struct engine *engine, const struct format *rows)
{
    for (; rows->id != NULL; rows++) {
        unsigned int index = engine->format_count;

        if (index == ENGINE_MOST_FORMATS ||
            !pattern_compile(&engine->patterns[index], rows->pattern) ||
            !scan_add(&engine->scan, rows->pattern, engine->patterns[index].anchor_bytes)) {
            (void)fprintf(stderr, "format %s: not a pattern: %s\n", rows->id, rows->pattern);
            return false;
        }
        engine->formats[index] = rows;
        engine->format_count++;
    }
    return true;
}

struct engine *engine_create(void)
{
    struct engine *engine = calloc(1, sizeof(*engine));

    if (engine == NULL)
        return NULL;
    scan_init(&engine->scan);
    engine->line_repeat = 1;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (!add_table(engine, tables[i])) {
            free(engine);
            return NULL;
        }
    }
    return engine;
}

void engine_destroy(struct engine *engine)
{
    free(engine);
}

uint64_t engine_matches(const struct engine *engine, const char *id)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < engine->format_count; i++)
        if (strcmp(engine->formats[i]->id, id) == 0)
            sum += engine->matches[i];
    return sum;
}

struct problem *engine_enter(struct engine *engine, struct message *message)
{
    struct problem *problem = problems_enter(&engine->problems, message);

    if (problem == NULL)
        return NULL;
    problem_count(problem, message);
    context_judge(&engine->context, problem, message);
    engine->last_problem = problem;
    if (strncmp(message->kind, "intel-", 6) == 0 && !field_has(&message->fields, FIELD_REASON))
        engine->awaits_reason = problem;
    return problem;
}

// The device before the message counts where the message itself names none.
static void adopt_device(struct message *message)
{
    struct fields *fields = &message->fields;
    uint64_t bdf;

    if (field_has(fields, FIELD_DEVICE) || message->device.length_bytes == 0 ||
        read_bdf(message->device.text, message->device.length_bytes, &bdf) !=
            message->device.length_bytes)
        return;
    fields->number[FIELD_DEVICE] = bdf;
    fields->present |= 1u << FIELD_DEVICE;
}

// Messages of VT-d name the device themselves or none; a device before them is the unit's.
static bool names_itself(const struct message *message)
{
    return message->format->vendor == VENDOR_INTEL &&
           (message->format->role == ROLE_DETAIL || field_has(&message->fields, FIELD_DEVICE));
}

static void dispatch(struct engine *engine, struct message *message)
{
    enum role role = message->format->role;

    engine->matches[message->format_index] += message->repeat;
    engine->messages++;
    message->kind = message->format->kind;
    if (!names_itself(message))
        prefix_device(message->line, &message->driver, &message->device);
    if (role == ROLE_NOTICE)
        engine->notices++;
    if (role == ROLE_PROBLEM || role == ROLE_CATCH)
        adopt_device(message);
    if (message->format->hook != NULL)
        message->format->hook(engine, message);
    if ((role == ROLE_PROBLEM || role == ROLE_CATCH) && message->kind != NULL)
        (void)engine_enter(engine, message);
}

static bool is_weak(const struct format *format)
{
    return format->role == ROLE_NOTICE || format->role == ROLE_CATCH;
}

struct found {
    enum match_result result;
    size_t start;
    size_t used;
    struct message message;
};

// Try the formats whose anchor stands at `start`; keeps the first full match, or the best cut
// one.
static void try_formats(const struct engine *engine, struct span line, size_t start,
                        unsigned int string, struct found *found)
{
    const char *text = line.text + start;
    size_t left = line.length_bytes - start;

    found->result = MATCH_NO;
    for (; string != SCAN_NONE; string = scan_also(&engine->scan, text, left, string)) {
        struct fields fields;
        size_t used = 0;
        enum match_result result =
            pattern_match(&engine->patterns[string], text, left, &fields, &used);

        if (result <= found->result)
            continue;
        found->result = result;
        found->start = start;
        found->used = used;
        found->message.format = engine->formats[string];
        found->message.format_index = string;
        found->message.fields = fields;
        if (result == MATCH_FULL)
            return;
    }
}

static void deliver(struct engine *engine, struct found *found, struct span line,
                    const struct log_time *time)
{
    struct message *message = &found->message;

    message->time = *time;
    message->line = line;
    message->before = (struct span){line.text, found->start};
    message->driver = message->device = (struct span){line.text, 0};
    message->repeat = engine->line_repeat;
    dispatch(engine, message);
}

enum line_outcome {
    LINE_NOTHING, // no format
    LINE_NOTICE,  // only the weak ones
    LINE_WAITS,   // a message is cut off at the line's end
    LINE_DONE,
};

// Look through a line from `*from`. With `settle` a cut message that says enough is delivered;
// otherwise the line is left for later and `*from` says from where on it is to be kept.
static enum line_outcome look(struct engine *engine, struct span line, const struct log_time *time,
                              bool settle, size_t *from)
{
    enum line_outcome outcome = LINE_NOTHING;
    struct found notice = {.result = MATCH_NO};
    size_t at = *from;
    unsigned int string;

    *from = 0;
    while (scan_find(&engine->scan, line.text, line.length_bytes, &at, &string)) {
        struct found found;

        try_formats(engine, line, at, string, &found);
        if (found.result == MATCH_FULL && is_weak(found.message.format)) {
            if (notice.result == MATCH_NO)
                notice = found;
            at += SCAN_LEAST_BYTES;
            continue;
        }
        if (!settle && (found.result == MATCH_SHORT || found.result == MATCH_ENOUGH)) {
            // Keep the line's head, which may name the device, unless a message of it is done.
            *from = outcome == LINE_DONE ? at : 0;
            return LINE_WAITS;
        }
        if (found.result == MATCH_FULL || (settle && found.result == MATCH_ENOUGH)) {
            deliver(engine, &found, line, time);
            outcome = LINE_DONE;
            at += found.used;
        } else {
            at++;
        }
    }
    if (outcome == LINE_NOTHING && notice.result == MATCH_FULL) {
        deliver(engine, &notice, line, time);
        outcome = LINE_NOTICE;
    }
    return outcome;
}

static void wait_for_more(struct engine *engine, struct span line, const struct log_time *time)
{
    struct pending *pending = &engine->pending;

    if (line.length_bytes > ENGINE_JOINED_BYTES)
        line.length_bytes = ENGINE_JOINED_BYTES;
    pending->soft = line.length_bytes > 0 && line.text[line.length_bytes - 1] == '=';
    line.length_bytes -= pending->soft;
    memcpy(pending->text, line.text, line.length_bytes);
    pending->length_bytes = line.length_bytes;
    pending->pieces = 1;
    pending->time = *time;
    span_copy(pending->time_text, sizeof(pending->time_text), time->text);
    pending->time.text = (struct span){pending->time_text, strlen(pending->time_text)};
}

static void settle(struct engine *engine)
{
    struct pending *pending = &engine->pending;
    struct span line = {pending->text, pending->length_bytes};
    size_t from = 0;

    if (pending->pieces == 0)
        return;
    pending->pieces = 0;
    (void)look(engine, line, &pending->time, true, &from);
}

// Would the waiting text with `piece` after it match further? `gap` is 0 where a terminal cut a
// word in two.
static bool grows(struct engine *engine, struct span piece, size_t gap, bool *out_waits)
{
    struct pending *pending = &engine->pending;
    size_t old = pending->length_bytes;
    struct span line = {pending->text, old + gap + piece.length_bytes};
    size_t at = 0;
    unsigned int string;

    if (line.length_bytes > ENGINE_JOINED_BYTES)
        return false;
    if (gap == 1)
        pending->text[old] = ' ';
    memcpy(pending->text + old + gap, piece.text, piece.length_bytes);
    for (; scan_find(&engine->scan, line.text, line.length_bytes, &at, &string) && at < old; at++) {
        struct found found;

        try_formats(engine, line, at, string, &found);
        if (found.result == MATCH_NO || is_weak(found.message.format))
            continue;
        if (found.result == MATCH_FULL && at + found.used <= old)
            continue;
        *out_waits = found.result != MATCH_FULL;
        // A cut match has to have reached into the new piece to be a better one.
        if (found.result == MATCH_FULL || at + found.used > old + gap) {
            pending->length_bytes = line.length_bytes;
            return true;
        }
    }
    return false;
}

// Try to continue the waiting message. Returns whether the line was used up.
static bool continue_pending(struct engine *engine, const struct prefix *prefix)
{
    struct pending *pending = &engine->pending;
    bool waits = false;
    bool used;

    if (prefix->stamped || prefix->rest.length_bytes == 0) {
        settle(engine);
        return false;
    }
    used = grows(engine, prefix->rest, pending->soft ? 0 : 1, &waits) ||
           grows(engine, prefix->rest, pending->soft ? 1 : 0, &waits);
    if (!used) {
        settle(engine);
        return false;
    }
    pending->pieces++;
    if (!waits || pending->pieces == ENGINE_MOST_PIECES)
        settle(engine);
    return true;
}

static void take_line(struct engine *engine, const char *text, size_t length_bytes, size_t hit)
{
    struct prefix prefix;
    size_t from = 0;

    if (length_bytes > ENGINE_LINE_BYTES)
        length_bytes = ENGINE_LINE_BYTES;
    prefix_parse(text, length_bytes, &prefix);
    if (engine->pending.pieces > 0 && continue_pending(engine, &prefix))
        return;
    engine->line_repeat = 1;
    if (text + hit > prefix.rest.text) // nothing stands before the first anchor
        from = (size_t)(text + hit - prefix.rest.text);
    if (look(engine, prefix.rest, &prefix.time, false, &from) == LINE_WAITS) {
        struct span rest = {prefix.rest.text + from, prefix.rest.length_bytes - from};

        wait_for_more(engine, rest, &prefix.time);
    }
}

void engine_feed(struct engine *engine, const char *text, size_t length_bytes)
{
    size_t at = 0;

    engine->bytes += length_bytes;
    while (at < length_bytes) {
        size_t hit = at;
        unsigned int string;
        const char *start;
        const char *end;

        if (engine->pending.pieces == 0 &&
            !scan_find(&engine->scan, text, length_bytes, &hit, &string))
            return;
        start = memrchr(text + at, '\n', hit - at);
        start = start == NULL ? text + at : start + 1;
        end = memchr(text + hit, '\n', length_bytes - hit);
        end = end == NULL ? text + length_bytes : end;
        take_line(engine, start, (size_t)(end - start),
                  text + hit > start ? (size_t)(text + hit - start) : 0);
        at = (size_t)(end - text) + 1;
    }
}

void engine_finish(struct engine *engine)
{
    settle(engine);
    held_finish(engine);
}
