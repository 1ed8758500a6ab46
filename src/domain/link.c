// SPDX-License-Identifier: MIT
/*
 * Links: one domain on one unit, with the tag under which the unit caches it.
 */
#include "domain/domain.h"

static struct domain_link *find_link(struct sluice_domain *domain, const struct unit *unit)
{
    list_for_each(node, &domain->links)
    {
        struct domain_link *link = container_of(node, struct domain_link, node);

        if (link->unit == unit)
            return link;
    }
    return NULL;
}

static enum sluice_status reserve_untranslated(struct sluice_domain *domain,
                                               const struct unit *unit)
{
    const struct unit_caps *caps = &unit->caps;
    enum sluice_status status;

    if (domain->kind == SLUICE_DOMAIN_IDENTITY || domain->kind == SLUICE_DOMAIN_NESTED)
        return SLUICE_OK;
    status = domain_keep_free_locked(domain, SLUICE_RESERVED_INTERRUPT, caps->interrupt_first,
                                     caps->interrupt_last);
    if (status == SLUICE_OK)
        status = domain_keep_free_locked(domain, SLUICE_RESERVED_SPECIAL, caps->special_first,
                                         caps->special_last);
    return status;
}

enum sluice_status domain_reserve_source_locked(struct sluice_domain *domain,
                                                const struct source *source)
{
    const struct unit *unit = source->unit;
    struct sluice_reserved_region region;
    enum sluice_status status = SLUICE_OK;

    if (unit->ops->source_region == NULL || domain->kind == SLUICE_DOMAIN_IDENTITY)
        return SLUICE_OK;
    for (unsigned i = 0; status == SLUICE_OK; i++) { /* the driver holds so many and no more */
        status = unit->ops->source_region(source->unit, source->id, i, &region);
        if (status == SLUICE_ERR_NOT_FOUND)
            return SLUICE_OK;
        if (status == SLUICE_OK)
            status = domain_keep_free_locked(domain, region.kind, region.first, region.last);
    }
    return status;
}

static void publish_link(struct domain_link *link)
{
    struct sluice_domain *domain = link->domain;
    sluice_irqstate_t irq;

    /* Before the first source can walk, so that no map misses its flush. */
    if (link->unit->caps.flush_on_map) {
        atomic_fetch_add_explicit(&domain->flush_on_map, 1, memory_order_acq_rel);
        /* After it: who remembers a leaf table looks at the count again. */
        atomic_fetch_add_explicit(&domain->pt.generation, 1, memory_order_release);
    }
    irq = sluice_spin_lock(&domain->links_lock);
    link->order = domain->next_order++;
    list_append(&domain->links, &link->node);
    sluice_spin_unlock(&domain->links_lock, irq);
}

/** Makes the domain's link on a unit; on a link of its parent's, which is counted, if it is nested.
 */
static enum sluice_status make_link(struct sluice_domain *domain, struct unit *unit,
                                    struct domain_link *parent, struct domain_link **out)
{
    struct domain_link *link = host_alloc(domain->sluice, sizeof(*link));
    enum sluice_status status = SLUICE_OK;

    if (link == NULL)
        return SLUICE_ERR_NO_MEMORY;
    list_init(&link->node);
    link->domain = domain;
    link->unit = unit;
    link->tables_lock = &domain->tables_lock;
    if (domain->has_tables && !(domain->kind == SLUICE_DOMAIN_IDENTITY && unit->caps.pass_through))
        link->pt = &domain->pt;
    if (parent != NULL) {
        link->parent = parent;
        link->nested = &domain->nested;
        link->pt = parent->pt;
    }
    if (link->pt != NULL)
        status = reserve_untranslated(domain, unit);
    if (status == SLUICE_OK)
        status = unit->ops->link_open(unit, link);
    if (status != SLUICE_OK) {
        host_free(domain->sluice, link, sizeof(*link));
        return status;
    }
    publish_link(link);
    *out = link;
    return SLUICE_OK;
}

static bool is_used(const struct domain_link *link)
{
    return link->sources != 0 || link->idle_users != 0 ||
           atomic_load_explicit(&link->children, memory_order_relaxed) != 0;
}

/** Takes a link away that nobody uses. */
static void drop_link(struct domain_link *link)
{
    struct sluice_domain *domain = link->domain;
    enum sluice_status status;
    sluice_irqstate_t irq;

    irq = sluice_spin_lock(&domain->links_lock);
    list_remove(&link->node);
    sluice_spin_unlock(&domain->links_lock, irq);
    status = link->unit->ops->link_close(link->unit, link);
    if (link->unit->caps.flush_on_map)
        atomic_fetch_sub_explicit(&domain->flush_on_map, 1, memory_order_acq_rel);
    if (status != SLUICE_OK || unit_is_lost(link->unit))
        link_distrust(link);
    host_free(domain->sluice, link, sizeof(*link));
}

static void leave_parent(struct domain_link *parent)
{
    atomic_fetch_sub_explicit(&parent->children, 1, memory_order_acq_rel);
    if (!is_used(parent))
        drop_link(parent);
}

/**
 * The link of the parent that a nested domain's stands on. It is counted before the unit can cache
 * anything through it, so that no invalidation of the parent misses that.
 */
static enum sluice_status join_parent(struct sluice_domain *domain, struct unit *unit,
                                      struct domain_link **out)
{
    struct domain_link *parent = find_link(domain->parent, unit);
    enum sluice_status status = SLUICE_OK;

    if (unit->caps.nested != domain->nested.format)
        return SLUICE_ERR_UNSUPPORTED;
    if (parent == NULL)
        status = make_link(domain->parent, unit, NULL, &parent);
    if (status != SLUICE_OK)
        return status;
    atomic_fetch_add_explicit(&parent->children, 1, memory_order_acq_rel);
    *out = parent;
    return SLUICE_OK;
}

enum sluice_status domain_link_get_locked(struct sluice_domain *domain, struct unit *unit,
                                          struct domain_link **out)
{
    struct domain_link *link = find_link(domain, unit);
    struct domain_link *parent = NULL;
    enum sluice_status status = SLUICE_OK;

    if (link != NULL) {
        *out = link;
        return SLUICE_OK;
    }
    if (domain->parent != NULL)
        status = join_parent(domain, unit, &parent);
    if (status != SLUICE_OK)
        return status;
    status = make_link(domain, unit, parent, out);
    if (status != SLUICE_OK && parent != NULL)
        leave_parent(parent);
    return status;
}

void domain_link_put_locked(struct domain_link *link)
{
    struct domain_link *parent = link->parent;

    if (is_used(link))
        return;
    drop_link(link);
    if (parent != NULL)
        leave_parent(parent);
}
