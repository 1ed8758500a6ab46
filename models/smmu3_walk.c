// SPDX-License-Identifier: MIT
/*
 * The SMMUv3 model's translation: from a stream to its configuration [SMMU 5.1, 5.2, 5.4], from an
 * address to memory [Arm ARM D8.2, D8.3].
 */
#include "models/smmu3_internal.h"

#include <string.h>

enum {
    E_BAD_STREAM = 0x02,
    E_STE_FETCH = 0x03,
    E_BAD_STE = 0x04,
    E_BAD_ATS = 0x05,
    E_FORBIDDEN = 0x07,
    E_CD_FETCH = 0x09,
    E_BAD_CD = 0x0a,
    E_WALK = 0x0b,
    E_TRANSLATION = 0x10,
    E_ADDR_SIZE = 0x11,
    E_ACCESS = 0x12,
    E_PERMISSION = 0x13,
};

#define REFUSED 8u

static const unsigned oas_bits[8] = {32, 36, 40, 42, 44, 48, 52, 52};

bool smmu3_fetch(struct smmu3_model *unit, sluice_phys_t phys, uint64_t *out)
{
    if (unit->inject.bad_fetch != 0 && (phys & ~MASK64(11, 0)) == unit->inject.bad_fetch)
        return false;
    return model_host_fetch64(unit->host, phys, smmu3_path(unit), "smmu3: tables", out);
}

static bool fetch_structure(struct smmu3_model *unit, sluice_phys_t phys, uint64_t word[8])
{
    for (unsigned i = 0; i < 8; i++) {
        if (!smmu3_fetch(unit, phys + (uint64_t)i * 8, &word[i]))
            return false;
    }
    return true;
}

static uint8_t refuse(struct smmu3_stream *stream, uint8_t event)
{
    stream->config = REFUSED;
    stream->event = event;
    return event;
}

/* Where the entry is; 0, or an event. */
static uint8_t entry_at(struct smmu3_model *unit, uint32_t sid, sluice_phys_t *out)
{
    uint64_t base = smmu3_get64(unit, R_STRTAB_BASE) & MASK64(51, 6);
    uint32_t config = smmu3_get(unit, R_STRTAB_CFG);
    unsigned bits = config & 0x3f, split = (unsigned)FIELD64(config, 10, 6);
    uint64_t descriptor;

    if (bits < 32 && sid >> bits != 0)
        return E_BAD_STREAM;
    if (FIELD64(config, 17, 16) == 0) {
        *out = base + sid * 64ull;
        return 0;
    }
    if (!unit->config.two_level || (split != 6 && split != 8 && split != 10))
        smmu3_violate(unit, "STRTAB_BASE_CFG: %#x is not possible", config);
    if (!smmu3_fetch(unit, base + (sid >> split) * 8ull, &descriptor))
        return E_STE_FETCH;
    if ((descriptor & 31) == 0 || (descriptor & 31) > split + 1 ||
        (sid & ((1u << split) - 1)) >> ((descriptor & 31) - 1) != 0)
        return E_BAD_STREAM;
    *out = (descriptor & MASK64(51, 6)) + (sid & ((1u << split) - 1)) * 64ull;
    return 0;
}

static unsigned granule_of(uint64_t tg)
{
    return tg == 0 ? 12 : tg == 1 ? 16 : tg == 2 ? 14 : 0;
}

static bool has_granule(const struct smmu3_model *unit, unsigned granule)
{
    return granule != 0 && (unit->config.granules >> (granule - 12) / 2 & 1) != 0;
}

/* Levels above the pages of a stage 1 root: as few as the width takes. */
static unsigned stage1_start(unsigned granule, unsigned bits)
{
    return (bits - granule + (granule - 3) - 1) / (granule - 3) - 1;
}

static uint8_t read_context(struct smmu3_model *unit, const uint64_t ste[8],
                            struct smmu3_stream *out)
{
    uint64_t cd[8];

    if (FIELD64(ste[0], 63, 59) != 0 || FIELD64(ste[0], 5, 4) != 0)
        return refuse(out, E_BAD_STE); /* no substreams in this model */
    if (!fetch_structure(unit, ste[0] & MASK64(51, 6), cd))
        return refuse(out, E_CD_FETCH);
    out->asid = (uint16_t)(cd[0] >> 48);
    out->vmid = (uint16_t)ste[2];
    out->granule = granule_of(FIELD64(cd[0], 7, 6));
    out->input_bits = 64 - (unsigned)FIELD64(cd[0], 5, 0);
    out->output_bits = oas_bits[FIELD64(cd[0], 34, 32)];
    out->root = cd[1] & MASK64(51, 4);
    out->stall = FIELD64(cd[0], 44, 44) != 0;
    if (FIELD64(cd[0], 31, 31) == 0 || FIELD64(cd[0], 41, 41) == 0 || /* V, AA64 */
        FIELD64(cd[0], 46, 46) == 0 ||                                /* A: TERM_MODEL 1 */
        !has_granule(unit, out->granule) || out->input_bits > 48 || out->input_bits < 25 ||
        (out->stall && unit->config.stall == 1) || (!out->stall && unit->config.stall == 2) ||
        FIELD64(cd[0], 34, 32) > unit->config.oas || (!unit->config.wide_tags && out->asid > 255))
        return refuse(out, E_BAD_CD);
    out->start = stage1_start(out->granule, out->input_bits);
    return 0;
}

static uint8_t read_stage2(struct smmu3_model *unit, const uint64_t ste[8],
                           struct smmu3_stream *out)
{
    unsigned sl0 = (unsigned)FIELD64(ste[2], 39, 38);
    unsigned bits, reach;

    out->stage2 = true;
    out->vmid = (uint16_t)ste[2];
    out->granule = granule_of(FIELD64(ste[2], 47, 46));
    out->input_bits = bits = 64 - (unsigned)FIELD64(ste[2], 37, 32);
    out->output_bits = oas_bits[FIELD64(ste[2], 50, 48)];
    out->root = ste[3] & MASK64(51, 4);
    out->stall = FIELD64(ste[2], 57, 57) != 0;
    if (!has_granule(unit, out->granule) || FIELD64(ste[2], 51, 51) == 0 ||
        bits > oas_bits[unit->config.oas] || bits < 25 ||
        FIELD64(ste[2], 50, 48) > unit->config.oas || sl0 == 3 ||
        (!unit->config.wide_tags && out->vmid > 255) || (out->stall && unit->config.stall == 1) ||
        (!out->stall && unit->config.stall == 2) || (out->stall && out->ats))
        return refuse(out, E_BAD_STE);
    out->start = out->granule == 12 ? sl0 + 1 : sl0;
    /* The root is at least one entry, and at most 16 tables. */
    reach = out->granule + (out->granule - 3) * (out->start + 1);
    if (bits > reach + 4 || bits <= out->granule + (out->granule - 3) * out->start)
        return refuse(out, E_BAD_STE);
    if (bits > reach && (out->root & ((BIT64(out->granule) << (bits - reach)) - 1)) != 0)
        smmu3_violate(unit, "S2TTB: concatenated tables are not aligned");
    return 0;
}

static void read_stream(struct smmu3_model *unit, uint32_t sid, struct smmu3_stream *out)
{
    sluice_phys_t at = 0;
    uint64_t ste[8];
    uint8_t event = entry_at(unit, sid, &at);

    *out = (struct smmu3_stream){.sid = sid};
    if (event != 0) {
        (void)refuse(out, event);
        return;
    }
    if (!fetch_structure(unit, at, ste)) {
        (void)refuse(out, E_STE_FETCH);
        return;
    }
    out->config = (unsigned)FIELD64(ste[0], 3, 1);
    out->ats = FIELD64(ste[1], 29, 28) == 1 && unit->config.ats;
    if ((ste[0] & 1) == 0)
        (void)refuse(out, E_BAD_STE);
    else if (out->config == 5 && unit->config.stage1)
        (void)read_context(unit, ste, out);
    else if (out->config == 6 && unit->config.stage2)
        (void)read_stage2(unit, ste, out);
    else if ((out->config & 4) != 0 && out->config != 4)
        (void)refuse(out, E_BAD_STE);
}

static const struct smmu3_stream *stream_of(struct smmu3_model *unit, uint32_t sid)
{
    for (unsigned i = 0; i < unit->stream_count; i++) {
        if (unit->streams[i].sid == sid)
            return &unit->streams[i];
    }
    if (unit->stream_count == STREAMS_MAX)
        unit->stream_count = 0;
    read_stream(unit, sid, &unit->streams[unit->stream_count]);
    return &unit->streams[unit->stream_count++];
}

/* ---- translation ---- */

static struct smmu3_cached *cache_find(struct smmu3_model *unit, const struct smmu3_stream *stream,
                                       unsigned level, uint64_t index)
{
    for (unsigned i = 0; i < unit->tlb_count; i++) {
        struct smmu3_cached *entry = &unit->tlb[i];

        if (entry->level == level && entry->index == index && entry->stage2 == stream->stage2 &&
            entry->vmid == stream->vmid && (stream->stage2 || entry->asid == stream->asid) &&
            entry->granule == stream->granule)
            return entry;
    }
    return NULL;
}

static struct smmu3_cached *cache_add(struct smmu3_model *unit, const struct smmu3_stream *stream,
                                      unsigned level, uint64_t index, sluice_phys_t phys)
{
    struct smmu3_cached *entry;

    if (unit->tlb_count == TLB_MAX)
        unit->tlb_count = 0;
    entry = &unit->tlb[unit->tlb_count++];
    *entry = (struct smmu3_cached){.stage2 = stream->stage2,
                                   .asid = stream->asid,
                                   .vmid = stream->vmid,
                                   .level = level,
                                   .granule = stream->granule,
                                   .index = index,
                                   .phys = phys};
    return entry;
}

static void permissions(const struct smmu3_stream *stream, uint64_t entry, struct smmu3_cached *out)
{
    if (stream->stage2) {
        out->read = FIELD64(entry, 6, 6) != 0;
        out->write = FIELD64(entry, 7, 7) != 0;
    } else {
        out->read = FIELD64(entry, 6, 6) != 0; /* AP[1]: users, as devices are */
        out->write = out->read && FIELD64(entry, 7, 7) == 0;
    }
}

/* Walks; 0 and *out, or an event. */
static uint8_t walk(struct smmu3_model *unit, const struct smmu3_stream *stream, uint64_t address,
                    struct smmu3_cached **out)
{
    const unsigned granule = stream->granule, bits = granule - 3;
    const uint64_t addresses = MASK64(47, 12) & ~(BIT64(granule) - 1);
    sluice_phys_t table = stream->root;

    unit->stats.walks++;
    for (unsigned level = stream->start;; level--) {
        unsigned shift = granule + bits * level;
        uint64_t index = address >> shift, entry;
        struct smmu3_cached *known = level > 0 ? cache_find(unit, stream, level, index) : NULL;
        uint64_t slot = level == stream->start ? index : index & (BIT64(bits) - 1);
        sluice_phys_t phys;

        if (known != NULL) {
            table = known->phys;
            continue;
        }
        if (!smmu3_fetch(unit, table + slot * 8, &entry))
            return E_WALK;
        if ((entry & 1) == 0 || (level == 0 && (entry & 2) == 0))
            return E_TRANSLATION;
        phys = entry & addresses;
        if (phys >> stream->output_bits != 0)
            return E_ADDR_SIZE;
        if (level > 0 && (entry & 2) != 0) {
            (void)cache_add(unit, stream, level, index, phys);
            table = phys;
            continue;
        }
        if (FIELD64(entry, 10, 10) == 0)
            return E_ACCESS;
        if ((phys & (BIT64(shift) - 1)) != 0 || (level > (granule == 12 ? 2u : 1u)))
            smmu3_violate(unit, "block %#llx is not aligned, or at level %u",
                          (unsigned long long)entry, level);
        phys += address & (BIT64(shift) - 1) & ~(BIT64(granule) - 1);
        *out = cache_add(unit, stream, 0, address >> granule, phys);
        permissions(stream, entry, *out);
        return 0;
    }
}

/* 0 and *out, or an event; config 0 and 0xff: refused without a word. */
static uint8_t translate(struct smmu3_model *unit, const struct smmu3_stream *stream,
                         uint64_t address, bool write, sluice_phys_t *out)
{
    struct smmu3_cached *entry;
    uint8_t event;

    if (stream->config == REFUSED)
        return stream->event;
    if (stream->config == 4) {
        *out = address;
        return 0;
    }
    if (address >> stream->input_bits != 0)
        return E_TRANSLATION;
    entry = cache_find(unit, stream, 0, address >> stream->granule);
    if (entry != NULL)
        unit->stats.hits++;
    else if ((event = walk(unit, stream, address, &entry)) != 0)
        return event;
    if (write ? !entry->write : !entry->read)
        return E_PERMISSION;
    *out = entry->phys | (address & (BIT64(stream->granule) - 1));
    return 0;
}

static void report(struct smmu3_model *unit, const struct smmu3_stream *stream, uint8_t event,
                   uint64_t address, bool write)
{
    bool of_access = event >= E_WALK || event == E_FORBIDDEN || event == E_BAD_ATS;
    bool stalls = stream->stall && event >= E_TRANSLATION && event <= E_PERMISSION;
    const uint64_t record[4] = {event | (uint64_t)stream->sid << 32,
                                of_access ? (uint64_t)!write << 35 | 2ull << 40 |
                                                (uint64_t)stream->stage2 << 39 |
                                                (stalls ? BIT64(31) | 0x55 : 0)
                                          : 0,
                                of_access ? address : 0, 0};

    if (stalls)
        unit->stats.stalled++;
    smmu3_put_event(unit, record);
}

static uint8_t one_page(struct smmu3_model *unit, const struct model_dma_request *request,
                        uint64_t address, sluice_phys_t *out, bool *out_silent)
{
    const struct smmu3_stream *stream;
    uint8_t event;

    *out_silent = false;
    if (!smmu3_on(unit, CR0_SMMUEN)) {
        *out = address;
        *out_silent = (smmu3_get(unit, R_GBPA) & GBPA_ABORT) != 0;
        unit->stats.passed += !*out_silent;
        return 0;
    }
    stream = stream_of(unit, request->rid);
    if (stream->config < 4) {
        *out_silent = true;
        return 0;
    }
    if (request->translated && stream->config != REFUSED) {
        *out = address;
        event = !stream->ats || !smmu3_on(unit, CR0_ATSCHK) ? E_FORBIDDEN : 0;
    } else {
        event = translate(unit, stream, address, request->write, out);
    }
    if (event != 0)
        report(unit, stream, event, address, request->write);
    return event;
}

bool smmu3_model_dma(struct smmu3_model *unit, const struct model_dma_request *request, void *data,
                     size_t bytes, struct model_dma_result *result)
{
    struct model_dma_result ended = {.done = false};

    smmu3_lock(unit);
    while (ended.moved < bytes && !unit->gone) {
        uint64_t address = request->address + ended.moved;
        size_t piece = (size_t)(4096 - (address & 4095));
        uint8_t *at = (uint8_t *)data + ended.moved;
        sluice_phys_t phys;
        bool silent;

        if (piece > bytes - ended.moved)
            piece = bytes - ended.moved;
        ended.address = address & ~MASK64(11, 0);
        ended.reason = one_page(unit, request, address, &phys, &silent);
        if (ended.reason != 0 || silent)
            break;
        if (request->write ? !model_host_write(unit->host, phys, at, piece)
                           : !model_host_read(unit->host, phys, at, piece))
            break;
        ended.moved += piece;
    }
    ended.done = ended.moved == bytes;
    smmu3_unlock(unit);
    if (result != NULL)
        *result = ended;
    return ended.done;
}

void smmu3_ats_request(void *arg, uint16_t rid, uint64_t address, struct model_translation *out)
{
    struct smmu3_model *unit = arg;
    const struct smmu3_stream *stream;
    sluice_phys_t phys = 0;

    memset(out, 0, sizeof(*out));
    smmu3_lock(unit);
    stream = stream_of(unit, rid);
    if (smmu3_on(unit, CR0_SMMUEN) && stream->config >= 4) {
        if (!stream->ats && stream->config != REFUSED) {
            out->reason = E_BAD_ATS;
            report(unit, stream, E_BAD_ATS, address, false);
        } else {
            out->read = translate(unit, stream, address, false, &phys) == 0;
            out->write = translate(unit, stream, address, true, &phys) == 0;
            out->valid = out->read || out->write;
            out->phys = phys;
        }
    }
    smmu3_unlock(unit);
}
