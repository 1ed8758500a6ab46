// SPDX-License-Identifier: MIT
// Messages of Linux's AMD IOMMU driver (4.x to today). Events are "Event logged [NAME
// name=value ...]"; the device is a value, or stands before the message, with or without a
// segment. Old kernels printed the name on a line of its own.
#include "formats.h"

#define EVENT(name)                                                                                \
    {                                                                                              \
        "amd-event", "amd-event", VENDOR_AMD, ROLE_PROBLEM, name " {kv}]", hook_amd_named          \
    }
#define PROBLEM(id, kind, pattern)                                                                 \
    {                                                                                              \
        id, kind, VENDOR_AMD, ROLE_PROBLEM, pattern, NULL                                          \
    }
#define CATCH(id, kind, pattern)                                                                   \
    {                                                                                              \
        id, kind, VENDOR_AMD, ROLE_CATCH, pattern, NULL                                            \
    }
#define DETAIL(id, pattern)                                                                        \
    {                                                                                              \
        id, NULL, VENDOR_AMD, ROLE_DETAIL, pattern, NULL                                           \
    }
#define BOOT(id, kind, pattern, hook)                                                              \
    {                                                                                              \
        id, kind, VENDOR_AMD, ROLE_BOOT, pattern, hook                                             \
    }

const struct format formats_amd[] = {
    {"amd-event", "amd-event", VENDOR_AMD, ROLE_PROBLEM, "Event logged [UNKNOWN{text}",
     hook_amd_event},
    {"amd-event", "amd-event", VENDOR_AMD, ROLE_PROBLEM, "Event logged [{name}~ {kv}]",
     hook_amd_event},
    {"amd-event", "amd-event", VENDOR_AMD, ROLE_PROBLEM, "Event logged [{name} ..", hook_amd_event},
    EVENT("ILLEGAL_DEV_TABLE_ENTRY"),
    EVENT("IO_PAGE_FAULT"),
    EVENT("DEV_TAB_HARDWARE_ERROR"),
    EVENT("PAGE_TAB_HARDWARE_ERROR"),
    EVENT("ILLEGAL_COMMAND_ERROR"),
    EVENT("COMMAND_HARDWARE_ERROR"),
    EVENT("IOTLB_INV_TIMEOUT"),
    EVENT("INVALID_DEVICE_REQUEST"),
    EVENT("INVALID_PPR_REQUEST"),
    EVENT("RMP_HW_ERROR"),
    EVENT("RMP_PAGE_FAULT"),
    PROBLEM("amd-completion-wait", "amd-completion-wait", "Completion-Wait loop timed out"),
    PROBLEM("amd-command-timeout", "amd-completion-wait", "Command buffer timeout"),
    PROBLEM("amd-log-overflow", "amd-log-overflow", "IOMMU Event log restarting"),
    PROBLEM("amd-log-overflow", "amd-log-overflow", "IOMMU event log overflow"),
    PROBLEM("amd-log-overflow", "amd-log-overflow", "IOMMU Event log overflow"),
    PROBLEM("amd-log-overflow", "amd-log-overflow", "IOMMU PPR log restarting"),
    PROBLEM("amd-log-overflow", "amd-log-overflow", "IOMMU PPR Log overflow"),
    PROBLEM("amd-log-overflow", "amd-log-overflow", "IOMMU GA Log restarting"),
    PROBLEM("amd-perf-counter", "amd-perf-counter", "Unable to read/write to IOMMU perf counter"),
    PROBLEM("amd-perf-counter", "amd-perf-counter", "Unable to write to IOMMU perf counter"),
    PROBLEM("amd-perf-counter", "amd-perf-counter", "Unable to read to IOMMU perf counter"),
    PROBLEM("amd-efr-mismatch", "amd-efr-mismatch", "EFR mismatch. Use IVHD EFR {text}"),
    PROBLEM("amd-firmware-ioapic", "amd-firmware-ioapic", "IOAPIC[{n}] not in IVRS table"),
    PROBLEM("amd-firmware-ioapic", "amd-firmware-ioapic",
            "No southbridge IOAPIC found in IVRS table"),
    PROBLEM("amd-intr-off", "interrupt-remapping-off", "Disabling interrupt remapping"),
    PROBLEM("amd-firmware-bug", "amd-firmware-bug", "IVRS invalid checksum"),
    CATCH("amd-firmware-bug", "amd-firmware-bug", "AMD-Vi: [Firmware Bug]: {text}"),
    CATCH("amd-firmware-bug", "amd-firmware-bug", "AMD-Vi: [Firmware Warn]: {text}"),
    PROBLEM("amd-copy-failed", "amd-copy-failed", "Failed to copy DEV table from previous kernel"),
    DETAIL("amd-register-dump", "AMD-Vi: DTE[{n}]: {hex}"),
    DETAIL("amd-register-dump", "AMD-Vi: CMD[{n}]: {hex}"),
    DETAIL("amd-control-dump", "Control Reg : {hex}"),
    DETAIL("amd-register-dump", "RMPE lo: {hex}"),
    BOOT("amd-on", "on-amd", "Found IOMMU at {dev} cap {hex}", NULL),
    BOOT("amd-on", "on-amd", "Found IOMMU cap {hex}", NULL),
    BOOT("amd-ir-on", "on-interrupt-remapping", "AMD-Vi: Interrupt remapping enabled", NULL),
    BOOT("amd-lazy", "on-lazy", "Lazy IO/TLB flushing enabled", NULL),
    BOOT("amd-strict", "on-strict", "IO/TLB flush on unmap enabled", NULL),
    BOOT("amd-kdump", NULL, "Translation is already enabled - trying to copy", hook_kdump),
    BOOT("amd-kdump", NULL, "Copied DEV table from previous kernel", hook_kdump),
    {"amd-notice", NULL, VENDOR_AMD, ROLE_NOTICE, "AMD-Vi:", NULL},
    {"amd-notice", NULL, VENDOR_AMD, ROLE_NOTICE, "perf/amd_iommu:", NULL},
    {0},
};
