// SPDX-License-Identifier: MIT
/*
 * Lazy domains: the window after an unmap, and everything that closes it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dma/flush.h"
#include "dma_world.h"

#define WINDOW_NS ((uint64_t)5000000)

static struct dma_world_config lazy_defaults(void)
{
    struct dma_world_config config = dma_world_defaults();

    config.domain.lazy = true;
    config.domain.lazy_window_ns = WINDOW_NS;
    return config;
}

static struct sluice_dma_domain_info info_of(struct dma_world *world)
{
    struct sluice_dma_domain_info info;

    assert_int_equal(sluice_dma_domain_info(world->domain, &info), SLUICE_OK);
    return info;
}

/** A mapping that the unit has cached, unmapped: the state that the window is about. */
static sluice_iova_t open_window(struct dma_world *world, const struct sluice_pages *memory)
{
    sluice_iova_t address = dma_map(world, memory->phys, DMA_PAGE, BOTH);

    assert_int_equal(dma_reads(world, address), 0x71);
    dma_unmap(world, address, DMA_PAGE, BOTH);
    return address;
}

/** The window is open, its length is what it says, and a poll closes it, not before its time. */
static void test_window(void **state)
{
    const struct dma_world_config config = lazy_defaults();
    struct sluice_pages memory;
    struct model_host *host;
    struct dma_world world;
    sluice_iova_t address;
    uint64_t begin, due;

    (void)state;
    dma_world_start(&world, &config);
    host = world.scene.machine->host;
    memory = dma_memory(&world, 0, 0x71);
    assert_true(info_of(&world).lazy);
    assert_int_equal(info_of(&world).window_ns, WINDOW_NS);
    begin = model_host_clock(host);
    address = open_window(&world, &memory);
    due = model_host_poll_at(host);
    assert_in_range(due, begin + WINDOW_NS, model_host_clock(host) + WINDOW_NS);
    assert_int_equal(info_of(&world).queued, 1);
    /* Still cached: this is what lazy costs. */
    assert_int_equal(dma_reads(&world, address), 0x71);
    assert_int_equal(sluice_dma_poll(world.scene.sluice) / 1000000, due / 1000000);
    assert_int_equal(dma_reads(&world, address), 0x71);
    model_host_clock_advance(host, WINDOW_NS);
    assert_true(sluice_dma_poll(world.scene.sluice) == UINT64_MAX);
    assert_int_equal(dma_reads(&world, address), -1);
    assert_int_equal(info_of(&world).queued, 0);
    assert_int_equal(info_of(&world).lazy_flushes, 1);
    assert_int_equal(info_of(&world).strict_flushes, 0);
    /* The next one tells the host again. */
    (void)model_host_poll_at(host);
    address = open_window(&world, &memory);
    assert_true(model_host_poll_at(host) != UINT64_MAX);
    dma_memory_free(&world, memory, 0);
    dma_world_finish(&world);
}

/** An address does not come back before its invalidation, or the device would reach the new one. */
static void test_no_reuse_before(void **state)
{
    const struct dma_world_config config = lazy_defaults();
    struct sluice_pages old, new;
    struct dma_world world;
    sluice_iova_t address, other;

    (void)state;
    dma_world_start(&world, &config);
    old = dma_memory(&world, 0, 0x71);
    new = dma_memory(&world, 0, 0x72);
    for (unsigned i = 0; i < 1000; i++) {
        address = open_window(&world, &old);
        other = dma_map(&world, new.phys, DMA_PAGE, BOTH);
        assert_int_equal(dma_reads(&world, other), 0x72);
        dma_unmap(&world, other, DMA_PAGE, BOTH);
        assert_true(address != other);
    }
    /* The queue was full now and then: a flush for many, and never one each. */
    assert_in_range(info_of(&world).lazy_flushes, 2000 / FLUSH_RING - 1, 2000 / FLUSH_RING + 1);
    assert_int_equal(info_of(&world).strict_flushes, 0);
    assert_true(info_of(&world).queued <= FLUSH_RING);
    dma_memory_free(&world, old, 0);
    dma_memory_free(&world, new, 0);
    dma_world_finish(&world);
}

/** No doorbell for an unmap. */
static void test_touches_no_hardware(void **state)
{
    const struct dma_world_config config = lazy_defaults();
    struct vtd_model_stats before, after;
    struct sluice_pages memory;
    struct dma_world world;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 0, 0x71);
    (void)open_window(&world, &memory);
    vtd_model_stats(world.scene.machine->units[0], &before);
    for (unsigned i = 0; i < FLUSH_RING - 1; i++)
        dma_unmap(&world, dma_map(&world, memory.phys, DMA_PAGE, BOTH), DMA_PAGE, BOTH);
    vtd_model_stats(world.scene.machine->units[0], &after);
    assert_int_equal(after.doorbells, before.doorbells);
    assert_int_equal(after.register_writes, before.register_writes);
    dma_memory_free(&world, memory, 0);
    dma_world_finish(&world);
}

/** What cuts tables off is not kept waiting: tables are freed only after an invalidation. */
static void test_long_ranges_wait_for_nobody(void **state)
{
    const struct dma_world_config config = lazy_defaults();
    struct dma_world world;
    sluice_iova_t address;

    (void)state;
    dma_world_start(&world, &config);
    /* Not aligned, so that it is made of small pages in whole tables. */
    address = dma_map(&world, (uint64_t)1 << 20 | DMA_PAGE, (uint64_t)8 << 20, BOTH);
    dma_unmap(&world, address, (uint64_t)8 << 20, BOTH);
    assert_int_equal(info_of(&world).strict_flushes, 1);
    assert_int_equal(info_of(&world).queued, 0);
    dma_world_finish(&world);
}

static void test_trim_closes(void **state)
{
    const struct dma_world_config config = lazy_defaults();
    struct sluice_pages memory;
    struct dma_world world;
    sluice_iova_t address;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 0, 0x71);
    address = open_window(&world, &memory);
    sluice_dma_trim(world.scene.sluice);
    assert_int_equal(dma_reads(&world, address), -1);
    dma_memory_free(&world, memory, 0);
    dma_world_finish(&world);
}

/** Coherent memory goes back to the host, so it is never lazy. */
static void test_coherent_waits_not(void **state)
{
    const struct dma_world_config config = lazy_defaults();
    struct sluice_dma_buffer buffer;
    struct dma_world world;
    sluice_iova_t address;

    (void)state;
    dma_world_start(&world, &config);
    assert_int_equal(sluice_dma_alloc(world.dma, 100, 0, NULL, &buffer), SLUICE_OK);
    address = buffer.address;
    assert_int_equal(dma_reads(&world, address), 0);
    assert_int_equal(sluice_dma_free(world.dma, &buffer, NULL), SLUICE_OK);
    assert_int_equal(dma_reads(&world, address), -1);
    dma_world_finish(&world);
}

/** An untrusted device finds no window, of nobody's. */
static void test_distrust(void **state)
{
    const struct dma_world_config config = lazy_defaults();
    struct sluice_device *stranger;
    struct sluice_pages memory;
    struct dma_world world;
    sluice_iova_t address;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 0, 0x71);
    address = open_window(&world, &memory);
    stranger = dma_world_add(&world, DMA_RID_2, true);
    assert_int_equal(scene_reads(&world.scene, MACHINE_DEV_B, address), -1);
    assert_int_equal(dma_reads(&world, address), -1);
    assert_false(info_of(&world).lazy);
    address = open_window(&world, &memory);
    assert_int_equal(dma_reads(&world, address), -1);
    assert_int_equal(info_of(&world).queued, 0);
    scene_forget(stranger);
    dma_memory_free(&world, memory, 0);
    dma_world_finish(&world);
    /* Also when it was there first. */
    {
        struct dma_world_config untrusted = lazy_defaults();

        untrusted.untrusted = true;
        dma_world_start(&world, &untrusted);
        memory = dma_memory(&world, 0, 0x71);
        assert_false(info_of(&world).lazy);
        address = open_window(&world, &memory);
        assert_int_equal(dma_reads(&world, address), -1);
        dma_memory_free(&world, memory, 0);
        dma_world_finish(&world);
    }
}

/** A flush that no unit confirms: nothing of the queue is ever handed out again. */
static void test_no_answer(void **state)
{
    const struct vtd_model_injection lost = {.wait_never_written = true};
    const struct vtd_model_injection none = {0};
    const struct dma_world_config config = lazy_defaults();
    struct sluice_pages memory;
    struct dma_world world;
    sluice_iova_t address[3], other;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 0, 0x71);
    for (unsigned i = 0; i < 3; i++)
        address[i] = open_window(&world, &memory);
    vtd_model_inject(world.scene.machine->units[0], &lost);
    sluice_dma_trim(world.scene.sluice);
    vtd_model_inject(world.scene.machine->units[0], &none);
    assert_int_equal(info_of(&world).withheld_bytes, 3 * DMA_PAGE);
    assert_int_equal(info_of(&world).queued, 0);
    /* From now on nobody is told that an unmap was confirmed. */
    assert_false(info_of(&world).lazy);
    other = dma_map(&world, memory.phys, DMA_PAGE, BOTH);
    for (unsigned i = 0; i < 3; i++)
        assert_true(other != address[i]);
    assert_int_not_equal(sluice_dma_unmap(world.dma, other, DMA_PAGE, BOTH, NULL), SLUICE_OK);
    dma_memory_free(&world, memory, 0);
    assert_int_equal(sluice_dma_close(world.dma), SLUICE_OK);
    if (sluice_domain_detach(world.device) != SLUICE_OK)
        assert_null(sluice_device_domain(world.device));
    assert_int_equal(sluice_device_remove(world.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(world.domain), SLUICE_OK);
    assert_int_equal(sluice_stop(world.scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_destroy(world.scene.sluice), SLUICE_OK);
    assert_true(machine_destroy(world.scene.machine) > 0);
}

/**
 * What a queue gives back goes where it came from, whatever stands beside it: a device that
 * reaches 32 bits never gets an address of one that reaches more; and blocks of all sizes come
 * back whole.
 */
static void test_each_to_its_own(void **state)
{
    const struct sluice_dma_config narrow = {.address_bits = 32};
    const struct dma_world_config config = lazy_defaults();
    struct sluice_dma_config other = narrow;
    struct sluice_pages memory;
    struct sluice_dma *dma;
    struct dma_world world;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 3, 0x71);
    other.device = dma_world_add(&world, DMA_RID_2, false);
    assert_int_equal(sluice_dma_open(world.scene.sluice, &other, &dma), SLUICE_OK);
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t bytes = DMA_PAGE * (i % 7 == 0 ? 1 + i % 8 : 1);
        sluice_iova_t wide = dma_map(&world, memory.phys, bytes, BOTH);
        sluice_iova_t low;

        assert_int_equal(sluice_dma_map(dma, memory.phys, bytes, BOTH, SLUICE_HERE, &low),
                         SLUICE_OK);
        assert_true(wide >> 32 != 0);
        assert_true(low + bytes <= (sluice_iova_t)1 << 32);
        assert_int_equal(dma_reads(&world, wide + bytes - 1), 0x71);
        assert_int_equal(scene_reads(&world.scene, MACHINE_DEV_B, low + bytes - 1), 0x71);
        dma_unmap(&world, wide, bytes, BOTH);
        assert_int_equal(sluice_dma_unmap(dma, low, bytes, BOTH, SLUICE_HERE), SLUICE_OK);
    }
    assert_true(info_of(&world).lazy_flushes > 4);
    assert_int_equal(sluice_dma_close(dma), SLUICE_OK);
    scene_forget(other.device);
    dma_memory_free(&world, memory, 3);
    dma_world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_no_reuse_before),
        cmocka_unit_test(test_touches_no_hardware),
        cmocka_unit_test(test_long_ranges_wait_for_nobody),
        cmocka_unit_test(test_trim_closes),
        cmocka_unit_test(test_coherent_waits_not),
        cmocka_unit_test(test_each_to_its_own),
        cmocka_unit_test(test_distrust),
        cmocka_unit_test(test_no_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
