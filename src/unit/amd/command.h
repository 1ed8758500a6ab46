// SPDX-License-Identifier: MIT
/*
 * Commands of 128 bits [AMD 2.4]: pure functions, no state.
 */
#ifndef SLUICE_UNIT_AMD_COMMAND_H
#define SLUICE_UNIT_AMD_COMMAND_H

#include "pagetable/pagetable.h"
#include "unit/amd/registers.h"

#include <stdbool.h>

#include <sluice/types.h>

struct amdvi_command {
    uint64_t low;
    uint64_t high;
};

_Static_assert(sizeof(struct amdvi_command) == 16, "command buffer entries are 128 bits");

enum amdvi_opcode {
    AMDVI_COMPLETION_WAIT = 1,
    AMDVI_INVALIDATE_DEVTAB_ENTRY = 2,
    AMDVI_INVALIDATE_IOMMU_PAGES = 3,
    AMDVI_INVALIDATE_IOTLB_PAGES = 4,
    AMDVI_INVALIDATE_INTERRUPT_TABLE = 5,
    AMDVI_COMPLETE_PPR_REQUEST = 7,
    AMDVI_INVALIDATE_IOMMU_ALL = 8,
};

#define AMDVI_WAIT_STORE ((uint64_t)1 << 0)
#define AMDVI_WAIT_FLUSH ((uint64_t)1 << 2)

/** Size that means every address. */
#define AMDVI_EVERYTHING_LG2 64u

/**
 * Waits for all commands before it, then writes `data` to `status` [AMD 2.4.1].
 * @param status   a multiple of 8
 */
static inline struct amdvi_command amdvi_command_wait(sluice_phys_t status, uint64_t data)
{
    return (struct amdvi_command){
        .low = AMDVI_PREP(COMMAND_OPCODE, AMDVI_COMPLETION_WAIT) | AMDVI_WAIT_STORE |
               (status & UNIT_BITS(51, 3)),
        .high = data,
    };
}

/**
 * Holds back all commands behind it until those before it are done: commands else overlap
 * [AMD 2.4.1].
 */
static inline struct amdvi_command amdvi_command_barrier(void)
{
    return (struct amdvi_command){
        .low = AMDVI_PREP(COMMAND_OPCODE, AMDVI_COMPLETION_WAIT) | AMDVI_WAIT_FLUSH,
    };
}

/** A wait that tells nobody: takes the place of a command that was refused [AMD 2.4.1]. */
static inline struct amdvi_command amdvi_command_nothing(void)
{
    return (struct amdvi_command){.low = AMDVI_PREP(COMMAND_OPCODE, AMDVI_COMPLETION_WAIT)};
}

/** Forgets the device table entry of one device [AMD 2.4.2]. */
static inline struct amdvi_command amdvi_command_device(uint16_t device)
{
    return (struct amdvi_command){
        .low = AMDVI_PREP(COMMAND_OPCODE, AMDVI_INVALIDATE_DEVTAB_ENTRY) | device,
    };
}

/**
 * Address and size of an invalidation [AMD 2.4.3]: with S (bit 0) set, the lowest clear address
 * bit from 12 up tells the size, as in ATS; bit n clear and all below set is 2 << n bytes.
 * Everything: all set but bit 63.
 */
static inline uint64_t amdvi_command_range(uint64_t address, unsigned size_lg2)
{
    if (size_lg2 >= AMDVI_EVERYTHING_LG2)
        return (UINT64_MAX >> 1 & ~(uint64_t)0xfff) | 1u;
    if (size_lg2 <= SLUICE_PAGE_LG2)
        return address & ~(uint64_t)0xfff;
    return (address & ~(((uint64_t)1 << size_lg2) - 1)) |
           ((((uint64_t)1 << (size_lg2 - 1)) - 1) & ~(uint64_t)0xfff) | 1u;
}

/**
 * Forgets what is cached of a domain's addresses, and with PDE set also what led to them: page
 * directory entries [AMD 2.4.3].
 * @param tables   a table was unlinked, or everything goes
 */
static inline struct amdvi_command amdvi_command_pages(uint16_t domain, uint64_t address,
                                                       unsigned size_lg2, bool tables)
{
    return (struct amdvi_command){
        .low = AMDVI_PREP(COMMAND_OPCODE, AMDVI_INVALIDATE_IOMMU_PAGES) | (uint64_t)domain << 32,
        .high = amdvi_command_range(address, size_lg2) | (tables ? 2u : 0u),
    };
}

/** What a device TLB is asked to drop [AMD 2.4.4]. */
struct amdvi_device_tlb {
    uint16_t device;
    uint16_t queue;      /**< the device whose outstanding invalidations are counted */
    uint8_t outstanding; /**< how many it takes at a time */
    unsigned size_lg2;   /**< 12 to 63, or AMDVI_EVERYTHING_LG2 */
    uint64_t address;
};

static inline struct amdvi_command amdvi_command_device_tlb(const struct amdvi_device_tlb *request)
{
    return (struct amdvi_command){
        .low = AMDVI_PREP(COMMAND_OPCODE, AMDVI_INVALIDATE_IOTLB_PAGES) | request->device |
               (uint64_t)request->outstanding << 24 | (uint64_t)request->queue << 32,
        .high = amdvi_command_range(request->address, request->size_lg2),
    };
}

/** Most commands that a gathered set of ranges takes; more become one for the whole domain. */
#define AMDVI_PLAN_MAX 8u

/** What is to be forgotten of a domain, by blocks that one command can name. */
struct amdvi_plan {
    unsigned count;
    bool whole; /**< one command for everything */
    struct {
        uint64_t address;
        unsigned size_lg2;
        bool tables;
    } blocks[AMDVI_PLAN_MAX];
};

/** plan.c; `gather` NULL: everything. */
void amdvi_plan_make(const struct pt_gather *gather, struct amdvi_plan *out);
/** plan.c: "COMPLETION_WAIT" for an opcode, or "unknown command". Never NULL. */
const char *amdvi_opcode_text(unsigned opcode);

/** Forgets the interrupt table of one device [AMD 2.4.5]. */
static inline struct amdvi_command amdvi_command_interrupts(uint16_t device)
{
    return (struct amdvi_command){
        .low = AMDVI_PREP(COMMAND_OPCODE, AMDVI_INVALIDATE_INTERRUPT_TABLE) | device,
    };
}

/** Forgets everything; only where EFR.IASUP is set [AMD 2.4.8]. */
static inline struct amdvi_command amdvi_command_all(void)
{
    return (struct amdvi_command){
        .low = AMDVI_PREP(COMMAND_OPCODE, AMDVI_INVALIDATE_IOMMU_ALL),
    };
}

#endif
