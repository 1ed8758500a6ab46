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

/* The two logs; a unit with one has only the first. */
static const struct {
    unsigned base, head, tail;
    uint64_t overflow;
} logs[2] = {
    {A_EVTLOG, A_EVT_HEAD, A_EVT_TAIL, S_EVTOVERFLOW},
    {A_EVTLOG_B, A_EVTB_HEAD, A_EVTB_TAIL, S_EVTOVERB},
};

static unsigned active(const struct amdvi_model *unit)
{
    return (amdvi_get(unit, A_STATUS) & S_EVTACTIVE) != 0 ? 1 : 0;
}

bool amdvi_log_overflowed(const struct amdvi_model *unit)
{
    return (amdvi_get(unit, A_STATUS) & logs[active(unit)].overflow) != 0;
}

static bool is_full(const struct amdvi_model *unit, unsigned log)
{
    uint64_t bytes = BIT64(FIELD64(amdvi_get(unit, logs[log].base), 59, 56)) * 16;

    return (amdvi_get(unit, logs[log].tail) + 16) % bytes == amdvi_get(unit, logs[log].head);
}

/*
 * The log that is written is full: it says so, and the unit goes on in the other, where there are
 * two and that one was given back [3.4, DualEventLogEn 10b]. False: the event is lost, and no more
 * are logged.
 */
static bool change_over(struct amdvi_model *unit)
{
    unsigned from = active(unit);
    uint64_t *status = amdvi_reg(unit, A_STATUS);
    bool dual = FIELD64(amdvi_get(unit, A_CONTROL), 33, 32) == 2;

    amdvi_raise(unit, S_EVTINT, C_EVTINT);
    if (!dual || (*status & logs[1 - from].overflow) != 0 || is_full(unit, 1 - from)) {
        *status |= logs[from].overflow;
        if ((unit->inject.stuck_status & S_EVTRUN) == 0)
            *status &= ~S_EVTRUN;
        unit->stats.events_lost++;
        return false;
    }
    if (!unit->inject.untold_change)
        *status |= logs[from].overflow;
    *status ^= S_EVTACTIVE;
    unit->stats.log_changes++;
    return true;
}

static void append(struct amdvi_model *unit, const uint64_t event[2])
{
    unsigned log;
    uint64_t base, tail;

    if (is_full(unit, active(unit)) && !change_over(unit))
        return;
    log = active(unit);
    base = amdvi_get(unit, logs[log].base);
    tail = amdvi_get(unit, logs[log].tail);
    if (unit->inject.late_event != 0 && !unit->late) {
        unit->late = true;
        unit->late_left = unit->inject.late_event;
        unit->late_at = (base & ADDRESS) + tail;
        memcpy(unit->late_event, event, sizeof(unit->late_event));
    } else {
        store(unit, (base & ADDRESS) + tail, event);
    }
    *amdvi_reg(unit, logs[log].tail) = (tail + 16) % (BIT64(FIELD64(base, 59, 56)) * 16);
    unit->stats.events_logged++;
    amdvi_raise(unit, S_EVTINT, C_EVTINT);
}

void amdvi_put_event(struct amdvi_model *unit, unsigned code, uint64_t low, uint64_t high)
{
    const uint64_t event[2] = {(uint64_t)code << 60 | low, high};

    if ((amdvi_get(unit, A_STATUS) & S_EVTRUN) == 0 || amdvi_log_overflowed(unit)) {
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
