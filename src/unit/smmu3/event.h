// SPDX-License-Identifier: MIT
/*
 * Events of 256 bits in the event queue [SMMU 7.3]: pure functions. What is in the queue was
 * written by hardware, but devices choose much of it: every value is possible.
 */
#ifndef SLUICE_UNIT_SMMU3_EVENT_H
#define SLUICE_UNIT_SMMU3_EVENT_H

#include "unit/smmu3/registers.h"

#include <stdbool.h>

#include <sluice/fault.h>

struct smmu3_event {
    uint64_t word[4];
};

_Static_assert(sizeof(struct smmu3_event) == 32, "event records are 256 bits [SMMU 7.3]");

enum smmu3_event_type {
    SMMU3_F_UUT = 0x01,
    SMMU3_C_BAD_STREAMID = 0x02,
    SMMU3_F_STE_FETCH = 0x03,
    SMMU3_C_BAD_STE = 0x04,
    SMMU3_F_BAD_ATS_TREQ = 0x05,
    SMMU3_F_STREAM_DISABLED = 0x06,
    SMMU3_F_TRANSL_FORBIDDEN = 0x07,
    SMMU3_C_BAD_SUBSTREAMID = 0x08,
    SMMU3_F_CD_FETCH = 0x09,
    SMMU3_C_BAD_CD = 0x0a,
    SMMU3_F_WALK_EABT = 0x0b,
    SMMU3_F_TRANSLATION = 0x10,
    SMMU3_F_ADDR_SIZE = 0x11,
    SMMU3_F_ACCESS = 0x12,
    SMMU3_F_PERMISSION = 0x13,
    SMMU3_F_TLB_CONFLICT = 0x20,
    SMMU3_F_CFG_CONFLICT = 0x21,
    SMMU3_E_PAGE_REQUEST = 0x24,
    SMMU3_F_VMS_FETCH = 0x25,
};

/** The event's name and meaning in words. Never NULL. */
const char *smmu3_event_text(unsigned type);

/** One event in the common form; unit, segment and time are the caller's to fill in. */
void smmu3_event_decode(const struct smmu3_event *event, struct sluice_fault *out);

/** Whether the access waits for a CMD_RESUME, which the caller owes then [SMMU 7.3]. */
bool smmu3_event_stalled(const struct smmu3_event *event);

#endif
