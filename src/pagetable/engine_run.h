// SPDX-License-Identifier: MIT
/*
 * Engine, part 2: runs. See engine.h.
 *
 * A run is an aligned group of entries that say the same about aligned, contiguous memory, and that
 * carry a hint for the unit that it may cache all of them as one. The unit believes any one of the
 * entries: as long as one has the hint, it may translate what the others were for. So nothing of a
 * run is gone before all of its entries have lost the hint.
 *
 * - Entries become a run when one call fills all of them, empty before, in a table below the root.
 *   Nobody else can want one of them then. Nothing becomes a run later.
 * - They carry PTF_RUN_MARK besides, which hardware ignores and which stays until they are cleared.
 * - Clearing a whole run is clearing its entries.
 * - Who clears a part first takes the hint from every entry of the run ("breaks" it). It is not
 *   enough that another CPU has begun to: the mark in one's own entries says that there was a run,
 *   and so every caller who clears a part goes through all of it before its own flush.
 * - The part's flush drops the whole run. The architecture asks for that [Arm ARM D8.7.1], and a
 *   unit that cached single entries with the hint would else keep them beside what comes.
 *
 * Races. Callers own disjoint parts of a run, so each may be at any of these in another's entries:
 * - Both break it: the hint is taken by an atomic AND, so neither brings anything back.
 * - One breaks while the other clears its own entries by plain stores of 0: an AND of 0 is 0.
 * - One breaks while the other has cleared its entries, flushed, and maps something new there: that
 *   has no hint, since a run takes all of the entries, and an AND of the hint changes nothing else.
 * - One splits its large page while the other breaks: the compare-and-swap fails and is tried
 *   again, since the entry differs in the hint. The pages below carry neither hint nor mark: by
 * then the run was broken, and an invalidation by address drops whatever translates that address.
 * - The unit reads while the hint goes: some entries have it, some have not, some are not valid.
 * That is what PTF_CAN_BREAK stands for; no two of them ever lead to different memory. For a unit
 * that does not snoop each who breaks cleans all entries, as another may not have yet.
 *
 * Orders: none is needed between the hints and the entries that are cleared. All of these stores
 * come before the fence of the flush that follows them (see engine.h), and until it is complete the
 * unit may go by any of them.
 */
#ifndef SLUICE_PAGETABLE_ENGINE_RUN_H
#define SLUICE_PAGETABLE_ENGINE_RUN_H

#ifndef PTF_RUN_MARK /* a format without runs */
#define PTF_RUN_HINT  ((uint64_t)0)
#define PTF_RUN_MARK  ((uint64_t)0)
#define PTF_CAN_BREAK false

static inline unsigned ptf_run_lg2(unsigned level)
{
    (void)level;
    return 0;
}
#endif

#define ENGINE_RUN_BITS (PTF_RUN_HINT | PTF_RUN_MARK)

/** Entries [first, end) of those that are filled are whole runs; end 0: none is. */
struct engine_runs {
    unsigned first, end;
};

static inline uint64_t engine_run_bytes(unsigned level)
{
    return engine_size(level) << ptf_run_lg2(level);
}

/** The runs among `count` entries of one table, which lead from `iova` on to `phys`. */
static inline struct engine_runs engine_runs_in(const struct pagetable *pt, sluice_iova_t iova,
                                                sluice_phys_t phys, unsigned count, unsigned level,
                                                bool may)
{
    uint64_t entries, index, first, end;

    if (PTF_RUN_MARK == 0 || !may || (pt->run_sizes & engine_run_bytes(level)) == 0 ||
        ((iova ^ phys) & (engine_run_bytes(level) - 1)) != 0)
        return (struct engine_runs){0, 0};
    entries = (uint64_t)1 << ptf_run_lg2(level);
    index = iova >> engine_shift(level);
    first = (index + entries - 1) & ~(entries - 1);
    end = (index + count) & ~(entries - 1);
    if (first >= end)
        return (struct engine_runs){0, 0};
    return (struct engine_runs){(unsigned)(first - index), (unsigned)(end - index)};
}

ENGINE_INLINE bool engine_is_of_run(const pt_entry *slot)
{
    return PTF_RUN_MARK != 0 &&
           (atomic_load_explicit(slot, memory_order_relaxed) & PTF_RUN_MARK) != 0;
}

/** Whether a run sticks out of `count` entries of a leaf table, the first of which is for `iova`.
 */
ENGINE_INLINE bool engine_sticks_out(const pt_entry *slot, unsigned count, sluice_iova_t iova)
{
    const uint64_t mask = engine_run_bytes(0) - 1;
    const sluice_iova_t end = iova + ((sluice_iova_t)count << PTF_GRANULE_LG2);

    return ((iova & mask) != 0 && engine_is_of_run(slot)) ||
           ((end & mask) != 0 && engine_is_of_run(&slot[count - 1]));
}

/**
 * Whether `edge` lies inside a run; `iova` is the address on the inner side of it. *out_step is its
 * entry.
 */
static bool engine_run_at(const struct pagetable *pt, sluice_iova_t iova, sluice_iova_t edge,
                          struct engine_step *out_step)
{
    uint64_t entry;

    if (PTF_RUN_MARK == 0)
        return false;
    *out_step = engine_page_at(pt, iova, &entry);
    return (entry & PTF_RUN_MARK) != 0 && (edge & (engine_run_bytes(out_step->level) - 1)) != 0;
}

/** Breaks the run that `edge` lies in, if there is one. */
static void engine_break_at(struct pagetable *pt, sluice_iova_t iova, sluice_iova_t edge,
                            struct pt_gather *gather)
{
    struct engine_step step;
    struct pt_range range;
    pt_entry *first;
    size_t entries;

    if (!engine_run_at(pt, iova, edge, &step))
        return;
    entries = (size_t)1 << ptf_run_lg2(step.level);
    first = step.slot - ((iova >> engine_shift(step.level)) & (entries - 1));
    for (size_t i = 0; i < entries; i++) {
        /* Relaxed, both: see the head. Only what has the hint is written. */
        if ((atomic_load_explicit(&first[i], memory_order_relaxed) & PTF_RUN_HINT) != 0)
            atomic_fetch_and_explicit(&first[i], ~PTF_RUN_HINT, memory_order_relaxed);
    }
    engine_clean(pt, first, entries);
    range = (struct pt_range){.first = iova & ~(engine_run_bytes(step.level) - 1),
                              .last = iova | (engine_run_bytes(step.level) - 1),
                              .page_lg2 = (uint8_t)engine_shift(step.level)};
    pt_gather_add(gather, &range);
}

#endif
