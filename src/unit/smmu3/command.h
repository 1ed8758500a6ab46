// SPDX-License-Identifier: MIT
/*
 * Commands of 128 bits [SMMU 4], and how a gathered set of ranges is named in them: pure functions.
 */
#ifndef SLUICE_UNIT_SMMU3_COMMAND_H
#define SLUICE_UNIT_SMMU3_COMMAND_H

#include "pagetable/pagetable.h"
#include "unit/ring.h"

enum smmu3_opcode {
    SMMU3_CFGI_STE = 0x03,
    SMMU3_CFGI_ALL = 0x04, /**< CFGI_STE_RANGE with a range of 31 */
    SMMU3_CFGI_CD = 0x05,
    SMMU3_CFGI_CD_ALL = 0x06,
    SMMU3_TLBI_NH_ALL = 0x10,
    SMMU3_TLBI_NH_ASID = 0x11,
    SMMU3_TLBI_NH_VA = 0x12,
    SMMU3_TLBI_EL2_ALL = 0x20,
    SMMU3_TLBI_S12_VMALL = 0x28,
    SMMU3_TLBI_S2_IPA = 0x2a,
    SMMU3_TLBI_NSNH_ALL = 0x30,
    SMMU3_ATC_INV = 0x40,
    SMMU3_PRI_RESP = 0x41,
    SMMU3_RESUME = 0x44,
    SMMU3_SYNC = 0x46,
};

#define SMMU3_ATC_EVERYTHING 52u /**< Size: log2 of 4 KiB pages [SMMU 4.5.1] */

static inline struct unit_ring_entry smmu3_command(enum smmu3_opcode opcode, uint64_t low,
                                                   uint64_t high)
{
    return (struct unit_ring_entry){.low = (uint64_t)opcode | low, .high = high};
}

/**
 * [SMMU 4.3.1] Also drops what was cached of context descriptors through it.
 * @param leaf  the entry only, not the first-level descriptor that led to it
 */
static inline struct unit_ring_entry smmu3_cfgi_ste(uint32_t sid, bool leaf)
{
    return smmu3_command(SMMU3_CFGI_STE, (uint64_t)sid << 32, leaf);
}

/** [SMMU 4.3.2] */
static inline struct unit_ring_entry smmu3_cfgi_all(void)
{
    return smmu3_command(SMMU3_CFGI_ALL, 0, 31);
}

/**
 * [SMMU 4.3.3] One context descriptor.
 * @param leaf  the descriptor only, not the first-level one that led to it
 */
static inline struct unit_ring_entry smmu3_cfgi_cd(uint32_t sid, uint32_t ssid, bool leaf)
{
    return smmu3_command(SMMU3_CFGI_CD, (uint64_t)sid << 32 | (uint64_t)ssid << 12, leaf);
}

/** [SMMU 4.3.4] All of a stream. */
static inline struct unit_ring_entry smmu3_cfgi_cd_all(uint32_t sid)
{
    return smmu3_command(SMMU3_CFGI_CD_ALL, (uint64_t)sid << 32, 0);
}

/** A tag of a TLB: an ASID of a VMID, which is 0 but for nested streams; or a VMID's stage 2. */
struct smmu3_tag {
    bool stage2;
    uint16_t id;
    uint16_t vmid; /**< !stage2 */
};

static inline uint64_t smmu3_tag_bits(struct smmu3_tag tag)
{
    return tag.stage2 ? (uint64_t)tag.id << 32 : (uint64_t)tag.id << 48 | (uint64_t)tag.vmid << 32;
}

/** [SMMU 4.4.2] Stage 1 of all ASIDs, and what was cached of both stages together. */
static inline struct unit_ring_entry smmu3_tlbi_stage1_of(uint16_t vmid)
{
    return smmu3_command(SMMU3_TLBI_NH_ALL, (uint64_t)vmid << 32, 0);
}

/** [SMMU 4.4.1, 4.4.3] Everything with this tag. */
static inline struct unit_ring_entry smmu3_tlbi_tag(struct smmu3_tag tag)
{
    return smmu3_command(tag.stage2 ? SMMU3_TLBI_S12_VMALL : SMMU3_TLBI_NH_ASID,
                         smmu3_tag_bits(tag), 0);
}

/** A run of smallest pages: (num + 1) << scale of them; granule 0: one, without a range. */
struct smmu3_block {
    uint64_t address;
    uint8_t granule; /**< TG: 0 none, 1 4 KiB, 2 16 KiB, 3 64 KiB */
    uint8_t num;     /**< 0 to 31 */
    uint8_t scale;   /**< 0 to 31 */
    bool leaf;       /**< no table was unlinked */
};

/** [SMMU 4.4.1, 4.4.3, 4.4.1.1 for ranges] */
static inline struct unit_ring_entry smmu3_tlbi_block(struct smmu3_tag tag,
                                                      const struct smmu3_block *block)
{
    return smmu3_command(tag.stage2 ? SMMU3_TLBI_S2_IPA : SMMU3_TLBI_NH_VA,
                         smmu3_tag_bits(tag) | (uint64_t)block->num << 12 |
                             (uint64_t)block->scale << 20,
                         (block->address & ~(uint64_t)0xfff) | (uint64_t)block->granule << 10 |
                             (block->leaf ? 1u : 0u));
}

/**
 * [SMMU 4.5.1] `size` is log2 of 4 KiB pages, up to SMMU3_ATC_EVERYTHING. A device TLB keeps what
 * it was told for one PASID, or for none, apart from all else [PCIe 10.3.8].
 */
static inline struct unit_ring_entry smmu3_atc_inv(uint32_t sid, uint32_t pasid, uint64_t address,
                                                   unsigned size)
{
    uint64_t substream = pasid != SLUICE_NO_PASID ? (uint64_t)pasid << 12 | 1u << 11 : 0;

    return smmu3_command(SMMU3_ATC_INV, (uint64_t)sid << 32 | substream,
                         (address & ~(uint64_t)0xfff) | size);
}

/** [SMMU 4.5.1] All that it was told for any PASID. */
static inline struct unit_ring_entry smmu3_atc_inv_all(uint32_t sid)
{
    return smmu3_command(SMMU3_ATC_INV, (uint64_t)sid << 32 | 1u << 11 | 1u << 9,
                         SMMU3_ATC_EVERYTHING);
}

/** [SMMU 4.5.2] Refuses a page request group. */
static inline struct unit_ring_entry smmu3_pri_deny(uint64_t request0, uint64_t request1)
{
    /* SSID and SSV change places: 51:32 to 31:12, 63 to 11. */
    return smmu3_command(SMMU3_PRI_RESP,
                         (request0 & 0xffffffffu) << 32 | (request0 >> 32 & 0xfffff) << 12 |
                             (request0 >> 63) << 11,
                         request1 & 0x1ff);
}

/** [SMMU 4.6.1] Ends a stalled access with an abort: neither retried nor read as zero. */
static inline struct unit_ring_entry smmu3_resume_abort(uint32_t sid, uint16_t stag)
{
    return smmu3_command(SMMU3_RESUME, (uint64_t)sid << 32 | 1u << 13, stag);
}

/** [SMMU 4.6.3] Completes once everything before it has, and tells by the consumer index only. */
static inline struct unit_ring_entry smmu3_sync(void)
{
    return smmu3_command(SMMU3_SYNC, 0, 0);
}

/** The same, which besides writes 32 bits of `data` to memory, as a message (CS 1). */
static inline struct unit_ring_entry smmu3_sync_message(sluice_phys_t phys, uint32_t data)
{
    return smmu3_command(SMMU3_SYNC, 1u << 12 | 3u << 22 | 0xfu << 24 | (uint64_t)data << 32, phys);
}

/* ---- ranges ---- */

#define SMMU3_PLAN_MAX 32u

struct smmu3_plan {
    bool whole; /**< by tag; no blocks */
    unsigned count;
    struct smmu3_block blocks[SMMU3_PLAN_MAX];
};

/**
 * Chooses; `gather` NULL: everything with the tag.
 * @param page_lg2  smallest page of the tables
 * @param ranges    the unit has invalidation by range (IDR3.RIL)
 */
void smmu3_plan_make(const struct pt_gather *gather, unsigned page_lg2, bool ranges,
                     struct smmu3_plan *out);

#endif
