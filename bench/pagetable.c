// SPDX-License-Identifier: MIT
/*
 * What page-table operations cost, beside what they have to cost at least, in the same run.
 *
 *   bench-pagetable [--json] [--rounds N]
 *
 * Every measurement is repeated in turn with all the others and the best time counts: on a machine
 * that does other things too, the smallest time is the one that says something about the code.
 */
#include "pagetable/pagetable.h"
#include "options.h"
#include "pagetable_floor.h"
#include "pagetable_host.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define K4     (1ull << 12)
#define K64    (1ull << 16)
#define M2     (1ull << 21)
#define G1     (1ull << 30)
#define SET    (1ull << 26) /* what single-page loops go over: 64 MiB, 128 KiB of leaf tables */
#define PAGES  (unsigned)(SET / K4)
#define LEVELS 4u

/** One line of the result. */
enum row {
    ROW_MAP_SINGLE,
    ROW_UNMAP_SINGLE,
    ROW_FLOOR_STORE,
    ROW_MAP_SHUFFLED,
    ROW_UNMAP_SHUFFLED,
    ROW_FLOOR_STORE_SHUFFLED,
    ROW_MAP_64K,
    ROW_UNMAP_64K,
    ROW_MAP_1G,
    ROW_FLOOR_ZERO_STORE,
    ROW_UNMAP_1G,
    ROW_UNMAP_1G_COUNTED,
    ROW_FLOOR_CLEAR,
    ROW_MAP_2M,
    ROW_UNMAP_2M,
    ROW_LOOKUP,
    ROW_FLOOR_LOOKUP,
    ROW_LOOKUP_SHUFFLED,
    ROW_FLOOR_LOOKUP_SHUFFLED,
    ROW_ONE_THREAD,
    ROW_TWO_THREADS,
    ROW_FLOOR_TWO_THREADS,
    ROWS
};

static const struct {
    const char *name;
    const char *text;
} row_texts[ROWS] = {
    [ROW_MAP_SINGLE] = {"map_single", "map, single pages in order"},
    [ROW_UNMAP_SINGLE] = {"unmap_single", "unmap, single pages in order"},
    [ROW_FLOOR_STORE] = {"floor_walk_store", "  floor: walk and store"},
    [ROW_MAP_SHUFFLED] = {"map_shuffled", "map, single pages shuffled"},
    [ROW_UNMAP_SHUFFLED] = {"unmap_shuffled", "unmap, single pages shuffled"},
    [ROW_FLOOR_STORE_SHUFFLED] = {"floor_walk_store_shuffled", "  floor: walk and store"},
    [ROW_MAP_64K] = {"map_64k", "map, 64 KiB runs"},
    [ROW_UNMAP_64K] = {"unmap_64k", "unmap, 64 KiB runs"},
    [ROW_MAP_1G] = {"map_1g_4k", "map, 1 GiB as 4 KiB pages in one call"},
    [ROW_FLOOR_ZERO_STORE] = {"floor_zero_store", "  floor: zero tables and store"},
    [ROW_UNMAP_1G] = {"unmap_1g_4k", "unmap and free the same in one call"},
    [ROW_UNMAP_1G_COUNTED] = {"unmap_1g_4k_counted", "  the same, with the bytes counted"},
    [ROW_FLOOR_CLEAR] = {"floor_clear", "  floor: clear every entry"},
    [ROW_MAP_2M] = {"map_2m", "map, single 2 MiB pages"},
    [ROW_UNMAP_2M] = {"unmap_2m", "unmap, single 2 MiB pages"},
    [ROW_LOOKUP] = {"lookup", "lookup, in order"},
    [ROW_FLOOR_LOOKUP] = {"floor_lookup", "  floor: walk and read"},
    [ROW_LOOKUP_SHUFFLED] = {"lookup_shuffled", "lookup, shuffled"},
    [ROW_FLOOR_LOOKUP_SHUFFLED] = {"floor_lookup_shuffled", "  floor: walk and read"},
    [ROW_ONE_THREAD] = {"one_thread", "map and unmap single pages, one thread"},
    [ROW_TWO_THREADS] = {"two_threads", "two threads, one page table, a page of either"},
    [ROW_FLOOR_TWO_THREADS] = {"floor_two_threads", "  floor: two threads, a page table each"},
};

/** A promise: `of` costs at most `most` times `beside`. */
static const struct {
    enum row of, beside;
    double most;
    const char *text;
} bars[] = {
    {ROW_MAP_1G, ROW_FLOOR_ZERO_STORE, 1.5, "1 GiB in one call, of zero-and-store"},
    {ROW_MAP_SINGLE, ROW_FLOOR_STORE, 3.0, "single-page map, of the bare walk"},
    {ROW_UNMAP_SINGLE, ROW_FLOOR_STORE, 3.0, "single-page unmap, of the bare walk"},
    {ROW_UNMAP_1G, ROW_FLOOR_CLEAR, 0.1, "unmap of whole tables, of clearing"},
    {ROW_LOOKUP, ROW_FLOOR_LOOKUP, 1.5, "lookup, of the bare walk"},
    {ROW_TWO_THREADS, ROW_ONE_THREAD, 1 / 1.8, "two threads, of one (a page)"},
};
#define BARS (sizeof(bars) / sizeof(bars[0]))

struct bench {
    struct sluice sluice;
    struct pagetable pt;
    struct pagetable other; /**< for a thread that shares nothing */
    uint32_t order[PAGES];  /**< page numbers, shuffled */
    double best[ROWS];      /**< ns for 4 KiB */
    uint64_t bytes_4k, bytes_2m;
};

static void record(struct bench *bench, enum row row, uint64_t start_ns, double pages)
{
    double ns = (double)(bench_now_ns() - start_ns) / pages;

    if (bench->best[row] == 0 || ns < bench->best[row])
        bench->best[row] = ns;
}

/* ---- single threaded ---- */

static void run_single(struct bench *bench)
{
    uint64_t start = bench_now_ns();

    for (unsigned i = 0; i < PAGES; i++)
        floor_walk_store(bench->pt.root, bench_host_base(), i * K4, i * K4 | 3);
    record(bench, ROW_FLOOR_STORE, start, PAGES);
    for (unsigned i = 0; i < PAGES; i++)
        floor_walk_store(bench->pt.root, bench_host_base(), i * K4, 0);
    start = bench_now_ns();
    for (unsigned i = 0; i < PAGES; i++)
        bench_map(&bench->pt, i * K4, i * K4, K4);
    record(bench, ROW_MAP_SINGLE, start, PAGES);
    start = bench_now_ns();
    for (unsigned i = 0; i < PAGES; i++)
        bench_unmap(&bench->pt, i * K4, K4, NULL);
    record(bench, ROW_UNMAP_SINGLE, start, PAGES);
}

static void run_shuffled(struct bench *bench)
{
    uint64_t start = bench_now_ns();

    for (unsigned i = 0; i < PAGES; i++)
        floor_walk_store(bench->pt.root, bench_host_base(), bench->order[i] * K4,
                         bench->order[i] * K4 | 3);
    record(bench, ROW_FLOOR_STORE_SHUFFLED, start, PAGES);
    for (unsigned i = 0; i < PAGES; i++)
        floor_walk_store(bench->pt.root, bench_host_base(), i * K4, 0);
    start = bench_now_ns();
    for (unsigned i = 0; i < PAGES; i++)
        bench_map(&bench->pt, bench->order[i] * K4, i * K4, K4);
    record(bench, ROW_MAP_SHUFFLED, start, PAGES);
    start = bench_now_ns();
    for (unsigned i = 0; i < PAGES; i++)
        bench_unmap(&bench->pt, bench->order[i] * K4, K4, NULL);
    record(bench, ROW_UNMAP_SHUFFLED, start, PAGES);
}

static void run_64k(struct bench *bench)
{
    uint64_t start = bench_now_ns();

    for (uint64_t at = 0; at < SET; at += K64)
        bench_map(&bench->pt, at, at, K64);
    record(bench, ROW_MAP_64K, start, PAGES);
    start = bench_now_ns();
    for (uint64_t at = 0; at < SET; at += K64)
        bench_unmap(&bench->pt, at, K64, NULL);
    record(bench, ROW_UNMAP_64K, start, PAGES);
}

/** 1 GiB at an IOVA and a physical address that no large page fits. */
static void run_1g(struct bench *bench)
{
    const double pages = (double)(G1 / K4);
    uint64_t start = bench_now_ns(), bytes;

    bench_map(&bench->pt, G1, K4, G1);
    record(bench, ROW_MAP_1G, start, pages);
    start = bench_now_ns();
    bench_unmap(&bench->pt, G1, G1, NULL);
    record(bench, ROW_UNMAP_1G, start, pages);
    bench_map(&bench->pt, G1, K4, G1);
    start = bench_now_ns();
    bench_unmap(&bench->pt, G1, G1, &bytes);
    record(bench, ROW_UNMAP_1G_COUNTED, start, pages);
}

/** The floors of the above, on pages that come from the same pool in the same order. */
static void run_1g_floors(struct bench *bench)
{
    const struct sluice_page_request request = {.node = -1};
    struct sluice_pages pages[512];
    void *tables[512];
    uint64_t start;

    for (unsigned i = 0; i < 512; i++) {
        if (!bench_pages_alloc(NULL, &request, &pages[i]))
            bench_check(SLUICE_ERR_NO_MEMORY);
        tables[i] = pages[i].virt;
    }
    start = bench_now_ns();
    floor_zero_and_store(tables, 512, K4 | 3);
    record(bench, ROW_FLOOR_ZERO_STORE, start, (double)(G1 / K4));
    start = bench_now_ns();
    floor_clear(tables, 512);
    record(bench, ROW_FLOOR_CLEAR, start, (double)(G1 / K4));
    for (unsigned i = 512; i > 0; i--)
        bench_pages_free(NULL, pages[i - 1], 0);
}

static void run_2m(struct bench *bench)
{
    uint64_t start = bench_now_ns();

    for (uint64_t at = 2 * G1; at < 3 * G1; at += M2)
        bench_map(&bench->pt, at, at + M2, M2);
    record(bench, ROW_MAP_2M, start, (double)(G1 / K4));
    start = bench_now_ns();
    for (uint64_t at = 2 * G1; at < 3 * G1; at += M2)
        bench_unmap(&bench->pt, at, M2, NULL);
    record(bench, ROW_UNMAP_2M, start, (double)(G1 / K4));
}

static void lookups(struct bench *bench, bool shuffled)
{
    uint64_t start = bench_now_ns(), sum = 0;

    for (unsigned i = 0; i < PAGES; i++) {
        struct sluice_mapping mapping;

        bench_check(
            bench->pt.format->lookup(&bench->pt, (shuffled ? bench->order[i] : i) * K4, &mapping));
        sum += mapping.phys;
    }
    record(bench, shuffled ? ROW_LOOKUP_SHUFFLED : ROW_LOOKUP, start, PAGES);
    start = bench_now_ns();
    for (unsigned i = 0; i < PAGES; i++)
        sum -= floor_walk_lookup(bench->pt.root, bench_host_base(),
                                 (shuffled ? bench->order[i] : i) * K4);
    record(bench, shuffled ? ROW_FLOOR_LOOKUP_SHUFFLED : ROW_FLOOR_LOOKUP, start, PAGES);
    if (sum != 0)
        bench_check(SLUICE_ERR_HARDWARE);
}

static void run_lookup(struct bench *bench)
{
    for (unsigned i = 0; i < PAGES; i++)
        bench_map(&bench->pt, i * K4, i * K4, K4);
    lookups(bench, false);
    lookups(bench, true);
    for (unsigned i = 0; i < PAGES; i++)
        bench_unmap(&bench->pt, i * K4, K4, NULL);
}

static void measure_bytes(struct bench *bench)
{
    uint64_t before = atomic_load(&bench->pt.table_pages);

    bench_map(&bench->pt, 5 * G1, K4, G1);
    bench->bytes_4k = (atomic_load(&bench->pt.table_pages) - before) * 4096;
    bench_unmap(&bench->pt, 5 * G1, G1, NULL);
    before = atomic_load(&bench->pt.table_pages);
    bench_map(&bench->pt, 5 * G1, M2, G1);
    bench->bytes_2m = (atomic_load(&bench->pt.table_pages) - before) * 4096;
    bench_unmap(&bench->pt, 5 * G1, G1, NULL);
}

/* ---- threads ---- */

#define THREAD_PAGES 2048u /* a thread's own, a few leaf tables of its own */

/** A thread that maps and unmaps its pages once for every turn it is given. */
struct runner {
    struct pagetable *pt;
    unsigned index;
    pthread_t thread;
    atomic_uint turn;      /**< raised by the main thread */
    atomic_uint done;      /**< set to `turn` by the runner */
    atomic_uint *start;    /**< runners that are on their marks; spun on */
    unsigned runners;      /**< how many have to be, this turn */
    uint64_t began, ended; /**< ns */
};

static void runner_work(struct runner *runner)
{
    const sluice_iova_t base = (16 + runner->index) * G1;

    for (unsigned i = 0; i < THREAD_PAGES; i++)
        bench_map(runner->pt, base + i * K4, i * K4, K4);
    for (unsigned i = 0; i < THREAD_PAGES; i++)
        bench_unmap(runner->pt, base + i * K4, K4, NULL);
}

static void *runner_main(void *arg)
{
    struct runner *runner = arg;
    unsigned seen = 0;

    bench_pool = runner->index;
    for (;;) {
        unsigned turn;

        while ((turn = atomic_load(&runner->turn)) == seen)
            nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
        seen = turn;
        if (turn == UINT32_MAX)
            return NULL;
        atomic_fetch_add(runner->start, 1);
        while (atomic_load(runner->start) < runner->runners)
            sluice_cpu_pause();
        runner->began = bench_now_ns();
        runner_work(runner);
        runner->ended = bench_now_ns();
        atomic_store(&runner->done, turn);
    }
}

/** One turn of the first `count` runners; ns from the first start to the last end. */
static uint64_t run_runners(struct runner *runners, unsigned count, unsigned turn)
{
    uint64_t began = UINT64_MAX, ended = 0;

    atomic_store(runners[0].start, 0);
    for (unsigned i = 0; i < count; i++) {
        runners[i].runners = count;
        atomic_store(&runners[i].turn, turn);
    }
    for (unsigned i = 0; i < count; i++) {
        while (atomic_load(&runners[i].done) != turn)
            nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
        began = runners[i].began < began ? runners[i].began : began;
        ended = runners[i].ended > ended ? runners[i].ended : ended;
    }
    return ended - began;
}

static void run_threads(struct bench *bench, unsigned rounds)
{
    static struct runner runners[2];
    static _Alignas(128) atomic_uint start;
    uint64_t best[3] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};
    static const unsigned threads[3] = {1, 2, 2};

    for (unsigned i = 0; i < 2; i++) {
        runners[i] = (struct runner){.pt = &bench->pt, .index = i, .start = &start};
        if (pthread_create(&runners[i].thread, NULL, runner_main, &runners[i]) != 0)
            bench_check(SLUICE_ERR_NO_MEMORY);
    }
    for (unsigned turn = 1; turn <= rounds * 3; turn++) {
        unsigned kind = turn % 3;
        uint64_t ns;

        runners[1].pt = kind == 2 ? &bench->other : &bench->pt;
        ns = run_runners(runners, threads[kind], turn);
        best[kind] = ns < best[kind] ? ns : best[kind];
    }
    for (unsigned i = 0; i < 2; i++) {
        atomic_store(&runners[i].turn, UINT32_MAX);
        pthread_join(runners[i].thread, NULL);
    }
    bench->best[ROW_ONE_THREAD] = (double)best[0] / THREAD_PAGES;
    bench->best[ROW_TWO_THREADS] = (double)best[1] / (2 * THREAD_PAGES);
    bench->best[ROW_FLOOR_TWO_THREADS] = (double)best[2] / (2 * THREAD_PAGES);
}

/* ---- results ---- */

static double ratio_of(const struct bench *bench, size_t bar)
{
    return bench->best[bars[bar].of] / bench->best[bars[bar].beside];
}

static void print_text(const struct bench *bench)
{
    printf("\n%s, %u levels, coherent; ns for each 4 KiB, best of many\n\n", bench->pt.format->name,
           LEVELS);
    for (unsigned row = 0; row < ROWS; row++)
        printf("  %-46s %8.3f\n", row_texts[row].text, bench->best[row]);
    printf("\n  tables for 1 GiB: %llu bytes with 4 KiB pages, %llu with 2 MiB pages\n\n",
           (unsigned long long)bench->bytes_4k, (unsigned long long)bench->bytes_2m);
    for (size_t bar = 0; bar < BARS; bar++)
        printf("  %-6s %-44s %6.3f  (bar %.3f)\n",
               ratio_of(bench, bar) <= bars[bar].most ? "met" : "MISSED", bars[bar].text,
               ratio_of(bench, bar), bars[bar].most);
}

static json_t *to_json(const struct bench *bench)
{
    json_t *root = json_object(), *rows = json_object(), *list = json_array();

    for (unsigned row = 0; row < ROWS; row++)
        json_object_set_new(rows, row_texts[row].name, json_real(bench->best[row]));
    for (size_t bar = 0; bar < BARS; bar++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:f, s:f, s:b}", "bar",
                                              bars[bar].text, "of", row_texts[bars[bar].of].name,
                                              "beside", row_texts[bars[bar].beside].name, "ratio",
                                              ratio_of(bench, bar), "most", bars[bar].most, "met",
                                              ratio_of(bench, bar) <= bars[bar].most));
    json_object_set_new(root, "benchmark", json_string("pagetable"));
    json_object_set_new(root, "format", json_string(bench->pt.format->name));
    json_object_set_new(root, "levels", json_integer(LEVELS));
    json_object_set_new(root, "ns_per_4k", rows);
    json_object_set_new(root, "table_bytes_per_gib_4k", json_integer((json_int_t)bench->bytes_4k));
    json_object_set_new(root, "table_bytes_per_gib_2m", json_integer((json_int_t)bench->bytes_2m));
    json_object_set_new(root, "bars", list);
    return root;
}

static void bench_init(struct bench *bench, const struct pt_format *format)
{
    const struct pt_config config = {.format = format,
                                     .levels = LEVELS,
                                     .iova_bits = 47,
                                     .phys_bits = 46,
                                     .page_sizes = K4 | M2 | G1,
                                     .coherent = true,
                                     .node = -1};
    uint64_t random = 1;

    memset(bench, 0, sizeof(*bench));
    bench_host_init(&bench->sluice);
    bench_check(config.format->create(&bench->sluice, &config, &bench->pt));
    bench_check(config.format->create(&bench->sluice, &config, &bench->other));
    for (uint32_t i = 0; i < PAGES; i++) {
        uint32_t other;

        random = random * 6364136223846793005ull + 1442695040888963407ull;
        other = (uint32_t)((random >> 33) % (i + 1));
        bench->order[i] = bench->order[other];
        bench->order[other] = i;
    }
    /* One page that stays in each table, so that tables are there throughout. */
    for (uint64_t at = 0; at < SET; at += K4)
        bench_map(&bench->pt, at, at, K4);
    for (uint64_t at = 0; at < SET; at += K4)
        bench_unmap(&bench->pt, at, K4, NULL);
}

static void bench_run(struct bench *bench, const struct pt_format *format, unsigned rounds)
{
    bench_init(bench, format);
    for (unsigned round = 0; round < rounds; round++) {
        run_single(bench);
        run_shuffled(bench);
        run_64k(bench);
        run_1g(bench);
        run_1g_floors(bench);
        run_2m(bench);
        run_lookup(bench);
    }
    run_threads(bench, rounds * 40);
    measure_bytes(bench);
    bench->pt.format->destroy(&bench->pt);
    bench->other.format->destroy(&bench->other);
}

int main(int argc, char **argv)
{
    static const struct pt_format *const formats[] = {&pt_format_vtd_second_stage, &pt_format_x86,
                                                      &pt_format_arm_stage1_4k,
                                                      &pt_format_arm_stage2_4k};
    static struct bench bench;
    json_t *results = json_array();
    const struct bench_options options = bench_options(argc, argv, 60);

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        bench_run(&bench, formats[i], options.rounds);
        if (options.json)
            json_array_append_new(results, to_json(&bench));
        else
            print_text(&bench);
    }
    if (options.json) {
        json_dumpf(results, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        printf("\n");
    }
    json_decref(results);
    return 0;
}
