// SPDX-License-Identifier: MIT
// Lines that are not about the IOMMU but say why it complained: what the machine is, which
// memory the firmware kept, which device was just reset. And lines by which loggers say that
// they left lines out.
#include "formats.h"

#define CONTEXT(id, pattern, hook)                                                                 \
    {                                                                                              \
        id, NULL, VENDOR_GENERIC, ROLE_CONTEXT, pattern, hook                                      \
    }

const struct format formats_context[] = {
    CONTEXT("suppressed", " callbacks suppressed", hook_suppressed),
    CONTEXT("repeated", "message repeated {n} times: [", hook_repeated),
    CONTEXT("repeated", "last message repeated {n} times", hook_last_repeated),
    CONTEXT("kernel", "Linux version {text}", hook_kernel),
    CONTEXT("command-line", "Command line: {text}", hook_command_line),
    CONTEXT("command-line", "Kernel command line: {text}", hook_command_line),
    CONTEXT("e820", "BIOS-e820: [mem {start}-{last}] {text}", hook_e820),
    CONTEXT("pci-id", "] type 0{text}", hook_pci_id),
    CONTEXT("bar", "reg 0x{index}: [mem {start}-{last}", hook_bar),
    CONTEXT("bar", "assigned [mem {start}-{last}", hook_bar),
    CONTEXT("bar", "BAR 0 [mem {start}-{last}", hook_bar),
    CONTEXT("bar", "BAR 1 [mem {start}-{last}", hook_bar),
    CONTEXT("bar", "BAR 2 [mem {start}-{last}", hook_bar),
    CONTEXT("bar", "BAR 3 [mem {start}-{last}", hook_bar),
    CONTEXT("bar", "BAR 4 [mem {start}-{last}", hook_bar),
    CONTEXT("bar", "BAR 5 [mem {start}-{last}", hook_bar),
    CONTEXT("dma-buffer", "[device address={addr}] [size={n} bytes]", hook_dma_buffer),
    CONTEXT("reset", "GPU reset begin", hook_reset),
    CONTEXT("reset", "controller is down; will reset", hook_reset),
    CONTEXT("reset", "resetting controller", hook_reset),
    CONTEXT("reset", ": resetting", hook_reset),
    CONTEXT("reset", "Reset adapter", hook_reset),
    CONTEXT("reset", "HC died; cleaning up", hook_reset),
    CONTEXT("reset", "xHCI host controller not responding", hook_reset),
    CONTEXT("reset", "NETDEV WATCHDOG", hook_reset),
    CONTEXT("reset", "AER: device recovery", hook_reset),
    CONTEXT("reset", "Link is Down", hook_reset),
    CONTEXT("resume", "PM: suspend exit", hook_resume),
    CONTEXT("resume", "PM: resume devices", hook_resume),
    CONTEXT("resume", "PM: Preparing system for sleep", hook_resume),
    CONTEXT("resume", "PM: suspend entry", hook_resume),
    CONTEXT("resume", "ACPI: PM: Waking up from system sleep state", hook_resume),
    CONTEXT("resume", "ACPI: Waking up from system sleep state", hook_resume),
    CONTEXT("init-done", "Freeing unused kernel", hook_init_done),
    {0},
};
