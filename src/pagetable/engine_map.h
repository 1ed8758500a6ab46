// SPDX-License-Identifier: MIT
/*
 * Engine, part 4: mapping. See engine.h.
 */
#ifndef SLUICE_PAGETABLE_ENGINE_MAP_H
#define SLUICE_PAGETABLE_ENGINE_MAP_H

/** What is left of a map: from `iova` on, `bytes` more. */
struct engine_map {
    struct pagetable *pt;
    struct pt_gather *gather;
    uint64_t attributes;
    sluice_iova_t iova;
    sluice_phys_t phys;
    uint64_t bytes;
    int64_t tables; /**< that were installed and not yet counted */
    bool runs;      /**< entries may be marked as runs */
};

/** Writes leaves to slots that a unit may be reading. Four at a time, as engine_any does. */
ENGINE_INLINE void engine_fill_live(pt_entry *slot, unsigned count, uint64_t leaf, uint64_t step)
{
    for (; count >= 4; count -= 4, slot += 4, leaf += 4 * step) {
        engine_store(&slot[0], leaf);
        engine_store(&slot[1], leaf + step);
        engine_store(&slot[2], leaf + 2 * step);
        engine_store(&slot[3], leaf + 3 * step);
    }
    if ((count & 2) != 0) {
        engine_store(&slot[0], leaf);
        engine_store(&slot[1], leaf + step);
        slot += 2;
        leaf += 2 * step;
    }
    if ((count & 1) != 0)
        engine_store(slot, leaf);
}

/** Writes `count` leaves to slots of which every one is empty; false when one is not. */
ENGINE_INLINE bool engine_fill(pt_entry *slot, unsigned count, uint64_t leaf, uint64_t step)
{
    if (!engine_likely(engine_any(slot, count) == 0))
        return false;
    engine_fill_live(slot, count, leaf, step);
    return true;
}

/** As engine_fill, where some of the leaves are runs. */
static bool engine_fill_runs(pt_entry *slot, unsigned count, uint64_t leaf, uint64_t step,
                             struct engine_runs runs)
{
    if (!engine_likely(engine_any(slot, count) == 0))
        return false;
    engine_fill_live(slot, runs.first, leaf, step);
    engine_fill_live(slot + runs.first, runs.end - runs.first,
                     (leaf + runs.first * step) | ENGINE_RUN_BITS, step);
    engine_fill_live(slot + runs.end, count - runs.end, leaf + runs.end * step, step);
    return true;
}

static void engine_map_advance(struct engine_map *map, unsigned count, unsigned level)
{
    uint64_t bytes = (uint64_t)count << engine_shift(level);

    map->iova += bytes;
    map->phys += bytes;
    map->bytes -= bytes;
}

/** The level of the largest page that alignment, length and configuration allow. */
static unsigned engine_pick(const struct engine_map *map)
{
    const uint64_t address = map->iova | map->phys;
    unsigned level;

    for (level = map->pt->config.levels - 1; level > 0; level--) {
        uint64_t size = engine_size(level);

        if ((map->pt->config.page_sizes & size) != 0 && (address & (size - 1)) == 0 &&
            map->bytes >= size)
            break;
    }
    return level;
}

/** How many pages of this level go into the table that the next one is in. */
static unsigned engine_map_count(const struct engine_map *map, unsigned level)
{
    uint64_t count = map->bytes >> engine_shift(level);
    uint64_t room = engine_entries(map->pt, level) -
                    (uint64_t)engine_index(map->iova, level, map->pt->config.levels);

    return (unsigned)(count < room ? count : room);
}

/**
 * A large page where something is: that is fine when it is a table with nothing in it, which many
 * small unmaps leave behind.
 */
static enum sluice_status engine_replace(struct engine_map *map, pt_entry *slot, unsigned level,
                                         uint64_t leaf)
{
    const sluice_iova_t last = map->iova + (engine_size(level) - 1);
    uint64_t entry = engine_load(slot);

    if (!ptf_is_table(entry, level) || engine_mapped_bytes(map->pt, map->iova, last, true) != 0)
        return SLUICE_ERR_EXISTS;
    engine_store(slot, leaf);
    engine_clean(map->pt, slot, 1);
    engine_chain(map->pt, map->gather, ptf_table_phys(entry), level - 1);
    engine_gather(map->gather, map->iova, last, engine_shift(level), true);
    return SLUICE_OK;
}

/** Fills slots of a table that others may be in. */
static enum sluice_status engine_map_slots(struct engine_map *map, pt_entry *slot, unsigned level)
{
    const struct pagetable *pt = map->pt;
    enum sluice_status status = SLUICE_OK;
    unsigned count = engine_map_count(map, level);
    uint64_t leaf = ptf_leaf(map->phys, level, map->attributes);
    uint64_t step = ptf_leaf_step(engine_size(level));
    struct engine_runs runs = engine_runs_in(pt, map->iova, map->phys, count, level, map->runs);

    if (engine_likely(runs.end == 0 ? engine_fill(slot, count, leaf, step)
                                    : engine_fill_runs(slot, count, leaf, step, runs))) {
        engine_clean(pt, slot, count);
        engine_map_advance(map, count, level);
        return SLUICE_OK;
    }
    if (level == 0)
        return SLUICE_ERR_EXISTS;
    for (unsigned i = 0; i < count && status == SLUICE_OK; i++) {
        if (engine_fill(&slot[i], 1, leaf + i * step, 0))
            engine_clean(pt, &slot[i], 1);
        else if (!PTF_CAN_SPLIT)
            /* Something is there; when it is a table, the next step goes down into it. */
            return i > 0 ? SLUICE_OK : SLUICE_ERR_EXISTS;
        else
            status = engine_replace(map, &slot[i], level, leaf + i * step);
        if (status == SLUICE_OK)
            engine_map_advance(map, 1, level);
    }
    return status;
}

/**
 * Writes leaves to a table that nobody else sees. Four at a time, so that the stores don't wait
 * for one addition after the other where the compiler has no vectors to use.
 */
ENGINE_INLINE void engine_fill_new(uint64_t *entries, unsigned count, uint64_t leaf, uint64_t step)
{
    unsigned i = 0;

    for (; i + 4 <= count; i += 4) {
        entries[i] = leaf;
        entries[i + 1] = leaf + step;
        entries[i + 2] = leaf + 2 * step;
        entries[i + 3] = leaf + 3 * step;
        leaf += 4 * step;
    }
    for (; i < count; i++) {
        entries[i] = leaf;
        leaf += step;
    }
}

/** Marks what is a run of leaves that were written to such a table. */
static inline void engine_mark_new(uint64_t *entries, struct engine_runs runs)
{
    for (unsigned i = runs.first; i < runs.end; i++)
        entries[i] |= ENGINE_RUN_BITS;
}

/**
 * Puts a table into an empty slot of `level`. When its entries are to be the pages of `target`,
 * they are written before it is linked: nobody can see it yet, so plain stores do, and one cache
 * clean covers all. *out_filled says whether that was so.
 */
static enum sluice_status engine_install(struct engine_map *map, pt_entry *slot, unsigned level,
                                         unsigned target, bool *out_filled)
{
    struct pagetable *pt = map->pt;
    struct sluice_pages pages;
    const bool alone = engine_covered(map->iova, map->iova + (map->bytes - 1), level);
    unsigned count = 0;

    if (!engine_table_alloc(pt, &pages))
        return SLUICE_ERR_NO_MEMORY;
    if (level == target + 1) {
        uint64_t leaf = ptf_leaf(map->phys, target, map->attributes);
        uint64_t *entries =
            (uint64_t *)pages.virt + engine_index(map->iova, target, pt->config.levels);

        count = engine_map_count(map, target);
        /* The constant makes the usual case a third faster. */
        if (engine_likely(target == 0))
            engine_fill_new(entries, count, leaf, ptf_leaf_step(engine_size(0)));
        else
            engine_fill_new(entries, count, leaf, ptf_leaf_step(engine_size(target)));
        engine_mark_new(entries,
                        engine_runs_in(pt, map->iova, map->phys, count, target, map->runs));
    }
    if (engine_link(pt, slot, level, 0, &pages, alone)) {
        map->tables++;
        engine_map_advance(map, count, target);
        *out_filled = count != 0;
    } else {
        /* Another CPU was faster; its table is as good. */
        engine_table_free(pt, pages);
        *out_filled = false;
    }
    return SLUICE_OK;
}

/** Maps what lies in one table of the level of the next page. */
static enum sluice_status engine_map_step(struct engine_map *map)
{
    const struct pagetable *pt = map->pt;
    const unsigned levels = pt->config.levels;
    const unsigned target = engine_pick(map);
    pt_entry *table = engine_root(pt);
    enum sluice_status status;
    unsigned level = levels - 1;

    for (;;) {
        pt_entry *slot = &table[engine_index(map->iova, level, levels)];
        uint64_t entry = engine_load(slot);
        bool filled;

        /* A table that may not be replaced is gone down into, so the pages get smaller. */
        if (level <= target && (PTF_CAN_SPLIT || !ptf_is_table(entry, level)))
            return engine_map_slots(map, slot, level);

        if (entry == 0) {
            status = engine_install(map, slot, level, target, &filled);
            if (status != SLUICE_OK || filled)
                return status;
            continue;
        }
        table = engine_enter(pt, slot, entry, level);
        if (table == NULL)
            return SLUICE_ERR_EXISTS;
        level--;
    }
}

/** Everything but the fast path below. */
ENGINE_HOT enum sluice_status engine_map_range(struct engine_map *map)
{
    const sluice_iova_t first = map->iova;
    enum sluice_status status = SLUICE_OK;

    while (status == SLUICE_OK && map->bytes > 0)
        status = engine_map_step(map);
    if (map->tables != 0)
        engine_count_tables(map->pt, map->tables);
    if (status != SLUICE_OK && map->iova != first)
        (void)engine_clear(map->pt, first, map->iova - 1, false, map->gather);
    return status;
}

/** Some entries of one leaf table, or what is not that simple. */
ENGINE_HOT enum sluice_status engine_map_some(struct pagetable *pt, sluice_iova_t iova,
                                              sluice_phys_t phys, uint64_t bytes, uint32_t prot,
                                              struct pt_gather *gather)
{
    const sluice_iova_t last = iova + (bytes - 1);
    const sluice_phys_t phys_last = phys + (bytes - 1);
    const uint64_t attributes = ptf_leaf_attributes(&pt->config, prot);
    const unsigned count = (unsigned)(bytes >> PTF_GRANULE_LG2);
    const bool may = PTF_CAN_BREAK || (prot & PT_PROT_WHOLE) != 0;
    struct engine_runs runs;
    pt_entry *slot = NULL;
    uint64_t leaf;

    if (!ptf_prot_possible(prot))
        return SLUICE_ERR_UNSUPPORTED;
    if (last > pt->last || last < iova || phys_last < phys || phys_last > pt->phys_last)
        return SLUICE_ERR_RANGE;
    if (engine_within_leaf_table(iova, last) && !engine_fast_slot(pt, iova, &slot))
        slot = engine_leaf_slot(pt, iova);
    if (slot == NULL) {
        struct engine_map map = {pt, gather, attributes, iova, phys, bytes, 0, may};

        return engine_map_range(&map);
    }
    leaf = ptf_leaf(phys, 0, attributes);
    runs = engine_runs_in(pt, iova, phys, count, 0, may);
    if (runs.end == 0 ? !engine_fill(slot, count, leaf, ptf_leaf_step(engine_size(0)))
                      : !engine_fill_runs(slot, count, leaf, ptf_leaf_step(engine_size(0)), runs))
        return SLUICE_ERR_EXISTS;
    engine_clean(pt, slot, count);
    return SLUICE_OK;
}

ENGINE_HOT enum sluice_status engine_map(struct pagetable *pt, sluice_iova_t iova,
                                         sluice_phys_t phys, uint64_t bytes, uint32_t prot,
                                         struct pt_gather *gather)
{
    pt_entry *slot;

    if (bytes != engine_size(0) || iova > pt->last || phys > pt->phys_last ||
        !ptf_prot_possible(prot) || !engine_fast_slot(pt, iova, &slot))
        return engine_map_some(pt, iova, phys, bytes, prot, gather);
    if (!engine_fill(slot, 1, ptf_leaf(phys, 0, ptf_leaf_attributes(&pt->config, prot)), 0))
        return SLUICE_ERR_EXISTS;
    return SLUICE_OK;
}

static void *engine_leaf_table(struct pagetable *pt, sluice_iova_t iova)
{
    pt_entry *slot;

    if (PTF_GRANULE_LG2 != SLUICE_PAGE_LG2 || iova > pt->last || !engine_fast_slot(pt, iova, &slot))
        return NULL;
    return slot - ((iova >> PTF_GRANULE_LG2) & (PTF_ENTRIES - 1));
}

static bool engine_leaf_form(const struct pagetable *pt, uint32_t prot, struct pt_leaf_form *out)
{
    if (PTF_GRANULE_LG2 != SLUICE_PAGE_LG2 || !ptf_prot_possible(prot))
        return false;
    out->base = ptf_leaf(0, 0, ptf_leaf_attributes(&pt->config, prot));
    /* A page further is a step further, in every format; see engine_fill. */
    out->step_lg2 = (unsigned)__builtin_ctzll(ptf_leaf_step(engine_size(0)));
    out->in_run = PTF_RUN_MARK;
    return true;
}

/** What is left of a list. */
struct engine_list {
    struct pagetable *pt;
    struct pt_gather *gather;
    sluice_iova_t iova;
    uint64_t attributes;
};

/**
 * The slot of a list's next page; *out_room is how many there are from it to the end of its table,
 * 0 where there is no table yet.
 */
static pt_entry *engine_list_slot(const struct engine_list *list, unsigned *out_room)
{
    pt_entry *slot = NULL;

    *out_room = 0;
    if (list->iova - 1 >= list->pt->last)
        return NULL;
    if (!engine_fast_slot(list->pt, list->iova, &slot))
        slot = engine_leaf_slot(list->pt, list->iova);
    if (slot != NULL)
        *out_room = (unsigned)(PTF_ENTRIES - ((list->iova >> PTF_GRANULE_LG2) & (PTF_ENTRIES - 1)));
    return slot;
}

/** Writes leaves of single pages to empty slots. Four at a time, as engine_any does. */
ENGINE_INLINE void engine_fill_pieces(pt_entry *slot, const struct sluice_dma_segment *pieces,
                                      unsigned count, uint64_t attributes)
{
    for (; count >= 4; count -= 4, slot += 4, pieces += 4) {
        engine_store(&slot[0], ptf_leaf(pieces[0].phys, 0, attributes));
        engine_store(&slot[1], ptf_leaf(pieces[1].phys, 0, attributes));
        engine_store(&slot[2], ptf_leaf(pieces[2].phys, 0, attributes));
        engine_store(&slot[3], ptf_leaf(pieces[3].phys, 0, attributes));
    }
    for (; count > 0; count--, slot++, pieces++)
        engine_store(slot, ptf_leaf(pieces->phys, 0, attributes));
}

/** Writes single pages that entries can hold, as far as the leaf table goes; returns how many. */
ENGINE_INLINE unsigned engine_list_pages(struct engine_list *list,
                                         const struct sluice_dma_segment *pieces, unsigned count)
{
    unsigned room;
    pt_entry *slot = engine_list_slot(list, &room);
    const unsigned most = count < room ? count : room;

    if (most == 0 || !engine_likely(engine_any(slot, most) == 0))
        return 0;
    engine_fill_pieces(slot, pieces, most, list->attributes);
    engine_clean(list->pt, slot, most);
    list->iova += (sluice_iova_t)most << PTF_GRANULE_LG2;
    return most;
}

static enum sluice_status engine_map_list(struct pagetable *pt, sluice_iova_t iova,
                                          const struct pt_list *what, uint32_t prot,
                                          struct pt_gather *gather)
{
    struct engine_list list = {.pt = pt, .gather = gather, .iova = iova};
    /* A page's size and nothing else in any length: each is a page. */
    const bool pages = what->lengths == engine_size(0) && iova <= pt->last &&
                       pt->last - iova >= what->bytes - 1 && what->addresses <= pt->phys_last;
    enum sluice_status status = SLUICE_OK;

    list.attributes = ptf_leaf_attributes(&pt->config, prot);
    for (unsigned done = 0; done < what->count;) {
        const struct sluice_dma_segment *piece = &what->pieces[done++];

        /* Like any other map, which also makes the table that pages behind it may be put into. */
        status = engine_map(pt, list.iova, piece->phys, piece->bytes, prot, gather);
        if (status != SLUICE_OK)
            break;
        list.iova += piece->bytes;
        if (pages)
            done += engine_list_pages(&list, &what->pieces[done], what->count - done);
    }
    if (status != SLUICE_OK && list.iova != iova)
        (void)engine_clear(pt, iova, list.iova - 1, false, gather);
    return status;
}

#endif
