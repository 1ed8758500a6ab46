// SPDX-License-Identifier: MIT
/*
 * The unit's own interrupts [SMMU 3.18]: events, page requests and errors, all to one handler, by
 * message where the unit has messages, else by its wires, which the host connects to the handler.
 */
#include "unit/smmu3/smmu3.h"

#define ATTRIBUTES_DEVICE 0x01u /**< Device-nGnRE: a doorbell, not memory [SMMU 6.3.33] */

static bool has_messages(const struct smmu3 *smmu3)
{
    return SMMU3_GET(IDR0_MSI, smmu3->capability.idr0) != 0;
}

static void program(struct smmu3 *smmu3, uint32_t address, uint32_t data, uint32_t attributes)
{
    bool message = has_messages(smmu3) && smmu3->msi.address != 0;

    if (!has_messages(smmu3))
        return; /* the registers are not there */
    smmu3_write64(smmu3, address, message ? smmu3->msi.address : 0);
    smmu3_write32(smmu3, data, message ? smmu3->msi.data : 0);
    smmu3_write32(smmu3, attributes, ATTRIBUTES_DEVICE);
}

static bool install(struct smmu3 *smmu3)
{
    struct sluice *sluice = smmu3->unit.sluice;
    struct sluice_event_handler handler = {.handler = smmu3_event, .arg = smmu3};

    for (unsigned i = 0; i < SLUICE_UNIT_WIRES_MAX; i++)
        handler.wires[i] = smmu3->unit.desc->wires[i];
    if (!smmu3->has_event)
        smmu3->has_event = sluice->ops->event_install != NULL &&
                           sluice->ops->event_install(sluice->config.ctx, smmu3->unit.name,
                                                      &handler, &smmu3->msi, &smmu3->event);
    return smmu3->has_event;
}

void smmu3_event_on(struct smmu3 *smmu3)
{
    uint32_t enable = (uint32_t)(SMMU3_MASK(IRQ_CTRL_GERROR) | SMMU3_MASK(IRQ_CTRL_EVENTQ));

    if (!install(smmu3)) {
        log_info(smmu3->unit.sluice, "%s: no event interrupt: faults are seen by polling only",
                 smmu3->unit.name);
        return;
    }
    program(smmu3, SMMU3_REG_GERROR_IRQ_CFG0, SMMU3_REG_GERROR_IRQ_CFG1, SMMU3_REG_GERROR_IRQ_CFG2);
    program(smmu3, SMMU3_REG_EVENTQ_IRQ_CFG0, SMMU3_REG_EVENTQ_IRQ_CFG1, SMMU3_REG_EVENTQ_IRQ_CFG2);
    if (smmu3->requests.pages.virt != NULL) {
        program(smmu3, SMMU3_REG_PRIQ_IRQ_CFG0, SMMU3_REG_PRIQ_IRQ_CFG1, SMMU3_REG_PRIQ_IRQ_CFG2);
        enable |= (uint32_t)SMMU3_MASK(IRQ_CTRL_PRIQ);
    }
    if (smmu3_interrupts(smmu3, enable) != SLUICE_OK)
        log_warning(smmu3->unit.sluice, "%s: its interrupts do not turn on: faults are polled",
                    smmu3->unit.name);
}

void smmu3_event_off(struct smmu3 *smmu3, bool remove)
{
    struct sluice *sluice = smmu3->unit.sluice;

    (void)smmu3_interrupts(smmu3, 0);
    if (!remove || !smmu3->has_event)
        return;
    if (sluice->ops->event_remove != NULL)
        sluice->ops->event_remove(sluice->config.ctx, smmu3->event);
    smmu3->has_event = false;
}
