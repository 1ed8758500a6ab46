// SPDX-License-Identifier: MIT
/*
 * Domains on a unit. The tables are software's own, so any format will do; the driver likes one
 * that can say every permission. Domain IDs come back when the device confirmed that nobody is in
 * the domain; else they are lost until the next start.
 */
#include "unit/virtio/virtio.h"

/** Tables for a smallest page. */
struct table_choice {
    unsigned granule_lg2;
    const struct pt_format *format;
    unsigned levels_min, levels_max;
    uint64_t page_sizes;
};

static const struct table_choice choices[] = {
    {12, &pt_format_amd_v1, 3, 5, (1ull << 12) | (1ull << 21) | (1ull << 30)},
    {14, &pt_format_arm_stage2_16k, 2, 4, (1ull << 14) | (1ull << 25)},
    {16, &pt_format_arm_stage2_64k, 2, 3, (1ull << 16) | (1ull << 29)},
};

static const struct table_choice *choice_for(const struct viommu *viommu)
{
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        if (choices[i].granule_lg2 == viommu->capability.granule_lg2)
            return &choices[i];
    }
    return &choices[0]; /* capability.c let no other through */
}

static unsigned bits_of_levels(const struct table_choice *choice, unsigned levels)
{
    return choice->granule_lg2 + (choice->granule_lg2 - 3) * levels;
}

enum sluice_status viommu_geometry(struct unit *unit, struct pt_config *config)
{
    const struct table_choice *choice = choice_for(viommu_of(unit));
    struct pt_config want = *config;
    unsigned bits = unit->caps.iova_bits;

    if (want.iova_bits != 0 && want.iova_bits < bits)
        bits = want.iova_bits;
    if (want.format == NULL) {
        want.format = choice->format;
        want.page_sizes = choice->page_sizes;
        want.phys_bits = unit->caps.phys_bits;
        want.coherent = true;
        want.live_change = true;
        want.levels = choice->levels_min;
        while (want.levels < choice->levels_max && bits_of_levels(choice, want.levels) < bits)
            want.levels++;
        if (bits > bits_of_levels(choice, want.levels))
            bits = bits_of_levels(choice, want.levels);
    }
    /* Of another unit's format: pages that the device can map. */
    want.page_sizes &= ~(((uint64_t)1 << choice->granule_lg2) - 1);
    if (want.page_sizes == 0)
        return SLUICE_ERR_UNSUPPORTED;
    want.iova_bits = bits;
    if (want.phys_bits > unit->caps.phys_bits)
        want.phys_bits = unit->caps.phys_bits;
    *config = want;
    return SLUICE_OK;
}

static bool can_follow(const struct viommu *viommu, const struct pagetable *pt)
{
    const struct pt_config *config = &pt->config;
    uint64_t below = ((uint64_t)1 << viommu->capability.granule_lg2) - 1;

    return config->iova_bits <= viommu->unit.caps.iova_bits && (config->page_sizes & below) == 0;
}

enum sluice_status viommu_link_open(struct unit *unit, struct domain_link *link)
{
    struct viommu *viommu = viommu_of(unit);
    struct viommu_domain *domain;
    enum sluice_status status;
    sluice_irqstate_t irq;
    uint32_t index;

    if (link->pt == NULL ? !unit->caps.pass_through : !can_follow(viommu, link->pt))
        return SLUICE_ERR_UNSUPPORTED;
    domain = host_alloc(unit->sluice, sizeof(*domain));
    if (domain == NULL)
        return SLUICE_ERR_NO_MEMORY;
    status = unit_index_take_tag(&viommu->ids, &index);
    if (status != SLUICE_OK) {
        host_free(unit->sluice, domain, sizeof(*domain));
        return status;
    }
    domain->link = link;
    domain->id = viommu->capability.domain_first + index;
    told_init(&domain->told, unit->sluice);
    link->tag = domain->id;
    link->own = domain;
    irq = sluice_spin_lock(&viommu->lock);
    list_append(&viommu->domains, &domain->node);
    sluice_spin_unlock(&viommu->lock, irq);
    return SLUICE_OK;
}

static void domain_free(struct viommu *viommu, struct viommu_domain *domain)
{
    told_clear(&domain->told);
    list_remove(&domain->node);
    host_free(viommu->unit.sluice, domain, sizeof(*domain));
}

enum sluice_status viommu_link_close(struct unit *unit, struct domain_link *link)
{
    struct viommu *viommu = viommu_of(unit);
    struct viommu_domain *domain = link->own;
    enum sluice_status status = SLUICE_OK;
    sluice_irqstate_t irq = sluice_spin_lock(&viommu->lock);

    if (domain->doubtful || domain->endpoints != 0)
        status = SLUICE_ERR_HARDWARE;
    if (status == SLUICE_OK)
        unit_index_give(&viommu->ids, domain->id - viommu->capability.domain_first, 1);
    else
        viommu->ids.withheld++;
    /* Endpoints that the device may still have there must not be led to it any more. */
    list_for_each(node, &viommu->endpoints)
    {
        struct viommu_endpoint *endpoint = container_of(node, struct viommu_endpoint, node);

        if (endpoint->domain == domain)
            endpoint->domain = NULL;
    }
    domain_free(viommu, domain);
    sluice_spin_unlock(&viommu->lock, irq);
    link->own = NULL;
    if (status != SLUICE_OK)
        log_error(unit->sluice, "%s: domain %u is not used again: endpoints may still be in it",
                  unit->name, (unsigned)link->tag);
    return status;
}

void viommu_domains_free(struct viommu *viommu)
{
    list_for_each_safe(node, &viommu->domains)
    {
        domain_free(viommu, container_of(node, struct viommu_domain, node));
    }
}
