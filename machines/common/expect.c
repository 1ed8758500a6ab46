// SPDX-License-Identifier: MIT
#include "expect.h"

#include <stddef.h>

#include "options.h"

static const struct expectation expectations[] = {
    /* [VT-d 7.1.3] second-stage walks report "no write (read) permission" (05h, 06h) for entries
     * that are not present too. */
    {.driver = "Intel VT-d",
     .logs_faults = true,
     .logs_blocked = true,
     .logs_out_of_range = true,
     .maps_write_only = true,
     .messages_always_pass = true,
     .tells_unmapped_from_denied = false,
     .logs_denied_when_cached = false,
     .tells_buses_apart = true,
     .refuses_older_messages = false,
     .messages_remark = "QEMU's intel-iommu lets them pass, GSTS.CFIS or not",
     .tells_message_sources = false,
     .logs_written_messages = true,
     .tells_access = true,
     .raises_notice = true,
     .can_silence = true,
     .admits_losses = false,
     .loss_remark =
         "QEMU's intel-iommu takes what one device does for one fault until that is read",
     .hands_over_seamlessly = true,
     .sources_remark = "QEMU does not hand on who does a DMA, so its intel-iommu checks no source",
     .cached_remark = "QEMU's intel-iommu logs nothing when its cache has the translation"},
    /* Up to 10.0 the emulation takes its event log for full at every event, so it writes none. */
    {.driver = "AMD-Vi",
     .logs_faults = false,
     .maps_write_only = true,
     .messages_always_pass = true,
     .remark = "QEMU's amd-iommu writes no event log",
     .cached_remark = "QEMU's amd-iommu writes no event log",
     /* It asks for a device's bus number when the device is made, before anybody gave numbers. */
     .tells_buses_apart = false,
     .buses_remark = "to QEMU's amd-iommu every bus is bus 0, so it takes the device for another",
     /* There is no older format: every message is a number in its sender's own table. One that a
      * device writes by DMA counts as the IOAPIC's, whose table it does not get far in either. */
     .refuses_older_messages = true,
     .tells_message_sources = true,
     .logs_written_messages = true,
     .entries_are_the_senders = true,
     /* Asked for by a word (pins-pass), which tools/machine gives to the versions it is true of. */
     .pins_remark = "QEMU 10.0's amd-iommu makes the IOAPIC's address space before the region that "
                    "remaps, of which it gets a part of no size: its messages pass as they are",
     .tells_access = true,
     .raises_notice = true,
     .hands_over_seamlessly = true},
    /* Over MMIO it has a wire for events. Nobody can tell QEMU's where messages go then, so to it
     * they are writes like others. */
    {.driver = "virtio-iommu",
     .word = "mmio",
     .logs_faults = true,
     .logs_blocked = true,
     .logs_out_of_range = true,
     .maps_write_only = true,
     .messages_always_pass = false,
     .tells_unmapped_from_denied = true,
     .logs_denied_when_cached = true,
     .tells_buses_apart = true,
     .refuses_older_messages = true,
     .tells_message_sources = true,
     .tells_access = false,
     .raises_notice = true,
     .can_silence = false,
     .silence_remark = "a virtio-iommu has no word for that [Virtio 5.13.6]",
     .admits_losses = false,
     .loss_remark = "a virtio-iommu drops reports that it has no buffer for [Virtio 5.13.6.8]",
     .hands_over_seamlessly = false,
     .takeover_remark = "taking over is a reset, which makes a virtio-iommu forget its domains"},
    /* Nor is it told on RISC-V. */
    {.driver = "virtio-iommu",
     .word = "unknown-doorbell",
     .logs_faults = true,
     .logs_blocked = true,
     .logs_out_of_range = true,
     .maps_write_only = true,
     .messages_always_pass = false,
     .tells_unmapped_from_denied = true,
     .logs_denied_when_cached = true,
     .tells_buses_apart = true,
     .refuses_older_messages = true,
     .tells_message_sources = true,
     .tells_access = false,
     .raises_notice = false,
     .notice_remark = "QEMU's virtio-iommu-pci has no MSI-X",
     .can_silence = false,
     .silence_remark = "a virtio-iommu has no word for that [Virtio 5.13.6]",
     .admits_losses = false,
     .loss_remark = "a virtio-iommu drops reports that it has no buffer for [Virtio 5.13.6.8]",
     .hands_over_seamlessly = false,
     .takeover_remark = "taking over is a reset, which makes a virtio-iommu forget its domains"},
    /* [Virtio 5.13.6.8] has flags for reads and writes; up to 10.0 the emulation sets them only for
     * mapped addresses. */
    {.driver = "virtio-iommu",
     .logs_faults = true,
     .logs_blocked = true,
     .logs_out_of_range = true,
     .maps_write_only = true,
     /* On Arm it is told of the doorbell, and lets everything pass there. */
     .messages_always_pass = true,
     .tells_unmapped_from_denied = true,
     .logs_denied_when_cached = true,
     .tells_buses_apart = true,
     .tells_access = false,
     .raises_notice = false,
     .notice_remark = "QEMU's virtio-iommu-pci has no MSI-X",
     .can_silence = false,
     .silence_remark = "a virtio-iommu has no word for that [Virtio 5.13.6]",
     .admits_losses = false,
     .loss_remark = "a virtio-iommu drops reports that it has no buffer for [Virtio 5.13.6.8]",
     .hands_over_seamlessly = false,
     .takeover_remark = "taking over is a reset, which makes a virtio-iommu forget its domains"},
    /* Messages go through an MSI page table of their sender's own. */
    {.driver = "RISC-V IOMMU",
     .word = "remap-interrupts",
     .logs_faults = true,
     .logs_blocked = false,
     .blocked_remark = "QEMU's riscv-iommu records no address where a device has no entry",
     .logs_out_of_range = true,
     .maps_write_only = false,
     .messages_always_pass = false,
     .tells_unmapped_from_denied = false,
     .logs_denied_when_cached = true,
     .tells_buses_apart = false,
     .buses_remark = "to QEMU's riscv-iommu a device behind a bridge is 00:00.0",
     .refuses_older_messages = true,
     .tells_message_sources = true,
     .logs_written_messages = false,
     .written_remark =
         "QEMU's riscv-iommu is not told who does a DMA, and refuses without a record",
     .entries_are_the_senders = true,
     .tells_access = true,
     .raises_notice = true,
     .can_silence = true,
     .admits_losses = true,
     .hands_over_seamlessly = true},
    /* First stage, like Arm's, has no "write alone" [RISC-V Privileged 12.3.1]; a message is a
     * write like any other where no MSI page table is used. */
    {.driver = "RISC-V IOMMU",
     .logs_faults = true,
     .logs_blocked = false,
     .blocked_remark = "QEMU's riscv-iommu records no address where a device has no entry",
     .logs_out_of_range = true,
     .maps_write_only = false,
     .messages_always_pass = false,
     /* One cause for either, a page fault [RISC-V IOMMU 3.2]. */
     .tells_unmapped_from_denied = false,
     .logs_denied_when_cached = true,
     /* It asks for a device's bus number when the device is made, as amd-iommu does. */
     .tells_buses_apart = false,
     .buses_remark = "to QEMU's riscv-iommu a device behind a bridge is 00:00.0",
     .refuses_older_messages = true,
     .tells_message_sources = true,
     .logs_written_messages = true,
     .tells_access = true,
     .raises_notice = true,
     .can_silence = true,
     .admits_losses = true,
     .hands_over_seamlessly = true},
    /* An entry that aborts records nothing [SMMU 5.2], and a stream without an entry no address
     * [SMMU 7.3.3]. A message is a write like any other [SMMU 3.18]. */
    {.driver = "Arm SMMUv3",
     .word = "stage-2",
     .logs_faults = true,
     .logs_blocked = false,
     .blocked_remark = "an SMMUv3 records no access of a stream that is blocked",
     /* It takes that for a fault of stage 1 [SMMU 3.4], of which nobody said that it be recorded.
      */
     .logs_out_of_range = false,
     .range_remark = "QEMU's SMMUv3 records no address that is too wide for stage 2",
     .maps_write_only = true,
     .messages_always_pass = false,
     .tells_unmapped_from_denied = true,
     .logs_denied_when_cached = false,
     .cached_remark = "QEMU's SMMUv3 records no read that a translation in its cache denies",
     .tells_buses_apart = true,
     .refuses_older_messages = true,
     .tells_message_sources = true,
     .logs_written_messages = true,
     .tells_access = true,
     .raises_notice = true,
     .can_silence = true,
     .admits_losses = true,
     .hands_over_seamlessly = true},
    /* Stage 1, which the driver takes where it can, cannot say "write alone" [Arm ARM D8.4]. */
    {.driver = "Arm SMMUv3",
     .logs_faults = true,
     .logs_blocked = false,
     .blocked_remark = "an SMMUv3 records no access of a stream that is blocked",
     .logs_out_of_range = true,
     .maps_write_only = false,
     .messages_always_pass = false,
     .tells_unmapped_from_denied = true,
     .logs_denied_when_cached = true,
     .tells_buses_apart = true,
     .refuses_older_messages = true,
     .tells_message_sources = true,
     .logs_written_messages = true,
     .tells_access = true,
     .raises_notice = true,
     .can_silence = true,
     .admits_losses = true,
     .hands_over_seamlessly = true},
};

static const struct expectation everything = {.driver = "",
                                              .logs_faults = true,
                                              .logs_blocked = true,
                                              .logs_out_of_range = true,
                                              .maps_write_only = true,
                                              .messages_always_pass = true,
                                              .tells_unmapped_from_denied = true,
                                              .logs_denied_when_cached = true,
                                              .tells_buses_apart = true,
                                              .refuses_older_messages = true,
                                              .tells_message_sources = true,
                                              .logs_written_messages = true,
                                              .tells_access = true,
                                              .raises_notice = true,
                                              .can_silence = true,
                                              .admits_losses = true,
                                              .hands_over_seamlessly = true};

const struct expectation *expectation_of(const char *driver)
{
    for (size_t i = 0; i < sizeof(expectations) / sizeof(expectations[0]); i++) {
        const struct expectation *row = &expectations[i];
        if (text_equal(row->driver, driver) && (row->word == NULL || option_given(row->word)))
            return row;
    }
    return &everything;
}
