// SPDX-License-Identifier: MIT
/*
 * What events say [AMD 2.5].
 */
#include "unit/amd/event.h"

#include <sluice/types.h>

struct event_row {
    const char *text;
    enum sluice_fault_reason reason;
    bool of_device;
    bool physical; /**< the address is that of a structure in memory, not one of the device */
};

static const struct event_row rows[] = {
    [AMDVI_ILLEGAL_DEV_TABLE_ENTRY] = {"illegal device table entry", SLUICE_FAULT_BAD_ENTRY, true,
                                       false},
    [AMDVI_IO_PAGE_FAULT] = {"page fault", SLUICE_FAULT_NOT_MAPPED, true, false},
    [AMDVI_DEV_TAB_HARDWARE_ERROR] = {"error reading the device table", SLUICE_FAULT_TABLE_ACCESS,
                                      true, true},
    [AMDVI_PAGE_TAB_HARDWARE_ERROR] = {"error reading a page table", SLUICE_FAULT_TABLE_ACCESS,
                                       true, true},
    [AMDVI_ILLEGAL_COMMAND_ERROR] = {"illegal command", SLUICE_FAULT_OTHER, false, true},
    [AMDVI_COMMAND_HARDWARE_ERROR] = {"error reading a command", SLUICE_FAULT_OTHER, false, true},
    [AMDVI_IOTLB_INV_TIMEOUT] = {"no answer to a device-TLB invalidation in time",
                                 SLUICE_FAULT_OTHER, false, true},
    [AMDVI_INVALID_DEVICE_REQUEST] = {"request that the device may not make",
                                      SLUICE_FAULT_REQUEST_TYPE, true, false},
    [AMDVI_INVALID_PPR_REQUEST] = {"page request that the device may not make",
                                   SLUICE_FAULT_REQUEST_TYPE, true, false},
    [AMDVI_EVENT_COUNTER_ZERO] = {"performance counter reached zero", SLUICE_FAULT_OTHER, false,
                                  false},
    [AMDVI_GUEST_EVENT_FAULT] = {"a guest's event could not be passed on", SLUICE_FAULT_OTHER,
                                 false, true},
    [AMDVI_VIOMMU_HARDWARE_ERROR] = {"error in the memory of a virtual IOMMU",
                                     SLUICE_FAULT_TABLE_ACCESS, false, true},
    [AMDVI_RMP_PAGE_FAULT] = {"reverse map table forbids it", SLUICE_FAULT_OTHER, true, false},
    [AMDVI_RMP_HARDWARE_ERROR] = {"error reading the reverse map table", SLUICE_FAULT_TABLE_ACCESS,
                                  true, true},
};

static const struct event_row unknown_row = {"unknown event", SLUICE_FAULT_OTHER, false, true};

static const struct event_row *row_of(unsigned code)
{
    if (code >= sizeof(rows) / sizeof(rows[0]) || rows[code].text == NULL)
        return &unknown_row;
    return &rows[code];
}

const char *amdvi_event_text(unsigned code)
{
    return row_of(code)->text;
}

/*
 * Why a page fault. PE and RZ mean something only with PR set: without it there was no entry
 * [AMD 2.5.3].
 */
static enum sluice_fault_reason page_fault_reason(uint64_t low, bool write)
{
    if (AMDVI_GET(EVENT0_PR, low) == 0)
        return SLUICE_FAULT_NOT_MAPPED;
    if (AMDVI_GET(EVENT0_RZ, low) != 0)
        return SLUICE_FAULT_BAD_ENTRY;
    return write ? SLUICE_FAULT_WRITE_DENIED : SLUICE_FAULT_READ_DENIED;
}

/* PASID 15:0 takes the place of the domain when the address is a guest's. */
static uint32_t pasid_of(uint64_t low)
{
    if (AMDVI_GET(EVENT0_GN, low) == 0)
        return SLUICE_NO_PASID;
    return (uint32_t)((low >> 16 & 0xf) << 16 | AMDVI_GET(EVENT0_DOMAIN, low));
}

/* A page fault without an entry to translate by looks like one with [AMD 2.5.3]. */
static enum sluice_fault_stage stage_of(unsigned code, uint64_t low)
{
    if (AMDVI_GET(EVENT0_I, low) != 0 ||
        (code != AMDVI_IO_PAGE_FAULT && code != AMDVI_PAGE_TAB_HARDWARE_ERROR))
        return SLUICE_STAGE_NONE;
    return AMDVI_GET(EVENT0_GN, low) != 0 ? SLUICE_STAGE_FIRST : SLUICE_STAGE_SECOND;
}

bool amdvi_event_decode(const struct amdvi_event *event, struct sluice_fault *out)
{
    unsigned code = (unsigned)AMDVI_GET(EVENT0_CODE, event->low);
    const struct event_row *row = row_of(code);
    bool write = AMDVI_GET(EVENT0_RW, event->low) != 0;

    *out = (struct sluice_fault){
        .source = (uint32_t)AMDVI_GET(EVENT0_DEVICE, event->low),
        .pasid = SLUICE_NO_PASID,
        .access = SLUICE_ACCESS_UNKNOWN,
        .reason = row->reason,
        .hardware_code = code,
        .hardware_text = row->text,
        .address = event->high,
    };
    if (!row->of_device)
        return false;
    out->address_valid = !row->physical;
    out->stage = stage_of(code, event->low);
    out->access = write ? SLUICE_ACCESS_WRITE : SLUICE_ACCESS_READ;
    if (code <= AMDVI_PAGE_TAB_HARDWARE_ERROR && AMDVI_GET(EVENT0_I, event->low) != 0) {
        out->reason = SLUICE_FAULT_INTERRUPT;
        out->access = SLUICE_ACCESS_WRITE; /* which a message is; RW means nothing here */
        out->address_valid = false;
    } else if (code == AMDVI_IO_PAGE_FAULT) {
        out->reason = page_fault_reason(event->low, write);
        out->pasid = pasid_of(event->low);
    }
    return true;
}
