// SPDX-License-Identifier: MIT
/*
 * Domains on a unit: what tables it can walk [AMD 2.2.3] and domain IDs [AMD 2.2.2].
 *
 * ID 0 is never given out: blocked entries carry it. An ID comes back only after the unit
 * confirmed that nothing is cached with it; else it is lost for good.
 */
#include "unit/amd/amdvi.h"

static unsigned bits_of_levels(unsigned levels)
{
    return SLUICE_PAGE_LG2 + 9 * levels;
}

/* The fewest levels that reach `bits`, or the most there are. */
static unsigned levels_for(const struct amdvi *amdvi, unsigned bits)
{
    unsigned levels = AMDVI_TABLE_LEVELS_LEAST;

    while (levels < amdvi->capability.levels_max && bits_of_levels(levels) < bits)
        levels++;
    return levels;
}

enum sluice_status amdvi_geometry(struct unit *unit, struct pt_config *config)
{
    struct amdvi *amdvi = amdvi_of(unit);
    struct pt_config want = *config;
    unsigned bits = want.iova_bits == 0 || want.iova_bits > unit->caps.iova_bits
                        ? unit->caps.iova_bits
                        : want.iova_bits;

    if (want.format == NULL) {
        want.format = &pt_format_amd_v1;
        want.page_sizes = unit->caps.page_sizes;
        want.phys_bits = unit->caps.phys_bits;
        want.coherent = unit->caps.coherent;
        want.snoop = unit->caps.snoop_control;
        want.levels = levels_for(amdvi, bits);
    } else if (want.format != &pt_format_amd_v1) {
        return SLUICE_ERR_UNSUPPORTED;
    }
    if (want.levels > amdvi->capability.levels_max)
        want.levels = amdvi->capability.levels_max;
    if (bits > bits_of_levels(want.levels))
        bits = bits_of_levels(want.levels);
    want.iova_bits = bits;
    want.page_sizes &= unit->caps.page_sizes;
    if (want.phys_bits > unit->caps.phys_bits)
        want.phys_bits = unit->caps.phys_bits;
    *config = want;
    return SLUICE_OK;
}

static bool can_walk(const struct amdvi *amdvi, const struct pagetable *pt)
{
    const struct pt_config *config = &pt->config;
    const struct unit_caps *caps = &amdvi->unit.caps;

    return pt->format == &pt_format_amd_v1 && config->levels >= AMDVI_TABLE_LEVELS_LEAST &&
           config->levels <= amdvi->capability.levels_max && config->iova_bits <= caps->iova_bits &&
           config->phys_bits <= caps->phys_bits && (config->page_sizes & ~caps->page_sizes) == 0;
}

enum sluice_status amdvi_link_open(struct unit *unit, struct domain_link *link)
{
    struct amdvi *amdvi = amdvi_of(unit);

    if (link->pt != NULL && !can_walk(amdvi, link->pt))
        return SLUICE_ERR_UNSUPPORTED;
    return unit_index_take_tag(&amdvi->tags, &link->tag);
}

enum sluice_status amdvi_link_close(struct unit *unit, struct domain_link *link)
{
    struct amdvi *amdvi = amdvi_of(unit);
    const struct unit_invalidation everything = {.link = link};
    struct unit_ticket ticket;
    enum sluice_status status = amdvi_invalidate_submit(unit, &everything, &ticket);

    if (status == SLUICE_OK)
        status = amdvi_invalidate_wait(unit, &ticket);
    unit_users_forget(&amdvi->users, link);
    return unit_index_give_tag(&amdvi->tags, unit, link->tag, status);
}
