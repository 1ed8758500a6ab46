// SPDX-License-Identifier: MIT
/*
 * Domains on a unit: what tables it can walk [SMMU 3.4, 5.2, 5.4], and ASIDs and VMIDs
 * [SMMU 3.17].
 *
 * Stage 1 where the unit has it, else stage 2. Stage 1 domains are all of VMID 0 and told apart by
 * ASID, so stage 2 domains never have VMID 0; and ID 0 is given to nobody. One ID is used as the
 * one or the other, never both, and comes back only after the unit confirmed that nothing is cached
 * with it; else it is lost for good.
 */
#include "unit/smmu3/smmu3.h"

#define IOVA_BITS_MAX    48u
#define CONCATENATE_BITS 4u

/** A format as a unit sees it. */
struct walk_format {
    const struct pt_format *format;
    bool stage2;
    unsigned granule_lg2;
    unsigned levels_min;
    unsigned levels_max;
};

/* In the order in which a domain that has no format yet is given one. */
static const struct walk_format formats[] = {
    {&pt_format_arm_stage1_4k, false, 12, 3, 4},  {&pt_format_arm_stage1_16k, false, 14, 2, 4},
    {&pt_format_arm_stage1_64k, false, 16, 2, 3}, {&pt_format_arm_stage2_4k, true, 12, 3, 4},
    {&pt_format_arm_stage2_16k, true, 14, 2, 3},  {&pt_format_arm_stage2_64k, true, 16, 2, 3},
};

static bool walks(const struct smmu3 *smmu3, const struct walk_format *format)
{
    const struct smmu3_capability *capability = &smmu3->capability;
    bool granule = format->granule_lg2 == 12   ? SMMU3_GET(IDR5_GRAN4K, capability->idr5) != 0
                   : format->granule_lg2 == 14 ? SMMU3_GET(IDR5_GRAN16K, capability->idr5) != 0
                                               : SMMU3_GET(IDR5_GRAN64K, capability->idr5) != 0;
    bool stage = format->stage2 ? SMMU3_GET(IDR0_S2P, capability->idr0) != 0
                                : SMMU3_GET(IDR0_S1P, capability->idr0) != 0;

    return granule && stage;
}

static const struct walk_format *format_find(const struct smmu3 *smmu3,
                                             const struct pt_format *wanted)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (formats[i].format == wanted && walks(smmu3, &formats[i]))
            return &formats[i];
    }
    return NULL;
}

/* The format of a domain that has none yet: stage 1 if there is a choice, then the pages wanted. */
static const struct walk_format *format_choose(const struct smmu3 *smmu3, bool second_stage)
{
    bool stage2 = second_stage || SMMU3_GET(IDR0_S1P, smmu3->capability.idr0) == 0;

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (formats[i].stage2 == stage2 && walks(smmu3, &formats[i]) &&
            formats[i].granule_lg2 == smmu3->capability.page_lg2)
            return &formats[i];
    }
    return NULL;
}

static unsigned bits_of_levels(const struct walk_format *format, unsigned levels)
{
    return format->granule_lg2 + (format->granule_lg2 - 3) * levels;
}

/* Input addresses: those of stage 2 are no wider than output addresses [SMMU 3.4.1]. */
static unsigned input_bits_max(const struct smmu3 *smmu3, const struct walk_format *format)
{
    return format->stage2 ? smmu3->capability.oas_bits : IOVA_BITS_MAX;
}

static unsigned reach_of(const struct smmu3 *smmu3, const struct walk_format *format,
                         unsigned levels)
{
    unsigned bits = bits_of_levels(format, levels) + (format->stage2 ? CONCATENATE_BITS : 0);
    unsigned most = input_bits_max(smmu3, format);

    return bits < most ? bits : most;
}

/* The fewest levels that reach `bits`, or the most there are. */
static unsigned levels_for(const struct smmu3 *smmu3, const struct walk_format *format,
                           unsigned bits)
{
    unsigned levels = format->levels_min;

    while (levels < format->levels_max && reach_of(smmu3, format, levels) < bits)
        levels++;
    return levels;
}

static uint64_t page_sizes_of(const struct walk_format *format)
{
    unsigned lg2 = format->granule_lg2;

    return (uint64_t)1 << lg2 | (uint64_t)1 << (2 * lg2 - 3) | (lg2 == 12 ? (uint64_t)1 << 30 : 0);
}

/* What the unit takes of changes to entries that are in use [SMMU 3.21.1]: 0 nothing, 1 of the
 * contiguous hint, 2 of sizes too. */
static unsigned bbml_of(const struct smmu3 *smmu3)
{
    unsigned level = (unsigned)SMMU3_GET(IDR3_BBML, smmu3->capability.idr3);

    return level <= 2 ? level : 0; /* 3 is reserved */
}

enum sluice_status smmu3_geometry(struct unit *unit, struct pt_config *config)
{
    struct smmu3 *smmu3 = smmu3_of(unit);
    const struct walk_format *format = config->format != NULL
                                           ? format_find(smmu3, config->format)
                                           : format_choose(smmu3, config->second_stage);
    struct pt_config want = *config;
    unsigned bits, levels;

    if (format == NULL)
        return SLUICE_ERR_UNSUPPORTED;
    bits = input_bits_max(smmu3, format);
    if (want.iova_bits != 0 && want.iova_bits < bits)
        bits = want.iova_bits;
    levels = levels_for(smmu3, format, bits);
    if (want.format == NULL) {
        want.format = format->format;
        want.page_sizes = page_sizes_of(format);
        want.phys_bits = unit->caps.phys_bits;
        want.coherent = unit->caps.coherent;
        want.live_change = want.run_change = true;
        want.levels = levels;
    }
    if (levels < want.levels)
        want.levels = levels;
    if (bits > reach_of(smmu3, format, want.levels))
        bits = reach_of(smmu3, format, want.levels);
    want.iova_bits = bits;
    want.page_sizes &= page_sizes_of(format);
    if (want.phys_bits > unit->caps.phys_bits)
        want.phys_bits = unit->caps.phys_bits;
    want.coherent = want.coherent && unit->caps.coherent;
    want.live_change = want.live_change && bbml_of(smmu3) == 2;
    want.run_change = want.run_change && bbml_of(smmu3) >= 1;
    want.snoop = false;
    *config = want;
    return SLUICE_OK;
}

static bool can_walk(const struct smmu3 *smmu3, const struct pagetable *pt)
{
    const struct pt_config *config = &pt->config;
    const struct walk_format *format = format_find(smmu3, pt->format);

    return format != NULL && config->levels >= format->levels_min &&
           config->levels <= format->levels_max &&
           config->levels <= levels_for(smmu3, format, input_bits_max(smmu3, format)) &&
           config->iova_bits <= reach_of(smmu3, format, config->levels) &&
           config->phys_bits <= smmu3->unit.caps.phys_bits &&
           (config->page_sizes & ~page_sizes_of(format)) == 0 &&
           (!config->live_change || bbml_of(smmu3) == 2) &&
           (!config->run_change || bbml_of(smmu3) >= 1) &&
           (smmu3->unit.caps.coherent || !config->coherent);
}

/*
 * What the walk takes as input: all that its root has entries for, which the aperture may be less
 * than. The root's size follows from that width in the unit's eyes.
 */
static struct smmu3_walk walk_of(struct smmu3 *smmu3, const struct domain_link *link)
{
    const struct pt_config *config = &link->pt->config;
    const struct walk_format *format = format_find(smmu3, link->pt->format);
    unsigned bits = bits_of_levels(format, config->levels);

    if (config->iova_bits > bits)
        bits = config->iova_bits;
    if (bits > input_bits_max(smmu3, format))
        bits = input_bits_max(smmu3, format);
    return (struct smmu3_walk){
        .root = link->pt->root_phys,
        .granule_lg2 = format->granule_lg2,
        .levels = config->levels,
        .input_bits = bits,
        .oas_code = smmu3->capability.oas_code,
        .tag = (uint16_t)link->tag,
        .coherent = smmu3->unit.caps.coherent && config->coherent,
        .stall = SMMU3_GET(IDR0_STALL_MODEL, smmu3->capability.idr0) == 2,
        .httu = smmu3->capability.httu,
    };
}

struct smmu3_tag smmu3_tag_of(const struct domain_link *link)
{
    const struct pt_format *format = link->pt != NULL ? link->pt->format : NULL;
    struct smmu3_tag tag = {.id = (uint16_t)link->tag};

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        tag.stage2 = tag.stage2 || (formats[i].format == format && formats[i].stage2);
    return tag;
}

struct smmu3_cd smmu3_cd_for(struct smmu3 *smmu3, const struct domain_link *link)
{
    const struct smmu3_walk walk = walk_of(smmu3, link);

    return smmu3_cd_make(&walk);
}

/* Where in its page the descriptor of a tag is. */
static unsigned context_index(uint32_t tag, bool quiet)
{
    return tag % SMMU3_TAGS_PER_PAGE * SMMU3_CDS_PER_TAG + quiet;
}

/* The descriptor of a domain, which all streams without PASIDs share; silent ones have another. */
static struct smmu3_contexts own_context(const struct smmu3 *smmu3, const struct domain_link *link,
                                         bool quiet)
{
    const struct sluice_pages *block = &smmu3->contexts[link->tag / SMMU3_TAGS_PER_PAGE];

    return (struct smmu3_contexts){
        .table = block->phys + context_index(link->tag, quiet) * sizeof(struct smmu3_cd),
        .without = SMMU3_WITHOUT_CONTEXT,
    };
}

static struct smmu3_ste ste_of(struct smmu3 *smmu3, const struct domain_link *link,
                               const struct smmu3_substreams *streams, bool ats, bool quiet)
{
    bool may_stall = SMMU3_GET(IDR0_STALL_MODEL, smmu3->capability.idr0) == 0;
    struct smmu3_contexts contexts;
    struct smmu3_walk walk;

    if (link == NULL)
        return smmu3_ste_abort();
    if (link->pt == NULL && streams == NULL)
        return smmu3_ste_bypass();
    if (streams != NULL) {
        contexts = smmu3_substreams_contexts(streams, link);
        return smmu3_ste_stage1(&contexts, smmu3->unit.caps.coherent, ats, may_stall);
    }
    walk = walk_of(smmu3, link);
    if (link->parent != NULL) {
        contexts = smmu3_nested_contexts(link);
        return smmu3_ste_nested(&walk, &contexts, ats, may_stall);
    }
    if (smmu3_tag_of(link).stage2)
        return smmu3_ste_stage2(&walk, ats);
    contexts = own_context(smmu3, link, quiet);
    return smmu3_ste_stage1(&contexts, smmu3->unit.caps.coherent, ats, may_stall);
}

struct smmu3_ste smmu3_ste_for(struct smmu3 *smmu3, const struct domain_link *link,
                               const struct smmu3_substreams *streams, bool ats, bool quiet)
{
    struct smmu3_ste ste = ste_of(smmu3, link, streams, ats, quiet);

    if (quiet)
        smmu3_ste_silence(&ste);
    return ste;
}

/* The context descriptors of an ASID. No stream's entry points at them yet, or any more. */
static enum sluice_status context_make(struct smmu3 *smmu3, const struct domain_link *link)
{
    struct sluice_pages *block = &smmu3->contexts[link->tag / SMMU3_TAGS_PER_PAGE];
    struct smmu3_cd *cd;

    if (block->virt == NULL && !host_pages_alloc(smmu3->unit.sluice, 0, -1, block)) {
        block->virt = NULL;
        return SLUICE_ERR_NO_MEMORY;
    }
    cd = (struct smmu3_cd *)block->virt + context_index(link->tag, false);
    cd[0] = cd[1] = smmu3_cd_for(smmu3, link);
    smmu3_cd_silence(&cd[1]);
    smmu3_clean(smmu3, cd, SMMU3_CDS_PER_TAG * sizeof(*cd));
    return SLUICE_OK;
}

enum sluice_status smmu3_link_open(struct unit *unit, struct domain_link *link)
{
    struct smmu3 *smmu3 = smmu3_of(unit);
    enum sluice_status status;

    link->tag = 0;
    if (link->pt == NULL)
        return SLUICE_OK; /* nothing is cached for what is not translated */
    if (!can_walk(smmu3, link->pt))
        return SLUICE_ERR_UNSUPPORTED;
    if (link->parent != NULL) {
        link->tag = link->parent->tag;
        return smmu3_nested_check(smmu3, link);
    }
    status = unit_index_take_tag(&smmu3->tags, &link->tag);
    if (status != SLUICE_OK || smmu3_tag_of(link).stage2)
        return status;
    status = context_make(smmu3, link);
    if (status != SLUICE_OK)
        unit_index_give(&smmu3->tags, link->tag, 1);
    return status;
}

enum sluice_status smmu3_link_close(struct unit *unit, struct domain_link *link)
{
    struct smmu3 *smmu3 = smmu3_of(unit);
    const struct unit_invalidation everything = {.link = link};
    struct unit_ticket ticket;
    enum sluice_status status = smmu3_invalidate_submit(unit, &everything, &ticket);

    if (status == SLUICE_OK)
        status = smmu3_invalidate_wait(unit, &ticket);
    unit_users_forget(&smmu3->users, link);
    if (link->pt == NULL || link->parent != NULL)
        return status;
    return unit_index_give_tag(&smmu3->tags, unit, link->tag, status);
}
