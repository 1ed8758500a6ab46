// SPDX-License-Identifier: MIT
/*
 * The VT-d model's queued invalidation [6.5.2]: legacy descriptors of 128 bits, wait descriptors,
 * device-TLB completions, and the three errors.
 */
#include "models/vtd_internal.h"

/* Descriptor types [6.5.2]. */
enum {
    D_CONTEXT = 1,
    D_IOTLB = 2,
    D_DEVICE_TLB = 3,
    D_INTERRUPT_ENTRY = 4,
    D_WAIT = 5,
    D_TYPES,
};

/* IQERCD.IQEI [11.4.9.9]. */
enum {
    IQE_TAIL = 1,
    IQE_FETCH = 2,
    IQE_TYPE = 3,
    IQE_RESERVED = 4,
    IQE_WIDTH = 5,
};

static const uint64_t reserved_low[D_TYPES] = {
    [D_CONTEXT] = MASK64(15, 6) | MASK64(63, 50),
    [D_IOTLB] = MASK64(15, 8) | MASK64(63, 32),
    [D_DEVICE_TLB] = MASK64(11, 4) | MASK64(31, 21) | MASK64(51, 48),
    [D_INTERRUPT_ENTRY] = MASK64(26, 5) | MASK64(63, 48),
    [D_WAIT] = MASK64(31, 7),
};

static const uint64_t reserved_high[D_TYPES] = {
    [D_CONTEXT] = UINT64_MAX,         [D_IOTLB] = MASK64(11, 7), [D_DEVICE_TLB] = MASK64(11, 1),
    [D_INTERRUPT_ENTRY] = UINT64_MAX, [D_WAIT] = MASK64(1, 0),
};

static uint64_t queue_bytes(const struct vtd_model *unit)
{
    return (uint64_t)4096 << (vtd_get64(unit, R_IQA) & 7u);
}

static void raise_iqe(struct vtd_model *unit, unsigned info)
{
    vtd_set64(unit, R_IQERCD, (vtd_get64(unit, R_IQERCD) & ~(uint64_t)0xf) | info);
    vtd_fault_status(unit, FS_IQE);
}

static void raise_ite(struct vtd_model *unit, uint16_t rid)
{
    if ((vtd_get32(unit, R_FSTS) & FS_ITE) == 0)
        vtd_set64(unit, R_IQERCD,
                  (vtd_get64(unit, R_IQERCD) & ~MASK64(47, 32)) | (uint64_t)rid << 32);
    unit->parked.used = false; /* waits that were fetched are aborted */
    vtd_fault_status(unit, FS_ITE);
}

static void raise_ice(struct vtd_model *unit, uint16_t rid)
{
    if ((vtd_get32(unit, R_FSTS) & FS_ICE) == 0)
        vtd_set64(unit, R_IQERCD,
                  (vtd_get64(unit, R_IQERCD) & ~MASK64(63, 48)) | (uint64_t)rid << 48);
    vtd_fault_status(unit, FS_ICE);
}

void vtd_queue_enable(struct vtd_model *unit, bool enable)
{
    uint64_t base = vtd_get64(unit, R_IQA);

    vtd_set64(unit, R_IQH, 0); /* reset whenever the queue is off [11.4.9.3] */
    unit->parked.used = false;
    unit->timing_out = false;
    if (!enable)
        return;
    if (vtd_get64(unit, R_IQT) != 0)
        vtd_violate(unit, "queue: enabled with tail %#llx",
                    (unsigned long long)vtd_get64(unit, R_IQT));
    if (unit->context_pending || unit->iotlb_pending)
        vtd_violate(unit, "queue: enabled while a register-based invalidation is in progress");
    if ((base & ADDRESS_MASK) % queue_bytes(unit) != 0)
        vtd_violate(unit, "queue: base %#llx is not aligned to its size", (unsigned long long)base);
}

void vtd_tail_written(struct vtd_model *unit, uint64_t value)
{
    if ((value & ~MASK64(18, 4)) != 0)
        vtd_violate(unit, "IQT: reserved bits in %#llx", (unsigned long long)value);
    unit->stats.doorbells++;
    vtd_set64(unit, R_IQT, value & MASK64(18, 4));
    if (unit->config.queue_mode == VTD_MODEL_AT_DOORBELL)
        (void)vtd_queue_run(unit, UINT32_MAX);
}

/* ---- waits ---- */

static void completion_event(struct vtd_model *unit)
{
    uint32_t control = vtd_get32(unit, R_IECTL);

    if ((control & CTL_IM) != 0) {
        vtd_set32(unit, R_IECTL, control | CTL_IP);
        return;
    }
    vtd_set32(unit, R_IECTL, control & ~CTL_IP);
    model_host_post_msi(unit->host,
                        vtd_get32(unit, R_IEADDR) | (uint64_t)vtd_get32(unit, R_IEUADDR) << 32,
                        vtd_get32(unit, R_IEDATA));
}

void vtd_completion_control_written(struct vtd_model *unit)
{
    if ((vtd_get32(unit, R_IECTL) & (CTL_IM | CTL_IP)) == CTL_IP)
        completion_event(unit);
}

static void finish_wait(struct vtd_model *unit, uint64_t low, uint64_t high)
{
    if (unit->inject.wait_never_written)
        return;
    if ((low & BIT64(5)) != 0 &&
        !model_host_store32(unit->host, high & MASK64(63, 2), (uint32_t)(low >> 32)))
        vtd_violate(unit, "wait: status address %#llx is not RAM", (unsigned long long)high);
    if ((low & BIT64(4)) != 0 && vtd_get32(unit, R_ICS) == 0) {
        vtd_set32(unit, R_ICS, 1);
        completion_event(unit);
    }
}

static unsigned outstanding(const struct vtd_model *unit)
{
    unsigned count = 0;

    for (unsigned i = 0; i < unit->endpoint_count; i++)
        count += unit->endpoints[i].outstanding;
    return count;
}

static bool do_wait(struct vtd_model *unit, uint64_t low, uint64_t high)
{
    unit->stats.waits++;
    if ((low & MASK64(6, 4)) == 0)
        vtd_violate(unit, "wait: with neither status, interrupt nor fence");
    if (unit->timing_out) {
        unit->timing_out = false;
        raise_ite(unit, unit->timing_out_rid); /* and the wait is aborted [6.5.2.11] */
        return true;
    }
    if (outstanding(unit) == 0)
        finish_wait(unit, low, high);
    else
        unit->parked = (struct parked_wait){true, (low & BIT64(6)) != 0, low, high};
    return true;
}

/* ---- device TLBs ---- */

static struct endpoint *endpoint_of(struct vtd_model *unit, uint16_t rid)
{
    for (unsigned i = 0; i < unit->endpoint_count; i++) {
        if (unit->endpoints[i].rid == rid)
            return &unit->endpoints[i];
    }
    return NULL;
}

/* With S set, the lowest zero bit from 12 up gives the size [6.5.2.5]. */
static void device_range(uint64_t word, uint64_t *out_first, uint64_t *out_last)
{
    uint64_t below = 0xfff;

    if ((word & 1u) != 0) {
        uint64_t address = word | 0xfff;
        uint64_t lowest_zero = ~address & (address + 1);

        below = lowest_zero == 0 ? UINT64_MAX : (lowest_zero << 1) - 1;
    }
    *out_first = word & ~below;
    *out_last = word | below;
}

static bool do_device_tlb(struct vtd_model *unit, uint64_t low, uint64_t high)
{
    uint16_t rid = (uint16_t)(low >> 32);
    struct endpoint *endpoint = endpoint_of(unit, rid);
    uint64_t first, last;

    if (!unit->config.device_tlb)
        return false;
    unit->stats.device_tlb++;
    device_range(high, &first, &last);
    if (unit->inject.ice_at != 0 && --unit->inject.ice_at == 0)
        raise_ice(unit, rid);
    if ((unit->inject.ite_at != 0 && --unit->inject.ite_at == 0) || endpoint == NULL) {
        unit->timing_out = true; /* seen once the wait behind it is fetched */
        unit->timing_out_rid = rid;
        return true;
    }
    if (!endpoint->to.invalidate(endpoint->to.arg, first, last))
        endpoint->outstanding++;
    return true;
}

void vtd_model_endpoint_completed(struct vtd_model *unit, uint16_t rid)
{
    struct endpoint *endpoint;

    vtd_model_lock(unit);
    endpoint = endpoint_of(unit, rid);
    if (endpoint != NULL && endpoint->outstanding != 0)
        endpoint->outstanding--;
    if (unit->parked.used && outstanding(unit) == 0) {
        unit->parked.used = false;
        finish_wait(unit, unit->parked.low, unit->parked.high);
    }
    if (unit->config.queue_mode == VTD_MODEL_AT_DOORBELL)
        (void)vtd_queue_run(unit, UINT32_MAX);
    vtd_model_unlock(unit);
}

void vtd_model_endpoint_timeout(struct vtd_model *unit, uint16_t rid)
{
    struct endpoint *endpoint;

    vtd_model_lock(unit);
    endpoint = endpoint_of(unit, rid);
    if (endpoint != NULL)
        endpoint->outstanding = 0;
    raise_ite(unit, rid);
    vtd_model_unlock(unit);
}

/* ---- descriptors ---- */

static bool do_context(struct vtd_model *unit, uint64_t low, uint64_t high)
{
    enum vtd_reach reach = (enum vtd_reach)FIELD64(low, 5, 4);

    (void)high;
    if (reach == REACH_NONE)
        return false;
    vtd_invalidate_context(unit, reach, (uint16_t)(low >> 16), (uint16_t)(low >> 32),
                           (unsigned)FIELD64(low, 49, 48));
    return true;
}

static bool do_iotlb(struct vtd_model *unit, uint64_t low, uint64_t high)
{
    return vtd_invalidate_iotlb(unit, (enum vtd_reach)FIELD64(low, 5, 4), (uint16_t)(low >> 16),
                                high);
}

static bool do_interrupt_entry(struct vtd_model *unit, uint64_t low, uint64_t high)
{
    (void)high;
    return vtd_interrupt_invalidate(unit, low);
}

static bool (*const handlers[D_TYPES])(struct vtd_model *unit, uint64_t low, uint64_t high) = {
    [D_CONTEXT] = do_context,
    [D_IOTLB] = do_iotlb,
    [D_DEVICE_TLB] = do_device_tlb,
    [D_INTERRUPT_ENTRY] = do_interrupt_entry,
    [D_WAIT] = do_wait,
};

/* Checks and does one; 0, or the reason for IQE. */
static unsigned do_descriptor(struct vtd_model *unit, uint64_t low, uint64_t high)
{
    unsigned type = (unsigned)(FIELD64(low, 3, 0) | FIELD64(low, 11, 9) << 4);

    if (unit->inject.iqe_at != 0 && --unit->inject.iqe_at == 0)
        return IQE_FETCH;
    if (FIELD64(unit->root, 11, 10) != 0) { /* 128 bits are for legacy mode only [6.5.2.11] */
        vtd_violate(unit, "queue: 128-bit descriptor outside legacy mode");
        return IQE_WIDTH;
    }
    if (type >= D_TYPES || handlers[type] == NULL) {
        vtd_violate(unit, "queue: descriptor type %u", type);
        return IQE_TYPE;
    }
    if ((low & reserved_low[type]) != 0 || (high & reserved_high[type]) != 0) {
        vtd_violate(unit, "queue: reserved bits in descriptor %#llx %#llx", (unsigned long long)low,
                    (unsigned long long)high);
        return IQE_RESERVED;
    }
    if (!handlers[type](unit, low, high)) {
        vtd_violate(unit, "queue: descriptor %#llx %#llx cannot be done", (unsigned long long)low,
                    (unsigned long long)high);
        return IQE_RESERVED;
    }
    return 0;
}

static bool may_fetch(const struct vtd_model *unit)
{
    return !unit->gone && !unit->inject.queue_stuck && (vtd_get32(unit, R_GSTS) & G_QIE) != 0 &&
           (vtd_get32(unit, R_FSTS) & (FS_IQE | FS_ITE)) == 0 &&
           !(unit->parked.used && unit->parked.fence) &&
           vtd_get64(unit, R_IQH) != vtd_get64(unit, R_IQT);
}

/* Takes the descriptor at the head; false when the queue stops at it. */
static bool take_one(struct vtd_model *unit)
{
    uint64_t head = vtd_get64(unit, R_IQH);
    uint64_t base = vtd_get64(unit, R_IQA);
    uint64_t entry[2];
    unsigned error;

    if (vtd_get64(unit, R_IQT) >= queue_bytes(unit)) {
        vtd_violate(unit, "IQT: beyond the queue");
        raise_iqe(unit, IQE_TAIL);
        return false;
    }
    if ((base & BIT64(11)) != 0) {
        vtd_violate(unit, "IQA: 256-bit descriptors without scalable mode");
        raise_iqe(unit, IQE_WIDTH);
        return false;
    }
    if (!model_host_fetch128(unit->host, (base & ADDRESS_MASK) + head, MODEL_SNOOPED, "vtd: queue",
                             entry)) { /* always coherent [11.4.3, C] */
        raise_iqe(unit, IQE_FETCH);
        return false;
    }
    /* Without a fence what follows a wait goes on, but for the next wait [6.5.2.9]. */
    if (unit->parked.used && FIELD64(entry[0], 3, 0) == D_WAIT)
        return false;
    error = do_descriptor(unit, entry[0], entry[1]);
    if (error != 0) {
        raise_iqe(unit, error);
        return false;
    }
    unit->stats.descriptors++;
    vtd_set64(unit, R_IQH, (head + 16) % queue_bytes(unit));
    return true;
}

unsigned vtd_queue_run(struct vtd_model *unit, unsigned limit)
{
    unsigned taken = 0;

    while (taken < limit && may_fetch(unit) && take_one(unit))
        taken++;
    if (unit->timing_out && vtd_get64(unit, R_IQH) == vtd_get64(unit, R_IQT)) {
        unit->timing_out = false;
        raise_ite(unit, unit->timing_out_rid);
    }
    return taken;
}
