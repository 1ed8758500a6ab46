// SPDX-License-Identifier: MIT
/*
 * Bounce memory: taking and giving the pages of one mapping. See bounce.h.
 */
#include "dma/bounce.h"

#define REPORT_EVERY_NS ((uint64_t)5000000000)

struct run_want {
    sluice_phys_t original;
    uint64_t bytes;
    uint64_t offset; /**< in the first page of the granule */
    uint32_t pages;
    unsigned align_lg2; /**< of the first page, in pages */
};

/** A free run in a block's map: bit i of `run` says that `count` pages from i on are free. */
static bool find_free(uint64_t free, unsigned count, unsigned align_lg2, unsigned *out)
{
    static const uint64_t aligned[] = {UINT64_MAX,
                                       0x5555555555555555,
                                       0x1111111111111111,
                                       0x0101010101010101,
                                       0x0001000100010001,
                                       0x0000000100000001,
                                       1};
    uint64_t run = free;

    for (unsigned have = 1; have < count;) {
        unsigned step = have < count - have ? have : count - have;

        run &= run >> step;
        have += step;
    }
    run &= aligned[align_lg2];
    if (run == 0)
        return false;
    *out = (unsigned)__builtin_ctzll(run);
    return true;
}

static uint64_t mask_of(unsigned first, unsigned count)
{
    return (UINT64_MAX >> (64 - count)) << first;
}

static struct bounce_run *fill_run(struct bounce_block *block, unsigned first,
                                   const struct run_want *want)
{
    struct bounce_run *run = &block->runs[block->run_count > 1 ? first : 0];

    /* Every page of the run leads to its first; see bounce_find. */
    if (block->run_count > 1) {
        for (unsigned i = 0; i < want->pages; i++)
            block->runs[first + i].first = first;
    }
    run->block = block;
    run->first = first;
    run->pages = want->pages;
    run->original = want->original;
    run->phys = bounce_page(run) + want->offset;
    run->bytes = want->bytes;
    return run;
}

static struct bounce_run *take_from(struct bounce_area *area, const struct run_want *want)
{
    struct bounce_run *run = NULL;
    sluice_irqstate_t irq = sluice_spin_lock(&area->lock);

    list_for_each(node, &area->blocks)
    {
        struct bounce_block *block = container_of(node, struct bounce_block, node);
        unsigned first;

        if (block->free == 0 || !find_free(block->free, want->pages, want->align_lg2, &first))
            continue;
        block->free &= ~mask_of(first, want->pages);
        run = fill_run(block, first, want);
        break;
    }
    sluice_spin_unlock(&area->lock, irq);
    return run;
}

static struct bounce_run *take_from_any(struct bounce_pool *pool, const struct run_want *want)
{
    struct bounce_run *run = NULL;

    for (unsigned i = 0; i < pool->area_count && run == NULL; i++)
        run = take_from(&pool->areas[i], want);
    return run;
}

static uint64_t load(atomic_uint_fast64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

static void count_used(struct bounce *bounce, const struct bounce_run *run)
{
    uint64_t bytes = (uint64_t)run->pages << SLUICE_PAGE_LG2;
    uint64_t used =
        atomic_fetch_add_explicit(&bounce->used_bytes, bytes, memory_order_relaxed) + bytes;
    uint64_t most = load(&bounce->used_most);

    while (most < used &&
           !atomic_compare_exchange_weak_explicit(&bounce->used_most, &most, used,
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
}

/** Says what was wanted and what there is, now and then. */
static void report_exhausted(struct bounce_pool *pool, const struct run_want *want,
                             enum sluice_status status)
{
    struct bounce *bounce = pool->bounce;
    uint64_t now = host_now_ns(bounce->sluice);
    uint64_t last = load(&bounce->reported_ns);

    atomic_fetch_add_explicit(&bounce->exhausted, 1, memory_order_relaxed);
    if ((last != 0 && now - last < REPORT_EVERY_NS) ||
        !atomic_compare_exchange_strong_explicit(&bounce->reported_ns, &last, now,
                                                 memory_order_relaxed, memory_order_relaxed))
        return;
    log_error(bounce->sluice,
              "no bounce memory for %llu bytes below %#llx: %s; %llu of %llu KiB held are in use, "
              "the limit is %llu KiB; raise bounce_limit_bytes, or map less at a time",
              (unsigned long long)want->bytes, (unsigned long long)pool->last,
              sluice_status_text(status), (unsigned long long)(load(&bounce->used_bytes) >> 10),
              (unsigned long long)(load(&bounce->bytes) >> 10),
              (unsigned long long)(bounce->limit_bytes >> 10));
}

static enum sluice_status take_long(struct bounce_pool *pool, struct bounce_area *area,
                                    const struct run_want *want, struct bounce_run **out)
{
    struct bounce_block *block;
    enum sluice_status status = block_create(pool, area, want->pages, &block);

    if (status == SLUICE_OK)
        *out = fill_run(block, 0, want);
    return status;
}

static enum sluice_status take_short(struct bounce_pool *pool, struct bounce_area *area,
                                     const struct run_want *want, struct bounce_run **out)
{
    enum sluice_status status = SLUICE_OK;
    struct bounce_block *block;

    *out = take_from(area, want);
    /* Others may empty what was just added, but not for ever: the limit ends it. */
    while (*out == NULL && status == SLUICE_OK) {
        status = block_create(pool, area, want->pages, &block);
        if (status == SLUICE_OK)
            *out = take_from(area, want);
    }
    if (*out == NULL)
        *out = take_from_any(pool, want);
    return *out != NULL ? SLUICE_OK : status;
}

enum sluice_status bounce_take(struct bounce_pool *pool, sluice_phys_t original, uint64_t bytes,
                               unsigned granule_lg2, struct bounce_run **out)
{
    uint64_t mask = ((uint64_t)1 << granule_lg2) - 1;
    struct run_want want = {.original = original, .bytes = bytes, .offset = original & mask};
    enum sluice_status status = SLUICE_ERR_NO_SPACE;
    struct bounce_area *area;
    sluice_irqstate_t state;
    unsigned cpu;

    state = sluice_cpu_enter(&cpu);
    sluice_cpu_leave(state);
    area = &pool->areas[cpu % pool->area_count];
    want.align_lg2 = granule_lg2 - SLUICE_PAGE_LG2;
    if (bytes <= pool->bounce->limit_bytes && want.align_lg2 <= BOUNCE_BLOCK_LG2) {
        want.pages = (uint32_t)(((want.offset + bytes + mask) & ~mask) >> SLUICE_PAGE_LG2);
        status = want.pages <= BOUNCE_BLOCK_PAGES ? take_short(pool, area, &want, out)
                                                  : take_long(pool, area, &want, out);
    }
    if (status == SLUICE_OK)
        count_used(pool->bounce, *out);
    else
        report_exhausted(pool, &want, status);
    return status;
}

void bounce_give(struct bounce_run *run)
{
    struct bounce_block *block = run->block;
    struct bounce_area *area = block->area;
    bool alone = block->order > BOUNCE_BLOCK_LG2;
    sluice_irqstate_t irq;

    atomic_fetch_sub_explicit(&block->pool->bounce->used_bytes,
                              (uint64_t)run->pages << SLUICE_PAGE_LG2, memory_order_relaxed);
    irq = sluice_spin_lock(&area->lock);
    run->bytes = 0;
    if (alone)
        list_remove(&block->node);
    else
        block->free |= mask_of(run->first, run->pages);
    sluice_spin_unlock(&area->lock, irq);
    if (alone)
        block_free(block);
}

void bounce_withhold(struct bounce_run *run)
{
    struct bounce_block *block = run->block;
    struct bounce *bounce = block->pool->bounce;
    sluice_irqstate_t irq = sluice_spin_lock(&block->area->lock);
    bool first = !block->withheld;

    block->withheld = true;
    run->bytes = 0; /* not found any more, and its pages stay taken */
    sluice_spin_unlock(&block->area->lock, irq);
    atomic_fetch_add_explicit(&bounce->withheld_bytes, (uint64_t)run->pages << SLUICE_PAGE_LG2,
                              memory_order_relaxed);
    if (first)
        atomic_fetch_add_explicit(&bounce->sluice->withheld_pages, block->page_count,
                                  memory_order_relaxed);
}
