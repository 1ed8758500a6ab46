// SPDX-License-Identifier: MIT
/*
 * The overview inside: gathered in one place, written in two forms.
 */
#ifndef SLUICE_INSTANCE_OVERVIEW_H
#define SLUICE_INSTANCE_OVERVIEW_H

#include "instance/units.h"

#include <sluice/sluice.h>

/** Fills in all that sluice->lock guards. With it held. */
void overview_gather_locked(struct sluice *sluice, struct sluice_overview *out);
/** Fills in the rest, which takes locks of its own. Without it. */
void overview_gather(struct sluice *sluice, struct sluice_overview *out);
/** State of a device, with sluice->lock held. */
enum sluice_device_state overview_state_of(struct sluice_device *device, uint64_t *out_faults);

#endif
