// SPDX-License-Identifier: MIT
/*
 * Ports that lead outside, and who is untrusted because of them.
 */
#include "group/group.h"

static struct external_port *find_port(struct sluice *sluice, uint16_t segment, uint16_t rid)
{
    list_for_each(node, &sluice->external_ports)
    {
        struct external_port *port = container_of(node, struct external_port, node);

        if (port->segment == segment && port->rid == rid)
            return port;
    }
    return NULL;
}

static bool is_below(struct sluice *sluice, const struct sluice_device *device)
{
    uint16_t rid = device->is_virtual ? device->physical_rid : device->rid;

    return device->bus == SLUICE_BUS_PCI && pci_below_external(sluice, device->segment, rid);
}

/** A device below the new port that somebody relies on as a trusted one, or NULL. */
static const struct sluice_device *trusted_in_use(struct sluice *sluice)
{
    list_for_each(node, &sluice->devices)
    {
        const struct sluice_device *device = container_of(node, struct sluice_device, node);

        if (device->untrusted || !is_below(sluice, device))
            continue;
        if (device->domain != NULL)
            return device;
        for (unsigned i = 0; i < device->source_count; i++) {
            if (device->sources[i]->idle != NULL)
                return device;
        }
    }
    return NULL;
}

static enum sluice_status distrust_below(struct sluice *sluice)
{
    enum sluice_status status = SLUICE_OK;

    list_for_each(node, &sluice->devices)
    {
        struct sluice_device *device = container_of(node, struct sluice_device, node);

        if (device->untrusted || !is_below(sluice, device))
            continue;
        device->untrusted = true;
        if (!pci_ats_disable(sluice, device->segment, device->rid))
            status = SLUICE_ERR_HARDWARE;
    }
    return status;
}

static enum sluice_status add_port(struct sluice *sluice, uint16_t segment, uint16_t rid)
{
    struct external_port *port = host_alloc(sluice, sizeof(*port));
    const struct sluice_device *device;
    enum sluice_status status;

    if (port == NULL)
        return SLUICE_ERR_NO_MEMORY;
    port->segment = segment;
    port->rid = rid;
    list_append(&sluice->external_ports, &port->node);
    device = trusted_in_use(sluice);
    if (device != NULL) {
        log_error(sluice, LOG_RID " leads outside, and %s '%s' below it is in use as trusted",
                  LOG_RID_ARGS(segment, rid), device->label, device->name);
        list_remove(&port->node);
        host_free(sluice, port, sizeof(*port));
        return SLUICE_ERR_BUSY;
    }
    status = distrust_below(sluice);
    /* The port is told to stop translated requests. */
    if (status == SLUICE_OK && sluice->groups != NULL)
        status = group_scan(sluice);
    return status;
}

/** What holds of the level still does, with one more port that leads outside. */
static enum sluice_status check_level(struct sluice *sluice)
{
    struct obstacle_sink sink = {.sluice = sluice,
                                 .level = sluice->level,
                                 .handler = sluice->config.on_obstacle,
                                 .arg = sluice->config.on_obstacle_arg};

    if (sluice->state == INSTANCE_STARTED)
        level_check_demands(&sink);
    return sink.missing != 0 ? SLUICE_ERR_UNSUPPORTED : SLUICE_OK;
}

enum sluice_status sluice_port_set_external(struct sluice *sluice, uint16_t segment, uint16_t rid,
                                            bool external)
{
    enum sluice_status status = SLUICE_OK;
    struct external_port *port;
    sluice_irqstate_t irq;

    if (sluice == NULL)
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    port = find_port(sluice, segment, rid);
    if (sluice->state != INSTANCE_STOPPED && sluice->state != INSTANCE_STARTED &&
        sluice->state != INSTANCE_DISABLED) {
        status = SLUICE_ERR_STATE;
    } else if (external && port == NULL) {
        status = add_port(sluice, segment, rid);
        if (status == SLUICE_OK)
            status = check_level(sluice);
    } else if (!external && port != NULL) {
        list_remove(&port->node);
        host_free(sluice, port, sizeof(*port));
    }
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

void external_ports_clear(struct sluice *sluice)
{
    list_for_each_safe(node, &sluice->external_ports)
    {
        struct external_port *port = container_of(node, struct external_port, node);

        list_remove(node);
        host_free(sluice, port, sizeof(*port));
    }
}

bool sluice_device_is_untrusted(struct sluice_device *device)
{
    bool untrusted;
    sluice_irqstate_t irq;

    if (device == NULL)
        return true;
    irq = sluice_spin_lock(&device->sluice->lock);
    untrusted = device->untrusted;
    sluice_spin_unlock(&device->sluice->lock, irq);
    return untrusted;
}
