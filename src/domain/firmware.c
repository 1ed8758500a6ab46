// SPDX-License-Identifier: MIT
/*
 * Memory that firmware says a device uses on its own (RMRR, IVMD, RMR, "iommu-addresses").
 *
 * Before a unit is started, each such device gets an idle domain with just that memory, so that
 * neither the device loses it nor anybody else gets it. When the device joins a domain later, the
 * regions are mapped there first. Addresses that are only kept free are never mapped, and taken out
 * of each domain that the device joins.
 */
#include "domain/domain.h"

/* Whole pages of the domain's tables: with large ones more than firmware asked for is reached. */
static sluice_phys_t region_begin(const struct sluice_domain *domain,
                                  const struct platform_reserved *region)
{
    return region->first & ~(domain_page_bytes(domain) - 1);
}

static sluice_phys_t region_last(const struct sluice_domain *domain,
                                 const struct platform_reserved *region)
{
    return region->last | (domain_page_bytes(domain) - 1);
}

/** Whether one of the user's sources is among the IDs of a scope. */
static bool ids_meet(const struct platform_scope *scope, const struct region_user *user)
{
    for (unsigned i = 0; i < user->source_count; i++) {
        const struct source *source = user->sources[i];

        if (source->unit->desc == scope->unit && source->id >= scope->first_id &&
            source->id - scope->first_id < scope->id_count)
            return true;
    }
    return false;
}

static bool region_covers(struct sluice *sluice, const struct platform_reserved *region,
                          const struct region_user *user)
{
    /* Whatever is plugged in there is not what firmware had in mind. */
    if (user->on_pci && pci_below_external(sluice, user->segment, user->rid))
        return false;
    list_for_each(node, &region->scopes)
    {
        const struct platform_scope *scope = container_of(node, struct platform_scope, node);

        if (scope->kind == PLATFORM_SCOPE_IDS
                ? ids_meet(scope, user)
                : user->on_pci && pci_scope_covers(sluice, scope, user->segment, user->rid))
            return true;
    }
    return false;
}

bool firmware_region_at(struct sluice *sluice, const struct region_user *user, unsigned index,
                        const struct platform_reserved **out)
{
    list_for_each(node, &sluice->platform.reserved)
    {
        const struct platform_reserved *region = container_of(node, struct platform_reserved, node);

        if (region_covers(sluice, region, user) && index-- == 0) {
            *out = region;
            return true;
        }
    }
    return false;
}

/** Whether a page is mapped to its memory already, by a region that overlaps this one. */
static bool mapped_right(struct sluice_domain *domain, sluice_iova_t page, uint64_t offset)
{
    struct sluice_mapping mapping;

    return domain_lookup(domain, page, &mapping) == SLUICE_OK && mapping.phys == page + offset;
}

static void unmap_region(struct sluice_domain *domain, sluice_phys_t begin, sluice_phys_t end)
{
    struct pt_gather gather;

    pt_gather_init(&gather);
    if (begin == end)
        return;
    if (domain_clear(domain, begin, end - begin, &gather, NULL) != SLUICE_OK ||
        domain_flush(domain, &gather) != SLUICE_OK)
        log_error(domain->sluice, "domain '%s': reserved memory %#llx-%#llx stays mapped",
                  domain->name, (unsigned long long)begin, (unsigned long long)end - 1);
}

/** Maps a region, run by run around what an overlapping region has mapped. */
static enum sluice_status map_region(struct sluice_domain *domain,
                                     const struct platform_reserved *region)
{
    sluice_phys_t begin = region_begin(domain, region);
    sluice_phys_t last = region_last(domain, region);
    const uint64_t step = domain_page_bytes(domain);
    enum sluice_status status;

    if (domain->pt.config.iova_bits < 64 && (last >> domain->pt.config.iova_bits) != 0)
        return SLUICE_ERR_RANGE;
    if (region->offset % step != 0)
        return SLUICE_ERR_UNSUPPORTED; /* not by whole pages of this domain */
    status =
        domain_map_unchecked(domain, begin, begin + region->offset, last - begin + 1, region->prot);
    if (status != SLUICE_ERR_EXISTS)
        return status;
    for (sluice_phys_t page = begin; page - begin <= last - begin; page += step) {
        if (mapped_right(domain, page, region->offset))
            continue;
        status = domain_map_unchecked(domain, page, page + region->offset, step, region->prot);
        if (status != SLUICE_OK) {
            log_error(domain->sluice,
                      "domain '%s': reserved memory %#llx-%#llx collides with a mapping at %#llx",
                      domain->name, (unsigned long long)region->first,
                      (unsigned long long)region->last, (unsigned long long)page);
            return status;
        }
        if (page > last - step)
            break;
    }
    return SLUICE_OK;
}

enum sluice_status region_add_locked(struct sluice_domain *domain,
                                     const struct platform_reserved *region,
                                     enum sluice_reserved_kind kind)
{
    struct domain_manager *manager = atomic_load_explicit(&domain->manager, memory_order_relaxed);
    enum sluice_status status;

    if (domain_has_reserved(domain, kind, region_begin(domain, region),
                            region_last(domain, region)))
        return SLUICE_OK;
    /* Before it is mapped, so that no address in it is handed out meanwhile. */
    if (manager != NULL) {
        status =
            manager->reserve(manager, region_begin(domain, region), region_last(domain, region));
        if (status != SLUICE_OK)
            return status;
    }
    status = map_region(domain, region);
    if (status != SLUICE_OK)
        return status;
    status = domain_reserve_locked(domain, kind, region_begin(domain, region),
                                   region_last(domain, region));
    if (status != SLUICE_OK)
        unmap_region(domain, region_begin(domain, region), region_last(domain, region) + 1);
    return status;
}

enum sluice_status firmware_regions_apply_locked(struct sluice_domain *domain,
                                                 const struct region_user *user, bool relaxed)
{
    const struct platform_reserved *region;
    enum sluice_status status = SLUICE_OK;

    for (unsigned i = 0;
         status == SLUICE_OK && firmware_region_at(domain->sluice, user, i, &region); i++) {
        if (region->prot == 0)
            status = domain_keep_free_locked(domain, SLUICE_RESERVED_SPECIAL, region->first,
                                             region->last);
        else if (!relaxed)
            status = region_add_locked(domain, region, SLUICE_RESERVED_FIRMWARE);
    }
    return status;
}

bool firmware_memory_of(struct sluice *sluice, const struct region_user *user, bool moved,
                        const struct platform_reserved **out)
{
    for (unsigned i = 0; firmware_region_at(sluice, user, i, out); i++) {
        if ((*out)->prot != 0 && (!moved || (*out)->offset != 0))
            return true;
    }
    return false;
}

/** A domain of the library's own, linked to the source's unit. */
static enum sluice_status create_idle(struct sluice *sluice, struct source *source)
{
    const struct sluice_domain_config config = {.kind = SLUICE_DOMAIN_DMA, .name = "firmware"};
    struct sluice_domain *domain;
    enum sluice_status status = domain_create_locked(sluice, &config, source->unit, &domain);

    if (status != SLUICE_OK)
        return status;
    domain->internal = true;
    status = domain_link_get_locked(domain, source->unit, &source->idle);
    if (status != SLUICE_OK) {
        domain_free_locked(domain);
        return status;
    }
    source->idle->idle_users++;
    return SLUICE_OK;
}

static void destroy_idle(struct source *source)
{
    struct sluice_domain *domain = source->idle->domain;

    source->idle->idle_users--;
    domain_link_put_locked(source->idle);
    source->idle = NULL;
    domain_free_locked(domain);
}

enum sluice_status firmware_idle_domain_locked(struct sluice *sluice, struct source *source,
                                               const struct region_user *user)
{
    const struct platform_reserved *region;
    bool fresh = source->idle == NULL;
    enum sluice_status status;

    if (!firmware_memory_of(sluice, user, false, &region))
        return SLUICE_OK;
    if (fresh) {
        status = create_idle(sluice, source);
        if (status != SLUICE_OK)
            return status;
    }
    status = firmware_regions_apply_locked(source->idle->domain, user, false);
    if (status == SLUICE_OK && source->link == NULL)
        status = source_switch_locked(source, source->idle);
    if (status != SLUICE_OK && fresh && source->link == NULL)
        destroy_idle(source);
    return status;
}

/** What is done for each function that a region names. */
struct prepare {
    struct sluice *sluice;
    const struct platform_reserved *region;
    enum sluice_status status;
};

static bool prepare_function(void *arg, uint16_t segment, uint16_t rid)
{
    struct prepare *prepare = arg;
    struct sluice *sluice = prepare->sluice;
    const struct platform_unit *desc = pci_find_unit(sluice, segment, rid);
    struct unit *unit = desc != NULL ? unit_for_description(sluice, desc) : NULL;
    uint16_t rids[PCI_MAX_ALIASES];
    unsigned count;

    if (unit == NULL) {
        log_warning(sluice, "reserved memory %#llx-%#llx: no unit covers " LOG_RID,
                    (unsigned long long)prepare->region->first,
                    (unsigned long long)prepare->region->last, LOG_RID_ARGS(segment, rid));
        return true;
    }
    if (pci_below_external(sluice, segment, rid)) {
        log_warning(sluice,
                    LOG_RID ": reserved memory %#llx-%#llx is not given to it: it is below a port "
                            "that leads outside",
                    LOG_RID_ARGS(segment, rid), (unsigned long long)prepare->region->first,
                    (unsigned long long)prepare->region->last);
        return true;
    }
    if (!pci_requester_ids_fit(sluice, segment, rid)) {
        prepare->status = SLUICE_ERR_NO_SPACE;
        return false;
    }
    count = pci_requester_ids(sluice, segment, rid, rids);
    for (unsigned i = 0; i < count && prepare->status == SLUICE_OK; i++) {
        struct source *source;
        uint32_t id = rids[i];

        if (desc->maps_ids && pci_find_source(sluice, desc, segment, rids[i], &id) == NULL)
            continue; /* the unit never sees this one */
        prepare->status = source_get_locked(sluice, unit, id, &source);
        if (prepare->status == SLUICE_OK)
            prepare->status = firmware_idle_domain_locked(
                sluice, source, &(struct region_user){true, segment, rid, &source, 1});
    }
    if (prepare->status == SLUICE_OK)
        log_info(sluice, LOG_RID ": keeps reserved memory %#llx-%#llx", LOG_RID_ARGS(segment, rid),
                 (unsigned long long)prepare->region->first,
                 (unsigned long long)prepare->region->last);
    return prepare->status == SLUICE_OK;
}

struct prepare_range {
    struct prepare *prepare;
    const struct platform_scope *scope;
};

static bool prepare_in_range(void *arg, uint16_t segment, uint16_t rid)
{
    struct prepare_range *range = arg;

    if (rid < range->scope->first_rid || rid > range->scope->last_rid)
        return true;
    return prepare_function(range->prepare, segment, rid);
}

/** One requester ID is what it is, whether it answers or not; of more, those that answer count. */
static enum sluice_status prepare_rids(struct prepare *prepare, const struct platform_scope *scope)
{
    struct prepare_range range = {prepare, scope};

    if (scope->first_rid == scope->last_rid) {
        (void)prepare_function(prepare, scope->segment, scope->first_rid);
        return prepare->status;
    }
    if (prepare->sluice->ops->pci_read == NULL)
        return SLUICE_ERR_UNSUPPORTED;
    pci_visit_buses(prepare->sluice, scope->segment, SLUICE_RID_BUS(scope->first_rid),
                    SLUICE_RID_BUS(scope->last_rid), prepare_in_range, &range);
    return prepare->status;
}

/** Source IDs are what they are, whether firmware says who has them or not. */
static enum sluice_status prepare_ids(struct prepare *prepare, const struct platform_scope *scope)
{
    struct sluice *sluice = prepare->sluice;
    struct unit *unit = unit_for_description(sluice, scope->unit);
    enum sluice_status status = SLUICE_OK;
    unsigned outside = 0;

    if (unit == NULL)
        return SLUICE_ERR_FIRMWARE;
    for (uint32_t i = 0; i < scope->id_count && status == SLUICE_OK; i++) {
        struct source *source;

        if (pci_id_below_external(sluice, scope->unit, scope->first_id + i)) {
            outside++;
            continue;
        }
        status = source_get_locked(sluice, unit, scope->first_id + i, &source);
        if (status == SLUICE_OK)
            status = firmware_idle_domain_locked(sluice, source,
                                                 &(struct region_user){false, 0, 0, &source, 1});
    }
    if (outside != 0)
        log_warning(sluice,
                    "%s: reserved memory %#llx-%#llx is not given to %u of the source IDs from "
                    "%#x: they are below a port that leads outside",
                    unit->name, (unsigned long long)prepare->region->first,
                    (unsigned long long)prepare->region->last, outside, (unsigned)scope->first_id);
    if (status == SLUICE_OK)
        log_info(sluice, "%s: %u source IDs from %#x keep reserved memory %#llx-%#llx", unit->name,
                 (unsigned)scope->id_count - outside, (unsigned)scope->first_id,
                 (unsigned long long)prepare->region->first,
                 (unsigned long long)prepare->region->last);
    return status;
}

static enum sluice_status prepare_scope(struct prepare *prepare, const struct platform_scope *scope)
{
    struct sluice *sluice = prepare->sluice;
    enum sluice_status status;
    uint16_t rid;

    if (scope->kind == PLATFORM_SCOPE_IDS)
        return prepare_ids(prepare, scope);
    if (scope->kind == PLATFORM_SCOPE_PCI_RANGE)
        return prepare_rids(prepare, scope);
    status = pci_scope_resolve(sluice, scope, &rid);
    if (status == SLUICE_ERR_NOT_FOUND) {
        /* Firmware names devices that are disabled; if it appears, sluice_device_add sees to it. */
        log_info(sluice, "reserved memory %#llx-%#llx: its device does not answer",
                 (unsigned long long)prepare->region->first,
                 (unsigned long long)prepare->region->last);
        return SLUICE_OK;
    }
    if (status != SLUICE_OK) {
        log_error(sluice,
                  "reserved memory %#llx-%#llx (table offset %#x): its device cannot be found: %s",
                  (unsigned long long)prepare->region->first,
                  (unsigned long long)prepare->region->last, (unsigned)scope->table_offset,
                  sluice_status_text(status));
        return status;
    }
    (void)prepare_function(prepare, scope->segment, rid);
    if (prepare->status == SLUICE_OK && scope->kind == PLATFORM_SCOPE_PCI_BRIDGE &&
        pci_is_bridge(sluice, scope->segment, rid)) {
        uint8_t first = (uint8_t)pci_read(sluice, scope->segment, rid, PCI_SECONDARY_BUS, 1);
        uint8_t last = (uint8_t)pci_read(sluice, scope->segment, rid, PCI_SUBORDINATE_BUS, 1);

        if (first > SLUICE_RID_BUS(rid) && first <= last)
            pci_visit_buses(sluice, scope->segment, first, last, prepare_function, prepare);
    }
    return prepare->status;
}

enum sluice_status firmware_regions_prepare_locked(struct sluice *sluice)
{
    list_for_each(node, &sluice->platform.reserved)
    {
        struct prepare prepare = {.sluice = sluice,
                                  .region = container_of(node, struct platform_reserved, node)};

        if (prepare.region->prot == 0)
            continue; /* there is nothing to keep mapped */
        list_for_each(scope_node, &prepare.region->scopes)
        {
            enum sluice_status status =
                prepare_scope(&prepare, container_of(scope_node, struct platform_scope, node));

            if (status != SLUICE_OK) {
                log_error(sluice, "reserved memory %#llx-%#llx cannot be kept: %s",
                          (unsigned long long)prepare.region->first,
                          (unsigned long long)prepare.region->last, sluice_status_text(status));
                return status;
            }
        }
    }
    return SLUICE_OK;
}
