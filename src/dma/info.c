// SPDX-License-Identifier: MIT
/*
 * What the counters say.
 */
#include "dma/dma.h"

static uint64_t load(atomic_uint_fast64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

void sluice_dma_info(struct sluice_dma *dma, struct sluice_dma_info *out)
{
    *out = (struct sluice_dma_info){
        .name = dma->name,
        .translated = dma->space != NULL,
        .untrusted = dma->untrusted,
        .last_address = dma->last,
        .bounced = load(&dma->bounced),
        .bounced_bytes = load(&dma->bounced_bytes),
        .failures = load(&dma->failures),
        .misuses = load(&dma->misuses),
    };
    counters_usage(&dma->counters, &out->usage, &out->maps, &out->unmaps);
}

static void fill_domain_info(struct dma_space *space, struct sluice_dma_domain_info *out)
{
    struct iova_stats iova;

    iova_stats(space->iova, &iova);
    *out = (struct sluice_dma_domain_info){
        .lazy = space_is_lazy(space),
        .iova_allocs = iova.allocs,
        .iova_hits = iova.allocs > iova.misses ? iova.allocs - iova.misses : 0,
        .iova_metadata_bytes = iova.metadata_bytes,
        .strict_flushes = space_flushes(space),
        .withheld_bytes = load(&space->withheld_bytes),
    };
    if (space->queues != NULL) {
        out->window_ns = space->queues->window_ns;
        out->lazy_flushes = load(&space->queues->flushes);
        out->queued = flush_queued(space->queues);
    }
    space_usage(space, &out->usage);
}

enum sluice_status dma_domain_info_locked(struct sluice_domain *domain,
                                          struct sluice_dma_domain_info *out)
{
    struct domain_manager *manager = atomic_load_explicit(&domain->manager, memory_order_relaxed);

    if (manager == NULL)
        return SLUICE_ERR_NOT_FOUND;
    fill_domain_info(container_of(manager, struct dma_space, manager), out);
    return SLUICE_OK;
}

enum sluice_status sluice_dma_domain_info(struct sluice_domain *domain,
                                          struct sluice_dma_domain_info *out)
{
    enum sluice_status status;
    sluice_irqstate_t irq;

    if (domain == NULL || out == NULL)
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&domain->sluice->lock);
    status = dma_domain_info_locked(domain, out);
    sluice_spin_unlock(&domain->sluice->lock, irq);
    return status;
}

void sluice_dma_bounce_info(struct sluice *sluice, struct sluice_dma_bounce_info *out)
{
    struct dma_context *context = atomic_load_explicit(&sluice->dma, memory_order_acquire);
    struct bounce *bounce;

    *out = (struct sluice_dma_bounce_info){0};
    if (context == NULL)
        return;
    bounce = &context->bounce;
    *out = (struct sluice_dma_bounce_info){
        .limit_bytes = bounce->limit_bytes,
        .bytes = load(&bounce->bytes),
        .used_bytes = load(&bounce->used_bytes),
        .used_most = load(&bounce->used_most),
        .exhausted = load(&bounce->exhausted),
        .withheld_bytes = load(&bounce->withheld_bytes),
    };
}
