// SPDX-License-Identifier: MIT
/*
 * Virtio over PCI, modern devices only [Virtio 4.1]. Where registers are is said by vendor
 * capabilities; firmware or host gave the BARs their addresses. All that configuration space says
 * is the device's word.
 */
#include "pci/pci.h"
#include "unit/virtio/virtio.h"

#define VENDOR_VIRTIO    0x1af4u
#define DEVICE_FIRST     0x1040u /**< and the virtio device ID [Virtio 4.1.2] */
#define CAPABILITIES_MAX 48u     /**< that fit behind the header */
#define NO_VECTOR        0xffffu

/** Vendor capability [Virtio 4.1.4]. */
enum {
    CAP_LENGTH = 2,
    CAP_TYPE = 3,
    CAP_BAR = 4,
    CAP_OFFSET = 8,
    CAP_BYTES = 12,
    CAP_MULTIPLIER = 16, /**< of the notification capability alone */
};

enum {
    TYPE_COMMON = 1,
    TYPE_NOTIFY = 2,
    TYPE_ISR = 3,
    TYPE_DEVICE = 4,
};

/** Common configuration [Virtio 4.1.4.3]. */
enum {
    R_DEVICE_FEATURE_SELECT = 0,
    R_DEVICE_FEATURE = 4,
    R_DRIVER_FEATURE_SELECT = 8,
    R_DRIVER_FEATURE = 12,
    R_CONFIG_VECTOR = 16,
    R_NUM_QUEUES = 18,
    R_STATUS = 20,
    R_GENERATION = 21,
    R_QUEUE_SELECT = 22,
    R_QUEUE_SIZE = 24,
    R_QUEUE_VECTOR = 26,
    R_QUEUE_ENABLE = 28,
    R_QUEUE_NOTIFY_OFF = 30,
    R_QUEUE_DESC = 32, /**< low, then high */
    R_QUEUE_DRIVER = 40,
    R_QUEUE_DEVICE = 48,
    COMMON_BYTES = 56,
};

/** MSI-X capability and table [PCI 6.8.2]. */
enum {
    MSIX_CONTROL = 2,
    MSIX_TABLE = 4,
    MSIX_ENTRY_BYTES = 16,
};
#define MSIX_ENABLE   0x8000u
#define MSIX_MASK_ALL 0x4000u

#define COMMON VIOMMU_WINDOW_COMMON

/** A window as a capability tells of it. */
struct found {
    bool there;
    uint16_t at;
    sluice_phys_t phys;
    uint64_t bytes;
};

static uint32_t config(struct viommu *viommu, unsigned offset, unsigned width)
{
    const struct platform_unit *desc = viommu->unit.desc;

    return pci_read(viommu->unit.sluice, desc->segment, desc->rid, (uint16_t)offset, width);
}

static void config_set(struct viommu *viommu, unsigned offset, unsigned width, uint32_t value)
{
    const struct platform_unit *desc = viommu->unit.desc;

    pci_write(viommu->unit.sluice, desc->segment, desc->rid, (uint16_t)offset, width, value);
}

/** Where a memory BAR is; false: it is none, or nobody gave it an address [PCI 6.2.5.1]. */
static bool bar_address(struct viommu *viommu, unsigned bar, sluice_phys_t *out)
{
    uint64_t low;

    if (bar > 5)
        return false;
    low = config(viommu, PCI_BAR + 4 * bar, 4);
    if ((low & 1u) != 0 || low == UINT32_MAX)
        return false;
    *out = low & 0xfffffff0u;
    if ((low & 6u) == 4u && bar < 5)
        *out |= (uint64_t)config(viommu, PCI_BAR + 4 * bar + 4, 4) << 32;
    return *out != 0;
}

/** Takes a window from a capability, unless an earlier one gave it: the first counts [4.1.4.1]. */
static void take_capability(struct viommu *viommu, uint16_t at, struct found found[TYPE_DEVICE + 1])
{
    unsigned length = config(viommu, at + CAP_LENGTH, 1);
    unsigned type = config(viommu, at + CAP_TYPE, 1);
    uint64_t offset = config(viommu, at + CAP_OFFSET, 4);
    uint64_t bytes = config(viommu, at + CAP_BYTES, 4);
    sluice_phys_t base;

    if (type < TYPE_COMMON || type > TYPE_DEVICE || found[type].there || length < CAP_MULTIPLIER ||
        (type == TYPE_NOTIFY && length < CAP_MULTIPLIER + 4) || bytes == 0)
        return;
    if (!bar_address(viommu, config(viommu, at + CAP_BAR, 1), &base) ||
        base > UINT64_MAX - offset - bytes)
        return;
    found[type] = (struct found){true, at, base + offset, bytes};
}

static void find_windows(struct viommu *viommu, struct found found[TYPE_DEVICE + 1])
{
    const struct platform_unit *desc = viommu->unit.desc;
    uint16_t at = 0;

    for (unsigned i = 0; i < CAPABILITIES_MAX; i++) {
        at = pci_next_capability(viommu->unit.sluice, desc->segment, desc->rid, at,
                                 PCI_CAP_ID_VENDOR);
        if (at == 0)
            return;
        take_capability(viommu, at, found);
    }
}

static enum sluice_status map_windows(struct viommu *viommu,
                                      const struct found found[TYPE_DEVICE + 1])
{
    const struct found *common = &found[TYPE_COMMON], *device = &found[TYPE_DEVICE];
    const struct found *notify = &found[TYPE_NOTIFY];

    if (!common->there || !notify->there || !device->there || common->bytes < COMMON_BYTES ||
        device->bytes < VIOMMU_CONFIG_BYTES || (common->phys & 3u) != 0 ||
        (device->phys & 3u) != 0 || (notify->phys & 1u) != 0) {
        log_error(viommu->unit.sluice,
                  "%s: its capabilities do not tell where its registers are, its BARs have no "
                  "address, or it is not a modern device",
                  viommu->unit.name);
        return SLUICE_ERR_HARDWARE;
    }
    viommu->notify_multiplier = config(viommu, notify->at + CAP_MULTIPLIER, 4);
    if (!viommu_window_map(viommu, COMMON, common->phys, COMMON_BYTES) ||
        !viommu_window_map(viommu, VIOMMU_WINDOW_NOTIFY, notify->phys, notify->bytes) ||
        !viommu_window_map(viommu, VIOMMU_WINDOW_DEVICE, device->phys, VIOMMU_CONFIG_BYTES))
        return SLUICE_ERR_NO_MEMORY;
    return SLUICE_OK;
}

/** The first entry of the MSI-X table, if there is one that can be reached. */
static void find_messages(struct viommu *viommu)
{
    const struct platform_unit *desc = viommu->unit.desc;
    uint16_t at =
        pci_find_capability(viommu->unit.sluice, desc->segment, desc->rid, PCI_CAP_ID_MSIX);
    uint32_t table;
    sluice_phys_t base;

    if (at == 0)
        return;
    table = config(viommu, at + MSIX_TABLE, 4);
    if (bar_address(viommu, table & 7u, &base) &&
        viommu_window_map(viommu, VIOMMU_WINDOW_MSIX, base + (table & ~7u), MSIX_ENTRY_BYTES))
        viommu->msix = at;
}

static enum sluice_status pci_open(struct viommu *viommu)
{
    const struct platform_unit *desc = viommu->unit.desc;
    struct sluice *sluice = viommu->unit.sluice;
    struct found found[TYPE_DEVICE + 1] = {{false, 0, 0, 0}};
    enum sluice_status status;
    uint32_t id;

    if (sluice->ops->pci_read == NULL || sluice->ops->pci_write == NULL) {
        log_error(sluice, "%s: the host has no configuration space", viommu->unit.name);
        return SLUICE_ERR_UNSUPPORTED;
    }
    id = config(viommu, PCI_VENDOR_ID, 4);
    if (id != ((DEVICE_FIRST + VIRTIO_ID_IOMMU) << 16 | VENDOR_VIRTIO)) {
        log_error(sluice, "%s: " LOG_RID ": %04x:%04x is no virtio-iommu", viommu->unit.name,
                  LOG_RID_ARGS(desc->segment, desc->rid), (unsigned)(id & 0xffffu),
                  (unsigned)(id >> 16));
        return id == UINT32_MAX ? SLUICE_ERR_HARDWARE : SLUICE_ERR_FIRMWARE;
    }
    viommu->command = config(viommu, PCI_COMMAND, 2);
    viommu->touched = false;
    /* Else there is nothing to read the device's features from. */
    config_set(viommu, PCI_COMMAND, 2, viommu->command | PCI_COMMAND_MEMORY);
    find_windows(viommu, found);
    status = map_windows(viommu, found);
    if (status == SLUICE_OK)
        find_messages(viommu);
    return status;
}

static void pci_close(struct viommu *viommu)
{
    if (!viommu->touched)
        config_set(viommu, PCI_COMMAND, 2, viommu->command);
    viommu_windows_unmap(viommu);
}

static void pci_enable(struct viommu *viommu)
{
    config_set(viommu, PCI_COMMAND, 2, viommu->command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static uint8_t pci_status(struct viommu *viommu)
{
    return viommu_read8(viommu, COMMON, R_STATUS);
}

static void pci_status_set(struct viommu *viommu, uint8_t status)
{
    viommu_write8(viommu, COMMON, R_STATUS, status);
}

static uint64_t pci_features(struct viommu *viommu)
{
    uint64_t low;

    viommu_write32(viommu, COMMON, R_DEVICE_FEATURE_SELECT, 0);
    low = viommu_read32(viommu, COMMON, R_DEVICE_FEATURE);
    viommu_write32(viommu, COMMON, R_DEVICE_FEATURE_SELECT, 1);
    return low | (uint64_t)viommu_read32(viommu, COMMON, R_DEVICE_FEATURE) << 32;
}

static void pci_features_set(struct viommu *viommu, uint64_t features)
{
    viommu_write32(viommu, COMMON, R_DRIVER_FEATURE_SELECT, 0);
    viommu_write32(viommu, COMMON, R_DRIVER_FEATURE, (uint32_t)features);
    viommu_write32(viommu, COMMON, R_DRIVER_FEATURE_SELECT, 1);
    viommu_write32(viommu, COMMON, R_DRIVER_FEATURE, (uint32_t)(features >> 32));
}

static unsigned pci_queue_most(struct viommu *viommu, unsigned queue)
{
    if (viommu_read16(viommu, COMMON, R_NUM_QUEUES) <= queue)
        return 0;
    viommu_write16(viommu, COMMON, R_QUEUE_SELECT, (uint16_t)queue);
    return viommu_read16(viommu, COMMON, R_QUEUE_SIZE);
}

static void put_address(struct viommu *viommu, uint32_t offset, sluice_phys_t phys)
{
    viommu_write32(viommu, COMMON, offset, (uint32_t)phys);
    viommu_write32(viommu, COMMON, offset + 4, (uint32_t)(phys >> 32));
}

/** Where the selected queue is notified [Virtio 4.1.4.4]; false: outside the window. */
static bool find_notification(struct viommu *viommu, unsigned queue)
{
    const struct viommu_window *window = &viommu->windows[VIOMMU_WINDOW_NOTIFY];
    uint64_t at =
        (uint64_t)viommu_read16(viommu, COMMON, R_QUEUE_NOTIFY_OFF) * viommu->notify_multiplier;

    if (at > UINT32_MAX || (at & 1u) != 0 || window->at + at + 2 > window->bytes)
        return false;
    viommu->notify_at[queue] = (uint32_t)at;
    return true;
}

static enum sluice_status pci_queue_set(struct viommu *viommu, unsigned queue,
                                        const struct viommu_place *place)
{
    bool event = queue == VIOMMU_EVENTS && viommu->messages;

    viommu_write16(viommu, COMMON, R_QUEUE_SELECT, (uint16_t)queue);
    if (viommu_read16(viommu, COMMON, R_QUEUE_ENABLE) != 0 ||
        viommu_read16(viommu, COMMON, R_QUEUE_SIZE) < place->size ||
        !find_notification(viommu, queue)) {
        log_error(viommu->unit.sluice,
                  "%s: queue %u is in use, smaller than it was, or cannot be notified",
                  viommu->unit.name, queue);
        return SLUICE_ERR_HARDWARE;
    }
    viommu_write16(viommu, COMMON, R_QUEUE_SIZE, (uint16_t)place->size);
    viommu_write16(viommu, COMMON, R_QUEUE_VECTOR, event ? 0 : NO_VECTOR);
    if (event && viommu_read16(viommu, COMMON, R_QUEUE_VECTOR) != 0)
        log_warning(viommu->unit.sluice, "%s: it takes no vector for events: faults are polled",
                    viommu->unit.name);
    put_address(viommu, R_QUEUE_DESC, place->descriptors);
    put_address(viommu, R_QUEUE_DRIVER, place->driver);
    put_address(viommu, R_QUEUE_DEVICE, place->device);
    viommu_write16(viommu, COMMON, R_QUEUE_ENABLE, 1);
    return SLUICE_OK;
}

static void pci_notify(struct viommu *viommu, unsigned queue)
{
    viommu_write16(viommu, VIOMMU_WINDOW_NOTIFY, viommu->notify_at[queue], (uint16_t)queue);
}

static uint32_t pci_generation(struct viommu *viommu)
{
    return viommu_read8(viommu, COMMON, R_GENERATION);
}

static uint32_t pci_config_read32(struct viommu *viommu, uint32_t offset)
{
    return viommu_read32(viommu, VIOMMU_WINDOW_DEVICE, offset);
}

static uint8_t pci_config_read8(struct viommu *viommu, uint32_t offset)
{
    return viommu_read8(viommu, VIOMMU_WINDOW_DEVICE, offset);
}

static void pci_config_write8(struct viommu *viommu, uint32_t offset, uint8_t value)
{
    viommu_write8(viommu, VIOMMU_WINDOW_DEVICE, offset, value);
}

/** All to entry 0: the entry first, masked by the function meanwhile [PCI 6.8.2.9]. */
static bool pci_event_connect(struct viommu *viommu, const struct sluice_msi *msi)
{
    uint32_t control;

    if (viommu->msix == 0)
        return false;
    control = config(viommu, viommu->msix + MSIX_CONTROL, 2);
    config_set(viommu, viommu->msix + MSIX_CONTROL, 2, control | MSIX_ENABLE | MSIX_MASK_ALL);
    viommu_write32(viommu, VIOMMU_WINDOW_MSIX, 0, (uint32_t)msi->address);
    viommu_write32(viommu, VIOMMU_WINDOW_MSIX, 4, (uint32_t)(msi->address >> 32));
    viommu_write32(viommu, VIOMMU_WINDOW_MSIX, 8, msi->data);
    viommu_write32(viommu, VIOMMU_WINDOW_MSIX, 12, 0);
    config_set(viommu, viommu->msix + MSIX_CONTROL, 2,
               (control | MSIX_ENABLE) & ~(uint32_t)MSIX_MASK_ALL);
    viommu_write16(viommu, COMMON, R_CONFIG_VECTOR, 0);
    viommu->messages = true;
    return true;
}

static void pci_event_disconnect(struct viommu *viommu)
{
    uint32_t control;

    if (!viommu->messages)
        return;
    control = config(viommu, viommu->msix + MSIX_CONTROL, 2);
    config_set(viommu, viommu->msix + MSIX_CONTROL, 2, control & ~(uint32_t)MSIX_ENABLE);
    viommu->messages = false;
}

static void pci_event_acknowledge(struct viommu *viommu)
{
    (void)viommu; /* messages are not held */
}

const struct viommu_transport viommu_transport_pci = {
    .name = "PCI",
    .open = pci_open,
    .close = pci_close,
    .enable = pci_enable,
    .status = pci_status,
    .status_set = pci_status_set,
    .features = pci_features,
    .features_set = pci_features_set,
    .queue_most = pci_queue_most,
    .queue_set = pci_queue_set,
    .notify = pci_notify,
    .generation = pci_generation,
    .config_read32 = pci_config_read32,
    .config_read8 = pci_config_read8,
    .config_write8 = pci_config_write8,
    .event_connect = pci_event_connect,
    .event_disconnect = pci_event_disconnect,
    .event_acknowledge = pci_event_acknowledge,
};
