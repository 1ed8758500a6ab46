// SPDX-License-Identifier: MIT
/*
 * The second phase of an unmap: every unit of the domain drops what it cached, and only then are
 * tables freed and memory given back (invariant 1).
 *
 * Invalidations are submitted under domain->links_lock, to all units before the first is waited
 * for; the waits happen without any lock, and need no link any more: a link that goes meanwhile is
 * closed by an invalidation of its own, which its unit does after these.
 */
#include "domain/domain.h"

#define FLUSH_LINKS 8u /**< links served in one go; more take several rounds */

struct flush_round {
    unsigned count;
    struct unit *units[FLUSH_LINKS]; /**< NULL: nothing was submitted */
    uint64_t seen_ns[FLUSH_LINKS];   /**< unit_seen_ns before */
    struct unit_ticket tickets[FLUSH_LINKS];
};

/** What is asked of each link. */
struct flush_what {
    const struct pt_gather *gather;                  /**< NULL: everything */
    const struct unit_mapping *mapped;               /**< NULL: nothing */
    const struct sluice_nested_invalidation *nested; /**< NULL: not that */
    unsigned nested_count;
    struct flush_note *note; /**< NULL: nothing to note in the domain's history */
};

/** What the domain's history notes of an unmap. */
struct flush_note {
    const struct sluice_dma_chunk *gone;
    unsigned count;
    uint64_t first;   /**< number of the first note */
    uint64_t time_ns; /**< the latest look that found a completion; 0: nobody looked */
};

static bool hardware_failed(enum sluice_status status)
{
    return status == SLUICE_ERR_TIMEOUT || status == SLUICE_ERR_HARDWARE;
}

/** The worse of two: what may not be reused counts more than what could not be mapped. */
static enum sluice_status worse(enum sluice_status a, enum sluice_status b)
{
    if (hardware_failed(b) || a == SLUICE_OK)
        return hardware_failed(a) ? a : b;
    return a;
}

/** Submits to the links after `*order`, at most FLUSH_LINKS of them. */
static enum sluice_status flush_submit(struct sluice_domain *domain, unsigned *order,
                                       const struct flush_what *asked, struct flush_round *round)
{
    enum sluice_status result = SLUICE_OK;
    sluice_irqstate_t irq = sluice_spin_lock(&domain->links_lock);

    if (asked->note != NULL && *order == 0)
        asked->note->first =
            history_note_locked(domain->history, asked->note->gone, asked->note->count);
    round->count = 0;
    list_for_each(node, &domain->links)
    {
        struct domain_link *link = container_of(node, struct domain_link, node);
        const struct unit_invalidation what = {.link = link,
                                               .gather = asked->gather,
                                               .mapped = asked->mapped,
                                               .nested = asked->nested,
                                               .nested_count = asked->nested_count};
        enum sluice_status status;

        if (link->order < *order)
            continue;
        if (round->count == FLUSH_LINKS)
            break;
        round->seen_ns[round->count] = unit_seen_ns(link->unit);
        status =
            link->unit->ops->invalidate_submit(link->unit, &what, &round->tickets[round->count]);
        round->units[round->count++] = status == SLUICE_OK ? link->unit : NULL;
        result = worse(result, unit_is_lost(link->unit) ? SLUICE_ERR_HARDWARE : status);
        *order = link->order + 1;
    }
    sluice_spin_unlock(&domain->links_lock, irq);
    return result;
}

static enum sluice_status flush_wait(struct sluice *sluice, struct flush_round *round,
                                     struct flush_note *note)
{
    enum sluice_status result = SLUICE_OK;

    if (round->count > 1) {
        /* All but the first are waited for later than they were submitted. */
        uint64_t now = host_now_ns(sluice);

        for (unsigned i = 0; i < round->count; i++)
            round->tickets[i].since_ns = now;
    }
    for (unsigned i = 0; i < round->count; i++) {
        struct unit *unit = round->units[i];
        enum sluice_status status = SLUICE_OK;

        if (unit != NULL)
            status = unit->ops->invalidate_wait(unit, &round->tickets[i]);
        if (note != NULL && unit != NULL && unit_seen_ns(unit) != round->seen_ns[i])
            note->time_ns = unit_seen_ns(unit);
        result = worse(result, status);
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
    /* Nothing leads to these tables any more. Whoever looks something up holds the lock, so that
     * lookups that found them before are over when it was ours for a moment, and later ones see
     * that they are gone. Freeing them, which may be thousands, keeps no interrupts off. */
    irq = sluice_spin_lock(&domain->tables_lock);
    sluice_spin_unlock(&domain->tables_lock, irq);
    domain->pt.format->release(&domain->pt, gather);
}

static inline void confirm(struct sluice_domain *domain, const struct flush_note *note)
{
    uint64_t time_ns = note->time_ns;

    /* No driver looked at the clock: there is no unit, or all that it was asked for was done. */
    if (__builtin_expect(time_ns == 0, 0))
        time_ns = host_now_ns(domain->sluice);
    history_confirm(domain->history, note->first, note->count, time_ns);
}

/** On every unit of the domain. */
static enum sluice_status flush_links(struct sluice_domain *domain, const struct flush_what *what)
{
    enum sluice_status result = SLUICE_OK;
    struct flush_round round;
    unsigned order = 0;

    do {
        enum sluice_status submitted = flush_submit(domain, &order, what, &round);
        enum sluice_status waited = flush_wait(domain->sluice, &round, what->note);

        result = worse(result, worse(submitted, waited));
    } while (round.count == FLUSH_LINKS);
    if (what->note != NULL && !hardware_failed(result))
        confirm(domain, what->note);
    return result;
}

static enum sluice_status flush(struct sluice_domain *domain, struct pt_gather *gather,
                                const struct flush_what *what)
{
    enum sluice_status result = flush_links(domain, what);

    /* A unit that is no longer among the links never confirmed that it let go of this domain. */
    if (!hardware_failed(result) &&
        atomic_load_explicit(&domain->tables_withheld, memory_order_acquire))
        result = SLUICE_ERR_TIMEOUT;
    if (!hardware_failed(result)) {
        release_tables(domain, gather);
        return result;
    }
    domain_withhold_tables(domain);
    atomic_fetch_add_explicit(&domain->sluice->withheld_pages,
                              pt_gather_withhold(&domain->pt, gather), memory_order_relaxed);
    return result;
}

enum sluice_status domain_flush(struct sluice_domain *domain, struct pt_gather *gather)
{
    const struct flush_what what = {.gather = gather};

    if (pt_gather_empty(gather))
        return SLUICE_OK;
    return flush(domain, gather, &what);
}

enum sluice_status domain_flush_unmapped(struct sluice_domain *domain, struct pt_gather *gather,
                                         const struct sluice_dma_chunk *gone, unsigned count)
{
    struct flush_note note = {.gone = gone, .count = count};
    const struct flush_what what = {.gather = gather,
                                    .note = domain->history != NULL && count != 0 ? &note : NULL};

    if (pt_gather_empty(gather))
        return SLUICE_OK;
    return flush(domain, gather, &what);
}

enum sluice_status domain_flush_mapped(struct sluice_domain *domain, struct pt_gather *gather,
                                       const struct unit_mapping *mapped)
{
    const struct flush_what what = {.gather = gather, .mapped = mapped};

    return flush(domain, gather, &what);
}

enum sluice_status domain_flush_all(struct sluice_domain *domain, struct pt_gather *gather)
{
    const struct flush_what everything = {.gather = NULL};

    return flush(domain, gather, &everything);
}

enum sluice_status domain_flush_nested(struct sluice_domain *domain,
                                       const struct sluice_nested_invalidation *list,
                                       unsigned count)
{
    const struct flush_what what = {.nested = list, .nested_count = count};

    return flush_links(domain, &what);
}
