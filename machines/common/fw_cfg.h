// SPDX-License-Identifier: MIT
/*
 * QEMU's firmware configuration device [QEMU docs/specs/fw_cfg], the memory-mapped kind: files
 * that the emulator has for firmware, and for this kernel where there is none.
 */
#ifndef MACHINE_FW_CFG_H
#define MACHINE_FW_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FW_CFG_NAME_BYTES 56u

struct fw_cfg {
    volatile void *registers;
};

struct fw_cfg_file {
    uint32_t bytes;
    uint16_t key;
};

/** False when no such device answers there. */
bool fw_cfg_open(struct fw_cfg *device, uint64_t phys);
/** Finds a file; the name need not end with a zero byte when it fills all FW_CFG_NAME_BYTES. */
bool fw_cfg_find(const struct fw_cfg *device, const char *name, struct fw_cfg_file *out);
/** Reads the file's first `bytes` bytes. */
void fw_cfg_read(const struct fw_cfg *device, const struct fw_cfg_file *file, void *out,
                 size_t bytes);

#endif
