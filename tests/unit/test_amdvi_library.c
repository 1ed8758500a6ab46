// SPDX-License-Identifier: MIT
/*
 * The library through its public API on a machine with an AMD-Vi unit: what IVRS says and VT-d's
 * tables cannot, and what happens when the unit does not answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "scene.h"

#define RID_A   SLUICE_RID(0, 3, 0)
#define RID_B   SLUICE_RID(0, 4, 0)
#define MEMORY  ((sluice_phys_t)0x180000)
#define SPECIAL ((sluice_iova_t)0xfdf8000000)

#define injection struct amdvi_model_injection

static void inject(struct scene *scene, injection what)
{
    amdvi_model_inject(scene->machine->amd, &what);
}

static void blocked_from_start(void **state)
{
    struct scene_config config = scene_defaults_amd();
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
        assert_string_equal(scene.fault.unit, "amdvi0");
    }
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, secret.phys), 0x5a);
    scene_page_free(&scene, secret);
    scene_finish(&scene);
}

/* ---- memory that firmware keeps ---- */

/* What a device reaches of MEMORY when it is in no domain. */
static void memory_row(uint8_t flags, bool reads, bool writes)
{
    struct scene_config config = scene_defaults_amd();
    struct scene scene;
    uint8_t *memory;
    uint8_t byte = 0x55;

    config.machine.regions[0] = (struct machine_region){
        .base = MEMORY, .last = MEMORY + 0xfff, .rid = RID_A, .ivmd_flags = flags};
    scene_start(&scene, &config);
    memory = model_host_virt(scene.machine->host, MEMORY);
    memory[0] = 0x77;
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, MEMORY), reads ? 0x77 : -1);
    assert_true(dma_device_write(scene.machine->devices[MACHINE_DEV_A], MEMORY, &byte, 1, NULL) ==
                writes);
    assert_int_equal(memory[0], writes ? 0x55 : 0x77);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_B, MEMORY), -1);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, MEMORY + 0x1000), -1);
    scene_finish(&scene);
}

static void memory_flags(void **state)
{
    (void)state;
    memory_row(0x07, true, true);
    memory_row(0x03, true, false);
    memory_row(0x05, false, true);
    memory_row(0x08, true, true); /* an exclusion range, for this device alone */
    memory_row(0x06, false, false);
}

/* A range of devices, one of which does not answer when the library starts. */
static void memory_of_a_range(void **state)
{
    struct scene_config config = scene_defaults_amd();
    struct sluice_reserved_region region;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct scene scene;
    uint8_t *memory;

    (void)state;
    config.machine.regions[0] = (struct machine_region){.base = MEMORY,
                                                        .last = MEMORY + 0xfff,
                                                        .rid = SLUICE_RID(0, 1, 0),
                                                        .last_rid = SLUICE_RID(0, 0x1f, 7)};
    scene_start(&scene, &config);
    memory = model_host_virt(scene.machine->host, MEMORY);
    memory[5] = 0x78;
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, MEMORY + 5), 0x78);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_B, MEMORY + 5), 0x78);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_BELOW, MEMORY + 5), -1);
    device = scene_device(&scene, RID_B);
    assert_int_equal(sluice_device_reserved(device, 2, &region), SLUICE_OK);
    assert_true(region.kind == SLUICE_RESERVED_FIRMWARE && region.first == MEMORY);
    domain = scene_domain(&scene, SLUICE_DOMAIN_DMA);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_B, MEMORY + 5), 0x78);
    scene_forget(device);
    scene_finish(&scene);
}

/*
 * Every allocation of a start with such memory fails once: nothing is left. But for one: where 2
 * MiB in a piece are not to be had, a shorter device table does.
 */
static void start_out_of_memory(void **state)
{
    struct scene_config config = scene_defaults_amd();
    struct machine_footprint before, after;
    unsigned failures = 0, successes = 0;
    struct scene scene;

    (void)state;
    config.machine.regions[0] =
        (struct machine_region){.base = MEMORY, .last = MEMORY + 0xfff, .rid = RID_A};
    scene_init(&scene, &config);
    machine_footprint(scene.machine, &before);
    for (unsigned nth = 0; successes < 2; nth++) {
        enum sluice_status status;

        assert_in_range(nth, 0, 200);
        model_host_fail_allocation(scene.machine->host, nth, false);
        status = sluice_start(scene.sluice);
        model_host_fail_no_more(scene.machine->host);
        if (status == SLUICE_OK) {
            successes++;
            assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, MEMORY), 0);
            assert_int_equal(scene_reads(&scene, MACHINE_DEV_B, MEMORY), -1);
            assert_int_equal(sluice_stop(scene.sluice), SLUICE_OK);
        } else {
            failures++;
            assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
            assert_false(amdvi_model_translating(scene.machine->amd));
        }
        machine_footprint(scene.machine, &after);
        assert_memory_equal(&before, &after, sizeof(before));
    }
    assert_in_range(failures, 9, 200);
    scene_finish(&scene);
}

/* ---- requester IDs of which only firmware knows ---- */

static void told_alias(void **state)
{
    struct scene_config config = scene_defaults_amd();
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_pages page;
    struct scene scene;

    (void)state;
    config.machine.functions[MACHINE_DEV_B].dma_rid = SLUICE_RID(0, 4, 5);
    config.machine.functions[MACHINE_DEV_B].told = true;
    scene_start(&scene, &config);
    page = scene_page(&scene, 0x41);
    device = scene_device(&scene, RID_B);
    domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    scene_map(domain, SCENE_IOVA, &page);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_B, SCENE_IOVA), 0x41);
    assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_B, SCENE_IOVA), -1);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    scene_page_free(&scene, page);
    scene_finish(&scene);
}

/* ---- addresses that mean something else ---- */

static void special_addresses(void **state)
{
    struct scene_config config = scene_defaults_amd();
    struct sluice_device *device;
    struct sluice_domain *domain, *late;
    struct scene scene;

    (void)state;
    scene_start(&scene, &config);
    device = scene_device(&scene, RID_A);
    domain = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(sluice_domain_map(domain, SPECIAL, 0, 4096, 1), SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_map(domain, 0xffffffffffff & ~0xfffull, 0, 4096, 1), SLUICE_OK);
    /* Also before a device is there: from the domain's first moment. */
    late = scene_domain(&scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_map(late, 0xfd00001000, 0, 4096, 1), SLUICE_ERR_DENIED);
    assert_int_equal(sluice_domain_attach(late, device), SLUICE_OK);
    scene_forget(device);
    scene_finish(&scene);
}

/* ---- a unit that does not answer ---- */

static void unmap_without_answer(void **state)
{
    struct scene_config config = scene_defaults_amd();
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
    inject(&scene, (injection){.wait_never_written = true});
    assert_int_equal(sluice_domain_unmap(domain, SCENE_IOVA, 1 << 30, NULL), SLUICE_ERR_TIMEOUT);
    assert_int_equal(sluice_unit_info(scene.sluice, 0, &info), SLUICE_OK);
    assert_true(info.degraded);
    assert_true(info.withheld_pages > 0);
    inject(&scene, (injection){0});
    scene_page_free(&scene, page);
    /* Whether this is confirmed or not: it is out. */
    if (sluice_domain_detach(device) != SLUICE_OK)
        assert_null(sluice_device_domain(device));
    assert_null(sluice_device_domain(device));
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_destroy(scene.sluice), SLUICE_OK);
    /* All of the domain's tables are still there. */
    assert_in_range(machine_destroy(scene.machine), 3, 8);
}

static void attach_without_answer(void **state)
{
    struct scene_config config = scene_defaults_amd();
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
    inject(&scene, (injection){.wait_never_written = true});
    assert_int_equal(sluice_domain_attach(domains[1], device), SLUICE_ERR_TIMEOUT);
    inject(&scene, (injection){0});
    assert_null(sluice_device_domain(device));
    amdvi_model_evict(scene.machine->amd);
    assert_int_equal(scene_reads(&scene, MACHINE_DEV_A, SCENE_IOVA), -1);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(sluice_domain_destroy(domains[i]), SLUICE_OK);
    assert_true(model_host_logged(scene.machine->host, "are withheld"));
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    scene_page_free(&scene, page);
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_destroy(scene.sluice), SLUICE_OK);
    assert_in_range(machine_destroy(scene.machine), 2, 8);
}

/* A unit that does not turn off: nothing is freed, and stop can be tried again. */
static void stop_is_repeated(void **state)
{
    struct scene_config config = scene_defaults_amd();
    struct machine_footprint before, after;
    struct scene scene;

    (void)state;
    scene_start(&scene, &config);
    machine_footprint(scene.machine, &before);
    before.events = 0; /* it could be used no more */
    inject(&scene, (injection){.stuck_status = 1u << 4});
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_ERR_TIMEOUT);
    machine_footprint(scene.machine, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(sluice_start(scene.sluice), SLUICE_ERR_STATE);
    inject(&scene, (injection){0});
    assert_int_equal(sluice_stop(scene.sluice), SLUICE_OK);
    scene_finish(&scene);
}

/* Two devices that IVRS says use one ID, which is nobody's own: the unit cannot tell them apart. */
static void borrowed_by_two(void **state)
{
    struct scene_config config = scene_defaults_amd();
    uint64_t group_a, group_b;
    struct scene scene;

    (void)state;
    for (unsigned i = MACHINE_DEV_A; i <= MACHINE_DEV_B; i++) {
        config.machine.functions[i].told = true;
        config.machine.functions[i].dma_rid = SLUICE_RID(0, 9, 0);
    }
    scene_start(&scene, &config);
    assert_int_equal(sluice_group_of(scene.sluice, 0, SLUICE_RID(0, 3, 0), &group_a), SLUICE_OK);
    assert_int_equal(sluice_group_of(scene.sluice, 0, SLUICE_RID(0, 4, 0), &group_b), SLUICE_OK);
    assert_int_equal(group_a, group_b);
    scene_finish(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocked_from_start),   cmocka_unit_test(memory_flags),
        cmocka_unit_test(memory_of_a_range),    cmocka_unit_test(start_out_of_memory),
        cmocka_unit_test(told_alias),           cmocka_unit_test(special_addresses),
        cmocka_unit_test(unmap_without_answer), cmocka_unit_test(attach_without_answer),
        cmocka_unit_test(stop_is_repeated),     cmocka_unit_test(borrowed_by_two),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
