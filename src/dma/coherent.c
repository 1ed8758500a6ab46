// SPDX-License-Identifier: MIT
/*
 * Memory that CPU and device share for long. For the device it is one range; for the CPU too, as
 * one block of pages or, where the host has vmap, as scattered pages seen as one.
 */
#include "dma/check.h"
#include "dma/dma.h"

#define PIECES 16u

/** What backs a buffer; hidden in sluice_dma_buffer. */
struct coherent {
    uint64_t bytes; /**< rounded up to pages */
    size_t page_count;
    bool scattered;
    unsigned order;            /**< of the one block, when not scattered */
    struct sluice_pages block; /**< likewise */
    void *vmap;                /**< what the CPU sees, when it is not the block itself */
    sluice_phys_t *phys;       /**< of each page, when vmap is used */
    void **virt;               /**< of each page, when scattered */
};

static size_t coherent_bytes(size_t pages)
{
    return sizeof(struct coherent) + pages * (sizeof(sluice_phys_t) + sizeof(void *));
}

static struct coherent *coherent_new(struct sluice *sluice, uint64_t bytes)
{
    size_t pages = (size_t)(bytes >> SLUICE_PAGE_LG2);
    struct coherent *memory = host_alloc(sluice, coherent_bytes(pages));

    if (memory == NULL)
        return NULL;
    memory->bytes = bytes;
    memory->page_count = pages;
    memory->phys = (sluice_phys_t *)(void *)(memory + 1);
    memory->virt = (void **)(void *)(memory->phys + pages);
    return memory;
}

/** Frees the pages, which no device reaches, and the structure. */
static void coherent_free(struct sluice *sluice, struct coherent *memory)
{
    if (memory->vmap != NULL)
        sluice->ops->vunmap(sluice->config.ctx, memory->vmap, memory->page_count);
    for (size_t i = 0; memory->scattered && i < memory->page_count; i++)
        host_pages_free(sluice,
                        (struct sluice_pages){.virt = memory->virt[i], .phys = memory->phys[i]}, 0);
    if (!memory->scattered)
        host_pages_free(sluice, memory->block, memory->order);
    host_free(sluice, memory, coherent_bytes(memory->page_count));
}

/** A device may still reach the pages: only the structure goes. */
static void coherent_withhold(struct sluice *sluice, struct coherent *memory)
{
    uint64_t pages = memory->scattered ? memory->page_count : (uint64_t)1 << memory->order;

    atomic_fetch_add_explicit(&sluice->withheld_pages, pages, memory_order_relaxed);
    host_free(sluice, memory, coherent_bytes(memory->page_count));
}

/* ---- pages ---- */

/** Highest physical address of use: with translation, any. */
static sluice_phys_t reach(const struct sluice_dma *dma)
{
    return dma->space != NULL ? UINT64_MAX : dma->coherent_last;
}

static enum sluice_status alloc_pages(struct sluice_dma *dma, unsigned order,
                                      struct sluice_pages *out)
{
    struct sluice *sluice = dma->sluice;
    const struct sluice_page_request request = {
        .order = order,
        .node = -1,
        .below_4g = reach(dma) <= UINT32_MAX,
        .last = reach(dma) == UINT64_MAX ? 0 : reach(dma),
    };

    if (!sluice->ops->pages_alloc(sluice->config.ctx, &request, out))
        return SLUICE_ERR_NO_MEMORY;
    if (out->phys + ((SLUICE_PAGE_BYTES << order) - 1) <= reach(dma))
        return SLUICE_OK;
    host_pages_free(sluice, *out, order);
    *out = (struct sluice_pages){0};
    return SLUICE_ERR_RANGE;
}

static enum sluice_status take_block(struct sluice_dma *dma, struct coherent *memory)
{
    memory->order =
        memory->page_count <= 1 ? 0 : 64u - (unsigned)__builtin_clzll(memory->page_count - 1);
    return alloc_pages(dma, memory->order, &memory->block);
}

static enum sluice_status take_scattered(struct sluice_dma *dma, struct coherent *memory)
{
    memory->scattered = true;
    for (size_t i = 0; i < memory->page_count; i++) {
        struct sluice_pages page;
        enum sluice_status status = alloc_pages(dma, 0, &page);

        if (status != SLUICE_OK)
            return status; /* pages without a virtual address are not freed */
        memory->virt[i] = page.virt;
        memory->phys[i] = page.phys;
    }
    return SLUICE_OK;
}

/** How the CPU has to see the memory. */
static enum sluice_cache_mode cache_mode(const struct sluice_dma *dma, uint32_t flags)
{
    if ((flags & SLUICE_DMA_WRITE_COMBINE) != 0 && dma->sluice->ops->vmap != NULL)
        return SLUICE_CACHE_WRITE_COMBINE;
    return dma->non_coherent ? SLUICE_CACHE_OFF : SLUICE_CACHE_NORMAL;
}

/** Drops what caches hold of the zeroes, before other accesses go past the caches. */
static void leave_caches(struct sluice_dma *dma, const struct coherent *memory)
{
    const struct sluice_host_ops *ops = dma->sluice->ops;

    for (size_t i = 0; i < memory->page_count; i++) {
        uint8_t *page = memory->scattered ? memory->virt[i]
                                          : (uint8_t *)memory->block.virt + i * SLUICE_PAGE_BYTES;

        if (ops->cache_clean != NULL)
            ops->cache_clean(dma->sluice->config.ctx, page, SLUICE_PAGE_BYTES);
        if (ops->cache_invalidate != NULL)
            ops->cache_invalidate(dma->sluice->config.ctx, page, SLUICE_PAGE_BYTES);
    }
}

static enum sluice_status map_for_cpu(struct sluice_dma *dma, struct coherent *memory,
                                      enum sluice_cache_mode mode)
{
    struct sluice *sluice = dma->sluice;
    const struct sluice_vmap_request request = {memory->phys, memory->page_count, mode};

    if (!memory->scattered && mode == SLUICE_CACHE_NORMAL)
        return SLUICE_OK;
    if (sluice->ops->vmap == NULL)
        return SLUICE_ERR_UNSUPPORTED;
    for (size_t i = 0; !memory->scattered && i < memory->page_count; i++)
        memory->phys[i] = memory->block.phys + i * SLUICE_PAGE_BYTES;
    if (mode != SLUICE_CACHE_NORMAL)
        leave_caches(dma, memory);
    memory->vmap = sluice->ops->vmap(sluice->config.ctx, &request);
    return memory->vmap != NULL ? SLUICE_OK : SLUICE_ERR_NO_MEMORY;
}

static enum sluice_status take_memory(struct sluice_dma *dma, struct coherent *memory,
                                      enum sluice_cache_mode mode)
{
    bool can_scatter = dma->space != NULL && dma->sluice->ops->vmap != NULL;
    enum sluice_status status = take_block(dma, memory);

    if (status != SLUICE_OK && can_scatter && memory->page_count > 1)
        status = take_scattered(dma, memory);
    return status == SLUICE_OK ? map_for_cpu(dma, memory, mode) : status;
}

/* ---- the device's side ---- */

/** The index-th page's physical address. */
static sluice_phys_t page_phys(const struct coherent *memory, size_t index)
{
    return memory->scattered ? memory->phys[index]
                             : memory->block.phys + ((sluice_phys_t)index << SLUICE_PAGE_LG2);
}

/** Maps from page `first` on; *out_next is where it ended. */
static enum sluice_status map_some(struct dma_space *space, const struct coherent *memory,
                                   sluice_iova_t iova, uint32_t prot, size_t *next)
{
    sluice_iova_t at = iova + ((sluice_iova_t)*next << SLUICE_PAGE_LG2);
    struct sluice_dma_segment pieces[PIECES];
    enum sluice_status status;
    struct pt_list list;
    unsigned count = 0;
    size_t page;

    for (page = *next; page < memory->page_count; page++) {
        sluice_phys_t phys = page_phys(memory, page);

        if (count != 0 && pieces[count - 1].phys + pieces[count - 1].bytes == phys) {
            pieces[count - 1].bytes += SLUICE_PAGE_BYTES;
            continue;
        }
        if (count == PIECES)
            break;
        pieces[count++] = (struct sluice_dma_segment){phys, SLUICE_PAGE_BYTES};
    }
    list = pt_list_of(pieces, count);
    status = space_map(space, at, &list, prot);
    if (status == SLUICE_OK)
        *next = page;
    return status;
}

static enum sluice_status map_all(struct dma_space *space, const struct coherent *memory,
                                  sluice_iova_t iova, uint32_t prot)
{
    enum sluice_status status = SLUICE_OK;
    enum sluice_status undone = SLUICE_OK;
    struct pt_gather gather;
    size_t next = 0;

    while (status == SLUICE_OK && next < memory->page_count)
        status = map_some(space, memory, iova, prot, &next);
    if (status == SLUICE_OK || next == 0)
        return status;
    pt_gather_init(&gather);
    undone = space_clear(space, &gather, iova, (uint64_t)next << SLUICE_PAGE_LG2);
    if (undone == SLUICE_OK)
        undone = domain_flush(space->domain, &gather);
    return undone == SLUICE_OK ? status : SLUICE_ERR_TIMEOUT;
}

static enum sluice_status map_for_device(struct sluice_dma *dma, const struct coherent *memory,
                                         uint32_t flags, sluice_iova_t *out)
{
    enum sluice_status status;

    if (dma->space == NULL) {
        *out = memory->block.phys;
        return SLUICE_OK;
    }
    status = space_take(dma->space, memory->bytes, dma->coherent_last, out);
    if (status != SLUICE_OK)
        return status;
    status = map_all(dma->space, memory, *out, space_prot(dma, flags));
    if (status != SLUICE_OK)
        space_undo_take(dma->space, *out, memory->bytes, status);
    return status;
}

static bool may_be_reached(enum sluice_status status)
{
    return status == SLUICE_ERR_TIMEOUT || status == SLUICE_ERR_HARDWARE;
}

static enum sluice_status alloc(struct sluice_dma *dma, uint64_t bytes, uint32_t flags,
                                struct sluice_dma_buffer *out)
{
    enum sluice_cache_mode mode = cache_mode(dma, flags);
    uint64_t rounded = dma->space != NULL
                           ? space_round(dma->space, bytes)
                           : (bytes + SLUICE_PAGE_BYTES - 1) & ~(SLUICE_PAGE_BYTES - 1);
    struct coherent *memory;
    enum sluice_status status;

    if (mode != SLUICE_CACHE_NORMAL && dma->sluice->ops->vmap == NULL)
        return SLUICE_ERR_UNSUPPORTED;
    memory = coherent_new(dma->sluice, rounded);
    if (memory == NULL)
        return SLUICE_ERR_NO_MEMORY;
    status = take_memory(dma, memory, mode);
    if (status == SLUICE_OK)
        status = map_for_device(dma, memory, flags, &out->address);
    if (status != SLUICE_OK) {
        if (may_be_reached(status))
            coherent_withhold(dma->sluice, memory);
        else
            coherent_free(dma->sluice, memory);
        return status;
    }
    out->virt = memory->vmap != NULL ? memory->vmap : memory->block.virt;
    out->bytes = bytes;
    out->hidden = memory;
    return SLUICE_OK;
}

enum sluice_status sluice_dma_alloc(struct sluice_dma *dma, uint64_t bytes, uint32_t flags,
                                    const char *site, struct sluice_dma_buffer *out)
{
    enum sluice_status status;

    if (dma == NULL || out == NULL || bytes == 0 || bytes >> 40 != 0)
        return SLUICE_ERR_INVALID;
    *out = (struct sluice_dma_buffer){0};
    if (!dma_has_direction(flags))
        flags |= SLUICE_DMA_BOTH;
    status = alloc(dma, bytes, flags, out);
    if (status != SLUICE_OK) {
        *out = (struct sluice_dma_buffer){0};
        dma_count_failure(dma);
        return status;
    }
    dma_count(dma, bytes, true);
    if (dma->check != NULL)
        check_mapped(dma, CHECK_COHERENT, &(struct sluice_dma_chunk){out->address, bytes},
                     flags & SLUICE_DMA_BOTH, site);
    return SLUICE_OK;
}

enum sluice_status sluice_dma_free(struct sluice_dma *dma, struct sluice_dma_buffer *buffer,
                                   const char *site)
{
    enum sluice_status status = SLUICE_OK;
    struct coherent *memory;

    if (dma == NULL || buffer == NULL || buffer->hidden == NULL)
        return SLUICE_ERR_INVALID;
    memory = buffer->hidden;
    if (dma->check != NULL)
        status =
            check_unmapping(dma, CHECK_COHERENT,
                            &(struct sluice_dma_chunk){buffer->address, buffer->bytes}, 0, site);
    if (status != SLUICE_OK)
        return status;
    if (dma->space != NULL)
        status = space_unmap(dma, buffer->address, memory->bytes, false);
    if (status == SLUICE_ERR_NOT_FOUND)
        return status;
    if (status == SLUICE_OK)
        coherent_free(dma->sluice, memory);
    else
        coherent_withhold(dma->sluice, memory);
    dma_count(dma, buffer->bytes, false);
    *buffer = (struct sluice_dma_buffer){0};
    return status;
}
