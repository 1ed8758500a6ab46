// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "vtd_firmware.h"

uint64_t firmware_get(struct world *world, unsigned offset, unsigned width)
{
    return model_host_mmio_read(world->host, world->desc.base + offset, width);
}

void firmware_set(struct world *world, unsigned offset, unsigned width, uint64_t value)
{
    model_host_mmio_write(world->host, world->desc.base + offset, width, value);
}

static void command(struct world *world, uint32_t value, uint32_t bit)
{
    firmware_set(world, 0x18, 4, value);
    for (unsigned i = 0; i < 8 && (firmware_get(world, 0x1c, 4) & bit) == 0; i++)
        ;
    assert_true((firmware_get(world, 0x1c, 4) & bit) != 0);
}

static void firmware_alloc(struct world *world, struct firmware *firmware)
{
    struct sluice_pages *all = &firmware->root;

    for (unsigned i = 0; i < sizeof(*firmware) / sizeof(*all); i++)
        all[i] = model_host_buffer(world->host, 0, false);
}

void firmware_on_in_mode(struct world *world, struct firmware *firmware, unsigned mode)
{
    firmware_alloc(world, firmware);
    firmware_set(world, 0x20, 8, firmware->root.phys | (uint64_t)mode << 10);
    command(world, 1u << 30, 1u << 30);
    command(world, 1u << 31, 1u << 31);
}

static void forget_by_registers(struct world *world)
{
    firmware_set(world, 0x28, 8, UINT64_C(1) << 63 | UINT64_C(1) << 61);
    while ((firmware_get(world, 0x28, 8) >> 63) != 0)
        ;
    firmware_set(world, 0x108, 8, UINT64_C(1) << 63 | UINT64_C(1) << 60);
    while ((firmware_get(world, 0x108, 8) >> 63) != 0)
        ;
}

void firmware_on(struct world *world, struct firmware *firmware, bool queue)
{
    uint64_t *entry;

    firmware_alloc(world, firmware);
    memset(firmware->page.virt, 0x33, SLUICE_PAGE_BYTES);
    *(uint64_t *)firmware->root.virt = firmware->context.phys | 1u;
    entry = (uint64_t *)firmware->context.virt + (size_t)(world->sources[0].id & 0xff) * 2;
    entry[0] = firmware->levels[0].phys | 1u;
    entry[1] = 2u | 77u << 8; /* 48 bits */
    for (unsigned i = 0; i < 4; i++) {
        uint64_t *table = firmware->levels[i].virt;

        table[WORLD_IOVA >> (39 - 9 * i) & 511] =
            (i < 3 ? firmware->levels[i + 1].phys : firmware->page.phys) | 3u;
    }
    firmware_set(world, 0x20, 8, firmware->root.phys);
    command(world, 1u << 30, 1u << 30);
    if ((firmware_get(world, 0, 4) >> 4) < 6)
        forget_by_registers(world);
    if (queue) {
        firmware_set(world, 0x88, 8, 0);
        firmware_set(world, 0x90, 8, firmware->queue.phys);
        command(world, 1u << 26, 1u << 26);
    }
    command(world, 1u << 31 | (queue ? 1u << 26 : 0), 1u << 31);
}

void firmware_free(struct world *world, struct firmware *firmware)
{
    struct sluice_pages *all = &firmware->root;

    for (unsigned i = 0; i < sizeof(*firmware) / sizeof(*all); i++)
        model_host_buffer_free(world->host, all[i], 0);
}
