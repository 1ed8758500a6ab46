// SPDX-License-Identifier: MIT
/*
 * Between pci_scan.c and pci.c.
 */
#ifndef MACHINE_PCI_SCAN_H
#define MACHINE_PCI_SCAN_H

#include "pci.h"

/** Maps the configuration space; the other functions of pci.h work from here on. */
void pci_set_ecam(const struct pci_ecam *where);

#endif
