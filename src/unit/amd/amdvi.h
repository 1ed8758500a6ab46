// SPDX-License-Identifier: MIT
/*
 * The inside of the AMD-Vi driver: host translation by v1 tables [AMD 2.2].
 *
 * Locks, in order: sluice->lock (held by callers of most operations) > ring.lock.
 *
 *   ring.lock   the command buffer and its records, the CONTROL and STATUS registers, the event
 * log and that of page requests, the list of sources with device TLBs; never held while a fault is
 * delivered
 */
#ifndef SLUICE_UNIT_AMD_AMDVI_H
#define SLUICE_UNIT_AMD_AMDVI_H

#include "unit/amd/command.h"
#include "unit/amd/device_table.h"
#include "unit/amd/event.h"
#include "unit/amd/registers.h"
#include "unit/index.h"
#include "unit/ring.h"
#include "unit/unit.h"
#include "unit/user.h"

#define AMDVI_DEVICES            0x10000u /**< entries of the table: one a requester ID */
#define AMDVI_TABLE_BYTES        (AMDVI_DEVICES * (uint64_t)sizeof(struct amdvi_device_entry))
#define AMDVI_TABLE_ORDER        9u /**< 2 MiB, in one piece or in segments */
#define AMDVI_SEGMENTS_MAX       8u
#define AMDVI_LOG_ENTRIES        256u
#define AMDVI_RING_LENGTH        8u /**< log2 of 256 entries, of command buffer and event log */
#define AMDVI_DOMAINS            0x10000u
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
    bool wide_interrupts;        /**< interrupt entries of 128 bits are used, else of 32 */
    unsigned interrupts_max_lg2; /**< of entries in one table */
};

/** One buffer of events. */
struct amdvi_log_part {
    struct sluice_pages pages; /**< B: none where the unit does not change over by itself */
    unsigned head;             /**< the next event to deliver */
    unsigned noted;            /**< the next event to look at, for what concerns the ring */
    unsigned waiting;          /**< events from head to noted */
};

/** The event log, or both of them; guarded by ring.lock. */
struct amdvi_log {
    struct amdvi_log_part parts[2];
    bool dual;
    unsigned first; /**< where the oldest events are */
    bool left;      /**< all of `first` is noted: the unit writes to the other */
    bool lost;      /**< some were lost, and that was not told with a fault yet */
    bool full;      /**< the unit stopped logging; it goes on when the log is empty */
    uint64_t seen;
};

/** The page request log, guarded by ring.lock; without pages where the unit has none. */
struct amdvi_requests {
    struct sluice_pages pages;
    unsigned head; /**< the next entry to take */
    bool on;
    uint64_t seen;
    uint64_t overflows;    /**< times that the log was full, and requests were lost */
    uint64_t told;         /**< of `seen`, when it was last logged */
    uint64_t told_last_ns; /**< when that was */
};

/** A requester that an interrupt table is for. */
struct amdvi_interrupt_user {
    struct list_node node; /**< in the table's list */
    uint16_t rid;
    unsigned blocks; /**< that name it; 0: its device entry does not lead to the table */
};

/** An interrupt table, of one requester or of several that cannot be told apart. */
struct amdvi_interrupt_table {
    struct list_node node;  /**< in amdvi.interrupt_tables */
    struct list_node users; /**< struct amdvi_interrupt_user */
    struct sluice_pages pages;
    unsigned order;
    unsigned length_lg2; /**< of entries that the unit may look at */
    /** An invalidation was not confirmed: it, and its users, stay until the unit is released. */
    bool in_doubt;
    struct unit_index index;
};

/** What the registers say that lead the unit to a device table. */
struct amdvi_table_registers {
    uint64_t base[AMDVI_SEGMENTS_MAX];
    unsigned segments_lg2;
};

/** What start found, to go back to. */
struct amdvi_before {
    uint64_t control;
    struct amdvi_table_registers table;
    uint64_t exclusion_base;
    uint64_t exclusion_limit;
};

struct amdvi {
    struct unit unit; /**< first */
    void *registers;
    struct amdvi_capability capability;
    uint32_t errata; /**< set of enum amdvi_erratum */

    struct unit_ring ring;
    struct amdvi_log log;
    struct amdvi_requests requests;
    uint64_t control;        /**< CONTROL as last written */
    struct unit_users users; /**< sources with device TLBs */

    struct sluice_pages table[AMDVI_SEGMENTS_MAX]; /**< device table, or its segments */
    unsigned table_order;                          /**< of each */
    unsigned segments_lg2;
    struct unit_index tags; /**< domain IDs */

    struct list_node interrupt_tables; /**< struct amdvi_interrupt_table; under sluice->lock */
    uint32_t interrupt_entries;        /**< in all of them */

    bool has_event;
    void *event;
    struct sluice_msi msi;
    struct amdvi_before before; /**< of the last start */
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
    return (uint32_t)((SLUICE_PAGE_BYTES << (amdvi->table_order + amdvi->segments_lg2)) /
                      sizeof(struct amdvi_device_entry));
}

/** A requester's entry. With segments its highest bits choose one [AMD 2.2.2, 3.4]. */
static inline struct amdvi_device_entry *amdvi_entry_at(const struct amdvi *amdvi, uint16_t rid)
{
    unsigned low_bits = 16 - amdvi->segments_lg2;
    struct amdvi_device_entry *entries =
        (struct amdvi_device_entry *)amdvi->table[(uint32_t)rid >> low_bits].virt;

    return entries + (rid & (((uint32_t)1 << low_bits) - 1));
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
    uint16_t domain;              /**< whose translations go: that of the old entry */
    const struct unit_user *user; /**< whose device TLB knew the old entry, or NULL */
};
enum sluice_status amdvi_invalidate_entry(struct amdvi *amdvi,
                                          const struct amdvi_entry_change *change);
/**
 * What changed in an interrupt table, for each of its users; with `entries`, their device table
 * entries changed too. When it is done, what was let through before has arrived. Degrades the unit
 * when that was not confirmed.
 */
enum sluice_status amdvi_invalidate_interrupts(struct amdvi *amdvi,
                                               const struct amdvi_interrupt_table *table,
                                               bool entries);

/* table.c */
/** Memory for the device table. Returns false without. */
bool amdvi_table_allocate(struct amdvi *amdvi);
void amdvi_table_give_back(struct amdvi *amdvi);
/** As they are; amdvi->control is what CONTROL says. */
void amdvi_table_look(struct amdvi *amdvi, struct amdvi_table_registers *out);
/** Leads the unit to our table, from one that it may be using. Returns OK; UNSUPPORTED (logged). */
enum sluice_status amdvi_table_set(struct amdvi *amdvi);
/** Leads it back to another. Returns as amdvi_table_set. */
enum sluice_status amdvi_table_set_to(struct amdvi *amdvi, const struct amdvi_table_registers *to);
/** Whether the registers say this. */
bool amdvi_table_is(struct amdvi *amdvi, const struct amdvi_table_registers *table);

/* entry.c */
/** Fills the table with entries that block, with the settings that firmware gives devices. */
void amdvi_table_fill(struct amdvi *amdvi);
/** Whether a requester's entry lets no memory access through. */
bool amdvi_entry_blocks(struct amdvi *amdvi, uint16_t rid);
enum sluice_status amdvi_attach(struct unit *unit, struct source *source, uint32_t pasid,
                                struct domain_link *to);
enum sluice_status amdvi_source_silence(struct unit *unit, struct source *source, bool silence);

/** Changes the interrupt fields of a requester's entry: one store, of amdvi_dte_*(). */
void amdvi_entry_set_interrupts(struct amdvi *amdvi, uint16_t rid, uint64_t fields);

/* interrupt_table.c */
/**
 * The table of a block's requesters, made if there is none; without users that it had not.
 * Returns: OK; NO_SPACE (two of them have tables of their own); NO_MEMORY.
 */
enum sluice_status amdvi_interrupt_table_get(struct amdvi *amdvi,
                                             const struct interrupt_block *block,
                                             struct amdvi_interrupt_table **out);
/**
 * Makes room for entries below `count`, and leads the block's requesters to the table. Waits.
 * Returns: OK; NO_SPACE; NO_MEMORY (both: nothing changed); TIMEOUT; HARDWARE.
 */
enum sluice_status amdvi_interrupt_table_use(struct amdvi *amdvi,
                                             struct amdvi_interrupt_table *table,
                                             const struct interrupt_block *block, uint32_t count);
/** The block's requesters are no longer led to the table where nothing else of theirs is. Waits. */
enum sluice_status amdvi_interrupt_table_leave(struct amdvi *amdvi,
                                               struct amdvi_interrupt_table *table,
                                               const struct interrupt_block *block);
/** Frees a table that nothing is in, and that the unit does not know of or has let go of. */
void amdvi_interrupt_table_drop_unused(struct amdvi *amdvi, struct amdvi_interrupt_table *table);
/** Has every requester refused, or led to its table again: in memory only. */
void amdvi_interrupt_tables_hold(struct amdvi *amdvi, bool hold);
void amdvi_interrupt_tables_release(struct amdvi *amdvi);

/* interrupt.c */
enum sluice_status amdvi_interrupt_alloc(struct unit *unit, struct interrupt_block *block);
enum sluice_status amdvi_interrupt_write(struct unit *unit, const struct interrupt_block *block,
                                         unsigned index,
                                         const struct sluice_interrupt_route *route);
enum sluice_status amdvi_interrupt_free(struct unit *unit, struct interrupt_block *block);
void amdvi_interrupt_message(struct unit *unit, const struct interrupt_block *block, unsigned index,
                             const struct sluice_interrupt_route *route,
                             struct interrupt_message *out);
void amdvi_interrupt_count(struct unit *unit, struct sluice_interrupt_info *info);
/** Bits of CONTROL that say how interrupt entries are read. */
uint64_t amdvi_interrupt_format_mask(void);
/** Their values as this driver writes entries. */
uint64_t amdvi_interrupt_format(const struct amdvi *amdvi);
/** Programs them, in the order that the unit asks for. No entry may be read meanwhile. */
void amdvi_interrupt_format_set(struct amdvi *amdvi);

/* link.c */
enum sluice_status amdvi_geometry(struct unit *unit, struct pt_config *config);
enum sluice_status amdvi_link_open(struct unit *unit, struct domain_link *link);
enum sluice_status amdvi_link_close(struct unit *unit, struct domain_link *link);

/* log.c */
/**
 * An entry of a log in memory, whose first word holds a code in bits 63:60; zeroes in the place of
 * one that did not come in time. The tail said that it is there.
 */
struct amdvi_event amdvi_log_entry(struct amdvi *amdvi, const struct amdvi_event *from);
/** The log's memory, or that of both. */
bool amdvi_log_allocate(struct amdvi *amdvi);
/** Bits of CONTROL that turn it on. */
uint64_t amdvi_log_bits(const struct amdvi *amdvi);
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

/* page_request.c */
/** Whether the unit has a log of page requests. */
bool amdvi_requests_there(const struct amdvi *amdvi);
/** Programs the log, empty; it runs when CONTROL says so. */
void amdvi_requests_program(struct amdvi *amdvi);
/** Bits of CONTROL that turn it on. */
uint64_t amdvi_requests_bits(const struct amdvi *amdvi);
/** After those were written: has the unit refuse requests by itself if its log does not run. */
void amdvi_requests_check(struct amdvi *amdvi);
enum sluice_status amdvi_requests_off(struct amdvi *amdvi);
/** Answers what is in the log with "invalid", bounded. */
void amdvi_requests_refuse(struct amdvi *amdvi);

/* msi.c */
/** Programs and enables the unit's own interrupt; installs it first if that was not done. */
void amdvi_event_on(struct amdvi *amdvi);
void amdvi_event_off(struct amdvi *amdvi, bool remove);

/* start.c */
enum sluice_status amdvi_start(struct unit *unit);
enum sluice_status amdvi_stop(struct unit *unit);
enum sluice_status amdvi_revert(struct unit *unit);
enum sluice_status amdvi_suspend(struct unit *unit);
enum sluice_status amdvi_resume(struct unit *unit);

/* probe.c */
/** Frees pages, or counts them as withheld when the unit may still reach them. */
void amdvi_pages_give_back(struct amdvi *amdvi, struct sluice_pages *pages, unsigned order);
extern const struct unit_ops amdvi_unit_ops;

#endif
