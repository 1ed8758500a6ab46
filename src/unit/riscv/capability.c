// SPDX-License-Identifier: MIT
/*
 * What a unit can do [RISC-V IOMMU 5.3]: checked, decoded, reported.
 */
#include "unit/riscv/riommu.h"

#include "core/doorbell.h"

#define VERSION_MAJOR   1u
#define PHYS_BITS_LEAST 32u
#define PHYS_BITS_MOST  56u /**< what an entry can hold */
#define PCI_DEVICE_BITS 16u

static enum sluice_status unsupported(struct riommu *riommu, const char *what)
{
    log_error(riommu->unit.sluice, "%s: CAPABILITIES %#llx: %s", riommu->unit.name,
              (unsigned long long)riommu->capability.cap, what);
    return SLUICE_ERR_UNSUPPORTED;
}

static unsigned bits_of(uint64_t value)
{
    unsigned bits = 0;

    while (bits < RIOMMU_DEVICE_BITS_MAX && value >> bits != 0)
        bits++;
    return bits;
}

/* The highest device ID that firmware tells of; requester IDs where it does not map them. */
static unsigned device_bits(const struct platform_unit *desc)
{
    uint64_t last = 0;

    if (!desc->maps_ids)
        return PCI_DEVICE_BITS;
    list_for_each(node, &desc->scopes)
    {
        const struct platform_scope *scope = container_of(node, struct platform_scope, node);
        uint64_t count = scope->kind == PLATFORM_SCOPE_PCI_RANGE
                             ? (uint64_t)scope->last_rid - scope->first_rid + 1
                             : scope->id_count;

        if (count != 0 && scope->first_id + (count - 1) > last)
            last = scope->first_id + (count - 1);
    }
    return bits_of(last);
}

static enum sluice_status check(struct riommu *riommu)
{
    const struct riommu_capability *capability = &riommu->capability;
    const uint64_t tables = RIOMMU_MASK(CAP_SV39) | RIOMMU_MASK(CAP_SV48) | RIOMMU_MASK(CAP_SV57) |
                            RIOMMU_MASK(CAP_SV39X4) | RIOMMU_MASK(CAP_SV48X4) |
                            RIOMMU_MASK(CAP_SV57X4);
    uint32_t fctl = riommu_read32(riommu, RIOMMU_REG_FCTL);

    if (RIOMMU_GET(CAP_VERSION, capability->cap) >> 4 != VERSION_MAJOR)
        return unsupported(riommu, "a version of the specification that is not known");
    if ((capability->cap & tables) == 0)
        return unsupported(riommu, "no 64-bit tables");
    if (capability->phys_bits < PHYS_BITS_LEAST)
        return unsupported(riommu, "an unknown width of addresses");
    if (!RIOMMU_HAS(riommu, END) && RIOMMU_GET(FCTL_BE, fctl) != RIOMMU_BIG_ENDIAN)
        return unsupported(riommu, "not this CPU's byte order");
    return SLUICE_OK;
}

enum sluice_status riommu_capability_read(struct riommu *riommu)
{
    struct riommu_capability *capability = &riommu->capability;
    const struct sluice_host_ops *ops = riommu->unit.sluice->ops;
    enum sluice_status status;

    capability->cap = riommu_read64(riommu, RIOMMU_REG_CAPABILITIES);
    if (capability->cap == UINT64_MAX) {
        log_error(riommu->unit.sluice,
                  "%s: registers read all ones: no unit there, or it is switched off",
                  riommu->unit.name);
        return SLUICE_ERR_HARDWARE;
    }
    capability->phys_bits = (unsigned)RIOMMU_GET(CAP_PAS, capability->cap);
    if (capability->phys_bits > PHYS_BITS_MOST)
        capability->phys_bits = PHYS_BITS_MOST;
    capability->extended = RIOMMU_HAS(riommu, MSI_FLAT);
    capability->device_bits = device_bits(riommu->unit.desc);
    status = check(riommu);
    if (status == SLUICE_OK && riommu->unit.desc->coherence == SLUICE_COHERENCE_NO) {
        if (ops->cache_clean == NULL)
            return unsupported(riommu, "does not snoop, and the host cannot clean caches");
        if (ops->cache_invalidate == NULL)
            return unsupported(riommu, "does not snoop, and the host cannot invalidate caches");
    }
    return status;
}

/* Of the widest tables there are; 0: none. */
static unsigned second_stage_bits(const struct riommu *riommu)
{
    if (RIOMMU_HAS(riommu, SV57X4))
        return 59;
    if (RIOMMU_HAS(riommu, SV48X4))
        return 50;
    return RIOMMU_HAS(riommu, SV39X4) ? 41 : 0;
}

static unsigned first_stage_bits(const struct riommu *riommu)
{
    if (RIOMMU_HAS(riommu, SV57))
        return 56;
    if (RIOMMU_HAS(riommu, SV48))
        return 47;
    return RIOMMU_HAS(riommu, SV39) ? 38 : 0;
}

/* The first stage is preferred. */
static unsigned iova_bits(const struct riommu *riommu)
{
    unsigned first = first_stage_bits(riommu);

    return riommu->remaps || first == 0 ? second_stage_bits(riommu) : first;
}

/* Why interrupts cannot be remapped; NULL, and where the window is: they can. */
static const char *remapping_obstacle(const struct riommu *riommu, sluice_phys_t *out_window)
{
    unsigned bits = second_stage_bits(riommu);
    sluice_phys_t first;
    sluice_phys_t last;

    if (!RIOMMU_HAS(riommu, MSI_FLAT))
        return "it has no MSI page tables (CAP.MSI_FLAT is 0)";
    if (bits == 0)
        return "MSI page tables go with a second stage, and it has none";
    if (!host_doorbell(riommu->unit.sluice, 0, &first, &last))
        return "the host names no interrupt files (doorbell_extent)";
    *out_window = first & ~((uint64_t)RIOMMU_MESSAGES * SLUICE_PAGE_BYTES - 1);
    if (*out_window >> bits != 0)
        return "the host's interrupt files are beyond its addresses";
    return NULL;
}

/* The obstacle is told whether it is asked for or not. */
static const char *decide_remapping(struct riommu *riommu)
{
    const char *obstacle = remapping_obstacle(riommu, &riommu->window);

    riommu->remaps =
        obstacle == NULL && riommu->unit.sluice->config.interrupts == SLUICE_INTERRUPTS_REMAPPED;
    return obstacle;
}

void riommu_capability_publish(struct riommu *riommu)
{
    unsigned host_bits = riommu->unit.sluice->platform.host_address_bits;
    unsigned phys_bits = riommu->capability.phys_bits;
    const char *obstacle = decide_remapping(riommu);

    if (host_bits != 0 && host_bits < phys_bits)
        phys_bits = host_bits;
    riommu->unit.caps = (struct unit_caps){
        .iova_bits = iova_bits(riommu),
        .phys_bits = phys_bits,
        .page_sizes = (1ull << 12) | (1ull << 21) | (1ull << 30),
        .domains = RIOMMU_TAG_COUNT - 1, /* 0 is not given out */
        /* No register tells; a platform whose units do not snoop says so. */
        .coherent = riommu->unit.desc->coherence != SLUICE_COHERENCE_NO,
        /* Without second stage there are no MSI page tables [RISC-V IOMMU 2.1.3.5]. */
        .pass_through = !riommu->remaps,
        .queued = true,
        .ats = RIOMMU_HAS(riommu, ATS),
        /* A second stage below them would be a guest's; see process.c. */
        .pasid_bits =
            !riommu->remaps && first_stage_bits(riommu) != 0 ? riommu_process_bits(riommu) : 0,
        .nested = first_stage_bits(riommu) != 0 && second_stage_bits(riommu) != 0
                      ? SLUICE_NESTED_RISCV
                      : SLUICE_NESTED_NONE,
        /* What is not valid is never cached [RISC-V IOMMU 2.8], and there is no window for
         * messages. */
        .translates_messages = !riommu->remaps,
        .interrupt_obstacle = obstacle,
        .interrupt_files = riommu->remaps,
    };
    if (!riommu->remaps)
        return;
    riommu->unit.caps.interrupt_entries = RIOMMU_MESSAGES;
    riommu->unit.caps.interrupt_first = riommu->window;
    riommu->unit.caps.interrupt_last =
        riommu->window + (uint64_t)RIOMMU_MESSAGES * SLUICE_PAGE_BYTES - 1;
}

static void describe_fields(sluice_emit *emit, void *arg, uint64_t cap)
{
    char line[160];

    for (size_t i = 0; i < riommu_field_count; i++) {
        const struct unit_field *field = &riommu_fields[i];
        uint64_t bits = (cap & UNIT_BITS(field->high, field->low)) >> field->low;

        if (bits == 0 || field->where[0] != 'C' || field->where[1] != 'A')
            continue;
        (void)format_text(line, sizeof(line), "  CAP.%s %#llx: %s", field->name,
                          (unsigned long long)bits, field->text);
        emit(arg, line);
    }
}

void riommu_describe(struct unit *unit, sluice_emit *emit, void *arg)
{
    struct riommu *riommu = riommu_of(unit);
    char line[200];

    (void)format_text(line, sizeof(line), "%s: RISC-V IOMMU at %#llx: CAPABILITIES %#llx; %s",
                      unit->name, (unsigned long long)riommu->base,
                      (unsigned long long)riommu->capability.cap,
                      unit->started ? "translating" : "not started");
    emit(arg, line);
    (void)format_text(
        line, sizeof(line),
        "  %u-bit IOVA, %u-bit physical, %u domains, %u levels of %u-byte contexts, "
        "%llu faults, %llu page requests, %llu command errors",
        unit->caps.iova_bits, unit->caps.phys_bits, (unsigned)unit->caps.domains, riommu->levels,
        riommu->capability.extended ? 64u : 32u, (unsigned long long)riommu->faults.seen,
        (unsigned long long)riommu->requests.seen, (unsigned long long)riommu->ring.errors);
    emit(arg, line);
    describe_fields(emit, arg, riommu->capability.cap);
}
