// SPDX-License-Identifier: MIT
/*
 * Attaching devices: every requester ID of a device is switched, each so that it never reaches
 * more than the old domain or the new one allows (invariant 2).
 */
#include "domain/domain.h"

void link_count_device_tlb(const struct source *source, struct domain_link *link, bool there)
{
    if (!source->ats_enabled)
        return;
    for (; link != NULL; link = link->parent) {
        if (there)
            atomic_fetch_add_explicit(&link->ats_sources, 1, memory_order_acq_rel);
        else
            atomic_fetch_sub_explicit(&link->ats_sources, 1, memory_order_acq_rel);
    }
}

void link_distrust(const struct domain_link *link)
{
    if (link != NULL && link->pt != NULL)
        domain_withhold_tables(domain_bounds(link->domain));
}

enum sluice_status source_switch_locked(struct source *source, struct domain_link *to)
{
    struct domain_link *from = source->link;
    enum sluice_status status;

    if (source->cut_off != 0)
        to = NULL;
    if (unit_is_lost(source->unit))
        to = NULL;
    if (from == to)
        return SLUICE_OK;
    link_count_device_tlb(source, to, true);
    status = source->unit->ops->attach(source->unit, source, SLUICE_NO_PASID, to);
    if (status == SLUICE_OK && unit_is_lost(source->unit))
        status = SLUICE_ERR_HARDWARE;
    if (status != SLUICE_OK)
        link_count_device_tlb(source, to, false);
    if (status == SLUICE_ERR_TIMEOUT || status == SLUICE_ERR_HARDWARE) {
        /* The entry is blocked, but the unit may still hold the old one, or the new one for the
         * moment that it was there. */
        link_distrust(from);
        link_distrust(to);
        to = NULL;
    } else if (status != SLUICE_OK) {
        return status;
    }
    if (from != NULL)
        from->sources--;
    link_count_device_tlb(source, from, false);
    source->link = to;
    if (to != NULL)
        to->sources++;
    return status;
}

enum sluice_status source_silence_locked(struct source *source, bool silence)
{
    const struct unit_ops *ops = source->unit->ops;
    enum sluice_status status;

    if (source->silenced == silence)
        return SLUICE_OK;
    if (ops->source_silence == NULL)
        return SLUICE_ERR_UNSUPPORTED;
    status = ops->source_silence(source->unit, source, silence);
    if (status == SLUICE_ERR_UNSUPPORTED || status == SLUICE_ERR_NO_MEMORY)
        return status;
    source->silenced = silence;
    source->silenced_ns = host_now_ns(source->unit->sluice);
    return status;
}

static void drop_refused(struct source *source)
{
    struct unit *unit = source->unit;
    enum sluice_status status;

    if (source->attached != 0 || !source_is_refused(source))
        return;
    status = source_switch_locked(source, NULL);
    log_error(unit->sluice, "%s: source %#x: memory that firmware keeps for it is out of reach: %s",
              unit->name, (unsigned)source->id,
              status == SLUICE_OK ? "the unit did not take it back after sleep"
                                  : sluice_status_text(status));
}

void sources_drop_refused_locked(struct sluice *sluice)
{
    for (unsigned i = 0; i < SOURCE_BUCKETS; i++) {
        list_for_each(node, &sluice->sources[i])
        {
            drop_refused(container_of(node, struct source, node));
        }
    }
}

/** Whether another device already put a shared requester ID into another domain. */
static bool shared_elsewhere(const struct sluice_device *device, const struct sluice_domain *domain)
{
    unsigned own = device->domain != NULL ? 1 : 0;

    for (unsigned i = 0; i < device->source_count; i++) {
        const struct source *source = device->sources[i];

        if (source->attached > own && source->link != NULL && source->link->domain != domain)
            return true;
        if (source->attached > own && source->link == NULL &&
            domain->kind != SLUICE_DOMAIN_BLOCKING)
            return true;
    }
    return false;
}

/** Puts back what a half-done switch has changed. Returns: OK; TIMEOUT or HARDWARE. */
static enum sluice_status switch_back(struct sluice_device *device, unsigned count)
{
    enum sluice_status status = SLUICE_OK;

    for (unsigned i = 0; i < count && status == SLUICE_OK; i++)
        status = source_switch_locked(device->sources[i], device->sources[i]->old);
    return status;
}

static bool hardware_failed(enum sluice_status status)
{
    return status == SLUICE_ERR_TIMEOUT || status == SLUICE_ERR_HARDWARE;
}

/** Drops the links that lost their last source. */
static void settle_links(struct sluice_device *device)
{
    for (unsigned i = 0; i < device->source_count; i++) {
        struct domain_link *link = device->sources[i]->old;

        for (unsigned j = i; j < device->source_count; j++) {
            if (device->sources[j]->old == link)
                device->sources[j]->old = NULL;
        }
        if (link != NULL)
            domain_link_put_locked(link);
    }
}

static void count_device(struct sluice_device *device, struct sluice_domain *to)
{
    if (device->domain != NULL) {
        device->domain->devices--;
        device->domain->untrusted -= device->untrusted;
        for (unsigned i = 0; i < device->source_count; i++)
            device->sources[i]->attached--;
    }
    device->domain = to;
    if (to != NULL) {
        to->devices++;
        to->untrusted += device->untrusted;
        for (unsigned i = 0; i < device->source_count; i++)
            device->sources[i]->attached++;
    }
}

/**
 * The hardware no longer answers: the device ends up blocked and in no domain. Requester IDs that
 * another attached device shares stay as they are.
 */
static void block_device(struct sluice_device *device)
{
    count_device(device, NULL);
    for (unsigned i = 0; i < device->source_count; i++) {
        /* What it returns adds nothing: the entry is blocked either way. */
        if (device->sources[i]->attached == 0 &&
            source_switch_locked(device->sources[i], NULL) != SLUICE_OK)
            continue;
    }
    log_error(device->sluice, "%s '%s': its unit does not answer: left blocked", device->label,
              device->name);
}

/**
 * Moves every source of a device: to `link`, or with a NULL domain each to its idle link. On an
 * error everything is as before, or the device is blocked.
 */
static enum sluice_status move_device(struct sluice_device *device, struct sluice_domain *domain,
                                      struct domain_link *link)
{
    enum sluice_status status = SLUICE_OK;
    enum sluice_status undone;
    unsigned done, unknown = 0;

    for (unsigned i = 0; i < device->source_count; i++)
        device->sources[i]->old = device->sources[i]->link;
    for (done = 0; done < device->source_count && status == SLUICE_OK; done++) {
        struct source *source = device->sources[done];

        /* A requester ID that another attached device shares stays where that device is. */
        if (domain == NULL && source->attached > 1)
            continue;
        status = source_switch_locked(source, domain == NULL ? source->idle : link);
        /* Requests that always come under another ID leave their own unknown to the unit. */
        if (status == SLUICE_ERR_NOT_FOUND) {
            unknown++;
            status = SLUICE_OK;
        }
    }
    if (status == SLUICE_OK && unknown == device->source_count)
        status = SLUICE_ERR_NOT_FOUND;
    undone =
        status == SLUICE_OK || hardware_failed(status) ? status : switch_back(device, done - 1);
    if (status == SLUICE_OK)
        count_device(device, domain);
    else if (undone != SLUICE_OK)
        block_device(device);
    settle_links(device);
    return undone != SLUICE_OK ? undone : status;
}

/** Before an untrusted device joins: nothing of the others may be stale any more. */
static void warn_manager(struct sluice_domain *domain, const struct sluice_device *device)
{
    struct domain_manager *manager = atomic_load_explicit(&domain->manager, memory_order_relaxed);

    if (device->untrusted && manager != NULL)
        manager->distrust(manager);
}

/** Whether firmware's memory is at other addresses, which in this domain are memory's own. */
static bool loses_moved_memory(struct sluice_domain *domain, const struct sluice_device *device)
{
    const struct region_user user = device_user(device);
    const struct platform_reserved *region;

    if (domain->kind != SLUICE_DOMAIN_IDENTITY || device->relaxed ||
        !firmware_memory_of(domain->sluice, &user, true, &region))
        return false;
    log_error(domain->sluice,
              "%s '%s': its reserved memory at %#llx is used at %#llx: not in identity domain '%s'",
              device->label, device->name, (unsigned long long)(region->first + region->offset),
              (unsigned long long)region->first, domain->name);
    return true;
}

/** Whether anybody has something against it. */
static enum sluice_status judge(struct sluice_domain *domain, struct sluice_device *device)
{
    const struct domain_policy *policy = domain->sluice->policy;

    if (device->dma_open)
        return SLUICE_ERR_BUSY;
    if (shared_elsewhere(device, domain) || loses_moved_memory(domain, device))
        return SLUICE_ERR_DENIED;
    return policy != NULL ? policy->admit(domain, device) : SLUICE_OK;
}

/** What has to be in the domain's tables, or kept out of them, for this device. */
static enum sluice_status prepare_tables(struct sluice_domain *domain,
                                         const struct sluice_device *device)
{
    const struct region_user user = device_user(device);
    enum sluice_status status;

    for (unsigned i = 0; i < device->source_count; i++) {
        status = domain_reserve_source_locked(domain, device->sources[i]);
        if (status != SLUICE_OK)
            return status;
    }
    status = firmware_regions_apply_locked(domain, &user, device->relaxed);
    return status == SLUICE_OK ? doorbells_map_locked(domain, device->unit) : status;
}

enum sluice_status domain_attach_locked(struct sluice_domain *domain, struct sluice_device *device)
{
    struct domain_link *link = NULL;
    enum sluice_status status;

    if (device->quarantined)
        return SLUICE_ERR_STATE;
    if (device->domain == domain)
        return SLUICE_OK;
    status = judge(domain, device);
    if (status != SLUICE_OK)
        return status;
    if (domain->kind != SLUICE_DOMAIN_BLOCKING) {
        status = domain_link_get_locked(domain, device->unit, &link);
        if (status != SLUICE_OK)
            return status;
        status = link->pt != NULL ? prepare_tables(domain_bounds(domain), device) : SLUICE_OK;
        if (status != SLUICE_OK)
            goto out;
    }
    warn_manager(domain, device);
    status = move_device(device, domain, link);
out:
    if (link != NULL)
        domain_link_put_locked(link);
    return status;
}

/** Adds or takes away one from the count that keeps each source blocked. */
static void count_cut(struct sluice_device *device, bool cut)
{
    for (unsigned i = 0; i < device->source_count; i++)
        device->sources[i]->cut_off += cut ? 1u : -1u;
    device->quarantined = cut;
}

static enum sluice_status switch_sources(struct sluice_device *device, struct domain_link *link)
{
    enum sluice_status result = SLUICE_OK;
    unsigned unknown = 0;

    for (unsigned i = 0; i < device->source_count; i++) {
        struct source *source = device->sources[i];
        enum sluice_status status;

        source->old = source->link;
        status = source_switch_locked(source, link != NULL ? link : source->idle);
        /* As where it was attached: an ID that the unit never sees is not missed. */
        if (status == SLUICE_ERR_NOT_FOUND)
            unknown++;
        else
            result = result == SLUICE_OK ? status : result;
    }
    settle_links(device);
    return result == SLUICE_OK && unknown == device->source_count ? SLUICE_ERR_NOT_FOUND : result;
}

enum sluice_status device_cut_off_locked(struct sluice_device *device)
{
    count_cut(device, true);
    return switch_sources(device, NULL);
}

enum sluice_status device_restore_locked(struct sluice_device *device)
{
    bool walks = device->domain != NULL && device->domain->kind != SLUICE_DOMAIN_BLOCKING;
    struct domain_link *link = NULL;
    enum sluice_status status = SLUICE_OK;

    if (walks)
        status = domain_link_get_locked(device->domain, device->unit, &link);
    if (status != SLUICE_OK)
        return status;
    count_cut(device, false);
    /* Out of any domain it goes back to what firmware keeps for it; blocking domains block. */
    if (walks || device->domain == NULL)
        status = switch_sources(device, link);
    if (status != SLUICE_OK) {
        count_cut(device, true);
        /* What this returns adds nothing: an entry that is not confirmed is blocked already. */
        (void)!switch_sources(device, NULL);
    }
    if (link != NULL)
        domain_link_put_locked(link);
    return status;
}

enum sluice_status sluice_domain_attach(struct sluice_domain *domain, struct sluice_device *device)
{
    enum sluice_status status;
    struct sluice *sluice;
    sluice_irqstate_t irq;

    if (domain == NULL || device == NULL || domain->sluice != device->sluice)
        return SLUICE_ERR_INVALID;
    sluice = domain->sluice;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state != INSTANCE_STARTED)
        status = SLUICE_ERR_STATE;
    else
        status = device->tested ? SLUICE_ERR_BUSY : domain_attach_locked(domain, device);
    sluice_spin_unlock(&sluice->lock, irq);
    if (status != SLUICE_OK)
        log_error(sluice, "%s '%s': not attached to domain '%s': %s", device->label, device->name,
                  domain->name, sluice_status_text(status));
    else
        log_debug(sluice, "%s '%s': attached to domain '%s'", device->label, device->name,
                  domain->name);
    return status;
}

enum sluice_status device_detach_locked(struct sluice_device *device)
{
    return device->domain == NULL ? SLUICE_OK : move_device(device, NULL, NULL);
}

enum sluice_status sluice_domain_detach(struct sluice_device *device)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    struct sluice *sluice;
    sluice_irqstate_t irq;

    if (device == NULL)
        return SLUICE_ERR_INVALID;
    sluice = device->sluice;
    irq = sluice_spin_lock(&sluice->lock);
    if (instance_lets_go(sluice))
        status = device_is_kept(device) ? SLUICE_ERR_BUSY : device_detach_locked(device);
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}
