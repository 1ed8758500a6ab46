// SPDX-License-Identifier: MIT
/*
 * Engine, part 3: clearing, unlinking and splitting. See engine.h.
 */
#ifndef SLUICE_PAGETABLE_ENGINE_UNMAP_H
#define SLUICE_PAGETABLE_ENGINE_UNMAP_H

/** As pt_gather_add, with the usual case, the first range, inline and written field by field. */
ENGINE_INLINE void engine_gather(struct pt_gather *gather, sluice_iova_t first, sluice_iova_t last,
                                 unsigned page_lg2, bool tables)
{
    struct pt_range *range = &gather->ranges[0];

    if (!engine_likely(gather->count == 0)) {
        pt_gather_add(gather, &(struct pt_range){first, last, (uint8_t)page_lg2, tables});
        return;
    }
    gather->count = 1;
    range->first = first;
    range->last = last;
    range->page_lg2 = (uint8_t)page_lg2;
    range->tables = tables;
}

/**
 * Puts a table that was just unlinked on the gather's chain. The link overwrites its first entry;
 * a child that it pointed at goes on the chain first, and so down. Bounded by the levels.
 */
static void engine_chain(struct pagetable *pt, struct pt_gather *gather, sluice_phys_t phys,
                         unsigned level)
{
    /* Release: it comes before the range that the table was for can be anybody else's. */
    atomic_fetch_add_explicit(&pt->generation, 1, memory_order_release);
    for (;;) {
        pt_entry *table = engine_virt(pt, phys);
        uint64_t first = engine_load(&table[0]);

        engine_store(&table[0], gather->freed | (uint64_t)level << CHAIN_LEVEL_SHIFT);
        gather->freed = phys;
        gather->freed_pages += 1u << (PTF_GRANULE_LG2 - SLUICE_PAGE_LG2);
        if (!ptf_is_table(first, level))
            return;
        phys = ptf_table_phys(first);
        level--;
    }
}

/** What a clear has taken out and not yet put into the gather: neighbours grow one range. */
struct engine_clear {
    struct pagetable *pt;
    struct pt_gather *gather;
    bool count; /**< the caller wants to know the bytes */
    uint64_t bytes;
    bool pending; /**< `range` holds something */
    struct pt_range range;
};

static void engine_clear_flush(struct engine_clear *clear)
{
    if (clear->pending)
        pt_gather_add(clear->gather, &clear->range);
    clear->pending = false;
}

static void engine_clear_note(struct engine_clear *clear, sluice_iova_t first, sluice_iova_t last,
                              unsigned page_lg2, bool tables)
{
    if (clear->pending && clear->range.last + 1 != first)
        engine_clear_flush(clear);
    if (!clear->pending) {
        clear->range = (struct pt_range){first, last, (uint8_t)page_lg2, tables};
        clear->pending = true;
        return;
    }
    clear->range.last = last;
    clear->range.tables = clear->range.tables || tables;
    if (page_lg2 < clear->range.page_lg2)
        clear->range.page_lg2 = (uint8_t)page_lg2;
}

/** Clears one entry of a leaf table; returns whether it was mapped. */
ENGINE_INLINE unsigned engine_clear_leaf(pt_entry *slot)
{
    unsigned present = engine_peek(slot) != 0;

    engine_store(slot, 0);
    return present;
}

/** Clears entries of a leaf table; returns how many were mapped. Four at a time: engine_any. */
ENGINE_INLINE unsigned engine_clear_leaves(pt_entry *slot, unsigned count)
{
    unsigned present = 0;

    for (; count >= 4; count -= 4, slot += 4) {
        present += engine_clear_leaf(&slot[0]);
        present += engine_clear_leaf(&slot[1]);
        present += engine_clear_leaf(&slot[2]);
        present += engine_clear_leaf(&slot[3]);
    }
    if ((count & 2) != 0) {
        present += engine_clear_leaf(&slot[0]);
        present += engine_clear_leaf(&slot[1]);
        slot += 2;
    }
    if ((count & 1) != 0)
        present += engine_clear_leaf(slot);
    return present;
}

/** Takes one entry above level 0 out: a large page, or a table that the range covers whole. */
static void engine_clear_entry(struct engine_clear *clear, pt_entry *slot, uint64_t entry,
                               sluice_iova_t iova, unsigned level)
{
    const sluice_iova_t last = iova + (engine_size(level) - 1);

    if (!ptf_is_table(entry, level)) {
        engine_store(slot, 0);
        clear->bytes += engine_size(level);
        engine_clear_note(clear, iova, last, engine_shift(level), false);
        return;
    }
    if (clear->count)
        clear->bytes += engine_mapped_bytes(clear->pt, iova, last, false);
    engine_store(slot, 0);
    engine_chain(clear->pt, clear->gather, ptf_table_phys(entry), level - 1);
    engine_clear_note(clear, iova, last, PTF_GRANULE_LG2, true);
}

/** Clears a step above level 0, up to a table that has to be entered; returns entries done. */
static unsigned engine_clear_upper(struct engine_clear *clear, const struct engine_step *step,
                                   sluice_iova_t iova, sluice_iova_t last)
{
    unsigned i;

    for (i = 0; i < step->run; i++) {
        sluice_iova_t at = engine_nth(iova, i, step->level);
        uint64_t entry = engine_load(&step->slot[i]);

        if (!ptf_present(entry))
            continue;
        if (!engine_covered(at, last, step->level)) {
            if (ptf_is_table(entry, step->level))
                break;
            /* A page that sticks out was split, unless the caller let ranges overlap: then it
             * stays, because clearing it would take more than was asked for. */
            continue;
        }
        engine_clear_entry(clear, &step->slot[i], entry, at, step->level);
    }
    engine_clean(clear->pt, step->slot, i);
    return i;
}

/** Clears a step at level 0. */
static unsigned engine_clear_lowest(struct engine_clear *clear, const struct engine_step *step,
                                    sluice_iova_t iova)
{
    unsigned present = engine_clear_leaves(step->slot, step->run);

    if (present != 0) {
        engine_clean(clear->pt, step->slot, step->run);
        clear->bytes += (uint64_t)present << PTF_GRANULE_LG2;
        engine_clear_note(clear, iova, engine_nth(iova, step->run, 0) - 1, PTF_GRANULE_LG2, false);
    }
    return step->run;
}

/**
 * Clears [iova, last]; no large page sticks out of it. Allocates nothing, cannot fail.
 * Returns the bytes that were mapped, of which those in unlinked tables only with `count`.
 */
ENGINE_HOT uint64_t engine_clear(struct pagetable *pt, sluice_iova_t iova, sluice_iova_t last,
                                 bool count, struct pt_gather *gather)
{
    struct engine_clear clear = {.pt = pt, .gather = gather, .count = count};

    for (;;) {
        struct engine_step step = engine_seek(pt, iova, last, true);
        sluice_iova_t next;
        unsigned done;

        done = step.level == 0 ? engine_clear_lowest(&clear, &step, iova)
                               : engine_clear_upper(&clear, &step, iova, last);
        /* 0: another CPU put a table where there was none; the next round goes into it. */
        if (done == 0)
            continue;
        next = engine_nth(iova, done, step.level);
        if (next == 0 || next > last)
            break;
        iova = next;
    }
    engine_clear_flush(&clear);
    return clear.bytes;
}

/* ---- splitting ---- */

/** Tables that at most two splits need, and that are there before anything is changed. */
struct engine_spares {
    unsigned count;
    struct sluice_pages pages[2 * PTF_LEVELS_MAX];
};

/**
 * How many tables it takes to make `edge` a boundary between pages, where `iova` is the address
 * on the inner side of it. At most the page's level: each table is one level down.
 */
static unsigned engine_split_need(const struct pagetable *pt, sluice_iova_t iova,
                                  sluice_iova_t edge)
{
    uint64_t entry;
    unsigned level = engine_page_at(pt, iova, &entry).level;
    unsigned need = 0;

    if (!ptf_present(entry))
        return 0;
    for (; (edge & (engine_size(level) - 1)) != 0; level--)
        need++;
    return need;
}

static void engine_spares_free(struct pagetable *pt, struct engine_spares *spares)
{
    while (spares->count > 0)
        engine_table_free(pt, spares->pages[--spares->count]);
}

static bool engine_spares_alloc(struct pagetable *pt, unsigned need, struct engine_spares *spares)
{
    for (spares->count = 0; spares->count < need; spares->count++) {
        if (!engine_table_alloc(pt, &spares->pages[spares->count])) {
            engine_spares_free(pt, spares);
            return false;
        }
    }
    return true;
}

/**
 * Links a table whose contents are complete; false when the slot is not `expected` any more.
 * `alone` says that the caller's range covers the slot, so that nobody else can want it: a store
 * does then, where a compare-and-swap would wait for all the stores to the table.
 */
static bool engine_link(const struct pagetable *pt, pt_entry *slot, unsigned level,
                        uint64_t expected, const struct sluice_pages *pages, bool alone)
{
    uint64_t entry = ptf_table(pages->phys, level) | (pt->config.coherent ? PTF_READY : 0);

    engine_clean(pt, pages->virt, PTF_ENTRIES);
    /* Release, both: who reads the entry sees the table's contents; pairs with engine_load. */
    if (alone)
        atomic_store_explicit(slot, entry, memory_order_release);
    else if (!atomic_compare_exchange_strong_explicit(slot, &expected, entry, memory_order_release,
                                                      memory_order_relaxed))
        return false;
    if (!pt->config.coherent)
        engine_make_ready(pt, slot);
    return true;
}

/** Replaces the large page in `step` by a table that says the same. */
static void engine_split_page(struct pagetable *pt, const struct engine_step *step, uint64_t entry,
                              sluice_iova_t iova, struct engine_spares *spares,
                              struct pt_gather *gather)
{
    const uint64_t size = engine_size(step->level);
    const uint64_t child_step = ptf_leaf_step(engine_size(step->level - 1));
    const struct sluice_pages *pages = &spares->pages[spares->count - 1];
    uint64_t *table = pages->virt;
    uint64_t child = ptf_split(entry, step->level);

    for (unsigned i = 0; i < PTF_ENTRIES; i++)
        table[i] = child + i * child_step;
    if (!engine_link(pt, step->slot, step->level, entry, pages, false))
        return;
    spares->count--;
    engine_count_tables(pt, 1);
    engine_gather(gather, iova & ~(size - 1), iova | (size - 1), engine_shift(step->level), true);
}

/**
 * Makes `edge` a boundary between pages. Each round goes a level down, by this CPU's doing or by
 * another's that splits the same page; the latter only leaves spares over, so they suffice.
 */
static void engine_split_at(struct pagetable *pt, sluice_iova_t iova, sluice_iova_t edge,
                            struct engine_spares *spares, struct pt_gather *gather)
{
    for (;;) {
        uint64_t entry;
        struct engine_step step = engine_page_at(pt, iova, &entry);

        if (!ptf_present(entry) || (edge & (engine_size(step.level) - 1)) == 0)
            return;
        engine_split_page(pt, &step, entry, iova, spares, gather);
    }
}

/** Takes runs apart and splits large pages that stick out of [iova, last], or changes nothing. */
static enum sluice_status engine_split_ends(struct pagetable *pt, sluice_iova_t iova,
                                            sluice_iova_t last, struct pt_gather *gather)
{
    struct engine_spares spares;
    struct engine_step step;
    unsigned need = engine_split_need(pt, iova, iova) + engine_split_need(pt, last, last + 1);
    bool runs = engine_run_at(pt, iova, iova, &step) || engine_run_at(pt, last, last + 1, &step);

    if (need == 0 && !runs)
        return SLUICE_OK;
    if ((need != 0 && !PTF_CAN_SPLIT) || (runs && !PTF_CAN_BREAK))
        return SLUICE_ERR_UNSUPPORTED;
    if (!engine_spares_alloc(pt, need, &spares))
        return SLUICE_ERR_NO_MEMORY;
    engine_break_at(pt, iova, iova, gather);
    engine_break_at(pt, last, last + 1, gather);
    engine_split_at(pt, iova, iova, &spares, gather);
    engine_split_at(pt, last, last + 1, &spares, gather);
    engine_spares_free(pt, &spares);
    return SLUICE_OK;
}

/* ---- unmap ---- */

/** Everything but the fast path below. */
ENGINE_HOT enum sluice_status engine_unmap_range(struct pagetable *pt, sluice_iova_t iova,
                                                 sluice_iova_t last, struct pt_gather *gather,
                                                 uint64_t *out_unmapped_bytes)
{
    enum sluice_status status = engine_split_ends(pt, iova, last, gather);
    uint64_t unmapped = 0;

    if (status == SLUICE_OK)
        unmapped = engine_clear(pt, iova, last, out_unmapped_bytes != NULL, gather);
    if (out_unmapped_bytes != NULL)
        *out_unmapped_bytes = unmapped;
    return status;
}

/** Some entries of one leaf table, or what is not that simple. */
ENGINE_HOT enum sluice_status engine_unmap_some(struct pagetable *pt, sluice_iova_t iova,
                                                uint64_t bytes, struct pt_gather *gather,
                                                uint64_t *out_unmapped_bytes)
{
    const sluice_iova_t last = iova + (bytes - 1);
    const unsigned count = (unsigned)(bytes >> PTF_GRANULE_LG2);
    pt_entry *slot = NULL;
    unsigned present;

    if (last > pt->last || last < iova)
        return SLUICE_ERR_RANGE;
    if (engine_within_leaf_table(iova, last) && !engine_fast_slot(pt, iova, &slot))
        slot = engine_leaf_slot(pt, iova);
    if (slot == NULL || engine_sticks_out(slot, count, iova))
        return engine_unmap_range(pt, iova, last, gather, out_unmapped_bytes);
    present = engine_clear_leaves(slot, count);
    if (present != 0) {
        engine_clean(pt, slot, count);
        engine_gather(gather, iova, last, PTF_GRANULE_LG2, false);
    }
    if (out_unmapped_bytes != NULL)
        *out_unmapped_bytes = (uint64_t)present << PTF_GRANULE_LG2;
    return SLUICE_OK;
}

ENGINE_HOT enum sluice_status engine_unmap(struct pagetable *pt, sluice_iova_t iova, uint64_t bytes,
                                           struct pt_gather *gather, uint64_t *out_unmapped_bytes)
{
    pt_entry *slot;

    if (bytes != engine_size(0) || iova > pt->last || !engine_fast_slot(pt, iova, &slot) ||
        !engine_likely(!engine_is_of_run(slot)) ||
        !engine_likely(engine_clear_leaves(slot, 1) != 0))
        return engine_unmap_some(pt, iova, bytes, gather, out_unmapped_bytes);
    engine_gather(gather, iova, iova + (engine_size(0) - 1), PTF_GRANULE_LG2, false);
    if (out_unmapped_bytes != NULL)
        *out_unmapped_bytes = engine_size(0);
    return SLUICE_OK;
}

#endif
