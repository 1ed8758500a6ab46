// SPDX-License-Identifier: MIT
/*
 * Known errata, one row each, matched by PCI ID and subsystem of the unit's own function. Where no
 * document of AMD's says it, the row names who found it.
 */
#include "unit/amd/amdvi.h"

#include "pci/pci.h"

#define AMD  0x1022u
#define QEMU 0x11001af4u /**< subsystem: device 1100h, vendor 1af4h */

#define REG_PCI_ID        0x00u
#define REG_PCI_SUBSYSTEM 0x2cu
#define REG_L2_INDEX      0xf0u
#define REG_L2_DATA       0xf4u
#define L2_INDEX_WRITE    0x100u

struct erratum {
    uint16_t device; /**< 0: any */
    bool emulated;   /**< the row is about QEMU's unit, which has the ID of a real one; or is not */
    enum amdvi_erratum what;
    uint8_t index; /**< indirect register whose `bit` is to be set */
    uint8_t bit;
    const char *text;
    const char *source;
};

static const struct erratum errata[] = {
    {0x1419, false, AMDVI_ERRATUM_CLOCK_GATING, 0x90, 2,
     "logging may stall translations: L2B clock gating is switched off",
     "Revision Guide for AMD Family 15h Models 10h-1Fh (48931), erratum 746"},
    {0x1423, false, AMDVI_ERRATUM_ATS_WRITE, 0x47, 0,
     "ATS ignores missing write permission: the check is switched on",
     "Linux, amd_iommu_ats_write_check_workaround"},
    {0, true, AMDVI_ERRATUM_FEW_DOMAINS, 0, 0,
     "bit 8 of a domain ID is taken for a reserved one, and the device blocked or let pass",
     "QEMU 7.2 and 10.0, AMDVI_DTE_MIDDLE_QUAD_RESERVED"},
    {0, true, AMDVI_ERRATUM_TABLE_LENGTH, 0, 0, "the length of the device table means nothing",
     "QEMU 7.2 and 10.0, amdvi_get_dte"},
};

static uint32_t own_read(struct amdvi *amdvi, uint16_t offset)
{
    return pci_read(amdvi->unit.sluice, amdvi->unit.desc->segment, amdvi->unit.desc->ivhd.rid,
                    offset, 4);
}

static void own_write(struct amdvi *amdvi, uint16_t offset, uint32_t value)
{
    struct sluice *sluice = amdvi->unit.sluice;

    sluice->ops->pci_write(sluice->config.ctx, amdvi->unit.desc->segment,
                           amdvi->unit.desc->ivhd.rid, offset, 4, value);
}

uint32_t amdvi_errata_find(struct amdvi *amdvi)
{
    struct sluice *sluice = amdvi->unit.sluice;
    uint32_t found = 0;
    uint32_t id;
    bool emulated;

    if (sluice->ops->pci_read == NULL)
        return 0;
    id = own_read(amdvi, REG_PCI_ID);
    emulated = own_read(amdvi, REG_PCI_SUBSYSTEM) == QEMU;
    if ((id & 0xffffu) != AMD)
        return 0;
    for (size_t i = 0; i < sizeof(errata) / sizeof(errata[0]); i++) {
        const struct erratum *erratum = &errata[i];

        if ((erratum->device != 0 && erratum->device != id >> 16) || erratum->emulated != emulated)
            continue;
        found |= (uint32_t)erratum->what;
        log_warning(sluice, "%s: known erratum: %s (%s)", amdvi->unit.name, erratum->text,
                    erratum->source);
    }
    return found;
}

/* The index register takes writes of the data only with its own write bit set. */
static void set_indirect_bit(struct amdvi *amdvi, uint8_t index, uint8_t bit)
{
    uint32_t value;

    own_write(amdvi, REG_L2_INDEX, index);
    value = own_read(amdvi, REG_L2_DATA);
    if ((value >> bit & 1u) == 0) {
        own_write(amdvi, REG_L2_INDEX, index | L2_INDEX_WRITE);
        own_write(amdvi, REG_L2_DATA, value | 1u << bit);
        own_write(amdvi, REG_L2_INDEX, index);
    }
}

void amdvi_errata_apply(struct amdvi *amdvi)
{
    if (amdvi->errata == 0 || amdvi->unit.sluice->ops->pci_write == NULL)
        return;
    for (size_t i = 0; i < sizeof(errata) / sizeof(errata[0]); i++) {
        if ((amdvi->errata & (uint32_t)errata[i].what) != 0 && errata[i].index != 0)
            set_indirect_bit(amdvi, errata[i].index, errata[i].bit);
    }
}
