// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "interrupt/interrupt.h"
#include "interrupt_scene.h"

void interrupt_configure(struct sluice_config *config, void *arg)
{
    (void)arg;
    config->interrupts = SLUICE_INTERRUPTS_REMAPPED;
    config->interrupt_entries = 256;
}

void interrupt_configure_x2apic(struct sluice_config *config, void *arg)
{
    interrupt_configure(config, arg);
    config->x2apic = SLUICE_X2APIC_IF_ALLOWED;
}

struct scene_config interrupt_defaults(void)
{
    struct scene_config config = {.machine = machine_defaults(), .configure = interrupt_configure};

    config.machine.interrupt_remapping = true;
    config.machine.units[0].remaps_interrupts = true;
    config.machine.units[0].extended_interrupts = true;
    config.machine.units[0].fault_records = 64;
    return config;
}

static void fire(void *arg, const struct vtd_model_interrupt *interrupt)
{
    struct interrupt_scene *scene = arg;

    scene->fired++;
    scene->by_vector[interrupt->vector]++;
    scene->last = *interrupt;
}

void interrupt_scene_start(struct interrupt_scene *scene, const struct scene_config *config)
{
    memset(scene, 0, sizeof(*scene));
    scene_start(&scene->scene, config);
    scene->unit = scene->scene.machine->units[0];
    vtd_model_set_interrupt_sink(scene->unit, fire, scene);
}

struct sluice_interrupt *interrupt_alloc(struct interrupt_scene *scene,
                                         enum sluice_interrupt_kind kind,
                                         struct sluice_device *device, unsigned count)
{
    const struct sluice_interrupt_config config = {
        .kind = kind,
        .device = device,
        .count = count,
        .unit_id = kind == SLUICE_INTERRUPT_IOAPIC ? MACHINE_IOAPIC_ID : MACHINE_HPET_ID,
        .name = "test"};
    struct sluice_interrupt *interrupt = NULL;

    assert_int_equal(sluice_interrupt_alloc(scene->scene.sluice, &config, &interrupt), SLUICE_OK);
    return interrupt;
}

enum sluice_status interrupt_route(struct sluice_interrupt *interrupt, unsigned index,
                                   uint8_t vector, uint32_t destination)
{
    const struct sluice_interrupt_route route = {.vector = vector, .destination = destination};

    return sluice_interrupt_route(interrupt, index, &route);
}

uint8_t interrupt_send(struct interrupt_scene *scene, struct sluice_interrupt *interrupt,
                       unsigned index, uint16_t rid)
{
    bool block = interrupt->block.kind == SLUICE_INTERRUPT_MSI;
    struct sluice_msi msi;
    uint8_t reason;

    /* A device with several MSIs adds their number to the data [PCI 6.8.3.4]. */
    assert_int_equal(sluice_interrupt_message(interrupt, block ? 0 : index, &msi), SLUICE_OK);
    reason = vtd_model_message(scene->unit, rid, msi.address, msi.data + (block ? index : 0));
    (void)model_host_run_events(scene->scene.machine->host);
    return reason;
}

void interrupt_expect(struct interrupt_scene *scene, struct sluice_interrupt *interrupt,
                      unsigned index, uint16_t rid, uint8_t vector, uint32_t destination)
{
    unsigned before = scene->fired;

    assert_int_equal(interrupt_send(scene, interrupt, index, rid), VTD_REASON_NONE);
    assert_int_equal(scene->fired, before + 1);
    assert_int_equal(scene->last.vector, vector);
    assert_int_equal(scene->last.destination, destination);
    assert_true(scene->last.remapped);
}

void interrupt_expect_refused(struct interrupt_scene *scene, struct sluice_interrupt *interrupt,
                              unsigned index, uint16_t rid, uint8_t reason)
{
    unsigned before, faults;

    (void)model_host_run_events(scene->scene.machine->host); /* what came before */
    before = scene->fired;
    faults = scene->scene.faults;
    assert_int_equal(interrupt_send(scene, interrupt, index, rid), reason);
    assert_int_equal(scene->fired, before);
    assert_int_equal(scene->scene.faults, faults + 1);
    assert_int_equal(scene->scene.fault.reason, SLUICE_FAULT_INTERRUPT);
    assert_int_equal(scene->scene.fault.hardware_code, reason);
    assert_int_equal(scene->scene.fault.source, rid);
    assert_true(scene->scene.fault.interrupt_index_valid);
    assert_int_equal(scene->scene.fault.interrupt_index, interrupt_index(interrupt, index));
}

uint32_t interrupt_index(struct sluice_interrupt *interrupt, unsigned index)
{
    return interrupt->block.first + index;
}
