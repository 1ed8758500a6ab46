// SPDX-License-Identifier: MIT
/*
 * Bounce memory: untrusted devices see nothing beside a buffer; devices without an IOMMU reach what
 * they can't address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dma_world.h"

#define SECRET 0x5e
#define DATA   0xda

static struct dma_world_config untrusted_defaults(void)
{
    struct dma_world_config config = dma_world_defaults();

    config.untrusted = true;
    return config;
}

/** No IOMMU, a device that reaches 32 bits, and memory of the test above that. */
static struct dma_world_config bare_defaults(void)
{
    struct dma_world_config config = dma_world_defaults();

    config.bare = true;
    config.dma.address_bits = 32;
    config.dma.name = "old";
    return config;
}

/** Memory above 4 GiB that nobody else gets. */
static struct sluice_pages high_memory(struct dma_world *world, unsigned order, uint8_t fill)
{
    struct model_host *host = world->scene.machine->host;
    struct sluice_pages pages = {.phys = (uint64_t)4 << 30};

    model_host_reserve(host, pages.phys, DMA_PAGE << order);
    pages.virt = model_host_virt(host, pages.phys);
    memset(pages.virt, fill, DMA_PAGE << order);
    return pages;
}

static struct sluice_dma_bounce_info bounce_of(struct dma_world *world)
{
    struct sluice_dma_bounce_info info;

    sluice_dma_bounce_info(world->scene.sluice, &info);
    return info;
}

/** Every place and length around the ends of pages: data is reached, and nothing else in the page.
 */
static void test_neighbours(void **state)
{
    const uint64_t offsets[] = {0, 1, 100, 4000, 4095};
    const uint64_t lengths[] = {1, 95, 96, 97, 4096, 4097, 8192, 9000, 12288, 12300};
    const struct dma_world_config config = untrusted_defaults();
    struct sluice_pages memory;
    struct dma_world world;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 3, SECRET);
    for (unsigned i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        for (unsigned j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++) {
            uint8_t *bytes = (uint8_t *)memory.virt + DMA_PAGE + offsets[i];
            uint64_t pages = (offsets[i] + lengths[j] + DMA_PAGE - 1) / DMA_PAGE;
            sluice_iova_t address, base;

            memset(bytes, DATA, lengths[j]);
            address = dma_map(&world, memory.phys + DMA_PAGE + offsets[i], lengths[j], BOTH);
            base = address - offsets[i];
            assert_int_equal(address & (DMA_PAGE - 1), offsets[i]);
            assert_int_equal(dma_reads(&world, address), DATA);
            assert_int_equal(dma_reads(&world, address + lengths[j] - 1), DATA);
            for (uint64_t at = 0; at < pages * DMA_PAGE; at++) {
                bool inside = at >= offsets[i] && at < offsets[i] + lengths[j];
                bool near = at < offsets[i] + 2 || at + 2 > offsets[i] + lengths[j];

                if (!inside || near || at % 509 == 0)
                    assert_int_equal(dma_reads(&world, base + at), inside ? DATA : 0);
            }
            assert_int_equal(dma_reads(&world, base + pages * DMA_PAGE), -1);
            assert_int_equal(dma_reads(&world, base - 1), -1);
            dma_unmap(&world, address, lengths[j], BOTH);
            assert_int_equal(dma_reads(&world, address), -1);
            memset(bytes, SECRET, lengths[j]);
        }
    }
    assert_int_equal(bounce_of(&world).used_bytes, 0);
    assert_true(bounce_of(&world).used_most >= 2 * DMA_PAGE);
    dma_memory_free(&world, memory, 3);
    dma_world_finish(&world);
}

/** What the device writes arrives in the buffer, and what it writes beside it nowhere. */
static void test_hostile_writes(void **state)
{
    const struct dma_world_config config = untrusted_defaults();
    struct sluice_pages memory;
    struct dma_world world;
    sluice_iova_t address;
    uint8_t *bytes;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 2, SECRET);
    bytes = memory.virt;
    address = dma_map(&world, memory.phys + 4000, 5000, FROM_DEVICE);
    for (uint64_t at = 0; at < 3 * DMA_PAGE; at++)
        assert_true(dma_writes(&world, address - 4000 + at, 0x99));
    /* The middle page is the buffer's own; the ends arrive with the unmap. */
    assert_int_equal(bytes[4096], 0x99);
    assert_int_equal(bytes[4000], SECRET);
    dma_unmap(&world, address, 5000, FROM_DEVICE);
    for (unsigned at = 0; at < 4 * DMA_PAGE; at++)
        assert_int_equal(bytes[at], at >= 4000 && at < 9000 ? 0x99 : SECRET);
    dma_memory_free(&world, memory, 2);
    dma_world_finish(&world);
}

/** Bounce pages are used again and again, by one device after the other, and carry nothing over. */
static void test_nothing_is_carried_over(void **state)
{
    const struct dma_world_config config = untrusted_defaults();
    struct sluice_pages memory;
    struct dma_world world;
    sluice_iova_t address;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 0, SECRET);
    address = dma_map(&world, memory.phys + 10, 4000, TO_DEVICE);
    assert_int_equal(dma_reads(&world, address + 3999), SECRET);
    dma_unmap(&world, address, 4000, TO_DEVICE);
    memset(memory.virt, 0x01, DMA_PAGE);
    address = dma_map(&world, memory.phys + 10, 8, TO_DEVICE | SLUICE_DMA_NO_SYNC);
    for (unsigned at = 0; at < DMA_PAGE; at++) {
        int seen = dma_reads(&world, (address & ~(DMA_PAGE - 1)) + at);

        assert_true(seen == 0 || (seen == 0x01 && at >= 10 && at < 18));
    }
    dma_unmap(&world, address, 8, TO_DEVICE | SLUICE_DMA_NO_SYNC);
    dma_memory_free(&world, memory, 0);
    dma_world_finish(&world);
}

/** Parts of a mapping that stays: only they are copied, and only their way. */
static void test_partial_sync(void **state)
{
    const struct dma_world_config config = untrusted_defaults();
    struct sluice_pages memory;
    struct dma_world world;
    sluice_iova_t address;
    uint8_t *bytes;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 1, 0x10);
    bytes = memory.virt;
    address = dma_map(&world, memory.phys + 100, 6000, BOTH);
    bytes[100] = 0x20;
    bytes[200] = 0x21;
    bytes[6099] = 0x22;
    assert_int_equal(sluice_dma_sync_for_device(world.dma, address + 100, 1, BOTH, NULL),
                     SLUICE_OK);
    assert_int_equal(dma_reads(&world, address + 100), 0x21);
    assert_int_equal(dma_reads(&world, address), 0x10);
    assert_int_equal(sluice_dma_sync_for_device(world.dma, address, 6000, BOTH, NULL), SLUICE_OK);
    assert_int_equal(dma_reads(&world, address), 0x20);
    assert_int_equal(dma_reads(&world, address + 5999), 0x22);
    assert_true(dma_writes(&world, address + 1, 0x30));
    assert_true(dma_writes(&world, address + 2, 0x31));
    assert_true(dma_writes(&world, address + 5998, 0x32));
    assert_int_equal(sluice_dma_sync_for_cpu(world.dma, address + 2, 1, BOTH, NULL), SLUICE_OK);
    assert_int_equal(bytes[101], 0x10);
    assert_int_equal(bytes[102], 0x31);
    /* For the other direction nothing moves. */
    assert_int_equal(sluice_dma_sync_for_cpu(world.dma, address, 6000, TO_DEVICE, NULL), SLUICE_OK);
    assert_int_equal(bytes[101], 0x10);
    assert_int_equal(sluice_dma_sync_for_cpu(world.dma, address, 6000, BOTH, NULL), SLUICE_OK);
    assert_int_equal(bytes[101], 0x30);
    assert_int_equal(bytes[100 + 5998], 0x32);
    /* NO_SYNC leaves the last word to the driver. */
    assert_true(dma_writes(&world, address + 3, 0x33));
    dma_unmap(&world, address, 6000, BOTH | SLUICE_DMA_NO_SYNC);
    assert_int_equal(bytes[103], 0x10);
    dma_memory_free(&world, memory, 1);
    dma_world_finish(&world);
}

/** A list of odd pieces: each its own bounce pages, one unmap for all, bytes in order. */
static void test_list(void **state)
{
    const struct dma_world_config config = untrusted_defaults();
    struct sluice_dma_segment segments[40];
    struct sluice_dma_chunk chunks[40];
    struct sluice_dma_sg sg = {segments, 40, chunks, 40, 0};
    struct sluice_dma_domain_info before, after;
    struct sluice_pages memory;
    struct dma_world world;
    uint8_t *bytes;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 5, SECRET);
    bytes = memory.virt;
    for (unsigned i = 0; i < 40; i++) {
        segments[i] = (struct sluice_dma_segment){memory.phys + i * 3000, 1000 + i};
        memset(bytes + i * 3000, (int)i, 1000 + i);
    }
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, BOTH, NULL), SLUICE_OK);
    assert_int_equal(sg.chunk_count, 40);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(chunks[i].bytes, 1000 + i);
        assert_int_equal(dma_reads(&world, chunks[i].address), i);
        assert_int_not_equal(dma_reads(&world, chunks[i].address + 1000 + i), SECRET);
        assert_true(dma_writes(&world, chunks[i].address + 7, 0x77));
    }
    assert_int_equal(sluice_dma_sync_sg_for_cpu(world.dma, &sg, BOTH, NULL), SLUICE_OK);
    assert_int_equal(bytes[39 * 3000 + 7], 0x77);
    assert_int_equal(sluice_dma_domain_info(world.domain, &before), SLUICE_OK);
    assert_int_equal(sluice_dma_unmap_sg(world.dma, &sg, BOTH, NULL), SLUICE_OK);
    assert_int_equal(sluice_dma_domain_info(world.domain, &after), SLUICE_OK);
    assert_int_equal(after.strict_flushes - before.strict_flushes, 3); /* 16, 16, 8 */
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(bytes[i * 3000 + 7], 0x77);
    assert_int_equal(bounce_of(&world).used_bytes, 0);
    /* Whole pages need none of that. */
    for (unsigned i = 0; i < 32; i++)
        segments[i] = (struct sluice_dma_segment){memory.phys + (31 - i) * DMA_PAGE, DMA_PAGE};
    sg.segment_count = 32;
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, BOTH, NULL), SLUICE_OK);
    assert_int_equal(sg.chunk_count, 1);
    assert_int_equal(bounce_of(&world).used_bytes, 0);
    assert_int_equal(sluice_dma_unmap_sg(world.dma, &sg, BOTH, NULL), SLUICE_OK);
    /* More chunks than room: all that was mapped is taken back. */
    segments[9].bytes = 9;
    sg.chunk_capacity = 8;
    for (unsigned i = 0; i < 32; i++)
        segments[i] = (struct sluice_dma_segment){memory.phys + i * 3000, 1000};
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, BOTH, NULL), SLUICE_ERR_NO_SPACE);
    assert_int_equal(bounce_of(&world).used_bytes, 0);
    dma_memory_free(&world, memory, 5);
    dma_world_finish(&world);
}

/** When no unit confirms, bounce pages stay withheld and nothing is copied from them. */
static void test_no_answer(void **state)
{
    const struct vtd_model_injection lost = {.wait_never_written = true};
    const struct dma_world_config config = untrusted_defaults();
    struct sluice_pages memory;
    struct dma_world world;
    sluice_iova_t address;

    (void)state;
    dma_world_start(&world, &config);
    memory = dma_memory(&world, 0, 0x10);
    address = dma_map(&world, memory.phys + 8, 100, BOTH);
    assert_true(dma_writes(&world, address, 0x66));
    vtd_model_inject(world.scene.machine->units[0], &lost);
    assert_int_equal(sluice_dma_unmap(world.dma, address, 100, BOTH, NULL), SLUICE_ERR_TIMEOUT);
    vtd_model_inject(world.scene.machine->units[0], &(struct vtd_model_injection){0});
    assert_int_equal(((uint8_t *)memory.virt)[8], 0x10);
    assert_int_equal(bounce_of(&world).withheld_bytes, DMA_PAGE);
    assert_int_equal(bounce_of(&world).used_bytes, DMA_PAGE);
    dma_memory_free(&world, memory, 0);
    assert_int_equal(sluice_dma_close(world.dma), SLUICE_OK);
    if (sluice_domain_detach(world.device) != SLUICE_OK)
        assert_null(sluice_device_domain(world.device));
    assert_int_equal(sluice_device_remove(world.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(world.domain), SLUICE_OK);
    assert_int_equal(sluice_stop(world.scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_destroy(world.scene.sluice), SLUICE_OK);
    /* The block of 64 pages stays, whatever happens to the tables. */
    assert_in_range(machine_destroy(world.scene.machine), 64, 80);
}

/** Without an IOMMU: what is in reach is used as it is, what is not is copied, both ways. */
static void test_out_of_reach(void **state)
{
    const struct dma_world_config config = bare_defaults();
    struct sluice_pages low, high;
    struct sluice_dma_info info;
    struct dma_world world;
    sluice_iova_t address;
    uint8_t *bytes;
    void *bounce;

    (void)state;
    dma_world_start(&world, &config);
    sluice_dma_info(world.dma, &info);
    assert_false(info.translated);
    assert_string_equal(info.name, "'old'");
    low = model_host_buffer(world.scene.machine->host, 0, true);
    high = high_memory(&world, 2, 0x31);
    bytes = high.virt;
    address = dma_map(&world, low.phys + 5, 64, BOTH);
    assert_true(address == low.phys + 5);
    dma_unmap(&world, address, 64, BOTH);
    address = dma_map(&world, high.phys + 0x234, 9000, BOTH);
    assert_true(address + 9000 <= (uint64_t)1 << 32);
    assert_int_equal(address & (DMA_PAGE - 1), 0x234);
    bounce = model_host_virt(world.scene.machine->host, address);
    assert_int_equal(((uint8_t *)bounce)[8999], 0x31);
    memset(bounce, 0x32, 9000);
    assert_int_equal(bytes[0x234], 0x31);
    /* Not with another size than it was mapped. */
    assert_int_equal(sluice_dma_unmap(world.dma, address, 100, BOTH, NULL), SLUICE_ERR_INVALID);
    dma_unmap(&world, address, 9000, BOTH);
    for (unsigned at = 0; at < 4 * DMA_PAGE; at++)
        assert_int_equal(bytes[at], at >= 0x234 && at < 0x234 + 9000 ? 0x32 : 0x31);
    sluice_dma_info(world.dma, &info);
    assert_int_equal(info.bounced, 1);
    assert_int_equal(info.bounced_bytes, 18000);
    assert_int_equal(sluice_destroy(world.scene.sluice), SLUICE_ERR_BUSY);
    dma_world_finish(&world);
}

/** Long runs, lists, small limits: growth up to the limit, then a report with sizes. */
static void test_exhaustion(void **state)
{
    struct dma_world_config config = bare_defaults();
    struct sluice_dma_bounce_info info;
    sluice_iova_t at[400], address;
    struct sluice_pages high;
    struct dma_world world;
    unsigned count = 0;

    (void)state;
    config.bounce_limit_bytes = (uint64_t)1 << 20;
    dma_world_start(&world, &config);
    high = high_memory(&world, 9, 0x41);
    while (count < 400 &&
           sluice_dma_map(world.dma, high.phys + 100, 5000, TO_DEVICE, NULL, &address) == SLUICE_OK)
        at[count++] = address;
    assert_int_equal(count, 128); /* 2 pages each */
    info = bounce_of(&world);
    assert_int_equal(info.used_bytes, 1 << 20);
    assert_int_equal(info.bytes, 1 << 20);
    assert_int_equal(info.limit_bytes, 1 << 20);
    assert_int_equal(info.exhausted, 1);
    assert_true(model_host_logged(world.scene.machine->host,
                                  "no bounce memory for 5000 bytes below 0xffffffff"));
    assert_true(model_host_logged(world.scene.machine->host, "1024 of 1024 KiB held are in use"));
    for (unsigned i = 0; i < count; i++)
        dma_unmap(&world, at[i], 5000, TO_DEVICE);
    assert_int_equal(bounce_of(&world).used_bytes, 0);
    /* All is held in small blocks now; a long run needs them back. */
    assert_int_equal(sluice_dma_map(world.dma, high.phys, 1 << 20, TO_DEVICE, NULL, &address),
                     SLUICE_ERR_NO_SPACE);
    sluice_dma_trim(world.scene.sluice);
    assert_int_equal(bounce_of(&world).bytes, 0);
    address = dma_map(&world, high.phys, 1 << 20, TO_DEVICE);
    assert_int_equal(
        *(uint8_t *)model_host_virt(world.scene.machine->host, address + (1 << 20) - 1), 0x41);
    assert_int_equal(sluice_dma_map(world.dma, high.phys, 1, TO_DEVICE, NULL, &at[0]),
                     SLUICE_ERR_NO_SPACE);
    assert_int_equal(sluice_dma_map(world.dma, high.phys, 2 << 20, TO_DEVICE, NULL, &at[0]),
                     SLUICE_ERR_NO_SPACE);
    dma_unmap(&world, address, 1 << 20, TO_DEVICE);
    assert_int_equal(bounce_of(&world).bytes, 0);
    dma_world_finish(&world);
}

/** A device that reaches 24 bits, on hosts that do and do not know how to look for such pages. */
static void test_narrow_device(void **state)
{
    const enum sluice_status expected[] = {SLUICE_OK, SLUICE_ERR_RANGE};

    (void)state;
    for (unsigned ignores = 0; ignores < 2; ignores++) {
        struct dma_world_config config = bare_defaults();
        struct sluice_pages high;
        enum sluice_status status;
        struct dma_world world;
        sluice_iova_t address;

        config.dma.address_bits = 24;
        config.scene.machine.host.ignores_last = ignores != 0;
        dma_world_start(&world, &config);
        high = high_memory(&world, 0, 0x55);
        /* So that a host that does not look finds higher ones first. */
        for (uint64_t low = (uint64_t)1 << 20; ignores != 0 && low < (uint64_t)16 << 20;
             low += DMA_PAGE)
            model_host_reserve(world.scene.machine->host, low, DMA_PAGE);
        status = sluice_dma_map(world.dma, high.phys, 100, BOTH, NULL, &address);
        if (status == SLUICE_OK) {
            assert_true(address + 100 <= 1 << 24);
            dma_unmap(&world, address, 100, BOTH);
        }
        assert_int_equal(status, expected[ignores]);
        dma_world_finish(&world);
    }
}

static void test_bare_list(void **state)
{
    const struct dma_world_config config = bare_defaults();
    struct sluice_dma_segment segments[3];
    struct sluice_dma_chunk chunks[8];
    struct sluice_dma_sg sg = {segments, 3, chunks, 8, 0};
    struct sluice_pages low, high;
    struct dma_world world;
    uint8_t *bounce;

    (void)state;
    dma_world_start(&world, &config);
    low = model_host_buffer(world.scene.machine->host, 1, true);
    high = high_memory(&world, 0, 0x61);
    segments[0] = (struct sluice_dma_segment){low.phys, 5000};
    segments[1] = (struct sluice_dma_segment){low.phys + 5000, 1000};
    segments[2] = (struct sluice_dma_segment){high.phys + 50, 200};
    assert_int_equal(sluice_dma_map_sg(world.dma, &sg, BOTH, NULL), SLUICE_OK);
    assert_int_equal(sg.chunk_count, 2);
    assert_true(chunks[0].address == low.phys && chunks[0].bytes == 6000);
    assert_true(chunks[1].address <= UINT32_MAX && chunks[1].bytes == 200);
    bounce = model_host_virt(world.scene.machine->host, chunks[1].address);
    assert_int_equal(bounce[199], 0x61);
    bounce[0] = 0x62;
    assert_int_equal(sluice_dma_unmap_sg(world.dma, &sg, BOTH, NULL), SLUICE_OK);
    assert_int_equal(((uint8_t *)high.virt)[50], 0x62);
    assert_int_equal(bounce_of(&world).used_bytes, 0);
    dma_world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_hostile_writes),
        cmocka_unit_test(test_nothing_is_carried_over),
        cmocka_unit_test(test_partial_sync),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_out_of_reach),
        cmocka_unit_test(test_exhaustion),
        cmocka_unit_test(test_narrow_device),
        cmocka_unit_test(test_bare_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
