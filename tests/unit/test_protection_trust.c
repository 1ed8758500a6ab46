// SPDX-License-Identifier: MIT
/*
 * Trust: devices below ports that lead outside, or distrusted later; what they are not given, what
 * is turned off for them, and what is said about it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protection_scene.h"

static uint16_t register16(const struct node *node, unsigned at)
{
    const uint8_t *config = model_pci_config(node->in_host);

    return (uint16_t)(config[at] | config[at + 1] << 8);
}

static void test_below_a_port_that_leads_outside(void **state)
{
    static const uint8_t ats_on[4] = {0x20, 0, 0, 0x80};
    const sluice_phys_t base = 0x180000;
    struct sluice_device *device, *inner;
    struct dma_device *dma;
    struct node *port, *stick, *inside;
    uint16_t ats;

    (void)state;
    begin(SLUICE_PROTECTION_STRICT, true);
    port = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 0x1c, 0), ACS_FULL | 2u);
    stick = topology_add(&topo, port, NODE_ENDPOINT, 0, 0);
    stick->absent = true;
    inside = topology_add(&topo, NULL, NODE_INTEGRATED, 3, 0);
    /* Firmware thinks it knows what is there. */
    topo.config.machine.regions[0] =
        (struct machine_region){.base = base, .last = base + 0xfff, .rid = SLUICE_RID(1, 0, 0)};
    topology_build(&topo);
    ats = model_pci_add_extended(stick->in_host, 0x0f, ats_on, sizeof(ats_on));
    assert_int_equal(sluice_port_set_external(topo.scene.sluice, 0, node_rid(port), true),
                     SLUICE_OK);
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_OK);
    /* It stops what claims to be translated. */
    assert_int_equal(register16(port, port->acs_at + 6u), ACS_FULL | 2u);
    inner = node_device(&topo, inside);
    assert_false(sluice_device_is_untrusted(inner));

    model_pci_plug(stick->in_host);
    dma = dma_of(stick);
    device = node_device(&topo, stick);
    assert_true(sluice_device_is_untrusted(device));
    assert_int_equal(register16(stick, ats + 6u) & 0x8000u, 0);
    assert_false(reads(dma, base));
    assert_false(reads(dma, SCENE_IOVA));
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_int_equal(sluice_device_remove(inner), SLUICE_OK);
    dma_device_destroy(dma);
    topology_finish(&topo);
}

/* Reserved memory of firmware is no claim of whatever is plugged in where it said. */
static void test_reserved_memory_is_not_for_strangers(void **state)
{
    const sluice_phys_t base = 0x180000;
    const uint16_t root = SLUICE_RID(0, 0x1c, 0), below = SLUICE_RID(1, 0, 0);

    (void)state;
    for (unsigned external = 0; external < 2; external++) {
        struct sluice_reserved_region region;
        struct sluice_device *device;
        struct scene scene;
        struct scene_config config = scene_defaults();
        unsigned found = 0;

        config.machine.regions[0] =
            (struct machine_region){.base = base, .last = base + 0xfff, .rid = below};
        scene_init(&scene, &config);
        if (external != 0)
            assert_int_equal(sluice_port_set_external(scene.sluice, 0, root, true), SLUICE_OK);
        assert_int_equal(sluice_start(scene.sluice), SLUICE_OK);
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_BELOW, base) >= 0, external == 0);
        device = scene_device(&scene, below);
        assert_int_equal(scene_reads(&scene, MACHINE_DEV_BELOW, base) >= 0, external == 0);
        for (unsigned i = 0; sluice_device_reserved(device, i, &region) == SLUICE_OK; i++)
            found += region.kind == SLUICE_RESERVED_FIRMWARE;
        assert_int_equal(found, external == 0);
        if (external != 0)
            assert_true(model_host_logged(scene.machine->host, "below a port that leads outside"));
        else /* it relies on its memory: too late to distrust it */
            assert_int_equal(sluice_port_set_external(scene.sluice, 0, root, true),
                             SLUICE_ERR_BUSY);
        assert_int_equal(sluice_device_remove(device), SLUICE_OK);
        scene_finish(&scene);
    }
}

static void test_distrust_comes_late(void **state)
{
    struct sluice_domain *domain;
    struct sluice_device *device;
    struct node *port, *below;
    struct sluice *sluice;

    (void)state;
    begin(SLUICE_PROTECTION_DEFAULT, false);
    port = topology_bridge(&topo, NULL, NODE_ROOT_PORT, 6, 0);
    below = topology_add(&topo, port, NODE_ENDPOINT, 0, 0);
    topology_start(&topo);
    sluice = topo.scene.sluice;
    device = node_device(&topo, below);
    domain = scene_domain(&topo.scene, SLUICE_DOMAIN_DMA);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_int_equal(sluice_port_set_external(sluice, 0, node_rid(port), true), SLUICE_ERR_BUSY);
    assert_false(sluice_device_is_untrusted(device));
    assert_int_equal(sluice_domain_detach(device), SLUICE_OK);
    assert_int_equal(sluice_port_set_external(sluice, 0, node_rid(port), true), SLUICE_OK);
    assert_int_equal(sluice_port_set_external(sluice, 0, node_rid(port), true), SLUICE_OK);
    assert_true(sluice_device_is_untrusted(device));
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_int_equal(sluice_port_set_external(sluice, 0, node_rid(port), false), SLUICE_OK);
    device = node_device(&topo, below);
    assert_false(sluice_device_is_untrusted(device));
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(domain), SLUICE_OK);
    topology_finish(&topo);
}

static void test_strict_wants_ports_outside_to_isolate(void **state)
{
    struct node *port;

    (void)state;
    begin(SLUICE_PROTECTION_STRICT, true);
    port = topology_bridge(&topo, NULL, NODE_ROOT_PORT, 6, 0);
    topology_build(&topo);
    assert_int_equal(sluice_port_set_external(topo.scene.sluice, 0, node_rid(port), true),
                     SLUICE_OK);
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(told.count[SLUICE_OBSTACLE_EXTERNAL_PORT], 1);
    assert_int_equal(told.rid[SLUICE_OBSTACLE_EXTERNAL_PORT], node_rid(port));
    assert_int_equal(sluice_protection_set(topo.scene.sluice, SLUICE_PROTECTION_STANDARD),
                     SLUICE_OK);
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_OK);
    topology_finish(&topo);
}

/* Its device says that the cache is on, and does not listen. */
static void test_ats_that_does_not_turn_off(void **state)
{
    static const uint8_t ats_on[4] = {0x20, 0, 0, 0x80};
    const struct sluice_device_config config = {.rid = SLUICE_RID(0, 3, 0), .untrusted = true};
    struct sluice_device *device;
    struct node *a;
    uint16_t at;

    (void)state;
    begin(SLUICE_PROTECTION_DEFAULT, false);
    a = topology_add(&topo, NULL, NODE_INTEGRATED, 3, 0);
    topology_build(&topo);
    at = model_pci_add_extended(a->in_host, 0x0f, ats_on, sizeof(ats_on));
    model_pci_fix_bits(a->in_host, (uint16_t)(at + 6u), 0x8000);
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_device_add(topo.scene.sluice, &config, &device), SLUICE_ERR_HARDWARE);
    assert_true(logged("does not turn off"));
    topology_finish(&topo);
}

int main(void)
{
    const struct CMUnitTest anywhere[] = {
        cmocka_unit_test(test_reserved_memory_is_not_for_strangers),
        cmocka_unit_test(test_distrust_comes_late),
        cmocka_unit_test(test_ats_that_does_not_turn_off),
    };
    /* Levels above basic promise remapped interrupts, which not every kind of unit has. */
    const struct CMUnitTest remapping[] = {
        cmocka_unit_test(test_below_a_port_that_leads_outside),
        cmocka_unit_test(test_strict_wants_ports_outside_to_isolate),
    };
    struct CMUnitTest tests[32];
    size_t count = 0;

    add_tests(tests, &count, anywhere, TESTS_IN(anywhere));
    if (scene_remaps())
        add_tests(tests, &count, remapping, TESTS_IN(remapping));
    return _cmocka_run_group_tests("protection-trust", tests, count, NULL, NULL);
}
