// SPDX-License-Identifier: MIT
/*
 * Gathered ranges: nothing that was added is ever lost, neighbours merge, and when it is full the
 * least is added that can be.
 */
#include "pagetable/pagetable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void add(struct pt_gather *gather, uint64_t first, uint64_t last, uint8_t lg2, bool tables)
{
    pt_gather_add(gather, &(struct pt_range){first, last, lg2, tables});
}

static bool covered(const struct pt_gather *gather, uint64_t first, uint64_t last)
{
    for (unsigned i = 0; i < gather->count; i++) {
        if (gather->ranges[i].first <= first && last <= gather->ranges[i].last)
            return true;
    }
    return false;
}

static void test_neighbours_merge(void **state)
{
    struct pt_gather gather;

    (void)state;
    pt_gather_init(&gather);
    add(&gather, 0x2000, 0x2fff, 12, false);
    add(&gather, 0x4000, 0x4fff, 12, false);
    assert_int_equal(gather.count, 2);
    add(&gather, 0x3000, 0x3fff, 12, true);
    assert_int_equal(gather.count, 1);
    assert_int_equal(gather.ranges[0].first, 0x2000);
    assert_int_equal(gather.ranges[0].last, 0x4fff);
    assert_true(gather.ranges[0].tables);
    add(&gather, 0, UINT64_MAX, 21, false);
    assert_int_equal(gather.count, 1);
    assert_int_equal(gather.ranges[0].first, 0);
    assert_int_equal(gather.ranges[0].last, UINT64_MAX);
    assert_int_equal(gather.ranges[0].page_lg2, 12);
}

static void test_ends_do_not_wrap(void **state)
{
    struct pt_gather gather;

    (void)state;
    pt_gather_init(&gather);
    add(&gather, 0, 0xfff, 12, false);
    add(&gather, UINT64_MAX - 0xfff, UINT64_MAX, 12, false);
    assert_int_equal(gather.count, 2);
}

static void test_full_merges_the_closest(void **state)
{
    struct pt_gather gather;

    (void)state;
    pt_gather_init(&gather);
    for (uint64_t i = 0; i < PT_GATHER_RANGES; i++)
        add(&gather, i << 30, (i << 30) + 0xfff, 30, false);
    assert_int_equal(gather.count, PT_GATHER_RANGES);
    /* One that splits no gap, one that lies in the middle of the closest. */
    add(&gather, (3ull << 30) + (1u << 29), (3ull << 30) + (1u << 29) + 0xfff, 12, true);
    assert_true(gather.count <= PT_GATHER_RANGES);
    for (uint64_t i = 0; i < PT_GATHER_RANGES; i++)
        assert_true(covered(&gather, i << 30, (i << 30) + 0xfff));
    assert_true(covered(&gather, (3ull << 30) + (1u << 29), (3ull << 30) + (1u << 29) + 0xfff));
}

static void test_nothing_is_lost(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        uint64_t firsts[24], lasts[24];
        struct pt_gather gather;

        pt_gather_init(&gather);
        for (unsigned i = 0; i < 24; i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            firsts[i] = (seed >> 33) % 512;
            lasts[i] = firsts[i] + (seed >> 50) % 8;
            add(&gather, firsts[i], lasts[i], 12, false);
            assert_in_range(gather.count, 1, PT_GATHER_RANGES);
            for (unsigned j = 0; j <= i; j++)
                assert_true(covered(&gather, firsts[j], lasts[j]));
        }
        /* Ranges stay apart: one that touches another would be invalidated twice. */
        for (unsigned i = 0; i < gather.count; i++) {
            for (unsigned j = 0; j < i; j++)
                assert_true(gather.ranges[i].first > gather.ranges[j].last + 1 ||
                            gather.ranges[j].first > gather.ranges[i].last + 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours_merge),
        cmocka_unit_test(test_ends_do_not_wrap),
        cmocka_unit_test(test_full_merges_the_closest),
        cmocka_unit_test(test_nothing_is_lost),
    };

    return cmocka_run_group_tests_name("gather", tests, NULL, NULL);
}
