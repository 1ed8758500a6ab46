// SPDX-License-Identifier: MIT
/*
 * Registers that take effect later than they are written, and waiting for that [SMMU 6.3.9, 6.3.14,
 * 6.3.16].
 */
#include "unit/smmu3/smmu3.h"

/* Waits until (register & mask) == want. */
static enum sluice_status wait_register(struct smmu3 *smmu3, uint32_t offset, uint32_t mask,
                                        uint32_t want, const char *what)
{
    struct sluice *sluice = smmu3->unit.sluice;
    uint64_t deadline = host_deadline_ns(sluice);

    for (;;) {
        bool late = host_now_ns(sluice) >= deadline; /* before the read: one look after it */
        uint32_t value = smmu3_read32(smmu3, offset);

        if (value == UINT32_MAX) {
            log_error(sluice, "%s: %s reads all ones: the unit is gone", smmu3->unit.name, what);
            return SLUICE_ERR_HARDWARE;
        }
        if ((value & mask) == want)
            return SLUICE_OK;
        if (late) {
            log_error(sluice, "%s: %s: no answer, it is %#x and should be %#x", smmu3->unit.name,
                      what, (unsigned)value, (unsigned)want);
            return SLUICE_ERR_TIMEOUT;
        }
        host_relax(sluice);
    }
}

enum sluice_status smmu3_control(struct smmu3 *smmu3, uint32_t cr0)
{
    smmu3->cr0 = cr0;
    /* The fence: tables, queues and their registers before what makes the unit use them. */
    sluice_device_fence();
    smmu3_write32(smmu3, SMMU3_REG_CR0, cr0);
    return wait_register(smmu3, SMMU3_REG_CR0ACK,
                         (uint32_t)(SMMU3_MASK(CR0_SMMUEN) | SMMU3_MASK(CR0_PRIQEN) |
                                    SMMU3_MASK(CR0_EVENTQEN) | SMMU3_MASK(CR0_CMDQEN) |
                                    SMMU3_MASK(CR0_ATSCHK)),
                         cr0, "CR0ACK");
}

enum sluice_status smmu3_interrupts(struct smmu3 *smmu3, uint32_t enable)
{
    smmu3_write32(smmu3, SMMU3_REG_IRQ_CTRL, enable);
    return wait_register(smmu3, SMMU3_REG_IRQ_CTRLACK, 7, enable, "IRQ_CTRLACK");
}

enum sluice_status smmu3_bypass_set(struct smmu3 *smmu3, uint32_t gbpa)
{
    uint32_t update = (uint32_t)SMMU3_MASK(GBPA_UPDATE);
    enum sluice_status status = wait_register(smmu3, SMMU3_REG_GBPA, update, 0, "GBPA");

    if (status != SLUICE_OK)
        return status;
    smmu3_write32(smmu3, SMMU3_REG_GBPA, (gbpa & ~update) | update);
    status = wait_register(smmu3, SMMU3_REG_GBPA, update, 0, "GBPA");
    if (status != SLUICE_OK)
        return status;
    if (((smmu3_read32(smmu3, SMMU3_REG_GBPA) ^ gbpa) & SMMU3_MASK(GBPA_ABORT)) != 0) {
        log_error(smmu3->unit.sluice, "%s: GBPA does not take %#x", smmu3->unit.name,
                  (unsigned)gbpa);
        return SLUICE_ERR_HARDWARE;
    }
    return SLUICE_OK;
}
