// SPDX-License-Identifier: MIT
/*
 * What tests of protection share: an instance at a level, on a topology of their own, and what it
 * said was in the way.
 */
#ifndef TESTS_UNIT_PROTECTION_SCENE_H
#define TESTS_UNIT_PROTECTION_SCENE_H

#include "topology.h"

#define OBSTACLE_KINDS (SLUICE_OBSTACLE_INTERRUPTS_IN_USE + 1)

struct told {
    unsigned count[OBSTACLE_KINDS];
    uint16_t rid[OBSTACLE_KINDS];
    char name[OBSTACLE_KINDS][32];
    enum sluice_protection level;
};

extern struct topology topo;
/** What the instance said was in the way since `begin`. */
extern struct told told;

/** Whether the host asks for remapping; `begin` has it ask where the hardware can. */
extern bool wanted_remapping;

/** Notes what is in the way. */
void on_obstacle(void *arg, const struct sluice_obstacle *obstacle);

/** A topology to fill and start, of an instance at this level, with remapping or without. */
void begin(enum sluice_protection level, bool remapping);
bool logged(const char *text);
/** Something at the node that does DMA. */
struct dma_device *dma_of(const struct node *node);
bool reads(struct dma_device *dma, sluice_iova_t iova);

/** Tests of one kind in an array of them, and their being put behind those that run anyway. */
#define TESTS_IN(array) (sizeof(array) / sizeof((array)[0]))
void add_tests(struct CMUnitTest *tests, size_t *at, const struct CMUnitTest *more, size_t count);

#endif
