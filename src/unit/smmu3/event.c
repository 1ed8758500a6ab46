// SPDX-License-Identifier: MIT
/*
 * What events say [SMMU 7.3].
 */
#include "unit/smmu3/event.h"

#include <sluice/types.h>

#define CLASS_IN 2u /* of EVENT1.CLASS: the access itself */

/** What an event has besides its type and the stream. */
enum event_has {
    ACCESS = 1u << 0,  /**< RnW, PnU and InD say what the device did */
    ADDRESS = 1u << 1, /**< word 2 is the address that the device used */
    STALLS = 1u << 2,  /**< it may wait for an answer */
    IPA = 1u << 3,     /**< with S2, word 3 is the address that stage 2 was asked for */
    SSID = 1u << 4,    /**< the substream ID is valid whatever SSV says */
};

struct event_row {
    const char *text;
    enum sluice_fault_reason reason;
    unsigned has; /**< set of enum event_has */
};

static const struct event_row rows[] = {
    [SMMU3_F_UUT] = {"F_UUT: a kind of access that is not supported", SLUICE_FAULT_REQUEST_TYPE,
                     ACCESS | ADDRESS},
    [SMMU3_C_BAD_STREAMID] = {"C_BAD_STREAMID: the stream table has no such stream",
                              SLUICE_FAULT_BLOCKED, 0},
    [SMMU3_F_STE_FETCH] = {"F_STE_FETCH: error reading the stream table", SLUICE_FAULT_TABLE_ACCESS,
                           0},
    [SMMU3_C_BAD_STE] = {"C_BAD_STE: malformed stream table entry", SLUICE_FAULT_BAD_ENTRY, 0},
    [SMMU3_F_BAD_ATS_TREQ] = {"F_BAD_ATS_TREQ: translation request that the stream may not make",
                              SLUICE_FAULT_REQUEST_TYPE, ACCESS | ADDRESS},
    [SMMU3_F_STREAM_DISABLED] = {"F_STREAM_DISABLED: accesses without a substream are disabled",
                                 SLUICE_FAULT_REQUEST_TYPE, 0},
    [SMMU3_F_TRANSL_FORBIDDEN] = {"F_TRANSL_FORBIDDEN: translated access that the stream may not "
                                  "make",
                                  SLUICE_FAULT_REQUEST_TYPE, ACCESS | ADDRESS},
    [SMMU3_C_BAD_SUBSTREAMID] = {"C_BAD_SUBSTREAMID: the stream has no such substream",
                                 SLUICE_FAULT_REQUEST_TYPE, SSID},
    [SMMU3_F_CD_FETCH] = {"F_CD_FETCH: error reading a context descriptor",
                          SLUICE_FAULT_TABLE_ACCESS, 0},
    [SMMU3_C_BAD_CD] = {"C_BAD_CD: malformed context descriptor", SLUICE_FAULT_BAD_ENTRY, 0},
    [SMMU3_F_WALK_EABT] = {"F_WALK_EABT: error reading a translation table",
                           SLUICE_FAULT_TABLE_ACCESS, ACCESS | ADDRESS},
    [SMMU3_F_TRANSLATION] = {"F_TRANSLATION: nothing is mapped", SLUICE_FAULT_NOT_MAPPED,
                             ACCESS | ADDRESS | STALLS | IPA},
    [SMMU3_F_ADDR_SIZE] = {"F_ADDR_SIZE: address too wide", SLUICE_FAULT_OUT_OF_RANGE,
                           ACCESS | ADDRESS | STALLS | IPA},
    [SMMU3_F_ACCESS] = {"F_ACCESS: access flag not set", SLUICE_FAULT_BAD_ENTRY,
                        ACCESS | ADDRESS | STALLS | IPA},
    [SMMU3_F_PERMISSION] = {"F_PERMISSION: not allowed", SLUICE_FAULT_READ_DENIED,
                            ACCESS | ADDRESS | STALLS | IPA},
    [SMMU3_F_TLB_CONFLICT] = {"F_TLB_CONFLICT: two translations of one address",
                              SLUICE_FAULT_BAD_ENTRY, ACCESS | ADDRESS | IPA},
    [SMMU3_F_CFG_CONFLICT] = {"F_CFG_CONFLICT: two configurations of one stream",
                              SLUICE_FAULT_BAD_ENTRY, 0},
    [SMMU3_E_PAGE_REQUEST] = {"E_PAGE_REQUEST: hint that a page will be wanted", SLUICE_FAULT_OTHER,
                              ADDRESS},
    [SMMU3_F_VMS_FETCH] = {"F_VMS_FETCH: error reading a virtual machine structure",
                           SLUICE_FAULT_TABLE_ACCESS, 0},
};

static const struct event_row unknown_row = {"unknown event", SLUICE_FAULT_OTHER, 0};

static const struct event_row *row_of(unsigned type)
{
    if (type >= sizeof(rows) / sizeof(rows[0]) || rows[type].text == NULL)
        return &unknown_row;
    return &rows[type];
}

const char *smmu3_event_text(unsigned type)
{
    return row_of(type)->text;
}

static unsigned type_of(const struct smmu3_event *event)
{
    return (unsigned)SMMU3_GET(EVENT0_TYPE, event->word[0]);
}

bool smmu3_event_stalled(const struct smmu3_event *event)
{
    return (row_of(type_of(event))->has & STALLS) != 0 &&
           SMMU3_GET(EVENT1_STALL, event->word[1]) != 0;
}

static enum sluice_fault_stage stage_of(const struct smmu3_event *event)
{
    unsigned type = type_of(event);

    if (type != SMMU3_F_WALK_EABT && type != SMMU3_F_TLB_CONFLICT &&
        (type < SMMU3_F_TRANSLATION || type > SMMU3_F_PERMISSION))
        return SLUICE_STAGE_NONE;
    return SMMU3_GET(EVENT1_S2, event->word[1]) != 0 ? SLUICE_STAGE_SECOND : SLUICE_STAGE_FIRST;
}

void smmu3_event_decode(const struct smmu3_event *event, struct sluice_fault *out)
{
    const struct event_row *row = row_of(type_of(event));
    uint64_t what = event->word[1];

    *out = (struct sluice_fault){
        .source = (uint32_t)SMMU3_GET(EVENT0_SID, event->word[0]),
        .pasid = SMMU3_GET(EVENT0_SSV, event->word[0]) != 0 || (row->has & SSID) != 0
                     ? (uint32_t)SMMU3_GET(EVENT0_SSID, event->word[0])
                     : SLUICE_NO_PASID,
        .access = SLUICE_ACCESS_UNKNOWN,
        .reason = row->reason,
        .stage = stage_of(event),
        .hardware_code = type_of(event),
        .hardware_text = row->text,
        .address = (row->has & ADDRESS) != 0 ? event->word[2] : 0,
        .address_valid = (row->has & ADDRESS) != 0,
    };
    if ((row->has & IPA) != 0 && out->stage == SLUICE_STAGE_SECOND) {
        out->intermediate = event->word[3] & SMMU3_MASK(EVENT3_IPA);
        out->intermediate_valid = true;
        /* Also the value that is reserved: it is not the access. A conflict has no such field. */
        out->intermediate_of_walk =
            (row->has & STALLS) != 0 && SMMU3_GET(EVENT1_CLASS, what) != CLASS_IN;
    }
    if ((row->has & ACCESS) == 0)
        return;
    out->privileged = SMMU3_GET(EVENT1_PNU, what) != 0;
    if (SMMU3_GET(EVENT1_RNW, what) == 0)
        out->access = SLUICE_ACCESS_WRITE;
    else
        out->access = SMMU3_GET(EVENT1_IND, what) != 0 ? SLUICE_ACCESS_EXECUTE : SLUICE_ACCESS_READ;
    if (out->reason == SLUICE_FAULT_READ_DENIED && out->access == SLUICE_ACCESS_WRITE)
        out->reason = SLUICE_FAULT_WRITE_DENIED;
}
