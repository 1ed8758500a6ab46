// SPDX-License-Identifier: MIT
/*
 * What there is, for people and for programs: units, devices, domains.
 */
#include "instance/overview.h"

#define LINE_BYTES 160u

/** Why nothing is listed. */
static const char *unlisted_text(enum instance_state state)
{
    if (state == INSTANCE_DISABLED)
        return "protection level disabled: devices reach all of memory";
    return state == INSTANCE_CHANGING ? "being started or stopped"
                                      : "not started: no device's DMA is confined";
}

static void report_units(struct sluice *sluice, sluice_emit *emit, void *arg)
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
    }
}

static void report_devices(struct sluice *sluice, sluice_emit *emit, void *arg)
{
    char line[LINE_BYTES];

    list_for_each(node, &sluice->devices)
    {
        const struct sluice_device *device = container_of(node, struct sluice_device, node);

        format_text(line, sizeof(line), "%s '%s': %s, %s%s%s", device->label, device->name,
                    device->unit->name, device->domain != NULL ? "domain '" : "blocked",
                    device->domain != NULL ? device->domain->name : "",
                    device->domain != NULL ? "'" : "");
        emit(arg, line);
    }
}

static const char *kind_text(enum sluice_domain_kind kind)
{
    static const char *const names[] = {
        [SLUICE_DOMAIN_DMA] = "DMA",           [SLUICE_DOMAIN_UNMANAGED] = "unmanaged",
        [SLUICE_DOMAIN_IDENTITY] = "identity", [SLUICE_DOMAIN_BLOCKING] = "blocking",
        [SLUICE_DOMAIN_NESTED] = "nested",
    };

    return names[kind];
}

static void report_domains(struct sluice *sluice, sluice_emit *emit, void *arg)
{
    char line[LINE_BYTES];

    list_for_each(node, &sluice->domains)
    {
        struct sluice_domain *domain = container_of(node, struct sluice_domain, node);
        struct sluice_domain_info info;

        sluice_domain_info(domain, &info);
        format_text(line, sizeof(line), "domain '%s': %s%s, %u devices, %llu KiB of tables",
                    domain->name, kind_text(domain->kind),
                    domain->internal ? " (the library's)" : "", info.device_count,
                    (unsigned long long)(info.table_bytes / 1024));
        emit(arg, line);
    }
}

void sluice_report(struct sluice *sluice, sluice_emit *emit, void *arg)
{
    char line[LINE_BYTES];
    uint64_t withheld;
    sluice_irqstate_t irq;

    if (sluice == NULL || emit == NULL)
        return;
    irq = sluice_spin_lock(&sluice->lock);
    if (instance_is_listed(sluice)) {
        report_units(sluice, emit, arg);
        report_devices(sluice, emit, arg);
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
