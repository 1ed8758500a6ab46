// SPDX-License-Identifier: MIT
/*
 * What is read from a devicetree, property by property, and what is refused, with where it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>

#include "builder.h"

#include <sluice/devicetree.h>

static struct tree tree;
static struct sluice_devicetree dt;
static struct sluice_devicetree_cursor at;
static struct sluice_devicetree_node node;
static struct sluice_devicetree_error error;

static int begin_board(void **state)
{
    (void)state;
    tree_board(&tree);
    return 0;
}

static void open_tree(void)
{
    assert_int_equal(sluice_devicetree_open(tree.blob, tree.bytes, &dt, &error), SLUICE_OK);
}

/** Stands at a node; what `next` said about it. */
static enum sluice_status stand(const char *path)
{
    enum sluice_status status;

    open_tree();
    memset(&at, 0, sizeof(at));
    while ((status = sluice_devicetree_next(&dt, &at, &node, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (strcmp(node.path, path) == 0)
            return status;
    }
    fail_msg("%s is not among the nodes", path);
    return status;
}

static void read_well(const char *path)
{
    enum sluice_status status = stand(path);

    if (status != SLUICE_OK)
        fail_msg("%s: %s %s", path, error.property != NULL ? error.property : "", error.what);
}

/** It is refused, for this property and with these words. */
static void refused(const char *path, const char *property, const char *what)
{
    assert_int_equal(stand(path), SLUICE_ERR_FIRMWARE);
    assert_string_equal(error.path, path);
    if (property == NULL)
        assert_null(error.property);
    else
        assert_string_equal(error.property, property);
    if (strstr(error.what, what) == NULL)
        fail_msg("it says: %s", error.what);
}

/* ---- the blob ---- */

static void blob_is_checked(void **state)
{
    static _Alignas(16) uint8_t copy[TREE_ROOM];

    (void)state;
    assert_int_equal(fdt_pack(tree.blob), 0);
    tree.bytes = fdt_totalsize(tree.blob);
    for (size_t bytes = 0; bytes < tree.bytes; bytes += bytes < 64 ? 1 : 37) {
        memcpy(copy, tree.blob, bytes);
        assert_int_equal(sluice_devicetree_open(copy, bytes, &dt, &error), SLUICE_ERR_FIRMWARE);
        assert_string_equal(error.path, "");
        assert_non_null(error.what);
    }
    assert_int_equal(sluice_devicetree_open(tree.blob, tree.bytes, &dt, NULL), SLUICE_OK);
    assert_int_equal(dt.bytes, tree.bytes);
    assert_int_equal(dt.version, 17);
    memmove(tree.blob + 4, tree.blob, tree.bytes);
    assert_int_equal(sluice_devicetree_open(tree.blob + 4, tree.bytes, &dt, &error),
                     SLUICE_ERR_FIRMWARE);
    assert_string_equal(error.what, "it is not aligned to 8 bytes");
    memset(copy, 0, sizeof(copy));
    assert_int_equal(sluice_devicetree_open(copy, sizeof(copy), &dt, &error), SLUICE_ERR_FIRMWARE);
    assert_string_equal(error.what, "it does not begin as a devicetree does");
}

/** Found by fuzzing: libfdt 1.6.1 itself falls over this one. */
static void old_versions_are_refused(void **state)
{
    (void)state;
    fdt_set_version(tree.blob, 15);
    fdt_set_last_comp_version(tree.blob, 2);
    assert_int_equal(sluice_devicetree_open(tree.blob, tree.bytes, &dt, &error),
                     SLUICE_ERR_FIRMWARE);
    assert_string_equal(error.what, "its version is older than 16");
    fdt_set_version(tree.blob, 16);
    assert_int_equal(sluice_devicetree_open(tree.blob, tree.bytes, &dt, &error), SLUICE_OK);
}

static void nesting_has_an_end(void **state)
{
    char path[512] = "/soc";

    (void)state;
    /* The deepest that is followed: "/soc" is 1. */
    for (unsigned depth = 2; depth < SLUICE_DEVICETREE_DEPTH_MAX; depth++) {
        tree_add(&tree, path, "n");
        strcat(path, "/n");
    }
    tree_set(&tree, path, "iommus", 2, PH_SMMU, 9);
    read_well(path);
    tree_add(&tree, path, "deeper");
    assert_int_equal(sluice_devicetree_open(tree.blob, tree.bytes, &dt, &error),
                     SLUICE_ERR_FIRMWARE);
    assert_string_equal(error.path, path);
    assert_string_equal(error.what, "nodes are nested too deep below it");
}

static void paths_have_an_end(void **state)
{
    char name[300] = {0};
    char path[400] = "/";

    (void)state;
    memset(name, 'x', 254);
    tree_add(&tree, "/", name);
    strcat(path, name);
    tree_set(&tree, path, "iommus", 2, PH_SMMU, 9);
    read_well(path);
    assert_int_equal(strlen(node.path), 255);
    tree_add(&tree, path, "below");
    strcat(path, "/below");
    tree_set(&tree, path, "iommus", 2, PH_SMMU, 10);
    path[255] = '\0';
    open_tree();
    memset(&at, 0, sizeof(at));
    unsigned refusals = 0;
    enum sluice_status status;

    while ((status = sluice_devicetree_next(&dt, &at, &node, &error)) != SLUICE_ERR_NOT_FOUND) {
        if (status == SLUICE_OK)
            continue;
        assert_string_equal(error.what, "its path is longer than 255 bytes");
        assert_string_equal(error.path, path);
        refusals++;
    }
    assert_int_equal(refusals, 1);
}

/* ---- IOMMUs ---- */

static void smmu_v3(void **state)
{
    (void)state;
    read_well(SMMU);
    assert_int_equal(node.roles, SLUICE_DEVICETREE_UNIT);
    assert_true(node.unit_known && node.enabled && !node.on_pci);
    assert_int_equal(node.unit_kind, SLUICE_UNIT_SMMU_V3);
    assert_int_equal(node.unit, 0);
    assert_int_equal(node.phandle, PH_SMMU);
    assert_int_equal(node.unit_cells, 1);
    assert_string_equal(node.compatible, "arm,smmu-v3");
    assert_int_equal(node.registers, SMMU_BASE);
    assert_int_equal(node.register_bytes, 0x20000);
    assert_int_equal(node.register_ranges, 1);
    assert_int_equal(node.coherence, SLUICE_COHERENCE_YES);
    /* events, page requests, errors, completion: 32 more than the shared interrupt's number */
    assert_int_equal(node.wires[0], 74 + 32);
    assert_int_equal(node.wires[1], 75 + 32);
    assert_int_equal(node.wires[2], 77 + 32);
    assert_int_equal(node.wires[3], 76 + 32);
    tree_drop(&tree, SMMU, "dma-coherent");
    read_well(SMMU);
    assert_int_equal(node.coherence, SLUICE_COHERENCE_NO);
    tree_set_text(&tree, SMMU, "interrupt-names", "combined");
    read_well(SMMU);
    assert_int_equal(node.wires[0], 74 + 32);
    assert_int_equal(node.wires[1], 0);
}

static void other_kinds(void **state)
{
    static const char *const smmu2[] = {"arm,smmu-v1",
                                        "arm,smmu-v2",
                                        "arm,mmu-400",
                                        "arm,mmu-401",
                                        "arm,mmu-500",
                                        "cavium,smmu-v2",
                                        "marvell,ap806-smmu-500",
                                        "nvidia,smmu-500",
                                        "qcom,smmu-v2",
                                        "qcom,smmu-500",
                                        "qcom,sdm845-smmu-500",
                                        "qcom,msm8998-smmu-v2"};

    (void)state;
    for (size_t i = 0; i < sizeof(smmu2) / sizeof(smmu2[0]); i++) {
        tree_set_text(&tree, MMU500, "compatible", smmu2[i]);
        read_well(MMU500);
        assert_true(node.unit_known);
        assert_int_equal(node.unit_kind, SLUICE_UNIT_SMMU_V2);
    }
    tree_set_text(&tree, MMU500, "compatible", "qcom,-smmu-50");
    read_well(MMU500);
    assert_false(node.unit_known);
    /* Nothing is asked of a kind that is not known. */
    tree_drop(&tree, MMU500, "reg");
    read_well(MMU500);
    assert_int_equal(node.register_bytes, 0);
    assert_int_equal(node.roles, SLUICE_DEVICETREE_UNIT);
    read_well(VIOMMU);
    assert_int_equal(node.unit_kind, SLUICE_UNIT_VIRTIO);
    assert_true(node.on_pci);
    assert_int_equal(node.segment, 2);
    assert_int_equal(node.rid, SLUICE_RID(0, 1, 0));
    tree_set_text(&tree, VIOMMU, "compatible", "pci1af4,1057");
    read_well(VIOMMU);
    assert_int_equal(node.unit_kind, SLUICE_UNIT_VIRTIO);
    read_well(VMMIO);
    assert_int_equal(node.unit_kind, SLUICE_UNIT_VIRTIO);
    assert_false(node.on_pci);
    assert_int_equal(node.registers, 0xa003e00);
    assert_int_equal(node.wires[0], 47 + 32);
    read_well(DISK);
    assert_int_equal(node.roles, SLUICE_DEVICETREE_DEVICE);
}

static void riscv_units(void **state)
{
    (void)state;
    tree_riscv(&tree);
    read_well(R_IOMMU);
    assert_int_equal(node.unit_kind, SLUICE_UNIT_RISCV);
    assert_int_equal(node.registers, 0x3010000);
    assert_int_equal(node.coherence, SLUICE_COHERENCE_UNKNOWN);
    assert_int_equal(node.wires[0], 36);
    assert_int_equal(node.wires[3], 39);
    /* What QEMU 10.0 writes for a PLIC. */
    tree_set(&tree, R_IOMMU, "interrupts", 8, 36, 1, 37, 1, 38, 1, 39, 1);
    read_well(R_IOMMU);
    assert_int_equal(node.wires[1], 37);
    assert_int_equal(node.wires[3], 39);
    read_well(R_FUNCTION);
    assert_int_equal(node.unit_kind, SLUICE_UNIT_RISCV);
    assert_true(node.on_pci);
    assert_int_equal(node.rid, SLUICE_RID(0, 1, 0));
    read_well(R_DMA);
    assert_int_equal(node.coherence, SLUICE_COHERENCE_YES);
    tree_set(&tree, "/soc", "dma-noncoherent", 0);
    read_well(R_DMA);
    assert_int_equal(node.coherence, SLUICE_COHERENCE_NO);
    tree_set(&tree, R_DMA, "dma-coherent", 0);
    read_well(R_DMA);
    assert_int_equal(node.coherence, SLUICE_COHERENCE_YES);
}

static void units_are_as_many_as_fit(void **state)
{
    char path[64];

    (void)state;
    for (unsigned i = 0; i < SLUICE_DEVICETREE_UNITS_MAX; i++) {
        (void)snprintf(path, sizeof(path), "more@%x", i);
        tree_add(&tree, "/", path);
        (void)snprintf(path, sizeof(path), "/more@%x", i);
        tree_set(&tree, path, "#iommu-cells", 1, 1);
        tree_set(&tree, path, "phandle", 1, 0x1000 + i);
    }
    open_tree();
    assert_int_equal(dt.unit_count, SLUICE_DEVICETREE_UNITS_MAX);
    assert_int_equal(dt.units_beyond, 4);
}

static void unit_problems(void **state)
{
    (void)state;
    tree_drop(&tree, SMMU, "reg");
    refused(SMMU, "reg", "is missing");
    tree_set(&tree, SMMU, "reg", 1, 0x9050000);
    refused(SMMU, "reg", "no whole number");
    tree_set(&tree, SMMU, "reg", 2, 0x9050000, 0);
    refused(SMMU, "reg", "a size of 0");
    tree_set(&tree, SMMU, "reg", 2, 0x9050000, 0x20000);
    tree_set(&tree, SMMU, "#iommu-cells", 2, 0, 1);
    refused(SMMU, "#iommu-cells", "not one cell");
    tree_set(&tree, SMMU, "#iommu-cells", 1, 1);
    tree_set_text(&tree, SMMU, "compatible", "virtio,pci-iommu");
    refused(SMMU, "compatible", "of a PCI function, which this is not");
    tree_set_text(&tree, VIOMMU, "compatible", "arm,smmu-v3");
    refused(VIOMMU, "compatible", "no PCI function, which this is");
    tree_set_text(&tree, VIOMMU, "compatible", "virtio,pci-iommu");
    tree_set(&tree, VIOMMU, "reg", 1, 0x800);
    refused(VIOMMU, "reg", "which PCI function");
}

/* ---- addresses ---- */

static void ranges_translate(void **state)
{
    (void)state;
    read_well(NIC);
    assert_int_equal(node.registers, 0x10a000000);
    read_well(USB);
    /* through two buses */
    assert_int_equal(node.registers, 0x10d000100);
    assert_int_equal(node.register_bytes, 0x100);
    /* The second window of the bus. */
    tree_set(&tree, SMMU, "reg", 2, 0x90000000, 0x20000);
    read_well(SMMU);
    assert_int_equal(node.registers, 0x90000000);
    tree_set(&tree, SOC, "ranges", 0);
    read_well(SMMU);
    assert_int_equal(node.registers, 0x90000000);
}

static void ranges_problems(void **state)
{
    (void)state;
    tree_set(&tree, SMMU, "reg", 2, 0x7ffff000, 0x20000);
    refused(SMMU, "reg", "no \"ranges\" of a bus above has it");
    tree_set(&tree, SMMU, "reg", 2, 0x9050000, 0x20000);
    tree_set(&tree, SOC, "ranges", 4, 0, 0xffffffff, 0xff000000, 0x10000000);
    refused(SMMU, "reg", "past the largest address");
    tree_set(&tree, SOC, "ranges", 4, 0, 0xffffffff, 0xf6fa0000, 0x10000000);
    refused(SMMU, "reg", "past the largest address");
    tree_set(&tree, SOC, "ranges", 3, 0, 1, 0);
    refused(SMMU, "reg", "no whole number of entries");
    tree_drop(&tree, SOC, "ranges");
    refused(SMMU, "reg", "has no \"ranges\"");
    /* A device that CPUs do not see is known by its path. */
    read_well(NIC);
    assert_int_equal(node.registers, 0);
    assert_int_equal(node.register_bytes, 0);
    tree_set(&tree, SOC, "#address-cells", 1, 7);
    refused(SMMU, "reg", "not in a number");
    tree_set(&tree, SOC, "#address-cells", 0);
    refused(SMMU, "reg", "not in a number");
    tree_set(&tree, SOC, "#address-cells", 1, 2);
    tree_set(&tree, SOC, "#size-cells", 1, 2);
    tree_set(&tree, SMMU, "reg", 4, 0xffffffff, 0xffff0000, 0, 0x20000);
    refused(SMMU, "reg", "past the largest address");
}

static void dma_ranges_limit(void **state)
{
    (void)state;
    read_well(USB);
    assert_int_equal(node.address_bits, 30);
    read_well(NIC);
    assert_int_equal(node.address_bits, 0);
    /* Only the nearest bus that says something counts; a size of 0 is all there is. */
    tree_set(&tree, SOC, "dma-ranges", 4, 0, 0, 0, 0);
    read_well(NIC);
    assert_int_equal(node.address_bits, 32);
    tree_set(&tree, NARROW, "dma-ranges", 0);
    read_well(USB);
    assert_int_equal(node.address_bits, 32);
    tree_set(&tree, PCIE, "dma-ranges", 7, 0x43000000, 0, 0, 0, 0, 0x100, 0);
    read_well(PCIE);
    assert_int_equal(node.address_bits, 40);
    tree_set(&tree, PCIE, "dma-ranges", 7, 0x43000000, 0, 0, 0, 0, 0, 0);
    read_well(PCIE);
    assert_int_equal(node.address_bits, 0);
    tree_set(&tree, PCIE, "dma-ranges", 6, 0x43000000, 0, 0, 0, 0, 0);
    refused(PCIE, "dma-ranges", "no whole number");
}

/* ---- interrupts ---- */

static void next_interrupt(struct sluice_devicetree_position *place,
                           struct sluice_devicetree_interrupt *interrupt)
{
    assert_int_equal(sluice_devicetree_interrupt_next(&dt, &at, place, interrupt, &error),
                     SLUICE_OK);
}

static void interrupts_are_named(void **state)
{
    struct sluice_devicetree_position place = {0};
    struct sluice_devicetree_interrupt interrupt;

    (void)state;
    read_well(SMMU);
    for (unsigned i = 0; i < 4; i++)
        next_interrupt(&place, &interrupt);
    assert_string_equal(interrupt.name, "gerror");
    assert_int_equal(interrupt.controller, PH_GIC);
    assert_int_equal(interrupt.cells, 3);
    assert_int_equal(interrupt.cell[1], 77);
    assert_int_equal(interrupt.number, 77 + 32);
    assert_int_equal(sluice_devicetree_interrupt_next(&dt, &at, &place, &interrupt, &error),
                     SLUICE_ERR_NOT_FOUND);
    read_well(MMU500);
    assert_int_equal(node.interrupt_count, 4);
    /* Two global ones; the others are of contexts. */
    assert_int_equal(node.wires[0], 65 + 32);
    assert_int_equal(node.wires[1], 66 + 32);
    assert_int_equal(node.wires[2], 0);
}

static void interrupts_of_gic_kinds(void **state)
{
    struct sluice_devicetree_position place = {0};
    struct sluice_devicetree_interrupt interrupt;

    (void)state;
    tree_set(&tree, SMMU, "interrupts", 15, 1, 9, 4, 2, 5, 4, 3, 6, 4, 0, 988, 4, 7, 1, 4);
    read_well(SMMU);
    next_interrupt(&place, &interrupt);
    assert_int_equal(interrupt.number, 16 + 9);
    next_interrupt(&place, &interrupt);
    assert_int_equal(interrupt.number, 4096 + 5);
    next_interrupt(&place, &interrupt);
    assert_int_equal(interrupt.number, 1056 + 6);
    next_interrupt(&place, &interrupt);
    assert_int_equal(interrupt.number, 0); /* there is no such one */
    next_interrupt(&place, &interrupt);
    assert_int_equal(interrupt.number, 0);
    assert_null(interrupt.name);
}

static void interrupts_extended(void **state)
{
    struct sluice_devicetree_position place = {0};
    struct sluice_devicetree_interrupt interrupt;

    (void)state;
    tree_add(&tree, "/", "other");
    tree_set(&tree, "/other", "#interrupt-cells", 1, 2);
    tree_set(&tree, "/other", "phandle", 1, 0x55);
    tree_set(&tree, SMMU, "interrupts-extended", 7, 0x55, 3, 4, PH_GIC, 0, 8, 1);
    read_well(SMMU);
    next_interrupt(&place, &interrupt);
    assert_int_equal(interrupt.controller, 0x55);
    assert_int_equal(interrupt.cells, 2);
    assert_int_equal(interrupt.number, 0); /* nobody knows how it counts */
    assert_int_equal(interrupt.cell[0], 3);
    next_interrupt(&place, &interrupt);
    assert_int_equal(interrupt.number, 40);
}

static void interrupt_refused(const char *what)
{
    struct sluice_devicetree_position place = {0};
    struct sluice_devicetree_interrupt interrupt;

    read_well(SMMU);
    assert_int_equal(sluice_devicetree_interrupt_next(&dt, &at, &place, &interrupt, &error),
                     SLUICE_ERR_FIRMWARE);
    assert_string_equal(error.path, SMMU);
    assert_string_equal(error.property, "interrupts");
    if (strstr(error.what, what) == NULL)
        fail_msg("it says: %s", error.what);
    assert_int_equal(sluice_devicetree_interrupt_next(&dt, &at, &place, &interrupt, &error),
                     SLUICE_ERR_NOT_FOUND);
    assert_int_equal(node.wires[0], 0);
}

static void interrupt_problems(void **state)
{
    (void)state;
    tree_set(&tree, SMMU, "interrupts", 2, 0, 74);
    interrupt_refused("in the middle");
    tree_set_bytes(&tree, SMMU, "interrupts", "\0\0\0\0\0\0", 6);
    interrupt_refused("multiple of 4");
    tree_set(&tree, SMMU, "interrupts", 3, 0, 74, 4);
    tree_set(&tree, SMMU, "interrupt-parent", 1, PH_NONE);
    interrupt_refused("is not there");
    tree_set(&tree, SMMU, "interrupt-parent", 1, PH_NIC);
    interrupt_refused("no interrupt controller");
    tree_set(&tree, SMMU, "interrupt-parent", 1, 0);
    interrupt_refused("names no interrupt controller");
    tree_drop(&tree, SMMU, "interrupt-parent");
    tree_set(&tree, GIC, "#interrupt-cells", 1, 0);
    interrupt_refused("no interrupt controller");
    tree_set(&tree, GIC, "#interrupt-cells", 1, 0x40000000);
    interrupt_refused("no interrupt controller");
}

/* ---- references ---- */

static void next_specifier(struct sluice_devicetree_position *place, unsigned unit, uint32_t id,
                           uint32_t mask)
{
    struct sluice_devicetree_specifier specifier;

    assert_int_equal(sluice_devicetree_specifier_next(&dt, &at, place, &specifier, &error),
                     SLUICE_OK);
    assert_int_equal(specifier.unit, unit);
    assert_int_equal(specifier.id, id);
    assert_int_equal(specifier.mask, mask);
}

static void specifiers(void **state)
{
    struct sluice_devicetree_specifier specifier;
    struct sluice_devicetree_position place = {0};

    (void)state;
    read_well(NIC);
    assert_int_equal(node.coherence, SLUICE_COHERENCE_YES);
    next_specifier(&place, 0, 0x300, 0);
    next_specifier(&place, 0, 0x301, 0);
    assert_int_equal(sluice_devicetree_specifier_next(&dt, &at, &place, &specifier, &error),
                     SLUICE_ERR_NOT_FOUND);
    read_well(DMA);
    assert_int_equal(node.coherence, SLUICE_COHERENCE_NO);
    memset(&place, 0, sizeof(place));
    next_specifier(&place, 1, 0x410, 0x803);
    /* One cell: the mask is the unit's. No cell: there is one ID only. */
    tree_set(&tree, MMU500, "#iommu-cells", 1, 1);
    tree_set(&tree, MMU500, "stream-match-mask", 1, 0x7f80);
    tree_set(&tree, DMA, "iommus", 4, PH_MMU500, 0x15, PH_SMMU, 4);
    read_well(DMA);
    memset(&place, 0, sizeof(place));
    next_specifier(&place, 1, 0x15, 0x7f80);
    next_specifier(&place, 0, 4, 0);
    tree_set(&tree, MMU500, "#iommu-cells", 1, 0);
    tree_drop(&tree, MMU500, "stream-match-mask");
    tree_set(&tree, DMA, "iommus", 1, PH_MMU500);
    read_well(DMA);
    memset(&place, 0, sizeof(place));
    next_specifier(&place, 1, 0, 0);
}

static void specifier_refused(const char *what)
{
    struct sluice_devicetree_specifier specifier;
    struct sluice_devicetree_position place = {0};

    read_well(NIC);
    assert_int_equal(sluice_devicetree_specifier_next(&dt, &at, &place, &specifier, &error),
                     SLUICE_ERR_FIRMWARE);
    assert_string_equal(error.path, NIC);
    assert_string_equal(error.property, "iommus");
    if (strstr(error.what, what) == NULL)
        fail_msg("it says: %s", error.what);
    assert_int_equal(sluice_devicetree_specifier_next(&dt, &at, &place, &specifier, &error),
                     SLUICE_ERR_NOT_FOUND);
}

static void specifier_problems(void **state)
{
    (void)state;
    tree_set_bytes(&tree, NIC, "iommus", "\0\0\0\2\0", 5);
    specifier_refused("multiple of 4");
    tree_set(&tree, NIC, "iommus", 1, PH_SMMU);
    specifier_refused("in the middle");
    tree_set(&tree, NIC, "iommus", 2, PH_NONE, 1);
    specifier_refused("leads to no node");
    tree_set(&tree, NIC, "iommus", 2, PH_GIC, 1);
    specifier_refused("no IOMMU");
    tree_set(&tree, NIC, "iommus", 2, 0, 1);
    specifier_refused("that no node can have");
    tree_set(&tree, NIC, "iommus", 2, 0xffffffff, 1);
    specifier_refused("that no node can have");
    tree_set(&tree, NIC, "iommus", 2, PH_SMMU, 1);
    tree_drop(&tree, SMMU, "#iommu-cells");
    specifier_refused("without \"#iommu-cells\"");
    tree_set(&tree, SMMU, "#iommu-cells", 1, 0x40000000);
    specifier_refused("absurd");
}

static void references_have_an_end(void **state)
{
    struct sluice_devicetree_specifier specifier;
    struct sluice_devicetree_position place;
    unsigned refusals = 0;

    (void)state;
    tree_set(&tree, NIC, "iommus", 2, PH_NONE, 1);
    read_well(NIC);
    for (unsigned i = 0; i < 10000; i++) {
        memset(&place, 0, sizeof(place));
        assert_int_equal(sluice_devicetree_specifier_next(&dt, &at, &place, &specifier, &error),
                         SLUICE_ERR_FIRMWARE);
        refusals += strcmp(error.what, "is one of too many references") == 0;
    }
    assert_true(refusals > 1000 && refusals < 9999);
}

/* ---- PCI ---- */

static void next_mapping(struct sluice_devicetree_position *place, uint32_t first, unsigned unit,
                         uint32_t id, uint32_t count)
{
    struct sluice_devicetree_mapping entry;

    assert_int_equal(sluice_devicetree_mapping_next(&dt, &at, place, &entry, &error), SLUICE_OK);
    assert_int_equal(entry.first, first);
    assert_int_equal(entry.unit, unit);
    assert_int_equal(entry.id, id);
    assert_int_equal(entry.count, count);
}

static void host_bridges(void **state)
{
    struct sluice_devicetree_mapping entry;
    struct sluice_devicetree_position place = {0};

    (void)state;
    read_well(PCIE);
    assert_int_equal(node.roles, SLUICE_DEVICETREE_PCI_HOST | SLUICE_DEVICETREE_MAP);
    assert_true(node.segment_given);
    assert_int_equal(node.segment, 1);
    assert_int_equal(node.first_bus, 0);
    assert_int_equal(node.last_bus, 0x1f);
    assert_int_equal(node.map_mask, UINT32_MAX);
    assert_int_equal(node.coherence, SLUICE_COHERENCE_YES);
    next_mapping(&place, 0, 0, 0x1000, 0x800);
    next_mapping(&place, 0x800, 0, 0x4000, 0x1800);
    assert_int_equal(sluice_devicetree_mapping_next(&dt, &at, &place, &entry, &error),
                     SLUICE_ERR_NOT_FOUND);
    tree_set(&tree, PCIE, "iommu-map-mask", 1, 0);
    read_well(PCIE);
    assert_int_equal(node.map_mask, 0);
    /* Who does not say its segment has one by its order. */
    tree_drop(&tree, PCIE2, "linux,pci-domain");
    read_well(PCIE2);
    assert_false(node.segment_given);
    assert_int_equal(node.segment, 1);
    assert_int_equal(node.last_bus, 0xff);
    read_well(VIOMMU);
    assert_int_equal(node.segment, 1);
}

static void maps_of_two_cells(void **state)
{
    struct sluice_devicetree_position place = {0};

    (void)state;
    /* One cell of ID, as the binding means it, whatever the unit's cells. */
    tree_set(&tree, PCIE, "iommu-map", 8, 0, PH_MMU500, 0x1400, 1, 0x100, PH_MMU500, 0x1401, 1);
    read_well(PCIE);
    next_mapping(&place, 0, 1, 0x1400, 1);
    next_mapping(&place, 0x100, 1, 0x1401, 1);
    /* All cells of the unit. */
    tree_set(&tree, PCIE, "iommu-map", 10, 0, PH_MMU500, 0x1400, 0, 1, 0x100, PH_MMU500, 0x1401, 0,
             1);
    read_well(PCIE);
    memset(&place, 0, sizeof(place));
    next_mapping(&place, 0, 1, 0x1400, 1);
    next_mapping(&place, 0x100, 1, 0x1401, 1);
}

static void mapping_refused(const char *what)
{
    struct sluice_devicetree_mapping entry;
    struct sluice_devicetree_position place = {0};

    read_well(PCIE);
    assert_int_equal(sluice_devicetree_mapping_next(&dt, &at, &place, &entry, &error),
                     SLUICE_ERR_FIRMWARE);
    assert_string_equal(error.path, PCIE);
    assert_string_equal(error.property, "iommu-map");
    if (strstr(error.what, what) == NULL)
        fail_msg("it says: %s", error.what);
}

static void host_problems(void **state)
{
    struct sluice_devicetree_position place = {0};
    struct sluice_devicetree_mapping entry;

    (void)state;
    tree_set(&tree, PCIE, "iommu-map", 3, 0, PH_SMMU, 0);
    mapping_refused("in the middle");
    tree_set(&tree, PCIE, "iommu-map", 1, 0);
    mapping_refused("in the middle");
    tree_set_bytes(&tree, PCIE, "iommu-map", "abc", 3);
    mapping_refused("multiple of 4");
    /* One entry that leads nowhere does not hide the next. */
    tree_set(&tree, PCIE, "iommu-map", 8, 0, PH_NONE, 0, 1, 1, PH_SMMU, 7, 1);
    mapping_refused("leads to no node");
    read_well(PCIE);
    assert_int_equal(sluice_devicetree_mapping_next(&dt, &at, &place, &entry, NULL),
                     SLUICE_ERR_FIRMWARE);
    next_mapping(&place, 1, 0, 7, 1);
    tree_set(&tree, PCIE, "iommu-map-mask", 2, 0, 0);
    refused(PCIE, "iommu-map-mask", "not one cell");
    tree_drop(&tree, PCIE, "iommu-map-mask");
    tree_set(&tree, PCIE, "bus-range", 2, 5, 4);
    refused(PCIE, "bus-range", "no range of buses");
    tree_set(&tree, PCIE, "bus-range", 2, 0, 0x100);
    refused(PCIE, "bus-range", "no range of buses");
    tree_set(&tree, PCIE, "bus-range", 1, 0);
    refused(PCIE, "bus-range", "no range of buses");
    tree_drop(&tree, PCIE, "bus-range");
    tree_set(&tree, PCIE, "linux,pci-domain", 1, 0x10000);
    refused(PCIE, "linux,pci-domain", "no PCI segment");
}

/* ---- status, reserved memory ---- */

static void disabled_is_told(void **state)
{
    (void)state;
    tree_set_text(&tree, SMMU, "status", "disabled");
    read_well(SMMU);
    assert_false(node.enabled);
    assert_false(dt.units[0].enabled);
    tree_set_text(&tree, SMMU, "status", "ok");
    read_well(SMMU);
    assert_true(node.enabled);
    tree_set_text(&tree, SOC, "status", "fail-ecc");
    read_well(USB);
    assert_false(node.enabled);
    tree_set_text(&tree, SOC, "status", "okay");
    read_well(USB);
    assert_true(node.enabled);
    /* Not a string at all. */
    tree_set_bytes(&tree, SOC, "status", "okay", 4);
    read_well(USB);
    assert_false(node.enabled);
}

static void reservations(void **state)
{
    struct sluice_devicetree_reservation reservation;
    struct sluice_devicetree_position place = {0};

    (void)state;
    read_well(FRAMES);
    assert_true(node.has_memory);
    assert_int_equal(node.first, 0x80000000);
    assert_int_equal(node.last, 0x807fffff);
    assert_int_equal(sluice_devicetree_reservation_next(&dt, &at, &place, &reservation, &error),
                     SLUICE_OK);
    assert_int_equal(reservation.phandle, PH_NIC);
    assert_string_equal(reservation.path, NIC);
    assert_int_equal(reservation.first, 0x80000000);
    assert_int_equal(reservation.last, 0x807fffff);
    assert_true(reservation.memory_region);
    assert_int_equal(sluice_devicetree_reservation_next(&dt, &at, &place, &reservation, &error),
                     SLUICE_ERR_NOT_FOUND);
    /* By the cells of each device's bus: 1 and 1, then 2 and 2. */
    tree_set(&tree, FRAMES, "iommu-addresses", 8, PH_NIC, 0x1000, 0x2000, PH_PCIE, 1, 0x3000, 0,
             0x4000);
    read_well(FRAMES);
    memset(&place, 0, sizeof(place));
    assert_int_equal(sluice_devicetree_reservation_next(&dt, &at, &place, &reservation, &error),
                     SLUICE_OK);
    assert_int_equal(reservation.last, 0x2fff);
    assert_int_equal(sluice_devicetree_reservation_next(&dt, &at, &place, &reservation, &error),
                     SLUICE_OK);
    assert_string_equal(reservation.path, PCIE);
    assert_int_equal(reservation.first, 0x100003000);
    assert_int_equal(reservation.last, 0x100006fff);
    assert_false(reservation.memory_region);
    tree_drop(&tree, FRAMES, "reg");
    read_well(FRAMES);
    assert_false(node.has_memory);
}

static void reservation_refused(const char *what)
{
    struct sluice_devicetree_reservation reservation;
    struct sluice_devicetree_position place = {0};

    read_well(FRAMES);
    assert_int_equal(sluice_devicetree_reservation_next(&dt, &at, &place, &reservation, &error),
                     SLUICE_ERR_FIRMWARE);
    assert_string_equal(error.path, FRAMES);
    assert_string_equal(error.property, "iommu-addresses");
    if (strstr(error.what, what) == NULL)
        fail_msg("it says: %s", error.what);
    assert_int_equal(sluice_devicetree_reservation_next(&dt, &at, &place, &reservation, &error),
                     SLUICE_ERR_NOT_FOUND);
}

static void reservation_problems(void **state)
{
    (void)state;
    tree_set(&tree, FRAMES, "iommu-addresses", 3, PH_NONE, 0, 0x1000);
    reservation_refused("leads to no node");
    tree_set(&tree, FRAMES, "iommu-addresses", 2, PH_NIC, 0);
    reservation_refused("in the middle");
    tree_set(&tree, FRAMES, "iommu-addresses", 3, PH_NIC, 0x1000, 0);
    reservation_refused("a size of 0");
    tree_set(&tree, FRAMES, "iommu-addresses", 5, PH_PCIE, 0xffffffff, 0xfffff000, 0, 0x2000);
    reservation_refused("past the largest");
    tree_set(&tree, FRAMES, "iommu-addresses", 3, PH_NIC, 0, 0x1000);
    tree_set(&tree, FRAMES, "reg", 4, 0, 0x80000000, 0, 0);
    refused(FRAMES, "reg", "a size of 0");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin_board)
    const struct CMUnitTest tests[] = {
        TEST(blob_is_checked),
        TEST(old_versions_are_refused),
        TEST(nesting_has_an_end),
        TEST(paths_have_an_end),
        TEST(smmu_v3),
        TEST(other_kinds),
        TEST(riscv_units),
        TEST(units_are_as_many_as_fit),
        TEST(unit_problems),
        TEST(ranges_translate),
        TEST(ranges_problems),
        TEST(dma_ranges_limit),
        TEST(interrupts_are_named),
        TEST(interrupts_of_gic_kinds),
        TEST(interrupts_extended),
        TEST(interrupt_problems),
        TEST(specifiers),
        TEST(specifier_problems),
        TEST(references_have_an_end),
        TEST(host_bridges),
        TEST(maps_of_two_cells),
        TEST(host_problems),
        TEST(disabled_is_told),
        TEST(reservations),
        TEST(reservation_problems),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
