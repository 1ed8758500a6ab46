// SPDX-License-Identifier: MIT
/*
 * NVMe with an admin queue and one pair of I/O queues, polled [NVMe base 1.4]. Reads and writes
 * logical blocks at bus addresses the caller gives, by PRP lists, so that scenarios decide what is
 * mapped there.
 */
#ifndef MACHINE_NVME_H
#define MACHINE_NVME_H

#include "dma.h"
#include "pci.h"

#define NVME_CLASS          0x010802u
#define NVME_TRANSFER_PAGES 64u /* most pages in one command of this driver */

#define NVME_IN_FLIGHT    8u  /* commands in the queue at once */
#define NVME_LIST_ENTRIES 64u /* of one command's PRP list */
/* PRP1 and the list: 64 pages that begin inside a page lie in 65. */
#define NVME_PRP_ENTRIES (1u + NVME_LIST_ENTRIES)

/** A command to queue: its first PRP entry may begin inside a page, the others are whole pages. */
struct nvme_request {
    bool write; /* to the disk */
    uint64_t lba;
    uint32_t blocks;
    const uint64_t *prp;
    unsigned prp_count;
};

struct nvme_queue {
    struct machine_buffer submission, completion;
    uint16_t id, tail, head, phase;
};

struct nvme {
    struct pci_device *pci;
    struct machine_dma *dma;
    volatile void *registers;
    uint32_t doorbell_stride;
    struct nvme_queue admin, io;
    struct machine_buffer scratch; /* identify data, then the PRP list */
    uint32_t block_bytes;
    uint64_t blocks;
    uint16_t command_id;
    uint16_t status;    /* of the last command: type and code, 0 is success */
    unsigned in_flight; /* a bit for each slot */
};

/** Resets and starts the controller; its queues are mapped through `dma`. */
bool nvme_open(struct nvme *nvme, struct pci_device *pci, struct machine_dma *dma);
/** The same with interrupts: entry 0 of its MSI-X table for the admin queue, 1 for the other. */
bool nvme_open_interrupting(struct nvme *nvme, struct pci_device *pci, struct machine_dma *dma);
/** Stops the controller and gives the queues' memory back. */
void nvme_close(struct nvme *nvme);

/**
 * Moves `pages` pages between the disk, from block `lba`, and the bus addresses bus[0..pages).
 * False when the controller reports an error (then nvme->status says which) or does not answer.
 */
bool nvme_transfer(struct nvme *nvme, bool write, uint64_t lba, const uint64_t *bus,
                   unsigned pages);

/**
 * Fetches three pages from block `lba` to `bus` and to where the list at bus address `list` says,
 * which is the caller's, wherever that is.
 */
bool nvme_fetch_by_list(struct nvme *nvme, uint64_t lba, uint64_t bus, uint64_t list);

/** Queues a command in a free slot (below NVME_IN_FLIGHT) and does not wait. */
bool nvme_submit(struct nvme *nvme, unsigned slot, const struct nvme_request *request);

/**
 * Waits for all that is queued, in whatever order it completes. False when a command failed (then
 * nvme->status is the last one's that did) or the controller is silent.
 */
bool nvme_finish(struct nvme *nvme);

#endif
