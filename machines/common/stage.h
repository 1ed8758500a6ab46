// SPDX-License-Identifier: MIT
/*
 * The set-up most scenarios share: one edu device in a domain of its own, whose buffer holds a
 * known pattern. Loading that pattern by DMA through a mapping is already the first proof that the
 * device is alive and the domain works.
 */
#ifndef MACHINE_STAGE_H
#define MACHINE_STAGE_H

#include "lab.h"

/* Device addresses of the set-up; scenarios use others. All fit a plain edu's bits, and begin a
 * page of any size there is. */
#define STAGE_LOAD  UINT64_C(0x0010000) /* the pattern comes from here; read only */
#define STAGE_DUMP  UINT64_C(0x0020000) /* the device's buffer is dumped here; write only */
#define STAGE_IOVA  UINT64_C(0x1240000) /* what the scenario is about */
#define STAGE_BYTES 256u
#define STAGE_SEED  0x5eedu /* of the pattern in the device's buffer */

/* Bits for lab_check_fault. */
#define NOT_MAPPED   (1u << SLUICE_FAULT_NOT_MAPPED)
#define READ_DENIED  (1u << SLUICE_FAULT_READ_DENIED)
#define WRITE_DENIED (1u << SLUICE_FAULT_WRITE_DENIED)
#define BLOCKED      (1u << SLUICE_FAULT_BLOCKED)
#define OUT_OF_RANGE (1u << SLUICE_FAULT_OUT_OF_RANGE)

struct stage {
    struct lab *lab;
    struct edu *edu;
    struct sluice_device *device;
    struct sluice_domain *domain;
    struct page load, dump;
    char name[16];
};

/** False when the scenario cannot go on: skipped for lack of the device, or a check has failed. */
bool stage_set(struct lab *lab, struct stage *stage, struct edu *edu, enum sluice_domain_kind kind);

/** Creates a domain, attaches the device and loads the pattern; for a device already chosen. */
bool stage_load(struct stage *stage);

/** The device writes its pattern to `iova`. */
bool stage_write(struct stage *stage, uint64_t iova);
/** The device reads STAGE_BYTES at `iova` into its buffer, over the pattern. */
bool stage_read(struct stage *stage, uint64_t iova);
/** Brings the device's buffer to stage->dump.virt. */
bool stage_show(struct stage *stage);

/** Checks that a write to `iova` arrives in `page`. */
void stage_check_writes(struct stage *stage, uint64_t iova, struct page page, const char *what);
/**
 * Checks that a write to `iova` changes none of the pages' first STAGE_BYTES and is logged.
 * `watched` ends with an entry whose virt is NULL; they are filled beforehand.
 */
void stage_check_write_stopped(struct stage *stage, uint64_t iova, const struct page *watched,
                               unsigned reasons);
/** Checks that a read of `iova` brings nothing of `secret` into the device and is logged. */
void stage_check_read_stopped(struct stage *stage, uint64_t iova, struct page secret,
                              unsigned reasons);

#endif
