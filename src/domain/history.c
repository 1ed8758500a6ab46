// SPDX-License-Identifier: MIT
/*
 * The history of a domain's mappings. See history.h.
 */
#include "domain/domain.h"

#define DEFAULT_RECORDS 1024u
#define RECORDS_MOST    65536u
#define RECORDS_LEAST   16u

uint32_t history_records(const struct sluice *sluice)
{
    uint32_t wanted =
        sluice->config.unmap_history != 0 ? sluice->config.unmap_history : DEFAULT_RECORDS;
    uint32_t records = RECORDS_LEAST;

    if (wanted == SLUICE_NO_HISTORY)
        return 0;
    while (records < wanted && records < RECORDS_MOST)
        records *= 2;
    return records;
}

static size_t history_bytes(uint32_t records)
{
    return sizeof(struct domain_history) + (size_t)records * sizeof(struct unmap_note);
}

enum sluice_status history_create(struct sluice_domain *domain)
{
    uint32_t records = history_records(domain->sluice);
    struct domain_history *history;

    if (records == 0)
        return SLUICE_OK;
    history = host_alloc(domain->sluice, history_bytes(records));
    if (history == NULL)
        return SLUICE_ERR_NO_MEMORY;
    history->count = records;
    atomic_init(&history->wide_first, UINT64_MAX);
    domain->history = history;
    atomic_fetch_add_explicit(&domain->history_bytes, history_bytes(records), memory_order_relaxed);
    return SLUICE_OK;
}

void history_destroy(struct sluice_domain *domain)
{
    if (domain->history != NULL)
        host_free(domain->sluice, domain->history, history_bytes(domain->history->count));
    domain->history = NULL;
}

/* ---- where something was ever mapped ---- */

static unsigned region_bit(uint64_t region)
{
    /* Neighbours are spread by the golden ratio, so that those of a pattern do not share bits. */
    return (unsigned)((region * 0x9e3779b97f4a7c15u) >> 52) % HISTORY_REGION_BITS;
}

static bool region_is_marked(struct domain_history *history, uint64_t region)
{
    unsigned bit = region_bit(region);

    return (atomic_load_explicit(&history->regions[bit / 64], memory_order_relaxed) >> (bit % 64) &
            1) != 0;
}

static void mark_wide(struct domain_history *history, uint64_t first, uint64_t last)
{
    uint64_t seen = atomic_load_explicit(&history->wide_first, memory_order_relaxed);

    while (seen > first &&
           !atomic_compare_exchange_weak_explicit(&history->wide_first, &seen, first,
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
    seen = atomic_load_explicit(&history->wide_last, memory_order_relaxed);
    while (seen < last &&
           !atomic_compare_exchange_weak_explicit(&history->wide_last, &seen, last,
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
}

/*
 * Relaxed: the page table is written after it on this CPU, and whoever looks for a fault comes
 * after the device, which was told of the mapping after its driver's fence.
 */
void history_mark(struct domain_history *history, sluice_iova_t iova, uint64_t bytes)
{
    uint64_t first = iova >> HISTORY_REGION_LG2;
    uint64_t last = (iova + (bytes - 1)) >> HISTORY_REGION_LG2;

    if (last - first >= HISTORY_WIDE) {
        mark_wide(history, iova, iova + (bytes - 1));
        return;
    }
    for (uint64_t region = first; region <= last; region++) {
        unsigned bit = region_bit(region);

        if (!region_is_marked(history, region))
            atomic_fetch_or_explicit(&history->regions[bit / 64], (uint64_t)1 << (bit % 64),
                                     memory_order_relaxed);
    }
}

static bool was_never_mapped(struct domain_history *history, sluice_iova_t address)
{
    /* The hardware may say no more than the page; a hull is never narrower. */
    return !region_is_marked(history, address >> HISTORY_REGION_LG2) &&
           (address < atomic_load_explicit(&history->wide_first, memory_order_relaxed) ||
            address > atomic_load_explicit(&history->wide_last, memory_order_relaxed));
}

/* ---- what was unmapped ---- */

void history_found(struct address_past *past, uint64_t since_ns, uint64_t until_ns)
{
    if (past->found && (past->unconfirmed || past->until_ns >= until_ns))
        return;
    past->found = true;
    past->since_ns = since_ns;
    past->until_ns = until_ns;
}

static void look_at_notes_locked(struct domain_history *history, sluice_iova_t address,
                                 struct address_past *out)
{
    uint64_t known = history->next < history->count ? history->next : history->count;

    out->known += known;
    for (uint64_t back = 1; back <= known; back++) {
        struct unmap_note *note = &history->notes[(history->next - back) & (history->count - 1)];
        uint64_t time;

        if (!history_touches(address, note->first, note->last))
            continue;
        time = atomic_load_explicit(&note->time_ns, memory_order_relaxed);
        history_found(out, time, time);
        out->unconfirmed = time == 0;
        return;
    }
}

bool history_look_locked(struct sluice_domain *domain, sluice_iova_t address,
                         struct address_past *out)
{
    struct domain_manager *manager = atomic_load_explicit(&domain->manager, memory_order_relaxed);
    struct domain_history *history = domain->history;
    sluice_irqstate_t irq;

    *out = (struct address_past){0};
    if (history == NULL)
        return false;
    irq = sluice_spin_lock(&domain->links_lock);
    look_at_notes_locked(history, address, out);
    sluice_spin_unlock(&domain->links_lock, irq);
    if (manager != NULL && manager->look_back != NULL)
        manager->look_back(manager, address, out);
    out->never = !out->found && was_never_mapped(history, address);
    return true;
}
