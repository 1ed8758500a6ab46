// SPDX-License-Identifier: MIT
/*
 * A unit's life: found, given its memory, released; and the table of operations.
 */
#include "unit/riscv/riommu.h"

static enum sluice_status find_registers(struct riommu *riommu)
{
    const struct platform_unit *desc = riommu->unit.desc;

    if (desc->on_pci)
        return riommu_pci_open(riommu);
    riommu->base = desc->base;
    if (desc->base == 0 || (desc->base & (RIOMMU_REGISTER_BYTES - 1)) != 0 ||
        desc->register_bytes < RIOMMU_REGISTER_BYTES ||
        desc->base > UINT64_MAX - desc->register_bytes) {
        log_error(riommu->unit.sluice,
                  "offset %#x: RISC-V IOMMU with registers at %#llx, %#llx bytes: absurd",
                  (unsigned)desc->table_offset, (unsigned long long)desc->base,
                  (unsigned long long)desc->register_bytes);
        return SLUICE_ERR_FIRMWARE;
    }
    return SLUICE_OK;
}

/* riommu0, riommu1, ... in order of discovery. */
static void name_unit(struct sluice *sluice, struct riommu *riommu)
{
    unsigned number = 0;

    list_for_each(node, &sluice->units)
    {
        if (container_of(node, struct unit, node)->ops == &riommu_unit_ops)
            number++;
    }
    (void)format_text(riommu->unit.name, sizeof(riommu->unit.name), "%s%u", riommu_unit_ops.prefix,
                      number);
}

static bool queue_allocate(struct riommu *riommu, struct riommu_queue *queue)
{
    if (host_pages_alloc(riommu->unit.sluice, 0, -1, &queue->pages))
        return true;
    queue->pages.virt = NULL;
    return false;
}

/* Addresses in registers and entries are physical ones within CAP.PAS. */
static bool within_reach(const struct riommu *riommu, const struct sluice_pages *pages)
{
    if (pages->virt == NULL || pages->phys >> riommu->capability.phys_bits == 0)
        return true;
    log_error(riommu->unit.sluice, "%s: the host's page at %#llx is beyond %u address bits",
              riommu->unit.name, (unsigned long long)pages->phys, riommu->capability.phys_bits);
    return false;
}

static bool allocate(struct riommu *riommu)
{
    /* Completions that pass by caches would be seen late. */
    const struct unit_ring_ops *ops =
        riommu->unit.caps.coherent ? &riommu_ring_ops_written : &riommu_ring_ops_polled;

    return unit_index_init_tags(riommu->unit.sluice, &riommu->tags, RIOMMU_TAG_COUNT) &&
           unit_ring_init(&riommu->ring, &riommu->unit, ops) &&
           queue_allocate(riommu, &riommu->faults) &&
           (!RIOMMU_HAS(riommu, ATS) || queue_allocate(riommu, &riommu->requests)) &&
           within_reach(riommu, &riommu->ring.pages) &&
           within_reach(riommu, &riommu->ring.status) &&
           within_reach(riommu, &riommu->faults.pages) &&
           within_reach(riommu, &riommu->requests.pages) && riommu_messages_prepare(riommu) &&
           riommu_directory_make(riommu);
}

void riommu_give_back(struct riommu *riommu, struct sluice_pages *pages, unsigned order)
{
    struct sluice *sluice = riommu->unit.sluice;

    if (pages->virt == NULL)
        return;
    if (riommu->unit.exposed)
        atomic_fetch_add_explicit(&sluice->withheld_pages, (uint64_t)1 << order,
                                  memory_order_relaxed);
    else
        host_pages_free(sluice, *pages, order);
    pages->virt = NULL;
}

static void riommu_release(struct unit *unit)
{
    struct riommu *riommu = riommu_of(unit);
    struct sluice *sluice = unit->sluice;

    riommu_devices_release(riommu);
    riommu_messages_release(riommu);
    riommu_event_remove(riommu);
    riommu_directory_free(riommu);
    riommu_give_back(riommu, &riommu->ring.pages, 0);
    riommu_give_back(riommu, &riommu->ring.status, 0);
    riommu_give_back(riommu, &riommu->faults.pages, 0);
    riommu_give_back(riommu, &riommu->requests.pages, 0);
    unit_index_free(sluice, &riommu->tags);
    if (riommu->registers != NULL)
        sluice->ops->mmio_unmap(sluice->config.ctx, riommu->registers, RIOMMU_REGISTER_BYTES);
    if (unit->desc->on_pci && riommu->base != 0)
        riommu_pci_close(riommu);
    host_free(sluice, riommu, sizeof(*riommu));
}

static enum sluice_status map_registers(struct riommu *riommu)
{
    struct sluice *sluice = riommu->unit.sluice;

    if (sluice->ops->mmio_map(sluice->config.ctx, riommu->base, RIOMMU_REGISTER_BYTES,
                              &riommu->registers))
        return SLUICE_OK;
    riommu->registers = NULL;
    log_error(sluice, "%s: registers at %#llx could not be mapped", riommu->unit.name,
              (unsigned long long)riommu->base);
    return SLUICE_ERR_NO_MEMORY;
}

static enum sluice_status riommu_probe(struct sluice *sluice, const struct platform_unit *desc,
                                       struct unit **out)
{
    struct riommu *riommu = host_alloc(sluice, sizeof(*riommu));
    enum sluice_status status;

    if (riommu == NULL)
        return SLUICE_ERR_NO_MEMORY;
    riommu->unit.sluice = sluice;
    riommu->unit.ops = &riommu_unit_ops;
    riommu->unit.desc = desc;
    unit_users_init(&riommu->users, &riommu->unit, &riommu->ring.lock);
    list_init(&riommu->devices);
    list_init(&riommu->messages);
    list_init(&riommu->unit.node);
    name_unit(sluice, riommu);
    if (sluice->config.avoid_queues)
        log_info(sluice, "%s: invalidates by its command queue: there is no other way",
                 riommu->unit.name);
    status = find_registers(riommu);
    if (status == SLUICE_OK)
        status = map_registers(riommu);
    if (status == SLUICE_OK)
        status = riommu_capability_read(riommu);
    if (status == SLUICE_OK)
        riommu_capability_publish(riommu);
    if (status == SLUICE_OK && !allocate(riommu))
        status = SLUICE_ERR_NO_MEMORY;
    if (status != SLUICE_OK) {
        riommu_release(&riommu->unit);
        return status;
    }
    *out = &riommu->unit;
    return SLUICE_OK;
}

const struct unit_ops riommu_unit_ops = {
    .driver = "RISC-V IOMMU",
    .prefix = "riommu",
    .kind = SLUICE_UNIT_RISCV,
    .probe = riommu_probe,
    .release = riommu_release,
    .start = riommu_start,
    .stop = riommu_stop,
    .revert = riommu_stop, /* blocks where firmware translated */
    .suspend = riommu_suspend,
    .resume = riommu_resume,
    .geometry = riommu_geometry,
    .link_open = riommu_link_open,
    .link_close = riommu_link_close,
    .attach = riommu_attach,
    .invalidate_submit = riommu_invalidate_submit,
    .invalidate_wait = riommu_invalidate_wait,
    .source_silence = riommu_source_silence,
    .faults_drain = riommu_faults_drain,
    .event = riommu_event,
    .interrupt_alloc = riommu_interrupt_alloc,
    .interrupt_write = riommu_interrupt_write,
    .interrupt_free = riommu_interrupt_free,
    .interrupt_message = riommu_interrupt_message,
    .interrupt_count = riommu_interrupt_count,
    .describe = riommu_describe,
};
