// SPDX-License-Identifier: MIT
/*
 * Interrupt remapping in the VT-d driver: entries as the unit reads them, every reason to refuse a
 * message, the order of a start, takeover, sleep, and hardware that does not answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "interrupt/interrupt.h"
#include "interrupt_scene.h"
#include "unit/intel/irte.h"

#define BASE ((sluice_phys_t)0xfed90000)

#define G_IRE   (1u << 25)
#define G_SIRTP (1u << 24)
#define G_CFI   (1u << 23)
#define G_TE    (1u << 31)

static struct model_host *host_of(struct interrupt_scene *scene)
{
    return scene->scene.machine->host;
}

/* The table as the unit has it. */
static uint64_t *table_of(struct interrupt_scene *scene)
{
    uint64_t irta = model_host_mmio_read(host_of(scene), BASE + 0xb8, 8);

    return model_host_virt(host_of(scene), irta & ~(uint64_t)0xfff);
}

static struct sluice_interrupt *begin(struct interrupt_scene *scene,
                                      const struct scene_config *config)
{
    struct sluice_interrupt *interrupt;

    interrupt_scene_start(scene, config);
    interrupt =
        interrupt_alloc(scene, SLUICE_INTERRUPT_MSIX, scene_device(&scene->scene, RID_A), 4);
    assert_int_equal(interrupt_route(interrupt, 0, 0x40, 1), SLUICE_OK);
    interrupt_expect(scene, interrupt, 0, RID_A, 0x40, 1);
    return interrupt;
}

static void end(struct interrupt_scene *scene, struct sluice_interrupt *interrupt)
{
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_OK);
    scene_finish(&scene->scene);
}

/* ---- formats [VT-d 5.1.2.2, 5.1.5.1, 9.10, 9.11] ---- */

static void formats(void **state)
{
    struct interrupt_block block = {.kind = SLUICE_INTERRUPT_MSI, .rid = 0x1234, .count = 1};
    struct sluice_interrupt_route route = {.vector = 0xa5, .destination = 0x7f};
    struct vtd_irte posted;

    (void)state;
    assert_int_equal(vtd_irte_source(&block), 0x00041234);
    block.kind = SLUICE_INTERRUPT_HPET;
    assert_int_equal(vtd_irte_source(&block), 0x00071234);
    block.by_bus = true;
    block.first_bus = 2;
    block.last_bus = 9;
    assert_int_equal(vtd_irte_source(&block), 0x00080209);
    assert_true(vtd_irte_remapped(&route, false) == UINT64_C(0x00007f0000a50001));
    assert_true(vtd_irte_remapped(&route, true) == UINT64_C(0x0000007f00a50001));
    route.destination = 0xfedcba98;
    route.logical = route.level = true;
    route.delivery = SLUICE_INTERRUPT_LOWEST_PRIORITY;
    assert_true(vtd_irte_remapped(&route, true) == UINT64_C(0xfedcba9800a5003d));
    posted = vtd_irte_posted(0x33, true, UINT64_C(0x123456789abcdec0), 0x00041234);
    assert_true(posted.low == UINT64_C(0x9abcdec00033c001));
    assert_true(posted.high == UINT64_C(0x1234567800041234));
    assert_true(vtd_message_address(0x8001, true) == 0xfee0003c);
    assert_true(vtd_message_address(0x7fff, false) == 0xfeeffff0);
    assert_true(vtd_ioapic_entry(0x8003, &route) == UINT64_C(0x00070000000088a5));
    route.active_low = true;
    assert_true(vtd_ioapic_entry(0, &route) == UINT64_C(0x000100000000a0a5));
}

/* ---- each reason to refuse ---- */

static void reasons(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct sluice_interrupt *interrupt;
    struct vtd_model_injection unreadable = {0};
    uint64_t *entry;
    unsigned fired;

    (void)state;
    interrupt = begin(&scene, &config);
    fired = scene.fired;
    entry = table_of(&scene) + (size_t)2 * interrupt_index(interrupt, 1);
    /* 20h: reserved bits in the data; no entry is looked at. */
    assert_int_equal(vtd_model_message(scene.unit, RID_A, 0xfee00018, 1u << 20), 0x20);
    /* 21h: beyond the table. */
    assert_int_equal(vtd_model_message(scene.unit, RID_A, vtd_message_address(256, false), 0),
                     0x21);
    /* 22h: nobody routed it. */
    interrupt_expect_refused(&scene, interrupt, 1, RID_A, 0x22);
    /* 23h: the table cannot be read. */
    unreadable.bad_fetch = model_host_mmio_read(host_of(&scene), BASE + 0xb8, 8) & ~0xfffull;
    vtd_model_inject(scene.unit, &unreadable);
    interrupt_expect_refused(&scene, interrupt, 1, RID_A, 0x23);
    vtd_model_inject(scene.unit, &(struct vtd_model_injection){0});
    /* 24h: somebody scribbled over the table; a posted entry on a unit without them. */
    entry[0] = 1u | 1u << 12;
    interrupt_expect_refused(&scene, interrupt, 1, RID_A, 0x24);
    entry[0] = vtd_irte_posted(0x33, false, 0x1000, entry[1]).low;
    interrupt_expect_refused(&scene, interrupt, 1, RID_A, 0x24);
    entry[0] = 0;
    /* 25h: the older format; no index is told. */
    assert_int_equal(vtd_model_message(scene.unit, RID_A, 0xfee01000, 0x41), 0x25);
    (void)model_host_run_events(host_of(&scene));
    assert_int_equal(scene.scene.fault.hardware_code, 0x25);
    assert_int_equal(scene.scene.fault.source, RID_A);
    assert_int_equal(scene.scene.fault.reason, SLUICE_FAULT_INTERRUPT);
    assert_false(scene.scene.fault.interrupt_index_valid);
    assert_false(scene.scene.fault.address_valid);
    /* 26h: somebody else's. */
    interrupt_expect_refused(&scene, interrupt, 0, RID_B, 0x26);
    assert_int_equal(scene.fired, fired);
    end(&scene, interrupt);
}

/* A device's own DMA engine writes the message: it is judged like any other. */
static void forged_by_dma(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct sluice_interrupt *interrupt;
    struct sluice_msi msi;
    unsigned fired;

    (void)state;
    interrupt = begin(&scene, &config);
    fired = scene.fired;
    assert_int_equal(sluice_interrupt_message(interrupt, 0, &msi), SLUICE_OK);
    assert_false(
        dma_device_msi(scene.scene.machine->devices[MACHINE_DEV_B], msi.address, msi.data));
    assert_int_equal(scene.scene.fault.hardware_code, 0x26);
    assert_int_equal(scene.scene.fault.source, RID_B);
    assert_false(dma_device_msi(scene.scene.machine->devices[MACHINE_DEV_B], 0xfee00000, 0x40));
    assert_int_equal(scene.scene.fault.hardware_code, 0x25);
    assert_int_equal(scene.fired, fired);
    assert_true(dma_device_msi(scene.scene.machine->devices[MACHINE_DEV_A], msi.address, msi.data));
    assert_int_equal(scene.fired, fired + 1);
    end(&scene, interrupt);
}

/* ---- shapes of units ---- */

static void walk_through(const struct scene_config *config)
{
    struct interrupt_scene scene;
    struct sluice_interrupt *interrupt = begin(&scene, config);

    interrupt_expect_refused(&scene, interrupt, 3, RID_A, 0x22); /* may be cached as absent */
    assert_int_equal(interrupt_route(interrupt, 3, 0x43, 0), SLUICE_OK);
    interrupt_expect(&scene, interrupt, 3, RID_A, 0x43, 0);
    assert_int_equal(interrupt_route(interrupt, 3, 0x44, 2), SLUICE_OK);
    interrupt_expect(&scene, interrupt, 3, RID_A, 0x44, 2);
    assert_int_equal(sluice_interrupt_mask(interrupt, 3), SLUICE_OK);
    assert_int_equal(interrupt_send(&scene, interrupt, 3, RID_A), 0x22);
    assert_int_equal(interrupt_route(interrupt, 3, 0x45, 0), SLUICE_OK);
    interrupt_expect(&scene, interrupt, 3, RID_A, 0x45, 0);
    assert_int_equal(sluice_suspend(scene.scene.sluice), SLUICE_OK);
    assert_int_equal(interrupt_route(interrupt, 3, 0x46, 0), SLUICE_ERR_STATE);
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_ERR_STATE);
    vtd_model_reset(scene.unit, false);
    assert_int_equal(sluice_resume(scene.scene.sluice), SLUICE_OK);
    assert_true(vtd_model_remapping(scene.unit));
    interrupt_expect(&scene, interrupt, 3, RID_A, 0x45, 0);
    assert_int_equal(vtd_model_message(scene.unit, RID_A, 0xfee00000, 0x40), 0x25);
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_OK);
    assert_int_equal(sluice_stop(scene.scene.sluice), SLUICE_OK);
    assert_false(vtd_model_remapping(scene.unit));
    vtd_model_check_settled(scene.unit);
    scene_finish(&scene.scene);
}

#define SHAPE(name, ...)                                                                           \
    static void shape_##name(void **state)                                                         \
    {                                                                                              \
        struct scene_config config = interrupt_defaults();                                         \
                                                                                                   \
        (void)state;                                                                               \
        __VA_ARGS__;                                                                               \
        walk_through(&config);                                                                     \
    }

SHAPE(usual, (void)config)
SHAPE(x2apic, config.configure = interrupt_configure_x2apic)
SHAPE(caching_mode, config.machine.units[0].caching_mode = true)
SHAPE(write_buffer, config.machine.units[0].write_buffer = true)
SHAPE(not_coherent, config.machine.units[0].coherent = false;
      config.machine.host.non_coherent = true)
SHAPE(no_mask, config.machine.units[0].handle_mask = 0)
SHAPE(enhanced, config.machine.units[0].enhanced_sirtp = true)
SHAPE(slow_queue, config.machine.units[0].queue_mode = VTD_MODEL_AT_TICK)

/* A big block goes with few invalidations: by mask, or all at once. */
static unsigned invalidations_of_free(unsigned handle_mask, unsigned count)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct sluice_interrupt *interrupt, *odd;
    struct sluice_device *device;
    struct vtd_model_stats before, after;

    config.machine.units[0].handle_mask = handle_mask;
    interrupt_scene_start(&scene, &config);
    device = scene_device(&scene.scene, RID_A);
    odd = interrupt_alloc(&scene, SLUICE_INTERRUPT_MSIX, device, 1);
    interrupt = interrupt_alloc(&scene, SLUICE_INTERRUPT_MSIX, device, count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(interrupt_route(interrupt, i, 0x40, 0), SLUICE_OK);
        interrupt_expect(&scene, interrupt, i, RID_A, 0x40, 0);
    }
    assert_int_equal(interrupt_route(odd, 0, 0x41, 0), SLUICE_OK);
    vtd_model_stats(scene.unit, &before);
    assert_int_equal(sluice_interrupt_free(interrupt), SLUICE_OK);
    vtd_model_stats(scene.unit, &after);
    assert_int_equal(vtd_model_interrupt_entries(scene.unit), 0);
    interrupt_expect(&scene, odd, 0, RID_A, 0x41, 0);
    end(&scene, odd);
    return (unsigned)(after.interrupt_entry - before.interrupt_entry);
}

static void masks(void **state)
{
    (void)state;
    assert_int_equal(invalidations_of_free(15, 127), 7); /* 1, 2, 4, ... 64 from index 1 on */
    assert_int_equal(invalidations_of_free(0, 16), 16);
    assert_int_equal(invalidations_of_free(0, 100), 1); /* global */
    assert_int_equal(invalidations_of_free(3, 31), 6);
}

/* ---- the order of a start, takeover ---- */

struct watch {
    struct interrupt_scene *scene;
    struct vtd_model *unit;
    bool through; /**< a message of the older format came through when none may */
    bool armed;   /**< none may from now on */
    unsigned at, table, invalidated, enabled, translating;
};

static void look(void *arg, const struct vtd_model_interrupt *interrupt)
{
    struct watch *watch = arg;

    watch->through = watch->through || (watch->armed && !interrupt->remapped);
}

static void on_write(void *arg, const struct model_mmio_event *event)
{
    struct watch *watch = arg;
    uint32_t value = (uint32_t)event->value;

    (void)vtd_model_message(watch->unit, RID_B, 0xfee00000, 0x31);
    if (event->after)
        return;
    watch->at++;
    if (event->phys == BASE + 0x88)
        watch->invalidated = watch->at;
    if (event->phys != BASE + 0x18)
        return;
    if ((value & G_SIRTP) != 0)
        watch->table = watch->at;
    if ((value & G_IRE) != 0 && watch->enabled == 0 && (value & G_SIRTP) == 0)
        watch->enabled = watch->at;
    if ((value & G_TE) != 0 && watch->translating == 0)
        watch->translating = watch->at;
}

static void command(struct model_host *host, uint32_t value, uint32_t bit)
{
    model_host_mmio_write(host, BASE + 0x18, 4, value);
    for (unsigned i = 0; i < 8; i++)
        (void)model_host_mmio_read(host, BASE + 0x1c, 4);
    assert_true((model_host_mmio_read(host, BASE + 0x1c, 4) & bit) == bit);
}

static void order(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct watch watch = {.scene = &scene};

    (void)state;
    scene_init(&scene.scene, &config);
    watch.unit = scene.scene.machine->units[0];
    vtd_model_set_interrupt_sink(watch.unit, look, &watch);
    model_host_set_mmio_hook(host_of(&scene), on_write, &watch);
    assert_int_equal(sluice_start(scene.scene.sluice), SLUICE_OK);
    model_host_set_mmio_hook(host_of(&scene), NULL, NULL);
    assert_true(0 < watch.table && watch.table < watch.enabled);
    assert_true(watch.enabled < watch.translating);
    scene_finish(&scene.scene);
}

/* What firmware leaves: a queue, and remapping on with a table of its own. */
static void firmware_remaps(struct interrupt_scene *scene, struct sluice_pages *table,
                            struct sluice_pages *queue, bool compatibility)
{
    struct model_host *host = host_of(scene);
    uint64_t *entry;

    *table = model_host_buffer(host, 0, false);
    *queue = model_host_buffer(host, 0, false);
    entry = table->virt;
    entry[0] = 1u | 0x99u << 16;
    entry[1] = 1u << 18 | RID_A;
    model_host_mmio_write(host, BASE + 0x90, 8, queue->phys);
    command(host, 1u << 26, 1u << 26);
    model_host_mmio_write(host, BASE + 0xb8, 8, table->phys | 7u);
    command(host, 1u << 26 | G_SIRTP, G_SIRTP);
    ((uint64_t *)queue->virt)[0] = 4; /* all interrupt entries */
    model_host_mmio_write(host, BASE + 0x88, 8, 16);
    command(host, 1u << 26 | G_IRE, G_IRE);
    if (compatibility)
        command(host, 1u << 26 | G_IRE | G_CFI, G_CFI);
}

static void takeover(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene = {0};
    struct watch watch = {.armed = true};
    struct sluice_pages table, queue;

    (void)state;
    scene_init(&scene.scene, &config);
    watch.unit = scene.unit = scene.scene.machine->units[0];
    firmware_remaps(&scene, &table, &queue, false);
    vtd_model_set_interrupt_sink(scene.unit, look, &watch);
    assert_int_equal(vtd_model_message(scene.unit, RID_A, 0xfee00010, 0), VTD_REASON_NONE);
    model_host_set_mmio_hook(host_of(&scene), on_write, &watch);
    assert_int_equal(sluice_start(scene.scene.sluice), SLUICE_OK);
    model_host_set_mmio_hook(host_of(&scene), NULL, NULL);
    assert_false(watch.through); /* remapping was never off meanwhile */
    assert_int_equal(vtd_model_message(scene.unit, RID_A, 0xfee00010, 0), 0x22); /* it was cached */
    model_host_buffer_free(host_of(&scene), table, 0);
    model_host_buffer_free(host_of(&scene), queue, 0);
    scene_finish(&scene.scene);
}

/* Firmware let older messages pass beside the remapped ones. */
static void takeover_of_compatibility(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene = {0};
    struct sluice_pages table, queue;

    (void)state;
    scene_init(&scene.scene, &config);
    scene.unit = scene.scene.machine->units[0];
    firmware_remaps(&scene, &table, &queue, true);
    assert_int_equal(vtd_model_message(scene.unit, RID_A, 0xfee00000, 0x40), VTD_REASON_NONE);
    assert_int_equal(sluice_start(scene.scene.sluice), SLUICE_OK);
    assert_int_equal(vtd_model_message(scene.unit, RID_A, 0xfee00000, 0x40), 0x25);
    model_host_buffer_free(host_of(&scene), table, 0);
    model_host_buffer_free(host_of(&scene), queue, 0);
    scene_finish(&scene.scene);
}

/* A start that fails puts firmware's table back. */
static void failed_takeover(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene = {0};
    struct sluice_pages table, queue;

    (void)state;
    scene_init(&scene.scene, &config);
    scene.unit = scene.scene.machine->units[0];
    firmware_remaps(&scene, &table, &queue, true);
    vtd_model_inject(scene.unit, &(struct vtd_model_injection){.stuck_gsts = G_TE});
    assert_int_equal(sluice_start(scene.scene.sluice), SLUICE_ERR_TIMEOUT);
    vtd_model_inject(scene.unit, &(struct vtd_model_injection){0});
    assert_true(vtd_model_remapping(scene.unit));
    assert_int_equal(vtd_model_message(scene.unit, RID_A, 0xfee00010, 0), VTD_REASON_NONE);
    assert_int_equal(vtd_model_message(scene.unit, RID_A, 0xfee00000, 0x40), VTD_REASON_NONE);
    model_host_buffer_free(host_of(&scene), table, 0);
    model_host_buffer_free(host_of(&scene), queue, 0);
    scene_finish(&scene.scene);
}

/* ---- hardware that does not answer ---- */

static void start_with_stuck(uint32_t bit)
{
    struct scene_config config = interrupt_defaults();
    struct scene scene;

    scene_init(&scene, &config);
    vtd_model_inject(scene.machine->units[0], &(struct vtd_model_injection){.stuck_gsts = bit});
    assert_int_equal(sluice_start(scene.sluice), SLUICE_ERR_TIMEOUT);
    assert_false(vtd_model_translating(scene.machine->units[0]));
    vtd_model_inject(scene.machine->units[0], &(struct vtd_model_injection){0});
    scene_finish(&scene);
}

static void stuck_commands(void **state)
{
    (void)state;
    start_with_stuck(G_SIRTP);
    start_with_stuck(G_IRE);
}

/* The unit does not confirm that it let go: entries are withheld, the caller is told. */
static void unconfirmed(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct sluice_interrupt *interrupt, *other;
    struct sluice_interrupt_info info;
    struct sluice_unit_info unit;
    uint32_t first;

    (void)state;
    interrupt = begin(&scene, &config);
    first = interrupt_index(interrupt, 0);
    vtd_model_inject(scene.unit, &(struct vtd_model_injection){.queue_stuck = true});
    assert_int_equal(interrupt_route(interrupt, 0, 0x50, 1), SLUICE_ERR_TIMEOUT);
    assert_true(sluice_interrupt_free(interrupt) != SLUICE_OK);
    vtd_model_inject(scene.unit, &(struct vtd_model_injection){0});
    assert_int_equal(sluice_unit_info(scene.scene.sluice, 0, &unit), SLUICE_OK);
    assert_true(unit.degraded);
    sluice_interrupt_info(scene.scene.sluice, &info);
    assert_int_equal(info.withheld, 4);
    assert_int_equal(info.used, 0);
    assert_true(model_host_logged(host_of(&scene), "are withheld"));
    /* None of them is ever given out again. */
    other = interrupt_alloc(&scene, SLUICE_INTERRUPT_MSIX, scene_device(&scene.scene, RID_B), 252);
    assert_true(interrupt_index(other, 251) < first || interrupt_index(other, 0) >= first + 4);
    assert_true(sluice_interrupt_free(other) != SLUICE_OK);
    assert_int_equal(sluice_stop(scene.scene.sluice), SLUICE_OK);
    scene_finish(&scene.scene);
}

/* The model sees a missing invalidation: so would these tests. */
static void lost_invalidation_is_seen(void **state)
{
    struct scene_config config = interrupt_defaults();
    struct interrupt_scene scene;
    struct sluice_interrupt *interrupt;

    (void)state;
    interrupt = begin(&scene, &config);
    vtd_model_inject(scene.unit, &(struct vtd_model_injection){.lost_invalidations = true});
    assert_int_equal(interrupt_route(interrupt, 0, 0x50, 2), SLUICE_OK);
    interrupt_expect(&scene, interrupt, 0, RID_A, 0x40, 1); /* the old place */
    vtd_model_inject(scene.unit, &(struct vtd_model_injection){0});
    assert_int_equal(interrupt_route(interrupt, 0, 0x50, 2), SLUICE_OK);
    interrupt_expect(&scene, interrupt, 0, RID_A, 0x50, 2);
    end(&scene, interrupt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(reasons),
        cmocka_unit_test(forged_by_dma),
        cmocka_unit_test(shape_usual),
        cmocka_unit_test(shape_x2apic),
        cmocka_unit_test(shape_caching_mode),
        cmocka_unit_test(shape_write_buffer),
        cmocka_unit_test(shape_not_coherent),
        cmocka_unit_test(shape_no_mask),
        cmocka_unit_test(shape_enhanced),
        cmocka_unit_test(shape_slow_queue),
        cmocka_unit_test(masks),
        cmocka_unit_test(order),
        cmocka_unit_test(takeover),
        cmocka_unit_test(takeover_of_compatibility),
        cmocka_unit_test(failed_takeover),
        cmocka_unit_test(stuck_commands),
        cmocka_unit_test(unconfirmed),
        cmocka_unit_test(lost_invalidation_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
