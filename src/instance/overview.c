// SPDX-License-Identifier: MIT
/*
 * The whole picture, gathered.
 */
#include "instance/overview.h"

#include "dma/dma.h"
#include "fault/fault.h"

enum sluice_device_state overview_state_of(struct sluice_device *device, uint64_t *out_faults)
{
    struct sluice_device_health health;

    fault_health_locked(device, &health);
    *out_faults = health.fault_count;
    return health.state;
}

static void gather_groups(struct sluice *sluice, struct sluice_overview *out)
{
    const struct group_map *map = group_map_locked(sluice);

    for (uint32_t i = 0; map != NULL && i < map->group_count; i++) {
        out->groups++;
        out->shared_groups += map->functions[map->groups[i]].devices > 1;
    }
}

static void gather_devices(struct sluice *sluice, struct sluice_overview *out)
{
    list_for_each(node, &sluice->devices)
    {
        struct sluice_device *device = container_of(node, struct sluice_device, node);
        uint64_t faults;
        enum sluice_device_state state = overview_state_of(device, &faults);

        out->devices++;
        out->attached += device->domain != NULL;
        out->untrusted += device->untrusted;
        out->troubled += state == SLUICE_DEVICE_DEGRADED && faults != 0;
        out->quarantined += state == SLUICE_DEVICE_QUARANTINED;
        out->silenced += flood_is_silenced(device, NULL);
    }
}

static void gather_domains(struct sluice *sluice, struct sluice_overview *out)
{
    list_for_each(node, &sluice->domains)
    {
        struct sluice_domain *domain = container_of(node, struct sluice_domain, node);
        struct sluice_dma_domain_info dma;
        struct sluice_domain_info info;

        sluice_domain_info(domain, &info);
        out->domains += !domain->internal;
        out->table_bytes += info.table_bytes;
        out->history_bytes += info.history_bytes;
        if (dma_domain_info_locked(domain, &dma) != SLUICE_OK)
            continue;
        out->mappings += dma.usage.live;
        out->mapped_bytes += dma.usage.bytes;
        out->strict_flushes += dma.strict_flushes;
        out->lazy_flushes += dma.lazy_flushes;
        out->queued += dma.queued;
    }
}

void overview_gather_locked(struct sluice *sluice, struct sluice_overview *out)
{
    out->withheld_pages = atomic_load_explicit(&sluice->withheld_pages, memory_order_relaxed);
    out->level = sluice->level;
    if (!instance_is_listed(sluice))
        return;
    list_for_each(node, &sluice->units)
    {
        struct unit *unit = container_of(node, struct unit, node);

        out->units += unit->started;
        unit_latency_add(unit, &out->invalidations);
        out->degraded += atomic_load_explicit(&unit->degraded, memory_order_relaxed) != 0;
    }
    out->enabled = sluice->state == INSTANCE_STARTED;
    overview_gather_selftests_locked(sluice, out);
    gather_groups(sluice, out);
    gather_devices(sluice, out);
    gather_domains(sluice, out);
}

void overview_gather(struct sluice *sluice, struct sluice_overview *out)
{
    sluice_fault_counts(sluice, &out->faults);
    sluice_interrupt_info(sluice, &out->interrupts);
    sluice_dma_bounce_info(sluice, &out->bounce);
}

enum sluice_status sluice_overview(struct sluice *sluice, struct sluice_overview *out)
{
    sluice_irqstate_t irq;

    if (sluice == NULL || out == NULL)
        return SLUICE_ERR_INVALID;
    *out = (struct sluice_overview){0};
    overview_gather(sluice, out);
    irq = sluice_spin_lock(&sluice->lock);
    overview_gather_locked(sluice, out);
    sluice_spin_unlock(&sluice->lock, irq);
    return SLUICE_OK;
}
