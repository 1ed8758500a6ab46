// SPDX-License-Identifier: MIT
/*
 * Isolation groups of topologies that exist, built in a simulated host's configuration space.
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

static uint16_t acs_control(const struct node *node)
{
    const uint8_t *config = model_pci_config(node->in_host);

    return (uint16_t)(config[node->acs_at + 6] | config[node->acs_at + 7] << 8);
}

/* ---- root ports ---- */

static void test_isolating_ports_make_groups_of_one(void **state)
{
    struct node *ports[2], *below[2];

    (void)state;
    topology_init(&topo);
    for (unsigned i = 0; i < 2; i++) {
        ports[i] = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 0x1c, i), ACS_FULL | 2u);
        below[i] = topology_add(&topo, ports[i], NODE_ENDPOINT, 0, 0);
    }
    topology_start(&topo);
    assert_false(together(&topo, below[0], below[1]));
    assert_false(together(&topo, below[0], ports[0]));
    assert_false(together(&topo, ports[0], ports[1]));
    assert_int_equal(group_size(&topo, below[0]), 1);
    /* It was off: Sluice turned it on, and nothing more. */
    assert_int_equal(acs_control(ports[0]), ACS_FULL);
    assert_int_equal(sluice_group_count(topo.scene.sluice), 4);
    topology_finish(&topo);
}

static void test_a_port_without_acs_ties_what_is_below(void **state)
{
    struct sluice_group_reason reason;
    struct node *port, *other, *a, *b;
    char text[256];

    (void)state;
    topology_init(&topo);
    port = topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0);
    other = topology_bridge(&topo, NULL, NODE_ROOT_PORT, 2, 0);
    a = topology_add(&topo, port, NODE_ENDPOINT, 0, 0);
    b = topology_add(&topo, other, NODE_ENDPOINT, 0, 0);
    topology_start(&topo);
    assert_true(together(&topo, port, a));
    /* Between two devices on the root bus is the root complex. */
    assert_false(together(&topo, a, b));
    assert_true(reason_for(&topo, port, SLUICE_GROUP_PORT, &reason));
    assert_true((reason.lacks & SLUICE_ACS_NONE) != 0);
    assert_true(sluice_group_reason_text(&reason, text, sizeof(text)) < sizeof(text));
    assert_non_null(strstr(text, "0000:00:01.0"));
    assert_non_null(strstr(text, "no access control"));
    topology_finish(&topo);
}

static void test_each_bit_counts(void **state)
{
    static const uint16_t bits[] = {SLUICE_ACS_SOURCE_VALIDATION, SLUICE_ACS_REQUEST_REDIRECT,
                                    SLUICE_ACS_COMPLETION_REDIRECT, SLUICE_ACS_UPSTREAM_FORWARDING};

    (void)state;
    for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        struct sluice_group_reason reason;
        struct node *port, *below;

        /* It has the bit and cannot turn it on. */
        topology_init(&topo);
        port = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0), ACS_FULL);
        port->stuck = bits[i];
        below = topology_add(&topo, port, NODE_ENDPOINT, 0, 0);
        topology_start(&topo);
        assert_true(together(&topo, port, below));
        assert_true(reason_for(&topo, port, SLUICE_GROUP_PORT, &reason));
        assert_int_equal(reason.lacks, bits[i]);
        assert_true(reason.refused);
        assert_true(model_host_logged(topo.scene.machine->host, "reads back as"));
        topology_finish(&topo);
    }
}

static void test_direct_translated_requests_are_turned_off(void **state)
{
    struct sluice_group_reason reason;
    struct node *good, *bad, *below;

    (void)state;
    topology_init(&topo);
    good = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0),
                    ACS_FULL | SLUICE_ACS_DIRECT_TRANSLATED);
    good->control = SLUICE_ACS_DIRECT_TRANSLATED;
    topology_add(&topo, good, NODE_ENDPOINT, 0, 0);
    bad = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 2, 0),
                   ACS_FULL | SLUICE_ACS_DIRECT_TRANSLATED);
    bad->control = SLUICE_ACS_DIRECT_TRANSLATED;
    bad->stuck = SLUICE_ACS_DIRECT_TRANSLATED;
    below = topology_add(&topo, bad, NODE_ENDPOINT, 0, 0);
    topology_start(&topo);
    assert_int_equal(acs_control(good), ACS_FULL);
    assert_true(together(&topo, bad, below));
    assert_true(reason_for(&topo, bad, SLUICE_GROUP_PORT, &reason));
    assert_int_equal(reason.lacks, SLUICE_ACS_DIRECT_TRANSLATED);
    topology_finish(&topo);
}

static void keep_acs(struct sluice_config *config, void *arg)
{
    (void)arg;
    config->keep_acs = true;
}

static void test_access_control_can_be_left_alone(void **state)
{
    struct sluice_group_reason reason;
    struct node *port, *below;

    (void)state;
    topology_init(&topo);
    topo.config.configure = keep_acs;
    port = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0), ACS_FULL);
    port->control = SLUICE_ACS_SOURCE_VALIDATION;
    below = topology_add(&topo, port, NODE_ENDPOINT, 0, 0);
    topology_start(&topo);
    assert_int_equal(acs_control(port), SLUICE_ACS_SOURCE_VALIDATION);
    assert_true(together(&topo, port, below));
    assert_true(reason_for(&topo, port, SLUICE_GROUP_PORT, &reason));
    assert_int_equal(reason.lacks, ACS_FULL & ~SLUICE_ACS_SOURCE_VALIDATION);
    assert_false(reason.refused);
    topology_finish(&topo);
}

/* A root port that does not pass anything on to others has nothing to redirect. */
static void test_a_root_port_may_lack_what_it_need_not_have(void **state)
{
    struct node *port, *below;

    (void)state;
    topology_init(&topo);
    port =
        with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0), SLUICE_ACS_SOURCE_VALIDATION);
    below = topology_add(&topo, port, NODE_ENDPOINT, 0, 0);
    topology_start(&topo);
    assert_false(together(&topo, port, below));
    topology_finish(&topo);
}

/* ---- switches ---- */

struct switch_below {
    struct node *root, *up, *down[2], *leaf[2];
};

static void add_switch(struct switch_below *sw, uint16_t first, uint16_t second)
{
    sw->root = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0), ACS_FULL);
    sw->up = topology_switch(&topo, sw->root);
    for (unsigned i = 0; i < 2; i++) {
        sw->down[i] = topology_bridge(&topo, sw->up, NODE_DOWNSTREAM, i, 0);
        if ((i == 0 ? first : second) != 0)
            with_acs(sw->down[i], i == 0 ? first : second);
        sw->leaf[i] = topology_add(&topo, sw->down[i], NODE_ENDPOINT, 0, 0);
    }
}

static void test_a_switch_with_acs(void **state)
{
    struct switch_below sw;

    (void)state;
    topology_init(&topo);
    add_switch(&sw, ACS_FULL, ACS_FULL);
    topology_start(&topo);
    assert_int_equal(sluice_group_count(topo.scene.sluice), 6);
    topology_finish(&topo);
}

static void test_a_switch_without_acs(void **state)
{
    struct sluice_group_reason reason;
    struct switch_below sw;

    (void)state;
    topology_init(&topo);
    add_switch(&sw, 0, 0);
    topology_start(&topo);
    assert_int_equal(sluice_group_count(topo.scene.sluice), 2);
    assert_int_equal(group_size(&topo, sw.up), 5);
    assert_false(together(&topo, sw.root, sw.up));
    assert_true(reason_for(&topo, sw.down[0], SLUICE_GROUP_PORT, &reason));
    assert_true(reason_for(&topo, sw.down[1], SLUICE_GROUP_PORT, &reason));
    topology_finish(&topo);
}

/* What is below the port that lacks it reaches what is below the one that does not. */
static void test_a_switch_with_one_leaking_port(void **state)
{
    struct sluice_group_reason reason;
    struct switch_below sw;

    (void)state;
    topology_init(&topo);
    add_switch(&sw, ACS_FULL & ~SLUICE_ACS_REQUEST_REDIRECT, ACS_FULL);
    topology_start(&topo);
    assert_true(together(&topo, sw.leaf[0], sw.leaf[1]));
    assert_true(reason_for(&topo, sw.down[0], SLUICE_GROUP_PORT, &reason));
    assert_int_equal(reason.lacks, SLUICE_ACS_REQUEST_REDIRECT);
    assert_false(reason_for(&topo, sw.down[1], SLUICE_GROUP_PORT, &reason));
    topology_finish(&topo);
}

static void test_a_leaking_root_port_undoes_a_good_switch(void **state)
{
    struct switch_below sw;

    (void)state;
    topology_init(&topo);
    add_switch(&sw, ACS_FULL, ACS_FULL);
    sw.root->has_acs = false;
    topology_start(&topo);
    assert_int_equal(sluice_group_count(topo.scene.sluice), 1);
    topology_finish(&topo);
}

/* ---- functions of one device ---- */

static void test_functions_without_acs(void **state)
{
    struct sluice_group_reason reason;
    struct node *f[3];

    (void)state;
    topology_init(&topo);
    for (unsigned i = 0; i < 3; i++)
        f[i] = topology_add(&topo, NULL, NODE_INTEGRATED, 0x1f, i);
    with_acs(f[2], ACS_FUNCTION);
    topology_start(&topo);
    assert_true(together(&topo, f[0], f[1]));
    /* Nobody keeps 1f.0 from sending to 1f.2. */
    assert_true(together(&topo, f[0], f[2]));
    assert_true(reason_for(&topo, f[0], SLUICE_GROUP_FUNCTION, &reason));
    assert_false(reason_for(&topo, f[2], SLUICE_GROUP_FUNCTION, &reason));
    assert_int_equal(acs_control(f[2]), ACS_FUNCTION);
    topology_finish(&topo);
}

static void test_functions_with_acs(void **state)
{
    struct node *port, *f[4];

    (void)state;
    topology_init(&topo);
    port = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0), ACS_FULL);
    for (unsigned i = 0; i < 4; i++)
        f[i] = with_acs(topology_add(&topo, port, NODE_ENDPOINT, 0, i), i < 2 ? ACS_FUNCTION : 0);
    topology_start(&topo);
    /* A capability without a bit says that the function does not reach its siblings. */
    assert_int_equal(sluice_group_count(topo.scene.sluice), 5);
    assert_false(together(&topo, f[0], f[3]));
    topology_finish(&topo);
}

/* On a link there is one device, whatever its functions' numbers [PCIe 6.13]. */
static void test_functions_with_many_numbers(void **state)
{
    struct node *port, *a, *b;

    (void)state;
    topology_init(&topo);
    port = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0), ACS_FULL);
    a = topology_add(&topo, port, NODE_ENDPOINT, 0, 0);
    b = topology_add(&topo, port, NODE_ENDPOINT, 4, 0);
    topology_start(&topo);
    assert_true(together(&topo, a, b));
    assert_false(together(&topo, a, port));
    topology_finish(&topo);
}

/* A host bridge stands beside root ports and sends nothing. */
static void test_a_host_bridge_spoils_nothing(void **state)
{
    struct node *host, *port, *below;

    (void)state;
    topology_init(&topo);
    host = topology_add(&topo, NULL, NODE_CONVENTIONAL, 1, 0);
    host->class_code = 0x0600;
    port = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 1), ACS_FULL);
    below = topology_add(&topo, port, NODE_ENDPOINT, 0, 0);
    topology_start(&topo);
    assert_false(together(&topo, host, port));
    assert_false(together(&topo, port, below));
    topology_finish(&topo);
}

static void test_ports_of_one_device_without_acs(void **state)
{
    (void)state;
    topology_init(&topo);
    for (unsigned i = 0; i < 2; i++)
        topology_add(&topo, topology_bridge(&topo, NULL, NODE_ROOT_PORT, 0x1c, i), NODE_ENDPOINT, 0,
                     0);
    topology_start(&topo);
    assert_int_equal(sluice_group_count(topo.scene.sluice), 1);
    topology_finish(&topo);
}

static void test_devices_on_the_root_bus(void **state)
{
    struct node *a, *b, *c;

    (void)state;
    topology_init(&topo);
    a = topology_add(&topo, NULL, NODE_INTEGRATED, 2, 0);
    b = topology_add(&topo, NULL, NODE_CONVENTIONAL, 3, 0);
    c = topology_add(&topo, NULL, NODE_INTEGRATED, 4, 0);
    c->root = 1; /* of a second root bus */
    topology_start(&topo);
    assert_int_equal(sluice_group_count(topo.scene.sluice), 3);
    assert_int_equal(node_rid(c) >> 8, 0x80);
    assert_false(together(&topo, a, b));
    topology_finish(&topo);
}

/* ---- conventional PCI ---- */

static void test_behind_a_conventional_bridge(void **state)
{
    struct sluice_group_reason reason;
    struct node *bridge, *inner, *a, *b, *c;
    char text[256];

    (void)state;
    topology_init(&topo);
    bridge = topology_bridge(&topo, NULL, NODE_TO_PCI, 0x1e, 0);
    a = topology_add(&topo, bridge, NODE_CONVENTIONAL, 1, 0);
    b = topology_add(&topo, bridge, NODE_CONVENTIONAL, 2, 0);
    inner = topology_bridge(&topo, bridge, NODE_CONVENTIONAL, 3, 0);
    c = topology_add(&topo, inner, NODE_CONVENTIONAL, 5, 0);
    topology_start(&topo);
    assert_int_equal(sluice_group_count(topo.scene.sluice), 1);
    assert_true(together(&topo, a, b) && together(&topo, a, c));
    assert_true(reason_for(&topo, bridge, SLUICE_GROUP_BRIDGE, &reason));
    assert_true(reason_for(&topo, inner, SLUICE_GROUP_BRIDGE, &reason));
    (void)sluice_group_reason_text(&reason, text, sizeof(text));
    assert_non_null(strstr(text, "conventional PCI"));
    topology_finish(&topo);
}

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
    assert_int_equal(acs_control(c), ACS_FUNCTION);
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
    assert_int_equal(acs_control(port), ACS_FULL);
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
        cmocka_unit_test(test_isolating_ports_make_groups_of_one),
        cmocka_unit_test(test_a_port_without_acs_ties_what_is_below),
        cmocka_unit_test(test_each_bit_counts),
        cmocka_unit_test(test_direct_translated_requests_are_turned_off),
        cmocka_unit_test(test_access_control_can_be_left_alone),
        cmocka_unit_test(test_a_root_port_may_lack_what_it_need_not_have),
        cmocka_unit_test(test_a_switch_with_acs),
        cmocka_unit_test(test_a_switch_without_acs),
        cmocka_unit_test(test_a_switch_with_one_leaking_port),
        cmocka_unit_test(test_a_leaking_root_port_undoes_a_good_switch),
        cmocka_unit_test(test_functions_without_acs),
        cmocka_unit_test(test_functions_with_acs),
        cmocka_unit_test(test_functions_with_many_numbers),
        cmocka_unit_test(test_a_host_bridge_spoils_nothing),
        cmocka_unit_test(test_ports_of_one_device_without_acs),
        cmocka_unit_test(test_devices_on_the_root_bus),
        cmocka_unit_test(test_behind_a_conventional_bridge),
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
        cmocka_unit_test(test_absurd_bridges),
        cmocka_unit_test(test_without_configuration_space),
        cmocka_unit_test(test_questions_without_an_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
