// SPDX-License-Identifier: MIT
// See problems.h.
#include "problems.h"

#include <stdio.h>
#include <string.h>

void span_copy(char *out_text, size_t size_bytes, struct span span)
{
    size_t length = span.length_bytes < size_bytes - 1 ? span.length_bytes : size_bytes - 1;

    if (length > 0)
        memcpy(out_text, span.text, length);
    out_text[length] = '\0';
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static uint64_t mix_span(uint64_t hash, struct span span)
{
    size_t left = span.length_bytes < LINE_BYTES ? span.length_bytes : LINE_BYTES;
    const char *text = span.text;

    for (; left > 0; text += sizeof(uint64_t)) {
        uint64_t word = 0;
        size_t take = left < sizeof(word) ? left : sizeof(word);

        memcpy(&word, text, take);
        hash = mix(hash, word);
        left -= take;
    }
    return mix(hash, span.length_bytes);
}

static uint64_t mix_field(uint64_t hash, const struct message *message, enum field field)
{
    if (!field_has(&message->fields, field))
        return mix(hash, (uint64_t)field);
    if (field >= FIELD_NUMBERS)
        return mix_span(hash, field_word(&message->fields, field));
    return mix(hash, message->fields.number[field] + ((uint64_t)field << 56));
}

// What makes two messages the same problem. Addresses do not: their pattern is the entry's.
static uint64_t key_of(const struct message *message)
{
    static const enum field distinguishing[] = {FIELD_DEVICE, FIELD_REASON, FIELD_ACCESS,
                                                FIELD_TYPE,   FIELD_SID,    FIELD_UNIT,
                                                FIELD_NAME,   FIELD_TEXT};
    uint64_t hash = mix_span(0x5107ce, (struct span){message->kind, strlen(message->kind)});

    for (size_t i = 0; i < sizeof(distinguishing) / sizeof(distinguishing[0]); i++)
        hash = mix_field(hash, message, distinguishing[i]);
    if (!field_has(&message->fields, FIELD_DEVICE))
        hash = mix_span(hash, message->device);
    return hash;
}

static enum access access_of(const struct fields *fields)
{
    struct span word;

    if (!field_has(fields, FIELD_ACCESS))
        return ACCESS_UNKNOWN;
    word = field_word(fields, FIELD_ACCESS);
    if (word.length_bytes == 0)
        return ACCESS_UNKNOWN;
    switch (word.text[0] | 0x20) {
    case 'r':
        return ACCESS_READ;
    case 'w':
        return ACCESS_WRITE;
    case 'x':
        return ACCESS_EXECUTE;
    default:
        return ACCESS_UNKNOWN;
    }
}

static void name_device(struct problem *problem, const struct message *message)
{
    uint64_t bdf = message->fields.number[FIELD_DEVICE];

    span_copy(problem->unit, sizeof(problem->unit), message->device);
    if (field_has(&message->fields, FIELD_DEVICE)) {
        problem->has_bdf = true;
        problem->bdf = (uint32_t)bdf;
        (void)snprintf(problem->device, sizeof(problem->device), "%04x:%02x:%02x.%x",
                       (unsigned int)(bdf >> 16), (unsigned int)(bdf >> 8 & 0xff),
                       (unsigned int)(bdf >> 3 & 0x1f), (unsigned int)(bdf & 7));
    } else if (field_has(&message->fields, FIELD_SID)) {
        (void)snprintf(problem->device, sizeof(problem->device), "stream 0x%llx",
                       (unsigned long long)message->fields.number[FIELD_SID]);
    }
    if (field_has(&message->fields, FIELD_UNIT))
        span_copy(problem->unit, sizeof(problem->unit), field_word(&message->fields, FIELD_UNIT));
}

static void fill(struct problem *problem, const struct message *message, uint64_t key)
{
    memset(problem, 0, sizeof(*problem));
    problem->key = key;
    problem->kind = message->kind;
    problem->vendor = message->format->vendor;
    problem->fields = message->fields;
    problem->flags_all = UINT64_MAX;
    problem->access = access_of(&message->fields);
    name_device(problem, message);
    if (field_has(&message->fields, FIELD_NAME))
        span_copy(problem->name, sizeof(problem->name), field_word(&message->fields, FIELD_NAME));
    if (field_has(&message->fields, FIELD_TEXT))
        span_copy(problem->text, sizeof(problem->text), field_word(&message->fields, FIELD_TEXT));
    memset(problem->fields.word, 0, sizeof(problem->fields.word)); // they point into the input
    span_copy(problem->example, sizeof(problem->example), message->line);
}

struct problem *problems_enter(struct problems *problems, const struct message *message)
{
    uint64_t key = key_of(message);
    unsigned int slot = (unsigned int)(key % PROBLEMS_SLOTS);

    while (problems->slots[slot] != 0) {
        struct problem *problem = &problems->entries[problems->slots[slot] - 1];

        if (problem->key == key)
            return problem;
        slot = (slot + 1) % PROBLEMS_SLOTS;
    }
    if (problems->count == PROBLEMS_MOST) {
        problems->overflow += message->repeat;
        return NULL;
    }
    problems->slots[slot] = (uint16_t)(problems->count + 1);
    fill(&problems->entries[problems->count], message, key);
    return &problems->entries[problems->count++];
}

static void set_moment(struct moment *moment, const struct log_time *time)
{
    moment->valid = time->monotonic_valid || time->wall_valid;
    moment->monotonic = time->monotonic_valid;
    moment->seconds = time->monotonic_valid ? time->monotonic_s : time->wall_s;
    if (time->micros)
        (void)snprintf(moment->text, sizeof(moment->text), "%.6f", time->monotonic_s);
    else
        span_copy(moment->text, sizeof(moment->text), time->text);
}

void address_add(struct address_stats *stats, uint64_t address)
{
    if (stats->count == 0) {
        stats->first = stats->least = stats->most = address;
        stats->least_step = UINT64_MAX;
    } else if (address > stats->previous) {
        uint64_t step = address - stats->previous;

        stats->rises++;
        stats->least_step = step < stats->least_step ? step : stats->least_step;
        stats->most_step = step > stats->most_step ? step : stats->most_step;
    } else if (address < stats->previous) {
        stats->falls++;
    } else {
        stats->repeats++;
    }
    if (stats->sample_count < ADDRESS_SAMPLES && (stats->count == 0 || address != stats->previous))
        stats->samples[stats->sample_count++] = address;
    stats->least = address < stats->least ? address : stats->least;
    stats->most = address > stats->most ? address : stats->most;
    stats->low_bits |= address & 0xfff;
    stats->previous = address;
    stats->count++;
}

void problem_count(struct problem *problem, const struct message *message)
{
    const struct fields *fields = &message->fields;

    problem->count += message->repeat;
    if (message->time.text.length_bytes > 0) {
        set_moment(&problem->last, &message->time);
        if (!problem->first.valid)
            problem->first = problem->last;
    }
    if (field_has(fields, FIELD_ADDRESS))
        address_add(&problem->addresses, fields->number[FIELD_ADDRESS]);
    if (field_has(fields, FIELD_FLAGS)) {
        problem->flags_all &= fields->number[FIELD_FLAGS];
        problem->flags_any |= fields->number[FIELD_FLAGS];
    }
}
