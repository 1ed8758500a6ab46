// SPDX-License-Identifier: MIT
/*
 * The VT-d model's queued invalidation, its errors and injections, fault records and events, and
 * device TLBs.
 */
#include "vtd_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define D_CONTEXT_GLOBAL (1 | 1u << 4)
#define D_IOTLB_GLOBAL   (2 | 1u << 4)
#define D_DEVICE(rid)    (3 | (uint64_t)(rid) << 32)
#define FSTS_IQE         (1u << 4)
#define FSTS_ICE         (1u << 5)
#define FSTS_ITE         (1u << 6)

static struct rig rig;
static unsigned events;

static void count_event(void *arg)
{
    (void)arg;
    events++;
}

static void start(const struct vtd_model_config *config)
{
    events = 0;
    rig_init(&rig, NULL, config);
    rig_attach(&rig, RIG_RID, RIG_DID);
    if (config->device_tlb)
        rig_set_context(&rig, RIG_RID, rig.top.phys | 1 | 1u << 2, RIG_DID << 8 | 2);
    rig_set_entry(&rig, RIG_IOVA, 1, rig.pages[0].phys | RIG_READ | RIG_WRITE);
    rig_enable(&rig);
    rig_queue_enable(&rig);
}

static int setup(void **state)
{
    struct vtd_model_config config = vtd_model_defaults();

    (void)state;
    config.device_tlb = true;
    start(&config);
    return 0;
}

static int setup_plain(void **state)
{
    struct vtd_model_config config = vtd_model_defaults();

    (void)state;
    start(&config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)rig_finish(&rig);
    return 0;
}

static int peek(uint64_t address)
{
    struct model_dma_result result;
    uint8_t byte;

    return dma_device_read(rig.device, address, &byte, 1, &result) ? byte : -(int)result.reason;
}

static void inject(struct vtd_model_injection what)
{
    vtd_model_inject(rig.unit, &what);
}

static void install_event(unsigned data_offset, unsigned control_offset)
{
    const struct sluice_host_ops *ops = model_host_ops(rig.host);
    struct sluice_event_handler handler = {.handler = count_event};
    struct sluice_msi msi;
    void *handle;

    assert_true(ops->event_install(rig.host, "test", &handler, &msi, &handle));
    rig_set32(&rig, data_offset, msi.data);
    rig_set32(&rig, data_offset + 4, (uint32_t)msi.address);
    rig_set32(&rig, data_offset + 8, (uint32_t)(msi.address >> 32));
    rig_set32(&rig, control_offset, 0);
}

static void test_descriptors_invalidate(void **state)
{
    (void)state;
    assert_int_equal(peek(RIG_IOVA), 0x11);
    rig_set_entry(&rig, RIG_IOVA, 1, rig.pages[1].phys | RIG_READ);
    rig_queue_put(&rig, 2 | RIG_NARROW << 4 | RIG_DID << 16, RIG_IOVA + 0x1000);
    rig_queue_wait(&rig, 7);
    assert_int_equal(rig_status(&rig), 7);
    assert_int_equal(peek(RIG_IOVA), 0x11);
    rig_queue_put(&rig, 2 | RIG_NARROW << 4 | RIG_DID << 16, RIG_IOVA | 0x40);
    rig_queue_wait(&rig, 8);
    assert_int_equal(peek(RIG_IOVA), 0x22);
    rig_set_context(&rig, RIG_RID, 0, 0);
    rig_queue_put(&rig, D_IOTLB_GLOBAL, 0);
    rig_queue_wait(&rig, 9);
    assert_int_equal(peek(RIG_IOVA), 0x22);
    rig_queue_put(&rig, 1 | RIG_NARROW << 4 | RIG_DID << 16 | (uint64_t)RIG_RID << 32, 0);
    rig_queue_put(&rig, 2 | RIG_DOMAIN << 4 | RIG_DID << 16, 0);
    rig_queue_wait(&rig, 10);
    assert_int_equal(rig_status(&rig), 10);
    assert_int_equal(peek(RIG_IOVA), -VTD_REASON_CONTEXT_ABSENT);
    assert_int_equal(model_host_violations(rig.host), 0);
}

static void test_queue_wraps(void **state)
{
    struct vtd_model_stats stats;

    (void)state;
    for (uint32_t i = 1; i <= 600; i++) {
        rig_queue_put(&rig, D_IOTLB_GLOBAL, 0);
        rig_queue_wait(&rig, i);
        assert_int_equal(rig_status(&rig), i);
    }
    vtd_model_stats(rig.unit, &stats);
    assert_int_equal(stats.descriptors, 1200);
    assert_int_equal(rig_get64(&rig, 0x80), rig_get64(&rig, 0x88));
    assert_true(rig_command(&rig, 1u << 31, 1u << 26, 0));
    assert_int_equal(rig_get64(&rig, 0x80), 0);
}

static void test_wait_interrupts(void **state)
{
    (void)state;
    install_event(0xa4, 0xa0);
    rig_queue_put(&rig, 5 | 1u << 4, 0);
    rig_queue_ring(&rig);
    assert_int_equal(rig_get32(&rig, 0x9c), 1);
    assert_int_equal(model_host_run_events(rig.host), 1);
    assert_int_equal(events, 1);
    rig_set32(&rig, 0x9c, 1);
    assert_int_equal(rig_get32(&rig, 0x9c), 0);
}

static void test_bad_descriptors_raise_iqe(void **state)
{
    uint64_t *queue = rig.queue.virt;

    (void)state;
    rig_queue_put(&rig, 0xf, 0);
    rig_queue_wait(&rig, 1);
    assert_int_equal(rig_get32(&rig, 0x34) & FSTS_IQE, FSTS_IQE);
    assert_int_equal(rig_get64(&rig, 0xb0) & 0xf, 3);
    assert_int_equal(rig_get64(&rig, 0x80), 0);
    assert_int_equal(rig_status(&rig), 0);
    queue[0] = D_IOTLB_GLOBAL | 1u << 14; /* now a reserved bit */
    rig_set32(&rig, 0x34, FSTS_IQE);
    assert_int_equal(rig_get32(&rig, 0x34) & FSTS_IQE, FSTS_IQE);
    assert_int_equal(rig_get64(&rig, 0xb0) & 0xf, 4);
    queue[0] = D_IOTLB_GLOBAL; /* mended: it goes on from the head */
    rig_set32(&rig, 0x34, FSTS_IQE);
    assert_int_equal(rig_get32(&rig, 0x34) & FSTS_IQE, 0);
    assert_int_equal(rig_status(&rig), 1);
    assert_true(model_host_violated(rig.host, "descriptor type 15"));
}

static void test_injected_queue_faults(void **state)
{
    (void)state;
    inject((struct vtd_model_injection){.iqe_at = 2});
    rig_queue_put(&rig, D_CONTEXT_GLOBAL, 0);
    rig_queue_put(&rig, D_IOTLB_GLOBAL, 0);
    rig_queue_wait(&rig, 1);
    assert_int_equal(rig_get32(&rig, 0x34) & FSTS_IQE, FSTS_IQE);
    assert_int_equal(rig_get64(&rig, 0x80), 16);
    rig_set32(&rig, 0x34, FSTS_IQE);
    assert_int_equal(rig_status(&rig), 1);
    inject((struct vtd_model_injection){.wait_never_written = true});
    rig_queue_wait(&rig, 2);
    assert_int_equal(rig_status(&rig), 1);
    assert_int_equal(rig_get64(&rig, 0x80), rig_get64(&rig, 0x88));
    inject((struct vtd_model_injection){.queue_stuck = true});
    rig_queue_wait(&rig, 3);
    assert_int_equal(rig_status(&rig), 1);
    assert_int_not_equal(rig_get64(&rig, 0x80), rig_get64(&rig, 0x88));
    assert_int_equal(model_host_violations(rig.host), 0);
}

static void test_lost_invalidation_is_injected(void **state)
{
    (void)state;
    assert_int_equal(peek(RIG_IOVA), 0x11);
    rig_set_entry(&rig, RIG_IOVA, 1, 0);
    inject((struct vtd_model_injection){.lost_invalidations = true});
    rig_queue_put(&rig, D_IOTLB_GLOBAL, 0);
    rig_queue_wait(&rig, 1);
    assert_int_equal(rig_status(&rig), 1);
    assert_int_equal(peek(RIG_IOVA), 0x11);
}

static void test_device_tlb_is_stale_until_invalidated(void **state)
{
    (void)state;
    assert_int_equal(peek(RIG_IOVA), 0x11);
    assert_int_equal(dma_device_tlb_entries(rig.device), 1);
    rig_set_entry(&rig, RIG_IOVA, 1, 0);
    rig_queue_put(&rig, D_IOTLB_GLOBAL, 0);
    rig_queue_wait(&rig, 1);
    assert_int_equal(peek(RIG_IOVA), 0x11);
    rig_queue_put(&rig, D_DEVICE(RIG_RID), RIG_IOVA + 0x1000);
    rig_queue_wait(&rig, 2);
    assert_int_equal(peek(RIG_IOVA), 0x11);
    rig_queue_put(&rig, D_DEVICE(RIG_RID), (RIG_IOVA + 0x2000) | 0x5000 | 1); /* 64 KiB */
    rig_queue_wait(&rig, 3);
    assert_int_equal(rig_status(&rig), 3);
    assert_int_equal(peek(RIG_IOVA), -VTD_REASON_READ);
    assert_int_equal(model_host_violations(rig.host), 0);
}

static void test_withheld_completion_holds_the_wait(void **state)
{
    (void)state;
    dma_device_withhold(rig.device, true);
    rig_queue_put(&rig, D_DEVICE(RIG_RID), RIG_IOVA);
    rig_queue_wait(&rig, 4);
    assert_int_equal(rig_status(&rig), 0);
    dma_device_complete(rig.device);
    assert_int_equal(rig_status(&rig), 4);
    rig_queue_put(&rig, D_DEVICE(RIG_RID), RIG_IOVA);
    rig_queue_wait(&rig, 5);
    vtd_model_endpoint_timeout(rig.unit, RIG_RID);
    assert_int_equal(rig_get32(&rig, 0x34) & FSTS_ITE, FSTS_ITE);
    assert_int_equal(rig_get64(&rig, 0xb0) >> 32 & 0xffff, RIG_RID);
    rig_set32(&rig, 0x34, FSTS_ITE);
    dma_device_complete(rig.device);       /* too late */
    assert_int_equal(rig_status(&rig), 4); /* the wait was aborted */
}

static void test_fence_holds_what_follows(void **state)
{
    struct vtd_model_stats stats;

    (void)state;
    dma_device_withhold(rig.device, true);
    for (unsigned fence = 0; fence < 2; fence++) {
        rig_queue_put(&rig, D_DEVICE(RIG_RID), RIG_IOVA);
        rig_queue_put(&rig, 5 | 1u << 5 | fence << 6 | (uint64_t)(6 + fence) << 32,
                      rig.status.phys);
        rig_queue_put(&rig, D_IOTLB_GLOBAL, 0);
        rig_queue_ring(&rig);
        vtd_model_stats(rig.unit, &stats);
        assert_int_equal(stats.iotlb_global, 2); /* one by rig_enable; the fenced one not yet */
        assert_int_not_equal(rig_status(&rig), 6 + fence);
        dma_device_complete(rig.device);
        assert_int_equal(rig_status(&rig), 6 + fence);
    }
    vtd_model_stats(rig.unit, &stats);
    assert_int_equal(stats.iotlb_global, 3);
}

static void test_injected_device_tlb_errors(void **state)
{
    (void)state;
    inject((struct vtd_model_injection){.ite_at = 1});
    rig_queue_put(&rig, D_DEVICE(RIG_RID), RIG_IOVA);
    rig_queue_wait(&rig, 1);
    assert_int_equal(rig_get32(&rig, 0x34) & FSTS_ITE, FSTS_ITE);
    rig_queue_wait(&rig, 2);
    assert_int_equal(rig_status(&rig), 0); /* nothing is fetched until ITE is cleared */
    rig_set32(&rig, 0x34, FSTS_ITE);
    assert_int_equal(rig_status(&rig), 2);
    inject((struct vtd_model_injection){.ice_at = 1});
    rig_queue_put(&rig, D_DEVICE(RIG_RID), RIG_IOVA);
    rig_queue_wait(&rig, 3);
    assert_int_equal(rig_get32(&rig, 0x34) & FSTS_ICE, FSTS_ICE);
    assert_int_equal(rig_status(&rig), 3);
    inject((struct vtd_model_injection){0});
    rig_queue_put(&rig, D_DEVICE(SLUICE_RID(9, 0, 0)), RIG_IOVA); /* nobody there */
    rig_queue_wait(&rig, 4);
    assert_int_equal(rig_get32(&rig, 0x34) & FSTS_ITE, FSTS_ITE);
}

static void test_translated_requests_need_the_type(void **state)
{
    struct model_dma_result result;
    uint8_t byte;

    (void)state;
    assert_true(dma_device_forge(rig.device, rig.pages[1].phys, &byte, 1, false, NULL));
    assert_int_equal(byte, 0x22);
    rig_attach(&rig, RIG_RID, RIG_DID); /* type 0 */
    vtd_model_evict(rig.unit);
    assert_false(dma_device_forge(rig.device, rig.pages[1].phys, &byte, 1, false, &result));
    assert_int_equal(result.reason, VTD_REASON_TYPE_BLOCKED);
}

static void test_faults_are_recorded_and_overflow(void **state)
{
    uint64_t high;

    (void)state;
    install_event(0x3c, 0x38);
    assert_false(dma_device_write(rig.device, RIG_IOVA + 0x5123, "x", 1, NULL));
    assert_int_equal(events, 1);
    high = rig_get64(&rig, 0x208);
    assert_int_equal(rig_get64(&rig, 0x200), RIG_IOVA + 0x5000);
    assert_int_equal(high, (uint64_t)1 << 63 | (uint64_t)VTD_REASON_WRITE << 32 | RIG_RID);
    assert_int_equal(peek(RIG_IOVA + 0x6000), -VTD_REASON_READ);
    assert_int_equal(rig_get64(&rig, 0x218) >> 62, 3); /* F, and a read */
    assert_int_equal(events, 1);                       /* not a new condition */
    for (unsigned i = 2; i < 8; i++)
        (void)peek(RIG_IOVA + 0x6000);
    assert_int_equal(rig_get32(&rig, 0x34) & 3, 2);
    (void)peek(RIG_IOVA + 0x6000);
    assert_int_equal(rig_get32(&rig, 0x34) & 3, 3); /* overflow */
    for (unsigned i = 0; i < 8; i++)
        rig_set32(&rig, 0x20c + 16 * i, 1u << 31);
    assert_int_equal(rig_get32(&rig, 0x34) & 3, 1);
    (void)peek(RIG_IOVA + 0x6000); /* lost: PFO is still set */
    assert_int_equal(rig_get32(&rig, 0x34) & 3, 1);
    rig_set32(&rig, 0x34, 1);
    (void)peek(RIG_IOVA + 0x6000);
    assert_int_equal(rig_get32(&rig, 0x34) & 3, 2);
    assert_int_equal(events, 2);
}

static void test_fault_ring_goes_on_where_it_was(void **state)
{
    (void)state;
    (void)peek(RIG_IOVA + 0x6000);
    rig_set32(&rig, 0x20c, 1u << 31);
    (void)peek(RIG_IOVA + 0x6000);
    assert_int_equal(rig_get32(&rig, 0x34) >> 8 & 0xff, 1); /* FRI */
    assert_int_equal(rig_get64(&rig, 0x208) >> 63, 0);
    assert_int_equal(rig_get64(&rig, 0x218) >> 63, 1);
}

static void test_masked_event_is_pending(void **state)
{
    (void)state;
    install_event(0x3c, 0x38);
    rig_set32(&rig, 0x38, 1u << 31);
    (void)peek(RIG_IOVA + 0x6000);
    assert_int_equal(events, 0);
    assert_int_equal(rig_get32(&rig, 0x38), 3u << 30);
    rig_set32(&rig, 0x38, 0);
    assert_int_equal(model_host_run_events(rig.host), 1);
    assert_int_equal(events, 1);
    assert_int_equal(rig_get32(&rig, 0x38), 0);
}

static void test_fault_processing_disable(void **state)
{
    struct vtd_model_stats stats;

    (void)state;
    rig_set_context(&rig, RIG_RID, rig.top.phys | 3, RIG_DID << 8 | 2);
    assert_int_equal(peek(RIG_IOVA + 0x6000), -VTD_REASON_READ);
    rig_set_context(&rig, RIG_RID, 2, 0);
    vtd_model_evict(rig.unit);
    assert_int_equal(peek(RIG_IOVA), -VTD_REASON_CONTEXT_ABSENT);
    vtd_model_stats(rig.unit, &stats);
    assert_int_equal(stats.faults_recorded, 0);
    inject((struct vtd_model_injection){.faults_full = true});
    rig_set_context(&rig, RIG_RID, 0, 0);
    (void)peek(RIG_IOVA);
    assert_int_equal(rig_get32(&rig, 0x34) & 3, 1);
}

static void test_messages_are_not_memory(void **state)
{
    const struct sluice_host_ops *ops = model_host_ops(rig.host);
    struct sluice_event_handler handler = {.handler = count_event};
    struct sluice_msi msi;
    void *handle;

    (void)state;
    assert_true(ops->event_install(rig.host, "test", &handler, &msi, &handle));
    assert_true(dma_device_msi(rig.device, msi.address, msi.data));
    assert_int_equal(events, 1);
    assert_true(dma_device_msi(rig.device, msi.address, msi.data + 1));
    assert_int_equal(model_host_stray_msis(rig.host), 1);
    assert_int_equal(peek(MODEL_WINDOW_FIRST), 0);
    ops->event_remove(rig.host, handle);
}

static void test_stepped_queue_and_a_device_on_a_thread(void **state)
{
    struct vtd_model_config config = vtd_model_defaults();
    struct dma_device_counts counts;
    struct dma_device_loop loop = {.address = RIG_IOVA, .bytes = 8, .write = true, .fill = 9};

    (void)state;
    (void)rig_finish(&rig);
    config.queue_mode = VTD_MODEL_BY_STEP;
    start(&config);
    dma_device_loop(rig.device, &loop);
    dma_device_start(rig.device);
    for (uint32_t i = 1; i <= 50; i++) {
        rig_queue_put(&rig, D_IOTLB_GLOBAL, 0);
        rig_queue_wait(&rig, i);
        assert_int_equal(rig_status(&rig), i - 1);
        assert_int_equal(vtd_model_step(rig.unit, 1), 1);
        assert_int_equal(rig_status(&rig), i - 1);
        assert_int_equal(vtd_model_step(rig.unit, 9), 1);
        assert_int_equal(rig_status(&rig), i);
    }
    do {
        dma_device_counts(rig.device, &counts);
    } while (counts.moved == 0);
    dma_device_stop(rig.device);
    assert_int_equal(counts.refused, 0);
    assert_int_equal(*(const uint8_t *)rig.pages[0].virt, 9);
}

static void test_queue_moves_with_the_clock(void **state)
{
    struct vtd_model_config config = vtd_model_defaults();

    (void)state;
    (void)rig_finish(&rig);
    config.queue_mode = VTD_MODEL_AT_TICK;
    start(&config);
    rig_queue_put(&rig, D_IOTLB_GLOBAL, 0);
    rig_queue_wait(&rig, 3);
    (void)model_host_ops(rig.host)->now_ns(rig.host);
    assert_int_equal(rig_status(&rig), 0);
    (void)model_host_ops(rig.host)->now_ns(rig.host);
    assert_int_equal(rig_status(&rig), 3);
}

#define PLAIN(f) cmocka_unit_test_setup_teardown(f, setup_plain, teardown)
#define ATS(f)   cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(test_descriptors_invalidate),
        PLAIN(test_queue_wraps),
        PLAIN(test_wait_interrupts),
        PLAIN(test_bad_descriptors_raise_iqe),
        PLAIN(test_injected_queue_faults),
        PLAIN(test_lost_invalidation_is_injected),
        ATS(test_device_tlb_is_stale_until_invalidated),
        ATS(test_withheld_completion_holds_the_wait),
        ATS(test_fence_holds_what_follows),
        ATS(test_injected_device_tlb_errors),
        ATS(test_translated_requests_need_the_type),
        PLAIN(test_faults_are_recorded_and_overflow),
        PLAIN(test_fault_ring_goes_on_where_it_was),
        PLAIN(test_masked_event_is_pending),
        PLAIN(test_fault_processing_disable),
        PLAIN(test_messages_are_not_memory),
        PLAIN(test_queue_moves_with_the_clock),
        PLAIN(test_stepped_queue_and_a_device_on_a_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
