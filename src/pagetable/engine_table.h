// SPDX-License-Identifier: MIT
/*
 * Engine, part 5: making a page table and giving tables back. See engine.h.
 */
#ifndef SLUICE_PAGETABLE_ENGINE_TABLE_H
#define SLUICE_PAGETABLE_ENGINE_TABLE_H

/** A table on the way down through a subtree, and the entry to look at next. */
struct engine_frame {
    struct sluice_pages pages;
    unsigned index;
};

/** The leaf tables from entry `index` of a table of level 1 on; returns how many there are. */
ENGINE_HOT uint64_t engine_drop_leaf_tables(struct pagetable *pt, const pt_entry *table,
                                            unsigned index, bool keep)
{
    uint64_t tables = 0;

    for (; index < PTF_ENTRIES; index++) {
        uint64_t entry = engine_load(&table[index]);
        sluice_phys_t phys = ptf_table_phys(entry);

        if (!ptf_is_table(entry, 1))
            continue;
        if (!keep)
            engine_table_free(pt, (struct sluice_pages){engine_virt(pt, phys), phys});
        tables++;
    }
    return tables;
}

/**
 * Frees the table `pages` of `level` and all below it, without what hangs on the entries before
 * `index`; or, with `keep`, only counts. Returns the pages of 4 KiB in it.
 */
static uint64_t engine_drop_subtree(struct pagetable *pt, struct sluice_pages pages, unsigned level,
                                    unsigned index, bool keep)
{
    struct engine_frame frames[PTF_LEVELS_MAX];
    uint64_t tables = 0;
    unsigned at = level;

    frames[at] = (struct engine_frame){pages, index};
    while (at <= level) {
        struct engine_frame *frame = &frames[at];
        const pt_entry *table = frame->pages.virt;
        uint64_t entry;

        if (at <= 1 || frame->index == PTF_ENTRIES) {
            if (at == 1)
                tables += engine_drop_leaf_tables(pt, table, frame->index, keep);
            if (!keep)
                engine_table_free(pt, frame->pages);
            tables++;
            at++;
            continue;
        }
        entry = engine_load(&table[frame->index++]);
        if (ptf_is_table(entry, at)) {
            sluice_phys_t phys = ptf_table_phys(entry);

            frames[--at] = (struct engine_frame){{engine_virt(pt, phys), phys}, 0};
        }
    }
    if (!keep)
        engine_count_tables(pt, -(int64_t)tables);
    return tables << (PTF_GRANULE_LG2 - SLUICE_PAGE_LG2);
}

/** Empties the gather; returns how many pages hung on it. */
static uint64_t engine_drop_gathered(struct pagetable *pt, struct pt_gather *gather, bool keep)
{
    sluice_phys_t phys = gather->freed;
    uint64_t count = 0;

    while (phys != 0) {
        struct sluice_pages pages = {.virt = engine_virt(pt, phys), .phys = phys};
        uint64_t link = engine_load(pages.virt);
        unsigned level = (unsigned)(link >> CHAIN_LEVEL_SHIFT) & CHAIN_LEVEL_MASK;

        /* What the link overwrote is a node of the chain itself. */
        count += engine_drop_subtree(pt, pages, level, 1, keep);
        phys = link & CHAIN_ADDRESS_MASK;
    }
    pt_gather_init(gather);
    return count;
}

static void engine_release(struct pagetable *pt, struct pt_gather *gather)
{
    (void)engine_drop_gathered(pt, gather, false);
}

static uint64_t engine_withhold(struct pagetable *pt, struct pt_gather *gather)
{
    return engine_drop_gathered(pt, gather, true);
}

static void engine_destroy(struct pagetable *pt)
{
    const pt_entry *root = engine_root(pt);
    const unsigned level = pt->config.levels - 1;

    for (unsigned i = 0; i < engine_entries(pt, level); i++) {
        uint64_t entry = engine_load(&root[i]);
        sluice_phys_t phys = ptf_table_phys(entry);

        if (ptf_is_table(entry, level))
            (void)engine_drop_subtree(pt, (struct sluice_pages){engine_virt(pt, phys), phys},
                                      level - 1, 0, false);
    }
    host_pages_free(pt->sluice, (struct sluice_pages){pt->root, pt->root_phys}, pt->root_order);
    atomic_fetch_sub_explicit(&pt->table_pages, (uint64_t)1 << pt->root_order,
                              memory_order_relaxed);
    pt->root = NULL;
    pt->root_phys = 0;
}

/** Page sizes that can be used: a large page can only be split if the next smaller one can. */
static uint64_t engine_page_sizes(const struct pt_config *config)
{
    uint64_t usable = 0;

    for (unsigned level = 0; level < config->levels; level++) {
        if ((config->page_sizes & PTF_PAGE_SIZES & engine_size(level)) == 0)
            break;
        usable |= engine_size(level);
    }
    return usable;
}

/** Sizes of runs. Those of the root's entries are left out: it may be narrower than a run. */
static uint64_t engine_run_sizes(const struct pagetable *pt)
{
    uint64_t sizes = 0;

    for (unsigned level = 0; level + 1 < pt->config.levels; level++) {
        if (ptf_run_lg2(level) != 0 && (pt->config.page_sizes & engine_size(level)) != 0)
            sizes |= engine_run_bytes(level);
    }
    return sizes;
}

static bool engine_config_possible(const struct pt_config *config)
{
    unsigned width;

    if (config->levels < PTF_LEVELS_MIN || config->levels > PTF_LEVELS_MAX)
        return false;
    width = engine_shift(config->levels) + PTF_ROOT_EXTRA_BITS - PTF_SIGN_BITS;
    return config->iova_bits >= PTF_GRANULE_LG2 && config->iova_bits <= width &&
           config->iova_bits < 64 && config->phys_bits > PTF_GRANULE_LG2 &&
           config->phys_bits <= PTF_PHYS_BITS_MAX && engine_page_sizes(config) != 0;
}

/** log2 of the root in 4 KiB pages: at least one table, more where roots may be wider. */
static unsigned engine_root_order(const struct pt_config *config)
{
#ifdef PTF_ROOT_WHOLE
    (void)config;
    return PTF_GRANULE_LG2 - SLUICE_PAGE_LG2 + PTF_ROOT_EXTRA_BITS;
#else
    unsigned width = engine_shift(config->levels);
    unsigned extra = config->iova_bits > width ? config->iova_bits - width : 0;

    return PTF_GRANULE_LG2 - SLUICE_PAGE_LG2 + extra;
#endif
}

static enum sluice_status engine_create(struct sluice *sluice, const struct pt_config *config,
                                        struct pagetable *pt)
{
    struct sluice_pages root;

    if (!engine_config_possible(config))
        return SLUICE_ERR_UNSUPPORTED;
    if (!config->coherent && sluice->ops->cache_clean == NULL)
        return SLUICE_ERR_UNSUPPORTED;
    pt->format = config->format;
    pt->sluice = sluice;
    pt->config = *config;
    pt->config.page_sizes = engine_page_sizes(config);
    pt->run_sizes = engine_run_sizes(pt);
    pt->linear_base = sluice->config.linear_base;
    pt->fast_levels = sluice->config.linear_map && config->coherent ? config->levels : 0;
    pt->last = ((uint64_t)1 << config->iova_bits) - 1;
    pt->phys_last = ((uint64_t)1 << config->phys_bits) - 1;
    pt->root_order = engine_root_order(config);
    if (!host_pages_alloc(sluice, pt->root_order, config->node, &root))
        return SLUICE_ERR_NO_MEMORY;
    if (root.phys > pt->phys_last) {
        host_pages_free(sluice, root, pt->root_order);
        return SLUICE_ERR_NO_MEMORY;
    }
    pt->root = root.virt;
    pt->root_phys = root.phys;
    atomic_init(&pt->table_pages, (uint64_t)1 << pt->root_order);
    engine_clean(pt, engine_root(pt),
                 (size_t)PTF_ENTRIES << (pt->root_order + SLUICE_PAGE_LG2 - PTF_GRANULE_LG2));
    return SLUICE_OK;
}

#endif
