// SPDX-License-Identifier: MIT
/*
 * A register-level model of an Arm SMMUv3, non-secure, stage 1, stage 2 or both, written from the
 * specification [SMMU, IHI 0070 F.b] and independent of the driver that is tested on it.
 *
 *     struct smmu3_model_config config = smmu3_model_defaults();
 *
 *     config.stage1 = false;
 *     unit = smmu3_model_create(host, &config);        // registers appear at config.base
 *     ... software programs it through the host's hooks; stream IDs are requester IDs ...
 *
 * The caches are real and never forget on their own: stream table entries, context descriptors and
 * what led to them, translations (in pieces of the smallest page, or of a whole run that is marked
 * as one; two stages together, and the second alone) and pointers to tables by ASID and VMID, stay
 * until a command with sufficient reach drops them, so a missing or too narrow one shows as DMA to
 * the old page. What software does against the specification is recorded with model_host_violate:
 * also a change of a descriptor, while what it said is cached, that is more than `bbml` allows. An
 * access that comes in between ends in F_TLB_CONFLICT.
 *
 * Each unit has one lock; all functions may be called from any thread.
 */
#ifndef MODELS_SMMU3_H
#define MODELS_SMMU3_H

#include "models/unit.h"

struct smmu3_model;

/** When the command queue is worked on. */
enum smmu3_model_queue_mode {
    SMMU3_MODEL_AT_DOORBELL = 0, /**< all of it, within the write to the producer index */
    SMMU3_MODEL_AT_TICK,         /**< one command each time software looks at the clock */
};

/** What the unit is built as. Use smmu3_model_defaults() and change fields. */
struct smmu3_model_config {
    sluice_phys_t base; /**< of the registers; 0x09050000 */
    bool stage1, stage2;
    bool coherent; /**< COHACC; true */
    bool messages; /**< IDR0.MSI; true */
    bool ats, pri;
    bool two_level;     /**< ST_LEVEL; true */
    bool contexts_2;    /**< CD2L; true */
    unsigned ssid_bits; /**< substream IDs; 0 */
    unsigned httu;      /**< HTTU; 0 */
    bool wide_tags;     /**< ASID16 and VMID16; true */
    bool ranges;        /**< RIL; true */
    unsigned bbml;      /**< 2 */
    unsigned sid_bits;  /**< 16 */
    unsigned oas;       /**< IDR5.OAS; 5: 48 bits */
    unsigned granules;  /**< bit 0 4 KiB, bit 1 16 KiB, bit 2 64 KiB; 7 */
    unsigned stall;     /**< STALL_MODEL; 1 */
    unsigned event_lg2; /**< EVENTQS; 19 */
    uint32_t iidr;
    unsigned latency_reads; /**< acknowledgements come at this read after the write; 2 */
    enum smmu3_model_queue_mode queue_mode;
};

struct smmu3_model_config smmu3_model_defaults(void);
struct smmu3_model *smmu3_model_create(struct model_host *host,
                                       const struct smmu3_model_config *config);
/** Frees it, before its host; its registers must not be touched any more. */
void smmu3_model_destroy(struct smmu3_model *unit);

/** Results carry the type of the event [SMMU 7.3]; 0: refused without one. */
bool smmu3_model_dma(struct smmu3_model *unit, const struct model_dma_request *request, void *data,
                     size_t bytes, struct model_dma_result *result);
/** For devices; the unit is the struct smmu3_model. */
extern const struct model_unit_ops smmu3_model_ops;

/** A page request arrives [SMMU 8]; false when it was lost. */
bool smmu3_model_page_request(struct smmu3_model *unit, uint32_t sid, uint64_t address,
                              unsigned group, bool last);
/** An event as hardware might write it, whatever it says. */
void smmu3_model_log(struct smmu3_model *unit, const uint64_t event[4]);

/** What was done, for tests that count. */
struct smmu3_model_stats {
    uint64_t doorbells, commands, syncs, cfgi_ste, cfgi_all, tlbi_va, tlbi_range, tlbi_tag,
        tlbi_all, atc, responses, resumes, cfgi_cd, tlbi_stage1, atc_pasid;
    uint64_t accessed; /**< access flags that were set */
    uint64_t runs;     /**< translations cached for a whole run that was marked as one */
    uint64_t walks, hits, events, events_lost;
    uint64_t passed;  /**< accesses that got by while translation was off */
    uint64_t stalled; /**< accesses that wait for an answer now */
};

void smmu3_model_stats(struct smmu3_model *unit, struct smmu3_model_stats *out);
unsigned smmu3_model_tlb_entries(struct smmu3_model *unit);
unsigned smmu3_model_streams_cached(struct smmu3_model *unit);
bool smmu3_model_translating(struct smmu3_model *unit);
/** Drops everything cached, as hardware may at any time. */
void smmu3_model_evict(struct smmu3_model *unit);
/** Power was lost: registers are reset, GBPA as the platform wires it (not aborting). */
void smmu3_model_reset(struct smmu3_model *unit);

/** Faults of the hardware, each on its own; zeros mean healthy. */
struct smmu3_model_injection {
    bool stuck_cr0;          /**< CR0ACK never changes any more */
    bool stuck_gbpa;         /**< GBPA.UPDATE never clears */
    bool queue_stuck;        /**< commands are not taken */
    bool sync_stuck;         /**< CMD_SYNC never completes */
    bool lost_invalidations; /**< claims completion, but drops nothing */
    uint64_t illegal_at;     /**< the n-th command from now is refused; 1 is the next */
    uint64_t abort_at;       /**< the n-th command cannot be read */
    uint64_t timeout_at;     /**< the n-th ATC_INV is not answered */
    uint64_t timeouts;       /**< and so many after it */
    uint64_t gone_at;        /**< registers are all ones from the n-th access on */
    sluice_phys_t bad_fetch; /**< reading this page of tables fails; 0: none */
    uint32_t gerror;         /**< these errors become active now */
};

void smmu3_model_inject(struct smmu3_model *unit, const struct smmu3_model_injection *injection);

#endif
