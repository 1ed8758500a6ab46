// SPDX-License-Identifier: MIT
/*
 * The virtio-iommu model's life: made, lost power, told what to do wrong, seen by devices; and the
 * PCI function that tells where its registers are [Virtio 4.1.4].
 */
#include "models/virtio_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAR_BYTES  0x5000u
#define MMIO_BYTES 0x200u
#define CAP_VENDOR 0x09u
#define CAP_MSIX   0x11u

struct virtio_model_config virtio_model_defaults(void)
{
    return (struct virtio_model_config){
        .base = 0xfeb00000,
        .wire = 0x4f,
        .rid = 0x0008,
        .features = F_INPUT_RANGE | F_DOMAIN_RANGE | F_MAP_UNMAP | F_PROBE | F_MMIO |
                    F_BYPASS_CONFIG | F_VERSION_1 | FEATURE(28) | FEATURE(29),
        .page_size_mask = ~(uint64_t)4095,
        .input_last = FEATURE(48) - 1,
        .domain_last = 0xffff,
        .probe_size = 512,
        .queue_most = {256, 256},
        .bypass = 1,
        .messages = true,
        .regions = {{MODEL_WINDOW_FIRST, MODEL_WINDOW_LAST, true}},
        .region_count = 1,
    };
}

void virtio_violate(struct virtio_model *unit, const char *format, ...)
{
    char text[200];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    model_host_violate(unit->host, "virtio: %s", text);
}

void virtio_lock(struct virtio_model *unit)
{
    pthread_mutex_lock(&unit->lock);
}

void virtio_unlock(struct virtio_model *unit)
{
    pthread_mutex_unlock(&unit->lock);
}

/* ---- life ---- */

static void tick(void *arg)
{
    struct virtio_model *unit = arg;

    virtio_lock(unit);
    virtio_requests_run(unit, 1);
    virtio_unlock(unit);
}

static void add_window(struct virtio_model *unit, uint8_t type, uint32_t offset, uint32_t bytes)
{
    uint8_t body[18] = {type == 2 ? 20 : 16, type};

    memcpy(body + 6, &offset, 4);
    memcpy(body + 10, &bytes, 4);
    body[14] = NOTIFY_STEP;
    (void)model_pci_add_capability(unit->function, CAP_VENDOR, body, type == 2 ? 18 : 14);
}

static void add_function(struct virtio_model *unit)
{
    const uint8_t msix[10] = {1, 0, 0, (uint8_t)(AT_TABLE >> 8)};
    uint8_t *config;
    uint64_t bar = unit->config.base | 4; /* 64 bits wide */

    unit->function = model_pci_add(unit->host, 0, unit->config.rid, 0x1af4, 0x1057);
    config = model_pci_config(unit->function);
    memcpy(config + 0x10, &bar, sizeof(bar));
    add_window(unit, 5, 0, 4); /* one that drivers need not know */
    add_window(unit, 1, 0, 56);
    add_window(unit, 3, AT_ISR, 4);
    add_window(unit, 4, AT_DEVICE, CONFIG_BYTES);
    add_window(unit, 2, AT_NOTIFY, 2 * NOTIFY_STEP);
    if (unit->config.messages)
        (void)model_pci_add_capability(unit->function, CAP_MSIX, msix, sizeof(msix));
}

struct virtio_model *virtio_model_create(struct model_host *host,
                                         const struct virtio_model_config *config)
{
    struct virtio_model *unit = calloc(1, sizeof(*unit));
    pthread_mutexattr_t attributes;

    if (unit == NULL)
        abort();
    unit->host = host;
    unit->config = *config;
    unit->bypass = config->bypass;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&unit->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    virtio_reset(unit);
    if (!config->mmio)
        add_function(unit);
    model_host_add_mmio(host, config->base, config->mmio ? MMIO_BYTES : BAR_BYTES,
                        &virtio_register_ops, unit);
    if (config->mode == VIRTIO_MODEL_AT_TICK)
        model_host_add_tick(host, tick, unit);
    return unit;
}

void virtio_model_destroy(struct virtio_model *unit)
{
    virtio_domains_clear(unit);
    pthread_mutex_destroy(&unit->lock);
    free(unit);
}

void virtio_model_power_cycle(struct virtio_model *unit)
{
    virtio_lock(unit);
    virtio_domains_clear(unit);
    virtio_reset(unit);
    unit->bypass = unit->config.bypass;
    unit->gone = false;
    memset(unit->table, 0, sizeof(unit->table));
    virtio_unlock(unit);
}

void virtio_model_inject(struct virtio_model *unit, const struct virtio_model_injection *injection)
{
    virtio_lock(unit);
    unit->inject = *injection;
    unit->accesses = unit->taken = unit->refusable = 0;
    unit->gone = false;
    virtio_unlock(unit);
}

void virtio_model_set_twist(struct virtio_model *unit, virtio_model_twist *twist, void *arg)
{
    virtio_lock(unit);
    unit->twist = twist;
    unit->twist_arg = arg;
    virtio_unlock(unit);
}

void virtio_model_stats(struct virtio_model *unit, struct virtio_model_stats *out)
{
    virtio_lock(unit);
    *out = unit->stats;
    virtio_unlock(unit);
}

unsigned virtio_model_mappings(struct virtio_model *unit)
{
    return unit->mapping_count;
}

unsigned virtio_model_domains(struct virtio_model *unit)
{
    unsigned count = 0;

    for (unsigned i = 0; i < VIRTIO_DOMAINS_MAX; i++)
        count += unit->domains[i].used;
    return count;
}

uint8_t virtio_model_bypass(struct virtio_model *unit)
{
    return unit->bypass;
}

uint64_t virtio_model_queue_address(struct virtio_model *unit, unsigned queue)
{
    const struct virtio_queue *of = &unit->queues[queue & 1];
    uint64_t lowest = of->desc < of->driver ? of->desc : of->driver;

    return of->device < lowest ? of->device : lowest;
}

void virtio_model_request(struct virtio_model *unit, const uint32_t *words)
{
    virtio_lock(unit);
    if ((words[0] == T_ATTACH ? virtio_attach(unit, words) : virtio_map(unit, words)) != S_OK)
        abort();
    virtio_unlock(unit);
}

void virtio_model_report(struct virtio_model *unit, const void *report, uint32_t bytes)
{
    virtio_lock(unit);
    virtio_put_report(unit, report, bytes);
    virtio_unlock(unit);
}

/* ---- as devices see it ---- */

static void op_lock(void *unit)
{
    virtio_lock(unit);
}

static void op_unlock(void *unit)
{
    virtio_unlock(unit);
}

static bool op_dma(void *unit, const struct model_dma_request *request, void *data, size_t bytes,
                   struct model_dma_result *result)
{
    return virtio_model_dma(unit, request, data, bytes, result);
}

/* There are no device TLBs here. */
static void op_ats(void *unit, uint16_t rid, uint64_t address, struct model_translation *out)
{
    (void)unit;
    (void)rid;
    (void)address;
    memset(out, 0, sizeof(*out));
}

static void op_connect(void *unit, uint16_t rid, const struct model_endpoint *endpoint)
{
    (void)unit;
    (void)rid;
    (void)endpoint;
}

static void op_completed(void *unit, uint16_t rid)
{
    (void)unit;
    (void)rid;
}

const struct model_unit_ops virtio_model_ops = {op_lock, op_unlock,  op_dma,
                                                op_ats,  op_connect, op_completed};
