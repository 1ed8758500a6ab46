// SPDX-License-Identifier: MIT
#include "dma.h"

#include "arch.h"
#include "pages.h"

static bool direct_map(struct machine_dma *dma, uint64_t phys, size_t bytes, unsigned access,
                       uint64_t *out_bus)
{
    (void)dma;
    (void)bytes;
    (void)access;
    *out_bus = phys;
    return true;
}

static bool direct_unmap(struct machine_dma *dma, uint64_t bus, size_t bytes)
{
    (void)dma;
    (void)bus;
    (void)bytes;
    return true;
}

struct machine_dma machine_dma_direct = {.map = direct_map, .unmap = direct_unmap};

bool machine_buffer_alloc(struct machine_dma *dma, size_t bytes, unsigned access,
                          struct machine_buffer *out_buffer)
{
    struct machine_buffer buffer = {.bytes = bytes, .order = dma->least_order};
    if (dma->alloc != NULL)
        return dma->alloc(dma, bytes, access, out_buffer);
    while (((size_t)MACHINE_PAGE_BYTES << buffer.order) < bytes)
        buffer.order++;
    if (!machine_pages_alloc(buffer.order, MACHINE_PAGES_LOW, &buffer.phys))
        return false;
    buffer.virt = arch_phys_to_virt(buffer.phys);
    if (!dma->map(dma, buffer.phys, (size_t)MACHINE_PAGE_BYTES << buffer.order, access,
                  &buffer.bus)) {
        machine_pages_free(buffer.phys, buffer.order);
        return false;
    }
    *out_buffer = buffer;
    return true;
}

bool machine_buffer_free(struct machine_dma *dma, struct machine_buffer *buffer)
{
    if (buffer->virt == NULL)
        return true;
    if (dma->free != NULL)
        return dma->free(dma, buffer);
    bool unmapped = dma->unmap(dma, buffer->bus, (size_t)MACHINE_PAGE_BYTES << buffer->order);
    if (unmapped)
        machine_pages_free(buffer->phys, buffer->order);
    *buffer = (struct machine_buffer){0};
    return unmapped;
}
