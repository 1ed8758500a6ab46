// SPDX-License-Identifier: MIT
// Messages of Linux's Intel VT-d driver (4.x to today) and of Xen's.
//
// Reasons are decimal in brackets until Linux 5.13 and hexadecimal with 0x since; fault
// addresses are hexadecimal always, fault indexes hexadecimal always.
#include "formats.h"

#define PROBLEM(id, kind, pattern, hook)                                                           \
    {                                                                                              \
        id, kind, VENDOR_INTEL, ROLE_PROBLEM, pattern, hook                                        \
    }
#define CATCH(id, kind, pattern)                                                                   \
    {                                                                                              \
        id, kind, VENDOR_INTEL, ROLE_CATCH, pattern, NULL                                          \
    }
#define DETAIL(id, pattern, hook)                                                                  \
    {                                                                                              \
        id, NULL, VENDOR_INTEL, ROLE_DETAIL, pattern, hook                                         \
    }
#define BOOT(id, kind, pattern, hook)                                                              \
    {                                                                                              \
        id, kind, VENDOR_INTEL, ROLE_BOOT, pattern, hook                                           \
    }
// One fault in all spellings; the direction is the first word.
#define DMA_FAULT(word, hook)                                                                      \
    PROBLEM("intel-dma-fault-nopasid", "intel-dma-fault",                                          \
            "[DMA " word                                                                           \
            " NO_PASID]~ Request device [{dev}] fault addr {addr} [fault reason {reason}]",        \
            hook),                                                                                 \
        PROBLEM("intel-dma-fault", "intel-dma-fault",                                              \
                "[DMA " word                                                                       \
                "] Request device [{dev}]~ fault addr {addr} [fault reason {reason}]",             \
                hook),                                                                             \
        PROBLEM("intel-dma-fault-pasid", "intel-dma-fault",                                        \
                "[DMA " word "] Request device [{dev}] PASID {pasid}~ fault addr {addr} "          \
                "[fault reason {reason}]",                                                         \
                hook),                                                                             \
        PROBLEM("intel-dma-fault-pasid", "intel-dma-fault",                                        \
                "[DMA " word " PASID {pasid}] Request device [{dev}]~ fault addr {addr} "          \
                "[fault reason {reason}]",                                                         \
                hook),                                                                             \
        PROBLEM("intel-dma-fault-oldest", "intel-dma-fault",                                       \
                "[DMA " word "] Request device [{dev}]~ fault addr {addr} "                        \
                "DMAR:[fault reason {reason}]",                                                    \
                hook),                                                                             \
        {"xen-vtd-fault",                                                                          \
         "intel-dma-fault",                                                                        \
         VENDOR_XEN,                                                                               \
         ROLE_PROBLEM,                                                                             \
         "[VT-D]DMAR:[DMA " word "] Request device [{dev}] fault addr {addr}~",                    \
         hook},                                                                                    \
    {                                                                                              \
        "xen-vtd-fault", "intel-dma-fault", VENDOR_XEN, ROLE_PROBLEM,                              \
            "[DMA " word "] Request device [{dev}] fault addr {addr}, iommu reg", hook             \
    }

const struct format formats_intel[] = {
    DMA_FAULT("Read", hook_read),
    DMA_FAULT("Write", hook_write),
    PROBLEM("intel-intr-fault", "intel-interrupt-fault",
            "[INTR-REMAP] Request device [{dev}]~ fault index {index} [fault reason {reason}]",
            NULL),
    PROBLEM("intel-intr-fault", "intel-interrupt-fault",
            "INTR-REMAP: Request device [{dev}]~ fault index {index} "
            "INTR-REMAP:[fault reason {reason}]",
            NULL),
    PROBLEM("intel-intr-fault", "intel-interrupt-fault",
            "INTR-REMAP: Request device [[{dev}]~ fault index {index} "
            "INTR-REMAP:[fault reason {reason}]",
            NULL),
    DETAIL("intel-intr-reason", "INTR-REMAP:[fault reason {reason}]", hook_reason),
    DETAIL("intel-fault-reason", "DMAR:[fault reason {reason}]", hook_reason),
    {"xen-vtd-reason", NULL, VENDOR_XEN, ROLE_DETAIL, "[VT-D]DMAR: reason {reason} -", hook_reason},
    {"intel-fault-status", NULL, VENDOR_INTEL, ROLE_DETAIL, "DRHD: handling fault status reg {hex}",
     hook_fault_status},

    PROBLEM("intel-inval-error", "intel-invalidation-queue-error",
            "VT-d detected Invalidation Queue Error: Reason {type}", NULL),
    PROBLEM("intel-inval-error", "intel-invalidation-timeout",
            "VT-d detected Invalidation Time-out Error: SID {sid}", NULL),
    PROBLEM("intel-inval-error", "intel-invalidation-completion-error",
            "VT-d detected Invalidation Completion Error: SID {sid}", NULL),
    PROBLEM("intel-inval-error", "intel-invalidation-queue-error",
            "VT-d detected invalidation queue error", NULL),
    PROBLEM("intel-inval-error", "intel-invalidation-timeout",
            "VT-d detected invalidation time-out error", NULL),
    DETAIL("intel-inval-detail", "QI HEAD: {text}", NULL),
    DETAIL("intel-inval-detail", "QI PRIOR: {text}", NULL),
    DETAIL("intel-inval-detail", "Invalidation Queue Error (IQE) cleared", NULL),
    DETAIL("intel-inval-detail", "Invalidation Time-out Error (ITE) cleared", NULL),
    DETAIL("intel-inval-detail", "Invalidation Completion Error (ICE) cleared", NULL),
    PROBLEM("intel-hardware-malfunction", "intel-hardware-malfunction",
            "DMAR hardware is malfunctioning", NULL),
    PROBLEM("intel-hardware-malfunction", "intel-hardware-malfunction",
            "Queued invalidation failed to complete", NULL),

    DETAIL("intel-pt-dump", "Dump dmar{n} table entries for IOVA {addr}", NULL),
    DETAIL("intel-pt-dump", "root entry: {hex}", NULL),
    DETAIL("intel-pt-dump", "context entry: hi {hex}, low {hex}", NULL),
    DETAIL("intel-pt-dump", "scalable mode root entry: {text}", NULL),
    DETAIL("intel-pt-dump", "pasid dir entry: {hex}", NULL),
    DETAIL("intel-pt-dump", "pasid table entry[{n}]: {hex}", NULL),
    DETAIL("intel-pt-dump", "pte level: {n}, pte value: {hex}", NULL),
    DETAIL("intel-pt-dump", "root table is not present", NULL),
    DETAIL("intel-pt-dump", "context table is not present", NULL),
    DETAIL("intel-pt-dump", "page table not present at level {n}", NULL),
    DETAIL("intel-pt-dump", "page table is not present", NULL),
    DETAIL("intel-pt-dump", "pasid directory entry is not present", NULL),
    DETAIL("intel-pt-dump", "pasid table entry is not present", NULL),

    PROBLEM("intel-rmrr-ineligible", "intel-rmrr-ineligible",
            "Device is ineligible for IOMMU domain attach due to platform RMRR requirement", NULL),
    PROBLEM("intel-rmrr-ineligible", "intel-rmrr-ineligible",
            "Device was ineligible for IOMMU domain attach", NULL),
    PROBLEM("intel-firmware-bug", "intel-firmware-rmrr",
            "No firmware reserved region can cover this RMRR [{start}-{last}]", hook_rmrr),
    PROBLEM("intel-firmware-bug", "intel-firmware-rmrr",
            "Your BIOS is broken; bad RMRR [{start}-{last}]", NULL),
    PROBLEM("intel-firmware-bug", "intel-firmware-rmrr",
            "Your BIOS is broken; RMRR ends before it starts!", NULL),
    PROBLEM("intel-firmware-bug", "intel-firmware-bug",
            "Your BIOS is broken; DMAR reported at address {text}", NULL),
    PROBLEM("intel-firmware-bug", "intel-firmware-bug", "Your BIOS is broken; {text}", NULL),
    PROBLEM("intel-firmware-bug", "intel-firmware-rmrr",
            "RMRR entry for device {dev} is broken - applying workaround", NULL),
    CATCH("intel-firmware-bug", "intel-firmware-bug", "DMAR: [Firmware Bug]: {text}"),
    CATCH("intel-firmware-bug", "intel-firmware-bug", "DMAR: [Firmware Warn]: {text}"),
    CATCH("intel-firmware-bug", "intel-firmware-bug", "DMAR-IR: [Firmware Bug]: {text}"),
    PROBLEM("intel-table-unusable", "intel-firmware-bug", "Parse DMAR table failure", NULL),
    PROBLEM("intel-iova-alloc-fail", "intel-iova-exhausted", "Allocating {n}-page iova failed",
            NULL),
    PROBLEM("intel-bounce-fail", "swiotlb-full", "Device bounce map: {skip}--- failed", NULL),
    PROBLEM("intel-intr-off", "interrupt-remapping-off", "Failed to enable irq remapping{text}",
            NULL),
    PROBLEM("intel-intr-off", "interrupt-remapping-off",
            "This system BIOS has enabled interrupt remapping", NULL),
    PROBLEM("intel-intr-off", "interrupt-remapping-off", "Disabling IRQ remapping{text}", NULL),
    PROBLEM("intel-kdump-state", "intel-previous-kernel",
            "IRQ remapping was enabled on dmar{n} but we are not in kdump mode", NULL),

    BOOT("intel-width", NULL, "Host address width {n}", hook_width),
    BOOT("intel-rmrr", NULL, "RMRR base: {start} end: {last}", hook_rmrr),
    BOOT("intel-on", "on-intel", "Intel(R) Virtualization Technology for Directed I/O", NULL),
    BOOT("intel-on", "on-intel", "DMAR: IOMMU enabled", NULL),
    BOOT("intel-off", "off-intel", "DMAR: IOMMU disabled", NULL),
    BOOT("intel-platform-opt-in", "on-intel-opt-in",
         "Intel-IOMMU force enabled due to platform opt in", NULL),
    BOOT("intel-ir-on", "on-interrupt-remapping", "Enabled IRQ remapping in {name} mode", NULL),
    BOOT("intel-graphics-off", "off-intel-graphics", "Disabling IOMMU for graphics on this chipset",
         NULL),
    BOOT("intel-graphics-off", "off-intel-graphics", "Disable GFX device mapping", NULL),
    BOOT("intel-identity", NULL, "Setting identity map", NULL),
    BOOT("intel-kdump", NULL, "Copied translation tables from previous kernel", hook_kdump),
    BOOT("intel-kdump", NULL, "Translation already enabled - trying to copy", hook_kdump),
    BOOT("intel-kdump", NULL, "Copied IR table for dmar{n} from previous kernel", hook_kdump),
    {"intel-notice", NULL, VENDOR_INTEL, ROLE_NOTICE, "DMAR-IR:", NULL},
    {"intel-notice", NULL, VENDOR_INTEL, ROLE_NOTICE, "DMAR: ", NULL},
    {"intel-notice", NULL, VENDOR_INTEL, ROLE_NOTICE, "VT-d active for gfx access", NULL},
    {0},
};
