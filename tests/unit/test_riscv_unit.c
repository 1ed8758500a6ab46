// SPDX-License-Identifier: MIT
/*
 * The RISC-V IOMMU driver on every shape of unit: attach, move, unmap, detach, stop and start
 * again, and what commands that takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "riscv_world.h"
#include "unit/block.h"

/* One round through everything, after which nothing may be left and no rule was broken. */
static void walk_through(const struct world_config *config)
{
    struct world world;

    world_begin(&world, config);
    world_walk_through(&world);
    assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_OK);
    assert_int_equal(riscv_model_mode(world.model), config->model.reset_mode);
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

#define FIRST_NONE  (config.model.sv39 = config.model.sv48 = config.model.sv57 = false)
#define SECOND_NONE (config.model.sv39x4 = config.model.sv48x4 = config.model.sv57x4 = false)

SHAPE(usual, (void)0)
SHAPE(sv48, config.model.sv57 = false)
SHAPE(sv39, config.model.sv57 = config.model.sv48 = false)
SHAPE(first_only, SECOND_NONE)
SHAPE(second, FIRST_NONE)
SHAPE(second_48, (FIRST_NONE, config.model.sv57x4 = false))
SHAPE(second_39, (FIRST_NONE, config.model.sv57x4 = config.model.sv48x4 = false))
SHAPE(second_chosen, config.format = &pt_format_riscv_second_stage)
SHAPE(second_narrow, (config.format = &pt_format_riscv_second_stage, config.iova_bits = 32))
SHAPE(narrow, config.iova_bits = 32)
SHAPE(base_format, config.model.extended = false)
SHAPE(base_format_second, (config.model.extended = false, FIRST_NONE))
SHAPE(two_levels, config.model.modes = 2)
SHAPE(one_level, config.model.modes = 1)
SHAPE(three_levels, config.model.modes = 4)
SHAPE(base_three_levels, (config.model.extended = false, config.model.modes = 4))
SHAPE(odd_modes, (config.model.modes = 3, config.model.odd_mode = 1))
SHAPE(ranges, config.model.ranges = true)
SHAPE(nonleaf, config.model.nonleaf = true)
SHAPE(ranges_nonleaf, config.model.nonleaf = config.model.ranges = true)
SHAPE(whole_pages, config.model.pieces = false)
SHAPE(no_snoop, (config.model.coherent = false, config.host.non_coherent = true))
SHAPE(no_snoop_ats,
      (config.model.coherent = false, config.host.non_coherent = true, config.model.ats = true))
SHAPE(slow_queue, config.model.queue_mode = RISCV_MODEL_AT_TICK)
SHAPE(slow_polled, (config.model.queue_mode = RISCV_MODEL_AT_TICK, config.model.coherent = false,
                    config.host.non_coherent = true))
SHAPE(no_latency, config.model.latency_reads = 0)
SHAPE(latency, config.model.latency_reads = 9)
SHAPE(starts_bare, config.model.reset_mode = 1)
SHAPE(messages, config.model.igs = 0)
SHAPE(wires, (config.model.igs = 1, config.host.wired_events = true))
SHAPE(both_wired, config.host.wired_events = true)
SHAPE(both_orders, config.model.both_orders = config.model.big_endian = true)
SHAPE(polled_faults, config.host.no_events = true)
SHAPE(narrow_physical, config.model.pas = 40)
SHAPE(on_pci, config.model.pci = true)
SHAPE(on_pci_ats, config.model.pci = config.model.ats = true)
SHAPE(device_tlb, (config.model.ats = true, config.ats = true))
SHAPE(device_tlb_2, (config.model.ats = true, config.ats = true, FIRST_NONE))

/* ---- what it takes ---- */

/* From one second stage to another in one store: at no moment is the device blocked. */
struct seamless {
    struct world *world;
    unsigned blocked;
};

static void seamless_look(void *arg, const struct model_mmio_event *event)
{
    struct seamless *seamless = arg;

    (void)event;
    riscv_model_evict(seamless->world->model);
    if (world_reaches(seamless->world, 0) < 0)
        seamless->blocked++;
}

static void switch_without_gap(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 2; second++) {
        struct world_config config = world_defaults();
        struct seamless seamless = {0};
        struct world world;

        config.host.no_events = true;
        if (second != 0)
            FIRST_NONE;
        world_begin(&world, &config);
        seamless.world = &world;
        model_host_set_mmio_hook(world.host, seamless_look, &seamless);
        assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_OK);
        model_host_set_mmio_hook(world.host, NULL, NULL);
        /* Two words of a first stage differ: those are never seen half done. */
        assert_int_equal(seamless.blocked == 0, second);
        assert_int_equal(world_reaches(&world, 0), 1);
        world_finish(&world);
    }
}

static void narrow_commands(void **state)
{
    (void)state;
    for (unsigned ranges = 0; ranges < 2; ranges++) {
        struct world_config config = world_defaults();
        struct riscv_model_stats before, after;
        struct world world;

        config.model.ranges = ranges != 0;
        /* Without the second, the table that goes with the pages has everything invalidated. */
        config.model.nonleaf = true;
        world_begin(&world, &config);
        before = world_stats(&world);
        assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
        after = world_stats(&world);
        assert_int_equal(after.inval_address - before.inval_address, ranges != 0 ? 1 : 16);
        assert_int_equal(after.inval_range - before.inval_range, ranges);
        assert_int_equal(after.inval_tag, before.inval_tag);
        assert_int_equal(after.fences - before.fences, 1);
        assert_int_equal(after.doorbells - before.doorbells, 1);
        world_finish(&world);
    }
}

/* A large page, of which the unit has pieces from both ends. */
static void large_page(void **state)
{
    const uint64_t bytes = (uint64_t)1 << 21, iova = bytes * 3;

    (void)state;
    for (unsigned what = 0; what < 8; what++) {
        struct world_config config = world_defaults();
        struct world_domain *domain;
        struct sluice_pages page;
        struct pt_gather gather;
        struct world world;
        uint8_t byte;

        config.model.pieces = (what & 1) != 0;
        config.model.ranges = (what & 2) != 0;
        config.model.nonleaf = (what & 4) != 0;
        world_begin(&world, &config);
        domain = &world.domains[0];
        page = model_host_buffer(world.host, 9, false);
        pt_gather_init(&gather);
        assert_int_equal(
            domain->pt.format->map(&domain->pt, iova, page.phys, bytes, SLUICE_PROT_READ, &gather),
            SLUICE_OK);
        assert_true(dma_device_read(world.devices[0], iova, &byte, 1, NULL));
        assert_true(dma_device_read(world.devices[0], iova + bytes - 1, &byte, 1, NULL));
        assert_int_equal(domain->pt.format->unmap(&domain->pt, iova, bytes, &gather, NULL),
                         SLUICE_OK);
        {
            const struct unit_invalidation invalidation = {.link = &domain->link,
                                                           .gather = &gather};
            struct unit_ticket ticket;

            assert_int_equal(world.unit->ops->invalidate_submit(world.unit, &invalidation, &ticket),
                             SLUICE_OK);
            assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &ticket), SLUICE_OK);
        }
        domain->pt.format->release(&domain->pt, &gather);
        assert_false(dma_device_read(world.devices[0], iova, &byte, 1, NULL));
        assert_false(dma_device_read(world.devices[0], iova + bytes - 1, &byte, 1, NULL));
        model_host_buffer_free(world.host, page, 9);
        world_finish(&world);
    }
}

static struct riommu_plan plan_of(const struct pt_range *ranges, unsigned count, bool by_range,
                                  bool tables)
{
    struct pt_gather gather;
    struct riommu_plan plan;

    pt_gather_init(&gather);
    for (unsigned i = 0; i < count; i++)
        pt_gather_add(&gather, &ranges[i]);
    riommu_plan_make(&gather, by_range, tables, &plan);
    return plan;
}

/* The blocks of a plan cover exactly the pages of the range, each aligned to its size. */
static void covers(const struct riommu_plan *plan, uint64_t first, uint64_t pages)
{
    uint64_t at = first;

    assert_false(plan->whole);
    for (unsigned i = 0; i < plan->count; i++) {
        const struct riommu_block *block = &plan->blocks[i];

        assert_int_equal(block->address, at);
        assert_true(block->lg2 >= 12 && block->lg2 < 64);
        assert_int_equal(at & ((UINT64_C(1) << block->lg2) - 1), 0);
        at += UINT64_C(1) << block->lg2;
    }
    assert_int_equal(at, first + (pages << 12));
}

static void plans(void **state)
{
    static const uint64_t lengths[] = {1, 2, 3, 31, 32, 33, 511, 512, 1025, 0x12345, 1ull << 30};
    struct pt_range range = {.first = 0x7000, .page_lg2 = 12};
    struct riommu_plan plan;

    (void)state;
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        range.last = range.first + (lengths[i] << 12) - 1;
        plan = plan_of(&range, 1, true, false);
        if (!plan.whole)
            covers(&plan, range.first, lengths[i]);
        assert_true(i > 8 || !plan.whole);
        plan = plan_of(&range, 1, false, false);
        assert_int_equal(plan.whole, lengths[i] > RIOMMU_PLAN_MAX);
        if (!plan.whole)
            covers(&plan, range.first, lengths[i]);
    }
    range.last = range.first + 0xfff;
    range.tables = true;
    assert_true(plan_of(&range, 1, true, false).whole);
    plan = plan_of(&range, 1, true, true);
    assert_false(plan.whole);
    assert_true(plan.blocks[0].tables);
    riommu_plan_make(NULL, true, true, &plan);
    assert_true(plan.whole);
    range = (struct pt_range){.first = 0, .last = UINT64_MAX, .page_lg2 = 12};
    plan = plan_of(&range, 1, true, true);
    if (!plan.whole)
        covers(&plan, 0, 1ull << 52);
    assert_int_equal(unit_cover_lg2(0x1000, 0x1fff), 12);
    assert_int_equal(unit_cover_lg2(0x1000, 0x2fff), 14);
    assert_int_equal(unit_cover_lg2(0, UINT64_MAX), 64);
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

/* A device far away in the directory, which was refused before it had tables. */
static void deep_directory(void **state)
{
    (void)state;
    for (unsigned extended = 0; extended < 2; extended++) {
        const struct model_dma_request request = {.rid = 0xff1f, .address = WORLD_IOVA};
        struct world_config config = world_defaults();
        struct source far = {.id = 0xff1f};
        struct world world;
        uint8_t byte = 0;

        config.model.extended = extended != 0;
        world_begin(&world, &config);
        assert_int_equal(riscv_model_mode(world.model), extended != 0 ? 4 : 3);
        far.unit = world.unit;
        assert_false(riscv_model_dma(world.model, &request, &byte, 1, NULL));
        assert_int_equal(
            world.unit->ops->attach(world.unit, &far, SLUICE_NO_PASID, &world.domains[1].link),
            SLUICE_OK);
        far.link = &world.domains[1].link;
        assert_true(riscv_model_dma(world.model, &request, &byte, 1, NULL));
        assert_int_equal(byte, 0x22);
        assert_int_equal(world.unit->ops->attach(world.unit, &far, SLUICE_NO_PASID, NULL),
                         SLUICE_OK);
        assert_false(riscv_model_dma(world.model, &request, &byte, 1, NULL));
        world_finish(&world);
    }
}

/* As few levels as the device IDs that firmware tells of need. */
static void levels(void **state)
{
    static const struct {
        uint32_t last;
        bool extended;
        unsigned mode;
    } rows[] = {{63, true, 2},     {64, true, 3},      {127, false, 2},    {128, false, 3},
                {0x7fff, true, 3}, {0x8000, true, 4},  {0xffff, false, 3}, {0x10000, false, 4},
                {0, true, 2},      {0xffffff, true, 4}};

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world_config config = world_defaults();
        struct platform_scope scope = {
            .kind = PLATFORM_SCOPE_IDS, .first_id = rows[i].last, .id_count = 1};
        struct world world;

        config.model.extended = rows[i].extended;
        world_init(&world, &config);
        world.desc.maps_ids = true;
        list_append(&world.desc.scopes, &scope.node);
        world_probe(&world);
        assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
        assert_int_equal(riscv_model_mode(world.model), rows[i].mode);
        world_finish(&world);
    }
}

/* Devices beyond the directory are nobody's. */
static void limits(void **state)
{
    struct world_config config = world_defaults();
    struct source far = {.id = 0x8000};
    struct world world;

    (void)state;
    config.model.modes = 3;
    world_begin(&world, &config);
    assert_true(model_host_logged(world.host, "stay blocked"));
    assert_int_equal(
        world.unit->ops->attach(world.unit, &far, SLUICE_NO_PASID, &world.domains[0].link),
        SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(world.unit->ops->attach(world.unit, &far, SLUICE_NO_PASID, NULL), SLUICE_OK);
    far.id = 0x1000000;
    assert_int_equal(
        world.unit->ops->attach(world.unit, &far, SLUICE_NO_PASID, &world.domains[0].link),
        SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(world.unit->ops->attach(world.unit, &far, 5, &world.domains[0].link),
                     SLUICE_ERR_UNSUPPORTED);
    world_finish(&world);
}

/* IDs are never given out twice, and 0 never. */
static void tags(void **state)
{
    static struct domain_link links[RIOMMU_TAG_COUNT];
    static bool seen[RIOMMU_TAG_COUNT];
    struct world_config config = world_defaults();
    struct world world;
    unsigned count = RIOMMU_TAG_COUNT - 3; /* 0, and the two of the domains */

    (void)state;
    world_begin(&world, &config);
    for (unsigned i = 0; i <= count; i++) {
        links[i] = (struct domain_link){.unit = world.unit, .pt = &world.domains[0].pt};
        assert_int_equal(world.unit->ops->link_open(world.unit, &links[i]),
                         i < count ? SLUICE_OK : SLUICE_ERR_NO_SPACE);
        if (i == count)
            break;
        assert_true(links[i].tag > 2 && links[i].tag < RIOMMU_TAG_COUNT && !seen[links[i].tag]);
        seen[links[i].tag] = true;
    }
    assert_int_equal(world.unit->ops->link_close(world.unit, &links[7]), SLUICE_OK);
    assert_int_equal(world.unit->ops->link_open(world.unit, &links[count]), SLUICE_OK);
    assert_int_equal(links[count].tag, links[7].tag);
    world_finish(&world);
}

/* ---- messages of guests' devices ---- */

static struct riommu_context *context_of(struct world *world, unsigned device)
{
    struct riommu *riommu = riommu_of(world->unit);

    return (struct riommu_context *)riommu->top[0].virt + (world->sources[device].id & 63);
}

/* A flat table: the first file is a real one, the second in memory, the third is not there. */
static void msi_tables(void **state)
{
    struct world_config config = world_defaults();
    struct sluice_pages table, file;
    struct riommu_msi_window window;
    struct model_dma_result result;
    struct riommu_mrif *mrif;
    struct world world;
    uint32_t data = 65;

    (void)state;
    FIRST_NONE;
    config.host.no_events = true;
    world_begin(&world, &config);
    table = model_host_buffer(world.host, 0, false);
    file = model_host_buffer(world.host, 0, false);
    mrif = (struct riommu_mrif *)((uint8_t *)file.virt + 512);
    ((struct riommu_msi_entry *)table.virt)[0] = riommu_msi_basic(0x28000000);
    ((struct riommu_msi_entry *)table.virt)[1] = riommu_msi_mrif(file.phys + 512, 0x28001000, 1027);
    window = (struct riommu_msi_window){.table = table.phys, .mask = 0x3, .pattern = 0x50000};
    riommu_context_set_msi(context_of(&world, 0), &window);
    assert_int_equal(riommu_invalidate_everything(riommu_of(world.unit)), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 0);
    /* A message to the real file. */
    assert_true(dma_device_write(world.devices[0], 0x50000000, &data, 4, NULL));
    assert_int_equal(model_host_stray_msis(world.host), 1);
    /* One to the file in memory: the bit, and a notice only where it is enabled. */
    assert_true(dma_device_write(world.devices[0], 0x50001000, &data, 4, NULL));
    assert_int_equal(mrif->part[1].pending, 2);
    assert_int_equal(world_stats(&world).notices, 0);
    mrif->part[1].enabled = 2;
    assert_true(dma_device_write(world.devices[0], 0x50001000, &data, 4, NULL));
    assert_int_equal(world_stats(&world).notices, 1);
    /* One to a file that is not there; one beyond the files, which is memory that is not mapped. */
    assert_false(dma_device_write(world.devices[0], 0x50002000, &data, 4, &result));
    assert_int_equal(result.reason, 262);
    assert_false(dma_device_write(world.devices[0], 0x50004000, &data, 4, &result));
    assert_int_equal(result.reason, RIOMMU_CAUSE_WRITE_GUEST_PAGE);
    assert_int_equal(world_drain(&world), 2);
    world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape_usual),
        cmocka_unit_test(shape_sv48),
        cmocka_unit_test(shape_sv39),
        cmocka_unit_test(shape_first_only),
        cmocka_unit_test(shape_second),
        cmocka_unit_test(shape_second_48),
        cmocka_unit_test(shape_second_39),
        cmocka_unit_test(shape_second_chosen),
        cmocka_unit_test(shape_second_narrow),
        cmocka_unit_test(shape_narrow),
        cmocka_unit_test(shape_base_format),
        cmocka_unit_test(shape_base_format_second),
        cmocka_unit_test(shape_two_levels),
        cmocka_unit_test(shape_one_level),
        cmocka_unit_test(shape_three_levels),
        cmocka_unit_test(shape_base_three_levels),
        cmocka_unit_test(shape_odd_modes),
        cmocka_unit_test(shape_ranges),
        cmocka_unit_test(shape_nonleaf),
        cmocka_unit_test(shape_ranges_nonleaf),
        cmocka_unit_test(shape_whole_pages),
        cmocka_unit_test(shape_no_snoop),
        cmocka_unit_test(shape_no_snoop_ats),
        cmocka_unit_test(shape_slow_queue),
        cmocka_unit_test(shape_slow_polled),
        cmocka_unit_test(shape_no_latency),
        cmocka_unit_test(shape_latency),
        cmocka_unit_test(shape_starts_bare),
        cmocka_unit_test(shape_messages),
        cmocka_unit_test(shape_wires),
        cmocka_unit_test(shape_both_wired),
        cmocka_unit_test(shape_both_orders),
        cmocka_unit_test(shape_polled_faults),
        cmocka_unit_test(shape_narrow_physical),
        cmocka_unit_test(shape_on_pci),
        cmocka_unit_test(shape_on_pci_ats),
        cmocka_unit_test(shape_device_tlb),
        cmocka_unit_test(shape_device_tlb_2),
        cmocka_unit_test(switch_without_gap),
        cmocka_unit_test(narrow_commands),
        cmocka_unit_test(large_page),
        cmocka_unit_test(plans),
        cmocka_unit_test(pass_through),
        cmocka_unit_test(deep_directory),
        cmocka_unit_test(levels),
        cmocka_unit_test(limits),
        cmocka_unit_test(tags),
        cmocka_unit_test(msi_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
