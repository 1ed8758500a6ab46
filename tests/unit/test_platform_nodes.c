// SPDX-License-Identifier: MIT
/*
 * IORT, RIMT and VIOT in the platform description: units, who is behind them and under which IDs,
 * what memory firmware keeps; and broken tables, which leave nothing behind.
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

/** The table of tests/tables with changes at its end. */
static enum sluice_status add_changed(struct bench *bench, const char *name, const char *change)
{
    struct built_table built;
    char *text = table_text(name);
    char whole[8192];

    (void)snprintf(whole, sizeof(whole), "%s%s", text, change);
    free(text);
    table_build(&built, whole);
    return platform_add_table(&bench->sluice, &bench->sluice.platform, built.data, built.bytes);
}

static const struct platform_unit *unit_at(struct bench *bench, unsigned index)
{
    list_for_each(node, &bench->sluice.platform.units)
    {
        if (index-- == 0)
            return container_of(node, struct platform_unit, node);
    }
    return NULL;
}

static const struct platform_scope *scope_at(const struct list_node *scopes, unsigned index)
{
    list_for_each(node, scopes)
    {
        if (index-- == 0)
            return container_of(node, struct platform_scope, node);
    }
    return NULL;
}

static int64_t id_of(struct bench *bench, const struct platform_unit *unit, uint16_t segment,
                     uint16_t rid)
{
    uint32_t id;

    return pci_find_source(&bench->sluice, unit, segment, rid, &id) != NULL ? (int64_t)id : -1;
}

static void nothing_kept(struct bench *bench)
{
    assert_true(list_empty(&bench->sluice.platform.units));
    assert_true(list_empty(&bench->sluice.platform.reserved));
    assert_true(list_empty(&bench->sluice.platform.tables));
}

/** Each change alone makes the table one that is refused, with these words in the log. */
struct breakage {
    const char *change;
    const char *words;
};

static void refuses(const char *name, const struct breakage *breakages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct bench bench;

        bench_begin(&bench);
        assert_int_equal(add_changed(&bench, name, breakages[i].change), SLUICE_ERR_FIRMWARE);
        if (!model_host_logged(bench.host, breakages[i].words))
            fail_msg("%s: '%s' is not said", breakages[i].change, breakages[i].words);
        nothing_kept(&bench);
        bench_end(&bench);
    }
}

/** Whatever allocation fails, it is said and nothing is kept. */
static void survives_no_memory(const char *name)
{
    enum sluice_status status = SLUICE_ERR_NO_MEMORY;
    unsigned failed = 0;

    for (uint64_t nth = 0; status == SLUICE_ERR_NO_MEMORY && nth < 64; nth++) {
        struct bench bench;

        bench_begin(&bench);
        model_host_fail_allocation(bench.host, nth, false);
        status = add_changed(&bench, name, "");
        if (status == SLUICE_ERR_NO_MEMORY) {
            nothing_kept(&bench);
            failed++;
        }
        bench_end(&bench);
    }
    assert_int_equal(status, SLUICE_OK);
    assert_true(failed >= 5);
}

/* ---- IORT ---- */

static void iort_units(void **state)
{
    const struct platform_unit *v3, *v2;
    struct bench bench;

    (void)state;
    bench_begin(&bench);
    assert_int_equal(add_changed(&bench, "iort", ""), SLUICE_OK);
    v3 = unit_at(&bench, 0);
    v2 = unit_at(&bench, 1);
    assert_null(unit_at(&bench, 2));
    assert_int_equal(v3->kind, SLUICE_UNIT_SMMU_V3);
    assert_int_equal(v3->base, 0x9050000);
    assert_int_equal(v3->register_bytes, 0x20000);
    assert_int_equal(v3->coherence, SLUICE_COHERENCE_YES);
    assert_true(v3->maps_ids && !v3->covers_rest && !v3->on_pci);
    assert_int_equal(v3->wires[0], 106);
    assert_int_equal(v3->wires[1], 107);
    assert_int_equal(v3->wires[2], 109);
    assert_int_equal(v3->wires[3], 108);
    assert_int_equal(v2->kind, SLUICE_UNIT_SMMU_V2);
    assert_int_equal(v2->base, 0x2b400000);
    assert_int_equal(v2->register_bytes, 0x10000);
    assert_int_equal(v2->model, 3);
    assert_int_equal(v2->coherence, SLUICE_COHERENCE_YES);
    bench_end(&bench);
}

static void iort_devices(void **state)
{
    const struct platform_scope *functions, *component;
    const struct platform_unit *unit;
    struct bench bench;

    (void)state;
    bench_begin(&bench);
    assert_int_equal(add_changed(&bench, "iort", "set rc.bits 40\n"), SLUICE_OK);
    unit = unit_at(&bench, 0);
    functions = scope_at(&unit->scopes, 0);
    component = scope_at(&unit->scopes, 1);
    assert_null(scope_at(&unit->scopes, 2));
    assert_ptr_equal(pci_find_unit(&bench.sluice, 0, 0), unit);
    assert_ptr_equal(pci_find_unit(&bench.sluice, 0, 0xff), unit);
    assert_null(pci_find_unit(&bench.sluice, 0, 0x100));
    assert_null(pci_find_unit(&bench.sluice, 1, 0));
    assert_int_equal(id_of(&bench, unit, 0, 0), 0x100);
    assert_int_equal(id_of(&bench, unit, 0, 0xff), 0x1ff);
    assert_int_equal(id_of(&bench, unit, 0, 0x100), -1);
    assert_true(functions->ats);
    assert_int_equal(functions->address_bits, 40);
    assert_int_equal(functions->coherence, SLUICE_COHERENCE_YES);
    assert_int_equal(component->kind, PLATFORM_SCOPE_NAMED);
    assert_int_equal(component->name_bytes, 9);
    assert_memory_equal(component->name, "\\_SB.DMA0", 9);
    assert_int_equal(component->first_id, 0x500);
    assert_int_equal(component->id_count, 1);
    assert_int_equal(component->address_bits, 32);
    bench_end(&bench);
}

static void iort_reserved(void **state)
{
    const struct platform_reserved *reserved;
    const struct platform_scope *scope;
    struct bench bench;

    (void)state;
    bench_begin(&bench);
    assert_int_equal(add_changed(&bench, "iort", "set rmrmap.more 3\n"), SLUICE_OK);
    reserved = container_of(bench.sluice.platform.reserved.next, struct platform_reserved, node);
    assert_int_equal(reserved->first, 0x80000000);
    assert_int_equal(reserved->last, 0x8000ffff);
    assert_int_equal(reserved->prot, SLUICE_PROT_READ | SLUICE_PROT_WRITE);
    scope = scope_at(&reserved->scopes, 0);
    assert_int_equal(scope->kind, PLATFORM_SCOPE_IDS);
    assert_ptr_equal(scope->unit, unit_at(&bench, 0));
    assert_int_equal(scope->first_id, 0x100);
    assert_int_equal(scope->id_count, 4);
    bench_end(&bench);
}

/** Devices that reach an interrupt controller past every SMMU, and IDs that no function has. */
static void iort_nobody_translates(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench);
    assert_int_equal(add_changed(&bench, "iort", "set rcmap.reference 48\n"), SLUICE_OK);
    assert_null(pci_find_unit(&bench.sluice, 0, 0));
    bench_end(&bench);
    bench_begin(&bench);
    assert_int_equal(add_changed(&bench, "iort", "set rcmap.input 0x10000\n"), SLUICE_OK);
    assert_null(pci_find_unit(&bench.sluice, 0, 0));
    bench_end(&bench);
    bench_begin(&bench);
    assert_int_equal(add_changed(&bench, "iort", "set rcmap.more 0xfffffeff\n"), SLUICE_OK);
    assert_int_equal(id_of(&bench, unit_at(&bench, 0), 0, 0xffff), 0x100ff);
    bench_end(&bench);
}

/** A second node with reserved memory, for one stream ID. */
#define ANOTHER_RMR                                                                                \
    "set count 8\n"                                                                                \
    "begin late\nu8 6\nlen16 length\nu8 3\nu32 7\nu32 1\nu32 48\nu32 1\nu32 1\nu32 28\n"           \
    "u64 0x90000000\nu64 0x1000\nu32 0\n"                                                          \
    "u32 0x200\nu32 0\nu32 0x200\nu32 72\nu32 0\nend\n"

/** As many as are taken, and in as many nodes. */
static void iort_reserved_for_many(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench);
    assert_int_equal(add_changed(&bench, "iort", "set rmrmap.more 0xffe\n" ANOTHER_RMR), SLUICE_OK);
    assert_int_equal(bench.sluice.platform.reserved_ids, 0); /* the next table counts for itself */
    bench_end(&bench);
}

/* And as much memory. */
static void iort_reserved_much(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench);
    assert_int_equal(add_changed(&bench, "iort", "set rmr.bytes 0x400000000\n"), SLUICE_OK);
    bench_end(&bench);
}

static void iort_refused(void **state)
{
    static const struct breakage breakages[] = {
        {"set rcmap.reference 73\n", "a mapping leads to no node"},
        {"set rcmap.reference 100000\n", "a mapping leads to no node"},
        {"set rcmap.more 0xffffffff\n", "stream IDs exceed 32 bits"},
        {"set rcmap.flags 1\n", "single mapping of a root complex"},
        {"set rc.segment 0x10000\n", "PCI segment is wider than 16 bits"},
        {"set rc.mappings 0x10001\n", "more than 65536 mappings"},
        {"set rc.array 100\n", "an array of the node reaches out of it"},
        {"set rmr.bytes 0\n", "reserved memory is empty or inverted"},
        {"set rmr.bytes 0xffffffffffffffff\n", "reserved memory is empty or inverted"},
        {"set rmr.bytes 0x400000001\n",
         "reserved memory 0x80000000-0x480000000 is more than the 16 GiB"},
        {"set rmrmap.more 0x1000\n", "reserved memory for too many stream IDs"},
        {"set rmrmap.more 0xffffffff\n", "reserved memory for too many stream IDs"},
        {"set rmrmap.more 0xfff\n" ANOTHER_RMR, "reserved memory for too many stream IDs"},
        {"set rmr.at 200\n", "an array of the node reaches out of it"},
    };

    (void)state;
    refuses("iort", breakages, sizeof(breakages) / sizeof(breakages[0]));
    survives_no_memory("iort");
}

/* ---- RIMT ---- */

static void rimt_units_and_devices(void **state)
{
    const struct platform_unit *platform, *pci;
    const struct platform_scope *device;
    struct bench bench;

    (void)state;
    bench_begin(&bench);
    assert_int_equal(add_changed(&bench, "rimt", "set rcmap.target 0x20000\n"), SLUICE_OK);
    platform = unit_at(&bench, 0);
    pci = unit_at(&bench, 1);
    assert_null(unit_at(&bench, 2));
    assert_int_equal(platform->kind, SLUICE_UNIT_RISCV);
    assert_int_equal(platform->base, 0x3010000);
    assert_int_equal(platform->wires[0], 36);
    assert_false(platform->on_pci);
    assert_true(pci->on_pci);
    assert_int_equal(pci->rid, 16);
    assert_int_equal(pci->segment, 0);
    assert_int_equal(pci->base, 0);
    assert_ptr_equal(pci_find_unit(&bench.sluice, 0, 0xffff), pci);
    assert_int_equal(id_of(&bench, pci, 0, 0xffff), 0x2ffff);
    device = scope_at(&platform->scopes, 0);
    assert_int_equal(device->kind, PLATFORM_SCOPE_NAMED);
    assert_memory_equal(device->name, "\\_SB.DMA0", 9);
    assert_int_equal(device->first_id, 0x200);
    assert_int_equal(device->id_count, 1);
    bench_end(&bench);
}

static void rimt_refused(void **state)
{
    static const struct breakage breakages[] = {
        {"set rcmap.reference 97\n", "a mapping leads to no IOMMU"},
        {"set rcmap.reference 136\n", "a mapping leads to no IOMMU"},
        {"set rcmap.count 0\n", "a mapping is empty"},
        {"set rcmap.target 0xffffffff\n", "its device IDs exceed 32 bits"},
        {"set devmap.count 129\n", "a device with more than 128 IDs"},
        {"set rc.mappings 2\n", "an array of the node reaches out of it"},
        {"set iommu.wires 2\n", "an array of the node reaches out of it"},
    };

    (void)state;
    refuses("rimt", breakages, sizeof(breakages) / sizeof(breakages[0]));
    survives_no_memory("rimt");
}

/* ---- VIOT ---- */

static void viot_units_and_devices(void **state)
{
    const struct platform_unit *pci, *mmio;
    const struct platform_scope *device;
    struct bench bench;

    (void)state;
    bench_begin(&bench);
    assert_int_equal(add_changed(&bench, "viot",
                                 "set range.endpoint 0x1000\nset range.lastseg 2\n"
                                 "set range.firstrid 8\n"),
                     SLUICE_OK);
    pci = unit_at(&bench, 0);
    mmio = unit_at(&bench, 1);
    assert_null(unit_at(&bench, 2));
    assert_int_equal(pci->kind, SLUICE_UNIT_VIRTIO);
    assert_true(pci->on_pci);
    assert_int_equal(pci->rid, 24);
    assert_false(mmio->on_pci);
    assert_int_equal(mmio->base, 0xa000000);
    assert_int_equal(id_of(&bench, pci, 0, 7), -1);
    assert_int_equal(id_of(&bench, pci, 0, 8), 0x1000);
    assert_int_equal(id_of(&bench, pci, 0, 255), 0x10f7);
    assert_int_equal(id_of(&bench, pci, 2, 9), 0x21001);
    assert_int_equal(id_of(&bench, pci, 3, 9), -1);
    device = scope_at(&mmio->scopes, 0);
    assert_int_equal(device->kind, PLATFORM_SCOPE_NAMED);
    assert_null(device->name);
    assert_int_equal(device->registers, 0xa001000);
    assert_int_equal(device->first_id, 0x100);
    bench_end(&bench);
}

static void viot_refused(void **state)
{
    static const struct breakage breakages[] = {
        {"set range.reference 0\n", "endpoints of no virtio-iommu"},
        {"set range.reference 80\n", "endpoints of no virtio-iommu"},
        {"set range.firstrid 256\n", "ends before it begins"},
        {"set range.firstseg 1\n", "ends before it begins"},
        {"set range.endpoint 0xffffffff\n", "endpoint IDs exceed 32 bits"},
        {"set range.lastseg 0xffff\nset range.endpoint 0x10000\n", "endpoint IDs exceed 32 bits"},
        {"set endpoint.base 0\n", "an endpoint without an address"},
        {"set endpoint.reference 48000\n", "endpoints of no virtio-iommu"},
    };

    (void)state;
    refuses("viot", breakages, sizeof(breakages) / sizeof(breakages[0]));
    survives_no_memory("viot");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iort_units),         cmocka_unit_test(iort_devices),
        cmocka_unit_test(iort_reserved),      cmocka_unit_test(iort_reserved_for_many),
        cmocka_unit_test(iort_reserved_much), cmocka_unit_test(iort_nobody_translates),
        cmocka_unit_test(iort_refused),       cmocka_unit_test(rimt_units_and_devices),
        cmocka_unit_test(rimt_refused),       cmocka_unit_test(viot_units_and_devices),
        cmocka_unit_test(viot_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
