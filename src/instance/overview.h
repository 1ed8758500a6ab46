// SPDX-License-Identifier: MIT
/*
 * The overview inside: gathered in one place, written in two forms.
 *
 *   overview.c         what there is          overview_write.c   what both forms share
 *   overview_json.c    [RFC 8259]             overview_prometheus.c   the exposition format
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

/** State of a device, with sluice->lock held. */
enum sluice_device_state overview_state_of(struct sluice_device *device, uint64_t *out_faults);
const char *overview_state_text(enum sluice_device_state state);

/** Where the lines go; sluice->lock is held while there is one. */
struct overview_writer {
    struct sluice *sluice;
    sluice_emit *emit;
    void *arg;
};

/** Of a name of 64 bytes at most, each escaped to six. */
#define OVERVIEW_NAME_BYTES 392u

/** One line, cut at 639 characters: two names and what stands around them. */
__attribute__((format(printf, 2, 3))) void overview_put(const struct overview_writer *writer,
                                                        const char *format, ...);
/** A text inside quotes: control characters as \u00xx where `json`, else as spaces. */
const char *overview_escaped(const char *text, bool json, char out[OVERVIEW_NAME_BYTES]);

/** One number of the overview, by its names in both forms. */
struct overview_number {
    const char *key;    /**< JSON */
    const char *metric; /**< Prometheus, without "sluice_" */
    const char *help;
    uint16_t offset; /**< in struct sluice_overview */
    bool wide;       /**< of 64 bits, else 32 */
    bool counts;     /**< a counter, else a gauge */
};

/** The index-th; NULL past the last. */
const struct overview_number *overview_number(unsigned index);
unsigned long long overview_value(const struct sluice_overview *overview,
                                  const struct overview_number *number);

#endif
