// SPDX-License-Identifier: MIT
/*
 * What is done about faults outside interrupts: who is told while subscriptions come and go, when
 * the host is asked for a call, and what it owes then.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "domain/domain.h"
#include "fault/work.h"
#include "scene.h"

#define RID_A     SLUICE_RID(0, 3, 0)
#define RID_B     SLUICE_RID(0, 4, 0)
#define NOT_THERE (SCENE_IOVA + 0x100000)
#define PATIENCE  10u /* seconds until a test that hangs is given up */

struct work_world {
    struct scene scene;
    struct sluice_domain *domain;
    struct sluice_device *devices[2];
    struct sluice_host_ops ops;
    uint32_t max_faults;
    sluice_quarantine_handler *on_quarantine;
    bool refuses; /**< the host does not take deferred work */
    bool holds;   /**< or keeps it here until the test does it */
    void (*held)(void *arg);
    void *held_arg;
    unsigned asked;
    bool used_inside;
};

/* The hook gets the host as ctx, so what it reports to is found here. */
static struct work_world *current;

static bool defer(void *ctx, void (*work)(void *arg), void *arg)
{
    current->asked++;
    if (current->holds) {
        current->held = work;
        current->held_arg = arg;
        return true;
    }
    return !current->refuses && model_host_ops(ctx)->defer(ctx, work, arg);
}

static void configure(struct sluice_config *config, void *arg)
{
    struct work_world *world = arg;

    world->ops = *config->ops;
    world->ops.defer = defer;
    config->ops = &world->ops;
    config->max_faults = world->max_faults != 0 ? world->max_faults : SLUICE_FAULTS_UNLIMITED;
    config->on_quarantine = world->on_quarantine;
    config->on_quarantine_arg = world;
    current = world;
}

static void world_start(struct work_world *world, bool polled)
{
    struct scene_config config = scene_defaults();

    (void)alarm(PATIENCE);
    config.configure = configure;
    config.configure_arg = world;
    config.machine.host.no_events = polled;
    scene_start(&world->scene, &config);
    world->domain = scene_domain(&world->scene, SLUICE_DOMAIN_UNMANAGED);
    for (unsigned i = 0; i < 2; i++) {
        world->devices[i] = scene_device(&world->scene, i == 0 ? RID_A : RID_B);
        assert_int_equal(sluice_domain_attach(world->domain, world->devices[i]), SLUICE_OK);
    }
}

static void world_finish(struct work_world *world)
{
    for (unsigned i = 0; i < 2; i++)
        scene_forget(world->devices[i]);
    scene_finish(&world->scene);
    (void)alarm(0);
}

static void misbehave(struct work_world *world, unsigned index)
{
    assert_int_equal(scene_reads(&world->scene, index, NOT_THERE), -1);
}

/* ---- subscriptions that go while others are told ---- */

struct listener {
    struct work_world *world;
    struct sluice_fault_subscription *subscription;
    struct sluice_fault_subscription **ends; /**< whom it unsubscribes when it is told */
    unsigned records;
};

static void subscribe(struct work_world *world, struct listener *listener,
                      sluice_fault_subscriber *subscriber)
{
    listener->world = world;
    assert_int_equal(
        sluice_fault_subscribe(world->scene.sluice, subscriber, listener, &listener->subscription),
        SLUICE_OK);
}

static void listen(void *arg, const struct sluice_fault_record *record, uint64_t lost)
{
    struct listener *listener = arg;

    (void)record;
    (void)lost;
    listener->records++;
    if (listener->ends != NULL) {
        sluice_fault_unsubscribe(*listener->ends);
        *listener->ends = NULL;
        listener->ends = NULL;
    }
}

/** A subscriber ends the next one, and then the one before it: the others are told once each. */
static void ends_its_neighbours(void **state)
{
    struct work_world world = {0};
    struct listener listeners[4] = {0};

    (void)state;
    world_start(&world, false);
    for (unsigned i = 0; i < 4; i++)
        subscribe(&world, &listeners[i], listen);
    listeners[1].ends = &listeners[2].subscription;
    misbehave(&world, 0);
    listeners[1].ends = &listeners[0].subscription;
    misbehave(&world, 0);
    misbehave(&world, 0);
    assert_int_equal(listeners[0].records, 2);
    assert_int_equal(listeners[1].records, 3);
    assert_int_equal(listeners[2].records, 0);
    assert_int_equal(listeners[3].records, 3);
    sluice_fault_unsubscribe(listeners[1].subscription);
    sluice_fault_unsubscribe(listeners[3].subscription);
    world_finish(&world);
}

static bool is_listed(struct sluice *sluice, const struct list_node *wanted)
{
    struct fault_center *center = sluice->faults;
    sluice_irqstate_t irq = sluice_spin_lock(&center->lock);
    bool found = false;

    list_for_each(node, &center->subscribers)
    {
        found = found || node == wanted;
    }
    sluice_spin_unlock(&center->lock, irq);
    return found;
}

/** In its call until somebody else has begun to unsubscribe it. */
static void linger(void *arg, const struct sluice_fault_record *record, uint64_t lost)
{
    struct listener *listener = arg;

    listen(arg, record, lost);
    while (is_listed(listener->world->scene.sluice, &listener->subscription->node))
        (void)sched_yield();
}

static void *tell(void *arg)
{
    struct work_world *world = arg;

    (void)sluice_fault_poll(world->scene.sluice);
    return NULL;
}

/**
 * Ended from another thread while it is called, with records left to tell: the call is its last,
 * and who comes after it is told all the same.
 */
static void ends_during_its_call(void **state)
{
    struct work_world world = {0};
    struct listener before = {0}, ending = {0}, after = {0};
    pthread_t thread;

    (void)state;
    world_start(&world, true);
    subscribe(&world, &before, listen);
    subscribe(&world, &ending, linger);
    subscribe(&world, &after, listen);
    for (unsigned i = 0; i < 3; i++)
        misbehave(&world, i % 2);
    assert_int_equal(pthread_create(&thread, NULL, tell, &world), 0);
    while (atomic_load(&ending.subscription->calls) == 0)
        (void)sched_yield();
    sluice_fault_unsubscribe(ending.subscription);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(before.records, world.scene.faults);
    assert_int_equal(after.records, world.scene.faults);
    assert_true(world.scene.faults >= 2);
    assert_true(ending.records <= 1);
    sluice_fault_unsubscribe(before.subscription);
    sluice_fault_unsubscribe(after.subscription);
    world_finish(&world);
}

/* ---- when the host is asked, and what it owes ---- */

/** While this runs in the host's call, another fault is refused one. */
static void refused_inside(void *arg, struct sluice_device *device, enum sluice_device_state state)
{
    struct work_world *world = arg;

    (void)state;
    if (device != world->devices[0])
        return;
    world->refuses = true;
    misbehave(world, 1);
    world->refuses = false;
    world->used_inside = fault_center_is_used(world->scene.sluice);
}

static void owes_until_the_end(void **state)
{
    struct work_world world = {.max_faults = 1, .on_quarantine = refused_inside};

    (void)state;
    world_start(&world, false);
    assert_false(fault_center_is_used(world.scene.sluice));
    misbehave(&world, 0);
    (void)model_host_run_events(world.scene.machine->host);
    assert_int_equal(world.asked, 2);
    assert_true(world.used_inside);
    assert_false(fault_center_is_used(world.scene.sluice));
    world_finish(&world);
}

/** A refusal is not for ever: the next fault asks again, and all is told then. */
static void asks_again(void **state)
{
    struct work_world world = {.refuses = true};
    struct listener listener = {0};

    (void)state;
    world_start(&world, false);
    subscribe(&world, &listener, listen);
    misbehave(&world, 0);
    assert_int_equal(listener.records, 0);
    assert_int_equal(world.asked, 1);
    world.refuses = false;
    misbehave(&world, 1);
    (void)model_host_run_events(world.scene.machine->host);
    assert_int_equal(world.asked, 2);
    assert_int_equal(listener.records, 2);
    sluice_fault_unsubscribe(listener.subscription);
    world_finish(&world);
}

static void fault_again(void *arg, const struct sluice_fault_record *record, uint64_t lost)
{
    struct listener *listener = arg;

    listen(arg, record, lost);
    if (listener->world->holds)
        misbehave(listener->world, 1);
}

static void do_held(struct work_world *world)
{
    void (*work)(void *arg) = world->held;

    world->held = NULL;
    assert_non_null(work);
    work(world->held_arg);
}

/** Each record that is told brings a fault: one call of the host's ends all the same. */
static void a_storm_keeps_nobody(void **state)
{
    struct work_world world = {.holds = true};
    struct listener listener = {0};

    (void)state;
    world_start(&world, false);
    subscribe(&world, &listener, fault_again);
    misbehave(&world, 0);
    do_held(&world);
    assert_in_range(listener.records, 1, 8);
    do_held(&world); /* the rest has a call of its own */
    assert_in_range(listener.records, 2, 16);
    world.holds = false;
    do_held(&world);
    (void)sluice_fault_poll(world.scene.sluice);
    assert_int_equal(listener.records, world.scene.faults);
    sluice_fault_unsubscribe(listener.subscription);
    world_finish(&world);
}

/** Whoever polls does the work: the host is not asked for a call besides. */
static void a_poll_asks_for_nothing(void **state)
{
    struct work_world world = {0};
    struct listener listener = {0};

    (void)state;
    world_start(&world, true);
    subscribe(&world, &listener, listen);
    for (unsigned i = 0; i < 3; i++) {
        misbehave(&world, 0);
        assert_int_equal(sluice_fault_poll(world.scene.sluice), 1);
        assert_int_equal(listener.records, i + 1);
    }
    assert_int_equal(world.asked, 0);
    sluice_fault_unsubscribe(listener.subscription);
    world_finish(&world);
}

/* ---- quarantine from where faults are told, and devices that go meanwhile ---- */

static void cut_it_off(void *arg, const struct sluice_fault_record *record, uint64_t lost)
{
    struct listener *listener = arg;
    struct work_world *world = listener->world;

    listen(arg, record, lost);
    assert_int_equal(sluice_device_quarantine(world->devices[0]), SLUICE_OK);
}

/** Whoever is told of a fault may cut the device off at once, and the next one is told too. */
static void cut_off_by_a_subscriber(void **state)
{
    struct work_world world = {0};
    struct listener first = {0}, second = {0};
    struct sluice_device_health health;
    struct sluice_fault_counts counts;

    (void)state;
    world_start(&world, false);
    subscribe(&world, &first, cut_it_off);
    subscribe(&world, &second, listen);
    misbehave(&world, 0);
    (void)model_host_run_events(world.scene.machine->host);
    assert_int_equal(first.records, 1);
    assert_int_equal(second.records, 1);
    assert_int_equal(sluice_device_health(world.devices[0], &health), SLUICE_OK);
    assert_int_equal(health.state, SLUICE_DEVICE_QUARANTINED);
    assert_true(sluice_device_is_operational(world.devices[1]));
    sluice_fault_counts(world.scene.sluice, &counts);
    assert_int_equal(counts.quarantines, 1);
    sluice_fault_unsubscribe(first.subscription);
    sluice_fault_unsubscribe(second.subscription);
    world_finish(&world);
}

#define GOING_TURNS 8u

struct going {
    struct work_world *world;
    atomic_uint over;
};

/** Faults of a device that comes and goes, of one that stays, and of nobody, and work on them. */
static void *fault_meanwhile(void *arg)
{
    struct going *going = arg;
    struct sluice *sluice = going->world->scene.sluice;
    struct unit *unit = container_of(sluice->units.next, struct unit, node);
    const uint32_t ids[] = {RID_A, RID_B, SLUICE_RID(0, 9, 0)};
    struct sluice_fault fault = {.unit = unit->name,
                                 .pasid = SLUICE_NO_PASID,
                                 .reason = SLUICE_FAULT_NOT_MAPPED,
                                 .address = NOT_THERE,
                                 .address_valid = true};

    for (unsigned i = 0; atomic_load(&going->over) == 0; i++) {
        fault.source = ids[i % 3];
        fault.time_ns = host_now_ns(sluice);
        unit_fault_deliver(unit, &fault);
        (void)sluice_fault_poll(sluice);
        (void)sched_yield(); /* whoever waits for a lock may have no CPU */
    }
    return NULL;
}

/** Removed, while it may be being cut off on the other CPU, until nobody is being told of it. */
static void take_away(struct work_world *world)
{
    enum sluice_status status;

    assert_int_equal(sluice_domain_detach(world->devices[1]), SLUICE_OK);
    while ((status = sluice_device_remove(world->devices[1])) == SLUICE_ERR_BUSY)
        (void)sched_yield();
    assert_int_equal(status, SLUICE_OK);
}

static void count_quarantines(void *arg, struct sluice_device *device,
                              enum sluice_device_state state)
{
    struct sluice_device_health health;

    (void)arg;
    assert_int_equal(state, SLUICE_DEVICE_QUARANTINED);
    /* It is there as long as its owner is being told. */
    assert_int_equal(sluice_device_health(device, &health), SLUICE_OK);
    assert_int_equal(health.state, SLUICE_DEVICE_QUARANTINED);
}

static void devices_go_meanwhile(void **state)
{
    struct work_world world = {.max_faults = 1, .on_quarantine = count_quarantines};
    struct going going = {.world = &world};
    struct sluice_fault_counts counts = {0};
    struct listener listener = {0};
    enum sluice_status status;
    pthread_t thread;

    (void)state;
    world_start(&world, true);
    subscribe(&world, &listener, listen);
    assert_int_equal(pthread_create(&thread, NULL, fault_meanwhile, &going), 0);
    for (unsigned i = 0; i < GOING_TURNS || counts.quarantines < 2; i++) {
        take_away(&world);
        world.devices[1] = scene_device(&world.scene, RID_B);
        status = sluice_domain_attach(world.domain, world.devices[1]);
        /* It may be cut off already. */
        assert_true(status == SLUICE_OK || status == SLUICE_ERR_STATE);
        sluice_fault_counts(world.scene.sluice, &counts);
        (void)sched_yield();
    }
    atomic_store(&going.over, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(listener.records > 0);
    sluice_fault_unsubscribe(listener.subscription);
    world_finish(&world);
}

/* ---- devices that cannot be watched ---- */

static unsigned added, removed;
static const struct domain_policy *inner;

static enum sluice_status count_added(struct sluice_device *device)
{
    enum sluice_status status = inner->device_added(device);

    added += status == SLUICE_OK;
    return status;
}

static void count_removed(struct sluice_device *device)
{
    removed++;
    inner->device_removed(device);
}

/** Whoever was told of a device is told that it is gone, also where it went for want of memory. */
static void refused_devices_are_taken_back(void **state)
{
    const struct sluice_device_config config = {.rid = SLUICE_RID(1, 0, 0)};
    enum sluice_status status = SLUICE_ERR_NO_MEMORY;
    struct work_world world = {0};
    struct sluice_device *device;
    struct domain_policy policy;
    unsigned taken_back = 0;

    (void)state;
    world_start(&world, false);
    inner = world.scene.sluice->policy;
    policy = *inner;
    policy.device_added = count_added;
    policy.device_removed = count_removed;
    world.scene.sluice->policy = &policy;
    added = removed = 0;
    for (unsigned nth = 0; status != SLUICE_OK; nth++) {
        model_host_fail_allocation(world.scene.machine->host, nth, false);
        status = sluice_device_add(world.scene.sluice, &config, &device);
        model_host_fail_no_more(world.scene.machine->host);
        taken_back += status != SLUICE_OK && added > 0;
        assert_int_equal(added - removed, status == SLUICE_OK);
    }
    assert_true(taken_back > 0);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_int_equal(added, removed);
    world.scene.sluice->policy = inner;
    world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_its_neighbours),
        cmocka_unit_test(ends_during_its_call),
        cmocka_unit_test(owes_until_the_end),
        cmocka_unit_test(asks_again),
        cmocka_unit_test(a_storm_keeps_nobody),
        cmocka_unit_test(a_poll_asks_for_nothing),
        cmocka_unit_test(cut_off_by_a_subscriber),
        cmocka_unit_test(devices_go_meanwhile),
        cmocka_unit_test(refused_devices_are_taken_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
