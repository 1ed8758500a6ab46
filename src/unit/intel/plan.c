// SPDX-License-Identifier: MIT
/*
 * Which granularity an invalidation asks for [VT-d 6.5.2.3], by cost: one request drops an aligned
 * block of 1 << AM pages. A range that is not such a block takes several, or one that covers it
 * and drops neighbours' translations too, which then are walked again.
 *
 * Rules: exact blocks while a range needs at most four; else the smallest block that covers it;
 * the whole domain when pages cannot be selected, a block is beyond MAMV, or more than
 * VTD_NARROW_MAX requests would be needed.
 */
#include "unit/block.h"
#include "unit/intel/descriptor.h"

#define EXACT_MAX 4u

static const char *const type_texts[] = {
    [VTD_DESC_CONTEXT] = "context-cache invalidation",
    [VTD_DESC_IOTLB] = "IOTLB invalidation",
    [VTD_DESC_DEVICE_TLB] = "device-TLB invalidation",
    [VTD_DESC_INTERRUPT_ENTRY] = "interrupt-entry invalidation",
    [VTD_DESC_WAIT] = "wait",
    [VTD_DESC_PASID_IOTLB] = "PASID IOTLB invalidation",
    [VTD_DESC_PASID_CACHE] = "PASID-cache invalidation",
    [VTD_DESC_PASID_DEVICE_TLB] = "PASID device-TLB invalidation",
    [VTD_DESC_PAGE_GROUP_RESPONSE] = "page group response",
};

const char *vtd_desc_type_text(unsigned type)
{
    if (type >= sizeof(type_texts) / sizeof(type_texts[0]) || type_texts[type] == NULL)
        return "unknown descriptor";
    return type_texts[type];
}

/* Appends exact blocks; false when it takes more than `limit`, and *out_count is then absurd. */
static bool plan_exact(const struct pt_range *range, const struct vtd_plan_limits *limits,
                       unsigned limit, struct vtd_iotlb_request *requests, unsigned *out_count)
{
    sluice_iova_t at = range->first & ~(SLUICE_PAGE_BYTES - 1);
    sluice_iova_t last = range->last | (SLUICE_PAGE_BYTES - 1);

    *out_count = 0;
    for (;;) {
        unsigned most = limits->mamv < 51 ? SLUICE_PAGE_LG2 + limits->mamv : 63;
        unsigned lg2 = unit_block_lg2(at, last, most);
        uint64_t span = ((uint64_t)1 << lg2) - 1;

        if (*out_count == limit)
            return false;
        requests[(*out_count)++] = (struct vtd_iotlb_request){
            .granularity = VTD_NARROW,
            .did = limits->did,
            .drain = limits->drain,
            .am = (uint8_t)(lg2 - SLUICE_PAGE_LG2),
            .hint = !range->tables,
            .address = at,
        };
        if (last - at <= span)
            return true;
        at += span + 1;
    }
}

static bool plan_range(const struct pt_range *range, const struct vtd_plan_limits *limits,
                       struct vtd_plan *plan)
{
    unsigned room = VTD_NARROW_MAX - plan->count;
    unsigned count;
    unsigned lg2 = unit_cover_lg2(range->first, range->last);

    if (room == 0)
        return false;
    if (plan_exact(range, limits, room < EXACT_MAX ? room : EXACT_MAX, &plan->requests[plan->count],
                   &count)) {
        plan->count += count;
        return true;
    }
    if (lg2 > SLUICE_PAGE_LG2 + limits->mamv || lg2 > 63)
        return false;
    plan->requests[plan->count++] = (struct vtd_iotlb_request){
        .granularity = VTD_NARROW,
        .did = limits->did,
        .drain = limits->drain,
        .am = (uint8_t)(lg2 - SLUICE_PAGE_LG2),
        .hint = !range->tables,
        .address = range->first & ~(((uint64_t)1 << lg2) - 1),
    };
    return true;
}

void vtd_plan_make(const struct pt_gather *gather, const struct vtd_plan_limits *limits,
                   struct vtd_plan *out)
{
    out->count = 0;
    out->whole_domain = gather == NULL || !limits->page_selective;
    for (unsigned i = 0; !out->whole_domain && i < gather->count; i++)
        out->whole_domain = !plan_range(&gather->ranges[i], limits, out);
    /* Tables were freed that no range tells of: nothing narrower is safe. */
    if (!out->whole_domain && out->count == 0)
        out->whole_domain = true;
    if (!out->whole_domain)
        return;
    out->count = 1;
    out->requests[0] = (struct vtd_iotlb_request){
        .granularity = VTD_DOMAIN,
        .did = limits->did,
        .drain = limits->drain,
    };
}
