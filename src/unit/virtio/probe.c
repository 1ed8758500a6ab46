// SPDX-License-Identifier: MIT
/*
 * A unit's life: found, given its memory, released; and the table of operations.
 */
#include "unit/virtio/virtio.h"

/* viommu0, viommu1, ... in order of discovery. */
static void name_unit(struct sluice *sluice, struct viommu *viommu)
{
    unsigned number = 0;

    list_for_each(node, &sluice->units)
    {
        if (container_of(node, struct unit, node)->ops == &viommu_unit_ops)
            number++;
    }
    (void)format_text(viommu->unit.name, sizeof(viommu->unit.name), "%s%u", viommu_unit_ops.prefix,
                      number);
}

void viommu_give_back(struct viommu *viommu, struct sluice_pages *pages, unsigned order)
{
    struct sluice *sluice = viommu->unit.sluice;

    if (pages->virt == NULL)
        return;
    if (viommu->unit.exposed)
        atomic_fetch_add_explicit(&sluice->withheld_pages, (uint64_t)1 << order,
                                  memory_order_relaxed);
    else
        host_pages_free(sluice, *pages, order);
    pages->virt = NULL;
}

static void viommu_release(struct unit *unit)
{
    struct viommu *viommu = viommu_of(unit);
    struct sluice *sluice = unit->sluice;

    if (viommu->has_event)
        viommu_event_off(viommu, true);
    viommu_domains_free(viommu);
    viommu_endpoints_free(viommu);
    viommu_give_back(viommu, &viommu->queue.pages, VIOMMU_QUEUE_ORDER);
    viommu_give_back(viommu, &viommu->queue.slots, VIOMMU_SLOTS_ORDER);
    viommu_give_back(viommu, &viommu->queue.probe, viommu->queue.probe_order);
    viommu_give_back(viommu, &viommu->events.pages, VIOMMU_QUEUE_ORDER);
    viommu_give_back(viommu, &viommu->events.buffers, 0);
    unit_index_free(sluice, &viommu->ids);
    viommu->transport->close(viommu);
    host_free(sluice, viommu, sizeof(*viommu));
}

static bool host_can(struct viommu *viommu)
{
    const struct sluice_host_ops *ops = viommu->unit.sluice->ops;

    if (ops->mmio_read8 != NULL && ops->mmio_read16 != NULL && ops->mmio_write8 != NULL &&
        ops->mmio_write16 != NULL)
        return true;
    log_error(viommu->unit.sluice,
              "%s: the host has no register accesses of 8 and 16 bits, which its registers need",
              viommu->unit.name);
    return false;
}

static enum sluice_status allocate(struct viommu *viommu)
{
    if (!viommu_queue_allocate(viommu) || !viommu_events_allocate(viommu) ||
        !unit_index_init_tags(viommu->unit.sluice, &viommu->ids, viommu->unit.caps.domains + 1))
        return SLUICE_ERR_NO_MEMORY;
    viommu->block_id = viommu->capability.domain_first;
    return SLUICE_OK;
}

static enum sluice_status viommu_probe(struct sluice *sluice, const struct platform_unit *desc,
                                       struct unit **out)
{
    struct viommu *viommu = host_alloc(sluice, sizeof(*viommu));
    enum sluice_status status = SLUICE_ERR_UNSUPPORTED;

    if (viommu == NULL)
        return SLUICE_ERR_NO_MEMORY;
    viommu->unit.sluice = sluice;
    viommu->unit.ops = &viommu_unit_ops;
    viommu->unit.desc = desc;
    viommu->transport = desc->on_pci ? &viommu_transport_pci : &viommu_transport_mmio;
    viommu->touched = true; /* nothing to put back yet */
    list_init(&viommu->unit.node);
    list_init(&viommu->domains);
    list_init(&viommu->endpoints);
    name_unit(sluice, viommu);
    if (host_can(viommu))
        status = viommu->transport->open(viommu);
    if (status == SLUICE_OK)
        status = viommu_capability_read(viommu);
    if (status == SLUICE_OK) {
        viommu_capability_publish(viommu);
        status = allocate(viommu);
    }
    if (status != SLUICE_OK) {
        viommu_release(&viommu->unit);
        return status;
    }
    *out = &viommu->unit;
    return SLUICE_OK;
}

const struct unit_ops viommu_unit_ops = {
    .driver = "virtio-iommu",
    .prefix = "viommu",
    .kind = SLUICE_UNIT_VIRTIO,
    .probe = viommu_probe,
    .release = viommu_release,
    .start = viommu_start,
    .stop = viommu_stop,
    .revert = viommu_stop, /* the bypass that was found */
    .suspend = viommu_suspend,
    .resume = viommu_resume,
    .source_refused = viommu_source_refused,
    .geometry = viommu_geometry,
    .link_open = viommu_link_open,
    .link_close = viommu_link_close,
    .attach = viommu_attach,
    .invalidate_submit = viommu_invalidate_submit,
    .invalidate_wait = viommu_invalidate_wait,
    .source_region = viommu_source_region,
    .faults_drain = viommu_faults_drain,
    .event = viommu_event,
    .describe = viommu_describe,
};
