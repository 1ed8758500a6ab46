// SPDX-License-Identifier: MIT
/*
 * The list of those that use links, and what their device TLBs have to forget [PCIe 10.3].
 */
#include "unit/user.h"

#include "unit/block.h"

void unit_users_init(struct unit_users *users, struct unit *unit, struct sluice_spinlock *lock)
{
    list_init(&users->list);
    users->sluice = unit->sluice;
    users->lock = lock;
}

void unit_users_release(struct unit_users *users)
{
    list_for_each_safe(node, &users->list)
    {
        unit_user_remove(users, container_of(node, struct unit_user, node));
    }
}

bool unit_keeps_translations(const struct unit *unit, const struct source *source,
                             const struct domain_link *link)
{
    return link != NULL && link->pt != NULL && source->ats_enabled && unit->caps.ats;
}

struct unit_user *unit_user_find(const struct unit_users *users, uint32_t source, uint32_t pasid,
                                 const struct domain_link *link)
{
    list_for_each(node, &users->list)
    {
        struct unit_user *user = container_of(node, struct unit_user, node);

        if (user->source == source && user->pasid == pasid && user->link == link)
            return user;
    }
    return NULL;
}

struct unit_user *unit_user_of(const struct unit_users *users, const struct source *source)
{
    return unit_user_find(users, source->id, SLUICE_NO_PASID, source->link);
}

enum sluice_status unit_user_add(struct unit_users *users, const struct unit_user *what)
{
    struct unit_user *user = host_alloc(users->sluice, sizeof(*user));
    sluice_irqstate_t irq;

    if (user == NULL)
        return SLUICE_ERR_NO_MEMORY;
    *user = *what;
    irq = sluice_spin_lock(users->lock);
    list_append(&users->list, &user->node);
    sluice_spin_unlock(users->lock, irq);
    return SLUICE_OK;
}

void unit_user_remove(struct unit_users *users, struct unit_user *user)
{
    sluice_irqstate_t irq;

    if (user == NULL)
        return;
    irq = sluice_spin_lock(users->lock);
    list_remove(&user->node);
    sluice_spin_unlock(users->lock, irq);
    host_free(users->sluice, user, sizeof(*user));
}

void unit_users_forget(struct unit_users *users, const struct domain_link *link)
{
    list_for_each_safe(node, &users->list)
    {
        struct unit_user *user = container_of(node, struct unit_user, node);

        if (user->link == link)
            unit_user_remove(users, user);
    }
}

void unit_users_device_tlbs_locked(const struct unit_users *users,
                                   const struct unit_invalidation *invalidation,
                                   unit_device_tlb_sink *sink, void *arg)
{
    const struct pt_gather *gather = invalidation->gather;

    list_for_each(node, &users->list)
    {
        const struct unit_user *user = container_of(node, struct unit_user, node);

        if (user->link != invalidation->link || !user->device_tlb)
            continue;
        if (gather == NULL || gather->count == 0) {
            sink(arg, user, 0, UNIT_EVERYTHING_LG2);
            continue;
        }
        for (unsigned i = 0; i < gather->count; i++) {
            const struct pt_range *range = &gather->ranges[i];
            unsigned lg2 = unit_cover_lg2(range->first, range->last);

            sink(arg, user, lg2 < UNIT_EVERYTHING_LG2 ? range->first >> lg2 << lg2 : 0, lg2);
        }
    }
}
