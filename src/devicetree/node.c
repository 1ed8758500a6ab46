// SPDX-License-Identifier: MIT
/*
 * What a node is to IOMMUs: an IOMMU, a host bridge, a device behind one, reserved memory.
 */
#include "tree.h"

static uint32_t roles_of(const struct sluice_devicetree_cursor *cursor, const struct dt_kind *kind)
{
    return (kind->unit ? SLUICE_DEVICETREE_UNIT : 0u) |
           (dt_is_host(cursor) ? SLUICE_DEVICETREE_PCI_HOST : 0u) |
           (dt_has(cursor, DT_IOMMU_MAP) ? SLUICE_DEVICETREE_MAP : 0u) |
           (dt_has(cursor, DT_IOMMUS) ? SLUICE_DEVICETREE_DEVICE : 0u) |
           (dt_has(cursor, DT_IOMMU_ADDRESSES) ? SLUICE_DEVICETREE_REGION : 0u);
}

static enum sluice_coherence coherence_of(const struct sluice_devicetree *tree,
                                          const struct sluice_devicetree_cursor *cursor)
{
    if (dt_level(cursor)->coherence != SLUICE_COHERENCE_UNKNOWN)
        return dt_level(cursor)->coherence;
    return tree->coherent_default ? SLUICE_COHERENCE_YES : SLUICE_COHERENCE_NO;
}

static void fill_registers(const struct sluice_devicetree_cursor *cursor, bool needs_registers,
                           struct sluice_devicetree_node *out, struct dt_problem *problem)
{
    struct dt_range range = {0};
    const char *wrong;

    out->register_ranges = dt_reg_count(cursor);
    if (out->on_pci) {
        wrong = dt_pci_rid(cursor, &out->rid);
    } else {
        wrong = dt_reg(cursor, 0, &range);
        out->registers = wrong == NULL ? range.first : 0;
        out->register_bytes = wrong == NULL ? range.bytes : 0;
        /* A device may lie where CPUs see no registers of it: it is known by its path. An IOMMU of
         * another kind may be a frame around others. */
        if (!needs_registers)
            wrong = NULL;
    }
    if (wrong != NULL)
        dt_wrong(problem, DT_REG, wrong);
}

static void fill_unit(struct sluice_devicetree *tree, const struct sluice_devicetree_cursor *cursor,
                      const struct dt_kind *kind, struct sluice_devicetree_node *out,
                      struct dt_problem *problem)
{
    out->unit = dt_unit_at(tree, out->node);
    out->unit_known = kind->known;
    out->unit_kind = kind->kind;
    if (out->unit != UINT_MAX)
        out->unit_cells = tree->units[out->unit].cells;
    if (dt_has(cursor, DT_IOMMU_CELLS) && dt_get(cursor, DT_IOMMU_CELLS)->bytes != 4)
        dt_wrong(problem, DT_IOMMU_CELLS, "is not one cell");
    if (kind->known && kind->on_pci != out->on_pci)
        dt_wrong(problem, DT_COMPATIBLE,
                 kind->on_pci ? "is of a PCI function, which this is not"
                              : "is of no PCI function, which this is");
    /* Table walks of an Arm unit snoop only where that is said, whatever its registers say. */
    if (kind->kind == SLUICE_UNIT_RISCV || kind->kind == SLUICE_UNIT_VIRTIO)
        out->coherence = dt_level(cursor)->coherence;
    dt_wires(tree, cursor, out);
}

static void fill_host(const struct sluice_devicetree_cursor *cursor,
                      struct sluice_devicetree_node *out, struct dt_problem *problem)
{
    const struct sluice_devicetree_property *buses = dt_get(cursor, DT_BUS_RANGE);
    uint32_t domain = 0;

    out->segment = dt_level(cursor)->segment;
    out->segment_given = dt_one(dt_get(cursor, DT_PCI_DOMAIN), &domain);
    out->last_bus = 0xff;
    if (dt_has(cursor, DT_PCI_DOMAIN) && (!out->segment_given || domain > 0xffff))
        dt_wrong(problem, DT_PCI_DOMAIN, "is no PCI segment");
    if (buses->data == NULL)
        return;
    if (buses->bytes != 8 || dt_cell(buses, 0) > dt_cell(buses, 1) || dt_cell(buses, 1) > 0xff) {
        dt_wrong(problem, DT_BUS_RANGE, "is no range of buses");
        return;
    }
    out->first_bus = (uint8_t)dt_cell(buses, 0);
    out->last_bus = (uint8_t)dt_cell(buses, 1);
}

static void fill_map(const struct sluice_devicetree_cursor *cursor,
                     struct sluice_devicetree_node *out, struct dt_problem *problem)
{
    out->map_mask = UINT32_MAX;
    if (dt_has(cursor, DT_IOMMU_MAP_MASK) &&
        !dt_one(dt_get(cursor, DT_IOMMU_MAP_MASK), &out->map_mask))
        dt_wrong(problem, DT_IOMMU_MAP_MASK, "is not one cell");
}

static void fill_region(const struct sluice_devicetree_cursor *cursor,
                        struct sluice_devicetree_node *out, struct dt_problem *problem)
{
    struct dt_range range = {0};
    const char *wrong;

    if (!dt_has(cursor, DT_REG))
        return;
    wrong = dt_reg(cursor, 0, &range);
    if (wrong != NULL) {
        dt_wrong(problem, DT_REG, wrong);
        return;
    }
    out->has_memory = true;
    out->first = range.first;
    out->last = range.first + (range.bytes - 1);
}

bool dt_node(struct sluice_devicetree *tree, const struct sluice_devicetree_cursor *cursor,
             struct sluice_devicetree_node *out, struct dt_problem *problem)
{
    const struct dt_kind kind = dt_kind_of(cursor);
    const struct sluice_devicetree_level *parent = dt_parent(cursor);
    const char *wrong;

    *out = (struct sluice_devicetree_node){
        .path = cursor->path,
        .node = dt_level(cursor)->node,
        .phandle = dt_phandle(cursor),
        .roles = roles_of(cursor, &kind),
        .enabled = dt_level(cursor)->enabled,
        .coherence = coherence_of(tree, cursor),
        .compatible = dt_string(dt_get(cursor, DT_COMPATIBLE), 0),
        .on_pci = parent != NULL && parent->pci,
        .segment = dt_level(cursor)->segment,
    };
    *problem = (struct dt_problem){0};
    if (out->roles == 0)
        return false;
    if (cursor->path_cut)
        problem->what = "its path is longer than 255 bytes";
    if ((out->roles &
         (SLUICE_DEVICETREE_UNIT | SLUICE_DEVICETREE_DEVICE | SLUICE_DEVICETREE_PCI_HOST)) != 0)
        fill_registers(cursor, kind.known, out, problem);
    if ((out->roles & SLUICE_DEVICETREE_UNIT) != 0)
        fill_unit(tree, cursor, &kind, out, problem);
    if ((out->roles & SLUICE_DEVICETREE_PCI_HOST) != 0)
        fill_host(cursor, out, problem);
    if ((out->roles & SLUICE_DEVICETREE_MAP) != 0)
        fill_map(cursor, out, problem);
    if ((out->roles & SLUICE_DEVICETREE_REGION) != 0)
        fill_region(cursor, out, problem);
    wrong = dt_dma_bits(cursor, &out->address_bits);
    if (wrong != NULL && (out->roles & (SLUICE_DEVICETREE_PCI_HOST | SLUICE_DEVICETREE_DEVICE)))
        dt_wrong(problem, DT_DMA_RANGES, wrong);
    return true;
}

enum sluice_status sluice_devicetree_next(struct sluice_devicetree *tree,
                                          struct sluice_devicetree_cursor *cursor,
                                          struct sluice_devicetree_node *out,
                                          struct sluice_devicetree_error *error)
{
    struct dt_problem problem = {0};

    do {
        if (dt_walk(tree, cursor) != SLUICE_OK)
            return SLUICE_ERR_NOT_FOUND;
    } while (!dt_node(tree, cursor, out, &problem));
    if (problem.what != NULL)
        return dt_error(error, cursor->path, problem.property, problem.what);
    return SLUICE_OK;
}
