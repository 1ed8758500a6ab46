// SPDX-License-Identifier: MIT
/*
 * The self-test, on every kind of unit: what a good one shows, and that each thing that can be
 * wrong with the device or the unit is seen, by the step that it concerns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "selftest_world.h"

#define STEP(name) (1u << SLUICE_SELFTEST_##name)
#define ALL_MEMORY ((1u << SELFTEST_MEMORY_STEPS) - 1u)
#define READS      (ALL_MEMORY & ~(STEP(MAPPED_WRITE) | STEP(UNMAPPED_WRITE) | STEP(REVOKED_WRITE)))

/* ---- all is well ---- */

static void check_good(const struct sluice_selftest_evidence *evidence,
                       struct selftest_world *world)
{
    selftest_expect(evidence, 0, 0);
    assert_true(evidence->made);
    assert_int_equal(evidence->verdict, SLUICE_SELFTEST_PASSED);
    assert_string_equal(evidence->device, "0000:00:03.0");
    assert_string_equal(evidence->name, "device");
    assert_true(evidence->time_ns > 0 && evidence->took_ns > 0);
    assert_int_equal(evidence->steps[SLUICE_SELFTEST_MAPPED_WRITE].faults, 0);
    assert_int_equal(evidence->steps[SLUICE_SELFTEST_UNMAPPED_WRITE].faults, 1);
    assert_int_equal(evidence->steps[SLUICE_SELFTEST_REVOKED_READ].faults, 2);
    assert_true(world->accesses < 64);
}

static void test_passes(void **state)
{
    const struct scene_config config = scene_defaults();
    struct sluice_selftest_evidence evidence;
    struct sluice_device_health health;
    struct sluice_overview before, after;
    struct sluice_domain *home;
    struct selftest_world world;
    struct sluice_pages page;

    (void)state;
    selftest_world_start(&world, &config);
    home = scene_domain(&world.scene, SLUICE_DOMAIN_DMA);
    page = scene_page(&world.scene, 0x77);
    scene_map(home, SCENE_IOVA, &page);
    assert_int_equal(sluice_domain_attach(home, world.device), SLUICE_OK);
    assert_int_equal(sluice_selftest_evidence(world.scene.sluice, 0, &evidence), SLUICE_OK);
    assert_false(evidence.made);
    assert_int_equal(sluice_selftest_evidence(world.scene.sluice, 1, &evidence),
                     SLUICE_ERR_NOT_FOUND);
    assert_int_equal(sluice_overview(world.scene.sluice, &before), SLUICE_OK);

    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_OK);
    check_good(&evidence, &world);
    assert_int_equal(selftest_outcome(&evidence, SLUICE_SELFTEST_INTERRUPT_FORMAT),
                     SLUICE_SELFTEST_NOT_TESTED);
    assert_true(strlen(evidence.steps[SLUICE_SELFTEST_INTERRUPT_ENTRY].seen) > 0);

    /* Back home, nothing left, and no fault counts against it. */
    assert_ptr_equal(sluice_device_domain(world.device), home);
    assert_int_equal(scene_reads(&world.scene, MACHINE_DEV_A, SCENE_IOVA), 0x77);
    assert_int_equal(sluice_device_health(world.device, &health), SLUICE_OK);
    assert_int_equal(health.fault_count + health.recent, 0);
    assert_true(world.scene.faults >= 7);
    assert_int_equal(sluice_overview(world.scene.sluice, &after), SLUICE_OK);
    assert_int_equal(after.domains, before.domains);
    assert_int_equal(after.table_bytes, before.table_bytes);
    assert_int_equal(after.withheld_pages, 0);
    assert_int_equal(scene_reads(&world.scene, MACHINE_DEV_A, SCENE_IOVA + SLUICE_PAGE_BYTES), -1);
    (void)sluice_fault_poll(world.scene.sluice);
    assert_int_equal(sluice_device_health(world.device, &health), SLUICE_OK);
    assert_int_equal(health.fault_count, 1);

    assert_int_equal(sluice_domain_detach(world.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(home), SLUICE_OK);
    scene_page_free(&world.scene, page);
    selftest_world_finish(&world, 0);
}

/* From no domain to none; a second run with the very same pages is as good as the first. */
static void test_passes_again(void **state)
{
    const struct scene_config config = scene_defaults();
    struct sluice_selftest_evidence first, second;
    struct selftest_world world;

    (void)state;
    selftest_world_start(&world, &config);
    assert_int_equal(selftest_world_run(&world, &first), SLUICE_OK);
    assert_null(sluice_device_domain(world.device));
    world.flaw = FLAW_STALE;
    world.has_read = true;
    assert_int_equal(selftest_world_run(&world, &second), SLUICE_ERR_HARDWARE);
    world.flaw = FLAW_NONE;
    assert_int_equal(selftest_world_run(&world, &second), SLUICE_OK);
    assert_true(second.time_ns > first.time_ns);
    selftest_world_finish(&world, 0);
}

static void narrow_devices(struct sluice_config *config, void *arg)
{
    (void)arg;
    config->max_faults = 2;
}

/* By default a few faults are too many: not those of the test. */
static void test_not_quarantined(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_selftest_evidence evidence;
    struct selftest_world world;

    (void)state;
    config.configure = narrow_devices;
    selftest_world_start(&world, &config);
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_OK);
    assert_true(sluice_device_is_operational(world.device));
    selftest_world_finish(&world, 0);
}

/* Memory is taken where the device reaches it, and what the addresses are is within its bits. */
static void test_narrow_device(void **state)
{
    const struct scene_config config = scene_defaults();
    struct sluice_selftest_config test = {.ops = &selftest_hooks, .address_bits = 24};
    struct selftest_world world;

    (void)state;
    selftest_world_start(&world, &config);
    test.arg = &world;
    assert_int_equal(sluice_selftest_run(world.device, &test, NULL), SLUICE_OK);
    test.address_bits = 16; /* no memory lies so low */
    assert_int_equal(sluice_selftest_run(world.device, &test, NULL), SLUICE_ERR_NO_MEMORY);
    assert_null(sluice_device_domain(world.device));
    selftest_world_finish(&world, 0);
}

/* Memory that the device sees only when caches were cleaned, and the CPU after an invalidation. */
static void test_not_snooped(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_selftest_config test = {.ops = &selftest_hooks, .non_coherent = true};
    struct sluice_selftest_evidence evidence;
    struct selftest_world world;

    (void)state;
    if (scene_on_amd() || scene_on_virtio()) {
        /* These units always snoop themselves, and their hosts have no hooks for caches. */
        selftest_world_start(&world, &config);
        test.arg = &world;
        assert_int_equal(sluice_selftest_run(world.device, &test, NULL), SLUICE_ERR_UNSUPPORTED);
        assert_int_equal(world.accesses, 0);
        selftest_world_finish(&world, 0);
        return;
    }
    config.machine.host.non_coherent = true;
    selftest_world_start(&world, &config);
    model_host_snoop_devices(world.scene.machine->host, false);
    test.arg = &world;
    assert_int_equal(sluice_selftest_run(world.device, &test, NULL), SLUICE_OK);
    test.non_coherent = false;
    assert_int_equal(sluice_selftest_run(world.device, &test, &evidence), SLUICE_ERR_HARDWARE);
    assert_int_equal(evidence.verdict, SLUICE_SELFTEST_INCONCLUSIVE);
    selftest_world_finish(&world, 0);
}

/* ---- something is wrong ---- */

/** What the area takes where it is withheld, and the tables of both domains besides. */
static void finish_in_doubt(struct selftest_world *world)
{
    struct sluice_overview overview;

    assert_int_equal(sluice_overview(world->scene.sluice, &overview), SLUICE_OK);
    assert_true(overview.withheld_pages > 16);
    selftest_world_finish(world, overview.withheld_pages);
}

static void run_flawed(enum selftest_flaw flaw, unsigned failed, unsigned open)
{
    const struct scene_config config = scene_defaults();
    struct sluice_selftest_evidence evidence;
    struct selftest_world world;
    struct sluice_domain *home;

    selftest_world_start(&world, &config);
    home = scene_domain(&world.scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_attach(home, world.device), SLUICE_OK);
    world.flaw = flaw;
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_ERR_HARDWARE);
    selftest_expect(&evidence, failed, open);
    assert_int_equal(evidence.verdict,
                     failed != 0 ? SLUICE_SELFTEST_FAILED : SLUICE_SELFTEST_INCONCLUSIVE);
    /* Not brought back: blocked. */
    assert_null(sluice_device_domain(world.device));
    assert_int_equal(sluice_domain_destroy(home), SLUICE_OK);
    if (failed != 0)
        finish_in_doubt(&world);
    else
        selftest_world_finish(&world, 0);
}

static void test_bad_device(void **state)
{
    (void)state;
    run_flawed(FLAW_DEAD, 0, ALL_MEMORY);
    run_flawed(FLAW_ERRORS, 0, ALL_MEMORY);
    /* Who shows nothing, or reads nothing, says nothing about reads. */
    run_flawed(FLAW_MUTE, 0, READS);
    run_flawed(FLAW_WRITE_ONLY, 0, READS);
    run_flawed(FLAW_STALE, 0, READS & ~STEP(MAPPED_READ));
}

static void test_bad_unit(void **state)
{
    (void)state;
    run_flawed(FLAW_OPEN, ALL_MEMORY, 0);
    run_flawed(FLAW_READ_ONLY, STEP(READ_ONLY), 0);
    run_flawed(FLAW_KEEPS,
               STEP(REVOKED_WRITE) | STEP(REVOKED_READ) | STEP(OTHER_DOMAIN) | STEP(BLOCKED), 0);
    run_flawed(FLAW_KEEPS_READS, STEP(REVOKED_READ) | STEP(OTHER_DOMAIN) | STEP(BLOCKED), 0);
    run_flawed(FLAW_SAME_DOMAIN, STEP(OTHER_DOMAIN), 0);
    run_flawed(FLAW_WHEN_BLOCKED, STEP(BLOCKED), 0);
    run_flawed(FLAW_NEIGHBOUR, ALL_MEMORY, 0);
    run_flawed(FLAW_BESIDE, ALL_MEMORY, 0);
}

/* Reads alone pass: that is what is said where they are forbidden; controls say nothing. */
static void test_open_reads(void **state)
{
    const struct scene_config config = scene_defaults();
    struct sluice_selftest_evidence evidence;
    struct selftest_world world;

    (void)state;
    selftest_world_start(&world, &config);
    world.flaw = FLAW_OPEN_READS;
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_ERR_HARDWARE);
    assert_int_equal(selftest_outcome(&evidence, SLUICE_SELFTEST_UNMAPPED_READ),
                     SLUICE_SELFTEST_FAILED);
    assert_int_equal(selftest_outcome(&evidence, SLUICE_SELFTEST_REVOKED_READ),
                     SLUICE_SELFTEST_FAILED);
    assert_int_equal(selftest_outcome(&evidence, SLUICE_SELFTEST_BLOCKED), SLUICE_SELFTEST_FAILED);
    finish_in_doubt(&world);
}

/* The unit's own model claims to invalidate, and does not. */
static void test_lost_invalidations(void **state)
{
    const struct scene_config config = scene_defaults();
    struct sluice_selftest_evidence evidence;
    struct selftest_world world;

    (void)state;
    selftest_world_start(&world, &config);
    selftest_world_lose_invalidations(&world, true);
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_ERR_HARDWARE);
    assert_int_equal(evidence.verdict, SLUICE_SELFTEST_FAILED);
    assert_int_equal(selftest_outcome(&evidence, SLUICE_SELFTEST_REVOKED_WRITE),
                     SLUICE_SELFTEST_FAILED);
    assert_int_equal(selftest_outcome(&evidence, SLUICE_SELFTEST_REVOKED_READ),
                     SLUICE_SELFTEST_FAILED);
    assert_int_equal(selftest_outcome(&evidence, SLUICE_SELFTEST_MAPPED_WRITE),
                     SLUICE_SELFTEST_PASSED);
    selftest_world_lose_invalidations(&world, false);
    if (scene_on_virtio()) /* it is told to map what it was told to unmap, and did not */
        model_host_violations_clear(world.scene.machine->host);
    finish_in_doubt(&world);
}

/* Whenever a device stops to work, no step after that passes, nor the one that it stops in. */
static void test_dies(void **state)
{
    const struct scene_config config = scene_defaults();
    struct sluice_selftest_evidence evidence;
    struct selftest_world world;
    unsigned accesses;

    (void)state;
    selftest_world_start(&world, &config);
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_OK);
    accesses = world.accesses;
    for (unsigned n = 1; n < accesses; n++) {
        world.dies_after = n;
        assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_ERR_HARDWARE);
        assert_int_equal(evidence.verdict, SLUICE_SELFTEST_INCONCLUSIVE);
        assert_int_equal(selftest_outcome(&evidence, SLUICE_SELFTEST_BLOCKED),
                         SLUICE_SELFTEST_INCONCLUSIVE);
        assert_null(sluice_device_domain(world.device));
    }
    selftest_world_finish(&world, 0);
}

/* An access that does not end may come later: nothing is asked for any more. */
static void test_hangs(void **state)
{
    const struct scene_config config = scene_defaults();
    struct sluice_selftest_evidence evidence;
    struct selftest_world world;

    (void)state;
    selftest_world_start(&world, &config);
    world.flaw = FLAW_HANGS;
    for (unsigned n = 1; n < 48; n += 3) {
        world.hangs_at = n;
        assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_ERR_HARDWARE);
        assert_int_equal(world.accesses, n);
        assert_int_equal(evidence.verdict, SLUICE_SELFTEST_INCONCLUSIVE);
        assert_null(sluice_device_domain(world.device));
    }
    selftest_world_finish(&world, 0);
}

/* ---- who may be tested, and what may be done meanwhile ---- */

static void refuse_meanwhile(struct selftest_world *world)
{
    const struct sluice_assignment assignment = {.mode = SLUICE_ISOLATION_STRICT};
    const struct sluice_dma_config dma_config = {.device = world->device, .name = "meanwhile"};
    const struct sluice_selftest_config test = {.ops = &selftest_hooks, .arg = world};
    struct sluice_domain *domain = sluice_device_domain(world->device);
    struct sluice_domain *home = world->scene.machine != NULL ? domain : NULL;
    struct sluice_dma *dma;

    if (home != NULL) {
        assert_int_equal(sluice_domain_attach(home, world->device), SLUICE_ERR_BUSY);
        assert_int_equal(sluice_dma_open(world->scene.sluice, &dma_config, &dma), SLUICE_ERR_BUSY);
    }
    assert_int_equal(sluice_domain_detach(world->device), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_device_remove(world->device), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_device_assign(world->device, &assignment, &domain), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_selftest_run(world->device, &test, NULL), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_suspend(world->scene.sluice), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_stop(world->scene.sluice), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_protection_set(world->scene.sluice, SLUICE_PROTECTION_DISABLED),
                     SLUICE_ERR_BUSY);
    assert_int_equal(sluice_domain_destroy(world->first != NULL ? world->first : domain),
                     SLUICE_ERR_BUSY);
}

static struct sluice_domain *to_destroy;

static void destroy_home(struct selftest_world *world)
{
    (void)world;
    assert_int_equal(sluice_domain_destroy(to_destroy), SLUICE_ERR_BUSY);
}

static void test_meanwhile(void **state)
{
    const struct scene_config config = scene_defaults();
    struct sluice_selftest_evidence evidence;
    struct selftest_world world;

    (void)state;
    selftest_world_start(&world, &config);
    world.meanwhile = refuse_meanwhile;
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_OK);
    to_destroy = scene_domain(&world.scene, SLUICE_DOMAIN_DMA);
    assert_int_equal(sluice_domain_attach(to_destroy, world.device), SLUICE_OK);
    world.meanwhile = destroy_home;
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_OK);
    world.meanwhile = NULL;
    assert_int_equal(sluice_domain_detach(world.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(to_destroy), SLUICE_OK);
    selftest_world_finish(&world, 0);
}

static void quarantine_it(struct selftest_world *world)
{
    if (world->accesses == 5)
        assert_int_equal(sluice_device_quarantine(world->device), SLUICE_OK);
}

/* Cut off by hand in the middle: it stays cut off, and nothing is proved. */
static void test_cut_off_meanwhile(void **state)
{
    const struct scene_config config = scene_defaults();
    struct sluice_selftest_evidence evidence;
    struct selftest_world world;

    (void)state;
    selftest_world_start(&world, &config);
    world.meanwhile = quarantine_it;
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_ERR_HARDWARE);
    assert_int_equal(evidence.verdict, SLUICE_SELFTEST_INCONCLUSIVE);
    assert_false(sluice_device_is_operational(world.device));
    assert_null(sluice_device_domain(world.device));
    world.meanwhile = NULL;
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_ERR_STATE);
    selftest_world_finish(&world, 0);
}

static void test_refused(void **state)
{
    const struct scene_config config = scene_defaults();
    const struct sluice_assignment assignment = {.mode = SLUICE_ISOLATION_STRICT};
    struct sluice_selftest_ops partial = selftest_hooks;
    struct sluice_selftest_evidence evidence;
    struct selftest_world world;
    struct sluice_selftest_config test = {.ops = &selftest_hooks, .arg = &world};
    struct sluice_dma_config dma_config = {.name = "open"};
    struct sluice_domain *domain;
    struct sluice_dma *dma;

    (void)state;
    selftest_world_start(&world, &config);
    assert_int_equal(sluice_selftest_run(NULL, &test, NULL), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_selftest_run(world.device, NULL, NULL), SLUICE_ERR_INVALID);
    test.address_bits = 65;
    assert_int_equal(sluice_selftest_run(world.device, &test, NULL), SLUICE_ERR_INVALID);
    test.address_bits = 0;
    partial.show = NULL;
    test.ops = &partial;
    assert_int_equal(sluice_selftest_run(world.device, &test, NULL), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_selftest_evidence(NULL, 0, &evidence), SLUICE_ERR_INVALID);
    test.ops = &selftest_hooks;

    domain = scene_domain(&world.scene, SLUICE_DOMAIN_DMA);
    assert_int_equal(sluice_domain_attach(domain, world.device), SLUICE_OK);
    dma_config.device = world.device;
    assert_int_equal(sluice_dma_open(world.scene.sluice, &dma_config, &dma), SLUICE_OK);
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_dma_close(dma), SLUICE_OK);
    assert_int_equal(sluice_domain_detach(world.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(domain), SLUICE_OK);

    assert_int_equal(sluice_device_assign(world.device, &assignment, &domain), SLUICE_OK);
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_ERR_DENIED);
    assert_ptr_equal(sluice_device_domain(world.device), domain);
    assert_int_equal(sluice_device_release(world.device), SLUICE_OK);
    assert_false(evidence.made);
    assert_int_equal(world.accesses, 0);
    assert_int_equal(sluice_suspend(world.scene.sluice), SLUICE_OK);
    assert_int_equal(selftest_world_run(&world, &evidence), SLUICE_ERR_STATE);
    assert_int_equal(sluice_resume(world.scene.sluice), SLUICE_OK);
    selftest_world_finish(&world, 0);
}

/* Whatever allocation fails: nothing is lost, and the device is where it was. */
static void test_no_memory(void **state)
{
    const struct scene_config config = scene_defaults();
    struct sluice_selftest_evidence evidence;
    enum sluice_status status = SLUICE_ERR_NO_MEMORY;
    struct selftest_world world;
    struct sluice_overview overview;
    struct sluice_domain *home;
    unsigned failures = 0;

    (void)state;
    selftest_world_start(&world, &config);
    home = scene_domain(&world.scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_attach(home, world.device), SLUICE_OK);
    for (unsigned n = 0; status != SLUICE_OK && n < 64; n++) {
        model_host_fail_allocation(world.scene.machine->host, n, false);
        status = selftest_world_run(&world, &evidence);
        model_host_fail_no_more(world.scene.machine->host);
        failures += status != SLUICE_OK;
        /* In a step: nothing was shown. Before one: as if nothing had been. */
        assert_true(status == SLUICE_OK || status == SLUICE_ERR_NO_MEMORY ||
                    (evidence.made && evidence.verdict == SLUICE_SELFTEST_INCONCLUSIVE));
        if (evidence.made && status != SLUICE_OK)
            assert_int_equal(sluice_domain_attach(home, world.device), SLUICE_OK);
        assert_ptr_equal(sluice_device_domain(world.device), home);
    }
    assert_int_equal(status, SLUICE_OK);
    assert_true(failures >= 4);
    assert_int_equal(sluice_domain_detach(world.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(home), SLUICE_OK);
    assert_int_equal(sluice_overview(world.scene.sluice, &overview), SLUICE_OK);
    /* A virtio-iommu needs memory to be told of an unmap. */
    assert_true(overview.withheld_pages == 0 || scene_on_virtio());
    selftest_world_finish(&world, overview.withheld_pages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_passes_again),
        cmocka_unit_test(test_not_quarantined),
        cmocka_unit_test(test_narrow_device),
        cmocka_unit_test(test_not_snooped),
        cmocka_unit_test(test_bad_device),
        cmocka_unit_test(test_bad_unit),
        cmocka_unit_test(test_open_reads),
        cmocka_unit_test(test_lost_invalidations),
        cmocka_unit_test(test_dies),
        cmocka_unit_test(test_hangs),
        cmocka_unit_test(test_meanwhile),
        cmocka_unit_test(test_cut_off_meanwhile),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
