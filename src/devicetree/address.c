// SPDX-License-Identifier: MIT
/*
 * Addresses: "reg" as CPUs see it through the "ranges" of the buses above, and how far DMA goes
 * through "dma-ranges" [DT 2.3.6, 2.3.8, 2.3.9]. Called by node.c, reference.c and lint.
 */
#include "tree.h"

/** Cells of a PCI address: one that tells the space and the function, two of the address itself
 * [DT-binding pci, IEEE 1275 2.2.1]. */
#define PCI_CELLS 3u

/** How addresses of a bus lie in the one above: cells of an entry. */
struct shape {
    uint32_t child;
    uint32_t parent;
    uint32_t size;
};

/** Whether entries can be taken apart at all. */
static const char *shape_of(const struct sluice_devicetree_cursor *cursor, uint32_t depth,
                            struct shape *out)
{
    const struct sluice_devicetree_level *level = &cursor->level[depth];

    *out = (struct shape){
        .child = level->address_cells,
        .parent = depth == 0 ? 0 : cursor->level[depth - 1].address_cells,
        .size = level->size_cells,
    };
    if (out->child < 1 || out->child > PCI_CELLS || out->parent < 1 || out->parent > PCI_CELLS ||
        out->size < 1 || out->size > 2)
        return "cells of a bus are not in a number that addresses have";
    return NULL;
}

static uint32_t entry_cells(const struct shape *shape)
{
    return shape->child + shape->parent + shape->size;
}

/** An address of up to three cells; a PCI address without its first, which is no address. */
static uint64_t address(const struct sluice_devicetree_property *property, uint32_t at,
                        uint32_t cells)
{
    if (cells == PCI_CELLS)
        return dt_number(property, at + 1, 2);
    return dt_number(property, at, cells);
}

uint32_t dt_reg_count(const struct sluice_devicetree_cursor *cursor)
{
    const struct sluice_devicetree_property *reg = dt_get(cursor, DT_REG);
    const struct sluice_devicetree_level *parent = dt_parent(cursor);
    uint32_t stride;

    if (parent == NULL || parent->address_cells < 1 || parent->address_cells > PCI_CELLS ||
        parent->size_cells > 2)
        return 0;
    stride = (parent->address_cells + parent->size_cells) * 4;
    return reg->bytes % stride == 0 ? reg->bytes / stride : 0;
}

/** One bus up. */
static const char *raise_address(const struct sluice_devicetree_cursor *cursor, uint32_t depth,
                                 struct dt_range *range)
{
    const struct sluice_devicetree_property *ranges = &cursor->level[depth].ranges;
    struct shape shape;
    const char *wrong;
    uint32_t entries;

    if (ranges->data == NULL)
        return "a bus above has no \"ranges\": CPUs do not see it";
    if (ranges->bytes == 0)
        return NULL; /* the same addresses above [DT 2.3.8] */
    wrong = shape_of(cursor, depth, &shape);
    if (wrong != NULL)
        return wrong;
    if (ranges->bytes % (entry_cells(&shape) * 4) != 0)
        return "\"ranges\" of a bus above is no whole number of entries";
    entries = dt_cells(ranges) / entry_cells(&shape);
    for (uint32_t i = 0; i < entries && i < DT_RANGES_MAX; i++) {
        uint32_t at = i * entry_cells(&shape);
        uint64_t child = address(ranges, at, shape.child);
        uint64_t parent = address(ranges, at + shape.child, shape.parent);
        uint64_t bytes = dt_number(ranges, at + shape.child + shape.parent, shape.size);

        if (range->first < child || range->first - child >= bytes ||
            bytes - (range->first - child) < range->bytes)
            continue;
        if (range->first - child > UINT64_MAX - parent)
            return "\"ranges\" of a bus above leads past the largest address";
        range->first = range->first - child + parent;
        return NULL;
    }
    return "no \"ranges\" of a bus above has it";
}

const char *dt_reg(const struct sluice_devicetree_cursor *cursor, uint32_t index,
                   struct dt_range *out)
{
    const struct sluice_devicetree_property *reg = dt_get(cursor, DT_REG);
    const struct sluice_devicetree_level *parent = dt_parent(cursor);
    uint32_t at;

    if (reg->data == NULL || reg->bytes == 0 || parent == NULL)
        return "is missing";
    if (parent->address_cells < 1 || parent->address_cells > 2 || parent->size_cells > 2)
        return "cells of the bus above are not in a number that addresses have";
    if (index >= dt_reg_count(cursor))
        return "is no whole number of addresses and sizes";
    at = index * (parent->address_cells + parent->size_cells);
    out->first = dt_number(reg, at, parent->address_cells);
    out->bytes = dt_number(reg, at + parent->address_cells, parent->size_cells);
    if (out->bytes == 0)
        return "has a size of 0";
    if (out->bytes - 1 > UINT64_MAX - out->first)
        return "reaches past the largest address";
    for (uint32_t depth = cursor->depth - 1; depth > 0; depth--) {
        const char *wrong = raise_address(cursor, depth, out);

        if (wrong != NULL)
            return wrong;
        if (out->bytes - 1 > UINT64_MAX - out->first)
            return "reaches past the largest address";
    }
    return NULL;
}

const char *dt_pci_rid(const struct sluice_devicetree_cursor *cursor, uint16_t *out)
{
    const struct sluice_devicetree_property *reg = dt_get(cursor, DT_REG);

    /* bus 23:16, device 15:11, function 10:8 of the first cell [IEEE 1275 2.2.1.1] */
    if (reg->data == NULL || reg->bytes < PCI_CELLS * 4)
        return "does not say which PCI function this is";
    *out = (uint16_t)(dt_cell(reg, 0) >> 8);
    return NULL;
}

/** Depth of the bus whose "dma-ranges" count: the nearest that has some; 0: none has. */
static uint32_t dma_bus(const struct sluice_devicetree_cursor *cursor)
{
    /* A host bridge is the bus of the functions that are meant; others are on the one above. */
    uint32_t depth = dt_is_host(cursor) || cursor->depth == 0 ? cursor->depth : cursor->depth - 1;

    while (depth > 0 && cursor->level[depth].dma_ranges.bytes == 0)
        depth--;
    return depth;
}

static const char *dma_entries(const struct sluice_devicetree_cursor *cursor, uint32_t depth,
                               struct shape *shape, uint32_t *entries)
{
    const struct sluice_devicetree_property *ranges = &cursor->level[depth].dma_ranges;
    const char *wrong = shape_of(cursor, depth, shape);

    if (wrong != NULL)
        return wrong;
    if (ranges->bytes % (entry_cells(shape) * 4) != 0)
        return "is no whole number of entries";
    *entries = dt_cells(ranges) / entry_cells(shape);
    return *entries > DT_RANGES_MAX ? "has more entries than can be" : NULL;
}

const char *dt_dma_bits(const struct sluice_devicetree_cursor *cursor, uint8_t *out)
{
    uint32_t depth = dma_bus(cursor);
    uint64_t largest = 0;
    struct shape shape;
    const char *wrong;
    uint32_t entries;

    *out = 0;
    if (depth == 0)
        return NULL;
    wrong = dma_entries(cursor, depth, &shape, &entries);
    if (wrong != NULL)
        return wrong;
    for (uint32_t i = 0; i < entries; i++) {
        const struct sluice_devicetree_property *ranges = &cursor->level[depth].dma_ranges;
        uint32_t at = i * entry_cells(&shape);
        uint64_t first = address(ranges, at, shape.child);
        uint64_t bytes = dt_number(ranges, at + shape.child + shape.parent, shape.size);

        /* A size of 0 in two cells is how some say 2^64. */
        if (bytes == 0)
            bytes = shape.size == 2 ? UINT64_MAX : (uint64_t)1 << 32;
        if (bytes - 1 > UINT64_MAX - first)
            largest = UINT64_MAX;
        else if (first + (bytes - 1) > largest)
            largest = first + (bytes - 1);
    }
    while (*out < 64 && largest >> *out != 0)
        (*out)++;
    if (*out == 64)
        *out = 0;
    return NULL;
}

bool dt_dma_shifted(const struct sluice_devicetree_cursor *cursor)
{
    uint32_t depth = dma_bus(cursor);
    struct shape shape;
    uint32_t entries;

    if (depth == 0 || dma_entries(cursor, depth, &shape, &entries) != NULL)
        return false;
    for (uint32_t i = 0; i < entries; i++) {
        const struct sluice_devicetree_property *ranges = &cursor->level[depth].dma_ranges;
        uint32_t at = i * entry_cells(&shape);

        if (address(ranges, at, shape.child) != address(ranges, at + shape.child, shape.parent))
            return true;
    }
    return false;
}
