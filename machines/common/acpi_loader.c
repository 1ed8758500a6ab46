// SPDX-License-Identifier: MIT
#include "acpi_loader.h"

#include "arch.h"
#include "fw_cfg.h"
#include "pages.h"
#include "print.h"
#include "string.h"

#define SCRIPT        "etc/table-loader"
#define ROOT_POINTER  "etc/acpi/rsdp"
#define COMMAND_BYTES 128u
#define COMMAND_LIMIT 256u
#define FILES_LIMIT   8u
#define FILE_LIMIT    0x400000u /* larger is not believed */
#define ALLOCATE      1u
#define ADD_POINTER   2u
#define ADD_CHECKSUM  3u

/* A command's arguments follow its number; names take 56 bytes. */
#define ARGUMENTS   4u
#define SECOND_NAME (ARGUMENTS + FW_CFG_NAME_BYTES)
#define AFTER_ONE   (ARGUMENTS + FW_CFG_NAME_BYTES)
#define AFTER_TWO   (ARGUMENTS + 2 * FW_CFG_NAME_BYTES)

struct file {
    char name[FW_CFG_NAME_BYTES];
    uint8_t *virt;
    uint64_t phys;
    uint32_t bytes;
};

struct loader {
    struct fw_cfg device;
    struct file files[FILES_LIMIT];
    unsigned count;
};

static uint64_t read_le(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static struct file *find(struct loader *loader, const uint8_t *name)
{
    for (unsigned i = 0; i < loader->count; i++) {
        if (memcmp(loader->files[i].name, name, FW_CFG_NAME_BYTES) == 0)
            return &loader->files[i];
    }
    return NULL;
}

static bool allocate(struct loader *loader, const uint8_t *command)
{
    struct fw_cfg_file found;
    uint64_t alignment = read_le(command + AFTER_ONE, 4);
    if (loader->count == FILES_LIMIT || alignment > MACHINE_PAGE_BYTES)
        return false;
    struct file *file = &loader->files[loader->count];
    memcpy(file->name, command + ARGUMENTS, FW_CFG_NAME_BYTES);
    if (!fw_cfg_find(&loader->device, file->name, &found) || found.bytes > FILE_LIMIT)
        return false;
    unsigned order = 0;
    while ((UINT32_C(4096) << order) < found.bytes)
        order++;
    if (!machine_pages_alloc(order, MACHINE_PAGES_LOW | MACHINE_PAGES_KEPT, &file->phys))
        return false;
    file->virt = arch_phys_to_virt(file->phys);
    file->bytes = found.bytes;
    fw_cfg_read(&loader->device, &found, file->virt, file->bytes);
    loader->count++;
    return true;
}

/* What lies there is an offset into the other file: its address is added. */
static bool add_pointer(struct loader *loader, const uint8_t *command)
{
    const struct file *to = find(loader, command + ARGUMENTS);
    const struct file *from = find(loader, command + SECOND_NAME);
    uint64_t offset = read_le(command + AFTER_TWO, 4), width = command[AFTER_TWO + 4];
    if (to == NULL || from == NULL || width > 8 || width == 0 || offset > to->bytes ||
        width > to->bytes - offset)
        return false;
    uint64_t value = read_le(to->virt + offset, (unsigned)width);
    if (value >= from->bytes)
        return false;
    value += from->phys;
    for (unsigned i = 0; i < width; i++)
        to->virt[offset + i] = (uint8_t)(value >> (8 * i));
    return true;
}

static bool add_checksum(struct loader *loader, const uint8_t *command)
{
    const struct file *file = find(loader, command + ARGUMENTS);
    uint64_t offset = read_le(command + AFTER_ONE, 4);
    uint64_t start = read_le(command + AFTER_ONE + 4, 4);
    uint64_t bytes = read_le(command + AFTER_ONE + 8, 4);
    uint8_t sum = 0;
    if (file == NULL || offset >= file->bytes || start > file->bytes || bytes > file->bytes - start)
        return false;
    for (uint64_t i = start; i < start + bytes; i++)
        sum = (uint8_t)(sum + file->virt[i]);
    file->virt[offset] = (uint8_t)(file->virt[offset] - sum);
    return true;
}

static bool run(struct loader *loader, const uint8_t *command)
{
    switch (read_le(command, 4)) {
    case 0: /* filling */
        return true;
    case ALLOCATE:
        return allocate(loader, command);
    case ADD_POINTER:
        return add_pointer(loader, command);
    case ADD_CHECKSUM:
        return add_checksum(loader, command);
    default: /* newer ones write addresses back to devices that this machine is not given */
        return false;
    }
}

uint64_t acpi_load(uint64_t fw_cfg_phys)
{
    static uint8_t script[COMMAND_LIMIT * COMMAND_BYTES];
    static struct loader loader;
    struct fw_cfg_file file;
    if (fw_cfg_phys == 0 || !fw_cfg_open(&loader.device, fw_cfg_phys) ||
        !fw_cfg_find(&loader.device, SCRIPT, &file))
        return 0;
    if (file.bytes > sizeof(script)) {
        machine_print("the script for the ACPI tables is longer than %u commands\n", COMMAND_LIMIT);
        return 0;
    }
    fw_cfg_read(&loader.device, &file, script, file.bytes);
    for (uint32_t at = 0; at + COMMAND_BYTES <= file.bytes; at += COMMAND_BYTES) {
        if (run(&loader, script + at))
            continue;
        machine_print("command %u of the script for the ACPI tables is not understood\n",
                      at / COMMAND_BYTES);
        return 0;
    }
    uint8_t wanted[FW_CFG_NAME_BYTES] = ROOT_POINTER;
    const struct file *root = find(&loader, wanted);
    return root != NULL ? root->phys : 0;
}
