// SPDX-License-Identifier: MIT
/*
 * Page requests as formats: entries of 128 bits in the peripheral page request log [AMD 2.6], and
 * the command that answers one [AMD 2.4.7; PCIe 10.4]. Pure functions. What is in the log was
 * written by hardware, but devices choose all of it.
 */
#ifndef SLUICE_UNIT_AMD_PAGE_REQUEST_H
#define SLUICE_UNIT_AMD_PAGE_REQUEST_H

#include "unit/amd/command.h"

#include <sluice/types.h>

/** PPR0.CODE. */
#define AMDVI_PAGE_SERVICE_REQUEST 1u

struct amdvi_page_request_entry {
    uint64_t low;
    uint64_t high;
};

_Static_assert(sizeof(struct amdvi_page_request_entry) == 16, "log entries are 128 bits");

struct amdvi_page_request {
    uint16_t device;
    uint32_t pasid; /**< or SLUICE_NO_PASID */
    uint16_t group; /**< 9 bits: requests of one number are answered together */
    bool last;      /**< of its group: is answered */
    bool read, write, execute;
    bool privileged;
    sluice_iova_t address; /**< a multiple of 4096 */
};

/** What is answered [PCIe 10.4.2.1]. */
enum amdvi_page_response {
    AMDVI_RESPONSE_SUCCESS = 0,
    AMDVI_RESPONSE_INVALID = 1,
    AMDVI_RESPONSE_FAILURE = 15,
};

/**
 * One entry of the log.
 * Returns: false when it is no request that can be served: another code, or one that the unit found
 * malformed. `out` still says who is to be answered.
 */
static inline bool amdvi_page_request_decode(const struct amdvi_page_request_entry *entry,
                                             struct amdvi_page_request *out)
{
    uint64_t low = entry->low;
    bool has_pasid = AMDVI_GET(PPR0_GN, low) != 0;

    *out = (struct amdvi_page_request){
        .device = (uint16_t)AMDVI_GET(PPR0_DEVICE, low),
        .pasid = has_pasid ? (uint32_t)(AMDVI_GET(PPR0_PASIDHIGH, low) << 16 |
                                        AMDVI_GET(PPR0_PASIDLOW, low))
                           : SLUICE_NO_PASID,
        .group = (uint16_t)AMDVI_GET(PPR0_GROUP, low),
        .last = AMDVI_GET(PPR0_LAST, low) != 0,
        .read = AMDVI_GET(PPR0_READ, low) != 0,
        .write = AMDVI_GET(PPR0_WRITE, low) != 0,
        .execute = AMDVI_GET(PPR0_EXECUTE, low) != 0,
        .privileged = AMDVI_GET(PPR0_USER, low) == 0,
        .address = entry->high & AMDVI_MASK(PPR1_ADDRESS),
    };
    return AMDVI_GET(PPR0_CODE, low) == AMDVI_PAGE_SERVICE_REQUEST && AMDVI_GET(PPR0_RZ, low) == 0;
}

/**
 * Whether a request's group is owed an answer: once, with the last of it, and not where that only
 * marks the end of a PASID's requests [PCIe 10.4.1.2.1, 10.4.2.1].
 */
static inline bool amdvi_page_request_is_owed(const struct amdvi_page_request *request)
{
    return request->last && (request->read || request->write || request->pasid == SLUICE_NO_PASID);
}

/** Answers a request's group [AMD 2.4.7]. */
static inline struct amdvi_command
amdvi_command_page_response(const struct amdvi_page_request *request,
                            enum amdvi_page_response response)
{
    struct amdvi_command command = {
        .low = AMDVI_PREP(COMMAND_OPCODE, AMDVI_COMPLETE_PPR_REQUEST) | request->device,
        .high = (uint64_t)request->group << 32 | (uint64_t)response << 44,
    };

    if (request->pasid != SLUICE_NO_PASID) {
        command.low |= (uint64_t)(request->pasid & 0xfffffu) << 32;
        command.high |= 4u;
    }
    return command;
}

#endif
