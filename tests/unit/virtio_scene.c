// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "virtio_scene.h"

struct scene_config virtio_scene_config(const struct virtio_model_config *unit)
{
    struct scene_config config = {.machine = machine_defaults_virtio()};

    config.machine.kind_config = unit;
    config.no_tables = unit->mmio; /* no table says where such a one is */
    return config;
}

static void describe(struct virtio_scene *at, const struct virtio_model_config *unit)
{
    const struct sluice_unit_description description = {.kind = SLUICE_UNIT_VIRTIO,
                                                        .base = unit->base,
                                                        .register_bytes = 0x200,
                                                        .wires = {unit->wire}};
    struct sluice_pci_sources sources = {.last_rid = 0xffff};

    assert_int_equal(sluice_describe_unit(at->scene.sluice, &description, &sources.unit),
                     SLUICE_OK);
    assert_int_equal(sluice_describe_pci_sources(at->scene.sluice, &sources), SLUICE_OK);
}

void virtio_scene_init(struct virtio_scene *at, const struct virtio_model_config *unit)
{
    struct scene_config config = virtio_scene_config(unit);

    virtio_scene_init_on(at, &config, unit);
}

void virtio_scene_init_on(struct virtio_scene *at, const struct scene_config *config,
                          const struct virtio_model_config *unit)
{
    memset(at, 0, sizeof(*at));
    scene_init(&at->scene, config);
    at->unit = at->scene.machine->unit;
    if (unit->mmio)
        describe(at, unit);
}

void virtio_scene_fill(struct virtio_scene *at)
{
    at->device = scene_device(&at->scene, RID_A);
    at->domain = scene_domain(&at->scene, SLUICE_DOMAIN_UNMANAGED);
    at->page = model_host_buffer(at->scene.machine->host, 4, false);
    memset(at->page.virt, FILL, 16 * SLUICE_PAGE_BYTES);
    assert_int_equal(sluice_domain_attach(at->domain, at->device), SLUICE_OK);
    assert_int_equal(sluice_domain_map(at->domain, SCENE_IOVA, at->page.phys,
                                       16 * SLUICE_PAGE_BYTES, SCENE_READWRITE),
                     SLUICE_OK);
    assert_int_equal(virtio_scene_reads(at, SCENE_IOVA), FILL);
}

void virtio_scene_start(struct virtio_scene *at, const struct virtio_model_config *unit)
{
    virtio_scene_init(at, unit);
    assert_int_equal(sluice_start(at->scene.sluice), SLUICE_OK);
    virtio_scene_fill(at);
}

void virtio_scene_finish(struct virtio_scene *at)
{
    if (at->device != NULL)
        scene_forget(at->device);
    if (at->page.virt != NULL)
        model_host_buffer_free(at->scene.machine->host, at->page, 4);
    scene_finish(&at->scene);
}

void virtio_scene_break_off(struct virtio_scene *at, unsigned at_least)
{
    struct model_host *host = at->scene.machine->host;
    enum sluice_status status;

    virtio_scene_inject(at, (struct virtio_model_injection){0});
    status = sluice_domain_detach(at->device);
    assert_true(status == SLUICE_OK || status == SLUICE_ERR_HARDWARE ||
                status == SLUICE_ERR_TIMEOUT);
    assert_int_equal(sluice_stop(at->scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_destroy(at->scene.sluice), SLUICE_OK);
    assert_int_equal(virtio_model_domains(at->unit), 0);
    assert_true(model_host_pages_in_use(host) >= at_least);
    assert_int_equal(model_host_objects_in_use(host), 0);
    assert_int_equal(model_host_violations_print(host), 0);
    model_host_buffer_free(host, at->page, 4);
    (void)machine_destroy(at->scene.machine);
}

struct virtio_model_stats virtio_scene_stats(struct virtio_scene *at)
{
    struct virtio_model_stats stats;

    virtio_model_stats(at->unit, &stats);
    return stats;
}

void virtio_scene_inject(struct virtio_scene *at, struct virtio_model_injection injection)
{
    virtio_model_inject(at->unit, &injection);
}

bool virtio_scene_degraded(struct virtio_scene *at)
{
    struct sluice_unit_info info;

    assert_int_equal(sluice_unit_info(at->scene.sluice, 0, &info), SLUICE_OK);
    return info.degraded;
}

int virtio_scene_reads(struct virtio_scene *at, sluice_iova_t iova)
{
    return scene_reads(&at->scene, MACHINE_DEV_A, iova);
}
