// SPDX-License-Identifier: MIT
#include "fw_cfg.h"

#include "arch.h"
#include "mmio.h"
#include "string.h"

#define REGISTER_BYTES 24u
#define REG_DATA       0u
#define REG_SELECTOR   8u /* big-endian */
#define KEY_SIGNATURE  0x0000u
#define KEY_DIRECTORY  0x0019u
#define FILES_LIMIT    256u

struct directory_entry {
    uint8_t bytes[4], key[2], reserved[2]; /* big-endian */
    char name[FW_CFG_NAME_BYTES];
};
_Static_assert(sizeof(struct directory_entry) == 64, "[QEMU docs/specs/fw_cfg]");

static void select_key(const struct fw_cfg *device, uint16_t key)
{
    mmio_write16(device->registers, REG_SELECTOR, (uint16_t)(key << 8 | key >> 8));
}

/* The data register hands bytes over in their order, whatever the width. */
static void take(const struct fw_cfg *device, void *out, size_t bytes)
{
    uint8_t *to = out;
    for (; bytes >= 8; bytes -= 8, to += 8) {
        uint64_t eight = mmio_read64(device->registers, REG_DATA);
        memcpy(to, &eight, 8);
    }
    for (; bytes > 0; bytes--)
        *to++ = mmio_read8(device->registers, REG_DATA);
}

bool fw_cfg_open(struct fw_cfg *device, uint64_t phys)
{
    uint8_t signature[4];
    device->registers = arch_map_mmio(phys, REGISTER_BYTES);
    select_key(device, KEY_SIGNATURE);
    take(device, signature, sizeof(signature));
    return memcmp(signature, "QEMU", 4) == 0;
}

static bool names_equal(const char *left, const char *right)
{
    for (unsigned i = 0; i < FW_CFG_NAME_BYTES; i++) {
        if (left[i] != right[i])
            return false;
        if (left[i] == '\0')
            return true;
    }
    return true;
}

bool fw_cfg_find(const struct fw_cfg *device, const char *name, struct fw_cfg_file *out)
{
    struct directory_entry entry;
    uint8_t count_bytes[4];
    select_key(device, KEY_DIRECTORY);
    take(device, count_bytes, sizeof(count_bytes));
    uint32_t count = (uint32_t)count_bytes[2] << 8 | count_bytes[3];
    for (uint32_t i = 0; i < count && i < FILES_LIMIT; i++) {
        take(device, &entry, sizeof(entry));
        if (!names_equal(entry.name, name))
            continue;
        out->bytes = (uint32_t)entry.bytes[0] << 24 | (uint32_t)entry.bytes[1] << 16 |
                     (uint32_t)entry.bytes[2] << 8 | entry.bytes[3];
        out->key = (uint16_t)(entry.key[0] << 8 | entry.key[1]);
        return true;
    }
    return false;
}

void fw_cfg_read(const struct fw_cfg *device, const struct fw_cfg_file *file, void *out,
                 size_t bytes)
{
    select_key(device, file->key);
    take(device, out, bytes < file->bytes ? bytes : file->bytes);
}
