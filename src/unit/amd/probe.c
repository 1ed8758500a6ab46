// SPDX-License-Identifier: MIT
/*
 * A unit's life: found, given its memory, released; and the table of operations.
 */
#include "unit/amd/amdvi.h"

/** Registers that the driver uses end below this [AMD 3.4]; 16 KiB is what every unit has. */
#define REGISTERS_LEAST 0x4000u

static enum sluice_status check_description(struct sluice *sluice, const struct platform_unit *desc)
{
    uint64_t bytes = desc->register_bytes;

    if (desc->base == 0 || (desc->base & (SLUICE_PAGE_BYTES - 1)) != 0 || bytes < REGISTERS_LEAST ||
        desc->base > UINT64_MAX - bytes) {
        log_error(sluice, "IVRS: offset %#x: unit with registers at %#llx, %#llx bytes: absurd",
                  (unsigned)desc->table_offset, (unsigned long long)desc->base,
                  (unsigned long long)bytes);
        return SLUICE_ERR_FIRMWARE;
    }
    return SLUICE_OK;
}

/* amdvi0, amdvi1, ... in order of discovery. */
static void name_unit(struct sluice *sluice, struct amdvi *amdvi)
{
    unsigned number = 0;

    list_for_each(node, &sluice->units)
    {
        if (container_of(node, struct unit, node)->ops == &amdvi_unit_ops)
            number++;
    }
    (void)format_text(amdvi->unit.name, sizeof(amdvi->unit.name), "amdvi%u", number);
}

static bool allocate(struct amdvi *amdvi)
{
    struct sluice *sluice = amdvi->unit.sluice;

    if (!unit_index_init_tags(sluice, &amdvi->tags, amdvi->capability.domain_count) ||
        !unit_ring_init(&amdvi->ring, &amdvi->unit, &amdvi_ring_ops) ||
        !amdvi_log_allocate(amdvi) || !amdvi_table_allocate(amdvi))
        return false;
    if (amdvi_requests_there(amdvi) && !host_pages_alloc(sluice, 0, -1, &amdvi->requests.pages))
        return false;
    amdvi_table_fill(amdvi);
    return true;
}

void amdvi_pages_give_back(struct amdvi *amdvi, struct sluice_pages *pages, unsigned order)
{
    struct sluice *sluice = amdvi->unit.sluice;

    if (pages->virt == NULL)
        return;
    if (amdvi->unit.exposed)
        atomic_fetch_add_explicit(&sluice->withheld_pages, (uint64_t)1 << order,
                                  memory_order_relaxed);
    else
        host_pages_free(sluice, *pages, order);
    pages->virt = NULL;
}

static void amdvi_release(struct unit *unit)
{
    struct amdvi *amdvi = amdvi_of(unit);
    struct sluice *sluice = unit->sluice;

    unit_users_release(&amdvi->users);
    if (amdvi->has_event)
        amdvi_event_off(amdvi, true);
    amdvi_interrupt_tables_release(amdvi);
    amdvi_pages_give_back(amdvi, &amdvi->ring.pages, 0);
    amdvi_pages_give_back(amdvi, &amdvi->ring.status, 0);
    amdvi_pages_give_back(amdvi, &amdvi->log.parts[0].pages, 0);
    amdvi_pages_give_back(amdvi, &amdvi->log.parts[1].pages, 0);
    amdvi_pages_give_back(amdvi, &amdvi->requests.pages, 0);
    amdvi_table_give_back(amdvi);
    unit_index_free(sluice, &amdvi->tags);
    if (amdvi->registers != NULL)
        sluice->ops->mmio_unmap(sluice->config.ctx, amdvi->registers, unit->desc->register_bytes);
    host_free(sluice, amdvi, sizeof(*amdvi));
}

static enum sluice_status amdvi_probe(struct sluice *sluice, const struct platform_unit *desc,
                                      struct unit **out)
{
    enum sluice_status status = check_description(sluice, desc);
    struct amdvi *amdvi;

    if (status != SLUICE_OK)
        return status;
    amdvi = host_alloc(sluice, sizeof(*amdvi));
    if (amdvi == NULL)
        return SLUICE_ERR_NO_MEMORY;
    amdvi->unit.sluice = sluice;
    amdvi->unit.ops = &amdvi_unit_ops;
    amdvi->unit.desc = desc;
    unit_users_init(&amdvi->users, &amdvi->unit, &amdvi->ring.lock);
    list_init(&amdvi->interrupt_tables);
    list_init(&amdvi->unit.node);
    name_unit(sluice, amdvi);
    if (sluice->config.avoid_queues)
        log_info(sluice, "%s: invalidates by its command buffer: there is no other way",
                 amdvi->unit.name);
    if (!sluice->ops->mmio_map(sluice->config.ctx, desc->base, desc->register_bytes,
                               &amdvi->registers)) {
        amdvi->registers = NULL;
        log_error(sluice, "%s: registers at %#llx could not be mapped", amdvi->unit.name,
                  (unsigned long long)desc->base);
        status = SLUICE_ERR_NO_MEMORY;
    }
    if (status == SLUICE_OK)
        status = amdvi_capability_read(amdvi);
    if (status == SLUICE_OK)
        amdvi_capability_publish(amdvi);
    if (status == SLUICE_OK && !allocate(amdvi))
        status = SLUICE_ERR_NO_MEMORY;
    if (status != SLUICE_OK) {
        amdvi_release(&amdvi->unit);
        return status;
    }
    *out = &amdvi->unit;
    return SLUICE_OK;
}

const struct unit_ops amdvi_unit_ops = {
    .driver = "AMD-Vi",
    .prefix = "amdvi",
    .kind = SLUICE_UNIT_AMD_VI,
    .probe = amdvi_probe,
    .release = amdvi_release,
    .start = amdvi_start,
    .stop = amdvi_stop,
    .revert = amdvi_revert,
    .suspend = amdvi_suspend,
    .resume = amdvi_resume,
    .geometry = amdvi_geometry,
    .link_open = amdvi_link_open,
    .link_close = amdvi_link_close,
    .attach = amdvi_attach,
    .invalidate_submit = amdvi_invalidate_submit,
    .invalidate_wait = amdvi_invalidate_wait,
    .source_silence = amdvi_source_silence,
    .faults_drain = amdvi_faults_drain,
    .event = amdvi_log_event,
    .interrupt_alloc = amdvi_interrupt_alloc,
    .interrupt_write = amdvi_interrupt_write,
    .interrupt_free = amdvi_interrupt_free,
    .interrupt_message = amdvi_interrupt_message,
    .interrupt_count = amdvi_interrupt_count,
    .describe = amdvi_describe,
};
