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

/*
 * Where the rows come from: the vendors' statements and users' reports that these functions of
 * Linux's drivers/pci/quirks.c (6.1) collect; "bug" is one of bugzilla.kernel.org's.
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
#define BY_PCH       "Intel 100 and 200 series PCH datasheets, volume 2: pci_quirk_intel_spt_pch_acs"
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
    ROW(ISOLATED_FUNCTIONS, 0x19a2u, 0x0710, 0x0710, BY_EMULEX),
    ROW(ISOLATED_FUNCTIONS, 0x10dfu, 0x0720, 0x0720, BY_EMULEX),
    ROW(ISOLATED_FUNCTIONS, BROADCOM, 0x16d7, 0x16d7, BY_BROADCOM),
    ROW(ISOLATED_FUNCTIONS, BROADCOM, 0x1750, 0x1752, BY_BROADCOM),

    /* Root ports that pass nothing on to each other and have no capability to say so. */
    ROW(ISOLATED_PORT, 0x17cbu, 0x0400, 0x0401, BY_QUALCOMM),
    ROW(ISOLATED_PORT, 0x1dbfu, 0x0401, 0x0401, BY_HXT),
    ROW(ISOLATED_PORT, 0x10e8u, 0xe004, 0xe004, BY_APM),
    ROW(ISOLATED_PORT, 0x1defu, 0xe005, 0xe00c, BY_APM),
    ROW(ISOLATED_PORT, BROADCOM, 0xd714, 0xd714, BY_PAXB),
    ROW(ISOLATED_PORT, 0x1c36u, 0x0031, 0x0031, BY_AMAZON),

    /* Root ports of Sunrise Point and Union Point. */
    ROW(WIDE_ACS, INTEL, 0xa110, 0xa11f, BY_PCH),
    ROW(WIDE_ACS, INTEL, 0xa167, 0xa16a, BY_PCH),
    ROW(WIDE_ACS, INTEL, 0xa290, 0xa29f, BY_PCH),
    ROW(WIDE_ACS, INTEL, 0xa2e7, 0xa2ee, BY_PCH),

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
