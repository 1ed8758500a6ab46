// SPDX-License-Identifier: MIT
/*
 * Drivers on the library's DMA API: their memory, and traffic with a disk that says by itself
 * whether every byte came through, and no other.
 */
#ifndef MACHINE_DMA_LAB_H
#define MACHINE_DMA_LAB_H

#include "lab.h"

#define TRAFFIC_LG2   10u /* pages of a traffic's memory: a window of 128 for each in flight */
#define TRAFFIC_PAGES (1u << TRAFFIC_LG2)

/** A machine_dma whose addresses come from the DMA API; shared memory from sluice_dma_alloc. */
struct lab_dma {
    struct machine_dma dma; /* first */
    struct sluice_dma *handle;
};

/** Opens the DMA API for a device; the lab closes it when the scenario ends. */
bool lab_dma_open(struct lab *lab, const struct sluice_dma_config *config, struct lab_dma *out);

struct traffic {
    struct lab *lab;
    struct nvme *nvme;
    struct sluice_dma *dma;
    struct page memory; /* of TRAFFIC_PAGES pages */
    uint32_t seed;
    unsigned commands;
    uint64_t bytes, largest; /* moved in all; in one command */
};

/**
 * Writes to the disk and reads back, several commands at once, of 1 block to 64 pages and at odd
 * places, some of them lists of scattered pages. True when every byte came back, and every byte of
 * the pages that a buffer touches and of the one after them is as it was.
 */
bool traffic_run(struct traffic *traffic, unsigned rounds);

/** Opens a disk's driver on `dma`, runs traffic and tells about it; leaves the disk open. */
bool traffic_with_disk(struct lab *lab, struct lab_dma *dma, struct nvme *nvme, struct page memory,
                       unsigned rounds);

/** The PRP entries of a buffer as the disk sees it; returns how many, 0 when they are too many. */
unsigned prp_of(const struct sluice_dma_chunk *chunks, unsigned count, uint64_t *prp);

#endif
