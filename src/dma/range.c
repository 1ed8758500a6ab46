// SPDX-License-Identifier: MIT
#include "dma/range.h"

#include "dma/slab.h"

/** Slabs looked at for one below a device's limit, before space is taken past them. */
#define LIMITED_SLABS 32u

static const struct page_range zone_pages[RANGE_ZONES] = {
    [RANGE_ZONE_24] = {0, ((uint64_t)1 << (24 - SLUICE_PAGE_LG2)) - 1},
    [RANGE_ZONE_32] = {(uint64_t)1 << (24 - SLUICE_PAGE_LG2),
                       ((uint64_t)1 << (32 - SLUICE_PAGE_LG2)) - 1},
    [RANGE_ZONE_64] = {(uint64_t)1 << (32 - SLUICE_PAGE_LG2), UINT64_MAX >> SLUICE_PAGE_LG2},
};

enum sluice_status ranges_init(struct ranges *ranges, struct sluice *sluice, uint64_t first,
                               uint64_t last)
{
    enum sluice_status status;

    *ranges = (struct ranges){.sluice = sluice, .all = {first, last}, .index_levels = 1};
    for (unsigned zone = 0; zone < RANGE_ZONES; zone++) {
        const struct page_range *whole = &zone_pages[zone];

        ranges->zones[zone].first = whole->first > first ? whole->first : first;
        ranges->zones[zone].last = whole->last < last ? whole->last : last;
        for (unsigned i = 0; i < RANGE_CLASSES; i++)
            list_init(&ranges->partial[zone][i]);
    }
    while (last >> (RANGE_SLAB_LG2 + ranges->index_levels * RANGE_INDEX_LG2) != 0)
        ranges->index_levels++;
    extents_init(&ranges->extents, sluice);
    status = extents_reserve(&ranges->extents, 2);
    if (status == SLUICE_OK && !extents_give(&ranges->extents, first, last - first + 1))
        status = SLUICE_ERR_INVALID;
    if (status != SLUICE_OK)
        extents_clear(&ranges->extents);
    return status;
}

void ranges_clear(struct ranges *ranges)
{
    slab_clear(ranges);
    extents_clear(&ranges->extents);
}

enum sluice_status ranges_take(struct ranges *ranges, const struct extent_want *want,
                               uint64_t *out_first)
{
    enum sluice_status status;

    if (!extents_find(&ranges->extents, want, out_first))
        return SLUICE_ERR_NO_SPACE;
    status = extents_reserve(&ranges->extents, ranges->taken + 2);
    if (status != SLUICE_OK)
        return status;
    extents_take(&ranges->extents, *out_first, want->pages);
    ranges->taken++;
    return SLUICE_OK;
}

/** Makes a slab at the lowest place of the zone; NULL: no space or no memory. */
static struct slab *add_slab(struct ranges *ranges, enum range_zone zone, unsigned class_lg2,
                             uint64_t last)
{
    const struct extent_want want = {.first = ranges->zones[zone].first,
                                     .last = last,
                                     .pages = RANGE_SLAB,
                                     .align_lg2 = RANGE_SLAB_LG2};
    struct slab *slab;
    uint64_t first;

    if (ranges_take(ranges, &want, &first) != SLUICE_OK)
        return NULL;
    slab = slab_create(ranges, first, zone, class_lg2);
    if (slab == NULL) {
        /* Cannot be refused: it was taken a moment ago. */
        (void)!extents_give(&ranges->extents, first, RANGE_SLAB);
        ranges->taken--;
    }
    return slab;
}

/** Takes free blocks of a slab that end at or before `last`. */
static unsigned slab_take(struct slab *slab, uint64_t last, unsigned count, uint64_t *out_pages)
{
    const uint64_t pages = (uint64_t)1 << slab->class_lg2;
    unsigned done = 0;

    for (unsigned word = 0; word < slab_words(slab->class_lg2) && done < count; word++) {
        uint64_t bits = slab->map[word];

        while (bits != 0 && done < count) {
            unsigned block = word * 64 + (unsigned)__builtin_ctzll(bits);
            uint64_t first = slab->first + block * pages;

            if (first > last || last - first < pages - 1)
                break;
            out_pages[done++] = first;
            bits &= bits - 1;
        }
        slab->map[word] = bits;
    }
    slab->free = (uint16_t)(slab->free - done);
    if (slab->free == 0)
        list_remove(&slab->node);
    return done;
}

/** One block straight from the extents, for when no slab fits. */
static bool take_lone_block(struct ranges *ranges, enum range_zone zone, unsigned class_lg2,
                            uint64_t last, uint64_t *out_page)
{
    const struct extent_want want = {.first = ranges->zones[zone].first,
                                     .last = last,
                                     .pages = (uint64_t)1 << class_lg2,
                                     .align_lg2 = class_lg2};

    return ranges_take(ranges, &want, out_page) == SLUICE_OK;
}

unsigned ranges_take_blocks(struct ranges *ranges, enum range_zone zone, unsigned class_lg2,
                            uint64_t last, unsigned count, uint64_t *out_pages)
{
    struct list_node *partial = &ranges->partial[zone][class_lg2];
    unsigned done = 0;
    unsigned looked = 0;

    if (last > ranges->zones[zone].last)
        last = ranges->zones[zone].last;
    if (last < ranges->zones[zone].first)
        return 0;
    list_for_each_safe(node, partial)
    {
        struct slab *slab = container_of(node, struct slab, node);

        /* Slabs that are out of a device's reach are passed over, but not without end. */
        if (done == count || looked++ == LIMITED_SLABS)
            break;
        done += slab_take(slab, last, count - done, out_pages + done);
    }
    while (done < count) {
        struct slab *slab = add_slab(ranges, zone, class_lg2, last);

        if (slab == NULL)
            break;
        done += slab_take(slab, last, count - done, out_pages + done);
    }
    if (done == 0 && take_lone_block(ranges, zone, class_lg2, last, out_pages))
        done = 1;
    return done;
}

/** Whether another slab of this size has free blocks, so that an empty one need not be kept. */
static bool has_sibling(const struct ranges *ranges, const struct slab *slab)
{
    const struct list_node *partial = &ranges->partial[slab->zone][slab->class_lg2];

    return partial->next != &slab->node || partial->prev != &slab->node;
}

static bool slab_give(struct ranges *ranges, struct slab *slab, uint64_t first, uint64_t pages)
{
    unsigned block = (unsigned)((first - slab->first) >> slab->class_lg2);

    if (pages != (uint64_t)1 << slab->class_lg2 || ((first - slab->first) & (pages - 1)) != 0 ||
        slab_is_free(slab, block))
        return false;
    slab->map[block / 64] |= (uint64_t)1 << (block % 64);
    if (slab->free++ == 0)
        list_append(&ranges->partial[slab->zone][slab->class_lg2], &slab->node);
    if (slab->free == slab_blocks(slab) && has_sibling(ranges, slab)) {
        uint64_t slab_first = slab->first;

        slab_destroy(ranges, slab);
        (void)!extents_give(&ranges->extents, slab_first, RANGE_SLAB);
        ranges->taken--;
    }
    return true;
}

/** Whether pages lie in the aperture and touch nothing that is reserved. */
static bool may_be_taken(const struct ranges *ranges, uint64_t first, uint64_t pages)
{
    uint64_t last = first + (pages - 1);

    if (pages == 0 || last < first || first < ranges->all.first || last > ranges->all.last)
        return false;
    for (unsigned i = 0; i < ranges->reserved_count; i++) {
        if (first <= ranges->reserved[i].last && last >= ranges->reserved[i].first)
            return false;
    }
    return true;
}

bool ranges_give(struct ranges *ranges, uint64_t first, uint64_t pages)
{
    struct slab *slab;

    if (!may_be_taken(ranges, first, pages))
        return false;
    slab = slab_find(ranges, first);
    if (slab != NULL)
        return slab_give(ranges, slab, first, pages);
    if (!extents_give(&ranges->extents, first, pages))
        return false;
    ranges->taken--;
    return true;
}

/** Turns one slab into extents. */
static enum sluice_status dissolve_slab(struct ranges *ranges, struct slab *slab)
{
    const uint64_t pages = (uint64_t)1 << slab->class_lg2;
    const unsigned blocks = slab_blocks(slab);
    /* Each block that stays taken counts as a range of its own from now on. */
    enum sluice_status status =
        extents_reserve(&ranges->extents, ranges->taken + (blocks - slab->free) + 2);

    if (status != SLUICE_OK)
        return status;
    ranges->taken += (uint64_t)(blocks - slab->free);
    ranges->taken--;
    for (unsigned block = 0; block < blocks; block++) {
        if (slab_is_free(slab, block))
            (void)!extents_give(&ranges->extents, slab->first + block * pages, pages);
    }
    slab_destroy(ranges, slab);
    return SLUICE_OK;
}

uint64_t ranges_dissolve(struct ranges *ranges)
{
    uint64_t before = ranges->slabs;

    for (unsigned zone = 0; zone < RANGE_ZONES; zone++) {
        for (unsigned i = 0; i < RANGE_CLASSES; i++) {
            list_for_each_safe(node, &ranges->partial[zone][i])
            {
                if (dissolve_slab(ranges, container_of(node, struct slab, node)) != SLUICE_OK)
                    return before - ranges->slabs;
            }
        }
    }
    return before - ranges->slabs;
}

/** The reserved piece that holds `page`, or the next one above. */
static const struct page_range *reserved_from(const struct ranges *ranges, uint64_t page)
{
    const struct page_range *best = NULL;

    for (unsigned i = 0; i < ranges->reserved_count; i++) {
        const struct page_range *piece = &ranges->reserved[i];

        if (piece->last >= page && (best == NULL || piece->first < best->first))
            best = piece;
    }
    return best;
}

/** The next piece at or after `page` that is not reserved yet; false when there is none. */
static bool next_piece(const struct ranges *ranges, uint64_t page, uint64_t last,
                       struct page_range *out)
{
    const struct page_range *piece = reserved_from(ranges, page);

    while (piece != NULL && piece->first <= page) {
        if (piece->last >= last)
            return false;
        page = piece->last + 1;
        piece = reserved_from(ranges, page);
    }
    *out =
        (struct page_range){page, piece != NULL && piece->first <= last ? piece->first - 1 : last};
    return page <= last;
}

enum sluice_status ranges_reserve(struct ranges *ranges, uint64_t first, uint64_t last)
{
    struct page_range piece;
    unsigned pieces = 0;
    enum sluice_status status;

    first = first < ranges->all.first ? ranges->all.first : first;
    last = last > ranges->all.last ? ranges->all.last : last;
    if (first > last)
        return SLUICE_OK;
    for (uint64_t at = first; next_piece(ranges, at, last, &piece); at = piece.last + 1) {
        if (!extents_covers(&ranges->extents, piece.first, piece.last - piece.first + 1))
            return SLUICE_ERR_EXISTS;
        pieces++;
        if (piece.last == last)
            break;
    }
    if (ranges->reserved_count + pieces > RANGE_RESERVED)
        return SLUICE_ERR_NO_SPACE;
    status = extents_reserve(&ranges->extents, ranges->taken + pieces + 1);
    while (status == SLUICE_OK && next_piece(ranges, first, last, &piece)) {
        extents_take(&ranges->extents, piece.first, piece.last - piece.first + 1);
        ranges->taken++;
        ranges->reserved[ranges->reserved_count++] = piece;
    }
    return status;
}

uint64_t ranges_bytes(const struct ranges *ranges)
{
    return ranges->metadata_bytes + ranges->extents.nodes * sizeof(struct extent);
}
