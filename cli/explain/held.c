// SPDX-License-Identifier: MIT
// See held.h.
#include "held.h"

#include "decode.h"

#include <string.h>

static bool same_unit(const struct held *held, const struct message *message)
{
    return strlen(held->unit) == message->device.length_bytes &&
           memcmp(held->unit, message->device.text, message->device.length_bytes) == 0;
}

struct held *held_find(struct engine *engine, const struct message *message, const char *kind)
{
    for (unsigned int i = 0; i < ENGINE_MOST_UNITS; i++) {
        struct held *held = &engine->held[i];

        if (held->waits_for != NULL && strcmp(held->waits_for, kind) == 0 &&
            same_unit(held, message))
            return held;
    }
    return NULL;
}

static struct held *free_place(struct engine *engine)
{
    for (unsigned int i = 0; i < ENGINE_MOST_UNITS; i++)
        if (engine->held[i].waits_for == NULL)
            return &engine->held[i];
    engine->held_next = (engine->held_next + 1) % ENGINE_MOST_UNITS;
    held_enter(engine, &engine->held[engine->held_next]);
    return &engine->held[engine->held_next];
}

struct held *held_add(struct engine *engine, const struct message *message, const char *kind)
{
    struct held *held = held_find(engine, message, kind);

    if (held != NULL)
        held_enter(engine, held);
    else
        held = free_place(engine);
    memset(held, 0, sizeof(*held));
    held->waits_for = kind;
    held->message = *message;
    held->message.kind = kind;
    span_copy(held->unit, sizeof(held->unit), message->device);
    span_copy(held->line, sizeof(held->line), message->line);
    span_copy(held->time_text, sizeof(held->time_text), message->time.text);
    held->message.device = (struct span){held->unit, strlen(held->unit)};
    held->message.driver = held->message.before = (struct span){held->unit, 0};
    held->message.line = (struct span){held->line, strlen(held->line)};
    held->message.time.text = (struct span){held->time_text, strlen(held->time_text)};
    return held;
}

void held_enter(struct engine *engine, struct held *held)
{
    if (held->waits_for == NULL)
        return;
    held->waits_for = NULL;
    if (held->words_seen > 0)
        decode_smmu3_event(held->words, held->words_seen, &held->message.fields);
    (void)engine_enter(engine, &held->message);
}

void held_finish(struct engine *engine)
{
    for (unsigned int i = 0; i < ENGINE_MOST_UNITS; i++)
        held_enter(engine, &engine->held[i]);
}
