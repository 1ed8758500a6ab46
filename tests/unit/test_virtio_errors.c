// SPDX-License-Identifier: MIT
/*
 * The virtio-iommu driver on devices that lie, refuse or die: nothing that was not confirmed counts
 * as taken away, every wait ends, and what is refused for good reason leaves everything usable.
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
    DETACH,
    MAP,
    UNMAP,
    PROBE
};
enum {
    INVAL = 4,
    NOMEM = 8
};

/* ---- devices that cannot be relied on any more ---- */

struct breakage {
    struct virtio_model_injection how;
    enum sluice_status expected; /**< of an unmap */
    const char *why;             /**< in the log */
};

static const struct breakage breakages[] = {
    {{.stuck = true}, SLUICE_ERR_TIMEOUT, "no answer to UNMAP in time"},
    {{.needs_reset_at = 1}, SLUICE_ERR_HARDWARE, "it needs a reset"},
    {{.gone_at = 1}, SLUICE_ERR_HARDWARE, "registers read all ones"},
    {{.silent = true}, SLUICE_ERR_HARDWARE, "it refused UNMAP"},
    {{.bad_id = true}, SLUICE_ERR_HARDWARE, "which was not in flight"},
    {{.bad_id_twice = true}, SLUICE_ERR_HARDWARE, "it completed 2 requests of 1"},
    {{.bad_index = true}, SLUICE_ERR_HARDWARE, "it completed 1001 requests of 1"},
    {{.bad_bytes = 3}, SLUICE_ERR_HARDWARE, "it says that it wrote 3 of 4 bytes"},
    {{.bad_bytes = 5000}, SLUICE_ERR_HARDWARE, "it says that it wrote 5000 of 4 bytes"},
    {{.refuse_type = UNMAP, .refuse_status = INVAL}, SLUICE_ERR_HARDWARE, "it refused UNMAP"},
    {{.refuse_type = UNMAP, .refuse_status = 99}, SLUICE_ERR_HARDWARE, "no such status (99)"},
};

static void break_once(const struct breakage *breakage, bool mmio)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct sluice_domain *other;
    struct virtio_scene at;

    config.mmio = mmio;
    virtio_scene_start(&at, &config);
    virtio_scene_inject(&at, breakage->how);
    assert_int_equal(sluice_domain_unmap(at.domain, SCENE_IOVA, 16 * PAGE, NULL),
                     breakage->expected);
    assert_true(virtio_scene_degraded(&at));
    assert_true(model_host_logged(at.scene.machine->host, breakage->why));
    /* Nothing is believed from then on, also when it is well again. */
    virtio_scene_inject(&at, (struct virtio_model_injection){0});
    assert_int_not_equal(sluice_domain_map(at.domain, 0x50000000, at.page.phys, PAGE, 3),
                         SLUICE_OK);
    other = scene_domain(&at.scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_not_equal(sluice_domain_attach(other, at.device), SLUICE_OK);
    assert_null(sluice_device_domain(at.device));
    virtio_scene_break_off(&at, 1);
}

static void test_breakages(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof(breakages) / sizeof(breakages[0]); i++)
        break_once(&breakages[i / 2], i % 2 != 0);
}

/* A restart resets the device, and it counts again. */
static void test_restart(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct virtio_scene at;

    (void)state;
    virtio_scene_start(&at, &config);
    virtio_scene_inject(&at, (struct virtio_model_injection){.stuck = true});
    assert_int_equal(sluice_domain_detach(at.device), SLUICE_ERR_TIMEOUT);
    virtio_scene_inject(&at, (struct virtio_model_injection){0});
    assert_int_equal(sluice_stop(at.scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_start(at.scene.sluice), SLUICE_OK);
    assert_false(virtio_scene_degraded(&at));
    model_host_buffer_free(at.scene.machine->host, at.page, 4);
    virtio_scene_fill(&at);
    virtio_scene_break_off(&at, 0);
}

/* ---- refusals that leave everything as it was ---- */

static void test_map_refused(void **state)
{
    static const struct {
        uint8_t status;
        enum sluice_status expected;
    } rows[] = {{NOMEM, SLUICE_ERR_NO_MEMORY}, {INVAL, SLUICE_ERR_UNSUPPORTED}};
    struct virtio_model_config config = virtio_model_defaults();

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sluice_dma_segment pieces[200];
        struct sluice_mapping mapping;
        struct virtio_scene at;
        struct pt_list list;

        virtio_scene_start(&at, &config);
        virtio_scene_inject(&at, (struct virtio_model_injection){.refuse_type = MAP,
                                                                 .refuse_at = 150,
                                                                 .refuse_count = 1,
                                                                 .refuse_status = rows[i].status});
        for (unsigned j = 0; j < 200; j++)
            pieces[j] = (struct sluice_dma_segment){at.page.phys + (j * 2 % 16) * PAGE, PAGE};
        list = pt_list_of(pieces, 200);
        assert_int_equal(domain_map_list(at.domain, 0x50000000, &list, SCENE_READWRITE),
                         rows[i].expected);
        assert_false(virtio_scene_degraded(&at));
        /* All of it is undone, and the rest lives. */
        assert_int_equal(virtio_model_mappings(at.unit), 1);
        assert_int_equal(sluice_domain_lookup(at.domain, 0x50000000, &mapping),
                         SLUICE_ERR_NOT_FOUND);
        assert_int_equal(virtio_scene_reads(&at, 0x50000000), -1);
        assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), FILL);
        assert_int_equal(domain_map_list(at.domain, 0x50000000, &list, SCENE_READWRITE), SLUICE_OK);
        assert_int_equal(sluice_domain_unmap(at.domain, 0x50000000, 200 * PAGE, NULL), SLUICE_OK);
        virtio_scene_finish(&at);
    }
}

static void test_attach_refused(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct sluice_domain *other;
    struct virtio_scene at;

    (void)state;
    virtio_scene_start(&at, &config);
    other = scene_domain(&at.scene, SLUICE_DOMAIN_UNMANAGED);
    assert_int_equal(sluice_domain_detach(at.device), SLUICE_OK);
    virtio_scene_inject(
        &at, (struct virtio_model_injection){
                 .refuse_type = ATTACH, .refuse_at = 1, .refuse_count = 1, .refuse_status = NOMEM});
    /* It was blocked, and is. */
    assert_int_equal(sluice_domain_attach(at.domain, at.device), SLUICE_ERR_NO_MEMORY);
    assert_null(sluice_device_domain(at.device));
    assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), -1);
    assert_int_equal(sluice_domain_attach(at.domain, at.device), SLUICE_OK);
    assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), FILL);
    /* It was in a domain, and where it is after a refusal is not said: out of all. */
    virtio_scene_inject(
        &at, (struct virtio_model_injection){
                 .refuse_type = ATTACH, .refuse_at = 1, .refuse_count = 1, .refuse_status = INVAL});
    assert_int_equal(sluice_domain_attach(other, at.device), SLUICE_ERR_HARDWARE);
    assert_null(sluice_device_domain(at.device));
    assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), -1);
    virtio_scene_break_off(&at, 0);
}

static uint64_t lie_once(void *arg, enum virtio_model_word word, uint64_t honest)
{
    unsigned *left = arg;

    if (word != VIRTIO_MODEL_STATUS || *left == 0)
        return honest;
    (*left)--;
    return NOMEM;
}

/* It says that it refused to attach, and did not: a neighbour's memory is not within reach. */
static void test_attach_refused_falsely(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct sluice_device *other;
    struct virtio_scene at;
    unsigned left = 1;

    (void)state;
    config.features &= ~((uint64_t)1 << 4); /* PROBE, so that the lie is about ATTACH */
    virtio_scene_start(&at, &config);
    other = scene_device(&at.scene, RID_B);
    virtio_model_set_twist(at.unit, lie_once, &left);
    assert_int_equal(sluice_domain_attach(at.domain, other), SLUICE_ERR_NO_MEMORY);
    assert_int_equal(left, 0);
    assert_null(sluice_device_domain(other));
    assert_int_equal(scene_reads(&at.scene, MACHINE_DEV_B, SCENE_IOVA), -1);
    assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), FILL);
    assert_false(virtio_scene_degraded(&at));
    /* Not even into the domain of nothing: it is believed in nothing any more. */
    left = 2;
    assert_int_equal(sluice_domain_attach(at.domain, other), SLUICE_ERR_HARDWARE);
    assert_true(virtio_scene_degraded(&at));
    virtio_model_set_twist(at.unit, NULL, NULL);
    scene_forget(other);
    virtio_scene_break_off(&at, 0);
}

/* It has no room for all of a domain: the device does not join. */
static void test_replay_refused(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct virtio_scene at;

    (void)state;
    config.mappings_most = 20;
    virtio_scene_start(&at, &config);
    assert_int_equal(sluice_domain_detach(at.device), SLUICE_OK);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(sluice_domain_map(at.domain, 0x50000000 + i * PAGE, at.page.phys, PAGE, 1),
                         SLUICE_OK);
    assert_int_equal(sluice_domain_attach(at.domain, at.device), SLUICE_ERR_NO_MEMORY);
    assert_null(sluice_device_domain(at.device));
    assert_int_equal(virtio_model_mappings(at.unit), 0);
    assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), -1);
    assert_false(virtio_scene_degraded(&at));
    assert_int_equal(sluice_domain_unmap(at.domain, 0x50000000, 10 * PAGE, NULL), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(at.domain, at.device), SLUICE_OK);
    assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), FILL);
    virtio_scene_finish(&at);
}

/* No memory at any point: an error, and everything is as before. */
static void test_out_of_memory(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct model_host *host;
    struct virtio_scene at;
    unsigned failed = 0;

    (void)state;
    virtio_scene_start(&at, &config);
    host = at.scene.machine->host;
    for (unsigned nth = 0;; nth++) {
        enum sluice_status status;

        model_host_fail_allocation(host, nth, false);
        status = sluice_domain_map(at.domain, 0x5000000000, at.page.phys, 5 * PAGE, 3);
        if (status == SLUICE_OK)
            break;
        failed++;
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
        assert_int_equal(virtio_model_mappings(at.unit), 1);
        assert_false(virtio_scene_degraded(&at));
    }
    assert_true(failed >= 1);
    model_host_fail_no_more(host);
    assert_int_equal(sluice_domain_detach(at.device), SLUICE_OK);
    for (unsigned nth = 0, last = 0; last == 0; nth++) {
        model_host_fail_allocation(host, nth, false);
        if (sluice_domain_attach(at.domain, at.device) == SLUICE_OK)
            last = 1;
        else
            assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), -1);
        assert_true(nth < 100);
    }
    model_host_fail_no_more(host);
    assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), FILL);
    virtio_scene_finish(&at);
}

/* A part of a mapping cannot be taken away without memory: all of it stays, and nobody is told
 * that it went. */
static void test_cut_without_memory(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct virtio_scene at;

    (void)state;
    virtio_scene_start(&at, &config);
    model_host_fail_allocation(at.scene.machine->host, 0, true);
    assert_int_equal(sluice_domain_unmap(at.domain, SCENE_IOVA + PAGE, PAGE, NULL),
                     SLUICE_ERR_HARDWARE);
    model_host_fail_no_more(at.scene.machine->host);
    assert_int_equal(virtio_model_mappings(at.unit), 1);
    assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), FILL);
    virtio_scene_break_off(&at, 1);
}

/* ---- starting and stopping ---- */

static void test_start_refused(void **state)
{
    static const struct {
        struct virtio_model_injection how;
        enum sluice_status expected;
    } rows[] = {
        {{.refuses_features = true}, SLUICE_ERR_UNSUPPORTED},
        {{.stuck_bypass = true}, SLUICE_ERR_HARDWARE},
        {{.stuck = true}, SLUICE_ERR_TIMEOUT},
        {{.moving_config = true}, SLUICE_ERR_UNSUPPORTED},
        {{.refuse_type = ATTACH, .refuse_status = 3}, SLUICE_OK}, /* nobody is let through */
    };
    struct virtio_model_config config = virtio_model_defaults();

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        struct virtio_scene at;

        config.mmio = i % 2 != 0;
        virtio_scene_init(&at, &config);
        virtio_scene_inject(&at, rows[i / 2].how);
        assert_int_equal(sluice_start(at.scene.sluice), rows[i / 2].expected);
        virtio_scene_inject(&at, (struct virtio_model_injection){0});
        if (rows[i / 2].expected != SLUICE_OK) {
            assert_int_equal(virtio_model_bypass(at.unit), 1); /* as it was found */
            assert_int_equal(sluice_start(at.scene.sluice), SLUICE_OK);
        }
        assert_int_equal(scene_reads(&at.scene, MACHINE_DEV_B, 0x100000), -1);
        virtio_scene_finish(&at);
    }
}

/* What is no device of version 2 is not driven, and says so. */
static void test_mmio_refused(void **state)
{
    static const struct {
        bool legacy, in_use;
        sluice_phys_t base;
        enum sluice_status expected;
        const char *why;
    } rows[] = {
        {true, false, 0, SLUICE_ERR_UNSUPPORTED, "version 1, device 23"},
        {false, true, 0, SLUICE_ERR_HARDWARE, "queue 0 is in use"},
        {false, false, 2, SLUICE_ERR_FIRMWARE, "absurd"},
    };
    struct virtio_model_config config = virtio_model_defaults();

    (void)state;
    config.mmio = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct virtio_model_config one = config;
        struct virtio_scene at;

        one.legacy = rows[i].legacy;
        one.base += rows[i].base;
        virtio_scene_init(&at, &one);
        virtio_scene_inject(&at, (struct virtio_model_injection){.queue_in_use = rows[i].in_use});
        assert_int_equal(sluice_start(at.scene.sluice), rows[i].expected);
        assert_true(model_host_logged(at.scene.machine->host, rows[i].why));
        virtio_scene_inject(&at, (struct virtio_model_injection){0});
        virtio_scene_finish(&at);
    }
}

static void test_stop_refused(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct virtio_scene at;

    (void)state;
    virtio_scene_start(&at, &config);
    scene_forget(at.device);
    at.device = NULL;
    virtio_scene_inject(&at, (struct virtio_model_injection){.stuck_reset = true});
    assert_int_equal(sluice_stop(at.scene.sluice), SLUICE_ERR_TIMEOUT);
    assert_true(virtio_scene_degraded(&at));
    /* Its queues are not freed while it may write there. */
    assert_true(model_host_pages_in_use(at.scene.machine->host) >= 10);
    virtio_scene_inject(&at, (struct virtio_model_injection){0});
    virtio_scene_finish(&at);
}

/* ---- faults ---- */

static void write_somewhere(struct virtio_scene *at, sluice_iova_t iova)
{
    uint8_t byte = 0;

    assert_false(dma_device_write(at->scene.machine->devices[MACHINE_DEV_A], iova, &byte, 1, NULL));
}

static void test_faults(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct virtio_scene at;

    (void)state;
    virtio_scene_start(&at, &config);
    /* By its own interrupt, one after the other: buffers come back. */
    for (unsigned i = 0; i < 1000; i++) {
        write_somewhere(&at, 0x80000000 + i * PAGE);
        assert_int_equal(at.scene.faults, i + 1);
        assert_int_equal(at.scene.fault.address, 0x80000000 + i * PAGE);
        assert_int_equal(at.scene.fault.reason, SLUICE_FAULT_NOT_MAPPED);
        assert_int_equal(at.scene.fault.access, SLUICE_ACCESS_WRITE);
        assert_false(at.scene.fault.records_lost);
    }
    assert_int_equal(sluice_domain_map(at.domain, 0x50000000, at.page.phys, PAGE, 1), SLUICE_OK);
    write_somewhere(&at, 0x50000010);
    assert_int_equal(at.scene.fault.reason, SLUICE_FAULT_WRITE_DENIED);
    assert_int_equal(virtio_scene_stats(&at).reports_lost, 0);
    virtio_scene_finish(&at);
}

static void test_faults_lost(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct virtio_scene at;

    (void)state;
    config.messages = false; /* polled */
    virtio_scene_start(&at, &config);
    for (unsigned i = 0; i < 100; i++)
        write_somewhere(&at, 0x80000000 + i * PAGE);
    assert_int_equal(at.scene.faults, 0);
    assert_int_equal(virtio_scene_stats(&at).reports_lost, 36);
    assert_int_equal(sluice_fault_poll(at.scene.sluice), 64);
    assert_int_equal(at.scene.faults, 64);
    write_somewhere(&at, 0x80000000);
    assert_int_equal(sluice_fault_poll(at.scene.sluice), 1);
    assert_false(at.scene.fault.records_lost);
    virtio_scene_finish(&at);
}

static unsigned lost_seen;

static void count_lost(void *arg, const struct sluice_fault *fault)
{
    (void)arg;
    lost_seen += fault->records_lost;
}

static void configure_lost(struct sluice_config *config, void *arg)
{
    (void)arg;
    config->on_fault = count_lost;
}

static void test_lost_is_told(void **state)
{
    struct virtio_model_config config = virtio_model_defaults();
    struct scene_config scene = virtio_scene_config(&config);
    struct virtio_scene at = {.device = NULL};

    (void)state;
    lost_seen = 0;
    config.messages = false;
    scene.configure = configure_lost;
    scene_start(&at.scene, &scene);
    at.unit = at.scene.machine->unit;
    virtio_scene_fill(&at);
    for (unsigned i = 0; i < 65; i++)
        write_somewhere(&at, 0x80000000);
    assert_int_equal(sluice_fault_poll(at.scene.sluice), 64);
    assert_true(lost_seen > 0);
    virtio_scene_finish(&at);
}

static void test_odd_reports(void **state)
{
    static const struct virtio_model_injection rows[] = {
        {.bad_event_id = true}, {.short_event = true}, {.bad_event_index = true}};
    const uint32_t nonsense[6] = {0xffffffff, 0xffffffff, 0xffffffff, 0, 0xffffffff, 0xffffffff};
    struct virtio_model_config config = virtio_model_defaults();

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct virtio_scene at;

        virtio_scene_start(&at, &config);
        virtio_scene_inject(&at, rows[i]);
        for (unsigned j = 0; j < 200; j++)
            write_somewhere(&at, 0x80000000);
        assert_int_equal(at.scene.faults, 0);
        virtio_scene_inject(&at, (struct virtio_model_injection){0});
        /* What is wrong with reports takes nothing else with it. */
        assert_int_equal(virtio_scene_reads(&at, SCENE_IOVA), FILL);
        assert_int_equal(sluice_domain_unmap(at.domain, SCENE_IOVA, 16 * PAGE, NULL), SLUICE_OK);
        virtio_scene_finish(&at);
    }
    {
        struct virtio_scene at;

        virtio_scene_start(&at, &config);
        virtio_model_report(at.unit, nonsense, sizeof(nonsense));
        (void)sluice_fault_poll(at.scene.sluice);
        assert_int_equal(at.scene.fault.hardware_code, 0xff);
        assert_string_equal(at.scene.fault.hardware_text, "unknown reason");
        virtio_scene_finish(&at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_breakages),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_map_refused),
        cmocka_unit_test(test_attach_refused),
        cmocka_unit_test(test_replay_refused),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_cut_without_memory),
        cmocka_unit_test(test_start_refused),
        cmocka_unit_test(test_stop_refused),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_faults_lost),
        cmocka_unit_test(test_lost_is_told),
        cmocka_unit_test(test_odd_reports),
        cmocka_unit_test(test_mmio_refused),
        cmocka_unit_test(test_attach_refused_falsely),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
