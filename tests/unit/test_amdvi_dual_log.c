// SPDX-License-Identifier: MIT
/*
 * AMD-Vi units with two event logs: what does not fit into one goes on in the other, and comes out
 * in order, each event once, until both are full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "amdvi_world.h"

#define LOG_ROOM 255u /* a full log keeps one entry free */

struct order {
    struct world *world;
    unsigned next; /**< number of the fault that has to come now */
    bool right;
    bool lost;
    unsigned causes; /**< more faults, made while these are delivered */
    unsigned made;
};

static void make_fault(struct world *world, unsigned number)
{
    const struct model_dma_request request = {
        .rid = (uint16_t)world->sources[1].id,
        .address = WORLD_IOVA + number * SLUICE_PAGE_BYTES,
    };
    uint8_t byte;

    assert_false(amdvi_model_dma(world->model, &request, &byte, 1, NULL));
}

static void make_faults(struct order *order, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        make_fault(order->world, order->made++);
}

static void in_order(void *arg, const struct sluice_fault *fault)
{
    struct order *order = arg;

    order->right = order->right && fault->address == WORLD_IOVA + order->next * SLUICE_PAGE_BYTES;
    order->next++;
    order->lost = order->lost || fault->records_lost;
    for (unsigned i = 0; order->causes > 0 && i < 3; i++) {
        order->causes--;
        make_fault(order->world, order->made++);
    }
}

static unsigned drain(struct order *order)
{
    return order->world->unit->ops->faults_drain(order->world->unit, in_order, order);
}

static void begin(struct world *world, struct order *order, struct world_config *config)
{
    config->model.dual_events = true;
    world_init(world, config);
    world_probe(world);
    assert_int_equal(world_attach(world, 0, &world->domains[0]), SLUICE_OK);
    assert_int_equal(world->unit->ops->start(world->unit), SLUICE_OK);
    *order = (struct order){.world = world, .right = true};
}

/* More than one log holds, again and again, from one log to the other and back. */
static void goes_on(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct order order;

    (void)state;
    config.host.no_events = true;
    begin(&world, &order, &config);
    for (unsigned round = 0; round < 40; round++) {
        make_faults(&order, 100 + 9 * round);
        assert_int_equal(drain(&order), 100 + 9 * round);
        assert_int_equal(order.next, order.made);
        assert_true(order.right);
    }
    assert_false(order.lost);
    assert_true(world_stats(&world).log_changes > 20);
    assert_int_equal(world_stats(&world).events_lost, 0);
    assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_OK);
    assert_int_equal(model_host_mmio_read(world.host, world.desc.base + 0x18, 8) >> 32 & 3, 0);
    world_finish(&world);
}

/* Both are full: what is lost is told, and logging begins again. */
static void both_full(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct order order;

    (void)state;
    config.host.no_events = true;
    begin(&world, &order, &config);
    for (unsigned round = 0; round < 3; round++) {
        order.next = order.made;
        make_faults(&order, 700);
        assert_int_equal(drain(&order), 2 * LOG_ROOM);
        assert_true(order.right && order.lost);
        order.lost = false;
        order.next = order.made;
        make_faults(&order, 300);
        assert_int_equal(drain(&order), 300);
        assert_true(order.right);
        assert_false(order.lost);
    }
    assert_false(world_degraded(&world));
    world_finish(&world);
}

/* Faults come while others are delivered, more than a log holds: none is lost. */
static void while_draining(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct order order;

    (void)state;
    config.host.no_events = true;
    begin(&world, &order, &config);
    make_faults(&order, 200);
    order.causes = 300;
    for (unsigned i = 0; i < 10; i++)
        (void)drain(&order);
    assert_int_equal(order.next, 500);
    assert_true(order.right);
    assert_false(order.lost);
    world_finish(&world);
}

/* With its event: nobody polls, whatever log it is in. */
static void by_event(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct order order;

    (void)state;
    begin(&world, &order, &config);
    world.sluice.config.on_fault = in_order;
    world.sluice.config.on_fault_arg = &order;
    for (unsigned i = 0; i < 6; i++) {
        make_faults(&order, 400);
        (void)model_host_run_events(world.host);
        assert_int_equal(order.next, order.made);
    }
    assert_true(order.right);
    assert_false(order.lost);
    world_finish(&world);
}

/* A unit that changes over and does not call it an overflow. */
static void untold(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct order order;

    (void)state;
    config.host.no_events = true;
    begin(&world, &order, &config);
    world_inject(&world, (struct amdvi_model_injection){.untold_change = true});
    for (unsigned i = 0; i < 10; i++) {
        make_faults(&order, 400);
        assert_int_equal(drain(&order), 400);
    }
    assert_true(order.right);
    assert_false(order.lost);
    world_finish(&world);
}

/* Events that come to memory after the tail said so, over the change. */
static void late(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct order order;

    (void)state;
    config.host.no_events = true;
    begin(&world, &order, &config);
    world_inject(&world, (struct amdvi_model_injection){.late_event = 9});
    for (unsigned i = 0; i < 300; i++) {
        make_faults(&order, 3);
        assert_int_equal(drain(&order), 3);
    }
    assert_true(order.right);
    world_finish(&world);
}

/* That a device did not answer stands in the second log: it is asked again. */
static void unanswered_in_the_second(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct order order;

    (void)state;
    config.host.no_events = true;
    config.model.device_tlb = true;
    config.ats = true;
    begin(&world, &order, &config);
    assert_int_equal(world_reaches(&world, 0), 0);
    make_faults(&order, LOG_ROOM + 20);
    assert_int_equal(world_stats(&world).log_changes, 1);
    world_inject(&world, (struct amdvi_model_injection){.timeout_at = 1});
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_stats(&world).device_tlb, 2);
    assert_int_equal(dma_device_tlb_entries(world.devices[0]), 0);
    assert_int_equal(world_reaches(&world, 0), -1);
    /* Faults of before were not dropped for it. */
    assert_true(drain(&order) >= LOG_ROOM + 20);
    assert_false(order.lost);
    world_finish(&world);
}

/* Both are full when a device does not answer: all are asked again, and the logs go on. */
static void unanswered_and_full(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct order order;

    (void)state;
    config.host.no_events = true;
    config.model.device_tlb = true;
    config.ats = true;
    begin(&world, &order, &config);
    assert_int_equal(world_reaches(&world, 0), 0);
    make_faults(&order, 600);
    world_inject(&world, (struct amdvi_model_injection){.timeout_at = 1});
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    assert_true(world_stats(&world).device_tlb >= 2);
    assert_int_equal(dma_device_tlb_entries(world.devices[0]), 0);
    order.next = order.made;
    make_faults(&order, 300);
    assert_int_equal(drain(&order), 300);
    assert_true(order.right && order.lost);
    world_finish(&world);
}

/* Logs that do not start again: degraded, and nothing hangs. */
static void for_good(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct order order;

    (void)state;
    config.host.no_events = true;
    begin(&world, &order, &config);
    make_faults(&order, 600);
    world_inject(&world, (struct amdvi_model_injection){.stuck_status = 1u << 3});
    assert_int_equal(drain(&order), 2 * LOG_ROOM);
    assert_true(world_degraded(&world));
    world_abandon(&world);
}

/* Power was lost while the second was in use: both begin again. */
static void after_resume(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct order order;

    (void)state;
    config.host.no_events = true;
    begin(&world, &order, &config);
    make_faults(&order, 300);
    assert_int_equal(world.unit->ops->suspend(world.unit), SLUICE_OK);
    amdvi_model_reset(world.model, false);
    assert_int_equal(world.unit->ops->resume(world.unit), SLUICE_OK);
    order.next = order.made;
    make_faults(&order, 400);
    assert_int_equal(drain(&order), 400);
    assert_true(order.right);
    world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on),
        cmocka_unit_test(both_full),
        cmocka_unit_test(while_draining),
        cmocka_unit_test(by_event),
        cmocka_unit_test(untold),
        cmocka_unit_test(late),
        cmocka_unit_test(unanswered_in_the_second),
        cmocka_unit_test(unanswered_and_full),
        cmocka_unit_test(for_good),
        cmocka_unit_test(after_resume),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
