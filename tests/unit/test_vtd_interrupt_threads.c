// SPDX-License-Identifier: MIT
/*
 * Messages that never stop, on a VT-d unit, while their entry is moved and masked, and messages at
 * each step of a move: none is lost, and none is half of one entry and half of another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "give_way.h"
#include "interrupt_scene.h"

#define STORM_ROUNDS      2000u
#define STORM_MOST_ROUNDS (100 * STORM_ROUNDS) /* then no message comes at all */
#define STORM_FIRED       2000u
#define STORM_BURST       64u /* messages in a row */

struct storm {
    struct interrupt_scene *scene;
    struct sluice_msi msi;
    atomic_bool stop;
    uint64_t sent, refused, wrong;
    uint64_t fired; /**< by the sink, with the unit locked */
    uint64_t seen;  /**< of those, at the last look */
};

/* Vector and destination belong together: half of an entry would show. */
static void storm_sink(void *arg, const struct vtd_model_interrupt *interrupt)
{
    struct storm *storm = arg;

    storm->fired++;
    if (interrupt->vector != 0x40 + interrupt->destination)
        storm->wrong++;
}

static void *storm_run(void *arg)
{
    struct storm *storm = arg;

    while (!atomic_load(&storm->stop)) {
        vtd_model_evict(storm->scene->unit); /* as hardware may: each message reads the entry */
        storm->sent++;
        if (vtd_model_message(storm->scene->unit, RID_A, storm->msi.address, storm->msi.data) !=
            VTD_REASON_NONE)
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

    vtd_model_lock(storm->scene->unit);
    fired = storm->fired;
    vtd_model_unlock(storm->scene->unit);
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

static void storm_prepare(struct storm *storm, struct interrupt_scene *scene,
                          struct sluice_interrupt **interrupt)
{
    struct scene_config config = interrupt_defaults();

    interrupt_scene_start(scene, &config);
    *interrupt =
        interrupt_alloc(scene, SLUICE_INTERRUPT_MSIX, scene_device(&scene->scene, RID_A), 4);
    *storm = (struct storm){.scene = scene};
    assert_int_equal(interrupt_route(*interrupt, 0, 0x41, 1), SLUICE_OK);
    assert_int_equal(sluice_interrupt_message(*interrupt, 0, &storm->msi), SLUICE_OK);
    vtd_model_set_interrupt_sink(scene->unit, storm_sink, storm);
}

static void storm_begin(struct storm *storm, struct interrupt_scene *scene,
                        struct sluice_interrupt **interrupt, pthread_t *thread)
{
    storm_prepare(storm, scene, interrupt);
    assert_int_equal(pthread_create(thread, NULL, storm_run, storm), 0);
}

static void storm_end(struct storm *storm, pthread_t thread)
{
    atomic_store(&storm->stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    vtd_model_set_interrupt_sink(storm->scene->unit, NULL, NULL);
    assert_int_equal(storm->wrong, 0);
    assert_int_equal(storm->fired + storm->refused, storm->sent);
    assert_true(storm->fired >= STORM_FIRED);
}

/* Moved all the time: every message arrives, at one of the two places. */
static void moved_without_loss(void **state)
{
    struct interrupt_scene scene;
    struct sluice_interrupt *interrupt;
    struct storm storm;
    pthread_t thread;

    (void)state;
    storm_begin(&storm, &scene, &interrupt, &thread);
    for (unsigned i = 0; storm_goes_on(&storm, i); i++)
        assert_int_equal(interrupt_route(interrupt, 0, (uint8_t)(0x40 + i % 100), i % 100),
                         SLUICE_OK);
    storm_end(&storm, thread);
    assert_int_equal(storm.refused, 0);
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_OK);
    scene_finish(&scene.scene);
}

static void send_between(void *arg, const struct model_mmio_event *event)
{
    struct storm *storm = arg;

    (void)event;
    vtd_model_evict(storm->scene->unit);
    storm->sent++;
    if (vtd_model_message(storm->scene->unit, RID_A, storm->msi.address, storm->msi.data) !=
        VTD_REASON_NONE)
        storm->refused++;
}

/* A message before and after each access to the unit that a move takes. */
static void moved_step_by_step(void **state)
{
    struct interrupt_scene scene;
    struct sluice_interrupt *interrupt;
    struct storm storm;

    (void)state;
    storm_prepare(&storm, &scene, &interrupt);
    model_host_set_mmio_hook(scene.scene.machine->host, send_between, &storm);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(interrupt_route(interrupt, 0, (uint8_t)(0x40 + i), i), SLUICE_OK);
    model_host_set_mmio_hook(scene.scene.machine->host, NULL, NULL);
    vtd_model_set_interrupt_sink(scene.unit, NULL, NULL);
    assert_true(storm.sent >= 100);
    assert_int_equal(storm.fired, storm.sent);
    assert_int_equal(storm.wrong + storm.refused, 0);
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_OK);
    scene_finish(&scene.scene);
}

/* Masked and routed all the time: refused or whole, and when mask returned, nothing comes. */
static void masked_under_load(void **state)
{
    struct interrupt_scene scene;
    struct sluice_interrupt *interrupt;
    struct storm storm;
    pthread_t thread;

    (void)state;
    storm_begin(&storm, &scene, &interrupt, &thread);
    for (unsigned i = 0; storm_goes_on(&storm, i); i++) {
        uint64_t fired;

        assert_int_equal(sluice_interrupt_mask(interrupt, 0), SLUICE_OK);
        fired = storm_fired(&storm);
        (void)vtd_model_message(scene.unit, RID_B, storm.msi.address, storm.msi.data);
        assert_int_equal(storm_fired(&storm), fired);
        assert_int_equal(interrupt_route(interrupt, 0, (uint8_t)(0x40 + i % 100), i % 100),
                         SLUICE_OK);
    }
    storm_end(&storm, thread);
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_OK);
    scene_finish(&scene.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moved_without_loss),
        cmocka_unit_test(moved_step_by_step),
        cmocka_unit_test(masked_under_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
