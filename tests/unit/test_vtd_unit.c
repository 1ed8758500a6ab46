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

/* What every shape of unit must do, from start to stop. */
static void walk_through(const struct world_config *config)
{
    struct world world;

    world_init(&world, config);
    world_probe(&world);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_true(vtd_model_translating(world.model));
    assert_int_equal(world_reaches(&world, 0), 0);  /* served from the first moment */
    assert_int_equal(world_reaches(&world, 1), -1); /* all others are blocked */
    (void)world_drain(&world);
    assert_true(world.faults >= 1);
    assert_int_equal(world.fault.reason, SLUICE_FAULT_BLOCKED);
    assert_int_equal(world.fault.source, world.sources[1].id);
    assert_int_equal(world.fault.address, WORLD_IOVA);

    assert_int_equal(world_attach(&world, 1, &world.domains[1]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 1), 1);
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_OK); /* a switch */
    assert_int_equal(world_reaches(&world, 0), 1);
    assert_int_equal(world_unmap(&world, &world.domains[1]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), -1);
    assert_int_equal(world_reaches(&world, 1), -1);
    assert_int_equal(world_map(&world, &world.domains[1]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 1), 1);
    assert_int_equal(world_attach(&world, 1, NULL), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 1), -1);
    (void)world_drain(&world);

    assert_int_equal(world.unit->ops->suspend(world.unit), SLUICE_OK);
    vtd_model_reset(world.model, true);
    assert_int_equal(world.unit->ops->resume(world.unit), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 1);
    assert_int_equal(world_reaches(&world, 1), -1);
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
