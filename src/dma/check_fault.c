// SPDX-License-Identifier: MIT
/*
 * The checking mode judges devices by their faults: what was at the address? See check.h.
 */
#include "dma/check.h"

/** Whether a device's requests reach the unit under the ID of a fault. */
static bool speaks_as(const struct sluice_device *device, const struct sluice_fault *fault)
{
    for (unsigned i = 0; device != NULL && i < device->source_count; i++) {
        /* The name is the unit's own: the same text is the same unit. */
        if (device->sources[i]->unit->name == fault->unit &&
            device->sources[i]->id == fault->source)
            return true;
    }
    return false;
}

/** The addresses that a fault's source has; 0 when it is no translated device. */
static uint64_t space_id_of(struct dma_context *context, const struct sluice_fault *fault)
{
    uint64_t id = 0;
    sluice_irqstate_t irq = sluice_spin_lock(&context->lock);

    list_for_each(node, &context->handles)
    {
        const struct sluice_dma *dma = container_of(node, struct sluice_dma, node);

        if (speaks_as(dma->device, fault))
            id = check_space_id(dma->space);
    }
    sluice_spin_unlock(&context->lock, irq);
    return id;
}

/** The live mapping of a space that the address is in, or (`beyond`) the one that ends before. */
static const struct check_entry *find_live(const struct dma_check *check, uint64_t space_id,
                                           sluice_iova_t address, bool beyond)
{
    for (unsigned i = 0; i < CHECK_BUCKETS; i++) {
        for (const struct check_entry *at = check->buckets[i]; at != NULL; at = at->next) {
            sluice_iova_t end = at->address + at->bytes;
            bool here = beyond
                            ? address >= end && address - end <= SLUICE_PAGE_BYTES
                            : address >= (at->address & ~(SLUICE_PAGE_BYTES - 1)) && address < end;

            if (at->space_id == space_id && here)
                return at;
        }
    }
    return NULL;
}

static bool explain_locked(struct dma_check *check, uint64_t space_id,
                           const struct sluice_fault *fault, struct sluice_dma_misuse *out)
{
    uint64_t now = host_now_ns(check->context->sluice);
    const struct check_entry *live = find_live(check, space_id, fault->address, false);
    const struct check_entry *ended;

    if (live != NULL) {
        out->kind = SLUICE_DMA_USE_WRONG_WAY;
        out->device = live->device;
        check_describe(live, false, now, out);
        return true;
    }
    /* Hardware may say no more than the page. */
    ended = check_find_ended(check, NULL, space_id, fault->address);
    if (ended == NULL)
        ended = check_find_ended(check, NULL, space_id, fault->address | (SLUICE_PAGE_BYTES - 1));
    if (ended != NULL) {
        out->kind = SLUICE_DMA_USE_AFTER_UNMAP;
        out->device = ended->device;
        check_describe(ended, true, now, out);
        return true;
    }
    live = find_live(check, space_id, fault->address, true);
    if (live == NULL)
        return false;
    out->kind = SLUICE_DMA_USE_BEYOND;
    out->device = live->device;
    check_describe(live, false, now, out);
    return true;
}

enum sluice_status sluice_dma_explain_fault(struct sluice *sluice, const struct sluice_fault *fault,
                                            struct sluice_dma_misuse *out)
{
    struct dma_context *context;
    struct dma_check *check;
    uint64_t space_id;
    sluice_irqstate_t irq;
    bool known;

    if (sluice == NULL || fault == NULL || out == NULL)
        return SLUICE_ERR_INVALID;
    context = atomic_load_explicit(&sluice->dma, memory_order_acquire);
    if (context == NULL || !fault->address_valid)
        return SLUICE_ERR_NOT_FOUND;
    check = atomic_load_explicit(&context->check, memory_order_acquire);
    if (check == NULL)
        return SLUICE_ERR_NOT_FOUND;
    space_id = space_id_of(context, fault);
    if (space_id == 0)
        return SLUICE_ERR_NOT_FOUND;
    *out = (struct sluice_dma_misuse){.address = fault->address};
    out->flags =
        fault->access == SLUICE_ACCESS_WRITE ? SLUICE_DMA_FROM_DEVICE : SLUICE_DMA_TO_DEVICE;
    irq = sluice_spin_lock(&check->lock);
    known = explain_locked(check, space_id, fault, out);
    sluice_spin_unlock(&check->lock, irq);
    return known ? SLUICE_OK : SLUICE_ERR_NOT_FOUND;
}

void check_observe(struct sluice *sluice, const struct sluice_fault *fault)
{
    struct dma_context *context = atomic_load_explicit(&sluice->dma, memory_order_acquire);
    struct sluice_dma_misuse misuse;

    if (sluice_dma_explain_fault(sluice, fault, &misuse) == SLUICE_OK)
        check_report(atomic_load_explicit(&context->check, memory_order_acquire), &misuse);
}
