// SPDX-License-Identifier: MIT
/*
 * The virtio-iommu model's registers over PCI [Virtio 4.1] and MMIO [Virtio 4.2]: what may be
 * written when, and how wide.
 */
#include "models/virtio_internal.h"

#include <string.h>

#define COMMAND_SPACE 2u
#define MMIO_CONFIG   0x100u

/* ---- what registers mean ---- */

void virtio_reset(struct virtio_model *unit)
{
    if (!unit->config.keeps_domains)
        virtio_domains_clear(unit);
    memset(unit->queues, 0, sizeof(unit->queues));
    for (unsigned i = 0; i < 2; i++)
        unit->queues[i] = (struct virtio_queue){.size = (uint16_t)unit->config.queue_most[i],
                                                .vector = NO_VECTOR};
    unit->status = 0;
    unit->accepted = 0;
    unit->config_vector = NO_VECTOR;
    unit->device_select = unit->driver_select = unit->queue_select = 0;
    unit->interrupt_status = 0;
}

static void status_written(struct virtio_model *unit, uint8_t value)
{
    if (value == 0) {
        if (!unit->inject.stuck_reset)
            virtio_reset(unit);
        return;
    }
    if ((unit->status & ~value & 0x0fu) != 0)
        virtio_violate(unit, "status: %#x takes bits of %#x away", value, unit->status);
    /* One step after the other [Virtio 3.1.1]: each bit on top of those that come before it. */
    if (((value & STATUS_DRIVER) != 0 && (unit->status & STATUS_ACKNOWLEDGE) == 0) ||
        ((value & STATUS_FEATURES_OK) != 0 && (unit->status & STATUS_DRIVER) == 0))
        virtio_violate(unit, "status: %#x after %#x is a step too far", value, unit->status);
    if ((value & STATUS_FEATURES_OK) != 0 && (unit->status & STATUS_FEATURES_OK) == 0 &&
        ((unit->accepted & ~unit->config.features) != 0 || !virtio_has(unit, F_VERSION_1) ||
         unit->inject.refuses_features)) {
        if (!unit->inject.refuses_features)
            virtio_violate(unit, "features %#llx taken", (unsigned long long)unit->accepted);
        value &= (uint8_t)~STATUS_FEATURES_OK;
    }
    if ((value & STATUS_DRIVER_OK) != 0 && (value & STATUS_FEATURES_OK) == 0)
        virtio_violate(unit, "status: driver is ready before features are agreed on");
    unit->status = value;
}

static uint32_t features_half(uint64_t features, uint32_t select)
{
    return select > 1 ? 0 : (uint32_t)(features >> (32 * select));
}

static void accept(struct virtio_model *unit, uint32_t value)
{
    unsigned shift = 32 * (unit->driver_select & 1);

    if ((unit->status & STATUS_FEATURES_OK) != 0)
        virtio_violate(unit, "features: taken after they were agreed on");
    if ((unit->status & STATUS_DRIVER) == 0)
        virtio_violate(unit, "features: taken before the driver said that it is there");
    unit->accepted &= ~((uint64_t)UINT32_MAX << shift);
    unit->accepted |= (uint64_t)value << shift;
}

static struct virtio_queue *selected(struct virtio_model *unit)
{
    return unit->queue_select < 2 ? &unit->queues[unit->queue_select] : NULL;
}

static void enable(struct virtio_model *unit, struct virtio_queue *queue)
{
    if ((unit->status & STATUS_FEATURES_OK) == 0 || queue->desc % 16 != 0 ||
        queue->driver % 2 != 0 || queue->device % 4 != 0 || queue->size == 0 ||
        (queue->size & (queue->size - 1)) != 0 ||
        queue->size > unit->config.queue_most[unit->queue_select])
        virtio_violate(unit, "queue %u: enabled with %u entries", unit->queue_select, queue->size);
    queue->enabled = true;
    queue->seen = queue->used = 0;
}

static void notified(struct virtio_model *unit, uint32_t queue)
{
    if (queue > 1 || !unit->queues[queue].enabled || (unit->status & STATUS_DRIVER_OK) == 0) {
        virtio_violate(unit, "queue %u: notified before it is ready", queue);
        return;
    }
    if (queue != 0)
        return;
    unit->stats.notified++;
    if (unit->config.mode == VIRTIO_MODEL_AT_NOTIFY)
        virtio_requests_run(unit, UINT32_MAX);
}

/* ---- the device's own configuration [Virtio 5.13.4] ---- */

static uint64_t config_read(struct virtio_model *unit, uint64_t at, unsigned width)
{
    const struct virtio_model_config *config = &unit->config;
    uint8_t bytes[CONFIG_BYTES] = {0};
    uint64_t value = 0;

    memcpy(bytes, &config->page_size_mask, 8);
    memcpy(bytes + 8, &config->input_first, 8);
    memcpy(bytes + 16, &config->input_last, 8);
    memcpy(bytes + 24, &config->domain_first, 4);
    memcpy(bytes + 28, &config->domain_last, 4);
    memcpy(bytes + 32, &config->probe_size, 4);
    bytes[36] = unit->bypass;
    if (unit->inject.torn_configs > 0) {
        bytes[16] = 0x5a; /* of what was there before the upper half was read */
        if (at == 20) {
            unit->inject.torn_configs--;
            unit->generation++;
        }
    }
    if (at + width > CONFIG_BYTES || width > 4 || (at >= 36 && width != 1)) {
        virtio_violate(unit, "configuration: %u bytes read at %#x", width, (unsigned)at);
        return UINT64_MAX;
    }
    memcpy(&value, bytes + at, width);
    return virtio_seen(unit, VIRTIO_MODEL_CONFIG, value);
}

static void config_write(struct virtio_model *unit, uint64_t at, unsigned width, uint64_t value)
{
    if (at != 36 || width != 1 || value > 1 || !virtio_has(unit, F_BYPASS_CONFIG) ||
        (unit->status & STATUS_FEATURES_OK) == 0) {
        virtio_violate(unit, "configuration: %#llx written at %#x", (unsigned long long)value,
                       (unsigned)at);
        return;
    }
    if (!unit->inject.stuck_bypass || value != 0)
        unit->bypass = (uint8_t)value;
}

/* ---- registers in common, by what they are ---- */

enum reg {
    REG_NONE,
    REG_DEVICE_SELECT,
    REG_DEVICE_FEATURES,
    REG_DRIVER_SELECT,
    REG_DRIVER_FEATURES,
    REG_CONFIG_VECTOR,
    REG_QUEUES,
    REG_STATUS,
    REG_GENERATION,
    REG_QUEUE_SELECT,
    REG_QUEUE_MOST,
    REG_QUEUE_SIZE,
    REG_QUEUE_VECTOR,
    REG_QUEUE_ENABLE,
    REG_NOTIFY_OFF,
    REG_NOTIFY,
    REG_DESC,
    REG_DRIVER = REG_DESC + 2,
    REG_DEVICE = REG_DRIVER + 2,
    REG_MAGIC = REG_DEVICE + 2,
    REG_VERSION,
    REG_ID,
    REG_PENDING,
    REG_ACKNOWLEDGE,
};

struct place {
    uint16_t at;
    uint8_t width;
    uint8_t reg;
};

static const struct place pci_places[] = {
    {0, 4, REG_DEVICE_SELECT},    {4, 4, REG_DEVICE_FEATURES}, {8, 4, REG_DRIVER_SELECT},
    {12, 4, REG_DRIVER_FEATURES}, {16, 2, REG_CONFIG_VECTOR},  {18, 2, REG_QUEUES},
    {20, 1, REG_STATUS},          {21, 1, REG_GENERATION},     {22, 2, REG_QUEUE_SELECT},
    {24, 2, REG_QUEUE_SIZE},      {26, 2, REG_QUEUE_VECTOR},   {28, 2, REG_QUEUE_ENABLE},
    {30, 2, REG_NOTIFY_OFF},      {32, 4, REG_DESC},           {36, 4, REG_DESC + 1},
    {40, 4, REG_DRIVER},          {44, 4, REG_DRIVER + 1},     {48, 4, REG_DEVICE},
    {52, 4, REG_DEVICE + 1},
};

static const struct place mmio_places[] = {
    {0x00, 4, REG_MAGIC},
    {0x04, 4, REG_VERSION},
    {0x08, 4, REG_ID},
    {0x10, 4, REG_DEVICE_FEATURES},
    {0x14, 4, REG_DEVICE_SELECT},
    {0x20, 4, REG_DRIVER_FEATURES},
    {0x24, 4, REG_DRIVER_SELECT},
    {0x30, 4, REG_QUEUE_SELECT},
    {0x34, 4, REG_QUEUE_MOST},
    {0x38, 4, REG_QUEUE_SIZE},
    {0x44, 4, REG_QUEUE_ENABLE},
    {0x50, 4, REG_NOTIFY},
    {0x60, 4, REG_PENDING},
    {0x64, 4, REG_ACKNOWLEDGE},
    {0x70, 4, REG_STATUS},
    {0x80, 4, REG_DESC},
    {0x84, 4, REG_DESC + 1},
    {0x90, 4, REG_DRIVER},
    {0x94, 4, REG_DRIVER + 1},
    {0xa0, 4, REG_DEVICE},
    {0xa4, 4, REG_DEVICE + 1},
    {0xfc, 4, REG_GENERATION},
};

static unsigned reg_at(struct virtio_model *unit, uint64_t at, unsigned width)
{
    const struct place *places = unit->config.mmio ? mmio_places : pci_places;
    size_t count = unit->config.mmio ? sizeof(mmio_places) : sizeof(pci_places);

    for (size_t i = 0; i < count / sizeof(struct place); i++) {
        if (places[i].at == at && places[i].width == width)
            return places[i].reg;
    }
    virtio_violate(unit, "registers: %u bytes at %#llx", width, (unsigned long long)at);
    return REG_NONE;
}

static uint64_t queue_read(struct virtio_model *unit, unsigned reg)
{
    const struct virtio_queue *queue = selected(unit);

    if (queue == NULL)
        return 0;
    switch (reg) {
    case REG_QUEUE_MOST:
        return unit->config.queue_most[unit->queue_select];
    case REG_QUEUE_SIZE:
        return queue->size;
    case REG_QUEUE_VECTOR:
        return queue->vector;
    case REG_QUEUE_ENABLE:
        return queue->enabled || unit->inject.queue_in_use;
    case REG_NOTIFY_OFF:
        return unit->queue_select;
    default:
        virtio_violate(unit, "register %u is not for reading", reg);
        return 0;
    }
}

static uint64_t honest_read(struct virtio_model *unit, unsigned reg)
{
    switch (reg) {
    case REG_DEVICE_FEATURES:
        return features_half(unit->config.features, unit->device_select);
    case REG_QUEUES:
        return 2;
    case REG_STATUS:
        return unit->inject.stuck_reset && unit->status == 0 ? 1 : unit->status;
    case REG_GENERATION:
        return unit->inject.moving_config ? unit->generation++ : unit->generation;
    case REG_MAGIC:
        return 0x74726976;
    case REG_VERSION:
        return unit->config.legacy ? 1 : 2;
    case REG_ID:
        return 23;
    case REG_PENDING:
        return unit->interrupt_status;
    default:
        return queue_read(unit, reg);
    }
}

static uint64_t reg_read(struct virtio_model *unit, unsigned reg)
{
    return virtio_seen(unit, VIRTIO_MODEL_REGISTER, honest_read(unit, reg));
}

static void half_set(uint64_t *value, unsigned half, uint32_t part)
{
    *value &= ~((uint64_t)UINT32_MAX << (32 * half));
    *value |= (uint64_t)part << (32 * half);
}

static void queue_write(struct virtio_model *unit, unsigned reg, uint32_t value)
{
    struct virtio_queue *queue = selected(unit);

    if (queue == NULL || queue->enabled) {
        virtio_violate(unit, "queue %u: register %u written, enabled or not there",
                       unit->queue_select, reg);
        return;
    }
    if (reg == REG_QUEUE_SIZE)
        queue->size = (uint16_t)value;
    else if (reg == REG_QUEUE_VECTOR)
        queue->vector = value == 0 && unit->config.messages ? 0 : NO_VECTOR;
    else if (reg == REG_QUEUE_ENABLE)
        enable(unit, queue);
    else if (reg == REG_DESC || reg == REG_DESC + 1)
        half_set(&queue->desc, reg - REG_DESC, value);
    else if (reg == REG_DRIVER || reg == REG_DRIVER + 1)
        half_set(&queue->driver, reg - REG_DRIVER, value);
    else if (reg == REG_DEVICE || reg == REG_DEVICE + 1)
        half_set(&queue->device, reg - REG_DEVICE, value);
    else
        virtio_violate(unit, "register %u is not for writing", reg);
}

static void reg_write(struct virtio_model *unit, unsigned reg, uint32_t value)
{
    switch (reg) {
    case REG_DEVICE_SELECT:
        unit->device_select = value;
        return;
    case REG_DRIVER_SELECT:
        unit->driver_select = value;
        return;
    case REG_DRIVER_FEATURES:
        accept(unit, value);
        return;
    case REG_CONFIG_VECTOR:
        unit->config_vector = value == 0 && unit->config.messages ? 0 : NO_VECTOR;
        return;
    case REG_STATUS:
        status_written(unit, (uint8_t)value);
        return;
    case REG_QUEUE_SELECT:
        unit->queue_select = value;
        return;
    case REG_NOTIFY:
        notified(unit, value);
        return;
    case REG_ACKNOWLEDGE:
        unit->interrupt_status &= ~value;
        return;
    default:
        queue_write(unit, reg, value);
    }
}

/* ---- accesses ---- */

/* False: all ones. */
static bool present(struct virtio_model *unit)
{
    if (unit->inject.gone_at != 0 && ++unit->accesses >= unit->inject.gone_at)
        unit->gone = true;
    if (unit->function != NULL && (model_pci_config(unit->function)[4] & COMMAND_SPACE) == 0) {
        virtio_violate(unit, "registers: used while memory space is off");
        return false;
    }
    return !unit->gone;
}

static uint64_t read_at(struct virtio_model *unit, uint64_t at, unsigned width)
{
    if (unit->config.mmio)
        return at >= MMIO_CONFIG ? config_read(unit, at - MMIO_CONFIG, width)
                                 : reg_read(unit, reg_at(unit, at, width));
    if (at >= AT_TABLE)
        return width == 4 && at < AT_TABLE + 16 ? unit->table[(at - AT_TABLE) / 4] : UINT64_MAX;
    if (at >= AT_DEVICE)
        return config_read(unit, at - AT_DEVICE, width);
    return reg_read(unit, reg_at(unit, at, width));
}

static void write_at(struct virtio_model *unit, uint64_t at, unsigned width, uint64_t value)
{
    if (unit->config.mmio && at >= MMIO_CONFIG)
        config_write(unit, at - MMIO_CONFIG, width, value);
    else if (unit->config.mmio || at < AT_ISR)
        reg_write(unit, reg_at(unit, at, width), (uint32_t)value);
    else if (at >= AT_TABLE && width == 4 && at < AT_TABLE + 16)
        unit->table[(at - AT_TABLE) / 4] = (uint32_t)value;
    else if (at >= AT_NOTIFY && at < AT_TABLE && width == 2 &&
             at - AT_NOTIFY == NOTIFY_STEP * value)
        notified(unit, (uint32_t)value);
    else if (at >= AT_DEVICE && at < AT_NOTIFY)
        config_write(unit, at - AT_DEVICE, width, value);
    else
        virtio_violate(unit, "registers: %u bytes written at %#llx", width, (unsigned long long)at);
}

static uint64_t register_read(void *arg, uint64_t at, unsigned width)
{
    struct virtio_model *unit = arg;
    uint64_t value = UINT64_MAX;

    virtio_lock(unit);
    if (present(unit))
        value = read_at(unit, at, width);
    virtio_unlock(unit);
    return value;
}

static void register_write(void *arg, uint64_t at, unsigned width, uint64_t value)
{
    struct virtio_model *unit = arg;

    virtio_lock(unit);
    if (present(unit))
        write_at(unit, at, width, value);
    virtio_unlock(unit);
}

const struct model_mmio_ops virtio_register_ops = {register_read, register_write};
