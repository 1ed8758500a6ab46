// SPDX-License-Identifier: MIT
/*
 * libsluice-devicetree inside.
 *
 *   open.c       a blob is checked, its IOMMUs are found
 *   walk.c       from node to node: properties, levels, paths, phandles
 *   address.c    "reg", "ranges", "dma-ranges"
 *   interrupt.c  wired interrupts
 *   kind.c       which IOMMU a node is
 *   node.c       what a node is to IOMMUs
 *   reference.c  "iommus", "iommu-map", "iommu-addresses"
 *   add*.c       into an instance
 *   lint*.c      what is wrong with a tree
 *
 * The rules are those of the Devicetree Specification ([DT]) and of the bindings that the
 * Linux kernel keeps for everybody, in its Documentation/devicetree/bindings ([DT-binding]).
 */
#ifndef SLUICE_DEVICETREE_TREE_H
#define SLUICE_DEVICETREE_TREE_H

#include <limits.h>

#include <libfdt.h>

#include <sluice/devicetree.h>

/** Properties that anything here looks at. */
#define DT_PROPERTIES(PROPERTY)                                                                    \
    PROPERTY(ADDRESS_CELLS, "#address-cells")                                                      \
    PROPERTY(SIZE_CELLS, "#size-cells")                                                            \
    PROPERTY(IOMMU_CELLS, "#iommu-cells")                                                          \
    PROPERTY(INTERRUPT_CELLS, "#interrupt-cells")                                                  \
    PROPERTY(GLOBAL_INTERRUPTS, "#global-interrupts")                                              \
    PROPERTY(BUS_RANGE, "bus-range")                                                               \
    PROPERTY(COMPATIBLE, "compatible")                                                             \
    PROPERTY(DEVICE_TYPE, "device_type")                                                           \
    PROPERTY(DMA_COHERENT, "dma-coherent")                                                         \
    PROPERTY(DMA_NONCOHERENT, "dma-noncoherent")                                                   \
    PROPERTY(DMA_RANGES, "dma-ranges")                                                             \
    PROPERTY(INTERRUPT_NAMES, "interrupt-names")                                                   \
    PROPERTY(INTERRUPT_PARENT, "interrupt-parent")                                                 \
    PROPERTY(INTERRUPTS, "interrupts")                                                             \
    PROPERTY(INTERRUPTS_EXTENDED, "interrupts-extended")                                           \
    PROPERTY(IOMMU_ADDRESSES, "iommu-addresses")                                                   \
    PROPERTY(IOMMU_MAP, "iommu-map")                                                               \
    PROPERTY(IOMMU_MAP_MASK, "iommu-map-mask")                                                     \
    PROPERTY(IOMMUS, "iommus")                                                                     \
    PROPERTY(LINUX_PHANDLE, "linux,phandle")                                                       \
    PROPERTY(MEMORY_REGION, "memory-region")                                                       \
    PROPERTY(MSI_CELLS, "#msi-cells")                                                              \
    PROPERTY(MSI_MAP, "msi-map")                                                                   \
    PROPERTY(MSI_MAP_MASK, "msi-map-mask")                                                         \
    PROPERTY(MSI_PARENT, "msi-parent")                                                             \
    PROPERTY(PCI_DOMAIN, "linux,pci-domain")                                                       \
    PROPERTY(PHANDLE, "phandle")                                                                   \
    PROPERTY(RANGES, "ranges")                                                                     \
    PROPERTY(REG, "reg")                                                                           \
    PROPERTY(RISCV_ISA, "riscv,isa")                                                               \
    PROPERTY(RISCV_ISA_BASE, "riscv,isa-base")                                                     \
    PROPERTY(STATUS, "status")                                                                     \
    PROPERTY(STREAM_MASK, "stream-match-mask")

enum dt_property {
#define DT_ENUM(id, name) DT_##id,
    DT_PROPERTIES(DT_ENUM)
#undef DT_ENUM
    DT_PROPERTY_COUNT
};

_Static_assert(DT_PROPERTY_COUNT == SLUICE_DEVICETREE_PROPERTIES, "the header knows their number");

/** "#iommu-map" for DT_IOMMU_MAP. */
const char *dt_property_name(enum dt_property property);

/** References to other nodes that one tree may ask for: a real one has a few dozen. */
#define DT_LOOKUPS_MAX 4096u
/** Entries of one "ranges" that are searched. */
#define DT_RANGES_MAX 256u
/** Entries of one "iommus", "iommu-map" or "iommu-addresses" that are read. */
#define DT_ENTRIES_MAX 4096u

/** A number of cells that cannot be. */
#define DT_CELLS_ABSURD UINT32_MAX

/** What is wrong with the node at hand. */
struct dt_problem {
    const char *property;
    const char *what; /**< NULL: nothing so far */
};

/** Notes the first problem of a node. */
static inline void dt_wrong(struct dt_problem *problem, enum dt_property property, const char *what)
{
    if (problem->what == NULL) {
        problem->property = dt_property_name(property);
        problem->what = what;
    }
}

/** Fills an error in; for `return`. `error` may be NULL. */
enum sluice_status dt_error(struct sluice_devicetree_error *error, const char *path,
                            const char *property, const char *what);

static inline const struct sluice_devicetree_property *
dt_get(const struct sluice_devicetree_cursor *cursor, enum dt_property property)
{
    return &cursor->properties[property];
}

static inline bool dt_has(const struct sluice_devicetree_cursor *cursor, enum dt_property property)
{
    return cursor->properties[property].data != NULL;
}

static inline uint32_t dt_cells(const struct sluice_devicetree_property *property)
{
    return property->bytes / 4;
}

/** The cell at an index, which is inside; cells are big-endian [DT 2.2.4]. */
static inline uint32_t dt_cell(const struct sluice_devicetree_property *property, uint32_t index)
{
    const uint8_t *at = property->data + (size_t)index * 4;

    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/** A number of 0, 1 or 2 cells at an index, which is inside. */
static inline uint64_t dt_number(const struct sluice_devicetree_property *property, uint32_t index,
                                 uint32_t cells)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < cells; i++)
        value = value << 32 | dt_cell(property, index + i);
    return value;
}

/** Whether it is exactly one cell; then *out is it. */
static inline bool dt_one(const struct sluice_devicetree_property *property, uint32_t *out)
{
    if (property->data == NULL || property->bytes != 4)
        return false;
    *out = dt_cell(property, 0);
    return true;
}

/** Whether a property's first string is `text`. */
bool dt_is(const struct sluice_devicetree_property *property, const char *text);
/** The index-th string of a list, or NULL; strings without a final zero do not count. */
const char *dt_string(const struct sluice_devicetree_property *property, uint32_t index);
/** Whether two strings are the same. */
bool dt_same(const char *one, const char *other);

static inline const struct sluice_devicetree_level *
dt_level(const struct sluice_devicetree_cursor *cursor)
{
    return &cursor->level[cursor->depth];
}

/** The level above the node, or NULL at the root. */
static inline const struct sluice_devicetree_level *
dt_parent(const struct sluice_devicetree_cursor *cursor)
{
    return cursor->depth == 0 ? NULL : &cursor->level[cursor->depth - 1];
}

/** A PCI host bridge: a PCI bus that is not below one [DT-binding pci/pci.txt]. */
static inline bool dt_is_host(const struct sluice_devicetree_cursor *cursor)
{
    const struct sluice_devicetree_level *parent = dt_parent(cursor);

    return dt_level(cursor)->pci && (parent == NULL || !parent->pci);
}

/** To the next node. Returns: OK; NOT_FOUND; UNSUPPORTED (deeper than is followed). */
enum sluice_status dt_walk(const struct sluice_devicetree *tree,
                           struct sluice_devicetree_cursor *cursor);

/** The node's phandle [DT 2.3.3]; 0: none that could be referred to. */
uint32_t dt_phandle(const struct sluice_devicetree_cursor *cursor);

/** Puts a cursor at a phandle; false when there is none, or after too many references. */
bool dt_find(struct sluice_devicetree *tree, uint32_t phandle,
             struct sluice_devicetree_cursor *find);

/** Index of the first unit with a phandle; UINT_MAX: none. */
unsigned dt_unit_of(const struct sluice_devicetree *tree, uint32_t phandle);
/** Index of the unit whose node this is; UINT_MAX: beyond those kept. */
unsigned dt_unit_at(const struct sluice_devicetree *tree, int32_t node);

/* ---- kind.c ---- */

struct dt_kind {
    bool unit;   /**< it is an IOMMU */
    bool known;  /**< of this kind: */
    bool on_pci; /**< as a PCI function */
    enum sluice_unit_kind kind;
};

struct dt_kind dt_kind_of(const struct sluice_devicetree_cursor *cursor);

/* ---- address.c ---- */

struct dt_range {
    uint64_t first;
    uint64_t bytes;
};

/** How many ranges "reg" has; 0 when it or the cells are malformed. */
uint32_t dt_reg_count(const struct sluice_devicetree_cursor *cursor);
/** The index-th range as CPUs see it, or why not. */
const char *dt_reg(const struct sluice_devicetree_cursor *cursor, uint32_t index,
                   struct dt_range *out);
/** The requester ID of a node on a PCI bus, or why not. */
const char *dt_pci_rid(const struct sluice_devicetree_cursor *cursor, uint16_t *out);
/** Widest DMA address of what is at the cursor; 0: no limit. Or why it cannot be known. */
const char *dt_dma_bits(const struct sluice_devicetree_cursor *cursor, uint8_t *out);
/** Whether addresses of DMA are shifted on the way out: an offset in "dma-ranges". */
bool dt_dma_shifted(const struct sluice_devicetree_cursor *cursor);

/* ---- interrupt.c ---- */

/** Interrupts of a unit, in the order of its kind. */
void dt_wires(struct sluice_devicetree *tree, const struct sluice_devicetree_cursor *cursor,
              struct sluice_devicetree_node *node);

/* ---- node.c ---- */

/** Fills *out from the node at the cursor; false: it does not concern IOMMUs. */
bool dt_node(struct sluice_devicetree *tree, const struct sluice_devicetree_cursor *cursor,
             struct sluice_devicetree_node *out, struct dt_problem *problem);

#endif
