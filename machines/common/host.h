// SPDX-License-Identifier: MIT
/*
 * The machine as a host of the library: its struct sluice_host_ops.
 */
#ifndef MACHINE_HOST_H
#define MACHINE_HOST_H

#include <sluice/host.h>

extern const struct sluice_host_ops machine_host_ops;

/** Event interrupts of units delivered so far. */
uint64_t machine_host_events(void);

/** Runs what the library has deferred; called wherever the machine waits for something. */
void machine_host_run_deferred(void);

/** Pages and objects that the library holds now. */
uint64_t machine_host_pages_held(void);
uint64_t machine_host_objects_held(void);

/** The most talkative level that is shown. */
void machine_host_set_log_level(enum sluice_log_level level);

#endif
