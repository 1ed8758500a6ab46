// SPDX-License-Identifier: MIT
/*
 * The IOVA allocator against a plain oracle: a byte for each page of a small address space that
 * says whether it is taken. Every range given out is free, in reach, aligned and inside its
 * boundary; a refusal is believed only when the oracle finds no place either; in the end everything
 * is there again, and no memory is lost.
 */
#include "iova_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE      SLUICE_PAGE_BYTES
#define MOST_LIVE 4096u

struct live {
    sluice_iova_t at;
    struct iova_request request;
    bool special;
};

struct checker {
    struct iova_world world;
    struct iova *iova;
    struct world_random random;
    uint64_t first, last; /**< pages */
    uint8_t *taken;       /**< a byte a page */
    struct live live[MOST_LIVE];
    unsigned count;
    unsigned refused, refused_right;
};

/** What a request takes up, by the allocator's documented rounding. */
static uint64_t pages_taken(const struct iova_request *request, uint64_t *out_align)
{
    uint64_t align =
        request->align_lg2 > SLUICE_PAGE_LG2 ? 1ull << (request->align_lg2 - SLUICE_PAGE_LG2) : 1;
    uint64_t block = 1;

    *out_align = align;
    if (request->pages > 256 || align > 256)
        return request->pages;
    while (block < request->pages || block < align)
        block *= 2;
    *out_align = block;
    return block;
}

/** Whether there is a place for it at all. */
static bool oracle_finds(const struct checker *checker, const struct iova_request *request)
{
    uint64_t align, pages = pages_taken(request, &align);
    uint64_t boundary = request->boundary_bytes / PAGE;
    uint64_t end = request->last == UINT64_MAX ? UINT64_MAX / PAGE : (request->last + 1) / PAGE;

    if (end > checker->last + 1)
        end = checker->last + 1;
    for (uint64_t at = checker->first; at + pages <= end; at++) {
        uint64_t used = 0;

        if (at % align != 0)
            continue;
        if (boundary != 0 && at / boundary != (at + request->pages - 1) / boundary)
            continue;
        while (used < pages && !checker->taken[at + used])
            used++;
        if (used == pages)
            return true;
        at += align > 1 ? 0 : used;
    }
    return false;
}

static void oracle_take(struct checker *checker, const struct live *live)
{
    const struct iova_request *request = &live->request;
    uint64_t align, pages = pages_taken(request, &align);
    uint64_t page = live->at / PAGE;

    assert_int_equal(live->at % PAGE, 0);
    assert_int_equal(page % align, 0);
    assert_true(page >= checker->first && page + pages - 1 <= checker->last);
    assert_true(live->at + pages * PAGE - 1 <= request->last);
    if (request->boundary_bytes != 0)
        assert_int_equal(live->at / request->boundary_bytes,
                         (live->at + request->pages * PAGE - 1) / request->boundary_bytes);
    for (uint64_t i = 0; i < pages; i++) {
        assert_int_equal(checker->taken[page + i], 0);
        checker->taken[page + i] = 1;
    }
}

static void release(struct checker *checker, unsigned index)
{
    struct live *live = &checker->live[index];
    uint64_t align, pages = pages_taken(&live->request, &align);

    memset(&checker->taken[live->at / PAGE], 0, pages);
    if (live->special)
        iova_free_special(checker->iova, live->at, &live->request);
    else
        iova_free(checker->iova, live->at, live->request.pages);
    *live = checker->live[--checker->count];
}

static uint64_t random_mask(struct checker *checker)
{
    static const unsigned bits[] = {64, 64, 64, 32, 32, 48, 28, 26, 25, 24};

    unsigned chosen = bits[random_below(&checker->random, sizeof(bits) / sizeof(bits[0]))];

    /* No device has such a mask, but an aperture may end anywhere. */
    if (random_below(&checker->random, 8) == 0)
        return random_below(&checker->random, (checker->last + 1) * PAGE);
    return chosen == 64 ? UINT64_MAX : (1ull << chosen) - 1;
}

static uint64_t random_pages(struct checker *checker)
{
    switch (random_below(&checker->random, 8)) {
    case 0:
        return 1 + random_below(&checker->random, checker->last - checker->first + 1);
    case 1:
        return 257 + random_below(&checker->random, 1024);
    case 2:
        return 1 + random_below(&checker->random, 256);
    default:
        return 1 + random_below(&checker->random, 32);
    }
}

static void random_request(struct checker *checker, struct live *out)
{
    *out = (struct live){
        .request = {.pages = random_pages(checker), .last = random_mask(checker)},
        .special = random_below(&checker->random, 4) == 0,
    };
    if (!out->special)
        return;
    out->request.align_lg2 = (unsigned)random_below(&checker->random, 24);
    if (random_below(&checker->random, 2) == 0) {
        out->request.boundary_bytes = PAGE << random_below(&checker->random, 12);
        while (out->request.boundary_bytes / PAGE < out->request.pages)
            out->request.boundary_bytes *= 2;
    }
}

static void acquire(struct checker *checker)
{
    struct live *live = &checker->live[checker->count];
    enum sluice_status status;

    random_request(checker, live);
    if (live->special)
        status = iova_alloc_special(checker->iova, &live->request, &live->at);
    else
        status = iova_alloc(checker->iova, live->request.pages, live->request.last, &live->at);
    if (status == SLUICE_OK) {
        oracle_take(checker, live);
        checker->count++;
        return;
    }
    assert_int_equal(status, SLUICE_ERR_NO_SPACE);
    checker->refused++;
    assert_false(oracle_finds(checker, &live->request));
}

static void checker_open(struct checker *checker, uint64_t first, uint64_t last, bool prefer_32bit)
{
    const struct iova_config config = {
        .first = first * PAGE, .last = last * PAGE + PAGE - 1, .prefer_32bit = prefer_32bit};

    world_init(&checker->world, 1);
    checker->first = first != 0 ? first : 1;
    checker->last = last;
    checker->count = 0;
    checker->refused = 0;
    checker->taken = calloc(1, last + 1);
    assert_non_null(checker->taken);
    assert_int_equal(iova_create(&checker->world.sluice, &config, &checker->iova), SLUICE_OK);
}

static void checker_close(struct checker *checker)
{
    struct iova_stats stats;

    iova_stats(checker->iova, &stats);
    assert_int_equal(stats.live, checker->count);
    while (checker->count > 0)
        release(checker, (unsigned)random_below(&checker->random, checker->count));
    iova_stats(checker->iova, &stats);
    assert_int_equal(stats.live, 0);
    assert_int_equal(stats.bad_frees, 0);
    iova_destroy(checker->iova);
    assert_int_equal(atomic_load(&checker->world.objects), 0);
    assert_int_equal(atomic_load(&checker->world.bytes), 0);
    free(checker->taken);
}

/** Ups and downs: phases that mostly take and phases that mostly give back. */
static void churn(struct checker *checker, unsigned operations)
{
    unsigned take = 60;

    for (unsigned i = 0; i < operations; i++) {
        if (i % 512 == 0)
            take = (unsigned)random_below(&checker->random, 100);
        if (checker->count == MOST_LIVE ||
            (checker->count > 0 && random_below(&checker->random, 100) >= take))
            release(checker, (unsigned)random_below(&checker->random, checker->count));
        else
            acquire(checker);
        if (random_below(&checker->random, 4000) == 0)
            iova_trim(checker->iova);
    }
}

static void run_churn(uint64_t first, uint64_t last, bool prefer_32bit, unsigned operations)
{
    struct checker *checker = calloc(1, sizeof(*checker));

    assert_non_null(checker);
    checker->random.state = test_seed(1) + first + last;
    checker_open(checker, first, last, prefer_32bit);
    churn(checker, test_scaled(operations));
    print_message("# seed %llu, pages %llu to %llu: %u refusals, each right\n",
                  (unsigned long long)test_seed(1), (unsigned long long)first,
                  (unsigned long long)last, checker->refused);
    checker_close(checker);
    free(checker);
}

static void test_tiny_spaces(void **state)
{
    (void)state;
    for (uint64_t last = 1; last < 40; last++)
        run_churn(0, last, false, 300);
    run_churn(5, 700, false, 4000);
}

static void test_below_16_mib(void **state)
{
    (void)state;
    run_churn(0, (1u << 12) - 1, false, 20000);
    run_churn(100, 6000, false, 20000);
}

static void test_around_16_mib(void **state)
{
    (void)state;
    run_churn(0, 1u << 14, false, 20000);
    run_churn(3000, 1u << 14, true, 20000);
}

/** Zones of 256 MiB on both sides of 4 GiB. */
static void test_around_4_gib(void **state)
{
    (void)state;
    run_churn((1u << 20) - (1u << 14), (1u << 20) + (1u << 14), false, 15000);
    run_churn((1u << 20) - (1u << 14), (1u << 20) + (1u << 14), true, 15000);
}

/** The whole space can be had in one piece, and again after everything was cut up. */
static void test_everything_at_once(void **state)
{
    struct checker *checker = calloc(1, sizeof(*checker));
    struct live *live;

    (void)state;
    assert_non_null(checker);
    checker_open(checker, 0, (1u << 20) + 5000, false);
    for (unsigned round = 0; round < 3; round++) {
        live = &checker->live[checker->count++];
        *live = (struct live){.request = {.pages = (1u << 20) + 5000, .last = UINT64_MAX}};
        assert_int_equal(iova_alloc(checker->iova, live->request.pages, UINT64_MAX, &live->at),
                         SLUICE_OK);
        oracle_take(checker, live);
        acquire(checker);
        assert_int_equal(checker->count, 1);
        release(checker, 0);
        checker->random.state = round;
        for (unsigned i = 0; i < 500; i++) {
            acquire(checker);
            if (checker->count > 100)
                release(checker, (unsigned)random_below(&checker->random, checker->count));
        }
        while (checker->count > 0)
            release(checker, 0);
    }
    checker_close(checker);
    free(checker);
}

static void test_reserved(void **state)
{
    struct checker *checker = calloc(1, sizeof(*checker));
    sluice_iova_t at;

    (void)state;
    assert_non_null(checker);
    checker_open(checker, 0, 20000, false);
    assert_int_equal(iova_reserve(checker->iova, 100 * PAGE, 200 * PAGE - 1), SLUICE_OK);
    /* Overlaps on both sides, a hole filled, and parts beyond the end. */
    assert_int_equal(iova_reserve(checker->iova, 150 * PAGE, 300 * PAGE - 1), SLUICE_OK);
    assert_int_equal(iova_reserve(checker->iova, 50 * PAGE, 400 * PAGE - 1), SLUICE_OK);
    assert_int_equal(iova_reserve(checker->iova, 19000 * PAGE, UINT64_MAX), SLUICE_OK);
    assert_int_equal(iova_reserve(checker->iova, 60 * PAGE, 350 * PAGE - 1), SLUICE_OK);
    assert_int_equal(iova_reserve(checker->iova, 2, 1), SLUICE_ERR_INVALID);
    memset(checker->taken + 50, 1, 350);
    memset(checker->taken + 19000, 1, 1001);
    churn(checker, 5000);
    /* What is reserved cannot be given back. */
    iova_free(checker->iova, 60 * PAGE, 300);
    while (checker->count > 0)
        release(checker, 0);
    assert_int_equal(iova_alloc(checker->iova, 3, UINT64_MAX, &at), SLUICE_OK);
    assert_int_equal(iova_reserve(checker->iova, at, at + PAGE - 1), SLUICE_ERR_EXISTS);
    iova_free(checker->iova, at, 3);
    assert_int_equal(iova_reserve(checker->iova, at, at + PAGE - 1), SLUICE_OK);
    {
        struct iova_stats stats;

        iova_stats(checker->iova, &stats);
        assert_int_equal(stats.bad_frees, 1);
    }
    iova_destroy(checker->iova);
    assert_int_equal(atomic_load(&checker->world.objects), 0);
    free(checker->taken);
    free(checker);
}

static void test_bad_frees_are_ignored(void **state)
{
    struct iova_config config = {.first = 0, .last = (1ull << 32) - 1};
    struct iova_world world;
    struct iova_stats stats;
    sluice_iova_t at;
    struct iova *iova;

    (void)state;
    world_init(&world, 1);
    assert_int_equal(iova_create(&world.sluice, &config, &iova), SLUICE_OK);
    assert_int_equal(iova_alloc(iova, 600, UINT64_MAX, &at), SLUICE_OK);
    iova_free(iova, at - PAGE, 600);
    iova_free(iova, at + PAGE, 600);
    iova_free(iova, UINT64_MAX - 4095, 600);
    iova_free(iova, at, 600);
    iova_free(iova, at, 600);
    iova_stats(iova, &stats);
    assert_int_equal(stats.bad_frees, 4);
    assert_int_equal(stats.live, 0);
    /* A block freed twice is seen when the magazines are emptied, and is not given out twice. */
    assert_int_equal(iova_alloc(iova, 1, UINT64_MAX, &at), SLUICE_OK);
    iova_free(iova, at, 1);
    iova_free(iova, at, 1);
    iova_free(iova, at, 2);
    iova_trim(iova);
    iova_stats(iova, &stats);
    assert_true(stats.bad_frees >= 5);
    iova_destroy(iova);
    assert_int_equal(atomic_load(&world.objects), 0);
}

static void test_bad_arguments(void **state)
{
    struct iova_config config = {.first = 0, .last = (1ull << 32) - 1};
    struct iova_request request = {.pages = 1, .last = UINT64_MAX};
    struct iova_world world;
    sluice_iova_t at;
    struct iova *iova;

    (void)state;
    world_init(&world, 1);
    config.last = 4094;
    assert_int_equal(iova_create(&world.sluice, &config, &iova), SLUICE_ERR_INVALID);
    config.last = 4095;
    assert_int_equal(iova_create(&world.sluice, &config, &iova), SLUICE_ERR_INVALID);
    config.last = UINT64_MAX;
    assert_int_equal(iova_create(&world.sluice, &config, &iova), SLUICE_OK);
    assert_int_equal(iova_alloc(iova, 0, UINT64_MAX, &at), SLUICE_ERR_INVALID);
    assert_int_equal(iova_alloc(iova, 1, 4094, &at), SLUICE_ERR_NO_SPACE);
    assert_int_equal(iova_alloc(iova, 1, 8190, &at), SLUICE_ERR_NO_SPACE);
    assert_int_equal(iova_alloc(iova, UINT64_MAX, UINT64_MAX, &at), SLUICE_ERR_NO_SPACE);
    request.boundary_bytes = 3 * PAGE;
    assert_int_equal(iova_alloc_special(iova, &request, &at), SLUICE_ERR_INVALID);
    request.boundary_bytes = PAGE;
    request.pages = 2;
    assert_int_equal(iova_alloc_special(iova, &request, &at), SLUICE_ERR_INVALID);
    request.boundary_bytes = 0;
    request.align_lg2 = 64;
    assert_int_equal(iova_alloc_special(iova, &request, &at), SLUICE_ERR_INVALID);
    /* All but page 0 of 64 bits. */
    assert_int_equal(iova_alloc(iova, (1ull << 52) - 1, UINT64_MAX, &at), SLUICE_OK);
    assert_int_equal(at, PAGE);
    iova_free(iova, at, (1ull << 52) - 1);
    iova_destroy(iova);
    assert_int_equal(atomic_load(&world.objects), 0);
}

/** Wide devices leave 4 GiB alone until there is nothing else, or fill them first if asked. */
static void test_preference(void **state)
{
    (void)state;
    for (unsigned prefer = 0; prefer < 2; prefer++) {
        struct iova_config config = {
            .first = 0, .last = (1ull << 48) - 1, .prefer_32bit = prefer != 0};
        struct iova_world world;
        sluice_iova_t at;
        struct iova *iova;

        world_init(&world, 1);
        assert_int_equal(iova_create(&world.sluice, &config, &iova), SLUICE_OK);
        assert_int_equal(iova_alloc(iova, 1, UINT64_MAX, &at), SLUICE_OK);
        assert_int_equal(at >> 32 == 0, prefer != 0);
        iova_free(iova, at, 1);
        assert_int_equal(iova_alloc(iova, 1000, UINT64_MAX, &at), SLUICE_OK);
        assert_int_equal(at >> 32 == 0, prefer != 0);
        iova_free(iova, at, 1000);
        /* 32-bit devices stay out of the lowest 16 MiB as long as they can. */
        assert_int_equal(iova_alloc(iova, 1, UINT32_MAX, &at), SLUICE_OK);
        assert_in_range(at, 1u << 24, UINT32_MAX);
        iova_free(iova, at, 1);
        iova_destroy(iova);
        assert_int_equal(atomic_load(&world.objects), 0);
    }
}

/** 4 GiB filled up: narrow devices get every page of it, wide ones go on above. */
static void test_32bit_space_runs_out(void **state)
{
    struct iova_config config = {.first = 0, .last = (1ull << 48) - 1, .prefer_32bit = true};
    struct iova_world world;
    sluice_iova_t at;
    struct iova *iova;
    unsigned below = 0;

    (void)state;
    world_init(&world, 1);
    assert_int_equal(iova_create(&world.sluice, &config, &iova), SLUICE_OK);
    for (unsigned i = 0; i < 5000; i++) {
        assert_int_equal(iova_alloc(iova, 256, UINT64_MAX, &at), SLUICE_OK);
        below += at >> 32 == 0 ? 1u : 0u;
    }
    /* All of 16 MiB to 4 GiB. */
    assert_int_equal(below, 4096 - 16);
    /* The lowest 16 MiB were left for those who need them: 15 blocks, page 0 spoils one. */
    for (unsigned i = 0; i < 15; i++)
        assert_int_equal(iova_alloc(iova, 256, UINT32_MAX, &at), SLUICE_OK);
    assert_int_equal(iova_alloc(iova, 256, UINT32_MAX, &at), SLUICE_ERR_NO_SPACE);
    assert_int_equal(iova_alloc(iova, 128, (1u << 24) - 1, &at), SLUICE_OK);
    assert_int_equal(iova_alloc(iova, 256, UINT64_MAX, &at), SLUICE_OK);
    assert_true(at >> 32 != 0);
    /* Space that comes back below is used again, though it was found full before. */
    for (sluice_iova_t back = 1u << 28; back < 1u << 30; back += 256 * PAGE)
        iova_free(iova, back, 256);
    below = 0;
    for (unsigned i = 0; i < 768; i++) {
        assert_int_equal(iova_alloc(iova, 256, UINT64_MAX, &at), SLUICE_OK);
        below += at >> 32 == 0 ? 1u : 0u;
    }
    assert_int_equal(below, 768);
    iova_destroy(iova);
    assert_int_equal(atomic_load(&world.objects), 0);
}

/** One failed allocation of memory at each point of a run, then all from there on. */
static void test_memory_runs_out(void **state)
{
    (void)state;
    for (unsigned point = 1; point < 400; point++) {
        struct iova_config config = {.first = 0, .last = (1ull << 40) - 1};
        struct world_random random = {point};
        sluice_iova_t at[64] = {0};
        uint64_t pages[64] = {0};
        struct iova_world world;
        struct iova *iova;

        world_init(&world, 2);
        world_fail(&world, point / 2 + 1, point % 2 != 0);
        if (iova_create(&world.sluice, &config, &iova) != SLUICE_OK) {
            assert_int_equal(atomic_load(&world.objects), 0);
            continue;
        }
        for (unsigned i = 0; i < 2000; i++) {
            unsigned slot = (unsigned)random_below(&random, 64);

            if (pages[slot] != 0) {
                iova_free(iova, at[slot], pages[slot]);
                pages[slot] = 0;
            } else {
                uint64_t want = 1 + random_below(&random, 1u << random_below(&random, 11));
                enum sluice_status status = iova_alloc(iova, want, UINT64_MAX, &at[slot]);

                assert_true(status == SLUICE_OK || status == SLUICE_ERR_NO_MEMORY);
                pages[slot] = status == SLUICE_OK ? want : 0;
            }
        }
        for (unsigned i = 0; i < 64; i++) {
            if (pages[i] != 0)
                iova_free(iova, at[i], pages[i]);
        }
        {
            struct iova_stats stats;

            iova_stats(iova, &stats);
            assert_int_equal(stats.live, 0);
            assert_int_equal(stats.bad_frees, 0);
        }
        world_fail_no_more(&world);
        iova_trim(iova);
        assert_int_equal(iova_alloc(iova, (1ull << 28) - 1, UINT64_MAX, &at[0]), SLUICE_OK);
        iova_destroy(iova);
        assert_int_equal(atomic_load(&world.objects), 0);
        assert_int_equal(atomic_load(&world.bytes), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny_spaces),
        cmocka_unit_test(test_below_16_mib),
        cmocka_unit_test(test_around_16_mib),
        cmocka_unit_test(test_around_4_gib),
        cmocka_unit_test(test_everything_at_once),
        cmocka_unit_test(test_reserved),
        cmocka_unit_test(test_bad_frees_are_ignored),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_preference),
        cmocka_unit_test(test_32bit_space_runs_out),
        cmocka_unit_test(test_memory_runs_out),
    };

    return cmocka_run_group_tests_name("iova", tests, NULL, NULL);
}
