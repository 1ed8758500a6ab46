// SPDX-License-Identifier: MIT
/*
 * Domains and devices as the library itself sees them.
 *
 *   domain.c    create, destroy, info            device.c    devices and their sources
 *   mapping.c   map, unmap, lookup, reserved     attach.c    attach, detach, moving between domains
 *   flush.c     invalidate and release           link.c      a domain on one unit
 *   identity.c  identity maps                    firmware.c  regions that firmware demands
 *   find.c      from a name to unit and sources  doorbell.c  where interrupt messages go
 *   pasid.c     PASIDs of a source              nested.c    first stages of somebody else's
 *   history.c   what was unmapped lately
 *
 * Locking: everything that changes who is attached where runs under sluice->lock. Mapping and
 * flushing take only domain->links_lock, for as long as it takes to pick up the links; see
 * docs/LOCKING.md.
 */
#ifndef SLUICE_DOMAIN_DOMAIN_H
#define SLUICE_DOMAIN_DOMAIN_H

#include "core/instance.h"
#include "domain/history.h"
#include "pagetable/pagetable.h"
#include "pci/pci.h"
#include "unit/unit.h"

#include <sluice/domain.h>

#define DOMAIN_NAME_BYTES  32u
#define DEVICE_LABEL_BYTES 64u

/** Reserved ranges a domain can hold, units', firmware's and its devices' own; more are refused. */
#define DOMAIN_RESERVED_MAX   1024u
#define DOMAIN_RESERVED_BLOCK 16u

struct domain_reserved {
    sluice_iova_t first;
    sluice_iova_t last; /**< inclusive */
    enum sluice_reserved_kind kind;
};

/** So many ranges, and those after them. */
struct domain_reserved_block {
    struct domain_reserved ranges[DOMAIN_RESERVED_BLOCK];
    struct domain_reserved_block *next; /**< written before the first range in it is counted */
};

/** Who hands out the addresses of a domain, and what it must be told. Called under sluice->lock. */
struct domain_manager {
    /** Keeps a range out of use. Returns: OK; EXISTS (in use); NO_SPACE; NO_MEMORY. */
    enum sluice_status (*reserve)(struct domain_manager *manager, sluice_iova_t first,
                                  sluice_iova_t last);
    /** An untrusted device is about to be attached: nothing stale from now on. */
    void (*distrust)(struct domain_manager *manager);
    /** Adds what it knows of an address that was unmapped; see domain_history. NULL: nothing. */
    void (*look_back)(struct domain_manager *manager, sluice_iova_t address,
                      struct address_past *past);
};

/** What stands above and has a word in who may join what. Called under sluice->lock. */
struct domain_policy {
    /** A device was added, and is listed; not OK: it is taken away again. */
    enum sluice_status (*device_added)(struct sluice_device *device);
    /** It is in no domain any more, and about to be forgotten. */
    void (*device_removed)(struct sluice_device *device);
    /** Whether a caller may have such a domain. Returns: OK; DENIED (logged). */
    enum sluice_status (*allow_domain)(struct sluice *sluice,
                                       const struct sluice_domain_config *config);
    /** Whether a device may join a domain. Returns: OK; DENIED (logged). */
    enum sluice_status (*admit)(struct sluice_domain *domain, struct sluice_device *device);
};

struct sluice_domain {
    struct list_node node; /**< in sluice->domains */
    struct sluice *sluice;
    enum sluice_domain_kind kind;
    char name[DOMAIN_NAME_BYTES];
    bool internal; /**< made by the library for firmware regions or a self-test, not by a caller */

    struct sluice_domain *parent;     /**< nested in it; NULL: not nested */
    struct sluice_nested_info nested; /**< with a parent; as the caller gave it */
    bool nest_parent;                 /**< as configured */
    unsigned children;                /**< domains nested in this one; guarded by sluice->lock */

    bool has_tables; /**< identity through pass-through and blocking have none */
    struct pagetable pt;
    struct sluice_spinlock tables_lock; /**< held by lookups; who frees tables waits for them */

    struct sluice_spinlock links_lock; /**< guards `links`, and nothing slow is done under it */
    struct list_node links;            /**< struct domain_link.node, by rising order */
    unsigned next_order;
    atomic_uint flush_on_map; /**< links whose unit caches entries that are not present */

    unsigned devices; /**< attached; guarded by sluice->lock */
    unsigned held;    /**< self-tests that will bring their device back here */
    /** Made by sluice_device_assign: only those who were assigned join, so many; else 0. */
    unsigned assignees;
    bool is_shared; /**< of those: by name */

    bool lazy;               /**< as configured; for the manager */
    bool prefer_32bit;       /**< as configured; for the manager */
    uint64_t lazy_window_ns; /**< as configured, or the default */
    unsigned untrusted;      /**< devices attached that are; guarded by sluice->lock */
    /** NULL: callers map for themselves. Changed under sluice->lock. */
    _Atomic(struct domain_manager *) manager;
    atomic_bool mapped_by_caller; /**< ever: then no manager can take over */

    /**
     * Ranges that callers may neither map nor unmap. Append-only while the domain lives: an entry
     * is written, then counted with release, so readers need no lock.
     */
    atomic_uint reserved_count;
    struct domain_reserved_block reserved; /**< the first of them; domain_reserved_at */

    /**
     * A unit did not confirm that it let go of this domain's tables: they are never freed, and no
     * unmap is confirmed any more.
     */
    atomic_bool tables_withheld;

    struct domain_history *history;     /**< NULL: it has none */
    atomic_uint_fast64_t history_bytes; /**< memory for it, the manager's part included */
};

struct sluice_device {
    struct list_node node; /**< in sluice->devices */
    struct sluice *sluice;
    enum sluice_bus bus;
    uint16_t segment;               /**< PCI */
    uint16_t rid;                   /**< PCI */
    char label[DEVICE_LABEL_BYTES]; /**< where it is, for people: "0000:01:00.0", or its path */
    bool is_virtual;                /**< PCI: a virtual function of `physical_rid` */
    uint16_t physical_rid;          /**< its own, where it is none */
    char name[DOMAIN_NAME_BYTES];
    struct unit *unit;
    struct sluice_domain *domain; /**< NULL: in none */
    bool untrusted;
    struct sluice_domain *assigned; /**< by sluice_device_assign; NULL: to none */
    bool relaxed;                   /**< its domain leaves out what firmware reserved for it */
    unsigned interrupts;            /**< blocks of interrupt entries; guarded by sluice->lock */
    bool dma_open;            /**< the DMA API holds it in its domain; guarded by sluice->lock */
    uint32_t max_faults;      /**< as configured */
    uint64_t fault_window_ns; /**< as configured */
    bool quarantined;         /**< its sources are cut off; guarded by sluice->lock */
    unsigned held;            /**< calls that use it without the lock: reset, notice, self-test */
    bool tested;              /**< a self-test has it, and nobody else may move it */
    bool cut_confirmed;       /**< quarantined: the unit confirmed */
    bool bus_master_off;      /**< quarantined: turned off by us */
    unsigned cut_interrupts;  /**< quarantined: entries made to refuse */
    bool master_held;         /**< bus mastering turned off while its unit is lost */
    uint64_t quarantined_ns;
    unsigned address_bits; /**< firmware: widest address on the way to the unit; 0: no limit */
    enum sluice_coherence coherence;    /**< firmware: whether its DMA snoops CPU caches */
    const struct platform_scope *scope; /**< platform: the first that names it */
    unsigned source_count;
    unsigned source_capacity;
    struct source **sources;
};

/** Whether somebody keeps it where it is: the DMA API, or a self-test. */
static inline bool device_is_kept(const struct sluice_device *device)
{
    return device->dma_open || device->tested;
}

/** Whom a firmware region may be for: a function, or whoever has these source IDs. */
struct region_user {
    bool on_pci;
    uint16_t segment; /**< on_pci */
    uint16_t rid;     /**< on_pci */
    struct source *const *sources;
    unsigned source_count;
};

/** The domain that bounds what this one's devices reach: its parent, or itself. */
static inline struct sluice_domain *domain_bounds(struct sluice_domain *domain)
{
    return domain->parent != NULL ? domain->parent : domain;
}

/** The index-th reserved range, of those that the caller's look at reserved_count covers. */
static inline struct domain_reserved *domain_reserved_at(struct sluice_domain *domain,
                                                         unsigned index)
{
    struct domain_reserved_block *block = &domain->reserved;

    for (; index >= DOMAIN_RESERVED_BLOCK; index -= DOMAIN_RESERVED_BLOCK)
        block = block->next;
    return &block->ranges[index];
}

/** The smallest page of the domain's tables, in bytes; only of a domain that has tables. */
static inline uint64_t domain_page_bytes(const struct sluice_domain *domain)
{
    return domain->pt.config.page_sizes & (0 - domain->pt.config.page_sizes);
}

/** A unit may go on using the domain's tables and what it cached of them: see tables_withheld. */
static inline void domain_withhold_tables(struct sluice_domain *domain)
{
    atomic_store_explicit(&domain->tables_withheld, true, memory_order_release);
    /* After it: who remembers a leaf table looks at the flag again. */
    atomic_fetch_add_explicit(&domain->pt.generation, 1, memory_order_release);
}

/* ---- domain.c ---- */

/** The word for a kind, for logs and reports. */
const char *domain_kind_text(enum sluice_domain_kind kind);

/** Creates a domain with sluice->lock held; `units` are all of the instance, or the device's one.
 */
SLUICE_MUST_CHECK enum sluice_status domain_create_locked(struct sluice *sluice,
                                                          const struct sluice_domain_config *config,
                                                          struct unit *unit,
                                                          struct sluice_domain **out);
/** Frees a domain without links. */
void domain_free_locked(struct sluice_domain *domain);

/* ---- mapping.c ---- */

/** Looks an address up, kept apart from the freeing of tables. Returns: OK; NOT_FOUND. */
SLUICE_MUST_CHECK enum sluice_status domain_lookup(struct sluice_domain *domain, sluice_iova_t iova,
                                                   struct sluice_mapping *out);

/** Whether nothing is mapped or reserved in [iova, iova + bytes). Not for large ranges. */
bool domain_is_free(struct sluice_domain *domain, sluice_iova_t iova, uint64_t bytes);

/** Maps without looking at reserved ranges; else as sluice_domain_map. */
SLUICE_MUST_CHECK enum sluice_status domain_map_unchecked(struct sluice_domain *domain,
                                                          sluice_iova_t iova, sluice_phys_t phys,
                                                          uint64_t bytes, uint32_t prot);

/** The same for pieces one behind the other; see pt_format.map_list. */
SLUICE_MUST_CHECK enum sluice_status domain_map_list(struct sluice_domain *domain,
                                                     sluice_iova_t iova, const struct pt_list *list,
                                                     uint32_t prot);

/**
 * First phase of an unmap: clears entries and gathers what has to be invalidated and released.
 * The caller must pass the gather to domain_flush before memory or IOVA is reused. One gather may
 * collect several calls. out_unmapped_bytes may be NULL, which is much faster for large ranges.
 */
SLUICE_MUST_CHECK enum sluice_status domain_clear(struct sluice_domain *domain, sluice_iova_t iova,
                                                  uint64_t bytes, struct pt_gather *gather,
                                                  uint64_t *out_unmapped_bytes);

/** Whether the domain's tables are empty: then nothing is in the way of a reserved range. */
static inline bool domain_maps_nothing(struct sluice_domain *domain)
{
    return atomic_load_explicit(&domain->pt.table_pages, memory_order_relaxed) ==
           (uint64_t)1 << domain->pt.root_order;
}

/** Adds a reserved range; NO_SPACE when there are too many; NO_MEMORY. Under sluice->lock. */
SLUICE_MUST_CHECK enum sluice_status domain_reserve_locked(struct sluice_domain *domain,
                                                           enum sluice_reserved_kind kind,
                                                           sluice_iova_t first, sluice_iova_t last);

/** Whether a range was reserved before as what it is. */
bool domain_has_reserved(struct sluice_domain *domain, enum sluice_reserved_kind kind,
                         sluice_iova_t first, sluice_iova_t last);
/**
 * Takes addresses out of a domain that mean something else to a unit or a device, or are to be kept
 * free; not out of an identity domain. Whole pages. Under sluice->lock.
 * Returns: OK (also past the domain's last address); EXISTS (something is mapped there); NO_SPACE
 * (too many, or too much to look through for what is mapped); NO_MEMORY.
 */
SLUICE_MUST_CHECK enum sluice_status domain_keep_free_locked(struct sluice_domain *domain,
                                                             enum sluice_reserved_kind kind,
                                                             sluice_iova_t first,
                                                             sluice_iova_t last);

/* ---- flush.c ---- */

/**
 * Second phase: invalidates on every unit of the domain, waits, and frees the gathered tables.
 * When a unit does not confirm, the tables are withheld and counted, and the error says that the
 * memory behind the range must not be reused.
 * Returns: OK; TIMEOUT; HARDWARE.
 */
SLUICE_MUST_CHECK enum sluice_status domain_flush(struct sluice_domain *domain,
                                                  struct pt_gather *gather);

/**
 * The same for an unmap, which the domain's history notes.
 * @param gone   the ranges that were unmapped; not empty ones
 */
SLUICE_MUST_CHECK enum sluice_status domain_flush_unmapped(struct sluice_domain *domain,
                                                           struct pt_gather *gather,
                                                           const struct sluice_dma_chunk *gone,
                                                           unsigned count);

/**
 * The same, and tells units that walk no tables what was mapped.
 * Returns: as domain_flush; NO_MEMORY, UNSUPPORTED (the tables are freed, but a unit does not know
 * all that was mapped: take it back).
 */
SLUICE_MUST_CHECK enum sluice_status domain_flush_mapped(struct sluice_domain *domain,
                                                         struct pt_gather *gather,
                                                         const struct unit_mapping *mapped);

/** As domain_flush, but drops everything cached for the domain, whatever was gathered. */
SLUICE_MUST_CHECK enum sluice_status domain_flush_all(struct sluice_domain *domain,
                                                      struct pt_gather *gather);

/** Has every unit of a nested domain forget what a list says. Returns: OK; TIMEOUT; HARDWARE. */
SLUICE_MUST_CHECK enum sluice_status
domain_flush_nested(struct sluice_domain *domain, const struct sluice_nested_invalidation *list,
                    unsigned count);

/* ---- link.c ---- */

/** Finds the domain's link on a unit or makes one. Under sluice->lock. */
SLUICE_MUST_CHECK enum sluice_status
domain_link_get_locked(struct sluice_domain *domain, struct unit *unit, struct domain_link **out);
/**
 * Takes a link away when no source uses it any more. When the unit does not confirm, its tag is
 * not used again, the domain's tables are withheld, and the unit is degraded.
 */
void domain_link_put_locked(struct domain_link *link);

/** Reserves what the unit does not translate for this source. Returns: OK; EXISTS; others. */
SLUICE_MUST_CHECK enum sluice_status domain_reserve_source_locked(struct sluice_domain *domain,
                                                                  const struct source *source);

/* ---- attach.c ---- */

/** Counts a source's device TLB on a link; what is flushed meanwhile must not miss it. */
void link_count_device_tlb(const struct source *source, struct domain_link *link, bool there);
/** A unit may go on using this link's tables and what it cached of them; NULL: none. */
void link_distrust(const struct domain_link *link);
/** Points a source at a link (NULL: blocked) and keeps the counts. Under sluice->lock. */
SLUICE_MUST_CHECK enum sluice_status source_switch_locked(struct source *source,
                                                          struct domain_link *to);
/**
 * Lets a source's faults be recorded by its unit, or not, until this is called again or nobody uses
 * the source any more. Returns: OK (also when it is so already); of unit_ops.source_silence.
 */
SLUICE_MUST_CHECK enum sluice_status source_silence_locked(struct source *source, bool silence);
/** Whether its unit left it blocked at resume; see unit_ops.source_refused. */
static inline bool source_is_refused(const struct source *source)
{
    const struct unit *unit = source->unit;

    return source->link != NULL && unit->ops->source_refused != NULL &&
           unit->ops->source_refused(source->unit, source->id);
}
/** Has sources that were so, and are in no domain of a device's, fall back to nothing. Under
 * sluice->lock. */
void sources_drop_refused_locked(struct sluice *sluice);
SLUICE_MUST_CHECK enum sluice_status device_detach_locked(struct sluice_device *device);
/** As sluice_domain_attach, without its log line. */
SLUICE_MUST_CHECK enum sluice_status domain_attach_locked(struct sluice_domain *domain,
                                                          struct sluice_device *device);

/**
 * Blocks every source of a device, whatever domain it is in, until device_restore_locked; it stays
 * in its domain. Returns: OK; TIMEOUT or HARDWARE (blocked, but not confirmed).
 */
SLUICE_MUST_CHECK enum sluice_status device_cut_off_locked(struct sluice_device *device);
/** Puts it back. Returns: OK; of attach (it is blocked, and still counts as cut off). */
SLUICE_MUST_CHECK enum sluice_status device_restore_locked(struct sluice_device *device);

/* ---- pasid.c ---- */

/**
 * Sends the requests of a source with a PASID through a domain (NULL: they are refused), or from
 * one to another. Under sluice->lock. Returns: OK (also when it is so already); INVALID (PASID 0,
 * or "no PASID"); of link_open and attach. TIMEOUT or HARDWARE: the PASID is in no domain, and may
 * still reach the old one's tables, which are withheld.
 */
SLUICE_MUST_CHECK enum sluice_status
source_pasid_attach_locked(struct source *source, uint32_t pasid, struct sluice_domain *domain);
/** Refuses every PASID of a source that goes away; what a unit does not confirm is withheld. */
void source_pasids_drop_locked(struct source *source);
/** Frees the record at *place, without a word to the unit. */
void pasid_forget(struct sluice *sluice, struct source_pasid **place);

/* ---- device.c ---- */

/** NULL: there is none. */
struct source *source_find_locked(struct sluice *sluice, const struct unit *unit, uint32_t id);
/** Finds a source or makes one, blocked. Under sluice->lock. */
SLUICE_MUST_CHECK enum sluice_status source_get_locked(struct sluice *sluice, struct unit *unit,
                                                       uint32_t id, struct source **out);
/** Forgets a source that nobody uses and that firmware has no claim on; it is heard again. */
void source_put_locked(struct sluice *sluice, struct source *source);
/** Makes a device without sources. Returns: OK; NO_MEMORY. */
SLUICE_MUST_CHECK enum sluice_status device_make_locked(struct sluice *sluice, struct unit *unit,
                                                        const struct sluice_device_config *config,
                                                        unsigned sources,
                                                        struct sluice_device **out);
/** Adds a source ID of a device's unit; once. Returns: OK; NO_SPACE; NO_MEMORY; of attach. */
SLUICE_MUST_CHECK enum sluice_status device_take_source_locked(struct sluice_device *device,
                                                               uint32_t id);
/** Frees a device that is in no domain, and its sources where nobody else has them. */
void device_free_locked(struct sluice_device *device);

/* ---- find.c ---- */

/** Make the device that a configuration means, with its sources; as sluice_device_add. */
SLUICE_MUST_CHECK enum sluice_status
device_find_pci_locked(struct sluice *sluice, const struct sluice_device_config *config,
                       struct sluice_device **out);
SLUICE_MUST_CHECK enum sluice_status
device_find_named_locked(struct sluice *sluice, const struct sluice_device_config *config,
                         struct sluice_device **out);

struct unit *unit_for_description(struct sluice *sluice, const struct platform_unit *desc);
/** Frees every device, source and domain; units are stopped. Under sluice->lock. */
void domain_layer_clear_locked(struct sluice *sluice);

/* ---- identity.c ---- */

/** Maps every address the platform has to itself, for units that cannot pass through. */
SLUICE_MUST_CHECK enum sluice_status identity_map_locked(struct sluice_domain *domain);

/* ---- firmware.c ---- */

/**
 * Gives every source that firmware reserves memory for a domain of its own with just that memory,
 * and attaches it. Called before the units are started (invariant 2).
 * Returns: OK; FIRMWARE (a region is absurd); NO_MEMORY; others of attach.
 */
SLUICE_MUST_CHECK enum sluice_status firmware_regions_prepare_locked(struct sluice *sluice);

/** The index-th firmware region that applies to somebody; false past the last. */
bool firmware_region_at(struct sluice *sluice, const struct region_user *user, unsigned index,
                        const struct platform_reserved **out);

/** Makes the idle domain of a source where firmware reserves memory for its user. */
SLUICE_MUST_CHECK enum sluice_status firmware_idle_domain_locked(struct sluice *sluice,
                                                                 struct source *source,
                                                                 const struct region_user *user);

/**
 * Maps a device's firmware regions into a domain that it is about to join, and takes the addresses
 * out of it that it keeps free.
 * @param relaxed  not the memory: nobody uses it any more
 */
SLUICE_MUST_CHECK enum sluice_status firmware_regions_apply_locked(struct sluice_domain *domain,
                                                                   const struct region_user *user,
                                                                   bool relaxed);

/** The first region that is memory, or moved memory; false when there is none. */
bool firmware_memory_of(struct sluice *sluice, const struct region_user *user, bool moved,
                        const struct platform_reserved **out);

/** Maps one region, if it is not, and keeps callers out of it. Under sluice->lock. */
SLUICE_MUST_CHECK enum sluice_status region_add_locked(struct sluice_domain *domain,
                                                       const struct platform_reserved *region,
                                                       enum sluice_reserved_kind kind);

/* ---- doorbell.c ---- */

/** The index-th doorbell that a unit would translate; false past the last. */
bool doorbell_at(const struct unit *unit, unsigned index, struct platform_reserved *out);

/** Maps them into a domain that a device behind this unit is about to join. */
SLUICE_MUST_CHECK enum sluice_status doorbells_map_locked(struct sluice_domain *domain,
                                                          const struct unit *unit);

/** A device, as firmware regions know it. */
static inline struct region_user device_user(const struct sluice_device *device)
{
    return (struct region_user){device->bus == SLUICE_BUS_PCI, device->segment, device->rid,
                                device->sources, device->source_count};
}

#endif
