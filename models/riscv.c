// SPDX-License-Identifier: MIT
/*
 * The RISC-V IOMMU model's life.
 */
#include "models/riscv_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW   0x1000u
#define PCI_BAR0 0x10u

struct riscv_model_config riscv_model_defaults(void)
{
    return (struct riscv_model_config){
        .base = 0x03010000,
        .rid = 0x0008,
        .sv39 = true,
        .sv48 = true,
        .sv57 = true,
        .sv39x4 = true,
        .sv48x4 = true,
        .sv57x4 = true,
        .extended = true,
        .mrif = true,
        .processes = 7,
        .coherent = true,
        .igs = 2,
        .version = 0x10,
        .pas = 56,
        .modes = 7,
        .pieces = true,
        .wires = {0x24, 0x25, 0x26, 0x27},
        .latency_reads = 2,
    };
}

void riscv_violate(struct riscv_model *unit, const char *format, ...)
{
    char text[200];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    model_host_violate(unit->host, "riscv: %s", text);
}

void riscv_lock(struct riscv_model *unit)
{
    pthread_mutex_lock(&unit->lock);
}

void riscv_unlock(struct riscv_model *unit)
{
    pthread_mutex_unlock(&unit->lock);
}

static void tick(void *arg)
{
    struct riscv_model *unit = arg;

    riscv_lock(unit);
    (void)riscv_queue_run(unit, 1);
    riscv_unlock(unit);
}

static uint64_t capabilities(const struct riscv_model_config *config)
{
    return config->version | (uint64_t)config->sv39 << 9 | (uint64_t)config->sv48 << 10 |
           (uint64_t)config->sv57 << 11 | (uint64_t)config->sv39x4 << 17 |
           (uint64_t)config->sv48x4 << 18 | (uint64_t)config->sv57x4 << 19 |
           (uint64_t)config->extended << 22 | (uint64_t)(config->extended && config->mrif) << 23 |
           (uint64_t)config->ats << 25 | (uint64_t)config->both_orders << 27 |
           (uint64_t)config->igs << 28 | (uint64_t)config->pas << 32 |
           (uint64_t)config->processes << 38 | (uint64_t)config->nonleaf << 42 |
           (uint64_t)config->ranges << 43;
}

void riscv_model_reset(struct riscv_model *unit)
{
    const struct riscv_model_config *config = &unit->config;

    riscv_lock(unit);
    memset(unit->file, 0, sizeof(unit->file));
    /* Unspecified at reset, but for what must be 0: so it is not 0 here [RISC-V IOMMU 5.2]. */
    riscv_set64(unit, R_CQB, MASK64(53, 10) | 31);
    riscv_set64(unit, R_FQB, MASK64(53, 10) | 31);
    riscv_set(unit, R_FQH, 5);
    riscv_set(unit, R_ICVEC, 0x3210);
    for (unsigned vector = 0; vector < 16; vector++)
        riscv_set(unit, R_MSI + vector * 16 + 12, 1);
    riscv_set64(unit, R_CAP, capabilities(config));
    riscv_set(unit, R_FCTL, (uint32_t)config->big_endian | (config->igs == 1 ? 2u : 0));
    unit->ddtp = config->reset_mode;
    riscv_set64(unit, R_DDTP, unit->ddtp);
    unit->ddtp_left = 0;
    memset(unit->csr_left, 0, sizeof(unit->csr_left));
    unit->unordered = unit->unordered_second = unit->atc_failed = false;
    unit->context_count = unit->directory_count = unit->tlb_count = unit->message_count = 0;
    unit->process_count = unit->pdt_count = 0;
    riscv_unlock(unit);
}

static void make_function(struct riscv_model *unit)
{
    const uint8_t msix[10] = {4, 0, 0x00, 0x03, 0, 0, 0x00, 0x04, 0, 0};
    uint8_t *config;
    uint64_t bar = unit->config.base | 4; /* 64 bits */

    unit->function = model_pci_add(unit->host, 0, unit->config.rid, 0x1b36, 0x0014);
    config = model_pci_config(unit->function);
    config[0x0a] = 0x06;
    config[0x0b] = 0x08;
    memcpy(config + PCI_BAR0, &bar, sizeof(bar));
    (void)model_pci_add_capability(unit->function, 0x11, msix, sizeof(msix));
}

struct riscv_model *riscv_model_create(struct model_host *host,
                                       const struct riscv_model_config *config)
{
    struct riscv_model *unit = calloc(1, sizeof(*unit));
    pthread_mutexattr_t attributes;

    if (unit == NULL)
        abort();
    unit->host = host;
    unit->config = *config;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&unit->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    riscv_model_reset(unit);
    if (config->pci)
        make_function(unit);
    model_host_add_mmio(host, config->base, WINDOW, &riscv_mmio_ops, unit);
    if (config->queue_mode == RISCV_MODEL_AT_TICK)
        model_host_add_tick(host, tick, unit);
    return unit;
}

void riscv_model_destroy(struct riscv_model *unit)
{
    pthread_mutex_destroy(&unit->lock);
    free(unit);
}

void riscv_model_inject(struct riscv_model *unit, const struct riscv_model_injection *injection)
{
    riscv_lock(unit);
    unit->inject = *injection;
    unit->gone = false;
    if (injection->fence_interrupt) {
        riscv_set(unit, R_CQCSR, riscv_get(unit, R_CQCSR) | CSR_WIP);
        riscv_raise_errors(unit);
    }
    riscv_unlock(unit);
}

void riscv_model_stats(struct riscv_model *unit, struct riscv_model_stats *out)
{
    riscv_lock(unit);
    *out = unit->stats;
    riscv_unlock(unit);
}

unsigned riscv_model_tlb_entries(struct riscv_model *unit)
{
    return unit->tlb_count;
}

unsigned riscv_model_contexts_cached(struct riscv_model *unit)
{
    return unit->context_count;
}

unsigned riscv_model_mode(struct riscv_model *unit)
{
    return (unsigned)FIELD64(unit->ddtp, 3, 0);
}

void riscv_model_evict(struct riscv_model *unit)
{
    riscv_lock(unit);
    unit->tlb_count = unit->context_count = unit->directory_count = unit->message_count = 0;
    unit->process_count = unit->pdt_count = 0;
    riscv_unlock(unit);
}

void riscv_model_set_message_sink(struct riscv_model *unit, riscv_model_message_sink *sink,
                                  void *arg)
{
    riscv_lock(unit);
    unit->sink = sink;
    unit->sink_arg = arg;
    riscv_unlock(unit);
}
