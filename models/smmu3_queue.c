// SPDX-License-Identifier: MIT
/*
 * The SMMUv3 model's queues [SMMU 3.5, 4, 7, 8]: commands, events, page requests, errors.
 */
#include "models/smmu3_internal.h"

enum {
    ERROR_ILL = 1,
    ERROR_ABT = 2,
    ERROR_ATC = 3,
};

static unsigned lg2_of(uint64_t base)
{
    return (unsigned)FIELD64(base, 4, 0);
}

static uint64_t address_of(uint64_t base)
{
    return base & MASK64(51, 5);
}

/* ---- interrupts and errors ---- */

static void interrupt(struct smmu3_model *unit, unsigned enable_bit, unsigned config0)
{
    if ((smmu3_get(unit, R_IRQ_CTRLACK) >> enable_bit & 1) == 0 || !unit->config.messages ||
        smmu3_get64(unit, config0) == 0)
        return;
    model_host_post_msi(unit->host, smmu3_get64(unit, config0), smmu3_get(unit, config0 + 8));
}

void smmu3_raise_error(struct smmu3_model *unit, uint32_t errors)
{
    uint32_t active = smmu3_get(unit, R_GERROR) ^ smmu3_get(unit, R_GERRORN);

    smmu3_set(unit, R_GERROR, smmu3_get(unit, R_GERROR) ^ (errors & ~active));
    interrupt(unit, 0, R_GERROR_CFG0);
}

static void command_error(struct smmu3_model *unit, unsigned reason)
{
    uint32_t cons = smmu3_get(unit, R_CMDQ_CONS) & ~(uint32_t)MASK64(30, 24);

    smmu3_set(unit, R_CMDQ_CONS, cons | reason << 24);
    unit->halted = true;
    smmu3_raise_error(unit, 1);
}

/* ---- invalidation ---- */

struct drop {
    bool stage2, by_address, leaf, any_asid;
    uint16_t asid, vmid;
    uint64_t first, last;
};

static bool dropped(const struct smmu3_cached *entry, const struct drop *drop)
{
    uint64_t first = entry->index << entry->lg2;

    if (entry->vmid != drop->vmid)
        return false;
    if (!drop->stage2 && (entry->stage2 || (!drop->any_asid && entry->asid != drop->asid)))
        return false;
    if (drop->stage2 && drop->by_address && !entry->stage2)
        return false;
    if (!drop->by_address)
        return true;
    if (drop->leaf && entry->level > 0)
        return false;
    return first <= drop->last && first + (BIT64(entry->lg2) - 1) >= drop->first;
}

static void drop_translations(struct smmu3_model *unit, const struct drop *drop)
{
    unsigned kept = 0;

    unit->unordered = true;
    unit->unordered_below = unit->unordered_below || (drop->stage2 && drop->by_address);
    for (unsigned i = 0; i < unit->tlb_count && !unit->inject.lost_invalidations; i++) {
        uint64_t address = unit->tlb[i].index << unit->tlb[i].lg2;

        if (!dropped(&unit->tlb[i], drop))
            unit->tlb[kept++] = unit->tlb[i];
        else if (smmu3_changed(unit, &unit->tlb[i]))
            smmu3_violate(unit, "translation of %#llx changed in a way that BBML %u does not take",
                          (unsigned long long)address, unit->config.bbml);
    }
    if (!unit->inject.lost_invalidations)
        unit->tlb_count = kept;
}

/* By address; false: a reserved form. */
static bool drop_address(struct smmu3_model *unit, uint64_t low, uint64_t high, bool stage2)
{
    unsigned tg = (unsigned)FIELD64(high, 11, 10);
    unsigned num = (unsigned)FIELD64(low, 16, 12), scale = (unsigned)FIELD64(low, 24, 20);
    unsigned granule = tg == 0 ? 12 : 10 + 2 * tg;
    struct drop drop = {.stage2 = stage2,
                        .by_address = true,
                        .leaf = (high & 1) != 0,
                        .asid = (uint16_t)(low >> 48),
                        .vmid = (uint16_t)(low >> 32),
                        .first = high & ~MASK64(11, 0)};

    if ((tg != 0 || num != 0 || scale != 0) && !unit->config.ranges)
        return false;
    if (tg != 0 && num == 0 && scale == 0 && FIELD64(high, 9, 8) == 0)
        return false;
    if (tg == 0 && (num != 0 || scale != 0))
        return false;
    if (stage2 && drop.asid != 0)
        return false;
    drop.last = drop.first + (((uint64_t)num + 1) << scale << granule) - 1;
    unit->stats.tlbi_va++;
    unit->stats.tlbi_range += tg != 0;
    drop_translations(unit, &drop);
    return true;
}

/* ---- device TLBs ---- */

static struct smmu3_endpoint *endpoint_of(struct smmu3_model *unit, uint32_t sid)
{
    for (unsigned i = 0; i < unit->endpoint_count; i++) {
        if (unit->endpoints[i].rid == sid)
            return &unit->endpoints[i];
    }
    return NULL;
}

static bool times_out(struct smmu3_model *unit)
{
    if (unit->inject.timeout_at == 0 || --unit->inject.timeout_at != 0)
        return false;
    if (unit->inject.timeouts != 0) {
        unit->inject.timeouts--;
        unit->inject.timeout_at = 1;
    }
    return true;
}

static bool device_tlb(struct smmu3_model *unit, uint64_t low, uint64_t high)
{
    struct smmu3_endpoint *endpoint = endpoint_of(unit, (uint32_t)(low >> 32));
    unsigned size = (unsigned)FIELD64(high, 5, 0);
    uint64_t span = size >= 52 ? UINT64_MAX : (BIT64(12) << size) - 1;
    uint64_t first = high & ~MASK64(11, 0);

    if (!unit->config.ats || size > 52)
        return false;
    if (span == UINT64_MAX)
        first = 0;
    if ((first & span) != 0)
        smmu3_violate(unit, "ATC_INV: address %#llx is not aligned to its size",
                      (unsigned long long)first);
    /* The device could be told the old translation again [SMMU 3.9.1]. */
    if (unit->unordered)
        smmu3_violate(unit, "ATC_INV: no CMD_SYNC after the invalidations before it");
    unit->stats.atc++;
    unit->stats.atc_pasid += FIELD64(low, 11, 11);
    if (endpoint == NULL || times_out(unit)) {
        unit->atc_failed = true;
        return true;
    }
    if (!endpoint->to.invalidate(endpoint->to.arg, first, first + span))
        endpoint->outstanding++;
    return true;
}

/* ---- commands ---- */

static bool sync_done(struct smmu3_model *unit, uint64_t low, uint64_t high)
{
    uint32_t data = (uint32_t)(low >> 32);

    unit->unordered = unit->unordered_below = false;
    unit->stats.syncs++;
    if (FIELD64(low, 13, 12) != 1)
        return true;
    if (!unit->config.messages)
        return false;
    if (!model_host_store32(unit->host, high & MASK64(51, 2), data))
        smmu3_violate(unit, "CMD_SYNC: message to %#llx, which is not RAM",
                      (unsigned long long)high);
    return true;
}

static bool drop_context(struct smmu3_model *unit, uint64_t low, uint64_t high)
{
    const uint32_t ssid = (uint32_t)FIELD64(low, 31, 12);

    unit->stats.cfgi_cd++;
    if ((low & 0xff) == 0x06)
        smmu3_drop_contexts(unit, (uint32_t)(low >> 32), NULL, false);
    else
        smmu3_drop_contexts(unit, (uint32_t)(low >> 32), &ssid, (high & 1) != 0);
    return unit->config.stage1;
}

/* Stage 1 of a VMID; what it was made of must be known to be forgotten before [SMMU 4.4.3]. */
static bool drop_stage1(struct smmu3_model *unit, struct drop *drop)
{
    if (unit->unordered_below)
        smmu3_violate(unit, "TLBI_NH_ALL: no CMD_SYNC after TLBI_S2_IPA before it");
    drop->any_asid = true;
    unit->stats.tlbi_stage1++;
    drop_translations(unit, drop);
    return unit->config.stage1;
}

/* False: illegal here. */
static bool execute(struct smmu3_model *unit, uint64_t low, uint64_t high)
{
    struct drop drop = {.asid = (uint16_t)(low >> 48), .vmid = (uint16_t)(low >> 32)};

    switch (low & 0xff) {
    case 0x03:
        unit->stats.cfgi_ste++;
        smmu3_drop_streams(unit, (uint32_t)(low >> 32), false, (high & 1) != 0);
        return true;
    case 0x04:
        if ((high & 31) != 31)
            return false;
        unit->stats.cfgi_all++;
        unit->owes_streams = false;
        smmu3_drop_streams(unit, 0, true, false);
        return true;
    case 0x05:
    case 0x06:
        return drop_context(unit, low, high);
    case 0x10:
        return drop_stage1(unit, &drop);
    case 0x11:
        unit->stats.tlbi_tag++;
        drop_translations(unit, &drop);
        return unit->config.stage1;
    case 0x12:
        return unit->config.stage1 && drop_address(unit, low, high, false);
    case 0x28:
        drop.stage2 = true;
        unit->stats.tlbi_tag++;
        drop_translations(unit, &drop);
        return unit->config.stage2;
    case 0x2a:
        return unit->config.stage2 && drop_address(unit, low, high, true);
    case 0x30:
        unit->stats.tlbi_all++;
        unit->unordered = true;
        unit->owes_tlb = false;
        if (!unit->inject.lost_invalidations)
            unit->tlb_count = 0;
        return true;
    case 0x40:
        return device_tlb(unit, low, high);
    case 0x41:
        unit->stats.responses++;
        return unit->config.pri;
    case 0x44:
        unit->stats.resumes++;
        if (unit->stats.stalled > 0)
            unit->stats.stalled--;
        return unit->config.stall != 1;
    case 0x46:
        return sync_done(unit, low, high);
    default:
        return false;
    }
}

static bool hits(uint64_t *counter)
{
    return *counter != 0 && --*counter == 0;
}

static bool waits(const struct smmu3_model *unit)
{
    for (unsigned i = 0; i < unit->endpoint_count; i++) {
        if (unit->endpoints[i].outstanding != 0)
            return true;
    }
    return unit->inject.sync_stuck;
}

static bool take_one(struct smmu3_model *unit)
{
    uint64_t base = smmu3_get64(unit, R_CMDQ_BASE);
    uint32_t mask = (2u << lg2_of(base)) - 1;
    uint32_t cons = smmu3_get(unit, R_CMDQ_CONS);
    uint64_t at = address_of(base) + (uint64_t)(cons & (mask >> 1)) * 16;
    uint64_t command[2];

    if (hits(&unit->inject.abort_at) ||
        !model_host_fetch128(unit->host, at, smmu3_path(unit), "smmu3: commands", command)) {
        command_error(unit, ERROR_ABT);
        return false;
    }
    if ((command[0] & 0xff) == 0x46) {
        if (waits(unit))
            return false;
        if (unit->atc_failed) {
            unit->atc_failed = false;
            command_error(unit, ERROR_ATC);
            return false;
        }
    }
    if (hits(&unit->inject.illegal_at)) {
        command_error(unit, ERROR_ILL);
        return false;
    }
    if (!execute(unit, command[0], command[1])) {
        smmu3_violate(unit, "command %#llx %#llx is illegal", (unsigned long long)command[0],
                      (unsigned long long)command[1]);
        command_error(unit, ERROR_ILL);
        return false;
    }
    unit->stats.commands++;
    smmu3_set(unit, R_CMDQ_CONS, (cons + 1) & mask);
    return true;
}

unsigned smmu3_queue_run(struct smmu3_model *unit, unsigned limit)
{
    uint32_t mask = (2u << lg2_of(smmu3_get64(unit, R_CMDQ_BASE))) - 1;
    unsigned taken = 0;

    while (taken < limit && !unit->gone && !unit->halted && !unit->inject.queue_stuck &&
           smmu3_on(unit, CR0_CMDQEN) &&
           ((smmu3_get(unit, R_CMDQ_CONS) ^ smmu3_get(unit, R_CMDQ_PROD)) & mask) != 0 &&
           take_one(unit))
        taken++;
    return taken;
}

/* ---- queues that the unit writes ---- */

/* False: full. */
static bool append(struct smmu3_model *unit, unsigned base_at, const void *entry, size_t bytes)
{
    uint64_t base = smmu3_get64(unit, base_at);
    uint32_t prod = smmu3_get(unit, base_at + 8), cons = smmu3_get(unit, base_at + 12);
    uint32_t size = 1u << lg2_of(base);
    uint32_t index = prod & (2 * size - 1);
    uint64_t at = address_of(base) + (index & (size - 1)) * bytes;

    if (((index ^ cons) & (2 * size - 1)) == size) {
        if (((prod ^ cons) & OVERFLOW) == 0)
            smmu3_set(unit, base_at + 8, prod ^ (uint32_t)OVERFLOW);
        return false;
    }
    if (!model_host_write(unit->host, at, entry, bytes))
        smmu3_violate(unit, "queue at %#llx is not RAM", (unsigned long long)at);
    smmu3_set(unit, base_at + 8, ((index + 1) & (2 * size - 1)) | (prod & (uint32_t)OVERFLOW));
    return true;
}

void smmu3_put_event(struct smmu3_model *unit, const uint64_t event[4])
{
    if (!smmu3_on(unit, CR0_EVENTQEN) || !append(unit, R_EVENTQ_BASE, event, 32)) {
        unit->stats.events_lost++;
        return;
    }
    unit->stats.events++;
    interrupt(unit, 2, R_EVENTQ_CFG0);
}

void smmu3_model_log(struct smmu3_model *unit, const uint64_t event[4])
{
    smmu3_lock(unit);
    smmu3_put_event(unit, event);
    smmu3_unlock(unit);
}

bool smmu3_model_page_request(struct smmu3_model *unit, uint32_t sid, uint64_t address,
                              unsigned group, bool last)
{
    const uint64_t entry[2] = {sid | (uint64_t)last << 62, (address & ~MASK64(11, 0)) | group};
    bool done;

    smmu3_lock(unit);
    done = smmu3_on(unit, CR0_PRIQEN) && append(unit, R_PRIQ_BASE, entry, 16);
    if (done)
        interrupt(unit, 1, R_PRIQ_CFG0);
    smmu3_unlock(unit);
    return done;
}

/* ---- for devices ---- */

static void unit_lock(void *unit)
{
    smmu3_lock(unit);
}

static void unit_unlock(void *unit)
{
    smmu3_unlock(unit);
}

static bool unit_dma(void *unit, const struct model_dma_request *request, void *data, size_t bytes,
                     struct model_dma_result *result)
{
    return smmu3_model_dma(unit, request, data, bytes, result);
}

static void unit_connect(void *arg, uint16_t rid, const struct model_endpoint *endpoint)
{
    struct smmu3_model *unit = arg;

    smmu3_lock(unit);
    if (unit->endpoint_count < ENDPOINTS_MAX)
        unit->endpoints[unit->endpoint_count++] =
            (struct smmu3_endpoint){.rid = rid, .to = *endpoint};
    else
        smmu3_violate(unit, "the test has more device TLBs than the model room");
    smmu3_unlock(unit);
}

static void unit_completed(void *arg, uint16_t rid)
{
    struct smmu3_model *unit = arg;
    struct smmu3_endpoint *endpoint;

    smmu3_lock(unit);
    endpoint = endpoint_of(unit, rid);
    if (endpoint != NULL && endpoint->outstanding != 0)
        endpoint->outstanding--;
    if (unit->config.queue_mode == SMMU3_MODEL_AT_DOORBELL)
        (void)smmu3_queue_run(unit, UINT32_MAX);
    smmu3_unlock(unit);
}

const struct model_unit_ops smmu3_model_ops = {
    unit_lock, unit_unlock, unit_dma, smmu3_ats_request, unit_connect, unit_completed,
};
