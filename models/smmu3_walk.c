// SPDX-License-Identifier: MIT
/*
 * The SMMUv3 model's translation: from an address to memory, through one stage or two
 * [SMMU 3.3.1, 3.4, Arm ARM D8.2, D8.3], and what a device sees of it.
 */
#include "models/smmu3_internal.h"

#include <string.h>

bool smmu3_fetch(struct smmu3_model *unit, sluice_phys_t phys, uint64_t *out)
{
    if (unit->inject.bad_fetch != 0 && (phys & ~MASK64(11, 0)) == unit->inject.bad_fetch)
        return false;
    return model_host_fetch64(unit->host, phys, smmu3_path(unit), "smmu3: tables", out);
}

/* ---- what is cached ---- */

/* One stage of a stream, as the walk sees it. */
struct stage {
    const struct smmu3_stream *stream;
    bool second;
    struct smmu3_stage at;
};

static struct smmu3_cached *cache_find(struct smmu3_model *unit, const struct stage *stage,
                                       unsigned level, uint64_t address)
{
    for (unsigned i = 0; i < unit->tlb_count; i++) {
        struct smmu3_cached *entry = &unit->tlb[i];

        if (entry->level == level && entry->index == address >> entry->lg2 &&
            entry->stage2 == stage->second && entry->vmid == stage->stream->vmid &&
            (stage->second || entry->asid == stage->stream->asid) &&
            entry->granule == stage->at.granule)
            return entry;
    }
    return NULL;
}

static struct smmu3_cached *cache_add(struct smmu3_model *unit, const struct stage *stage,
                                      unsigned level, unsigned lg2, uint64_t address,
                                      sluice_phys_t phys)
{
    struct smmu3_cached *entry;

    if (unit->tlb_count == TLB_MAX)
        unit->tlb_count = 0;
    entry = &unit->tlb[unit->tlb_count++];
    *entry = (struct smmu3_cached){.stage2 = stage->second,
                                   .asid = stage->stream->asid,
                                   .vmid = stage->stream->vmid,
                                   .level = level,
                                   .lg2 = lg2,
                                   .granule = stage->at.granule,
                                   .index = address >> lg2,
                                   .phys = phys};
    return entry;
}

static void permissions(bool second, uint64_t entry, struct smmu3_cached *out)
{
    out->read = FIELD64(entry, 6, 6) != 0; /* stage 1: AP[1]: users, as devices are */
    out->write = second ? FIELD64(entry, 7, 7) != 0 : out->read && FIELD64(entry, 7, 7) == 0;
}

/* ---- walking ---- */

/* log2 of the entries of a run that are marked to be one [Arm ARM D8.6.1]; 0: there are none. */
static unsigned run_lg2(unsigned granule, unsigned level)
{
    if (granule == 12)
        return level <= 2 ? 4 : 0;
    if (granule == 14)
        return level == 0 ? 7 : level == 1 ? 5 : 0;
    return level <= 1 ? 5 : 0;
}

/* A table's entry; stage 1 on stage 2 has it at an intermediate address. 0, or an event. */
static uint8_t read_entry(struct smmu3_model *unit, struct stage *stage, uint64_t at,
                          sluice_phys_t *out_phys, uint64_t *out)
{
    uint8_t event = 0;

    *out_phys = at;
    if (!stage->second && stage->stream->config == 7)
        event = smmu3_stage2(unit, stage->stream, at, false, CLASS_TT, out_phys);
    if (event != 0) {
        unit->below = true;
        return event;
    }
    return smmu3_fetch(unit, *out_phys, out) ? 0 : E_WALK;
}

/* A leaf: checked, and cached in pieces of a page or as the run it says it is part of. */
static uint8_t take_leaf(struct smmu3_model *unit, struct stage *stage, uint64_t address,
                         unsigned level, uint64_t entry, sluice_phys_t at,
                         struct smmu3_cached **out)
{
    const unsigned granule = stage->at.granule, shift = granule + (granule - 3) * level;
    const bool mine = stage->second || stage->stream->config != 7; /* not a guest's */
    unsigned lg2 = granule, run = run_lg2(granule, level);
    sluice_phys_t phys = entry & MASK64(47, 12) & ~(BIT64(granule) - 1);

    if (FIELD64(entry, 10, 10) == 0) {
        if (!stage->at.writes_access)
            return E_ACCESS;
        entry |= BIT64(10);
        if (!model_host_write(unit->host, at, &entry, sizeof(entry)))
            return E_WALK;
        unit->stats.accessed++;
    }
    /* What a guest writes there is no fault of the library's. */
    if (((phys & (BIT64(shift) - 1)) != 0 || level > (granule == 12 ? 2u : 1u)) && mine)
        smmu3_violate(unit, "block %#llx is not aligned, or at level %u", (unsigned long long)entry,
                      level);
    if (FIELD64(entry, 52, 52) != 0 && run != 0 && mine) {
        lg2 = shift + run;
        phys &= ~(BIT64(lg2) - 1);
        unit->stats.runs++;
    } else {
        run = 0;
        phys += address & (BIT64(shift) - 1) & ~(BIT64(granule) - 1);
    }
    *out = cache_add(unit, stage, 0, lg2, address, phys);
    permissions(stage->second, entry, *out);
    if (mine) {
        (*out)->entries = 1u << run;
        (*out)->at = at & ~(BIT64(run + 3) - 1);
        (*out)->descriptor = entry - ((at - (*out)->at) / 8 << shift);
        (*out)->leaf_level = level;
    }
    return 0;
}

/*
 * Level 0 takes no change of a descriptor that may be cached but to one that is not valid; level 1
 * takes that of the contiguous hint alone; level 2 any of size [SMMU 3.21.1].
 */
bool smmu3_changed(struct smmu3_model *unit, const struct smmu3_cached *entry)
{
    const unsigned shift = entry->granule + (entry->granule - 3) * entry->leaf_level;
    const uint64_t ignored = MASK64(58, 55) | (unit->config.bbml == 1 ? BIT64(52) : 0);

    for (unsigned i = 0; i < entry->entries && unit->config.bbml < 2; i++) {
        uint64_t was = entry->descriptor + ((uint64_t)i << shift), now;

        if (model_host_read(unit->host, entry->at + i * 8ull, &now, sizeof(now)) &&
            (now & 1) != 0 && ((now ^ was) & ~ignored) != 0)
            return true;
    }
    return false;
}

/* Walks; 0 and *out, or an event. */
static uint8_t walk(struct smmu3_model *unit, struct stage *stage, uint64_t address,
                    struct smmu3_cached **out)
{
    const unsigned granule = stage->at.granule, bits = granule - 3;
    const uint64_t addresses = MASK64(47, 12) & ~(BIT64(granule) - 1);
    uint64_t table = stage->at.root;

    unit->stats.walks++;
    for (unsigned level = stage->at.start;; level--) {
        unsigned shift = granule + bits * level;
        uint64_t index = address >> shift, entry;
        struct smmu3_cached *known = level > 0 ? cache_find(unit, stage, level, address) : NULL;
        uint64_t slot = level == stage->at.start ? index : index & (BIT64(bits) - 1);
        sluice_phys_t at;
        uint8_t event;

        if (known != NULL) {
            table = known->phys;
            continue;
        }
        event = read_entry(unit, stage, table + slot * 8, &at, &entry);
        if (event != 0)
            return event;
        if ((entry & 1) == 0 || (level == 0 && (entry & 2) == 0))
            return E_TRANSLATION;
        if ((entry & addresses) >> stage->at.output_bits != 0)
            return E_ADDR_SIZE;
        if (level == 0 || (entry & 2) == 0)
            return take_leaf(unit, stage, address, level, entry, at, out);
        table = entry & addresses;
        (void)cache_add(unit, stage, level, shift, address, table);
    }
}

/* One stage of a translation: 0 and *out, or an event. */
static uint8_t look_up(struct smmu3_model *unit, struct stage *stage, uint64_t address,
                       struct smmu3_cached **out)
{
    if (address >> stage->at.input_bits != 0)
        return E_TRANSLATION;
    *out = cache_find(unit, stage, 0, address);
    if (*out == NULL)
        return walk(unit, stage, address, out);
    unit->stats.hits++;
    /* It could find both in its caches, the old one and the new one. */
    return smmu3_changed(unit, *out) ? E_TLB_CONFLICT : 0;
}

static uint64_t offset_in(const struct smmu3_cached *entry, uint64_t address)
{
    return entry->phys | (address & (BIT64(entry->lg2) - 1));
}

static uint8_t stage2_entry(struct smmu3_model *unit, const struct smmu3_stream *stream,
                            uint64_t address, unsigned kind, struct smmu3_cached **out)
{
    struct stage stage = {.stream = stream, .second = true, .at = stream->below};

    unit->ipa = address;
    unit->ipa_class = kind;
    return look_up(unit, &stage, address, out);
}

static uint8_t finish(const struct smmu3_cached *entry, uint64_t address, bool write,
                      sluice_phys_t *out)
{
    if (write ? !entry->write : !entry->read)
        return E_PERMISSION;
    *out = offset_in(entry, address);
    return 0;
}

uint8_t smmu3_stage2(struct smmu3_model *unit, const struct smmu3_stream *stream, uint64_t address,
                     bool write, unsigned kind, sluice_phys_t *out)
{
    struct smmu3_cached *entry;
    uint8_t event = stage2_entry(unit, stream, address, kind, &entry);

    return event != 0 ? event : finish(entry, address, write, out);
}

/*
 * Both stages. What they come to together is cached by the input address, under ASID and VMID, in
 * pieces of 4 KiB, and outlives what stage 2 alone has cached.
 */
static uint8_t both(struct smmu3_model *unit, struct stage *first, uint64_t address, bool write,
                    sluice_phys_t *out)
{
    struct stage together = {.stream = first->stream, .at = {.granule = SMMU3_TOGETHER}};
    struct smmu3_cached *entry = cache_find(unit, &together, 0, address), *below;
    struct smmu3_cached one;
    uint8_t event;

    if (entry == NULL) {
        event = look_up(unit, first, address, &entry);
        if (event != 0)
            return event;
        one = *entry; /* the cache may be emptied meanwhile */
        event = stage2_entry(unit, first->stream, offset_in(&one, address), CLASS_IN, &below);
        if (event != 0)
            return unit->below = true, event;
        one.read = one.read && below->read;
        one.write = one.write && below->write;
        entry = cache_add(unit, &together, 0, 12, address,
                          offset_in(below, offset_in(&one, address)) & ~MASK64(11, 0));
        entry->read = one.read;
        entry->write = one.write;
    }
    return finish(entry, address, write, out);
}

/* 0 and *out, or an event. */
static uint8_t translate(struct smmu3_model *unit, const struct smmu3_stream *stream,
                         uint64_t address, bool write, sluice_phys_t *out)
{
    struct stage first = {.stream = stream,
                          .at = {stream->granule, stream->start, stream->input_bits,
                                 stream->output_bits, stream->root, stream->writes_access}};
    struct smmu3_cached *entry;
    uint8_t event;

    unit->below = stream->config == 6 || stream->faulted_below;
    if (stream->config == SMMU3_REFUSED)
        return stream->event;
    if (stream->config == 4) {
        *out = address;
        return 0;
    }
    if (stream->config == 6)
        return smmu3_stage2(unit, stream, address, write, CLASS_IN, out);
    if (stream->config == 7)
        return both(unit, &first, address, write, out);
    event = look_up(unit, &first, address, &entry);
    return event != 0 ? event : finish(entry, address, write, out);
}

static void report(struct smmu3_model *unit, const struct smmu3_stream *stream, uint8_t event,
                   uint64_t address, bool write)
{
    bool of_access = event >= E_WALK || event == E_FORBIDDEN || event == E_BAD_ATS;
    bool stalls = stream->stall && event >= E_TRANSLATION && event <= E_PERMISSION;
    unsigned kind = unit->below ? unit->ipa_class : CLASS_IN;
    const uint64_t record[4] = {event | (uint64_t)stream->has_ssid << 11 |
                                    (uint64_t)stream->ssid << 12 | (uint64_t)stream->sid << 32,
                                of_access ? (uint64_t)!write << 35 | (uint64_t)kind << 40 |
                                                (uint64_t)unit->below << 39 |
                                                (stalls ? BIT64(31) | 0x55 : 0)
                                          : 0,
                                of_access ? address : 0,
                                /* Stage 1: unknown, so something that nobody may take for it. */
                                !of_access    ? 0
                                : unit->below ? unit->ipa & MASK64(51, 12)
                                              : MASK64(51, 12)};

    /* R and S2R: of faults of the translation alone [SMMU 5.4, 5.2]. */
    if (event >= E_TRANSLATION && event <= E_PERMISSION &&
        (unit->below ? stream->quiet_below : stream->quiet))
        return;
    if (stalls)
        unit->stats.stalled++;
    smmu3_put_event(unit, record);
}

static uint8_t one_page(struct smmu3_model *unit, const struct model_dma_request *request,
                        uint64_t address, sluice_phys_t *out, bool *out_silent)
{
    struct smmu3_stream stream;
    uint8_t event;

    *out_silent = false;
    if (!smmu3_on(unit, CR0_SMMUEN)) {
        *out = address;
        *out_silent = (smmu3_get(unit, R_GBPA) & GBPA_ABORT) != 0;
        unit->stats.passed += !*out_silent;
        return 0;
    }
    smmu3_stream_of(unit, request->rid, request->has_pasid ? &request->pasid : NULL, &stream);
    if (stream.config < 4) {
        *out_silent = true;
        return 0;
    }
    if (request->translated && stream.config != SMMU3_REFUSED) {
        *out = address;
        event = !stream.ats || !smmu3_on(unit, CR0_ATSCHK) ? E_FORBIDDEN : 0;
    } else {
        event = translate(unit, &stream, address, request->write, out);
    }
    if (event != 0)
        report(unit, &stream, event, address, request->write);
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
    struct smmu3_stream stream;
    sluice_phys_t phys = 0;

    memset(out, 0, sizeof(*out));
    smmu3_lock(unit);
    smmu3_stream_of(unit, rid, NULL, &stream);
    if (smmu3_on(unit, CR0_SMMUEN) && stream.config >= 4) {
        if (!stream.ats && stream.config != SMMU3_REFUSED) {
            out->reason = E_BAD_ATS;
            report(unit, &stream, E_BAD_ATS, address, false);
        } else {
            out->read = translate(unit, &stream, address, false, &phys) == 0;
            out->write = translate(unit, &stream, address, true, &phys) == 0;
            out->valid = out->read || out->write;
            out->phys = phys;
        }
    }
    smmu3_unlock(unit);
}
