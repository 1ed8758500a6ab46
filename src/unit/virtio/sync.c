// SPDX-License-Identifier: MIT
/*
 * Telling the device what to map and unmap [Virtio 5.13.6.5, 5.13.6.6].
 *
 * The page tables are what shall be, told.h is what the device was told. An invalidation names
 * ranges that may be wider than what was unmapped, and others' live mappings may lie in them; so
 * each run in them is held against the tables, and only what these do not hold any more is taken
 * away. Runs of which all goes are taken away together with their neighbours, by one request.
 *
 * A device removes mappings whole or refuses. Where a part of a run stays, the run is unmapped and
 * the part mapped again: for that moment its devices reach less than they may, never more. It takes
 * a caller who unmaps a part of what one call mapped; runs of different calls are never joined.
 *
 * A ticket names the requests of its call, and waits for all before them too: what it was to take
 * away may have been taken by somebody else's call, whose request may still be on the way.
 */
#include "unit/virtio/virtio.h"

#define REPLAY_AT_ONCE 32u /* runs found with the lock held in one go */

static uint32_t flags_of(const struct viommu *viommu, uint32_t prot)
{
    uint32_t flags = 0;

    if ((prot & SLUICE_PROT_READ) != 0)
        flags |= VIOMMU_MAP_F_READ;
    if ((prot & SLUICE_PROT_WRITE) != 0)
        flags |= VIOMMU_MAP_F_WRITE;
    if ((prot & SLUICE_PROT_MMIO) != 0 && viommu_has(viommu, VIOMMU_F_MMIO))
        flags |= VIOMMU_MAP_F_MMIO;
    return flags;
}

static bool look_up(const struct domain_link *link, uint64_t iova, struct sluice_mapping *out)
{
    sluice_irqstate_t irq = sluice_spin_lock(link->tables_lock);
    enum sluice_status status = link->pt->format->lookup(link->pt, iova, out);

    sluice_spin_unlock(link->tables_lock, irq);
    return status == SLUICE_OK;
}

/*
 * Whether the tables still say what the device was told of `iova`; *out_last is how far the answer
 * goes: to the end of the page, or of the run.
 */
static bool still_mapped(const struct viommu_domain *domain, const struct viommu_mapping *run,
                         uint64_t iova, uint64_t *out_last)
{
    const uint32_t both = VIOMMU_MAP_F_READ | VIOMMU_MAP_F_WRITE;
    const struct pagetable *pt = domain->link->pt;
    struct sluice_mapping mapping;
    uint64_t page = pt->config.page_sizes & (0 - pt->config.page_sizes);
    bool there = look_up(domain->link, iova, &mapping);

    if (there)
        page = mapping.page_bytes;
    *out_last = iova | (page - 1);
    if (*out_last > run->last)
        *out_last = run->last;
    return there && mapping.phys == run->phys + (iova - run->first) &&
           (mapping.prot & (SLUICE_PROT_READ | SLUICE_PROT_WRITE)) == (run->flags & both);
}

_Static_assert((unsigned)SLUICE_PROT_READ == VIOMMU_MAP_F_READ &&
                   (unsigned)SLUICE_PROT_WRITE == VIOMMU_MAP_F_WRITE,
               "permissions are compared as they are");

/* ---- mapping ---- */

/* Tells the device of a run that is not in its list yet; takes it over, whatever comes. */
static enum sluice_status tell(struct viommu *viommu, struct viommu_domain *domain,
                               struct told_run *run, bool owed)
{
    const struct viommu_request request = viommu_map_request(domain->id, &run->mapping);
    enum sluice_status status =
        owed ? viommu_send_owed_locked(viommu, &request) : viommu_send_locked(viommu, &request);

    if (status == SLUICE_OK)
        told_add(&domain->told, run);
    else
        told_free(&domain->told, run);
    return status;
}

/* Tells the device what it does not know yet of a mapping. */
static enum sluice_status tell_rest(struct viommu *viommu, struct viommu_domain *domain,
                                    const struct viommu_mapping *mapping)
{
    enum sluice_status status = SLUICE_OK;
    uint64_t at = mapping->first;

    while (status == SLUICE_OK) {
        const struct told_run *known = told_from(&domain->told, at);
        bool more = known != NULL && known->mapping.first <= mapping->last;
        uint64_t known_last = more ? known->mapping.last : 0;

        if (!more || known->mapping.first > at) {
            const struct viommu_mapping rest = {.first = at,
                                                .last =
                                                    more ? known->mapping.first - 1 : mapping->last,
                                                .phys = mapping->phys + (at - mapping->first),
                                                .flags = mapping->flags};
            struct told_run *run = told_make(&domain->told, &rest);

            status = run == NULL ? SLUICE_ERR_NO_MEMORY : tell(viommu, domain, run, false);
        }
        if (!more || known_last >= mapping->last)
            break;
        at = known_last + 1;
    }
    return status;
}

/* Pieces that lie one behind the other in memory too are one run, since one call mapped them. */
static enum sluice_status tell_pieces(struct viommu *viommu, struct viommu_domain *domain,
                                      const struct unit_mapping *mapped)
{
    const struct pt_list *list = mapped->list;
    uint64_t iova = mapped->iova;
    enum sluice_status status = SLUICE_OK;

    for (unsigned i = 0; i < list->count && status == SLUICE_OK;) {
        uint64_t bytes = list->pieces[i].bytes;
        struct viommu_mapping run = {
            .first = iova, .phys = list->pieces[i].phys, .flags = flags_of(viommu, mapped->prot)};

        for (i++; i < list->count && list->pieces[i].phys == run.phys + bytes; i++)
            bytes += list->pieces[i].bytes;
        run.last = iova + (bytes - 1);
        iova += bytes;
        status = tell_rest(viommu, domain, &run);
    }
    return status;
}

/* ---- unmapping ---- */

/* Requests of runs that go wholly, and follow one another in the list: one for all of them. */
struct sweep {
    bool any;
    uint64_t first, last;
};

static enum sluice_status sweep_end(struct viommu *viommu, struct viommu_domain *domain,
                                    struct sweep *sweep)
{
    const struct viommu_request request =
        viommu_unmap_request(domain->id, sweep->first, sweep->last);

    if (!sweep->any)
        return SLUICE_OK;
    sweep->any = false;
    return viommu_send_owed_locked(viommu, &request);
}

static void sweep_add(struct viommu_domain *domain, struct sweep *sweep, struct told_run *run)
{
    if (!sweep->any)
        sweep->first = run->mapping.first;
    sweep->any = true;
    sweep->last = run->mapping.last;
    told_remove(&domain->told, run);
}

static void free_pieces(struct viommu_domain *domain, struct told_run *pieces)
{
    while (pieces != NULL) {
        struct told_run *next = pieces->next[0];

        told_free(&domain->told, pieces);
        pieces = next;
    }
}

static bool add_piece(struct viommu_domain *domain, const struct viommu_mapping *run,
                      uint64_t first, uint64_t last, struct told_run **pieces)
{
    const struct viommu_mapping piece = {.first = first,
                                         .last = last,
                                         .phys = run->phys + (first - run->first),
                                         .flags = run->flags};
    struct told_run *made = told_make(&domain->told, &piece);

    if (made == NULL)
        return false;
    made->next[0] = *pieces;
    *pieces = made;
    return true;
}

/* What stays of a run of which something in [first, last] goes, as a chain; false: no memory. */
static bool cut_pieces(struct viommu_domain *domain, const struct viommu_mapping *run,
                       uint64_t first, uint64_t last, struct told_run **pieces)
{
    uint64_t at = run->first, begin = at;
    bool open = false;

    for (;;) {
        uint64_t until = at < first ? first - 1 : run->last;
        bool stays = at < first || at > last || still_mapped(domain, run, at, &until);

        if (stays && !open)
            begin = at;
        if (!stays && open && !add_piece(domain, run, begin, at - 1, pieces))
            return false;
        open = stays;
        if (until >= run->last)
            return !open || add_piece(domain, run, begin, run->last, pieces);
        at = until + 1;
    }
}

/*
 * Takes a run away and maps again what stays of it. Waits in between: requests may be done in any
 * order [Virtio 2.7.14].
 */
static enum sluice_status cut(struct viommu *viommu, struct viommu_domain *domain,
                              struct told_run *run, uint64_t first, uint64_t last)
{
    const struct viommu_request request =
        viommu_unmap_request(domain->id, run->mapping.first, run->mapping.last);
    struct told_run *pieces = NULL;
    enum sluice_status status;

    if (!cut_pieces(domain, &run->mapping, first, last, &pieces)) {
        log_error(viommu->unit.sluice,
                  "%s: no memory to take a part of %#llx-%#llx away: all stays", viommu->unit.name,
                  (unsigned long long)run->mapping.first, (unsigned long long)run->mapping.last);
        free_pieces(domain, pieces);
        return SLUICE_ERR_HARDWARE;
    }
    viommu->broken_up++;
    told_remove(&domain->told, run);
    status = viommu_send_owed_locked(viommu, &request);
    if (status == SLUICE_OK)
        status = viommu_settle_locked(viommu, viommu->queue.next);
    while (status == SLUICE_OK && pieces != NULL) {
        struct told_run *next = pieces->next[0];

        status = tell(viommu, domain, pieces, true);
        pieces = next;
    }
    free_pieces(domain, pieces);
    return status;
}

enum fate {
    FATE_STAYS,
    FATE_GOES,
    FATE_IS_CUT,
};

static enum fate fate_of(const struct viommu_domain *domain, const struct viommu_mapping *run,
                         uint64_t first, uint64_t last)
{
    bool goes = false, stays = run->first < first || run->last > last;
    uint64_t at = run->first < first ? first : run->first;

    if (run->last < last)
        last = run->last;
    for (;;) {
        uint64_t until;

        if (still_mapped(domain, run, at, &until))
            stays = true;
        else
            goes = true;
        if (stays && goes)
            return FATE_IS_CUT;
        if (until >= last)
            return goes ? FATE_GOES : FATE_STAYS;
        at = until + 1;
    }
}

/* Takes from the device what it was told of [first, last] and is not in the tables any more. */
static enum sluice_status drop_stale(struct viommu *viommu, struct viommu_domain *domain,
                                     uint64_t first, uint64_t last)
{
    struct told_run *run = told_from(&domain->told, first);
    enum sluice_status status = SLUICE_OK;
    struct sweep sweep = {.any = false};

    while (run != NULL && run->mapping.first <= last && status == SLUICE_OK) {
        struct told_run *next = told_next(run);
        enum fate fate = fate_of(domain, &run->mapping, first, last);

        if (fate == FATE_GOES)
            sweep_add(domain, &sweep, run);
        else
            status = sweep_end(viommu, domain, &sweep);
        if (fate == FATE_IS_CUT && status == SLUICE_OK)
            status = cut(viommu, domain, run, first, last);
        run = next;
    }
    return status != SLUICE_OK ? status : sweep_end(viommu, domain, &sweep);
}

static enum sluice_status drop_gathered(struct viommu *viommu, struct viommu_domain *domain,
                                        const struct pt_gather *gather)
{
    enum sluice_status status = SLUICE_OK;

    if (gather == NULL || gather->count == 0)
        return drop_stale(viommu, domain, 0, UINT64_MAX);
    for (unsigned i = 0; i < gather->count && status == SLUICE_OK; i++)
        status = drop_stale(viommu, domain, gather->ranges[i].first, gather->ranges[i].last);
    return status;
}

static enum sluice_status sync_locked(struct viommu *viommu, struct viommu_domain *domain,
                                      const struct unit_invalidation *invalidation)
{
    enum sluice_status status;

    if (viommu->queue.dead)
        return SLUICE_ERR_HARDWARE;
    status = drop_gathered(viommu, domain, invalidation->gather);
    if (status == SLUICE_OK && invalidation->mapped != NULL)
        status = tell_pieces(viommu, domain, invalidation->mapped);
    /* Also after an error: what was sent is waited for by whoever comes next. */
    viommu_kick_locked(viommu);
    return status;
}

enum sluice_status viommu_invalidate_submit(struct unit *unit,
                                            const struct unit_invalidation *invalidation,
                                            struct unit_ticket *out_ticket)
{
    struct viommu *viommu = viommu_of(unit);
    struct viommu_domain *domain = invalidation->link->own;
    enum sluice_status status = SLUICE_OK;
    sluice_irqstate_t irq;
    uint64_t first;

    *out_ticket = (struct unit_ticket){.since_ns = 0};
    if (!unit->started || invalidation->link->pt == NULL)
        return SLUICE_OK;
    irq = sluice_spin_lock(&viommu->lock);
    first = viommu->queue.next;
    /* On the device there is no such domain otherwise, and it is told all when there is. */
    if (domain->live || domain->doubtful) {
        status = sync_locked(viommu, domain, invalidation);
        *out_ticket = (struct unit_ticket){.value = {first, viommu->queue.next}};
    }
    sluice_spin_unlock(&viommu->lock, irq);
    return status;
}

/* What the worst of some requests means to who sent them. */
static enum sluice_status judge(struct viommu *viommu, uint64_t first, uint64_t end)
{
    sluice_irqstate_t irq;
    enum viommu_status worst;

    if (first == end)
        return SLUICE_OK;
    irq = sluice_spin_lock(&viommu->lock);
    worst = viommu_worst_locked(viommu, first, end);
    sluice_spin_unlock(&viommu->lock, irq);
    switch (worst) {
    case VIOMMU_S_OK:
        return SLUICE_OK;
    case VIOMMU_S_NONE:
        return SLUICE_ERR_HARDWARE;
    case VIOMMU_S_NOMEM:
        return SLUICE_ERR_NO_MEMORY;
    default:
        log_error(viommu->unit.sluice, "%s: it refused a mapping: %s (%u)", viommu->unit.name,
                  viommu_status_text(worst), (unsigned)worst);
        return SLUICE_ERR_UNSUPPORTED;
    }
}

enum sluice_status viommu_invalidate_wait(struct unit *unit, const struct unit_ticket *ticket)
{
    struct viommu *viommu = viommu_of(unit);
    enum sluice_status status;

    if (ticket->value[1] == 0)
        return SLUICE_OK; /* nothing was to be done */
    status = viommu_settle(viommu, ticket->value[1], ticket);
    return status != SLUICE_OK ? status : judge(viommu, ticket->value[0], ticket->value[1]);
}

/* ---- a domain that comes to life ---- */

/* Page by page: who mapped what together is not known any more, and may go one by one. */
static enum sluice_status replay_some_locked(struct viommu *viommu, struct viommu_domain *domain,
                                             uint64_t *at, bool *out_more)
{
    const struct domain_link *link = domain->link;
    enum sluice_status status = SLUICE_OK;

    *out_more = true;
    for (unsigned i = 0; i < REPLAY_AT_ONCE && status == SLUICE_OK && *out_more; i++) {
        sluice_irqstate_t irq = sluice_spin_lock(link->tables_lock);
        struct viommu_mapping page;
        struct sluice_mapping found;

        *out_more =
            link->pt->format->find(link->pt, *at, link->pt->last, &page.first, &found) == SLUICE_OK;
        sluice_spin_unlock(link->tables_lock, irq);
        if (!*out_more)
            break;
        page.last = page.first | (found.page_bytes - 1);
        page.phys = found.phys;
        page.flags = flags_of(viommu, found.prot);
        status = tell_rest(viommu, domain, &page);
        *at = page.last + 1;
        *out_more = page.last < link->pt->last;
    }
    viommu_kick_locked(viommu);
    return status;
}

enum sluice_status viommu_replay(struct viommu *viommu, struct viommu_domain *domain)
{
    enum sluice_status status = SLUICE_OK;
    uint64_t at = 0, first = 0, end = 0;
    bool more = true;

    while (more && status == SLUICE_OK) {
        sluice_irqstate_t irq = sluice_spin_lock(&viommu->lock);

        first = first != 0 ? first : viommu->queue.next;
        status = replay_some_locked(viommu, domain, &at, &more);
        end = viommu->queue.next;
        sluice_spin_unlock(&viommu->lock, irq);
        if (status != SLUICE_OK || (more && end - first < VIOMMU_RESULTS / 2))
            continue;
        status = viommu_settle(viommu, end, &(struct unit_ticket){.since_ns = 0});
        if (status == SLUICE_OK)
            status = judge(viommu, first, end);
        first = end;
    }
    return status;
}
