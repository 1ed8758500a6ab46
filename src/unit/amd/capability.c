// SPDX-License-Identifier: MIT
/*
 * What a unit can do: its capability block in PCI configuration space [AMD 3.2], the extended
 * feature register [AMD 3.4], and what IVRS says where those cannot be had. Hardware wins over the
 * table, and a difference is logged.
 */
#include "unit/amd/amdvi.h"
#include "unit/amd/irte.h"

#include "pci/pci.h"

#define CAP_ID            0x0fu /**< secure device; TYPE 3 makes it an IOMMU */
#define CAP_TYPE_IOMMU    3u
#define PHYS_BITS_MAX     52u /**< that an entry can hold [AMD 2.2.3] */
#define IOVA_BITS_DEFAULT 48u /**< where nobody says how wide addresses are */
#define HATS_LEVELS_LEAST 4u
#define HATS_NONE         3u

/* The capability block's first word, or 0 when there is no such block to be read. */
static uint32_t read_header(struct amdvi *amdvi)
{
    struct sluice *sluice = amdvi->unit.sluice;
    const struct platform_ivhd *ivhd = &amdvi->unit.desc->ivhd;
    uint32_t header;

    if (sluice->ops->pci_read == NULL || ivhd->capability < 0x40 || ivhd->capability > 0xfc)
        return 0;
    header = pci_read(sluice, amdvi->unit.desc->segment, ivhd->rid, ivhd->capability, 4);
    if (header == UINT32_MAX || (header & 0xffu) != CAP_ID ||
        AMDVI_GET(CAP_TYPE, header) != CAP_TYPE_IOMMU)
        return 0;
    return header;
}

/* EFR exists where the block says so; without the block, where the table has an image of it. */
static enum sluice_status read_efr(struct amdvi *amdvi)
{
    struct amdvi_capability *capability = &amdvi->capability;
    const struct platform_ivhd *ivhd = &amdvi->unit.desc->ivhd;
    struct sluice *sluice = amdvi->unit.sluice;
    bool there =
        capability->header != 0 ? AMDVI_GET(CAP_EFRSUP, capability->header) != 0 : ivhd->has_efr;

    if (!there)
        return SLUICE_OK;
    capability->efr = amdvi_read(amdvi, AMDVI_REG_EFR);
    capability->efr2 = ivhd->efr2;
    if (capability->efr == UINT64_MAX) {
        log_error(sluice, "%s: registers read all ones: no unit there, or it is switched off",
                  amdvi->unit.name);
        return SLUICE_ERR_HARDWARE;
    }
    if (ivhd->has_efr && ivhd->efr != capability->efr)
        log_warning(
            sluice, "%s: IVRS says features %#llx, the unit says %#llx: the unit is believed",
            amdvi->unit.name, (unsigned long long)ivhd->efr, (unsigned long long)capability->efr);
    return SLUICE_OK;
}

static enum sluice_status decode_width(struct amdvi *amdvi)
{
    struct amdvi_capability *capability = &amdvi->capability;
    unsigned hats = (unsigned)AMDVI_GET(EFR_HATS, capability->efr);
    unsigned said = amdvi->unit.desc->ivhd.virt_bits;
    unsigned host_bits = amdvi->unit.sluice->platform.host_address_bits;
    unsigned reach;

    if (hats == HATS_NONE) {
        log_error(amdvi->unit.sluice, "%s: EFR.HATS 3: no host translation", amdvi->unit.name);
        return SLUICE_ERR_UNSUPPORTED;
    }
    /* Without EFR the level is not told: four are what every unit has. */
    capability->levels_max = HATS_LEVELS_LEAST + hats;
    if (capability->levels_max > AMDVI_TABLE_LEVELS_MAX)
        capability->levels_max = AMDVI_TABLE_LEVELS_MAX;
    reach = SLUICE_PAGE_LG2 + 9 * capability->levels_max;
    capability->iova_bits = said != 0 ? said : IOVA_BITS_DEFAULT;
    if (capability->iova_bits > reach)
        capability->iova_bits = reach;
    capability->phys_bits = host_bits != 0 && host_bits < PHYS_BITS_MAX ? host_bits : PHYS_BITS_MAX;
    return SLUICE_OK;
}

/*
 * Every unit has interrupt tables, with entries of 32 bits. Wide ones are used only where the CPU
 * can store one at once: an entry is never taken away to be changed.
 */
static void decode_interrupts(struct amdvi_capability *capability)
{
    capability->wide_interrupts =
        SLUICE_HAVE_STORE128 && AMDVI_GET(EFR_GASUP, capability->efr) != 0;
    capability->interrupts_max_lg2 = AMDVI_GET(EFR2_NUMINT, capability->efr2) == 1
                                         ? AMDVI_INTERRUPTS_MANY_LG2
                                         : AMDVI_INTERRUPTS_LG2;
}

enum sluice_status amdvi_capability_read(struct amdvi *amdvi)
{
    struct amdvi_capability *capability = &amdvi->capability;
    const struct platform_ivhd *ivhd = &amdvi->unit.desc->ivhd;
    enum sluice_status status;

    *capability = (struct amdvi_capability){.header = read_header(amdvi)};
    if (amdvi_read(amdvi, AMDVI_REG_CONTROL) == UINT64_MAX &&
        amdvi_read(amdvi, AMDVI_REG_STATUS) == UINT64_MAX) {
        log_error(amdvi->unit.sluice,
                  "%s: registers read all ones: no unit there, or it is switched off",
                  amdvi->unit.name);
        return SLUICE_ERR_HARDWARE;
    }
    status = read_efr(amdvi);
    if (status == SLUICE_OK)
        status = decode_width(amdvi);
    if (status != SLUICE_OK)
        return status;
    /* Without the block: it may cache what is not present, which costs flushes and no safety. */
    capability->np_cache =
        capability->header == 0 || AMDVI_GET(CAP_NPCACHE, capability->header) != 0;
    capability->device_tlb = capability->header != 0
                                 ? AMDVI_GET(CAP_IOTLBSUP, capability->header) != 0
                                 : (ivhd->flags & PLATFORM_IVHD_IOTLB) != 0;
    capability->invalidate_all = AMDVI_GET(EFR_IASUP, capability->efr) != 0;
    decode_interrupts(capability);
    amdvi->errata = amdvi_errata_find(amdvi);
    capability->domain_count =
        (amdvi->errata & AMDVI_ERRATUM_FEW_DOMAINS) != 0 ? 0x100u : AMDVI_DOMAINS;
    return SLUICE_OK;
}

void amdvi_capability_publish(struct amdvi *amdvi)
{
    const struct amdvi_capability *capability = &amdvi->capability;

    amdvi->unit.caps = (struct unit_caps){
        .iova_bits = capability->iova_bits,
        .phys_bits = capability->phys_bits,
        .page_sizes = (1ull << 12) | (1ull << 21) | (1ull << 30),
        .domains = capability->domain_count - 1, /* 0 is not given out */
        .coherent = true, /* CONTROL.COHERENT and DTE.SD: everything is read with snooping */
        .snoop_control = true,
        .pass_through = true,
        .queued = true,
        .ats = capability->device_tlb,
        .flush_on_map = capability->np_cache,
        .interrupt_entries = (uint32_t)1 << capability->interrupts_max_lg2,
        .x2apic = capability->wide_interrupts && AMDVI_GET(EFR_XTSUP, capability->efr) != 0,
        .interrupt_first = 0xfee00000u, /* [AMD 2.1.4] */
        .interrupt_last = 0xfeefffffu,
        /* HyperTransport's own: interrupts, system management, port and configuration space. */
        .special_first = 0xfd00000000u,
        .special_last = 0xffffffffffu,
    };
}

static bool same_word(const char *left, const char *right)
{
    while (*left != '\0' && *left == *right) {
        left++;
        right++;
    }
    return *left == *right;
}

static void describe_interrupts(struct amdvi *amdvi, sluice_emit *emit, void *arg)
{
    struct sluice_interrupt_info info = {0};
    char line[160];

    if (!amdvi->unit.sluice->remaps_interrupts)
        return;
    amdvi_interrupt_count(&amdvi->unit, &info);
    (void)format_text(line, sizeof(line),
                      "  interrupts remapped, %s: %u of %u entries used, of %u bits",
                      amdvi->unit.sluice->x2apic ? "x2APIC" : "xAPIC", (unsigned)info.used,
                      (unsigned)info.entries, amdvi->capability.wide_interrupts ? 128u : 32u);
    emit(arg, line);
}

static void describe_fields(sluice_emit *emit, void *arg, const char *where, uint64_t value)
{
    char line[160];

    for (size_t i = 0; i < amdvi_field_count; i++) {
        const struct unit_field *field = &amdvi_fields[i];
        uint64_t bits = (value & UNIT_BITS(field->high, field->low)) >> field->low;

        if (bits == 0 || !same_word(field->where, where))
            continue;
        (void)format_text(line, sizeof(line), "  %s.%s %#llx: %s", where, field->name,
                          (unsigned long long)bits, field->text);
        emit(arg, line);
    }
}

void amdvi_describe(struct unit *unit, sluice_emit *emit, void *arg)
{
    struct amdvi *amdvi = amdvi_of(unit);
    const struct amdvi_capability *capability = &amdvi->capability;
    char line[200];

    (void)format_text(
        line, sizeof(line), "%s: AMD-Vi at %#llx, function " LOG_RID ": EFR %#llx; %s", unit->name,
        (unsigned long long)unit->desc->base,
        LOG_RID_ARGS(unit->desc->segment, unit->desc->ivhd.rid),
        (unsigned long long)capability->efr, unit->started ? "translating" : "not started");
    emit(arg, line);
    (void)format_text(line, sizeof(line),
                      "  %u-bit IOVA, %u-bit physical, %u domains, %s, %llu events, %llu command "
                      "errors",
                      unit->caps.iova_bits, unit->caps.phys_bits, (unsigned)unit->caps.domains,
                      capability->np_cache ? "caches what is not present"
                                           : "caches what is present",
                      (unsigned long long)amdvi->log.seen, (unsigned long long)amdvi->ring.errors);
    emit(arg, line);
    if (amdvi_requests_there(amdvi)) {
        (void)format_text(line, sizeof(line),
                          "  page requests %s, %llu refused, their log was full %llu times",
                          amdvi->requests.on ? "logged and refused" : "refused by the unit",
                          (unsigned long long)amdvi->requests.seen,
                          (unsigned long long)amdvi->requests.overflows);
        emit(arg, line);
    }
    describe_interrupts(amdvi, emit, arg);
    describe_fields(emit, arg, "CAP", capability->header);
    describe_fields(emit, arg, "EFR", capability->efr);
    describe_fields(emit, arg, "EFR2", capability->efr2);
}
