// SPDX-License-Identifier: MIT
/*
 * Commands of 128 bits [RISC-V IOMMU 3.1], and how a gathered set of ranges is named in them: pure
 * functions.
 */
#ifndef SLUICE_UNIT_RISCV_COMMAND_H
#define SLUICE_UNIT_RISCV_COMMAND_H

#include "pagetable/pagetable.h"
#include "unit/field.h"
#include "unit/ring.h"

/** Opcode in bits 6:0, func3 in bits 9:7. */
enum riommu_opcode {
    RIOMMU_IOTINVAL_VMA = 0x001,
    RIOMMU_IOTINVAL_GVMA = 0x081,
    RIOMMU_IOFENCE_C = 0x002,
    RIOMMU_IODIR_INVAL_DDT = 0x003,
    RIOMMU_IODIR_INVAL_PDT = 0x083,
    RIOMMU_ATS_INVAL = 0x004,
    RIOMMU_ATS_PRGR = 0x084,
};

#define RIOMMU_BIT(n) ((uint64_t)1 << (n))

/** A block that holds every address. */
#define RIOMMU_EVERYTHING_LG2 64u

/** Answers to page requests [PCIe 10.4.2.1]. */
#define RIOMMU_RESPONSE_INVALID 1u

static inline struct unit_ring_entry riommu_command(enum riommu_opcode opcode, uint64_t low,
                                                    uint64_t high)
{
    return (struct unit_ring_entry){.low = (uint64_t)opcode | low, .high = high};
}

/* ---- IOTINVAL [RISC-V IOMMU 3.1.1] ---- */

/** A tag of translations: an address space of the host (PSCID), or a guest (GSCID). */
struct riommu_tag {
    bool second;
    uint32_t id;
};

static inline uint64_t riommu_tag_bits(struct riommu_tag tag)
{
    return tag.second ? RIOMMU_BIT(33) | (uint64_t)(tag.id & 0xffffu) << 44
                      : RIOMMU_BIT(32) | (uint64_t)(tag.id & 0xfffffu) << 12;
}

static inline enum riommu_opcode riommu_tag_opcode(struct riommu_tag tag)
{
    return tag.second ? RIOMMU_IOTINVAL_GVMA : RIOMMU_IOTINVAL_VMA;
}

/** Everything with this tag, tables that are no leaves included. */
static inline struct unit_ring_entry riommu_invalidate_tag(struct riommu_tag tag)
{
    return riommu_command(riommu_tag_opcode(tag), riommu_tag_bits(tag), 0);
}

/** First stages of a guest: all of them, or those of one of its address spaces. */
struct riommu_guest_tag {
    uint32_t guest; /**< GSCID */
    bool one;
    uint32_t id; /**< `one`: PSCID, as the guest numbers them */
};

static inline uint64_t riommu_guest_bits(struct riommu_guest_tag tag)
{
    return riommu_tag_bits((struct riommu_tag){.second = true, .id = tag.guest}) |
           (tag.one ? riommu_tag_bits((struct riommu_tag){.id = tag.id}) : 0);
}

/** What is cached of them, but for pages that the guest says are the same in all. */
static inline struct unit_ring_entry riommu_invalidate_guest(struct riommu_guest_tag tag)
{
    return riommu_command(RIOMMU_IOTINVAL_VMA, riommu_guest_bits(tag), 0);
}

/** An aligned block of 1 << lg2 bytes. */
struct riommu_block {
    uint64_t address;
    uint8_t lg2; /**< 12 where the unit knows no ranges */
    bool tables; /**< entries that are no leaves too: only where the unit can (CAP.NL) */
};

/** A range as a number of trailing ones, as ATS has it too [RISC-V IOMMU 8.3; PCIe 10.2.3.2]. */
static inline uint64_t riommu_napot(uint64_t address, unsigned lg2)
{
    return lg2 >= RIOMMU_EVERYTHING_LG2
               ? UINT64_MAX >> 1 & ~(uint64_t)0xfff
               : (address & ~(RIOMMU_BIT(lg2) - 1)) | ((RIOMMU_BIT(lg2 - 1) - 1) & ~0xfffull);
}

static inline struct unit_ring_entry riommu_by_address(enum riommu_opcode opcode, uint64_t tag,
                                                       const struct riommu_block *block)
{
    bool range = block->lg2 > 12;
    uint64_t address =
        range ? riommu_napot(block->address, block->lg2) : block->address & ~(uint64_t)0xfff;

    return riommu_command(opcode, tag | RIOMMU_BIT(10) | (block->tables ? RIOMMU_BIT(34) : 0),
                          address >> 2 | (range ? RIOMMU_BIT(9) : 0));
}

static inline struct unit_ring_entry riommu_invalidate_block(struct riommu_tag tag,
                                                             const struct riommu_block *block)
{
    return riommu_by_address(riommu_tag_opcode(tag), riommu_tag_bits(tag), block);
}

static inline struct unit_ring_entry riommu_invalidate_guest_block(struct riommu_guest_tag tag,
                                                                   const struct riommu_block *block)
{
    return riommu_by_address(RIOMMU_IOTINVAL_VMA, riommu_guest_bits(tag), block);
}

/** Every address space of the host (GV 0), or of every guest. */
static inline struct unit_ring_entry riommu_invalidate_all(bool second)
{
    return riommu_command(second ? RIOMMU_IOTINVAL_GVMA : RIOMMU_IOTINVAL_VMA, 0, 0);
}

/* ---- IOFENCE [RISC-V IOMMU 3.1.2] ---- */

/**
 * Complete once everything before it is, and what devices did before was seen by everybody (PR,
 * PW). Tells by the head of the queue only.
 */
static inline struct unit_ring_entry riommu_fence(void)
{
    return riommu_command(RIOMMU_IOFENCE_C, RIOMMU_BIT(12) | RIOMMU_BIT(13), 0);
}

/**
 * The same, which besides raises the unit's wire (FENCE_W_IP), where wires are in use. No wait here
 * sleeps, so none asks for it; when one comes, the handler of events puts it out.
 */
static inline struct unit_ring_entry riommu_fence_wire(void)
{
    return riommu_command(RIOMMU_IOFENCE_C, RIOMMU_BIT(11) | RIOMMU_BIT(12) | RIOMMU_BIT(13), 0);
}

/** The same, which besides writes `data` to memory. */
static inline struct unit_ring_entry riommu_fence_write(sluice_phys_t phys, uint32_t data)
{
    return riommu_command(RIOMMU_IOFENCE_C,
                          RIOMMU_BIT(10) | RIOMMU_BIT(12) | RIOMMU_BIT(13) | (uint64_t)data << 32,
                          phys >> 2);
}

/* ---- IODIR [RISC-V IOMMU 3.1.3] ---- */

static inline struct unit_ring_entry riommu_forget_device(uint32_t device)
{
    return riommu_command(RIOMMU_IODIR_INVAL_DDT, RIOMMU_BIT(33) | (uint64_t)device << 40, 0);
}

static inline struct unit_ring_entry riommu_forget_devices(void)
{
    return riommu_command(RIOMMU_IODIR_INVAL_DDT, 0, 0);
}

static inline struct unit_ring_entry riommu_forget_process(uint32_t device, uint32_t process)
{
    return riommu_command(
        RIOMMU_IODIR_INVAL_PDT,
        RIOMMU_BIT(33) | (uint64_t)device << 40 | (uint64_t)(process & 0xfffffu) << 12, 0);
}

/* ---- ATS [RISC-V IOMMU 3.1.4] ---- */

/** Device IDs are a segment above a requester ID [RISC-V IOMMU 1]. */
static inline uint64_t riommu_ats_target(uint32_t device)
{
    uint64_t segment = device >> 16 & 0xffu;

    return (uint64_t)(device & 0xffffu) << 40 | (segment != 0 ? RIOMMU_BIT(33) | segment << 56 : 0);
}

/** Drops an aligned block of 1 << lg2 bytes, at least 4 KiB, from what a device's TLB has for a
 * PASID, or for requests without one (SLUICE_NO_PASID). */
static inline struct unit_ring_entry riommu_ats_invalidate(uint32_t device, uint32_t pasid,
                                                           uint64_t address, unsigned lg2)
{
    uint64_t process =
        pasid != SLUICE_NO_PASID ? RIOMMU_BIT(32) | (uint64_t)(pasid & 0xfffffu) << 12 : 0;
    uint64_t payload =
        lg2 > 12 ? riommu_napot(address, lg2) | RIOMMU_BIT(11) : address & ~(uint64_t)0xfff;

    return riommu_command(RIOMMU_ATS_INVAL, riommu_ats_target(device) | process, payload);
}

/** Refuses a group of page requests; both words are those of its last request [3.3]. */
static inline struct unit_ring_entry riommu_ats_refuse(uint64_t request, uint64_t page)
{
    uint64_t process = request & (UNIT_BITS(31, 12) | RIOMMU_BIT(32)); /* PID and PV, in place */

    return riommu_command(RIOMMU_ATS_PRGR, riommu_ats_target((uint32_t)(request >> 40)) | process,
                          (page >> 3 & 0x1ffu) << 32 | (uint64_t)RIOMMU_RESPONSE_INVALID << 44);
}

/* ---- ranges ---- */

#define RIOMMU_PLAN_MAX 32u

struct riommu_plan {
    bool whole; /**< by tag; no blocks */
    unsigned count;
    struct riommu_block blocks[RIOMMU_PLAN_MAX];
};

/**
 * Chooses; `gather` NULL: everything with the tag.
 * @param ranges  the unit invalidates by range (CAP.S)
 * @param tables  and entries that are no leaves by address (CAP.NL)
 */
void riommu_plan_make(const struct pt_gather *gather, bool ranges, bool tables,
                      struct riommu_plan *out);

#endif
