// SPDX-License-Identifier: MIT
/*
 * One buffer: map and unmap. What the checking mode and the counters do stands around it in the
 * public functions.
 */
#include "dma/check.h"
#include "dma/dma.h"

#define LEAF_LG2     21u /**< what one table of 4 KiB pages covers */
#define LEAF_ENTRIES 512u
#define LIST_EDGES   16u /**< mappings with bounce pages that share one invalidation */

static bool hardware_failed(enum sluice_status status)
{
    return status == SLUICE_ERR_TIMEOUT || status == SLUICE_ERR_HARDWARE;
}

/* ---- mapping ---- */

enum sluice_status dma_map_pages(struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes,
                                 uint32_t prot, sluice_iova_t *out)
{
    struct dma_space *space = dma->space;
    uint64_t offset = space_offset(space, phys);
    const struct sluice_dma_segment piece = {phys - offset, space_round(space, offset + bytes)};
    const struct pt_list list = pt_list_of(&piece, 1);
    enum sluice_status status;
    sluice_iova_t iova;

    status = space_take(space, piece.bytes, dma->last, &iova);
    if (__builtin_expect(status != SLUICE_OK, 0))
        return status;
    status = space_map(space, iova, &list, prot);
    if (__builtin_expect(status == SLUICE_OK, 1))
        *out = iova + offset;
    else
        space_undo_take(space, iova, piece.bytes, status);
    return status;
}

static enum sluice_status map_copy(struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes,
                                   uint32_t flags, sluice_iova_t *out)
{
    struct bounce_run *run;
    enum sluice_status status = bounce_take(dma->bounce, phys, bytes, SLUICE_PAGE_LG2, &run);

    if (status != SLUICE_OK)
        return status;
    dma_count_bounced(dma);
    /*
     * Also for what the device writes: it may write less than all of it, and the rest is copied
     * back too.
     */
    if ((flags & SLUICE_DMA_NO_SYNC) == 0) {
        dma_bounce_copy(dma, run, run->phys, bytes, true);
        dma_clean(dma, run->phys, bytes, flags);
    }
    *out = run->phys;
    return SLUICE_OK;
}

/** Finds a leaf's table anew, unless circumstances forbid. The page at `iova` is the caller's. */
static __attribute__((noinline)) bool
leaf_refill(struct sluice_domain *domain, struct dma_leaf *leaf, sluice_iova_t iova, bool to_map)
{
    struct pagetable *pt = &domain->pt;
    /* Before everything else: what changes after it makes this leaf void. */
    uint64_t generation = atomic_load_explicit(&pt->generation, memory_order_acquire);
    void *table;

    if (atomic_load_explicit(&domain->tables_withheld, memory_order_relaxed) ||
        (to_map && atomic_load_explicit(&domain->flush_on_map, memory_order_relaxed) != 0))
        return false;
    table = pt->format->leaf_table(pt, iova);
    if (table == NULL)
        return false;
    *leaf = (struct dma_leaf){iova >> LEAF_LG2, generation, table};
    return true;
}

/**
 * Whether a leaf is of a page that is the caller's. Its table cannot be unlinked meanwhile, because
 * that takes an owner of all its pages; one that was unlinked before shows in pt->generation, which
 * was raised before the caller could own the page. Without `refill` nothing is called, so that the
 * short way needs no registers saved.
 */
static inline bool leaf_is_of(struct sluice_dma *dma, const struct dma_leaf *leaf,
                              sluice_iova_t iova)
{
    return leaf->region == iova >> LEAF_LG2 &&
           leaf->generation == atomic_load_explicit(dma->generation, memory_order_relaxed);
}

static inline _Atomic(uint64_t) *leaf_slot(const struct dma_leaf *leaf, sluice_iova_t iova)
{
    return &leaf->table[(iova >> SLUICE_PAGE_LG2) & (LEAF_ENTRIES - 1)];
}

/** Writes the entry of a page; false when that takes more. */
static inline bool write_entry(struct sluice_dma *dma, struct dma_leaf *leaf, sluice_iova_t iova,
                               sluice_phys_t phys, uint32_t flags, bool refill)
{
    const struct dma_entry_form *form = &dma->form[flags & SLUICE_DMA_BOTH];
    _Atomic(uint64_t) *slot;

    if (__builtin_expect(phys >= form->phys_end, 0))
        return false;
    if (__builtin_expect(!leaf_is_of(dma, leaf, iova), 0) &&
        !(refill && leaf_refill(dma->space->domain, leaf, iova, true)))
        return false;
    slot = leaf_slot(leaf, iova);
    if (__builtin_expect(atomic_load_explicit(slot, memory_order_relaxed) != 0, 0))
        return false;
    /* Relaxed: as every mapping's; the driver's fence before it tells its device orders it. */
    atomic_store_explicit(slot, form->base + (phys >> SLUICE_PAGE_LG2) * dma->entry_scale,
                          memory_order_relaxed);
    return true;
}

/**
 * The short way for a part of one page: an address from this CPU's magazine, one entry, and the
 * count, all in one go on the CPU. False: nothing was done.
 */
static inline bool map_quickly(struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes,
                               uint32_t flags, bool refill, sluice_iova_t *out)
{
    sluice_irqstate_t state;
    struct dma_counts *cpu;
    uint64_t count = 1;
    bool done = false;

    if (__builtin_expect(dma_cpu_enter(dma, &state, &cpu), 1)) {
        struct iova_magazine *magazine = *cpu->magazine;

        if (__builtin_expect(magazine->count != 0, 1)) {
            sluice_iova_t at = magazine->at[magazine->count - 1];

            done = write_entry(dma, &cpu->map_leaf, at, phys, flags, refill);
            if (__builtin_expect(done, 1)) {
                iova_take_top(cpu->iova, magazine);
                count = dma_count_here(cpu, bytes, true);
                *out = at + (phys & (SLUICE_PAGE_BYTES - 1));
            }
        }
    }
    dma_cpu_leave(cpu, state);
    if (__builtin_expect((count & DMA_SAMPLE_MASK) == 0, 0))
        dma_sample(dma);
    return done;
}

/** Whether a buffer may take the short way. */
static inline bool is_short(const struct sluice_dma *dma, uint64_t address, uint64_t bytes)
{
    /* No bytes at all are more than any page has. */
    return dma->quick && bytes - 1 < SLUICE_PAGE_BYTES - (address & (SLUICE_PAGE_BYTES - 1));
}

static inline enum sluice_status map_by_route(struct sluice_dma *dma, sluice_phys_t phys,
                                              uint64_t bytes, uint32_t flags, sluice_iova_t *out)
{
    switch (dma_route(dma, phys, bytes)) {
    case DMA_ROUTE_MAPPED:
        dma_clean(dma, phys, bytes, flags);
        return dma_map_pages(dma, phys, bytes, space_prot(dma, flags), out);
    case DMA_ROUTE_EDGES:
        return edges_map(dma, phys, bytes, flags, out);
    case DMA_ROUTE_COPY:
        return map_copy(dma, phys, bytes, flags, out);
    default:
        dma_clean(dma, phys, bytes, flags);
        *out = phys;
        return SLUICE_OK;
    }
}

enum sluice_status dma_map_one(struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes,
                               uint32_t flags, sluice_iova_t *out)
{
    enum sluice_status status = map_by_route(dma, phys, bytes, flags, out);

    if (__builtin_expect(status == SLUICE_OK, 1))
        dma_count(dma, bytes, true);
    return status;
}

/** What the short way does not do. */
static __attribute__((noinline)) enum sluice_status map_hard(struct sluice_dma *dma,
                                                             sluice_phys_t phys, uint64_t bytes,
                                                             uint32_t flags, const char *site,
                                                             sluice_iova_t *out)
{
    enum sluice_status status;

    if (dma == NULL || out == NULL || bytes == 0 || !dma_has_direction(flags))
        return SLUICE_ERR_INVALID;
    if (phys + (bytes - 1) < phys || bytes >> 52 != 0)
        return SLUICE_ERR_RANGE;
    if (is_short(dma, phys, bytes) && map_quickly(dma, phys, bytes, flags, true, out))
        return SLUICE_OK;
    status = dma_map_one(dma, phys, bytes, flags, out);
    if (status != SLUICE_OK)
        dma_count_failure(dma);
    else if (dma->check != NULL)
        check_mapped(dma, CHECK_BUFFER, &(struct sluice_dma_chunk){*out, bytes}, flags, site);
    return status;
}

enum sluice_status sluice_dma_map(struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes,
                                  uint32_t flags, const char *site, sluice_iova_t *out)
{
    if (__builtin_expect(dma != NULL && out != NULL, 1) &&
        __builtin_expect(is_short(dma, phys, bytes), 1) &&
        __builtin_expect(map_quickly(dma, phys, bytes, flags, false, out), 1))
        return SLUICE_OK;
    return map_hard(dma, phys, bytes, flags, site, out);
}

/* ---- unmapping ---- */

/** The pages of a mapping. */
static struct sluice_dma_chunk pages_of(const struct dma_space *space, sluice_iova_t address,
                                        uint64_t bytes)
{
    uint64_t offset = space_offset(space, address);

    return (struct sluice_dma_chunk){address - offset, space_round(space, offset + bytes)};
}

static enum sluice_status unmap_physical(struct sluice_dma *dma, sluice_iova_t address,
                                         uint64_t bytes, uint32_t flags)
{
    struct bounce_run *run = bounce_find(&dma->context->bounce, address);

    if (run == NULL) {
        dma_invalidate(dma, address, bytes, flags);
        return SLUICE_OK;
    }
    if (run->phys != address || run->bytes != bytes)
        return SLUICE_ERR_INVALID;
    dma_invalidate(dma, address, bytes, flags);
    if ((flags & SLUICE_DMA_FROM_DEVICE) != 0 && (flags & SLUICE_DMA_NO_SYNC) == 0)
        dma_bounce_copy(dma, run, address, bytes, false);
    bounce_give(run);
    return SLUICE_OK;
}

static enum sluice_status unmap_edges(struct sluice_dma *dma, sluice_iova_t address, uint64_t bytes,
                                      uint32_t flags)
{
    const struct sluice_dma_chunk pages = pages_of(dma->space, address, bytes);
    enum sluice_status status;
    struct edges edges;

    edges_find(dma, address, bytes, &edges);
    status = space_unmap(dma, pages.address, pages.bytes, false);
    edges_end(dma, &edges, flags, status);
    return status;
}

static inline enum sluice_status unmap_by_route(struct sluice_dma *dma, sluice_iova_t address,
                                                uint64_t bytes, uint32_t flags)
{
    struct sluice_dma_chunk pages;

    if (dma->space == NULL)
        return unmap_physical(dma, address, bytes, flags);
    if (__builtin_expect(dma->non_coherent, 0) && (flags & SLUICE_DMA_NO_SYNC) == 0)
        dma_sync_one(dma, address, bytes, flags, false);
    if (__builtin_expect(dma_route(dma, address, bytes) == DMA_ROUTE_EDGES, 0))
        return unmap_edges(dma, address, bytes, flags);
    pages = pages_of(dma->space, address, bytes);
    return space_unmap(dma, pages.address, pages.bytes, true);
}

/** Whether a mapping is gone, for the device or for good. */
static bool is_over(enum sluice_status status)
{
    return status == SLUICE_OK || hardware_failed(status);
}

enum sluice_status dma_unmap_one(struct sluice_dma *dma, sluice_iova_t address, uint64_t bytes,
                                 uint32_t flags)
{
    enum sluice_status status = unmap_by_route(dma, address, bytes, flags);

    if (__builtin_expect(is_over(status), 1))
        dma_count(dma, bytes, false);
    return status;
}

/** The short way's second phase where nothing waits: a strict domain, or a full ring. */
static __attribute__((noinline)) enum sluice_status
unmap_page_now(struct sluice_dma *dma, sluice_iova_t page, uint64_t bytes)
{
    struct dma_space *space = dma->space;
    enum sluice_status status;
    struct pt_gather gather;

    if (space_is_lazy(space) && flush_put(space, page, SLUICE_PAGE_BYTES)) {
        dma_count(dma, bytes, false);
        return SLUICE_OK;
    }
    dma_count_flushed(dma, bytes);
    pt_gather_init(&gather);
    gather.ranges[gather.count++] = (struct pt_range){
        .first = page, .last = page + (SLUICE_PAGE_BYTES - 1), .page_lg2 = SLUICE_PAGE_LG2};
    status = domain_flush_unmapped(space->domain, &gather,
                                   &(struct sluice_dma_chunk){page, SLUICE_PAGE_BYTES}, 1);
    if (status == SLUICE_OK)
        iova_free(space->iova, page, 1);
    else
        space_withhold(space, SLUICE_PAGE_BYTES);
    return status;
}

/** What became of an unmap on the short way. */
enum quick_end {
    QUICK_NOT,
    QUICK_QUEUED,
    QUICK_CLEARED
};

/** Clears a page's entry and puts it into this CPU's ring, if the domain is lazy. */
static inline enum quick_end clear_and_queue(struct sluice_dma *dma, sluice_iova_t page,
                                             uint64_t bytes, bool refill)
{
    enum flush_result result = FLUSH_FULL;
    enum quick_end end = QUICK_NOT;
    sluice_irqstate_t state;
    struct dma_counts *cpu;

    if (__builtin_expect(dma_cpu_enter(dma, &state, &cpu), 1) &&
        (__builtin_expect(leaf_is_of(dma, &cpu->unmap_leaf, page), 1) ||
         (refill && leaf_refill(dma->space->domain, &cpu->unmap_leaf, page, false)))) {
        _Atomic(uint64_t) *slot = leaf_slot(&cpu->unmap_leaf, page);
        uint64_t entry = atomic_load_explicit(slot, memory_order_relaxed);

        /* An entry of a run was mapped with others, so this is no page of its own: a wrong call,
         * which the long way takes apart or refuses. */
        if (__builtin_expect(entry != 0 && (entry & dma->entry_in_run) == 0, 1)) {
            atomic_store_explicit(slot, 0, memory_order_relaxed);
            result = flush_ring_put(cpu->ring, iova_word(page, 1));
            end = QUICK_CLEARED;
            if (__builtin_expect(result != FLUSH_FULL, 1)) {
                end = QUICK_QUEUED;
                (void)dma_count_here(cpu, bytes, false);
            }
            if (__builtin_expect(result == FLUSH_PUT_FIRST, 0))
                flush_note_first(dma->space, cpu->ring);
        }
    }
    dma_cpu_leave(cpu, state);
    if (__builtin_expect(result == FLUSH_PUT_FIRST, 0))
        flush_arm(dma->space);
    return end;
}

/** What the short way does not do. */
static __attribute__((noinline)) enum sluice_status unmap_hard(struct sluice_dma *dma,
                                                               sluice_iova_t address,
                                                               uint64_t bytes, uint32_t flags,
                                                               const char *site)
{
    const struct sluice_dma_chunk range = {address, bytes};
    sluice_iova_t page = address & ~(SLUICE_PAGE_BYTES - 1);
    enum quick_end end = QUICK_NOT;
    enum sluice_status status;

    if (dma == NULL || bytes == 0 || !dma_has_direction(flags))
        return SLUICE_ERR_INVALID;
    if (is_short(dma, address, bytes))
        end = clear_and_queue(dma, page, bytes, true);
    if (end != QUICK_NOT)
        return end == QUICK_QUEUED ? SLUICE_OK : unmap_page_now(dma, page, bytes);
    if (dma->check != NULL) {
        status = check_unmapping(dma, CHECK_BUFFER, &range, flags, site);
        if (status != SLUICE_OK)
            return status;
    }
    return dma_unmap_one(dma, address, bytes, flags);
}

enum sluice_status sluice_dma_unmap(struct sluice_dma *dma, sluice_iova_t address, uint64_t bytes,
                                    uint32_t flags, const char *site)
{
    sluice_iova_t page = address & ~(SLUICE_PAGE_BYTES - 1);
    enum quick_end end = QUICK_NOT;

    if (__builtin_expect(dma != NULL && dma_has_direction(flags), 1) &&
        __builtin_expect(is_short(dma, address, bytes), 1))
        end = clear_and_queue(dma, page, bytes, false);
    if (__builtin_expect(end == QUICK_QUEUED, 1))
        return SLUICE_OK;
    return end == QUICK_CLEARED ? unmap_page_now(dma, page, bytes)
                                : unmap_hard(dma, address, bytes, flags, site);
}

/* ---- many at once ---- */

/** The ranges that one invalidation serves: chunks[0..count). */
struct round {
    const struct sluice_dma_chunk *chunks;
    unsigned count;
    struct edges edges[LIST_EDGES];
    bool with_edges;
};

/** Takes the entries of as many chunks as one invalidation can serve; stops at a wrong one. */
static enum sluice_status round_clear(struct sluice_dma *dma, struct round *round, unsigned left,
                                      uint32_t flags, struct pt_gather *gather)
{
    enum sluice_status status = SLUICE_OK;

    for (round->count = 0; round->count < left && status == SLUICE_OK;) {
        const struct sluice_dma_chunk *chunk = &round->chunks[round->count];
        const struct sluice_dma_chunk pages = pages_of(dma->space, chunk->address, chunk->bytes);

        if (round->with_edges) {
            if (round->count == LIST_EDGES)
                break;
            edges_find(dma, chunk->address, chunk->bytes, &round->edges[round->count]);
        }
        status = space_clear(dma->space, gather, pages.address, pages.bytes);
        if (status == SLUICE_OK)
            round->count++;
        else if (round->with_edges)
            edges_end(dma, &round->edges[round->count], flags, status);
    }
    return status;
}

static void round_give(struct sluice_dma *dma, struct round *round, uint32_t flags,
                       enum sluice_status flushed)
{
    for (unsigned i = 0; i < round->count; i++) {
        const struct sluice_dma_chunk pages =
            pages_of(dma->space, round->chunks[i].address, round->chunks[i].bytes);

        if (round->with_edges)
            edges_end(dma, &round->edges[i], flags, flushed);
        if (flushed == SLUICE_OK)
            space_give(dma->space, pages.address, pages.bytes);
        else
            space_withhold(dma->space, pages.bytes);
        dma_count(dma, round->chunks[i].bytes, false);
    }
}

/** The worse of two: what may not be reused counts more than what was wrong. */
static enum sluice_status worse(enum sluice_status a, enum sluice_status b)
{
    if (hardware_failed(a) || b == SLUICE_OK)
        return a;
    return hardware_failed(b) || a == SLUICE_OK ? b : a;
}

static enum sluice_status unmap_together(struct sluice_dma *dma,
                                         const struct sluice_dma_chunk *chunks, unsigned count,
                                         uint32_t flags)
{
    struct round round = {.with_edges = dma->untrusted};
    enum sluice_status result = SLUICE_OK;

    for (unsigned done = 0; done < count; done += round.count) {
        enum sluice_status cleared, flushed = SLUICE_OK;
        struct pt_gather gather;

        pt_gather_init(&gather);
        round.chunks = &chunks[done];
        cleared = round_clear(dma, &round, count - done, flags, &gather);
        if (!pt_gather_empty(&gather))
            flushed = space_flush(dma, &gather, round.chunks, round.count);
        round_give(dma, &round, flags, flushed);
        result = worse(worse(result, flushed), cleared);
        if (cleared != SLUICE_OK)
            done++; /* the wrong one is left out */
    }
    return result;
}

enum sluice_status dma_unmap_list(struct sluice_dma *dma, const struct sluice_dma_chunk *chunks,
                                  unsigned count, uint32_t flags)
{
    enum sluice_status result = SLUICE_OK;

    if (dma->space != NULL && !space_is_lazy(dma->space) && !dma->non_coherent)
        return unmap_together(dma, chunks, count, flags);
    for (unsigned i = 0; i < count; i++)
        result = worse(result, dma_unmap_one(dma, chunks[i].address, chunks[i].bytes, flags));
    return result;
}

/** Runs of chunks that the checking mode has nothing against. */
static enum sluice_status unmap_checked(struct sluice_dma *dma,
                                        const struct sluice_dma_chunk *chunks, unsigned count,
                                        uint32_t flags, const char *site)
{
    enum sluice_status result = SLUICE_OK;
    unsigned begin = 0;

    for (unsigned i = 0; i <= count; i++) {
        enum sluice_status status = SLUICE_OK;

        if (i < count)
            status = check_unmapping(dma, CHECK_BUFFER, &chunks[i], flags, site);
        if (i < count && status == SLUICE_OK)
            continue;
        result = worse(result, dma_unmap_list(dma, &chunks[begin], i - begin, flags));
        result = worse(result, status);
        begin = i + 1;
    }
    return result;
}

enum sluice_status sluice_dma_unmap_many(struct sluice_dma *dma,
                                         const struct sluice_dma_chunk *chunks, unsigned count,
                                         uint32_t flags, const char *site)
{
    if (dma == NULL || (chunks == NULL && count != 0) || !dma_has_direction(flags))
        return SLUICE_ERR_INVALID;
    for (unsigned i = 0; i < count; i++) {
        if (chunks[i].bytes == 0)
            return SLUICE_ERR_INVALID;
    }
    return dma->check != NULL ? unmap_checked(dma, chunks, count, flags, site)
                              : dma_unmap_list(dma, chunks, count, flags);
}
