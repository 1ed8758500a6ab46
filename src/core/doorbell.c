// SPDX-License-Identifier: MIT
#include "core/doorbell.h"

bool host_doorbell(struct sluice *sluice, unsigned index, sluice_phys_t *out_first,
                   sluice_phys_t *out_last)
{
    const struct sluice_host_ops *ops = sluice->ops;

    return ops->doorbell_extent != NULL && index < HOST_DOORBELLS_MAX &&
           ops->doorbell_extent(sluice->config.ctx, index, out_first, out_last) &&
           *out_first <= *out_last;
}

bool host_doorbell_page(struct sluice *sluice, uint32_t number, sluice_phys_t *out_page)
{
    uint64_t left = number;
    sluice_phys_t first;
    sluice_phys_t last;

    for (unsigned i = 0; host_doorbell(sluice, i, &first, &last); i++) {
        uint64_t pages = (last >> SLUICE_PAGE_LG2) - (first >> SLUICE_PAGE_LG2) + 1;

        if (left < pages) {
            *out_page = ((first >> SLUICE_PAGE_LG2) + left) << SLUICE_PAGE_LG2;
            return true;
        }
        left -= pages;
    }
    return false;
}

bool host_is_doorbell(struct sluice *sluice, sluice_phys_t phys)
{
    sluice_phys_t first;
    sluice_phys_t last;

    for (unsigned i = 0; host_doorbell(sluice, i, &first, &last); i++) {
        if (phys >> SLUICE_PAGE_LG2 >= first >> SLUICE_PAGE_LG2 &&
            phys >> SLUICE_PAGE_LG2 <= last >> SLUICE_PAGE_LG2)
            return true;
    }
    return false;
}
