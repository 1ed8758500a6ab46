// SPDX-License-Identifier: MIT
// Messages of Linux's SMMUv3 and SMMUv2 drivers (4.x to today), and of Xen's.
#include "formats.h"

#define PROBLEM(id, kind, pattern, hook)                                                           \
    {                                                                                              \
        id, kind, VENDOR_ARM, ROLE_PROBLEM, pattern, hook                                          \
    }
#define DETAIL(id, pattern, hook)                                                                  \
    {                                                                                              \
        id, NULL, VENDOR_ARM, ROLE_DETAIL, pattern, hook                                           \
    }
#define BOOT(id, kind, pattern, hook)                                                              \
    {                                                                                              \
        id, kind, VENDOR_ARM, ROLE_BOOT, pattern, hook                                             \
    }

const struct format formats_arm[] = {
    // Raw: a header and four 64-bit words, each a message of its own (until 6.14, and since for
    // events without a decoder). The words decide what the entry says.
    PROBLEM("smmuv3-event", "smmuv3-event", "event 0x{type} received:", hook_smmu3_event),
    // Decoded, since 6.15; after the raw form of the same event.
    PROBLEM("smmuv3-event-decoded", "smmuv3-event",
            "event: {name} client: (unassigned sid) sid: {sid} ssid: {ssid} iova: {addr}",
            hook_smmu3_decoded),
    PROBLEM("smmuv3-event-decoded", "smmuv3-event",
            "event: {name} client: (unassigned sid) sid: {sid} ssid: {ssid}", hook_smmu3_decoded),
    PROBLEM("smmuv3-event-decoded", "smmuv3-event",
            "event: {name} client: {unit} sid: {sid} ssid: {ssid}~ iova: {addr} ipa: {hex}",
            hook_smmu3_decoded),
    PROBLEM("smmuv3-event-decoded", "smmuv3-event",
            "event: {name} client: {unit} sid: {sid} ssid: {ssid}~ fetch_addr: {addr}",
            hook_smmu3_decoded),
    PROBLEM("smmuv3-event-decoded", "smmuv3-event",
            "event: {name} client: {unit} sid: {sid} ssid: {ssid}", hook_smmu3_decoded),
    DETAIL("smmuv3-event-class", "unpriv data {text}", NULL),
    DETAIL("smmuv3-event-class", "unpriv inst {text}", NULL),
    DETAIL("smmuv3-event-class", "priv data {text}", NULL),
    DETAIL("smmuv3-event-class", "priv inst {text}", NULL),
    PROBLEM("smmuv3-gerror", "smmuv3-global-error",
            "unexpected global error reported ({hex})~, this could be serious", NULL),
    PROBLEM("smmuv3-cmdq-error", "smmuv3-command-error", "CMDQ error (cons {index}): {text}", NULL),
    DETAIL("smmuv3-cmdq-skip", "skipping command in error state:", NULL),
    DETAIL("smmuv3-cmdq-skip", "retrying command fetch", NULL),
    PROBLEM("smmuv3-cmd-sync-timeout", "smmuv3-sync-timeout", "CMD_SYNC timeout{text}", NULL),
    PROBLEM("smmuv3-cmd-sync-timeout", "smmuv3-sync-timeout", "CMDQ timeout{text}", NULL),
    PROBLEM("smmuv3-service-failure", "smmuv3-service-failure",
            "device has entered Service Failure Mode!", NULL),
    PROBLEM("smmuv3-queue-lost", "smmuv3-queue-lost", "EVTQ overflow detected -- events lost",
            NULL),
    PROBLEM("smmuv3-queue-lost", "smmuv3-queue-lost", "PRIQ overflow detected -- requests lost",
            NULL),
    PROBLEM("smmuv3-queue-lost", "smmuv3-queue-lost",
            "EVTQ write aborted -- events may have been lost", NULL),
    PROBLEM("smmuv3-queue-lost", "smmuv3-queue-lost",
            "PRIQ write aborted -- events may have been lost", NULL),
    PROBLEM("smmuv3-msi-aborted", "smmuv3-msi-aborted", "GERROR MSI write aborted", NULL),
    PROBLEM("smmuv3-msi-aborted", "smmuv3-msi-aborted", "CMDQ MSI write aborted", NULL),
    PROBLEM("smmuv3-msi-aborted", "smmuv3-msi-aborted", "EVTQ MSI write aborted", NULL),
    PROBLEM("smmuv3-msi-aborted", "smmuv3-msi-aborted", "PRIQ MSI write aborted", NULL),
    PROBLEM("smmuv3-pri", "smmuv3-page-request", "unexpected PRI request received:", NULL),
    DETAIL("smmuv3-pri-detail", "sid 0x{sid}.0x{ssid}: [{text}", NULL),
    BOOT("smmuv3-width", "on-smmuv3", "arm-smmu-v3 {unit}: ias {n}-bit", hook_smmu3_width),

    PROBLEM("smmu-context-fault", "smmuv2-context-fault", "Unhandled context fault:~ {kv}",
            hook_smmu2_context),
    DETAIL("smmu-context-detail", "arm-smmu {unit}: FSR = {skip}]", NULL),
    DETAIL("smmu-context-detail", "arm-smmu {unit}: FSYNR0 = {skip}]", NULL),
    PROBLEM("smmu-global-fault", "smmuv2-global-fault",
            "Unexpected global fault, this could be serious", hook_smmu2_global),
    PROBLEM("smmu-global-fault", "smmuv2-global-fault",
            "Blocked unknown Stream ID {sid}; boot with", hook_smmu2_global),
    DETAIL("smmu-global-registers", "GFSR 0x{fsr}~, GFSYNR0 {fsynr}, GFSYNR1 {sid}, GFSYNR2 {hex}",
           hook_smmu2_gfsr),
    PROBLEM("smmu-tlb-timeout", "smmuv2-tlb-timeout",
            "TLB sync timed out -- SMMU may be deadlocked", NULL),
    PROBLEM("smmu-gpu-fault", "smmuv2-context-fault", "gpu fault: {kv}", hook_smmu2_context),
    {"smmuv3-word", NULL, VENDOR_ARM, ROLE_NOTICE, "arm-smmu-v3", hook_smmu3_word},
    {"arm-notice", NULL, VENDOR_ARM, ROLE_NOTICE, "arm-smmu", NULL},
    {0},
};
