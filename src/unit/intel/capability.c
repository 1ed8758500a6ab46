// SPDX-License-Identifier: MIT
/*
 * CAP and ECAP: checked, decoded, reported [VT-d 11.4.1 to 11.4.3].
 */
#include "unit/intel/vtd.h"

#define LEVELS_OF_SAGAW(bit) ((bit) + 2u)
#define PHYS_BITS_MAX        52u /**< that an entry can hold [VT-d 9.8] */

static enum sluice_status check_registers(struct sluice *sluice, const char *name, uint32_t version,
                                          uint64_t cap, uint64_t ecap)
{
    if (cap == UINT64_MAX || ecap == UINT64_MAX || version == UINT32_MAX) {
        log_error(sluice, "%s: registers read all ones: no unit there, or it is switched off",
                  name);
        return SLUICE_ERR_HARDWARE;
    }
    if (VTD_GET(VER_MAX, version) == 0 || (version & ~0xffu) != 0 || (cap == 0 && ecap == 0)) {
        log_error(sluice, "%s: VER %#x CAP %#llx ECAP %#llx is no VT-d unit", name,
                  (unsigned)version, (unsigned long long)cap, (unsigned long long)ecap);
        return SLUICE_ERR_HARDWARE;
    }
    return SLUICE_OK;
}

static unsigned levels_mask_of(uint64_t cap)
{
    unsigned mask = 0;

    for (unsigned bit = 1; bit <= 3; bit++) {
        if ((VTD_GET(CAP_SAGAW, cap) >> bit & 1u) != 0)
            mask |= 1u << LEVELS_OF_SAGAW(bit);
    }
    return mask;
}

static unsigned highest_bit(unsigned mask)
{
    unsigned at = 0;

    while (mask > 1) {
        mask >>= 1;
        at++;
    }
    return at;
}

static uint64_t page_sizes_of(uint64_t cap)
{
    uint64_t sizes = (uint64_t)1 << 12;

    if ((VTD_GET(CAP_SLLPS, cap) & 1u) != 0)
        sizes |= (uint64_t)1 << 21;
    if ((VTD_GET(CAP_SLLPS, cap) & 2u) != 0)
        sizes |= (uint64_t)1 << 30;
    return sizes;
}

/* Where the registers that move are, and how far the window must reach. */
static void decode_window(struct vtd_capability *out)
{
    uint64_t faults_end, iotlb_end;

    out->fault_offset = (uint32_t)(VTD_GET(CAP_FRO, out->cap) * 16);
    out->fault_count = (unsigned)VTD_GET(CAP_NFR, out->cap) + 1;
    out->iotlb_offset = (uint32_t)(VTD_GET(ECAP_IRO, out->ecap) * 16);
    faults_end = out->fault_offset + (uint64_t)out->fault_count * VTD_FAULT_RECORD;
    iotlb_end = out->iotlb_offset + (uint64_t)16;
    out->window_bytes = faults_end > iotlb_end ? faults_end : iotlb_end;
}

enum sluice_status vtd_capability_read(struct sluice *sluice, const char *name, uint32_t version,
                                       uint64_t cap, uint64_t ecap, struct vtd_capability *out)
{
    unsigned host_bits = sluice->platform.host_address_bits;
    enum sluice_status status = check_registers(sluice, name, version, cap, ecap);
    unsigned nd = (unsigned)VTD_GET(CAP_ND, cap);

    if (status != SLUICE_OK)
        return status;
    *out = (struct vtd_capability){.version = version, .cap = cap, .ecap = ecap};
    out->levels_mask = levels_mask_of(cap);
    if (out->levels_mask == 0) {
        log_error(sluice, "%s: CAP.SAGAW %#llx: no second-stage width that is known", name,
                  (unsigned long long)VTD_GET(CAP_SAGAW, cap));
        return SLUICE_ERR_UNSUPPORTED;
    }
    if (nd == 7) {
        log_error(sluice, "%s: CAP.ND 7 is reserved", name);
        return SLUICE_ERR_HARDWARE;
    }
    out->levels_max = highest_bit(out->levels_mask);
    out->iova_bits = SLUICE_PAGE_LG2 + 9 * out->levels_max;
    if (VTD_GET(CAP_MGAW, cap) + 1 < out->iova_bits)
        out->iova_bits = (unsigned)VTD_GET(CAP_MGAW, cap) + 1;
    if (out->iova_bits <= SLUICE_PAGE_LG2 + 9) {
        log_error(sluice, "%s: CAP.MGAW: %u bits are absurd", name, out->iova_bits);
        return SLUICE_ERR_HARDWARE;
    }
    out->phys_bits = host_bits != 0 && host_bits < PHYS_BITS_MAX ? host_bits : PHYS_BITS_MAX;
    out->page_sizes = page_sizes_of(cap);
    out->domain_count = (uint32_t)1 << (4 + 2 * nd);
    out->drain = (uint8_t)(VTD_GET(CAP_DWD, cap) | VTD_GET(CAP_DRD, cap) << 1);
    out->caching_mode = VTD_GET(CAP_CM, cap) != 0;
    out->write_buffer = VTD_GET(CAP_RWBF, cap) != 0;
    decode_window(out);
    return SLUICE_OK;
}

void vtd_capability_publish(struct vtd *vtd)
{
    const struct vtd_capability *capability = &vtd->capability;

    vtd->unit.caps = (struct unit_caps){
        .iova_bits = capability->iova_bits,
        .phys_bits = capability->phys_bits,
        .page_sizes = capability->page_sizes,
        .domains = capability->domain_count - 1, /* 0 is not given out */
        .coherent = VTD_GET(ECAP_C, capability->ecap) != 0,
        .snoop_control = VTD_GET(ECAP_SC, capability->ecap) != 0,
        .pass_through = VTD_GET(ECAP_PT, capability->ecap) != 0,
        .queued = vtd->use_queue,
        .ats = vtd->use_queue && VTD_GET(ECAP_DT, capability->ecap) != 0,
        /* A unit with write buffers does not see what is newly mapped until they are flushed. */
        .flush_on_map = capability->caching_mode || capability->write_buffer,
        .interrupt_first = 0xfee00000u, /* [VT-d 3.15] */
        .interrupt_last = 0xfeefffffu,
    };
}

static void describe_fields(sluice_emit *emit, void *arg, const char *where, uint64_t value)
{
    char line[160];

    for (size_t i = 0; i < vtd_field_count; i++) {
        const struct unit_field *field = &vtd_fields[i];
        uint64_t bits = (value & UNIT_BITS(field->high, field->low)) >> field->low;

        if (bits == 0 || field->where[0] != where[0] || field->where[1] != where[1] ||
            field->where[2] != where[2])
            continue;
        (void)format_text(line, sizeof(line), "  %s.%s %#llx: %s", where, field->name,
                          (unsigned long long)bits, field->text);
        emit(arg, line);
    }
}

void vtd_describe(struct unit *unit, sluice_emit *emit, void *arg)
{
    struct vtd *vtd = vtd_of(unit);
    const struct vtd_capability *capability = &vtd->capability;
    char line[200];

    (void)format_text(
        line, sizeof(line),
        "%s: Intel VT-d %u.%u at %#llx: CAP %#llx ECAP %#llx; %s, invalidation by %s", unit->name,
        (unsigned)VTD_GET(VER_MAX, capability->version),
        (unsigned)VTD_GET(VER_MIN, capability->version), (unsigned long long)unit->desc->base,
        (unsigned long long)capability->cap, (unsigned long long)capability->ecap,
        unit->started ? "translating" : "not started", vtd->use_queue ? "queue" : "registers");
    emit(arg, line);
    (void)format_text(line, sizeof(line),
                      "  %u-bit IOVA, %u-bit physical, %u domains, %u fault records at %#x, "
                      "%llu faults, %llu queue errors",
                      unit->caps.iova_bits, unit->caps.phys_bits, (unsigned)unit->caps.domains,
                      capability->fault_count, (unsigned)capability->fault_offset,
                      (unsigned long long)vtd->faults_seen, (unsigned long long)vtd->queue.errors);
    emit(arg, line);
    if (unit->caps.interrupt_entries > 0) {
        (void)format_text(line, sizeof(line), "  interrupts remapped, %s: %u of %u entries used",
                          unit->sluice->x2apic ? "x2APIC" : "xAPIC",
                          (unsigned)vtd->interrupts.index.used,
                          (unsigned)unit->caps.interrupt_entries);
        emit(arg, line);
    }
    describe_fields(emit, arg, "CAP", capability->cap);
    describe_fields(emit, arg, "ECAP", capability->ecap);
}
