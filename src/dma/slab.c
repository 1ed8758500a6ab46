// SPDX-License-Identifier: MIT
#include "dma/slab.h"

#define INDEX_SLOTS (1u << RANGE_INDEX_LG2)

static unsigned slot_of(uint64_t page, unsigned level)
{
    return (unsigned)(page >> (RANGE_SLAB_LG2 + level * RANGE_INDEX_LG2)) & (INDEX_SLOTS - 1);
}

struct slab *slab_find(const struct ranges *ranges, uint64_t page)
{
    const struct index_node *node = ranges->index;

    for (unsigned level = ranges->index_levels - 1; node != NULL && level > 0; level--)
        node = node->slot[slot_of(page, level)];
    return node != NULL ? node->slot[slot_of(page, 0)] : NULL;
}

static struct index_node *index_alloc(struct ranges *ranges)
{
    struct index_node *node = host_alloc(ranges->sluice, sizeof(*node));

    if (node != NULL)
        ranges->metadata_bytes += sizeof(*node);
    return node;
}

/** The place of a page's slab in the index; NULL: no memory for the way there. */
static void **index_place(struct ranges *ranges, uint64_t page)
{
    struct index_node *node;

    if (ranges->index == NULL)
        ranges->index = index_alloc(ranges);
    node = ranges->index;
    for (unsigned level = ranges->index_levels - 1; node != NULL && level > 0; level--) {
        void **slot = &node->slot[slot_of(page, level)];

        if (*slot == NULL)
            *slot = index_alloc(ranges);
        node = *slot;
    }
    return node != NULL ? &node->slot[slot_of(page, 0)] : NULL;
}

static size_t slab_bytes(unsigned class_lg2)
{
    return sizeof(struct slab) + slab_words(class_lg2) * sizeof(uint64_t);
}

struct slab *slab_create(struct ranges *ranges, uint64_t first, enum range_zone zone,
                         unsigned class_lg2)
{
    void **place = index_place(ranges, first);
    struct slab *slab;

    if (place == NULL)
        return NULL;
    slab = host_alloc(ranges->sluice, slab_bytes(class_lg2));
    if (slab == NULL)
        return NULL;
    slab->first = first;
    slab->class_lg2 = (uint8_t)class_lg2;
    slab->zone = (uint8_t)zone;
    slab->free = (uint16_t)slab_blocks(slab);
    for (unsigned i = 0; i < slab_words(class_lg2); i++)
        slab->map[i] = slab->free >= 64 ? UINT64_MAX : ((uint64_t)1 << slab->free) - 1;
    list_append(&ranges->partial[zone][class_lg2], &slab->node);
    *place = slab;
    ranges->slabs++;
    ranges->metadata_bytes += slab_bytes(class_lg2);
    return slab;
}

void slab_destroy(struct ranges *ranges, struct slab *slab)
{
    void **place = index_place(ranges, slab->first);

    *place = NULL;
    list_remove(&slab->node);
    ranges->slabs--;
    ranges->metadata_bytes -= slab_bytes(slab->class_lg2);
    host_free(ranges->sluice, slab, slab_bytes(slab->class_lg2));
}

/** Frees what one slot of a node at `level` holds, if that is nothing more than a leaf. */
static void free_slab(struct ranges *ranges, struct slab *slab)
{
    ranges->metadata_bytes -= slab_bytes(slab->class_lg2);
    host_free(ranges->sluice, slab, slab_bytes(slab->class_lg2));
}

static void free_node(struct ranges *ranges, struct index_node *node)
{
    ranges->metadata_bytes -= sizeof(*node);
    host_free(ranges->sluice, node, sizeof(*node));
}

void slab_clear(struct ranges *ranges)
{
    /* Deepest index: 64 - 12 - 9 bits in steps of 6. */
    struct index_node *path[8];
    unsigned slot[8] = {0};
    unsigned level = ranges->index_levels;

    if (ranges->index == NULL)
        return;
    path[--level] = ranges->index;
    while (level < ranges->index_levels) {
        struct index_node *node = path[level];

        if (slot[level] == INDEX_SLOTS) {
            free_node(ranges, node);
            level++;
        } else if (node->slot[slot[level]] == NULL) {
            slot[level]++;
        } else if (level == 0) {
            free_slab(ranges, node->slot[slot[level]++]);
        } else {
            path[level - 1] = node->slot[slot[level]++];
            slot[--level] = 0;
        }
    }
    ranges->index = NULL;
    ranges->slabs = 0;
}
