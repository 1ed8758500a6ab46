// SPDX-License-Identifier: MIT
/*
 * Interrupt remapping on an AMD-Vi unit: entries bit by bit, and what devices' messages become,
 * through the public API.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "amd_interrupt_scene.h"
#include "unit/amd/irte.h"

/* ---- formats [AMD 2.2.2.1, 2.2.5.1, 2.2.5.2] ---- */

static void entry_is(struct amdvi_irte entry, uint64_t low, uint64_t high)
{
    assert_true(entry.low == low);
    assert_true(entry.high == high);
}

static void formats(void **state)
{
    struct sluice_interrupt_route route = {.vector = 0xa5, .destination = 0x7f};
    struct sluice_interrupt_route far = {.vector = 0xa5, .destination = 0xfedcba98};

    (void)state;
    assert_int_equal(amdvi_irte_narrow(&route), 0x00a57f01);
    entry_is(amdvi_irte_wide(&route), 0x00007f01, 0xa5);
    entry_is(amdvi_irte_wide(&far), 0xdcba9801, UINT64_C(0xfe000000000000a5));
    route.logical = far.logical = true;
    route.delivery = far.delivery = SLUICE_INTERRUPT_LOWEST_PRIORITY;
    assert_int_equal(amdvi_irte_narrow(&route), 0x00a57f45);
    entry_is(amdvi_irte_wide(&far), 0xdcba9845, UINT64_C(0xfe000000000000a5));
    /* Refused on purpose: not delivering, and no event. */
    assert_int_equal(amdvi_irte_narrow(NULL), 2);
    entry_is(amdvi_irte_wide(NULL), 2, 0);
    assert_true(amdvi_dte_no_interrupts() == 1);
    assert_true(amdvi_dte_interrupts(UINT64_C(0xabcdef012340), 9) ==
                (UINT64_C(0x2000abcdef012340) | 9u << 1 | 1u));
    assert_int_equal(amdvi_message(0x1ff).address, 0xfee00000);
    assert_int_equal(amdvi_message(0x1ff).data, 0x1ff);
    assert_int_equal(amdvi_ioapic_entry(0x21, &(struct sluice_interrupt_route){0}), 0x21);
    route.level = route.active_low = true;
    assert_int_equal(amdvi_ioapic_entry(0xfe, &route), 0xa0fe);
}

/* To a guest's virtual APIC [AMD 2.2.5.2]. */
static void guest_format(void **state)
{
    struct amdvi_guest_interrupt guest = {
        .apic_page = UINT64_C(0x0009876543210000) & ~UINT64_C(0xfff),
        .destination = 0xfedcba98,
        .tag = 0x13579bdf,
        .vector = 0xe1,
    };

    (void)state;
    entry_is(amdvi_irte_guest(&guest), UINT64_C(0x13579bdfdcba9881), UINT64_C(0xfe098765432100e1));
    guest.running = true;
    entry_is(amdvi_irte_guest(&guest), UINT64_C(0x13579bdfdcba98c1), UINT64_C(0xfe098765432100e1));
    guest.running = false;
    guest.logged = true;
    entry_is(amdvi_irte_guest(&guest), UINT64_C(0x13579bdfdcba9885), UINT64_C(0xfe098765432100e1));
}

/* ---- what devices' messages become ---- */

/* Each kind of message, from allocation to the end. */
static void life(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *msix;
    struct sluice_device *device;

    (void)state;
    amd_scene_start(&scene, &config);
    amd_expect_refused(&scene, RID_A, 0, PAGE_FAULT); /* nobody has entries yet */
    device = scene_device(&scene.scene, RID_A);
    msix = amd_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_A, 3);
    assert_true(amd_info(&scene).remapped);
    assert_false(amd_info(&scene).x2apic);
    assert_int_equal(amd_info(&scene).entries, 4);
    assert_int_equal(amd_info(&scene).used, 3);
    amd_expect_refused(&scene, RID_A, amd_index(msix, 0), PAGE_FAULT); /* not routed yet */
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(amd_route(msix, i, (uint8_t)(0x40 + i), i), SLUICE_OK);
    for (unsigned i = 0; i < 3; i++)
        amd_expect(&scene, msix, i, RID_A, (uint8_t)(0x40 + i), i);
    amd_expect_refused(&scene, RID_A, 3, PAGE_FAULT); /* nobody's */
    amd_expect_refused(&scene, RID_A, 4, PAGE_FAULT); /* beyond the table */
    amd_expect_refused(&scene, RID_B, amd_index(msix, 1), PAGE_FAULT);
    amd_expect_refused(&scene, RID_A + 1, amd_index(msix, 1), PAGE_FAULT); /* other function */
    assert_int_equal(sluice_device_remove(device), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_stop(scene.scene.sluice), SLUICE_ERR_BUSY);
    amd_free(msix);
    assert_int_equal(amd_info(&scene).used, 0);
    assert_int_equal(amd_info(&scene).entries, 0);
    amd_expect_refused(&scene, RID_A, 0, PAGE_FAULT);
    assert_true((*amd_fields(&scene, RID_A) & 1) != 0); /* and not let through */
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    scene_finish(&scene.scene);
}

/* The same number is another entry for each device: what another sends is its own. */
static void tables_are_apart(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *a, *b;

    (void)state;
    amd_scene_start(&scene, &config);
    a = amd_alloc(&scene, SLUICE_INTERRUPT_MSI, RID_A, 2);
    b = amd_alloc(&scene, SLUICE_INTERRUPT_MSI, RID_B, 2);
    assert_int_equal(amd_index(a, 0), amd_index(b, 0));
    assert_int_equal(amd_route(a, 0, 0x40, 1), SLUICE_OK);
    assert_int_equal(amd_route(b, 0, 0x50, 2), SLUICE_OK);
    assert_int_equal(amd_route(a, 1, 0x41, 1), SLUICE_OK);
    amd_expect(&scene, a, 0, RID_A, 0x40, 1);
    amd_expect(&scene, a, 0, RID_B, 0x50, 2); /* B gets no further than B */
    amd_expect(&scene, b, 0, RID_A, 0x40, 1);
    amd_expect_refused(&scene, RID_B, amd_index(b, 1), PAGE_FAULT);
    amd_free(a);
    amd_expect(&scene, b, 0, RID_B, 0x50, 2);
    amd_free(b);
    scene_finish(&scene.scene);
}

/* One address, several data values: contiguous and aligned, wherever the block lies. */
static void msi_blocks(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *odd, *block;
    struct sluice_msi msi;

    (void)state;
    amd_scene_start(&scene, &config);
    odd = amd_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_A, 3);
    block = amd_alloc(&scene, SLUICE_INTERRUPT_MSI, RID_A, 8);
    assert_int_equal(sluice_interrupt_message(block, 0, &msi), SLUICE_OK);
    assert_int_equal(msi.address, 0xfee00000);
    assert_int_equal(msi.data, 8); /* the device writes its number into the low bits */
    assert_int_equal(sluice_interrupt_message(block, 1, &msi), SLUICE_ERR_RANGE);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(amd_route(block, i, (uint8_t)(0x80 + i), 7), SLUICE_OK);
    for (unsigned i = 0; i < 8; i++)
        amd_expect(&scene, block, i, RID_A, (uint8_t)(0x80 + i), 7);
    amd_free(odd);
    amd_free(block);
    scene_finish(&scene.scene);
}

static void destinations(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *interrupt;
    const struct sluice_interrupt_route route = {
        .vector = 0x61,
        .destination = 0xab03000f,
        .logical = true,
        .delivery = SLUICE_INTERRUPT_LOWEST_PRIORITY,
    };

    (void)state;
    config.configure = amd_configure_x2apic;
    amd_scene_start(&scene, &config);
    assert_true(amd_info(&scene).x2apic);
    interrupt = amd_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_BELOW, 1);
    assert_int_equal(sluice_interrupt_route(interrupt, 0, &route), SLUICE_OK);
    amd_expect(&scene, interrupt, 0, RID_BELOW, 0x61, 0xab03000f);
    assert_true(scene.last.logical);
    assert_int_equal(scene.last.delivery, 1);
    assert_int_equal(amd_route(interrupt, 0, 0x62, 0x12345678), SLUICE_OK);
    amd_expect(&scene, interrupt, 0, RID_BELOW, 0x62, 0x12345678);
    assert_false(scene.last.logical);
    assert_int_equal(scene.last.delivery, 0);
    amd_free(interrupt);
    scene_finish(&scene.scene);
}

/* Masked: nothing fires and nothing is logged; and moved, it fires at the new place only. */
static void mask_and_move(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *interrupt;

    (void)state;
    amd_scene_start(&scene, &config);
    interrupt = amd_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_A, 1);
    assert_int_equal(amd_route(interrupt, 0, 0x40, 1), SLUICE_OK);
    amd_expect(&scene, interrupt, 0, RID_A, 0x40, 1); /* cached from here on */
    assert_int_equal(amd_route(interrupt, 0, 0x41, 2), SLUICE_OK);
    amd_expect(&scene, interrupt, 0, RID_A, 0x41, 2);
    assert_int_equal(sluice_interrupt_mask(interrupt, 0), SLUICE_OK);
    assert_int_equal(amd_send(&scene, interrupt, 0, RID_A), PAGE_FAULT);
    assert_int_equal(scene.fired, 2);
    assert_int_equal(scene.scene.faults, 0);
    assert_int_equal(amd_route(interrupt, 0, 0x42, 3), SLUICE_OK);
    amd_expect(&scene, interrupt, 0, RID_A, 0x42, 3);
    amd_free(interrupt);
    scene_finish(&scene.scene);
}

/* What was freed is dead before it is anybody else's. */
static void freed_is_dead(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *old, *other, *heir;
    struct sluice_msi stale;

    (void)state;
    amd_scene_start(&scene, &config);
    other = amd_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_A, 1); /* the table stays */
    old = amd_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_A, 20);
    assert_int_equal(amd_route(old, 17, 0x40, 1), SLUICE_OK);
    amd_expect(&scene, old, 17, RID_A, 0x40, 1);
    assert_int_equal(sluice_interrupt_message(old, 17, &stale), SLUICE_OK);
    amd_free(old);
    amd_expect_refused(&scene, RID_A, stale.data, PAGE_FAULT);
    heir = amd_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_A, 20);
    amd_expect_refused(&scene, RID_A, stale.data, PAGE_FAULT);
    assert_int_equal(amd_route(heir, 17, 0x50, 1), SLUICE_OK);
    amd_expect(&scene, heir, 17, RID_A, 0x50, 1);
    amd_free(heir);
    amd_free(other);
    scene_finish(&scene.scene);
}

/* ---- tables ---- */

/* Entries deliver all the time while their table grows, from one page to two. */
static void growth(struct scene_config *config, unsigned most)
{
    struct amd_scene scene;
    struct sluice_interrupt *first, *all[16];
    unsigned count = 0;

    amd_scene_start(&scene, config);
    first = amd_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_A, 1);
    assert_int_equal(amd_route(first, 0, 0x40, 1), SLUICE_OK);
    amd_expect(&scene, first, 0, RID_A, 0x40, 1);
    for (unsigned size = 1; size < most; size *= 2) {
        all[count] = amd_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_A, size);
        assert_int_equal(amd_index(all[count], 0), size);
        assert_int_equal(amd_info(&scene).entries, 2 * size);
        amd_expect(&scene, first, 0, RID_A, 0x40, 1);
        assert_int_equal(amd_route(all[count], size - 1, 0x41, 2), SLUICE_OK);
        amd_expect(&scene, all[count], size - 1, RID_A, 0x41, 2);
        count++;
    }
    assert_int_equal(amd_try_alloc(&scene, SLUICE_INTERRUPT_MSI, RID_A, 1, &all[count]),
                     SLUICE_ERR_NO_SPACE);
    for (unsigned i = 0; i < count; i++)
        amd_free(all[i]);
    amd_expect(&scene, first, 0, RID_A, 0x40, 1);
    amd_free(first);
    scene_finish(&scene.scene);
}

static void growth_wide(void **state)
{
    struct scene_config config = amd_defaults();

    (void)state;
    growth(&config, 512);
}

static void growth_narrow(void **state)
{
    struct scene_config config = amd_defaults();

    (void)state;
    config.machine.amd_unit.guest_apic = config.machine.amd_unit.x2apic = false;
    growth(&config, 512);
}

/* A unit with longer tables; then bits 10:8 of the data are no kind of interrupt any more. */
static void growth_many(void **state)
{
    struct scene_config config = amd_defaults();

    (void)state;
    config.machine.amd_unit.many_interrupts = true;
    growth(&config, 2048);
}

static void limit(struct sluice_config *config, void *arg)
{
    amd_configure(config, arg);
    config->interrupt_entries = 16;
}

static void limited(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *a, *b, *none;

    (void)state;
    config.configure = limit;
    amd_scene_start(&scene, &config);
    a = amd_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_A, 5);
    assert_int_equal(amd_try_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_A, 12, &none),
                     SLUICE_ERR_NO_SPACE);
    assert_int_equal(amd_try_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_B, 9, &none),
                     SLUICE_ERR_NO_SPACE);
    b = amd_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_B, 8);
    assert_int_equal(amd_try_alloc(&scene, SLUICE_INTERRUPT_MSI, RID_BELOW, 1, &none),
                     SLUICE_ERR_NO_SPACE);
    amd_free(a);
    a = amd_alloc(&scene, SLUICE_INTERRUPT_MSI, RID_BELOW, 8);
    amd_free(a);
    amd_free(b);
    scene_finish(&scene.scene);
}

/* Two devices behind a bridge arrive as one requester: they share a table, and nobody else. */
static void shared_by_aliases(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *one, *two;

    (void)state;
    amd_scene_start(&scene, &config);
    one = amd_alloc(&scene, SLUICE_INTERRUPT_MSI, RID_PCI, 1);
    two = amd_alloc(&scene, SLUICE_INTERRUPT_MSI, RID_SIBLING, 1);
    assert_int_not_equal(amd_index(one, 0), amd_index(two, 0));
    assert_int_equal(amd_route(one, 0, 0x70, 2), SLUICE_OK);
    assert_int_equal(amd_route(two, 0, 0x71, 3), SLUICE_OK);
    amd_expect(&scene, one, 0, RID_BRIDGE, 0x70, 2); /* conventional PCI */
    amd_expect(&scene, two, 0, RID_BRIDGE, 0x71, 3);
    amd_expect(&scene, one, 0, RID_PCI, 0x70, 2); /* PCI-X */
    amd_expect(&scene, two, 0, RID_SIBLING, 0x71, 3);
    amd_expect_refused(&scene, RID_A, amd_index(one, 0), PAGE_FAULT);
    amd_expect_refused(&scene, RID_BELOW, amd_index(one, 0), PAGE_FAULT);
    /* A change is seen whoever's name it is cached under. */
    assert_int_equal(amd_route(two, 0, 0x72, 4), SLUICE_OK);
    amd_expect(&scene, two, 0, RID_BRIDGE, 0x72, 4);
    amd_expect(&scene, two, 0, RID_SIBLING, 0x72, 4);
    amd_free(one);
    amd_expect_refused(&scene, RID_BRIDGE, amd_index(two, 0) ^ 1u, PAGE_FAULT);
    amd_expect_refused(&scene, RID_PCI, amd_index(two, 0), PAGE_FAULT); /* out of it again */
    amd_expect(&scene, two, 0, RID_BRIDGE, 0x72, 4);
    amd_free(two);
    amd_expect_refused(&scene, RID_BRIDGE, 0, PAGE_FAULT);
    scene_finish(&scene.scene);
}

/* Firmware says that a device behind a bridge also sends as one that has a table already. */
static void cannot_be_shared(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *a, *sibling, *none;

    (void)state;
    config.machine.functions[MACHINE_DEV_PCI].told = true;
    config.machine.functions[MACHINE_DEV_PCI].dma_rid = RID_A;
    amd_scene_start(&scene, &config);
    a = amd_alloc(&scene, SLUICE_INTERRUPT_MSI, RID_A, 1);
    sibling = amd_alloc(&scene, SLUICE_INTERRUPT_MSI, RID_SIBLING, 1);
    assert_int_equal(amd_try_alloc(&scene, SLUICE_INTERRUPT_MSI, RID_PCI, 1, &none),
                     SLUICE_ERR_NO_SPACE);
    assert_true(model_host_logged(amd_host(&scene), "cannot share an interrupt table"));
    amd_free(a);
    a = amd_alloc(&scene, SLUICE_INTERRUPT_MSI, RID_PCI, 1);
    assert_int_equal(amd_route(a, 0, 0x66, 1), SLUICE_OK);
    amd_expect(&scene, a, 0, RID_A, 0x66, 1);
    amd_free(a);
    amd_free(sibling);
    scene_finish(&scene.scene);
}

/* ---- controllers ---- */

static void pins(void **state)
{
    struct scene_config config = amd_defaults();
    struct sluice_interrupt_route route = {
        .vector = 0x91, .destination = 5, .level = true, .active_low = true};
    struct amd_scene scene;
    struct sluice_interrupt *pins[24], *timer;
    uint64_t entry;

    (void)state;
    amd_scene_start(&scene, &config);
    timer = amd_alloc(&scene, SLUICE_INTERRUPT_HPET, 0, 1);
    for (unsigned i = 0; i < 24; i++) {
        pins[i] = amd_alloc(&scene, SLUICE_INTERRUPT_IOAPIC, 0, 1);
        assert_int_equal(sluice_interrupt_ioapic_entry(pins[i], &entry), SLUICE_ERR_STATE);
        route.vector = (uint8_t)(0x91 + i);
        assert_int_equal(sluice_interrupt_route(pins[i], 0, &route), SLUICE_OK);
    }
    for (unsigned i = 0; i < 24; i++) {
        assert_int_equal(sluice_interrupt_ioapic_entry(pins[i], &entry), SLUICE_OK);
        assert_int_equal(entry >> 8, 0xa0); /* active low, level, fixed, unmasked */
        assert_int_equal(amdvi_model_ioapic(scene.unit, MACHINE_IOAPIC_RID, entry), 0);
        assert_int_equal(scene.last.vector, 0x91 + i);
        assert_int_equal(scene.last.destination, 5);
    }
    assert_int_equal(amdvi_model_ioapic(scene.unit, RID_A, entry), PAGE_FAULT);
    assert_int_equal(amd_route(timer, 0, 0x92, 0), SLUICE_OK);
    amd_expect(&scene, timer, 0, MACHINE_HPET_RID, 0x92, 0);
    amd_expect_refused(&scene, MACHINE_HPET_RID + 1, amd_index(timer, 0), PAGE_FAULT);
    for (unsigned i = 0; i < 24; i++)
        amd_free(pins[i]);
    amd_free(timer);
    scene_finish(&scene.scene);
}

/* What has no entries passes for whom firmware says so, and for nobody else. */
static void passes(void **state)
{
    static const uint32_t kinds[] = {4u << 8, 5u << 8, 7u << 8}; /* NMI, INIT, ExtInt */
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *pin = NULL, *other;

    (void)state;
    amd_scene_start(&scene, &config);
    other = amd_alloc(&scene, SLUICE_INTERRUPT_MSI, RID_A, 1);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(
                amdvi_model_message(scene.unit, MACHINE_IOAPIC_RID, 0xfee00000, kinds[i]), 0);
            assert_false(scene.last.remapped);
            amd_expect_refused(&scene, RID_A, kinds[i], PAGE_FAULT);
            amd_expect_refused(&scene, MACHINE_HPET_RID, kinds[i], PAGE_FAULT);
        }
        amd_expect_refused(&scene, MACHINE_IOAPIC_RID, 2u << 8, PAGE_FAULT); /* SMI */
        if (round == 0)
            pin = amd_alloc(&scene, SLUICE_INTERRUPT_IOAPIC, 0, 1);
        else if (round == 1)
            amd_free(pin);
    }
    amd_free(other);
    scene_finish(&scene.scene);
}

/* ---- whether it is on at all ---- */

static void set_nothing(struct sluice_config *config, void *arg)
{
    (void)config;
    (void)arg;
}

static void left_alone(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *none;

    (void)state;
    config.configure = set_nothing;
    amd_scene_start(&scene, &config);
    assert_int_equal(amdvi_model_message(scene.unit, RID_A, 0xfee01000, 0x41), 0);
    assert_int_equal(scene.fired, 1);
    assert_false(scene.last.remapped);
    assert_false(amd_info(&scene).remapped);
    assert_int_equal(amd_try_alloc(&scene, SLUICE_INTERRUPT_MSI, RID_A, 1, &none),
                     SLUICE_ERR_STATE);
    scene_finish(&scene.scene);
}

/* The CPUs are in x2APIC mode, and the unit has no destinations for that. */
static void no_x2apic(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;

    (void)state;
    config.machine.amd_unit.x2apic = false;
    config.configure = amd_configure_x2apic;
    amd_scene_init(&scene, &config);
    assert_int_equal(sluice_start(scene.scene.sluice), SLUICE_ERR_UNSUPPORTED);
    assert_true(model_host_logged(amd_host(&scene), "the CPUs are in x2APIC mode"));
    assert_false(amdvi_model_translating(scene.unit));
    scene_finish(&scene.scene);
}

static void find_line(void *arg, const char *line)
{
    if (strstr(line, "interrupts remapped, xAPIC: 3 of 4 entries used, of 128 bits") != NULL)
        *(bool *)arg = true;
}

static void reported(void **state)
{
    struct scene_config config = amd_defaults();
    struct amd_scene scene;
    struct sluice_interrupt *interrupt;
    bool found = false;

    (void)state;
    amd_scene_start(&scene, &config);
    interrupt = amd_alloc(&scene, SLUICE_INTERRUPT_MSIX, RID_A, 3);
    sluice_report(scene.scene.sluice, find_line, &found);
    assert_true(found);
    amd_free(interrupt);
    scene_finish(&scene.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(guest_format),
        cmocka_unit_test(life),
        cmocka_unit_test(tables_are_apart),
        cmocka_unit_test(msi_blocks),
        cmocka_unit_test(destinations),
        cmocka_unit_test(mask_and_move),
        cmocka_unit_test(freed_is_dead),
        cmocka_unit_test(growth_wide),
        cmocka_unit_test(growth_narrow),
        cmocka_unit_test(growth_many),
        cmocka_unit_test(limited),
        cmocka_unit_test(shared_by_aliases),
        cmocka_unit_test(cannot_be_shared),
        cmocka_unit_test(pins),
        cmocka_unit_test(passes),
        cmocka_unit_test(left_alone),
        cmocka_unit_test(no_x2apic),
        cmocka_unit_test(reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
