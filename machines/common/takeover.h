// SPDX-License-Identifier: MIT
/*
 * The scenarios that start and stop instances themselves, so they run outside the others' order.
 */
#ifndef MACHINE_TAKEOVER_H
#define MACHINE_TAKEOVER_H

#include "lab.h"

/** Starts the instance the other scenarios use; false when there is nothing to start. */
bool takeover_start(struct lab *lab);
/** For a machine without an IOMMU: nothing starts. */
void takeover_nothing(struct lab *lab);
/** Stops it: nothing is held any more, devices reach memory as before. */
void takeover_stop(struct lab *lab);
/** A second instance takes over from a first one that left translation on. */
void takeover_handover(struct lab *lab);

#endif
