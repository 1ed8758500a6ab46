// SPDX-License-Identifier: MIT
/*
 * The CONTROL register and waiting for what STATUS says of it [AMD 3.4].
 */
#include "unit/amd/amdvi.h"

void amdvi_control_locked(struct amdvi *amdvi, uint64_t clear, uint64_t set)
{
    amdvi->control = (amdvi->control & ~clear) | set;
    /* The fence: stores to tables and rings before this, the unit's reads of them after. */
    sluice_device_fence();
    amdvi_write(amdvi, AMDVI_REG_CONTROL, amdvi->control);
}

void amdvi_control(struct amdvi *amdvi, uint64_t clear, uint64_t set)
{
    sluice_irqstate_t irq = sluice_spin_lock(&amdvi->ring.lock);

    amdvi_control_locked(amdvi, clear, set);
    sluice_spin_unlock(&amdvi->ring.lock, irq);
}

enum sluice_status amdvi_wait_status(struct amdvi *amdvi, uint64_t mask, uint64_t want,
                                     const char *what)
{
    struct sluice *sluice = amdvi->unit.sluice;
    uint64_t deadline = host_deadline_ns(sluice);

    for (;;) {
        bool late = host_now_ns(sluice) >= deadline; /* before the read: one look after it */
        uint64_t value = amdvi_read(amdvi, AMDVI_REG_STATUS);

        if (value == UINT64_MAX) {
            log_error(sluice, "%s: %s: STATUS reads all ones: the unit is gone", amdvi->unit.name,
                      what);
            return SLUICE_ERR_HARDWARE;
        }
        if ((value & mask) == want)
            return SLUICE_OK;
        if (late) {
            log_error(sluice, "%s: %s: no answer, STATUS is %#llx", amdvi->unit.name, what,
                      (unsigned long long)value);
            return SLUICE_ERR_TIMEOUT;
        }
        host_relax(sluice);
    }
}
