// SPDX-License-Identifier: MIT
/*
 * The VT-d model by itself: walks and faults, caches that hold until invalidated with enough
 * reach, the enable handshake, and that breaking the rules is recorded.
 */
#include "vtd_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct rig rig;

static int setup(void **state)
{
    struct vtd_model_config config = vtd_model_defaults();

    (void)state;
    rig_init(&rig, NULL, &config);
    rig_attach(&rig, RIG_RID, RIG_DID);
    rig_set_entry(&rig, RIG_IOVA, 1, rig.pages[0].phys | RIG_READ | RIG_WRITE);
    rig_enable(&rig);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)rig_finish(&rig);
    return 0;
}

/* What one byte read at an address gives; -reason when refused. */
static int peek(uint64_t address)
{
    struct model_dma_result result;
    uint8_t byte;

    return dma_device_read(rig.device, address, &byte, 1, &result) ? byte : -(int)result.reason;
}

static void test_translates_and_moves_bytes(void **state)
{
    uint8_t *page = rig.pages[0].virt;

    (void)state;
    assert_int_equal(peek(RIG_IOVA + 0x123), 0x11);
    assert_true(dma_device_write(rig.device, RIG_IOVA + 0xffc, "abcd", 4, NULL));
    assert_memory_equal(page + 0xffc, "abcd", 4);
    assert_int_equal(model_host_violations(rig.host), 0);
}

static void test_every_refusal_has_its_reason(void **state)
{
    struct model_dma_result result;

    (void)state;
    assert_int_equal(peek(RIG_IOVA + 0x1000), -VTD_REASON_READ);
    assert_false(
        dma_device_write(rig.device, RIG_IOVA + 0xff0, "0123456789abcdef0123", 20, &result));
    assert_int_equal(result.reason, VTD_REASON_WRITE);
    assert_int_equal(result.moved, 16);
    assert_int_equal(peek((uint64_t)1 << 48), -VTD_REASON_BEYOND_WIDTH);
    rig_set_entry(&rig, RIG_IOVA + 0x2000, 1, (uint64_t)1 << 50 | RIG_READ);
    assert_int_equal(peek(RIG_IOVA + 0x2000), -VTD_REASON_TABLE_RESERVED);
    rig_set_entry(&rig, 0, 3, (uint64_t)0x7000 | 0x80 | RIG_READ); /* 1 GiB, not aligned */
    assert_int_equal(peek(0), -VTD_REASON_TABLE_RESERVED);
    assert_false(dma_device_read(rig.device_2, RIG_IOVA, &(uint8_t){0}, 1, &result));
    assert_int_equal(result.reason, VTD_REASON_CONTEXT_ABSENT);
    rig_set_context(&rig, RIG_RID_2, rig.top.phys | 1, 4 | RIG_DID << 8); /* no such width */
    assert_false(dma_device_read(rig.device_2, RIG_IOVA, &(uint8_t){0}, 1, &result));
    assert_int_equal(result.reason, VTD_REASON_CONTEXT_INVALID);
    rig_set_context(&rig, RIG_RID_2, rig.top.phys | 1 | 0x10, 2 | RIG_DID << 8);
    assert_false(dma_device_read(rig.device_2, RIG_IOVA, &(uint8_t){0}, 1, &result));
    assert_int_equal(result.reason, VTD_REASON_CONTEXT_RESERVED);
    assert_int_equal(model_host_violations(rig.host), 0);
}

static void test_root_absent_and_unreadable(void **state)
{
    struct vtd_model_injection bad = {.bad_fetch = rig.context.phys};
    uint64_t *root = rig.root.virt;

    (void)state;
    vtd_model_inject(rig.unit, &bad);
    assert_int_equal(peek(RIG_IOVA), -VTD_REASON_CONTEXT_ACCESS);
    vtd_model_inject(rig.unit, &(struct vtd_model_injection){0});
    root[1] = 1;
    assert_int_equal(peek(RIG_IOVA), -VTD_REASON_ROOT_RESERVED);
    root[1] = 0;
    root[0] = 0;
    assert_int_equal(peek(RIG_IOVA), -VTD_REASON_ROOT_ABSENT);
}

static void test_large_pages_and_permissions_of_all_levels(void **state)
{
    struct sluice_pages big = model_host_buffer(rig.host, 9, false);
    uint8_t *at = (uint8_t *)big.virt + 0x5123;

    (void)state;
    *at = 0x77;
    rig_set_entry(&rig, RIG_IOVA + 0x200000, 2, big.phys | 0x80 | RIG_READ);
    assert_int_equal(peek(RIG_IOVA + 0x205123), 0x77);
    assert_false(dma_device_write(rig.device, RIG_IOVA + 0x205123, "x", 1, NULL));
    assert_int_equal(*at, 0x77);
    ((uint64_t *)rig.top.virt)[0] &= ~(uint64_t)RIG_WRITE;
    rig_invalidate_iotlb(&rig, RIG_GLOBAL, 0, 0);
    assert_false(dma_device_write(rig.device, RIG_IOVA, "x", 1, NULL));
    assert_int_equal(peek(RIG_IOVA), 0x11);
}

static void test_three_and_five_levels(void **state)
{
    struct vtd_model_config config = vtd_model_defaults();
    uint64_t *top;

    (void)state;
    (void)rig_finish(&rig);
    config.sagaw = 0xe;
    config.mgaw_bits = 57;
    rig_init(&rig, NULL, &config);
    rig_set_entry(&rig, RIG_IOVA, 1, rig.pages[0].phys | RIG_READ);
    top = rig.top.virt;
    rig_set_context(&rig, RIG_RID, (top[0] & ~(uint64_t)3) | 1, RIG_DID << 8 | 1); /* 39 bits */
    rig_enable(&rig);
    assert_int_equal(peek(RIG_IOVA), 0x11);
    assert_int_equal(peek((uint64_t)1 << 39), -VTD_REASON_BEYOND_WIDTH);
    top[511] = rig.top.phys | RIG_READ; /* a fifth level that is its own fourth */
    rig_set_context(&rig, RIG_RID, rig.top.phys | 1, RIG_DID << 8 | 3);
    vtd_model_evict(rig.unit);
    assert_int_equal(peek(((uint64_t)511 << 48) | RIG_IOVA), 0x11);
    assert_int_equal(peek((uint64_t)1 << 57), -VTD_REASON_BEYOND_WIDTH);
}

static void test_iotlb_is_stale_until_invalidated(void **state)
{
    (void)state;
    assert_int_equal(peek(RIG_IOVA), 0x11);
    rig_set_entry(&rig, RIG_IOVA, 1, rig.pages[1].phys | RIG_READ);
    assert_int_equal(peek(RIG_IOVA), 0x11);
    rig_invalidate_iotlb(&rig, RIG_NARROW, RIG_DID, RIG_IOVA + 0x1000); /* the wrong page */
    assert_int_equal(peek(RIG_IOVA), 0x11);
    rig_invalidate_iotlb(&rig, RIG_DOMAIN, RIG_DID + 1, 0); /* the wrong domain */
    assert_int_equal(peek(RIG_IOVA), 0x11);
    assert_int_equal(rig_invalidate_iotlb(&rig, RIG_NARROW, RIG_DID, RIG_IOVA | 0x40), RIG_NARROW);
    assert_int_equal(peek(RIG_IOVA), 0x22);
    rig_set_entry(&rig, RIG_IOVA, 1, 0);
    assert_int_equal(peek(RIG_IOVA), 0x22);
    rig_invalidate_iotlb(&rig, RIG_DOMAIN, RIG_DID, 0);
    assert_int_equal(peek(RIG_IOVA), -VTD_REASON_READ);
    rig_set_entry(&rig, RIG_IOVA, 1, rig.pages[0].phys | RIG_READ);
    assert_int_equal(peek(RIG_IOVA), 0x11); /* not-present was not cached: CM is 0 */
}

static void test_hint_keeps_table_pointers(void **state)
{
    uint64_t *top = rig.top.virt;

    (void)state;
    assert_int_equal(peek(RIG_IOVA), 0x11);
    top[0] = 0; /* the whole tree is taken away */
    rig_invalidate_iotlb(&rig, RIG_NARROW, RIG_DID, RIG_IOVA | 0x40);
    assert_int_equal(peek(RIG_IOVA), 0x11); /* IH: pointers to tables stay cached */
    rig_invalidate_iotlb(&rig, RIG_NARROW, RIG_DID, RIG_IOVA);
    assert_int_equal(peek(RIG_IOVA), -VTD_REASON_READ);
}

static void test_context_is_stale_until_invalidated(void **state)
{
    (void)state;
    assert_int_equal(peek(RIG_IOVA), 0x11);
    rig_set_context(&rig, RIG_RID, 0, 0);
    rig_invalidate_iotlb(&rig, RIG_GLOBAL, 0, 0);
    assert_int_equal(peek(RIG_IOVA), 0x11);
    rig_invalidate_context(&rig, RIG_NARROW, RIG_DID, RIG_RID_2);
    rig_invalidate_context(&rig, RIG_NARROW, RIG_DID + 1, RIG_RID);
    assert_int_equal(peek(RIG_IOVA), 0x11);
    rig_invalidate_context(&rig, RIG_NARROW, RIG_DID, RIG_RID);
    assert_int_equal(peek(RIG_IOVA), -VTD_REASON_CONTEXT_ABSENT);
    vtd_model_check_settled(rig.unit);
    assert_true(model_host_violated(rig.host, "not the IOTLB after them"));
}

static void test_incorrect_request_is_refused(void **state)
{
    (void)state;
    assert_int_equal(peek(RIG_IOVA), 0x11);
    assert_int_equal(rig_invalidate_iotlb(&rig, RIG_NARROW, RIG_DID, 19), 0);
    assert_int_equal(rig_invalidate_iotlb(&rig, 0, RIG_DID, 0), 0);
    assert_true(model_host_violated(rig.host, "mask 19"));
    assert_true(model_host_violated(rig.host, "reserved granularity"));
}

static void test_rules_of_commands(void **state)
{
    (void)state;
    assert_int_equal(model_host_violations(rig.host), 0);
    rig_command(&rig, 1u << 31 | 1u << 30 | 1u << 26, 1u << 26, 1u << 26);
    assert_true(model_host_violated(rig.host, "several things at once"));
    model_host_violations_clear(rig.host);
    rig_set64(&rig, 0x90, 0x1000);
    assert_true(model_host_violated(rig.host, "IQA written while"));
    rig_invalidate_context(&rig, RIG_GLOBAL, 0, 0);
    assert_true(model_host_violated(rig.host, "CCMD: used while the queue"));
    rig_set32(&rig, 0x1c, 1);
    assert_true(model_host_violated(rig.host, "read-only or reserved register 0x1c"));
    rig_set64(&rig, 0x88, 1);
    assert_true(model_host_violated(rig.host, "IQT: reserved bits"));
}

static void test_enable_needs_its_sequence(void **state)
{
    struct vtd_model_config config = vtd_model_defaults();
    struct rig other;

    (void)state;
    rig_init(&other, NULL, &config);
    rig_command(&other, 1u << 31, 1u << 31, 1u << 31);
    assert_true(model_host_violated(other.host, "without a root table"));
    rig_command(&other, 0, 1u << 31, 0);
    rig_set64(&other, 0x20, other.root.phys);
    assert_true(rig_command(&other, 1u << 30, 1u << 30, 1u << 30));
    rig_invalidate_iotlb(&other, RIG_GLOBAL, 0, 0); /* before the context cache: does not count */
    rig_invalidate_context(&other, RIG_GLOBAL, 0, 0);
    model_host_violations_clear(other.host);
    rig_command(&other, 1u << 31, 1u << 31, 1u << 31);
    assert_true(model_host_violated(other.host, "before the global invalidations"));
    (void)rig_finish(&other);
}

static void test_root_is_taken_by_srtp_only(void **state)
{
    struct sluice_pages empty = model_host_buffer(rig.host, 0, false);

    (void)state;
    rig_set64(&rig, 0x20, empty.phys);
    rig_invalidate_context(&rig, RIG_GLOBAL, 0, 0);
    assert_int_equal(peek(RIG_IOVA), 0x11);
    assert_true(rig_command(&rig, 1u << 31 | 1u << 30, 1u << 30, 1u << 30));
    assert_int_equal(peek(RIG_IOVA), 0x11); /* the context entry is cached */
    rig_invalidate_context(&rig, RIG_GLOBAL, 0, 0);
    assert_int_equal(peek(RIG_IOVA), -VTD_REASON_ROOT_ABSENT);
}

static void test_caching_mode_caches_refusals(void **state)
{
    struct vtd_model_config config = vtd_model_defaults();

    (void)state;
    (void)rig_finish(&rig);
    config.caching_mode = true;
    rig_init(&rig, NULL, &config);
    rig_enable(&rig);
    assert_int_equal(peek(RIG_IOVA), -VTD_REASON_CONTEXT_ABSENT);
    rig_attach(&rig, RIG_RID, RIG_DID);
    rig_invalidate_context(&rig, RIG_NARROW, RIG_DID, RIG_RID); /* tagged 0, not 5 */
    assert_int_equal(peek(RIG_IOVA), -VTD_REASON_CONTEXT_ABSENT);
    rig_invalidate_context(&rig, RIG_NARROW, 0, RIG_RID);
    assert_int_equal(peek(RIG_IOVA), -VTD_REASON_READ);
    rig_set_entry(&rig, RIG_IOVA, 1, rig.pages[0].phys | RIG_READ);
    assert_int_equal(peek(RIG_IOVA), -VTD_REASON_READ);
    rig_invalidate_iotlb(&rig, RIG_NARROW, RIG_DID, RIG_IOVA);
    assert_int_equal(peek(RIG_IOVA), 0x11);
}

static void test_pass_through_and_protected_memory(void **state)
{
    struct vtd_model_config config = vtd_model_defaults();

    (void)state;
    (void)rig_finish(&rig);
    config.plmr = true;
    rig_init(&rig, NULL, &config);
    assert_int_equal(peek(rig.pages[0].phys), 0x11); /* translation is off */
    rig_set32(&rig, 0x68, (uint32_t)rig.pages[0].phys);
    rig_set32(&rig, 0x6c, (uint32_t)rig.pages[0].phys);
    rig_set32(&rig, 0x64, 1u << 31);
    assert_int_equal(rig_get32(&rig, 0x64) & 1, 1);
    assert_int_equal(peek(rig.pages[0].phys), 0);
    assert_int_equal(peek(rig.pages[1].phys), 0x22);
    rig_set_context(&rig, RIG_RID, 2u << 2 | 1, RIG_DID << 8 | 2);
    rig_enable(&rig);
    assert_int_equal(peek(rig.pages[0].phys), 0);
    rig_set32(&rig, 0x64, 0);
    assert_int_equal(peek(rig.pages[0].phys), 0x11);
    assert_int_equal(model_host_violations(rig.host), 0);
}

static void test_not_snooping_sees_what_was_cleaned(void **state)
{
    struct vtd_model_config config = vtd_model_defaults();
    struct model_host_config host = {.non_coherent = true};
    const struct sluice_host_ops *ops;

    (void)state;
    (void)rig_finish(&rig);
    config.coherent = false;
    rig_init(&rig, &host, &config);
    ops = model_host_ops(rig.host);
    rig_attach(&rig, RIG_RID, RIG_DID);
    rig_set_entry(&rig, RIG_IOVA, 1, rig.pages[0].phys | RIG_READ);
    rig_enable(&rig);
    assert_int_not_equal(peek(RIG_IOVA), 0x11);
    for (sluice_phys_t at = 0x100000; at < 0x100000 + 16 * 4096; at += 4096)
        ops->cache_clean(rig.host, model_host_virt(rig.host, at), 4096);
    vtd_model_evict(rig.unit);
    assert_int_equal(peek(RIG_IOVA), 0x11);
}

static void test_write_buffer_holds_stores_back(void **state)
{
    struct vtd_model_config config = vtd_model_defaults();

    (void)state;
    (void)rig_finish(&rig);
    config.write_buffer = true;
    rig_init(&rig, NULL, &config);
    rig_attach(&rig, RIG_RID, RIG_DID);
    rig_enable(&rig); /* its invalidations flush */
    assert_int_equal(peek(RIG_IOVA), -VTD_REASON_READ);
    rig_set_entry(&rig, RIG_IOVA, 1, rig.pages[0].phys | RIG_READ);
    assert_int_equal(peek(RIG_IOVA), -VTD_REASON_READ);
    assert_true(rig_command(&rig, 1u << 31 | 1u << 27, 1u << 27, 0));
    assert_int_equal(peek(RIG_IOVA), 0x11);
    rig_set_entry(&rig, RIG_IOVA, 1, rig.pages[1].phys | RIG_READ);
    rig_invalidate_iotlb(&rig, RIG_NARROW, RIG_DID, RIG_IOVA); /* flushes by itself */
    assert_int_equal(peek(RIG_IOVA), 0x22);
    assert_int_equal(model_host_violations(rig.host), 0);
}

static void test_injected_register_faults(void **state)
{
    struct vtd_model_injection bad = {.stuck_gsts = 1u << 31};

    (void)state;
    vtd_model_inject(rig.unit, &bad);
    assert_false(rig_command(&rig, 0, 1u << 31, 0));
    bad = (struct vtd_model_injection){.context_never_done = true, .iotlb_never_done = true};
    vtd_model_inject(rig.unit, &bad);
    rig_invalidate_context(&rig, RIG_GLOBAL, 0, 0);
    assert_true(rig_get64(&rig, 0x28) >> 63);
    (void)rig_invalidate_iotlb(&rig, RIG_GLOBAL, 0, 0);
    assert_true(rig_get64(&rig, 0x108) >> 63);
    bad = (struct vtd_model_injection){.gone_at = 2};
    vtd_model_inject(rig.unit, &bad);
    assert_int_not_equal(rig_get32(&rig, 0x1c), UINT32_MAX);
    assert_int_equal(rig_get32(&rig, 0x1c), UINT32_MAX);
    assert_true(rig_get64(&rig, 0x8) == UINT64_MAX);
    assert_int_equal(peek(RIG_IOVA), 0);
}

static void test_walk_of_freed_table_is_seen(void **state)
{
    uint64_t *top = rig.top.virt;

    (void)state;
    assert_int_equal(peek(RIG_IOVA), 0x11);
    model_host_buffer_free(
        rig.host,
        (struct sluice_pages){model_host_virt(rig.host, top[0] & ~(uint64_t)0xfff),
                              top[0] & ~(uint64_t)0xfff},
        0);
    top[0] = 0;
    assert_int_equal(model_host_violations(rig.host), 0);
    rig_invalidate_iotlb(&rig, RIG_NARROW, RIG_DID, RIG_IOVA | 0x40);
    (void)peek(RIG_IOVA + ((uint64_t)1 << 30)); /* through the cached pointer */
    assert_int_equal(model_host_violations(rig.host), 1);
    assert_true(model_host_violated(rig.host, "free memory"));
}

#define WITH_RIG(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(test_translates_and_moves_bytes),
        WITH_RIG(test_every_refusal_has_its_reason),
        WITH_RIG(test_root_absent_and_unreadable),
        WITH_RIG(test_large_pages_and_permissions_of_all_levels),
        WITH_RIG(test_three_and_five_levels),
        WITH_RIG(test_iotlb_is_stale_until_invalidated),
        WITH_RIG(test_hint_keeps_table_pointers),
        WITH_RIG(test_context_is_stale_until_invalidated),
        WITH_RIG(test_incorrect_request_is_refused),
        WITH_RIG(test_rules_of_commands),
        WITH_RIG(test_enable_needs_its_sequence),
        WITH_RIG(test_root_is_taken_by_srtp_only),
        WITH_RIG(test_caching_mode_caches_refusals),
        WITH_RIG(test_pass_through_and_protected_memory),
        WITH_RIG(test_not_snooping_sees_what_was_cleaned),
        WITH_RIG(test_write_buffer_holds_stores_back),
        WITH_RIG(test_injected_register_faults),
        WITH_RIG(test_walk_of_freed_table_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
