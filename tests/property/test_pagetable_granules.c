// SPDX-License-Identifier: MIT
/*
 * Page tables whose smallest page is 4, 16 or 64 KiB, against a plain array: random operations
 * over a window of a few large pages, each followed by walks of the whole window. pt_model.h, with
 * its many shapes, knows 4 KiB only.
 */
#include "pt_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STEPS 160u

/** How runs of entries are marked. */
enum runs {
    RUNS_NONE = 0, /**< the unit could not take the mark back, and callers promise nothing */
    RUNS_CHANGE,   /**< it can: parts are unmapped */
    RUNS_WHOLE,    /**< it cannot, but callers promise to unmap whole: parts are refused */
    RUNS_KINDS
};

struct trial {
    struct pt_world world;
    const struct pt_subject *subject;
    struct pagetable pt;
    bool live_change;
    enum runs runs;
    uint64_t page;   /**< bytes of the smallest */
    uint64_t large;  /**< smallest pages in the next larger one */
    uint64_t window; /**< in smallest pages */
    sluice_iova_t base;
    sluice_phys_t *oracle; /**< by page; 0: not mapped, else address | prot */
    bool *in_large;        /**< mapped as a part of a large page */
    uint64_t *in_run;      /**< bytes of the run that it is mapped as a part of; 0: none */
    uint64_t random;
};

static void walk_at(struct trial *trial, uint64_t page, struct walk *out)
{
    trial->subject->walk(&trial->world, &trial->pt.config, trial->pt.root_phys,
                         trial->pt.config.levels, trial->base + page * trial->page, out);
}

/** A unit may take an entry's word for all of its run: so all of it is what the oracle says. */
static void verify_run(const struct trial *trial, uint64_t page, const struct walk *walk)
{
    const uint64_t before =
        ((trial->base + page * trial->page) & (walk->run_bytes - 1)) / trial->page;
    const uint64_t pages = walk->run_bytes / trial->page;

    assert_true(before <= page && page - before + pages <= trial->window);
    for (uint64_t i = 0; i < pages; i++)
        assert_int_equal(trial->oracle[page - before + i],
                         (walk->phys | walk->prot) + (i - before) * trial->page);
}

static void verify(struct trial *trial)
{
    uint64_t seen = UINT64_MAX;

    for (uint64_t i = 0; i < trial->window; i++) {
        struct sluice_mapping mapping;
        struct walk walk;
        enum sluice_status status;

        walk_at(trial, i, &walk);
        trial->in_run[i] = walk.run_bytes;
        assert_true(trial->runs != RUNS_NONE || walk.run_bytes == 0);
        if (walk.run_bytes != 0 &&
            (trial->base / trial->page + i) * trial->page / walk.run_bytes != seen) {
            seen = (trial->base / trial->page + i) * trial->page / walk.run_bytes;
            verify_run(trial, i, &walk);
        }
        assert_int_not_equal(walk.kind, WALK_BROKEN);
        assert_int_equal(walk.kind == WALK_MAPPED ? walk.phys | walk.prot : 0, trial->oracle[i]);
        status = trial->pt.format->lookup(&trial->pt, trial->base + i * trial->page + 5, &mapping);
        assert_int_equal(status == SLUICE_OK, trial->oracle[i] != 0);
        if (status == SLUICE_OK) {
            assert_int_equal((mapping.phys - 5) | mapping.prot, trial->oracle[i]);
            assert_int_equal(mapping.page_bytes, walk.page_bytes);
            trial->in_large[i] = mapping.page_bytes != trial->page;
        } else {
            trial->in_large[i] = false;
        }
    }
    assert_int_equal(atomic_load(&trial->world.errors), 0);
}

static void finish(struct trial *trial, struct pt_gather *gather)
{
    verify(trial);
    trial->pt.format->release(&trial->pt, gather);
    assert_int_equal(atomic_load(&trial->pt.table_pages), trial->world.live);
}

/** The first page from `page` on whose address is a multiple of `pages` pages. */
static uint64_t align_up(const struct trial *trial, uint64_t page, uint64_t pages)
{
    const uint64_t number = trial->base / trial->page;

    return (number + page + pages - 1) / pages * pages - number;
}

/** What fills a run of pages is marked as one. */
static void expect_run(struct trial *trial, uint64_t first, uint64_t pages)
{
    const uint64_t run = trial->page == 4096 ? 16 : trial->page == 16384 ? 128 : 32;
    const uint64_t at = align_up(trial, first, run);
    struct walk walk;

    if (trial->runs == RUNS_NONE || at + run > first + pages)
        return;
    walk_at(trial, at, &walk);
    assert_true(walk.page_bytes != trial->page || walk.run_bytes == run * trial->page);
}

static void step_map(struct trial *trial, uint64_t first, uint64_t pages)
{
    const uint32_t prot = trial->subject->prots[pt_random(&trial->random) % 4];
    const uint32_t whole = trial->runs == RUNS_WHOLE ? PT_PROT_WHOLE : 0;
    /* Half of them so that large pages are possible. */
    const uint64_t shift = (pt_random(&trial->random) & 1) != 0 ? 0 : trial->page;
    const sluice_phys_t phys = (1ull << 40) + first * trial->page + shift;
    bool taken = false;
    struct pt_gather gather;
    enum sluice_status status;

    for (uint64_t i = first; i < first + pages; i++)
        taken = taken || trial->oracle[i] != 0;
    pt_gather_init(&gather);
    status = trial->pt.format->map(&trial->pt, trial->base + first * trial->page, phys,
                                   pages * trial->page, prot | whole, &gather);
    assert_int_equal(status, taken ? SLUICE_ERR_EXISTS : SLUICE_OK);
    for (uint64_t i = 0; i < pages && !taken; i++)
        trial->oracle[first + i] = (phys + i * trial->page) | prot;
    finish(trial, &gather);
    if (!taken && shift == 0)
        expect_run(trial, first, pages);
    if (!taken && shift == 0 && trial->live_change) {
        struct walk walk;
        /* What is aligned and long enough is a large page. */
        uint64_t at = align_up(trial, first, trial->large);

        if (at + trial->large <= first + pages) {
            walk_at(trial, at, &walk);
            assert_true(walk.page_bytes >= trial->large * trial->page);
        }
    }
}

/** Whether a boundary at `page` cuts a large page. */
static bool cuts(const struct trial *trial, uint64_t page)
{
    return page > 0 && page < trial->window && trial->in_large[page] && trial->in_large[page - 1] &&
           (trial->base / trial->page + page) % trial->large != 0;
}

/** Whether a boundary at `page` lies in the run of the page `inside`. */
static bool cuts_run(const struct trial *trial, uint64_t inside, uint64_t page)
{
    return trial->in_run[inside] != 0 &&
           ((trial->base + page * trial->page) & (trial->in_run[inside] - 1)) != 0;
}

static bool gathered(const struct pt_gather *gather, sluice_iova_t iova)
{
    for (unsigned r = 0; r < gather->count; r++)
        if (gather->ranges[r].first <= iova && gather->ranges[r].last >= iova)
            return true;
    return false;
}

/** All of the run that a page was in is dropped, not only what was unmapped of it. */
static void expect_run_gathered(const struct trial *trial, uint64_t page, uint64_t run_bytes,
                                const struct pt_gather *gather)
{
    const sluice_iova_t iova = trial->base + page * trial->page;

    if (run_bytes == 0)
        return;
    assert_true(gathered(gather, iova & ~(run_bytes - 1)));
    assert_true(gathered(gather, iova | (run_bytes - 1)));
}

static void step_unmap(struct trial *trial, uint64_t first, uint64_t pages)
{
    const uint64_t last = first + pages - 1;
    const uint64_t first_run = trial->in_run[first], last_run = trial->in_run[last];
    const bool refused =
        (!trial->live_change && (cuts(trial, first) || cuts(trial, first + pages))) ||
        (trial->runs == RUNS_WHOLE &&
         (cuts_run(trial, first, first) || cuts_run(trial, last, first + pages)));
    uint64_t mapped = 0, unmapped = 0;
    struct pt_gather gather;

    for (uint64_t i = first; i < first + pages; i++)
        mapped += trial->oracle[i] != 0;
    pt_gather_init(&gather);
    assert_int_equal(trial->pt.format->unmap(&trial->pt, trial->base + first * trial->page,
                                             pages * trial->page, &gather, &unmapped),
                     refused ? SLUICE_ERR_UNSUPPORTED : SLUICE_OK);
    if (!refused) {
        assert_int_equal(unmapped, mapped * trial->page);
        expect_run_gathered(trial, first, first_run, &gather);
        expect_run_gathered(trial, last, last_run, &gather);
        for (uint64_t i = first; i < first + pages; i++) {
            assert_true(trial->oracle[i] == 0 || gathered(&gather, trial->base + i * trial->page));
            trial->oracle[i] = 0;
        }
    } else {
        assert_true(pt_gather_empty(&gather));
    }
    finish(trial, &gather);
}

static void run(const struct pt_subject *subject, unsigned levels, bool coherent, bool live_change,
                enum runs runs)
{
    const unsigned lg2 = subject->granule_lg2;
    const unsigned width = (unsigned)((int)(lg2 + (lg2 - 3) * levels) + subject->extra_bits);
    struct pt_config config = {.format = subject->format,
                               .levels = levels,
                               .iova_bits = width < 48 ? width : 48,
                               .phys_bits = 46,
                               .page_sizes = 1ull << lg2 | 1ull << (2 * lg2 - 3) | 1ull << 30,
                               .coherent = coherent,
                               .live_change = live_change,
                               .run_change = runs == RUNS_CHANGE,
                               .node = -1};
    static struct trial trial;
    struct pt_gather gather;

    memset(&trial, 0, sizeof(trial));
    pt_world_init(&trial.world, coherent, (levels & 1) != 0, test_seed(PT_SEED));
    trial.subject = subject;
    trial.live_change = live_change;
    trial.runs = runs;
    trial.page = 1ull << lg2;
    trial.large = 1ull << (lg2 - 3);
    trial.window = 3 * trial.large;
    /* The end of the aperture, so that the last table of a concatenated root is used. */
    trial.base = (1ull << config.iova_bits) - trial.window * trial.page;
    trial.random = test_seed(PT_SEED) + levels;
    trial.oracle = calloc(trial.window, sizeof(*trial.oracle));
    trial.in_large = calloc(trial.window, sizeof(*trial.in_large));
    trial.in_run = calloc(trial.window, sizeof(*trial.in_run));
    assert_true(trial.oracle != NULL && trial.in_large != NULL && trial.in_run != NULL);
    assert_int_equal(config.format->create(&trial.world.sluice, &config, &trial.pt), SLUICE_OK);
    assert_int_equal(trial.pt.root_phys & ((SLUICE_PAGE_BYTES << trial.pt.root_order) - 1), 0);
    for (unsigned i = 0; i < test_scaled(STEPS) >> (lg2 - 12); i++) {
        uint64_t first = pt_random(&trial.random) % trial.window;
        uint64_t pages = 1 + pt_random(&trial.random) % (trial.window - first);

        if ((pt_random(&trial.random) & 1) != 0)
            pages = 1 + pages % 200 <= trial.window - first ? 1 + pages % 200 : 1;
        if (i % 3 == 0)
            step_unmap(&trial, first, pages);
        else
            step_map(&trial, first, pages);
        if (i % 10 == 9)
            step_unmap(&trial, 0, trial.window);
    }
    pt_gather_init(&gather);
    assert_int_equal(
        config.format->unmap(&trial.pt, trial.base, trial.window * trial.page, &gather, NULL),
        SLUICE_OK);
    config.format->release(&trial.pt, &gather);
    config.format->destroy(&trial.pt);
    assert_int_equal(trial.world.live, 0);
    pt_world_fini(&trial.world);
    free(trial.oracle);
    free(trial.in_large);
    free(trial.in_run);
}

static void test_granules(void **state)
{
    (void)state;
    for (unsigned s = 0; s < pt_granule_subject_count; s++) {
        const struct pt_subject *subject = &pt_granule_subjects[s];

        for (unsigned levels = subject->levels_min; levels <= subject->levels_max; levels++) {
            /* Snooping or not; sizes that may change or not; how runs are marked. */
            for (unsigned i = 0; i < 6; i++)
                run(subject, levels, (i & 1) != 0, (i + levels) % 2 != 0, (enum runs)(i % 3));
        }
    }
}

/** Roots of the size that the width asks for: one table, or up to 16. */
static void test_roots(void **state)
{
    static struct pt_world world;
    struct pagetable pt;
    struct pt_config config = {.format = &pt_format_arm_stage2_4k,
                               .levels = 3,
                               .phys_bits = 46,
                               .page_sizes = SLUICE_PAGE_BYTES,
                               .coherent = true,
                               .node = -1};

    (void)state;
    pt_world_init(&world, true, true, 1);
    for (config.iova_bits = 32; config.iova_bits <= 43; config.iova_bits++) {
        assert_int_equal(config.format->create(&world.sluice, &config, &pt), SLUICE_OK);
        assert_int_equal(pt.root_order, config.iova_bits > 39 ? config.iova_bits - 39 : 0);
        config.format->destroy(&pt);
    }
    assert_int_equal(config.format->create(&world.sluice, &config, &pt), SLUICE_ERR_UNSUPPORTED);
    config.format = &pt_format_arm_stage1_4k;
    config.iova_bits = 40;
    assert_int_equal(config.format->create(&world.sluice, &config, &pt), SLUICE_ERR_UNSUPPORTED);
    pt_world_fini(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_granules),
        cmocka_unit_test(test_roots),
    };

    return cmocka_run_group_tests_name("pagetable-granules", tests, NULL, NULL);
}
