// SPDX-License-Identifier: MIT
/*
 * IVRS in the platform description: which description of a unit counts, who is behind it and under
 * which IDs, what memory firmware keeps; and broken tables, which leave nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/host.h"
#include "pci/pci.h"
#include "tables/builder.h"

struct bench {
    struct model_host *host;
    struct sluice sluice;
};

static void bench_begin(struct bench *bench)
{
    memset(bench, 0, sizeof(*bench));
    bench->host = model_host_create(&(struct model_host_config){0});
    model_host_configure(bench->host, &bench->sluice.config);
    bench->sluice.ops = bench->sluice.config.ops;
    platform_init(&bench->sluice.platform);
}

static void bench_end(struct bench *bench)
{
    platform_clear(&bench->sluice, &bench->sluice.platform);
    assert_int_equal(model_host_objects_in_use(bench->host), 0);
    assert_int_equal(model_host_destroy(bench->host), 0);
}

static enum sluice_status add_text(struct bench *bench, const char *text)
{
    struct built_table built;

    table_build(&built, text);
    return platform_add_table(&bench->sluice, &bench->sluice.platform, built.data, built.bytes);
}

/* The table of tests/tables with changes at its end. */
static enum sluice_status add_changed(struct bench *bench, const char *change)
{
    char *text = table_text("ivrs");
    char whole[8192];

    (void)snprintf(whole, sizeof(whole), "%s%s", text, change);
    free(text);
    return add_text(bench, whole);
}

static unsigned length_of(const struct list_node *list)
{
    unsigned count = 0;

    list_for_each(node, list) count++;
    return count;
}

static struct platform_unit *only_unit(struct bench *bench)
{
    assert_int_equal(length_of(&bench->sluice.platform.units), 1);
    return container_of(bench->sluice.platform.units.next, struct platform_unit, node);
}

#define IVHD(type, device, base)                                                                   \
    "begin ivhd\n u8 " #type "\n u8 0x30\n len16 l\n u16 " #device "\n u16 0x40\n u64 " #base      \
    "\n u16 0\n u16 0\n u32 0\n"
#define EFR "u64 0x29d3\n u64 7\n"

/* ---- units ---- */

static void highest_type_counts(void **state)
{
    static const char *const orders[] = {
        "table IVRS 2\nu32 0x203043\npad 8\n" IVHD(
            0x10, 2, 0xfeb80000) "u8 2\nu16 8\nu8 0\nend\n" IVHD(0x40, 2, 0xfeb80000) EFR
        "u8 2\nu16 0x18\nu8 0\nend\n" IVHD(0x11, 2, 0xfeb80000) EFR "u8 2\nu16 0x10\nu8 0\nend\n",
        "table IVRS 2\nu32 0x203043\npad 8\n" IVHD(0x40, 2, 0xfeb80000) EFR
        "u8 2\nu16 0x18\nu8 0\nend\n" IVHD(0x11, 2, 0xfeb80000) EFR
        "u8 2\nu16 0x10\nu8 0\nend\n" IVHD(0x10, 2, 0xfeb80000) "u8 2\nu16 8\nu8 0\nend\n",
        "table IVRS 2\nu32 0x203043\npad 8\n" IVHD(0x11, 2, 0xfeb80000) EFR
        "u8 2\nu16 0x10\nu8 0\nend\n" IVHD(0x10, 2, 0xfeb80000) "u8 2\nu16 8\nu8 0\nend\n" IVHD(
            0x40, 2, 0xfeb80000) EFR "u8 2\nu16 0x18\nu8 0\nend\n",
    };

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct platform_unit *unit;
        struct bench bench;

        bench_begin(&bench);
        assert_int_equal(add_text(&bench, orders[i]), SLUICE_OK);
        unit = only_unit(&bench);
        assert_int_equal(unit->kind, SLUICE_UNIT_AMD_VI);
        assert_int_equal(unit->ivhd.type, 0x40);
        assert_int_equal(unit->ivhd.efr, 0x29d3);
        assert_int_equal(unit->ivhd.efr2, 7);
        assert_true(unit->ivhd.has_efr);
        assert_int_equal(unit->ivhd.rid, 2);
        assert_int_equal(unit->ivhd.capability, 0x40);
        assert_int_equal(unit->ivhd.flags, PLATFORM_IVHD_IOTLB | PLATFORM_IVHD_COHERENT);
        assert_int_equal(unit->base, 0xfeb80000);
        assert_int_equal(unit->ivhd.virt_bits, 64);
        assert_int_equal(bench.sluice.platform.host_address_bits, 48);
        assert_true(bench.sluice.platform.dma_opt_in);
        /* Only the devices of that description. */
        assert_int_equal(length_of(&unit->scopes), 1);
        assert_non_null(pci_find_unit(&bench.sluice, 0, 0x18));
        assert_null(pci_find_unit(&bench.sluice, 0, 0x10));
        bench_end(&bench);
    }
}

/* Each unit by itself: one may have a newer description than another. */
static void each_unit_its_own(void **state)
{
    struct bench bench;
    const struct platform_unit *old, *new;

    (void)state;
    bench_begin(&bench);
    assert_int_equal(
        add_text(
            &bench,
            "table IVRS 2\nu32 0x203043\npad 8\n" IVHD(
                0x10, 2, 0xfeb80000) "u8 2\nu16 8\nu8 0\nend\n" IVHD(0x10, 0x4002,
                                                                     0xfec80000) "u8 1\nu16 0\nu8 "
                                                                                 "0\nend\n" IVHD(
                                                                                     0x11, 2,
                                                                                     0xfeb80000) EFR
            "u8 2\nu16 9\nu8 0\nend\n"),
        SLUICE_OK);
    assert_int_equal(length_of(&bench.sluice.platform.units), 2);
    new = pci_find_unit(&bench.sluice, 0, 9);
    old = pci_find_unit(&bench.sluice, 0, 8);
    assert_int_equal(new->ivhd.type, 0x11);
    assert_int_equal(old->ivhd.type, 0x10);
    assert_false(old->ivhd.has_efr);
    assert_int_equal(old->base, 0xfec80000); /* which has all that nobody names */
    bench_end(&bench);
}

static void disagreeing_base(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench);
    assert_int_equal(
        add_text(&bench, "table IVRS 2\nu32 0x203043\npad 8\n" IVHD(
                             0x10, 2, 0xfeb80000) "end\n" IVHD(0x11, 2, 0xfec80000) EFR "end\n"),
        SLUICE_OK);
    assert_int_equal(only_unit(&bench)->base, 0xfec80000);
    assert_true(model_host_logged(bench.host, "the higher type is believed"));
    bench_end(&bench);
}

/* ---- devices ---- */

#define DEVICES                                                                                    \
    "table IVRS 2\nu32 0x203043\npad 8\n" IVHD(0x40, 2, 0xfeb80000) EFR                            \
        "u8 3\nu16 0x08\nu8 0x01\n"                          /* range from 00:01.0 */              \
        "u8 4\nu16 0xff\nu8 0\n"                             /* to 00:1f.7 */                      \
        "u8 66\nu16 0x0100\nu8 0xc0\nu8 0\nu16 0xa4\nu8 0\n" /* 01:00.0 as 00:14.4 */              \
        "u8 67\nu16 0x0200\nu8 0\nu8 0\nu16 0xa5\nu8 0\n"    /* from 02:00.0 as 00:14.5 */         \
        "u8 4\nu16 0x02ff\nu8 0\n"                                                                 \
        "u8 70\nu16 0x0300\nu8 0x30\nu32 0x80000000\n"   /* 03:00.0, extended */                   \
        "u8 72\nu16 0\nu8 0xd7\nu8 33\nu16 0xa0\nu8 1\n" /* IOAPIC 33 as 00:14.0 */                \
        "u8 72\nu16 0\nu8 0\nu8 5\nu16 0xa0\nu8 2\n"     /* HPET 5 */                              \
        "u8 240\nu16 0x0405\nu8 0x40\ntext \"AMDI0020\"\npad 8\nu8 0\nu8 0\n"                      \
        "end\n"

static const struct platform_scope *scope_of(const struct platform_unit *unit,
                                             enum platform_scope_kind kind, uint16_t rid)
{
    list_for_each(node, &unit->scopes)
    {
        const struct platform_scope *scope = container_of(node, struct platform_scope, node);

        if (scope->kind == kind && (kind != PLATFORM_SCOPE_PCI_RANGE ||
                                    (scope->first_rid <= rid && scope->last_rid >= rid)))
            return scope;
    }
    return NULL;
}

static void devices(void **state)
{
    const struct platform_scope *scope;
    const struct platform_unit *unit;
    uint16_t rids[PCI_MAX_ALIASES];
    struct bench bench;

    (void)state;
    bench_begin(&bench);
    assert_int_equal(add_text(&bench, DEVICES), SLUICE_OK);
    unit = only_unit(&bench);
    assert_false(unit->covers_rest);
    assert_null(pci_find_unit(&bench.sluice, 0, 0x07));
    assert_ptr_equal(pci_find_unit(&bench.sluice, 0, 0x08), unit);
    assert_ptr_equal(pci_find_unit(&bench.sluice, 0, 0xff), unit);
    assert_null(pci_find_unit(&bench.sluice, 0, 0x0101));
    assert_null(pci_find_unit(&bench.sluice, 1, 0x08));
    assert_int_equal(scope_of(unit, PLATFORM_SCOPE_PCI_RANGE, 0x50)->settings, 1);
    assert_int_equal(scope_of(unit, PLATFORM_SCOPE_PCI_RANGE, 0x0100)->settings, 0xc0);
    assert_int_equal(scope_of(unit, PLATFORM_SCOPE_PCI_RANGE, 0x0300)->settings, 0x30);
    /* Requests under another ID: the own one first, then that of the table. */
    assert_int_equal(pci_requester_ids(&bench.sluice, 0, 0x0100, rids), 2);
    assert_int_equal(rids[0], 0x0100);
    assert_int_equal(rids[1], 0xa4);
    assert_int_equal(pci_requester_ids(&bench.sluice, 0, 0x02ff, rids), 2);
    assert_int_equal(rids[1], 0xa5);
    assert_int_equal(pci_requester_ids(&bench.sluice, 0, 0x0300, rids), 1);
    scope = scope_of(unit, PLATFORM_SCOPE_IOAPIC, 0);
    assert_int_equal(scope->enum_id, 33);
    assert_int_equal(scope->source_rid, 0xa0);
    assert_int_equal(scope->settings, 0xd7);
    scope = scope_of(unit, PLATFORM_SCOPE_HPET, 0);
    assert_int_equal(scope->enum_id, 5);
    assert_int_equal(scope_of(unit, PLATFORM_SCOPE_ACPI_NAME, 0)->source_rid, 0x0405);
    assert_ptr_equal(pci_find_unit(&bench.sluice, 0, 0x0405), unit);
    bench_end(&bench);
}

/* ---- memory ---- */

#define IVMD(type, flags, device, aux, base, bytes)                                                \
    "begin ivmd\n u8 " #type "\n u8 " #flags "\n len16 l\n u16 " #device "\n u16 " #aux            \
    "\n u64 3\n u64 " #base "\n u64 " #bytes "\nend\n"

static void memory(void **state)
{
    static const struct {
        uint16_t first, last;
        uint32_t prot;
    } want[] = {
        {0, 0xffff, SLUICE_PROT_READ | SLUICE_PROT_WRITE},
        {0x0800, 0x0800, SLUICE_PROT_READ},
        {0x0010, 0x0020, SLUICE_PROT_WRITE},
        {0x0900, 0x0900, SLUICE_PROT_READ | SLUICE_PROT_WRITE}, /* exclusion */
    };
    struct bench bench;
    unsigned i = 0;

    (void)state;
    bench_begin(&bench);
    assert_int_equal(
        add_text(&bench, "table IVRS 2\nu32 0x203043\npad 8\n" IVMD(0x20, 7, 0, 0, 0x10000, 0x1000)
                             IVMD(0x21, 3, 0x800, 0, 0x20000, 0x800)
                                 IVMD(0x22, 5, 0x10, 0x20, 0x30000, 0x1001) IVMD(0x21, 8, 0x900, 0,
                                                                                 0x40000, 0x1000)
                                     IVMD(0x21, 6, 0x900, 0, 0x50000, 0x1000) /* neither: nothing */
                 IVMD(0x21, 1, 0x900, 0, 0x50000, 0x1000)                     /* no permission */
                 IVMD(0x21, 7, 0x900, 0, 0x50000, 0)),
        SLUICE_OK);
    assert_int_equal(length_of(&bench.sluice.platform.reserved), 4);
    list_for_each(node, &bench.sluice.platform.reserved)
    {
        const struct platform_reserved *region = container_of(node, struct platform_reserved, node);
        const struct platform_scope *scope =
            container_of(region->scopes.next, struct platform_scope, node);

        assert_int_equal(region->segment, 3);
        assert_int_equal(region->first, 0x10000 * (i + 1));
        assert_int_equal(region->prot, want[i].prot);
        assert_int_equal(length_of(&region->scopes), 1);
        assert_int_equal(scope->kind, PLATFORM_SCOPE_PCI_RANGE);
        assert_int_equal(scope->segment, 3);
        assert_int_equal(scope->first_rid, want[i].first);
        assert_int_equal(scope->last_rid, want[i].last);
        i++;
    }
    assert_true(model_host_logged(bench.host, "demands nothing"));
    bench_end(&bench);
}

/* ---- broken tables ---- */

static void broken(void **state)
{
    static const struct {
        const char *change, *says;
    } rows[] = {
        {"set ivhd.type 0x11\n", "same type"},
        {"set ivmd#1.flags 7\nset ivmd#1.device 0x1000\n",
         "range of devices ends before it begins"},
        {"set ivmd.base 0xffffffffffffffff\n", "beyond all addresses"},
        {"set ivmd.bytes 0x10000000000\n",
         "reserved memory 0x3bc95000-0x1003bc94fff is more than the 16 GiB"},
        {"set ivhd#2.length 0x4000\n", "out of the table"},
        {"cut 44\n", ""},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench bench;

        bench_begin(&bench);
        assert_int_equal(add_changed(&bench, rows[i].change), SLUICE_ERR_FIRMWARE);
        assert_true(model_host_logged(bench.host, rows[i].says));
        assert_true(list_empty(&bench.sluice.platform.units));
        assert_true(list_empty(&bench.sluice.platform.reserved));
        bench_end(&bench);
    }
}

static void broken_ranges(void **state)
{
    static const char *const entries[] = {
        "u8 4\nu16 9\nu8 0\n",                    /* an end only */
        "u8 3\nu16 9\nu8 0\n",                    /* no end */
        "u8 3\nu16 9\nu8 0\nu8 4\nu16 8\nu8 0\n", /* backwards */
        "u8 3\nu16 9\nu8 0\nu8 2\nu16 12\nu8 0\nu8 4\nu16 20\nu8 0\n",
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        char text[1024];
        struct bench bench;

        (void)snprintf(text, sizeof(text), "%s%send\n",
                       "table IVRS 2\nu32 0x203043\npad 8\n" IVHD(0x10, 2, 0xfeb80000), entries[i]);
        bench_begin(&bench);
        assert_int_equal(add_text(&bench, text), SLUICE_ERR_FIRMWARE);
        bench_end(&bench);
    }
}

/* Each allocation fails once: the table is refused, nothing is left. */
static void no_memory(void **state)
{
    enum sluice_status status = SLUICE_ERR_NO_MEMORY;

    (void)state;
    for (unsigned nth = 0; status != SLUICE_OK; nth++) {
        struct bench bench;

        assert_true(nth < 40);
        bench_begin(&bench);
        model_host_fail_allocation(bench.host, nth, false);
        status = add_changed(&bench, "");
        model_host_fail_no_more(bench.host);
        if (status != SLUICE_OK) {
            assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
            assert_true(list_empty(&bench.sluice.platform.units));
            assert_int_equal(model_host_objects_in_use(bench.host), 0);
        }
        bench_end(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(highest_type_counts),
        cmocka_unit_test(each_unit_its_own),
        cmocka_unit_test(disagreeing_base),
        cmocka_unit_test(devices),
        cmocka_unit_test(memory),
        cmocka_unit_test(broken),
        cmocka_unit_test(broken_ranges),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
