// SPDX-License-Identifier: MIT
/*
 * No open window while the AMD-Vi driver starts, takes over from firmware, switches and resumes: a
 * device does DMA at every register write and must never reach more than the old or the new tables
 * allow. And starts and resumes that fail half-way, and several threads at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "amdvi_firmware.h"

#define injection struct amdvi_model_injection

/* ---- taking over ---- */

static void handover(bool rings, bool attach_first, bool invalidate_all)
{
    struct world_config config = world_defaults();
    struct world world;
    struct firmware firmware;
    struct watch watch = {.world = &world, .armed = true};
    struct sluice_pages secret;

    config.host.no_events = true;
    config.model.invalidate_all = invalidate_all;
    world_init(&world, &config);
    secret = model_host_buffer(world.host, 0, false);
    watch.secret = secret.phys;
    firmware_on(&world, &firmware, rings && invalidate_all);
    world_probe(&world);
    assert_int_equal(world_reaches(&world, 0), 2);
    if (attach_first)
        assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    model_host_set_mmio_hook(world.host, watch_on_write, &watch);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_false(watch.outside);
    assert_true(watch.old_seen > 0); /* the watcher saw firmware's tables work */
    if (attach_first)
        assert_int_equal(watch.blocked_seen, 0); /* and no moment without either */
    for (unsigned i = 0; i < watch.count; i++)
        assert_true(watch.translating[i]); /* translation was never off */
    /* Nothing of firmware's is left, cached or not. */
    assert_int_equal(world_reaches(&world, 0), attach_first ? 0 : -1);
    model_host_set_mmio_hook(world.host, NULL, NULL);
    memset(firmware.page.virt, 0, SLUICE_PAGE_BYTES);
    firmware_free(&world, &firmware);
    model_host_buffer_free(world.host, secret, 0);
    world_finish(&world);
}

static void handover_with_rings(void **state)
{
    (void)state;
    handover(true, true, true);
}

static void handover_without_rings(void **state)
{
    (void)state;
    handover(false, true, true);
    handover(false, true, false);
}

static void handover_blocks_the_rest(void **state)
{
    (void)state;
    handover(true, false, true);
}

/*
 * Firmware's exclusion range lets every device past its tables: it is gone before the driver's own
 * table is there.
 */
static void exclusion_range(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct watch watch = {.world = &world};
    struct sluice_pages secret;
    uint8_t byte;

    (void)state;
    config.host.no_events = true;
    world_init(&world, &config);
    secret = model_host_buffer(world.host, 0, false);
    watch.secret = secret.phys;
    firmware_set(&world, 0x28, secret.phys);
    firmware_set(&world, 0x20, secret.phys | 3);
    world_probe(&world);
    model_host_set_mmio_hook(world.host, watch_on_write, &watch);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    model_host_set_mmio_hook(world.host, NULL, NULL);
    assert_true(watch_first_write(&watch, 0x20, 0) < watch_first_write(&watch, 0x18, 1));
    assert_false(dma_device_read(world.devices[0], secret.phys, &byte, 1, NULL));
    assert_int_equal(firmware_get(&world, 0x20) & 3, 0);
    model_host_buffer_free(world.host, secret, 0);
    world_finish(&world);
}

/* The table, whole, before its base; its base before translation; the rings with it. */
static void order_of_start(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct watch watch = {.world = &world};
    unsigned table, commands, events, on, doorbell;

    (void)state;
    config.host.no_events = true;
    world_init(&world, &config);
    world_probe(&world);
    model_host_set_mmio_hook(world.host, watch_on_write, &watch);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    model_host_set_mmio_hook(world.host, NULL, NULL);
    table = watch_first_write(&watch, 0x00, 1);
    commands = watch_first_write(&watch, 0x08, UINT64_C(8) << 56);
    events = watch_first_write(&watch, 0x10, UINT64_C(8) << 56);
    on = watch_first_write(&watch, 0x18, 1u | 1u << 2 | 1u << 10 | 1u << 12);
    doorbell = watch_first_write(&watch, 0x2008, 32); /* two commands */
    assert_true(commands < table && events < table && table < on && on < doorbell);
    assert_true(doorbell < WATCH_WRITES_MAX);
    for (unsigned i = 0; i < watch.count; i++)
        assert_true(watch.translating[i] == (i > on));
    world_finish(&world);
}

/* What firmware asks for in its table is in CONTROL; what it left of other things is not. */
static void control_bits(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    uint64_t control;

    (void)state;
    config.host.no_events = true;
    world_init(&world, &config);
    world.desc.ivhd.flags = PLATFORM_IVHD_HT_TUNNEL | PLATFORM_IVHD_RES_PASS_PW;
    firmware_set(&world, 0x18, 1u << 8 | 1u << 4);
    world_probe(&world);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    control = firmware_get(&world, 0x18);
    assert_int_equal(control & (1u << 1), 1u << 1);
    assert_int_equal(control & (1u << 8), 0);
    assert_int_equal(control & (1u << 9), 1u << 9);
    assert_int_equal(control & (1u << 4), 0);
    assert_int_equal(control >> 5 & 7, 4); /* a device has 1 s to answer */
    world_finish(&world);
}

/* A unit that takes a table only while it is off: refused, and left as it was. */
static void table_fixed(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct firmware firmware;

    (void)state;
    config.model.table_fixed = true;
    config.host.no_events = true;
    world_init(&world, &config);
    firmware_on(&world, &firmware, true);
    world_probe(&world);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_ERR_UNSUPPORTED);
    assert_true(model_host_logged(world.host, "does not take a device table"));
    assert_false(world.unit->started);
    assert_false(world.unit->exposed);
    assert_true(amdvi_model_translating(world.model));
    assert_int_equal(world_reaches(&world, 0), 2);
    firmware_free(&world, &firmware);
    world.unit->ops->release(world.unit);
    world_abandon(&world);
}

/* ---- a start that fails ---- */

/* Firmware's tables serve again, none of ours is used, and all memory comes back. */
static void restored(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct firmware firmware;

    (void)state;
    config.host.no_events = true;
    world_init(&world, &config);
    firmware_on(&world, &firmware, true);
    firmware_set(&world, 0x20, 0x7000);
    world_probe(&world);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    /* Everything is forgotten only the second time it is asked for. */
    world_inject(&world, (injection){.illegal_at = 1});
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_ERR_HARDWARE);
    assert_false(world.unit->started);
    assert_false(world.unit->exposed);
    assert_true(amdvi_model_translating(world.model));
    assert_int_equal(world_reaches(&world, 0), 2);
    amdvi_model_evict(world.model);
    assert_int_equal(world_reaches(&world, 0), 2);
    assert_int_equal(firmware_get(&world, 0x20), 0x7000);
    world_finish(&world); /* nothing withheld, nothing done against the specification */
}

/* Another unit does not start: from a start that worked, back to what firmware left. */
static void reverted(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct firmware firmware;

    (void)state;
    config.host.no_events = true;
    world_init(&world, &config);
    firmware_on(&world, &firmware, true);
    firmware_set(&world, 0x20, 0x7000);
    world_probe(&world);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 0);
    assert_int_equal(world.unit->ops->revert(world.unit), SLUICE_OK);
    assert_false(world.unit->started);
    assert_false(world.unit->exposed);
    assert_true(amdvi_model_translating(world.model));
    assert_int_equal(world_reaches(&world, 0), 2);
    amdvi_model_evict(world.model);
    assert_int_equal(world_reaches(&world, 0), 2);
    assert_int_equal(firmware_get(&world, 0x20), 0x7000);
    world_finish(&world); /* nothing withheld, nothing done against the specification */
}

/* When it cannot be confirmed that our tables are let go of, they are kept. */
static void not_restored(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct firmware firmware;
    uint64_t pages;

    (void)state;
    config.host.no_events = true;
    world_init(&world, &config);
    firmware_on(&world, &firmware, true);
    world_probe(&world);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    world_inject(&world, (injection){.wait_never_written = true});
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_ERR_TIMEOUT);
    assert_false(world.unit->started);
    assert_true(world.unit->exposed);
    assert_true(world_degraded(&world));
    assert_true(amdvi_model_translating(world.model));
    pages = model_host_pages_in_use(world.host);
    world.unit->ops->release(world.unit);
    assert_int_equal(model_host_pages_in_use(world.host), pages);
    assert_int_equal(atomic_load(&world.sluice.withheld_pages), 3 + 512);
    firmware_free(&world, &firmware);
    world_abandon(&world);
}

/* ---- switching ---- */

/* A switch: the device reaches the old page or the new one at every step, nothing else. */
static void switch_without_a_gap(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct watch watch = {.world = &world, .both = true, .armed = true};
    struct amdvi_model_stats before, after;
    struct sluice_pages secret;

    (void)state;
    world_begin(&world, &config);
    before = world_stats(&world);
    model_host_set_mmio_hook(world.host, watch_on_write, &watch);
    secret = model_host_buffer(world.host, 0, false);
    watch.secret = secret.phys;
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_OK);
    model_host_set_mmio_hook(world.host, NULL, NULL);
    after = world_stats(&world);
    assert_false(watch.outside);
    assert_true(watch.new_seen > 0);
#if defined(__x86_64__) /* the library is built for a 16-byte store; this file is not */
    assert_int_equal(watch.blocked_seen, 0);
    /* One batch: this device's entry, the old domain, one wait, one doorbell. */
    assert_int_equal(after.entries - before.entries, 1);
    assert_int_equal(after.pages_everything - before.pages_everything, 1);
    assert_int_equal(after.waits - before.waits, 1);
    assert_int_equal(after.doorbells - before.doorbells, 1);
#else
    assert_true(after.entries > before.entries);
#endif
    model_host_buffer_free(world.host, secret, 0);
    assert_int_equal(world_reaches(&world, 0), 1);
    world_finish(&world);
}

/* From blocked on, and back: the entry that blocks was cached, too. */
static void blocked_entries_are_forgotten(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(world_reaches(&world, 1), -1);
        assert_int_equal(world_attach(&world, 1, &world.domains[i % 2]), SLUICE_OK);
        assert_int_equal(world_reaches(&world, 1), i % 2);
        assert_int_equal(world_attach(&world, 1, NULL), SLUICE_OK);
    }
    world_finish(&world);
}

/* ---- resume ---- */

/* A resume that fails says so, and may be tried again. */
static void resume_fails(void **state)
{
    static const uint64_t bits[] = {1u << 3, 1u << 4};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct world_config config = world_defaults();
        struct world world;

        world_begin(&world, &config);
        assert_int_equal(world.unit->ops->suspend(world.unit), SLUICE_OK);
        amdvi_model_reset(world.model, true);
        world_inject(&world, (injection){.stuck_status = bits[i]});
        assert_int_equal(world.unit->ops->resume(world.unit), SLUICE_ERR_TIMEOUT);
        assert_true(world_degraded(&world));
        world_inject(&world, (injection){0});
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
    world_begin(&world, &config);
    assert_int_equal(world.unit->ops->suspend(world.unit), SLUICE_OK);
    world_inject(&world, (injection){.gone_at = 1});
    assert_int_equal(world.unit->ops->resume(world.unit), SLUICE_ERR_HARDWARE);
    assert_true(world_degraded(&world));
    world_abandon(&world);
}

/* ---- threads ---- */

struct worker {
    struct world *world;
    unsigned index;
    unsigned rounds;
    unsigned failures;
};

static void *submit_and_wait(void *arg)
{
    struct worker *worker = arg;
    struct unit *unit = worker->world->unit;
    struct domain_link *link = &worker->world->domains[worker->index % 2].link;

    for (unsigned i = 0; i < worker->rounds; i++) {
        struct pt_gather gather;
        struct pt_range range = {.first = i * SLUICE_PAGE_BYTES, .page_lg2 = 12};
        const struct unit_invalidation invalidation = {.link = link, .gather = &gather};
        struct unit_ticket ticket;

        range.last = range.first + SLUICE_PAGE_BYTES - 1;
        pt_gather_init(&gather);
        pt_gather_add(&gather, &range);
        if (unit->ops->invalidate_submit(unit, &invalidation, &ticket) != SLUICE_OK ||
            unit->ops->invalidate_wait(unit, &ticket) != SLUICE_OK)
            worker->failures++;
    }
    return NULL;
}

static void threads(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < 2; mode++) {
        struct world_config config = world_defaults();
        struct worker workers[4];
        pthread_t ids[4];
        struct world world;
        uint8_t byte;

        config.host.real_clock = true;
        config.host.no_events = true;
        config.model.queue_mode = mode == 0 ? AMDVI_MODEL_AT_DOORBELL : AMDVI_MODEL_AT_TICK;
        world_init(&world, &config);
        world.sluice.config.hardware_timeout_ns = 5000000000u;
        world_probe(&world);
        assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
        assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
        for (unsigned i = 0; i < 4; i++) {
            workers[i] = (struct worker){.world = &world, .index = i, .rounds = 100};
            assert_int_equal(pthread_create(&ids[i], NULL, submit_and_wait, &workers[i]), 0);
        }
        for (unsigned i = 0; i < 30; i++) {
            (void)dma_device_read(world.devices[1], WORLD_IOVA, &byte, 1, NULL);
            (void)world_drain(&world);
        }
        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(pthread_join(ids[i], NULL), 0);
            assert_int_equal(workers[i].failures, 0);
        }
        world_finish(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handover_with_rings),
        cmocka_unit_test(handover_without_rings),
        cmocka_unit_test(handover_blocks_the_rest),
        cmocka_unit_test(exclusion_range),
        cmocka_unit_test(order_of_start),
        cmocka_unit_test(control_bits),
        cmocka_unit_test(table_fixed),
        cmocka_unit_test(restored),
        cmocka_unit_test(reverted),
        cmocka_unit_test(not_restored),
        cmocka_unit_test(switch_without_a_gap),
        cmocka_unit_test(blocked_entries_are_forgotten),
        cmocka_unit_test(resume_fails),
        cmocka_unit_test(resume_gone),
        cmocka_unit_test(threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
