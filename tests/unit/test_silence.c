// SPDX-License-Identifier: MIT
/*
 * Sources that flood their unit's log: it stays empty for others, whatever happens to the source
 * meanwhile, and afterwards it is heard again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "models/riscv.h"
#include "models/smmu3.h"
#include "scene.h"

#define RID_A     SLUICE_RID(0, 3, 0)
#define RID_B     SLUICE_RID(0, 4, 0)
#define NOT_THERE (SCENE_IOVA + 0x100000)
#define SECOND    ((uint64_t)1000000000)
#define FLOOD     20u

struct silence_world {
    struct scene scene;
    struct sluice_domain *domains[2];
    struct sluice_pages page;
    struct sluice_device *devices[2];
    struct sluice_host_ops ops;
    uint32_t max_faults, flood_faults;
};

/* Units that have the second stage alone say elsewhere whose faults they report. */
static bool second_stage;
static struct smmu3_model_config smmu3_config;
static struct riscv_model_config riscv_config;

static int take_first_stage_away(void **state)
{
    (void)state;
    second_stage = scene_on_smmu3() || scene_on_riscv();
    smmu3_config = smmu3_model_defaults();
    smmu3_config.stage1 = false;
    riscv_config = riscv_model_defaults();
    riscv_config.sv39 = riscv_config.sv48 = riscv_config.sv57 = false;
    return 0;
}

static void configure_unit(struct machine_config *machine)
{
    if (second_stage && scene_on_smmu3())
        machine->kind_config = &smmu3_config;
    else if (second_stage)
        machine->kind_config = &riscv_config;
}

static bool host_reset(void *ctx, uint16_t segment, uint16_t rid)
{
    (void)ctx;
    (void)segment;
    (void)rid;
    return true;
}

static void configure(struct sluice_config *config, void *arg)
{
    struct silence_world *world = arg;

    world->ops = *config->ops;
    world->ops.device_reset = host_reset;
    config->ops = &world->ops;
    config->max_faults = world->max_faults != 0 ? world->max_faults : SLUICE_FAULTS_UNLIMITED;
    config->flood_faults = world->flood_faults != 0 ? world->flood_faults : FLOOD;
    config->flood_window_ns = SECOND;
    config->silence_ns = 5 * SECOND;
}

static void world_start(struct silence_world *world)
{
    struct scene_config config = scene_defaults();

    config.configure = configure;
    config.configure_arg = world;
    configure_unit(&config.machine);
    scene_start(&world->scene, &config);
    world->page = scene_page(&world->scene, 0x3c);
    for (unsigned i = 0; i < 2; i++) {
        world->domains[i] = scene_domain(&world->scene, SLUICE_DOMAIN_UNMANAGED);
        scene_map(world->domains[i], SCENE_IOVA, &world->page);
    }
    for (unsigned i = 0; i < 2; i++) {
        world->devices[i] = scene_device(&world->scene, i == 0 ? RID_A : RID_B);
        assert_int_equal(sluice_domain_attach(world->domains[0], world->devices[i]), SLUICE_OK);
    }
}

static void world_finish(struct silence_world *world)
{
    for (unsigned i = 0; i < 2; i++)
        scene_forget(world->devices[i]);
    scene_page_free(&world->scene, world->page);
    scene_finish(&world->scene);
}

/** Faults so often; returns how many of them were reported. */
static unsigned misbehave(struct silence_world *world, unsigned index, unsigned faults)
{
    unsigned before = world->scene.faults;

    for (unsigned i = 0; i < faults; i++) {
        assert_int_equal(scene_reads(&world->scene, index, NOT_THERE + i * SLUICE_PAGE_BYTES), -1);
        (void)sluice_fault_poll(world->scene.sluice); /* where no interrupt told of it */
    }
    return world->scene.faults - before;
}

static struct sluice_device_health health_of(const struct silence_world *world, unsigned index)
{
    struct sluice_device_health health;

    assert_int_equal(sluice_device_health(world->devices[index], &health), SLUICE_OK);
    return health;
}

static uint64_t silences(const struct silence_world *world)
{
    struct sluice_fault_counts counts;

    sluice_fault_counts(world->scene.sluice, &counts);
    return counts.silences;
}

static void wait_ns(struct silence_world *world, uint64_t ns)
{
    model_host_clock_advance(world->scene.machine->host, ns);
    (void)sluice_fault_poll(world->scene.sluice);
}

static void flood(struct silence_world *world)
{
    assert_int_equal(misbehave(world, 0, FLOOD - 1), FLOOD - 1);
    assert_false(health_of(world, 0).silenced);
    assert_int_equal(misbehave(world, 0, 1), 1);
    assert_true(health_of(world, 0).silenced);
}

/** The log stays empty, others are heard, memory is reached as before; then it is heard again. */
static void silent_for_a_while(void **state)
{
    struct silence_world world = {0};

    (void)state;
    world_start(&world);
    flood(&world);
    assert_int_equal(misbehave(&world, 0, 300), 0);
    assert_int_equal(health_of(&world, 0).state, SLUICE_DEVICE_DEGRADED);
    assert_int_equal(health_of(&world, 0).fault_count, FLOOD);
    assert_int_equal(silences(&world), 1);
    assert_true(model_host_logged(world.scene.machine->host, "does not report its faults"));
    assert_int_equal(misbehave(&world, 1, 3), 3);
    assert_false(health_of(&world, 1).silenced);
    assert_int_equal(scene_reads(&world.scene, 0, SCENE_IOVA), 0x3c);
    wait_ns(&world, 4 * SECOND);
    assert_int_equal(misbehave(&world, 0, 3), 0);
    wait_ns(&world, 2 * SECOND);
    assert_false(health_of(&world, 0).silenced);
    assert_int_equal(misbehave(&world, 0, 3), 3);
    assert_int_equal(health_of(&world, 0).fault_count, FLOOD + 3);
    /* And it can flood again. */
    wait_ns(&world, 2 * SECOND);
    flood(&world);
    assert_int_equal(misbehave(&world, 0, 30), 0);
    assert_int_equal(silences(&world), 2);
    world_finish(&world);
}

/** A fault says whose tables the address was looked up in, where the unit does. */
static void tells_the_stage(void **state)
{
    bool first = (scene_on_smmu3() || scene_on_riscv()) && !second_stage;
    struct silence_world world = {0};

    (void)state;
    world_start(&world);
    assert_int_equal(misbehave(&world, 0, 1), 1);
    assert_int_equal(world.scene.fault.stage, scene_on_virtio() ? SLUICE_STAGE_UNKNOWN
                                              : first           ? SLUICE_STAGE_FIRST
                                                                : SLUICE_STAGE_SECOND);
    assert_int_equal(sluice_domain_detach(world.devices[0]), SLUICE_OK);
    /* Blocked, AMD-Vi's entry has no tables and a fault looks the same; an SMMUv3 says nothing. */
    if (misbehave(&world, 0, 1) != 0 && !scene_on_virtio() && !scene_on_amd())
        assert_int_equal(world.scene.fault.stage, SLUICE_STAGE_NONE);
    world_finish(&world);
}

/** What comes slowly is no flood, however much it is. */
static void a_trickle_is_no_flood(void **state)
{
    struct silence_world world = {0};

    (void)state;
    world_start(&world);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(misbehave(&world, 0, FLOOD - 1), FLOOD - 1);
        wait_ns(&world, SECOND + 1);
    }
    assert_false(health_of(&world, 0).silenced);
    assert_int_equal(silences(&world), 0);
    world_finish(&world);
}

static void never_where_not_wanted(void **state)
{
    struct silence_world world = {.flood_faults = SLUICE_FAULTS_UNLIMITED};

    (void)state;
    world_start(&world);
    assert_int_equal(misbehave(&world, 0, 10 * FLOOD), 10 * FLOOD);
    assert_int_equal(silences(&world), 0);
    world_finish(&world);
}

/** Moved, taken out and put back it stays silent; its neighbour in each of the domains does not. */
/** Not where the page was mapped, and not where it lies. */
static void assert_blocked(struct silence_world *world, unsigned index)
{
    assert_int_equal(scene_reads(&world->scene, index, SCENE_IOVA), -1);
    assert_int_equal(scene_reads(&world->scene, index, world->page.phys), -1);
}

static void silent_wherever_it_goes(void **state)
{
    struct silence_world world = {0};

    (void)state;
    world_start(&world);
    flood(&world);
    assert_int_equal(sluice_domain_attach(world.domains[1], world.devices[0]), SLUICE_OK);
    assert_int_equal(misbehave(&world, 0, 30), 0);
    assert_int_equal(scene_reads(&world.scene, 0, SCENE_IOVA), 0x3c);
    assert_int_equal(sluice_domain_attach(world.domains[1], world.devices[1]), SLUICE_OK);
    assert_int_equal(misbehave(&world, 1, 2), 2);
    assert_int_equal(sluice_domain_detach(world.devices[0]), SLUICE_OK);
    assert_int_equal(misbehave(&world, 0, 30), 0);
    assert_blocked(&world, 0);
    assert_int_equal(sluice_domain_attach(world.domains[0], world.devices[0]), SLUICE_OK);
    assert_int_equal(misbehave(&world, 0, 30), 0);
    assert_int_equal(scene_reads(&world.scene, 0, SCENE_IOVA), 0x3c);
    assert_true(health_of(&world, 0).silenced);
    /* Heard again where it is now. */
    wait_ns(&world, 6 * SECOND);
    assert_int_equal(misbehave(&world, 0, 2), 2);
    world_finish(&world);
}

/** Blocked and blocked for good it is silent too, and heard again there when its time is over. */
static void silent_while_it_is_cut_off(void **state)
{
    struct silence_world world = {.max_faults = 5};

    (void)state;
    world_start(&world);
    assert_int_equal(misbehave(&world, 0, 5), 5);
    assert_int_equal(health_of(&world, 0).state, SLUICE_DEVICE_QUARANTINED);
    assert_blocked(&world, 0);
    if (scene_tells_of_blocked()) {
        (void)misbehave(&world, 0, FLOOD);
        assert_true(health_of(&world, 0).silenced);
    }
    assert_int_equal(misbehave(&world, 0, 100), 0);
    assert_int_equal(health_of(&world, 0).state, SLUICE_DEVICE_QUARANTINED);
    assert_blocked(&world, 0);
    assert_int_equal(misbehave(&world, 1, 2), 2);
    wait_ns(&world, 6 * SECOND);
    assert_false(health_of(&world, 0).silenced);
    if (scene_tells_of_blocked())
        assert_int_equal(misbehave(&world, 0, 2), 2);
    assert_blocked(&world, 0);
    world_finish(&world);
}

/** Recovered it is heard at once, in its domain. */
static void recovery_lets_it_be_heard(void **state)
{
    struct silence_world world = {0};

    (void)state;
    world_start(&world);
    flood(&world);
    assert_int_equal(sluice_device_quarantine(world.devices[0]), SLUICE_OK);
    assert_int_equal(misbehave(&world, 0, 5), 0);
    assert_int_equal(sluice_device_recover(world.devices[0]), SLUICE_OK);
    assert_false(health_of(&world, 0).silenced);
    assert_int_equal(scene_reads(&world.scene, 0, SCENE_IOVA), 0x3c);
    assert_int_equal(misbehave(&world, 0, 3), 3);
    world_finish(&world);
}

/** Forgotten, and known again: whoever comes under this ID is heard. */
static void removal_lets_it_be_heard(void **state)
{
    struct silence_world world = {0};

    (void)state;
    world_start(&world);
    flood(&world);
    scene_forget(world.devices[0]);
    if (scene_tells_of_blocked())
        assert_int_equal(misbehave(&world, 0, 2), 2);
    world.devices[0] = scene_device(&world.scene, RID_A);
    assert_int_equal(sluice_domain_attach(world.domains[1], world.devices[0]), SLUICE_OK);
    assert_int_equal(misbehave(&world, 0, 3), 3);
    world_finish(&world);
}

/** A unit that does not confirm: said, and nothing is reached that was not before. */
static void unconfirmed(void **state)
{
    struct silence_world world = {0};

    (void)state;
    world_start(&world);
    assert_int_equal(misbehave(&world, 0, FLOOD - 1), FLOOD - 1);
    scene_silence(&world.scene, true);
    assert_int_equal(misbehave(&world, 0, 1), 1);
    assert_true(health_of(&world, 0).silenced);
    assert_int_equal(health_of(&world, 1).state, SLUICE_DEVICE_DEGRADED);
    scene_silence(&world.scene, false);
    scene_evict(&world.scene);
    assert_int_equal(misbehave(&world, 0, 10), 0);
    assert_int_equal(scene_reads(&world.scene, 0, SCENE_IOVA), 0x3c);
    for (unsigned i = 0; i < 2; i++) {
        if (sluice_domain_detach(world.devices[i]) != SLUICE_OK)
            assert_null(sluice_device_domain(world.devices[i]));
        assert_int_equal(sluice_device_remove(world.devices[i]), SLUICE_OK);
    }
    scene_page_free(&world.scene, world.page);
    assert_int_equal(sluice_stop(world.scene.sluice), SLUICE_OK);
    (void)model_host_run_events(world.scene.machine->host);
    assert_int_equal(sluice_destroy(world.scene.sluice), SLUICE_OK);
    (void)machine_destroy(world.scene.machine);
}

/** A unit that has no way: said once, and it goes on being heard. */
static void no_way_to(void **state)
{
    struct silence_world world = {0};

    (void)state;
    world_start(&world);
    assert_int_equal(misbehave(&world, 0, 5 * FLOOD), 5 * FLOOD);
    assert_false(health_of(&world, 0).silenced);
    assert_int_equal(silences(&world), 0);
    assert_true(model_host_logged(world.scene.machine->host, "cannot be told not to report"));
    world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest can[] = {
        cmocka_unit_test(tells_the_stage),
        cmocka_unit_test(silent_for_a_while),
        cmocka_unit_test(a_trickle_is_no_flood),
        cmocka_unit_test(never_where_not_wanted),
        cmocka_unit_test(silent_wherever_it_goes),
        cmocka_unit_test(silent_while_it_is_cut_off),
        cmocka_unit_test(recovery_lets_it_be_heard),
        cmocka_unit_test(removal_lets_it_be_heard),
        cmocka_unit_test(unconfirmed),
        cmocka_unit_test_setup(silent_wherever_it_goes, take_first_stage_away),
        cmocka_unit_test(tells_the_stage),
        cmocka_unit_test(silent_while_it_is_cut_off),
    };
    const struct CMUnitTest cannot[] = {
        cmocka_unit_test(tells_the_stage),
        cmocka_unit_test(no_way_to),
        cmocka_unit_test(a_trickle_is_no_flood),
        cmocka_unit_test(never_where_not_wanted),
    };

    return scene_on_virtio() ? cmocka_run_group_tests(cannot, NULL, NULL)
                             : cmocka_run_group_tests(can, NULL, NULL);
}
