// SPDX-License-Identifier: MIT
/*
 * The allocator's front: magazines of each CPU, and what happens when they run empty or full.
 */
#include "dma/iova.h"

#define IOVA_FREE_BURST 32u /**< ranges given back before other work may run on the CPU again */

/** The zones to try for a device that reaches addresses up to `last`, best first. */
struct zone_order {
    unsigned count;
    uint8_t zone[RANGE_ZONES];
};

static const struct zone_order order_wide = {3, {RANGE_ZONE_64, RANGE_ZONE_32, RANGE_ZONE_24}};
static const struct zone_order order_prefer_32 = {3, {RANGE_ZONE_32, RANGE_ZONE_64, RANGE_ZONE_24}};
static const struct zone_order order_32 = {2, {RANGE_ZONE_32, RANGE_ZONE_24}};
static const struct zone_order order_24 = {1, {RANGE_ZONE_24}};

static const struct zone_order *order_for(const struct iova *iova, sluice_iova_t last)
{
    switch (iova_zone_of(last)) {
    case RANGE_ZONE_24:
        return &order_24;
    case RANGE_ZONE_32:
        return &order_32;
    default:
        return iova->wide_zone == RANGE_ZONE_64 ? &order_wide : &order_prefer_32;
    }
}

/** Highest page that ends at or below an address; false when not even page 0 does. */
static bool last_page_of(sluice_iova_t last, uint64_t *out_page)
{
    if (last < SLUICE_PAGE_BYTES - 1)
        return false;
    *out_page =
        last == UINT64_MAX ? UINT64_MAX >> SLUICE_PAGE_LG2 : ((last + 1) >> SLUICE_PAGE_LG2) - 1;
    return true;
}

/* ---- the ranges below, under their lock ---- */

static void note_free(struct iova *iova, unsigned zone)
{
    atomic_store_explicit(&iova->full_class[zone], RANGE_CLASSES, memory_order_relaxed);
}

static void give_locked(struct iova *iova, sluice_iova_t at, uint64_t pages)
{
    if (ranges_give(&iova->ranges, at >> SLUICE_PAGE_LG2, pages))
        note_free(iova, iova_zone_of(at));
    else
        atomic_fetch_add_explicit(&iova->bad_frees, 1, memory_order_relaxed);
}

void iova_spill(struct iova *iova, unsigned bin, struct iova_magazine *magazine)
{
    uint64_t pages = (uint64_t)1 << (bin % RANGE_CLASSES);
    sluice_irqstate_t irq;

    if (magazine->count == 0)
        return;
    irq = sluice_spin_lock(&iova->range_lock);
    while (magazine->count > 0)
        give_locked(iova, magazine->at[--magazine->count], pages);
    sluice_spin_unlock(&iova->range_lock, irq);
}

/** Takes blocks of a zone in one go; remembers when there are none for anybody. */
static unsigned take_blocks(struct iova *iova, unsigned zone, unsigned class_lg2,
                            sluice_iova_t last, unsigned count, sluice_iova_t *out)
{
    uint64_t last_page;
    sluice_irqstate_t irq;
    unsigned taken;

    if (atomic_load_explicit(&iova->full_class[zone], memory_order_relaxed) <= class_lg2 ||
        !last_page_of(last, &last_page))
        return 0;
    irq = sluice_spin_lock(&iova->range_lock);
    taken = ranges_take_blocks(&iova->ranges, zone, class_lg2, last_page, count, out);
    if (taken == 0 && last_page >= iova->ranges.zones[zone].last)
        atomic_store_explicit(&iova->full_class[zone], class_lg2, memory_order_relaxed);
    sluice_spin_unlock(&iova->range_lock, irq);
    for (unsigned i = 0; i < taken; i++)
        out[i] <<= SLUICE_PAGE_LG2;
    return taken;
}

/* ---- magazines ---- */

static bool within(sluice_iova_t at, unsigned class_lg2, sluice_iova_t last)
{
    return last >= (SLUICE_PAGE_BYTES << class_lg2) - 1 &&
           at <= last - ((SLUICE_PAGE_BYTES << class_lg2) - 1);
}

/** Pops an address that the device reaches, wherever in the magazine it is. */
static bool pop_within(struct iova_magazine *magazine, unsigned class_lg2, sluice_iova_t last,
                       sluice_iova_t *out)
{
    for (uint32_t i = magazine->count; i-- > 0;) {
        if (within(magazine->at[i], class_lg2, last)) {
            *out = magazine->at[i];
            magazine->at[i] = magazine->at[--magazine->count];
            return true;
        }
    }
    return false;
}

/** Makes `magazine` the one in use; what was in use becomes the reserve, the old reserve goes. */
static void load(struct iova *iova, struct iova_cpu *cpu, unsigned bin,
                 struct iova_magazine *magazine)
{
    struct iova_magazine *old = cpu->previous[bin];

    cpu->previous[bin] = cpu->loaded[bin];
    cpu->loaded[bin] = magazine;
    iova_count(&cpu->counts.exchanges);
    if (old == iova_none())
        return;
    if (old->count != 0)
        depot_give_full(iova, bin, old);
    else
        depot_give_empty(iova, old);
}

static void swap(struct iova_cpu *cpu, unsigned bin)
{
    struct iova_magazine *magazine = cpu->loaded[bin];

    cpu->loaded[bin] = cpu->previous[bin];
    cpu->previous[bin] = magazine;
}

/** Fills the magazine in use from the ranges; addresses leave it lowest first. */
static bool refill(struct iova *iova, struct iova_cpu *cpu, unsigned zone, unsigned class_lg2,
                   sluice_iova_t last)
{
    unsigned bin = iova_bin(zone, class_lg2);
    struct iova_magazine *magazine = cpu->loaded[bin];
    uint32_t count;

    if (magazine == iova_none()) {
        magazine = depot_take_empty(iova, bin);
        if (magazine == NULL)
            return false;
        cpu->loaded[bin] = magazine;
    }
    if (magazine->count != 0)
        return false;
    count = take_blocks(iova, zone, class_lg2, last, magazine->capacity, magazine->at);
    for (uint32_t i = 0; i < count / 2; i++) {
        sluice_iova_t at = magazine->at[i];

        magazine->at[i] = magazine->at[count - 1 - i];
        magazine->at[count - 1 - i] = at;
    }
    magazine->count = count;
    return count != 0;
}

/** One block of a zone: from the reserve, the depot, or the ranges. */
static bool alloc_in_zone(struct iova *iova, struct iova_cpu *cpu, unsigned zone,
                          unsigned class_lg2, sluice_iova_t last, sluice_iova_t *out)
{
    unsigned bin = iova_bin(zone, class_lg2);
    struct iova_magazine *full;

    if (pop_within(cpu->loaded[bin], class_lg2, last, out))
        return true;
    if (cpu->previous[bin]->count != 0) {
        swap(cpu, bin);
        if (pop_within(cpu->loaded[bin], class_lg2, last, out))
            return true;
    }
    iova_count(&cpu->counts.misses);
    if (atomic_load_explicit(&iova->depot.bins[bin].count, memory_order_relaxed) != 0) {
        full = depot_take_full(iova, bin);
        if (full != NULL) {
            load(iova, cpu, bin, full);
            if (pop_within(full, class_lg2, last, out))
                return true;
        }
    }
    if (refill(iova, cpu, zone, class_lg2, last))
        return pop_within(cpu->loaded[bin], class_lg2, last, out);
    return take_blocks(iova, zone, class_lg2, last, 1, out) == 1;
}

/** Gives up everything this CPU holds. */
static void cpu_spill(struct iova *iova, struct iova_cpu *cpu)
{
    cpu->trimmed = atomic_load_explicit(&iova->trim, memory_order_relaxed);
    for (unsigned bin = 0; bin < IOVA_BINS; bin++) {
        struct iova_magazine *both[2] = {cpu->loaded[bin], cpu->previous[bin]};

        cpu->loaded[bin] = iova_none();
        cpu->previous[bin] = iova_none();
        for (unsigned i = 0; i < 2; i++) {
            iova_spill(iova, bin, both[i]);
            depot_give_empty(iova, both[i]);
        }
    }
}

/** What a CPU does now and then, when it is on a slow way anyway. */
static void cpu_service(struct iova *iova, struct iova_cpu *cpu)
{
    if (cpu->trimmed != atomic_load_explicit(&iova->trim, memory_order_relaxed))
        cpu_spill(iova, cpu);
}

static __attribute__((noinline)) bool alloc_slow(struct iova *iova, struct iova_cpu *cpu,
                                                 unsigned class_lg2, sluice_iova_t last,
                                                 sluice_iova_t *out)
{
    const struct zone_order *order = order_for(iova, last);

    cpu_service(iova, cpu);
    for (unsigned i = 0; i < order->count; i++) {
        if (alloc_in_zone(iova, cpu, order->zone[i], class_lg2, last, out))
            return true;
    }
    return false;
}

static __attribute__((noinline)) void free_slow(struct iova *iova, struct iova_cpu *cpu,
                                                unsigned bin, sluice_iova_t at)
{
    struct iova_magazine *magazine;

    cpu_service(iova, cpu);
    if (cpu->previous[bin]->count < cpu->previous[bin]->capacity) {
        swap(cpu, bin);
    } else {
        magazine = depot_take_empty(iova, bin);
        if (magazine != NULL)
            load(iova, cpu, bin, magazine);
    }
    magazine = cpu->loaded[bin];
    if (magazine->count < magazine->capacity) {
        magazine->at[magazine->count++] = at;
    } else {
        sluice_irqstate_t irq = sluice_spin_lock(&iova->range_lock);

        give_locked(iova, at, (uint64_t)1 << (bin % RANGE_CLASSES));
        sluice_spin_unlock(&iova->range_lock, irq);
    }
}

/* ---- the last resort ---- */

static void spill_all(struct iova *iova)
{
    sluice_irqstate_t state;
    struct iova_cpu *cpu;

    atomic_fetch_add_explicit(&iova->trim, 1, memory_order_relaxed);
#if SLUICE_CPU_PINNED
    cpu = iova_cpu_enter(iova, &state);
    if (cpu != NULL)
        cpu_spill(iova, cpu);
    iova_cpu_leave(cpu, state);
#else
    for (unsigned i = 0; i < iova->cpu_count; i++) {
        cpu = &iova->cpus[i];
        state = sluice_spin_lock(&cpu->lock);
        cpu_spill(iova, cpu);
        sluice_spin_unlock(&cpu->lock, state);
    }
#endif
    depot_drain(iova);
}

/** Looks everywhere, exactly. `want` has everything but the zone's limits. */
static enum sluice_status take_anywhere_locked(struct iova *iova, const struct extent_want *want,
                                               sluice_iova_t last, uint64_t *out_page)
{
    const struct zone_order *order = order_for(iova, last);
    enum sluice_status status = SLUICE_ERR_NO_SPACE;
    struct extent_want here = *want;

    for (unsigned i = 0; i < order->count && status == SLUICE_ERR_NO_SPACE; i++) {
        const struct page_range *zone = &iova->ranges.zones[order->zone[i]];

        here.first = zone->first;
        here.last = zone->last < want->last ? zone->last : want->last;
        if (here.first <= here.last)
            status = ranges_take(&iova->ranges, &here, out_page);
    }
    /* What is longer than any zone lies across them. */
    if (status == SLUICE_ERR_NO_SPACE)
        status = ranges_take(&iova->ranges, want, out_page);
    return status;
}

/** A range from the extents; gathers up everything that hides before it fails. */
static enum sluice_status alloc_exact(struct iova *iova, struct extent_want *want,
                                      sluice_iova_t last, bool large, sluice_iova_t *out)
{
    enum sluice_status status = SLUICE_ERR_NO_SPACE;
    uint64_t page = 0;

    want->first = iova->ranges.all.first;
    if (!last_page_of(last, &want->last) || want->last < want->first)
        return SLUICE_ERR_NO_SPACE;
    for (unsigned attempt = large ? 0 : 1; attempt < 2 && status == SLUICE_ERR_NO_SPACE;
         attempt++) {
        sluice_irqstate_t irq;

        if (attempt == 1)
            spill_all(iova);
        irq = sluice_spin_lock(&iova->range_lock);
        if (attempt == 1)
            ranges_dissolve(&iova->ranges);
        status = take_anywhere_locked(iova, want, last, &page);
        if (status == SLUICE_OK && large) {
            iova->live_large++;
            iova->live_large_pages += want->pages;
        }
        sluice_spin_unlock(&iova->range_lock, irq);
    }
    if (status != SLUICE_OK)
        atomic_fetch_add_explicit(&iova->failures, 1, memory_order_relaxed);
    else
        *out = page << SLUICE_PAGE_LG2;
    return status;
}

static enum sluice_status alloc_last_resort(struct iova *iova, unsigned class_lg2,
                                            sluice_iova_t last, sluice_iova_t *out)
{
    struct extent_want want = {.pages = (uint64_t)1 << class_lg2, .align_lg2 = class_lg2};
    enum sluice_status status = alloc_exact(iova, &want, last, false, out);

    if (status == SLUICE_OK)
        atomic_fetch_add_explicit(&iova->shared.allocs, 1, memory_order_relaxed);
    return status;
}

/* ---- the way in ---- */

static enum sluice_status alloc_large(struct iova *iova, uint64_t pages, unsigned align_lg2,
                                      uint64_t boundary_pages, sluice_iova_t last,
                                      sluice_iova_t *out)
{
    struct extent_want want = {
        .pages = pages, .align_lg2 = align_lg2, .boundary_pages = boundary_pages};

    return alloc_exact(iova, &want, last, true, out);
}

static void free_large(struct iova *iova, sluice_iova_t at, uint64_t pages)
{
    sluice_irqstate_t irq = sluice_spin_lock(&iova->range_lock);

    if (ranges_give(&iova->ranges, at >> SLUICE_PAGE_LG2, pages)) {
        iova->live_large--;
        iova->live_large_pages -= pages;
        for (unsigned zone = iova_zone_of(at);
             zone <= iova_zone_of(at + ((pages - 1) << SLUICE_PAGE_LG2)); zone++)
            note_free(iova, zone);
    } else {
        atomic_fetch_add_explicit(&iova->bad_frees, 1, memory_order_relaxed);
    }
    sluice_spin_unlock(&iova->range_lock, irq);
}

/** What the magazine in use does not have. Out of line, so that the short way saves no registers.
 */
static __attribute__((noinline)) enum sluice_status
alloc_hard(struct iova *iova, uint64_t pages, sluice_iova_t last, sluice_iova_t *out)
{
    unsigned class_lg2 = range_class_of(pages);
    sluice_irqstate_t state;
    struct iova_cpu *cpu;
    bool done = false;

    if (pages - 1 >= IOVA_BLOCK_PAGES)
        return pages == 0 ? SLUICE_ERR_INVALID : alloc_large(iova, pages, 0, 0, last, out);
    cpu = iova_cpu_enter(iova, &state);
    if (cpu != NULL) {
        done = alloc_slow(iova, cpu, class_lg2, last, out);
        if (done)
            iova_count(&cpu->counts.allocs);
    }
    iova_cpu_leave(cpu, state);
    return done ? SLUICE_OK : alloc_last_resort(iova, class_lg2, last, out);
}

enum sluice_status iova_alloc(struct iova *iova, uint64_t pages, sluice_iova_t last,
                              sluice_iova_t *out)
{
    unsigned class_lg2 = range_class_of(pages);
    struct iova_magazine *magazine;
    sluice_irqstate_t state;
    struct iova_cpu *cpu;
    unsigned zone;

    if (__builtin_expect(pages - 1 >= IOVA_BLOCK_PAGES, 0))
        return alloc_hard(iova, pages, last, out);
    zone = last > UINT32_MAX ? iova->wide_zone : iova_zone_of(last);
    cpu = iova_cpu_enter(iova, &state);
    if (__builtin_expect(cpu != NULL, 1)) {
        magazine = cpu->loaded[iova_bin(zone, class_lg2)];
        if (__builtin_expect(magazine->count != 0, 1) &&
            __builtin_expect(within(magazine->at[magazine->count - 1], class_lg2, last), 1)) {
            *out = magazine->at[--magazine->count];
            iova_count(&cpu->counts.allocs);
            iova_cpu_leave(cpu, state);
            return SLUICE_OK;
        }
    }
    iova_cpu_leave(cpu, state);
    return alloc_hard(iova, pages, last, out);
}

/** For CPUs that have no magazines. */
static void free_uncached(struct iova *iova, sluice_iova_t at, unsigned class_lg2)
{
    sluice_irqstate_t irq = sluice_spin_lock(&iova->range_lock);

    give_locked(iova, at, (uint64_t)1 << class_lg2);
    sluice_spin_unlock(&iova->range_lock, irq);
    atomic_fetch_add_explicit(&iova->shared.frees, 1, memory_order_relaxed);
}

/** What the magazine in use has no room for. */
static __attribute__((noinline)) void free_hard(struct iova *iova, sluice_iova_t at, uint64_t pages)
{
    unsigned class_lg2 = range_class_of(pages);
    sluice_irqstate_t state;
    struct iova_cpu *cpu;

    if (pages - 1 >= IOVA_BLOCK_PAGES) {
        free_large(iova, at, pages);
        return;
    }
    cpu = iova_cpu_enter(iova, &state);
    if (cpu != NULL) {
        free_slow(iova, cpu, iova_bin(iova_zone_of(at), class_lg2), at);
        iova_count(&cpu->counts.frees);
    }
    iova_cpu_leave(cpu, state);
    if (cpu == NULL)
        free_uncached(iova, at, class_lg2);
}

void iova_free(struct iova *iova, sluice_iova_t at, uint64_t pages)
{
    struct iova_magazine *magazine;
    sluice_irqstate_t state;
    struct iova_cpu *cpu;

    if (__builtin_expect(pages - 1 < IOVA_BLOCK_PAGES, 1)) {
        cpu = iova_cpu_enter(iova, &state);
        if (__builtin_expect(cpu != NULL, 1)) {
            magazine = cpu->loaded[iova_bin(iova_zone_of(at), range_class_of(pages))];
            if (__builtin_expect(magazine->count < magazine->capacity, 1)) {
                magazine->at[magazine->count++] = at;
                iova_count(&cpu->counts.frees);
                iova_cpu_leave(cpu, state);
                return;
            }
        }
        iova_cpu_leave(cpu, state);
    }
    free_hard(iova, at, pages);
}

/** The addresses of a zone: [first, first + span]. */
static sluice_iova_t zone_first(unsigned zone)
{
    return zone == RANGE_ZONE_64   ? (sluice_iova_t)1 << 32
           : zone == RANGE_ZONE_32 ? (sluice_iova_t)1 << 24
                                   : 0;
}

static uint64_t zone_span(unsigned zone)
{
    return zone == RANGE_ZONE_64   ? UINT64_MAX - zone_first(zone)
           : zone == RANGE_ZONE_32 ? ((uint64_t)1 << 32) - 1 - zone_first(zone)
                                   : ((uint64_t)1 << 24) - 1;
}

/** Pushes the single pages that a list begins with, as far as one zone and one magazine go. */
static unsigned push_pages(struct iova_cpu *cpu, const uint64_t *words, unsigned count)
{
    unsigned zone = iova_zone_of(words[0]);
    struct iova_magazine *magazine = cpu->loaded[iova_bin(zone, 0)];
    sluice_iova_t first = zone_first(zone);
    uint64_t span = zone_span(zone);
    unsigned room = magazine->capacity - magazine->count;
    unsigned i;

    count = count < room ? count : room;
    for (i = 0; i < count && words[i] - first <= span && iova_word_pages(words[i]) == 1; i++)
        magazine->at[magazine->count + i] = words[i];
    /* Not for the magazine that stands for none, which nobody may write to. */
    if (i != 0)
        magazine->count += i;
    return i;
}

static void push_block(struct iova *iova, struct iova_cpu *cpu, uint64_t word)
{
    sluice_iova_t at = iova_word_at(word);
    unsigned bin = iova_bin(iova_zone_of(at), range_class_of(iova_word_pages(word)));
    struct iova_magazine *magazine = cpu->loaded[bin];

    if (magazine->count < magazine->capacity)
        magazine->at[magazine->count++] = at;
    else
        free_slow(iova, cpu, bin, at);
}

/** Gives back as many of a list as this CPU takes without leaving it; returns how many. */
static unsigned free_cached(struct iova *iova, struct iova_cpu *cpu, const uint64_t *words,
                            unsigned count)
{
    unsigned i = 0;

    while (i < count) {
        i += push_pages(cpu, &words[i], count - i);
        if (i == count || iova_word_pages(words[i]) > IOVA_BLOCK_PAGES)
            break;
        push_block(iova, cpu, words[i++]);
    }
    iova_count_all(&cpu->counts.frees, i);
    return i;
}

void iova_free_list(struct iova *iova, const uint64_t *words, unsigned count)
{
    for (unsigned done = 0; done < count;) {
        unsigned now = count - done < IOVA_FREE_BURST ? count - done : IOVA_FREE_BURST;
        sluice_irqstate_t state;
        struct iova_cpu *cpu = iova_cpu_enter(iova, &state);

        now = cpu != NULL ? free_cached(iova, cpu, &words[done], now) : 0;
        iova_cpu_leave(cpu, state);
        done += now;
        if (now == 0) { /* no magazines here, or too long for them */
            iova_free(iova, iova_word_at(words[done]), iova_word_pages(words[done]));
            done++;
        }
    }
}

/** The pages that a special request takes up: a block as large as its alignment, or itself. */
static uint64_t special_pages(const struct iova_request *request)
{
    uint64_t align = request->align_lg2 > SLUICE_PAGE_LG2
                         ? (uint64_t)1 << (request->align_lg2 - SLUICE_PAGE_LG2)
                         : 1;

    if (request->pages > IOVA_BLOCK_PAGES || align > IOVA_BLOCK_PAGES)
        return request->pages;
    return align > request->pages ? align : request->pages;
}

/** Whether the magazines' natural alignment is all that a request needs. */
static bool is_block(const struct iova_request *request)
{
    return request->pages <= IOVA_BLOCK_PAGES &&
           request->align_lg2 <= SLUICE_PAGE_LG2 + RANGE_CLASSES - 1;
}

enum sluice_status iova_alloc_special(struct iova *iova, const struct iova_request *request,
                                      sluice_iova_t *out)
{
    uint64_t boundary = request->boundary_bytes;
    unsigned align_lg2 = 0;

    if (request->pages == 0 || request->align_lg2 > 63 || (boundary & (boundary - 1)) != 0 ||
        (boundary != 0 && boundary >> SLUICE_PAGE_LG2 < request->pages))
        return SLUICE_ERR_INVALID;
    if (is_block(request))
        return iova_alloc(iova, special_pages(request), request->last, out);
    if (request->align_lg2 > SLUICE_PAGE_LG2)
        align_lg2 = request->align_lg2 - SLUICE_PAGE_LG2;
    return alloc_large(iova, request->pages, align_lg2, boundary >> SLUICE_PAGE_LG2, request->last,
                       out);
}

void iova_free_special(struct iova *iova, sluice_iova_t at, const struct iova_request *request)
{
    if (is_block(request))
        iova_free(iova, at, special_pages(request));
    else
        free_large(iova, at, request->pages);
}

enum sluice_status iova_reserve(struct iova *iova, sluice_iova_t first, sluice_iova_t last)
{
    enum sluice_status status = SLUICE_ERR_EXISTS;

    if (first > last)
        return SLUICE_ERR_INVALID;
    for (unsigned attempt = 0; attempt < 2 && status == SLUICE_ERR_EXISTS; attempt++) {
        sluice_irqstate_t irq;

        if (attempt == 1)
            spill_all(iova);
        irq = sluice_spin_lock(&iova->range_lock);
        if (attempt == 1)
            ranges_dissolve(&iova->ranges);
        status = ranges_reserve(&iova->ranges, first >> SLUICE_PAGE_LG2, last >> SLUICE_PAGE_LG2);
        sluice_spin_unlock(&iova->range_lock, irq);
    }
    return status;
}

void iova_trim(struct iova *iova)
{
    sluice_irqstate_t irq;

    spill_all(iova);
    irq = sluice_spin_lock(&iova->range_lock);
    extents_trim(&iova->ranges.extents, iova->ranges.taken + 2);
    sluice_spin_unlock(&iova->range_lock, irq);
}
