// SPDX-License-Identifier: MIT
/*
 * What has to be invalidated when [AMD 2.4].
 */
#include "unit/amd/amdvi.h"

#define CHUNK 2048u /* commands between two waits, where everything goes one by one */

/* A unit_device_tlb_sink (arg: the batch). */
static void add_device_tlb(void *arg, const struct unit_user *user, uint64_t address, unsigned lg2)
{
    const struct amdvi_device_tlb request = {
        .device = (uint16_t)user->source,
        .queue = (uint16_t)user->source,
        .outstanding = user->depth != 0 ? user->depth : 32, /* [PCIe 10.5.1.2] */
        .size_lg2 = lg2,
        .address = address,
    };

    amdvi_add_remote(arg, amdvi_command_device_tlb(&request));
}

/*
 * Device TLBs after the unit's own caches: in another order, a device could be given the old
 * translation again. Only a barrier keeps commands in order.
 */
static void add_device_tlbs(struct unit_ring_batch *batch, struct amdvi *amdvi,
                            const struct unit_invalidation *invalidation)
{
    amdvi_add(batch, amdvi_command_barrier());
    unit_users_device_tlbs_locked(&amdvi->users, invalidation, add_device_tlb, batch);
}

enum sluice_status amdvi_invalidate_submit(struct unit *unit,
                                           const struct unit_invalidation *invalidation,
                                           struct unit_ticket *out_ticket)
{
    struct amdvi *amdvi = amdvi_of(unit);
    struct unit_ring_batch batch;
    struct amdvi_plan plan;

    *out_ticket = (struct unit_ticket){.since_ns = 0};
    if (!unit->started)
        return SLUICE_OK; /* nothing walks our tables: start invalidates everything */
    amdvi_plan_make(invalidation->gather, &plan);
    unit_ring_begin(&amdvi->ring, &batch);
    for (unsigned i = 0; i < plan.count; i++)
        amdvi_add(&batch,
                  amdvi_command_pages((uint16_t)invalidation->link->tag, plan.blocks[i].address,
                                      plan.blocks[i].size_lg2, plan.blocks[i].tables));
    /* Acquire: pairs with source_switch_locked, which counts before it lets the unit walk. */
    if (atomic_load_explicit(&invalidation->link->ats_sources, memory_order_acquire) > 0)
        add_device_tlbs(&batch, amdvi, invalidation);
    return unit_ring_end(&batch, out_ticket);
}

enum sluice_status amdvi_invalidate_wait(struct unit *unit, const struct unit_ticket *ticket)
{
    if (ticket->value[0] == ticket->value[1])
        return SLUICE_OK; /* nothing was submitted: the unit was not started */
    return unit_ring_wait(&amdvi_of(unit)->ring, ticket);
}

/* Without INVALIDATE_IOMMU_ALL: each entry, then each domain [AMD 2.4.8]. */
static enum sluice_status invalidate_one_by_one(struct amdvi *amdvi)
{
    enum sluice_status status = SLUICE_OK;

    for (uint32_t first = 0; first < 2 * AMDVI_DEVICES && status == SLUICE_OK; first += CHUNK) {
        struct unit_ring_batch batch;

        unit_ring_begin(&amdvi->ring, &batch);
        for (uint32_t i = first; i < first + CHUNK; i++)
            amdvi_add(&batch, i < AMDVI_DEVICES ? amdvi_command_device((uint16_t)i)
                                                : amdvi_command_pages((uint16_t)i, 0,
                                                                      AMDVI_EVERYTHING_LG2, true));
        status = unit_ring_finish(&batch);
    }
    return status;
}

enum sluice_status amdvi_invalidate_everything(struct amdvi *amdvi)
{
    struct unit_ring_batch batch;

    if (!amdvi->capability.invalidate_all)
        return invalidate_one_by_one(amdvi);
    unit_ring_begin(&amdvi->ring, &batch);
    amdvi_add(&batch, amdvi_command_all());
    return unit_ring_finish(&batch);
}

enum sluice_status amdvi_invalidate_entry(struct amdvi *amdvi,
                                          const struct amdvi_entry_change *change)
{
    struct unit_ring_batch batch;

    unit_ring_begin(&amdvi->ring, &batch);
    amdvi_add(&batch, amdvi_command_device(change->rid));
    amdvi_add(&batch, amdvi_command_pages(change->domain, 0, AMDVI_EVERYTHING_LG2, true));
    if (change->user != NULL) {
        amdvi_add(&batch, amdvi_command_barrier());
        add_device_tlb(&batch, change->user, 0, AMDVI_EVERYTHING_LG2);
    }
    return unit_ring_finish(&batch);
}

enum sluice_status amdvi_invalidate_interrupts(struct amdvi *amdvi,
                                               const struct amdvi_interrupt_table *table,
                                               bool entries)
{
    struct unit_ring_batch batch;
    enum sluice_status status;

    if (!amdvi->unit.started)
        return SLUICE_OK; /* start invalidates everything */
    unit_ring_begin(&amdvi->ring, &batch);
    list_for_each(node, &table->users)
    {
        uint16_t rid = container_of(node, struct amdvi_interrupt_user, node)->rid;

        if (entries)
            amdvi_add(&batch, amdvi_command_device(rid));
        amdvi_add(&batch, amdvi_command_interrupts(rid));
    }
    status = unit_ring_finish(&batch);
    if (status != SLUICE_OK)
        unit_degrade(&amdvi->unit, "an invalidation of interrupt entries was not confirmed");
    return status;
}
