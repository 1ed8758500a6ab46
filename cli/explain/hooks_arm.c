// SPDX-License-Identifier: MIT
// Hooks of the SMMU message formats (see formats.h).
#include "decode.h"
#include "engine.h"
#include "formats.h"
#include "held.h"

#include <string.h>

static const char event_kind[] = "smmuv3-event";
static const char global_kind[] = "smmuv2-global-fault";

// The header of a raw event: the words follow.
void hook_smmu3_event(struct engine *engine, struct message *message)
{
    (void)held_add(engine, message, event_kind);
    message->kind = NULL;
    engine->decoded_after[0] = '\0';
}

// Reads the hexadecimal words of a line; a 64-bit word may have been split in two halves.
static void read_words(struct held *held, struct span text)
{
    size_t at = 0;

    while (at < text.length_bytes && held->words_seen < 4) {
        uint64_t word;
        uint64_t low;
        size_t used = read_hex(text.text + at, text.length_bytes - at, &word);

        if (used < 10 || memcmp(text.text + at, "0x", 2) != 0) {
            at++;
            continue;
        }
        at += used;
        if (used == 10 && at + 9 <= text.length_bytes && text.text[at] == ' ' &&
            read_hex(text.text + at + 1, 8, &low) == 8) {
            word = word << 32 | low;
            at += 9;
        }
        held->words[held->words_seen++] = word;
    }
}

// A line of the driver that no other format has: maybe the words of the event that is waiting.
void hook_smmu3_word(struct engine *engine, struct message *message)
{
    struct held *held = held_find(engine, message, event_kind);
    size_t skip;
    struct span rest;

    if (held == NULL)
        return;
    skip = (size_t)(message->device.text + message->device.length_bytes - message->line.text);
    rest = (struct span){message->line.text + skip, message->line.length_bytes - skip};
    if (memmem(rest.text, rest.length_bytes, "0x", 2) == NULL)
        return;
    engine->notices--;
    read_words(held, rest);
    if (held->words_seen == 4) {
        held_enter(engine, held);
        span_copy(engine->decoded_after, sizeof(engine->decoded_after), message->device);
    }
}

static void take_client(struct problem *problem, struct span client)
{
    uint64_t bdf;

    if (client.length_bytes == 0)
        return;
    if (read_bdf(client.text, client.length_bytes, &bdf) == client.length_bytes) {
        problem->has_bdf = true;
        problem->bdf = (uint32_t)bdf;
    }
    span_copy(problem->device, sizeof(problem->device), client);
}

// The decoded form follows the raw one and says the client's name; alone, it is the event.
void hook_smmu3_decoded(struct engine *engine, struct message *message)
{
    struct fields *fields = &message->fields;
    struct span client =
        field_has(fields, FIELD_UNIT) ? field_word(fields, FIELD_UNIT) : (struct span){"", 0};
    struct span name = field_word(fields, FIELD_NAME);
    struct held *held = held_find(engine, message, event_kind);
    uint64_t bdf;

    if (held != NULL) {
        held_enter(engine, held);
        span_copy(engine->decoded_after, sizeof(engine->decoded_after), message->device);
    }
    if (engine->last_problem != NULL && strcmp(engine->last_problem->kind, event_kind) == 0 &&
        engine->decoded_after[0] != '\0' &&
        strlen(engine->decoded_after) == message->device.length_bytes &&
        memcmp(engine->decoded_after, message->device.text, message->device.length_bytes) == 0) {
        take_client(engine->last_problem, client);
        engine->decoded_after[0] = '\0';
        message->kind = NULL;
        return;
    }
    fields->number[FIELD_TYPE] = decode_smmu3_code(name);
    fields->present |= 1u << FIELD_TYPE;
    fields->present &= ~(1u << FIELD_NAME | 1u << FIELD_UNIT);
    if (client.length_bytes > 0 &&
        read_bdf(client.text, client.length_bytes, &bdf) == client.length_bytes) {
        fields->number[FIELD_DEVICE] = bdf;
        fields->present |= 1u << FIELD_DEVICE;
    }
}

void hook_smmu3_width(struct engine *engine, struct message *message)
{
    uint64_t bits = message->fields.number[FIELD_COUNT_DECIMAL];

    if (bits >= 32 && bits <= 64)
        engine->context.address_bits = (unsigned int)bits;
}

// [SMMUv2 16.5.10] SMMU_CBn_FSYNR0: WNR, bit 4, is set for a write.
void hook_smmu2_context(struct engine *engine, struct message *message)
{
    struct fields *fields = &message->fields;

    (void)engine;
    if (!field_has(fields, FIELD_FSYNR) || field_has(fields, FIELD_ACCESS))
        return;
    fields->word[FIELD_ACCESS - FIELD_NUMBERS] = (fields->number[FIELD_FSYNR] & 0x10) != 0
                                                     ? (struct span){"write", 5}
                                                     : (struct span){"read", 4};
    fields->present |= 1u << FIELD_ACCESS;
}

// Two lines: what happened, then the registers.
void hook_smmu2_global(struct engine *engine, struct message *message)
{
    if (field_has(&message->fields, FIELD_SID))
        return;
    (void)held_add(engine, message, global_kind);
    message->kind = NULL;
}

void hook_smmu2_gfsr(struct engine *engine, struct message *message)
{
    struct held *held = held_find(engine, message, global_kind);
    struct fields *fields = &message->fields;

    if (held == NULL)
        held = held_add(engine, message, global_kind);
    held->message.fields = *fields;
    if (field_has(fields, FIELD_SID)) // [SMMUv2 9.6.19] sGFSYNR1.StreamID is bits 14:0
        held->message.fields.number[FIELD_SID] &= 0x7fff;
    held_enter(engine, held);
}
