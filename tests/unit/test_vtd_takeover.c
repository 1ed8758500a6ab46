// SPDX-License-Identifier: MIT
/*
 * The VT-d driver and what firmware left: units in other table modes, starts and resumes that fail
 * half-way, units of versions without invalidation registers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "vtd_firmware.h"

static void inject(struct world *world, struct vtd_model_injection injection)
{
    vtd_model_inject(world->model, &injection);
}

static bool degraded(const struct world *world)
{
    return atomic_load(&world->unit->degraded) != 0;
}

/* ---- other table modes ---- */

static struct world_config other_mode_config(bool enhanced_srtp)
{
    struct world_config config = world_defaults();

    config.model.scalable = true;
    config.model.abort_dma = true;
    config.model.enhanced_srtp = enhanced_srtp;
    config.host.no_events = true;
    return config;
}

/* With ESRTPS: one step from blocked to ours, translation never off. */
static void leave_mode(unsigned mode)
{
    struct world_config config = other_mode_config(true);
    struct world world;
    struct firmware firmware;
    struct watch watch = {.world = &world, .armed = true};
    struct sluice_pages secret;

    world_init(&world, &config);
    secret = model_host_buffer(world.host, 0, false);
    watch.secret = secret.phys;
    firmware_on_in_mode(&world, &firmware, mode);
    world_probe(&world);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), -1);
    model_host_set_mmio_hook(world.host, watch_on_write, &watch);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    model_host_set_mmio_hook(world.host, NULL, NULL);
    assert_false(watch.outside);
    assert_true(watch.blocked_seen > 0);
    for (unsigned i = 0; i < watch.count; i++)
        assert_true(watch.translating[i]);
    assert_int_equal(world_reaches(&world, 0), 0);
    assert_int_equal(world_reaches(&world, 1), -1);
    firmware_free(&world, &firmware);
    model_host_buffer_free(world.host, secret, 0);
    world_finish(&world);
}

static void scalable_mode_left(void **state)
{
    (void)state;
    leave_mode(1);
}

static void abort_mode_left(void **state)
{
    (void)state;
    leave_mode(3);
}

/* Without ESRTPS there is no way without a gap: refused, and not a register is touched. */
static void other_modes_refused(void **state)
{
    static const unsigned modes[] = {1, 3};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct world_config config = other_mode_config(false);
        struct world world;
        struct firmware firmware;
        struct watch watch = {.world = &world};

        world_init(&world, &config);
        firmware_on_in_mode(&world, &firmware, modes[i]);
        vtd_model_evict(world.model);
        world_probe(&world);
        model_host_set_mmio_hook(world.host, watch_on_write, &watch);
        assert_int_equal(world.unit->ops->start(world.unit), SLUICE_ERR_UNSUPPORTED);
        model_host_set_mmio_hook(world.host, NULL, NULL);
        assert_int_equal(watch.count, 0);
        assert_false(world.unit->started);
        assert_false(world.unit->exposed);
        assert_true(vtd_model_translating(world.model));
        assert_true(model_host_logged(world.host, modes[i] == 3 ? "abort-DMA mode" : "scalable"));
        assert_int_equal(world_reaches(&world, 0), -1);
        firmware_free(&world, &firmware);
        world_abandon(&world);
    }
}

/* A unit that could do more is driven in legacy mode, with what legacy mode knows. */
static void scalable_unit(void **state)
{
    struct world_config config = other_mode_config(false);
    struct world world;

    (void)state;
    config.model.remaps_interrupts = true;
    world_init(&world, &config);
    world_probe(&world);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 0);
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), -1);
    world_finish(&world);
}

/* ---- versions ---- */

/* From version 6 on the registers do nothing: the queue is used whatever was asked for. */
static void version_6(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.avoid_queues = true;
    config.model.version = 0x60;
    world_init(&world, &config);
    world_probe(&world);
    assert_true(world.unit->caps.queued);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 0);
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 1);
    world_finish(&world);

    config.model.queued = false;
    world_init(&world, &config);
    assert_int_equal(vtd_unit_ops.probe(&world.sluice, &world.desc, &world.unit),
                     SLUICE_ERR_HARDWARE);
    assert_int_equal(model_host_objects_in_use(world.host), 0);
    world_abandon(&world);
}

/* ---- a start that fails ---- */

/* Firmware's tables serve again, none of ours is used, and all memory comes back. */
static void restored(struct world_config config, bool queue)
{
    struct world world;
    struct firmware firmware;

    config.host.no_events = true;
    world_init(&world, &config);
    firmware_on(&world, &firmware, queue);
    world_probe(&world);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 2);
    inject(&world, (struct vtd_model_injection){.wait_never_written = true});
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_ERR_TIMEOUT);
    inject(&world, (struct vtd_model_injection){0});
    assert_false(world.unit->started);
    assert_false(world.unit->exposed);
    assert_true(vtd_model_translating(world.model));
    assert_int_equal(world_reaches(&world, 0), 2);
    vtd_model_evict(world.model);
    assert_int_equal(world_reaches(&world, 0), 2);
    world_finish(&world); /* nothing withheld, nothing done against the specification */
}

static void restored_by_registers(void **state)
{
    (void)state;
    restored(world_defaults(), false);
    restored(world_defaults(), true);
}

static void restored_by_root_alone(void **state)
{
    struct world_config config = world_defaults();

    (void)state;
    config.model.enhanced_srtp = true;
    config.model.version = 0x60;
    restored(config, false);
}

/* Another unit does not start: from a start that worked, back to what firmware left. */
static void reverted(struct world_config config)
{
    struct world world;
    struct firmware firmware;

    config.host.no_events = true;
    world_init(&world, &config);
    firmware_on(&world, &firmware, true);
    world_probe(&world);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 0);
    assert_int_equal(world.unit->ops->revert(world.unit), SLUICE_OK);
    assert_false(world.unit->started);
    assert_false(world.unit->exposed);
    assert_true(vtd_model_translating(world.model));
    assert_int_equal(world_reaches(&world, 0), 2);
    vtd_model_evict(world.model);
    assert_int_equal(world_reaches(&world, 0), 2);
    world_finish(&world); /* nothing withheld, nothing done against the specification */
}

static void reverted_to_firmware(void **state)
{
    struct world_config config = world_defaults();

    (void)state;
    reverted(config);
    config.model.enhanced_srtp = true;
    config.model.version = 0x60;
    reverted(config);
}

/* Translation was off, but memory was protected: it is again before translation goes off. */
static void reverted_to_protected_memory(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.model.plmr = true;
    config.host.no_events = true;
    world_init(&world, &config);
    world_probe(&world);
    firmware_set(&world, 0x68, 4, 0);
    firmware_set(&world, 0x6c, 4, 0xffffffffu);
    firmware_set(&world, 0x64, 4, 1u << 31);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_int_equal(firmware_get(&world, 0x64, 4) & 1u, 0);
    assert_int_equal(world.unit->ops->revert(world.unit), SLUICE_OK);
    assert_false(vtd_model_translating(world.model));
    assert_int_equal(firmware_get(&world, 0x64, 4) & 1u, 1);
    assert_int_equal(world_reaches(&world, 0), -1);
    world_finish(&world);
}

/* When it cannot be confirmed that our tables are let go of, they are kept. */
static void not_restored(struct world_config config, struct vtd_model_injection injection)
{
    struct world world;
    struct firmware firmware;
    uint64_t pages;

    config.host.no_events = true;
    world_init(&world, &config);
    firmware_on(&world, &firmware, false);
    world_probe(&world);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    inject(&world, injection);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_ERR_TIMEOUT);
    assert_false(world.unit->started);
    assert_true(world.unit->exposed);
    assert_true(degraded(&world));
    assert_true(vtd_model_translating(world.model));
    pages = model_host_pages_in_use(world.host);
    world.unit->ops->release(world.unit);
    assert_int_equal(model_host_pages_in_use(world.host), pages);
    assert_true(atomic_load(&world.sluice.withheld_pages) >= 2);
    firmware_free(&world, &firmware);
    world_abandon(&world);
}

static void exposed(void **state)
{
    struct world_config config = world_defaults();

    (void)state;
    config.avoid_queues = true;
    not_restored(config, (struct vtd_model_injection){.iotlb_never_done = true});
    not_restored(config, (struct vtd_model_injection){.context_never_done = true});
    config.avoid_queues = false;
    config.model.version = 0x60; /* only the queue could tell, and it is silent */
    not_restored(config, (struct vtd_model_injection){.wait_never_written = true});
}

/* ---- resume ---- */

/* A resume that fails says so, and may be tried again. */
static void resume_fails(void **state)
{
    static const uint32_t bits[] = {1u << 31, 1u << 30, 1u << 26};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct world_config config = world_defaults();
        struct world world;

        world_init(&world, &config);
        world_probe(&world);
        assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
        assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
        assert_int_equal(world.unit->ops->suspend(world.unit), SLUICE_OK);
        vtd_model_reset(world.model, true);
        inject(&world, (struct vtd_model_injection){.stuck_gsts = bits[i]});
        assert_int_equal(world.unit->ops->resume(world.unit), SLUICE_ERR_TIMEOUT);
        assert_true(degraded(&world));
        /* Where only the queue is missing it is closed all the same. */
        assert_int_equal(vtd_model_translating(world.model), bits[i] == 1u << 26);
        if (bits[i] == 1u << 26)
            assert_int_equal(world_reaches(&world, 1), -1);
        inject(&world, (struct vtd_model_injection){0});
        assert_int_equal(world.unit->ops->resume(world.unit), SLUICE_OK);
        assert_int_equal(world_reaches(&world, 0), 0);
        assert_int_equal(world_reaches(&world, 1), -1);
        world_finish(&world);
    }
}

/* The unit does not come back at all. */
static void resume_gone(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_init(&world, &config);
    world_probe(&world);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_int_equal(world.unit->ops->suspend(world.unit), SLUICE_OK);
    inject(&world, (struct vtd_model_injection){.gone_at = 1});
    assert_int_equal(world.unit->ops->resume(world.unit), SLUICE_ERR_HARDWARE);
    assert_true(degraded(&world));
    world_abandon(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalable_mode_left),
        cmocka_unit_test(abort_mode_left),
        cmocka_unit_test(other_modes_refused),
        cmocka_unit_test(scalable_unit),
        cmocka_unit_test(version_6),
        cmocka_unit_test(restored_by_registers),
        cmocka_unit_test(reverted_to_firmware),
        cmocka_unit_test(reverted_to_protected_memory),
        cmocka_unit_test(restored_by_root_alone),
        cmocka_unit_test(exposed),
        cmocka_unit_test(resume_fails),
        cmocka_unit_test(resume_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
