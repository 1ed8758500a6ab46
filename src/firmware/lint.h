// SPDX-License-Identifier: MIT
/*
 * The linter's inside: the list of rules, and how a check reports.
 *
 *   lint.c       rules, reporting, what all tables share
 *   lint_dmar.c  DMAR
 *   lint_ivrs.c  IVRS
 *   lint_iort.c  IORT
 *   lint_nodes.c RIMT, VIOT
 */
#ifndef SLUICE_FIRMWARE_LINT_H
#define SLUICE_FIRMWARE_LINT_H

#include "core/log.h"

#include <sluice/lint.h>

/** More structures than this are not compared with one another: no real table comes near. */
#define LINT_COMPARED_MAX 256u

/** Name, severity, advice. The names are public and stay. */
#define LINT_RULES(RULE)                                                                           \
    RULE(CHECKSUM, "checksum", WARNING,                                                            \
         "Ask for a firmware update; something wrote to the table after it was made.")             \
    RULE(MALFORMED, "malformed", ERROR,                                                            \
         "What follows cannot be trusted; ask for a firmware update.")                             \
    RULE(RESERVED, "reserved-bits", INFO,                                                          \
         "Newer firmware may mean something by it; nothing needs to be done.")                     \
    RULE(UNKNOWN_STRUCTURE, "structure-unknown", INFO,                                             \
         "It is skipped; a newer version of this tool may know it.")                               \
    RULE(TOO_MANY, "too-many-structures", WARNING,                                                 \
         "No machine has so many; the table was probably damaged.")                                \
    RULE(HAW, "address-width-absurd", WARNING,                                                     \
         "No machine has physical addresses of this width; ask for a firmware update.")            \
    RULE(NO_UNITS, "no-units", WARNING,                                                            \
         "The table describes no IOMMU; turn VT-d or the IOMMU on in the firmware's set-up.")      \
    RULE(UNIT_BASE_ZERO, "unit-base-zero", ERROR,                                                  \
         "Firmware did not give the unit an address; it cannot be used. Ask for a firmware "       \
         "update, or leave the device behind it without untrusted peripherals.")                   \
    RULE(UNIT_BASE_ABSURD, "unit-base-absurd", ERROR,                                              \
         "No registers can be there; the unit cannot be used. Ask for a firmware update.")         \
    RULE(UNIT_DUPLICATE, "unit-duplicate", ERROR,                                                  \
         "Two descriptions of one unit contradict each other; ask for a firmware update.")         \
    RULE(UNIT_OVERLAP, "unit-overlap", ERROR,                                                      \
         "Registers of two units overlap; one of the addresses is wrong.")                         \
    RULE(UNIT_SIZE, "unit-size-nonzero", INFO,                                                     \
         "The unit has more than one page of registers, which older systems ignore.")              \
    RULE(UNIT_EMPTY, "unit-without-devices", WARNING,                                              \
         "The unit covers nothing: devices that belong to it are left to another, or to none.")    \
    RULE(INCLUDE_ALL_MISSING, "include-all-missing", INFO,                                         \
         "Devices that no unit names are not covered by any; check which are left over.")          \
    RULE(INCLUDE_ALL_TWICE, "include-all-twice", ERROR,                                            \
         "Two units of one segment claim the rest of it; which one is right cannot be known.")     \
    RULE(INCLUDE_ALL_ORDER, "include-all-not-last", WARNING,                                       \
         "Systems that stop at the first match give its devices to the wrong unit.")               \
    RULE(REGION_INVERTED, "region-inverted", ERROR,                                                \
         "The region ends before it begins and cannot be honoured; ask for a firmware update.")    \
    RULE(REGION_BASE_ZERO, "region-base-zero", WARNING,                                            \
         "Firmware left a placeholder; systems map page 0 for the device, or refuse the table.")   \
    RULE(REGION_UNALIGNED, "region-unaligned", WARNING,                                            \
         "Whole pages are given to the device: more than firmware asked for.")                     \
    RULE(REGION_HUGE, "region-huge", WARNING,                                                      \
         "The device reaches this much memory without protection; check that it is meant.")        \
    RULE(REGION_EMPTY, "region-empty", WARNING, "It reserves nothing; ask for a firmware update.") \
    RULE(REGION_OVERLAP, "region-overlap", INFO,                                                   \
         "The devices share this memory, and with it a way around their separation.")              \
    RULE(REGION_NO_DEVICE, "region-without-devices", WARNING,                                      \
         "Reserved memory that belongs to no device is of no use; ask for a firmware update.")     \
    RULE(REGION_UNCOVERED, "region-device-uncovered", WARNING,                                     \
         "No unit covers the device, so the region means nothing.")                                \
    RULE(SCOPE_DUPLICATE, "scope-duplicate", WARNING,                                              \
         "A device cannot be behind two units; systems take the first.")                           \
    RULE(SCOPE_PATH, "scope-without-path", ERROR,                                                  \
         "The device cannot be found; systems refuse the table or skip it.")                       \
    RULE(SCOPE_UNKNOWN, "scope-type-unknown", INFO,                                                \
         "It is skipped; a newer version of this tool may know it.")                               \
    RULE(SCOPE_DEVICE, "scope-device-absurd", ERROR,                                               \
         "A PCI device number is below 32 and a function below 8; the entry is damaged.")          \
    RULE(IOAPIC_MISSING, "ioapic-missing", WARNING,                                                \
         "Interrupts of the IOAPIC cannot be remapped; systems leave interrupt remapping off. "    \
         "Ask for a firmware update.")                                                             \
    RULE(HPET_MISSING, "hpet-missing", WARNING,                                                    \
         "The HPET's interrupts cannot be remapped; it is left unused, or must be.")               \
    RULE(X2APIC_OPT_OUT, "x2apic-opt-out-alone", INFO,                                             \
         "It asks to stay out of a mode that cannot be entered without interrupt remapping.")      \
    RULE(AFFINITY_UNKNOWN, "affinity-unknown-unit", WARNING,                                       \
         "It names a unit that is not there; memory for the real one is placed anywhere.")         \
    RULE(ACPI_NAME_MISSING, "acpi-name-missing", WARNING,                                          \
         "A scope names an ACPI device that no ANDD describes; the device stays uncovered.")       \
    RULE(UNIT_MISMATCH, "unit-types-disagree", WARNING,                                            \
         "Older and newer systems see different units; ask for a firmware update.")                \
    RULE(EFR_MISMATCH, "features-disagree", WARNING,                                               \
         "Descriptions of one unit tell different features; systems trust the registers.")         \
    RULE(RANGE_OPEN, "range-without-end", ERROR,                                                   \
         "How far the range reaches cannot be known; ask for a firmware update.")                  \
    RULE(RANGE_INVERTED, "range-inverted", ERROR,                                                  \
         "The range ends before it begins; its devices are not covered.")                          \
    RULE(SPECIAL_DUPLICATE, "special-duplicate", WARNING,                                          \
         "Two requester IDs for one IOAPIC or HPET; systems take the last, or refuse both.")       \
    RULE(NODE_COUNT, "node-count-wrong", WARNING,                                                  \
         "Systems that believe the count miss nodes, or read past them.")                          \
    RULE(REFERENCE_BROKEN, "reference-broken", ERROR,                                              \
         "It leads to no node; devices that take this way have no IOMMU. Ask for an update.")      \
    RULE(REFERENCE_KIND, "reference-to-wrong-kind", ERROR,                                         \
         "It leads to a node that is no IOMMU and no interrupt controller.")                       \
    RULE(MAPPING_LOOP, "mapping-loop", ERROR,                                                      \
         "IDs go in a circle and reach nothing; systems without a limit hang.")                    \
    RULE(MAPPING_OVERLAP, "mapping-overlap", WARNING,                                              \
         "An ID has two ways; systems take the first, which may be the wrong one.")                \
    RULE(MAPPING_WRAPS, "mapping-wraps", ERROR,                                                    \
         "The range of IDs passes the largest number; ask for a firmware update.")                 \
    RULE(ENTRY_UNKNOWN, "entry-unknown", INFO,                                                     \
         "It is skipped; a newer version of this tool may know it.")

enum lint_rule {
#define LINT_ENUM(id, name, severity, advice) LINT_##id,
    LINT_RULES(LINT_ENUM)
#undef LINT_ENUM
    LINT_RULE_COUNT
};

/** As far as a search through the structures goes; a table with more gets TOO_MANY. */
#define LINT_SEARCHED_MAX (4 * LINT_COMPARED_MAX)

struct lint {
    const struct sluice_acpi_table *table;
    sluice_lint_sink *sink;
    void *arg;
};

__attribute__((format(printf, 4, 5))) void lint_say(const struct lint *lint, enum lint_rule rule,
                                                    uint32_t offset, const char *format, ...);

/** Says what a walk has refused. */
void lint_malformed(const struct lint *lint, const struct sluice_acpi_error *error);

/** Checks a region of memory as firmware reserves it; `last` is inclusive. */
void lint_region(const struct lint *lint, uint32_t offset, uint64_t base, uint64_t last);

void lint_dmar(const struct lint *lint);
void lint_dmar_scopes(const struct lint *lint);
void lint_ivrs(const struct lint *lint);
void lint_iort(const struct lint *lint);
void lint_rimt(const struct lint *lint);
void lint_viot(const struct lint *lint);

#endif
