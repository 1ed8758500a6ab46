// SPDX-License-Identifier: MIT
/*
 * What there is, for people and for programs: units, devices, domains.
 */
#include "dma/dma.h"
#include "instance/overview.h"

#define LINE_BYTES 320u

/* Each holds a line on the stack; inlined into one they would be over the limit. */
#define APART static __attribute__((noinline)) void

/** Why nothing is listed. */
static const char *unlisted_text(enum instance_state state)
{
    if (state == INSTANCE_DISABLED)
        return "protection level disabled: devices reach all of memory";
    return state == INSTANCE_CHANGING ? "being started or stopped"
                                      : "not started: no device's DMA is confined";
}

APART report_latency(const struct unit *unit, sluice_emit *emit, void *arg)
{
    struct sluice_latency latency = {0};
    unsigned longest = SLUICE_LATENCY_BUCKETS - 1;
    char line[LINE_BYTES];

    unit_latency_add(unit, &latency);
    if (latency.count == 0)
        return;
    while (latency.buckets[longest] == 0)
        longest--;
    format_text(line, sizeof(line), "  %llu invalidations, %llu ns each, the longest %s %llu ns",
                (unsigned long long)latency.count,
                (unsigned long long)(latency.sum_ns / latency.count),
                longest + 1 < SLUICE_LATENCY_BUCKETS ? "at most" : "more than",
                1ull << (SLUICE_LATENCY_FIRST_LG2 + longest -
                         (longest + 1 < SLUICE_LATENCY_BUCKETS ? 0 : 1)));
    emit(arg, line);
}

APART report_units(struct sluice *sluice, sluice_emit *emit, void *arg)
{
    char line[LINE_BYTES];

    list_for_each(node, &sluice->units)
    {
        struct unit *unit = container_of(node, struct unit, node);
        bool degraded = atomic_load_explicit(&unit->degraded, memory_order_relaxed) != 0;

        format_text(
            line, sizeof(line), "%s: %s, segment %04x, registers at %#llx, %s%s", unit->name,
            unit->ops->driver, (unsigned)unit->desc->segment, (unsigned long long)unit->desc->base,
            unit->started ? "translation on" : "translation off", degraded ? ", DEGRADED" : "");
        emit(arg, line);
        unit->ops->describe(unit, emit, arg);
        overview_selftest_report_locked(unit, emit, arg);
        report_latency(unit, emit, arg);
    }
}

APART report_devices(struct sluice *sluice, sluice_emit *emit, void *arg)
{
    char line[LINE_BYTES];

    list_for_each(node, &sluice->devices)
    {
        struct sluice_device *device = container_of(node, struct sluice_device, node);
        uint64_t faults;
        enum sluice_device_state state = overview_state_of(device, &faults);

        format_text(line, sizeof(line), "%s '%s': %s, %s%s%s, %s%s, %llu faults", device->label,
                    device->name, device->unit->name,
                    device->domain != NULL ? "domain '" : "blocked",
                    device->domain != NULL ? device->domain->name : "",
                    device->domain != NULL ? "'" : "", overview_state_text(state),
                    device->untrusted ? ", untrusted" : "", (unsigned long long)faults);
        emit(arg, line);
    }
}

/** A group in a line, and who it has and why where it is not one device alone. */
APART report_group(const struct group_map *map, uint32_t leader, sluice_emit *emit, void *arg)
{
    struct sluice_group_reason reason;
    char line[LINE_BYTES], label[GROUP_LABEL_BYTES], text[GROUP_REASON_BYTES];
    bool alone = map->functions[leader].reasons == 0;

    group_label(&map->functions[leader], label);
    format_text(line, sizeof(line), "group %#llx: %s%s", (unsigned long long)group_id(map, leader),
                label, alone ? ", alone" : "");
    emit(arg, line);
    for (uint32_t i = 1; !alone && i < map->functions[leader].members; i++) {
        const struct group_function *member = &map->functions[group_member_at(map, leader, i)];

        group_label(member, label);
        format_text(line, sizeof(line), "  with %s%s", label,
                    member->is_bridge ? ", a bridge" : "");
        emit(arg, line);
    }
    for (unsigned i = 0; group_reason_at(map, leader, i, &reason); i++) {
        (void)sluice_group_reason_text(&reason, text, sizeof(text));
        format_text(line, sizeof(line), "  since %s", text);
        emit(arg, line);
    }
}

static void report_groups(struct sluice *sluice, sluice_emit *emit, void *arg)
{
    const struct group_map *map = group_map_locked(sluice);

    for (uint32_t i = 0; map != NULL && i < map->group_count; i++)
        report_group(map, map->groups[i], emit, arg);
}

APART report_domains(struct sluice *sluice, sluice_emit *emit, void *arg)
{
    char line[LINE_BYTES];

    list_for_each(node, &sluice->domains)
    {
        struct sluice_domain *domain = container_of(node, struct sluice_domain, node);
        struct sluice_dma_domain_info dma;
        struct sluice_domain_info info;

        sluice_domain_info(domain, &info);
        format_text(line, sizeof(line), "domain '%s': %s%s, %u devices, %llu KiB of tables",
                    domain->name, domain_kind_text(domain->kind),
                    domain->internal ? " (the library's)" : "", info.device_count,
                    (unsigned long long)(info.table_bytes / 1024));
        emit(arg, line);
        if (dma_domain_info_locked(domain, &dma) != SLUICE_OK)
            continue;
        format_text(line, sizeof(line),
                    "  %llu mappings of %llu bytes, %s, %llu strict and %llu lazy invalidations",
                    (unsigned long long)dma.usage.live, (unsigned long long)dma.usage.bytes,
                    dma.lazy ? "lazy" : "strict", (unsigned long long)dma.strict_flushes,
                    (unsigned long long)dma.lazy_flushes);
        emit(arg, line);
    }
}

/** What holds for all of it. */
APART report_instance(struct sluice *sluice, const struct sluice_fault_counts *faults,
                      sluice_emit *emit, void *arg)
{
    char line[LINE_BYTES];

    format_text(line, sizeof(line), "protection level %s, interrupts %s%s",
                sluice_protection_text(sluice->level), messages_text(sluice),
                sluice->state == INSTANCE_STARTED        ? ""
                : sluice->state == INSTANCE_SUSPENDED    ? ", suspended"
                : sluice->state == INSTANCE_HALF_RESUMED ? ", not all awake"
                                                         : ", STOPPED BY HALF");
    emit(arg, line);
    format_text(line, sizeof(line), "%llu faults, %llu devices cut off, %llu brought back",
                (unsigned long long)faults->faults, (unsigned long long)faults->quarantines,
                (unsigned long long)faults->recoveries);
    emit(arg, line);
}

void sluice_report(struct sluice *sluice, sluice_emit *emit, void *arg)
{
    char line[LINE_BYTES];
    struct sluice_fault_counts faults;
    uint64_t withheld;
    sluice_irqstate_t irq;

    if (sluice == NULL || emit == NULL)
        return;
    sluice_fault_counts(sluice, &faults);
    irq = sluice_spin_lock(&sluice->lock);
    if (instance_is_listed(sluice)) {
        report_instance(sluice, &faults, emit, arg);
        report_units(sluice, emit, arg);
        report_devices(sluice, emit, arg);
        report_groups(sluice, emit, arg);
        report_domains(sluice, emit, arg);
    } else {
        emit(arg, unlisted_text(sluice->state));
    }
    withheld = atomic_load_explicit(&sluice->withheld_pages, memory_order_relaxed);
    if (withheld != 0) {
        format_text(line, sizeof(line),
                    "%llu pages are withheld: a unit never confirmed that it let go of them",
                    (unsigned long long)withheld);
        emit(arg, line);
    }
    sluice_spin_unlock(&sluice->lock, irq);
}

unsigned sluice_unit_count(struct sluice *sluice)
{
    unsigned count = 0;
    sluice_irqstate_t irq;

    if (sluice == NULL)
        return 0;
    irq = sluice_spin_lock(&sluice->lock);
    if (instance_is_listed(sluice)) {
        list_for_each(node, &sluice->units) count++;
    }
    sluice_spin_unlock(&sluice->lock, irq);
    return count;
}

static void fill_info(struct sluice *sluice, const struct unit *unit, struct sluice_unit_info *out)
{
    *out = (struct sluice_unit_info){
        .name = unit->name,
        .driver = unit->ops->driver,
        .segment = unit->desc->segment,
        .base = unit->desc->base,
        .iova_bits = unit->caps.iova_bits,
        .phys_bits = unit->caps.phys_bits,
        .page_sizes = unit->caps.page_sizes,
        .coherent = unit->caps.coherent,
        .pass_through = unit->caps.pass_through,
        .queued = unit->caps.queued,
        .started = unit->started,
        .degraded = atomic_load_explicit(&unit->degraded, memory_order_relaxed) != 0,
        .withheld_pages = atomic_load_explicit(&sluice->withheld_pages, memory_order_relaxed),
    };
    unit_latency_add(unit, &out->invalidations);
}

enum sluice_status sluice_unit_info(struct sluice *sluice, unsigned index,
                                    struct sluice_unit_info *out)
{
    enum sluice_status status = SLUICE_ERR_NOT_FOUND;
    sluice_irqstate_t irq;

    if (sluice == NULL || out == NULL)
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    if (instance_is_listed(sluice)) {
        list_for_each(node, &sluice->units)
        {
            if (index-- == 0) {
                fill_info(sluice, container_of(node, struct unit, node), out);
                status = SLUICE_OK;
                break;
            }
        }
    }
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}
