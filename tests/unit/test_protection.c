// SPDX-License-Identifier: MIT
/*
 * Isolation modes, protection levels and reserved memory: what is given, what is refused,
 * and what is said about it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protection_scene.h"

static enum sluice_status assign(struct sluice_device *device, enum sluice_isolation mode,
                                 bool user, struct sluice_domain **out)
{
    const struct sluice_assignment assignment = {.mode = mode, .user = user, .share = "crowd"};

    return sluice_device_assign(device, &assignment, out);
}

/* ---- modes ---- */

static void test_strict_is_a_domain_of_its_own(void **state)
{
    struct sluice_domain *domain, *other;
    struct sluice_device *device, *second;
    struct dma_device *dma;
    struct sluice_pages page;
    struct node *a, *b;

    (void)state;
    begin(SLUICE_PROTECTION_DEFAULT, false);
    a = topology_add(&topo, NULL, NODE_INTEGRATED, 3, 0);
    b = topology_add(&topo, NULL, NODE_INTEGRATED, 4, 0);
    topology_start(&topo);
    assert_int_equal(sluice_protection(topo.scene.sluice), SLUICE_PROTECTION_BASIC);
    dma = dma_of(a);
    page = scene_page(&topo.scene, 1);
    device = node_device(&topo, a);
    second = node_device(&topo, b);
    assert_int_equal(assign(device, SLUICE_ISOLATION_STRICT, true, &domain), SLUICE_OK);
    scene_map(domain, SCENE_IOVA, &page);
    assert_true(reads(dma, SCENE_IOVA));
    /* Nobody joins it, and it goes nowhere else. */
    assert_int_equal(sluice_domain_attach(domain, second), SLUICE_ERR_DENIED);
    other = scene_domain(&topo.scene, SLUICE_DOMAIN_DMA);
    assert_int_equal(sluice_domain_attach(other, device), SLUICE_ERR_DENIED);
    assert_int_equal(assign(device, SLUICE_ISOLATION_STRICT, true, &domain), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_domain_destroy(domain), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_device_release(device), SLUICE_OK);
    assert_false(reads(dma, SCENE_IOVA));
    assert_int_equal(sluice_device_release(device), SLUICE_ERR_STATE);
    assert_int_equal(sluice_domain_attach(other, device), SLUICE_OK);
    assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(other), SLUICE_OK);
    /* Forgetting it ends the assignment too. */
    assert_int_equal(assign(device, SLUICE_ISOLATION_STRICT, false, &domain), SLUICE_OK);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_int_equal(sluice_device_remove(second), SLUICE_OK);
    scene_page_free(&topo.scene, page);
    dma_device_destroy(dma);
    topology_finish(&topo);
}

/** What the unit was asked to invalidate so far, as its model counts; VT-d's does. */
static uint64_t invalidations(void)
{
    struct vtd_model_stats stats = {0};

    if (topo.scene.machine->units[0] != NULL)
        vtd_model_stats(topo.scene.machine->units[0], &stats);
    return stats.iotlb_global + stats.iotlb_domain + stats.iotlb_page;
}

static void test_a_group_of_two(void **state)
{
    struct sluice_domain *domain, *same, *other;
    struct sluice_device *devices[2];
    uint64_t before;
    struct dma_device *dmas[2];
    struct sluice_pages page;
    struct node *port, *f[2];

    (void)state;
    begin(SLUICE_PROTECTION_DEFAULT, false);
    port = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 6, 0), ACS_FULL);
    for (unsigned i = 0; i < 2; i++)
        f[i] = topology_add(&topo, port, NODE_ENDPOINT, 0, i);
    topology_start(&topo);
    for (unsigned i = 0; i < 2; i++) {
        devices[i] = node_device(&topo, f[i]);
        dmas[i] = dma_of(f[i]);
    }
    assert_int_equal(assign(devices[0], SLUICE_ISOLATION_STRICT, true, &domain), SLUICE_ERR_DENIED);
    assert_true(logged("others are in its group"));
    assert_true(logged("function 0000:01:00.0 has no access control services"));

    assert_int_equal(assign(devices[0], SLUICE_ISOLATION_SHARED, true, &domain), SLUICE_OK);
    /* Who does not agree in everything does not join. */
    assert_int_equal(assign(devices[1], SLUICE_ISOLATION_SHARED, false, &same), SLUICE_ERR_DENIED);
    other = scene_domain(&topo.scene, SLUICE_DOMAIN_DMA);
    model_host_log_clear(topo.scene.machine->host);
    assert_int_equal(sluice_domain_attach(other, devices[1]), SLUICE_ERR_DENIED);
    assert_true(logged("cannot be kept from"));
    assert_true(logged("no access control services"));
    assert_int_equal(sluice_domain_destroy(other), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(domain, devices[1]), SLUICE_ERR_DENIED);
    assert_int_equal(assign(devices[1], SLUICE_ISOLATION_SHARED, true, &same), SLUICE_OK);
    assert_ptr_equal(domain, same);

    page = scene_page(&topo.scene, 2);
    scene_map(domain, SCENE_IOVA, &page);
    assert_true(reads(dmas[0], SCENE_IOVA) && reads(dmas[1], SCENE_IOVA));
    before = invalidations();
    assert_int_equal(sluice_domain_unmap(domain, SCENE_IOVA, SLUICE_PAGE_BYTES, NULL), SLUICE_OK);
    if (topo.scene.machine->units[0] != NULL)
        assert_int_equal(invalidations() - before, 1);
    assert_false(reads(dmas[0], SCENE_IOVA) || reads(dmas[1], SCENE_IOVA));

    assert_int_equal(sluice_device_release(devices[0]), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(domain), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_device_release(devices[1]), SLUICE_OK);
    scene_page_free(&topo.scene, page);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(sluice_device_remove(devices[i]), SLUICE_OK);
        dma_device_destroy(dmas[i]);
    }
    topology_finish(&topo);
}

/* A bridge does no DMA; what was pulled out is in nobody's way. */
static void test_alone_among_bridges(void **state)
{
    struct sluice_domain *domain;
    struct sluice_device *device;
    struct node *port, *a, *b;

    (void)state;
    begin(SLUICE_PROTECTION_DEFAULT, false);
    port = topology_bridge(&topo, NULL, NODE_ROOT_PORT, 6, 0);
    a = topology_add(&topo, port, NODE_ENDPOINT, 0, 0);
    b = topology_add(&topo, port, NODE_ENDPOINT, 0, 1);
    topology_start(&topo);
    device = node_device(&topo, a);
    assert_int_equal(assign(device, SLUICE_ISOLATION_STRICT, true, &domain), SLUICE_ERR_DENIED);
    model_pci_remove(b->in_host);
    assert_int_equal(assign(device, SLUICE_ISOLATION_STRICT, true, &domain), SLUICE_OK);
    assert_int_equal(sluice_device_release(device), SLUICE_OK);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    topology_finish(&topo);
}

/* What is plugged in beside a device that was alone stays blocked, and is told of. */
static void test_company_comes_later(void **state)
{
    struct sluice_domain *domain, *other;
    struct sluice_device *device, *late;
    struct node *bridge, *a, *b;

    (void)state;
    begin(SLUICE_PROTECTION_DEFAULT, false);
    bridge = topology_bridge(&topo, NULL, NODE_ROOT_PORT, 6, 0);
    a = topology_add(&topo, bridge, NODE_ENDPOINT, 0, 0);
    b = topology_add(&topo, bridge, NODE_ENDPOINT, 0, 1);
    b->absent = true;
    topology_start(&topo);
    device = node_device(&topo, a);
    assert_int_equal(assign(device, SLUICE_ISOLATION_STRICT, true, &domain), SLUICE_OK);
    model_pci_plug(b->in_host);
    late = node_device(&topo, b);
    assert_true(logged("joins the group of 0000:01:00.0"));
    assert_int_equal(sluice_domain_attach(domain, late), SLUICE_ERR_DENIED);
    other = scene_domain(&topo.scene, SLUICE_DOMAIN_DMA);
    assert_int_equal(sluice_domain_attach(other, late), SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_destroy(other), SLUICE_OK);
    assert_int_equal(sluice_device_remove(late), SLUICE_OK);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    topology_finish(&topo);
}

static void test_unmanaged_is_said_loudly(void **state)
{
    const struct sluice_device_config stranger = {.rid = SLUICE_RID(0, 4, 0), .untrusted = true};
    struct sluice_domain *domain;
    struct sluice_device *device, *untrusted;
    struct dma_device *dma;
    struct sluice_pages page;
    struct node *a;

    (void)state;
    begin(SLUICE_PROTECTION_DEFAULT, false);
    a = topology_add(&topo, NULL, NODE_INTEGRATED, 3, 0);
    topology_add(&topo, NULL, NODE_INTEGRATED, 4, 0);
    topology_start(&topo);
    dma = dma_of(a);
    page = scene_page(&topo.scene, 3);
    device = node_device(&topo, a);
    assert_int_equal(assign(device, SLUICE_ISOLATION_UNMANAGED, true, &domain), SLUICE_ERR_INVALID);
    assert_int_equal(assign(device, SLUICE_ISOLATION_UNMANAGED, false, &domain), SLUICE_OK);
    assert_true(logged("UNMANAGED: it reaches all of memory"));
    assert_true(reads(dma, page.phys));
    assert_int_equal(sluice_device_release(device), SLUICE_OK);
    assert_false(reads(dma, page.phys));
    assert_int_equal(sluice_device_add(topo.scene.sluice, &stranger, &untrusted), SLUICE_OK);
    assert_int_equal(assign(untrusted, SLUICE_ISOLATION_UNMANAGED, false, &domain),
                     SLUICE_ERR_DENIED);
    assert_int_equal(sluice_device_remove(untrusted), SLUICE_OK);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    scene_page_free(&topo.scene, page);
    dma_device_destroy(dma);
    topology_finish(&topo);
}

static void test_reserved_memory_is_not_for_users(void **state)
{
    const sluice_phys_t base = 0x180000;
    struct sluice_assignment assignment = {.user = true};
    struct sluice_domain *domain;
    struct sluice_device *device;
    struct dma_device *dma;
    struct node *gpu;

    (void)state;
    begin(SLUICE_PROTECTION_DEFAULT, false);
    gpu = topology_add(&topo, NULL, NODE_INTEGRATED, 2, 0);
    topo.config.machine.regions[0] =
        (struct machine_region){.base = base, .last = base + 0xfff, .rid = SLUICE_RID(0, 2, 0)};
    topology_start(&topo);
    dma = dma_of(gpu);
    device = node_device(&topo, gpu);
    assert_true(reads(dma, base));
    assert_int_equal(sluice_device_assign(device, &assignment, &domain), SLUICE_ERR_DENIED);
    assert_true(logged("firmware uses memory 0x180000-0x180fff"));
    /* The kernel's own driver gets it, with the memory. */
    assignment.user = false;
    assert_int_equal(sluice_device_assign(device, &assignment, &domain), SLUICE_OK);
    assert_true(reads(dma, base));
    assert_int_equal(sluice_device_release(device), SLUICE_OK);
    /* Somebody knows that it is not used any more. */
    assignment.user = true;
    assignment.relax_reserved = true;
    assert_int_equal(sluice_device_assign(device, &assignment, &domain), SLUICE_OK);
    assert_false(reads(dma, base));
    assert_int_equal(sluice_device_release(device), SLUICE_OK);
    assert_true(reads(dma, base));
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    dma_device_destroy(dma);
    topology_finish(&topo);
}

static void test_absurd_assignments(void **state)
{
    struct sluice_assignment assignment = {.mode = SLUICE_ISOLATION_SHARED};
    struct sluice_domain *domain;
    struct sluice_device *device;
    struct node *a;

    (void)state;
    begin(SLUICE_PROTECTION_DEFAULT, false);
    a = topology_add(&topo, NULL, NODE_INTEGRATED, 3, 0);
    topology_start(&topo);
    device = node_device(&topo, a);
    assert_int_equal(sluice_device_assign(device, &assignment, &domain), SLUICE_ERR_INVALID);
    assignment.share = "";
    assert_int_equal(sluice_device_assign(device, &assignment, &domain), SLUICE_ERR_INVALID);
    assignment.share = "a name that is longer than 31 characters";
    assert_int_equal(sluice_device_assign(device, &assignment, &domain), SLUICE_ERR_INVALID);
    assignment.mode = (enum sluice_isolation)3;
    assert_int_equal(sluice_device_assign(device, &assignment, &domain), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_device_assign(NULL, &assignment, &domain), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    topology_finish(&topo);
}

/* ---- levels ---- */

static void test_a_level_that_cannot_be_given(void **state)
{
    (void)state;
    begin(SLUICE_PROTECTION_STRICT, false);
    topology_add(&topo, NULL, NODE_INTEGRATED, 3, 0);
    topology_build(&topo);
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_ERR_UNSUPPORTED);
    assert_true(told.count[SLUICE_OBSTACLE_NO_REMAPPING] > 0);
    assert_int_equal(told.level, SLUICE_PROTECTION_STRICT);
    /* Asked for less, it starts; more is still not to be had. */
    assert_int_equal(sluice_protection_set(topo.scene.sluice, SLUICE_PROTECTION_BASIC), SLUICE_OK);
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_OK);
    memset(&told, 0, sizeof(told));
    assert_int_equal(sluice_protection_set(topo.scene.sluice, SLUICE_PROTECTION_STANDARD),
                     SLUICE_ERR_UNSUPPORTED);
    assert_true(told.count[SLUICE_OBSTACLE_NO_REMAPPING] > 0);
    assert_true(logged("protection level standard:"));
    assert_int_equal(sluice_protection(topo.scene.sluice), SLUICE_PROTECTION_BASIC);
    topology_finish(&topo);
}

static void test_remapping_is_turned_on_by_start(void **state)
{
    (void)state;
    begin(SLUICE_PROTECTION_BASIC, true);
    wanted_remapping = false; /* the hardware can, the host does not ask */
    topology_add(&topo, NULL, NODE_INTEGRATED, 3, 0);
    topology_start(&topo);
    assert_int_equal(sluice_protection_set(topo.scene.sluice, SLUICE_PROTECTION_STANDARD),
                     SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(told.count[SLUICE_OBSTACLE_REMAPPING_OFF], 1);
    assert_int_equal(sluice_stop(topo.scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_protection_set(topo.scene.sluice, SLUICE_PROTECTION_STANDARD),
                     SLUICE_OK);
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_protection(topo.scene.sluice), SLUICE_PROTECTION_STANDARD);
    topology_finish(&topo);
}

static void test_strict_wants_every_function_covered(void **state)
{
    struct node *a;

    (void)state;
    begin(SLUICE_PROTECTION_STRICT, true);
    a = topology_add(&topo, NULL, NODE_INTEGRATED, 3, 0);
    topology_add(&topo, NULL, NODE_CONVENTIONAL, 0, 0)->class_code = 0x0600;
    topo.config.machine.scoped = true; /* and it scopes nothing */
    topology_build(&topo);
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(told.count[SLUICE_OBSTACLE_UNCOVERED], 1);
    assert_int_equal(told.rid[SLUICE_OBSTACLE_UNCOVERED], node_rid(a));
    assert_true(logged("no unit is above 0000:00:03.0"));
    topology_finish(&topo);
}

static void test_strict_and_what_is_in_use(void **state)
{
    const struct sluice_domain_config lazy = {.lazy = true, .name = "lazybones"};
    const struct sluice_domain_config identity = {.kind = SLUICE_DOMAIN_IDENTITY};
    const struct sluice_dma_config open = {.name = "isa"};
    struct sluice_domain *domains[2], *domain;
    struct sluice *sluice;
    struct sluice_device *device;
    struct sluice_dma *dma;
    struct node *a;

    (void)state;
    begin(SLUICE_PROTECTION_STANDARD, true);
    a = topology_add(&topo, NULL, NODE_INTEGRATED, 3, 0);
    topology_start(&topo);
    sluice = topo.scene.sluice;
    device = node_device(&topo, a);
    assert_int_equal(sluice_domain_create(sluice, &lazy, &domains[0]), SLUICE_OK);
    assert_int_equal(sluice_domain_create(sluice, &identity, &domains[1]), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(domains[1], device), SLUICE_OK);
    assert_int_equal(sluice_dma_open(sluice, &open, &dma), SLUICE_OK);

    assert_int_equal(sluice_protection_check(sluice, SLUICE_PROTECTION_STRICT, on_obstacle, NULL),
                     SLUICE_ERR_BUSY);
    assert_int_equal(told.count[SLUICE_OBSTACLE_IDENTITY_IN_USE], 1);
    assert_int_equal(told.rid[SLUICE_OBSTACLE_IDENTITY_IN_USE], node_rid(a));
    assert_int_equal(told.count[SLUICE_OBSTACLE_LAZY_IN_USE], 1);
    assert_string_equal(told.name[SLUICE_OBSTACLE_LAZY_IN_USE], "lazybones");
    assert_int_equal(told.count[SLUICE_OBSTACLE_UNPROTECTED_DMA], 1);
    assert_int_equal(sluice_protection_set(sluice, SLUICE_PROTECTION_STRICT), SLUICE_ERR_BUSY);
    assert_true(logged("domain 'lazybones' is lazy"));
    assert_true(logged("is in identity domain"));
    assert_int_equal(sluice_protection(sluice), SLUICE_PROTECTION_STANDARD);

    assert_int_equal(sluice_dma_close(dma), SLUICE_OK);
    assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(domains[0]), SLUICE_OK);
    assert_int_equal(sluice_protection_set(sluice, SLUICE_PROTECTION_STRICT), SLUICE_OK);

    /* What was made before and is not in use cannot be used either. */
    assert_int_equal(sluice_domain_attach(domains[1], device), SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_create(sluice, &lazy, &domain), SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_create(sluice, &identity, &domain), SLUICE_ERR_DENIED);
    assert_int_equal(assign(device, SLUICE_ISOLATION_UNMANAGED, false, &domain), SLUICE_ERR_DENIED);
    assert_int_equal(sluice_dma_open(sluice, &open, &dma), SLUICE_ERR_DENIED);
    assert_int_equal(assign(device, SLUICE_ISOLATION_STRICT, false, &domain), SLUICE_OK);

    assert_int_equal(sluice_protection_set(sluice, SLUICE_PROTECTION_BASIC), SLUICE_OK);
    assert_int_equal(sluice_device_release(device), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(domains[1], device), SLUICE_OK);
    scene_forget(device);
    assert_int_equal(sluice_domain_destroy(domains[1]), SLUICE_OK);
    topology_finish(&topo);
}

static void test_disabled_and_back(void **state)
{
    const struct sluice_device_config config = {.rid = SLUICE_RID(0, 3, 0)};
    struct sluice_domain *domain;
    struct sluice_device *device;
    struct dma_device *dma;
    struct sluice_pages page;
    struct sluice *sluice;
    struct node *a;

    (void)state;
    begin(SLUICE_PROTECTION_DISABLED, false);
    a = topology_add(&topo, NULL, NODE_INTEGRATED, 3, 0);
    topology_start(&topo);
    sluice = topo.scene.sluice;
    dma = dma_of(a);
    page = scene_page(&topo.scene, 4);
    assert_true(logged("protection level disabled"));
    assert_int_equal(sluice_unit_count(sluice), 0);
    assert_true(reads(dma, page.phys));
    assert_int_equal(sluice_device_add(sluice, &config, &device), SLUICE_ERR_STATE);
    assert_int_equal(sluice_start(sluice), SLUICE_ERR_STATE);
    assert_int_equal(sluice_destroy(sluice), SLUICE_ERR_BUSY);

    assert_int_equal(sluice_protection_set(sluice, SLUICE_PROTECTION_BASIC), SLUICE_OK);
    assert_false(reads(dma, page.phys));
    device = node_device(&topo, a);
    domain = scene_domain(&topo.scene, SLUICE_DOMAIN_DMA);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(sluice_protection_set(sluice, SLUICE_PROTECTION_DISABLED), SLUICE_ERR_BUSY);
    assert_int_equal(told.count[SLUICE_OBSTACLE_DEVICE_IN_USE], 1);
    assert_int_equal(told.rid[SLUICE_OBSTACLE_DEVICE_IN_USE], node_rid(a));
    assert_false(reads(dma, page.phys));
    assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
    assert_int_equal(sluice_protection_set(sluice, SLUICE_PROTECTION_DISABLED), SLUICE_OK);
    assert_true(reads(dma, page.phys));
    if (!scene_on_amd()) /* which can always remap interrupts */
        assert_int_equal(sluice_protection_set(sluice, SLUICE_PROTECTION_STRICT),
                         SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(sluice_protection(sluice), SLUICE_PROTECTION_DISABLED);
    assert_true(reads(dma, page.phys));
    assert_int_equal(sluice_stop(sluice), SLUICE_OK);
    scene_page_free(&topo.scene, page);
    dma_device_destroy(dma);
    topology_finish(&topo);
}

static void test_level_of_nothing(void **state)
{
    (void)state;
    begin(SLUICE_PROTECTION_BASIC, false);
    topo.config.no_tables = true;
    topology_build(&topo);
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(told.count[SLUICE_OBSTACLE_NO_UNIT], 1);
    assert_int_equal(sluice_protection_set(topo.scene.sluice, (enum sluice_protection)9),
                     SLUICE_ERR_INVALID);
    assert_string_equal(sluice_protection_text((enum sluice_protection)9), "unknown");
    assert_string_equal(sluice_protection_text(SLUICE_PROTECTION_STRICT), "strict");
    topology_finish(&topo);
}

int main(void)
{
    const struct CMUnitTest anywhere[] = {
        cmocka_unit_test(test_strict_is_a_domain_of_its_own),
        cmocka_unit_test(test_a_group_of_two),
        cmocka_unit_test(test_alone_among_bridges),
        cmocka_unit_test(test_company_comes_later),
        cmocka_unit_test(test_unmanaged_is_said_loudly),
        cmocka_unit_test(test_reserved_memory_is_not_for_users),
        cmocka_unit_test(test_absurd_assignments),
        cmocka_unit_test(test_disabled_and_back),
        cmocka_unit_test(test_level_of_nothing),
    };
    /* Levels above basic promise remapped interrupts, which not every kind of unit has. */
    const struct CMUnitTest remapping[] = {
        cmocka_unit_test(test_remapping_is_turned_on_by_start),
        cmocka_unit_test(test_strict_and_what_is_in_use),
    };
    /* An AMD-Vi unit always remaps; the VT-d one may be made without. */
    const struct CMUnitTest no_remapping[] = {
        cmocka_unit_test(test_a_level_that_cannot_be_given),
    };
    /* Only DMAR's INCLUDE_PCI_ALL is left out by one word of the machine's configuration. */
    const struct CMUnitTest scoped[] = {
        cmocka_unit_test(test_strict_wants_every_function_covered),
    };
    struct CMUnitTest tests[32];
    size_t count = 0;

    add_tests(tests, &count, anywhere, TESTS_IN(anywhere));
    if (scene_remaps())
        add_tests(tests, &count, remapping, TESTS_IN(remapping));
    if (!scene_on_amd())
        add_tests(tests, &count, no_remapping, TESTS_IN(no_remapping));
    if (scene_remaps() && !scene_on_amd())
        add_tests(tests, &count, scoped, TESTS_IN(scoped));
    return _cmocka_run_group_tests("protection", tests, count, NULL, NULL);
}
