// SPDX-License-Identifier: MIT
/*
 * Root ports whose access control is in registers of their chipset, and devices inside of the root
 * complex: isolated when the registers say so after they were told to, and not before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "topology.h"

#define RCRB       ((sluice_phys_t)0xfed1c000)
#define RCRB_BYTES 0x4000u
#define UPDCR      0x1014u
#define BSPR       0x1104u
#define RCBA       0xf0u
#define MPC_UPPER  0xdau /**< the half with IRBNCE, bit 10 of it */
#define IRBNCE     0x400u
#define NOTHING    UINT32_MAX

static struct topology topo;
static struct node *port, *below;

static struct chipset {
    uint32_t updcr, bspr;
    bool stuck; /**< UPDCR does not take what is written */
    unsigned writes;
} chipset;

static uint64_t chipset_read(void *arg, uint64_t offset, unsigned width)
{
    (void)arg;
    assert_int_equal(width, 4);
    return offset == UPDCR ? chipset.updcr : offset == BSPR ? chipset.bspr : 0;
}

static void chipset_write(void *arg, uint64_t offset, unsigned width, uint64_t value)
{
    (void)arg;
    assert_int_equal(width, 4);
    assert_int_equal(offset, UPDCR);
    chipset.writes++;
    if (!chipset.stuck)
        chipset.updcr = (uint32_t)value;
}

static const struct model_mmio_ops chipset_ops = {.read = chipset_read, .write = chipset_write};

static void keep_acs(struct sluice_config *config, void *arg)
{
    (void)arg;
    config->keep_acs = true;
}

/** A 7 series chipset: a root port with a device below, and the LPC bridge. */
static void build(uint32_t rcba)
{
    struct node *bridge;

    port = topology_bridge(&topo, NULL, NODE_ROOT_PORT, 0x1c, 0);
    port->vendor = 0x8086;
    port->product = 0x1e10;
    below = topology_add(&topo, port, NODE_ENDPOINT, 0, 0);
    bridge = topology_add(&topo, NULL, NODE_CONVENTIONAL, 0x1f, 0);
    bridge->vendor = 0x8086;
    bridge->product = 0x1e44;
    bridge->class_code = 0x0601;
    topology_build(&topo);
    for (unsigned i = 0; i < 4; i++)
        model_pci_config(bridge->in_host)[RCBA + i] = (uint8_t)(rcba >> 8 * i);
    model_host_add_mmio(topo.scene.machine->host, RCRB, RCRB_BYTES, &chipset_ops, NULL);
}

static void begin(uint32_t updcr, uint32_t bspr)
{
    topology_init(&topo);
    chipset = (struct chipset){.updcr = updcr, .bspr = bspr};
}

static bool isolated(void)
{
    return !together(&topo, port, below);
}

static bool checks_requesters(void)
{
    return (model_pci_config(port->in_host)[MPC_UPPER + 1] & IRBNCE >> 8) != 0;
}

static void start(void)
{
    assert_int_equal(sluice_start(topo.scene.sluice), SLUICE_OK);
}

static void test_ports_are_closed(void **state)
{
    (void)state;
    begin(0xabc0003f, 0);
    build((uint32_t)RCRB | 1);
    start();
    assert_true(isolated());
    assert_int_equal(chipset.updcr, 0xabc00000);
    assert_true(checks_requesters());
    topology_finish(&topo);
    assert_int_equal(chipset.updcr, 0xabc00000); /* as ACS, which is left on too */
}

static void test_closed_already(void **state)
{
    (void)state;
    begin(0x3f, 0x300);
    build((uint32_t)RCRB | 1);
    start();
    assert_true(isolated());
    assert_int_equal(chipset.writes, 0);
    topology_finish(&topo);
    begin(0x3f, 0x100); /* non-posted alone is not enough */
    chipset.stuck = true;
    build((uint32_t)RCRB | 1);
    start();
    assert_false(isolated());
    assert_int_equal(chipset.writes, 1);
    assert_true(model_host_logged(topo.scene.machine->host, "reads back as 0x3f"));
    topology_finish(&topo);
}

static void test_registers_that_do_not_answer(void **state)
{
    static const uint32_t rcbas[] = {(uint32_t)RCRB, 1, NOTHING, 0};

    (void)state;
    for (size_t i = 0; i < sizeof(rcbas) / sizeof(rcbas[0]); i++) {
        begin(0, 0x300);
        build(rcbas[i]);
        start();
        assert_false(isolated());
        topology_finish(&topo);
    }
    begin(NOTHING, 0);
    chipset.stuck = true;
    build((uint32_t)RCRB | 1);
    start();
    assert_false(isolated());
    topology_finish(&topo);
    begin(0, NOTHING);
    build((uint32_t)RCRB | 1);
    start();
    assert_false(isolated());
    topology_finish(&topo);
}

/* The port's own part: requests from below carry IDs from below. */
static void test_a_port_that_checks_nobody(void **state)
{
    (void)state;
    begin(0, 0);
    build((uint32_t)RCRB | 1);
    model_pci_fix_bits(port->in_host, MPC_UPPER, IRBNCE);
    start();
    assert_false(isolated());
    topology_finish(&topo);
}

static void test_left_as_it_is(void **state)
{
    (void)state;
    begin(0x3f, 0);
    topo.config.configure = keep_acs;
    build((uint32_t)RCRB | 1);
    start();
    assert_false(isolated());
    assert_int_equal(chipset.writes, 0);
    assert_false(checks_requesters());
    topology_finish(&topo);
}

static void test_sleep_opens_and_resume_closes(void **state)
{
    (void)state;
    begin(0x3f, 0);
    build((uint32_t)RCRB | 1);
    start();
    assert_int_equal(sluice_suspend(topo.scene.sluice), SLUICE_OK);
    chipset.updcr = 0x3f;
    model_pci_config(port->in_host)[MPC_UPPER + 1] = 0;
    assert_int_equal(sluice_resume(topo.scene.sluice), SLUICE_OK);
    assert_int_equal(chipset.updcr, 0);
    assert_true(checks_requesters());
    assert_true(isolated());
    topology_finish(&topo);
}

/* Of another vendor's chipset, or without such ports, the registers are not looked for. */
static void test_other_chipsets(void **state)
{
    (void)state;
    for (unsigned other = 0; other < 2; other++) {
        begin(0x3f, 0);
        build((uint32_t)RCRB | 1);
        if (other == 0)
            model_pci_config(port->in_host)[2] = 0x77;
        else
            model_pci_config(port->in_host)[0] = 0x87;
        start();
        assert_false(isolated());
        assert_int_equal(chipset.writes, 0);
        topology_finish(&topo);
    }
}

static void test_inside_of_the_root_complex(void **state)
{
    (void)state;
    for (unsigned intel = 0; intel < 2; intel++) {
        struct node *one, *two;

        topology_init(&topo);
        one = topology_add(&topo, NULL, NODE_INTEGRATED, 5, 0);
        two = topology_add(&topo, NULL, NODE_INTEGRATED, 5, 1);
        if (intel == 1)
            one->vendor = two->vendor = 0x8086;
        topology_start(&topo);
        assert_int_equal(together(&topo, one, two), intel == 0);
        topology_finish(&topo);
    }
}

/* A switch's port of Zhaoxin's: the row is for ports of both kinds. */
static void test_a_switch_port_known_to_isolate(void **state)
{
    (void)state;
    for (unsigned known = 0; known < 2; known++) {
        struct node *root, *switch_top, *down;

        topology_init(&topo);
        root = with_acs(topology_bridge(&topo, NULL, NODE_ROOT_PORT, 1, 0), ACS_FULL);
        switch_top = topology_switch(&topo, root);
        down = topology_bridge(&topo, switch_top, NODE_DOWNSTREAM, 0, 0);
        down->vendor = 0x1d17;
        down->product = known == 1 ? 0x0752 : 0x0753;
        below = topology_add(&topo, down, NODE_ENDPOINT, 0, 0);
        topology_start(&topo);
        assert_int_equal(together(&topo, down, below), known == 0);
        topology_finish(&topo);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports_are_closed),
        cmocka_unit_test(test_closed_already),
        cmocka_unit_test(test_registers_that_do_not_answer),
        cmocka_unit_test(test_a_port_that_checks_nobody),
        cmocka_unit_test(test_left_as_it_is),
        cmocka_unit_test(test_sleep_opens_and_resume_closes),
        cmocka_unit_test(test_other_chipsets),
        cmocka_unit_test(test_inside_of_the_root_complex),
        cmocka_unit_test(test_a_switch_port_known_to_isolate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
