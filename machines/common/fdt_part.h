// SPDX-License-Identifier: MIT
/*
 * What src/devicetree asks of libfdt, over the machine's own reader: the functions mean what those
 * of libfdt mean that libfdt/libfdt.h names beside them, offsets are offsets into the structure
 * block, and errors are negative. machine_fdt_check comes first; the others take a blob that it
 * found good.
 */
#ifndef MACHINE_FDT_PART_H
#define MACHINE_FDT_PART_H

#include <stddef.h>
#include <stdint.h>

/** The index-th word of the header [DT 5.2]. */
uint32_t machine_fdt_word(const void *fdt, unsigned index);

/** 0 when every token of a version 17 tree fits and nodes are nested as they begin; else why not.
 */
int machine_fdt_check(const void *fdt, size_t bytes);
const char *machine_fdt_error(int error);

/** Begin with -1; *depth, which may be NULL, follows. */
int machine_fdt_next_node(const void *fdt, int node, int *depth);
const char *machine_fdt_name(const void *fdt, int node, int *out_length);

int machine_fdt_first_property(const void *fdt, int node);
int machine_fdt_next_property(const void *fdt, int property);
const void *machine_fdt_property(const void *fdt, int property, const char **out_name,
                                 int *out_bytes);

#endif
