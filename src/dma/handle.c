// SPDX-License-Identifier: MIT
/*
 * Opening and closing the DMA API for a device.
 */
#include "dma/check.h"
#include "dma/dma.h"

#define DEFAULT_ADDRESS_BITS 32u
#define LEAST_ADDRESS_BITS   24u

static sluice_iova_t last_of(unsigned bits)
{
    return bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
}

static bool bits_are_valid(unsigned bits)
{
    return bits == 0 || (bits >= LEAST_ADDRESS_BITS && bits <= 64);
}

static bool config_is_valid(const struct sluice *sluice, const struct sluice_dma_config *config)
{
    return bits_are_valid(config->address_bits) && bits_are_valid(config->coherent_address_bits) &&
           (config->boundary_bytes & (config->boundary_bytes - 1)) == 0 &&
           (config->boundary_bytes == 0 || config->boundary_bytes >= SLUICE_PAGE_BYTES) &&
           (config->device == NULL || config->device->sluice == sluice);
}

static void name_handle(struct sluice_dma *dma, const char *name)
{
    const struct sluice_device *device = dma->device;

    if (device != NULL)
        format_text(dma->name, sizeof(dma->name), "%s '%s'", device->label, device->name);
    else
        format_text(dma->name, sizeof(dma->name), "'%s'", name != NULL ? name : "");
}

static void set_limits(struct sluice_dma *dma, const struct sluice_dma_config *config)
{
    unsigned bits = config->address_bits != 0 ? config->address_bits : DEFAULT_ADDRESS_BITS;
    unsigned coherent = config->coherent_address_bits != 0 ? config->coherent_address_bits : bits;
    unsigned way = dma->device != NULL ? dma->device->address_bits : 0;

    dma->last = last_of(way != 0 && way < bits ? way : bits);
    dma->coherent_last = last_of(way != 0 && way < coherent ? way : coherent);
    dma->boundary_bytes = config->boundary_bytes;
    dma->segment_bytes = config->segment_bytes != 0 ? config->segment_bytes : UINT64_MAX;
    dma->non_coherent = config->non_coherent ||
                        (dma->device != NULL && dma->device->coherence == SLUICE_COHERENCE_NO);
    dma->untrusted = dma->device != NULL && dma->device->untrusted;
}

/** Whether a device may be opened where it is; *out_translated says what it gets. */
static enum sluice_status judge_device(const struct sluice_device *device, bool *out_translated)
{
    if (device->sluice->state != INSTANCE_STARTED || device->domain == NULL)
        return SLUICE_ERR_STATE;
    if (device_is_kept(device))
        return SLUICE_ERR_BUSY;
    *out_translated = device->domain->kind == SLUICE_DOMAIN_DMA;
    return *out_translated || device->domain->kind == SLUICE_DOMAIN_IDENTITY ? SLUICE_OK
                                                                             : SLUICE_ERR_DENIED;
}

static void handle_free_locked(struct sluice_dma *dma)
{
    struct sluice *sluice = dma->sluice;

    if (dma->space != NULL)
        space_close_locked(dma->space);
    counters_clear(sluice, &dma->counters);
    host_free(sluice, dma, sizeof(*dma));
}

/** Works out once what one page takes; see map.c. */
static void prepare_short_way(struct sluice_dma *dma)
{
    const struct pagetable *pt = &dma->space->domain->pt;
    /* With 64 bits the last byte takes the long way. */
    sluice_phys_t phys_end =
        pt->config.phys_bits >= 64 ? UINT64_MAX : (sluice_phys_t)1 << pt->config.phys_bits;

    dma->quick = !dma->untrusted && !dma->non_coherent && dma->check == NULL &&
                 dma->space->granule_lg2 == SLUICE_PAGE_LG2 &&
                 dma->last >= dma->space->domain->pt.last;
    dma->generation = &dma->space->domain->pt.generation;
    for (uint32_t direction = 1; direction <= SLUICE_DMA_BOTH; direction++) {
        struct pt_leaf_form form;

        if (!pt->format->leaf_form(pt, space_prot(dma, direction), &form))
            continue;
        dma->form[direction] = (struct dma_entry_form){form.base, phys_end};
        dma->entry_scale = (uint64_t)1 << form.step_lg2;
        dma->entry_in_run = form.in_run;
    }
    for (unsigned i = 0; i < dma->counters.cpus; i++) {
        struct dma_counts *cpu = &dma->counters.of_cpu[i];

        cpu->iova = &dma->space->iova->cpus[i];
        cpu->magazine = &cpu->iova->loaded[iova_first_bin(dma->space->iova)];
        cpu->ring = flush_ring_of(dma->space->queues, i);
        cpu->map_leaf.region = cpu->unmap_leaf.region = UINT64_MAX;
    }
}

static enum sluice_status
handle_fill_locked(struct sluice_dma *dma, const struct sluice_dma_config *config, bool translated)
{
    struct dma_context *context = dma->context;
    struct dma_check *check;
    enum sluice_status status = counters_init(dma->sluice, &dma->counters);

    if (status == SLUICE_OK && translated)
        status = space_open_locked(context, dma->device->domain, &dma->space);
    if (status == SLUICE_OK)
        status = bounce_pool_get_locked(&context->bounce,
                                        dma->space != NULL ? UINT64_MAX : dma->last, &dma->bounce);
    if (status == SLUICE_OK && (config->check || dma->sluice->config.check_dma)) {
        status = check_get_locked(context, &check);
        if (status == SLUICE_OK)
            status = check_join(check, dma);
    }
    if (status == SLUICE_OK && dma->space != NULL)
        prepare_short_way(dma);
    return status;
}

static enum sluice_status open_locked(struct sluice *sluice, const struct sluice_dma_config *config,
                                      struct sluice_dma **out)
{
    struct dma_context *context;
    bool translated = false;
    enum sluice_status status = SLUICE_OK;
    struct sluice_dma *dma;
    sluice_irqstate_t irq;

    if (config->device != NULL)
        status = judge_device(config->device, &translated);
    else if (sluice->level == SLUICE_PROTECTION_STRICT)
        status = SLUICE_ERR_DENIED;
    if (status == SLUICE_OK)
        status = dma_context_get_locked(sluice, &context);
    if (status != SLUICE_OK)
        return status;
    dma = host_alloc(sluice, sizeof(*dma));
    if (dma == NULL)
        return SLUICE_ERR_NO_MEMORY;
    dma->sluice = sluice;
    dma->context = context;
    dma->id = ++context->next_id;
    dma->device = config->device;
    set_limits(dma, config);
    name_handle(dma, config->name);
    status = handle_fill_locked(dma, config, translated);
    if (status != SLUICE_OK) {
        handle_free_locked(dma);
        return status;
    }
    if (dma->device != NULL)
        dma->device->dma_open = true;
    irq = sluice_spin_lock(&context->lock);
    list_append(&context->handles, &dma->node);
    sluice_spin_unlock(&context->lock, irq);
    *out = dma;
    return SLUICE_OK;
}

enum sluice_status sluice_dma_open(struct sluice *sluice, const struct sluice_dma_config *config,
                                   struct sluice_dma **out)
{
    enum sluice_status status;
    sluice_irqstate_t irq;

    if (sluice == NULL || config == NULL || out == NULL || !config_is_valid(sluice, config))
        return SLUICE_ERR_INVALID;
    if ((config->non_coherent ||
         (config->device != NULL && config->device->coherence == SLUICE_COHERENCE_NO)) &&
        (sluice->ops->cache_clean == NULL || sluice->ops->cache_invalidate == NULL))
        return SLUICE_ERR_UNSUPPORTED;
    irq = sluice_spin_lock(&sluice->lock);
    status =
        sluice->state != INSTANCE_CHANGING ? open_locked(sluice, config, out) : SLUICE_ERR_STATE;
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}

enum sluice_status sluice_dma_close(struct sluice_dma *dma)
{
    struct sluice_dma_usage usage;
    uint64_t maps, unmaps;
    struct sluice *sluice;
    sluice_irqstate_t irq, list_irq;

    if (dma == NULL)
        return SLUICE_ERR_INVALID;
    sluice = dma->sluice;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_CHANGING) {
        sluice_spin_unlock(&sluice->lock, irq);
        return SLUICE_ERR_STATE;
    }
    list_irq = sluice_spin_lock(&dma->context->lock);
    list_remove(&dma->node);
    counters_usage(&dma->counters, &usage, &maps, &unmaps);
    if (dma->space != NULL) {
        dma->space->left.live += usage.live;
        dma->space->left.bytes += usage.bytes;
        dma->space->left_flushes += counters_flushes(&dma->counters);
    }
    sluice_spin_unlock(&dma->context->lock, list_irq);
    if (usage.live != 0)
        log_error(sluice, "%s: closed with %llu mappings of %llu bytes left: its driver leaks",
                  dma->name, (unsigned long long)usage.live, (unsigned long long)usage.bytes);
    if (dma->check != NULL)
        check_leave(dma);
    if (dma->device != NULL)
        dma->device->dma_open = false;
    handle_free_locked(dma);
    sluice_spin_unlock(&sluice->lock, irq);
    return usage.live != 0 ? SLUICE_ERR_BUSY : SLUICE_OK;
}
