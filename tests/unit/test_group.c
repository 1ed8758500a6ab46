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

static struct topology topo;

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
    assert_int_equal(node_acs_control(ports[0]), ACS_FULL);
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
    assert_int_equal(node_acs_control(good), ACS_FULL);
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
    assert_int_equal(node_acs_control(port), SLUICE_ACS_SOURCE_VALIDATION);
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
    assert_int_equal(node_acs_control(f[2]), ACS_FUNCTION);
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
