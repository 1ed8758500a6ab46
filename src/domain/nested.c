// SPDX-License-Identifier: MIT
/*
 * Nested domains: first stages that somebody else makes, on a domain of ours (sluice/nested.h).
 * They have no tables here; their links stand on links of the parent (link.c), which bounds them.
 */
#include "domain/domain.h"

/** Whether there is a unit that takes such a first stage. */
static bool some_unit_takes(struct sluice *sluice, enum sluice_nested_format format)
{
    list_for_each(node, &sluice->units)
    {
        if (container_of(node, struct unit, node)->caps.nested == format)
            return true;
    }
    return false;
}

static enum sluice_status create_locked(struct sluice_domain *parent,
                                        const struct sluice_nested_info *info,
                                        struct sluice_domain **out)
{
    struct sluice *sluice = parent->sluice;
    struct sluice_domain_config config = {.kind = SLUICE_DOMAIN_NESTED, .name = parent->name};
    enum sluice_status status;

    if (sluice->state != INSTANCE_STARTED)
        return SLUICE_ERR_STATE;
    if (!some_unit_takes(sluice, info->format))
        return SLUICE_ERR_UNSUPPORTED;
    status = domain_create_locked(sluice, &config, NULL, out);
    if (status != SLUICE_OK)
        return status;
    (*out)->parent = parent;
    (*out)->nested = *info;
    parent->children++;
    return SLUICE_OK;
}

enum sluice_status sluice_domain_create_nested(struct sluice_domain *parent,
                                               const struct sluice_nested_info *info,
                                               struct sluice_domain **out)
{
    enum sluice_status status;
    sluice_irqstate_t irq;

    if (parent == NULL || info == NULL || out == NULL || !parent->nest_parent ||
        info->format == SLUICE_NESTED_NONE)
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&parent->sluice->lock);
    status = create_locked(parent, info, out);
    sluice_spin_unlock(&parent->sluice->lock, irq);
    return status;
}

static bool is_sensible(const struct sluice_nested_invalidation *item)
{
    return (unsigned)item->what <= SLUICE_NESTED_RANGE &&
           (item->what != SLUICE_NESTED_RANGE || item->first <= item->last);
}

enum sluice_status sluice_domain_invalidate_nested(struct sluice_domain *domain,
                                                   const struct sluice_nested_invalidation *list,
                                                   unsigned count)
{
    if (domain == NULL || list == NULL || domain->parent == NULL || count > SLUICE_NESTED_LIST_MAX)
        return SLUICE_ERR_INVALID;
    for (unsigned i = 0; i < count; i++) {
        if (!is_sensible(&list[i]))
            return SLUICE_ERR_INVALID;
    }
    return count != 0 ? domain_flush_nested(domain, list, count) : SLUICE_OK;
}
