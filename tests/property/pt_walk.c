// SPDX-License-Identifier: MIT
#include "pt_walk.h"

#include <string.h>

#define BIT(n) (1ull << (n))

/** What an entry of one level turned out to be. */
struct entry_view {
    bool present;
    bool leaf;
    bool broken;
    sluice_phys_t address;
    uint32_t prot;
    unsigned run_lg2; /**< of a leaf that says so: log2 of the entries that may be cached as one */
};

typedef struct entry_view entry_decoder(const struct pt_config *config, uint64_t entry,
                                        unsigned level);

/** The walk that all formats share: entries of 8 bytes, tables of 1 << granule bytes. */
static void walk_radix(struct pt_world *world, const struct pt_config *config, sluice_phys_t table,
                       unsigned level, sluice_iova_t iova, unsigned granule, entry_decoder *decode,
                       struct walk *out)
{
    const unsigned bits = granule - 3;
    uint32_t prot = UINT32_MAX;

    memset(out, 0, sizeof(*out));
    for (; level > 0; level--) {
        unsigned shift = granule + bits * (level - 1);
        /* A root may be larger than other tables. */
        uint64_t index =
            level == config->levels ? iova >> shift : (iova >> shift) & (BIT(bits) - 1);
        uint64_t entry = pt_world_read(world, table + index * 8);
        struct entry_view view = decode(config, entry, level);

        out->table[out->depth++] = table;
        out->page_bytes = BIT(shift);
        if (!view.present)
            return;
        prot &= view.prot;
        if (view.broken || (view.address >> config->phys_bits) != 0)
            break;
        if (view.leaf) {
            if ((view.address & (BIT(shift) - 1)) != 0)
                break;
            out->kind = WALK_MAPPED;
            out->phys = view.address + (iova & (BIT(shift) - 1));
            out->prot = prot;
            out->run_bytes = view.run_lg2 != 0 ? BIT(shift + view.run_lg2) : 0;
            return;
        }
        table = view.address;
    }
    out->kind = WALK_BROKEN;
}

/* ---- VT-d second stage [VT-d 3.7, 9.8] ---- */

static struct entry_view vtd_decode(const struct pt_config *config, uint64_t entry, unsigned level)
{
    struct entry_view view = {.present = (entry & 3) != 0};

    view.leaf = level == 1 || (entry & BIT(7)) != 0;
    view.address = entry & 0x000ffffffffff000ull;
    view.prot = ((entry & BIT(0)) != 0 ? SLUICE_PROT_READ : 0) |
                ((entry & BIT(1)) != 0 ? SLUICE_PROT_WRITE : 0) | SLUICE_PROT_SNOOP;
    if (!view.leaf) {
        /* Bit 11 is reserved in entries that point at tables. */
        view.broken = (entry & BIT(11)) != 0;
        return view;
    }
    if ((entry & BIT(11)) == 0)
        view.prot &= ~(uint32_t)SLUICE_PROT_SNOOP;
    /* SNP without snoop control, and leaf sizes the unit does not have, are reserved. */
    view.broken = ((entry & BIT(11)) != 0 && !config->snoop) || level > 3 ||
                  (level > 1 && (config->page_sizes & BIT(12 + 9 * (level - 1))) == 0);
    /* X, memory type and IPAT are of no use here, nor is a page size at the lowest level, so they
     * have to be clear. */
    view.broken = view.broken || (entry & 0x7c) != 0 || (level == 1 && (entry & BIT(7)) != 0);
    return view;
}

static void vtd_walk(struct pt_world *world, const struct pt_config *config, sluice_phys_t table,
                     unsigned level, sluice_iova_t iova, struct walk *out)
{
    walk_radix(world, config, table, level, iova, 12, vtd_decode, out);
}

/* ---- x86 [VT-d 3.6, 9.7] ---- */

static struct entry_view x86_decode(const struct pt_config *config, uint64_t entry, unsigned level)
{
    struct entry_view view = {.present = (entry & BIT(0)) != 0};

    view.leaf = level == 1 || (entry & BIT(7)) != 0;
    view.address = entry & 0x000ffffffffff000ull;
    view.prot = SLUICE_PROT_READ | ((entry & BIT(1)) != 0 ? SLUICE_PROT_WRITE : 0);
    /* User; not write-through, uncached or (the page attribute at level 1) other memory types;
     * accessed; not execute-disabled, which would be reserved. */
    view.broken = (entry & (BIT(2) | BIT(5))) != (BIT(2) | BIT(5)) ||
                  (entry & (BIT(3) | BIT(4) | BIT(63))) != 0 ||
                  (level == 1 && (entry & BIT(7)) != 0);
    if (view.leaf && level > 1)
        view.broken =
            view.broken || level > 3 || (config->page_sizes & BIT(12 + 9 * (level - 1))) == 0;
    /* Dirty where it can be written, so that the unit need not write the entry. */
    if (view.leaf && (entry & BIT(1)) != 0 && (entry & BIT(6)) == 0)
        view.broken = true;
    return view;
}

static void x86_walk(struct pt_world *world, const struct pt_config *config, sluice_phys_t table,
                     unsigned level, sluice_iova_t iova, struct walk *out)
{
    walk_radix(world, config, table, level, iova, 12, x86_decode, out);
}

/* ---- RISC-V [RISC-V Privileged Sv39, Sv39x4] ---- */

static struct entry_view riscv_decode(const struct pt_config *config, uint64_t entry,
                                      unsigned level)
{
    struct entry_view view = {.present = (entry & BIT(0)) != 0};
    const bool write = (entry & BIT(2)) != 0;

    view.leaf = (entry & 0xe) != 0;
    view.address = ((entry >> 10) & (BIT(44) - 1)) << 12;
    view.prot = view.leaf ? ((entry & BIT(1)) != 0 ? (uint32_t)SLUICE_PROT_READ : 0) |
                                (write ? (uint32_t)SLUICE_PROT_WRITE : 0) |
                                ((entry & BIT(3)) != 0 ? (uint32_t)SLUICE_PROT_EXEC : 0)
                          : UINT32_MAX;
    /* Bits 63:54 are reserved without extensions; G has no place here. */
    view.broken = (entry >> 54) != 0 || (entry & BIT(5)) != 0;
    /* U, A and D are reserved where a table is pointed at, and wanted in a leaf. */
    if (!view.leaf)
        view.broken = view.broken || level == 1 || (entry & (BIT(4) | BIT(6) | BIT(7))) != 0;
    else
        view.broken = view.broken || (entry & (BIT(4) | BIT(6))) != (BIT(4) | BIT(6)) ||
                      (write && (entry & (BIT(1) | BIT(7))) != (BIT(1) | BIT(7))) ||
                      (level > 1 && (config->page_sizes & BIT(12 + 9 * (level - 1))) == 0);
    return view;
}

static void riscv_walk(struct pt_world *world, const struct pt_config *config, sluice_phys_t table,
                       unsigned level, sluice_iova_t iova, struct walk *out)
{
    walk_radix(world, config, table, level, iova, 12, riscv_decode, out);
}

/* ---- AMD v1 [AMD 2.2.3] ---- */

static struct entry_view amd_decode(const struct pt_config *config, uint64_t entry, unsigned level)
{
    const unsigned next = (unsigned)(entry >> 9 & 7);
    struct entry_view view = {.present = (entry & BIT(0)) != 0, .leaf = next == 0};

    view.address = entry & 0x000ffffffffff000ull;
    view.prot = ((entry & BIT(61)) != 0 ? SLUICE_PROT_READ : 0) |
                ((entry & BIT(62)) != 0 ? SLUICE_PROT_WRITE : 0) | SLUICE_PROT_SNOOP;
    /* Bits 58:52 are reserved, accessed and dirty (6:5) are the unit's to set; U (59) and 63 mean
     * nothing to memory and have to be clear. */
    view.broken = (entry & 0x8ff0000000000060ull) != 0;
    if (!view.leaf) {
        /* A table is exactly one level down, and FC has no place there. */
        view.broken = view.broken || next != level - 1 || (entry & BIT(60)) != 0;
        return view;
    }
    if ((entry & BIT(60)) == 0)
        view.prot &= ~(uint32_t)SLUICE_PROT_SNOOP;
    view.broken = view.broken || ((entry & BIT(60)) != 0 && !config->snoop) || level > 3 ||
                  (level > 1 && (config->page_sizes & BIT(12 + 9 * (level - 1))) == 0);
    return view;
}

static void amd_walk(struct pt_world *world, const struct pt_config *config, sluice_phys_t table,
                     unsigned level, sluice_iova_t iova, struct walk *out)
{
    walk_radix(world, config, table, level, iova, 12, amd_decode, out);
}

/* ---- Arm [Arm ARM D8.3] ---- */

static uint32_t arm_stage1_prot(uint64_t entry)
{
    return SLUICE_PROT_READ | ((entry & BIT(7)) == 0 ? (uint32_t)SLUICE_PROT_WRITE : 0) |
           ((entry & BIT(54)) == 0 ? (uint32_t)SLUICE_PROT_EXEC : 0) |
           ((entry >> 2 & 7) == 1 ? (uint32_t)SLUICE_PROT_MMIO : 0);
}

static uint32_t arm_stage2_prot(uint64_t entry)
{
    return ((entry & BIT(6)) != 0 ? (uint32_t)SLUICE_PROT_READ : 0) |
           ((entry & BIT(7)) != 0 ? (uint32_t)SLUICE_PROT_WRITE : 0) |
           ((entry & BIT(54)) == 0 ? (uint32_t)SLUICE_PROT_EXEC : 0) |
           ((entry >> 2 & 0xf) == 1 ? (uint32_t)SLUICE_PROT_MMIO : 0);
}

/* What a stage does not use: for stage 1 attribute indexes above 1, a page that users may not
 * touch, one that is global; for stage 2 memory types other than the two. */
static bool arm_stage_broken(uint64_t entry, unsigned stage)
{
    if (stage == 1)
        return (entry >> 2 & 7) > 1 || (entry & BIT(6)) == 0 || (entry & BIT(11)) == 0 ||
               (entry >> 54 & 1) != (entry >> 53 & 1);
    return ((entry >> 2 & 0xf) != 0xf && (entry >> 2 & 0xf) != 1) || (entry & BIT(53)) != 0 ||
           (entry & BIT(11)) != 0;
}

/* log2 of the entries of a run [Arm ARM D8.7.1]; there are none in a root, by our choice. */
static unsigned arm_run_lg2(const struct pt_config *config, unsigned level, unsigned granule)
{
    static const uint8_t runs[3][3] = {{4, 4, 4}, {7, 5, 0}, {5, 5, 0}};

    return level == config->levels || level > 3 ? 0 : runs[(granule - 12) / 2][level - 1];
}

static struct entry_view arm_decode(const struct pt_config *config, uint64_t entry, unsigned level,
                                    unsigned granule, unsigned stage)
{
    const unsigned shift = granule + (granule - 3) * (level - 1);
    struct entry_view view = {.present = (entry & BIT(0)) != 0,
                              .leaf = level == 1 || (entry & BIT(1)) == 0,
                              .prot = UINT32_MAX};

    view.address = entry & (BIT(48) - BIT(granule));
    /* A block at the lowest level is reserved; what the address leaves over of 47:12 and above is
     * clear; the hierarchical restrictions of tables are not used, software's bits are ignored. */
    view.broken = (level == 1 && (entry & BIT(1)) == 0) ||
                  (entry & (BIT(granule) - 1) & ~(BIT(12) - 1)) != 0 ||
                  (entry & 0xf80f000000000000ull) != 0;
    if (!view.leaf) {
        view.broken = view.broken || (entry & 0xffc) != 0 || (entry & (BIT(53) | BIT(54))) != 0;
        return view;
    }
    view.prot = stage == 1 ? arm_stage1_prot(entry) : arm_stage2_prot(entry);
    if ((entry & BIT(52)) != 0)
        view.run_lg2 = arm_run_lg2(config, level, granule);
    /* Inner shareable; accessed already; nothing of dirty state; the hint where there are runs. */
    view.broken = view.broken || (entry >> 8 & 3) != 3 || (entry & BIT(10)) == 0 ||
                  (entry & BIT(51)) != 0 || ((entry & BIT(52)) != 0 && view.run_lg2 == 0) ||
                  arm_stage_broken(entry, stage) ||
                  (level > 1 && (config->page_sizes & BIT(shift)) == 0);
    return view;
}

#define ARM_WALK(stage, kib, granule)                                                              \
    static struct entry_view arm_decode_##stage##_##kib(const struct pt_config *config,            \
                                                        uint64_t entry, unsigned level)            \
    {                                                                                              \
        return arm_decode(config, entry, level, granule, stage);                                   \
    }                                                                                              \
    static void arm_walk_##stage##_##kib(struct pt_world *world, const struct pt_config *config,   \
                                         sluice_phys_t table, unsigned level, sluice_iova_t iova,  \
                                         struct walk *out)                                         \
    {                                                                                              \
        walk_radix(world, config, table, level, iova, granule, arm_decode_##stage##_##kib, out);   \
    }

ARM_WALK(1, 4, 12)
ARM_WALK(1, 16, 14)
ARM_WALK(1, 64, 16)
ARM_WALK(2, 4, 12)
ARM_WALK(2, 16, 14)
ARM_WALK(2, 64, 16)

unsigned pt_subject_bits(const struct pt_subject *subject, unsigned levels)
{
    return (unsigned)((int)(12 + 9 * levels) + subject->extra_bits);
}

#define RWX (RW | SLUICE_PROT_EXEC)
#define RW  (SLUICE_PROT_READ | SLUICE_PROT_WRITE)

#define RWM (RW | SLUICE_PROT_MMIO)

const struct pt_subject pt_subjects[] = {
    {
        .name = "arm-stage1",
        .format = &pt_format_arm_stage1_4k,
        .levels_min = 3,
        .levels_max = 4,
        .prots = {SLUICE_PROT_READ, RW, RWX, RWM},
        .impossible_prot = SLUICE_PROT_WRITE,
        .refuses_split = true,
        .runs = true,
        .walk = arm_walk_1_4,
    },
    {
        .name = "arm-stage2",
        .format = &pt_format_arm_stage2_4k,
        .levels_min = 3,
        .levels_max = 4,
        .extra_bits = 4,
        .prots = {SLUICE_PROT_READ, SLUICE_PROT_WRITE, RWX, RWM},
        .refuses_split = true,
        .runs = true,
        .walk = arm_walk_2_4,
    },
    {
        .name = "amd-v1",
        .format = &pt_format_amd_v1,
        .levels_min = 3,
        .levels_max = 5,
        .prots = {SLUICE_PROT_READ, SLUICE_PROT_WRITE, RW, RW | SLUICE_PROT_SNOOP},
        .walk = amd_walk,
    },
    {
        .name = "vtd-second-stage",
        .format = &pt_format_vtd_second_stage,
        .levels_min = 3,
        .levels_max = 5,
        .prots = {SLUICE_PROT_READ, SLUICE_PROT_WRITE, RW, RW | SLUICE_PROT_SNOOP},
        .walk = vtd_walk,
    },
    {
        .name = "x86",
        .format = &pt_format_x86,
        .levels_min = 4,
        .levels_max = 5,
        .extra_bits = -1,
        .prots = {SLUICE_PROT_READ, RW},
        .impossible_prot = SLUICE_PROT_WRITE,
        .walk = x86_walk,
    },
    {
        .name = "riscv-first-stage",
        .format = &pt_format_riscv_first_stage,
        .levels_min = 3,
        .levels_max = 5,
        .extra_bits = -1,
        .prots = {SLUICE_PROT_READ, RW, RWX, SLUICE_PROT_READ | SLUICE_PROT_EXEC},
        .impossible_prot = SLUICE_PROT_WRITE,
        .walk = riscv_walk,
    },
    {
        .name = "riscv-second-stage",
        .format = &pt_format_riscv_second_stage,
        .levels_min = 3,
        .levels_max = 5,
        .extra_bits = 2,
        .prots = {SLUICE_PROT_READ, RW, RWX, SLUICE_PROT_READ | SLUICE_PROT_EXEC},
        .impossible_prot = SLUICE_PROT_WRITE,
        .walk = riscv_walk,
    },
};
const unsigned pt_subject_count = sizeof(pt_subjects) / sizeof(pt_subjects[0]);

#define GRANULE(stage_, kib, lg2, min, max, extra)                                                 \
    {                                                                                              \
        .name = "arm-stage" #stage_ "-" #kib "k",                                                  \
        .format = &pt_format_arm_stage##stage_##_##kib##k, .granule_lg2 = (lg2),                   \
        .levels_min = (min), .levels_max = (max), .extra_bits = (extra),                           \
        .prots = {SLUICE_PROT_READ, RW, RWX, RWM}, .refuses_split = true,                          \
        .walk = arm_walk_##stage_##_##kib,                                                         \
    }

const struct pt_subject pt_granule_subjects[] = {
    GRANULE(1, 16, 14, 2, 4, 0), GRANULE(2, 16, 14, 2, 3, 4), GRANULE(1, 64, 16, 2, 3, 0),
    GRANULE(2, 64, 16, 2, 3, 4), GRANULE(2, 4, 12, 3, 4, 4),
};
const unsigned pt_granule_subject_count =
    sizeof(pt_granule_subjects) / sizeof(pt_granule_subjects[0]);
