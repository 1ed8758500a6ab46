// SPDX-License-Identifier: MIT
/*
 * IORT, RIMT and VIOT: every field of every kind of node, of the revisions there are, and following
 * IDs through mappings, also through broken ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tables/builder.h"

#include <sluice/iort.h>

struct opened {
    struct sluice_acpi_table table;
    uint8_t *data;
};

/* Exactly as large as it is, so that a sanitizer sees a read beyond it. */
static void begin(struct opened *opened, const char *name, const char *change)
{
    char *text = table_text(name);
    char whole[8192];
    struct built_table built;

    (void)snprintf(whole, sizeof(whole), "%s%s", text, change);
    free(text);
    table_build(&built, whole);
    opened->data = malloc(built.bytes);
    assert_non_null(opened->data);
    memcpy(opened->data, built.data, built.bytes);
    assert_int_equal(sluice_acpi_open(opened->data, built.bytes, &opened->table, NULL), SLUICE_OK);
}

static void end(struct opened *opened)
{
    free(opened->data);
}

static void node_of(const struct opened *opened, uint8_t type, struct sluice_iort_node *out)
{
    struct sluice_acpi_cursor at = {0};

    do {
        assert_int_equal(sluice_iort_next(&opened->table, &at, out, NULL), SLUICE_OK);
    } while (out->type != type);
}

static void test_iort_fields(void **state)
{
    struct sluice_iort_mapping mapping;
    struct sluice_iort_region region;
    struct sluice_iort_node node;
    struct opened opened;
    uint32_t identifier;

    (void)state;
    begin(&opened, "iort", "set its.items 1\n");
    node_of(&opened, SLUICE_IORT_ITS_GROUP, &node);
    assert_int_equal(sluice_iort_its(&opened.table, &node, 0, &identifier, NULL), SLUICE_OK);
    assert_int_equal(sluice_iort_its(&opened.table, &node, 1, &identifier, NULL),
                     SLUICE_ERR_NOT_FOUND);
    node_of(&opened, SLUICE_IORT_SMMU_V3, &node);
    assert_true(node.base == 0x9050000 && node.flags == 1 && node.model == 0);
    assert_true(node.interrupts[0] == 106 && node.interrupts[1] == 107 &&
                node.interrupts[2] == 109 && node.interrupts[3] == 108);
    assert_true(node.device_id_mapping == 1 && node.identifier == 1 && node.revision == 4);
    assert_int_equal(node.mapping_count, 2);
    assert_int_equal(sluice_iort_mapping(&opened.table, &node, 1, &mapping, NULL), SLUICE_OK);
    assert_true(mapping.flags == 1 && mapping.output_base == 0x10000 && mapping.reference == 48);
    assert_int_equal(sluice_iort_mapping(&opened.table, &node, 2, &mapping, NULL),
                     SLUICE_ERR_NOT_FOUND);
    node_of(&opened, SLUICE_IORT_ROOT_COMPLEX, &node);
    assert_true(node.memory_access == 1 && node.ats == 1 && node.address_bits == 64);
    node_of(&opened, SLUICE_IORT_NAMED_COMPONENT, &node);
    assert_true(node.address_bits == 32 && node.name_bytes == strlen("\\_SB.DMA0"));
    assert_memory_equal(node.name, "\\_SB.DMA0", node.name_bytes);
    node_of(&opened, SLUICE_IORT_SMMU, &node);
    assert_true(node.base == 0x2b400000 && node.span == 0x10000 && node.model == 3 &&
                node.flags == 2 && node.item_count == 2);
    node_of(&opened, SLUICE_IORT_PMCG, &node);
    assert_true(node.base == 0x9060000 && node.second_base == 0x9070000 && node.reference == 72 &&
                node.interrupts[0] == 120);
    node_of(&opened, SLUICE_IORT_RMR, &node);
    assert_true(node.flags == 1 && node.item_count == 1);
    assert_int_equal(sluice_iort_region(&opened.table, &node, 0, &region, NULL), SLUICE_OK);
    assert_true(region.base == 0x80000000 && region.length == 0x10000);
    end(&opened);
}

/* Older revisions are shorter; what they lack reads as zero. */
static void test_iort_revisions(void **state)
{
    struct sluice_iort_node node;
    struct built_table built;
    struct sluice_acpi_table table;
    struct sluice_acpi_cursor at = {0};

    (void)state;
    table_build(&built, "table IORT 0\nu32 3\nu32 48\nu32 0\n"
                        "begin smmu3\nu8 4\nlen16 l\nu8 0\nu32 0\nu32 0\nu32 0\nu64 0x9050000\n"
                        "u32 1\nu32 0\nu64 7\nu32 2\nu32 1\nu32 2\nu32 3\nu32 4\nend\n"
                        "begin rc\nu8 2\nlen16 l\nu8 0\nu32 0\nu32 0\nu32 0\nu64 1\nu32 1\nu32 5\n"
                        "end\n"
                        "begin pmcg\nu8 5\nlen16 l\nu8 0\nu32 0\nu32 0\nu32 0\nu64 0x1000\nu32 9\n"
                        "u32 48\nend\n");
    assert_int_equal(sluice_acpi_open(built.data, built.bytes, &table, NULL), SLUICE_OK);
    assert_int_equal(sluice_iort_next(&table, &at, &node, NULL), SLUICE_OK);
    assert_true(node.base == 0x9050000 && node.second_base == 7 && node.model == 2);
    assert_true(node.interrupts[3] == 4 && node.proximity == 0 && node.device_id_mapping == 0);
    assert_int_equal(sluice_iort_next(&table, &at, &node, NULL), SLUICE_OK);
    assert_true(node.segment == 5 && node.address_bits == 0 && node.pasid == 0);
    assert_int_equal(sluice_iort_next(&table, &at, &node, NULL), SLUICE_OK);
    assert_true(node.reference == 48 && node.second_base == 0);
    assert_int_equal(sluice_iort_next(&table, &at, &node, NULL), SLUICE_ERR_NOT_FOUND);
}

static enum sluice_status route(const struct opened *opened, uint8_t from, uint32_t *id,
                                uint8_t target, struct sluice_acpi_error *error)
{
    struct sluice_iort_node node;
    struct sluice_iort_node reached;
    enum sluice_status status;

    node_of(opened, from, &node);
    status = sluice_iort_route(&opened->table, &node, id, target, &reached, error);
    if (status == SLUICE_OK)
        assert_int_equal(reached.type, target);
    return status;
}

static void test_iort_route(void **state)
{
    struct sluice_acpi_error error;
    struct opened opened;
    uint32_t id = 0x42;

    (void)state;
    begin(&opened, "iort", "");
    assert_int_equal(route(&opened, SLUICE_IORT_ROOT_COMPLEX, &id, SLUICE_IORT_SMMU_V3, &error),
                     SLUICE_OK);
    assert_int_equal(id, 0x142);
    /* On to the interrupt controller, through the SMMU. */
    id = 0x42;
    assert_int_equal(route(&opened, SLUICE_IORT_ROOT_COMPLEX, &id, SLUICE_IORT_ITS_GROUP, &error),
                     SLUICE_OK);
    assert_int_equal(id, 0x142);
    id = 7;
    assert_int_equal(route(&opened, SLUICE_IORT_NAMED_COMPONENT, &id, SLUICE_IORT_SMMU_V3, &error),
                     SLUICE_OK);
    assert_int_equal(id, 0x500);
    id = 0x100;
    assert_int_equal(route(&opened, SLUICE_IORT_ROOT_COMPLEX, &id, SLUICE_IORT_SMMU_V3, &error),
                     SLUICE_ERR_NOT_FOUND);
    end(&opened);
    /* The SMMU leads to itself. */
    begin(&opened, "iort", "set smmumap.reference 72\n");
    id = 0;
    assert_int_equal(route(&opened, SLUICE_IORT_ROOT_COMPLEX, &id, SLUICE_IORT_ITS_GROUP, &error),
                     SLUICE_ERR_FIRMWARE);
    assert_string_equal(error.what, "mappings lead in a circle");
    end(&opened);
    begin(&opened, "iort", "set rcmap.reference 0xfffffff0\n");
    id = 0;
    assert_int_equal(route(&opened, SLUICE_IORT_ROOT_COMPLEX, &id, SLUICE_IORT_SMMU_V3, &error),
                     SLUICE_ERR_FIRMWARE);
    assert_string_equal(error.what, "a mapping leads to no node");
    end(&opened);
}

static void test_rimt_fields(void **state)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_rimt_mapping mapping;
    struct sluice_rimt_node node;
    struct sluice_rimt_wire wire;
    struct opened opened;

    (void)state;
    begin(&opened, "rimt", "");
    assert_int_equal(sluice_rimt_next(&opened.table, &at, &node, NULL), SLUICE_OK);
    assert_true(node.base == 0x3010000 && node.wire_count == 1 && node.flags == 0);
    assert_memory_equal(node.hardware_id, "RSCV0004", 8);
    assert_int_equal(sluice_rimt_wire(&opened.table, &node, 0, &wire, NULL), SLUICE_OK);
    assert_true(wire.interrupt == 36 && wire.flags == 3);
    assert_int_equal(sluice_rimt_next(&opened.table, &at, &node, NULL), SLUICE_OK);
    assert_true(node.flags == SLUICE_RIMT_IOMMU_PCIE && node.rid == SLUICE_RID(0, 2, 0) &&
                node.id == 1);
    assert_int_equal(sluice_rimt_next(&opened.table, &at, &node, NULL), SLUICE_OK);
    assert_true(node.type == SLUICE_RIMT_ROOT_COMPLEX && node.flags == 3 && node.segment == 0);
    assert_int_equal(sluice_rimt_mapping(&opened.table, &node, 0, &mapping, NULL), SLUICE_OK);
    assert_true(mapping.count == 0x10000 && mapping.reference == 96 && mapping.flags == 1);
    assert_int_equal(sluice_rimt_mapping(&opened.table, &node, 1, &mapping, NULL),
                     SLUICE_ERR_NOT_FOUND);
    assert_int_equal(sluice_rimt_next(&opened.table, &at, &node, NULL), SLUICE_OK);
    assert_memory_equal(node.name, "\\_SB.DMA0", 9);
    assert_int_equal(node.name_bytes, 9);
    assert_int_equal(sluice_rimt_mapping(&opened.table, &node, 0, &mapping, NULL), SLUICE_OK);
    assert_true(mapping.target_base == 0x200 && mapping.reference == 48);
    assert_int_equal(sluice_rimt_next(&opened.table, &at, &node, NULL), SLUICE_ERR_NOT_FOUND);
    end(&opened);
}

static void test_viot_fields(void **state)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_viot_node node;
    struct opened opened;

    (void)state;
    begin(&opened, "viot", "");
    assert_int_equal(sluice_viot_next(&opened.table, &at, &node, NULL), SLUICE_OK);
    assert_true(node.type == SLUICE_VIOT_IOMMU_PCI && node.first_rid == SLUICE_RID(0, 3, 0));
    assert_int_equal(sluice_viot_next(&opened.table, &at, &node, NULL), SLUICE_OK);
    assert_true(node.type == SLUICE_VIOT_IOMMU_MMIO && node.base == 0xa000000);
    assert_int_equal(sluice_viot_next(&opened.table, &at, &node, NULL), SLUICE_OK);
    assert_true(node.type == SLUICE_VIOT_PCI_RANGE && node.last_rid == 255 && node.reference == 48);
    assert_int_equal(sluice_viot_next(&opened.table, &at, &node, NULL), SLUICE_OK);
    assert_true(node.endpoint == 0x100 && node.base == 0xa001000 && node.reference == 64);
    assert_int_equal(sluice_viot_next(&opened.table, &at, &node, NULL), SLUICE_ERR_NOT_FOUND);
    end(&opened);
}

/* Every table cut at every length: refused or shorter, never read beyond, always over. */
static void test_cut_anywhere(void **state)
{
    const char *const names[] = {"iort", "rimt", "viot", "ivrs", "dmar"};

    (void)state;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct opened whole;

        begin(&whole, names[i], "");
        for (uint32_t bytes = SLUICE_ACPI_HEADER_BYTES; bytes < whole.table.bytes; bytes++) {
            struct sluice_acpi_table table = whole.table;
            struct sluice_acpi_cursor iort = {0}, rimt = {0}, viot = {0}, ivrs = {0}, dmar = {0};
            struct sluice_iort_node iort_node;
            struct sluice_rimt_node rimt_node;
            struct sluice_viot_node viot_node;
            struct sluice_ivrs_block block;
            struct sluice_dmar_structure structure;
            uint8_t *cut = malloc(bytes);
            unsigned turns = 0;

            assert_non_null(cut);
            memcpy(cut, whole.data, bytes);
            table.data = cut;
            table.bytes = bytes;
            while (sluice_iort_next(&table, &iort, &iort_node, NULL) != SLUICE_ERR_NOT_FOUND)
                assert_in_range(++turns, 0, 1000);
            while (sluice_rimt_next(&table, &rimt, &rimt_node, NULL) != SLUICE_ERR_NOT_FOUND)
                assert_in_range(++turns, 0, 1000);
            while (sluice_viot_next(&table, &viot, &viot_node, NULL) != SLUICE_ERR_NOT_FOUND)
                assert_in_range(++turns, 0, 1000);
            while (sluice_ivrs_next(&table, &ivrs, &block, NULL) != SLUICE_ERR_NOT_FOUND)
                assert_in_range(++turns, 0, 1000);
            while (sluice_dmar_next(&table, &dmar, &structure, NULL) != SLUICE_ERR_NOT_FOUND)
                assert_in_range(++turns, 0, 1000);
            free(cut);
        }
        end(&whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_iort_fields), cmocka_unit_test(test_iort_revisions),
        cmocka_unit_test(test_iort_route),  cmocka_unit_test(test_rimt_fields),
        cmocka_unit_test(test_viot_fields), cmocka_unit_test(test_cut_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
