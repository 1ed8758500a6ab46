// SPDX-License-Identifier: MIT
/*
 * Stands in for libfdt's header where src/devicetree is compiled into a machine: what it asks of
 * libfdt, from fdt_part.c. There is no libfdt to link there: Debian's is built for a hosted C
 * library, with floating-point registers and stack protection, and on RISC-V with another ABI than
 * a kernel has. tests/machines/test_fdt.c holds fdt_part.c against the real one.
 */
#ifndef MACHINE_LIBFDT_H
#define MACHINE_LIBFDT_H

#include "fdt_part.h"

#define FDT_MAGIC 0xd00dfeedu

/** [DT 5.2] */
struct fdt_header {
    uint32_t words[10];
};

#define fdt_magic(fdt)                              machine_fdt_word(fdt, 0)
#define fdt_totalsize(fdt)                          machine_fdt_word(fdt, 1)
#define fdt_version(fdt)                            machine_fdt_word(fdt, 5)
#define fdt_check_full(fdt, bytes)                  machine_fdt_check(fdt, bytes)
#define fdt_strerror(error)                         machine_fdt_error(error)
#define fdt_next_node(fdt, node, depth)             machine_fdt_next_node(fdt, node, depth)
#define fdt_get_name(fdt, node, length)             machine_fdt_name(fdt, node, length)
#define fdt_first_property_offset(fdt, node)        machine_fdt_first_property(fdt, node)
#define fdt_next_property_offset(fdt, at)           machine_fdt_next_property(fdt, at)
#define fdt_getprop_by_offset(fdt, at, name, bytes) machine_fdt_property(fdt, at, name, bytes)
#define fdt_for_each_property_offset(at, fdt, node)                                                \
    for (at = fdt_first_property_offset(fdt, node); at >= 0; at = fdt_next_property_offset(fdt, at))

#endif
