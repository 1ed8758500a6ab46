// SPDX-License-Identifier: MIT
/*
 * Devices, and the sources behind them: one a requester ID that the unit can see.
 */
#include "domain/domain.h"

static struct list_node *source_bucket(struct sluice *sluice, const struct unit *unit, uint32_t id)
{
    uint64_t key = ((uintptr_t)unit >> 6) * 31u + id;

    return &sluice->sources[(key ^ (key >> 8)) % SOURCE_BUCKETS];
}

static struct source *find_source(struct sluice *sluice, const struct unit *unit, uint16_t segment,
                                  uint32_t id)
{
    struct list_node *bucket = source_bucket(sluice, unit, id);

    list_for_each(node, bucket)
    {
        struct source *source = container_of(node, struct source, node);

        if (source->unit == unit && source->id == id && source->segment == segment)
            return source;
    }
    return NULL;
}

enum sluice_status source_get_locked(struct sluice *sluice, struct unit *unit, uint16_t segment,
                                     uint32_t id, struct source **out)
{
    struct source *source = find_source(sluice, unit, segment, id);

    if (source == NULL) {
        source = host_alloc(sluice, sizeof(*source));
        if (source == NULL)
            return SLUICE_ERR_NO_MEMORY;
        source->unit = unit;
        source->segment = segment;
        source->id = id;
        list_append(source_bucket(sluice, unit, id), &source->node);
    }
    *out = source;
    return SLUICE_OK;
}

/** Forgets a source that nobody uses and that firmware has no claim on. */
static void source_put(struct sluice *sluice, struct source *source)
{
    if (source->users != 0 || source->link != NULL || source->idle != NULL)
        return;
    list_remove(&source->node);
    host_free(sluice, source, sizeof(*source));
}

struct unit *unit_for_description(struct sluice *sluice, const struct platform_unit *desc)
{
    list_for_each(node, &sluice->units)
    {
        struct unit *unit = container_of(node, struct unit, node);

        if (unit->desc == desc)
            return unit;
    }
    return NULL;
}

static struct sluice_device *find_device(struct sluice *sluice, uint16_t segment, uint16_t rid)
{
    list_for_each(node, &sluice->devices)
    {
        struct sluice_device *device = container_of(node, struct sluice_device, node);

        if (device->segment == segment && device->rid == rid)
            return device;
    }
    return NULL;
}

static void device_free_locked(struct sluice_device *device)
{
    struct sluice *sluice = device->sluice;

    for (unsigned i = 0; i < device->source_count; i++) {
        device->sources[i]->users--;
        source_put(sluice, device->sources[i]);
    }
    list_remove(&device->node);
    host_free(sluice, device, sizeof(*device));
}

static enum sluice_status add_sources(struct sluice_device *device)
{
    struct sluice *sluice = device->sluice;
    uint16_t rids[PCI_MAX_ALIASES];
    unsigned count = pci_requester_ids(sluice, device->segment, device->rid, rids);
    enum sluice_status status;

    for (unsigned i = 0; i < count; i++) {
        struct source *source;

        status = source_get_locked(sluice, device->unit, device->segment, rids[i], &source);
        if (status != SLUICE_OK)
            return status;
        source->users++;
        device->sources[device->source_count++] = source;
        status = firmware_idle_domain_locked(sluice, source, device->rid);
        if (status != SLUICE_OK)
            return status;
    }
    return SLUICE_OK;
}

static enum sluice_status device_add_locked(struct sluice *sluice,
                                            const struct sluice_device_config *config,
                                            struct sluice_device **out)
{
    uint16_t named = config->is_virtual_function ? config->physical_function_rid : config->rid;
    const struct platform_unit *desc = pci_find_unit(sluice, config->segment, named);
    struct sluice_device *device;
    enum sluice_status status;

    if (find_device(sluice, config->segment, config->rid) != NULL)
        return SLUICE_ERR_EXISTS;
    if (desc == NULL || unit_for_description(sluice, desc) == NULL) {
        log_error(sluice, LOG_RID ": no unit covers this device: its DMA is not protected",
                  LOG_RID_ARGS(config->segment, config->rid));
        return SLUICE_ERR_NOT_FOUND;
    }
    device = host_alloc(sluice, sizeof(*device));
    if (device == NULL)
        return SLUICE_ERR_NO_MEMORY;
    device->sluice = sluice;
    device->segment = config->segment;
    device->rid = config->rid;
    device->unit = unit_for_description(sluice, desc);
    device->untrusted = config->untrusted;
    format_text(device->name, sizeof(device->name), "%s", config->name != NULL ? config->name : "");
    list_append(&sluice->devices, &device->node);
    status = add_sources(device);
    if (status != SLUICE_OK) {
        device_free_locked(device);
        return status;
    }
    *out = device;
    return SLUICE_OK;
}

enum sluice_status sluice_device_add(struct sluice *sluice,
                                     const struct sluice_device_config *config,
                                     struct sluice_device **out)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    sluice_irqstate_t irq;

    if (sluice == NULL || config == NULL || out == NULL || config->bus != SLUICE_BUS_PCI)
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_STARTED)
        status = device_add_locked(sluice, config, out);
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

enum sluice_status sluice_device_remove(struct sluice_device *device)
{
    enum sluice_status status;
    struct sluice *sluice;
    sluice_irqstate_t irq;

    if (device == NULL)
        return SLUICE_ERR_INVALID;
    sluice = device->sluice;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state != INSTANCE_STARTED)
        status = SLUICE_ERR_STATE;
    else if (device->dma_open || device->interrupts > 0)
        status = SLUICE_ERR_BUSY;
    else
        status = device_detach_locked(device);
    if (status == SLUICE_OK)
        device_free_locked(device);
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

struct sluice_domain *sluice_device_domain(struct sluice_device *device)
{
    struct sluice_domain *domain;
    sluice_irqstate_t irq;

    if (device == NULL)
        return NULL;
    irq = sluice_spin_lock(&device->sluice->lock);
    domain = device->domain;
    sluice_spin_unlock(&device->sluice->lock, irq);
    return domain;
}

enum sluice_status sluice_device_reserved(struct sluice_device *device, unsigned index,
                                          struct sluice_reserved_region *out)
{
    enum sluice_status status = SLUICE_OK;
    const struct platform_reserved *region;
    const struct unit_caps *caps;
    sluice_irqstate_t irq;

    if (device == NULL || out == NULL)
        return SLUICE_ERR_INVALID;
    caps = &device->unit->caps;
    if (caps->interrupt_last != 0 && index-- == 0) {
        *out = (struct sluice_reserved_region){.kind = SLUICE_RESERVED_INTERRUPT,
                                               .first = caps->interrupt_first,
                                               .last = caps->interrupt_last};
        return SLUICE_OK;
    }
    if (caps->special_last != 0 && index-- == 0) {
        *out = (struct sluice_reserved_region){.kind = SLUICE_RESERVED_SPECIAL,
                                               .first = caps->special_first,
                                               .last = caps->special_last};
        return SLUICE_OK;
    }
    irq = sluice_spin_lock(&device->sluice->lock);
    if (firmware_region_at(device->sluice, device->segment, device->rid, index, &region))
        *out = (struct sluice_reserved_region){
            .kind = SLUICE_RESERVED_FIRMWARE, .first = region->first, .last = region->last};
    else
        status = SLUICE_ERR_NOT_FOUND;
    sluice_spin_unlock(&device->sluice->lock, irq);
    return status;
}

static void free_sources(struct sluice *sluice)
{
    for (unsigned i = 0; i < SOURCE_BUCKETS; i++) {
        list_for_each_safe(node, &sluice->sources[i])
        {
            struct source *source = container_of(node, struct source, node);

            list_remove(&source->node);
            host_free(sluice, source, sizeof(*source));
        }
    }
}

static void free_domain_with_links(struct sluice_domain *domain)
{
    list_for_each_safe(node, &domain->links)
    {
        list_remove(node);
        host_free(domain->sluice, container_of(node, struct domain_link, node),
                  sizeof(struct domain_link));
    }
    domain_free_locked(domain);
}

void domain_layer_clear_locked(struct sluice *sluice)
{
    list_for_each_safe(node, &sluice->devices)
    {
        struct sluice_device *device = container_of(node, struct sluice_device, node);

        list_remove(&device->node);
        host_free(sluice, device, sizeof(*device));
    }
    free_sources(sluice);
    list_for_each_safe(node, &sluice->domains)
    {
        free_domain_with_links(container_of(node, struct sluice_domain, node));
    }
}
