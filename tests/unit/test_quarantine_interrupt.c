// SPDX-License-Identifier: MIT
/*
 * A device in quarantine raises no interrupt, and cannot be given one until it came back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "interrupt_scene.h"

#define RID_A  SLUICE_RID(0, 3, 0)
#define RID_B  SLUICE_RID(0, 4, 0)
#define VECTOR 0x41u

static struct sluice_host_ops ops;

static bool host_reset(void *ctx, uint16_t segment, uint16_t rid)
{
    (void)ctx;
    return segment == 0 && rid == RID_A;
}

static void configure(struct sluice_config *config, void *arg)
{
    interrupt_configure(config, arg);
    ops = *config->ops;
    ops.device_reset = host_reset;
    config->ops = &ops;
}

static void refused_until_it_is_back(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct sluice_interrupt *own, *others;
    struct sluice_device_health health;
    struct sluice_device *devices[2];
    struct interrupt_scene scene;

    (void)state;
    config.configure = configure;
    interrupt_scene_start(&scene, &config);
    devices[0] = scene_device(&scene.scene, RID_A);
    devices[1] = scene_device(&scene.scene, RID_B);
    own = interrupt_alloc(&scene, SLUICE_INTERRUPT_MSIX, devices[0], 3);
    others = interrupt_alloc(&scene, SLUICE_INTERRUPT_MSIX, devices[1], 1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(interrupt_route(own, i, (uint8_t)(VECTOR + i), 0), SLUICE_OK);
    assert_int_equal(interrupt_route(others, 0, 0x60, 0), SLUICE_OK);
    interrupt_expect(&scene, own, 1, RID_A, VECTOR + 1, 0);

    assert_int_equal(sluice_device_quarantine(devices[0]), SLUICE_OK);
    assert_int_equal(sluice_device_health(devices[0], &health), SLUICE_OK);
    assert_int_equal(health.interrupts, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_true(interrupt_send(&scene, own, i, RID_A) != VTD_REASON_NONE);
    assert_int_equal(interrupt_route(own, 0, VECTOR, 0), SLUICE_ERR_STATE);
    assert_true(interrupt_send(&scene, own, 0, RID_A) != VTD_REASON_NONE);
    interrupt_expect(&scene, others, 0, RID_B, 0x60, 0);

    assert_int_equal(sluice_device_recover(devices[0]), SLUICE_OK);
    assert_true(interrupt_send(&scene, own, 0, RID_A) != VTD_REASON_NONE);
    assert_int_equal(interrupt_route(own, 0, VECTOR, 0), SLUICE_OK);
    interrupt_expect(&scene, own, 0, RID_A, VECTOR, 0);
    assert_int_equal(sluice_interrupt_free(own), SLUICE_OK);
    assert_int_equal(sluice_interrupt_free(others), SLUICE_OK);
    scene_forget(devices[0]);
    scene_forget(devices[1]);
    scene_finish(&scene.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refused_until_it_is_back)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
