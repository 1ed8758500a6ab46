// SPDX-License-Identifier: MIT
/*
 * Interrupt remapping on a RISC-V IOMMU: MSI page tables, and what devices' messages become,
 * through the public API.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "riscv_interrupt_rig.h"

/* ---- where messages go ---- */

/* From allocation to the end, with every entry leading somewhere else. */
static void life(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_msi first;

    (void)state;
    riscv_rig_reset();
    riscv_rig_start();
    device = scene_device(&riscv_rig.scene, RID_A);
    domain = riscv_rig_join(device);
    assert_true(riscv_rig_info().remapped);
    assert_int_equal(riscv_rig_info().entries, 0);
    riscv_rig_expect_refused(MACHINE_DEV_A, WINDOW, 1, NOT_VALID); /* it has no entries yet */
    interrupt = riscv_rig_take(device, 3);
    assert_int_equal(riscv_rig_info().entries, ENTRIES);
    assert_int_equal(riscv_rig_info().used, 3);
    first = riscv_rig_message(interrupt, 0);
    riscv_rig_expect_refused(MACHINE_DEV_A, first.address, first.data,
                             NOT_VALID); /* not routed yet */
    assert_int_equal(riscv_rig.scene.fault.reason, SLUICE_FAULT_INTERRUPT);
    assert_int_equal(riscv_rig.scene.fault.source, RID_A);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(riscv_rig_route(interrupt, i, i, (uint16_t)(0x40 + 500 * i)), SLUICE_OK);
    for (unsigned i = 0; i < 3; i++)
        riscv_rig_expect(interrupt, i, i, 0x40 + 500 * i);
    /* Its data has no say, as long as it is an identity. */
    riscv_rig_expect_from(MACHINE_DEV_A, (struct sluice_msi){first.address, 77}, 0, 0x40);
    riscv_rig_expect_refused(MACHINE_DEV_A, first.address, 2048, BAD);
    assert_int_equal(sluice_device_remove(device), SLUICE_ERR_BUSY);
    assert_int_equal(sluice_stop(riscv_rig.scene.sluice), SLUICE_ERR_BUSY);
    riscv_rig_give(interrupt);
    riscv_rig_expect_refused(MACHINE_DEV_A, first.address, first.data, NOT_VALID);
    assert_int_equal(riscv_rig_info().used, 0);
    assert_int_equal(riscv_rig_info().entries, 0);
    riscv_rig_leave(device, domain);
    scene_finish(&riscv_rig.scene);
}

/* Neither the files themselves nor pages that nobody was given, wherever they are. */
static void nothing_else_is_reached(void **state)
{
    struct sluice_interrupt *interrupt, *other, *third;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_mapping mapping;
    struct sluice_reserved_region region;
    unsigned listed = 0;

    (void)state;
    riscv_rig_reset();
    riscv_rig_start();
    device = scene_device(&riscv_rig.scene, RID_A);
    domain = riscv_rig_join(device);
    interrupt = riscv_rig_take(device, ENTRIES - 1);
    other = riscv_rig_take(device, 1); /* below the doorbells */
    assert_true(riscv_rig_message(other, 0).address == WINDOW);
    assert_int_equal(riscv_rig_try_alloc(device, 1, &third), SLUICE_ERR_NO_SPACE);
    for (unsigned i = 0; i < ENTRIES - 1; i++) {
        assert_int_equal(riscv_rig_route(interrupt, i, i % HARTS, 9), SLUICE_OK);
        assert_true(riscv_rig_message(interrupt, i).address != FILES);
        assert_true(riscv_rig_message(interrupt, i).address != FILES + SLUICE_PAGE_BYTES);
        riscv_rig_expect(interrupt, i, i % HARTS, 9);
    }
    riscv_rig_expect_refused(MACHINE_DEV_A, FILES, 9, NOT_VALID);
    riscv_rig_expect_refused(MACHINE_DEV_A, FILES + SLUICE_PAGE_BYTES, 9, NOT_VALID);
    riscv_rig_expect_refused(MACHINE_DEV_A, FILES_TOO, 9, 23);
    assert_int_equal(sluice_domain_lookup(domain, FILES_TOO, &mapping), SLUICE_ERR_NOT_FOUND);
    for (unsigned i = 0; sluice_device_reserved(device, i, &region) == SLUICE_OK; i++)
        listed += region.kind == SLUICE_RESERVED_INTERRUPT && region.first == WINDOW &&
                  region.last == WINDOW + RIOMMU_MESSAGES * SLUICE_PAGE_BYTES - 1;
    assert_int_equal(listed, 1);
    assert_int_equal(
        sluice_domain_map(domain, WINDOW + 0x7000, 0x4000, SLUICE_PAGE_BYTES, SCENE_READWRITE),
        SLUICE_ERR_DENIED);
    riscv_rig_give(interrupt);
    riscv_rig_give(other);
    riscv_rig_leave(device, domain);
    scene_finish(&riscv_rig.scene);
}

/* The same number is another entry for each device, also in one domain. */
static void tables_are_apart(void **state)
{
    struct sluice_interrupt *a, *b;
    struct sluice_device *device_a, *device_b;
    struct sluice_domain *domain;

    (void)state;
    riscv_rig_reset();
    riscv_rig_start();
    device_a = scene_device(&riscv_rig.scene, RID_A);
    device_b = scene_device(&riscv_rig.scene, RID_B);
    domain = riscv_rig_join(device_a);
    assert_int_equal(sluice_domain_attach(domain, device_b), SLUICE_OK);
    a = riscv_rig_take(device_a, 1);
    assert_int_equal(riscv_rig_route(a, 0, 0, 0x40), SLUICE_OK);
    riscv_rig_expect_refused(MACHINE_DEV_B, riscv_rig_message(a, 0).address, 1, NOT_VALID);
    b = riscv_rig_take(device_b, 1);
    assert_true(riscv_rig_message(a, 0).address == riscv_rig_message(b, 0).address);
    assert_int_equal(riscv_rig_route(b, 0, 1, 0x80), SLUICE_OK);
    riscv_rig_expect_from(MACHINE_DEV_A, riscv_rig_message(a, 0), 0, 0x40);
    riscv_rig_expect_from(MACHINE_DEV_B, riscv_rig_message(a, 0), 1, 0x80);
    riscv_rig_expect_refused(MACHINE_DEV_A, WINDOW + 0x7000, 1, NOT_VALID);
    riscv_rig_give(a);
    riscv_rig_expect_from(MACHINE_DEV_B, riscv_rig_message(b, 0), 1, 0x80);
    riscv_rig_give(b);
    riscv_rig_leave(device_b, NULL);
    riscv_rig_leave(device_a, domain);
    scene_finish(&riscv_rig.scene);
}

/* While its device has others, too. */
static void freed(void **state)
{
    struct sluice_interrupt *goes, *stays;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_msi msi;

    (void)state;
    riscv_rig_reset();
    riscv_rig_start();
    device = scene_device(&riscv_rig.scene, RID_A);
    domain = riscv_rig_join(device);
    goes = riscv_rig_take(device, 1);
    stays = riscv_rig_take(device, 1);
    assert_int_equal(riscv_rig_route(goes, 0, 0, 5), SLUICE_OK);
    assert_int_equal(riscv_rig_route(stays, 0, 1, 6), SLUICE_OK);
    riscv_rig_expect(goes, 0, 0, 5);
    msi = riscv_rig_message(goes, 0);
    riscv_rig_give(goes);
    riscv_rig_expect_refused(MACHINE_DEV_A, msi.address, msi.data, NOT_VALID);
    goes = riscv_rig_take(device, 1); /* the same number */
    assert_true(riscv_rig_message(goes, 0).address == msi.address);
    riscv_rig_expect_refused(MACHINE_DEV_A, msi.address, msi.data, NOT_VALID);
    riscv_rig_expect(stays, 0, 1, 6);
    riscv_rig_give(goes);
    riscv_rig_give(stays);
    riscv_rig_leave(device, domain);
    scene_finish(&riscv_rig.scene);
}

/* One store, and the unit's copy is gone: the very next message goes to the new place. */
static void moved(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_msi before;

    (void)state;
    riscv_rig_reset();
    riscv_rig_start();
    device = scene_device(&riscv_rig.scene, RID_A);
    domain = riscv_rig_join(device);
    interrupt = riscv_rig_take(device, 2);
    before = riscv_rig_message(interrupt, 1);
    assert_int_equal(riscv_rig_route(interrupt, 0, 0, 5), SLUICE_OK);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(riscv_rig_route(interrupt, 1, i % HARTS, (uint16_t)(100 + i)), SLUICE_OK);
        riscv_rig_expect_from(MACHINE_DEV_A, before, i % HARTS, 100 + i);
        riscv_rig_expect(interrupt, 0, 0, 5);
    }
    assert_true(riscv_rig_message(interrupt, 1).address == before.address);
    assert_int_equal(riscv_rig_message(interrupt, 1).data, before.data);
    riscv_rig_give(interrupt);
    riscv_rig_leave(device, domain);
    scene_finish(&riscv_rig.scene);
}

/* A masked entry is silent, and its message is nobody's. */
static void masked(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_msi msi;

    (void)state;
    for (unsigned mrif = 0; mrif < 2; mrif++) {
        unsigned fired;

        riscv_rig_reset();
        riscv_rig.unit.mrif = mrif == 1;
        riscv_rig_start();
        device = scene_device(&riscv_rig.scene, RID_A);
        domain = riscv_rig_join(device);
        interrupt = riscv_rig_take(device, 1);
        assert_int_equal(riscv_rig_route(interrupt, 0, 1, 44), SLUICE_OK);
        msi = riscv_rig_message(interrupt, 0);
        riscv_rig_expect(interrupt, 0, 1, 44);
        fired = riscv_rig.fired;
        assert_int_equal(sluice_interrupt_mask(interrupt, 0), SLUICE_OK);
        assert_true(
            dma_device_msi(riscv_rig.scene.machine->devices[MACHINE_DEV_A], msi.address, 44));
        assert_int_equal(sluice_fault_poll(riscv_rig.scene.sluice), 0);
        assert_int_equal(riscv_rig.fired, fired);
        assert_int_equal(riscv_rig_message(interrupt, 0).data, msi.data);
        assert_int_equal(riscv_rig_route(interrupt, 0, 2, 44), SLUICE_OK);
        riscv_rig_expect(interrupt, 0, 2, 44);
        riscv_rig_give(interrupt);
        riscv_rig_leave(device, domain);
        scene_finish(&riscv_rig.scene);
    }
}

/* Entries stay while their device moves; while it is in no domain, nothing comes. */
static void across_domains(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *first, *second;
    struct sluice_pages page;
    struct sluice_msi msi;

    (void)state;
    riscv_rig_reset();
    riscv_rig_start();
    device = scene_device(&riscv_rig.scene, RID_A);
    interrupt = riscv_rig_take(device, 1); /* before it is anywhere */
    assert_int_equal(riscv_rig_route(interrupt, 0, 0, 7), SLUICE_OK);
    msi = riscv_rig_message(interrupt, 0);
    riscv_rig_expect_refused(MACHINE_DEV_A, msi.address, msi.data, 258);
    first = riscv_rig_join(device);
    riscv_rig_expect(interrupt, 0, 0, 7);
    page = scene_page(&riscv_rig.scene, 0x11);
    scene_map(first, SCENE_IOVA, &page);
    assert_int_equal(scene_reads(&riscv_rig.scene, MACHINE_DEV_A, SCENE_IOVA), 0x11);
    second = riscv_rig_join(device);
    riscv_rig_expect(interrupt, 0, 0, 7);
    /* What was walked under its tag in the other domain is gone. */
    assert_int_equal(scene_reads(&riscv_rig.scene, MACHINE_DEV_A, SCENE_IOVA), -1);
    (void)sluice_fault_poll(riscv_rig.scene.sluice);
    assert_int_equal(riscv_rig_route(interrupt, 0, 1, 8), SLUICE_OK);
    riscv_rig_expect(interrupt, 0, 1, 8);
    assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
    riscv_rig_expect_refused(MACHINE_DEV_A, msi.address, msi.data, 258);
    assert_int_equal(riscv_rig_route(interrupt, 0, 2, 9), SLUICE_OK);
    assert_int_equal(sluice_domain_attach(first, device), SLUICE_OK);
    riscv_rig_expect(interrupt, 0, 2, 9);
    assert_int_equal(scene_reads(&riscv_rig.scene, MACHINE_DEV_A, SCENE_IOVA), 0x11);
    riscv_rig_give(interrupt);
    assert_int_equal(sluice_domain_destroy(second), SLUICE_OK);
    assert_int_equal(sluice_domain_unmap(first, SCENE_IOVA, SLUICE_PAGE_BYTES, NULL), SLUICE_OK);
    assert_int_equal(scene_reads(&riscv_rig.scene, MACHINE_DEV_A, SCENE_IOVA), -1);
    riscv_rig_leave(device, first);
    scene_page_free(&riscv_rig.scene, page);
    scene_finish(&riscv_rig.scene);
}

/* Each device of a domain has a tag of its own, and an unmap reaches all of them. */
static void an_unmap_reaches_every_tag(void **state)
{
    static const uint16_t rids[] = {RID_A, RID_B, SLUICE_RID(1, 0, 0)};
    static const unsigned numbers[] = {MACHINE_DEV_A, MACHINE_DEV_B, MACHINE_DEV_BELOW};
    struct sluice_device *devices[3];
    struct sluice_domain *domain;
    struct sluice_pages page;

    (void)state;
    riscv_rig_reset();
    riscv_rig_start();
    devices[0] = scene_device(&riscv_rig.scene, rids[0]);
    domain = riscv_rig_join(devices[0]);
    for (unsigned i = 1; i < 3; i++) {
        devices[i] = scene_device(&riscv_rig.scene, rids[i]);
        assert_int_equal(sluice_domain_attach(domain, devices[i]), SLUICE_OK);
    }
    page = scene_page(&riscv_rig.scene, 0x22);
    for (unsigned round = 0; round < 2; round++) {
        scene_map(domain, SCENE_IOVA, &page);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(scene_reads(&riscv_rig.scene, numbers[i], SCENE_IOVA), 0x22);
        assert_int_equal(sluice_domain_unmap(domain, SCENE_IOVA, SLUICE_PAGE_BYTES, NULL),
                         SLUICE_OK);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(scene_reads(&riscv_rig.scene, numbers[i], SCENE_IOVA), -1);
    }
    for (unsigned i = 3; i-- > 0;)
        riscv_rig_leave(devices[i], i == 0 ? domain : NULL);
    scene_page_free(&riscv_rig.scene, page);
    scene_finish(&riscv_rig.scene);
}

/* Identity goes by tables then: memory, and no interrupt file but what was granted. */
static void identity(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_pages page;

    (void)state;
    riscv_rig_reset();
    riscv_rig_start();
    device = scene_device(&riscv_rig.scene, RID_A);
    domain = scene_domain(&riscv_rig.scene, SLUICE_DOMAIN_IDENTITY);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    interrupt = riscv_rig_take(device, 1);
    assert_int_equal(riscv_rig_route(interrupt, 0, 2, 3), SLUICE_OK);
    page = scene_page(&riscv_rig.scene, 0x33);
    assert_int_equal(scene_reads(&riscv_rig.scene, MACHINE_DEV_A, page.phys), 0x33);
    riscv_rig_expect(interrupt, 0, 2, 3);
    riscv_rig_expect_refused(MACHINE_DEV_A, FILES, 3, NOT_VALID);
    riscv_rig_expect_refused(MACHINE_DEV_A, FILES_TOO, 3, 23);
    riscv_rig_give(interrupt);
    riscv_rig_leave(device, domain);
    scene_page_free(&riscv_rig.scene, page);
    scene_finish(&riscv_rig.scene);
}

/* A device behind a bridge sends under the bridge's ID, and its block is for both. */
static void behind_a_bridge(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *domain;

    (void)state;
    riscv_rig_reset();
    riscv_rig_start();
    device = scene_device(&riscv_rig.scene, RID_PCI);
    domain = riscv_rig_join(device);
    interrupt = riscv_rig_take(device, 2);
    assert_int_equal(riscv_rig_info().entries, ENTRIES);
    assert_int_equal(riscv_rig_route(interrupt, 1, 1, 12), SLUICE_OK);
    riscv_rig_expect_from(MACHINE_DEV_PCI, riscv_rig_message(interrupt, 1), 1, 12);
    riscv_rig_give(interrupt);
    riscv_rig_leave(device, domain);
    scene_finish(&riscv_rig.scene);
}

/* Without interrupt files in memory the message says the identity, and changes with it. */
static void basic_entries(void **state)
{
    struct sluice_interrupt *interrupt;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct sluice_msi msi;

    (void)state;
    riscv_rig_reset();
    riscv_rig.unit.mrif = false;
    riscv_rig_start();
    device = scene_device(&riscv_rig.scene, RID_A);
    domain = riscv_rig_join(device);
    interrupt = riscv_rig_take(device, 2);
    assert_int_equal(sluice_interrupt_message(interrupt, 0, &msi), SLUICE_ERR_STATE);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(riscv_rig_route(interrupt, i % 2, i % HARTS, (uint16_t)(10 + i)),
                         SLUICE_OK);
        assert_int_equal(riscv_rig_message(interrupt, i % 2).data, 10 + i);
        riscv_rig_expect(interrupt, i % 2, i % HARTS, 10 + i);
    }
    riscv_rig_expect_refused(MACHINE_DEV_A, FILES, 10, NOT_VALID);
    riscv_rig_give(interrupt);
    riscv_rig_leave(device, domain);
    scene_finish(&riscv_rig.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life),
        cmocka_unit_test(nothing_else_is_reached),
        cmocka_unit_test(tables_are_apart),
        cmocka_unit_test(freed),
        cmocka_unit_test(moved),
        cmocka_unit_test(masked),
        cmocka_unit_test(across_domains),
        cmocka_unit_test(an_unmap_reaches_every_tag),
        cmocka_unit_test(identity),
        cmocka_unit_test(behind_a_bridge),
        cmocka_unit_test(basic_entries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
