// SPDX-License-Identifier: MIT
// Each kind of message: one line of an invented machine in, one entry out, with its fields. The
// lines follow the kernel's formats; no line is anyone's log.
#include "explain_helper.h"

struct expected {
    const char *line;
    const char *kind;
    const char *device; // "" none
    int64_t address;    // -1: none
    int64_t reason;     // -1: none
    const char *format; // the message's stable name
};

#define NONE (-1)

static const struct expected cases[] = {
    // Intel, oldest to newest spelling
    {"DMAR: DMAR:[DMA Read] Request device [0a:00.0] fault addr ca6d5000 "
     "DMAR:[fault reason 06] PTE Read access is not set",
     "intel-dma-fault", "0000:0a:00.0", 0xca6d5000, 6, "intel-dma-fault-oldest"},
    {"DMAR: [DMA Write] Request device [0a:1f.7] fault addr 7f000000 [fault reason 05] PTE Write",
     "intel-dma-fault", "0000:0a:1f.7", 0x7f000000, 5, "intel-dma-fault"},
    {"DMAR: [DMA Read] Request device [0b:00.0] PASID ffffffff fault addr 0 [fault reason 37] x",
     "intel-dma-fault", "0000:0b:00.0", 0, 0x25, "intel-dma-fault-pasid"},
    {"DMAR: [DMA Read PASID 0x12] Request device [0b:00.1] fault addr 0x1000 "
     "[fault reason 0x37] SM",
     "intel-dma-fault", "0000:0b:00.1", 0x1000, 0x37, "intel-dma-fault-pasid"},
    {"DMAR: [DMA Write NO_PASID] Request device [0x0c:0x1f.2] fault addr 0x89abcdef000 "
     "[fault reason 0x05] PTE",
     "intel-dma-fault", "0000:0c:1f.2", 0x89abcdef000, 5, "intel-dma-fault-nopasid"},
    {"INTR-REMAP: Request device [[f0:1f.0] fault index 8a\n"
     "INTR-REMAP:[fault reason 38] Blocked an interrupt request",
     "intel-interrupt-fault", "0000:f0:1f.0", NONE, 0x26, "intel-intr-fault"},
    {"DMAR: [INTR-REMAP] Request device [f0:1f.0] fault index 8a [fault reason 38] Blocked",
     "intel-interrupt-fault", "0000:f0:1f.0", NONE, 0x26, "intel-intr-fault"},
    {"DMAR: [INTR-REMAP] Request device [0xf0:0x1f.0] fault index 0x8a00 [fault reason 0x25] B",
     "intel-interrupt-fault", "0000:f0:1f.0", NONE, 0x25, "intel-intr-fault"},
    {"(XEN) [VT-D]DMAR:[DMA Write] Request device [0001:41:00.0] fault addr 1200000000",
     "intel-dma-fault", "0001:41:00.0", 0x1200000000, NONE, "xen-vtd-fault"},
    {"DMAR: VT-d detected Invalidation Queue Error: Reason f", "intel-invalidation-queue-error", "",
     NONE, NONE, "intel-inval-error"},
    {"DMAR: VT-d detected Invalidation Time-out Error: SID 300", "intel-invalidation-timeout",
     "stream 0x300", NONE, NONE, "intel-inval-error"},
    {"DMAR: VT-d detected Invalidation Completion Error: SID ffff",
     "intel-invalidation-completion-error", "stream 0xffff", NONE, NONE, "intel-inval-error"},
    {"vfio-pci 0000:0d:00.0: Device is ineligible for IOMMU domain attach due to platform RMRR "
     "requirement.  Contact your platform vendor.",
     "intel-rmrr-ineligible", "0000:0d:00.0", NONE, NONE, "intel-rmrr-ineligible"},
    {"DMAR: [Firmware Bug]: No firmware reserved region can cover this RMRR "
     "[0x000000007b000000-0x000000007b00ffff], contact BIOS vendor for fixes",
     "intel-firmware-rmrr", "", NONE, NONE, "intel-firmware-bug"},
    {"DMAR: [Firmware Bug]: Your BIOS is broken; DMAR reported at address 0!", "intel-firmware-bug",
     "", NONE, NONE, "intel-firmware-bug"},
    {"raid 0000:0e:00.0: DMAR: Allocating 16-page iova failed", "intel-iova-exhausted",
     "0000:0e:00.0", NONE, NONE, "intel-iova-alloc-fail"},
    {"DMAR-IR: Failed to enable irq remapping. You are vulnerable to irq-injection attacks.",
     "interrupt-remapping-off", "", NONE, NONE, "intel-intr-off"},

    // AMD: the device before, inside, with and without a segment, without the driver's prefix
    {"ahci 0000:21:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0042 address=0xfff9b300 "
     "flags=0x0020]",
     "amd-io-page-fault", "0000:21:00.0", 0xfff9b300, NONE, "amd-event"},
    {"AMD-Vi: Event logged [IO_PAGE_FAULT device=21:00.1 domain=0x0007 address=0xffffc02000 "
     "flags=0x0000]",
     "amd-io-page-fault", "0000:21:00.1", 0xffffc02000, NONE, "amd-event"},
    {"drv 0000:22:00.0: Event logged [IO_PAGE_FAULT domain=0x0001 address=0x92050da0 "
     "flags=0x0020]",
     "amd-io-page-fault", "0000:22:00.0", 0x92050da0, NONE, "amd-event"},
    {"iommu ivhd0: AMD-Vi: Event logged [ILLEGAL_DEV_TABLE_ENTRY device=0001:c0:00.1 "
     "pasid=0x00000 address=0xfdf8140000 flags=0x0008]",
     "amd-illegal-dte", "0001:c0:00.1", 0xfdf8140000, NONE, "amd-event"},
    {"iommu ivhd1: AMD-Vi: Event logged [INVALID_DEVICE_REQUEST device=12:00.1 pasid=0x00000 "
     "address=0xfdf8000000 flags=0x0a00]",
     "amd-invalid-request", "0000:12:00.1", 0xfdf8000000, NONE, "amd-event"},
    {"iommu ivhd0: AMD-Vi: Event logged [IOTLB_INV_TIMEOUT device=2b:00.0 address=0x38edc0970]",
     "amd-iotlb-timeout", "0000:2b:00.0", 0x38edc0970, NONE, "amd-event"},
    {"AMD-Vi: Event logged [DEV_TAB_HARDWARE_ERROR device=2c:00.0 address=0x1000 flags=0x0000]",
     "amd-table-hardware-error", "0000:2c:00.0", 0x1000, NONE, "amd-event"},
    {"AMD-Vi: Event logged [PAGE_TAB_HARDWARE_ERROR device=2c:00.0 pasid=0x00001 "
     "address=0x2000 flags=0x0000]",
     "amd-table-hardware-error", "0000:2c:00.0", 0x2000, NONE, "amd-event"},
    {"AMD-Vi: Event logged [ILLEGAL_COMMAND_ERROR address=0x3000]", "amd-command-error", "", 0x3000,
     NONE, "amd-event"},
    {"AMD-Vi: Event logged [COMMAND_HARDWARE_ERROR address=0x4000 flags=0x0000]",
     "amd-command-error", "", 0x4000, NONE, "amd-event"},
    {"AMD-Vi: Event logged [INVALID_PPR_REQUEST device=2d:00.0 pasid=0x00002 address=0x5000 "
     "flags=0x0002 tag=0x001]",
     "amd-invalid-ppr", "0000:2d:00.0", 0x5000, NONE, "amd-event"},
    {"AMD-Vi: Event logged [RMP_PAGE_FAULT device=0000:2e:00.0 vmg_tag=0x0000, gpa=0x6000, "
     "flags_rmp=0x0001, flags=0x0020]",
     "amd-rmp-fault", "0000:2e:00.0", 0x6000, NONE, "amd-event"},
    {"AMD-Vi: Event logged [UNKNOWN event[0]=0x1 event[1]=0x2 event[2]=0x3 event[3]=0x4",
     "amd-unknown-event", "", NONE, NONE, "amd-event"},
    {"AMD-Vi: Completion-Wait loop timed out", "amd-completion-wait", "", NONE, NONE,
     "amd-completion-wait"},
    {"AMD-Vi: [Firmware Bug]: IVRS invalid checksum", "amd-firmware-bug", "", NONE, NONE,
     "amd-firmware-bug"},
    {"AMD-Vi: [Firmware Bug]: : IOAPIC[9] not in IVRS table", "amd-firmware-ioapic", "", NONE, NONE,
     "amd-firmware-ioapic"},
    {"pci 0000:00:00.2: AMD-Vi: Unable to read/write to IOMMU perf counter.", "amd-perf-counter",
     "0000:00:00.2", NONE, NONE, "amd-perf-counter"},

    // Arm
    {"arm-smmu-v3 9.smmu: event: F_PERMISSION client: 0001:06:00.0 sid: 0x20600 ssid: 0x0 "
     "iova: 0xff9bc000 ipa: 0x0",
     "smmuv3-event", "0001:06:00.0", 0xff9bc000, NONE, "smmuv3-event-decoded"},
    {"arm-smmu-v3 9.smmu: event: C_BAD_STE client: (unassigned sid) sid: 0x31 ssid: 0x0",
     "smmuv3-event", "stream 0x31", NONE, NONE, "smmuv3-event-decoded"},
    {"arm-smmu-v3 9.smmu: unexpected global error reported (0x00000001), this could be serious",
     "smmuv3-global-error", "", NONE, NONE, "smmuv3-gerror"},
    {"arm-smmu-v3 9.smmu: CMDQ error (cons 0x01000022): Illegal command", "smmuv3-command-error",
     "", NONE, NONE, "smmuv3-cmdq-error"},
    {"arm-smmu-v3 9.smmu: CMD_SYNC timeout at 0x00000146 [hwprod 0x146, hwcons 0x145]",
     "smmuv3-sync-timeout", "", NONE, NONE, "smmuv3-cmd-sync-timeout"},
    {"arm-smmu-v3 9.smmu: device has entered Service Failure Mode!", "smmuv3-service-failure", "",
     NONE, NONE, "smmuv3-service-failure"},
    {"arm-smmu-v3 9.smmu: EVTQ overflow detected -- events lost", "smmuv3-queue-lost", "", NONE,
     NONE, "smmuv3-queue-lost"},
    {"arm-smmu 7000000.iommu: Unhandled context fault: fsr=0x402, iova=0x834e0d00, fsynr=0x31, "
     "cbfrsynra=0x807, cb=3",
     "smmuv2-context-fault", "stream 0x807", 0x834e0d00, NONE, "smmu-context-fault"},
    {"arm-smmu 7000000.iommu: Unhandled context fault: fsr=0x402, iova=0x1000, fsynr=0x1, cb=3",
     "smmuv2-context-fault", "", 0x1000, NONE, "smmu-context-fault"},
    {"arm-smmu 7000000.iommu: Blocked unknown Stream ID 0x43; boot with \"arm-smmu\"",
     "smmuv2-global-fault", "stream 0x43", NONE, NONE, "smmu-global-fault"},
    {"mtk-iommu 1.iommu: fault type=0x5 iova=0xfcff0001 pa=0x0 larb=0 port=0 layer=1 read",
     "soc-fault", "", 0xfcff0001, NONE, "mediatek-fault"},
    {"tegra-mc 7.memory-controller: display0a: read @0xfe000000: EMEM address decode error",
     "tegra-fault", "", 0xfe000000, NONE, "tegra-mc-fault"},
    {"virtio_iommu virtio0: page fault from EP 8 at 0xabc000 [rw]", "virtio-iommu-fault", "",
     0xabc000, NONE, "virtio-fault"},

    // The rest
    {"hid 0000:31:00.0: swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used 9 "
     "(slots)",
     "swiotlb-full", "0000:31:00.0", NONE, NONE, "swiotlb-full"},
    {"DMA: Out of SW-IOMMU space for 4096 bytes at device 0000:32:00.0", "swiotlb-full",
     "0000:32:00.0", NONE, NONE, "swiotlb-oom"},
    {"qemu: vfio error: 0000:01:00.0: group 7 is not viable", "vfio-group-not-viable", "", NONE,
     NONE, "vfio-group-not-viable"},
    {"vfio-pci 0007:00:00.1: not ready 65535ms after FLR; giving up", "vfio-reset-failed",
     "0007:00:00.1", NONE, NONE, "vfio-no-reset"},
    {"vfio-pci: probe of 0001:00:01.0 failed with error -22", "vfio-probe-failed", "0001:00:01.0",
     NONE, NONE, "vfio-probe"},
    {"pci 0000:33:00.0: Failed to add to iommu group 23: -22", "iommu-group-failed", "0000:33:00.0",
     NONE, NONE, "iommu-group-fail"},
};

static void check_case(const struct expected *expected)
{
    struct engine *engine = explain_log(expected->line);
    const struct problem *problem;

    problem = explain_find(engine, expected->kind);
    assert_int_equal(engine->problems.count, 1);
    assert_int_equal(problem->count, 1);
    assert_string_equal(problem->device, expected->device);
    if (expected->address == NONE)
        assert_false(expected->reason == NONE && problem->addresses.count > 0);
    else
        assert_int_equal(problem->addresses.first, expected->address);
    assert_int_equal(field_has(&problem->fields, FIELD_REASON), expected->reason != NONE);
    if (expected->reason != NONE)
        assert_int_equal(problem->fields.number[FIELD_REASON], expected->reason);
    assert_int_equal(engine_matches(engine, expected->format), 1);
    engine_destroy(engine);
}

static void test_each_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("# %s\n", cases[i].line);
        check_case(&cases[i]);
    }
}

// The same messages in one log, in every common prefix, stay the same entries.
static void test_every_prefix(void **state)
{
    static const char *const prefixes[] = {
        "",
        "[   12.345678] ",
        "[   12.345678][    T0] ",
        "[Thu Oct 22 09:34:57 2026] ",
        "[  +0,000014] ",
        "[May24 14:33] ",
        "Oct 14 18:41:49 host kernel: ",
        "Oct 14 18:41:49.056490 host kernel:[   85.570347] ",
        "2026-05-22T09:34:57.123456+02:00 host kernel: ",
        "kernel: ",
        "<3>[    1.000000] ",
        "6,1234,5678901,-;",
        "> > [    1.000000] ",
        "  | ",
        "=> [    1.000000] ",
        "ho [   78.635473] ",
        "\xd0\xba\xd0\xb2\xd1\x96 06 13:54:36 host kernel: ",
    };
    char line[512];

    (void)state;
    for (size_t p = 0; p < sizeof(prefixes) / sizeof(prefixes[0]); p++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct expected prefixed = cases[i];

            (void)snprintf(line, sizeof(line), "%s%s\r\n", prefixes[p], cases[i].line);
            print_message("# %s", line);
            prefixed.line = line;
            check_case(&prefixed);
        }
    }
}

// When it happened, in seconds since boot where the stamp says that, and as the log shows it.
static void test_times(void **state)
{
    static const struct {
        const char *prefix;
        bool monotonic;
        double seconds;
        const char *text;
    } stamps[] = {
        {"[   12.345678] ", true, 12.345678, "12.345678"},
        {"[  912.5][    T0] ", true, 912.5, "912.5"},
        {"6,1234,5678901,-;", true, 5.678901, "5.678901"},
        {"Oct 14 18:41:49 host kernel: [   85.5] ", true, 85.5, "85.5"},
        {"Oct 14 18:41:49 host kernel: ", false, (10 * 31 + 14) * 86400.0 + 67309,
         "Oct 14 18:41:49"},
        {"[May24 14:33] ", false, (5 * 31 + 24) * 86400.0 + 52380, "May24 14:33"},
    };
    char line[256];

    (void)state;
    for (size_t i = 0; i < sizeof(stamps) / sizeof(stamps[0]); i++) {
        struct engine *engine;
        const struct moment *first;

        (void)snprintf(line, sizeof(line), "%sAMD-Vi: Completion-Wait loop timed out\n",
                       stamps[i].prefix);
        print_message("# %s", line);
        engine = explain_log(line);
        first = &explain_find(engine, "amd-completion-wait")->first;
        assert_true(first->valid);
        assert_int_equal(first->monotonic, stamps[i].monotonic);
        assert_true(first->seconds > stamps[i].seconds - 1e-6 &&
                    first->seconds < stamps[i].seconds + 1e-6);
        assert_string_equal(first->text, stamps[i].text);
        engine_destroy(engine);
    }
}

static void test_nothing_in_ordinary_lines(void **state)
{
    struct engine *engine = explain_log("[1.0] usb 1-1: new device\n"
                                        "[1.1] the DMA engine is fine, no fault reason here\n"
                                        "[1.2] Firmware Bug: TSC\n"
                                        "IO_PAGE_FAULT is a name, and event 0x is not a number\n");

    (void)state;
    assert_int_equal(engine->problems.count, 0);
    assert_int_equal(engine->notices, 0);
    engine_destroy(engine);
}

// What the hardware says, in words.
static void test_decoded_words(void **state)
{
    struct engine *engine = explain_log(
        "a 0000:01:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x1 address=0x1 flags=0x0030]\n"
        "arm-smmu 7.iommu: Unhandled context fault: fsr=0x408, iova=0x5000, fsynr=0x10, cb=1\n");
    char text[1024];

    (void)state;
    decode_problem(explain_find(engine, "amd-io-page-fault"), text, sizeof(text));
    assert_non_null(strstr(text, "PR, "));
    assert_non_null(strstr(text, "RW, a write"));
    assert_null(strstr(text, "I, "));
    decode_problem(explain_find(engine, "smmuv2-context-fault"), text, sizeof(text));
    assert_non_null(strstr(text, "A write"));
    assert_non_null(strstr(text, "PF, "));
    assert_null(strstr(text, "TF, "));
    assert_string_equal(decode_vtd_reason(0x26),
                        "the requester is not the one that the interrupt remapping entry names");
    engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind),     cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_times),         cmocka_unit_test(test_nothing_in_ordinary_lines),
        cmocka_unit_test(test_decoded_words),
    };

    return cmocka_run_group_tests_name("explain_kinds", tests, NULL, NULL);
}
