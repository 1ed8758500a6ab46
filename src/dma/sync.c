// SPDX-License-Identifier: MIT
/*
 * Who sees what: copies to and from bounce pages, and cache maintenance for devices that do not
 * snoop.
 */
#include "dma/check.h"
#include "dma/dma.h"

/** Calls one cache hook over what a physical range is for the CPU. */
static void maintain(const struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes, bool clean)
{
    struct sluice *sluice = dma->sluice;
    const struct sluice_host_ops *ops = sluice->ops;

    while (bytes > 0) {
        size_t now = dma_stretch(sluice, phys, bytes);
        void *virt = host_phys_to_virt(sluice, phys);

        if (clean)
            ops->cache_clean(sluice->config.ctx, virt, now);
        else
            ops->cache_invalidate(sluice->config.ctx, virt, now);
        phys += now;
        bytes -= now;
    }
}

void dma_clean(const struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes, uint32_t flags)
{
    /* Also for what only the device writes: a dirty line could be written back over it later. */
    if (__builtin_expect(dma->non_coherent, 0) && (flags & SLUICE_DMA_NO_SYNC) == 0)
        maintain(dma, phys, bytes, true);
}

void dma_invalidate(const struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes,
                    uint32_t flags)
{
    /* Lines that were fetched ahead while the device wrote are stale. */
    if (__builtin_expect(dma->non_coherent, 0) && (flags & SLUICE_DMA_NO_SYNC) == 0 &&
        (flags & SLUICE_DMA_FROM_DEVICE) != 0)
        maintain(dma, phys, bytes, false);
}

static bool moves(uint32_t flags, bool to_device)
{
    return (flags & (to_device ? SLUICE_DMA_TO_DEVICE : SLUICE_DMA_FROM_DEVICE)) != 0;
}

/** Brings memory at `phys`, which is the device's, up to date for one side. */
static void sync_memory(struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes, uint32_t flags,
                        bool to_device)
{
    struct bounce_run *run = bounce_find(&dma->context->bounce, phys);

    /* Only what stands for the buffer is copied, wherever the part begins and ends. */
    if (run != NULL) {
        sluice_phys_t end = phys + bytes;

        phys = phys > run->phys ? phys : run->phys;
        end = end < run->phys + run->bytes ? end : run->phys + run->bytes;
        if (phys >= end)
            return;
        bytes = end - phys;
    }
    if (to_device && run != NULL && moves(flags, true))
        dma_bounce_copy(dma, run, phys, bytes, true);
    if (to_device)
        dma_clean(dma, phys, bytes, flags);
    else
        dma_invalidate(dma, phys, bytes, flags);
    if (!to_device && run != NULL && moves(flags, false))
        dma_bounce_copy(dma, run, phys, bytes, false);
}

/** The part of [at, end) in the page that `at` is in. */
static void sync_page(struct sluice_dma *dma, sluice_iova_t at, sluice_iova_t end, uint32_t flags,
                      bool to_device)
{
    uint64_t granule = (uint64_t)1 << dma->space->granule_lg2;
    sluice_iova_t page_end = (at | (granule - 1)) + 1;
    sluice_phys_t phys;

    if (space_lookup(dma->space, at, &phys) == SLUICE_OK)
        sync_memory(dma, phys, (end < page_end ? end : page_end) - at, flags, to_device);
}

void dma_sync_one(struct sluice_dma *dma, sluice_iova_t address, uint64_t bytes, uint32_t flags,
                  bool to_device)
{
    sluice_iova_t end = address + bytes;
    sluice_iova_t last_page;
    uint64_t granule;

    if (dma->space == NULL) {
        sync_memory(dma, address, bytes, flags, to_device);
        return;
    }
    if (!dma->untrusted && !dma->non_coherent)
        return;
    granule = (uint64_t)1 << dma->space->granule_lg2;
    last_page = (end - 1) & ~(granule - 1);
    /* Bounce pages are only at the ends; caches have to be looked after everywhere. */
    sync_page(dma, address, end, flags, to_device);
    if (dma->non_coherent) {
        for (sluice_iova_t page = (address | (granule - 1)) + 1; page < last_page; page += granule)
            sync_page(dma, page, end, flags, to_device);
    }
    if (last_page > address)
        sync_page(dma, last_page, end, flags, to_device);
}

static enum sluice_status sync_checked(struct sluice_dma *dma, sluice_iova_t address,
                                       uint64_t bytes, uint32_t flags, const char *site,
                                       bool to_device)
{
    enum sluice_status status = SLUICE_OK;

    if (dma == NULL || bytes == 0 || !dma_has_direction(flags) || address + (bytes - 1) < address)
        return SLUICE_ERR_INVALID;
    if (dma->check != NULL)
        status = check_sync(dma, &(struct sluice_dma_chunk){address, bytes}, flags, site);
    if (status == SLUICE_OK)
        dma_sync_one(dma, address, bytes, flags & ~(uint32_t)SLUICE_DMA_NO_SYNC, to_device);
    return status;
}

enum sluice_status sluice_dma_sync_for_cpu(struct sluice_dma *dma, sluice_iova_t address,
                                           uint64_t bytes, uint32_t flags, const char *site)
{
    return sync_checked(dma, address, bytes, flags, site, false);
}

enum sluice_status sluice_dma_sync_for_device(struct sluice_dma *dma, sluice_iova_t address,
                                              uint64_t bytes, uint32_t flags, const char *site)
{
    return sync_checked(dma, address, bytes, flags, site, true);
}
