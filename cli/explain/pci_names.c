// SPDX-License-Identifier: MIT
// See pci_names.h.
#include "pci_names.h"

#include "../cli.h"

#include <fcntl.h>
#include <pci/pci.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct pci_names {
    struct pci_access *access;
    bool here;
};

// libpci reports through these; a name that cannot be found is not an error here.
static void quiet(char *message, ...)
{
    (void)message;
}

__attribute__((noreturn)) static void give_up(char *message, ...)
{
    cli_error("libpci", "%s", message);
    exit(CLI_EXIT_UNUSABLE);
}

struct pci_names *pci_names_create(bool here)
{
    struct pci_names *names = calloc(1, sizeof(*names));

    if (names == NULL)
        return NULL;
    names->access = pci_alloc();
    names->access->error = give_up;
    names->access->warning = quiet;
    names->access->debug = quiet;
    // pci.ids alone: the hardware database of udev says the same, slower, and is not freed.
    (void)pci_set_param(names->access, (char[]){"hwdb.disable"}, (char[]){"1"});
    names->here = here;
    return names;
}

void pci_names_destroy(struct pci_names *names)
{
    if (names == NULL)
        return;
    pci_cleanup(names->access);
    free(names);
}

// A small hexadecimal file of sysfs; -1 where it is not there.
static long read_sysfs(uint32_t bdf, const char *file)
{
    char path[96];
    char text[16];
    ssize_t length;
    int fd;

    (void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%04x:%02x:%02x.%x/%s", bdf >> 16,
                   bdf >> 8 & 0xff, bdf >> 3 & 0x1f, bdf & 7, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    length = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (length <= 0)
        return -1;
    text[length] = '\0';
    return strtol(text, NULL, 16);
}

bool pci_names_find(const struct pci_names *names, const struct context *context, uint32_t bdf,
                    char *out_name, size_t size_bytes)
{
    const struct pci_identity *known = context_find_device(context, bdf);
    long vendor_id = known != NULL ? known->vendor_id : -1;
    long device_id = known != NULL ? known->device_id : -1;
    char *name;

    if (known == NULL && names->here) {
        vendor_id = read_sysfs(bdf, "vendor");
        device_id = read_sysfs(bdf, "device");
    }
    if (vendor_id < 0 || device_id < 0)
        return false;
    name = pci_lookup_name(names->access, out_name, (int)size_bytes,
                           PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE, (int)vendor_id, (int)device_id);
    return name != NULL && name[0] != '<';
}
