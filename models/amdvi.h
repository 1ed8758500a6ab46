// SPDX-License-Identifier: MIT
/*
 * A register-level model of an AMD I/O virtualization unit with host translation and interrupt
 * remapping, written from the
 * specification [AMD revision 3.08] and independent of the driver that is tested on it.
 *
 *     struct amdvi_model_config config = amdvi_model_defaults();
 *
 *     config.np_cache = true;
 *     unit = amdvi_model_create(host, &config);        // registers appear at config.base
 *     ... software programs it through the host's hooks ...
 *     amdvi_model_dma(unit, &(struct model_dma_request){.rid = rid, .address = iova}, data, 512,
 *                     &result);
 *
 * The caches are real and never forget on their own: device table entries by requester, and
 * translations (in 4 KiB pieces) and pointers to tables by domain, stay until a command with
 * sufficient reach drops them, so a missing or too narrow one shows as DMA to the old page. What
 * software does against the specification is recorded with model_host_violate.
 *
 * The unit's PCI function, with its capability block and an MSI capability, is added to the host.
 * Each unit has one lock; all functions may be called from any thread.
 */
#ifndef MODELS_AMDVI_H
#define MODELS_AMDVI_H

#include "models/unit.h"

struct amdvi_model;

/** When the command buffer is worked on. */
enum amdvi_model_queue_mode {
    AMDVI_MODEL_AT_DOORBELL = 0, /**< all of it, within the write to the tail */
    AMDVI_MODEL_AT_TICK,         /**< one command each time software looks at the clock */
};

/** What the unit is built as. Use amdvi_model_defaults() and change fields. */
struct amdvi_model_config {
    sluice_phys_t base;      /**< of the registers; 0xfeb80000 */
    uint64_t register_bytes; /**< 0x4000 */
    uint16_t rid;            /**< its PCI function; 00:00.2 */
    uint16_t pci_device;     /**< its device ID; 0x1451 */
    uint32_t subsystem;      /**< as in configuration space */
    unsigned phys_bits;      /**< 48 */
    unsigned levels;         /**< EFR.HATS: 4, 5 or 6; 5. 7: none */
    bool has_efr;            /**< EFRSup; true */
    bool invalidate_all;     /**< EFR.IASUP; true */
    bool np_cache;           /**< caches what is not present */
    bool device_tlb;         /**< IotlbSup */
    bool guest_apic;         /**< EFR.GASUP: interrupt entries of 128 bits can be had */
    bool x2apic;             /**< EFR.XTSUP */
    unsigned segments_lg2;   /**< EFR.DEVTBLSEG: the device table in up to 2, 4 or 8 pieces; 0 */
    bool dual_events;        /**< EFR.DUALEVT 2: goes on in a second event log by itself */
    bool page_requests;      /**< EFR.PPRSUP: a log of page requests */
    bool many_interrupts;    /**< EFR2: 2048 interrupt entries in a table; else 512 */
    bool no_msi;             /**< its function has no MSI capability */
    bool narrow_msi;         /**< its MSI capability holds 32-bit addresses */
    bool table_fixed;        /**< takes a new device table only while it is off */
    bool head_past;          /**< after a refused command the head is behind it, not at it */
    unsigned latency_reads;  /**< STATUS follows CONTROL at this register read after it; 2 */
    enum amdvi_model_queue_mode queue_mode;
};

struct amdvi_model_config amdvi_model_defaults(void);
/** EFR of a unit so configured. */
uint64_t amdvi_model_efr(const struct amdvi_model_config *config);
/** The second feature register. */
uint64_t amdvi_model_efr2(const struct amdvi_model_config *config);

/** Adds a unit to a host. Aborts on a configuration that no hardware has. */
struct amdvi_model *amdvi_model_create(struct model_host *host,
                                       const struct amdvi_model_config *config);
/** Frees it, before its host; its registers must not be touched any more. */
void amdvi_model_destroy(struct amdvi_model *unit);

/* ---- DMA; results carry the code of the event [AMD 2.5] ---- */

bool amdvi_model_dma(struct amdvi_model *unit, const struct model_dma_request *request, void *data,
                     size_t bytes, struct model_dma_result *result);
void amdvi_model_connect(struct amdvi_model *unit, uint16_t rid,
                         const struct model_endpoint *endpoint);
/** Withheld completions of a device are given up on: IOTLB_INV_TIMEOUT [AMD 2.5.8]. */
void amdvi_model_endpoint_timeout(struct amdvi_model *unit, uint16_t rid);
/** For devices; the unit is the struct amdvi_model. */
extern const struct model_unit_ops amdvi_model_ops;

void amdvi_model_lock(struct amdvi_model *unit);
void amdvi_model_unlock(struct amdvi_model *unit);

/* ---- interrupts ---- */

/** What a message became. */
struct amdvi_model_interrupt {
    uint16_t rid;
    bool remapped; /**< through an entry; else as it was sent */
    uint32_t destination;
    uint8_t vector;
    uint8_t delivery;
    bool logical;
};

/**
 * Called for each interrupt that passes, with the unit locked, instead of posting it to the host.
 * NULL: posted again.
 */
typedef void amdvi_model_interrupt_sink(void *arg, const struct amdvi_model_interrupt *interrupt);
void amdvi_model_set_interrupt_sink(struct amdvi_model *unit, amdvi_model_interrupt_sink *sink,
                                    void *arg);
/** A message to the interrupt window; the code of the event that it became, or 0. */
uint8_t amdvi_model_message(struct amdvi_model *unit, uint16_t rid, uint64_t address,
                            uint32_t data);
/** A pin fires, with this redirection entry. */
uint8_t amdvi_model_ioapic(struct amdvi_model *unit, uint16_t rid, uint64_t entry);
/** Cached interrupt entries. */
unsigned amdvi_model_interrupt_entries(struct amdvi_model *unit);

/* ---- page requests ---- */

struct amdvi_model_page_request {
    uint16_t rid;
    uint16_t group; /**< 9 bits */
    uint64_t address;
    bool read, write, last;
    bool has_pasid;
    uint32_t pasid;
};

/** A device asks for a page. False: the unit refused it itself [AMD 2.5.10], and logged an event.
 */
bool amdvi_model_page_request(struct amdvi_model *unit,
                              const struct amdvi_model_page_request *request);
/** An entry of the page request log as hardware might write it, whatever it says. */
void amdvi_model_log_request(struct amdvi_model *unit, uint64_t low, uint64_t high);
/** Groups that wait for an answer. */
unsigned amdvi_model_requests_owed(struct amdvi_model *unit);

/* ---- looking ---- */

/** What was done, for tests that count. */
struct amdvi_model_stats {
    uint64_t register_reads, register_writes;
    uint64_t doorbells; /**< writes to the command buffer's tail */
    uint64_t commands, waits, entries, pages, pages_everything, device_tlb, interrupts, all;
    uint64_t walks, iotlb_hits, events_logged, events_lost;
    uint64_t log_changes; /**< from one event log to the other */
    uint64_t requests_logged, requests_lost;
    uint64_t answers, answers_invalid; /**< to groups of page requests */
    uint64_t passed;                   /**< accesses that an entry with V clear let through */
};

void amdvi_model_stats(struct amdvi_model *unit, struct amdvi_model_stats *out);
unsigned amdvi_model_iotlb_entries(struct amdvi_model *unit);
unsigned amdvi_model_table_entries(struct amdvi_model *unit);
/** Drops everything cached, as hardware may at any time. */
void amdvi_model_evict(struct amdvi_model *unit);
bool amdvi_model_translating(struct amdvi_model *unit);
/** Records a violation when a new device table was not followed by an invalidation of everything.
 */
void amdvi_model_check_settled(struct amdvi_model *unit);
/** Power was lost: registers are reset. Caches keep their content if `keep_caches`. */
void amdvi_model_reset(struct amdvi_model *unit, bool keep_caches);

/* ---- faults of the hardware, each on its own; zeros mean healthy ---- */

struct amdvi_model_injection {
    uint64_t stuck_status;   /**< STATUS run bits that never change any more */
    bool wait_never_written; /**< COMPLETION_WAIT passes, but stores nothing */
    bool queue_stuck;        /**< the head does not move */
    bool lost_invalidations; /**< claims completion, but drops nothing */
    uint64_t illegal_at;     /**< the n-th command from now is refused; 1 is the next */
    uint64_t hardware_at;    /**< the n-th command cannot be read */
    uint64_t silent_at;      /**< at the n-th command the buffer stops, and no event tells */
    uint64_t timeout_at;     /**< the n-th device-TLB command is not answered */
    uint64_t timeouts;       /**< and so many after it */
    uint64_t gone_at;        /**< registers are all ones from the n-th access on */
    sluice_phys_t bad_fetch; /**< reading this page of tables fails; 0: none */
    unsigned late_event;     /**< an event is in memory so many register reads after its tail */
    bool dead_segments;      /**< registers of segments do not take what is written */
    bool untold_change;      /**< changes over to the other event log without an overflow bit */
    bool late_request;       /**< the same of page requests: late_event says how many */
};

/** Replaces all injections; counts start now. */
void amdvi_model_inject(struct amdvi_model *unit, const struct amdvi_model_injection *injection);
/** An event as hardware might log it, whatever it says. */
void amdvi_model_log(struct amdvi_model *unit, uint64_t low, uint64_t high);

#endif
