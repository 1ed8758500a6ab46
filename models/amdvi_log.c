// SPDX-License-Identifier: MIT
/*
 * The AMD-Vi model's event log [2.5, 3.4] and the unit's MSI.
 */
#include "models/amdvi_internal.h"

#include <string.h>

static void send_msi(struct amdvi_model *unit)
{
    const uint8_t *config = model_pci_config(unit->function);
    const uint8_t *msi = config + unit->msi;
    uint32_t low, high = 0;
    uint16_t data;

    if (unit->msi == 0 || (msi[2] & 1) == 0)
        return;
    memcpy(&low, msi + 4, sizeof(low));
    if ((msi[2] & 0x80) != 0)
        memcpy(&high, msi + 8, sizeof(high));
    memcpy(&data, msi + ((msi[2] & 0x80) != 0 ? 12 : 8), sizeof(data));
    model_host_post_msi(unit->host, low | (uint64_t)high << 32, data);
}

/* The interrupt is raised when its status bit becomes set, and not again until it was cleared. */
void amdvi_raise(struct amdvi_model *unit, uint64_t bit, uint64_t enable)
{
    uint64_t *status = amdvi_reg(unit, A_STATUS);
    bool was = (*status & bit) != 0;

    *status |= bit;
    if (!was && (amdvi_get(unit, A_CONTROL) & enable) != 0)
        send_msi(unit);
}

static void store(struct amdvi_model *unit, sluice_phys_t at, const uint64_t event[2])
{
    if (!model_host_write(unit->host, at, event, 16))
        amdvi_violate(unit, "event log at %#llx is not RAM", (unsigned long long)at);
}

void amdvi_put_progress(struct amdvi_model *unit)
{
    if (!unit->late || unit->late_left-- > 1)
        return;
    unit->late = false;
    store(unit, unit->late_at, unit->late_event);
}

static void append(struct amdvi_model *unit, const uint64_t event[2])
{
    uint64_t base = amdvi_get(unit, A_EVTLOG);
    uint64_t bytes = BIT64(FIELD64(base, 59, 56)) * 16;
    uint64_t tail = amdvi_get(unit, A_EVT_TAIL);
    uint64_t next = (tail + 16) % bytes;

    if (next == amdvi_get(unit, A_EVT_HEAD)) {
        *amdvi_reg(unit, A_STATUS) |= S_EVTOVERFLOW;
        if ((unit->inject.stuck_status & S_EVTRUN) == 0)
            *amdvi_reg(unit, A_STATUS) &= ~S_EVTRUN;
        unit->stats.events_lost++;
        amdvi_raise(unit, S_EVTINT, C_EVTINT);
        return;
    }
    if (unit->inject.late_event != 0 && !unit->late) {
        unit->late = true;
        unit->late_left = unit->inject.late_event;
        unit->late_at = (base & ADDRESS) + tail;
        memcpy(unit->late_event, event, sizeof(unit->late_event));
    } else {
        store(unit, (base & ADDRESS) + tail, event);
    }
    *amdvi_reg(unit, A_EVT_TAIL) = next;
    unit->stats.events_logged++;
    amdvi_raise(unit, S_EVTINT, C_EVTINT);
}

void amdvi_put_event(struct amdvi_model *unit, unsigned code, uint64_t low, uint64_t high)
{
    const uint64_t event[2] = {(uint64_t)code << 60 | low, high};

    if ((amdvi_get(unit, A_STATUS) & (S_EVTRUN | S_EVTOVERFLOW)) != S_EVTRUN) {
        unit->stats.events_lost++;
        return;
    }
    append(unit, event);
}

void amdvi_model_log(struct amdvi_model *unit, uint64_t low, uint64_t high)
{
    amdvi_model_lock(unit);
    amdvi_put_event(unit, (unsigned)(low >> 60), low & MASK64(59, 0), high);
    amdvi_model_unlock(unit);
}
