// SPDX-License-Identifier: MIT
/*
 * Register-based invalidation [VT-d 6.5.1]: CCMD, IVA and IOTLB. One request at a time, each
 * waited for under register_lock. Used where there is no queue, or when it is to be avoided.
 */
#include "unit/intel/vtd.h"

/* ICC and IVT are the top bits of 64-bit registers: their upper halves are polled. */
#define UPPER_BUSY 0x80000000u

enum sluice_status vtd_registers_context(struct vtd *vtd, enum vtd_granularity granularity,
                                         uint16_t did, uint16_t sid)
{
    sluice_irqstate_t irq = sluice_spin_lock(&vtd->register_lock);
    enum sluice_status status;

    /* Software must not write while a request is in progress [VT-d 11.4.6.1]. */
    status = vtd_wait32(vtd, VTD_REG_CCMD + 4, UPPER_BUSY, 0, "context invalidation before ours");
    if (status == SLUICE_OK) {
        sluice_device_fence(); /* table stores before the request */
        vtd_write64(vtd, VTD_REG_CCMD,
                    VTD_MASK(CCMD_ICC) | VTD_PREP(CCMD_CIRG, granularity) |
                        VTD_PREP(CCMD_SID, sid) | VTD_PREP(CCMD_DID, did));
        status = vtd_wait32(vtd, VTD_REG_CCMD + 4, UPPER_BUSY, 0, "context invalidation");
    }
    if (status == SLUICE_OK && VTD_GET(CCMD_CAIG, vtd_read64(vtd, VTD_REG_CCMD)) == 0) {
        log_error(vtd->unit.sluice, "%s: context invalidation was refused", vtd->unit.name);
        status = SLUICE_ERR_HARDWARE;
    }
    sluice_spin_unlock(&vtd->register_lock, irq);
    return status;
}

enum sluice_status vtd_registers_iotlb(struct vtd *vtd, const struct vtd_iotlb_request *request)
{
    uint32_t iva = vtd->capability.iotlb_offset;
    uint32_t iotlb = iva + 8;
    sluice_irqstate_t irq = sluice_spin_lock(&vtd->register_lock);
    struct unit_wait wait = unit_wait_begin(&vtd->unit, &(struct unit_ticket){.since_ns = 0});
    enum sluice_status status;

    /* Nor may it ask for this one while contexts are still being invalidated [VT-d 6.5.1]. */
    status = vtd_wait32(vtd, VTD_REG_CCMD + 4, UPPER_BUSY, 0, "context invalidation before ours");
    if (status == SLUICE_OK)
        status = vtd_wait32(vtd, iotlb + 4, UPPER_BUSY, 0, "IOTLB invalidation before ours");
    if (status == SLUICE_OK) {
        if (request->granularity == VTD_NARROW)
            vtd_write64(vtd, iva, vtd_iotlb_address(request));
        sluice_device_fence(); /* table stores before the request */
        vtd_write64(vtd, iotlb,
                    VTD_MASK(IOTLB_IVT) | VTD_PREP(IOTLB_IIRG, request->granularity) |
                        VTD_PREP(IOTLB_DID, request->did) |
                        ((uint64_t)(request->drain & 3u) << VTD_IOTLB_DW_LOW));
        status = vtd_wait32(vtd, iotlb + 4, UPPER_BUSY, 0, "IOTLB invalidation");
    }
    /* IAIG 0: not done, because the request was wrong [VT-d 11.4.6.3]. */
    if (status == SLUICE_OK && VTD_GET(IOTLB_IAIG, vtd_read64(vtd, iotlb)) == 0) {
        log_error(vtd->unit.sluice, "%s: IOTLB invalidation was refused", vtd->unit.name);
        status = SLUICE_ERR_HARDWARE;
    }
    if (status == SLUICE_OK) {
        (void)unit_wait_is_late(&wait); /* beside so many registers a reading more costs nothing */
        unit_note_wait_locked(&wait);
    }
    sluice_spin_unlock(&vtd->register_lock, irq);
    return status;
}
