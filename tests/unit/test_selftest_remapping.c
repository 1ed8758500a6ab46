// SPDX-License-Identifier: MIT
/*
 * The self-test on units that remap interrupts by entries: what it shows of forged messages, and
 * levels that demand evidence, which only such units can reach.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "selftest_world.h"

/* ---- interrupts ---- */

static void test_interrupts(void **state)
{
    const struct sluice_selftest_config silent = {.ops = &selftest_hooks_silent};
    struct scene_config config = scene_defaults();
    struct sluice_selftest_config test = silent;
    struct sluice_interrupt_info before, after;
    struct sluice_selftest_evidence evidence;
    struct selftest_world world;

    (void)state;
    selftest_world_remaps(&config);
    selftest_world_start(&world, &config);
    sluice_interrupt_info(world.scene.sluice, &before);
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_OK);
    assert_int_equal(selftest_outcome(&evidence, SLUICE_SELFTEST_INTERRUPT_FORMAT),
                     SLUICE_SELFTEST_PASSED);
    assert_int_equal(selftest_outcome(&evidence, SLUICE_SELFTEST_INTERRUPT_ENTRY),
                     SLUICE_SELFTEST_PASSED);
    assert_int_equal(evidence.steps[SLUICE_SELFTEST_INTERRUPT_FORMAT].faults, 1);
    assert_int_equal(world.fired, 4);
    sluice_interrupt_info(world.scene.sluice, &after);
    assert_int_equal(after.used, before.used);
    assert_int_equal(after.withheld, 0);

    test.arg = &world;
    assert_int_equal(sluice_selftest_run(world.device, &test, &evidence), SLUICE_OK);
    assert_int_equal(selftest_outcome(&evidence, SLUICE_SELFTEST_INTERRUPT_FORMAT),
                     SLUICE_SELFTEST_NOT_TESTED);
    assert_int_equal(selftest_outcome(&evidence, SLUICE_SELFTEST_INTERRUPT_ENTRY),
                     SLUICE_SELFTEST_NOT_TESTED);

    /* A route that cannot be: no entry, and nothing is shown. */
    test.ops = &selftest_hooks;
    assert_int_equal(sluice_selftest_run(world.device, &test, &evidence), SLUICE_ERR_HARDWARE);
    assert_int_equal(selftest_outcome(&evidence, SLUICE_SELFTEST_INTERRUPT_ENTRY),
                     SLUICE_SELFTEST_INCONCLUSIVE);
    sluice_interrupt_info(world.scene.sluice, &after);
    assert_int_equal(after.used, before.used);
    selftest_world_finish(&world, 0);
}

static void run_flawed_messages(enum selftest_flaw flaw, enum sluice_selftest_outcome format,
                                enum sluice_selftest_outcome entry)
{
    struct scene_config config = scene_defaults();
    struct sluice_selftest_evidence evidence;
    struct selftest_world world;

    selftest_world_remaps(&config);
    selftest_world_start(&world, &config);
    world.flaw = flaw;
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_ERR_HARDWARE);
    selftest_expect(&evidence, 0, 0);
    assert_int_equal(selftest_outcome(&evidence, SLUICE_SELFTEST_INTERRUPT_FORMAT), format);
    assert_int_equal(selftest_outcome(&evidence, SLUICE_SELFTEST_INTERRUPT_ENTRY), entry);
    assert_null(sluice_device_domain(world.device));
    /* Memory was kept from it all the same. */
    selftest_world_finish(&world, 0);
}

static void test_bad_interrupts(void **state)
{
    (void)state;
    run_flawed_messages(FLAW_OLDER_MESSAGES, SLUICE_SELFTEST_FAILED, SLUICE_SELFTEST_PASSED);
    run_flawed_messages(FLAW_ANY_ENTRY, SLUICE_SELFTEST_FAILED, SLUICE_SELFTEST_FAILED);
    run_flawed_messages(FLAW_NO_MESSAGES, SLUICE_SELFTEST_INCONCLUSIVE,
                        SLUICE_SELFTEST_INCONCLUSIVE);
}

/* ---- levels ---- */

struct obstacles {
    unsigned count, selftests;
    char step[64], text[192];
};

static void see_obstacle(void *arg, const struct sluice_obstacle *obstacle)
{
    struct obstacles *seen = arg;

    seen->count++;
    if (obstacle->kind != SLUICE_OBSTACLE_SELFTEST)
        return;
    seen->selftests++;
    assert_non_null(obstacle->unit);
    (void)snprintf(seen->step, sizeof(seen->step), "%s",
                   obstacle->name != NULL ? obstacle->name : "");
    (void)snprintf(seen->text, sizeof(seen->text), "%s", obstacle->text);
}

static enum sluice_status check_strict(struct selftest_world *world, struct obstacles *seen)
{
    *seen = (struct obstacles){0};
    return sluice_protection_check(world->scene.sluice, SLUICE_PROTECTION_STRICT, see_obstacle,
                                   seen);
}

static void demand_selftest(struct sluice_config *config, void *arg)
{
    struct obstacles *seen = arg;

    config->interrupts = SLUICE_INTERRUPTS_REMAPPED;
    config->interrupt_entries = 256;
    config->require_selftest = true;
    config->on_obstacle = see_obstacle;
    config->on_obstacle_arg = seen;
}

/* Not at start, not without evidence, not with a part of it; and then it is given. */
static void test_demanded(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_selftest_config silent = {.ops = &selftest_hooks_silent};
    struct sluice_selftest_evidence evidence;
    struct obstacles seen = {0};
    struct selftest_world world;
    struct sluice *sluice;

    (void)state;
    selftest_world_remaps(&config);
    config.configure = demand_selftest;
    config.configure_arg = &seen;
    selftest_world_start(&world, &config);
    sluice = world.scene.sluice;
    silent.arg = &world;
    assert_int_equal(sluice_protection(sluice), SLUICE_PROTECTION_STANDARD);
    assert_int_equal(sluice_protection_set(sluice, SLUICE_PROTECTION_STRICT),
                     SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(seen.selftests, 1);
    assert_non_null(strstr(seen.text, "no self-test"));

    assert_int_equal(sluice_selftest_run(world.device, &silent, NULL), SLUICE_OK);
    assert_int_equal(check_strict(&world, &seen), SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(seen.selftests, 1);
    assert_string_equal(seen.step, "interrupt in the older format");

    world.flaw = FLAW_DEAD;
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_ERR_HARDWARE);
    assert_int_equal(check_strict(&world, &seen), SLUICE_ERR_UNSUPPORTED);
    assert_string_equal(seen.step, "mapped write");
    assert_non_null(strstr(seen.text, "inconclusive"));

    world.flaw = FLAW_NONE;
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_OK);
    assert_int_equal(check_strict(&world, &seen), SLUICE_OK);
    assert_int_equal(sluice_protection_set(sluice, SLUICE_PROTECTION_STRICT), SLUICE_OK);
    /* The test itself keeps to that level. */
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_OK);
    scene_forget(world.device);

    /* What was shown ends with the unit. */
    assert_int_equal(sluice_stop(sluice), SLUICE_OK);
    seen = (struct obstacles){0};
    assert_int_equal(sluice_start(sluice), SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(seen.selftests, 1);
    assert_int_equal(sluice_protection_set(sluice, SLUICE_PROTECTION_STANDARD), SLUICE_OK);
    assert_int_equal(sluice_start(sluice), SLUICE_OK);
    assert_int_equal(sluice_selftest_evidence(sluice, 0, &evidence), SLUICE_OK);
    assert_false(evidence.made);
    scene_finish(&world.scene);
}

/* Nobody demanded one; but what failed counts, and what is only inconclusive does not. */
static void test_not_demanded(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_selftest_evidence evidence;
    struct obstacles seen = {0};
    struct selftest_world world;

    (void)state;
    selftest_world_remaps(&config);
    selftest_world_start(&world, &config);
    assert_int_equal(check_strict(&world, &seen), SLUICE_OK);
    world.flaw = FLAW_DEAD;
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_ERR_HARDWARE);
    assert_int_equal(check_strict(&world, &seen), SLUICE_OK);
    world.flaw = FLAW_OLDER_MESSAGES;
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_ERR_HARDWARE);
    assert_int_equal(check_strict(&world, &seen), SLUICE_ERR_UNSUPPORTED);
    assert_string_equal(seen.step, "interrupt in the older format");
    assert_int_equal(seen.count, 1);
    world.flaw = FLAW_NONE;
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_OK);
    assert_int_equal(check_strict(&world, &seen), SLUICE_OK);
    selftest_world_finish(&world, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_bad_interrupts),
        cmocka_unit_test(test_demanded),
        cmocka_unit_test(test_not_demanded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
