// SPDX-License-Identifier: MIT
/*
 * The DMA API with allocations failing: the first, the second, ... once and from then on, while it
 * is opened, and while each single function runs. What fails says NO_MEMORY, leaves nothing behind,
 * and works when it is called again. What ends a mapping needs no memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dma/dma.h"
#include "dma_world.h"

/* ---- while it is opened ---- */

/** One of everything; returns the first error. What it takes it gives back, whatever happens. */
static enum sluice_status everything(struct dma_world *world, sluice_phys_t phys)
{
    struct sluice_dma_segment segments[3] = {{phys, 100}, {phys + 5000, 50}, {phys + 9000, 3000}};
    struct sluice_dma_chunk chunks[8];
    struct sluice_dma_sg sg = {segments, 3, chunks, 8, 0};
    struct sluice_dma_buffer buffer;
    enum sluice_status result, status;
    sluice_iova_t address;

    result = sluice_dma_map(world->dma, phys + 10, 6000, BOTH, NULL, &address);
    if (result == SLUICE_OK)
        dma_unmap(world, address, 6000, BOTH);
    status = sluice_dma_map_sg(world->dma, &sg, BOTH, NULL);
    if (status == SLUICE_OK)
        assert_int_equal(sluice_dma_unmap_sg(world->dma, &sg, BOTH, NULL), SLUICE_OK);
    result = result == SLUICE_OK ? status : result;
    status = sluice_dma_alloc(world->dma, 3 * DMA_PAGE, 0, NULL, &buffer);
    if (status == SLUICE_OK)
        assert_int_equal(sluice_dma_free(world->dma, &buffer, NULL), SLUICE_OK);
    result = result == SLUICE_OK ? status : result;
    status = sluice_dma_map(world->dma, phys, (uint64_t)3 << 20, BOTH, NULL, &address);
    if (status == SLUICE_OK)
        dma_unmap(world, address, (uint64_t)3 << 20, BOTH);
    return result == SLUICE_OK ? status : result;
}

#define NEVER UINT64_MAX

/** Opens anew with the n-th allocation failing, does everything, closes; out: how many it asked
 * for.
 */
static bool fails_at(const struct dma_world_config *config, uint64_t nth, bool all_after,
                     uint64_t *out_asked)
{
    struct sluice_dma_config dma = config->dma;
    struct sluice_dma_bounce_info bounce;
    struct sluice_pages memory;
    enum sluice_status status;
    struct dma_world world;
    struct model_host *host;

    dma_world_start(&world, config);
    host = world.scene.machine->host;
    memory = dma_memory(&world, 2, 0x11);
    assert_int_equal(sluice_dma_close(world.dma), SLUICE_OK);
    world.dma = NULL;
    dma.device = world.device;
    *out_asked = model_host_allocations(host);
    if (nth != NEVER)
        model_host_fail_allocation(host, nth, all_after);
    status = sluice_dma_open(world.scene.sluice, &dma, &world.dma);
    if (status == SLUICE_OK)
        status = everything(&world, memory.phys);
    model_host_fail_no_more(host);
    *out_asked = model_host_allocations(host) - *out_asked;
    if (status != SLUICE_OK)
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
    if (world.dma == NULL)
        assert_int_equal(sluice_dma_open(world.scene.sluice, &dma, &world.dma), SLUICE_OK);
    assert_int_equal(everything(&world, memory.phys), SLUICE_OK);
    sluice_dma_bounce_info(world.scene.sluice, &bounce);
    assert_int_equal(bounce.used_bytes, 0);
    dma_memory_free(&world, memory, 2);
    dma_world_finish(&world); /* not a page, not an object is left */
    return status != SLUICE_OK;
}

/** Less memory to make each time. */
static struct dma_world_config small_world(void)
{
    struct dma_world_config config = dma_world_defaults();

    config.scene.machine.host.extents[0] = (struct model_extent){0x100000, 0x80000};
    return config;
}

/** Without memory from then on nothing works, save that the checking mode remembers less. */
static void expect_needed(const struct dma_world_config *config, uint64_t points, uint64_t failed)
{
    assert_int_equal(failed, points - config->check);
}

static void run_open(const struct dma_world_config *config)
{
    uint64_t points, asked;
    unsigned failed = 0;

    assert_false(fails_at(config, NEVER, false, &points));
    assert_in_range(points, 5, 100);
    for (uint64_t nth = 0; nth < points; nth++) {
        (void)fails_at(config, nth, false, &asked); /* there may be another way */
        failed += fails_at(config, nth, true, &asked);
    }
    expect_needed(config, points, failed);
}

static void test_out_of_memory(void **state)
{
    struct dma_world_config config = small_world();

    (void)state;
    run_open(&config);
    config.domain.lazy = true;
    run_open(&config);
    config.domain.lazy = false;
    config.check = true;
    run_open(&config);
    config.check = false;
    config.untrusted = true;
    run_open(&config);
}

/* ---- one function at a time ---- */

/** What a function works on. */
struct subject {
    struct dma_world world;
    struct sluice_pages memory;
    bool many; /**< unmapped with unmap_many */
    struct sluice_dma_chunk chunks[1];
    struct sluice_dma_segment segments[2];
    struct sluice_dma_chunk sg_chunks[8];
    struct sluice_dma_sg sg;
    struct sluice_dma_buffer buffer;
};

static enum sluice_status map_part(struct subject *subject)
{
    subject->chunks[0].bytes = 100;
    return sluice_dma_map(subject->world.dma, subject->memory.phys + 8, 100, BOTH, NULL,
                          &subject->chunks[0].address);
}

static enum sluice_status map_pages(struct subject *subject)
{
    subject->chunks[0].bytes = 9000;
    return sluice_dma_map(subject->world.dma, subject->memory.phys + 8, 9000, BOTH, NULL,
                          &subject->chunks[0].address);
}

static enum sluice_status map_list(struct subject *subject)
{
    subject->segments[0] = (struct sluice_dma_segment){subject->memory.phys + 8, 100};
    subject->segments[1] = (struct sluice_dma_segment){subject->memory.phys + 9000, 3000};
    subject->sg = (struct sluice_dma_sg){subject->segments, 2, subject->sg_chunks, 8, 0};
    return sluice_dma_map_sg(subject->world.dma, &subject->sg, BOTH, NULL);
}

static enum sluice_status map_device_memory(struct subject *subject)
{
    subject->chunks[0].bytes = 9000;
    return sluice_dma_map_mmio(subject->world.dma, subject->memory.phys, 9000, BOTH, NULL,
                               &subject->chunks[0].address);
}

static enum sluice_status alloc_buffer(struct subject *subject)
{
    return sluice_dma_alloc(subject->world.dma, 3 * DMA_PAGE, 0, NULL, &subject->buffer);
}

static enum sluice_status unmap(struct subject *subject)
{
    if (subject->many)
        return sluice_dma_unmap_many(subject->world.dma, subject->chunks, 1, BOTH, NULL);
    return sluice_dma_unmap(subject->world.dma, subject->chunks[0].address,
                            subject->chunks[0].bytes, BOTH, NULL);
}

static enum sluice_status unmap_list(struct subject *subject)
{
    return sluice_dma_unmap_sg(subject->world.dma, &subject->sg, BOTH, NULL);
}

static enum sluice_status unmap_device_memory(struct subject *subject)
{
    return sluice_dma_unmap_mmio(subject->world.dma, subject->chunks[0].address,
                                 subject->chunks[0].bytes, BOTH, NULL);
}

static enum sluice_status free_buffer(struct subject *subject)
{
    return sluice_dma_free(subject->world.dma, &subject->buffer, NULL);
}

static const struct pair {
    enum sluice_status (*begin)(struct subject *subject);
    enum sluice_status (*end)(struct subject *subject);
} pairs[] = {
    {map_part, unmap},           {map_pages, unmap},
    {map_list, unmap_list},      {map_device_memory, unmap_device_memory},
    {alloc_buffer, free_buffer},
};

static void expect_nothing_held(struct subject *subject)
{
    struct sluice_dma_domain_info domain;
    struct sluice_dma_bounce_info bounce;
    struct sluice_dma_info info;
    struct iova_stats iova;

    sluice_dma_trim(subject->world.scene.sluice); /* in a lazy domain addresses wait */
    iova_stats(subject->world.dma->space->iova, &iova);
    assert_int_equal(iova.live, 0);
    sluice_dma_info(subject->world.dma, &info);
    sluice_dma_bounce_info(subject->world.scene.sluice, &bounce);
    assert_int_equal(sluice_dma_domain_info(subject->world.domain, &domain), SLUICE_OK);
    assert_int_equal(info.usage.live + info.usage.bytes, 0);
    assert_int_equal(info.maps, info.unmaps);
    assert_int_equal(bounce.used_bytes + bounce.withheld_bytes, 0);
    assert_int_equal(domain.withheld_bytes, 0);
}

/** Whether the beginning failed; the end must not. out: how many allocations it asked for. */
static bool pair_fails_at(const struct dma_world_config *config, const struct pair *pair,
                          uint64_t nth, bool all_after, uint64_t *out_asked)
{
    static struct subject subject;
    enum sluice_status status;
    struct model_host *host;
    struct sluice_dma_info info;

    memset(&subject, 0, sizeof(subject));
    subject.many = all_after;
    dma_world_start(&subject.world, config);
    host = subject.world.scene.machine->host;
    subject.memory = dma_memory(&subject.world, 2, 0x11);
    *out_asked = model_host_allocations(host);
    if (nth != NEVER)
        model_host_fail_allocation(host, nth, all_after);
    status = pair->begin(&subject);
    model_host_fail_no_more(host);
    *out_asked = model_host_allocations(host) - *out_asked;
    sluice_dma_info(subject.world.dma, &info);
    assert_int_equal(info.failures, status != SLUICE_OK);
    if (status != SLUICE_OK) {
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
        expect_nothing_held(&subject);
        assert_int_equal(pair->begin(&subject), SLUICE_OK);
    }
    model_host_fail_allocation(host, 0, true);
    assert_int_equal(pair->end(&subject), SLUICE_OK);
    model_host_fail_no_more(host);
    expect_nothing_held(&subject);
    dma_memory_free(&subject.world, subject.memory, 2);
    dma_world_finish(&subject.world); /* not a page, not an object is left */
    return status != SLUICE_OK;
}

static void run_pairs(const struct dma_world_config *config)
{
    for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        unsigned failed = 0;
        uint64_t points, asked;

        assert_false(pair_fails_at(config, &pairs[i], NEVER, false, &points));
        assert_in_range(points, 1, 40);
        for (uint64_t nth = 0; nth < points; nth++) {
            (void)pair_fails_at(config, &pairs[i], nth, false, &asked);
            failed += pair_fails_at(config, &pairs[i], nth, true, &asked);
        }
        expect_needed(config, points, failed);
    }
}

static void test_each_function(void **state)
{
    struct dma_world_config config = small_world();

    (void)state;
    config.domain.lazy = true;
    run_pairs(&config);
    config.domain.lazy = false;
    config.check = true; /* and strict */
    run_pairs(&config);
    config.check = false;
    config.untrusted = true;
    run_pairs(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_each_function),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
