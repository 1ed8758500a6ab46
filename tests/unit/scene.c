// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/riscv.h"
#include "models/smmu3.h"
#include "models/virtio.h"
#include "scene.h"

static bool scene_on(const char *name)
{
    const char *unit = getenv("SLUICE_TEST_UNIT");

    return unit != NULL && strcmp(unit, name) == 0;
}

bool scene_on_virtio(void)
{
    return scene_on("virtio");
}

bool scene_on_amd(void)
{
    return scene_on("amd");
}

bool scene_on_riscv(void)
{
    return scene_on("riscv");
}

bool scene_on_smmu3(void)
{
    return scene_on("smmu3");
}

bool scene_remaps(void)
{
    return !scene_on("smmu3") && !scene_on("riscv") && !scene_on("virtio");
}

bool scene_tells_of_blocked(void)
{
    return !scene_on("smmu3"); /* an aborting entry records nothing [SMMU 5.2, STE.Config] */
}

bool scene_writers_read(void)
{
    return scene_on("smmu3") || scene_on("riscv");
}

struct scene_config scene_defaults_amd(void)
{
    return (struct scene_config){.machine = machine_defaults_amd()};
}

struct scene_config scene_defaults(void)
{
    return (struct scene_config){.machine = scene_on("amd")      ? machine_defaults_amd()
                                            : scene_on("smmu3")  ? machine_defaults_smmu3()
                                            : scene_on("riscv")  ? machine_defaults_riscv()
                                            : scene_on("virtio") ? machine_defaults_virtio()
                                                                 : machine_defaults()};
}

/* What no table says. */
static void describe_regions(struct scene *scene, const struct machine_config *config)
{
    for (unsigned i = 0; i < MACHINE_REGIONS_MAX && config->regions[i].last != 0; i++) {
        const struct machine_region *region = &config->regions[i];
        const struct sluice_reserved_memory memory = {
            .first_id = region->rid,
            .id_count = region->last_rid != 0 ? region->last_rid - region->rid + 1u : 1u,
            .first = region->base,
            .last = region->last,
            .prot = SLUICE_PROT_READ | SLUICE_PROT_WRITE};

        assert_int_equal(sluice_describe_reserved(scene->sluice, &memory), SLUICE_OK);
    }
}

static void on_fault(void *arg, const struct sluice_fault *fault)
{
    struct scene *scene = arg;

    scene->faults++;
    scene->fault = *fault;
}

void scene_init(struct scene *scene, const struct scene_config *config)
{
    struct sluice_config sluice_config = {0};

    memset(scene, 0, sizeof(*scene));
    scene->machine = machine_create(&config->machine);
    model_host_configure(scene->machine->host, &sluice_config);
    sluice_config.hardware_timeout_ns = 1000000;
    sluice_config.avoid_queues = config->avoid_queues;
    /* These devices keep no rules, and are to be watched doing so. */
    sluice_config.max_faults = SLUICE_FAULTS_UNLIMITED;
    sluice_config.on_fault = on_fault;
    sluice_config.on_fault_arg = scene;
    if (config->configure != NULL)
        config->configure(&sluice_config, config->configure_arg);
    assert_int_equal(sluice_create(&sluice_config, &scene->sluice), SLUICE_OK);
    if (config->no_tables)
        return;
    assert_int_equal(
        sluice_add_table(scene->sluice, scene->machine->dmar, scene->machine->dmar_bytes),
        SLUICE_OK);
    assert_int_equal(
        sluice_add_table(scene->sluice, scene->machine->mcfg, scene->machine->mcfg_bytes),
        SLUICE_OK);
    if (scene_on("virtio") || scene_on("riscv")) /* no table of theirs can */
        describe_regions(scene, &config->machine);
}

void scene_start(struct scene *scene, const struct scene_config *config)
{
    scene_init(scene, config);
    assert_int_equal(sluice_start(scene->sluice), SLUICE_OK);
}

void scene_finish(struct scene *scene)
{
    scene_finish_withheld(scene, 0);
}

void scene_finish_withheld(struct scene *scene, uint64_t withheld)
{
    if (sluice_unit_count(scene->sluice) != 0)
        assert_int_equal(sluice_stop(scene->sluice), SLUICE_OK);
    (void)model_host_run_events(scene->machine->host);
    assert_int_equal(sluice_destroy(scene->sluice), SLUICE_OK);
    assert_int_equal(model_host_violations_print(scene->machine->host), 0);
    assert_int_equal(machine_destroy(scene->machine), withheld);
}

static void silence_vtd(struct scene *scene, bool silent)
{
    const struct vtd_model_injection injection = {
        .wait_never_written = silent, .context_never_done = silent, .iotlb_never_done = silent};

    vtd_model_inject(scene->machine->units[0], &injection);
}

void scene_silence(struct scene *scene, bool silent)
{
    struct machine *machine = scene->machine;

    if (scene_on("amd"))
        amdvi_model_inject(machine->amd,
                           &(struct amdvi_model_injection){.wait_never_written = silent});
    else if (scene_on("smmu3"))
        smmu3_model_inject(machine->unit, &(struct smmu3_model_injection){.sync_stuck = silent});
    else if (scene_on("riscv"))
        riscv_model_inject(machine->unit, &(struct riscv_model_injection){.fence_stuck = silent});
    else if (scene_on("virtio"))
        virtio_model_inject(machine->unit, &(struct virtio_model_injection){.stuck = silent});
    else
        silence_vtd(scene, silent);
}

void scene_evict(struct scene *scene)
{
    struct machine *machine = scene->machine;

    if (scene_on("amd"))
        amdvi_model_evict(machine->amd);
    else if (scene_on("smmu3"))
        smmu3_model_evict(machine->unit);
    else if (scene_on("riscv"))
        riscv_model_evict(machine->unit);
    else if (!scene_on("virtio")) /* which has no caches, but what it was told */
        vtd_model_evict(machine->units[0]);
}

void scene_power_cycle(struct scene *scene)
{
    struct machine *machine = scene->machine;

    scene_evict(scene);
    if (scene_on("amd"))
        amdvi_model_reset(machine->amd, false);
    else if (scene_on("smmu3"))
        smmu3_model_reset(machine->unit);
    else if (scene_on("riscv"))
        riscv_model_reset(machine->unit);
    else if (scene_on("virtio"))
        virtio_model_power_cycle(machine->unit);
    else
        vtd_model_reset(machine->units[0], false);
}

void scene_unplug(struct scene *scene, bool gone)
{
    struct machine *machine = scene->machine;
    uint64_t at = gone ? 1 : 0;

    if (scene_on("amd"))
        amdvi_model_inject(machine->amd, &(struct amdvi_model_injection){.gone_at = at});
    else if (scene_on("smmu3"))
        smmu3_model_inject(machine->unit, &(struct smmu3_model_injection){.gone_at = at});
    else if (scene_on("riscv"))
        riscv_model_inject(machine->unit, &(struct riscv_model_injection){.gone_at = at});
    else if (scene_on("virtio"))
        virtio_model_inject(machine->unit, &(struct virtio_model_injection){.gone_at = at});
    else
        vtd_model_inject(machine->units[0], &(struct vtd_model_injection){.gone_at = at});
}

struct sluice_device *scene_device(struct scene *scene, uint16_t rid)
{
    const struct sluice_device_config config = {.rid = rid, .name = "device"};
    struct sluice_device *device = NULL;

    assert_int_equal(sluice_device_add(scene->sluice, &config, &device), SLUICE_OK);
    return device;
}

struct sluice_domain *scene_domain(struct scene *scene, enum sluice_domain_kind kind)
{
    const struct sluice_domain_config config = {.kind = kind, .name = "domain"};
    struct sluice_domain *domain = NULL;

    assert_int_equal(sluice_domain_create(scene->sluice, &config, &domain), SLUICE_OK);
    return domain;
}

struct sluice_pages scene_page(struct scene *scene, uint8_t fill)
{
    struct sluice_pages pages = model_host_buffer(scene->machine->host, 0, false);

    memset(pages.virt, fill, SLUICE_PAGE_BYTES);
    return pages;
}

void scene_page_free(struct scene *scene, struct sluice_pages pages)
{
    model_host_buffer_free(scene->machine->host, pages, 0);
}

void scene_map(struct sluice_domain *domain, sluice_iova_t iova, const struct sluice_pages *page)
{
    assert_int_equal(
        sluice_domain_map(domain, iova, page->phys, SLUICE_PAGE_BYTES, SCENE_READWRITE), SLUICE_OK);
}

int scene_reads(struct scene *scene, unsigned device, sluice_iova_t iova)
{
    uint8_t byte = 0;

    return dma_device_read(scene->machine->devices[device], iova, &byte, 1, NULL) ? byte : -1;
}

bool scene_writes(struct scene *scene, unsigned device, sluice_iova_t iova,
                  const struct sluice_pages *page)
{
    uint8_t *at = (uint8_t *)page->virt + (iova & (SLUICE_PAGE_BYTES - 1));
    uint8_t was = *at;
    uint8_t byte = (uint8_t)~was;
    bool moved = dma_device_write(scene->machine->devices[device], iova, &byte, 1, NULL);
    bool changed = *at == byte;

    assert_true(moved == changed);
    *at = was;
    return changed;
}

void scene_forget(struct sluice_device *device)
{
    assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
}
