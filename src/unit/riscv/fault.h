// SPDX-License-Identifier: MIT
/*
 * Fault records of 256 bits [RISC-V IOMMU 3.2]: pure functions. What is in the queue was written by
 * hardware, but devices choose much of it: every value is possible.
 */
#ifndef SLUICE_UNIT_RISCV_FAULT_H
#define SLUICE_UNIT_RISCV_FAULT_H

#include "unit/riscv/registers.h"

#include <stdbool.h>

#include <sluice/fault.h>

struct riommu_fault {
    uint64_t word[4];
};

_Static_assert(sizeof(struct riommu_fault) == 32, "fault records are 32 bytes [RISC-V IOMMU 3.2]");

enum riommu_cause {
    RIOMMU_CAUSE_READ_ACCESS = 5,
    RIOMMU_CAUSE_WRITE_ACCESS = 7,
    RIOMMU_CAUSE_READ_PAGE = 13,
    RIOMMU_CAUSE_WRITE_PAGE = 15,
    RIOMMU_CAUSE_READ_GUEST_PAGE = 21,
    RIOMMU_CAUSE_WRITE_GUEST_PAGE = 23,
    RIOMMU_CAUSE_OFF = 256,
    RIOMMU_CAUSE_DDT_LOAD = 257,
    RIOMMU_CAUSE_DDT_INVALID = 258,
    RIOMMU_CAUSE_DDT_BAD = 259,
    RIOMMU_CAUSE_DISALLOWED = 260,
    RIOMMU_CAUSE_PDT_LOAD = 265,
    RIOMMU_CAUSE_PDT_BAD = 267,
    RIOMMU_CAUSE_PDT_CORRUPT = 269,
};

/** The cause in words. Never NULL. */
const char *riommu_cause_text(unsigned cause);

/** One record in the common form; unit, segment and time are the caller's to fill in. */
void riommu_fault_decode(const struct riommu_fault *record, struct sluice_fault *out);

#endif
