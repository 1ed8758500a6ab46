// SPDX-License-Identifier: MIT
/*
 * virtio-rng over PCI, modern interface, one split virtqueue [virtio 1.2: 2.7, 4.1, 5.4]. With
 * VIRTIO_F_ACCESS_PLATFORM negotiated the device's DMA goes through the IOMMU.
 */
#ifndef MACHINE_VIRTIO_RNG_H
#define MACHINE_VIRTIO_RNG_H

#include "dma.h"
#include "pci.h"

#define VIRTIO_RNG_VENDOR 0x1af4u
#define VIRTIO_RNG_DEVICE 0x1044u

struct virtio_rng {
    struct pci_device *pci;
    struct machine_dma *dma;
    volatile uint8_t *common, *notify;
    uint32_t notify_multiplier;
    struct machine_buffer queue;
    uint16_t next, seen;
};

/** Negotiates and sets the queue up; its memory is mapped through `dma`. */
bool virtio_rng_open(struct virtio_rng *rng, struct pci_device *pci, struct machine_dma *dma);
/** Resets the device and gives the queue's memory back. */
void virtio_rng_close(struct virtio_rng *rng);

/** Offers `bytes` at `bus` to be filled; does not wait. */
bool virtio_rng_offer(struct virtio_rng *rng, uint64_t bus, uint32_t bytes);
/** Waits at most `timeout_ns` for the oldest offer; false when the device used none. */
bool virtio_rng_wait(struct virtio_rng *rng, uint64_t timeout_ns, uint32_t *out_bytes);

#endif
