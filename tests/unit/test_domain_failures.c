// SPDX-License-Identifier: MIT
/*
 * Domains when things go wrong: allocations that fail at every point, units that stop answering,
 * and several CPUs at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "domain/domain.h"

#include "scene.h"

#define RID_A SLUICE_RID(0, 3, 0)
#define RID_B SLUICE_RID(0, 4, 0)

/* What is done under failing allocations; a fresh scene each. */
struct attempt {
    const char *name;
    enum sluice_status (*run)(struct scene *scene, struct sluice_domain *domain,
                              struct sluice_device *device);
};

static enum sluice_status run_add(struct scene *scene, struct sluice_domain *domain,
                                  struct sluice_device *device)
{
    const struct sluice_device_config config = {.rid = RID_B};
    struct sluice_device *added;
    enum sluice_status status = sluice_device_add(scene->sluice, &config, &added);

    (void)domain;
    (void)device;
    if (status == SLUICE_OK)
        assert_int_equal(sluice_device_remove(added), SLUICE_OK);
    return status;
}

static enum sluice_status run_create(struct scene *scene, struct sluice_domain *domain,
                                     struct sluice_device *device)
{
    const struct sluice_domain_config config = {.kind = SLUICE_DOMAIN_DMA};
    struct sluice_domain *created;
    enum sluice_status status = sluice_domain_create(scene->sluice, &config, &created);

    (void)domain;
    (void)device;
    if (status == SLUICE_OK)
        assert_int_equal(sluice_domain_destroy(created), SLUICE_OK);
    return status;
}

static enum sluice_status run_map(struct scene *scene, struct sluice_domain *domain,
                                  struct sluice_device *device)
{
    /* Over the end of a table, so that two chains of tables are needed. */
    const sluice_iova_t iova = ((sluice_iova_t)1 << 39) - 4096;
    enum sluice_status status = sluice_domain_map(domain, iova, 0, 8192, SCENE_READWRITE);
    struct sluice_mapping mapping;

    (void)scene;
    (void)device;
    if (status == SLUICE_OK)
        assert_int_equal(sluice_domain_unmap(domain, iova, 8192, NULL), SLUICE_OK);
    assert_int_equal(sluice_domain_lookup(domain, iova, &mapping), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(sluice_domain_lookup(domain, iova + 4096, &mapping), SLUICE_ERR_NOT_FOUND);
    return status;
}

static enum sluice_status run_attach(struct scene *scene, struct sluice_domain *domain,
                                     struct sluice_device *device)
{
    enum sluice_status status = sluice_domain_attach(domain, device);

    (void)scene;
    if (status == SLUICE_OK)
        assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
    assert_null(sluice_device_domain(device));
    return status;
}

/**
 * Tables that a failed map made and left empty stay with their domain, since another CPU may be
 * using them; what is asked here is that nothing else is left.
 */
static void footprint_without_tables(struct scene *scene, struct sluice_domain *domain,
                                     struct machine_footprint *out)
{
    struct sluice_domain_info info;

    machine_footprint(scene->machine, out);
    sluice_domain_info(domain, &info);
    out->pages -= info.table_bytes / SLUICE_PAGE_BYTES;
}

static void try_attempt(const struct attempt *attempt)
{
    struct scene_config config = scene_defaults();
    enum sluice_status status = SLUICE_ERR_NO_MEMORY;
    struct sluice_domain *domain;
    struct sluice_device *device;
    unsigned failures = 0;
    struct scene scene;

    config.machine.regions[0] =
        (struct machine_region){.base = 0x180000, .last = 0x180fff, .rid = RID_B};
    scene_start(&scene, &config);
    device = scene_device(&scene, RID_A);
    domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    for (unsigned nth = 0; status != SLUICE_OK; nth++) {
        struct machine_footprint before;
        struct machine_footprint after;

        assert_in_range(nth, 0, 100);
        footprint_without_tables(&scene, domain, &before);
        model_host_fail_allocation(scene.machine->host, nth, false);
        status = attempt->run(&scene, domain, device);
        model_host_fail_no_more(scene.machine->host);
        if (status == SLUICE_OK)
            break;
        failures++;
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
        footprint_without_tables(&scene, domain, &after);
        /* Context tables that an attach needed stay with the unit; nothing else may. */
        if (attempt->run != run_attach)
            assert_memory_equal(&before, &after, sizeof(before));
    }
    assert_true(failures > 0);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    scene_finish(&scene);
}

static void test_out_of_memory(void **state)
{
    const struct attempt attempts[] = {
        {"device add", run_add},
        {"domain create", run_create},
        {"map", run_map},
        {"attach", run_attach},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
        try_attempt(&attempts[i]);
}

/* Unmap without an answer: the caller is told, tables are not freed, the unit is degraded. */
static void test_unmap_without_answer(void **state)
{
    const struct vtd_model_injection silent = {.wait_never_written = true,
                                               .iotlb_never_done = true};
    const struct vtd_model_injection healthy = {0};
    struct scene_config config = scene_defaults();
    struct sluice_unit_info info;
    struct sluice_domain *domain;
    struct sluice_device *device;
    struct sluice_pages page;
    struct scene scene;

    (void)state;
    scene_start(&scene, &config);
    page = scene_page(&scene, 0x21);
    device = scene_device(&scene, RID_A);
    domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    scene_map(domain, SCENE_IOVA, &page);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    vtd_model_inject(scene.machine->units[0], &silent);
    /* The whole table goes with this range: its pages must not come back. */
    assert_int_equal(sluice_domain_unmap(domain, SCENE_IOVA, 1 << 30, NULL), SLUICE_ERR_TIMEOUT);
    assert_int_equal(sluice_unit_info(scene.sluice, 0, &info), SLUICE_OK);
    assert_true(info.degraded);
    assert_true(info.withheld_pages > 0);
    vtd_model_inject(scene.machine->units[0], &healthy);
    scene_page_free(&scene, page);
    /* Whether this is confirmed or not: it is out. */
    if (sluice_domain_detach(device) != SLUICE_OK)
        assert_null(sluice_device_domain(device));
    assert_null(sluice_device_domain(device));
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_destroy(scene.sluice), SLUICE_OK);
    /* All of the domain's tables are still there: root and two on the way, and what was cut off. */
    assert_in_range(machine_destroy(scene.machine), 3, 8);
}

/* Attach without an answer: blocked, in no domain, and the old domain's tables are kept. */
static void test_attach_without_answer(void **state)
{
    const struct vtd_model_injection silent = {
        .wait_never_written = true, .context_never_done = true, .iotlb_never_done = true};
    const struct vtd_model_injection healthy = {0};
    struct scene_config config = scene_defaults();
    struct sluice_domain *domains[2];
    struct sluice_device *device;
    struct sluice_pages page;
    struct scene scene;

    (void)state;
    scene_start(&scene, &config);
    page = scene_page(&scene, 0x22);
    device = scene_device(&scene, RID_A);
    for (unsigned i = 0; i < 2; i++)
        domains[i] = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    scene_map(domains[0], SCENE_IOVA, &page);
    assert_int_equal(sluice_domain_attach(domains[0], device), SLUICE_OK);
    vtd_model_inject(scene.machine->units[0], &silent);
    assert_int_equal(sluice_domain_attach(domains[1], device), SLUICE_ERR_TIMEOUT);
    vtd_model_inject(scene.machine->units[0], &healthy);
    assert_null(sluice_device_domain(device));
    vtd_model_evict(scene.machine->units[0]);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA), -1);
    /* The unit may hold entries of both domains: nothing of them is confirmed any more. */
    scene_map(domains[1], SCENE_IOVA, &page);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(sluice_domain_unmap(domains[i], SCENE_IOVA, SLUICE_PAGE_BYTES, NULL),
                         SLUICE_ERR_TIMEOUT);
        assert_int_equal(sluice_domain_destroy(domains[i]), SLUICE_OK);
    }
    assert_true(model_host_logged(scene.machine->host, "are withheld"));
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    scene_page_free(&scene, page);
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_destroy(scene.sluice), SLUICE_OK);
    /* Root and three tables of both. */
    assert_int_equal(machine_destroy(scene.machine), 8);
}

/*
 * The unit does not confirm that it forgot the context entry, but answers all else: it may hold
 * the new entry as well as the old one, so the tables of both domains are kept.
 */
static void test_move_half_answered(void **state)
{
    const struct vtd_model_injection half = {.context_never_done = true};
    const struct vtd_model_injection healthy = {0};
    struct scene_config config = scene_defaults();
    struct sluice_domain *domains[2];
    struct sluice_device *device;
    struct sluice_unit_info info;
    struct scene scene;

    (void)state;
    config.avoid_queues = true;
    scene_start(&scene, &config);
    device = scene_device(&scene, RID_A);
    for (unsigned i = 0; i < 2; i++)
        domains[i] = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_attach(domains[0], device), SLUICE_OK);
    vtd_model_inject(scene.machine->units[0], &half);
    assert_int_equal(sluice_domain_attach(domains[1], device), SLUICE_ERR_TIMEOUT);
    vtd_model_inject(scene.machine->units[0], &healthy);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(sluice_domain_destroy(domains[i]), SLUICE_OK);
    assert_int_equal(sluice_unit_info(scene.sluice, 0, &info), SLUICE_OK);
    assert_int_equal(info.withheld_pages, 2); /* both roots */
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_destroy(scene.sluice), SLUICE_OK);
    assert_int_equal(model_host_violations_print(scene.machine->host), 0);
    /* The last invalidation of contexts ended late, and no one is left to follow it up. */
    (void)machine_destroy(scene.machine);
}

struct worker {
    pthread_t thread;
    struct scene *scene;
    struct sluice_domain *domain;
    struct sluice_pages page;
    sluice_iova_t iova;
    unsigned rounds;
    unsigned failed;
};

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct sluice_mapping mapping;

    for (unsigned i = 0; i < worker->rounds; i++) {
        sluice_iova_t iova = worker->iova + (i % 700) * SLUICE_PAGE_BYTES;

        if (sluice_domain_map(worker->domain, iova, worker->page.phys, SLUICE_PAGE_BYTES,
                              SCENE_READWRITE) != SLUICE_OK ||
            sluice_domain_lookup(worker->domain, iova, &mapping) != SLUICE_OK ||
            sluice_domain_unmap(worker->domain, iova, SLUICE_PAGE_BYTES, NULL) != SLUICE_OK)
            worker->failed++;
    }
    return NULL;
}

/* Two CPUs map and unmap while a third moves devices in and out of the domain. */
static void test_threads(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_domain *domain;
    struct sluice_device *devices[2];
    struct worker workers[2];
    struct scene scene;

    (void)state;
    config.machine.host.real_clock = true;
    config.machine.unit_count = 2;
    config.machine.units[1] = vtd_model_defaults();
    config.machine.units[1].base += 0x10000;
    config.machine.functions[MACHINE_DEV_B].unit = 1;
    scene_init(&scene, &config);
    assert_int_equal(sluice_start(scene.sluice), SLUICE_OK);
    devices[0] = scene_device(&scene, RID_A);
    devices[1] = scene_device(&scene, RID_B);
    domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    for (unsigned i = 0; i < 2; i++) {
        workers[i] = (struct worker){.scene = &scene,
                                     .domain = domain,
                                     .page = scene_page(&scene, 0x23),
                                     .iova = SCENE_IOVA + ((sluice_iova_t)i << 32),
                                     .rounds = 1500};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(sluice_domain_attach(domain, devices[i % 2]), SLUICE_OK);
        (void)sluice_fault_poll(scene.sluice);
        assert_int_equal(sluice_domain_detach(devices[i % 2]), SLUICE_OK);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].failed, 0);
        scene_page_free(&scene, workers[i].page);
        scene_forget(devices[i]);
    }
    scene_finish(&scene);
}

/* A host that looks at a domain's lock when tables come back. */
static struct {
    struct sluice_domain *domain;
    const struct sluice_host_ops *host;
    atomic_uint freed, under_lock;
} freeing;

static void free_and_look(void *ctx, struct sluice_pages pages, unsigned order)
{
    freeing.freed++;
    if (sluice_spin_is_locked(&freeing.domain->tables_lock))
        freeing.under_lock++;
    freeing.host->pages_free(ctx, pages, order);
}

static void *unmap_all(void *domain)
{
    return sluice_domain_unmap(domain, SCENE_IOVA, 1 << 30, NULL) == SLUICE_OK ? NULL : domain;
}

/*
 * Tables that an unmap cut off are freed when the last lookup that may be in them is over, and
 * then without its lock: they may be thousands.
 */
static void test_freeing_waits_for_lookups(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_host_ops ops;
    struct sluice_spinlock *lock;
    struct sluice_pages page;
    sluice_irqstate_t irq;
    struct scene scene;
    pthread_t thread;
    void *failed;

    (void)state;
    config.machine.host.real_clock = true;
    scene_start(&scene, &config);
    page = scene_page(&scene, 0x24);
    freeing.domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    lock = &freeing.domain->tables_lock;
    freeing.host = scene.sluice->ops;
    ops = *scene.sluice->ops;
    ops.pages_free = free_and_look;
    scene.sluice->ops = &ops;
    scene_map(freeing.domain, SCENE_IOVA, &page);
    irq = sluice_spin_lock(lock); /* a lookup's */
    assert_int_equal(pthread_create(&thread, NULL, unmap_all, freeing.domain), 0);
    while (atomic_load(&lock->next) - atomic_load(&lock->serving) < 2 && freeing.freed == 0)
        sched_yield();
    assert_int_equal(freeing.freed, 0);
    sluice_spin_unlock(lock, irq);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    assert_int_equal(freeing.freed, 2); /* of level 1 and of level 0 */
    assert_int_equal(freeing.under_lock, 0);
    scene.sluice->ops = freeing.host;
    scene_page_free(&scene, page);
    scene_finish(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_freeing_waits_for_lookups),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_unmap_without_answer),
        cmocka_unit_test(test_attach_without_answer),
        cmocka_unit_test(test_move_half_answered),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
