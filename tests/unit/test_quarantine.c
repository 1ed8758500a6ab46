// SPDX-License-Identifier: MIT
/*
 * Devices that fault too often: when they are cut off, what they still reach, who is told, and the
 * way back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "scene.h"

#define RID_A     SLUICE_RID(0, 3, 0)
#define RID_B     SLUICE_RID(0, 4, 0)
#define RID_PCI   SLUICE_RID(2, 5, 0)
#define NOT_THERE (SCENE_IOVA + 0x100000)
#define SECOND    ((uint64_t)1000000000)
#define COMMAND   0x04u
#define MASTER    0x04u

struct quarantine_world {
    struct scene scene;
    struct sluice_domain *domain;
    struct sluice_pages page;
    struct sluice_device *devices[2];
    unsigned told, back;
    struct sluice_device *last;
    struct sluice_host_ops ops;
    bool resets; /**< the host can reset */
    bool with_reset;
    unsigned resets_done;
    uint32_t max_faults;
    uint64_t window_ns;
};

static void on_quarantine(void *arg, struct sluice_device *device, enum sluice_device_state state)
{
    struct quarantine_world *world = arg;

    world->told += state == SLUICE_DEVICE_QUARANTINED;
    world->back += state == SLUICE_DEVICE_OPERATIONAL;
    world->last = device;
}

/* The hook gets the host as ctx, so what it reports to is found here. */
static struct quarantine_world *resetting;

static bool host_reset(void *ctx, uint16_t segment, uint16_t rid)
{
    (void)ctx;
    (void)segment;
    (void)rid;
    resetting->resets_done++;
    return resetting->resets;
}

static void configure(struct sluice_config *config, void *arg)
{
    struct quarantine_world *world = arg;

    config->max_faults = world->max_faults;
    config->fault_window_ns = world->window_ns;
    config->on_quarantine = on_quarantine;
    config->on_quarantine_arg = world;
    world->ops = *config->ops;
    if (world->with_reset)
        world->ops.device_reset = host_reset;
    config->ops = &world->ops;
    resetting = world;
}

static void set_master(struct quarantine_world *world, unsigned index)
{
    model_pci_config(world->scene.machine->functions[index])[COMMAND] |= MASTER;
}

static bool is_master(struct quarantine_world *world, unsigned index)
{
    return (model_pci_config(world->scene.machine->functions[index])[COMMAND] & MASTER) != 0;
}

static void world_start_with(struct quarantine_world *world, struct scene_config *config,
                             void (*how)(struct sluice_config *config, void *arg))
{
    config->configure = how;
    config->configure_arg = world;
    scene_start(&world->scene, config);
    world->domain = scene_domain(&world->scene, SLUICE_DOMAIN_UNMANAGED);
    world->page = scene_page(&world->scene, 0x3c);
    scene_map(world->domain, SCENE_IOVA, &world->page);
    for (unsigned i = 0; i < 2; i++) {
        world->devices[i] = scene_device(&world->scene, i == 0 ? RID_A : RID_B);
        assert_int_equal(sluice_domain_attach(world->domain, world->devices[i]), SLUICE_OK);
        set_master(world, i);
    }
}

static void world_start(struct quarantine_world *world, struct scene_config *config)
{
    world_start_with(world, config, configure);
}

static void world_finish(struct quarantine_world *world)
{
    for (unsigned i = 0; i < 2; i++) {
        if (world->devices[i] != NULL)
            scene_forget(world->devices[i]);
    }
    scene_page_free(&world->scene, world->page);
    scene_finish(&world->scene);
}

static bool reaches(struct quarantine_world *world, unsigned index)
{
    return scene_reads(&world->scene, index, SCENE_IOVA) == 0x3c;
}

/** So many faults, each seen before the next, as hardware merges those that are alike. */
static void misbehave(struct quarantine_world *world, unsigned index, unsigned faults)
{
    for (unsigned i = 0; i < faults; i++) {
        assert_int_equal(scene_reads(&world->scene, index, NOT_THERE + i * SLUICE_PAGE_BYTES), -1);
        (void)sluice_fault_poll(world->scene.sluice); /* where no interrupt told of it */
    }
}

static struct sluice_device_health health_of(struct sluice_device *device)
{
    struct sluice_device_health health;

    assert_int_equal(sluice_device_health(device, &health), SLUICE_OK);
    return health;
}

/** The tenth fault, not the ninth; the other device loses nothing. */
static void cut_off_at_the_threshold(void **state)
{
    struct scene_config config = scene_defaults();
    struct quarantine_world world = {0};
    struct sluice_device_health health;

    (void)state;
    world_start(&world, &config);
    assert_true(sluice_device_is_operational(world.devices[0]));
    misbehave(&world, 0, 9);
    assert_true(reaches(&world, 0));
    health = health_of(world.devices[0]);
    assert_int_equal(health.state, SLUICE_DEVICE_DEGRADED);
    assert_int_equal(health.fault_count, 9);
    assert_int_equal(health.recent, 9);
    assert_int_equal(health.max_faults, 10);
    assert_int_equal(health.window_ns, 10 * SECOND);
    assert_int_equal(world.told, 0);
    misbehave(&world, 0, 1);
    assert_int_equal(world.told, 1);
    assert_ptr_equal(world.last, world.devices[0]);
    assert_int_equal(health_of(world.devices[0]).fault_count, 10);
    assert_false(reaches(&world, 0));
    assert_false(scene_writes(&world.scene, 0, SCENE_IOVA, &world.page));
    assert_false(is_master(&world, 0));
    health = health_of(world.devices[0]);
    assert_int_equal(health.state, SLUICE_DEVICE_QUARANTINED);
    assert_true(health.confirmed && health.bus_master_off);
    if (scene_tells_of_blocked())
        assert_true(health.fault_count > 10); /* it tried again */
    assert_false(sluice_device_is_operational(world.devices[0]));
    assert_true(model_host_logged(world.scene.machine->host, "too many faults"));
    /* It is still a member of its domain, and the other one is as it was. */
    assert_ptr_equal(sluice_device_domain(world.devices[0]), world.domain);
    assert_true(reaches(&world, 1));
    assert_true(is_master(&world, 1));
    assert_true(sluice_device_is_operational(world.devices[1]));
    world_finish(&world);
}

/** Faults that lie further apart than the window are never too many. */
static void slow_faults_do_no_harm(void **state)
{
    struct scene_config config = scene_defaults();
    struct quarantine_world world = {.max_faults = 4, .window_ns = SECOND};

    (void)state;
    world_start(&world, &config);
    for (unsigned i = 0; i < 12; i++) {
        misbehave(&world, 0, 3);
        model_host_clock_advance(world.scene.machine->host, SECOND + 1);
    }
    assert_true(reaches(&world, 0));
    assert_int_equal(health_of(world.devices[0]).fault_count, 36);
    assert_int_equal(health_of(world.devices[0]).recent, 0);
    assert_true(sluice_device_is_operational(world.devices[0]));
    misbehave(&world, 0, 4);
    assert_false(reaches(&world, 0));
    world_finish(&world);
}

static void thresholds_of_its_own(void **state)
{
    const struct sluice_device_config strict = {.rid = RID_A, .max_faults = 1};
    const struct sluice_device_config free_for_all = {.rid = RID_B,
                                                      .max_faults = SLUICE_FAULTS_UNLIMITED};
    struct scene_config config = scene_defaults();
    struct quarantine_world world = {.max_faults = 5};

    (void)state;
    world_start(&world, &config);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(health_of(world.devices[i]).max_faults, 5);
        scene_forget(world.devices[i]);
        assert_int_equal(sluice_device_add(world.scene.sluice, i == 0 ? &strict : &free_for_all,
                                           &world.devices[i]),
                         SLUICE_OK);
        assert_int_equal(sluice_domain_attach(world.domain, world.devices[i]), SLUICE_OK);
    }
    misbehave(&world, 1, 100);
    assert_true(reaches(&world, 1));
    assert_int_equal(health_of(world.devices[1]).max_faults, SLUICE_FAULTS_UNLIMITED);
    misbehave(&world, 0, 1);
    assert_false(reaches(&world, 0));
    assert_true(reaches(&world, 1));
    world_finish(&world);
}

/* ---- function level reset ---- */

#define EXPRESS_AT  0x40u
#define BAR         0x10u
#define FLR_CAPABLE 0x10u /* bit 28 of the device capabilities, in their highest byte */
#define FLR         0x80u /* bit 15 of the device control, in its higher byte */

static unsigned flr_seen, ready_after;

/** A function that can be reset: it forgets its header and is not there for a while. */
static void flr_write(void *ctx, uint16_t segment, uint16_t rid, uint16_t offset, unsigned width,
                      uint32_t value)
{
    const struct sluice_host_ops *plain = model_host_ops(ctx);
    bool reset = offset == EXPRESS_AT + 8 && width == 2 && (value >> 8 & FLR) != 0;

    plain->pci_write(ctx, segment, rid, offset, width, reset ? value & 0x7fff : value);
    if (!reset)
        return;
    flr_seen++;
    plain->pci_write(ctx, segment, rid, COMMAND, 2, 0);
    plain->pci_write(ctx, segment, rid, BAR, 4, 0);
    ready_after = 5;
}

static uint32_t flr_read(void *ctx, uint16_t segment, uint16_t rid, uint16_t offset, unsigned width)
{
    if (offset == 0 && width == 2 && rid == RID_A && ready_after > 0 && --ready_after > 0)
        return 0xffff;
    return model_host_ops(ctx)->pci_read(ctx, segment, rid, offset, width);
}

/** One that never comes back. */
static void gone_write(void *ctx, uint16_t segment, uint16_t rid, uint16_t offset, unsigned width,
                       uint32_t value)
{
    flr_write(ctx, segment, rid, offset, width, value);
    if (flr_seen > 0) {
        ready_after = UINT32_MAX;
        resetting->ops.pci_read = flr_read;
    }
}

static void configure_flr(struct sluice_config *config, void *arg)
{
    struct quarantine_world *world = arg;

    configure(config, arg);
    world->ops.pci_write = flr_write;
    world->ops.pci_read = flr_read;
}

static void function_level_reset(void **state)
{
    struct scene_config config = scene_defaults();
    struct quarantine_world world = {.with_reset = true}; /* the host has no way for this one */
    uint8_t *function;

    (void)state;
    flr_seen = 0;
    ready_after = 0;
    world_start_with(&world, &config, configure_flr);
    function = model_pci_config(world.scene.machine->functions[MACHINE_DEV_A]);
    assert_int_equal(function[EXPRESS_AT], 0x10);
    function[COMMAND] = MASTER | 2;
    function[BAR + 3] = 0xfe;
    misbehave(&world, 0, 10);
    /* Without the capability there is no way. */
    assert_int_equal(sluice_device_recover(world.devices[0]), SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(flr_seen, 0);
    assert_true(model_host_logged(world.scene.machine->host, "it cannot be reset"));
    function[EXPRESS_AT + 7] |= FLR_CAPABLE;
    assert_int_equal(sluice_device_recover(world.devices[0]), SLUICE_OK);
    assert_int_equal(flr_seen, 1);
    assert_int_equal(world.resets_done, 2);
    assert_int_equal(function[BAR + 3], 0xfe);
    assert_int_equal(function[COMMAND], 2); /* what it does with memory is for its driver to say */
    assert_true(reaches(&world, 0));
    world_finish(&world);
}

static void gone_after_the_reset(void **state)
{
    struct scene_config config = scene_defaults();
    struct quarantine_world world = {0};

    (void)state;
    world_start_with(&world, &config, configure_flr);
    model_pci_config(world.scene.machine->functions[MACHINE_DEV_A])[EXPRESS_AT + 7] |= FLR_CAPABLE;
    assert_int_equal(sluice_device_quarantine(world.devices[0]), SLUICE_OK);
    flr_seen = 0;
    ready_after = 0;
    world.ops.pci_read = model_host_ops(world.scene.machine->host)->pci_read;
    world.ops.pci_write = gone_write;
    assert_int_equal(sluice_device_recover(world.devices[0]), SLUICE_ERR_TIMEOUT);
    assert_false(reaches(&world, 0));
    assert_int_equal(health_of(world.devices[0]).state, SLUICE_DEVICE_QUARANTINED);
    world_finish(&world);
}

/* ---- who is told ---- */

struct listener {
    unsigned records;
    uint64_t next, lost;
    struct sluice_fault_record last;
};

static void listen(void *arg, const struct sluice_fault_record *record, uint64_t lost)
{
    struct listener *listener = arg;

    /* Numbers have no gaps but for what is said to be lost. */
    assert_true(record->number == listener->next + lost);
    listener->next = record->number + 1;
    listener->lost += lost;
    listener->records++;
    listener->last = *record;
}

static void subscribers_get_every_fault(void **state)
{
    struct scene_config config = scene_defaults();
    struct quarantine_world world = {.max_faults = SLUICE_FAULTS_UNLIMITED};
    struct sluice_fault_subscription *one, *two;
    struct listener first = {0}, second = {0};

    (void)state;
    world_start(&world, &config);
    assert_int_equal(sluice_fault_subscribe(world.scene.sluice, listen, &first, &one), SLUICE_OK);
    misbehave(&world, 0, 3);
    second.next = 3;
    assert_int_equal(sluice_fault_subscribe(world.scene.sluice, listen, &second, &two), SLUICE_OK);
    misbehave(&world, 1, 2);
    assert_int_equal(first.records, 5);
    assert_int_equal(second.records, 2);
    assert_string_equal(second.last.device, "0000:00:04.0 'device'");
    assert_true(second.last.domain[0] != 0);
    assert_int_equal(second.last.history, SLUICE_ADDRESS_NOT_MAPPED);
    assert_int_equal(second.last.fault.address, NOT_THERE + SLUICE_PAGE_BYTES);
    assert_int_equal(sluice_stop(world.scene.sluice), SLUICE_ERR_BUSY);
    sluice_fault_unsubscribe(two);
    misbehave(&world, 0, 1);
    assert_int_equal(first.records, 6);
    assert_int_equal(second.records, 2);
    assert_int_equal(first.lost, 0);
    sluice_fault_unsubscribe(one);
    world_finish(&world);
}

/** Its entries are blocked, but the unit may go on as before: said, and nothing is freed. */
static void unconfirmed(void **state)
{
    struct scene_config config = scene_defaults();
    struct quarantine_world world = {0};

    (void)state;
    world_start(&world, &config);
    assert_true(reaches(&world, 0));
    scene_silence(&world.scene, true);
    assert_int_equal(sluice_device_quarantine(world.devices[0]), SLUICE_ERR_TIMEOUT);
    assert_false(health_of(world.devices[0]).confirmed);
    assert_int_equal(health_of(world.devices[0]).state, SLUICE_DEVICE_QUARANTINED);
    assert_true(model_host_logged(world.scene.machine->host, "did not confirm"));
    assert_true(health_of(world.devices[0]).bus_master_off);
    /* The other is in trouble too, since its unit is. */
    assert_int_equal(health_of(world.devices[1]).state, SLUICE_DEVICE_DEGRADED);
    scene_silence(&world.scene, false);
    scene_evict(&world.scene);
    if (!scene_on_virtio()) /* which has no tables of ours: it was never told */
        assert_false(reaches(&world, 0));
    assert_true(reaches(&world, 1));
    for (unsigned i = 0; i < 2; i++) {
        /* Whether this is confirmed or not: it is out. */
        if (sluice_domain_detach(world.devices[i]) != SLUICE_OK)
            assert_null(sluice_device_domain(world.devices[i]));
        assert_int_equal(sluice_device_remove(world.devices[i]), SLUICE_OK);
    }
    scene_page_free(&world.scene, world.page);
    assert_int_equal(sluice_stop(world.scene.sluice), SLUICE_OK);
    (void)model_host_run_events(world.scene.machine->host);
    assert_int_equal(sluice_destroy(world.scene.sluice), SLUICE_OK);
    /* The tables of the domain that the unit may go on using. */
    assert_true(machine_destroy(world.scene.machine) > 0);
}

static void stays_cut_off(void **state)
{
    struct scene_config config = scene_defaults();
    struct quarantine_world world = {0};
    struct sluice_domain *other;

    (void)state;
    world_start(&world, &config);
    assert_int_equal(sluice_device_quarantine(world.devices[0]), SLUICE_OK);
    assert_int_equal(sluice_device_quarantine(world.devices[0]), SLUICE_OK);
    assert_int_equal(world.told, 1);
    other = scene_domain(&world.scene, SLUICE_DOMAIN_UNMANAGED);
    scene_map(other, SCENE_IOVA, &world.page);
    assert_int_equal(sluice_domain_attach(other, world.devices[0]), SLUICE_ERR_STATE);
    assert_int_equal(sluice_domain_attach(world.domain, world.devices[0]), SLUICE_ERR_STATE);
    assert_false(reaches(&world, 0));
    assert_int_equal(sluice_domain_detach(world.devices[0]), SLUICE_OK);
    assert_false(reaches(&world, 0));
    /* Forgotten and known again it begins anew: whoever removes it has dealt with it. */
    assert_int_equal(sluice_device_remove(world.devices[0]), SLUICE_OK);
    world.devices[0] = scene_device(&world.scene, RID_A);
    assert_int_equal(sluice_domain_attach(other, world.devices[0]), SLUICE_OK);
    assert_true(reaches(&world, 0));
    assert_int_equal(health_of(world.devices[0]).fault_count, 0);
    world_finish(&world);
}

static void comes_back_after_a_reset(void **state)
{
    struct scene_config config = scene_defaults();
    struct quarantine_world world = {.with_reset = true};
    struct sluice_fault_counts counts;

    (void)state;
    world_start(&world, &config);
    assert_int_equal(sluice_device_recover(world.devices[0]), SLUICE_ERR_STATE);
    misbehave(&world, 0, 10);
    assert_false(reaches(&world, 0));
    assert_int_equal(sluice_device_recover(world.devices[0]), SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(world.resets_done, 1);
    assert_false(reaches(&world, 0));
    world.resets = true;
    assert_int_equal(sluice_device_recover(world.devices[0]), SLUICE_OK);
    assert_int_equal(world.back, 1);
    assert_true(reaches(&world, 0));
    assert_true(sluice_device_is_operational(world.devices[0]));
    assert_int_equal(health_of(world.devices[0]).fault_count, 0);
    /* And it counts again. */
    misbehave(&world, 0, 9);
    assert_true(reaches(&world, 0));
    misbehave(&world, 0, 1);
    assert_false(reaches(&world, 0));
    sluice_fault_counts(world.scene.sluice, &counts);
    assert_int_equal(counts.faults, world.scene.faults);
    assert_true(counts.faults >= 20);
    assert_int_equal(counts.quarantines, 2);
    assert_int_equal(counts.recoveries, 1);
    world_finish(&world);
}

/** Two devices behind a bridge have one ID: the unit cannot let one through and not the other. */
static void shares_its_id(void **state)
{
    struct scene_config config = scene_defaults();
    struct quarantine_world world = {.with_reset = true, .resets = true};
    struct sluice_device *sibling, *culprit;

    (void)state;
    config.machine.functions[6] = (struct machine_function){.used = true,
                                                            .kind = MACHINE_CONVENTIONAL,
                                                            .rid = SLUICE_RID(2, 6, 0),
                                                            .dma_rid = SLUICE_RID(2, 0, 0)};
    world_start(&world, &config);
    culprit = scene_device(&world.scene, RID_PCI);
    sibling = scene_device(&world.scene, SLUICE_RID(2, 6, 0));
    assert_int_equal(sluice_domain_attach(world.domain, culprit), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(world.domain, sibling), SLUICE_OK);
    assert_int_equal(sluice_device_quarantine(culprit), SLUICE_OK);
    assert_false(reaches(&world, MACHINE_DEV_PCI));
    assert_false(reaches(&world, 6));
    assert_true(model_host_logged(world.scene.machine->host, "whose requester ID it shares"));
    assert_int_equal(sluice_device_quarantine(sibling), SLUICE_OK);
    assert_int_equal(sluice_device_recover(culprit), SLUICE_OK);
    assert_false(reaches(&world, MACHINE_DEV_PCI)); /* the other one still is */
    assert_int_equal(sluice_device_recover(sibling), SLUICE_OK);
    assert_true(reaches(&world, MACHINE_DEV_PCI));
    assert_true(reaches(&world, 6));
    scene_forget(culprit);
    scene_forget(sibling);
    world_finish(&world);
}

/** Out of every domain a device goes back to what firmware keeps for it, and only to that. */
static void firmware_memory_comes_back(void **state)
{
    const sluice_phys_t base = 0x180000;
    struct scene_config config = scene_defaults();
    struct quarantine_world world = {.with_reset = true, .resets = true};

    (void)state;
    config.machine.regions[0] =
        (struct machine_region){.base = base, .last = base + 0xfff, .rid = RID_A};
    world_start(&world, &config);
    assert_int_equal(sluice_domain_detach(world.devices[0]), SLUICE_OK);
    assert_true(scene_reads(&world.scene, 0, base) >= 0);
    assert_int_equal(sluice_device_quarantine(world.devices[0]), SLUICE_OK);
    assert_int_equal(scene_reads(&world.scene, 0, base), -1);
    assert_int_equal(sluice_device_recover(world.devices[0]), SLUICE_OK);
    assert_true(scene_reads(&world.scene, 0, base) >= 0);
    assert_false(reaches(&world, 0));
    world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_off_at_the_threshold),    cmocka_unit_test(slow_faults_do_no_harm),
        cmocka_unit_test(thresholds_of_its_own),       cmocka_unit_test(stays_cut_off),
        cmocka_unit_test(comes_back_after_a_reset),    cmocka_unit_test(shares_its_id),
        cmocka_unit_test(firmware_memory_comes_back),  cmocka_unit_test(function_level_reset),
        cmocka_unit_test(gone_after_the_reset),        cmocka_unit_test(unconfirmed),
        cmocka_unit_test(subscribers_get_every_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
