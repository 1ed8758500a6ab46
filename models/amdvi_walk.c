// SPDX-License-Identifier: MIT
/*
 * The AMD-Vi model's translation: device table entries [2.2.2], host page tables [2.2.3], exclusion
 * range [3.4], addresses that are no memory [2.1.4], and the movement of data.
 */
#include "models/amdvi_internal.h"

#include <string.h>

/* Device table entry words. */
#define D_V         BIT64(0)
#define D_TV        BIT64(1)
#define D_MODE(w)   ((unsigned)FIELD64(w, 11, 9))
#define D_IR        BIT64(61)
#define D_IW        BIT64(62)
#define D_DOMAIN(w) ((uint16_t)(w))
#define D_IOTLB     BIT64(32)
#define D_SA        BIT64(34)
#define D_EX        BIT64(39)
#define D0_RESERVED (MASK64(6, 2) | BIT64(63))
#define D2_RESERVED MASK64(53, 52)

/* Page table entries. */
#define P_PRESENT        BIT64(0)
#define P_NEXT(e)        ((unsigned)FIELD64(e, 11, 9))
#define P_READ           BIT64(61)
#define P_WRITE          BIT64(62)
#define P_TABLE_RESERVED (BIT64(59) | BIT64(60) | MASK64(58, 52))

/* Flags of an IO_PAGE_FAULT. */
#define F_PRESENT  BIT64(52)
#define F_WRITE    BIT64(53)
#define F_DENIED   BIT64(54)
#define F_RESERVED BIT64(55)
#define F_REQUEST  BIT64(56)

#define SPECIAL_FIRST ((uint64_t)0xfd00000000)
#define SPECIAL_LAST  ((uint64_t)0xffffffffff)

enum access_type {
    UNTRANSLATED = 0,
    TRANSLATION_REQUEST = 1,
    TRANSLATED = 2
};

static bool bad_fetch(const struct amdvi_model *unit, sluice_phys_t phys)
{
    return unit->inject.bad_fetch != 0 &&
           (phys & PAGE_MASK) == (unit->inject.bad_fetch & PAGE_MASK);
}

static bool beyond(const struct amdvi_model *unit, uint64_t address)
{
    return address >> unit->config.phys_bits != 0;
}

/* ---- device table entries ---- */

static uint8_t check_entry(struct amdvi_model *unit, const uint64_t word[4])
{
    unsigned mode = D_MODE(word[0]);

    if ((word[0] & D0_RESERVED) != 0 || (word[2] & D2_RESERVED) != 0 || word[3] != 0 || mode == 7 ||
        mode > unit->config.levels || beyond(unit, word[0] & ADDRESS) ||
        ((word[1] & D_IOTLB) != 0 && !unit->config.device_tlb))
        return E_ILLEGAL_ENTRY;
    if ((word[0] & D_TV) == 0)
        amdvi_violate(unit, "device table entry: V without TV");
    if (mode != 0 && D_DOMAIN(word[1]) == 0)
        amdvi_violate(unit, "device table entry: tables with domain 0");
    if (mode == 0 && (word[1] & D_IOTLB) != 0)
        amdvi_violate(unit, "device table entry: device TLB without tables");
    if ((word[1] & D_EX) != 0)
        amdvi_violate(unit, "device table entry: may go round its tables by the exclusion range");
    return 0;
}

static bool fetch_entry(struct amdvi_model *unit, sluice_phys_t at, uint64_t word[4])
{
    enum model_path path =
        (amdvi_get(unit, A_CONTROL) & C_COHERENT) != 0 ? MODEL_SNOOPED : MODEL_BEHIND;

    return !bad_fetch(unit, at) &&
           model_host_fetch128(unit->host, at, path, "amdvi: device table", word) &&
           model_host_fetch128(unit->host, at + 16, path, "amdvi: device table", word + 2);
}

/*
 * Where a requester's entry is: its highest bits choose the segment, the rest counts within that
 * [2.2.2, 3.4]. False: behind the end.
 */
static bool entry_address(const struct amdvi_model *unit, uint16_t rid, sluice_phys_t *out)
{
    unsigned lg2 = (unsigned)FIELD64(amdvi_get(unit, A_CONTROL), 36, 34);
    unsigned segment = (unsigned)rid >> (16 - lg2);
    uint64_t base = amdvi_get(unit, segment == 0 ? A_DEVTAB : A_SEGMENT1 + (segment - 1) * 8);
    uint64_t offset = (rid & (BIT64(16 - lg2) - 1)) * 32;

    *out = (base & ADDRESS) + offset;
    return offset < (FIELD64(base, 8, 0) + 1) * 4096;
}

struct amdvi_cached_entry amdvi_entry_get(struct amdvi_model *unit, uint16_t rid)
{
    sluice_phys_t at;
    const struct amdvi_cached_entry *known = amdvi_entry_find(unit, rid);
    struct amdvi_cached_entry entry = {.rid = rid};

    if (known != NULL)
        return *known;
    unit->stats.walks++;
    if (!entry_address(unit, rid, &at))
        entry.event = E_ILLEGAL_ENTRY;
    else if (!fetch_entry(unit, at, entry.word))
        entry.event = E_TABLE_ERROR;
    else if ((entry.word[0] & D_V) != 0)
        entry.event = check_entry(unit, entry.word);
    if (entry.event == 0)
        amdvi_entry_add(unit, &entry);
    return entry;
}

/* ---- page tables ---- */

struct outcome {
    uint8_t event;
    uint64_t flags; /**< of a page fault */
    uint64_t high;  /**< address of an entry that could not be read */
};

static uint64_t reach(unsigned level)
{
    return level >= 6 ? UINT64_MAX : BIT64(12 + 9 * level) - 1;
}

/* Where to start: the lowest table that is cached, else the top. */
static unsigned start_table(struct amdvi_model *unit, const struct amdvi_cached_entry *entry,
                            uint64_t address, struct amdvi_cached *at)
{
    for (unsigned level = 1; level < D_MODE(entry->word[0]); level++) {
        const struct amdvi_cached *known =
            amdvi_cache_find(unit, D_DOMAIN(entry->word[1]), level, address);

        if (known != NULL) {
            *at = *known;
            return level;
        }
    }
    at->domain = D_DOMAIN(entry->word[1]);
    at->phys = entry->word[0] & ADDRESS;
    at->read = (entry->word[0] & D_IR) != 0;
    at->write = (entry->word[0] & D_IW) != 0;
    return D_MODE(entry->word[0]);
}

static void remember(struct amdvi_model *unit, const struct amdvi_cached *what, unsigned level,
                     uint64_t address)
{
    struct amdvi_cached entry = *what;

    entry.level = (uint8_t)level;
    entry.index = address >> (12 + 9 * level);
    amdvi_cache_add(unit, &entry);
}

/* Whether the entry's own bits are right for its place. */
static bool reserved_bits(const struct amdvi_model *unit, uint64_t entry, unsigned level)
{
    unsigned next = P_NEXT(entry);

    if (beyond(unit, entry & ADDRESS) || next >= level)
        return true; /* 7, a page of another size, is made by nobody here */
    if (next != 0)
        return (entry & P_TABLE_RESERVED) != 0;
    return (entry & ADDRESS & reach(level - 1)) != 0;
}

/* Walks to the 4 KiB piece of `address`. True: *out is it, with the permissions of the way. */
static bool walk(struct amdvi_model *unit, const struct amdvi_cached_entry *entry, uint64_t address,
                 struct amdvi_cached *out, struct outcome *why)
{
    struct amdvi_cached at = {0};
    unsigned level = start_table(unit, entry, address, &at);

    unit->stats.walks++;
    if (address > reach(D_MODE(entry->word[0]))) {
        *why = (struct outcome){.event = E_PAGE_FAULT};
        return false;
    }
    for (;;) {
        unsigned shift = 12 + 9 * (level - 1);
        sluice_phys_t where = at.phys + 8 * (address >> shift & 0x1ff);
        uint64_t pte;

        if (bad_fetch(unit, where) ||
            !model_host_fetch64(unit->host, where, MODEL_SNOOPED, "amdvi: tables", &pte)) {
            *why = (struct outcome){.event = E_PAGE_TABLE_ERROR, .high = where};
            return false;
        }
        if ((pte & P_PRESENT) == 0) {
            at.refused = true;
            *out = at;
            *why = (struct outcome){.event = E_PAGE_FAULT};
            return false;
        }
        if (reserved_bits(unit, pte, level)) {
            *why = (struct outcome){.event = E_PAGE_FAULT, .flags = F_PRESENT | F_RESERVED};
            return false;
        }
        at.read = at.read && (pte & P_READ) != 0;
        at.write = at.write && (pte & P_WRITE) != 0;
        at.phys = pte & ADDRESS;
        if (P_NEXT(pte) == 0) {
            at.phys |= address & reach(level - 1) & PAGE_MASK;
            *out = at;
            return true;
        }
        if (P_NEXT(pte) + 1 != level)
            amdvi_violate(unit, "tables skip levels at %#llx", (unsigned long long)address);
        level = P_NEXT(pte);
        remember(unit, &at, level, address);
    }
}

static bool translate_page(struct amdvi_model *unit, const struct amdvi_cached_entry *entry,
                           uint64_t address, struct amdvi_cached *out, struct outcome *why)
{
    const struct amdvi_cached *known = amdvi_cache_find(unit, D_DOMAIN(entry->word[1]), 0, address);

    *out = (struct amdvi_cached){0};
    if (known != NULL) {
        unit->stats.iotlb_hits++;
        *out = *known;
        *why = (struct outcome){.event = E_PAGE_FAULT};
        return !known->refused;
    }
    if (walk(unit, entry, address, out, why)) {
        remember(unit, out, 0, address);
        return true;
    }
    if (out->refused && unit->config.np_cache)
        remember(unit, out, 0, address);
    return false;
}

/* ---- one page of one request ---- */

static bool in_window(uint64_t address)
{
    return address >= MODEL_WINDOW_FIRST && address <= MODEL_WINDOW_LAST;
}

static bool excluded(const struct amdvi_model *unit, const struct amdvi_cached_entry *entry,
                     uint64_t address)
{
    uint64_t base = amdvi_get(unit, A_EXCL_BASE);

    return (base & 1) != 0 && ((base & 2) != 0 || (entry->word[1] & D_EX) != 0) &&
           address >= (base & ADDRESS) && address <= (amdvi_get(unit, A_EXCL_LIMIT) | 0xfff);
}

static struct outcome by_tables(struct amdvi_model *unit, const struct amdvi_cached_entry *entry,
                                const struct model_dma_request *request,
                                struct model_translation *out)
{
    struct amdvi_cached page;
    struct outcome why;

    if (!translate_page(unit, entry, request->address, &page, &why))
        return why;
    out->read = page.read;
    out->write = page.write;
    if (!(request->write ? page.write : page.read))
        return (struct outcome){.event = E_PAGE_FAULT, .flags = F_PRESENT | F_DENIED};
    out->phys = page.phys | (request->address & 0xfff);
    out->valid = !in_window(out->phys);
    if (!out->valid)
        amdvi_violate(unit, "tables map %#llx to the interrupt window",
                      (unsigned long long)request->address);
    return (struct outcome){0};
}

static void pass(struct model_translation *out, uint64_t address)
{
    out->phys = address;
    out->valid = out->read = out->write = true;
}

static struct outcome by_entry(struct amdvi_model *unit, const struct amdvi_cached_entry *entry,
                               const struct model_dma_request *request, enum access_type access,
                               struct model_translation *out)
{
    bool may = (entry->word[0] & (request->write ? D_IW : D_IR)) != 0;

    if (entry->event != 0)
        return (struct outcome){.event = entry->event, .high = request->address};
    if ((entry->word[0] & D_V) == 0) {
        unit->stats.passed++;
        amdvi_violate(unit, "device table entry of %04x lets everything pass", entry->rid);
        pass(out, request->address);
        return (struct outcome){0};
    }
    if (request->address >= SPECIAL_FIRST && request->address <= SPECIAL_LAST)
        return (struct outcome){.event = E_INVALID_REQUEST};
    if (access != UNTRANSLATED && (entry->word[1] & D_IOTLB) == 0)
        return (struct outcome){.event = E_INVALID_REQUEST};
    if (access == TRANSLATED || excluded(unit, entry, request->address)) {
        pass(out, request->address);
        return (struct outcome){0};
    }
    if (D_MODE(entry->word[0]) != 0)
        return by_tables(unit, entry, request, out);
    if (!may)
        return (struct outcome){.event = E_PAGE_FAULT, .flags = F_PRESENT | F_DENIED};
    pass(out, request->address);
    return (struct outcome){0};
}

static void translate(struct amdvi_model *unit, const struct model_dma_request *request,
                      enum access_type access, struct model_translation *out)
{
    struct amdvi_cached_entry entry;
    struct outcome outcome;

    *out = (struct model_translation){0};
    if (unit->gone)
        return;
    if ((amdvi_get(unit, A_CONTROL) & C_EN) == 0) {
        pass(out, request->address);
        return;
    }
    entry = amdvi_entry_get(unit, request->rid);
    outcome = by_entry(unit, &entry, request, access, out);
    out->reason = outcome.event;
    if (outcome.event == 0)
        return;
    if (outcome.event == E_TABLE_ERROR)
        (void)entry_address(unit, request->rid, &outcome.high);
    else if (outcome.event != E_PAGE_TABLE_ERROR)
        outcome.high = request->address;
    /* [2.2.2.1, SA]: of page faults alone. */
    if (outcome.event == E_PAGE_FAULT && (entry.word[1] & D_SA) != 0)
        return;
    amdvi_put_event(unit, outcome.event,
                    request->rid | (uint64_t)D_DOMAIN(entry.word[1]) << 32 | outcome.flags |
                        (request->write ? F_WRITE : 0) |
                        (access == TRANSLATION_REQUEST ? F_REQUEST : 0),
                    outcome.high);
}

void amdvi_ats_request(void *unit, uint16_t rid, uint64_t address, struct model_translation *out)
{
    struct model_dma_request request = {.rid = rid, .address = address & PAGE_MASK};

    amdvi_model_lock(unit);
    translate(unit, &request, TRANSLATION_REQUEST, out);
    amdvi_model_unlock(unit);
}

/* A write to the window is a message, not memory. */
static bool send_message(struct amdvi_model *unit, const struct model_dma_request *request,
                         const void *data, size_t bytes, struct model_dma_result *result)
{
    uint32_t word;

    if (!request->write || bytes != sizeof(word) || unit->gone)
        return false;
    memcpy(&word, data, sizeof(word));
    result->reason = amdvi_model_message(unit, request->rid, request->address, word);
    return result->reason == 0;
}

/* Moves what lies in one page. */
static bool move_chunk(struct amdvi_model *unit, const struct model_dma_request *request,
                       uint8_t *data, size_t bytes, struct model_dma_result *result)
{
    struct model_translation to;

    if (!request->translated && in_window(request->address))
        return send_message(unit, request, data, bytes, result);
    translate(unit, request, request->translated ? TRANSLATED : UNTRANSLATED, &to);
    result->reason = to.reason;
    if (!to.valid)
        return false;
    if (request->write)
        return model_host_write(unit->host, to.phys, data, bytes);
    return model_host_read(unit->host, to.phys, data, bytes);
}

bool amdvi_model_dma(struct amdvi_model *unit, const struct model_dma_request *request, void *data,
                     size_t bytes, struct model_dma_result *result)
{
    struct model_dma_request part = *request;
    struct model_dma_result outcome = {.done = true};

    amdvi_model_lock(unit);
    while (outcome.moved < bytes) {
        size_t room = (size_t)(MODEL_PAGE_BYTES - part.address % MODEL_PAGE_BYTES);
        size_t chunk = bytes - outcome.moved < room ? bytes - outcome.moved : room;

        outcome.address = part.address & PAGE_MASK;
        if (!move_chunk(unit, &part, (uint8_t *)data + outcome.moved, chunk, &outcome)) {
            outcome.done = false;
            break;
        }
        outcome.moved += chunk;
        part.address += chunk;
    }
    amdvi_model_unlock(unit);
    if (result != NULL)
        *result = outcome;
    return outcome.done;
}
