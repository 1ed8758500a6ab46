// SPDX-License-Identifier: MIT
/*
 * The disk as the hostile one: its driver works until somebody gives it commands that point outside
 * its mappings, and an edu device copies beside it all the time. For the scenarios about that.
 */
#ifndef MACHINE_ROGUE_H
#define MACHINE_ROGUE_H

#include "arch.h"
#include "pages.h"
#include "stage.h"

#define ROGUE_DATA      UINT64_C(0x60000000) /* its buffer, which is mapped */
#define ROGUE_GOOD_LBA  512u
#define ROGUE_BLOCKS    (MACHINE_PAGE_BYTES / 512u) /* of a page */
#define ROGUE_DISK_SEED 0xd15cu                     /* of what lies on the disk */
#define ROGUE_SECRETS   8u

struct rogue {
    struct lab *lab;
    struct nvme nvme;
    struct domain_dma dma;
    struct sluice_device *device;
    struct page good, secrets[ROGUE_SECRETS];
    struct stage worker; /* the edu that works beside it */
    unsigned copies, copies_right;
    uint64_t copy_began_ns, slowest_copy_ns;
    uint64_t worker_faults; /* of the time before */
    unsigned commands;
    unsigned stored;    /* pages that it was told to store, in secret */
    uint64_t polled_ns; /* spent on looking for faults, where no interrupt tells of them */
};

/** Puts both to work; false: skipped, or a check failed. */
bool rogue_prepare(struct lab *lab, struct rogue *rogue, uint32_t limit);
/** Ends it, and takes both out of their domains. */
void rogue_finish(struct rogue *rogue);

/** What the machine does besides: it handles what came. */
void rogue_look_around(struct rogue *rogue);
/** A copy of the other device is always under way: the next begins when one has ended. */
void rogue_work_on(struct rogue *rogue);
/** Begins one, from which on the slowest is measured. */
void rogue_work_afresh(struct rogue *rogue);

/** Whether the disk stores and fetches what is mapped. */
bool rogue_disk_works(struct rogue *rogue);
/**
 * It stores what lies at these addresses, or brings the disk's bytes there, by turns. An emulated
 * disk may well report success: memory and the disk decide.
 */
void rogue_misuse(struct rogue *rogue, const uint64_t *bus, unsigned pages);
/**
 * It looks for the addresses of a transfer in the index-th secret. That is a few bytes, so no log
 * is too small for what comes of it; the command fails, and nothing is transferred.
 */
void rogue_peep(struct rogue *rogue, unsigned index);
/** At which device address that begins. */
uint64_t rogue_peeps_at(const struct rogue *rogue, unsigned index);

/** Checks that no secret, table or queue of the library has changed. */
void rogue_check_untouched(struct rogue *rogue);
/** Checks that no secret lies on the disk. */
void rogue_check_nothing_stolen(struct rogue *rogue);

#endif
