// SPDX-License-Identifier: MIT
/*
 * The inside of the SMMUv3 model: smmu3.c (life, registers), smmu3_queue.c (commands, events),
 * smmu3_walk.c (configuration, translation). All of it runs with the unit locked.
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
#define STREAMS_MAX   64u
#define ENDPOINTS_MAX 16u

/** What a stream's entry and context descriptor come to. */
struct smmu3_stream {
    uint32_t sid;
    unsigned config; /**< as in the entry; 8 and up: refused */
    uint8_t event;   /**< of a refused one */
    bool ats, stall;
    bool stage2;
    uint16_t asid, vmid;
    unsigned granule; /**< log2 */
    unsigned start;   /**< level above the pages, from 0 */
    unsigned input_bits;
    unsigned output_bits;
    sluice_phys_t root;
};

/** A cached translation (level 0, in pieces of a page), or a pointer to the table below `level`. */
struct smmu3_cached {
    bool stage2;
    uint16_t asid, vmid;
    unsigned level, granule;
    uint64_t index; /**< address >> shift of the level */
    sluice_phys_t phys;
    bool read, write;
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
    bool atc_failed;              /**< the next CMD_SYNC fails */
    bool halted;                  /**< by a command error, until it is acknowledged */

    struct smmu3_stream streams[STREAMS_MAX];
    unsigned stream_count;
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

/* smmu3_walk.c */
bool smmu3_fetch(struct smmu3_model *unit, sluice_phys_t phys, uint64_t *out);
void smmu3_ats_request(void *arg, uint16_t rid, uint64_t address, struct model_translation *out);

#endif
