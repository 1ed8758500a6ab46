// SPDX-License-Identifier: MIT
/*
 * The machine as a host of the library: its struct sluice_host_ops.
 */
#ifndef MACHINE_HOST_H
#define MACHINE_HOST_H

#include <sluice/host.h>

struct sluice;

extern const struct sluice_host_ops machine_host_ops;

/** Event interrupts of units delivered so far. */
uint64_t machine_host_events(void);

/** Runs what the library has deferred; called wherever the machine waits for something. */
void machine_host_run_deferred(void);

/** Time spent on events of units and on what was deferred. */
uint64_t machine_host_busy_ns(void);

/** The first page of the index-th thing that the library holds pages for; false past the end. */
bool machine_host_page(unsigned index, uint64_t *out_phys);

/** Pages and objects that the library holds now. */
uint64_t machine_host_pages_held(void);
uint64_t machine_host_objects_held(void);

/** When the library wants sluice_dma_poll() to be called; UINT64_MAX: never. */
uint64_t machine_host_poll_at(void);
/** The timer, called in waiting loops: polls if it is time, and says when it did; else 0. */
uint64_t machine_host_run_timer(struct sluice *sluice);

/** The most talkative level that is shown. */
void machine_host_set_log_level(enum sluice_log_level level);

#endif
