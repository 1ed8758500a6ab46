// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dma_world.h"

struct dma_world_config dma_world_defaults(void)
{
    return (struct dma_world_config){
        .scene = scene_defaults(),
        .domain = {.kind = SLUICE_DOMAIN_DMA, .name = "dma"},
        .dma = {.address_bits = 64},
    };
}

struct setup {
    struct dma_world *world;
    const struct dma_world_config *config;
};

static void on_misuse(void *arg, const struct sluice_dma_misuse *misuse)
{
    struct dma_world *world = arg;

    world->misuses++;
    world->misuse = *misuse;
}

static void configure(struct sluice_config *config, void *arg)
{
    const struct setup *setup = arg;

    config->check_dma = setup->config->check;
    config->unmap_history = setup->config->unmap_history;
    config->bounce_limit_bytes = setup->config->bounce_limit_bytes;
    if (setup->config->hardware_timeout_ns != 0)
        config->hardware_timeout_ns = setup->config->hardware_timeout_ns;
    config->on_dma_misuse = on_misuse;
    config->on_dma_misuse_arg = setup->world;
}

static struct sluice_device *add_device(struct dma_world *world, uint16_t rid, bool untrusted)
{
    const struct sluice_device_config config = {.rid = rid, .name = "nic", .untrusted = untrusted};
    struct sluice_device *device = NULL;

    assert_int_equal(sluice_device_add(world->scene.sluice, &config, &device), SLUICE_OK);
    return device;
}

void dma_world_start(struct dma_world *world, const struct dma_world_config *config)
{
    struct setup setup = {world, config};
    struct scene_config scene = config->scene;
    struct sluice_domain_config domain = config->domain;
    struct sluice_dma_config dma = config->dma;

    memset(world, 0, sizeof(*world));
    scene.configure = configure;
    scene.configure_arg = &setup;
    if (config->bare) {
        scene_init(&world->scene, &scene);
    } else {
        scene_start(&world->scene, &scene);
        world->device = add_device(world, DMA_RID, config->untrusted);
        domain.device = config->for_device ? world->device : NULL;
        assert_int_equal(sluice_domain_create(world->scene.sluice, &domain, &world->domain),
                         SLUICE_OK);
        assert_int_equal(sluice_domain_attach(world->domain, world->device), SLUICE_OK);
    }
    dma.device = world->device;
    assert_int_equal(sluice_dma_open(world->scene.sluice, &dma, &world->dma), SLUICE_OK);
}

static void close_all(struct dma_world *world)
{
    if (world->device != NULL)
        scene_forget(world->device);
    if (world->domain != NULL)
        assert_int_equal(sluice_domain_destroy(world->domain), SLUICE_OK);
}

void dma_world_finish(struct dma_world *world)
{
    assert_int_equal(sluice_dma_close(world->dma), SLUICE_OK);
    close_all(world);
    scene_finish(&world->scene);
}

void dma_world_finish_withheld(struct dma_world *world, uint64_t withheld)
{
    enum sluice_status status = sluice_dma_close(world->dma);

    assert_true(status == SLUICE_OK || status == SLUICE_ERR_BUSY);
    close_all(world);
    scene_finish_withheld(&world->scene, withheld);
}

struct sluice_device *dma_world_add(struct dma_world *world, uint16_t rid, bool untrusted)
{
    struct sluice_device *device = add_device(world, rid, untrusted);

    assert_int_equal(sluice_domain_attach(world->domain, device), SLUICE_OK);
    return device;
}

struct sluice_pages dma_memory(struct dma_world *world, unsigned order, uint8_t fill)
{
    struct sluice_pages pages = model_host_buffer(world->scene.machine->host, order, false);

    memset(pages.virt, fill, (size_t)DMA_PAGE << order);
    return pages;
}

void dma_memory_free(struct dma_world *world, struct sluice_pages pages, unsigned order)
{
    model_host_buffer_free(world->scene.machine->host, pages, order);
}

sluice_iova_t dma_map(struct dma_world *world, sluice_phys_t phys, uint64_t bytes, uint32_t flags)
{
    sluice_iova_t address = 0;

    assert_int_equal(sluice_dma_map(world->dma, phys, bytes, flags, SLUICE_HERE, &address),
                     SLUICE_OK);
    return address;
}

void dma_unmap(struct dma_world *world, sluice_iova_t address, uint64_t bytes, uint32_t flags)
{
    assert_int_equal(sluice_dma_unmap(world->dma, address, bytes, flags, SLUICE_HERE), SLUICE_OK);
}

int dma_reads(struct dma_world *world, sluice_iova_t address)
{
    return scene_reads(&world->scene, MACHINE_DEV_A, address);
}

bool dma_writes(struct dma_world *world, sluice_iova_t address, uint8_t byte)
{
    return dma_device_write(world->scene.machine->devices[MACHINE_DEV_A], address, &byte, 1, NULL);
}
