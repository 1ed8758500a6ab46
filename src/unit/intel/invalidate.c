// SPDX-License-Identifier: MIT
/*
 * What has to be invalidated when, by queue or by registers [VT-d 6.5, 6.6].
 */
#include "unit/intel/vtd.h"

static struct vtd_plan_limits limits_of(struct vtd *vtd, const struct domain_link *link)
{
    return (struct vtd_plan_limits){
        .page_selective = VTD_GET(CAP_PSI, vtd->capability.cap) != 0,
        .mamv = (unsigned)VTD_GET(CAP_MAMV, vtd->capability.cap),
        .did = (uint16_t)link->tag,
        .drain = vtd->capability.drain,
    };
}

/* A unit_device_tlb_sink (arg: the batch). */
static void add_device_tlb(void *arg, const struct unit_user *user, uint64_t address, unsigned lg2)
{
    struct vtd_batch *batch = arg;
    bool throttle = VTD_GET(ECAP_DIT, batch->vtd->capability.ecap) != 0;
    const struct vtd_device_tlb_request request = {
        .sid = (uint16_t)user->source,
        .pfsid = throttle ? (uint16_t)user->source : 0,
        .depth = user->depth,
        .size_lg2 = lg2,
        .address = address,
    };

    vtd_batch_add(batch, vtd_desc_device_tlb(&request));
}

static enum sluice_status submit_by_registers(struct vtd *vtd, const struct vtd_plan *plan)
{
    enum sluice_status status = SLUICE_OK;

    for (unsigned i = 0; i < plan->count && status == SLUICE_OK; i++)
        status = vtd_registers_iotlb(vtd, &plan->requests[i]);
    if (status != SLUICE_OK)
        unit_degrade(&vtd->unit, "an IOTLB invalidation was not confirmed");
    return status;
}

enum sluice_status vtd_invalidate_submit(struct unit *unit,
                                         const struct unit_invalidation *invalidation,
                                         struct unit_ticket *out_ticket)
{
    struct vtd *vtd = vtd_of(unit);
    const struct vtd_plan_limits limits = limits_of(vtd, invalidation->link);
    struct vtd_plan plan;
    struct vtd_batch batch;

    *out_ticket = (struct unit_ticket){.since_ns = 0};
    if (!unit->started)
        return SLUICE_OK; /* nothing walks our tables: start invalidates everything */
    /* The unit's write buffers first, or it would fetch the old entries again [VT-d 6.8]. */
    if (vtd_command_flush_writes(vtd) != SLUICE_OK) {
        unit_degrade(unit, "the write buffer flush was not confirmed");
        return SLUICE_ERR_TIMEOUT;
    }
    vtd_plan_make(invalidation->gather, &limits, &plan);
    if (!vtd->use_queue)
        return submit_by_registers(vtd, &plan);
    vtd_batch_begin(vtd, &batch);
    for (unsigned i = 0; i < plan.count; i++)
        vtd_batch_add(&batch, vtd_desc_iotlb(&plan.requests[i]));
    /* Acquire: pairs with source_switch_locked, which counts before it lets the unit walk. */
    if (atomic_load_explicit(&invalidation->link->ats_sources, memory_order_acquire) > 0)
        /* After the IOTLB: the unit keeps that order [VT-d 6.5.2.12]. */
        unit_users_device_tlbs_locked(&vtd->users, invalidation, add_device_tlb, &batch);
    return vtd_batch_end(&batch, out_ticket);
}

enum sluice_status vtd_invalidate_wait(struct unit *unit, const struct unit_ticket *ticket)
{
    struct vtd *vtd = vtd_of(unit);

    if (ticket->value[0] == ticket->value[1])
        return SLUICE_OK; /* done when it was submitted */
    return vtd_queue_wait(vtd, ticket);
}

enum sluice_status vtd_invalidate_all_by_registers(struct vtd *vtd)
{
    const struct vtd_iotlb_request request = {
        .granularity = VTD_GLOBAL,
        .drain = vtd->capability.drain,
    };
    enum sluice_status status = vtd_registers_context(vtd, VTD_GLOBAL, 0, 0);

    return status != SLUICE_OK ? status : vtd_registers_iotlb(vtd, &request);
}

enum sluice_status vtd_invalidate_all(struct vtd *vtd)
{
    const struct vtd_iotlb_request request = {
        .granularity = VTD_GLOBAL,
        .drain = vtd->capability.drain,
    };
    struct vtd_batch batch;
    struct unit_ticket ticket;
    enum sluice_status status;

    if (!vtd->use_queue)
        return vtd_invalidate_all_by_registers(vtd);
    vtd_batch_begin(vtd, &batch);
    vtd_batch_add(&batch, vtd_desc_context(VTD_GLOBAL, 0, 0, 0));
    vtd_batch_add(&batch, vtd_desc_iotlb(&request));
    if (VTD_GET(ECAP_IR, vtd->capability.ecap) != 0 &&
        (vtd->errata & VTD_ERRATUM_NO_INTERRUPT_REMAPPING) == 0)
        vtd_batch_add(&batch, vtd_desc_interrupt_entries());
    status = vtd_batch_end(&batch, &ticket);
    return status != SLUICE_OK ? status : vtd_queue_wait(vtd, &ticket);
}

enum sluice_status vtd_invalidate_entry(struct vtd *vtd, const struct vtd_context_change *change)
{
    const struct vtd_iotlb_request request = {
        .granularity = VTD_DOMAIN,
        .did = change->iotlb_did,
        .drain = vtd->capability.drain,
    };
    struct vtd_batch batch;
    struct unit_ticket ticket;
    enum sluice_status status;

    if (!vtd->use_queue) {
        status = vtd_registers_context(vtd, VTD_NARROW, change->context_did, change->sid);
        return status != SLUICE_OK ? status : vtd_registers_iotlb(vtd, &request);
    }
    vtd_batch_begin(vtd, &batch);
    vtd_batch_add(&batch, vtd_desc_context(VTD_NARROW, change->context_did, change->sid, 0));
    vtd_batch_add(&batch, vtd_desc_iotlb(&request));
    if (change->user != NULL)
        add_device_tlb(&batch, change->user, 0, UNIT_EVERYTHING_LG2);
    status = vtd_batch_end(&batch, &ticket);
    return status != SLUICE_OK ? status : vtd_queue_wait(vtd, &ticket);
}
