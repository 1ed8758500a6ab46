// SPDX-License-Identifier: MIT
/*
 * Two threads on one page table and disjoint ranges: tables that both want, large pages that both
 * split, and, for a unit that does not snoop, what it sees at the moment an operation returns.
 * Meant to run under ThreadSanitizer too.
 */
#include "pt_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define K4 (1ull << 12)
#define M2 (1ull << 21)

#define THREADS 2u
#define STRIPE  8u   /* pages of a stripe; stripes alternate between threads */
#define STRIPES 384u /* in all: six leaf tables */
#define ROUNDS  60u

struct shared {
    struct pt_world world;
    const struct pt_subject *subject;
    struct pagetable pt;
    pthread_barrier_t barrier;
    pthread_mutex_t release; /**< keeps lookups of foreign ranges and release apart */
    atomic_bool stop;
    atomic_uint wrong;
};

struct worker {
    struct shared *shared;
    unsigned index;
    pthread_t thread;
};

static void wrong(struct shared *shared, const char *what, sluice_iova_t iova)
{
    if (atomic_fetch_add(&shared->wrong, 1) < 10)
        fprintf(stderr, "# %s at 0x%llx\n", what, (unsigned long long)iova);
}

/** What the unit and a lookup see right now at an IOVA that belongs to this thread. */
static void expect(struct shared *shared, sluice_iova_t iova, bool mapped, sluice_phys_t phys)
{
    struct sluice_mapping mapping;
    struct walk walk;
    enum sluice_status status = shared->subject->format->lookup(&shared->pt, iova, &mapping);

    shared->subject->walk(&shared->world, &shared->pt.config, shared->pt.root_phys,
                          shared->pt.config.levels, iova, &walk);
    if (walk.kind != (mapped ? WALK_MAPPED : WALK_ABSENT) || (mapped && walk.phys != phys))
        wrong(shared, "the unit sees something else", iova);
    if ((status == SLUICE_OK) != mapped || (mapped && mapping.phys != phys))
        wrong(shared, "lookup sees something else", iova);
}

static void unmap(struct shared *shared, sluice_iova_t iova, uint64_t bytes)
{
    struct pt_gather gather;
    uint64_t unmapped;

    pt_gather_init(&gather);
    if (shared->subject->format->unmap(&shared->pt, iova, bytes, &gather, &unmapped) != SLUICE_OK ||
        unmapped != bytes)
        wrong(shared, "unmap", iova);
    shared->subject->format->release(&shared->pt, &gather);
}

static void map(struct shared *shared, sluice_iova_t iova, sluice_phys_t phys, uint64_t bytes)
{
    struct pt_gather gather;

    pt_gather_init(&gather);
    if (shared->subject->format->map(&shared->pt, iova, phys, bytes, SLUICE_PROT_READ, &gather) !=
        SLUICE_OK)
        wrong(shared, "map", iova);
    shared->subject->format->release(&shared->pt, &gather);
}

/** The barrier keeps a walk of one thread away from the destruction of the other's tables. */
static void *stripes(void *arg)
{
    struct worker *worker = arg;
    struct shared *shared = worker->shared;
    const uint64_t bytes = STRIPE * K4;

    for (unsigned round = 0; round < ROUNDS; round++) {
        /* A fresh place each round, so that every level is raced for. */
        sluice_iova_t base = (round + 1) * (1ull << 30) - 3 * M2;

        pthread_barrier_wait(&shared->barrier);
        for (unsigned i = worker->index; i < STRIPES; i += THREADS) {
            sluice_iova_t iova = base + i * bytes;

            map(shared, iova, iova ^ (1ull << 40), bytes);
            expect(shared, iova + bytes - K4, true, (iova ^ (1ull << 40)) + bytes - K4);
        }
        for (unsigned i = worker->index; i < STRIPES; i += THREADS) {
            sluice_iova_t iova = base + i * bytes;

            expect(shared, iova, true, iova ^ (1ull << 40));
            unmap(shared, iova + K4, bytes - K4);
            expect(shared, iova + K4, false, 0);
            expect(shared, iova, true, iova ^ (1ull << 40));
        }
        pthread_barrier_wait(&shared->barrier);
        if (worker->index == 0) {
            struct pt_gather gather;

            pt_gather_init(&gather);
            if (shared->subject->format->unmap(&shared->pt, base, STRIPES * bytes, &gather, NULL) !=
                SLUICE_OK)
                wrong(shared, "unmap of all", base);
            shared->subject->format->release(&shared->pt, &gather);
        }
    }
    return NULL;
}

/** Both threads unmap their half of the same large pages: both want to split each. */
static void *halves(void *arg)
{
    struct worker *worker = arg;
    struct shared *shared = worker->shared;
    const uint64_t half = worker->index * (M2 / 2);

    for (unsigned round = 0; round < ROUNDS * 4; round++) {
        sluice_iova_t base = M2 * (round + 1);

        if (worker->index == 0)
            map(shared, base, M2 * 77, M2);
        pthread_barrier_wait(&shared->barrier);
        for (unsigned i = 0; i < 16; i++) {
            sluice_iova_t iova = base + half + i * (M2 / 32);

            expect(shared, iova, true, M2 * 77 + half + i * (M2 / 32));
            unmap(shared, iova, M2 / 32);
            expect(shared, iova, false, 0);
        }
        pthread_barrier_wait(&shared->barrier);
    }
    return NULL;
}

/** No entry of a run of 16 pages has the hint that it is one: the unit could go by any of them. */
static void expect_broken(struct shared *shared, sluice_iova_t base, uint64_t page)
{
    for (unsigned i = 0; i < 16; i++) {
        struct walk walk;

        shared->subject->walk(&shared->world, &shared->pt.config, shared->pt.root_phys,
                              shared->pt.config.levels, base + i * page, &walk);
        if (walk.run_bytes != 0)
            wrong(shared, "a run reaches what was unmapped", base + i * page);
    }
}

/**
 * Both threads unmap parts of the same runs, of small or of large pages, the latter split besides.
 * Whoever is done with one is done with the run, wherever the other is.
 */
static void runs_of(struct worker *worker, uint64_t page, unsigned rounds)
{
    struct shared *shared = worker->shared;
    const uint64_t run = 16 * page, part = page == K4 ? K4 : page / 32;

    for (unsigned round = 0; round < rounds; round++) {
        sluice_iova_t base = (round + 1) * (1ull << 30);
        struct walk walk;

        if (worker->index == 0) {
            map(shared, base, base + 5 * run, run);
            shared->subject->walk(&shared->world, &shared->pt.config, shared->pt.root_phys,
                                  shared->pt.config.levels, base, &walk);
            if (walk.run_bytes != (shared->subject->runs ? run : 0))
                wrong(shared, "no run", base);
        }
        pthread_barrier_wait(&shared->barrier);
        for (unsigned i = 0; i < 8; i++) {
            /* From both ends towards each other. */
            sluice_iova_t iova = base + (worker->index == 0 ? i : 15 - i) * page;

            expect(shared, iova, true, iova + 5 * run);
            unmap(shared, iova, part);
            expect(shared, iova, false, 0);
            expect_broken(shared, base, page);
        }
        pthread_barrier_wait(&shared->barrier);
        if (worker->index == 0 && part != page) {
            struct pt_gather gather;

            pt_gather_init(&gather);
            if (shared->subject->format->unmap(&shared->pt, base, run, &gather, NULL) != SLUICE_OK)
                wrong(shared, "unmap of all", base);
            shared->subject->format->release(&shared->pt, &gather);
        }
    }
}

static void *small_runs(void *arg)
{
    runs_of(arg, K4, ROUNDS);
    return NULL;
}

static void *large_runs(void *arg)
{
    runs_of(arg, M2, ROUNDS / 6);
    return NULL;
}

/** Each thread unmaps and maps whole tables' worth, with gigabyte pages split now and then. */
static void *tables(void *arg)
{
    struct worker *worker = arg;
    struct shared *shared = worker->shared;
    uint64_t random = worker->index + 1;

    for (unsigned round = 0; round < ROUNDS * 2; round++) {
        sluice_iova_t base = (1ull << 33) + M2 * 5 * worker->index;
        uint64_t first = pt_random(&random) % 512 * K4;
        uint64_t bytes = (1 + pt_random(&random) % 1500) * K4;

        map(shared, base + first, M2 * 5 + first, bytes);
        expect(shared, base + first + bytes - K4, true, M2 * 5 + first + bytes - K4);
        unmap(shared, base + first, bytes);
        expect(shared, base + first, false, 0);
    }
    return NULL;
}

/**
 * One thread maps and unmaps, split or by whole tables; the other looks addresses of the same
 * range up. Only the release of tables is kept apart from lookups. An answer may be old, but is
 * never anything that was not mapped.
 */
static void *lookups(void *arg)
{
    struct worker *worker = arg;
    struct shared *shared = worker->shared;
    const sluice_iova_t base = 1ull << 33;
    uint64_t random = 1;

    if (worker->index != 0) {
        while (!atomic_load(&shared->stop)) {
            sluice_iova_t iova = base + pt_random(&random) % (4 * M2);
            struct sluice_mapping mapping;
            enum sluice_status status;

            pthread_mutex_lock(&shared->release);
            status = shared->subject->format->lookup(&shared->pt, iova, &mapping);
            pthread_mutex_unlock(&shared->release);
            if (status == SLUICE_OK && mapping.phys != iova)
                wrong(shared, "lookup made something up", iova);
        }
        return NULL;
    }
    for (unsigned round = 0; round < ROUNDS * 2; round++) {
        uint64_t first = pt_random(&random) % 512 * K4;
        struct pt_gather gather;

        map(shared, base, base, 4 * M2);
        unmap(shared, base + first, K4);
        pt_gather_init(&gather);
        if (shared->subject->format->unmap(&shared->pt, base, 4 * M2, &gather, NULL) != SLUICE_OK)
            wrong(shared, "unmap of all", base);
        pthread_mutex_lock(&shared->release);
        shared->subject->format->release(&shared->pt, &gather);
        pthread_mutex_unlock(&shared->release);
    }
    atomic_store(&shared->stop, true);
    return NULL;
}

static void run_case(const struct pt_subject *subject, unsigned levels, bool coherent,
                     void *(*body)(void *))
{
    static struct shared shared;
    struct worker workers[THREADS];
    struct pt_config config = {.format = subject->format,
                               .levels = levels,
                               .iova_bits = pt_subject_bits(subject, levels),
                               .phys_bits = 46,
                               .page_sizes = K4 | M2 | (1ull << 30),
                               .coherent = coherent,
                               .live_change = true,
                               .run_change = true,
                               .node = -1};

    memset(&shared, 0, sizeof(shared));
    pt_world_init(&shared.world, coherent, (levels & 1) != 0, test_seed(PT_SEED));
    shared.world.dawdle = true;
    assert_int_equal(pthread_mutex_init(&shared.release, NULL), 0);
    shared.subject = subject;
    assert_int_equal(config.format->create(&shared.world.sluice, &config, &shared.pt), SLUICE_OK);
    assert_int_equal(pthread_barrier_init(&shared.barrier, NULL, THREADS), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.shared = &shared, .index = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, body, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    pthread_barrier_destroy(&shared.barrier);
    pthread_mutex_destroy(&shared.release);
    assert_int_equal(atomic_load(&shared.wrong), 0);
    assert_int_equal(atomic_load(&shared.pt.table_pages), shared.world.live);
    subject->format->destroy(&shared.pt);
    assert_int_equal(shared.world.live, 0);
    assert_int_equal(atomic_load(&shared.world.errors), 0);
    pt_world_fini(&shared.world);
}

static void run_all(void *(*body)(void *))
{
    for (unsigned s = 0; s < pt_subject_count; s++) {
        for (unsigned levels = pt_subjects[s].levels_min; levels <= pt_subjects[s].levels_max;
             levels++) {
            run_case(&pt_subjects[s], levels, true, body);
            run_case(&pt_subjects[s], levels, false, body);
        }
    }
}

static void test_stripes(void **state)
{
    (void)state;
    run_all(stripes);
}

static void test_halves(void **state)
{
    (void)state;
    run_all(halves);
}

static void test_runs(void **state)
{
    (void)state;
    run_all(small_runs);
    run_all(large_runs);
}

static void test_tables(void **state)
{
    (void)state;
    run_all(tables);
}

static void test_lookups(void **state)
{
    (void)state;
    run_all(lookups);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stripes), cmocka_unit_test(test_halves),  cmocka_unit_test(test_runs),
        cmocka_unit_test(test_tables),  cmocka_unit_test(test_lookups),
    };

    return cmocka_run_group_tests_name("pagetable-threads", tests, NULL, NULL);
}
