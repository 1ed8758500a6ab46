// SPDX-License-Identifier: MIT
/*
 * A blob is checked whole, and its IOMMUs are found, so that references to them are cheap.
 */
#include "tree.h"

/** Versions whose layout this code can take on trust after libfdt's check [DT 5.2]. */
#define VERSION_FIRST 16u

static enum sluice_status check(const void *fdt, size_t bytes, struct sluice_devicetree *tree,
                                struct sluice_devicetree_error *error)
{
    int result;

    if (((uintptr_t)fdt & 7) != 0)
        return dt_error(error, "", NULL, "it is not aligned to 8 bytes");
    if (bytes < sizeof(struct fdt_header))
        return dt_error(error, "", NULL, "it is shorter than a header");
    if (bytes > INT_MAX)
        return dt_error(error, "", NULL, "it is larger than 2 GiB");
    if (fdt_magic(fdt) != FDT_MAGIC)
        return dt_error(error, "", NULL, "it does not begin as a devicetree does");
    /* Before libfdt looks: its check (1.6.1) follows a null pointer where the root of an older tree
     * has no slash in its name. */
    if (fdt_version(fdt) < VERSION_FIRST)
        return dt_error(error, "", NULL, "its version is older than 16");
    result = fdt_check_full(fdt, bytes);
    if (result != 0)
        return dt_error(error, "", NULL, fdt_strerror(result));
    tree->fdt = fdt;
    tree->bytes = fdt_totalsize(fdt);
    tree->version = fdt_version(fdt);
    return SLUICE_OK;
}

static void keep_unit(struct sluice_devicetree *tree, const struct sluice_devicetree_cursor *cursor)
{
    const struct dt_kind kind = dt_kind_of(cursor);
    const struct sluice_devicetree_level *parent = dt_parent(cursor);
    struct sluice_devicetree_unit *unit;
    struct dt_range range = {0};

    if (!kind.unit)
        return;
    if (tree->unit_count == SLUICE_DEVICETREE_UNITS_MAX) {
        tree->units_beyond++;
        return;
    }
    unit = &tree->units[tree->unit_count++];
    *unit = (struct sluice_devicetree_unit){
        .node = dt_level(cursor)->node,
        .phandle = dt_phandle(cursor),
        .has_cells = dt_has(cursor, DT_IOMMU_CELLS),
        .known = kind.known,
        .enabled = dt_level(cursor)->enabled,
        .on_pci = parent != NULL && parent->pci,
        .segment = dt_level(cursor)->segment,
        .kind = kind.kind,
    };
    if (unit->on_pci) {
        (void)dt_pci_rid(cursor, &unit->rid);
    } else if (dt_reg(cursor, 0, &range) == NULL) {
        unit->registers = range.first;
        unit->register_bytes = range.bytes;
    }
    if (!dt_one(dt_get(cursor, DT_IOMMU_CELLS), &unit->cells))
        unit->cells = unit->has_cells ? DT_CELLS_ABSURD : 0;
    unit->has_mask =
        kind.kind == SLUICE_UNIT_SMMU_V2 && dt_one(dt_get(cursor, DT_STREAM_MASK), &unit->mask);
}

enum sluice_status sluice_devicetree_open(const void *fdt, size_t bytes,
                                          struct sluice_devicetree *out,
                                          struct sluice_devicetree_error *error)
{
    struct sluice_devicetree_cursor *at = &out->walk;
    enum sluice_status status;

    *out = (struct sluice_devicetree){0};
    status = check(fdt, bytes, out, error);
    if (status != SLUICE_OK)
        return status;
    while ((status = dt_walk(out, at)) == SLUICE_OK) {
        keep_unit(out, at);
        /* Coherent unless said otherwise: RISC-V, and it alone of those that have devicetrees with
         * these IOMMUs [DT 2.3.10]. Nodes of CPUs say which architecture this is. */
        if (dt_has(at, DT_RISCV_ISA) || dt_has(at, DT_RISCV_ISA_BASE))
            out->coherent_default = true;
    }
    out->hosts = at->hosts;
    if (status == SLUICE_ERR_UNSUPPORTED)
        return dt_error(error, at->path, NULL, "nodes are nested too deep below it");
    return SLUICE_OK;
}
