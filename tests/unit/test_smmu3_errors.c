// SPDX-License-Identifier: MIT
/*
 * The SMMUv3 driver when the hardware fails, one injected error at a time: the caller learns of it,
 * nothing is claimed that was not confirmed, no wait is endless. And what devices did wrong, as
 * faults.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "smmu3_world.h"

#define injection struct smmu3_model_injection

/* An unmap that the unit does not confirm: error, degraded, tables kept. */
static void unmap_fails(struct world *world, enum sluice_status want)
{
    uint64_t tables = atomic_load(&world->domains[0].pt.table_pages);

    assert_int_equal(world_unmap(world, &world->domains[0]), want);
    assert_true(world_degraded(world));
    assert_int_equal(atomic_load(&world->domains[0].pt.table_pages), tables);
}

static void recovered(struct world *world)
{
    assert_int_equal(world_map(world, &world->domains[0]), SLUICE_OK);
    assert_int_equal(world_unmap(world, &world->domains[0]), SLUICE_OK);
    assert_int_equal(world_reaches(world, 0), -1);
    assert_int_equal(world_attach(world, 0, &world->domains[1]), SLUICE_OK);
    assert_int_equal(world_reaches(world, 0), 1);
}

static void completion_never_comes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct world_config config = world_defaults();
        struct world world;

        config.model.messages = (i & 1) != 0;
        world_begin(&world, &config);
        world_inject(&world, (injection){.sync_stuck = i < 2, .queue_stuck = i >= 2});
        unmap_fails(&world, SLUICE_ERR_TIMEOUT);
        world_inject(&world, (injection){0});
        /* And it stays so: a late success of something else proves nothing. */
        assert_int_not_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
        assert_int_not_equal(world_attach(&world, 0, NULL), SLUICE_OK);
        assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_OK);
        assert_false(smmu3_model_translating(world.model));
        world_abandon(&world);
    }
}

/* A queue that does not move fills: submitting fails in bounded time, and never overruns. */
static void queue_full(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    const struct unit_invalidation all = {.link = &world.domains[0].link};
    struct unit_ticket tickets[200];
    enum sluice_status status = SLUICE_OK;
    unsigned count = 0;

    (void)state;
    config.model.messages = false;
    world_begin(&world, &config);
    world_inject(&world, (injection){.queue_stuck = true});
    while (status == SLUICE_OK && count < 200)
        status = world.unit->ops->invalidate_submit(world.unit, &all, &tickets[count++]);
    assert_int_equal(status, SLUICE_ERR_TIMEOUT);
    assert_true(count > 32);
    for (unsigned i = 0; i + 1 < count; i++)
        assert_int_not_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[i]), SLUICE_OK);
    assert_int_equal(model_host_violations_print(world.host), 0);
    world_abandon(&world);
}

/* Full, but moving: everything is confirmed, many times round the queue. */
static void queue_round_and_round(void **state)
{
    (void)state;
    for (unsigned messages = 0; messages < 2; messages++) {
        struct world_config config = world_defaults();
        struct world world;
        const struct unit_invalidation all = {.link = &world.domains[0].link};
        struct unit_ticket tickets[300];

        config.model.queue_mode = SMMU3_MODEL_AT_TICK;
        config.model.messages = messages != 0;
        world_begin(&world, &config);
        for (unsigned round = 0; round < 4; round++) {
            for (unsigned i = 0; i < 300; i++)
                assert_int_equal(world.unit->ops->invalidate_submit(world.unit, &all, &tickets[i]),
                                 SLUICE_OK);
            for (unsigned i = 300; i-- > 0;)
                assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[i]),
                                 SLUICE_OK);
        }
        world_finish(&world);
    }
}

/* The command is taken out, its batch has failed, and what comes later goes on. */
static void refused(injection what, const char *says, bool messages)
{
    struct world_config config = world_defaults();
    struct world world;

    config.model.messages = messages;
    world_begin(&world, &config);
    world_inject(&world, what);
    unmap_fails(&world, SLUICE_ERR_HARDWARE);
    assert_true(model_host_logged(world.host, says));
    recovered(&world);
    world_finish(&world);
}

static void refused_commands(void **state)
{
    (void)state;
    for (unsigned messages = 0; messages < 2; messages++) {
        refused((injection){.illegal_at = 1}, "illegal command", messages != 0);
        refused((injection){.illegal_at = 2}, "illegal command", messages != 0); /* CMD_SYNC */
        refused((injection){.abort_at = 1}, "could not be read", messages != 0);
        refused((injection){.abort_at = 2}, "could not be read", messages != 0);
    }
}

/* The batch before an error is not blamed, the one behind it is not lost. */
static void refused_between(void **state)
{
    (void)state;
    for (unsigned messages = 0; messages < 2; messages++) {
        struct world_config config = world_defaults();
        struct world world;
        const struct unit_invalidation all = {.link = &world.domains[0].link};
        struct unit_ticket tickets[3];
        struct smmu3_model_stats before;

        config.model.queue_mode = SMMU3_MODEL_AT_TICK;
        config.model.messages = messages != 0;
        world_begin(&world, &config);
        world_inject(&world, (injection){.illegal_at = 3});
        before = world_stats(&world);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(world.unit->ops->invalidate_submit(world.unit, &all, &tickets[i]),
                             SLUICE_OK);
        assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[2]), SLUICE_OK);
        assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[1]),
                         SLUICE_ERR_HARDWARE);
        assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &tickets[0]), SLUICE_OK);
        assert_int_equal(world_stats(&world).tlbi_tag, before.tlbi_tag + 2);
        world_finish(&world);
    }
}

/* ---- device TLBs ---- */

static struct world_config device_config(void)
{
    struct world_config config = world_defaults();

    config.model.ats = true;
    config.ats = true;
    return config;
}

static void unanswered_once(void **state)
{
    (void)state;
    for (unsigned messages = 0; messages < 2; messages++) {
        struct world_config config = device_config();
        struct world world;

        config.model.messages = messages != 0;
        world_begin(&world, &config);
        assert_true(dma_device_tlb_entries(world.devices[0]) > 0);
        world_inject(&world, (injection){.timeout_at = 1});
        assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
        assert_int_equal(world_stats(&world).atc, 2);
        assert_int_equal(dma_device_tlb_entries(world.devices[0]), 0);
        assert_int_equal(world_reaches(&world, 0), -1);
        world_finish(&world);
    }
}

static void unanswered_always(void **state)
{
    struct world_config config = device_config();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.timeout_at = 1, .timeouts = 100});
    unmap_fails(&world, SLUICE_ERR_HARDWARE);
    assert_true(dma_device_tlb_entries(world.devices[0]) > 0);
    assert_int_equal(world_attach(&world, 0, NULL), SLUICE_ERR_HARDWARE);
    world_abandon(&world);
}

static void never_answers(void **state)
{
    struct world_config config = device_config();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    dma_device_withhold(world.devices[0], true);
    unmap_fails(&world, SLUICE_ERR_TIMEOUT);
    world_abandon(&world);
}

/* ---- attaching, starting, stopping ---- */

static void attach_not_confirmed(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.sync_stuck = true});
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_ERR_TIMEOUT);
    assert_true(world_degraded(&world));
    smmu3_model_evict(world.model);
    assert_int_equal(world_reaches(&world, 0), -1); /* blocked, not in the new domain */
    world_abandon(&world);
}

/* A detach that did nothing: what the unit still holds is of no use after the next attach. */
static void after_a_lost_invalidation(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.illegal_at = 1});
    assert_int_equal(world_attach(&world, 0, NULL), SLUICE_ERR_HARDWARE);
    assert_true(smmu3_model_streams_cached(world.model) > 0);
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 1);
    world_finish(&world);
}

static void gone(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.gone_at = 1});
    unmap_fails(&world, SLUICE_ERR_HARDWARE);
    assert_int_equal(world_drain(&world), 0);
    assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_ERR_HARDWARE);
    assert_true(world.unit->exposed);
    world_abandon(&world);
    /* At every access of a start: an error, and memory that may be in use is not given back. */
    for (unsigned at = 1;; at++) {
        enum sluice_status status;

        world_init(&world, &config);
        world_probe(&world);
        world_inject(&world, (injection){.gone_at = at});
        status = world.unit->ops->start(world.unit);
        if (status != SLUICE_OK)
            assert_int_equal(status, SLUICE_ERR_HARDWARE);
        world_abandon(&world);
        if (status == SLUICE_OK)
            break;
        assert_true(at < 500);
    }
}

static void no_start(void **state)
{
    static const injection what[] = {
        {.stuck_cr0 = true}, {.stuck_gbpa = true}, {.queue_stuck = true}, {.sync_stuck = true}};

    (void)state;
    for (unsigned i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
        struct world_config config = world_defaults();
        struct world world;

        world_init(&world, &config);
        world_probe(&world);
        world_inject(&world, what[i]);
        assert_int_equal(world.unit->ops->start(world.unit), SLUICE_ERR_TIMEOUT);
        assert_false(world.unit->started);
        assert_false(smmu3_model_translating(world.model));
        assert_int_equal(world.unit->exposed, i < 2);
        world_inject(&world, (injection){0});
        world_abandon(&world);
    }
}

static void global_errors(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.gerror = 1u << 8});
    (void)model_host_run_events(world.host);
    assert_true(model_host_logged(world.host, "service failure mode"));
    assert_int_not_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    world_abandon(&world);
}

/* ---- faults ---- */

static void touch(struct world *world, unsigned device, uint64_t address, bool write)
{
    uint8_t byte = 0;

    assert_false(write ? dma_device_write(world->devices[device], address, &byte, 1, NULL)
                       : dma_device_read(world->devices[device], address, &byte, 1, NULL));
}

/* Protection is as it was, so the unit is not degraded; the next record says that some are missing.
 */
static void events_that_could_not_be_written(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.host.no_events = true;
    world_begin(&world, &config);
    world_inject(&world, (injection){.gerror = 1u << 2});
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    smmu3_errors_look(smmu3_of(world.unit));
    assert_true(model_host_logged(world.host, "an event could not be written"));
    assert_false(world_degraded(&world));
    for (unsigned i = 0; i < 2; i++) {
        touch(&world, 0, WORLD_IOVA + WORLD_PAGE_BYTES + 8, true);
        assert_int_equal(world_drain(&world), 1);
        assert_int_equal(world.fault.records_lost, i == 0);
    }
    world_finish(&world);
}

static void faults(void **state)
{
    (void)state;
    for (unsigned stage2 = 0; stage2 < 2; stage2++) {
        struct world_config config = world_defaults();
        struct pt_gather gather;
        struct world world;

        config.host.no_events = true;
        config.model.stage1 = stage2 == 0;
        world_begin(&world, &config);
        touch(&world, 0, WORLD_IOVA + WORLD_PAGE_BYTES + 8, true);
        assert_int_equal(world_drain(&world), 1);
        assert_int_equal(world.fault.reason, SLUICE_FAULT_NOT_MAPPED);
        assert_int_equal(world.fault.access, SLUICE_ACCESS_WRITE);
        assert_int_equal(world.fault.source, world.sources[0].id);
        assert_int_equal(world.fault.address, WORLD_IOVA + WORLD_PAGE_BYTES + 8);
        assert_true(world.fault.address_valid && !world.fault.records_lost);
        /* Alone, stage 2 is asked for what the device asked for. */
        assert_int_equal(world.fault.intermediate_valid, stage2);
        assert_int_equal(world.fault.intermediate, stage2 ? WORLD_IOVA + WORLD_PAGE_BYTES : 0);
        assert_false(world.fault.intermediate_of_walk);
        pt_gather_init(&gather);
        assert_int_equal(world.domains[0].pt.format->map(
                             &world.domains[0].pt, WORLD_IOVA * 2, world.domains[0].page.phys,
                             SLUICE_PAGE_BYTES, SLUICE_PROT_READ, &gather),
                         SLUICE_OK);
        touch(&world, 0, WORLD_IOVA * 2, true);
        assert_int_equal(world_drain(&world), 1);
        assert_int_equal(world.fault.reason, SLUICE_FAULT_WRITE_DENIED);
        /* A stream that was never attached near: the unit knows no entry for it. */
        {
            const struct model_dma_request request = {.rid = 0x8000, .address = WORLD_IOVA};
            uint8_t byte;

            assert_false(smmu3_model_dma(world.model, &request, &byte, 1, NULL));
        }
        assert_int_equal(world_drain(&world), 1);
        assert_int_equal(world.fault.reason, SLUICE_FAULT_BLOCKED);
        assert_int_equal(world.fault.source, 0x8000);
        assert_false(world.fault.address_valid);
        /* One with an aborting entry: no event. */
        touch(&world, 1, WORLD_IOVA, false);
        assert_int_equal(world_drain(&world), 0);
        /* Tables that cannot be read. */
        smmu3_model_evict(world.model);
        world_inject(&world, (injection){.bad_fetch = world.domains[0].pt.root_phys});
        touch(&world, 0, WORLD_IOVA, false);
        world_inject(&world, (injection){0});
        assert_int_equal(world_drain(&world), 1);
        assert_int_equal(world.fault.reason, SLUICE_FAULT_TABLE_ACCESS);
        world_finish(&world);
    }
}

/* Stalled accesses are ended, each of them; by interrupt too. */
static void stalled(void **state)
{
    (void)state;
    for (unsigned stage2 = 0; stage2 < 2; stage2++) {
        struct world_config config = world_defaults();
        struct world world;

        config.model.stall = 2;
        config.model.stage1 = stage2 == 0;
        world_begin(&world, &config);
        for (unsigned i = 0; i < 40; i++)
            touch(&world, 0, WORLD_IOVA * 3, (i & 1) != 0);
        (void)model_host_run_events(world.host);
        (void)world_drain(&world);
        assert_int_equal(world.faults, 40);
        assert_int_equal(world_stats(&world).stalled, 0);
        assert_int_equal(world_stats(&world).resumes, 40);
        world_finish(&world);
    }
}

/* More than the queue holds: what was lost is told, and it goes on afterwards. */
static void overflow(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.host.no_events = true;
    config.model.event_lg2 = 4;
    world_begin(&world, &config);
    for (unsigned round = 0; round < 3; round++) {
        unsigned before = world.faults;

        for (unsigned i = 0; i < 20; i++)
            touch(&world, 0, WORLD_IOVA * 3, false);
        while (world_drain(&world) != 0)
            ;
        assert_int_equal(world.faults - before, 16);
        assert_true(world.fault.records_lost);
        touch(&world, 0, WORLD_IOVA * 3, false);
        assert_int_equal(world_drain(&world), 1);
        assert_false(world.fault.records_lost);
    }
    world_finish(&world);
}

/* Events of stage 2 that name the intermediate address [SMMU 7.3]. */
static bool tells_ipa(unsigned type)
{
    return (type >= 0x10 && type <= 0x13) || type == 0x20;
}

/* What single records say that is not like the others. */
static void odd_events(void **state)
{
    const struct smmu3_event hint = {{0x24, UINT64_C(0x7f) << 33, 0x5000, 0}};
    const struct smmu3_event bad_substream = {{0x08 | 0x123u << 12}};
    struct sluice_fault fault;

    (void)state;
    /* Its bits say what will be wanted, not what was done. */
    smmu3_event_decode(&hint, &fault);
    assert_int_equal(fault.access, SLUICE_ACCESS_UNKNOWN);
    assert_false(fault.privileged);
    assert_true(fault.address_valid && fault.address == 0x5000);
    /* It has no flag that the substream ID is valid: it is. */
    smmu3_event_decode(&bad_substream, &fault);
    assert_int_equal(fault.pasid, 0x123);
}

/* Whatever a record says, it is taken and told as something. */
static void every_event(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.host.no_events = true;
    config.model.stall = 0;
    world_begin(&world, &config);
    for (unsigned type = 0; type < 256; type++) {
        const uint64_t event[4] = {type | 0x123456ull << 32 | 1u << 11 | 0x7777u << 12, UINT64_MAX,
                                   0xabc000, UINT64_MAX};

        smmu3_model_log(world.model, event);
        assert_int_equal(world_drain(&world), 1);
        assert_int_equal(world.fault.hardware_code, type);
        assert_int_equal(world.fault.source, 0x123456);
        assert_int_equal(world.fault.pasid, 0x7777);
        assert_int_equal(world.fault.intermediate_valid, tells_ipa(type));
        assert_int_equal(world.fault.intermediate, tells_ipa(type) ? 0x00fffffffffff000 : 0);
        assert_int_equal(world.fault.intermediate_of_walk, tells_ipa(type) && type != 0x20);
        assert_true(world.fault.reason < SLUICE_FAULT_REASON_COUNT);
        assert_non_null(world.fault.hardware_text);
    }
    assert_int_equal(world_stats(&world).resumes, 4); /* the four that can stall */
    world_finish(&world);
}

/* Page requests are answered, the last of each group, and never left waiting. */
static void page_requests(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.model.pri = true;
    world_begin(&world, &config);
    for (unsigned i = 0; i < 50; i++)
        assert_true(
            smmu3_model_page_request(world.model, 0x18, 0x1000ull * i, i / 2, (i & 1) != 0));
    (void)model_host_run_events(world.host);
    (void)world_drain(&world);
    assert_int_equal(world_stats(&world).responses, 25);
    world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(completion_never_comes),
        cmocka_unit_test(queue_full),
        cmocka_unit_test(queue_round_and_round),
        cmocka_unit_test(refused_commands),
        cmocka_unit_test(refused_between),
        cmocka_unit_test(unanswered_once),
        cmocka_unit_test(unanswered_always),
        cmocka_unit_test(never_answers),
        cmocka_unit_test(attach_not_confirmed),
        cmocka_unit_test(after_a_lost_invalidation),
        cmocka_unit_test(gone),
        cmocka_unit_test(no_start),
        cmocka_unit_test(global_errors),
        cmocka_unit_test(events_that_could_not_be_written),
        cmocka_unit_test(faults),
        cmocka_unit_test(stalled),
        cmocka_unit_test(overflow),
        cmocka_unit_test(odd_events),
        cmocka_unit_test(every_event),
        cmocka_unit_test(page_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
