// SPDX-License-Identifier: MIT
/*
 * What a level and a group forbid: the word that the domain layer asks for before it makes a
 * domain for a caller and before a device joins one.
 */
#include "group/group.h"

/** Looks again when something is there that was not, or is not what it was. */
static enum sluice_status look_again(struct sluice_device *device)
{
    struct sluice *sluice = device->sluice;
    struct group_map *map = sluice->groups;
    uint32_t at = map != NULL ? group_find_device(map, device) : GROUP_NONE;

    if (at == GROUP_NONE || group_changed(sluice, &map->functions[at]))
        return group_scan(sluice);
    group_note_device(map, device, true);
    return SLUICE_OK;
}

/** Whether two devices are of one group, as far as anybody knows. */
static bool are_together(struct group_map *map, const struct sluice_device *a,
                         const struct sluice_device *b)
{
    uint32_t at = group_find_device(map, a);
    uint32_t there = group_find_device(map, b);

    return at != GROUP_NONE && there != GROUP_NONE &&
           group_leader(map, at) == group_leader(map, there);
}

/** Who was given away as the only one of its group is that no more. */
static void tell_of_company(struct sluice_device *device)
{
    struct sluice *sluice = device->sluice;

    list_for_each(node, &sluice->devices)
    {
        const struct sluice_device *other = container_of(node, struct sluice_device, node);

        if (other == device || other->assigned == NULL || other->assigned->is_shared ||
            sluice->groups->blind || !are_together(sluice->groups, device, other))
            continue;
        log_warning(sluice, "%s '%s' joins the group of %s '%s', which is in a domain of its own:",
                    device->label, device->name, other->label, other->name);
        group_log_reasons(sluice, SLUICE_LOG_WARNING,
                          group_leader(sluice->groups, group_find_device(sluice->groups, device)));
    }
}

static enum sluice_status device_added(struct sluice_device *device)
{
    struct sluice *sluice = device->sluice;
    enum sluice_status status = look_again(device);

    if (status == SLUICE_OK)
        tell_of_company(device);
    if (status != SLUICE_OK || !device->untrusted || device->bus != SLUICE_BUS_PCI)
        return status;
    /* Its entry does not let translated requests through; it need not try. */
    if (pci_ats_disable(sluice, device->segment, device->rid))
        return SLUICE_OK;
    log_error(sluice, "%s '%s': untrusted, and its translation cache (ATS) does not turn off",
              device->label, device->name);
    group_note_device(sluice->groups, device, false);
    return SLUICE_ERR_HARDWARE;
}

static void device_removed(struct sluice_device *device)
{
    assignment_end_locked(device);
    group_note_device(device->sluice->groups, device, false);
}

static enum sluice_status allow_domain(struct sluice *sluice,
                                       const struct sluice_domain_config *config)
{
    const char *name = config->name != NULL ? config->name : "";

    if (sluice->level != SLUICE_PROTECTION_STRICT)
        return SLUICE_OK;
    if (config->kind == SLUICE_DOMAIN_IDENTITY) {
        log_error(sluice, "domain '%s': no identity at protection level strict", name);
        return SLUICE_ERR_DENIED;
    }
    if (config->lazy) {
        log_error(sluice, "domain '%s': no lazy unmaps at protection level strict", name);
        return SLUICE_ERR_DENIED;
    }
    return SLUICE_OK;
}

/** Another device of the group that is in another domain, or NULL. */
static struct sluice_device *other_owner(struct sluice_domain *domain,
                                         const struct sluice_device *device)
{
    list_for_each(node, &domain->sluice->devices)
    {
        struct sluice_device *other = container_of(node, struct sluice_device, node);

        /* What is nested in one domain is kept apart by whoever nested it, not by us. */
        if (other == device || other->domain == NULL ||
            domain_bounds(other->domain) == domain_bounds(domain) ||
            other->domain->kind == SLUICE_DOMAIN_BLOCKING)
            continue;
        if (are_together(domain->sluice->groups, device, other))
            return other;
    }
    return NULL;
}

/** Devices of one group go to one domain: in two they would reach each other's. */
static enum sluice_status admit_to_group(struct sluice_domain *domain,
                                         const struct sluice_device *device)
{
    struct sluice *sluice = domain->sluice;
    const struct sluice_device *other;

    /* Without configuration space everything would be one group: said at start. */
    if (sluice->groups == NULL || sluice->groups->blind)
        return SLUICE_OK;
    other = other_owner(domain, device);
    if (other == NULL)
        return SLUICE_OK;
    log_error(sluice,
              "%s '%s': cannot be kept from %s '%s', which is in domain '%s':", device->label,
              device->name, other->label, other->name, other->domain->name);
    group_log_reasons(sluice, SLUICE_LOG_ERROR,
                      group_leader(sluice->groups, group_find_device(sluice->groups, device)));
    return SLUICE_ERR_DENIED;
}

static enum sluice_status admit(struct sluice_domain *domain, struct sluice_device *device)
{
    struct sluice *sluice = domain->sluice;
    struct sluice_domain *bounds = domain_bounds(domain);

    if ((bounds->assignees != 0 || device->assigned != NULL) && device->assigned != bounds) {
        log_error(sluice, "%s '%s': '%s' was assigned: not to be joined past sluice_device_assign",
                  device->label, device->name,
                  bounds->assignees != 0 ? bounds->name : "the device");
        return SLUICE_ERR_DENIED;
    }
    if (domain->kind == SLUICE_DOMAIN_BLOCKING)
        return SLUICE_OK;
    if (domain->kind == SLUICE_DOMAIN_IDENTITY && sluice->level == SLUICE_PROTECTION_STRICT) {
        log_error(sluice, "%s '%s': no identity, in domain '%s', at protection level strict",
                  device->label, device->name, domain->name);
        return SLUICE_ERR_DENIED;
    }
    return admit_to_group(domain, device);
}

const struct domain_policy group_policy = {
    .device_added = device_added,
    .device_removed = device_removed,
    .allow_domain = allow_domain,
    .admit = admit,
};
