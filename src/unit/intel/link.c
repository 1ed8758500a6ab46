// SPDX-License-Identifier: MIT
/*
 * Domains on a unit: what tables it can walk [VT-d 3.7, 9.3, 11.4.2] and domain IDs [VT-d 6.2.1].
 *
 * ID 0 is never given out: in caching mode it tags what was not present [VT-d 6.1]. An ID comes
 * back only after the unit confirmed that nothing is cached with it; else it is lost for good.
 */
#include "unit/intel/vtd.h"

static bool walks(const struct vtd *vtd, unsigned levels)
{
    return levels < 32 && (vtd->capability.levels_mask >> levels & 1u) != 0;
}

static unsigned bits_of_levels(unsigned levels)
{
    return SLUICE_PAGE_LG2 + 9 * levels;
}

/* The fewest levels that reach `bits`, or the most there are. */
static unsigned levels_for(const struct vtd *vtd, unsigned bits)
{
    unsigned best = 0;

    for (unsigned levels = 3; levels <= 5; levels++) {
        if (!walks(vtd, levels))
            continue;
        best = levels;
        if (bits_of_levels(levels) >= bits)
            break;
    }
    return best;
}

enum sluice_status vtd_geometry(struct unit *unit, struct pt_config *config)
{
    struct vtd *vtd = vtd_of(unit);
    struct pt_config want = *config;
    unsigned bits = want.iova_bits == 0 || want.iova_bits > unit->caps.iova_bits
                        ? unit->caps.iova_bits
                        : want.iova_bits;

    if (want.format == NULL) {
        want.format = &pt_format_vtd_second_stage;
        want.page_sizes = unit->caps.page_sizes;
        want.phys_bits = unit->caps.phys_bits;
        want.coherent = unit->caps.coherent;
        want.snoop = unit->caps.snoop_control;
        want.levels = levels_for(vtd, bits);
    } else if (want.format != &pt_format_vtd_second_stage) {
        return SLUICE_ERR_UNSUPPORTED;
    }
    if (!walks(vtd, want.levels))
        want.levels = levels_for(vtd, bits);
    /* More levels than before would break the units that were asked first. */
    if (config->format != NULL && want.levels > config->levels)
        return SLUICE_ERR_UNSUPPORTED;
    if (bits > bits_of_levels(want.levels))
        bits = bits_of_levels(want.levels);
    want.iova_bits = bits;
    want.page_sizes &= unit->caps.page_sizes;
    if (want.phys_bits > unit->caps.phys_bits)
        want.phys_bits = unit->caps.phys_bits;
    want.coherent = want.coherent && unit->caps.coherent;
    want.snoop = want.snoop && unit->caps.snoop_control;
    *config = want;
    return SLUICE_OK;
}

static bool can_walk(const struct unit *unit, const struct vtd *vtd, const struct pagetable *pt)
{
    const struct pt_config *config = &pt->config;

    return pt->format == &pt_format_vtd_second_stage && walks(vtd, config->levels) &&
           config->iova_bits <= unit->caps.iova_bits && config->phys_bits <= unit->caps.phys_bits &&
           (config->page_sizes & ~unit->caps.page_sizes) == 0 &&
           (unit->caps.coherent || !config->coherent) &&
           (unit->caps.snoop_control || !config->snoop);
}

enum sluice_status vtd_link_open(struct unit *unit, struct domain_link *link)
{
    struct vtd *vtd = vtd_of(unit);

    if (link->pt == NULL ? !unit->caps.pass_through : !can_walk(unit, vtd, link->pt))
        return SLUICE_ERR_UNSUPPORTED;
    return unit_index_take_tag(&vtd->tags, &link->tag);
}

enum sluice_status vtd_link_close(struct unit *unit, struct domain_link *link)
{
    struct vtd *vtd = vtd_of(unit);
    const struct unit_invalidation everything = {.link = link};
    struct unit_ticket ticket;
    enum sluice_status status = vtd_invalidate_submit(unit, &everything, &ticket);

    if (status == SLUICE_OK)
        status = vtd_invalidate_wait(unit, &ticket);
    unit_users_forget(&vtd->users, link);
    return unit_index_give_tag(&vtd->tags, unit, link->tag, status);
}
