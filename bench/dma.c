// SPDX-License-Identifier: MIT
/*
 * What the DMA API costs beside its parts' floors, in the same run.
 *
 *   bench-dma [--json] [--rounds N]
 *
 * The library is compiled with a header that says which CPU a thread is (as a kernel's does), so
 * the fast path is the one without locks. See docs/BENCHMARKS.md.
 */
#include "dma_floor.h"
#include "dma_world.h"
#include "options.h"
#include "pagetable_floor.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define K4     4096ull
#define CYCLES 20000u
#define BATCH  2048u /* more than the magazines of a CPU and the ring together */
#define SG     256u
#define LISTS  100u
#define COPY   ((uint64_t)64 << 10)
#define COPIES 200u

enum row {
    ROW_LAZY,
    ROW_STRICT,
    ROW_LAZY_BATCH,
    ROW_STRICT_MANY,
    ROW_IOVA,
    ROW_FLOOR_STACK,
    ROW_FLOOR_WALK,
    ROW_FLOOR_PARTS,
    ROW_FLOOR_INVALIDATION,
    ROW_FLOOR_STRICT,
    ROW_SG_MAP,
    ROW_SG_UNMAP,
    ROW_BULK_MAP,
    ROW_BULK_UNMAP,
    ROW_BOUNCE,
    ROW_FLOOR_COPY,
    ROW_EDGES,
    ROWS
};

static const struct {
    const char *name, *text;
} row_texts[ROWS] = {
    [ROW_LAZY] = {"cycle_lazy", "map and unmap a page, lazy"},
    [ROW_STRICT] = {"cycle_strict", "map and unmap a page, strict"},
    [ROW_LAZY_BATCH] = {"batch_lazy", "  lazy, 2048 mapped before the first is unmapped"},
    [ROW_STRICT_MANY] = {"many_strict", "  strict, 64 unmapped with one invalidation"},
    [ROW_IOVA] = {"iova", "  of that: address taken and given back"},
    [ROW_FLOOR_STACK] = {"floor_stack", "  floor: pop and push"},
    [ROW_FLOOR_WALK] = {"floor_walks", "  floor: walk and store, twice"},
    [ROW_FLOOR_PARTS] = {"floor_parts", "  floors together"},
    [ROW_FLOOR_INVALIDATION] = {"floor_invalidation",
                                "  floor: one invalidation, unit at once done"},
    [ROW_FLOOR_STRICT] = {"floor_strict", "  floors together, with the invalidation"},
    [ROW_SG_MAP] = {"sg_map", "map a list of 256 scattered pages, a page"},
    [ROW_SG_UNMAP] = {"sg_unmap", "  unmap it, lazy, a page"},
    [ROW_BULK_MAP] = {"bulk_map", "  beside: engine maps 256 pages in one call, a page"},
    [ROW_BULK_UNMAP] = {"bulk_unmap", "  beside: engine unmaps them in one call, a page"},
    [ROW_BOUNCE] = {"bounce", "map and unmap 64 KiB through bounce memory, a KiB"},
    [ROW_FLOOR_COPY] = {"floor_copy", "  floor: copy them once, a KiB"},
    [ROW_EDGES] = {"edges", "map and unmap 64 KiB at an odd place, untrusted, a KiB"},
};

static const struct {
    enum row of, beside;
    double most;
    const char *text;
} bars[] = {
    {ROW_LAZY, ROW_FLOOR_PARTS, 2.0, "whole lazy cycle, of its parts' floors"},
    {ROW_STRICT, ROW_FLOOR_STRICT, 2.0, "whole strict cycle, of its parts' floors"},
    {ROW_LAZY_BATCH, ROW_LAZY, 2.0, "batch larger than the caches, of a lazy cycle"},
    {ROW_SG_MAP, ROW_BULK_MAP, 1.5, "a page of a list, of a page in bulk"},
    {ROW_BOUNCE, ROW_FLOOR_COPY, 1.25, "bounce, of one memcpy"},
};
#define BARS (sizeof(bars) / sizeof(bars[0]))

struct bench {
    struct bench_world world;
    struct floor_stack stack;
    struct sluice_dma_segment segments[SG];
    struct sluice_dma_chunk chunks[BATCH];
    unsigned place;    /**< where the engine alone maps next */
    double best[ROWS]; /**< ns */
};

static uint64_t now(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000ull + (uint64_t)at.tv_nsec;
}

static void record(struct bench *bench, enum row row, uint64_t start, double units)
{
    double ns = (double)(now() - start) / units;

    if (bench->best[row] == 0 || ns < bench->best[row])
        bench->best[row] = ns;
}

static void check(enum sluice_status status)
{
    if (status != SLUICE_OK) {
        fprintf(stderr, "bench: %s\n", sluice_status_text(status));
        exit(1);
    }
}

static sluice_phys_t page_of(unsigned i)
{
    return bench_buffer() + (i % 1024) * K4;
}

/* ---- cycles ---- */

static void run_cycle(struct bench *bench, enum row row, struct sluice_dma *dma)
{
    uint64_t start = now();

    for (unsigned i = 0; i < CYCLES; i++) {
        sluice_iova_t address;

        check(sluice_dma_map(dma, page_of(i), K4, SLUICE_DMA_BOTH, NULL, &address));
        check(sluice_dma_unmap(dma, address, K4, SLUICE_DMA_BOTH, NULL));
    }
    record(bench, row, start, CYCLES);
}

static void run_batch(struct bench *bench)
{
    struct sluice_dma *dma = bench->world.lazy.dma;
    uint64_t start = now();

    for (unsigned i = 0; i < BATCH; i++)
        check(
            sluice_dma_map(dma, page_of(i), K4, SLUICE_DMA_BOTH, NULL, &bench->chunks[i].address));
    for (unsigned i = 0; i < BATCH; i++)
        check(sluice_dma_unmap(dma, bench->chunks[i].address, K4, SLUICE_DMA_BOTH, NULL));
    record(bench, ROW_LAZY_BATCH, start, BATCH);
}

static void run_many(struct bench *bench)
{
    struct sluice_dma *dma = bench->world.strict.dma;
    uint64_t start = now();

    for (unsigned turn = 0; turn < BATCH / 64; turn++) {
        for (unsigned i = 0; i < 64; i++) {
            bench->chunks[i].bytes = K4;
            check(sluice_dma_map(dma, page_of(i), K4, SLUICE_DMA_BOTH, NULL,
                                 &bench->chunks[i].address));
        }
        check(sluice_dma_unmap_many(dma, bench->chunks, 64, SLUICE_DMA_BOTH, NULL));
    }
    record(bench, ROW_STRICT_MANY, start, BATCH);
}

/** So that the bare walk finds tables all the way down. */
static void make_tables(struct pagetable *pt, sluice_iova_t at)
{
    struct pt_gather gather;

    pt_gather_init(&gather);
    check(pt->format->map(pt, at, 0, K4, SLUICE_PROT_READ, &gather));
    check(pt->format->unmap(pt, at, K4, &gather, NULL));
}

static void run_floors(struct bench *bench)
{
    const struct pagetable *pt = &bench->world.strict.domain->pt;
    struct iova *iova = bench->world.strict.dma->space->iova;
    uintptr_t base = bench->world.sluice.config.linear_base;
    sluice_iova_t address;
    uint64_t start;

    /* Over as many entries as the lazy cycle goes through before one comes back, in its order. */
    for (unsigned i = 0; i < FLUSH_RING; i++) {
        check(iova_alloc(iova, 1, UINT64_MAX, &bench->chunks[i].address));
        make_tables(&bench->world.strict.domain->pt, bench->chunks[i].address);
    }
    start = now();
    for (unsigned i = 0; i < CYCLES; i++) {
        floor_walk_store(pt->root, base, bench->chunks[i % FLUSH_RING].address, page_of(i) | 3);
        floor_walk_store(pt->root, base, bench->chunks[i % FLUSH_RING].address, 0);
    }
    record(bench, ROW_FLOOR_WALK, start, CYCLES);
    for (unsigned i = 0; i < FLUSH_RING; i++)
        iova_free(iova, bench->chunks[i].address, 1);
    floor_push(&bench->stack, 1);
    start = now();
    for (unsigned i = 0; i < CYCLES; i++)
        floor_push(&bench->stack, floor_pop(&bench->stack));
    record(bench, ROW_FLOOR_STACK, start, CYCLES);
    start = now();
    for (unsigned i = 0; i < CYCLES; i++) {
        check(iova_alloc(iova, 1, UINT64_MAX, &address));
        iova_free(iova, address, 1);
    }
    record(bench, ROW_IOVA, start, CYCLES);
    start = now();
    for (unsigned i = 0; i < CYCLES; i++)
        bench_invalidate(&bench->world);
    record(bench, ROW_FLOOR_INVALIDATION, start, CYCLES);
    bench->best[ROW_FLOOR_PARTS] = bench->best[ROW_FLOOR_WALK] + bench->best[ROW_FLOOR_STACK];
    bench->best[ROW_FLOOR_STRICT] =
        bench->best[ROW_FLOOR_PARTS] + bench->best[ROW_FLOOR_INVALIDATION];
}

/* ---- lists ---- */

static void run_sg(struct bench *bench)
{
    struct sluice_dma_sg sg = {bench->segments, SG, bench->chunks, BATCH, 0};
    struct sluice_dma *dma = bench->world.lazy.dma;
    uint64_t mapping = 0, unmapping = 0;

    for (unsigned i = 0; i < SG; i++)
        bench->segments[i] = (struct sluice_dma_segment){page_of(i * 389), K4};
    for (unsigned i = 0; i < LISTS; i++) {
        uint64_t start = now(), middle;

        check(sluice_dma_map_sg(dma, &sg, SLUICE_DMA_BOTH, NULL));
        middle = now();
        check(sluice_dma_unmap_sg(dma, &sg, SLUICE_DMA_BOTH, NULL));
        mapping += middle - start;
        unmapping += now() - middle;
    }
    record(bench, ROW_SG_MAP, now() - mapping, (double)SG * LISTS);
    record(bench, ROW_SG_UNMAP, now() - unmapping, (double)SG * LISTS);
}

/**
 * The engine alone, in as many places as the lazy cycle goes through before one comes back: their
 * entries take half a MiB, and where in the caches those are is half of what mapping them costs.
 */
static void run_bulk(struct bench *bench)
{
    struct pagetable *pt = &bench->world.lazy.domain->pt;
    uint64_t mapping = 0, unmapping = 0;
    struct pt_gather gather;

    pt_gather_init(&gather);
    for (unsigned i = 0; i < LISTS; i++) {
        const sluice_iova_t at = ((sluice_iova_t)1 << 40) + bench->place * SG * K4;
        uint64_t start = now(), middle;

        bench->place = (bench->place + 1) % FLUSH_RING;
        check(pt->format->map(pt, at, bench_buffer(), SG * K4, SLUICE_PROT_READ | SLUICE_PROT_WRITE,
                              &gather));
        middle = now();
        check(pt->format->unmap(pt, at, SG * K4, &gather, NULL));
        mapping += middle - start;
        unmapping += now() - middle;
        pt_gather_init(&gather);
    }
    record(bench, ROW_BULK_MAP, now() - mapping, (double)SG * LISTS);
    record(bench, ROW_BULK_UNMAP, now() - unmapping, (double)SG * LISTS);
}

/* ---- copies ---- */

static void run_copies(struct bench *bench)
{
    static uint8_t to[COPY];
    const double units = (double)COPY / 1024 * COPIES;
    uint64_t start = now();
    sluice_iova_t address;

    for (unsigned i = 0; i < COPIES; i++)
        floor_copy(to, bench_virt(bench_buffer() + i % 16 * COPY), COPY);
    record(bench, ROW_FLOOR_COPY, start, units);
    start = now();
    for (unsigned i = 0; i < COPIES; i++) {
        check(sluice_dma_map(bench->world.bare, bench_buffer() + i % 16 * COPY, COPY,
                             SLUICE_DMA_TO_DEVICE, NULL, &address));
        check(sluice_dma_unmap(bench->world.bare, address, COPY, SLUICE_DMA_TO_DEVICE, NULL));
    }
    record(bench, ROW_BOUNCE, start, units);
    start = now();
    for (unsigned i = 0; i < COPIES; i++) {
        check(sluice_dma_map(bench->world.untrusted.dma, bench_buffer() + i % 16 * COPY + 100, COPY,
                             SLUICE_DMA_TO_DEVICE, NULL, &address));
        check(sluice_dma_unmap(bench->world.untrusted.dma, address, COPY, SLUICE_DMA_TO_DEVICE,
                               NULL));
    }
    record(bench, ROW_EDGES, start, units);
}

/* ---- results ---- */

static double ratio_of(const struct bench *bench, size_t bar)
{
    return bench->best[bars[bar].of] / bench->best[bars[bar].beside];
}

static void print_text(const struct bench *bench)
{
    printf("\nDMA API, pinned CPUs, VT-d second stage, 4 levels; ns, best of many\n\n");
    for (unsigned row = 0; row < ROWS; row++)
        printf("  %-58s %8.3f\n", row_texts[row].text, bench->best[row]);
    printf("\n");
    for (size_t bar = 0; bar < BARS; bar++)
        printf("  %-6s %-44s %6.3f  (bar %.3f)\n",
               ratio_of(bench, bar) <= bars[bar].most ? "met" : "MISSED", bars[bar].text,
               ratio_of(bench, bar), bars[bar].most);
}

static void print_json(const struct bench *bench)
{
    json_t *root = json_object(), *rows = json_object(), *list = json_array();

    for (unsigned row = 0; row < ROWS; row++)
        json_object_set_new(rows, row_texts[row].name, json_real(bench->best[row]));
    for (size_t bar = 0; bar < BARS; bar++)
        json_array_append_new(list, json_pack("{s:s, s:f, s:f}", "text", bars[bar].text, "ratio",
                                              ratio_of(bench, bar), "bar", bars[bar].most));
    json_object_set_new(root, "benchmark", json_string("dma"));
    json_object_set_new(root, "ns", rows);
    json_object_set_new(root, "bars", list);
    json_dumpf(root, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(root);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    const struct bench_options options = bench_options(argc, argv, 60);

    bench_world_init(&bench.world);
    for (unsigned round = 0; round < options.rounds; round++) {
        run_cycle(&bench, ROW_LAZY, bench.world.lazy.dma);
        run_floors(&bench);
        run_cycle(&bench, ROW_STRICT, bench.world.strict.dma);
        run_batch(&bench);
        run_many(&bench);
        run_sg(&bench);
        run_bulk(&bench);
        run_copies(&bench);
    }
    if (options.json)
        print_json(&bench);
    else
        print_text(&bench);
    return 0;
}
