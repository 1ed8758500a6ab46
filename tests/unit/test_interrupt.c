// SPDX-License-Identifier: MIT
/*
 * Interrupt remapping through the public API: what a device's messages become, who is refused, and
 * what is refused to callers. Judged by the interrupts that come out of the unit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "interrupt_scene.h"

static enum sluice_status try_alloc(struct interrupt_scene *scene, enum sluice_interrupt_kind kind,
                                    struct sluice_device *device, unsigned count)
{
    const struct sluice_interrupt_config config = {
        .kind = kind, .device = device, .count = count, .unit_id = 9};
    struct sluice_interrupt *interrupt;

    return sluice_interrupt_alloc(scene->scene.sluice, &config, &interrupt);
}

/* Each kind of message, from allocation to the end. */
static void life(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct sluice_device *device;
    struct sluice_interrupt *msix;
    struct sluice_interrupt_info info;

    (void)state;
    interrupt_scene_start(&scene, &config);
    device = scene_device(&scene.scene, RID_A);
    msix = interrupt_alloc(&scene, SLUICE_INTERRUPT_MSIX, device, 3);
    sluice_interrupt_info(scene.scene.sluice, &info);
    assert_true(info.remapped);
    assert_false(info.x2apic);
    assert_int_equal(info.entries, 256);
    assert_int_equal(info.used, 3);
    interrupt_expect_refused(&scene, msix, 0, RID_A, VTD_REASON_IR_ABSENT); /* not routed yet */
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(interrupt_route(msix, i, (uint8_t)(0x40 + i), i), SLUICE_OK);
    for (unsigned i = 0; i < 3; i++)
        interrupt_expect(&scene, msix, i, RID_A, (uint8_t)(0x40 + i), i);
    interrupt_expect_refused(&scene, msix, 1, RID_B, VTD_REASON_IR_SOURCE);
    interrupt_expect_refused(&scene, msix, 1, RID_A + 1, VTD_REASON_IR_SOURCE); /* other function */
    assert_int_equal(sluice_device_remove(device), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_stop(scene.scene.sluice), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_interrupt_free(msix), SLUICE_OK);
    sluice_interrupt_info(scene.scene.sluice, &info);
    assert_int_equal(info.used, 0);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    scene_finish(&scene.scene);
}

/* One address, several data values: contiguous and aligned, wherever the block lies. */
static void msi_blocks(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct sluice_device *a, *b;
    struct sluice_interrupt *odd, *block, *one;
    struct sluice_msi msi;

    (void)state;
    interrupt_scene_start(&scene, &config);
    a = scene_device(&scene.scene, RID_A);
    b = scene_device(&scene.scene, RID_B);
    odd = interrupt_alloc(&scene, SLUICE_INTERRUPT_MSIX, b, 3);
    block = interrupt_alloc(&scene, SLUICE_INTERRUPT_MSI, a, 8);
    one = interrupt_alloc(&scene, SLUICE_INTERRUPT_MSI, b, 1);
    assert_int_equal(interrupt_index(block, 0) % 8, 0);
    assert_int_equal(sluice_interrupt_message(block, 0, &msi), SLUICE_OK);
    assert_int_equal(msi.data & 7u, 0); /* the device writes its number there */
    assert_int_equal(sluice_interrupt_message(block, 1, &msi), SLUICE_ERR_RANGE);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(interrupt_route(block, i, (uint8_t)(0x80 + i), 7), SLUICE_OK);
    assert_int_equal(interrupt_route(one, 0, 0x55, 1), SLUICE_OK);
    for (unsigned i = 0; i < 8; i++)
        interrupt_expect(&scene, block, i, RID_A, (uint8_t)(0x80 + i), 7);
    interrupt_expect(&scene, one, 0, RID_B, 0x55, 1);
    /* The device reaches past its block: the next entries are somebody else's, or nobody's. */
    assert_int_equal(sluice_interrupt_message(block, 0, &msi), SLUICE_OK);
    assert_int_equal(vtd_model_message(scene.unit, RID_A, msi.address, msi.data + 8),
                     VTD_REASON_IR_SOURCE);
    assert_int_equal(vtd_model_message(scene.unit, RID_A, msi.address, msi.data + 9),
                     VTD_REASON_IR_ABSENT);
    assert_int_equal(vtd_model_message(scene.unit, RID_A, msi.address, msi.data + 0xf000),
                     VTD_REASON_IR_INDEX);
    assert_int_equal(vtd_model_message(scene.unit, RID_A, msi.address, msi.data | 1u << 16),
                     VTD_REASON_IR_REQUEST_RESERVED);
    assert_int_equal(sluice_interrupt_free(odd), SLUICE_OK);
    assert_int_equal(sluice_interrupt_free(block), SLUICE_OK);
    assert_int_equal(sluice_interrupt_free(one), SLUICE_OK);
    scene_finish(&scene.scene);
}

static void destinations(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct sluice_interrupt *interrupt;
    struct sluice_interrupt_info info;
    struct sluice_interrupt_route route = {
        .vector = 0x61,
        .destination = 0x0003000f,
        .logical = true,
        .delivery = SLUICE_INTERRUPT_LOWEST_PRIORITY,
    };

    (void)state;
    config.configure = interrupt_configure_x2apic;
    interrupt_scene_start(&scene, &config);
    sluice_interrupt_info(scene.scene.sluice, &info);
    assert_true(info.x2apic);
    interrupt =
        interrupt_alloc(&scene, SLUICE_INTERRUPT_MSIX, scene_device(&scene.scene, RID_BELOW), 1);
    assert_int_equal(sluice_interrupt_route(interrupt, 0, &route), SLUICE_OK);
    interrupt_expect(&scene, interrupt, 0, RID_BELOW, 0x61, 0x0003000f);
    assert_true(scene.last.logical);
    assert_true(scene.last.hint);
    assert_int_equal(scene.last.delivery, 1);
    assert_int_equal(interrupt_route(interrupt, 0, 0x62, 0x12345678), SLUICE_OK);
    interrupt_expect(&scene, interrupt, 0, RID_BELOW, 0x62, 0x12345678);
    assert_false(scene.last.logical);
    assert_int_equal(scene.last.delivery, 0);
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_OK);
    scene_finish(&scene.scene);
}

/* Behind a bridge from PCI Express: the buses below it may send, nobody else. */
static void bridged(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct sluice_interrupt *interrupt;

    (void)state;
    interrupt_scene_start(&scene, &config);
    interrupt =
        interrupt_alloc(&scene, SLUICE_INTERRUPT_MSI, scene_device(&scene.scene, RID_PCI), 1);
    assert_int_equal(interrupt_route(interrupt, 0, 0x70, 2), SLUICE_OK);
    interrupt_expect(&scene, interrupt, 0, RID_BRIDGE, 0x70, 2); /* conventional PCI */
    interrupt_expect(&scene, interrupt, 0, RID_PCI, 0x70, 2);    /* PCI-X */
    interrupt_expect_refused(&scene, interrupt, 0, RID_A, VTD_REASON_IR_SOURCE);
    interrupt_expect_refused(&scene, interrupt, 0, RID_BELOW, VTD_REASON_IR_SOURCE);
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_OK);
    scene_finish(&scene.scene);
}

/* A conventional bridge on the root bus sends under its own ID. */
static void behind_conventional_bridge(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct sluice_interrupt *interrupt;
    uint16_t bridge = SLUICE_RID(0, 0x1e, 0);
    uint8_t *space;

    (void)state;
    interrupt_scene_start(&scene, &config);
    space = model_pci_config(scene.scene.machine->functions[MACHINE_DEV_BRIDGE]);
    space[6] &= (uint8_t)~0x10u; /* no capabilities: no PCI Express */
    interrupt =
        interrupt_alloc(&scene, SLUICE_INTERRUPT_MSI, scene_device(&scene.scene, RID_PCI), 1);
    assert_int_equal(interrupt_route(interrupt, 0, 0x70, 2), SLUICE_OK);
    interrupt_expect(&scene, interrupt, 0, bridge, 0x70, 2);
    interrupt_expect_refused(&scene, interrupt, 0, RID_PCI, VTD_REASON_IR_SOURCE);
    interrupt_expect_refused(&scene, interrupt, 0, RID_A, VTD_REASON_IR_SOURCE);
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_OK);
    scene_finish(&scene.scene);
}

static void pins(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct sluice_interrupt_route route = {
        .vector = 0x91, .destination = 5, .level = true, .active_low = true};
    struct interrupt_scene scene;
    struct sluice_interrupt *pin, *timer;
    struct sluice_msi msi;
    uint64_t entry;

    (void)state;
    interrupt_scene_start(&scene, &config);
    pin = interrupt_alloc(&scene, SLUICE_INTERRUPT_IOAPIC, NULL, 1);
    timer = interrupt_alloc(&scene, SLUICE_INTERRUPT_HPET, NULL, 1);
    assert_int_equal(sluice_interrupt_ioapic_entry(pin, &entry), SLUICE_ERR_STATE);
    assert_int_equal(sluice_interrupt_message(pin, 0, &msi), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_interrupt_ioapic_entry(timer, &entry), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_interrupt_route(pin, 0, &route), SLUICE_OK);
    assert_int_equal(sluice_interrupt_ioapic_entry(pin, &entry), SLUICE_OK);
    assert_int_equal(entry & 0xff, 0x91);
    assert_int_equal(entry >> 13 & 7u, 5); /* active low, level */
    assert_int_equal(vtd_model_ioapic(scene.unit, MACHINE_IOAPIC_RID, entry), VTD_REASON_NONE);
    assert_int_equal(scene.last.vector, 0x91);
    assert_int_equal(scene.last.destination, 5);
    assert_true(scene.last.level);
    assert_int_equal(vtd_model_ioapic(scene.unit, RID_A, entry), VTD_REASON_IR_SOURCE);
    assert_int_equal(sluice_interrupt_route(timer, 0, &route), SLUICE_ERR_INVALID); /* level */
    assert_int_equal(interrupt_route(timer, 0, 0x92, 0), SLUICE_OK);
    interrupt_expect(&scene, timer, 0, MACHINE_HPET_RID, 0x92, 0);
    interrupt_expect(&scene, timer, 0, MACHINE_HPET_RID + 1, 0x92, 0); /* another function of it */
    interrupt_expect_refused(&scene, timer, 0, MACHINE_HPET_RID + 8, VTD_REASON_IR_SOURCE);
    assert_int_equal(sluice_interrupt_free(pin), SLUICE_OK);
    assert_int_equal(sluice_interrupt_free(timer), SLUICE_OK);
    assert_int_equal(try_alloc(&scene, SLUICE_INTERRUPT_IOAPIC, NULL, 1), SLUICE_ERR_NOT_FOUND);
    assert_true(model_host_logged(scene.scene.machine->host, "no unit covers IOAPIC 9"));
    scene_finish(&scene.scene);
}

/* Masked: nothing fires and nothing is logged; and moved, it fires at the new place only. */
static void mask_and_move(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct sluice_interrupt *interrupt;

    (void)state;
    interrupt_scene_start(&scene, &config);
    interrupt =
        interrupt_alloc(&scene, SLUICE_INTERRUPT_MSIX, scene_device(&scene.scene, RID_A), 1);
    assert_int_equal(interrupt_route(interrupt, 0, 0x40, 1), SLUICE_OK);
    interrupt_expect(&scene, interrupt, 0, RID_A, 0x40, 1); /* cached from here on */
    assert_int_equal(interrupt_route(interrupt, 0, 0x41, 2), SLUICE_OK);
    interrupt_expect(&scene, interrupt, 0, RID_A, 0x41, 2);
    assert_int_equal(sluice_interrupt_mask(interrupt, 0), SLUICE_OK);
    assert_int_equal(interrupt_send(&scene, interrupt, 0, RID_A), VTD_REASON_IR_ABSENT);
    assert_int_equal(scene.fired, 2);
    assert_int_equal(scene.scene.faults, 0);
    assert_int_equal(interrupt_route(interrupt, 0, 0x42, 3), SLUICE_OK);
    interrupt_expect(&scene, interrupt, 0, RID_A, 0x42, 3);
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_OK);
    scene_finish(&scene.scene);
}

/* What was freed is dead before it is anybody else's. */
static void freed_is_dead(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct sluice_device *a, *b;
    struct sluice_interrupt *old, *heir;
    struct sluice_msi stale;

    (void)state;
    interrupt_scene_start(&scene, &config);
    a = scene_device(&scene.scene, RID_A);
    b = scene_device(&scene.scene, RID_B);
    old = interrupt_alloc(&scene, SLUICE_INTERRUPT_MSIX, a, 256); /* all there are */
    assert_int_equal(try_alloc(&scene, SLUICE_INTERRUPT_MSIX, b, 1), SLUICE_ERR_NO_SPACE);
    assert_int_equal(interrupt_route(old, 17, 0x40, 1), SLUICE_OK);
    interrupt_expect(&scene, old, 17, RID_A, 0x40, 1);
    assert_int_equal(sluice_interrupt_message(old, 17, &stale), SLUICE_OK);
    assert_int_equal(sluice_interrupt_free(old), SLUICE_OK);
    assert_int_equal(vtd_model_message(scene.unit, RID_A, stale.address, stale.data),
                     VTD_REASON_IR_ABSENT);
    heir = interrupt_alloc(&scene, SLUICE_INTERRUPT_MSIX, b, 256);
    assert_int_equal(interrupt_route(heir, 17, 0x50, 1), SLUICE_OK);
    assert_int_equal(vtd_model_message(scene.unit, RID_A, stale.address, stale.data),
                     VTD_REASON_IR_SOURCE);
    interrupt_expect(&scene, heir, 17, RID_B, 0x50, 1);
    assert_int_equal(scene.fired, 2);
    assert_int_equal(sluice_interrupt_free(heir), SLUICE_OK);
    scene_finish(&scene.scene);
}

/* Entries run out, also by falling into pieces; what is freed can be had again. */
static void exhaustion(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct sluice_interrupt *all[256];
    struct sluice_device *device;

    (void)state;
    interrupt_scene_start(&scene, &config);
    device = scene_device(&scene.scene, RID_A);
    for (unsigned i = 0; i < 256; i++)
        all[i] = interrupt_alloc(&scene, SLUICE_INTERRUPT_MSI, device, 1);
    assert_int_equal(try_alloc(&scene, SLUICE_INTERRUPT_MSI, device, 1), SLUICE_ERR_NO_SPACE);
    for (unsigned i = 0; i < 256; i += 2)
        assert_int_equal(sluice_interrupt_free(all[i]), SLUICE_OK);
    assert_int_equal(try_alloc(&scene, SLUICE_INTERRUPT_MSI, device, 2), SLUICE_ERR_NO_SPACE);
    for (unsigned i = 0; i < 256; i += 2)
        all[i] = interrupt_alloc(&scene, SLUICE_INTERRUPT_MSIX, device, 1);
    assert_int_equal(sluice_interrupt_free(all[7]), SLUICE_OK);
    assert_int_equal(sluice_interrupt_free(all[8]), SLUICE_OK);
    /* Two in a row, but not aligned: enough for MSI-X, not for MSI. */
    assert_int_equal(try_alloc(&scene, SLUICE_INTERRUPT_MSI, device, 2), SLUICE_ERR_NO_SPACE);
    all[7] = interrupt_alloc(&scene, SLUICE_INTERRUPT_MSIX, device, 2);
    all[8] = NULL;
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(sluice_interrupt_free(all[i]), SLUICE_OK);
    scene_finish(&scene.scene);
}

static void refused_arguments(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct sluice_device *device;
    struct sluice_interrupt *interrupt;
    struct sluice_interrupt_route route = {.vector = 0x40};

    (void)state;
    interrupt_scene_start(&scene, &config);
    device = scene_device(&scene.scene, RID_A);
    assert_int_equal(try_alloc(&scene, SLUICE_INTERRUPT_MSI, device, 3), SLUICE_ERR_INVALID);
    assert_int_equal(try_alloc(&scene, SLUICE_INTERRUPT_MSI, device, 64), SLUICE_ERR_INVALID);
    assert_int_equal(try_alloc(&scene, SLUICE_INTERRUPT_MSI, device, 0), SLUICE_ERR_INVALID);
    assert_int_equal(try_alloc(&scene, SLUICE_INTERRUPT_MSI, NULL, 1), SLUICE_ERR_INVALID);
    assert_int_equal(try_alloc(&scene, SLUICE_INTERRUPT_MSIX, device, 2049), SLUICE_ERR_INVALID);
    assert_int_equal(try_alloc(&scene, SLUICE_INTERRUPT_IOAPIC, device, 1), SLUICE_ERR_INVALID);
    assert_int_equal(try_alloc(&scene, SLUICE_INTERRUPT_IOAPIC, NULL, 2), SLUICE_ERR_INVALID);
    assert_int_equal(try_alloc(&scene, SLUICE_INTERRUPT_HPET, NULL, 1), SLUICE_ERR_NOT_FOUND);
    interrupt = interrupt_alloc(&scene, SLUICE_INTERRUPT_MSIX, device, 2);
    assert_int_equal(interrupt_route(interrupt, 2, 0x40, 0), SLUICE_ERR_RANGE);
    assert_int_equal(sluice_interrupt_mask(interrupt, 2), SLUICE_ERR_RANGE);
    assert_int_equal(interrupt_route(interrupt, 0, 15, 0), SLUICE_ERR_INVALID);
    assert_int_equal(interrupt_route(interrupt, 0, 0x40, 0x100), SLUICE_ERR_INVALID); /* xAPIC */
    route.delivery = SLUICE_INTERRUPT_LOWEST_PRIORITY;
    assert_int_equal(sluice_interrupt_route(interrupt, 0, &route), SLUICE_ERR_INVALID);
    route = (struct sluice_interrupt_route){.vector = 0x40, .level = true};
    assert_int_equal(sluice_interrupt_route(interrupt, 0, &route), SLUICE_ERR_INVALID);
    assert_int_equal(sluice_interrupt_free(NULL), SLUICE_OK);
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_OK);
    scene_finish(&scene.scene);
}

/* Every allocation of a start and of an allocation fails once: nothing is left behind. */
static void no_memory(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct sluice_device *device;
    unsigned nth = 0;

    (void)state;
    interrupt_scene_start(&scene, &config);
    device = scene_device(&scene.scene, RID_A);
    model_host_fail_allocation(scene.scene.machine->host, 0, false);
    assert_int_equal(try_alloc(&scene, SLUICE_INTERRUPT_MSI, device, 1), SLUICE_ERR_NO_MEMORY);
    model_host_fail_no_more(scene.scene.machine->host);
    assert_int_equal(try_alloc(&scene, SLUICE_INTERRUPT_HPET, NULL, 1), SLUICE_ERR_NOT_FOUND);
    scene_finish(&scene.scene);
    for (bool started = false; !started; nth++) {
        enum sluice_status status;

        scene_init(&scene.scene, &config);
        model_host_fail_allocation(scene.scene.machine->host, nth, true);
        status = sluice_start(scene.scene.sluice);
        started = status == SLUICE_OK;
        if (!started)
            assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
        model_host_fail_no_more(scene.scene.machine->host);
        scene_finish(&scene.scene);
    }
    assert_true(nth > 5);
}

/* ---- whether it is on at all ---- */

static void expect_no_start(struct scene_config *config, const char *why)
{
    struct scene scene;

    scene_init(&scene, config);
    assert_int_equal(sluice_start(scene.sluice), SLUICE_ERR_UNSUPPORTED);
    assert_true(model_host_logged(scene.machine->host, why));
    assert_false(vtd_model_translating(scene.machine->units[0]));
    scene_finish(&scene);
}

static void require_x2apic(struct sluice_config *config, void *arg)
{
    interrupt_configure(config, arg);
    config->x2apic = SLUICE_X2APIC_REQUIRED;
}

/* Asked for and not to be had: the start fails, and the log says why. */
static void fails_closed(void **state)
{
    struct scene_config config = interrupt_defaults();

    (void)state;
    config.machine.interrupt_remapping = false;
    expect_no_start(&config, "INTR_REMAP is clear");
    config = interrupt_defaults();
    config.machine.units[0].remaps_interrupts = false;
    config.machine.units[0].extended_interrupts = false;
    expect_no_start(&config, "ECAP.IR");
    config = interrupt_defaults();
    config.avoid_queues = true;
    expect_no_start(&config, "invalidation queue");
    config = interrupt_defaults();
    config.machine.units[0].extended_interrupts = false;
    config.configure = require_x2apic;
    expect_no_start(&config, "the CPUs are in x2APIC mode");
}

/* One unit of two cannot: neither does. */
static void all_units_or_none(void **state)
{
    struct scene_config config = interrupt_defaults();

    (void)state;
    config.machine.unit_count = 2;
    config.machine.units[1] = config.machine.units[0];
    config.machine.units[1].base = 0xfed91000;
    config.machine.units[0].remaps_interrupts = false;
    config.machine.units[0].extended_interrupts = false;
    expect_no_start(&config, "vtd0: interrupts are to be remapped, and cannot be");
}

static bool starts_with_x2apic(const struct scene_config *config)
{
    struct interrupt_scene scene;
    struct sluice_interrupt_info info;

    interrupt_scene_start(&scene, config);
    sluice_interrupt_info(scene.scene.sluice, &info);
    assert_true(info.remapped);
    scene_finish(&scene.scene);
    return info.x2apic;
}

static void x2apic_when_allowed(void **state)
{
    struct scene_config config = interrupt_defaults();

    (void)state;
    assert_false(starts_with_x2apic(&config));
    config.configure = interrupt_configure_x2apic;
    assert_true(starts_with_x2apic(&config));
    config.machine.x2apic_opt_out = true;
    assert_false(starts_with_x2apic(&config));
    config.configure = require_x2apic; /* too late to follow */
    assert_true(starts_with_x2apic(&config));
    config.machine.x2apic_opt_out = false;
    config.machine.units[0].extended_interrupts = false;
    config.configure = interrupt_configure_x2apic;
    assert_false(starts_with_x2apic(&config));
}

static void set_nothing(struct sluice_config *config, void *arg)
{
    (void)config;
    (void)arg;
}

/* Not asked for: messages pass as they always did, and entries are not to be had. */
static void left_alone(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct sluice_interrupt_info info;

    (void)state;
    config.configure = set_nothing;
    interrupt_scene_start(&scene, &config);
    assert_false(vtd_model_remapping(scene.unit));
    assert_int_equal(vtd_model_message(scene.unit, RID_A, 0xfee01000, 0x41), VTD_REASON_NONE);
    assert_int_equal(scene.fired, 1);
    assert_false(scene.last.remapped);
    sluice_interrupt_info(scene.scene.sluice, &info);
    assert_false(info.remapped);
    assert_int_equal(try_alloc(&scene, SLUICE_INTERRUPT_MSI, scene_device(&scene.scene, RID_A), 1),
                     SLUICE_ERR_STATE);
    scene_finish(&scene.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life),
        cmocka_unit_test(msi_blocks),
        cmocka_unit_test(destinations),
        cmocka_unit_test(bridged),
        cmocka_unit_test(behind_conventional_bridge),
        cmocka_unit_test(pins),
        cmocka_unit_test(mask_and_move),
        cmocka_unit_test(freed_is_dead),
        cmocka_unit_test(exhaustion),
        cmocka_unit_test(refused_arguments),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(fails_closed),
        cmocka_unit_test(all_units_or_none),
        cmocka_unit_test(x2apic_when_allowed),
        cmocka_unit_test(left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
