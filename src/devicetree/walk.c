// SPDX-License-Identifier: MIT
/*
 * From node to node in the order of the blob, with what the nodes above mean for those below:
 * cells, status, coherence, interrupt parent, PCI segment [DT 2]. Called by all files here.
 */
#include "tree.h"

static const char *const names[DT_PROPERTY_COUNT] = {
#define DT_NAME(id, name) [DT_##id] = (name),
    DT_PROPERTIES(DT_NAME)
#undef DT_NAME
};

const char *dt_property_name(enum dt_property property)
{
    return names[property];
}

bool dt_same(const char *one, const char *other)
{
    while (*one != '\0' && *one == *other) {
        one++;
        other++;
    }
    return *one == *other;
}

const char *dt_string(const struct sluice_devicetree_property *property, uint32_t index)
{
    uint32_t begin = 0;

    for (uint32_t at = 0; at < property->bytes; at++) {
        if (property->data[at] != 0)
            continue;
        if (index == 0)
            return (const char *)property->data + begin;
        index--;
        begin = at + 1;
    }
    return NULL;
}

bool dt_is(const struct sluice_devicetree_property *property, const char *text)
{
    const char *first = property->data == NULL ? NULL : dt_string(property, 0);

    return first != NULL && dt_same(first, text);
}

enum sluice_status dt_error(struct sluice_devicetree_error *error, const char *path,
                            const char *property, const char *what)
{
    size_t at = 0;

    if (error == NULL)
        return SLUICE_ERR_FIRMWARE;
    while (path[at] != '\0' && at + 1 < sizeof(error->path)) {
        error->path[at] = path[at];
        at++;
    }
    error->path[at] = '\0';
    error->property = property;
    error->what = what;
    return SLUICE_ERR_FIRMWARE;
}

/** All properties of interest in one pass; the first of a name counts, as for libfdt. */
static void collect(const void *fdt, int node, struct sluice_devicetree_cursor *cursor)
{
    int at;

    for (unsigned i = 0; i < DT_PROPERTY_COUNT; i++)
        cursor->properties[i] = (struct sluice_devicetree_property){0};
    cursor->twice = 0;
    fdt_for_each_property_offset(at, fdt, node)
    {
        const char *name = NULL;
        int bytes = 0;
        const uint8_t *data = fdt_getprop_by_offset(fdt, at, &name, &bytes);

        for (unsigned i = 0; data != NULL && i < DT_PROPERTY_COUNT; i++) {
            if (!dt_same(name, names[i]))
                continue;
            if (cursor->properties[i].data != NULL)
                cursor->twice |= (uint64_t)1 << i;
            else
                cursor->properties[i] = (struct sluice_devicetree_property){data, (uint32_t)bytes};
            break;
        }
    }
}

/** Default where it is not said [DT 2.3.5]. */
static uint32_t cells_or(const struct sluice_devicetree_cursor *cursor, enum dt_property property,
                         uint32_t value)
{
    if (dt_has(cursor, property) && !dt_one(dt_get(cursor, property), &value))
        return DT_CELLS_ABSURD;
    return value;
}

/** Status of a node by itself [DT 2.3.4]. */
static bool is_enabled(const struct sluice_devicetree_cursor *cursor)
{
    const struct sluice_devicetree_property *status = dt_get(cursor, DT_STATUS);

    return status->data == NULL || dt_is(status, "okay") || dt_is(status, "ok");
}

static void put_path(struct sluice_devicetree_cursor *cursor, const char *name)
{
    const struct sluice_devicetree_level *parent = dt_parent(cursor);
    struct sluice_devicetree_level *level = &cursor->level[cursor->depth];
    const size_t room = sizeof(cursor->path) - 1;
    size_t at = parent == NULL || cursor->depth == 1 ? 0 : parent->path_bytes;

    cursor->path_cut = at >= room;
    if (at < room)
        cursor->path[at++] = '/';
    /* The root has no name [DT 2.2.1]. */
    for (size_t i = 0; parent != NULL && name[i] != '\0'; i++) {
        if (at == room) {
            cursor->path_cut = true;
            break;
        }
        cursor->path[at++] = name[i];
    }
    cursor->path[at] = '\0';
    level->path_bytes = (uint16_t)at;
}

static void put_segment(struct sluice_devicetree_cursor *cursor)
{
    const struct sluice_devicetree_level *parent = dt_parent(cursor);
    struct sluice_devicetree_level *level = &cursor->level[cursor->depth];
    uint32_t domain = 0;

    level->segment = parent == NULL ? 0 : parent->segment;
    if (!dt_is_host(cursor))
        return;
    /* Who does not say a domain gets one in order, as the Linux kernel does. */
    if (!dt_one(dt_get(cursor, DT_PCI_DOMAIN), &domain))
        domain = cursor->hosts;
    level->segment = (uint16_t)domain;
    cursor->hosts++;
}

static void enter(const struct sluice_devicetree *tree, struct sluice_devicetree_cursor *cursor,
                  uint32_t depth, int node)
{
    const struct sluice_devicetree_level *parent;
    struct sluice_devicetree_level *level = &cursor->level[depth];
    const char *name = fdt_get_name(tree->fdt, node, NULL);

    cursor->depth = depth;
    collect(tree->fdt, node, cursor);
    parent = dt_parent(cursor);
    *level = (struct sluice_devicetree_level){
        .node = node,
        .address_cells = cells_or(cursor, DT_ADDRESS_CELLS, 2),
        .size_cells = cells_or(cursor, DT_SIZE_CELLS, 1),
        .interrupt_parent = parent == NULL ? 0 : parent->interrupt_parent,
        .enabled = is_enabled(cursor) && (parent == NULL || parent->enabled),
        .pci = dt_is(dt_get(cursor, DT_DEVICE_TYPE), "pci"),
        .coherence = dt_has(cursor, DT_DMA_COHERENT)      ? SLUICE_COHERENCE_YES
                     : dt_has(cursor, DT_DMA_NONCOHERENT) ? SLUICE_COHERENCE_NO
                     : parent != NULL                     ? parent->coherence
                                                          : SLUICE_COHERENCE_UNKNOWN,
        .ranges = *dt_get(cursor, DT_RANGES),
        .dma_ranges = *dt_get(cursor, DT_DMA_RANGES),
    };
    (void)dt_one(dt_get(cursor, DT_INTERRUPT_PARENT), &level->interrupt_parent);
    put_path(cursor, name == NULL ? "?" : name);
    put_segment(cursor);
}

enum sluice_status dt_walk(const struct sluice_devicetree *tree,
                           struct sluice_devicetree_cursor *cursor)
{
    int depth = cursor->begun ? (int)cursor->depth : -1;
    int node = cursor->begun ? cursor->level[cursor->depth].node : -1;

    if (cursor->begun && node < 0)
        return SLUICE_ERR_NOT_FOUND;
    cursor->begun = true;
    node = fdt_next_node(tree->fdt, node, &depth);
    if (node < 0 || depth < 0) {
        cursor->depth = 0;
        cursor->level[0].node = -1; /* the end: stay there */
        return SLUICE_ERR_NOT_FOUND;
    }
    if ((uint32_t)depth >= SLUICE_DEVICETREE_DEPTH_MAX)
        return SLUICE_ERR_UNSUPPORTED;
    enter(tree, cursor, (uint32_t)depth, node);
    return SLUICE_OK;
}

uint32_t dt_phandle(const struct sluice_devicetree_cursor *cursor)
{
    uint32_t phandle = 0;

    if (!dt_one(dt_get(cursor, DT_PHANDLE), &phandle))
        (void)dt_one(dt_get(cursor, DT_LINUX_PHANDLE), &phandle);
    return phandle == UINT32_MAX ? 0 : phandle;
}

bool dt_find(struct sluice_devicetree *tree, uint32_t phandle,
             struct sluice_devicetree_cursor *find)
{
    if (phandle == 0 || tree->lookups >= DT_LOOKUPS_MAX)
        return false;
    tree->lookups++;
    find->begun = false;
    find->hosts = 0;
    while (dt_walk(tree, find) == SLUICE_OK) {
        if (dt_phandle(find) == phandle)
            return true;
    }
    return false;
}

unsigned dt_unit_of(const struct sluice_devicetree *tree, uint32_t phandle)
{
    for (unsigned i = 0; phandle != 0 && i < tree->unit_count; i++) {
        if (tree->units[i].phandle == phandle)
            return i;
    }
    return UINT_MAX;
}

unsigned dt_unit_at(const struct sluice_devicetree *tree, int32_t node)
{
    for (unsigned i = 0; i < tree->unit_count; i++) {
        if (tree->units[i].node == node)
            return i;
    }
    return UINT_MAX;
}
