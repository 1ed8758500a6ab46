// SPDX-License-Identifier: MIT
/*
 * The RISC-V IOMMU model's translation: from a device to its context [RISC-V IOMMU 2.1, 2.3], from
 * an address to memory [RISC-V Privileged Sv39, Sv39x4].
 */
#include "models/riscv_internal.h"

#include <string.h>

#define BARE 0u
#define SV39 8u

bool riscv_fetch(struct riscv_model *unit, sluice_phys_t phys, uint64_t *out)
{
    if (unit->inject.bad_fetch != 0 && (phys & ~MASK64(11, 0)) == unit->inject.bad_fetch)
        return false;
    return phys >> unit->config.pas == 0 &&
           model_host_fetch64(unit->host, phys, riscv_path(unit), "riscv: tables", out);
}

/* ---- contexts ---- */

static unsigned leaf_bits(const struct riscv_model *unit)
{
    return unit->config.extended ? 6 : 7;
}

static bool directory_cached(const struct riscv_model *unit, unsigned level, uint32_t index,
                             sluice_phys_t *out)
{
    for (unsigned i = 0; i < unit->directory_count; i++) {
        if (unit->directory[i].level == level && unit->directory[i].index == index) {
            *out = unit->directory[i].table;
            return true;
        }
    }
    return false;
}

/* The table that a device's context is in; 0, or a cause. */
static uint16_t find_table(struct riscv_model *unit, uint32_t device, sluice_phys_t *out)
{
    unsigned level = (unsigned)FIELD64(unit->ddtp, 3, 0) - MODE_1LVL;
    unsigned bits = level == 2 ? 24 : leaf_bits(unit) + 9 * level;

    if (device >> bits != 0)
        return CAUSE_TYPE;
    *out = FIELD64(unit->ddtp, 53, 10) << 12;
    for (; level > 0; level--) {
        uint32_t index = device >> (leaf_bits(unit) + 9 * (level - 1));
        uint64_t entry;

        if (directory_cached(unit, level, index, out))
            continue;
        if (!riscv_fetch(unit, *out + (index & 511) * 8ull, &entry))
            return CAUSE_DDT_LOAD;
        if ((entry & 1) == 0)
            return CAUSE_DDT_INVALID;
        if ((entry & (MASK64(9, 1) | MASK64(63, 54))) != 0)
            return CAUSE_DDT_BAD;
        *out = FIELD64(entry, 53, 10) << 12;
        if (unit->directory_count == DIRECTORY_MAX)
            unit->directory_count = 0;
        unit->directory[unit->directory_count++] =
            (struct riscv_directory){.level = level, .index = index, .table = *out};
    }
    return 0;
}

bool riscv_has_mode(const struct riscv_model *unit, bool second, uint64_t mode)
{
    const struct riscv_model_config *config = &unit->config;

    switch (mode) {
    case BARE:
        return true;
    case SV39:
        return second ? config->sv39x4 : config->sv39;
    case SV39 + 1:
        return second ? config->sv48x4 : config->sv48;
    case SV39 + 2:
        return second ? config->sv57x4 : config->sv57;
    default:
        return false;
    }
}

/* [RISC-V IOMMU 2.1.4] */
static bool misconfigured(const struct riscv_model *unit, const struct riscv_context *context)
{
    const uint64_t tc = context->word[0], gatp = context->word[1], fsc = context->word[3];
    uint64_t gmode = FIELD64(gatp, 63, 60), msi_mode = FIELD64(context->word[4], 63, 60);
    bool ats = FIELD64(tc, 1, 1) != 0, processes = FIELD64(tc, 5, 5) != 0;

    /* A/D updates and guest addresses in device TLBs are not built in here. */
    if ((tc & (MASK64(63, 12) | MASK64(8, 7) | BIT64(3))) != 0 ||
        (!processes && FIELD64(tc, 9, 9) != 0))
        return true;
    if ((!unit->config.ats && (tc & (BIT64(1) | BIT64(2) | BIT64(6))) != 0) ||
        (!ats && (tc & BIT64(2)) != 0) || ((tc & BIT64(2)) == 0 && (tc & BIT64(6)) != 0))
        return true;
    if (FIELD64(tc, 10, 10) != (riscv_get(unit, R_FCTL) & 1) || FIELD64(tc, 11, 11) != 0)
        return true;
    if ((context->word[2] & ~MASK64(31, 12)) != 0 || (fsc & MASK64(59, 44)) != 0)
        return true;
    if (!riscv_has_mode(unit, true, gmode) ||
        !(processes ? riscv_pdt_supported(unit, FIELD64(fsc, 63, 60))
                    : riscv_has_mode(unit, false, FIELD64(fsc, 63, 60))))
        return true;
    if (gmode != BARE && (gatp & 3) != 0)
        return true;
    if (!unit->config.extended)
        return false;
    return msi_mode > 1 || (context->word[4] & MASK64(59, 44)) != 0 || context->word[7] != 0 ||
           (context->word[5] & MASK64(63, 52)) != 0 || (context->word[6] & MASK64(63, 52)) != 0 ||
           (gmode == BARE && msi_mode != 0);
}

/* 0 and *out, or a cause. */
static uint16_t context_of(struct riscv_model *unit, uint32_t device, struct riscv_context **out)
{
    struct riscv_context read = {.device = device};
    unsigned words = unit->config.extended ? 8 : 4;
    sluice_phys_t table;
    uint16_t cause;

    for (unsigned i = 0; i < unit->context_count; i++) {
        if (unit->contexts[i].device == device) {
            *out = &unit->contexts[i];
            return 0;
        }
    }
    cause = find_table(unit, device, &table);
    if (cause != 0)
        return cause;
    table += 8ull * words * (device & ((1u << leaf_bits(unit)) - 1));
    for (unsigned i = 0; i < words; i++) {
        if (!riscv_fetch(unit, table + 8ull * i, &read.word[i]))
            return CAUSE_DDT_LOAD;
    }
    if ((read.word[0] & 1) == 0)
        return CAUSE_DDT_INVALID;
    if (misconfigured(unit, &read))
        return CAUSE_DDT_BAD;
    if (unit->context_count == CONTEXTS_MAX)
        unit->context_count = 0;
    unit->contexts[unit->context_count] = read;
    *out = &unit->contexts[unit->context_count++];
    return 0;
}

/* ---- translation ---- */

struct riscv_stage riscv_stage_of(const struct riscv_context *context, bool second)
{
    uint64_t atp = context->word[second ? 1 : 3];
    unsigned mode = (unsigned)FIELD64(atp, 63, 60);
    uint32_t guest = (uint32_t)FIELD64(context->word[1], 59, 44);
    bool nested = !second && FIELD64(context->word[1], 63, 60) != BARE;

    return (struct riscv_stage){
        .second = second,
        .guest = nested,
        .tag = second ? guest : (uint32_t)FIELD64(context->word[2], 31, 12),
        .below = nested ? guest : 0,
        .levels = mode == BARE ? 0 : mode - SV39 + 3,
        .root = FIELD64(atp, 43, 0) << 12,
    };
}

uint16_t riscv_page_fault(bool second, bool write)
{
    return (uint16_t)((second ? 21 : 13) + (write ? 2 : 0));
}

struct riscv_cached *riscv_cache_find(struct riscv_model *unit, const struct riscv_stage *stage,
                                      unsigned level, uint64_t index)
{
    for (unsigned i = 0; i < unit->tlb_count; i++) {
        struct riscv_cached *entry = &unit->tlb[i];

        if (entry->level == level && entry->index == index && entry->second == stage->second &&
            entry->guest == stage->guest && entry->tag == stage->tag &&
            entry->below == stage->below)
            return entry;
    }
    return NULL;
}

struct riscv_cached *riscv_cache_add(struct riscv_model *unit, const struct riscv_stage *stage,
                                     unsigned level, uint64_t index, sluice_phys_t phys)
{
    struct riscv_cached *entry;

    if (unit->tlb_count == TLB_MAX)
        unit->tlb_count = 0;
    entry = &unit->tlb[unit->tlb_count++];
    *entry = (struct riscv_cached){.second = stage->second,
                                   .guest = stage->guest,
                                   .tag = stage->tag,
                                   .below = stage->below,
                                   .level = level,
                                   .index = index,
                                   .phys = phys};
    return entry;
}

/* A leaf: whether it may be used, and for what. */
static bool leaf_good(struct riscv_model *unit, uint64_t entry, unsigned shift)
{
    if ((entry & (MASK64(63, 54) | BIT64(5))) != 0 || (entry & 6) == 4)
        return false;
    if ((FIELD64(entry, 53, 10) << 12 & (BIT64(shift) - 1)) != 0) {
        riscv_violate(unit, "leaf %#llx is not aligned", (unsigned long long)entry);
        return false;
    }
    return FIELD64(entry, 4, 4) != 0 && FIELD64(entry, 6, 6) != 0; /* users, accessed */
}

/* Walks; 0 and *out, or a cause. */
static uint16_t walk(struct riscv_model *unit, const struct riscv_stage *stage, uint64_t address,
                     bool write, struct riscv_cached **out)
{
    sluice_phys_t table = stage->root;

    unit->stats.walks++;
    for (unsigned level = stage->levels - 1;; level--) {
        unsigned shift = 12 + 9 * level;
        bool top = level + 1 == stage->levels;
        uint64_t index = address >> shift, entry;
        uint64_t mask = top && stage->second ? 0x7ff : 0x1ff;
        struct riscv_cached *known = level > 0 ? riscv_cache_find(unit, stage, level, index) : NULL;

        if (known != NULL) {
            table = known->phys;
            continue;
        }
        if (!riscv_fetch(unit, table + (index & mask) * 8, &entry))
            return write ? 7 : 5;
        if ((entry & 1) == 0)
            return riscv_page_fault(stage->second, write);
        if ((entry & 0xe) == 0) {
            if (level == 0 || (entry & (MASK64(63, 54) | MASK64(7, 4))) != 0)
                return riscv_page_fault(stage->second, write);
            table = FIELD64(entry, 53, 10) << 12;
            (void)riscv_cache_add(unit, stage, level, index, table);
            continue;
        }
        if (!leaf_good(unit, entry, shift))
            return riscv_page_fault(stage->second, write);
        *out = riscv_cache_add(unit, stage, 0, address >> 12,
                               (FIELD64(entry, 53, 10) << 12) +
                                   (address & (BIT64(shift) - 1) & ~MASK64(11, 0)));
        (*out)->shift = shift;
        (*out)->read = (entry & 2) != 0;
        (*out)->write = (entry & 4) != 0 && FIELD64(entry, 7, 7) != 0;
        return 0;
    }
}

/* Sign-extended, or within the guest's width. */
static bool in_width(const struct riscv_stage *stage, uint64_t address)
{
    unsigned bits = 12 + 9 * stage->levels;
    uint64_t above;

    if (stage->second)
        return address >> (bits + 2) == 0;
    above = address >> (bits - 1);
    return above == 0 || above == UINT64_MAX >> (bits - 1);
}

/* 0 and *out, or a cause. */
static uint16_t find(struct riscv_model *unit, const struct riscv_stage *stage, uint64_t address,
                     const struct riscv_access *access, struct riscv_cached **out)
{
    uint16_t cause = 0;

    if (!in_width(stage, address))
        return riscv_page_fault(stage->second, access->fault_write);
    *out = riscv_cache_find(unit, stage, 0, address >> 12);
    if (*out != NULL)
        unit->stats.hits++;
    else
        cause = walk(unit, stage, address, access->fault_write, out);
    if (cause == 0 && (access->write ? !(*out)->write : !(*out)->read))
        cause = riscv_page_fault(stage->second, access->fault_write);
    return cause;
}

uint16_t riscv_through(struct riscv_model *unit, const struct riscv_stage *stage, uint64_t address,
                       const struct riscv_access *access, uint64_t *out)
{
    struct riscv_cached *entry = NULL;
    uint16_t cause;

    *out = address;
    if (stage->levels == 0)
        return 0;
    cause = find(unit, stage, address, access, &entry);
    if (cause == 0)
        *out = entry->phys | (address & MASK64(11, 0));
    else if (stage->second)
        unit->guest_fault = (address & ~3ull) | access->implicit;
    return cause;
}

/* *out_message: *out is where an interrupt file is, and not looked for any further. */
static uint16_t translate(struct riscv_model *unit, const struct riscv_context *context,
                          uint64_t address, bool write, uint64_t *out, bool *out_message)
{
    const struct riscv_stage stages[2] = {riscv_stage_of(context, false),
                                          riscv_stage_of(context, true)};
    const struct riscv_access access = {.write = write, .fault_write = write};
    bool both = stages[0].levels != 0 && stages[1].levels != 0;
    uint16_t cause;

    *out = address;
    *out_message = stages[0].levels == 0 && riscv_is_msi(context, address);
    if (*out_message)
        return 0;
    if (both && !in_width(&stages[0], address))
        return riscv_page_fault(false, write);
    if (both)
        cause = riscv_nested(unit, context, stages, address, &access, out, out_message);
    else
        cause = riscv_through(unit, &stages[stages[0].levels == 0], address, &access, out);
    if (cause == 0 && !*out_message && *out >> unit->config.pas != 0)
        cause = write ? CAUSE_WRITE_ACCESS : CAUSE_READ_ACCESS;
    return cause;
}

/* DTF: faults of the device directory are reported all the same [RISC-V IOMMU 3.2, table 11]. */
static bool is_quiet(const struct riscv_context *context, uint16_t cause)
{
    bool of_directory = cause >= CAUSE_OFF && cause <= CAUSE_DDT_BAD;

    return (context->word[0] & BIT64(4)) != 0 && !of_directory;
}

static void report(struct riscv_model *unit, const struct model_dma_request *request, unsigned type,
                   uint16_t cause, uint64_t address)
{
    uint64_t process =
        request->has_pasid ? BIT64(32) | (uint64_t)(request->pasid & 0xfffff) << 12 : 0;
    const uint64_t record[4] = {cause | process | (uint64_t)type << 34 |
                                    (uint64_t)request->rid << 40,
                                0, address, cause >= 20 && cause <= 23 ? unit->guest_fault : 0};

    riscv_put_fault(unit, record);
}

/* A copy that a process's first stage can be put into. */
static void copy(struct riscv_context *found, struct riscv_context *out)
{
    *out = *found;
    out->root_at = &found->root;
}

/* 0 and *out, or a cause. *out_context says what is done where not everything passes. */
static uint16_t one_page(struct riscv_model *unit, const struct model_dma_request *request,
                         uint64_t address, uint64_t *out, struct riscv_context *out_context,
                         bool *out_message)
{
    unsigned mode = (unsigned)FIELD64(unit->ddtp, 3, 0);
    struct riscv_context *found;
    uint16_t cause;

    *out = address;
    *out_message = false;
    *out_context = (struct riscv_context){.device = request->rid};
    if (mode == MODE_OFF)
        return CAUSE_OFF;
    if (mode == MODE_BARE) {
        unit->stats.passed++;
        return request->translated ? CAUSE_TYPE : 0;
    }
    cause = context_of(unit, request->rid, &found);
    if (cause != 0)
        return cause;
    copy(found, out_context);
    if (request->translated)
        return (found->word[0] & 2) != 0 ? 0 : CAUSE_TYPE;
    cause = riscv_process_apply(unit, out_context, request);
    if (cause != 0)
        return cause;
    return translate(unit, out_context, address, request->write, out, out_message);
}

/* Moves within one page; 0, or a cause. */
static uint16_t move(struct riscv_model *unit, const struct model_dma_request *request,
                     uint64_t address, void *data, size_t bytes, bool *out_done)
{
    struct riscv_context context;
    struct model_dma_request here = {
        .rid = request->rid, .write = request->write, .translated = request->translated};
    uint64_t phys;
    bool message;
    uint16_t cause = one_page(unit, request, address, &phys, &context, &message);

    here.address = phys;
    if (cause == 0 && message) {
        cause = riscv_msi(unit, &context, &here, data, bytes);
        *out_done = cause == 0;
    } else if (cause == 0) {
        *out_done = request->write ? model_host_write(unit->host, phys, data, bytes)
                                   : model_host_read(unit->host, phys, data, bytes);
    }
    if (cause != 0 && !is_quiet(&context, cause))
        report(unit, request, (request->write ? 3u : 2u) + (request->translated ? 4u : 0), cause,
               address);
    return cause;
}

bool riscv_model_dma(struct riscv_model *unit, const struct model_dma_request *request, void *data,
                     size_t bytes, struct model_dma_result *result)
{
    struct model_dma_result ended = {.done = false};

    riscv_lock(unit);
    while (ended.moved < bytes && !unit->gone) {
        uint64_t address = request->address + ended.moved;
        size_t piece = (size_t)(4096 - (address & 4095));
        bool done = false;

        if (piece > bytes - ended.moved)
            piece = bytes - ended.moved;
        ended.address = address & ~MASK64(11, 0);
        ended.reason = move(unit, request, address, (uint8_t *)data + ended.moved, piece, &done);
        if (!done)
            break;
        ended.moved += piece;
    }
    ended.done = ended.moved == bytes;
    riscv_unlock(unit);
    if (result != NULL)
        *result = ended;
    return ended.done;
}

void riscv_ats_request(void *arg, uint16_t rid, uint64_t address, struct model_translation *out)
{
    const struct model_dma_request request = {.rid = rid, .address = address};
    struct riscv_model *unit = arg;
    struct riscv_context *found = NULL;
    struct riscv_context context;
    uint64_t phys = 0;
    bool message[2];
    uint16_t cause;

    memset(out, 0, sizeof(*out));
    riscv_lock(unit);
    cause = FIELD64(unit->ddtp, 3, 0) >= MODE_1LVL ? context_of(unit, rid, &found) : CAUSE_OFF;
    if (cause == 0 && (found->word[0] & 2) == 0)
        cause = CAUSE_TYPE;
    if (cause == 0) {
        copy(found, &context);
        cause = riscv_process_apply(unit, &context, &request);
    }
    if (cause == 0) {
        out->read =
            translate(unit, &context, address, false, &phys, &message[0]) == 0 && !message[0];
        out->write =
            translate(unit, &context, address, true, &phys, &message[1]) == 0 && !message[1];
        out->valid = out->read || out->write;
        out->phys = phys;
    } else {
        out->reason = cause;
        if (found == NULL || cause < CAUSE_TYPE || !is_quiet(found, cause))
            report(unit, &request, 8, cause, address);
    }
    riscv_unlock(unit);
}
