// SPDX-License-Identifier: MIT
/*
 * The AMD-Vi driver when the hardware fails, one injected error at a time: the caller learns of it,
 * nothing is claimed that was not confirmed, no wait is endless.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "amdvi_world.h"

#define injection struct amdvi_model_injection

/* An unmap that the unit does not confirm: error, degraded, tables kept. */
static void unmap_fails(struct world *world, enum sluice_status want)
{
    uint64_t tables = atomic_load(&world->domains[0].pt.table_pages);

    assert_int_equal(world_unmap(world, &world->domains[0]), want);
    assert_true(world_degraded(world));
    assert_int_equal(atomic_load(&world->domains[0].pt.table_pages), tables);
}

/* Errors of the hardware are what a test is about, not violations. */
static void recovered(struct world *world)
{
    assert_int_equal(world_map(world, &world->domains[0]), SLUICE_OK);
    assert_int_equal(world_unmap(world, &world->domains[0]), SLUICE_OK);
    assert_int_equal(world_reaches(world, 0), -1);
    assert_int_equal(world_attach(world, 0, &world->domains[1]), SLUICE_OK);
    assert_int_equal(world_reaches(world, 0), 1);
}

static void completion_never_comes(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.wait_never_written = true});
    unmap_fails(&world, SLUICE_ERR_TIMEOUT);
    /* And it stays so: a late success of something else proves nothing. */
    world_inject(&world, (injection){0});
    assert_int_not_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_OK);
    assert_false(amdvi_model_translating(world.model));
    world_abandon(&world);
}

static void queue_stuck(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.queue_stuck = true});
    unmap_fails(&world, SLUICE_ERR_TIMEOUT);
    assert_int_equal(world_attach(&world, 0, NULL), SLUICE_ERR_HARDWARE);
    world_abandon(&world);
}

/* A buffer that does not move fills: submitting fails in bounded time, and never overruns. */
static void queue_full(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    const struct unit_invalidation all = {.link = &world.domains[0].link};
    struct unit_ticket tickets[200];
    enum sluice_status status = SLUICE_OK;
    unsigned count = 0;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.queue_stuck = true});
    while (status == SLUICE_OK && count < 200) {
        status = world.unit->ops->invalidate_submit(world.unit, &all, &tickets[count]);
        count++;
    }
    assert_int_equal(status, SLUICE_ERR_TIMEOUT);
    assert_true(count > 32);
    for (unsigned i = 0; i + 1 < count; i++)
        assert_int_not_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[i]), SLUICE_OK);
    assert_int_equal(model_host_violations_print(world.host), 0);
    world_abandon(&world);
}

/* Full, but moving: everything is confirmed, many times round the buffer. */
static void queue_round_and_round(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    const struct unit_invalidation all = {.link = &world.domains[0].link};
    struct unit_ticket tickets[300];

    (void)state;
    config.model.queue_mode = AMDVI_MODEL_AT_TICK;
    world_begin(&world, &config);
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < 300; i++)
            assert_int_equal(world.unit->ops->invalidate_submit(world.unit, &all, &tickets[i]),
                             SLUICE_OK);
        for (unsigned i = 300; i-- > 0;)
            assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[i]), SLUICE_OK);
    }
    world_finish(&world);
}

/* ---- commands that are refused ---- */

/* The command is taken out, its batch has failed, and what comes later goes on. */
static void refused(injection what, const char *says, bool head_past)
{
    struct world_config config = world_defaults();
    struct amdvi_model_stats before;
    struct world world;

    config.model.head_past = head_past;
    world_begin(&world, &config);
    world_inject(&world, what);
    before = world_stats(&world);
    unmap_fails(&world, SLUICE_ERR_HARDWARE);
    assert_int_equal(world_stats(&world).pages, before.pages);
    assert_true(model_host_logged(world.host, says));
    recovered(&world);
    world_finish(&world);
}

static void illegal_command(void **state)
{
    (void)state;
    for (unsigned past = 0; past < 2; past++) {
        refused((injection){.illegal_at = 1}, "illegal command: INVALIDATE_IOMMU_PAGES", past != 0);
        refused((injection){.hardware_at = 1}, "error reading a command", past != 0);
    }
}

/* The completion itself is refused: its batch has failed as well. */
static void completion_refused(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.illegal_at = 2});
    unmap_fails(&world, SLUICE_ERR_HARDWARE);
    recovered(&world);
    world_finish(&world);
}

/* The buffer stops and nothing is logged: all that was pending has failed, and it runs again. */
static void stopped_in_silence(void **state)
{
    (void)state;
    refused((injection){.silent_at = 1}, "no event says why", false);
    refused((injection){.silent_at = 1}, "no event says why", true);
}

/* The batch before an error is not blamed, the one behind it is not lost. */
static void refused_between(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    const struct unit_invalidation all = {.link = &world.domains[0].link};
    struct unit_ticket tickets[3];
    struct amdvi_model_stats before;

    (void)state;
    config.model.queue_mode = AMDVI_MODEL_AT_TICK;
    world_begin(&world, &config);
    world_inject(&world, (injection){.illegal_at = 3});
    before = world_stats(&world);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(world.unit->ops->invalidate_submit(world.unit, &all, &tickets[i]),
                         SLUICE_OK);
    assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[2]), SLUICE_OK);
    assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[1]),
                     SLUICE_ERR_HARDWARE);
    assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[0]), SLUICE_OK);
    assert_true(world_stats(&world).pages >= before.pages + 2);
    world_finish(&world);
}

/* Asked for long after its record was used again: what failed stays failed. */
static void failed_long_ago(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    const struct unit_invalidation all = {.link = &world.domains[0].link};
    struct unit_ticket first, later;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.illegal_at = 1});
    assert_int_equal(world.unit->ops->invalidate_submit(world.unit, &all, &first), SLUICE_OK);
    for (unsigned i = 0; i < 3 * UNIT_RING_RECORDS; i++) {
        assert_int_equal(world.unit->ops->invalidate_submit(world.unit, &all, &later), SLUICE_OK);
        assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &later), SLUICE_OK);
    }
    assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &first), SLUICE_ERR_HARDWARE);
    world_finish(&world);
}

/* A buffer that cannot be started again is given up: errors from then on, in bounded time. */
static void no_restart(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.illegal_at = 1, .stuck_status = 1u << 4});
    unmap_fails(&world, SLUICE_ERR_HARDWARE);
    assert_int_equal(world_attach(&world, 0, NULL), SLUICE_ERR_HARDWARE);
    world_abandon(&world);
}

/* ---- device TLBs ---- */

static struct world_config device_config(void)
{
    struct world_config config = world_defaults();

    config.model.device_tlb = true;
    config.ats = true;
    return config;
}

/*
 * The unit goes on after a device did not answer, and the completion comes: only the log tells.
 * Once is repeated and then confirmed: the device TLB really is empty.
 */
static void unanswered_once(void **state)
{
    struct world_config config = device_config();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    assert_true(dma_device_tlb_entries(world.devices[0]) > 0);
    world_inject(&world, (injection){.timeout_at = 1});
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_stats(&world).device_tlb, 2);
    assert_int_equal(dma_device_tlb_entries(world.devices[0]), 0);
    assert_int_equal(world_reaches(&world, 0), -1);
    assert_true(model_host_logged(world.host, "0000:00:03.0"));
    world_finish(&world);
}

/* The same with an event that is in memory only later. */
static void unanswered_and_late(void **state)
{
    struct world_config config = device_config();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.timeout_at = 1, .late_event = 5});
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    assert_int_equal(dma_device_tlb_entries(world.devices[0]), 0);
    world_finish(&world);
}

/* A device that never answers: an error, never a false success. */
static void unanswered_always(void **state)
{
    struct world_config config = device_config();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.timeout_at = 1, .timeouts = 100});
    unmap_fails(&world, SLUICE_ERR_HARDWARE);
    assert_true(dma_device_tlb_entries(world.devices[0]) > 0);
    assert_int_equal(world_attach(&world, 0, NULL), SLUICE_ERR_HARDWARE);
    world_abandon(&world);
}

/* It answers late, after the unit gave up on it. */
static void answers_late(void **state)
{
    struct world_config config = device_config();
    struct world world;
    const struct unit_invalidation all = {.link = &world.domains[0].link};
    struct unit_ticket ticket;

    (void)state;
    world_begin(&world, &config);
    dma_device_withhold(world.devices[0], true);
    assert_int_equal(world.unit->ops->invalidate_submit(world.unit, &all, &ticket), SLUICE_OK);
    amdvi_model_endpoint_timeout(world.model, (uint16_t)world.sources[0].id);
    dma_device_withhold(world.devices[0], false);
    assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &ticket), SLUICE_OK);
    assert_int_equal(world_stats(&world).device_tlb, 2);
    world_finish(&world);
}

static void never_answers_nor_times_out(void **state)
{
    struct world_config config = device_config();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    dma_device_withhold(world.devices[0], true);
    unmap_fails(&world, SLUICE_ERR_TIMEOUT);
    world_abandon(&world);
}

/* The log is full when a device does not answer, so nothing tells: it is asked again. */
static void unanswered_and_untold(void **state)
{
    (void)state;
    for (unsigned timeouts = 0; timeouts < 2; timeouts++) {
        struct world_config config = device_config();
        struct world world;
        uint8_t byte;

        config.host.no_events = true;
        world_begin(&world, &config);
        for (unsigned i = 0; i < 300; i++)
            (void)dma_device_read(world.devices[1], WORLD_IOVA, &byte, 1, NULL);
        assert_true(world_stats(&world).events_lost > 0);
        world_inject(&world, (injection){.timeout_at = 1, .timeouts = timeouts});
        if (timeouts == 0) {
            assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
            assert_int_equal(dma_device_tlb_entries(world.devices[0]), 0);
            assert_false(world_degraded(&world));
            /* What was in the log is lost, and that is told with what comes next. */
            assert_int_equal(world_reaches(&world, 1), -1);
            assert_int_equal(world_drain(&world), 2);
            assert_true(world.fault.records_lost);
            world_finish(&world);
        } else { /* nor does it answer then, and the log tells */
            unmap_fails(&world, SLUICE_ERR_HARDWARE);
            world_abandon(&world);
        }
    }
}

/* ---- attaching ---- */

static void attach_not_confirmed(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.wait_never_written = true});
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_ERR_TIMEOUT);
    assert_true(world_degraded(&world));
    amdvi_model_evict(world.model);
    assert_int_equal(world_reaches(&world, 0), -1); /* blocked, not in the new domain */
    world_abandon(&world);
}

/*
 * A detach that did nothing: the unit still holds the old entry and its translations. Neither may
 * be of use once the device is attached again, when the unit has recovered.
 */
static void after_a_lost_invalidation(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.illegal_at = 1, .lost_invalidations = true});
    assert_int_equal(world_attach(&world, 0, NULL), SLUICE_ERR_HARDWARE);
    world_inject(&world, (injection){0});
    assert_true(amdvi_model_table_entries(world.model) > 0);
    assert_true(amdvi_model_iotlb_entries(world.model) > 0);
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 1);
    world_finish(&world);
}

/* ---- start and stop ---- */

static void gone_after_start(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.gone_at = 1});
    unmap_fails(&world, SLUICE_ERR_HARDWARE);
    assert_int_equal(world_drain(&world), 0);
    assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_ERR_HARDWARE);
    world_abandon(&world);
}

static void gone_before_start(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_init(&world, &config);
    world_inject(&world, (injection){.gone_at = 1});
    assert_int_equal(amdvi_unit_ops.probe(&world.sluice, &world.desc, &world.unit),
                     SLUICE_ERR_HARDWARE);
    world_inject(&world, (injection){0});
    world_probe(&world);
    world_inject(&world, (injection){.gone_at = 1});
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_ERR_HARDWARE);
    assert_false(world.unit->started);
    world_inject(&world, (injection){0});
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    world_finish(&world);
}

/* Each handshake of start that never ends: an error, off or exposed, never a false start. */
static void start_stuck(void **state)
{
    static const uint64_t bits[] = {1u << 3, 1u << 4, 1u << 3 | 1u << 4};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct world_config config = world_defaults();
        struct world world;

        world_init(&world, &config);
        world_probe(&world);
        world_inject(&world, (injection){.stuck_status = bits[i]});
        assert_int_equal(world.unit->ops->start(world.unit), SLUICE_ERR_TIMEOUT);
        assert_false(world.unit->started);
        assert_false(amdvi_model_translating(world.model));
        assert_false(world.unit->exposed);
        world_inject(&world, (injection){0});
        assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
        world_finish(&world);
    }
}

/* Stop that is not confirmed: the pages the unit may read are not given back. */
static void stop_stuck(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.stuck_status = 1u << 4});
    assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_ERR_TIMEOUT);
    world.unit->ops->release(world.unit);
    /* Ring, status, log, device table. */
    assert_int_equal(atomic_load(&world.sluice.withheld_pages), 3 + 512);
    world_abandon(&world);
}

/* Every allocation that fails: the call fails, nothing leaks, nothing was written. */
static void no_memory(void **state)
{
    struct world_config config = world_defaults();
    bool done = false;
    unsigned failures = 0;

    (void)state;
    for (unsigned nth = 0; !done && nth < 20; nth++) {
        struct world world;
        enum sluice_status status;

        world_init(&world, &config);
        model_host_fail_allocation(world.host, nth, false);
        status = amdvi_unit_ops.probe(&world.sluice, &world.desc, &world.unit);
        model_host_fail_no_more(world.host);
        assert_int_equal(world_stats(&world).register_writes, 0);
        done = status == SLUICE_OK;
        if (done) {
            world.unit->ops->release(world.unit);
        } else {
            assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
            failures++;
        }
        assert_int_equal(model_host_pages_in_use(world.host), 0);
        assert_int_equal(model_host_objects_in_use(world.host), 0);
        assert_int_equal(model_host_mmio_maps(world.host), 0);
        world_abandon(&world);
    }
    assert_true(done);
    assert_int_equal(failures, 6);
}

static void absurd_descriptions(void **state)
{
    static const struct {
        sluice_phys_t base;
        uint64_t bytes;
    } rows[] = {{0, 0x4000},
                {0xfeb80800, 0x4000},
                {0xfeb80000, 0x1000},
                {UINT64_MAX & ~UINT64_C(0xfff), 0x4000}};
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_init(&world, &config);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world.desc.base = rows[i].base;
        world.desc.register_bytes = rows[i].bytes;
        assert_int_equal(amdvi_unit_ops.probe(&world.sluice, &world.desc, &world.unit),
                         SLUICE_ERR_FIRMWARE);
    }
    world_abandon(&world);
    config.model.levels = 7; /* EFR.HATS 3 */
    world_init(&world, &config);
    assert_int_equal(amdvi_unit_ops.probe(&world.sluice, &world.desc, &world.unit),
                     SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(model_host_objects_in_use(world.host), 0);
    world_abandon(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(completion_never_comes),
        cmocka_unit_test(queue_stuck),
        cmocka_unit_test(queue_full),
        cmocka_unit_test(queue_round_and_round),
        cmocka_unit_test(illegal_command),
        cmocka_unit_test(completion_refused),
        cmocka_unit_test(stopped_in_silence),
        cmocka_unit_test(refused_between),
        cmocka_unit_test(failed_long_ago),
        cmocka_unit_test(no_restart),
        cmocka_unit_test(unanswered_once),
        cmocka_unit_test(unanswered_and_late),
        cmocka_unit_test(unanswered_always),
        cmocka_unit_test(answers_late),
        cmocka_unit_test(never_answers_nor_times_out),
        cmocka_unit_test(unanswered_and_untold),
        cmocka_unit_test(attach_not_confirmed),
        cmocka_unit_test(after_a_lost_invalidation),
        cmocka_unit_test(gone_after_start),
        cmocka_unit_test(gone_before_start),
        cmocka_unit_test(start_stuck),
        cmocka_unit_test(stop_stuck),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(absurd_descriptions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
