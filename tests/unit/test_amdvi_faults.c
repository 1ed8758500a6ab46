// SPDX-License-Identifier: MIT
/*
 * How faults come out of the AMD-Vi driver: by its event or by polling, each once, in order, with
 * no lock held, and on and on however they arrive, also after the log was full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "amdvi_world.h"

#define LOG_ROOM 255u /* a full log keeps one entry free */

static bool fault_at(struct world *world, unsigned page)
{
    uint8_t byte;

    return dma_device_read(world->devices[1], WORLD_IOVA + page * SLUICE_PAGE_BYTES, &byte, 1,
                           NULL);
}

/* The same where interrupts are off, as they are in a handler. */
static void fault_quietly(struct world *world, unsigned page)
{
    const struct model_dma_request request = {
        .rid = (uint16_t)world->sources[1].id,
        .address = WORLD_IOVA + page * SLUICE_PAGE_BYTES,
    };
    uint8_t byte;

    assert_false(amdvi_model_dma(world->model, &request, &byte, 1, NULL));
}

static void begin(struct world *world, const struct world_config *config)
{
    world_init(world, config);
    world_probe(world);
    assert_int_equal(world->unit->ops->start(world->unit), SLUICE_OK);
}

/* Each fault raises its event; nobody polls. */
static void by_event(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    begin(&world, &config);
    assert_int_equal(model_host_events_installed(world.host), 1);
    for (unsigned i = 0; i < 600; i++) {
        assert_false(fault_at(&world, i));
        assert_int_equal(world.faults, i + 1);
        assert_int_equal(world.fault.address, WORLD_IOVA + i * SLUICE_PAGE_BYTES);
        assert_int_equal(world.fault.source, world.sources[1].id);
        assert_int_equal(world.fault.reason, SLUICE_FAULT_BLOCKED);
        assert_string_equal(world.fault.unit, "amdvi0");
        assert_false(world.fault.records_lost);
    }
    assert_int_equal(world_drain(&world), 0);
    assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_OK);
    assert_int_equal(model_host_events_installed(world.host), 0);
    assert_int_equal(model_host_stray_msis(world.host), 0);
    world_finish(&world);
}

/* Across suspend and resume, in which the unit forgets the message. */
static void event_after_resume(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    begin(&world, &config);
    assert_int_equal(world.unit->ops->suspend(world.unit), SLUICE_OK);
    amdvi_model_reset(world.model, false);
    assert_int_equal(world.unit->ops->resume(world.unit), SLUICE_OK);
    assert_int_equal(model_host_events_installed(world.host), 1);
    assert_false(fault_at(&world, 3));
    assert_int_equal(world.faults, 1);
    world_finish(&world);
}

/* No event to be had: the unit works, and faults wait to be polled. */
static void by_polling(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct world_config config = world_defaults();
        struct world world;

        config.model.no_msi = i == 0;
        world_init(&world, &config);
        world_probe(&world);
        model_host_fail_event_install(world.host, i == 1);
        assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
        assert_true(model_host_logged(world.host, "polling only"));
        assert_false(fault_at(&world, 0));
        assert_int_equal(world.faults, 0);
        assert_int_equal(world_drain(&world), 1);
        assert_int_equal(world.fault.address, WORLD_IOVA);
        assert_int_equal(model_host_stray_msis(world.host), 0);
        world_finish(&world);
    }
}

/* More events than the driver takes at once, round and round the log: all, in order, each once. */
static void many_records(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    unsigned next = 0;

    (void)state;
    config.host.no_events = true;
    begin(&world, &config);
    for (unsigned round = 0; round < 20; round++) {
        unsigned count = 20 + 7 * round;

        for (unsigned i = 0; i < count; i++)
            assert_false(fault_at(&world, next++));
        assert_int_equal(world_drain(&world), count);
        assert_int_equal(world.fault.address, WORLD_IOVA + (next - 1) * SLUICE_PAGE_BYTES);
    }
    assert_int_equal(world.faults, next);
    world_finish(&world);
}

/* The log is full: what is lost is told, and logging begins again. */
static void overflow(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.host.no_events = true;
    begin(&world, &config);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 300; i++)
            assert_false(fault_at(&world, i));
        assert_int_equal(world_drain(&world), LOG_ROOM);
        assert_int_equal(world.fault.address, WORLD_IOVA + (LOG_ROOM - 1) * SLUICE_PAGE_BYTES);
        assert_true(world.fault.records_lost);
        for (unsigned i = 0; i < 6; i++)
            assert_false(fault_at(&world, i));
        assert_int_equal(world_drain(&world), 6);
        assert_int_equal(world.fault.address, WORLD_IOVA + 5 * SLUICE_PAGE_BYTES);
        assert_false(world.fault.records_lost);
    }
    world_finish(&world);
}

/* A log that does not start again: the unit is degraded, and nothing hangs. */
static void overflow_for_good(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.host.no_events = true;
    begin(&world, &config);
    for (unsigned i = 0; i < 300; i++)
        assert_false(fault_at(&world, i));
    world_inject(&world, (struct amdvi_model_injection){.stuck_status = 1u << 3});
    assert_int_equal(world_drain(&world), LOG_ROOM);
    assert_true(world_degraded(&world));
    world_abandon(&world);
}

/* Events that come to memory after the tail said so. */
static void late_events(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.host.no_events = true;
    begin(&world, &config);
    world_inject(&world, (struct amdvi_model_injection){.late_event = 9});
    for (unsigned i = 0; i < 400; i++) {
        assert_false(fault_at(&world, i));
        assert_int_equal(world_drain(&world), 1);
        assert_int_equal(world.fault.address, WORLD_IOVA + i * SLUICE_PAGE_BYTES);
        assert_int_equal(world.fault.reason, SLUICE_FAULT_BLOCKED);
    }
    world_finish(&world);
}

/* ---- what events say ---- */

#define FAULT(flags) ((uint64_t)2 << 60 | (flags) | 0x18)
#define FLAG(n)      ((uint64_t)1 << (n))

static void reasons(void **state)
{
    static const struct {
        uint64_t low;
        enum sluice_fault_reason reason;
        enum sluice_access access;
        bool address;
    } rows[] = {
        {FAULT(0), SLUICE_FAULT_NOT_MAPPED, SLUICE_ACCESS_READ, true},
        {FAULT(FLAG(53)), SLUICE_FAULT_NOT_MAPPED, SLUICE_ACCESS_WRITE, true},
        {FAULT(FLAG(52) | FLAG(53) | FLAG(54)), SLUICE_FAULT_WRITE_DENIED, SLUICE_ACCESS_WRITE,
         true},
        {FAULT(FLAG(52) | FLAG(54)), SLUICE_FAULT_READ_DENIED, SLUICE_ACCESS_READ, true},
        {FAULT(FLAG(52) | FLAG(55)), SLUICE_FAULT_BAD_ENTRY, SLUICE_ACCESS_READ, true},
        {FAULT(FLAG(51) | FLAG(53)), SLUICE_FAULT_INTERRUPT, SLUICE_ACCESS_WRITE, false},
        {FLAG(60) | 0x18, SLUICE_FAULT_BAD_ENTRY, SLUICE_ACCESS_READ, true},
        {(uint64_t)3 << 60 | 0x18, SLUICE_FAULT_TABLE_ACCESS, SLUICE_ACCESS_READ, false},
        {(uint64_t)4 << 60 | 0x18, SLUICE_FAULT_TABLE_ACCESS, SLUICE_ACCESS_READ, false},
        {(uint64_t)8 << 60 | 0x18, SLUICE_FAULT_REQUEST_TYPE, SLUICE_ACCESS_READ, true},
        {(uint64_t)9 << 60 | 0x18, SLUICE_FAULT_REQUEST_TYPE, SLUICE_ACCESS_READ, true},
    };
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.host.no_events = true;
    world_begin(&world, &config); /* device 0, which is 0018h, is in a domain */
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        amdvi_model_log(world.model, rows[i].low, 0x12345000);
        assert_int_equal(world_drain(&world), 1);
        assert_int_equal(world.fault.reason, rows[i].reason);
        assert_int_equal(world.fault.access, rows[i].access);
        assert_int_equal(world.fault.address_valid, rows[i].address);
        assert_int_equal(world.fault.source, 0x18);
        assert_int_equal(world.fault.pasid, SLUICE_NO_PASID);
    }
    world_finish(&world);
}

/* Real faults of each kind, as the unit makes them. */
static void kinds(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    uint8_t byte = 0;
    struct pt_gather gather;

    (void)state;
    config.host.no_events = true;
    world_begin(&world, &config);
    pt_gather_init(&gather);
    assert_int_equal(world.domains[0].pt.format->map(&world.domains[0].pt, 0x1000,
                                                     world.domains[0].page.phys, SLUICE_PAGE_BYTES,
                                                     SLUICE_PROT_READ, &gather),
                     SLUICE_OK);
    assert_false(dma_device_write(world.devices[0], 0x1000, &byte, 1, NULL));
    assert_int_equal(world_drain(&world), 1);
    assert_int_equal(world.fault.reason, SLUICE_FAULT_WRITE_DENIED);
    assert_false(dma_device_write(world.devices[0], 0x2000, &byte, 1, NULL));
    assert_int_equal(world_drain(&world), 1);
    assert_int_equal(world.fault.reason, SLUICE_FAULT_NOT_MAPPED);
    assert_false(dma_device_write(world.devices[0], UINT64_C(1) << 60, &byte, 1, NULL));
    assert_int_equal(world_drain(&world), 1);
    world_inject(&world,
                 (struct amdvi_model_injection){.bad_fetch = world.domains[0].pt.root_phys});
    assert_false(dma_device_write(world.devices[0], UINT64_C(0x8000000000), &byte, 1, NULL));
    assert_int_equal(world_drain(&world), 1);
    assert_int_equal(world.fault.reason, SLUICE_FAULT_TABLE_ACCESS);
    assert_false(world.fault.address_valid);
    world_inject(&world, (struct amdvi_model_injection){0});
    world_finish(&world);
}

/* Whatever is in the log: bounded, and nothing of it reaches the command buffer wrongly. */
static void hostile_log(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    uint64_t random = 1;

    (void)state;
    config.host.no_events = true;
    world_begin(&world, &config);
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t low;

        random = random * 6364136223846793005u + 1442695040888963407u;
        low = (random & ~((uint64_t)0xf << 60)) | (uint64_t)(i % 16) << 60;
        amdvi_model_log(world.model, low, random * 31);
        if (i % 100 == 0)
            (void)world_drain(&world);
    }
    (void)world_drain(&world);
    assert_int_equal(world_drain(&world), 0);
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), -1);
    (void)world_drain(&world);
    world_finish(&world);
}

/* ---- a sink that leads back ---- */

struct nested {
    struct world *world;
    unsigned seen;
    unsigned to_raise; /**< faults that the first delivery causes */
    unsigned endless;  /**< each delivery causes one, up to here */
    sluice_iova_t last;
    bool rising;
    bool lost;
    bool drains;
};

static void nested_sink(void *arg, const struct sluice_fault *fault)
{
    struct nested *nested = arg;
    unsigned raise = nested->to_raise;

    nested->rising = nested->rising && (nested->seen == 0 || fault->address > nested->last);
    nested->last = fault->address;
    nested->lost = nested->lost || fault->records_lost;
    nested->seen++;
    nested->to_raise = 0;
    for (unsigned i = 0; i < raise; i++)
        fault_quietly(nested->world, 100 + i);
    if (nested->seen < nested->endless)
        fault_quietly(nested->world, nested->seen);
    if (nested->drains && nested->seen == 1) /* takes the driver's lock: it must be free */
        (void)nested->world->unit->ops->faults_drain(nested->world->unit, nested_sink, nested);
}

static void sink_may_drain(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct nested nested = {.world = &world, .rising = true, .drains = true, .to_raise = 3};

    (void)state;
    config.host.no_events = true;
    begin(&world, &config);
    assert_false(fault_at(&world, 0));
    (void)world.unit->ops->faults_drain(world.unit, nested_sink, &nested);
    assert_int_equal(nested.seen, 4);
    assert_true(nested.rising);
    assert_int_equal(world_drain(&world), 0);
    world_finish(&world);
}

/* The log overflows while it is drained: that is told, and the event works on. */
static void overflow_while_draining(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct nested nested = {.world = &world, .rising = true, .to_raise = 400};

    (void)state;
    begin(&world, &config);
    world.sluice.config.on_fault = nested_sink;
    world.sluice.config.on_fault_arg = &nested;
    assert_false(fault_at(&world, 0));
    (void)model_host_run_events(world.host);
    assert_true(nested.seen > 1 && nested.seen < 401);
    assert_true(nested.lost);
    nested.lost = false;
    nested.seen = 0;
    assert_false(fault_at(&world, 500));
    assert_int_equal(nested.seen, 1);
    assert_int_equal(nested.last, WORLD_IOVA + 500 * SLUICE_PAGE_BYTES);
    assert_false(nested.lost);
    world_finish(&world);
}

/* A device that faults each time it is told of: every fault is seen, one event after another. */
static void storm(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct nested nested = {.world = &world, .rising = true, .endless = 5000};

    (void)state;
    begin(&world, &config);
    world.sluice.config.on_fault = nested_sink;
    world.sluice.config.on_fault_arg = &nested;
    assert_false(fault_at(&world, 0));
    (void)model_host_run_events(world.host);
    assert_int_equal(nested.seen, 5000);
    assert_true(nested.rising);
    assert_int_equal(world_drain(&world), 0);
    world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_event),       cmocka_unit_test(event_after_resume),
        cmocka_unit_test(by_polling),     cmocka_unit_test(many_records),
        cmocka_unit_test(overflow),       cmocka_unit_test(overflow_for_good),
        cmocka_unit_test(late_events),    cmocka_unit_test(reasons),
        cmocka_unit_test(kinds),          cmocka_unit_test(hostile_log),
        cmocka_unit_test(sink_may_drain), cmocka_unit_test(overflow_while_draining),
        cmocka_unit_test(storm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
