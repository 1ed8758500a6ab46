// SPDX-License-Identifier: MIT
/*
 * Devicetrees for tests, made with libfdt's writing functions, and changed afterwards: a board with
 * every kind of IOMMU outside RISC-V, and a RISC-V board. Neither has anything to complain about.
 *
 *     struct tree tree;
 *
 *     tree_board(&tree);
 *     tree_set(&tree, SMMU, "#iommu-cells", 1, 2);      // one cell: 2
 *     ... tree.blob, tree.bytes ...
 */
#ifndef TESTS_DEVICETREE_BUILDER_H
#define TESTS_DEVICETREE_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#define TREE_ROOM ((size_t)256 * 1024)

struct tree {
    _Alignas(16) uint8_t blob[TREE_ROOM];
    size_t bytes; /**< the blob's own length */
};

/* Nodes of the board. */
#define GIC    "/gic@8000000"
#define SOC    "/soc"
#define SMMU   "/soc/iommu@9050000"
#define NIC    "/soc/ethernet@a000000"
#define DMA    "/soc/dma@b000000"
#define MMU500 "/soc/iommu@c000000"
#define NARROW "/soc/bus@d000000"
#define USB    "/soc/bus@d000000/usb@0"
#define PCIE   "/pcie@10000000"
#define PCIE2  "/pcie@20000000"
#define VIOMMU "/pcie@20000000/iommu@1,0"
#define VMMIO  "/virtio_mmio@a003e00"
#define DISK   "/disk@a004000"
#define MEMORY "/reserved-memory"
#define FRAMES "/reserved-memory/framebuffer@80000000"

/* Their phandles. */
enum {
    PH_GIC = 1,
    PH_SMMU = 2,
    PH_MMU500 = 3,
    PH_VIOMMU = 4,
    PH_FRAMES = 5,
    PH_NIC = 6,
    PH_VMMIO = 7,
    PH_PCIE = 8,
    PH_NONE = 0x77, /**< nobody's */
};

/** Where the SMMUv3 is for CPUs. */
#define SMMU_BASE 0x109050000u

void tree_board(struct tree *tree);

/* Nodes of the RISC-V board. */
#define R_PLIC     "/soc/plic@c000000"
#define R_IOMMU    "/soc/iommu@3010000"
#define R_PCI      "/soc/pci@30000000"
#define R_FUNCTION "/soc/pci@30000000/iommu@1,0"
#define R_DMA      "/soc/dma@3000000"

void tree_riscv(struct tree *tree);

/** A tree by its name, for tools; 0 when there is none: "board", "riscv", "broken". */
int tree_named(struct tree *tree, const char *name);

/** Sets a property to `count` cells. */
void tree_set(struct tree *tree, const char *path, const char *property, unsigned count, ...);
void tree_set_text(struct tree *tree, const char *path, const char *property, const char *text);
/** Any bytes; NULL and 0 for none. */
void tree_set_bytes(struct tree *tree, const char *path, const char *property, const void *data,
                    size_t bytes);
void tree_drop(struct tree *tree, const char *path, const char *property);
/** A node below another. */
void tree_add(struct tree *tree, const char *parent, const char *name);

#endif
