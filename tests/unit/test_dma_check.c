// SPDX-License-Identifier: MIT
/*
 * The checking mode: each mistake of a driver or a device is found, named with both places, and
 * does no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dma_world.h"

static void start(struct dma_world *world)
{
    struct dma_world_config config = dma_world_defaults();

    config.check = true;
    dma_world_start(world, &config);
}

/** The last report, and that it is the only one since the last time. */
static void expect(struct dma_world *world, enum sluice_dma_misuse_kind kind, const char *site,
                   const char *text)
{
    char line[300];

    assert_int_equal(world->misuses, 1);
    assert_int_equal(world->misuse.kind, kind);
    assert_string_equal(world->misuse.device, "0000:00:03.0 'nic'");
    if (site == NULL)
        assert_null(world->misuse.site);
    else
        assert_string_equal(world->misuse.site, site);
    (void)sluice_dma_misuse_text(&world->misuse, line, sizeof(line));
    assert_non_null(strstr(line, text));
    assert_true(model_host_logged(world->scene.machine->host, text));
    world->misuses = 0;
}

static void test_unmaps(void **state)
{
    struct sluice_dma_info info;
    struct dma_world world;
    sluice_iova_t address, other;

    (void)state;
    start(&world);
    assert_int_equal(sluice_dma_map(world.dma, 0x1000, 512, TO_DEVICE, "nic.c:12", &address),
                     SLUICE_OK);
    assert_int_equal(sluice_dma_unmap(world.dma, address, 256, TO_DEVICE, "nic.c:20"),
                     SLUICE_ERR_INVALID);
    expect(&world, SLUICE_DMA_WRONG_SIZE, "nic.c:20", "unmaps with another size");
    assert_string_equal(world.misuse.mapped_site, "nic.c:12");
    assert_int_equal(world.misuse.mapped_bytes, 512);
    assert_int_equal(sluice_dma_unmap(world.dma, address, 512, FROM_DEVICE, "nic.c:21"),
                     SLUICE_ERR_INVALID);
    expect(&world, SLUICE_DMA_WRONG_DIRECTION, "nic.c:21", "another direction");
    assert_int_equal(sluice_dma_unmap_mmio(world.dma, address, 512, TO_DEVICE, "nic.c:22"),
                     SLUICE_ERR_INVALID);
    expect(&world, SLUICE_DMA_WRONG_KIND, "nic.c:22", "another kind of mapping");
    assert_int_equal(sluice_dma_unmap(world.dma, address + 16, 512, TO_DEVICE, "nic.c:23"),
                     SLUICE_ERR_NOT_FOUND);
    expect(&world, SLUICE_DMA_WRONG_SIZE, "nic.c:23", "mapped and live as");
    assert_int_equal(sluice_dma_unmap(world.dma, 0x7777000, 512, TO_DEVICE, NULL),
                     SLUICE_ERR_NOT_FOUND);
    expect(&world, SLUICE_DMA_UNMAP_UNKNOWN, NULL, "never mapped: 0x7777000, 512 bytes to the");
    /* None of that did anything. */
    assert_true(dma_reads(&world, address) >= -1);
    assert_int_equal(sluice_dma_unmap(world.dma, address, 512, TO_DEVICE, "nic.c:30"), SLUICE_OK);
    assert_int_equal(world.misuses, 0);
    model_host_clock_advance(world.scene.machine->host, 3000000);
    assert_int_equal(sluice_dma_unmap(world.dma, address, 512, TO_DEVICE, "nic.c:31"),
                     SLUICE_ERR_NOT_FOUND);
    expect(&world, SLUICE_DMA_UNMAP_TWICE, "nic.c:31",
           "at nic.c:12, unmapped 3 ms ago at nic.c:30");
    /* The address is somebody else's by now, and stays so. */
    do
        assert_int_equal(sluice_dma_map(world.dma, 0x2000, 512, TO_DEVICE, NULL, &other),
                         SLUICE_OK);
    while (other != address &&
           sluice_dma_unmap(world.dma, other, 512, TO_DEVICE, NULL) == SLUICE_OK);
    assert_int_equal(sluice_dma_unmap(world.dma, other, 512, TO_DEVICE, NULL), SLUICE_OK);
    sluice_dma_info(world.dma, &info);
    assert_int_equal(info.misuses, 6);
    assert_int_equal(info.usage.live, 0);
    dma_world_finish(&world);
}

static void test_syncs(void **state)
{
    struct dma_world world;
    sluice_iova_t address;

    (void)state;
    start(&world);
    address = dma_map(&world, 0x1100, 0x3000, FROM_DEVICE);
    assert_int_equal(sluice_dma_sync_for_cpu(world.dma, address + 0x2800, 0x800, FROM_DEVICE, NULL),
                     SLUICE_OK);
    assert_int_equal(sluice_dma_sync_for_cpu(world.dma, address + 0x2800, 0x801, FROM_DEVICE, "a"),
                     SLUICE_ERR_INVALID);
    expect(&world, SLUICE_DMA_SYNC_OUTSIDE, "a", "beyond the mapping");
    assert_int_equal(sluice_dma_sync_for_device(world.dma, address, 1, TO_DEVICE, "b"),
                     SLUICE_ERR_INVALID);
    expect(&world, SLUICE_DMA_WRONG_DIRECTION, "b", "another direction");
    dma_unmap(&world, address, 0x3000, FROM_DEVICE);
    assert_int_equal(sluice_dma_sync_for_cpu(world.dma, address, 1, FROM_DEVICE, "c"),
                     SLUICE_ERR_NOT_FOUND);
    expect(&world, SLUICE_DMA_SYNC_UNKNOWN, "c", "synchronises what is not mapped");
    dma_world_finish(&world);
}

static void test_lists(void **state)
{
    struct sluice_dma_segment segments[3] = {{0x1000, 100}, {0x3000, 4096}, {0x7000, 4096}};
    struct sluice_dma_chunk chunks[3];
    struct sluice_dma_sg sg = {segments, 3, chunks, 3, 0};
    struct dma_world world;

    (void)state;
    start(&world);
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, BOTH, "list.c:1"), SLUICE_OK);
    assert_int_equal(sg.chunk_count, 2);
    assert_int_equal(sluice_dma_sync_sg_for_cpu(world.dma, &sg, BOTH, NULL), SLUICE_OK);
    assert_int_equal(sluice_dma_unmap(world.dma, chunks[1].address, 8192, BOTH, "list.c:2"),
                     SLUICE_ERR_NOT_FOUND);
    assert_int_equal(world.misuses, 1);
    world.misuses = 0;
    assert_int_equal(sluice_dma_unmap_sg(world.dma, &sg, TO_DEVICE, "list.c:3"),
                     SLUICE_ERR_INVALID);
    expect(&world, SLUICE_DMA_WRONG_DIRECTION, "list.c:3", "mapped and live as");
    assert_int_equal(sluice_dma_unmap_sg(world.dma, &sg, BOTH, "list.c:4"), SLUICE_OK);
    assert_int_equal(sluice_dma_unmap_sg(world.dma, &sg, BOTH, "list.c:5"), SLUICE_ERR_NOT_FOUND);
    expect(&world, SLUICE_DMA_UNMAP_TWICE, "list.c:5", "unmapped already");
    dma_world_finish(&world);
}

static void test_many(void **state)
{
    struct sluice_dma_chunk chunks[5];
    struct sluice_pages memory;
    struct dma_world world;

    (void)state;
    start(&world);
    memory = dma_memory(&world, 0, 0x19);
    for (unsigned i = 0; i < 5; i++)
        chunks[i] = (struct sluice_dma_chunk){dma_map(&world, memory.phys, 64, BOTH), 64};
    chunks[2].bytes = 65;
    assert_int_equal(sluice_dma_unmap_many(world.dma, chunks, 5, BOTH, "many"), SLUICE_ERR_INVALID);
    expect(&world, SLUICE_DMA_WRONG_SIZE, "many", "another size");
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(dma_reads(&world, chunks[i].address) == -1, i != 2);
    dma_unmap(&world, chunks[2].address, 64, BOTH);
    dma_memory_free(&world, memory, 0);
    dma_world_finish(&world);
}

/** What a device does after, beyond, or against its mapping, told from the hardware's fault. */
static void test_faults(void **state)
{
    struct sluice_pages memory;
    struct sluice_dma_misuse misuse;
    struct dma_world world;
    sluice_iova_t address;

    (void)state;
    start(&world);
    memory = dma_memory(&world, 0, 0x31);
    assert_int_equal(sluice_dma_map(world.dma, memory.phys, 700, TO_DEVICE, "tx.c:1", &address),
                     SLUICE_OK);
    assert_int_equal(dma_reads(&world, address), 0x31);
    assert_false(dma_writes(&world, address, 1));
    (void)sluice_fault_poll(world.scene.sluice);
    expect(&world, SLUICE_DMA_USE_WRONG_WAY, NULL, "used a mapping the wrong way");
    assert_int_equal(world.misuse.flags, FROM_DEVICE);
    assert_int_equal(dma_reads(&world, address + DMA_PAGE), -1);
    (void)sluice_fault_poll(world.scene.sluice);
    expect(&world, SLUICE_DMA_USE_BEYOND, NULL, "ran over the end of a mapping");
    assert_int_equal(sluice_dma_unmap(world.dma, address, 700, TO_DEVICE, "tx.c:9"), SLUICE_OK);
    model_host_clock_advance(world.scene.machine->host, 7000000);
    assert_int_equal(dma_reads(&world, address), -1);
    (void)sluice_fault_poll(world.scene.sluice);
    expect(&world, SLUICE_DMA_USE_AFTER_UNMAP, NULL,
           "700 bytes to the device, at tx.c:1, unmapped 7");
    assert_string_equal(world.misuse.unmapped_site, "tx.c:9");
    assert_in_range(world.misuse.age_ns, 7000000, 8000000);
    assert_int_equal(sluice_dma_explain_fault(world.scene.sluice, &world.scene.fault, &misuse),
                     SLUICE_OK);
    assert_int_equal(misuse.kind, SLUICE_DMA_USE_AFTER_UNMAP);
    /* Far from anything: nothing is known, and nothing is made up. */
    assert_int_equal(dma_reads(&world, 0x123456000), -1);
    (void)sluice_fault_poll(world.scene.sluice);
    assert_int_equal(world.misuses, 0);
    assert_int_equal(sluice_dma_explain_fault(world.scene.sluice, &world.scene.fault, &misuse),
                     SLUICE_ERR_NOT_FOUND);
    dma_memory_free(&world, memory, 0);
    dma_world_finish(&world);
}

static void test_leaks(void **state)
{
    struct sluice_dma_buffer buffer;
    struct dma_world world;
    sluice_iova_t address;

    (void)state;
    start(&world);
    assert_int_equal(sluice_dma_map(world.dma, 0x1000, 10, TO_DEVICE, "leak.c:1", &address),
                     SLUICE_OK);
    assert_int_equal(sluice_dma_alloc(world.dma, 20, 0, "leak.c:2", &buffer), SLUICE_OK);
    assert_int_equal(sluice_dma_free(world.dma, &buffer, NULL), SLUICE_OK);
    assert_int_equal(sluice_dma_close(world.dma), SLUICE_ERR_BUSY);
    expect(&world, SLUICE_DMA_LEAK, NULL, "closed with this still mapped");
    assert_string_equal(world.misuse.mapped_site, "leak.c:1");
    scene_forget(world.device);
    assert_int_equal(sluice_domain_destroy(world.domain), SLUICE_OK);
    scene_finish(&world.scene);
}

/** A new domain's addresses have no history, though its memory may be where the old one's was. */
static void test_new_domain(void **state)
{
    struct sluice_dma_config config = {.address_bits = 64};
    struct dma_world world;
    sluice_iova_t address;

    (void)state;
    start(&world);
    address = dma_map(&world, 0x1000, 10, TO_DEVICE);
    dma_unmap(&world, address, 10, TO_DEVICE);
    assert_int_equal(sluice_dma_close(world.dma), SLUICE_OK);
    assert_int_equal(sluice_domain_detach(world.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(world.domain), SLUICE_OK);
    world.domain = scene_domain(&world.scene, SLUICE_DOMAIN_DMA);
    assert_int_equal(sluice_domain_attach(world.domain, world.device), SLUICE_OK);
    config.device = world.device;
    assert_int_equal(sluice_dma_open(world.scene.sluice, &config, &world.dma), SLUICE_OK);
    assert_int_equal(dma_reads(&world, address), -1);
    (void)sluice_fault_poll(world.scene.sluice);
    assert_int_equal(world.scene.faults, 1);
    assert_int_equal(world.misuses, 0);
    assert_int_equal(sluice_dma_unmap(world.dma, address, 10, TO_DEVICE, NULL),
                     SLUICE_ERR_NOT_FOUND);
    assert_int_equal(world.misuse.kind, SLUICE_DMA_UNMAP_UNKNOWN);
    dma_world_finish(&world);
}

/** One device is checked, where the instance does not ask for it. */
static void test_one_device(void **state)
{
    struct dma_world_config config = dma_world_defaults();
    struct dma_world world;
    sluice_iova_t address;

    (void)state;
    config.dma.check = true;
    dma_world_start(&world, &config);
    address = dma_map(&world, 0x1000, 10, TO_DEVICE);
    assert_int_equal(sluice_dma_unmap(world.dma, address, 11, TO_DEVICE, NULL), SLUICE_ERR_INVALID);
    assert_int_equal(world.misuses, 1);
    dma_unmap(&world, address, 10, TO_DEVICE);
    dma_world_finish(&world);
}

/** No memory to remember a mapping: it works all the same, and nobody is accused. */
static void test_out_of_memory(void **state)
{
    struct dma_world world;
    sluice_iova_t address;

    (void)state;
    start(&world);
    address = dma_map(&world, 0x1000, 10, TO_DEVICE);
    dma_unmap(&world, address, 10, TO_DEVICE);
    model_host_fail_allocation(world.scene.machine->host, 0, true);
    address = dma_map(&world, 0x1000, 10, TO_DEVICE);
    model_host_fail_no_more(world.scene.machine->host);
    dma_unmap(&world, address, 10, TO_DEVICE);
    assert_int_equal(world.misuses, 0);
    assert_int_equal(sluice_dma_unmap(world.dma, 0x5000, 10, TO_DEVICE, NULL),
                     SLUICE_ERR_NOT_FOUND);
    assert_int_equal(world.misuses, 1);
    dma_world_finish(&world);
}

/** One buffer mapped twice without an IOMMU has one address; either unmap is right. */
static void test_same_address_twice(void **state)
{
    struct dma_world_config config = dma_world_defaults();
    struct dma_world world;
    sluice_iova_t to, both;

    (void)state;
    config.check = true;
    config.bare = true;
    dma_world_start(&world, &config);
    to = dma_map(&world, 0x1000, 10, TO_DEVICE);
    both = dma_map(&world, 0x1000, 20, BOTH);
    assert_true(to == both);
    dma_unmap(&world, to, 10, TO_DEVICE);
    dma_unmap(&world, both, 20, BOTH);
    assert_int_equal(world.misuses, 0);
    assert_int_equal(sluice_dma_unmap(world.dma, both, 20, BOTH, NULL), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(world.misuse.kind, SLUICE_DMA_UNMAP_TWICE);
    dma_world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unmaps),
        cmocka_unit_test(test_syncs),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_leaks),
        cmocka_unit_test(test_new_domain),
        cmocka_unit_test(test_one_device),
        cmocka_unit_test(test_same_address_twice),
        /* A virtio-iommu needs memory for each mapping, and so has none here. */
        cmocka_unit_test(test_out_of_memory),
    };
    size_t count = sizeof(tests) / sizeof(tests[0]);

    return _cmocka_run_group_tests("tests", tests, scene_on_virtio() ? count - 1 : count, NULL,
                                   NULL);
}
