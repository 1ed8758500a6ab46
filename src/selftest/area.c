// SPDX-License-Identifier: MIT
/*
 * The memory of a self-test: sixteen pages, each filled with words that depend on its seed and
 * their place. See selftest.h.
 */
#include "selftest/selftest.h"

/** A word in 2^64 is another's: splitmix64, a bijection of its counter. */
static uint64_t mix(uint64_t value)
{
    value += 0x9e3779b97f4a7c15u;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

static uint64_t word(uint64_t seed, size_t at)
{
    return mix(seed + at);
}

static size_t words_of_page(const struct selftest *test)
{
    return (size_t)(test->page_bytes / sizeof(uint64_t));
}

/** The index in a page's words, or more than WINDOW_WORDS where it lies outside the window. */
static size_t in_window(size_t at)
{
    return at - WINDOW_AT / sizeof(uint64_t);
}

/* ---- making and giving back ---- */

enum sluice_status area_make(struct selftest *test, sluice_phys_t last)
{
    const struct sluice_page_request request = {
        .order = test->order,
        .node = -1,
        .below_4g = last <= UINT32_MAX,
        .last = last == UINT64_MAX ? 0 : last,
    };
    const struct sluice_host_ops *ops = test->sluice->ops;
    uint64_t bytes = test->page_bytes * PAGES;

    if (!ops->pages_alloc(test->sluice->config.ctx, &request, &test->block))
        return SLUICE_ERR_NO_MEMORY;
    if (test->block.phys > last || last - test->block.phys < bytes - 1) {
        host_pages_free(test->sluice, test->block, test->order);
        test->block.virt = NULL;
        return SLUICE_ERR_NO_MEMORY;
    }
    for (unsigned i = 0; i < PAGES; i++) {
        test->pages[i].virt = (uint64_t *)test->block.virt + i * words_of_page(test);
        test->pages[i].phys = test->block.phys + i * test->page_bytes;
    }
    return SLUICE_OK;
}

void area_free(struct selftest *test)
{
    uint64_t pages = (uint64_t)1 << test->order;

    if (test->block.virt == NULL)
        return;
    if (!test->in_doubt) {
        host_pages_free(test->sluice, test->block, test->order);
        return;
    }
    atomic_fetch_add_explicit(&test->sluice->withheld_pages, pages, memory_order_relaxed);
    log_error(test->sluice, "self-test: %llu pages at %#llx are withheld: %s may still reach them",
              (unsigned long long)pages, (unsigned long long)test->block.phys, test->device->label);
}

/* ---- filling ---- */

static void clean(struct selftest *test, const struct test_page *page)
{
    if (test->non_coherent)
        host_cache_clean(test->sluice, page->virt, (size_t)test->page_bytes);
}

uint64_t area_seed(struct selftest *test, unsigned page)
{
    uint64_t seed = mix(test->pages[page].phys ^ mix(++test->counter));

    return seed != 0 ? seed : 1;
}

void area_refill(struct selftest *test, unsigned page)
{
    struct test_page *at = &test->pages[page];

    at->seed = area_seed(test, page);
    at->given = 0;
    at->open = false;
    for (size_t i = 0; i < words_of_page(test); i++)
        at->virt[i] = word(at->seed, i);
    clean(test, at);
}

void area_refill_all(struct selftest *test)
{
    for (unsigned i = 0; i < PAGES; i++)
        area_refill(test, i);
}

void area_put_scratch(struct selftest *test, uint64_t seed)
{
    struct test_page *scratch = &test->pages[PAGE_SCRATCH];

    area_refill(test, PAGE_SCRATCH);
    scratch->given = seed;
    for (size_t i = 0; i < WINDOW_WORDS; i++)
        scratch->virt[WINDOW_AT / sizeof(uint64_t) + i] = word(seed, i);
    clean(test, scratch);
}

void area_take_scratch(struct selftest *test, uint64_t out[WINDOW_WORDS])
{
    const uint64_t *window = test->pages[PAGE_SCRATCH].virt + WINDOW_AT / sizeof(uint64_t);

    for (size_t i = 0; i < WINDOW_WORDS; i++)
        out[i] = window[i];
}

/* ---- looking ---- */

void area_look(struct selftest *test)
{
    /* What the device wrote before it said so is seen from here on; pairs with whatever told. */
    sluice_device_fence();
    if (test->non_coherent)
        test->sluice->ops->cache_invalidate(test->sluice->config.ctx, test->block.virt,
                                            (size_t)(test->page_bytes * PAGES));
}

bool area_page_intact(const struct selftest *test, unsigned page)
{
    const struct test_page *at = &test->pages[page];

    for (size_t i = 0; i < words_of_page(test); i++) {
        size_t inside = in_window(i);
        uint64_t want = word(at->seed, i);

        if (inside < WINDOW_WORDS && at->open)
            continue;
        if (inside < WINDOW_WORDS && at->given != 0)
            want = word(at->given, inside);
        if (at->virt[i] != want)
            return false;
    }
    return true;
}

unsigned area_first_changed(const struct selftest *test)
{
    unsigned page = 0;

    while (page < PAGES && area_page_intact(test, page))
        page++;
    return page;
}

static unsigned words_alike(const struct selftest *test, unsigned page,
                            const uint64_t words[WINDOW_WORDS])
{
    unsigned alike = 0;

    for (size_t i = 0; i < WINDOW_WORDS; i++)
        alike += words[i] == word(test->pages[page].seed, WINDOW_AT / sizeof(uint64_t) + i);
    return alike;
}

bool area_shows(const struct selftest *test, unsigned page, const uint64_t words[WINDOW_WORDS])
{
    return words_alike(test, page, words) != 0;
}

bool area_is(const struct selftest *test, unsigned page, const uint64_t words[WINDOW_WORDS])
{
    return words_alike(test, page, words) == WINDOW_WORDS;
}
