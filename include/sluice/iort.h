// SPDX-License-Identifier: MIT
/*
 * IORT, RIMT and VIOT: tables in which nodes map the IDs of their requests to other nodes, until an
 * IOMMU or an interrupt controller is reached. Walks as in sluice/acpi.h: hostile input, nothing
 * allocated, FIRMWARE with an offset for what is refused.
 *
 * References between nodes are offsets in the table. They are the firmware's word: a reference may
 * point anywhere, at itself, or in circles. sluice_iort_route() follows them with a limit.
 *
 * Context of everything here: any, interrupt-safe.
 */
#ifndef SLUICE_IORT_H
#define SLUICE_IORT_H

#include <sluice/acpi.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- IORT: Arm [IORT 3] ---- */

enum sluice_iort_type {
    SLUICE_IORT_ITS_GROUP = 0,
    SLUICE_IORT_NAMED_COMPONENT = 1, /**< a device outside PCI */
    SLUICE_IORT_ROOT_COMPLEX = 2,
    SLUICE_IORT_SMMU = 3, /**< SMMUv1 or SMMUv2 */
    SLUICE_IORT_SMMU_V3 = 4,
    SLUICE_IORT_PMCG = 5, /**< performance counters of an SMMU */
    SLUICE_IORT_RMR = 6,  /**< reserved memory */
    SLUICE_IORT_TYPE_COUNT
};

/** One node; fields that its type or revision does not have are zero. */
struct sluice_iort_node {
    uint8_t type; /**< enum sluice_iort_type, or newer */
    uint8_t revision;
    uint32_t offset; /**< in the table; what references name */
    uint32_t bytes;
    uint32_t identifier;
    uint32_t mapping_count;
    uint32_t mappings;          /**< offset in the table of the first; 0: none */
    uint32_t flags;             /**< named component, root complex, SMMUs, RMR */
    uint64_t base;              /**< SMMUs: registers; PMCG: page 0 */
    uint64_t span;              /**< SMMUv1/v2: bytes of registers */
    uint64_t second_base;       /**< SMMUv3: VATOS; PMCG: page 1 */
    uint64_t memory_access;     /**< named component, root complex: memory access properties */
    uint32_t model;             /**< SMMUs */
    uint32_t segment;           /**< root complex */
    uint32_t ats;               /**< root complex: ATS attribute */
    uint8_t address_bits;       /**< named component, root complex: memory address size limit */
    uint16_t pasid;             /**< root complex: PASID capabilities */
    uint32_t interrupts[4];     /**< SMMUv3: event, PRI, GERR, sync; PMCG: overflow */
    uint32_t proximity;         /**< SMMUv3 */
    uint32_t device_id_mapping; /**< SMMUv3: index of the mapping for its own interrupts */
    uint32_t reference;         /**< PMCG: the node it counts for */
    const char *name;           /**< named component: not terminated; NULL in other types */
    uint32_t name_bytes;
    uint32_t item_count; /**< ITS group: identifiers; RMR: descriptors; SMMUv1/v2: context
                              interrupts */
    uint32_t items;      /**< offset in the table of the first; 0: none */
};

/** An ID mapping [IORT 3.1.1.1 table 4]. */
struct sluice_iort_mapping {
    uint32_t offset;
    uint32_t input_base;
    uint32_t count; /**< IDs minus one, as stored */
    uint32_t output_base;
    uint32_t reference; /**< offset of the node it leads to */
    uint32_t flags;     /**< bit 0: a single mapping; input_base means nothing */
};

/** A memory range of an RMR node. */
struct sluice_iort_region {
    uint32_t offset;
    uint64_t base;
    uint64_t length;
};

/** The next node. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_iort_next(const struct sluice_acpi_table *table, struct sluice_acpi_cursor *cursor,
                 struct sluice_iort_node *out, struct sluice_acpi_error *error);

/** The node at an offset that a reference names. Returns: OK; FIRMWARE (no node can be there). */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_iort_at(const struct sluice_acpi_table *table, uint32_t offset, struct sluice_iort_node *out,
               struct sluice_acpi_error *error);

/** The index-th mapping of a node. Returns: OK; NOT_FOUND (past the last); FIRMWARE. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_iort_mapping(const struct sluice_acpi_table *table, const struct sluice_iort_node *node,
                    uint32_t index, struct sluice_iort_mapping *out,
                    struct sluice_acpi_error *error);

/** The index-th identifier of an ITS group. Returns: OK; NOT_FOUND; FIRMWARE. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_iort_its(const struct sluice_acpi_table *table, const struct sluice_iort_node *node,
                uint32_t index, uint32_t *out, struct sluice_acpi_error *error);

/** The index-th memory range of an RMR node. Returns: OK; NOT_FOUND; FIRMWARE. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_iort_region(const struct sluice_acpi_table *table, const struct sluice_iort_node *node,
                   uint32_t index, struct sluice_iort_region *out, struct sluice_acpi_error *error);

/**
 * Follows an ID from a node until it reaches one of type `target`.
 * @param id       in: the ID at `from`; out: the ID at the node that was reached (stream ID)
 * Returns: OK; NOT_FOUND (no mapping leads there); FIRMWARE (a reference is broken, or they go in
 * circles).
 */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_iort_route(const struct sluice_acpi_table *table, const struct sluice_iort_node *from,
                  uint32_t *id, uint8_t target, struct sluice_iort_node *out,
                  struct sluice_acpi_error *error);

/** "SMMUv3" for a type, or "unknown". Never NULL. */
SLUICE_API const char *sluice_iort_type_text(uint8_t type);

/* ---- RIMT: RISC-V [RIMT 2] ---- */

enum sluice_rimt_type {
    SLUICE_RIMT_IOMMU = 0,
    SLUICE_RIMT_ROOT_COMPLEX = 1,
    SLUICE_RIMT_PLATFORM_DEVICE = 2,
    SLUICE_RIMT_TYPE_COUNT
};

enum sluice_rimt_iommu_flags {
    SLUICE_RIMT_IOMMU_PCIE = 1u << 0,      /**< the IOMMU is a PCIe function: see segment and rid */
    SLUICE_RIMT_IOMMU_PROXIMITY = 1u << 1, /**< its proximity domain is valid */
};

struct sluice_rimt_node {
    uint8_t type; /**< enum sluice_rimt_type, or newer */
    uint8_t revision;
    uint16_t id;
    uint32_t offset;
    uint32_t bytes;
    uint32_t flags;          /**< IOMMU, root complex */
    const char *hardware_id; /**< IOMMU: 8 bytes, not terminated; NULL in other types */
    uint64_t base;           /**< IOMMU: registers, unless it is a PCIe function */
    uint32_t proximity;      /**< IOMMU */
    uint16_t segment;        /**< IOMMU, root complex */
    uint16_t rid;            /**< IOMMU: as a PCIe function */
    uint32_t wire_count;     /**< IOMMU: interrupt wires */
    uint32_t wires;          /**< offset in the table of the first */
    uint32_t mapping_count;  /**< root complex, platform device */
    uint32_t mappings;       /**< offset in the table of the first; 0: none */
    const char *name;        /**< platform device: not terminated; NULL in other types */
    uint32_t name_bytes;
};

struct sluice_rimt_mapping {
    uint32_t offset;
    uint32_t source_base;
    uint32_t count; /**< IDs */
    uint32_t target_base;
    uint32_t reference; /**< offset of the IOMMU's node */
    uint32_t flags;     /**< bit 0 ATS required, bit 1 PRI required, bit 2 RCiEP */
};

struct sluice_rimt_wire {
    uint32_t interrupt;
    uint32_t flags; /**< bit 0 level-triggered, bit 1 active high */
};

/** The next node. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_rimt_next(const struct sluice_acpi_table *table, struct sluice_acpi_cursor *cursor,
                 struct sluice_rimt_node *out, struct sluice_acpi_error *error);

/** The index-th mapping of a node. Returns: OK; NOT_FOUND (past the last); FIRMWARE. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_rimt_mapping(const struct sluice_acpi_table *table, const struct sluice_rimt_node *node,
                    uint32_t index, struct sluice_rimt_mapping *out,
                    struct sluice_acpi_error *error);

/** The index-th wired interrupt of an IOMMU. Returns: OK; NOT_FOUND (past the last); FIRMWARE. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_rimt_wire(const struct sluice_acpi_table *table, const struct sluice_rimt_node *node,
                 uint32_t index, struct sluice_rimt_wire *out, struct sluice_acpi_error *error);

/** "IOMMU" for a type, or "unknown". Never NULL. */
SLUICE_API const char *sluice_rimt_type_text(uint8_t type);

/* ---- VIOT: virtio-iommu [ACPI 5.2.33] ---- */

enum sluice_viot_type {
    SLUICE_VIOT_PCI_RANGE = 1,
    SLUICE_VIOT_MMIO_ENDPOINT = 2,
    SLUICE_VIOT_IOMMU_PCI = 3,
    SLUICE_VIOT_IOMMU_MMIO = 4,
};

struct sluice_viot_node {
    uint8_t type; /**< enum sluice_viot_type, or newer */
    uint32_t offset;
    uint32_t bytes;
    uint32_t endpoint;      /**< of the first requester ID, or of the MMIO device */
    uint16_t first_segment; /**< also of a virtio-iommu on PCI */
    uint16_t last_segment;
    uint16_t first_rid; /**< also of a virtio-iommu on PCI */
    uint16_t last_rid;
    uint64_t base;      /**< MMIO device, or virtio-iommu on MMIO */
    uint32_t reference; /**< offset of the virtio-iommu's node; 0: this is one */
};

/** The next node. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status
sluice_viot_next(const struct sluice_acpi_table *table, struct sluice_acpi_cursor *cursor,
                 struct sluice_viot_node *out, struct sluice_acpi_error *error);

/** "virtio-iommu on PCI" for a type, or "unknown". Never NULL. */
SLUICE_API const char *sluice_viot_type_text(uint8_t type);

#ifdef __cplusplus
}
#endif

#endif
