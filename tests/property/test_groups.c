// SPDX-License-Identifier: MIT
/*
 * Groups of random topologies against an oracle that knows neither buses nor groups: it lets every
 * function, and whoever might be plugged in below a port, send a request, and follows it from
 * bridge to bridge through the tree that the topology was made from. Who can be reached before the
 * root complex, or uses somebody's ID, is related; related in any number of steps is one group.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rounds.h"
#include "topology.h"

#define ROUNDS 120u

static struct topology topo;
static bool related[NODES_MAX][NODES_MAX];
static uint64_t state_of_random;

static unsigned draw(unsigned below)
{
    state_of_random = state_of_random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((state_of_random >> 33) % below);
}

/* ---- making a tree ---- */

static void give_acs(struct node *node)
{
    static const uint16_t kinds[] = {ACS_FULL,
                                     ACS_FULL,
                                     ACS_FULL | SLUICE_ACS_DIRECT_TRANSLATED,
                                     ACS_FUNCTION,
                                     SLUICE_ACS_SOURCE_VALIDATION,
                                     0};

    if (draw(4) == 0)
        return;
    with_acs(node, kinds[draw(6)]);
    if (draw(6) == 0)
        node->stuck = (uint16_t)(1u << draw(7));
    if (draw(3) == 0)
        node->control = (uint16_t)(node->acs & (unsigned)draw(128));
}

static struct node *put(struct node *above, enum node_type type, bool bridge, unsigned device,
                        unsigned function)
{
    struct node *node;

    if (topo.count + 1 >= NODES_MAX)
        return NULL;
    node = bridge ? topology_bridge(&topo, above, type, device, function)
                  : topology_add(&topo, above, type, device, function);
    give_acs(node);
    if (!bridge && draw(12) == 0) {
        node->vendor = 0x1b4b; /* sends as function 1 */
        node->product = 0x9128;
    }
    if (!bridge && draw(12) == 0)
        node->class_code = 0x0600;
    return node;
}

static void fill_link(struct node *port)
{
    unsigned functions = draw(3) == 0 ? 1 + draw(3) : 1;

    switch (draw(5)) {
    case 0: /* nothing plugged in */
        break;
    case 1:
        put(port, NODE_UPSTREAM, true, 0, 0);
        if (draw(4) == 0)
            put(port, NODE_ENDPOINT, false, 0, 1);
        break;
    case 2:
        put(port, NODE_TO_PCI, true, 0, 0);
        break;
    default:
        for (unsigned i = 0; i < functions; i++)
            put(port, NODE_ENDPOINT, false, 0, i);
    }
}

static void fill_below(struct node *bridge)
{
    unsigned devices = 1 + draw(3);

    switch (bridge->type) {
    case NODE_ROOT_PORT:
    case NODE_DOWNSTREAM:
        fill_link(bridge);
        break;
    case NODE_UPSTREAM:
        for (unsigned i = 0; i < devices; i++)
            put(bridge, NODE_DOWNSTREAM, true, draw(2) == 0 ? i : 0, draw(2) == 0 ? 0 : i);
        break;
    default:
        for (unsigned i = 0; i < devices; i++)
            put(bridge, NODE_CONVENTIONAL, draw(4) == 0, i, 0);
    }
}

static bool place_taken(const struct node *node)
{
    for (const struct node *other = topo.nodes; other != node; other++) {
        if (other->above == node->above && other->device == node->device &&
            other->function == node->function && other->root == node->root)
            return true;
    }
    return false;
}

static bool has_function_0(const struct node *node)
{
    for (unsigned i = 0; i < topo.count; i++) {
        const struct node *other = &topo.nodes[i];

        if (other->above == node->above && other->root == node->root &&
            other->device == node->device && other->function == 0)
            return true;
    }
    return false;
}

static void fill_root(unsigned root)
{
    unsigned devices = 1 + draw(5);

    for (unsigned i = 0; i < devices; i++) {
        unsigned functions = draw(2) == 0 ? 1 + draw(3) : 1;

        for (unsigned j = 0; j < functions; j++) {
            struct node *node;

            if (draw(3) != 0)
                node = put(NULL, NODE_ROOT_PORT, true, i, j);
            else if (draw(4) == 0)
                node = put(NULL, NODE_TO_PCI, true, i, j);
            else
                node = put(NULL, draw(2) == 0 ? NODE_INTEGRATED : NODE_CONVENTIONAL, false, i, j);
            if (node != NULL)
                node->root = root;
        }
    }
}

static void make_tree(void)
{
    unsigned done = 0;
    unsigned limit = 30 + draw(40);

    topology_init(&topo);
    fill_root(0);
    if (draw(3) == 0)
        fill_root(1);
    for (; done < topo.count && topo.count < limit; done++) {
        if (topo.nodes[done].is_bridge)
            fill_below(&topo.nodes[done]);
    }
    /* Drawn twice for one place: the later one goes elsewhere on its bus. */
    for (unsigned i = 0; i < topo.count; i++) {
        while (place_taken(&topo.nodes[i]))
            topo.nodes[i].device++;
    }
    /* A device without function 0 is not found. */
    for (unsigned i = 0; i < topo.count; i++) {
        if (!has_function_0(&topo.nodes[i]))
            topo.nodes[i].function = 0;
    }
}

/* ---- the oracle ---- */

static unsigned number(const struct node *node)
{
    return (unsigned)(node - topo.nodes);
}

static void relate(const struct node *a, const struct node *b)
{
    related[number(a)][number(b)] = true;
    related[number(b)][number(a)] = true;
}

static bool inside(const struct node *node, const struct node *bridge)
{
    for (; node != NULL; node = node->above) {
        if (node == bridge)
            return true;
    }
    return false;
}

/* A request with an address that only `sender` chooses arrives at `bridge` from above. */
static void flood(const struct node *sender, const struct node *bridge)
{
    for (unsigned i = 0; i < topo.count; i++) {
        if (inside(&topo.nodes[i], bridge))
            relate(sender, &topo.nodes[i]);
    }
}

static bool is_port(const struct node *node)
{
    return node->type == NODE_ROOT_PORT || node->type == NODE_DOWNSTREAM;
}

static bool siblings(const struct node *a, const struct node *b)
{
    if (a == b || a->above != b->above || (a->above == NULL && a->root != b->root))
        return false;
    return a->device == b->device || (a->above != NULL && is_port(a->above));
}

static uint16_t turned_on(const struct node *node)
{
    uint16_t wanted = (uint16_t)((node->control | (node->acs & ACS_FULL)) &
                                 ~(unsigned)SLUICE_ACS_DIRECT_TRANSLATED);

    return (uint16_t)((wanted & node->acs & ~(unsigned)node->stuck) |
                      (node->control & (node->stuck | ~(unsigned)node->acs)));
}

/* Whether everything that comes up through a port goes on up, from who it says. */
static bool sends_all_up(const struct node *port)
{
    uint16_t needs = port->type == NODE_DOWNSTREAM
                         ? ACS_FULL
                         : (uint16_t)((port->acs & ACS_FULL) | SLUICE_ACS_SOURCE_VALIDATION);

    return port->has_acs && (turned_on(port) & needs) == needs &&
           (turned_on(port) & SLUICE_ACS_DIRECT_TRANSLATED) == 0;
}

/* Whether a function cannot be told to send to its siblings. */
static bool keeps_to_itself(const struct node *node)
{
    uint16_t needs = node->acs & ACS_FULL;

    if (is_port(node))
        return sends_all_up(node);
    if (node->type == NODE_CONVENTIONAL || node->type == NODE_TO_PCI)
        return false;
    return node->has_acs && (turned_on(node) & needs) == needs &&
           (turned_on(node) & SLUICE_ACS_DIRECT_TRANSLATED) == 0;
}

static bool is_host_bridge(const struct node *node)
{
    return node->class_code == 0x0600;
}

/* What `through` lets across to its siblings, for a request of `sender`. */
static void cross(const struct node *sender, const struct node *through)
{
    if (keeps_to_itself(through))
        return;
    for (unsigned i = 0; i < topo.count; i++) {
        const struct node *sibling = &topo.nodes[i];

        if (!siblings(through, sibling))
            continue;
        if (!is_host_bridge(through))
            flood(sender, sibling);
        else if (is_host_bridge(sibling) && !keeps_to_itself(sibling))
            relate(sender, sibling); /* nobody knows, so they stay together */
    }
}

/* A request of `sender` (or of who is below it) climbs until somebody sends it to the root. */
static void climb(const struct node *sender)
{
    cross(sender, sender);
    for (const struct node *bridge = sender->above; bridge != NULL; bridge = bridge->above) {
        if (is_port(bridge)) {
            if (!sends_all_up(bridge)) {
                flood(sender, bridge);
                if (bridge->type == NODE_DOWNSTREAM && bridge->above != NULL)
                    flood(sender, bridge->above);
                cross(sender, bridge);
            } else if (bridge->type == NODE_ROOT_PORT) {
                return;
            }
        } else if (bridge->type == NODE_UPSTREAM) {
            cross(sender, bridge);
        } else {
            flood(sender, bridge); /* one bus, and the bridge's ID on everything */
            cross(sender, bridge);
        }
    }
}

/* A port of a switch that leaks does so for whatever is plugged in later. */
static void leak(const struct node *port)
{
    if (!is_port(port) || sends_all_up(port))
        return;
    flood(port, port);
    if (port->type == NODE_DOWNSTREAM && port->above != NULL)
        flood(port, port->above);
}

static void borrow_id(const struct node *node)
{
    for (unsigned i = 0; i < topo.count && node->vendor == 0x1b4b; i++) {
        const struct node *other = &topo.nodes[i];
        bool same_slot = other->above == node->above && other->device == node->device &&
                         other->root == node->root;

        if (same_slot && (other->function == 1 || other->vendor == 0x1b4b))
            relate(node, other);
    }
}

static void close_relation(void)
{
    for (unsigned k = 0; k < topo.count; k++) {
        for (unsigned i = 0; i < topo.count; i++) {
            for (unsigned j = 0; related[i][k] && j < topo.count; j++)
                related[i][j] = related[i][j] || related[k][j];
        }
    }
}

static void ask_the_oracle(void)
{
    memset(related, 0, sizeof(related));
    for (unsigned i = 0; i < topo.count; i++) {
        related[i][i] = true;
        climb(&topo.nodes[i]);
        leak(&topo.nodes[i]);
        borrow_id(&topo.nodes[i]);
    }
    close_relation();
}

/* ---- comparing ---- */

static void check_reasons(void)
{
    struct sluice_group_reason reason;
    struct sluice_group_info info;
    char text[256];

    for (unsigned i = 0; sluice_group_info(topo.scene.sluice, i, &info) == SLUICE_OK; i++) {
        assert_int_equal(info.members > 1, info.reasons > 0);
        for (unsigned j = 0; j < info.reasons; j++) {
            uint64_t of_culprit;

            assert_int_equal(sluice_group_reason(topo.scene.sluice, info.id, j, &reason),
                             SLUICE_OK);
            assert_int_equal(sluice_group_of(topo.scene.sluice, 0, reason.rid, &of_culprit),
                             SLUICE_OK);
            assert_int_equal(of_culprit, info.id);
            assert_true(sluice_group_reason_text(&reason, text, sizeof(text)) < sizeof(text));
            if (reason.cause == SLUICE_GROUP_PORT || reason.cause == SLUICE_GROUP_FUNCTION)
                assert_int_not_equal(reason.lacks, 0);
        }
    }
}

static void compare(uint64_t seed)
{
    for (unsigned i = 0; i < topo.count; i++) {
        for (unsigned j = i + 1; j < topo.count; j++) {
            const struct node *a = &topo.nodes[i], *b = &topo.nodes[j];
            bool found = together(&topo, a, b);

            if (found == related[i][j])
                continue;
            print_message("seed %llu: %04x and %04x: %s, the oracle says %s\n",
                          (unsigned long long)seed, node_rid(a), node_rid(b),
                          found ? "together" : "apart", related[i][j] ? "together" : "apart");
            fail();
        }
    }
}

static void test_random_topologies(void **state)
{
    uint64_t seed = test_seed(1);
    unsigned rounds = test_scaled(ROUNDS);
    unsigned apart = 0, alone = 0, nodes = 0;

    (void)state;
    for (unsigned round = 0; round < rounds; round++, seed++) {
        state_of_random = seed * 0x9e3779b97f4a7c15u;
        make_tree();
        topology_start(&topo);
        ask_the_oracle();
        compare(seed);
        check_reasons();
        nodes += topo.count;
        alone += sluice_group_count(topo.scene.sluice);
        apart += sluice_group_count(topo.scene.sluice) > 1;
        topology_finish(&topo);
    }
    print_message("%u topologies, %u functions in %u groups\n", rounds, nodes, alone);
    /* A generator that makes one kind of tree proves nothing. */
    assert_true(apart > rounds / 2 && alone > nodes / 8 && alone < nodes - nodes / 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_topologies)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
