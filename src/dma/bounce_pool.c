// SPDX-License-Identifier: MIT
/*
 * Bounce memory: where it comes from, and finding it again by address. See bounce.h.
 */
#include "dma/aligned.h"
#include "dma/bounce.h"

#define DEFAULT_LIMIT_BYTES ((uint64_t)64 << 20)

void bounce_init(struct bounce *bounce, struct sluice *sluice)
{
    bounce->sluice = sluice;
    bounce->limit_bytes = sluice->config.bounce_limit_bytes != 0 ? sluice->config.bounce_limit_bytes
                                                                 : DEFAULT_LIMIT_BYTES;
    list_init(&bounce->pools);
    atomic_init(&bounce->lowest, UINT64_MAX);
}

/* ---- pools ---- */

static size_t areas_bytes(unsigned count)
{
    return count * sizeof(struct bounce_area);
}

enum sluice_status bounce_pool_get_locked(struct bounce *bounce, sluice_phys_t last,
                                          struct bounce_pool **out)
{
    struct sluice *sluice = bounce->sluice;
    struct bounce_pool *pool;

    list_for_each(node, &bounce->pools)
    {
        pool = container_of(node, struct bounce_pool, node);
        if (pool->last == last) {
            *out = pool;
            return SLUICE_OK;
        }
    }
    pool = host_alloc(sluice, sizeof(*pool));
    if (pool == NULL)
        return SLUICE_ERR_NO_MEMORY;
    pool->bounce = bounce;
    pool->last = last;
    pool->area_count = sluice->cpu_count;
    pool->areas = aligned_alloc_lines(sluice, areas_bytes(pool->area_count), &pool->memory);
    if (pool->areas == NULL) {
        host_free(sluice, pool, sizeof(*pool));
        return SLUICE_ERR_NO_MEMORY;
    }
    for (unsigned i = 0; i < pool->area_count; i++)
        list_init(&pool->areas[i].blocks);
    list_append(&bounce->pools, &pool->node);
    *out = pool;
    return SLUICE_OK;
}

/* ---- the index ---- */

static struct bounce_index **bucket_of(struct bounce *bounce, uint64_t key)
{
    return &bounce->buckets[(key ^ (key >> 8) ^ (key >> 16)) % BOUNCE_BUCKETS];
}

static void note_bounds(struct bounce *bounce, const struct bounce_block *block)
{
    uint64_t first = block->pages.phys;
    uint64_t last = first + ((uint64_t)block->page_count << SLUICE_PAGE_LG2) - 1;

    if (first < atomic_load_explicit(&bounce->lowest, memory_order_relaxed))
        atomic_store_explicit(&bounce->lowest, first, memory_order_relaxed);
    if (last > atomic_load_explicit(&bounce->highest, memory_order_relaxed))
        atomic_store_explicit(&bounce->highest, last, memory_order_relaxed);
}

static void index_block(struct bounce *bounce, struct bounce_block *block)
{
    sluice_irqstate_t irq = sluice_spin_lock(&bounce->index_lock);

    for (unsigned i = 0; i < block->index_count; i++) {
        uint64_t key = (block->pages.phys >> BOUNCE_INDEX_LG2) + i;
        struct bounce_index **bucket = bucket_of(bounce, key);

        block->index[i] = (struct bounce_index){.next = *bucket, .key = key, .block = block};
        *bucket = &block->index[i];
    }
    note_bounds(bounce, block);
    sluice_spin_unlock(&bounce->index_lock, irq);
}

static void unindex_block(struct bounce *bounce, struct bounce_block *block)
{
    sluice_irqstate_t irq = sluice_spin_lock(&bounce->index_lock);

    for (unsigned i = 0; i < block->index_count; i++) {
        struct bounce_index **at = bucket_of(bounce, block->index[i].key);

        while (*at != &block->index[i])
            at = &(*at)->next;
        *at = block->index[i].next;
    }
    sluice_spin_unlock(&bounce->index_lock, irq);
}

static struct bounce_block *find_block(struct bounce *bounce, sluice_phys_t phys)
{
    struct bounce_block *found = NULL;
    sluice_irqstate_t irq = sluice_spin_lock(&bounce->index_lock);
    const struct bounce_index *at = *bucket_of(bounce, phys >> BOUNCE_INDEX_LG2);

    for (; at != NULL && found == NULL; at = at->next) {
        /* Small blocks share a key. */
        if (at->key == phys >> BOUNCE_INDEX_LG2 &&
            phys - at->block->pages.phys < (uint64_t)at->block->page_count << SLUICE_PAGE_LG2)
            found = at->block;
    }
    sluice_spin_unlock(&bounce->index_lock, irq);
    return found;
}

struct bounce_run *bounce_find(struct bounce *bounce, sluice_phys_t phys)
{
    struct bounce_block *block;
    struct bounce_run *run;

    if (phys < atomic_load_explicit(&bounce->lowest, memory_order_relaxed) ||
        phys > atomic_load_explicit(&bounce->highest, memory_order_relaxed))
        return NULL;
    block = find_block(bounce, phys);
    if (block == NULL)
        return NULL;
    run = block->runs;
    if (block->run_count > 1)
        run = &block->runs[block->runs[(phys - block->pages.phys) >> SLUICE_PAGE_LG2].first];
    return run->bytes != 0 && phys >= bounce_page(run) &&
                   phys - bounce_page(run) < (uint64_t)run->pages << SLUICE_PAGE_LG2
               ? run
               : NULL;
}

/* ---- blocks ---- */

static unsigned runs_of(unsigned order)
{
    return order <= BOUNCE_BLOCK_LG2 ? 1u << order : 1;
}

static unsigned indexes_of(unsigned order)
{
    return order <= BOUNCE_BLOCK_LG2 ? 1 : 1u << (order - BOUNCE_BLOCK_LG2);
}

static size_t block_bytes(unsigned order)
{
    return sizeof(struct bounce_block) + runs_of(order) * sizeof(struct bounce_run) +
           indexes_of(order) * sizeof(struct bounce_index);
}

/** Pages that the pool's devices reach. */
static enum sluice_status alloc_pages(struct bounce_pool *pool, unsigned order,
                                      struct sluice_pages *out)
{
    struct sluice *sluice = pool->bounce->sluice;
    const struct sluice_page_request request = {
        .order = order,
        .node = -1,
        .below_4g = pool->last <= UINT32_MAX,
        .last = pool->last == UINT64_MAX ? 0 : pool->last,
    };

    if (!sluice->ops->pages_alloc(sluice->config.ctx, &request, out))
        return SLUICE_ERR_NO_MEMORY;
    if (out->phys + ((SLUICE_PAGE_BYTES << order) - 1) <= pool->last)
        return SLUICE_OK;
    host_pages_free(sluice, *out, order);
    return SLUICE_ERR_RANGE;
}

static enum sluice_status create_of_order(struct bounce_pool *pool, unsigned order,
                                          struct bounce_block **out)
{
    struct bounce *bounce = pool->bounce;
    struct bounce_block *block = host_alloc(bounce->sluice, block_bytes(order));
    enum sluice_status status;

    if (block == NULL)
        return SLUICE_ERR_NO_MEMORY;
    status = alloc_pages(pool, order, &block->pages);
    if (status != SLUICE_OK) {
        host_free(bounce->sluice, block, block_bytes(order));
        return status;
    }
    block->pool = pool;
    block->order = order;
    block->page_count = 1u << order;
    block->run_count = runs_of(order);
    block->index_count = indexes_of(order);
    block->index = (struct bounce_index *)(void *)&block->runs[block->run_count];
    if (order <= BOUNCE_BLOCK_LG2)
        block->free = UINT64_MAX >> (64 - block->page_count);
    *out = block;
    return SLUICE_OK;
}

/** Adds to the memory held, unless that would be more than the limit. */
static bool charge(struct bounce *bounce, unsigned order)
{
    uint64_t bytes = SLUICE_PAGE_BYTES << order;

    if (atomic_fetch_add_explicit(&bounce->bytes, bytes, memory_order_relaxed) + bytes <=
        bounce->limit_bytes)
        return true;
    atomic_fetch_sub_explicit(&bounce->bytes, bytes, memory_order_relaxed);
    return false;
}

static void uncharge(struct bounce *bounce, unsigned order)
{
    atomic_fetch_sub_explicit(&bounce->bytes, SLUICE_PAGE_BYTES << order, memory_order_relaxed);
}

static unsigned order_of(uint64_t pages)
{
    return pages <= 1 ? 0 : 64u - (unsigned)__builtin_clzll(pages - 1);
}

enum sluice_status block_create(struct bounce_pool *pool, struct bounce_area *area, uint64_t pages,
                                struct bounce_block **out)
{
    struct bounce *bounce = pool->bounce;
    unsigned needed = order_of(pages);
    unsigned order = needed < BOUNCE_BLOCK_LG2 ? BOUNCE_BLOCK_LG2 : needed;
    enum sluice_status status;
    sluice_irqstate_t irq;

    if ((SLUICE_PAGE_BYTES << needed) > bounce->limit_bytes)
        return SLUICE_ERR_NO_SPACE;
    /* A smaller block is better than none. */
    do {
        status = SLUICE_ERR_NO_SPACE;
        if (!charge(bounce, order))
            continue;
        status = create_of_order(pool, order, out);
        if (status != SLUICE_OK)
            uncharge(bounce, order);
    } while (status != SLUICE_OK && order-- > needed);
    if (status != SLUICE_OK)
        return status;
    (*out)->area = area;
    index_block(bounce, *out);
    irq = sluice_spin_lock(&area->lock);
    list_append(&area->blocks, &(*out)->node);
    sluice_spin_unlock(&area->lock, irq);
    return SLUICE_OK;
}

void block_free(struct bounce_block *block)
{
    struct bounce *bounce = block->pool->bounce;

    unindex_block(bounce, block);
    uncharge(bounce, block->order);
    host_pages_free(bounce->sluice, block->pages, block->order);
    host_free(bounce->sluice, block, block_bytes(block->order));
}

/* ---- giving back ---- */

static bool is_unused(const struct bounce_block *block)
{
    return block->order <= BOUNCE_BLOCK_LG2 &&
           block->free == UINT64_MAX >> (64 - block->page_count);
}

/** Takes an unused block out of an area; NULL when there is none. */
static struct bounce_block *unlink_unused(struct bounce_area *area)
{
    struct bounce_block *found = NULL;
    sluice_irqstate_t irq = sluice_spin_lock(&area->lock);

    list_for_each(node, &area->blocks)
    {
        struct bounce_block *block = container_of(node, struct bounce_block, node);

        if (is_unused(block)) {
            found = block;
            list_remove(&block->node);
            break;
        }
    }
    sluice_spin_unlock(&area->lock, irq);
    return found;
}

void bounce_trim(struct bounce *bounce)
{
    list_for_each(node, &bounce->pools)
    {
        struct bounce_pool *pool = container_of(node, struct bounce_pool, node);

        for (unsigned i = 0; i < pool->area_count; i++) {
            struct bounce_block *block;

            while ((block = unlink_unused(&pool->areas[i])) != NULL)
                block_free(block);
        }
    }
}

static void clear_pool(struct bounce_pool *pool)
{
    struct sluice *sluice = pool->bounce->sluice;

    for (unsigned i = 0; i < pool->area_count; i++) {
        list_for_each_safe(node, &pool->areas[i].blocks)
        {
            struct bounce_block *block = container_of(node, struct bounce_block, node);

            list_remove(node);
            if (block->withheld)
                host_free(sluice, block, block_bytes(block->order));
            else
                block_free(block);
        }
    }
    aligned_free_lines(sluice, pool->memory, areas_bytes(pool->area_count));
    host_free(sluice, pool, sizeof(*pool));
}

void bounce_clear(struct bounce *bounce)
{
    list_for_each_safe(node, &bounce->pools)
    {
        list_remove(node);
        clear_pool(container_of(node, struct bounce_pool, node));
    }
}
