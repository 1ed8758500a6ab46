// SPDX-License-Identifier: MIT
/*
 * Isolation modes: a device is put into a domain made for the use that it is given to.
 */
#include "group/group.h"

static bool same_text(const char *a, const char *b)
{
    for (; *a == *b; a++, b++) {
        if (*a == '\0')
            return true;
    }
    return false;
}

/* ---- what is refused ---- */

/** Whether a member of the group is this very device, under another of its names. */
static bool is_itself(const struct group_function *function, const struct sluice_device *device)
{
    if (function->scope != NULL && device->scope != NULL)
        return group_same_name(function->scope, device->scope);
    return function->scope == NULL && device->bus == SLUICE_BUS_PCI && !function->is_platform &&
           function->segment == device->segment && function->rid == device->rid;
}

static bool is_alone(struct sluice *sluice, const struct sluice_device *device)
{
    struct group_map *map = sluice->groups;
    uint32_t at = group_find_device(map, device);

    if (at == GROUP_NONE || map->blind)
        return false;
    at = group_leader(map, at);
    for (uint32_t i = 0; i < map->functions[at].members; i++) {
        const struct group_function *member = &map->functions[group_member_at(map, at, i)];

        if (!member->is_bridge && !is_itself(member, device))
            return false;
    }
    return true;
}

static enum sluice_status judge_alone(struct sluice_device *device)
{
    struct sluice *sluice = device->sluice;
    enum sluice_status status = SLUICE_OK;
    uint32_t at;

    /* What was unplugged since is in nobody's way. */
    if (!is_alone(sluice, device))
        status = group_scan(sluice);
    if (status != SLUICE_OK || is_alone(sluice, device))
        return status;
    log_error(sluice, "%s '%s': not isolated: others are in its group", device->label,
              device->name);
    at = group_find_device(sluice->groups, device);
    if (at != GROUP_NONE)
        group_log_reasons(sluice, SLUICE_LOG_ERROR, group_leader(sluice->groups, at));
    return SLUICE_ERR_DENIED;
}

static enum sluice_status judge_unmanaged(struct sluice_device *device)
{
    struct sluice *sluice = device->sluice;

    if (sluice->level == SLUICE_PROTECTION_STRICT || device->untrusted) {
        log_error(sluice, "%s '%s': %s: not let at all of memory", device->label, device->name,
                  device->untrusted ? "untrusted" : "protection level strict");
        return SLUICE_ERR_DENIED;
    }
    log_warning(sluice, "%s '%s': UNMANAGED: it reaches all of memory, unprotected", device->label,
                device->name);
    return SLUICE_OK;
}

static enum sluice_status judge_reserved(struct sluice_device *device)
{
    const struct region_user user = device_user(device);
    const struct platform_reserved *region;

    if (!firmware_memory_of(device->sluice, &user, false, &region))
        return SLUICE_OK;
    log_error(device->sluice,
              "%s '%s': firmware uses memory %#llx-%#llx through it (table offset %#x): not given "
              "to a user",
              device->label, device->name, (unsigned long long)region->first,
              (unsigned long long)region->last, (unsigned)region->table_offset);
    return SLUICE_ERR_DENIED;
}

static enum sluice_status judge(struct sluice_device *device,
                                const struct sluice_assignment *assignment)
{
    enum sluice_status status = SLUICE_OK;

    if (device->domain != NULL || device->assigned != NULL)
        return SLUICE_ERR_BUSY;
    if (assignment->user && !assignment->relax_reserved)
        status = judge_reserved(device);
    if (status != SLUICE_OK)
        return status;
    if (assignment->mode == SLUICE_ISOLATION_STRICT)
        return judge_alone(device);
    if (assignment->mode == SLUICE_ISOLATION_UNMANAGED)
        return judge_unmanaged(device);
    return SLUICE_OK;
}

/* ---- domains ---- */

static enum sluice_domain_kind kind_for(const struct sluice_assignment *assignment)
{
    if (assignment->mode == SLUICE_ISOLATION_UNMANAGED)
        return SLUICE_DOMAIN_IDENTITY;
    return assignment->user ? SLUICE_DOMAIN_UNMANAGED : SLUICE_DOMAIN_DMA;
}

static struct sluice_domain *find_shared(struct sluice *sluice, const char *name)
{
    list_for_each(node, &sluice->domains)
    {
        struct sluice_domain *domain = container_of(node, struct sluice_domain, node);

        if (domain->is_shared && same_text(domain->name, name))
            return domain;
    }
    return NULL;
}

static enum sluice_status make_domain(struct sluice_device *device,
                                      const struct sluice_assignment *assignment,
                                      struct sluice_domain **out)
{
    bool shared = assignment->mode == SLUICE_ISOLATION_SHARED;
    const struct sluice_domain_config config = {
        .kind = kind_for(assignment),
        .name = shared ? assignment->share : device->label,
        .lazy = assignment->lazy,
        .prefer_32bit = assignment->prefer_32bit,
    };
    enum sluice_status status = device->sluice->policy->allow_domain(device->sluice, &config);

    if (status == SLUICE_OK)
        status = domain_create_locked(device->sluice, &config, device->unit, out);
    if (status == SLUICE_OK)
        (*out)->is_shared = shared;
    return status;
}

static enum sluice_status find_domain(struct sluice_device *device,
                                      const struct sluice_assignment *assignment,
                                      struct sluice_domain **out)
{
    *out = assignment->mode == SLUICE_ISOLATION_SHARED
               ? find_shared(device->sluice, assignment->share)
               : NULL;
    if (*out == NULL)
        return make_domain(device, assignment, out);
    if ((*out)->kind == kind_for(assignment))
        return SLUICE_OK;
    log_error(device->sluice, "%s '%s': domain '%s' is shared %s", device->label, device->name,
              (*out)->name, assignment->user ? "by the kernel, not by users" : "by users");
    return SLUICE_ERR_DENIED;
}

void assignment_end_locked(struct sluice_device *device)
{
    struct sluice_domain *domain = device->assigned;

    device->assigned = NULL;
    device->relaxed = false;
    if (domain == NULL || --domain->assignees != 0 || !list_empty(&domain->links))
        return;
    domain_free_locked(domain);
}

static enum sluice_status assign_locked(struct sluice_device *device,
                                        const struct sluice_assignment *assignment,
                                        struct sluice_domain **out)
{
    struct sluice_domain *domain;
    enum sluice_status status = judge(device, assignment);

    if (status == SLUICE_OK)
        status = find_domain(device, assignment, &domain);
    if (status != SLUICE_OK)
        return status;
    domain->assignees++;
    device->assigned = domain;
    device->relaxed = assignment->relax_reserved;
    status = domain_attach_locked(domain, device);
    if (status == SLUICE_OK)
        *out = domain;
    else
        assignment_end_locked(device);
    return status;
}

static bool is_valid(const struct sluice_assignment *assignment)
{
    size_t length = 0;

    if ((unsigned)assignment->mode > SLUICE_ISOLATION_UNMANAGED)
        return false;
    if (assignment->mode == SLUICE_ISOLATION_UNMANAGED)
        return !assignment->user;
    if (assignment->mode != SLUICE_ISOLATION_SHARED)
        return true;
    while (assignment->share != NULL && length < DOMAIN_NAME_BYTES &&
           assignment->share[length] != '\0')
        length++;
    return length > 0 && length < DOMAIN_NAME_BYTES;
}

enum sluice_status sluice_device_assign(struct sluice_device *device,
                                        const struct sluice_assignment *assignment,
                                        struct sluice_domain **out)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    struct sluice *sluice;
    sluice_irqstate_t irq;

    if (device == NULL || assignment == NULL || out == NULL || !is_valid(assignment))
        return SLUICE_ERR_INVALID;
    sluice = device->sluice;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_STARTED)
        status = device->tested ? SLUICE_ERR_BUSY : assign_locked(device, assignment, out);
    if (status != SLUICE_OK)
        log_error(sluice, "%s '%s': not assigned: %s", device->label, device->name,
                  sluice_status_text(status));
    else
        log_debug(sluice, "%s '%s': assigned to domain '%s'", device->label, device->name,
                  (*out)->name);
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

enum sluice_status sluice_device_release(struct sluice_device *device)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    struct sluice *sluice;
    sluice_irqstate_t irq;

    if (device == NULL)
        return SLUICE_ERR_INVALID;
    sluice = device->sluice;
    irq = sluice_spin_lock(&sluice->lock);
    if (instance_lets_go(sluice) && device->assigned != NULL)
        status = device_is_kept(device) ? SLUICE_ERR_BUSY : device_detach_locked(device);
    if (status == SLUICE_OK)
        assignment_end_locked(device);
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}
