// SPDX-License-Identifier: MIT
/*
 * The SMMUv3 model's configuration: from a stream and substream to entry and context descriptor
 * [SMMU 3.3, 5.1, 5.2, 5.4, 5.5], each of them cached as it was read.
 */
#include "models/smmu3_internal.h"

#include <string.h>

static const unsigned oas_bits[8] = {32, 36, 40, 42, 44, 48, 52, 52};

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
    stream->config = SMMU3_REFUSED;
    stream->event = event;
    return event;
}

/* ---- the stream table ---- */

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

static const struct smmu3_entry *entry_of(struct smmu3_model *unit, uint32_t sid)
{
    struct smmu3_entry *entry;
    sluice_phys_t at = 0;

    for (unsigned i = 0; i < unit->entry_count; i++) {
        if (unit->entries[i].sid == sid)
            return &unit->entries[i];
    }
    if (unit->entry_count == ENTRIES_MAX)
        unit->entry_count = 0;
    entry = &unit->entries[unit->entry_count++];
    *entry = (struct smmu3_entry){.sid = sid, .event = entry_at(unit, sid, &at)};
    if (entry->event == 0 && !fetch_structure(unit, at, entry->word))
        entry->event = E_STE_FETCH;
    return entry;
}

/* ---- context descriptors ---- */

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

/* An address of a descriptor; with stage 2 below it goes through that. 0, or an event. */
static uint8_t context_phys(struct smmu3_model *unit, const struct smmu3_stream *stream,
                            uint64_t address, sluice_phys_t *out)
{
    *out = address;
    return stream->config == 7 ? smmu3_stage2(unit, stream, address, false, CLASS_CD, out) : 0;
}

static struct smmu3_pointer *pointer_of(struct smmu3_model *unit, uint32_t sid, uint32_t index)
{
    for (unsigned i = 0; i < unit->pointer_count; i++) {
        if (unit->pointers[i].sid == sid && unit->pointers[i].index == index)
            return &unit->pointers[i];
    }
    return NULL;
}

/* The first-level descriptor that leads to a substream's. 0 and *out, or an event. */
static uint8_t follow(struct smmu3_model *unit, struct smmu3_stream *stream, uint64_t table,
                      unsigned leaf_bits, uint64_t *out)
{
    struct smmu3_pointer *known = pointer_of(unit, stream->sid, stream->ssid >> leaf_bits);
    uint64_t descriptor;
    sluice_phys_t phys;
    uint8_t event;

    if (known == NULL) {
        event = context_phys(unit, stream, table + (stream->ssid >> leaf_bits) * 8ull, &phys);
        if (event != 0)
            return stream->faulted_below = true, event;
        if (!smmu3_fetch(unit, phys, &descriptor))
            return E_CD_FETCH;
        if (unit->pointer_count == ENTRIES_MAX)
            unit->pointer_count = 0;
        known = &unit->pointers[unit->pointer_count++];
        *known = (struct smmu3_pointer){stream->sid, stream->ssid >> leaf_bits, descriptor};
    }
    if ((known->descriptor & 1) == 0)
        return E_BAD_SUBSTREAM;
    *out = (known->descriptor & MASK64(51, 12)) + (stream->ssid & ((1u << leaf_bits) - 1)) * 64ull;
    return 0;
}

/* 0 and the descriptor's words, or an event. What stage 2 refuses is not cached. */
static uint8_t context_of(struct smmu3_model *unit, const uint64_t ste[8],
                          struct smmu3_stream *stream, const uint64_t **out)
{
    unsigned format = FIELD64(ste[0], 63, 59) != 0 ? (unsigned)FIELD64(ste[0], 5, 4) : 0;
    uint64_t address = (ste[0] & MASK64(51, 6)) + stream->ssid * 64ull;
    struct smmu3_context *context;
    sluice_phys_t phys;
    uint8_t event;

    for (unsigned i = 0; i < unit->context_count; i++) {
        context = &unit->contexts[i];
        if (context->sid == stream->sid && context->ssid == stream->ssid)
            return *out = context->word, 0;
    }
    event = format == 0
                ? 0
                : follow(unit, stream, ste[0] & MASK64(51, 6), format == 1 ? 6 : 10, &address);
    if (event == 0) {
        event = context_phys(unit, stream, address, &phys);
        stream->faulted_below = event != 0;
    }
    if (event != 0)
        return event;
    if (unit->context_count == ENTRIES_MAX)
        unit->context_count = 0;
    context = &unit->contexts[unit->context_count];
    *context = (struct smmu3_context){.sid = stream->sid, .ssid = stream->ssid};
    if (!fetch_structure(unit, phys, context->word))
        return E_CD_FETCH;
    unit->context_count++;
    *out = context->word;
    return 0;
}

static uint8_t read_context(struct smmu3_model *unit, const uint64_t ste[8],
                            struct smmu3_stream *out)
{
    const uint64_t *cd = NULL;
    uint8_t event = context_of(unit, ste, out, &cd);
    bool access, dirty;

    if (event != 0)
        return refuse(out, event);
    access = FIELD64(cd[0], 43, 43) != 0;
    dirty = FIELD64(cd[0], 42, 42) != 0;
    out->asid = (uint16_t)(cd[0] >> 48);
    out->granule = granule_of(FIELD64(cd[0], 7, 6));
    out->input_bits = 64 - (unsigned)FIELD64(cd[0], 5, 0);
    out->output_bits = oas_bits[FIELD64(cd[0], 34, 32)];
    out->root = cd[1] & MASK64(51, 4);
    out->stall = FIELD64(cd[0], 44, 44) != 0;
    out->quiet = FIELD64(cd[0], 45, 45) == 0;
    out->writes_access = access;
    if (FIELD64(cd[0], 31, 31) == 0 || FIELD64(cd[0], 41, 41) == 0 || /* V, AA64 */
        FIELD64(cd[0], 46, 46) == 0 ||                                /* A: TERM_MODEL 1 */
        !has_granule(unit, out->granule) || out->input_bits > 48 || out->input_bits < 25 ||
        (out->stall && unit->config.stall == 1) || (!out->stall && unit->config.stall == 2) ||
        (access && unit->config.httu < 1) || (dirty && (unit->config.httu < 2 || !access)) ||
        FIELD64(cd[0], 34, 32) > unit->config.oas || (!unit->config.wide_tags && out->asid > 255))
        return refuse(out, E_BAD_CD);
    out->start = stage1_start(out->granule, out->input_bits);
    return 0;
}

/* ---- both stages ---- */

static uint8_t read_stage2(struct smmu3_model *unit, const uint64_t ste[8],
                           struct smmu3_stream *stream)
{
    struct smmu3_stage *out = &stream->below;
    unsigned sl0 = (unsigned)FIELD64(ste[2], 39, 38);
    bool stall = FIELD64(ste[2], 57, 57) != 0, access = FIELD64(ste[2], 56, 56) != 0;
    unsigned bits, reach;

    stream->vmid = (uint16_t)ste[2];
    out->granule = granule_of(FIELD64(ste[2], 47, 46));
    out->input_bits = bits = 64 - (unsigned)FIELD64(ste[2], 37, 32);
    out->output_bits = oas_bits[FIELD64(ste[2], 50, 48)];
    out->root = ste[3] & MASK64(51, 4);
    out->writes_access = access;
    stream->stall = stall;
    stream->quiet_below = FIELD64(ste[2], 58, 58) == 0;
    if (!has_granule(unit, out->granule) || FIELD64(ste[2], 51, 51) == 0 ||
        bits > oas_bits[unit->config.oas] || bits < 25 ||
        FIELD64(ste[2], 50, 48) > unit->config.oas || sl0 == 3 ||
        (!unit->config.wide_tags && stream->vmid > 255) || (stall && unit->config.stall == 1) ||
        (!stall && unit->config.stall == 2) || (stall && stream->ats) ||
        (access && unit->config.httu < 1) ||
        (FIELD64(ste[2], 55, 55) != 0 && (unit->config.httu < 2 || !access)))
        return refuse(stream, E_BAD_STE);
    out->start = out->granule == 12 ? sl0 + 1 : sl0;
    /* The root is at least one entry, and at most 16 tables. */
    reach = out->granule + (out->granule - 3) * (out->start + 1);
    if (bits > reach + 4 || bits <= out->granule + (out->granule - 3) * out->start)
        return refuse(stream, E_BAD_STE);
    if (bits > reach && (out->root & ((BIT64(out->granule) << (bits - reach)) - 1)) != 0)
        smmu3_violate(unit, "S2TTB: concatenated tables are not aligned");
    return 0;
}

/* Which descriptor it is, and whether there is one. 0, or an event. */
static uint8_t choose_context(struct smmu3_model *unit, const uint64_t ste[8],
                              struct smmu3_stream *out)
{
    unsigned bits = (unsigned)FIELD64(ste[0], 63, 59), format = (unsigned)FIELD64(ste[0], 5, 4);
    unsigned without = (unsigned)FIELD64(ste[1], 1, 0);

    if (bits > unit->config.ssid_bits ||
        (bits != 0 && (format == 3 || without == 3 || (format != 0 && !unit->config.contexts_2))))
        return refuse(out, E_BAD_STE);
    if (out->has_ssid)
        return out->ssid >> bits != 0 || (out->ssid == 0 && without == 2) || bits == 0
                   ? refuse(out, E_BAD_SUBSTREAM)
                   : 0;
    if (bits != 0 && without == 0)
        return refuse(out, E_DISABLED);
    if (bits != 0 && without == 1)
        out->config &= ~1u; /* 5 is as 4 then, and 7 as 6 */
    return 0;
}

static void decode(struct smmu3_model *unit, const uint64_t ste[8], struct smmu3_stream *out)
{
    unsigned config = (unsigned)FIELD64(ste[0], 3, 1);
    bool first = config >= 4 && (config & 1) != 0, second = config >= 4 && (config & 2) != 0;

    out->config = config;
    out->ats = FIELD64(ste[1], 29, 28) == 1 && unit->config.ats;
    if ((ste[0] & 1) == 0 || (first && !unit->config.stage1) || (second && !unit->config.stage2)) {
        (void)refuse(out, E_BAD_STE);
        return;
    }
    if (config >= 4 && !first && out->has_ssid) {
        (void)refuse(out, E_BAD_SUBSTREAM);
        return;
    }
    if (second && read_stage2(unit, ste, out) != 0)
        return;
    if (first && choose_context(unit, ste, out) == 0 && (out->config & 1) != 0)
        (void)read_context(unit, ste, out);
}

void smmu3_stream_of(struct smmu3_model *unit, uint32_t sid, const uint32_t *ssid,
                     struct smmu3_stream *out)
{
    const struct smmu3_entry *entry = entry_of(unit, sid);

    *out = (struct smmu3_stream){
        .sid = sid, .has_ssid = ssid != NULL, .ssid = ssid != NULL ? *ssid : 0};
    if (entry->event != 0)
        (void)refuse(out, entry->event);
    else
        decode(unit, entry->word, out);
}

/* ---- what commands drop ---- */

void smmu3_drop_contexts(struct smmu3_model *unit, uint32_t sid, const uint32_t *ssid, bool leaf)
{
    unsigned kept = 0;

    if (unit->inject.lost_invalidations)
        return;
    for (unsigned i = 0; i < unit->context_count; i++) {
        if (unit->contexts[i].sid != sid || (ssid != NULL && unit->contexts[i].ssid != *ssid))
            unit->contexts[kept++] = unit->contexts[i];
    }
    unit->context_count = kept;
    kept = 0;
    for (unsigned i = 0; i < unit->pointer_count; i++) {
        bool hit = ssid == NULL || unit->pointers[i].index == *ssid >> 6 ||
                   unit->pointers[i].index == *ssid >> 10;

        if (unit->pointers[i].sid != sid || leaf || !hit)
            unit->pointers[kept++] = unit->pointers[i];
    }
    unit->pointer_count = kept;
}

/*
 * A stream that was refused for its first-level descriptor stays so until that is dropped too, by
 * a command for any of the streams that it leads to [SMMU 5.1].
 */
static bool is_dropped(struct smmu3_model *unit, const struct smmu3_entry *entry, uint32_t sid,
                       bool leaf)
{
    unsigned split = (unsigned)FIELD64(smmu3_get(unit, R_STRTAB_CFG), 10, 6);

    if (entry->event == E_BAD_STREAM)
        return !leaf && entry->sid >> split == sid >> split;
    return entry->sid == sid;
}

void smmu3_drop_streams(struct smmu3_model *unit, uint32_t sid, bool all, bool leaf)
{
    unsigned kept = 0;

    if (unit->inject.lost_invalidations)
        return;
    for (unsigned i = 0; i < unit->entry_count; i++) {
        if (!all && !is_dropped(unit, &unit->entries[i], sid, leaf))
            unit->entries[kept++] = unit->entries[i];
    }
    unit->entry_count = kept;
    if (all)
        unit->context_count = unit->pointer_count = 0;
    else
        smmu3_drop_contexts(unit, sid, NULL, false);
}
