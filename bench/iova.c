// SPDX-License-Identifier: MIT
/*
 * What the IOVA allocator costs beside a stack that one thread owns, in the same run.
 *
 *   bench-iova [--json] [--rounds N]
 *
 * Compiled with a header that says which CPU a thread is, so per-CPU data takes no lock. See
 * docs/BENCHMARKS.md.
 */
#include "dma/iova.h"
#include "dma_floor.h"
#include "options.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAIRS     100000u
#define BATCH     8192u /* more than all magazines of a CPU hold of one size */
#define HANDED    4096u /* given to the other thread at once */
#define HANDOVERS 24u
#define LARGEST   1000000u
#define REPLACES  100000u

_Thread_local unsigned thread_cpu;

enum row {
    ROW_PAIR,
    ROW_FLOOR_STACK,
    ROW_BATCH,
    ROW_TWO_THREADS,
    ROW_REMOTE,
    ROW_REPLACE_1K,
    ROW_REPLACE_100K,
    ROW_REPLACE_1M,
    ROWS
};

static const struct {
    const char *name, *text;
} row_texts[ROWS] = {
    [ROW_PAIR] = {"pair", "take and give back, a size that is cached"},
    [ROW_FLOOR_STACK] = {"floor_stack", "  floor: pop and push"},
    [ROW_BATCH] = {"batch", "  8192 taken before the first is given back"},
    [ROW_TWO_THREADS] = {"two_threads", "two threads, a pair of either"},
    [ROW_REMOTE] = {"remote", "taken by one thread, given back by another, a pair"},
    [ROW_REPLACE_1K] = {"replace_1k", "random replacement of 1 to 32 pages, 1,000 live"},
    [ROW_REPLACE_100K] = {"replace_100k", "  100,000 live"},
    [ROW_REPLACE_1M] = {"replace_1m", "  1,000,000 live"},
};

static const struct {
    enum row of, beside;
    double most;
    const char *text;
} bars[] = {
    {ROW_PAIR, ROW_FLOOR_STACK, 3.0, "a cached size, of a stack's pop and push"},
    {ROW_TWO_THREADS, ROW_PAIR, 1 / 1.8, "two threads, of one (a pair)"},
    {ROW_REMOTE, ROW_PAIR, 4.0, "given back elsewhere, of the local pair"},
    {ROW_BATCH, ROW_PAIR, 2.0, "batch larger than the caches, of a pair"},
    {ROW_REPLACE_100K, ROW_PAIR, 30.0, "replacement with 100,000 live, of a pair"},
    {ROW_REPLACE_1M, ROW_REPLACE_1K, 2.0, "1,000,000 live, of 1,000 (logarithm: 2)"},
};
#define BARS (sizeof(bars) / sizeof(bars[0]))

struct live {
    sluice_iova_t at;
    uint64_t pages;
};

struct bench {
    struct sluice sluice;
    struct iova *iova;
    struct floor_stack stack;
    struct live *live;  /**< LARGEST of them */
    uint8_t *sizes;     /**< to replace by */
    double best[ROWS];  /**< ns */
    double metadata[3]; /**< bytes a live range */
};

static uint64_t now_ns(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000ull + (uint64_t)at.tv_nsec;
}

static void record(struct bench *bench, enum row row, uint64_t ns, double units)
{
    if (bench->best[row] == 0 || (double)ns / units < bench->best[row])
        bench->best[row] = (double)ns / units;
}

static void check(enum sluice_status status)
{
    if (status != SLUICE_OK) {
        fprintf(stderr, "bench: %s\n", sluice_status_text(status));
        exit(1);
    }
}

static void *zalloc(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void release(void *ctx, void *memory, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(memory);
}

static struct iova *make(struct bench *bench)
{
    const struct iova_config config = {.first = 0, .last = ((uint64_t)1 << 48) - 1};
    struct iova *iova;

    check(iova_create(&bench->sluice, &config, &iova));
    return iova;
}

/* ---- one thread ---- */

static void pairs(struct iova *iova)
{
    for (unsigned i = 0; i < PAIRS; i++) {
        sluice_iova_t at;

        check(iova_alloc(iova, 1, UINT64_MAX, &at));
        iova_free(iova, at, 1);
    }
}

static void run_pairs(struct bench *bench)
{
    uint64_t start = now_ns();

    pairs(bench->iova);
    record(bench, ROW_PAIR, now_ns() - start, PAIRS);
    start = now_ns();
    for (unsigned i = 0; i < PAIRS; i++)
        floor_push(&bench->stack, floor_pop(&bench->stack));
    record(bench, ROW_FLOOR_STACK, now_ns() - start, PAIRS);
}

static void run_batch(struct bench *bench)
{
    static sluice_iova_t taken[BATCH];
    uint64_t start = now_ns();

    for (unsigned i = 0; i < BATCH; i++)
        check(iova_alloc(bench->iova, 1, UINT64_MAX, &taken[i]));
    for (unsigned i = 0; i < BATCH; i++)
        iova_free(bench->iova, taken[i], 1);
    record(bench, ROW_BATCH, now_ns() - start, BATCH);
}

/* ---- two threads ---- */

struct runner {
    struct bench *bench;
    unsigned cpu;
    pthread_t thread;
    pthread_barrier_t *barrier;
    uint64_t began, ended;
};

static void *run_own_pairs(void *arg)
{
    struct runner *runner = arg;

    thread_cpu = runner->cpu;
    pairs(runner->bench->iova); /* fills the magazines */
    pthread_barrier_wait(runner->barrier);
    runner->began = now_ns();
    for (unsigned i = 0; i < 4; i++)
        pairs(runner->bench->iova);
    runner->ended = now_ns();
    return NULL;
}

static void run_two(struct bench *bench)
{
    struct runner runners[2];
    pthread_barrier_t barrier;
    uint64_t began, ended;

    pthread_barrier_init(&barrier, NULL, 2);
    for (unsigned i = 0; i < 2; i++) {
        runners[i] = (struct runner){.bench = bench, .cpu = i, .barrier = &barrier};
        if (pthread_create(&runners[i].thread, NULL, run_own_pairs, &runners[i]) != 0)
            check(SLUICE_ERR_NO_MEMORY);
    }
    for (unsigned i = 0; i < 2; i++)
        pthread_join(runners[i].thread, NULL);
    began = runners[0].began < runners[1].began ? runners[0].began : runners[1].began;
    ended = runners[0].ended > runners[1].ended ? runners[0].ended : runners[1].ended;
    record(bench, ROW_TWO_THREADS, ended - began, 8.0 * PAIRS);
    pthread_barrier_destroy(&barrier);
}

/** Two buffers that go back and forth between the taker and the giver. */
struct handover {
    struct bench *bench;
    _Alignas(128) atomic_uint full[2];
    sluice_iova_t at[2][HANDED];
};

static void *give_back(void *arg)
{
    struct handover *handover = arg;

    thread_cpu = 1;
    for (unsigned i = 0; i < HANDOVERS; i++) {
        unsigned which = i % 2;

        while (atomic_load_explicit(&handover->full[which], memory_order_acquire) == 0)
            sluice_cpu_pause();
        for (unsigned j = 0; j < HANDED; j++)
            iova_free(handover->bench->iova, handover->at[which][j], 1);
        atomic_store_explicit(&handover->full[which], 0, memory_order_release);
    }
    return NULL;
}

static void run_remote(struct bench *bench)
{
    static struct handover handover;
    pthread_t giver;
    uint64_t start;

    handover.bench = bench;
    if (pthread_create(&giver, NULL, give_back, &handover) != 0)
        check(SLUICE_ERR_NO_MEMORY);
    start = now_ns();
    for (unsigned i = 0; i < HANDOVERS; i++) {
        unsigned which = i % 2;

        while (atomic_load_explicit(&handover.full[which], memory_order_acquire) != 0)
            sluice_cpu_pause();
        for (unsigned j = 0; j < HANDED; j++)
            check(iova_alloc(bench->iova, 1, UINT64_MAX, &handover.at[which][j]));
        atomic_store_explicit(&handover.full[which], 1, memory_order_release);
    }
    pthread_join(giver, NULL);
    record(bench, ROW_REMOTE, now_ns() - start, (double)HANDED * HANDOVERS);
}

/* ---- many live ranges ---- */

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/** Another size than before, so that it does not just get back what it gave. */
static void replace(struct iova *iova, struct live *live, uint64_t pages)
{
    iova_free(iova, live->at, live->pages);
    live->pages = pages;
    check(iova_alloc(iova, live->pages, UINT64_MAX, &live->at));
}

static void shuffle(struct live *live, unsigned count, uint64_t *random)
{
    for (unsigned i = count - 1; i > 0; i--) {
        unsigned other = (unsigned)(next_random(random) % (i + 1));
        struct live kept = live[i];

        live[i] = live[other];
        live[other] = kept;
    }
}

/**
 * Ranges at random, noted in the order in which they are replaced: the bench's own notes then lie
 * in a row, and only the allocator's memory is touched at random.
 */
static void run_replacement(struct bench *bench, enum row row, unsigned count, unsigned index)
{
    struct iova *iova = make(bench);
    struct iova_stats stats;
    uint64_t random = 42, start;
    unsigned next = 0;

    for (unsigned i = 0; i < count; i++) {
        bench->live[i].pages = 1 + next_random(&random) % 32;
        check(iova_alloc(iova, bench->live[i].pages, UINT64_MAX, &bench->live[i].at));
    }
    shuffle(bench->live, count, &random);
    for (unsigned turn = 0; turn < 8; turn++) {
        for (unsigned i = 0; i < REPLACES; i++)
            bench->sizes[i] = (uint8_t)(1 + next_random(&random) % 32);
        start = now_ns();
        for (unsigned i = 0; i < REPLACES; i++) {
            replace(iova, &bench->live[next], bench->sizes[i]);
            next = next + 1 == count ? 0 : next + 1;
        }
        record(bench, row, now_ns() - start, REPLACES);
    }
    iova_stats(iova, &stats);
    bench->metadata[index] = (double)stats.metadata_bytes / count;
    iova_destroy(iova);
}

/* ---- results ---- */

static double ratio_of(const struct bench *bench, size_t bar)
{
    return bench->best[bars[bar].of] / bench->best[bars[bar].beside];
}

static void print_text(const struct bench *bench)
{
    printf("\nIOVA allocator, pinned CPUs; ns, best of many\n\n");
    for (unsigned row = 0; row < ROWS; row++)
        printf("  %-58s %8.3f\n", row_texts[row].text, bench->best[row]);
    printf(
        "\n  bytes of metadata a live range: %.1f of 1,000, %.1f of 100,000, %.1f of 1,000,000\n\n",
        bench->metadata[0], bench->metadata[1], bench->metadata[2]);
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
    json_object_set_new(root, "benchmark", json_string("iova"));
    json_object_set_new(root, "ns", rows);
    json_object_set_new(
        root, "metadata_bytes",
        json_pack("[f, f, f]", bench->metadata[0], bench->metadata[1], bench->metadata[2]));
    json_object_set_new(root, "bars", list);
    json_dumpf(root, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(root);
}

static void init(struct bench *bench)
{
    static const struct sluice_host_ops ops = {.alloc = zalloc, .free = release};

    bench->sluice.ops = &ops;
    bench->sluice.config.ops = &ops;
    bench->sluice.cpu_count = 2;
    bench->iova = make(bench);
    bench->live = calloc(LARGEST, sizeof(*bench->live));
    bench->sizes = calloc(REPLACES, sizeof(*bench->sizes));
    if (bench->live == NULL || bench->sizes == NULL)
        check(SLUICE_ERR_NO_MEMORY);
    floor_push(&bench->stack, 1);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    const struct bench_options options = bench_options(argc, argv, 10);

    init(&bench);
    for (unsigned round = 0; round < options.rounds; round++) {
        run_pairs(&bench);
        run_batch(&bench);
        run_two(&bench);
        run_remote(&bench);
        if (round % 5 != 0)
            continue;
        run_replacement(&bench, ROW_REPLACE_1K, 1000, 0);
        run_replacement(&bench, ROW_REPLACE_100K, 100000, 1);
        run_replacement(&bench, ROW_REPLACE_1M, LARGEST, 2);
    }
    if (options.json)
        print_json(&bench);
    else
        print_text(&bench);
    return 0;
}
