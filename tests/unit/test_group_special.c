// SPDX-License-Identifier: MIT
/*
 * Isolation groups where there is more than topology: devices known to be unlike what they say,
 * virtual functions, hot plug, and hosts that see little.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "topology.h"

#define MARVELL 0x1b4b

static struct topology topo;

/* ---- known devices ---- */

static void test_wrong_requester_id(void **state)
{
    struct sluice_group_reason reason;
    struct node *port, *sata, *other;
    char text[256];

    (void)state;
    topology_init(&topo);
    port = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0), ACS_FULL);
    sata = with_acs(topology_add(&topo, port, NODE_ENDPOINT, 0, 0), ACS_FUNCTION);
    sata->vendor = MARVELL;
    sata->product = 0x9230;
    other = with_acs(topology_add(&topo, port, NODE_ENDPOINT, 0, 1), ACS_FUNCTION);
    topology_start(&topo);
    assert_true(together(&topo, sata, other));
    assert_true(reason_for(&topo, sata, SLUICE_GROUP_ALIAS, &reason));
    assert_int_equal(reason.other_rid, node_rid(other));
    assert_non_null(reason.source);
    (void)sluice_group_reason_text(&reason, text, sizeof(text));
    assert_non_null(strstr(text, "0000:01:00.1"));
    topology_finish(&topo);
}

/* Its DMA comes as function 1, which does not exist: it is confined all the same. */
static void test_wrong_requester_id_is_confined(void **state)
{
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct node *sata;
    struct dma_device *as_function_1;
    struct sluice_pages page;
    uint8_t byte = 0;

    (void)state;
    topology_init(&topo);
    sata = topology_add(&topo, NULL, NODE_INTEGRATED, 9, 0);
    sata->vendor = MARVELL;
    sata->product = 0x9123;
    topology_start(&topo);
    as_function_1 = dma_device_create(topo.scene.machine->host, topo.scene.machine->units[0],
                                      SLUICE_RID(0, 9, 1), false);
    device = node_device(&topo, sata);
    domain = scene_domain(&topo.scene, SLUICE_DOMAIN_DMA);
    page = scene_page(&topo.scene, 0x5a);
    scene_map(domain, SCENE_IOVA, &page);
    assert_false(dma_device_read(as_function_1, SCENE_IOVA, &byte, 1, NULL));
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_true(dma_device_read(as_function_1, SCENE_IOVA, &byte, 1, NULL));
    assert_int_equal(byte, 0x5a);
    scene_forget(device);
    assert_false(dma_device_read(as_function_1, SCENE_IOVA, &byte, 1, NULL));
    assert_int_equal(sluice_domain_destroy(domain), SLUICE_OK);
    scene_page_free(&topo.scene, page);
    dma_device_destroy(as_function_1);
    topology_finish(&topo);
}

static void test_functions_known_to_be_apart(void **state)
{
    struct node *port, *f[2];

    (void)state;
    topology_init(&topo);
    port = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0), ACS_FULL);
    for (unsigned i = 0; i < 2; i++) {
        f[i] = topology_add(&topo, port, NODE_ENDPOINT, 0, i);
        f[i]->vendor = 0x8086;
        f[i]->product = 0x10fb;
    }
    topology_start(&topo);
    assert_false(together(&topo, f[0], f[1]));
    topology_finish(&topo);
}

/* AMD vouches for its southbridge only where its own IOMMU stands above. */
static void test_a_southbridge_needs_its_iommu(void **state)
{
    (void)state;
    for (unsigned amd = 0; amd < 2; amd++) {
        uint64_t groups[2];

        topology_init(&topo);
        if (amd != 0)
            topo.config.machine = machine_defaults_amd();
        memset(topo.config.machine.functions, 0, sizeof(topo.config.machine.functions));
        for (unsigned i = 0; i < 2; i++)
            topo.config.machine.functions[i] =
                (struct machine_function){.used = true,
                                          .kind = MACHINE_CONVENTIONAL,
                                          .rid = SLUICE_RID(0, 0x14, i == 0 ? 0 : 3)};
        topology_build(&topo);
        for (unsigned i = 0; i < 2; i++) {
            uint8_t *config = model_pci_config(topo.scene.machine->functions[i]);

            model_pci_make_multifunction(topo.scene.machine->functions[i]);
            config[0] = 0x02;
            config[1] = 0x10;
            config[2] = i == 0 ? 0x85 : 0x9d;
            config[3] = 0x43;
        }
        assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_OK);
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(sluice_group_of(topo.scene.sluice, 0,
                                             topo.config.machine.functions[i].rid, &groups[i]),
                             SLUICE_OK);
        assert_int_equal(groups[0] != groups[1], amd);
        topology_finish(&topo);
    }
}

/* Registers of 32 bits: what stands at the usual place is the capability's upper half. */
static void test_wide_registers(void **state)
{
    uint8_t body[8] = {ACS_FULL};
    const uint8_t *config;
    struct node *port, *below;
    uint16_t at;

    (void)state;
    topology_init(&topo);
    port = topology_bridge(&topo, NULL, NODE_ROOT_PORT, 0x1c, 0);
    port->vendor = 0x8086;
    port->product = 0xa110;
    below = topology_add(&topo, port, NODE_ENDPOINT, 0, 0);
    topology_build(&topo);
    at = model_pci_add_extended(port->in_host, 0x0d, body, sizeof(body));
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_OK);
    config = model_pci_config(port->in_host);
    assert_int_equal(config[at + 8], ACS_FULL);
    assert_int_equal(config[at + 6], 0);
    assert_false(together(&topo, port, below));
    topology_finish(&topo);
}

static void test_a_root_port_known_to_isolate(void **state)
{
    struct node *port, *below;

    (void)state;
    topology_init(&topo);
    port = topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0);
    port->vendor = 0x17cb;
    port->product = 0x0400;
    below = topology_add(&topo, port, NODE_ENDPOINT, 0, 0);
    topology_start(&topo);
    assert_false(together(&topo, port, below));
    topology_finish(&topo);
}

/* It takes ownership as a PCIe-to-PCI bridge does, and has no capability that says so. */
static void test_a_bridge_that_hides(void **state)
{
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct node *port, *bridge, *below;
    struct dma_device *as_device_0;
    struct sluice_pages page;
    uint8_t byte = 0;

    (void)state;
    topology_init(&topo);
    port = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0), ACS_FULL);
    bridge = topology_bridge(&topo, port, NODE_CONVENTIONAL, 0, 0);
    bridge->vendor = 0x1b21;
    bridge->product = 0x1080;
    below = topology_add(&topo, bridge, NODE_CONVENTIONAL, 4, 0);
    topology_start(&topo);
    assert_true(together(&topo, bridge, below));
    assert_false(together(&topo, bridge, port));
    as_device_0 = dma_device_create(topo.scene.machine->host, topo.scene.machine->units[0],
                                    SLUICE_RID(bridge->secondary, 0, 0), false);
    device = node_device(&topo, below);
    domain = scene_domain(&topo.scene, SLUICE_DOMAIN_DMA);
    page = scene_page(&topo.scene, 0x77);
    scene_map(domain, SCENE_IOVA, &page);
    assert_int_equal(sluice_domain_attach(domain, device), SLUICE_OK);
    assert_true(dma_device_read(as_device_0, SCENE_IOVA, &byte, 1, NULL));
    scene_forget(device);
    assert_int_equal(sluice_domain_destroy(domain), SLUICE_OK);
    scene_page_free(&topo.scene, page);
    dma_device_destroy(as_device_0);
    topology_finish(&topo);
}

/* ---- virtual functions, hot plug, hosts that see little ---- */

static struct sluice_device *add_virtual(const struct node *physical, uint16_t rid)
{
    const struct sluice_device_config config = {.rid = rid,
                                                .is_virtual_function = true,
                                                .physical_function_rid = node_rid(physical),
                                                .name = "vf"};
    struct sluice_device *device = NULL;

    assert_int_equal(sluice_device_add(topo.scene.sluice, &config, &device), SLUICE_OK);
    return device;
}

static void test_virtual_functions(void **state)
{
    struct sluice_device *first, *second;
    struct node *port, *leaking, *physical, *tied;
    uint64_t a, b;

    (void)state;
    topology_init(&topo);
    port = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0), ACS_FULL);
    physical = topology_add(&topo, port, NODE_ENDPOINT, 0, 0);
    leaking = topology_bridge(&topo, NULL, NODE_ROOT_PORT, 2, 0);
    tied = topology_add(&topo, leaking, NODE_ENDPOINT, 0, 0);
    topology_start(&topo);
    first = add_virtual(physical, (uint16_t)(node_rid(physical) + 0x10));
    second = add_virtual(tied, (uint16_t)(node_rid(tied) + 0x40));
    assert_int_equal(sluice_device_group(first, &a), SLUICE_OK);
    assert_int_not_equal(a, node_group(&topo, physical));
    assert_int_equal(sluice_device_group(second, &b), SLUICE_OK);
    assert_int_equal(b, node_group(&topo, tied));
    assert_int_equal(sluice_device_remove(first), SLUICE_OK);
    assert_int_equal(sluice_device_remove(second), SLUICE_OK);
    topology_finish(&topo);
}

static void test_a_plugged_device_joins(void **state)
{
    struct node *bridge, *a, *b, *port, *c;
    struct sluice_device *devices[2];

    (void)state;
    topology_init(&topo);
    bridge = topology_bridge(&topo, NULL, NODE_TO_PCI, 0x1e, 0);
    a = topology_add(&topo, bridge, NODE_CONVENTIONAL, 1, 0);
    b = topology_add(&topo, bridge, NODE_CONVENTIONAL, 2, 0);
    b->absent = true;
    port = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0), ACS_FULL);
    c = with_acs(topology_add(&topo, port, NODE_ENDPOINT, 0, 0), ACS_FUNCTION);
    c->absent = true;
    topology_start(&topo);
    assert_int_equal(group_size(&topo, a), 2);
    model_pci_plug(b->in_host);
    model_pci_plug(c->in_host);
    devices[0] = node_device(&topo, b);
    assert_int_equal(group_size(&topo, a), 3);
    assert_true(together(&topo, a, b));
    devices[1] = node_device(&topo, c);
    assert_false(together(&topo, a, c));
    assert_int_equal(node_acs_control(c), ACS_FUNCTION);
    assert_int_equal(sluice_device_remove(devices[0]), SLUICE_OK);
    assert_int_equal(sluice_device_remove(devices[1]), SLUICE_OK);
    model_pci_remove(b->in_host);
    assert_int_equal(sluice_group_rescan(topo.scene.sluice), SLUICE_OK);
    assert_int_equal(group_size(&topo, a), 2);
    topology_finish(&topo);
}

static void test_access_control_survives_sleep(void **state)
{
    struct node *port;

    (void)state;
    topology_init(&topo);
    port = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0), ACS_FULL);
    topology_add(&topo, port, NODE_ENDPOINT, 0, 0);
    topology_start(&topo);
    assert_int_equal(sluice_suspend(topo.scene.sluice), SLUICE_OK);
    model_pci_config(port->in_host)[port->acs_at + 6] = 0;
    assert_int_equal(sluice_resume(topo.scene.sluice), SLUICE_OK);
    assert_int_equal(node_acs_control(port), ACS_FULL);
    topology_finish(&topo);
}

/* Configuration space is the devices' word: it may lead nowhere, back up, or twice to one bus. */
static void test_absurd_bridges(void **state)
{
    struct sluice_group_reason reason;
    struct node *a, *b, *loop, *leaf;

    (void)state;
    topology_init(&topo);
    a = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0), ACS_FULL);
    b = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 2, 0), ACS_FULL);
    loop = with_acs(topology_bridge(&topo, a, NODE_DOWNSTREAM, 0, 0), ACS_FULL);
    leaf = topology_add(&topo, b, NODE_ENDPOINT, 0, 0);
    topology_build(&topo);
    model_pci_config(b->in_host)[0x19] = a->secondary;
    model_pci_config(loop->in_host)[0x19] = 0;
    model_pci_config(leaf->in_host)[0x34] = 0x44; /* a list of capabilities that never ends */
    model_pci_config(leaf->in_host)[0x45] = 0x44;
    model_pci_config(leaf->in_host)[0x102] = 0x01;
    model_pci_config(leaf->in_host)[0x103] = 0x10; /* and one of extended ones */
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_OK);
    assert_true(together(&topo, a, b));
    assert_true(together(&topo, a, loop));
    assert_true(reason_for(&topo, b, SLUICE_GROUP_NUMBERING, &reason));
    assert_int_equal(reason.other_rid, node_rid(a));
    topology_finish(&topo);
}

/* Each conventional bridge may put its own ID on a request: eight IDs are kept, a ninth refused. */
static void test_too_many_requester_ids(void **state)
{
    struct sluice_device_config config = {0};
    struct sluice_device *device;
    struct node *bridge = NULL;
    struct node *seventh = NULL, *eighth;

    (void)state;
    topology_init(&topo);
    for (unsigned i = 0; i < 8; i++) {
        if (i == 7)
            seventh = topology_add(&topo, bridge, NODE_CONVENTIONAL, 2, 0);
        bridge = topology_bridge(&topo, bridge, NODE_CONVENTIONAL, 1, 0);
    }
    eighth = topology_add(&topo, bridge, NODE_CONVENTIONAL, 1, 0);
    topology_start(&topo);
    config.rid = node_rid(eighth);
    assert_int_equal(sluice_device_add(topo.scene.sluice, &config, &device), SLUICE_ERR_NO_SPACE);
    assert_true(model_host_logged(topo.scene.machine->host, "more than 8 requester IDs"));
    device = node_device(&topo, seventh);
    assert_int_equal(sluice_device_remove(device), SLUICE_OK);
    topology_finish(&topo);
}

static struct sluice_host_ops blind_ops;

static void be_blind(struct sluice_config *config, void *arg)
{
    (void)arg;
    blind_ops = *config->ops;
    blind_ops.pci_read = NULL;
    blind_ops.pci_write = NULL;
    config->ops = &blind_ops;
}

static void test_without_configuration_space(void **state)
{
    struct sluice_group_reason reason;
    struct sluice_device *a, *b;
    uint64_t group_a, group_b;

    (void)state;
    topology_init(&topo);
    topo.config.configure = be_blind;
    topology_start(&topo);
    a = scene_device(&topo.scene, SLUICE_RID(0, 3, 0));
    b = scene_device(&topo.scene, SLUICE_RID(0, 4, 0));
    assert_int_equal(sluice_device_group(a, &group_a), SLUICE_OK);
    assert_int_equal(sluice_device_group(b, &group_b), SLUICE_OK);
    assert_int_equal(group_a, group_b);
    assert_int_equal(sluice_group_reason(topo.scene.sluice, group_a, 0, &reason), SLUICE_OK);
    assert_int_equal(reason.cause, SLUICE_GROUP_UNSEEN);
    assert_int_equal(sluice_device_remove(a), SLUICE_OK);
    assert_int_equal(sluice_device_remove(b), SLUICE_OK);
    topology_finish(&topo);
}

static void test_questions_without_an_answer(void **state)
{
    struct sluice_group_reason reason;
    struct sluice_group_member member;
    struct sluice_group_info info;
    uint64_t id;

    (void)state;
    topology_init(&topo);
    topology_add(&topo, NULL, NODE_INTEGRATED, 3, 0);
    topology_build(&topo);
    assert_int_equal(sluice_group_count(topo.scene.sluice), 0);
    assert_int_equal(sluice_group_of(topo.scene.sluice, 0, 0x18, &id), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(sluice_group_rescan(topo.scene.sluice), SLUICE_ERR_STATE);
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_group_info(topo.scene.sluice, 0, &info), SLUICE_OK);
    assert_int_equal(info.members, 1);
    assert_int_equal(info.devices, 1);
    assert_int_equal(info.reasons, 0);
    assert_int_equal(sluice_group_info(topo.scene.sluice, 1, &info), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(sluice_group_member(topo.scene.sluice, info.id + 1, 0, &member),
                     SLUICE_ERR_NOT_FOUND);
    assert_int_equal(sluice_group_reason(topo.scene.sluice, info.id, 0, &reason),
                     SLUICE_ERR_NOT_FOUND);
    assert_int_equal(sluice_group_of(topo.scene.sluice, 0, 0x20, &id), SLUICE_ERR_NOT_FOUND);
    topology_finish(&topo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_requester_id),
        cmocka_unit_test(test_wrong_requester_id_is_confined),
        cmocka_unit_test(test_functions_known_to_be_apart),
        cmocka_unit_test(test_a_southbridge_needs_its_iommu),
        cmocka_unit_test(test_wide_registers),
        cmocka_unit_test(test_a_root_port_known_to_isolate),
        cmocka_unit_test(test_a_bridge_that_hides),
        cmocka_unit_test(test_virtual_functions),
        cmocka_unit_test(test_a_plugged_device_joins),
        cmocka_unit_test(test_access_control_survives_sleep),
        cmocka_unit_test(test_too_many_requester_ids),
        cmocka_unit_test(test_absurd_bridges),
        cmocka_unit_test(test_without_configuration_space),
        cmocka_unit_test(test_questions_without_an_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
