// SPDX-License-Identifier: MIT
/*
 * The virtio-iommu driver on an honest device: what it is told, in how many requests, and what
 * devices reach.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "virtio_scene.h"

#include <sluice/protection.h>

#define PAGE   SLUICE_PAGE_BYTES
#define PIECES 300u

enum {
    ATTACH = 1,
    DETACH,
    MAP,
    UNMAP,
    PROBE
};

static void test_start_and_stop(void **state)
{
    for (uint8_t bypass = 0; bypass < 2; bypass++) {
        struct virtio_model_config config = virtio_model_defaults();
        struct virtio_scene at;

        (void)state;
        config.bypass = bypass;
        virtio_scene_init(&at, &config);
        assert_int_equal(sluice_start(at.scene.sluice), SLUICE_OK);
        assert_int_equal(virtio_model_bypass(at.unit), 0);
        virtio_scene_fill(&at);
        /* In no domain: refused, and told so. */
        assert_int_equal(scene_reads(&at.scene, MACHINE_DEV_B, at.page.phys), -1);
        (void)sluice_fault_poll(at.scene.sluice);
        assert_int_equal(at.scene.fault.reason, SLUICE_FAULT_BLOCKED);
        assert_int_equal(at.scene.fault.source, RID_B);
        assert_int_equal(at.scene.fault.address, at.page.phys);
        assert_int_equal(virtio_scene_stats(&at).passed, 0);
        scene_forget(at.device);
        assert_int_equal(sluice_stop(at.scene.sluice), SLUICE_OK);
        /* As it was found. */
        assert_int_equal(virtio_model_bypass(at.unit), bypass);
        assert_int_equal(scene_reads(&at.scene, MACHINE_DEV_B, at.page.phys),
                         bypass != 0 ? FILL : -1);
        at.device = NULL;
        virtio_scene_finish(&at);
    }
}

/* 300 pieces that do not touch: one request each, and hardly any notification. */
static void test_batches(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct sluice_dma_segment pieces[PIECES];
    struct virtio_model_stats before, after;
    struct virtio_scene at;
    struct pt_list list;

    (void)state;
    for (unsigned mode = 0; mode < 3; mode++) {
        config.mode = mode == 1 ? VIRTIO_MODEL_AT_TICK : VIRTIO_MODEL_AT_NOTIFY;
        config.reversed = mode == 2;
        virtio_scene_start(&at, &config);
        for (unsigned i = 0; i < PIECES; i++)
            pieces[i] = (struct sluice_dma_segment){at.page.phys + (i * 2 % 16) * PAGE, PAGE};
        list = pt_list_of(pieces, PIECES);
        before = virtio_scene_stats(&at);
        assert_int_equal(domain_map_list(at.domain, 0x50000000, &list, SCENE_READWRITE), SLUICE_OK);
        after = virtio_scene_stats(&at);
        assert_int_equal(after.requests[MAP] - before.requests[MAP], PIECES);
        assert_true(after.notified - before.notified <= PIECES / 64 + 1);
        assert_true(mode == 1 || after.most_in_flight >= 64);
        assert_int_equal(virtio_model_mappings(at.unit), PIECES + 1);
        assert_int_equal(virtio_scene_reads(&at, 0x50000000 + (PIECES - 1) * PAGE), FILL);
        /* And one for all of them to go. */
        assert_int_equal(sluice_domain_unmap(at.domain, 0x50000000, PIECES * PAGE, NULL),
                         SLUICE_OK);
        assert_int_equal(virtio_scene_stats(&at).requests[UNMAP] - after.requests[UNMAP], 1);
        assert_int_equal(virtio_model_mappings(at.unit), 1);
        virtio_scene_finish(&at);
    }
}

/* The device takes mappings away whole: what stays of one is mapped again. */
static void test_partial_unmap(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct virtio_scene at;

    (void)state;
    config.reversed = true;
    virtio_scene_start(&at, &config);
    assert_int_equal(virtio_model_mappings(at.unit), 1); /* 16 pages in one request */
    assert_int_equal(sluice_domain_unmap(at.domain, SCENE_IOVA + 3 * PAGE, PAGE, NULL), SLUICE_OK);
    assert_int_equal(virtio_model_mappings(at.unit), 2);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA + i * PAGE), i == 3 ? -1 : FILL);
    assert_int_equal(sluice_domain_unmap(at.domain, SCENE_IOVA, 2 * PAGE, NULL), SLUICE_OK);
    assert_int_equal(sluice_domain_unmap(at.domain, SCENE_IOVA + 15 * PAGE, PAGE, NULL), SLUICE_OK);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA + i * PAGE),
                         i < 2 || i == 3 || i == 15 ? -1 : FILL);
    assert_int_equal(sluice_domain_unmap(at.domain, SCENE_IOVA, 16 * PAGE, NULL), SLUICE_OK);
    assert_int_equal(virtio_model_mappings(at.unit), 0);
    virtio_scene_finish(&at);
}

/* Far more ranges than a gather holds are merged; what lies between them is never taken away. */
static void test_neighbours_stay(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct virtio_model_stats before;
    struct virtio_scene at;
    struct pt_gather gather;

    (void)state;
    virtio_scene_start(&at, &config);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(sluice_domain_map(at.domain, 0x60000000 + i * PAGE,
                                           at.page.phys + i % 16 * PAGE, PAGE, SCENE_READWRITE),
                         SLUICE_OK);
    pt_gather_init(&gather);
    for (unsigned i = 0; i < 64; i += 2)
        assert_int_equal(domain_clear(at.domain, 0x60000000 + i * PAGE, PAGE, &gather, NULL),
                         SLUICE_OK);
    before = virtio_scene_stats(&at);
    assert_int_equal(domain_flush(at.domain, &gather), SLUICE_OK);
    assert_int_equal(virtio_scene_stats(&at).requests[MAP], before.requests[MAP]);
    assert_int_equal(virtio_model_mappings(at.unit), 33);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(virtio_scene_reads(&at, 0x60000000 + i * PAGE), i % 2 == 0 ? -1 : FILL);
    /* So it is when all of the domain is invalidated. */
    assert_int_equal(domain_clear(at.domain, 0x60000000 + PAGE, PAGE, &gather, NULL), SLUICE_OK);
    assert_int_equal(domain_flush_all(at.domain, &gather), SLUICE_OK);
    assert_int_equal(virtio_model_mappings(at.unit), 32);
    virtio_scene_finish(&at);
}

/* What was mapped before the domain had a device is told page by page when it gets one. */
static void test_replay(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct sluice_domain *other;
    struct virtio_scene at;

    (void)state;
    virtio_scene_start(&at, &config);
    other = scene_domain(&at.scene, SLUICE_DOMAIN_UNMANAGED);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(sluice_domain_map(other, ((uint64_t)i << 33) + SCENE_IOVA, at.page.phys,
                                           PAGE, SLUICE_PROT_READ),
                         SLUICE_OK);
    assert_int_equal(virtio_model_mappings(at.unit), 1);
    assert_int_equal(sluice_domain_attach(other, at.device), SLUICE_OK);
    assert_int_equal(virtio_model_mappings(at.unit), 200);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(virtio_scene_reads(&at, ((uint64_t)i << 33) + SCENE_IOVA), FILL);
    /* Back, and forth: told anew. */
    assert_int_equal(sluice_domain_attach(at.domain, at.device), SLUICE_OK);
    assert_int_equal(virtio_model_mappings(at.unit), 16);
    assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA + 15 * PAGE), FILL);
    assert_int_equal(virtio_scene_reads(&at, ((uint64_t)1 << 33) + SCENE_IOVA), -1);
    assert_int_equal(sluice_domain_detach(at.device), SLUICE_OK);
    assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), -1);
    assert_int_equal(virtio_model_mappings(at.unit), 0);
    virtio_scene_finish(&at);
}

static void test_regions(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct sluice_reserved_region region;
    struct virtio_scene at;

    (void)state;
    config.regions[1] = (struct virtio_model_region){0x70000000, 0x7000ffff, false};
    config.region_count = 2;
    config.input_first = 0x10000;
    virtio_scene_start(&at, &config);
    assert_int_equal(sluice_device_reserved(at.device, 0, &region), SLUICE_OK);
    assert_true(region.kind == SLUICE_RESERVED_SPECIAL && region.first == 0 &&
                region.last == 0xffff);
    assert_int_equal(sluice_device_reserved(at.device, 1, &region), SLUICE_OK);
    assert_true(region.kind == SLUICE_RESERVED_INTERRUPT && region.first == MODEL_WINDOW_FIRST &&
                region.last == MODEL_WINDOW_LAST);
    assert_int_equal(sluice_device_reserved(at.device, 2, &region), SLUICE_OK);
    assert_true(region.kind == SLUICE_RESERVED_SPECIAL && region.first == 0x70000000);
    assert_int_equal(sluice_device_reserved(at.device, 3, &region), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(virtio_scene_stats(&at).requests[PROBE], 1);
    for (unsigned i = 0; i < 3; i++) {
        static const sluice_iova_t inside[] = {0x1000, MODEL_WINDOW_FIRST, 0x7000f000};

        assert_int_equal(sluice_domain_map(at.domain, inside[i], at.page.phys, PAGE, 1),
                         SLUICE_ERR_DENIED);
    }
    /* Mapped before the device joins, where the device cannot reach it. */
    {
        struct sluice_domain *other = scene_domain(&at.scene, SLUICE_DOMAIN_UNMANAGED);

        assert_int_equal(sluice_domain_map(other, 0x70000000, at.page.phys, PAGE, 1), SLUICE_OK);
        assert_int_equal(sluice_domain_attach(other, at.device), SLUICE_ERR_EXISTS);
    }
    virtio_scene_finish(&at);
}

/* A device whose requests always come under the bridge's ID. */
static void test_alias(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct sluice_device *behind;
    struct virtio_scene at;

    (void)state;
    config.unknown_id = SLUICE_RID(2, 5, 0);
    virtio_scene_start(&at, &config);
    behind = scene_device(&at.scene, SLUICE_RID(2, 5, 0));
    assert_int_equal(sluice_domain_attach(at.domain, behind), SLUICE_OK);
    assert_int_equal(scene_reads(&at.scene, MACHINE_DEV_PCI, SCENE_IOVA), FILL);
    scene_forget(behind);
    assert_int_equal(scene_reads(&at.scene, MACHINE_DEV_PCI, SCENE_IOVA), -1);
    virtio_scene_finish(&at);
    /* One that the unit does not know under any ID is told from one that is protected. */
    config.unknown_id = RID_A;
    virtio_scene_init(&at, &config);
    assert_int_equal(sluice_start(at.scene.sluice), SLUICE_OK);
    at.device = scene_device(&at.scene, RID_A);
    at.domain = scene_domain(&at.scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_attach(at.domain, at.device), SLUICE_ERR_NOT_FOUND);
    virtio_scene_finish(&at);
}

static void test_identity(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct sluice_domain *identity;
    struct virtio_scene at;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        if (i == 1)
            config.features &= ~((uint64_t)1 << 6); /* BYPASS_CONFIG: then by tables */
        config.bypass = i == 0;
        virtio_scene_start(&at, &config);
        identity = scene_domain(&at.scene, SLUICE_DOMAIN_IDENTITY);
        assert_int_equal(sluice_domain_attach(identity, at.device), SLUICE_OK);
        assert_int_equal(virtio_scene_reads(&at, at.page.phys), FILL);
        assert_int_equal(virtio_scene_stats(&at).passed != 0, i == 0);
        assert_int_equal(sluice_domain_attach(at.domain, at.device), SLUICE_OK);
        assert_int_equal(virtio_scene_reads(&at, at.page.phys), -1);
        virtio_scene_finish(&at);
    }
}

/* Power goes and comes back: everybody is where they were. */
static void test_sleep(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct virtio_scene at;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        config.keeps_domains = i == 1;
        virtio_scene_start(&at, &config);
        assert_int_equal(sluice_suspend(at.scene.sluice), SLUICE_OK);
        if (i == 0)
            virtio_model_power_cycle(at.unit);
        assert_int_equal(sluice_resume(at.scene.sluice), SLUICE_OK);
        assert_int_equal(virtio_model_bypass(at.unit), 0);
        assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA + 15 * PAGE), FILL);
        assert_int_equal(scene_reads(&at.scene, MACHINE_DEV_B, SCENE_IOVA), -1);
        assert_int_equal(sluice_domain_unmap(at.domain, SCENE_IOVA, 16 * PAGE, NULL), SLUICE_OK);
        assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), -1);
        assert_int_equal(virtio_model_mappings(at.unit), 0);
        virtio_scene_finish(&at);
    }
}

/* A device that keeps who was where over a reset: nobody stays where an earlier owner put him. */
static void test_left_behind(void **state)
{
    const uint32_t attach[5] = {1, 77, RID_B};
    const uint32_t map[9] = {3, 77, SCENE_IOVA, 0, SCENE_IOVA + PAGE - 1, 0, 0, 0, 3};
    struct virtio_model_config config = virtio_model_defaults();
    struct virtio_scene at;
    /* In the domain that will be used first, and at no function that answers. */
    const uint32_t hidden[5] = {1, 1, 0xf8};
    const uint32_t old[9] = {3, 1, 0x50000000, 0, 0x50000000 + PAGE - 1, 0, 0, 0, 3};

    (void)state;
    config.keeps_domains = true;
    config.bypass = 0;
    virtio_scene_init(&at, &config);
    virtio_model_request(at.unit, hidden);
    virtio_model_request(at.unit, old);
    virtio_model_request(at.unit, attach);
    virtio_model_request(at.unit, map);
    assert_int_equal(virtio_model_mappings(at.unit), 2);
    assert_int_equal(sluice_start(at.scene.sluice), SLUICE_OK);
    assert_int_equal(virtio_model_mappings(at.unit), 1);
    virtio_scene_fill(&at);
    assert_int_equal(virtio_model_mappings(at.unit), 1);
    assert_int_equal(virtio_scene_reads(&at, 0x50000000), -1);
    assert_int_equal(scene_reads(&at.scene, MACHINE_DEV_B, SCENE_IOVA), -1);
    virtio_scene_finish(&at);
}

/* 64 KiB pages: everything is a multiple of them, the tables too. */
static void test_large_granule(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct sluice_domain_info info;
    struct virtio_scene at;

    (void)state;
    config.page_size_mask = ~(uint64_t)0xffff;
    config.input_first = 0x1000; /* in the middle of a page */
    virtio_scene_start(&at, &config);
    sluice_domain_info(at.domain, &info);
    assert_int_equal(info.page_sizes & (0 - info.page_sizes), 0x10000);
    assert_int_equal(sluice_domain_map(at.domain, 0x50000000, at.page.phys, PAGE, 1),
                     SLUICE_ERR_ALIGNMENT);
    assert_int_equal(sluice_domain_unmap(at.domain, SCENE_IOVA, 0x10000, NULL), SLUICE_OK);
    assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), -1);
    virtio_scene_finish(&at);
}

static void test_mmio_prot(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct virtio_scene at;
    uint8_t byte = 1;

    (void)state;
    virtio_scene_start(&at, &config);
    assert_int_equal(sluice_domain_map(at.domain, 0x50000000, at.page.phys, PAGE,
                                       SLUICE_PROT_WRITE | SLUICE_PROT_MMIO),
                     SLUICE_OK);
    assert_int_equal(virtio_scene_reads(&at, 0x50000000), -1);
    (void)sluice_fault_poll(at.scene.sluice);
    assert_int_equal(at.scene.fault.reason, SLUICE_FAULT_READ_DENIED);
    assert_true(
        dma_device_write(at.scene.machine->devices[MACHINE_DEV_A], 0x50000000, &byte, 1, NULL));
    virtio_scene_finish(&at);
}

/* ---- over MMIO, described by hand ---- */

static void test_mmio(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct virtio_scene at;

    (void)state;
    config.mmio = true;
    virtio_scene_start(&at, &config);
    assert_int_equal(sluice_domain_unmap(at.domain, SCENE_IOVA + PAGE, PAGE, NULL), SLUICE_OK);
    assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA + PAGE), -1);
    assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), FILL);
    virtio_scene_finish(&at);
}

/* Faults come by the wire, which rises again only when the last one was acknowledged. */
static void test_mmio_faults(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct virtio_scene at;

    (void)state;
    config.mmio = true;
    virtio_scene_start(&at, &config);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(virtio_scene_reads(&at, 0x80000000 + i * PAGE), -1);
        assert_int_equal(at.scene.faults, i + 1);
        assert_int_equal(at.scene.fault.address, 0x80000000 + i * PAGE);
    }
    assert_int_equal(virtio_scene_stats(&at).reports_lost, 0);
    virtio_scene_finish(&at);
    /* Without the wire's number: no message is made up for it, and nothing is lost by polling. */
    config.wire = 0;
    virtio_scene_start(&at, &config);
    assert_int_equal(virtio_scene_reads(&at, 0x80000000), -1);
    assert_int_equal(at.scene.faults, 0);
    assert_int_equal(sluice_fault_poll(at.scene.sluice), 1);
    assert_true(model_host_logged(at.scene.machine->host, "polling only"));
    virtio_scene_finish(&at);
}

/* 64 bits are read in halves, and again when the device says that they changed meanwhile. */
static void test_torn_config(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct sluice_unit_info info;
    struct virtio_scene at;

    (void)state;
    for (unsigned mmio = 0; mmio < 2; mmio++) {
        config.mmio = mmio != 0;
        virtio_scene_init(&at, &config);
        virtio_scene_inject(&at, (struct virtio_model_injection){.torn_configs = 3});
        assert_int_equal(sluice_start(at.scene.sluice), SLUICE_OK);
        assert_int_equal(sluice_unit_info(at.scene.sluice, 0, &info), SLUICE_OK);
        assert_int_equal(info.iova_bits, 48);
        virtio_scene_finish(&at);
    }
}

static void count_uncovered(void *arg, const struct sluice_obstacle *obstacle)
{
    unsigned *count = arg;

    *count += obstacle->kind == SLUICE_OBSTACLE_UNCOVERED;
}

/* A devicetree's map leaves the unit's own function out, which needs no unit above it. */
static void test_own_function(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct scene_config scene = virtio_scene_config(&config);
    struct sluice_unit_description unit = {
        .kind = SLUICE_UNIT_VIRTIO, .on_pci = true, .rid = config.rid};
    struct sluice_pci_sources below = {.last_rid = (uint16_t)(config.rid - 1)};
    struct sluice_pci_sources above = {
        .first_rid = (uint16_t)(config.rid + 1), .last_rid = 0xffff, .first_id = config.rid + 1u};
    struct virtio_scene at = {.device = NULL};
    unsigned uncovered = 0;

    (void)state;
    scene.no_tables = true;
    virtio_scene_init_on(&at, &scene, &config);
    assert_int_equal(sluice_describe_unit(at.scene.sluice, &unit, &below.unit), SLUICE_OK);
    above.unit = below.unit;
    assert_int_equal(sluice_describe_pci_sources(at.scene.sluice, &below), SLUICE_OK);
    assert_int_equal(sluice_describe_pci_sources(at.scene.sluice, &above), SLUICE_OK);
    assert_int_equal(sluice_start(at.scene.sluice), SLUICE_OK);
    virtio_scene_fill(&at);
    /* For want of interrupt remapping. */
    assert_int_equal(sluice_protection_check(at.scene.sluice, SLUICE_PROTECTION_STRICT,
                                             count_uncovered, &uncovered),
                     SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(uncovered, 0);
    virtio_scene_finish(&at);
}

/* Addresses above 4 GiB in both halves of every register that holds one. */
static void test_high_queues(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct virtio_scene at;

    (void)state;
    for (unsigned mmio = 0; mmio < 2; mmio++) {
        struct scene_config scene;

        config.mmio = mmio != 0;
        scene = virtio_scene_config(&config);
        scene.machine.host.extents[0] =
            (struct model_extent){.base = (sluice_phys_t)0x1200000000, .bytes = 16 << 20};
        virtio_scene_init_on(&at, &scene, &config);
        assert_int_equal(sluice_start(at.scene.sluice), SLUICE_OK);
        virtio_scene_fill(&at);
        assert_true(virtio_model_queue_address(at.unit, 0) >> 32 == 0x12);
        assert_true(virtio_model_queue_address(at.unit, 1) >> 32 == 0x12);
        virtio_scene_finish(&at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_and_stop), cmocka_unit_test(test_batches),
        cmocka_unit_test(test_partial_unmap),  cmocka_unit_test(test_neighbours_stay),
        cmocka_unit_test(test_replay),         cmocka_unit_test(test_regions),
        cmocka_unit_test(test_alias),          cmocka_unit_test(test_identity),
        cmocka_unit_test(test_sleep),          cmocka_unit_test(test_left_behind),
        cmocka_unit_test(test_large_granule),  cmocka_unit_test(test_mmio_prot),
        cmocka_unit_test(test_mmio),           cmocka_unit_test(test_mmio_faults),
        cmocka_unit_test(test_torn_config),    cmocka_unit_test(test_high_queues),
        cmocka_unit_test(test_own_function),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
