// SPDX-License-Identifier: MIT
/*
 * Fault records and the fault event [VT-d 7.1, 7.2, 7.3, 11.4.7].
 */
#include "unit/intel/vtd.h"

#define TAKE_AT_ONCE 16u /* records between two deliveries: what fits on the stack */
#define EVENT_ROUNDS 8u  /* whole logs that one event drains */

#define VTD_REASON_COMPATIBILITY 0x25u

#define FAULT(code, kind, words) [code] = {SLUICE_FAULT_##kind, (words)}

/* Every reason of the table in [VT-d 7.1.3], and of interrupts; holes are reserved. */
static const struct vtd_reason reasons[] = {
    /* Legacy mode: LRT, LCT, LSS, LGN. */
    FAULT(0x01, BLOCKED, "root entry not present"),
    FAULT(0x02, BLOCKED, "context entry not present"),
    FAULT(0x03, BAD_ENTRY, "context entry invalid, or its top table cannot be read"),
    FAULT(0x04, OUT_OF_RANGE, "address beyond the width of guest or host addresses"),
    FAULT(0x05, WRITE_DENIED, "no write permission"),
    FAULT(0x06, READ_DENIED, "no read permission"),
    FAULT(0x07, TABLE_ACCESS, "error reading a second-stage table"),
    FAULT(0x08, TABLE_ACCESS, "error reading the root table"),
    FAULT(0x09, TABLE_ACCESS, "error reading the context table"),
    FAULT(0x0a, BAD_ENTRY, "reserved bits set in a root entry"),
    FAULT(0x0b, BAD_ENTRY, "reserved bits set in a context entry"),
    FAULT(0x0c, BAD_ENTRY, "reserved bits set in a second-stage entry"),
    FAULT(0x0d, REQUEST_TYPE, "translation or translated request not allowed by the entry"),
    FAULT(0x0e, OUT_OF_RANGE, "output address in the interrupt range"),
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
    /* The root table register: RTA. */
    FAULT(0x30, BAD_ENTRY, "table mode that the unit does not have"),
    FAULT(0x31, REQUEST_TYPE, "request with PASID in legacy mode"),
    FAULT(0x32, REQUEST_TYPE, "page request in legacy mode"),
    FAULT(0x33, BLOCKED, "abort-DMA mode"),
    FAULT(0x34, REQUEST_TYPE, "execute request"),
    /* Scalable mode, requester: SRT, SCT. */
    FAULT(0x38, TABLE_ACCESS, "error reading a root entry"),
    FAULT(0x39, BLOCKED, "root entry not present"),
    FAULT(0x3a, BAD_ENTRY, "reserved bits set in a root entry"),
    FAULT(0x40, TABLE_ACCESS, "error reading a context entry"),
    FAULT(0x41, BLOCKED, "context entry not present"),
    FAULT(0x42, BAD_ENTRY, "reserved bits set in a context entry"),
    FAULT(0x43, BAD_ENTRY, "context entry invalid"),
    FAULT(0x44, REQUEST_TYPE, "translation or translated request, device TLB not enabled"),
    FAULT(0x45, REQUEST_TYPE, "request with PASID, PASIDs not enabled"),
    FAULT(0x46, OUT_OF_RANGE, "PASID beyond the directory"),
    FAULT(0x47, REQUEST_TYPE, "page request, page requests not enabled"),
    FAULT(0x48, REQUEST_TYPE, "PASID that stands for requests without one"),
    FAULT(0x49, REQUEST_TYPE, "translated request with PASID not enabled"),
    /* PASID directory and table: SPD, SPT. */
    FAULT(0x50, TABLE_ACCESS, "error reading a PASID directory entry"),
    FAULT(0x51, BLOCKED, "PASID directory entry not present"),
    FAULT(0x52, BAD_ENTRY, "reserved bits set in a PASID directory entry"),
    FAULT(0x58, TABLE_ACCESS, "error reading a PASID table entry"),
    FAULT(0x59, BLOCKED, "PASID table entry not present"),
    FAULT(0x5a, BAD_ENTRY, "reserved bits set in a PASID table entry"),
    FAULT(0x5b, BAD_ENTRY, "PASID table entry invalid"),
    FAULT(0x5c, REQUEST_TYPE, "execute request, which the unit does not have"),
    FAULT(0x5d, REQUEST_TYPE, "privileged request not enabled"),
    FAULT(0x60, OUT_OF_RANGE, "translated address beyond the host permission table"),
    /* First stage: SFS; 0x90 and 0x91 belong to it as well. */
    FAULT(0x70, TABLE_ACCESS, "error reading a first-stage entry"),
    FAULT(0x71, NOT_MAPPED, "first-stage entry not present"),
    FAULT(0x72, BAD_ENTRY, "reserved bits set in a first-stage entry"),
    FAULT(0x73, TABLE_ACCESS, "error reading the top first-stage table"),
    FAULT(0x74, OUT_OF_RANGE, "first-stage table beyond the guest address width"),
    FAULT(0x75, TABLE_ACCESS, "second stage does not let the top first-stage table be read"),
    FAULT(0x76, TABLE_ACCESS, "second stage does not let a first-stage table be read"),
    FAULT(0x77, TABLE_ACCESS, "second stage does not let a first-stage flag be written"),
    /* Second stage: SSS. */
    FAULT(0x78, TABLE_ACCESS, "error reading a second-stage entry"),
    FAULT(0x79, NOT_MAPPED, "second-stage entry allows nothing"),
    FAULT(0x7a, BAD_ENTRY, "reserved bits set in a second-stage entry"),
    FAULT(0x7b, TABLE_ACCESS, "error reading the top second-stage table"),
    FAULT(0x7c, TABLE_ACCESS, "second-stage flag to be set, but tables are not snooped"),
    FAULT(0x7d, TABLE_ACCESS, "second-stage flag could not be set"),
    /* General: SGN. */
    FAULT(0x80, OUT_OF_RANGE, "address not canonical"),
    FAULT(0x81, REQUEST_TYPE, "user access to a privileged page"),
    FAULT(0x83, OUT_OF_RANGE, "address beyond the host address width"),
    FAULT(0x84, OUT_OF_RANGE, "address beyond the second-stage width"),
    FAULT(0x85, WRITE_DENIED, "no write permission"),
    FAULT(0x86, READ_DENIED, "no read permission"),
    FAULT(0x87, OUT_OF_RANGE, "output address in the interrupt range"),
    FAULT(0x89, OUT_OF_RANGE, "PASID beyond what the unit has"),
    FAULT(0x90, TABLE_ACCESS, "first-stage flag to be set, but tables are not snooped"),
    FAULT(0x91, TABLE_ACCESS, "first-stage flag could not be set"),
    /* Host permission table: HPT. */
    FAULT(0xa0, TABLE_ACCESS, "error reading a host permission entry"),
    FAULT(0xa1, BAD_ENTRY, "reserved bits set in a host permission entry"),
    FAULT(0xa2, TABLE_ACCESS, "error reading the top host permission table"),
    FAULT(0xa3, READ_DENIED, "no host permission"),
    FAULT(0xa4, WRITE_DENIED, "no host permission to write"),
    FAULT(0xa5, READ_DENIED, "no host permission to read"),
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

/* In legacy mode all tables are of the second stage; SGN's codes do not tell [VT-d 7.1.3]. */
static enum sluice_fault_stage stage_of(uint8_t code)
{
    bool legacy = code >= 0x04 && code <= 0x07;

    if ((code >= 0x70 && code <= 0x77) || code == 0x80 || code == 0x81 || code == 0x90 ||
        code == 0x91)
        return SLUICE_STAGE_FIRST;
    if (legacy || code == 0x0c || code == 0x0e || (code >= 0x78 && code <= 0x7d) || code == 0x84)
        return SLUICE_STAGE_SECOND;
    return code >= 0x83 && code <= 0x87 ? SLUICE_STAGE_UNKNOWN : SLUICE_STAGE_NONE;
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
        .stage = stage_of(code),
        .hardware_code = code,
        .hardware_text = reason->text,
        .address = low & VTD_MASK(FRCD_LOW_FI),
        .address_valid = true,
        .privileged = pasid && VTD_GET(FRCD_HIGH_PRIV, high) != 0,
    };
    /* Interrupts: FI has the entry's index in 63:48 unless the message named none, and no address
     * [VT-d 11.4.7.6]. */
    if (reason->reason == SLUICE_FAULT_INTERRUPT) {
        out->address = 0;
        out->address_valid = false;
        out->interrupt_index_valid = code != VTD_REASON_COMPATIBILITY;
        out->interrupt_index = out->interrupt_index_valid ? (uint32_t)(low >> 48) : 0;
        out->access = SLUICE_ACCESS_WRITE;
    }
}

/* ---- the log ---- */

struct fault_record {
    uint64_t low;
    uint64_t high;
};

/* Takes the record at `index`; false when it is empty or the unit is gone. */
static bool record_take(struct vtd *vtd, unsigned index, struct fault_record *out)
{
    uint32_t offset = vtd->capability.fault_offset + index * VTD_FAULT_RECORD;

    out->high = vtd_read64(vtd, offset + 8);
    if (out->high == UINT64_MAX || VTD_GET(FRCD_HIGH_F, out->high) == 0)
        return false;
    out->low = vtd_read64(vtd, offset);
    vtd_write32(vtd, offset + 12, 1u << 31); /* F, write 1 to clear */
    return true;
}

/* What is in FSTS; 0 when nothing is, or when the unit is gone. */
static uint32_t log_status(struct vtd *vtd)
{
    uint32_t status = vtd_read32(vtd, VTD_REG_FSTS);

    return status == UINT32_MAX ? 0 : status;
}

/*
 * Takes up to `limit` records, oldest first. FRI tells only where the first of a run of pending
 * ones was recorded [VT-d 11.4.7.1], so the place where the last look ended comes first.
 */
static unsigned records_take_locked(struct vtd *vtd, struct fault_record *records, unsigned limit)
{
    unsigned total = vtd->capability.fault_count;
    unsigned count = 0;

    if (!record_take(vtd, vtd->fault_next, &records[0])) {
        vtd->fault_next = (unsigned)VTD_GET(FSTS_FRI, log_status(vtd)) % total;
        if (!record_take(vtd, vtd->fault_next, &records[0]))
            return 0;
    }
    do {
        count++;
        vtd->fault_next = (vtd->fault_next + 1) % total;
    } while (count < limit && record_take(vtd, vtd->fault_next, &records[count]));
    return count;
}

/*
 * One look: how many were taken, and whether others were lost. An overflow is cleared when the log
 * is empty [VT-d 7.2.1], and looked for after the records: one that was left behind would stop
 * recording, and the event with it.
 */
static unsigned log_take(struct vtd *vtd, struct fault_record *records, unsigned limit, bool *lost)
{
    sluice_irqstate_t irq = sluice_spin_lock(&vtd->fault_lock);
    uint32_t before = log_status(vtd);
    uint32_t after = before;
    unsigned count = 0;

    if ((before & VTD_MASK32(FSTS_PPF)) != 0) {
        count = records_take_locked(vtd, records, limit);
        after = log_status(vtd);
    }
    vtd->faults_seen += count;
    vtd->faults_lost = vtd->faults_lost || ((before | after) & VTD_MASK32(FSTS_PFO)) != 0;
    *lost = vtd->faults_lost;
    if ((after & VTD_MASK32(FSTS_PPF)) == 0) {
        if ((after & VTD_MASK32(FSTS_PFO)) != 0)
            vtd_write32(vtd, VTD_REG_FSTS, VTD_MASK32(FSTS_PFO));
        if (count > 0)
            vtd->faults_lost = false; /* told with these */
    }
    sluice_spin_unlock(&vtd->fault_lock, irq);
    return count;
}

static void deliver(struct vtd *vtd, const struct fault_record *record, bool lost,
                    unit_fault_sink *sink, void *arg)
{
    struct sluice_fault fault;

    vtd_fault_decode(record->low, record->high, &fault);
    fault.unit = vtd->unit.name;
    fault.segment = vtd->unit.desc->segment;
    fault.records_lost = lost;
    fault.time_ns = host_now_ns(vtd->unit.sluice);
    sink(arg, &fault);
}

unsigned vtd_faults_drain(struct unit *unit, unit_fault_sink *sink, void *arg)
{
    struct vtd *vtd = vtd_of(unit);
    struct fault_record records[TAKE_AT_ONCE];
    unsigned total = vtd->capability.fault_count;
    unsigned done = 0;

    while (done < total) {
        unsigned limit = total - done < TAKE_AT_ONCE ? total - done : TAKE_AT_ONCE;
        bool lost;
        unsigned count = log_take(vtd, records, limit, &lost);

        /* Without the lock: what the host does with a fault may lead back here. */
        for (unsigned i = 0; i < count; i++)
            deliver(vtd, &records[i], lost, sink, arg);
        done += count;
        if (count < limit)
            break;
    }
    return done;
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

void vtd_fault_event(void *arg)
{
    struct vtd *vtd = arg;
    const uint32_t causes = VTD_MASK32(FSTS_PPF) | VTD_MASK32(FSTS_PFO) | VTD_MASK32(FSTS_IQE) |
                            VTD_MASK32(FSTS_ICE) | VTD_MASK32(FSTS_ITE);

    /*
     * The next event comes only after all causes were clear at one moment [VT-d 7.3], so what was
     * added meanwhile is drained here too. A device that faults without end must not hold the CPU:
     * after some rounds what is left has an event of its own, or waits for one who polls.
     */
    for (unsigned round = 0; round < EVENT_ROUNDS && !unit_events_held(&vtd->unit); round++) {
        if (vtd->use_queue && !vtd_queue_check(vtd))
            return;
        (void)unit_event_drain(&vtd->unit);
        if ((log_status(vtd) & causes) == 0)
            return;
    }
}

void vtd_fault_event_on(struct vtd *vtd)
{
    struct sluice *sluice = vtd->unit.sluice;
    const struct sluice_event_handler handler = {.handler = vtd_fault_event, .arg = vtd};

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
