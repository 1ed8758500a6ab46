// SPDX-License-Identifier: MIT
/*
 * Commands to the unit: GCMD with its handshake in GSTS, and the protected memory regions
 * [VT-d 11.4.4, 11.4.8]. Every wait has a deadline.
 */
#include "unit/intel/vtd.h"

#define REG_PMEN_ON VTD_MASK32(PMEN_EPM)

enum sluice_status vtd_wait32(struct vtd *vtd, uint32_t offset, uint32_t mask, uint32_t want,
                              const char *what)
{
    struct sluice *sluice = vtd->unit.sluice;
    uint64_t deadline = host_deadline_ns(sluice);

    for (;;) {
        bool late = host_now_ns(sluice) >= deadline; /* before the read: one look after it */
        uint32_t value = vtd_read32(vtd, offset);

        if (value == UINT32_MAX) {
            log_error(sluice, "%s: %s: register %#x reads all ones: the unit is gone",
                      vtd->unit.name, what, (unsigned)offset);
            return SLUICE_ERR_HARDWARE;
        }
        if ((value & mask) == want)
            return SLUICE_OK;
        if (late) {
            log_error(sluice, "%s: %s: no answer, register %#x is %#x", vtd->unit.name, what,
                      (unsigned)offset, (unsigned)value);
            return SLUICE_ERR_TIMEOUT;
        }
        host_relax(sluice);
    }
}

/* One command; register_lock is held, since GCMD takes one at a time [VT-d 11.4.4.1]. */
static enum sluice_status command_locked(struct vtd *vtd, uint32_t bit, bool on, uint32_t status,
                                         const char *what)
{
    uint32_t now = vtd_read32(vtd, VTD_REG_GSTS);

    if (now == UINT32_MAX) {
        log_error(vtd->unit.sluice, "%s: %s: GSTS reads all ones: the unit is gone", vtd->unit.name,
                  what);
        return SLUICE_ERR_HARDWARE;
    }
    now &= VTD_GSTS_LASTING;
    /* The fence: stores to tables and ring before this, the unit's reads of them after. */
    sluice_device_fence();
    vtd_write32(vtd, VTD_REG_GCMD, on ? now | bit : now & ~bit);
    return vtd_wait32(vtd, VTD_REG_GSTS, bit, status, what);
}

enum sluice_status vtd_command_lasting(struct vtd *vtd, uint32_t bit, bool on, const char *what)
{
    sluice_irqstate_t irq = sluice_spin_lock(&vtd->register_lock);
    enum sluice_status status = command_locked(vtd, bit, on, on ? bit : 0, what);

    sluice_spin_unlock(&vtd->register_lock, irq);
    return status;
}

/* A pointer register, and the one-shot command that lets the unit take it. */
static enum sluice_status set_pointer(struct vtd *vtd, uint32_t offset, uint64_t value,
                                      uint32_t bit, const char *what)
{
    sluice_irqstate_t irq = sluice_spin_lock(&vtd->register_lock);
    enum sluice_status status;

    vtd_write64(vtd, offset, value);
    status = command_locked(vtd, bit, true, bit, what);
    sluice_spin_unlock(&vtd->register_lock, irq);
    return status;
}

enum sluice_status vtd_command_set_root(struct vtd *vtd, uint64_t rtaddr)
{
    return set_pointer(vtd, VTD_REG_RTADDR, rtaddr, VTD_MASK32(GSTS_RTPS),
                       "set root table pointer");
}

enum sluice_status vtd_command_set_interrupt_table(struct vtd *vtd, uint64_t irta)
{
    return set_pointer(vtd, VTD_REG_IRTA, irta, VTD_MASK32(GSTS_IRTPS),
                       "set interrupt table pointer");
}

enum sluice_status vtd_command_flush_writes(struct vtd *vtd)
{
    sluice_irqstate_t irq;
    enum sluice_status status;

    if (!vtd->capability.write_buffer)
        return SLUICE_OK;
    irq = sluice_spin_lock(&vtd->register_lock);
    status = command_locked(vtd, VTD_MASK32(GSTS_WBFS), true, 0, "write buffer flush");
    sluice_spin_unlock(&vtd->register_lock, irq);
    return status;
}

enum sluice_status vtd_protected_memory_off(struct vtd *vtd)
{
    uint32_t value;

    if ((vtd->capability.cap & (VTD_MASK(CAP_PLMR) | VTD_MASK(CAP_PHMR))) == 0)
        return SLUICE_OK;
    value = vtd_read32(vtd, VTD_REG_PMEN);
    if ((value & (REG_PMEN_ON | VTD_MASK32(PMEN_PRS))) == 0)
        return SLUICE_OK;
    vtd_write32(vtd, VTD_REG_PMEN, value & ~REG_PMEN_ON);
    return vtd_wait32(vtd, VTD_REG_PMEN, VTD_MASK32(PMEN_PRS), 0, "protected memory off");
}

uint32_t vtd_protected_memory(struct vtd *vtd)
{
    if ((vtd->capability.cap & (VTD_MASK(CAP_PLMR) | VTD_MASK(CAP_PHMR))) == 0)
        return 0;
    return vtd_read32(vtd, VTD_REG_PMEN);
}

enum sluice_status vtd_protected_memory_put_back(struct vtd *vtd, uint32_t was)
{
    if ((was & REG_PMEN_ON) == 0 || (vtd_protected_memory(vtd) & REG_PMEN_ON) != 0)
        return SLUICE_OK;
    vtd_write32(vtd, VTD_REG_PMEN, was | REG_PMEN_ON);
    return vtd_wait32(vtd, VTD_REG_PMEN, VTD_MASK32(PMEN_PRS), VTD_MASK32(PMEN_PRS),
                      "protected memory on");
}
