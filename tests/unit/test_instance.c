// SPDX-License-Identifier: MIT
/*
 * The life of an instance: what create demands, in which state what is allowed, starts that fail
 * at every allocation, units that do not turn off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/instance.h"
#include "scene.h"

#define RID_A SLUICE_RID(0, 3, 0)

static void test_create_needs_hooks(void **state)
{
    struct model_host *host = model_host_create(&(struct model_host_config){.not_linear = true});
    struct sluice_config config = {0};
    struct sluice_host_ops ops;
    struct sluice *sluice = NULL;
    static const struct {
        size_t offset;
        bool needed;
    } hooks[] = {
        {offsetof(struct sluice_host_ops, log), false},
        {offsetof(struct sluice_host_ops, alloc), true},
        {offsetof(struct sluice_host_ops, free), true},
        {offsetof(struct sluice_host_ops, pages_alloc), true},
        {offsetof(struct sluice_host_ops, pages_free), true},
        {offsetof(struct sluice_host_ops, phys_to_virt), true},
        {offsetof(struct sluice_host_ops, cache_clean), false},
        {offsetof(struct sluice_host_ops, cache_invalidate), false},
        {offsetof(struct sluice_host_ops, vmap), false},
        {offsetof(struct sluice_host_ops, vunmap), true},
        {offsetof(struct sluice_host_ops, mmio_map), true},
        {offsetof(struct sluice_host_ops, mmio_unmap), true},
        {offsetof(struct sluice_host_ops, mmio_read32), true},
        {offsetof(struct sluice_host_ops, mmio_read64), true},
        {offsetof(struct sluice_host_ops, mmio_write32), true},
        {offsetof(struct sluice_host_ops, mmio_write64), true},
        {offsetof(struct sluice_host_ops, mmio_read8), false},
        {offsetof(struct sluice_host_ops, mmio_read16), false},
        {offsetof(struct sluice_host_ops, mmio_write8), false},
        {offsetof(struct sluice_host_ops, mmio_write16), false},
        {offsetof(struct sluice_host_ops, pci_read), false},
        {offsetof(struct sluice_host_ops, pci_write), false},
        {offsetof(struct sluice_host_ops, now_ns), true},
        {offsetof(struct sluice_host_ops, stall_ns), false},
        {offsetof(struct sluice_host_ops, cpu_count), false},
        {offsetof(struct sluice_host_ops, memory_extent), false},
        {offsetof(struct sluice_host_ops, doorbell_extent), false},
        {offsetof(struct sluice_host_ops, event_install), false},
        {offsetof(struct sluice_host_ops, event_remove), true},
        {offsetof(struct sluice_host_ops, dma_poll_at), false},
        {offsetof(struct sluice_host_ops, device_reset), false},
        {offsetof(struct sluice_host_ops, defer), false},
        {offsetof(struct sluice_host_ops, fault_poll_at), false},
    };

    (void)state;
    model_host_configure(host, &config);
    assert_int_equal(sizeof(hooks) / sizeof(hooks[0]), sizeof(ops) / sizeof(void *));
    for (unsigned i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
        ops = *model_host_ops(host);
        memset((uint8_t *)&ops + hooks[i].offset, 0, sizeof(void *));
        config.ops = &ops;
        if (hooks[i].needed) {
            assert_int_equal(sluice_create(&config, &sluice), SLUICE_ERR_INVALID);
        } else {
            assert_int_equal(sluice_create(&config, &sluice), SLUICE_OK);
            assert_int_equal(sluice_destroy(sluice), SLUICE_OK);
        }
    }
    assert_int_equal(sluice_create(NULL, &sluice), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_create(&config, NULL), SLUICE_ERR_INVALID);
    assert_int_equal(model_host_destroy(host), 0);
}

static void test_states(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_device_config device_config = {.rid = RID_A};
    struct sluice_domain_config domain_config = {0};
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct scene scene;

    (void)state;
    scene_init(&scene, &config);
    assert_int_equal(sluice_add_table(scene.sluice, scene.machine->dmar, scene.machine->dmar_bytes),
                     SLUICE_ERR_EXISTS);
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_ERR_STATE);
    assert_int_equal(sluice_suspend(scene.sluice), SLUICE_ERR_STATE);
    assert_int_equal(sluice_resume(scene.sluice), SLUICE_ERR_STATE);
    assert_int_equal(sluice_device_add(scene.sluice, &device_config, &device), SLUICE_ERR_STATE);
    assert_int_equal(sluice_domain_create(scene.sluice, &domain_config, &domain), SLUICE_ERR_STATE);
    assert_int_equal(sluice_unit_count(scene.sluice), 0);
    assert_int_equal(sluice_fault_poll(scene.sluice), 0);

    assert_int_equal(sluice_start(scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_start(scene.sluice), SLUICE_ERR_STATE);
    assert_int_equal(sluice_destroy(scene.sluice), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_add_table(scene.sluice, scene.machine->mcfg, scene.machine->mcfg_bytes),
                     SLUICE_ERR_STATE);
    device = scene_device(&scene, RID_A);
    assert_int_equal(sluice_device_add(scene.sluice, &device_config, &device), SLUICE_ERR_EXISTS);
    domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_domain_destroy(domain), SLUICE_ERR_BUSY);

    assert_int_equal(sluice_suspend(scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_suspend(scene.sluice), SLUICE_ERR_STATE);
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_domain_detach(device), SLUICE_ERR_STATE);
    assert_int_equal(sluice_device_remove(device), SLUICE_ERR_STATE);
    assert_int_equal(sluice_resume(scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_OK);
    /* Everything is gone with stop, and it can begin again. */
    assert_int_equal(sluice_start(scene.sluice), SLUICE_OK);
    scene_finish(&scene);
}

static void test_nothing_described(void **state)
{
    struct scene_config config = scene_defaults();
    struct scene scene;

    (void)state;
    config.no_tables = true;
    scene_init(&scene, &config);
    assert_int_equal(sluice_start(scene.sluice), SLUICE_ERR_NOT_FOUND);
    assert_true(model_host_logged(scene.machine->host, "no IOMMU is described"));
    scene_finish(&scene);
}

static void test_blocked_from_start(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_pages secret;
    struct scene scene;

    (void)state;
    scene_init(&scene, &config);
    secret = scene_page(&scene, 0x5a);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, secret.phys), 0x5a);
    assert_int_equal(sluice_start(scene.sluice), SLUICE_OK);
    for (unsigned i = 0; i < MACHINE_DEVICES_MAX; i++) {
        if (scene.machine->devices[i] == NULL)
            continue;
        scene.faults = 0;
        assert_int_equal(scene_reads(&scene, i, secret.phys), -1);
        assert_false(scene_writes(&scene, i, secret.phys, &secret));
        (void)sluice_fault_poll(scene.sluice);
        assert_int_equal(scene.faults, 2);
        assert_int_equal(scene.fault.reason, SLUICE_FAULT_BLOCKED);
        assert_int_equal(scene.fault.source, dma_device_rid(scene.machine->devices[i]));
        assert_true(scene.fault.address == secret.phys);
        assert_string_equal(scene.fault.unit, "vtd0");
    }
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, secret.phys), 0x5a);
    scene_page_free(&scene, secret);
    scene_finish(&scene);
}

/* Every allocation of a start fails once: nothing is left, and the machine is as before. */
static void test_start_out_of_memory(void **state)
{
    struct scene_config config = scene_defaults();
    enum sluice_status status = SLUICE_ERR_NO_MEMORY;
    struct machine_footprint before;
    unsigned failures = 0;
    struct scene scene;

    (void)state;
    config.machine.unit_count = 2;
    config.machine.units[1] = vtd_model_defaults();
    config.machine.units[1].base += 0x10000;
    config.machine.functions[MACHINE_DEV_B].unit = 1;
    scene_init(&scene, &config);
    config.machine = scene.machine->config;
    machine_footprint(scene.machine, &before);
    for (unsigned nth = 0; status != SLUICE_OK; nth++) {
        struct machine_footprint after;

        model_host_fail_allocation(scene.machine->host, nth, false);
        status = sluice_start(scene.sluice);
        model_host_fail_no_more(scene.machine->host);
        if (status == SLUICE_OK)
            break;
        failures++;
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
        machine_footprint(scene.machine, &after);
        assert_memory_equal(&before, &after, sizeof(before));
        assert_false(vtd_model_translating(scene.machine->units[0]));
        assert_false(vtd_model_translating(scene.machine->units[1]));
        assert_in_range(nth, 0, 200);
    }
    assert_in_range(failures, 6, 200);
    scene_finish(&scene);
}

/* The second unit does not start: the first is turned off again. */
static void test_all_units_or_none(void **state)
{
    struct scene_config config = scene_defaults();
    const struct vtd_model_injection broken = {.iotlb_never_done = true,
                                               .wait_never_written = true};
    const struct vtd_model_injection healthy = {0};
    struct scene scene;

    (void)state;
    config.machine.unit_count = 2;
    config.machine.units[1] = vtd_model_defaults();
    config.machine.units[1].base += 0x10000;
    scene_init(&scene, &config);
    vtd_model_inject(scene.machine->units[1], &broken);
    assert_int_equal(sluice_start(scene.sluice), SLUICE_ERR_TIMEOUT);
    assert_false(vtd_model_translating(scene.machine->units[0]));
    assert_int_equal(sluice_unit_count(scene.sluice), 0);
    vtd_model_inject(scene.machine->units[1], &healthy);
    assert_int_equal(sluice_start(scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_unit_count(scene.sluice), 2);
    scene_finish(&scene);
}

/* The second unit does not start: the first uses firmware's table again, which lets nothing pass.
 */
static void test_first_unit_is_firmwares_again(void **state)
{
    struct scene_config config = scene_defaults();
    sluice_phys_t registers = config.machine.units[0].base;
    struct model_host *host;
    struct sluice_pages root;
    struct scene scene;

    (void)state;
    config.machine.unit_count = 2;
    config.machine.units[1] = vtd_model_defaults();
    config.machine.units[1].base += 0x10000;
    scene_init(&scene, &config);
    host = scene.machine->host;
    root = model_host_buffer(host, 0, false);
    memset(root.virt, 0, SLUICE_PAGE_BYTES);
    model_host_buffer_writes(host);
    model_host_mmio_write(host, registers + 0x20, 8, root.phys); /* [VT-d 11.4.5] */
    model_host_mmio_write(host, registers + 0x18, 4, 1u << 30);
    while ((model_host_mmio_read(host, registers + 0x1c, 4) & 1u << 30) == 0)
        ;
    model_host_mmio_write(host, registers + 0x18, 4, 1u << 31);
    while ((model_host_mmio_read(host, registers + 0x1c, 4) & 1u << 31) == 0)
        ;
    model_host_violations_clear(host); /* firmware did not invalidate */
    vtd_model_inject(
        scene.machine->units[1],
        &(struct vtd_model_injection){.iotlb_never_done = true, .wait_never_written = true});
    assert_int_equal(sluice_start(scene.sluice), SLUICE_ERR_TIMEOUT);
    assert_true(vtd_model_translating(scene.machine->units[0]));
    assert_int_equal(model_host_mmio_read(host, registers + 0x20, 8), root.phys);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, root.phys), -1);
    assert_false(vtd_model_translating(scene.machine->units[1]));
    vtd_model_inject(scene.machine->units[1], &(struct vtd_model_injection){0});
    assert_int_equal(sluice_start(scene.sluice), SLUICE_OK);
    model_host_buffer_free(host, root, 0);
    scene_finish(&scene);
}

/* A unit that does not turn off: nothing is freed, nothing else works, stop can be tried again. */
static void test_stop_is_repeated(void **state)
{
    struct scene_config config = scene_defaults();
    const struct vtd_model_injection stuck = {.stuck_gsts = 1u << 31};
    const struct vtd_model_injection healthy = {0};
    struct sluice_device_config device_config = {.rid = RID_A};
    struct sluice_device *device;
    struct machine_footprint before;
    struct machine_footprint after;
    struct scene scene;

    (void)state;
    scene_start(&scene, &config);
    machine_footprint(scene.machine, &before);
    before.events = 0; /* the fault event is gone: it could be used no more */
    vtd_model_inject(scene.machine->units[0], &stuck);
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_ERR_TIMEOUT);
    machine_footprint(scene.machine, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(sluice_device_add(scene.sluice, &device_config, &device), SLUICE_ERR_STATE);
    assert_int_equal(sluice_start(scene.sluice), SLUICE_ERR_STATE);
    vtd_model_inject(scene.machine->units[0], &healthy);
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_OK);
    scene_finish(&scene);
}

struct text {
    unsigned lines;
    char all[8192];
};

static void collect(void *arg, const char *line)
{
    struct text *text = arg;
    size_t used = strlen(text->all);

    text->lines++;
    assert_true(used + strlen(line) + 2 < sizeof(text->all));
    (void)snprintf(text->all + used, sizeof(text->all) - used, "%s\n", line);
}

static void test_report(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_unit_info info;
    struct sluice_device *device;
    struct text text = {0};
    struct scene scene;

    (void)state;
    scene_init(&scene, &config);
    sluice_report(scene.sluice, collect, &text);
    assert_non_null(strstr(text.all, "not started"));
    assert_int_equal(sluice_start(scene.sluice), SLUICE_OK);
    device = scene_device(&scene, RID_A);
    assert_int_equal(sluice_domain_attach(scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED), device),
                     SLUICE_OK);
    memset(&text, 0, sizeof(text));
    sluice_report(scene.sluice, collect, &text);
    assert_non_null(strstr(text.all, "vtd0: Intel VT-d, segment 0000, registers at 0xfed90000, "
                                     "translation on"));
    assert_non_null(strstr(text.all, "0000:00:03.0 'device': vtd0, domain 'domain'"));
    assert_non_null(strstr(text.all, "domain 'domain': unmanaged, 1 devices"));
    assert_int_equal(sluice_unit_count(scene.sluice), 1);
    assert_int_equal(sluice_unit_info(scene.sluice, 0, &info), SLUICE_OK);
    assert_string_equal(info.driver, "Intel VT-d");
    assert_true(info.base == SCENE_BAR_BASE);
    assert_int_equal(info.iova_bits, 48);
    assert_true(info.started);
    assert_true(info.queued);
    assert_false(info.degraded);
    assert_int_equal(sluice_unit_info(scene.sluice, 1, &info), SLUICE_ERR_NOT_FOUND);
    scene_forget(device);
    scene_finish(&scene);
}

/* Two instances live side by side and know nothing of one another. */
static void test_two_instances(void **state)
{
    struct scene_config config = scene_defaults();
    struct sluice_device *devices[2];
    struct sluice_domain *domains[2];
    struct sluice_pages pages[2];
    struct scene scenes[2];

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        scene_start(&scenes[i], &config);
        devices[i] = scene_device(&scenes[i], RID_A);
        domains[i] = scene_domain(&scenes[i], SLUICE_DOMAIN_UNMANAGED);
        pages[i] = scene_page(&scenes[i], (uint8_t)(0x31 + i));
        scene_map(domains[i], SCENE_IOVA, &pages[i]);
    }
    assert_int_equal(sluice_domain_attach(domains[0], devices[1]), SLUICE_ERR_INVALID);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(sluice_domain_attach(domains[i], devices[i]), SLUICE_OK);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(scene_reads(&scenes[i], MACHINE_DEV_A, SCENE_IOVA), 0x31 + (int)i);
        scene_page_free(&scenes[i], pages[i]);
        scene_forget(devices[i]);
        scene_finish(&scenes[i]);
    }
}

static void test_fault_words(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SLUICE_FAULT_REASON_COUNT; i++) {
        const char *word = sluice_fault_reason_text((enum sluice_fault_reason)i);

        assert_non_null(word);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(word, sluice_fault_reason_text((enum sluice_fault_reason)j));
    }
    assert_string_equal(sluice_fault_reason_text(SLUICE_FAULT_REASON_COUNT), "unknown");
}

/** A level that is off is not formatted: this argument would be read. */
static void test_log_level(void **state)
{
    const char *nowhere = (const char *)1;
    struct scene_config config = scene_defaults();
    struct model_host *host;
    struct scene scene;
    unsigned before;

    (void)state;
    scene_init(&scene, &config);
    host = scene.machine->host;
    sluice_set_log_level(scene.sluice, SLUICE_LOG_WARNING);
    before = model_host_log_count(host, SLUICE_LOG_INFO);
    assert_int_equal(sluice_start(scene.sluice), SLUICE_OK);
    assert_int_equal(model_host_log_count(host, SLUICE_LOG_INFO), before);
    log_info(scene.sluice, "%s", nowhere);
    log_debug(scene.sluice, "%s", nowhere);
    log_warning(scene.sluice, "%s", "heard of");
    assert_true(model_host_logged(host, "heard of"));
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_OK);
    sluice_set_log_level(scene.sluice, SLUICE_LOG_INFO);
    assert_int_equal(sluice_start(scene.sluice), SLUICE_OK);
    assert_true(model_host_log_count(host, SLUICE_LOG_INFO) > before);
    log_debug(scene.sluice, "%s", nowhere);
    scene_finish(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_level),
        cmocka_unit_test(test_create_needs_hooks),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_nothing_described),
        cmocka_unit_test(test_blocked_from_start),
        cmocka_unit_test(test_start_out_of_memory),
        cmocka_unit_test(test_all_units_or_none),
        cmocka_unit_test(test_first_unit_is_firmwares_again),
        cmocka_unit_test(test_stop_is_repeated),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_two_instances),
        cmocka_unit_test(test_fault_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
