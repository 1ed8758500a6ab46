// SPDX-License-Identifier: MIT
/*
 * First stages of somebody else's on a second stage of ours [RISC-V IOMMU 2.1.3, 2.2, 2.3, 6.3].
 * The guest chooses its first stage, or the process directory that leads to its first stages, and
 * everything in them. All these addresses are the guest's: the second stage bounds the reading of
 * directories and tables like the accesses themselves. The second stage, the GSCID and the MSI page
 * table are ours, and so is every bit of TC but those that say which of the two it is and where
 * requests without a process ID go.
 *
 * What is cached of a first stage carries the GSCID of its second stage and a PSCID that the guest
 * chose, so two nested links of one parent are kept apart by the guest alone; where interrupts are
 * remapped, each device has a GSCID of its own.
 *
 * A list of invalidations that would take more than LIST_MOST commands drops everything.
 */
#include "unit/riscv/riommu.h"

#define LIST_MOST  64u
#define PSCID_BITS 20u

/* ---- what a guest says ---- */

static uint64_t mode_of(const struct sluice_nested_riscv *guest)
{
    return RIOMMU_GET(FSC_MODE, guest->first_stage);
}

/* Whether there is such a mode [RISC-V IOMMU 2.1.3.4], and whether the unit has it. */
static enum sluice_status check_mode(const struct riommu *riommu,
                                     const struct sluice_nested_riscv *guest)
{
    uint64_t first = guest->processes ? RIOMMU_MODE_PD8 : RIOMMU_MODE_SV39;
    unsigned low = guest->processes ? RIOMMU_LOW_CAP_PD8 : RIOMMU_LOW_CAP_SV39;
    uint64_t mode = mode_of(guest);

    if (mode < first || mode > first + 2)
        return SLUICE_ERR_INVALID;
    return (riommu->capability.cap >> (low + (mode - first)) & 1) != 0 ? SLUICE_OK
                                                                       : SLUICE_ERR_UNSUPPORTED;
}

enum sluice_status riommu_nested_check(const struct riommu *riommu, const struct domain_link *link)
{
    const struct sluice_nested_riscv *guest = &link->nested->riscv;
    sluice_phys_t root = RIOMMU_GET(FSC_PPN, guest->first_stage) << SLUICE_PAGE_LG2;
    enum sluice_status status;

    if (!riommu_tag_of(link->parent).second)
        return SLUICE_ERR_UNSUPPORTED;
    if ((guest->first_stage & ~(RIOMMU_MASK(FSC_MODE) | RIOMMU_MASK(FSC_PPN))) != 0 ||
        guest->tag >> PSCID_BITS != 0 || (guest->default_process && !guest->processes))
        return SLUICE_ERR_INVALID;
    if (mode_of(guest) == 0)
        return SLUICE_OK; /* bare: it leads nowhere */
    status = check_mode(riommu, guest);
    if (status == SLUICE_OK && root >> link->pt->config.iova_bits != 0)
        status = SLUICE_ERR_RANGE;
    return status;
}

struct riommu_guest_stage riommu_nested_stage(const struct domain_link *link)
{
    const struct sluice_nested_riscv *guest = &link->nested->riscv;
    bool bare = mode_of(guest) == 0;

    return (struct riommu_guest_stage){
        .fsc = bare ? 0 : guest->first_stage,
        .tag = bare || guest->processes ? 0 : guest->tag, /* ignored then, and not passed on */
        .processes = guest->processes,
        .default_process = guest->default_process,
    };
}

bool riommu_nested_takes(const struct domain_link *link, bool device_tlb)
{
    return link == NULL || link->parent == NULL || !device_tlb || !link->nested->riscv.processes;
}

/* Bits of a process ID; 0: there is no directory. */
static unsigned process_bits(const struct domain_link *link)
{
    const struct sluice_nested_riscv *guest = &link->nested->riscv;
    uint64_t mode = mode_of(guest);

    if (!guest->processes || mode == 0)
        return 0;
    return mode == RIOMMU_MODE_PD8 ? 8 : mode == RIOMMU_MODE_PD8 + 1 ? 17 : 20;
}

/* ---- invalidating ---- */

static bool is_below(const struct domain_link *link, const struct unit_user *user)
{
    return user->link == link || user->link->parent == link;
}

/* Device TLBs, after the unit's own [RISC-V IOMMU 6.3.7]; none has PASIDs of a guest's. */
static void add_device_tlbs(struct riommu *riommu, struct unit_ring_batch *batch,
                            const struct domain_link *link)
{
    bool first = true;

    list_for_each(node, &riommu->users.list)
    {
        const struct unit_user *user = container_of(node, struct unit_user, node);

        if (!user->device_tlb || user->link->nested == NULL || !is_below(link, user))
            continue;
        if (first)
            unit_ring_add(batch, riommu_fence());
        first = false;
        unit_ring_add(
            batch, riommu_ats_invalidate(user->source, SLUICE_NO_PASID, 0, RIOMMU_EVERYTHING_LG2));
    }
}

/* What is cached of directories, of every device: of one process, or of all. */
static void add_contexts(struct riommu *riommu, struct unit_ring_batch *batch,
                         const struct domain_link *link, uint32_t pasid)
{
    bool all = pasid == SLUICE_NO_PASID || pasid >> process_bits(link) != 0;

    list_for_each(node, &riommu->users.list)
    {
        const struct unit_user *user = container_of(node, struct unit_user, node);

        /* A device's own command takes what there is of its directory along [3.1.3]. */
        if (user->link == link)
            unit_ring_add(batch, all ? riommu_forget_device(user->source)
                                     : riommu_forget_process(user->source, pasid));
    }
}

static void add_plan(struct unit_ring_batch *batch, struct riommu_guest_tag tag,
                     const struct riommu_plan *plan)
{
    if (plan->whole)
        unit_ring_add(batch, riommu_invalidate_guest(tag));
    for (unsigned i = 0; i < plan->count; i++)
        unit_ring_add(batch, riommu_invalidate_guest_block(tag, &plan->blocks[i]));
}

/* Under the GSCID of the parent's, or where devices have their own under each of those. */
static void add_translations(struct riommu *riommu, struct unit_ring_batch *batch,
                             const struct domain_link *link, struct riommu_guest_tag tag,
                             const struct riommu_plan *plan)
{
    if (!riommu->remaps) {
        tag.guest = link->tag;
        add_plan(batch, tag, plan);
        return;
    }
    list_for_each(node, &riommu->users.list)
    {
        const struct unit_user *user = container_of(node, struct unit_user, node);

        tag.guest = user->tag;
        if (user->link == link)
            add_plan(batch, tag, plan);
    }
}

void riommu_nested_add_everything(struct riommu *riommu, struct unit_ring_batch *batch,
                                  const struct domain_link *link)
{
    const struct riommu_plan whole = {.whole = true};

    add_contexts(riommu, batch, link, SLUICE_NO_PASID);
    unit_ring_add(batch, riommu_fence()); /* see riommu_invalidate_device */
    add_translations(riommu, batch, link, (struct riommu_guest_tag){.one = false}, &whole);
    add_device_tlbs(riommu, batch, link);
}

/*
 * By address a guest means leaves, unless the unit can do more: then it may mean tables too, and
 * they go as well.
 */
static void plan_item(const struct riommu *riommu, const struct sluice_nested_invalidation *item,
                      struct riommu_plan *plan)
{
    bool tables = RIOMMU_HAS(riommu, NL);
    struct pt_gather gather;
    const struct pt_range range = {
        .first = item->first, .last = item->last, .page_lg2 = SLUICE_PAGE_LG2, .tables = tables};

    if (item->what != SLUICE_NESTED_RANGE) {
        riommu_plan_make(NULL, false, false, plan);
        return;
    }
    pt_gather_init(&gather);
    pt_gather_add(&gather, &range);
    riommu_plan_make(&gather, RIOMMU_HAS(riommu, S), tables, plan);
}

/* Commands of one item, or with a NULL batch only their number for one device or guest. */
static unsigned add_item(struct riommu *riommu, struct unit_ring_batch *batch,
                         const struct domain_link *link,
                         const struct sluice_nested_invalidation *item)
{
    const struct riommu_guest_tag tag = {.one = true, .id = item->tag};
    struct riommu_plan plan;

    if (item->what == SLUICE_NESTED_CONTEXTS || item->tag >> PSCID_BITS != 0)
        return item->what == SLUICE_NESTED_CONTEXTS; /* nothing can be cached under such a tag */
    plan_item(riommu, item, &plan);
    if (batch != NULL)
        add_translations(riommu, batch, link, tag, &plan);
    return plan.whole ? 1 : plan.count;
}

static unsigned users_of(const struct riommu *riommu, const struct domain_link *link)
{
    unsigned users = 0;

    list_for_each(node, &riommu->users.list)
    {
        users += container_of(node, const struct unit_user, node)->link == link;
    }
    return users;
}

static bool fits(struct riommu *riommu, const struct unit_invalidation *what)
{
    unsigned users = users_of(riommu, what->link);
    unsigned commands = 0;

    for (unsigned i = 0; i < what->nested_count && commands <= LIST_MOST; i++) {
        if (what->nested[i].what == SLUICE_NESTED_EVERYTHING)
            return false;
        commands += add_item(riommu, NULL, what->link, &what->nested[i]) * (users + 1);
    }
    return commands <= LIST_MOST;
}

void riommu_nested_add(struct riommu *riommu, struct unit_ring_batch *batch,
                       const struct unit_invalidation *invalidation)
{
    bool contexts = false;

    if (!fits(riommu, invalidation)) {
        riommu_nested_add_everything(riommu, batch, invalidation->link);
        return;
    }
    for (unsigned i = 0; i < invalidation->nested_count; i++) {
        const struct sluice_nested_invalidation *item = &invalidation->nested[i];

        if (item->what != SLUICE_NESTED_CONTEXTS)
            continue;
        add_contexts(riommu, batch, invalidation->link, item->pasid);
        contexts = true;
    }
    /* All contexts before all translations, however the guest has them: see
     * riommu_invalidate_device. */
    if (contexts)
        unit_ring_add(batch, riommu_fence());
    for (unsigned i = 0; i < invalidation->nested_count; i++)
        (void)add_item(riommu, batch, invalidation->link, &invalidation->nested[i]);
    add_device_tlbs(riommu, batch, invalidation->link);
}

void riommu_nested_add_below(struct riommu *riommu, struct unit_ring_batch *batch,
                             const struct domain_link *parent)
{
    if (riommu->remaps) {
        list_for_each(node, &riommu->users.list)
        {
            const struct unit_user *user = container_of(node, struct unit_user, node);

            if (user->link->parent == parent)
                unit_ring_add(batch, riommu_invalidate_tag(
                                         (struct riommu_tag){.second = true, .id = user->tag}));
        }
    }
    unit_ring_add(batch, riommu_fence());
    list_for_each(node, &riommu->users.list)
    {
        const struct unit_user *user = container_of(node, struct unit_user, node);

        if (user->link->parent == parent)
            unit_ring_add(batch, riommu_forget_device(user->source));
    }
    add_device_tlbs(riommu, batch, parent);
}
