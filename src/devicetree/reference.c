// SPDX-License-Identifier: MIT
/*
 * References: "iommus" of devices, "iommu-map" of buses, "iommu-addresses" of reserved memory
 * [DT-binding iommu.txt, pci-iommu.txt, reserved-memory.yaml].
 */
#include "tree.h"

/** More cells than a specifier of any IOMMU has. */
#define SPECIFIER_CELLS_MAX 8u

/** Ends a walk that cannot know where the next entry begins. */
static enum sluice_status refuse(struct sluice_devicetree_position *position,
                                 const struct sluice_devicetree_cursor *cursor,
                                 enum dt_property property, const char *what,
                                 struct sluice_devicetree_error *error)
{
    position->at = UINT32_MAX;
    return dt_error(error, cursor->path, dt_property_name(property), what);
}

/** OK: there is an entry to be read. */
static enum sluice_status begin(struct sluice_devicetree_position *position,
                                const struct sluice_devicetree_cursor *cursor,
                                enum dt_property property, struct sluice_devicetree_error *error)
{
    const struct sluice_devicetree_property *list = dt_get(cursor, property);

    if (position->at == UINT32_MAX || list->data == NULL)
        return SLUICE_ERR_NOT_FOUND;
    if (list->bytes % 4 != 0)
        return refuse(position, cursor, property, "is no multiple of 4 bytes", error);
    if (position->at >= dt_cells(list))
        return SLUICE_ERR_NOT_FOUND;
    if (position->index >= DT_ENTRIES_MAX)
        return refuse(position, cursor, property, "has more than 4096 entries", error);
    return SLUICE_OK;
}

/** Why a phandle leads to no IOMMU. */
static const char *no_unit(struct sluice_devicetree *tree, uint32_t phandle)
{
    if (phandle == 0 || phandle == UINT32_MAX)
        return "has a phandle that no node can have";
    if (tree->lookups >= DT_LOOKUPS_MAX)
        return "is one of too many references";
    if (!dt_find(tree, phandle, &tree->find))
        return "leads to no node";
    return dt_kind_of(&tree->find).unit ? "leads to one IOMMU too many"
                                        : "leads to a node that is no IOMMU";
}

/** The unit that a cell names, or why it names none. */
static const char *unit_of(struct sluice_devicetree *tree, uint32_t phandle, unsigned *out)
{
    *out = dt_unit_of(tree, phandle);
    if (*out == UINT_MAX)
        return no_unit(tree, phandle);
    if (!tree->units[*out].has_cells)
        return "leads to an IOMMU without \"#iommu-cells\"";
    if (tree->units[*out].cells > SPECIFIER_CELLS_MAX)
        return "leads to an IOMMU whose \"#iommu-cells\" is absurd";
    return NULL;
}

/** ID and mask as the unit's binding has them [DT-binding arm,smmu.yaml]. */
static void take_specifier(const struct sluice_devicetree_unit *unit,
                           const struct sluice_devicetree_property *list, uint32_t at,
                           struct sluice_devicetree_specifier *out)
{
    out->id = unit->cells > 0 ? dt_cell(list, at) : 0;
    if (unit->known && unit->kind == SLUICE_UNIT_SMMU_V2) {
        if (unit->cells > 1)
            out->mask = dt_cell(list, at + 1);
        else if (unit->has_mask)
            out->mask = unit->mask;
    }
}

enum sluice_status sluice_devicetree_specifier_next(struct sluice_devicetree *tree,
                                                    const struct sluice_devicetree_cursor *cursor,
                                                    struct sluice_devicetree_position *position,
                                                    struct sluice_devicetree_specifier *out,
                                                    struct sluice_devicetree_error *error)
{
    const struct sluice_devicetree_property *list = dt_get(cursor, DT_IOMMUS);
    enum sluice_status status = begin(position, cursor, DT_IOMMUS, error);
    const char *wrong;

    *out = (struct sluice_devicetree_specifier){.index = position->index};
    if (status != SLUICE_OK)
        return status;
    wrong = unit_of(tree, dt_cell(list, position->at), &out->unit);
    if (wrong == NULL && tree->units[out->unit].cells > dt_cells(list) - position->at - 1)
        wrong = "ends in the middle of a specifier";
    if (wrong != NULL)
        return refuse(position, cursor, DT_IOMMUS, wrong, error);
    take_specifier(&tree->units[out->unit], list, position->at + 1, out);
    position->at += 1 + tree->units[out->unit].cells;
    position->index++;
    return SLUICE_OK;
}

/** Whether every entry names an IOMMU, if entries have so many cells. */
static bool fits(const struct sluice_devicetree *tree,
                 const struct sluice_devicetree_property *list, uint32_t stride)
{
    if (dt_cells(list) % stride != 0 || dt_cells(list) / stride > DT_ENTRIES_MAX)
        return false;
    for (uint32_t at = 0; at < dt_cells(list); at += stride) {
        if (dt_unit_of(tree, dt_cell(list, at + 1)) == UINT_MAX)
            return false;
    }
    return true;
}

/**
 * Cells of an entry: first, phandle, ID, count. The binding means one cell of ID, and trees whose
 * IOMMU has more "#iommu-cells" keep to that, but for a few that put all of them there.
 */
static uint32_t stride_of(const struct sluice_devicetree *tree,
                          const struct sluice_devicetree_property *list)
{
    unsigned unit = dt_cells(list) < 2 ? UINT_MAX : dt_unit_of(tree, dt_cell(list, 1));
    uint32_t cells = unit == UINT_MAX ? 1 : tree->units[unit].cells;

    if (cells != 1 && cells <= SPECIFIER_CELLS_MAX && !fits(tree, list, 4) &&
        fits(tree, list, 3 + cells))
        return 3 + cells;
    return 4;
}

enum sluice_status sluice_devicetree_mapping_next(struct sluice_devicetree *tree,
                                                  const struct sluice_devicetree_cursor *cursor,
                                                  struct sluice_devicetree_position *position,
                                                  struct sluice_devicetree_mapping *out,
                                                  struct sluice_devicetree_error *error)
{
    const struct sluice_devicetree_property *list = dt_get(cursor, DT_IOMMU_MAP);
    enum sluice_status status = begin(position, cursor, DT_IOMMU_MAP, error);
    uint32_t at = position->at;
    const char *wrong;

    *out = (struct sluice_devicetree_mapping){.index = position->index};
    if (status != SLUICE_OK)
        return status;
    if (position->stride == 0)
        position->stride = stride_of(tree, list);
    if (position->stride > dt_cells(list) - at)
        return refuse(position, cursor, DT_IOMMU_MAP, "ends in the middle of an entry", error);
    position->at += position->stride;
    position->index++;
    out->first = dt_cell(list, at);
    out->id = position->stride > 3 ? dt_cell(list, at + 2) : 0;
    out->count = dt_cell(list, at + position->stride - 1);
    wrong = unit_of(tree, dt_cell(list, at + 1), &out->unit);
    if (wrong != NULL)
        return dt_error(error, cursor->path, dt_property_name(DT_IOMMU_MAP), wrong);
    return SLUICE_OK;
}

/** Whether a list of phandles has this one. */
static bool lists(const struct sluice_devicetree_property *list, uint32_t phandle)
{
    for (uint32_t i = 0; i < dt_cells(list) && i < DT_ENTRIES_MAX; i++) {
        if (dt_cell(list, i) == phandle)
            return true;
    }
    return false;
}

/** Takes the addresses apart by the cells of the bus that the device is on. */
static const char *take_addresses(struct sluice_devicetree *tree,
                                  const struct sluice_devicetree_property *list,
                                  struct sluice_devicetree_position *position,
                                  struct sluice_devicetree_reservation *out)
{
    const struct sluice_devicetree_level *bus = dt_parent(&tree->device);
    uint32_t at = position->at + 1;
    uint32_t skip;
    uint64_t bytes;

    if (bus == NULL || bus->address_cells < 1 || bus->address_cells > 3 || bus->size_cells < 1 ||
        bus->size_cells > 2)
        return "names a device on a bus without addresses";
    skip = bus->address_cells == 3 ? 1 : 0; /* a PCI address begins with its space */
    if (bus->address_cells + bus->size_cells > dt_cells(list) - at)
        return "ends in the middle of an entry";
    out->first = dt_number(list, at + skip, bus->address_cells - skip);
    bytes = dt_number(list, at + bus->address_cells, bus->size_cells);
    position->at = at + bus->address_cells + bus->size_cells;
    position->index++;
    if (bytes == 0)
        return "has a size of 0";
    if (bytes - 1 > UINT64_MAX - out->first)
        return "reaches past the largest address";
    out->last = out->first + (bytes - 1);
    return NULL;
}

enum sluice_status sluice_devicetree_reservation_next(struct sluice_devicetree *tree,
                                                      const struct sluice_devicetree_cursor *cursor,
                                                      struct sluice_devicetree_position *position,
                                                      struct sluice_devicetree_reservation *out,
                                                      struct sluice_devicetree_error *error)
{
    const struct sluice_devicetree_property *list = dt_get(cursor, DT_IOMMU_ADDRESSES);
    enum sluice_status status = begin(position, cursor, DT_IOMMU_ADDRESSES, error);
    const uint32_t at = position->at;
    const char *wrong;

    *out = (struct sluice_devicetree_reservation){.index = position->index};
    if (status != SLUICE_OK)
        return status;
    out->phandle = dt_cell(list, at);
    if (!dt_find(tree, out->phandle, &tree->device))
        return refuse(position, cursor, DT_IOMMU_ADDRESSES, "leads to no node", error);
    out->path = tree->device.path;
    out->memory_region = dt_phandle(cursor) != 0 &&
                         lists(dt_get(&tree->device, DT_MEMORY_REGION), dt_phandle(cursor));
    wrong = take_addresses(tree, list, position, out);
    if (wrong != NULL && position->at == at)
        return refuse(position, cursor, DT_IOMMU_ADDRESSES, wrong, error);
    if (wrong != NULL)
        return dt_error(error, cursor->path, dt_property_name(DT_IOMMU_ADDRESSES), wrong);
    return SLUICE_OK;
}
