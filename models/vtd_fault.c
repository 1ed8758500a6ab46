// SPDX-License-Identifier: MIT
/*
 * The VT-d model's fault recording [7.2, 7.3, 11.4.7]: the ring of records, FSTS, the fault event
 * with its mask and pending bits.
 */
#include "models/vtd_internal.h"

#define FS_ALL (FS_PFO | FS_PPF | FS_IQE | FS_ICE | FS_ITE)

static void send_event(struct vtd_model *unit)
{
    uint32_t control = vtd_get32(unit, R_FECTL);

    if ((control & CTL_IM) != 0) {
        vtd_set32(unit, R_FECTL, control | CTL_IP);
        return;
    }
    vtd_set32(unit, R_FECTL, control & ~CTL_IP);
    model_host_post_msi(unit->host,
                        vtd_get32(unit, R_FEADDR) | (uint64_t)vtd_get32(unit, R_FEUADDR) << 32,
                        vtd_get32(unit, R_FEDATA));
}

void vtd_fault_status(struct vtd_model *unit, uint32_t bit)
{
    uint32_t before = vtd_get32(unit, R_FSTS);

    vtd_set32(unit, R_FSTS, before | bit);
    /* Only the first of several conditions is an event [7.3]. */
    if ((before & FS_ALL) == 0)
        send_event(unit);
}

static void settle(struct vtd_model *unit)
{
    if ((vtd_get32(unit, R_FSTS) & FS_ALL) == 0)
        vtd_set32(unit, R_FECTL, vtd_get32(unit, R_FECTL) & ~CTL_IP);
}

void vtd_fault_status_written(struct vtd_model *unit, uint32_t value)
{
    uint32_t clearable = FS_PFO | FS_IQE | FS_ICE | FS_ITE;

    vtd_set32(unit, R_FSTS, vtd_get32(unit, R_FSTS) & ~(value & clearable));
    settle(unit);
    /* The queue goes on where it stopped [6.5.2.11]. */
    if ((value & (FS_IQE | FS_ITE)) != 0 && unit->config.queue_mode == VTD_MODEL_AT_DOORBELL)
        (void)vtd_queue_run(unit, UINT32_MAX);
}

void vtd_fault_control_written(struct vtd_model *unit)
{
    uint32_t control = vtd_get32(unit, R_FECTL);

    if ((control & (CTL_IM | CTL_IP)) == CTL_IP)
        send_event(unit);
}

void vtd_fault_record(struct vtd_model *unit, const struct vtd_fault_detail *detail)
{
    uint64_t *record = unit->records[unit->record_next];
    uint32_t status = vtd_get32(unit, R_FSTS);

    if ((status & FS_PFO) != 0 || unit->inject.faults_full || (record[1] & BIT64(63)) != 0) {
        unit->stats.faults_lost++;
        if ((status & FS_PFO) == 0)
            vtd_fault_status(unit, FS_PFO);
        return;
    }
    record[0] = detail->address & ADDRESS_MASK;
    record[1] = detail->rid | (uint64_t)detail->reason << 32 |
                (uint64_t)(detail->address_type & 3u) << 60 | (uint64_t)!detail->write << 62 |
                BIT64(63);
    unit->stats.faults_recorded++;
    if ((status & FS_PPF) == 0) /* FRI names the first of the pending ones */
        vtd_set32(unit, R_FSTS, (status & ~0xff00u) | unit->record_next << 8);
    unit->record_next = (unit->record_next + 1) % unit->config.fault_records;
    vtd_fault_status(unit, FS_PPF);
}

uint32_t vtd_fault_read(struct vtd_model *unit, unsigned offset)
{
    return (uint32_t)(unit->records[offset / 16][offset % 16 / 8] >> (offset % 8 * 8));
}

void vtd_fault_record_written(struct vtd_model *unit, unsigned offset, uint32_t value)
{
    bool any = false;

    if (offset % 16 != 12 || (value & CTL_IM) == 0) /* only F is writable, by 1 to clear */
        return;
    unit->records[offset / 16][1] &= ~BIT64(63);
    for (unsigned i = 0; i < unit->config.fault_records; i++)
        any = any || (unit->records[i][1] & BIT64(63)) != 0;
    if (!any)
        vtd_set32(unit, R_FSTS, vtd_get32(unit, R_FSTS) & ~FS_PPF);
    settle(unit);
}
