// SPDX-License-Identifier: MIT
/*
 * The DMA API on a unit that fails: each way to end a mapping, with each failure, from its first
 * effect on the first, second, ... descriptor or register access. Either the end is confirmed, and
 * then the device is out; or the caller is told, and then nothing is lent again: no address, no
 * bounce page, no page of a coherent buffer, and what is left is what was counted.
 *
 * On the model of a VT-d unit, which has the failures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/instance.h"
#include "dma_world.h"

#define MEMORY_ORDER 3u
#define ENTRIES      20u /* more than one invalidation serves where there are bounce pages */
#define OLD          0x31
#define NEW          0x62
#define AGAIN        300u /* more addresses than caches hold */

/* What is mapped while the unit fails: one part of a page each, or one buffer with two edges. */
struct victim {
    struct dma_world world;
    struct sluice_pages memory;
    struct sluice_dma_chunk chunks[ENTRIES];
    unsigned count;
    struct sluice_dma_segment segments[2];
    struct sluice_dma_chunk sg_chunks[4];
    struct sluice_dma_sg sg;
    struct sluice_dma_buffer buffer;
    uint64_t bounced_bytes; /**< in bounce pages before the failure */
};

/** One way to end mappings. */
struct way {
    const char *name;
    void (*begin)(struct victim *victim);
    enum sluice_status (*end)(struct victim *victim);
    bool writes; /**< the device writes NEW to the first byte, and it comes back on success */
    bool queues; /**< only in a lazy domain: ended before, what is confirmed here is the queue */
};

static void keep(struct victim *victim, sluice_phys_t offset, uint64_t bytes)
{
    victim->chunks[victim->count++] = (struct sluice_dma_chunk){
        dma_map(&victim->world, victim->memory.phys + offset, bytes, BOTH), bytes};
}

static void begin_one(struct victim *victim)
{
    keep(victim, 8, 100);
}

static void begin_long(struct victim *victim)
{
    keep(victim, 8, 3 * DMA_PAGE);
}

static void begin_many(struct victim *victim)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        keep(victim, 8 + i * 128, 100);
}

static enum sluice_status end_one(struct victim *victim)
{
    return sluice_dma_unmap(victim->world.dma, victim->chunks[0].address, victim->chunks[0].bytes,
                            BOTH, NULL);
}

static enum sluice_status end_many(struct victim *victim)
{
    return sluice_dma_unmap_many(victim->world.dma, victim->chunks, victim->count, BOTH, NULL);
}

static void begin_sg(struct victim *victim)
{
    victim->segments[0] = (struct sluice_dma_segment){victim->memory.phys + 8, 100};
    victim->segments[1] = (struct sluice_dma_segment){victim->memory.phys + 9000, 3000};
    victim->sg = (struct sluice_dma_sg){victim->segments, 2, victim->sg_chunks, 4, 0};
    assert_int_equal(sluice_dma_map_sg(victim->world.dma, &victim->sg, BOTH, NULL), SLUICE_OK);
    for (unsigned i = 0; i < victim->sg.chunk_count; i++)
        victim->chunks[victim->count++] = victim->sg_chunks[i];
}

static enum sluice_status end_sg(struct victim *victim)
{
    return sluice_dma_unmap_sg(victim->world.dma, &victim->sg, BOTH, NULL);
}

static void begin_coherent(struct victim *victim)
{
    assert_int_equal(sluice_dma_alloc(victim->world.dma, 3 * DMA_PAGE, 0, NULL, &victim->buffer),
                     SLUICE_OK);
    victim->chunks[victim->count++] =
        (struct sluice_dma_chunk){victim->buffer.address, victim->buffer.bytes};
}

static enum sluice_status end_coherent(struct victim *victim)
{
    return sluice_dma_free(victim->world.dma, &victim->buffer, NULL);
}

static void begin_queued(struct victim *victim)
{
    begin_many(victim);
    for (unsigned i = 0; i < victim->count; i++)
        dma_unmap(&victim->world, victim->chunks[i].address, victim->chunks[i].bytes, BOTH);
}

static enum sluice_status end_poll(struct victim *victim)
{
    model_host_clock_advance(victim->world.scene.machine->host, 1000000000);
    (void)sluice_dma_poll(victim->world.scene.sluice);
    return SLUICE_OK; /* there is nobody to tell: the counters must */
}

static enum sluice_status end_trim(struct victim *victim)
{
    sluice_dma_trim(victim->world.scene.sluice);
    return SLUICE_OK;
}

static const struct way ways[] = {
    {"unmap", begin_one, end_one, true, false},
    {"unmap of pages", begin_long, end_one, true, false},
    {"unmap_many", begin_many, end_many, true, false},
    {"unmap_sg", begin_sg, end_sg, true, false},
    {"free", begin_coherent, end_coherent, false, false},
    {"poll", begin_queued, end_poll, false, true},
    {"trim", begin_queued, end_trim, false, true},
};

/* ---- what has to hold afterwards ---- */

static struct sluice_dma_domain_info domain_of(struct victim *victim)
{
    struct sluice_dma_domain_info info;

    assert_int_equal(sluice_dma_domain_info(victim->world.domain, &info), SLUICE_OK);
    return info;
}

static struct sluice_dma_bounce_info bounce_of(struct victim *victim)
{
    struct sluice_dma_bounce_info info;

    sluice_dma_bounce_info(victim->world.scene.sluice, &info);
    return info;
}

/** The pages that the victims' addresses take. */
static uint64_t pages_bytes(const struct victim *victim)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < victim->count; i++) {
        uint64_t offset = victim->chunks[i].address & (DMA_PAGE - 1);

        sum += (offset + victim->chunks[i].bytes + DMA_PAGE - 1) & ~(DMA_PAGE - 1);
    }
    return sum;
}

/** Whether a page is one of the victims'. */
static bool is_theirs(const struct victim *victim, sluice_iova_t address)
{
    sluice_iova_t page = address & ~(DMA_PAGE - 1);

    for (unsigned i = 0; i < victim->count; i++) {
        const struct sluice_dma_chunk *chunk = &victim->chunks[i];

        if (page >= (chunk->address & ~(DMA_PAGE - 1)) && page < chunk->address + chunk->bytes)
            return true;
    }
    return false;
}

static void expect_confirmed(struct victim *victim, bool writes)
{
    assert_int_equal(domain_of(victim).withheld_bytes, 0);
    assert_int_equal(bounce_of(victim).used_bytes + bounce_of(victim).withheld_bytes, 0);
    for (unsigned i = 0; i < victim->count; i++)
        assert_int_equal(dma_reads(&victim->world, victim->chunks[i].address), -1);
    if (writes)
        assert_int_equal(((uint8_t *)victim->memory.virt)[8], NEW);
}

/** With `all`, nothing was confirmed; else some of several invalidations may have been. */
static void expect_withheld(struct victim *victim, bool all, uint64_t pages_before)
{
    struct sluice_dma_domain_info domain = domain_of(victim);
    struct sluice_dma_bounce_info bounce = bounce_of(victim);
    struct sluice_dma_info info;

    assert_in_range(domain.withheld_bytes, all ? pages_bytes(victim) : DMA_PAGE,
                    pages_bytes(victim));
    assert_int_equal(domain.queued, 0);
    assert_int_equal(bounce.used_bytes, bounce.withheld_bytes);
    if (all)
        assert_int_equal(bounce.withheld_bytes, victim->bounced_bytes);
    /* No page of the library's that a device may reach went back to the host. */
    assert_true(model_host_pages_in_use(victim->world.scene.machine->host) >= pages_before);
    sluice_dma_info(victim->world.dma, &info);
    assert_int_equal(info.usage.live + info.usage.bytes, 0);
    assert_int_equal(info.maps, info.unmaps);
}

/** Addresses that are withheld do not come again, and mapping goes on. */
static void expect_not_lent_again(struct victim *victim)
{
    struct sluice_dma_domain_info before = domain_of(victim);

    if (before.withheld_bytes != pages_bytes(victim))
        return; /* some were confirmed: those may come again */
    for (unsigned i = 0; i < AGAIN; i++)
        assert_false(
            is_theirs(victim, dma_map(&victim->world, victim->memory.phys, DMA_PAGE, BOTH)));
}

/* ---- one case ---- */

/** Ends it all. What the host does not get back is what the instance counted. */
static void finish(struct victim *victim, bool failed)
{
    struct scene *scene = &victim->world.scene;
    uint64_t counted;

    dma_memory_free(&victim->world, victim->memory, MEMORY_ORDER);
    if (!failed) {
        dma_world_finish(&victim->world);
        return;
    }
    if (sluice_dma_close(victim->world.dma) != SLUICE_OK) /* the addresses tried again are left */
        assert_true(model_host_logged(scene->machine->host, "its driver leaks"));
    if (sluice_domain_detach(victim->world.device) != SLUICE_OK)
        assert_null(sluice_device_domain(victim->world.device));
    assert_int_equal(sluice_device_remove(victim->world.device), SLUICE_OK);
    assert_int_equal(sluice_domain_destroy(victim->world.domain), SLUICE_OK);
    if (sluice_stop(scene->sluice) != SLUICE_OK)
        print_message("# the unit did not stop\n");
    counted = atomic_load(&scene->sluice->withheld_pages);
    assert_int_equal(sluice_destroy(scene->sluice), SLUICE_OK);
    assert_int_equal(model_host_violations_print(scene->machine->host), 0);
    assert_int_equal(model_host_pages_in_use(scene->machine->host), counted);
    (void)machine_destroy(scene->machine);
}

struct failure {
    const char *name;
    bool always; /**< nothing is ever confirmed, so success would be a lie */
    struct vtd_model_injection what;
};

/** What is being tried, for the report of a failure. */
static struct {
    const char *way; /**< NULL: nothing */
    struct failure failure;
} current;

static int tell(void **state)
{
    (void)state;
    if (current.way != NULL)
        print_message("# %s, %s, queue error at %llu, gone at %llu\n", current.way,
                      current.failure.name, (unsigned long long)current.failure.what.iqe_at,
                      (unsigned long long)current.failure.what.gone_at);
    current.way = NULL;
    return 0;
}

/** Returns whether it was confirmed although the unit failed, or would have. */
static bool try(const struct dma_world_config *config, const struct way *way,
                const struct failure *failure)
{
    const struct vtd_model_injection none = {0};
    static struct victim victim; /* too large for the stack */
    enum sluice_status status;
    uint64_t pages_before;
    uint8_t byte = NEW;
    bool confirmed;

    current.way = way->name;
    current.failure = *failure;
    memset(&victim, 0, sizeof(victim));
    dma_world_start(&victim.world, config);
    victim.memory = dma_memory(&victim.world, MEMORY_ORDER, OLD);
    way->begin(&victim);
    if (way->writes)
        assert_true(dma_device_write(victim.world.scene.machine->devices[MACHINE_DEV_A],
                                     victim.chunks[0].address, &byte, 1, NULL));
    /* Without a bounce page it is there at once. */
    byte = ((uint8_t *)victim.memory.virt)[8];
    pages_before = model_host_pages_in_use(victim.world.scene.machine->host);
    victim.bounced_bytes = bounce_of(&victim).used_bytes;
    vtd_model_inject(victim.world.scene.machine->units[0], &failure->what);
    status = way->end(&victim);
    vtd_model_inject(victim.world.scene.machine->units[0], &none);
    confirmed = status == SLUICE_OK && domain_of(&victim).withheld_bytes == 0;
    if (!way->queues && !confirmed)
        assert_true(status == SLUICE_ERR_TIMEOUT || status == SLUICE_ERR_HARDWARE);
    assert_false(confirmed && failure->always);
    if (confirmed) {
        expect_confirmed(&victim, way->writes);
    } else {
        expect_withheld(&victim, failure->always, pages_before);
        /* The device may still write there, so nothing is taken from there. */
        if (way->end == end_one || way->end == end_sg)
            assert_int_equal(((uint8_t *)victim.memory.virt)[8], byte);
        expect_not_lent_again(&victim);
    }
    finish(&victim, !confirmed);
    current.way = NULL;
    return confirmed;
}

/* ---- all cases ---- */

/** Each way, with a failure that lasts. */
static void run_lasting(const struct dma_world_config *config, const struct failure *failure)
{
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (ways[i].queues != config->domain.lazy && ways[i].end != end_coherent)
            continue; /* a lazy unmap waits for nothing that could fail */
        (void)try(config, &ways[i], failure);
    }
}

/** Each way, with a failure from the n-th event on; it was seen to matter at least once. */
static void run_counted(const struct dma_world_config *config, uint64_t limit, bool registers,
                        bool must_matter)
{
    unsigned failed = 0;

    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (ways[i].queues != config->domain.lazy && ways[i].end != end_coherent)
            continue;
        for (uint64_t nth = 1; nth <= limit; nth++) {
            const struct failure failure = {
                .name = registers ? "registers gone" : "queue error",
                .what = {.iqe_at = registers ? 0 : nth, .gone_at = registers ? nth : 0}};

            failed += !try(config, &ways[i], &failure);
        }
    }
    if (must_matter)
        assert_true(failed > 0);
}

static void run_all(const struct dma_world_config *config)
{
    const struct failure lost = {"no status", true, {.wait_never_written = true}};
    const struct failure stuck = {"queue stuck", true, {.queue_stuck = true}};

    run_lasting(config, &lost);
    run_lasting(config, &stuck);
    run_counted(config, 6, false, false); /* the driver repeats what an error aborted */
    run_counted(config, 6, true, true);
}

static void test_strict(void **state)
{
    const struct dma_world_config config = dma_world_defaults();

    (void)state;
    run_all(&config);
}

static void test_untrusted(void **state)
{
    struct dma_world_config config = dma_world_defaults();

    (void)state;
    config.untrusted = true;
    run_all(&config);
}

static void test_lazy(void **state)
{
    struct dma_world_config config = dma_world_defaults();

    (void)state;
    config.domain.lazy = true;
    run_all(&config);
}

static void test_checked(void **state)
{
    struct dma_world_config config = dma_world_defaults();

    (void)state;
    config.check = true;
    run_all(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_strict, tell),
        cmocka_unit_test_teardown(test_untrusted, tell),
        cmocka_unit_test_teardown(test_lazy, tell),
        cmocka_unit_test_teardown(test_checked, tell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
