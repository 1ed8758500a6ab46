// SPDX-License-Identifier: MIT
/*
 * Where the AMD-Vi driver's resources end: memory during an attach, domain IDs, room in the queue.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "amdvi_world.h"
#include "crowd.h"

/* ---- memory ---- */

static struct world_config device_tlb_config(void)
{
    struct world_config config = world_defaults();

    config.model.device_tlb = true;
    config.ats = true;
    return config;
}

/* Each allocation of a first attach fails once: nothing has changed, the device stays blocked. */
static void attach_no_memory(void **state)
{
    struct world_config config = device_tlb_config();
    struct world world;
    enum sluice_status status = SLUICE_ERR_NO_MEMORY;
    unsigned failures = 0;

    (void)state;
    world_init(&world, &config);
    world_probe(&world);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    for (unsigned nth = 0; status != SLUICE_OK; nth++) {
        uint64_t pages = model_host_pages_in_use(world.host);
        uint64_t objects = model_host_objects_in_use(world.host);

        assert_true(nth < 10);
        model_host_fail_allocation(world.host, nth, false);
        status = world_attach(&world, 0, &world.domains[0]);
        model_host_fail_no_more(world.host);
        if (status == SLUICE_OK)
            break;
        failures++;
        world.domains[0].link.ats_sources--; /* world_attach counted it before */
        assert_int_equal(status, SLUICE_ERR_NO_MEMORY);
        assert_int_equal(model_host_pages_in_use(world.host), pages);
        assert_int_equal(model_host_objects_in_use(world.host), objects);
        assert_int_equal(world_reaches(&world, 0), -1);
        assert_int_equal(atomic_load(&world.unit->degraded), 0);
    }
    assert_int_equal(failures, 1); /* what is kept for the device TLB */
    assert_int_equal(world_reaches(&world, 0), 0);
    world_finish(&world);
}

/* A switch without memory: still in the old domain, whose unmaps still reach the device TLB. */
static void switch_no_memory(void **state)
{
    struct world_config config = device_tlb_config();
    struct world world;
    struct source *source = &world.sources[0];
    uint64_t objects;

    (void)state;
    world_init(&world, &config);
    world_probe(&world);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    objects = model_host_objects_in_use(world.host);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 0);
    assert_true(dma_device_tlb_entries(world.devices[0]) > 0);
    model_host_fail_allocation(world.host, 0, false);
    assert_int_equal(
        world.unit->ops->attach(world.unit, source, SLUICE_NO_PASID, &world.domains[1].link),
        SLUICE_ERR_NO_MEMORY);
    model_host_fail_no_more(world.host);
    assert_int_equal(world_reaches(&world, 0), 0);
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), -1);
    /* What is kept for a device TLB goes with the domain. */
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_OK);
    assert_int_equal(model_host_objects_in_use(world.host), objects + 1);
    assert_int_equal(world_attach(&world, 0, NULL), SLUICE_OK);
    assert_int_equal(model_host_objects_in_use(world.host), objects);
    world_finish(&world);
}

/* A move that was not confirmed keeps the device TLB in mind as long as its domain lives. */
static void failed_switch_is_forgotten_with_the_domain(void **state)
{
    struct world_config config = device_tlb_config();
    struct world world;
    uint64_t objects;

    (void)state;
    world_init(&world, &config);
    world_probe(&world);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    objects = model_host_objects_in_use(world.host);
    world_inject(&world, (struct amdvi_model_injection){.wait_never_written = true});
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_ERR_TIMEOUT);
    assert_int_equal(model_host_objects_in_use(world.host), objects);
    assert_int_not_equal(world.unit->ops->link_close(world.unit, &world.domains[1].link),
                         SLUICE_OK);
    assert_int_equal(model_host_objects_in_use(world.host), objects - 1);
    world_abandon(&world);
}

/* A detach of which the device did not learn: the next domain is not entered with the old TLB. */
static void device_tlb_left_over(void **state)
{
    struct world_config config = device_tlb_config();
    struct world world;

    (void)state;
    world_init(&world, &config);
    world_probe(&world);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 0);
    /* Entry, pages, barrier, device TLB. */
    world_inject(&world, (struct amdvi_model_injection){.illegal_at = 4});
    assert_int_equal(world_attach(&world, 0, NULL), SLUICE_ERR_HARDWARE);
    world_inject(&world, (struct amdvi_model_injection){0});
    assert_true(dma_device_tlb_entries(world.devices[0]) > 0);
    assert_int_equal(world_reaches(&world, 0), -1);
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 1);
    world_finish(&world);
}

/* ---- domain IDs ---- */

/* What the erratum of an emulated unit leaves. */
#define FEW_IDS 256u

struct links {
    struct domain_link link[FEW_IDS];
    unsigned count;
};

/* Opens links until there are no IDs; each is another one, and none is 0. */
static void open_all(struct world *world, struct links *links)
{
    enum sluice_status status = SLUICE_OK;
    bool used[FEW_IDS] = {false};

    used[world->domains[0].link.tag] = used[world->domains[1].link.tag] = true;

    for (links->count = 0; status == SLUICE_OK; links->count++) {
        struct domain_link *link = &links->link[links->count];

        assert_true(links->count < FEW_IDS);
        *link = (struct domain_link){.unit = world->unit, .pt = &world->domains[0].pt};
        status = world->unit->ops->link_open(world->unit, link);
        if (status != SLUICE_OK)
            break;
        assert_true(link->tag > 0 && link->tag < FEW_IDS);
        assert_false(used[link->tag]);
        used[link->tag] = true;
    }
    assert_int_equal(status, SLUICE_ERR_NO_SPACE);
}

static void close_all(struct world *world, struct links *links)
{
    for (unsigned i = 0; i < links->count; i++)
        assert_int_equal(world->unit->ops->link_close(world->unit, &links->link[i]), SLUICE_OK);
}

static void begin_few(struct world *world)
{
    struct world_config config = world_defaults();

    config.model.subsystem = 0x11001af4;
    world_init(world, &config);
    world_probe(world);
    assert_int_equal(world->unit->ops->start(world->unit), SLUICE_OK);
    assert_int_equal(world->unit->caps.domains, FEW_IDS - 1);
}

static void domains_run_out(void **state)
{
    struct world world;
    struct links links;
    struct domain_link again;
    struct amdvi_model_stats before, after;

    (void)state;
    begin_few(&world);
    open_all(&world, &links);
    assert_int_equal(links.count, FEW_IDS - 3); /* 0 and the world's two */
    /* One comes back, after everything with its tag was invalidated and seen to be. */
    before = world_stats(&world);
    assert_int_equal(world.unit->ops->link_close(world.unit, &links.link[5]), SLUICE_OK);
    after = world_stats(&world);
    assert_int_equal(after.pages_everything - before.pages_everything, 1);
    assert_int_equal(after.waits - before.waits, 1);
    again = (struct domain_link){.unit = world.unit, .pt = &world.domains[0].pt};
    assert_int_equal(world.unit->ops->link_open(world.unit, &again), SLUICE_OK);
    assert_int_equal(again.tag, links.link[5].tag);
    links.link[5] = again;
    close_all(&world, &links);
    world_finish(&world);
}

/* What is cached with an ID is gone before the ID can be had again: seen in the IOTLB itself. */
static void reused_after_invalidation(void **state)
{
    struct world world;
    unsigned entries;
    uint32_t tag;

    (void)state;
    begin_few(&world);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world_attach(&world, 1, &world.domains[1]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 0);
    assert_int_equal(world_reaches(&world, 1), 1);
    entries = amdvi_model_iotlb_entries(world.model);
    /* The layers above detach first; here the ID is given back under the device's nose. */
    tag = world.domains[0].link.tag;
    assert_int_equal(world.unit->ops->link_close(world.unit, &world.domains[0].link), SLUICE_OK);
    assert_true(amdvi_model_iotlb_entries(world.model) < entries);
    assert_int_equal(world_reaches(&world, 1), 1);
    assert_int_equal(world.unit->ops->link_open(world.unit, &world.domains[0].link), SLUICE_OK);
    assert_int_not_equal(world.domains[0].link.tag, tag); /* an ID rests before it comes again */
    world_finish(&world);
}

/* An ID whose invalidation was not confirmed is never given out again. */
static void unconfirmed_is_lost(void **state)
{
    struct world world;
    struct links links;
    uint32_t lost;

    (void)state;
    begin_few(&world);
    open_all(&world, &links);
    lost = links.link[3].tag;
    world_inject(&world, (struct amdvi_model_injection){.wait_never_written = true});
    assert_int_equal(world.unit->ops->link_close(world.unit, &links.link[3]), SLUICE_ERR_TIMEOUT);
    assert_true(model_host_logged(world.host, "is not used again"));
    world_inject(&world, (struct amdvi_model_injection){0});
    /* The unit recovers by a restart; the ID does not. */
    assert_int_equal(world.unit->ops->suspend(world.unit), SLUICE_ERR_HARDWARE);
    assert_int_equal(world.unit->ops->resume(world.unit), SLUICE_OK);
    for (unsigned i = 0; i < links.count; i++) {
        if (i != 3)
            assert_int_equal(world.unit->ops->link_close(world.unit, &links.link[i]), SLUICE_OK);
    }
    open_all(&world, &links);
    assert_int_equal(links.count, FEW_IDS - 4);
    for (unsigned i = 0; i < links.count; i++)
        assert_int_not_equal(links.link[i].tag, lost);
    close_all(&world, &links);
    world_finish(&world);
}

/* ---- room in the queue ---- */

/*
 * 12 device TLBs, 8 ranges: 105 commands a time, thrice what the buffer holds before the first is
 * waited for. All of them are done, none is written over.
 */
static void queue_full_of_device_tlbs(void **state)
{
    struct world_config config = device_tlb_config();
    struct world world;
    struct crowd crowd;
    struct pt_gather gather;
    struct unit_invalidation invalidation = {.gather = &gather};
    struct unit_ticket tickets[6];
    struct amdvi_model_stats before, after;

    (void)state;
    config.model.queue_mode = AMDVI_MODEL_AT_TICK;
    world_init(&world, &config);
    world_probe(&world);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    crowd_attach(&world, &crowd, &world.domains[0].link);
    scatter(&gather);
    invalidation.link = &world.domains[0].link;
    before = world_stats(&world);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(world.unit->ops->invalidate_submit(world.unit, &invalidation, &tickets[i]),
                         SLUICE_OK);
    for (unsigned i = 6; i-- > 0;)
        assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[i]), SLUICE_OK);
    after = world_stats(&world);
    assert_int_equal(after.device_tlb - before.device_tlb, 6 * CROWD_DEVICES * PT_GATHER_RANGES);
    assert_int_equal(after.pages - before.pages, 6 * PT_GATHER_RANGES);
    for (unsigned i = 0; i < CROWD_DEVICES; i++)
        assert_int_equal(dma_device_tlb_entries(crowd.devices[i]), 0);
    assert_int_equal(atomic_load(&world.unit->degraded), 0);
    crowd_detach(&world, &crowd);
    world_finish(&world);
}

/* The same on a queue that stands still: an error in bounded time, and what was queued is whole. */
static void stuck_full_of_device_tlbs(void **state)
{
    struct world_config config = device_tlb_config();
    struct world world;
    struct crowd crowd;
    struct pt_gather gather;
    struct unit_invalidation invalidation = {.gather = &gather};
    struct unit_ticket tickets[6];
    enum sluice_status status = SLUICE_OK;
    unsigned count = 0;

    (void)state;
    world_init(&world, &config);
    world_probe(&world);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    crowd_attach(&world, &crowd, &world.domains[0].link);
    scatter(&gather);
    invalidation.link = &world.domains[0].link;
    world_inject(&world, (struct amdvi_model_injection){.queue_stuck = true});
    while (status == SLUICE_OK && count < 6)
        status = world.unit->ops->invalidate_submit(world.unit, &invalidation, &tickets[count++]);
    assert_int_equal(status, SLUICE_ERR_TIMEOUT);
    assert_int_equal(count, 3); /* two fit */
    for (unsigned i = 0; i + 1 < count; i++)
        assert_int_not_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[i]), SLUICE_OK);
    assert_true(atomic_load(&world.unit->degraded) != 0);
    assert_int_equal(model_host_violations_print(world.host), 0);
    crowd_destroy(&crowd);
    world_abandon(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attach_no_memory),
        cmocka_unit_test(switch_no_memory),
        cmocka_unit_test(failed_switch_is_forgotten_with_the_domain),
        cmocka_unit_test(device_tlb_left_over),
        cmocka_unit_test(domains_run_out),
        cmocka_unit_test(reused_after_invalidation),
        cmocka_unit_test(unconfirmed_is_lost),
        cmocka_unit_test(queue_full_of_device_tlbs),
        cmocka_unit_test(stuck_full_of_device_tlbs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
