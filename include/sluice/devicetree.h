// SPDX-License-Identifier: MIT
/*
 * Devicetrees: what a flattened devicetree says about IOMMUs, for discovery, for tools that print
 * it, for checks. A library of its own, libsluice-devicetree, on top of libsluice and libfdt.
 *
 *     static struct sluice_devicetree tree;        // some KiB: not on a small stack
 *     static struct sluice_devicetree_cursor at;
 *     struct sluice_devicetree_error error;
 *     struct sluice_devicetree_node node;
 *     enum sluice_status status = sluice_devicetree_open(blob, bytes, &tree, &error);
 *
 *     while (status == SLUICE_OK &&
 *            (status = sluice_devicetree_next(&tree, &at, &node, &error)) == SLUICE_OK)
 *         ... use node; look into its properties with the functions that take `&at` ...
 *
 * or, to fill an instance instead of ACPI tables: sluice_add_devicetree().
 *
 * A blob is hostile until read: libfdt checks its structure whole first, then every property's
 * length, every count and every reference is checked here. Nothing is allocated, nothing recurses,
 * and what refers to other nodes does so a limited number of times. Errors name the node by its
 * path, and the property.
 *
 * Every walk ("next" and the functions below it) returns OK with an item; NOT_FOUND at the end; or
 * FIRMWARE with *error saying what is wrong where. After FIRMWARE it may be called again and goes
 * on behind what it refused, or ends.
 *
 * Context of everything here: any; no locks, no hooks. A tree and its cursors belong to one thread
 * at a time. The blob must stay as it is, and where it is, while they are used.
 */
#ifndef SLUICE_DEVICETREE_H
#define SLUICE_DEVICETREE_H

#include <sluice/lint.h>
#include <sluice/platform.h>
#include <sluice/status.h>
#include <sluice/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Deepest nesting of nodes that is followed. */
#define SLUICE_DEVICETREE_DEPTH_MAX 24u
/** Most IOMMUs of one tree. */
#define SLUICE_DEVICETREE_UNITS_MAX 64u
/** Longest path, with its final zero; longer ones are refused. */
#define SLUICE_DEVICETREE_PATH_BYTES 256u
/** Properties that are looked at. */
#define SLUICE_DEVICETREE_PROPERTIES 33u
/** Cells of one interrupt specifier that are kept. */
#define SLUICE_DEVICETREE_INTERRUPT_CELLS 4u

/** What is wrong with a tree, and where. */
struct sluice_devicetree_error {
    char path[SLUICE_DEVICETREE_PATH_BYTES]; /**< of the node; empty: the blob as a whole */
    const char *property;                    /**< constant name; NULL: the node itself */
    const char *what;                        /**< constant text: "is no multiple of 4 bytes" */
};

/** An IOMMU as references see it. */
struct sluice_devicetree_unit {
    int32_t node; /**< offset in the blob's structure block */
    uint32_t phandle;
    uint32_t cells; /**< "#iommu-cells" */
    bool has_cells; /**< it has the property: it can be referred to */
    bool known;     /**< of a kind that this library knows: `kind` is valid */
    bool enabled;   /**< neither it nor a bus above it is disabled */
    bool has_mask;  /**< "stream-match-mask" */
    uint32_t mask;  /**< bits of a stream ID that do not count */
    bool on_pci;    /**< it is a PCI function: */
    uint16_t segment;
    uint16_t rid;
    enum sluice_unit_kind kind;
    sluice_phys_t registers; /**< first range; 0: none that can be read */
    uint64_t register_bytes;
};

/** Inside of a cursor: one property as it lies in the blob. */
struct sluice_devicetree_property {
    const uint8_t *data; /**< NULL: the node does not have it */
    uint32_t bytes;
};

/** Inside of a cursor: what a node on the way from the root means for those below it. */
struct sluice_devicetree_level {
    int32_t node;
    uint32_t address_cells; /**< of its children */
    uint32_t size_cells;
    uint32_t interrupt_parent; /**< phandle; 0: none said */
    uint16_t segment;          /**< below a PCI host bridge */
    uint16_t path_bytes;       /**< where its path ends in the cursor's */
    bool enabled;
    bool pci; /**< a PCI bus: its children are PCI functions */
    enum sluice_coherence coherence;
    struct sluice_devicetree_property ranges;
    struct sluice_devicetree_property dma_ranges;
};

/** Where a walk is; zero-initialise it to begin. Its fields are the library's. */
struct sluice_devicetree_cursor {
    bool begun;
    bool path_cut;  /**< the path did not fit */
    uint32_t depth; /**< the node is level[depth] */
    uint32_t hosts; /**< PCI host bridges so far */
    uint64_t twice; /**< set of properties that this node has more than once */
    struct sluice_devicetree_property properties[SLUICE_DEVICETREE_PROPERTIES];
    struct sluice_devicetree_level level[SLUICE_DEVICETREE_DEPTH_MAX];
    char path[SLUICE_DEVICETREE_PATH_BYTES];
};

/** A tree that was checked. Its fields are the library's, but for those said to be of use. */
struct sluice_devicetree {
    const void *fdt;
    uint32_t bytes;      /**< of use: the blob's own length, which lies inside what was given */
    uint32_t version;    /**< of use: of the format */
    unsigned unit_count; /**< of use: entries of `units` */
    struct sluice_devicetree_unit units[SLUICE_DEVICETREE_UNITS_MAX]; /**< of use */
    unsigned units_beyond; /**< of use: IOMMUs that found no place in `units` */
    unsigned hosts;        /**< PCI host bridges */
    bool coherent_default; /**< DMA snoops unless said otherwise (RISC-V) */
    unsigned lookups;      /**< references followed so far */
    uint32_t controller;   /**< the interrupt controller looked up last: its phandle, */
    uint32_t controller_cells;
    unsigned controller_kind;
    unsigned added[SLUICE_DEVICETREE_UNITS_MAX]; /**< numbers of sluice_describe_unit */
    struct sluice_devicetree_error error;        /**< of what is left out */
    struct sluice_devicetree_cursor find;        /**< at what a reference named */
    struct sluice_devicetree_cursor device;      /**< at the device of the last reservation */
    struct sluice_devicetree_cursor walk;        /**< of the linter, and of sluice_add_devicetree */
    struct sluice_devicetree_cursor other;       /**< the linter's second */
};

/**
 * Checks a blob whole and finds its IOMMUs.
 * @param fdt      aligned to 8
 * @param bytes    how many are readable at `fdt`
 * @param out      for the other functions
 * @param error    may be NULL, here and elsewhere
 * Returns: OK; FIRMWARE (no devicetree of version 16 or 17, cut short, or broken).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_devicetree_open(const void *fdt, size_t bytes, struct sluice_devicetree *out,
                       struct sluice_devicetree_error *error);

/** What a node is to IOMMUs; a set. */
enum sluice_devicetree_role {
    SLUICE_DEVICETREE_UNIT = 1u << 0,     /**< an IOMMU */
    SLUICE_DEVICETREE_PCI_HOST = 1u << 1, /**< a PCI host bridge, with or without a map */
    SLUICE_DEVICETREE_MAP = 1u << 2,      /**< has "iommu-map" */
    SLUICE_DEVICETREE_DEVICE = 1u << 3,   /**< has "iommus" */
    SLUICE_DEVICETREE_REGION = 1u << 4,   /**< reserved memory with "iommu-addresses" */
};

/** One node; what its roles do not have is zero. */
struct sluice_devicetree_node {
    const char *path;                /**< in the cursor: valid until it moves */
    int32_t node;                    /**< offset in the blob's structure block */
    uint32_t phandle;                /**< 0: none */
    uint32_t roles;                  /**< set of enum sluice_devicetree_role */
    bool enabled;                    /**< neither it nor a bus above it is disabled */
    enum sluice_coherence coherence; /**< of its DMA, or of its table walks */
    const char *compatible;          /**< the first; NULL: none */

    /**
     * First range of "reg" as CPUs see it; bytes 0: none, or out of their sight. Of a host bridge
     * with "pci-host-ecam-generic" it is the configuration space, from its first bus on.
     */
    sluice_phys_t registers;
    uint64_t register_bytes;
    unsigned register_ranges; /**< how many ranges "reg" has */

    uint8_t address_bits; /**< widest DMA address that "dma-ranges" lets through; 0: no limit */

    /* UNIT */
    unsigned unit;   /**< index in the tree's units; UINT_MAX: beyond them */
    bool unit_known; /**< `unit_kind` is valid */
    enum sluice_unit_kind unit_kind;
    uint32_t unit_cells;
    bool on_pci;      /**< the node is a PCI function, also of others than units: */
    uint16_t segment; /**< on_pci, PCI_HOST */
    uint16_t rid;     /**< on_pci */
    /** Interrupts in the order of the kind, as a GIC or PLIC counts them; 0: none or unknown. */
    uint32_t wires[SLUICE_UNIT_WIRES_MAX];
    unsigned interrupt_count; /**< of "interrupts" or "interrupts-extended" */

    /* PCI_HOST */
    bool segment_given; /**< by "linux,pci-domain"; else its place among the host bridges */
    uint8_t first_bus;
    uint8_t last_bus; /**< inclusive */

    /* MAP */
    uint32_t map_mask; /**< requester-ID bits that "iommu-map" looks at */

    /* REGION */
    bool has_memory;     /**< it has "reg"; else only addresses are reserved */
    sluice_phys_t first; /**< has_memory */
    sluice_phys_t last;  /**< has_memory; inclusive */
};

/**
 * The next node that concerns IOMMUs, in the order of the blob, disabled ones too. After FIRMWARE,
 * *out holds what could be read of the node: its path at least.
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_devicetree_next(struct sluice_devicetree *tree, struct sluice_devicetree_cursor *cursor,
                       struct sluice_devicetree_node *out, struct sluice_devicetree_error *error);

/** Where a walk through one property is; zero-initialise it to begin. */
struct sluice_devicetree_position {
    uint32_t at;     /**< cells */
    uint32_t index;  /**< entries */
    uint32_t stride; /**< cells of an entry, where all are alike */
};

/** A specifier of "iommus": the device has these IDs at this unit. */
struct sluice_devicetree_specifier {
    uint32_t index;
    unsigned unit; /**< index in the tree's units */
    uint32_t id;   /**< stream, device or endpoint ID */
    uint32_t mask; /**< bits of the ID that do not count: the device has all of these IDs */
};

/** The next specifier of the node at the cursor; NOT_FOUND at once where it has none. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_devicetree_specifier_next(
    struct sluice_devicetree *tree, const struct sluice_devicetree_cursor *cursor,
    struct sluice_devicetree_position *position, struct sluice_devicetree_specifier *out,
    struct sluice_devicetree_error *error);

/** An entry of "iommu-map": IDs on this bus become IDs at this unit. */
struct sluice_devicetree_mapping {
    uint32_t index;
    unsigned unit;
    uint32_t first; /**< requester ID of the first, for PCI; what the bus calls it elsewhere */
    uint32_t id;    /**< ID of the first at the unit */
    uint32_t count; /**< may be 0 in a broken tree */
};

/** The next run of IDs that the node at the cursor maps to a unit. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_devicetree_mapping_next(
    struct sluice_devicetree *tree, const struct sluice_devicetree_cursor *cursor,
    struct sluice_devicetree_position *position, struct sluice_devicetree_mapping *out,
    struct sluice_devicetree_error *error);

/** An entry of "iommu-addresses": a device uses these addresses for this region. */
struct sluice_devicetree_reservation {
    uint32_t index;
    uint32_t phandle; /**< of the device */
    sluice_iova_t first;
    sluice_iova_t last; /**< inclusive */
    const char *path;   /**< of the device, in tree->device: valid until the next call */
    bool memory_region; /**< the device's "memory-region" names this region */
};

/** The next reservation of a region. The tree's `device` stands at the device afterwards. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_devicetree_reservation_next(
    struct sluice_devicetree *tree, const struct sluice_devicetree_cursor *cursor,
    struct sluice_devicetree_position *position, struct sluice_devicetree_reservation *out,
    struct sluice_devicetree_error *error);

/** One wired interrupt. */
struct sluice_devicetree_interrupt {
    uint32_t index;
    uint32_t controller; /**< phandle */
    uint32_t cells;      /**< of the specifier; more than `cell` holds are passed over */
    uint32_t cell[SLUICE_DEVICETREE_INTERRUPT_CELLS];
    /** As the controller counts: a GIC's INTID, a PLIC's source; 0: an unknown controller. */
    uint32_t number;
    const char *name; /**< of "interrupt-names"; NULL: none */
};

/** The next interrupt of the node at the cursor. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_devicetree_interrupt_next(
    struct sluice_devicetree *tree, const struct sluice_devicetree_cursor *cursor,
    struct sluice_devicetree_position *position, struct sluice_devicetree_interrupt *out,
    struct sluice_devicetree_error *error);

/** What sluice_add_devicetree did. */
struct sluice_devicetree_summary {
    unsigned units;
    unsigned ranges;   /**< of PCI functions */
    unsigned devices;  /**< outside PCI */
    unsigned regions;  /**< reserved memory, once a device */
    unsigned left_out; /**< parts of the tree that were refused, each reported */
};

/** Called for each part of a tree that was left out; `error` is valid during the call. */
typedef void sluice_devicetree_report(void *arg, const struct sluice_devicetree_error *error);

/** How sluice_add_devicetree works; all zero will do. */
struct sluice_devicetree_config {
    sluice_devicetree_report *report; /**< may be NULL */
    void *report_arg;
    /**
     * Set of 1u << enum sluice_unit_kind: which units to add; 0: all. An instance does not start
     * with a unit that its build has no driver for: a host that means to leave those as they are,
     * and devices behind them unprotected, says so here.
     */
    uint32_t kinds;
};

/**
 * Tells an instance, before its start, what a devicetree says: the units, who is behind them, and
 * the memory that devices use already. May be called beside sluice_add_table.
 *
 * A part that is broken is left out and reported, and the rest is used: what a device whose part
 * was left out does is not translated by anybody's word, and is refused by a unit that sees it.
 * Disabled units and what refers to them are left out too.
 *
 * @param tree     room to work in; nothing in it is needed afterwards, nor is the blob
 * @param config   may be NULL
 * @param out      may be NULL
 * @param error    may be NULL; of the blob as a whole, or of the description that was refused last
 * Returns: OK; STATE (started already); FIRMWARE (no devicetree: nothing was added); NOT_FOUND
 * (it describes no IOMMU of a kind that is known); NO_MEMORY (parts were added: destroy the
 * instance).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_add_devicetree(struct sluice *sluice, const void *fdt, size_t bytes,
                      struct sluice_devicetree *tree, const struct sluice_devicetree_config *config,
                      struct sluice_devicetree_summary *out, struct sluice_devicetree_error *error);

/* ---- what is wrong with a tree ---- */

struct sluice_devicetree_finding {
    const char *rule; /**< "map-overlap"; never changes its meaning */
    enum sluice_lint_severity severity;
    const char *path;     /**< of the node; valid during the call */
    const char *property; /**< NULL: the node itself */
    const char *message;  /**< what is there, with its numbers; valid during the call */
    const char *advice;   /**< what to do about it; constant */
};

typedef void sluice_devicetree_sink(void *arg, const struct sluice_devicetree_finding *finding);

/** Checks a tree that was opened. Disabled nodes are not looked at. */
SLUICE_API void sluice_devicetree_lint(struct sluice_devicetree *tree, sluice_devicetree_sink *sink,
                                       void *arg);

/** The index-th rule there is, for documentation; false past the last. */
SLUICE_API bool sluice_devicetree_rule(unsigned index, const char **out_rule,
                                       enum sluice_lint_severity *out_severity,
                                       const char **out_advice);

#ifdef __cplusplus
}
#endif

#endif
