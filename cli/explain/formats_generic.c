// SPDX-License-Identifier: MIT
// Messages of Linux's IOMMU core, of the bounce buffers (swiotlb) and of VFIO, and of programs
// that use VFIO.
#include "formats.h"

#define SWIOTLB(id, role, kind, pattern)                                                           \
    {                                                                                              \
        id, kind, VENDOR_SWIOTLB, role, pattern, NULL                                              \
    }
#define VFIO(id, role, kind, pattern)                                                              \
    {                                                                                              \
        id, kind, VENDOR_VFIO, role, pattern, NULL                                                 \
    }
#define CORE(id, role, kind, pattern, hook)                                                        \
    {                                                                                              \
        id, kind, VENDOR_GENERIC, role, pattern, hook                                              \
    }

const struct format formats_generic[] = {
    SWIOTLB("swiotlb-full", ROLE_PROBLEM, "swiotlb-full",
            "swiotlb buffer is full (sz: {n} bytes)~, total {n} (slots), used {hex} (slots)"),
    SWIOTLB("swiotlb-full", ROLE_PROBLEM, "swiotlb-full", "swiotlb buffer is full{text}"),
    SWIOTLB("swiotlb-oom", ROLE_PROBLEM, "swiotlb-full",
            "Out of SW-IOMMU space for {n} bytes at device {dev}"),
    SWIOTLB("swiotlb-oom", ROLE_PROBLEM, "swiotlb-full",
            "swiotlb: coherent allocation failed for device {dev} size={n}"),
    SWIOTLB("swiotlb-setup", ROLE_PROBLEM, "swiotlb-setup", "Cannot allocate SWIOTLB buffer{text}"),
    SWIOTLB("swiotlb-setup", ROLE_PROBLEM, "swiotlb-setup",
            "swiotlb_init_remap: Failed to allocate {text}"),
    SWIOTLB("swiotlb-setup", ROLE_PROBLEM, "swiotlb-setup", "software IO TLB: No low mem"),
    SWIOTLB("dma-mask", ROLE_PROBLEM, "dma-mask", "overflow {addr}+{n} of DMA mask {hex} bus"),
    SWIOTLB("swiotlb-boot", ROLE_BOOT, "on-swiotlb",
            "software IO TLB: mapped [mem {start}-{last}] ({name})"),
    SWIOTLB("swiotlb-boot", ROLE_BOOT, NULL, "software IO TLB: tearing down default memory pool"),
    SWIOTLB("swiotlb-boot", ROLE_BOOT, NULL, "software IO TLB: {text}"),
    SWIOTLB("swiotlb-in-use", ROLE_BOOT, "on-swiotlb",
            "PCI-DMA: Using software bounce buffering for IO (SWIOTLB)"),

    VFIO("vfio-group-not-viable", ROLE_PROBLEM, "vfio-group-not-viable", "group {n} is not viable"),
    VFIO("vfio-no-reset", ROLE_PROBLEM, "vfio-reset-failed", "not ready {n}ms after {text}"),
    VFIO("vfio-reset-timeout", ROLE_PROBLEM, "vfio-reset-failed",
         "timed out waiting for pending transaction; performing function level reset anyway"),
    VFIO("vfio-no-reset", ROLE_PROBLEM, "vfio-reset-failed", "No device reset support"),
    VFIO("vfio-restore", ROLE_PROBLEM, "vfio-bar-restore", "vfio_bar_restore: reset recovery"),
    VFIO("vfio-no-intr", ROLE_PROBLEM, "vfio-no-interrupt-remapping",
         "No interrupt remapping support.{text}"),
    VFIO("vfio-no-intr", ROLE_PROBLEM, "vfio-no-interrupt-remapping",
         "No interrupt remapping for{text}"),
    VFIO("vfio-memlock", ROLE_PROBLEM, "vfio-memlock", "RLIMIT_MEMLOCK ({n}) exceeded"),
    VFIO("vfio-map-failed", ROLE_PROBLEM, "vfio-map-failed", "VFIO_MAP_DMA failed{text}"),
    VFIO("vfio-map-failed", ROLE_PROBLEM, "vfio-map-failed", "vfio_dma_map({text}"),
    VFIO("vfio-probe", ROLE_PROBLEM, "vfio-probe-failed",
         "vfio-pci: probe of {dev} failed with error -{n}"),
    VFIO("vfio-probe", ROLE_PROBLEM, "vfio-probe-failed",
         "vfio-pci {dev}: probe with driver vfio-pci failed with error -{n}"),
    VFIO("vfio-noiommu", ROLE_PROBLEM, "vfio-noiommu", "vfio-noiommu device opened by{text}"),
    VFIO("vfio-noiommu", ROLE_PROBLEM, "vfio-noiommu", "Adding kernel taint for vfio-noiommu"),
    VFIO("vfio-notice", ROLE_NOTICE, NULL, "vfio-pci"),
    VFIO("vfio-notice", ROLE_NOTICE, NULL, "vfio_pci"),
    VFIO("vfio-notice", ROLE_NOTICE, NULL, "VFIO - User Level"),

    CORE("iommu-group-fail", ROLE_PROBLEM, "iommu-group-failed",
         "Failed to add to iommu group {n}:{text}", NULL),
    CORE("iommu-incompatible", ROLE_PROBLEM, "iommu-group-failed",
         "cannot attach to incompatible domain{text}", NULL),
    CORE("iommu-late-probe", ROLE_PROBLEM, "iommu-late-probe",
         "late IOMMU probe at driver bind, something fishy here!", NULL),
    CORE("iommu-dma-exposed", ROLE_PROBLEM, "iommu-exposed",
         "IOMMU DebugFS SUPPORT HAS BEEN ENABLED IN THIS KERNEL", NULL),
    CORE("iommu-group", ROLE_BOOT, NULL, "to iommu group {n}", NULL),
    CORE("iommu-group", ROLE_BOOT, NULL, "Adding device {unit} to group {n}", NULL),
    CORE("iommu-group-remove", ROLE_BOOT, NULL, "Removing from iommu group {n}", hook_unbind),
    CORE("iommu-group-remove", ROLE_BOOT, NULL, "Removing device {unit} from group {n}",
         hook_unbind),
    CORE("iommu-passthrough", ROLE_BOOT, "off-passthrough", "Default domain type: Passthrough",
         NULL),
    CORE("iommu-translated", ROLE_BOOT, "on-translated", "Default domain type: Translated", NULL),
    CORE("iommu-translated", ROLE_BOOT, "on-translated", "Default domain type: DMA", NULL),
    CORE("iommu-strict", ROLE_BOOT, "on-strict", "DMA domain TLB invalidation policy: strict mode",
         NULL),
    CORE("iommu-lazy", ROLE_BOOT, "on-lazy", "DMA domain TLB invalidation policy: lazy mode", NULL),
    CORE("iommu-mapping", ROLE_BOOT, NULL, "iommu dma mapping", NULL),
    CORE("iommu-notice", ROLE_NOTICE, NULL, "iommu: {text}", NULL),
    CORE("iommu-notice", ROLE_NOTICE, NULL, "iommu group", NULL),
    {0},
};
