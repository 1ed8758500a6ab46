// SPDX-License-Identifier: MIT
/*
 * The backend contract: what a unit driver offers, and what it may rely on.
 *
 * A unit is one IOMMU as hardware has it: a set of registers, sources behind it, caches of its
 * own. A driver embeds struct unit as the first member of its own structure. Everything
 * hardware-specific (names, formats, quirks) stays in the driver's folder; a driver never
 * includes another driver, and nothing above src/unit names one, except the registration table
 * in drivers.c.
 *
 * Locking: probe, release, start, stop, suspend and resume are called without a lock, one at a time
 * over the instance, and may call the hooks that sleep. The other operations are called with
 * sluice->lock held, so they are serialised over the instance and never beside those.
 * invalidate_submit, invalidate_wait and faults_drain are called from any CPU, also beside all
 * others and from interrupts, and take the driver's own locks.
 *
 * Every wait inside an operation is bounded by host_deadline_ns(). A driver that misses a
 * deadline calls unit_degrade() and returns SLUICE_ERR_TIMEOUT.
 */
#ifndef SLUICE_UNIT_UNIT_H
#define SLUICE_UNIT_UNIT_H

#include "core/instance.h"
#include "pagetable/pagetable.h"

#include <stdatomic.h>

#include <sluice/nested.h>
#include <sluice/selftest.h>

struct unit;

/** What a unit can do, in the words every kind shares. */
struct unit_caps {
    unsigned iova_bits;  /**< widest input address */
    unsigned phys_bits;  /**< widest output address */
    uint64_t page_sizes; /**< bit n set: pages of 1 << n bytes */
    uint32_t domains;    /**< domain IDs that software may use at the same time */
    bool coherent;       /**< table walks snoop CPU caches */
    bool snoop_control;  /**< entries can force snooping */
    bool pass_through;   /**< a source can be let through untranslated */
    bool queued;         /**< invalidation through a queue */
    bool ats;            /**< device TLBs: has invalidations for them */
    /** PASIDs that attach takes: 1 to (1 << pasid_bits) - 1; 0: none. */
    unsigned pasid_bits;
    /** First stages of a guest's that it can put on tables of ours; 0: none. */
    enum sluice_nested_format nested;
    /** Mapping must invalidate too: it caches entries that are not present, or walks no tables and
     * has to be told (unit_invalidation.mapped). */
    bool flush_on_map;
    uint32_t interrupt_entries;     /**< that it remaps interrupts with; 0: it cannot, or was not */
    const char *interrupt_obstacle; /**< 0 entries: why it cannot; NULL: it can, or does not know */
    bool x2apic;                    /**< interrupt destinations can have 32 bits */
    /** Entries lead to interrupt files: a destination is the number of a doorbell's page, and the
     * vector an identity there. */
    bool interrupt_files;
    bool translates_messages; /**< a message is a write like any other: doorbells are mapped */
    /** Writes here are interrupts and never translated; not mappable. Empty: both 0. */
    sluice_iova_t interrupt_first;
    sluice_iova_t interrupt_last;
    /** Accesses here mean something else to the unit, whoever makes them. Empty: both 0. */
    sluice_iova_t special_first;
    sluice_iova_t special_last;
};

/** Requester IDs that one block of interrupt entries is for. */
#define INTERRUPT_SOURCES_MAX 8u

/**
 * Interrupt entries of one device or pin: who may use them, and where they are. Owned by
 * src/interrupt, which fills in all but the last two; those belong to the driver.
 */
struct interrupt_block {
    struct list_node node; /**< in sluice->interrupts */
    struct unit *unit;
    enum sluice_interrupt_kind kind;
    uint16_t segment;
    /**
     * IDs under which the messages may come, for units that have a table for each [AMD 2.2.5]; the
     * device's own first.
     */
    uint16_t rids[INTERRUPT_SOURCES_MAX];
    unsigned rid_count;
    /** MSI and MSI-X: the same as source IDs, for units that have no requester IDs. */
    struct source *const *sources;
    unsigned source_count;
    /** The same as one test, for units that check it in each entry: this ID, or these buses. */
    bool by_bus;
    uint16_t rid; /**< !by_bus */
    uint8_t first_bus, last_bus;
    unsigned count; /**< a power of two for MSI: then contiguous and aligned to it */
    uint32_t first; /**< index of the first entry */
    void *table;    /**< the driver's own */
};

/** What goes into a device or an IOAPIC's pin. */
struct interrupt_message {
    struct sluice_msi msi; /**< address 0: it depends on the route, and there is none yet */
    uint64_t ioapic;       /**< redirection entry, unmasked; 0 without a route */
};

/** How long invalidations were waited for. Read at any time without a lock; for writers see
 * unit_note_wait_locked. */
struct unit_latency {
    atomic_uint_fast64_t sum_ns;
    atomic_uint_fast64_t seen_ns; /**< host clock of the look that found the last completion */
    atomic_uint_fast64_t buckets[SLUICE_LATENCY_BUCKETS];
};

struct unit {
    struct list_node node; /**< in sluice->units */
    struct sluice *sluice;
    const struct unit_ops *ops;
    const struct platform_unit *desc;
    char name[16]; /**< "vtd0": driver's prefix and number */
    struct unit_caps caps;
    bool started;
    /** Its hardware may still walk our tables after a start, stop or resume that failed: a start
     * that put everything back, or a resume or stop that worked, clears it. What it may reach is
     * withheld. */
    bool exposed;
    /** 1: missed a deadline or reported an error that recovery did not clear. A word, because
     * exchanging a byte is a library call on RISC-V. */
    atomic_uint degraded;
    atomic_uint events_held; /**< 1: its event interrupt is left unanswered; see storm.c */
    struct unit_latency latency;
    /** Owned by src/selftest, guarded by sluice->lock; no driver looks at it. */
    struct sluice_selftest_evidence selftest;
};

/** Where the requests of a source with one PASID go. Owned by src/domain. */
struct source_pasid {
    struct source_pasid *next;
    uint32_t pasid;
    struct domain_link *link;
};

/**
 * Who does DMA, as one unit sees it. Owned by src/domain; a driver only reads it.
 */
struct source {
    struct list_node node; /**< in sluice->sources */
    struct unit *unit;
    uint32_t id;              /**< requester ID, stream ID, endpoint */
    uint16_t segment;         /**< the unit's */
    unsigned users;           /**< devices that use it (aliases are shared) */
    unsigned attached;        /**< how many of those are in a domain now */
    bool ats_enabled;         /**< its device TLB must be invalidated too */
    uint8_t ats_queue_depth;  /**< outstanding invalidations it takes; 0 is 32 [PCIe 10.5.1.2] */
    struct domain_link *link; /**< what its entry points at now; NULL: blocked */
    struct domain_link *idle; /**< what it falls back to when it is in no domain; NULL: blocked */
    struct domain_link *old;  /**< where it was before the move that is going on */
    unsigned cut_off;         /**< devices that use it and are quarantined: it stays blocked */
    bool silenced; /**< its faults are not recorded; set by src/domain, asked for by src/fault */
    uint64_t silenced_ns;        /**< silenced: host clock when it was */
    struct source_pasid *pasids; /**< that go somewhere; NULL: none does */
};

/**
 * One domain on one unit. Owned by src/domain, which creates it before the first source of the
 * unit is attached and takes it away after the last; `tag` belongs to the driver.
 */
struct domain_link {
    struct list_node node; /**< in the domain's list */
    struct sluice_domain *domain;
    struct unit *unit;
    struct pagetable *pt; /**< tables to walk; NULL: pass through */
    /**
     * A first stage that somebody else makes, on the tables of another link: `pt` is that link's,
     * and bounds all that `nested` leads to, the reading of its tables included. NULL: not nested.
     */
    struct domain_link *parent;
    const struct sluice_nested_info
        *nested; /**< with a parent; checked by nobody before link_open */
    /** Links with this one as parent: what is invalidated here is cached by them too. Raised before
     * one of them is opened. */
    atomic_uint children;
    uint32_t tag;     /**< domain ID, VMID or ASID on this unit; set by link_open */
    unsigned sources; /**< how many entries point at it */
    /** How many of them have a device TLB; raised before such an entry points here. */
    atomic_uint ats_sources;
    unsigned idle_users; /**< sources that fall back to it, whether they are there now or not */
    unsigned order;      /**< position in the domain's list, rising */
    void *own;           /**< the driver's, from link_open to link_close */
    /** Keeps lookups in `pt` apart from the freeing of its tables; nothing is taken under it. */
    struct sluice_spinlock *tables_lock;
};

/** What was mapped just now: pieces one behind the other from `iova` on. */
struct unit_mapping {
    sluice_iova_t iova;
    const struct pt_list *list;
    uint32_t prot; /**< set of enum sluice_prot */
};

/** What to invalidate: everything of a link, or a gathered set of ranges. */
struct unit_invalidation {
    const struct domain_link *link;
    const struct pt_gather *gather; /**< NULL: everything with the link's tag */
    /**
     * Not NULL, with caps.flush_on_map: the caller's own ranges, mapped and to be reached once this
     * is complete. For units without tables; those that walk find it in `gather`.
     */
    const struct unit_mapping *mapped;
    /** Not NULL: what the owner of a nested link's first stage changed, instead of `gather`. */
    const struct sluice_nested_invalidation *nested;
    unsigned nested_count;
};

/** A promise from invalidate_submit that invalidate_wait redeems; opaque above the driver. */
struct unit_ticket {
    uint64_t value[2];
    /** When it was submitted; 0: when its wait begins. Whoever does something else before the wait
     * sets it, for the sake of struct unit_latency alone. */
    uint64_t since_ns;
};

/**
 * Receives drained faults; fills in nothing itself. Context: that of who drains, interrupts
 * included; no lock of the driver is held, so it may call what takes one.
 */
typedef void unit_fault_sink(void *arg, const struct sluice_fault *fault);

struct unit_ops {
    const char *driver; /**< "Intel VT-d" */
    const char *prefix; /**< "vtd": units are named vtd0, vtd1, ... in order of discovery */
    enum sluice_unit_kind kind;

    /**
     * Allocates the driver's structure, maps registers, reads capabilities, allocates all memory
     * that start needs. Writes no register: a unit that only was probed is as before.
     * Returns: OK; NO_MEMORY; HARDWARE (registers read as all ones, or contradict themselves);
     * UNSUPPORTED; FIRMWARE (the description is absurd). Logged.
     */
    enum sluice_status (*probe)(struct sluice *sluice, const struct platform_unit *desc,
                                struct unit **out);
    /** Frees what probe allocated. The unit is stopped, or was never started. */
    void (*release)(struct unit *unit);

    /**
     * Turns translation on. Sources that were attached before are served from the first moment,
     * all others are blocked. Takes over from firmware that left translation on without a gap.
     * On an error the unit is off or as firmware left it.
     */
    enum sluice_status (*start)(struct unit *unit);
    /** Turns translation off and waits for it. On an error memory it may reach stays withheld. */
    enum sluice_status (*stop)(struct unit *unit);
    /**
     * Instead of stop, when another unit failed to start: back to how start found this one, or
     * blocking where that cannot be had, as after an error of its own start; never more open.
     */
    enum sluice_status (*revert)(struct unit *unit);
    /** Before power is lost: quiesce; after it came back: program everything again. */
    enum sluice_status (*suspend)(struct unit *unit);
    /**
     * On an error the unit blocks whom it can, and is as before start to everybody but stop and
     * resume: see unit_is_lost.
     */
    enum sluice_status (*resume)(struct unit *unit);
    /**
     * Whether the last resume that worked left a source blocked, because the unit did not take it
     * back where it was; until it is attached anew. NULL: units of this kind walk tables, and
     * refuse nobody.
     */
    bool (*source_refused)(struct unit *unit, uint32_t id);

    /**
     * Narrows *config to what this unit can walk. First call: config->format is NULL, and
     * config->iova_bits is what the caller wants (0: widest).
     * Returns: OK; UNSUPPORTED (other format, or nothing in common).
     */
    enum sluice_status (*geometry)(struct unit *unit, struct pt_config *config);

    /**
     * Checks that link->pt can be walked (or that pass-through exists when it is NULL) and gives
     * the link a tag that no cache of the unit holds anything for.
     * With a parent the tag may be the parent's. Whatever of link->nested could reach past link->pt
     * is refused, or made harmless.
     * Returns: OK; UNSUPPORTED; NO_SPACE; INVALID, RANGE (link->nested).
     */
    enum sluice_status (*link_open)(struct unit *unit, struct domain_link *link);
    /** Takes the tag back, after dropping everything cached for it. No source uses it any more. */
    enum sluice_status (*link_close)(struct unit *unit, struct domain_link *link);

    /**
     * Points a source's entry at a link (NULL: blocked), and returns when the unit no longer uses
     * the old one for this source: entry caches, IOTLB and device TLB. The source never reaches
     * more than source->link or `to` allow. Called also before start: then it only writes memory.
     * source->link is the old link and is changed by the caller afterwards.
     *
     * With a PASID (caps.pasid_bits) it is about requests with that PASID alone: `to` is where they
     * go from now on, and NULL refuses them; those without a PASID stay with source->link. PASID 0
     * is given to nobody, as some units use it for requests without one. PASIDs keep their links
     * while the source moves, but a source whose link is NULL is blocked whole. UNSUPPORTED also:
     * the source's link, or `to`, cannot be beside PASIDs (pass-through may be, for source->link).
     * Returns: OK; NO_MEMORY, UNSUPPORTED (nothing changed); NOT_FOUND (nothing changed: the unit
     * says that no request comes under this ID); TIMEOUT or HARDWARE (the entry is blocked now: the
     * PASID's, or the source's with all of its PASIDs).
     */
    enum sluice_status (*attach)(struct unit *unit, struct source *source, uint32_t pasid,
                                 struct domain_link *to);

    /**
     * Starts to invalidate and does not wait, but for room in a full queue. One doorbell a call.
     * The domain's links_lock is held; the ticket must not need the link, which may go before the
     * wait.
     * Returns: OK; TIMEOUT or HARDWARE (nothing can be relied on: treat as not invalidated). With
     * `mapped`, and from the wait for it, also NO_MEMORY or UNSUPPORTED: what is gathered is as
     * good as invalidated, but not all that was mapped is reached, and the caller takes it back.
     */
    enum sluice_status (*invalidate_submit)(struct unit *unit,
                                            const struct unit_invalidation *invalidation,
                                            struct unit_ticket *out_ticket);
    /** Waits until a submitted invalidation is complete. Returns: as invalidate_submit. */
    enum sluice_status (*invalidate_wait)(struct unit *unit, const struct unit_ticket *ticket);

    /**
     * The index-th range that is not for mappings, for this source alone; NULL: units of this kind
     * have none. Asked before the source is attached; before start there are none.
     * Returns: OK; NOT_FOUND (past the last one); TIMEOUT or HARDWARE (not known); NO_MEMORY.
     */
    enum sluice_status (*source_region)(struct unit *unit, uint32_t id, unsigned index,
                                        struct sluice_reserved_region *out);

    /**
     * Lets the unit record the faults of a source, or not, in whatever domain it is and also where
     * it is blocked: nothing else of its entry changes, and attach keeps it as source->silenced
     * says, which the caller changes afterwards. NULL: units of this kind have no way. Called also
     * before start. Faults that the unit has recorded already are drained like others.
     * Returns: OK; UNSUPPORTED or NO_MEMORY (nothing changed); TIMEOUT or HARDWARE (its entry says
     * so, but the unit may go by the old one).
     */
    enum sluice_status (*source_silence)(struct unit *unit, struct source *source, bool silence);

    /**
     * Drains fault records, oldest first, bounded by the size of the log. Returns how many. Two
     * that drain at once get different records; each of them gets its own in order.
     * A driver's own event interrupt drains by unit_event_drain().
     */
    unsigned (*faults_drain)(struct unit *unit, unit_fault_sink *sink, void *arg);

    /**
     * What its event interrupt calls: answers it, and drains by unit_event_drain() for some rounds.
     * While unit_events_held() it returns before it answers, so that the hardware does not raise
     * another, and is called again when that is over. Context: any.
     */
    void (*event)(void *unit);

    /*
     * Interrupt entries; NULL where caps.interrupt_entries is 0 always. With
     * sluice->remaps_interrupts set, start and resume leave the unit remapping, with messages of
     * the older format refused; entries that nobody wrote refuse too. stop turns it off.
     */

    /**
     * Reserves block->count entries and sets block->first and table; all refuse.
     * Returns: OK; NO_SPACE; NO_MEMORY; TIMEOUT or HARDWARE (nothing is reserved).
     */
    enum sluice_status (*interrupt_alloc)(struct unit *unit, struct interrupt_block *block);
    /**
     * Writes entry `index` of the block (NULL: it refuses, silently) and returns when the unit uses
     * the old one no more and what it let through before has arrived. The unit never sees a part of
     * an entry, and an entry that delivered before delivers all the time.
     * Returns: OK; TIMEOUT or HARDWARE (written, but the old one may still be used).
     */
    enum sluice_status (*interrupt_write)(struct unit *unit, const struct interrupt_block *block,
                                          unsigned index,
                                          const struct sluice_interrupt_route *route);
    /**
     * Makes all entries of the block refuse, waits for it, and gives them back. On an error they
     * are withheld: never given out again. Returns: OK; TIMEOUT; HARDWARE.
     */
    enum sluice_status (*interrupt_free)(struct unit *unit, struct interrupt_block *block);
    /** What to program for entry `index`; `route` may be NULL: no redirection entry then. */
    void (*interrupt_message)(struct unit *unit, const struct interrupt_block *block,
                              unsigned index, const struct sluice_interrupt_route *route,
                              struct interrupt_message *out);
    /** Counts of entries, for sluice_interrupt_info; adds to *info. */
    void (*interrupt_count)(struct unit *unit, struct sluice_interrupt_info *info);

    /** Lines of a capability and state report. */
    void (*describe)(struct unit *unit, sluice_emit *emit, void *arg);
};

/** The drivers of this build, NULL-terminated; see drivers.c. */
extern const struct unit_ops *const unit_drivers[];

/** A unit_fault_sink (arg: the unit) that hands the record to the host's on_fault. Context: any. */
void unit_fault_deliver(void *arg, const struct sluice_fault *fault);

/**
 * Drains once into unit_fault_deliver, and holds the unit's events back where faults have had their
 * share of time (sluice_config.fault_share). Returns how many; 0 also when they are held back now.
 */
unsigned unit_event_drain(struct unit *unit);
/** Whether its event interrupt is to be left unanswered. Context: any. */
bool unit_events_held(struct unit *unit);
/** Lets a unit's events go on, or asks for a poll when there will be time for them; from a poll.
 * @param when_ns   0: now */
void unit_events_resume(struct unit *unit, uint64_t when_ns);
/** Asks the host for a poll, unless it was asked for one before then. Context: any. */
void fault_poll_ask(struct sluice *sluice, uint64_t when_ns);
/** Time from `since_ns` until now was spent on faults. Context: any. Returns when more may be; 0:
 * now.
 */
uint64_t fault_time_spend(struct sluice *sluice, uint64_t since_ns);

/** Marks a unit degraded and says why, once. Context: any. */
__attribute__((format(printf, 2, 3))) void unit_degrade(struct unit *unit, const char *format, ...);

/** A wait for a ticket, while it goes on. */
struct unit_wait {
    struct unit *unit;
    uint64_t since_ns; /**< what its time counts from */
    uint64_t deadline_ns;
    uint64_t now_ns; /**< as last read */
};

static inline struct unit_wait unit_wait_begin(struct unit *unit, const struct unit_ticket *ticket)
{
    uint64_t now = host_now_ns(unit->sluice);

    return (struct unit_wait){
        .unit = unit,
        .since_ns = ticket->since_ns != 0 ? ticket->since_ns : now,
        .deadline_ns = now + unit->sluice->config.hardware_timeout_ns,
        .now_ns = now,
    };
}

/** Reads the clock. Asked before each look, so that there is one look after the deadline. */
static inline bool unit_wait_is_late(struct unit_wait *wait)
{
    wait->now_ns = host_now_ns(wait->unit->sluice);
    return wait->now_ns >= wait->deadline_ns;
}

/**
 * Counts a wait that ended well. The time is the one read before the look that found the
 * completion: no clock is read for this, a completion that was there at the first look counts as
 * the time of one reading, and the error is one turn of the wait, in the direction of too little.
 * With the lock held under which the driver looks, always the same of a unit: atomic additions
 * were seen to add a tenth to a strict unmap where the unit is at once done, these nothing.
 */
void unit_note_wait_locked(const struct unit_wait *wait);
/** When the last completion was seen, for whoever wants a time and not to read the clock. */
static inline uint64_t unit_seen_ns(const struct unit *unit)
{
    return atomic_load_explicit(&unit->latency.seen_ns, memory_order_relaxed);
}
/** Adds what was counted so far. */
void unit_latency_add(const struct unit *unit, struct sluice_latency *out);

/**
 * What the operation `stop` ends with: the unit is off, or what is behind it is open and it is
 * degraded. Returns `status`.
 */
SLUICE_MUST_CHECK enum sluice_status unit_stopped(struct unit *unit, enum sluice_status status);

/** What the operation `resume` ended with: the unit translates, or is lost. Returns `status`. */
SLUICE_MUST_CHECK enum sluice_status unit_resumed(struct unit *unit, enum sluice_status status);

/**
 * Whether a unit did not wake up. Nobody knows what it does: its driver changes tables in memory
 * alone, as before start, and src/domain confirms nothing that needs the unit to have seen it.
 */
static inline bool unit_is_lost(const struct unit *unit)
{
    return unit->exposed && !unit->started;
}

#endif
