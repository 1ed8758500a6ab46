// SPDX-License-Identifier: MIT
/*
 * The inside of the RISC-V IOMMU model: riscv.c (life), riscv_registers.c, riscv_queue.c (commands,
 * faults, interrupts), riscv_walk.c (contexts, translation), riscv_nested.c, riscv_process.c,
 * riscv_msi.c. All of it runs with the unit locked.
 */
#ifndef MODELS_RISCV_INTERNAL_H
#define MODELS_RISCV_INTERNAL_H

#include "models/riscv.h"

#include <pthread.h>

enum {
    R_CAP = 0x00,
    R_FCTL = 0x08,
    R_DDTP = 0x10,
    R_CQB = 0x18,
    R_CQH = 0x20,
    R_CQT = 0x24,
    R_FQB = 0x28,
    R_FQH = 0x30,
    R_FQT = 0x34,
    R_PQB = 0x38,
    R_PQH = 0x40,
    R_PQT = 0x44,
    R_CQCSR = 0x48,
    R_FQCSR = 0x4c,
    R_PQCSR = 0x50,
    R_IPSR = 0x54,
    R_ICVEC = 0x2f8,
    R_MSI = 0x300,
    R_BYTES = 0x400,
};

#define BIT64(n)              ((uint64_t)1 << (n))
#define FIELD64(v, high, low) (((v) >> (low)) & (UINT64_MAX >> (63 - ((high) - (low)))))
#define MASK64(high, low)     ((UINT64_MAX >> (63 - ((high) - (low)))) << (low))

#define CSR_EN   1u
#define CSR_IE   2u
#define CSR_MF   (1u << 8)
#define CSR_OF   (1u << 9) /**< of the command queue: time-out */
#define CSR_ILL  (1u << 10)
#define CSR_WIP  (1u << 11)
#define CSR_ON   (1u << 16)
#define CSR_BUSY (1u << 17)

enum {
    MODE_OFF = 0,
    MODE_BARE = 1,
    MODE_1LVL = 2,
    MODE_3LVL = 4
};
enum {
    CAUSE_READ_ACCESS = 5,
    CAUSE_WRITE_ACCESS = 7
};
enum {
    CAUSE_OFF = 256,
    CAUSE_DDT_LOAD,
    CAUSE_DDT_INVALID,
    CAUSE_DDT_BAD,
    CAUSE_TYPE
};
enum {
    CAUSE_MSI_LOAD = 261,
    CAUSE_MSI_INVALID,
    CAUSE_MSI_BAD,
    CAUSE_MRIF,
    CAUSE_PDT_LOAD,
    CAUSE_PDT_INVALID,
    CAUSE_PDT_BAD
};

#define TLB_MAX       4096u
#define CONTEXTS_MAX  64u
#define DIRECTORY_MAX 64u
#define ENDPOINTS_MAX 16u
#define MESSAGES_MAX  64u

/** Where a guest's root page is, for as long as what leads there is cached. */
struct riscv_root {
    bool known;
    sluice_phys_t phys;
};

/** A valid device context, as it was read. */
struct riscv_context {
    uint32_t device;
    uint64_t word[8];
    struct riscv_root root;     /**< of its first stage or process directory */
    struct riscv_root *root_at; /**< of a copy: the root of the first stage, where it is kept */
};

/** A valid process context. */
struct riscv_process {
    uint32_t device, process;
    uint64_t ta, fsc;
    struct riscv_root root;
};

/** One stage as a context has it. */
struct riscv_stage {
    bool second;
    bool guest;      /**< a first stage on a second one */
    uint32_t tag;    /**< PSCID, or of a second stage GSCID */
    uint32_t below;  /**< guest: GSCID of that second stage */
    unsigned levels; /**< 0: bare */
    sluice_phys_t root;
};

/** What a stage is asked for. */
struct riscv_access {
    bool write;
    bool fault_write; /**< what a fault says that was asked for */
    bool implicit;    /**< the unit's own reading of tables */
};

/** A directory entry that leads to a table. */
struct riscv_directory {
    uint32_t device; /**< of a process directory: whose */
    unsigned level;
    uint32_t index; /**< device or process ID above what the table is for */
    sluice_phys_t table;
};

/**
 * A cached translation (level 0, in pieces of a page), or a pointer to the table below `level`. Of
 * a guest's first stage a translation is that of both stages, and a pointer is the guest's address.
 */
struct riscv_cached {
    bool second, guest;
    uint32_t tag, below;
    uint64_t gpa; /**< guest, level 0: number of the guest's page in between */
    unsigned level;
    unsigned shift; /**< of the leaf that a piece is of */
    uint64_t index; /**< address >> shift of the level */
    sluice_phys_t phys;
    bool read, write;
};

/** A valid MSI entry. */
struct riscv_message {
    uint32_t tag;
    uint64_t page; /**< number of the guest's page */
    uint64_t word[2];
};

struct riscv_endpoint {
    uint16_t rid;
    unsigned outstanding;
    struct model_endpoint to;
};

struct riscv_model {
    struct model_host *host;
    struct riscv_model_config config;
    struct model_pci_function *function; /**< on PCI */
    pthread_mutex_t lock;                /**< recursive; guards everything below */
    uint32_t file[R_BYTES / 4];
    uint64_t ddtp;      /**< as it has taken effect */
    unsigned ddtp_left; /**< reads until it follows */
    unsigned csr_left[3];
    bool unordered;        /**< an IOTINVAL is not known to be complete */
    bool unordered_second; /**< nor is one of a second stage */
    uint64_t guest_fault;  /**< iotval2 of the last guest page fault [RISC-V IOMMU 3.2] */
    bool atc_failed;       /**< the next IOFENCE.C fails */

    struct riscv_context contexts[CONTEXTS_MAX];
    unsigned context_count;
    struct riscv_directory directory[DIRECTORY_MAX];
    unsigned directory_count;
    struct riscv_process processes[CONTEXTS_MAX];
    unsigned process_count;
    struct riscv_directory pdt[DIRECTORY_MAX];
    unsigned pdt_count;
    struct riscv_cached tlb[TLB_MAX];
    unsigned tlb_count;
    struct riscv_message messages[MESSAGES_MAX];
    unsigned message_count;
    riscv_model_message_sink *sink;
    void *sink_arg;
    struct riscv_endpoint endpoints[ENDPOINTS_MAX];
    unsigned endpoint_count;

    struct riscv_model_injection inject;
    bool gone;
    struct riscv_model_stats stats;
};

__attribute__((format(printf, 2, 3))) void riscv_violate(struct riscv_model *unit,
                                                         const char *format, ...);

static inline uint32_t riscv_get(const struct riscv_model *unit, unsigned offset)
{
    return unit->file[offset / 4];
}

static inline void riscv_set(struct riscv_model *unit, unsigned offset, uint32_t value)
{
    unit->file[offset / 4] = value;
}

static inline uint64_t riscv_get64(const struct riscv_model *unit, unsigned offset)
{
    return unit->file[offset / 4] | (uint64_t)unit->file[offset / 4 + 1] << 32;
}

static inline void riscv_set64(struct riscv_model *unit, unsigned offset, uint64_t value)
{
    riscv_set(unit, offset, (uint32_t)value);
    riscv_set(unit, offset + 4, (uint32_t)(value >> 32));
}

static inline enum model_path riscv_path(const struct riscv_model *unit)
{
    return unit->config.coherent ? MODEL_SNOOPED : MODEL_BEHIND;
}

void riscv_lock(struct riscv_model *unit);
void riscv_unlock(struct riscv_model *unit);

/** The n-th, of an injection that counts down. */
static inline bool riscv_hits(uint64_t *counter)
{
    return *counter != 0 && --*counter == 0;
}

/* riscv_registers.c */
extern const struct model_mmio_ops riscv_mmio_ops;

/* riscv_queue.c */
unsigned riscv_queue_run(struct riscv_model *unit, unsigned limit);
void riscv_put_fault(struct riscv_model *unit, const uint64_t record[4]);
/** Sets a bit of IPSR where its queue's interrupts are on. */
void riscv_raise(struct riscv_model *unit, unsigned queue);
/** Raises what the error bits of the queues call for. */
void riscv_raise_errors(struct riscv_model *unit);

/* riscv_process.c */
bool riscv_pdt_supported(const struct riscv_model *unit, uint64_t mode);
/** Puts the process's first stage into a copy of its device's context. 0, or a cause. */
uint16_t riscv_process_apply(struct riscv_model *unit, struct riscv_context *context,
                             const struct model_dma_request *request);
/** Of one device, or of all. */
void riscv_processes_drop(struct riscv_model *unit, bool one, uint32_t device);
/** IODIR.INVAL_PDT; false: illegal. */
bool riscv_inval_pdt(struct riscv_model *unit, uint64_t low, uint64_t high);

/* riscv_walk.c */
bool riscv_has_mode(const struct riscv_model *unit, bool second, uint64_t mode);
bool riscv_fetch(struct riscv_model *unit, sluice_phys_t phys, uint64_t *out);
void riscv_ats_request(void *arg, uint16_t rid, uint64_t address, struct model_translation *out);

/** Where to find what a context's stage was cached as; at level 0 translations. */
struct riscv_cached *riscv_cache_find(struct riscv_model *unit, const struct riscv_stage *stage,
                                      unsigned level, uint64_t index);
struct riscv_cached *riscv_cache_add(struct riscv_model *unit, const struct riscv_stage *stage,
                                     unsigned level, uint64_t index, sluice_phys_t phys);
uint16_t riscv_page_fault(bool second, bool write);
/** The second stage of a context, or its first. */
struct riscv_stage riscv_stage_of(const struct riscv_context *context, bool second);
/** Through one stage that stands by itself. 0, or a cause. */
uint16_t riscv_through(struct riscv_model *unit, const struct riscv_stage *stage, uint64_t address,
                       const struct riscv_access *access, uint64_t *out);

/* riscv_nested.c; 0, or a cause */
/** The page of a root that a context names, remembered with it. */
uint16_t riscv_root(struct riscv_model *unit, const struct riscv_stage *second,
                    struct riscv_root *root, sluice_phys_t table, bool write, sluice_phys_t *out);
/** Reads a word of a table whose addresses go through a second stage, if there is one. */
uint16_t riscv_fetch_first(struct riscv_model *unit, const struct riscv_stage *second,
                           sluice_phys_t at, bool write, uint64_t *out);
/** Through both stages; *out_message: up to the guest's address of an interrupt file. */
uint16_t riscv_nested(struct riscv_model *unit, const struct riscv_context *context,
                      const struct riscv_stage stages[2], uint64_t address,
                      const struct riscv_access *access, uint64_t *out, bool *out_message);

/* riscv_msi.c */
/** Whether a guest address is an interrupt file's. */
bool riscv_is_msi(const struct riscv_context *context, uint64_t address);
/** 0, or a cause. */
uint16_t riscv_msi(struct riscv_model *unit, const struct riscv_context *context,
                   const struct model_dma_request *request, const void *data, size_t bytes);

#endif
