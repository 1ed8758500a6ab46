// SPDX-License-Identifier: MIT
/*
 * The RISC-V IOMMU model's process directories [RISC-V IOMMU 2.2, 2.3.2].
 */
#include "models/riscv_internal.h"

#define BARE 0u
#define PD8  1u

/** The widest process ID that a mode takes, as bits [RISC-V IOMMU 2.1.3.4]. */
static unsigned width_of(unsigned mode)
{
    return mode == PD8 ? 8 : mode == PD8 + 1 ? 17 : 20;
}

bool riscv_pdt_supported(const struct riscv_model *unit, uint64_t mode)
{
    return mode == BARE || (mode <= PD8 + 2 && (unit->config.processes >> (mode - PD8) & 1) != 0);
}

static bool directory_cached(const struct riscv_model *unit, const struct riscv_directory *want,
                             sluice_phys_t *out)
{
    for (unsigned i = 0; i < unit->pdt_count; i++) {
        const struct riscv_directory *known = &unit->pdt[i];

        if (known->device == want->device && known->level == want->level &&
            known->index == want->index) {
            *out = known->table;
            return true;
        }
    }
    return false;
}

/* Requests without one have process 0 where the context says so. */
static uint32_t process_id(const struct model_dma_request *request)
{
    return request->has_pasid ? request->pasid : 0;
}

/* A word of the directory, of which the root is kept with the context. */
static uint16_t fetch(struct riscv_model *unit, const struct riscv_context *context,
                      sluice_phys_t at, bool write, uint64_t *out)
{
    const struct riscv_stage second = riscv_stage_of(context, true);
    bool root = at >> 12 == FIELD64(context->word[3], 43, 0);
    sluice_phys_t phys;
    uint16_t cause;

    if (root) {
        cause = riscv_root(unit, &second, context->root_at, at & ~MASK64(11, 0), write, &phys);
        if (cause == 0 && !riscv_fetch(unit, phys | (at & MASK64(11, 0)), out))
            cause = CAUSE_PDT_LOAD;
    } else {
        cause = riscv_fetch_first(unit, &second, at, write, out);
    }
    return cause == CAUSE_READ_ACCESS || cause == CAUSE_WRITE_ACCESS ? CAUSE_PDT_LOAD : cause;
}

/* The table that a process's context is in; 0, or a cause. */
static uint16_t find_table(struct riscv_model *unit, const struct riscv_context *context,
                           const struct model_dma_request *request, sluice_phys_t *out)
{
    unsigned mode = (unsigned)FIELD64(context->word[3], 63, 60);
    uint32_t process = process_id(request);

    *out = FIELD64(context->word[3], 43, 0) << 12;
    for (unsigned level = mode - PD8; level > 0; level--) {
        struct riscv_directory here = {
            .device = context->device, .level = level, .index = process >> (8 + 9 * (level - 1))};
        uint64_t entry;
        uint16_t cause;

        if (directory_cached(unit, &here, out))
            continue;
        cause = fetch(unit, context, *out + (here.index & 511) * 8ull, request->write, &entry);
        if (cause != 0)
            return cause;
        if ((entry & 1) == 0)
            return CAUSE_PDT_INVALID;
        if ((entry & (MASK64(9, 1) | MASK64(63, 54))) != 0)
            return CAUSE_PDT_BAD;
        here.table = *out = FIELD64(entry, 53, 10) << 12;
        if (unit->pdt_count == DIRECTORY_MAX)
            unit->pdt_count = 0;
        unit->pdt[unit->pdt_count++] = here;
    }
    return 0;
}

/* 0 and *out, or a cause; what is not valid is not cached. */
static uint16_t process_of(struct riscv_model *unit, const struct riscv_context *context,
                           const struct model_dma_request *request, struct riscv_process **out)
{
    struct riscv_process read = {.device = context->device, .process = process_id(request)};
    sluice_phys_t table;
    uint16_t cause;

    for (unsigned i = 0; i < unit->process_count; i++) {
        *out = &unit->processes[i];
        if ((*out)->device == read.device && (*out)->process == read.process)
            return 0;
    }
    cause = find_table(unit, context, request, &table);
    table += (read.process & 255) * 16ull;
    if (cause == 0)
        cause = fetch(unit, context, table, request->write, &read.ta);
    if (cause == 0)
        cause = fetch(unit, context, table + 8, request->write, &read.fsc);
    if (cause != 0)
        return cause;
    if ((read.ta & 1) == 0)
        return CAUSE_PDT_INVALID;
    if ((read.ta & (MASK64(11, 3) | MASK64(63, 32))) != 0 || (read.fsc & MASK64(59, 44)) != 0 ||
        !riscv_has_mode(unit, false, FIELD64(read.fsc, 63, 60)))
        return CAUSE_PDT_BAD;
    if (unit->process_count == CONTEXTS_MAX)
        unit->process_count = 0;
    *out = &unit->processes[unit->process_count++];
    **out = read;
    return 0;
}

uint16_t riscv_process_apply(struct riscv_model *unit, struct riscv_context *context,
                             const struct model_dma_request *request)
{
    uint64_t tc = context->word[0];
    unsigned mode = (unsigned)FIELD64(context->word[3], 63, 60);
    struct riscv_process *process;
    uint16_t cause;

    if (FIELD64(tc, 5, 5) == 0)
        return request->has_pasid ? CAUSE_TYPE : 0;
    if (request->has_pasid && mode != BARE && request->pasid >> width_of(mode) != 0)
        return CAUSE_TYPE;
    if (mode == BARE || (!request->has_pasid && FIELD64(tc, 9, 9) == 0)) {
        context->word[3] = 0; /* no first stage */
        return 0;
    }
    cause = process_of(unit, context, request, &process);
    if (cause != 0)
        return cause;
    context->word[2] = process->ta & MASK64(31, 12);
    context->word[3] = process->fsc;
    context->root_at = &process->root;
    return 0;
}

/* ---- invalidation [RISC-V IOMMU 3.1.3] ---- */

void riscv_processes_drop(struct riscv_model *unit, bool one, uint32_t device)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < unit->process_count; i++) {
        if (one && unit->processes[i].device != device)
            unit->processes[kept++] = unit->processes[i];
    }
    unit->process_count = kept;
    kept = 0;
    for (unsigned i = 0; i < unit->pdt_count; i++) {
        if (one && unit->pdt[i].device != device)
            unit->pdt[kept++] = unit->pdt[i];
    }
    unit->pdt_count = kept;
}

bool riscv_inval_pdt(struct riscv_model *unit, uint64_t low, uint64_t high)
{
    uint32_t device = (uint32_t)FIELD64(low, 63, 40), process = (uint32_t)FIELD64(low, 31, 12);
    unsigned widest = unit->config.processes >> 2 & 1   ? 20
                      : unit->config.processes >> 1 & 1 ? 17
                      : unit->config.processes & 1      ? 8
                                                        : 0;
    unsigned kept = 0;

    if (FIELD64(low, 33, 33) == 0 || (low & (MASK64(11, 10) | BIT64(32) | MASK64(39, 34))) != 0 ||
        high != 0)
        return false;
    if (process >> widest != 0)
        riscv_violate(unit, "IODIR.INVAL_PDT: process %#x is wider than the unit's", process);
    unit->stats.inval_pdt++;
    for (unsigned i = 0; i < unit->process_count && !unit->inject.lost_invalidations; i++) {
        const struct riscv_process *known = &unit->processes[i];

        if (known->device != device || known->process != process)
            unit->processes[kept++] = *known;
    }
    if (!unit->inject.lost_invalidations)
        unit->process_count = kept;
    return true;
}
