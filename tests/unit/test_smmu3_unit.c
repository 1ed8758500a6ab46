// SPDX-License-Identifier: MIT
/*
 * The SMMUv3 driver on every shape of unit: attach, move, unmap, detach, stop and start again, and
 * what commands that takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "smmu3_world.h"

/* One round through everything, after which nothing may be left and no rule was broken. */
static void walk_through(const struct world_config *config)
{
    struct world world;

    world_begin(&world, config);
    world_walk_through(&world);
    world_finish(&world);
}

#define SHAPE(name, change)                                                                        \
    static void shape_##name(void **state)                                                         \
    {                                                                                              \
        struct world_config config = world_defaults();                                             \
                                                                                                   \
        (void)state;                                                                               \
        change;                                                                                    \
        walk_through(&config);                                                                     \
    }

SHAPE(usual, (void)0)
SHAPE(stage2, config.model.stage1 = false)
SHAPE(stage1_only, config.model.stage2 = false)
SHAPE(stage2_chosen, config.format = &pt_format_arm_stage2_4k)
SHAPE(stage2_44, (config.model.stage1 = false, config.model.oas = 4))
SHAPE(stage2_40, (config.model.stage1 = false, config.model.oas = 2))
SHAPE(stage2_32, (config.model.stage1 = false, config.model.oas = 0))
SHAPE(stage2_43_bits, (config.format = &pt_format_arm_stage2_4k, config.iova_bits = 43))
SHAPE(narrow, config.iova_bits = 32)
SHAPE(no_messages, config.model.messages = false)
SHAPE(no_snoop, (config.model.coherent = false, config.host.non_coherent = true))
SHAPE(linear, (config.model.two_level = false, config.model.sid_bits = 10))
SHAPE(few_streams, config.model.sid_bits = 8)
SHAPE(many_streams, config.model.sid_bits = 32)
SHAPE(small_tags, config.model.wide_tags = false)
SHAPE(no_ranges, config.model.ranges = false)
SHAPE(slow_queue, config.model.queue_mode = SMMU3_MODEL_AT_TICK)
SHAPE(slow_polled, (config.model.queue_mode = SMMU3_MODEL_AT_TICK, config.model.messages = false))
SHAPE(no_latency, config.model.latency_reads = 0)
SHAPE(no_break, config.model.bbml = 0)
SHAPE(stalls, config.model.stall = 0)
SHAPE(only_stalls, config.model.stall = 2)
SHAPE(only_stalls_2, (config.model.stall = 2, config.model.stage1 = false))
SHAPE(stalls_2_tlb, (config.model.stall = 2, config.model.ats = true, config.model.stage1 = false))
SHAPE(page_requests, config.model.pri = true)
SHAPE(polled_faults, config.host.no_events = true)
SHAPE(erratum, config.model.iidr = 0x48700000u | 0x43bu)
SHAPE(k16, config.model.granules = 2)
SHAPE(k64, config.model.granules = 4)
SHAPE(k16_stage2, (config.model.granules = 2, config.model.stage1 = false))
SHAPE(k64_stage2, (config.model.granules = 4, config.model.stage1 = false))
SHAPE(device_tlb, (config.model.ats = true, config.ats = true))
SHAPE(device_tlb_2, (config.model.ats = true, config.ats = true, config.model.stage1 = false))

/* ---- what is refused ---- */

static void refused(const struct world_config *config, enum sluice_status want, const char *says)
{
    struct world world;

    world_init(&world, config);
    assert_int_equal(smmu3_unit_ops.probe(&world.sluice, &world.desc, &world.unit), want);
    assert_true(model_host_logged(world.host, says));
    assert_int_equal(model_host_objects_in_use(world.host), 0);
    assert_int_equal(model_host_pages_in_use(world.host), 0);
    assert_int_equal(model_host_mmio_maps(world.host), 0);
    world_abandon(&world);
}

static void refusals(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.model.stage1 = config.model.stage2 = false;
    refused(&config, SLUICE_ERR_UNSUPPORTED, "no translation");
    config = world_defaults();
    config.model.granules = 0;
    refused(&config, SLUICE_ERR_UNSUPPORTED, "no page size");
    config = world_defaults();
    config.model.oas = 7;
    refused(&config, SLUICE_ERR_UNSUPPORTED, "unknown width");
    config = world_defaults();
    config.model.sid_bits = 33;
    refused(&config, SLUICE_ERR_UNSUPPORTED, "more than 32 bits");
    config = world_defaults();
    world_init(&world, &config);
    world.desc.register_bytes = 0x1000;
    assert_int_equal(smmu3_unit_ops.probe(&world.sluice, &world.desc, &world.unit),
                     SLUICE_ERR_FIRMWARE);
    world_abandon(&world);
}

/* No allocation that fails leaves anything behind. */
static void allocations(void **state)
{
    (void)state;
    for (unsigned nth = 0;; nth++) {
        struct world_config config = world_defaults();
        struct world world;
        enum sluice_status status;

        config.model.pri = true;
        world_init(&world, &config);
        model_host_fail_allocation(world.host, nth, false);
        status = smmu3_unit_ops.probe(&world.sluice, &world.desc, &world.unit);
        model_host_fail_no_more(world.host);
        if (status == SLUICE_OK) {
            assert_true(nth >= 7);
            world.unit->ops->release(world.unit);
            nth = UINT32_MAX - 1;
        }
        assert_int_equal(model_host_objects_in_use(world.host), 0);
        assert_int_equal(model_host_pages_in_use(world.host), 0);
        world_abandon(&world);
        if (status == SLUICE_OK)
            return;
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
    }
}

/* ---- no open window ---- */

struct watch {
    struct world *world;
    sluice_phys_t secret;
    bool outside;
};

/* Around each register write, nobody reaches memory untranslated. */
static void watch_on_write(void *arg, const struct model_mmio_event *event)
{
    struct watch *watch = arg;
    uint8_t byte = 0;

    (void)event;
    for (unsigned i = 0; i < WORLD_DEVICES; i++) {
        if (dma_device_read(watch->world->devices[i], watch->secret, &byte, 1, NULL))
            watch->outside = true;
    }
}

static void no_window(void **state)
{
    (void)state;
    for (unsigned firmware = 0; firmware < 2; firmware++) {
        struct world_config config = world_defaults();
        struct watch watch;
        struct world world;

        config.host.no_events = true;
        world_init(&world, &config);
        world_probe(&world);
        if (firmware != 0) /* left aborting; else everything passes before the start */
            model_host_mmio_write(world.host, world.desc.base + 0x44, 4, 1u << 31 | 1u << 20);
        while (model_host_mmio_read(world.host, world.desc.base + 0x44, 4) >> 31 != 0)
            ;
        watch = (struct watch){&world, world.domains[0].page.phys, false};
        assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
        assert_int_equal(dma_device_read(world.devices[1], watch.secret, &(uint8_t){0}, 1, NULL),
                         firmware == 0);
        if (firmware != 0)
            model_host_set_mmio_hook(world.host, watch_on_write, &watch);
        assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
        model_host_set_mmio_hook(world.host, watch_on_write, &watch);
        assert_int_equal(world_attach(&world, 1, &world.domains[1]), SLUICE_OK);
        assert_int_equal(world_attach(&world, 1, &world.domains[0]), SLUICE_OK);
        assert_int_equal(world_attach(&world, 1, NULL), SLUICE_OK);
        assert_int_equal(world.unit->ops->suspend(world.unit), SLUICE_OK);
        assert_int_equal(world.unit->ops->resume(world.unit), SLUICE_OK);
        assert_false(watch.outside);
        model_host_set_mmio_hook(world.host, NULL, NULL);
        /* A stop gives back what was found. */
        assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_OK);
        assert_int_equal(dma_device_read(world.devices[1], watch.secret, &(uint8_t){0}, 1, NULL),
                         firmware == 0);
        world_finish(&world);
    }
}

/* Firmware's own table and translation are in the way: taken over, blocked meanwhile. */
static void takeover(void **state)
{
    struct world_config config = world_defaults();
    struct sluice_pages table;
    struct watch watch;
    struct world world;

    (void)state;
    config.model.two_level = false;
    config.model.sid_bits = 6;
    config.host.no_events = true;
    world_init(&world, &config);
    world_probe(&world);
    watch = (struct watch){&world, world.domains[1].page.phys, false};
    table = model_host_buffer(world.host, 0, false);
    for (unsigned i = 0; i < 64; i++)
        ((uint64_t *)table.virt)[i * 8] = 1; /* everybody aborted */
    model_host_mmio_write(world.host, world.desc.base + 0x80, 8, table.phys);
    model_host_mmio_write(world.host, world.desc.base + 0x88, 4, 6);
    model_host_mmio_write(world.host, world.desc.base + 0x20, 4, 1);
    while (model_host_mmio_read(world.host, world.desc.base + 0x24, 4) != 1)
        ;
    model_host_violations_clear(world.host); /* firmware did not invalidate */
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    model_host_set_mmio_hook(world.host, watch_on_write, &watch);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_true(model_host_logged(world.host, "firmware left translation on"));
    assert_int_equal(world_reaches(&world, 0), 0);
    /* Another unit does not start: firmware's table does not come back, and nothing is open. */
    assert_int_equal(world.unit->ops->revert(world.unit), SLUICE_OK);
    assert_false(world.unit->started);
    assert_false(world.unit->exposed);
    assert_int_equal(model_host_mmio_read(world.host, world.desc.base + 0x24, 4) & 1u, 0);
    assert_int_equal(world_reaches(&world, 0), -1);
    assert_false(watch.outside);
    model_host_set_mmio_hook(world.host, NULL, NULL);
    world_finish(&world);
    /* The buffer went with the host. */
}

/* ---- what it takes ---- */

/* From one stage 1 domain to another in one store: at no moment is the device blocked. */
struct seamless {
    struct world *world;
    unsigned blocked;
};

static void seamless_look(void *arg, const struct model_mmio_event *event)
{
    struct seamless *seamless = arg;

    (void)event;
    smmu3_model_evict(seamless->world->model);
    if (world_reaches(seamless->world, 0) < 0)
        seamless->blocked++;
}

static void switch_without_gap(void **state)
{
    struct world_config config = world_defaults();
    struct seamless seamless = {0};
    struct world world;

    (void)state;
    config.host.no_events = true;
    world_begin(&world, &config);
    seamless.world = &world;
    model_host_set_mmio_hook(world.host, seamless_look, &seamless);
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_OK);
    model_host_set_mmio_hook(world.host, NULL, NULL);
    assert_int_equal(seamless.blocked, 0);
    assert_int_equal(world_reaches(&world, 0), 1);
    world_finish(&world);
}

static void narrow_commands(void **state)
{
    struct world_config config = world_defaults();
    struct smmu3_model_stats before, after;
    struct world world;

    (void)state;
    world_begin(&world, &config);
    before = world_stats(&world);
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    after = world_stats(&world);
    assert_int_equal(after.tlbi_va - before.tlbi_va, 1); /* 16 pages, one range */
    assert_int_equal(after.tlbi_range - before.tlbi_range, 1);
    assert_int_equal(after.tlbi_tag, before.tlbi_tag);
    assert_int_equal(after.syncs - before.syncs, 1);
    assert_int_equal(after.doorbells - before.doorbells, 1);
    world_finish(&world);
}

static struct smmu3_plan plan_of(const struct pt_range *ranges, unsigned count, bool by_range)
{
    struct pt_gather gather;
    struct smmu3_plan plan;

    pt_gather_init(&gather);
    for (unsigned i = 0; i < count; i++)
        pt_gather_add(&gather, &ranges[i]);
    smmu3_plan_make(&gather, 12, by_range, &plan);
    return plan;
}

/* The blocks of a plan cover exactly the pages of the range. */
static void covers(const struct smmu3_plan *plan, uint64_t first, uint64_t pages)
{
    uint64_t at = first;

    assert_false(plan->whole);
    for (unsigned i = 0; i < plan->count; i++) {
        const struct smmu3_block *block = &plan->blocks[i];
        uint64_t count = ((uint64_t)block->num + 1) << block->scale;

        assert_int_equal(block->address, at);
        assert_int_equal(block->granule, count == 1 ? 0 : 1);
        assert_true(block->num < 32 && block->scale < 32);
        at += count << 12;
    }
    assert_int_equal(at, first + (pages << 12));
}

static void plans(void **state)
{
    static const uint64_t lengths[] = {1, 2, 3, 31, 32, 33, 511, 512, 1025, 0x12345, 1ull << 30};
    struct pt_range range = {.first = 0x7000, .page_lg2 = 12};
    struct smmu3_plan plan;

    (void)state;
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        range.last = range.first + (lengths[i] << 12) - 1;
        plan = plan_of(&range, 1, true);
        covers(&plan, range.first, lengths[i]);
        assert_true(plan.blocks[0].leaf);
        assert_true(plan.count <= 7);
        plan = plan_of(&range, 1, false);
        assert_int_equal(plan.whole, lengths[i] > SMMU3_PLAN_MAX);
        if (!plan.whole)
            assert_int_equal(plan.count, lengths[i]);
    }
    range.tables = true;
    assert_false(plan_of(&range, 1, true).blocks[0].leaf);
    /* Large pages take one command each where there are no ranges. */
    range = (struct pt_range){.first = 1u << 21, .last = (3u << 21) - 1, .page_lg2 = 21};
    assert_int_equal(plan_of(&range, 1, false).count, 2);
    smmu3_plan_make(NULL, 12, true, &plan);
    assert_true(plan.whole);
    range = (struct pt_range){.first = 0, .last = UINT64_MAX, .page_lg2 = 12};
    plan = plan_of(&range, 1, true);
    if (!plan.whole)
        covers(&plan, 0, 1ull << 52);
}

/* A domain without tables lets its device through, and nobody else. */
static void pass_through(void **state)
{
    struct world_config config = world_defaults();
    struct domain_link link;
    struct world world;
    uint8_t byte = 0;

    (void)state;
    world_begin(&world, &config);
    link = (struct domain_link){.unit = world.unit};
    assert_int_equal(world.unit->ops->link_open(world.unit, &link), SLUICE_OK);
    assert_int_equal(world.unit->ops->attach(world.unit, &world.sources[0], SLUICE_NO_PASID, &link),
                     SLUICE_OK);
    world.sources[0].link = &link;
    assert_true(dma_device_read(world.devices[0], world.domains[1].page.phys, &byte, 1, NULL));
    assert_int_equal(byte, 0x22);
    assert_false(dma_device_read(world.devices[1], world.domains[1].page.phys, &byte, 1, NULL));
    assert_int_equal(world_attach(&world, 0, NULL), SLUICE_OK);
    assert_false(dma_device_read(world.devices[0], world.domains[1].page.phys, &byte, 1, NULL));
    assert_int_equal(world.unit->ops->link_close(world.unit, &link), SLUICE_OK);
    world_finish(&world);
}

/* A stream that was refused before it had a table of the second level, and is attached then. */
static void second_level(void **state)
{
    const struct model_dma_request request = {.rid = 0x8000, .address = WORLD_IOVA};
    struct world_config config = world_defaults();
    struct source far = {.id = 0x8000};
    struct world world;
    uint8_t byte = 0;

    (void)state;
    world_begin(&world, &config);
    far.unit = world.unit;
    assert_false(smmu3_model_dma(world.model, &request, &byte, 1, NULL));
    model_host_fail_allocation(world.host, 0, false);
    assert_int_equal(
        world.unit->ops->attach(world.unit, &far, SLUICE_NO_PASID, &world.domains[1].link),
        SLUICE_ERR_NO_MEMORY);
    model_host_fail_no_more(world.host);
    assert_int_equal(
        world.unit->ops->attach(world.unit, &far, SLUICE_NO_PASID, &world.domains[1].link),
        SLUICE_OK);
    far.link = &world.domains[1].link;
    assert_true(smmu3_model_dma(world.model, &request, &byte, 1, NULL));
    assert_int_equal(byte, 0x22);
    assert_int_equal(world.unit->ops->attach(world.unit, &far, SLUICE_NO_PASID, NULL), SLUICE_OK);
    assert_false(smmu3_model_dma(world.model, &request, &byte, 1, NULL));
    world_finish(&world);
}

/* Streams beyond the table are nobody's, and IDs are never given out twice. */
static void limits(void **state)
{
    struct world_config config = world_defaults();
    struct source far = {.id = 0x10000};
    struct domain_link links[254];
    struct world world;

    (void)state;
    config.model.wide_tags = false;
    world_begin(&world, &config);
    assert_int_equal(
        world.unit->ops->attach(world.unit, &far, SLUICE_NO_PASID, &world.domains[0].link),
        SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(world.unit->ops->attach(world.unit, &far, SLUICE_NO_PASID, NULL), SLUICE_OK);
    assert_int_equal(
        world.unit->ops->attach(world.unit, &world.sources[1], 5, &world.domains[0].link),
        SLUICE_ERR_UNSUPPORTED);
    for (unsigned i = 0; i < 254; i++) {
        links[i] = (struct domain_link){.unit = world.unit, .pt = &world.domains[0].pt};
        assert_int_equal(world.unit->ops->link_open(world.unit, &links[i]),
                         i < 253 ? SLUICE_OK : SLUICE_ERR_NO_SPACE);
        assert_true(i == 253 || links[i].tag > 2);
    }
    for (unsigned i = 0; i < 253; i++)
        assert_int_equal(world.unit->ops->link_close(world.unit, &links[i]), SLUICE_OK);
    world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape_usual),
        cmocka_unit_test(shape_stage2),
        cmocka_unit_test(shape_stage1_only),
        cmocka_unit_test(shape_stage2_chosen),
        cmocka_unit_test(shape_stage2_44),
        cmocka_unit_test(shape_stage2_40),
        cmocka_unit_test(shape_stage2_32),
        cmocka_unit_test(shape_stage2_43_bits),
        cmocka_unit_test(shape_narrow),
        cmocka_unit_test(shape_no_messages),
        cmocka_unit_test(shape_no_snoop),
        cmocka_unit_test(shape_linear),
        cmocka_unit_test(shape_few_streams),
        cmocka_unit_test(shape_many_streams),
        cmocka_unit_test(shape_small_tags),
        cmocka_unit_test(shape_no_ranges),
        cmocka_unit_test(shape_slow_queue),
        cmocka_unit_test(shape_slow_polled),
        cmocka_unit_test(shape_no_latency),
        cmocka_unit_test(shape_no_break),
        cmocka_unit_test(shape_stalls),
        cmocka_unit_test(shape_only_stalls),
        cmocka_unit_test(shape_only_stalls_2),
        cmocka_unit_test(shape_page_requests),
        cmocka_unit_test(shape_stalls_2_tlb),
        cmocka_unit_test(shape_polled_faults),
        cmocka_unit_test(shape_erratum),
        cmocka_unit_test(shape_k16),
        cmocka_unit_test(shape_k64),
        cmocka_unit_test(shape_k16_stage2),
        cmocka_unit_test(shape_k64_stage2),
        cmocka_unit_test(shape_device_tlb),
        cmocka_unit_test(shape_device_tlb_2),
        cmocka_unit_test(refusals),
        cmocka_unit_test(allocations),
        cmocka_unit_test(no_window),
        cmocka_unit_test(takeover),
        cmocka_unit_test(switch_without_gap),
        cmocka_unit_test(narrow_commands),
        cmocka_unit_test(plans),
        cmocka_unit_test(pass_through),
        cmocka_unit_test(second_level),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
