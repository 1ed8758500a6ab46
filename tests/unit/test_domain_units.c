// SPDX-License-Identifier: MIT
/*
 * Domains on units that have few domain IDs, and on several units that differ; only the model of
 * VT-d can be built so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "scene.h"

#define RID_A SLUICE_RID(0, 3, 0)
#define RID_B SLUICE_RID(0, 4, 0)

/* Domain IDs come again after a while; what was cached under them must not. */
static void test_domain_ids_come_again(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_device *device;
    struct scene scene;

    (void)state;
    config.machine.units[0].domain_bits = 4;
    scene_start(&scene, &config);
    device = scene_device(&scene, RID_A);
    for (unsigned i = 0; i < 40; i++) {
        struct sluice_domain *domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
        struct sluice_pages page = scene_page(&scene, (uint8_t)(0x80 + i));

        scene_map(domain, SCENE_IOVA, &page);
        assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA), 0x80 + (int)i);
        assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
        assert_int_equal(sluice_domain_destroy(domain), SLUICE_OK);
        scene_page_free(&scene, page);
    }
    scene_forget(device);
    scene_finish(&scene);
}

/* All IDs in use: said, and one that is given back is enough again. */
static void test_domain_ids_run_out(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_device *others[13];
    struct sluice_device *devices[2];
    struct sluice_domain *domains[2];
    struct scene scene;

    (void)state;
    config.machine.units[0].domain_bits = 4;
    scene_start(&scene, &config);
    /* 15 of 16 can be used; 13 are taken by devices that stay. */
    for (unsigned i = 0; i < 13; i++) {
        others[i] = scene_device(&scene, SLUICE_RID(0, 10 + i, 0));
        assert_int_equal(
            sluice_domain_attach(scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED), others[i]),
            SLUICE_OK);
    }
    for (unsigned i = 0; i < 2; i++) {
        devices[i] = scene_device(&scene, i == 0 ? RID_A : RID_B);
        domains[i] = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
        assert_int_equal(sluice_domain_attach(domains[i], devices[i]), SLUICE_OK);
    }
    assert_int_equal(
        sluice_domain_attach(scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED), devices[0]),
        SLUICE_ERR_NO_SPACE);
    assert_ptr_equal(sluice_device_domain(devices[0]), domains[0]);
    assert_int_equal(sluice_domain_detach(devices[1]), SLUICE_OK);
    assert_int_equal(
        sluice_domain_attach(scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED), devices[0]), SLUICE_OK);
    for (unsigned i = 0; i < 2; i++)
        scene_forget(devices[i]);
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_ERR_BUSY);
    for (unsigned i = 0; i < 13; i++)
        scene_forget(others[i]);
    scene_finish(&scene);
}

/* Domains for all units of a machine take what every unit can. */
static void test_units_differ(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_domain_config narrow = {.kind = SLUICE_DOMAIN_UNMANAGED};
    struct sluice_domain_info info;
    struct sluice_domain *shared;
    struct sluice_domain *wide;
    struct sluice_device *devices[2];
    struct sluice_pages page;
    struct scene scene;

    (void)state;
    config.machine.unit_count = 2;
    config.machine.units[0].sllps = 0;
    config.machine.units[0].sagaw = 2;
    config.machine.units[0].mgaw_bits = 39;
    config.machine.units[1] = vtd_model_defaults();
    config.machine.units[1].base += 0x10000;
    config.machine.units[1].sagaw = 6;
    config.machine.functions[MACHINE_DEV_B].unit = 1;
    scene_start(&scene, &config);
    page = scene_page(&scene, 0x78);
    devices[0] = scene_device(&scene, RID_A);
    devices[1] = scene_device(&scene, RID_B);
    shared = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    sluice_domain_info(shared, &info);
    assert_true(info.last == ((uint64_t)1 << 39) - 1);
    assert_true(info.page_sizes == 4096);
    scene_map(shared, SCENE_IOVA, &page);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(sluice_domain_attach(shared, devices[i]), SLUICE_OK);
        assert_int_equal(scene_reads(&scene, i, SCENE_IOVA), 0x78);
    }
    /* One unmap reaches both units. */
    assert_int_equal(sluice_domain_unmap(shared, SCENE_IOVA, 4096, NULL), SLUICE_OK);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(scene_reads(&scene, i, SCENE_IOVA), -1);
    narrow.device = devices[1];
    assert_int_equal(sluice_domain_create(scene.sluice, &narrow, &wide), SLUICE_OK);
    sluice_domain_info(wide, &info);
    assert_true(info.last == ((uint64_t)1 << 48) - 1);
    assert_int_equal(sluice_domain_attach(wide, devices[0]), SLUICE_ERR_UNSUPPORTED);
    assert_ptr_equal(sluice_device_domain(devices[0]), shared);
    for (unsigned i = 0; i < 2; i++)
        scene_forget(devices[i]);
    scene_page_free(&scene, page);
    scene_finish(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_domain_ids_come_again),
        cmocka_unit_test(test_domain_ids_run_out),
        cmocka_unit_test(test_units_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
