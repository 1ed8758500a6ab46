// SPDX-License-Identifier: MIT
/*
 * Memory for CPU and device, on hosts with and without vmap, for devices that snoop and that don't.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dma_world.h"

/** Both see what the other writes, at once, anywhere in it. */
static void check_shared(struct dma_world *world, const struct sluice_dma_buffer *buffer)
{
    uint8_t *virt = buffer->virt;

    for (uint64_t at = 0; at < buffer->bytes; at += 1021) {
        assert_int_equal(virt[at], 0);
        virt[at] = (uint8_t)(at / 1021 + 1);
        assert_int_equal(dma_reads(world, buffer->address + at), (uint8_t)(at / 1021 + 1));
        assert_true(dma_writes(world, buffer->address + at, 0xee));
        assert_int_equal(virt[at], 0xee);
    }
}

static void test_block(void **state)
{
    const struct dma_world_config config = dma_world_defaults();
    struct sluice_dma_buffer buffer;
    struct dma_world world;
    sluice_iova_t address;

    (void)state;
    dma_world_start(&world, &config);
    assert_int_equal(sluice_dma_alloc(world.dma, 50000, 0, SLUICE_HERE, &buffer), SLUICE_OK);
    check_shared(&world, &buffer);
    address = buffer.address;
    assert_int_equal(dma_reads(&world, address + 53248), -1);
    assert_int_equal(sluice_dma_free(world.dma, &buffer, NULL), SLUICE_OK);
    assert_null(buffer.hidden);
    assert_int_equal(dma_reads(&world, address), -1);
    assert_int_equal(sluice_dma_free(world.dma, &buffer, NULL), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_dma_alloc(world.dma, 0, 0, NULL, &buffer), SLUICE_ERR_INVALID);
    /* For one direction only. */
    assert_int_equal(sluice_dma_alloc(world.dma, 10, TO_DEVICE, NULL, &buffer), SLUICE_OK);
    assert_int_equal(dma_reads(&world, buffer.address), 0);
    assert_false(dma_writes(&world, buffer.address, 1));
    assert_int_equal(sluice_dma_free(world.dma, &buffer, NULL), SLUICE_OK);
    dma_world_finish(&world);
}

/** Memory in crumbs: one range for both all the same. */
static void test_scattered(void **state)
{
    struct dma_world_config config = dma_world_defaults();
    struct sluice_pages crumbs[512];
    struct sluice_dma_buffer buffer;
    struct sluice_mapping first, second;
    struct dma_world world;
    unsigned left = 0;

    (void)state;
    config.scene.machine.host.extents[0] = (struct model_extent){0x100000, (uint64_t)2 << 20};
    dma_world_start(&world, &config);
    while (left < 512 && model_host_pages_in_use(world.scene.machine->host) + left < 500)
        crumbs[left++] = dma_memory(&world, 0, 0xcc);
    for (unsigned i = 0; i < left; i += 2)
        dma_memory_free(&world, crumbs[i], 0);
    assert_int_equal(sluice_dma_alloc(world.dma, 40 * DMA_PAGE, 0, NULL, &buffer), SLUICE_OK);
    check_shared(&world, &buffer);
    assert_int_equal(sluice_domain_lookup(world.domain, buffer.address, &first), SLUICE_OK);
    assert_int_equal(sluice_domain_lookup(world.domain, buffer.address + DMA_PAGE, &second),
                     SLUICE_OK);
    assert_true(second.phys != first.phys + DMA_PAGE);
    assert_int_equal(sluice_dma_free(world.dma, &buffer, NULL), SLUICE_OK);
    for (unsigned i = 1; i < left; i += 2)
        dma_memory_free(&world, crumbs[i], 0);
    dma_world_finish(&world);
}

/** Without vmap crumbs are no memory, and that is said. */
static void test_no_vmap(void **state)
{
    struct dma_world_config config = dma_world_defaults();
    struct sluice_dma_buffer buffer;
    struct dma_world world;

    (void)state;
    config.scene.machine.host.no_vmap = true;
    dma_world_start(&world, &config);
    assert_int_equal(sluice_dma_alloc(world.dma, 100, SLUICE_DMA_WRITE_COMBINE, NULL, &buffer),
                     SLUICE_OK);
    check_shared(&world, &buffer);
    assert_int_equal(sluice_dma_free(world.dma, &buffer, NULL), SLUICE_OK);
    assert_int_equal(sluice_dma_alloc(world.dma, (uint64_t)64 << 20, 0, NULL, &buffer),
                     SLUICE_ERR_NO_MEMORY);
    dma_world_finish(&world);
}

/** Every allocation on the way may fail, and leaves nothing. */
static void test_out_of_memory(void **state)
{
    const struct dma_world_config config = dma_world_defaults();
    struct machine_footprint before, after;
    struct sluice_dma_buffer buffer;
    struct dma_world world;
    unsigned failed = 0;

    (void)state;
    dma_world_start(&world, &config);
    for (unsigned nth = 0; nth < 40; nth++) {
        enum sluice_status status;

        machine_footprint(world.scene.machine, &before);
        model_host_fail_allocation(world.scene.machine->host, nth, true);
        status = sluice_dma_alloc(world.dma, 5 * DMA_PAGE, SLUICE_DMA_WRITE_COMBINE, NULL, &buffer);
        model_host_fail_no_more(world.scene.machine->host);
        if (status == SLUICE_OK) {
            assert_int_equal(sluice_dma_free(world.dma, &buffer, NULL), SLUICE_OK);
            continue;
        }
        failed++;
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
        assert_null(buffer.virt);
        assert_int_equal(model_host_vmaps(world.scene.machine->host), 0);
        machine_footprint(world.scene.machine, &after);
        /* Tables and slabs may stay for the next one. */
        assert_in_range(after.pages - before.pages, 0, 3);
    }
    assert_in_range(failed, 5, 39);
    dma_world_finish(&world);
}

static struct dma_world_config behind_caches(void)
{
    struct dma_world_config config = dma_world_defaults();

    config.scene.machine.host.non_coherent = true;
    config.dma.non_coherent = true;
    return config;
}

/** A device that does not snoop: uncached for the CPU, so both see the same. */
static void test_uncached(void **state)
{
    const struct dma_world_config config = behind_caches();
    struct sluice_dma_buffer buffer;
    struct dma_world world;

    (void)state;
    dma_world_start(&world, &config);
    model_host_snoop_devices(world.scene.machine->host, false);
    assert_int_equal(sluice_dma_alloc(world.dma, 3 * DMA_PAGE, 0, NULL, &buffer), SLUICE_OK);
    check_shared(&world, &buffer);
    assert_int_equal(sluice_dma_free(world.dma, &buffer, NULL), SLUICE_OK);
    dma_world_finish(&world);
}

/** Streaming for it: clean before, invalidate after, also for parts and lists. */
static void test_caches(void **state)
{
    const struct dma_world_config config = behind_caches();
    struct sluice_dma_chunk chunks[4];
    struct sluice_dma_segment segments[2];
    struct sluice_dma_sg sg = {segments, 2, chunks, 4, 0};
    struct sluice_pages memory;
    struct dma_world world;
    sluice_iova_t address;
    uint8_t *bytes;

    (void)state;
    dma_world_start(&world, &config);
    model_host_snoop_devices(world.scene.machine->host, false);
    memory = dma_memory(&world, 2, 0x11);
    bytes = memory.virt;
    address = dma_map(&world, memory.phys + 64, 3 * DMA_PAGE, BOTH);
    assert_int_equal(dma_reads(&world, address), 0x11);
    assert_int_equal(dma_reads(&world, address + 3 * DMA_PAGE - 1), 0x11);
    bytes[64 + 5000] = 0x12;
    assert_int_equal(dma_reads(&world, address + 5000), 0x11);
    assert_int_equal(sluice_dma_sync_for_device(world.dma, address + 5000, 1, BOTH, NULL),
                     SLUICE_OK);
    assert_int_equal(dma_reads(&world, address + 5000), 0x12);
    assert_true(dma_writes(&world, address + 6000, 0x13));
    assert_true(dma_writes(&world, address + 9000, 0x14));
    assert_int_equal(bytes[64 + 6000], 0x11);
    assert_int_equal(sluice_dma_sync_for_cpu(world.dma, address, 7000, BOTH, NULL), SLUICE_OK);
    assert_int_equal(bytes[64 + 6000], 0x13);
    assert_int_equal(bytes[64 + 9000], 0x11);
    dma_unmap(&world, address, 3 * DMA_PAGE, BOTH);
    assert_int_equal(bytes[64 + 9000], 0x14);
    segments[0] = (struct sluice_dma_segment){memory.phys, DMA_PAGE};
    segments[1] = (struct sluice_dma_segment){memory.phys + 2 * DMA_PAGE, 256};
    bytes[2 * DMA_PAGE + 255] = 0x21;
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, BOTH, NULL), SLUICE_OK);
    assert_int_equal(dma_reads(&world, chunks[0].address + DMA_PAGE + 255), 0x21);
    assert_true(dma_writes(&world, chunks[0].address + 1, 0x22));
    assert_int_equal(bytes[1], 0x11);
    assert_int_equal(sluice_dma_unmap_sg(world.dma, &sg, BOTH, NULL), SLUICE_OK);
    assert_int_equal(bytes[1], 0x22);
    dma_memory_free(&world, memory, 2);
    dma_world_finish(&world);
}

static void test_needs_hooks(void **state)
{
    const struct dma_world_config config = dma_world_defaults();
    struct sluice_dma_config second = {.non_coherent = true};
    struct sluice_dma *dma;
    struct dma_world world;

    (void)state;
    dma_world_start(&world, &config);
    assert_int_equal(sluice_dma_open(world.scene.sluice, &second, &dma), SLUICE_ERR_UNSUPPORTED);
    dma_world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block),       cmocka_unit_test(test_scattered),
        cmocka_unit_test(test_no_vmap),     cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_uncached),    cmocka_unit_test(test_caches),
        cmocka_unit_test(test_needs_hooks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
