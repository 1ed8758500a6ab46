// SPDX-License-Identifier: MIT
// Names of PCI devices, by libpci from pci.ids: of the identities that the log itself tells,
// and, where the log is this machine's, of the devices that are here. Called by the reports.
#ifndef SLUICE_CLI_EXPLAIN_PCI_NAMES_H
#define SLUICE_CLI_EXPLAIN_PCI_NAMES_H

#include "context.h"

struct pci_names;

// `here`: the log is this machine's. NULL: out of memory. Release with pci_names_destroy.
struct pci_names *pci_names_create(bool here);
void pci_names_destroy(struct pci_names *names);

// The name of the device at `bdf`, or false where nothing is known of it.
bool pci_names_find(const struct pci_names *names, const struct context *context, uint32_t bdf,
                    char *out_name, size_t size_bytes);

#endif
