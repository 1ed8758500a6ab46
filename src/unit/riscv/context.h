// SPDX-License-Identifier: MIT
/*
 * Device contexts, process contexts and the directories that lead to them [RISC-V IOMMU 2.1, 2.2]:
 * pure functions.
 *
 * A device context is 32 bytes, or 64 where the unit has MSI page tables; the second half is zero
 * but where interrupts are remapped. Every bit that is not named below is zero, because
 * it is reserved, or because of this:
 *
 *   EN_PRI, PRPR   nobody answers page requests, so the unit refuses them itself [2.7]
 *   T2GPA          device TLBs hold physical addresses
 *   GADE, SADE     page tables have accessed and dirty set in advance
 *   SXL            64-bit tables only
 */
#ifndef SLUICE_UNIT_RISCV_CONTEXT_H
#define SLUICE_UNIT_RISCV_CONTEXT_H

#include "unit/riscv/registers.h"

#include <stdbool.h>

#include <sluice/types.h>

#define RIOMMU_CONTEXT_WORDS 8u /**< extended format; the base format has the first four */

/** Words of a device context. */
enum {
    RIOMMU_WORD_TC = 0,
    RIOMMU_WORD_IOHGATP,
    RIOMMU_WORD_TA,
    RIOMMU_WORD_FSC,
    RIOMMU_WORD_MSIPTP,
    RIOMMU_WORD_MSI_MASK,
    RIOMMU_WORD_MSI_PATTERN,
};

#define RIOMMU_MODE_SV39 8u /**< and 9 and 10 for one and two levels more, x4 or not */
#define RIOMMU_MODE_PD8  1u /**< and 2 and 3 for PD17 and PD20 */

/** Memory structures are in the byte order of this CPU [RISC-V IOMMU 2.10]. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define RIOMMU_BIG_ENDIAN 1u
#else
#define RIOMMU_BIG_ENDIAN 0u
#endif

struct riommu_context {
    uint64_t word[RIOMMU_CONTEXT_WORDS];
};

struct riommu_process_context {
    uint64_t ta;
    uint64_t fsc;
};

_Static_assert(sizeof(struct riommu_context) == 64, "device contexts [RISC-V IOMMU 2.1.2]");
_Static_assert(sizeof(struct riommu_process_context) == 16,
               "process contexts are 16 bytes [RISC-V IOMMU 2.2.2]");

/** Tables as a unit is told to walk them. */
struct riommu_walk {
    sluice_phys_t root; /**< of a second stage aligned to 16 KiB */
    unsigned levels;    /**< 3 to 5 */
    uint32_t tag;       /**< PSCID or GSCID */
};

static inline uint64_t riommu_mode_of_levels(unsigned levels)
{
    return RIOMMU_MODE_SV39 + levels - 3;
}

/** An entry of a directory that leads to a table [RISC-V IOMMU 2.1.1, 2.2.1]. */
static inline uint64_t riommu_directory_entry(sluice_phys_t table)
{
    return RIOMMU_MASK(DDTE_V) | RIOMMU_PREP(DDTE_PPN, table >> 12);
}

static inline sluice_phys_t riommu_directory_table(uint64_t entry)
{
    return RIOMMU_GET(DDTE_PPN, entry) << 12;
}

/** The unit refuses the device, and says so in the fault queue. */
static inline struct riommu_context riommu_context_blocked(void)
{
    return (struct riommu_context){{0}};
}

static inline struct riommu_context riommu_context_pass(void)
{
    struct riommu_context context = {{0}};

    context.word[RIOMMU_WORD_TC] = RIOMMU_MASK(TC_V) | RIOMMU_PREP(TC_SBE, RIOMMU_BIG_ENDIAN);
    return context;
}

/** First stage, second stage bare. */
static inline struct riommu_context riommu_context_first(const struct riommu_walk *walk, bool ats)
{
    struct riommu_context context = riommu_context_pass();

    context.word[RIOMMU_WORD_TC] |= RIOMMU_PREP(TC_EN_ATS, ats);
    context.word[RIOMMU_WORD_TA] = RIOMMU_PREP(TA_PSCID, walk->tag);
    context.word[RIOMMU_WORD_FSC] = RIOMMU_PREP(FSC_MODE, riommu_mode_of_levels(walk->levels)) |
                                    RIOMMU_PREP(FSC_PPN, walk->root >> 12);
    return context;
}

/** Second stage, first stage bare. */
static inline struct riommu_context riommu_context_second(const struct riommu_walk *walk, bool ats)
{
    struct riommu_context context = riommu_context_pass();

    context.word[RIOMMU_WORD_TC] |= RIOMMU_PREP(TC_EN_ATS, ats);
    context.word[RIOMMU_WORD_IOHGATP] =
        RIOMMU_PREP(IOHGATP_MODE, riommu_mode_of_levels(walk->levels)) |
        RIOMMU_PREP(IOHGATP_GSCID, walk->tag) | RIOMMU_PREP(IOHGATP_PPN, walk->root >> 12);
    return context;
}

/** A first stage, or a process directory, that is a guest's: its addresses are the guest's too. */
struct riommu_guest_stage {
    uint64_t fsc;         /**< MODE and PPN, nothing else */
    uint32_t tag;         /**< PSCID; with a directory each process has its own */
    bool processes;       /**< FSC is a process directory */
    bool default_process; /**< requests without a process ID have process 0 */
};

/** Puts a guest's first stage on a second stage [RISC-V IOMMU 2.1.3]. */
static inline void riommu_context_nest(struct riommu_context *context,
                                       const struct riommu_guest_stage *stage)
{
    context->word[RIOMMU_WORD_TC] |=
        RIOMMU_PREP(TC_PDTV, stage->processes) | RIOMMU_PREP(TC_DPE, stage->default_process);
    context->word[RIOMMU_WORD_TA] = RIOMMU_PREP(TA_PSCID, stage->tag);
    context->word[RIOMMU_WORD_FSC] = stage->fsc;
}

/** Whether a first stage that a guest makes lies on its second stage. */
static inline bool riommu_context_is_nested(const struct riommu_context *context)
{
    return RIOMMU_GET(TC_V, context->word[RIOMMU_WORD_TC]) != 0 &&
           RIOMMU_GET(IOHGATP_MODE, context->word[RIOMMU_WORD_IOHGATP]) != 0 &&
           RIOMMU_GET(FSC_MODE, context->word[RIOMMU_WORD_FSC]) != 0;
}

/**
 * Makes a device's first stage a process directory of 1 to 3 levels.
 * @param default_process  requests without a process ID have process 0; else no first stage
 */
static inline void riommu_context_set_directory(struct riommu_context *context, sluice_phys_t root,
                                                unsigned levels, bool default_process)
{
    context->word[RIOMMU_WORD_TC] |= RIOMMU_MASK(TC_PDTV) | RIOMMU_PREP(TC_DPE, default_process);
    context->word[RIOMMU_WORD_TA] = 0; /* ignored: each process has its own [2.1.3.3] */
    context->word[RIOMMU_WORD_FSC] =
        RIOMMU_PREP(FSC_MODE, RIOMMU_MODE_PD8 + levels - 1) | RIOMMU_PREP(FSC_PPN, root >> 12);
}

/** Which guest pages are interrupt files, and their table. @see msi.h */
struct riommu_msi_window {
    sluice_phys_t table;
    uint64_t mask;    /**< of page numbers: bits that number the files */
    uint64_t pattern; /**< of page numbers: what the other bits are */
};

/** Only with a second stage [RISC-V IOMMU 2.1.3.5]. */
static inline void riommu_context_set_msi(struct riommu_context *context,
                                          const struct riommu_msi_window *window)
{
    context->word[RIOMMU_WORD_MSIPTP] =
        RIOMMU_PREP(MSIPTP_MODE, 1) | RIOMMU_PREP(MSIPTP_PPN, window->table >> 12);
    context->word[RIOMMU_WORD_MSI_MASK] = window->mask;
    context->word[RIOMMU_WORD_MSI_PATTERN] = window->pattern;
}

/** A process's first stage. Its accesses are a user's: ENS and SUM stay 0 [2.2.3.1]. */
static inline struct riommu_process_context
riommu_process_context_make(const struct riommu_walk *walk)
{
    return (struct riommu_process_context){
        .ta = RIOMMU_MASK(PC_V) | RIOMMU_PREP(PC_PSCID, walk->tag),
        .fsc = RIOMMU_PREP(FSC_MODE, riommu_mode_of_levels(walk->levels)) |
               RIOMMU_PREP(FSC_PPN, walk->root >> 12),
    };
}

/* ---- where in a directory ---- */

/** Device IDs that a leaf table of 4 KiB holds, as log2 [RISC-V IOMMU 2]. */
static inline unsigned riommu_leaf_bits(bool extended)
{
    return extended ? 6 : 7;
}

/** Bits of a device ID that a directory of 1 to 3 levels takes [RISC-V IOMMU 2.3]. */
static inline unsigned riommu_directory_bits(bool extended, unsigned levels)
{
    return levels == 3 ? 24 : riommu_leaf_bits(extended) + 9 * (levels - 1);
}

/** Index into the table of level 1 or 2. */
static inline unsigned riommu_directory_index(bool extended, unsigned level, uint32_t device)
{
    return (device >> (riommu_leaf_bits(extended) + 9 * (level - 1))) & 0x1ffu;
}

/** Index into a process directory's table: level 0 holds contexts [RISC-V IOMMU 2]. */
static inline unsigned riommu_process_index(unsigned level, uint32_t process)
{
    return level == 0 ? process & 0xffu : (process >> (8 + 9 * (level - 1))) & 0x1ffu;
}

#endif
