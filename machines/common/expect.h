// SPDX-License-Identifier: MIT
/*
 * What a kind of unit, as the emulators have it, can be expected to tell. The only place of
 * machines/common that knows kinds apart; scenarios ask for properties.
 */
#ifndef MACHINE_EXPECT_H
#define MACHINE_EXPECT_H

#include <stdbool.h>

struct expectation {
    const char *driver; /* sluice_unit_info.driver */
    const char *word;   /* of the command line, that it holds for; NULL: any */
    const char *remark; /* why something is not expected; NULL when all is */
    const char *cached_remark;
    const char *buses_remark;
    const char *messages_remark;
    const char *sources_remark;
    const char *pins_remark;
    const char *written_remark;
    const char *notice_remark;
    const char *takeover_remark;
    const char *blocked_remark;
    const char *range_remark;
    const char *silence_remark;
    const char *loss_remark;
    bool logs_faults;
    /* It logs accesses of a device that belongs to no domain, with their address; if not:
     * blocked_remark. */
    bool logs_blocked;
    /* And accesses to addresses that are wider than the domain; if not: range_remark. */
    bool logs_out_of_range;
    /* Its tables have entries that allow writing alone. */
    bool maps_write_only;
    /* Interrupt messages pass, whatever domain a device is in, and when it is in none. */
    bool messages_always_pass;
    /* Its log has different codes for "nothing is mapped" and "mapped without permission". */
    bool tells_unmapped_from_denied;
    /* It also logs accesses that a translation in its cache denies; if not: cached_remark. */
    bool logs_denied_when_cached;
    /* Devices behind bridges arrive under an ID of their own bus; if not: buses_remark. */
    bool tells_buses_apart;
    /* Interrupt messages of the older format are refused while others are remapped; if not:
     * messages_remark. */
    bool refuses_older_messages;
    /* A message that a device writes by DMA is known to be that device's; if not:
     * sources_remark. */
    bool tells_message_sources;
    /* Such a message is logged when it is refused; if not: written_remark. */
    bool logs_written_messages;
    /* A message names an entry of its sender's: another device's message is none, and no fault. */
    bool entries_are_the_senders;
    /* Its log says whether a stopped access was a read or a write. */
    bool tells_access;
    /* It raises an interrupt of its own for faults; if not: notice_remark. */
    bool raises_notice;
    /* It can be told not to record one device's faults; if not: silence_remark. */
    bool can_silence;
    /* Where it had no room for records it says so; if not: loss_remark. */
    bool admits_losses;
    /* It can be taken over without a device losing its reserved memory for a moment; if not:
     * takeover_remark. */
    bool hands_over_seamlessly;
};

/** Never NULL: for a driver that is not in the table everything is expected. */
const struct expectation *expectation_of(const char *driver);

#endif
