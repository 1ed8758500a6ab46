// SPDX-License-Identifier: MIT
/*
 * What devices did wrong behind a RISC-V IOMMU, as faults: every record, lost ones, a log that
 * cannot be written, page requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "riscv_world.h"

static void touch(struct world *world, unsigned device, uint64_t address, bool write)
{
    uint8_t byte = 0;

    assert_false(write ? dma_device_write(world->devices[device], address, &byte, 1, NULL)
                       : dma_device_read(world->devices[device], address, &byte, 1, NULL));
}

static void faults(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 2; second++) {
        struct world_config config = world_defaults();
        struct pt_gather gather;
        struct world world;

        config.host.no_events = true;
        if (second != 0)
            config.model.sv39 = config.model.sv48 = config.model.sv57 = false;
        world_begin(&world, &config);
        touch(&world, 0, WORLD_IOVA + WORLD_PAGE_BYTES + 8, true);
        assert_int_equal(world_drain(&world), 1);
        assert_int_equal(world.fault.reason, SLUICE_FAULT_NOT_MAPPED);
        assert_int_equal(world.fault.access, SLUICE_ACCESS_WRITE);
        assert_int_equal(world.fault.source, world.sources[0].id);
        assert_int_equal(world.fault.address, WORLD_IOVA + WORLD_PAGE_BYTES + 8);
        assert_int_equal(world.fault.pasid, SLUICE_NO_PASID);
        assert_true(world.fault.address_valid && !world.fault.records_lost);
        pt_gather_init(&gather);
        assert_int_equal(world.domains[0].pt.format->map(
                             &world.domains[0].pt, WORLD_IOVA * 2, world.domains[0].page.phys,
                             SLUICE_PAGE_BYTES, SLUICE_PROT_READ, &gather),
                         SLUICE_OK);
        touch(&world, 0, WORLD_IOVA * 2, true);
        assert_int_equal(world_drain(&world), 1);
        assert_int_equal(world.fault.hardware_code,
                         second != 0 ? RIOMMU_CAUSE_WRITE_GUEST_PAGE : RIOMMU_CAUSE_WRITE_PAGE);
        /* Beyond the tables' width. */
        touch(&world, 0, UINT64_C(1) << 62, false);
        assert_int_equal(world_drain(&world), 1);
        assert_int_equal(world.fault.access, SLUICE_ACCESS_READ);
        assert_int_equal(world.fault.reason, SLUICE_FAULT_NOT_MAPPED);
        /* A device that was never attached. */
        touch(&world, 1, WORLD_IOVA, false);
        assert_int_equal(world_drain(&world), 1);
        assert_int_equal(world.fault.reason, SLUICE_FAULT_BLOCKED);
        assert_int_equal(world.fault.source, world.sources[1].id);
        /* Tables that cannot be read. */
        riscv_model_evict(world.model);
        world_inject(&world,
                     (struct riscv_model_injection){.bad_fetch = world.domains[0].pt.root_phys});
        touch(&world, 0, WORLD_IOVA, false);
        world_inject(&world, (struct riscv_model_injection){0});
        assert_int_equal(world_drain(&world), 1);
        assert_int_equal(world.fault.reason, SLUICE_FAULT_TABLE_ACCESS);
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
    world_begin(&world, &config);
    for (unsigned round = 0; round < 3; round++) {
        unsigned before = world.faults;

        for (unsigned i = 0; i < 140; i++)
            touch(&world, 0, WORLD_IOVA * 3, false);
        while (world_drain(&world) != 0)
            ;
        assert_int_equal(world.faults - before, 127);
        assert_true(world.fault.records_lost);
        /* The control takes a moment; an access of registers is what passes here. */
        for (unsigned i = 0; i < 4; i++)
            (void)world_drain(&world);
        touch(&world, 0, WORLD_IOVA * 3, false);
        assert_int_equal(world_drain(&world), 1);
        assert_false(world.fault.records_lost);
    }
    world_finish(&world);
}

/* A record that cannot be written: told with the next one. */
static void log_not_written(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.host.no_events = true;
    world_begin(&world, &config);
    world_inject(&world, (struct riscv_model_injection){.log_fails_at = 1});
    touch(&world, 0, WORLD_IOVA * 3, false);
    assert_int_equal(world_drain(&world), 0);
    assert_true(model_host_logged(world.host, "could not be written"));
    assert_false(world_degraded(&world));
    for (unsigned i = 0; i < 4; i++)
        (void)world_drain(&world);
    touch(&world, 0, WORLD_IOVA * 3, false);
    assert_int_equal(world_drain(&world), 1);
    assert_true(world.fault.records_lost);
    world_finish(&world);
}

/* Faults arrive by interrupt, each once, also while others arrive; by message, by wire, on PCI. */
static void fault_interrupts(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) {
        struct world_config config = world_defaults();
        struct world world;

        config.host.wired_events = kind == 1;
        config.model.pci = kind == 2;
        config.model.igs = kind == 2 ? 0 : 2;
        world_begin(&world, &config);
        for (unsigned i = 0; i < 200; i++)
            touch(&world, 0, WORLD_IOVA * 3, (i & 1) != 0);
        (void)model_host_run_events(world.host);
        assert_int_equal(world.faults, 200);
        assert_int_equal(world_drain(&world), 0);
        assert_int_equal(model_host_stray_msis(world.host), 0);
        world_finish(&world);
    }
}

/* Whatever a record says, it is taken and told as something. */
static void every_record(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.host.no_events = true;
    world_begin(&world, &config);
    for (unsigned cause = 0; cause < 4096; cause++) {
        const uint64_t record[4] = {cause | 0x77777ull << 12 | 1ull << 32 |
                                        (uint64_t)(cause % 64) << 34 | 0x123456ull << 40,
                                    UINT64_MAX, 0xabc000, UINT64_MAX};

        riscv_model_log(world.model, record);
        assert_int_equal(world_drain(&world), 1);
        assert_int_equal(world.fault.hardware_code, cause);
        assert_int_equal(world.fault.source, 0x123456);
        assert_int_equal(world.fault.pasid, 0x77777);
        assert_true(world.fault.reason < SLUICE_FAULT_REASON_COUNT);
        assert_non_null(world.fault.hardware_text);
        assert_string_equal(world.fault.hardware_text, riommu_cause_text(cause));
    }
    world_finish(&world);
}

/* Page requests are answered, the last of each group, and never left waiting. */
static void page_requests(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.model.ats = true;
    world_begin(&world, &config);
    for (unsigned i = 0; i < 50; i++)
        assert_true(
            riscv_model_page_request(world.model, 0x18, 0x1000ull * i, i / 2, (i & 1) != 0));
    (void)model_host_run_events(world.host);
    (void)world_drain(&world);
    assert_int_equal(world_stats(&world).responses, 25);
    world_finish(&world);
}

static bool request(struct world *world, unsigned group)
{
    return riscv_model_page_request(world->model, 0x18, 0x1000ull * group, group & 511, true);
}

/* The control takes a moment; an access of registers is what passes here. */
static void settle(struct world *world)
{
    for (unsigned i = 0; i < 6; i++)
        (void)world_drain(world);
}

/* More page requests than their queue holds, by polling and by interrupt: what is in it is
 * answered, and it goes on afterwards. What was lost the unit answers itself [2.7]. */
static void request_overflow(void **state)
{
    (void)state;
    for (unsigned polled = 0; polled < 2; polled++) {
        struct world_config config = world_defaults();
        struct world world;

        config.model.ats = true;
        config.host.no_events = polled != 0;
        world_begin(&world, &config);
        for (unsigned round = 0; round < 3; round++) {
            uint64_t before = world_stats(&world).responses;
            unsigned taken = 0;

            for (unsigned i = 0; i < 300; i++)
                taken += request(&world, i);
            assert_int_equal(taken, 255);
            (void)model_host_run_events(world.host);
            settle(&world);
            assert_int_equal(world_stats(&world).responses - before, 255);
            assert_true(request(&world, 1));
            (void)model_host_run_events(world.host);
            settle(&world);
            assert_int_equal(world_stats(&world).responses - before, 256);
        }
        assert_false(world_degraded(&world));
        world_finish(&world);
    }
}

/* One that cannot be written is lost, and the queue goes on. */
static void request_not_written(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.model.ats = true;
    world_begin(&world, &config);
    world_inject(&world, (struct riscv_model_injection){.request_fails_at = 2});
    assert_true(request(&world, 1));
    assert_false(request(&world, 2));
    assert_false(request(&world, 3)); /* until that is cleared */
    (void)model_host_run_events(world.host);
    settle(&world);
    assert_true(model_host_logged(world.host, "could not be written"));
    assert_int_equal(world_stats(&world).responses, 1);
    assert_true(request(&world, 4));
    (void)model_host_run_events(world.host);
    settle(&world);
    assert_int_equal(world_stats(&world).responses, 2);
    assert_false(world_degraded(&world));
    world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults),           cmocka_unit_test(overflow),
        cmocka_unit_test(log_not_written),  cmocka_unit_test(fault_interrupts),
        cmocka_unit_test(every_record),     cmocka_unit_test(page_requests),
        cmocka_unit_test(request_overflow), cmocka_unit_test(request_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
