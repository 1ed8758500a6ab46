// SPDX-License-Identifier: MIT
/*
 * The streams that invalidations of a link have to name one by one: those with a device TLB, which
 * is told by requester, and those whose context descriptors somebody else writes, which are dropped
 * by stream [SMMU 4.3.3, 4.5.1].
 */
#include "unit/smmu3/smmu3.h"

enum sluice_status smmu3_user_add(struct smmu3 *smmu3, const struct source *source, uint32_t pasid,
                                  const struct domain_link *link)
{
    const struct unit_user user = {
        .link = link,
        .source = source->id,
        .pasid = pasid,
        .device_tlb = unit_keeps_translations(&smmu3->unit, source, link),
    };

    if (!user.device_tlb && (link == NULL || link->parent == NULL))
        return SLUICE_OK;
    return unit_user_add(&smmu3->users, &user);
}
