// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "amdvi_firmware.h"

#define TABLE_ORDER   9u
#define DOMAIN        77u
#define READ_WRITE    (UINT64_C(3) << 61)
#define STATUS_CMDRUN UINT64_C(0x10)

uint64_t firmware_get(struct world *world, unsigned offset)
{
    return model_host_mmio_read(world->host, world->desc.base + offset, 8);
}

void firmware_set(struct world *world, unsigned offset, uint64_t value)
{
    model_host_mmio_write(world->host, world->desc.base + offset, 8, value);
}

static void fill_table(struct world *world, struct firmware *firmware)
{
    uint64_t *entries = firmware->table.virt;
    uint64_t *entry = entries + (size_t)world->sources[0].id * 4;

    for (size_t i = 0; i < 65536; i++)
        entries[i * 4] = 3;
    entry[0] = firmware->levels[0].phys | READ_WRITE | 4u << 9 | 3u;
    entry[1] = DOMAIN;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t *table = firmware->levels[i].virt;

        table[WORLD_IOVA >> (39 - 9 * i) & 511] =
            (i < 3 ? firmware->levels[i + 1].phys | (uint64_t)(3 - i) << 9 : firmware->page.phys) |
            READ_WRITE | 1u;
    }
    memset(firmware->page.virt, 0x33, SLUICE_PAGE_BYTES);
}

/* Everything forgotten, as a start demands: by the model's hand where there is no buffer. */
static void settle(struct world *world, struct firmware *firmware, bool rings)
{
    uint64_t *command = firmware->commands.virt;

    if (!rings) {
        amdvi_model_evict(world->model);
        return;
    }
    while ((firmware_get(world, 0x2020) & STATUS_CMDRUN) == 0)
        ;
    command[0] = UINT64_C(8) << 60;
    firmware_set(world, 0x2008, 16);
    assert_int_equal(firmware_get(world, 0x2000), 16);
}

void firmware_on(struct world *world, struct firmware *firmware, bool rings)
{
    struct sluice_pages *all = &firmware->table;

    for (unsigned i = 0; i < sizeof(*firmware) / sizeof(*all); i++)
        all[i] = model_host_buffer(world->host, i == 0 ? TABLE_ORDER : 0, false);
    fill_table(world, firmware);
    firmware_set(world, 0x00, firmware->table.phys | 0x1ff);
    if (rings) {
        firmware_set(world, 0x08, firmware->commands.phys | UINT64_C(8) << 56);
        firmware_set(world, 0x10, firmware->events.phys | UINT64_C(8) << 56);
    }
    firmware_set(world, 0x18, 1u << 10 | 1u | (rings ? 1u << 12 | 1u << 2 : 0));
    settle(world, firmware, rings);
}

void firmware_free(struct world *world, struct firmware *firmware)
{
    struct sluice_pages *all = &firmware->table;

    for (unsigned i = 0; i < sizeof(*firmware) / sizeof(*all); i++)
        model_host_buffer_free(world->host, all[i], i == 0 ? TABLE_ORDER : 0);
}
