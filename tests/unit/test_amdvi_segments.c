// SPDX-License-Identifier: MIT
/*
 * AMD-Vi device tables in segments, for hosts that have no 2 MiB in one piece: every entry of every
 * segment blocks before the unit sees it, each requester has its own, and a unit that firmware left
 * running is led to them and back without a gap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "amdvi_firmware.h"

#define TABLE_ALLOCATION 5u /* of a probe, from 0 */
#define BLOCKED          UINT64_C(3)
#define FILL             0x11
#define CONTROL          0x18u
#define SEGMENT1         0x100u

/* RAM without a piece of more than 2 MiB >> lg2: a page is missing in every second one. */
static void fragment(struct world *world, unsigned lg2)
{
    static const sluice_phys_t extents[] = {0x100000, 0x100000000}; /* of 16 MiB each */
    uint64_t piece = 0x200000ull >> lg2;

    for (unsigned i = 0; i < 2; i++) {
        for (uint64_t at = piece; at < 0x1200000; at += 2 * piece) {
            sluice_phys_t phys = (extents[i] & ~(2 * piece - 1)) + at;

            if (phys >= extents[i] && phys < extents[i] + 0x1000000)
                model_host_reserve(world->host, phys, SLUICE_PAGE_BYTES);
        }
    }
}

static unsigned segments_of(struct world *world)
{
    return 1u << (model_host_mmio_read(world->host, world->desc.base + CONTROL, 8) >> 34 & 7);
}

/* What a requester reads at WORLD_IOVA; -1: refused, by its entry and not for want of one. */
static int reads(struct world *world, uint16_t rid)
{
    const struct model_dma_request request = {.rid = rid, .address = WORLD_IOVA};
    struct model_dma_result result;
    uint8_t byte = 0;

    if (amdvi_model_dma(world->model, &request, &byte, 1, &result))
        return byte;
    assert_int_equal(result.reason, 2); /* IO_PAGE_FAULT */
    return -1;
}

static void begin(struct world *world, struct world_config *config, unsigned lg2)
{
    config->host.no_events = true;
    config->model.segments_lg2 = 3;
    world_init(world, config);
    fragment(world, lg2);
    world_probe(world);
    for (uint32_t rid = 0; rid < 0x10000; rid++)
        assert_int_equal(amdvi_entry_at(amdvi_of(world->unit), (uint16_t)rid)->word[0], BLOCKED);
    assert_int_equal(world_attach(world, 0, &world->domains[0]), SLUICE_OK);
    assert_int_equal(world->unit->ops->start(world->unit), SLUICE_OK);
    assert_int_equal(segments_of(world), 1u << lg2);
    assert_int_equal(world_reaches(world, 0), 0);
}

/* A requester in each segment, at its end: served, and nobody at the same place of another. */
static void each_has_its_own(void **state)
{
    (void)state;
    for (unsigned lg2 = 1; lg2 <= 3; lg2++) {
        struct world_config config = world_defaults();
        struct world world;

        begin(&world, &config, lg2);
        for (unsigned at = 0; at < 8; at++) {
            struct source source = {
                .id = at << 13 | 0x1fff, .users = 1, .unit = world.unit, .link = NULL};

            assert_int_equal(world.unit->ops->attach(world.unit, &source, SLUICE_NO_PASID,
                                                     &world.domains[0].link),
                             SLUICE_OK);
            source.link = &world.domains[0].link;
            for (unsigned other = 0; other < 8; other++)
                assert_int_equal(reads(&world, (uint16_t)(other << 13 | 0x1fff)),
                                 other == at ? FILL : -1);
            assert_int_equal(world.unit->ops->attach(world.unit, &source, SLUICE_NO_PASID, NULL),
                             SLUICE_OK);
            assert_int_equal(reads(&world, (uint16_t)source.id), -1);
        }
        assert_int_equal(reads(&world, 0), -1);
        world_finish(&world);
    }
}

/* Fewer segments than it would take: no table, and nothing is kept. */
static void too_few(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.model.segments_lg2 = 1;
    world_init(&world, &config);
    fragment(&world, 2);
    assert_int_equal(amdvi_unit_ops.probe(&world.sluice, &world.desc, &world.unit),
                     SLUICE_ERR_NO_MEMORY);
    assert_int_equal(model_host_pages_in_use(world.host), 0);
    assert_int_equal(model_host_objects_in_use(world.host), 0);
    world_abandon(&world);
}

/* Memory that runs out at any segment: fewer, or nothing, and none is lost. */
static void memory_runs_out(void **state)
{
    (void)state;
    for (unsigned nth = 0; nth < 20; nth++) {
        struct world_config config = world_defaults();
        struct world world;

        config.model.segments_lg2 = 3;
        world_init(&world, &config);
        fragment(&world, 2);
        model_host_fail_allocation(world.host, nth, true);
        if (amdvi_unit_ops.probe(&world.sluice, &world.desc, &world.unit) == SLUICE_OK)
            world.unit->ops->release(world.unit);
        assert_int_equal(model_host_pages_in_use(world.host), 0);
        assert_int_equal(model_host_objects_in_use(world.host), 0);
        world_abandon(&world);
    }
}

static void after_resume(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    begin(&world, &config, 2);
    assert_int_equal(world.unit->ops->suspend(world.unit), SLUICE_OK);
    amdvi_model_reset(world.model, false);
    assert_int_equal(world.unit->ops->resume(world.unit), SLUICE_OK);
    assert_int_equal(segments_of(&world), 4);
    assert_int_equal(world_reaches(&world, 0), 0);
    assert_int_equal(reads(&world, 0x8018), -1);
    assert_int_equal(world.unit->ops->stop(world.unit), SLUICE_OK);
    assert_int_equal(segments_of(&world), 1);
    world_finish(&world);
}

/* Registers that do not hold what is written: not started, and translation is as it was. */
static void dead_registers(void **state)
{
    struct world_config config = world_defaults();
    struct world world;

    (void)state;
    config.host.no_events = true;
    config.model.segments_lg2 = 1;
    world_init(&world, &config);
    fragment(&world, 1);
    world_probe(&world);
    world_inject(&world, (struct amdvi_model_injection){.dead_segments = true});
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_ERR_UNSUPPORTED);
    assert_false(amdvi_model_translating(world.model));
    assert_int_equal(segments_of(&world), 1);
    world_finish(&world);
}

/* ---- taking over ---- */

/* Firmware's table, in so many segments. */
static void firmware_segments(struct world *world, const struct firmware *firmware, unsigned lg2)
{
    for (unsigned i = 1; i >> lg2 == 0; i++)
        firmware_set(world, SEGMENT1 + (i - 1) * 8,
                     (firmware->table.phys + ((uint64_t)0x200000 >> lg2) * i) |
                         ((0x200u >> lg2) - 1));
    firmware_set(world, CONTROL, firmware_get(world, CONTROL) | (uint64_t)lg2 << 34);
}

struct takeover {
    struct world world;
    struct firmware firmware;
    struct sluice_pages secret;
    struct watch watch;
    struct source far;    /**< as device 0, with an entry in the last segment */
    unsigned far_refused; /**< times that it reached nothing, with translation on */
    bool far_outside;
};

#define FAR 0xe018u

static void look(void *arg, const struct model_mmio_event *event)
{
    struct takeover *takeover = arg;
    const struct model_dma_request request = {.rid = FAR, .address = WORLD_IOVA};
    uint8_t byte = 0;

    watch_on_write(&takeover->watch, event);
    amdvi_model_evict(takeover->world.model); /* hardware may forget at any time */
    if (!amdvi_model_dma(takeover->world.model, &request, &byte, 1, NULL))
        takeover->far_refused++;
    else if (byte != FILL && byte != 0x33)
        takeover->far_outside = true;
}

/* Firmware translates device 0 by a table in `theirs` segments; ours has two, or is in a piece. */
static void takeover_begin(struct takeover *takeover, unsigned theirs, bool ours)
{
    struct world_config config = world_defaults();
    struct world *world = &takeover->world;

    config.host.no_events = true;
    config.model.segments_lg2 = 3;
    world_init(world, &config);
    takeover->secret = model_host_buffer(world->host, 0, false);
    firmware_on(world, &takeover->firmware, true);
    memcpy((uint8_t *)takeover->firmware.table.virt + FAR * sizeof(struct amdvi_device_entry),
           (uint8_t *)takeover->firmware.table.virt +
               world->sources[0].id * sizeof(struct amdvi_device_entry),
           sizeof(struct amdvi_device_entry));
    firmware_segments(world, &takeover->firmware, theirs);
    amdvi_model_evict(world->model);
    if (ours)
        model_host_fail_allocation(world->host, TABLE_ALLOCATION, false);
    world_probe(world);
    model_host_fail_no_more(world->host);
    assert_int_equal(amdvi_of(world->unit)->segments_lg2, ours);
    assert_int_equal(world_reaches(world, 0), 2);
    assert_int_equal(world_attach(world, 0, &world->domains[0]), SLUICE_OK);
    takeover->far = (struct source){.id = FAR, .users = 1, .unit = world->unit};
    takeover->far_refused = 0;
    takeover->far_outside = false;
    assert_int_equal(world->unit->ops->attach(world->unit, &takeover->far, SLUICE_NO_PASID,
                                              &world->domains[0].link),
                     SLUICE_OK);
    takeover->far.link = &world->domains[0].link;
    takeover->watch =
        (struct watch){.world = world, .armed = true, .secret = takeover->secret.phys};
    model_host_set_mmio_hook(world->host, look, takeover);
}

static void takeover_end(struct takeover *takeover)
{
    struct world *world = &takeover->world;

    model_host_set_mmio_hook(world->host, NULL, NULL);
    assert_false(takeover->watch.outside);
    assert_false(takeover->far_outside);
    assert_int_equal(takeover->far_refused, 0);
    for (unsigned i = 0; i < takeover->watch.count; i++)
        assert_true(takeover->watch.translating[i]);
}

static void without_a_gap(void **state)
{
    static const struct {
        unsigned theirs;
        bool ours;
    } rows[] = {{0, true}, {1, true}, {1, false}, {3, false}};

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct takeover takeover;
        struct world *world = &takeover.world;

        takeover_begin(&takeover, rows[i].theirs, rows[i].ours);
        assert_int_equal(world->unit->ops->start(world->unit), SLUICE_OK);
        takeover_end(&takeover);
        assert_true(takeover.watch.old_seen > 0);
        assert_int_equal(takeover.watch.blocked_seen, 0);
        assert_int_equal(segments_of(world), rows[i].ours ? 2 : 1);
        assert_int_equal(world_reaches(world, 0), 0);
        assert_int_equal(reads(world, FAR), FILL);
        assert_int_equal(reads(world, 0x8018), -1);
        assert_int_equal(
            world->unit->ops->attach(world->unit, &takeover.far, SLUICE_NO_PASID, NULL), SLUICE_OK);
        firmware_free(world, &takeover.firmware);
        model_host_buffer_free(world->host, takeover.secret, 0);
        world_finish(world);
    }
}

/* Other numbers of segments: there is no way without a gap, so firmware's table stays. */
static void other_number(void **state)
{
    struct takeover takeover;
    struct world *world = &takeover.world;

    (void)state;
    takeover_begin(&takeover, 2, true);
    assert_int_equal(world->unit->ops->start(world->unit), SLUICE_ERR_UNSUPPORTED);
    takeover_end(&takeover);
    assert_true(model_host_logged(world->host, "cannot become 2 without a gap"));
    assert_int_equal(segments_of(world), 4);
    assert_int_equal(world_reaches(world, 0), 2);
    assert_false(world->unit->exposed);
    firmware_set(world, CONTROL, 0);
    firmware_free(world, &takeover.firmware);
    model_host_buffer_free(world->host, takeover.secret, 0);
    world_finish(world);
}

/* A start that fails behind the change: back to firmware's table. */
static void put_back(void **state)
{
    (void)state;
    for (unsigned theirs = 0; theirs < 2; theirs++) {
        struct takeover takeover;
        struct world *world = &takeover.world;

        takeover_begin(&takeover, theirs, true);
        world_inject(world, (struct amdvi_model_injection){.wait_never_written = true});
        assert_int_equal(world->unit->ops->start(world->unit), SLUICE_ERR_TIMEOUT);
        takeover_end(&takeover);
        assert_int_equal(segments_of(world), 1u << theirs);
        assert_int_equal(firmware_get(world, 0) & ~0xfffull, takeover.firmware.table.phys);
        assert_true(world->unit->exposed); /* nobody confirmed that our table was forgotten */
        amdvi_model_evict(world->model);
        assert_int_equal(world_reaches(world, 0), 2);
        world_abandon(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_its_own), cmocka_unit_test(too_few),
        cmocka_unit_test(memory_runs_out),  cmocka_unit_test(after_resume),
        cmocka_unit_test(dead_registers),   cmocka_unit_test(without_a_gap),
        cmocka_unit_test(other_number),     cmocka_unit_test(put_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
