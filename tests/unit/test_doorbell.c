// SPDX-License-Identifier: MIT
/*
 * Doorbells: interrupt messages on units that translate them like any other write. Judged by what
 * a device of the model writes where.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scene.h"

#define RID_A  SLUICE_RID(0, 3, 0)
#define BEYOND ((sluice_phys_t)1 << 52)

struct bells {
    struct sluice_host_ops ops;
    struct sluice_pages page; /* stands in for the controller's registers */
    unsigned count;
    bool beyond; /* the last one is out of any domain's reach */
};

static struct bells bells; /* the hook's context is the model's */

static bool extent(void *ctx, unsigned index, sluice_phys_t *out_first, sluice_phys_t *out_last)
{
    (void)ctx;
    if (index >= bells.count)
        return false;
    *out_first = bells.beyond && index == bells.count - 1 ? BEYOND : bells.page.phys;
    *out_last = *out_first + SLUICE_PAGE_BYTES - 1;
    return true;
}

static void add_hook(struct sluice_config *config, void *arg)
{
    const unsigned *page_lg2 = arg;

    config->page_lg2 = page_lg2 != NULL ? *page_lg2 : 0;
    bells.ops = *config->ops;
    bells.ops.doorbell_extent = extent;
    config->ops = &bells.ops;
}

static void start(struct scene *scene, struct scene_config config)
{
    bells = (struct bells){.count = 1};
    config.configure = add_hook;
    scene_init(scene, &config);
    bells.page = scene_page(scene, 0);
    assert_int_equal(sluice_start(scene->sluice), SLUICE_OK);
}

static struct scene_config on_smmu3(void)
{
    return (struct scene_config){.machine = machine_defaults_smmu3()};
}

static void finish(struct scene *scene)
{
    scene_page_free(scene, bells.page);
    scene_finish(scene);
}

static bool rings(struct scene *scene)
{
    return scene_writes(scene, MACHINE_DEV_A, bells.page.phys, &bells.page);
}

/* Only while its device is in a domain that a caller chose; it cannot be mapped over or away. */
static void a_message_arrives(void **state)
{
    struct sluice_mapping mapping;
    struct sluice_domain *domain;
    struct sluice_device *device;
    struct scene scene;

    (void)state;
    start(&scene, on_smmu3());
    device = scene_device(&scene, RID_A);
    domain = scene_domain(&scene, SLUICE_DOMAIN_DMA);
    assert_false(rings(&scene));
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_true(rings(&scene));
    assert_int_equal(sluice_domain_lookup(domain, bells.page.phys, &mapping), SLUICE_OK);
    assert_true(mapping.phys == bells.page.phys);
    assert_int_not_equal(mapping.prot & SLUICE_PROT_WRITE, 0);
    assert_int_not_equal(mapping.prot & SLUICE_PROT_MMIO, 0);
    assert_int_equal(
        sluice_domain_map(domain, bells.page.phys, 0x4000, SLUICE_PAGE_BYTES, SCENE_READWRITE),
        SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_unmap(domain, bells.page.phys, SLUICE_PAGE_BYTES, NULL),
                     SLUICE_ERR_DENIED);
    assert_true(rings(&scene));
    assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
    assert_false(rings(&scene));
    scene_forget(device);
    assert_int_equal(sluice_domain_destroy(domain), SLUICE_OK);
    finish(&scene);
}

/* Pages larger than the doorbell's: the whole page around it is mapped, and is the library's. */
static void pages_are_large(void **state)
{
    (void)state;
    for (unsigned lg2 = 14; lg2 <= 16; lg2 += 2) {
        struct scene_config config = on_smmu3();
        struct sluice_domain_info info;
        struct sluice_domain *domain;
        struct sluice_device *device;
        struct scene scene;
        uint64_t size = (uint64_t)1 << lg2;

        config.configure_arg = &lg2;
        start(&scene, config);
        device = scene_device(&scene, RID_A);
        domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
        sluice_domain_info(domain, &info);
        assert_int_equal(__builtin_ctzll(info.page_sizes), lg2);
        assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
        assert_true(rings(&scene));
        assert_int_equal(
            sluice_domain_map(domain, bells.page.phys & ~(size - 1), 0, size, SCENE_READWRITE),
            SLUICE_ERR_DENIED);
        assert_int_equal(
            sluice_domain_map(domain, SCENE_IOVA, 0, SLUICE_PAGE_BYTES, SCENE_READWRITE),
            SLUICE_ERR_ALIGNMENT);
        scene_forget(device);
        assert_int_equal(sluice_domain_destroy(domain), SLUICE_OK);
        finish(&scene);
    }
}

static void it_is_listed(void **state)
{
    struct sluice_reserved_region region;
    struct sluice_device *device;
    struct scene scene;
    unsigned found = 0;

    (void)state;
    start(&scene, on_smmu3());
    device = scene_device(&scene, RID_A);
    for (unsigned i = 0; sluice_device_reserved(device, i, &region) == SLUICE_OK; i++)
        found += region.kind == SLUICE_RESERVED_INTERRUPT && region.first == bells.page.phys &&
                 region.last == bells.page.phys + SLUICE_PAGE_BYTES - 1;
    assert_int_equal(found, 1);
    scene_forget(device);
    finish(&scene);
}

static void a_mapping_in_its_place_is_an_error(void **state)
{
    struct sluice_domain *domain;
    struct sluice_device *device;
    struct sluice_pages page;
    struct scene scene;

    (void)state;
    start(&scene, on_smmu3());
    device = scene_device(&scene, RID_A);
    domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    page = scene_page(&scene, 0);
    scene_map(domain, bells.page.phys, &page);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_ERR_EXISTS);
    assert_null(sluice_device_domain(device));
    assert_false(rings(&scene));
    assert_int_equal(sluice_domain_unmap(domain, bells.page.phys, SLUICE_PAGE_BYTES, NULL),
                     SLUICE_OK);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_true(rings(&scene));
    scene_forget(device);
    assert_int_equal(sluice_domain_destroy(domain), SLUICE_OK);
    scene_page_free(&scene, page);
    finish(&scene);
}

/* A domain whose addresses end before it serves its devices without interrupts. */
static void one_out_of_reach_is_left_out(void **state)
{
    struct sluice_domain *domain;
    struct sluice_device *device;
    struct scene scene;

    (void)state;
    start(&scene, on_smmu3());
    bells.count = 2;
    bells.beyond = true;
    device = scene_device(&scene, RID_A);
    domain = scene_domain(&scene, SLUICE_DOMAIN_DMA);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_true(rings(&scene));
    scene_forget(device);
    assert_int_equal(sluice_domain_destroy(domain), SLUICE_OK);
    finish(&scene);
}

/* A unit that knows messages by their address has no use for it. */
static void other_units_do_not_map_it(void **state)
{
    struct sluice_mapping mapping;
    struct sluice_domain *domain;
    struct sluice_device *device;
    struct scene scene;

    (void)state;
    start(&scene, (struct scene_config){.machine = machine_defaults()});
    device = scene_device(&scene, RID_A);
    domain = scene_domain(&scene, SLUICE_DOMAIN_DMA);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(sluice_domain_lookup(domain, bells.page.phys, &mapping), SLUICE_ERR_NOT_FOUND);
    assert_false(rings(&scene));
    scene_forget(device);
    assert_int_equal(sluice_domain_destroy(domain), SLUICE_OK);
    finish(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_arrives),
        cmocka_unit_test(pages_are_large),
        cmocka_unit_test(it_is_listed),
        cmocka_unit_test(a_mapping_in_its_place_is_an_error),
        cmocka_unit_test(one_out_of_reach_is_left_out),
        cmocka_unit_test(other_units_do_not_map_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
