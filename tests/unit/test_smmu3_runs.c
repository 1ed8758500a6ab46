// SPDX-License-Identifier: MIT
/*
 * Runs of entries that an SMMUv3 may cache as one: how many walks they save, that nothing of them
 * is reached any more once it was unmapped, and what is done on units that cannot take the hint
 * back. The model believes any entry that has the hint, keeps what it cached until it is told, and
 * says when a descriptor changed that it may not see change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dma_world.h"
#include "models/machine.h"
#include "smmu3_world.h"

#define BLOCK_ORDER 9u /* 2 MiB: a run of pages of 16 or 64 KiB */
#define STRIP_IOVA  ((sluice_iova_t)0x48400000)

/** Memory of two or more pages' worth of runs, mapped with one call beside the world's own page. */
struct strip {
    struct world world;
    struct pagetable *pt;
    struct sluice_pages block;
    uint64_t page, run; /**< bytes */
    unsigned pages;
};

static uint64_t run_bytes(uint64_t page)
{
    return page == 0x1000 ? 0x10000 : 0x200000;
}

static enum sluice_status strip_map(struct strip *strip, uint32_t more)
{
    struct pt_gather gather;

    pt_gather_init(&gather);
    return strip->pt->format->map(strip->pt, STRIP_IOVA, strip->block.phys,
                                  strip->pages * strip->page,
                                  SLUICE_PROT_READ | SLUICE_PROT_WRITE | more, &gather);
}

/** Each page begins with its number. */
static void strip_begin(struct strip *strip, const struct world_config *config)
{
    world_begin(&strip->world, config);
    strip->pt = &strip->world.domains[0].pt;
    strip->page = strip->pt->config.page_sizes & (0 - strip->pt->config.page_sizes);
    strip->run = run_bytes(strip->page);
    /* Two runs where that does not make a larger page. */
    strip->pages = (unsigned)((strip->page == 0x1000 ? 2 : 1) * strip->run / strip->page);
    strip->block = model_host_buffer(strip->world.host, BLOCK_ORDER, false);
    for (unsigned i = 0; i < strip->pages; i++)
        memset((uint8_t *)strip->block.virt + i * strip->page, (int)(i + 1), 16);
}

static enum sluice_status strip_unmap(struct strip *strip, unsigned first, unsigned pages)
{
    struct world *world = &strip->world;
    const struct unit_invalidation what = {.link = &world->domains[0].link};
    struct unit_invalidation invalidation = what;
    struct unit_ticket ticket;
    struct pt_gather gather;
    enum sluice_status status;

    pt_gather_init(&gather);
    status = strip->pt->format->unmap(strip->pt, STRIP_IOVA + first * strip->page,
                                      pages * strip->page, &gather, NULL);
    if (status != SLUICE_OK || pt_gather_empty(&gather))
        return status;
    invalidation.gather = &gather;
    assert_int_equal(world->unit->ops->invalidate_submit(world->unit, &invalidation, &ticket),
                     SLUICE_OK);
    assert_int_equal(world->unit->ops->invalidate_wait(world->unit, &ticket), SLUICE_OK);
    strip->pt->format->release(strip->pt, &gather);
    return SLUICE_OK;
}

static void strip_end(struct strip *strip)
{
    assert_int_equal(strip_unmap(strip, 0, strip->pages), SLUICE_OK);
    model_host_buffer_free(strip->world.host, strip->block, BLOCK_ORDER);
    world_finish(&strip->world);
}

/** Pages [first, end) are reached, with what is in them, or none of them is. */
static void expect(struct strip *strip, unsigned first, unsigned end, bool reached)
{
    for (unsigned i = first; i < end; i++) {
        uint8_t byte = 0;
        bool done =
            dma_device_read(strip->world.devices[0], STRIP_IOVA + i * strip->page, &byte, 1, NULL);

        assert_int_equal(done, reached);
        assert_true(!reached || byte == (uint8_t)(i + 1));
    }
}

/* ---- every shape ---- */

/** Device TLBs get translations of 4 KiB each, however large the run. */
static uint64_t walks_for(const struct strip *strip, bool runs)
{
    return runs ? strip->pages * strip->page / strip->run : strip->pages;
}

static void story(const struct world_config *config, bool runs)
{
    struct smmu3_model_stats before, after;
    struct strip strip;

    strip_begin(&strip, config);
    assert_int_equal(strip_map(&strip, 0), SLUICE_OK);
    before = world_stats(&strip.world);
    expect(&strip, 0, strip.pages, true);
    after = world_stats(&strip.world);
    assert_int_equal(after.runs - before.runs, runs ? walks_for(&strip, runs) : 0);
    assert_int_equal(after.walks - before.walks, walks_for(&strip, runs));
    /* A part from the middle of the first run, which the unit has cached; then more of it. */
    assert_int_equal(strip_unmap(&strip, 3, 4), SLUICE_OK);
    expect(&strip, 0, 3, true);
    expect(&strip, 7, strip.pages, true);
    expect(&strip, 3, 7, false);
    assert_int_equal(strip_unmap(&strip, 2, 1), SLUICE_OK);
    expect(&strip, 2, 7, false);
    expect(&strip, 0, 2, true);
    /* From the middle of one to the middle of the other, where there are two. */
    assert_int_equal(strip_unmap(&strip, 9, strip.pages - 12), SLUICE_OK);
    expect(&strip, 7, 9, true);
    expect(&strip, 9, strip.pages - 3, false);
    expect(&strip, strip.pages - 3, strip.pages, true);
    /* All of it, and a run again. */
    assert_int_equal(strip_unmap(&strip, 0, strip.pages), SLUICE_OK);
    expect(&strip, 0, strip.pages, false);
    assert_int_equal(strip_map(&strip, 0), SLUICE_OK);
    before = world_stats(&strip.world);
    expect(&strip, 0, strip.pages, true);
    assert_int_equal(world_stats(&strip.world).walks - before.walks, walks_for(&strip, runs));
    strip_end(&strip);
}

#define SHAPE(name, runs, change)                                                                  \
    static void name(void **state)                                                                 \
    {                                                                                              \
        struct world_config config = world_defaults();                                             \
                                                                                                   \
        (void)state;                                                                               \
        change;                                                                                    \
        story(&config, runs);                                                                      \
    }

SHAPE(usual, true, (void)0)
SHAPE(level_1, true, config.model.bbml = 1)
SHAPE(level_1_stage2, true, (config.model.bbml = 1, config.model.stage1 = false))
SHAPE(level_0, false, config.model.bbml = 0)
SHAPE(level_3_is_reserved, false, config.model.bbml = 3)
SHAPE(no_ranges, true, config.model.ranges = false)
SHAPE(no_snoop, true, (config.model.coherent = false, config.host.non_coherent = true))
SHAPE(k16, true, config.model.granules = 2)
SHAPE(k16_stage2, true, (config.model.granules = 2, config.model.stage1 = false))
SHAPE(k16_level_1_no_ranges, true,
      (config.model.granules = 2, config.model.bbml = 1, config.model.ranges = false))
SHAPE(k64, true, (config.model.granules = 4, config.model.bbml = 1))
SHAPE(k64_stage2, true, (config.model.granules = 4, config.model.stage1 = false))
SHAPE(slow_queue, true, (config.model.queue_mode = SMMU3_MODEL_AT_TICK, config.model.bbml = 1))

/* ---- a unit that cannot take the hint back ---- */

/** What its caller promises to unmap whole is a run there too, and a part is refused. */
static void promised(void **state)
{
    struct world_config config = world_defaults();
    struct smmu3_model_stats before;
    struct strip strip;

    (void)state;
    config.model.bbml = 0;
    strip_begin(&strip, &config);
    before = world_stats(&strip.world);
    assert_int_equal(strip_map(&strip, PT_PROT_WHOLE), SLUICE_OK);
    expect(&strip, 0, strip.pages, true);
    assert_int_equal(world_stats(&strip.world).runs - before.runs, 2);
    assert_int_equal(strip_unmap(&strip, 3, 4), SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(strip_unmap(&strip, 3, 1), SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(strip_unmap(&strip, 0, strip.pages - 1), SLUICE_ERR_UNSUPPORTED);
    expect(&strip, 0, strip.pages, true);
    assert_int_equal(strip_unmap(&strip, 0, strip.pages / 2), SLUICE_OK);
    expect(&strip, 0, strip.pages / 2, false);
    expect(&strip, strip.pages / 2, strip.pages, true);
    strip_end(&strip);
}

/** A domain whose tables count on more than a unit takes does not come to it. */
static void refused(void **state)
{
    for (unsigned bbml = 0; bbml < 2; bbml++) {
        struct world_config config = world_defaults();
        struct domain_link link;
        struct world world;

        (void)state;
        config.model.bbml = bbml;
        world_begin(&world, &config);
        assert_false(world.domains[0].pt.config.live_change);
        assert_int_equal(world.domains[0].pt.config.run_change, bbml == 1);
        link = (struct domain_link){.unit = world.unit, .pt = &world.domains[0].pt};
        world.domains[0].pt.config.live_change = true;
        assert_int_equal(world.unit->ops->link_open(world.unit, &link), SLUICE_ERR_UNSUPPORTED);
        world.domains[0].pt.config.live_change = false;
        world.domains[0].pt.config.run_change = true;
        assert_int_equal(world.unit->ops->link_open(world.unit, &link),
                         bbml == 1 ? SLUICE_OK : SLUICE_ERR_UNSUPPORTED);
        if (bbml == 1)
            assert_int_equal(world.unit->ops->link_close(world.unit, &link), SLUICE_OK);
        world.domains[0].pt.config.run_change = bbml == 1;
        world_finish(&world);
    }
}

/* ---- the DMA API, whose mappings end whole ---- */

#define BUFFER_ORDER 4u /* 64 KiB */
#define BUFFER_BYTES (SLUICE_PAGE_BYTES << BUFFER_ORDER)

static void buffers(void **state)
{
    for (unsigned bbml = 0; bbml < 3; bbml += 2) {
        struct dma_world_config config = dma_world_defaults();
        struct smmu3_model_config model = smmu3_model_defaults();
        struct smmu3_model_stats before, after;
        struct sluice_pages memory;
        struct dma_world world;
        sluice_iova_t iova;

        (void)state;
        model.bbml = bbml;
        config.scene.machine = machine_defaults_smmu3();
        config.scene.machine.kind_config = &model;
        dma_world_start(&world, &config);
        memory = dma_memory(&world, BUFFER_ORDER, 0x5a);
        iova = dma_map(&world, memory.phys, BUFFER_BYTES, BOTH);
        smmu3_model_stats(world.scene.machine->unit, &before);
        for (unsigned i = 0; i < 1u << BUFFER_ORDER; i++)
            assert_int_equal(dma_reads(&world, iova + i * SLUICE_PAGE_BYTES), 0x5a);
        smmu3_model_stats(world.scene.machine->unit, &after);
        assert_int_equal(after.runs - before.runs, 1);
        assert_int_equal(after.walks - before.walks, 1);
        dma_unmap(&world, iova, BUFFER_BYTES, BOTH);
        for (unsigned i = 0; i < 1u << BUFFER_ORDER; i++)
            assert_int_equal(dma_reads(&world, iova + i * SLUICE_PAGE_BYTES), -1);
        dma_memory_free(&world, memory, BUFFER_ORDER);
        dma_world_finish(&world);
    }
}

/** A driver that unmaps a page of a larger buffer breaks the run, or is refused; it leaves none. */
static void a_page_of_a_buffer(void **state)
{
    for (unsigned bbml = 0; bbml < 3; bbml += 2) {
        struct dma_world_config config = dma_world_defaults();
        struct smmu3_model_config model = smmu3_model_defaults();
        struct sluice_pages memory;
        struct dma_world world;
        sluice_iova_t iova, one, other;

        (void)state;
        model.bbml = bbml;
        config.scene.machine = machine_defaults_smmu3();
        config.scene.machine.kind_config = &model;
        dma_world_start(&world, &config);
        memory = dma_memory(&world, BUFFER_ORDER, 0x5a);
        /* The short way knows the table by then. */
        one = dma_map(&world, memory.phys, SLUICE_PAGE_BYTES, BOTH);
        dma_unmap(&world, one, SLUICE_PAGE_BYTES, BOTH);
        iova = dma_map(&world, memory.phys, BUFFER_BYTES, BOTH);
        other = iova + 4 * SLUICE_PAGE_BYTES;
        one = iova + 3 * SLUICE_PAGE_BYTES;
        assert_int_equal(sluice_dma_unmap(world.dma, one, SLUICE_PAGE_BYTES, BOTH, NULL),
                         bbml == 0 ? SLUICE_ERR_UNSUPPORTED : SLUICE_OK);
        smmu3_model_evict(world.scene.machine->unit);
        assert_int_equal(dma_reads(&world, other), 0x5a);
        assert_int_equal(dma_reads(&world, one), bbml == 0 ? 0x5a : -1);
        dma_unmap(&world, iova, BUFFER_BYTES, BOTH);
        assert_int_equal(dma_reads(&world, other), -1);
        assert_int_equal(dma_reads(&world, one), -1);
        dma_memory_free(&world, memory, BUFFER_ORDER);
        dma_world_finish(&world);
    }
}

/* ---- the model: what it would say to software that breaks the rules ---- */

/** A run is broken on a unit of level 0, before its translation was dropped or while it is. */
static void rules_of_level_0(void **state)
{
    for (unsigned bbml = 0; bbml < 3; bbml++) {
        struct world_config config = world_defaults();
        const unsigned page = 5;
        struct pt_gather gather;
        struct model_dma_result result;
        struct strip strip;
        uint8_t byte;

        (void)state;
        config.model.bbml = bbml;
        strip_begin(&strip, &config);
        strip.pt->config.run_change = true;
        assert_int_equal(strip_map(&strip, 0), SLUICE_OK);
        expect(&strip, 0, strip.pages, true);
        pt_gather_init(&gather);
        assert_int_equal(strip.pt->format->unmap(strip.pt, STRIP_IOVA, strip.page, &gather, NULL),
                         SLUICE_OK);
        /* Not invalidated yet: still as it was, or in conflict with what came. */
        assert_int_equal(dma_device_read(strip.world.devices[0], STRIP_IOVA + page * strip.page,
                                         &byte, 1, &result),
                         bbml > 0);
        if (bbml == 0)
            assert_int_equal(result.reason, SMMU3_F_TLB_CONFLICT);
        assert_int_equal(model_host_violations(strip.world.host), 0);
        assert_int_equal(strip_unmap(&strip, 1, 1), SLUICE_OK);
        assert_int_equal(model_host_violations(strip.world.host) != 0, bbml == 0);
        if (bbml == 0) {
            model_host_buffer_free(strip.world.host, strip.block, BLOCK_ORDER);
            world_abandon(&strip.world);
        } else {
            strip_end(&strip);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual),
        cmocka_unit_test(level_1),
        cmocka_unit_test(level_1_stage2),
        cmocka_unit_test(level_0),
        cmocka_unit_test(level_3_is_reserved),
        cmocka_unit_test(no_ranges),
        cmocka_unit_test(no_snoop),
        cmocka_unit_test(k16),
        cmocka_unit_test(k16_stage2),
        cmocka_unit_test(k16_level_1_no_ranges),
        cmocka_unit_test(k64),
        cmocka_unit_test(k64_stage2),
        cmocka_unit_test(slow_queue),
        cmocka_unit_test(promised),
        cmocka_unit_test(refused),
        cmocka_unit_test(buffers),
        cmocka_unit_test(a_page_of_a_buffer),
        cmocka_unit_test(rules_of_level_0),
    };

    return cmocka_run_group_tests_name("smmu3-runs", tests, NULL, NULL);
}
