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
    uint64_t live, bytes;

    /*
     * Beginnings first. Whoever adds up may be kept from it in between for long, and what ends
     * meanwhile then makes less of the difference, never more: the most there ever were stays true.
     */
    for (unsigned i = 0; i < counters->cpus; i++) {
        maps += load(&counters->of_cpu[i].maps);
        mapped += load(&counters->of_cpu[i].mapped_bytes);
    }
    for (unsigned i = 0; i < counters->cpus; i++) {
        unmaps += load(&counters->of_cpu[i].unmaps);
        unmapped += load(&counters->of_cpu[i].unmapped_bytes);
    }
    live = maps > unmaps ? maps - unmaps : 0;
    bytes = mapped > unmapped ? mapped - unmapped : 0;
    raise_to(&counters->live_most, live);
    raise_to(&counters->bytes_most, bytes);
    *out = (struct sluice_dma_usage){
        .live = live,
        .live_most = load(&counters->live_most),
        .bytes = bytes,
        .bytes_most = load(&counters->bytes_most),
    };
    *out_maps = maps;
    *out_unmaps = unmaps;
}

void space_usage(struct dma_space *space, struct sluice_dma_usage *out)
{
    struct dma_context *context = space->context;
    sluice_irqstate_t irq = sluice_spin_lock(&context->lock);

    *out = space->left;
    list_for_each(node, &context->handles)
    {
        struct sluice_dma *dma = container_of(node, struct sluice_dma, node);
        struct sluice_dma_usage usage;
        uint64_t maps, unmaps;

        if (dma->space != space)
            continue;
        counters_usage(&dma->counters, &usage, &maps, &unmaps);
        out->live += usage.live;
        out->bytes += usage.bytes;
    }
    sluice_spin_unlock(&context->lock, irq);
    raise_to(&space->live_most, out->live);
    raise_to(&space->bytes_most, out->bytes);
    out->live_most = load(&space->live_most);
    out->bytes_most = load(&space->bytes_most);
}

uint64_t counters_flushes(const struct dma_counters *counters)
{
    uint64_t flushes = 0;

    for (unsigned i = 0; i < counters->cpus; i++)
        flushes += load(&counters->of_cpu[i].flushes);
    return flushes;
}

uint64_t space_flushes(struct dma_space *space)
{
    struct dma_context *context = space->context;
    sluice_irqstate_t irq = sluice_spin_lock(&context->lock);
    uint64_t flushes = space->left_flushes;

    list_for_each(node, &context->handles)
    {
        const struct sluice_dma *dma = container_of(node, struct sluice_dma, node);

        if (dma->space == space)
            flushes += counters_flushes(&dma->counters);
    }
    sluice_spin_unlock(&context->lock, irq);
    return flushes;
}

void dma_count_flush(struct sluice_dma *dma)
{
    sluice_irqstate_t state;
    unsigned cpu;

    state = sluice_cpu_enter(&cpu);
    (void)dma_count_add(&dma->counters.of_cpu[cpu % dma->counters.cpus].flushes, 1);
    sluice_cpu_leave(state);
}

void dma_count_flushed(struct sluice_dma *dma, uint64_t bytes)
{
    struct dma_counts *counts;
    sluice_irqstate_t state;
    unsigned cpu;

    state = sluice_cpu_enter(&cpu);
    counts = &dma->counters.of_cpu[cpu % dma->counters.cpus];
    (void)dma_count_here(counts, bytes, false);
    (void)dma_count_add(&counts->flushes, 1);
    sluice_cpu_leave(state);
}

__attribute__((noinline)) void dma_sample(struct sluice_dma *dma)
{
    struct sluice_dma_usage usage;
    uint64_t maps, unmaps;

    counters_usage(&dma->counters, &usage, &maps, &unmaps);
    if (dma->space != NULL)
        space_usage(dma->space, &usage);
}

void dma_count(struct sluice_dma *dma, uint64_t bytes, bool mapped)
{
    sluice_irqstate_t state;
    uint64_t count;
    unsigned cpu;

    state = sluice_cpu_enter(&cpu);
    /* A CPU beyond the host's count shares with another, and may lose a count. */
    count = dma_count_here(&dma->counters.of_cpu[cpu % dma->counters.cpus], bytes, mapped);
    sluice_cpu_leave(state);
    if (mapped && __builtin_expect((count & DMA_SAMPLE_MASK) == 0, 0))
        dma_sample(dma);
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
