// SPDX-License-Identifier: MIT
/*
 * The addresses of one DMA domain: taken from the allocator, mapped, unmapped, given back.
 */
#include "dma/dma.h"

#define SPACE_COUNTED ((uint64_t)1 << 21)

/* ---- making and ending ---- */

static enum sluice_status manager_reserve(struct domain_manager *manager, sluice_iova_t first,
                                          sluice_iova_t last)
{
    struct dma_space *space = container_of(manager, struct dma_space, manager);

    return iova_reserve(space->iova, first, last);
}

static void manager_distrust(struct domain_manager *manager)
{
    struct dma_space *space = container_of(manager, struct dma_space, manager);

    atomic_store_explicit(&space->strict, true, memory_order_seq_cst);
    if (space->queues == NULL)
        return;
    flush_close(space->queues);
    flush_drain(space);
}

static void manager_look_back(struct domain_manager *manager, sluice_iova_t address,
                              struct address_past *past)
{
    struct dma_space *space = container_of(manager, struct dma_space, manager);

    if (space->queues != NULL)
        flush_look_back(space, address, past);
}

/** Everything that must never be handed out: the domain's ranges, and every unit's interrupts. */
static enum sluice_status reserve_ranges(struct dma_space *space)
{
    struct sluice_domain *domain = space->domain;
    unsigned count = atomic_load_explicit(&domain->reserved_count, memory_order_relaxed);
    enum sluice_status status = SLUICE_OK;

    for (unsigned i = 0; i < count && status == SLUICE_OK; i++) {
        const struct domain_reserved *reserved = domain_reserved_at(domain, i);

        status = iova_reserve(space->iova, reserved->first, reserved->last);
    }
    list_for_each(node, &domain->sluice->units)
    {
        const struct unit_caps *caps = &container_of(node, struct unit, node)->caps;

        if (status == SLUICE_OK && caps->interrupt_last != 0)
            status = iova_reserve(space->iova, caps->interrupt_first, caps->interrupt_last);
    }
    return status;
}

static enum sluice_status space_fill(struct dma_space *space)
{
    struct sluice_domain *domain = space->domain;
    struct sluice *sluice = domain->sluice;
    const struct iova_config config = {
        .first = 0, .last = domain->pt.last, .prefer_32bit = domain->prefer_32bit};
    enum sluice_status status = iova_create(sluice, &config, &space->iova);

    if (status == SLUICE_OK)
        status = reserve_ranges(space);
    if (status == SLUICE_OK && domain->lazy)
        status = flush_create(sluice, domain->lazy_window_ns, &space->queues);
    if (space->queues != NULL)
        atomic_fetch_add_explicit(&domain->history_bytes, flush_history_bytes(space->queues),
                                  memory_order_relaxed);
    return status;
}

static void space_free(struct dma_space *space)
{
    struct sluice *sluice = space->context->sluice;

    if (space->queues != NULL)
        atomic_fetch_sub_explicit(&space->domain->history_bytes, flush_history_bytes(space->queues),
                                  memory_order_relaxed);
    flush_destroy(sluice, space->queues);
    if (space->iova != NULL)
        iova_destroy(space->iova);
    host_free(sluice, space, sizeof(*space));
}

static enum sluice_status space_create_locked(struct dma_context *context,
                                              struct sluice_domain *domain, struct dma_space **out)
{
    struct dma_space *space = host_alloc(context->sluice, sizeof(*space));
    enum sluice_status status;
    sluice_irqstate_t irq;

    if (space == NULL)
        return SLUICE_ERR_NO_MEMORY;
    space->context = context;
    space->domain = domain;
    space->manager = (struct domain_manager){manager_reserve, manager_distrust, manager_look_back};
    space->granule_lg2 = (unsigned)__builtin_ctzll(domain->pt.config.page_sizes);
    atomic_init(&space->strict, domain->untrusted != 0 || !domain->lazy);
    status = space_fill(space);
    if (status != SLUICE_OK) {
        space_free(space);
        return status;
    }
    atomic_store_explicit(&domain->manager, &space->manager, memory_order_relaxed);
    irq = sluice_spin_lock(&context->lock);
    space->order = context->next_order++;
    list_append(&context->spaces, &space->node);
    sluice_spin_unlock(&context->lock, irq);
    *out = space;
    return SLUICE_OK;
}

enum sluice_status space_open_locked(struct dma_context *context, struct sluice_domain *domain,
                                     struct dma_space **out)
{
    struct domain_manager *manager = atomic_load_explicit(&domain->manager, memory_order_relaxed);
    enum sluice_status status = SLUICE_OK;

    if (manager != NULL)
        *out = container_of(manager, struct dma_space, manager);
    else if (atomic_load_explicit(&domain->mapped_by_caller, memory_order_relaxed))
        status = SLUICE_ERR_EXISTS;
    else
        status = space_create_locked(context, domain, out);
    if (status == SLUICE_OK)
        (*out)->users++;
    return status;
}

void space_close_locked(struct dma_space *space)
{
    struct dma_context *context = space->context;
    sluice_irqstate_t irq;

    if (--space->users != 0)
        return;
    irq = sluice_spin_lock(&context->lock);
    list_remove(&space->node);
    sluice_spin_unlock(&context->lock, irq);
    /* Acquire: polls that found the space are through with it; pairs with context.c. */
    while (atomic_load_explicit(&space->holds, memory_order_acquire) != 0)
        sluice_cpu_pause();
    if (space->queues != NULL)
        flush_drain(space);
    /* What leaked stays mapped, so nobody may hand out this domain's addresses again. */
    if (space->left.live != 0 ||
        atomic_load_explicit(&space->withheld_bytes, memory_order_relaxed) != 0)
        atomic_store_explicit(&space->domain->mapped_by_caller, true, memory_order_relaxed);
    atomic_store_explicit(&space->domain->manager, NULL, memory_order_relaxed);
    space_free(space);
}

/* ---- addresses ---- */

/** What a long range is aligned to, so that large pages and runs fit. */
static unsigned wanted_align_lg2(const struct dma_space *space, uint64_t bytes)
{
    const struct pagetable *pt = &space->domain->pt;
    uint64_t sizes = pt->config.page_sizes | pt->run_sizes;
    uint64_t fitting = sizes & ((((uint64_t)1 << (63 - __builtin_clzll(bytes))) << 1) - 1);

    return fitting != 0 ? 63u - (unsigned)__builtin_clzll(fitting) : space->granule_lg2;
}

static __attribute__((noinline)) enum sluice_status
take_long(struct dma_space *space, uint64_t bytes, sluice_iova_t last, sluice_iova_t *out)
{
    struct iova_request request = {.pages = bytes >> SLUICE_PAGE_LG2,
                                   .last = last,
                                   .align_lg2 = wanted_align_lg2(space, bytes)};
    enum sluice_status status = iova_alloc_special(space->iova, &request, out);

    if (status == SLUICE_ERR_NO_SPACE && request.align_lg2 > space->granule_lg2) {
        request.align_lg2 = space->granule_lg2;
        status = iova_alloc_special(space->iova, &request, out);
    }
    return status;
}

enum sluice_status space_take(struct dma_space *space, uint64_t bytes, sluice_iova_t last,
                              sluice_iova_t *out)
{
    uint64_t pages = bytes >> SLUICE_PAGE_LG2;

    /* Cached blocks are aligned to their size, so to the smallest page too. */
    if (__builtin_expect(pages <= IOVA_BLOCK_PAGES, 1))
        return iova_alloc(space->iova, pages, last, out);
    return take_long(space, bytes, last, out);
}

void space_give(struct dma_space *space, sluice_iova_t iova, uint64_t bytes)
{
    iova_free(space->iova, iova, bytes >> SLUICE_PAGE_LG2);
}

void space_withhold(struct dma_space *space, uint64_t bytes)
{
    atomic_fetch_add_explicit(&space->withheld_bytes, bytes, memory_order_relaxed);
}

void space_undo_take(struct dma_space *space, sluice_iova_t iova, uint64_t bytes,
                     enum sluice_status why)
{
    if (why == SLUICE_ERR_TIMEOUT || why == SLUICE_ERR_HARDWARE || why == SLUICE_ERR_EXISTS)
        space_withhold(space, bytes);
    else
        space_give(space, iova, bytes);
}

/* ---- mapping ---- */

uint32_t space_prot(const struct sluice_dma *dma, uint32_t flags)
{
    uint32_t prot = 0;

    if ((flags & SLUICE_DMA_TO_DEVICE) != 0)
        prot |= SLUICE_PROT_READ;
    if ((flags & SLUICE_DMA_FROM_DEVICE) != 0)
        prot |= SLUICE_PROT_WRITE;
    if (!dma->non_coherent)
        prot |= SLUICE_PROT_SNOOP;
    if (atomic_load_explicit(&dma->space->write_needs_read, memory_order_relaxed))
        prot |= SLUICE_PROT_READ;
    return prot;
}

enum sluice_status space_map(struct dma_space *space, sluice_iova_t iova,
                             const struct pt_list *list, uint32_t prot)
{
    enum sluice_status status;

    /* Every mapping ends whole. */
    prot |= PT_PROT_WHOLE;
    status = domain_map_list(space->domain, iova, list, prot);
    /* Formats that cannot map for writing alone get reading too, from then on. */
    if (__builtin_expect(status == SLUICE_ERR_UNSUPPORTED, 0) && (prot & SLUICE_PROT_READ) == 0) {
        atomic_store_explicit(&space->write_needs_read, true, memory_order_relaxed);
        prot |= SLUICE_PROT_READ;
        status = domain_map_list(space->domain, iova, list, prot);
    }
    return status;
}

/* ---- unmapping ---- */

enum sluice_status space_unmap(struct sluice_dma *dma, sluice_iova_t iova, uint64_t bytes,
                               bool may_wait)
{
    struct dma_space *space = dma->space;
    enum sluice_status status;
    struct pt_gather gather;

    pt_gather_init(&gather);
    status = domain_clear(space->domain, iova, bytes, &gather, NULL);
    if (status == SLUICE_OK && pt_gather_empty(&gather))
        return SLUICE_ERR_NOT_FOUND; /* nothing was mapped: the addresses are somebody else's */
    /* Tables that were cut off are rare, and are not kept waiting. */
    if (status == SLUICE_OK && may_wait && gather.freed == 0 && space_is_lazy(space) &&
        flush_put(space, iova, bytes))
        return SLUICE_OK;
    if (status == SLUICE_OK) {
        dma_count_flush(dma);
        status = domain_flush_unmapped(space->domain, &gather,
                                       &(struct sluice_dma_chunk){iova, bytes}, 1);
    }
    if (status == SLUICE_OK)
        space_give(space, iova, bytes);
    else
        space_withhold(space, bytes);
    return status;
}

enum sluice_status space_clear(struct dma_space *space, struct pt_gather *gather,
                               sluice_iova_t iova, uint64_t bytes)
{
    uint64_t unmapped = bytes;
    /* Counting would make a long range slow, and nobody has long lists of those. */
    uint64_t *count = bytes < SPACE_COUNTED ? &unmapped : NULL;

    if (domain_clear(space->domain, iova, bytes, gather, count) != SLUICE_OK) {
        space_withhold(space, bytes);
        return SLUICE_ERR_HARDWARE;
    }
    if (unmapped == bytes)
        return SLUICE_OK;
    space_withhold(space, unmapped);
    return SLUICE_ERR_NOT_FOUND;
}

enum sluice_status space_flush(struct sluice_dma *dma, struct pt_gather *gather,
                               const struct sluice_dma_chunk *gone, unsigned count)
{
    dma_count_flush(dma);
    return domain_flush_unmapped(dma->space->domain, gather, gone, count);
}

enum sluice_status space_lookup(struct dma_space *space, sluice_iova_t iova, sluice_phys_t *out)
{
    const struct pagetable *pt = &space->domain->pt;
    struct sluice_mapping mapping;
    enum sluice_status status = SLUICE_ERR_RANGE;

    /* No lock: the tables above a live mapping are not freed, and the caller's is live. */
    if (iova <= pt->last)
        status = pt->format->lookup(pt, iova, &mapping);
    if (status == SLUICE_OK)
        *out = mapping.phys;
    return status;
}
