// SPDX-License-Identifier: MIT
// See reserved.h. The tables are read by the library's own parsers (sluice/acpi.h).
#include "reserved.h"

#include <sluice/iort.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    MOST_TABLE_BYTES = 64 * 1024,
    MOST_FILES = 1024,
};

static void add(struct context *context, uint64_t start, uint64_t last, const char *owner)
{
    context_add_region(context, REGION_RESERVED_TABLE, start, last,
                       (struct span){owner, strlen(owner)});
}

static void add_sized(struct context *context, uint64_t start, uint64_t size_bytes,
                      const char *owner)
{
    if (size_bytes > 0 && size_bytes - 1 <= UINT64_MAX - start)
        add(context, start, start + size_bytes - 1, owner);
}

// [VT-d 8.1, 8.4]
static bool read_dmar(struct context *context, const struct sluice_acpi_table *table)
{
    struct sluice_dmar_structure structure;
    struct sluice_acpi_cursor at = {0};
    struct sluice_dmar_header header;
    enum sluice_status status;

    if (sluice_dmar_header(table, &header, NULL) != SLUICE_OK)
        return false;
    if (context->address_bits == 0 && header.host_address_width >= 32 &&
        header.host_address_width <= 64)
        context->address_bits = header.host_address_width;
    while ((status = sluice_dmar_next(table, &at, &structure, NULL)) == SLUICE_OK)
        if (structure.type == SLUICE_DMAR_RMRR)
            add(context, structure.base, structure.last, "RMRR of the DMAR table given");
    return status == SLUICE_ERR_NOT_FOUND;
}

// [AMD 5.2.2]
static bool read_ivrs(struct context *context, const struct sluice_acpi_table *table)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_ivrs_header header;
    struct sluice_ivrs_block block;
    enum sluice_status status;

    if (sluice_ivrs_header(table, &header, NULL) != SLUICE_OK)
        return false;
    while ((status = sluice_ivrs_next(table, &at, &block, NULL)) == SLUICE_OK)
        if (sluice_ivrs_is_ivmd(block.type))
            add_sized(context, block.base, block.length, "IVMD of the IVRS table given");
    return status == SLUICE_ERR_NOT_FOUND;
}

// [IORT 3.1.1.5]
static bool read_iort(struct context *context, const struct sluice_acpi_table *table)
{
    struct sluice_acpi_cursor at = {0};
    struct sluice_iort_region region;
    struct sluice_iort_node node;
    enum sluice_status status;

    while ((status = sluice_iort_next(table, &at, &node, NULL)) == SLUICE_OK)
        for (uint32_t i = 0; sluice_iort_region(table, &node, i, &region, NULL) == SLUICE_OK; i++)
            add_sized(context, region.base, region.length, "RMR of the IORT table given");
    return status == SLUICE_ERR_NOT_FOUND;
}

bool reserved_read_table(struct context *context, const unsigned char *bytes, size_t length_bytes)
{
    static const struct {
        const char *signature;
        bool (*read)(struct context *context, const struct sluice_acpi_table *table);
    } readers[] = {{"DMAR", read_dmar}, {"IVRS", read_ivrs}, {"IORT", read_iort}};
    struct sluice_acpi_table table;

    if (sluice_acpi_open(bytes, length_bytes, &table, NULL) != SLUICE_OK)
        return false;
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
        if (strcmp(table.signature, readers[i].signature) == 0)
            return readers[i].read(context, &table);
    return false;
}

static bool read_file(struct context *context, int folder, const char *name,
                      unsigned int *out_denied)
{
    static unsigned char buffer[MOST_TABLE_BYTES];
    size_t held = 0;
    ssize_t got;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        *out_denied += errno == EACCES || errno == EPERM;
        return false;
    }
    while ((got = read(fd, buffer + held, sizeof(buffer) - held)) > 0)
        held += (size_t)got;
    (void)close(fd);
    return got == 0 && reserved_read_table(context, buffer, held);
}

int reserved_read_folder(struct context *context, const char *folder, unsigned int *out_denied)
{
    DIR *stream = opendir(folder);
    const struct dirent *entry;
    int tables = 0;

    *out_denied = 0;
    if (stream == NULL)
        return -1;
    for (unsigned int i = 0; i < MOST_FILES && (entry = readdir(stream)) != NULL; i++)
        if (entry->d_name[0] != '.')
            tables += read_file(context, dirfd(stream), entry->d_name, out_denied);
    (void)closedir(stream);
    return tables;
}
