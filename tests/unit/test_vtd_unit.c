// SPDX-License-Identifier: MIT
/*
 * The VT-d driver on the model: start, attach, invalidate, faults, stop, in each shape of unit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "vtd_world.h"

static void walk_through(const struct world_config *config)
{
    struct world world;

    world_begin(&world, config);
    assert_int_equal(world_reaches(&world, 1), -1);
    (void)world_drain(&world);
    assert_true(world.faults >= 1);
    assert_int_equal(world.fault.reason, SLUICE_FAULT_BLOCKED);
    assert_int_equal(world.fault.source, world.sources[1].id);
    assert_int_equal(world.fault.address, WORLD_IOVA);
    world_walk_through(&world);
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
SHAPE(registers, config.avoid_queues = true)
SHAPE(no_queue, config.model.queued = false)
SHAPE(caching_mode, config.model.caching_mode = true)
SHAPE(caching_mode_registers, config.model.caching_mode = true; config.avoid_queues = true)
SHAPE(write_buffer, config.model.write_buffer = true)
SHAPE(not_coherent, config.model.coherent = false; config.host.non_coherent = true)
SHAPE(no_page_selective, config.model.page_selective = false)
SHAPE(narrow, config.model.sagaw = 2; config.model.mgaw_bits = 39)
SHAPE(wide, config.model.sagaw = 8; config.model.mgaw_bits = 57)
SHAPE(slow_queue, config.model.queue_mode = VTD_MODEL_AT_TICK)
SHAPE(protected_memory, config.model.plmr = config.model.phmr = true)
SHAPE(device_tlb, config.model.device_tlb = true; config.ats = true)
SHAPE(interrupts, config.model.remaps_interrupts = true)
SHAPE(few_domains, config.model.domain_bits = 4)

/* ---- errata ---- */

static uint32_t errata_of(uint16_t rid, uint16_t device, uint8_t revision, struct world *world)
{
    struct world_config config = world_defaults();
    struct model_pci_function *function;

    config.model.write_buffer = true; /* else the model has no flush to offer */
    config.model.remaps_interrupts = true;
    world_init(world, &config);
    function = model_pci_add(world->host, 0, rid, 0x8086, device);
    model_pci_config(function)[8] = revision;
    world_probe(world);
    return vtd_of(world->unit)->errata;
}

static void errata(void **state)
{
    static const struct {
        uint16_t rid, device;
        uint8_t revision;
        uint32_t want;
    } rows[] = {
        {0x00, 0x2a40, 7, VTD_ERRATUM_WRITE_BUFFER | VTD_ERRATUM_GRAPHICS},
        {0x00, 0x3405, 0x13, VTD_ERRATUM_NO_INTERRUPT_REMAPPING},
        {0x00, 0x3405, 0x14, 0},
        {0x00, 0x3405, 0x22, VTD_ERRATUM_NO_INTERRUPT_REMAPPING},
        {0x00, 0x3403, 0x22, 0},
        {0x00, 0x0044, 2, VTD_ERRATUM_GRAPHICS},
        {0x10, 0x163d, 9, VTD_ERRATUM_GRAPHICS},
        {0x10, 0x164d, 9, 0},
        {0x10, 0x29b2, 2, VTD_ERRATUM_GRAPHICS},
        {0x00, 0x29b2, 2, 0}, /* the graphics' ID elsewhere */
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world world;
        uint32_t found = errata_of(rows[i].rid, rows[i].device, rows[i].revision, &world);
        struct vtd_model_stats stats;

        assert_int_equal(found, rows[i].want);
        assert_int_equal(model_host_logged(world.host, "known erratum"), found != 0);
        assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
        vtd_model_stats(world.model, &stats);
        assert_int_equal(stats.interrupt_entry,
                         (found & VTD_ERRATUM_NO_INTERRUPT_REMAPPING) != 0 ? 0 : 1);
        world_finish(&world);
    }
}

/* A chipset that hides that it needs flushes: they are done all the same. */
static void erratum_write_buffer(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_init(&world, &config);
    (void)model_pci_add(world.host, 0, 0, 0x8086, 0x2e20);
    world_probe(&world);
    assert_true(vtd_of(world.unit)->capability.write_buffer);
    assert_true(world.unit->caps.flush_on_map);
    world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape_usual),
        cmocka_unit_test(shape_registers),
        cmocka_unit_test(shape_no_queue),
        cmocka_unit_test(shape_caching_mode),
        cmocka_unit_test(shape_caching_mode_registers),
        cmocka_unit_test(shape_write_buffer),
        cmocka_unit_test(shape_not_coherent),
        cmocka_unit_test(shape_no_page_selective),
        cmocka_unit_test(shape_narrow),
        cmocka_unit_test(shape_wide),
        cmocka_unit_test(shape_slow_queue),
        cmocka_unit_test(shape_protected_memory),
        cmocka_unit_test(shape_device_tlb),
        cmocka_unit_test(shape_interrupts),
        cmocka_unit_test(shape_few_domains),
        cmocka_unit_test(errata),
        cmocka_unit_test(erratum_write_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
