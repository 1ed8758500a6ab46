// SPDX-License-Identifier: MIT
/*
 * A guest on a machine with a RISC-V IOMMU, and a device of the guest's.
 */
#ifndef TESTS_UNIT_RISCV_STORY_H
#define TESTS_UNIT_RISCV_STORY_H

#include "nested_guest.h"

#define STORY_RID_A   SLUICE_RID(0, 3, 0)
#define STORY_RID_B   SLUICE_RID(0, 4, 0)
#define STORY_NOWHERE ((sluice_iova_t)0x80000000) /**< a guest address that nothing is at */

/** Causes of faults [RISC-V IOMMU 3.2]. */
enum {
    STORY_READ_PAGE = 13,
    STORY_WRITE_PAGE = 15,
    STORY_READ_GUEST_PAGE = 21,
    STORY_WRITE_GUEST_PAGE = 23,
    STORY_TYPE = 260,
    STORY_PDT_INVALID = 266,
    STORY_PDT_BAD = 267,
};

struct story {
    struct guest_unit unit; /**< set before story_begin: guest_unit() */
    struct scene scene;
    struct guest guest;
    struct sluice_device *device;
    struct riscv_model *model;
    unsigned cause; /**< of the last story_reads_process */
};

void story_begin(struct story *story);
/** Takes the device out of where it is; nothing is nested any more. */
void story_end(struct story *story);
/** What a guest tells that has one first stage, Sv39, with its root in one of its pages. */
struct sluice_nested_info story_one_stage(unsigned page, uint32_t tag);
struct sluice_domain *story_nest(struct guest *guest, const struct sluice_nested_info *info);
/** What the device reads at GUEST_VA, or -1. */
int story_reads(struct story *story);
/** The same past the device, so that nothing runs after it; SLUICE_NO_PASID: without a process. */
int story_reads_process(struct story *story, uint32_t process);
/** Of one page of 4 KiB. */
void story_forget(struct sluice_domain *nested, enum sluice_nested_what what, uint32_t tag,
                  sluice_iova_t at);
struct riscv_model_stats story_stats(struct story *story);
/** For main(). Returns false where the environment cannot be changed. */
bool story_on_riscv(void);

#endif
