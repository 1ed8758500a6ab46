// SPDX-License-Identifier: MIT
/*
 * PASIDs of a source: requests that carry one go through a domain of their own, beside those that
 * carry none, which attach.c is about. What a caller of the library may do with them comes with
 * shared virtual memory; this is the bookkeeping that units' contract asks for.
 */
#include "domain/domain.h"

/** Where the pointer to a PASID's record is, or to the NULL behind the last one. */
static struct source_pasid **find_place(struct source *source, uint32_t pasid)
{
    struct source_pasid **place = &source->pasids;

    while (*place != NULL && (*place)->pasid != pasid)
        place = &(*place)->next;
    return place;
}

void pasid_forget(struct sluice *sluice, struct source_pasid **place)
{
    struct source_pasid *gone = *place;

    *place = gone->next;
    host_free(sluice, gone, sizeof(*gone));
}

/** Points the PASID at a link, or at none, and keeps the counts. */
static enum sluice_status switch_pasid(struct source *source, struct source_pasid *record,
                                       struct domain_link *to)
{
    struct domain_link *from = record->link;
    enum sluice_status status;

    link_count_device_tlb(source, to, true);
    status = source->unit->ops->attach(source->unit, source, record->pasid, to);
    if (status == SLUICE_OK && unit_is_lost(source->unit))
        status = SLUICE_ERR_HARDWARE;
    if (status != SLUICE_OK)
        link_count_device_tlb(source, to, false);
    /* Refusing has nothing to fall back to: whatever went wrong, it is not confirmed. */
    if (status == SLUICE_ERR_TIMEOUT || status == SLUICE_ERR_HARDWARE ||
        (status != SLUICE_OK && to == NULL)) {
        link_distrust(from);
        link_distrust(to);
        to = NULL;
    } else if (status != SLUICE_OK) {
        return status;
    }
    link_count_device_tlb(source, from, false);
    if (from != NULL)
        from->sources--;
    record->link = to;
    if (to != NULL)
        to->sources++;
    return status;
}

/** The record of a PASID, made if there is none. Returns: OK; NO_MEMORY. */
static enum sluice_status get_record(struct source *source, uint32_t pasid,
                                     struct source_pasid ***out_place)
{
    struct source_pasid **place = find_place(source, pasid);

    if (*place == NULL) {
        *place = host_alloc(source->unit->sluice, sizeof(**place));
        if (*place == NULL)
            return SLUICE_ERR_NO_MEMORY;
        (*place)->pasid = pasid;
    }
    *out_place = place;
    return SLUICE_OK;
}

/** From the link it has, which may be none, to another or none; a record without a link goes. */
static enum sluice_status move_pasid(struct source *source, uint32_t pasid, struct domain_link *to)
{
    struct source_pasid **place;
    enum sluice_status status = get_record(source, pasid, &place);
    struct domain_link *from;

    if (status != SLUICE_OK)
        return status;
    from = (*place)->link;
    if (from != to)
        status = switch_pasid(source, *place, to);
    if (from != NULL && from != (*place)->link)
        domain_link_put_locked(from);
    if ((*place)->link == NULL)
        pasid_forget(source->unit->sluice, place);
    return status;
}

enum sluice_status source_pasid_attach_locked(struct source *source, uint32_t pasid,
                                              struct sluice_domain *domain)
{
    struct domain_link *link = NULL;
    enum sluice_status status;

    if (pasid == 0 || pasid == SLUICE_NO_PASID)
        return SLUICE_ERR_INVALID;
    if (source->unit->caps.pasid_bits < 32 && pasid >> source->unit->caps.pasid_bits != 0)
        return SLUICE_ERR_UNSUPPORTED;
    if (domain == NULL)
        return *find_place(source, pasid) != NULL ? move_pasid(source, pasid, NULL) : SLUICE_OK;
    status = domain_link_get_locked(domain, source->unit, &link);
    if (status != SLUICE_OK)
        return status;
    status = link->pt != NULL ? move_pasid(source, pasid, link) : SLUICE_ERR_UNSUPPORTED;
    domain_link_put_locked(link);
    return status;
}

void source_pasids_drop_locked(struct source *source)
{
    while (source->pasids != NULL) {
        uint32_t pasid = source->pasids->pasid;

        /* Its record goes whatever this returns, and a timeout has withheld the tables. */
        if (move_pasid(source, pasid, NULL) != SLUICE_OK)
            log_error(source->unit->sluice, "%s: source %#x: PASID %u is not confirmed to be gone",
                      source->unit->name, (unsigned)source->id, (unsigned)pasid);
    }
}
