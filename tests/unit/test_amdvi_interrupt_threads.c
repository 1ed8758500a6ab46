// SPDX-License-Identifier: MIT
/*
 * Messages that never stop, on an AMD-Vi unit, while their entry is moved and masked and its table
 * grows: none is lost, and none is half of one entry and half of another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "amd_interrupt_scene.h"
#include "give_way.h"

#define STORM_ROUNDS      2000u
#define STORM_MOST_ROUNDS (100 * STORM_ROUNDS) /* then no message comes at all */
#define STORM_FIRED       2000u
#define STORM_BURST       64u /* messages in a row */

struct storm {
    struct amd_scene *scene;
    struct sluice_msi msi;
    atomic_bool stop;
    uint64_t sent, refused, wrong;
    uint64_t fired; /**< by the sink, with the unit locked */
    uint64_t seen;  /**< of those, at the last look */
};

/* Vector and destination belong together: half of an entry would show. */
static void storm_sink(void *arg, const struct amdvi_model_interrupt *interrupt)
{
    struct storm *storm = arg;

    storm->fired++;
    if (interrupt->vector != 0x40 + (interrupt->destination & 0xffu) ||
        interrupt->destination >> 24 != (interrupt->destination & 0xffu))
        storm->wrong++;
}

static void *storm_run(void *arg)
{
    struct storm *storm = arg;

    while (!atomic_load(&storm->stop)) {
        amdvi_model_evict(storm->scene->unit); /* as hardware may: each message reads the entry */
        storm->sent++;
        if (amdvi_model_message(storm->scene->unit, RID_A, storm->msi.address, storm->msi.data) !=
            0)
            storm->refused++;
        if (storm->sent % STORM_BURST == 0)
            give_way();
    }
    return NULL;
}

/* Under the unit's lock, as the sink counts. */
static uint64_t storm_fired(struct storm *storm)
{
    uint64_t fired;

    amdvi_model_lock(storm->scene->unit);
    fired = storm->fired;
    amdvi_model_unlock(storm->scene->unit);
    return fired;
}

/* Whether the test goes on: enough changes, and enough messages beside them. */
static bool storm_goes_on(struct storm *storm, unsigned round)
{
    uint64_t fired = storm_fired(storm);

    if (fired == storm->seen)
        give_way(); /* not one message beside the last change */
    storm->seen = fired;
    return round < STORM_ROUNDS || (round < STORM_MOST_ROUNDS && fired < STORM_FIRED);
}

/* A destination whose two halves stand in two words of a wide entry, and both tell the number. */
static uint32_t storm_destination(unsigned number)
{
    return (uint32_t)(number % 100) << 24 | number % 100;
}

static enum sluice_status storm_route(struct sluice_interrupt *interrupt, unsigned number)
{
    return amd_route(interrupt, 0, (uint8_t)(0x40 + number % 100), storm_destination(number));
}

static void storm_begin(struct storm *storm, struct amd_scene *scene,
                        struct sluice_interrupt **interrupt, pthread_t *thread)
{
    struct scene_config config = amd_defaults();

    config.configure = amd_configure_x2apic;
    amd_scene_start(scene, &config);
    *interrupt = amd_alloc(scene, SLUICE_INTERRUPT_MSIX, RID_A, 4);
    *storm = (struct storm){.scene = scene};
    assert_int_equal(storm_route(*interrupt, 1), SLUICE_OK);
    assert_int_equal(sluice_interrupt_message(*interrupt, 0, &storm->msi), SLUICE_OK);
    amdvi_model_set_interrupt_sink(scene->unit, storm_sink, storm);
    assert_int_equal(pthread_create(thread, NULL, storm_run, storm), 0);
}

static void storm_end(struct storm *storm, pthread_t thread)
{
    atomic_store(&storm->stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    amdvi_model_set_interrupt_sink(storm->scene->unit, NULL, NULL);
    assert_int_equal(storm->wrong, 0);
    assert_int_equal(storm->fired + storm->refused, storm->sent);
    assert_true(storm->fired >= STORM_FIRED);
}

/* Moved all the time: every message arrives, at one of the two places. */
static void moved_without_loss(void **state)
{
    struct amd_scene scene;
    struct sluice_interrupt *interrupt;
    struct storm storm;
    pthread_t thread;

    (void)state;
    storm_begin(&storm, &scene, &interrupt, &thread);
    for (unsigned i = 0; storm_goes_on(&storm, i); i++)
        assert_int_equal(storm_route(interrupt, i), SLUICE_OK);
    storm_end(&storm, thread);
    assert_int_equal(storm.refused, 0);
    amd_free(interrupt);
    scene_finish(&scene.scene);
}

/* Masked and routed all the time: refused or whole, and when mask returned, nothing comes. */
static void masked_under_load(void **state)
{
    struct amd_scene scene;
    struct sluice_interrupt *interrupt;
    struct storm storm;
    pthread_t thread;

    (void)state;
    storm_begin(&storm, &scene, &interrupt, &thread);
    for (unsigned i = 0; storm_goes_on(&storm, i); i++) {
        uint64_t fired;

        assert_int_equal(sluice_interrupt_mask(interrupt, 0), SLUICE_OK);
        fired = storm_fired(&storm);
        assert_int_equal(storm_fired(&storm), fired);
        assert_int_equal(storm_route(interrupt, i), SLUICE_OK);
    }
    storm_end(&storm, thread);
    amd_free(interrupt);
    scene_finish(&scene.scene);
}

/* The device's table grows and its other entries come and go: none of its messages is lost. */
static void grown_under_load(void **state)
{
    struct amd_scene scene;
    struct sluice_interrupt *interrupt, *other;
    struct storm storm;
    pthread_t thread;

    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        storm_begin(&storm, &scene, &interrupt, &thread);
        for (unsigned i = 0; i < 9 || storm_goes_on(&storm, STORM_ROUNDS + i); i++) {
            other = amd_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_A, 1u << i % 9);
            amd_free(other);
        }
        storm_end(&storm, thread);
        assert_int_equal(storm.refused, 0);
        amd_free(interrupt);
        scene_finish(&scene.scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moved_without_loss),
        cmocka_unit_test(masked_under_load),
        cmocka_unit_test(grown_under_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
