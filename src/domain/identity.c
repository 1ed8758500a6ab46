// SPDX-License-Identifier: MIT
/*
 * Identity maps, for units that cannot pass transactions through untranslated.
 */
#include "domain/domain.h"

#define IDENTITY_PROT (SLUICE_PROT_READ | SLUICE_PROT_WRITE)

/** More extents than any memory map has; a host that never ends is cut off. */
#define IDENTITY_MAX_EXTENTS 4096u

static enum sluice_status map_extent(struct sluice_domain *domain, sluice_phys_t first,
                                     sluice_phys_t last)
{
    sluice_phys_t begin = first & ~(domain_page_bytes(domain) - 1);
    sluice_phys_t limit = last | (domain_page_bytes(domain) - 1);

    if (first > last)
        return SLUICE_ERR_INVALID;
    if (domain->pt.config.iova_bits < 64 && (limit >> domain->pt.config.iova_bits) != 0)
        return SLUICE_ERR_RANGE;
    return domain_map_unchecked(domain, begin, begin, limit - begin + 1, IDENTITY_PROT);
}

/** Without a memory map: everything the unit can put out, if that takes few tables. */
static enum sluice_status map_everything(struct sluice_domain *domain)
{
    const struct pt_config *config = &domain->pt.config;
    unsigned bits = config->iova_bits < config->phys_bits ? config->iova_bits : config->phys_bits;
    bool huge = (config->page_sizes & ((uint64_t)1 << 30)) != 0;

    if (!huge || bits > 48) {
        log_error(
            domain->sluice,
            "domain '%s': identity: its units have neither pass-through nor 1 GiB pages; give "
            "the host's memory map (memory_extent)",
            domain->name);
        return SLUICE_ERR_UNSUPPORTED;
    }
    return domain_map_unchecked(domain, 0, 0, (uint64_t)1 << bits, IDENTITY_PROT);
}

enum sluice_status identity_map_locked(struct sluice_domain *domain)
{
    struct sluice *sluice = domain->sluice;
    sluice_phys_t first;
    sluice_phys_t last;

    if (sluice->ops->memory_extent == NULL)
        return map_everything(domain);
    for (unsigned i = 0; i < IDENTITY_MAX_EXTENTS; i++) {
        enum sluice_status status;

        if (!sluice->ops->memory_extent(sluice->config.ctx, i, &first, &last))
            return SLUICE_OK;
        status = map_extent(domain, first, last);
        if (status != SLUICE_OK)
            return status;
    }
    return SLUICE_ERR_INVALID;
}
