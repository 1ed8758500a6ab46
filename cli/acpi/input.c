// SPDX-License-Identifier: MIT
// Where tables come from: this machine, files, directories, standard input.
#include "../file.h"
#include "tables.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWN_TABLES "/sys/firmware/acpi/tables"

static const char *const own_tables[] = {"DMAR", "IVRS", "IORT", "RIMT", "VIOT", "MCFG"};

bool acpi_signature_known(const uint8_t *signature)
{
    for (size_t i = 0; i < sizeof(own_tables) / sizeof(own_tables[0]); i++)
        if (memcmp(signature, own_tables[i], 4) == 0)
            return true;
    return false;
}

bool acpi_inputs_add(struct acpi_inputs *inputs, const char *name, uint8_t *data, size_t size_bytes)
{
    struct acpi_input *items = inputs->items;

    if (inputs->count == inputs->room) {
        size_t room = inputs->room == 0 ? 16 : 2 * inputs->room;

        items = realloc(inputs->items, room * sizeof(*items));
        if (items == NULL)
            return false;
        inputs->items = items;
        inputs->room = room;
    }
    items[inputs->count] = (struct acpi_input){strdup(name), data, size_bytes};
    if (items[inputs->count].name == NULL)
        return false;
    inputs->count++;
    return true;
}

void acpi_inputs_free(struct acpi_inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++) {
        free(inputs->items[i].name);
        free(inputs->items[i].data);
    }
    free(inputs->items);
}

static void fail(struct acpi_inputs *inputs, const char *name, const char *why)
{
    cli_error(name, "%s", why);
    inputs->failed = true;
}

// One file's content: a table, or a dump with many. In a directory, others are passed over.
static void take(struct acpi_inputs *inputs, const char *name, uint8_t *data, size_t size_bytes,
                 bool in_directory)
{
    if (acpi_is_dump(data, size_bytes)) {
        acpi_read_dump(inputs, name, data, size_bytes);
        free(data);
        return;
    }
    if (in_directory && (size_bytes < 4 || !acpi_signature_known(data))) {
        inputs->skipped++;
        free(data);
        return;
    }
    if (!acpi_inputs_add(inputs, name, data, size_bytes)) {
        fail(inputs, name, "out of memory");
        free(data);
    }
}

static void read_file(struct acpi_inputs *inputs, int fd, const char *name, bool in_directory)
{
    size_t size_bytes = 0;
    const char *why = NULL;
    uint8_t *data = cli_read_whole(fd, &size_bytes, &why);

    if (data == NULL)
        fail(inputs, name, why);
    else
        take(inputs, name, data, size_bytes, in_directory);
}

static int regular_only(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void read_directory(struct acpi_inputs *inputs, const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, regular_only, alphasort);

    if (count < 0) {
        fail(inputs, path, strerror(errno));
        return;
    }
    for (int i = 0; i < count; i++) {
        char *name = NULL;
        struct stat status;
        int fd;

        if (asprintf(&name, "%s/%s", path, entries[i]->d_name) < 0)
            name = NULL;
        free(entries[i]);
        if (name == NULL) {
            fail(inputs, path, "out of memory");
            continue;
        }
        fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd < 0)
            fail(inputs, name, strerror(errno));
        else if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
            read_file(inputs, fd, name, true);
        if (fd >= 0)
            (void)close(fd);
        free(name);
    }
    free(entries);
}

static void read_own(struct acpi_inputs *inputs)
{
    unsigned int there = 0;
    unsigned int about_iommus = 0;

    for (size_t i = 0; i < sizeof(own_tables) / sizeof(own_tables[0]); i++) {
        char name[sizeof(OWN_TABLES) + 8];
        int fd;

        (void)snprintf(name, sizeof(name), "%s/%s", OWN_TABLES, own_tables[i]);
        fd = open(name, O_RDONLY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
            continue;
        there++;
        about_iommus += strcmp(own_tables[i], "MCFG") != 0;
        if (fd < 0) {
            cli_error(name,
                      "%s; only root may read this machine's tables. A copy, or the output of "
                      "`acpidump`, can be given as FILE by anybody",
                      strerror(errno));
            inputs->failed = true;
            continue;
        }
        read_file(inputs, fd, name, false);
        (void)close(fd);
    }
    if (about_iommus == 0)
        cli_error(OWN_TABLES, "this machine has no table about IOMMUs (DMAR, IVRS, IORT, RIMT, "
                              "VIOT): no IOMMU, one that is turned "
                              "off in the firmware's set-up, or a machine without ACPI");
    if (there == 0)
        inputs->failed = true;
}

void acpi_read(struct acpi_inputs *inputs, const char *path)
{
    struct stat status;
    int fd;

    if (path == NULL) {
        read_own(inputs);
        return;
    }
    if (strcmp(path, "-") == 0) {
        read_file(inputs, STDIN_FILENO, "standard input", false);
        return;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fail(inputs, path, strerror(errno));
        return;
    }
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))
        read_directory(inputs, path);
    else
        read_file(inputs, fd, path, false);
    (void)close(fd);
}
