// SPDX-License-Identifier: MIT
/*
 * Virtio over MMIO, version 2 [Virtio 4.2.2]. Control registers are 32 bits wide; the device's
 * configuration is accessed as wide as its fields are [Virtio 4.2.2.2].
 */
#include "unit/virtio/virtio.h"

#define WINDOW VIOMMU_WINDOW_COMMON

enum {
    R_MAGIC = 0x000,
    R_VERSION = 0x004,
    R_DEVICE_ID = 0x008,
    R_DEVICE_FEATURES = 0x010,
    R_DEVICE_FEATURES_SEL = 0x014,
    R_DRIVER_FEATURES = 0x020,
    R_DRIVER_FEATURES_SEL = 0x024,
    R_QUEUE_SEL = 0x030,
    R_QUEUE_NUM_MAX = 0x034,
    R_QUEUE_NUM = 0x038,
    R_QUEUE_READY = 0x044,
    R_QUEUE_NOTIFY = 0x050,
    R_INTERRUPT_STATUS = 0x060,
    R_INTERRUPT_ACK = 0x064,
    R_STATUS = 0x070,
    R_QUEUE_DESC = 0x080, /**< low, then high */
    R_QUEUE_DRIVER = 0x090,
    R_QUEUE_DEVICE = 0x0a0,
    R_GENERATION = 0x0fc,
    R_CONFIG = 0x100,
};

#define MAGIC          0x74726976u
#define VERSION_MODERN 2u
#define REGISTER_BYTES (R_CONFIG + VIOMMU_CONFIG_BYTES)

static uint32_t get(struct viommu *viommu, uint32_t offset)
{
    return viommu_read32(viommu, WINDOW, offset);
}

static void put(struct viommu *viommu, uint32_t offset, uint32_t value)
{
    viommu_write32(viommu, WINDOW, offset, value);
}

static enum sluice_status mmio_open(struct viommu *viommu)
{
    const struct platform_unit *desc = viommu->unit.desc;
    struct sluice *sluice = viommu->unit.sluice;
    uint32_t magic, version, id;

    if (desc->base == 0 || (desc->base & 3u) != 0 || desc->register_bytes < REGISTER_BYTES ||
        desc->base > UINT64_MAX - desc->register_bytes) {
        log_error(sluice, "%s: registers at %#llx, %#llx bytes: absurd", viommu->unit.name,
                  (unsigned long long)desc->base, (unsigned long long)desc->register_bytes);
        return SLUICE_ERR_FIRMWARE;
    }
    if (!viommu_window_map(viommu, WINDOW, desc->base, desc->register_bytes))
        return SLUICE_ERR_NO_MEMORY;
    magic = get(viommu, R_MAGIC);
    version = get(viommu, R_VERSION);
    id = get(viommu, R_DEVICE_ID);
    if (magic == MAGIC && version == VERSION_MODERN && id == VIRTIO_ID_IOMMU)
        return SLUICE_OK;
    log_error(sluice,
              "%s: at %#llx: magic %#x, version %u, device %u: no virtio-iommu of version 2",
              viommu->unit.name, (unsigned long long)desc->base, (unsigned)magic, (unsigned)version,
              (unsigned)id);
    return magic == MAGIC ? SLUICE_ERR_UNSUPPORTED : SLUICE_ERR_HARDWARE;
}

static void mmio_enable(struct viommu *viommu)
{
    (void)viommu; /* registers are always there */
}

static uint8_t mmio_status(struct viommu *viommu)
{
    return (uint8_t)get(viommu, R_STATUS);
}

static void mmio_status_set(struct viommu *viommu, uint8_t status)
{
    put(viommu, R_STATUS, status);
}

static uint64_t mmio_features(struct viommu *viommu)
{
    uint64_t low;

    put(viommu, R_DEVICE_FEATURES_SEL, 0);
    low = get(viommu, R_DEVICE_FEATURES);
    put(viommu, R_DEVICE_FEATURES_SEL, 1);
    return low | (uint64_t)get(viommu, R_DEVICE_FEATURES) << 32;
}

static void mmio_features_set(struct viommu *viommu, uint64_t features)
{
    put(viommu, R_DRIVER_FEATURES_SEL, 0);
    put(viommu, R_DRIVER_FEATURES, (uint32_t)features);
    put(viommu, R_DRIVER_FEATURES_SEL, 1);
    put(viommu, R_DRIVER_FEATURES, (uint32_t)(features >> 32));
}

static unsigned mmio_queue_most(struct viommu *viommu, unsigned queue)
{
    put(viommu, R_QUEUE_SEL, queue);
    return get(viommu, R_QUEUE_NUM_MAX);
}

static void put_address(struct viommu *viommu, uint32_t offset, sluice_phys_t phys)
{
    put(viommu, offset, (uint32_t)phys);
    put(viommu, offset + 4, (uint32_t)(phys >> 32));
}

static enum sluice_status mmio_queue_set(struct viommu *viommu, unsigned queue,
                                         const struct viommu_place *place)
{
    put(viommu, R_QUEUE_SEL, queue);
    if (get(viommu, R_QUEUE_READY) != 0 || get(viommu, R_QUEUE_NUM_MAX) < place->size) {
        log_error(viommu->unit.sluice, "%s: queue %u is in use, or smaller than it was",
                  viommu->unit.name, queue);
        return SLUICE_ERR_HARDWARE;
    }
    put(viommu, R_QUEUE_NUM, place->size);
    put_address(viommu, R_QUEUE_DESC, place->descriptors);
    put_address(viommu, R_QUEUE_DRIVER, place->driver);
    put_address(viommu, R_QUEUE_DEVICE, place->device);
    put(viommu, R_QUEUE_READY, 1);
    return SLUICE_OK;
}

static void mmio_notify(struct viommu *viommu, unsigned queue)
{
    put(viommu, R_QUEUE_NOTIFY, queue);
}

static uint32_t mmio_generation(struct viommu *viommu)
{
    return get(viommu, R_GENERATION);
}

static uint32_t mmio_config_read32(struct viommu *viommu, uint32_t offset)
{
    return get(viommu, R_CONFIG + offset);
}

static uint8_t mmio_config_read8(struct viommu *viommu, uint32_t offset)
{
    return viommu_read8(viommu, WINDOW, R_CONFIG + offset);
}

static void mmio_config_write8(struct viommu *viommu, uint32_t offset, uint8_t value)
{
    viommu_write8(viommu, WINDOW, R_CONFIG + offset, value);
}

/* Its interrupt is a wire, which the host connected to the handler, unless it gave a message. */
static bool mmio_event_connect(struct viommu *viommu, const struct sluice_msi *msi)
{
    (void)viommu;
    return msi->address == 0;
}

static void mmio_event_disconnect(struct viommu *viommu)
{
    (void)viommu;
}

static void mmio_event_acknowledge(struct viommu *viommu)
{
    uint32_t pending = get(viommu, R_INTERRUPT_STATUS);

    if (pending != 0 && pending != UINT32_MAX)
        put(viommu, R_INTERRUPT_ACK, pending);
}

const struct viommu_transport viommu_transport_mmio = {
    .name = "MMIO",
    .wired = true,
    .open = mmio_open,
    .close = viommu_windows_unmap,
    .enable = mmio_enable,
    .status = mmio_status,
    .status_set = mmio_status_set,
    .features = mmio_features,
    .features_set = mmio_features_set,
    .queue_most = mmio_queue_most,
    .queue_set = mmio_queue_set,
    .notify = mmio_notify,
    .generation = mmio_generation,
    .config_read32 = mmio_config_read32,
    .config_read8 = mmio_config_read8,
    .config_write8 = mmio_config_write8,
    .event_connect = mmio_event_connect,
    .event_disconnect = mmio_event_disconnect,
    .event_acknowledge = mmio_event_acknowledge,
};
