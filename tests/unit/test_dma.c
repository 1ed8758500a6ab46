// SPDX-License-Identifier: MIT
/*
 * The DMA API in a strict domain: what the device reaches, where, and for how long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dma_world.h"

static void test_one_buffer(void **state)
{
    const struct dma_world_config config = dma_world_defaults();
    struct sluice_pages memory;
    struct dma_world world;
    sluice_iova_t address;
    uint8_t *bytes;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 1, 0x41);
    bytes = memory.virt;
    address = dma_map(&world, memory.phys + 0x123, 5000, BOTH);
    assert_int_equal(address & (DMA_PAGE - 1), 0x123);
    assert_true(address != memory.phys + 0x123);
    assert_int_equal(dma_reads(&world, address), 0x41);
    assert_true(dma_writes(&world, address + 4999, 0x42));
    assert_int_equal(bytes[0x123 + 4999], 0x42);
    /* Two pages are mapped, and none beside them; nor is memory itself reached. */
    assert_int_equal(dma_reads(&world, (address & ~(DMA_PAGE - 1)) + 2 * DMA_PAGE), -1);
    assert_int_equal(dma_reads(&world, (address & ~(DMA_PAGE - 1)) - 1), -1);
    assert_int_equal(dma_reads(&world, memory.phys), -1);
    dma_unmap(&world, address, 5000, BOTH);
    assert_int_equal(dma_reads(&world, address), -1);
    assert_false(dma_writes(&world, address + 4999, 0x43));
    assert_int_equal(bytes[0x123 + 4999], 0x42);
    assert_int_equal(sluice_dma_unmap(world.dma, address, 5000, BOTH, NULL), SLUICE_ERR_NOT_FOUND);
    dma_memory_free(&world, memory, 1);
    dma_world_finish(&world);
}

static void test_directions(void **state)
{
    const struct dma_world_config config = dma_world_defaults();
    struct sluice_pages memory;
    struct dma_world world;
    sluice_iova_t to, from;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 0, 0x11);
    to = dma_map(&world, memory.phys, 64, TO_DEVICE);
    from = dma_map(&world, memory.phys, 64, FROM_DEVICE);
    assert_int_equal(dma_reads(&world, to), 0x11);
    assert_false(dma_writes(&world, to, 0x12));
    assert_int_equal(dma_reads(&world, from), -1);
    assert_true(dma_writes(&world, from, 0x13));
    assert_int_equal(*(uint8_t *)memory.virt, 0x13);
    dma_unmap(&world, to, 64, TO_DEVICE);
    dma_unmap(&world, from, 64, FROM_DEVICE);
    dma_memory_free(&world, memory, 0);
    dma_world_finish(&world);
}

static void test_arguments(void **state)
{
    const struct dma_world_config config = dma_world_defaults();
    struct dma_world world;
    sluice_iova_t address;

    (void)state;
    dma_world_start(&world, &config);
    assert_int_equal(sluice_dma_map(NULL, 0, 1, BOTH, NULL, &address), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_dma_map(world.dma, 0, 0, BOTH, NULL, &address), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_dma_map(world.dma, 0, 1, 0, NULL, &address), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_dma_map(world.dma, 0, 1, BOTH, NULL, NULL), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_dma_map(world.dma, UINT64_MAX, 2, BOTH, NULL, &address),
                     SLUICE_ERR_RANGE);
    assert_int_equal(sluice_dma_map(world.dma, (uint64_t)1 << 60, 1, BOTH, NULL, &address),
                     SLUICE_ERR_RANGE);
    assert_int_equal(sluice_dma_map(world.dma, 0, (uint64_t)1 << 52, BOTH, NULL, &address),
                     SLUICE_ERR_RANGE);
    assert_int_equal(sluice_dma_unmap(world.dma, 0x1000, 0, BOTH, NULL), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_dma_unmap(world.dma, 0x1000, 1, BOTH, NULL), SLUICE_ERR_NOT_FOUND);
    dma_world_finish(&world);
}

/** Addresses stay below what the device can put out, and run out with a clear word. */
static void test_address_bits(void **state)
{
    const unsigned bits[] = {24, 28, 32, 0, 36, 48};

    (void)state;
    for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        struct dma_world_config config = dma_world_defaults();
        uint64_t limit = (uint64_t)1 << (bits[i] != 0 ? bits[i] : 32);
        struct sluice_pages memory;
        sluice_iova_t address;
        struct dma_world world;

        config.dma.address_bits = bits[i];
        dma_world_start(&world, &config);
        memory = dma_memory(&world, 0, 0x21);
        address = dma_map(&world, memory.phys, DMA_PAGE, BOTH);
        assert_true(address + DMA_PAGE <= limit);
        assert_int_equal(dma_reads(&world, address), 0x21);
        dma_unmap(&world, address, DMA_PAGE, BOTH);
        dma_memory_free(&world, memory, 0);
        dma_world_finish(&world);
    }
}

static void test_addresses_run_out(void **state)
{
    struct dma_world_config config = dma_world_defaults();
    sluice_iova_t taken[64], address;
    struct dma_world world;
    unsigned count = 0;

    (void)state;
    config.dma.address_bits = 24;
    dma_world_start(&world, &config);
    while (count < 64 && sluice_dma_map(world.dma, 0, 1 << 20, BOTH, NULL, &address) == SLUICE_OK)
        taken[count++] = address;
    assert_in_range(count, 14, 16); /* 16 MiB, without its first page */
    assert_int_equal(sluice_dma_map(world.dma, 0, 1 << 20, BOTH, NULL, &address),
                     SLUICE_ERR_NO_SPACE);
    while (count > 0)
        dma_unmap(&world, taken[--count], 1 << 20, BOTH);
    address = dma_map(&world, 0, 1 << 20, BOTH);
    dma_unmap(&world, address, 1 << 20, BOTH);
    dma_world_finish(&world);
}

static void test_large_pages(void **state)
{
    const struct dma_world_config config = dma_world_defaults();
    struct sluice_mapping mapping;
    struct dma_world world;
    sluice_iova_t address;

    (void)state;
    dma_world_start(&world, &config);
    address = dma_map(&world, (uint64_t)4 << 20, (uint64_t)4 << 20, BOTH);
    assert_int_equal(sluice_domain_lookup(world.domain, address, &mapping), SLUICE_OK);
    assert_int_equal(mapping.page_bytes, 1 << 21);
    dma_unmap(&world, address, (uint64_t)4 << 20, BOTH);
    dma_world_finish(&world);
}

/** What a DMA API has open, nobody else changes. */
static void test_who_owns_what(void **state)
{
    const struct dma_world_config config = dma_world_defaults();
    struct sluice_dma_config second = {.address_bits = 64};
    struct sluice_domain *other, *mapped;
    struct sluice_device *device;
    struct sluice_dma *dma;
    struct dma_world world;

    (void)state;
    dma_world_start(&world, &config);
    other = scene_domain(&world.scene, SLUICE_DOMAIN_DMA);
    assert_int_equal(sluice_domain_attach(other, world.device), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_domain_detach(world.device), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_device_remove(world.device), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_domain_map(world.domain, SCENE_IOVA, 0, DMA_PAGE, SCENE_READWRITE),
                     SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_unmap(world.domain, SCENE_IOVA, DMA_PAGE, NULL),
                     SLUICE_ERR_DENIED);
    second.device = world.device;
    assert_int_equal(sluice_dma_open(world.scene.sluice, &second, &dma), SLUICE_ERR_BUSY);
    /* A device in no domain, in one of another kind, and in one that its caller has mapped. */
    device = scene_device(&world.scene, DMA_RID_2);
    second.device = device;
    assert_int_equal(sluice_dma_open(world.scene.sluice, &second, &dma), SLUICE_ERR_STATE);
    assert_int_equal(sluice_domain_attach(other, device), SLUICE_OK);
    assert_int_equal(sluice_domain_map(other, SCENE_IOVA, 0, DMA_PAGE, SCENE_READWRITE), SLUICE_OK);
    assert_int_equal(sluice_dma_open(world.scene.sluice, &second, &dma), SLUICE_ERR_EXISTS);
    mapped = scene_domain(&world.scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_attach(mapped, device), SLUICE_OK);
    assert_int_equal(sluice_dma_open(world.scene.sluice, &second, &dma), SLUICE_ERR_DENIED);
    second.address_bits = 16;
    assert_int_equal(sluice_dma_open(world.scene.sluice, &second, &dma), SLUICE_ERR_INVALID);
    scene_forget(device);
    dma_world_finish(&world);
}

/** Two devices of one domain have different addresses, and either sees the other's memory. */
static void test_shared_domain(void **state)
{
    const struct dma_world_config config = dma_world_defaults();
    struct sluice_dma_config second = {.address_bits = 64};
    struct sluice_dma_domain_info info;
    struct sluice_pages memory;
    sluice_iova_t first, other;
    struct sluice_dma *dma;
    struct dma_world world;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 1, 0x33);
    second.device = dma_world_add(&world, DMA_RID_2, false);
    assert_int_equal(sluice_dma_open(world.scene.sluice, &second, &dma), SLUICE_OK);
    first = dma_map(&world, memory.phys, DMA_PAGE, BOTH);
    assert_int_equal(sluice_dma_map(dma, memory.phys + DMA_PAGE, DMA_PAGE, BOTH, NULL, &other),
                     SLUICE_OK);
    assert_true(first != other);
    assert_int_equal(scene_reads(&world.scene, MACHINE_DEV_B, first), 0x33);
    assert_int_equal(sluice_dma_domain_info(world.domain, &info), SLUICE_OK);
    assert_int_equal(info.usage.live, 2);
    assert_int_equal(info.usage.bytes, 2 * DMA_PAGE);
    assert_int_equal(sluice_dma_unmap(dma, other, DMA_PAGE, BOTH, NULL), SLUICE_OK);
    assert_int_equal(sluice_dma_close(dma), SLUICE_OK);
    scene_forget(second.device);
    /* The first goes on as if nothing had been. */
    assert_int_equal(dma_reads(&world, first), 0x33);
    dma_unmap(&world, first, DMA_PAGE, BOTH);
    dma_memory_free(&world, memory, 1);
    dma_world_finish(&world);
}

static void test_counters(void **state)
{
    const struct dma_world_config config = dma_world_defaults();
    struct sluice_dma_domain_info domain;
    struct sluice_dma_info info;
    sluice_iova_t at[200];
    struct dma_world world;

    (void)state;
    dma_world_start(&world, &config);
    for (unsigned i = 0; i < 200; i++)
        at[i] = dma_map(&world, (uint64_t)i << 12, 100, BOTH);
    sluice_dma_info(world.dma, &info);
    assert_true(info.translated && !info.untrusted && info.last_address == UINT64_MAX);
    assert_string_equal(info.name, "0000:00:03.0 'nic'");
    assert_int_equal(info.usage.live, 200);
    assert_int_equal(info.usage.bytes, 20000);
    for (unsigned i = 0; i < 150; i++)
        dma_unmap(&world, at[i], 100, BOTH);
    sluice_dma_info(world.dma, &info);
    assert_int_equal(info.maps, 200);
    assert_int_equal(info.unmaps, 150);
    assert_int_equal(info.usage.live, 50);
    assert_int_equal(info.usage.live_most, 200);
    assert_int_equal(info.usage.bytes_most, 20000);
    assert_int_equal(info.failures + info.misuses + info.bounced, 0);
    assert_int_equal(sluice_dma_domain_info(world.domain, &domain), SLUICE_OK);
    assert_false(domain.lazy);
    assert_int_equal(domain.strict_flushes, 150);
    assert_int_equal(domain.lazy_flushes + domain.queued + domain.withheld_bytes, 0);
    assert_int_equal(domain.iova_allocs, 200);
    assert_true(domain.iova_hits > 150 && domain.iova_metadata_bytes > 0);
    for (unsigned i = 150; i < 200; i++)
        dma_unmap(&world, at[i], 100, BOTH);
    dma_world_finish(&world);
}

/** Many unmaps, one invalidation. */
static void test_unmap_many(void **state)
{
    const struct dma_world_config config = dma_world_defaults();
    struct sluice_dma_domain_info before, after;
    struct sluice_dma_chunk chunks[100];
    struct sluice_pages memory;
    struct dma_world world;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 0, 0x61);
    for (unsigned i = 0; i < 100; i++) {
        chunks[i].bytes = 1 + i * 7;
        chunks[i].address = dma_map(&world, memory.phys + i, chunks[i].bytes, TO_DEVICE);
        assert_int_equal(dma_reads(&world, chunks[i].address), 0x61);
    }
    assert_int_equal(sluice_dma_domain_info(world.domain, &before), SLUICE_OK);
    assert_int_equal(sluice_dma_unmap_many(world.dma, chunks, 100, TO_DEVICE, NULL), SLUICE_OK);
    assert_int_equal(sluice_dma_domain_info(world.domain, &after), SLUICE_OK);
    assert_int_equal(after.strict_flushes, before.strict_flushes + 1);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(dma_reads(&world, chunks[i].address), -1);
    /* A wrong one among them is left out, and the others are done. */
    for (unsigned i = 0; i < 100; i++)
        chunks[i].address = dma_map(&world, memory.phys, chunks[i].bytes, TO_DEVICE);
    dma_unmap(&world, chunks[40].address, chunks[40].bytes, TO_DEVICE);
    assert_int_equal(sluice_dma_unmap_many(world.dma, chunks, 100, TO_DEVICE, NULL),
                     SLUICE_ERR_NOT_FOUND);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(dma_reads(&world, chunks[i].address), -1);
    dma_memory_free(&world, memory, 0);
    dma_world_finish(&world);
}

/** Memory of another device: mapped as it is, without asking for it to be snooped. */
static void test_mmio(void **state)
{
    const struct dma_world_config config = dma_world_defaults();
    const sluice_phys_t bar = 0xe0000000;
    struct sluice_mapping mapping;
    struct dma_world world;
    sluice_iova_t address;

    (void)state;
    dma_world_start(&world, &config);
    assert_int_equal(sluice_dma_map_mmio(world.dma, bar + 0x40, 0x2000, BOTH, NULL, &address),
                     SLUICE_OK);
    assert_int_equal(sluice_domain_lookup(world.domain, address, &mapping), SLUICE_OK);
    assert_true(mapping.phys == bar + 0x40);
    assert_int_equal(sluice_domain_lookup(world.domain, address + 0x1fff, &mapping), SLUICE_OK);
    assert_true(mapping.phys == bar + 0x203f);
    assert_int_equal(sluice_dma_unmap_mmio(world.dma, address, 0x2000, BOTH, NULL), SLUICE_OK);
    assert_int_equal(sluice_domain_lookup(world.domain, address, &mapping), SLUICE_ERR_NOT_FOUND);
    dma_world_finish(&world);
}

/** Nothing is given out where firmware has memory for a device, or where interrupts go. */
static void test_reserved(void **state)
{
    struct dma_world_config config = dma_world_defaults();
    struct sluice_device *device;
    sluice_iova_t address;
    struct dma_world world;

    (void)state;
    config.dma.address_bits = 32;
    config.scene.machine.regions[0] =
        (struct machine_region){.base = 0x200000, .last = 0x3fffff, .rid = DMA_RID_2};
    dma_world_start(&world, &config);
    /* Joins while addresses are handed out already. */
    device = dma_world_add(&world, DMA_RID_2, false);
    for (unsigned i = 0; i < 4095; i++) {
        if (sluice_dma_map(world.dma, 0, (uint64_t)1 << 20, BOTH, NULL, &address) != SLUICE_OK)
            break;
        assert_false(address < 0x400000 && address + (1 << 20) > 0x200000);
        assert_false(address <= MODEL_WINDOW_LAST && address + (1 << 20) > MODEL_WINDOW_FIRST);
    }
    assert_int_equal(scene_reads(&world.scene, MACHINE_DEV_B, 0x200000), 0);
    assert_int_equal(sluice_dma_close(world.dma), SLUICE_ERR_BUSY);
    assert_true(model_host_logged(world.scene.machine->host, "its driver leaks"));
    scene_forget(device);
    scene_forget(world.device);
    assert_int_equal(sluice_domain_destroy(world.domain), SLUICE_OK);
    scene_finish(&world.scene);
}

/** A unit that does not answer: the buffer must be kept, and its address never comes again. */
/* A unit that remembers what was not there joins while the first one's tables are remembered. */
static void test_absence_remembered(void **state)
{
    struct dma_world_config config = dma_world_defaults();
    struct sluice_device *second;
    struct sluice_pages memory;
    sluice_iova_t address;
    struct dma_world world;

    (void)state;
    config.scene.machine.unit_count = 2;
    config.scene.machine.units[1] = vtd_model_defaults();
    config.scene.machine.units[1].base += 0x10000;
    config.scene.machine.units[1].caching_mode = true;
    config.scene.machine.functions[MACHINE_DEV_B].unit = 1;
    config.scene.machine.scoped = true;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 0, 0x21);
    for (unsigned i = 0; i < 2; i++) {
        address = dma_map(&world, memory.phys, 64, BOTH);
        assert_int_equal(dma_reads(&world, address), 0x21);
        dma_unmap(&world, address, 64, BOTH);
    }
    second = dma_world_add(&world, DMA_RID_2, false);
    assert_int_equal(scene_reads(&world.scene, MACHINE_DEV_B, address), -1);
    assert_true(dma_map(&world, memory.phys, 64, BOTH) == address);
    assert_int_equal(scene_reads(&world.scene, MACHINE_DEV_B, address), 0x21);
    dma_unmap(&world, address, 64, BOTH);
    assert_int_equal(scene_reads(&world.scene, MACHINE_DEV_B, address), -1);
    scene_forget(second);
    dma_memory_free(&world, memory, 0);
    dma_world_finish(&world);
}

static void test_no_answer(void **state)
{
    const struct dma_world_config config = dma_world_defaults();
    const struct vtd_model_injection lost = {.wait_never_written = true};
    const struct vtd_model_injection none = {0};
    struct sluice_dma_domain_info info;
    struct sluice_pages memory;
    sluice_iova_t address, other;
    struct dma_world world;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 0, 0x51);
    address = dma_map(&world, memory.phys, DMA_PAGE, BOTH);
    vtd_model_inject(world.scene.machine->units[0], &lost);
    assert_int_equal(sluice_dma_unmap(world.dma, address, DMA_PAGE, BOTH, NULL),
                     SLUICE_ERR_TIMEOUT);
    vtd_model_inject(world.scene.machine->units[0], &none);
    assert_int_equal(sluice_dma_domain_info(world.domain, &info), SLUICE_OK);
    assert_int_equal(info.withheld_bytes, DMA_PAGE);
    for (unsigned i = 0; i < 300; i++) {
        other = dma_map(&world, memory.phys, DMA_PAGE, BOTH);
        assert_true(other != address);
    }
    dma_memory_free(&world, memory, 0);
    assert_int_equal(sluice_dma_close(world.dma), SLUICE_ERR_BUSY);
    /* What was withheld is not forgotten: nobody hands out this domain's addresses again. */
    assert_int_equal(sluice_dma_open(world.scene.sluice,
                                     &(struct sluice_dma_config){.device = world.device},
                                     &world.dma),
                     SLUICE_ERR_EXISTS);
    /* Whether this is confirmed or not: it is out. */
    if (sluice_domain_detach(world.device) != SLUICE_OK)
        assert_null(sluice_device_domain(world.device));
    assert_int_equal(sluice_device_remove(world.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(world.domain), SLUICE_OK);
    assert_int_equal(sluice_stop(world.scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_destroy(world.scene.sluice), SLUICE_OK);
    /* The tables are withheld too. */
    assert_true(machine_destroy(world.scene.machine) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_buffer),
        cmocka_unit_test(test_directions),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_address_bits),
        cmocka_unit_test(test_addresses_run_out),
        cmocka_unit_test(test_large_pages),
        cmocka_unit_test(test_who_owns_what),
        cmocka_unit_test(test_shared_domain),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_unmap_many),
        cmocka_unit_test(test_mmio),
        cmocka_unit_test(test_reserved),
        cmocka_unit_test(test_absence_remembered),
        cmocka_unit_test(test_no_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
