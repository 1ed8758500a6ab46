// SPDX-License-Identifier: MIT
// See reserved.h. Sections: [VT-d 8.1, 8.4], [AMD 5.2.2], [IORT E.e 3.1.1.5].
#include "reserved.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    ACPI_HEADER_BYTES = 36,
    REMAPPING_HEADER_BYTES = 48, // DMAR and IVRS alike
    MOST_TABLE_BYTES = 64 * 1024,
    MOST_FILES = 1024,
    RMRR_BYTES = 24,
    IVMD_BYTES = 32,
    IORT_NODE_BYTES = 16,
    IORT_TYPE_RMR = 6,
    RMR_NODE_BYTES = 28,
    RMR_BYTES = 20,
};

struct table {
    const unsigned char *bytes;
    size_t length_bytes;
};

static uint64_t little(const unsigned char *bytes, unsigned int count)
{
    uint64_t value = 0;

    while (count-- > 0)
        value = value << 8 | bytes[count];
    return value;
}

static void add(struct context *context, uint64_t start, uint64_t last, const char *owner)
{
    context_add_region(context, REGION_RESERVED_TABLE, start, last,
                       (struct span){owner, strlen(owner)});
}

// Remapping structures: type and length, 16 bits each; RMRR is type 1: base at 8, limit at 16.
static bool read_dmar(struct context *context, const struct table *table)
{
    size_t at = REMAPPING_HEADER_BYTES;

    if (table->length_bytes < REMAPPING_HEADER_BYTES)
        return false;
    if (context->address_bits == 0 && table->bytes[36] >= 31 && table->bytes[36] < 64)
        context->address_bits = table->bytes[36] + 1u; // host address width, less one
    while (table->length_bytes - at >= 4) {
        const unsigned char *structure = table->bytes + at;
        size_t length = (size_t)little(structure + 2, 2);

        if (length < 4 || length > table->length_bytes - at)
            return false;
        if (little(structure, 2) == 1 && length >= RMRR_BYTES)
            add(context, little(structure + 8, 8), little(structure + 16, 8),
                "RMRR of the DMAR table given");
        at += length;
    }
    return true;
}

// Blocks: type 8 bits, length at 2; IVMD is types 20h to 22h: start at 16, length at 24.
static bool read_ivrs(struct context *context, const struct table *table)
{
    size_t at = REMAPPING_HEADER_BYTES;

    if (table->length_bytes < REMAPPING_HEADER_BYTES)
        return false;
    while (table->length_bytes - at >= 4) {
        const unsigned char *block = table->bytes + at;
        size_t length = (size_t)little(block + 2, 2);

        if (length < 4 || length > table->length_bytes - at)
            return false;
        if (block[0] >= 0x20 && block[0] <= 0x22 && length >= IVMD_BYTES) {
            uint64_t start = little(block + 16, 8);
            uint64_t size = little(block + 24, 8);

            if (size > 0 && size - 1 <= UINT64_MAX - start)
                add(context, start, start + size - 1, "IVMD of the IVRS table given");
        }
        at += length;
    }
    return true;
}

// A node's descriptors: base, length; their count at 20 and place at 24 of the node.
static void read_rmr(struct context *context, const unsigned char *node, size_t length_bytes)
{
    uint64_t count = little(node + 20, 4);
    uint64_t at = little(node + 24, 4);

    while (count-- > 0 && at <= length_bytes && length_bytes - at >= RMR_BYTES) {
        uint64_t start = little(node + at, 8);
        uint64_t size = little(node + at + 8, 8);

        if (size > 0 && size - 1 <= UINT64_MAX - start)
            add(context, start, start + size - 1, "RMR of the IORT table given");
        at += RMR_BYTES;
    }
}

// Nodes: type 8 bits, length at 1; their count and the first one's place follow the header.
static bool read_iort(struct context *context, const struct table *table)
{
    uint64_t count;
    uint64_t at;

    if (table->length_bytes < ACPI_HEADER_BYTES + 8)
        return false;
    count = little(table->bytes + ACPI_HEADER_BYTES, 4);
    at = little(table->bytes + ACPI_HEADER_BYTES + 4, 4);
    for (; count > 0; count--) {
        const unsigned char *node;
        size_t length;

        if (at > table->length_bytes || table->length_bytes - at < IORT_NODE_BYTES)
            return false;
        node = table->bytes + at;
        length = (size_t)little(node + 1, 2);
        if (length < IORT_NODE_BYTES || length > table->length_bytes - at)
            return false;
        if (node[0] == IORT_TYPE_RMR && length >= RMR_NODE_BYTES)
            read_rmr(context, node, length);
        at += length;
    }
    return true;
}

bool reserved_read_table(struct context *context, const unsigned char *bytes, size_t length_bytes)
{
    static const struct {
        const char *signature;
        bool (*read)(struct context *context, const struct table *table);
    } readers[] = {{"DMAR", read_dmar}, {"IVRS", read_ivrs}, {"IORT", read_iort}};
    struct table table = {bytes, 0};
    uint64_t said;

    if (length_bytes < ACPI_HEADER_BYTES)
        return false;
    said = little(bytes + 4, 4); // the header's own length; what a file has behind it is not table
    if (said < ACPI_HEADER_BYTES || said > length_bytes)
        return false;
    table.length_bytes = (size_t)said;
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
        if (memcmp(bytes, readers[i].signature, 4) == 0)
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
