// SPDX-License-Identifier: MIT
/*
 * Whatever a unit does, an instance comes to an end: after a resume, a stop or a start that failed,
 * with a unit that died while devices were in use, it can be stopped or given up, and what the unit
 * may still reach is kept and counted. On every kind of unit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "scene.h"

#include <sluice/overview.h>

#define RID_A SLUICE_RID(0, 3, 0)
#define RID_B SLUICE_RID(0, 4, 0)
#define FILL  0x5a

enum breakage {
    SILENT,  /**< completes nothing */
    MISSING, /**< registers read all ones */
    BREAKAGES
};

struct world {
    struct scene scene;
    struct sluice_device *a; /**< in `domain` */
    struct sluice_device *b; /**< in none */
    struct sluice_domain *domain;
    struct sluice_pages page; /**< mapped at SCENE_IOVA */
};

static void break_unit(struct world *w, enum breakage how, bool broken)
{
    if (how == SILENT)
        scene_silence(&w->scene, broken);
    else
        scene_unplug(&w->scene, broken);
}

static uint8_t *command_of(struct world *w, unsigned device)
{
    return model_pci_config(w->scene.machine->functions[device]) + 4;
}

static bool master_is_on(struct world *w, unsigned device)
{
    return (*command_of(w, device) & 4u) != 0;
}

static void begin(struct world *w, enum sluice_domain_kind kind)
{
    struct scene_config config = scene_defaults();

    memset(w, 0, sizeof(*w));
    scene_start(&w->scene, &config);
    w->a = scene_device(&w->scene, RID_A);
    w->b = scene_device(&w->scene, RID_B);
    w->domain = scene_domain(&w->scene, kind);
    w->page = scene_page(&w->scene, FILL);
    *command_of(w, MACHINE_DEV_A) |= 4u;
    *command_of(w, MACHINE_DEV_B) |= 4u;
    assert_int_equal(sluice_domain_attach(w->domain, w->a), SLUICE_OK);
    if (kind != SLUICE_DOMAIN_UNMANAGED)
        return;
    scene_map(w->domain, SCENE_IOVA, &w->page);
    assert_int_equal(scene_reads(&w->scene, MACHINE_DEV_A, SCENE_IOVA), FILL);
}

static void let_go(struct world *w)
{
    scene_forget(w->a);
    scene_forget(w->b);
    scene_page_free(&w->scene, w->page);
}

static bool is_hardware(enum sluice_status status)
{
    return status == SLUICE_ERR_TIMEOUT || status == SLUICE_ERR_HARDWARE;
}

static struct sluice_unit_info unit_of(struct world *w)
{
    struct sluice_unit_info info = {0};

    assert_int_equal(sluice_unit_info(w->scene.sluice, 0, &info), SLUICE_OK);
    return info;
}

/* Asleep, and the unit does not wake up. */
static void fail_to_wake(struct world *w, enum breakage how)
{
    assert_int_equal(sluice_suspend(w->scene.sluice), SLUICE_OK);
    scene_power_cycle(&w->scene);
    break_unit(w, how, true);
    assert_true(is_hardware(sluice_resume(w->scene.sluice)));
}

/* What holds then, whatever the unit does. */
static void check_half_resumed(struct world *w, enum breakage how)
{
    const struct sluice_device_config more = {.rid = SLUICE_RID(1, 0, 0)};
    const struct sluice_dma_config open = {.device = w->a};
    struct sluice *sluice = w->scene.sluice;
    struct sluice_unit_info info = unit_of(w);
    struct sluice_domain_config kind = {0};
    struct sluice_overview overview;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_dma *dma;

    assert_true(info.degraded && !info.started);
    assert_int_equal(sluice_overview(sluice, &overview), SLUICE_OK);
    assert_false(overview.enabled);
    assert_int_equal(sluice_device_add(sluice, &more, &device), SLUICE_ERR_STATE);
    assert_int_equal(sluice_domain_create(sluice, &kind, &domain), SLUICE_ERR_STATE);
    assert_int_equal(sluice_domain_attach(w->domain, w->b), SLUICE_ERR_STATE);
    assert_int_equal(sluice_dma_open(sluice, &open, &dma), SLUICE_ERR_STATE);
    assert_int_equal(sluice_destroy(sluice), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_stop(sluice), SLUICE_ERR_BUSY); /* a device is attached */
    assert_int_equal(sluice_fault_poll(sluice), 0);
    assert_false(master_is_on(w, MACHINE_DEV_A));
    assert_false(master_is_on(w, MACHINE_DEV_B));
    /* One that is there at all blocks who was blocked. */
    if (how == SILENT)
        assert_int_equal(scene_reads(&w->scene, MACHINE_DEV_B, w->page.phys), -1);
}

static void test_resume_again(void **state)
{
    struct world w;

    (void)state;
    for (enum breakage how = 0; how < BREAKAGES; how++) {
        begin(&w, SLUICE_DOMAIN_UNMANAGED);
        fail_to_wake(&w, how);
        check_half_resumed(&w, how);
        assert_true(is_hardware(sluice_resume(w.scene.sluice)));
        check_half_resumed(&w, how);
        break_unit(&w, how, false);
        assert_int_equal(sluice_resume(w.scene.sluice), SLUICE_OK);
        assert_true(unit_of(&w).started);
        assert_true(master_is_on(&w, MACHINE_DEV_A) && master_is_on(&w, MACHINE_DEV_B));
        assert_int_equal(scene_reads(&w.scene, MACHINE_DEV_A, SCENE_IOVA), FILL);
        assert_int_equal(scene_reads(&w.scene, MACHINE_DEV_B, SCENE_IOVA), -1);
        assert_int_equal(sluice_domain_unmap(w.domain, SCENE_IOVA, SLUICE_PAGE_BYTES, NULL),
                         SLUICE_OK);
        assert_int_equal(scene_reads(&w.scene, MACHINE_DEV_A, SCENE_IOVA), -1);
        let_go(&w);
        scene_finish(&w.scene);
    }
}

/* Back to sleep first, as a host that tries all of it again. */
static void test_sleep_again(void **state)
{
    struct world w;

    (void)state;
    begin(&w, SLUICE_DOMAIN_UNMANAGED);
    fail_to_wake(&w, SILENT);
    assert_int_equal(sluice_suspend(w.scene.sluice), SLUICE_OK);
    break_unit(&w, SILENT, false);
    assert_int_equal(sluice_resume(w.scene.sluice), SLUICE_OK);
    assert_int_equal(scene_reads(&w.scene, MACHINE_DEV_A, SCENE_IOVA), FILL);
    let_go(&w);
    scene_finish(&w.scene);
}

/* What is taken from a device meanwhile is not confirmed, and not given to it again. */
static void test_let_go_asleep(void **state)
{
    struct world w;

    (void)state;
    for (enum breakage how = 0; how < BREAKAGES; how++) {
        begin(&w, SLUICE_DOMAIN_UNMANAGED);
        fail_to_wake(&w, how);
        assert_int_equal(sluice_domain_detach(w.a), SLUICE_ERR_HARDWARE);
        assert_null(sluice_device_domain(w.a));
        assert_int_equal(sluice_domain_destroy(w.domain), SLUICE_OK);
        assert_true(unit_of(&w).withheld_pages > 0);
        break_unit(&w, how, false);
        assert_int_equal(sluice_resume(w.scene.sluice), SLUICE_OK);
        assert_int_equal(scene_reads(&w.scene, MACHINE_DEV_A, SCENE_IOVA), -1);
        let_go(&w);
        scene_finish_withheld(&w.scene, unit_of(&w).withheld_pages);
    }
}

static void test_stop_instead(void **state)
{
    struct world w;

    (void)state;
    for (enum breakage how = 0; how < BREAKAGES; how++) {
        uint64_t withheld;

        begin(&w, SLUICE_DOMAIN_UNMANAGED);
        fail_to_wake(&w, how);
        assert_int_equal(sluice_domain_unmap(w.domain, SCENE_IOVA, SLUICE_PAGE_BYTES, NULL),
                         SLUICE_ERR_HARDWARE);
        assert_int_equal(sluice_domain_detach(w.a), SLUICE_ERR_HARDWARE);
        let_go(&w);
        assert_int_equal(sluice_domain_destroy(w.domain), SLUICE_OK);
        withheld = unit_of(&w).withheld_pages;
        assert_true(withheld > 0);
        break_unit(&w, how, false);
        assert_int_equal(sluice_stop(w.scene.sluice), SLUICE_OK);
        assert_int_equal(model_host_pages_in_use(w.scene.machine->host), withheld);
        /* And it begins again. */
        assert_int_equal(sluice_start(w.scene.sluice), SLUICE_OK);
        scene_finish_withheld(&w.scene, withheld);
    }
}

/* The unit never answers again: what it may reach is kept, and the log says how much. */
static void give_up(struct world *w)
{
    struct model_host *host = w->scene.machine->host;
    char line[80];

    assert_true(is_hardware(sluice_stop(w->scene.sluice)));
    assert_true(is_hardware(sluice_stop(w->scene.sluice)));
    assert_int_equal(sluice_start(w->scene.sluice), SLUICE_ERR_STATE);
    assert_int_equal(sluice_resume(w->scene.sluice), SLUICE_ERR_STATE);
    (void)model_host_run_events(host);
    assert_int_equal(sluice_destroy(w->scene.sluice), SLUICE_OK);
    assert_true(model_host_pages_in_use(host) > 0);
    (void)snprintf(line, sizeof(line), "%llu pages that it may still reach",
                   (unsigned long long)model_host_pages_in_use(host));
    assert_true(model_host_logged(host, line));
    assert_int_equal(model_host_objects_in_use(host), 0);
    assert_int_equal(model_host_mmio_maps(host), 0);
    assert_int_equal(model_host_events_installed(host), 0);
    assert_int_equal(model_host_violations_print(host), 0);
    (void)machine_destroy(w->scene.machine);
}

static void test_give_up(void **state)
{
    struct world w;

    (void)state;
    begin(&w, SLUICE_DOMAIN_UNMANAGED);
    fail_to_wake(&w, MISSING);
    assert_int_equal(sluice_domain_detach(w.a), SLUICE_ERR_HARDWARE);
    let_go(&w);
    give_up(&w);
}

/* It dies while one device has mappings and another one is cut off. */
static void test_death_in_use(void **state)
{
    struct world w;

    (void)state;
    for (enum breakage how = 0; how < BREAKAGES; how++) {
        struct sluice_dma_config config = {.address_bits = 48};
        struct sluice_dma *dma;
        sluice_iova_t iova;

        begin(&w, SLUICE_DOMAIN_DMA);
        config.device = w.a;
        assert_int_equal(sluice_dma_open(w.scene.sluice, &config, &dma), SLUICE_OK);
        assert_int_equal(
            sluice_dma_map(dma, w.page.phys, SLUICE_PAGE_BYTES, SLUICE_DMA_BOTH, NULL, &iova),
            SLUICE_OK);
        assert_int_equal(sluice_device_quarantine(w.b), SLUICE_OK);
        break_unit(&w, how, true);
        assert_true(is_hardware(sluice_device_quarantine(w.a)));
        assert_int_equal(sluice_domain_detach(w.a), SLUICE_ERR_BUSY);
        assert_int_equal(sluice_dma_close(dma), SLUICE_ERR_BUSY); /* with a mapping left */
        (void)!sluice_domain_detach(w.a);
        let_go(&w);
        if (how == MISSING) {
            give_up(&w);
            continue;
        }
        break_unit(&w, how, false);
        assert_int_equal(sluice_stop(w.scene.sluice), SLUICE_OK);
        assert_int_equal(sluice_destroy(w.scene.sluice), SLUICE_OK);
        assert_true(model_host_pages_in_use(w.scene.machine->host) > 0);
        assert_int_equal(model_host_objects_in_use(w.scene.machine->host), 0);
        (void)machine_destroy(w.scene.machine);
    }
}

/* Turning protection off fails as a stop does. */
static void test_disabling_fails(void **state)
{
    struct world w;

    (void)state;
    begin(&w, SLUICE_DOMAIN_UNMANAGED);
    let_go(&w);
    break_unit(&w, MISSING, true);
    assert_true(is_hardware(sluice_protection_set(w.scene.sluice, SLUICE_PROTECTION_DISABLED)));
    assert_int_equal(sluice_protection_set(w.scene.sluice, SLUICE_PROTECTION_DISABLED),
                     SLUICE_ERR_STATE);
    give_up(&w);
}

/* Whether power was lost or not, nothing has to be woken to be stopped. */
static void test_stop_asleep(void **state)
{
    struct world w;

    (void)state;
    for (unsigned lost = 0; lost < 2; lost++) {
        begin(&w, SLUICE_DOMAIN_UNMANAGED);
        assert_int_equal(sluice_suspend(w.scene.sluice), SLUICE_OK);
        assert_int_equal(sluice_stop(w.scene.sluice), SLUICE_ERR_BUSY);
        assert_int_equal(sluice_resume(w.scene.sluice), SLUICE_OK);
        let_go(&w);
        assert_int_equal(sluice_suspend(w.scene.sluice), SLUICE_OK);
        assert_int_equal(sluice_destroy(w.scene.sluice), SLUICE_ERR_BUSY);
        if (lost != 0)
            scene_power_cycle(&w.scene);
        assert_int_equal(sluice_stop(w.scene.sluice), SLUICE_OK);
        assert_int_equal(sluice_start(w.scene.sluice), SLUICE_OK);
        scene_finish(&w.scene);
    }
}

/* A unit that does not start, and then does not answer when it is put back. */
static void test_start_fails(void **state)
{
    (void)state;
    for (enum breakage how = 0; how < BREAKAGES; how++) {
        struct scene_config config = scene_defaults();
        struct world w = {.a = NULL};
        struct model_host *host;

        scene_init(&w.scene, &config);
        host = w.scene.machine->host;
        break_unit(&w, how, true);
        assert_true(is_hardware(sluice_start(w.scene.sluice)));
        assert_int_equal(sluice_stop(w.scene.sluice), SLUICE_ERR_STATE);
        break_unit(&w, how, false);
        assert_int_equal(sluice_start(w.scene.sluice), SLUICE_OK);
        assert_int_equal(sluice_stop(w.scene.sluice), SLUICE_OK);
        assert_int_equal(sluice_destroy(w.scene.sluice), SLUICE_OK);
        assert_int_equal(model_host_objects_in_use(host), 0);
        assert_int_equal(model_host_mmio_maps(host), 0);
        (void)machine_destroy(w.scene.machine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume_again),    cmocka_unit_test(test_sleep_again),
        cmocka_unit_test(test_let_go_asleep),   cmocka_unit_test(test_stop_instead),
        cmocka_unit_test(test_give_up),         cmocka_unit_test(test_death_in_use),
        cmocka_unit_test(test_disabling_fails), cmocka_unit_test(test_stop_asleep),
        cmocka_unit_test(test_start_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
