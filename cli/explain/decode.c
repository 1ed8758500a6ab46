// SPDX-License-Identifier: MIT
// See decode.h.
#include "decode.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct code {
    uint64_t value;
    const char *name;
    const char *text;
};

// [VT-d 7.1.3]
static const struct code vtd_reasons[] = {
    {0x01, "RTE.P", "the present bit in the root entry of the bus is clear"},
    {0x02, "CTE.P", "the present bit in the context entry of the device is clear"},
    {0x03, "CTE", "the context entry of the device is invalid"},
    {0x04, "MGAW", "the address is beyond the width that the unit or the context entry allows"},
    {0x05, "W", "a write, and a page-table entry on the way has no write permission"},
    {0x06, "R", "a read, and a page-table entry on the way has no read permission"},
    {0x07, "SLPTP", "reading the next page-table entry failed"},
    {0x08, "RTA", "reading the root entry failed: the root table address is bad"},
    {0x09, "CTP", "reading the context entry failed: the context table pointer is bad"},
    {0x0a, "RTE.rsvd", "a reserved field of the root entry is set"},
    {0x0b, "CTE.rsvd", "a reserved field of the context entry is set"},
    {0x0c, "PTE.rsvd", "a reserved field of a page-table entry is set"},
    {0x0d, "TT", "a translated or translation request, and the context entry blocks them"},
    {0x0e, "rsvd", "a reserved condition (0Eh)"},
    {0x10, "FEEx", "the address falls in the interrupt range"},
    {0x20, "IR.rsvd", "a reserved field of the interrupt request is set"},
    {0x21, "IR.index", "the interrupt index is beyond the remapping table"},
    {0x22, "IRTE.P", "the present bit of the interrupt remapping entry is clear"},
    {0x23, "IRTA", "reading the interrupt remapping entry failed"},
    {0x24, "IRTE.rsvd", "a reserved field of the interrupt remapping entry is set"},
    {0x25, "CFI", "an interrupt in compatibility format, which is blocked"},
    {0x26, "SVT", "the requester is not the one that the interrupt remapping entry names"},
    {0x30, "SM.RTA", "scalable mode: the root table address is bad"},
    {0x31, "SM.TTM", "a request with PASID while the unit is in legacy mode"},
    {0x38, "SM.RTE", "scalable mode: reading the root entry failed"},
    {0x39, "SM.RTE.P", "scalable mode: the present bit in the root entry is clear"},
    {0x3a, "SM.RTE.rsvd", "scalable mode: a reserved field of the root entry is set"},
    {0x40, "SM.CTE", "scalable mode: reading the context entry failed"},
    {0x41, "SM.CTE.P", "scalable mode: the present bit in the context entry is clear"},
    {0x42, "SM.CTE.rsvd", "scalable mode: a reserved field of the context entry is set"},
    {0x43, "SM.CTE.inv", "scalable mode: the context entry is invalid"},
    {0x44, "SM.DTE", "a translation request, and the context entry does not allow a device TLB"},
    {0x45, "SM.PASIDE", "a request with PASID, and the context entry does not enable PASIDs"},
    {0x46, "SM.PASID.max", "the PASID is beyond the directory of the context entry"},
    {0x47, "SM.PRE", "a page request, and the context entry does not enable them"},
    {0x48, "SM.RID_PASID", "the PASID for requests without one is bad"},
    {0x50, "SM.PDE", "reading the PASID directory entry failed"},
    {0x51, "SM.PDE.P", "the present bit in the PASID directory entry is clear"},
    {0x52, "SM.PDE.rsvd", "a reserved field of the PASID directory entry is set"},
    {0x58, "SM.PTE", "reading the PASID table entry failed"},
    {0x59, "SM.PTE.P", "the present bit in the PASID table entry is clear"},
    {0x5a, "SM.PTE.rsvd", "a reserved field of the PASID table entry is set"},
    {0x5b, "SM.PTE.inv", "the PASID table entry is invalid"},
    {0x5c, "SM.ERE", "an execute request, and the PASID table entry does not enable them"},
    {0x5d, "SM.SRE", "a supervisor request, and the PASID table entry does not enable them"},
    {0x70, "SM.FS", "reading a first-stage paging entry failed"},
    {0x71, "SM.FS.P", "the present bit in a first-stage paging entry is clear"},
    {0x72, "SM.FS.rsvd", "a reserved field of a first-stage paging entry is set"},
    {0x78, "SM.SS", "reading a second-stage paging entry failed"},
    {0x79, "SM.SS.P", "a second-stage paging entry has neither read nor write permission"},
    {0x80, "SM.canonical", "first-stage translation: the address is not canonical"},
    {0x81, "SM.US", "first-stage translation: a user request to a supervisor page"},
    {0x85, "SM.W", "first-stage or second-stage translation: no write permission"},
    {0x86, "SM.R", "first-stage or second-stage translation: no read permission"},
    {0x87, "SM.FEEx", "the address, or what it translates to, falls in the interrupt range"},
};

static const char *find_text(const struct code *codes, size_t count, uint64_t value)
{
    for (size_t i = 0; i < count; i++)
        if (codes[i].value == value)
            return codes[i].text;
    return NULL;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *decode_vtd_reason(uint64_t reason)
{
    const char *text = find_text(vtd_reasons, COUNT(vtd_reasons), reason);

    return text != NULL ? text : "a condition that this program has no words for";
}

// [SMMUv3 7.3]
static const struct code smmu3_events[] = {
    {0x01, "F_UUT", "an unsupported upstream transaction"},
    {0x02, "C_BAD_STREAMID",
     "the stream ID is beyond the stream table, or its level-1 entry is "
     "invalid"},
    {0x03, "F_STE_FETCH", "fetching the stream table entry failed"},
    {0x04, "C_BAD_STE", "the stream table entry is invalid: the stream is not set up"},
    {0x05, "F_BAD_ATS_TREQ", "an ATS translation request that is not allowed"},
    {0x06, "F_STREAM_DISABLED",
     "the stream is disabled: the stream table entry aborts or "
     "substream 0 may not be used"},
    {0x07, "F_TRANSL_FORBIDDEN", "a translated request that the stream is not allowed to make"},
    {0x08, "C_BAD_SUBSTREAMID", "the substream ID (PASID) is out of range or not usable"},
    {0x09, "F_CD_FETCH", "fetching the context descriptor failed"},
    {0x0a, "C_BAD_CD", "the context descriptor is invalid: the address space is not set up"},
    {0x0b, "F_WALK_EABT", "an external abort while walking the page tables"},
    {0x10, "F_TRANSLATION", "no translation: nothing is mapped at the address"},
    {0x11, "F_ADDR_SIZE", "the address, or what it translates to, is beyond the configured size"},
    {0x12, "F_ACCESS", "the access flag of the page is clear"},
    {0x13, "F_PERMISSION", "the page does not permit the access"},
    {0x20, "F_TLB_CONFLICT", "two translations of one address in the TLB"},
    {0x21, "F_CFG_CONFLICT", "two configurations of one stream in the cache"},
    {0x24, "E_PAGE_REQUEST", "a speculative page request"},
    {0x25, "F_VMS_FETCH", "fetching the virtual machine structure failed"},
};

uint64_t decode_smmu3_code(struct span name)
{
    for (size_t i = 0; i < COUNT(smmu3_events); i++)
        if (strlen(smmu3_events[i].name) == name.length_bytes &&
            memcmp(smmu3_events[i].name, name.text, name.length_bytes) == 0)
            return smmu3_events[i].value;
    return 0;
}

const char *decode_smmu3_name(uint64_t code)
{
    for (size_t i = 0; i < COUNT(smmu3_events); i++)
        if (smmu3_events[i].value == code)
            return smmu3_events[i].name;
    return "an event without a name";
}

static void set_number(struct fields *fields, enum field field, uint64_t value)
{
    fields->number[field] = value;
    fields->present |= 1u << field;
}

// [SMMUv3 7.3] Word 0: event 7:0, SSV 11, SubstreamID 31:12, StreamID 63:32. For the faults of
// 7.3.12 to 7.3.16, word 1: RnW 35 (bit 99 of the record); word 2: input address.
void decode_smmu3_event(const uint64_t *words, unsigned int count, struct fields *fields)
{
    uint64_t code = words[0] & 0xff;

    if (count == 0)
        return;
    set_number(fields, FIELD_TYPE, code);
    set_number(fields, FIELD_SID, words[0] >> 32);
    if ((words[0] >> 11 & 1) != 0)
        set_number(fields, FIELD_SSID, words[0] >> 12 & 0xfffff);
    if (code < 0x10 || code > 0x13 || count < 3)
        return;
    set_number(fields, FIELD_ADDRESS, words[2]);
    set_number(fields, FIELD_FSYNR, words[1] >> 32);
    fields->word[FIELD_ACCESS - FIELD_NUMBERS] =
        (words[1] >> 35 & 1) != 0 ? (struct span){"read", 4} : (struct span){"write", 5};
    fields->present |= 1u << FIELD_ACCESS;
}

// [AMD 2.5.2, figure 54 and on] as the kernel prints them: twelve bits.
static const struct code amd_flags[] = {
    {0x001, "GN", "the request carried a guest address (with PASID)"},
    {0x002, "NX", "an execute request"},
    {0x004, "US", "a user request"},
    {0x008, "I", "an interrupt request, not a memory access"},
    {0x010, "PR", "the page is present, so this was a matter of permission"},
    {0x020, "RW", "a write"},
    {0x040, "PE", "the device lacks the permission"},
    {0x080, "RZ", "a reserved bit or a bad type was found in the tables"},
    {0x100, "TR", "a translation request (ATS), not an access"},
};

// [SMMUv2 16.5.5] SMMU_CBn_FSR
static const struct code fsr_flags[] = {
    {0x002, "TF", "translation fault: nothing is mapped at the address"},
    {0x004, "AFF", "the access flag is clear"},
    {0x008, "PF", "the page does not permit the access"},
    {0x010, "EF", "an external abort during the walk"},
    {0x020, "TLBMCF", "two TLB entries match"},
    {0x040, "TLBLKF", "the TLB is locked"},
    {0x080, "ASF", "the address is beyond the configured size"},
    {0x100, "UUT", "an unsupported upstream transaction"},
    {0x40000000, "SS", "the transaction is stalled"},
    {0x80000000, "MULTI", "more faults came before this one was cleared"},
};

// [SMMUv2 16.5.10] SMMU_CBn_FSYNR0
static const struct code fsynr_flags[] = {
    {0x010, "WNR", "a write"},
    {0x020, "PNU", "privileged"},
    {0x040, "IND", "an instruction fetch"},
    {0x100, "NSATTR", "non-secure"},
    {0x400, "PTWF", "during a page-table walk"},
};

// [SMMUv2 9.6.15] SMMU_sGFSR
static const struct code gfsr_flags[] = {
    {0x001, "ICF", "an invalid context bank"},
    {0x002, "USF", "a stream ID that no stream mapping covers"},
    {0x004, "SMCF", "a stream ID that two stream mappings cover"},
    {0x008, "UCBF", "a context bank that does not exist"},
    {0x010, "UCIF", "an interrupt that is not set up"},
    {0x020, "CAF", "an access to the SMMU's registers that is not allowed"},
    {0x040, "EF", "an external abort"},
    {0x080, "PF", "a permission fault"},
    {0x100, "UUT", "an unsupported upstream transaction"},
    {0x80000000, "MULTI", "more faults came before this one was cleared"},
};

struct writer {
    char *text;
    size_t size_bytes;
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *writer, const char *format,
                                                      ...)
{
    va_list args;
    int length;

    if (writer->used + 1 >= writer->size_bytes)
        return;
    va_start(args, format);
    length =
        vsnprintf(writer->text + writer->used, writer->size_bytes - writer->used, format, args);
    va_end(args);
    if (length > 0)
        writer->used += (size_t)length;
    if (writer->used >= writer->size_bytes)
        writer->used = writer->size_bytes - 1;
}

static void put_flags(struct writer *writer, const char *what, uint64_t value,
                      const struct code *codes, size_t count)
{
    const char *separator = ": ";

    put(writer, "%s 0x%llx", what, (unsigned long long)value);
    for (size_t i = 0; i < count; i++) {
        if ((value & codes[i].value) != 0) {
            put(writer, "%s%s, %s", separator, codes[i].name, codes[i].text);
            separator = "; ";
        }
    }
    put(writer, ". ");
}

static void put_smmu3(struct writer *writer, const struct problem *problem)
{
    uint64_t code = problem->fields.number[FIELD_TYPE];
    const char *text = find_text(smmu3_events, COUNT(smmu3_events), code);

    put(writer, "Event 0x%02llx, %s: %s. ", (unsigned long long)code, decode_smmu3_name(code),
        text != NULL ? text : "not in the specification's list");
    if (field_has(&problem->fields, FIELD_SID))
        put(writer, "Stream 0x%llx. ", (unsigned long long)problem->fields.number[FIELD_SID]);
    if (field_has(&problem->fields, FIELD_SSID) && problem->fields.number[FIELD_SSID] != 0)
        put(writer, "Substream (PASID) 0x%llx. ",
            (unsigned long long)problem->fields.number[FIELD_SSID]);
}

static bool kind_is(const struct problem *problem, const char *prefix)
{
    return strncmp(problem->kind, prefix, strlen(prefix)) == 0;
}

static void put_common(struct writer *writer, const struct problem *problem)
{
    const struct fields *fields = &problem->fields;

    if (field_has(fields, FIELD_INDEX) && kind_is(problem, "intel-interrupt"))
        put(writer, "Interrupt index 0x%llx. ", (unsigned long long)fields->number[FIELD_INDEX]);
    if (field_has(fields, FIELD_PASID) && fields->number[FIELD_PASID] != 0 &&
        fields->number[FIELD_PASID] != 0xffffffff)
        put(writer, "PASID 0x%llx. ", (unsigned long long)fields->number[FIELD_PASID]);
    if (field_has(fields, FIELD_DOMAIN))
        put(writer, "Domain 0x%llx. ", (unsigned long long)fields->number[FIELD_DOMAIN]);
    if (problem->text[0] != '\0')
        put(writer, "%.160s. ", problem->text);
}

static void put_access(struct writer *writer, const struct problem *problem)
{
    static const char *const words[] = {NULL, "A read", "A write", "An instruction fetch"};

    if (problem->access != ACCESS_UNKNOWN)
        put(writer, "%s. ", words[problem->access]);
}

void decode_problem(const struct problem *problem, char *out_text, size_t size_bytes)
{
    struct writer writer = {out_text, size_bytes, 0};
    const struct fields *fields = &problem->fields;

    out_text[0] = '\0';
    put_access(&writer, problem);
    if (field_has(fields, FIELD_REASON))
        put(&writer, "Reason %02Xh: %s. ", (unsigned int)fields->number[FIELD_REASON],
            decode_vtd_reason(fields->number[FIELD_REASON]));
    if (kind_is(problem, "intel-invalidation-queue") && field_has(fields, FIELD_TYPE))
        put(&writer,
            "The unit refused the descriptor at the head of the invalidation queue, "
            "error information %Xh. ",
            (unsigned int)fields->number[FIELD_TYPE]);
    if (problem->vendor == VENDOR_AMD && problem->name[0] != '\0')
        put(&writer, "%s. ", problem->name);
    if (problem->vendor == VENDOR_AMD && field_has(fields, FIELD_FLAGS))
        put_flags(&writer, "Flags", problem->flags_any, amd_flags, COUNT(amd_flags));
    if (kind_is(problem, "smmuv3-event"))
        put_smmu3(&writer, problem);
    if (kind_is(problem, "smmuv2-context") && field_has(fields, FIELD_FSR)) {
        put_flags(&writer, "FSR", fields->number[FIELD_FSR], fsr_flags, COUNT(fsr_flags));
        if (field_has(fields, FIELD_FSYNR))
            put_flags(&writer, "FSYNR0", fields->number[FIELD_FSYNR], fsynr_flags,
                      COUNT(fsynr_flags));
    }
    if (kind_is(problem, "smmuv2-global") && field_has(fields, FIELD_FSR))
        put_flags(&writer, "GFSR", fields->number[FIELD_FSR], gfsr_flags, COUNT(gfsr_flags));
    put_common(&writer, problem);
    if (writer.used > 0 && out_text[writer.used - 1] == ' ')
        out_text[writer.used - 1] = '\0';
}
