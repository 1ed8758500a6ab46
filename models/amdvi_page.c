// SPDX-License-Identifier: MIT
/*
 * The AMD-Vi model's page requests: the log [2.6, 3.4], what a device may ask [2.2.2, 2.5.10], and
 * who is owed an answer [2.4.7; PCIe 10.4].
 */
#include "models/amdvi_internal.h"

#define D_V            BIT64(0)
#define D_PPR          BIT64(52)
#define PAGE_REQUEST   1u
#define ANSWER_INVALID 1u

/* An entry's words [2.6]. */
#define R_LAST  BIT64(41)
#define R_READ  BIT64(50)
#define R_WRITE BIT64(53)
#define R_GN    BIT64(56)

static struct amdvi_owed owed_by(uint64_t low)
{
    bool has_pasid = (low & R_GN) != 0;

    return (struct amdvi_owed){
        .rid = (uint16_t)low,
        .group = (uint16_t)FIELD64(low, 40, 32),
        .has_pasid = has_pasid,
        .pasid = has_pasid ? (uint32_t)(FIELD64(low, 45, 42) << 16 | FIELD64(low, 31, 16)) : 0,
    };
}

/* The last of a group is owed an answer, unless it marks the end of a PASID [PCIe 10.4.1.2.1]. */
static void owe_answer(struct amdvi_model *unit, uint64_t low)
{
    if (FIELD64(low, 63, 60) != PAGE_REQUEST || (low & R_LAST) == 0 ||
        ((low & R_GN) != 0 && (low & (R_READ | R_WRITE)) == 0))
        return;
    if (unit->owed_count == OWED_MAX)
        amdvi_violate(unit, "the test asks for more pages than the model has room for");
    else
        unit->owed[unit->owed_count++] = owed_by(low);
}

static void append(struct amdvi_model *unit, const uint64_t entry[2])
{
    uint64_t base = amdvi_get(unit, A_PPRLOG);
    uint64_t bytes = BIT64(FIELD64(base, 59, 56)) * 16;
    uint64_t tail = amdvi_get(unit, A_PPR_TAIL);
    uint64_t next = (tail + 16) % bytes;

    if (next == amdvi_get(unit, A_PPR_HEAD)) {
        *amdvi_reg(unit, A_STATUS) |= S_PPROVERFLOW;
        if ((unit->inject.stuck_status & S_PPRRUN) == 0)
            *amdvi_reg(unit, A_STATUS) &= ~S_PPRRUN;
        unit->stats.requests_lost++;
        amdvi_raise(unit, S_PPRINT, C_PPRINT);
        return;
    }
    if (unit->inject.late_request && !unit->late) {
        unit->late = true;
        unit->late_left = unit->inject.late_event;
        unit->late_at = (base & ADDRESS) + tail;
        unit->late_event[0] = entry[0];
        unit->late_event[1] = entry[1];
    } else if (!model_host_write(unit->host, (base & ADDRESS) + tail, entry, 16)) {
        amdvi_violate(unit, "page request log at %#llx is not RAM",
                      (unsigned long long)(base & ADDRESS));
    }
    *amdvi_reg(unit, A_PPR_TAIL) = next;
    unit->stats.requests_logged++;
    owe_answer(unit, entry[0]);
    amdvi_raise(unit, S_PPRINT, C_PPRINT);
}

static void put_request(struct amdvi_model *unit, uint64_t low, uint64_t high)
{
    const uint64_t entry[2] = {low, high};

    if (!unit->gone && (amdvi_get(unit, A_STATUS) & (S_PPRRUN | S_PPROVERFLOW)) == S_PPRRUN)
        append(unit, entry);
    else
        unit->stats.requests_lost++;
}

void amdvi_model_log_request(struct amdvi_model *unit, uint64_t low, uint64_t high)
{
    amdvi_model_lock(unit);
    put_request(unit, low, high);
    amdvi_model_unlock(unit);
}

/* Whether the unit takes requests, and the device's entry lets it make any. */
static bool may_ask(struct amdvi_model *unit, uint16_t rid)
{
    struct amdvi_cached_entry entry = amdvi_entry_get(unit, rid);

    return (amdvi_get(unit, A_CONTROL) & C_PPR) != 0 && entry.event == 0 &&
           (entry.word[0] & (D_V | D_PPR)) == (D_V | D_PPR);
}

bool amdvi_model_page_request(struct amdvi_model *unit,
                              const struct amdvi_model_page_request *request)
{
    uint64_t low = (uint64_t)PAGE_REQUEST << 60 | request->rid |
                   (uint64_t)(request->group & 0x1ff) << 32 | (request->last ? R_LAST : 0) |
                   (request->read ? R_READ : 0) | (request->write ? R_WRITE : 0);
    bool taken;

    if (request->has_pasid)
        low |= R_GN | (uint64_t)(request->pasid & 0xffff) << 16 |
               (uint64_t)(request->pasid >> 16 & 0xf) << 42;
    amdvi_model_lock(unit);
    taken = !unit->gone && (amdvi_get(unit, A_CONTROL) & C_EN) != 0 && may_ask(unit, request->rid);
    if (taken)
        put_request(unit, low, request->address & PAGE_MASK);
    else
        amdvi_put_event(unit, E_INVALID_PAGE_REQUEST, request->rid, request->address);
    amdvi_model_unlock(unit);
    return taken;
}

unsigned amdvi_model_requests_owed(struct amdvi_model *unit)
{
    unsigned count;

    amdvi_model_lock(unit);
    count = unit->owed_count;
    amdvi_model_unlock(unit);
    return count;
}

static bool answers(const struct amdvi_owed *owed, uint64_t low, uint64_t high)
{
    return owed->rid == (uint16_t)low && owed->group == FIELD64(high, 41, 32) &&
           owed->has_pasid == ((high & 4) != 0) && owed->pasid == FIELD64(low, 51, 32);
}

bool amdvi_page_answer(struct amdvi_model *unit, uint64_t low, uint64_t high)
{
    if (!unit->config.page_requests)
        return false;
    unit->stats.answers++;
    if (FIELD64(high, 47, 44) == ANSWER_INVALID)
        unit->stats.answers_invalid++;
    for (unsigned i = 0; i < unit->owed_count; i++) {
        if (answers(&unit->owed[i], low, high)) {
            unit->owed[i] = unit->owed[--unit->owed_count];
            return true;
        }
    }
    amdvi_violate(unit, "COMPLETE_PPR_REQUEST: %04x, group %u: nobody waits for that",
                  (unsigned)(uint16_t)low, (unsigned)FIELD64(high, 41, 32));
    return true;
}
