// SPDX-License-Identifier: MIT
/*
 * A register-level model of an Intel VT-d remapping unit in legacy mode, written from the
 * specification [VT-d revision 5.10] and independent of the driver that is tested on it.
 *
 *     struct vtd_model_config config = vtd_model_defaults();
 *
 *     config.caching_mode = true;
 *     unit = vtd_model_create(host, &config);          // registers appear at config.base
 *     ... software programs it through the host's hooks ...
 *     vtd_model_dma(unit, &(struct model_dma_request){.rid = rid, .address = iova, .write = true},
 *                   data, 512, &result);
 *
 * The caches are real and never forget on their own: a translation stays until software
 * invalidates it with sufficient reach, so a missing or too narrow invalidation shows as DMA to
 * the old page. Large pages are cached in 4 KiB pieces. What software does against the
 * specification is recorded with model_host_violate.
 *
 * Each unit has one lock; all functions may be called from any thread.
 */
#ifndef MODELS_VTD_H
#define MODELS_VTD_H

#include "models/unit.h"

#define VTD_MODEL_FAULTS_MAX 256u

struct vtd_model;

/** When the invalidation queue is worked on. */
enum vtd_model_queue_mode {
    VTD_MODEL_AT_DOORBELL = 0, /**< all of it, within the write to IQT */
    VTD_MODEL_AT_TICK,         /**< one descriptor each time software looks at the clock */
    VTD_MODEL_BY_STEP,         /**< only in vtd_model_step, which a thread may call */
};

/** What the unit is built as. Use vtd_model_defaults() and change fields. */
struct vtd_model_config {
    sluice_phys_t base;       /**< of the registers; 0xfed90000 */
    uint64_t register_bytes;  /**< 4096 */
    unsigned host_bits;       /**< host address width; 46 */
    uint8_t sagaw;            /**< CAP.SAGAW: bit 1 39-bit, 2 48-bit, 3 57-bit; 0x6 */
    unsigned mgaw_bits;       /**< CAP.MGAW + 1; 48 */
    uint8_t sllps;            /**< CAP.SLLPS: bit 0 2 MiB, 1 1 GiB; 3 */
    unsigned domain_bits;     /**< 4, 6, ... 16; 16 */
    uint8_t mamv;             /**< CAP.MAMV; 18 */
    unsigned fault_records;   /**< 8 */
    uint16_t fault_offset;    /**< of the first fault record; 0x200 */
    uint16_t iotlb_offset;    /**< of IVA; 0x100 */
    bool caching_mode;        /**< CAP.CM */
    bool write_buffer;        /**< CAP.RWBF; stores are not seen until flushed */
    bool page_selective;      /**< CAP.PSI; true */
    bool plmr, phmr;          /**< protected memory regions */
    bool coherent;            /**< ECAP.C; true. Without it the host must be non_coherent */
    bool queued;              /**< ECAP.QI; true */
    bool device_tlb;          /**< ECAP.DT */
    bool remaps_interrupts;   /**< ECAP.IR */
    bool extended_interrupts; /**< ECAP.EIM */
    unsigned handle_mask;     /**< ECAP.MHMV; 15 */
    bool posted_interrupts;   /**< CAP.PI: only that the entry's format is no error */
    bool enhanced_sirtp;      /**< CAP.ESIRTPS: SIRTP invalidates by itself */
    bool pass_through;        /**< ECAP.PT; true */
    bool snoop_control;       /**< ECAP.SC; true */
    bool drains;              /**< CAP.DRD and DWD; true */
    bool zero_length_read;    /**< CAP.ZLR; true */
    bool enhanced_srtp;       /**< CAP.ESRTPS: SRTP invalidates by itself */
    bool abort_dma;           /**< ECAP.ADMS */
    bool scalable;            /**< ECAP.SMTS: can be put into that mode, and blocks all in it */
    uint8_t version;          /**< VER; 0x10. From 0x60 on registers invalidate nothing [6.5] */
    unsigned latency_reads;   /**< a command completes at this register read after it; 2 */
    enum vtd_model_queue_mode queue_mode;
};

struct vtd_model_config vtd_model_defaults(void);

/** Adds a unit to a host. Aborts on a configuration that no hardware has. */
struct vtd_model *vtd_model_create(struct model_host *host, const struct vtd_model_config *config);
/** Frees it, before its host; its registers must not be touched any more. */
void vtd_model_destroy(struct vtd_model *unit);

/* ---- DMA ---- */

/** Fault reasons of legacy mode [VT-d 7.1.3]; 0 is none. */
enum vtd_model_reason {
    VTD_REASON_NONE = 0x0,
    VTD_REASON_ROOT_ABSENT = 0x1,
    VTD_REASON_CONTEXT_ABSENT = 0x2,
    VTD_REASON_CONTEXT_INVALID = 0x3,
    VTD_REASON_BEYOND_WIDTH = 0x4,
    VTD_REASON_WRITE = 0x5,
    VTD_REASON_READ = 0x6,
    VTD_REASON_TABLE_ACCESS = 0x7,
    VTD_REASON_ROOT_ACCESS = 0x8,
    VTD_REASON_CONTEXT_ACCESS = 0x9,
    VTD_REASON_ROOT_RESERVED = 0xa,
    VTD_REASON_CONTEXT_RESERVED = 0xb,
    VTD_REASON_TABLE_RESERVED = 0xc,
    VTD_REASON_TYPE_BLOCKED = 0xd,
    VTD_REASON_IR_REQUEST_RESERVED = 0x20,
    VTD_REASON_IR_INDEX = 0x21,
    VTD_REASON_IR_ABSENT = 0x22,
    VTD_REASON_IR_ACCESS = 0x23,
    VTD_REASON_IR_RESERVED = 0x24,
    VTD_REASON_IR_COMPATIBILITY = 0x25,
    VTD_REASON_IR_SOURCE = 0x26,
    VTD_REASON_ABORT_MODE = 0x33,
    VTD_REASON_SCALABLE_ROOT_ABSENT = 0x39,
};

/** Reads (into data) or writes (from data); true when all was done. `result` may be NULL. */
bool vtd_model_dma(struct vtd_model *unit, const struct model_dma_request *request, void *data,
                   size_t bytes, struct model_dma_result *result);

/** An ATS translation request [PCIe 10.2.2]; faults are recorded as hardware does. */
void vtd_model_ats_request(struct vtd_model *unit, uint16_t rid, uint64_t address,
                           struct model_translation *out);

/* ---- interrupts ---- */

/** What came out of the unit towards the CPUs. */
struct vtd_model_interrupt {
    uint16_t rid;
    bool remapped; /**< false: a message of the older format that was let through */
    uint32_t destination;
    uint8_t vector;
    uint8_t delivery;
    bool logical, hint, level;
};

/**
 * Called for each interrupt that passes, with the unit locked, instead of posting it to the host.
 * NULL: post it again.
 */
typedef void vtd_model_interrupt_sink(void *arg, const struct vtd_model_interrupt *interrupt);
void vtd_model_set_interrupt_sink(struct vtd_model *unit, vtd_model_interrupt_sink *sink,
                                  void *arg);
/** A message of 32 bits to the interrupt window; the reason why it was refused, or NONE. */
uint8_t vtd_model_message(struct vtd_model *unit, uint16_t rid, uint64_t address, uint32_t data);
/** What an IOAPIC with this redirection entry sends [5.1.5.1]; a masked pin sends nothing. */
uint8_t vtd_model_ioapic(struct vtd_model *unit, uint16_t rid, uint64_t entry);
/** Interrupt entries in the cache. */
unsigned vtd_model_interrupt_entries(struct vtd_model *unit);
/** Whether interrupt remapping is enabled (GSTS.IRES). */
bool vtd_model_remapping(struct vtd_model *unit);

void vtd_model_connect(struct vtd_model *unit, uint16_t rid, const struct model_endpoint *endpoint);
/** A withheld completion arrives. */
void vtd_model_endpoint_completed(struct vtd_model *unit, uint16_t rid);
/** A withheld completion is given up on by the unit: ITE [VT-d 6.5.2.11]. */
void vtd_model_endpoint_timeout(struct vtd_model *unit, uint16_t rid);

/** The functions above for a device of any kind; the unit is the struct vtd_model. */
extern const struct model_unit_ops vtd_model_ops;

/** The unit's lock, recursive: makes a sequence of accesses one. */
void vtd_model_lock(struct vtd_model *unit);
void vtd_model_unlock(struct vtd_model *unit);

/* ---- stepping and looking ---- */

/** Works on up to `descriptors` of the queue; returns how many it took. */
unsigned vtd_model_step(struct vtd_model *unit, unsigned descriptors);

/** What was done, for tests that count. */
struct vtd_model_stats {
    uint64_t register_reads, register_writes;
    uint64_t doorbells; /**< writes to IQT */
    uint64_t descriptors;
    uint64_t context_global, context_domain, context_device;
    uint64_t iotlb_global, iotlb_domain, iotlb_page;
    uint64_t device_tlb, interrupt_entry, waits;
    uint64_t walks, iotlb_hits, faults_recorded, faults_lost;
};

void vtd_model_stats(struct vtd_model *unit, struct vtd_model_stats *out);

/** Entries in the IOTLB and paging-structure caches, and in the context cache. */
unsigned vtd_model_iotlb_entries(struct vtd_model *unit);
unsigned vtd_model_context_entries(struct vtd_model *unit);
/** Drops everything cached, as hardware may at any time. */
void vtd_model_evict(struct vtd_model *unit);

/** Whether translation is enabled (GSTS.TES). */
bool vtd_model_translating(struct vtd_model *unit);

/**
 * Records a violation for what software owes the unit now: an IOTLB invalidation after a context
 * invalidation, invalidations after a new root. Call it when software is done. [VT-d 6.5.1.1]
 */
void vtd_model_check_settled(struct vtd_model *unit);

/** Power was lost: registers are reset. Caches keep their content if `keep_caches`. */
void vtd_model_reset(struct vtd_model *unit, bool keep_caches);

/* ---- faults of the hardware, each on its own; zeros mean healthy ---- */

#define VTD_MODEL_NEVER UINT64_MAX

struct vtd_model_injection {
    uint32_t stuck_gsts;     /**< GSTS bits that never change any more */
    bool context_never_done; /**< CCMD.ICC stays set */
    bool iotlb_never_done;   /**< IOTLB.IVT stays set */
    bool wait_never_written; /**< wait descriptors pass, but write no status */
    bool queue_stuck;        /**< the head does not move */
    bool lost_invalidations; /**< claims completion, but drops nothing */
    uint64_t iqe_at;         /**< the n-th descriptor from now raises IQE; 1 is the next */
    uint64_t ite_at;         /**< the n-th device-TLB descriptor times out */
    uint64_t ice_at;         /**< the n-th device-TLB descriptor completes with an error */
    uint64_t gone_at;        /**< registers are all ones from the n-th access on */
    sluice_phys_t bad_fetch; /**< reading this page of tables fails; 0: none */
    bool faults_full;        /**< every further fault overflows */
};

/** Replaces all injections; counts start now. */
void vtd_model_inject(struct vtd_model *unit, const struct vtd_model_injection *injection);

#endif
