// SPDX-License-Identifier: MIT
/*
 * The descriptors of Arm's 64-bit translation tables (VMSAv8-64), as engine.h wants them: stage 1
 * and stage 2, with granules of 4, 16 and 64 KiB [Arm ARM D8.3].
 *
 * The .c that includes this defines PTF_NAME, PTF_DESCRIPTOR, PTF_GRANULE_LG2, PTF_LEVELS_MIN,
 * PTF_LEVELS_MAX and ARM_STAGE (1 or 2) first. Levels count from 0 upwards here; the
 * specification's level is 3 minus that.
 *
 * Output addresses are 48 bits wide: the forms for 52 (FEAT_LPA, FEAT_LPA2) are not used. Access
 * flag and, in effect, dirty state are set in advance, so that the unit need not write them.
 *
 * A stage 1 root is one table, of which a narrow input address uses a part. A stage 2 root may be
 * up to 16 tables one behind the other, which saves a level [Arm ARM D8.2].
 */
#ifndef SLUICE_PAGETABLE_ARM_H
#define SLUICE_PAGETABLE_ARM_H

#include "pagetable/pagetable.h"

#define PTF_INDEX_BITS      (PTF_GRANULE_LG2 - 3u)
#define PTF_ROOT_EXTRA_BITS (ARM_STAGE == 2 ? 4u : 0u)
#define PTF_SIGN_BITS       0u /**< the half of TTB0 */
#define PTF_PHYS_BITS_MAX   48u
/** 4 KiB, 2 MiB, 1 GiB; 16 KiB, 32 MiB; 64 KiB, 512 MiB [Arm ARM D8.3]. */
#define PTF_PAGE_SIZES                                                                             \
    ((1ull << PTF_GRANULE_LG2) | (1ull << (PTF_GRANULE_LG2 + PTF_INDEX_BITS)) |                    \
     (PTF_GRANULE_LG2 == 12u ? 1ull << 30 : 0))
/**
 * A block may become a table, or an empty table a block, only through an entry that is not valid
 * and an invalidation (break before make), unless the unit takes the change as it is
 * [SMMU 3.21.1].
 */
#define PTF_CAN_SPLIT (pt->config.live_change)

/**
 * Runs: aligned entries that lead to aligned memory with the same attributes may be cached as one
 * [Arm ARM D8.7.1]. The bit alone may change where the unit has level 1 of what it takes of live
 * changes [SMMU 3.21.1.2]. Nothing else writes entries: they are made with the access flag and
 * without the bit for dirty state, so hardware has no reason to [SMMU 3.13].
 */
#define PTF_RUN_HINT (1ull << 52) /**< Contiguous */
/** Of entries that were mapped as a run, also when they have lost the hint; software's own bit
 * [Arm ARM D8.3]. */
#define PTF_RUN_MARK  (1ull << 56)
#define PTF_CAN_BREAK (pt->config.run_change)

#define ARM_VALID    (1ull << 0)
#define ARM_TABLE    (1ull << 1) /**< above the lowest level: a table; at it: always set */
#define ARM_ADDR     (0x0000ffffffffffffull & ~((1ull << PTF_GRANULE_LG2) - 1))
#define ARM_SH_INNER (3ull << 8)
#define ARM_AF       (1ull << 10)
#define ARM_XN       (1ull << 54) /**< UXN in stage 1; XN[1] in stage 2 */

/* Stage 1 [Arm ARM D8.3]. */
#define ARM_S1_DEVICE   (1ull << 2) /**< AttrIndx 1; 0 is normal memory. See smmu3's MAIR. */
#define ARM_S1_USER     (1ull << 6) /**< AP[1]: requests without a privilege are users' */
#define ARM_S1_READONLY (1ull << 7) /**< AP[2] */
#define ARM_S1_NG       (1ull << 11)
#define ARM_S1_PXN      (1ull << 53)

/* Stage 2 [Arm ARM D8.3]. MemAttr: normal, write-back, inner and outer; or Device-nGnRE. */
#define ARM_S2_NORMAL  (0xfull << 2)
#define ARM_S2_DEVICE  (0x1ull << 2)
#define ARM_S2_MEMATTR (0xfull << 2)
#define ARM_S2_READ    (1ull << 6)
#define ARM_S2_WRITE   (1ull << 7)

/** Ignored by hardware in entries that point at tables [Arm ARM D8.3]; see engine.h. */
#define PTF_READY (1ull << 55)

/** log2 of the entries of a run [Arm ARM D8.7.1]; 0: this level has none. */
static inline unsigned ptf_run_lg2(unsigned level)
{
    if (PTF_GRANULE_LG2 == 12u)
        return level <= 2 ? 4 : 0; /* 64 KiB, 32 MiB, 16 GiB */
    if (PTF_GRANULE_LG2 == 14u)
        return level == 0 ? 7 : level == 1 ? 5 : 0; /* 2 MiB, 1 GiB */
    return level <= 1 ? 5 : 0;                      /* 2 MiB, 16 GiB */
}

static inline bool ptf_present(uint64_t entry)
{
    return (entry & ARM_VALID) != 0;
}

static inline bool ptf_is_table(uint64_t entry, unsigned level)
{
    return level > 0 && (entry & (ARM_VALID | ARM_TABLE)) == (ARM_VALID | ARM_TABLE);
}

/** Restricts nothing by itself: the hierarchical permission bits stay clear. */
static inline uint64_t ptf_table(sluice_phys_t phys, unsigned level)
{
    (void)level;
    return phys | ARM_VALID | ARM_TABLE;
}

static inline sluice_phys_t ptf_table_phys(uint64_t entry)
{
    return entry & ARM_ADDR;
}

/** Stage 1 has no way to say "write, but not read". */
static inline bool ptf_prot_possible(uint32_t prot)
{
    if (ARM_STAGE == 1)
        return (prot & SLUICE_PROT_READ) != 0;
    return (prot & (SLUICE_PROT_READ | SLUICE_PROT_WRITE)) != 0;
}

/** Takes a field (adjacent bits, `from`) to another place; shifts once it is compiled. */
static inline uint64_t arm_move(uint64_t bits, uint64_t from, uint64_t to)
{
    return to >= from ? (bits & from) * (to / from) : (bits & from) / (from / to);
}

static inline uint64_t ptf_leaf_attributes(const struct pt_config *config, uint32_t prot)
{
    uint64_t attributes = ARM_VALID | ARM_AF | ARM_SH_INNER;
    const uint64_t refused = ~(uint64_t)prot;
    bool device = (prot & SLUICE_PROT_MMIO) != 0;

    (void)config;
    attributes |= arm_move(refused, SLUICE_PROT_EXEC, ARM_XN);
    if (ARM_STAGE == 1)
        return attributes | ARM_S1_USER | ARM_S1_NG | (device ? ARM_S1_DEVICE : 0) |
               arm_move(refused, SLUICE_PROT_EXEC, ARM_S1_PXN) |
               arm_move(refused, SLUICE_PROT_WRITE, ARM_S1_READONLY);
    return attributes | (device ? ARM_S2_DEVICE : ARM_S2_NORMAL) |
           arm_move(prot, SLUICE_PROT_READ | SLUICE_PROT_WRITE, ARM_S2_READ | ARM_S2_WRITE);
}

static inline uint64_t ptf_leaf(sluice_phys_t phys, unsigned level, uint64_t attributes)
{
    return phys | attributes | (level == 0 ? ARM_TABLE : 0);
}

static inline uint64_t ptf_leaf_step(uint64_t bytes)
{
    return bytes;
}

static inline sluice_phys_t ptf_leaf_phys(uint64_t entry, unsigned level)
{
    (void)level;
    return entry & ARM_ADDR;
}

static inline uint32_t ptf_leaf_prot(uint64_t entry)
{
    uint64_t prot = arm_move(~entry, ARM_XN, SLUICE_PROT_EXEC);

    if (ARM_STAGE == 1)
        return (uint32_t)(prot | SLUICE_PROT_READ |
                          arm_move(~entry, ARM_S1_READONLY, SLUICE_PROT_WRITE) |
                          arm_move(entry, ARM_S1_DEVICE, SLUICE_PROT_MMIO));
    prot |= arm_move(entry, ARM_S2_READ | ARM_S2_WRITE, SLUICE_PROT_READ | SLUICE_PROT_WRITE);
    return (uint32_t)((entry & ARM_S2_MEMATTR) == ARM_S2_DEVICE ? prot | SLUICE_PROT_MMIO : prot);
}

/** A page of the lowest level looks like a table elsewhere. The block's run is none of its pages'.
 */
static inline uint64_t ptf_split(uint64_t entry, unsigned level)
{
    entry &= ~(PTF_RUN_HINT | PTF_RUN_MARK);
    return level == 1 ? entry | ARM_TABLE : entry;
}

#endif
