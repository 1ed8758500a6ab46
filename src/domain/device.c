// SPDX-License-Identifier: MIT
/*
 * Devices, and the sources behind them: one for each ID under which the unit sees the device.
 */
#include "domain/domain.h"

static struct list_node *source_bucket(struct sluice *sluice, const struct unit *unit, uint32_t id)
{
    uint64_t key = ((uintptr_t)unit >> 6) * 31u + id;

    return &sluice->sources[(key ^ (key >> 8)) % SOURCE_BUCKETS];
}

struct source *source_find_locked(struct sluice *sluice, const struct unit *unit, uint32_t id)
{
    struct list_node *bucket = source_bucket(sluice, unit, id);

    list_for_each(node, bucket)
    {
        struct source *source = container_of(node, struct source, node);

        if (source->unit == unit && source->id == id)
            return source;
    }
    return NULL;
}

enum sluice_status source_get_locked(struct sluice *sluice, struct unit *unit, uint32_t id,
                                     struct source **out)
{
    struct source *source = source_find_locked(sluice, unit, id);

    if (source == NULL) {
        source = host_alloc(sluice, sizeof(*source));
        if (source == NULL)
            return SLUICE_ERR_NO_MEMORY;
        source->unit = unit;
        source->segment = unit->desc->segment;
        source->id = id;
        list_append(source_bucket(sluice, unit, id), &source->node);
    }
    *out = source;
    return SLUICE_OK;
}

void source_put_locked(struct sluice *sluice, struct source *source)
{
    if (source->users == 0) {
        source_pasids_drop_locked(source);
        /* Whoever comes under this ID next is heard. Not confirmed: the unit is degraded. */
        (void)!source_silence_locked(source, false);
    }
    if (source->users != 0 || source->link != NULL || source->idle != NULL)
        return;
    list_remove(&source->node);
    host_free(sluice, source, sizeof(*source));
}

static void device_release(struct sluice_device *device)
{
    host_free(device->sluice, device->sources,
              sizeof(struct source *) * (size_t)device->source_capacity);
    host_free(device->sluice, device, sizeof(*device));
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

void device_free_locked(struct sluice_device *device)
{
    struct sluice *sluice = device->sluice;

    for (unsigned i = 0; i < device->source_count; i++) {
        device->sources[i]->users--;
        device->sources[i]->cut_off -= device->quarantined ? 1u : 0u;
        source_put_locked(sluice, device->sources[i]);
    }
    list_remove(&device->node);
    device_release(device);
}

/** Two requester IDs can have one source ID: it is the device's once. */
static bool has_source(const struct sluice_device *device, const struct source *source)
{
    for (unsigned i = 0; i < device->source_count; i++) {
        if (device->sources[i] == source)
            return true;
    }
    return false;
}

enum sluice_status device_take_source_locked(struct sluice_device *device, uint32_t id)
{
    struct sluice *sluice = device->sluice;
    struct source *source;
    enum sluice_status status;

    if (device->source_count == device->source_capacity)
        return SLUICE_ERR_NO_SPACE;
    status = source_get_locked(sluice, device->unit, id, &source);
    if (status != SLUICE_OK || has_source(device, source))
        return status;
    source->users++;
    device->sources[device->source_count++] = source;
    return firmware_idle_domain_locked(sluice, source,
                                       &(struct region_user){device->bus == SLUICE_BUS_PCI,
                                                             device->segment, device->rid, &source,
                                                             1});
}

enum sluice_status device_make_locked(struct sluice *sluice, struct unit *unit,
                                      const struct sluice_device_config *config, unsigned sources,
                                      struct sluice_device **out)
{
    struct sluice_device *device = host_alloc(sluice, sizeof(*device));

    if (device == NULL)
        return SLUICE_ERR_NO_MEMORY;
    device->sluice = sluice;
    device->unit = unit;
    device->bus = config->bus;
    device->untrusted = config->untrusted;
    device->max_faults = config->max_faults;
    device->fault_window_ns = config->fault_window_ns;
    device->source_capacity = sources;
    format_text(device->name, sizeof(device->name), "%s", config->name != NULL ? config->name : "");
    device->sources = host_alloc(sluice, sizeof(struct source *) * sources);
    if (device->sources == NULL) {
        device_release(device);
        return SLUICE_ERR_NO_MEMORY;
    }
    list_append(&sluice->devices, &device->node);
    *out = device;
    return SLUICE_OK;
}

/** Lets those above look at a new device; what one of them does not want is forgotten. */
static enum sluice_status welcome_locked(struct sluice_device *device)
{
    const struct domain_policy *policy = device->sluice->policy;
    const struct domain_policy *faults = device->sluice->fault_policy;
    enum sluice_status status = policy != NULL ? policy->device_added(device) : SLUICE_OK;

    if (status != SLUICE_OK)
        goto refused;
    status = faults != NULL ? faults->device_added(device) : SLUICE_OK;
    if (status == SLUICE_OK)
        return SLUICE_OK;
    if (policy != NULL)
        policy->device_removed(device);
refused:
    device_free_locked(device);
    return status;
}

enum sluice_status sluice_device_add(struct sluice *sluice,
                                     const struct sluice_device_config *config,
                                     struct sluice_device **out)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    struct sluice_device *device = NULL;
    sluice_irqstate_t irq;

    if (sluice == NULL || config == NULL || out == NULL ||
        (config->bus != SLUICE_BUS_PCI && config->bus != SLUICE_BUS_PLATFORM) ||
        (config->bus == SLUICE_BUS_PLATFORM && config->path == NULL && config->registers == 0))
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_STARTED)
        status = config->bus == SLUICE_BUS_PCI ? device_find_pci_locked(sluice, config, &device)
                                               : device_find_named_locked(sluice, config, &device);
    if (status == SLUICE_OK)
        status = welcome_locked(device);
    if (status == SLUICE_OK)
        *out = device;
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
    if (!instance_lets_go(sluice))
        status = SLUICE_ERR_STATE;
    else if (device->dma_open || device->interrupts > 0 || device->held > 0)
        status = SLUICE_ERR_BUSY;
    else
        status = device_detach_locked(device);
    if (status == SLUICE_OK) {
        if (sluice->policy != NULL)
            sluice->policy->device_removed(device);
        device_free_locked(device);
    }
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

/** The index-th range that a source of the device alone may not use, counted over its sources. */
static enum sluice_status own_region(struct sluice_device *device, unsigned *index,
                                     struct sluice_reserved_region *out)
{
    const struct unit_ops *ops = device->unit->ops;

    for (unsigned i = 0; i < device->source_count && ops->source_region != NULL; i++) {
        for (unsigned at = 0;; at++) {
            enum sluice_status status =
                ops->source_region(device->unit, device->sources[i]->id, at, out);

            if (status == SLUICE_ERR_NOT_FOUND)
                break;
            if (status != SLUICE_OK || (*index)-- == 0)
                return status;
        }
    }
    return SLUICE_ERR_NOT_FOUND;
}

enum sluice_status sluice_device_reserved(struct sluice_device *device, unsigned index,
                                          struct sluice_reserved_region *out)
{
    enum sluice_status status = SLUICE_OK;
    const struct platform_reserved *region;
    struct platform_reserved doorbell;
    const struct unit_caps *caps;
    struct region_user user;
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
    for (unsigned i = 0; doorbell_at(device->unit, i, &doorbell); i++) {
        if (index-- != 0)
            continue;
        *out = (struct sluice_reserved_region){
            .kind = SLUICE_RESERVED_INTERRUPT, .first = doorbell.first, .last = doorbell.last};
        return SLUICE_OK;
    }
    irq = sluice_spin_lock(&device->sluice->lock);
    user = device_user(device);
    status = own_region(device, &index, out);
    if (status == SLUICE_ERR_NOT_FOUND &&
        firmware_region_at(device->sluice, &user, index, &region)) {
        *out = (struct sluice_reserved_region){.kind = region->prot != 0 ? SLUICE_RESERVED_FIRMWARE
                                                                         : SLUICE_RESERVED_SPECIAL,
                                               .first = region->first,
                                               .last = region->last};
        status = SLUICE_OK;
    }
    sluice_spin_unlock(&device->sluice->lock, irq);
    return status;
}

static void free_sources(struct sluice *sluice)
{
    for (unsigned i = 0; i < SOURCE_BUCKETS; i++) {
        list_for_each_safe(node, &sluice->sources[i])
        {
            struct source *source = container_of(node, struct source, node);

            while (source->pasids != NULL)
                pasid_forget(sluice, &source->pasids);
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
        device_release(device);
    }
    free_sources(sluice);
    list_for_each_safe(node, &sluice->domains)
    {
        free_domain_with_links(container_of(node, struct sluice_domain, node));
    }
}
