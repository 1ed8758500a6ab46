// SPDX-License-Identifier: MIT
/*
 * The AMD-Vi model's life: creation, its PCI function, reset, injection, and what tests look at.
 */
#include "models/amdvi_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAP_SECURE_DEVICE 0x0fu
#define CAP_MSI           0x05u
#define VENDOR_AMD        0x1022u

void amdvi_violate(struct amdvi_model *unit, const char *format, ...)
{
    char text[160];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    model_host_violate(unit->host, "amdvi %#llx: %s", (unsigned long long)unit->config.base, text);
}

struct amdvi_model_config amdvi_model_defaults(void)
{
    return (struct amdvi_model_config){
        .base = 0xfeb80000,
        .register_bytes = 0x4000,
        .rid = SLUICE_RID(0, 0, 2),
        .pci_device = 0x1451,
        .phys_bits = 48,
        .levels = 5,
        .has_efr = true,
        .invalidate_all = true,
        .latency_reads = 2,
    };
}

uint64_t amdvi_model_efr(const struct amdvi_model_config *config)
{
    return (uint64_t)config->x2apic << 2 | (uint64_t)config->invalidate_all << 6 |
           (uint64_t)config->page_requests << 1 | (uint64_t)config->dual_events << 29 |
           (uint64_t)config->segments_lg2 << 38 | (uint64_t)config->guest_apic << 7 |
           (uint64_t)(config->levels - 4) << 10;
}

uint64_t amdvi_model_efr2(const struct amdvi_model_config *config)
{
    return (uint64_t)config->many_interrupts << 8;
}

/* The capability block [3.2] and an MSI capability. */
static void add_function(struct amdvi_model *unit)
{
    const struct amdvi_model_config *config = &unit->config;
    uint8_t flags = (uint8_t)(config->device_tlb | config->np_cache << 2 | config->has_efr << 3);
    uint8_t block[14] = {0x0b, flags}; /* TYPE 3, revision 1; then addresses, range, sizes */
    uint8_t msi[12] = {0};

    unit->function = model_pci_add(unit->host, 0, config->rid, VENDOR_AMD, config->pci_device);
    memcpy(model_pci_config(unit->function) + 0x2c, &config->subsystem, 4);
    (void)model_pci_add_capability(unit->function, CAP_SECURE_DEVICE, block, sizeof(block));
    if (config->no_msi)
        return;
    msi[0] = config->narrow_msi ? 0 : 0x80;
    unit->msi = model_pci_add_capability(unit->function, CAP_MSI, msi,
                                         config->narrow_msi ? 8 : sizeof(msi));
}

static void tick(void *arg)
{
    struct amdvi_model *unit = arg;

    amdvi_model_lock(unit);
    (void)amdvi_queue_run(unit, 1);
    amdvi_model_unlock(unit);
}

struct amdvi_model *amdvi_model_create(struct model_host *host,
                                       const struct amdvi_model_config *config)
{
    struct amdvi_model *unit = calloc(1, sizeof(*unit));
    pthread_mutexattr_t recursive;

    if (unit == NULL || (config->x2apic && !config->guest_apic) || config->levels < 4 ||
        config->levels > 7 || config->phys_bits > 52 || config->segments_lg2 > 3)
        abort();
    unit->host = host;
    unit->config = *config;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&unit->lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    amdvi_registers_reset(unit);
    add_function(unit);
    if (config->queue_mode == AMDVI_MODEL_AT_TICK)
        model_host_add_tick(host, tick, unit);
    model_host_add_mmio(host, config->base, config->register_bytes, &amdvi_mmio_ops, unit);
    return unit;
}

void amdvi_model_destroy(struct amdvi_model *unit)
{
    amdvi_cache_drop_all(unit);
    pthread_mutex_destroy(&unit->lock);
    free(unit);
}

void amdvi_model_lock(struct amdvi_model *unit)
{
    pthread_mutex_lock(&unit->lock);
}

void amdvi_model_unlock(struct amdvi_model *unit)
{
    pthread_mutex_unlock(&unit->lock);
}

void amdvi_model_stats(struct amdvi_model *unit, struct amdvi_model_stats *out)
{
    amdvi_model_lock(unit);
    *out = unit->stats;
    amdvi_model_unlock(unit);
}

unsigned amdvi_model_iotlb_entries(struct amdvi_model *unit)
{
    unsigned count;

    amdvi_model_lock(unit);
    count = unit->cached_count;
    amdvi_model_unlock(unit);
    return count;
}

unsigned amdvi_model_table_entries(struct amdvi_model *unit)
{
    unsigned count;

    amdvi_model_lock(unit);
    count = unit->entry_count;
    amdvi_model_unlock(unit);
    return count;
}

void amdvi_model_evict(struct amdvi_model *unit)
{
    amdvi_model_lock(unit);
    amdvi_cache_drop_all(unit);
    amdvi_interrupt_drop(unit, true, 0);
    unit->entry_count = 0;
    amdvi_model_unlock(unit);
}

bool amdvi_model_translating(struct amdvi_model *unit)
{
    bool on;

    amdvi_model_lock(unit);
    on = (amdvi_get(unit, A_CONTROL) & C_EN) != 0;
    amdvi_model_unlock(unit);
    return on;
}

void amdvi_model_check_settled(struct amdvi_model *unit)
{
    amdvi_model_lock(unit);
    if (unit->owes_everything && amdvi_model_translating(unit))
        amdvi_violate(unit, "a new device table was not followed by an invalidation of everything");
    amdvi_model_unlock(unit);
}

void amdvi_model_reset(struct amdvi_model *unit, bool keep_caches)
{
    amdvi_model_lock(unit);
    amdvi_registers_reset(unit);
    if (!keep_caches)
        amdvi_model_evict(unit);
    amdvi_model_unlock(unit);
}

void amdvi_model_inject(struct amdvi_model *unit, const struct amdvi_model_injection *injection)
{
    amdvi_model_lock(unit);
    unit->inject = *injection;
    unit->gone = false;
    amdvi_model_unlock(unit);
}
