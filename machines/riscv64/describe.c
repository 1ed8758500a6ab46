// SPDX-License-Identifier: MIT
/*
 * Tells the library of the IOMMUs that the devicetree names, since no ACPI table of this machine
 * does: units as registers or as PCI functions, and the functions behind them by `iommu-map` of
 * the host bridge.
 */
#include <sluice/platform.h>

#include "arch.h"
#include "riscv64.h"

#define MAP_CELLS   4u /* first requester ID, unit, first source ID, how many */
#define MAPS_LIMIT  16u
#define UNITS_LIMIT 8u
#define RID_LAST    0xffffu

struct described {
    uint32_t handle; /* as iommu-map names it */
    unsigned unit;   /* as the library does */
};

struct description {
    struct sluice *sluice;
    const struct devicetree *tree;
    uint16_t segment;
    struct described units[UNITS_LIMIT];
    unsigned count;
};

static uint32_t number_of(const struct devicetree *tree, const struct devicetree_node *node,
                          const char *name)
{
    struct devicetree_value value;
    return devicetree_property(tree, node, name, &value) ? (uint32_t)devicetree_number(&value, 0, 1)
                                                         : 0;
}

static enum sluice_status add_unit(struct description *all, const struct devicetree_node *node,
                                   bool on_pci)
{
    struct sluice_unit_description unit = {.kind = SLUICE_UNIT_RISCV, .on_pci = on_pci};
    struct devicetree_value reg;
    if (all->count == UNITS_LIMIT || !devicetree_property(all->tree, node, "reg", &reg))
        return SLUICE_ERR_FIRMWARE;
    if (on_pci) {
        unit.segment = all->segment;
        unit.rid = (uint16_t)(devicetree_number(&reg, 0, 1) >> 8);
    } else if (!devicetree_reg(all->tree, node, 0, &unit.base, &unit.register_bytes)) {
        return SLUICE_ERR_FIRMWARE;
    }
    struct described *out = &all->units[all->count];
    enum sluice_status status = sluice_describe_unit(all->sluice, &unit, &out->unit);
    out->handle = number_of(all->tree, node, "phandle");
    all->count += status == SLUICE_OK;
    return status;
}

static enum sluice_status add_units(struct description *all, const char *compatible, bool on_pci)
{
    struct devicetree_node node;
    enum sluice_status status = SLUICE_OK;
    for (unsigned i = 0; status == SLUICE_OK && devicetree_find(all->tree, compatible, i, &node);
         i++)
        status = add_unit(all, &node, on_pci);
    return status;
}

static const struct described *find(const struct description *all, uint64_t handle)
{
    for (unsigned i = 0; i < all->count; i++) {
        if (all->units[i].handle == handle)
            return &all->units[i];
    }
    return NULL;
}

/* One entry of iommu-map. */
static enum sluice_status add_map(const struct description *all, const struct devicetree_value *map,
                                  uint32_t at)
{
    uint64_t first = devicetree_number(map, at, 1), bytes = devicetree_number(map, at + 3, 1);
    const struct described *unit = find(all, devicetree_number(map, at + 1, 1));
    if (bytes == 0 || first > RID_LAST)
        return SLUICE_OK;
    if (unit == NULL)
        return SLUICE_ERR_FIRMWARE;
    uint64_t last = first + bytes - 1 < RID_LAST ? first + bytes - 1 : RID_LAST;
    const struct sluice_pci_sources sources = {
        .unit = unit->unit,
        .segment = all->segment,
        .first_rid = (uint16_t)first,
        .last_rid = (uint16_t)last,
        .first_id = (uint32_t)devicetree_number(map, at + 2, 1),
    };
    return sluice_describe_pci_sources(all->sluice, &sources);
}

enum sluice_status arch_describe(struct sluice *sluice)
{
    struct description all = {.sluice = sluice, .tree = riscv64_tree()};
    struct devicetree_node bridge;
    struct devicetree_value map;
    if (!devicetree_find(all.tree, "pci-host-ecam-generic", 0, &bridge))
        return SLUICE_OK;
    all.segment = (uint16_t)number_of(all.tree, &bridge, "linux,pci-domain");
    enum sluice_status status = add_units(&all, "riscv,iommu", false);
    if (status == SLUICE_OK)
        status = add_units(&all, "riscv,pci-iommu", true);
    if (!devicetree_property(all.tree, &bridge, "iommu-map", &map))
        return status;
    for (uint32_t i = 0;
         status == SLUICE_OK && i < MAPS_LIMIT && (i + 1) * MAP_CELLS * 4 <= map.bytes; i++)
        status = add_map(&all, &map, i * MAP_CELLS);
    return status;
}
