// SPDX-License-Identifier: MIT
/*
 * Every page-table format against a plain array: random operations on random ranges, per level
 * count, set of page sizes, with and without snooping, with a host that runs out of memory.
 */
#include "pt_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define K4     (1ull << 12)
#define M2     (1ull << 21)
#define G1     (1ull << 30)
#define PIECES 1300u /* of a list: more than two leaf tables take */

static const uint64_t page_sizes[] = {K4, K4 | M2, K4 | M2 | G1};

/** The format to test, from the command line; NULL: all. */
static const char *only_format;

/** Calls body once for every format and shape. */
static void for_each_case(void (*body)(const struct pt_case *test))
{
    unsigned run = 0;

    for (unsigned s = 0; s < pt_subject_count; s++) {
        const struct pt_subject *subject = &pt_subjects[s];

        if (only_format != NULL && strcmp(only_format, subject->name) != 0)
            continue;
        run++;
        for (unsigned levels = subject->levels_min; levels <= subject->levels_max; levels++) {
            for (unsigned i = 0; i < 6; i++) {
                /* The host's way to virtual addresses and snoop control alternate along. */
                struct pt_case test = {subject,    levels,       page_sizes[i % 3],
                                       i / 3 == 0, (i & 1) == 0, (i & 1) == (levels & 1),
                                       false};

                body(&test);
            }
        }
    }
    assert_int_not_equal(run, 0);
}

/* ---- random operations ---- */

/** A length: mostly a few pages, sometimes about a large page or two. */
static uint64_t random_pages(struct pt_model *model)
{
    static const uint64_t scale[] = {1, 4, 64, 600, 600, 2000, 300000};
    uint64_t most = scale[pt_random(&model->random) % 7];

    return 1 + pt_random(&model->random) % most;
}

/** A range of the window, often aligned so that large pages fit or whole tables are covered. */
static void random_range(struct pt_model *model, uint64_t *out_page, uint64_t *out_pages)
{
    static const uint64_t alignments[] = {1, 1, 16, 512, 512, 512ull * 512};
    uint64_t alignment = alignments[pt_random(&model->random) % 6];
    uint64_t pages = random_pages(model);
    uint64_t page = pt_random(&model->random) % MODEL_PAGES;

    page -= (model->base / 4096 + page) % alignment;
    if (page >= MODEL_PAGES) /* aligned down to before the window */
        page = 0;
    if ((pt_random(&model->random) & 1) != 0)
        pages = (pages + alignment - 1) / alignment * alignment;
    if (pages > MODEL_PAGES - page)
        pages = MODEL_PAGES - page;
    *out_page = page;
    *out_pages = pages;
}

/** A physical address that often is as aligned as the IOVA. */
static sluice_phys_t random_phys(struct pt_model *model, uint64_t page)
{
    static const uint64_t congruence[] = {K4, M2, G1, G1};
    uint64_t size = congruence[pt_random(&model->random) % 4];
    sluice_iova_t iova = model->base + page * 4096;
    sluice_phys_t phys = pt_random(&model->random) & ((1ull << 45) - K4);

    return (phys & ~(size - 1)) | (iova & (size - 1));
}

/** Pieces for some pages: all of one page, or of any length. */
static unsigned random_pieces(struct pt_model *model, uint64_t pages,
                              struct sluice_dma_segment pieces[PIECES])
{
    const bool single = (pt_random(&model->random) & 1) != 0;
    unsigned count = 0;

    while (pages > 0 && count < PIECES) {
        uint64_t length = single ? 1 : 1 + pt_random(&model->random) % pages;

        pieces[count++] = (struct sluice_dma_segment){
            pt_random(&model->random) & ((1ull << 45) - K4), length * K4};
        pages -= length;
    }
    return count;
}

static void random_list(struct pt_model *model, uint64_t page, uint64_t pages, uint32_t prot)
{
    static struct sluice_dma_segment pieces[PIECES];
    unsigned count = random_pieces(model, pages, pieces);

    (void)pt_model_map_list(model, page, pieces, count, prot);
}

/** One page and back, the short way where there is one; it must not be missing where it can be. */
static void random_page(struct pt_model *model, uint64_t page, sluice_phys_t phys, uint32_t prot)
{
    bool mapped = pt_model_map_page(model, page, phys, prot);

    if (!mapped)
        (void)pt_model_unmap_page(model, page);
    else if ((pt_random(&model->random) & 1) != 0)
        assert_true(pt_model_unmap_page(model, page));
}

static void random_step(struct pt_model *model)
{
    uint64_t page, pages;
    uint32_t prot;

    random_range(model, &page, &pages);
    model->world.fail_after =
        pt_random(&model->random) % 8 == 0 ? pt_random(&model->random) % 4 : WORLD_NEVER;
    if (pt_random(&model->random) % 5 < 3) {
        do {
            prot = model->subject->prots[pt_random(&model->random) % 4];
        } while (prot == 0);
        switch (pt_random(&model->random) % 4) {
        case 0:
            random_list(model, page, pages, prot);
            break;
        case 1:
            random_page(model, page, random_phys(model, page), prot);
            break;
        default:
            (void)pt_model_map(model, page, pages, random_phys(model, page), prot);
            break;
        }
    } else {
        (void)pt_model_unmap(model, page, pages);
    }
    model->world.fail_after = WORLD_NEVER;
}

static void random_case(const struct pt_case *test)
{
    const unsigned steps = test_scaled(60);
    struct pt_model model;

    pt_model_init(&model, test, pt_model_base(test), test_seed(PT_SEED));
    for (unsigned i = 0; i < steps; i++) {
        random_step(&model);
        if (i % 64 == 63)
            pt_model_verify(&model, 0, MODEL_PAGES);
    }
    pt_model_verify(&model, 0, MODEL_PAGES);
    assert_int_equal(pt_model_unmap(&model, 0, MODEL_PAGES), SLUICE_OK);
    pt_model_verify(&model, 0, MODEL_PAGES);
    pt_model_fini(&model);
}

static void test_random(void **state)
{
    (void)state;
    for_each_case(random_case);
}

/* ---- a host without memory, at every allocation ---- */

/** Runs an operation with one more allocation each time until it succeeds. */
static unsigned until_it_succeeds(struct pt_model *model, bool map, uint64_t page, uint64_t pages,
                                  sluice_phys_t phys)
{
    enum sluice_status status;
    unsigned failures = 0;

    for (;; failures++) {
        model->world.fail_after = failures;
        status = map ? pt_model_map(model, page, pages, phys, SLUICE_PROT_READ)
                     : pt_model_unmap(model, page, pages);
        model->world.fail_after = WORLD_NEVER;
        if (status == SLUICE_OK)
            return failures;
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
        pt_model_verify(model, 0, MODEL_PAGES);
    }
}

/** The first page of the window at which a page of `size` can begin. */
static uint64_t aligned_page(const struct pt_model *model, uint64_t size)
{
    return ((model->base + size - 1) / size * size - model->base) / 4096;
}

static void no_memory_case(const struct pt_case *test)
{
    struct pt_model model;
    uint64_t page, at_2m;

    pt_model_init(&model, test, pt_model_base(test), test_seed(PT_SEED));
    page = aligned_page(&model, G1);
    at_2m = aligned_page(&model, M2);
    /* Four leaf tables, of which a failed try leaves the outer two in place, but empty. */
    assert_true(until_it_succeeds(&model, true, at_2m + 1, 3 * 512 + 256, 7 * K4) >= 2);
    assert_int_equal(pt_model_unmap(&model, 0, MODEL_PAGES), SLUICE_OK);
    if ((test->page_sizes & G1) != 0) {
        /* Splitting a 1 GiB page in its middle, at both ends: one table each for the part of
         * 2 MiB pages and for each of the two cut ones. */
        assert_int_equal(pt_model_map(&model, page, G1 / K4, 3 * G1, SLUICE_PROT_WRITE | 1),
                         SLUICE_OK);
        assert_true(until_it_succeeds(&model, false, page + 700, 1111, 0) >= 3);
    }
    if ((test->page_sizes & M2) != 0) {
        assert_int_equal(pt_model_unmap(&model, 0, MODEL_PAGES), SLUICE_OK);
        assert_int_equal(pt_model_map(&model, page, 1024, 4 * M2, SLUICE_PROT_READ), SLUICE_OK);
        /* The last page of one and the first of the next. */
        assert_int_equal(until_it_succeeds(&model, false, page + 511, 2, 0), 2);
    }
    pt_model_fini(&model);
}

static void test_no_memory(void **state)
{
    (void)state;
    for_each_case(no_memory_case);
}

/* ---- particular shapes ---- */

/** Formats of larger smallest pages have no short way. */
static bool short_pages(const struct pt_model *model)
{
    return (model->pt.config.page_sizes & K4) != 0;
}

/** The short ways exist where tables are in a direct map, and a list takes them table by table. */
static void short_case(const struct pt_case *test)
{
    static struct sluice_dma_segment pieces[PIECES];
    struct pt_model model;

    pt_model_init(&model, test, pt_model_base(test), test_seed(PT_SEED));
    assert_false(pt_model_map_page(&model, 3, K4, SLUICE_PROT_READ)); /* no table yet */
    assert_int_equal(pt_model_map(&model, 4, 1, K4, SLUICE_PROT_READ), SLUICE_OK);
    assert_int_equal(pt_model_map_page(&model, 4, K4, SLUICE_PROT_READ), false);
    if (test->linear && test->coherent && short_pages(&model)) {
        assert_true(pt_model_unmap_page(&model, 4));
        assert_true(pt_model_map_page(&model, 4, 5 * K4, SLUICE_PROT_READ));
    }
    assert_int_equal(pt_model_unmap(&model, 0, 16), SLUICE_OK);
    /* Over several leaf tables, and once more over something that is in the way near the end. */
    for (unsigned i = 0; i < PIECES; i++)
        pieces[i] = (struct sluice_dma_segment){(i * 7919ull % PIECES) * K4, K4};
    assert_int_equal(pt_model_map_list(&model, 10, pieces, PIECES, SLUICE_PROT_READ), SLUICE_OK);
    pt_model_verify(&model, 0, MODEL_PAGES);
    assert_int_equal(pt_model_unmap(&model, 10, PIECES - 3), SLUICE_OK);
    assert_int_equal(pt_model_map_list(&model, 10, pieces, PIECES, SLUICE_PROT_READ),
                     SLUICE_ERR_EXISTS);
    pt_model_verify(&model, 0, MODEL_PAGES);
    for (unsigned failures = 0;; failures++) {
        enum sluice_status status;

        assert_int_equal(pt_model_unmap(&model, 0, MODEL_PAGES), SLUICE_OK);
        model.world.fail_after = failures;
        status = pt_model_map_list(&model, 10, pieces, PIECES, SLUICE_PROT_READ);
        model.world.fail_after = WORLD_NEVER;
        if (status == SLUICE_OK)
            break;
        pt_model_verify(&model, 0, MODEL_PAGES);
    }
    pt_model_fini(&model);
}

static void test_short(void **state)
{
    (void)state;
    for_each_case(short_case);
}

/** A large page goes where small ones left an empty table; not where one is left. */
static void replace_case(const struct pt_case *test)
{
    struct pt_model model;
    uint64_t page;

    if ((test->page_sizes & M2) == 0)
        return;
    pt_model_init(&model, test, pt_model_base(test), test_seed(PT_SEED));
    page = aligned_page(&model, M2);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(pt_model_map(&model, page + i, 1, 9 * K4, SLUICE_PROT_READ), SLUICE_OK);
    for (unsigned i = 0; i < 511; i++)
        assert_int_equal(pt_model_unmap(&model, page + i, 1), SLUICE_OK);
    assert_int_equal(pt_model_map(&model, page, 512, M2, SLUICE_PROT_READ), SLUICE_ERR_EXISTS);
    /* With pages around it that are large too, so that the undo has to take some back. */
    assert_int_equal(pt_model_map(&model, page - 0, 1024, M2, SLUICE_PROT_READ), SLUICE_ERR_EXISTS);
    assert_int_equal(pt_model_unmap(&model, page + 511, 1), SLUICE_OK);
    assert_int_equal(pt_model_map(&model, page, 1024, M2, SLUICE_PROT_READ), SLUICE_OK);
    /* Alone: no neighbour's cache clean covers this entry too. */
    assert_int_equal(pt_model_unmap(&model, page, 1024), SLUICE_OK);
    assert_int_equal(pt_model_map(&model, page + 7, 1, 9 * K4, SLUICE_PROT_READ), SLUICE_OK);
    assert_int_equal(pt_model_unmap(&model, page + 7, 1), SLUICE_OK);
    assert_int_equal(pt_model_map(&model, page, 512, M2, SLUICE_PROT_READ), SLUICE_OK);
    pt_model_fini(&model);
}

static void test_replace_empty_table(void **state)
{
    (void)state;
    for_each_case(replace_case);
}

/**
 * Where a large page and a table may not take each other's place: a part of a large page cannot be
 * unmapped, and nothing is changed then; behind small pages come small ones.
 */
static void fixed_case(const struct pt_case *test)
{
    struct pt_case fixed = *test;
    struct pt_gather gather;
    struct pt_model model;
    struct walk walk;
    uint64_t page;

    if (!test->subject->refuses_split || (test->page_sizes & M2) == 0)
        return;
    fixed.fixed = true;
    pt_model_init(&model, &fixed, pt_model_base(&fixed), test_seed(PT_SEED));
    page = aligned_page(&model, M2);
    assert_int_equal(pt_model_map(&model, page, 1024, M2, SLUICE_PROT_READ), SLUICE_OK);
    pt_gather_init(&gather);
    assert_int_equal(
        model.pt.format->unmap(&model.pt, model.base + (page + 7) * K4, K4, &gather, NULL),
        SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(
        model.pt.format->unmap(&model.pt, model.base + page * K4, M2 + K4, &gather, NULL),
        SLUICE_ERR_UNSUPPORTED);
    assert_true(pt_gather_empty(&gather));
    pt_model_verify(&model, 0, MODEL_PAGES);
    assert_int_equal(pt_model_unmap(&model, page, 1024), SLUICE_OK);
    /* An empty table in the middle stays: large page, small pages, large page. */
    assert_int_equal(pt_model_map(&model, page + 512 + 7, 1, 9 * K4, SLUICE_PROT_READ), SLUICE_OK);
    assert_int_equal(pt_model_unmap(&model, page + 512 + 7, 1), SLUICE_OK);
    assert_int_equal(model.pt.format->map(&model.pt, model.base + page * K4, M2, 3 * M2,
                                          SLUICE_PROT_READ, &gather),
                     SLUICE_OK);
    assert_true(pt_gather_empty(&gather));
    for (unsigned i = 0; i < 3; i++) {
        test->subject->walk(&model.world, &model.pt.config, model.pt.root_phys, fixed.levels,
                            model.base + page * K4 + i * M2 + 5 * K4, &walk);
        assert_int_equal(walk.kind, WALK_MAPPED);
        assert_int_equal(walk.phys, (i + 1) * M2 + 5 * K4);
        assert_int_equal(walk.page_bytes, i == 1 ? K4 : M2);
    }
    /* A small page is in the way of a large one. */
    assert_int_equal(model.pt.format->map(&model.pt, model.base + page * K4, M2, 3 * M2,
                                          SLUICE_PROT_READ, &gather),
                     SLUICE_ERR_EXISTS);
    pt_gather_init(&gather);
    assert_int_equal(
        model.pt.format->unmap(&model.pt, model.base + page * K4, 3 * M2, &gather, NULL),
        SLUICE_OK);
    model.pt.format->release(&model.pt, &gather);
    pt_model_fini(&model);
}

static void test_fixed(void **state)
{
    (void)state;
    for_each_case(fixed_case);
}

/** Unmapping a range of whole tables does not read them when nobody asks, and frees them all. */
static void unlink_case(const struct pt_case *test)
{
    struct pt_model model;
    struct pt_gather gather;
    uint64_t page;
    unsigned before;

    pt_model_init(&model, test, pt_model_base(test), test_seed(PT_SEED));
    page = aligned_page(&model, G1);
    before = model.world.live;
    assert_int_equal(pt_model_map(&model, page, G1 / K4, 5 * K4, SLUICE_PROT_READ), SLUICE_OK);
    assert_true(model.world.live >= before + 512);
    before = model.world.live;
    pt_gather_init(&gather);
    assert_int_equal(model.pt.format->unmap(&model.pt, model.base + page * 4096, G1, &gather, NULL),
                     SLUICE_OK);
    /* Two phases: nothing is freed before the caller says so. */
    assert_int_equal(model.world.live, before);
    assert_int_equal(gather.count, 1);
    assert_true(gather.ranges[0].tables);
    assert_int_equal(gather.ranges[0].first, model.base + page * 4096);
    assert_int_equal(gather.ranges[0].last, model.base + page * 4096 + G1 - 1);
    model.pt.format->release(&model.pt, &gather);
    assert_true(before - model.world.live >= 512);
    pt_model_fini(&model);
}

static void test_unlink(void **state)
{
    (void)state;
    for_each_case(unlink_case);
}

/**
 * A lookup that read the way down just before an unmap unlinked it, and goes on after: what the
 * chain put into the tables' first entries leads nowhere.
 */
static void stale_case(const struct pt_case *test)
{
    const sluice_iova_t at = 1ull << (12 + 9 * (test->levels - 1));
    const struct pt_format *format = test->subject->format;
    struct sluice_mapping mapping;
    struct pt_gather gather;
    struct pt_model model;
    sluice_iova_t found;
    uint64_t entry;

    pt_model_init(&model, test, pt_model_base(test), test_seed(PT_SEED));
    pt_gather_init(&gather);
    assert_int_equal(format->map(&model.pt, at, K4, K4, SLUICE_PROT_READ, &gather), SLUICE_OK);
    entry = model.pt.root[1];
    assert_int_equal(format->unmap(&model.pt, at, at, &gather, NULL), SLUICE_OK);
    assert_int_equal(model.pt.root[1], 0);
    model.pt.root[1] = entry;
    assert_int_equal(format->lookup(&model.pt, at, &mapping), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(format->find(&model.pt, at, at + K4 - 1, &found, &mapping),
                     SLUICE_ERR_NOT_FOUND);
    model.pt.root[1] = 0;
    format->release(&model.pt, &gather);
    pt_model_fini(&model);
}

static void test_stale(void **state)
{
    (void)state;
    for_each_case(stale_case);
}

static void arguments_case(const struct pt_case *test)
{
    const struct pt_format *format = test->subject->format;
    struct sluice_mapping mapping;
    struct pt_gather gather;
    struct pt_model model;
    uint64_t size;

    pt_model_init(&model, test, pt_model_base(test), test_seed(PT_SEED));
    size = model.pt.last + 1;
    pt_gather_init(&gather);
    assert_int_equal(format->map(&model.pt, size, 0, K4, 1, &gather), SLUICE_ERR_RANGE);
    assert_int_equal(format->map(&model.pt, size - K4, 0, 2 * K4, 1, &gather), SLUICE_ERR_RANGE);
    assert_int_equal(format->map(&model.pt, 0 - K4, 0, 2 * K4, 1, &gather), SLUICE_ERR_RANGE);
    assert_int_equal(format->map(&model.pt, 0, 0, 0, 1, &gather), SLUICE_ERR_RANGE);
    assert_int_equal(format->map(&model.pt, 0, 1ull << 46, K4, 1, &gather), SLUICE_ERR_RANGE);
    assert_int_equal(format->map(&model.pt, 0, (1ull << 46) - K4, 2 * K4, 1, &gather),
                     SLUICE_ERR_RANGE);
    assert_int_equal(format->map(&model.pt, 0, 0, K4, 0, &gather), SLUICE_ERR_UNSUPPORTED);
    if (test->subject->impossible_prot != 0)
        assert_int_equal(format->map(&model.pt, 0, 0, K4, test->subject->impossible_prot, &gather),
                         SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(format->unmap(&model.pt, size - K4, 2 * K4, &gather, NULL), SLUICE_ERR_RANGE);
    assert_int_equal(format->lookup(&model.pt, size, &mapping), SLUICE_ERR_NOT_FOUND);
    assert_int_equal(format->lookup(&model.pt, UINT64_MAX, &mapping), SLUICE_ERR_NOT_FOUND);
    /* The same where a leaf table is there, which is the fast path's case. */
    assert_int_equal(format->map(&model.pt, K4, K4, K4, 1, &gather), SLUICE_OK);
    assert_int_equal(format->map(&model.pt, 0, 1ull << 46, K4, 1, &gather), SLUICE_ERR_RANGE);
    assert_int_equal(format->map(&model.pt, 0, 0, K4, 0, &gather), SLUICE_ERR_UNSUPPORTED);
    if (test->subject->impossible_prot != 0)
        assert_int_equal(format->map(&model.pt, 0, 0, K4, test->subject->impossible_prot, &gather),
                         SLUICE_ERR_UNSUPPORTED);
    assert_int_equal(format->map(&model.pt, size, 0, K4, 1, &gather), SLUICE_ERR_RANGE);
    assert_int_equal(format->unmap(&model.pt, size, K4, &gather, NULL), SLUICE_ERR_RANGE);
    assert_int_equal(format->unmap(&model.pt, K4, K4, &gather, NULL), SLUICE_OK);
    pt_gather_init(&gather);
    /* The very last page of the aperture, and the first, with address 0 behind it. */
    assert_int_equal(format->map(&model.pt, size - K4, K4, K4, 1, &gather), SLUICE_OK);
    assert_int_equal(format->map(&model.pt, 0, 0, K4, 1, &gather), SLUICE_OK);
    assert_int_equal(format->lookup(&model.pt, 0, &mapping), SLUICE_OK);
    assert_int_equal(mapping.phys, 0);
    assert_true(pt_gather_empty(&gather));
    assert_int_equal(format->unmap(&model.pt, 0, size, &gather, &size), SLUICE_OK);
    assert_int_equal(size, 2 * K4);
    format->release(&model.pt, &gather);
    pt_model_fini(&model);
}

static void test_arguments(void **state)
{
    (void)state;
    for_each_case(arguments_case);
}

static void create_case(const struct pt_case *test)
{
    const struct pt_format *format = test->subject->format;
    struct pt_world world;
    struct pagetable pt;
    struct pt_config good = {.format = format,
                             .levels = test->levels,
                             .iova_bits = pt_subject_bits(test->subject, test->levels),
                             .phys_bits = 39,
                             .page_sizes = K4 | G1,
                             .coherent = test->coherent,
                             .node = -1};
    struct pt_config bad = good;

    pt_world_init(&world, test->coherent, test->linear, 1);
    bad.levels = test->subject->levels_max + 1;
    assert_int_equal(format->create(&world.sluice, &bad, &pt), SLUICE_ERR_UNSUPPORTED);
    bad = good;
    bad.iova_bits++;
    assert_int_equal(format->create(&world.sluice, &bad, &pt), SLUICE_ERR_UNSUPPORTED);
    bad = good;
    bad.phys_bits = 60;
    assert_int_equal(format->create(&world.sluice, &bad, &pt), SLUICE_ERR_UNSUPPORTED);
    bad = good;
    bad.page_sizes = M2;
    assert_int_equal(format->create(&world.sluice, &bad, &pt), SLUICE_ERR_UNSUPPORTED);
    /* A root that the unit's addresses cannot reach. */
    bad = good;
    bad.phys_bits = 32;
    assert_int_equal(format->create(&world.sluice, &bad, &pt), SLUICE_ERR_NO_MEMORY);
    world.fail_after = 0;
    assert_int_equal(format->create(&world.sluice, &good, &pt), SLUICE_ERR_NO_MEMORY);
    world.fail_after = WORLD_NEVER;
    assert_int_equal(world.live, 0);
    if (!test->coherent) {
        world.ops.cache_clean = NULL;
        assert_int_equal(format->create(&world.sluice, &good, &pt), SLUICE_ERR_UNSUPPORTED);
    } else {
        /* A 1 GiB page without 2 MiB ones could not be split, so it is not used. */
        assert_int_equal(format->create(&world.sluice, &good, &pt), SLUICE_OK);
        assert_int_equal(pt.config.page_sizes, K4);
        format->destroy(&pt);
    }
    assert_int_equal(world.live, 0);
    pt_world_fini(&world);
}

static void test_create(void **state)
{
    (void)state;
    for_each_case(create_case);
}

static void withhold_case(const struct pt_case *test)
{
    struct pt_model model;
    struct pt_gather gather;
    uint64_t withheld;
    unsigned live, before;

    pt_model_init(&model, test, pt_model_base(test), test_seed(PT_SEED));
    pt_gather_init(&gather);
    /* What makes the table above the two that are unlinked stay. */
    assert_int_equal(model.pt.format->map(&model.pt, 4 * G1, 0, K4, 1, &gather), SLUICE_OK);
    before = model.world.live;
    assert_int_equal(model.pt.format->map(&model.pt, G1, 5 * K4, G1, 1, &gather), SLUICE_OK);
    live = model.world.live;
    assert_int_equal(model.pt.format->unmap(&model.pt, G1, G1, &gather, NULL), SLUICE_OK);
    withheld = pt_gather_withhold(&model.pt, &gather);
    assert_int_equal(withheld, live - before);
    assert_true(pt_gather_empty(&gather));
    assert_int_equal(model.world.live, live);
    assert_int_equal(atomic_load(&model.pt.table_pages), live);
    model.subject->format->destroy(&model.pt);
    assert_int_equal(model.world.live, withheld);
    free(model.oracle);
    pt_world_fini(&model.world);
}

static void test_withhold(void **state)
{
    (void)state;
    for_each_case(withhold_case);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),    cmocka_unit_test(test_short),
        cmocka_unit_test(test_no_memory), cmocka_unit_test(test_unlink),
        cmocka_unit_test(test_stale),     cmocka_unit_test(test_replace_empty_table),
        cmocka_unit_test(test_fixed),     cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_create),    cmocka_unit_test(test_withhold),
    };

    only_format = argc > 1 ? argv[1] : NULL;
    return cmocka_run_group_tests_name("pagetable", tests, NULL, NULL);
}
