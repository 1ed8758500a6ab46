// SPDX-License-Identifier: MIT
/*
 * How the machine's drivers get addresses to give to their devices. Without an IOMMU the address is
 * the physical one; with one, what lies behind is a domain of the library. Drivers can't tell.
 */
#ifndef MACHINE_DMA_H
#define MACHINE_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/cpu.h>

#define MACHINE_DMA_READ  (1u << 0) /**< the device reads memory */
#define MACHINE_DMA_WRITE (1u << 1) /**< the device writes memory */

struct machine_buffer;

struct machine_dma {
    /** Makes [phys, phys + bytes) reachable; whole pages. Returns false when it could not. */
    bool (*map)(struct machine_dma *dma, uint64_t phys, size_t bytes, unsigned access,
                uint64_t *out_bus);
    /** Ends that; when it returns true the device can no longer reach the memory. */
    bool (*unmap)(struct machine_dma *dma, uint64_t bus, size_t bytes);
    /** Memory for both, by other means than pages that are mapped; NULL: there are none. */
    bool (*alloc)(struct machine_dma *dma, size_t bytes, unsigned access,
                  struct machine_buffer *out_buffer);
    bool (*free)(struct machine_dma *dma, struct machine_buffer *buffer);
    unsigned least_order; /**< of what is mapped: how large the smallest page is */
};

/** Bus address = physical address. */
extern struct machine_dma machine_dma_direct;

/** Memory of the machine that a device may use. */
struct machine_buffer {
    uint8_t *virt;
    uint64_t phys, bus;
    size_t bytes;
    unsigned order;
    void *hidden; /* of who made it */
};

/** Zeroed pages, mapped for the device. On failure nothing is held. */
bool machine_buffer_alloc(struct machine_dma *dma, size_t bytes, unsigned access,
                          struct machine_buffer *out_buffer);
/** Unmaps, then frees; pages that could not be unmapped are withheld for good. */
bool machine_buffer_free(struct machine_dma *dma, struct machine_buffer *buffer);

/** Orders memory writes before a doorbell, and a device's flag before the data it announces. */
static inline void machine_dma_barrier(void)
{
    sluice_device_fence();
}

#endif
