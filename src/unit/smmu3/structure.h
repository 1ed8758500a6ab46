// SPDX-License-Identifier: MIT
/*
 * Stream table entries and context descriptors, 512 bits each [SMMU 5.2, 5.4]: pure functions.
 */
#ifndef SLUICE_UNIT_SMMU3_STRUCTURE_H
#define SLUICE_UNIT_SMMU3_STRUCTURE_H

#include "unit/smmu3/registers.h"

#include <stdbool.h>

#include <sluice/types.h>

#define STRUCTURE_WORDS        8u
#define STRUCTURE_CDS_PER_PAGE 64u

#define SMMU3_CONFIG_ABORT  0u /**< and no event is recorded */
#define SMMU3_CONFIG_BYPASS 4u
#define SMMU3_CONFIG_STAGE1 5u
#define SMMU3_CONFIG_STAGE2 6u
#define SMMU3_CONFIG_NESTED 7u /**< stage 1, all of whose addresses go through stage 2 */

/** What becomes of requests without a substream, where there are substreams (STE.S1DSS). */
#define SMMU3_WITHOUT_BYPASS  1u
#define SMMU3_WITHOUT_CONTEXT 2u /**< context descriptor 0 is theirs */

#define SMMU3_SHARE_OUTER 2u
#define SMMU3_SHARE_INNER 3u
#define SMMU3_WRITE_BACK  1u

/** MAIR: index 0 normal memory, write-back; 1 Device-nGnRE, for what pagetable/arm.h names so. */
#define SMMU3_MAIR 0x04ffull

struct smmu3_ste {
    uint64_t word[STRUCTURE_WORDS];
};

struct smmu3_cd {
    uint64_t word[STRUCTURE_WORDS];
};

_Static_assert(sizeof(struct smmu3_ste) == 64, "stream table entries are 512 bits [SMMU 5.2]");
_Static_assert(sizeof(struct smmu3_cd) == 64, "context descriptors are 512 bits [SMMU 5.4]");

/** Tables as a unit is told to walk them. */
struct smmu3_walk {
    sluice_phys_t root;
    unsigned granule_lg2;
    unsigned levels;
    unsigned input_bits; /**< that the walk takes, not the domain's aperture */
    unsigned oas_code;   /**< as IDR5.OAS */
    uint16_t tag;        /**< ASID or VMID */
    bool coherent;
    bool stall;    /**< the unit knows no other way to fault */
    unsigned httu; /**< as IDR0.HTTU: what the unit may write */
};

/** Context descriptors as an entry points at them. */
struct smmu3_contexts {
    sluice_phys_t table; /**< an intermediate address with stage 2 below */
    unsigned format;     /**< S1Fmt */
    unsigned lg2;        /**< S1CDMax */
    unsigned without;    /**< S1DSS */
};

/** S1Fmt. */
#define SMMU3_CONTEXTS_LINEAR 0u
#define SMMU3_CONTEXTS_4K     1u
#define SMMU3_CONTEXTS_64K    2u

/** TG0 and S2TG: 0, 2 and 1 for 4, 16 and 64 KiB. */
static inline unsigned smmu3_tg(unsigned granule_lg2)
{
    return granule_lg2 == 12 ? 0 : granule_lg2 == 14 ? 2 : 1;
}

/** Where the root is: with 4 KiB 0 is level 2, else 0 is level 3; each more is one up. */
static inline unsigned smmu3_sl0(unsigned granule_lg2, unsigned levels)
{
    return granule_lg2 == 12 ? levels - 2 : levels - 1;
}

static inline struct smmu3_ste smmu3_ste_abort(void)
{
    return (struct smmu3_ste){
        .word = {SMMU3_MASK(STE0_V) | SMMU3_PREP(STE0_CONFIG, SMMU3_CONFIG_ABORT)}};
}

static inline struct smmu3_ste smmu3_ste_bypass(void)
{
    return (struct smmu3_ste){
        .word = {SMMU3_MASK(STE0_V) | SMMU3_PREP(STE0_CONFIG, SMMU3_CONFIG_BYPASS),
                 SMMU3_PREP(STE1_SHCFG, 1)}};
}

/**
 * S1DSS is set without substreams too, where it is ignored: so an entry gets and loses them by a
 * change of word 0 alone.
 * @param may_stall  the unit can stall, and is told not to in stage 1
 */
static inline struct smmu3_ste smmu3_ste_stage1(const struct smmu3_contexts *contexts,
                                                bool coherent, bool ats, bool may_stall)
{
    struct smmu3_ste ste = smmu3_ste_bypass();

    ste.word[0] = SMMU3_MASK(STE0_V) | SMMU3_PREP(STE0_CONFIG, SMMU3_CONFIG_STAGE1) |
                  SMMU3_PREP(STE0_S1FMT, contexts->format) |
                  SMMU3_PREP(STE0_S1CDMAX, contexts->lg2) |
                  (contexts->table & SMMU3_MASK(STE0_S1CONTEXT));
    ste.word[1] |= SMMU3_PREP(STE1_S1DSS, contexts->without);
    if (coherent)
        ste.word[1] |= SMMU3_PREP(STE1_S1CIR, SMMU3_WRITE_BACK) |
                       SMMU3_PREP(STE1_S1COR, SMMU3_WRITE_BACK) |
                       SMMU3_PREP(STE1_S1CSH, SMMU3_SHARE_INNER);
    else
        ste.word[1] |= SMMU3_PREP(STE1_S1CSH, SMMU3_SHARE_OUTER);
    ste.word[1] |= SMMU3_PREP(STE1_S1STALLD, may_stall) | SMMU3_PREP(STE1_EATS, ats);
    return ste;
}

static inline struct smmu3_ste smmu3_ste_stage2(const struct smmu3_walk *walk, bool ats)
{
    struct smmu3_ste ste = smmu3_ste_bypass();
    unsigned cache = walk->coherent ? SMMU3_WRITE_BACK : 0;

    ste.word[0] = SMMU3_MASK(STE0_V) | SMMU3_PREP(STE0_CONFIG, SMMU3_CONFIG_STAGE2);
    ste.word[1] |= SMMU3_PREP(STE1_EATS, ats);
    ste.word[2] = SMMU3_PREP(STE2_S2VMID, walk->tag) |
                  SMMU3_PREP(STE2_S2T0SZ, 64 - walk->input_bits) |
                  SMMU3_PREP(STE2_S2SL0, smmu3_sl0(walk->granule_lg2, walk->levels)) |
                  SMMU3_PREP(STE2_S2IR0, cache) | SMMU3_PREP(STE2_S2OR0, cache) |
                  SMMU3_PREP(STE2_S2SH0, walk->coherent ? SMMU3_SHARE_INNER : SMMU3_SHARE_OUTER) |
                  SMMU3_PREP(STE2_S2TG, smmu3_tg(walk->granule_lg2)) |
                  SMMU3_PREP(STE2_S2PS, walk->oas_code) | SMMU3_MASK(STE2_S2AA64) |
                  SMMU3_PREP(STE2_S2HD, walk->httu >= 2) | SMMU3_PREP(STE2_S2HA, walk->httu >= 1) |
                  SMMU3_PREP(STE2_S2S, walk->stall) | SMMU3_MASK(STE2_S2R);
    ste.word[3] = walk->root & SMMU3_MASK(STE3_S2TTB);
    return ste;
}

/**
 * Stage 1 of somebody else's on our stage 2. What is theirs is where the context descriptors are
 * and how they are indexed; all else is as in an entry of ours. Tables in device memory are
 * refused: reading them could have effects there.
 */
static inline struct smmu3_ste smmu3_ste_nested(const struct smmu3_walk *walk,
                                                const struct smmu3_contexts *contexts, bool ats,
                                                bool may_stall)
{
    struct smmu3_ste ste = smmu3_ste_stage1(contexts, walk->coherent, ats, may_stall);
    const struct smmu3_ste below = smmu3_ste_stage2(walk, ats);

    ste.word[0] |= SMMU3_PREP(STE0_CONFIG, SMMU3_CONFIG_NESTED);
    ste.word[2] = below.word[2] | SMMU3_MASK(STE2_S2PTW);
    ste.word[3] = below.word[3];
    return ste;
}

/** Faults of stage 2 are recorded no more; nothing where there is no stage 2. */
static inline void smmu3_ste_silence(struct smmu3_ste *ste)
{
    ste->word[2] &= ~SMMU3_MASK(STE2_S2R);
}

/** Faults of stage 1 neither. */
static inline void smmu3_cd_silence(struct smmu3_cd *cd)
{
    cd->word[0] &= ~SMMU3_MASK(CD0_R);
}

static inline struct smmu3_cd smmu3_cd_make(const struct smmu3_walk *walk)
{
    unsigned cache = walk->coherent ? SMMU3_WRITE_BACK : 0;

    return (struct smmu3_cd){
        .word = {SMMU3_PREP(CD0_T0SZ, 64 - walk->input_bits) |
                     SMMU3_PREP(CD0_TG0, smmu3_tg(walk->granule_lg2)) | SMMU3_PREP(CD0_IR0, cache) |
                     SMMU3_PREP(CD0_OR0, cache) |
                     SMMU3_PREP(CD0_SH0, walk->coherent ? SMMU3_SHARE_INNER : SMMU3_SHARE_OUTER) |
                     SMMU3_MASK(CD0_EPD1) | SMMU3_MASK(CD0_V) |
                     SMMU3_PREP(CD0_IPS, walk->oas_code) | SMMU3_MASK(CD0_AA64) |
                     SMMU3_PREP(CD0_HD, walk->httu >= 2) | SMMU3_PREP(CD0_HA, walk->httu >= 1) |
                     SMMU3_PREP(CD0_S, walk->stall) | SMMU3_MASK(CD0_R) | SMMU3_MASK(CD0_A) |
                     SMMU3_MASK(CD0_ASET) | SMMU3_PREP(CD0_ASID, walk->tag),
                 walk->root & SMMU3_MASK(CD1_TTB0), 0, SMMU3_MAIR},
    };
}

#endif
