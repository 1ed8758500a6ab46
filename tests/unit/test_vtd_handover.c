// SPDX-License-Identifier: MIT
/*
 * No open window while the VT-d driver starts, switches and resumes: a device does DMA at every
 * register write and must never reach more than the old or the new tables allow. And the order of
 * the writes, and several threads at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "vtd_firmware.h"

static void handover(bool queue, bool avoid_queues, bool attach_first)
{
    struct world_config config = world_defaults();
    struct world world;
    struct firmware firmware;
    struct watch watch = {.world = &world, .armed = true};
    struct sluice_pages secret;

    config.avoid_queues = avoid_queues;
    config.host.no_events = true;
    world_init(&world, &config);
    secret = model_host_buffer(world.host, 0, false);
    watch.secret = secret.phys;
    firmware_on(&world, &firmware, queue);
    world_probe(&world);
    assert_int_equal(world_reaches(&world, 0), 2);
    if (attach_first)
        assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    model_host_set_mmio_hook(world.host, watch_on_write, &watch);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_false(watch.outside);
    assert_true(watch.old_seen > 0); /* the watcher saw firmware's tables work */
    if (attach_first)
        assert_int_equal(watch.blocked_seen, 0); /* and no moment without either */
    for (unsigned i = 0; i < watch.count; i++)
        assert_true(watch.translating[i]); /* translation was never off */
    /* Nothing of firmware's is left, cached or not. */
    assert_int_equal(world_reaches(&world, 0), attach_first ? 0 : -1);
    model_host_set_mmio_hook(world.host, NULL, NULL);
    memset(firmware.page.virt, 0, SLUICE_PAGE_BYTES);
    firmware_free(&world, &firmware);
    model_host_buffer_free(world.host, secret, 0);
    world_finish(&world);
}

static void handover_registers(void **state)
{
    (void)state;
    handover(false, false, true);
    handover(false, true, true);
}

static void handover_queue(void **state)
{
    (void)state;
    handover(true, false, true);
    handover(true, true, true);
}

static void handover_blocks_the_rest(void **state)
{
    (void)state;
    handover(true, false, false);
}

/* Set root, invalidate contexts, then the IOTLB, translation on, protected memory off. */
static void order_of_start(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct watch watch = {.world = &world};
    struct sluice_pages secret;
    unsigned root, context, iotlb, on, protect;

    (void)state;
    config.avoid_queues = true;
    config.model.plmr = true;
    config.model.write_buffer = true;
    config.host.no_events = true;
    world_init(&world, &config);
    world_probe(&world);
    /* Firmware protects low memory whole. */
    secret = model_host_buffer(world.host, 0, true);
    watch.secret = secret.phys;
    firmware_set(&world, 0x68, 4, 0);
    firmware_set(&world, 0x6c, 4, 0xffffffffu);
    firmware_set(&world, 0x64, 4, 1u << 31);
    while ((firmware_get(&world, 0x64, 4) & 1u) == 0)
        ;
    watch.armed = true;
    model_host_set_mmio_hook(world.host, watch_on_write, &watch);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    model_host_set_mmio_hook(world.host, NULL, NULL);
    assert_false(watch.outside);
    root = watch_first_write(&watch, 0x18, 1u << 30);
    context = watch_first_write(&watch, 0x28, UINT64_C(1) << 63);
    iotlb = watch_first_write(&watch, 0x108, UINT64_C(1) << 63);
    on = watch_first_write(&watch, 0x18, 1u << 31);
    protect = watch_first_write(&watch, 0x64, 0);
    assert_true(watch_first_write(&watch, 0x18, 1u << 27) < root); /* write buffers first */
    assert_true(root < context && context < iotlb && iotlb < on && on < protect);
    assert_true(protect < WATCH_WRITES_MAX);
    assert_true(watch.translating[protect]);
    assert_int_equal(firmware_get(&world, 0x64, 4) & 1u, 0);
    model_host_buffer_free(world.host, secret, 0);
    world_finish(&world);
}

/* A switch: the device reaches the old page or the new one at every step, nothing else. */
static void switch_without_a_gap(void **state)
{
    struct world_config config = world_defaults();
    struct world world;
    struct watch watch = {.world = &world, .both = true, .armed = true};
    struct vtd_model_stats before, after;
    struct sluice_pages secret;

    (void)state;
    world_init(&world, &config);
    world_probe(&world);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    assert_int_equal(world_reaches(&world, 0), 0);
    vtd_model_stats(world.model, &before);
    model_host_set_mmio_hook(world.host, watch_on_write, &watch);
    secret = model_host_buffer(world.host, 0, false);
    watch.secret = secret.phys;
    assert_int_equal(world_attach(&world, 0, &world.domains[1]), SLUICE_OK);
    model_host_set_mmio_hook(world.host, NULL, NULL);
    vtd_model_stats(world.model, &after);
    assert_false(watch.outside);
    assert_true(watch.new_seen > 0);
#if defined(__x86_64__) /* the library is built for a 16-byte store; this file is not */
    assert_int_equal(watch.blocked_seen, 0);
#endif
    model_host_buffer_free(world.host, secret, 0);
    assert_int_equal(world_reaches(&world, 0), 1);
    /* One batch: this device's entry, the old domain, one wait, one doorbell. */
    assert_int_equal(after.context_device - before.context_device, 1);
    assert_int_equal(after.iotlb_domain - before.iotlb_domain, 1);
    assert_int_equal(after.waits - before.waits, 1);
    assert_int_equal(after.doorbells - before.doorbells, 1);
    vtd_model_stats(world.model, &before);
    assert_int_equal(world_unmap(&world, &world.domains[1]), SLUICE_OK);
    vtd_model_stats(world.model, &after);
    assert_int_equal(after.iotlb_page - before.iotlb_page, 1);
    assert_int_equal(after.iotlb_domain - before.iotlb_domain, 0);
    assert_int_equal(after.doorbells - before.doorbells, 1);
    assert_int_equal(after.waits - before.waits, 1);
    world_finish(&world);
}

/* ---- threads ---- */

struct worker {
    struct world *world;
    unsigned index;
    unsigned rounds;
    unsigned failures;
};

static void *submit_and_wait(void *arg)
{
    struct worker *worker = arg;
    struct unit *unit = worker->world->unit;
    struct domain_link *link = &worker->world->domains[worker->index % 2].link;

    for (unsigned i = 0; i < worker->rounds; i++) {
        struct pt_gather gather;
        struct pt_range range = {.first = i * SLUICE_PAGE_BYTES, .page_lg2 = 12};
        const struct unit_invalidation invalidation = {.link = link, .gather = &gather};
        struct unit_ticket ticket;

        range.last = range.first + SLUICE_PAGE_BYTES - 1;
        pt_gather_init(&gather);
        pt_gather_add(&gather, &range);
        if (unit->ops->invalidate_submit(unit, &invalidation, &ticket) != SLUICE_OK ||
            unit->ops->invalidate_wait(unit, &ticket) != SLUICE_OK)
            worker->failures++;
    }
    return NULL;
}

static void threads(struct world_config config, unsigned count, unsigned rounds)
{
    struct world world;
    struct worker workers[4];
    pthread_t ids[4];
    uint8_t byte;

    world_init(&world, &config);
    world.sluice.config.hardware_timeout_ns = 5000000000u;
    world_probe(&world);
    assert_int_equal(world_attach(&world, 0, &world.domains[0]), SLUICE_OK);
    assert_int_equal(world.unit->ops->start(world.unit), SLUICE_OK);
    for (unsigned i = 0; i < count; i++) {
        workers[i] = (struct worker){.world = &world, .index = i, .rounds = rounds};
        assert_int_equal(pthread_create(&ids[i], NULL, submit_and_wait, &workers[i]), 0);
    }
    for (unsigned i = 0; i < 30; i++) {
        (void)dma_device_read(world.devices[1], WORLD_IOVA, &byte, 1, NULL);
        (void)world_drain(&world);
    }
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(pthread_join(ids[i], NULL), 0);
        assert_int_equal(workers[i].failures, 0);
    }
    world_finish(&world);
}

static void threads_on_the_queue(void **state)
{
    struct world_config config = world_defaults();

    (void)state;
    config.host.real_clock = true;
    config.host.no_events = true;
    threads(config, 4, 100);
    config.model.queue_mode = VTD_MODEL_AT_TICK;
    threads(config, 4, 100);
}

static void threads_on_registers(void **state)
{
    struct world_config config = world_defaults();

    (void)state;
    config.host.real_clock = true;
    config.host.no_events = true;
    config.avoid_queues = true;
    threads(config, 2, 40); /* each waits with a lock held: slow where CPUs are few */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handover_registers),       cmocka_unit_test(handover_queue),
        cmocka_unit_test(handover_blocks_the_rest), cmocka_unit_test(order_of_start),
        cmocka_unit_test(switch_without_a_gap),     cmocka_unit_test(threads_on_the_queue),
        cmocka_unit_test(threads_on_registers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
