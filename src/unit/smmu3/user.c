// SPDX-License-Identifier: MIT
/*
 * The streams that invalidations of a link have to name one by one: those with a device TLB, which
 * is told by requester, and those whose context descriptors somebody else writes, which are dropped
 * by stream [SMMU 4.3.3, 4.5.1].
 */
#include "unit/smmu3/smmu3.h"

struct smmu3_user *smmu3_user_find(struct smmu3 *smmu3, uint32_t sid, uint32_t pasid,
                                   const struct domain_link *link)
{
    list_for_each(node, &smmu3->users)
    {
        struct smmu3_user *user = container_of(node, struct smmu3_user, node);

        if (user->sid == sid && user->pasid == pasid && user->link == link)
            return user;
    }
    return NULL;
}

static bool wants_device_tlb(const struct smmu3 *smmu3, const struct source *source,
                             const struct domain_link *link)
{
    return link != NULL && link->pt != NULL && source->ats_enabled && smmu3->unit.caps.ats;
}

bool smmu3_user_wanted(const struct smmu3 *smmu3, const struct source *source,
                       const struct domain_link *link)
{
    return wants_device_tlb(smmu3, source, link) || (link != NULL && link->parent != NULL);
}

enum sluice_status smmu3_user_add(struct smmu3 *smmu3, const struct source *source, uint32_t pasid,
                                  const struct domain_link *link)
{
    struct smmu3_user *user;
    sluice_irqstate_t irq;

    if (!smmu3_user_wanted(smmu3, source, link))
        return SLUICE_OK;
    user = host_alloc(smmu3->unit.sluice, sizeof(*user));
    if (user == NULL)
        return SLUICE_ERR_NO_MEMORY;
    user->link = link;
    user->sid = source->id;
    user->pasid = pasid;
    user->device_tlb = wants_device_tlb(smmu3, source, link);
    irq = sluice_spin_lock(&smmu3->ring.lock);
    list_append(&smmu3->users, &user->node);
    sluice_spin_unlock(&smmu3->ring.lock, irq);
    return SLUICE_OK;
}

void smmu3_user_remove(struct smmu3 *smmu3, struct smmu3_user *user)
{
    sluice_irqstate_t irq;

    if (user == NULL)
        return;
    irq = sluice_spin_lock(&smmu3->ring.lock);
    list_remove(&user->node);
    sluice_spin_unlock(&smmu3->ring.lock, irq);
    host_free(smmu3->unit.sluice, user, sizeof(*user));
}

void smmu3_users_forget(struct smmu3 *smmu3, const struct domain_link *link)
{
    list_for_each_safe(node, &smmu3->users)
    {
        struct smmu3_user *user = container_of(node, struct smmu3_user, node);

        if (user->link == link)
            smmu3_user_remove(smmu3, user);
    }
}
