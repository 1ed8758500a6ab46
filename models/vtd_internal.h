// SPDX-License-Identifier: MIT
/*
 * The inside of the VT-d model: vtd.c (life, small functions), vtd_registers.c (the register
 * file), vtd_command.c (GCMD and register-based invalidation), vtd_queue.c (queued invalidation),
 * vtd_cache.c, vtd_walk.c (translation), vtd_fault.c. All of it runs with the unit locked.
 *
 * Section numbers are of the VT-d specification, revision 5.10.
 */
#ifndef MODELS_VTD_INTERNAL_H
#define MODELS_VTD_INTERNAL_H

#include "models/vtd.h"

#include <pthread.h>

/* Register offsets [11.4]. */
enum {
    R_VER = 0x00,
    R_CAP = 0x08,
    R_ECAP = 0x10,
    R_GCMD = 0x18,
    R_GSTS = 0x1c,
    R_RTADDR = 0x20,
    R_CCMD = 0x28,
    R_FSTS = 0x34,
    R_FECTL = 0x38,
    R_FEDATA = 0x3c,
    R_FEADDR = 0x40,
    R_FEUADDR = 0x44,
    R_PMEN = 0x64,
    R_PLMBASE = 0x68,
    R_PLMLIMIT = 0x6c,
    R_PHMBASE = 0x70,
    R_PHMLIMIT = 0x78,
    R_IQH = 0x80,
    R_IQT = 0x88,
    R_IQA = 0x90,
    R_ICS = 0x9c,
    R_IECTL = 0xa0,
    R_IEDATA = 0xa4,
    R_IEADDR = 0xa8,
    R_IEUADDR = 0xac,
    R_IQERCD = 0xb0,
    R_IRTA = 0xb8,
};

/* GCMD and GSTS [11.4.4]. */
#define G_TE       (1u << 31)
#define G_SRTP     (1u << 30)
#define G_WBF      (1u << 27)
#define G_QIE      (1u << 26)
#define G_IRE      (1u << 25)
#define G_SIRTP    (1u << 24)
#define G_CFI      (1u << 23)
#define G_LASTING  (G_TE | G_QIE | G_IRE | G_CFI)
#define G_ONE_SHOT (G_SRTP | G_WBF | G_SIRTP)

/* FSTS [11.4.7.1]. */
#define FS_PFO (1u << 0)
#define FS_PPF (1u << 1)
#define FS_IQE (1u << 4)
#define FS_ICE (1u << 5)
#define FS_ITE (1u << 6)

#define CTL_IM (1u << 31) /* FECTL and IECTL: masked */
#define CTL_IP (1u << 30) /* pending */

#define BIT64(n)              ((uint64_t)1 << (n))
#define FIELD64(v, high, low) (((v) >> (low)) & (UINT64_MAX >> (63 - ((high) - (low)))))
#define MASK64(high, low)     ((UINT64_MAX >> (63 - ((high) - (low)))) << (low))
#define ADDRESS_MASK          MASK64(63, 12)
#define CACHE_BUCKETS         1024u
#define CONTEXTS_MAX          512u
#define ENDPOINTS_MAX         16u

/* A cached translation (level 0), or a cached pointer to the table at `level`. */
struct cached {
    struct cached *next;
    uint16_t did;
    uint8_t level;
    uint8_t reason; /**< not 0: a cached refusal (caching mode) */
    uint64_t index; /**< address >> (12 + 9 * level) */
    sluice_phys_t phys;
    bool read, write;
};

struct cached_context {
    uint16_t rid;
    uint16_t did; /**< tag: 0 for refusals in caching mode [6.1] */
    uint8_t reason;
    bool fpd;
    uint64_t low, high;
};

struct endpoint {
    uint16_t rid;
    unsigned outstanding;
    struct model_endpoint to;
};

/* A wait descriptor that waits for device-TLB completions. */
struct parked_wait {
    bool used;
    bool fence;
    uint64_t low, high;
};

/* A cached interrupt entry; refusals too, in caching mode. */
struct cached_interrupt {
    bool used;
    uint8_t reason;
    uint64_t low, high;
};

#define INTERRUPTS_MAX 65536u

struct vtd_model {
    struct model_host *host;
    struct vtd_model_config config;
    pthread_mutex_t lock; /**< recursive; guards everything below */
    uint32_t file[1024];  /**< the registers */
    uint64_t root;        /**< RTADDR as the last SRTP took it */
    uint64_t interrupt_root;

    uint32_t command; /**< GCMD as written, while it is in progress */
    bool command_pending;
    bool context_pending, iotlb_pending;
    unsigned reads_left; /**< until what is pending completes */

    bool owes_context_global; /**< a new root was set [6.6] */
    bool owes_iotlb_global;
    bool owes_iotlb; /**< context entries were invalidated, their IOTLB entries were not */

    struct cached_context contexts[CONTEXTS_MAX];
    unsigned context_count;
    struct cached *buckets[CACHE_BUCKETS];
    unsigned cached_count;

    struct cached_interrupt *interrupts; /**< by index; NULL without remapping */
    unsigned interrupt_count;
    bool owes_interrupts; /**< a new table was set and not invalidated for */
    vtd_model_interrupt_sink *interrupt_sink;
    void *interrupt_sink_arg;

    uint64_t records[VTD_MODEL_FAULTS_MAX][2];
    unsigned record_next;

    struct endpoint endpoints[ENDPOINTS_MAX];
    unsigned endpoint_count;
    struct parked_wait parked;
    bool timing_out; /**< a device-TLB invalidation will never be answered */
    uint16_t timing_out_rid;

    struct vtd_model_injection inject;
    bool gone;
    struct vtd_model_stats stats;
};

__attribute__((format(printf, 2, 3))) void vtd_violate(struct vtd_model *unit, const char *format,
                                                       ...);

uint32_t vtd_get32(const struct vtd_model *unit, unsigned offset);
uint64_t vtd_get64(const struct vtd_model *unit, unsigned offset);
void vtd_set32(struct vtd_model *unit, unsigned offset, uint32_t value);
void vtd_set64(struct vtd_model *unit, unsigned offset, uint64_t value);
enum model_path vtd_path(const struct vtd_model *unit);

/* vtd_registers.c */
extern const struct model_mmio_ops vtd_mmio_ops;
void vtd_registers_reset(struct vtd_model *unit);

/* vtd_command.c */
void vtd_command_written(struct vtd_model *unit, uint32_t value);
void vtd_context_written(struct vtd_model *unit, uint64_t value);
void vtd_iotlb_written(struct vtd_model *unit, uint64_t value);
/** A register is read: what is pending comes nearer to its end. */
void vtd_progress(struct vtd_model *unit);

/* Invalidations, of either interface. */
enum vtd_reach {
    REACH_NONE = 0,
    REACH_GLOBAL = 1,
    REACH_DOMAIN = 2,
    REACH_NARROW = 3
};
void vtd_invalidate_context(struct vtd_model *unit, enum vtd_reach reach, uint16_t did,
                            uint16_t rid, unsigned function_mask);
/** False when the request is not possible; nothing is dropped then. */
bool vtd_invalidate_iotlb(struct vtd_model *unit, enum vtd_reach reach, uint16_t did,
                          uint64_t address_word);

/* vtd_queue.c */
void vtd_queue_enable(struct vtd_model *unit, bool enable);
void vtd_tail_written(struct vtd_model *unit, uint64_t value);
unsigned vtd_queue_run(struct vtd_model *unit, unsigned limit);
void vtd_completion_control_written(struct vtd_model *unit);

/* vtd_cache.c */
struct cached *vtd_cache_find(struct vtd_model *unit, uint16_t did, unsigned level,
                              uint64_t address);
void vtd_cache_add(struct vtd_model *unit, const struct cached *what);
void vtd_cache_drop_all(struct vtd_model *unit);
void vtd_cache_drop_domain(struct vtd_model *unit, uint16_t did);
void vtd_cache_drop_range(struct vtd_model *unit, uint16_t did, uint64_t first, uint64_t last,
                          bool leaves_only);
struct cached_context *vtd_context_find(struct vtd_model *unit, uint16_t rid);
struct cached_context *vtd_context_add(struct vtd_model *unit, const struct cached_context *what);
void vtd_context_drop(struct vtd_model *unit, enum vtd_reach reach, uint16_t did, uint16_t rid,
                      unsigned function_mask);

/* vtd_interrupt.c */
void vtd_interrupt_table_set(struct vtd_model *unit);
void vtd_interrupt_check_enable(struct vtd_model *unit);
void vtd_interrupt_drop(struct vtd_model *unit, uint32_t first, uint32_t count);
/** False when the descriptor asks for what is not there. */
bool vtd_interrupt_invalidate(struct vtd_model *unit, uint64_t descriptor);

/* vtd_fault.c */
struct vtd_fault_detail {
    uint16_t rid;
    uint64_t address;
    bool write;
    uint8_t address_type; /**< 0 untranslated, 1 translation request, 2 translated */
    uint8_t reason;
};
void vtd_fault_record(struct vtd_model *unit, const struct vtd_fault_detail *detail);
/** Sets a bit of FSTS and raises the fault event if it was quiet. */
void vtd_fault_status(struct vtd_model *unit, uint32_t bit);
void vtd_fault_status_written(struct vtd_model *unit, uint32_t value);
void vtd_fault_control_written(struct vtd_model *unit);
uint32_t vtd_fault_read(struct vtd_model *unit, unsigned offset);
void vtd_fault_record_written(struct vtd_model *unit, unsigned offset, uint32_t value);

#endif
