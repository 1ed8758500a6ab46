// SPDX-License-Identifier: MIT
// `sluice acpi` inside: where tables come from, and the two ways to show them.
//
//   acpi.c   the command line            text*.c  for people
//   input.c  files, directories          json*.c  for programs (docs/acpi.schema.json)
//   dump.c   the text of acpidump
#ifndef SLUICE_CLI_ACPI_TABLES_H
#define SLUICE_CLI_ACPI_TABLES_H

#include "../cli.h"
#include "../output.h"

#include <sluice/acpi.h>
#include <sluice/lint.h>

// One table as it was found.
struct acpi_input {
    char *name; // file, or "file: SIGN" in a dump
    uint8_t *data;
    size_t size_bytes;
};

struct acpi_inputs {
    struct acpi_input *items;
    size_t count;
    size_t room;
    unsigned int skipped; // tables and files of no interest here, in directories and dumps
    bool failed;          // something that was asked for could not be read; said already
};

// Read a file, a directory, "-" (standard input) or, with NULL, this machine's tables.
void acpi_read(struct acpi_inputs *inputs, const char *path);
void acpi_inputs_free(struct acpi_inputs *inputs);

// Take over `data`; used by input.c and dump.c. False when out of memory.
bool acpi_inputs_add(struct acpi_inputs *inputs, const char *name, uint8_t *data,
                     size_t size_bytes);

// Whether these are the signatures that the command decodes.
bool acpi_signature_known(const uint8_t *signature);

// dump.c: whether bytes are the text of acpidump, and the tables in it.
bool acpi_is_dump(const uint8_t *data, size_t size_bytes);
void acpi_read_dump(struct acpi_inputs *inputs, const char *name, const uint8_t *data,
                    size_t size_bytes);

// What is shown, and what was found on the way.
struct acpi_view {
    struct cli_out out;
    bool lint;
    unsigned int findings[SLUICE_LINT_ERROR + 1]; // by severity
    unsigned int malformed;                       // places that could not be read
};

// Text of one table; `table` was opened from `input`.
void acpi_text(struct acpi_view *view, const struct acpi_input *input,
               const struct sluice_acpi_table *table);
void acpi_text_ivrs(struct acpi_view *view, const struct sluice_acpi_table *table);
void acpi_text_iort(struct acpi_view *view, const struct sluice_acpi_table *table);
void acpi_text_rimt(struct acpi_view *view, const struct sluice_acpi_table *table);
void acpi_text_viot(struct acpi_view *view, const struct sluice_acpi_table *table);
// A place that a walk refused.
void acpi_text_malformed(struct acpi_view *view, const struct sluice_acpi_error *error);
void acpi_text_size(FILE *stream, uint64_t size_bytes);

// The JSON object of one table; NULL when out of memory.
json_t *acpi_json(struct acpi_view *view, const struct acpi_input *input,
                  const struct sluice_acpi_table *table);
json_t *acpi_json_ivrs(struct acpi_view *view, const struct sluice_acpi_table *table,
                       json_t *errors);
json_t *acpi_json_iort(struct acpi_view *view, const struct sluice_acpi_table *table,
                       json_t *errors);
json_t *acpi_json_rimt(struct acpi_view *view, const struct sluice_acpi_table *table,
                       json_t *errors);
json_t *acpi_json_viot(struct acpi_view *view, const struct sluice_acpi_table *table,
                       json_t *errors);
void acpi_json_error(struct acpi_view *view, json_t *errors, const struct sluice_acpi_error *error);
// A number that may be larger than a double holds: "0x..." text.
json_t *acpi_json_hex(uint64_t value);
// Up to 64 bytes of an identifier; those outside ASCII become the characters of their numbers
// (Latin-1), so that none is lost.
json_t *acpi_json_bytes(const char *text, size_t most_bytes);
// "bb:dd.f".
json_t *acpi_json_rid(uint16_t rid);

#endif
