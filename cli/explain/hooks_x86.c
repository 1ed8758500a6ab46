// SPDX-License-Identifier: MIT
// Hooks of the Intel, Xen and AMD message formats (see formats.h).
#include "engine.h"
#include "formats.h"

#include <string.h>

static void set_access(struct message *message, const char *word)
{
    message->fields.word[FIELD_ACCESS - FIELD_NUMBERS] = (struct span){word, strlen(word)};
    message->fields.present |= 1u << FIELD_ACCESS;
}

void hook_read(struct engine *engine, struct message *message)
{
    (void)engine;
    set_access(message, "read");
}

void hook_write(struct engine *engine, struct message *message)
{
    (void)engine;
    set_access(message, "write");
}

// The reason on a line of its own belongs to the fault before it.
void hook_reason(struct engine *engine, struct message *message)
{
    struct problem *problem = engine->awaits_reason;

    if (problem == NULL || field_has(&problem->fields, FIELD_REASON))
        return;
    problem->fields.number[FIELD_REASON] = message->fields.number[FIELD_REASON];
    problem->fields.present |= 1u << FIELD_REASON;
}

// [VT-d 11.4.7.1] FSTS_REG: bit 0 is PFO, faults were lost for want of a free record. The status
// line comes before the faults, so the entry it belongs to is the next one; what is kept is that
// records were lost at all.
void hook_fault_status(struct engine *engine, struct message *message)
{
    uint64_t status = message->fields.number[FIELD_HEX];

    engine->fault_status |= status;
}

static const struct {
    const char *name;
    const char *kind;
} amd_events[] = {
    {"ILLEGAL_DEV_TABLE_ENTRY", "amd-illegal-dte"},
    {"IO_PAGE_FAULT", "amd-io-page-fault"},
    {"DEV_TAB_HARDWARE_ERROR", "amd-table-hardware-error"},
    {"PAGE_TAB_HARDWARE_ERROR", "amd-table-hardware-error"},
    {"ILLEGAL_COMMAND_ERROR", "amd-command-error"},
    {"COMMAND_HARDWARE_ERROR", "amd-command-error"},
    {"IOTLB_INV_TIMEOUT", "amd-iotlb-timeout"},
    {"INVALID_DEVICE_REQUEST", "amd-invalid-request"},
    {"INVALID_PPR_REQUEST", "amd-invalid-ppr"},
    {"RMP_HW_ERROR", "amd-rmp-fault"},
    {"RMP_PAGE_FAULT", "amd-rmp-fault"},
};

static void set_amd_kind(struct message *message, struct span name)
{
    message->kind = "amd-unknown-event";
    for (size_t i = 0; i < sizeof(amd_events) / sizeof(amd_events[0]); i++) {
        if (name.length_bytes == strlen(amd_events[i].name) &&
            memcmp(name.text, amd_events[i].name, name.length_bytes) == 0)
            message->kind = amd_events[i].kind;
    }
}

void hook_amd_event(struct engine *engine, struct message *message)
{
    (void)engine;
    if (field_has(&message->fields, FIELD_NAME))
        set_amd_kind(message, field_word(&message->fields, FIELD_NAME));
    else
        message->kind = "amd-unknown-event";
}

// The row's own pattern begins with the name.
void hook_amd_named(struct engine *engine, struct message *message)
{
    const char *pattern = message->format->pattern;
    struct span name = {pattern, strcspn(pattern, " ")};

    (void)engine;
    message->fields.word[FIELD_NAME - FIELD_NUMBERS] = name;
    message->fields.present |= 1u << FIELD_NAME;
    set_amd_kind(message, name);
}

void hook_rmrr(struct engine *engine, struct message *message)
{
    static const char owner[] = "RMRR of the DMAR table, printed at boot";

    if (field_has(&message->fields, FIELD_START) && field_has(&message->fields, FIELD_LAST))
        context_add_region(&engine->context, REGION_RESERVED_TABLE,
                           message->fields.number[FIELD_START], message->fields.number[FIELD_LAST],
                           (struct span){owner, sizeof(owner) - 1});
}

void hook_width(struct engine *engine, struct message *message)
{
    uint64_t bits = message->fields.number[FIELD_COUNT_DECIMAL];

    if (bits >= 32 && bits <= 64)
        engine->context.address_bits = (unsigned int)bits;
}
