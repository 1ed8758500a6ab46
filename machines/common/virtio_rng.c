// SPDX-License-Identifier: MIT
#include "virtio_rng.h"

#include "arch.h"
#include "mmio.h"

/* struct virtio_pci_cap [virtio 4.1.4]. */
#define CAP_TYPE        3u
#define CAP_BAR         4u
#define CAP_OFFSET      8u
#define CAP_MULTIPLIER  16u
#define CAP_TYPE_COMMON 1u
#define CAP_TYPE_NOTIFY 2u

/* struct virtio_pci_common_cfg [virtio 4.1.4.3]. */
#define DEVICE_FEATURE_SELECT 0x00u
#define DEVICE_FEATURE        0x04u
#define DRIVER_FEATURE_SELECT 0x08u
#define DRIVER_FEATURE        0x0cu
#define DEVICE_STATUS         0x14u
#define QUEUE_SELECT          0x16u
#define QUEUE_SIZE            0x18u
#define QUEUE_ENABLE          0x1cu
#define QUEUE_NOTIFY_OFF      0x1eu
#define QUEUE_DESC            0x20u
#define QUEUE_DRIVER          0x28u
#define QUEUE_DEVICE          0x30u

#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER      2u
#define STATUS_DRIVER_OK   4u
#define STATUS_FEATURES_OK 8u

#define FEATURE_HIGH_VERSION_1       (1u << 0) /* bit 32 */
#define FEATURE_HIGH_ACCESS_PLATFORM (1u << 1) /* bit 33 */

#define ENTRIES      4u
#define DESC_WRITE   2u
#define AVAIL_OFFSET 1024u
#define USED_OFFSET  2048u
#define RESET_NS     1000000000ull

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};
_Static_assert(sizeof(struct descriptor) == 16, "[virtio 2.7.5]");

struct available {
    uint16_t flags, index, ring[ENTRIES];
};

struct used {
    uint16_t flags, index;
    struct {
        uint32_t id, length;
    } ring[ENTRIES];
};

static volatile uint8_t *find_structure(struct virtio_rng *rng, unsigned type)
{
    unsigned cap = 0;
    while ((cap = pci_device_capability(rng->pci, PCI_CAP_VENDOR, cap)) != 0) {
        if (pci_read(rng->pci, cap + CAP_TYPE, 1) != type)
            continue;
        volatile uint8_t *base = pci_map_bar(rng->pci, pci_read(rng->pci, cap + CAP_BAR, 1));
        if (base == NULL)
            return NULL;
        if (type == CAP_TYPE_NOTIFY)
            rng->notify_multiplier = pci_read(rng->pci, cap + CAP_MULTIPLIER, 4);
        return base + pci_read(rng->pci, cap + CAP_OFFSET, 4);
    }
    return NULL;
}

static bool reset(struct virtio_rng *rng)
{
    uint64_t deadline = arch_now_ns() + RESET_NS;
    mmio_write8(rng->common, DEVICE_STATUS, 0);
    while (mmio_read8(rng->common, DEVICE_STATUS) != 0) {
        if (arch_now_ns() > deadline)
            return false;
        arch_pause();
    }
    return true;
}

static bool negotiate(struct virtio_rng *rng)
{
    mmio_write8(rng->common, DEVICE_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    mmio_write32(rng->common, DEVICE_FEATURE_SELECT, 1);
    uint32_t offered = mmio_read32(rng->common, DEVICE_FEATURE);
    if ((offered & FEATURE_HIGH_VERSION_1) == 0)
        return false;
    mmio_write32(rng->common, DRIVER_FEATURE_SELECT, 0);
    mmio_write32(rng->common, DRIVER_FEATURE, 0);
    mmio_write32(rng->common, DRIVER_FEATURE_SELECT, 1);
    mmio_write32(rng->common, DRIVER_FEATURE,
                 offered & (FEATURE_HIGH_VERSION_1 | FEATURE_HIGH_ACCESS_PLATFORM));
    mmio_write8(rng->common, DEVICE_STATUS,
                STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
    return (mmio_read8(rng->common, DEVICE_STATUS) & STATUS_FEATURES_OK) != 0;
}

static void write_address(struct virtio_rng *rng, unsigned offset, uint64_t address)
{
    mmio_write32(rng->common, offset, (uint32_t)address);
    mmio_write32(rng->common, offset + 4, (uint32_t)(address >> 32));
}

static bool start_queue(struct virtio_rng *rng)
{
    mmio_write16(rng->common, QUEUE_SELECT, 0);
    if (mmio_read16(rng->common, QUEUE_SIZE) < ENTRIES)
        return false;
    mmio_write16(rng->common, QUEUE_SIZE, ENTRIES);
    write_address(rng, QUEUE_DESC, rng->queue.bus);
    write_address(rng, QUEUE_DRIVER, rng->queue.bus + AVAIL_OFFSET);
    write_address(rng, QUEUE_DEVICE, rng->queue.bus + USED_OFFSET);
    rng->notify += (uint64_t)mmio_read16(rng->common, QUEUE_NOTIFY_OFF) * rng->notify_multiplier;
    mmio_write16(rng->common, QUEUE_ENABLE, 1);
    mmio_write8(rng->common, DEVICE_STATUS,
                STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
    return true;
}

bool virtio_rng_open(struct virtio_rng *rng, struct pci_device *pci, struct machine_dma *dma)
{
    *rng = (struct virtio_rng){.pci = pci, .dma = dma};
    pci_enable(pci);
    rng->common = find_structure(rng, CAP_TYPE_COMMON);
    rng->notify = find_structure(rng, CAP_TYPE_NOTIFY);
    if (rng->common == NULL || rng->notify == NULL || !reset(rng) || !negotiate(rng))
        return false;
    if (!machine_buffer_alloc(dma, 4096, MACHINE_DMA_READ | MACHINE_DMA_WRITE, &rng->queue))
        return false;
    if (start_queue(rng))
        return true;
    virtio_rng_close(rng);
    return false;
}

void virtio_rng_close(struct virtio_rng *rng)
{
    if (reset(rng)) /* a device that does not stop keeps its memory */
        (void)machine_buffer_free(rng->dma, &rng->queue);
}

bool virtio_rng_offer(struct virtio_rng *rng, uint64_t bus, uint32_t bytes)
{
    volatile struct descriptor *table = (volatile void *)rng->queue.virt;
    volatile struct available *available = (volatile void *)(rng->queue.virt + AVAIL_OFFSET);
    uint16_t slot = rng->next % ENTRIES;
    if ((uint16_t)(rng->next - rng->seen) >= ENTRIES)
        return false;
    table[slot].address = bus;
    table[slot].length = bytes;
    table[slot].flags = DESC_WRITE;
    available->ring[slot] = slot;
    machine_dma_barrier(); /* descriptor before index, index before doorbell */
    available->index = ++rng->next;
    machine_dma_barrier();
    mmio_write16(rng->notify, 0, 0);
    return true;
}

bool virtio_rng_wait(struct virtio_rng *rng, uint64_t timeout_ns, uint32_t *out_bytes)
{
    const volatile struct used *used = (const volatile void *)(rng->queue.virt + USED_OFFSET);
    uint64_t deadline = arch_now_ns() + timeout_ns;
    while (used->index == rng->seen) {
        if (arch_now_ns() > deadline)
            return false;
        arch_pause();
    }
    machine_dma_barrier(); /* the index before the entry and the data it announces */
    *out_bytes = used->ring[rng->seen % ENTRIES].length;
    rng->seen++;
    return true;
}
