// SPDX-License-Identifier: MIT
/*
 * From a table to the platform description: one function a table, called by platform.c with a
 * description of its own to append to, which is thrown away on an error.
 */
#ifndef SLUICE_FIRMWARE_PLATFORM_TABLE_H
#define SLUICE_FIRMWARE_PLATFORM_TABLE_H

#include "core/instance.h"

#include <sluice/acpi.h>

/** What the readers share. */
struct platform_reader {
    struct sluice *sluice;
    struct platform *platform;
    const struct sluice_acpi_table *table;
};

/** Logs what is wrong with the table and returns FIRMWARE. */
enum sluice_status platform_malformed(const struct platform_reader *reader,
                                      const struct sluice_acpi_error *error);

/** Frees a list of struct platform_scope. */
void platform_free_scopes(struct sluice *sluice, struct list_node *scopes);

/** The same for something that a parser let pass. */
enum sluice_status platform_refused(const struct platform_reader *reader, uint32_t offset,
                                    const char *what);

/** Appends an empty one, to be filled in. Returns: OK; NO_MEMORY. */
enum sluice_status platform_make_unit(const struct platform_reader *reader, uint32_t offset,
                                      struct platform_unit **out);
enum sluice_status platform_make_scope(struct sluice *sluice, struct list_node *scopes,
                                       enum platform_scope_kind kind, uint32_t offset,
                                       struct platform_scope **out);
/**
 * Appends a copy of `what`, whose range does not end before it begins, for nobody yet.
 * Returns: OK; FIRMWARE (more than would be kept mapped; logged); NO_MEMORY.
 */
enum sluice_status platform_make_reserved(const struct platform_reader *reader,
                                          const struct platform_reserved *what,
                                          struct platform_reserved **out);

/** Appends a copy. Returns: OK (also when there are too many: those are known to nobody);
 * NO_MEMORY. */
enum sluice_status platform_make_senders(struct sluice *sluice, struct platform *platform,
                                         const struct platform_senders *from);
enum sluice_status platform_make_doorbell(struct sluice *sluice, struct platform *platform,
                                          sluice_phys_t first, sluice_phys_t last);

/** The unit that this table describes at an offset; NULL: none. */
struct platform_unit *platform_unit_at(const struct platform_reader *reader, uint32_t offset);

enum sluice_status platform_read_dmar(const struct platform_reader *reader);
enum sluice_status platform_read_iort(const struct platform_reader *reader);
enum sluice_status platform_read_ivrs(const struct platform_reader *reader);
enum sluice_status platform_read_madt(const struct platform_reader *reader);
enum sluice_status platform_read_mcfg(const struct platform_reader *reader);
enum sluice_status platform_read_rimt(const struct platform_reader *reader);
enum sluice_status platform_read_viot(const struct platform_reader *reader);

struct sluice_iort_node;
struct sluice_iort_mapping;
/** Where a mapping of a root complex leads messages of its functions [IORT 3.1]. */
enum sluice_status platform_iort_functions(const struct platform_reader *reader,
                                           const struct sluice_iort_node *node,
                                           const struct sluice_iort_mapping *mapping,
                                           const struct sluice_iort_node *to);
/** The same for the device of a scope, whose source IDs at the unit are `scope`'s. */
enum sluice_status platform_iort_device(const struct platform_reader *reader,
                                        struct platform_scope *scope,
                                        const struct sluice_iort_node *to);

/** Whether any table of this signature is read at all. */
bool platform_knows_table(const char *signature);

#endif
