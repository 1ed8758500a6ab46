// SPDX-License-Identifier: MIT
// Takes the reserved regions out of firmware tables (DMAR, IVRS, IORT), so that addresses can be
// compared with them. Nothing else of the tables is looked at. Called by explain.c.
#ifndef SLUICE_CLI_EXPLAIN_RESERVED_H
#define SLUICE_CLI_EXPLAIN_RESERVED_H

#include "context.h"

// Read one table. Returns whether it is one of the three and not damaged; a structure that does
// not fit ends the reading.
bool reserved_read_table(struct context *context, const unsigned char *table, size_t length_bytes);

// Read all tables in a folder, as /sys/firmware/acpi/tables or a copy of it. Returns how many
// tables were of use, or -1 with errno where the folder could not be read; `*out_denied` counts
// files that may not be read.
int reserved_read_folder(struct context *context, const char *folder, unsigned int *out_denied);

#endif
