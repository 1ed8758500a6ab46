// SPDX-License-Identifier: MIT
/*
 * The tree of free extents against an array of pages: what it finds is free and the lowest of its
 * kind, what it knows about its subtrees is true, it stays balanced, and giving back what is free
 * already is refused.
 */
#include "dma/extent.h"
#include "iova_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PAGES 3000u

struct fixture {
    struct iova_world world;
    struct extents extents;
    struct world_random random;
    bool is_free[PAGES];
};

/** log2 of the largest naturally aligned block in an extent, by trying. */
static uint8_t largest_block(const struct extent *node)
{
    uint8_t lg2 = 0;

    for (uint8_t i = 0; (1ull << i) <= node->pages; i++) {
        uint64_t start = (node->first + (1ull << i) - 1) >> i << i;

        if (start + (1ull << i) <= node->first + node->pages)
            lg2 = i;
    }
    return lg2;
}

/** Checks a subtree and returns how many nodes it has. Recursion is fine on what is balanced. */
static uint64_t check_node(const struct extent *node, const bool *is_free, uint64_t *io_end)
{
    uint64_t nodes, longest = node->pages, height = 0;
    uint8_t largest = node->block_lg2;

    nodes = node->child[0] != NULL ? check_node(node->child[0], is_free, io_end) : 0;
    /* In order, and never touching the extent before. */
    assert_true(node->first > *io_end || (*io_end == 0 && node->first == 0));
    *io_end = node->first + node->pages;
    assert_true(node->pages > 0 && *io_end <= PAGES);
    for (uint64_t page = node->first; page < *io_end; page++)
        assert_true(is_free[page]);
    assert_true(*io_end == PAGES || !is_free[*io_end]);
    if (node->child[1] != NULL)
        nodes += check_node(node->child[1], is_free, io_end);
    for (unsigned side = 0; side < 2; side++) {
        const struct extent *child = node->child[side];

        if (child == NULL)
            continue;
        longest = child->longest > longest ? child->longest : longest;
        largest = child->largest > largest ? child->largest : largest;
        height = child->height > height ? child->height : height;
    }
    assert_int_equal(node->block_lg2, largest_block(node));
    assert_int_equal(node->longest, longest);
    assert_int_equal(node->largest, largest);
    assert_int_equal(node->height, height + 1);
    return nodes + 1;
}

/** Nodes that a balanced tree of this height has at least. */
static uint64_t fewest_nodes(unsigned height)
{
    uint64_t below = 0, here = 1;

    for (unsigned i = 1; i < height; i++) {
        uint64_t next = here + below + 1;

        below = here;
        here = next;
    }
    return height == 0 ? 0 : here;
}

static void check(const struct fixture *fixture)
{
    const struct extents *extents = &fixture->extents;
    uint64_t end = 0, nodes = 0, free_pages = 0;

    if (extents->root != NULL) {
        nodes = check_node(extents->root, fixture->is_free, &end);
        assert_true(nodes >= fewest_nodes(extents->root->height));
    }
    for (unsigned page = 0; page < PAGES; page++)
        free_pages += fixture->is_free[page] ? 1u : 0u;
    assert_int_equal(extents->free_pages, free_pages);
    assert_int_equal(extents->used, nodes);
    assert_true(extents->nodes >= nodes);
}

static bool fits(const struct fixture *fixture, const struct extent_want *want, uint64_t at)
{
    if (at < want->first || at + want->pages - 1 > want->last || at + want->pages > PAGES ||
        at % (1ull << want->align_lg2) != 0)
        return false;
    if (want->boundary_pages != 0 &&
        at / want->boundary_pages != (at + want->pages - 1) / want->boundary_pages)
        return false;
    for (uint64_t page = at; page < at + want->pages; page++) {
        if (!fixture->is_free[page])
            return false;
    }
    return true;
}

static void random_want(struct fixture *fixture, struct extent_want *want)
{
    struct world_random *random = &fixture->random;

    *want = (struct extent_want){.pages = 1 + random_below(random, 1u << random_below(random, 9)),
                                 .last = UINT64_MAX >> 12};
    if (random_below(random, 3) == 0) {
        want->first = random_below(random, PAGES);
        want->last = want->first + random_below(random, PAGES);
    }
    if (random_below(random, 2) == 0) {
        want->align_lg2 = (unsigned)random_below(random, 9);
        want->pages = 1ull << want->align_lg2;
    } else if (random_below(random, 2) == 0) {
        want->align_lg2 = (unsigned)random_below(random, 7);
    }
    if (random_below(random, 4) == 0) {
        want->boundary_pages = 1ull << random_below(random, 10);
        while (want->boundary_pages < want->pages)
            want->boundary_pages *= 2;
    }
}

static void try_take(struct fixture *fixture)
{
    struct extent_want want;
    uint64_t found = 0, at = 0;
    bool any;

    random_want(fixture, &want);
    any = extents_find(&fixture->extents, &want, &found);
    while (at < PAGES && !fits(fixture, &want, at))
        at++;
    assert_int_equal(any, at < PAGES);
    if (!any)
        return;
    assert_true(fits(fixture, &want, found));
    if (want.pages == 1ull << want.align_lg2)
        assert_int_equal(found, at);
    assert_true(extents_covers(&fixture->extents, found, want.pages));
    assert_int_equal(extents_reserve(&fixture->extents, fixture->extents.used + 1), SLUICE_OK);
    extents_take(&fixture->extents, found, want.pages);
    memset(&fixture->is_free[found], 0, want.pages);
    assert_false(extents_covers(&fixture->extents, found, 1));
}

static void try_give(struct fixture *fixture)
{
    uint64_t at = random_below(&fixture->random, PAGES);
    uint64_t pages = 1 + random_below(&fixture->random, 40);
    bool taken = true;

    if (pages > PAGES - at)
        pages = PAGES - at;
    for (uint64_t page = at; page < at + pages; page++)
        taken = taken && !fixture->is_free[page];
    assert_int_equal(extents_reserve(&fixture->extents, fixture->extents.used + 1), SLUICE_OK);
    assert_int_equal(extents_give(&fixture->extents, at, pages), taken);
    if (taken)
        memset(&fixture->is_free[at], 1, pages);
}

static void test_random(void **state)
{
    static struct fixture fixture;

    (void)state;
    world_init(&fixture.world, 1);
    extents_init(&fixture.extents, &fixture.world.sluice);
    fixture.random.state = test_seed(1);
    for (unsigned i = 0; i < test_scaled(20000); i++) {
        if (random_below(&fixture.random, 100) < (i / 1000 % 2 == 0 ? 30u : 70u))
            try_take(&fixture);
        else
            try_give(&fixture);
        if (i % 16 == 0)
            check(&fixture);
        if (i % 3000 == 0)
            extents_trim(&fixture.extents, 0);
    }
    extents_clear(&fixture.extents);
    assert_int_equal(atomic_load(&fixture.world.objects), 0);
}

/** Rising and falling order are what an unbalanced tree dies of. */
static void test_stays_balanced(void **state)
{
    static struct fixture fixture;

    (void)state;
    for (unsigned down = 0; down < 2; down++) {
        memset(&fixture, 0, sizeof(fixture));
        world_init(&fixture.world, 1);
        extents_init(&fixture.extents, &fixture.world.sluice);
        assert_int_equal(extents_reserve(&fixture.extents, PAGES), SLUICE_OK);
        for (uint64_t i = 0; i < PAGES; i += 2) {
            uint64_t page = down != 0 ? PAGES - 1 - i : i;

            assert_true(extents_give(&fixture.extents, page, 1));
            fixture.is_free[page] = true;
        }
        check(&fixture);
        for (uint64_t i = 0; i < PAGES - 2; i += 2) {
            uint64_t page = down != 0 ? PAGES - 1 - i : i;

            extents_take(&fixture.extents, page, 1);
            fixture.is_free[page] = false;
            if (i % 64 == 0)
                check(&fixture);
        }
        check(&fixture);
        extents_clear(&fixture.extents);
        assert_int_equal(atomic_load(&fixture.world.objects), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_stays_balanced),
    };

    return cmocka_run_group_tests_name("extent", tests, NULL, NULL);
}
