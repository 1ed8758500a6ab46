// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protection_scene.h"

struct topology topo;
struct told told;

void on_obstacle(void *arg, const struct sluice_obstacle *obstacle)
{
    (void)arg;
    assert_true((unsigned)obstacle->kind < OBSTACLE_KINDS);
    assert_non_null(obstacle->text);
    told.count[obstacle->kind]++;
    told.rid[obstacle->kind] = obstacle->rid;
    told.level = obstacle->level;
    if (obstacle->name != NULL)
        strncpy(told.name[obstacle->kind], obstacle->name, 31);
}

static enum sluice_protection wanted_level;
bool wanted_remapping;

static void configure(struct sluice_config *config, void *arg)
{
    (void)arg;
    config->protection = wanted_level;
    config->on_obstacle = on_obstacle;
    if (wanted_remapping)
        config->interrupts = SLUICE_INTERRUPTS_REMAPPED;
    config->interrupt_entries = 256;
}

void begin(enum sluice_protection level, bool remapping)
{
    memset(&told, 0, sizeof(told));
    wanted_level = level;
    wanted_remapping = remapping;
    topology_init(&topo);
    topo.config.configure = configure;
    topo.config.machine.interrupt_remapping = remapping;
    topo.config.machine.units[0].remaps_interrupts = remapping;
    topo.config.machine.units[0].extended_interrupts = remapping;
    topo.config.machine.units[0].fault_records = 64;
}

bool logged(const char *text)
{
    return model_host_logged(topo.scene.machine->host, text);
}

struct dma_device *dma_of(const struct node *node)
{
    return machine_device(topo.scene.machine, node_rid(node));
}

bool reads(struct dma_device *dma, sluice_iova_t iova)
{
    uint8_t byte = 0;

    return dma_device_read(dma, iova, &byte, 1, NULL);
}

void add_tests(struct CMUnitTest *tests, size_t *at, const struct CMUnitTest *more, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tests[(*at)++] = more[i];
}
