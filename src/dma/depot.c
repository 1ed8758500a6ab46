// SPDX-License-Identifier: MIT
/*
 * The depot: full and empty magazines that no CPU holds.
 */
#include "dma/iova.h"

/** Empty magazines kept for the next CPU that needs one. */
#define DEPOT_EMPTY 64u

const struct iova_magazine iova_no_magazine = {0};

/** How many addresses of one size a magazine may hide from everybody else. */
static uint32_t magazine_capacity(const struct iova *iova, unsigned zone, unsigned class_lg2)
{
    const struct page_range *pages = &iova->ranges.zones[zone];
    uint64_t share;

    if (pages->first > pages->last)
        return 0;
    share = ((pages->last - pages->first + 1) / 128 / iova->cpu_count) >> class_lg2;
    if (share < 4)
        return 0;
    return share < IOVA_MAGAZINE ? (uint32_t)share : IOVA_MAGAZINE;
}

void depot_init(struct iova *iova)
{
    for (unsigned zone = 0; zone < RANGE_ZONES; zone++) {
        for (unsigned class_lg2 = 0; class_lg2 < RANGE_CLASSES; class_lg2++) {
            struct iova_depot_bin *bin = &iova->depot.bins[iova_bin(zone, class_lg2)];

            bin->capacity = magazine_capacity(iova, zone, class_lg2);
            bin->most = IOVA_DEPOT_MAGAZINES;
        }
    }
}

static void depot_count(struct iova_depot_bin *bin, int change)
{
    unsigned count = atomic_load_explicit(&bin->count, memory_order_relaxed);

    atomic_store_explicit(&bin->count, count + (unsigned)change, memory_order_relaxed);
}

static struct iova_magazine *pop(struct iova_magazine **list)
{
    struct iova_magazine *magazine = *list;

    if (magazine != NULL)
        *list = magazine->next;
    return magazine;
}

static void push(struct iova_magazine **list, struct iova_magazine *magazine)
{
    magazine->next = *list;
    *list = magazine;
}

struct iova_magazine *depot_take_full(struct iova *iova, unsigned bin)
{
    struct iova_depot *depot = &iova->depot;
    struct iova_magazine *magazine;
    sluice_irqstate_t irq = sluice_spin_lock(&depot->lock);

    magazine = pop(&depot->bins[bin].full);
    if (magazine != NULL)
        depot_count(&depot->bins[bin], -1);
    sluice_spin_unlock(&depot->lock, irq);
    return magazine;
}

struct iova_magazine *depot_take_empty(struct iova *iova, unsigned bin)
{
    struct iova_depot *depot = &iova->depot;
    uint32_t capacity = depot->bins[bin].capacity;
    struct iova_magazine *magazine;
    sluice_irqstate_t irq;

    if (capacity == 0)
        return NULL;
    irq = sluice_spin_lock(&depot->lock);
    magazine = pop(&depot->empty);
    if (magazine != NULL) {
        depot->empty_count--;
    } else {
        magazine = host_alloc(iova->sluice, sizeof(*magazine));
        depot->magazines += magazine != NULL ? 1u : 0u;
    }
    sluice_spin_unlock(&depot->lock, irq);
    if (magazine != NULL)
        magazine->capacity = capacity;
    return magazine;
}

/** Moves what fits from one magazine to another. */
static void pour(struct iova_magazine *from, struct iova_magazine *to)
{
    uint32_t room = to->capacity - to->count;
    uint32_t count = from->count < room ? from->count : room;

    __builtin_memcpy(&to->at[to->count], &from->at[from->count - count], count * sizeof(to->at[0]));
    to->count += count;
    from->count -= count;
}

void depot_give_full(struct iova *iova, unsigned bin, struct iova_magazine *magazine)
{
    struct iova_depot *depot = &iova->depot;
    struct iova_depot_bin *own = &depot->bins[bin];
    struct iova_magazine *spill = NULL;
    sluice_irqstate_t irq = sluice_spin_lock(&depot->lock);

    /* Magazines that come half empty are filled up, so that they do not pile up. */
    if (magazine->count < magazine->capacity && own->full != NULL)
        pour(magazine, own->full);
    if (magazine->count != 0 &&
        atomic_load_explicit(&own->count, memory_order_relaxed) < own->most) {
        push(&own->full, magazine);
        depot_count(own, 1);
        magazine = NULL;
    }
    spill = magazine;
    sluice_spin_unlock(&depot->lock, irq);
    if (spill == NULL)
        return;
    iova_spill(iova, bin, spill);
    depot_give_empty(iova, spill);
}

void depot_give_empty(struct iova *iova, struct iova_magazine *magazine)
{
    struct iova_depot *depot = &iova->depot;
    sluice_irqstate_t irq;

    if (magazine == iova_none())
        return;
    irq = sluice_spin_lock(&depot->lock);
    if (depot->empty_count < DEPOT_EMPTY) {
        push(&depot->empty, magazine);
        depot->empty_count++;
    } else {
        host_free(iova->sluice, magazine, sizeof(*magazine));
        depot->magazines--;
    }
    sluice_spin_unlock(&depot->lock, irq);
}

void depot_drain(struct iova *iova)
{
    struct iova_depot *depot = &iova->depot;
    struct iova_magazine *magazine;
    sluice_irqstate_t irq;

    for (unsigned bin = 0; bin < IOVA_BINS; bin++) {
        while ((magazine = depot_take_full(iova, bin)) != NULL) {
            iova_spill(iova, bin, magazine);
            depot_give_empty(iova, magazine);
        }
    }
    irq = sluice_spin_lock(&depot->lock);
    while ((magazine = pop(&depot->empty)) != NULL) {
        host_free(iova->sluice, magazine, sizeof(*magazine));
        depot->magazines--;
    }
    depot->empty_count = 0;
    sluice_spin_unlock(&depot->lock, irq);
}

void depot_stats(struct iova *iova, uint64_t *out_cached, uint64_t *out_bytes)
{
    struct iova_depot *depot = &iova->depot;
    uint64_t cached = 0;
    sluice_irqstate_t irq = sluice_spin_lock(&depot->lock);

    for (unsigned bin = 0; bin < IOVA_BINS; bin++) {
        for (const struct iova_magazine *at = depot->bins[bin].full; at != NULL; at = at->next)
            cached += at->count;
    }
    *out_cached = cached;
    *out_bytes = depot->magazines * sizeof(struct iova_magazine);
    sluice_spin_unlock(&depot->lock, irq);
}
