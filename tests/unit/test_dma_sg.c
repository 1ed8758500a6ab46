// SPDX-License-Identifier: MIT
/*
 * Lists: how segments become chunks, and that a device walking the chunks meets the segments' bytes
 * in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dma_world.h"

#define CHUNKS 64u

/** Reads the list through the device, at every 61st byte, which says how many came before. */
static bool device_reads_all(struct dma_world *world, const struct sluice_dma_sg *sg)
{
    uint64_t before = 0;

    for (unsigned i = 0; i < sg->chunk_count; i++) {
        for (uint64_t j = 0; j < sg->chunks[i].bytes; j++, before++) {
            if (before % 61 == 0 &&
                dma_reads(world, sg->chunks[i].address + j) != (int)((before / 61) & 0xff))
                return false;
        }
    }
    return before != 0;
}

static uint64_t chunk_bytes(const struct sluice_dma_sg *sg)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < sg->chunk_count; i++)
        bytes += sg->chunks[i].bytes;
    return bytes;
}

/** Scattered whole pages are one chunk; what does not fit together is not. */
static void test_merging(void **state)
{
    const struct dma_world_config config = dma_world_defaults();
    struct sluice_dma_chunk chunks[CHUNKS];
    struct sluice_dma_segment segments[8];
    struct sluice_dma_sg sg = {segments, 8, chunks, CHUNKS, 0};
    struct sluice_pages pages[8];
    struct dma_world world;

    (void)state;
    dma_world_start(&world, &config);
    for (unsigned i = 0; i < 8; i++)
        pages[i] = dma_memory(&world, 0, (uint8_t)(0x10 + i));
    for (unsigned i = 0; i < 8; i++)
        segments[i] = (struct sluice_dma_segment){pages[7 - i].phys, DMA_PAGE};
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, BOTH, NULL), SLUICE_OK);
    assert_int_equal(sg.chunk_count, 1);
    assert_int_equal(chunks[0].bytes, 8 * DMA_PAGE);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(dma_reads(&world, chunks[0].address + i * DMA_PAGE), 0x17 - i);
    assert_int_equal(sluice_dma_unmap_sg(world.dma, &sg, BOTH, NULL), SLUICE_OK);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(dma_reads(&world, chunks[0].address + i * DMA_PAGE), -1);
    assert_int_equal(sluice_dma_unmap_sg(world.dma, &sg, BOTH, NULL), SLUICE_ERR_NOT_FOUND);
    /* The third ends early, the fifth begins late: two gaps. */
    segments[2].bytes = 100;
    segments[4].phys += 200;
    segments[4].bytes -= 200;
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, BOTH, NULL), SLUICE_OK);
    assert_int_equal(sg.chunk_count, 3);
    assert_int_equal(chunks[0].bytes, 2 * DMA_PAGE + 100);
    assert_int_equal(chunks[1].bytes, DMA_PAGE);
    assert_int_equal(chunks[2].bytes, 4 * DMA_PAGE - 200);
    assert_int_equal(chunks[2].address & (DMA_PAGE - 1), 200);
    assert_int_equal(dma_reads(&world, chunks[1].address), 0x14);
    assert_int_equal(dma_reads(&world, chunks[2].address), 0x13);
    assert_int_equal(sluice_dma_unmap_sg(world.dma, &sg, BOTH, NULL), SLUICE_OK);
    for (unsigned i = 0; i < 8; i++)
        dma_memory_free(&world, pages[i], 0);
    dma_world_finish(&world);
}

/** A buffer cut into segments is one chunk again, wherever it was cut. */
static void test_contiguous(void **state)
{
    const uint64_t cuts[] = {1, 4000, 4096, 4097, 12000, 20000};
    const struct dma_world_config config = dma_world_defaults();
    struct sluice_dma_chunk chunks[CHUNKS];
    struct sluice_dma_segment segments[7];
    struct sluice_dma_sg sg = {segments, 7, chunks, CHUNKS, 0};
    struct sluice_pages memory;
    struct dma_world world;
    uint64_t at = 0;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 3, 0x44);
    for (unsigned i = 0; i < 7; i++) {
        uint64_t end = i < 6 ? cuts[i] : 30000;

        segments[i] = (struct sluice_dma_segment){memory.phys + 77 + at, end - at};
        at = end;
    }
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, TO_DEVICE, NULL), SLUICE_OK);
    assert_int_equal(sg.chunk_count, 1);
    assert_int_equal(chunks[0].bytes, 30000);
    assert_int_equal(chunks[0].address & (DMA_PAGE - 1), 77);
    assert_int_equal(dma_reads(&world, chunks[0].address + 29999), 0x44);
    assert_int_equal(sluice_dma_unmap_sg(world.dma, &sg, TO_DEVICE, NULL), SLUICE_OK);
    dma_memory_free(&world, memory, 3);
    dma_world_finish(&world);
}

/** Chunks obey the device's limits, and lose no byte by it. */
static void test_limits(void **state)
{
    struct dma_world_config config = dma_world_defaults();
    struct sluice_dma_chunk chunks[CHUNKS];
    struct sluice_dma_segment segments[2];
    struct sluice_dma_sg sg = {segments, 2, chunks, CHUNKS, 0};
    struct sluice_pages memory;
    struct dma_world world;
    uint8_t *bytes;

    (void)state;
    config.dma.boundary_bytes = 0x4000;
    config.dma.segment_bytes = 61 * 100;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 5, 0);
    bytes = memory.virt;
    for (unsigned i = 0; i < 61 * 2000; i++)
        bytes[i] = (uint8_t)(i / 61);
    segments[0] = (struct sluice_dma_segment){memory.phys, 61 * 1000};
    segments[1] = (struct sluice_dma_segment){memory.phys + 61 * 1000, 61 * 1000};
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, TO_DEVICE, NULL), SLUICE_OK);
    assert_int_equal(chunk_bytes(&sg), 61 * 2000);
    for (unsigned i = 0; i < sg.chunk_count; i++) {
        assert_true(chunks[i].bytes <= 61 * 100);
        assert_int_equal(chunks[i].address / 0x4000,
                         (chunks[i].address + chunks[i].bytes - 1) / 0x4000);
    }
    assert_true(device_reads_all(&world, &sg));
    assert_int_equal(sluice_dma_unmap_sg(world.dma, &sg, TO_DEVICE, NULL), SLUICE_OK);
    /* Too little room: told how much there must be, and nothing is mapped. */
    sg.chunk_capacity = 5;
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, TO_DEVICE, NULL), SLUICE_ERR_NO_SPACE);
    assert_in_range(sg.chunk_count, 20, CHUNKS);
    assert_int_equal(dma_reads(&world, chunks[0].address), -1);
    dma_memory_free(&world, memory, 5);
    dma_world_finish(&world);
}

static void test_boundary_only(void **state)
{
    struct dma_world_config config = dma_world_defaults();
    struct sluice_dma_chunk chunks[CHUNKS];
    struct sluice_dma_segment segment;
    struct sluice_dma_sg sg = {&segment, 1, chunks, CHUNKS, 0};
    struct sluice_pages memory;
    struct dma_world world;
    uint8_t *bytes;

    (void)state;
    config.dma.boundary_bytes = (uint64_t)1 << 16;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 4, 0);
    bytes = memory.virt;
    for (unsigned i = 0; i < 61 * 1000; i++)
        bytes[i] = (uint8_t)(i / 61);
    segment = (struct sluice_dma_segment){memory.phys, 61 * 1000};
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, TO_DEVICE, NULL), SLUICE_OK);
    /* Less than the boundary is never cut: the address is aligned to its size. */
    assert_int_equal(sg.chunk_count, 1);
    assert_true(device_reads_all(&world, &sg));
    assert_int_equal(sluice_dma_unmap_sg(world.dma, &sg, TO_DEVICE, NULL), SLUICE_OK);
    dma_memory_free(&world, memory, 4);
    dma_world_finish(&world);
}

/** Longer than what is mapped in one go. */
static void test_long_list(void **state)
{
    const struct dma_world_config config = dma_world_defaults();
    struct sluice_dma_segment segments[500];
    struct sluice_dma_chunk chunks[500];
    struct sluice_dma_sg sg = {segments, 500, chunks, 500, 0};
    struct sluice_pages memory;
    struct dma_world world;
    uint8_t *bytes;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 10, 0);
    bytes = memory.virt;
    for (unsigned i = 0; i < 500; i++) {
        unsigned page = i * 401 % 1024;

        memset(bytes + page * DMA_PAGE, (int)(i & 0xff), DMA_PAGE);
        segments[i] = (struct sluice_dma_segment){memory.phys + page * DMA_PAGE, DMA_PAGE};
    }
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, BOTH, NULL), SLUICE_OK);
    assert_int_equal(sg.chunk_count, 1);
    for (unsigned i = 0; i < 500; i++)
        assert_int_equal(dma_reads(&world, chunks[0].address + i * DMA_PAGE), i & 0xff);
    assert_int_equal(sluice_dma_unmap_sg(world.dma, &sg, BOTH, NULL), SLUICE_OK);
    for (unsigned i = 0; i < 500; i++)
        assert_int_equal(dma_reads(&world, chunks[0].address + i * DMA_PAGE), -1);
    dma_memory_free(&world, memory, 10);
    dma_world_finish(&world);
}

static void test_arguments(void **state)
{
    const struct dma_world_config config = dma_world_defaults();
    struct sluice_dma_chunk chunk;
    struct sluice_dma_segment segment = {0x1000, 10};
    struct sluice_dma_sg sg = {&segment, 1, &chunk, 1, 0};
    struct dma_world world;

    (void)state;
    dma_world_start(&world, &config);
    assert_int_equal(sluice_dma_map_sg(NULL, &sg, BOTH, NULL), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_dma_map_sg(world.dma, NULL, BOTH, NULL), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, 0, NULL), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_dma_unmap_sg(world.dma, &sg, BOTH, NULL), SLUICE_ERR_INVALID);
    sg.segment_count = 0;
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, BOTH, NULL), SLUICE_ERR_INVALID);
    sg.segment_count = 1;
    segment.bytes = 0;
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, BOTH, NULL), SLUICE_ERR_INVALID);
    segment = (struct sluice_dma_segment){UINT64_MAX - 5, 10};
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, BOTH, NULL), SLUICE_ERR_RANGE);
    /* One segment that no unit can reach: the ones before are taken back. */
    {
        struct sluice_dma_segment three[3] = {{0x1000, 4096}, {0x5000, 4096}, {1ull << 58, 4096}};
        struct sluice_dma_chunk chunks[3];
        struct sluice_dma_sg list = {three, 3, chunks, 3, 0};

        assert_int_equal(sluice_dma_map_sg(world.dma, &list, BOTH, NULL), SLUICE_ERR_RANGE);
        assert_int_equal(dma_reads(&world, chunks[0].address), -1);
    }
    dma_world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merging),   cmocka_unit_test(test_contiguous),
        cmocka_unit_test(test_limits),    cmocka_unit_test(test_boundary_only),
        cmocka_unit_test(test_long_list), cmocka_unit_test(test_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
