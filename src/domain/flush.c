// SPDX-License-Identifier: MIT
/*
 * The second phase of an unmap: every unit of the domain drops what it cached, and only then are
 * tables freed and memory given back (invariant 1).
 *
 * Links are picked up under domain->links_lock with a hold each, so that the wait for the hardware
 * happens without any lock; a link is freed only when nobody holds it.
 */
#include "domain/domain.h"

#define FLUSH_LINKS 8u /**< links served in one go; more take several rounds */

struct flush_round {
    unsigned count;
    struct domain_link *links[FLUSH_LINKS];
    struct unit_ticket tickets[FLUSH_LINKS];
    bool submitted[FLUSH_LINKS];
};

/** Picks up the links after `*order`, at most FLUSH_LINKS of them. */
static void hold_links(struct sluice_domain *domain, unsigned *order, struct flush_round *round)
{
    sluice_irqstate_t irq = sluice_spin_lock(&domain->links_lock);

    round->count = 0;
    list_for_each(node, &domain->links)
    {
        struct domain_link *link = container_of(node, struct domain_link, node);

        if (link->order < *order)
            continue;
        if (round->count == FLUSH_LINKS)
            break;
        atomic_fetch_add_explicit(&link->holds, 1, memory_order_relaxed);
        round->links[round->count++] = link;
        *order = link->order + 1;
    }
    sluice_spin_unlock(&domain->links_lock, irq);
}

/** Submits to all links first, so that units work side by side, then waits for each. */
static enum sluice_status flush_links(struct flush_round *round, const struct pt_gather *gather)
{
    enum sluice_status result = SLUICE_OK;

    for (unsigned i = 0; i < round->count; i++) {
        struct domain_link *link = round->links[i];
        const struct unit_invalidation what = {.link = link, .gather = gather};
        enum sluice_status status =
            link->unit->ops->invalidate_submit(link->unit, &what, &round->tickets[i]);

        round->submitted[i] = status == SLUICE_OK;
        if (status != SLUICE_OK)
            result = status;
    }
    for (unsigned i = 0; i < round->count; i++) {
        struct domain_link *link = round->links[i];
        enum sluice_status status = SLUICE_OK;

        if (round->submitted[i])
            status = link->unit->ops->invalidate_wait(link->unit, &round->tickets[i]);
        if (status != SLUICE_OK)
            result = status;
        /* Release: everything this hold protected is done; pairs with link.c's acquire. */
        atomic_fetch_sub_explicit(&link->holds, 1, memory_order_release);
    }
    return result;
}

static void release_tables(struct sluice_domain *domain, struct pt_gather *gather)
{
    sluice_irqstate_t irq;

    if (gather->freed == 0) { /* the usual case: only leaves went */
        pt_gather_init(gather);
        return;
    }
    irq = sluice_spin_lock(&domain->tables_lock);
    domain->pt.format->release(&domain->pt, gather);
    sluice_spin_unlock(&domain->tables_lock, irq);
}

static enum sluice_status flush(struct sluice_domain *domain, struct pt_gather *gather,
                                const struct pt_gather *what)
{
    enum sluice_status result = SLUICE_OK;
    struct flush_round round;
    unsigned order = 0;

    do {
        enum sluice_status status;

        hold_links(domain, &order, &round);
        status = flush_links(&round, what);
        if (status != SLUICE_OK)
            result = status;
    } while (round.count == FLUSH_LINKS);
    /* A unit that is no longer among the links never confirmed that it let go of this domain. */
    if (result == SLUICE_OK && atomic_load_explicit(&domain->tables_withheld, memory_order_acquire))
        result = SLUICE_ERR_TIMEOUT;
    if (result == SLUICE_OK) {
        release_tables(domain, gather);
        return SLUICE_OK;
    }
    atomic_store_explicit(&domain->tables_withheld, true, memory_order_release);
    atomic_fetch_add_explicit(&domain->sluice->withheld_pages,
                              pt_gather_withhold(&domain->pt, gather), memory_order_relaxed);
    return result;
}

enum sluice_status domain_flush(struct sluice_domain *domain, struct pt_gather *gather)
{
    if (pt_gather_empty(gather))
        return SLUICE_OK;
    return flush(domain, gather, gather);
}

enum sluice_status domain_flush_all(struct sluice_domain *domain, struct pt_gather *gather)
{
    return flush(domain, gather, NULL);
}
