// SPDX-License-Identifier: MIT
/*
 * The inside of the SMMUv3 model: smmu3.c (life, registers), smmu3_queue.c (commands, events),
 * smmu3_stream.c (configuration), smmu3_walk.c (translation). All of it runs with the unit locked.
 */
#ifndef MODELS_SMMU3_INTERNAL_H
#define MODELS_SMMU3_INTERNAL_H

#include "models/smmu3.h"

#include <pthread.h>

enum {
    R_IDR0 = 0x00,
    R_IDR1 = 0x04,
    R_IDR3 = 0x0c,
    R_IDR5 = 0x14,
    R_IIDR = 0x18,
    R_AIDR = 0x1c,
    R_CR0 = 0x20,
    R_CR0ACK = 0x24,
    R_CR1 = 0x28,
    R_CR2 = 0x2c,
    R_GBPA = 0x44,
    R_IRQ_CTRL = 0x50,
    R_IRQ_CTRLACK = 0x54,
    R_GERROR = 0x60,
    R_GERRORN = 0x64,
    R_GERROR_CFG0 = 0x68,
    R_STRTAB_BASE = 0x80,
    R_STRTAB_CFG = 0x88,
    R_CMDQ_BASE = 0x90,
    R_CMDQ_PROD = 0x98,
    R_CMDQ_CONS = 0x9c,
    R_EVENTQ_BASE = 0xa0,
    R_EVENTQ_PROD = 0xa8, /**< at 0x100a8 */
    R_EVENTQ_CONS = 0xac,
    R_EVENTQ_CFG0 = 0xb0,
    R_PRIQ_BASE = 0xc0,
    R_PRIQ_PROD = 0xc8,
    R_PRIQ_CONS = 0xcc,
    R_PRIQ_CFG0 = 0xd0,
    R_BYTES = 0xe0,
};

#define BIT64(n)              ((uint64_t)1 << (n))
#define FIELD64(v, high, low) (((v) >> (low)) & (UINT64_MAX >> (63 - ((high) - (low)))))
#define MASK64(high, low)     ((UINT64_MAX >> (63 - ((high) - (low)))) << (low))

#define CR0_SMMUEN   BIT64(0)
#define CR0_PRIQEN   BIT64(1)
#define CR0_EVENTQEN BIT64(2)
#define CR0_CMDQEN   BIT64(3)
#define CR0_ATSCHK   BIT64(4)
#define GBPA_ABORT   BIT64(20)
#define GBPA_UPDATE  BIT64(31)
#define OVERFLOW     BIT64(31)

#define TLB_MAX       4096u
#define ENTRIES_MAX   64u /**< stream table entries, context descriptors, pointers to them */
#define ENDPOINTS_MAX 16u

enum {
    E_BAD_STREAM = 0x02,
    E_STE_FETCH = 0x03,
    E_BAD_STE = 0x04,
    E_BAD_ATS = 0x05,
    E_DISABLED = 0x06,
    E_FORBIDDEN = 0x07,
    E_BAD_SUBSTREAM = 0x08,
    E_CD_FETCH = 0x09,
    E_BAD_CD = 0x0a,
    E_WALK = 0x0b,
    E_TRANSLATION = 0x10,
    E_ADDR_SIZE = 0x11,
    E_ACCESS = 0x12,
    E_PERMISSION = 0x13,
    E_TLB_CONFLICT = 0x20,
};

/* What stage 2 is asked for: CLASS of an event [SMMU 7.3]. */
enum {
    CLASS_CD = 0,
    CLASS_TT = 1,
    CLASS_IN = 2,
};

#define SMMU3_REFUSED  8u /**< as a stream's config */
#define SMMU3_TOGETHER 1u /**< as a granule: what two stages come to together */

/** A stage's tables. */
struct smmu3_stage {
    unsigned granule; /**< log2 */
    unsigned start;   /**< level above the pages, from 0 */
    unsigned input_bits;
    unsigned output_bits;
    sluice_phys_t root;
    bool writes_access; /**< HTTU: sets access flags */
};

/** What a stream's entry and context descriptor come to. */
struct smmu3_stream {
    uint32_t sid, ssid;
    bool has_ssid;
    unsigned config;    /**< as in the entry; 8 and up: refused */
    uint8_t event;      /**< of a refused one */
    bool faulted_below; /**< refused by stage 2 */
    bool ats, stall;
    bool quiet, quiet_below; /**< faults of stage 1, and of stage 2, are not recorded: R, S2R */
    uint16_t asid, vmid;
    unsigned granule, start, input_bits, output_bits; /**< of stage 1 */
    sluice_phys_t root;
    bool writes_access;
    struct smmu3_stage below; /**< stage 2 */
};

/** As read: a stream table entry, a first-level context descriptor, a context descriptor. */
struct smmu3_entry {
    uint32_t sid;
    uint8_t event; /**< that came of reading it */
    uint64_t word[8];
};

struct smmu3_pointer {
    uint32_t sid, index;
    uint64_t descriptor;
};

struct smmu3_context {
    uint32_t sid, ssid;
    uint64_t word[8];
};

/** A cached translation (level 0), of 1 << lg2 bytes, or a pointer to the table below `level`. */
struct smmu3_cached {
    bool stage2;
    uint16_t asid, vmid;
    unsigned level, lg2, granule;
    uint64_t index; /**< address >> lg2 */
    sluice_phys_t phys;
    bool read, write;
    /** Of a leaf: its descriptor as it was read, where, and the entries from there on that it spoke
     * for. 0: of a guest's tables, or of two stages together. */
    sluice_phys_t at;
    uint64_t descriptor;
    unsigned entries, leaf_level;
};

struct smmu3_endpoint {
    uint16_t rid;
    unsigned outstanding;
    struct model_endpoint to;
};

struct smmu3_model {
    struct model_host *host;
    struct smmu3_model_config config;
    pthread_mutex_t lock; /**< recursive; guards everything below */
    uint32_t file[R_BYTES / 4];
    unsigned ack_left, gbpa_left; /**< reads until they follow */
    bool owes_streams, owes_tlb;  /**< must be invalidated before translation is turned on */
    bool unordered;               /**< a TLBI is not known to be complete */
    bool unordered_below;         /**< nor one of stage 2 by address */
    bool below;                   /**< the last fault was stage 2's */
    uint64_t ipa;                 /**< what stage 2 was last asked for */
    unsigned ipa_class;           /**< and why: as CLASS of an event [SMMU 7.3] */
    bool atc_failed;              /**< the next CMD_SYNC fails */
    bool halted;                  /**< by a command error, until it is acknowledged */

    struct smmu3_entry entries[ENTRIES_MAX];
    unsigned entry_count;
    struct smmu3_pointer pointers[ENTRIES_MAX];
    unsigned pointer_count;
    struct smmu3_context contexts[ENTRIES_MAX];
    unsigned context_count;
    struct smmu3_cached tlb[TLB_MAX];
    unsigned tlb_count;
    struct smmu3_endpoint endpoints[ENDPOINTS_MAX];
    unsigned endpoint_count;

    struct smmu3_model_injection inject;
    bool gone;
    struct smmu3_model_stats stats;
};

__attribute__((format(printf, 2, 3))) void smmu3_violate(struct smmu3_model *unit,
                                                         const char *format, ...);

static inline uint32_t smmu3_get(const struct smmu3_model *unit, unsigned offset)
{
    return unit->file[offset / 4];
}

static inline void smmu3_set(struct smmu3_model *unit, unsigned offset, uint32_t value)
{
    unit->file[offset / 4] = value;
}

static inline uint64_t smmu3_get64(const struct smmu3_model *unit, unsigned offset)
{
    return unit->file[offset / 4] | (uint64_t)unit->file[offset / 4 + 1] << 32;
}

static inline enum model_path smmu3_path(const struct smmu3_model *unit)
{
    return unit->config.coherent ? MODEL_SNOOPED : MODEL_BEHIND;
}

/** Whether a queue or translation runs: as acknowledged. */
static inline bool smmu3_on(const struct smmu3_model *unit, uint64_t bit)
{
    return (smmu3_get(unit, R_CR0ACK) & bit) != 0;
}

void smmu3_lock(struct smmu3_model *unit);
void smmu3_unlock(struct smmu3_model *unit);

/* smmu3_queue.c */
unsigned smmu3_queue_run(struct smmu3_model *unit, unsigned limit);
void smmu3_put_event(struct smmu3_model *unit, const uint64_t event[4]);
/** Toggles errors that are not active, and interrupts. */
void smmu3_raise_error(struct smmu3_model *unit, uint32_t errors);

/* smmu3_stream.c */
/** @param ssid  NULL: the request has no substream ID */
void smmu3_stream_of(struct smmu3_model *unit, uint32_t sid, const uint32_t *ssid,
                     struct smmu3_stream *out);
void smmu3_drop_streams(struct smmu3_model *unit, uint32_t sid, bool all, bool leaf);
/** @param ssid  NULL: all of the stream */
void smmu3_drop_contexts(struct smmu3_model *unit, uint32_t sid, const uint32_t *ssid, bool leaf);

/* smmu3_walk.c */
/** Whether a descriptor that is cached was changed in a way that this unit does not take. */
bool smmu3_changed(struct smmu3_model *unit, const struct smmu3_cached *entry);
bool smmu3_fetch(struct smmu3_model *unit, sluice_phys_t phys, uint64_t *out);
/** From an intermediate address to memory; 0, or an event. */
uint8_t smmu3_stage2(struct smmu3_model *unit, const struct smmu3_stream *stream, uint64_t address,
                     bool write, unsigned kind, sluice_phys_t *out);
void smmu3_ats_request(void *arg, uint16_t rid, uint64_t address, struct model_translation *out);

#endif
