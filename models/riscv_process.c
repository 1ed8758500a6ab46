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

/* The table that a process's context is in; 0, or a cause. */
static uint16_t find_table(struct riscv_model *unit, const struct riscv_context *context,
                           uint32_t process, sluice_phys_t *out)
{
    unsigned mode = (unsigned)FIELD64(context->word[3], 63, 60);

    *out = FIELD64(context->word[3], 43, 0) << 12;
    for (unsigned level = mode - PD8; level > 0; level--) {
        struct riscv_directory here = {
            .device = context->device, .level = level, .index = process >> (8 + 9 * (level - 1))};
        uint64_t entry;

        if (directory_cached(unit, &here, out))
            continue;
        if (!riscv_fetch(unit, *out + (here.index & 511) * 8ull, &entry))
            return CAUSE_PDT_LOAD;
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
                           uint32_t process, struct riscv_process *out)
{
    sluice_phys_t table;
    uint16_t cause;

    for (unsigned i = 0; i < unit->process_count; i++) {
        *out = unit->processes[i];
        if (out->device == context->device && out->process == process)
            return 0;
    }
    *out = (struct riscv_process){.device = context->device, .process = process};
    cause = find_table(unit, context, process, &table);
    if (cause != 0)
        return cause;
    table += (process & 255) * 16ull;
    if (!riscv_fetch(unit, table, &out->ta) || !riscv_fetch(unit, table + 8, &out->fsc))
        return CAUSE_PDT_LOAD;
    if ((out->ta & 1) == 0)
        return CAUSE_PDT_INVALID;
    if ((out->ta & (MASK64(11, 3) | MASK64(63, 32))) != 0 || (out->fsc & MASK64(59, 44)) != 0 ||
        !riscv_has_mode(unit, false, FIELD64(out->fsc, 63, 60)))
        return CAUSE_PDT_BAD;
    if (unit->process_count == CONTEXTS_MAX)
        unit->process_count = 0;
    unit->processes[unit->process_count++] = *out;
    return 0;
}

uint16_t riscv_process_apply(struct riscv_model *unit, struct riscv_context *context,
                             const struct model_dma_request *request)
{
    uint64_t tc = context->word[0];
    unsigned mode = (unsigned)FIELD64(context->word[3], 63, 60);
    struct riscv_process process;
    uint16_t cause;

    if (FIELD64(tc, 5, 5) == 0)
        return request->has_pasid ? CAUSE_TYPE : 0;
    if (request->has_pasid && mode != BARE && request->pasid >> width_of(mode) != 0)
        return CAUSE_TYPE;
    if (mode == BARE || (!request->has_pasid && FIELD64(tc, 9, 9) == 0)) {
        context->word[3] = 0; /* no first stage */
        return 0;
    }
    if (FIELD64(context->word[1], 63, 60) != BARE) {
        riscv_violate(unit, "a process directory below a second stage");
        return CAUSE_PDT_LOAD;
    }
    cause = process_of(unit, context, request->has_pasid ? request->pasid : 0, &process);
    if (cause != 0)
        return cause;
    context->word[2] = process.ta & MASK64(31, 12);
    context->word[3] = process.fsc;
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
