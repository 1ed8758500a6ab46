// SPDX-License-Identifier: MIT
/*
 * From what a caller calls a device to its unit and its sources, by the platform description.
 */
#include "domain/domain.h"

static struct sluice_device *known_function(struct sluice *sluice, uint16_t segment, uint16_t rid)
{
    list_for_each(node, &sluice->devices)
    {
        struct sluice_device *device = container_of(node, struct sluice_device, node);

        if (device->bus == SLUICE_BUS_PCI && device->segment == segment && device->rid == rid)
            return device;
    }
    return NULL;
}

static void take_limits(struct sluice_device *device, const struct platform_scope *scope)
{
    if (scope->address_bits != 0 &&
        (device->address_bits == 0 || scope->address_bits < device->address_bits))
        device->address_bits = scope->address_bits;
    if (device->coherence != SLUICE_COHERENCE_NO && scope->coherence != SLUICE_COHERENCE_UNKNOWN)
        device->coherence = scope->coherence;
}

/** One requester ID of a function: its source ID is itself, or what firmware makes of it. */
static enum sluice_status take_requester(struct sluice_device *device, uint16_t rid)
{
    const struct platform_unit *desc = device->unit->desc;
    const struct platform_scope *scope;
    uint32_t id = rid;

    if (!desc->maps_ids)
        return device_take_source_locked(device, id);
    scope = pci_find_source(device->sluice, desc, device->segment, rid, &id);
    if (scope == NULL) {
        log_error(device->sluice,
                  "%s: its requests may come as " LOG_RID
                  ", which %s has no ID for: its DMA is not protected",
                  device->label, LOG_RID_ARGS(device->segment, rid), device->unit->name);
        return SLUICE_ERR_NOT_FOUND;
    }
    take_limits(device, scope);
    return device_take_source_locked(device, id);
}

enum sluice_status device_find_pci_locked(struct sluice *sluice,
                                          const struct sluice_device_config *config,
                                          struct sluice_device **out)
{
    uint16_t named = config->is_virtual_function ? config->physical_function_rid : config->rid;
    const struct platform_unit *desc = pci_find_unit(sluice, config->segment, named);
    struct unit *unit = desc != NULL ? unit_for_description(sluice, desc) : NULL;
    uint16_t rids[PCI_MAX_ALIASES];
    struct sluice_device *device;
    enum sluice_status status;
    unsigned count;

    if (known_function(sluice, config->segment, config->rid) != NULL)
        return SLUICE_ERR_EXISTS;
    if (unit == NULL) {
        log_error(sluice, LOG_RID ": no unit covers this device: its DMA is not protected",
                  LOG_RID_ARGS(config->segment, config->rid));
        return SLUICE_ERR_NOT_FOUND;
    }
    if (!pci_requester_ids_fit(sluice, config->segment, config->rid))
        return SLUICE_ERR_NO_SPACE;
    status = device_make_locked(sluice, unit, config, PCI_MAX_ALIASES, &device);
    if (status != SLUICE_OK)
        return status;
    device->segment = config->segment;
    device->rid = config->rid;
    device->is_virtual = config->is_virtual_function;
    device->physical_rid = named;
    format_text(device->label, sizeof(device->label), LOG_RID,
                LOG_RID_ARGS(config->segment, config->rid));
    device->untrusted = device->untrusted || pci_below_external(sluice, device->segment, named);
    count = pci_requester_ids(sluice, device->segment, device->rid, rids);
    for (unsigned i = 0; i < count && status == SLUICE_OK; i++)
        status = take_requester(device, rids[i]);
    if (status == SLUICE_OK)
        *out = device;
    else
        device_free_locked(device);
    return status;
}

/* ---- devices outside PCI ---- */

static bool same_name(const struct platform_scope *scope, const char *path)
{
    if (scope->name == NULL || path == NULL)
        return false;
    for (uint32_t i = 0; i < scope->name_bytes; i++) {
        if (path[i] == 0 || path[i] != scope->name[i])
            return false;
    }
    return path[scope->name_bytes] == 0;
}

static bool is_named(const struct platform_scope *scope, const struct sluice_device_config *config)
{
    return scope->kind == PLATFORM_SCOPE_NAMED &&
           (same_name(scope, config->path) ||
            (config->registers != 0 && scope->registers == config->registers));
}

static bool known_name(struct sluice *sluice, const struct platform_scope *scope)
{
    list_for_each(node, &sluice->devices)
    {
        if (container_of(node, struct sluice_device, node)->scope == scope)
            return true;
    }
    return false;
}

/** The first scope that names the device, and its unit; all of them must be of one unit. */
static enum sluice_status find_named(struct sluice *sluice,
                                     const struct sluice_device_config *config,
                                     const struct platform_scope **out_scope,
                                     const struct platform_unit **out_unit)
{
    *out_scope = NULL;
    *out_unit = NULL;
    list_for_each(node, &sluice->platform.units)
    {
        const struct platform_unit *unit = container_of(node, struct platform_unit, node);

        list_for_each(scope_node, &unit->scopes)
        {
            const struct platform_scope *scope =
                container_of(scope_node, struct platform_scope, node);

            if (!is_named(scope, config))
                continue;
            if (*out_unit != NULL && *out_unit != unit)
                return SLUICE_ERR_UNSUPPORTED;
            if (*out_scope == NULL)
                *out_scope = scope;
            *out_unit = unit;
        }
    }
    return *out_unit != NULL ? SLUICE_OK : SLUICE_ERR_NOT_FOUND;
}

/** The end of a path says more than its beginning. */
static void label_path(struct sluice_device *device, const struct sluice_device_config *config)
{
    size_t length = 0, room = sizeof(device->label) - 1;

    while (config->path != NULL && length <= SLUICE_DEVICE_PATH_BYTES && config->path[length] != 0)
        length++;
    if (config->path == NULL)
        format_text(device->label, sizeof(device->label), "device at %#llx",
                    (unsigned long long)config->registers);
    else
        format_text(device->label, sizeof(device->label), "%s",
                    config->path + (length > room ? length - room : 0));
}

static enum sluice_status take_named(struct sluice_device *device,
                                     const struct sluice_device_config *config)
{
    enum sluice_status status = SLUICE_OK;

    list_for_each(node, &device->unit->desc->scopes)
    {
        const struct platform_scope *scope = container_of(node, struct platform_scope, node);

        if (!is_named(scope, config))
            continue;
        take_limits(device, scope);
        for (uint32_t i = 0; i < scope->id_count && status == SLUICE_OK; i++)
            status = device_take_source_locked(device, scope->first_id + i);
    }
    return status;
}

enum sluice_status device_find_named_locked(struct sluice *sluice,
                                            const struct sluice_device_config *config,
                                            struct sluice_device **out)
{
    const struct platform_scope *scope;
    const struct platform_unit *desc;
    struct sluice_device *device;
    enum sluice_status status = find_named(sluice, config, &scope, &desc);
    struct unit *unit = desc != NULL ? unit_for_description(sluice, desc) : NULL;

    if (status == SLUICE_ERR_UNSUPPORTED)
        log_error(sluice, "%s at %#llx: behind more than one unit, which is not supported",
                  config->path != NULL ? config->path : "device",
                  (unsigned long long)config->registers);
    if (status == SLUICE_ERR_NOT_FOUND || (status == SLUICE_OK && unit == NULL)) {
        log_error(sluice, "%s at %#llx: no unit covers this device: its DMA is not protected",
                  config->path != NULL ? config->path : "device",
                  (unsigned long long)config->registers);
        return SLUICE_ERR_NOT_FOUND;
    }
    if (status != SLUICE_OK)
        return status;
    if (known_name(sluice, scope))
        return SLUICE_ERR_EXISTS;
    status = device_make_locked(sluice, unit, config, SLUICE_DEVICE_IDS_MAX, &device);
    if (status != SLUICE_OK)
        return status;
    device->scope = scope;
    label_path(device, config);
    status = take_named(device, config);
    if (status == SLUICE_OK)
        *out = device;
    else
        device_free_locked(device);
    return status;
}
