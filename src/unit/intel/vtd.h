// SPDX-License-Identifier: MIT
/*
 * The inside of the Intel VT-d driver, legacy mode [VT-d 3.4.2].
 *
 * Locks, in order: sluice->lock (held by callers of most operations) > queue.lock >
 * register_lock. fault_lock is taken alone.
 *
 *   queue.lock     the invalidation ring, its records, the list of sources with device TLBs
 *   register_lock  GCMD and the register-based invalidation interface, one command at a time
 *   fault_lock     FSTS.PFO and the fault records; never held while a fault is delivered
 */
#ifndef SLUICE_UNIT_INTEL_VTD_H
#define SLUICE_UNIT_INTEL_VTD_H

#include "unit/index.h"
#include "unit/intel/descriptor.h"
#include "unit/intel/registers.h"
#include "unit/unit.h"
#include "unit/user.h"

#define VTD_CONTEXT_TABLES 256u /**< one a bus [VT-d 3.4.2] */
#define VTD_QUEUE_ENTRIES  256u /**< one page of 128-bit descriptors: IQA.QS = 0 */
#define VTD_RECORDS        64u  /**< batches in flight; a power of two */
#define VTD_BATCH_MAX      64u  /**< descriptors in a batch, its wait not counted */
#define VTD_FAULT_RECORD   16u  /**< bytes */

/** CAP and ECAP in the words the driver decides with. */
struct vtd_capability {
    uint64_t cap;
    uint64_t ecap;
    uint32_t version;
    unsigned levels_mask; /**< bit n: n-level tables */
    unsigned levels_max;
    unsigned iova_bits;
    unsigned phys_bits;
    uint64_t page_sizes;
    uint32_t domain_count;
    unsigned fault_count;
    uint32_t fault_offset;
    uint32_t iotlb_offset; /**< of IVA; the IOTLB register follows it */
    uint64_t window_bytes; /**< that these offsets need */
    uint8_t drain;         /**< for struct vtd_iotlb_request */
    bool caching_mode;
    bool write_buffer; /**< CAP.RWBF, or an erratum says so */
};

enum vtd_record_state {
    VTD_RECORD_FREE = 0,
    VTD_RECORD_PENDING, /**< its wait descriptor is in the ring */
    VTD_RECORD_DONE,
    VTD_RECORD_FAILED,
    VTD_RECORD_MOVED, /**< aborted by an error and put into the ring again as `successor` */
};

/** One batch: descriptors and their wait, contiguous in the ring. */
struct vtd_record {
    enum vtd_record_state state;
    bool retried;
    bool passed; /**< its wait was fetched: the unit reads its ring entries no more */
    uint64_t sequence;
    uint64_t first; /**< position of the first descriptor; positions only rise */
    uint64_t end;   /**< past the wait descriptor */
    uint64_t successor;
};

struct vtd_queue {
    struct sluice_spinlock lock;
    bool enabled;               /**< guarded by lock */
    bool dead;                  /**< missed a deadline: nothing is submitted any more */
    struct sluice_pages ring;   /**< VTD_QUEUE_ENTRIES descriptors */
    struct sluice_pages status; /**< a 32-bit word a record, written by hardware */
    uint64_t tail;              /**< position of the next descriptor */
    uint64_t rung;              /**< what the doorbell was last told */
    uint64_t reclaimed;         /**< everything before is free again */
    uint64_t oldest;            /**< sequence of the oldest record not given back */
    uint64_t next;              /**< sequence of the next record; starts at 1 */
    uint64_t failed_last;       /**< highest sequence that failed; 0: none */
    uint64_t errors;            /**< how many were recovered from or not, for reports */
    struct vtd_record records[VTD_RECORDS];
};

/** Interrupt remapping; all zero when it was not asked for. Guarded by sluice->lock. */
struct vtd_interrupts {
    struct sluice_pages table;
    unsigned order;
    unsigned entries_lg2;
    struct unit_index index; /**< which entries are given out */
};

/** What start found, to go back to. */
struct vtd_before {
    uint32_t status;
    uint32_t protected_memory;
    uint64_t root;
    uint64_t interrupts;
};

struct vtd {
    struct unit unit; /**< first */
    void *registers;
    uint64_t register_bytes;
    struct vtd_capability capability;
    uint32_t errata; /**< set of enum vtd_erratum */

    struct sluice_spinlock register_lock;
    struct sluice_spinlock fault_lock;
    struct vtd_queue queue;
    bool use_queue;
    struct vtd_before before; /**< of the last start */
    struct unit_users users;  /**< sources with device TLBs */

    struct sluice_pages root; /**< root table */
    struct sluice_pages contexts[VTD_CONTEXT_TABLES];
    struct unit_index tags; /**< domain IDs */

    struct vtd_interrupts interrupts;

    bool has_event;
    void *event;
    struct sluice_msi msi;
    uint64_t faults_seen; /**< guarded by fault_lock, as the next two */
    unsigned fault_next;  /**< record that comes after the last one taken */
    bool faults_lost;     /**< an overflow was seen and not told with a fault yet */
};

static inline struct vtd *vtd_of(struct unit *unit)
{
    return container_of(unit, struct vtd, unit);
}

static inline uint32_t vtd_read32(struct vtd *vtd, uint32_t offset)
{
    struct sluice *sluice = vtd->unit.sluice;

    return sluice->ops->mmio_read32(sluice->config.ctx, vtd->registers, offset);
}

static inline uint64_t vtd_read64(struct vtd *vtd, uint32_t offset)
{
    struct sluice *sluice = vtd->unit.sluice;

    return sluice->ops->mmio_read64(sluice->config.ctx, vtd->registers, offset);
}

static inline void vtd_write32(struct vtd *vtd, uint32_t offset, uint32_t value)
{
    struct sluice *sluice = vtd->unit.sluice;

    sluice->ops->mmio_write32(sluice->config.ctx, vtd->registers, offset, value);
}

static inline void vtd_write64(struct vtd *vtd, uint32_t offset, uint64_t value)
{
    struct sluice *sluice = vtd->unit.sluice;

    sluice->ops->mmio_write64(sluice->config.ctx, vtd->registers, offset, value);
}

/** Makes stores to structures visible to a unit that does not snoop [VT-d 11.4.3, ECAP.C]. */
static inline void vtd_clean(struct vtd *vtd, const void *virt, size_t bytes)
{
    if (!vtd->unit.caps.coherent)
        host_cache_clean(vtd->unit.sluice, virt, bytes);
}

/* capability.c */
/** Decodes and checks. Returns OK; HARDWARE (contradictory; logged); UNSUPPORTED (logged). */
enum sluice_status vtd_capability_read(struct sluice *sluice, const char *name, uint32_t version,
                                       uint64_t cap, uint64_t ecap, struct vtd_capability *out);
void vtd_capability_publish(struct vtd *vtd);
void vtd_describe(struct unit *unit, sluice_emit *emit, void *arg);

/* errata.c */
enum vtd_erratum {
    VTD_ERRATUM_WRITE_BUFFER = 1u << 0,           /**< flush as if CAP.RWBF were set */
    VTD_ERRATUM_NO_INTERRUPT_REMAPPING = 1u << 1, /**< leave interrupt entries alone */
    VTD_ERRATUM_GRAPHICS = 1u << 2,               /**< only logged: keep graphics on identity */
};
/** Looks at host bridge and graphics and logs what applies; a set of enum vtd_erratum. */
uint32_t vtd_errata_find(struct sluice *sluice, const char *name);

/* command.c */
/** Sets or clears one lasting bit of GCMD (TE, QIE) and waits for GSTS [VT-d 11.4.4]. */
enum sluice_status vtd_command_lasting(struct vtd *vtd, uint32_t bit, bool on, const char *what);
/** SRTP: waits until the root table address is taken [VT-d 6.6]. */
enum sluice_status vtd_command_set_root(struct vtd *vtd, uint64_t rtaddr);
/** SIRTP: waits until the interrupt table address is taken [VT-d 11.4.4.1]. */
enum sluice_status vtd_command_set_interrupt_table(struct vtd *vtd, uint64_t irta);
/** WBF where the unit needs it [VT-d 6.8]. Context: any. */
enum sluice_status vtd_command_flush_writes(struct vtd *vtd);
enum sluice_status vtd_protected_memory_off(struct vtd *vtd);
/** What vtd_protected_memory gave: whether firmware protects memory. */
uint32_t vtd_protected_memory(struct vtd *vtd);
/** As it was found; the regions themselves are as firmware set them. */
enum sluice_status vtd_protected_memory_put_back(struct vtd *vtd, uint32_t was);
/**
 * Waits until (register & mask) == want. Returns OK; TIMEOUT; HARDWARE (reads all ones).
 * Logged; the caller decides what it means.
 */
enum sluice_status vtd_wait32(struct vtd *vtd, uint32_t offset, uint32_t mask, uint32_t want,
                              const char *what);

/* invalidate_registers.c */
/** From major version 6 on, a unit ignores the registers for invalidation [VT-d 6.5]. */
static inline bool vtd_has_register_invalidation(const struct vtd *vtd)
{
    return VTD_GET(VER_MAX, vtd->capability.version) < 6;
}
enum sluice_status vtd_registers_context(struct vtd *vtd, enum vtd_granularity granularity,
                                         uint16_t did, uint16_t sid);
enum sluice_status vtd_registers_iotlb(struct vtd *vtd, const struct vtd_iotlb_request *request);

/* queue.c */
struct vtd_batch {
    struct vtd *vtd;
    sluice_irqstate_t irq;
    enum sluice_status status;
    uint64_t first;    /**< sequence of the first record */
    uint64_t sequence; /**< of the open record */
    unsigned count;    /**< descriptors in the open record */
};

/** Takes the queue's lock; vtd_batch_end gives it back whatever happened. */
void vtd_batch_begin(struct vtd *vtd, struct vtd_batch *batch);
void vtd_batch_add(struct vtd_batch *batch, struct vtd_descriptor descriptor);
/** Rings the doorbell. Returns OK; TIMEOUT; HARDWARE. */
enum sluice_status vtd_batch_end(struct vtd_batch *batch, struct unit_ticket *out_ticket);
enum sluice_status vtd_queue_wait(struct vtd *vtd, const struct unit_ticket *ticket);
enum sluice_status vtd_queue_on(struct vtd *vtd);
enum sluice_status vtd_queue_off(struct vtd *vtd);
/** Gives back what is done. Called with queue.lock. */
void vtd_queue_reclaim_locked(struct vtd *vtd);
enum sluice_status vtd_queue_room_locked(struct vtd *vtd, unsigned descriptors);
void vtd_queue_write_locked(struct vtd *vtd, struct vtd_descriptor descriptor);
void vtd_queue_ring_locked(struct vtd *vtd);
struct vtd_descriptor *vtd_queue_at(struct vtd *vtd, uint64_t position);
bool vtd_queue_status_is(struct vtd *vtd, uint64_t sequence);

/* queue_error.c */
/** Looks for IQE, ITE and ICE and recovers. Called with queue.lock. False: registers are gone. */
bool vtd_queue_check_locked(struct vtd *vtd);
/** As above, taking the lock only when FSTS says so. Context: any. */
bool vtd_queue_check(struct vtd *vtd);

/* invalidate.c */
enum sluice_status vtd_invalidate_submit(struct unit *unit,
                                         const struct unit_invalidation *invalidation,
                                         struct unit_ticket *out_ticket);
enum sluice_status vtd_invalidate_wait(struct unit *unit, const struct unit_ticket *ticket);
/**
 * Everything of the unit: contexts, IOTLB, interrupt entries. There are no cached PASIDs: they
 * exist in scalable mode only, and leaving that invalidates by itself [VT-d 6.6].
 */
enum sluice_status vtd_invalidate_all(struct vtd *vtd);
/** The same by registers; the queue is off. Interrupt entries are out of their reach [VT-d 6.5.1].
 */
enum sluice_status vtd_invalidate_all_by_registers(struct vtd *vtd);
/** What a changed context entry needs. */
struct vtd_context_change {
    uint16_t sid;
    uint16_t context_did;         /**< that the entry was cached with */
    uint16_t iotlb_did;           /**< whose translations go */
    const struct unit_user *user; /**< whose device TLB knew the old entry, or NULL */
};
enum sluice_status vtd_invalidate_entry(struct vtd *vtd, const struct vtd_context_change *change);

/* context.c */
enum sluice_status vtd_attach(struct unit *unit, struct source *source, uint32_t pasid,
                              struct domain_link *to);
enum sluice_status vtd_source_silence(struct unit *unit, struct source *source, bool silence);

/* link.c */
enum sluice_status vtd_geometry(struct unit *unit, struct pt_config *config);
enum sluice_status vtd_link_open(struct unit *unit, struct domain_link *link);
enum sluice_status vtd_link_close(struct unit *unit, struct domain_link *link);
/** AW of a context entry for tables of this many levels [VT-d 9.3]. */
static inline unsigned vtd_width_of_levels(unsigned levels)
{
    return levels - 2;
}

/* fault.c */
struct vtd_reason {
    enum sluice_fault_reason reason;
    const char *text;
};
/** Never NULL. */
const struct vtd_reason *vtd_fault_reason(uint8_t code);
/** One record to the common form; pure. */
void vtd_fault_decode(uint64_t low, uint64_t high, struct sluice_fault *out);
unsigned vtd_faults_drain(struct unit *unit, unit_fault_sink *sink, void *arg);
/** Programs and unmasks the event; installs it first if that was not done. */
/** unit_ops.event. */
void vtd_fault_event(void *arg);
void vtd_fault_event_on(struct vtd *vtd);
void vtd_fault_event_off(struct vtd *vtd, bool remove);
/** Clears what was recorded before us. */
void vtd_fault_clear(struct vtd *vtd);

/* interrupt.c */
/** Allocates the table when the instance wants one; false without memory. */
bool vtd_interrupts_prepare(struct vtd *vtd);
void vtd_interrupts_release(struct vtd *vtd);
/** Compatibility messages off, and the table pointer; a global invalidation must follow. */
enum sluice_status vtd_interrupts_set_table(struct vtd *vtd);
enum sluice_status vtd_interrupts_enable(struct vtd *vtd);
enum sluice_status vtd_interrupts_disable(struct vtd *vtd);
/** After a start that failed: off, or the table that was there. */
enum sluice_status vtd_interrupts_put_back(struct vtd *vtd, uint32_t gsts, uint64_t irta);
enum sluice_status vtd_interrupt_alloc(struct unit *unit, struct interrupt_block *block);
enum sluice_status vtd_interrupt_write(struct unit *unit, const struct interrupt_block *block,
                                       unsigned index, const struct sluice_interrupt_route *route);
enum sluice_status vtd_interrupt_free(struct unit *unit, struct interrupt_block *block);
void vtd_interrupt_message(struct unit *unit, const struct interrupt_block *block, unsigned index,
                           const struct sluice_interrupt_route *route,
                           struct interrupt_message *out);
void vtd_interrupt_count(struct unit *unit, struct sluice_interrupt_info *info);

/* start.c */
enum sluice_status vtd_start(struct unit *unit);
enum sluice_status vtd_stop(struct unit *unit);
enum sluice_status vtd_revert(struct unit *unit);
enum sluice_status vtd_suspend(struct unit *unit);
enum sluice_status vtd_resume(struct unit *unit);

/* probe.c */
extern const struct unit_ops vtd_unit_ops;

#endif
