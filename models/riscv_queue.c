// SPDX-License-Identifier: MIT
/*
 * The RISC-V IOMMU model's queues and interrupts [RISC-V IOMMU 3, 5.15 to 5.18, 5.28].
 */
#include "models/riscv_internal.h"

#define ILLEGAL_BITS_VMA(unit)                                                                     \
    (BIT64(11) | MASK64(43, 35) | MASK64(63, 60) | ((unit)->config.nonleaf ? 0 : BIT64(34)))

/* ---- interrupts ---- */

static const unsigned csr_of[3] = {R_CQCSR, R_FQCSR, R_PQCSR};
static const unsigned ipsr_bit[3] = {0, 1, 3};

static void signal(struct riscv_model *unit, unsigned bit)
{
    unsigned vector = (unsigned)(riscv_get64(unit, R_ICVEC) >> bit * 4 & 15);
    unsigned entry = R_MSI + vector * 16;

    unit->stats.interrupts++;
    if ((riscv_get(unit, R_FCTL) & 2) != 0)
        model_host_post_wire(unit->host, unit->config.wires[vector & 3]);
    else if ((riscv_get(unit, entry + 12) & 1) == 0)
        model_host_post_msi(unit->host, riscv_get64(unit, entry), riscv_get(unit, entry + 8));
}

void riscv_raise(struct riscv_model *unit, unsigned queue)
{
    uint32_t bit = 1u << ipsr_bit[queue];
    uint32_t ipsr = riscv_get(unit, R_IPSR);

    if ((riscv_get(unit, csr_of[queue]) & CSR_IE) == 0 || (ipsr & bit) != 0)
        return;
    riscv_set(unit, R_IPSR, ipsr | bit);
    signal(unit, ipsr_bit[queue]);
}

void riscv_raise_errors(struct riscv_model *unit)
{
    for (unsigned queue = 0; queue < 3; queue++) {
        uint32_t errors = queue == 0 ? CSR_MF | CSR_OF | CSR_ILL | CSR_WIP : CSR_MF | CSR_OF;

        if ((riscv_get(unit, csr_of[queue]) & errors) != 0)
            riscv_raise(unit, queue);
    }
}

static void error(struct riscv_model *unit, unsigned queue, uint32_t bit)
{
    riscv_set(unit, csr_of[queue], riscv_get(unit, csr_of[queue]) | bit);
    riscv_raise(unit, queue);
}

/* ---- IOTINVAL ---- */

struct drop {
    bool second, by_tag, by_address, tables;
    uint32_t tag;
    bool guest, by_guest; /**< first stages of guests, of one alone */
    uint32_t below;
    uint64_t first, last;
};

/* What two stages came to goes with its second stage, by the guest's page in between. */
static bool dropped_below(const struct riscv_model *unit, const struct riscv_cached *entry,
                          const struct drop *drop)
{
    uint64_t page = unit->config.by_device_address ? entry->index : entry->gpa;

    if (entry->level != 0 || (drop->by_tag && entry->below != drop->tag))
        return false;
    return !drop->by_address || (page >= drop->first >> 12 && page <= drop->last >> 12);
}

static bool dropped(const struct riscv_model *unit, const struct riscv_cached *entry,
                    const struct drop *drop)
{
    unsigned shift = 12 + 9 * entry->level;
    uint64_t first = entry->index << shift, last;

    if (entry->guest && drop->second)
        return dropped_below(unit, entry, drop);
    if (entry->second != drop->second || entry->guest != drop->guest ||
        (drop->by_guest && entry->below != drop->below) ||
        (drop->by_tag && entry->tag != drop->tag))
        return false;
    if (!drop->by_address)
        return true;
    if (entry->level > 0 && !drop->tables)
        return false;
    /* What is of one large page goes as a whole, where the unit knows that. */
    if (entry->level == 0 && !unit->config.pieces)
        shift = entry->shift;
    first &= ~(BIT64(shift) - 1);
    last = first + (BIT64(shift) - 1);
    return first <= drop->last && last >= drop->first;
}

/* MSI entries go with the second stage [RISC-V IOMMU 6.2.3]. */
static void drop_messages(struct riscv_model *unit, const struct drop *drop)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < unit->message_count; i++) {
        const struct riscv_message *message = &unit->messages[i];

        if ((drop->by_tag && message->tag != drop->tag) ||
            (drop->by_address &&
             (message->page < drop->first >> 12 || message->page > drop->last >> 12)))
            unit->messages[kept++] = *message;
    }
    unit->message_count = kept;
}

static void drop_translations(struct riscv_model *unit, const struct drop *drop)
{
    unsigned kept = 0;

    unit->unordered = true;
    unit->unordered_second = unit->unordered_second || drop->second;
    unit->stats.inval_guest += drop->guest;
    if (drop->by_address)
        unit->stats.inval_address++;
    else if (drop->by_tag)
        unit->stats.inval_tag++;
    else
        unit->stats.inval_all++;
    for (unsigned i = 0; i < unit->tlb_count && !unit->inject.lost_invalidations; i++) {
        if (!dropped(unit, &unit->tlb[i], drop))
            unit->tlb[kept++] = unit->tlb[i];
    }
    if (!unit->inject.lost_invalidations)
        unit->tlb_count = kept;
    if (drop->second && !unit->inject.lost_invalidations)
        drop_messages(unit, drop);
}

static uint64_t span_of(uint64_t address)
{
    uint64_t pages = 1;

    while ((address >> 12 & pages) != 0 && pages < BIT64(51))
        pages <<= 1;
    return (pages << 13) - 1;
}

/* False: illegal. */
static bool iotinval(struct riscv_model *unit, uint64_t low, uint64_t high, bool second)
{
    bool av = FIELD64(low, 10, 10) != 0, pscv = FIELD64(low, 32, 32) != 0;
    bool gv = FIELD64(low, 33, 33) != 0, range = FIELD64(high, 9, 9) != 0;
    struct drop drop = {.second = second, .by_address = av, .tables = FIELD64(low, 34, 34) != 0};
    const struct riscv_model_config *config = &unit->config;

    if ((low & ILLEGAL_BITS_VMA(unit)) != 0 || (high & (MASK64(8, 0) | MASK64(63, 62))) != 0 ||
        (range && !config->ranges) || (second && pscv))
        return false;
    if (second ? !config->sv39x4 && !config->sv48x4 && !config->sv57x4
               : !config->sv39 && !config->sv48 && !config->sv57)
        return false;
    drop.guest = drop.by_guest = !second && gv;
    drop.below = (uint32_t)FIELD64(low, 59, 44);
    drop.by_tag = second ? gv : pscv;
    drop.tag = (uint32_t)(second ? FIELD64(low, 59, 44) : FIELD64(low, 31, 12));
    drop.by_address = av && (!second || gv);
    drop.first = FIELD64(high, 61, 10) << 12;
    drop.last = drop.first | 0xfff;
    if (drop.by_address && range) {
        uint64_t span = span_of(drop.first);

        unit->stats.inval_range++;
        drop.first &= ~span;
        drop.last = drop.first | span;
    }
    drop_translations(unit, &drop);
    return true;
}

/* ---- IODIR ---- */

static unsigned device_bits(const struct riscv_model *unit)
{
    unsigned levels = (unsigned)FIELD64(unit->ddtp, 3, 0) - 1;

    return levels > 2 ? 24 : (unit->config.extended ? 6 : 7) + 9 * (levels - 1);
}

static bool holds_guest_address(const struct riscv_model *unit, uint32_t device)
{
    for (unsigned i = 0; i < unit->context_count; i++) {
        if (unit->contexts[i].device == device && unit->contexts[i].root.known)
            return true;
    }
    return false;
}

static bool inval_ddt(struct riscv_model *unit, uint64_t low, uint64_t high)
{
    bool one = FIELD64(low, 33, 33) != 0;
    uint32_t device = (uint32_t)FIELD64(low, 63, 40);
    unsigned kept = 0;

    if ((low & (MASK64(32, 10) | MASK64(39, 34))) != 0 || high != 0)
        return false;
    if (one && FIELD64(unit->ddtp, 3, 0) >= MODE_1LVL && device >> device_bits(unit) != 0)
        riscv_violate(unit, "IODIR.INVAL_DDT: device %#x is wider than the directory", device);
    /* It could be cached again with addresses of the second stage as it was [3.1.3]. */
    if (one && unit->unordered_second && holds_guest_address(unit, device))
        riscv_violate(unit, "IODIR.INVAL_DDT: no IOFENCE.C after the second stage of device %#x",
                      device);
    if (one)
        unit->stats.inval_ddt++;
    else
        unit->stats.inval_ddt_all++;
    if (unit->inject.lost_invalidations)
        return true;
    for (unsigned i = 0; i < unit->context_count; i++) {
        if (one && unit->contexts[i].device != device)
            unit->contexts[kept++] = unit->contexts[i];
    }
    unit->context_count = kept;
    if (!one)
        unit->directory_count = 0;
    riscv_processes_drop(unit, one, device);
    return true;
}

/* ---- ATS ---- */

static struct riscv_endpoint *endpoint_of(struct riscv_model *unit, uint32_t rid)
{
    for (unsigned i = 0; i < unit->endpoint_count; i++) {
        if (unit->endpoints[i].rid == rid)
            return &unit->endpoints[i];
    }
    return NULL;
}

static bool times_out(struct riscv_model *unit)
{
    if (!riscv_hits(&unit->inject.timeout_at))
        return false;
    if (unit->inject.timeouts != 0) {
        unit->inject.timeouts--;
        unit->inject.timeout_at = 1;
    }
    return true;
}

static bool ats_inval(struct riscv_model *unit, uint64_t low, uint64_t payload)
{
    struct riscv_endpoint *endpoint = endpoint_of(unit, (uint32_t)FIELD64(low, 55, 40));
    uint64_t first = payload & ~MASK64(11, 0), span = 0xfff;

    if (!unit->config.ats || (low & (MASK64(11, 10) | MASK64(39, 34))) != 0 ||
        (payload & MASK64(10, 1)) != 0)
        return false;
    if (FIELD64(payload, 11, 11) != 0) {
        span = first == (UINT64_MAX >> 1 & ~MASK64(11, 0)) ? UINT64_MAX : span_of(first);
        first &= ~span;
    }
    /* The device could be told the old translation again [RISC-V IOMMU 6.3.7]. */
    if (unit->unordered)
        riscv_violate(unit, "ATS.INVAL: no IOFENCE.C after the invalidations before it");
    unit->stats.atc++;
    unit->stats.atc_pasid += FIELD64(low, 32, 32);
    if (endpoint == NULL || times_out(unit)) {
        unit->atc_failed = true;
        return true;
    }
    if (!endpoint->to.invalidate(endpoint->to.arg, first, first + span))
        endpoint->outstanding++;
    return true;
}

/* ---- commands ---- */

enum verdict {
    TAKEN,
    ILLEGAL,
    WAITS,
    FAULT,
    TIMEOUT
};

static enum verdict iofence(struct riscv_model *unit, uint64_t low, uint64_t high)
{
    if ((low & MASK64(31, 14)) != 0 || (high & MASK64(63, 62)) != 0 ||
        (FIELD64(low, 11, 11) != 0 && (riscv_get(unit, R_FCTL) & 2) == 0))
        return ILLEGAL;
    if (unit->atc_failed) {
        unit->atc_failed = false;
        return TIMEOUT;
    }
    unit->unordered = unit->unordered_second = false;
    unit->stats.fences++;
    if (FIELD64(low, 12, 12) == 0 || FIELD64(low, 13, 13) == 0)
        riscv_violate(unit, "IOFENCE.C: what devices did before is not ordered");
    if (FIELD64(low, 10, 10) != 0 &&
        !model_host_store32(unit->host, FIELD64(high, 61, 0) << 2, (uint32_t)(low >> 32)))
        return FAULT;
    if (FIELD64(low, 11, 11) != 0)
        error(unit, 0, CSR_WIP);
    return TAKEN;
}

static enum verdict execute(struct riscv_model *unit, uint64_t low, uint64_t high)
{
    switch (low & 0x3ff) {
    case 0x001:
        return iotinval(unit, low, high, false) ? TAKEN : ILLEGAL;
    case 0x081:
        return iotinval(unit, low, high, true) ? TAKEN : ILLEGAL;
    case 0x002:
        return iofence(unit, low, high);
    case 0x003:
        return inval_ddt(unit, low, high) ? TAKEN : ILLEGAL;
    case 0x083:
        return riscv_inval_pdt(unit, low, high) ? TAKEN : ILLEGAL;
    case 0x004:
        return ats_inval(unit, low, high) ? TAKEN : ILLEGAL;
    case 0x084:
        unit->stats.responses++;
        return unit->config.ats && (high & (MASK64(31, 0) | MASK64(43, 41) | MASK64(63, 48))) == 0
                   ? TAKEN
                   : ILLEGAL;
    default:
        return ILLEGAL;
    }
}

static bool fence_waits(const struct riscv_model *unit)
{
    for (unsigned i = 0; i < unit->endpoint_count; i++) {
        if (unit->endpoints[i].outstanding != 0)
            return true;
    }
    return unit->inject.fence_stuck;
}

static bool memory_fault(struct riscv_model *unit)
{
    if (!riscv_hits(&unit->inject.memory_at))
        return false;
    unit->inject.memory_at = unit->inject.memory_always ? 1 : 0;
    return true;
}

static enum verdict judge(struct riscv_model *unit, const uint64_t command[2])
{
    enum verdict verdict;

    if ((command[0] & 0x3ff) == 0x002 && fence_waits(unit))
        return WAITS;
    if (riscv_hits(&unit->inject.illegal_at))
        return ILLEGAL;
    verdict = execute(unit, command[0], command[1]);
    if (verdict == ILLEGAL)
        riscv_violate(unit, "command %#llx %#llx is illegal", (unsigned long long)command[0],
                      (unsigned long long)command[1]);
    return verdict;
}

static bool take_one(struct riscv_model *unit)
{
    uint64_t base = riscv_get64(unit, R_CQB);
    uint32_t head = riscv_get(unit, R_CQH), size = 2u << (base & 31);
    uint64_t command[2];

    if (memory_fault(unit) ||
        !model_host_fetch128(unit->host, (FIELD64(base, 53, 10) << 12) + head * 16ull,
                             riscv_path(unit), "riscv: commands", command)) {
        error(unit, 0, CSR_MF);
        return false;
    }
    switch (judge(unit, command)) {
    case WAITS:
        return false;
    case ILLEGAL:
        error(unit, 0, CSR_ILL);
        return false;
    case FAULT:
        error(unit, 0, CSR_MF);
        return false;
    case TIMEOUT:
        error(unit, 0, CSR_OF);
        return false;
    case TAKEN:
        break;
    }
    unit->stats.commands++;
    riscv_set(unit, R_CQH, (head + 1) & (size - 1));
    return true;
}

unsigned riscv_queue_run(struct riscv_model *unit, unsigned limit)
{
    unsigned taken = 0;

    while (taken < limit && !unit->gone && !unit->inject.queue_stuck &&
           (riscv_get(unit, R_CQCSR) & (CSR_ON | CSR_MF | CSR_OF | CSR_ILL)) == CSR_ON &&
           riscv_get(unit, R_CQH) != riscv_get(unit, R_CQT) && take_one(unit))
        taken++;
    return taken;
}

/* ---- queues that the unit writes ---- */

/* False: lost. */
static bool append(struct riscv_model *unit, unsigned queue, const void *entry, size_t bytes)
{
    unsigned at = queue == 1 ? R_FQB : R_PQB;
    uint64_t base = riscv_get64(unit, at);
    uint32_t head = riscv_get(unit, at + 8), tail = riscv_get(unit, at + 12);
    uint32_t mask = (2u << (base & 31)) - 1;

    if ((riscv_get(unit, csr_of[queue]) & (CSR_ON | CSR_MF | CSR_OF)) != CSR_ON)
        return false;
    if (((tail + 1) & mask) == head) {
        error(unit, queue, CSR_OF);
        return false;
    }
    if (riscv_hits(queue == 1 ? &unit->inject.log_fails_at : &unit->inject.request_fails_at) ||
        !model_host_write(unit->host, (FIELD64(base, 53, 10) << 12) + tail * bytes, entry, bytes)) {
        error(unit, queue, CSR_MF);
        return false;
    }
    riscv_set(unit, at + 12, (tail + 1) & mask);
    riscv_raise(unit, queue);
    return true;
}

void riscv_put_fault(struct riscv_model *unit, const uint64_t record[4])
{
    if (append(unit, 1, record, 32))
        unit->stats.faults++;
    else
        unit->stats.faults_lost++;
}

void riscv_model_log(struct riscv_model *unit, const uint64_t record[4])
{
    riscv_lock(unit);
    riscv_put_fault(unit, record);
    riscv_unlock(unit);
}

bool riscv_model_page_request(struct riscv_model *unit, uint32_t device, uint64_t address,
                              unsigned group, bool last)
{
    const uint64_t entry[2] = {(uint64_t)device << 40,
                               (address & ~MASK64(11, 0)) | group << 3 | (last ? 4u : 0) | 1u};
    bool done;

    riscv_lock(unit);
    done = append(unit, 2, entry, 16);
    riscv_unlock(unit);
    return done;
}

/* ---- for devices ---- */

static void unit_lock(void *unit)
{
    riscv_lock(unit);
}

static void unit_unlock(void *unit)
{
    riscv_unlock(unit);
}

static bool unit_dma(void *unit, const struct model_dma_request *request, void *data, size_t bytes,
                     struct model_dma_result *result)
{
    return riscv_model_dma(unit, request, data, bytes, result);
}

static void unit_connect(void *arg, uint16_t rid, const struct model_endpoint *endpoint)
{
    struct riscv_model *unit = arg;

    riscv_lock(unit);
    if (unit->endpoint_count < ENDPOINTS_MAX)
        unit->endpoints[unit->endpoint_count++] =
            (struct riscv_endpoint){.rid = rid, .to = *endpoint};
    else
        riscv_violate(unit, "the test has more device TLBs than the model room");
    riscv_unlock(unit);
}

static void unit_completed(void *arg, uint16_t rid)
{
    struct riscv_model *unit = arg;
    struct riscv_endpoint *endpoint;

    riscv_lock(unit);
    endpoint = endpoint_of(unit, rid);
    if (endpoint != NULL && endpoint->outstanding != 0)
        endpoint->outstanding--;
    if (unit->config.queue_mode == RISCV_MODEL_AT_DOORBELL)
        (void)riscv_queue_run(unit, UINT32_MAX);
    riscv_unlock(unit);
}

const struct model_unit_ops riscv_model_ops = {
    unit_lock, unit_unlock, unit_dma, riscv_ats_request, unit_connect, unit_completed,
};
