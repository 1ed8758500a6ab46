// SPDX-License-Identifier: MIT
/*
 * What a unit can do [SMMU 6.3.1 to 6.3.8]: checked, decoded, reported.
 */
#include "unit/smmu3/smmu3.h"

#define TTF_AARCH64      2u
#define TTENDIAN_BIG     3u
#define OAS_CODE_48      5u
#define IOVA_BITS_STAGE1 48u
#define SSID_BITS_MAX    20u /**< of a PASID */
#define SSID_LINEAR_MAX  10u /**< with tables of one level: 64 KiB a stream */

static enum sluice_status unsupported(struct smmu3 *smmu3, const char *what)
{
    log_error(smmu3->unit.sluice, "%s: IDR0 %#x IDR1 %#x IDR5 %#x: %s", smmu3->unit.name,
              (unsigned)smmu3->capability.idr0, (unsigned)smmu3->capability.idr1,
              (unsigned)smmu3->capability.idr5, what);
    return SLUICE_ERR_UNSUPPORTED;
}

/* Stream IDs that the table is made for: more would be refused by the unit, which is safe. */
static enum sluice_status decode_streams(struct smmu3 *smmu3)
{
    struct smmu3_capability *capability = &smmu3->capability;
    unsigned bits = (unsigned)SMMU3_GET(IDR1_SIDSIZE, capability->idr1);

    if (bits > 32)
        return unsupported(smmu3, "stream IDs of more than 32 bits");
    capability->two_level = SMMU3_GET(IDR0_ST_LEVEL, capability->idr0) != 0 && bits > SMMU3_SPLIT;
    capability->sid_bits =
        capability->two_level ? SMMU3_L1_LG2_MAX + SMMU3_SPLIT : SMMU3_LINEAR_MAX;
    if (bits < capability->sid_bits)
        capability->sid_bits = bits;
    if (bits > capability->sid_bits)
        log_info(smmu3->unit.sluice, "%s: %u of %u stream ID bits are used", smmu3->unit.name,
                 capability->sid_bits, bits);
    return SLUICE_OK;
}

/* Substreams, and what the unit may write into tables. */
static void decode_contexts(struct smmu3 *smmu3)
{
    struct smmu3_capability *capability = &smmu3->capability;
    bool two = SMMU3_GET(IDR0_CD2L, capability->idr0) != 0;
    unsigned most = two ? SSID_BITS_MAX : SSID_LINEAR_MAX;
    unsigned bits = (unsigned)SMMU3_GET(IDR1_SSIDSIZE, capability->idr1);

    if (SMMU3_GET(IDR0_S1P, capability->idr0) == 0)
        bits = 0;
    if (bits > most)
        log_info(smmu3->unit.sluice, "%s: %u of %u substream ID bits are used", smmu3->unit.name,
                 most, bits);
    capability->ssid_bits = bits < most ? bits : most;
    /* 3 is more than 2. What does not snoop would write past our caches. */
    capability->httu = (unsigned)SMMU3_GET(IDR0_HTTU, capability->idr0);
    if (capability->httu > 2)
        capability->httu = 2;
    if (SMMU3_GET(IDR0_COHACC, capability->idr0) == 0)
        capability->httu = 0;
}

static enum sluice_status decode_queues(struct smmu3 *smmu3)
{
    struct smmu3_capability *capability = &smmu3->capability;

    if (SMMU3_GET(IDR1_QUEUES_PRESET, capability->idr1) != 0 ||
        SMMU3_GET(IDR1_TABLES_PRESET, capability->idr1) != 0)
        return unsupported(smmu3, "queues or tables are where hardware put them");
    if (SMMU3_GET(IDR1_CMDQS, capability->idr1) < SMMU3_RING_LG2)
        return unsupported(smmu3, "a command queue of fewer than 256 entries");
    capability->event_lg2 = (unsigned)SMMU3_GET(IDR1_EVENTQS, capability->idr1);
    if (capability->event_lg2 > SMMU3_EVENT_LG2_MAX)
        capability->event_lg2 = SMMU3_EVENT_LG2_MAX;
    capability->pri_lg2 = (unsigned)SMMU3_GET(IDR1_PRIQS, capability->idr1);
    if (capability->pri_lg2 > SMMU3_PRI_LG2_MAX)
        capability->pri_lg2 = SMMU3_PRI_LG2_MAX;
    return SLUICE_OK;
}

static bool has_pages(const struct smmu3_capability *capability, unsigned lg2)
{
    return (lg2 == 12 && SMMU3_GET(IDR5_GRAN4K, capability->idr5) != 0) ||
           (lg2 == 14 && SMMU3_GET(IDR5_GRAN16K, capability->idr5) != 0) ||
           (lg2 == 16 && SMMU3_GET(IDR5_GRAN64K, capability->idr5) != 0);
}

/* The pages that the instance wants, or the smallest there are; one kind there is. */
static unsigned choose_pages(const struct smmu3 *smmu3)
{
    unsigned wanted = smmu3->unit.sluice->config.page_lg2;
    unsigned lg2 = 12;

    if (has_pages(&smmu3->capability, wanted))
        return wanted;
    while (lg2 < 16 && !has_pages(&smmu3->capability, lg2))
        lg2 += 2;
    return lg2;
}

static enum sluice_status decode_tables(struct smmu3 *smmu3)
{
    static const uint8_t oas_bits[] = {32, 36, 40, 42, 44, 48, 48};
    struct smmu3_capability *capability = &smmu3->capability;
    uint32_t idr0 = capability->idr0;
    unsigned oas = (unsigned)SMMU3_GET(IDR5_OAS, capability->idr5);
    bool stage1 = SMMU3_GET(IDR0_S1P, idr0) != 0;
    bool stage2 = SMMU3_GET(IDR0_S2P, idr0) != 0;

    if ((SMMU3_GET(IDR0_TTF, idr0) & TTF_AARCH64) == 0)
        return unsupported(smmu3, "no 64-bit tables");
    if (SMMU3_GET(IDR0_TTENDIAN, idr0) == TTENDIAN_BIG)
        return unsupported(smmu3, "big-endian tables only");
    if (!stage1 && !stage2)
        return unsupported(smmu3, "no translation");
    if (oas >= sizeof(oas_bits))
        return unsupported(smmu3, "an unknown width of addresses");
    if (SMMU3_GET(IDR5_GRAN4K, capability->idr5) == 0 &&
        SMMU3_GET(IDR5_GRAN16K, capability->idr5) == 0 &&
        SMMU3_GET(IDR5_GRAN64K, capability->idr5) == 0)
        return unsupported(smmu3, "no page size");
    capability->page_lg2 = choose_pages(smmu3);
    capability->oas_bits = oas_bits[oas];
    capability->oas_code = oas < OAS_CODE_48 ? oas : OAS_CODE_48;
    /* IDs are given out for both stages from one set. */
    capability->tag_count = 0x10000;
    if ((stage1 && SMMU3_GET(IDR0_ASID16, idr0) == 0) ||
        (stage2 && SMMU3_GET(IDR0_VMID16, idr0) == 0))
        capability->tag_count = 0x100;
    return SLUICE_OK;
}

enum sluice_status smmu3_capability_read(struct smmu3 *smmu3)
{
    struct smmu3_capability *capability = &smmu3->capability;
    enum sluice_status status;

    *capability = (struct smmu3_capability){
        .idr0 = smmu3_read32(smmu3, SMMU3_REG_IDR0),
        .idr1 = smmu3_read32(smmu3, SMMU3_REG_IDR1),
        .idr3 = smmu3_read32(smmu3, SMMU3_REG_IDR3),
        .idr5 = smmu3_read32(smmu3, SMMU3_REG_IDR5),
        .iidr = smmu3_read32(smmu3, SMMU3_REG_IIDR),
        .aidr = smmu3_read32(smmu3, SMMU3_REG_AIDR),
    };
    if (capability->idr0 == UINT32_MAX && capability->idr1 == UINT32_MAX) {
        log_error(smmu3->unit.sluice,
                  "%s: registers read all ones: no unit there, or it is switched off",
                  smmu3->unit.name);
        return SLUICE_ERR_HARDWARE;
    }
    status = decode_streams(smmu3);
    if (status == SLUICE_OK)
        status = decode_queues(smmu3);
    if (status == SLUICE_OK)
        status = decode_tables(smmu3);
    if (status == SLUICE_OK && SMMU3_GET(IDR0_COHACC, capability->idr0) == 0) {
        if (smmu3->unit.sluice->ops->cache_clean == NULL)
            return unsupported(smmu3, "does not snoop, and the host cannot clean caches");
        if (smmu3->unit.sluice->ops->cache_invalidate == NULL)
            return unsupported(smmu3, "does not snoop, and the host cannot invalidate caches");
    }
    decode_contexts(smmu3);
    smmu3->errata = smmu3_errata_find(smmu3);
    return status;
}

static uint64_t page_sizes(unsigned lg2)
{
    return lg2 == 12   ? (1ull << 12) | (1ull << 21) | (1ull << 30)
           : lg2 == 14 ? (1ull << 14) | (1ull << 25)
                       : (1ull << 16) | (1ull << 29);
}

void smmu3_capability_publish(struct smmu3 *smmu3)
{
    const struct smmu3_capability *capability = &smmu3->capability;
    bool stage1 = SMMU3_GET(IDR0_S1P, capability->idr0) != 0;
    unsigned host_bits = smmu3->unit.sluice->platform.host_address_bits;
    unsigned phys_bits = capability->oas_bits;
    if (host_bits != 0 && host_bits < phys_bits)
        phys_bits = host_bits;
    smmu3->unit.caps = (struct unit_caps){
        .iova_bits = stage1 ? IOVA_BITS_STAGE1 : capability->oas_bits,
        .phys_bits = phys_bits,
        .page_sizes = page_sizes(capability->page_lg2),
        .domains = capability->tag_count - 1, /* 0 is not given out */
        .coherent = SMMU3_GET(IDR0_COHACC, capability->idr0) != 0,
        .pass_through = true,
        .queued = true,
        /* With ATS, faults may not stall [SMMU 5.2], and this unit cannot do otherwise. */
        .ats = SMMU3_GET(IDR0_ATS, capability->idr0) != 0 &&
               SMMU3_GET(IDR0_STALL_MODEL, capability->idr0) != 2,
        .pasid_bits = capability->ssid_bits,
        .nested = stage1 && SMMU3_GET(IDR0_S2P, capability->idr0) != 0 ? SLUICE_NESTED_SMMU_V3
                                                                       : SLUICE_NESTED_NONE,
        /* What is not valid is never cached [SMMU 16.2], and there is no window for messages
         * [SMMU 3.18]. */
        .translates_messages = true,
    };
}

static void describe_fields(sluice_emit *emit, void *arg, const char *where, uint64_t value)
{
    char line[160];

    for (size_t i = 0; i < smmu3_field_count; i++) {
        const struct unit_field *field = &smmu3_fields[i];
        uint64_t bits = (value & UNIT_BITS(field->high, field->low)) >> field->low;

        if (bits == 0 || field->where[0] != where[0] || field->where[1] != where[1] ||
            field->where[3] != where[3])
            continue;
        (void)format_text(line, sizeof(line), "  %s.%s %#llx: %s", where, field->name,
                          (unsigned long long)bits, field->text);
        emit(arg, line);
    }
}

void smmu3_describe(struct unit *unit, sluice_emit *emit, void *arg)
{
    struct smmu3 *smmu3 = smmu3_of(unit);
    const struct smmu3_capability *capability = &smmu3->capability;
    char line[200];

    (void)format_text(line, sizeof(line),
                      "%s: SMMUv3.%u at %#llx: IDR0 %#x IDR1 %#x IDR3 %#x IDR5 %#x IIDR %#x; %s",
                      unit->name, (unsigned)(capability->aidr & 0xf),
                      (unsigned long long)unit->desc->base, (unsigned)capability->idr0,
                      (unsigned)capability->idr1, (unsigned)capability->idr3,
                      (unsigned)capability->idr5, (unsigned)capability->iidr,
                      unit->started ? "translating" : "not started");
    emit(arg, line);
    (void)format_text(line, sizeof(line),
                      "  %u-bit IOVA, %u-bit physical, %u domains, %u stream ID bits in %s, "
                      "%u substream ID bits, %llu events, %llu page requests, %llu command errors",
                      unit->caps.iova_bits, unit->caps.phys_bits, (unsigned)unit->caps.domains,
                      capability->sid_bits, capability->two_level ? "two levels" : "one level",
                      capability->ssid_bits, (unsigned long long)smmu3->events.seen,
                      (unsigned long long)smmu3->requests.seen,
                      (unsigned long long)smmu3->ring.errors);
    emit(arg, line);
    describe_fields(emit, arg, "IDR0", capability->idr0);
    describe_fields(emit, arg, "IDR1", capability->idr1);
    describe_fields(emit, arg, "IDR3", capability->idr3);
    describe_fields(emit, arg, "IDR5", capability->idr5);
}
