// SPDX-License-Identifier: MIT
/*
 * Interrupt remapping on a RISC-V IOMMU: what is refused, hardware that does not answer, and memory
 * that is not to be had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "riscv_interrupt_rig.h"

/* ---- what is refused ---- */

static void bad_routes(void **state)
{
    struct sluice_interrupt_route bad[] = {
        {.destination = 0, .vector = 0},
        {.destination = 0, .vector = 2048},
        {.destination = HARTS, .vector = 1},
        {.destination = 0, .vector = 1, .logical = true},
        {.destination = 0, .vector = 1, .level = true},
        {.destination = 0, .vector = 1, .delivery = SLUICE_INTERRUPT_LOWEST_PRIORITY},
    };
    struct sluice_interrupt_config config = {.kind = SLUICE_INTERRUPT_MSI, .count = 2};
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;

    (void)state;
    riscv_rig_reset();
    riscv_rig_start();
    device = scene_device(&riscv_rig.scene, RID_A);
    config.device = device;
    assert_int_equal(sluice_interrupt_alloc(riscv_rig.scene.sluice, &config, &interrupt),
                     SLUICE_ERR_UNSUPPORTED);
    interrupt = riscv_rig_take(device, 1);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(sluice_interrupt_route(interrupt, 0, &bad[i]), SLUICE_ERR_INVALID);
    assert_int_equal(riscv_rig_route(interrupt, 1, 0, 1), SLUICE_ERR_RANGE);
    assert_int_equal(riscv_rig_route(interrupt, 0, 0, 2047), SLUICE_OK);
    riscv_rig_give(interrupt);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    scene_finish(&riscv_rig.scene);
}

static void no_start(const char *why)
{
    riscv_rig_init();
    assert_int_equal(sluice_start(riscv_rig.scene.sluice), SLUICE_ERR_UNSUPPORTED);
    assert_true(model_host_logged(riscv_rig.scene.machine->host, why));
    scene_finish(&riscv_rig.scene);
}

/* Asked for and not to be had: the start fails, and the log says why. */
static void fails_closed(void **state)
{
    (void)state;
    riscv_rig_reset();
    riscv_rig.unit.extended = false;
    no_start("CAP.MSI_FLAT is 0");
    riscv_rig_reset();
    riscv_rig.unit.sv39x4 = riscv_rig.unit.sv48x4 = riscv_rig.unit.sv57x4 = false;
    no_start("has none");
    riscv_rig_reset();
    riscv_rig.no_files = true;
    no_start("names no interrupt files");
    riscv_rig_reset();
    riscv_rig.unit.sv48x4 = riscv_rig.unit.sv57x4 = false;
    riscv_rig_start(); /* 41 bits do */
    scene_finish(&riscv_rig.scene);
}

/* ---- hardware that does not answer ---- */

static void inject(struct riscv_model_injection injection)
{
    riscv_model_inject(riscv_rig.model, &injection);
}

/* What may still be in the unit is not given out again; the next block is served as before. */
static void lost_confirmations(void **state)
{
    struct sluice_interrupt *interrupt, *next;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_msi msi;

    (void)state;
    riscv_rig_reset();
    riscv_rig_start();
    device = scene_device(&riscv_rig.scene, RID_A);
    domain = riscv_rig_join(device);
    interrupt = riscv_rig_take(device, 4);
    msi = riscv_rig_message(interrupt, 0);
    inject((struct riscv_model_injection){.illegal_at = 1});
    assert_int_equal(riscv_rig_route(interrupt, 0, 1, 5), SLUICE_ERR_HARDWARE);
    riscv_rig_expect(interrupt, 0, 1, 5); /* written all the same */
    inject((struct riscv_model_injection){.illegal_at = 1});
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_ERR_HARDWARE);
    assert_int_equal(riscv_rig_info().used, 0);
    assert_int_equal(riscv_rig_info().withheld, 4);
    next = riscv_rig_take(device, 1);
    assert_true(riscv_rig_message(next, 0).address != msi.address);
    assert_int_equal(riscv_rig_route(next, 0, 2, 6), SLUICE_OK);
    riscv_rig_expect(next, 0, 2, 6);
    riscv_rig_give(next);
    riscv_rig_leave(device, domain);
    scene_finish(&riscv_rig.scene);
}

/* A table that the unit may still read is not freed, and serves the next block. */
static void lost_tables(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *domain;

    (void)state;
    for (unsigned nth = 0; nth <= 2; nth++) {
        riscv_rig_reset();
        riscv_rig_start();
        device = scene_device(&riscv_rig.scene, RID_A);
        domain = riscv_rig_join(device);
        if (nth > 0) {
            inject((struct riscv_model_injection){.illegal_at = nth});
            assert_int_equal(riscv_rig_try_alloc(device, 1, &interrupt), SLUICE_ERR_HARDWARE);
            assert_int_equal(riscv_rig_info().used, 0);
        }
        interrupt = riscv_rig_take(device, 1);
        assert_int_equal(riscv_rig_route(interrupt, 0, 2, 6), SLUICE_OK);
        riscv_rig_expect(interrupt, 0, 2, 6);
        /* The entry's invalidation and its fence pass, the context's does not. */
        if (nth == 0)
            inject((struct riscv_model_injection){.illegal_at = 3});
        riscv_rig_give(interrupt);
        assert_int_equal(riscv_rig_info().entries, ENTRIES);
        riscv_rig_leave(device, domain);
        scene_finish(&riscv_rig.scene);
    }
}

/* Memory fails at every point: nothing is left of what was begun. */
static void no_memory(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *domain;
    unsigned failures = 0;

    (void)state;
    riscv_rig_reset();
    riscv_rig_start();
    device = scene_device(&riscv_rig.scene, RID_A);
    for (uint64_t nth = 1;; nth++) {
        enum sluice_status status;

        model_host_fail_allocation(riscv_rig.scene.machine->host, nth, true);
        status = riscv_rig_try_alloc(device, 1, &interrupt);
        model_host_fail_no_more(riscv_rig.scene.machine->host);
        if (status == SLUICE_OK)
            break;
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
        assert_int_equal(riscv_rig_info().entries, 0);
        failures++;
    }
    assert_true(failures >= 4);
    riscv_rig_give(interrupt);
    domain = riscv_rig_join(device);
    riscv_rig_leave(device, domain);
    scene_finish(&riscv_rig.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_routes),         cmocka_unit_test(fails_closed),
        cmocka_unit_test(lost_confirmations), cmocka_unit_test(lost_tables),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
