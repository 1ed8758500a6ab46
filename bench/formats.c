// SPDX-License-Identifier: MIT
/*
 * Every format of page tables through the one engine, beside the others, in the same run.
 *
 *   bench-formats [--json] [--rounds N]
 *
 * An engine that is compiled once a format should cost the same in each, but for what the entries
 * themselves ask for. Formats whose entries say the same in the same way are a family, and are held
 * to within 10 percent of each other in everything. In bulk, where nothing but the engine's own
 * loop is left, all of them are. Between families, single operations are shown and not judged: an
 * Arm entry has a memory type, a refusal for writing and two for execution, and says in two bits
 * whether it is a page; an AMD entry says the level below it; RISC-V shifts the address. Formats
 * take turns within each round, and the best time of each counts.
 */
#include "options.h"
#include "pagetable_host.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define K4    (1ull << 12)
#define M2    (1ull << 21)
#define G1    (1ull << 30)
#define PAGES 8192u /* of single-page loops: 32 MiB, 16 leaf tables */
#define GIBS  16u   /* that one round maps and unmaps */
#define MOST  1.10

enum row {
    MAP_SINGLE,
    UNMAP_SINGLE,
    MAP_64K,
    UNMAP_64K,
    LOOKUP,
    MAP_1G,
    UNMAP_1G,
    ROWS
};

static const char *const row_names[ROWS] = {
    [MAP_SINGLE] = "map_single", [UNMAP_SINGLE] = "unmap_single",
    [MAP_64K] = "map_64k",       [UNMAP_64K] = "unmap_64k",
    [LOOKUP] = "lookup",         [MAP_1G] = "map_1g_4k",
    [UNMAP_1G] = "unmap_1g_4k",
};

struct entrant {
    const struct pt_format *format;
    const char *family;
    struct pagetable pt;
    double best[ROWS]; /**< ns for 4 KiB */
};

static struct entrant entrants[] = {
    {.format = &pt_format_vtd_second_stage, .family = "x86"},
    {.format = &pt_format_x86, .family = "x86"},
    {.format = &pt_format_arm_stage1_4k, .family = "Arm"},
    {.format = &pt_format_arm_stage2_4k, .family = "Arm"},
    {.format = &pt_format_riscv_first_stage, .family = "RISC-V"},
    {.format = &pt_format_riscv_second_stage, .family = "RISC-V"},
    {.format = &pt_format_amd_v1, .family = "AMD"},
};
#define ENTRANTS (sizeof(entrants) / sizeof(entrants[0]))

static void record(struct entrant *entrant, enum row row, uint64_t all_ns, uint64_t pages)
{
    double ns = (double)all_ns / (double)pages;

    if (entrant->best[row] == 0 || ns < entrant->best[row])
        entrant->best[row] = ns;
}

static void run_pages(struct entrant *entrant, uint64_t step, enum row of_map, enum row of_unmap)
{
    uint64_t start = bench_now_ns();

    for (uint64_t at = 0; at < PAGES * K4; at += step)
        bench_map(&entrant->pt, at, at + M2, step);
    record(entrant, of_map, bench_now_ns() - start, PAGES);
    start = bench_now_ns();
    for (uint64_t at = 0; at < PAGES * K4; at += step)
        bench_unmap(&entrant->pt, at, step, NULL);
    record(entrant, of_unmap, bench_now_ns() - start, PAGES);
}

static void run_lookup(struct entrant *entrant)
{
    struct sluice_mapping mapping;
    uint64_t start, sum = 0, expected = 0;

    for (uint64_t at = 0; at < PAGES * K4; at += K4)
        bench_map(&entrant->pt, at, at + M2, K4);
    start = bench_now_ns();
    for (uint64_t at = 0; at < PAGES * K4; at += K4) {
        bench_check(entrant->format->lookup(&entrant->pt, at, &mapping));
        sum += mapping.phys;
    }
    record(entrant, LOOKUP, bench_now_ns() - start, PAGES);
    for (uint64_t at = 0; at < PAGES * K4; at += K4)
        expected += at + M2;
    bench_check(sum == expected ? SLUICE_OK : SLUICE_ERR_HARDWARE);
    bench_unmap(&entrant->pt, 0, PAGES * K4, NULL);
}

/**
 * 1 GiB at a physical address that no large page fits. Unmapping it takes two microseconds, of
 * which a tenth is a few cache misses, so several are taken together.
 */
static void run_1g(struct entrant *entrant)
{
    uint64_t map_ns = 0, unmap_ns = 0;

    for (unsigned i = 0; i < GIBS; i++) {
        const uint64_t start = bench_now_ns();
        uint64_t mapped;

        bench_map(&entrant->pt, G1, K4, G1);
        mapped = bench_now_ns();
        bench_unmap(&entrant->pt, G1, G1, NULL);
        unmap_ns += bench_now_ns() - mapped;
        map_ns += mapped - start;
    }
    record(entrant, MAP_1G, map_ns, GIBS * G1 / K4);
    record(entrant, UNMAP_1G, unmap_ns, GIBS * G1 / K4);
}

static void run(unsigned rounds)
{
    static struct sluice sluice;

    bench_host_init(&sluice);
    for (size_t i = 0; i < ENTRANTS; i++) {
        const struct pt_config config = {.format = entrants[i].format,
                                         .levels = 4,
                                         .iova_bits = 47,
                                         .phys_bits = 46,
                                         .page_sizes = K4 | M2 | G1,
                                         .coherent = true,
                                         .node = -1};

        bench_check(config.format->create(&sluice, &config, &entrants[i].pt));
    }
    for (unsigned round = 0; round < rounds; round++)
        for (size_t i = 0; i < ENTRANTS; i++) {
            run_pages(&entrants[i], K4, MAP_SINGLE, UNMAP_SINGLE);
            run_pages(&entrants[i], 16 * K4, MAP_64K, UNMAP_64K);
            run_lookup(&entrants[i]);
            run_1g(&entrants[i]);
        }
    for (size_t i = 0; i < ENTRANTS; i++)
        entrants[i].format->destroy(&entrants[i].pt);
}

/* ---- results ---- */

/** Slowest beside quickest, of a family; of all with NULL. */
static double spread_within(enum row row, const char *family)
{
    double least = 0, most = 0;

    for (size_t i = 0; i < ENTRANTS; i++) {
        double ns = entrants[i].best[row];

        if (family != NULL && strcmp(entrants[i].family, family) != 0)
            continue;
        least = least == 0 || ns < least ? ns : least;
        most = ns > most ? ns : most;
    }
    return most / least;
}

/** What is held to the bar: all formats in bulk, else the family that is furthest apart. */
static double spread_of(enum row row)
{
    double most = 0;

    if (row == MAP_1G)
        return spread_within(row, NULL);
    for (size_t i = 0; i < ENTRANTS; i++) {
        double spread = spread_within(row, entrants[i].family);

        most = spread > most ? spread : most;
    }
    return most;
}

static void print_text(void)
{
    printf("\nformats of page tables, 4 levels, coherent; ns for each 4 KiB, best of "
           "many\n\n%-22s%-7s",
           "", "family");
    for (unsigned row = 0; row < ROWS; row++)
        printf(" %12s", row_names[row]);
    printf("\n");
    for (size_t i = 0; i < ENTRANTS; i++) {
        printf("  %-20s%-7s", entrants[i].format->name, entrants[i].family);
        for (unsigned row = 0; row < ROWS; row++)
            printf(" %12.4f", entrants[i].best[row]);
        printf("\n");
    }
    printf("\n");
    for (unsigned row = 0; row < ROWS; row++)
        printf("  %-6s %-12s slowest of the quickest, %s %6.3f  (bar %.3f; of all %.3f)\n",
               spread_of(row) <= MOST ? "met" : "MISSED", row_names[row],
               row == MAP_1G ? "of all formats" : "in a family   ", spread_of(row), MOST,
               spread_within(row, NULL));
}

static void print_json(void)
{
    json_t *root = json_object(), *formats = json_array(), *bars = json_array();

    for (size_t i = 0; i < ENTRANTS; i++) {
        json_t *rows = json_object();

        for (unsigned row = 0; row < ROWS; row++)
            json_object_set_new(rows, row_names[row], json_real(entrants[i].best[row]));
        json_array_append_new(formats,
                              json_pack("{s:s, s:s, s:o}", "format", entrants[i].format->name,
                                        "family", entrants[i].family, "ns_per_4k", rows));
    }
    for (unsigned row = 0; row < ROWS; row++)
        json_array_append_new(bars, json_pack("{s:s, s:f, s:f, s:b}", "of", row_names[row], "ratio",
                                              spread_of(row), "most", MOST, "met",
                                              spread_of(row) <= MOST));
    json_object_set_new(root, "benchmark", json_string("formats"));
    json_object_set_new(root, "formats", formats);
    json_object_set_new(root, "bars", bars);
    json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    printf("\n");
    json_decref(root);
}

int main(int argc, char **argv)
{
    const struct bench_options options = bench_options(argc, argv, 200);

    run(options.rounds);
    if (options.json)
        print_json();
    else
        print_text();
    return 0;
}
