// SPDX-License-Identifier: MIT
/*
 * The VT-d model's life: creation, capability registers from the configuration, reset, injection,
 * and what tests look at.
 */
#include "models/vtd_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void vtd_violate(struct vtd_model *unit, const char *format, ...)
{
    char text[160];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    model_host_violate(unit->host, "vtd %#llx: %s", (unsigned long long)unit->config.base, text);
}

uint32_t vtd_get32(const struct vtd_model *unit, unsigned offset)
{
    return unit->file[offset / 4];
}

uint64_t vtd_get64(const struct vtd_model *unit, unsigned offset)
{
    return unit->file[offset / 4] | (uint64_t)unit->file[offset / 4 + 1] << 32;
}

void vtd_set32(struct vtd_model *unit, unsigned offset, uint32_t value)
{
    unit->file[offset / 4] = value;
}

void vtd_set64(struct vtd_model *unit, unsigned offset, uint64_t value)
{
    unit->file[offset / 4] = (uint32_t)value;
    unit->file[offset / 4 + 1] = (uint32_t)(value >> 32);
}

enum model_path vtd_path(const struct vtd_model *unit)
{
    return unit->config.coherent && !unit->config.write_buffer ? MODEL_SNOOPED : MODEL_BEHIND;
}

struct vtd_model_config vtd_model_defaults(void)
{
    return (struct vtd_model_config){
        .base = 0xfed90000,
        .register_bytes = 4096,
        .host_bits = 46,
        .sagaw = 0x6,
        .mgaw_bits = 48,
        .sllps = 3,
        .domain_bits = 16,
        .mamv = 18,
        .fault_records = 8,
        .fault_offset = 0x200,
        .iotlb_offset = 0x100,
        .page_selective = true,
        .coherent = true,
        .queued = true,
        .pass_through = true,
        .snoop_control = true,
        .drains = true,
        .zero_length_read = true,
        .handle_mask = 15,
        .latency_reads = 2,
        .version = 0x10,
    };
}

static uint64_t capability(const struct vtd_model_config *config)
{
    uint64_t value = (uint64_t)(config->domain_bits - 4) / 2; /* ND: 2^(4 + 2 ND) domains */

    value |= (uint64_t)config->write_buffer << 4;
    value |= (uint64_t)config->plmr << 5 | (uint64_t)config->phmr << 6;
    value |= (uint64_t)config->caching_mode << 7;
    value |= (uint64_t)config->sagaw << 8;
    value |= (uint64_t)(config->mgaw_bits - 1) << 16;
    value |= (uint64_t)config->zero_length_read << 22;
    value |= (uint64_t)(config->fault_offset / 16u) << 24;
    value |= (uint64_t)config->sllps << 34;
    value |= (uint64_t)config->page_selective << 39;
    value |= (uint64_t)(config->fault_records - 1) << 40;
    value |= (uint64_t)config->mamv << 48;
    value |= (uint64_t)config->drains << 54 | (uint64_t)config->drains << 55;
    value |= (uint64_t)config->posted_interrupts << 59;
    value |= (uint64_t)config->enhanced_sirtp << 62 | (uint64_t)config->enhanced_srtp << 63;
    return value;
}

static uint64_t extended_capability(const struct vtd_model_config *config)
{
    uint64_t value = config->coherent;

    value |= (uint64_t)config->queued << 1 | (uint64_t)config->device_tlb << 2;
    value |= (uint64_t)config->remaps_interrupts << 3;
    value |= (uint64_t)config->extended_interrupts << 4;
    value |= (uint64_t)config->pass_through << 6 | (uint64_t)config->snoop_control << 7;
    value |= (uint64_t)(config->iotlb_offset / 16u) << 8;
    if (config->remaps_interrupts)
        value |= (uint64_t)(config->handle_mask & 0xfu) << 20;
    value |= (uint64_t)config->abort_dma << 52;
    value |= (uint64_t)config->scalable << 43 | (uint64_t)config->scalable << 46;
    return value;
}

/* IR, DT and SMTS need QI; the rest must fit its fields [11.4.2, 11.4.3]. */
static bool config_possible(const struct vtd_model_config *config)
{
    uint64_t records_end = config->fault_offset + 16u * (uint64_t)config->fault_records;

    return config->fault_records >= 1 && config->fault_records <= VTD_MODEL_FAULTS_MAX &&
           config->fault_offset % 16u == 0 && config->iotlb_offset % 16u == 0 &&
           records_end <= config->register_bytes && config->iotlb_offset >= 0xc0 &&
           config->register_bytes <= sizeof(((struct vtd_model *)NULL)->file) &&
           config->domain_bits >= 4 && config->domain_bits <= 16 && config->domain_bits % 2 == 0 &&
           config->mgaw_bits <= 64 && config->mgaw_bits > 12 &&
           (config->queued ||
            (!config->device_tlb && !config->remaps_interrupts && !config->scalable));
}

void vtd_registers_reset(struct vtd_model *unit)
{
    memset(unit->file, 0, sizeof(unit->file));
    memset(unit->records, 0, sizeof(unit->records));
    unit->record_next = 0;
    unit->root = 0;
    unit->interrupt_root = 0;
    unit->command_pending = unit->context_pending = unit->iotlb_pending = false;
    unit->owes_context_global = unit->owes_iotlb_global = unit->owes_iotlb = false;
    unit->owes_interrupts = false;
    unit->parked.used = false;
    vtd_set32(unit, R_VER, unit->config.version);
    vtd_set64(unit, R_CAP, capability(&unit->config));
    vtd_set64(unit, R_ECAP, extended_capability(&unit->config));
    vtd_set32(unit, R_FECTL, CTL_IM); /* masked after reset [11.4.7.2] */
    vtd_set32(unit, R_IECTL, CTL_IM);
}

static void tick(void *arg)
{
    (void)vtd_model_step(arg, 1);
}

struct vtd_model *vtd_model_create(struct model_host *host, const struct vtd_model_config *config)
{
    struct vtd_model *unit = calloc(1, sizeof(*unit));
    pthread_mutexattr_t recursive;

    if (unit == NULL || !config_possible(config))
        abort();
    unit->host = host;
    unit->config = *config;
    if (config->remaps_interrupts) {
        unit->interrupts = calloc(INTERRUPTS_MAX, sizeof(*unit->interrupts));
        if (unit->interrupts == NULL)
            abort();
    }
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&unit->lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    vtd_registers_reset(unit);
    if (config->write_buffer)
        model_host_buffer_writes(host);
    if (config->queue_mode == VTD_MODEL_AT_TICK)
        model_host_add_tick(host, tick, unit);
    model_host_add_mmio(host, config->base, config->register_bytes, &vtd_mmio_ops, unit);
    return unit;
}

void vtd_model_destroy(struct vtd_model *unit)
{
    vtd_cache_drop_all(unit);
    free(unit->interrupts);
    pthread_mutex_destroy(&unit->lock);
    free(unit);
}

void vtd_model_lock(struct vtd_model *unit)
{
    pthread_mutex_lock(&unit->lock);
}

void vtd_model_unlock(struct vtd_model *unit)
{
    pthread_mutex_unlock(&unit->lock);
}

unsigned vtd_model_step(struct vtd_model *unit, unsigned descriptors)
{
    unsigned taken;

    vtd_model_lock(unit);
    taken = vtd_queue_run(unit, descriptors);
    vtd_model_unlock(unit);
    return taken;
}

void vtd_model_stats(struct vtd_model *unit, struct vtd_model_stats *out)
{
    vtd_model_lock(unit);
    *out = unit->stats;
    vtd_model_unlock(unit);
}

unsigned vtd_model_iotlb_entries(struct vtd_model *unit)
{
    unsigned count;

    vtd_model_lock(unit);
    count = unit->cached_count;
    vtd_model_unlock(unit);
    return count;
}

unsigned vtd_model_context_entries(struct vtd_model *unit)
{
    unsigned count;

    vtd_model_lock(unit);
    count = unit->context_count;
    vtd_model_unlock(unit);
    return count;
}

void vtd_model_evict(struct vtd_model *unit)
{
    vtd_model_lock(unit);
    vtd_cache_drop_all(unit);
    unit->context_count = 0;
    vtd_interrupt_drop(unit, 0, INTERRUPTS_MAX);
    vtd_model_unlock(unit);
}

bool vtd_model_translating(struct vtd_model *unit)
{
    bool on;

    vtd_model_lock(unit);
    on = (vtd_get32(unit, R_GSTS) & G_TE) != 0;
    vtd_model_unlock(unit);
    return on;
}

void vtd_model_check_settled(struct vtd_model *unit)
{
    vtd_model_lock(unit);
    if (unit->owes_context_global || unit->owes_iotlb_global)
        vtd_violate(unit, "a new root was set and not followed by global invalidations");
    else if (unit->owes_interrupts)
        vtd_violate(unit, "a new interrupt table was set and not followed by an invalidation");
    else if (unit->owes_iotlb)
        vtd_violate(unit, "context entries were invalidated, but not the IOTLB after them");
    if (unit->command_pending || unit->context_pending || unit->iotlb_pending)
        vtd_violate(unit, "a command was written and its completion not waited for");
    vtd_model_unlock(unit);
}

void vtd_model_reset(struct vtd_model *unit, bool keep_caches)
{
    vtd_model_lock(unit);
    vtd_registers_reset(unit);
    if (!keep_caches)
        vtd_model_evict(unit);
    vtd_model_unlock(unit);
}

void vtd_model_inject(struct vtd_model *unit, const struct vtd_model_injection *injection)
{
    vtd_model_lock(unit);
    unit->inject = *injection;
    unit->gone = false;
    vtd_model_unlock(unit);
}

void vtd_model_connect(struct vtd_model *unit, uint16_t rid, const struct model_endpoint *endpoint)
{
    vtd_model_lock(unit);
    if (unit->endpoint_count == ENDPOINTS_MAX)
        abort();
    unit->endpoints[unit->endpoint_count++] = (struct endpoint){rid, 0, *endpoint};
    vtd_model_unlock(unit);
}

/* ---- for devices of any kind ---- */

static void unit_lock(void *unit)
{
    vtd_model_lock(unit);
}

static void unit_unlock(void *unit)
{
    vtd_model_unlock(unit);
}

static bool unit_dma(void *unit, const struct model_dma_request *request, void *data, size_t bytes,
                     struct model_dma_result *result)
{
    return vtd_model_dma(unit, request, data, bytes, result);
}

static void unit_ats_request(void *unit, uint16_t rid, uint64_t address,
                             struct model_translation *out)
{
    vtd_model_ats_request(unit, rid, address, out);
}

static void unit_connect(void *unit, uint16_t rid, const struct model_endpoint *endpoint)
{
    vtd_model_connect(unit, rid, endpoint);
}

static void unit_endpoint_completed(void *unit, uint16_t rid)
{
    vtd_model_endpoint_completed(unit, rid);
}

const struct model_unit_ops vtd_model_ops = {
    unit_lock, unit_unlock, unit_dma, unit_ats_request, unit_connect, unit_endpoint_completed,
};
