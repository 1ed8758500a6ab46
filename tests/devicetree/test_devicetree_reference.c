// SPDX-License-Identifier: MIT
/*
 * The devicetree reader, where nodes speak of others: IOMMUs' specifiers, PCI's maps, disabled
 * nodes and reserved memory; right, and wrong in each way.
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
    const struct CMUnitTest tests[] = {
        BOARD_TEST(specifiers),
        BOARD_TEST(specifier_problems),
        BOARD_TEST(references_have_an_end),
        BOARD_TEST(host_bridges),
        BOARD_TEST(maps_of_two_cells),
        BOARD_TEST(host_problems),
        BOARD_TEST(disabled_is_told),
        BOARD_TEST(reservations),
        BOARD_TEST(reservation_problems),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
