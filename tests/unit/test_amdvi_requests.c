// SPDX-License-Identifier: MIT
/*
 * Page requests on AMD-Vi: nobody asks for them, so the unit refuses them by itself; what it logs
 * all the same is answered with "invalid", each group once, also after the log was full, whatever
 * stands in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "amdvi_world.h"

#define LOG_ROOM     255u /* a full log keeps one entry free */
#define DTE_PPR      ((uint64_t)1 << 52)
#define CONTROL_PPRS (UINT64_C(7) << 13)
#define STATUS_RUN   (UINT64_C(1) << 7)

static struct world_config with_requests(bool events)
{
    struct world_config config = world_defaults();

    config.model.page_requests = true;
    config.host.no_events = !events;
    return config;
}

/* Lets device 0 ask, which the driver never does. */
static void allow(struct world *world)
{
    amdvi_entry_at(amdvi_of(world->unit), (uint16_t)world->sources[0].id)->word[0] |= DTE_PPR;
    amdvi_model_evict(world->model);
}

static bool ask(struct world *world, unsigned group, bool last)
{
    const struct amdvi_model_page_request request = {
        .rid = (uint16_t)world->sources[0].id,
        .group = (uint16_t)group,
        .address = WORLD_IOVA,
        .read = true,
        .last = last,
    };

    return amdvi_model_page_request(world->model, &request);
}

static uint64_t control(struct world *world)
{
    return model_host_mmio_read(world->host, world->desc.base + 0x18, 8);
}

/* Devices as the driver sets them up: the unit says no, and the log stays empty. */
static void refused_by_the_unit(void **state)
{
    struct world_config config = with_requests(false);
    struct world world;

    (void)state;
    world_begin(&world, &config);
    assert_true((control(&world) & CONTROL_PPRS) != 0);
    assert_false(ask(&world, 1, true));
    assert_int_equal(world_drain(&world), 1);
    assert_int_equal(world.fault.reason, SLUICE_FAULT_REQUEST_TYPE);
    assert_int_equal(world.fault.source, world.sources[0].id);
    assert_int_equal(world_stats(&world).requests_logged, 0);
    assert_int_equal(world_stats(&world).answers, 0);
    world_finish(&world);
}

/* Each raises the interrupt, and nobody polls. The last of a group is answered, and no other. */
static void answered_by_event(void **state)
{
    struct world_config config = with_requests(true);
    struct world world;

    (void)state;
    world_begin(&world, &config);
    allow(&world);
    for (unsigned i = 0; i < 600; i++) {
        assert_true(ask(&world, i / 2 % 512, (i & 1) != 0));
        (void)model_host_run_events(world.host);
        assert_int_equal(amdvi_model_requests_owed(world.model), 0);
        assert_int_equal(world_stats(&world).answers, (i + 1) / 2);
    }
    assert_int_equal(world_stats(&world).answers_invalid, 300);
    assert_int_equal(world.faults, 0);
    assert_int_equal(amdvi_of(world.unit)->requests.seen, 600);
    /* The clock stood still, nearly: told with the first. */
    assert_int_equal(model_host_log_count(world.host, SLUICE_LOG_WARNING), 1);
    assert_true(model_host_logged(world.host, "1 page requests, which nobody asked for"));
    world_finish(&world);
}

/* A PASID stands in the answer; the mark at the end of one's requests gets none. */
static void with_pasid(void **state)
{
    struct world_config config = with_requests(false);
    struct amdvi_model_page_request request = {
        .group = 0x1ff, .write = true, .last = true, .has_pasid = true, .pasid = 0xabcde};
    struct world world;

    (void)state;
    world_begin(&world, &config);
    allow(&world);
    request.rid = (uint16_t)world.sources[0].id;
    assert_true(amdvi_model_page_request(world.model, &request));
    request.write = false;
    assert_true(amdvi_model_page_request(world.model, &request));
    request.has_pasid = false; /* reads nothing, writes nothing, and waits for an answer */
    assert_true(amdvi_model_page_request(world.model, &request));
    assert_int_equal(amdvi_model_requests_owed(world.model), 2);
    assert_int_equal(world_drain(&world), 0);
    assert_int_equal(amdvi_model_requests_owed(world.model), 0);
    assert_int_equal(world_stats(&world).answers_invalid, 2);
    world_finish(&world);
}

/* The log is full: what is in it is answered, and logging begins again. */
static void overflow(void **state)
{
    struct world_config config = with_requests(false);
    struct world world;

    (void)state;
    world_begin(&world, &config);
    allow(&world);
    for (unsigned round = 1; round <= 3; round++) {
        for (unsigned i = 0; i < 300; i++)
            assert_true(ask(&world, i, true));
        assert_int_equal(amdvi_model_requests_owed(world.model), LOG_ROOM);
        assert_int_equal(world_drain(&world), 0);
        assert_int_equal(amdvi_model_requests_owed(world.model), 0);
        assert_int_equal(amdvi_of(world.unit)->requests.overflows, round);
        assert_true(ask(&world, 7, true));
        assert_int_equal(amdvi_model_requests_owed(world.model), 1);
        (void)world_drain(&world);
        assert_int_equal(amdvi_model_requests_owed(world.model), 0);
        assert_int_equal(world_stats(&world).answers_invalid, round * (LOG_ROOM + 1));
        assert_int_equal(world_stats(&world).requests_lost, round * (300 - LOG_ROOM));
    }
    assert_false(world_degraded(&world));
    world_finish(&world);
}

/* A log that does not start again: degraded, requests refused by the unit, and nothing hangs. */
static void overflow_for_good(void **state)
{
    struct world_config config = with_requests(false);
    struct world world;

    (void)state;
    world_begin(&world, &config);
    allow(&world);
    for (unsigned i = 0; i < 300; i++)
        (void)ask(&world, i, true);
    world_inject(&world, (struct amdvi_model_injection){.stuck_status = STATUS_RUN});
    (void)world_drain(&world);
    assert_true(world_degraded(&world));
    assert_int_equal(control(&world) & CONTROL_PPRS, 0);
    assert_int_equal(amdvi_model_requests_owed(world.model), 0);
    assert_false(ask(&world, 1, true));
    world_abandon(&world);
}

/* A unit with the feature bit and no log that runs, as emulated ones: it works without. */
static void no_log(void **state)
{
    struct world_config config = with_requests(false);
    struct world world;

    (void)state;
    world_init(&world, &config);
    world_probe(&world);
    world_inject(&world, (struct amdvi_model_injection){.stuck_status = STATUS_RUN});
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_true(model_host_logged(world.host, "page request log does not run"));
    assert_int_equal(control(&world) & CONTROL_PPRS, 0);
    assert_int_equal(world_reaches(&world, 0), 0);
    assert_false(world_degraded(&world));
    world_finish(&world);
}

/* Entries that come to memory after the tail said so. */
static void late_requests(void **state)
{
    struct world_config config = with_requests(false);
    struct world world;

    (void)state;
    world_begin(&world, &config);
    allow(&world);
    world_inject(&world, (struct amdvi_model_injection){.late_event = 9, .late_request = true});
    for (unsigned i = 0; i < 400; i++) {
        assert_true(ask(&world, i, true));
        (void)world_drain(&world);
        assert_int_equal(amdvi_model_requests_owed(world.model), 0);
    }
    world_finish(&world);
}

/* Whatever is in the log: bounded, answered where an answer is owed, and nowhere else. */
static void hostile_log(void **state)
{
    struct world_config config = with_requests(false);
    struct world world;
    uint64_t random = 1;

    (void)state;
    world_begin(&world, &config);
    for (unsigned i = 0; i < 4000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        amdvi_model_log_request(
            world.model, (random & ~((uint64_t)0xe << 60)) ^ (uint64_t)(i % 3) << 61, random * 31);
        if (i % 50 == 0)
            (void)world_drain(&world);
    }
    (void)world_drain(&world);
    assert_int_equal(amdvi_model_requests_owed(world.model), 0);
    assert_true(world_stats(&world).answers > 100);
    assert_int_equal(world_stats(&world).answers, world_stats(&world).answers_invalid);
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    assert_false(world_degraded(&world));
    world_finish(&world);
}

/* Power was lost: the log is programmed again, and read from its beginning. */
static void after_resume(void **state)
{
    struct world_config config = with_requests(true);
    struct world world;

    (void)state;
    world_begin(&world, &config);
    allow(&world);
    assert_true(ask(&world, 5, true));
    assert_int_equal(world.unit->ops->suspend(world.unit), SLUICE_OK);
    amdvi_model_reset(world.model, false);
    assert_int_equal(world.unit->ops->resume(world.unit), SLUICE_OK);
    assert_true(ask(&world, 6, true));
    (void)model_host_run_events(world.host);
    assert_int_equal(amdvi_model_requests_owed(world.model), 0);
    assert_int_equal(world_stats(&world).answers_invalid, 2);
    world_finish(&world);
}

/* A unit that is gone, or takes no commands, is not waited for without end. */
static void dead_unit(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct world_config config = with_requests(false);
        struct world world;

        world_begin(&world, &config);
        allow(&world);
        for (unsigned j = 0; j < 200; j++)
            (void)ask(&world, j, true);
        world_inject(&world, i == 0 ? (struct amdvi_model_injection){.gone_at = 6}
                                    : (struct amdvi_model_injection){.queue_stuck = true});
        for (unsigned j = 0; j < 20; j++)
            (void)world_drain(&world);
        assert_true(model_host_log_count(world.host, SLUICE_LOG_WARNING) < 4);
        world_abandon(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_by_the_unit), cmocka_unit_test(answered_by_event),
        cmocka_unit_test(with_pasid),          cmocka_unit_test(overflow),
        cmocka_unit_test(overflow_for_good),   cmocka_unit_test(no_log),
        cmocka_unit_test(late_requests),       cmocka_unit_test(hostile_log),
        cmocka_unit_test(after_resume),        cmocka_unit_test(dead_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
