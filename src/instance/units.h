// SPDX-License-Identifier: MIT
/*
 * What starting and stopping share: the state an instance is in, and its units as a list.
 *
 *   instance.c  create, destroy, tables     start.c   start, resume
 *   units.c     state changes, probe        stop.c    stop, suspend
 *   report.c    what there is, for people   protection.c   levels
 */
#ifndef SLUICE_INSTANCE_UNITS_H
#define SLUICE_INSTANCE_UNITS_H

#include "core/instance.h"
#include "domain/domain.h"
#include "group/group.h"
#include "unit/unit.h"

/** A state, as one of a set. */
#define INSTANCE_IN(state) ((uint32_t)1 << (state))

/**
 * Enters INSTANCE_CHANGING from one of the states of a set (INSTANCE_IN(...), or several of them)
 * and waits until nobody polls for faults: from then on, the instance is the caller's alone.
 * Returns: OK; STATE.
 */
SLUICE_MUST_CHECK enum sluice_status instance_change_begin(struct sluice *sluice, uint32_t states,
                                                           enum instance_state *out_was);
/** Leaves INSTANCE_CHANGING. */
void instance_change_end(struct sluice *sluice, enum instance_state to);

/**
 * Probes and starts everything at a level, or nothing; in INSTANCE_CHANGING. Returns: as
 * sluice_start.
 */
SLUICE_MUST_CHECK enum sluice_status instance_turn_on(struct sluice *sluice,
                                                      enum sluice_protection level);
/** Stops every unit and frees what stood on them. Returns: OK; TIMEOUT; HARDWARE. */
SLUICE_MUST_CHECK enum sluice_status instance_turn_off(struct sluice *sluice);

/** What DEFAULT stands for. */
enum sluice_protection protection_resolve(const struct sluice *sluice,
                                          enum sluice_protection level);

/** DMA that passes no IOMMU, which level strict does not allow. Under sluice->lock. */
void protection_check_dma(struct obstacle_sink *sink);

/**
 * Probes every unit of the platform description, in its order, and lists them. On an error those
 * that were probed before stay listed.
 * Returns: OK; NOT_FOUND (none is described); UNSUPPORTED (no driver in this build); others of
 * the driver.
 */
SLUICE_MUST_CHECK enum sluice_status units_probe(struct sluice *sluice);

/** Stops every unit that is on, or did not wake up, the last one first; returns the first error and
 * goes on. */
SLUICE_MUST_CHECK enum sluice_status units_stop(struct sluice *sluice);
/** Puts units that started back to how firmware left them: another one did not start. */
SLUICE_MUST_CHECK enum sluice_status units_revert(struct sluice *sluice);

/**
 * Frees devices, domains, sources and units. Tables that a unit which did not turn off may still
 * walk are withheld.
 */
void units_clear(struct sluice *sluice);

#endif
