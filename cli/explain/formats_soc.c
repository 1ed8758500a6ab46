// SPDX-License-Identifier: MIT
// Fault messages of the other IOMMU drivers of Linux: Tegra, MediaTek, Exynos, Rockchip,
// Renesas, OMAP, Qualcomm, Allwinner, Apple, RISC-V and virtio.
#include "formats.h"

#define PROBLEM(id, kind, pattern, hook)                                                           \
    {                                                                                              \
        id, kind, VENDOR_ARM, ROLE_PROBLEM, pattern, hook                                          \
    }

const struct format formats_soc[] = {
    PROBLEM("tegra-mc-fault", "tegra-fault",
            "tegra-mc {unit}: {name}: secure {access} @{addr}~: {text}", NULL),
    PROBLEM("tegra-mc-fault", "tegra-fault", "tegra-mc {unit}: {name}: {access} @{addr}~: {text}",
            NULL),
    PROBLEM("tegra-mc-fault", "tegra-fault", "tegra-mc {unit}: {name}: {access}~ @{addr}", NULL),
    PROBLEM("tegra-mc-fault", "tegra-fault", "mc-err: [mcerr] ({name}) {text}", NULL),
    {"tegra-mc-detail", NULL, VENDOR_ARM, ROLE_DETAIL, "mc-err: [mcerr] {text}", NULL},
    PROBLEM("tegra-mc-fault", "tegra-fault", "EMEM address decode error (SMMU{text}", NULL),
    PROBLEM("mediatek-fault", "soc-fault", "mtk-iommu {unit}: fault~ {kv}", NULL),
    PROBLEM("exynos-fault", "soc-fault", "PAGE FAULT occurred at {addr}~ by {text}", NULL),
    PROBLEM("exynos-fault", "soc-fault", "FAULT occurred at {addr}~ {text}", NULL),
    PROBLEM("exynos-fault", "soc-fault", "fault occurred at {addr}~ {text}", NULL),
    PROBLEM("rockchip-fault", "soc-fault", "Page fault at {addr} of type {access}", NULL),
    PROBLEM("renesas-fault", "soc-fault", "Unhandled fault: status {flags} iova {addr}", NULL),
    PROBLEM("omap-fault", "soc-fault", "iommu fault: da:{addr}~ {text}", NULL),
    PROBLEM("omap-fault", "soc-fault", "errs:0x{flags} da:{addr}~ {text}", NULL),
    PROBLEM("msm-fault", "soc-fault", "Unexpected IOMMU page fault!", NULL),
    PROBLEM("sun50i-fault", "soc-fault", "Page fault while {text}", NULL),
    PROBLEM("apple-dart-fault", "soc-fault",
            "translation fault: status:{flags} stream:{n} code:{hex} ({skip}) at {addr}", NULL),
    PROBLEM("riscv-fault", "riscv-fault", "Fault {n} devid: {sid} iotval: {addr} iotval2: {hex}",
            NULL),
    PROBLEM("riscv-queue", "riscv-queue", "Command queue error: {text}", NULL),
    PROBLEM("riscv-queue", "riscv-queue", "Fault queue overflow", NULL),
    PROBLEM("virtio-fault", "virtio-iommu-fault", "page fault from EP {n} at {addr} [{text}", NULL),
    PROBLEM("virtio-fault", "virtio-iommu-fault", "domain fault from EP {n} at {addr} [{text}",
            NULL),
    PROBLEM("virtio-fault", "virtio-iommu-fault", "unknown fault from EP {n} at {addr} [{text}",
            NULL),
    {0},
};
