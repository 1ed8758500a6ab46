// SPDX-License-Identifier: MIT
/*
 * The radix engine: included once by the .c of each format, after the format's own header.
 *
 * A format header defines (vtd_second_stage.h is the example):
 *   PTF_NAME, PTF_DESCRIPTOR      text, and the name of the struct pt_format to define
 *   PTF_GRANULE_LG2               smallest page and table size: 12, 14 or 16
 *   PTF_INDEX_BITS                bits a level; entries are 8 bytes
 *   PTF_LEVELS_MIN, PTF_LEVELS_MAX, PTF_ROOT_EXTRA_BITS   2 for x4 roots, 4 for concatenated ones
 *   PTF_ROOT_WHOLE                defined where roots always have the extra bits
 *   PTF_SIGN_BITS                 1 where addresses are sign-extended: the lower half is used
 *   PTF_PHYS_BITS_MAX, PTF_PAGE_SIZES
 *   PTF_CAN_SPLIT                 whether a present entry may be replaced by another present one: a
 *                                 large page by a table or an empty table by a large page; an
 *                                 expression that may name `pt`
 *   PTF_READY                     see below
 *   PTF_RUN_HINT, PTF_RUN_MARK, PTF_CAN_BREAK, ptf_run_lg2   where entries can be marked as a run
 *                                 that the unit may cache as one; see engine_run.h
 *   ptf_present, ptf_is_table, ptf_table, ptf_table_phys, ptf_prot_possible,
 *   ptf_leaf_attributes, ptf_leaf, ptf_leaf_step, ptf_leaf_phys, ptf_leaf_prot, ptf_split
 * An entry that is not present is 0, and a value with bits 2:0 clear is not present.
 *
 * Levels count from 0, the tables whose entries are the smallest pages.
 *
 * How CPUs share tables without a lock. The caller keeps overlapping ranges apart, so:
 * - A leaf slot belongs to one caller: plain (relaxed) loads and stores.
 * - A slot that points at a table may be wanted by several: it is filled by compare-and-swap, and
 *   the loser uses the winner's table.
 * - A table is unlinked, or replaced by a large page, only by a caller whose range covers it
 *   whole, so nobody else is in it.
 * - A large page that several callers' ranges lie in (each wants to unmap another part of it) is
 *   split by compare-and-swap as well. The children say what the page said, so the loser goes on
 *   in the winner's table.
 * - An entry of a run may lose its hint by the hand of a caller who owns another entry of it; see
 *   engine_run.h.
 * - An entry that points at a table carries PTF_READY, a bit that hardware ignores, once the unit
 *   can see the entry: at once where walks snoop, after the cache clean where they don't. Who
 *   passes an entry without it cleans it first. Otherwise a caller could return, its own entry
 *   cleaned, while the entry above is still in another CPU's cache.
 *
 * Ordering. The acquire load of a table entry pairs with the release that linked it, so that a
 * CPU never sees a table's old contents; the unit follows the address that it read, which orders
 * its reads. Stores to leaves are relaxed: the fence before the doorbell of a unit's invalidation
 * (unmap), or of the device that is given the address (map), orders them, and both are the
 * caller's.
 *
 * Unlinked tables keep their contents, since the unit may walk them still, except for the first
 * entry: it links the next unlinked table, as address | level << CHAIN_LEVEL_SHIFT, which is
 * neither present nor ready in any format, so that a lookup that is on its way through them ends
 * there.
 */
#ifndef SLUICE_PAGETABLE_ENGINE_H
#define SLUICE_PAGETABLE_ENGINE_H

#include "core/instance.h"
#include "pagetable/pagetable.h"

typedef _Atomic(uint64_t) pt_entry;

#define ENGINE_INLINE static inline __attribute__((always_inline))
#define ENGINE_COLD   static __attribute__((noinline, cold))
/**
 * What is called for every page or run: begins a cache line, so that what it costs does not depend
 * on what the linker puts in front of it, nor differ from format to format.
 */
#define ENGINE_HOT       static __attribute__((noinline, aligned(64)))
#define engine_likely(x) __builtin_expect(!!(x), 1)

#define PTF_ENTRIES        (1u << PTF_INDEX_BITS)
#define CHAIN_LEVEL_SHIFT  5u
#define CHAIN_LEVEL_MASK   7u
#define CHAIN_ADDRESS_MASK (~(uint64_t)0xfff)

_Static_assert(PTF_LEVELS_MAX <= CHAIN_LEVEL_MASK, "a level fits into the chain");
_Static_assert((PTF_READY & ((uint64_t)CHAIN_LEVEL_MASK << CHAIN_LEVEL_SHIFT)) == 0 &&
                   ((PTF_READY & CHAIN_ADDRESS_MASK) == 0 || PTF_READY >> PTF_PHYS_BITS_MAX != 0),
               "a link of the chain is not ready");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "entries are stored as the CPU has them, and the units read them little-endian");
_Static_assert(PTF_GRANULE_LG2 == PTF_INDEX_BITS + 3, "a table has the size of a page");

/** log2 of what one entry of this level covers, in bytes. */
ENGINE_INLINE unsigned engine_shift(unsigned level)
{
    return PTF_GRANULE_LG2 + PTF_INDEX_BITS * level;
}

ENGINE_INLINE uint64_t engine_size(unsigned level)
{
    return (uint64_t)1 << engine_shift(level);
}

/** The root needs no mask, whatever its width: IOVAs are inside the aperture. */
ENGINE_INLINE size_t engine_index(sluice_iova_t iova, unsigned level, unsigned levels)
{
    size_t index = (size_t)(iova >> engine_shift(level));

    return level + 1 == levels ? index : index & (PTF_ENTRIES - 1);
}

/** Entries of a table of this level. */
static inline unsigned engine_entries(const struct pagetable *pt, unsigned level)
{
    if (level + 1 < pt->config.levels)
        return PTF_ENTRIES;
    return (unsigned)(pt->last >> engine_shift(level)) + 1;
}

/** How many entries there are from `iova` to the end of its table, or to `last` if sooner. */
static inline unsigned engine_run(const struct pagetable *pt, sluice_iova_t iova,
                                  sluice_iova_t last, unsigned level)
{
    uint64_t wanted = (last >> engine_shift(level)) - (iova >> engine_shift(level)) + 1;
    uint64_t room =
        engine_entries(pt, level) - (uint64_t)engine_index(iova, level, pt->config.levels);

    return (unsigned)(wanted < room ? wanted : room);
}

ENGINE_INLINE uint64_t engine_load(const pt_entry *slot)
{
    /* Acquire: pairs with the release that linked a table; see the head. */
    return atomic_load_explicit(slot, memory_order_acquire);
}

/** A leaf slot's entry, for its one owner; see the head. */
ENGINE_INLINE uint64_t engine_peek(const pt_entry *slot)
{
    return atomic_load_explicit(slot, memory_order_relaxed);
}

ENGINE_INLINE void engine_store(pt_entry *slot, uint64_t entry)
{
    atomic_store_explicit(slot, entry, memory_order_relaxed);
}

ENGINE_INLINE pt_entry *engine_virt(const struct pagetable *pt, sluice_phys_t phys)
{
    return host_phys_to_virt(pt->sluice, phys);
}

ENGINE_INLINE pt_entry *engine_root(const struct pagetable *pt)
{
    return (pt_entry *)(void *)pt->root;
}

/** Makes `count` entries visible to a unit that does not snoop; a no-op for one that does. */
ENGINE_INLINE void engine_clean(const struct pagetable *pt, const pt_entry *slot, size_t count)
{
    if (!engine_likely(pt->config.coherent))
        host_cache_clean(pt->sluice, slot, count * sizeof(*slot));
}

/**
 * Counts tables that came or, negative, went. Apart from the allocation, because a locked
 * instruction waits for every store before it: for the zeroes of the table, each time.
 */
static inline void engine_count_tables(struct pagetable *pt, int64_t tables)
{
    atomic_fetch_add_explicit(&pt->table_pages,
                              (uint64_t)tables << (PTF_GRANULE_LG2 - SLUICE_PAGE_LG2),
                              memory_order_relaxed);
}

/** One table, zeroed; its address fits into an entry. The caller counts it. */
static bool engine_table_alloc(struct pagetable *pt, struct sluice_pages *out)
{
    const unsigned order = PTF_GRANULE_LG2 - SLUICE_PAGE_LG2;

    if (!host_pages_alloc(pt->sluice, order, pt->config.node, out))
        return false;
    if (out->phys > pt->phys_last) {
        log_error(pt->sluice, "%s: the host's table page at 0x%llx is beyond %u address bits",
                  PTF_NAME, (unsigned long long)out->phys, pt->config.phys_bits);
        host_pages_free(pt->sluice, *out, order);
        return false;
    }
    return true;
}

/** Gives one back; the caller counts. */
static void engine_table_free(struct pagetable *pt, struct sluice_pages pages)
{
    host_pages_free(pt->sluice, pages, PTF_GRANULE_LG2 - SLUICE_PAGE_LG2);
}

#include "pagetable/engine_walk.h"

#include "pagetable/engine_run.h"

#include "pagetable/engine_unmap.h"

#include "pagetable/engine_map.h"

#include "pagetable/engine_table.h"

const struct pt_format PTF_DESCRIPTOR = {
    .name = PTF_NAME,
    .create = engine_create,
    .destroy = engine_destroy,
    .map = engine_map,
    .map_list = engine_map_list,
    .leaf_table = engine_leaf_table,
    .leaf_form = engine_leaf_form,
    .unmap = engine_unmap,
    .lookup = engine_lookup,
    .find = engine_find,
    .release = engine_release,
    .withhold = engine_withhold,
};

#endif
