// SPDX-License-Identifier: MIT
/*
 * A tree of PCI functions, built node by node, numbered depth first and put into a simulated
 * host's configuration space; and a started instance that looks at it.
 */
#ifndef TESTS_UNIT_TOPOLOGY_H
#define TESTS_UNIT_TOPOLOGY_H

#include "scene.h"

/* Device/port types [PCIe 7.5.3.2]. */
enum node_type {
    NODE_ENDPOINT = 0x0,
    NODE_ROOT_PORT = 0x4,
    NODE_UPSTREAM = 0x5,
    NODE_DOWNSTREAM = 0x6,
    NODE_TO_PCI = 0x7,
    NODE_INTEGRATED = 0x9,
    NODE_CONVENTIONAL = 0xff, /**< a function, or with below_bridge a bridge, without PCIe */
};

#define NODES_MAX 96u

/** Every bit that isolates, as a port or function that does it all has them. */
#define ACS_FULL                                                                                   \
    ((uint16_t)(SLUICE_ACS_SOURCE_VALIDATION | SLUICE_ACS_REQUEST_REDIRECT |                       \
                SLUICE_ACS_COMPLETION_REDIRECT | SLUICE_ACS_UPSTREAM_FORWARDING))
#define ACS_FUNCTION ((uint16_t)(SLUICE_ACS_REQUEST_REDIRECT | SLUICE_ACS_COMPLETION_REDIRECT))

struct node {
    enum node_type type;
    bool is_bridge;
    struct node *above; /**< the bridge it is below, NULL on a root bus */
    unsigned root;      /**< which root bus, where above is NULL */
    unsigned device, function;
    bool has_acs;
    uint16_t acs, stuck; /**< capability; control bits that stay as they are */
    uint16_t control;    /**< as firmware left it */
    uint16_t vendor, product, class_code;
    bool absent; /**< unplugged at first */

    /* Given by topology_build. */
    uint8_t bus;
    uint8_t secondary, subordinate;
    uint16_t acs_at;
    struct model_pci_function *in_host;
};

struct topology {
    struct scene scene;
    struct node nodes[NODES_MAX];
    unsigned count;
    uint8_t next_bus;
    struct scene_config config; /**< may be changed before topology_start */
};

void topology_init(struct topology *topology);
/** A function; its fields may be changed until topology_start. Aborts when there are too many. */
struct node *topology_add(struct topology *topology, struct node *above, enum node_type type,
                          unsigned device, unsigned function);
/** A bridge of this type. */
struct node *topology_bridge(struct topology *topology, struct node *above, enum node_type type,
                             unsigned device, unsigned function);
/** Gives a node access control that can do `capability` and is off. Returns the node. */
struct node *with_acs(struct node *node, uint16_t capability);
/** An upstream port below `above`, a switch's. */
struct node *topology_switch(struct topology *topology, struct node *above);

/** Numbers buses, fills configuration space and creates the instance. */
void topology_build(struct topology *topology);
/** The same, and starts it. */
void topology_start(struct topology *topology);
void topology_finish(struct topology *topology);

uint16_t node_rid(const struct node *node);
/** Its access control register, as it is now. */
uint16_t node_acs_control(const struct node *node);
/** The group a node is in; fails the test when it is in none. */
uint64_t node_group(struct topology *topology, const struct node *node);
bool together(struct topology *topology, const struct node *a, const struct node *b);
/** The reason of this cause that names the node; false when there is none. */
bool reason_for(struct topology *topology, const struct node *node, enum sluice_group_cause cause,
                struct sluice_group_reason *out);
unsigned group_size(struct topology *topology, const struct node *node);
/** The device of a node, added to the instance. */
struct sluice_device *node_device(struct topology *topology, const struct node *node);

#endif
