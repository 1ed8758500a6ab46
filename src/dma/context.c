// SPDX-License-Identifier: MIT
/*
 * The instance's part of the DMA API: made when it is first opened, and asked by poll and trim.
 */
#include "dma/check.h"
#include "dma/dma.h"

enum sluice_status dma_context_get_locked(struct sluice *sluice, struct dma_context **out)
{
    struct dma_context *context = atomic_load_explicit(&sluice->dma, memory_order_relaxed);

    if (context != NULL) {
        *out = context;
        return SLUICE_OK;
    }
    context = host_alloc(sluice, sizeof(*context));
    if (context == NULL)
        return SLUICE_ERR_NO_MEMORY;
    context->sluice = sluice;
    list_init(&context->spaces);
    list_init(&context->handles);
    bounce_init(&context->bounce, sluice);
    /* Release: it is whole; pairs with the acquires of poll, trim and the fault observer. */
    atomic_store_explicit(&sluice->dma, context, memory_order_release);
    *out = context;
    return SLUICE_OK;
}

static struct dma_context *context_of(struct sluice *sluice)
{
    return sluice != NULL ? atomic_load_explicit(&sluice->dma, memory_order_acquire) : NULL;
}

bool dma_context_is_used(struct sluice *sluice)
{
    struct dma_context *context = context_of(sluice);
    bool used;
    sluice_irqstate_t irq;

    if (context == NULL)
        return false;
    irq = sluice_spin_lock(&context->lock);
    used = !list_empty(&context->handles);
    sluice_spin_unlock(&context->lock, irq);
    return used;
}

bool dma_unprotected_at(struct sluice *sluice, unsigned index, const char **out_name)
{
    struct dma_context *context = context_of(sluice);
    bool found = false;
    sluice_irqstate_t irq;

    if (context == NULL)
        return false;
    irq = sluice_spin_lock(&context->lock);
    list_for_each(node, &context->handles)
    {
        const struct sluice_dma *dma = container_of(node, struct sluice_dma, node);

        if (dma->device != NULL || index-- != 0)
            continue;
        *out_name = dma->name; /* lives on: handles close under sluice->lock */
        found = true;
        break;
    }
    sluice_spin_unlock(&context->lock, irq);
    return found;
}

void dma_context_free(struct sluice *sluice)
{
    struct dma_context *context = context_of(sluice);

    if (context == NULL)
        return;
    bounce_clear(&context->bounce);
    check_destroy(context->check);
    host_free(sluice, context, sizeof(*context));
}

/** The first space of at least this order, held; NULL past the last. */
static struct dma_space *hold_space(struct dma_context *context, unsigned order)
{
    struct dma_space *found = NULL;
    sluice_irqstate_t irq = sluice_spin_lock(&context->lock);

    list_for_each(node, &context->spaces)
    {
        struct dma_space *space = container_of(node, struct dma_space, node);

        if (space->order < order)
            continue;
        atomic_fetch_add_explicit(&space->holds, 1, memory_order_relaxed);
        found = space;
        break;
    }
    sluice_spin_unlock(&context->lock, irq);
    return found;
}

static void let_go(struct dma_space *space)
{
    /* Release: pairs with the acquire in space_close_locked, which frees the space. */
    atomic_fetch_sub_explicit(&space->holds, 1, memory_order_release);
}

uint64_t sluice_dma_poll(struct sluice *sluice)
{
    struct dma_context *context = context_of(sluice);
    uint64_t next = UINT64_MAX;
    struct dma_space *space;

    for (unsigned order = 0; context != NULL && (space = hold_space(context, order)) != NULL;) {
        uint64_t due = UINT64_MAX;

        order = space->order + 1;
        if (space->queues != NULL)
            due = flush_poll(space, host_now_ns(sluice));
        next = due < next ? due : next;
        let_go(space);
    }
    if (next != UINT64_MAX && sluice->ops->dma_poll_at != NULL)
        sluice->ops->dma_poll_at(sluice->config.ctx, next);
    return next;
}

void sluice_dma_trim(struct sluice *sluice)
{
    struct dma_context *context = context_of(sluice);
    struct dma_space *space;

    for (unsigned order = 0; context != NULL && (space = hold_space(context, order)) != NULL;) {
        order = space->order + 1;
        if (space->queues != NULL)
            flush_drain(space);
        iova_trim(space->iova);
        let_go(space);
    }
    if (context != NULL)
        bounce_trim(&context->bounce);
}
