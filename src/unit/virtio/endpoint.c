// SPDX-License-Identifier: MIT
/*
 * Endpoints: who is in which domain [Virtio 5.13.6.3], and what the device says of one
 * [Virtio 5.13.6.7].
 *
 * An endpoint in no domain is blocked, because bypass is off while the unit is started. Those that
 * are known are put into a domain of nothing besides, never detached: a device then still knows
 * them, and lets their interrupts pass. That is done for every function at start, because some
 * devices (QEMU 10.0's) keep endpoints and domains over a reset, which nobody may be left in.
 *
 * A domain exists on the device from its first endpoint to its last; what it maps is told anew each
 * time. Nothing else is in flight while endpoints move, so that no request names a domain that is
 * gone.
 */
#include "pci/pci.h"
#include "unit/virtio/virtio.h"

#define PROPERTY_HEAD 4u

struct viommu_endpoint *viommu_endpoint_find(struct viommu *viommu, uint32_t id)
{
    list_for_each(node, &viommu->endpoints)
    {
        struct viommu_endpoint *endpoint = container_of(node, struct viommu_endpoint, node);

        if (endpoint->id == id)
            return endpoint;
    }
    return NULL;
}

static struct viommu_endpoint *endpoint_get(struct viommu *viommu, uint32_t id)
{
    struct viommu_endpoint *endpoint = viommu_endpoint_find(viommu, id);
    sluice_irqstate_t irq;

    if (endpoint != NULL)
        return endpoint;
    endpoint = host_alloc(viommu->unit.sluice, sizeof(*endpoint));
    if (endpoint == NULL)
        return NULL;
    endpoint->id = id;
    irq = sluice_spin_lock(&viommu->lock);
    list_append(&viommu->endpoints, &endpoint->node);
    sluice_spin_unlock(&viommu->lock, irq);
    return endpoint;
}

void viommu_endpoints_free(struct viommu *viommu)
{
    list_for_each_safe(node, &viommu->endpoints)
    {
        struct viommu_endpoint *endpoint = container_of(node, struct viommu_endpoint, node);

        list_remove(node);
        host_free(viommu->unit.sluice, endpoint->regions,
                  endpoint->region_count * sizeof(*endpoint->regions));
        host_free(viommu->unit.sluice, endpoint, sizeof(*endpoint));
    }
}

/* ---- moving ---- */

/* Keeps the counts; the device no longer has a domain that lost its last endpoint. */
static void note_move(struct viommu_endpoint *endpoint, struct viommu_domain *to)
{
    struct viommu_domain *from = endpoint->domain;

    endpoint->domain = to;
    if (to != NULL)
        to->endpoints++;
    if (from == NULL || --from->endpoints != 0)
        return;
    from->live = false;
    told_clear(&from->told);
}

static enum sluice_status idle_locked(struct viommu *viommu)
{
    return viommu_settle_locked(viommu, viommu->queue.next);
}

static void refused(struct viommu *viommu, uint32_t endpoint, const char *what,
                    enum viommu_status why)
{
    log_error(viommu->unit.sluice, "%s: endpoint %#x: %s refused: %s (%u)", viommu->unit.name,
              (unsigned)endpoint, what, viommu_status_text(why), (unsigned)why);
}

/* Puts an endpoint into a domain of the device, with nothing else in flight. */
static enum sluice_status put_locked(struct viommu *viommu, uint32_t endpoint, uint32_t domain,
                                     uint32_t flags, enum viommu_status *out_result)
{
    const struct viommu_request request = viommu_attach_request(domain, endpoint, flags);
    enum sluice_status status = idle_locked(viommu);

    *out_result = VIOMMU_S_NONE;
    return status != SLUICE_OK ? status : viommu_ask_locked(viommu, &request, out_result);
}

static enum sluice_status block_locked(struct viommu *viommu, struct viommu_endpoint *endpoint)
{
    enum viommu_status result;
    enum sluice_status status;

    if (endpoint->domain == NULL)
        return SLUICE_OK;
    status = put_locked(viommu, endpoint->id, viommu->block_id, 0, &result);
    if (status == SLUICE_OK && result != VIOMMU_S_OK) {
        refused(viommu, endpoint->id, "ATTACH", result);
        viommu_die_locked(viommu, "endpoint %#x could not be blocked", (unsigned)endpoint->id);
        status = SLUICE_ERR_HARDWARE;
    }
    if (status != SLUICE_OK)
        endpoint->domain->doubtful = true;
    else
        note_move(endpoint, NULL);
    return status;
}

/* What a refusal means where the endpoint was blocked before. */
static enum sluice_status meaning(enum viommu_status result)
{
    if (result == VIOMMU_S_NOENT)
        return SLUICE_ERR_NOT_FOUND;
    return result == VIOMMU_S_NOMEM ? SLUICE_ERR_NO_MEMORY : SLUICE_ERR_UNSUPPORTED;
}

/* One that was blocked, and that the device refused to put into `tried`; it may not be there. */
static enum sluice_status block_again_locked(struct viommu *viommu,
                                             const struct viommu_endpoint *endpoint,
                                             struct viommu_domain *tried)
{
    enum viommu_status result;
    enum sluice_status status = put_locked(viommu, endpoint->id, viommu->block_id, 0, &result);

    if (status == SLUICE_OK && result != VIOMMU_S_OK && result != VIOMMU_S_NOENT) {
        refused(viommu, endpoint->id, "ATTACH", result);
        viommu_die_locked(viommu, "endpoint %#x could not be blocked", (unsigned)endpoint->id);
        status = SLUICE_ERR_HARDWARE;
    }
    tried->doubtful |= status != SLUICE_OK;
    return status;
}

static enum sluice_status attach_locked(struct viommu *viommu, struct viommu_endpoint *endpoint,
                                        struct viommu_domain *to)
{
    struct viommu_domain *from = endpoint->domain;
    enum viommu_status result;
    enum sluice_status status = put_locked(
        viommu, endpoint->id, to->id, to->link->pt == NULL ? VIOMMU_ATTACH_F_BYPASS : 0, &result);

    if (status != SLUICE_OK) {
        to->doubtful = true;
        if (from != NULL)
            from->doubtful = true;
        return status;
    }
    if (result == VIOMMU_S_OK) {
        note_move(endpoint, to);
        return SLUICE_OK;
    }
    if (from == NULL && result == VIOMMU_S_NOENT)
        log_info(viommu->unit.sluice, "%s: endpoint %#x: nobody is behind it", viommu->unit.name,
                 (unsigned)endpoint->id);
    else
        refused(viommu, endpoint->id, "ATTACH", result);
    /* Where it is now is not said, or not to be believed: out of everywhere. */
    if (from != NULL)
        status = block_locked(viommu, endpoint);
    else
        status = block_again_locked(viommu, endpoint, to);
    if (status != SLUICE_OK)
        return status;
    return from != NULL ? SLUICE_ERR_HARDWARE : meaning(result);
}

/*
 * Tells the device to forget what it may have kept of an ID from before a reset. It has nothing to
 * forget, unless it is odd; so it may answer what it likes.
 */
static enum sluice_status forget_locked(struct viommu *viommu, const struct viommu_domain *domain)
{
    const struct viommu_request request = viommu_unmap_request(
        domain->id, viommu->capability.input_first, viommu->capability.input_last);
    enum viommu_status result;

    return viommu_ask_locked(viommu, &request, &result);
}

/* Attaches, and tells the device what the domain maps when it is its first endpoint. */
static enum sluice_status attach_and_tell(struct viommu *viommu, struct viommu_endpoint *endpoint,
                                          struct viommu_domain *to)
{
    bool was_blocked = endpoint->domain == NULL;
    sluice_irqstate_t irq = sluice_spin_lock(&viommu->lock);
    enum sluice_status status = attach_locked(viommu, endpoint, to);
    enum sluice_status blocked;
    bool fresh = status == SLUICE_OK && !to->live && to->link->pt != NULL;

    if (fresh) {
        /* From here on, maps and unmaps of others tell the device too. */
        to->live = true;
        status = forget_locked(viommu, to);
    }
    sluice_spin_unlock(&viommu->lock, irq);
    if (!fresh)
        return status;
    if (status == SLUICE_OK)
        status = viommu_replay(viommu, to);
    if (status == SLUICE_OK)
        return SLUICE_OK;
    irq = sluice_spin_lock(&viommu->lock);
    blocked = block_locked(viommu, endpoint);
    sluice_spin_unlock(&viommu->lock, irq);
    if (blocked != SLUICE_OK)
        return blocked;
    return was_blocked ? status : SLUICE_ERR_HARDWARE;
}

enum sluice_status viommu_attach(struct unit *unit, struct source *source, uint32_t pasid,
                                 struct domain_link *to)
{
    struct viommu *viommu = viommu_of(unit);
    struct viommu_endpoint *endpoint;
    enum sluice_status status;
    sluice_irqstate_t irq;

    if (pasid != SLUICE_NO_PASID)
        return SLUICE_ERR_UNSUPPORTED;
    endpoint =
        to != NULL ? endpoint_get(viommu, source->id) : viommu_endpoint_find(viommu, source->id);
    if (endpoint == NULL)
        return to != NULL ? SLUICE_ERR_NO_MEMORY : SLUICE_OK;
    endpoint->refused = false;
    if (!unit->started) {
        irq = sluice_spin_lock(&viommu->lock);
        note_move(endpoint, to != NULL ? to->own : NULL);
        sluice_spin_unlock(&viommu->lock, irq);
        return SLUICE_OK;
    }
    if (to != NULL) {
        status = attach_and_tell(viommu, endpoint, to->own);
    } else {
        irq = sluice_spin_lock(&viommu->lock);
        status = block_locked(viommu, endpoint);
        sluice_spin_unlock(&viommu->lock, irq);
    }
    if (status == SLUICE_ERR_TIMEOUT || status == SLUICE_ERR_HARDWARE)
        unit_degrade(unit, "endpoint %#x could not be moved", (unsigned)source->id);
    return status;
}

bool viommu_source_refused(struct unit *unit, uint32_t id)
{
    const struct viommu_endpoint *endpoint = viommu_endpoint_find(viommu_of(unit), id);

    return endpoint != NULL && endpoint->refused;
}

static enum sluice_status restore(struct viommu *viommu, struct viommu_endpoint *endpoint,
                                  bool whole)
{
    struct viommu_domain *to = endpoint->domain;
    enum sluice_status status;
    bool answered;

    endpoint->domain = NULL; /* for the device, after its reset */
    to->endpoints--;
    status = attach_and_tell(viommu, endpoint, to);
    if (status == SLUICE_OK)
        return SLUICE_OK;
    answered = status != SLUICE_ERR_TIMEOUT && status != SLUICE_ERR_HARDWARE;
    /* Who is not there needs nothing, and may be plugged in later. */
    if (answered && (!whole || status == SLUICE_ERR_NOT_FOUND)) {
        log_warning(viommu->unit.sluice,
                    "%s: endpoint %#x: blocked, not in domain %u as before: "
                    "%s",
                    viommu->unit.name, (unsigned)endpoint->id, (unsigned)to->id,
                    sluice_status_text(status));
        endpoint->refused = true;
        return SLUICE_OK;
    }
    if (endpoint->domain == NULL) { /* as it was, for another try */
        endpoint->domain = to;
        to->endpoints++;
    }
    return status;
}

/* An endpoint that is in no domain of ours; nothing is owed to one that is not there. */
static enum sluice_status block_id(struct viommu *viommu, uint32_t id)
{
    const struct viommu_endpoint *known = viommu_endpoint_find(viommu, id);
    enum viommu_status result;
    enum sluice_status status;
    sluice_irqstate_t irq;

    if (known != NULL && known->domain != NULL)
        return SLUICE_OK;
    irq = sluice_spin_lock(&viommu->lock);
    status = put_locked(viommu, id, viommu->block_id, 0, &result);
    sluice_spin_unlock(&viommu->lock, irq);
    if (status == SLUICE_OK && result != VIOMMU_S_OK && result != VIOMMU_S_NOENT)
        refused(viommu, id, "ATTACH", result);
    return status;
}

/* The device may say that it is not there: then it is out. */
static enum sluice_status release_id(struct viommu *viommu, uint32_t id)
{
    const struct viommu_endpoint *known = viommu_endpoint_find(viommu, id);
    const struct viommu_request request = viommu_detach_request(
        known != NULL && known->domain != NULL ? known->domain->id : viommu->block_id, id);
    sluice_irqstate_t irq = sluice_spin_lock(&viommu->lock);
    enum viommu_status result;
    enum sluice_status status = viommu_ask_locked(viommu, &request, &result);

    sluice_spin_unlock(&viommu->lock, irq);
    return status;
}

/** What is done for each function that answers. */
struct visit {
    struct viommu *viommu;
    enum sluice_status (*each)(struct viommu *viommu, uint32_t id);
    enum sluice_status status;
};

static bool visit_function(void *arg, uint16_t segment, uint16_t rid)
{
    struct visit *visit = arg;
    struct viommu *viommu = visit->viommu;
    struct sluice *sluice = viommu->unit.sluice;
    const struct platform_unit *desc = viommu->unit.desc;
    uint16_t rids[PCI_MAX_ALIASES];
    unsigned count;
    uint32_t id;

    if (pci_find_unit(sluice, segment, rid) != desc ||
        (desc->on_pci && segment == desc->segment && rid == desc->rid))
        return true;
    count = pci_requester_ids(sluice, segment, rid, rids);
    for (unsigned i = 0; i < count && visit->status == SLUICE_OK; i++) {
        if (pci_find_source(sluice, desc, segment, rids[i], &id) != NULL)
            visit->status = visit->each(viommu, id);
    }
    return visit->status == SLUICE_OK;
}

static void visit_scope(struct visit *visit, const struct platform_scope *scope)
{
    struct sluice *sluice = visit->viommu->unit.sluice;

    if (scope->kind == PLATFORM_SCOPE_NAMED) {
        for (uint32_t i = 0; i < scope->id_count && visit->status == SLUICE_OK; i++)
            visit->status = visit->each(visit->viommu, scope->first_id + i);
        return;
    }
    if (scope->kind != PLATFORM_SCOPE_PCI_RANGE || sluice->ops->pci_read == NULL)
        return;
    for (uint32_t segment = scope->segment; segment <= scope->last_segment; segment++)
        pci_visit_buses(sluice, (uint16_t)segment, SLUICE_RID_BUS(scope->first_rid),
                        SLUICE_RID_BUS(scope->last_rid), visit_function, visit);
}

/* Everybody whom firmware names, as far as they are there. */
static enum sluice_status visit_all(struct viommu *viommu,
                                    enum sluice_status (*each)(struct viommu *viommu, uint32_t id))
{
    struct visit visit = {viommu, each, SLUICE_OK};

    list_for_each(node, &viommu->unit.desc->scopes)
    {
        visit_scope(&visit, container_of(node, struct platform_scope, node));
    }
    return visit.status;
}

void viommu_endpoints_release(struct viommu *viommu)
{
    if (visit_all(viommu, release_id) != SLUICE_OK)
        log_warning(viommu->unit.sluice, "%s: its domains are left to its reset",
                    viommu->unit.name);
}

enum sluice_status viommu_endpoints_restore(struct viommu *viommu, bool whole)
{
    enum sluice_status status = SLUICE_OK;

    list_for_each(node, &viommu->domains)
    {
        struct viommu_domain *domain = container_of(node, struct viommu_domain, node);

        told_clear(&domain->told);
        domain->live = domain->doubtful = false;
    }
    list_for_each(node, &viommu->endpoints)
    {
        struct viommu_endpoint *endpoint = container_of(node, struct viommu_endpoint, node);

        if (status == SLUICE_OK && endpoint->domain != NULL)
            status = restore(viommu, endpoint, whole);
    }
    return status == SLUICE_OK ? visit_all(viommu, block_id) : status;
}

/* ---- what the device says of an endpoint ---- */

/** A walk over properties. */
struct properties {
    struct viommu *viommu;
    const struct viommu_endpoint *endpoint;
    uint32_t at;   /**< of the next one */
    uint32_t from; /**< of this one's value */
    uint16_t type;
    uint16_t bytes;
};

/* What is reserved there is not known, so nothing may be mapped for it. */
static void absurd(const struct properties *walk, const char *why)
{
    log_error(walk->viommu->unit.sluice,
              "%s: endpoint %#x: property %#x at %#x, %u bytes: %s: the endpoint is not used",
              walk->viommu->unit.name, (unsigned)walk->endpoint->id, (unsigned)walk->type,
              (unsigned)(walk->from - PROPERTY_HEAD), (unsigned)walk->bytes, why);
}

/* The next property, up to the first of no type. Returns: OK; NOT_FOUND; HARDWARE (absurd). */
static enum sluice_status next_property(struct properties *walk)
{
    const uint8_t *properties = walk->viommu->queue.probe.virt;
    uint32_t most = walk->viommu->capability.probe_bytes;

    if (most - walk->at < PROPERTY_HEAD)
        return SLUICE_ERR_NOT_FOUND;
    __builtin_memcpy(&walk->type, properties + walk->at, sizeof(walk->type));
    __builtin_memcpy(&walk->bytes, properties + walk->at + 2, sizeof(walk->bytes));
    walk->type &= VIOMMU_PROPERTY_TYPE_MASK;
    walk->from = walk->at + PROPERTY_HEAD;
    if (walk->type == VIOMMU_PROPERTY_NONE)
        return SLUICE_ERR_NOT_FOUND;
    if (walk->bytes > most - walk->from) {
        absurd(walk, "more than there are");
        return SLUICE_ERR_HARDWARE;
    }
    walk->at = walk->from + walk->bytes;
    return SLUICE_OK;
}

/* The next region. Returns as next_property. */
static enum sluice_status next_region(struct properties *walk, struct sluice_reserved_region *out)
{
    const uint8_t *value;
    enum sluice_status status;

    do {
        status = next_property(walk);
        if (status != SLUICE_OK)
            return status;
    } while (walk->type != VIOMMU_PROPERTY_RESV_MEM);
    if (walk->bytes < VIOMMU_RESV_MEM_BYTES) {
        absurd(walk, "too short for a region");
        return SLUICE_ERR_HARDWARE;
    }
    value = (const uint8_t *)walk->viommu->queue.probe.virt + walk->from;
    out->kind =
        value[0] == VIOMMU_RESV_MEM_MSI ? SLUICE_RESERVED_INTERRUPT : SLUICE_RESERVED_SPECIAL;
    __builtin_memcpy(&out->first, value + 4, sizeof(out->first));
    __builtin_memcpy(&out->last, value + 12, sizeof(out->last));
    if (out->first > out->last) {
        absurd(walk, "a region that ends before it begins");
        return SLUICE_ERR_HARDWARE;
    }
    return SLUICE_OK;
}

/* All of its regions, or none of it. The device writes the properties, but not once it answered:
 * a walk that finds more than the one before it is as absurd as the others. */
static enum sluice_status take_regions(struct viommu *viommu, struct viommu_endpoint *endpoint)
{
    struct properties walk = {.viommu = viommu, .endpoint = endpoint};
    struct sluice_reserved_region region;
    struct sluice_reserved_region *regions = NULL;
    enum sluice_status status;
    unsigned count = 0, taken = 0;

    while ((status = next_region(&walk, &region)) == SLUICE_OK)
        count++;
    if (status != SLUICE_ERR_NOT_FOUND || count == 0)
        return status == SLUICE_ERR_NOT_FOUND ? SLUICE_OK : status;
    regions = host_alloc(viommu->unit.sluice, count * sizeof(*regions));
    if (regions == NULL)
        return SLUICE_ERR_NO_MEMORY;
    walk.at = 0;
    while ((status = next_region(&walk, &region)) == SLUICE_OK && taken < count)
        regions[taken++] = region;
    if (status != SLUICE_ERR_NOT_FOUND || taken != count) {
        host_free(viommu->unit.sluice, regions, count * sizeof(*regions));
        return SLUICE_ERR_HARDWARE;
    }
    endpoint->regions = regions;
    endpoint->region_count = count;
    return SLUICE_OK;
}

static enum sluice_status probe(struct viommu *viommu, struct viommu_endpoint *endpoint)
{
    enum viommu_status result = VIOMMU_S_NONE;
    sluice_irqstate_t irq = sluice_spin_lock(&viommu->lock);
    enum sluice_status status = viommu_ask_probe_locked(viommu, endpoint->id, &result);

    if (status == SLUICE_OK && result == VIOMMU_S_OK) {
        status = take_regions(viommu, endpoint);
    } else if (status == SLUICE_OK && result != VIOMMU_S_NOENT) {
        refused(viommu, endpoint->id, "PROBE", result);
        status = SLUICE_ERR_HARDWARE;
    }
    endpoint->probed = status == SLUICE_OK;
    sluice_spin_unlock(&viommu->lock, irq);
    return status;
}

enum sluice_status viommu_source_region(struct unit *unit, uint32_t id, unsigned index,
                                        struct sluice_reserved_region *out)
{
    struct viommu *viommu = viommu_of(unit);
    struct viommu_endpoint *endpoint;
    enum sluice_status status = SLUICE_OK;

    if (viommu->capability.probe_bytes == 0)
        return SLUICE_ERR_NOT_FOUND;
    endpoint = endpoint_get(viommu, id);
    if (endpoint == NULL)
        return SLUICE_ERR_NO_MEMORY;
    if (!unit->started && !endpoint->probed)
        return unit_is_lost(unit) ? SLUICE_ERR_HARDWARE : SLUICE_ERR_NOT_FOUND;
    if (!endpoint->probed)
        status = probe(viommu, endpoint);
    if (status != SLUICE_OK)
        return status;
    if (index >= endpoint->region_count)
        return SLUICE_ERR_NOT_FOUND;
    *out = endpoint->regions[index];
    return SLUICE_OK;
}
