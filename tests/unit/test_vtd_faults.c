// SPDX-License-Identifier: MIT
/*
 * How faults come out of the VT-d driver: by its event or by polling, each once, in order, with no
 * lock held, and on and on however they arrive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "vtd_world.h"

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

    assert_false(vtd_model_dma(world->model, &request, &byte, 1, NULL));
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
    for (unsigned i = 0; i < 20; i++) {
        assert_false(fault_at(&world, i));
        assert_int_equal(world.faults, i + 1);
        assert_int_equal(world.fault.address, WORLD_IOVA + i * SLUICE_PAGE_BYTES);
        assert_int_equal(world.fault.source, world.sources[1].id);
        assert_int_equal(world.fault.reason, SLUICE_FAULT_BLOCKED);
        assert_string_equal(world.fault.unit, "vtd0");
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
    vtd_model_reset(world.model, false);
    assert_int_equal(world.unit->ops->resume(world.unit), SLUICE_OK);
    assert_int_equal(model_host_events_installed(world.host), 1);
    assert_false(fault_at(&world, 3));
    assert_int_equal(world.faults, 1);
    world_finish(&world);
}

/* No event to be had: the unit works, and faults wait to be polled. */
static void by_polling(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_init(&world, &config);
    world_probe(&world);
    model_host_fail_event_install(world.host, true);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_true(model_host_logged(world.host, "polling only"));
    assert_false(fault_at(&world, 0));
    assert_int_equal(world.faults, 0);
    assert_int_equal(world_drain(&world), 1);
    assert_int_equal(world.fault.address, WORLD_IOVA);
    assert_int_equal(model_host_stray_msis(world.host), 0);
    world_finish(&world);
}

/* More records than the driver takes at once: all, in order, each once. */
static void many_records(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    unsigned next = 0;

    (void)state;
    config.host.no_events = true;
    config.model.fault_records = 50;
    begin(&world, &config);
    for (unsigned round = 0; round < 5; round++) {
        unsigned count = 20 + 7 * round;

        for (unsigned i = 0; i < count; i++)
            assert_false(fault_at(&world, next++));
        assert_int_equal(world_drain(&world), count);
        assert_int_equal(world.fault.address, WORLD_IOVA + (next - 1) * SLUICE_PAGE_BYTES);
    }
    assert_int_equal(world.faults, next);
    world_finish(&world);
}

/* ---- a sink that leads back ---- */

struct nested {
    struct world *world;
    unsigned seen;
    unsigned to_raise; /**< faults that the first delivery causes */
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

/*
 * The log overflows while it is drained: the overflow is told and cleared, and the event works on.
 */
static void overflow_while_draining(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct nested nested = {.world = &world, .rising = true, .to_raise = 30};

    (void)state;
    begin(&world, &config);
    world.sluice.config.on_fault = nested_sink;
    world.sluice.config.on_fault_arg = &nested;
    assert_false(fault_at(&world, 0));
    (void)model_host_run_events(world.host);
    assert_true(nested.seen > 1 && nested.seen < 31);
    assert_true(nested.lost);
    nested.lost = false;
    nested.seen = 0;
    assert_false(fault_at(&world, 500));
    assert_int_equal(nested.seen, 1);
    assert_int_equal(nested.last, WORLD_IOVA + 500 * SLUICE_PAGE_BYTES);
    assert_false(nested.lost);
    world_finish(&world);
}

/* What happens at the moment at which a record is cleared. */
struct moment {
    struct world *world;
    unsigned faults; /**< that a device causes then */
    bool timeout;    /**< a device-TLB invalidation is given up then */
    bool done;
};

static void at_clear(void *arg, const struct model_mmio_event *event)
{
    struct moment *moment = arg;
    struct world *world = moment->world;

    if (moment->done || event->after || event->phys != world->desc.base + 0x20c)
        return;
    moment->done = true;
    for (unsigned i = 0; i < moment->faults; i++)
        fault_quietly(world, 100 + i);
    if (moment->timeout)
        vtd_model_endpoint_timeout(world->model, (uint16_t)world->sources[0].id);
}

/* The overflow comes when the driver has looked at the status already. */
static void overflow_while_taking(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct moment moment = {.world = &world, .faults = 20};

    (void)state;
    config.host.no_events = true;
    begin(&world, &config);
    assert_false(fault_at(&world, 0));
    model_host_set_mmio_hook(world.host, at_clear, &moment);
    assert_int_equal(world_drain(&world), 8);
    model_host_set_mmio_hook(world.host, NULL, NULL);
    assert_true(moment.done);
    assert_true(world.fault.records_lost);
    assert_false(fault_at(&world, 1));
    assert_int_equal(world_drain(&world), 1);
    assert_int_equal(world.fault.address, WORLD_IOVA + SLUICE_PAGE_BYTES);
    assert_false(world.fault.records_lost);
    world_finish(&world);
}

/* An error of the queue while faults are drained raises no event of its own: it is seen to. */
static void queue_error_while_draining(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct moment moment = {.world = &world, .timeout = true};
    unsigned seen;

    (void)state;
    config.model.device_tlb = true;
    config.ats = true;
    begin(&world, &config);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    model_host_set_mmio_hook(world.host, at_clear, &moment);
    assert_false(fault_at(&world, 0));
    model_host_set_mmio_hook(world.host, NULL, NULL);
    assert_true(moment.done);
    seen = world.faults; /* the translation request of a device TLB faults, and what follows */
    assert_true(seen > 0);
    assert_int_equal(model_host_mmio_read(world.host, world.desc.base + VTD_REG_FSTS, 4) & 0x73u,
                     0);
    assert_false(fault_at(&world, 1));
    assert_true(world.faults > seen);
    world_finish(&world);
}

/* A device that faults each time it is told of: every fault is seen, one event after another. */
static void endless_sink(void *arg, const struct sluice_fault *fault)
{
    struct nested *nested = arg;

    nested->rising = nested->rising && (nested->seen == 0 || fault->address > nested->last);
    nested->last = fault->address;
    nested->seen++;
    if (nested->seen < 1000)
        fault_quietly(nested->world, nested->seen);
}

static void storm(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct nested nested = {.world = &world, .rising = true};

    (void)state;
    begin(&world, &config);
    world.sluice.config.on_fault = endless_sink;
    world.sluice.config.on_fault_arg = &nested;
    assert_false(fault_at(&world, 0));
    (void)model_host_run_events(world.host);
    assert_int_equal(nested.seen, 1000);
    assert_true(nested.rising);
    assert_int_equal(world_drain(&world), 0);
    world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_event),
        cmocka_unit_test(event_after_resume),
        cmocka_unit_test(by_polling),
        cmocka_unit_test(many_records),
        cmocka_unit_test(sink_may_drain),
        cmocka_unit_test(overflow_while_draining),
        cmocka_unit_test(overflow_while_taking),
        cmocka_unit_test(queue_error_while_draining),
        cmocka_unit_test(storm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
