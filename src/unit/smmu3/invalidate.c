// SPDX-License-Identifier: MIT
/*
 * What has to be invalidated when [SMMU 4.3, 4.4, 4.5].
 */
#include "unit/smmu3/smmu3.h"

static unsigned page_lg2_of(const struct domain_link *link)
{
    return (unsigned)__builtin_ctzll(link->pt->config.page_sizes);
}

/* A unit_device_tlb_sink (arg: the batch). */
static void add_device_tlb(void *arg, const struct unit_user *user, uint64_t address, unsigned lg2)
{
    unsigned pages_lg2 = lg2 < UNIT_EVERYTHING_LG2 ? lg2 - SLUICE_PAGE_LG2 : SMMU3_ATC_EVERYTHING;

    smmu3_add(arg, smmu3_atc_inv(user->source, user->pasid, address, pages_lg2));
}

/*
 * Device TLBs after the unit's own: in another order, a device could be given the old translation
 * again. Only a CMD_SYNC keeps commands in order [SMMU 3.9.1].
 */
static void add_device_tlbs(struct unit_ring_batch *batch, struct smmu3 *smmu3,
                            const struct unit_invalidation *invalidation)
{
    smmu3_add(batch, smmu3_sync());
    unit_users_device_tlbs_locked(&smmu3->users, invalidation, add_device_tlb, batch);
}

/*
 * What is nested on the link: the unit keeps what both stages come to together, by addresses that
 * are not known here, and so do devices. Stage 2 is forgotten first, so that nothing is made of it
 * anew [SMMU 4.4.3].
 */
static void add_nested(struct unit_ring_batch *batch, struct smmu3 *smmu3,
                       const struct domain_link *link)
{
    bool first = true;

    smmu3_add(batch, smmu3_sync());
    smmu3_add(batch, smmu3_tlbi_stage1_of((uint16_t)link->tag));
    list_for_each(node, &smmu3->users.list)
    {
        const struct unit_user *user = container_of(node, struct unit_user, node);

        if (user->link->parent != link || !user->device_tlb)
            continue;
        if (first)
            smmu3_add(batch, smmu3_sync());
        first = false;
        smmu3_add(batch, smmu3_atc_inv(user->source, SLUICE_NO_PASID, 0, SMMU3_ATC_EVERYTHING));
        if (user->link->nested->smmu3.contexts_lg2 != 0)
            smmu3_add(batch, smmu3_atc_inv_all(user->source));
    }
}

/* Of a link that is not nested itself. */
static void add_ranges(struct unit_ring_batch *batch, struct smmu3 *smmu3,
                       const struct unit_invalidation *invalidation)
{
    const struct domain_link *link = invalidation->link;
    const struct smmu3_tag tag = smmu3_tag_of(link);
    struct smmu3_plan plan;

    smmu3_plan_make(invalidation->gather, page_lg2_of(link),
                    SMMU3_GET(IDR3_RIL, smmu3->capability.idr3) != 0, &plan);
    if (plan.whole)
        smmu3_add(batch, smmu3_tlbi_tag(tag));
    for (unsigned i = 0; i < plan.count; i++)
        smmu3_add(batch, smmu3_tlbi_block(tag, &plan.blocks[i]));
    /* Acquire, both: pairs with who counts before it lets the unit walk. */
    if (atomic_load_explicit(&link->children, memory_order_acquire) > 0)
        add_nested(batch, smmu3, link);
    if (atomic_load_explicit(&link->ats_sources, memory_order_acquire) > 0)
        add_device_tlbs(batch, smmu3, invalidation);
}

enum sluice_status smmu3_invalidate_submit(struct unit *unit,
                                           const struct unit_invalidation *invalidation,
                                           struct unit_ticket *out_ticket)
{
    struct smmu3 *smmu3 = smmu3_of(unit);
    const struct domain_link *link = invalidation->link;
    struct unit_ring_batch batch;

    *out_ticket = (struct unit_ticket){.since_ns = 0};
    /* Not started: nothing walks our tables, and start invalidates everything. */
    if (!unit->started || link->pt == NULL)
        return SLUICE_OK;
    unit_ring_begin(&smmu3->ring, &batch);
    if (link->parent == NULL)
        add_ranges(&batch, smmu3, invalidation);
    else if (invalidation->nested != NULL)
        smmu3_nested_add(smmu3, &batch, invalidation);
    else
        smmu3_nested_add_everything(smmu3, &batch, link);
    return unit_ring_end(&batch, out_ticket);
}

enum sluice_status smmu3_invalidate_wait(struct unit *unit, const struct unit_ticket *ticket)
{
    if (ticket->value[0] == ticket->value[1])
        return SLUICE_OK; /* nothing was submitted */
    return unit_ring_wait(&smmu3_of(unit)->ring, ticket);
}

enum sluice_status smmu3_invalidate_everything(struct smmu3 *smmu3)
{
    struct unit_ring_batch batch;

    unit_ring_begin(&smmu3->ring, &batch);
    smmu3_add(&batch, smmu3_cfgi_all());
    if (SMMU3_GET(IDR0_HYP, smmu3->capability.idr0) != 0)
        smmu3_add(&batch, smmu3_command(SMMU3_TLBI_EL2_ALL, 0, 0));
    smmu3_add(&batch, smmu3_command(SMMU3_TLBI_NSNH_ALL, 0, 0));
    return unit_ring_finish(&batch);
}

/* Whether the device may keep translations of PASIDs; one that knows none may not be asked to drop
 * them. Context: ring.lock. */
static bool has_pasids(struct smmu3 *smmu3, uint32_t sid)
{
    list_for_each(node, &smmu3->users.list)
    {
        const struct unit_user *user = container_of(node, struct unit_user, node);

        if (user->source == sid &&
            (user->pasid != SLUICE_NO_PASID ||
             (user->link->parent != NULL && user->link->nested->smmu3.contexts_lg2 != 0)))
            return true;
    }
    return false;
}

enum sluice_status smmu3_invalidate_stream(struct smmu3 *smmu3, uint32_t sid, bool device_tlb)
{
    struct unit_ring_batch batch;

    unit_ring_begin(&smmu3->ring, &batch);
    smmu3_add(&batch, smmu3_cfgi_ste(sid, true));
    if (device_tlb) {
        smmu3_add(&batch, smmu3_sync());
        smmu3_add(&batch, smmu3_atc_inv(sid, SLUICE_NO_PASID, 0, SMMU3_ATC_EVERYTHING));
        if (has_pasids(smmu3, sid))
            smmu3_add(&batch, smmu3_atc_inv_all(sid));
    }
    return unit_ring_finish(&batch);
}

enum sluice_status smmu3_invalidate_context(struct smmu3 *smmu3, uint32_t sid, uint32_t pasid,
                                            bool device_tlb)
{
    struct unit_ring_batch batch;

    unit_ring_begin(&smmu3->ring, &batch);
    smmu3_add(&batch, smmu3_cfgi_cd(sid, pasid, true));
    if (device_tlb) {
        smmu3_add(&batch, smmu3_sync());
        smmu3_add(&batch, smmu3_atc_inv(sid, pasid, 0, SMMU3_ATC_EVERYTHING));
    }
    return unit_ring_finish(&batch);
}

enum sluice_status smmu3_invalidate_context_path(struct smmu3 *smmu3, uint32_t sid, uint32_t pasid)
{
    struct unit_ring_batch batch;

    unit_ring_begin(&smmu3->ring, &batch);
    smmu3_add(&batch, smmu3_cfgi_cd(sid, pasid, false));
    return unit_ring_finish(&batch);
}

enum sluice_status smmu3_invalidate_first_level(struct smmu3 *smmu3, uint32_t sid)
{
    struct unit_ring_batch batch;

    unit_ring_begin(&smmu3->ring, &batch);
    smmu3_add(&batch, smmu3_cfgi_ste(sid, false));
    return unit_ring_finish(&batch);
}
