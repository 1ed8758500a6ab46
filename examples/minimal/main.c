// SPDX-License-Identifier: MIT
/* The smallest host there can be, whole (docs/PORTING.md). It drives a model, so that it runs
 * anywhere; a port to hardware has its own way wherever a hook says "machine". */
#include <sluice/sluice.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "models/machine.h"

static void host_log(void *ctx, enum sluice_log_level level, const char *line)
{
    puts(line);
}

static void *host_alloc(void *ctx, size_t bytes)
{
    return calloc(1, bytes);
}

static void host_free(void *ctx, void *memory, size_t bytes)
{
    free(memory);
}

static bool host_pages_alloc(void *ctx, const struct sluice_page_request *request,
                             struct sluice_pages *out)
{
    *out = model_host_buffer(ctx, request->order, request->below_4g); /* machine */
    return true;
}

static void host_pages_free(void *ctx, struct sluice_pages pages, unsigned order)
{
    model_host_buffer_free(ctx, pages, order); /* machine */
}

static bool host_mmio_map(void *ctx, sluice_phys_t phys, uint64_t bytes, void **out_handle)
{
    *out_handle = (void *)(uintptr_t)phys;
    return true;
}

static void host_mmio_unmap(void *ctx, void *handle, uint64_t bytes)
{
}

static uint32_t host_mmio_read32(void *ctx, void *handle, uint64_t offset)
{
    return (uint32_t)model_host_mmio_read(ctx, (uintptr_t)handle + offset, 4); /* machine */
}

static uint64_t host_mmio_read64(void *ctx, void *handle, uint64_t offset)
{
    return model_host_mmio_read(ctx, (uintptr_t)handle + offset, 8); /* machine */
}

static void host_mmio_write32(void *ctx, void *handle, uint64_t offset, uint32_t value)
{
    model_host_mmio_write(ctx, (uintptr_t)handle + offset, 4, value); /* machine */
}

static void host_mmio_write64(void *ctx, void *handle, uint64_t offset, uint64_t value)
{
    model_host_mmio_write(ctx, (uintptr_t)handle + offset, 8, value); /* machine */
}

static uint64_t host_now_ns(void *ctx)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static const struct sluice_host_ops host_ops = {
    .log = host_log,
    .alloc = host_alloc,
    .free = host_free,
    .pages_alloc = host_pages_alloc,
    .pages_free = host_pages_free,
    .mmio_map = host_mmio_map,
    .mmio_unmap = host_mmio_unmap,
    .mmio_read32 = host_mmio_read32,
    .mmio_read64 = host_mmio_read64,
    .mmio_write32 = host_mmio_write32,
    .mmio_write64 = host_mmio_write64,
    .now_ns = host_now_ns,
};

int main(void)
{
    const struct machine_config description = machine_defaults();
    struct machine *machine = machine_create(&description);
    struct dma_device *nic = machine->devices[MACHINE_DEV_A];
    struct sluice_pages page = model_host_buffer(machine->host, 0, false);
    const struct sluice_config config = {&host_ops, machine->host, SLUICE_LOG_INFO,
                                         .linear_map = true,
                                         .linear_base = (uintptr_t)page.virt - page.phys};
    const struct sluice_device_config who = {.rid = dma_device_rid(nic), .name = "nic"};
    const struct sluice_domain_config kind = {.kind = SLUICE_DOMAIN_DMA};
    struct sluice *sluice;
    struct sluice_device *device;
    struct sluice_domain *domain;
    if (sluice_create(&config, &sluice) || /* every status but SLUICE_OK is not zero */
        sluice_add_table(sluice, machine->dmar, machine->dmar_bytes) || sluice_start(sluice) ||
        sluice_device_add(sluice, &who, &device) || sluice_domain_create(sluice, &kind, &domain) ||
        sluice_domain_attach(domain, device) ||
        sluice_domain_map(domain, 0x1000, page.phys, 4096, SLUICE_PROT_WRITE))
        return 1;
    bool inside = dma_device_write(nic, 0x1000, "hello", 6, NULL);
    bool outside = dma_device_write(nic, page.phys, "hello", 6, NULL);
    printf("mapped: %s, not mapped: %s\n", inside ? (char *)page.virt : "?",
           outside ? "reached memory!" : "stopped");
    if (sluice_domain_unmap(domain, 0x1000, 4096, NULL) || sluice_device_remove(device) ||
        sluice_domain_destroy(domain) || sluice_stop(sluice) || sluice_destroy(sluice))
        return 1;
    return inside && !outside && machine_destroy(machine) == 0 ? 0 : 1;
}
