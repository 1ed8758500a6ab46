// SPDX-License-Identifier: MIT
/*
 * The VT-d model's translation: root and context entries [9.1, 9.3], second-stage walk [3.6, 9.8],
 * pass-through, protected memory [6.8], interrupt window [3.15], and the movement of data.
 */
#include "models/vtd_internal.h"

#include <string.h>

/* What a context entry says [9.3]. */
#define CONTEXT_TYPE(low)    ((unsigned)FIELD64(low, 3, 2))
#define CONTEXT_WIDTH(high)  ((unsigned)FIELD64(high, 2, 0))
#define CONTEXT_DOMAIN(high) ((uint16_t)FIELD64(high, 23, 8))
#define TYPE_TABLES          0u
#define TYPE_TABLES_ATS      1u
#define TYPE_PASS            2u

/* Second-stage entry bits [9.8]. */
#define SS_READ  BIT64(0)
#define SS_WRITE BIT64(1)
#define SS_PAGE  BIT64(7)
#define SS_SNOOP BIT64(11)
#define SS_TM    BIT64(62)
#define SS_ADDR  MASK64(51, 12)

enum access_type {
    UNTRANSLATED = 0,
    TRANSLATION_REQUEST = 1,
    TRANSLATED = 2
};

static bool bad_fetch(const struct vtd_model *unit, sluice_phys_t phys)
{
    return unit->inject.bad_fetch != 0 &&
           (phys & ADDRESS_MASK) == (unit->inject.bad_fetch & ADDRESS_MASK);
}

static bool fetch_entry(struct vtd_model *unit, sluice_phys_t phys, uint64_t out[2])
{
    return !bad_fetch(unit, phys) &&
           model_host_fetch128(unit->host, phys, vtd_path(unit), "vtd: tables", out);
}

static bool beyond_host(const struct vtd_model *unit, uint64_t address)
{
    return address >> unit->config.host_bits != 0;
}

/* ---- context entries ---- */

static uint8_t check_context(struct vtd_model *unit, uint64_t low, uint64_t high)
{
    unsigned width = CONTEXT_WIDTH(high);
    unsigned type = CONTEXT_TYPE(low);

    if ((low & BIT64(0)) == 0)
        return VTD_REASON_CONTEXT_ABSENT;
    if ((low & MASK64(11, 4)) != 0 || (high & (BIT64(7) | MASK64(63, 24))) != 0 ||
        (type != TYPE_PASS && beyond_host(unit, low & ADDRESS_MASK)))
        return VTD_REASON_CONTEXT_RESERVED;
    if (type == 3 || (type == TYPE_TABLES_ATS && !unit->config.device_tlb) ||
        (type == TYPE_PASS && !unit->config.pass_through))
        return VTD_REASON_CONTEXT_INVALID;
    if (width > 4 || ((unsigned)unit->config.sagaw >> width & 1u) == 0)
        return VTD_REASON_CONTEXT_INVALID;
    if (type == TYPE_PASS && unit->config.sagaw >> (width + 1) != 0)
        vtd_violate(unit, "context: pass-through without the widest address width");
    if (CONTEXT_DOMAIN(high) >> unit->config.domain_bits != 0)
        vtd_violate(unit, "context: domain %#x does not exist", CONTEXT_DOMAIN(high));
    if (unit->config.caching_mode && CONTEXT_DOMAIN(high) == 0)
        vtd_violate(unit, "context: domain 0 is reserved in caching mode");
    return VTD_REASON_NONE;
}

static uint8_t read_context(struct vtd_model *unit, uint16_t rid, struct cached_context *out)
{
    sluice_phys_t at = (unit->root & ADDRESS_MASK) + (uint64_t)16 * (rid >> 8);
    uint64_t entry[2];

    *out = (struct cached_context){.rid = rid};
    unit->stats.walks++;
    if (!fetch_entry(unit, at, entry))
        return VTD_REASON_ROOT_ACCESS;
    if ((entry[0] & 1u) == 0)
        return VTD_REASON_ROOT_ABSENT;
    if ((entry[0] & MASK64(11, 1)) != 0 || entry[1] != 0 ||
        beyond_host(unit, entry[0] & ADDRESS_MASK))
        return VTD_REASON_ROOT_RESERVED;
    if (!fetch_entry(unit, (entry[0] & ADDRESS_MASK) + (uint64_t)16 * (rid & 0xffu), entry))
        return VTD_REASON_CONTEXT_ACCESS;
    out->low = entry[0];
    out->high = entry[1];
    out->fpd = (entry[0] & BIT64(1)) != 0;
    out->did = CONTEXT_DOMAIN(entry[1]);
    return check_context(unit, entry[0], entry[1]);
}

/* The context entry of a requester, from the cache if it is there. */
static struct cached_context get_context(struct vtd_model *unit, uint16_t rid)
{
    struct cached_context *known = vtd_context_find(unit, rid);
    struct cached_context fresh;
    uint8_t reason;

    if (known != NULL)
        return *known;
    reason = read_context(unit, rid, &fresh);
    fresh.reason = reason;
    if (fresh.reason == VTD_REASON_NONE || unit->config.caching_mode) {
        if (fresh.reason != VTD_REASON_NONE)
            fresh.did = 0; /* [6.1]: refusals are tagged with domain 0 */
        vtd_context_add(unit, &fresh);
    }
    return fresh;
}

/* ---- second-stage tables ---- */

static bool is_leaf(uint64_t entry, unsigned level)
{
    return level == 1 || (entry & SS_PAGE) != 0;
}

static uint8_t check_entry(const struct vtd_model *unit, uint64_t entry, unsigned level)
{
    uint64_t reserved = 0;

    if (beyond_host(unit, entry & SS_ADDR))
        return VTD_REASON_TABLE_RESERVED;
    if (level > 1 && (entry & SS_PAGE) != 0) {
        if (level > 3 || ((unsigned)unit->config.sllps >> (level - 2) & 1u) == 0)
            return VTD_REASON_TABLE_RESERVED;
        reserved |= MASK64(12 + 9 * (level - 1) - 1, 12);
    }
    if (is_leaf(entry, level)) {
        if (!unit->config.snoop_control)
            reserved |= SS_SNOOP;
        if (!unit->config.device_tlb)
            reserved |= SS_TM;
    }
    return (entry & reserved) != 0 ? VTD_REASON_TABLE_RESERVED : VTD_REASON_NONE;
}

/* Where to start: the lowest table that is cached, else the top. */
static unsigned start_table(struct vtd_model *unit, const struct cached_context *context,
                            uint64_t address, struct cached *at)
{
    unsigned levels = CONTEXT_WIDTH(context->high) + 2;

    for (unsigned level = 1; level < levels; level++) {
        const struct cached *known = vtd_cache_find(unit, context->did, level, address);

        if (known != NULL) {
            *at = *known;
            return level;
        }
    }
    at->phys = context->low & ADDRESS_MASK;
    at->read = at->write = true;
    return levels;
}

static void remember(struct vtd_model *unit, const struct cached *what, unsigned level,
                     uint64_t address)
{
    struct cached entry = *what;

    entry.level = (uint8_t)level;
    entry.index = address >> (12 + 9 * level);
    vtd_cache_add(unit, &entry);
}

/* Walks to the 4 KiB piece of `address`; fills in *out, refusals too (no permission, or reason). */
static void walk_tables(struct vtd_model *unit, const struct cached_context *context,
                        uint64_t address, struct cached *out)
{
    struct cached at = {0};
    unsigned level = start_table(unit, context, address, &at);
    bool top = at.phys == (context->low & ADDRESS_MASK);

    at.did = context->did;
    unit->stats.walks++;
    for (;; level--) {
        unsigned shift = 12 + 9 * (level - 1);
        sluice_phys_t where = at.phys + 8 * (address >> shift & 0x1ff);
        uint64_t entry;

        if (bad_fetch(unit, where) ||
            !model_host_fetch64(unit->host, where, vtd_path(unit), "vtd: tables", &entry)) {
            /* The top table is the context entry's own [7.1.3, LCT.4.3]. */
            at.reason = top ? VTD_REASON_CONTEXT_INVALID : VTD_REASON_TABLE_ACCESS;
            break;
        }
        at.read = at.read && (entry & SS_READ) != 0;
        at.write = at.write && (entry & SS_WRITE) != 0;
        if ((entry & (SS_READ | SS_WRITE)) == 0)
            break;
        at.reason = check_entry(unit, entry, level);
        if (at.reason != VTD_REASON_NONE)
            break;
        at.phys = entry & SS_ADDR;
        top = false;
        if (is_leaf(entry, level)) {
            at.phys |= address & (BIT64(shift) - 1) & ADDRESS_MASK;
            break;
        }
        remember(unit, &at, level - 1, address);
    }
    *out = at;
}

static void translate_page(struct vtd_model *unit, const struct cached_context *context,
                           uint64_t address, struct cached *out)
{
    const struct cached *known = vtd_cache_find(unit, context->did, 0, address);

    if (known != NULL) {
        unit->stats.iotlb_hits++;
        *out = *known;
        return;
    }
    walk_tables(unit, context, address, out);
    if ((out->reason == VTD_REASON_NONE && (out->read || out->write)) || unit->config.caching_mode)
        remember(unit, out, 0, address);
}

/* ---- one page of one request ---- */

static bool in_window(uint64_t address)
{
    return address >= MODEL_WINDOW_FIRST && address <= MODEL_WINDOW_LAST;
}

static bool is_protected(const struct vtd_model *unit, sluice_phys_t phys)
{
    uint64_t low_base = vtd_get32(unit, R_PLMBASE), low_limit = vtd_get32(unit, R_PLMLIMIT);
    uint64_t high_base = vtd_get64(unit, R_PHMBASE), high_limit = vtd_get64(unit, R_PHMLIMIT);

    if ((vtd_get32(unit, R_PMEN) & 1u) == 0)
        return false;
    return (unit->config.plmr && phys >= low_base && phys <= (low_limit | 0xfff)) ||
           (unit->config.phmr && phys >= high_base && phys <= (high_limit | 0xfff));
}

static uint8_t translate_by_tables(struct vtd_model *unit, const struct cached_context *context,
                                   const struct model_dma_request *request,
                                   struct model_translation *out)
{
    unsigned bits = 30 + 9 * CONTEXT_WIDTH(context->high);
    struct cached page;

    if (bits > unit->config.mgaw_bits)
        bits = unit->config.mgaw_bits;
    if (bits < 64 && request->address >> bits != 0)
        return VTD_REASON_BEYOND_WIDTH;
    translate_page(unit, context, request->address, &page);
    if (page.reason != VTD_REASON_NONE)
        return page.reason;
    out->read = page.read;
    out->write = page.write;
    if (!(request->write ? page.write : page.read))
        return request->write ? VTD_REASON_WRITE : VTD_REASON_READ;
    out->phys = page.phys | (request->address & 0xfff);
    if (in_window(out->phys)) {
        vtd_violate(unit, "tables map %#llx to the interrupt window",
                    (unsigned long long)request->address);
        return VTD_REASON_NONE;
    }
    out->valid = true;
    return VTD_REASON_NONE;
}

static uint8_t translate_by_context(struct vtd_model *unit, const struct cached_context *context,
                                    const struct model_dma_request *request,
                                    enum access_type access, struct model_translation *out)
{
    unsigned type = CONTEXT_TYPE(context->low);

    if (context->reason != VTD_REASON_NONE)
        return context->reason;
    if (access != UNTRANSLATED && type != TYPE_TABLES_ATS)
        return VTD_REASON_TYPE_BLOCKED;
    if (type != TYPE_PASS && access != TRANSLATED)
        return translate_by_tables(unit, context, request, out);
    out->phys = request->address;
    out->read = out->write = true;
    /* Protected regions hold for what is not translated, also while translation is on [6.8]. */
    out->valid = !is_protected(unit, out->phys) && !in_window(out->phys);
    return VTD_REASON_NONE;
}

static void translate(struct vtd_model *unit, const struct model_dma_request *request,
                      enum access_type access, struct model_translation *out)
{
    struct cached_context context;
    bool quiet;

    *out = (struct model_translation){0};
    if (unit->gone)
        return;
    if ((vtd_get32(unit, R_GSTS) & G_TE) == 0) {
        out->phys = request->address;
        out->valid = out->read = out->write = !is_protected(unit, request->address);
        return;
    }
    if (FIELD64(unit->root, 11, 10) != 0) {
        context = (struct cached_context){0};
        out->reason = FIELD64(unit->root, 11, 10) == 3 ? VTD_REASON_ABORT_MODE
                                                       : VTD_REASON_SCALABLE_ROOT_ABSENT;
    } else {
        context = get_context(unit, request->rid);
        out->reason = translate_by_context(unit, &context, request, access, out);
    }
    if (out->reason == VTD_REASON_NONE)
        return;
    /* A translation request learns of missing permissions from its answer [4.1.3]. */
    quiet = access == TRANSLATION_REQUEST &&
            (out->reason == VTD_REASON_READ || out->reason == VTD_REASON_WRITE);
    if (!quiet && !context.fpd)
        vtd_fault_record(unit, &(struct vtd_fault_detail){.rid = request->rid,
                                                          .address = request->address,
                                                          .write = request->write,
                                                          .address_type = (uint8_t)access,
                                                          .reason = (uint8_t)out->reason});
}

void vtd_model_ats_request(struct vtd_model *unit, uint16_t rid, uint64_t address,
                           struct model_translation *out)
{
    struct model_dma_request request = {.rid = rid, .address = address & ADDRESS_MASK};

    vtd_model_lock(unit);
    translate(unit, &request, TRANSLATION_REQUEST, out);
    vtd_model_unlock(unit);
}

/* A write to the window is a message, not memory [5.1]. */
static bool send_message(struct vtd_model *unit, const struct model_dma_request *request,
                         const void *data, size_t bytes, uint16_t *reason)
{
    uint32_t word;

    if (!request->write || bytes != sizeof(word) || unit->gone)
        return false;
    memcpy(&word, data, sizeof(word));
    *reason = vtd_model_message(unit, request->rid, request->address, word);
    return *reason == VTD_REASON_NONE;
}

/* Moves what lies in one page. */
static bool move_chunk(struct vtd_model *unit, const struct model_dma_request *request,
                       uint8_t *data, size_t bytes, struct model_dma_result *result)
{
    struct model_translation to;

    if (!request->translated && in_window(request->address))
        return send_message(unit, request, data, bytes, &result->reason);
    translate(unit, request, request->translated ? TRANSLATED : UNTRANSLATED, &to);
    result->reason = to.reason;
    if (!to.valid)
        return false;
    if (request->write)
        return model_host_write(unit->host, to.phys, data, bytes);
    return model_host_read(unit->host, to.phys, data, bytes);
}

bool vtd_model_dma(struct vtd_model *unit, const struct model_dma_request *request, void *data,
                   size_t bytes, struct model_dma_result *result)
{
    struct model_dma_request part = *request;
    struct model_dma_result outcome = {.done = true};

    vtd_model_lock(unit);
    while (outcome.moved < bytes) {
        size_t room = (size_t)(MODEL_PAGE_BYTES - part.address % MODEL_PAGE_BYTES);
        size_t chunk = bytes - outcome.moved < room ? bytes - outcome.moved : room;

        outcome.address = part.address & ADDRESS_MASK;
        if (!move_chunk(unit, &part, (uint8_t *)data + outcome.moved, chunk, &outcome)) {
            outcome.done = false;
            break;
        }
        outcome.moved += chunk;
        part.address += chunk;
    }
    vtd_model_unlock(unit);
    if (result != NULL)
        *result = outcome;
    return outcome.done;
}
