// SPDX-License-Identifier: MIT
/*
 * How a gathered set of ranges is named in commands [RISC-V IOMMU 3.1.1, 8.2, 8.3].
 *
 * With ranges, one command drops an aligned block of a power of two: a range is cut into the
 * largest ones that fit. Without, one drops what translates one address, so each 4 KiB page takes
 * one: a large page would need only one as a whole, but there are units that cache it in pieces
 * (QEMU's), and a command too many costs less than a stale piece. By address only leaves go, unless
 * the unit can do more, so where a table was unlinked everything with the tag goes; and so it does
 * beyond RIOMMU_PLAN_MAX commands.
 */
#include "unit/block.h"
#include "unit/riscv/command.h"

static bool plan_range(const struct pt_range *range, bool ranges, struct riommu_plan *plan)
{
    sluice_iova_t at = range->first & ~(uint64_t)(SLUICE_PAGE_BYTES - 1);
    sluice_iova_t last = range->last | (SLUICE_PAGE_BYTES - 1);

    for (;;) {
        unsigned lg2 = ranges ? unit_block_lg2(at, last, 63) : SLUICE_PAGE_LG2;

        if (plan->count == RIOMMU_PLAN_MAX)
            return false;
        plan->blocks[plan->count++] =
            (struct riommu_block){.address = at, .lg2 = (uint8_t)lg2, .tables = range->tables};
        if (last - at < RIOMMU_BIT(lg2))
            return true;
        at += RIOMMU_BIT(lg2);
    }
}

void riommu_plan_make(const struct pt_gather *gather, bool ranges, bool tables,
                      struct riommu_plan *out)
{
    out->count = 0;
    /* Tables that no range tells of: nothing narrower is safe. */
    out->whole = gather == NULL || gather->count == 0;
    for (unsigned i = 0; !out->whole && i < gather->count; i++) {
        const struct pt_range *range = &gather->ranges[i];

        out->whole = (range->tables && !tables) || !plan_range(range, ranges, out);
    }
    if (out->whole)
        out->count = 0;
}
