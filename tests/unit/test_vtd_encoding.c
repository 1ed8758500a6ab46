// SPDX-License-Identifier: MIT
/*
 * VT-d descriptors, granularity, capabilities and fault records against values written out from
 * the specification.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "unit/intel/vtd.h"

#define KIB UINT64_C(1024)

static void descriptors(void **state)
{
    const struct vtd_iotlb_request pages = {.granularity = VTD_NARROW,
                                            .did = 0x1234,
                                            .drain = 3,
                                            .am = 9,
                                            .hint = true,
                                            .address = 0x40000000};
    struct vtd_device_tlb_request device = {.sid = 0x0018, .pfsid = 0x1235, .depth = 32};
    struct vtd_descriptor d;

    (void)state;
    d = vtd_desc_context(VTD_NARROW, 0x1234, 0x00fd, 1);
    assert_int_equal(d.low, 0x000100fd12340031);
    assert_int_equal(d.high, 0);
    d = vtd_desc_iotlb(&pages);
    assert_int_equal(d.low, 0x123400f2);
    assert_int_equal(d.high, 0x40000049);
    d = vtd_desc_wait(0xabcd, 0x1000);
    assert_int_equal(d.low, 0x0000abcd00000025);
    assert_int_equal(d.high, 0x1000);
    assert_int_equal(vtd_desc_interrupt_entries().low, 4);
    /* One page: no S. 32 outstanding is written as 0. */
    device.size_lg2 = 12;
    device.address = 0x5000;
    d = vtd_desc_device_tlb(&device);
    assert_int_equal(d.low, 0x1230001800005003);
    assert_int_equal(d.high, 0x5000);
    device.size_lg2 = 13; /* two pages: S, bit 12 clear */
    device.address = 0x6000;
    assert_int_equal(vtd_desc_device_tlb(&device).high, 0x6001);
    device.size_lg2 = 21; /* bits 12 to 19 set, 20 clear */
    device.address = 0x40000000;
    assert_int_equal(vtd_desc_device_tlb(&device).high, 0x400ff001);
    device.size_lg2 = VTD_DEVICE_TLB_ALL_LG2;
    assert_int_equal(vtd_desc_device_tlb(&device).high, 0x7ffffffffffff001);
}

static struct vtd_plan plan_of(sluice_iova_t first, uint64_t bytes, bool tables, unsigned mamv)
{
    const struct vtd_plan_limits limits = {.page_selective = true, .mamv = mamv, .did = 7};
    const struct pt_range range = {
        .first = first, .last = first + bytes - 1, .page_lg2 = 12, .tables = tables};
    struct pt_gather gather;
    struct vtd_plan plan;

    pt_gather_init(&gather);
    pt_gather_add(&gather, &range);
    vtd_plan_make(&gather, &limits, &plan);
    return plan;
}

/* Every byte of the range lies in some request. */
static void covers(const struct vtd_plan *plan, sluice_iova_t first, uint64_t bytes)
{
    for (sluice_iova_t at = first; at < first + bytes; at += 4 * KIB) {
        bool found = plan->whole_domain;

        for (unsigned i = 0; i < plan->count; i++) {
            uint64_t size = 4 * KIB << plan->requests[i].am;

            assert_int_equal(plan->requests[i].address % size, 0);
            found =
                found || (at >= plan->requests[i].address && at - plan->requests[i].address < size);
        }
        assert_true(found);
    }
}

static void granularity(void **state)
{
    struct vtd_plan plan = plan_of(0x40000000, 4 * KIB, false, 18);

    (void)state;
    assert_false(plan.whole_domain);
    assert_int_equal(plan.count, 1);
    assert_int_equal(plan.requests[0].am, 0);
    assert_true(plan.requests[0].hint);
    plan = plan_of(0x40000000, 2048 * KIB, true, 18);
    assert_int_equal(plan.count, 1);
    assert_int_equal(plan.requests[0].am, 9);
    assert_false(plan.requests[0].hint);             /* a table went: the walk caches too */
    plan = plan_of(0x40001000, 12 * KIB, false, 18); /* one page, two pages */
    assert_int_equal(plan.count, 2);
    covers(&plan, 0x40001000, 12 * KIB);
    plan = plan_of(0x40001000, 1000 * KIB, false, 18); /* many pieces: one that covers */
    assert_int_equal(plan.count, 1);
    covers(&plan, 0x40001000, 1000 * KIB);
    plan = plan_of(0x40001000, 1000 * KIB, false, 4); /* beyond MAMV */
    assert_true(plan.whole_domain);
    assert_int_equal(plan.requests[0].granularity, VTD_DOMAIN);
    assert_int_equal(plan.requests[0].did, 7);
    for (unsigned i = 1; i < 200; i++) {
        plan = plan_of(0x7fff0000 + i * 4 * KIB, i * 4 * KIB, false, i % 12);
        covers(&plan, 0x7fff0000 + i * 4 * KIB, i * 4 * KIB);
    }
}

static void capabilities(void **state)
{
    struct sluice_host_ops ops = {0};
    struct sluice sluice = {.ops = &ops};
    struct vtd_capability capability;
    char text[256];

    (void)state;
    /* As two machines' kernels print them. */
    assert_int_equal(
        vtd_capability_read(&sluice, "vtd0", 0x10, 0xd2008c40660462, 0xf050da, &capability),
        SLUICE_OK);
    assert_int_equal(capability.levels_mask, 1u << 4);
    assert_int_equal(capability.iova_bits, 39);
    assert_int_equal(capability.domain_count, 256);
    assert_int_equal(capability.fault_count, 1);
    assert_int_equal(capability.fault_offset, 0x400);
    assert_int_equal(capability.iotlb_offset, 0x500);
    assert_int_equal(capability.page_sizes, 0x40201000); /* SLLPS 3 */
    assert_int_equal(
        vtd_capability_read(&sluice, "vtd0", 0x10, 0x8d2078c106f0466, 0xf020df, &capability),
        SLUICE_OK);
    assert_int_equal(capability.domain_count, 65536);
    assert_int_equal(capability.iova_bits, 48);
    assert_int_equal(capability.fault_count, 8);
    (void)vtd_decode("ECAP", 0xf020df, text, sizeof(text));
    assert_string_equal(text, "C QI DT IR EIM PT SC IRO=0x20 MHMV=0xf");
}

static void faults(void **state)
{
    struct sluice_fault fault;

    (void)state;
    vtd_fault_decode(0x40001000, UINT64_C(0x8000000500000018), &fault);
    assert_int_equal(fault.reason, SLUICE_FAULT_WRITE_DENIED);
    assert_int_equal(fault.access, SLUICE_ACCESS_WRITE);
    assert_int_equal(fault.source, 0x18);
    assert_int_equal(fault.pasid, SLUICE_NO_PASID);
    assert_true(fault.address_valid);
    assert_int_equal(fault.address, 0x40001000);
    vtd_fault_decode(0, UINT64_C(0xc000000200000018), &fault);
    assert_int_equal(fault.access, SLUICE_ACCESS_READ);
    assert_int_equal(fault.reason, SLUICE_FAULT_BLOCKED);
    vtd_fault_decode(UINT64_C(0x0123) << 48, UINT64_C(0x8000002200000018), &fault);
    assert_int_equal(fault.reason, SLUICE_FAULT_INTERRUPT);
    assert_false(fault.address_valid);
    assert_true(fault.interrupt_index_valid);
    assert_int_equal(fault.interrupt_index, 0x123);
    vtd_fault_decode(UINT64_C(0x0123) << 48, UINT64_C(0x8000002500000018), &fault);
    assert_int_equal(fault.reason, SLUICE_FAULT_INTERRUPT);
    assert_false(fault.interrupt_index_valid); /* the message named no entry */
    assert_int_equal(vtd_fault_reason(0xff)->reason, SLUICE_FAULT_OTHER);
    assert_non_null(vtd_fault_reason(0x12)->text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors),
        cmocka_unit_test(granularity),
        cmocka_unit_test(capabilities),
        cmocka_unit_test(faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
