// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "topology.h"

#define SECOND_ROOT_BUS 0x80u
#define ACS_CONTROL     6u

void topology_init(struct topology *topology)
{
    memset(topology, 0, sizeof(*topology));
    topology->config = scene_defaults();
    for (unsigned i = 0; i < MACHINE_DEVICES_MAX; i++)
        topology->config.machine.functions[i].used = false;
}

struct node *topology_add(struct topology *topology, struct node *above, enum node_type type,
                          unsigned device, unsigned function)
{
    struct node *node = &topology->nodes[topology->count];

    if (topology->count++ == NODES_MAX)
        abort();
    *node = (struct node){.type = type,
                          .above = above,
                          .device = device,
                          .function = function,
                          .vendor = 0x1234,
                          .product = 0x0001,
                          .class_code = 0x0200};
    return node;
}

struct node *topology_bridge(struct topology *topology, struct node *above, enum node_type type,
                             unsigned device, unsigned function)
{
    struct node *node = topology_add(topology, above, type, device, function);

    node->is_bridge = true;
    node->class_code = 0x0604;
    return node;
}

struct node *with_acs(struct node *node, uint16_t capability)
{
    node->has_acs = true;
    node->acs = capability;
    return node;
}

struct node *topology_switch(struct topology *topology, struct node *above)
{
    return topology_bridge(topology, above, NODE_UPSTREAM, 0, 0);
}

/* ---- numbers ---- */

static unsigned root_of(const struct node *node)
{
    while (node->above != NULL)
        node = node->above;
    return node->root;
}

static uint8_t bus_above(const struct node *node)
{
    if (node->above != NULL)
        return node->above->secondary;
    return node->root == 0 ? 0 : SECOND_ROOT_BUS;
}

static bool is_below(const struct node *node, const struct node *bridge)
{
    while (node != NULL && node != bridge)
        node = node->above;
    return node == bridge;
}

/* Nodes come after the bridge they are below; numbers must be depth first all the same. */
static void number_below(struct topology *topology, const struct node *above, unsigned root)
{
    struct node *stack[NODES_MAX];
    unsigned depth = 0;

    for (unsigned i = topology->count; i-- > 0;) {
        struct node *node = &topology->nodes[i];

        if (node->is_bridge && node->above == above && root_of(node) == root)
            stack[depth++] = node;
    }
    while (depth > 0) {
        struct node *bridge = stack[--depth];

        bridge->secondary = topology->next_bus++;
        for (unsigned i = topology->count; i-- > 0;) {
            if (topology->nodes[i].is_bridge && topology->nodes[i].above == bridge)
                stack[depth++] = &topology->nodes[i];
        }
    }
}

static void number_buses(struct topology *topology)
{
    for (unsigned root = 0; root < 2; root++) {
        topology->next_bus = root == 0 ? 1 : SECOND_ROOT_BUS + 1;
        number_below(topology, NULL, root);
    }
    for (unsigned i = 0; i < topology->count; i++) {
        struct node *bridge = &topology->nodes[i];

        bridge->bus = bus_above(bridge);
        bridge->subordinate = bridge->secondary;
        for (unsigned j = 0; j < topology->count; j++) {
            const struct node *node = &topology->nodes[j];

            if (is_below(node, bridge) && node->secondary > bridge->subordinate)
                bridge->subordinate = node->secondary;
        }
    }
}

/* ---- configuration space ---- */

static bool has_siblings(const struct topology *topology, const struct node *node)
{
    for (unsigned i = 0; i < topology->count; i++) {
        const struct node *other = &topology->nodes[i];

        if (other != node && other->bus == node->bus && other->device == node->device)
            return true;
    }
    return false;
}

static void put_function(struct topology *topology, struct node *node)
{
    struct model_pci_function *function = model_pci_add(
        topology->scene.machine->host, 0, node_rid(node), node->vendor, node->product);
    uint8_t *config = model_pci_config(function);

    node->in_host = function;
    if (node->is_bridge)
        model_pci_make_bridge(function, node->secondary, node->subordinate);
    config[0x0a] = (uint8_t)node->class_code;
    config[0x0b] = (uint8_t)(node->class_code >> 8);
    if (has_siblings(topology, node))
        model_pci_make_multifunction(function);
    if (node->type != NODE_CONVENTIONAL)
        model_pci_add_express(function, (uint8_t)node->type);
    if (node->has_acs) {
        node->acs_at = model_pci_add_acs(function, node->acs, node->control);
        model_pci_fix_bits(function, (uint16_t)(node->acs_at + ACS_CONTROL),
                           (uint16_t)(~node->acs | node->stuck));
    }
    if (node->absent)
        model_pci_remove(function);
}

void topology_build(struct topology *topology)
{
    number_buses(topology);
    scene_init(&topology->scene, &topology->config);
    for (unsigned i = 0; i < topology->count; i++)
        put_function(topology, &topology->nodes[i]);
}

void topology_start(struct topology *topology)
{
    topology_build(topology);
    assert_int_equal(sluice_start(topology->scene.sluice), SLUICE_OK);
}

void topology_finish(struct topology *topology)
{
    scene_finish(&topology->scene);
}

/* ---- groups ---- */

uint16_t node_rid(const struct node *node)
{
    return SLUICE_RID(node->bus, node->device, node->function);
}

uint16_t node_acs_control(const struct node *node)
{
    const uint8_t *config = model_pci_config(node->in_host);

    return (uint16_t)(config[node->acs_at + 6] | config[node->acs_at + 7] << 8);
}

uint64_t node_group(struct topology *topology, const struct node *node)
{
    uint64_t id = 0;

    assert_int_equal(sluice_group_of(topology->scene.sluice, 0, node_rid(node), &id), SLUICE_OK);
    return id;
}

bool together(struct topology *topology, const struct node *a, const struct node *b)
{
    return node_group(topology, a) == node_group(topology, b);
}

bool reason_for(struct topology *topology, const struct node *node, enum sluice_group_cause cause,
                struct sluice_group_reason *out)
{
    uint64_t id = node_group(topology, node);

    for (unsigned i = 0; sluice_group_reason(topology->scene.sluice, id, i, out) == SLUICE_OK;
         i++) {
        if (out->cause == cause && out->rid == node_rid(node))
            return true;
    }
    return false;
}

unsigned group_size(struct topology *topology, const struct node *node)
{
    struct sluice_group_member member;
    uint64_t id = node_group(topology, node);
    unsigned size = 0;

    while (sluice_group_member(topology->scene.sluice, id, size, &member) == SLUICE_OK)
        size++;
    return size;
}

struct sluice_device *node_device(struct topology *topology, const struct node *node)
{
    return scene_device(&topology->scene, node_rid(node));
}
