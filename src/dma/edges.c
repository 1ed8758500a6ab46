// SPDX-License-Identifier: MIT
/*
 * Buffers of untrusted devices that begin or end inside a page: that page is replaced by a bounce
 * page, which holds the buffer's bytes and zeroes. Whole pages in between are mapped as they are,
 * so a large buffer costs two small copies.
 */
#include "dma/dma.h"

/** Where a buffer lies in its pages. */
struct extent_of_buffer {
    uint64_t granule;
    uint64_t offset; /**< of its first byte in its first page */
    uint64_t pages_bytes;
    uint64_t tail; /**< bytes of it in a last page that it does not fill; 0: it fills it */
    bool head;     /**< the first page has to be replaced */
    bool single;   /**< the first page is the last one */
};

static struct extent_of_buffer place(const struct dma_space *space, uint64_t address,
                                     uint64_t bytes)
{
    struct extent_of_buffer at = {.granule = (uint64_t)1 << space->granule_lg2,
                                  .offset = space_offset(space, address)};

    at.pages_bytes = space_round(space, at.offset + bytes);
    at.single = at.pages_bytes == at.granule;
    at.tail = space_offset(space, at.offset + bytes);
    at.head = at.offset != 0 || (at.single && at.tail != 0);
    if (at.single)
        at.tail = 0;
    return at;
}

/** A bounce page with the buffer's bytes in it, and nothing else. */
static enum sluice_status take_edge(struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes,
                                    uint32_t flags, struct bounce_run **out)
{
    enum sluice_status status = bounce_take(dma->bounce, phys, bytes, dma->space->granule_lg2, out);

    if (status != SLUICE_OK)
        return status;
    bounce_wipe(*out);
    /* Always, or the device would see what the page held before. */
    dma_bounce_copy(dma, *out, (*out)->phys, bytes, true);
    dma_clean(dma, (*out)->phys, bytes, flags & ~(uint32_t)SLUICE_DMA_NO_SYNC);
    return SLUICE_OK;
}

static enum sluice_status take_edges(struct sluice_dma *dma, const struct extent_of_buffer *at,
                                     sluice_phys_t phys, uint64_t bytes, uint32_t flags,
                                     struct edges *edges)
{
    uint64_t room = at->granule - at->offset;
    enum sluice_status status = SLUICE_OK;

    if (at->head)
        status = take_edge(dma, phys, bytes < room ? bytes : room, flags, &edges->run[0]);
    if (status == SLUICE_OK && at->tail != 0)
        status = take_edge(dma, phys + bytes - at->tail, at->tail, flags, &edges->run[1]);
    return status;
}

/** The pages to map: bounce pages at the ends, the buffer's own between them. */
static unsigned list_pieces(const struct extent_of_buffer *at, const struct edges *edges,
                            sluice_phys_t phys, struct sluice_dma_segment pieces[3])
{
    sluice_phys_t base = phys - at->offset;
    uint64_t first = edges->run[0] != NULL ? at->granule : 0;
    uint64_t last = edges->run[1] != NULL ? at->granule : 0;
    unsigned count = 0;

    if (first != 0)
        pieces[count++] = (struct sluice_dma_segment){bounce_page(edges->run[0]), first};
    if (at->pages_bytes > first + last)
        pieces[count++] = (struct sluice_dma_segment){base + first, at->pages_bytes - first - last};
    if (last != 0)
        pieces[count++] = (struct sluice_dma_segment){bounce_page(edges->run[1]), last};
    return count;
}

enum sluice_status edges_map(struct sluice_dma *dma, sluice_phys_t phys, uint64_t bytes,
                             uint32_t flags, sluice_iova_t *out)
{
    const struct extent_of_buffer at = place(dma->space, phys, bytes);
    struct edges edges = {{NULL, NULL}};
    struct sluice_dma_segment pieces[3];
    enum sluice_status status;
    sluice_iova_t iova = 0;
    struct pt_list list;

    status = take_edges(dma, &at, phys, bytes, flags, &edges);
    if (status == SLUICE_OK)
        status = space_take(dma->space, at.pages_bytes, dma->last, &iova);
    if (status != SLUICE_OK) {
        edges_end(dma, &edges, 0, SLUICE_OK);
        return status;
    }
    dma_count_bounced(dma);
    dma_clean(dma, phys, bytes, flags);
    list = pt_list_of(pieces, list_pieces(&at, &edges, phys, pieces));
    status = space_map(dma->space, iova, &list, space_prot(dma, flags));
    if (status != SLUICE_OK) {
        bool known = status == SLUICE_ERR_TIMEOUT || status == SLUICE_ERR_HARDWARE;

        space_undo_take(dma->space, iova, at.pages_bytes, status);
        edges_end(dma, &edges, 0, known ? status : SLUICE_OK);
        return status;
    }
    *out = iova + at.offset;
    return SLUICE_OK;
}

static struct bounce_run *find_edge(struct sluice_dma *dma, sluice_iova_t iova)
{
    sluice_phys_t phys;

    if (space_lookup(dma->space, iova, &phys) != SLUICE_OK)
        return NULL;
    return bounce_find(&dma->context->bounce, phys);
}

void edges_find(struct sluice_dma *dma, sluice_iova_t address, uint64_t bytes, struct edges *out)
{
    const struct extent_of_buffer at = place(dma->space, address, bytes);

    *out = (struct edges){{NULL, NULL}};
    if (at.head)
        out->run[0] = find_edge(dma, address);
    if (at.tail != 0)
        out->run[1] = find_edge(dma, address + bytes - 1);
}

void edges_end(struct sluice_dma *dma, struct edges *edges, uint32_t flags,
               enum sluice_status flushed)
{
    for (unsigned i = 0; i < 2; i++) {
        struct bounce_run *run = edges->run[i];

        if (run == NULL)
            continue;
        if (flushed != SLUICE_OK) {
            bounce_withhold(run);
            continue;
        }
        if ((flags & SLUICE_DMA_FROM_DEVICE) != 0 && (flags & SLUICE_DMA_NO_SYNC) == 0)
            dma_bounce_copy(dma, run, run->phys, run->bytes, false);
        bounce_give(run);
    }
}
