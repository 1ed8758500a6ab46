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

#include "board.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOARD_TEST(blob_is_checked),
        BOARD_TEST(old_versions_are_refused),
        BOARD_TEST(nesting_has_an_end),
        BOARD_TEST(paths_have_an_end),
        BOARD_TEST(smmu_v3),
        BOARD_TEST(other_kinds),
        BOARD_TEST(riscv_units),
        BOARD_TEST(units_are_as_many_as_fit),
        BOARD_TEST(unit_problems),
        BOARD_TEST(ranges_translate),
        BOARD_TEST(ranges_problems),
        BOARD_TEST(dma_ranges_limit),
        BOARD_TEST(interrupts_are_named),
        BOARD_TEST(interrupts_of_gic_kinds),
        BOARD_TEST(interrupts_extended),
        BOARD_TEST(interrupt_problems),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
