// SPDX-License-Identifier: MIT
/*
 * The allocator's ranges under their lock: magazines' worths of blocks, and what magazines do not
 * hold, which is looked for exactly. Before such a search fails, everything that hides in
 * magazines is gathered up. Called by iova.c, iova_magazine.c, depot.c and the DMA API.
 */
#include "dma/iova.h"

/** Highest page that ends at or below an address; false when not even page 0 does. */
static bool last_page_of(sluice_iova_t last, uint64_t *out_page)
{
    if (last < SLUICE_PAGE_BYTES - 1)
        return false;
    *out_page =
        last == UINT64_MAX ? UINT64_MAX >> SLUICE_PAGE_LG2 : ((last + 1) >> SLUICE_PAGE_LG2) - 1;
    return true;
}

/* ---- blocks for magazines ---- */

static void note_free(struct iova *iova, unsigned zone)
{
    atomic_store_explicit(&iova->full_class[zone], RANGE_CLASSES, memory_order_relaxed);
}

static void give_locked(struct iova *iova, sluice_iova_t at, uint64_t pages)
{
    if (ranges_give(&iova->ranges, at >> SLUICE_PAGE_LG2, pages))
        note_free(iova, iova_zone_of(at));
    else
        atomic_fetch_add_explicit(&iova->bad_frees, 1, memory_order_relaxed);
}

void iova_give_block(struct iova *iova, sluice_iova_t at, unsigned class_lg2)
{
    sluice_irqstate_t irq = sluice_spin_lock(&iova->range_lock);

    give_locked(iova, at, (uint64_t)1 << class_lg2);
    sluice_spin_unlock(&iova->range_lock, irq);
}

void iova_spill(struct iova *iova, unsigned bin, struct iova_magazine *magazine)
{
    uint64_t pages = (uint64_t)1 << (bin % RANGE_CLASSES);
    sluice_irqstate_t irq;

    if (magazine->count == 0)
        return;
    irq = sluice_spin_lock(&iova->range_lock);
    while (magazine->count > 0)
        give_locked(iova, magazine->at[--magazine->count], pages);
    sluice_spin_unlock(&iova->range_lock, irq);
}

unsigned iova_take_blocks(struct iova *iova, unsigned zone, unsigned class_lg2, sluice_iova_t last,
                          unsigned count, sluice_iova_t *out)
{
    uint64_t last_page;
    sluice_irqstate_t irq;
    unsigned taken;

    if (atomic_load_explicit(&iova->full_class[zone], memory_order_relaxed) <= class_lg2 ||
        !last_page_of(last, &last_page))
        return 0;
    irq = sluice_spin_lock(&iova->range_lock);
    taken = ranges_take_blocks(&iova->ranges, zone, class_lg2, last_page, count, out);
    if (taken == 0 && last_page >= iova->ranges.zones[zone].last)
        atomic_store_explicit(&iova->full_class[zone], class_lg2, memory_order_relaxed);
    sluice_spin_unlock(&iova->range_lock, irq);
    for (unsigned i = 0; i < taken; i++)
        out[i] <<= SLUICE_PAGE_LG2;
    return taken;
}

/* ---- exact ranges ---- */

/** Looks everywhere, exactly. `want` has everything but the zone's limits. */
static enum sluice_status take_anywhere_locked(struct iova *iova, const struct extent_want *want,
                                               sluice_iova_t last, uint64_t *out_page)
{
    const struct iova_zone_order *order = iova_zone_order(iova, last);
    enum sluice_status status = SLUICE_ERR_NO_SPACE;
    struct extent_want here = *want;

    for (unsigned i = 0; i < order->count && status == SLUICE_ERR_NO_SPACE; i++) {
        const struct page_range *zone = &iova->ranges.zones[order->zone[i]];

        here.first = zone->first;
        here.last = zone->last < want->last ? zone->last : want->last;
        if (here.first <= here.last)
            status = ranges_take(&iova->ranges, &here, out_page);
    }
    /* What is longer than any zone lies across them. */
    if (status == SLUICE_ERR_NO_SPACE)
        status = ranges_take(&iova->ranges, want, out_page);
    return status;
}

/** A range from the extents; gathers up everything that hides before it fails. */
static enum sluice_status alloc_exact(struct iova *iova, struct extent_want *want,
                                      sluice_iova_t last, bool large, sluice_iova_t *out)
{
    enum sluice_status status = SLUICE_ERR_NO_SPACE;
    uint64_t page = 0;

    want->first = iova->ranges.all.first;
    if (!last_page_of(last, &want->last) || want->last < want->first)
        return SLUICE_ERR_NO_SPACE;
    for (unsigned attempt = large ? 0 : 1; attempt < 2 && status == SLUICE_ERR_NO_SPACE;
         attempt++) {
        sluice_irqstate_t irq;

        if (attempt == 1)
            iova_spill_all(iova);
        irq = sluice_spin_lock(&iova->range_lock);
        if (attempt == 1)
            ranges_dissolve(&iova->ranges);
        status = take_anywhere_locked(iova, want, last, &page);
        if (status == SLUICE_OK && large) {
            iova->live_large++;
            iova->live_large_pages += want->pages;
        }
        sluice_spin_unlock(&iova->range_lock, irq);
    }
    if (status != SLUICE_OK)
        atomic_fetch_add_explicit(&iova->failures, 1, memory_order_relaxed);
    else
        *out = page << SLUICE_PAGE_LG2;
    return status;
}

enum sluice_status iova_alloc_last_resort(struct iova *iova, unsigned class_lg2, sluice_iova_t last,
                                          sluice_iova_t *out)
{
    struct extent_want want = {.pages = (uint64_t)1 << class_lg2, .align_lg2 = class_lg2};
    enum sluice_status status = alloc_exact(iova, &want, last, false, out);

    if (status == SLUICE_OK)
        atomic_fetch_add_explicit(&iova->shared.allocs, 1, memory_order_relaxed);
    return status;
}

enum sluice_status iova_alloc_large(struct iova *iova, uint64_t pages, unsigned align_lg2,
                                    uint64_t boundary_pages, sluice_iova_t last, sluice_iova_t *out)
{
    struct extent_want want = {
        .pages = pages, .align_lg2 = align_lg2, .boundary_pages = boundary_pages};

    return alloc_exact(iova, &want, last, true, out);
}

void iova_free_large(struct iova *iova, sluice_iova_t at, uint64_t pages)
{
    sluice_irqstate_t irq = sluice_spin_lock(&iova->range_lock);

    if (ranges_give(&iova->ranges, at >> SLUICE_PAGE_LG2, pages)) {
        iova->live_large--;
        iova->live_large_pages -= pages;
        for (unsigned zone = iova_zone_of(at);
             zone <= iova_zone_of(at + ((pages - 1) << SLUICE_PAGE_LG2)); zone++)
            note_free(iova, zone);
    } else {
        atomic_fetch_add_explicit(&iova->bad_frees, 1, memory_order_relaxed);
    }
    sluice_spin_unlock(&iova->range_lock, irq);
}

/* ---- special requests ---- */

/** The pages that a special request takes up: a block as large as its alignment, or itself. */
static uint64_t special_pages(const struct iova_request *request)
{
    uint64_t align = request->align_lg2 > SLUICE_PAGE_LG2
                         ? (uint64_t)1 << (request->align_lg2 - SLUICE_PAGE_LG2)
                         : 1;

    if (request->pages > IOVA_BLOCK_PAGES || align > IOVA_BLOCK_PAGES)
        return request->pages;
    return align > request->pages ? align : request->pages;
}

/** Whether the magazines' natural alignment is all that a request needs. */
static bool is_block(const struct iova_request *request)
{
    return request->pages <= IOVA_BLOCK_PAGES &&
           request->align_lg2 <= SLUICE_PAGE_LG2 + RANGE_CLASSES - 1;
}

enum sluice_status iova_alloc_special(struct iova *iova, const struct iova_request *request,
                                      sluice_iova_t *out)
{
    uint64_t boundary = request->boundary_bytes;
    unsigned align_lg2 = 0;

    if (request->pages == 0 || request->align_lg2 > 63 || (boundary & (boundary - 1)) != 0 ||
        (boundary != 0 && boundary >> SLUICE_PAGE_LG2 < request->pages))
        return SLUICE_ERR_INVALID;
    if (is_block(request))
        return iova_alloc(iova, special_pages(request), request->last, out);
    if (request->align_lg2 > SLUICE_PAGE_LG2)
        align_lg2 = request->align_lg2 - SLUICE_PAGE_LG2;
    return iova_alloc_large(iova, request->pages, align_lg2, boundary >> SLUICE_PAGE_LG2,
                            request->last, out);
}

void iova_free_special(struct iova *iova, sluice_iova_t at, const struct iova_request *request)
{
    if (is_block(request))
        iova_free(iova, at, special_pages(request));
    else
        iova_free_large(iova, at, request->pages);
}

/* ---- reserved ranges, and memory pressure ---- */

enum sluice_status iova_reserve(struct iova *iova, sluice_iova_t first, sluice_iova_t last)
{
    enum sluice_status status = SLUICE_ERR_EXISTS;

    if (first > last)
        return SLUICE_ERR_INVALID;
    for (unsigned attempt = 0; attempt < 2 && status == SLUICE_ERR_EXISTS; attempt++) {
        sluice_irqstate_t irq;

        if (attempt == 1)
            iova_spill_all(iova);
        irq = sluice_spin_lock(&iova->range_lock);
        if (attempt == 1)
            ranges_dissolve(&iova->ranges);
        status = ranges_reserve(&iova->ranges, first >> SLUICE_PAGE_LG2, last >> SLUICE_PAGE_LG2);
        sluice_spin_unlock(&iova->range_lock, irq);
    }
    return status;
}

void iova_trim(struct iova *iova)
{
    sluice_irqstate_t irq;

    iova_spill_all(iova);
    irq = sluice_spin_lock(&iova->range_lock);
    extents_trim(&iova->ranges.extents, iova->ranges.taken + 2);
    sluice_spin_unlock(&iova->range_lock, irq);
}
