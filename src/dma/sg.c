// SPDX-License-Identifier: MIT
/*
 * Scatter-gather lists.
 *
 * With translation a list becomes one range of IOVAs: each segment's pages follow the ones before,
 * and a segment that begins where the last one ended, or at the beginning of a page after one that
 * ended with a page, continues the chunk. Untranslated, and for untrusted devices whose segments
 * share pages with other data, every segment is mapped by itself.
 */
#include "dma/check.h"
#include "dma/dma.h"

#define SG_PIECES 16u
#define SG_BATCH  16u

/* Together they keep every sum below from wrapping: addresses that no unit puts out, segments and
 * lists that no memory is large enough for. */
#define SG_PHYS_BITS    56u
#define SG_BYTES_BITS   40u
#define SG_SEGMENTS_MAX (1u << 20)

/** Walks a list and says where each segment comes to lie in the range of IOVAs. */
struct sg_walk {
    const struct dma_space *space;
    const struct sluice_dma_sg *sg;
    unsigned next;          /**< segment */
    uint64_t end;           /**< where the last one ended, from the beginning of the range */
    sluice_phys_t phys_end; /**< and in memory */
    bool joined;            /**< the segment continues the piece of the one before */
    uint64_t at;            /**< where the segment begins */
};

static bool sg_step(struct sg_walk *walk)
{
    const struct sluice_dma_segment *segment;

    if (walk->next == walk->sg->segment_count)
        return false;
    segment = &walk->sg->segments[walk->next];
    walk->joined = walk->next != 0 && segment->phys == walk->phys_end;
    walk->at = walk->end;
    if (!walk->joined)
        walk->at = space_round(walk->space, walk->end) + space_offset(walk->space, segment->phys);
    walk->end = walk->at + segment->bytes;
    walk->phys_end = segment->phys + segment->bytes;
    walk->next++;
    return true;
}

/** Whether a list is made of whole pages, which follow each other without a gap. */
static bool is_all_pages(const struct dma_space *space, const struct pt_list *list)
{
    return space_offset(space, list->addresses | list->lengths) == 0;
}

/** Bytes of IOVA that a whole list takes. */
static uint64_t sg_pages_bytes(const struct dma_space *space, const struct sluice_dma_sg *sg,
                               const struct pt_list *list)
{
    struct sg_walk walk = {.space = space, .sg = sg};

    if (is_all_pages(space, list))
        return list->bytes;
    while (sg_step(&walk))
        continue;
    return space_round(space, walk.end);
}

/* ---- chunks ---- */

/** How much fits into one chunk from `address` on, of which `have` are in it. */
static uint64_t chunk_room(const struct sluice_dma *dma, sluice_iova_t address, uint64_t have)
{
    uint64_t room = dma->segment_bytes - have;
    uint64_t to_boundary = UINT64_MAX;

    if (dma->boundary_bytes != 0)
        to_boundary = dma->boundary_bytes - (address & (dma->boundary_bytes - 1));
    return room < to_boundary ? room : to_boundary;
}

/** Whether [address, ...) may go on where the last chunk ends. */
static bool continues(const struct sluice_dma *dma, const struct sluice_dma_chunk *last,
                      sluice_iova_t address)
{
    return last->address + last->bytes == address && last->bytes < dma->segment_bytes &&
           (dma->boundary_bytes == 0 || (address & (dma->boundary_bytes - 1)) != 0);
}

/** Adds a stretch of device addresses to the chunks. Beyond their capacity it only counts. */
static void emit(const struct sluice_dma *dma, struct sluice_dma_sg *sg, sluice_iova_t address,
                 uint64_t bytes)
{
    while (bytes > 0) {
        struct sluice_dma_chunk *last = NULL;
        uint64_t now;

        if (sg->chunk_count != 0 && sg->chunk_count <= sg->chunk_capacity)
            last = &sg->chunks[sg->chunk_count - 1];
        if (last == NULL || !continues(dma, last, address)) {
            last = NULL;
            if (sg->chunk_count < sg->chunk_capacity) {
                last = &sg->chunks[sg->chunk_count];
                *last = (struct sluice_dma_chunk){address, 0};
            }
            sg->chunk_count++;
        }
        now = chunk_room(dma, address, last != NULL ? last->bytes : 0);
        now = now < bytes ? now : bytes;
        if (last != NULL)
            last->bytes += now;
        address += now;
        bytes -= now;
    }
}

/* ---- a list as one range ---- */

/** Whether one range of pages serves the list. */
static bool is_whole(const struct sluice_dma *dma, const struct sluice_dma_sg *sg)
{
    if (dma->space == NULL)
        return false;
    for (unsigned i = 0; dma->untrusted && i < sg->segment_count; i++) {
        if (dma_route(dma, sg->segments[i].phys, sg->segments[i].bytes) != DMA_ROUTE_MAPPED)
            return false;
    }
    return true;
}

static void emit_whole(const struct sluice_dma *dma, struct sluice_dma_sg *sg,
                       const struct pt_list *list, sluice_iova_t base)
{
    struct sg_walk walk = {.space = dma->space, .sg = sg};

    sg->chunk_count = 0;
    if (is_all_pages(dma->space, list)) {
        emit(dma, sg, base, list->bytes);
        return;
    }
    while (sg_step(&walk))
        emit(dma, sg, base + walk.at, walk.end - walk.at);
}

/** Pieces that wait to be mapped, and how far the range is mapped. */
struct sg_map {
    struct dma_space *space;
    sluice_iova_t base, next;
    uint32_t prot;
    unsigned count;
    struct sluice_dma_segment pieces[SG_PIECES];
};

static enum sluice_status sg_map_pieces(struct sg_map *map)
{
    const struct pt_list list = pt_list_of(map->pieces, map->count);
    enum sluice_status status = space_map(map->space, map->next, &list, map->prot);

    if (status == SLUICE_OK)
        map->next += list.bytes;
    map->count = 0;
    return status;
}

/** Takes back what was mapped before a failure. */
static enum sluice_status sg_undo(struct sg_map *map, enum sluice_status why)
{
    struct pt_gather gather;
    enum sluice_status status;

    if (map->next == map->base)
        return why;
    pt_gather_init(&gather);
    status = space_clear(map->space, &gather, map->base, map->next - map->base);
    if (status == SLUICE_OK)
        status = domain_flush(map->space->domain, &gather);
    return status == SLUICE_OK ? why : SLUICE_ERR_TIMEOUT;
}

static enum sluice_status sg_map_list(struct sg_map *map, const struct sluice_dma_sg *sg)
{
    struct sg_walk walk = {.space = map->space, .sg = sg};
    enum sluice_status status = SLUICE_OK;

    while (status == SLUICE_OK && sg_step(&walk)) {
        const struct sluice_dma_segment *segment = &sg->segments[walk.next - 1];
        sluice_phys_t first = segment->phys - space_offset(map->space, segment->phys);

        if (walk.joined) {
            struct sluice_dma_segment *piece = &map->pieces[map->count - 1];

            piece->bytes = space_round(map->space, walk.phys_end - piece->phys);
            continue;
        }
        if (map->count == SG_PIECES)
            status = sg_map_pieces(map);
        map->pieces[map->count++] =
            (struct sluice_dma_segment){first, space_round(map->space, walk.phys_end - first)};
    }
    if (status == SLUICE_OK)
        status = sg_map_pieces(map);
    return status == SLUICE_OK ? status : sg_undo(map, status);
}

/** Maps a list to a range that was taken for it. */
static enum sluice_status sg_map_at(struct sluice_dma *dma, const struct sluice_dma_sg *sg,
                                    const struct pt_list *list, sluice_iova_t base, uint32_t prot)
{
    struct sg_map map;

    if (is_all_pages(dma->space, list))
        return space_map(dma->space, base, list, prot);
    map.space = dma->space;
    map.base = base;
    map.next = base;
    map.prot = prot;
    map.count = 0;
    return sg_map_list(&map, sg);
}

static enum sluice_status map_whole(struct sluice_dma *dma, struct sluice_dma_sg *sg,
                                    const struct pt_list *list, uint32_t flags)
{
    uint64_t bytes = sg_pages_bytes(dma->space, sg, list);
    enum sluice_status status;
    sluice_iova_t base;

    status = space_take(dma->space, bytes, dma->last, &base);
    if (status != SLUICE_OK)
        return status;
    emit_whole(dma, sg, list, base);
    status = sg->chunk_count <= sg->chunk_capacity ? SLUICE_OK : SLUICE_ERR_NO_SPACE;
    if (dma->non_coherent) {
        for (unsigned i = 0; i < sg->segment_count; i++)
            dma_clean(dma, sg->segments[i].phys, sg->segments[i].bytes, flags);
    }
    if (status == SLUICE_OK)
        status = sg_map_at(dma, sg, list, base, space_prot(dma, flags));
    if (status != SLUICE_OK)
        space_undo_take(dma->space, base, bytes, status);
    else
        dma_count(dma, bytes, true);
    return status;
}

/** The range that a list's mapping takes up. */
static struct sluice_dma_chunk whole_range(const struct sluice_dma *dma,
                                           const struct sluice_dma_sg *sg,
                                           const struct pt_list *list)
{
    sluice_iova_t first = sg->chunks[0].address;

    return (struct sluice_dma_chunk){first - space_offset(dma->space, first),
                                     sg_pages_bytes(dma->space, sg, list)};
}

/* ---- segment by segment ---- */

/** Finds where each segment lies in the chunks, which have the same bytes in the same order. */
struct sg_cursor {
    const struct sluice_dma_sg *sg;
    unsigned chunk;
    uint64_t into; /**< bytes of that chunk that are behind */
};

/** Where the next `bytes` begin; false when the chunks end too early. */
static bool cursor_step(struct sg_cursor *cursor, uint64_t bytes, sluice_iova_t *out)
{
    bool first = true;

    while (bytes > 0) {
        const struct sluice_dma_chunk *chunk = &cursor->sg->chunks[cursor->chunk];
        uint64_t now;

        if (cursor->chunk == cursor->sg->chunk_count)
            return false;
        if (cursor->into == chunk->bytes) {
            cursor->chunk++;
            cursor->into = 0;
            continue;
        }
        if (first)
            *out = chunk->address + cursor->into;
        first = false;
        now = chunk->bytes - cursor->into < bytes ? chunk->bytes - cursor->into : bytes;
        cursor->into += now;
        bytes -= now;
    }
    return !first;
}

static enum sluice_status unmap_segments(struct sluice_dma *dma, const struct sluice_dma_sg *sg,
                                         unsigned count, uint32_t flags)
{
    struct sg_cursor cursor = {.sg = sg};
    struct sluice_dma_chunk batch[SG_BATCH];
    enum sluice_status result = SLUICE_OK;
    unsigned filled = 0;

    for (unsigned i = 0; i < count; i++) {
        batch[filled].bytes = sg->segments[i].bytes;
        if (!cursor_step(&cursor, batch[filled].bytes, &batch[filled].address))
            return SLUICE_ERR_INVALID;
        if (++filled == SG_BATCH || i + 1 == count) {
            enum sluice_status status = dma_unmap_list(dma, batch, filled, flags);

            result = status != SLUICE_OK ? status : result;
            filled = 0;
        }
    }
    return result;
}

static enum sluice_status map_segments(struct sluice_dma *dma, struct sluice_dma_sg *sg,
                                       uint32_t flags)
{
    enum sluice_status status = SLUICE_OK;
    enum sluice_status undone;
    sluice_iova_t address = 0;
    unsigned done;

    sg->chunk_count = 0;
    for (done = 0; done < sg->segment_count; done++) {
        const struct sluice_dma_segment *segment = &sg->segments[done];

        status = dma_map_one(dma, segment->phys, segment->bytes, flags, &address);
        if (status != SLUICE_OK)
            break;
        emit(dma, sg, address, segment->bytes);
        if (sg->chunk_count > sg->chunk_capacity) {
            status = SLUICE_ERR_NO_SPACE;
            /* The chunks do not have it all, so this one goes by itself. */
            undone = dma_unmap_one(dma, address, segment->bytes, flags | SLUICE_DMA_NO_SYNC);
            status = undone != SLUICE_OK ? undone : status;
            break;
        }
    }
    if (status == SLUICE_OK)
        return status;
    undone = unmap_segments(dma, sg, done, flags | SLUICE_DMA_NO_SYNC);
    return undone != SLUICE_OK ? undone : status;
}

/** Whether a list's segments are there, and none is empty. */
static bool is_list(const struct sluice_dma *dma, const struct sluice_dma_sg *sg, uint32_t flags)
{
    return dma != NULL && sg != NULL && sg->segment_count != 0 && sg->segments != NULL &&
           sg->chunks != NULL && dma_has_direction(flags);
}

static bool has_empty(const struct sluice_dma_sg *sg)
{
    for (unsigned i = 0; i < sg->segment_count; i++) {
        if (sg->segments[i].bytes == 0)
            return true;
    }
    return false;
}

/**
 * One look at everything, without a branch in it: that is half of what a list of pages costs. An
 * empty segment shows as a length with its highest bit set.
 */
static enum sluice_status look_at(const struct sluice_dma *dma, const struct sluice_dma_sg *sg,
                                  uint32_t flags, struct pt_list *out)
{
    uint64_t bytes = 0, addresses = 0, lengths = 0, less_one = 0;

    if (!is_list(dma, sg, flags))
        return SLUICE_ERR_INVALID;
    for (unsigned i = 0; i < sg->segment_count; i++) {
        const struct sluice_dma_segment *segment = &sg->segments[i];

        addresses |= segment->phys;
        lengths |= segment->bytes;
        less_one |= segment->bytes - 1;
        bytes += segment->bytes;
    }
    *out = (struct pt_list){sg->segments, sg->segment_count, bytes, addresses, lengths};
    if (((addresses >> SG_PHYS_BITS) | (less_one >> SG_BYTES_BITS)) != 0 ||
        sg->segment_count > SG_SEGMENTS_MAX)
        return has_empty(sg) ? SLUICE_ERR_INVALID : SLUICE_ERR_RANGE;
    return SLUICE_OK;
}

/* ---- the way in ---- */

enum sluice_status sluice_dma_map_sg(struct sluice_dma *dma, struct sluice_dma_sg *sg,
                                     uint32_t flags, const char *site)
{
    struct pt_list list;
    enum sluice_status status = look_at(dma, sg, flags, &list);
    bool whole;

    if (status != SLUICE_OK)
        return status;
    whole = is_whole(dma, sg);
    status = whole ? map_whole(dma, sg, &list, flags) : map_segments(dma, sg, flags);
    if (status != SLUICE_OK)
        dma_count_failure(dma);
    else if (dma->check != NULL)
        check_list_mapped(dma, sg, whole ? whole_range(dma, sg, &list).bytes : 0, flags, site);
    return status;
}

enum sluice_status sluice_dma_unmap_sg(struct sluice_dma *dma, const struct sluice_dma_sg *sg,
                                       uint32_t flags, const char *site)
{
    struct pt_list list;
    enum sluice_status status = look_at(dma, sg, flags, &list);
    struct sluice_dma_chunk range;

    if (status != SLUICE_OK)
        return status;
    if (sg->chunk_count == 0 || sg->chunk_count > sg->chunk_capacity)
        return SLUICE_ERR_INVALID;
    if (dma->check != NULL) {
        status = check_list_unmapping(
            dma, sg, is_whole(dma, sg) ? whole_range(dma, sg, &list).bytes : 0, flags, site);
        if (status != SLUICE_OK)
            return status;
    }
    if (!is_whole(dma, sg))
        return unmap_segments(dma, sg, sg->segment_count, flags);
    if (dma->non_coherent && (flags & SLUICE_DMA_NO_SYNC) == 0) {
        for (unsigned i = 0; i < sg->segment_count; i++)
            dma_invalidate(dma, sg->segments[i].phys, sg->segments[i].bytes, flags);
    }
    range = whole_range(dma, sg, &list);
    status = space_unmap(dma, range.address, range.bytes, true);
    if (status != SLUICE_ERR_NOT_FOUND)
        dma_count(dma, range.bytes, false);
    return status;
}

static enum sluice_status sync_list(struct sluice_dma *dma, const struct sluice_dma_sg *sg,
                                    uint32_t flags, const char *site, bool to_device)
{
    struct pt_list list;
    enum sluice_status status = look_at(dma, sg, flags, &list);
    struct sg_cursor cursor = {.sg = sg};

    for (unsigned i = 0; status == SLUICE_OK && i < sg->segment_count; i++) {
        struct sluice_dma_chunk part = {0, sg->segments[i].bytes};

        if (!cursor_step(&cursor, part.bytes, &part.address))
            return SLUICE_ERR_INVALID;
        if (dma->check != NULL)
            status = check_sync(dma, &part, flags, site);
        if (status == SLUICE_OK)
            dma_sync_one(dma, part.address, part.bytes, flags & ~(uint32_t)SLUICE_DMA_NO_SYNC,
                         to_device);
    }
    return status;
}

enum sluice_status sluice_dma_sync_sg_for_cpu(struct sluice_dma *dma,
                                              const struct sluice_dma_sg *sg, uint32_t flags,
                                              const char *site)
{
    return sync_list(dma, sg, flags, site, false);
}

enum sluice_status sluice_dma_sync_sg_for_device(struct sluice_dma *dma,
                                                 const struct sluice_dma_sg *sg, uint32_t flags,
                                                 const char *site)
{
    return sync_list(dma, sg, flags, site, true);
}
