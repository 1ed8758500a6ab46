// SPDX-License-Identifier: MIT
/*
 * Engine, part 1: finding the way down, and reading what is there. See engine.h.
 */
#ifndef SLUICE_PAGETABLE_ENGINE_WALK_H
#define SLUICE_PAGETABLE_ENGINE_WALK_H

/** A table entry that another CPU has linked but not yet cleaned: cleans it in its place. */
ENGINE_COLD void engine_make_ready(const struct pagetable *pt, pt_entry *slot)
{
    engine_clean(pt, slot, 1);
    /* Release: who sees the bit may take the entry as visible to the unit. */
    atomic_fetch_or_explicit(slot, PTF_READY, memory_order_release);
}

/** The table that `entry`, read from `slot`, points at; NULL when it points at none. */
ENGINE_INLINE pt_entry *engine_enter(const struct pagetable *pt, pt_entry *slot, uint64_t entry,
                                     unsigned level)
{
    if (!engine_likely((entry & PTF_READY) != 0)) {
        if (!ptf_is_table(entry, level))
            return NULL;
        engine_make_ready(pt, slot);
    }
    return engine_virt(pt, ptf_table_phys(entry));
}

/** One level down the fast path; false where the path does not go on or is not that simple. */
ENGINE_INLINE bool engine_fast_down(const struct pagetable *pt, sluice_iova_t iova, unsigned level,
                                    unsigned levels, pt_entry **table)
{
    uint64_t entry;

    if (level >= levels)
        return true;
    entry = engine_load(&(*table)[engine_index(iova, level, levels)]);
    *table = (pt_entry *)((uintptr_t)ptf_table_phys(entry) + pt->linear_base);
    return engine_likely((entry & PTF_READY) != 0);
}

/** With `levels` a constant every shift is one too, and the levels that aren't there vanish. */
ENGINE_INLINE bool engine_fast_slot_of(const struct pagetable *pt, sluice_iova_t iova,
                                       unsigned levels, pt_entry **out_slot)
{
    pt_entry *table = engine_root(pt);

    if (!engine_fast_down(pt, iova, 5, levels, &table) ||
        !engine_fast_down(pt, iova, 4, levels, &table) ||
        !engine_fast_down(pt, iova, 3, levels, &table) ||
        !engine_fast_down(pt, iova, 2, levels, &table) ||
        !engine_fast_down(pt, iova, 1, levels, &table))
        return false;
    *out_slot = &table[engine_index(iova, 0, levels)];
    return true;
}

/**
 * The level 0 slot of an IOVA, found without a call and without a loop, where tables are in a
 * direct map. False: there is no table there, or it takes the long way.
 */
ENGINE_INLINE bool engine_fast_slot(const struct pagetable *pt, sluice_iova_t iova,
                                    pt_entry **out_slot)
{
    /* Four levels are the usual number. Left to itself a compiler puts another number's walk in the
     * middle of this path in one format and not in the next. */
    if (engine_likely(pt->fast_levels == 4))
        return engine_fast_slot_of(pt, iova, 4, out_slot);
    if (pt->fast_levels == 3)
        return engine_fast_slot_of(pt, iova, 3, out_slot);
    return pt->fast_levels == 5 && engine_fast_slot_of(pt, iova, 5, out_slot);
}

/** The level 0 slot of an IOVA; NULL when there is no table, or a large page in its place. */
static pt_entry *engine_leaf_slot(const struct pagetable *pt, sluice_iova_t iova)
{
    const unsigned levels = pt->config.levels;
    pt_entry *table = engine_root(pt);

    for (unsigned level = levels - 1; level > 0 && table != NULL; level--) {
        pt_entry *slot = &table[engine_index(iova, level, levels)];

        table = engine_enter(pt, slot, engine_load(slot), level);
    }
    return table == NULL ? NULL : &table[engine_index(iova, 0, levels)];
}

/**
 * `count` entries of a leaf table ORed: 0 where every one is empty. Four at a time: a loop of an
 * entry a round is so short that what it costs depends on where the linker puts it, by a third.
 */
ENGINE_INLINE uint64_t engine_any(const pt_entry *slot, unsigned count)
{
    uint64_t any = 0;

    for (; count >= 4; count -= 4, slot += 4)
        any |= engine_peek(&slot[0]) | engine_peek(&slot[1]) | engine_peek(&slot[2]) |
               engine_peek(&slot[3]);
    if ((count & 2) != 0) {
        any |= engine_peek(&slot[0]) | engine_peek(&slot[1]);
        slot += 2;
    }
    if ((count & 1) != 0)
        any |= engine_peek(slot);
    return any;
}

/** Whether [iova, last] is inside one leaf table but not the whole of it. */
ENGINE_INLINE bool engine_within_leaf_table(sluice_iova_t iova, sluice_iova_t last)
{
    return ((iova ^ last) >> engine_shift(1)) == 0 && last - iova != engine_size(1) - 1;
}

/** Whether the entry of this level at `iova` lies in [iova, last] with all it covers. */
static inline bool engine_covered(sluice_iova_t iova, sluice_iova_t last, unsigned level)
{
    return (iova & (engine_size(level) - 1)) == 0 && last - iova >= engine_size(level) - 1;
}

/** Where a walk stands: `run` entries from `slot` lie in one table and in the range. */
struct engine_step {
    pt_entry *slot;
    unsigned level;
    unsigned run;
};

/**
 * Goes down to the entry at `iova` that is no table, or with `whole` to the first table that
 * [iova, last] covers.
 */
static struct engine_step engine_seek(const struct pagetable *pt, sluice_iova_t iova,
                                      sluice_iova_t last, bool whole)
{
    const unsigned levels = pt->config.levels;
    pt_entry *table = engine_root(pt);
    struct engine_step step;

    for (step.level = levels - 1;; step.level--) {
        step.slot = &table[engine_index(iova, step.level, levels)];
        if (step.level == 0 || (whole && engine_covered(iova, last, step.level)))
            break;
        table = engine_enter(pt, step.slot, engine_load(step.slot), step.level);
        if (table == NULL)
            break;
    }
    step.run = engine_run(pt, iova, last, step.level);
    return step;
}

/** The page at `iova`: its level, entry and slot; level 0 also when nothing is mapped. */
static struct engine_step engine_page_at(const struct pagetable *pt, sluice_iova_t iova,
                                         uint64_t *out_entry)
{
    for (;;) {
        struct engine_step step = engine_seek(pt, iova, iova, false);

        *out_entry = engine_load(step.slot);
        /* A table: another CPU put it there just now. */
        if (!ptf_is_table(*out_entry, step.level))
            return step;
    }
}

/** The IOVA where the entry `index` entries after that of `iova` begins. */
static inline sluice_iova_t engine_nth(sluice_iova_t iova, unsigned index, unsigned level)
{
    if (index == 0)
        return iova;
    return (iova & ~(engine_size(level) - 1)) + ((uint64_t)index << engine_shift(level));
}

/** Mapped entries in a step, up to the next table; *out_done is how many entries were read. */
static unsigned engine_count_present(const struct engine_step *step, unsigned *out_done)
{
    unsigned present = 0, i;

    for (i = 0; i < step->run; i++) {
        uint64_t entry = engine_load(&step->slot[i]);

        if (step->level > 0 && ptf_is_table(entry, step->level))
            break;
        present += ptf_present(entry);
    }
    *out_done = i;
    return present;
}

/**
 * How much of [iova, last] is mapped, in bytes of whole pages; with `any` it stops at the first
 * page found. Bounded by the tables there are: a missing table is one step.
 */
static uint64_t engine_mapped_bytes(const struct pagetable *pt, sluice_iova_t iova,
                                    sluice_iova_t last, bool any)
{
    uint64_t bytes = 0;

    for (;;) {
        struct engine_step step = engine_seek(pt, iova, last, false);
        unsigned done;

        bytes += (uint64_t)engine_count_present(&step, &done) << engine_shift(step.level);
        if (any && bytes != 0)
            return bytes;
        /* Another CPU may have put a table there since: then nothing was read, and the next
         * round goes into it. */
        if (done == 0)
            continue;
        if (last - iova < engine_nth(iova, done, step.level) - iova)
            return bytes;
        iova = engine_nth(iova, done, step.level);
        if (iova == 0)
            return bytes;
    }
}

/* ---- lookup ---- */

ENGINE_INLINE enum sluice_status engine_lookup_leaf(uint64_t entry, unsigned level,
                                                    sluice_iova_t iova, struct sluice_mapping *out)
{
    const uint64_t size = engine_size(level);

    if (!ptf_present(entry))
        return SLUICE_ERR_NOT_FOUND;
    out->phys = ptf_leaf_phys(entry, level) + (iova & (size - 1));
    out->page_bytes = size;
    out->prot = ptf_leaf_prot(entry);
    return SLUICE_OK;
}

/** The lookup where the path ends above level 0, or takes the long way. */
static __attribute__((noinline)) enum sluice_status
engine_lookup_slow(const struct pagetable *pt, sluice_iova_t iova, struct sluice_mapping *out)
{
    const unsigned levels = pt->config.levels;
    pt_entry *table = engine_root(pt);
    uint64_t entry;
    unsigned level = levels;

    if (iova > pt->last)
        return SLUICE_ERR_NOT_FOUND;
    do {
        level--;
        entry = engine_load(&table[engine_index(iova, level, levels)]);
        if (ptf_is_table(entry, level))
            table = engine_virt(pt, ptf_table_phys(entry));
    } while (ptf_is_table(entry, level));
    return engine_lookup_leaf(entry, level, iova, out);
}

ENGINE_HOT enum sluice_status engine_lookup(const struct pagetable *pt, sluice_iova_t iova,
                                            struct sluice_mapping *out)
{
    pt_entry *slot;

    if (iova > pt->last || !engine_fast_slot(pt, iova, &slot))
        return engine_lookup_slow(pt, iova, out);
    return engine_lookup_leaf(atomic_load_explicit(slot, memory_order_relaxed), 0, iova, out);
}

/** Index of the first entry of a step that maps, or where it ends: at its run or at a table. */
static unsigned engine_first_present(const struct engine_step *step, uint64_t *out_entry)
{
    unsigned i;

    for (i = 0; i < step->run; i++) {
        *out_entry = engine_load(&step->slot[i]);
        if (ptf_present(*out_entry))
            break;
    }
    return i;
}

static enum sluice_status engine_find(const struct pagetable *pt, sluice_iova_t first,
                                      sluice_iova_t last, sluice_iova_t *out_iova,
                                      struct sluice_mapping *out)
{
    sluice_iova_t iova = first;

    if (last > pt->last)
        last = pt->last;
    while (iova <= last) {
        struct engine_step step = engine_seek(pt, iova, last, false);
        uint64_t entry = 0;
        unsigned done = engine_first_present(&step, &entry);
        sluice_iova_t next = engine_nth(iova, done, step.level);

        if (done < step.run && !(step.level > 0 && ptf_is_table(entry, step.level))) {
            *out_iova = next;
            return engine_lookup_leaf(entry, step.level, next, out);
        }
        /* Past the last one, or around the end of all addresses. A table that came since is gone
         * into by the next round, from where it begins. */
        if (last - iova < next - iova || (done != 0 && next == 0))
            break;
        iova = next;
    }
    return SLUICE_ERR_NOT_FOUND;
}

#endif
