// SPDX-License-Identifier: MIT
/*
 * What has to be invalidated when [RISC-V IOMMU 6.3].
 */
#include "unit/riscv/riommu.h"

/** Users of a link that are named one by one; with more, everything of every guest goes. */
#define USERS_NAMED 8u

/* A unit_device_tlb_sink (arg: the batch). */
static void add_device_tlb(void *arg, const struct unit_user *user, uint64_t address, unsigned lg2)
{
    unit_ring_add(arg, riommu_ats_invalidate(user->source, user->pasid, address, lg2));
}

/*
 * Device TLBs after the unit's own: in another order, a device could be given the old translation
 * again [RISC-V IOMMU 6.3.7]. Only an IOFENCE.C keeps commands in order.
 */
static void add_device_tlbs(struct unit_ring_batch *batch, struct riommu *riommu,
                            const struct unit_invalidation *invalidation)
{
    unit_ring_add(batch, riommu_fence());
    unit_users_device_tlbs_locked(&riommu->users, invalidation, add_device_tlb, batch);
}

static void add_plan(struct unit_ring_batch *batch, struct riommu_tag tag,
                     const struct riommu_plan *plan)
{
    if (plan->whole)
        unit_ring_add(batch, riommu_invalidate_tag(tag));
    for (unsigned i = 0; i < plan->count; i++)
        unit_ring_add(batch, riommu_invalidate_block(tag, &plan->blocks[i]));
}

/* The same under the tag of each device that uses the link. */
static void add_users(struct unit_ring_batch *batch, struct riommu *riommu,
                      const struct domain_link *link, const struct riommu_plan *plan)
{
    unsigned users = 0;

    list_for_each(node, &riommu->users.list)
    {
        users += container_of(node, struct unit_user, node)->link == link;
    }
    if (users > USERS_NAMED) {
        unit_ring_add(batch, riommu_invalidate_all(true));
        return;
    }
    list_for_each(node, &riommu->users.list)
    {
        const struct unit_user *user = container_of(node, struct unit_user, node);

        if (user->link == link)
            add_plan(batch, (struct riommu_tag){.second = true, .id = user->tag}, plan);
    }
}

/* Of a link that is not nested itself. */
static void add_ranges(struct unit_ring_batch *batch, struct riommu *riommu,
                       const struct unit_invalidation *invalidation)
{
    const struct domain_link *link = invalidation->link;
    /* Acquire, both: pairs with who counts before it lets the unit walk. */
    bool below = atomic_load_explicit(&link->children, memory_order_acquire) > 0;
    struct riommu_plan plan;

    /* What both stages come to together is cached by addresses that are not known here. A unit has
     * to find it by the second stage's [RISC-V IOMMU 3.1.1], but there are some that look for these
     * among the first stage's (QEMU's). */
    riommu_plan_make(below ? NULL : invalidation->gather, RIOMMU_HAS(riommu, S),
                     RIOMMU_HAS(riommu, NL), &plan);
    if (riommu->remaps)
        add_users(batch, riommu, link, &plan);
    else
        add_plan(batch, riommu_tag_of(link), &plan);
    if (below)
        riommu_nested_add_below(riommu, batch, link);
    if (atomic_load_explicit(&link->ats_sources, memory_order_acquire) > 0)
        add_device_tlbs(batch, riommu, invalidation);
}

enum sluice_status riommu_invalidate_submit(struct unit *unit,
                                            const struct unit_invalidation *invalidation,
                                            struct unit_ticket *out_ticket)
{
    struct riommu *riommu = riommu_of(unit);
    const struct domain_link *link = invalidation->link;
    struct unit_ring_batch batch;

    *out_ticket = (struct unit_ticket){.since_ns = 0};
    /* Not started: nothing walks our tables, and start invalidates everything. */
    if (!unit->started || link->pt == NULL)
        return SLUICE_OK;
    unit_ring_begin(&riommu->ring, &batch);
    if (link->parent == NULL)
        add_ranges(&batch, riommu, invalidation);
    else if (invalidation->nested != NULL)
        riommu_nested_add(riommu, &batch, invalidation);
    else
        riommu_nested_add_everything(riommu, &batch, link);
    return unit_ring_end(&batch, out_ticket);
}

enum sluice_status riommu_invalidate_wait(struct unit *unit, const struct unit_ticket *ticket)
{
    if (ticket->value[0] == ticket->value[1])
        return SLUICE_OK; /* nothing was submitted */
    return unit_ring_wait(&riommu_of(unit)->ring, ticket);
}

static bool has_first_stage(const struct riommu *riommu)
{
    return (riommu->capability.cap & (RIOMMU_MASK(CAP_SV32) | RIOMMU_MASK(CAP_SV39) |
                                      RIOMMU_MASK(CAP_SV48) | RIOMMU_MASK(CAP_SV57))) != 0;
}

static bool has_second_stage(const struct riommu *riommu)
{
    return (riommu->capability.cap & (RIOMMU_MASK(CAP_SV32X4) | RIOMMU_MASK(CAP_SV39X4) |
                                      RIOMMU_MASK(CAP_SV48X4) | RIOMMU_MASK(CAP_SV57X4))) != 0;
}

enum sluice_status riommu_invalidate_everything(struct riommu *riommu)
{
    struct unit_ring_batch batch;

    unit_ring_begin(&riommu->ring, &batch);
    unit_ring_add(&batch, riommu_forget_devices());
    if (has_first_stage(riommu))
        unit_ring_add(&batch, riommu_invalidate_all(false));
    if (has_second_stage(riommu))
        unit_ring_add(&batch, riommu_invalidate_all(true));
    return unit_ring_finish(&batch);
}

/* What was cached through a context that is no more [RISC-V IOMMU 6.3.1]. */
static void add_translations_of(struct unit_ring_batch *batch, const struct riommu_context *old)
{
    uint64_t tc = old->word[RIOMMU_WORD_TC];
    uint64_t iohgatp = old->word[RIOMMU_WORD_IOHGATP];
    struct riommu_tag tag = {.second = RIOMMU_GET(IOHGATP_MODE, iohgatp) != 0};

    if (RIOMMU_GET(TC_V, tc) == 0)
        return;
    if (!tag.second && RIOMMU_GET(TC_PDTV, tc) != 0) {
        unit_ring_add(batch, riommu_invalidate_all(false));
        return;
    }
    tag.id = (uint32_t)(tag.second ? RIOMMU_GET(IOHGATP_GSCID, iohgatp)
                                   : RIOMMU_GET(TA_PSCID, old->word[RIOMMU_WORD_TA]));
    if (riommu_context_is_nested(old))
        unit_ring_add(batch, riommu_invalidate_guest((struct riommu_guest_tag){.guest = tag.id}));
    if (tag.second || RIOMMU_GET(FSC_MODE, old->word[RIOMMU_WORD_FSC]) != 0)
        unit_ring_add(batch, riommu_invalidate_tag(tag));
}

enum sluice_status riommu_invalidate_first_stages(struct riommu *riommu, uint32_t guest)
{
    struct unit_ring_batch batch;

    unit_ring_begin(&riommu->ring, &batch);
    unit_ring_add(&batch, riommu_invalidate_guest((struct riommu_guest_tag){.guest = guest}));
    return unit_ring_finish(&batch);
}

enum sluice_status riommu_invalidate_device(struct riommu *riommu, uint32_t device,
                                            const struct riommu_context *old, bool device_tlb)
{
    struct unit_ring_batch batch;

    unit_ring_begin(&riommu->ring, &batch);
    unit_ring_add(&batch, riommu_forget_device(device));
    /* Else the unit could walk with the old context once more, after what it had walked before was
     * dropped: a device's own tag stays in use, and so does a guest's. Only an IOFENCE.C keeps
     * commands in order. */
    if (riommu->remaps || riommu_context_is_nested(old))
        unit_ring_add(&batch, riommu_fence());
    add_translations_of(&batch, old);
    if (device_tlb) {
        unit_ring_add(&batch, riommu_fence());
        unit_ring_add(&batch,
                      riommu_ats_invalidate(device, SLUICE_NO_PASID, 0, RIOMMU_EVERYTHING_LG2));
    }
    return unit_ring_finish(&batch);
}

enum sluice_status riommu_invalidate_process(struct riommu *riommu, uint32_t device, uint32_t pasid,
                                             const struct riommu_process_context *old,
                                             bool device_tlb)
{
    const struct riommu_tag tag = {.id = (uint32_t)RIOMMU_GET(PC_PSCID, old->ta)};
    struct unit_ring_batch batch;

    unit_ring_begin(&riommu->ring, &batch);
    unit_ring_add(&batch, riommu_forget_process(device, pasid));
    if (RIOMMU_GET(PC_V, old->ta) != 0 && RIOMMU_GET(FSC_MODE, old->fsc) != 0)
        unit_ring_add(&batch, riommu_invalidate_tag(tag)); /* [RISC-V IOMMU 6.3.2] */
    if (device_tlb) {
        unit_ring_add(&batch, riommu_fence());
        unit_ring_add(&batch, riommu_ats_invalidate(device, pasid != 0 ? pasid : SLUICE_NO_PASID, 0,
                                                    RIOMMU_EVERYTHING_LG2));
    }
    return unit_ring_finish(&batch);
}

enum sluice_status riommu_invalidate_messages(struct riommu *riommu,
                                              const struct riommu_messages *messages,
                                              uint32_t first, uint32_t count)
{
    struct unit_ring_batch batch;

    unit_ring_begin(&riommu->ring, &batch);
    list_for_each(node, &riommu->devices)
    {
        const struct riommu_device *device = container_of(node, struct riommu_device, node);
        const struct riommu_tag tag = {.second = true, .id = device->tag};

        if (device->messages != messages)
            continue;
        if (count > RIOMMU_PLAN_MAX)
            unit_ring_add(&batch, riommu_invalidate_tag(tag));
        for (uint32_t i = 0; i < count && count <= RIOMMU_PLAN_MAX; i++) {
            const struct riommu_block page = {
                .address = riommu->window + ((uint64_t)(first + i) << SLUICE_PAGE_LG2), .lg2 = 12};

            unit_ring_add(&batch, riommu_invalidate_block(tag, &page));
        }
    }
    return unit_ring_finish(&batch);
}
