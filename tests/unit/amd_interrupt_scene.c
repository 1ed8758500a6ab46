// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "amd_interrupt_scene.h"

void amd_configure(struct sluice_config *config, void *arg)
{
    (void)arg;
    config->interrupts = SLUICE_INTERRUPTS_REMAPPED;
}

void amd_configure_x2apic(struct sluice_config *config, void *arg)
{
    amd_configure(config, arg);
    config->x2apic = SLUICE_X2APIC_REQUIRED;
}

struct scene_config amd_defaults(void)
{
    struct scene_config config = {.machine = machine_defaults_amd(), .configure = amd_configure};

    config.machine.interrupt_remapping = true;
    config.machine.amd_unit.guest_apic = true;
    config.machine.amd_unit.x2apic = true;
    config.machine.functions[MACHINE_DEV_PCI + 1] = (struct machine_function){
        .used = true, .kind = MACHINE_CONVENTIONAL, .rid = RID_SIBLING, .dma_rid = RID_BRIDGE};
    return config;
}

static void fire(void *arg, const struct amdvi_model_interrupt *interrupt)
{
    struct amd_scene *scene = arg;

    scene->fired++;
    scene->last = *interrupt;
}

void amd_scene_init(struct amd_scene *scene, const struct scene_config *config)
{
    memset(scene, 0, sizeof(*scene));
    scene_init(&scene->scene, config);
    scene->unit = scene->scene.machine->amd;
    amdvi_model_set_interrupt_sink(scene->unit, fire, scene);
}

void amd_scene_start(struct amd_scene *scene, const struct scene_config *config)
{
    amd_scene_init(scene, config);
    assert_int_equal(sluice_start(scene->scene.sluice), SLUICE_OK);
}

struct model_host *amd_host(struct amd_scene *scene)
{
    return scene->scene.machine->host;
}

/* A device that is there already is found again. */
static struct sluice_device *device_of(struct amd_scene *scene, uint16_t rid)
{
    list_for_each(node, &scene->scene.sluice->devices)
    {
        struct sluice_device *device = container_of(node, struct sluice_device, node);

        if (device->rid == rid)
            return device;
    }
    return scene_device(&scene->scene, rid);
}

enum sluice_status amd_try_alloc(struct amd_scene *scene, enum sluice_interrupt_kind kind,
                                 uint16_t rid, unsigned count, struct sluice_interrupt **out)
{
    bool of_device = kind == SLUICE_INTERRUPT_MSI || kind == SLUICE_INTERRUPT_MSIX;
    const struct sluice_interrupt_config config = {
        .kind = kind,
        .device = of_device ? device_of(scene, rid) : NULL,
        .count = count,
        .unit_id = kind == SLUICE_INTERRUPT_IOAPIC ? MACHINE_IOAPIC_ID : MACHINE_HPET_ID,
        .name = "test"};

    return sluice_interrupt_alloc(scene->scene.sluice, &config, out);
}

struct sluice_interrupt *amd_alloc(struct amd_scene *scene, enum sluice_interrupt_kind kind,
                                   uint16_t rid, unsigned count)
{
    struct sluice_interrupt *interrupt = NULL;

    assert_int_equal(amd_try_alloc(scene, kind, rid, count, &interrupt), SLUICE_OK);
    return interrupt;
}

enum sluice_status amd_route(struct sluice_interrupt *interrupt, unsigned index, uint8_t vector,
                             uint32_t destination)
{
    const struct sluice_interrupt_route route = {.vector = vector, .destination = destination};

    return sluice_interrupt_route(interrupt, index, &route);
}

void amd_free(struct sluice_interrupt *interrupt)
{
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_OK);
}

uint32_t amd_index(struct sluice_interrupt *interrupt, unsigned index)
{
    return interrupt->block.first + index;
}

uint8_t amd_send(struct amd_scene *scene, struct sluice_interrupt *interrupt, unsigned index,
                 uint16_t rid)
{
    bool block = interrupt->block.kind == SLUICE_INTERRUPT_MSI;
    struct sluice_msi msi;
    uint8_t event;

    /* A device with several MSIs adds their number to the data [PCI 6.8.3.4]. */
    assert_int_equal(sluice_interrupt_message(interrupt, block ? 0 : index, &msi), SLUICE_OK);
    event = amdvi_model_message(scene->unit, rid, msi.address, msi.data + (block ? index : 0));
    (void)model_host_run_events(amd_host(scene));
    return event;
}

void amd_expect(struct amd_scene *scene, struct sluice_interrupt *interrupt, unsigned index,
                uint16_t rid, uint8_t vector, uint32_t destination)
{
    unsigned before = scene->fired;

    assert_int_equal(amd_send(scene, interrupt, index, rid), 0);
    assert_int_equal(scene->fired, before + 1);
    assert_int_equal(scene->last.vector, vector);
    assert_int_equal(scene->last.destination, destination);
    assert_int_equal(scene->last.rid, rid);
    assert_true(scene->last.remapped);
}

void amd_expect_refused(struct amd_scene *scene, uint16_t rid, uint32_t data, uint8_t event)
{
    unsigned before, faults;

    (void)model_host_run_events(amd_host(scene)); /* what came before */
    before = scene->fired;
    faults = scene->scene.faults;
    assert_int_equal(amdvi_model_message(scene->unit, rid, 0xfee00000, data), event);
    (void)model_host_run_events(amd_host(scene));
    assert_int_equal(scene->fired, before);
    assert_int_equal(scene->scene.faults, faults + 1);
    assert_int_equal(scene->scene.fault.reason, SLUICE_FAULT_INTERRUPT);
    assert_int_equal(scene->scene.fault.hardware_code, event);
    assert_int_equal(scene->scene.fault.source, rid);
    assert_int_equal(scene->scene.fault.access, SLUICE_ACCESS_WRITE);
    assert_false(scene->scene.fault.address_valid);
}

struct sluice_interrupt_info amd_info(struct amd_scene *scene)
{
    struct sluice_interrupt_info info;

    sluice_interrupt_info(scene->scene.sluice, &info);
    return info;
}

uint64_t *amd_fields(struct amd_scene *scene, uint16_t rid)
{
    uint64_t table =
        model_host_mmio_read(amd_host(scene), UNIT_BASE, 8) & UINT64_C(0xffffffffff000);

    return (uint64_t *)model_host_virt(amd_host(scene), table) + (size_t)rid * 4 + 2;
}
