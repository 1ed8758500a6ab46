// SPDX-License-Identifier: MIT
/*
 * The inside of the AMD-Vi driver: host translation by v1 tables [AMD 2.2].
 *
 * Locks, in order: sluice->lock (held by callers of most operations) > ring.lock.
 *
 *   ring.lock   the command buffer and its records, the CONTROL and STATUS registers, the event
 * log, the list of sources with device TLBs; never held while a fault is delivered
 */
#ifndef SLUICE_UNIT_AMD_AMDVI_H
#define SLUICE_UNIT_AMD_AMDVI_H

#include "unit/amd/command.h"
#include "unit/amd/device_table.h"
#include "unit/amd/event.h"
#include "unit/amd/registers.h"
#include "unit/ring.h"
#include "unit/unit.h"

#define AMDVI_DEVICES            0x10000u /**< entries of the table: one a requester ID */
#define AMDVI_TABLE_BYTES        (AMDVI_DEVICES * (uint64_t)sizeof(struct amdvi_device_entry))
#define AMDVI_TABLE_ORDER        9u /**< 2 MiB */
#define AMDVI_LOG_ENTRIES        256u
#define AMDVI_RING_LENGTH        8u /**< log2 of 256 entries, of command buffer and event log */
#define AMDVI_DOMAINS            0x10000u
#define AMDVI_DOMAIN_WORD_BITS   32u
#define AMDVI_TABLE_LEVELS_MAX   5u /**< of v1 tables as we make them */
#define AMDVI_TABLE_LEVELS_LEAST 3u

_Static_assert(AMDVI_TABLE_BYTES == (uint64_t)SLUICE_PAGE_BYTES << AMDVI_TABLE_ORDER,
               "the device table fills its pages");

/** What hardware and firmware say, in the words the driver decides with. */
struct amdvi_capability {
    uint64_t efr;    /**< 0: there is none */
    uint64_t efr2;   /**< as the table says: hardware's is not read */
    uint32_t header; /**< of the PCI capability block; 0: not to be had */
    unsigned levels_max;
    unsigned iova_bits;
    unsigned phys_bits;
    uint32_t domain_count; /**< IDs, 0 included */
    bool np_cache;
    bool device_tlb;
    bool invalidate_all;
};

/** A source with a device TLB, guarded by ring.lock. */
struct amdvi_ats {
    struct list_node node;
    const struct domain_link *link;
    uint16_t rid;
    uint8_t depth;
};

/** The event log, guarded by ring.lock. */
struct amdvi_log {
    struct sluice_pages pages;
    unsigned head;    /**< the next event to deliver */
    unsigned noted;   /**< the next event to look at, for what concerns the ring */
    unsigned waiting; /**< events from head to noted */
    bool lost;        /**< some were lost, and that was not told with a fault yet */
    bool full;        /**< the unit stopped logging; it goes on when the log is empty */
    uint64_t seen;
};

struct amdvi {
    struct unit unit; /**< first */
    void *registers;
    struct amdvi_capability capability;
    uint32_t errata; /**< set of enum amdvi_erratum */

    struct unit_ring ring;
    struct amdvi_log log;
    uint64_t control; /**< CONTROL as last written */
    struct list_node ats;

    struct sluice_pages table; /**< device table */
    unsigned table_order;
    uint32_t *domains; /**< bit set: the ID is in use or must not be used */
    uint32_t domain_next;

    bool has_event;
    void *event;
    struct sluice_msi msi;
};

static inline struct amdvi *amdvi_of(struct unit *unit)
{
    return container_of(unit, struct amdvi, unit);
}

static inline struct amdvi *amdvi_of_ring(struct unit_ring *ring)
{
    return container_of(ring, struct amdvi, ring);
}

/** Entries that the device table has; requesters beyond are refused by the unit. */
static inline uint32_t amdvi_devices(const struct amdvi *amdvi)
{
    return (uint32_t)((SLUICE_PAGE_BYTES << amdvi->table_order) /
                      sizeof(struct amdvi_device_entry));
}

static inline uint64_t amdvi_read(struct amdvi *amdvi, uint32_t offset)
{
    struct sluice *sluice = amdvi->unit.sluice;

    return sluice->ops->mmio_read64(sluice->config.ctx, amdvi->registers, offset);
}

static inline void amdvi_write(struct amdvi *amdvi, uint32_t offset, uint64_t value)
{
    struct sluice *sluice = amdvi->unit.sluice;

    sluice->ops->mmio_write64(sluice->config.ctx, amdvi->registers, offset, value);
}

/* capability.c */
/** Decodes and checks. Returns OK; HARDWARE, UNSUPPORTED (logged). */
enum sluice_status amdvi_capability_read(struct amdvi *amdvi);
void amdvi_capability_publish(struct amdvi *amdvi);
void amdvi_describe(struct unit *unit, sluice_emit *emit, void *arg);

/* errata.c */
enum amdvi_erratum {
    AMDVI_ERRATUM_CLOCK_GATING = 1u << 0, /**< set a bit before start, or logging may stall */
    AMDVI_ERRATUM_ATS_WRITE = 1u << 1,    /**< set a bit, or ATS ignores write permission */
    AMDVI_ERRATUM_FEW_DOMAINS = 1u << 2,  /**< domain IDs above 255 are refused or let pass */
    AMDVI_ERRATUM_TABLE_LENGTH = 1u << 3, /**< reads entries behind the end of a short table */
};
/** Looks at the unit's own function and logs what applies. */
uint32_t amdvi_errata_find(struct amdvi *amdvi);
/** Writes what the errata that were found need; done at each start and resume. */
void amdvi_errata_apply(struct amdvi *amdvi);

/* control.c */
/** Changes bits of CONTROL. */
void amdvi_control_locked(struct amdvi *amdvi, uint64_t clear, uint64_t set);
void amdvi_control(struct amdvi *amdvi, uint64_t clear, uint64_t set);
/**
 * Waits until (STATUS & mask) == want. Returns OK; TIMEOUT; HARDWARE (reads all ones). Logged; the
 * caller decides what it means.
 */
enum sluice_status amdvi_wait_status(struct amdvi *amdvi, uint64_t mask, uint64_t want,
                                     const char *what);

/* queue.c */
extern const struct unit_ring_ops amdvi_ring_ops;
/** A batch's command; `remote`: a device must answer. */
void amdvi_add(struct unit_ring_batch *batch, struct amdvi_command command);
void amdvi_add_remote(struct unit_ring_batch *batch, struct amdvi_command command);
enum sluice_status amdvi_queue_off(struct amdvi *amdvi);
/** Programs the buffer; it runs when CONTROL says so. */
void amdvi_queue_program(struct amdvi *amdvi);
/** An event that concerns the ring: illegal commands, devices that did not answer. */
void amdvi_queue_event_locked(struct amdvi *amdvi, unsigned code, uint64_t low, uint64_t address);
/** What devices had to answer is in doubt: asked again, or failed if it was before. */
void amdvi_queue_doubt_locked(struct amdvi *amdvi);

/* invalidate.c */
enum sluice_status amdvi_invalidate_submit(struct unit *unit,
                                           const struct unit_invalidation *invalidation,
                                           struct unit_ticket *out_ticket);
enum sluice_status amdvi_invalidate_wait(struct unit *unit, const struct unit_ticket *ticket);
/** Everything of the unit: device table entries, translations, interrupt tables. */
enum sluice_status amdvi_invalidate_everything(struct amdvi *amdvi);
/** What a changed device table entry needs. */
struct amdvi_entry_change {
    uint16_t rid;
    uint16_t domain;             /**< whose translations go: that of the old entry */
    const struct amdvi_ats *ats; /**< device TLB of the old entry, or NULL */
};
enum sluice_status amdvi_invalidate_entry(struct amdvi *amdvi,
                                          const struct amdvi_entry_change *change);

/* entry.c */
/** Fills the table with entries that block, with the settings that firmware gives devices. */
void amdvi_table_fill(struct amdvi *amdvi);
/** Whether a requester's entry lets no memory access through. */
bool amdvi_entry_blocks(struct amdvi *amdvi, uint16_t rid);
enum sluice_status amdvi_attach(struct unit *unit, struct source *source, uint32_t pasid,
                                struct domain_link *to);
/** Drops what an attach that failed left of the link's device TLBs: the link goes away. */
void amdvi_ats_forget(struct amdvi *amdvi, const struct domain_link *link);

/* link.c */
enum sluice_status amdvi_geometry(struct unit *unit, struct pt_config *config);
enum sluice_status amdvi_link_open(struct unit *unit, struct domain_link *link);
enum sluice_status amdvi_link_close(struct unit *unit, struct domain_link *link);

/* log.c */
/** Programs the log, empty; it runs when CONTROL says so. */
void amdvi_log_program(struct amdvi *amdvi);
enum sluice_status amdvi_log_off(struct amdvi *amdvi);
/** Looks at new events for what concerns the ring. False: the registers are gone. */
bool amdvi_log_note_locked(struct amdvi *amdvi);
/** Drops what is in a log that is full, so that the unit logs again. */
void amdvi_log_renew_locked(struct amdvi *amdvi);
unsigned amdvi_faults_drain(struct unit *unit, unit_fault_sink *sink, void *arg);
/** An event interrupt: drains, bounded. */
void amdvi_log_event(void *arg);

/* msi.c */
/** Programs and enables the unit's own interrupt; installs it first if that was not done. */
void amdvi_event_on(struct amdvi *amdvi);
void amdvi_event_off(struct amdvi *amdvi, bool remove);

/* start.c */
enum sluice_status amdvi_start(struct unit *unit);
enum sluice_status amdvi_stop(struct unit *unit);
enum sluice_status amdvi_suspend(struct unit *unit);
enum sluice_status amdvi_resume(struct unit *unit);

/* probe.c */
extern const struct unit_ops amdvi_unit_ops;

#endif
