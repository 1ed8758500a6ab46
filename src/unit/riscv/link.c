// SPDX-License-Identifier: MIT
/*
 * Domains on a unit: what tables it can walk [RISC-V IOMMU 2.1.3.2, 2.1.3.4], and PSCIDs and
 * GSCIDs.
 *
 * First stage where the unit has it, else second stage. First-stage domains are told apart by
 * PSCID, second-stage domains by GSCID. One ID is used as the one or the other, never both, and
 * comes back only after the unit confirmed that nothing is cached with it; else it is lost for
 * good. ID 0 is given to nobody. A guest's first stages lie on a second stage under its GSCID, with
 * PSCIDs that are the guest's affair: see nested.c.
 *
 * Where interrupts are remapped, each device has a GSCID of its own instead, since MSI page tables
 * are cached with it, and there is only the second stage, which they need [RISC-V IOMMU 2.1.3.5].
 *
 * A first stage sign-extends its input, so domains have the lower half of it. The root of a second
 * stage is 16 KiB, however narrow the domain.
 */
#include "unit/riscv/riommu.h"

#define LEVELS_MIN 3u
#define LEVELS_MAX 5u

static bool is_second(const struct pt_format *format)
{
    return format == &pt_format_riscv_second_stage;
}

/* Sv39, Sv48 or Sv57. */
static bool has_levels(const struct riommu *riommu, bool second, unsigned levels)
{
    unsigned first = second ? RIOMMU_LOW_CAP_SV39X4 : RIOMMU_LOW_CAP_SV39;

    return levels >= LEVELS_MIN && levels <= LEVELS_MAX &&
           (riommu->capability.cap >> (first + levels - LEVELS_MIN) & 1) != 0;
}

static unsigned reach_of(bool second, unsigned levels)
{
    return 12 + 9 * levels + (second ? 2 : 0) - (second ? 0 : 1);
}

/* The fewest levels that reach `bits`, or the most there are; 0: none. */
static unsigned levels_for(const struct riommu *riommu, bool second, unsigned bits)
{
    unsigned best = 0;

    for (unsigned levels = LEVELS_MIN; levels <= LEVELS_MAX; levels++) {
        if (has_levels(riommu, second, levels) && (best == 0 || reach_of(second, best) < bits))
            best = levels;
    }
    return best;
}

/* Every level can have leaves [RISC-V Privileged Sv39]. */
static uint64_t page_sizes_of(unsigned levels)
{
    uint64_t sizes = 0;

    for (unsigned level = 0; level < levels; level++)
        sizes |= (uint64_t)1 << (12 + 9 * level);
    return sizes;
}

static const struct pt_format *format_for(const struct riommu *riommu,
                                          const struct pt_format *wanted, bool second_stage)
{
    bool first = !riommu->remaps && levels_for(riommu, false, 64) != 0;
    bool second = levels_for(riommu, true, 64) != 0;

    if (wanted == NULL && second_stage)
        return second ? &pt_format_riscv_second_stage : NULL;
    if (wanted == NULL)
        return first ? &pt_format_riscv_first_stage : &pt_format_riscv_second_stage;
    if ((wanted == &pt_format_riscv_first_stage && first) || (is_second(wanted) && second))
        return wanted;
    return NULL;
}

enum sluice_status riommu_geometry(struct unit *unit, struct pt_config *config)
{
    struct riommu *riommu = riommu_of(unit);
    const struct pt_format *format = format_for(riommu, config->format, config->second_stage);
    struct pt_config want = *config;
    unsigned levels;

    if (format == NULL)
        return SLUICE_ERR_UNSUPPORTED;
    levels = levels_for(riommu, is_second(format), want.iova_bits != 0 ? want.iova_bits : 64);
    if (want.format == NULL) {
        want.format = format;
        want.levels = levels;
        want.page_sizes = page_sizes_of(levels);
        want.phys_bits = unit->caps.phys_bits;
        want.coherent = unit->caps.coherent;
        want.live_change = true;
    }
    /* Another unit's choice, narrowed to what this one has. */
    while (want.levels > LEVELS_MIN && !has_levels(riommu, is_second(format), want.levels))
        want.levels--;
    if (!has_levels(riommu, is_second(format), want.levels))
        return SLUICE_ERR_UNSUPPORTED;
    if (want.iova_bits == 0 || want.iova_bits > reach_of(is_second(format), want.levels))
        want.iova_bits = reach_of(is_second(format), want.levels);
    want.page_sizes &= page_sizes_of(want.levels);
    if (want.phys_bits > unit->caps.phys_bits)
        want.phys_bits = unit->caps.phys_bits;
    want.coherent = want.coherent && unit->caps.coherent;
    want.snoop = false;
    *config = want;
    return SLUICE_OK;
}

static bool can_walk(const struct riommu *riommu, const struct pagetable *pt)
{
    const struct pt_config *config = &pt->config;
    bool second = is_second(pt->format);

    return format_for(riommu, pt->format, second) != NULL &&
           has_levels(riommu, second, config->levels) &&
           config->iova_bits <= reach_of(second, config->levels) &&
           config->phys_bits <= riommu->unit.caps.phys_bits &&
           (riommu->unit.caps.coherent || !config->coherent) &&
           (!second || (pt->root_order >= 2 && (pt->root_phys & 0x3fffu) == 0));
}

struct riommu_tag riommu_tag_of(const struct domain_link *link)
{
    return (struct riommu_tag){.second = link->pt != NULL && is_second(link->pt->format),
                               .id = link->tag};
}

static struct riommu_context context_open(const struct riommu *riommu,
                                          const struct domain_link *link,
                                          const struct riommu_device *device, bool ats)
{
    struct riommu_context context;
    struct riommu_walk walk;

    if (device != NULL && device->processes.levels != 0) {
        const struct riommu_processes *processes = &device->processes;

        context = riommu_context_pass();
        context.word[RIOMMU_WORD_TC] |= RIOMMU_PREP(TC_EN_ATS, ats);
        riommu_context_set_directory(&context, processes->top[processes->levels - 1].phys,
                                     processes->levels, true);
        return context;
    }
    if (link->pt == NULL)
        return riommu_context_pass();
    walk = (struct riommu_walk){
        .root = link->pt->root_phys, .levels = link->pt->config.levels, .tag = link->tag};
    if (riommu->remaps) {
        if (device == NULL)
            return riommu_context_blocked(); /* whoever is attached is known */
        walk.tag = device->tag;
    }
    context = is_second(link->pt->format) ? riommu_context_second(&walk, ats)
                                          : riommu_context_first(&walk, ats);
    if (link->parent != NULL) {
        const struct riommu_guest_stage stage = riommu_nested_stage(link);

        riommu_context_nest(&context, &stage);
    }
    if (riommu->remaps)
        riommu_messages_put(riommu, device->messages, &context);
    return context;
}

/*
 * Blocked without a word. A context that is not valid is always reported [RISC-V IOMMU 3.2], so
 * this is a valid one whose tables map nothing. No domain has tag 0.
 */
static struct riommu_context context_of_nothing(const struct riommu *riommu)
{
    bool second = levels_for(riommu, false, 64) == 0;
    const struct riommu_walk walk = {.root = riommu->nothing.phys,
                                     .levels = levels_for(riommu, second, 1)};

    return second ? riommu_context_second(&walk, false) : riommu_context_first(&walk, false);
}

struct riommu_context riommu_context_for(const struct riommu *riommu,
                                         const struct domain_link *link,
                                         const struct riommu_device *device, bool ats, bool quiet)
{
    struct riommu_context context;

    if (link == NULL && !quiet)
        return riommu_context_blocked();
    context = link != NULL ? context_open(riommu, link, device, ats) : context_of_nothing(riommu);
    context.word[RIOMMU_WORD_TC] |= RIOMMU_PREP(TC_DTF, quiet);
    return context;
}

enum sluice_status riommu_link_open(struct unit *unit, struct domain_link *link)
{
    struct riommu *riommu = riommu_of(unit);

    link->tag = 0;
    if (link->pt == NULL)
        return SLUICE_OK; /* nothing is cached for what is not translated */
    if (!can_walk(riommu, link->pt))
        return SLUICE_ERR_UNSUPPORTED;
    if (link->parent != NULL) {
        link->tag = link->parent->tag;
        return riommu_nested_check(riommu, link);
    }
    if (riommu->remaps)
        return SLUICE_OK; /* devices have tags */
    return unit_index_take_tag(&riommu->tags, &link->tag);
}

enum sluice_status riommu_link_close(struct unit *unit, struct domain_link *link)
{
    struct riommu *riommu = riommu_of(unit);
    const struct unit_invalidation everything = {.link = link};
    struct unit_ticket ticket;
    enum sluice_status status = riommu_invalidate_submit(unit, &everything, &ticket);

    if (status == SLUICE_OK)
        status = riommu_invalidate_wait(unit, &ticket);
    unit_users_forget(&riommu->users, link);
    if (link->pt == NULL || link->parent != NULL || riommu->remaps)
        return status;
    return unit_index_give_tag(&riommu->tags, unit, link->tag, status);
}
