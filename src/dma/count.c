// SPDX-License-Identifier: MIT
/*
 * Counters: each CPU counts for itself; whoever asks adds them up.
 */
#include "dma/dma.h"

static size_t counts_bytes(unsigned cpus)
{
    return cpus * sizeof(struct dma_counts);
}

enum sluice_status counters_init(struct sluice *sluice, struct dma_counters *counters)
{
    counters->cpus = sluice->cpu_count;
    counters->of_cpu = aligned_alloc_lines(sluice, counts_bytes(counters->cpus), &counters->memory);
    return counters->of_cpu != NULL ? SLUICE_OK : SLUICE_ERR_NO_MEMORY;
}

void counters_clear(struct sluice *sluice, struct dma_counters *counters)
{
    if (counters->memory != NULL)
        aligned_free_lines(sluice, counters->memory, counts_bytes(counters->cpus));
    counters->memory = NULL;
}

static void raise_to(atomic_uint_fast64_t *most, uint64_t value)
{
    uint64_t seen = atomic_load_explicit(most, memory_order_relaxed);

    while (seen < value && !atomic_compare_exchange_weak_explicit(
                               most, &seen, value, memory_order_relaxed, memory_order_relaxed))
        continue;
}

static uint64_t load(atomic_uint_fast64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

void counters_usage(struct dma_counters *counters, struct sluice_dma_usage *out, uint64_t *out_maps,
                    uint64_t *out_unmaps)
{
    uint64_t maps = 0, unmaps = 0, mapped = 0, unmapped = 0;

    /* Ends first: what is added between the two sums then only makes more of it. */
    for (unsigned i = 0; i < counters->cpus; i++) {
        unmaps += load(&counters->of_cpu[i].unmaps);
        unmapped += load(&counters->of_cpu[i].unmapped_bytes);
    }
    for (unsigned i = 0; i < counters->cpus; i++) {
        maps += load(&counters->of_cpu[i].maps);
        mapped += load(&counters->of_cpu[i].mapped_bytes);
    }
    raise_to(&counters->live_most, maps - unmaps);
    raise_to(&counters->bytes_most, mapped - unmapped);
    *out = (struct sluice_dma_usage){
        .live = maps - unmaps,
        .live_most = load(&counters->live_most),
        .bytes = mapped - unmapped,
        .bytes_most = load(&counters->bytes_most),
    };
    *out_maps = maps;
    *out_unmaps = unmaps;
}

/** Adds where only this CPU adds; elsewhere the sum has to be atomic. */
static inline uint64_t add(atomic_uint_fast64_t *count, uint64_t value)
{
#if SLUICE_CPU_PINNED
    uint64_t sum = atomic_load_explicit(count, memory_order_relaxed) + value;

    atomic_store_explicit(count, sum, memory_order_relaxed);
    return sum;
#else
    return atomic_fetch_add_explicit(count, value, memory_order_relaxed) + value;
#endif
}

static inline uint64_t count_on(struct dma_counts *counts, uint64_t bytes, bool mapped)
{
    (void)add(mapped ? &counts->mapped_bytes : &counts->unmapped_bytes, bytes);
    return add(mapped ? &counts->maps : &counts->unmaps, 1);
}

static __attribute__((noinline)) void sample(struct dma_counters *counters)
{
    struct sluice_dma_usage usage;
    uint64_t maps, unmaps;

    counters_usage(counters, &usage, &maps, &unmaps);
}

void dma_count(struct sluice_dma *dma, uint64_t bytes, bool mapped)
{
    sluice_irqstate_t state;
    uint64_t mine, all = 0;
    unsigned cpu;

    state = sluice_cpu_enter(&cpu);
    /* A CPU beyond the host's count shares with another, and may lose a count. */
    cpu %= dma->counters.cpus;
    mine = count_on(&dma->counters.of_cpu[cpu], bytes, mapped);
    if (dma->space != NULL)
        all = count_on(&dma->space->counters.of_cpu[cpu], bytes, mapped);
    sluice_cpu_leave(state);
    if (!mapped)
        return;
    if (__builtin_expect((mine & DMA_SAMPLE_MASK) == 0, 0))
        sample(&dma->counters);
    if (__builtin_expect(dma->space != NULL && (all & DMA_SAMPLE_MASK) == 0, 0))
        sample(&dma->space->counters);
}

void dma_count_failure(struct sluice_dma *dma)
{
    atomic_fetch_add_explicit(&dma->failures, 1, memory_order_relaxed);
}

void dma_count_bounced(struct sluice_dma *dma)
{
    atomic_fetch_add_explicit(&dma->bounced, 1, memory_order_relaxed);
}

void dma_bounce_copy(struct sluice_dma *dma, struct bounce_run *run, sluice_phys_t phys,
                     uint64_t bytes, bool to_device)
{
    bounce_copy(run, phys, bytes, to_device);
    atomic_fetch_add_explicit(&dma->bounced_bytes, bytes, memory_order_relaxed);
}
