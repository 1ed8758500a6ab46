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
/** Units with and without evidence. */
void overview_gather_selftests_locked(struct sluice *sluice, struct sluice_overview *out);
/** The evidence of each unit: as an array, as metrics, as lines below the unit's. */
void overview_selftests_json_locked(struct sluice *sluice, sluice_emit *emit, void *arg);
void overview_selftests_prometheus_locked(struct sluice *sluice, sluice_emit *emit, void *arg);
void overview_selftest_report_locked(const struct unit *unit, sluice_emit *emit, void *arg);

/** A name of 32 bytes, each escaped to six. */
#define OVERVIEW_NAME_BYTES 200u
/** A text as it can stand inside quotes, cut where it is longer. */
const char *overview_escape(const char *text, bool json, char out[OVERVIEW_NAME_BYTES]);

/** State of a device, with sluice->lock held. */
enum sluice_device_state overview_state_of(struct sluice_device *device, uint64_t *out_faults);

#endif
