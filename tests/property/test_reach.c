// SPDX-License-Identifier: MIT
/*
 * What devices reach, against a plain list of what was mapped for them: random attaching, moving,
 * mapping and unmapping through the public API, on models whose caches never forget by themselves.
 * A missing or too narrow invalidation, or a table that says too much, shows as a byte too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rounds.h"
#include "scene.h"

#define DEVICES    3u
#define DOMAINS    4u
#define SLOTS      24u /* places at which something may be mapped */
#define SLOT_PAGES 4u
#define BLOCKS     6u /* of memory: each SLOT_PAGES pages with a byte of its own */
#define STEPS      20000u

#define PAGES (SLOTS * SLOT_PAGES)

/** What is mapped at a page of a slot: one more than its block, and how; 0: nothing. */
struct mapped {
    unsigned block_1;
    uint32_t prot;
};

struct oracle {
    struct scene scene;
    struct sluice_device *devices[DEVICES];
    unsigned index[DEVICES]; /* in the machine */
    struct sluice_domain *domains[DOMAINS];
    int of[DEVICES]; /* domain, or -1 */
    struct mapped map[DOMAINS][PAGES];
    struct sluice_pages blocks[BLOCKS];
    uint64_t random;
};

static uint64_t draw(struct oracle *oracle, uint64_t below)
{
    oracle->random = oracle->random * 6364136223846793005u + 1442695040888963407u;
    return (oracle->random >> 33) % below;
}

/* Slots near one another, and far apart: in one table, in neighbours, in different halves. */
static sluice_iova_t slot_iova(unsigned slot)
{
    static const sluice_iova_t bases[] = {0x40000000, 0x401fc000, 0x7f0000000, 0x7ffffffe0000};

    return bases[slot % 4] + (sluice_iova_t)(slot / 4) * SLOT_PAGES * SLUICE_PAGE_BYTES;
}

static sluice_iova_t page_iova(unsigned page)
{
    return slot_iova(page / SLOT_PAGES) + page % SLOT_PAGES * SLUICE_PAGE_BYTES;
}

static uint8_t block_byte(unsigned block)
{
    return (uint8_t)(0x41 + block);
}

static void begin(struct oracle *oracle, uint64_t seed)
{
    static const unsigned index[DEVICES] = {MACHINE_DEV_A, MACHINE_DEV_B, MACHINE_DEV_BELOW};
    static const uint16_t rids[DEVICES] = {SLUICE_RID(0, 3, 0), SLUICE_RID(0, 4, 0),
                                           SLUICE_RID(1, 0, 0)};
    struct scene_config config = scene_defaults();

    memset(oracle, 0, sizeof(*oracle));
    oracle->random = seed;
    config.machine.units[0].caching_mode = seed % 2 != 0;
    config.machine.amd_unit.np_cache = seed % 2 != 0;
    scene_start(&oracle->scene, &config);
    for (unsigned i = 0; i < DEVICES; i++) {
        oracle->index[i] = index[i];
        oracle->devices[i] = scene_device(&oracle->scene, rids[i]);
        oracle->of[i] = -1;
    }
    for (unsigned i = 0; i < DOMAINS; i++)
        oracle->domains[i] = scene_domain(&oracle->scene, SLUICE_DOMAIN_UNMANAGED);
    for (unsigned i = 0; i < BLOCKS; i++) {
        oracle->blocks[i] = model_host_buffer(oracle->scene.machine->host, 2, false);
        memset(oracle->blocks[i].virt, block_byte(i), SLOT_PAGES * SLUICE_PAGE_BYTES);
    }
}

static void end(struct oracle *oracle)
{
    for (unsigned i = 0; i < DEVICES; i++)
        scene_forget(oracle->devices[i]);
    for (unsigned i = 0; i < DOMAINS; i++)
        assert_int_equal(sluice_domain_destroy(oracle->domains[i]), SLUICE_OK);
    for (unsigned i = 0; i < BLOCKS; i++)
        model_host_buffer_free(oracle->scene.machine->host, oracle->blocks[i], 2);
    scene_finish(&oracle->scene);
}

/* One page as one device sees it. */
static void look(struct oracle *oracle, unsigned device, unsigned page)
{
    static const struct mapped nothing = {0, 0};
    int domain = oracle->of[device];
    const struct mapped *want = domain < 0 ? &nothing : &oracle->map[domain][page];
    struct dma_device *dma = oracle->scene.machine->devices[oracle->index[device]];
    sluice_iova_t at = page_iova(page) + draw(oracle, SLUICE_PAGE_BYTES);
    uint8_t byte = 0;
    bool read = dma_device_read(dma, at, &byte, 1, NULL);

    assert_true(read == (want->block_1 != 0 && (want->prot & SLUICE_PROT_READ) != 0));
    if (read)
        assert_int_equal(byte, block_byte(want->block_1 - 1));
    /* What it writes is what lies there, so that a stray one shows in no other place. */
    byte = want->block_1 != 0 ? block_byte(want->block_1 - 1) : 0;
    assert_true(dma_device_write(dma, at, &byte, 1, NULL) ==
                (want->block_1 != 0 && (want->prot & SLUICE_PROT_WRITE) != 0));
}

static void step_map(struct oracle *oracle)
{
    static const uint32_t prots[] = {SLUICE_PROT_READ, SCENE_READWRITE, SCENE_READWRITE};
    unsigned domain = (unsigned)draw(oracle, DOMAINS), slot = (unsigned)draw(oracle, SLOTS);
    unsigned block = (unsigned)draw(oracle, BLOCKS);
    uint32_t prot = prots[draw(oracle, 3)];
    struct mapped *pages = &oracle->map[domain][(size_t)slot * SLOT_PAGES];
    bool taken = false;
    enum sluice_status status =
        sluice_domain_map(oracle->domains[domain], slot_iova(slot), oracle->blocks[block].phys,
                          SLOT_PAGES * SLUICE_PAGE_BYTES, prot);

    for (unsigned i = 0; i < SLOT_PAGES; i++)
        taken = taken || pages[i].block_1 != 0;
    assert_int_equal(status, taken ? SLUICE_ERR_EXISTS : SLUICE_OK);
    for (unsigned i = 0; i < SLOT_PAGES && !taken; i++)
        pages[i] = (struct mapped){block + 1, prot};
}

/* A few pages, many, or so much that whole tables go. */
static void step_unmap(struct oracle *oracle)
{
    static const uint64_t widest_pages[] = {8, 8, 8, 100, 2000, 300000};
    unsigned domain = (unsigned)draw(oracle, DOMAINS);
    sluice_iova_t from = page_iova((unsigned)draw(oracle, PAGES));
    uint64_t pages = 1 + draw(oracle, widest_pages[draw(oracle, 6)]);
    sluice_iova_t to;

    if (draw(oracle, 4) == 0)
        from &= ~(((sluice_iova_t)1 << 21) - 1);
    to = from + pages * SLUICE_PAGE_BYTES;
    if (to > (sluice_iova_t)1 << 47)
        to = (sluice_iova_t)1 << 47;
    assert_int_equal(sluice_domain_unmap(oracle->domains[domain], from, to - from, NULL),
                     SLUICE_OK);
    for (unsigned i = 0; i < PAGES; i++) {
        if (page_iova(i) >= from && page_iova(i) < to)
            oracle->map[domain][i].block_1 = 0;
    }
}

static void step_move(struct oracle *oracle)
{
    unsigned device = (unsigned)draw(oracle, DEVICES);
    int domain = (int)draw(oracle, DOMAINS + 1) - 1;

    if (domain < 0)
        assert_int_equal(sluice_domain_detach(oracle->devices[device]), SLUICE_OK);
    else
        assert_int_equal(sluice_domain_attach(oracle->domains[domain], oracle->devices[device]),
                         SLUICE_OK);
    oracle->of[device] = domain;
}

static void step_sleep(struct oracle *oracle)
{
    assert_int_equal(sluice_suspend(oracle->scene.sluice), SLUICE_OK);
    assert_int_equal(sluice_resume(oracle->scene.sluice), SLUICE_OK);
}

static void run(uint64_t seed)
{
    static struct oracle oracle;

    begin(&oracle, seed);
    for (unsigned i = 0; i < STEPS; i++) {
        uint64_t what = draw(&oracle, 100);

        if (what < 50)
            step_map(&oracle);
        else if (what < 80)
            step_unmap(&oracle);
        else if (what < 99)
            step_move(&oracle);
        else
            step_sleep(&oracle);
        for (unsigned j = 0; j < 4; j++)
            look(&oracle, (unsigned)draw(&oracle, DEVICES), (unsigned)draw(&oracle, PAGES));
    }
    end(&oracle);
}

static void reach(void **state)
{
    uint64_t seed = test_seed(1);

    (void)state;
    print_message("# SLUICE_TEST_SEED=%llu\n", (unsigned long long)seed);
    run(seed);
    run(seed + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reach)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
