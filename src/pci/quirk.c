// SPDX-License-Identifier: MIT
/*
 * Devices whose configuration space does not tell how they isolate, or whose requests do not carry
 * their own ID. One row a device or run of devices; each row says who found that out.
 *
 * A row that says "isolated" lets devices into groups of their own that would else be together, so
 * it needs the vendor's word. A row about requester IDs only adds an ID that is confined too.
 */
#include "pci/pci.h"

#define INTEL    0x8086u
#define ATI      0x1002u
#define AMD      0x1022u
#define BROADCOM 0x14e4u
#define MARVELL  0x1b4bu
#define CAVIUM   0x177du
#define LOONGSON 0x0014u
#define NXP      0x1957u
#define WANGXUN  0x8088u
#define ZHAOXIN  0x1d17u

/*
 * Where the rows come from: the vendors' statements and users' reports that these functions of
 * Linux's drivers/pci/quirks.c (6.18) collect; "bug" is one of bugzilla.kernel.org's.
 */
#define BY_AMD       "AMD, for southbridges behind an AMD IOMMU: pci_quirk_amd_sb_acs"
#define BY_INTEL_NIC "Intel, for its 1G and 10G controllers: pci_quirk_mf_endpoint_acs"
#define BY_EMULEX    "Emulex, for BE3-R and Skyhawk-R: pci_quirk_mf_endpoint_acs"
#define BY_SOLAR     "Solarflare, for SFC9120 and SFC9140: pci_quirk_mf_endpoint_acs"
#define BY_BROADCOM  "Broadcom, for BCM57414 and BCM5750x: pci_quirk_mf_endpoint_acs"
#define BY_QUALCOMM  "Qualcomm, for QDF2xxx root ports: pci_quirk_qcom_rp_acs"
#define BY_HXT       "HXT, for SD4800 root ports: pci_quirk_qcom_rp_acs"
#define BY_APM       "Applied Micro and Ampere, for root ports: pci_quirk_xgene_acs"
#define BY_PAXB      "Broadcom, for PAXB root ports: pci_quirk_brcm_acs"
#define BY_AMAZON    "Amazon, for Annapurna Labs root ports: pci_quirk_al_acs"
#define BY_CAVIUM    "Cavium and Marvell, for ThunderX root ports: pci_quirk_cavium_acs"
#define BY_CAVIUM_MF "Cavium, for ThunderX devices: pci_quirk_mf_endpoint_acs"
#define BY_ZHAOXIN   "Zhaoxin, for root and downstream ports: pci_quirk_zhaoxin_pcie_ports_acs"
#define BY_ZHAOXIN_M "Zhaoxin, for USB and network functions: pci_quirk_mf_endpoint_acs"
#define BY_NXP       "NXP, for LX2160 and LX2162 root ports: pci_quirk_nxp_rp_acs"
#define BY_LOONGSON  "Loongson, for root ports: pci_quirk_loongson_acs"
#define BY_WANGXUN   "Wangxun, for its 1G and 10G controllers: pci_quirk_wangxun_nic_acs"
#define BY_RCIEP     "VT-d revision 3.1, 3.16, of peers in the root complex: pci_quirk_rciep_acs"
#define BY_RCBA      "Intel 5 to 9 series chipset datasheets: pci_quirk_intel_pch_acs"
#define BY_PCH       "Intel 100 and 200 series PCH datasheets, volume 2: pci_quirk_intel_spt_pch_acs"
#define BY_PCH_LP    "Intel 7th and 8th generation mobile I/O datasheets: pci_quirk_intel_spt_pch_acs"
#define BY_MARVELL   "faults of function 1, bug 42679: quirk_dma_func1_alias"
#define BY_HIGHPOINT "faults of function 1: quirk_dma_func1_alias"
#define BY_JMICRON   "faults of function 1: quirk_dma_func1_alias"
#define BY_RICOH     "faults of function 0: quirk_dma_func0_alias"
#define BY_ADAPTEC   "faults of device 01.0: quirk_fixed_dma_alias"
#define BY_BRIDGE    "faults of device 0 of the bus below: quirk_use_pcie_bridge_dma_alias"

#define ROW(row_kind, row_vendor, row_first, row_last, row_source)                                 \
    {                                                                                              \
        .kind = PCI_QUIRK_##row_kind, .vendor = (row_vendor), .first = (row_first),                \
        .last = (row_last), .source = (row_source)                                                 \
    }
#define ALIAS(row_vendor, row_device, row_function, row_source)                                    \
    {                                                                                              \
        .kind = PCI_QUIRK_REQUESTS_AS_FUNCTION, .vendor = (row_vendor), .first = (row_device),     \
        .last = (row_device), .value = (row_function), .source = (row_source)                      \
    }

static const struct pci_quirk quirks[] = {
    /* Southbridge functions: SMBus, LPC, audio, IDE, USB, PCI. */
    ROW(ISOLATED_UNDER_AMD, ATI, 0x4383, 0x4385, BY_AMD),
    ROW(ISOLATED_UNDER_AMD, ATI, 0x4399, 0x4399, BY_AMD),
    ROW(ISOLATED_UNDER_AMD, ATI, 0x439c, 0x439d, BY_AMD),
    ROW(ISOLATED_UNDER_AMD, AMD, 0x7809, 0x7809, BY_AMD),
    ROW(ISOLATED_UNDER_AMD, AMD, 0x780f, 0x780f, BY_AMD),

    /* Multifunction network controllers: 82598, 82599, 82580, 82576, 82575, I350, 82571. */
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x10c6, 0x10c6, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x10db, 0x10db, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x10dd, 0x10dd, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x10e1, 0x10e1, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x10f1, 0x10f1, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x10f7, 0x10fc, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x1507, 0x1507, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x1514, 0x1514, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x151c, 0x151c, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x1529, 0x152a, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x154d, 0x154d, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x154f, 0x154f, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x1551, 0x1551, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x1558, 0x1558, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x1509, 0x1509, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x150e, 0x1511, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x1516, 0x1516, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x1527, 0x1527, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x10c9, 0x10c9, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x10e6, 0x10e8, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x150a, 0x150a, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x150d, 0x150d, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x1518, 0x1518, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x1526, 0x1526, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x10a7, 0x10a7, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x10a9, 0x10a9, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x10d6, 0x10d6, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x1521, 0x1524, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x105e, 0x1060, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x10d9, 0x10d9, BY_INTEL_NIC),
    ROW(ISOLATED_FUNCTIONS, 0x1924u, 0x0903, 0x0903, BY_SOLAR),
    ROW(ISOLATED_FUNCTIONS, 0x1924u, 0x0923, 0x0923, BY_SOLAR),
    ROW(ISOLATED_FUNCTIONS, 0x1924u, 0x0a03, 0x0a03, BY_SOLAR),
    ROW(ISOLATED_FUNCTIONS, 0x19a2u, 0x0710, 0x0710, BY_EMULEX),
    ROW(ISOLATED_FUNCTIONS, 0x10dfu, 0x0720, 0x0720, BY_EMULEX),
    ROW(ISOLATED_FUNCTIONS, BROADCOM, 0x16d7, 0x16d7, BY_BROADCOM),
    ROW(ISOLATED_FUNCTIONS, BROADCOM, 0x1750, 0x1752, BY_BROADCOM),
    ROW(ISOLATED_FUNCTIONS, BROADCOM, 0x1760, 0x1763, BY_BROADCOM),
    ROW(ISOLATED_FUNCTIONS, INTEL, 0x15b7, 0x15b8, BY_INTEL_NIC), /* I219 */
    ROW(ISOLATED_FUNCTIONS, CAVIUM, 0xa026, 0xa026, BY_CAVIUM_MF),
    ROW(ISOLATED_FUNCTIONS, CAVIUM, 0xa059, 0xa059, BY_CAVIUM_MF),
    ROW(ISOLATED_FUNCTIONS, CAVIUM, 0xa060, 0xa060, BY_CAVIUM_MF),
    ROW(ISOLATED_FUNCTIONS, ZHAOXIN, 0x3038, 0x3038, BY_ZHAOXIN_M),
    ROW(ISOLATED_FUNCTIONS, ZHAOXIN, 0x3104, 0x3104, BY_ZHAOXIN_M),
    ROW(ISOLATED_FUNCTIONS, ZHAOXIN, 0x9083, 0x9083, BY_ZHAOXIN_M),
    ROW(ISOLATED_FUNCTIONS, WANGXUN, 0x0100, 0x010f, BY_WANGXUN),
    ROW(ISOLATED_FUNCTIONS, WANGXUN, 0x1001, 0x1001, BY_WANGXUN),
    ROW(ISOLATED_FUNCTIONS, WANGXUN, 0x2001, 0x2001, BY_WANGXUN),

    /* Whatever Intel puts into its root complex sends peers' requests through the VT-d unit. */
    ROW(ISOLATED_INTEGRATED, INTEL, 0x0000, 0xffff, BY_RCIEP),

    /* Ports that pass nothing on to each other and have no capability to say so. */
    ROW(ISOLATED_PORT, 0x17cbu, 0x0400, 0x0401, BY_QUALCOMM),
    ROW(ISOLATED_PORT, 0x1dbfu, 0x0401, 0x0401, BY_HXT),
    ROW(ISOLATED_PORT, 0x10e8u, 0xe004, 0xe004, BY_APM),
    ROW(ISOLATED_PORT, 0x1defu, 0xe005, 0xe00c, BY_APM),
    ROW(ISOLATED_PORT, BROADCOM, 0xd714, 0xd714, BY_PAXB),
    ROW(ISOLATED_PORT, 0x1c36u, 0x0031, 0x0031, BY_AMAZON),
    ROW(ISOLATED_PORT, CAVIUM, 0xa000, 0xa7ff, BY_CAVIUM), /* ThunderX, 2 and 3 */
    ROW(ISOLATED_PORT, CAVIUM, 0xaf84, 0xaf84, BY_CAVIUM),
    ROW(ISOLATED_PORT, CAVIUM, 0xb884, 0xb884, BY_CAVIUM),
    ROW(ISOLATED_PORT, ZHAOXIN, 0x0710, 0x071e, BY_ZHAOXIN),
    ROW(ISOLATED_PORT, ZHAOXIN, 0x0721, 0x0721, BY_ZHAOXIN),
    ROW(ISOLATED_PORT, ZHAOXIN, 0x0723, 0x0752, BY_ZHAOXIN),
    ROW(ISOLATED_PORT, NXP, 0x8d80, 0x8d83, BY_NXP),
    ROW(ISOLATED_PORT, NXP, 0x8d88, 0x8d8b, BY_NXP),
    ROW(ISOLATED_PORT, NXP, 0x8d90, 0x8d93, BY_NXP),
    ROW(ISOLATED_PORT, NXP, 0x8d98, 0x8d9b, BY_NXP),
    ROW(ISOLATED_PORT, NXP, 0x8da0, 0x8da1, BY_NXP),
    ROW(ISOLATED_PORT, NXP, 0x8da8, 0x8da9, BY_NXP),
    ROW(ISOLATED_PORT, NXP, 0x8db0, 0x8db1, BY_NXP),
    ROW(ISOLATED_PORT, NXP, 0x8db8, 0x8db9, BY_NXP),
    ROW(ISOLATED_PORT, LOONGSON, 0x3c09, 0x3c09, BY_LOONGSON),
    ROW(ISOLATED_PORT, LOONGSON, 0x3c19, 0x3c19, BY_LOONGSON),
    ROW(ISOLATED_PORT, LOONGSON, 0x3c29, 0x3c29, BY_LOONGSON),
    ROW(ISOLATED_PORT, LOONGSON, 0x7a09, 0x7a09, BY_LOONGSON),
    ROW(ISOLATED_PORT, LOONGSON, 0x7a19, 0x7a19, BY_LOONGSON),
    ROW(ISOLATED_PORT, LOONGSON, 0x7a29, 0x7a29, BY_LOONGSON),
    ROW(ISOLATED_PORT, LOONGSON, 0x7a39, 0x7a39, BY_LOONGSON),
    ROW(ISOLATED_PORT, LOONGSON, 0x7a49, 0x7a49, BY_LOONGSON),
    ROW(ISOLATED_PORT, LOONGSON, 0x7a59, 0x7a59, BY_LOONGSON),
    ROW(ISOLATED_PORT, LOONGSON, 0x7a69, 0x7a69, BY_LOONGSON),

    /* Root ports with registers of the chipset instead of ACS; src/pci/chipset.c reads those. */
    ROW(CHIPSET_PORT, INTEL, 0x3b42, 0x3b51, BY_RCBA), /* 5 series */
    ROW(CHIPSET_PORT, INTEL, 0x1c10, 0x1c1f, BY_RCBA), /* 6 series */
    ROW(CHIPSET_PORT, INTEL, 0x1d10, 0x1d1f, BY_RCBA), /* X79 */
    ROW(CHIPSET_PORT, INTEL, 0x1e10, 0x1e1f, BY_RCBA), /* 7 series */
    ROW(CHIPSET_PORT, INTEL, 0x8c10, 0x8c1f, BY_RCBA), /* 8 series */
    ROW(CHIPSET_PORT, INTEL, 0x9c10, 0x9c1b, BY_RCBA), /* 8 series, low power */
    ROW(CHIPSET_PORT, INTEL, 0x8c90, 0x8c9f, BY_RCBA), /* 9 series */
    ROW(CHIPSET_PORT, INTEL, 0x9c90, 0x9c9b, BY_RCBA), /* 9 series, low power */
    ROW(CHIPSET_PORT, INTEL, 0x8d10, 0x8d1f, BY_RCBA), /* X99 */

    /* Root ports of Sunrise Point and Union Point. */
    ROW(WIDE_ACS, INTEL, 0xa110, 0xa11f, BY_PCH),
    ROW(WIDE_ACS, INTEL, 0xa167, 0xa16a, BY_PCH),
    ROW(WIDE_ACS, INTEL, 0xa290, 0xa29f, BY_PCH),
    ROW(WIDE_ACS, INTEL, 0xa2e7, 0xa2ee, BY_PCH),
    ROW(WIDE_ACS, INTEL, 0x9d10, 0x9d1b, BY_PCH_LP),

    /* Wrong requester IDs: SATA controllers and card readers. */
    ALIAS(MARVELL, 0x9120, 1, BY_MARVELL),
    ALIAS(MARVELL, 0x9123, 1, BY_MARVELL),
    ALIAS(MARVELL, 0x9125, 1, BY_MARVELL),
    ALIAS(MARVELL, 0x9128, 1, BY_MARVELL),
    ALIAS(MARVELL, 0x9130, 1, BY_MARVELL),
    ALIAS(MARVELL, 0x9172, 1, BY_MARVELL),
    ALIAS(MARVELL, 0x917a, 1, BY_MARVELL),
    ALIAS(MARVELL, 0x9182, 1, BY_MARVELL),
    ALIAS(MARVELL, 0x9183, 1, BY_MARVELL),
    ALIAS(MARVELL, 0x91a0, 1, BY_MARVELL),
    ALIAS(MARVELL, 0x9215, 1, BY_MARVELL),
    ALIAS(MARVELL, 0x9220, 1, BY_MARVELL),
    ALIAS(MARVELL, 0x9230, 1, BY_MARVELL),
    ALIAS(MARVELL, 0x9235, 1, BY_MARVELL),
    ALIAS(0x1103u, 0x0642, 1, BY_HIGHPOINT),
    ALIAS(0x1103u, 0x0645, 1, BY_HIGHPOINT),
    ALIAS(0x197bu, 0x2392, 1, BY_JMICRON),
    ALIAS(0x1180u, 0xe476, 0, BY_RICOH),
    ALIAS(0x1180u, 0xe832, 0, BY_RICOH),
    {.kind = PCI_QUIRK_REQUESTS_AS_DEVICE,
     .vendor = 0x9005u,
     .first = 0x0285,
     .last = 0x0285,
     .value = 1u << 3,
     .subsystem = 0x02bb9005u,
     .source = BY_ADAPTEC},

    /* PCIe-to-PCI bridges without the capability that says so. */
    ROW(EXPRESS_BRIDGE, 0x1b21u, 0x1080, 0x1080, BY_BRIDGE),
    ROW(EXPRESS_BRIDGE, 0x10e3u, 0x8113, 0x8113, BY_BRIDGE),
    ROW(EXPRESS_BRIDGE, 0x1283u, 0x8892, 0x8892, BY_BRIDGE),
    ROW(EXPRESS_BRIDGE, INTEL, 0x244e, 0x244e, BY_BRIDGE),
};

const struct pci_quirk *pci_quirk_find(struct sluice *sluice, uint16_t segment, uint16_t rid,
                                       enum pci_quirk_kind kind)
{
    uint32_t identity = pci_read(sluice, segment, rid, PCI_VENDOR_ID, 4);
    uint16_t vendor = (uint16_t)identity;
    uint16_t device = (uint16_t)(identity >> 16);

    for (size_t i = 0; i < sizeof(quirks) / sizeof(quirks[0]); i++) {
        const struct pci_quirk *row = &quirks[i];

        if (row->kind != kind || row->vendor != vendor || device < row->first || device > row->last)
            continue;
        if (row->subsystem != 0 &&
            pci_read(sluice, segment, rid, PCI_SUBSYSTEM, 4) != row->subsystem)
            continue;
        return row;
    }
    return NULL;
}
