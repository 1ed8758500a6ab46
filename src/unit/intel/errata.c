// SPDX-License-Identifier: MIT
/*
 * Known errata, one row each, matched by the PCI ID of the host bridge (0000:00:00.0).
 */
#include "unit/intel/vtd.h"

#define INTEL         0x8086u
#define ANY_REVISION  0xffu
#define HOST_BRIDGE   SLUICE_RID(0, 0, 0)
#define REG_PCI_ID    0x00u
#define REG_PCI_CLASS 0x08u

struct erratum {
    uint16_t device;
    uint8_t last_revision; /**< applies up to and with this one */
    enum vtd_erratum what;
    const char *source;
};

#define MOBILE_4  "Mobile Intel 4 Series Chipset: RWBF is not reported though flushes are needed"
#define DESKTOP_4 "Intel 4 Series Chipset: RWBF is not reported though flushes are needed"
#define TYLERSBURG                                                                                 \
    "Intel 5500/5520/X58 Specification Update (321329, 320839), errata 47, 53: interrupt "         \
    "remapping loses interrupts"

static const struct erratum errata[] = {
    {0x2a40, ANY_REVISION, VTD_ERRATUM_WRITE_BUFFER, MOBILE_4},
    {0x2e00, ANY_REVISION, VTD_ERRATUM_WRITE_BUFFER, DESKTOP_4},
    {0x2e10, ANY_REVISION, VTD_ERRATUM_WRITE_BUFFER, DESKTOP_4},
    {0x2e20, ANY_REVISION, VTD_ERRATUM_WRITE_BUFFER, DESKTOP_4},
    {0x2e30, ANY_REVISION, VTD_ERRATUM_WRITE_BUFFER, DESKTOP_4},
    {0x2e40, ANY_REVISION, VTD_ERRATUM_WRITE_BUFFER, DESKTOP_4},
    {0x2e90, ANY_REVISION, VTD_ERRATUM_WRITE_BUFFER, DESKTOP_4},
    {0x3403, 0x13, VTD_ERRATUM_NO_INTERRUPT_REMAPPING, TYLERSBURG},
    {0x3405, 0x13, VTD_ERRATUM_NO_INTERRUPT_REMAPPING, TYLERSBURG},
    {0x3406, 0x13, VTD_ERRATUM_NO_INTERRUPT_REMAPPING, TYLERSBURG},
    {0x0040, ANY_REVISION, VTD_ERRATUM_GRAPHICS,
     "Intel Core (Ironlake) graphics: must be idle while its IOTLB is invalidated"},
    {0x0044, ANY_REVISION, VTD_ERRATUM_GRAPHICS,
     "Intel Core mobile (Ironlake) graphics: must be idle while its IOTLB is invalidated"},
    {0x0062, ANY_REVISION, VTD_ERRATUM_GRAPHICS,
     "Intel Core mobile (Ironlake) graphics: must be idle while its IOTLB is invalidated"},
    {0x006a, ANY_REVISION, VTD_ERRATUM_GRAPHICS,
     "Intel Core mobile (Ironlake) graphics: must be idle while its IOTLB is invalidated"},
};

uint32_t vtd_errata_find(struct sluice *sluice, const char *name)
{
    uint32_t found = 0;
    uint32_t id, revision;

    if (sluice->ops->pci_read == NULL)
        return 0;
    id = sluice->ops->pci_read(sluice->config.ctx, 0, HOST_BRIDGE, REG_PCI_ID, 4);
    revision = sluice->ops->pci_read(sluice->config.ctx, 0, HOST_BRIDGE, REG_PCI_CLASS, 4) & 0xffu;
    if ((id & 0xffffu) != INTEL)
        return 0;
    for (size_t i = 0; i < sizeof(errata) / sizeof(errata[0]); i++) {
        if (errata[i].device != id >> 16 || revision > errata[i].last_revision)
            continue;
        found |= errata[i].what;
        log_warning(sluice, "%s: known erratum: %s", name, errata[i].source);
    }
    return found;
}
