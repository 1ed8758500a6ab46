// SPDX-License-Identifier: MIT
/*
 * The unit's own interrupts [RISC-V IOMMU 5.18, 5.28, 5.29]: from all its queues on vector 0, by
 * message where the host has one and the unit can send it, else by its wires, which the host
 * connects to the handler.
 */
#include "unit/riscv/riommu.h"

#define MSI_ADDRESS UNIT_BITS(55, 2)
#define MSI_DATA    8u /**< offset of the data in an entry, and of the mask */
#define MSI_MASKED  12u

static bool install(struct riommu *riommu)
{
    struct sluice *sluice = riommu->unit.sluice;
    struct sluice_event_handler handler = {.handler = riommu_event, .arg = riommu};

    for (unsigned i = 0; i < SLUICE_UNIT_WIRES_MAX; i++)
        handler.wires[i] = riommu->unit.desc->wires[i];
    return sluice->ops->event_install != NULL &&
           sluice->ops->event_install(sluice->config.ctx, riommu->unit.name, &handler, &riommu->msi,
                                      &riommu->event);
}

void riommu_event_prepare(struct riommu *riommu)
{
    unsigned igs = (unsigned)RIOMMU_GET(CAP_IGS, riommu->capability.cap);
    bool message;

    if (!riommu->has_event)
        riommu->has_event = install(riommu);
    message =
        riommu->has_event && riommu->msi.address != 0 && (riommu->msi.address & ~MSI_ADDRESS) == 0;
    riommu->wired = igs == RIOMMU_IGS_WSI || (igs == RIOMMU_IGS_BOTH && !message);
    if (!riommu->has_event || (!message && !riommu->wired))
        log_info(riommu->unit.sluice, "%s: no event interrupt: faults are seen by polling only",
                 riommu->unit.name);
}

void riommu_event_program(struct riommu *riommu)
{
    bool message = riommu->has_event && !riommu->wired;

    riommu_write64(riommu, RIOMMU_REG_ICVEC, 0);
    if (RIOMMU_GET(CAP_IGS, riommu->capability.cap) != RIOMMU_IGS_WSI) {
        riommu_write32(riommu, RIOMMU_REG_MSI_CFG_TBL + MSI_MASKED, 1);
        riommu_write64(riommu, RIOMMU_REG_MSI_CFG_TBL, message ? riommu->msi.address : 0);
        riommu_write32(riommu, RIOMMU_REG_MSI_CFG_TBL + MSI_DATA, message ? riommu->msi.data : 0);
        if (message && riommu->msi.address != 0)
            riommu_write32(riommu, RIOMMU_REG_MSI_CFG_TBL + MSI_MASKED, 0);
    }
    /* What is pending from before is nobody's. */
    riommu_write32(riommu, RIOMMU_REG_IPSR, riommu_read32(riommu, RIOMMU_REG_IPSR));
}

void riommu_event_remove(struct riommu *riommu)
{
    struct sluice *sluice = riommu->unit.sluice;

    if (!riommu->has_event)
        return;
    if (sluice->ops->event_remove != NULL)
        sluice->ops->event_remove(sluice->config.ctx, riommu->event);
    riommu->has_event = false;
}
