// SPDX-License-Identifier: MIT
/*
 * The whole picture in one call: for an operator's eyes, for a program, for a monitoring system.
 *
 * Numbers are read while the instance works, one after the other, so that they may belong to
 * slightly different moments; each by itself was true. Counters never go back while the instance
 * lives, but for those of a unit, domain or device that is taken away.
 *
 * Context of everything here: as in the head of sluice/instance.h.
 */
#ifndef SLUICE_OVERVIEW_H
#define SLUICE_OVERVIEW_H

#include <sluice/instance.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sluice_overview {
    bool enabled;                 /**< started: every device's DMA is confined */
    enum sluice_protection level; /**< what is promised; without a meaning while not enabled */
    uint32_t units;               /**< that translate */
    uint32_t degraded;            /**< of them, that missed a deadline */
    uint32_t selftest_ok;         /**< units whose last self-test passed (sluice/selftest.h) */
    uint32_t selftest_bad;        /**< failed, or inconclusive */
    uint32_t selftest_none;       /**< units without one */
    uint32_t groups;              /**< isolation groups */
    uint32_t shared_groups;       /**< of them, of more than one device, bridges not counted */
    uint32_t domains;             /**< made by callers */
    uint32_t devices;             /**< that the library was told of */
    uint32_t attached;            /**< of them, in a domain; the others are blocked */
    uint32_t untrusted;           /**< of them, not trusted with anything beside their mappings */
    uint32_t troubled;            /**< of them, that faulted within their window */
    uint32_t quarantined;         /**< of them, cut off */
    uint32_t silenced;            /**< of them, whose faults their units do not report now */
    uint64_t mappings;            /**< of the DMA API, alive now */
    uint64_t mapped_bytes;        /**< of them */
    uint64_t table_bytes;         /**< memory that page tables hold */
    uint64_t history_bytes;       /**< memory that remembers what was unmapped lately */
    uint64_t strict_flushes;      /**< invalidations that an unmap waited for */
    uint64_t lazy_flushes;        /**< invalidations for a queue of unmapped ranges */
    uint64_t queued;              /**< ranges that wait for one now */
    struct sluice_latency invalidations; /**< of all units; see struct sluice_unit_info */
    uint64_t withheld_pages; /**< memory that a unit never confirmed to have let go of */
    struct sluice_fault_counts faults;
    struct sluice_interrupt_info interrupts;
    struct sluice_dma_bounce_info bounce;
};

/** Fills it in; before start everything but `faults` and `bounce` is zero. Returns: OK; INVALID. */
SLUICE_API SLUICE_MUST_CHECK enum sluice_status sluice_overview(struct sluice *sluice,
                                                                struct sluice_overview *out);

/**
 * The same as one JSON object, with arrays of units (with what they can and a histogram of their
 * invalidations), their self-tests, devices, domains and groups (with members and reasons) [RFC
 * 8259]: a line at a time, to be joined as they are. Names are escaped, whatever is in them;
 * numbers beyond 2^53 are written as they are. `emit` is called with the instance locked.
 */
SLUICE_API void sluice_overview_json(struct sluice *sluice, sluice_emit *emit, void *arg);

/**
 * The same in the text format of Prometheus, metrics named sluice_*: units by `unit`, devices by
 * `device`; sluice_invalidation_latency_seconds is a histogram. `emit` is called with the instance
 * locked.
 */
SLUICE_API void sluice_overview_prometheus(struct sluice *sluice, sluice_emit *emit, void *arg);

#ifdef __cplusplus
}
#endif

#endif
