// SPDX-License-Identifier: MIT
/*
 * A unit's life: found, given its memory, released; and the table of operations.
 */
#include "unit/intel/vtd.h"

static enum sluice_status check_description(struct sluice *sluice, const struct platform_unit *desc)
{
    uint64_t bytes = desc->register_bytes;

    if (desc->base == 0 || (desc->base & (SLUICE_PAGE_BYTES - 1)) != 0 ||
        bytes < SLUICE_PAGE_BYTES || desc->base > UINT64_MAX - bytes) {
        log_error(sluice, "DMAR: offset %#x: unit with registers at %#llx, %#llx bytes: absurd",
                  (unsigned)desc->table_offset, (unsigned long long)desc->base,
                  (unsigned long long)bytes);
        return SLUICE_ERR_FIRMWARE;
    }
    return SLUICE_OK;
}

/* vtd0, vtd1, ... in order of discovery. */
static void name_unit(struct sluice *sluice, struct vtd *vtd)
{
    unsigned number = 0;

    list_for_each(node, &sluice->units)
    {
        if (container_of(node, struct unit, node)->ops == &vtd_unit_ops)
            number++;
    }
    (void)format_text(vtd->unit.name, sizeof(vtd->unit.name), "vtd%u", number);
}

static enum sluice_status choose_invalidation(struct vtd *vtd)
{
    struct sluice *sluice = vtd->unit.sluice;
    bool queue = VTD_GET(ECAP_QI, vtd->capability.ecap) != 0;

    vtd->use_queue = queue && !sluice->config.avoid_queues;
    if (!vtd->use_queue && !vtd_has_register_invalidation(vtd)) {
        if (!queue) {
            log_error(sluice, "%s: VER %#x without a queue has no way to invalidate",
                      vtd->unit.name, (unsigned)vtd->capability.version);
            return SLUICE_ERR_HARDWARE;
        }
        log_info(sluice, "%s: invalidates by queue: this version has no registers for it",
                 vtd->unit.name);
        vtd->use_queue = true;
    }
    return SLUICE_OK;
}

static enum sluice_status read_capability(struct vtd *vtd)
{
    struct sluice *sluice = vtd->unit.sluice;
    struct vtd_capability *capability = &vtd->capability;
    uint32_t version = vtd_read32(vtd, VTD_REG_VER);
    uint64_t cap = vtd_read64(vtd, VTD_REG_CAP);
    uint64_t ecap = vtd_read64(vtd, VTD_REG_ECAP);
    enum sluice_status status =
        vtd_capability_read(sluice, vtd->unit.name, version, cap, ecap, capability);

    if (status != SLUICE_OK)
        return status;
    if (capability->window_bytes > vtd->register_bytes) {
        log_error(sluice,
                  "%s: %u fault records at %#x or IOTLB registers at %#x lie beyond the %#llx "
                  "bytes of registers that firmware describes",
                  vtd->unit.name, capability->fault_count, (unsigned)capability->fault_offset,
                  (unsigned)capability->iotlb_offset, (unsigned long long)vtd->register_bytes);
        return SLUICE_ERR_HARDWARE;
    }
    if (VTD_GET(ECAP_C, ecap) == 0 && sluice->ops->cache_clean == NULL) {
        log_error(sluice, "%s: does not snoop, and the host cannot clean caches", vtd->unit.name);
        return SLUICE_ERR_UNSUPPORTED;
    }
    vtd->errata = vtd_errata_find(sluice, vtd->unit.name);
    if ((vtd->errata & VTD_ERRATUM_WRITE_BUFFER) != 0)
        capability->write_buffer = true;
    return choose_invalidation(vtd);
}

static bool allocate(struct vtd *vtd)
{
    struct sluice *sluice = vtd->unit.sluice;

    if (!unit_index_init_tags(sluice, &vtd->tags, vtd->capability.domain_count) ||
        !host_pages_alloc(sluice, 0, -1, &vtd->root))
        return false;
    vtd_clean(vtd, vtd->root.virt, SLUICE_PAGE_BYTES);
    if (!vtd_interrupts_prepare(vtd))
        return false;
    if (!vtd->use_queue)
        return true;
    return host_pages_alloc(sluice, 0, -1, &vtd->queue.ring) &&
           host_pages_alloc(sluice, 0, -1, &vtd->queue.status);
}

/* Frees a page, or counts it as withheld when the unit may still read it. */
static void give_back(struct vtd *vtd, struct sluice_pages *pages)
{
    struct sluice *sluice = vtd->unit.sluice;

    if (pages->virt == NULL)
        return;
    if (vtd->unit.exposed)
        atomic_fetch_add_explicit(&sluice->withheld_pages, 1, memory_order_relaxed);
    else
        host_pages_free(sluice, *pages, 0);
    pages->virt = NULL;
}

static void vtd_release(struct unit *unit)
{
    struct vtd *vtd = vtd_of(unit);
    struct sluice *sluice = unit->sluice;

    unit_users_release(&vtd->users);
    if (vtd->has_event)
        vtd_fault_event_off(vtd, true);
    give_back(vtd, &vtd->queue.ring);
    give_back(vtd, &vtd->queue.status);
    give_back(vtd, &vtd->root);
    vtd_interrupts_release(vtd);
    for (unsigned i = 0; i < VTD_CONTEXT_TABLES; i++)
        give_back(vtd, &vtd->contexts[i]);
    unit_index_free(sluice, &vtd->tags);
    if (vtd->registers != NULL)
        sluice->ops->mmio_unmap(sluice->config.ctx, vtd->registers, vtd->register_bytes);
    host_free(sluice, vtd, sizeof(*vtd));
}

static enum sluice_status vtd_probe(struct sluice *sluice, const struct platform_unit *desc,
                                    struct unit **out)
{
    enum sluice_status status = check_description(sluice, desc);
    struct vtd *vtd;

    if (status != SLUICE_OK)
        return status;
    vtd = host_alloc(sluice, sizeof(*vtd));
    if (vtd == NULL)
        return SLUICE_ERR_NO_MEMORY;
    vtd->unit.sluice = sluice;
    vtd->unit.ops = &vtd_unit_ops;
    vtd->unit.desc = desc;
    vtd->register_bytes = desc->register_bytes;
    vtd->queue.next = 1;
    vtd->queue.oldest = 1;
    unit_users_init(&vtd->users, &vtd->unit, &vtd->queue.lock);
    list_init(&vtd->unit.node);
    name_unit(sluice, vtd);
    if (!sluice->ops->mmio_map(sluice->config.ctx, desc->base, desc->register_bytes,
                               &vtd->registers)) {
        vtd->registers = NULL;
        log_error(sluice, "%s: registers at %#llx could not be mapped", vtd->unit.name,
                  (unsigned long long)desc->base);
        status = SLUICE_ERR_NO_MEMORY;
    }
    if (status == SLUICE_OK)
        status = read_capability(vtd);
    if (status == SLUICE_OK)
        vtd_capability_publish(vtd);
    if (status == SLUICE_OK && !allocate(vtd))
        status = SLUICE_ERR_NO_MEMORY;
    if (status != SLUICE_OK) {
        vtd_release(&vtd->unit);
        return status;
    }
    *out = &vtd->unit;
    return SLUICE_OK;
}

const struct unit_ops vtd_unit_ops = {
    .driver = "Intel VT-d",
    .prefix = "vtd",
    .kind = SLUICE_UNIT_INTEL_VTD,
    .probe = vtd_probe,
    .release = vtd_release,
    .start = vtd_start,
    .stop = vtd_stop,
    .revert = vtd_revert,
    .suspend = vtd_suspend,
    .resume = vtd_resume,
    .geometry = vtd_geometry,
    .link_open = vtd_link_open,
    .link_close = vtd_link_close,
    .attach = vtd_attach,
    .invalidate_submit = vtd_invalidate_submit,
    .invalidate_wait = vtd_invalidate_wait,
    .source_silence = vtd_source_silence,
    .faults_drain = vtd_faults_drain,
    .event = vtd_fault_event,
    .interrupt_alloc = vtd_interrupt_alloc,
    .interrupt_write = vtd_interrupt_write,
    .interrupt_free = vtd_interrupt_free,
    .interrupt_message = vtd_interrupt_message,
    .interrupt_count = vtd_interrupt_count,
    .describe = vtd_describe,
};
