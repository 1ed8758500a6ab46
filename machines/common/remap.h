// SPDX-License-Identifier: MIT
/*
 * The interrupts of the laboratory's devices, remapped by the library: while it guards, every
 * device's message names an entry; before and afterwards it is a plain one again.
 */
#ifndef MACHINE_REMAP_H
#define MACHINE_REMAP_H

#include "lab.h"

/** Whether this run remaps interrupts: the kernel's words say so. */
bool remap_wanted(void);
/** Fills in what the library is asked for. */
void remap_configure(struct sluice_config *config);

/** Gives each guarded edu an entry of its own and programs it. */
bool remap_devices(struct lab *lab);
/** Frees them: all, or those of one device. */
bool remap_forget(struct lab *lab, const struct pci_device *only);
/** The same for one that was forgotten. */
bool remap_device(struct lab *lab, struct edu *edu);
/** remap_device for the edu with this function; true for what is none, or when nothing is remapped.
 */
bool remap_again(struct lab *lab, const struct pci_device *pci);
/** Plain messages again, when the library has stopped. */
void remap_undo(struct lab *lab);

#endif
