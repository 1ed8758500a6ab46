// SPDX-License-Identifier: MIT
/* Raw programming of a VT-d model; see vtd_rig.h. */
#include "vtd_rig.h"

#include <string.h>

void rig_init(struct rig *rig, const struct model_host_config *host,
              const struct vtd_model_config *config)
{
    memset(rig, 0, sizeof(*rig));
    rig->host = model_host_create(host);
    rig->unit = vtd_model_create(rig->host, config);
    rig->base = config->base;
    rig->device = dma_device_create(rig->host, rig->unit, RIG_RID, config->device_tlb);
    rig->device_2 = dma_device_create(rig->host, rig->unit, RIG_RID_2, false);
    rig->root = model_host_buffer(rig->host, 0, false);
    rig->context = model_host_buffer(rig->host, 0, false);
    rig->top = model_host_buffer(rig->host, 0, false);
    rig->queue = model_host_buffer(rig->host, 0, false);
    rig->status = model_host_buffer(rig->host, 0, false);
    for (unsigned i = 0; i < 2; i++) {
        rig->pages[i] = model_host_buffer(rig->host, 0, false);
        memset(rig->pages[i].virt, i == 0 ? 0x11 : 0x22, 4096);
    }
    ((uint64_t *)rig->root.virt)[0] = rig->context.phys | 1;
}

unsigned rig_finish(struct rig *rig)
{
    dma_device_destroy(rig->device);
    dma_device_destroy(rig->device_2);
    vtd_model_destroy(rig->unit);
    return model_host_destroy(rig->host);
}

uint32_t rig_get32(struct rig *rig, unsigned offset)
{
    return (uint32_t)model_host_mmio_read(rig->host, rig->base + offset, 4);
}

uint64_t rig_get64(struct rig *rig, unsigned offset)
{
    return model_host_mmio_read(rig->host, rig->base + offset, 8);
}

void rig_set32(struct rig *rig, unsigned offset, uint32_t value)
{
    model_host_mmio_write(rig->host, rig->base + offset, 4, value);
}

void rig_set64(struct rig *rig, unsigned offset, uint64_t value)
{
    model_host_mmio_write(rig->host, rig->base + offset, 8, value);
}

bool rig_command(struct rig *rig, uint32_t command, uint32_t bit, uint32_t want)
{
    rig_set32(rig, 0x18, command);
    for (unsigned i = 0; i < 8; i++) {
        if ((rig_get32(rig, 0x1c) & bit) == want)
            return true;
    }
    return false;
}

void rig_invalidate_context(struct rig *rig, unsigned granularity, uint16_t did, uint16_t rid)
{
    rig_set64(rig, 0x28,
              (uint64_t)1 << 63 | (uint64_t)granularity << 61 | (uint64_t)rid << 16 | did);
    for (unsigned i = 0; i < 8 && rig_get64(rig, 0x28) >> 63 != 0; i++)
        continue;
}

unsigned rig_invalidate_iotlb(struct rig *rig, unsigned granularity, uint16_t did,
                              uint64_t address_word)
{
    rig_set64(rig, 0x100, address_word);
    rig_set64(rig, 0x108, (uint64_t)1 << 63 | (uint64_t)granularity << 60 | (uint64_t)did << 32);
    for (unsigned i = 0; i < 8 && rig_get64(rig, 0x108) >> 63 != 0; i++)
        continue;
    return (unsigned)(rig_get64(rig, 0x108) >> 57 & 3);
}

void rig_enable(struct rig *rig)
{
    rig_set64(rig, 0x20, rig->root.phys);
    (void)rig_command(rig, 1u << 30, 1u << 30, 1u << 30);
    rig_invalidate_context(rig, RIG_GLOBAL, 0, 0);
    (void)rig_invalidate_iotlb(rig, RIG_GLOBAL, 0, 0);
    (void)rig_command(rig, 1u << 31, 1u << 31, 1u << 31);
}

void rig_set_context(struct rig *rig, uint16_t rid, uint64_t low, uint64_t high)
{
    uint64_t *entry = (uint64_t *)rig->context.virt + (size_t)2 * (rid & 0xffu);

    entry[0] = low;
    entry[1] = high;
}

void rig_attach(struct rig *rig, uint16_t rid, uint16_t did)
{
    rig_set_context(rig, rid, rig->top.phys | 1, (uint64_t)did << 8 | 2);
}

void rig_set_entry(struct rig *rig, uint64_t iova, unsigned level, uint64_t entry)
{
    uint64_t *table = rig->top.virt;

    for (unsigned at = 4; at > level; at--) {
        uint64_t *slot = &table[iova >> (12 + 9 * (at - 1)) & 0x1ff];

        if (*slot == 0)
            *slot = model_host_buffer(rig->host, 0, false).phys | RIG_READ | RIG_WRITE;
        table = model_host_virt(rig->host, *slot & ~(uint64_t)0xfff);
    }
    table[iova >> (12 + 9 * (level - 1)) & 0x1ff] = entry;
}

void rig_queue_enable(struct rig *rig)
{
    rig_set64(rig, 0x88, 0);
    rig_set64(rig, 0x90, rig->queue.phys);
    (void)rig_command(rig, (rig_get32(rig, 0x1c) & (1u << 31)) | 1u << 26, 1u << 26, 1u << 26);
    rig->tail = 0;
}

void rig_queue_put(struct rig *rig, uint64_t low, uint64_t high)
{
    uint64_t *entry = (uint64_t *)rig->queue.virt + (size_t)2 * rig->tail;

    entry[0] = low;
    entry[1] = high;
    rig->tail = (rig->tail + 1) % 256;
}

void rig_queue_ring(struct rig *rig)
{
    rig_set64(rig, 0x88, (uint64_t)rig->tail << 4);
}

void rig_queue_wait(struct rig *rig, uint32_t value)
{
    rig_queue_put(rig, 5 | 1u << 5 | (uint64_t)value << 32, rig->status.phys);
    rig_queue_ring(rig);
}

uint32_t rig_status(struct rig *rig)
{
    return *(const volatile uint32_t *)rig->status.virt;
}
