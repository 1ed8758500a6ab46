// SPDX-License-Identifier: MIT
/*
 * The AMD-Vi model's interrupt remapping [2.2.2.1, 2.2.5]: what a device table entry says of
 * interrupts, tables of either format with a cache, and what becomes of a message.
 *
 * Entries stay in the cache, by requester and number, until INVALIDATE_INTERRUPT_TABLE names the
 * requester, so a missing one shows as an interrupt at the old place.
 */
#include "models/amdvi_internal.h"

#include <string.h>

/* Device table entry, word 2. */
#define D2_IV        BIT64(0)
#define D2_LENGTH(w) ((unsigned)FIELD64(w, 4, 1))
#define D2_QUIET     BIT64(5)
#define D2_ROOT      MASK64(51, 6)
#define D2_INIT      BIT64(56)
#define D2_EXTINT    BIT64(57)
#define D2_NMI       BIT64(58)
#define D2_CONTROL   60 /* 2 bits */
#define D2_UNKNOWN   (MASK64(55, 52) | BIT64(59))

/* Both formats of entries have these. */
#define IR_REMAP      BIT64(0)
#define IR_QUIET      BIT64(1)
#define IR_GUEST_MODE BIT64(7)

/* Flags of an event. */
#define F_INTERRUPT BIT64(51)
#define F_PRESENT   BIT64(52)
#define F_RESERVED  BIT64(55)

/* Delivery modes of a message [SDM 3 10.11.2]. */
enum {
    M_FIXED = 0,
    M_LOWEST = 1,
    M_SMI = 2,
    M_NMI = 4,
    M_INIT = 5,
    M_EXTINT = 7,
};

#define ADDRESS_LOGICAL BIT64(2)

struct message {
    uint16_t rid;
    uint64_t address;
    uint32_t data;
};

static bool wide(const struct amdvi_model *unit)
{
    return (amdvi_get(unit, A_CONTROL) & C_GA) != 0;
}

static bool many(const struct amdvi_model *unit)
{
    return FIELD64(amdvi_get(unit, A_CONTROL), 44, 43) == 1;
}

/* ---- the cache ---- */

void amdvi_interrupt_drop(struct amdvi_model *unit, bool any, uint16_t rid)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < unit->interrupt_count; i++) {
        if (!any && unit->interrupts[i].rid != rid)
            unit->interrupts[kept++] = unit->interrupts[i];
    }
    unit->interrupt_count = kept;
}

static const struct amdvi_cached_interrupt *find(const struct amdvi_model *unit, uint16_t rid,
                                                 uint32_t index)
{
    for (unsigned i = 0; i < unit->interrupt_count; i++) {
        if (unit->interrupts[i].rid == rid && unit->interrupts[i].index == index)
            return &unit->interrupts[i];
    }
    return NULL;
}

static void remember(struct amdvi_model *unit, const struct amdvi_cached_interrupt *entry)
{
    if (unit->interrupt_count == INTERRUPTS_MAX)
        unit->interrupt_count--; /* caches may forget */
    unit->interrupts[unit->interrupt_count++] = *entry;
}

static bool fetch(struct amdvi_model *unit, sluice_phys_t table,
                  struct amdvi_cached_interrupt *entry)
{
    sluice_phys_t at = table + (uint64_t)entry->index * (wide(unit) ? 16 : 4);

    if (unit->inject.bad_fetch != 0 && (at & PAGE_MASK) == (unit->inject.bad_fetch & PAGE_MASK))
        return false;
    if (wide(unit))
        return model_host_fetch128(unit->host, at, MODEL_SNOOPED, "amdvi: interrupt table",
                                   entry->word);
    if (!model_host_fetch64(unit->host, at & ~(sluice_phys_t)7, MODEL_SNOOPED,
                            "amdvi: interrupt table", &entry->word[0]))
        return false;
    entry->word[0] = (uint32_t)(entry->word[0] >> (at & 4) * 8);
    return true;
}

/* ---- entries ---- */

static bool reserved_bits(const struct amdvi_model *unit, const uint64_t word[2])
{
    bool x2apic = (amdvi_get(unit, A_CONTROL) & C_XT) != 0;

    if (!wide(unit))
        return (word[0] & (BIT64(7) | MASK64(31, 24))) != 0 || FIELD64(word[0], 4, 2) > M_LOWEST;
    if ((word[0] & IR_GUEST_MODE) != 0)
        return true; /* this unit has no virtual APICs */
    if (!x2apic && ((word[0] & MASK64(31, 16)) != 0 || (word[1] & MASK64(63, 56)) != 0))
        return true;
    return (word[0] & MASK64(63, 32)) != 0 || (word[1] & MASK64(55, 8)) != 0 ||
           FIELD64(word[0], 4, 2) > M_LOWEST;
}

static void deliver(struct amdvi_model *unit, const struct amdvi_model_interrupt *interrupt)
{
    uint64_t address = MODEL_WINDOW_FIRST | (uint64_t)(interrupt->destination & 0xffu) << 12 |
                       (uint64_t)(interrupt->destination >> 8) << 40 |
                       (interrupt->logical ? ADDRESS_LOGICAL : 0);

    if (unit->interrupt_sink != NULL)
        unit->interrupt_sink(unit->interrupt_sink_arg, interrupt);
    else
        model_host_post_msi(unit->host, address,
                            interrupt->vector | (uint32_t)interrupt->delivery << 8);
}

static void pass(struct amdvi_model *unit, const struct message *message)
{
    const struct amdvi_model_interrupt interrupt = {
        .rid = message->rid,
        .destination = (uint32_t)FIELD64(message->address, 19, 12),
        .vector = (uint8_t)message->data,
        .delivery = (uint8_t)FIELD64(message->data, 10, 8),
        .logical = (message->address & ADDRESS_LOGICAL) != 0,
    };

    if (unit->interrupt_sink != NULL)
        unit->interrupt_sink(unit->interrupt_sink_arg, &interrupt);
    else
        model_host_post_msi(unit->host, message->address, message->data);
}

static uint8_t refuse(struct amdvi_model *unit, const struct message *message, uint8_t event,
                      uint64_t flags)
{
    amdvi_put_event(unit, event, message->rid | F_INTERRUPT | flags, message->address);
    return event;
}

static void deliver_by(struct amdvi_model *unit, const struct message *message,
                       const uint64_t word[2])
{
    struct amdvi_model_interrupt interrupt = {
        .rid = message->rid,
        .remapped = true,
        .delivery = (uint8_t)FIELD64(word[0], 4, 2),
        .logical = (word[0] & BIT64(6)) != 0,
        .destination = (uint32_t)FIELD64(word[0], 15, 8),
        .vector = (uint8_t)FIELD64(word[0], 23, 16),
    };

    if (wide(unit)) {
        interrupt.destination = (uint32_t)(FIELD64(word[0], 31, 8) | word[1] >> 56 << 24);
        interrupt.vector = (uint8_t)word[1];
    }
    deliver(unit, &interrupt);
}

static uint8_t remap(struct amdvi_model *unit, const struct message *message, uint64_t fields)
{
    struct amdvi_cached_interrupt entry = {.rid = message->rid,
                                           .index = message->data & (many(unit) ? 0x7ffu : 0x1ffu)};
    const struct amdvi_cached_interrupt *known = find(unit, entry.rid, entry.index);

    if (entry.index >= 1u << D2_LENGTH(fields))
        return refuse(unit, message, E_PAGE_FAULT, 0);
    if (known != NULL) {
        entry = *known;
    } else {
        if (!fetch(unit, fields & D2_ROOT, &entry))
            return refuse(unit, message, E_PAGE_TABLE_ERROR, 0);
        if ((entry.word[0] & IR_REMAP) != 0 || unit->config.np_cache)
            remember(unit, &entry);
    }
    if ((entry.word[0] & IR_REMAP) == 0)
        return (entry.word[0] & IR_QUIET) != 0 ? E_PAGE_FAULT
                                               : refuse(unit, message, E_PAGE_FAULT, 0);
    if (reserved_bits(unit, entry.word))
        return refuse(unit, message, E_PAGE_FAULT, F_PRESENT | F_RESERVED);
    deliver_by(unit, message, entry.word);
    return 0;
}

/* ---- what the device table entry says ---- */

static bool fields_illegal(const struct amdvi_model *unit, uint64_t fields)
{
    return (fields & D2_UNKNOWN) != 0 || FIELD64(fields, 61, 60) == 3 ||
           D2_LENGTH(fields) > (many(unit) ? 11u : 9u) ||
           (fields & D2_ROOT) >> unit->config.phys_bits != 0;
}

static uint8_t by_kind(struct amdvi_model *unit, const struct message *message, uint64_t fields)
{
    static const uint64_t passes[8] = {
        [M_NMI] = D2_NMI, [M_INIT] = D2_INIT, [M_EXTINT] = D2_EXTINT};
    unsigned mode = (unsigned)FIELD64(message->data, 10, 8);

    if (mode > M_LOWEST && !many(unit)) {
        if ((fields & passes[mode]) == 0)
            return refuse(unit, message, E_PAGE_FAULT, 0);
        pass(unit, message);
        return 0;
    }
    switch (FIELD64(fields, 61, 60)) {
    case 1:
        pass(unit, message);
        return 0;
    case 2:
        return remap(unit, message, fields);
    default:
        return (fields & D2_QUIET) != 0 ? E_PAGE_FAULT : refuse(unit, message, E_PAGE_FAULT, 0);
    }
}

uint8_t amdvi_model_message(struct amdvi_model *unit, uint16_t rid, uint64_t address, uint32_t data)
{
    const struct message message = {rid, address, data};
    struct amdvi_cached_entry entry;
    uint8_t event = 0;

    amdvi_model_lock(unit);
    if (unit->gone) {
        event = E_TABLE_ERROR;
    } else if ((amdvi_get(unit, A_CONTROL) & C_EN) == 0) {
        pass(unit, &message);
    } else {
        entry = amdvi_entry_get(unit, rid);
        if (entry.event == 0 && (entry.word[2] & D2_IV) != 0 && fields_illegal(unit, entry.word[2]))
            entry.event = E_ILLEGAL_ENTRY;
        if (entry.event != 0)
            event = refuse(unit, &message, entry.event, 0);
        else if ((entry.word[2] & D2_IV) == 0)
            pass(unit, &message);
        else
            event = by_kind(unit, &message, entry.word[2]);
    }
    amdvi_model_unlock(unit);
    return event;
}

uint8_t amdvi_model_ioapic(struct amdvi_model *unit, uint16_t rid, uint64_t entry)
{
    uint64_t address = MODEL_WINDOW_FIRST | FIELD64(entry, 63, 56) << 12 |
                       (FIELD64(entry, 11, 11) != 0 ? ADDRESS_LOGICAL : 0);

    if ((entry & BIT64(16)) != 0)
        return 0;
    /* [82093AA 3.2.4]: what a pin cannot send. */
    if ((entry & 0xff) < 0x10 || (entry & 0xff) > 0xfe)
        amdvi_violate(unit, "IOAPIC: vector %#x of a pin", (unsigned)(entry & 0xff));
    return amdvi_model_message(unit, rid, address, (uint32_t)(entry & 0x7ff));
}

/* ---- the format ---- */

/* Whether any requester whose entry is known has its interrupts remapped. */
static bool tables_in_use(const struct amdvi_model *unit)
{
    for (unsigned i = 0; i < unit->entry_count; i++) {
        uint64_t fields = unit->entries[i].word[2];

        if ((fields & D2_IV) != 0 && FIELD64(fields, 61, 60) == 2)
            return true;
    }
    return false;
}

bool amdvi_interrupt_control(struct amdvi_model *unit, uint64_t before, uint64_t value)
{
    uint64_t format = C_GA | C_XT | MASK64(44, 43);

    if ((value & C_XT) != 0 && ((value & C_GA) == 0 || (before & C_GA) == 0))
        amdvi_violate(unit, "CONTROL: x2APIC destinations before wide interrupt entries");
    if ((before & C_EN) != 0 && ((before ^ value) & format) != 0 && tables_in_use(unit))
        amdvi_violate(unit, "CONTROL: the format of interrupt entries changed while one is used");
    return ((before ^ value) & format) != 0 && (before & value & C_EN) != 0;
}

void amdvi_model_set_interrupt_sink(struct amdvi_model *unit, amdvi_model_interrupt_sink *sink,
                                    void *arg)
{
    amdvi_model_lock(unit);
    unit->interrupt_sink = sink;
    unit->interrupt_sink_arg = arg;
    amdvi_model_unlock(unit);
}

unsigned amdvi_model_interrupt_entries(struct amdvi_model *unit)
{
    unsigned count;

    amdvi_model_lock(unit);
    count = unit->interrupt_count;
    amdvi_model_unlock(unit);
    return count;
}
