// SPDX-License-Identifier: MIT
/*
 * A unit that is a PCI function [RISC-V IOMMU 7.1]: class 08h, subclass 06h, programming interface
 * 0; its registers are in memory BAR 0. The BAR is as firmware, or the host, has placed it.
 */
#include "unit/riscv/riommu.h"

#include "pci/pci.h"

#define PCI_CLASS_REVISION 0x08u /* programming interface above the revision */
#define PCI_CLASS_IOMMU    0x080600u
#define PCI_BAR_IO         0x1u
#define PCI_BAR_TYPE       0x6u
#define PCI_BAR_TYPE_64    0x4u
#define PCI_BAR_FLAGS      0xfu
#define MSIX_CONTROL       2u
#define MSIX_ENABLE        0x8000u
#define MSIX_MASK_ALL      0x4000u

static uint32_t config_read(struct riommu *riommu, uint16_t offset, unsigned width)
{
    const struct platform_unit *desc = riommu->unit.desc;

    return pci_read(riommu->unit.sluice, desc->segment, desc->rid, offset, width);
}

static void config_write(struct riommu *riommu, uint16_t offset, unsigned width, uint32_t value)
{
    const struct platform_unit *desc = riommu->unit.desc;

    pci_write(riommu->unit.sluice, desc->segment, desc->rid, offset, width, value);
}

static enum sluice_status refused(struct riommu *riommu, const char *what, uint32_t value)
{
    const struct platform_unit *desc = riommu->unit.desc;

    log_error(riommu->unit.sluice, "%s: " LOG_RID ": %s: %#x", riommu->unit.name,
              LOG_RID_ARGS(desc->segment, desc->rid), what, (unsigned)value);
    return SLUICE_ERR_FIRMWARE;
}

enum sluice_status riommu_pci_open(struct riommu *riommu)
{
    const struct sluice_host_ops *ops = riommu->unit.sluice->ops;
    uint32_t class, low;

    if (ops->pci_read == NULL || ops->pci_write == NULL)
        return SLUICE_ERR_UNSUPPORTED;
    class = config_read(riommu, PCI_CLASS_REVISION, 4);
    if (class == UINT32_MAX)
        return refused(riommu, "no function answers there", class);
    if (class >> 8 != PCI_CLASS_IOMMU)
        return refused(riommu, "its class is not that of an IOMMU", class >> 8);
    low = config_read(riommu, PCI_BAR, 4);
    if ((low & PCI_BAR_IO) != 0 ||
        ((low & PCI_BAR_TYPE) != 0 && (low & PCI_BAR_TYPE) != PCI_BAR_TYPE_64))
        return refused(riommu, "BAR 0 is not memory", low);
    riommu->base = low & ~PCI_BAR_FLAGS;
    if ((low & PCI_BAR_TYPE) == PCI_BAR_TYPE_64)
        riommu->base |= (uint64_t)config_read(riommu, PCI_BAR + 4, 4) << 32;
    if (riommu->base == 0)
        return refused(riommu, "BAR 0 was given no address", low);
    /* Registers are read before anything is started; riommu_pci_close puts it back. */
    riommu->pci_command = config_read(riommu, PCI_COMMAND, 2);
    config_write(riommu, PCI_COMMAND, 2, riommu->pci_command | PCI_COMMAND_MEMORY);
    return SLUICE_OK;
}

void riommu_pci_master(struct riommu *riommu)
{
    const struct platform_unit *desc = riommu->unit.desc;
    uint16_t msix =
        pci_find_capability(riommu->unit.sluice, desc->segment, desc->rid, PCI_CAP_ID_MSIX);

    config_write(riommu, PCI_COMMAND, 2,
                 config_read(riommu, PCI_COMMAND, 2) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    /* Its table is MSI_CFG_TBL. */
    if (msix != 0)
        config_write(riommu, msix + MSIX_CONTROL, 2,
                     (config_read(riommu, msix + MSIX_CONTROL, 2) & ~MSIX_MASK_ALL) | MSIX_ENABLE);
}

void riommu_pci_close(struct riommu *riommu)
{
    /* Else it may still do what it was told to: not as found, but not closed either. */
    if (!riommu->unit.exposed)
        config_write(riommu, PCI_COMMAND, 2, riommu->pci_command);
}
