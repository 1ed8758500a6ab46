// SPDX-License-Identifier: MIT
/*
 * A register-level model of a RISC-V IOMMU, written from the specification [RISC-V IOMMU 1.0] and
 * independent of the driver that is tested on it.
 *
 *     struct riscv_model_config config = riscv_model_defaults();
 *
 *     config.sv57 = config.sv48 = false;
 *     unit = riscv_model_create(host, &config);        // registers appear at config.base
 *     ... software programs it through the host's hooks; device IDs are requester IDs ...
 *
 * The caches are real and never forget on their own: device and process contexts, directory entries
 * that lead to them, translations in pieces of 4 KiB and pointers to tables by PSCID or GSCID, MSI
 * entries by GSCID, stay until a command with sufficient reach drops them, also while the unit is
 * off; so a missing or too narrow one shows as DMA to the old page. What is not valid is never
 * cached. What software does against the specification is recorded with model_host_violate.
 *
 * Each unit has one lock; all functions may be called from any thread.
 */
#ifndef MODELS_RISCV_H
#define MODELS_RISCV_H

#include "models/unit.h"

struct riscv_model;

/** When the command queue is worked on. */
enum riscv_model_queue_mode {
    RISCV_MODEL_AT_DOORBELL = 0, /**< all of it, within the write to the tail */
    RISCV_MODEL_AT_TICK,         /**< one command each time software looks at the clock */
};

/** What the unit is built as. Use riscv_model_defaults() and change fields. */
struct riscv_model_config {
    sluice_phys_t base;          /**< of the registers; 0x03010000 */
    bool pci;                    /**< it is a PCI function, with the registers in BAR 0 */
    uint16_t rid;                /**< pci: its requester ID */
    bool sv39, sv48, sv57;       /**< true */
    bool sv39x4, sv48x4, sv57x4; /**< true */
    bool extended;               /**< MSI_FLAT; true */
    bool mrif;                   /**< MSI_MRIF; true */
    unsigned processes;          /**< bits 0 to 2: PD8, PD17, PD20; 7 */
    bool ats;
    bool ranges;         /**< CAP.S */
    bool nonleaf;        /**< CAP.NL */
    bool both_orders;    /**< CAP.END: FCTL.BE can be written; else it is as follows */
    bool big_endian;     /**< FCTL.BE at reset */
    bool coherent;       /**< tables and queues are read with snooping; true */
    unsigned igs;        /**< 0 messages, 1 wires, 2 both; 2 */
    unsigned version;    /**< 0x10 */
    unsigned pas;        /**< 56 */
    unsigned modes;      /**< bits 0 to 2: DDTP takes one, two, three levels; 7 */
    unsigned odd_mode;   /**< what DDTP.MODE becomes when it does not take one; 0 */
    unsigned reset_mode; /**< DDTP.MODE at reset: 0 off, 1 bare; 0 */
    /** IOTINVAL.GVMA looks for its address among those of devices where there are two stages, as
     * QEMU's does. */
    bool by_device_address;
    bool pieces;            /**< by address only 4 KiB of a large page are dropped; true */
    uint32_t wires[4];      /**< numbers of its wires, by vector */
    unsigned latency_reads; /**< busy is over at this read after the write; 2 */
    enum riscv_model_queue_mode queue_mode;
};

struct riscv_model_config riscv_model_defaults(void);
struct riscv_model *riscv_model_create(struct model_host *host,
                                       const struct riscv_model_config *config);
/** Frees it, before its host; its registers must not be touched any more. */
void riscv_model_destroy(struct riscv_model *unit);

/** Results carry the cause of the fault record [RISC-V IOMMU 3.2]; 0: refused without one. */
bool riscv_model_dma(struct riscv_model *unit, const struct model_dma_request *request, void *data,
                     size_t bytes, struct model_dma_result *result);
/** For devices; the unit is the struct riscv_model. */
extern const struct model_unit_ops riscv_model_ops;

/** Messages of devices, and notices, that do not go to memory: where they came out. */
typedef void riscv_model_message_sink(void *arg, sluice_phys_t address, uint32_t data);
/** NULL: to the host, as the unit's own. */
void riscv_model_set_message_sink(struct riscv_model *unit, riscv_model_message_sink *sink,
                                  void *arg);

/** A page request arrives [RISC-V IOMMU 3.3], whatever its device may; false when it was lost. */
bool riscv_model_page_request(struct riscv_model *unit, uint32_t device, uint64_t address,
                              unsigned group, bool last);
/** A fault record as hardware might write it, whatever it says. */
void riscv_model_log(struct riscv_model *unit, const uint64_t record[4]);

/** What was done, for tests that count. */
struct riscv_model_stats {
    uint64_t doorbells, commands, fences, inval_ddt, inval_ddt_all, inval_pdt, inval_address,
        inval_range, inval_tag, inval_all, atc, responses;
    uint64_t inval_guest; /**< of inval_address, _tag and _all: of guests' first stages */
    uint64_t atc_pasid;   /**< of atc: with a PASID */
    uint64_t walks, hits, faults, faults_lost, interrupts;
    uint64_t passed;  /**< accesses that got by while DDTP was bare */
    uint64_t notices; /**< of interrupt files in memory */
};

void riscv_model_stats(struct riscv_model *unit, struct riscv_model_stats *out);
unsigned riscv_model_tlb_entries(struct riscv_model *unit);
unsigned riscv_model_contexts_cached(struct riscv_model *unit);
/** DDTP.MODE as it has taken effect. */
unsigned riscv_model_mode(struct riscv_model *unit);
/** Drops everything cached, as hardware may at any time. */
void riscv_model_evict(struct riscv_model *unit);
/** Power was lost: registers are reset. */
void riscv_model_reset(struct riscv_model *unit);

/** Faults of the hardware, each on its own; zeros mean healthy. */
struct riscv_model_injection {
    bool stuck_ddtp;           /**< DDTP stays busy */
    bool stuck_queues;         /**< controls of queues stay busy */
    bool queue_stuck;          /**< commands are not taken */
    bool fence_stuck;          /**< IOFENCE.C never completes */
    bool lost_invalidations;   /**< claims completion, but drops nothing */
    uint64_t illegal_at;       /**< the n-th command from now is refused; 1 is the next */
    uint64_t memory_at;        /**< the n-th command meets a memory fault */
    bool memory_always;        /**< and so it does each time it is tried again */
    uint64_t timeout_at;       /**< the n-th ATS.INVAL is not answered */
    uint64_t timeouts;         /**< and so many after it */
    uint64_t gone_at;          /**< registers are all ones from the n-th access on */
    bool fence_interrupt;      /**< FENCE_W_IP is set now */
    uint64_t log_fails_at;     /**< the n-th fault record cannot be written */
    uint64_t request_fails_at; /**< nor the n-th page request */
    sluice_phys_t bad_fetch;   /**< reading this page of tables fails; 0: none */
};

void riscv_model_inject(struct riscv_model *unit, const struct riscv_model_injection *injection);

#endif
