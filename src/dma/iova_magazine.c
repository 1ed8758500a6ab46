// SPDX-License-Identifier: MIT
/*
 * The magazines of each CPU, when the one in use runs empty or full: the reserve, the depot, and
 * the ranges below them. Called by iova.c on the CPU that the magazines belong to, and by
 * iova_exact.c, which calls them all in.
 */
#include "dma/iova.h"

static const struct iova_zone_order order_wide = {3, {RANGE_ZONE_64, RANGE_ZONE_32, RANGE_ZONE_24}};
static const struct iova_zone_order order_prefer_32 = {
    3, {RANGE_ZONE_32, RANGE_ZONE_64, RANGE_ZONE_24}};
static const struct iova_zone_order order_32 = {2, {RANGE_ZONE_32, RANGE_ZONE_24}};
static const struct iova_zone_order order_24 = {1, {RANGE_ZONE_24}};

const struct iova_zone_order *iova_zone_order(const struct iova *iova, sluice_iova_t last)
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

/** Pops an address that the device reaches, wherever in the magazine it is. */
static bool pop_within(struct iova_magazine *magazine, unsigned class_lg2, sluice_iova_t last,
                       sluice_iova_t *out)
{
    for (uint32_t i = magazine->count; i-- > 0;) {
        if (iova_within(magazine->at[i], class_lg2, last)) {
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
    count = iova_take_blocks(iova, zone, class_lg2, last, magazine->capacity, magazine->at);
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
    return iova_take_blocks(iova, zone, class_lg2, last, 1, out) == 1;
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

bool iova_cpu_alloc(struct iova *iova, struct iova_cpu *cpu, unsigned class_lg2, sluice_iova_t last,
                    sluice_iova_t *out)
{
    const struct iova_zone_order *order = iova_zone_order(iova, last);

    cpu_service(iova, cpu);
    for (unsigned i = 0; i < order->count; i++) {
        if (alloc_in_zone(iova, cpu, order->zone[i], class_lg2, last, out))
            return true;
    }
    return false;
}

void iova_cpu_free(struct iova *iova, struct iova_cpu *cpu, unsigned bin, sluice_iova_t at)
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
        iova_give_block(iova, at, bin % RANGE_CLASSES);
    }
}

void iova_spill_all(struct iova *iova)
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
