// SPDX-License-Identifier: MIT
#include "pt_model.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PROT_BITS 0xfffull
#define SAMPLES   4u

static sluice_iova_t model_iova(const struct pt_model *model, uint64_t page)
{
    return model->base + page * 4096u;
}

static void model_walk(struct pt_model *model, sluice_iova_t iova, struct walk *out)
{
    model->subject->walk(&model->world, &model->pt.config, model->pt.root_phys,
                         model->pt.config.levels, iova, out);
}

sluice_iova_t pt_model_base(const struct pt_case *test)
{
    /* The top of the smallest aperture; otherwise around the boundary of a table below the root. */
    if (test->levels == test->subject->levels_min)
        return (1ull << pt_subject_bits(test->subject, test->levels)) - MODEL_WINDOW_BYTES;
    return (1ull << (12 + 9 * (test->levels - 1))) - MODEL_WINDOW_BYTES / 2;
}

void pt_model_init(struct pt_model *model, const struct pt_case *test, sluice_iova_t base,
                   uint64_t seed)
{
    struct pt_config config = {.format = test->subject->format,
                               .levels = test->levels,
                               .iova_bits = pt_subject_bits(test->subject, test->levels),
                               .phys_bits = 46,
                               .page_sizes = test->page_sizes,
                               .coherent = test->coherent,
                               .snoop = test->snoop,
                               .live_change = !test->fixed,
                               .run_change = !test->fixed,
                               .node = -1};

    pt_world_init(&model->world, test->coherent, test->linear, seed);
    model->subject = test->subject;
    model->base = base;
    model->random = seed;
    model->oracle = calloc(MODEL_PAGES, sizeof(*model->oracle));
    assert_non_null(model->oracle);
    assert_int_equal(config.format->create(&model->world.sluice, &config, &model->pt), SLUICE_OK);
    assert_int_equal(model->pt.config.page_sizes, test->page_sizes);
}

void pt_model_fini(struct pt_model *model)
{
    assert_int_equal(atomic_load(&model->pt.table_pages), model->world.live);
    model->subject->format->destroy(&model->pt);
    assert_int_equal(atomic_load(&model->pt.table_pages), 0);
    assert_int_equal(model->world.live, 0);
    assert_int_equal(atomic_load(&model->world.errors), 0);
    free(model->oracle);
    pt_world_fini(&model->world);
}

/* ---- comparing ---- */

static void model_compare_lookup(struct pt_model *model, sluice_iova_t iova,
                                 const struct walk *walk)
{
    struct sluice_mapping mapping;
    sluice_iova_t inside = iova | (pt_random(&model->random) & 0xfff);
    enum sluice_status status = model->subject->format->lookup(&model->pt, inside, &mapping);

    if (walk->kind == WALK_ABSENT) {
        assert_int_equal(status, SLUICE_ERR_NOT_FOUND);
        return;
    }
    assert_int_equal(status, SLUICE_OK);
    assert_int_equal(mapping.phys, walk->phys | (inside & 0xfff));
    assert_int_equal(mapping.page_bytes, walk->page_bytes);
    assert_int_equal(mapping.prot, walk->prot);
}

/** A unit may take an entry's word for all of its run: so all of it is what the oracle says. */
static void model_compare_run(struct pt_model *model, uint64_t page, const struct walk *walk)
{
    const uint64_t pages = walk->run_bytes / 4096u;
    const uint64_t before = (model_iova(model, page) & (walk->run_bytes - 1)) / 4096u;
    const uint64_t first = page - before; /* may lie before the window */
    const uint64_t expected = walk->phys | walk->prot;

    if (first == model->run_seen)
        return;
    model->run_seen = first;
    assert_int_equal((model_iova(model, page) ^ walk->phys) & (walk->run_bytes - 1), 0);
    assert_true(before <= page && first + pages <= MODEL_PAGES);
    for (uint64_t i = 0; i < pages; i++)
        if (model->oracle[first + i] != expected + (i - before) * 4096u)
            fail_msg("iova 0x%" PRIx64 ": its run reaches 0x%" PRIx64, model_iova(model, page),
                     model_iova(model, first + i));
}

/** Checks pages [page, end) against one walk; returns how many pages that settled. */
static uint64_t model_compare(struct pt_model *model, uint64_t page, uint64_t end)
{
    sluice_iova_t iova = model_iova(model, page);
    uint64_t count, found;
    struct walk walk;

    model_walk(model, iova, &walk);
    if (walk.kind == WALK_BROKEN)
        fail_msg("iova 0x%" PRIx64 ": reserved bits or a loop in the tables", iova);
    model_compare_lookup(model, iova, &walk);
    if (walk.run_bytes != 0)
        model_compare_run(model, page, &walk);
    count = (walk.page_bytes - (iova & (walk.page_bytes - 1))) / 4096u;
    if (count > end - page)
        count = end - page;
    found = walk.kind == WALK_MAPPED ? walk.phys | walk.prot : 0;
    for (uint64_t i = 0; i < count; i++) {
        if (model->oracle[page + i] != found)
            fail_msg("iova 0x%" PRIx64 ": found 0x%" PRIx64 ", expected 0x%" PRIx64,
                     model_iova(model, page + i), found, model->oracle[page + i]);
        found += walk.kind == WALK_MAPPED ? 4096u : 0;
    }
    return count;
}

/** The first mapped page of [page, end), by the oracle; `end` when there is none. */
static uint64_t model_next(const struct pt_model *model, uint64_t page, uint64_t end)
{
    while (page < end && model->oracle[page] == 0)
        page++;
    return page;
}

/** Goes through [page, end) from one mapped address to the next, as the oracle has them. */
static void model_compare_find(struct pt_model *model, uint64_t page, uint64_t end)
{
    const struct pt_format *format = model->subject->format;
    sluice_iova_t last = model_iova(model, end - 1) | 0xfff;

    while (page < end) {
        struct sluice_mapping mapping = {0};
        sluice_iova_t at = 0;
        uint64_t next = model_next(model, page, end);
        enum sluice_status status =
            format->find(&model->pt, model_iova(model, page), last, &at, &mapping);

        if (next == end) {
            assert_int_equal(status, SLUICE_ERR_NOT_FOUND);
            return;
        }
        assert_int_equal(status, SLUICE_OK);
        assert_int_equal(at, model_iova(model, next));
        assert_int_equal(mapping.phys | mapping.prot, model->oracle[next]);
        page = next + (mapping.page_bytes - (at & (mapping.page_bytes - 1))) / 4096u;
    }
}

void pt_model_verify(struct pt_model *model, uint64_t first, uint64_t end)
{
    model->run_seen = UINT64_MAX;
    if (first < end)
        model_compare_find(model, first, end);
    while (first < end)
        first += model_compare(model, first, end);
    assert_int_equal(atomic_load(&model->world.errors), 0);
}

/** The range itself and a little around it, which must not have changed. */
static void model_verify_around(struct pt_model *model, uint64_t page, uint64_t pages)
{
    uint64_t first = page > 1024 ? page - 1024 : 0;
    uint64_t end = page + pages + 1024 < MODEL_PAGES ? page + pages + 1024 : MODEL_PAGES;

    pt_model_verify(model, first, end);
}

/* ---- stale walks: a unit that read part of the path before the operation ---- */

/** One IOVA and the path to it, before an operation. */
struct stale {
    sluice_iova_t iova;
    struct walk walk;
};

static void stale_take(struct pt_model *model, struct stale *stale, uint64_t page, uint64_t pages)
{
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t at = page + pt_random(&model->random) % pages;

        /* Half of them around the range, where large pages are split. */
        if (i >= SAMPLES / 2)
            at = (at + pt_random(&model->random) % 1024) % MODEL_PAGES;
        stale[i].iova = model_iova(model, at);
        model_walk(model, stale[i].iova, &stale[i].walk);
    }
}

static bool gather_covers(const struct pt_gather *gather, sluice_iova_t iova, bool tables)
{
    for (unsigned i = 0; i < gather->count; i++) {
        const struct pt_range *range = &gather->ranges[i];

        if (range->first <= iova && iova <= range->last && (!tables || range->tables))
            return true;
    }
    return false;
}

/**
 * Between the operation and release: a walk that goes on from any table of the old path ends in
 * the old page, the new one, or nothing; and where the path changed, the gather says so.
 */
static void stale_check(struct pt_model *model, const struct stale *stale,
                        const struct pt_gather *gather)
{
    for (unsigned i = 0; i < SAMPLES; i++) {
        const struct walk *old = &stale[i].walk;
        struct walk now, late;
        bool moved;

        model_walk(model, stale[i].iova, &now);
        moved = now.depth < old->depth || (old->kind == WALK_MAPPED && now.kind == WALK_MAPPED &&
                                           now.page_bytes != old->page_bytes);
        for (unsigned d = 0; d < old->depth; d++) {
            model->subject->walk(&model->world, &model->pt.config, old->table[d],
                                 model->pt.config.levels - d, stale[i].iova, &late);
            assert_int_not_equal(late.kind, WALK_BROKEN);
            if (late.kind == WALK_MAPPED && late.phys != old->phys)
                assert_int_equal(late.phys, now.phys);
            moved = moved || old->table[d] != now.table[d];
        }
        if (moved)
            assert_true(gather_covers(gather, stale[i].iova, true));
    }
}

/* ---- operations ---- */

static void model_release(struct pt_model *model, struct pt_gather *gather)
{
    unsigned before = model->world.live;
    uint64_t freed_pages = gather->freed_pages;

    assert_true(gather->freed == 0 || gather->count != 0);
    assert_true((gather->freed == 0) == (freed_pages == 0));
    model->subject->format->release(&model->pt, gather);
    assert_true(pt_gather_empty(gather));
    assert_true(before - model->world.live >= freed_pages);
    assert_int_equal(atomic_load(&model->pt.table_pages), model->world.live);
}

/** After a map of [start, end): a page is marked as of a run if all of a run could be filled. */
static void model_check_run(const struct pt_model *model, uint64_t start, uint64_t page,
                            uint64_t end, const struct walk *walk)
{
    const uint64_t run = 16, number = model->base / 4096 + page;
    const uint64_t into = number % run;
    bool whole =
        page - start >= into && end - page >= run - into && (walk->phys / 4096 - number) % run == 0;

    assert_int_equal(walk->run_bytes,
                     whole && model->subject->runs && model->pt.config.run_change ? run * 4096 : 0);
}

/** After a map: the pages are as large as alignment and length let them be. */
static void model_check_sizes(struct pt_model *model, uint64_t page, uint64_t pages)
{
    const uint64_t start = page, end = page + pages;

    while (page < end) {
        uint64_t address = model_iova(model, page) | (model->oracle[page] & ~PROT_BITS);
        uint64_t want = 4096;
        struct walk walk;

        for (unsigned lg2 = 13; lg2 < 40; lg2++) {
            if ((model->pt.config.page_sizes >> lg2 & 1) != 0 &&
                (address & ((1ull << lg2) - 1)) == 0 && (end - page) * 4096 >= 1ull << lg2)
                want = 1ull << lg2;
        }
        model_walk(model, model_iova(model, page), &walk);
        assert_int_equal(walk.page_bytes, want);
        if (want == 4096)
            model_check_run(model, start, page, end, &walk);
        page += want / 4096;
    }
}

static uint64_t model_count(const struct pt_model *model, uint64_t page, uint64_t pages)
{
    uint64_t count = 0;

    for (uint64_t i = page; i < page + pages; i++)
        count += model->oracle[i] != 0;
    return count;
}

enum sluice_status pt_model_map(struct pt_model *model, uint64_t page, uint64_t pages,
                                sluice_phys_t phys, uint32_t prot)
{
    const bool collides = model_count(model, page, pages) != 0;
    const bool failing = model->world.fail_after != WORLD_NEVER;
    uint32_t said = model->pt.config.snoop ? prot : prot & ~(uint32_t)SLUICE_PROT_SNOOP;
    struct stale stale[SAMPLES];
    struct pt_gather gather;
    enum sluice_status status;

    pt_gather_init(&gather);
    stale_take(model, stale, page, pages);
    status = model->subject->format->map(&model->pt, model_iova(model, page), phys, pages * 4096,
                                         prot, &gather);
    if (status == SLUICE_OK) {
        assert_false(collides);
        for (uint64_t i = 0; i < pages; i++)
            model->oracle[page + i] = (phys + i * 4096) | said;
    } else {
        assert_true((status == SLUICE_ERR_EXISTS && collides) ||
                    (status == SLUICE_ERR_NO_MEMORY && failing));
    }
    stale_check(model, stale, &gather);
    model_verify_around(model, page, pages);
    model_release(model, &gather);
    if (status == SLUICE_OK)
        model_check_sizes(model, page, pages);
    return status;
}

enum sluice_status pt_model_map_list(struct pt_model *model, uint64_t page,
                                     const struct sluice_dma_segment *pieces, unsigned count,
                                     uint32_t prot)
{
    const struct pt_list list = pt_list_of(pieces, count);
    const uint64_t pages = list.bytes / 4096;
    const bool collides = model_count(model, page, pages) != 0;
    const bool failing = model->world.fail_after != WORLD_NEVER;
    uint32_t said = model->pt.config.snoop ? prot : prot & ~(uint32_t)SLUICE_PROT_SNOOP;
    struct stale stale[SAMPLES];
    struct pt_gather gather;
    enum sluice_status status;
    uint64_t at = page;

    pt_gather_init(&gather);
    stale_take(model, stale, page, pages);
    status =
        model->subject->format->map_list(&model->pt, model_iova(model, page), &list, prot, &gather);
    if (status == SLUICE_OK) {
        assert_false(collides);
        for (unsigned i = 0; i < count; i++) {
            for (uint64_t j = 0; j < pieces[i].bytes / 4096; j++)
                model->oracle[at++] = (pieces[i].phys + j * 4096) | said;
        }
    } else {
        assert_true((status == SLUICE_ERR_EXISTS && collides) ||
                    (status == SLUICE_ERR_NO_MEMORY && failing));
    }
    stale_check(model, stale, &gather);
    model_verify_around(model, page, pages);
    model_release(model, &gather);
    return status;
}

/** The entry of a page, where there is a short way; NULL elsewhere. */
static _Atomic(uint64_t) *short_slot(struct pt_model *model, uint64_t page)
{
    sluice_iova_t iova = model_iova(model, page);
    _Atomic(uint64_t) *table = model->subject->format->leaf_table(&model->pt, iova);

    return table != NULL ? &table[(iova >> 12) & 511] : NULL;
}

bool pt_model_map_page(struct pt_model *model, uint64_t page, sluice_phys_t phys, uint32_t prot)
{
    const bool taken = model_count(model, page, 1) != 0;
    uint32_t said = model->pt.config.snoop ? prot : prot & ~(uint32_t)SLUICE_PROT_SNOOP;
    struct pt_leaf_form form;
    _Atomic(uint64_t) *slot = short_slot(model, page);
    bool done = slot != NULL && model->subject->format->leaf_form(&model->pt, prot, &form) &&
                atomic_load(slot) == 0;

    if (done)
        atomic_store(slot, form.base + (phys >> 12 << form.step_lg2));

    assert_false(done && taken);
    if (done)
        model->oracle[page] = phys | said;
    model_verify_around(model, page, 1);
    return done;
}

bool pt_model_unmap_page(struct pt_model *model, uint64_t page)
{
    const bool mapped = model_count(model, page, 1) != 0;
    _Atomic(uint64_t) *slot = short_slot(model, page);
    struct pt_leaf_form form = {0};
    bool done = slot != NULL && atomic_load(slot) != 0 &&
                model->subject->format->leaf_form(&model->pt, SLUICE_PROT_READ, &form) &&
                (atomic_load(slot) & form.in_run) == 0;

    if (done)
        atomic_store(slot, 0);

    assert_false(done && !mapped);
    if (done)
        model->oracle[page] = 0;
    model_verify_around(model, page, 1);
    return done;
}

/** Where the runs that stick out of a range begin and end; page_lg2 is 0 when there are none. */
static void model_reach(struct pt_model *model, uint64_t page, uint64_t pages, struct pt_range *out)
{
    struct walk first, last;

    model_walk(model, model_iova(model, page), &first);
    model_walk(model, model_iova(model, page + pages - 1), &last);
    *out = (struct pt_range){.first = model_iova(model, page),
                             .last = model_iova(model, page + pages) - 1,
                             .page_lg2 = first.run_bytes != 0 && last.run_bytes != 0};
    if (out->page_lg2 != 0) {
        out->first &= ~(first.run_bytes - 1);
        out->last |= last.run_bytes - 1;
    }
}

enum sluice_status pt_model_unmap(struct pt_model *model, uint64_t page, uint64_t pages)
{
    const uint64_t mapped = model_count(model, page, pages);
    const bool ask = (pt_random(&model->random) & 3) != 0;
    uint64_t unmapped = UINT64_MAX;
    struct stale stale[SAMPLES];
    struct pt_gather gather;
    enum sluice_status status;

    struct pt_range runs;

    pt_gather_init(&gather);
    stale_take(model, stale, page, pages);
    model_reach(model, page, pages, &runs);
    status = model->subject->format->unmap(&model->pt, model_iova(model, page), pages * 4096,
                                           &gather, ask ? &unmapped : NULL);
    if (status == SLUICE_OK) {
        assert_int_equal(unmapped, ask ? mapped * 4096 : UINT64_MAX);
        for (uint64_t i = page; i < page + pages; i++) {
            if (model->oracle[i] != 0)
                assert_true(gather_covers(&gather, model_iova(model, i), false));
            model->oracle[i] = 0;
        }
        /* What the unit may have cached as one goes as one. */
        assert_true(mapped == 0 || runs.page_lg2 == 0 ||
                    (gather_covers(&gather, runs.first, false) &&
                     gather_covers(&gather, runs.last, false)));
    } else {
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
        assert_true(model->world.fail_after != WORLD_NEVER);
        assert_true(pt_gather_empty(&gather));
    }
    stale_check(model, stale, &gather);
    model_verify_around(model, page, pages);
    model_release(model, &gather);
    return status;
}
