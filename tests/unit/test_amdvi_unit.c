// SPDX-License-Identifier: MIT
/*
 * The AMD-Vi driver on the model: start, attach, invalidate, faults, stop, in each shape of unit;
 * the device table; errata.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "amdvi_world.h"

static void walk_through(const struct world_config *config)
{
    struct world world;

    world_begin(&world, config);
    assert_int_equal(world_reaches(&world, 1), -1);
    (void)world_drain(&world);
    assert_true(world.faults >= 1);
    if (!config->ats) /* a translation request is refused by its kind */
        assert_int_equal(world.fault.reason, SLUICE_FAULT_BLOCKED);
    assert_int_equal(world.fault.source, world.sources[1].id);
    assert_int_equal(world.fault.address, WORLD_IOVA);
    world_walk_through(&world);
    (void)world_drain(&world);
    assert_int_equal(world.fault.reason, SLUICE_FAULT_NOT_MAPPED);
    assert_int_equal(world_stats(&world).passed, 0);
    world_finish(&world);
}

#define SHAPE(name, ...)                                                                           \
    static void shape_##name(void **state)                                                         \
    {                                                                                              \
        struct world_config config = world_defaults();                                             \
                                                                                                   \
        (void)state;                                                                               \
        __VA_ARGS__;                                                                               \
        walk_through(&config);                                                                     \
    }

SHAPE(usual, (void)config)
SHAPE(np_cache, config.model.np_cache = true)
SHAPE(one_by_one, config.model.invalidate_all = false)
SHAPE(no_efr, config.model.has_efr = false; config.model.levels = 4;
      config.model.invalidate_all = false)
SHAPE(old_table, config.old_table = true)
SHAPE(four_levels, config.model.levels = 4)
SHAPE(six_levels, config.model.levels = 6; config.virt_bits = 64)
SHAPE(narrow, config.virt_bits = 32)
SHAPE(slow_queue, config.model.queue_mode = AMDVI_MODEL_AT_TICK)
SHAPE(no_latency, config.model.latency_reads = 0)
SHAPE(caches_behind, config.host.non_coherent = true)
SHAPE(device_tlb, config.model.device_tlb = true; config.ats = true)
SHAPE(no_msi, config.model.no_msi = true)
SHAPE(narrow_msi, config.model.narrow_msi = true)
SHAPE(hooked, config.host.not_linear = true)

/* ---- capabilities ---- */

static void widths(void **state)
{
    static const struct {
        unsigned levels, virt_bits, want;
    } rows[] = {{4, 48, 48}, {4, 64, 48}, {5, 64, 57}, {6, 64, 57},
                {5, 48, 48}, {5, 0, 48},  {4, 40, 40}};

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world_config config = world_defaults();
        struct world world;

        config.model.levels = rows[i].levels;
        config.virt_bits = (uint8_t)rows[i].virt_bits;
        world_init(&world, &config);
        world_probe(&world);
        assert_int_equal(world.unit->caps.iova_bits, rows[i].want);
        assert_int_equal(world.domains[0].pt.config.iova_bits, rows[i].want);
        assert_true(world.domains[0].pt.config.levels <= rows[i].levels);
        world_finish(&world);
    }
}

/* Hardware is believed, and the difference is told. */
static void features_differ(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.model.levels = 4;
    world_init(&world, &config);
    world.desc.ivhd.efr = 0x29d3;
    world_probe(&world);
    assert_true(model_host_logged(world.host, "the unit is believed"));
    assert_int_equal(amdvi_of(world.unit)->capability.levels_max, 4);
    world_finish(&world);
}

/* Without configuration space the table is all there is; what is not known costs flushes. */
static void no_config_space(void **state)
{
    struct world_config config = world_defaults();
    struct sluice_host_ops ops;
    struct world world;

    (void)state;
    world_init(&world, &config);
    ops = *world.sluice.ops;
    ops.pci_read = NULL;
    ops.pci_write = NULL;
    world.sluice.ops = &ops;
    world_probe(&world);
    assert_true(world.unit->caps.flush_on_map);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_true(model_host_logged(world.host, "polling only"));
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 0);
    world_finish(&world);
}

/* ---- the device table ---- */

static uint64_t word(struct world *world, uint16_t rid, unsigned index)
{
    return amdvi_entry_at(amdvi_of(world->unit), (uint16_t)rid)->word[index];
}

/* Every entry is valid and blocks, before the unit is ever told of the table. */
static void table_blocks(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_init(&world, &config);
    world_probe(&world);
    for (unsigned rid = 0; rid < 65536; rid++) {
        assert_int_equal(word(&world, (uint16_t)rid, 0), 3);
        assert_int_equal(word(&world, (uint16_t)rid, 1), 0);
        assert_int_equal(word(&world, (uint16_t)rid, 2), 0);
    }
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    for (unsigned i = 0; i < 64; i++) {
        const struct model_dma_request request = {.rid = (uint16_t)(i * 1027), .address = 0x100000};
        uint8_t byte;

        assert_false(amdvi_model_dma(world.model, &request, &byte, 1, NULL));
    }
    assert_int_equal(world_stats(&world).passed, 0);
    world_finish(&world);
}

static void add_scope(struct world *world, struct platform_scope *scope)
{
    list_append(&world->desc.scopes, &scope->node);
}

/* What firmware demands for a device is in its entry, whatever domain it is in. */
static void settings(void **state)
{
    struct platform_scope range = {.kind = PLATFORM_SCOPE_PCI_RANGE,
                                   .first_rid = 0x18,
                                   .last_rid = 0x20,
                                   .settings = 0x31,
                                   .aliased = true,
                                   .source_rid = 0x100};
    struct platform_scope ioapic = {
        .kind = PLATFORM_SCOPE_IOAPIC, .source_rid = 0xa0, .settings = 0xc6};
    struct world_config config = world_defaults();
    struct world world;
    const uint64_t sysmgt = UINT64_C(3) << 40;
    const uint64_t init = UINT64_C(1) << 56;

    (void)state;
    world_init(&world, &config);
    add_scope(&world, &range);
    add_scope(&world, &ioapic);
    world_probe(&world);
    assert_int_equal(word(&world, 0x17, 1), 0);
    assert_int_equal(word(&world, 0x18, 1), sysmgt);
    assert_int_equal(word(&world, 0x20, 2), init);
    assert_int_equal(word(&world, 0x21, 2), 0);
    assert_int_equal(word(&world, 0x100, 1), sysmgt);
    assert_int_equal(word(&world, 0xa0, 1), 0);
    assert_int_equal(word(&world, 0xa0, 2), UINT64_C(0xc6) << 56);
    /* Through domains and back. */
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK); /* 00:03.0 is 0x18 */
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_int_equal(word(&world, 0x18, 1), sysmgt | world.domains[0].link.tag);
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_OK);
    assert_int_equal(word(&world, 0x18, 1), sysmgt | world.domains[1].link.tag);
    assert_int_equal(world_attach(&world, 0, NULL), SLUICE_OK);
    assert_int_equal(word(&world, 0x18, 0), 3);
    assert_int_equal(word(&world, 0x18, 1), sysmgt);
    assert_int_equal(word(&world, 0x18, 2), init);
    world_finish(&world);
}

#define TABLE_ALLOCATION 5u /* of a probe, from 0 */

/* No 2 MiB in one piece: a table for the devices there are, and nobody else gets anywhere. */
static void short_table(void **state)
{
    struct platform_scope range = {
        .kind = PLATFORM_SCOPE_PCI_RANGE, .first_rid = 8, .last_rid = 0x2ff, .settings = 1};
    struct model_dma_request beyond = {.rid = 0x400, .address = 0x100000};
    struct source far = {.id = 0x400};
    struct world_config config = world_defaults();
    struct world world;
    uint8_t byte;

    (void)state;
    config.host.no_events = true;
    world_init(&world, &config);
    add_scope(&world, &range);
    model_host_fail_allocation(world.host, TABLE_ALLOCATION, false);
    world_probe(&world);
    model_host_fail_no_more(world.host);
    assert_true(model_host_logged(world.host, "up to requester 03ff only"));
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 0);
    assert_int_equal(world_reaches(&world, 1), -1);
    assert_false(amdvi_model_dma(world.model, &beyond, &byte, 1, NULL));
    assert_int_equal(world_drain(&world), 2);
    assert_int_equal(world.fault.reason, SLUICE_FAULT_BAD_ENTRY);
    assert_int_equal(
        world.unit->ops->attach(world.unit, &far, SLUICE_NO_PASID, &world.domains[0].link),
        SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(world.unit->ops->attach(world.unit, &far, SLUICE_NO_PASID, NULL), SLUICE_OK);
    world_finish(&world);
    /* A unit that reads on behind the end is given a whole table or none. */
    config.model.subsystem = 0x11001af4;
    world_init(&world, &config);
    add_scope(&world, &range);
    model_host_fail_allocation(world.host, TABLE_ALLOCATION, false);
    assert_int_equal(amdvi_unit_ops.probe(&world.sluice, &world.desc, &world.unit),
                     SLUICE_ERR_NO_MEMORY);
    assert_int_equal(model_host_objects_in_use(world.host), 0);
    world_abandon(&world);
}

/* A domain without tables lets its device through, and nobody else. */
static void pass_through(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct domain_link link;
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

/* HyperTransport's own addresses go nowhere, and are told apart from what is not mapped. */
static void special_addresses(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    uint8_t byte;

    (void)state;
    config.host.no_events = true;
    world_begin(&world, &config);
    assert_true(world.unit->caps.special_first <= UINT64_C(0xfd00000000));
    assert_true(world.unit->caps.special_last >= UINT64_C(0xffffffffff));
    assert_false(dma_device_read(world.devices[0], UINT64_C(0xfdf8000000), &byte, 1, NULL));
    assert_int_equal(world_drain(&world), 1);
    assert_int_equal(world.fault.reason, SLUICE_FAULT_REQUEST_TYPE);
    world_finish(&world);
}

/* ---- invalidation ---- */

/* A page takes one command of one page; everything one command of everything. */
static void narrow_commands(void **state)
{
    struct world_config config = world_defaults();
    struct amdvi_model_stats before, after;
    struct world world;

    (void)state;
    world_begin(&world, &config);
    before = world_stats(&world);
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    after = world_stats(&world);
    assert_int_equal(after.pages - before.pages, 1);
    assert_int_equal(after.pages_everything, before.pages_everything);
    assert_int_equal(after.waits - before.waits, 1);
    assert_int_equal(after.doorbells - before.doorbells, 1);
    assert_int_equal(after.all, before.all);
    world_finish(&world);
}

static struct amdvi_plan plan_of(const struct pt_range *ranges, unsigned count)
{
    struct pt_gather gather;
    struct amdvi_plan plan;

    pt_gather_init(&gather);
    for (unsigned i = 0; i < count; i++)
        pt_gather_add(&gather, &ranges[i]);
    amdvi_plan_make(&gather, &plan);
    return plan;
}

static void plans(void **state)
{
    struct pt_range ranges[8];
    struct amdvi_plan plan;

    (void)state;
    /* Three pages from an odd one on: exactly two blocks. */
    ranges[0] = (struct pt_range){.first = 0x1000, .last = 0x3fff, .page_lg2 = 12};
    plan = plan_of(ranges, 1);
    assert_int_equal(plan.count, 2);
    assert_int_equal(plan.blocks[0].address, 0x1000);
    assert_int_equal(plan.blocks[0].size_lg2, 12);
    assert_int_equal(plan.blocks[1].address, 0x2000);
    assert_int_equal(plan.blocks[1].size_lg2, 13);
    assert_false(plan.blocks[0].tables);
    /* A range that takes many: one that covers it. */
    ranges[0] =
        (struct pt_range){.first = 0x1000, .last = 0x1fefff, .page_lg2 = 12, .tables = true};
    plan = plan_of(ranges, 1);
    assert_int_equal(plan.count, 1);
    assert_int_equal(plan.blocks[0].address, 0);
    assert_int_equal(plan.blocks[0].size_lg2, 21);
    assert_true(plan.blocks[0].tables);
    /* Too many altogether, or nothing said: the whole domain. */
    for (unsigned i = 0; i < 8; i++)
        ranges[i] = (struct pt_range){.first = 0x1000 + i * UINT64_C(0x1000000),
                                      .last = 0x3fff + i * UINT64_C(0x1000000),
                                      .page_lg2 = 12};
    plan = plan_of(ranges, 8);
    assert_true(plan.whole);
    assert_int_equal(plan.count, 1);
    assert_int_equal(plan.blocks[0].size_lg2, AMDVI_EVERYTHING_LG2);
    assert_true(plan_of(ranges, 0).whole);
    amdvi_plan_make(NULL, &plan);
    assert_true(plan.whole && plan.blocks[0].tables);
    /* Half of all addresses. */
    ranges[0] = (struct pt_range){.first = UINT64_C(1) << 63, .last = UINT64_MAX, .page_lg2 = 12};
    plan = plan_of(ranges, 1);
    assert_int_equal(plan.blocks[0].size_lg2, 63);
    ranges[0] = (struct pt_range){.first = 0x1000, .last = UINT64_MAX, .page_lg2 = 12};
    assert_true(plan_of(ranges, 1).whole);
}

/* ---- errata ---- */

static uint32_t indirect(struct world *world, unsigned offset)
{
    return world->sluice.ops->pci_read(world->sluice.config.ctx, 0, world->desc.ivhd.rid,
                                       (uint16_t)offset, 4);
}

#define EMULATED (AMDVI_ERRATUM_FEW_DOMAINS | AMDVI_ERRATUM_TABLE_LENGTH)

static void errata(void **state)
{
    static const struct {
        uint16_t device;
        uint32_t subsystem, want, index, data;
    } rows[] = {
        {0x1419, 0x14191022, AMDVI_ERRATUM_CLOCK_GATING, 0x90, 1u << 2},
        {0x1423, 0, AMDVI_ERRATUM_ATS_WRITE, 0x47, 1u << 0},
        {0x1451, 0, 0, 0, 0},
        {0x1419, 0x11001af4, EMULATED, 0, 0},
        {0x0010, 0x11001af4, EMULATED, 0, 0},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world_config config = world_defaults();
        struct world world;

        config.model.pci_device = rows[i].device;
        config.model.subsystem = rows[i].subsystem;
        world_init(&world, &config);
        world_probe(&world);
        assert_int_equal(amdvi_of(world.unit)->errata, rows[i].want);
        assert_int_equal(model_host_logged(world.host, "known erratum"), rows[i].want != 0);
        assert_int_equal(indirect(&world, 0xf4), 0); /* a probe writes nothing */
        assert_int_equal(world.unit->caps.domains, rows[i].want == EMULATED ? 255 : 65535);
        assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
        assert_int_equal(indirect(&world, 0xf0), rows[i].index);
        assert_int_equal(indirect(&world, 0xf4), rows[i].data);
        world_finish(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape_usual),
        cmocka_unit_test(shape_np_cache),
        cmocka_unit_test(shape_one_by_one),
        cmocka_unit_test(shape_no_efr),
        cmocka_unit_test(shape_old_table),
        cmocka_unit_test(shape_four_levels),
        cmocka_unit_test(shape_six_levels),
        cmocka_unit_test(shape_narrow),
        cmocka_unit_test(shape_slow_queue),
        cmocka_unit_test(shape_no_latency),
        cmocka_unit_test(shape_caches_behind),
        cmocka_unit_test(shape_device_tlb),
        cmocka_unit_test(shape_no_msi),
        cmocka_unit_test(shape_narrow_msi),
        cmocka_unit_test(shape_hooked),
        cmocka_unit_test(widths),
        cmocka_unit_test(features_differ),
        cmocka_unit_test(no_config_space),
        cmocka_unit_test(table_blocks),
        cmocka_unit_test(settings),
        cmocka_unit_test(short_table),
        cmocka_unit_test(pass_through),
        cmocka_unit_test(special_addresses),
        cmocka_unit_test(narrow_commands),
        cmocka_unit_test(plans),
        cmocka_unit_test(errata),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
