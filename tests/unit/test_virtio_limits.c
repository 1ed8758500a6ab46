// SPDX-License-Identifier: MIT
/*
 * The virtio-iommu driver where a device says absurd things of itself or of its endpoints, has more
 * than usual, or does not take back after sleep whom it had: what is not known or not confirmed is
 * not used, and the rest goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "virtio_scene.h"

#define PAGE SLUICE_PAGE_BYTES

enum {
    ATTACH = 1,
    MAP = 3,
    PROBE = 5
};
enum {
    INVAL = 4,
    NOMEM = 8
};

/* ---- what it says of itself ---- */

static void test_absurd(void **state)
{
    struct virtio_model_config good = virtio_model_defaults();
    struct virtio_model_config rows[10];

    (void)state;
    for (size_t i = 0; i < 10; i++)
        rows[i] = good;
    rows[0].features &= ~((uint64_t)1 << 32); /* VERSION_1 */
    rows[1].features &= ~((uint64_t)1 << 2);  /* MAP_UNMAP */
    rows[2].page_size_mask = 0;
    rows[3].page_size_mask = ~(uint64_t)0x1fffff;
    rows[4].input_last = 0xfff;
    rows[5].domain_first = rows[5].domain_last = 3;
    rows[6].queue_most[0] = 0;
    rows[7].queue_most[1] = 100;
    rows[8].queue_most[0] = 1;
    rows[9].probe_size = 1 << 20; /* what is not read may be reserved */
    for (size_t i = 0; i < 10; i++) {
        struct virtio_scene at;

        virtio_scene_init(&at, &rows[i]);
        assert_int_equal(sluice_start(at.scene.sluice), SLUICE_ERR_UNSUPPORTED);
        virtio_scene_finish(&at);
    }
}

/* ---- what it says of its endpoints ---- */

/* Whose regions are not known is not used, until they are. */
static void test_properties(void **state)
{
    static const struct virtio_model_injection rows[] = {
        {.property_bytes = 0xffff},
        {.property_bytes = 600},
        {.property_bytes = 19},
        {.property_bytes = 1},
        {.refuse_type = PROBE, .refuse_status = INVAL},
    };
    struct virtio_model_config config = virtio_model_defaults();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sluice_reserved_region region;
        struct virtio_scene at;

        virtio_scene_init(&at, &config);
        assert_int_equal(sluice_start(at.scene.sluice), SLUICE_OK);
        at.device = scene_device(&at.scene, RID_A);
        at.domain = scene_domain(&at.scene, SLUICE_DOMAIN_UNMANAGED);
        virtio_scene_inject(&at, rows[i]);
        assert_int_equal(sluice_device_reserved(at.device, 0, &region), SLUICE_ERR_HARDWARE);
        assert_int_equal(sluice_domain_attach(at.domain, at.device), SLUICE_ERR_HARDWARE);
        assert_null(sluice_device_domain(at.device));
        assert_false(virtio_scene_degraded(&at));
        virtio_scene_inject(&at, (struct virtio_model_injection){0});
        assert_int_equal(sluice_domain_attach(at.domain, at.device), SLUICE_OK);
        assert_int_equal(sluice_device_reserved(at.device, 0, &region), SLUICE_OK);
        virtio_scene_finish(&at);
    }
}

static sluice_iova_t region_at(unsigned index)
{
    return 0x70000000 + (sluice_iova_t)index * 4 * PAGE;
}

/* As many regions as the device has: none is given out. */
static void test_many_regions(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct sluice_domain *other;
    struct virtio_scene at;
    unsigned shown = 0;

    (void)state;
    config.region_count = 320;
    config.probe_size = 320 * 24 + 40;
    for (unsigned i = 1; i < 320; i++)
        config.regions[i] =
            (struct virtio_model_region){.first = region_at(i), .last = region_at(i) + PAGE - 1};
    virtio_scene_start(&at, &config);
    for (unsigned i = 0;; i++) {
        struct sluice_reserved_region region;

        if (sluice_device_reserved(at.device, i, &region) != SLUICE_OK)
            break;
        shown += region.kind == SLUICE_RESERVED_SPECIAL;
    }
    assert_int_equal(shown, 319);
    for (unsigned i = 1; i < 320; i++) {
        assert_int_equal(sluice_domain_map(at.domain, region_at(i), at.page.phys, PAGE, 1),
                         SLUICE_ERR_DENIED);
        assert_int_equal(sluice_domain_map(at.domain, region_at(i) + PAGE, at.page.phys, PAGE, 1),
                         SLUICE_OK);
    }
    /* No memory for any of them: the device stays out. */
    other = scene_domain(&at.scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_detach(at.device), SLUICE_OK);
    for (unsigned nth = 0;; nth++) {
        model_host_fail_allocation(at.scene.machine->host, nth, false);
        if (sluice_domain_attach(other, at.device) == SLUICE_OK)
            break;
        assert_null(sluice_device_domain(at.device));
        assert_true(nth < 100);
    }
    model_host_fail_no_more(at.scene.machine->host);
    assert_int_equal(sluice_domain_map(other, region_at(319), at.page.phys, PAGE, 1),
                     SLUICE_ERR_DENIED);
    virtio_scene_finish(&at);
}

/* More than a domain holds: refused, not cut short. */
static void test_too_many_regions(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct sluice_domain *domain;
    struct virtio_scene at;

    (void)state;
    virtio_scene_start(&at, &config);
    domain = scene_domain(&at.scene, SLUICE_DOMAIN_UNMANAGED);
    for (unsigned i = 0; i < DOMAIN_RESERVED_MAX; i++)
        assert_int_equal(domain_reserve_locked(domain, SLUICE_RESERVED_SPECIAL, region_at(i),
                                               region_at(i) + PAGE - 1),
                         SLUICE_OK);
    assert_int_equal(sluice_domain_attach(domain, at.device), SLUICE_ERR_NO_SPACE);
    assert_true(model_host_logged(at.scene.machine->host, "1024 reserved ranges, and one more"));
    virtio_scene_finish(&at);
}

/* ---- after sleep ---- */

static struct sluice_device *cut_off;

static void on_quarantine(void *arg, struct sluice_device *device, enum sluice_device_state state)
{
    (void)arg;
    assert_int_equal(state, SLUICE_DEVICE_QUARANTINED);
    cut_off = device;
}

static void configure_notice(struct sluice_config *config, void *arg)
{
    (void)arg;
    config->on_quarantine = on_quarantine;
}

static void power_cycle(struct virtio_scene *at, struct virtio_model_injection injection)
{
    assert_int_equal(sluice_suspend(at->scene.sluice), SLUICE_OK);
    virtio_model_power_cycle(at->unit);
    virtio_scene_inject(at, injection);
}

/* One domain's mapping, or its attachment, is refused after sleep: one device stays blocked, and
 * whose it is learns of it. */
static void test_refused_after_sleep(void **state)
{
    static const uint8_t types[] = {MAP, ATTACH};
    struct virtio_model_config config = virtio_model_defaults();
    struct scene_config scene = virtio_scene_config(&config);

    (void)state;
    scene.configure = configure_notice;
    for (size_t i = 0; i < sizeof(types); i++) {
        struct virtio_scene at = {.device = NULL};
        struct sluice_device_health health;
        struct sluice_domain *other;
        struct sluice_device *device;

        cut_off = NULL;
        scene_start(&at.scene, &scene);
        at.unit = at.scene.machine->unit;
        virtio_scene_fill(&at);
        other = scene_domain(&at.scene, SLUICE_DOMAIN_UNMANAGED);
        device = scene_device(&at.scene, RID_B);
        assert_int_equal(sluice_domain_attach(other, device), SLUICE_OK);
        assert_int_equal(sluice_domain_map(other, SCENE_IOVA, at.page.phys, PAGE, 1), SLUICE_OK);
        power_cycle(&at, (struct virtio_model_injection){.refuse_type = types[i],
                                                         .refuse_at = 1,
                                                         .refuse_count = 1,
                                                         .refuse_status = NOMEM});
        assert_int_equal(sluice_resume(at.scene.sluice), SLUICE_OK);
        assert_false(virtio_scene_degraded(&at));
        assert_ptr_equal(cut_off, at.device);
        assert_int_equal(sluice_device_health(at.device, &health), SLUICE_OK);
        assert_true(health.state == SLUICE_DEVICE_QUARANTINED && health.confirmed);
        assert_ptr_equal(sluice_device_domain(at.device), at.domain);
        assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), -1);
        assert_int_equal(scene_reads(&at.scene, MACHINE_DEV_B, SCENE_IOVA), FILL);
        /* The domain goes on as one without devices, and the device comes back as any. */
        assert_int_equal(sluice_domain_map(at.domain, 0x50000000, at.page.phys, PAGE, 1),
                         SLUICE_OK);
        scene_forget(at.device);
        at.device = scene_device(&at.scene, RID_A);
        assert_int_equal(sluice_domain_attach(at.domain, at.device), SLUICE_OK);
        assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), FILL);
        assert_int_equal(virtio_scene_reads(&at, 0x50000000), FILL);
        scene_forget(device);
        virtio_scene_finish(&at);
    }
}

/* The same for memory that firmware keeps for somebody whom nobody drives. */
static void test_firmware_refused_after_sleep(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct sluice_reserved_memory memory = {
        .first_id = RID_B, .id_count = 1, .first = 0x200000, .last = 0x200fff, .prot = 3};
    struct virtio_scene at;

    (void)state;
    virtio_scene_init(&at, &config);
    assert_int_equal(sluice_describe_reserved(at.scene.sluice, &memory), SLUICE_OK);
    assert_int_equal(sluice_start(at.scene.sluice), SLUICE_OK);
    virtio_scene_fill(&at);
    assert_int_not_equal(scene_reads(&at.scene, MACHINE_DEV_B, 0x200000), -1);
    power_cycle(
        &at, (struct virtio_model_injection){
                 .refuse_type = ATTACH, .refuse_at = 1, .refuse_count = 1, .refuse_status = NOMEM});
    assert_int_equal(sluice_resume(at.scene.sluice), SLUICE_OK);
    assert_true(model_host_logged(at.scene.machine->host,
                                  "memory that firmware keeps for it is out of reach"));
    assert_int_equal(scene_reads(&at.scene, MACHINE_DEV_B, 0x200000), -1);
    assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), FILL);
    virtio_scene_finish(&at);
}

/* Nobody passes while a resume is under way, or has failed: bypass is off before all else. */
static void test_no_bypass_after_sleep(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct virtio_scene at;

    (void)state;
    virtio_scene_start(&at, &config);
    power_cycle(&at, (struct virtio_model_injection){.stuck = true});
    assert_int_equal(virtio_model_bypass(at.unit), 1);
    assert_int_equal(sluice_resume(at.scene.sluice), SLUICE_ERR_TIMEOUT);
    assert_int_equal(virtio_model_bypass(at.unit), 0);
    assert_int_equal(scene_reads(&at.scene, MACHINE_DEV_B, at.page.phys), -1);
    virtio_scene_inject(&at, (struct virtio_model_injection){0});
    assert_int_equal(sluice_resume(at.scene.sluice), SLUICE_OK);
    assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), FILL);
    virtio_scene_finish(&at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absurd),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_many_regions),
        cmocka_unit_test(test_too_many_regions),
        cmocka_unit_test(test_refused_after_sleep),
        cmocka_unit_test(test_firmware_refused_after_sleep),
        cmocka_unit_test(test_no_bypass_after_sleep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
