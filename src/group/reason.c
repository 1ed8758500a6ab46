// SPDX-License-Identifier: MIT
/*
 * Why the members of a group are together, as data and as sentences.
 */
#include "group/group.h"

static bool reason_of(const struct group_function *function, enum sluice_group_cause cause,
                      struct sluice_group_reason *out)
{
    if ((function->causes & (1u << cause)) == 0)
        return false;
    *out = (struct sluice_group_reason){
        .cause = cause, .segment = function->segment, .rid = function->rid};
    if (cause == SLUICE_GROUP_PORT || cause == SLUICE_GROUP_FUNCTION) {
        out->lacks = function->lacks;
        out->refused = function->refused;
    } else if (cause == SLUICE_GROUP_ALIAS || cause == SLUICE_GROUP_NUMBERING) {
        out->other_rid = function->other_rid;
        out->source = function->source;
    } else if (cause == SLUICE_GROUP_SHARED_ID) {
        out->shared_id = function->first_id;
    }
    return true;
}

unsigned group_reasons_of(const struct group_function *function)
{
    struct sluice_group_reason reason;
    unsigned count = 0;

    for (unsigned cause = 0; cause <= SLUICE_GROUP_UNSEEN; cause++)
        count += reason_of(function, (enum sluice_group_cause)cause, &reason);
    return count;
}

bool group_reason_at(const struct group_map *map, uint32_t leader, unsigned index,
                     struct sluice_group_reason *out)
{
    const struct group_function *group = &map->functions[leader], *function;
    uint32_t first = 0, end = group->members;

    if (index >= group->reasons)
        return false;
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;

        if (map->functions[map->members[group->first + middle]].reasons_end <= index)
            first = middle + 1;
        else
            end = middle;
    }
    function = &map->functions[map->members[group->first + first]];
    index -= function->reasons_end - group_reasons_of(function);
    for (unsigned cause = 0; cause <= SLUICE_GROUP_UNSEEN; cause++) {
        if (reason_of(function, (enum sluice_group_cause)cause, out) && index-- == 0)
            return true;
    }
    return false;
}

struct bit_name {
    uint16_t bit;
    const char *name;
};

/** ", source validation, request redirect" and so on; returns the length that it would have. */
static size_t list_bits(uint16_t lacks, char *buffer, size_t bytes)
{
    static const struct bit_name names[] = {
        {SLUICE_ACS_SOURCE_VALIDATION, "source validation (SV)"},
        {SLUICE_ACS_REQUEST_REDIRECT, "request redirect (RR)"},
        {SLUICE_ACS_COMPLETION_REDIRECT, "completion redirect (CR)"},
        {SLUICE_ACS_UPSTREAM_FORWARDING, "upstream forwarding (UF)"},
    };
    size_t length = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((lacks & names[i].bit) != 0)
            length += format_text(buffer + length, length < bytes ? bytes - length : 0, "%s%s",
                                  length != 0 ? ", " : "", names[i].name);
        if (length >= bytes)
            break;
    }
    return length;
}

static size_t text_of_lack(const struct sluice_group_reason *reason, char *buffer, size_t bytes)
{
    const char *what = reason->cause == SLUICE_GROUP_PORT ? "port " : "function ";
    const char *effect = reason->cause == SLUICE_GROUP_PORT
                             ? "requests from below it may go past the IOMMU"
                             : "it may send to the other functions of its device";
    char bits[128] = "";

    if ((reason->lacks & SLUICE_ACS_NONE) != 0)
        return format_text(buffer, bytes, "%s" LOG_RID " has no access control services (ACS): %s",
                           what, LOG_RID_ARGS(reason->segment, reason->rid), effect);
    if (list_bits(reason->lacks, bits, sizeof(bits)) == 0)
        return format_text(buffer, bytes,
                           "%s" LOG_RID " has ACS direct translated requests (DT) on: %s", what,
                           LOG_RID_ARGS(reason->segment, reason->rid), effect);
    return format_text(buffer, bytes, "%s" LOG_RID " lacks ACS %s%s: %s", what,
                       LOG_RID_ARGS(reason->segment, reason->rid), bits,
                       reason->refused ? ", which did not turn on" : "", effect);
}

size_t sluice_group_reason_text(const struct sluice_group_reason *reason, char *buffer,
                                size_t bytes)
{
    uint16_t segment = reason->segment;

    switch (reason->cause) {
    case SLUICE_GROUP_PORT:
    case SLUICE_GROUP_FUNCTION:
        return text_of_lack(reason, buffer, bytes);
    case SLUICE_GROUP_BRIDGE:
        return format_text(buffer, bytes,
                           "bridge " LOG_RID " leads to conventional PCI: what is below it shares "
                           "a bus and a requester ID",
                           LOG_RID_ARGS(segment, reason->rid));
    case SLUICE_GROUP_ALIAS:
        return format_text(buffer, bytes, "requests of " LOG_RID " also come as " LOG_RID " (%s)",
                           LOG_RID_ARGS(segment, reason->rid),
                           LOG_RID_ARGS(segment, reason->other_rid),
                           reason->source != NULL ? reason->source : "firmware says so");
    case SLUICE_GROUP_SHARED_ID:
        return format_text(buffer, bytes, "the unit sees more than one device under its ID %#x",
                           (unsigned)reason->shared_id);
    case SLUICE_GROUP_NUMBERING:
        return format_text(buffer, bytes, "bridges " LOG_RID " and " LOG_RID " claim the same bus",
                           LOG_RID_ARGS(segment, reason->other_rid),
                           LOG_RID_ARGS(segment, reason->rid));
    default:
        return format_text(buffer, bytes,
                           "segment %04x: without configuration space nobody knows which devices "
                           "reach each other",
                           (unsigned)segment);
    }
}

void group_log_reasons(struct sluice *sluice, enum sluice_log_level level, uint32_t leader)
{
    struct sluice_group_reason reason;
    char text[GROUP_REASON_BYTES];

    for (unsigned i = 0; group_reason_at(sluice->groups, leader, i, &reason); i++) {
        (void)sluice_group_reason_text(&reason, text, sizeof(text));
        log_line(sluice, level, "  %s", text);
    }
}
