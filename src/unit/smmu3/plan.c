// SPDX-License-Identifier: MIT
/*
 * How a gathered set of ranges is named in commands, by cost [SMMU 4.4.1].
 *
 * With ranges, one command drops (NUM + 1) << SCALE smallest pages from any address on: a range of
 * n pages takes at most one command for five bits of n. Without, one command drops what translates
 * one address, whatever its size: so as many as there are pages of the smallest size that was in
 * the range. Beyond SMMU3_PLAN_MAX commands everything with the tag goes.
 *
 * One page with a granule and no hint of a level is a reserved form, so it goes without a granule.
 */
#include "unit/smmu3/command.h"

#define NUM_BITS  5u
#define SCALE_MAX 31u

static bool plan_add(struct smmu3_plan *plan, const struct smmu3_block *block)
{
    if (plan->count == SMMU3_PLAN_MAX)
        return false;
    plan->blocks[plan->count++] = *block;
    return true;
}

/* The lowest five bits of the page count that are not zero, then the next ones. */
static bool plan_by_range(const struct pt_range *range, unsigned page_lg2, struct smmu3_plan *plan)
{
    uint64_t at = range->first >> page_lg2;
    uint64_t pages = (range->last >> page_lg2) - at + 1;

    for (unsigned scale = 0; pages != 0 && scale <= SCALE_MAX; scale++) {
        struct smmu3_block block = {.address = at << page_lg2, .leaf = !range->tables};
        unsigned num = (unsigned)(pages >> scale) & ((1u << NUM_BITS) - 1);

        if ((pages >> scale & 1) == 0)
            continue;
        if (num != 1 || scale != 0) {
            block.granule = (uint8_t)((page_lg2 - 10) / 2);
            block.num = (uint8_t)(num - 1);
            block.scale = (uint8_t)scale;
        }
        if (!plan_add(plan, &block))
            return false;
        at += (uint64_t)num << scale;
        pages -= (uint64_t)num << scale;
    }
    return pages == 0;
}

static bool plan_by_page(const struct pt_range *range, unsigned page_lg2, struct smmu3_plan *plan)
{
    unsigned lg2 = range->page_lg2 > page_lg2 ? range->page_lg2 : page_lg2;
    uint64_t at = range->first >> lg2;
    uint64_t count = (range->last >> lg2) - at + 1;

    if (count > SMMU3_PLAN_MAX)
        return false;
    for (uint64_t i = 0; i < count; i++) {
        const struct smmu3_block block = {.address = (at + i) << lg2, .leaf = !range->tables};

        if (!plan_add(plan, &block))
            return false;
    }
    return true;
}

void smmu3_plan_make(const struct pt_gather *gather, unsigned page_lg2, bool ranges,
                     struct smmu3_plan *out)
{
    out->count = 0;
    /* Tables that no range tells of: nothing narrower is safe. */
    out->whole = gather == NULL || gather->count == 0;
    for (unsigned i = 0; !out->whole && i < gather->count; i++)
        out->whole = !(ranges ? plan_by_range(&gather->ranges[i], page_lg2, out)
                              : plan_by_page(&gather->ranges[i], page_lg2, out));
    if (out->whole)
        out->count = 0;
}
