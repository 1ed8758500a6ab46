// SPDX-License-Identifier: MIT
/*
 * Honest work that goes on while another device misbehaves: a disk that stores pages and brings
 * them back through the DMA API, each of them looked at, counted and timed.
 */
#ifndef MACHINE_LOAD_H
#define MACHINE_LOAD_H

#include "dma_lab.h"

#define LOAD_SAMPLES 512u
/*
 * How much longer an operation may take under attack, of the middle of all. An emulated disk waits
 * for the machine that emulates it: now 15 us, now 200, whatever the guest does.
 */
#define LOAD_NOISE    8u
#define LOAD_FLOOR_NS 200000u

enum load_when {
    LOAD_CALM,
    LOAD_ATTACKED,
    LOAD_WHENS
};

struct load {
    struct lab *lab;
    struct nvme nvme;
    struct lab_dma dma;
    struct sluice_device *device;
    struct page page; /* both directions' buffer */
    sluice_iova_t last_address;
    uint32_t seed;
    unsigned started, right; /* operations; those that the disk did as asked */
    unsigned samples[LOAD_WHENS];
    uint64_t took_ns[LOAD_WHENS][LOAD_SAMPLES];
};

/** Puts the disk into a domain of its own and starts its driver; false: skipped, or a check failed.
 */
bool load_open(struct lab *lab, struct load *load);
void load_close(struct load *load);

/** Stores so many pages and brings each back: two operations a page. */
bool load_run(struct load *load, enum load_when when, unsigned pages);
/** The same until the device is not busy any more, once at least. */
bool load_beside(struct load *load, const struct edu *edu);

/** States that no operation was lost, and that none took much longer under attack. */
void load_judge(struct load *load);

#endif
