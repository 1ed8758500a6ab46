// SPDX-License-Identifier: MIT
/*
 * Invalidation descriptors of 128 bits [VT-d 6.5.2] and the granularity they ask for.
 * Pure functions; used by queue.c and invalidate.c.
 */
#ifndef SLUICE_UNIT_INTEL_DESCRIPTOR_H
#define SLUICE_UNIT_INTEL_DESCRIPTOR_H

#include "pagetable/pagetable.h"
#include "unit/intel/registers.h"

struct vtd_descriptor {
    uint64_t low;
    uint64_t high;
};

_Static_assert(sizeof(struct vtd_descriptor) == 16, "IQA.DW = 0: 128 bits [VT-d 11.4.9.3]");

/** Types: bits 11:9 and 3:0 together [VT-d 6.5.2]. Legacy mode takes only 1 to 5: others are queue
 * errors there [VT-d 6.5.2.11]. */
enum vtd_descriptor_type {
    VTD_DESC_CONTEXT = 1,
    VTD_DESC_IOTLB = 2,
    VTD_DESC_DEVICE_TLB = 3,
    VTD_DESC_INTERRUPT_ENTRY = 4,
    VTD_DESC_WAIT = 5,
    VTD_DESC_PASID_IOTLB = 6,
    VTD_DESC_PASID_CACHE = 7,
    VTD_DESC_PASID_DEVICE_TLB = 8,
    VTD_DESC_PAGE_GROUP_RESPONSE = 9,
};

#define VTD_WAIT_SW ((uint64_t)1 << 5) /**< write status when done [VT-d 6.5.2.9] */
#define VTD_WAIT_FN ((uint64_t)1 << 6) /**< fence: what follows waits as well */

/** Everything a device TLB holds: size encoded in address bits, all but bit 63 [VT-d 6.5.2.5]. */
#define VTD_DEVICE_TLB_ALL_LG2 64u

/** [VT-d 6.5.2.1] `function_mask` 1, 2, 3 leaves out one, two, three bits of the function. */
static inline struct vtd_descriptor vtd_desc_context(enum vtd_granularity granularity, uint16_t did,
                                                     uint16_t sid, unsigned function_mask)
{
    return (struct vtd_descriptor){
        .low = VTD_DESC_CONTEXT | (uint64_t)granularity << 4 | (uint64_t)did << 16 |
               (uint64_t)sid << 32 | (uint64_t)(function_mask & 3u) << 48,
    };
}

/** What the IOTLB is asked to drop; `drain` has DW in bit 0 and DR in bit 1. */
struct vtd_iotlb_request {
    enum vtd_granularity granularity;
    uint16_t did;
    uint8_t drain;
    uint8_t am; /**< NARROW: 1 << am pages, aligned */
    bool hint;  /**< NARROW: no table was unlinked */
    uint64_t address;
};

/** The low bits of IVA and of the descriptor's second word are the same [VT-d 6.5.2.3, 11.4.6.4].
 */
static inline uint64_t vtd_iotlb_address(const struct vtd_iotlb_request *request)
{
    if (request->granularity != VTD_NARROW)
        return 0;
    return (request->address & VTD_MASK(IVA_ADDR)) | VTD_PREP(IVA_IH, request->hint) |
           VTD_PREP(IVA_AM, request->am);
}

/** [VT-d 6.5.2.3] */
static inline struct vtd_descriptor vtd_desc_iotlb(const struct vtd_iotlb_request *request)
{
    return (struct vtd_descriptor){
        .low = VTD_DESC_IOTLB | (uint64_t)request->granularity << 4 |
               (uint64_t)(request->drain & 3u) << 6 | (uint64_t)request->did << 16,
        .high = vtd_iotlb_address(request),
    };
}

/** What a device TLB is asked to drop. */
struct vtd_device_tlb_request {
    uint16_t sid;
    uint16_t pfsid;    /**< the physical function, for throttling; 0 without ECAP.DIT */
    uint8_t depth;     /**< outstanding invalidations the device takes; 32 is written as 0 */
    unsigned size_lg2; /**< 12 to 63, or VTD_DEVICE_TLB_ALL_LG2 */
    uint64_t address;  /**< aligned to the size */
};

/**
 * [VT-d 6.5.2.5, PCIe 10.3.8] With S set, the lowest clear address bit from 12 up tells the size:
 * bit n clear and all below set is 2 << n bytes. Everything: all set but bit 63.
 */
static inline struct vtd_descriptor
vtd_desc_device_tlb(const struct vtd_device_tlb_request *request)
{
    struct vtd_descriptor descriptor = {
        .low = VTD_DESC_DEVICE_TLB | (uint64_t)(request->pfsid & 0xfu) << 12 |
               (uint64_t)(request->depth & 0x1fu) << 16 | (uint64_t)request->sid << 32 |
               (uint64_t)(request->pfsid >> 4) << 52,
    };

    if (request->size_lg2 >= VTD_DEVICE_TLB_ALL_LG2)
        descriptor.high = (UINT64_MAX >> 1 & ~(uint64_t)0xfff) | 1u;
    else if (request->size_lg2 <= 12)
        descriptor.high = request->address & ~(uint64_t)0xfff;
    else
        descriptor.high = (request->address & ~(((uint64_t)1 << request->size_lg2) - 1)) |
                          ((((uint64_t)1 << (request->size_lg2 - 1)) - 1) & ~(uint64_t)0xfff) | 1u;
    return descriptor;
}

/** All interrupt entries [VT-d 6.5.2.8]. */
static inline struct vtd_descriptor vtd_desc_interrupt_entries(void)
{
    return (struct vtd_descriptor){.low = VTD_DESC_INTERRUPT_ENTRY};
}

/** `1 << mask_lg2` interrupt entries from `index`, which is aligned to that [VT-d 6.5.2.8]. */
static inline struct vtd_descriptor vtd_desc_interrupt_entry(uint16_t index, unsigned mask_lg2)
{
    return (struct vtd_descriptor){.low = VTD_DESC_INTERRUPT_ENTRY | 1u << 4 |
                                          (uint64_t)(mask_lg2 & 0x1fu) << 27 |
                                          (uint64_t)index << 32};
}

/** [VT-d 6.5.2.9] Writes `data` to `status` when what is between it and the last wait is done. */
static inline struct vtd_descriptor vtd_desc_wait(uint32_t data, sluice_phys_t status)
{
    return (struct vtd_descriptor){
        .low = VTD_DESC_WAIT | VTD_WAIT_SW | (uint64_t)data << 32,
        .high = status & ~(uint64_t)3,
    };
}

/** Harmless: a fence that reports nothing. Takes the place of a descriptor that was refused. */
static inline struct vtd_descriptor vtd_desc_nothing(void)
{
    return (struct vtd_descriptor){.low = VTD_DESC_WAIT | VTD_WAIT_FN};
}

static inline unsigned vtd_desc_type(const struct vtd_descriptor *descriptor)
{
    return (unsigned)((descriptor->low & 0xf) | (descriptor->low >> 9 & 7) << 4);
}

const char *vtd_desc_type_text(unsigned type);

/* ---- granularity [VT-d 6.5.2.3] ---- */

/** Page-selective requests that one invalidation may use before the whole domain is cheaper. */
#define VTD_NARROW_MAX 16u

struct vtd_plan {
    bool whole_domain;
    unsigned count;
    struct vtd_iotlb_request requests[VTD_NARROW_MAX];
};

/** What a unit can do about it. */
struct vtd_plan_limits {
    bool page_selective; /**< CAP.PSI */
    unsigned mamv;       /**< CAP.MAMV */
    uint16_t did;
    uint8_t drain;
};

/** Chooses what to ask for; `gather` NULL is the whole domain. */
void vtd_plan_make(const struct pt_gather *gather, const struct vtd_plan_limits *limits,
                   struct vtd_plan *out);

#endif
