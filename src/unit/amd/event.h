// SPDX-License-Identifier: MIT
/*
 * Events of 128 bits in the event log [AMD 2.5]: pure functions. What is in the log was written by
 * hardware, but devices choose much of it: every value is possible.
 */
#ifndef SLUICE_UNIT_AMD_EVENT_H
#define SLUICE_UNIT_AMD_EVENT_H

#include "unit/amd/registers.h"

#include <stdbool.h>

#include <sluice/fault.h>

struct amdvi_event {
    uint64_t low;
    uint64_t high;
};

_Static_assert(sizeof(struct amdvi_event) == 16, "event log entries are 128 bits");

enum amdvi_event_code {
    AMDVI_ILLEGAL_DEV_TABLE_ENTRY = 1,
    AMDVI_IO_PAGE_FAULT = 2,
    AMDVI_DEV_TAB_HARDWARE_ERROR = 3,
    AMDVI_PAGE_TAB_HARDWARE_ERROR = 4,
    AMDVI_ILLEGAL_COMMAND_ERROR = 5,
    AMDVI_COMMAND_HARDWARE_ERROR = 6,
    AMDVI_IOTLB_INV_TIMEOUT = 7,
    AMDVI_INVALID_DEVICE_REQUEST = 8,
    AMDVI_INVALID_PPR_REQUEST = 9,
    AMDVI_EVENT_COUNTER_ZERO = 10,
    AMDVI_GUEST_EVENT_FAULT = 11,
    AMDVI_VIOMMU_HARDWARE_ERROR = 12,
    AMDVI_RMP_PAGE_FAULT = 13,
    AMDVI_RMP_HARDWARE_ERROR = 14,
};

/** The event's name in words. Never NULL. */
const char *amdvi_event_text(unsigned code);

/**
 * One event in the common form; unit, segment and time are the caller's to fill in.
 * Returns: true when it is about something a device did; false when it is about the unit itself or
 * its commands, and then only code, text and address (of the command) mean something.
 */
bool amdvi_event_decode(const struct amdvi_event *event, struct sluice_fault *out);

#endif
