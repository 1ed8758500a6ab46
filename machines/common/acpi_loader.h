// SPDX-License-Identifier: MIT
/*
 * Puts the ACPI tables together that QEMU has for firmware, where no firmware did it: a script of
 * commands (etc/table-loader [QEMU docs/specs/fw_cfg]) says which files to place in
 * memory, where to add their addresses, and what to sum up.
 *
 * To be run after the buses are numbered: the emulator writes the tables when they are first read,
 * and some of them name buses.
 */
#ifndef MACHINE_ACPI_LOADER_H
#define MACHINE_ACPI_LOADER_H

#include <stdint.h>

/** Physical address of the root pointer, or 0 when there are no tables or their script is bad. */
uint64_t acpi_load(uint64_t fw_cfg_phys);

#endif
