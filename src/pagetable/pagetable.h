// SPDX-License-Identifier: MIT
/*
 * Page tables: the one interface to every format.
 *
 * A format is a small header of inlines; the engine is compiled once a format and offers the
 * operations below. Tables know no device and no unit: what has to be invalidated is gathered and
 * handed to the caller, and tables that were unlinked stay as they are until the caller says that
 * the hardware let go of them (two-phase release, design invariant 1).
 *
 * Concurrency: calls on disjoint ranges may run on any number of CPUs without a lock. Two calls
 * whose ranges overlap must be kept apart by the caller; a lookup counts as one until the tables
 * that an overlapping unmap gathered are released.
 *
 * Called by src/domain; created for it by unit drivers' geometry.
 */
#ifndef SLUICE_PAGETABLE_PAGETABLE_H
#define SLUICE_PAGETABLE_PAGETABLE_H

#include <stdatomic.h>

#include <sluice/domain.h>
#include <sluice/status.h>
#include <sluice/types.h>

struct sluice;
struct pagetable;

/** What a table has to be; units that share one narrow it together. */
struct pt_config {
    const struct pt_format *format;
    unsigned levels;     /**< of the walk, root included */
    unsigned iova_bits;  /**< aperture: IOVAs are below 1 << iova_bits */
    unsigned phys_bits;  /**< widest address an entry can hold */
    uint64_t page_sizes; /**< bit n set: pages of 1 << n bytes may be used */
    bool coherent;       /**< walks snoop: no cache cleaning needed */
    bool snoop;          /**< entries can force snooping (SLUICE_PROT_SNOOP takes effect) */
    bool second_stage;   /**< asked for: tables that a first stage can be put on */
    /** A large page may become a table, and an empty table a large page, while units walk them.
     * Only Arm formats look at it: with others it always may. */
    bool live_change;
    /** What is marked as a run may lose the mark while units walk it. Only Arm formats look at it;
     * without it only what is mapped with PT_PROT_WHOLE is marked, and parts of that are refused.
     */
    bool run_change;
    int node; /**< NUMA node for tables, or -1 */
};

/**
 * Beside enum sluice_prot, for map and map_list: the caller never unmaps a part of a piece, but all
 * of it in one call. Such pieces may be marked as runs on units that cannot take a mark back.
 */
#define PT_PROT_WHOLE (1u << 31)

/** Ranges to invalidate, kept small: when full, neighbours are merged into one that covers both. */
#define PT_GATHER_RANGES 8u

struct pt_range {
    sluice_iova_t first;
    sluice_iova_t last; /**< inclusive */
    uint8_t page_lg2;   /**< smallest page that was in it */
    bool tables;        /**< a table was unlinked: walk caches must go too, not only leaves */
};

/**
 * What an operation left behind for its caller: ranges whose cached translations must go, and
 * tables that may be freed after that. Lives on the caller's stack, and may collect from several
 * operations on one page table.
 *
 * After every operation, successful or not, a caller whose gather is not empty invalidates it on
 * every unit that walks these tables and then calls release() (or pt_gather_withhold when a unit
 * did not answer).
 */
struct pt_gather {
    unsigned count;
    struct pt_range ranges[PT_GATHER_RANGES];
    sluice_phys_t freed;  /**< chain of unlinked tables, see pt_gather_release; 0: none */
    uint64_t freed_pages; /**< at least so many 4 KiB pages hang on it */
};

static inline void pt_gather_init(struct pt_gather *gather)
{
    gather->count = 0;
    gather->freed = 0;
    gather->freed_pages = 0;
}

static inline bool pt_gather_empty(const struct pt_gather *gather)
{
    return gather->count == 0 && gather->freed == 0;
}

/** Adds a range, merging where it touches one that is there. Never fails. */
void pt_gather_add(struct pt_gather *gather, const struct pt_range *range);

/**
 * Memory in pieces, and what is known of all of them: a list of nothing but single pages is mapped
 * without looking at each piece twice.
 */
struct pt_list {
    const struct sluice_dma_segment *pieces;
    unsigned count;
    uint64_t bytes;     /**< all of it */
    uint64_t addresses; /**< every piece's, ORed */
    uint64_t lengths;   /**< likewise */
};

static inline struct pt_list pt_list_of(const struct sluice_dma_segment *pieces, unsigned count)
{
    struct pt_list list = {.pieces = pieces, .count = count};

    for (unsigned i = 0; i < count; i++) {
        list.bytes += pieces[i].bytes;
        list.addresses |= pieces[i].phys;
        list.lengths |= pieces[i].bytes;
    }
    return list;
}

/** An entry for the page at `phys` is base + (phys >> 12 << step_lg2). */
struct pt_leaf_form {
    uint64_t base; /**< never 0 */
    unsigned step_lg2;
    uint64_t in_run; /**< entries with one of these bits are not for the short way; 0: all are */
};

struct pt_format {
    const char *name; /**< "VT-d second stage" */

    /**
     * Builds an empty table in *pt; config is checked, and page sizes that the format or the level
     * count does not have are taken out of pt->config. Returns OK, NO_MEMORY, UNSUPPORTED.
     */
    enum sluice_status (*create)(struct sluice *sluice, const struct pt_config *config,
                                 struct pagetable *pt);

    /** Frees every table. No unit may reach them any more. */
    void (*destroy)(struct pagetable *pt);

    /**
     * Maps; the domain layer has checked alignment, range and permission bits.
     * On an error everything this call wrote was taken back, and *gather has what a unit may have
     * cached meanwhile (the caller invalidates it). On OK *gather is empty too, unless a large page
     * took the place of an empty table: the unit may hold the table's address and not see the page
     * until it is invalidated.
     * Context: any, as far as the host's page allocator goes.
     * Returns: OK, EXISTS, NO_MEMORY, RANGE (outside the aperture or the width of an entry),
     * UNSUPPORTED (the format has no such permission, as write without read).
     */
    enum sluice_status (*map)(struct pagetable *pt, sluice_iova_t iova, sluice_phys_t phys,
                              uint64_t bytes, uint32_t prot, struct pt_gather *gather);

    /**
     * As map, for memory in pieces of whole smallest pages, one behind the other from `iova` on.
     * Pieces are not merged, and each is mapped by pages that fit it.
     */
    enum sluice_status (*map_list)(struct pagetable *pt, sluice_iova_t iova,
                                   const struct pt_list *list, uint32_t prot,
                                   struct pt_gather *gather);

    /**
     * The short way for 4 KiB pages, for callers that map and unmap a page millions of times: the
     * table that the page at `iova` lies in (its first entry; 512 of _Atomic(uint64_t)), or NULL
     * where there is none or entries need more than a store. Who owns the page may keep the table
     * for it as long as pt->generation is what it was before the call.
     */
    void *(*leaf_table)(struct pagetable *pt, sluice_iova_t iova);

    /** How such an entry is made; false where it cannot be. An entry of 0 is empty. */
    bool (*leaf_form)(const struct pagetable *pt, uint32_t prot, struct pt_leaf_form *out);

    /**
     * Clears what is mapped in the range, unlinks tables that it covers whole, splits large pages
     * that stick out, takes the mark from runs that do. On an error nothing was changed.
     * @param out_unmapped_bytes  how much was mapped there; NULL is much faster where whole tables
     *                            are unlinked, which then need not be read
     * Returns: OK, NO_MEMORY (a split), UNSUPPORTED (a part of a large page or of a run, which the
     * configuration does not let change while units walk it), RANGE.
     */
    enum sluice_status (*unmap)(struct pagetable *pt, sluice_iova_t iova, uint64_t bytes,
                                struct pt_gather *gather, uint64_t *out_unmapped_bytes);

    /**
     * Context: any. It walks tables that an unmap of this address may unlink meanwhile, which is
     * harmless until they are freed: before release() the caller waits until every lookup of this
     * page table is over that began before the unmap returned.
     * Returns: OK, NOT_FOUND.
     */
    enum sluice_status (*lookup)(const struct pagetable *pt, sluice_iova_t iova,
                                 struct sluice_mapping *out);

    /**
     * As lookup, for the first mapped address of [first, last]. What other CPUs map meanwhile is
     * found or not. Bounded by the tables there are.
     */
    enum sluice_status (*find)(const struct pagetable *pt, sluice_iova_t first, sluice_iova_t last,
                               sluice_iova_t *out_iova, struct sluice_mapping *out);

    /** Frees the gathered tables: the hardware has confirmed that it let go of them. */
    void (*release)(struct pagetable *pt, struct pt_gather *gather);

    /** As release, but keeps the tables for good; returns how many 4 KiB pages they are. */
    uint64_t (*withhold)(struct pagetable *pt, struct pt_gather *gather);
};

struct pagetable {
    const struct pt_format *format;
    sluice_iova_t last;      /**< highest IOVA of the aperture */
    uintptr_t linear_base;   /**< virtual minus physical address of tables, for the fast path */
    sluice_phys_t phys_last; /**< highest address that an entry can hold */
    /** `levels` where tables are in a direct map and walks snoop, else 0: no fast path */
    unsigned fast_levels;
    struct sluice *sluice;
    struct pt_config config;
    uint64_t run_sizes;               /**< bit n set: 1 << n bytes may be marked as one run */
    uint64_t *root;                   /**< virtual */
    sluice_phys_t root_phys;          /**< for the unit */
    unsigned root_order;              /**< pages of the root: concatenated or x4 roots are larger */
    atomic_uint_fast64_t table_pages; /**< 4 KiB pages held, root included */
    atomic_uint_fast64_t generation;  /**< raised before an unlinked table can be freed, and by
                                           whom this is to make the leaf tables void */
};

/* Formats; each is defined in a file of its own. */
extern const struct pt_format pt_format_riscv_first_stage;  /**< Sv39, Sv48, Sv57 */
extern const struct pt_format pt_format_riscv_second_stage; /**< their x4 forms */
extern const struct pt_format pt_format_amd_v1;
extern const struct pt_format pt_format_arm_stage1_4k;
extern const struct pt_format pt_format_arm_stage1_16k;
extern const struct pt_format pt_format_arm_stage1_64k;
extern const struct pt_format pt_format_arm_stage2_4k;
extern const struct pt_format pt_format_arm_stage2_16k;
extern const struct pt_format pt_format_arm_stage2_64k;
extern const struct pt_format pt_format_vtd_second_stage;
extern const struct pt_format pt_format_x86; /**< VT-d first stage, AMD v2 */

/**
 * Forgets gathered tables without freeing them: a unit may still walk them. Returns the number of
 * 4 KiB pages so withheld. The pagetable's page count keeps them.
 */
static inline uint64_t pt_gather_withhold(struct pagetable *pt, struct pt_gather *gather)
{
    return pt->format->withhold(pt, gather);
}

#endif
