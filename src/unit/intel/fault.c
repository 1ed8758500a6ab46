// SPDX-License-Identifier: MIT
/*
 * Fault records and the fault event [VT-d 7.1, 7.2, 7.3, 11.4.7, 11.4.14, appendix A].
 */
#include "unit/intel/vtd.h"

#define FAULT(code, kind, words) [code] = {SLUICE_FAULT_##kind, (words)}

/* Every reason of the table in [VT-d 7.1.3] and appendix A; holes are reserved. */
static const struct vtd_reason reasons[] = {
    /* Legacy mode. */
    FAULT(0x01, BLOCKED, "root entry not present"),
    FAULT(0x02, BLOCKED, "context entry not present"),
    FAULT(0x03, BAD_ENTRY, "context entry invalid"),
    FAULT(0x04, OUT_OF_RANGE, "address beyond the guest address width"),
    FAULT(0x05, WRITE_DENIED, "no write permission"),
    FAULT(0x06, READ_DENIED, "no read permission"),
    FAULT(0x07, TABLE_ACCESS, "error reading a second-stage table"),
    FAULT(0x08, TABLE_ACCESS, "error reading the root table"),
    FAULT(0x09, TABLE_ACCESS, "error reading the context table"),
    FAULT(0x0a, BAD_ENTRY, "reserved bits set in a root entry"),
    FAULT(0x0b, BAD_ENTRY, "reserved bits set in a context entry"),
    FAULT(0x0c, BAD_ENTRY, "reserved bits set in a second-stage entry"),
    FAULT(0x0d, REQUEST_TYPE, "translation or translated request not allowed by the entry"),
    FAULT(0x0e, OUT_OF_RANGE, "second-stage output in the interrupt range"),
    FAULT(0x0f, OUT_OF_RANGE, "address of a translated request in the interrupt range"),
    FAULT(0x10, OUT_OF_RANGE, "pass-through address beyond the host address width"),
    FAULT(0x11, REQUEST_TYPE, "request with PASID in legacy mode"),
    FAULT(0x13, BAD_ENTRY, "extended context entry invalid"),
    FAULT(0x14, REQUEST_TYPE, "execute or supervisor request not enabled"),
    /* Interrupt remapping [VT-d 5.1.4.1]. */
    FAULT(0x20, INTERRUPT, "reserved bits set in an interrupt request"),
    FAULT(0x21, INTERRUPT, "interrupt index beyond the table"),
    FAULT(0x22, INTERRUPT, "interrupt entry not present"),
    FAULT(0x23, INTERRUPT, "error reading the interrupt table"),
    FAULT(0x24, INTERRUPT, "reserved bits set in an interrupt entry"),
    FAULT(0x25, INTERRUPT, "compatibility-format interrupt blocked"),
    FAULT(0x26, INTERRUPT, "interrupt entry does not allow this source"),
    FAULT(0x27, INTERRUPT, "error reading a posted-interrupt descriptor"),
    FAULT(0x28, INTERRUPT, "reserved bits set in a posted-interrupt descriptor"),
    /* Scalable mode. */
    FAULT(0x30, TABLE_ACCESS, "error reading a root entry"),
    FAULT(0x38, BLOCKED, "root entry not present"),
    FAULT(0x39, BAD_ENTRY, "reserved bits set in a root entry"),
    FAULT(0x3a, BLOCKED, "abort-DMA mode"),
    FAULT(0x40, TABLE_ACCESS, "error reading a context entry"),
    FAULT(0x41, BLOCKED, "context entry not present"),
    FAULT(0x42, BAD_ENTRY, "reserved bits set in a context entry"),
    FAULT(0x43, BAD_ENTRY, "context entry invalid"),
    FAULT(0x44, REQUEST_TYPE, "request with PASID not enabled"),
    FAULT(0x48, OUT_OF_RANGE, "PASID beyond the directory"),
    FAULT(0x49, REQUEST_TYPE, "privileged request for RID_PASID not allowed"),
    FAULT(0x50, TABLE_ACCESS, "error reading a PASID directory entry"),
    FAULT(0x51, BLOCKED, "PASID directory entry not present"),
    FAULT(0x52, BAD_ENTRY, "reserved bits set in a PASID directory entry"),
    FAULT(0x58, TABLE_ACCESS, "error reading a PASID table entry"),
    FAULT(0x59, BLOCKED, "PASID table entry not present"),
    FAULT(0x5a, BAD_ENTRY, "reserved bits set in a PASID table entry"),
    FAULT(0x5b, BAD_ENTRY, "PASID table entry invalid"),
    FAULT(0x70, TABLE_ACCESS, "error reading a first-stage entry"),
    FAULT(0x71, NOT_MAPPED, "first-stage entry not present"),
    FAULT(0x72, BAD_ENTRY, "reserved bits set in a first-stage entry"),
    FAULT(0x73, TABLE_ACCESS, "error reading a first-stage root"),
    FAULT(0x74, TABLE_ACCESS, "first-stage tables not reachable through the second stage"),
    FAULT(0x77, TABLE_ACCESS, "first-stage table beyond the guest address width"),
    FAULT(0x78, TABLE_ACCESS, "error reading a second-stage entry"),
    FAULT(0x79, BAD_ENTRY, "reserved bits set in a second-stage entry"),
    FAULT(0x7a, OUT_OF_RANGE, "second-stage output in the interrupt range"),
    FAULT(0x7b, TABLE_ACCESS, "accessed flag could not be set"),
    FAULT(0x80, OUT_OF_RANGE, "address not canonical"),
    FAULT(0x81, READ_DENIED, "first stage allows no read"),
    FAULT(0x82, WRITE_DENIED, "first stage allows no write"),
    FAULT(0x83, REQUEST_TYPE, "first stage allows no execute"),
    FAULT(0x84, OUT_OF_RANGE, "address beyond the second-stage width"),
    FAULT(0x85, WRITE_DENIED, "second stage allows no write"),
    FAULT(0x86, READ_DENIED, "second stage allows no read"),
    FAULT(0x87, OUT_OF_RANGE, "output in the interrupt range"),
    FAULT(0x88, REQUEST_TYPE, "privileged access to a user page"),
    FAULT(0x89, REQUEST_TYPE, "user access to a privileged page"),
    FAULT(0x8a, REQUEST_TYPE, "second stage allows no execute"),
    FAULT(0x90, OUT_OF_RANGE, "address in the interrupt range"),
    FAULT(0x91, OUT_OF_RANGE, "output in the interrupt range"),
};

static const struct vtd_reason unknown_reason = {SLUICE_FAULT_OTHER, "reserved reason code"};

const struct vtd_reason *vtd_fault_reason(uint8_t code)
{
    if (code >= sizeof(reasons) / sizeof(reasons[0]) || reasons[code].text == NULL)
        return &unknown_reason;
    return &reasons[code];
}

static enum sluice_access access_of(uint64_t high)
{
    unsigned type = (unsigned)(VTD_GET(FRCD_HIGH_T1, high) << 1 | VTD_GET(FRCD_HIGH_T2, high));

    switch (type) {
    case 0:
        return SLUICE_ACCESS_WRITE;
    case 2:
        return VTD_GET(FRCD_HIGH_EXE, high) != 0 && VTD_GET(FRCD_HIGH_PP, high) != 0
                   ? SLUICE_ACCESS_EXECUTE
                   : SLUICE_ACCESS_READ;
    case 3:
        return SLUICE_ACCESS_ATOMIC;
    default:
        return SLUICE_ACCESS_UNKNOWN; /* page request */
    }
}

void vtd_fault_decode(uint64_t low, uint64_t high, struct sluice_fault *out)
{
    uint8_t code = (uint8_t)VTD_GET(FRCD_HIGH_FR, high);
    const struct vtd_reason *reason = vtd_fault_reason(code);
    bool pasid = VTD_GET(FRCD_HIGH_PP, high) != 0;

    *out = (struct sluice_fault){
        .source = (uint32_t)VTD_GET(FRCD_HIGH_SID, high),
        .pasid = pasid ? (uint32_t)VTD_GET(FRCD_HIGH_PV, high) : SLUICE_NO_PASID,
        .access = access_of(high),
        .reason = reason->reason,
        .hardware_code = code,
        .hardware_text = reason->text,
        .address = low & VTD_MASK(FRCD_LOW_FI),
        .address_valid = true,
        .privileged = pasid && VTD_GET(FRCD_HIGH_PRIV, high) != 0,
    };
    /* Interrupts: FI has the entry's index in 63:48, and no address [VT-d 11.4.14]. */
    if (reason->reason == SLUICE_FAULT_INTERRUPT) {
        out->address = low >> 48;
        out->address_valid = false;
        out->access = SLUICE_ACCESS_WRITE;
    }
}

/* Takes the record at `index`; false when it is empty or the unit is gone. */
static bool record_take(struct vtd *vtd, unsigned index, uint64_t *out_low, uint64_t *out_high)
{
    uint32_t offset = vtd->capability.fault_offset + index * VTD_FAULT_RECORD;

    *out_high = vtd_read64(vtd, offset + 8);
    if (*out_high == UINT64_MAX || VTD_GET(FRCD_HIGH_F, *out_high) == 0)
        return false;
    *out_low = vtd_read64(vtd, offset);
    vtd_write32(vtd, offset + 12, 1u << 31); /* F, write 1 to clear */
    return true;
}

unsigned vtd_faults_drain(struct unit *unit, unit_fault_sink *sink, void *arg)
{
    struct vtd *vtd = vtd_of(unit);
    sluice_irqstate_t irq = sluice_spin_lock(&vtd->fault_lock);
    uint32_t status = vtd_read32(vtd, VTD_REG_FSTS);
    bool lost = status != UINT32_MAX && (status & VTD_MASK32(FSTS_PFO)) != 0;
    unsigned start = (unsigned)VTD_GET(FSTS_FRI, status);
    unsigned count = 0;

    while (status != UINT32_MAX && count < vtd->capability.fault_count) {
        struct sluice_fault fault;
        uint64_t low = 0, high = 0;

        if (!record_take(vtd, (start + count) % vtd->capability.fault_count, &low, &high))
            break;
        count++;
        vtd->faults_seen++;
        vtd_fault_decode(low, high, &fault);
        fault.unit = unit->name;
        fault.segment = unit->desc->segment;
        fault.records_lost = lost;
        fault.time_ns = host_now_ns(unit->sluice);
        sink(arg, &fault);
    }
    /* Recording goes on once the overflow is cleared [VT-d 7.2.1]. */
    if (lost)
        vtd_write32(vtd, VTD_REG_FSTS, VTD_MASK32(FSTS_PFO));
    sluice_spin_unlock(&vtd->fault_lock, irq);
    return count;
}

static void drop(void *arg, const struct sluice_fault *fault)
{
    (void)arg;
    (void)fault;
}

void vtd_fault_clear(struct vtd *vtd)
{
    unsigned count = vtd_faults_drain(&vtd->unit, drop, NULL);

    if (count > 0)
        log_info(vtd->unit.sluice, "%s: %u faults from before start were dropped", vtd->unit.name,
                 count);
}

/* ---- the event ---- */

static void fault_event(void *arg)
{
    struct vtd *vtd = arg;

    /* The queue's errors raise this event as well, and hold back later ones until cleared. */
    if (vtd->use_queue && !vtd_queue_check(vtd))
        return;
    (void)vtd_faults_drain(&vtd->unit, unit_fault_deliver, &vtd->unit);
}

void vtd_fault_event_on(struct vtd *vtd)
{
    struct sluice *sluice = vtd->unit.sluice;
    const struct sluice_event_handler handler = {.handler = fault_event, .arg = vtd};

    vtd_write32(vtd, VTD_REG_FECTL, VTD_MASK32(FECTL_IM));
    if (!vtd->has_event) {
        if (sluice->ops->event_install == NULL ||
            !sluice->ops->event_install(sluice->config.ctx, vtd->unit.name, &handler, &vtd->msi,
                                        &vtd->event)) {
            log_info(sluice, "%s: no fault event: faults are seen by polling only", vtd->unit.name);
            return;
        }
        vtd->has_event = true;
    }
    vtd_write32(vtd, VTD_REG_FEDATA, vtd->msi.data);
    vtd_write32(vtd, VTD_REG_FEADDR, (uint32_t)vtd->msi.address);
    vtd_write32(vtd, VTD_REG_FEUADDR, (uint32_t)(vtd->msi.address >> 32));
    vtd_write32(vtd, VTD_REG_FECTL, 0);
}

void vtd_fault_event_off(struct vtd *vtd, bool remove)
{
    struct sluice *sluice = vtd->unit.sluice;

    vtd_write32(vtd, VTD_REG_FECTL, VTD_MASK32(FECTL_IM));
    if (!remove || !vtd->has_event)
        return;
    if (sluice->ops->event_remove != NULL)
        sluice->ops->event_remove(sluice->config.ctx, vtd->event);
    vtd->has_event = false;
}
