// SPDX-License-Identifier: MIT
/*
 * What fault records say [RISC-V IOMMU 3.2].
 */
#include "unit/riscv/fault.h"

#include <sluice/types.h>

struct cause_row {
    uint16_t cause;
    const char *text;
    enum sluice_fault_reason reason;
    enum sluice_access access; /**< UNKNOWN: the kind of transaction says it */
};

#define READ    SLUICE_ACCESS_READ
#define WRITE   SLUICE_ACCESS_WRITE
#define EXECUTE SLUICE_ACCESS_EXECUTE
#define UNKNOWN SLUICE_ACCESS_UNKNOWN

/* A page fault does not tell what is not mapped from what is not allowed. */
static const struct cause_row rows[] = {
    {1, "instruction access fault", SLUICE_FAULT_TABLE_ACCESS, EXECUTE},
    {4, "read address misaligned", SLUICE_FAULT_REQUEST_TYPE, READ},
    {5, "read access fault", SLUICE_FAULT_TABLE_ACCESS, READ},
    {6, "write or atomic address misaligned", SLUICE_FAULT_REQUEST_TYPE, WRITE},
    {7, "write or atomic access fault", SLUICE_FAULT_TABLE_ACCESS, WRITE},
    {12, "instruction page fault", SLUICE_FAULT_NOT_MAPPED, EXECUTE},
    {13, "read page fault", SLUICE_FAULT_NOT_MAPPED, READ},
    {15, "write or atomic page fault", SLUICE_FAULT_NOT_MAPPED, WRITE},
    {20, "instruction guest page fault", SLUICE_FAULT_NOT_MAPPED, EXECUTE},
    {21, "read guest page fault", SLUICE_FAULT_NOT_MAPPED, READ},
    {23, "write or atomic guest page fault", SLUICE_FAULT_NOT_MAPPED, WRITE},
    {256, "all transactions are disallowed", SLUICE_FAULT_BLOCKED, UNKNOWN},
    {257, "error reading the device directory", SLUICE_FAULT_TABLE_ACCESS, UNKNOWN},
    {258, "device directory entry not valid", SLUICE_FAULT_BLOCKED, UNKNOWN},
    {259, "device directory entry misconfigured", SLUICE_FAULT_BAD_ENTRY, UNKNOWN},
    {260, "transaction type disallowed", SLUICE_FAULT_REQUEST_TYPE, UNKNOWN},
    {261, "error reading the MSI page table", SLUICE_FAULT_TABLE_ACCESS, UNKNOWN},
    {262, "MSI page-table entry not valid", SLUICE_FAULT_INTERRUPT, UNKNOWN},
    {263, "MSI page-table entry misconfigured", SLUICE_FAULT_BAD_ENTRY, UNKNOWN},
    {264, "error accessing an interrupt file in memory", SLUICE_FAULT_TABLE_ACCESS, UNKNOWN},
    {265, "error reading the process directory", SLUICE_FAULT_TABLE_ACCESS, UNKNOWN},
    {266, "process directory entry not valid", SLUICE_FAULT_BLOCKED, UNKNOWN},
    {267, "process directory entry misconfigured", SLUICE_FAULT_BAD_ENTRY, UNKNOWN},
    {268, "device directory is corrupt", SLUICE_FAULT_BAD_ENTRY, UNKNOWN},
    {269, "process directory is corrupt", SLUICE_FAULT_BAD_ENTRY, UNKNOWN},
    {270, "MSI page table is corrupt", SLUICE_FAULT_BAD_ENTRY, UNKNOWN},
    {271, "interrupt file in memory is corrupt", SLUICE_FAULT_BAD_ENTRY, UNKNOWN},
    {272, "internal data path error", SLUICE_FAULT_OTHER, UNKNOWN},
    {273, "the unit's own message could not be written", SLUICE_FAULT_OTHER, UNKNOWN},
    {274, "page table is corrupt", SLUICE_FAULT_BAD_ENTRY, UNKNOWN},
};

static const struct cause_row unknown_row = {0, "unknown cause", SLUICE_FAULT_OTHER, UNKNOWN};

/** Kinds of transactions, TTYP; 5 to 7 are as 1 to 3, with addresses from a device TLB. */
enum {
    TTYP_NONE = 0,
    TTYP_EXECUTE = 1,
    TTYP_READ = 2,
    TTYP_WRITE = 3,
    TTYP_TRANSLATED = 4,
    TTYP_TRANSLATION_REQUEST = 8,
};

static const struct cause_row *row_of(unsigned cause)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].cause == cause)
            return &rows[i];
    }
    return &unknown_row;
}

const char *riommu_cause_text(unsigned cause)
{
    return row_of(cause)->text;
}

/* A transaction that has an address of its own; others report something else there. */
static bool has_address(unsigned type)
{
    return type != TTYP_NONE && type != TTYP_TRANSLATED && type <= TTYP_TRANSLATION_REQUEST;
}

static enum sluice_access access_of(unsigned type)
{
    if (type == TTYP_TRANSLATION_REQUEST || !has_address(type))
        return UNKNOWN;
    type &= 3u;
    return type == TTYP_EXECUTE ? EXECUTE : type == TTYP_READ ? READ : WRITE;
}

/* An access fault may be of either stage's tables [RISC-V IOMMU 3.2]. A process directory is what
 * leads to first stages, and under a second stage a guest's like they are. */
static enum sluice_fault_stage stage_of(unsigned cause)
{
    if ((cause >= RIOMMU_CAUSE_PDT_LOAD && cause <= RIOMMU_CAUSE_PDT_BAD) ||
        cause == RIOMMU_CAUSE_PDT_CORRUPT)
        return SLUICE_STAGE_FIRST;
    if (cause < 12)
        return SLUICE_STAGE_UNKNOWN;
    if (cause <= 15)
        return SLUICE_STAGE_FIRST;
    return cause >= 20 && cause <= 23 ? SLUICE_STAGE_SECOND : SLUICE_STAGE_NONE;
}

void riommu_fault_decode(const struct riommu_fault *record, struct sluice_fault *out)
{
    uint64_t what = record->word[0];
    unsigned type = (unsigned)RIOMMU_GET(FAULT_TTYP, what);
    const struct cause_row *row = row_of((unsigned)RIOMMU_GET(FAULT_CAUSE, what));

    *out = (struct sluice_fault){
        .source = (uint32_t)RIOMMU_GET(FAULT_DID, what),
        .pasid = RIOMMU_GET(FAULT_PV, what) != 0 ? (uint32_t)RIOMMU_GET(FAULT_PID, what)
                                                 : SLUICE_NO_PASID,
        /* The cause is exact where it tells; there are units whose TTYP is always a write. */
        .access = row->access != UNKNOWN ? row->access : access_of(type),
        .reason = row->reason,
        .stage = stage_of((unsigned)RIOMMU_GET(FAULT_CAUSE, what)),
        .hardware_code = (uint32_t)RIOMMU_GET(FAULT_CAUSE, what),
        .hardware_text = row->text,
        .address = has_address(type) ? record->word[2] : 0,
        .address_valid = has_address(type),
        .privileged = RIOMMU_GET(FAULT_PRIV, what) != 0,
    };
    /* iotval2: bit 0 says that the unit was reading the first stage's tables. */
    if (out->stage == SLUICE_STAGE_SECOND) {
        out->intermediate = record->word[3] & ~(uint64_t)3;
        out->intermediate_valid = true;
        out->intermediate_of_walk = (record->word[3] & 1) != 0;
    }
}
