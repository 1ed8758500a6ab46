// SPDX-License-Identifier: MIT
/*
 * A unit's life: found, given its memory, released; and the table of operations.
 */
#include "unit/smmu3/smmu3.h"

#define REGISTERS_LEAST 0x20000u /**< two pages of 64 KiB [SMMU 6.1] */

static enum sluice_status check_description(struct sluice *sluice, const struct platform_unit *desc)
{
    if (desc->base == 0 || (desc->base & 0xffffu) != 0 || desc->register_bytes < REGISTERS_LEAST ||
        desc->base > UINT64_MAX - desc->register_bytes) {
        log_error(sluice, "IORT: offset %#x: SMMUv3 with registers at %#llx, %#llx bytes: absurd",
                  (unsigned)desc->table_offset, (unsigned long long)desc->base,
                  (unsigned long long)desc->register_bytes);
        return SLUICE_ERR_FIRMWARE;
    }
    return SLUICE_OK;
}

/* smmu0, smmu1, ... in order of discovery. */
static void name_unit(struct sluice *sluice, struct smmu3 *smmu3)
{
    unsigned number = 0;

    list_for_each(node, &sluice->units)
    {
        if (container_of(node, struct unit, node)->ops == &smmu3_unit_ops)
            number++;
    }
    (void)format_text(smmu3->unit.name, sizeof(smmu3->unit.name), "%s%u", smmu3_unit_ops.prefix,
                      number);
}

static bool queue_allocate(struct smmu3 *smmu3, struct smmu3_queue *queue, unsigned lg2)
{
    queue->lg2 = lg2;
    if (host_pages_alloc(smmu3->unit.sluice, 0, -1, &queue->pages))
        return true;
    queue->pages.virt = NULL;
    return false;
}

static bool allocate(struct smmu3 *smmu3)
{
    struct sluice *sluice = smmu3->unit.sluice;
    const struct smmu3_capability *capability = &smmu3->capability;
    /* Messages that pass by caches would be seen late. */
    bool messages = SMMU3_GET(IDR0_MSI, capability->idr0) != 0 && smmu3->unit.caps.coherent;

    if (!unit_index_init_tags(sluice, &smmu3->tags, capability->tag_count) ||
        !unit_ring_init(&smmu3->ring, &smmu3->unit,
                        messages ? &smmu3_ring_ops_messages : &smmu3_ring_ops_polled) ||
        !queue_allocate(smmu3, &smmu3->events, capability->event_lg2) || !smmu3_table_make(smmu3))
        return false;
    return SMMU3_GET(IDR0_PRI, capability->idr0) == 0 ||
           queue_allocate(smmu3, &smmu3->requests, capability->pri_lg2);
}

void smmu3_give_back(struct smmu3 *smmu3, struct sluice_pages *pages, unsigned order)
{
    struct sluice *sluice = smmu3->unit.sluice;

    if (pages->virt == NULL)
        return;
    if (smmu3->unit.exposed)
        atomic_fetch_add_explicit(&sluice->withheld_pages, (uint64_t)1 << order,
                                  memory_order_relaxed);
    else
        host_pages_free(sluice, *pages, order);
    pages->virt = NULL;
}

static void smmu3_release(struct unit *unit)
{
    struct smmu3 *smmu3 = smmu3_of(unit);
    struct sluice *sluice = unit->sluice;

    unit_users_release(&smmu3->users);
    if (smmu3->has_event)
        smmu3_event_off(smmu3, true);
    smmu3_give_back(smmu3, &smmu3->ring.pages, 0);
    smmu3_give_back(smmu3, &smmu3->ring.status, 0);
    smmu3_give_back(smmu3, &smmu3->events.pages, 0);
    smmu3_give_back(smmu3, &smmu3->requests.pages, 0);
    for (unsigned i = 0; i < SMMU3_CD_BLOCKS; i++)
        smmu3_give_back(smmu3, &smmu3->contexts[i], 0);
    smmu3_substreams_free_all(smmu3);
    smmu3_table_free(smmu3);
    unit_index_free(sluice, &smmu3->tags);
    if (smmu3->registers != NULL)
        sluice->ops->mmio_unmap(sluice->config.ctx, smmu3->registers, unit->desc->register_bytes);
    host_free(sluice, smmu3, sizeof(*smmu3));
}

static enum sluice_status smmu3_probe(struct sluice *sluice, const struct platform_unit *desc,
                                      struct unit **out)
{
    enum sluice_status status = check_description(sluice, desc);
    struct smmu3 *smmu3;

    if (status != SLUICE_OK)
        return status;
    smmu3 = host_alloc(sluice, sizeof(*smmu3));
    if (smmu3 == NULL)
        return SLUICE_ERR_NO_MEMORY;
    smmu3->unit.sluice = sluice;
    smmu3->unit.ops = &smmu3_unit_ops;
    smmu3->unit.desc = desc;
    unit_users_init(&smmu3->users, &smmu3->unit, &smmu3->ring.lock);
    list_init(&smmu3->substreams);
    list_init(&smmu3->unit.node);
    name_unit(sluice, smmu3);
    if (sluice->config.avoid_queues)
        log_info(sluice, "%s: invalidates by its command queue: there is no other way",
                 smmu3->unit.name);
    if (!sluice->ops->mmio_map(sluice->config.ctx, desc->base, desc->register_bytes,
                               &smmu3->registers)) {
        smmu3->registers = NULL;
        log_error(sluice, "%s: registers at %#llx could not be mapped", smmu3->unit.name,
                  (unsigned long long)desc->base);
        status = SLUICE_ERR_NO_MEMORY;
    }
    if (status == SLUICE_OK)
        status = smmu3_capability_read(smmu3);
    if (status == SLUICE_OK)
        smmu3_capability_publish(smmu3);
    if (status == SLUICE_OK && !allocate(smmu3))
        status = SLUICE_ERR_NO_MEMORY;
    if (status != SLUICE_OK) {
        smmu3_release(&smmu3->unit);
        return status;
    }
    *out = &smmu3->unit;
    return SLUICE_OK;
}

const struct unit_ops smmu3_unit_ops = {
    .driver = "Arm SMMUv3",
    .prefix = "smmu",
    .kind = SLUICE_UNIT_SMMU_V3,
    .probe = smmu3_probe,
    .release = smmu3_release,
    .start = smmu3_start,
    .stop = smmu3_stop,
    .revert = smmu3_revert,
    .suspend = smmu3_suspend,
    .resume = smmu3_resume,
    .geometry = smmu3_geometry,
    .link_open = smmu3_link_open,
    .link_close = smmu3_link_close,
    .attach = smmu3_attach,
    .invalidate_submit = smmu3_invalidate_submit,
    .invalidate_wait = smmu3_invalidate_wait,
    .source_silence = smmu3_source_silence,
    .faults_drain = smmu3_faults_drain,
    .event = smmu3_event,
    .describe = smmu3_describe,
};
