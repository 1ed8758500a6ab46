// SPDX-License-Identifier: MIT
/*
 * Finds ACPI tables by signature, with their lengths and checksums checked. Finding tables is the
 * host's work; what is in them is the library's.
 */
#ifndef MACHINE_ACPI_H
#define MACHINE_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The `index`th table called `signature`, or NULL. Includes the header; length in bytes. */
const uint8_t *machine_acpi_find(const char *signature, unsigned index, uint64_t *out_length);

/** The `index`th table, whatever it is called; false past the last. Damaged ones are NULL. */
bool machine_acpi_table(unsigned index, const uint8_t **out_table, uint64_t *out_length);

#endif
