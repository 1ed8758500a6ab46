// SPDX-License-Identifier: MIT
/*
 * The inside of the SMMUv3 driver: the non-secure programming interface, stage 1, stage 2, or a
 * guest's stage 1 on our stage 2.
 *
 * Locks, in order: sluice->lock (held by callers of most operations) > ring.lock. log_lock is taken
 * with none of them held by this driver and takes none.
 *
 *   ring.lock  the command queue and its records, GERROR's acknowledgement, the list of streams
 *              that invalidations name
 *   log_lock   the event queue and the page request queue; never held while a fault is delivered
 */
#ifndef SLUICE_UNIT_SMMU3_SMMU3_H
#define SLUICE_UNIT_SMMU3_SMMU3_H

#include "unit/index.h"
#include "unit/ring.h"
#include "unit/smmu3/command.h"
#include "unit/smmu3/event.h"
#include "unit/smmu3/registers.h"
#include "unit/smmu3/structure.h"
#include "unit/unit.h"
#include "unit/user.h"

#define SMMU3_RING_LG2      8u /**< entries of the command queue: UNIT_RING_ENTRIES */
#define SMMU3_EVENT_LG2_MAX 7u /**< entries of the event queue: one page */
#define SMMU3_PRI_LG2_MAX   8u /**< entries of the page request queue: one page */
#define SMMU3_SPLIT         8u /**< stream ID bits of a second-level table: 16 KiB */
#define SMMU3_L2_ORDER      2u
#define SMMU3_L2_STREAMS    (1u << SMMU3_SPLIT)
#define SMMU3_L1_LG2_MAX    14u /**< second-level tables there can be: 4 million stream IDs */
#define SMMU3_LINEAR_MAX    14u /**< stream ID bits of a table of one level: 1 MiB */
#define SMMU3_CDS_PER_TAG   2u  /* one for streams that are heard, one for those that are silent */
#define SMMU3_TAGS_PER_PAGE (STRUCTURE_CDS_PER_PAGE / SMMU3_CDS_PER_TAG)
#define SMMU3_CD_BLOCKS     (0x10000u / SMMU3_TAGS_PER_PAGE)

/** What hardware says, in the words the driver decides with. */
struct smmu3_capability {
    uint32_t idr0, idr1, idr3, idr5, iidr, aidr;
    unsigned oas_bits;  /**< output addresses, at most 48 */
    unsigned oas_code;  /**< as IDR5.OAS, at most that of 48 bits */
    unsigned sid_bits;  /**< that the stream table is made for */
    unsigned ssid_bits; /**< that tables of context descriptors are made for; 0: no substreams */
    unsigned page_lg2;  /**< of domains that are made for it: as configured, or its smallest */
    unsigned httu;      /**< what the unit may write into tables, as IDR0.HTTU */
    bool two_level;
    uint32_t tag_count; /**< ASIDs and VMIDs, 0 included */
    unsigned event_lg2;
    unsigned pri_lg2;
};

/** A queue that the unit writes, guarded by log_lock. */
struct smmu3_queue {
    struct sluice_pages pages;
    unsigned lg2;  /**< of entries */
    uint32_t cons; /**< as in the register: index, wrap bit, overflow acknowledgement */
    bool lost;     /**< entries were lost, and that was not told with a fault yet */
    uint64_t seen;
};

/** The context descriptors of a stream with PASIDs; guarded by sluice->lock. */
struct smmu3_substreams {
    struct list_node node;
    uint32_t sid;
    unsigned bits;      /**< of PASIDs: S1CDMax */
    unsigned leaf_bits; /**< of those that a second-level table is for; 0: one level */
    unsigned used;      /**< descriptors that are valid, but for that of requests without a PASID */
    struct sluice_pages table;   /**< or its first level */
    struct sluice_pages *leaves; /**< second-level tables, by index; virt NULL: none yet */
};

/** What start found, to go back to. */
struct smmu3_before {
    uint32_t cr0;
    uint32_t gbpa;
};

struct smmu3 {
    struct unit unit; /**< first */
    void *registers;
    struct smmu3_capability capability;
    uint32_t errata; /**< set of enum smmu3_erratum */

    struct unit_ring ring;
    uint32_t gerrorn; /**< as last written */
    struct unit_users users;

    struct sluice_spinlock log_lock;
    struct smmu3_queue events;
    struct smmu3_queue requests;
    atomic_uint events_aborted; /**< an event was not written, and nobody was told yet */

    uint32_t cr0;              /**< as last written */
    uint32_t gbpa;             /**< as found: what is restored when the unit is stopped */
    struct sluice_pages table; /**< the stream table, or its first level */
    unsigned table_order;
    struct sluice_pages *streams; /**< second-level tables, by index; virt NULL: none yet */
    struct sluice_pages contexts[SMMU3_CD_BLOCKS]; /**< context descriptors, by ASID */
    struct unit_index tags;                        /**< ASIDs and VMIDs */
    struct list_node substreams;

    bool has_event;
    void *event;
    struct sluice_msi msi;
    struct smmu3_before before; /**< of the last start */
};

static inline struct smmu3 *smmu3_of(struct unit *unit)
{
    return container_of(unit, struct smmu3, unit);
}

static inline struct smmu3 *smmu3_of_ring(struct unit_ring *ring)
{
    return container_of(ring, struct smmu3, ring);
}

static inline uint32_t smmu3_read32(struct smmu3 *smmu3, uint32_t offset)
{
    struct sluice *sluice = smmu3->unit.sluice;

    return sluice->ops->mmio_read32(sluice->config.ctx, smmu3->registers, offset);
}

static inline void smmu3_write32(struct smmu3 *smmu3, uint32_t offset, uint32_t value)
{
    struct sluice *sluice = smmu3->unit.sluice;

    sluice->ops->mmio_write32(sluice->config.ctx, smmu3->registers, offset, value);
}

static inline void smmu3_write64(struct smmu3 *smmu3, uint32_t offset, uint64_t value)
{
    struct sluice *sluice = smmu3->unit.sluice;

    sluice->ops->mmio_write64(sluice->config.ctx, smmu3->registers, offset, value);
}

/** Makes what was written visible to a unit that does not snoop. */
static inline void smmu3_clean(struct smmu3 *smmu3, const void *virt, size_t bytes)
{
    if (!smmu3->unit.caps.coherent)
        host_cache_clean(smmu3->unit.sluice, virt, bytes);
}

/* capability.c */
/** Decodes and checks. Returns OK; HARDWARE, UNSUPPORTED (logged). */
enum sluice_status smmu3_capability_read(struct smmu3 *smmu3);
void smmu3_capability_publish(struct smmu3 *smmu3);
void smmu3_describe(struct unit *unit, sluice_emit *emit, void *arg);

/* errata.c */
enum smmu3_erratum {
    SMMU3_ERRATUM_SYNC_OFTEN = 1u << 0, /**< a CMD_SYNC after few commands */
};
/** Logs what applies. */
uint32_t smmu3_errata_find(struct smmu3 *smmu3);

/* control.c; returns OK; TIMEOUT; HARDWARE (reads all ones), logged */
/** Writes CR0 and waits until it has taken effect. */
enum sluice_status smmu3_control(struct smmu3 *smmu3, uint32_t cr0);
enum sluice_status smmu3_interrupts(struct smmu3 *smmu3, uint32_t enable);
/** What happens to accesses while translation is off. */
enum sluice_status smmu3_bypass_set(struct smmu3 *smmu3, uint32_t gbpa);

/* queue.c */
extern const struct unit_ring_ops smmu3_ring_ops_messages; /**< completions are written */
extern const struct unit_ring_ops smmu3_ring_ops_polled;   /**< completions are consumption */
/** Programs the queue, empty; it runs when CR0 says so. */
void smmu3_queue_program(struct smmu3 *smmu3);
void smmu3_queue_enable(struct smmu3 *smmu3, bool enable);
/** Looks at global errors that are not the command queue's. Context: ring.lock. */
void smmu3_errors_note_locked(struct smmu3 *smmu3, uint32_t active);
/** An error interrupt. */
void smmu3_errors_look(struct smmu3 *smmu3);
/** Adds a command to a batch, with what errata need between commands. */
void smmu3_add(struct unit_ring_batch *batch, struct unit_ring_entry entry);

/* invalidate.c */
enum sluice_status smmu3_invalidate_submit(struct unit *unit,
                                           const struct unit_invalidation *invalidation,
                                           struct unit_ticket *out_ticket);
enum sluice_status smmu3_invalidate_wait(struct unit *unit, const struct unit_ticket *ticket);
/** All structures and translations. */
enum sluice_status smmu3_invalidate_everything(struct smmu3 *smmu3);
/** One stream's entry, and its device TLB, that of its PASIDs too, if it has one. */
enum sluice_status smmu3_invalidate_stream(struct smmu3 *smmu3, uint32_t sid, bool device_tlb);
/** One PASID's context descriptor, and what the device TLB, if it has one, keeps for it. */
enum sluice_status smmu3_invalidate_context(struct smmu3 *smmu3, uint32_t sid, uint32_t pasid,
                                            bool device_tlb);
/** What led to a context descriptor, which was not valid yet. */
enum sluice_status smmu3_invalidate_context_path(struct smmu3 *smmu3, uint32_t sid, uint32_t pasid);
/** The first-level descriptor that leads to a stream. */
enum sluice_status smmu3_invalidate_first_level(struct smmu3 *smmu3, uint32_t sid);
struct smmu3_tag smmu3_tag_of(const struct domain_link *link);

/* stream.c */
/** Makes the stream table, in which everybody is blocked. */
bool smmu3_table_make(struct smmu3 *smmu3);
/** Frees it, or counts it as withheld. */
void smmu3_table_free(struct smmu3 *smmu3);
uint32_t smmu3_table_config(const struct smmu3 *smmu3);
enum sluice_status smmu3_attach(struct unit *unit, struct source *source, uint32_t pasid,
                                struct domain_link *to);
enum sluice_status smmu3_source_silence(struct unit *unit, struct source *source, bool silence);
/**
 * Changes a stream's entry to what its link wants, with the context descriptors that it has now or
 * with none. The unit is running, and uses the old one no more.
 */
enum sluice_status smmu3_stream_refresh(struct smmu3 *smmu3, const struct source *source);
/** Makes the part of the stream table that an entry is in. Returns: OK; NO_MEMORY; UNSUPPORTED. */
enum sluice_status smmu3_stream_make(struct smmu3 *smmu3, uint32_t sid);
/** Whether the stream's entry lets nothing through. */
bool smmu3_stream_blocked(struct smmu3 *smmu3, uint32_t sid);

/* user.c */
/** Adds who the link's invalidations must name, if they must. Returns: OK; NO_MEMORY. */
enum sluice_status smmu3_user_add(struct smmu3 *smmu3, const struct source *source, uint32_t pasid,
                                  const struct domain_link *link);

/* substream.c */
struct smmu3_substreams *smmu3_substreams_of(struct smmu3 *smmu3, uint32_t sid);
/** Whether requests without a PASID can go there beside PASIDs. */
bool smmu3_carries_pasids(const struct domain_link *link);
/** Writes the descriptor of requests without a PASID. No entry that is in use points at it. */
void smmu3_substreams_base(struct smmu3 *smmu3, struct smmu3_substreams *streams,
                           const struct domain_link *link);
struct smmu3_contexts smmu3_substreams_contexts(const struct smmu3_substreams *streams,
                                                const struct domain_link *link);
/** As smmu3_attach, with a PASID. */
enum sluice_status smmu3_attach_pasid(struct smmu3 *smmu3, struct source *source, uint32_t pasid,
                                      struct domain_link *to);
void smmu3_substreams_free_all(struct smmu3 *smmu3);

/* nested.c */
/** Checks what a guest says. Returns: OK; INVALID; RANGE; UNSUPPORTED. */
enum sluice_status smmu3_nested_check(const struct smmu3 *smmu3, const struct domain_link *link);
struct smmu3_contexts smmu3_nested_contexts(const struct domain_link *link);
/** Commands for what a guest wants forgotten. */
void smmu3_nested_add(struct smmu3 *smmu3, struct unit_ring_batch *batch,
                      const struct unit_invalidation *invalidation);
/** All that is cached of a nested link, device TLBs included. */
void smmu3_nested_add_everything(struct smmu3 *smmu3, struct unit_ring_batch *batch,
                                 const struct domain_link *link);

/* link.c */
enum sluice_status smmu3_geometry(struct unit *unit, struct pt_config *config);
enum sluice_status smmu3_link_open(struct unit *unit, struct domain_link *link);
enum sluice_status smmu3_link_close(struct unit *unit, struct domain_link *link);
/** The entry of a stream that belongs to the link; NULL: blocked. `streams` may be NULL. */
struct smmu3_ste smmu3_ste_for(struct smmu3 *smmu3, const struct domain_link *link,
                               const struct smmu3_substreams *streams, bool ats, bool quiet);
/** The context descriptor of a link of stage 1. */
struct smmu3_cd smmu3_cd_for(struct smmu3 *smmu3, const struct domain_link *link);

/* log.c */
/** Programs the queues, empty; they run when CR0 says so. */
void smmu3_logs_program(struct smmu3 *smmu3);
unsigned smmu3_faults_drain(struct unit *unit, unit_fault_sink *sink, void *arg);
/** An event interrupt: drains, bounded. */
void smmu3_event(void *arg);

/* interrupt.c */
void smmu3_event_on(struct smmu3 *smmu3);
void smmu3_event_off(struct smmu3 *smmu3, bool remove);

/* start.c */
enum sluice_status smmu3_start(struct unit *unit);
enum sluice_status smmu3_stop(struct unit *unit);
enum sluice_status smmu3_revert(struct unit *unit);
enum sluice_status smmu3_suspend(struct unit *unit);
enum sluice_status smmu3_resume(struct unit *unit);

/* probe.c */
extern const struct unit_ops smmu3_unit_ops;
/** Frees pages, or counts them as withheld when the unit may still reach them. */
void smmu3_give_back(struct smmu3 *smmu3, struct sluice_pages *pages, unsigned order);

#endif
