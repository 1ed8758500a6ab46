// SPDX-License-Identifier: MIT
/*
 * Domains through the public API: what devices reach, and when they stop reaching it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "scene.h"

#define RID_A   SLUICE_RID(0, 3, 0)
#define RID_B   SLUICE_RID(0, 4, 0)
#define RID_PCI SLUICE_RID(2, 5, 0)
#define MIB     ((uint64_t)1 << 20)

static void test_map_and_unmap(void **state)
{
    const bool avoid_queues[] = {false, true};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct scene_config config = scene_defaults();
        struct sluice_device *device;
        struct sluice_domain *domain;
        struct sluice_mapping mapping;
        struct sluice_pages page;
        struct scene scene;
        uint64_t unmapped;

        config.avoid_queues = avoid_queues[i];
        scene_start(&scene, &config);
        page = scene_page(&scene, 0x41);
        device = scene_device(&scene, RID_A);
        domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
        assert_null(sluice_device_domain(device));
        assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
        assert_ptr_equal(sluice_device_domain(device), domain);
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA), -1);
        scene_map(domain, SCENE_IOVA, &page);
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA + 5), 0x41);
        assert_true(scene_writes(&scene, MACHINE_DEV_A, SCENE_IOVA + 9, &page));
        /* Nobody else, and no other address. */
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_B, SCENE_IOVA), -1);
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA + SLUICE_PAGE_BYTES), -1);
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, page.phys), -1);
        assert_int_equal(sluice_domain_lookup(domain, SCENE_IOVA + 5, &mapping), SLUICE_OK);
        assert_true(mapping.phys == page.phys + 5 && mapping.page_bytes == SLUICE_PAGE_BYTES &&
                    mapping.prot == SCENE_READWRITE);
        assert_int_equal(sluice_domain_unmap(domain, SCENE_IOVA, SLUICE_PAGE_BYTES, &unmapped),
                         SLUICE_OK);
        assert_int_equal(unmapped, SLUICE_PAGE_BYTES);
        /* The unit has cached it a moment ago. */
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA), -1);
        assert_false(scene_writes(&scene, MACHINE_DEV_A, SCENE_IOVA, &page));
        assert_int_equal(sluice_domain_lookup(domain, SCENE_IOVA, &mapping), SLUICE_ERR_NOT_FOUND);
        scene_page_free(&scene, page);
        scene_forget(device);
        scene_finish(&scene);
    }
}

static void test_permissions(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_pages page;
    struct scene scene;

    (void)state;
    scene_start(&scene, &config);
    page = scene_page(&scene, 0x42);
    device = scene_device(&scene, RID_A);
    domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(
        sluice_domain_map(domain, SCENE_IOVA, page.phys, SLUICE_PAGE_BYTES, SLUICE_PROT_READ),
        SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA), 0x42);
    assert_false(scene_writes(&scene, MACHINE_DEV_A, SCENE_IOVA, &page));
    (void)sluice_fault_poll(scene.sluice);
    assert_int_equal(scene.fault.reason, SLUICE_FAULT_WRITE_DENIED);
    assert_int_equal(sluice_domain_map(domain, SCENE_IOVA + MIB, page.phys, SLUICE_PAGE_BYTES,
                                       SLUICE_PROT_WRITE),
                     SLUICE_OK);
    assert_true(scene_writes(&scene, MACHINE_DEV_A, SCENE_IOVA + MIB, &page));
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA + MIB), -1);
    (void)sluice_fault_poll(scene.sluice);
    assert_int_equal(scene.fault.reason, SLUICE_FAULT_READ_DENIED);
    scene_page_free(&scene, page);
    scene_forget(device);
    scene_finish(&scene);
}

static void test_refusals(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_domain *domain;
    struct sluice_domain_info info;
    struct scene scene;

    (void)state;
    scene_start(&scene, &config);
    domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    sluice_domain_info(domain, &info);
    assert_true(info.last == ((uint64_t)1 << 48) - 1);
    assert_int_equal(sluice_domain_map(domain, SCENE_IOVA, 0, 0, 1), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_domain_map(domain, SCENE_IOVA, 0, 4096, 0), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_domain_map(domain, SCENE_IOVA, 0, 4096, SLUICE_PROT_EXEC),
                     SLUICE_ERR_INVALID);
    assert_int_equal(sluice_domain_map(domain, SCENE_IOVA + 1, 0, 4096, 1), SLUICE_ERR_ALIGNMENT);
    assert_int_equal(sluice_domain_map(domain, SCENE_IOVA, 2048, 4096, 1), SLUICE_ERR_ALIGNMENT);
    assert_int_equal(sluice_domain_map(domain, SCENE_IOVA, 0, 4097, 1), SLUICE_ERR_ALIGNMENT);
    assert_int_equal(sluice_domain_map(domain, info.last - 4095, 0, 8192, 1), SLUICE_ERR_RANGE);
    assert_int_equal(sluice_domain_map(domain, (sluice_iova_t)0 - 4096, 0, 8192, 1),
                     SLUICE_ERR_RANGE);
    assert_int_equal(sluice_domain_map(domain, SCENE_IOVA,
                                       (sluice_phys_t)1 << (scene_on_virtio() ? 52 : 46), 4096, 1),
                     SLUICE_ERR_RANGE);
    assert_int_equal(sluice_domain_unmap(domain, SCENE_IOVA, 0, NULL), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_domain_unmap(domain, SCENE_IOVA, 100, NULL), SLUICE_ERR_ALIGNMENT);
    assert_int_equal(sluice_domain_map(domain, SCENE_IOVA, 0, 4096, 1), SLUICE_OK);
    assert_int_equal(sluice_domain_map(domain, SCENE_IOVA - 4096, 0, 3 * 4096, 1),
                     SLUICE_ERR_EXISTS);
    /* The failed one left nothing. */
    assert_int_equal(sluice_domain_map(domain, SCENE_IOVA - 4096, 0, 4096, 1), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(domain), SLUICE_OK);
    scene_finish(&scene);
}

static void test_two_domains(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_device *devices[2];
    struct sluice_domain *domains[2];
    struct sluice_pages pages[2];
    struct scene scene;

    (void)state;
    scene_start(&scene, &config);
    for (unsigned i = 0; i < 2; i++) {
        pages[i] = scene_page(&scene, (uint8_t)(0x51 + i));
        devices[i] = scene_device(&scene, i == 0 ? RID_A : RID_B);
        domains[i] = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
        scene_map(domains[i], SCENE_IOVA, &pages[i]);
        assert_int_equal(sluice_domain_attach(domains[i], devices[i]), SLUICE_OK);
    }
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA), 0x51);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_B, SCENE_IOVA), 0x52);
    /* Both in one: they share it. */
    assert_int_equal(sluice_domain_attach(domains[1], devices[0]), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA), 0x52);
    assert_int_equal(sluice_domain_destroy(domains[0]), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(domains[1]), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_domain_unmap(domains[1], SCENE_IOVA, 4096, NULL), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA), -1);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_B, SCENE_IOVA), -1);
    for (unsigned i = 0; i < 2; i++) {
        scene_forget(devices[i]);
        scene_page_free(&scene, pages[i]);
    }
    scene_finish(&scene);
}

/* A device that never stops is moved back and forth: it reads the old page, the new one or none. */
static void test_move_under_load(void **state)
{
    struct scene_config config = scene_defaults();
    struct dma_device_loop loop = {.address = SCENE_IOVA, .bytes = 1};
    struct dma_device_counts counts = {0};
    struct sluice_domain *domains[2];
    struct sluice_device *device;
    struct sluice_pages pages[2];
    struct dma_device *dma;
    struct scene scene;

    (void)state;
    config.machine.host.real_clock = true;
    scene_start(&scene, &config);
    dma = scene.machine->devices[MACHINE_DEV_A];
    device = scene_device(&scene, RID_A);
    for (unsigned i = 0; i < 2; i++) {
        pages[i] = scene_page(&scene, (uint8_t)(0x61 + i));
        domains[i] = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
        scene_map(domains[i], SCENE_IOVA, &pages[i]);
    }
    dma_device_loop(dma, &loop);
    dma_device_start(dma);
    /* At least 400 times, and until the device's own thread has been seen to work. */
    for (unsigned i = 0; i < 400 || (counts.moved < 50 && i < 4000000); i++) {
        assert_int_equal(sluice_domain_attach(domains[i % 2], device), SLUICE_OK);
        /* What it reads after the switch is the new page only. */
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA), 0x61 + (int)(i % 2));
        dma_device_counts(dma, &counts);
    }
    dma_device_stop(dma);
    dma_device_counts(dma, &counts);
    assert_true(counts.moved >= 50);
    assert_true(counts.last[0] == 0x61 || counts.last[0] == 0x62);
    scene_forget(device);
    for (unsigned i = 0; i < 2; i++)
        scene_page_free(&scene, pages[i]);
    scene_finish(&scene);
}

/* Behind those of the unit itself. */
static unsigned first_firmware_region(void)
{
    return scene_on_amd() ? 2 : 1;
}

static void test_reserved_window(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_reserved_region region;
    struct sluice_domain *domain;
    struct sluice_domain *late;
    struct sluice_device *device;
    struct scene scene;

    (void)state;
    scene_start(&scene, &config);
    device = scene_device(&scene, RID_A);
    assert_int_equal(sluice_device_reserved(device, 0, &region), SLUICE_OK);
    assert_int_equal(region.kind, SLUICE_RESERVED_INTERRUPT);
    assert_true(region.first == 0xfee00000 && region.last == 0xfeefffff);
    if (scene_on_amd()) { /* HyperTransport's own addresses */
        assert_int_equal(sluice_device_reserved(device, 1, &region), SLUICE_OK);
        assert_int_equal(region.kind, SLUICE_RESERVED_SPECIAL);
        assert_true(region.first == 0xfd00000000 && region.last == 0xffffffffff);
    }
    assert_int_equal(sluice_device_reserved(device, first_firmware_region(), &region),
                     SLUICE_ERR_NOT_FOUND);
    domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(sluice_domain_map(domain, 0xfee00000, 0, 4096, 1), SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_map(domain, 0xfedff000, 0, 8192, 1), SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_map(domain, 0xfeeff000, 0, 8192, 1), SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_map(domain, 0xfedff000, 0, 4096, 1), SLUICE_OK);
    assert_int_equal(sluice_domain_map(domain, 0xfef00000, 0, 4096, 1), SLUICE_OK);
    /* What was mapped before the device came is found out then. */
    late = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_map(late, 0xfee01000, 0, 4096, 1), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(late, device), SLUICE_ERR_EXISTS);
    assert_ptr_equal(sluice_device_domain(device), domain);
    scene_forget(device);
    scene_finish(&scene);
}

static void test_firmware_memory(void **state)
{
    const sluice_phys_t base = 0x180000;
    struct scene_config config = scene_defaults();
    struct sluice_reserved_region region;
    struct sluice_domain *domain;
    struct sluice_domain *clash;
    struct sluice_device *device;
    struct scene scene;
    uint8_t *memory;

    (void)state;
    config.machine.regions[0] =
        (struct machine_region){.base = base, .last = base + 0x1fff, .rid = RID_A};
    scene_start(&scene, &config);
    memory = model_host_virt(scene.machine->host, base);
    memory[0x1000] = 0x77;
    /* In no domain: exactly its memory, nobody else's. */
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, base + 0x1000), 0x77);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, base + 0x2000), -1);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_B, base + 0x1000), -1);
    device = scene_device(&scene, RID_A);
    assert_int_equal(sluice_device_reserved(device, first_firmware_region(), &region), SLUICE_OK);
    assert_int_equal(region.kind, SLUICE_RESERVED_FIRMWARE);
    assert_true(region.first == base && region.last == base + 0x1fff);
    /* In a domain: mapped there, and not to be unmapped. */
    domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, base + 0x1000), 0x77);
    assert_int_equal(sluice_domain_unmap(domain, base, 4096, NULL), SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_map(domain, base, 0, 4096, 1), SLUICE_ERR_DENIED);
    /* A mapping that is in its way is found out, and the device stays where it was. */
    clash = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_map(clash, base + 0x1000, 0x200000, 4096, SCENE_READWRITE),
                     SLUICE_OK);
    assert_int_equal(sluice_domain_attach(clash, device), SLUICE_ERR_EXISTS);
    assert_ptr_equal(sluice_device_domain(device), domain);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, base + 0x1000), 0x77);
    /* Out of it again: still its own. */
    assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, base + 0x1000), 0x77);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, base + 0x1000), 0x77);
    scene_finish(&scene);
}

static void test_identity(void **state)
{
    (void)state;
    for (unsigned pass_through = 0; pass_through < 2; pass_through++) {
        struct scene_config config = scene_defaults();
        struct sluice_mapping mapping;
        struct sluice_domain *domain;
        struct sluice_device *device;
        struct sluice_pages page;
        struct scene scene;

        config.machine.units[0].pass_through = pass_through != 0;
        scene_start(&scene, &config);
        page = scene_page(&scene, 0x71);
        device = scene_device(&scene, RID_A);
        domain = scene_domain(&scene, SLUICE_DOMAIN_IDENTITY);
        assert_true(model_host_logged(scene.machine->host, "unprotected"));
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, page.phys), -1);
        assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, page.phys + 3), 0x71);
        assert_true(scene_writes(&scene, MACHINE_DEV_A, page.phys + 8, &page));
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_B, page.phys), -1);
        assert_int_equal(sluice_domain_map(domain, SCENE_IOVA, page.phys, 4096, 1),
                         SLUICE_ERR_DENIED);
        assert_int_equal(sluice_domain_lookup(domain, page.phys, &mapping), SLUICE_OK);
        assert_true(mapping.phys == page.phys);
        scene_forget(device);
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, page.phys), -1);
        scene_page_free(&scene, page);
        scene_finish(&scene);
    }
}

static void test_blocking(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_domain *open;
    struct sluice_domain *blocking;
    struct sluice_device *device;
    struct sluice_pages page;
    struct scene scene;

    (void)state;
    scene_start(&scene, &config);
    page = scene_page(&scene, 0x72);
    device = scene_device(&scene, RID_A);
    open = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    blocking = scene_domain(&scene, SLUICE_DOMAIN_BLOCKING);
    scene_map(open, SCENE_IOVA, &page);
    assert_int_equal(sluice_domain_attach(open, device), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA), 0x72);
    assert_int_equal(sluice_domain_attach(blocking, device), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA), -1);
    assert_int_equal(sluice_domain_map(blocking, SCENE_IOVA, page.phys, 4096, 1),
                     SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_destroy(blocking), SLUICE_ERR_BUSY);
    scene_forget(device);
    scene_page_free(&scene, page);
    scene_finish(&scene);
}

/* Two functions behind a conventional bridge look the same to the unit. */
static void test_shared_requester_id(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_domain *domains[2];
    struct sluice_device *devices[2];
    struct sluice_pages page;
    struct scene scene;

    (void)state;
    config.machine.functions[6] = (struct machine_function){.used = true,
                                                            .kind = MACHINE_CONVENTIONAL,
                                                            .rid = SLUICE_RID(2, 6, 0),
                                                            .dma_rid = SLUICE_RID(2, 0, 0)};
    scene_start(&scene, &config);
    page = scene_page(&scene, 0x73);
    devices[0] = scene_device(&scene, RID_PCI);
    devices[1] = scene_device(&scene, SLUICE_RID(2, 6, 0));
    for (unsigned i = 0; i < 2; i++)
        domains[i] = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    scene_map(domains[0], SCENE_IOVA, &page);
    assert_int_equal(sluice_domain_attach(domains[0], devices[0]), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_PCI, SCENE_IOVA), 0x73);
    assert_int_equal(sluice_domain_attach(domains[1], devices[1]), SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_attach(domains[0], devices[1]), SLUICE_OK);
    /* One leaves: the other goes on. */
    assert_int_equal(sluice_domain_detach(devices[0]), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_PCI, SCENE_IOVA), 0x73);
    assert_int_equal(sluice_domain_attach(domains[1], devices[0]), SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_detach(devices[1]), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_PCI, SCENE_IOVA), -1);
    assert_int_equal(sluice_domain_attach(domains[1], devices[0]), SLUICE_OK);
    scene_forget(devices[0]);
    scene_forget(devices[1]);
    scene_page_free(&scene, page);
    scene_finish(&scene);
}

/* A part of a 2 MiB page goes, the rest stays. */
static void test_large_page_split(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_mapping mapping;
    struct sluice_domain *domain;
    struct sluice_device *device;
    struct sluice_pages block;
    struct scene scene;

    (void)state;
    config.machine.host.extents[0] = (struct model_extent){.base = 16 * MIB, .bytes = 16 * MIB};
    scene_start(&scene, &config);
    block = model_host_buffer(scene.machine->host, 9, false);
    memset(block.virt, 0x74, 2 * MIB);
    device = scene_device(&scene, RID_A);
    domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(sluice_domain_map(domain, SCENE_IOVA, block.phys, 2 * MIB, SCENE_READWRITE),
                     SLUICE_OK);
    assert_int_equal(sluice_domain_lookup(domain, SCENE_IOVA, &mapping), SLUICE_OK);
    assert_true(mapping.page_bytes == 2 * MIB);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA + MIB), 0x74);
    assert_int_equal(sluice_domain_unmap(domain, SCENE_IOVA + MIB, 4096, NULL), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA + MIB), -1);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA + MIB - 1), 0x74);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA + MIB + 4096), 0x74);
    assert_int_equal(sluice_domain_unmap(domain, SCENE_IOVA, 2 * MIB, NULL), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA), -1);
    model_host_buffer_free(scene.machine->host, block, 9);
    scene_forget(device);
    scene_finish(&scene);
}

/* A table takes the place of a page and the other way round, on a unit that remembers both. */
static void test_page_for_table(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_domain *domain;
    struct sluice_device *device;
    struct sluice_pages block;
    struct scene scene;

    (void)state;
    config.machine.host.extents[0] = (struct model_extent){.base = 16 * MIB, .bytes = 16 * MIB};
    scene_start(&scene, &config);
    block = model_host_buffer(scene.machine->host, 9, false);
    memset(block.virt, 0x75, 2 * MIB);
    device = scene_device(&scene, RID_A);
    domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(sluice_domain_map(domain, SCENE_IOVA + 8192, block.phys + 4096, 4096, 1),
                         SLUICE_OK);
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA + 8192), 0x75);
        assert_int_equal(sluice_domain_unmap(domain, SCENE_IOVA + 8192, 4096, NULL), SLUICE_OK);
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA + 8192), -1);
        assert_int_equal(
            sluice_domain_map(domain, SCENE_IOVA, block.phys, 2 * MIB, SCENE_READWRITE), SLUICE_OK);
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA + 4096), 0x75);
        assert_int_equal(sluice_domain_unmap(domain, SCENE_IOVA, 2 * MIB, NULL), SLUICE_OK);
    }
    model_host_buffer_free(scene.machine->host, block, 9);
    scene_forget(device);
    scene_finish(&scene);
}

/* Units that cache what is not present: mapping must reach them too. */
static void test_caching_mode(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_domain *domain;
    struct sluice_device *device;
    struct sluice_pages page;
    struct scene scene;

    (void)state;
    config.machine.units[0].caching_mode = true;
    config.machine.amd_unit.np_cache = true;
    scene_start(&scene, &config);
    page = scene_page(&scene, 0x76);
    device = scene_device(&scene, RID_A);
    domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA), -1);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA), -1);
    scene_map(domain, SCENE_IOVA, &page);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA), 0x76);
    scene_forget(device);
    scene_page_free(&scene, page);
    scene_finish(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_and_unmap),    cmocka_unit_test(test_permissions),
        cmocka_unit_test(test_refusals),         cmocka_unit_test(test_two_domains),
        cmocka_unit_test(test_move_under_load),  cmocka_unit_test(test_reserved_window),
        cmocka_unit_test(test_firmware_memory),  cmocka_unit_test(test_identity),
        cmocka_unit_test(test_blocking),         cmocka_unit_test(test_shared_requester_id),
        cmocka_unit_test(test_large_page_split), cmocka_unit_test(test_page_for_table),
        cmocka_unit_test(test_caching_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
