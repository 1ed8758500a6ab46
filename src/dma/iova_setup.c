// SPDX-License-Identifier: MIT
/*
 * The allocator's making, unmaking and counting.
 */
#include "dma/aligned.h"
#include "dma/iova.h"

static size_t cpus_bytes(const struct iova *iova)
{
    return iova->cpu_count * sizeof(struct iova_cpu);
}

static enum sluice_status create_cpus(struct iova *iova)
{
    iova->cpus = aligned_alloc_lines(iova->sluice, cpus_bytes(iova), &iova->cpus_memory);
    if (iova->cpus == NULL)
        return SLUICE_ERR_NO_MEMORY;
    for (unsigned i = 0; i < iova->cpu_count; i++) {
        for (unsigned bin = 0; bin < IOVA_BINS; bin++) {
            iova->cpus[i].loaded[bin] = iova_none();
            iova->cpus[i].previous[bin] = iova_none();
        }
    }
    return SLUICE_OK;
}

static void choose_zones(struct iova *iova, const struct iova_config *config)
{
    iova->wide_zone = iova_zone_of(config->last);
    if (config->prefer_32bit && iova->wide_zone == RANGE_ZONE_64)
        iova->wide_zone = RANGE_ZONE_32;
    for (unsigned zone = 0; zone < RANGE_ZONES; zone++)
        atomic_init(&iova->full_class[zone], RANGE_CLASSES);
}

static bool config_is_valid(const struct iova_config *config)
{
    return config->first < config->last && (config->first & (SLUICE_PAGE_BYTES - 1)) == 0 &&
           (config->last & (SLUICE_PAGE_BYTES - 1)) == SLUICE_PAGE_BYTES - 1 &&
           config->last >= 2 * SLUICE_PAGE_BYTES - 1;
}

static void iova_release(struct iova *iova)
{
    if (iova->cpus != NULL)
        aligned_free_lines(iova->sluice, iova->cpus_memory, cpus_bytes(iova));
    ranges_clear(&iova->ranges);
    aligned_free_lines(iova->sluice, iova->memory, sizeof(*iova));
}

enum sluice_status iova_create(struct sluice *sluice, const struct iova_config *config,
                               struct iova **out)
{
    enum sluice_status status;
    struct iova *iova;
    uint64_t first;
    void *memory;

    if (!config_is_valid(config))
        return SLUICE_ERR_INVALID;
    iova = aligned_alloc_lines(sluice, sizeof(*iova), &memory);
    if (iova == NULL)
        return SLUICE_ERR_NO_MEMORY;
    iova->memory = memory;
    iova->sluice = sluice;
    iova->cpu_count = sluice->cpu_count != 0 ? sluice->cpu_count : 1;
    /* Address 0 is a fine address, but too many drivers take it for "none". */
    first = config->first >> SLUICE_PAGE_LG2;
    status =
        ranges_init(&iova->ranges, sluice, first != 0 ? first : 1, config->last >> SLUICE_PAGE_LG2);
    if (status == SLUICE_OK)
        status = create_cpus(iova);
    if (status != SLUICE_OK) {
        iova_release(iova);
        return status;
    }
    choose_zones(iova, config);
    depot_init(iova);
    *out = iova;
    return SLUICE_OK;
}

void iova_destroy(struct iova *iova)
{
    for (unsigned i = 0; i < iova->cpu_count; i++) {
        for (unsigned bin = 0; bin < IOVA_BINS; bin++) {
            depot_give_empty(iova, iova->cpus[i].loaded[bin]);
            depot_give_empty(iova, iova->cpus[i].previous[bin]);
        }
    }
    depot_drain(iova);
    iova_release(iova);
}

static void add_counts(struct iova_stats *out, const struct iova_counts *counts)
{
    out->allocs += atomic_load_explicit(&counts->allocs, memory_order_relaxed);
    out->frees += atomic_load_explicit(&counts->frees, memory_order_relaxed);
    out->misses += atomic_load_explicit(&counts->misses, memory_order_relaxed);
    out->exchanges += atomic_load_explicit(&counts->exchanges, memory_order_relaxed);
}

void iova_stats(struct iova *iova, struct iova_stats *out)
{
    uint64_t magazine_bytes;
    sluice_irqstate_t irq;

    *out = (struct iova_stats){
        .failures = atomic_load_explicit(&iova->failures, memory_order_relaxed),
        .bad_frees = atomic_load_explicit(&iova->bad_frees, memory_order_relaxed),
    };
    depot_stats(iova, &out->cached, &magazine_bytes);
    add_counts(out, &iova->shared);
    for (unsigned i = 0; i < iova->cpu_count; i++)
        add_counts(out, &iova->cpus[i].counts);
    irq = sluice_spin_lock(&iova->range_lock);
    out->live = out->allocs - out->frees + iova->live_large;
    out->free_pages = iova->ranges.extents.free_pages;
    out->slabs = iova->ranges.slabs;
    out->metadata_bytes = ranges_bytes(&iova->ranges) + magazine_bytes;
    sluice_spin_unlock(&iova->range_lock, irq);
}
