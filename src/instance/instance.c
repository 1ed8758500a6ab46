// SPDX-License-Identifier: MIT
/*
 * The instance: created with a host, fed with tables, destroyed.
 */
#include "dma/dma.h"
#include "fault/fault.h"
#include "group/group.h"
#include "instance/units.h"

#include <sluice/sluice.h>

/** Default of sluice_config.hardware_timeout_ns. */
#define DEFAULT_TIMEOUT_NS ((uint64_t)1000000000)

static bool has_memory_hooks(const struct sluice_host_ops *ops, bool linear_map)
{
    return ops->alloc != NULL && ops->free != NULL && ops->pages_alloc != NULL &&
           ops->pages_free != NULL && (linear_map || ops->phys_to_virt != NULL);
}

static bool has_device_hooks(const struct sluice_host_ops *ops)
{
    return ops->mmio_map != NULL && ops->mmio_unmap != NULL && ops->mmio_read32 != NULL &&
           ops->mmio_read64 != NULL && ops->mmio_write32 != NULL && ops->mmio_write64 != NULL &&
           ops->now_ns != NULL;
}

/** An event that could be installed and never removed would call into freed memory. */
static bool hooks_are_paired(const struct sluice_host_ops *ops)
{
    return (ops->event_install == NULL || ops->event_remove != NULL) &&
           (ops->vmap == NULL || ops->vunmap != NULL);
}

static void init_lists(struct sluice *sluice)
{
    platform_init(&sluice->platform);
    list_init(&sluice->units);
    list_init(&sluice->devices);
    list_init(&sluice->domains);
    list_init(&sluice->interrupts);
    list_init(&sluice->external_ports);
    for (unsigned i = 0; i < SOURCE_BUCKETS; i++)
        list_init(&sluice->sources[i]);
}

enum sluice_status sluice_create(const struct sluice_config *config, struct sluice **out)
{
    const struct sluice_host_ops *ops;
    enum sluice_status status;
    struct sluice *sluice;

    if (config == NULL || out == NULL || config->ops == NULL ||
        (unsigned)config->protection > SLUICE_PROTECTION_STRICT)
        return SLUICE_ERR_INVALID;
    ops = config->ops;
    if (!has_memory_hooks(ops, config->linear_map) || !has_device_hooks(ops) ||
        !hooks_are_paired(ops))
        return SLUICE_ERR_INVALID;
    sluice = ops->alloc(config->ctx, sizeof(*sluice));
    if (sluice == NULL)
        return SLUICE_ERR_NO_MEMORY;
    sluice->ops = ops;
    sluice->policy = &group_policy;
    sluice->config = *config;
    sluice->host_asked_remapping = config->interrupts == SLUICE_INTERRUPTS_REMAPPED;
    sluice->level = protection_resolve(sluice, config->protection);
    if (sluice->config.hardware_timeout_ns == 0)
        sluice->config.hardware_timeout_ns = DEFAULT_TIMEOUT_NS;
    sluice->cpu_count = ops->cpu_count != NULL ? ops->cpu_count(config->ctx) : 1;
    if (sluice->cpu_count == 0)
        sluice->cpu_count = 1;
    init_lists(sluice);
    status = fault_center_make(sluice);
    if (status != SLUICE_OK) {
        host_free(sluice, sluice, sizeof(*sluice));
        return status;
    }
    *out = sluice;
    return SLUICE_OK;
}

void sluice_set_log_level(struct sluice *sluice, enum sluice_log_level level)
{
    if (sluice != NULL)
        atomic_store_explicit(&sluice->log_level_set, 1u + (unsigned)level, memory_order_relaxed);
}

/** Units that did not turn off keep what they may still reach, for good. */
static void abandon_units(struct sluice *sluice)
{
    units_clear(sluice);
    log_error(
        sluice,
        "destroyed though a unit did not turn off: %llu pages that it may still reach are "
        "never freed",
        (unsigned long long)atomic_load_explicit(&sluice->withheld_pages, memory_order_relaxed));
}

enum sluice_status sluice_destroy(struct sluice *sluice)
{
    enum instance_state was;

    if (sluice == NULL)
        return SLUICE_OK;
    if (instance_change_begin(sluice,
                              INSTANCE_IN(INSTANCE_STOPPED) | INSTANCE_IN(INSTANCE_HALF_STOPPED),
                              &was) != SLUICE_OK)
        return SLUICE_ERR_BUSY;
    if (dma_context_is_used(sluice) || fault_center_is_used(sluice)) {
        instance_change_end(sluice, was);
        return SLUICE_ERR_BUSY;
    }
    if (was == INSTANCE_HALF_STOPPED)
        abandon_units(sluice);
    dma_context_free(sluice);
    external_ports_clear(sluice);
    fault_center_free(sluice);
    platform_clear(sluice, &sluice->platform);
    host_free(sluice, sluice, sizeof(*sluice));
    return SLUICE_OK;
}

enum sluice_status sluice_add_table(struct sluice *sluice, const void *table, size_t bytes)
{
    enum sluice_status status = SLUICE_ERR_STATE;
    sluice_irqstate_t irq;

    if (sluice == NULL || table == NULL)
        return SLUICE_ERR_INVALID;
    irq = sluice_spin_lock(&sluice->lock);
    if (sluice->state == INSTANCE_STOPPED)
        status = platform_add_table(sluice, &sluice->platform, table, bytes);
    sluice_spin_unlock(&sluice->lock, irq);
    return status;
}
