// SPDX-License-Identifier: MIT
/*
 * Every rule of the linter: silent on trees that are right, and said for the one thing that breaks
 * it, at its node and property.
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

#define FINDINGS_MAX 256u
#define RULES_MAX    64u

struct seen {
    const char *rule;
    char path[SLUICE_DEVICETREE_PATH_BYTES];
    const char *property;
    char message[256];
};

static struct tree tree;
static struct sluice_devicetree dt;
static struct seen seen[FINDINGS_MAX];
static unsigned seen_count;
static const char *tried[RULES_MAX]; /* rules that some test has seen */
static unsigned tried_count;

static void on_finding(void *arg, const struct sluice_devicetree_finding *finding)
{
    struct seen *to = &seen[seen_count < FINDINGS_MAX ? seen_count : FINDINGS_MAX - 1];

    (void)arg;
    to->rule = finding->rule;
    to->property = finding->property;
    (void)snprintf(to->path, sizeof(to->path), "%s", finding->path);
    (void)snprintf(to->message, sizeof(to->message), "%s", finding->message);
    assert_true(finding->advice[0] != '\0' && finding->message[0] != '\0');
    seen_count++;
}

static void lint(void)
{
    struct sluice_devicetree_error error;

    seen_count = 0;
    if (sluice_devicetree_open(tree.blob, tree.bytes, &dt, &error) != SLUICE_OK)
        fail_msg("%s: %s", error.path, error.what);
    sluice_devicetree_lint(&dt, on_finding, NULL);
}

static void tell_all(void)
{
    for (unsigned i = 0; i < seen_count && i < FINDINGS_MAX; i++)
        print_message("# %s at %s \"%s\": %s\n", seen[i].rule, seen[i].path,
                      seen[i].property != NULL ? seen[i].property : "", seen[i].message);
}

/** How often a rule is said; the last place is what counts. */
static unsigned said(const char *rule, const char *path, const char *property)
{
    unsigned count = 0;

    for (unsigned i = 0; i < seen_count; i++)
        count += strcmp(seen[i].rule, rule) == 0 && strcmp(seen[i].path, path) == 0 &&
                 (property == NULL
                      ? seen[i].property == NULL
                      : seen[i].property != NULL && strcmp(seen[i].property, property) == 0);
    return count;
}

/** The tree as it is now has exactly this one finding. */
static void only(const char *rule, const char *path, const char *property)
{
    lint();
    if (seen_count != 1 || said(rule, path, property) != 1) {
        tell_all();
        fail_msg("%u findings, not only %s at %s", seen_count, rule, path);
    }
    tried[tried_count++ % RULES_MAX] = rule;
}

/** This finding, once, beside others that follow from the same. */
static void also(const char *rule, const char *path, const char *property)
{
    lint();
    if (said(rule, path, property) != 1) {
        tell_all();
        fail_msg("no %s at %s", rule, path);
    }
    tried[tried_count++ % RULES_MAX] = rule;
}

static int board(void **state)
{
    (void)state;
    tree_board(&tree);
    return 0;
}

static void again(void)
{
    tree_board(&tree);
}

static void nothing_wrong(void **state)
{
    (void)state;
    lint();
    tell_all();
    assert_int_equal(seen_count, 0);
    tree_riscv(&tree);
    lint();
    tell_all();
    /* The PCI function is there beside the other: this is the whole of it. */
    assert_int_equal(seen_count, 0);
}

static void whole_tree(void **state)
{
    char path[64];

    (void)state;
    assert_int_equal(fdt_create_empty_tree(tree.blob, (int)sizeof(tree.blob)), 0);
    only("no-units", "/", NULL);
    again();
    for (unsigned i = 0; i < SLUICE_DEVICETREE_UNITS_MAX; i++) {
        (void)snprintf(path, sizeof(path), "more@%x", i);
        tree_add(&tree, "/", path);
        (void)snprintf(path, sizeof(path), "/more@%x", i);
        tree_set(&tree, path, "#iommu-cells", 1, 1);
    }
    also("too-many-units", "/", NULL);
    again();
    tree_set(&tree, GIC, "phandle", 1, PH_SMMU);
    also("phandle-duplicate", GIC, "phandle");
    again();
    tree_set_text(&tree, NIC, "status", "on");
    also("status-unknown", NIC, "status");
    again();
    tree_set_text(&tree, USB, "status", "fail-sss");
    lint();
    assert_int_equal(seen_count, 0);
    tree_set_text(&tree, USB, "status", "reserved");
    lint();
    assert_int_equal(seen_count, 0);
    again();
    tree_set(&tree, NIC, "iommus", 1, PH_SMMU);
    tree_set(&tree, NIC, "dma-ranges", 1, 0);
    also("reference-broken", NIC, "iommus");
    again();
    tree_drop(&tree, SMMU, "reg");
    only("malformed", SMMU, "reg");
}

/** A second property of one name: libfdt's functions do not write one. */
static void property_twice(void **state)
{
    int nic = fdt_path_offset(tree.blob, NIC);
    struct fdt_property *first;
    struct fdt_property *second;

    (void)state;
    tree_set(&tree, NIC, "other", 0);
    nic = fdt_path_offset(tree.blob, NIC);
    first = fdt_get_property_w(tree.blob, nic, "dma-coherent", NULL);
    second = fdt_get_property_w(tree.blob, nic, "other", NULL);
    assert_true(first != NULL && second != NULL);
    second->nameoff = first->nameoff;
    only("property-duplicate", NIC, "dma-coherent");
}

static void many_nodes(void **state)
{
    char path[64];

    (void)state;
    /* So many devices that comparing each with each takes too long. */
    for (unsigned i = 0; i < 1500; i++) {
        (void)snprintf(path, sizeof(path), "d@%x", i);
        tree_add(&tree, "/", path);
        (void)snprintf(path, sizeof(path), "/d@%x", i);
        tree_set(&tree, path, "iommus", 4, PH_SMMU, 0x100000 + i, PH_SMMU, 0x200000 + i);
    }
    lint();
    assert_int_equal(seen_count, 1);
    assert_string_equal(seen[0].rule, "too-many-nodes");
    tried[tried_count++ % RULES_MAX] = "too-many-nodes";
}

static void units(void **state)
{
    (void)state;
    tree_set_text(&tree, MMU500, "compatible", "somebody,iommu");
    only("unit-kind-unknown", MMU500, "compatible");
    again();
    tree_drop(&tree, DMA, "iommus");
    only("unit-unused", MMU500, NULL);
    again();
    tree_set_text(&tree, DISK, "status", "disabled");
    only("unit-unused", VMMIO, NULL);
    again();
    tree_drop(&tree, MMU500, "#iommu-cells");
    also("unit-without-cells", MMU500, "#iommu-cells");
    also("reference-broken", DMA, "iommus");
    again();
    tree_set(&tree, MMU500, "#iommu-cells", 1, 3);
    also("unit-cells-wrong", MMU500, "#iommu-cells");
    again();
    tree_set(&tree, SMMU, "#iommu-cells", 1, 0);
    also("unit-cells-wrong", SMMU, "#iommu-cells");
    again();
    tree_set(&tree, VMMIO, "reg", 4, 0, 0, 0, 0x200);
    only("unit-base-zero", VMMIO, "reg");
    again();
    tree_set(&tree, SMMU, "reg", 2, 0x9051000, 0x20000);
    only("unit-base-unaligned", SMMU, "reg");
    tree_set(&tree, SMMU, "reg", 2, 0x9050000, 0x10000);
    only("unit-registers-small", SMMU, "reg");
    tree_set(&tree, SOC, "ranges", 0);
    tree_set(&tree, SMMU, "reg", 2, 0x20000000, 0x20000000);
    only("unit-registers-huge", SMMU, "reg");
    again();
    tree_set(&tree, SMMU, "reg", 4, 0x9050000, 0x20000, 0x9080000, 0x20000);
    only("unit-register-ranges", SMMU, "reg");
    again();
    tree_set(&tree, SMMU, "reg", 2, 0xc030000, 0x20000);
    only("unit-overlap", MMU500, "reg");
    tree_set_text(&tree, MMU500, "status", "disabled");
    only("unit-disabled", DMA, "iommus");
    tree_riscv(&tree);
    tree_add(&tree, R_PCI, "again@1,0");
    tree_set_text(&tree, R_PCI "/again@1,0", "compatible", "riscv,pci-iommu");
    tree_set(&tree, R_PCI "/again@1,0", "reg", 5, 0x800, 0, 0, 0, 0);
    tree_set(&tree, R_PCI "/again@1,0", "#iommu-cells", 1, 1);
    also("unit-overlap", R_FUNCTION, "reg");
}

static void interrupts(void **state)
{
    (void)state;
    tree_drop(&tree, SMMU, "interrupts");
    only("unit-without-interrupts", SMMU, NULL);
    tree_set(&tree, SMMU, "msi-parent", 1, PH_GIC);
    lint();
    assert_int_equal(seen_count, 0);
    again();
    tree_set(&tree, SMMU, "interrupts", 4, 0, 74, 1, 0);
    only("interrupts-broken", SMMU, "interrupts");
    again();
    tree_set_text(&tree, SMMU, "interrupt-names", "eventq");
    lint();
    assert_int_equal(said("interrupt-names-wrong", SMMU, "interrupt-names"), 3);
    tree_set(&tree, SMMU, "interrupts", 3, 0, 74, 1);
    tree_set_text(&tree, SMMU, "interrupt-names", "event");
    only("interrupt-names-wrong", SMMU, "interrupt-names");
    tree_riscv(&tree);
    tree_set(&tree, R_IOMMU, "interrupts", 8, 36, 1, 37, 1, 38, 1, 39, 1);
    only("interrupts-too-many", R_IOMMU, "interrupts");
}

static void devices(void **state)
{
    (void)state;
    tree_set(&tree, USB, "iommus", 2, PH_NONE, 1);
    only("reference-broken", USB, "iommus");
    tree_set(&tree, USB, "iommus", 2, PH_SMMU, 0x301);
    /* The one before it in the tree is named. */
    only("id-shared", USB, "iommus");
    assert_non_null(strstr(seen[0].message, NIC));
    tree_set(&tree, USB, "iommus", 4, PH_SMMU, 0x320, PH_SMMU, 0x320);
    only("specifier-duplicate", USB, "iommus");
    again();
    tree_set(&tree, DMA, "iommus", 3, PH_MMU500, 0x10410, 3);
    only("id-absurd", DMA, "iommus");
    tree_set(&tree, DMA, "iommus", 3, PH_MMU500, 0x410, 0x10);
    only("mask-covers-id", DMA, "iommus");
    tree_set(&tree, DMA, "iommus", 3, PH_MMU500, 0x400, 0xff);
    only("mask-too-wide", DMA, "iommus");
    tree_set(&tree, DMA, "iommus", 3, PH_MMU500, 0x400, 0x7f);
    lint();
    assert_int_equal(seen_count, 0);
    /* Under their masks the two are the same. */
    tree_set(&tree, DMA, "iommus", 6, PH_MMU500, 0x400, 0xf, PH_MMU500, 0x402, 0);
    only("specifier-duplicate", DMA, "iommus");
    again();
    tree_add(&tree, PCIE, "wifi@2,0");
    tree_set(&tree, PCIE "/wifi@2,0", "reg", 5, 0x1000, 0, 0, 0, 0);
    tree_set(&tree, PCIE "/wifi@2,0", "iommus", 2, PH_SMMU, 1);
    only("specifier-on-pci", PCIE "/wifi@2,0", "iommus");
    tree_riscv(&tree);
    tree_set(&tree, R_DMA, "iommus", 2, 2, 0x1000000);
    only("id-absurd", R_DMA, "iommus");
}

static void host_bridges(void **state)
{
    (void)state;
    tree_drop(&tree, PCIE, "linux,pci-domain");
    only("pci-domain-missing", PCIE, "linux,pci-domain");
    tree_set(&tree, PCIE, "linux,pci-domain", 1, 2);
    only("pci-domain-duplicate", PCIE2, "linux,pci-domain");
    tree_set(&tree, PCIE2, "bus-range", 2, 0x20, 0xff);
    lint();
    assert_int_equal(said("pci-domain-duplicate", PCIE2, "linux,pci-domain"), 0);
    again();
    tree_drop(&tree, PCIE, "iommu-map");
    only("map-missing", PCIE, "iommu-map");
    again();
    tree_set(&tree, PCIE, "dma-ranges", 7, 0x43000000, 0, 0, 1, 0, 0x100, 0);
    only("dma-shifted", PCIE, "dma-ranges");
}

static void maps(void **state)
{
    (void)state;
    tree_set(&tree, PCIE, "iommu-map", 8, 0, PH_NONE, 0, 1, 1, PH_SMMU, 1, 1);
    only("reference-broken", PCIE, "iommu-map");
    tree_set(&tree, PCIE, "iommu-map", 4, 0, PH_SMMU, 0, 0);
    only("map-empty", PCIE, "iommu-map");
    tree_set(&tree, PCIE, "iommu-map", 4, 0x1000, PH_SMMU, 0, 0x10000);
    only("map-past-end", PCIE, "iommu-map");
    tree_set(&tree, PCIE, "iommu-map", 4, 0x1000, PH_SMMU, 0xfffff800, 0x801);
    only("map-wraps", PCIE, "iommu-map");
    tree_set(&tree, PCIE, "iommu-map", 4, 0x1000, PH_SMMU, 0xfffff800, 0x800);
    lint();
    assert_int_equal(seen_count, 0);
    tree_set(&tree, PCIE, "iommu-map", 8, 0, PH_SMMU, 0x1000, 0x801, 0x800, PH_SMMU, 0x4000, 1);
    only("map-overlap", PCIE, "iommu-map");
    tree_set(&tree, PCIE, "iommu-map", 4, 0x2000, PH_SMMU, 0, 0x100);
    only("map-outside-buses", PCIE, "iommu-map");
    tree_set(&tree, PCIE, "iommu-map-mask", 1, 0xff);
    tree_set(&tree, PCIE, "iommu-map", 4, 0x100, PH_SMMU, 0, 0x100);
    only("map-outside-mask", PCIE, "iommu-map");
    tree_set(&tree, PCIE, "iommu-map", 4, 0, PH_SMMU, 0, 0x100);
    lint();
    assert_int_equal(seen_count, 0);
    again();
    tree_set(&tree, PCIE2, "iommu-map", 4, 0, PH_VIOMMU, 0, 0x10000);
    only("map-covers-unit", PCIE2, "iommu-map");
    again();
    tree_set(&tree, NARROW, "iommu-map", 4, 0, PH_SMMU, 0x7000, 0x10);
    only("map-outside-pci", NARROW, "iommu-map");
    tree_riscv(&tree);
    tree_set(&tree, R_PCI, "iommu-map", 8, 0, 2, 0x1000000, 8, 9, 3, 9, 0xfff7);
    only("id-absurd", R_PCI, "iommu-map");
}

static void regions(void **state)
{
    (void)state;
    tree_set(&tree, FRAMES, "iommu-addresses", 3, PH_NONE, 0, 0x1000);
    only("reference-broken", FRAMES, "iommu-addresses");
    tree_set(&tree, FRAMES, "reg", 4, 0, 0x80000100, 0, 0x800000);
    tree_set(&tree, FRAMES, "iommu-addresses", 3, PH_NIC, 0x80000100, 0x800000);
    only("region-unaligned", FRAMES, "reg");
    again();
    tree_set(&tree, FRAMES, "iommu-addresses", 3, PH_NIC, 0x40000000, 0x800000);
    only("region-shifted", FRAMES, "iommu-addresses");
    again();
    tree_set(&tree, FRAMES, "reg", 4, 0, 0x80000000, 2, 0);
    also("region-huge", FRAMES, "reg");
    again();
    tree_drop(&tree, FRAMES, "reg");
    only("region-without-memory", FRAMES, "iommu-addresses");
    again();
    tree_drop(&tree, NIC, "memory-region");
    only("region-not-named", FRAMES, "iommu-addresses");
    again();
    tree_drop(&tree, NIC, "iommus");
    only("region-device-uncovered", FRAMES, "iommu-addresses");
}

static void disabled_is_not_looked_at(void **state)
{
    (void)state;
    tree_set(&tree, USB, "iommus", 2, PH_NONE, 1);
    tree_set_text(&tree, NARROW, "status", "disabled");
    lint();
    assert_int_equal(seen_count, 0);
}

static void every_rule_was_seen(void **state)
{
    enum sluice_lint_severity severity;
    const char *advice;
    const char *rule;
    unsigned count = 0;

    (void)state;
    for (; sluice_devicetree_rule(count, &rule, &severity, &advice); count++) {
        bool found = false;

        for (unsigned i = 0; i < tried_count && i < RULES_MAX; i++)
            found = found || strcmp(tried[i], rule) == 0;
        if (!found)
            fail_msg("no test sees rule %s", rule);
        for (unsigned i = 0; i < count; i++) {
            const char *other;

            assert_true(sluice_devicetree_rule(i, &other, &severity, &advice));
            assert_string_not_equal(rule, other);
        }
    }
    assert_true(count > 40 && tried_count < RULES_MAX);
    assert_false(sluice_devicetree_rule(count, &rule, &severity, &advice));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, board)
    const struct CMUnitTest tests[] = {
        TEST(nothing_wrong),
        TEST(whole_tree),
        TEST(property_twice),
        TEST(many_nodes),
        TEST(units),
        TEST(interrupts),
        TEST(devices),
        TEST(host_bridges),
        TEST(maps),
        TEST(regions),
        TEST(disabled_is_not_looked_at),
        cmocka_unit_test(every_rule_was_seen),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
