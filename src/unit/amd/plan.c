// SPDX-License-Identifier: MIT
/*
 * How a gathered set of ranges is named in commands, by cost: one command drops an aligned block of
 * a power of two [AMD 2.4.3]. A range that is no such block takes several, or one that covers it
 * and drops neighbours' translations too, which then are walked again.
 *
 * Exact blocks while a range needs at most four; else the smallest block that covers it; the whole
 * domain when more than AMDVI_PLAN_MAX commands would be needed.
 */
#include "unit/amd/command.h"
#include "unit/block.h"

#define EXACT_MAX 4u

static const char *const opcode_texts[] = {
    [AMDVI_COMPLETION_WAIT] = "COMPLETION_WAIT",
    [AMDVI_INVALIDATE_DEVTAB_ENTRY] = "INVALIDATE_DEVTAB_ENTRY",
    [AMDVI_INVALIDATE_IOMMU_PAGES] = "INVALIDATE_IOMMU_PAGES",
    [AMDVI_INVALIDATE_IOTLB_PAGES] = "INVALIDATE_IOTLB_PAGES",
    [AMDVI_INVALIDATE_INTERRUPT_TABLE] = "INVALIDATE_INTERRUPT_TABLE",
    [AMDVI_COMPLETE_PPR_REQUEST] = "COMPLETE_PPR_REQUEST",
    [AMDVI_INVALIDATE_IOMMU_ALL] = "INVALIDATE_IOMMU_ALL",
};

const char *amdvi_opcode_text(unsigned opcode)
{
    if (opcode >= sizeof(opcode_texts) / sizeof(opcode_texts[0]) || opcode_texts[opcode] == NULL)
        return "unknown command";
    return opcode_texts[opcode];
}

static void add_block(struct amdvi_plan *plan, uint64_t address, unsigned size_lg2, bool tables)
{
    plan->blocks[plan->count].address = address;
    plan->blocks[plan->count].size_lg2 = size_lg2;
    plan->blocks[plan->count].tables = tables;
    plan->count++;
}

/* Appends exact blocks; false, and nothing appended, when it takes more than `limit`. */
static bool plan_exact(const struct pt_range *range, unsigned limit, struct amdvi_plan *plan)
{
    sluice_iova_t at = range->first & ~(SLUICE_PAGE_BYTES - 1);
    sluice_iova_t last = range->last | (SLUICE_PAGE_BYTES - 1);
    unsigned before = plan->count;

    for (;;) {
        unsigned lg2 = unit_block_lg2(at, last, 63);
        uint64_t span = ((uint64_t)1 << lg2) - 1;

        if (plan->count - before == limit) {
            plan->count = before;
            return false;
        }
        add_block(plan, at, lg2, range->tables);
        if (last - at <= span)
            return true;
        at += span + 1;
    }
}

static bool plan_range(const struct pt_range *range, struct amdvi_plan *plan)
{
    unsigned room = AMDVI_PLAN_MAX - plan->count;
    unsigned lg2 = unit_cover_lg2(range->first, range->last);

    if (room == 0)
        return false;
    if (plan_exact(range, room < EXACT_MAX ? room : EXACT_MAX, plan))
        return true;
    if (lg2 > 63)
        return false;
    add_block(plan, range->first & ~(((uint64_t)1 << lg2) - 1), lg2, range->tables);
    return true;
}

void amdvi_plan_make(const struct pt_gather *gather, struct amdvi_plan *out)
{
    out->count = 0;
    /* Tables that no range tells of: nothing narrower is safe. */
    out->whole = gather == NULL || gather->count == 0;
    for (unsigned i = 0; !out->whole && i < gather->count; i++)
        out->whole = !plan_range(&gather->ranges[i], out);
    if (!out->whole)
        return;
    out->count = 0;
    add_block(out, 0, AMDVI_EVERYTHING_LG2, true);
}
