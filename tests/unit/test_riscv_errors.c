// SPDX-License-Identifier: MIT
/*
 * The RISC-V IOMMU driver when the hardware fails, one injected error at a time: the caller learns
 * of it, nothing is claimed that was not confirmed, no wait is endless.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "riscv_world.h"

#define injection struct riscv_model_injection

/* Completions are written where the unit snoops, else the head tells them. */
static void set_written(struct world_config *config, bool written)
{
    config->model.coherent = written;
    config->host.non_coherent = !written;
}

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

        set_written(&config, (i & 1) != 0);
        world_begin(&world, &config);
        world_inject(&world, (injection){.fence_stuck = i < 2, .queue_stuck = i >= 2});
        unmap_fails(&world, SLUICE_ERR_TIMEOUT);
        world_inject(&world, (injection){0});
        /* And it stays so: a late success of something else proves nothing. */
        assert_int_not_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
        assert_int_not_equal(world_attach(&world, 0, NULL), SLUICE_OK);
        assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_OK);
        assert_int_equal(riscv_model_mode(world.model), 0);
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
    for (unsigned written = 0; written < 2; written++) {
        struct world_config config = world_defaults();
        struct world world;
        const struct unit_invalidation all = {.link = &world.domains[0].link};
        struct unit_ticket tickets[300];

        config.model.queue_mode = RISCV_MODEL_AT_TICK;
        set_written(&config, written != 0);
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
static void refused_commands(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct world_config config = world_defaults();
        struct world world;

        set_written(&config, (i & 1) != 0);
        world_begin(&world, &config);
        world_inject(&world, (injection){.illegal_at = 1 + i / 2}); /* 2: the IOFENCE.C */
        unmap_fails(&world, SLUICE_ERR_HARDWARE);
        assert_true(model_host_logged(world.host, "illegal command"));
        recovered(&world);
        world_finish(&world);
    }
}

/* A memory fault once: what may not have been done is done again, and nobody notices. */
static void memory_fault_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct world_config config = world_defaults();
        struct riscv_model_stats before;
        struct world world;

        set_written(&config, (i & 1) != 0);
        world_begin(&world, &config);
        before = world_stats(&world);
        world_inject(&world, (injection){.memory_at = 1 + i / 2});
        assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
        assert_int_equal(world_reaches(&world, 0), -1);
        assert_false(world_degraded(&world));
        assert_true(model_host_logged(world.host, "could not be read"));
        /* The batch went through the queue twice. */
        assert_int_equal(world_stats(&world).fences, before.fences + 2);
        recovered(&world);
        world_finish(&world);
    }
}

/* One that stays is not cleared without end: no storm of interrupts, and everything has failed. */
static void memory_fault_always(void **state)
{
    struct world_config config = world_defaults();
    struct riscv_model_stats before, after;
    struct world world;

    (void)state;
    world_begin(&world, &config);
    before = world_stats(&world);
    world_inject(&world, (injection){.memory_at = 1, .memory_always = true});
    unmap_fails(&world, SLUICE_ERR_HARDWARE);
    (void)model_host_run_events(world.host);
    after = world_stats(&world);
    assert_true(after.interrupts - before.interrupts <= 3);
    assert_true(model_host_logged(world.host, "again at the same command"));
    assert_int_not_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    world_inject(&world, (injection){0});
    /* Only programming it again helps. */
    assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_OK);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    recovered(&world);
    world_finish(&world);
}

/* The batch before an error is not blamed, the one behind it is not lost. */
static void refused_between(void **state)
{
    (void)state;
    for (unsigned written = 0; written < 2; written++) {
        struct world_config config = world_defaults();
        struct world world;
        const struct unit_invalidation all = {.link = &world.domains[0].link};
        struct unit_ticket tickets[3];
        struct riscv_model_stats before;

        config.model.queue_mode = RISCV_MODEL_AT_TICK;
        set_written(&config, written != 0);
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
        assert_int_equal(world_stats(&world).inval_tag, before.inval_tag + 2);
        world_finish(&world);
    }
}

/* Nobody asked for the interrupt of a fence; it is put out, and the queue goes on. */
static void fence_interrupt(void **state)
{
    struct world_config config = world_defaults();
    struct unit_ring_batch batch;
    struct unit_ticket ticket;
    struct world world;

    (void)state;
    config.model.igs = 1;
    config.host.wired_events = true;
    world_begin(&world, &config);
    world_inject(&world, (injection){.fence_interrupt = true});
    assert_true(model_host_run_events(world.host) > 0);
    /* And one that was asked for. */
    unit_ring_begin(&riommu_of(world.unit)->ring, &batch);
    unit_ring_add(&batch, riommu_fence_wire());
    assert_int_equal(unit_ring_end(&batch, &ticket), SLUICE_OK);
    assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &ticket), SLUICE_OK);
    assert_true(model_host_run_events(world.host) > 0);
    for (unsigned i = 0; i < 8; i++)
        (void)model_host_mmio_read(world.host, world.desc.base + 0x48, 4);
    assert_int_equal(model_host_mmio_read(world.host, world.desc.base + 0x48, 4) >> 11 & 1, 0);
    (void)model_host_run_events(world.host);
    assert_int_equal(model_host_run_events(world.host), 0);
    assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
    recovered(&world);
    world_finish(&world);
}

/* An error that nobody waits for is seen by interrupt, by message or by wire. */
static void by_interrupt(void **state)
{
    (void)state;
    for (unsigned wired = 0; wired < 2; wired++) {
        struct world_config config = world_defaults();
        struct world world;
        const struct unit_invalidation all = {.link = &world.domains[0].link};
        struct unit_ticket ticket;

        config.host.wired_events = wired != 0;
        world_begin(&world, &config);
        world_inject(&world, (injection){.illegal_at = 1});
        assert_int_equal(world.unit->ops->invalidate_submit(world.unit, &all, &ticket), SLUICE_OK);
        assert_false(model_host_logged(world.host, "illegal command"));
        assert_true(model_host_run_events(world.host) > 0);
        assert_true(model_host_logged(world.host, "illegal command"));
        assert_int_equal(world.unit->ops->invalidate_wait(world.unit, &ticket),
                         SLUICE_ERR_HARDWARE);
        assert_int_equal(world_unmap(&world, &world.domains[0]), SLUICE_OK);
        recovered(&world);
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
    for (unsigned written = 0; written < 2; written++) {
        struct world_config config = device_config();
        struct world world;

        set_written(&config, written != 0);
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

/* A translated request of a device that may not make one. */
static void forged(void **state)
{
    struct world_config config = device_config();
    struct world world;
    uint8_t byte = 0;

    (void)state;
    config.host.no_events = true;
    world_begin(&world, &config);
    assert_true(dma_device_forge(world.devices[0], world.domains[1].page.phys, &byte, 1, false,
                                 NULL)); /* trusted: it may use ATS */
    world.sources[1].ats_enabled = false;
    assert_int_equal(world_attach(&world, 1, &world.domains[1]), SLUICE_OK);
    assert_false(
        dma_device_forge(world.devices[1], world.domains[1].page.phys, &byte, 1, false, NULL));
    assert_int_equal(world_drain(&world), 1);
    assert_int_equal(world.fault.reason, SLUICE_FAULT_REQUEST_TYPE);
    assert_int_equal(world.fault.hardware_code, RIOMMU_CAUSE_DISALLOWED);
    world_finish(&world);
}

/* ---- attaching, starting, stopping ---- */

static void attach_not_confirmed(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    world_begin(&world, &config);
    world_inject(&world, (injection){.fence_stuck = true});
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_ERR_TIMEOUT);
    assert_true(world_degraded(&world));
    riscv_model_evict(world.model);
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
    assert_true(riscv_model_contexts_cached(world.model) > 0);
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
        assert_int_equal(world.unit->started, status == SLUICE_OK);
        world_abandon(&world);
        if (status == SLUICE_OK)
            break;
        assert_true(at < 500);
    }
}

static void no_start(void **state)
{
    static const injection what[] = {
        {.stuck_ddtp = true}, {.stuck_queues = true}, {.queue_stuck = true}, {.fence_stuck = true}};

    (void)state;
    for (unsigned i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
        struct world_config config = world_defaults();
        struct world world;

        config.model.reset_mode = 1;
        world_init(&world, &config);
        world_probe(&world);
        world_inject(&world, what[i]);
        assert_int_equal(world.unit->ops->start(world.unit), SLUICE_ERR_TIMEOUT);
        assert_false(world.unit->started);
        assert_true(riscv_model_mode(world.model) <= 1);
        assert_int_equal(world.unit->exposed, i < 2);
        world_inject(&world, (injection){0});
        world_abandon(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(completion_never_comes),
        cmocka_unit_test(queue_full),
        cmocka_unit_test(queue_round_and_round),
        cmocka_unit_test(refused_commands),
        cmocka_unit_test(memory_fault_once),
        cmocka_unit_test(memory_fault_always),
        cmocka_unit_test(refused_between),
        cmocka_unit_test(fence_interrupt),
        cmocka_unit_test(by_interrupt),
        cmocka_unit_test(unanswered_once),
        cmocka_unit_test(unanswered_always),
        cmocka_unit_test(never_answers),
        cmocka_unit_test(forged),
        cmocka_unit_test(attach_not_confirmed),
        cmocka_unit_test(after_a_lost_invalidation),
        cmocka_unit_test(gone),
        cmocka_unit_test(no_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
