// SPDX-License-Identifier: MIT
/*
 * Stage 1 of somebody else's on a stage 2 of ours [SMMU 3.4, 5.2]. The guest chooses where its
 * context descriptors are, how they are indexed, and everything they lead to. All of these
 * addresses are intermediate ones: stage 2 bounds the reading of descriptors and tables like the
 * accesses themselves. What is cached of stage 1 carries the parent's VMID and an ASID that the
 * guest chose, so two nested links of one parent are kept apart by the guest alone.
 *
 * A list of invalidations that would take more than LIST_MOST commands drops everything.
 */
#include "unit/smmu3/smmu3.h"

#define LIST_MOST        64u
#define CONTEXT_BYTES    64u
#define ASID_LAST        0xffffu
#define WITHOUT_RESERVED 3u

enum sluice_status smmu3_nested_check(const struct smmu3 *smmu3, const struct domain_link *link)
{
    const struct sluice_nested_smmu3 *guest = &link->nested->smmu3;
    const struct pt_config *config = &link->pt->config;
    uint64_t ssid_bits = SMMU3_GET(IDR1_SSIDSIZE, smmu3->capability.idr1);

    if (!smmu3_tag_of(link->parent).stage2)
        return SLUICE_ERR_UNSUPPORTED;
    if ((guest->contexts & (CONTEXT_BYTES - 1)) != 0 || guest->format > SMMU3_CONTEXTS_64K ||
        guest->without_substream >= WITHOUT_RESERVED)
        return SLUICE_ERR_INVALID;
    if (guest->contexts >> config->iova_bits != 0)
        return SLUICE_ERR_RANGE;
    if (guest->contexts_lg2 > ssid_bits ||
        (guest->contexts_lg2 != 0 && guest->format != SMMU3_CONTEXTS_LINEAR &&
         SMMU3_GET(IDR0_CD2L, smmu3->capability.idr0) == 0))
        return SLUICE_ERR_UNSUPPORTED;
    return SLUICE_OK;
}

struct smmu3_contexts smmu3_nested_contexts(const struct domain_link *link)
{
    const struct sluice_nested_smmu3 *guest = &link->nested->smmu3;
    bool one = guest->contexts_lg2 == 0; /* the rest is ignored then, and not passed on */

    return (struct smmu3_contexts){
        .table = guest->contexts,
        .format = one ? SMMU3_CONTEXTS_LINEAR : guest->format,
        .lg2 = guest->contexts_lg2,
        .without = one ? SMMU3_WITHOUT_CONTEXT : guest->without_substream,
    };
}

/* Device TLBs, after the unit's own. Whose PASID an ASID is, the guest alone knows: all of them. */
static void add_device_tlbs(struct smmu3 *smmu3, struct unit_ring_batch *batch,
                            const struct domain_link *link)
{
    bool first = true;

    list_for_each(node, &smmu3->users.list)
    {
        const struct unit_user *user = container_of(node, struct unit_user, node);

        if (user->link != link || !user->device_tlb)
            continue;
        if (first)
            smmu3_add(batch, smmu3_sync());
        first = false;
        smmu3_add(batch, smmu3_atc_inv(user->source, SLUICE_NO_PASID, 0, SMMU3_ATC_EVERYTHING));
        if (link->nested->smmu3.contexts_lg2 != 0)
            smmu3_add(batch, smmu3_atc_inv_all(user->source));
    }
}

/* Context descriptors of every stream: of one PASID, or of all. */
static void add_contexts(struct smmu3 *smmu3, struct unit_ring_batch *batch,
                         const struct domain_link *link, uint32_t pasid)
{
    bool all = pasid == SLUICE_NO_PASID || pasid >> link->nested->smmu3.contexts_lg2 != 0;

    list_for_each(node, &smmu3->users.list)
    {
        const struct unit_user *user = container_of(node, struct unit_user, node);

        if (user->link == link)
            smmu3_add(batch, all ? smmu3_cfgi_cd_all(user->source)
                                 : smmu3_cfgi_cd(user->source, pasid, false));
    }
}

void smmu3_nested_add_everything(struct smmu3 *smmu3, struct unit_ring_batch *batch,
                                 const struct domain_link *link)
{
    add_contexts(smmu3, batch, link, SLUICE_NO_PASID);
    smmu3_add(batch, smmu3_tlbi_stage1_of((uint16_t)link->tag));
    add_device_tlbs(smmu3, batch, link);
}

/*
 * The guest's page size is not known: one command for each 4 KiB is right for all of them, and a
 * range command for the wrong one would do nothing [SMMU 4.4.1.1].
 */
static void plan_range(const struct sluice_nested_invalidation *item, struct smmu3_plan *plan)
{
    struct pt_gather gather;
    const struct pt_range range = {
        .first = item->first, .last = item->last, .page_lg2 = SLUICE_PAGE_LG2, .tables = true};

    pt_gather_init(&gather);
    pt_gather_add(&gather, &range);
    smmu3_plan_make(&gather, SLUICE_PAGE_LG2, false, plan);
}

/* Commands of one item, or with a NULL batch only their number. */
static unsigned add_item(struct smmu3 *smmu3, struct unit_ring_batch *batch,
                         const struct domain_link *link,
                         const struct sluice_nested_invalidation *item)
{
    const struct smmu3_tag tag = {.id = (uint16_t)item->tag, .vmid = (uint16_t)link->tag};
    struct smmu3_plan plan = {.whole = true};

    if (item->what == SLUICE_NESTED_CONTEXTS) {
        if (batch != NULL)
            add_contexts(smmu3, batch, link, item->pasid);
        return 1;
    }
    if (item->tag > ASID_LAST)
        return 0; /* nothing can be cached under it */
    if (item->what == SLUICE_NESTED_RANGE)
        plan_range(item, &plan);
    if (batch == NULL)
        return plan.whole ? 1 : plan.count;
    if (plan.whole)
        smmu3_add(batch, smmu3_tlbi_tag(tag));
    for (unsigned i = 0; i < plan.count; i++)
        smmu3_add(batch, smmu3_tlbi_block(tag, &plan.blocks[i]));
    return 0;
}

static bool fits(struct smmu3 *smmu3, const struct unit_invalidation *what)
{
    unsigned commands = 0;

    for (unsigned i = 0; i < what->nested_count && commands <= LIST_MOST; i++) {
        if (what->nested[i].what == SLUICE_NESTED_EVERYTHING)
            return false;
        commands += add_item(smmu3, NULL, what->link, &what->nested[i]);
    }
    return commands <= LIST_MOST;
}

void smmu3_nested_add(struct smmu3 *smmu3, struct unit_ring_batch *batch,
                      const struct unit_invalidation *invalidation)
{
    if (!fits(smmu3, invalidation)) {
        smmu3_nested_add_everything(smmu3, batch, invalidation->link);
        return;
    }
    for (unsigned i = 0; i < invalidation->nested_count; i++)
        (void)add_item(smmu3, batch, invalidation->link, &invalidation->nested[i]);
    add_device_tlbs(smmu3, batch, invalidation->link);
}
