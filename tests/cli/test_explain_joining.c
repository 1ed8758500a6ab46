// SPDX-License-Identifier: MIT
// Messages that a mail program wrapped, that another processor's lines interrupt, that the kernel
// prints in several lines, or that a logger counted instead of writing.
#include "explain_helper.h"

static void test_wrapped(void **state)
{
    static const char *const logs[] = {
        "[1.0] DMAR: [DMA Read NO_PASID] Request device [0b:00.0]\n"
        "fault addr 0xffffe000 [fault reason 0x06] PTE Read access is not set\n",
        "> [1.0] DMAR: [DMA Read NO_PASID] Request device [0b:00.0] fault addr\n"
        "> 0xffffe000 [fault reason 0x06] PTE Read access is not set\n",
        "[1.0] DMAR: [DMA Read NO_PASID] Request device [0b:00.0] fault addr 0xffffe000 [fault\n"
        "reason 0x06] PTE Read access is not set\n",
        "[1.0] DMAR: [DMA Read NO_PASID] Request\n   device [0b:00.0]\n   fault addr\n"
        "   0xffffe000 [fault\n   reason 0x06] PTE\n",
        // a terminal that cut words in two
        "[1.0] DMAR: [DMA Read NO_PASID] Request dev\nice [0b:00.0] fault addr 0xffffe000 [fault r"
        "\neason 0x06] PTE Read access is not set\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        struct engine *engine = explain_log(logs[i]);
        const struct problem *problem = explain_find(engine, "intel-dma-fault");

        print_message("# wrapped %zu\n", i);
        assert_int_equal(engine->problems.count, 1);
        assert_int_equal(problem->count, 1);
        assert_string_equal(problem->device, "0000:0b:00.0");
        assert_int_equal(problem->addresses.first, 0xffffe000);
        assert_int_equal(problem->fields.number[FIELD_REASON], 6);
        assert_string_equal(problem->first.text, "1.0");
        engine_destroy(engine);
    }
}

// Lists of name=value: cut before or after the comma, or in quoted-printable.
static void test_wrapped_pairs(void **state)
{
    static const char *const logs[] = {
        "[1.0] arm-smmu 7.iommu: Unhandled context fault: fsr=0x402\n"
        ",iova=0xd65504710, fsynr=0x100011, cbfrsynra=0x807, cb=6\n",
        "[1.0] arm-smmu 7.iommu: Unhandled context fault:\n"
        "fsr=0x402, iova=0xd65504710,\nfsynr=0x100011, cbfrsynra=0x807, cb=6\n",
        "# arm-smmu 7.iommu: Unhandled context fault: fsr=3D0x402, iova=3D0xd655=\n"
        "04710, fsynr=3D0x100011, cbfrsynra=3D0x807, cb=3D6\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        struct engine *engine = explain_log(logs[i]);
        const struct problem *problem = explain_find(engine, "smmuv2-context-fault");

        print_message("# %s", logs[i]);
        assert_int_equal(problem->count, 1);
        assert_int_equal(problem->fields.number[FIELD_FSR], 0x402);
        assert_int_equal(problem->addresses.first, 0xd65504710);
        assert_int_equal(problem->access, ACCESS_WRITE);
        assert_string_equal(problem->device, "stream 0x807");
        engine_destroy(engine);
    }
}

// A line with a stamp of its own continues nothing.
static void test_cut_short(void **state)
{
    struct engine *engine = explain_log("[1.0] DMAR: [DMA Read] Request device [0b:00.0]\n"
                                        "[1.1] usb 1-1: fault addr 0x1000 [fault reason 06]\n");
    const struct problem *problem = explain_find(engine, "intel-dma-fault");

    (void)state;
    assert_int_equal(problem->count, 1);
    assert_int_equal(problem->addresses.count, 0);
    assert_false(field_has(&problem->fields, FIELD_REASON));
    engine_destroy(engine);
}

// Blocks of input may end anywhere between lines.
static void test_wrapped_across_blocks(void **state)
{
    static const char head[] = "[1.0] a 0000:06:00.3: AMD-Vi: Event logged\n";
    static const char tail[] = "[IO_PAGE_FAULT domain=0x0013 address=0xfe836480 flags=0x0000]\n";
    struct engine *engine = engine_create();

    (void)state;
    engine_feed(engine, head, strlen(head));
    assert_int_equal(engine->problems.count, 0);
    engine_feed(engine, tail, strlen(tail));
    engine_finish(engine);
    assert_string_equal(explain_find(engine, "amd-io-page-fault")->device, "0000:06:00.3");
    engine_destroy(engine);
}

// Old kernels printed the event's name on a new line, and the reason on another.
static void test_own_lines(void **state)
{
    struct engine *engine = explain_log(
        "[1.0] AMD-Vi: Event logged [\n"
        "[1.0] IO_PAGE_FAULT device=00:11.0 domain=0x000a address=0xf000 flags=0x0020]\n"
        "[2.0] DMAR:[DMA Read] Request device [02:00.0] fault addr ffe65000 \n"
        "[2.0] usb 1-1: something else\n"
        "[2.0] DMAR:[fault reason 06] PTE Read access is not set\n");
    const struct problem *fault = explain_find(engine, "intel-dma-fault");

    (void)state;
    assert_int_equal(engine->problems.count, 2);
    assert_string_equal(explain_find(engine, "amd-io-page-fault")->device, "0000:00:11.0");
    assert_int_equal(fault->fields.number[FIELD_REASON], 6);
    assert_int_equal(fault->count, 1);
    engine_destroy(engine);
}

#define EVENT_LINE(unit, text) "[3.0] arm-smmu-v3 " unit ": " text "\n"

// Two SMMUs talk at once; each has its own event.
static void test_interleaved_units(void **state)
{
    struct engine *engine = explain_log(
        EVENT_LINE("1.smmu", "event 0x10 received:") EVENT_LINE("2.smmu", "event 0x13 received:")
            EVENT_LINE("1.smmu", "\t0x0000110000000010") EVENT_LINE(
                "2.smmu", "\t0x0000220000000013") EVENT_LINE("1.smmu", "\t0x0000020800000000")
                EVENT_LINE("2.smmu", "\t0x0000020000000000")
                    EVENT_LINE("1.smmu", "\t0x0000000000001000")
                        EVENT_LINE("2.smmu", "\t0x0000000000002000") EVENT_LINE("1.smmu", "\t0x0")
                            EVENT_LINE("1.smmu", "\t0x0000000000000000")
                                EVENT_LINE("2.smmu", "\t0x0000000000000000"));
    const struct problem *first = &engine->problems.entries[0];
    const struct problem *second = &engine->problems.entries[1];

    (void)state;
    assert_int_equal(engine->problems.count, 2);
    assert_int_equal(first->fields.number[FIELD_SID], 0x1100);
    assert_int_equal(first->addresses.first, 0x1000);
    assert_int_equal(first->access, ACCESS_READ);
    assert_int_equal(second->fields.number[FIELD_TYPE], 0x13);
    assert_int_equal(second->addresses.first, 0x2000);
    assert_int_equal(second->access, ACCESS_WRITE);
    engine_destroy(engine);
}

// The decoded form after the raw one is the same event, and names the client.
static void test_raw_then_decoded(void **state)
{
    struct engine *engine = explain_log(
        EVENT_LINE("5.smmu", "event 0x10 received:") EVENT_LINE("5.smmu", "\t0x0002060000000010")
            EVENT_LINE("5.smmu", "\t0x0000020000000000") EVENT_LINE(
                "5.smmu", "\t0x00000000ff9bc000") EVENT_LINE("5.smmu", "\t0x0000000000000000")
                EVENT_LINE("5.smmu", "event: F_TRANSLATION client: 0001:06:00.0 sid: 0x20600 "
                                     "ssid: 0x0 iova: 0xff9bc000 ipa: 0x0"));

    (void)state;
    assert_int_equal(engine->problems.count, 1);
    assert_int_equal(engine->problems.entries[0].count, 1);
    assert_string_equal(engine->problems.entries[0].device, "0001:06:00.0");
    engine_destroy(engine);
}

static void test_global_fault_registers(void **state)
{
    struct engine *engine =
        explain_log("arm-smmu 7.iommu: Unexpected global fault, this could be serious\n"
                    "arm-smmu 7.iommu: \tGFSR 0x80000002, GFSYNR0 0x00000000,\n"
                    "GFSYNR1 0x00000042, GFSYNR2 0x00000000\n"
                    "arm-smmu 7.iommu: Unexpected global fault, this could be serious\n");
    const struct problem *problem = explain_find(engine, "smmuv2-global-fault");

    (void)state;
    assert_int_equal(engine->problems.count, 2); // the second has lost its registers
    assert_int_equal(problem->fields.number[FIELD_SID], 0x42);
    assert_int_equal(problem->fields.number[FIELD_FSR], 0x80000002);
    engine_destroy(engine);
}

static void test_left_out_lines(void **state)
{
    static const char fault[] = "[1.0] DMAR: [DMA Read NO_PASID] Request device [0b:00.0] fault "
                                "addr 0x1000 [fault reason 0x06] PTE\n";
    char log[1024];
    struct engine *engine;

    (void)state;
    (void)snprintf(log, sizeof(log),
                   "%s[2.0] dmar_fault: 12 callbacks suppressed\n"
                   "[2.0] net_ratelimit: 99 callbacks suppressed\n"
                   "Oct 14 18:41:49 host kernel: message repeated 3 times: [%.*s]\n",
                   fault, (int)strlen(fault) - 1, fault);
    engine = explain_log(log);
    assert_int_equal(engine->problems.count, 1);
    assert_int_equal(engine->problems.entries[0].count, 4);
    assert_int_equal(engine->problems.entries[0].suppressed, 12);
    engine_destroy(engine);
}

// Distinct problems stay apart, equal ones are counted, the table's end is counted too.
static void test_bounded(void **state)
{
    struct engine *engine = engine_create();
    char line[160];

    (void)state;
    for (unsigned int i = 0; i < PROBLEMS_MOST + 10; i++) {
        (void)snprintf(line, sizeof(line),
                       "DMAR: [DMA Read NO_PASID] Request device [%02x:%02x.%x] fault addr 0x1000 "
                       "[fault reason 0x06]\n",
                       i >> 8, i >> 3 & 0x1f, i & 7);
        engine_feed(engine, line, strlen(line));
        engine_feed(engine, line, strlen(line));
    }
    engine_finish(engine);
    assert_int_equal(engine->problems.count, PROBLEMS_MOST);
    assert_int_equal(engine->problems.overflow, 20);
    assert_int_equal(engine->problems.entries[7].count, 2);
    engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrapped),          cmocka_unit_test(test_wrapped_pairs),
        cmocka_unit_test(test_cut_short),        cmocka_unit_test(test_wrapped_across_blocks),
        cmocka_unit_test(test_own_lines),        cmocka_unit_test(test_interleaved_units),
        cmocka_unit_test(test_raw_then_decoded), cmocka_unit_test(test_global_fault_registers),
        cmocka_unit_test(test_left_out_lines),   cmocka_unit_test(test_bounded),
    };

    return cmocka_run_group_tests_name("explain_joining", tests, NULL, NULL);
}
