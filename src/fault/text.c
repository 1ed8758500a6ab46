// SPDX-License-Identifier: MIT
/*
 * Faults in words.
 */
#include "fault/fault.h"

const char *sluice_fault_reason_text(enum sluice_fault_reason reason)
{
    static const char *const words[SLUICE_FAULT_REASON_COUNT] = {
        [SLUICE_FAULT_OTHER] = "other",
        [SLUICE_FAULT_BLOCKED] = "blocked",
        [SLUICE_FAULT_NOT_MAPPED] = "not mapped",
        [SLUICE_FAULT_READ_DENIED] = "read denied",
        [SLUICE_FAULT_WRITE_DENIED] = "write denied",
        [SLUICE_FAULT_OUT_OF_RANGE] = "address out of range",
        [SLUICE_FAULT_BAD_ENTRY] = "malformed table entry",
        [SLUICE_FAULT_TABLE_ACCESS] = "table not readable",
        [SLUICE_FAULT_REQUEST_TYPE] = "kind of request not allowed",
        [SLUICE_FAULT_INTERRUPT] = "interrupt refused",
    };

    if ((unsigned)reason >= SLUICE_FAULT_REASON_COUNT)
        return "unknown";
    return words[reason];
}

static const char *access_text(enum sluice_access access)
{
    static const char *const words[] = {
        [SLUICE_ACCESS_READ] = "read",       [SLUICE_ACCESS_WRITE] = "write",
        [SLUICE_ACCESS_EXECUTE] = "execute", [SLUICE_ACCESS_ATOMIC] = "atomic operation",
        [SLUICE_ACCESS_UNKNOWN] = "access",
    };

    return (unsigned)access <= SLUICE_ACCESS_UNKNOWN ? words[access] : "access";
}

struct line {
    char *at;
    size_t bytes;
    size_t length; /* of the whole text, also of what did not fit */
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
    size_t used = line->length < line->bytes ? line->length : line->bytes;
    va_list args;

    va_start(args, format);
    line->length += format_text_va(line->at + used, line->bytes - used, format, args);
    va_end(args);
}

/* The largest unit in which it is not less than ten, so that two digits count at least. */
static void add_time(struct line *line, uint64_t ns)
{
    if (ns >= (uint64_t)10000000000)
        add(line, "%llu s", (unsigned long long)(ns / 1000000000));
    else if (ns >= 10000000)
        add(line, "%llu ms", (unsigned long long)(ns / 1000000));
    else
        add(line, "%llu us", (unsigned long long)(ns / 1000));
}

static void add_unmapped(struct line *line, const struct sluice_fault_record *record)
{
    if (record->unmap_unconfirmed) {
        add(line, "being unmapped, which no unit has confirmed");
        return;
    }
    add(line, "unmapped %s", record->unmapped_slack_ns != 0 ? "at least " : "");
    add_time(line, record->unmapped_ago_ns);
    add(line, " ago");
    if (record->unmapped_slack_ns != 0 && record->unmapped_slack_ns != UINT64_MAX) {
        add(line, " and at most ");
        add_time(line, record->unmapped_slack_ns);
        add(line, " more");
    }
}

static void add_history(struct line *line, const struct sluice_fault_record *record)
{
    switch (record->history) {
    case SLUICE_ADDRESS_MAPPED:
        add(line, "; mapped now");
        return;
    case SLUICE_ADDRESS_UNMAPPED:
        add(line, "; ");
        add_unmapped(line, record);
        return;
    case SLUICE_ADDRESS_NEVER_MAPPED:
        add(line, "; never mapped");
        return;
    case SLUICE_ADDRESS_NOT_MAPPED:
        add(line, "; not mapped now, nor among the last %llu unmaps",
            (unsigned long long)record->unmaps_known);
        return;
    default:
        return;
    }
}

size_t sluice_fault_text(const struct sluice_fault_record *record, char *buffer, size_t bytes)
{
    const struct sluice_fault *fault = &record->fault;
    struct line line = {.at = buffer, .bytes = bytes};

    if (record->device[0] != 0)
        add(&line, "%s", record->device);
    else
        add(&line, "%s: source %#x, of no known device", fault->unit, (unsigned)fault->source);
    if (fault->pasid != SLUICE_NO_PASID)
        add(&line, ", PASID %#x", (unsigned)fault->pasid);
    add(&line, ": %s",
        fault->reason == SLUICE_FAULT_INTERRUPT ? "interrupt message" : access_text(fault->access));
    if (fault->interrupt_index_valid)
        add(&line, " for entry %u", (unsigned)fault->interrupt_index);
    if (fault->address_valid)
        add(&line, " at %#llx", (unsigned long long)fault->address);
    if (fault->intermediate_valid)
        add(&line,
            fault->intermediate_of_walk ? ", whose tables lie at intermediate %#llx"
                                        : ", intermediate %#llx",
            (unsigned long long)fault->intermediate);
    add(&line, ": %s (%s %#x: %s)", sluice_fault_reason_text(fault->reason), fault->unit,
        (unsigned)fault->hardware_code, fault->hardware_text != NULL ? fault->hardware_text : "?");
    if (record->domain[0] != 0)
        add(&line, "; domain '%s'", record->domain);
    add_history(&line, record);
    if (fault->records_lost)
        add(&line, "; the unit lost others");
    return line.length;
}
